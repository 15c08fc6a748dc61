;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Talking to a running job: lines go there when it wants them, and what it says is written here. What is said between the two is in
;; (tutti repl client).
(define-module (tutti program attach)
  #:use-module (ice-9 match)
  #:use-module ((ice-9 rdelim) #:select (read-line))
  #:use-module ((ice-9 threads) #:select (call-with-new-thread))
  #:use-module (rnrs bytevectors)
  #:use-module (ice-9 iconv)
  #:use-module (tutti base primitives)
  #:use-module (tutti repl lines)
  #:export (run-attach))

(define patience 5)                     ; seconds until it has answered for the first time
(define mark 1)

(define (fail message . arguments)
  (format (current-error-port) "tutti: ~a~%" (apply format #f message arguments))
  (exit 1))

;;; Which one.

(define (doors)
  (match (%doors)
    ((? string? reason) (fail "~a" reason))
    (doors doors)))

(define (listening doors)
  (filter-map* (match-lambda ((name pid #t) (cons pid name)) (_ #f)) doors))

(define (filter-map* proc items)
  (filter identity (map proc items)))

(define (list-of pids)
  (string-join (map number->string pids) ", "))

(define how-to "start it with `tutti run --listen SCRIPT', or with `listen' in the script")

(define (door-of pid)
  "Return the number of the process to talk to, @var{pid} or, if that is @code{#f}, the only one that listens, and the name of its door."
  (let* ((all (doors))
         (those (listening all)))
    (cond ((and pid (assv pid those)) => identity)
          ((and pid (or-map (match-lambda ((_ other _) (= pid other))) all))
           (fail "process ~a runs pools, but does not listen; ~a" pid how-to))
          (pid
           (fail "process ~a does not listen~a; ~a" pid
                 (if (null? those) "" (format #f " (~a: process ~a)" (if (null? (cdr those)) "one does" "others do")
                                            (list-of (map car those))))
                 how-to))
          ((null? those) (fail "no job of yours listens; ~a" how-to))
          ((null? (cdr those)) (car those))
          (else (fail "several jobs listen, processes ~a: say which, tutti attach PID" (list-of (map car those)))))))

;;; What it says.

(define socket #f)
(define pid #f)
(define unread #vu8())
(define ended? #f)

(define (send-line text)
  (let ((bytes (string->utf8 (string-append text "\n"))))
    (%socket-write socket bytes 0 (bytevector-length bytes))))

(define (more! seconds)
  "Wait for more that the job has said; return whether it has come: @code{#f} at the end, @code{late} after @var{seconds}."
  (match (%socket-read socket seconds)
    ((? bytevector? bytes)
     (let ((both (make-bytevector (+ (bytevector-length unread) (bytevector-length bytes)))))
       (bytevector-copy! unread 0 both 0 (bytevector-length unread))
       (bytevector-copy! bytes 0 both (bytevector-length unread) (bytevector-length bytes))
       (set! unread both)
       #t))
    (#f #f)
    (_ 'late)))

(define (find-byte byte start)
  (let loop ((i start))
    (cond ((= i (bytevector-length unread)) #f)
          ((= byte (bytevector-u8-ref unread i)) i)
          (else (loop (1+ i))))))

(define (take! n)
  "Return the first @var{n} bytes that were not looked at, and forget them."
  (let ((taken (make-bytevector n))
        (rest (make-bytevector (- (bytevector-length unread) n))))
    (bytevector-copy! unread 0 taken 0 n)
    (bytevector-copy! unread n rest 0 (bytevector-length rest))
    (set! unread rest)
    taken))

(define (text bytes)
  (bytevector->string bytes "UTF-8" 'substitute))

(define (whole-characters)
  "Return how many bytes of what is unread are whole characters, none if nothing is."
  ;; At most three more bytes belong to the last one.
  (let ((n (bytevector-length unread)))
    (let loop ((i (1- n)))
      (cond ((or (< i 0) (< i (- n 4))) n)
            ((= #x80 (logand #xc0 (bytevector-u8-ref unread i))) (loop (1- i)))
            (else
             (let* ((first (bytevector-u8-ref unread i))
                    (length (cond ((< first #xc0) 1) ((< first #xe0) 2) ((< first #xf0) 3) (else 4))))
               (if (> (+ i length) n) i n)))))))

(define* (next-told show #:optional seconds)
  "Give @var{show} the texts that the job writes, until it tells something that is no output: return that, a pair of a character and a text;
@code{#f} if it has gone, @code{late} if nothing has come in @var{seconds}."
  (define (wait)
    (match (more! seconds)
      (#t (next-told show seconds))
      (other other)))
  (match (find-byte mark 0)
    (0
     (cond ((= 1 (bytevector-length unread)) (wait))
           ((= mark (bytevector-u8-ref unread 1))
            (take! 1)
            (show (text (take! 1)))
            (next-told show seconds))
           ((find-byte 10 1)
            => (lambda (end)
                 (let ((line (text (take! (1+ end)))))
                   (cons (string-ref line 1) (substring line 2 (1- (string-length line)))))))
           (else (wait))))
    (found
     (let ((n (or found (whole-characters))))
       (unless (zero? n)
         (show (text (take! n))))
       (if found (next-told show seconds) (wait))))))

(define (show-output text)
  (display text)
  (force-output))

;;; What the user says.

(define continued "... ")               ; the prompt for the next line of an expression
(define pending '())                    ; lines that were said at once with another one: an expression that was recalled

(define waiting? #f)                    ; for the job, not for the user

(define (interrupted signal)
  (%signal-heard!)
  (leave-lines (lambda ()
                 (when waiting?
                   (%socket-write socket #vu8(3) 0 1)))
               signal))

(define completions '())

(define (ask-for-names word)
  (send-line (string-append "\x01complete " word))
  (let loop ((names '()))
    (match (next-told (const #t) patience)
      ((#\= . "") (reverse names))
      ((#\= . name) (loop (cons name names)))
      (_ (reverse names)))))

(define (complete word again?)
  (unless again?
    (set! completions (if (string-any char-whitespace? word) '() (ask-for-names word))))
  (match completions
    (() #f)
    ((name . rest)
     (set! completions rest)
     name)))

(define (ask-by readline)
  "Return a procedure of a prompt that asks the user for a line by the module @var{readline}."
  (let ((ask (module-ref readline 'readline))
        (remember (module-ref readline 'add-history))
        (expression ""))
    (define (remember-expression)
      (unless (string-null? expression)
        (remember expression))
      (set! expression ""))
    ((module-ref readline 'readline-port)) ; reads what was said before
    (add-hook! exit-hook remember-expression) ; before that is written
    (set! (@@ (ice-9 readline) *readline-completion-function*) complete)
    (lambda (prompt)
      ;; Lines of one expression are remembered as one, when the next one begins.
      (unless (string=? prompt continued)
        (remember-expression))
      (let ((line (catch 'signal (lambda () (ask prompt)) (const 'interrupted))))
        (when (and (string? line) (not (string-null? line)) (not (string-null? prompt)))
          (set! expression (if (string-null? expression) line (string-append expression "\n" line))))
        line))))

(define (ask-plainly prompt)
  (when (isatty? (current-input-port))
    (display prompt))
  (force-output)
  (read-line (current-input-port)))

;;; All together.

(define (tell-end . reason)
  (set! waiting? #t)
  (format #t "~a~%" (apply format #f reason))
  (exit 0))

(define (ask-for-line ask prompt)
  (match pending
    (() (match (ask prompt)
          ((? string? text)
           (match (string-split text #\newline)
             ((line . rest)
              (set! pending rest)
              line)))
          (other other)))
    ((line . rest)
     (set! pending rest)
     line)))

(define (answer ask prompt)
  "Send the job the line for which it asks with @var{prompt}."
  (match (ask-for-line ask prompt)
    ('interrupted
     (cond (ended? (tell-end "The job has ended."))
           ;; Of an expression, or for a program that reads.
           ((member prompt (list continued "")) (send-line "\x01leave"))
           (else (answer ask prompt))))
    ((? string? line) (send-line line))
    (_
     (when (isatty? (current-input-port))
       (newline))
     (%socket-finish! socket))))

(define (talk ask)
  (set! waiting? #t)
  (match (next-told show-output)
    ((#\? . prompt)
     (set! waiting? #f)
     (answer ask prompt)
     (talk ask))
    ((#\! . _) (exit 0))
    (#f (tell-end "The job has ended."))
    (_ (talk ask))))

(define (notice-end)
  ;; At a prompt nobody reads what the job says: the user is told by the way of Ctrl-C.
  (%socket-await-end socket)
  (set! ended? #t)
  ;; Again, if it came just before the prompt.
  (let loop ()
    (unless waiting?
      (kill (getpid) SIGINT)
      (usleep 200000)
      (loop))))

(define (begin-talk)
  "Let the job know who comes, and tell the user whom that is."
  (send-line "\x01attach")
  (let loop ()
    (match (next-told (const #t) patience)
      ((#\+ . greeting) (when (isatty? (current-output-port)) (format #t "~a~%" greeting)))
      ('late (fail "process ~a has not answered in ~a s: it may be stopped, or hang" pid patience))
      (#f (fail "process ~a has sent us away: it has ended, or has as many clients as it can have" pid))
      (_ (loop)))))

(define* (run-attach #:optional number)
  "Talk to the job of the process @var{number}, a string, or @code{#f} if it is the only one that listens; then exit."
  (when (and number (not (and=> (string->number number) exact-integer?)))
    (fail "attach: `~a' is no number of a process" number))
  (match (door-of (and=> number string->number))
    ((process . door)
     (set! pid process)
     (match (%door-connect door)
       ((? string? reason) (fail "~a" reason))
       (fd (set! socket fd)))))
  (let ((readline (find-readline (const #f))))
    (sigaction SIGINT interrupted)
    (%nudge-at-signal! SIGINT)
    (begin-talk)
    (when readline
      (call-with-new-thread notice-end))
    (dynamic-wind
      (const #t)
      (lambda () (talk (if readline (ask-by readline) ask-plainly)))
      (lambda () (run-hook exit-hook)))))
