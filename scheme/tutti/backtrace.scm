;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Where an exception in a task came from, as text. Apart from (tutti answer) because it needs Guile's debugger.
(define-module (tutti backtrace)
  #:use-module (srfi srfi-1)
  #:use-module ((system repl debug) #:select (print-frames terminal-width))
  #:use-module (system vm frame)
  #:use-module (system vm program)
  #:export (backtrace-text procedure-place))

(define backtrace-width 120)             ; characters; a worker has no terminal to ask

(define (frame-file frame)
  (and=> (frame-source frame) source:file))

(define (task-frames stack)
  "Return the frames in @var{stack} that are not our machinery: those before the first of this file, without the primitives that called
them."
  (let ((frames (take-while (lambda (frame) (not (string-suffix? "tutti/answer.scm" (or (frame-file frame) ""))))
                            (map (lambda (i) (stack-ref stack i)) (iota (stack-length stack))))))
    (reverse (drop-while (negate frame-file) (reverse frames)))))

(define (backtrace-text stack)
  "Return the text of the frames of the task in @var{stack}, empty if that is @code{#f}."
  (let ((frames (if stack (task-frames stack) '())))
    (terminal-width backtrace-width)
    (call-with-output-string
      (lambda (port) (print-frames (list->vector frames) port)))))

(define (procedure-place procedure)
  "Return a line that says which procedure the task called, and where it is defined; empty if that is not known."
  ;; A call in tail position leaves no frame: without this a backtrace may not show the task's procedure at all.
  (let ((source (false-if-exception (program-source procedure 0))))
    (if source
        (format #f "task: ~a, ~a:~a:~a\n" (or (procedure-name procedure) "a procedure without a name")
                (or (source:file source) "unknown file") (source:line-for-user source) (source:column source))
        "")))
