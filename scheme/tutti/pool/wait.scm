;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Waiting for the engine: one loop, which passes output on and reacts to Ctrl-C.
(define-module (tutti pool wait)
  #:use-module (ice-9 match)
  #:use-module (tutti base interrupt)
  #:use-module (tutti base log)
  #:use-module (tutti base primitives)
  #:autoload (tutti launcher events) (take-events!)
  #:use-module (tutti pool deaths)
  #:use-module (tutti pool spills)
  #:use-module (tutti pool type)
  #:export (worker-output-port drain-last-output! wait-until wait-briefly now))

(define worker-output-port (make-parameter (current-error-port) (checked-log-port "worker-output-port")))
(set-object-property! worker-output-port 'documentation
                         "The port to which workers' lines are written, each marked with the worker's index; @code{#f}: nowhere.
Those that cannot be written are counted, and the job goes on; those that come too fast are in files, see @code{make-pool}.")

(define (now)
  "Return the time in seconds since an arbitrary point."
  (/ (exact->inexact (get-internal-real-time)) internal-time-units-per-second))

(define (marked who text)
  (match who
    ((index . node) (string-append "[worker " (number->string index) " on " node "] " text))
    (index (string-append "[worker " (number->string index) "] " text))))

(define (drain-output! pool)
  "Write what the workers of @var{pool} have written to the @code{worker-output-port}, and which of them have died to the
@code{death-port}; and tell what has happened to its nodes."
  (and=> (pool-cluster pool) take-events!)
  (let ((port (worker-output-port))
        (handle (pool-handle pool)))
    (define (show line)
      (when port
        (write-line-beside port line)))
    (let loop ()
      (match (%pool-take-output! handle port)
        (#f #t)
        (('spill . report)
         (for-each show (spill->lines! pool report))
         (loop))
        ((who _ . text)
         (show (marked who text))
         (loop))
        (death
         (tell-death pool death)
         (loop))))))

(define (drain-last-output! pool)
  "Do as @code{drain-output!} for @var{pool}, which is closed; then say where lines are that came too fast to be shown."
  (drain-output! pool)
  (let ((port (worker-output-port))
        (totals (spill-totals! pool)))
    (when port
      (for-each (lambda (line) (write-line-beside port line)) totals))))

(define (call-with-wakeup pools proc)
  (let ((wakeup #f))
    (dynamic-wind
      (lambda ()
        (set! wakeup (%make-wakeup))
        (for-each (lambda (pool) (%pool-add-wakeup! (pool-handle pool) wakeup)) pools))
      (lambda () (proc wakeup))
      (lambda ()
        (for-each (lambda (pool) (%pool-remove-wakeup! (pool-handle pool) wakeup)) pools)
        (%close-wakeup wakeup)))))

(define (poll-until done? handle deadline)
  ;; A sleeping thread wakes up some 50 µs later than it could go on, and a small task takes less than that: so each wait begins with
  ;; polling, for as long as the engine has found that to be worth it.
  (let loop ((ended (%engine-ended-count handle)))
    (or (done?)
        (and (%engine-poll handle ended (and deadline (inexact->exact (round (* 1e6 (max 0 (- deadline (now))))))))
             (loop (%engine-ended-count handle))))))

(define (wait-briefly done? pool)
  "Poll until @var{done?} returns true, and return that, or until the polling with which each wait begins would end, and return @code{#f}:
the first part of a wait in @var{pool} alone, for callers who cannot afford what @code{wait-until} sets up."
  (let ((value (poll-until done? (pool-handle pool) #f)))
    (when value (drain-output! pool))
    value))

(define* (wait-until done? pools #:key deadline (tick (const #t)) interval)
  "Wait until @var{done?} returns true, and return that; or until the time @var{deadline}, and return @code{#f}. @var{done?} is called
whenever something has changed in one of @var{pools}. @var{tick} is called then as well, and after as many seconds as @var{interval}
returns, a procedure that is asked each time."
  (define (pass-output-on)
    (for-each drain-output! pools))
  (define (settled)
    (let ((value (done?)))
      ;; Output that was written before it was done is shown before the caller goes on.
      (when value
        (for-each (lambda (pool) (%pool-read-output! (pool-handle pool))) pools)
        (pass-output-on))
      value))
  (define (poll)
    (pass-output-on)
    (tick)
    (settled))
  (define (patience)
    ;; What happens to nodes may wake up nobody.
    (let ((limits (filter real? (list (and deadline (max 0 (- deadline (now))))
                                      (and interval (interval))
                                      (and (or-map pool-cluster pools) 1)))))
      (and (pair? limits) (apply min limits))))
  ;; Whenever something of a wait is on the terminal, Ctrl-C already ends the wait.
  (or (and (if (null? pools) (done?) (poll-until done? (pool-handle (car pools)) deadline)) (settled))
      (call-with-interrupts
       (lambda ()
         ;; The wakeup descriptor is there before DONE? is asked: a change after that wakes this thread.
         (call-with-wakeup pools
           (lambda (wakeup)
             (let loop ()
               (or (poll)
                   (and (not (and deadline (>= (now) deadline)))
                        (begin
                          (%wakeup-wait wakeup (patience))
                          (loop)))))))))))
