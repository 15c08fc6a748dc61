;; SPDX-License-Identifier: LGPL-3.0-or-later
;; A capsule, in the process that runs its task again: it becomes what a worker is, holds what that held, and runs the request.
(define-module (tutti program capsule)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-11)
  #:use-module (tutti base primitives)
  #:use-module (tutti worker description)
  #:use-module (tutti worker main)
  #:use-module (tutti worker wire)
  #:autoload (tutti repl abbreviation) (write-abbreviated)
  #:autoload (tutti program repl) (run-repl)
  #:export (run-capsule fact first-line))

(define (fact facts key)
  "Return the text of @var{facts} under @var{key}, or @code{#f}."
  (assoc-ref facts key))

(define (first-line text)
  "Return the first line of @var{text}."
  (car (string-split text #\newline)))

;; The descriptor on which the one who compares is told how the task ended.
(define answer-descriptor 3)

(define (tell! word)
  (false-if-exception
   (let ((port (fdopen answer-descriptor "w")))
     (display word port)
     (force-output port))))

(define (hold-part! part)
  (match part
    (#('given id payload) (hold-object! id payload))
    (#('made _ payload)
     (match (run-request payload #f)
       ((answer . #t) (give-up "what it needs cannot be made" answer))
       (_ #t)))
    (_ #t)))

(define (give-up what answer)
  (match (decode-value answer)
    (#(_ _ text backtrace _ _)
     (format (current-error-port) "tutti replay: ~a: ~a~%~a" what text (or backtrace ""))))
  (exit 1))

(define (show-failure answer facts)
  (match (decode-value answer)
    (#(_ _ text backtrace _ _)
     (format #t "~%~a~%~a" text (or backtrace ""))
     (tell! (if (string=? text (or (fact facts "error") "")) "same" "other")))))

(define (show-value value)
  (format #t "~%its value: ")
  (write-abbreviated value (current-output-port))
  (newline)
  (tell! "value"))

;; A map of one item has its failure among its values.
(define (chunk-failure value)
  "Return the description of the failed item in @var{value}, what a chunk of one item has answered; @code{#f}: there is none."
  (match value
    (#((? real?) (? list?) ((_ . description) . _) _) description)
    (_ #f)))

(define (run! facts request)
  (match (run-request request #f)
    ((answer . #t) (show-failure answer facts))
    ((answer . _)
     (let* ((value (decode-value answer))
            (failure (and (fact facts "item") (chunk-failure value))))
       (if failure
           (show-failure (encode-description failure) facts)
           (show-value value))))
    (value (show-value value))))

(define (talk! request)
  "Give the user a REPL where the procedure and the arguments of @var{request} are bound."
  (let-values (((procedure arguments) (parts-of (decode-value request))))
    (let ((module (resolve-module '(guile-user))))
      (module-define! module 'procedure procedure)
      (module-define! module 'arguments arguments))
    (format #t "~%procedure: ~a~%arguments: " procedure)
    (write-abbreviated arguments (current-output-port))
    (format #t "~%(apply procedure arguments) runs it again.~%~%")
    (run-repl '())))

(define (parts-of request)
  (match request
    (#('with _ inner) (parts-of inner))
    (#((or 'call 'apply) procedure arguments _) (values procedure arguments))
    (#('map procedure _ lists _ _) (values procedure (map car lists)))
    (#(_ _ procedure arguments _) (values procedure arguments))
    (_ (values request '()))))

(define (run-capsule)
  "Run the capsule in the file that the command line names first; the second argument says how: @code{run}, or @code{here} for a REPL."
  (match (cdr (command-line))
    ((file mode)
     (match (%read-capsule file)
       ((facts . parts)
        (start-worker!)
        (for-each hold-part! parts)
        (match (find-request parts)
          ((or #f #(_ _ #f))
           (format (current-error-port) "tutti replay: there is no request in ~a~%" file)
           (exit 1))
          (#(_ _ request)
           (if (string=? mode "here") (talk! request) (run! facts request))
           (exit 0))))
       (problem
        (format (current-error-port) "tutti replay: ~a~%" problem)
        (exit 1))))))

(define (find-request parts)
  (let loop ((parts parts))
    (match parts
      (() #f)
      (((and part #('request _ _)) . _) part)
      ((_ . rest) (loop rest)))))
