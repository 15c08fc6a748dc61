;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Scripts that use models behind HTTP, as programs: Ctrl-C, and what the environment says.
(use-modules (tap) (programs) (umbridge-servers) (srfi srfi-1) (srfi srfi-64))

(define (script folder . forms)
  (let ((file (string-append folder "/script.scm")))
    (call-with-output-file file (lambda (port) (for-each (lambda (form) (write form port)) forms)))
    file))

(define (test-interrupt url)
  (call-with-folder
   (lambda (folder)
     (for-each
      (lambda (name urls)
        (define file
          (script folder `(use-modules (tutti) (tutti umbridge) (srfi srfi-4))
                  `(define op (umbridge-operator ,url "scale" #:config '((mode . ,name))))
                  '(begin (display "hanging\n") (force-output))
                  '(evaluate op (make-f64vector 10 1.))))
        (let ((terminal (run-on-terminal (list tutti "run" file) '((expect 60 "hanging") (interrupt) (exit 60)))))
          (test-equal (format #f "Ctrl-C, ~a" name) '((signal 2) #t)
                      (list (terminal-end terminal) (< (step-milliseconds (last (terminal-steps terminal))) 5000)))))
      '(silent dribble) '(1 2)))))

(define (test-environment url)
  (call-with-folder
   (lambda (folder)
     (let* ((file (script folder `(use-modules (tutti) (tutti umbridge) (srfi srfi-4))
                          `(display (evaluate (umbridge-operator ,url "scale" #:config '((n . 1))) (f64vector 7.)))))
            (proxy "http://127.0.0.1:1/")
            (program (run-program (list tutti "run" file)
                                  #:env (map (lambda (name) (string-append name "=" proxy))
                                             '("http_proxy" "HTTP_PROXY" "all_proxy" "https_proxy")))))
       (test-equal "proxies are not asked" "#f64(7.0)" (program-output program))))))

(skip-without-servers)

(call-with-tap
  (lambda ()
    (call-with-servers '()
      (lambda (urls)
        (test-interrupt (car urls))
        (test-environment (car urls))))))
