;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The text of any object, within a number of characters and a time, however its printer behaves: users write printers for their records,
;; and these may raise errors, never return, or write without end. Also lines of text, and numbers in them.
(define-module (tutti base text)
  #:use-module ((ice-9 binary-ports) #:select (make-custom-binary-output-port))
  #:use-module ((ice-9 iconv) #:select (bytevector->string))
  #:use-module ((ice-9 exceptions) #:select (quit-exception?))
  #:use-module (rnrs bytevectors)
  #:use-module ((srfi srfi-1) #:select (append-map))
  #:export (call-with-bounded-text object->text harmless? shown lines indent join-lines rounded))

(define patience 500000)                ; microseconds

(define (arm-deadline! late)
  "Let @var{late} be called when the patience is over, and return a procedure that takes this back."
  ;; The signal is delivered a little later than it is sent.
  (let* ((armed? #t)
         (handler (sigaction SIGALRM (lambda (signal) (when armed? (late)))))
         (timer (setitimer ITIMER_REAL 0 0 0 patience)))
    (lambda ()
      (when armed?
        (set! armed? #f)
        (setitimer ITIMER_REAL (caar timer) (cdar timer) (caadr timer) (cdadr timer))
        (sigaction SIGALRM (car handler) (cdr handler))))))

(define (interrupting? exception)
  (or (quit-exception? exception) (eq? (exception-kind exception) 'signal)))

(define (bytes->text chunks)
  (let* ((size (apply + (map bytevector-length chunks)))
         (all (make-bytevector size)))
    (let loop ((end size) (chunks chunks))
      (unless (null? chunks)
        (let* ((chunk (car chunks))
               (start (- end (bytevector-length chunk))))
          (bytevector-copy! chunk 0 all start (bytevector-length chunk))
          (loop start (cdr chunks)))))
    ;; The last character may have been cut.
    (bytevector->string all "UTF-8" 'substitute)))

(define (shorten text limit)
  (if (> (string-length text) limit)
      (string-append (substring text 0 limit) "…")
      text))

(define* (call-with-bounded-text write #:optional (limit 5000))
  "Return what @var{write}, a procedure of a port, writes: at most @var{limit} characters, and perhaps a note. It may raise, or never
end."
  ;; The text is what has gone through the port, even if WRITE is left.
  (let* ((tag (make-prompt-tag "full"))
         (chunks '())
         ;; In bytes. Guile's printing of what is nested deeply uses up the stack: no more than that.
         (room (* 2 (1+ limit)))
         ;; Ends the printing; #f: that is over, though the port may still have something.
         (full (lambda () (abort-to-prompt tag ""))))
    (define (take! bytes start count)
      (let ((taken (make-bytevector count)))
        (bytevector-copy! bytes start taken 0 count)
        (set! chunks (cons taken chunks))
        (set! room (- room count))
        (when (and full (negative? room)) (full))
        count))
    (define port (make-custom-binary-output-port "text" take! #f #f #f))
    (define disarm! (const #f))
    (define (text note)
      (disarm!)
      (set! full #f)
      (false-if-exception (close-port port))
      (string-append (shorten (bytes->text chunks) limit) note))
    (set-port-encoding! port "UTF-8")
    (set-port-conversion-strategy! port 'substitute)
    (let ((note (call-with-prompt tag
                  (lambda ()
                    (with-exception-handler
                        (lambda (exception)
                          (if (interrupting? exception) (raise-exception exception) " (printing it raises an error)"))
                      (lambda ()
                        (dynamic-wind
                          (lambda () (set! disarm! (arm-deadline! (lambda () (abort-to-prompt tag " (printing it takes too long)")))))
                          (lambda ()
                            (write port)
                            (force-output port)
                            "")
                          (lambda () (disarm!))))
                      #:unwind? #t))
                  (lambda (_ note) note))))
      ;; A stack overflow skips the exit of a dynamic-wind.
      (text note))))

(define* (harmless? object #:optional (room 1000))
  "Return true if @var{object} is printed by Guile alone, without a user's printer, and takes no more than about @var{room} characters."
  (let visit ((object object) (room room) (return (lambda (room) #t)))
    (cond ((negative? room) #f)
          ((pair? object)
           (visit (car object) (- room 2) (lambda (room) (visit (cdr object) room return))))
          ((string? object) (let ((room (- room (string-length object)))) (and (>= room 0) (return room))))
          ((vector? object)
           (and (< (vector-length object) room) (visit (vector->list object) room return)))
          ((or (null? object) (boolean? object) (symbol? object) (char? object) (keyword? object) (unspecified? object))
           (return (- room 8)))
          ((and (number? object) (or (inexact? object) (< (abs object) 1e18))) (return (- room 24)))
          ((and (procedure? object) (not (struct? object))) (return (- room 80)))
          ((bytevector? object)
           (let ((room (- room (* 4 (bytevector-length object))))) (and (>= room 0) (return room))))
          (else #f))))

(define* (object->text object #:optional (limit 1000))
  "Return @var{object} as it is written: at most @var{limit} characters. Printing it may raise, or never end."
  (if (harmless? object limit)
      (object->string object)
      (call-with-bounded-text (lambda (port) (write object port)) limit)))

(define (shown object)
  "Return @var{object} as it is displayed, a string as it is: quickly what is most common, and always."
  (cond ((string? object) object)
        ((if (symbol? object) symbol->string (and (number? object) number->string)) => (lambda (text) (text object)))
        ((harmless? object) (object->string object display))
        (else (call-with-bounded-text (lambda (port) (display object port))))))

;;; Lines.

(define (lines text)
  "Return the list of lines of @var{text}, a string, or @var{text} itself if it is a list of them; none of @code{#f}."
  (if (string? text)
      (string-split (string-trim-right text #\newline) #\newline)
      (or text '())))

(define (indent text-lines)
  "Return the list of strings @var{text-lines} as lines below another."
  (map (lambda (line) (string-append "    " line)) text-lines))

(define (join-lines . parts)
  "Return the strings and lists of strings in @var{parts} as one text; what is false is left out."
  (string-join (append-map (lambda (part) (cond ((not part) '()) ((string? part) (list part)) (else part))) parts)
               "\n"))

;;; Numbers.

(define (rounded x)
  "Return the real number @var{x} with three significant digits, as many as people read; exact and infinite ones as they are."
  (if (or (exact? x) (nan? x) (inf? x) (zero? x))
      x
      (let* ((exact (inexact->exact x))
             (unit (expt 10 (- (inexact->exact (floor (log10 (abs x)))) 2))))
        (exact->inexact (* unit (round (/ exact unit)))))))
