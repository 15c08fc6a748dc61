;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Whole programs under test: with pipes, or on a terminal as a person would use them; and what they leave behind.
(define-module (programs)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (ice-9 popen)
  #:use-module (ice-9 rdelim)
  #:use-module (ice-9 textual-ports)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:export (run-program program-status program-output program-errors
            run-on-terminal terminal-steps terminal-end terminal-text terminal-screen step-ok? step-milliseconds
            tutti fixture helper call-with-folder
            descendants process-gone? mentioned-processes))

(define (fixture name)
  "Return the file name of the fixture @var{name} of the integration tests."
  (string-append (getenv "TUTTI_SOURCE_DIR") "/tests/integration/fixtures/" name))

(define (helper name)
  "Return the file name of the helper program @var{name}."
  (string-append (getenv "TUTTI_HELPERS") "/" name))

(define tutti (getenv "TUTTI"))

(define (call-with-folder proc)
  "Call @var{proc} with the name of a temporary folder, which is removed afterwards."
  (let ((folder (mkdtemp (string-append (or (getenv "TMPDIR") "/tmp") "/tutti-test-XXXXXX"))))
    (dynamic-wind
      (const #t)
      (lambda () (proc folder))
      (lambda () (system* "rm" "-rf" folder)))))

(define (with-settings env command)
  (if (null? env) command (cons "env" (append env command))))

(define (read-output command)
  (let* ((pipe (apply open-pipe* OPEN_READ command))
         (text (begin (set-port-encoding! pipe "UTF-8") (get-string-all pipe))))
    (values (close-pipe pipe) text)))

;;; With pipes.

(define-record-type <program>
  (make-program status output errors)
  program?
  (status program-status)               ; exit status; a list of the symbol signal and its number
  (output program-output)
  (errors program-errors))

(define (decode-status status)
  (or (status:exit-val status) (list 'signal (status:term-sig status))))

(define* (run-program command #:key (env '()) (seconds 120))
  "Run @var{command}, a list of strings, with @var{env}, a list of \"NAME=VALUE\", and return what came of it. It is killed after
@var{seconds}, which gives the status @code{(signal 9)} or 137."
  (call-with-folder
   (lambda (folder)
     (let ((errors (string-append folder "/errors")))
       (call-with-values
           (lambda ()
             (read-output (append (list "sh" "-c" "exec \"$@\" 2> \"$0\" < /dev/null" errors)
                                  (list "timeout" "--signal=KILL" (number->string seconds))
                                  (with-settings env command))))
         (lambda (status output)
           (make-program (decode-status status) output
                         (call-with-input-file errors get-string-all #:encoding "UTF-8"))))))))

;;; On a terminal.

(define-record-type <terminal>
  (make-terminal steps end text)
  terminal?
  (steps terminal-steps)                ; list of <step>
  (end terminal-end)                    ; (exited STATUS), (signal NUMBER) or (alive)
  (text terminal-text))                 ; all that was shown

(define-record-type <step>
  (make-step ok? milliseconds text)
  step?
  (ok? step-ok?)
  (milliseconds step-milliseconds)
  (text step-text))

(define (escape text)
  (string-concatenate
   (map (lambda (c)
          (cond ((char=? c #\\) "\\\\")
                ((or (char<? c #\space) (char=? c #\delete)) (format #f "\\~3,'0o" (char->integer c)))
                (else (string c))))
        (string->list text))))

(define (step->line step)
  (match step
    (('expect seconds text) (format #f "expect ~a ~a" seconds (escape text)))
    (('send text) (format #f "send ~a" (escape text)))
    (('interrupt) "send \\003")
    (('size columns) (format #f "size ~a" columns))
    (('signal number) (format #f "signal ~a" number))
    (('run command) (format #f "run ~a" command))
    (('cooked seconds) (format #f "cooked ~a" seconds))
    (('exit seconds) (format #f "exit ~a" seconds))))

(define (parse-step line)
  (match (string-split line #\space)
    (("step" _ result milliseconds . words)
     (make-step (string=? result "ok") (string->number milliseconds) (string-join words)))))

(define (unescape line)
  (let loop ((characters (string->list line)) (done '()))
    (match characters
      (() (list->string (reverse done)))
      ((#\\ #\x high low . rest) (loop rest (cons (integer->char (string->number (string high low) 16)) done)))
      ((c . rest) (loop rest (cons c done))))))

(define (parse-transcript text)
  (let ((lines (string-split (string-trim-right text #\newline) #\newline)))
    (call-with-values (lambda () (span (lambda (line) (string-prefix? "step " line)) lines))
      (lambda (steps rest)
        (make-terminal (map parse-step steps)
                       (match (string-split (car rest) #\space)
                         ((how) (list (string->symbol how)))
                         ((how number) (list (string->symbol how) (string->number number))))
                       (string-join (map (lambda (line) (unescape (substring line 2))) (cdr rest)) "\n"))))))

(define* (run-on-terminal command steps #:key (env '()))
  "Run @var{command} on a terminal. @var{steps} is a list of @code{(expect SECONDS TEXT)}, @code{(send TEXT)}, @code{(interrupt)},
@code{(size COLUMNS)}, @code{(signal NUMBER)}, @code{(run SHELL-COMMAND)}, @code{(cooked SECONDS)} and @code{(exit SECONDS)}; the first
that fails is the last."
  (call-with-folder
   (lambda (folder)
     (let ((file (string-append folder "/steps")))
       (call-with-output-file file
         (lambda (port) (for-each (lambda (step) (format port "~a~%" (step->line step))) steps)))
       (call-with-values
           (lambda ()
             (read-output (append (list "sh" "-c" "exec \"$@\" < \"$0\"" file (helper "pty-run"))
                                  (with-settings (cons "TERM=dumb" env) command))))
         (lambda (status text) (parse-transcript text)))))))

(define (terminal-screen terminal)
  "Return the lines that stand on the screen in the end, as a terminal of endless height shows them."
  (define (put line column c)
    (let ((padded (string-pad-right line (max column (string-length line)))))
      (string-append (substring padded 0 column) (string c)
                     (if (< column (string-length padded)) (substring padded (1+ column)) ""))))
  (let loop ((characters (string->list (terminal-text terminal))) (line "") (column 0) (lines '()))
    (match characters
      (() (reverse (if (string-null? line) lines (cons line lines))))
      ((#\newline . rest) (loop rest "" 0 (cons line lines)))
      ((#\return . rest) (loop rest line 0 lines))
      ((#\esc #\[ #\K . rest) (loop rest (substring line 0 (min column (string-length line))) column lines))
      ((c . rest) (loop rest (put line column c) (1+ column) lines)))))

;;; Processes.

(define (status-of pid)
  "Return the list of words behind the name in /proc/@var{pid}/stat: state, parent and so on; or @code{#f}."
  (false-if-exception
   (let* ((line (call-with-input-file (format #f "/proc/~a/stat" pid) read-line))
          (end (string-rindex line #\))))
     (string-split (substring line (+ end 2)) #\space))))

(define (all-processes)
  (filter-map string->number
              ((@ (ice-9 ftw) scandir) "/proc" (lambda (name) (string-every char-numeric? name)))))

(define* (descendants #:optional (pid (getpid)))
  "Return the process numbers of all children of @var{pid}, and of theirs."
  (let* ((parents (filter-map (lambda (p) (and=> (status-of p) (lambda (words) (cons p (string->number (second words))))))
                              (all-processes))))
    (let below ((pid pid))
      (append-map (lambda (entry) (if (= (cdr entry) pid) (cons (car entry) (below (car entry))) '())) parents))))

(define (process-gone? pid)
  "Return true if there is no process @var{pid}, or only a zombie, all threads of which are gone, and with them its descriptors."
  (let ((words (status-of pid)))
    (or (not words)
        (and (string=? (first words) "Z") (<= (string->number (list-ref words 17)) 1)))))

(define (mentioned-processes text)
  "Return the list that stands behind @samp{processes } in @var{text}; what a script has printed of its @code{descendants}."
  (let ((at (string-contains text "processes (")))
    (if at (call-with-input-string (substring text (+ at (string-length "processes "))) read) '())))
