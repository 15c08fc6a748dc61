;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Large values in short, as the REPL prints them: of a vector with a million numbers the first and the last three, and how many there are.
;; What is small is printed as Guile writes it.
(define-module (tutti repl abbreviation)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base primitives)
  #:export (print-threshold write-abbreviated))

(define (check-threshold limit)
  (unless (or (not limit) (and (exact-integer? limit) (>= limit 0)))
    (scm-error 'wrong-type-arg "print-threshold" "expected a number of elements, or #f to print everything; got ~S"
               (list limit) (list limit)))
  limit)

(define print-threshold (make-parameter 1000 check-threshold))
(set-object-property! print-threshold 'documentation
                      "How many elements a value may have that the REPL prints in full; @code{#f}: any number. It is set by
@code{(print-threshold 100)}.")

(define edge 3)                         ; elements shown at each end
(define characters-of-element 80)       ; of a string: about as much to read as an element
(define deepest 20)

;;; How much there is to print.

(define (usual-printer? printer)
  ;; Each type has a closure of its own.
  (and (procedure? printer) (eq? (procedure-name printer) 'default-record-printer)))

(define (plain-record? value)
  "Is @var{value} a record that Guile prints field by field?"
  (and (record? value)
       (usual-printer? (struct-ref (record-type-descriptor value) vtable-index-printer))))

(define (record-values record)
  (map (lambda (i) (struct-ref record i)) (iota (length (record-type-fields (record-type-descriptor record))))))

(define (any-elements? array)
  (eq? (array-type array) #t))

(define (elements array)
  (apply * (array-dimensions* array)))

(define (array-dimensions* array)
  (map (match-lambda ((low high) (1+ (- high low)))) (array-shape array)))

(define (compound? value)
  (or (pair? value) (string? value) (array? value) (plain-record? value)))

(define (size value limit)
  "Return how many elements @var{value} has in all, or any number above @var{limit} if there are more."
  (define (add-part part n)
    (if (compound? part) (add part (1+ n)) (1+ n)))
  (define (add value n)
    (cond ((> n limit) n)
          ((pair? value)
           (let ((n (add-part (car value) n)))
             (cond ((pair? (cdr value)) (add (cdr value) n))
                   ((null? (cdr value)) n)
                   (else (add-part (cdr value) n)))))
          ((string? value) (+ n (quotient (string-length value) characters-of-element)))
          ((array? value)
           (let ((all (+ n (elements value))))
             (if (and (any-elements? value) (<= all limit))
                 (let ((n n))
                   (array-for-each (lambda (part) (set! n (add-part part n))) value)
                   n)
                 all)))
          (else (fold add-part n (record-values value)))))
  (if (compound? value) (add value 0) 0))

;;; Printing.

(define (ellipsis port)
  (if (string-prefix? "UTF" (or (port-encoding port) "")) "…" "..."))

(define (note text outermost?)
  ;; Read again, it is a comment.
  (string-append (if outermost? "  ; " " #|") text (if outermost? "" "|#")))

(define (count-text number what outermost?)
  (note (format #f "~a ~a" number what) outermost?))

(define (share budget shown)
  (quotient budget (max 1 shown)))

(define (print-some n print-element port gap)
  "Call @var{print-element} with the indices of what is shown of @var{n} elements."
  (let ((shorter? (> n (* 2 edge))))
    (for-each (lambda (i)
                (unless (zero? i) (display gap port))
                (when (and shorter? (= i (- n edge)))
                  (display (ellipsis port) port)
                  (display gap port))
                (print-element i))
              (if shorter? (append (iota edge) (iota edge (- n edge))) (iota n)))))

(define (shown n)
  (min n (* 2 edge)))

(define (pairs value)
  "Return two values: how many pairs the list @var{value} is made of, @code{#f} if it has no end; and what stands behind the last."
  (let loop ((slow value) (fast value) (n 0))
    (cond ((not (pair? fast)) (values n fast))
          ((not (pair? (cdr fast))) (values (1+ n) (cdr fast)))
          ((and (positive? n) (eq? slow fast)) (values #f #f))
          (else (loop (cdr slow) (cddr fast) (+ n 2))))))

(define (print-list value budget depth port outermost?)
  (call-with-values (lambda () (pairs value))
    (lambda (n tail)
      (let* ((count (or n (* 2 edge)))
             (shorter? (> count (* 2 edge)))
             (end (if shorter? (list-tail value (- count edge)) value))
             (budget (share budget (shown count))))
        (display "(" port)
        (print-some count
                    (lambda (i)
                      (print (if (and shorter? (>= i edge)) (list-ref end (- i (- count edge))) (list-ref value i))
                             budget depth port))
                    port " ")
        (cond ((not n) (format port " ~a" (ellipsis port)))
              ((not (null? tail))
               (display " . " port)
               (print tail budget depth port)))
        (display ")" port)
        (cond ((not n) (display (note "without end" outermost?) port))
              (shorter? (display (count-text n "elements" outermost?) port)))))))

(define (array-prefix array)
  (let ((type (array-type array))
        (rank (array-rank array))
        (lows (map first (array-shape array))))
    (if (and (= rank 1) (equal? lows '(0)))
        (if (eq? type #t) "#" (format #f "#~a" type))
        (format #f "#~a~a~a" rank (if (eq? type #t) "" type)
                (if (every zero? lows) "" (string-concatenate (map (lambda (low) (format #f "@~a" low)) lows)))))))

(define (print-array array budget depth port outermost?)
  (let* ((lengths (array-dimensions* array))
         (lows (map first (array-shape array)))
         (budget (share budget (apply * (map shown lengths))))
         (bits? (and (bitvector? array) (= 1 (array-rank array)))))
    (define (print-dimension lengths lows indices)
      (if (null? lengths)
          (let ((element (apply array-ref array (reverse indices))))
            (if bits?
                (display (if element 1 0) port)
                (print element budget depth port)))
          (begin
            (unless bits? (display "(" port))
            (print-some (car lengths)
                        (lambda (i) (print-dimension (cdr lengths) (cdr lows) (cons (+ i (car lows)) indices)))
                        port (if bits? "" " "))
            (unless bits? (display ")" port)))))
    (display (if bits? "#*" (array-prefix array)) port)
    (print-dimension lengths lows '())
    (when (any (lambda (n) (> n (* 2 edge))) lengths)
      (display (count-text (string-join (map number->string lengths) " x ")
                           (cond (bits? "bits") ((%shared-vector? array) "elements, shared") (else "elements")) outermost?) port))))

(define (print-string text budget port outermost?)
  (let ((n (* edge characters-of-element)))
    (define (inside part) (let ((written (object->string part))) (substring written 1 (1- (string-length written)))))
    (if (> (string-length text) (* 2 n))
        (format port "\"~a~a~a\"~a" (inside (string-take text n)) (ellipsis port) (inside (string-take-right text n))
                (count-text (string-length text) "characters" outermost?))
        (write text port))))

(define (print-record record budget depth port)
  (let* ((type (record-type-descriptor record))
         (values (record-values record))
         (budget (share budget (length values))))
    (format port "#<~a" (record-type-name type))
    (for-each (lambda (name value)
                (format port " ~a: " name)
                (print value budget depth port))
              (record-type-fields type) values)
    (display ">" port)))

(define* (print value budget depth port #:optional outermost?)
  (cond ((<= (size value budget) budget) (write value port))
        ((string? value) (print-string value budget port outermost?))
        ((not (or (pair? value) (array? value) (plain-record? value))) (write value port))
        ((or (zero? budget) (= depth deepest)) (display (ellipsis port) port))
        ((pair? value) (print-list value budget (1+ depth) port outermost?))
        ((array? value) (print-array value budget (1+ depth) port outermost?))
        (else (print-record value budget (1+ depth) port))))

(define* (write-abbreviated value #:optional (port (current-output-port)))
  "Write @var{value} to @var{port}, shortened if it has more elements than @code{print-threshold}."
  (let ((limit (print-threshold)))
    (if limit
        (print value limit 0 port #t)
        (write value port))))
