;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Masks: which windows are good enough, at each evaluation frequency, by their statistics.
(define-module (tutti mt mask)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (tutti base check)
  #:use-module (tutti base documented)
  #:use-module (tutti conditions)
  #:use-module (tutti mt files)
  #:use-module (tutti mt kernel)
  #:export (make-mask
            mask?
            mask-name
            mask-statistics
            mask-constraints
            mask-set-statistics!
            mask-add-constraint!
            constraint-statistic
            mask-windows
            mask-and))

(define-record-type <mask>
  (%make-mask name statistics constraints)
  %mask?
  (name %mask-name)
  (statistics %mask-statistics set-statistics!)
  (constraints %mask-constraints set-constraints!)) ; in the order in which they were added

;; A list, so that it can travel, and so that two with the same contents are equal?.
(define (make-constraint statistic component low high inside? levels frequencies)
  (list statistic component low high inside? levels frequencies))

(set-record-type-printer! <mask>
  (lambda (mask port)
    (format port "#<mask ~s: ~a constraint~:p>" (%mask-name mask) (length (%mask-constraints mask)))))

(define (check-statistics who names)
  (unless (and (list? names) (every string? names))
    (refuse who "expected a list of names of statistics, got ~s" names))
  (for-each statistic-components names)
  names)

(define* (make-mask name #:optional (statistics '()))
  "Return a new mask with the name @var{name}, a string, which has no constraints: all windows are used.  @var{statistics} is as for
@code{mask-set-statistics!}."
  (check-plain-name 'make-mask "a mask" name)
  (%make-mask name (check-statistics 'make-mask statistics) '()))

(define (mask? x)
  "Return true if @var{x} is a mask."
  (%mask? x))

(define-documented #:of mask
  (mask-name %mask-name
   "Return the name of @var{mask}.")
  (mask-statistics %mask-statistics
   "Return the list of the names of the statistics that @var{mask} may have constraints on.")
  (mask-constraints %mask-constraints
   "Return the list of the constraints of @var{mask}: lists of statistic, component, lowest and highest value, whether good windows are
inside, levels, and frequencies."))

(define (constraint-statistic constraint)
  "Return the name of the statistic that @var{constraint} is on."
  (first constraint))

(define (mask-set-statistics! mask statistics)
  "Let @var{mask} go by the list @var{statistics}, such as @code{'(\"coherence\")}.  Constraints on others are dropped."
  (set-statistics! mask (check-statistics 'mask-set-statistics! statistics))
  (set-constraints! mask (filter (lambda (constraint) (member (constraint-statistic constraint) statistics)) (%mask-constraints mask)))
  *unspecified*)

(define (check-component statistic known component)
  (match component
    (((? string? name) (? real? low) (? real? high))
     (unless (member name known)
       (refuse 'mask-add-constraint! "the statistic ~a has no component ~s, expected one of ~{~a~^, ~}" statistic name known))
     (unless (<= low high)
       (refuse 'mask-add-constraint! "the constraint on ~a is from ~a to ~a, expected the lower value first" name low high)))
    (_
     (refuse 'mask-add-constraint! "a component is ~s, expected a list of its name, the lowest and the highest value" component))))

(define (check-optional-list what accept? items)
  (unless (or (not items) (and (list? items) (every accept? items)))
    (refuse 'mask-add-constraint! "#:~a is ~s, expected a list or #f for all" what items)))

(define (listed names)
  (if (null? names) "none" (string-join names ", ")))

(define* (mask-add-constraint! mask statistic #:key (components '()) (inside? #t) levels frequencies)
  "Add to @var{mask} that a window is used only if, for each of @var{components}, a list of lists @code{(name low high)}, the value of
that component of @var{statistic} is from @code{low} to @code{high}; if @var{inside?} is false, only if it is not.  A value that is not
defined is never good.  With @var{levels}, a list of numbers from 0, or @var{frequencies}, a list in Hz, this goes for these alone.  All
constraints of a mask must hold."
  (unless (member statistic (%mask-statistics mask))
    (refuse 'mask-add-constraint! "the mask ~a does not go by the statistic ~s, but by ~a; name it to ~
mask-set-statistics! first" (%mask-name mask) statistic (listed (%mask-statistics mask))))
  (when (null? components)
    (refuse 'mask-add-constraint! "#:components: expected at least one list of a name, the lowest and the highest value"))
  (let ((known (statistic-components statistic #:hz? #t)))
    (for-each (lambda (component) (check-component statistic known component)) components))
  (check-optional-list 'levels (lambda (level) (and (exact-integer? level) (not (negative? level)))) levels)
  (check-optional-list 'frequencies (lambda (f) (and (real? f) (positive? f))) frequencies)
  (set-constraints! mask (append (%mask-constraints mask)
                                 (map (match-lambda
                                        ((name low high)
                                         (make-constraint statistic name low high (->bool inside?) levels frequencies)))
                                      components)))
  *unspecified*)

;;; Constraints on values.

(define (same-frequency? a b) (<= (abs (- a b)) (* 1e-6 b)))

(define (applies? levels frequencies level frequency)
  (and (or (not levels) (memv level levels))
       (or (not frequencies) (any (lambda (f) (same-frequency? f frequency)) frequencies))))

(define (strike-out! windows values column columns good?)
  "Set to 0 what is in COLUMN of the rows of WINDOWS, of COLUMNS numbers each, where VALUES are not GOOD?."
  (do ((i column (+ i columns)))
      ((>= i (u8vector-length windows)))
    (unless (good? (f64vector-ref values i))
      (u8vector-set! windows i 0))))

(define (mask-windows constraints level frequencies n-windows values-of)
  "Return which of @var{n-windows} windows of the level with number @var{level} the list @var{constraints} leaves: a u8vector with a row
for each window, and in it a 1, or 0 for what must not be used, for each of @var{frequencies}.  @var{values-of} is called with a
statistic and a component, and returns their values as an f64vector of that shape."
  (let* ((columns (length frequencies))
         (windows (make-u8vector (* n-windows columns) 1)))
    (for-each
     (match-lambda
       ((statistic component low high inside? levels constrained)
        (let ((concerned (filter-map (lambda (frequency column) (and (applies? levels constrained level frequency) column))
                                     frequencies (iota columns))))
          (when (pair? concerned)
            (let ((values (values-of statistic component))
                  (good? (if inside?
                             (lambda (x) (<= low x high))
                             (lambda (x) (or (< x low) (> x high))))))
              (for-each (lambda (column) (strike-out! windows values column columns good?)) concerned))))))
     constraints)
    windows))

(define (mask-and first . more)
  "Return the u8vector of what all of the u8vectors @var{first} and @var{more}, which have the same length, leave."
  (let ((all (u8vector-length first)))
    (fold (lambda (mask result)
            (unless (= (u8vector-length mask) all)
              (raise-tutti (make-shape-error all (u8vector-length mask)) 'mask-and))
            (do ((i 0 (1+ i)))
                ((= i all) result)
              (when (zero? (u8vector-ref mask i))
                (u8vector-set! result i 0))))
          (list->u8vector (u8vector->list first))
          more)))
