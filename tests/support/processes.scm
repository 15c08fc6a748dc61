;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The processes that a program under test has started, however they are related by now: whoever has its mark in the environment. And
;; what there is to see of a process.
(define-module (processes)
  #:use-module (ice-9 ftw)
  #:use-module (ice-9 textual-ports)
  #:use-module (srfi srfi-1)
  #:export (make-mark marked-processes process-arguments process-state process-group process-shared-memory
            process-name process-title process-role await))

(define* (await question seconds #:key (pause 1000))
  "Ask @var{question} until it returns true, and return that; @code{#f} after @var{seconds}. Between two questions pass @var{pause}
microseconds."
  (let ((end (+ (get-internal-real-time) (* seconds internal-time-units-per-second))))
    (let loop ()
      (or (question)
          (and (< (get-internal-real-time) end)
               (begin
                 (unless (zero? pause) (usleep pause))
                 (loop)))))))

(define make-mark
  (let ((n 0))
    (lambda ()
      "Return a setting for the environment that no other process has."
      (set! n (1+ n))
      (format #f "TUTTI_TEST_MARK=~a-~a" (getpid) n))))

(define (process-file pid name)
  ;; A process may go at any moment.
  (or (false-if-exception
       (call-with-input-file (format #f "/proc/~a/~a" pid name) get-string-all #:encoding "ISO-8859-1"))
      ""))

(define (zero-terminated text)
  (remove string-null? (string-split text #\nul)))

(define* (marked-processes mark #:key (above 0))
  "Return the numbers of the processes with @var{mark} in their environment, without zombies, which have none; only those above the
number @var{above}, which is quicker."
  (filter (lambda (pid) (and (> pid above) (member mark (zero-terminated (process-file pid "environ")))))
          (filter-map string->number (scandir "/proc" (lambda (name) (char-numeric? (string-ref name 0)))))))

(define (process-arguments pid)
  "Return the list of the arguments of the process @var{pid}, its name included; the empty list if it is gone."
  (zero-terminated (process-file pid "cmdline")))

(define (process-name pid)
  "Return the file name of the program that the process @var{pid} runs, without folders; @code{#f} if it is gone."
  (and=> (false-if-exception (readlink (format #f "/proc/~a/exe" pid))) basename))

(define (process-title pid)
  "Return how the process @var{pid} calls itself; the empty string if it is gone."
  (string-trim-right (process-file pid "comm")))

(define (process-role pid)
  "Return what the process @var{pid} is among those of a program: @code{guard}, @code{watcher}, @code{template} or @code{worker};
@code{#f} if it is none of these, or gone."
  ;; Each has a title of its own in the place of its arguments, but for the moment until it has given itself that.
  (let ((arguments (process-arguments pid)))
    (define (called? name option)
      (any (lambda (argument) (or (string=? argument option) (string-prefix? (string-append name ": ") argument))) arguments))
    (case (and=> (process-name pid) string->symbol)
      ((tutti-watcher) (cond ((called? "tutti-guard" "--guard") 'guard)
                             ((called? "tutti-watcher" "--watcher") 'watcher)
                             (else #f)))
      ((tutti-worker) (if (called? "tutti-template" "--template") 'template 'worker))
      (else #f))))

(define (status-line pid name)
  (find (lambda (line) (string-prefix? name line)) (string-split (process-file pid "status") #\newline)))

(define (process-state pid)
  "Return the state of the process @var{pid} as a character, as in @samp{ps}; @code{#f} if it is gone."
  (and=> (status-line pid "State:") (lambda (line) (string-ref (string-trim (substring line 6)) 0))))

(define (process-group pid)
  "Return the process group of the process @var{pid}; @code{#f} if it is gone."
  (let* ((stat (process-file pid "stat"))
         (end (string-rindex stat #\))))
    (and end (string->number (third (string-tokenize (substring stat (1+ end))))))))

(define (process-shared-memory pid)
  "Return how many bytes of shared memory the process @var{pid} has touched, 0 if it is gone."
  (let ((line (status-line pid "RssShmem:")))
    (if line
        (* 1024 (string->number (second (string-tokenize line))))
        0)))
