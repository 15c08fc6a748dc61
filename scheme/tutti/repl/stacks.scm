;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Where a worker is: it says so itself while it computes in Scheme; of one that does not answer a debugger shows where it is in C.
(define-module (tutti repl stacks)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base primitives)
  #:use-module (tutti base seconds)
  #:use-module (tutti repl facts)
  #:export (stack-text))

(define patience 1.)                    ; seconds for its answer
(define debugger-patience 10.)
(define most-lines 200)

(define (find-debugger)
  (search-path (parse-path (or (getenv "PATH") "/usr/bin:/bin")) "gdb"))

(define (from-first-thread lines)
  (remove (lambda (line) (string-prefix? "[" line))
          (drop-while (lambda (line) (not (string-prefix? "Thread " line))) lines)))

(define (all-lines text) (string-split (string-trim-right text) #\newline))

(define (shortened lines)
  (if (> (length lines) most-lines)
      (append (take lines most-lines) (list (format #f "and ~a more lines" (- (length lines) most-lines))))
      lines))

(define (refused-text pid errors)
  (append (list (format #f "gdb cannot look at process ~a:" pid))
          (map (lambda (line) (string-append "  " line)) (take-right* (all-lines errors) 3))
          (if (or (string-contains errors "Operation not permitted") (string-contains errors "ptrace"))
              (list (format #f "Nobody but root may here: try `sudo gdb -p ~a' and its command `thread apply all bt', or" pid)
                    "allow it with `sudo sysctl kernel.yama.ptrace_scope=0'.")
              '())))

(define (take-right* lines n)
  (if (> (length lines) n) (take-right lines n) lines))

(define (c-stack pid)
  "Return lines with the C stack of the process @var{pid}, or why there is none."
  (match (find-debugger)
    (#f
     (list "Its C stack could be seen with gdb, which is not installed (apt install gdb);"
           (format #f "`cat /proc/~a/wchan' says what it waits for in the kernel." pid)))
    (gdb
     (match (%c-stack gdb pid debugger-patience)
       ((? string? reason) (list (format #f "gdb cannot be started: ~a" reason)))
       ((in-time? output . errors)
        (match (from-first-thread (all-lines output))
          (()
           (if in-time?
               (refused-text pid errors)
               (list (format #f "gdb has said nothing in ~a s; try it by hand: gdb -p ~a" debugger-patience pid))))
          (lines (cons "Its C stack, by gdb:" (shortened lines)))))))))

(define (elsewhere pid host)
  (list (format #f "It is on another machine: its C stack is to be seen there, `gdb -p ~a' on ~a." pid host)))

(define (silent-text pid host state task)
  (append (list (format #f "It has not said where it is within ~a s: ~a." patience
                        (if (eq? state 'stopped)
                            "it is stopped by a signal"
                            "it is in C, waits for something, or hangs")))
          (cond ((zero? pid) '())
                (host (elsewhere pid host))
                (else (c-stack pid)))))

(define (stack-text pool index)
  "Return the text that says where the worker with @var{index} of @var{pool}, a vector of @code{%pools}, is now."
  (match (%worker-stack (vector-ref pool 0) index patience)
    ((answer . (#(_ pid state host _ _ _ task name seconds _) . text))
     (let ((who (format #f "~a of pool ~a" (worker-label index host) (pool-label pool)))
           (what (if task
                     (format #f "runs task ~a, ~a, for ~a" task (or name "a procedure without a name") (duration->string seconds))
                     "runs nothing")))
       (string-join
        (case answer
          ((told)
           (list (format #f "~a (process ~a) ~a:" who pid what)
                 (if (string-null? text) "  in no procedure that has a name" (string-trim-right text))))
          ((idle)
           (list (if task
                     (format #f "~a (process ~a) has just begun something else: it ~a" who pid what)
                     (format #f "~a (process ~a) is ~a: it runs nothing" who pid state))))
          ((silent) (cons (format #f "~a (process ~a) ~a." who pid what) (silent-text pid host state task)))
          (else (list (format #f "~a is ~a: it has no process now; `,workers' lists those that have" who state))))
        "\n" 'suffix)))))
