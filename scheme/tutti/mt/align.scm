;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Windows that several sites have at the same time, wherever their results are.
(define-module (tutti mt align)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (tutti mt layout)
  #:use-module (tutti mt levels)
  #:export (place
            place?
            place-measurement
            place-extent
            place-chunk
            measurement-places
            piece?
            piece-first-window
            piece-windows
            piece-places
            piece-row
            simultaneous-pieces))

;; A chunk of a measurement.
(define-record-type <place>
  (place measurement extent chunk)
  %place?
  (measurement %place-measurement)
  (extent %place-extent)
  (chunk %place-chunk))

(define (place? x)
  "Return true if @var{x} is a chunk of a certain measurement."
  (%place? x))

(define (place-measurement place)
  "Return the measurement that @var{place} is a chunk of."
  (%place-measurement place))

(define (place-extent place)
  "Return the extent that @var{place} is a chunk of."
  (%place-extent place))

(define (place-chunk place)
  "Return the chunk of @var{place}."
  (%place-chunk place))

(define (measurement-places project measurement level)
  "Return the list of the places of @var{measurement} in the level with number @var{level}, in the order of their windows."
  (append-map (lambda (extent)
                (if (= (level-number (extent-level extent)) level)
                    (map (lambda (chunk) (place measurement extent chunk)) (extent-chunks extent))
                    '()))
              (measurement-extents project measurement)))

;; Windows in a row that are in one place of each of several sites.
(define-record-type <piece>
  (make-piece first-window windows places)
  %piece?
  (first-window %first-window)
  (windows %windows)
  (places %places))

(define (piece? x)
  "Return true if @var{x} is a piece of simultaneous windows."
  (%piece? x))

(define (piece-first-window piece)
  "Return the number of the first window of @var{piece}."
  (%first-window piece))

(define (piece-windows piece)
  "Return how many windows are in @var{piece}."
  (%windows piece))

(define (piece-places piece)
  "Return the list of the places of @var{piece}, one for each site."
  (%places piece))

(define (piece-row piece place)
  "Return in which row of the chunk of @var{place} the first window of @var{piece} is."
  (- (%first-window piece) (chunk-first-window (%place-chunk place))))

(define (simultaneous-pieces places . more)
  "Return the list of the pieces of the windows that are in @var{places}, those of one site, and in each of @var{more}, those of others."
  (fold (lambda (others pieces)
          (append-map (lambda (piece) (filter-map (lambda (place) (intersect piece place)) others)) pieces))
        (map (lambda (place)
               (make-piece (chunk-first-window (place-chunk place)) (chunk-windows (place-chunk place)) (list place)))
             places)
        more))

(define (intersect piece place)
  (let* ((chunk (place-chunk place))
         (first (max (piece-first-window piece) (chunk-first-window chunk)))
         (end (min (+ (piece-first-window piece) (piece-windows piece)) (chunk-end-window chunk))))
    (and (< first end)
         (make-piece first (- end first) (append (piece-places piece) (list place))))))
