;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Names of hosts: lists of them as Slurm writes them, and which of several is the one that calls itself so.
(define-module (tutti launcher hosts)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (ice-9 regex)
  #:use-module (srfi srfi-1)
  #:export (host-list->names find-host))

(define most-names 100000)

(define (split-outside text)
  "Return the parts of TEXT between commas that are not in brackets; #f if brackets are not in pairs."
  (let loop ((rest (string->list text)) (part '()) (parts '()) (inside? #f))
    (match rest
      (() (and (not inside?) (reverse (cons (reverse-list->string part) parts))))
      ((#\[ . rest) (and (not inside?) (loop rest (cons #\[ part) parts #t)))
      ((#\] . rest) (and inside? (loop rest (cons #\] part) parts #f)))
      ((#\, . rest) (if inside?
                        (loop rest (cons #\, part) parts #t)
                        (loop rest '() (cons (reverse-list->string part) parts) #f)))
      ((c . rest) (loop rest (cons c part) parts inside?)))))

(define range (make-regexp "^([0-9]+)(-([0-9]+))?$"))

(define (range->texts text)
  "Return the numbers of TEXT, 3 or 08-11, with as many digits as the first has; #f if it is none."
  (match (regexp-exec range text)
    (#f #f)
    (found
     (let* ((first-text (match:substring found 1))
            (first (string->number first-text))
            (last (string->number (or (match:substring found 3) first-text))))
       (and (<= first last) (< (- last first) most-names)
            (map (lambda (n) (string-pad (number->string n) (max (string-length first-text) (string-length (number->string n))) #\0))
                 (iota (- last first -1) first)))))))

(define bracket (make-regexp "^([^[]*)\\[([^]]*)\\](.*)$"))

(define (expand text)
  "Return the list of names that TEXT, one name perhaps with brackets, stands for; #f if it is none."
  (match (regexp-exec bracket text)
    (#f (and (not (string-null? text)) (list text)))
    (found
     (let ((middles (map range->texts (string-split (match:substring found 2) #\,)))
           (ends (let ((end (match:substring found 3))) (if (string-null? end) '("") (expand end)))))
       (and (every identity middles) ends
            (let ((middles (concatenate middles)))
              (and (< (* (length middles) (length ends)) most-names)
                   (append-map (lambda (middle)
                                 (map (lambda (end) (string-append (match:substring found 1) middle end)) ends))
                               middles))))))))

(define (host-list->names text)
  "Return the list of names that the host list @var{text} stands for, as @code{n[1-3,08],gpu1} does; @code{#f} if it cannot be read."
  (let ((parts (and=> (split-outside text) (lambda (parts) (map expand parts)))))
    (and parts (every identity parts) (concatenate parts))))

(define (short name) (car (string-split name #\.)))

(define* (find-host name hosts #:optional (name-of identity))
  "Return the one of @var{hosts} whose name, that @var{name-of} returns for it, is @var{name}; or is the same before the first dot, as a
machine may call itself by its whole name or not. @code{#f} if there is none, or if these are several."
  (or (find (lambda (host) (string-ci=? name (name-of host))) hosts)
      (match (filter (lambda (host) (string-ci=? (short name) (short (name-of host)))) hosts)
        ((host) host)
        (_ #f))))
