;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Pictures in SVG as gnuplot writes them: which of their texts are cut by the picture's edge.
(define-module (svg)
  #:use-module (ice-9 match)
  #:use-module (ice-9 regex)
  #:use-module (ice-9 textual-ports)
  #:use-module (srfi srfi-1)
  #:export (svg-texts cut-texts))

(define size-pattern "width=\"([0-9]+)\" height=\"([0-9]+)\"")
(define text-pattern
  (string-append "translate\\(([-0-9.]+),([-0-9.]+)\\)( rotate\\(([-0-9]+)\\))?\"[^>]*font-size=\"([0-9.]+)\"[^>]*text-anchor=\"([a-z]+)\">"
                 "[[:space:]]*<text>(([^<]|<tspan[^>]*>|</tspan>)*)</text>"))

(define (without-tags text)
  (regexp-substitute/global #f "<[^>]*>" text 'pre 'post))

(define (read-svg file)
  (call-with-input-file file get-string-all #:encoding "UTF-8"))

(define (placed-texts svg)
  "Return a list of lists of a text in SVG, its place, its turn, the size of its letters, and which part of it is at that place."
  (map (lambda (found)
         (define (part i) (match:substring found i))
         (list (without-tags (part 7)) (string->number (part 1)) (string->number (part 2)) (if (part 4) (string->number (part 4)) 0)
               (string->number (part 5)) (part 6)))
       (list-matches text-pattern svg)))

(define (svg-texts file)
  "Return the list of the texts in the picture @var{file}."
  (map first (placed-texts (read-svg file))))

;; What letters take at least, in parts of their size: their width, and what is above and below the line.
(define narrow 0.45)
(define above 0.7)
(define below 0.2)

(define (cut-texts file)
  "Return the list of those texts in the picture @var{file} that are not wholly in it, by the least room that they can need."
  (let* ((svg (read-svg file))
         (size (string-match size-pattern svg))
         (width (string->number (match:substring size 1)))
         (height (string->number (match:substring size 2))))
    (filter-map
     (match-lambda
       ((text x y turn letters anchor)
        (let* ((length (* narrow letters (string-length text)))
               (start (- (cond ((string=? anchor "middle") (/ length 2)) ((string=? anchor "end") length) (else 0))))
               (end (+ start length)))
          (call-with-values (lambda ()
                              (if (zero? turn)
                                  (values (+ x start) (+ x end) (- y (* above letters)) (+ y (* below letters)))
                                  (values (- x (* above letters)) (+ x (* below letters)) (- y end) (- y start))))
            (lambda (left right top bottom)
              (and (not (and (<= 0 left right width) (<= 0 top bottom height))) text))))))
     (placed-texts svg))))
