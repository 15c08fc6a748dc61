;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Guile's part of the state with which every task begins: ports, module, load path, signal handlers. Changes of that state are noticed
;; where they are made: in a worker by functions that stand in front of libc's; in the serial pool, which runs in the script's own process,
;; by procedures that stand in front of Guile's while a task runs.
(define-module (tutti worker base-state)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (tutti base primitives)
  #:use-module (tutti base scope)
  #:export (prepare-port! call-keeping notice-in-worker! call-noticing))

(define (prepare-port! port)
  "Let lines that are written to @var{port} be seen as they are written, as UTF-8 whatever the locale."
  (set-port-encoding! port "UTF-8")
  (setvbuf port 'line))

;;; Setting back.

;; By signal: the handler and the flags, where the handler is a procedure of Guile's.
(define handlers (make-hash-table))

(define (signals-in bits)
  (filter (lambda (signal) (logbit? (1- signal) bits)) (iota 64 1)))

(define (note-handlers! bits)
  (for-each (lambda (signal)
              (let ((action (sigaction signal)))
                (if (procedure? (car action))
                    (hashv-set! handlers signal action)
                    (hashv-remove! handlers signal))))
            (signals-in bits)))

(define (handlers-set-back! bits)
  (for-each (lambda (signal)
              (let ((action (hashv-ref handlers signal)))
                (when action
                  (sigaction signal (car action) (cdr action)))))
            (signals-in bits)))

(define (open-again port descriptor mode)
  ;; Its descriptor is there again; the port is closed for good.
  (if (port-closed? port)
      (let ((new (or (false-if-exception (fdopen descriptor mode)) (%make-void-port mode))))
        (prepare-port! new)
        new)
      port))

(define (ports-set-back! output error input warning)
  (let ((new-error (open-again error 2 "w")))
    (set-current-output-port (open-again output 1 "w"))
    (set-current-error-port new-error)
    (set-current-input-port (open-again input 0 "r"))
    (current-warning-port (if (or (eq? warning error) (port-closed? warning)) new-error warning))))

(define load-path-variable (module-variable the-root-module '%load-path))

(%set-base-restore!
 (lambda (ports module load-path signals)
   (set-current-module module)
   (variable-set! load-path-variable load-path)
   (apply ports-set-back! ports)
   (handlers-set-back! signals)))

;;; What stays.

(define (call-keeping thunk)
  "Call @var{thunk} and return its values. What it changes of the process belongs from then on to the state with which tasks begin."
  (let ((before #f))
    (dynamic-wind
      (lambda () (set! before (%base-keep-begin!)))
      thunk
      (lambda () (note-handlers! (%base-keep-end! before))))))

(define (keeping procedure)
  (lambda arguments
    (call-keeping (lambda () (apply procedure arguments)))))

(define loaders '(try-module-autoload load-extension dynamic-link))

;;; Noticing, in the serial pool.

;; The parts that Guile can change, by their numbers in process/base-state.h.
(define folder 0)
(define environment 2)
(define limit 3)
(define niceness 4)
(define processors 6)
(define signal 7)
(define timer 10)
(define locale 11)
(define interpreter 12)

(define (call-changing part which name thunk)
  (%base-changing! part which)
  (call-with-values thunk
    (lambda results
      (%base-changed! part which name)
      (apply values results))))

(define* (noticing part original #:key (which (const 0)) (name (const #f)) (change? (const #t)))
  (lambda arguments
    (if (change? arguments)
        (call-changing part (which arguments) (name arguments) (lambda () (apply original arguments)))
        (apply original arguments))))

(define (sets? arguments)
  (and (pair? arguments) (pair? (cdr arguments)) #t))

(define (noticing-umask original)
  (lambda arguments
    (let ((before (apply original arguments)))
      (when (pair? arguments)
        (%base-umask-changed! before (car arguments)))
      before)))

(define (noticing-limits original)
  (lambda arguments
    (for-each (lambda (resource) (%base-changing! limit resource)) (iota 16))
    (apply original arguments)
    (for-each (lambda (resource) (%base-changed! limit resource #f)) (iota 16))))

(define (setting-name arguments)
  (let ((setting (car arguments)))
    (substring setting 0 (or (string-index setting #\=) (string-length setting)))))

;; Changes that do not pass through libc.
(define interpreters-own '(set-current-output-port set-current-error-port set-current-input-port set-current-module))
;; Parameters are set by calling them, too.
(define ports-parameters '(current-output-port current-error-port current-input-port current-warning-port))

(define (noticing-interpreter original)
  (noticing interpreter original))

(define (noticing-parameter original)
  (noticing interpreter original #:change? pair?))

;; Where a procedure of Guile's is found, and what stands in front of it: a setter sets the place.
(define-record-type <place>
  (make-place procedure set original replacement)
  place?
  (procedure place-procedure)           ; of no arguments: what is there now
  (set place-set)
  (original place-original)
  (replacement place-replacement))

(define (set-place! place procedure)
  ((place-set place) procedure))

(define (variable-place name replace)
  (let* ((variable (module-variable the-root-module name))
         (original (variable-ref variable)))
    (make-place (lambda () (variable-ref variable)) (lambda (procedure) (variable-set! variable procedure)) original (replace original))))

;; Others hold the parameter itself, so its procedure is replaced. `parameterize' sets back what it sets, and goes another way.
(define (parameter-place name)
  (let* ((parameter (module-ref the-root-module name))
         (original (struct-ref parameter 0)))
    (make-place (lambda () (struct-ref parameter 0)) (lambda (procedure) (struct-set! parameter 0 procedure))
                original (noticing-parameter original))))

(define (places replace names)
  (map (lambda (name) (variable-place name replace)) names))

(define (notice-in-worker!)
  "Let what modules and libraries change of the process while they are loaded stay for all tasks, whichever of them loads them first; and
let Guile's procedures say when they change what libc knows nothing of."
  (for-each (lambda (place) (set-place! place (place-replacement place)))
            (append (places keeping loaders)
                    (places noticing-interpreter interpreters-own)
                    (map parameter-place ports-parameters))))

(define setters
  (delay
    (append
     (list (variable-place 'chdir (lambda (original) (noticing folder original)))
           (variable-place 'umask noticing-umask)
           (variable-place 'setenv (lambda (original) (noticing environment original #:name car)))
           (variable-place 'unsetenv (lambda (original) (noticing environment original #:name car)))
           (variable-place 'putenv (lambda (original) (noticing environment original #:name setting-name)))
           (variable-place 'environ (lambda (original) (noticing environment original #:change? pair?)))
           (variable-place 'setrlimit noticing-limits)
           (variable-place 'nice (lambda (original) (noticing niceness original)))
           (variable-place 'setpriority (lambda (original) (noticing niceness original)))
           (variable-place 'setaffinity (lambda (original) (noticing processors original)))
           (variable-place 'sigaction (lambda (original) (noticing signal original #:which car #:change? sets?)))
           (variable-place 'alarm (lambda (original) (noticing timer original)))
           (variable-place 'setitimer (lambda (original) (noticing timer original #:which car)))
           (variable-place 'setlocale (lambda (original) (noticing locale original #:change? sets?))))
     (places noticing-interpreter interpreters-own)
     (map parameter-place ports-parameters)
     (places keeping loaders))))

(define users 0)

(define (put-in-front!)
  (call-exclusively
   (lambda ()
     (when (zero? users)
       (for-each (lambda (place) (set-place! place (place-replacement place))) (force setters)))
     (set! users (1+ users)))))

(define (take-away!)
  (call-exclusively
   (lambda ()
     (set! users (1- users))
     (when (zero? users)
       ;; Unless somebody has replaced the procedure again meanwhile.
       (for-each (lambda (place)
                   (when (eq? ((place-procedure place)) (place-replacement place))
                     (set-place! place (place-original place))))
                 (force setters))))))

(define (call-noticing thunk)
  "Call @var{thunk}, which runs a task in the script's own process, and return its value. Meanwhile Guile's procedures that change the
state of the process say so."
  (dynamic-wind put-in-front! thunk take-away!))
