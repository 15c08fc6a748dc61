;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What others see of an item of a map that has failed: its error, and a capsule by which it can be run again alone.
(define-module (tutti pool failed-item)
  #:use-module (tutti base primitives)
  #:use-module (tutti conditions)
  #:use-module (tutti pool items)
  #:use-module (tutti pool type)
  #:use-module (tutti task)
  #:use-module (tutti worker wire)
  #:export (show-failed-item!))

(define (item-request procedure stream range item)
  "Return the request that does what a chunk of @var{range} did with @var{item} alone, with the same random numbers."
  (vector 'map procedure item (map (lambda (l) (list (list-ref l (- item (range-first range))))) (range-lists range)) stream #f))

(define (encapsulate! pool procedure name stream task range item text)
  (call-with-values (lambda () (encode-request pool (item-request procedure stream range item) 'pool-map #:fits? (const #t)))
    (lambda (payload cargo)
      (%encapsulate-item! (pool-handle pool) (task-number task) item payload (cargo-held cargo) (or (task-worker task) 0) name text))))

(define (show-failed-item! pool procedure name stream task range item condition)
  "Let those who look see that @var{item} of the chunk that @var{task} was, of @var{range}, has failed with @var{condition}.
@var{procedure} is what travels for it, @var{name} what people call that or @code{#f}, @var{stream} that of the map's random numbers."
  (when (and (not (serial-pool? pool)) (%failure-wanted?))
    (let ((text (if (worker-error? condition) (worker-error-message condition) (condition->string condition))))
      (%show-item! (task-number task) item text)
      ;; What cannot travel a second time, since it was changed meanwhile, leaves none.
      (when (%shown?)
        (false-if-exception (encapsulate! pool procedure name stream task range item text))))))
