;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Asking servers: clients, and what they are told of models.
(define-module (tutti umbridge client)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base check)
  #:use-module (tutti base log)
  #:use-module (tutti umbridge error)
  #:use-module (tutti umbridge primitives)
  #:export (make-client call-model server-models model-support model-sizes report-after))

(define-primitives %umbridge-client %umbridge-ask %umbridge-call)

;; In the order of TtiUmbridgeCall.
(define calls '(Info ModelInfo InputSizes OutputSizes Evaluate Gradient ApplyJacobian ApplyHessian))
(define (call-number call) (list-index (lambda (name) (eq? name call)) calls))

;; Seconds after which a request is told of that has not ended; then after twice as many, and so on.
(define report-after (make-parameter 60))
(set-object-property! report-after 'documentation "A parameter: after how many seconds a request is told of that has not ended.")

(define (patience model)
  (cons (report-after)
        (lambda (seconds doing)
          (write-line-beside (current-error-port)
                             (format #f "tutti: ~@[model ~s: ~]~a after ~d s" model doing (inexact->exact (round seconds)))))))

(define* (make-client urls model #:key (config "{}") (input-sizes '()) (output-sizes '()) (requests 1) (timeout 0) (retries 0)
                      (limit 0))
  "Return a client of the servers at @var{urls} for @var{model}, with the text of a configuration and the sizes of the vectors that
are its argument and its value."
  (%umbridge-client urls model config (cons input-sizes output-sizes) (vector requests timeout retries limit)))

(define (call-model who client model call blocks input sens vec)
  "Return the f64vector that the servers of @var{client} return for @var{call}; @var{blocks} is a vector of the numbers of the
blocks of value, argument and second argument."
  (let ((result (%umbridge-call client (call-number call) blocks input sens vec (patience model))))
    (if (vector? result)
        (raise-failure who model result)
        result)))

;;; What servers say of models.

(define (ask client model call index)
  (%umbridge-ask client (call-number call) index (patience model)))

(define (ask-for who client model call index url key good?)
  "Return what the server has under @var{key} in its answer to @var{call}, which satisfies @var{good?}."
  (match (ask client model call index)
    ((document)
     (let ((value (and (list? document) (assoc-ref document key))))
       (unless (good? value)
         (refuse-answer who url "its answer to ~a has ~s as ~s, which is not what UM-Bridge says" call value key))
       value))
    (failure (raise-failure who model failure))))

(define (names? value)
  (and (vector? value) (every string? (vector->list value))))

(define (sizes? value)
  (and (vector? value) (every (lambda (size) (and (exact-integer? size) (<= 0 size (expt 2 40)))) (vector->list value))))

(define (server-models who client index url)
  "Return the list of the names of the models that server number @var{index}, which has @var{url}, has; or the failure, a vector, if it
could not be asked."
  (match (ask client #f 'Info index)
    ((document)
     (let ((version (and (list? document) (assoc-ref document "protocolVersion")))
           (models (and (list? document) (assoc-ref document "models"))))
       (unless (and (number? version) (= version 1))
         (refuse-answer who url "it speaks ~:[no version of UM-Bridge that one knows~;version ~a of UM-Bridge~]; expected 1.0"
                        (number? version) version))
       (unless (names? models)
         (refuse-answer who url "its answer to Info has ~s as \"models\"; expected their names" models))
       (vector->list models)))
    (failure
     (if (memq (vector-ref failure 0) '(unreachable late busy))
         failure
         (raise-failure who #f failure)))))

(define (model-support who client model index url)
  "Return the list of the names, symbols, of what the model of @var{client} supports."
  (let ((support (ask-for who client model 'ModelInfo index url "support" list?)))
    (filter (lambda (call) (eq? #t (assoc-ref support (symbol->string call)))) (drop calls 4))))

(define (model-sizes who client model index url)
  "Return two lists: the sizes of the vectors that are the argument of the model, and of those that are its value."
  (define (sizes call key)
    (let ((sizes (vector->list (ask-for who client model call index url key sizes?))))
      (when (null? sizes)
        (refuse-answer who url "model ~s has ~:[no argument~;no value~]" model (eq? call 'OutputSizes)))
      sizes))
  (let ((input (sizes 'InputSizes "inputSizes")))
    (values input (sizes 'OutputSizes "outputSizes"))))
