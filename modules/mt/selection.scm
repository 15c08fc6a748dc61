;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The windows that a transfer function is estimated from: those that all its sites have, that no mask excludes, and that are within the
;; selected times.
(define-module (tutti mt selection)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (tutti base check)
  #:use-module (tutti mt align)
  #:use-module (tutti mt layout)
  #:use-module (tutti mt levels)
  #:use-module (tutti mt mask)
  #:use-module (tutti mt masking)
  #:use-module (tutti mt project)
  #:use-module (tutti mt sources)
  #:export (site-masks
            time-intervals
            sample-intervals
            piece-masks
            piece-mask
            role-pieces))

;;; Masks.

(define (->mask-name mask)
  (cond ((mask? mask) (mask-name mask))
        ((string? mask) mask)
        (else (refuse 'process-site "#:masks has ~s, expected a mask, its name, or a list of a site and masks for it" mask))))

(define (site-masks project masks site role-site)
  "Return the list of the names of those of @var{masks} that are about @var{role-site} when the outputs are from @var{site}: a mask or its
name is for that one, a list that begins with the name of a site for the one it names."
  (append-map (match-lambda
                (((? string? name) . others)
                 (chosen-sites 'process-site project (list name))
                 (if (string=? name role-site) (map ->mask-name others) '()))
                (mask (if (string=? site role-site) (list (->mask-name mask)) '())))
              masks))

(define (piece-masks project piece names-of)
  "Return the list of the masks for @var{piece}: lists of a source, the row of the first window in it, and how many numbers are in a row.
@var{names-of} is called with a site, and returns the names of its masks."
  (append-map (lambda (place)
                (map (lambda (name) (place-mask project piece place name))
                     (names-of (measurement-site (place-measurement place)))))
              (piece-places piece)))

(define (place-mask project piece place name)
  (let* ((extent (place-extent place))
         (frequencies (level-frequencies (extent-level extent)))
         (source (mask-source project name place))
         (header (read-source-header source)))
    (unless (equal? (list (assq-ref header 'first-window) (assq-ref header 'windows) (assq-ref header 'frequencies))
                    (list (extent-first-window extent) (extent-windows extent) frequencies))
      (refuse 'process-site "the mask ~a of ~a is about other windows or frequencies (~a); run calculate-statistics and ~
calculate-mask again" name (measurement-title (place-measurement place)) (source-file source)))
    (list source (- (piece-first-window piece) (extent-first-window extent)) (length frequencies))))

(define (read-mask mask column n)
  "Return what MASK, one of piece-masks, says of N windows at the frequency with the number COLUMN."
  (match mask
    ((source row columns)
     (let ((all (read-source source))
           (part (make-u8vector n)))
       (do ((i 0 (1+ i)))
           ((= i n) part)
         (u8vector-set! part i (u8vector-ref all (+ column (* columns (+ row i))))))))))

;;; Times.

(define (->time who what time)
  (cond ((not time) #f)
        ((string? time) (string->time time))
        ((exact-integer? time) time)
        (else (refuse who "~a is ~s, expected a time such as \"2020-05-17T09:30:00\", or nanoseconds since 1970" what time))))

(define (time-intervals who from to intervals)
  "Return the list of pairs of two times, in ns since 1970, that lie between @var{from} and @var{to} and in one of @var{intervals}, a list
of lists of two; or @code{#f} if none of these is given.  Times may be strings, and @code{#f} is no bound."
  (define (later a b) (cond ((not a) b) ((not b) a) (else (max a b))))
  (define (earlier a b) (cond ((not a) b) ((not b) a) (else (min a b))))
  (let ((from (->time who "#:from" from))
        (to (->time who "#:to" to)))
    (cond (intervals
           (map (match-lambda
                  ((first last) (cons (later from (->time who "a start in #:intervals" first))
                                      (earlier to (->time who "an end in #:intervals" last))))
                  (interval (refuse who "#:intervals has ~s, expected lists of two times" interval)))
                (if (list? intervals) intervals (list intervals))))
          ((or from to) (list (cons from to)))
          (else #f))))

(define (sample-intervals project rate intervals)
  "Return the list of @var{intervals}, pairs of two times in ns since 1970 of which each may be @code{#f} for no bound, as pairs of
global sample numbers at @var{rate}: the first, and the one after the last."
  (let* ((reference (project-reference project rate))
         (sample (lambda (time) (/ (* (- time reference) (inexact->exact rate)) (expt 10 9))))
         ;; Times of samples are rounded to nanoseconds.
         (tolerance (max 1/1000000 (/ (inexact->exact rate) (expt 10 9)))))
    (map (match-lambda
           ((from . to)
            (cons (and from (ceiling (- (sample from) tolerance))) (and to (1+ (floor (+ (sample to) tolerance)))))))
         intervals)))

(define (within? intervals level window)
  (let* ((start (window-start level window))
         (end (+ start (* (level-factor level) (1- (level-size level))) 1)))
    (any (match-lambda
           ((from . to) (and (or (not from) (<= from start)) (or (not to) (<= end to)))))
         intervals)))

(define (time-mask intervals level piece)
  (let ((mask (make-u8vector (piece-windows piece) 0)))
    (do ((i 0 (1+ i)))
        ((= i (piece-windows piece)) mask)
      (when (within? intervals level (+ i (piece-first-window piece)))
        (u8vector-set! mask i 1)))))

(define (piece-mask piece masks intervals level column)
  "Return the u8vector with a 1 for each window of @var{piece} that may be used for the frequency with the number @var{column} of
@var{level}, or @code{#f} if all may: by @var{masks}, those of @code{piece-masks}, and @var{intervals}, those of
@code{sample-intervals} or @code{#f}."
  (let ((all (append (if intervals (list (time-mask intervals level piece)) '())
                     (map (lambda (mask) (read-mask mask column (piece-windows piece))) masks))))
    (and (pair? all) (apply mask-and all))))

;;; Windows.

(define (role-pieces project sites rate level)
  "Return the list of the pieces of the windows of the level with the number @var{level} that all of @var{sites}, which differ, have at
@var{rate} at the same time."
  (apply simultaneous-pieces
         (map (lambda (site)
                (append-map (lambda (measurement) (measurement-places project measurement level))
                            (chosen-measurements project (list site) (list rate))))
              sites)))
