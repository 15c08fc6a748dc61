;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Python in this process, a worker: the interpreter is started by the first call, and there is one.
(define-module (tutti python worker)
  #:use-module (ice-9 format)
  #:use-module ((ice-9 threads) #:select (make-mutex with-mutex))
  #:use-module (srfi srfi-1)
  #:use-module (tutti base check)
  #:use-module (tutti python error)
  #:use-module (tutti python interpreter)
  #:use-module (tutti python primitives)
  #:export (here? module-here call-here make-here send-here file-name? whole-place place->text))

(define (here?)
  "Return true if this process is a worker, in which Python may be loaded."
  (%python-worker?))

;;; The interpreter.

(define started #f)                     ; what find-python has returned
(define named #f)                       ; what the user has named then
(define lock (make-mutex))

(define (own-folders)
  "Return the folders in which modules of the script are: those of the load path that are not Guile's or Tutti's, and the current one."
  (define (another's? folder)
    (or (not (string-prefix? "/" folder))
        (string-contains folder "/share/guile")
        (file-exists? (string-append folder "/tutti/conditions.scm"))))
  (append (remove another's? (delete-duplicates %load-path)) '("")))

(define (start! name)
  (let ((python (find-python name)))
    (when (python-free-threading? python)
      (refuse 'python "~a is a build without a global lock, which Tutti does not know how to use; name another Python with #:python or \
$TUTTI_PYTHON" (python-executable python)))
    (%python-set-raisers! raise-python-exception raise-argument raise-result)
    (%python-start! (python-library python) (python-executable python) (extension-folder) (python-path python) (own-folders))
    (set! named name)
    (set! started python)))

(define (ensure-started! name)
  (unless started
    (with-mutex lock
      (unless started (start! name))))
  (when (and name (not (equal? name named))
             (not (string=? (python-executable started) (python-executable (find-python name)))))
    (refuse 'python "this worker has already loaded the Python of ~a, and a process can have one only; give the tasks of ~a a pool \
of their own"
            (python-executable started) name)))

;;; Modules.

(define (file-name? place)
  "Return true if @var{place}, a string, names a file and not a module."
  (or (string-index place #\/) (string-suffix? ".py" place)))

(define (whole-place place who)
  "Return @var{place} with the absolute name of the file if it is one, which is looked for in the current folder and on the load path."
  (cond ((not (string? place))
         (scm-error 'wrong-type-arg (symbol->string who) "expected the name of a Python module or file, a string, got ~S" (list place)
                    (list place)))
        ((not (file-name? place)) place)
        ((file-exists? place) (canonicalize-path place))
        ((and (not (string-prefix? "/" place)) (search-path %load-path place)) => canonicalize-path)
        (else (refuse who "there is no Python file ~a~a; expected one, or the name of a module" place
                      (if (string-prefix? "/" place) "" (format #f ", neither in ~a nor on the load path" (getcwd)))))))

(define (place->text place)
  "Return what messages call the module or file @var{place}."
  (if (file-name? place) (basename place) place))

(define modules (make-hash-table))      ; handles by place: names of modules, and absolute names of files

(define (module-here place python)
  "Return the handle of the module or file @var{place} in the interpreter that the user calls @var{python}, or @code{#f}."
  (ensure-started! python)
  (or (hash-ref modules place)
      (let ((module (%python-load (string-append "import of " (place->text place)) place (->bool (file-name? place)))))
        (hash-set! modules place module)
        module)))

;;; Calls.

(define (call-here place name arguments keywords python)
  "Call the function @var{name} of the module or file @var{place} with @var{arguments}, a list, and @var{keywords}, a list of pairs of
string and value, and return its value."
  (let ((module (or (and (not python) (hash-ref modules place))
                    (module-here (whole-place place 'python-call) python))))
    (%python-send name module name arguments keywords)))

(define (make-here place name arguments keywords python)
  "Call the class @var{name} of @var{place} in the same way, and return a handle of the object that it makes."
  (%python-make (string-append (place->text place) " " name) (module-here place python) name arguments keywords))

(define (send-here object name arguments keywords)
  "Call the method @var{name} of @var{object}, a handle, and return its value."
  (%python-send name object name arguments keywords))
