;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The whole screen of a terminal, which is drawn again and again, and keys. However its user ends, by a key, a signal or an error, the
;; terminal is as it was before.
(define-module (tutti program screen)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (tutti base primitives)
  #:use-module (tutti base terminal)
  #:export (screen-usable? call-with-screen draw-screen! next-keys screen-rows screen-columns screen-signal))

(define usual-rows 24)

(define (screen-usable?)
  "Return true if input and output are a terminal that can be drawn on."
  (and (isatty? (current-input-port)) (isatty? (current-output-port))
       (not (member (or (getenv "TERM") "dumb") '("dumb" "")))))

(define (screen-rows)
  "Return how many rows the terminal has at this moment."
  (let ((rows (%terminal-rows (port->fdes (current-output-port)))))
    (if (positive? rows) rows usual-rows)))

(define (screen-columns)
  "Return how many columns it has."
  (terminal-columns (current-output-port)))

(define (write-text text)
  (display text)
  (force-output))

;;; Taking the screen, and giving it back.

(define begun? #f)

(define (begin!)
  (unless begun?
    (set! begun? #t)
    (%begin-keys! (port->fdes (current-input-port)))
    ;; The other screen, without a cursor; long lines end at the margin.
    (write-text "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[H\x1b[2J")))

(define (end!)
  (when begun?
    (set! begun? #f)
    ;; Where the terminal has gone, there is nothing to be given back.
    (false-if-exception (write-text "\x1b[?7h\x1b[?25h\x1b[?1049l"))
    (%end-keys!)))

;;; Signals are noted, and looked at between two keys.

(define ending #f)                      ; the signal that has asked for the end, or #f

(define (screen-signal)
  "Return the signal that has asked for the end, or @code{#f}."
  ending)

(define (suspend _)
  ;; As the shell's users expect of Ctrl-Z.
  (end!)
  (%suspend!)
  (begin!))

(define (listen-to-signals!)
  (for-each (lambda (signal) (sigaction signal (lambda (signal) (set! ending signal)))) (list SIGINT SIGTERM SIGHUP))
  (sigaction SIGWINCH (const #t))       ; it only interrupts what waits
  (sigaction SIGTSTP suspend))

(define (call-with-screen proc)
  "Call @var{proc} while the whole screen is ours, and return what it returns."
  (listen-to-signals!)
  (dynamic-wind begin! proc end!))

;;; Drawing.

(define (draw-screen! lines)
  "Draw @var{lines}, from the top; each is cut at the margin."
  (let ((columns (screen-columns)))
    (write-text
     (string-append "\x1b[H"
                    (string-join (map (lambda (line) (string-append (cut-to-columns line columns) "\x1b[K")) lines) "\n")
                    "\x1b[J"))))

;;; Keys.

(define (bytes->keys bytes)
  "Return the keys that have sent @var{bytes}: characters, and symbols for those that send sequences."
  (let loop ((bytes bytes) (keys '()))
    (match bytes
      (() (reverse keys))
      ((27 (or 91 79) 65 . rest) (loop rest (cons 'up keys)))
      ((27 (or 91 79) 66 . rest) (loop rest (cons 'down keys)))
      ((27 (or 91 79) 72 . rest) (loop rest (cons 'home keys)))
      ((27 (or 91 79) 70 . rest) (loop rest (cons 'end keys)))
      ((27 91 53 126 . rest) (loop rest (cons 'page-up keys)))
      ((27 91 54 126 . rest) (loop rest (cons 'page-down keys)))
      ((27 91 (or 49 55) 126 . rest) (loop rest (cons 'home keys)))
      ((27 91 (or 52 56) 126 . rest) (loop rest (cons 'end keys)))
      ((27 91 . rest) (loop (after-sequence rest) keys))
      ((byte . rest) (loop rest (if (< byte 128) (cons (integer->char byte) keys) keys))))))

(define (after-sequence bytes)
  ;; One that is not known ends with a byte from @ to ~.
  (match bytes
    (() '())
    ((byte . rest) (if (<= 64 byte 126) rest (after-sequence rest)))))

(define (next-keys seconds)
  "Return the list of keys that are pressed in @var{seconds}, as soon as there are some or a signal has come; @code{#f}: there will be
none, the terminal has gone."
  (match (%read-keys (port->fdes (current-input-port)) seconds)
    (#f #f)
    (bytes (bytes->keys (bytevector->u8-list bytes)))))
