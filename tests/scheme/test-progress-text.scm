;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The text of bars: as much as there is room for, and never more.
(use-modules (tap) (tutti pool progress-text) (tutti base terminal) (srfi srfi-1) (srfi srfi-64))

(define bars
  '((#f 0 0 0.) (#f 0 10 0.) ("measure" 5 10 1.) ("測量" 999999 1000000 3e5) ("e\u0301" 1 3 1e-9) ("a\nb\tc" 1 2 0.5)
    ("a-procedure-whose-name-is-longer-than-any-terminal-is-wide-so-that-it-must-be-cut" 123456789 987654321 7.)))

(define (fits? bars columns)
  (let ((line (bars->line bars columns)))
    (and (<= (text-columns line) (max 0 columns))
         (not (string-any (lambda (c) (char<? c #\space)) line)))))

(call-with-tap
 (lambda ()
   (test-equal "columns of text" '(0 7 4 1 3) (map text-columns '("" "measure" "測量" "e\u0301" "a漢")))
   (test-equal "text is cut where a wide character ends" '("" "…" "…" "測…" "測…" "測量" "測量")
     (map (lambda (columns) (cut-to-columns "測量" columns)) '(0 1 2 3 3 4 5)))
   (test-equal "what would move the cursor is replaced" "a?b" (cut-to-columns "a\x1bb" 9))
   (test-assert "one bar fits at every width"
     (every (lambda (bar) (every (lambda (columns) (fits? (list bar) columns)) (iota 200 -1))) bars))
   (test-assert "several fit at every width"
     (every (lambda (n) (every (lambda (columns) (fits? (take bars n) columns)) (iota 200 -1))) (iota (length bars) 1)))
   (test-equal "what says least goes first"
     '("measure [===============               ] 5/10  5.0/s  1 s left"
       "measure [====    ] 5/10  5.0/s  1 s left"
       "measure [=======       ] 5/10  1 s left"
       "[====    ] 5/10  5.0/s  1 s left"
       "[====     ] 5/10  1 s left" "[====    ] 5/10" "5/10" "50%" "")
     (map (lambda (columns) (bars->line '(("measure" 5 10 1.)) columns)) '(80 40 39 32 26 15 6 3 2)))
   (test-equal "those for which there is no room are counted" "1/10 | 2/10 +2"
     (bars->line '((#f 1 10 1.) (#f 2 10 1.) (#f 3 10 1.) (#f 4 10 1.)) 24))
   (test-equal "slow ones" '("[==========                    ] 1/3  2.0/min  1:00 min left"
                              "[==========                    ] 1/3  1.0/h  2:00 h left")
     (map (lambda (seconds) (bars->line `((#f 1 3 ,seconds)) 80)) '(30. 3600.)))
   (test-equal "lines" '("[progress] f: 1/4 (25%), 2.0/s, 2 s left\n" "[progress] 0/4 (0%) after 12 s\n" "[progress] f: 4/4 in 1:05 min\n"
                         "[progress] 3/4 not finished after 2:00 h\n")
     (map text->line
          (list (progress->text "f" 1 4 0.5) (progress->text #f 0 4 12.) (end->text "f" 4 4 65.) (end->text #f 3 4 7200.))))))
