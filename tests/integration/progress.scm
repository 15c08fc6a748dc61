;; SPDX-License-Identifier: LGPL-3.0-or-later
;; How far a map is: on a terminal a bar with done/total, rate and remaining time, on one line however narrow, never torn by what workers
;; write, gone in the end, however it ends; in a pipe a line now and then.
(use-modules (tap) (programs) (screen) (ice-9 regex) (srfi srfi-1) (srfi srfi-64))

(define script (fixture "progress.scm"))
(define wide-script (fixture "progress-wide.scm"))
(define failing-script (fixture "progress-failing.scm"))
(define worker-lines
  (map (lambda (item) (format #f "item ~a is measured" item)) '(0 7 14 21 28 35)))

(define (without-mark line)
  (cond ((string-match "^\\[worker [01]\\] " line) => match:suffix)
        (else line)))

(define (count-bars text pattern)
  (length (list-matches pattern text)))

(define* (run-on columns command steps #:key (term "xterm"))
  "Run COMMAND on a terminal of so many columns; return what was shown, how it ended, and the lines on its screen in the end."
  (let ((terminal (run-on-terminal command (cons (list 'size columns) steps)
                                   #:env (list (string-append "TERM=" term) "LC_ALL=C.UTF-8"))))
    (values (terminal-text terminal) (terminal-end terminal) (text->lines (terminal-text terminal) columns))))

(define (check-screen columns lines)
  (test-equal (format #f "~a columns: the workers' lines and the result stand there, whole, and nothing else" columns)
    (sort (cons "sum 780" worker-lines) string<?)
    (sort (map without-mark lines) string<?)))

(define (test-on-terminal)
  (call-with-values (lambda () (run-on 100 (list tutti "run" script) '((expect 60 "sum 780") (exit 60))))
    (lambda (text end lines)
      (test-equal "ends well" '(exited 0) end)
      (test-assert "the bar shows what is done, done and total, rate and remaining time, several times"
        (> (count-bars text "measure \\[=* *\\] [0-9]+/40  [0-9.]+/[a-z]+  [0-9]+ s left") 4))
      (check-screen 100 lines)
      (test-equal "the result is the last line" "sum 780" (last lines)))))

(define (test-narrow)
  (for-each
   (lambda (columns pattern)
     (call-with-values (lambda () (run-on columns (list tutti "run" script) '((expect 60 "sum 780") (exit 60))))
       (lambda (text end lines)
         (test-equal (format #f "~a columns: ends well" columns) '(exited 0) end)
         (test-assert (format #f "~a columns: shows what there is room for" columns) (> (count-bars text pattern) 4))
         (check-screen columns lines)
         (test-assert (format #f "~a columns: no line is drawn that does not fit" columns)
           (every (lambda (drawn) (< (string-length (match:substring drawn 1)) columns))
                  (list-matches "\r([^\r\n\x1b]*)\x1b\\[K\r" text))))))
   '(40 20 10 1)
   '("\\[=* *\\] [0-9]+/40  [0-9]+ s left" "\\[=* *\\] [0-9]+/40" "[0-9]+/40" "\r\x1b\\[K\r")))

(define (test-resized)
  (call-with-values
      (lambda ()
        (run-on 100 (list tutti "run" script)
                '((expect 60 "/40") (size 37) (expect 60 "left") (size 22) (expect 60 "/40") (size 90) (expect 60 "/s") (exit 60))))
    (lambda (text end lines)
      (test-equal "ends well" '(exited 0) end)
      (test-assert "no part of a bar is left where the terminal became narrower, and all is used where it became wider"
        (and (not (any (lambda (row) (string-match "[0-9]/40|\\[=* *\\]" row)) lines))
             (string-match "measure \\[[= ]{30}\\]" text))))))

(define (test-dumb)
  (call-with-values (lambda () (run-on 40 (list tutti "run" script) '((expect 60 "sum 780") (exit 60)) #:term "dumb"))
    (lambda (text end lines)
      (test-assert "there is a bar" (> (count-bars text "\\[=* *\\] [0-9]+/40") 4))
      (test-equal "the only control sequence is the test's own" '("\x1b[8;24;40t")
                  (map match:substring (list-matches "\x1b\\[[0-9;]*[a-zA-Z]" text)))
      (check-screen 40 lines))))

(define (test-wide)
  (for-each
   (lambda (columns pattern)
     (call-with-values (lambda () (run-on columns (list tutti "run" wide-script) '((expect 60 "right 435") (exit 60))))
       (lambda (text end lines)
         (test-assert (format #f "~a columns: the name, as far as there is room" columns) (string-match pattern text))
         (test-assert (format #f "~a columns: two maps share the line" columns)
           (or (< columns 20) (string-match "[0-9]+/30.* \\| .*[0-9]+/30" text)))
         (test-equal (format #f "~a columns: the results stand there, and nothing else" columns)
           '("sum 435" "left 435, right 435") lines))))
   '(80 33 12)
   '("測量抵抗 \\[=" "[0-9]/30" "[0-9]/30")))

(define (test-ends)
  (call-with-values (lambda () (run-on 60 (list tutti "run" failing-script) '((expect 60 "/40") (exit 60))))
    (lambda (text end lines)
      (test-equal "an error ends it" '(exited 1) end)
      (test-assert "no bar is left after an error" (not (any (lambda (row) (string-contains row "/40")) lines)))
      (test-assert "its text begins a line" (any (lambda (row) (string-prefix? failing-script row)) lines))))
  (call-with-values (lambda () (run-on 30 (list tutti "run" failing-script "x") '((expect 60 "/1000000") (interrupt) (exit 60))))
    (lambda (text end lines)
      (test-equal "Ctrl-C ends it" '(signal 2) end)
      (test-equal "nothing is left after Ctrl-C" '() lines))))

(define (progress-lines program)
  (filter (lambda (line) (string-prefix? "[progress] " line)) (string-split (program-errors program) #\newline)))

(define (test-in-pipe)
  (let ((program (run-program (list tutti "run" script))))
    (test-equal "ends well" 0 (program-status program))
    (test-equal "the output is the result alone" "sum 780\n" (program-output program))
    (test-assert "there is no bar" (not (string-match "\\[=* *\\]|\r" (program-errors program))))
    (test-equal "workers' lines are there" worker-lines
                (sort (map without-mark (remove (lambda (line) (string-prefix? "[progress]" line))
                                                (string-split (string-trim-right (program-errors program)) #\newline)))
                      (lambda (a b) (< (list-index (lambda (l) (string=? l a)) worker-lines)
                                       (list-index (lambda (l) (string=? l b)) worker-lines))))))
  (let* ((program (run-program (list tutti "run" script) #:env '("TUTTI_PROGRESS_INTERVAL=0.2")))
         (lines (progress-lines program)))
    (test-assert "a line each so many seconds"
      (and (>= (length lines) 3)
           (every (lambda (line)
                    (string-match "^\\[progress\\] measure: [0-9]+/40 \\([0-9]+%\\)(, [0-9.]+/[a-z]+, [0-9]+ s left| after)" line))
                  (drop-right lines 1))))
    (test-assert "and a last one" (string-match "^\\[progress\\] measure: 40/40 in [0-9]+ s$" (last lines)))
    (test-assert "no control character"
      (not (string-any (lambda (c) (and (char<? c #\space) (not (char=? c #\newline)))) (program-errors program)))))
  (test-assert "the last line after an error says how far it came"
    (string-match "^\\[progress\\] measure: [0-9]+/40 not finished after [0-9]+ s$"
                  (last (progress-lines (run-program (list tutti "run" failing-script) #:env '("TUTTI_PROGRESS_INTERVAL=0.15"))))))
  (test-equal "never is never" '()
              (progress-lines (run-program (list tutti "run" script) #:env '("TUTTI_PROGRESS_INTERVAL=never"))))
  (let ((program (run-program (list tutti "run" script) #:env '("TUTTI_PROGRESS_INTERVAL=soon"))))
    (test-equal "a wrong interval does not end the job" 0 (program-status program))
    (test-assert "but is told"
      (string-contains (program-errors program) "TUTTI_PROGRESS_INTERVAL is \"soon\", expected a positive number"))))

(call-with-tap
 (lambda ()
   (test-group "terminal" (test-on-terminal))
   (test-group "narrow" (test-narrow))
   (test-group "resized" (test-resized))
   (test-group "dumb" (test-dumb))
   (test-group "wide characters, several at once" (test-wide))
   (test-group "ends" (test-ends))
   (test-group "pipe" (test-in-pipe))))
