;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Python as another reader and writer of files: the system's own, whose packages bootstrap installs, or $TUTTI_PYTHON.
(define-module (pythons)
  #:use-module (ice-9 popen)
  #:use-module (ice-9 textual-ports)
  #:use-module (programs)
  #:use-module (tap)
  #:export (python python-has? run-python skip-without-python))

(define python (or (getenv "TUTTI_PYTHON") "/usr/bin/python3"))

(define (python-has? module)
  "Return true if Python can import @var{module}, a string."
  (and (file-exists? python)
       (zero? (program-status (run-program (list python "-c" (string-append "import " module)))))))

(define (run-python . lines)
  "Return what the program of @var{lines} prints; if it fails, what it says about that."
  (let ((program (run-program (list python "-c" (string-join lines "\n")) #:env '("PYTHONIOENCODING=utf-8"))))
    (if (eqv? 0 (program-status program))
        (program-output program)
        (program-errors program))))

(define (skip-without-python name module thunk)
  "Call @var{thunk} if Python has @var{module}; otherwise the case @var{name} is skipped."
  (if (python-has? module)
      (thunk)
      (tap-skip name (string-append module " is not installed for " python))))
