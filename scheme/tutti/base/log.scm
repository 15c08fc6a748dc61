;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Lines about a job, for people who watch it: workers' output, warnings, progress.  They are not the job's result, so the job goes on where
;; they cannot be written, on a full disk or a terminal that has gone.  Lost lines are counted, and their number is written when that is
;; possible.  A line that is drawn on a terminal again and again stands below all others.
(define-module (tutti base log)
  #:use-module (ice-9 binary-ports)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 format)
  #:use-module ((ice-9 threads) #:select (with-mutex make-recursive-mutex))
  #:autoload (ice-9 iconv) (string->bytevector)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-9)
  #:use-module (tutti base session)
  #:use-module (tutti base terminal)
  #:use-module (tutti conditions)
  #:export (checked-log-port write-beside write-line-beside draw-beside drawn-beside? erase-beside! port->text write-problem->text
            call-at-end! call-ends))

(define (checked-log-port name)
  "Return the converter of the parameter @var{name}, a string, which is an output port or @code{#f}."
  (lambda (port)
    (unless (or (not port) (and (port? port) (or (output-port? port) (port-closed? port))))
      (scm-error 'wrong-type-arg name "expected an output port or #f, got ~S" (list port) (list port)))
    port))

(define (encoded text port)
  (let ((encoding (or (port-encoding port) "UTF-8")))
    (if (string=? encoding "UTF-8")
        (string->utf8 text)
        (string->bytevector text encoding 'substitute))))

(define (write-at-once port text)
  (with-exception-handler
      (lambda (exception)
        (if (interruption? exception) (raise-exception exception) exception))
    (lambda ()
      ;; Bytes go in one piece also through a port without a buffer, so that lines stay together where others write as well; and of text
      ;; that could not be written such a port keeps a part, by which it cannot be written to ever after.
      (put-bytevector port (encoded text port))
      (force-output port)
      #f)
    #:unwind? #t))

;;; Lines that are drawn.

;; By port, how many columns the line takes that stands on this terminal now.
(define drawings (make-weak-key-hash-table))

;; Several threads may write.
(define one-at-a-time (make-recursive-mutex))

(define (drawn-beside? port)
  "Return true if a line stands on the terminal @var{port} that was drawn there."
  (->bool (hashq-ref drawings port)))

(define (draw-beside port line)
  "Draw @var{line} on the terminal @var{port}, in place of what was drawn there before, and below all other lines.  It must be shorter
than the terminal is wide.  Return @code{#f}, or the condition if it cannot be written."
  (with-mutex one-at-a-time
    (let ((before (hashq-ref drawings port 0)))
      (hashq-set! drawings port (text-columns line))
      (write-at-once port (line->drawing line (terminal-columns port) before)))))

(define (erase-beside! port)
  "Take away the line that was drawn on the terminal @var{port}, if there is one."
  (with-mutex one-at-a-time
    (let ((before (hashq-ref drawings port)))
      (when before
        (hashq-remove! drawings port)
        (unless (port-closed? port)
          (write-at-once port (erasure (terminal-columns port) before)))))))

(define (write-beside port text)
  "Write @var{text}, whole lines, to @var{port} and flush that; lines that are drawn somewhere are taken away first, as terminals may have
several ports.  Return @code{#f}, or the condition if it cannot be written."
  (with-mutex one-at-a-time
    (for-each erase-beside! (hash-map->list (lambda (port columns) port) drawings))
    (write-at-once port text)))

;;; Lines that were lost.

;; By port, the number of lost lines that has not been written yet.
(define losses (make-weak-key-hash-table))

(define-record-type <loss>
  (make-loss count reason)
  loss?
  (count loss-count set-loss-count!)
  (reason loss-reason))

(define (write-problem->text exception)
  "Return the reason that @var{exception}, raised by writing, gives."
  (let ((args (exception-args exception)))
    (cond ((eq? (exception-kind exception) 'system-error) (strerror (system-error-errno (cons 'system-error args))))
          (else (condition->string exception)))))

(define (port->text port)
  "Return the name of @var{port} in messages."
  (case (false-if-exception (port->fdes port))
    ((1) "the standard output")
    ((2) "the standard error")
    (else (or (and=> (false-if-exception (port-filename port)) (lambda (name) (format #f "~a" name)))
              (object->string port)))))

(define (note-loss! port exception)
  "Count a line that was lost on PORT.  A message on the error port says so for the first one, unless that port has failed."
  (let ((loss (hashq-ref losses port))
        (errors (current-error-port)))
    (cond (loss (set-loss-count! loss (1+ (loss-count loss))))
          (else
           (let ((reason (write-problem->text exception)))
             (hashq-set! losses port (make-loss 1 reason))
             (unless (eq? port errors)
               (write-beside errors (format #f "tutti: warning: lines of workers cannot be written to ~a and are lost: ~a~%"
                                            (port->text port) reason))))))))

(define (write-line-beside port line)
  "Write the text @var{line} and a newline to @var{port} and return true; behind the number of those that could not be written before it.
If it cannot be written either, it is counted with these."
  (let* ((loss (hashq-ref losses port))
         (text (if loss
                   (format #f "[workers] ~a line~:p could not be written: ~a~%~a~%" (loss-count loss) (loss-reason loss) line)
                   (string-append line "\n")))
         (problem (write-beside port text)))
    (if problem
        (note-loss! port problem)
        (when loss (hashq-remove! losses port)))
    (not problem)))

;;; The end of the session.

(define ends (make-session-variable '()))

(define (call-at-end! thunk)
  "Call @var{thunk}, which summarises the whole job, when the current session ends, as it does with the program."
  (ends (cons thunk (ends))))

(define (call-ends)
  "Call the procedures that @code{call-at-end!} has registered in the current session, in their order, once."
  (let ((thunks (reverse (ends))))
    (ends '())
    (for-each (lambda (thunk) (thunk)) thunks)))
