;; SPDX-License-Identifier: LGPL-3.0-or-later
;; A bar that shows how far a map has come: only on a terminal, and never more often than the eye can follow.
(define-module (tutti progress)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-9)
  #:use-module (tutti log)
  #:use-module (tutti wait)
  #:export (progress-port make-progress progress-update! progress-clear! progress-interval))

(define progress-port (make-parameter (current-error-port) (checked-log-port "progress-port")))
(set-object-property! progress-port 'documentation
                         "The port on which a map shows its progress if it is a terminal; @code{#f}: nowhere.")

(define progress-interval 0.1)          ; seconds between two pictures

(define-record-type <progress>
  (%make-progress port total start shown-at)
  progress?
  (port progress-bar-port set-progress-bar-port!) ; #f: nothing is shown
  (total progress-total)
  (start progress-start)
  (shown-at progress-shown-at set-progress-shown-at!))

(define (make-progress total)
  "Return a bar for @var{total} items, which starts now."
  (let ((port (progress-port)))
    (%make-progress (and port (not (port-closed? port)) (isatty? port) port) total (now) #f)))

(define (seconds->text seconds)
  (let ((s (inexact->exact (ceiling seconds))))
    (cond ((< s 60) (format #f "~a s" s))
          ((< s 3600) (format #f "~d:~2,'0d min" (quotient s 60) (remainder s 60)))
          (else (format #f "~d:~2,'0d h" (quotient s 3600) (quotient (remainder s 3600) 60))))))

(define width 30)

(define (bar-text done total elapsed)
  (let* ((filled (if (zero? total) width (quotient (* width done) total)))
         (rate (if (positive? elapsed) (/ done elapsed) 0)))
    (format #f "[~a~a] ~a/~a~a~a"
            (make-string filled #\=) (make-string (- width filled) #\space) done total
            (if (positive? rate) (format #f "  ~,1f/s" rate) "")
            (if (and (positive? rate) (< done total))
                (string-append "  " (seconds->text (/ (- total done) rate)) " left")
                ""))))

(define (show! progress text)
  ;; Where it cannot be shown the bar is given up.
  (when (write-beside (progress-bar-port progress) text)
    (set-progress-bar-port! progress #f)))

(define (progress-update! progress done)
  "Show that @var{done} items are done, if it is time for that."
  (let ((port (progress-bar-port progress))
        (time (now)))
    (when (and port
               ;; What is over at once needs no bar.
               (> (- time (progress-start progress)) progress-interval)
               (or (not (progress-shown-at progress))
                   (> (- time (progress-shown-at progress)) progress-interval)))
      (set-progress-shown-at! progress time)
      (show! progress (string-append "\r" (bar-text done (progress-total progress) (- time (progress-start progress))) "\x1b[K")))))

(define (progress-clear! progress)
  "Take the bar away, so that other lines can be written."
  (when (and (progress-bar-port progress) (progress-shown-at progress))
    (show! progress "\r\x1b[K")
    (set-progress-shown-at! progress #f)))
