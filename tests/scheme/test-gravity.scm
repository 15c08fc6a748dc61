;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Gravity of a mesh against somebody else's matrix, and what is known without one.
(use-modules (tap)
             (vectors)
             (tutti conditions)
             (tutti gravity)
             (tutti operator)
             (tutti vector)
             (ice-9 exceptions)
             (srfi srfi-1)
             (srfi srfi-4)
             (srfi srfi-64))

(define shared (getenv "TUTTI_SHARED"))
(define json->scm (false-if-exception (module-ref (resolve-interface '(json)) 'json->scm)))

(define (numbers object key)
  (vector->list (assoc-ref object key)))

(define (compare-with-oracle oracle)
  (let* ((mesh-part (lambda (key) (numbers (assoc-ref oracle "mesh") key)))
         (mesh (tensor-mesh (mesh-part "hx") (mesh-part "hy") (mesh-part "hz") (mesh-part "origin")))
         (points (list->vector (map vector->list (numbers oracle "receivers_xyz"))))
         (tiles (map vector->list (numbers oracle "tiles_receiver_indices")))
         (operator-of (lambda (indices) (gravity-operator mesh (map (lambda (i) (vector-ref points i)) indices))))
         (op (operator-of (concatenate tiles)))
         (input (lambda (key) (list->f64vector (numbers (assoc-ref oracle "input") key))))
         (output (lambda (key) (list->f64vector (numbers (assoc-ref oracle "output") key)))))
    (test-equal "number of cells" (assoc-ref (assoc-ref oracle "mesh") "n_cells") (tensor-mesh-size mesh))
    (test-assert "matrix"
      (close? (operator->matrix op) (list->f64vector (numbers oracle "G_rowmajor_in_meta_data_order")) 1e-10))
    (test-assert "data" (close? (evaluate op (input "m_density_g_cc")) (output "dpred") 1e-12))
    (test-assert "derivative" (close? (evaluate op (input "v")) (output "Jvec") 1e-12))
    (test-assert "adjoint" (close? (apply-adjoint op (input "u")) (output "Jtvec") 1e-12))
    (test-assert "by tiles" (equal? (operator->matrix op) (vec-concatenate (map (compose operator->matrix operator-of) tiles))))))

(define (matrix mesh receivers . rest)
  (f64vector->list (operator->matrix (apply gravity-operator mesh receivers rest))))

(define (near? a b tolerance) (<= (abs (- a b)) (* tolerance (abs b))))
(define (message-of thunk) (with-exception-handler exception-message thunk #:unwind? #t))
(define-syntax-rule (test-refused name text expression)
  (test-equal name text (message-of (lambda () expression))))

;; Not symmetric in anything: 3 x 2 x 2 cells.
(define mesh (tensor-mesh '(10 20 5) '(7 8) (f64vector 4 6) '(-15 -7 -30)))

(call-with-tap
 (lambda ()
   (test-group "mesh"
     (test-equal "widths" '((10. 20. 5.) (7. 8.) (4. 6.)) (map (lambda (f) (f mesh)) (list tensor-mesh-hx tensor-mesh-hy tensor-mesh-hz)))
     (test-equal "origin" '(-15. -7. -30.) (tensor-mesh-origin mesh))
     (test-equal "shape and size" '((3 2 2) 12) (list (tensor-mesh-shape mesh) (tensor-mesh-size mesh)))
     (test-equal "cell" '(0 1 3 6 11) (map (lambda (ijk) (apply tensor-mesh-cell mesh ijk)) '((0 0 0) (1 0 0) (0 1 0) (0 0 1) (2 1 1))))
     (test-equal "centres" '(-10. -3.5 -28. 5. -3.5 -28.) (take (f64vector->list (tensor-mesh-centres mesh)) 6))
     (test-equal "last centre" '(17.5 4. -23.) (take-right (f64vector->list (tensor-mesh-centres mesh)) 3))
     (test-equal "volumes" '(280. 560. 140. 320. 640. 160. 420. 840. 210. 480. 960. 240.)
       (f64vector->list (tensor-mesh-volumes mesh)))
     (test-equal "for people" "#<tensor-mesh of 3 x 2 x 2 cells>" (format #f "~a" mesh))
     (test-equal "tensor-mesh?" '(#t #f) (map tensor-mesh? (list mesh '((1) (1) (1)))))
     (test-refused "no cells" "hy is empty, expected the width of at least one cell" (tensor-mesh '(1) '() '(1)))
     (test-refused "a width of 0" "number 1 of hz is 0.0, expected a positive width" (tensor-mesh '(1) '(1) '(1 0)))
     (test-refused "half an origin" "the origin is (0 0), expected three numbers: x, y, z" (tensor-mesh '(1) '(1) '(1) '(0 0)))
     (test-refused "no list" "hx is 5, expected a list of numbers or an f64vector" (tensor-mesh 5 '(1) '(1)))
     (test-refused "a cell that is not there" "the cell's j is 2, expected an integer from 0 to 1" (tensor-mesh-cell mesh 0 2 0)))

   (test-group "oracle"
     (cond ((not shared) (tap-skip "matrix" "TUTTI_SHARED is not set"))
           ((not json->scm) (tap-skip "matrix" "guile-json is not installed"))
           (else (compare-with-oracle (call-with-input-file (string-append shared "/oracle/simpeg/grav_tiled.json") json->scm)))))

   (test-group "what is known"
     (test-assert "far away, a cell is a point"
       ;; 6.6743e-3 mGal m^2 / (g/cc m^3); the next term is smaller by (size / distance)^2.
       (let* ((distance 1e5) (volumes (f64vector->list (tensor-mesh-volumes mesh))) (centres (tensor-mesh-centres mesh)))
         (every (lambda (value volume cell)
                  (let* ((coordinate (lambda (axis) (f64vector-ref centres (+ (* 3 cell) axis))))
                         (x (- (coordinate 0) distance)) (y (coordinate 1)) (z (- (coordinate 2) distance)))
                    (near? value (* 6.6743e-3 volume z (expt (+ (* x x) (* y y) (* z z)) -3/2)) 1e-6)))
                (matrix mesh (list (list distance 0 distance))) volumes (iota 12))))
     (test-assert "a wide plate has 2 pi G times density times thickness"
       (near? (car (matrix (tensor-mesh '(1e7) '(1e7) '(10) '(-5e6 -5e6 -10)) '((0 0 1)))) (* -2 (acos -1) 6.6743e-3 10) 1e-5))
     (test-assert "from below it is the other way round"
       (let ((plate (tensor-mesh '(100) '(100) '(10) '(-50 -50 -5))))
         (apply near? (append (matrix plate '((3 4 -25))) (map - (matrix plate '((3 4 25)))) '(1e-14)))))
     (test-assert "a symmetric mesh has symmetric data"
       (let ((symmetric (tensor-mesh '(30 10 10 30) '(20 20) '(15) '(-40 -20 -15)))
             (points '((25 7 3) (-25 7 3) (25 -7 3) (-25 -7 3))))
         (close? (make-f64vector 4 1.)
                 (let ((data (evaluate (gravity-operator symmetric points) (make-f64vector 8 1.))))
                   (vec-scale (/ (f64vector-ref data 0)) data))
                 1e-13)))
     (test-assert "a cell's corner, edge, face and middle are points like others"
       (every (lambda (point)
                (let ((beside (map (lambda (delta) (map + point (list delta delta (- delta)))) '(1e-7 -1e-7)))
                      (op (lambda (points) (evaluate (gravity-operator mesh points) (make-f64vector 12 1.)))))
                  (near? (f64vector-ref (op (list point)) 0)
                         (/ (vec-dot (f64vector 1 1) (op beside)) 2) 1e-6)))
              '((-15 -7 -20) (-5 0 -26) (-10 0 -26) (0 0 -20) (0 3 -28) (3 4 -26))))
     (test-equal "in its middle a cell pulls nowhere" '(0.) (map abs (matrix (tensor-mesh '(2) '(3) '(4) '(-1 -1.5 -2)) '((0 0 0))))))

   (test-group "operator"
     (let ((op (gravity-operator mesh '((0 0 0) (1 2 3) (-4 5 6)))))
       (test-equal "shape" '(12 3 #t) (list (operator-domain op) (operator-codomain op) (linear? op)))
       (test-assert "dot" (same-dot? (lambda (x) (evaluate op x)) (lambda (y) (apply-adjoint op y)) (random-real 12) (random-real 3)))
       (test-assert "one datum is a row"
         (equal? (apply-adjoint op (f64vector 0 -2 0)) (vec-scale -2 (list->f64vector (matrix mesh '((1 2 3)))))))
       (test-assert "points in one vector" (equal? (operator->matrix op) (list->f64vector (matrix mesh (f64vector 0 0 0 1 2 3 -4 5 6)))))
       (test-assert "the derivative is the operator"
         (call-with-values (lambda () (linearize op (random-real 12)))
           (lambda (y derivative) (equal? (operator->matrix derivative) (operator->matrix op))))))
     (test-equal "active cells" (map (lambda (i) (list-ref (matrix mesh '((1 2 3))) i)) '(1 7 11))
       (matrix mesh '((1 2 3)) #:active '(1 7 11))))

   (test-group "refused"
     (test-refused "half a receiver" "receiver 1 is (1 2), expected three numbers: x, y, z" (gravity-operator mesh '((0 0 0) (1 2))))
     (test-refused "receivers that do not go by three"
       "operator 'gravity prisms', create: 'receivers' (x, y, z of each in m) has 4 numbers, expected three for each point"
       (gravity-operator mesh (f64vector 1 2 3 4)))
     (test-refused "no receivers" "operator 'gravity prisms', create: 'receivers' (x, y, z of each in m) is empty"
       (gravity-operator mesh '()))
     (test-refused "active cells that do not ascend"
       "operator 'gravity prisms', create: 'active' number 1 is 3 after 3; cells must ascend, none twice"
       (gravity-operator mesh '((0 0 0)) #:active '(3 3)))
     (test-refused "active cells that are not there"
       "operator 'gravity prisms', create: 'active' number 0 is 12, expected a cell from 0 to 11"
       (gravity-operator mesh '((0 0 0)) #:active '(12)))
     (test-condition "no mesh" wrong-type? (gravity-operator '((1) (1) (1)) '((0 0 0))))
     (test-condition "densities of another mesh" shape-error? (evaluate (gravity-operator mesh '((0 0 0))) (f64vector 1 2 3))))))
