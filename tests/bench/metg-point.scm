;; SPDX-License-Identifier: LGPL-3.0-or-later
;; A point of a graph of metg.h, for workers and for metg-scheme.scm. $METG_KERNEL is the shared object with the pattern and the work.
(define-module (metg-point)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (system foreign)
  #:use-module (system foreign-library)
  #:export (point point-of-item predecessors metg-period))

;; When they are first called: whoever compiles a script that uses this module has no kernel.
(define-syntax-rule (define-kernel procedure name return arguments)
  (define procedure
    (lambda actual
      (set! procedure (foreign-library-function (getenv "METG_KERNEL") name #:return-type return #:arg-types arguments))
      (apply procedure actual))))

(define-kernel spin "metg_kernel_spin" uint64 (list uint64 uint64))
(define-kernel look-up "metg_kernel_predecessors" int (list int int int int '*))
(define most-predecessors 5)

(define (metg-period pattern width)
  (case pattern ((3) (1- (integer-length width))) ((6) 16) (else 1)))

(define (make-table pattern width)
  (let ((period (metg-period pattern width)) (buffer (make-bytevector (* 4 most-predecessors))))
    (list->vector
     (map (lambda (phase)
            (list->vector
             (map (lambda (i)
                    (let ((n (look-up pattern width (if (zero? phase) period phase) i (bytevector->pointer buffer))))
                      (take (bytevector->sint-list buffer (native-endianness) 4) n)))
                  (iota width))))
          (iota period)))))

(define tables '())                     ; ((pattern . width) . vector of vectors of lists)

(define (predecessors pattern width t i)
  "Return the columns of the points before @var{t} that the point of @var{t} in column @var{i} needs, a list."
  (if (zero? t)
      '()
      (let* ((key (cons pattern width))
             (table (or (assoc-ref tables key)
                        (let ((new (make-table pattern width)))
                          (set! tables (acons key new tables))
                          new))))
        (vector-ref (vector-ref table (modulo t (vector-length table))) i))))

(define (point pattern width index iterations . values)
  "Return the value of the point with @var{index}, which works for @var{iterations} and got @var{values}."
  (let* ((t (quotient index width)) (i (- index (* t width))) (first (1+ (* (1- t) width))))
    (let check ((columns (predecessors pattern width t i)) (values values))
      (cond ((and (pair? columns) (pair? values) (= (car values) (+ first (car columns))))
             (check (cdr columns) (cdr values)))
            ((not (and (null? columns) (null? values)))
             (error "a point got a wrong value:" index values))))
    (if (zero? (spin iterations index)) (+ index 2) (1+ index))))

(define (point-of-item item)
  "The same for @var{item}, the list of all arguments."
  (apply point item))
