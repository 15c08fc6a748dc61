;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Windows that several sites have at the same time, wherever their results are.
(define-module (tutti mt align)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (tutti base documented)
  #:use-module (tutti base log)
  #:use-module (tutti mt layout)
  #:use-module (tutti mt levels)
  #:use-module (tutti mt project)
  #:export (place
            place?
            place-measurement
            place-extent
            place-chunk
            measurement-places
            piece-first-window
            piece-windows
            piece-places
            piece-row
            simultaneous-pieces
            site-overlaps
            warn-of-overlaps))

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

(define-documented #:of place
  (place-measurement %place-measurement
   "Return the measurement that @var{place} is a chunk of.")
  (place-extent %place-extent
   "Return the extent that @var{place} is a chunk of.")
  (place-chunk %place-chunk
   "Return the chunk of @var{place}."))

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
  piece?
  (first-window %first-window)
  (windows %windows)
  (places %places))

(define-documented #:of piece
  (piece-first-window %first-window
   "Return the number of the first window of @var{piece}.")
  (piece-windows %windows
   "Return how many windows are in @var{piece}.")
  (piece-places %places
   "Return the list of the places of @var{piece}, one for each site."))

(define (piece-row piece place)
  "Return in which row of the chunk of @var{place} the first window of @var{piece} is."
  (- (%first-window piece) (chunk-first-window (%place-chunk place))))

(define (piece-end piece)
  (+ (piece-first-window piece) (piece-windows piece)))

(define (simultaneous-pieces places . more)
  "Return the list of the pieces of the windows that are in @var{places}, those of one site, and in each of @var{more}, those of others.
A window that a site has in several places, as its measurements overlap, is in the first of them alone: it is one observation."
  (fold (lambda (others pieces)
          (append-map (lambda (piece) (filter-map (lambda (other) (intersect piece other)) others)) pieces))
        (counted-once places)
        (map counted-once more)))

(define (intersect piece other)
  (let ((first (max (piece-first-window piece) (piece-first-window other)))
        (end (min (piece-end piece) (piece-end other))))
    (and (< first end)
         (make-piece first (- end first) (append (piece-places piece) (piece-places other))))))

(define (counted-once places)
  "Return the list of the pieces of PLACES, of one site, without windows that an earlier place has."
  (define (without ranges taken)
    ;; RANGES are pairs of a first window and the one behind the last; TAKEN is one of them.
    (append-map (match-lambda
                  ((first . end)
                   (filter (lambda (range) (< (car range) (cdr range)))
                           (list (cons first (min end (car taken))) (cons (max first (cdr taken)) end)))))
                ranges))
  (let loop ((places places) (taken '()) (pieces '()))
    (match places
      (() (reverse pieces))
      ((place . rest)
       (let* ((chunk (place-chunk place))
              (own (cons (chunk-first-window chunk) (chunk-end-window chunk)))
              (left (fold (lambda (range ranges) (without ranges range)) (list own)
                          (filter (lambda (range) (and (< (car range) (cdr own)) (< (car own) (cdr range)))) taken))))
         (loop rest (cons own taken)
               (append (reverse (map (match-lambda ((first . end) (make-piece first (- end first) (list place)))) left)) pieces)))))))

;;; Windows that a site has recorded twice.

(define (site-overlaps project site rates)
  "Return the list of the overlaps of measurements of @var{site} at one rate, of those in @var{rates} or @code{#f} for all: lists of the
later measurement, an earlier one, and the start and the end of what both have, in nanoseconds since 1970."
  (define (overlap later earlier)
    (let ((start (max (measurement-start later) (measurement-start earlier)))
          (end (min (measurement-end later) (measurement-end earlier))))
      ;; One that goes on where the other ends may seem to begin a nanosecond before, which is no sample.
      (and (= (measurement-rate later) (measurement-rate earlier))
           (> (* 2 (- end start) (measurement-rate later)) (expt 10 9))
           (list later earlier start end))))
  (let loop ((measurements (chosen-measurements project (list site) rates)) (before '()))
    (match measurements
      (() '())
      ((measurement . rest)
       (append (filter-map (lambda (earlier) (overlap measurement earlier)) (reverse before))
               (loop rest (cons measurement before)))))))

(define (warn-of-overlaps project site rates)
  "Write a line to the error port for each of @code{site-overlaps}."
  (for-each (match-lambda
              ((later earlier start end)
               (write-line-beside
                (current-error-port)
                (format #f "tutti: warning: site ~a: the measurements ~a and ~a overlap from ~a to ~a; windows of this time are used once, ~
those of ~a are left out" site (measurement-name earlier) (measurement-name later) (time->string start) (time->string end)
                        (measurement-name later)))))
            (site-overlaps project site rates)))
