;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Running the units of a stage, one task each: those that were done before, with the same configuration on the same input, are left
;; out; each is recorded when it is done, so that a stage that dies half-way redoes only the rest.
(define-module (tutti mt stage)
  #:use-module (ice-9 format)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (tutti base digest)
  #:use-module (tutti base documented)
  #:use-module (tutti conditions)
  #:use-module (tutti base interrupt)
  #:use-module (tutti pool)
  #:use-module (tutti pool progress)
  #:use-module (tutti mt configuration)
  #:use-module (tutti mt store)
  #:export (fingerprint-of
            call-with-stage-pool
            make-unit
            unit-name
            unit-complete?
            run-units
            stage-report?
            stage-report-stage
            stage-report-done
            stage-report-skipped
            stage-report-failed
            check-on-error
            attempt
            collect-units))

;;; What a unit depends on.

(define (fingerprint-of . parts)
  "Return the fingerprint of the values in @var{parts}, a string: equal for equal values, and for others most likely another."
  (digest->string (digest (string->utf8 (object->string parts write)))))

;;; Where a stage runs.

(define (check-workers who ncores)
  (unless (and (exact-integer? ncores) (positive? ncores))
    (raise-tutti (make-tutti-error (format #f "#:ncores: expected a number of workers, at least 1, or #f; got ~s" ncores)) who)))

(define (call-with-stage-pool who configuration section pool ncores proc)
  "Call @var{proc} with the pool for a stage and return its values.  That is @var{pool}, if it is given; else, if @var{ncores} is given, one
of so many workers for this stage; else the current pool; and if there is none, one of as many workers as @var{configuration} says for
@var{section}, a symbol."
  (cond (pool
         (unless (pool? pool)
           (scm-error 'wrong-type-arg (symbol->string who) "#:pool: expected a pool or #f, got ~S" (list pool) (list pool)))
         (proc pool))
        (ncores
         (check-workers who ncores)
         (call-with-pool ncores proc #:name (symbol->string who)))
        ((current-pool) => proc)
        (else
         (call-with-pool (or (configuration-ncores configuration section) 1) proc #:name (symbol->string who)))))

;;; Units.

;; A piece of work that is one task: PROCEDURE, exported by a module, of ARGUMENTS.
(define-record-type <unit>
  (%make-unit name folder key fingerprint files procedure arguments)
  unit?
  (name %unit-name)
  (folder unit-folder)                  ; where it is recorded, or #f: it is not
  (key unit-key)                        ; by this name
  (fingerprint unit-fingerprint)
  (files unit-files)                    ; what it writes: without them it is not complete
  (procedure unit-procedure)
  (arguments unit-arguments))

(define* (make-unit name procedure arguments #:key folder key fingerprint (files '()))
  "Return the unit that applies @var{procedure} to the list @var{arguments} and is called @var{name} in messages, a string such as
@samp{site S, measurement M, channel Hx}.  With @var{folder} it is recorded there under @var{key} with @var{fingerprint}; it is complete
while these agree and all of @var{files} are there."
  (%make-unit name folder key fingerprint files procedure arguments))

(define (unit-name unit)
  "Return the name of @var{unit} for messages."
  (%unit-name unit))

(define (unit-complete? unit)
  "Return true if @var{unit} was done before, with the same configuration on the same input."
  (and (unit-folder unit)
       (complete? (unit-folder unit) (unit-key unit) (unit-fingerprint unit))
       (every file-exists? (unit-files unit))))

(define (record-unit! unit)
  (when (unit-folder unit)
    (record-complete! (unit-folder unit) (unit-key unit) (unit-fingerprint unit))))

;;; Running them.

(define-record-type <stage-report>
  (make-stage-report stage done skipped failed)
  %stage-report?
  (stage %stage)
  (done %done)
  (skipped %skipped)
  (failed %failed))

(define (stage-report? x)
  "Return true if @var{x} is what a stage returns."
  (%stage-report? x))

(define-documented #:of report
  (stage-report-stage %stage
   "Return the name of the stage that @var{report} is about, a symbol.")
  (stage-report-done %done
   "Return the list of the names of the units that were done.")
  (stage-report-skipped %skipped
   "Return the list of the names of the units that were complete before.")
  (stage-report-failed %failed
   "Return the list of pairs of the name of a unit, or of a measurement that units could not be made for, and the condition by which it
has failed.  There are some only with @code{#:on-error 'collect}."))

;; The failure of a unit: the unit and the condition.
(define (failure-text condition)
  ;; The text of an error that was raised on purpose says everything; any other needs its place.
  (if (and (worker-error? condition) (eq? (worker-error-key condition) '%exception))
      (worker-error-message condition)
      (condition->string condition)))

(define (other-components condition)
  (define (misleading? component)
    (or (exception-with-kind-and-args? component) (message? component) (quit-exception? component)))
  (if (exception? condition)
      (remove misleading? (simple-exceptions condition))
      '()))

(define exception-with-kind-and-args? (exception-predicate &exception-with-kind-and-args))
(define message? (exception-predicate &message))

(define (named-failure stage unit condition more)
  "Return CONDITION, by which UNIT has failed as well as MORE others, with the unit's name in front of its text."
  (apply make-exception
         (make-tutti-error
          (format #f "~a failed at ~a: ~a~a" stage (unit-name unit) (failure-text condition)
                  (if (zero? more) "" (format #f "~%~a more unit~:p failed too; what is complete stays so" more))))
         (other-components condition)))

(define (raise-failure stage failures)
  "Raise the condition of the first of FAILURES, pairs of a unit and a condition."
  (match failures
    (((unit . condition) others ...)
     (raise-exception (named-failure stage unit condition (length others))))))

(define (submit-unit! pool unit)
  (when (unit-folder unit)
    (forget-complete! (unit-folder unit) (unit-key unit)))
  (apply pool-submit! pool (unit-procedure unit) (unit-arguments unit)))

(define (in-flight pool) (* 2 (pool-size pool)))

(define (unit-failure thunk)
  "Call @var{thunk}, which settles a unit.  Return @code{#f}, or the condition by which that unit has failed; exceptions that are not
about the unit are raised: those that end the program, and that of a pool without workers."
  (with-exception-handler
      (lambda (condition)
        (if (or (interruption? condition) (pool-closed-error? condition))
            (raise-exception condition)
            condition))
    (lambda () (thunk) #f)
    #:unwind? #t))

(define (wait-for-any tasks tick)
  "Return the one of TASKS that ends first.  Meanwhile call TICK again and again."
  (let ((task (with-exception-handler (const #f)
                (lambda () (task-wait-any tasks drawing-interval))
                #:unwind? #t #:unwind-for-type &wait-timeout)))
    (or task
        (begin
          (tick 0)
          (wait-for-any tasks tick)))))

(define (run-all! pool units settle! tick)
  "Run UNITS, and call SETTLE! with each and its value as they are done, and TICK, as time passes, with how many have ended since the
last call.  Return the list of pairs of a unit that failed and its condition, in the order of UNITS: what other units do does not
depend on a failure."
  (define running '())                  ; pairs of a task and its unit, the newest first
  (define (room?)
    (and (< (length running) (in-flight pool))
         (not (any (lambda (entry) (task-done? (car entry))) running))))
  (define (loop waiting failed)
    (cond
     ((and (pair? waiting) (room?))
      (set! running (acons (submit-unit! pool (car waiting)) (car waiting) running))
      (loop (cdr waiting) failed))
     ((null? running)
      (filter-map (lambda (unit) (assq unit failed)) units))
     (else
      (let* ((task (wait-for-any (reverse (map car running)) tick))
             (unit (assq-ref running task))
             (condition (unit-failure (lambda () (settle! unit (task-wait task))))))
        (set! running (alist-delete task running eq?))
        (tick 1)
        (loop waiting (if condition (acons unit condition failed) failed))))))
  ;; If this ends before all are done, nobody waits for the rest.
  (call-cancelling
   (lambda () (loop units '()))
   (lambda () (for-each task-cancel! (map car running)))))

(define (check-on-error who mode)
  "Raise an error in the name of @var{who} unless @var{mode} is @code{raise} or @code{collect}."
  (unless (memq mode '(raise collect))
    (scm-error 'misc-error (symbol->string who) "#:on-error: expected 'raise or 'collect, got ~S" (list mode) #f)))

(define (attempt on-error thunk)
  "Return what @var{thunk} returns; if @var{on-error} is @code{collect}, the condition that it raises, which is about one of many units."
  (if (eq? on-error 'raise)
      (thunk)
      (let* ((value #f)
             (condition (unit-failure (lambda () (set! value (thunk))))))
        (or condition value))))

(define (collect-units on-error items title make)
  "Return two values: the list of all units that @var{make} makes of @var{items}, a list of units of each, and if @var{on-error} is
@code{collect} that of pairs of what @var{title} calls an item and the condition by which @var{make} has failed."
  (let ((made (map (lambda (item) (attempt on-error (lambda () (make item)))) items)))
    (values (append-map (lambda (units) (if (exception? units) '() units)) made)
            (filter-map (lambda (item units) (and (exception? units) (cons (title item) units))) items made))))

(define* (run-units stage pool units #:key (settle! (const #t)) (on-error 'raise) (fail! (const #t)) (failed '()))
  "Run those of @var{units} that are not complete on @var{pool}, each as a task, and return a report.  @var{settle!} is called with each
unit and its value when it is done, in no particular order, and the unit is recorded after that.  If units fail, all others are done
all the same; then the condition of the first one, in the order of the list, is raised, with the name of the unit in its text.  If
@var{on-error} is @code{collect}, @var{fail!} is called with each that has failed and its condition instead, and these are in the report
together with the pairs in @var{failed}.  @var{stage} is a symbol, for messages."
  (call-with-values (lambda () (partition unit-complete? units))
    (lambda (skipped missing)
      (let ((progress (make-progress (length missing)))
            (done 0))
        (dynamic-wind
          (const #t)
          (lambda ()
            (let ((failures (run-all! pool missing
                                      (lambda (unit value)
                                        (settle! unit value)
                                        (record-unit! unit))
                                      (lambda (more)
                                        (set! done (+ done more))
                                        (progress-update! progress done)))))
              (progress-end! progress done)
              (when (and (pair? failures) (eq? on-error 'raise))
                (raise-failure stage failures))
              (let ((named (map (match-lambda ((unit . condition) (cons unit (named-failure stage unit condition 0)))) failures)))
                (for-each (match-lambda ((unit . condition) (fail! unit condition))) named)
                (make-stage-report stage
                                   (map unit-name (remove (lambda (unit) (assq unit named)) missing))
                                   (map unit-name skipped)
                                   (append failed (map (match-lambda ((unit . condition) (cons (unit-name unit) condition))) named))))))
          (lambda () (progress-end! progress done)))))))
