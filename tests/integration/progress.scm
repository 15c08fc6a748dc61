;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The bar of a map: on a terminal with done/total, rate and remaining time, never torn by what workers write, gone in the end; not in a
;; pipe.
(use-modules (tap) (programs) (ice-9 regex) (srfi srfi-1) (srfi srfi-64))

(define script (fixture "progress.scm"))
(define worker-lines
  (map (lambda (item) (format #f "item ~a is measured" item)) '(0 7 14 21 28 35)))

(define (without-mark line)
  (cond ((string-match "^\\[worker [01]\\] " line) => match:suffix)
        (else line)))

(define (count-bars text pattern)
  (length (list-matches pattern text)))

(define (test-on-terminal)
  (let* ((terminal (run-on-terminal (list tutti "run" script) '((expect 60 "sum 780") (exit 60))))
         (text (terminal-text terminal))
         (screen (terminal-screen terminal)))
    (test-equal "ends well" '(exited 0) (terminal-end terminal))
    (test-assert "the bar shows done and total, rate and remaining time, several times"
      (> (count-bars text "\\[=* *\\] [0-9]+/40  [0-9.]+/s  [0-9]+ s left") 4))
    (test-equal "what is left on the screen is the workers' lines and the result, whole"
      (sort (cons "sum 780" worker-lines) string<?)
      (sort (map without-mark screen) string<?))
    (test-equal "the result is the last line" "sum 780" (last screen))))

(define (test-in-pipe)
  (let ((program (run-program (list tutti "run" script))))
    (test-equal "ends well" 0 (program-status program))
    (test-equal "the output is the result alone" "sum 780\n" (program-output program))
    (test-assert "there is no bar" (not (string-match "\\[=* *\\]|\r" (program-errors program))))
    (test-equal "workers' lines are there" worker-lines
                (sort (map without-mark (string-split (string-trim-right (program-errors program)) #\newline))
                      (lambda (a b) (< (list-index (lambda (l) (string=? l a)) worker-lines)
                                       (list-index (lambda (l) (string=? l b)) worker-lines)))))))

(call-with-tap
 (lambda ()
   (test-group "terminal" (test-on-terminal))
   (test-group "pipe" (test-in-pipe))))
