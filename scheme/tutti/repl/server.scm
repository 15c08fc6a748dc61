;; SPDX-License-Identifier: LGPL-3.0-or-later
;; REPLs for those who come to this process: a thread that waits for them, and one for each. So whoever does not read what is written, or
;; goes in the middle of something, keeps only its own thread, and at the end of the program nobody waits for any.
(define-module (tutti repl server)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module ((ice-9 threads) #:select (call-with-new-thread))
  #:use-module (rnrs bytevectors)
  #:use-module (tutti base lock)
  #:use-module (tutti base primitives)
  #:use-module (tutti repl changes)
  #:use-module (tutti repl client)
  #:use-module (tutti repl commands)
  #:use-module (tutti repl help)
  #:use-module (tutti repl loop)
  #:export (start-server!))

(define most-clients 8)

(define lock (make-shared-mutex))
(define clients '())                    ; of (client . its thread, or #f), by the lock

(define (client-entry socket)
  (with-mutex lock
    (let loop ((entries clients))
      (match entries
        (() #f)
        (((and entry (client . _)) . rest)
         (if (= socket (client-socket client)) entry (loop rest)))))))

(define (forget! client)
  (with-mutex lock
    (set! clients (assq-remove! clients client)))
  (%client-close! (client-socket client)))

;;; One of them.

(define told-exit "(exit) ends this connection, the job goes on; (kill (getpid) SIGTERM) would end it.")

(define (talk client)
  "Talk to @var{client} until it leaves. Return why that was, a text."
  (catch 'quit
    (lambda ()
      (call-asking (ask-client client) start-loop #:around call-noting-changes)
      "")
    (lambda _ told-exit)))

(define (serve client)
  (let ((out (client-output client)))
    (set-current-module (resolve-module '(guile-user)))
    (with-fluids ((attached-client client))
      (with-input-from-port (client-input client)
        (lambda ()
          (parameterize ((current-output-port out) (current-error-port out) (current-warning-port out))
            (format out "~a~%" (greeting))
            (let ((why (talk client)))
              (unless (string-null? why)
                (format out "~a~%" why))
              (say-to-client client #\! why)
              (force-output out))))))))

(define (run-client client)
  (dynamic-wind
    (const #t)
    (lambda () (false-if-exception (serve client)))
    (lambda () (forget! client))))

;;; All of them.

(define (refuse-client socket)
  (let ((text (string->utf8 (format #f "tutti: process ~a has ~a clients already: leave one of them first~%" (getpid) most-clients))))
    (%socket-write socket text 0 (bytevector-length text))
    (%client-close! socket)))

(define (welcome socket)
  (if (>= (with-mutex lock (length clients)) most-clients)
      (refuse-client socket)
      (let* ((client (make-client socket))
             (entry (cons client #f)))
        (with-mutex lock
          (set! clients (cons entry clients)))
        (set-cdr! entry (call-with-new-thread (lambda () (run-client client)))))))

(define (interrupt! entry)
  "Let the thread of the client in @var{entry} leave what it evaluates."
  (match entry
    ((client . (? identity thread))
     (define (leave)
       (cond ((not (client-busy? client)))
             ;; A moment later: nobody could unlock it.
             ((holds-shared-mutex?) (system-async-mark leave))
             (else (leave-what-is-done))))
     (system-async-mark leave thread))
    (_ #f)))

(define (wait-for-clients)
  (match (%listener-wait)
    (('come . socket) (welcome socket))
    (((or 'interrupt 'gone) . socket) (interrupt! (client-entry socket)))
    (_ #f))
  (wait-for-clients))

(define (start-server!)
  "Let clients come from now on. Return the path of the socket where they do, or a list of a text that says why they cannot."
  (match (%listen!)
    ((path . new?)
     (when new?
       (give-commands-data!)
       (help-in-plain-text!)
       (call-with-new-thread
        (lambda ()
          (let again ()
            ;; A client that cannot be served is no reason to have no others.
            (false-if-exception (wait-for-clients))
            (again)))))
     path)
    (reason (list reason))))
