;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Models behind HTTP as operators.
(define-module (tutti umbridge operator)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (tutti base check)
  #:use-module (tutti base log)
  #:use-module (tutti conditions)
  #:use-module (tutti operator)
  #:use-module (tutti operator type)
  #:use-module (tutti space)
  #:use-module (tutti umbridge client)
  #:use-module (tutti umbridge config)
  #:use-module (tutti umbridge error)
  #:use-module (tutti vector)
  #:export (umbridge-operator umbridge-models umbridge-support umbridge-hessian described-operator))

;;; What an operator is made of: it travels as its description, so that nobody has to be asked for it again.

(define-record-type <model>
  (make-model name client support)
  model?
  (name model-name)
  (client model-client)
  (support model-support-list))

(define (sizes->space sizes)
  (match sizes
    ((size) size)
    (_ (apply direct-sum sizes))))

(define (call who model call blocks input sens vec)
  (call-model who (model-client model) (model-name model) call blocks input sens vec))

(define (sum-of vectors)
  (reduce vec+ #f vectors))

(define (blocks space)
  (iota (length (space-parts space))))

;; A derivative has a part for each pair of a vector of the value and one of the argument.
(define (derivative-operator model domain codomain x)
  (define (apply-to h)
    (let ((parts (direct-sum-split domain h)))
      (direct-sum-join codomain
                       (map (lambda (i)
                              (sum-of (map (lambda (j part) (call 'derivative model 'ApplyJacobian (vector i j 0) x #f part))
                                           (blocks domain) parts)))
                            (blocks codomain)))))
  (define (adjoint-of y)
    (let ((parts (direct-sum-split codomain y)))
      (direct-sum-join domain
                       (map (lambda (j)
                              (sum-of (map (lambda (i part) (call 'adjoint model 'Gradient (vector i j 0) x part #f))
                                           (blocks codomain) parts)))
                            (blocks domain)))))
  (make-linear #:name (string-append "derivative of " (model-name model)) #:domain domain #:codomain codomain
               #:apply apply-to #:adjoint adjoint-of))

(define (listed items none)
  (if (null? items) none (format #f "~{~a~^, ~}" items)))

(define (refuse-derivative model)
  (refuse 'linearize "the server of model ~s supports ~a; a derivative needs ApplyJacobian and Gradient: use (with-differences operator)"
          (model-name model) (listed (model-support-list model) "nothing")))

(define (supports? model . calls)
  (every (lambda (call) (memq call (model-support-list model))) calls))

(define (described-operator name urls model config input-sizes output-sizes support settings)
  "Return the operator of @var{model} that @code{umbridge-operator} has asked the servers for; nobody is asked."
  (let* ((client (apply make-client urls model #:config config #:input-sizes input-sizes #:output-sizes output-sizes settings))
         (model* (make-model model client support))
         (domain (sizes->space input-sizes))
         (codomain (sizes->space output-sizes)))
    (define (evaluate-at x) (call 'evaluate model* 'Evaluate #(0 0 0) x #f #f))
    (make-nonlinear #:name name #:domain domain #:codomain codomain
                    #:evaluate evaluate-at
                    #:linearize (lambda (x)
                                  (unless (supports? model* 'ApplyJacobian 'Gradient)
                                    (refuse-derivative model*))
                                  (values (evaluate-at x) (derivative-operator model* domain codomain x)))
                    #:parts (list described-operator name urls model config input-sizes output-sizes support settings)
                    #:detail model*)))

;;; Asking the servers.

(define-record-type <answers>
  (make-answers url input-sizes output-sizes support)
  answers?
  (url answers-url)
  (input-sizes answers-input-sizes)
  (output-sizes answers-output-sizes)
  (support answers-support))

(define who 'umbridge-operator)

(define (check-listed model models url)
  (unless (member model models)
    (refuse-answer who url "the server has no model ~s; it has ~a" model (listed (map object->string models) "none"))))

(define (ask-server client model index url models)
  (check-listed model models url)
  (call-with-values (lambda () (model-sizes who client model index url))
    (lambda (input-sizes output-sizes)
      (make-answers url input-sizes output-sizes (model-support who client model index url)))))

(define (check-same answers)
  "Raise unless all of @var{answers} tell of the same sizes."
  (for-each
   (lambda (other)
     (define (check what sizes)
       (unless (equal? (sizes other) (sizes (car answers)))
         (refuse-answer who (answers-url other) "the sizes of its ~a are ~a, but those of ~a are ~a" what (sizes other)
                        (answers-url (car answers)) (sizes (car answers)))))
     (check "argument" answers-input-sizes)
     (check "value" answers-output-sizes))
   (cdr answers)))

(define (ask-servers urls model config settings)
  "Return the answers of those servers at @var{urls} that can be asked: a list, which is not empty."
  (define (client retries) (apply make-client urls model #:config config (append (list #:retries retries) settings)))
  ;; Where another server does as well, nobody waits for one that is down.
  (define quick (client 0))
  (define (ask client index url)
    (match (server-models who client index url)
      ((? vector? failure) failure)
      (models (ask-server client model index url models))))
  (let* ((results (map (lambda (url index) (ask quick index url)) urls (iota (length urls))))
         (answers (filter answers? results)))
    (cond ((null? answers)
           (match (ask (apply make-client urls model #:config config settings) 0 (car urls))
             ((? vector? failure) (raise-failure who model failure))
             (answers (list answers))))
          (else
           (for-each (lambda (result url)
                       (unless (answers? result)
                         (write-line-beside (current-error-port)
                                            (format #f "tutti: warning: model ~s: ~a is left out for now: ~a" model url
                                                    (vector-ref result 2)))))
                     results urls)
           answers))))

;;; For users.

(define (check-number keyword value good? expected)
  (unless (good? value)
    (refuse who "~a: expected ~a, got ~s" keyword expected value)))

(define (check-urls urls who)
  (unless (and (pair? urls) (every string? urls))
    (refuse who "expected the URL of a server, like \"http://localhost:4242\", or a list of such, got ~s" urls))
  urls)

(define (url->list url who)
  (check-urls (if (string? url) (list url) url) who))

(define (integer-from least)
  (lambda (value) (and (exact-integer? value) (<= least value 1000000000))))

(define* (umbridge-operator url model #:key (name model) (config '()) (requests 1) timeout (retries 5) limit)
  "Return the operator of the model with the name @var{model}, a string, of the server of UM-Bridge (protocol 1.0) at @var{url}, or
of several that do the same, a list: requests go to whichever has time. @var{config} is the model's configuration, an
association list: names (strings or symbols) and numbers, strings, booleans, lists or vectors of such, or association lists.

A server is sent @var{requests} requests at once, from all processes of this user on this machine together, as most compute one at a time.
A request that takes more than @var{timeout} seconds, whose connection fails or is lost, or for which the server says that it has no
time, is tried again up to @var{retries} times, by another server if there is one; errors of the model are not. Without a time-out,
a line after a minute tells what is waited for. An answer of more than @var{limit} bytes is refused; by default that is some times what its
numbers take.

A model of several vectors is one of direct sums. If it supports ApplyJacobian and Gradient the operator has a derivative; else
@code{with-differences} gives it one. What goes wrong is an @code{&umbridge-error}. The operator can be used here and in tasks."
  (let ((urls (url->list url who)))
    (unless (string? model)
      (refuse who "expected the name of a model, a string, got ~s" model))
    (check-number #:name name string? "a string")
    (check-number #:requests requests (integer-from 1) "how many requests a server is sent at once, from 1")
    (check-number #:retries retries (integer-from 0) "how often a request is tried again, from 0")
    (check-number #:timeout timeout (lambda (t) (or (not t) (and (finite-number? t) (positive? t)))) "a number of seconds, or #f")
    (check-number #:limit limit (lambda (n) (or (not n) ((integer-from 1) n))) "a number of bytes, or #f")
    (let* ((settings (list #:requests requests #:timeout (if timeout (exact->inexact timeout) 0) #:retries retries #:limit (or limit 0)))
           (config (config->json config))
           (answers (ask-servers urls model config settings))
           (support (apply lset-intersection eq? (map answers-support answers))))
      (check-same answers)
      (unless (memq 'Evaluate support)
        (refuse who "the server at ~a says that model ~s does not support Evaluate" (answers-url (car answers)) model))
      (described-operator name urls model config (answers-input-sizes (car answers)) (answers-output-sizes (car answers)) support
                          settings))))

(define* (umbridge-models url #:key timeout)
  "Return the list of the names of the models that the server of UM-Bridge at @var{url} has. It is given @var{timeout} seconds, if that is
not @code{#f}."
  (let ((urls (url->list url 'umbridge-models)))
    (match (server-models 'umbridge-models (make-client urls #f #:timeout (or timeout 0)) 0 (car urls))
      ((? vector? failure) (raise-failure 'umbridge-models #f failure))
      (models models))))

(define (operator-model op who)
  (check-operator-argument op who)
  (match (operator-detail op)
    ((? model? model) model)
    (_ (refuse who "~a is not what umbridge-operator returns" op))))

(define (umbridge-support op)
  "Return the list of what the server of @var{op}, which @code{umbridge-operator} has returned, supports: symbols among
@code{Evaluate}, @code{Gradient}, @code{ApplyJacobian} and @code{ApplyHessian}."
  (model-support-list (operator-model op 'umbridge-support)))

(define (umbridge-hessian op x y)
  "Return the second derivative of @var{op}, which @code{umbridge-operator} has returned, at @var{x}, in the direction @var{y} of its
values: the linear operator of the Hessian of the inner product of @var{y} and the value, as the server's ApplyHessian computes it."
  (define model (operator-model op 'umbridge-hessian))
  (define domain (operator-domain op))
  (define codomain (operator-codomain op))
  (unless (supports? model 'ApplyHessian)
    (refuse 'umbridge-hessian "the server of model ~s does not support ApplyHessian" (model-name model)))
  (check-element x domain 'umbridge-hessian "the point")
  (check-element y codomain 'umbridge-hessian "the direction")
  (let ((x (copy-element x)) (senses (direct-sum-split codomain (copy-element y))))
    (define (apply-to h)
      (let ((parts (direct-sum-split domain h)))
        (direct-sum-join domain
                         (map (lambda (j)
                                (sum-of (append-map
                                         (lambda (i sens)
                                           (map (lambda (k part)
                                                  (call 'umbridge-hessian model 'ApplyHessian (vector i j k) x sens part))
                                                (blocks domain) parts))
                                         (blocks codomain) senses)))
                              (blocks domain)))))
    (make-linear #:name (string-append "Hessian of " (operator-name op)) #:domain domain #:codomain domain
                 ;; It is symmetric.
                 #:apply apply-to #:adjoint apply-to
                 #:parts (list umbridge-hessian op x y))))
