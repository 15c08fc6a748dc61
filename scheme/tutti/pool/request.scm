;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Requests, the values by which a master asks a worker for something (scheme/tutti/worker/answer.scm), as messages speak of them.
(define-module (tutti pool request)
  #:use-module (ice-9 match)
  #:use-module (tutti remote parameter)
  #:export (request-step-name request-procedure))

;; Users do not know of requests: messages about values that cannot travel speak of arguments, lists and items.
(define (request-step-name request)
  "Return the procedure that tells what the steps into @var{request} are that lead to a value, see @code{encode-value}."
  (match request
    (#((or 'call 'apply) _ _ _)
     (match-lambda*
       ((or (1) (2)) #t)
       ((2 i) (format #f "argument ~a" i))
       (_ #f)))
    (#((or 'keep 'keep-answering 'setup) _ _ _ _)
     (match-lambda*
       ((3) #t)
       ((3 i) (format #f "argument ~a" i))
       (_ #f)))
    (#('with settings inner)
     (let ((name-inner (request-step-name inner)))
       (match-lambda*
         ((2) #t)
         ((2 . steps) (apply name-inner steps))
         ((1) #t)
         ((1 i) (format #f "the value of the parameter `~a'" (remote-parameter-name (car (list-ref settings i)))))
         ((1 _ . _) #t)
         (_ #f))))
    (#('map _ first _ _ _)
     (match-lambda*
       ((or (1) (3)) #t)
       ((3 l) (format #f "list ~a" l))
       ((3 _ i) (format #f "item ~a" (+ first i)))
       (_ #f)))
    (_ (const #f))))

(define (request-procedure request)
  "Return the user's procedure that @var{request} applies, or @code{#f}."
  ;; A map has names of its own for them.
  (match request
    (#((or 'call 'apply) procedure _ _) procedure)
    (_ #f)))
