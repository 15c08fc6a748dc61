;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Programs that stay: each worker starts one at its first request, and sends it a line in JSON for each; it answers with one.
(define-module (tutti command server)
  #:use-module (ice-9 format)
  #:use-module (ice-9 iconv)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (rnrs bytevectors)
  #:use-module (tutti base check)
  #:use-module (tutti command folder)
  #:use-module (tutti command json)
  #:use-module (tutti command place)
  #:use-module (tutti command primitives)
  #:use-module (tutti command run)
  #:use-module (tutti command start)
  #:use-module (tutti command step)
  #:use-module (tutti command words)
  #:use-module (tutti conditions)
  #:use-module (tutti remote)
  #:export (command-server ask-server ask-anywhere))

(define most-servers 16)                ; of one worker; what has not been used longest is ended
(define usual-limit (expt 2 28))        ; bytes of an answer

;; Of this worker: lists of plan, handle, and step of Slurm or #f; most recently used first.
(define servers '())

(define (start! plan)
  "Return the entry for the program of PLAN, which is started."
  (call-with-values (lambda () (launch plan (option plan 'environment) #f (%command-task)))
    (lambda (command changes step)
      (let ((handle (%command-start-server command (environment-changes changes) (option plan 'directory))))
        (when (integer? handle)
          (fail plan 'not-started 'not-started (not-started-text (car command) (option plan 'directory) handle) '()))
        (list plan handle step)))))

(define (fail plan status kind text errors)
  (raise-tutti (make-command-failed
                (string-join (cons* (format #f "~a: ~a" (basename (option plan 'program)) text)
                                    (format #f "  command: ~a" (quoted-command (cons (option plan 'program) (option plan 'arguments))))
                                    (if (null? errors)
                                        '("  it has written nothing to its standard error")
                                        (cons "  the end of its standard error:"
                                              (map (lambda (line) (string-append "    " line)) errors))))
                             "\n")
                (option plan 'program) status #f kind)
               'command-server))

(define (server-of! plan)
  "Return the handle of the program of @var{plan} in this worker, which is started if it is not there, or not any more."
  (let ((known (assoc plan servers)))
    (match (and known (%command-server-state (second known)))
      ('ready (set! servers (cons known (delq known servers))))
      ('talking (give-up plan 'running 'output "it wrote more than the line that it was asked for, and was ended"))
      (_
       (when known (stop! known))
       (set! servers (cons (start! plan) servers))
       (when (> (length servers) most-servers)
         (stop! (last servers)))))
    (second (car servers))))

(define (stop! entry)
  (set! servers (delq entry servers))
  (%command-stop-server! (second entry))
  (and=> (third entry) end-step!))

(define most-shown 12)                  ; lines

(define (last-errors handle)
  (let* ((text (bytevector->string (%command-errors handle 4000) "UTF-8" 'substitute))
         (lines (remove string-null? (string-split (string-trim-right text) #\newline))))
    (if (> (length lines) most-shown) (take-right lines most-shown) lines)))

(define (give-up plan status kind text)
  (let* ((entry (assoc plan servers))
         (errors (last-errors (second entry))))
    (stop! entry)
    (fail plan status kind text errors)))

(define (answer plan bytes)
  (let* ((text (bytevector->string bytes "UTF-8" 'substitute))
         (end (string-index text #\newline)))
    (unless (= end (1- (string-length text)))
      (give-up plan 'running 'output (format #f "it wrote more than the line that it was asked for, and was ended: ~s"
                                             (substring text (1+ end) (min (string-length text) (+ end 200))))))
    (with-exception-handler
        (lambda (exception)
          (if (tutti-error? exception)
              (give-up plan 'running 'output (format #f "its answer is not JSON, and it was ended: ~s"
                                                     (substring text 0 (min end 200))))
              (raise-exception exception)))
      (lambda () (json-text->value text "the answer"))
      #:unwind? #t)))

(define (ask-server plan request)
  "Send @var{request}, a value for JSON, to this worker's program of @var{plan}, and return its answer."
  (let ((line (string->utf8 (string-append (value->json-text request) "\n")))
        (handle (server-of! plan))
        (answered? #f))
    (dynamic-wind
      (const #t)
      (lambda ()
        (let ((end (%command-exchange handle line (option plan 'timeout) (option plan 'limit))))
          (set! answered? #t)
          (match end
            ((? bytevector? bytes) (answer plan bytes))
            (('exited . status) (give-up plan status 'status (format #f "it ended with status ~a instead of answering" status)))
            (('signaled . signal) (give-up plan (list 'signal signal) 'signal (format #f "it was ended by signal ~a" signal)))
            (('late . _) (give-up plan 'timeout 'timeout (format #f "it did not answer within ~a s, and was ended" (option plan 'timeout))))
            (('flooded . _) (give-up plan 'flooded 'flooded (format #f "it wrote more than ~a bytes without an end of line, and was ended"
                                                                    (option plan 'limit))))
            (('deaf . _) (give-up plan 'running 'output "it closed its standard input before the end of the request, and was ended"))
            (_ (give-up plan 'running 'output "it closed its standard output instead of answering, and was ended")))))
      (lambda ()
        ;; Left by Ctrl-C: its answer would be taken for that of the next request.
        (let ((entry (and (not answered?) (assoc plan servers))))
          (when entry (stop! entry)))))))

(define (ask-anywhere plan request)
  "Return what @code{ask-server} does in this process, if it is a worker, else in a worker of the current pool, or a helper."
  (apply-in-worker 'command-server ask-server plan request))

(define last-number 0)

(define (command-server program . rest)
  "Return a procedure that sends its argument to @var{program} as a line in JSON, and returns the value of the line that it answers. Each
worker starts the program when a task calls the procedure there first, and keeps it; it is started again if it has ended. Strings and
numbers that follow are its arguments; keywords are @code{#:environment}, @code{#:directory} (where it runs; by default here),
@code{#:timeout} (seconds for an answer) and @code{#:limit} (bytes of one). Objects of JSON are association lists with strings, arrays are
vectors; f64vectors and lists are sent as arrays. A program that ends, is silent or answers something else is a @code{&command-failed}, with
what it has written to its standard error."
  (call-with-values (lambda () (split-command rest 'command-server '(#:environment #:directory #:timeout #:limit)))
    (lambda (arguments keywords)
      (set! last-number (1+ last-number))
      (let ((plan (append (list (cons 'server (format #f "~a-~a" (getpid) last-number)))
                          (make-plan 'command-server program arguments
                                     (append keywords (list (cons #:directory ".") (cons #:limit usual-limit)))))))
        (remote ((plan plan)) (lambda (request) (ask-anywhere plan request)))))))
