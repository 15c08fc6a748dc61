;; SPDX-License-Identifier: LGPL-3.0-or-later
;; How far a map has come: on a terminal a bar, which is drawn again no more often than the eye can follow, and never takes more than one
;; line; elsewhere, in a pipe or a log file, a line now and then; an application that runs the script is told.  Inside of tasks nothing:
;; there may be thousands.
(define-module (tutti pool progress)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (tutti base lock)
  #:use-module (tutti base log)
  #:use-module (tutti base primitives)
  #:use-module (tutti base seconds)
  #:use-module (tutti base session)
  #:use-module (tutti base terminal)
  #:use-module (tutti conditions)
  #:use-module (tutti pool progress-text)
  #:use-module (tutti pool wait)
  #:use-module (tutti worker answer)
  #:export (progress-port progress-interval make-progress progress-update! progress-end! drawing-interval))

(define progress-port (make-parameter (current-error-port) (checked-log-port "progress-port")))
(set-object-property! progress-port 'documentation
                         "The port on which a map shows how far it is: by a bar if it is a terminal, else by a line every
@code{(progress-interval)} seconds; @code{#f}: nowhere.  Solvers write a line for each iteration to it.")

;;; Settings.

(define usual-interval 10)

(define setting (getenv "TUTTI_PROGRESS_INTERVAL"))

;; Seconds; #f: never; wrong: the variable has neither.
(define set-interval
  (let ((n (and setting (false-if-error (string->number setting)))))
    (cond ((not setting) usual-interval)
          ((string=? setting "never") #f)
          ((and (real? n) (positive? n)) n)
          (else 'wrong))))

(define progress-interval
  (make-parameter (if (eq? set-interval 'wrong) usual-interval set-interval)
                  (lambda (seconds) (seconds-allowed seconds "progress-interval"))))
(set-object-property! progress-interval 'documentation
                         "After how many seconds a map writes the next line about how far it is, where the @code{progress-port} is no
terminal; @code{#f}: never.  It is what @env{TUTTI_PROGRESS_INTERVAL} says, a number of seconds or @samp{never}; otherwise 10.")

(define warned? #f)

(define (warn-of-setting)
  ;; Once, and only where it matters.
  (when (and (eq? set-interval 'wrong) (not warned?))
    (set! warned? #t)
    (write-beside (current-error-port)
                  (format #f "tutti: warning: TUTTI_PROGRESS_INTERVAL is ~s, expected a positive number of seconds, or never; ~a is used~%"
                          setting usual-interval))))

(define drawing-interval 0.1)           ; seconds between two pictures

;;; One progress.

(define-record-type <progress>
  (%make-progress port terminal? tell label total start done shown-at number seen-at)
  progress?
  (port port-of set-port!)               ; #f: nothing is shown
  (terminal? on-terminal?)
  (tell tell-of)                        ; who is told instead, or #f
  (label label)                         ; string or #f
  (total total)
  (start start)
  (done done set-done!)
  (shown-at shown-at set-shown-at!)     ; #f: not yet
  (number number set-number!)           ; by which those who look know it; #f: it is too young, or over
  (seen-at seen-at set-seen-at!))       ; when these were told last

(define* (make-progress total #:optional label)
  "Return the progress of something that has @var{total} items and is called @var{label}, a string or @code{#f}, and starts now."
  (let* ((port (and (not (current-worker-index)) (progress-port)))
         (port (and port (not (port-closed? port)) port))
         (terminal? (and port (terminal? port)))
         (tell (and port (eq? port (session-port (current-session))) (session-progress (current-session)))))
    (when (and port (not terminal?) (not tell)) (warn-of-setting))
    (%make-progress port terminal? tell label total (now) 0 #f #f 0)))

(define (give-up-if problem progress)
  ;; Where progress cannot be shown, the work goes on without it.
  (when problem (set-port! progress #f)))

;;; Bars.  Those on one terminal share its line.

(define bars '())                       ; those that are shown, in the order in which they began
(define bars-lock (make-shared-mutex))

(define (draw-bars! port time)
  "Draw all bars of PORT, and return the condition if that is impossible."
  (let ((ours (filter (lambda (bar) (eq? (port-of bar) port)) bars)))
    (if (null? ours)
        (erase-beside! port)
        (draw-beside port
                     (bars->line (map (lambda (bar) (list (label bar) (done bar) (total bar) (- time (start bar)))) ours)
                                 ;; In the last column the cursor of some terminals goes on to the next line.
                                 (1- (terminal-columns port)))))))

(define (update-bar! bar time)
  (when (or (not (shown-at bar))
            (> (- time (shown-at bar)) drawing-interval)
            ;; Lines have taken its place.
            (not (drawn-beside? (port-of bar))))
    (with-mutex bars-lock
      (unless (memq bar bars)
        (set! bars (append bars (list bar))))
      (set-shown-at! bar time)
      (give-up-if (draw-bars! (port-of bar) time) bar))))

(define (end-bar! bar)
  (with-mutex bars-lock
    (set! bars (delq bar bars))
    (draw-bars! (port-of bar) (now))))

;;; Lines.

(define (text-of progress ->text time)
  (->text (label progress) (done progress) (total progress) (- time (start progress))))

(define (update-line! progress time)
  (let ((interval (progress-interval)))
    (when (and interval
               (> (- time (or (shown-at progress) (start progress))) interval)
               ;; The last line reports that all is done.
               (< (done progress) (total progress)))
      (set-shown-at! progress time)
      (give-up-if (write-beside (port-of progress)
                                (text->line (text-of progress progress->text time)))
                  progress))))

(define (end-line! progress)
  (write-beside (port-of progress) (text->line (text-of progress end->text (now)))))

;;; Who is told.  It is called with the progress, of which no more is known than that it is the same as before, how many items are done and
;; how many there are, and a text.

(define (tell! progress ->text time)
  (set-shown-at! progress time)
  ((tell-of progress) progress (done progress) (total progress) (text-of progress ->text time)))

(define (update-told! progress time)
  (when (> (- time (or (shown-at progress) (start progress))) drawing-interval)
    (tell! progress progress->text time)))

;;; Those who look at the job from elsewhere, now or later: the engine keeps what it was told last.

(define (show-elsewhere! progress done time over?)
  (set-seen-at! progress time)
  (unless (number progress)
    (set-number! progress (%next-progress)))
  ;; Their clock began at another time.
  (%show-progress! (number progress) (label progress) done (total progress) 0
                   (- (%monotonic-time) (seconds->microseconds (- time (start progress)))) over?))

;;; All.

(define (progress-update! progress done)
  "Show that @var{done} items are done, if it is time for that."
  (let ((time (now)))
    (when (> (- time (max (seen-at progress) (start progress))) drawing-interval)
      (show-elsewhere! progress done time #f)))
  (when (port-of progress)
    (set-done! progress done)
    (let ((time (now)))
      ;; What is over at once needs no bar.
      (when (> (- time (start progress)) drawing-interval)
        (cond ((tell-of progress) (update-told! progress time))
              ((on-terminal? progress) (update-bar! progress time))
              (else (update-line! progress time)))))))

(define (progress-end! progress done)
  "End @var{progress}, with @var{done} items done: a bar goes away, so that the terminal is as it was; to lines, if there are any, comes a
last one.  It may have ended before."
  (when (number progress)
    (show-elsewhere! progress done (now) #t)
    (set-number! progress #f))
  (when (and (port-of progress) (shown-at progress))
    (set-done! progress done)
    (cond ((tell-of progress) (tell! progress end->text (now)))
          ((on-terminal? progress) (end-bar! progress))
          (else (end-line! progress))))
  (set-port! progress #f))
