;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Death certificates: what is known about a dead worker.
(define-module (tutti certificate)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (tutti base primitives)
  #:use-module (tutti base text)
  #:export (make-certificate certificate? certificate-reason certificate-status certificate-signal certificate-stderr
            certificate-task certificate-peak-memory certificate-worker certificate-pid certificate-input-size certificate-detail
            certificate-node certificate-core-dumped? certificate-elsewhere? certificate->string))

(define-record-type <certificate>
  (%make-certificate reason status signal stderr task peak-memory worker pid input-size detail node core-dumped?)
  certificate?
  (reason certificate-reason)             ; symbol or string: why it ended
  (status certificate-status)             ; exit status, or #f
  (signal certificate-signal)             ; number of the signal that ended it, or #f
  (stderr certificate-stderr)             ; list of its last lines, oldest first
  (task certificate-task)                 ; what it was doing, or #f
  (peak-memory certificate-peak-memory)   ; bytes, or #f
  (worker certificate-worker)             ; its index in the pool, or #f
  (pid certificate-pid)                   ; or #f
  (input-size certificate-input-size)     ; of its task, bytes with vectors, or #f
  (detail certificate-detail)             ; what else is known of the reason, a string, or #f
  (node certificate-node)                 ; the name of the host where it ran, or #f
  (core-dumped? certificate-core-dumped?)) ; whether the kernel made a core file of it

(set-record-type-printer! <certificate>
  (lambda (certificate port)
    (format port "#<certificate~a ~a~a>"
            (if (certificate-worker certificate) (format #f " of worker ~a," (certificate-worker certificate)) "")
            (certificate-reason certificate)
            (if (certificate-task certificate) (format #f " in task ~a" (certificate-task certificate)) ""))))

(define-syntax-rule (document (procedure text) ...)
  (begin (set-object-property! procedure 'documentation text) ...))

(document
 (certificate? "Return true if the argument is the death certificate of a worker.")
 (certificate-reason "Return why the worker ended, a symbol; the chapter on errors lists them.")
 (certificate-status "Return the exit status of the worker, or @code{#f} if a signal ended it or nobody knows.")
 (certificate-signal "Return the number of the signal that ended the worker, or @code{#f}.")
 (certificate-stderr "Return the list of the last lines that the worker wrote to its standard error, oldest first.")
 (certificate-task "Return the number of the task that the worker was running, or @code{#f}.")
 (certificate-peak-memory "Return the most memory that the worker had at a time, in bytes, or @code{#f}.")
 (certificate-worker "Return the index of the worker in its pool, or @code{#f}.")
 (certificate-pid "Return the process identifier of the worker, or @code{#f}.")
 (certificate-input-size "Return how many bytes were sent with the worker's task, arguments, code and vectors, or @code{#f}.")
 (certificate-detail "Return what else is known of the reason, a string, or @code{#f}.")
 (certificate-node "Return the name of the host on which the worker ran, a string, or @code{#f}.")
 (certificate-core-dumped? "Return true if the kernel has written a core file of the worker, or has handed one to a program; the chapter on
watching runs says where it is."))

(define* (make-certificate #:key (reason 'unknown) status signal (stderr '()) task peak-memory worker pid input-size detail node
                           core-dumped?)
  "Return the death certificate of a worker.  @var{stderr} is a list of its last lines or one string;
@var{peak-memory} and @var{input-size} are in bytes; @var{detail} and @var{node} are strings; @var{core-dumped?} is whether there
is a core file; what is not known is @code{#f}."
  (%make-certificate reason status signal (if (equal? stderr "") '() (lines stderr)) task peak-memory worker pid input-size
                     detail node core-dumped?))

(define (certificate-elsewhere? certificate)
  "Return true if the worker ran on another host than this one."
  (and (certificate-node certificate)
       (not (equal? (certificate-node certificate) (gethostname)))))

;; Without format, which would take longer than the news of the death: a thousand tasks may lose their workers.

(define (megabytes bytes)
  "Return @var{bytes} in MB with one decimal, as text."
  (let ((tenths (quotient (+ (inexact->exact (round bytes)) 50000) 100000)))
    (string-append (number->string (quotient tenths 10)) "." (number->string (remainder tenths 10)))))

(define (end->string reason status signal core-dumped?)
  ;; Whether it was an exit or a signal follows from the status or the signal.
  (string-join `(,@(if (or (and status (eq? reason 'exit)) (and signal (eq? reason 'signal))) '() (list (shown reason)))
                 ,@(if status (list (string-append "exit status " (shown status))) '())
                 ,@(if signal (list (%describe-signal signal)) '())
                 ,@(if core-dumped? (list "core dumped") '()))
               ", "))

(define (certificate->string certificate)
  "Return the text of @var{certificate}, several lines for a reader: which worker ended and how, what it was doing and with how
much of input, its peak memory, and the last lines of its standard error."
  (let ((worker (certificate-worker certificate))
        (pid (certificate-pid certificate))
        (task (certificate-task certificate))
        (input-size (certificate-input-size certificate))
        (detail (certificate-detail certificate))
        (memory (certificate-peak-memory certificate))
        (stderr (certificate-stderr certificate)))
    (define (if-known before value after)
      (if value (string-append before (shown value) after) ""))
    (join-lines
     (string-append "worker" (if-known " " worker "") (if-known " (pid " pid ")")
                    (if-known " on " (and (certificate-elsewhere? certificate) (certificate-node certificate)) "") " died: "
                    (end->string (certificate-reason certificate) (certificate-status certificate) (certificate-signal certificate)
                                 (certificate-core-dumped? certificate)))
     (and detail (string-append "  " (shown detail)))
     (and task (string-append "  it was running task " (shown task) (if-known ", whose inputs have " input-size " bytes")))
     (and memory (string-append "  peak memory: " (megabytes memory) " MB"))
     (if (null? stderr)
         "  it wrote nothing to its standard error"
         (cons "  the last lines of its standard error:" (indent stderr))))))
