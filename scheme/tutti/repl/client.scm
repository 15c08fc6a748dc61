;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The two ports of one who talks to this process by a socket. What comes is lines, what goes is text: so any program can do that, as with
;; Guile's own server of REPLs. `tutti attach' asks for more, by a line that begins with the byte 1. From then on a line behind the byte 1
;; goes to it where something is to be known that is no output:
;;
;;   ?PROMPT     a line is wanted, and PROMPT is to be shown: it sends none before
;;   =TEXT       a name that the text which was to be completed can stand for; an empty TEXT: there are no more
;;   !REASON     the talk is over; nothing more comes
;;
;; (the byte 1 in output comes twice), and it may send, as lines behind that byte, `complete TEXT', and `leave', which leaves the expression
;; that is being read. While no line is wanted, the byte 3 interrupts what is evaluated.
(define-module (tutti repl client)
  #:use-module (ice-9 binary-ports)
  #:use-module (ice-9 iconv)
  #:use-module (ice-9 match)
  #:use-module (ice-9 regex)
  #:use-module ((ice-9 session) #:select (apropos-internal))
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-9)
  #:use-module (tutti base primitives)
  #:use-module (tutti repl loop)
  #:export (make-client client-socket client-busy? client-input client-output ask-client say-to-client find-byte text-of-bytes greeting))

