;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Prior information of PEST: linear equations of parameters, or of their logarithms to base 10.
(define-module (tutti command pest-equation)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti command pest-section)
  #:use-module (tutti command scan)
  #:export (join-continued equation-row equation-item))

(define who 'read-pest-control)

;; A token is a pair of its text and of its place.

(define (row-tokens row)
  (map (lambda (word) (cons (word-text word) (row-place row))) (row-words row)))

(define (join-continued rows)
  "Return the list of the lists of pairs of words and places in @var{rows}; a row that begins with @samp{&} continues the one before it."
  (let next ((lists (map row-tokens rows)) (done '()))
    (match lists
      (() (reverse (map (lambda (parts) (concatenate (reverse parts))) done)))
      (((("&" . place) . more) . lists)
       (when (null? done) (complain-about who place "a & continues a line, and there is none before it"))
       (next lists (cons (cons more (car done)) (cdr done))))
      ((tokens . lists) (next lists (cons (list tokens) done))))))

(define equation-syntax "LABEL FACTOR * PARAMETER + FACTOR * log(PARAMETER) … = VALUE WEIGHT GROUP, with blanks between all items")

(define (token-place tokens place) (if (pair? tokens) (cdar tokens) place))

(define (real-of tokens what place)
  (or (and (pair? tokens) (parse-finite (caar tokens)))
      (complain-about who (token-place tokens place) "~a ~a; expected ~a"
                      (if (pair? tokens) (format #f "~s is no" (caar tokens)) "the line ends, without") what equation-syntax)))

(define (parameter text)
  "Return the name of the parameter that TEXT is, and whether its logarithm is meant."
  (let ((text (string-downcase text)))
    (if (and (string-prefix? "log(" text) (string-suffix? ")" text) (> (string-length text) 5))
        (values (substring text 4 (1- (string-length text))) #t)
        (values text #f))))

(define (parse-terms tokens place)
  "Return the terms before the sign of equality, and the tokens behind it."
  (let next ((tokens tokens) (sign 1.) (terms '()))
    (let ((factor (* sign (real-of tokens "factor" place))))
      (match (cdr tokens)
        ((("*" . _) (text . at) . rest)
         (call-with-values (lambda () (parameter text))
           (lambda (name log?)
             (when (member name (map second terms))
               (complain-about who at "~a is in the equation twice; expected each parameter once" name))
             (let ((terms (cons (list factor name log?) terms)))
               (match rest
                 ((("=" . _) . rest) (values (reverse terms) rest))
                 ((("+" . _) . rest) (next rest 1. terms))
                 ((("-" . _) . rest) (next rest -1. terms))
                 (_ (complain-about who (token-place rest place) "~@[~s is here; ~]expected +, - or = in ~a" (and (pair? rest) (caar rest))
                                    equation-syntax)))))))
        (rest (complain-about who (token-place rest place) "there is no * and a parameter behind the factor ~a; expected ~a" (caar tokens)
                              equation-syntax))))))

(define (make-item name terms value weight group place)
  `((name . ,name) (terms . ,terms) (value . ,value) (weight . ,weight) (group . ,group) (place . ,place)))

(define (equation-row tokens)
  "Return the prior information that @var{tokens}, pairs of words and places, are."
  (match tokens
    (((label . place) . rest)
     (call-with-values (lambda () (parse-terms rest place))
       (lambda (terms rest)
         (let* ((value (real-of rest "value" place))
                (weight (real-of (cdr rest) "weight" place)))
           (match (cddr rest)
             (((group . _)) (make-item (string-downcase label) terms value weight (string-downcase group) place))
             (rest (complain-about who (token-place rest place) "~a; expected ~a"
                                   (if (pair? rest) "there is more than a group" "the line ends, without a group")
                                   equation-syntax)))))))
    (() (complain-about who "prior information" "a line is empty; expected ~a" equation-syntax))))

(define (equation-item item)
  "Return the prior information that @var{item}, a row of a table, is."
  (define place (assq-ref item 'place))
  (define tokens (map (lambda (word) (cons (word-text word) place)) (word-list (assq-ref item 'equation))))
  (call-with-values (lambda () (parse-terms tokens place))
    (lambda (terms rest)
      (let ((value (real-of rest "value" place)))
        (unless (null? (cdr rest))
          (complain-about who place "~s is behind the value of the equation; expected nothing there" (caadr rest)))
        (make-item (assq-ref item 'name) terms value (assq-ref item 'weight) (assq-ref item 'group) place)))))
