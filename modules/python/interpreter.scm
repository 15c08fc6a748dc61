;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Which Python, and where its library is.  The one that the user names is run once and asked; what cannot be used is refused with what was
;; found and what to do.
(define-module (tutti python interpreter)
  #:use-module ((ice-9 exceptions) #:select (exception-message))
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-11)
  #:use-module ((system foreign) #:select (sizeof))
  #:use-module (tutti base documented)
  #:use-module (tutti conditions)
  #:use-module (tutti python probe)
  #:export (find-python python->string python-finding
            python? python-executable python-program python-why python-version python-version-numbers python-library python-path
            python-prefix python-exec-prefix python-base-prefix python-platform python-free-threading? python-numpy python-numpy-file))

(define-record-type <python>
  (make-python program why executable version version-numbers library path prefix exec-prefix base-prefix platform free-threading? numpy
               numpy-file)
  python?
  (program %program)
  (why %why)
  (executable %executable)
  (version %version)
  (version-numbers %version-numbers)
  (library %library)
  (path %path)
  (prefix %prefix)
  (exec-prefix %exec-prefix)
  (base-prefix %base-prefix)
  (platform %platform)
  (free-threading? %free-threading?)
  (numpy %numpy)
  (numpy-file %numpy-file))

(define-documented #:of python
  (python-program %program "Return the absolute name of the file that was asked; it may be a link, or a script that runs another.")
  (python-why %why "Return why @var{python} was chosen: @samp{#:python}, @samp{$TUTTI_PYTHON} or @samp{python3 on the PATH}.")
  (python-executable %executable "Return the absolute name of the program of @var{python}, as it says itself; in a virtual environment, the
one there.")
  (python-version %version "Return the version of @var{python}, such as @samp{3.13.0rc1}.")
  (python-version-numbers %version-numbers "Return the version of @var{python} as a list of three integers.")
  (python-library %library "Return the absolute name of the library of @var{python}, to be loaded with its symbols global.")
  (python-path %path "Return the list of folders and archives in which @var{python} looks for modules, its @code{sys.path}.")
  (python-prefix %prefix "Return @code{sys.prefix}, in a virtual environment that one's folder.")
  (python-exec-prefix %exec-prefix "Return @code{sys.exec_prefix}.")
  (python-base-prefix %base-prefix "Return @code{sys.base_prefix}, the folder of the installation.")
  (python-platform %platform "Return for which platform @var{python} was built, such as @samp{linux-x86_64}.")
  (python-free-threading? %free-threading? "Return true if @var{python} was built without a global lock.")
  (python-numpy %numpy "Return the version of numpy that @var{python} would import, a string, or @code{#f}.")
  (python-numpy-file %numpy-file "Return the file of that numpy, or @code{#f}."))

(set-procedure-property! python? 'documentation "Return true if the argument is an interpreter that @code{find-python} has found.")

(define least-version '(3 11))
(define usual-seconds 20)

;;; What the user has named.

(define (refuse text . arguments)
  (raise-tutti (make-tutti-error (apply format #f text arguments)) 'python))

(define (choose name)
  "Return two values: why, and the name of a file, a folder or a program."
  (let ((set (getenv "TUTTI_PYTHON")))
    (cond ((and name (not (and (string? name) (not (string-null? name)))))
           (refuse "#:python ~s: expected the name of a Python or of the folder of a virtual environment, a string" name))
          (name (values "#:python" name))
          ((and set (not (string-null? set))) (values "$TUTTI_PYTHON" set))
          (else (values "python3 on the PATH" "python3")))))

(define other-advice "name another Python, or the folder of a virtual environment, with #:python or $TUTTI_PYTHON")

(define (absolute name)
  ;; Links stay as they are: by its own name a Python finds the virtual environment that it belongs to.
  (if (absolute-file-name? name) name (string-append (getcwd) "/" name)))

(define (folders-on-path)
  (map (lambda (folder) (if (string-null? folder) "." folder))
       (string-split (or (getenv "PATH") "/usr/bin:/bin") #\:)))

(define (program? file)
  (and (file-exists? file) (not (file-is-directory? file)) (access? file X_OK)))

(define (all-on-path name)
  "Return the absolute names of all programs @var{name} on the PATH."
  (delete-duplicates
   (filter-map (lambda (folder)
                 (let ((file (string-append folder "/" name)))
                   (and (program? file) (absolute file))))
               (folders-on-path))))

(define (link-target file)
  (false-if-exception (readlink file)))

(define (check-program file why)
  "Return the name @var{file} as an absolute one, if it is that of a program."
  (let ((file (absolute file)))
    (cond ((program? file) file)
          ((file-exists? file) (refuse "~a (~a) is not a program: it may not be executed~%  ~a" file why other-advice))
          ((link-target file)
           => (lambda (target)
                (refuse "~a (~a) is a link to ~a, which does not exist: make the virtual environment again, or ~a"
                        file why target other-advice)))
          (else (refuse "~a (~a) does not exist; ~a" file why other-advice)))))

(define (in-environment folder why)
  "Return the name of the Python in the virtual environment in @var{folder}."
  (let* ((names (map (lambda (name) (string-append folder "/bin/" name)) '("python3" "python")))
         (there (or (find file-exists? names) (find link-target names))))
    (if there
        (check-program there why)
        (refuse "the folder ~a (~a) has no bin/python3: it is no virtual environment; make one with `python3 -m venv ~a', or ~a"
                folder why folder other-advice))))

(define (locate why name)
  "Return the absolute name of the program that @var{name} means."
  (cond ((and (string-index name #\/) (file-exists? name) (file-is-directory? name))
         (in-environment (string-trim-right (absolute name) #\/) why))
        ((string-index name #\/) (check-program name why))
        ((match (all-on-path name) ((first . _) first) (() #f)))
        ((and (file-exists? name) (file-is-directory? name)) (in-environment (absolute name) why))
        (else
         (refuse "there is no ~a on the PATH~a; install Python ~a or newer (Debian: apt install python3), or ~a~%  looked in ~a"
                 name (if (string=? why "$TUTTI_PYTHON") ", as $TUTTI_PYTHON names it" "") (version->string least-version) other-advice
                 (string-join (folders-on-path) ", ")))))

;;; What it has answered.

(define (version->string numbers) (string-join (map number->string numbers) "."))
(define (string->version text) (map string->number (string-split text #\.)))

(define (older? a b)
  (match (list a b)
    ((_ ()) #f)
    ((() _) #t)
    (((x . a) (y . b)) (or (< x y) (and (= x y) (older? a b))))))

(define most-quoted 6)                  ; lines
(define most-columns 160)

(define (quoted text)
  "Return the last lines of @var{text}, an output, each on a line of its own behind a newline."
  (let* ((clean (lambda (line) (string-map (lambda (c) (if (char-set-contains? char-set:iso-control c) #\space c)) line)))
         (lines (remove string-null? (map (lambda (line) (string-trim-right (clean line))) (string-split text #\newline))))
         (shown (if (> (length lines) most-quoted) (take-right lines most-quoted) lines)))
    (string-concatenate
     (map (lambda (line)
            (string-append "\n    " (if (> (string-length line) most-columns) (string-append (substring line 0 most-columns) "…") line)))
          shown))))

(define (what-it-wrote output errors)
  (cond ((not (string-null? (string-trim-both errors))) (string-append "; it wrote" (quoted errors)))
        ((not (string-null? (string-trim-both output))) (string-append "; it wrote" (quoted output)))
        (else "; it wrote nothing")))

(define (failure how seconds)
  "Return a text that says what happened, and no answer came."
  (match how
    (('failed errno _ _)
     (format #f "it cannot be started: ~a~a" (strerror errno)
             (if (= errno ENOEXEC) ", which is what a text without #! and a program for another machine give" "")))
    (('late _ output errors) (format #f "it has not answered within ~a s~a" seconds (what-it-wrote output errors)))
    (('flooded _ _ _) (format #f "it wrote more than ~a bytes instead of a short answer" most-output))
    (('signaled number output errors)
     (format #f "it was ended by signal ~a when it was asked what it is~a" number (what-it-wrote output errors)))
    ((_ 0 output errors) (format #f "it is no Python: it has not answered as one does~a" (what-it-wrote output errors)))
    ((_ status output errors)
     (format #f "it ended with status ~a when it was asked what it is~a" status (what-it-wrote output errors)))))

(define own-bits (* 8 (sizeof '*)))

(define (pyenv? answer)
  (let ((prefix (or (assoc-ref answer "base_prefix") ""))
        (root (getenv "PYENV_ROOT")))
    (or (string-contains prefix "/.pyenv/versions/")
        (and root (not (string-null? root)) (string-prefix? root prefix)))))

(define (library-advice answer)
  (let ((short (version->string (take (string->version (assoc-ref answer "version")) 2))))
    (cond ((pyenv? answer)
           (format #f "build it again with its library: PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install --force ~a"
                   (assoc-ref answer "version")))
          ((and (equal? (assoc-ref answer "base_prefix") "/usr") (file-exists? "/etc/debian_version"))
           (format #f "install its library: apt install libpython~a" short))
          ((equal? (assoc-ref answer "shared") "1")
           (format #f "install the package of your system that has ~a" (assoc-ref answer "library-name")))
          (else "build it again with its library: ./configure --enable-shared"))))

(define (problem answer)
  "Return two values: why the Python that has given @var{answer} cannot be used, or @code{#f}; and what to do besides naming another."
  (define version (assoc-ref answer "version"))
  (define (say . arguments) (values (apply format #f arguments) #f))
  (cond ((not (equal? (assoc-ref answer "implementation") "cpython"))
         (say "it is ~a ~a, another implementation of Python; only CPython can be loaded" (assoc-ref answer "implementation") version))
        ((older? (string->version version) least-version)
         (say "it is Python ~a; Tutti needs ~a or newer" version (version->string least-version)))
        ((not (equal? (assoc-ref answer "bits") (number->string own-bits)))
         (say "it is a program of ~a bits, and Tutti one of ~a" (assoc-ref answer "bits") own-bits))
        ((assoc-ref answer "library") (values #f #f))
        ((equal? (assoc-ref answer "shared") "1")
         (values (format #f "it is Python ~a, whose library ~a is not there" version (assoc-ref answer "library-name"))
                 (library-advice answer)))
        (else
         (values (format #f "it is Python ~a, built without the library (libpython) through which it could be loaded" version)
                 (library-advice answer)))))

(define (others-advice why program)
  "Return the advice to name another Python, with those that are at hand."
  (let ((others (if (string-prefix? "python3 on" why) (delete program (all-on-path "python3")) '())))
    (if (null? others)
        other-advice
        (format #f "~a; there ~[~;is~:;are~] also ~a" other-advice (min 2 (length others)) (string-join others ", ")))))

(define (refuse-python program why problem advice)
  (refuse "~a (~a) cannot be used as Python: ~a~%  ~a" program why problem
          (if advice
              (string-append advice "\n  or " (others-advice why program))
              (others-advice why program))))

(define* (find-python #:optional name #:key (seconds usual-seconds))
  "Return the Python that @var{name} names, the file of a program, the name of one on the PATH or the folder of a virtual environment;
without it, the one that @env{TUTTI_PYTHON} names; without that, @command{python3} on the PATH.  It is run once, and must answer within
@var{seconds}.  If it cannot be loaded into a process of Tutti's, that is a @code{&tutti-error}, which says why."
  (let*-values (((why name) (choose name))
                ((program) (locate why name))
                ((answer how) (probe-python program seconds)))
    (unless answer
      (refuse-python program why (failure how seconds) #f))
    (let-values (((problem advice) (problem answer)))
      (when problem
        (refuse-python program why problem advice)))
    (make-python program why
                 (or (assoc-ref answer "executable") program)
                 (assoc-ref answer "version-text")
                 (string->version (assoc-ref answer "version"))
                 (assoc-ref answer "library")
                 (probe-list answer "path")
                 (assoc-ref answer "prefix")
                 (assoc-ref answer "exec_prefix")
                 (assoc-ref answer "base_prefix")
                 (assoc-ref answer "platform")
                 (equal? (assoc-ref answer "free-threading") "1")
                 (assoc-ref answer "numpy")
                 (assoc-ref answer "numpy-file"))))

;;; For tutti doctor.

(define (python->string python)
  "Return a line about @var{python}, and one about its library."
  (format #f "~a, ~a (~a)~%~a" (python-version python)
          (if (string=? (python-program python) (python-executable python))
              (python-program python)
              (format #f "~a, which is ~a" (python-program python) (python-executable python)))
          (python-why python) (python-library python)))

(define (python-finding)
  "Return what @command{tutti doctor} is to say of the Python that would be used: a pair of true, if Python and numpy are there, and a
text."
  (with-exception-handler
      (lambda (error)
        (if (tutti-error? error)
            (cons #f (exception-message error))
            (raise-exception error)))
    (lambda ()
      (let ((python (find-python)))
        (if (python-numpy python)
            (cons #t (format #f "~a~%numpy ~a, ~a" (python->string python) (python-numpy python) (dirname (python-numpy-file python))))
            (cons #f (format #f "~a~%no numpy: vectors cannot become arrays there; install it with ~a" (python->string python)
                             (if (equal? (python-prefix python) "/usr")
                                 "the packages of your system (Debian: apt install python3-numpy)"
                                 (format #f "`~a -m pip install numpy'" (python-executable python))))))))
    #:unwind? #t))
