;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Time is counted in nanoseconds since 1970 in UTC, without leap seconds, as exact integers.
(define-module (tutti mt time)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (ice-9 regex)
  #:use-module (tutti base check)
  #:export (string->time parse-time time->string nanoseconds))

(define nanoseconds
  ;; in a second
  1000000000)

;; Days are counted in years that begin in March, so that the leap day is the last (Hinnant, "chrono-compatible low-level date algorithms").

(define (days-from-civil year month day)
  (let* ((y (if (<= month 2) (1- year) year))
         (era (floor-quotient y 400))
         (year-of-era (- y (* era 400)))
         (day-of-year (+ (quotient (+ (* 153 (+ month (if (> month 2) -3 9))) 2) 5) (1- day))))
    (+ (* era 146097) (* year-of-era 365) (quotient year-of-era 4) (- (quotient year-of-era 100)) day-of-year -719468)))

(define (civil-from-days days)
  "Return the list of the year, month and day that is DAYS after the first of January 1970."
  (let* ((z (+ days 719468))
         (era (floor-quotient z 146097))
         (day-of-era (- z (* era 146097)))
         (year-of-era (quotient (- day-of-era (quotient day-of-era 1460) (- (quotient day-of-era 36524)) (quotient day-of-era 146096)) 365))
         (day-of-year (- day-of-era (+ (* 365 year-of-era) (quotient year-of-era 4) (- (quotient year-of-era 100)))))
         (mp (quotient (+ (* 5 day-of-year) 2) 153))
         (month (if (< mp 10) (+ mp 3) (- mp 9))))
    (list (+ year-of-era (* era 400) (if (<= month 2) 1 0)) month (1+ (- day-of-year (quotient (+ (* 153 mp) 2) 5))))))

(define form
  (make-regexp (string-append "^([0-9]{4})-([0-9]{2})-([0-9]{2})([Tt ]([0-9]{2}):([0-9]{2})(:([0-9]{2})(\\.([0-9]{1,9}))?)?)?"
                              " ?([Zz]|UTC|[-+][0-9]{2}(:?[0-9]{2})?)?$")))

(define (zone-offset text)
  "Return by how many seconds clocks in the zone TEXT, such as +02:00, are ahead of UTC; #f if there is none such."
  (if (memv (string-ref text 0) '(#\+ #\-))
      (let* ((digits (string-delete #\: text))
             (hours (string->number (substring digits 1 3) 10))
             (minutes (if (> (string-length digits) 3) (string->number (substring digits 3) 10) 0)))
        (and (<= hours 23) (< minutes 60)
             (* (if (char=? (string-ref text 0) #\-) -1 1) (+ (* 3600 hours) (* 60 minutes)))))
      0))

(define (parse-time text)
  "Return the time that the string @var{text} says, or @code{#f} if it says none: @code{string->time} has the form."
  (let* ((m (regexp-exec form text))
         (number (lambda (i) (let ((part (and m (match:substring m i)))) (if part (string->number part 10) 0)))))
    (and m
         (let* ((days (days-from-civil (number 1) (number 2) (number 3)))
                (fraction (or (match:substring m 10) "0"))
                (zone (match:substring m 11))
                (ahead (if zone (zone-offset zone) 0))
                (hour (number 5)) (minute (number 6)) (second (number 8)))
           ;; The thirtieth of February would come back as another day.
           (and (<= 1 (number 2) 12)
                (equal? (civil-from-days days) (list (number 1) (number 2) (number 3)))
                (< hour 24) (< minute 60) (< second 60)
                ahead
                ;; A zone belongs to a time of day.
                (or (not zone) (match:substring m 4) (zero? ahead))
                (+ (* nanoseconds (- (+ (* 86400 days) (* 3600 hour) (* 60 minute) second) ahead))
                   (* (string->number fraction 10) (expt 10 (- 9 (string-length fraction))))))))))

(define (string->time text)
  "Return the time in the string @var{text}, such as @samp{2020-05-17T09:30:00.25}, in nanoseconds since 1970.  It is in UTC, unless a
zone follows: @samp{+02:00}, @samp{-0330} or @samp{+01}, by which its clocks are ahead; @samp{Z} and @samp{UTC} mean UTC.  A blank may
stand for the T; fractions, of which there are up to nine digits, seconds and the time of day may be left out."
  (or (parse-time text)
      (refuse 'string->time "~s is no time, expected one such as 2020-05-17T09:30:00.25" text)))

(define (time->string time)
  "Return @var{time}, in nanoseconds since 1970, as a string of the form that @code{string->time} reads."
  (let* ((seconds (floor-quotient time nanoseconds))
         (fraction (floor-remainder time nanoseconds))
         (of-day (floor-remainder seconds 86400)))
    (match (civil-from-days (floor-quotient seconds 86400))
      ((year month day)
       (format #f "~4,'0d-~2,'0d-~2,'0dT~2,'0d:~2,'0d:~2,'0d~a" year month day
               (quotient of-day 3600) (remainder (quotient of-day 60) 60) (remainder of-day 60)
               (if (zero? fraction) "" (string-append "." (string-trim-right (format #f "~9,'0d" fraction) #\0))))))))
