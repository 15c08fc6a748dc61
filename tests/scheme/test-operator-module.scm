;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The example of an operator module is compiled as its first comment says, and is right.
(use-modules (tap)
             (vectors)
             (tutti conditions)
             (tutti operator)
             (tutti vector)
             (ice-9 exceptions)
             (ice-9 rdelim)
             (srfi srfi-1)
             (srfi srfi-4)
             (srfi srfi-64))

(define source (string-append (getenv "TUTTI_SOURCE_DIR") "/examples/operator-module/decay.c"))

(define (command-in-comment)
  "Return the command to compile with, which the file gives."
  (call-with-input-file source
    (lambda (port)
      (let loop ((line (read-line port)))
        (cond ((eof-object? line) (error "no command in" source))
              ((string-contains line " cc -shared") => (lambda (start) (substring line (1+ start))))
              (else (loop (read-line port))))))))

(define (replace text from to)
  (let ((at (string-contains text from)))
    (if at
        (string-append (substring text 0 at) to (substring text (+ at (string-length from))))
        (error "not in the command:" from text))))

(define (compile folder)
  "Compile the example in @var{folder}; return the module's file, or @code{#f}."
  ;; What is not installed is not found by pkg-config.
  (let ((command (replace (replace (command-in-comment) "decay.c" source) "$(pkg-config --cflags tutti)"
                          (string-append "-I" (getenv "TUTTI_SOURCE_DIR") "/engine/include"))))
    (and (zero? (system (string-append "cd " folder " && " command " -Wall -Wextra -Werror")))
         (string-append folder "/decay.so"))))

(define (derivative-at op x)
  (call-with-values (lambda () (linearize op x)) (lambda (y derivative) derivative)))

(define (message-of thunk)
  (with-exception-handler exception-message thunk #:unwind? #t))

(define folder (mkdtemp (string-append (or (getenv "TMPDIR") "/tmp") "/test-operator-module-XXXXXX")))

(dynamic-wind
  (const #t)
  (lambda ()
    (call-with-tap
     (lambda ()
       (test-assert "compiles without a warning" (compile folder))
       (let* ((op (native-operator (string-append folder "/decay.so") "decay" #:times '(0 1 2.5)))
              (point (f64vector 3 0.5))
              (derivative (derivative-at op point)))
         (test-assert "evaluate" (close? (evaluate op point) (f64vector 3 (* 3 (exp -0.5)) (* 3 (exp -1.25))) 1e-15))
         (test-assert "derivative"
           (let* ((h (f64vector 0.7 -0.3))
                  (difference (lambda (step) (vec- (evaluate op (vec+ point (vec-scale step h)))
                                                   (evaluate op (vec+ point (vec-scale (- step) h)))))))
             (close? (evaluate derivative h) (vec-scale 5e4 (difference 1e-5)) 1e-9)))
         (test-assert "adjoint"
           (same-dot? (lambda (h) (evaluate derivative h)) (lambda (y) (apply-adjoint derivative y)) (random-real 2) (random-real 3)))
         (test-assert "a derivative stays where it was taken"
           (let ((before (evaluate derivative (f64vector 1 1))))
             (linearize op (f64vector 8 8))
             (equal? before (evaluate derivative (f64vector 1 1)))))
         (test-equal "what it refuses to evaluate"
           "operator 'decay decay', evaluate: with a = 1 and b = -1000, the value at time 1 is inf"
           (message-of (lambda () (evaluate op (f64vector 1 -1000)))))
         (test-equal "what it refuses to be made of"
           "operator 'decay decay', create: 'times' are missing, expected at least one"
           (message-of (lambda () (native-operator (string-append folder "/decay.so") "decay"))))))))
  (lambda ()
    (system* "rm" "-rf" folder)))
