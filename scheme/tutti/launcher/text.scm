;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Launchers as texts, for command lines and the environment: local, slurm:NAME=VALUE,… and ssh:HOST,…
(define-module (tutti launcher text)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base check)
  #:use-module (tutti base session)
  #:use-module (tutti launcher)
  #:use-module (tutti launcher slurm)
  #:use-module (tutti launcher ssh)
  #:export (text->launcher))

(define kinds "local, slurm:NAME=VALUE,… or ssh:HOST,…")

(define (split text separator)
  "Return what is before the first SEPARATOR in TEXT, and what is behind it, or #f."
  (let ((at (string-index text separator)))
    (if at
        (values (substring text 0 at) (substring text (1+ at)))
        (values text #f))))

(define (one-of names)
  (string-append (string-join (drop-right names 1) ", ") " or " (last names)))

(define (settings parts names fail)
  "Return the settings in PARTS, NAME=VALUE each, as pairs of a symbol and a string, in order; FAIL is called if a name is none of NAMES."
  (map (lambda (part)
         (call-with-values (lambda () (split part #\=))
           (lambda (name value)
             (cond ((not (member name names)) (fail "there is no `~a'; expected ~a" name (one-of names)))
                   ((not value) (fail "~a: the value is missing; expected ~a=VALUE" name name)))
             (cons (string->symbol name) value))))
       parts))

(define (check-once settings several fail)
  (let loop ((rest settings))
    (unless (null? rest)
      (when (and (not (memq (caar rest) several)) (assq (caar rest) (cdr rest)))
        (fail "~a is there twice" (caar rest)))
      (loop (cdr rest)))))

(define (values-of settings name)
  (filter-map (lambda (setting) (and (eq? (car setting) name) (cdr setting))) settings))

(define (number-or-text text) (or (and text (string-every char-numeric? text) (string->number text)) text))

(define (complain-with fail)
  (lambda (name expected value) (fail "~a: expected ~a; got ~a" (string-trim name #\#) expected value)))

(define (parts-of text)
  (if (or (not text) (string-null? text)) '() (string-split text #\,)))

(define (slurm-of text fail)
  (let ((settings (settings (parts-of text) '("nodes" "partition" "time" "account" "qos" "cpus" "agent" "extra") fail)))
    (define (value name) (assq-ref settings name))
    (check-once settings '(extra) fail)
    (slurm-launcher (complain-with fail)
                    #:nodes (number-or-text (value 'nodes)) #:partition (value 'partition) #:time (value 'time)
                    #:account (value 'account) #:qos (value 'qos) #:cpus (number-or-text (value 'cpus)) #:agent (value 'agent)
                    #:extra (values-of settings 'extra))))

(define (ssh-of text fail)
  (call-with-values (lambda () (partition (lambda (part) (string-index part #\=)) (parts-of text)))
    (lambda (settings-parts hosts)
      (let ((settings (settings settings-parts '("agent" "option") fail)))
        (check-once settings '(option) fail)
        (when (null? hosts)
          (fail "expected hosts, as in ssh:host1,user@host2:2222"))
        (ssh-launcher (complain-with fail) hosts #:agent (assq-ref settings 'agent) #:options (values-of settings 'option))))))

(define (parse text who)
  (define (fail message . arguments)
    (refuse who "~a: ~a" text (apply format #f message arguments)))
  (call-with-values (lambda () (split text #\:))
    (lambda (kind rest)
      (cond ((string=? kind "slurm") (slurm-of rest fail))
            ((string=? kind "ssh") (ssh-of rest fail))
            ((and (string=? kind "local") (not rest)) (local))
            ((string=? kind "local") (fail "nothing follows `local'"))
            (else (fail "there is no launcher `~a'; expected ~a" kind kinds))))))

;; Equal texts are one launcher, whose nodes pools share.
(define known (make-session-variable '()))

(define* (text->launcher text #:optional (who 'current-launcher))
  "Return the launcher that @var{text} describes, the same for the same text in a session. If there is none, complain in the name of
@var{who}, and say which part is wrong and what may stand there."
  (or (assoc-ref (known) text)
      (let ((launcher (parse text who)))
        (known (acons text launcher (known)))
        launcher)))
