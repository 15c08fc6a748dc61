;; SPDX-License-Identifier: LGPL-3.0-or-later
;; For tests of (tutti python): where models are, and what is said of them.
(define-module (python-models)
  #:use-module (tap)
  #:use-module (programs)
  #:use-module (ice-9 exceptions)
  #:use-module (srfi srfi-1)
  #:use-module (tutti)
  #:export (model-file call-with-python-tap says? text-of outcome))

(define (model-file name)
  "Return the absolute name of the file @var{name} of Python for tests."
  (string-append (getenv "TUTTI_SOURCE_DIR") "/tests/data/python/" name))

(define (call-with-python-tap modules thunk)
  "Run the tests of @var{thunk}, unless there is no Python, or one without one of @var{modules}: then all is skipped, visibly."
  (let* ((python (getenv "TUTTI_PYTHON"))
         (missing (and (file-exists? python)
                       (find (lambda (module)
                               (not (zero? (program-status (run-program (list python "-c" (string-append "import " module)))))))
                             modules))))
    (cond ((not (file-exists? python)) (tap-skip-all (string-append "there is no " python)))
          (missing (tap-skip-all (string-append python " has no " missing)))
          (else (call-with-tap thunk)))))

(define (outcome thunk)
  "Return what @var{thunk} raises, or the list of its value."
  (with-exception-handler identity (lambda () (list (thunk))) #:unwind? #t))

(define (text-of thunk)
  "Return the text of the condition that @var{thunk} raises; of anything else, that."
  (let ((raised (outcome thunk)))
    (if (exception? raised) (condition->string raised) raised)))

(define (says? thunk . parts)
  "Return true if @var{thunk} raises a condition whose text has all @var{parts}; else print what there was."
  (let ((text (text-of thunk)))
    (or (and (string? text) (every (lambda (part) (string-contains text part)) parts) #t)
        (begin
          (format #t "# expected ~s in: ~s~%" parts text)
          #f))))
