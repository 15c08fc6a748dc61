;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Where an exception in a task came from, as text. Apart from (tutti worker answer) because it needs Guile's debugger.
;;
;; Guile reads the debugging information anew whenever it is asked: a millisecond for each frame. A task that raises is often one of
;; thousands that raise at the same place, so what is known of an address is kept. Code that was loaded is never unloaded.
(define-module (tutti worker backtrace)
  #:use-module ((ice-9 pretty-print) #:select (truncated-print))
  #:use-module (ice-9 match)
  #:use-module ((ice-9 threads) #:select (make-mutex with-mutex))
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (system vm debug)
  #:use-module (system vm frame)
  #:use-module (system vm program)
  #:use-module (tutti base file-names)
  #:use-module (tutti base text)
  #:export (backtrace-text present-backtrace procedure-place))

(define width 120)             ; characters of a line; a worker has no terminal to ask
(define argument-width 40)
(define enough-places 4096)
(define most-present 200)      ; frames of a task that goes on

(define lock (make-mutex))

(define (call-with-memory table key compute)
  ;; Computed outside of the lock: doing it twice does no harm.
  (or (with-mutex lock (hash-ref table key))
      (let ((value (compute)))
        (with-mutex lock
          (when (>= (hash-count (const #t) table) enough-places)
            (hash-clear! table))
          (hash-set! table key value))
        value)))

;;; What is known of an address.

(define-record-type <place>
  (make-place file position name arguments rest?)
  place?
  (file place-file)                      ; or #f
  (position place-position)              ; "line:column", or ""
  (name place-name)                      ; symbol or #f
  (arguments place-arguments)            ; list of (SLOT . REPRESENTATION), #f for what is not there any more; #f: nothing is known
  (rest? place-rest?))                   ; is the last of them the list of those that remain?

(define (argument-slots frame arity innermost?)
  (let ((bindings (frame-bindings frame innermost?)))
    (map (lambda (index)
           (let ((binding (find (lambda (binding) (= (binding-index binding) index)) bindings)))
             (and binding (cons (binding-slot binding) (binding-representation binding)))))
         (iota (+ (arity-nreq arity) (arity-nopt arity) (if (arity-has-rest? arity) 1 0))
               (if (arity-has-closure? arity) 1 0)))))

(define (source-position source)
  (if source (format #f "~a:~a" (source:line-for-user source) (source:column source)) ""))

(define (source-file source)
  (and=> (source:file source) full-file-name))

(define (make-frame-place frame innermost?)
  (let ((source (frame-source frame))
        (arity (find-program-arity (frame-instruction-pointer frame))))
    (make-place (and=> source source-file) (source-position source) (frame-procedure-name frame)
                (and arity (argument-slots frame arity innermost?))
                (and arity (arity-has-rest? arity)))))

(define places (make-hash-table))
(define innermost-places (make-hash-table))

(define (frame-place frame innermost?)
  (call-with-memory (if innermost? innermost-places places) (frame-instruction-pointer frame)
                    (lambda () (make-frame-place frame innermost?))))

;;; As text.

(define (shorten text limit)
  (if (> (string-length text) limit)
      (string-append (substring text 0 (1- limit)) "…")
      text))

;; In a task that goes on no printers of users' records are called: they take time, and may do anything.
(define in-passing? (make-fluid #f))

(define (type->text value)
  (if (struct? value)
      (format #f "#<~a>" (or (struct-vtable-name (struct-vtable value)) "struct"))
      "_"))

(define procedure-texts (make-hash-table))

(define (make-procedure-text procedure)
  ;; Those without a name are written with an address, which others that are made at the same place do not have.
  (match (string-split (object->string procedure) #\space)
    (("#<procedure" (? (lambda (word) (string->number word 16))) "at" . rest)
     (string-join (cons* "#<procedure" "at" rest) " "))
    (words (string-join words " "))))

(define (procedure->text procedure)
  (shorten (if (program? procedure)
               (call-with-memory procedure-texts (program-code procedure) (lambda () (make-procedure-text procedure)))
               (object->string procedure))
           argument-width))

(define (value->text value)
  (cond ((unspecified? value) "_")      ; most probably collected
        ((and (procedure? value) (not (struct? value))) (procedure->text value))
        ((or (number? value) (symbol? value) (boolean? value) (string? value)) (shorten (object->string value) argument-width))
        (else
         (let ((print (lambda (port) (truncated-print value port #:width argument-width))))
           (cond ((harmless? value) (call-with-output-string print))
                 ((fluid-ref in-passing?) (type->text value))
                 (else (call-with-bounded-text print width)))))))

(define frame-local-ref
  ;; Guile's module does not export it, and what it exports in its place disassembles the procedure for every value.
  (cond ((module-variable (resolve-module '(system vm frame)) 'frame-local-ref) => variable-ref)
        (else (lambda (frame slot representation) *unspecified*))))

(define (call->text frame place)
  (define (slot->text slot)
    (if slot (value->text (frame-local-ref frame (car slot) (cdr slot))) "_"))
  (let* ((arguments (if (place-arguments place) (map slot->text (place-arguments place)) '("…")))
         (shown (if (place-rest? place) (append (drop-right arguments 1) (list "." (last arguments))) arguments))
         (name (place-name place)))
    (string-append "(" (string-join (cons (if name (symbol->string name) "_") shown) " ") ")")))

(define (frame->text frame place index)
  (shorten (string-append (string-pad (place-position place) 9) " "
                          (string-pad (number->string index) 2) " " (call->text frame place))
           width))

(define (our-machinery? place)
  (and=> (place-file place) (lambda (file) (string-suffix? "tutti/worker/answer.scm" file))))

(define* (task-frames stack #:optional (most #f))
  "Return the frames in @var{stack} that are not our machinery, the innermost first, each a pair with what is known of its place: those
before the first of the file answer.scm, without the primitives that called them; @var{most} at most."
  (let loop ((frame (and stack (positive? (stack-length stack)) (stack-ref stack 0))) (frames '()) (left (or most -1)))
    (let ((place (and frame (not (zero? left)) (frame-place frame (null? frames)))))
      (if (and place (not (our-machinery? place)))
          (loop (frame-previous frame) (acons frame place frames) (1- left))
          (reverse (drop-while (lambda (entry) (not (place-file (cdr entry)))) frames))))))

(define (backtrace-text stack)
  "Return the text of the frames of the task in @var{stack}, the outermost first; empty if that is @code{#f}."
  (frames->text (task-frames stack)))

(define (present-backtrace)
  "Return the text of the frames of the task that this thread runs, without those of the async by which this is called."
  (define (asking? entry) (not (eq? (place-name (cdr entry)) '%tell-stack)))
  (define (nowhere? entry) (not (place-file (cdr entry)))) ; Guile's code that calls asyncs
  (let* ((frames (task-frames (make-stack #t) most-present))
         (below (drop-while asking? frames)))
    (with-fluids ((in-passing? #t))
      (string-append
       (if (= (length frames) most-present) "(there are more frames around these)\n" "")
       (frames->text (if (null? below) frames (drop-while nowhere? (cdr below))))))))

(define (frames->text frames)
  (let loop ((index (1- (length frames))) (frames (reverse frames)) (file 'none) (lines '()))
    (if (null? frames)
        (string-concatenate (reverse lines))
        (let* ((frame (caar frames))
               (place (cdar frames))
               (line (string-append (frame->text frame place index) "\n")))
          (loop (1- index) (cdr frames) (place-file place)
                (if (equal? file (place-file place))
                    (cons line lines)
                    (cons* line (string-append "In " (or (place-file place) "unknown file") ":\n") lines)))))))

;;; The task's procedure.

(define procedures (make-hash-table))

(define (make-procedure-place procedure)
  (let ((source (false-if-exception (program-source procedure 0))))
    (if source
        (format #f "task: ~a, ~a:~a:~a\n" (or (procedure-name procedure) "a procedure without a name")
                (or (source-file source) "unknown file") (source:line-for-user source) (source:column source))
        "")))

(define (procedure-place procedure)
  "Return a line that says which procedure the task called, and where it is defined; empty if that is not known."
  ;; A call in tail position leaves no frame: without this a backtrace may not show the task's procedure at all.
  (if (program? procedure)
      (call-with-memory procedures (program-code procedure) (lambda () (make-procedure-place procedure)))
      ""))
