;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The exception of a task or item as a value that can travel: its type and its text always arrive, and nothing here raises an error.
(define-module (tutti worker description)
  ;; Guile's debugger takes longer to load than all that a worker needs to run a task: not before there is something to describe.
  #:autoload (tutti advice exception) (exception-advice with-advice)
  #:autoload (tutti worker backtrace) (backtrace-text procedure-place)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti conditions)
  #:autoload (tutti base file-names) (with-full-file-name)
  #:use-module (tutti base text)
  #:use-module (tutti worker wire)
  #:export (ends-process? call-or-else describe-exception travel-problem description-that-travels encode-description
            description->condition spare-descriptors!))

;; A description of more bytes than that, without large vectors of numbers, is sent as text.
(define most-bytes (* 1024 1024))
(define most-arguments 100)

(define (ends-process? exception)
  "Return true for what no task may survive: an exit, Ctrl-C while a serial pool runs it, and Guile's own lack of memory, after which
nothing in the process can be trusted."
  (or (interruption? exception)
      (eq? (exception-kind exception) 'out-of-memory)))

(define (call-or-else thunk handle)
  "Call @var{thunk} and return its value; if it raises, return what @var{handle} returns for the exception."
  (with-exception-handler
      (lambda (exception)
        (if (ends-process? exception) (raise-exception exception) (handle exception)))
    thunk
    #:unwind? #t))

(define-syntax-rule (or-if-raised fallback expression)
  (call-or-else (lambda () expression) (const fallback)))

;; The first description loads Guile's debugger, which takes as long as to start a worker: not before there is something to describe. That
;; takes descriptors, of which a task may have left none. So a worker has some to spare.
(define spare-descriptors '())
(define enough-to-load 6)               ; a file, and two pipes of the thread for finalizers, without which Guile aborts

(define (spare-descriptors!)
  "Keep descriptors for the time when there are no others."
  (set! spare-descriptors
    (filter-map (lambda (_) (false-if-exception (open-fdes "/dev/null" (logior O_RDONLY O_CLOEXEC)))) (iota enough-to-load))))

(define (spend-descriptors!)
  (for-each close-fdes spare-descriptors)
  (set! spare-descriptors '()))         ; what is loaded stays loaded

(define* (describe-exception exception #:optional procedure stack item)
  "Return the description of @var{exception}, any object: a vector of key, arguments, text, backtrace, the number of the item that
raised it or @code{#f}, and the exception itself. @var{procedure} is the task's, @var{stack} where it was raised."
  (spend-descriptors!)
  (vector (or-if-raised '%exception (exception-kind exception))
          (or-if-raised (list exception) (exception-args exception))
          (with-advice (with-full-file-name (exception->text exception)) (or-if-raised #f (exception-advice exception stack)))
          (string-append (if procedure (or-if-raised "" (procedure-place procedure)) "")
                         (if stack (or-if-raised "" (backtrace-text stack)) ""))
          item
          exception))

(define* (travel-problem value #:optional limit)
  "Return the exception that says why @var{value} cannot travel, @code{#f} if it can; with @var{limit}, in so many bytes."
  (call-or-else (lambda () (encode-value value 'task #:limit limit) #f) identity))

(define (text-unless-travels value)
  (if (travel-problem value most-bytes) (object->text value) value))

(define (component-that-travels component)
  ;; An exception's type is what handlers look at: it must arrive, even if what it carries cannot.
  (let ((type (record-type-descriptor component)))
    (apply make-struct/no-tail type
           (map (lambda (i) (text-unless-travels (struct-ref component i)))
                (iota (length (record-type-fields type)))))))

(define (components-that-travel exception)
  (if (exception? exception)
      (filter-map (lambda (component)
                    (or-if-raised #f (let ((component (component-that-travels component)))
                                       (and (not (travel-problem component most-bytes)) component))))
                  (simple-exceptions exception))
      '()))

(define (arguments-that-travel arguments)
  (if (list? arguments)
      (map text-unless-travels
           (if (> (length arguments) most-arguments) (list-head arguments most-arguments) arguments))
      (list (text-unless-travels arguments))))

(define (description-that-travels description)
  "Return @var{description} with texts in place of all that cannot travel, or is too large."
  (match description
    (#(key arguments text backtrace item exception)
     (let* ((components (components-that-travel exception))
            (smaller (vector (text-unless-travels key) (arguments-that-travel arguments) text backtrace item
                             (cond ((pair? components) (apply make-exception components))
                                   ;; The object is no exception.
                                   ((exception? exception) #f)
                                   (else (text-unless-travels exception))))))
       (if (travel-problem smaller (* 2 most-bytes))
           ;; The parts can travel, but not all of them together.
           (vector '%exception '() text backtrace item #f)
           smaller)))))

(define (encode-description description)
  "Return the payload of @var{description}."
  ;; As it is, if that can travel: it mostly can.
  (call-or-else
   (lambda () (encode-value description 'task #:limit most-bytes))
   (lambda (_) (encode-value (description-that-travels description) 'task))))

(define* (description->condition description worker task #:optional host)
  "Return the @code{&worker-error} for @var{description}, which @code{describe-exception} made on @var{worker}, on
@var{host} if that is elsewhere, for @var{task}."
  (match description
    (#(key arguments text (and backtrace (or #f (? string?))) _ original)
     (make-worker-error key arguments text (and backtrace (not (string-null? backtrace)) backtrace) worker
                        task original host))
    (_ (raise-tutti (make-tutti-error "it does not describe an exception")))))
