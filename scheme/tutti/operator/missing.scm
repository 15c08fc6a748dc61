;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Derivatives of which some columns are not known, because what they are to be computed from could not be had. Whoever applies such a
;; derivative without asking gets an error that names the columns: a column that is taken for zero would be a lie.
(define-module (tutti operator missing)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (tutti conditions)
  #:use-module (tutti operator type)
  #:export (make-gap gap-index gap-name gap-reason gap->string reason->line
            derivative-with-gaps derivative-gaps join-gaps known-part map-known-part missing-columns missing-error describe-gaps
            refusal-text))

;; A column that is missing. NAME is that of the parameter or #f, REASON the condition or the text that says why.
(define-record-type <gap>
  (make-gap index name reason)
  gap?
  (index gap-index)
  (name gap-name)
  (reason gap-reason))

;; What a derivative with gaps leaves for those who know of them: KNOWN is the same operator with zeros for the columns in GAPS.
(define-record-type <partial>
  (make-partial gaps known)
  partial?
  (gaps partial-gaps)
  (known partial-known))

(define (gap->string gap)
  "Return the number of the parameter of @var{gap}, and its name if it has one, for people."
  (format #f "~a~@[ (~a)~]" (gap-index gap) (gap-name gap)))

(define (reason->line reason)
  "Return the first line of the text of @var{reason}, a condition or a text."
  (let ((text (if (string? reason) reason (condition->string reason))))
    (substring text 0 (or (string-index text #\newline) (string-length text)))))

(define most-named 12)
(define most-explained 3)

(define (join-first n texts separator)
  (if (> (length texts) n)
      (string-append (string-join (take texts n) separator) separator "…")
      (string-join texts separator)))

(define (describe-gaps gaps)
  "Return the text that says which columns are missing, the list @var{gaps}, and why."
  (define (explain gap) (reason->line (gap-reason gap)))
  (if (null? (cdr gaps))
      (format #f "column ~a of the derivative is missing: ~a" (gap->string (car gaps)) (explain (car gaps)))
      (format #f "~a columns of the derivative, ~a, are missing: ~a" (length gaps) (join-first most-named (map gap->string gaps) ", ")
              (join-first most-explained (map (lambda (gap) (string-append (gap->string gap) ": " (explain gap))) gaps) "; "))))

(define (missing-error name text reason)
  "Return the @code{&operator-error} of the operator @var{name} with @var{text}. It is also of all types that @var{reason} has, if that is a
condition."
  (apply make-exception
         (make-operator-error name (make-tutti-error text))
         (if (exception? reason)
             (remove (lambda (component) (or (exception-with-message? component) (exception-with-origin? component)))
                     (simple-exceptions reason))
             '())))

(define (refusal-text gaps)
  "Return the text that refuses to do without the columns in the list @var{gaps}, and says what to do."
  (format #f "~a; gauss-newton does without, for all else leave the parameter out, or let an evaluation succeed with other #:steps, \
#:bounds or more #:retries of with-differences" (describe-gaps gaps)))

(define* (derivative-with-gaps known gaps #:optional (name (operator-name known)))
  "Return the linear operator @var{known}, in which zeros stand for the columns in @var{gaps}, a list, as one that knows that they
are missing, and refuses to be applied, in the name of @var{name}; @var{known} itself if @var{gaps} is empty."
  (define (refuse-it v)
    (raise-tutti (missing-error name (refusal-text gaps) (gap-reason (car gaps)))))
  (if (null? gaps)
      known
      (make-linear #:name name #:domain (operator-domain known) #:codomain (operator-codomain known)
                   #:apply refuse-it #:adjoint refuse-it #:pool (operator-pool known)
                   #:detail (make-partial gaps known))))

(define (derivative-gaps op)
  "Return the list of the gaps of the linear operator @var{op}; of one that has no gaps, the empty list."
  (let ((detail (operator-detail op)))
    (if (and (linear? op) (partial? detail)) (partial-gaps detail) '())))

(define (join-gaps lists)
  "Return the list of all gaps in @var{lists}, one for each column, in ascending order."
  (sort (delete-duplicates (concatenate lists) (lambda (a b) (= (gap-index a) (gap-index b))))
        (lambda (a b) (< (gap-index a) (gap-index b)))))

(define (known-part op)
  "Return the linear operator @var{op}, with zeros for its missing columns."
  (if (null? (derivative-gaps op)) op (partial-known (operator-detail op))))

(define (map-known-part procedure op)
  "Return what @var{procedure} makes of the linear operator @var{op}: an operator whose columns belong to the same parameters. It has the
same gaps."
  (derivative-with-gaps (procedure (known-part op)) (derivative-gaps op)))

(define (missing-columns op)
  "Return which columns of the derivative @var{op} are missing, as @code{with-differences} may have it: a list of pairs of the number of
the column, from 0, in ascending order, and the reason, the condition that the first run for it raised or a text. It is empty if there
is none, and for all other operators. To apply a derivative with missing columns is an @code{&operator-error}."
  (check-operator-argument op 'missing-columns)
  (map (lambda (gap) (cons (gap-index gap) (gap-reason gap))) (derivative-gaps op)))
