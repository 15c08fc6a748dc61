;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The weak greedy algorithm: a reduced model is extended, again and again, where in a training set its error is
;; largest.  Workers estimate errors, each for its own part of the training set; the master extends.  Nothing here
;; knows what the models are.
(define-module (tutti greedy)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (srfi srfi-11)
  #:use-module (tutti base check)
  #:use-module (tutti base documented)
  #:use-module (tutti base log)
  #:use-module (tutti base text)
  #:use-module (tutti greedy adaptive)
  #:use-module (tutti pool)
  #:re-export (adaptive-weak-greedy adaptive-result? adaptive-result-parameters adaptive-result-errors adaptive-result-validation-errors
               adaptive-result-training-sizes adaptive-result-training adaptive-result-model adaptive-result-reason
               adaptive-result-message)
  #:export (weak-greedy largest-error print-extension
            greedy-result? greedy-result-indices greedy-result-errors greedy-result-model greedy-result-reason
            greedy-result-message))

(define-record-type <greedy-result>
  (make-greedy-result indices errors model reason message)
  %greedy-result?
  (indices %indices)                    ; list of indices into the training set, in the order of the extensions
  (errors %errors)                      ; list of the largest error before each of them; one more if that was small enough
  (model %model)
  (reason %reason)                      ; tolerance, size, or stagnation
  (message %message))                   ; string

(define-documented
  (greedy-result? %greedy-result?
   "Return true if @var{x} is what a greedy algorithm returned.")
  (greedy-result-indices %indices
   "Return the list of the indices of the parameters that were selected, in order, of the result @var{x}.")
  (greedy-result-errors %errors
   "Return the list of the largest errors in the training set before each extension of the result @var{x}; if the last
one was within the tolerance it is there as well, without an extension.")
  (greedy-result-model %model
   "Return the model after the last extension of the result @var{x}.")
  (greedy-result-reason %reason
   "Return the symbol that says why the algorithm ended that returned @var{x}: @code{tolerance}, @code{size} or
@code{stagnation}.")
  (greedy-result-message %message
   "Return a text for people that says why the algorithm ended that returned @var{x}."))

(set-record-type-printer! <greedy-result>
  (lambda (result port)
    (format port "#<greedy-result after ~a extension~:p: ~a>" (length (%indices result)) (%message result))))

(define (largest-error estimate model part)
  "Return the pair of the largest error of @var{model} in @var{part} of a training set, a list of pairs of index and
parameter, and the first index that has it; @code{#f} if the part is empty. Workers call this."
  (fold (lambda (item best)
          (let ((error (estimate model (cdr item))))
            ;; What is not a number fails this, too.
            (unless (and (real? error) (>= error 0))
              (refuse 'weak-greedy "the estimate for training parameter ~a (from 0) is ~s; expected a number from 0. The parameter is ~s"
                      (car item) error (cdr item)))
            (if (or (not best) (> error (car best)))
                (cons error (car item))
                best)))
        #f part))

(define (first-largest bests)
  ;; Parts are in the order of the training set, so the first largest of all is the first one here.
  (fold (lambda (best so-far)
          (if (or (not so-far) (and best (> (car best) (car so-far)))) best so-far))
        #f bests))

(define (print-extension number index error)
  "Write one line about the extension @var{number} at the training parameter @var{index} to the port
@code{(progress-port)}, if there is one and this is no task."
  (let ((port (progress-port)))
    (when (and port (not (current-worker-index)))
      (write-beside port (format #f "~4d  parameter ~5d  error ~a~%" number index (rounded error))))))

(define (check-arguments pool training estimate extend ship tolerance max-size callback)
  (unless (pool? pool)
    (scm-error 'wrong-type-arg "weak-greedy" "expected a pool, got ~S" (list pool) (list pool)))
  (unless (or (and (pair? training) (list? training)) (and (vector? training) (positive? (vector-length training))))
    (refuse 'weak-greedy "the training set: expected a list or vector of at least one parameter, got ~s" training))
  (unless (procedure? estimate)
    (refuse 'weak-greedy "expected a procedure that estimates the error of a model, got ~s" estimate))
  (unless (procedure? ship)
    (refuse 'weak-greedy "#:ship: expected a procedure of a model, got ~s" ship))
  (unless (or (not callback) (procedure? callback))
    (refuse 'weak-greedy "#:callback: expected a procedure of a number, an index and an error, or #f; got ~s" callback))
  (unless (procedure? extend)
    (refuse 'weak-greedy "expected a procedure that extends the model, got ~s" extend))
  (unless (and (real? tolerance) (>= tolerance 0))
    (refuse 'weak-greedy "#:tolerance: expected a number from 0, got ~s" tolerance))
  (unless (or (not max-size) (and (exact-integer? max-size) (>= max-size 0)))
    (refuse 'weak-greedy "#:max-size: expected a number of extensions, an exact integer from 0, got ~s" max-size)))

(define* (weak-greedy pool training estimate extend
                      #:key model (ship identity) (tolerance 0) max-size (callback print-extension))
  "Return the result of the weak greedy algorithm: @var{model} is extended where its estimated error in
@var{training}, a list or vector of parameters of any kind, is largest, until that error is at most @var{tolerance}
(0), there were @var{max-size} extensions (one for each training parameter), or @var{extend} refuses.

@var{estimate} is a procedure that workers can be given. It is called with what @var{ship} returned for the model and
with one parameter, and returns the error there, a number from 0 (@code{+inf.0} if nothing is known): anything else is
refused. @var{ship} (the model itself) returns the part of a
model that workers need: the small one; it may contain remote objects of @var{pool}. @var{extend} is called here, with
the model and the parameter of the largest error, and returns the extended model, or @code{#f} if that parameter adds
nothing to it. @var{callback}, a procedure or @code{#f}, is called with the number of the extension from 1, the index
of its parameter, and the error before it.

The training set is scattered once. In each iteration every worker returns its first largest error, and the first of
these in the order of the training set is taken: the result is the same on any number of workers, to the last bit."
  (check-arguments pool training estimate extend ship tolerance max-size callback)
  (let* ((parameters (if (vector? training) training (list->vector training)))
         (limit (or max-size (vector-length parameters)))
         (items (map cons (iota (vector-length parameters)) (vector->list parameters))))
    (define (finish indices errors model reason text)
      (make-greedy-result (reverse indices) (reverse errors) model reason text))
    (call-with-remote-object (pool-scatter pool items)
      (lambda (parts)
        (let loop ((model model) (indices '()) (errors '()))
          (define size (length indices))
          (if (= size limit)
              (finish indices errors model 'size (format #f "the limit of ~a extension~:p is reached" size))
              (let*-values (((best) (first-largest (pool-apply pool largest-error estimate (ship model) parts)))
                            ((error index) (car+cdr best))
                            ((errors) (cons error errors)))
                (if (<= error tolerance)
                    (finish indices errors model 'tolerance
                            (format #f "the largest error is ~a, the tolerance ~a" (rounded error) (rounded tolerance)))
                    (let ((extended (extend model (vector-ref parameters index))))
                      (cond (extended
                             (when callback
                               (callback (1+ size) index error))
                             (loop extended (cons index indices) errors))
                            (else
                             (finish indices errors model 'stagnation
                                     (format #f "parameter ~a, with the largest error ~a, adds nothing to the model" index
                                             (rounded error))))))))))))))
