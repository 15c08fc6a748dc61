;; SPDX-License-Identifier: LGPL-3.0-or-later
;; How the failure of a script is reported: where it is, the condition's full text, and the way there through the script's own procedures.
;; First all scopes are left, so that pools are closed and what workers wrote is there before it.
(define-module (tutti program report)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti advice exception)
  #:use-module (tutti base file-names)
  #:use-module (tutti base primitives)
  #:use-module (tutti conditions)
  #:use-module (tutti program end)
  #:export (call-with-report script-failure fail-script))

;; What becomes of the failure of a script: a procedure that is called with a symbol (unreadable: there is no such file, or it cannot be
;; loaded; syntax: it cannot be compiled; raised: it did not handle an exception) and the text of a report, and does not return.
(define script-failure
  (make-parameter (lambda (kind text)
                    ;; Where the report cannot be written, the exit status has to suffice.
                    (false-if-error
                     (display text (current-error-port))
                     (newline (current-error-port))
                     (force-output (current-error-port)))
                    (exit 1))))

(set-object-property! script-failure 'documentation
                      "What becomes of the failure of a script: a parameter, a procedure of a kind and the text of a report.")

(define (fail-script kind text)
  "Let the script fail with a report, @var{text}."
  ;; Who looks at the job learns it too.
  (%fact! "failure" text)
  ((script-failure) kind text))

(define frames-shown 8)

;;; Places: lists of file, line from 1 and column from 0.

(define (frame-place frame)
  ;; (ADDRESS FILE LINE . COLUMN), lines from 0.
  (let ((source (frame-source frame)))
    (and source
         (string? (second source))
         (list (second source) (1+ (third source)) (cdddr source)))))

(define (syntax-error-place exception)
  (match (and (eq? (exception-kind exception) 'syntax-error) (exception-args exception))
    ((_ _ (? pair? where) . _)
     (list (full-file-name (assq-ref where 'filename)) (1+ (assq-ref where 'line)) (assq-ref where 'column)))
    ((_ _ #((? string? file) line column) . _) (list (full-file-name file) (1+ line) column))
    (_ #f)))

(define (own-place exception)
  (if (not-remotable? exception)
      (not-remotable-source exception)
      (and (exception? exception) (syntax-error-place exception))))

;;; The script's frames.

(define (stack->frames stack)
  (if stack (map (lambda (i) (stack-ref stack i)) (iota (stack-length stack))) '()))

(define (frames-of file stack)
  "Return pairs of procedure name and place for those frames of @var{stack} that are in @var{file}, the innermost first."
  (delete-duplicates
   (filter-map (lambda (frame)
                 (let ((place (frame-place frame)))
                   (and place (equal? (first place) file)
                        (cons (frame-procedure-name frame) place))))
               (stack->frames stack))))

(define (frame-text frame outermost?)
  (format #f "  ~a: ~a" (source->string (cdr frame))
          (cond ((car frame) => (lambda (name) (format #f "in ~a" name)))
                (outermost? "at top level")
                (else "in an anonymous procedure"))))

(define (frames-text frames)
  (let* ((shown (min frames-shown (length frames)))
         (rest (- (length frames) shown)))
    (string-concatenate
     (append (map (lambda (frame i)
                    (string-append "\n" (frame-text frame (= i (1- (length frames))))))
                  (take frames shown) (iota shown))
             (if (positive? rest) (list (format #f "~%  ... and ~a more" rest)) '())))))

;;; The report.

(define (syntax-error-text exception)
  (match (exception-args exception)
    ((who message _ form subform . _)
     (format #f "syntax error: ~@[~a: ~]~a~@[ in form ~s~]~@[, part ~s~]" who message form subform))))

(define (text-of exception)
  (cond ((and (exception? exception) (eq? (exception-kind exception) 'syntax-error)) (syntax-error-text exception))
        ((non-continuable-error? exception) "the handler of with-exception-handler returned, but an error cannot be continued")
        (else (condition->string exception))))

(define (names-place? text file)
  ;; Some texts begin with the place, as those of read errors do.
  (let ((n (string-length file)))
    (and (string-prefix? (string-append file ":") text)
         (> (string-length text) (1+ n))
         (char-numeric? (string-ref text (1+ n))))))

(define (report-text exception advice file place frames)
  (let ((text (with-advice (with-full-file-name (text-of exception)) advice)))
    (string-append
     (if (names-place? text (if place (first place) file))
         text
         (format #f "~a: ~a" (if place (source->string place) file) text))
     (frames-text frames))))

(define* (call-with-report place source thunk #:optional (kind (const 'raised)))
  "Call @var{thunk}, which runs or compiles a script, and return its value.  If it raises, leave it, and let the script fail with a report
of that exception, for which the procedure @var{kind} returns what kind of failure it is; @var{source}, a procedure, then returns the
name of the script's file.  Where neither the exception nor the stack tells a place in the script, @var{place}, a procedure, is given
the exception."
  (let ((tag (make-prompt-tag "script")))
    (call-with-prompt tag
      (lambda ()
        (with-exception-handler
            (lambda (exception)
              (if (or (quit-exception? exception) (output-unread? exception))
                  (raise-exception exception)
                  (let ((stack (make-stack #t)))
                    (abort-to-prompt tag exception (false-if-error (exception-advice exception stack))
                                     (frames-of (source) stack)))))
          thunk))
      (lambda (_ exception advice frames)
        (flush-output)
        (fail-script (kind exception)
                     (or (false-if-error
                          (report-text exception advice (source)
                                       (or (own-place exception)
                                           (and (pair? frames) (cdr (first frames)))
                                           (place exception))
                                       ;; A frame that is the place itself adds nothing.
                                       (if (and (pair? frames) (null? (cdr frames)) (not (own-place exception))) '() frames)))
                         ;; An exception whose printer raises another one.
                         (format #f "~a: an error that cannot be printed" (source))))))))
