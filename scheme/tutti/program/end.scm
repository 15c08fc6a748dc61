;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The end of Tutti's programs: no output is lost silently, and when nobody reads the output any more a program ends quietly, like those
;; that SIGPIPE ends.
(define-module (tutti program end)
  #:use-module (ice-9 exceptions)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base log)
  #:use-module (tutti base primitives)
  #:export (call-as-program flush-output output-unread?))

;;; Readers that have gone.  Where SIGPIPE has its default action it has ended the process before anybody gets here.

(define (system-errno exception)
  (and (exception? exception)
       (eq? (exception-kind exception) 'system-error)
       (system-error-errno (cons 'system-error (exception-args exception)))))

(define (output-unread? exception)
  "Return true if @var{exception} means that nobody reads the standard output or error of this process any more.  A pipe of the
script's own is another matter."
  (and (eqv? (system-errno exception) EPIPE)
       (or (%unread? 1) (%unread? 2))))

;;; What has not been passed on to the system at the end.

(define (descriptor-of port)
  (false-if-exception (port->fdes port)))

(define (call-with-problem port thunk)
  ;; Of any kind of port: one with procedures of the script may raise anything.
  (with-exception-handler
      (lambda (exception) (cons port exception))
    (lambda () (thunk) #f)
    #:unwind? #t))

(define (flush port)
  (and (output-port? port)
       (not (port-closed? port))
       (call-with-problem port
         (lambda ()
           (force-output port)
           (let ((errno (or (and=> (descriptor-of port) %close-errno) 0)))
             (unless (zero? errno)
               (scm-error 'system-error "close" "~A" (list (strerror errno)) (list errno))))))))

(define (all-ports)
  (let ((ports '()))
    (port-for-each (lambda (port) (set! ports (cons port ports))))
    ports))

(define (tell port exception)
  "Say that @var{port} could not be written, unless nobody would read it anyway."
  (unless (output-unread? exception)
    (false-if-exception
     (begin
       (format (current-error-port) "tutti: cannot write to ~a: ~a~%" (port->text port) (write-problem->text exception))
       (force-output (current-error-port))))))

(define (final-status status)
  "Flush all ports, whatever becomes of any of them, say what failed, and return the status to exit with instead of @var{status}."
  (call-ends)
  (let ((problems (filter-map flush (all-ports))))
    (for-each (lambda (problem) (tell (car problem) (cdr problem))) problems)
    (let ((status (if (and (pair? problems) (zero? status)) 1 status)))
      ;; Those who look at the job see how it has ended.
      (%fact! "exit status" (number->string status))
      status)))

(define (flush-output)
  "Flush the current output port; return true if that works.  If not, say why."
  (let ((problem (flush (current-output-port))))
    (when problem
      (tell (car problem) (cdr problem)))
    (not problem)))

;;; The program.

(define (call-as-program thunk)
  "Call @var{thunk}, which is all that this process does, and exit; with 1 if output could not be written, unless the status is an error
already."
  (let ((tag (make-prompt-tag "program")))
    (%at-exit! final-status)
    (call-with-prompt tag
      (lambda ()
        (with-exception-handler
            (lambda (exception)
              (if (output-unread? exception)
                  (abort-to-prompt tag)
                  (raise-exception exception)))
          thunk)
        (exit 0))
      (lambda (_) (exit 1)))))
