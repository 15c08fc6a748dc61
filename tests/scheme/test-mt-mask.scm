;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Masks without files: what constraints say about values, and how they combine.
(use-modules (tap) (srfi srfi-1) (srfi srfi-4) (srfi srfi-64) (tutti conditions) (tutti mt mask))

(define-syntax-rule (test-refused name text expression)
  (test-condition name (lambda (error) (and (tutti-error? error) (string-contains (exception-message error) text))) expression))

(define exception-message (@ (ice-9 exceptions) exception-message))

;; Three windows, two frequencies.
(define frequencies '(0.25 0.1))
(define coherences (f64vector 0.9 0.2  0.5 0.8  +nan.0 0.7))
(define others (f64vector 0.1 0.9  0.9 0.9  0.9 0.9))

(define (values-of statistic component)
  (if (string=? component "cohExHy") coherences others))

(define* (good-ones mask #:key (level 0))
  (u8vector->list (mask-windows (mask-constraints mask) level frequencies 3 values-of)))

(define (mask-of . constraints)
  (let ((mask (make-mask "good" '("coherence" "powerSpectralDensity"))))
    (for-each (lambda (constraint) (apply mask-add-constraint! mask "coherence" constraint)) constraints)
    mask))

(define (test-constraints)
  (test-equal "none" '(1 1 1 1 1 1) (good-ones (mask-of)))
  (test-equal "inside, borders too; what is not defined is not good" '(1 0 0 1 0 1)
              (good-ones (mask-of '(#:components (("cohExHy" 0.7 1.))))))
  (test-equal "outside; what is not defined is not good either" '(0 1 1 0 0 0)
              (good-ones (mask-of '(#:components (("cohExHy" 0.7 1.)) #:inside? #f))))
  (test-equal "two components must both hold" '(0 0 0 1 0 1)
              (good-ones (mask-of '(#:components (("cohExHy" 0.7 1.) ("cohEyHx" 0.7 1.))))))
  (test-equal "two constraints too" '(0 0 0 1 0 0)
              (good-ones (mask-of '(#:components (("cohExHy" 0.7 1.))) '(#:components (("cohExHy" 0.75 0.85))))))
  (test-equal "for one frequency" '(1 1 0 1 0 1)
              (good-ones (mask-of '(#:components (("cohExHy" 0.7 1.)) #:frequencies (0.25)))))
  (test-equal "for another level" '(1 1 1 1 1 1) (good-ones (mask-of '(#:components (("cohExHy" 0.7 1.)) #:levels (1 2)))))
  (test-equal "on that level" '(1 0 0 1 0 1) (good-ones (mask-of '(#:components (("cohExHy" 0.7 1.)) #:levels (1 2))) #:level 2)))

(define (test-together)
  (test-equal "masks combine with and" (u8vector 0 0 0 1)
              (mask-and (u8vector 1 0 0 1) (u8vector 0 0 1 1) (u8vector 1 0 1 1)))
  (let ((one (u8vector 1 1)))
    (mask-and one (u8vector 0 1))
    (test-equal "and stay as they are" (u8vector 1 1) one))
  (test-condition "of different sizes" shape-error? (mask-and (u8vector 1) (u8vector 1 1)))
  (let ((mask (mask-of '(#:components (("cohExHy" 0.7 1.))))))
    (mask-add-constraint! mask "powerSpectralDensity" #:components '(("psdEx" 0 1)))
    (test-equal "constraints in order" '("coherence" "powerSpectralDensity") (map constraint-statistic (mask-constraints mask)))
    (mask-set-statistics! mask '("coherence"))
    (test-equal "without a statistic, without its constraints" '("coherence") (map constraint-statistic (mask-constraints mask)))
    (test-equal "its statistics" '("coherence") (mask-statistics mask))))

(define (test-refusals)
  (let ((mask (make-mask "good" '("coherence"))))
    (test-refused "an unknown statistic" "coherance" (make-mask "m" '("coherance")))
    (test-refused "a statistic that it does not go by" "mask-set-statistics!"
                  (mask-add-constraint! mask "transferFunction" #:components '(("ExHxReal" 0 1))))
    (test-refused "an unknown component" "cohHxHy" (mask-add-constraint! mask "coherence" #:components '(("cohHxHy" 0 1))))
    (test-refused "no component" "at least one" (mask-add-constraint! mask "coherence"))
    (test-refused "bounds the wrong way round" "the lower value first"
                  (mask-add-constraint! mask "coherence" #:components '(("cohExHy" 1 0.7))))
    (test-refused "bounds that are none" "a list of its name" (mask-add-constraint! mask "coherence" #:components '(("cohExHy" "a" 1))))
    (test-refused "a level that is none" "#:levels" (mask-add-constraint! mask "coherence" #:components '(("cohExHy" 0 1)) #:levels '(-1)))
    (test-refused "frequencies that are no list" "#:frequencies"
                  (mask-add-constraint! mask "coherence" #:components '(("cohExHy" 0 1)) #:frequencies 0.1))
    (test-refused "a name that cannot be one of a file" "../x" (make-mask "../x"))
    (test-equal "nothing was added by any of these" '() (mask-constraints mask))))

(call-with-tap
 (lambda ()
   (test-group "mt-mask"
     (test-group "constraints" (test-constraints))
     (test-group "together" (test-together))
     (test-group "refusals" (test-refusals)))))
