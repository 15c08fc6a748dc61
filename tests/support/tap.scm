;; SPDX-License-Identifier: LGPL-3.0-or-later
;; An SRFI-64 runner that writes TAP, so that Meson sees every single case of a Scheme test. A test program that ends in any
;; other way than by reaching its end is a failure: an error outside a case, an early exit, a file without a case.
(define-module (tap)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-64)
  #:export (call-with-tap
            tap-runner
            tap-skip
            tap-skip-all
            test-condition))

(define skip-reason (make-parameter #f))

(define (one-line string)
  (string-map (lambda (c) (if (memv c '(#\newline #\return)) #\space c)) string))

(define (case-name runner)
  ;; A # would start a directive.
  (string-map (lambda (c) (if (char=? c #\#) #\_ c))
              (one-line (string-join (append (test-runner-group-path runner) (list (test-runner-test-name runner))) "/"))))

(define (describe-error error)
  (if (exception? error)
      (call-with-output-string
        (lambda (port) (print-exception port #f (exception-kind error) (exception-args error))))
      (format #f "~s" error)))

(define (comment port text)
  (for-each (lambda (line) (format port "# ~a~%" line))
            (string-split (string-trim-right text) #\newline)))

(define (report-failure port alist)
  (define (value key) (assq-ref alist key))
  (when (value 'source-line)
    (comment port (format #f "at ~a:~a" (value 'source-file) (value 'source-line))))
  (for-each (lambda (key)
              (when (assq key alist)
                (let ((v (value key)))
                  (comment port (format #f "~a: ~a" key
                                        (if (exception? v) (describe-error v) (format #f "~s" v)))))))
            '(source-form expected-value expected-error actual-value actual-error)))

(define* (tap-runner #:optional (port (current-output-port)))
  "Return an SRFI-64 runner that writes TAP to @var{port}."
  (define runner (test-runner-null))
  (test-runner-aux-value! runner 0)
  (test-runner-on-test-end! runner
    (lambda (runner)
      (let* ((n (1+ (test-runner-aux-value runner)))
             (kind (test-result-kind runner))
             ;; An expected failure is a promise of work, not a result: it counts as a failure here.
             (bad? (memq kind '(fail xpass xfail))))
        (test-runner-aux-value! runner n)
        (format port "~a ~a - ~a~a~%" (if bad? "not ok" "ok") n (case-name runner)
                (if (eq? kind 'skip) (format #f " # SKIP ~a" (or (skip-reason) "without a reason")) ""))
        (when bad?
          (report-failure port (test-result-alist runner)))
        (force-output port))))
  runner)

(define (tap-skip name reason)
  "Report the case @var{name} as skipped because of @var{reason}, a string."
  (parameterize ((skip-reason (one-line reason)))
    (test-skip 1)
    (test-assert name #f)))

(define (tap-skip-all reason)
  "Report the whole test program as skipped because of @var{reason}, a string, and end it.  To be called before any case."
  (format #t "1..0 # SKIP ~a~%" (one-line reason))
  (force-output)
  (primitive-exit 0))

(define-syntax-rule (test-condition name predicate expression)
  ;; SRFI-64's test-error cannot do this: it takes any error for the one that was meant if given a predicate.
  (test-equal name
    'raised
    (with-exception-handler
        (lambda (error) (if (predicate error) 'raised (list 'raised-instead (describe-error error))))
      (lambda () (list 'returned expression))
      #:unwind? #t)))

(define (bail-out port runner error)
  (let ((n (1+ (test-runner-aux-value runner)))
        (text (describe-error error)))
    (format port "~&not ok ~a - ~a~%" n
            (string-join (append (test-runner-group-path runner) '("error outside a case")) "/"))
    (comment port text)
    (format port "Bail out! ~a~%" (one-line (string-trim-right text)))
    (force-output port)
    ;; Guile 3.0.8 asks for the width of the terminal in a way that fails here if this is not set.
    (unless (getenv "COLUMNS")
      (setenv "COLUMNS" "120"))
    (display-backtrace (make-stack #t) (current-error-port))
    (force-output (current-error-port))
    (primitive-exit 1)))

(define (call-with-tap thunk)
  "Run the SRFI-64 cases in @var{thunk} with results as TAP on the standard output, and exit: with 0 if there were cases and
all passed.  An error outside a case, in a group or between groups, fails the program, and so does an exit before the end."
  (define port (current-output-port))
  (define runner (tap-runner port))
  (test-with-runner runner
    (with-exception-handler
        ;; Called where the error happened, so that the backtrace shows it.
        (lambda (error) (bail-out port runner error))
      thunk))
  (let ((n (test-runner-aux-value runner)))
    (when (zero? n)
      (format port "Bail out! no case was run~%")
      (force-output port)
      (primitive-exit 1))
    (format port "1..~a~%" n)
    (force-output port)
    (exit (zero? (+ (test-runner-fail-count runner)
                    (test-runner-xpass-count runner)
                    (test-runner-xfail-count runner))))))