(define mark 1)                         ; the byte
(define interrupt 3)
(define longest-line (* 1024 1024))     ; bytes: nobody may fill this process's memory
(define most-names 500)
(define the-end (list 'end))             ; instead of a line

(define-record-type <client>
  (make-client-record descriptor attached? busy? prompt bytes line position input output)
  client?
  (descriptor client-socket)
  (attached? client-attached? set-client-attached?!) ; is it `tutti attach'?
  (busy? client-busy? set-client-busy?!)             ; is something evaluated for it, so that it can be interrupted?
  (prompt client-prompt set-client-prompt!)          ; to be shown with the next line that is wanted; #f: it was
  (bytes client-bytes set-client-bytes!)             ; have come, and were not looked at
  (line client-line set-client-line!)                ; that is read now
  (position client-position set-client-position!)    ; in it
  (input client-input set-client-input!)
  (output client-output set-client-output!))

(for-each (lambda (procedure text) (set-object-property! procedure 'documentation text))
          (list client-socket client-busy? client-input client-output)
          '("Return the descriptor of a client." "Return true if something is evaluated for a client."
            "Return the port with what a client says." "Return the port by which a client is told something."))

(define (find-byte bytes byte start)
  "Return the index of the first @var{byte} in the bytevector @var{bytes} from @var{start} on, or @code{#f}."
  (let loop ((i start))
    (cond ((= i (bytevector-length bytes)) #f)
          ((= byte (bytevector-u8-ref bytes i)) i)
          (else (loop (1+ i))))))

(define (part bytes start end)
  (let ((part (make-bytevector (- end start))))
    (bytevector-copy! bytes start part 0 (- end start))
    part))

(define (text-of-bytes parts)
  "Return the text of the bytevectors in @var{parts}, in UTF-8; what is no text becomes question marks."
  (call-with-values open-bytevector-output-port
    (lambda (port get)
      (for-each (lambda (bytes) (put-bytevector port bytes)) parts)
      (bytevector->string (get) "UTF-8" 'substitute))))

;;; What it is told.

(define (greeting)
  "Return the line that says what a client talks to."
  (format #f "Process ~a~a.  Its variables are seen and changed here while it goes on.  `,help tutti' tells more, `,q' leaves."
          (getpid)
          (match (command-line)
            ((script . _) (string-append ", " script))
            (_ ""))))

(define (send client bytes)
  ;; If it has gone, what it reads next is the end.
  (%socket-write (client-socket client) bytes 0 (bytevector-length bytes)))

(define (say-to-client client kind text)
  "Send @var{client} a line of @var{kind}, a character, with @var{text}; nothing if it would not know what that is."
  (when (client-attached? client)
    (force-output (client-output client))
    (send client (string->utf8 (format #f "\x01~a~a\n" kind (string-map (lambda (c) (if (char=? c #\newline) #\space c)) text))))))

(define (make-output client)
  (define (write! bytes start count)
    (let ((end (+ start count)))
      ;; The mark comes twice.
      (let loop ((from start))
        (match (and (client-attached? client) (find-byte bytes mark from))
          ((? (lambda (i) (and i (< i end))) i)
           (%socket-write (client-socket client) bytes from (- (1+ i) from))
           (%socket-write (client-socket client) bytes i 1)
           (loop (1+ i)))
          (_ (%socket-write (client-socket client) bytes from (- end from))))))
    ;; What cannot be written is lost: the reader has gone.
    count)
  (let ((port (make-custom-binary-output-port "client" write! #f #f #f)))
    (set-port-encoding! port "UTF-8")
    (set-port-conversion-strategy! port 'escape)
    (setvbuf port 'line)
    port))

;;; What it says.

(define (next-raw-line client)
  "Return the next line that @var{client} has sent, with its end, or the object for the end of the input."
  (let loop ((parts '()) (size 0))
    (let* ((bytes (client-bytes client))
           (end (find-byte bytes 10 0)))
      (define (all-of last) (text-of-bytes (reverse (cons last parts))))
      (cond (end
             (set-client-bytes! client (part bytes (1+ end) (bytevector-length bytes)))
             (string-append (all-of (part bytes 0 end)) "\n"))
            ((> size longest-line)
             (format (client-output client) "tutti: a line has more than ~a bytes: this connection ends; load a file instead~%"
                     longest-line)
             the-end)
            (else
             (match (%socket-read (client-socket client) #f)
               ((? bytevector? more)
                (set-client-bytes! client more)
                (loop (cons bytes parts) (+ size (bytevector-length bytes))))
               (_
                (set-client-bytes! client #vu8())
                (let ((rest (all-of bytes)))
                  (if (string-null? rest) the-end rest)))))))))

(define (without-interrupts line)
  ;; What was to be interrupted had just ended.
  (string-trim line (integer->char interrupt)))

(define (names-like text)
  (let ((names (sort (map symbol->string (apropos-internal (string-append "^" (regexp-quote text)))) string<?)))
    (if (> (length names) most-names) (list-head names most-names) names)))

(define (show-prompt client)
  (let ((prompt (or (client-prompt client) (if (reading-form?) "... " ""))))
    (force-output (client-output client))
    (cond ((client-attached? client) (say-to-client client #\? prompt))
          ;; As Guile's server does: no prompt for what continues.
          ((client-prompt client) => (lambda (prompt) (display prompt (client-output client)) (force-output (client-output client)))))))

(define (do-as-told client text)
  "Do what the line @var{text}, which was behind the mark, says."
  (match (string-split text #\space)
    (("attach")
     (set-client-attached?! client #t)
     (say-to-client client #\+ (greeting))
     (show-prompt client))
    (("complete" word)
     (for-each (lambda (name) (say-to-client client #\= name)) (names-like word))
     (say-to-client client #\= ""))
    (("leave") (leave-what-is-done))
    (_ #f)))

(define (next-line client)
  "Ask @var{client} for a line and return it, or the object for the end of the input."
  (set-client-busy?! client #f)
  (show-prompt client)
  (let loop ()
    (let ((line (next-raw-line client)))
      (cond ((eq? line the-end) the-end)
            ((string-prefix? "\x01" (without-interrupts line))
             (do-as-told client (string-trim-right (substring (without-interrupts line) 1) #\newline))
             (loop))
            (else
             ;; What follows a line with nothing in it continues nothing.
             (unless (and (reading-form?) (string-null? (string-trim line)))
               (set-client-prompt! client #f))
             (set-client-busy?! client #t)
             (%client-watch! (client-socket client) (client-attached? client))
             (without-interrupts line))))))

(define (make-input client)
  (define (get!)
    (let ((line (client-line client))
          (i (client-position client)))
      (if (< i (string-length line))
          (begin
            (set-client-position! client (1+ i))
            (string-ref line i))
          (let ((next (next-line client)))
            (if (eq? next the-end)
                #f
                (begin
                  (set-client-line! client next)
                  (set-client-position! client 0)
                  (get!)))))))
  (define (ready) (- (string-length (client-line client)) (client-position client)))
  (let ((port (make-soft-port (vector #f #f #f get! #f ready) "r")))
    (set-port-filename! port "<client>")
    port))

(define (make-client socket)
  "Return the client behind the descriptor @var{socket}."
  (let ((client (make-client-record socket #f #f #f #vu8() "" 0 #f #f)))
    (set-client-input! client (make-input client))
    (set-client-output! client (make-output client))
    client))

(define (ask-client client)
  "Return the procedure that asks @var{client} for expressions, see @code{call-asking}."
  (lambda (prompt read)
    (set-client-prompt! client prompt)
    (read (client-input client))))
