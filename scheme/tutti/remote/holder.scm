;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The values that a process holds for its tasks, by number.
(define-module (tutti remote holder)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (tutti remote shared)
  #:export (make-holder hold! keep! drop! holds? use-held! call-noting-uses renewal check-uses! uses-check-seconds))

;; NUMBERS?: must vectors of numbers be watched, too, because nothing protects them?
(define-record-type <holder>
  (%make-holder table numbers?)
  holder?
  (table holder-table)
  (numbers? holder-numbers?))

(define (make-holder table numbers?)
  "Return a holder whose contents are in the hash table @var{table}. With @var{numbers?}, vectors of numbers in it are not protected."
  (%make-holder table numbers?))

;; DECODE returns the value. It is kept if it may be needed again: if a task could change the value. SHARED is #f until then.
(define-record-type <held>
  (make-held decode shared)
  held?
  (decode held-decode set-held-decode!)
  (shared held-shared set-held-shared!))

(define (hold! holder id decode)
  "Let @var{holder} hold what @var{decode} returns under the number @var{id}. It is called when that is used."
  (hashv-set! (holder-table holder) id (make-held decode #f)))

(define (keep! holder id value)
  "Let @var{holder} hold @var{value}, which tasks have made for themselves."
  (hashv-set! (holder-table holder) id (list value)))

(define (drop! holder id)
  "Let @var{holder} forget what it holds under @var{id}."
  (hashv-remove! (holder-table holder) id))

(define (holds? holder id)
  "Return true if @var{holder} holds something under @var{id}."
  (->bool (hashv-get-handle (holder-table holder) id)))

;; The shared values that the current task uses: lists of value, what shares it, and holder.
(define uses (make-thread-local-fluid '()))

(define (call-noting-uses thunk)
  "Call @var{thunk}, which does not raise, and return its value. What is used meanwhile is a matter of its own."
  (let ((outer (fluid-ref uses)))
    (fluid-set! uses '())
    (let ((value (thunk)))
      (fluid-set! uses outer)
      value)))

(define (shared-of holder id held)
  (or (held-shared held)
      (let ((shared (share ((held-decode held)) (format #f "what was pushed as remote object ~a" (logand id #xffffffffffff))
                           #:numbers? (holder-numbers? holder))))
        (unless (shared-watched? shared) (set-held-decode! held #f))
        (set-held-shared! held shared)
        shared)))

(define (use-held! holder id)
  "Return what @var{holder} holds under @var{id}, for one task."
  (let ((held (hashv-ref (holder-table holder) id)))
    (cond ((held? held)
           (let* ((shared (shared-of holder id held))
                  (value (shared-current shared)))
             (when (or (shared-renews? shared) (shared-watched? shared))
               (fluid-set! uses (cons (list value shared holder) (fluid-ref uses))))
             value))
          ((pair? held) (car held))
          (else (error "this worker does not hold object number" id)))))

(define (renewal value)
  "If @var{value}, which the current task has got by @code{use-held!}, has to be another one for the next item, return a procedure that
returns that; else @code{#f}."
  (let ((use (assq value (fluid-ref uses))))
    (and use (shared-renews? (second use))
         (lambda () (shared-current (second use))))))

(define (forget-changed! holder)
  "Let all that was changed in @var{holder} be decoded anew when it is used next."
  (hash-for-each-handle
   (lambda (handle)
     (let ((held (cdr handle)))
       (when (and (held? held) (held-shared held) (shared-watched? (held-shared held))
                  (pair? (shared-changes (held-shared held))))
         (set-held-shared! held #f))))
   (holder-table holder)))

(define* (check-uses! #:key always?)
  "Return the list of the names of what the current task has changed for others; it is as before for the next one. Without @var{always?},
values that take long to check are checked only now and then."
  (if (null? (fluid-ref uses))
      '()
      (check-these-uses! always?)))

(define (check-these-uses! always?)
  (let* ((watched (filter (lambda (use)
                            (and (shared-watched? (second use)) (or always? (shared-check-due? (second use)))))
                          (fluid-ref uses)))
         (names (append-map (lambda (use) (shared-changes (second use))) watched)))
    (unless (null? names)
      (for-each forget-changed! (delete-duplicates (map third watched) eq?)))
    (delete-duplicates names)))

(define (uses-check-seconds)
  "Return how many seconds it takes to check whether the current task has changed something for others."
  (fold (lambda (use sum) (+ sum (if (shared-watched? (second use)) (shared-check-seconds (second use)) 0))) 0 (fluid-ref uses)))
