;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The checked cases of files of PEST and Dakota, and texts that are damaged word by word and line by line.
(define-module (pest)
  #:use-module (ice-9 match)
  #:use-module (ice-9 textual-ports)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-64)
  #:use-module (damage)
  #:use-module (tap)
  #:use-module (tutti conditions)
  #:export (ref for-each-case says-all? same-double? replace-once mutated-texts write-text unharmed))

(define (ref object . keys)
  "Return what is at @var{keys} in @var{object}, as guile-json has it."
  (fold (lambda (key object) (if (integer? key) (vector-ref object key) (assoc-ref object key))) object keys))

(define (for-each-case kind proc)
  "Call @var{proc} with each of the cases of the @var{kind}, or skip them."
  (let ((shared (getenv "TUTTI_SHARED"))
        (json->scm (false-if-exception (module-ref (resolve-interface '(json)) 'json->scm))))
    (cond ((not shared) (tap-skip kind "TUTTI_SHARED is not set"))
          ((not json->scm) (tap-skip kind "guile-json is not installed"))
          (else
           (let* ((all (ref (call-with-input-file (string-append shared "/oracle/pest/cases.json") json->scm) "cases"))
                  (cases (filter (lambda (case) (string=? kind (ref case "kind"))) (vector->list all))))
             (test-assert (string-append kind ": there are cases") (pair? cases))
             (for-each proc cases))))))

(define (says-all? thunk case)
  "Return true if @var{thunk} raises a @code{&tutti-error} that says all that @var{case} wants; else what it did."
  (let ((message (message-of thunk)))
    (or (and (string? message)
             (every (lambda (part) (string-contains message part)) (vector->list (ref case "expected" "error" "must_say")))
             #t)
        message)))

(define (same-double? a b)
  "Return true if the numbers @var{a} and @var{b} are the same but for one unit of the last place."
  (<= (abs (- a b)) (* 2.3e-16 (max (abs a) (abs b)))))

(define (replace-once text old new)
  "Return @var{text} with the first @var{old} in it, which must be there, replaced by @var{new}."
  (let ((at (string-contains text old)))
    (unless at (error "nothing to replace" old))
    (string-append (substring text 0 at) new (substring text (+ at (string-length old))))))

(define (write-text folder name text)
  "Write @var{text} to the file @var{name} in @var{folder}, and return its whole name."
  (let ((file (string-append folder "/" name)))
    (call-with-output-file file (lambda (port) (put-string port text)) #:encoding "UTF-8")
    file))

;;; Damage.

(define odd-words '("" "*" "-1" "0" "1e999" "nan" "~" "!" "[a]1:2" "\"" "'" "&" "x y" "=" "{" "]" "9999999999999999999" "\x7f" "log(" "-"))

(define (pick list state) (list-ref list (random (length list) state)))

(define (replaced list i items) (append (take list i) items (drop list (1+ i))))

(define (mutated lines state)
  (if (null? lines)
      lines
      (let* ((i (random (length lines) state))
             (line (list-ref lines i)))
        (case (random 5 state)
          ((0) (replaced lines i '()))
          ((1) (replaced lines i (list line line)))
          ((2) (replaced lines i (list (pick lines state))))
          (else
           (let* ((words (string-split line #\space))
                  (j (random (length words) state)))
             (replaced lines i (list (string-join (replaced words j (list (pick odd-words state))))))))))))

(define (mutated-texts text count)
  "Return @var{count} texts that are @var{text} with some lines and words left out, doubled, or replaced by others: the same each time."
  (define state (seed->random-state 20))
  (define lines (string-split text #\newline))
  (map (lambda (i)
         (let again ((n (1+ (random 3 state))) (lines lines))
           (if (zero? n) (string-join lines "\n") (again (1- n) (mutated lines state)))))
       (iota count)))

(define (unharmed texts read)
  "Return the list of the errors that @var{read}, a procedure of a text, raises for any of @var{texts}, and that are none of ours."
  (append-map
   (lambda (text)
     (with-exception-handler (lambda (error) (if (tutti-error? error) '() (list (list error text))))
       (lambda () (read text) '())
       #:unwind? #t))
   texts))
