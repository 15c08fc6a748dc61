;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Operators made of procedures, of numbers and of indices.
(define-module (tutti operator leaf)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (tutti base primitives)
  #:use-module (tutti conditions)
  #:use-module (tutti operator check)
  #:use-module (tutti operator type)
  #:use-module (tutti space)
  #:use-module (tutti vector)
  #:export (make-operator make-linear-operator identity-operator matrix-operator matrix-product-operator sparse-operator diagonal-operator
            projection-operator embedding-operator exp-operator affine-operator fourier-operator))

;;; From procedures.

(define (check-procedure-argument who keyword value)
  (unless (procedure? value)
    (scm-error 'wrong-type-arg (symbol->string who) "~A: expected a procedure, got ~S" (list keyword value) (list value))))

(define (check-name who name)
  (unless (string? name)
    (scm-error 'wrong-type-arg (symbol->string who) "#:name: expected a string, got ~S" (list name) (list name))))

(define* (make-operator #:key (name "operator") domain codomain evaluate linearize)
  "Return the operator with the name @var{name} from the space @var{domain} to the space @var{codomain}. @var{evaluate} is a
procedure from a vector to a new vector; @var{linearize} one from a vector to two values, the value and the derivative there: a
linear operator. Without it the operator has no derivative; @code{with-differences} gives it one."
  (check-name 'make-operator name)
  (check-space domain 'make-operator)
  (check-space codomain 'make-operator)
  (check-procedure-argument 'make-operator #:evaluate evaluate)
  (when linearize
    (check-procedure-argument 'make-operator #:linearize linearize))
  (define (refuse x)
    (raise-tutti (make-tutti-error (format #f "~a has no derivative: give make-operator a procedure #:linearize, or use \
(with-differences operator)"
                                           name))
                 'linearize))
  ((if linearize checked identity)
   (make-nonlinear #:name name #:domain domain #:codomain codomain #:evaluate evaluate #:linearize (or linearize refuse)
                   #:parts (list make-operator #:name name #:domain domain #:codomain codomain #:evaluate evaluate
                                 #:linearize linearize))))

(define* (make-linear-operator #:key (name "linear operator") domain codomain (forward #f #:apply) (backward #f #:adjoint))
  "Return the linear operator with the name @var{name} from the space @var{domain} to the space @var{codomain}, both keywords, that is
computed by the procedures @code{#:apply} and @code{#:adjoint}, from a vector to a new vector. The adjoint is with respect to the real part
of the inner product."
  (check-name 'make-linear-operator name)
  (check-space domain 'make-linear-operator)
  (check-space codomain 'make-linear-operator)
  (check-procedure-argument 'make-linear-operator #:apply forward)
  (check-procedure-argument 'make-linear-operator #:adjoint backward)
  (checked
   (make-linear #:name name #:domain domain #:codomain codomain #:apply forward #:adjoint backward
                #:parts (list make-linear-operator #:name name #:domain domain #:codomain codomain
                              #:apply forward #:adjoint backward))))

;;; From numbers.

(define (copied x) (vec-scale 1. x))

(define (identity-operator space)
  "Return the identity of @var{space}."
  (check-space space 'identity-operator)
  (make-linear #:name "identity" #:domain space #:codomain space #:apply copied #:adjoint copied
               #:parts (list identity-operator space)))

(define (number-space like n)
  (if (c64vector? like) (complex-space n) n))

(define (check-numbers who what v)
  (unless (element-dimension v)
    (scm-error 'wrong-type-arg (symbol->string who) "expected an f64vector or c64vector as ~A, got ~S" (list what v) (list v))))

(define (check-count who what n)
  (unless (and (exact-integer? n) (>= n 0))
    (scm-error 'wrong-type-arg (symbol->string who) "expected ~A, an integer from 0, got ~S" (list what n) (list n))))

(define (check-matrix who rows columns entries)
  (check-count who "the number of rows" rows)
  (check-count who "the number of columns" columns)
  (check-numbers who "the entries" entries)
  (unless (= (element-dimension entries) (* rows columns))
    (raise-tutti (make-shape-error (list rows columns) (element-dimension entries)
                                   (format #f "a matrix of ~a x ~a has ~a entries, got ~a" rows columns (* rows columns)
                                           (element-dimension entries)))
                 who)))

(define (counting-products entries)
  "Return a procedure to call before each product with the matrix of @var{entries}."
  (define products 0)
  (lambda ()
    ;; Large pages cost as much as some four products, and one takes an eighth less time with them: not for a matrix that is used once.
    (set! products (1+ products))
    (when (= products 2)
      (%use-large-pages! entries))))

(define (matrix-operator rows columns entries)
  "Return the linear operator of the matrix of @var{rows} times @var{columns} numbers in @var{entries}, an f64vector or
c64vector, row-major. The entries are not copied and must not be changed. A complex matrix is an operator between complex spaces."
  (check-matrix 'matrix-operator rows columns entries)
  (define count-product! (counting-products entries))
  (make-linear #:name (format #f "~a x ~a matrix" rows columns)
               #:domain (number-space entries columns) #:codomain (number-space entries rows)
               #:apply (lambda (x) (count-product!) (%matrix-apply rows columns entries x))
               #:adjoint (lambda (y) (count-product!) (%matrix-adjoint rows columns entries y))
               #:parts (list matrix-operator rows columns entries)))

;; Each is a part of the spaces.
(define most-vectors 1048576)

(define (matrix-product-operator rows columns entries n)
  "Return the linear operator that multiplies the matrix of @var{rows} times @var{columns} numbers in @var{entries}, as
@code{matrix-operator} takes them, with each of @var{n} vectors: from the direct sum of @var{n} spaces of @var{columns} numbers to that of
@var{n} spaces of @var{rows}. The matrix is read once for eight vectors, which takes a third of the time of products with one after
the other, or less. Their last bits are others than those of @code{matrix-operator}."
  (check-matrix 'matrix-product-operator rows columns entries)
  (unless (and (exact-integer? n) (<= 1 n most-vectors))
    (scm-error 'wrong-type-arg "matrix-product-operator" "expected the number of vectors, an integer from 1 to ~A, got ~S"
               (list most-vectors n) (list n)))
  (define count-product! (counting-products entries))
  (define (vectors size) (apply direct-sum (make-list n (number-space entries size))))
  (make-linear #:name (format #f "~a x ~a matrix for ~a vectors" rows columns n)
               #:domain (vectors columns) #:codomain (vectors rows)
               #:apply (lambda (x) (count-product!) (%matrix-apply-block rows columns entries n x))
               #:adjoint (lambda (y) (count-product!) (%matrix-adjoint-block rows columns entries n y))
               #:parts (list matrix-product-operator rows columns entries n)))

(define (indices->u32 who what indices limit)
  "Return the u32vector of the zero-based @var{indices}, a list or u32vector, after checking that all are less than @var{limit}."
  (let ((vector (cond ((u32vector? indices) indices)
                      ((and (list? indices) (every exact-integer? indices) (every (lambda (i) (<= 0 i 4294967295)) indices))
                       (list->u32vector indices))
                      (else
                       (scm-error 'wrong-type-arg (symbol->string who) "expected ~A as a list of indices or u32vector, got ~S"
                                  (list what indices) (list indices))))))
    (do ((k 0 (1+ k)))
        ((= k (u32vector-length vector)) vector)
      (unless (< (u32vector-ref vector k) limit)
        (raise-tutti (make-shape-error limit (u32vector-ref vector k)
                                       (format #f "~a: number ~a (from 0) is ~a, but there are only ~a; indices start at 0" what k
                                               (u32vector-ref vector k) limit))
                     who)))))

(define (sparse-operator rows columns row-indices column-indices values)
  "Return the linear operator of the sparse matrix of @var{rows} times @var{columns} numbers with the f64vector or c64vector @var{values} at
the zero-based @var{row-indices} and @var{column-indices}, lists or u32vectors of the same length, which must not be changed. What is at
one place is added."
  (check-count 'sparse-operator "the number of rows" rows)
  (check-count 'sparse-operator "the number of columns" columns)
  (let* ((values (if (and (list? values) (every number? values))
                     (if (every real? values) (list->f64vector values) (list->c64vector values))
                     values))
         (row-indices (indices->u32 'sparse-operator "the row indices" row-indices rows))
         (column-indices (indices->u32 'sparse-operator "the column indices" column-indices columns)))
    (check-numbers 'sparse-operator "the values, or a list of numbers" values)
    (unless (= (element-dimension values) (u32vector-length row-indices) (u32vector-length column-indices))
      (raise-tutti (make-shape-error (element-dimension values) (u32vector-length row-indices)
                                     (format #f "~a values need as many row and column indices, got ~a and ~a"
                                             (element-dimension values) (u32vector-length row-indices)
                                             (u32vector-length column-indices)))
                   'sparse-operator))
    (let ((matrix (%make-sparse rows columns row-indices column-indices values)))
      (make-linear #:name (format #f "sparse ~a x ~a matrix" rows columns)
                   #:domain (number-space values columns) #:codomain (number-space values rows)
                   #:apply (lambda (x) (%sparse-apply matrix x))
                   #:adjoint (lambda (y) (%sparse-adjoint matrix y))
                   #:parts (list sparse-operator rows columns row-indices column-indices values)
                   #:detail matrix))))

(define (diagonal-operator diagonal)
  "Return the linear operator that multiplies number by number with the f64vector or c64vector @var{diagonal}, which must not be changed."
  (check-numbers 'diagonal-operator "the diagonal" diagonal)
  (let ((space (number-space diagonal (element-dimension diagonal)))
        (conjugate (if (c64vector? diagonal) (vec-conjugate diagonal) diagonal)))
    (make-linear #:name "diagonal" #:domain space #:codomain space
                 #:apply (lambda (x) (vec* diagonal x))
                 #:adjoint (lambda (y) (vec* conjugate y))
                 #:parts (list diagonal-operator diagonal))))

;;; From indices.

(define (selection-matrix n indices)
  "Return the sparse matrix whose rows each take one of @var{n} numbers, that at the place in the u32vector @var{indices}."
  (let* ((rows (u32vector-length indices))
         (places (make-u32vector rows)))
    (do ((row 0 (1+ row)))
        ((= row rows) (%make-sparse rows n places indices (make-f64vector rows 1.)))
      (u32vector-set! places row row))))

(define (projection-operator space indices)
  "Return the linear operator from @var{space} that takes the numbers at @var{indices}, zero-based, a list or u32vector, which must not be
changed."
  (check-space space 'projection-operator)
  (let* ((indices (indices->u32 'projection-operator "the indices" indices (space-dimension space)))
         (n (u32vector-length indices))
         (matrix (selection-matrix (space-dimension space) indices)))
    (make-linear #:name "projection" #:domain space #:codomain (if (space-complex? space) (complex-space n) n)
                 #:apply (lambda (x) (%sparse-apply matrix x))
                 #:adjoint (lambda (y) (%sparse-adjoint matrix y))
                 #:parts (list projection-operator space indices)
                 #:detail matrix)))

;;; Functions.

(define (exp-operator space)
  "Return the operator on @var{space} that takes the exponential function of each number."
  (check-space space 'exp-operator)
  (make-nonlinear #:name "exp" #:domain space #:codomain space
                  #:evaluate %exp-elements
                  #:linearize (lambda (x)
                                (let ((y (%exp-elements x)))
                                  (values y (diagonal-operator (copied y)))))
                  #:parts (list exp-operator space)))

(define (affine-operator linear offset)
  "Return the operator that applies @var{linear} and adds the vector @var{offset}, which must not be changed."
  (check-operator-argument linear 'affine-operator)
  (unless (linear? linear)
    (raise-tutti (make-tutti-error (format #f "expected a linear operator, got ~a" linear)) 'affine-operator))
  (check-element offset (operator-codomain linear) 'affine-operator
                 (format #f "the offset of the values of ~a" (operator-name linear)))
  (make-nonlinear #:name (string-append "affine " (operator-name linear))
                  #:domain (operator-domain linear) #:codomain (operator-codomain linear)
                  #:evaluate (lambda (x) (vec+ (evaluate linear x) offset))
                  #:linearize (lambda (x) (values (vec+ (evaluate linear x) offset) linear))
                  #:parts (list affine-operator linear offset)))

(define (complex-counterpart space)
  (let ((spaces (map (lambda (part) (complex-space (space-dimension part))) (space-parts space))))
    (if (null? (cdr spaces)) (car spaces) (apply direct-sum spaces))))

(define (embedding-operator space)
  "Return the linear operator from @var{space}, real, that takes its vectors as complex ones. Its adjoint takes the real parts."
  (check-space space 'embedding-operator)
  (when (space-complex? space)
    (raise-tutti (make-shape-error 'real space (format #f "expected a real space, got ~a" (space->string space))) 'embedding-operator))
  (make-linear #:name "embedding" #:domain space #:codomain (complex-counterpart space)
               #:apply vec->complex #:adjoint vec-real
               #:parts (list embedding-operator space)))

(define (fourier-operator space dimensions)
  "Return the unitary discrete Fourier transform of @var{space}, complex, whose vectors are arrays of @var{dimensions}, a list, row-major."
  (check-space space 'fourier-operator)
  (unless (space-complex? space)
    (raise-tutti (make-shape-error 'complex space
                                   (format #f "expected a complex space, got ~a; embed real vectors first, by embedding-operator"
                                           (space->string space)))
                 'fourier-operator))
  (unless (and (list? dimensions) (every exact-integer? dimensions) (not (any negative? dimensions))
               (= (apply * dimensions) (space-dimension space)))
    (raise-tutti (make-shape-error (space-dimension space) dimensions
                                   (format #f "dimensions ~a of an array in ~a: their product must be ~a" dimensions
                                           (space->string space) (space-dimension space)))
                 'fourier-operator))
  (make-linear #:name "Fourier transform" #:domain space #:codomain space
               #:apply (lambda (x) (%fourier dimensions x #f))
               #:adjoint (lambda (y) (%fourier dimensions y #t))
               #:parts (list fourier-operator space dimensions)))
