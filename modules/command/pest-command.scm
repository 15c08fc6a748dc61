;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The line in a control file of PEST that runs the model: PEST gives it to a shell. Here it is split into words, and what only a shell
;; understands is refused.
(define-module (tutti command pest-command)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti command scan)
  #:export (split-command-line))

(define special (string->char-set "|&;<>()$`*?\n"))

(define (complain-about-shell who place text c)
  (complain-about who place "the command ~s has ~s, which only a shell understands; put the line into a script beside the control file, \
begin that with #!/bin/sh, and name it here, such as ./model.sh" text (string c)))

(define (split-command-line who place text)
  "Return the list of the words of @var{text}, the command at @var{place}: quotes keep words together, a backslash takes the next character
as it is. What a shell would do more is a @code{&tutti-error}, with what to do instead."
  (define end (string-length text))
  (define (shell c) (complain-about-shell who place text c))
  ;; PARTS: those of the word so far, characters, the last one first; #f: between words.
  (let next ((i 0) (parts #f) (words '()))
    (define (word-done) (if parts (cons (list->string (reverse parts)) words) words))
    (define (take c) (next (1+ i) (cons c (or parts '())) words))
    (define (quoted mark)
      (let ((close (string-index text mark (1+ i))))
        (unless close
          (complain-about who place "the command ~s has a quote that is not closed" text))
        (let ((inside (substring text (1+ i) close)))
          (when (char=? mark #\")
            (let ((found (string-index inside (char-set #\$ #\` #\\)))) (when found (shell (string-ref inside found)))))
          (next (1+ close) (append (reverse (string->list inside)) (or parts '())) words))))
    (if (= i end)
        (let ((words (reverse (word-done))))
          (check-words who place text words)
          words)
        (match (string-ref text i)
          ((? blank?) (next (1+ i) #f (word-done)))
          ((and mark (or #\" #\')) (quoted mark))
          (#\\ (if (= (1+ i) end)
                   (shell #\\)
                   (next (+ 2 i) (cons (string-ref text (1+ i)) (or parts '())) words)))
          ((and c (? (lambda (c) (char-set-contains? special c)))) (shell c))
          ((and c (or #\~ #\#)) (if parts (take c) (shell c)))
          (c (take c))))))

(define (check-words who place text words)
  (when (or (null? words) (string-null? (car words)))
    (complain-about who place "the command ~s has no program" text))
  (when (string-index (car words) #\=)
    (complain-about-shell who place text #\=)))
