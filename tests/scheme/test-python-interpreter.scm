;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Which Python is used, and what is said of those that cannot be: virtual environments, links, builds of other kinds, other programs.
(use-modules (tap) (programs) (tutti) (tutti python interpreter) (ice-9 exceptions) (ice-9 textual-ports)
             (srfi srfi-1) (srfi srfi-64))

(define system-python (getenv "TUTTI_PYTHON"))

(define (write-program file . lines)
  "Write the script @var{file} of a shell, which may be executed, and return its name."
  (call-with-output-file file
    (lambda (port) (for-each (lambda (line) (display line port) (newline port)) (cons "#!/bin/sh" lines))))
  (chmod file #o755)
  file)

(define* (call-with-environment settings thunk)
  "Call @var{thunk} with the variables of the environment in @var{settings}, an association list, set or, if @code{#f}, unset."
  (let ((before (map (lambda (setting) (cons (car setting) (getenv (car setting)))) settings))
        (set! (lambda (setting) (if (cdr setting) (setenv (car setting) (cdr setting)) (unsetenv (car setting))))))
    (dynamic-wind
      (lambda () (for-each set! settings))
      thunk
      (lambda () (for-each set! before)))))

(define (refusal . arguments)
  "Return the text of the condition that @code{find-python} raises for @var{arguments}; of another exception, that."
  (with-exception-handler
      (lambda (exception)
        (if (and (tutti-error? exception) (eq? (exception-origin exception) 'python)) (exception-message exception) exception))
    (lambda () (apply find-python arguments))
    #:unwind? #t))

(define (saying text parts)
  "Return true if the string @var{text} has all of @var{parts}, else what it is."
  (if (and (string? text) (every (lambda (part) (string-contains text part)) parts)) #t text))

(define-syntax-rule (test-says name text part ...)
  (test-equal name #t (saying text (list part ...))))

;;; What is found.

(define (module-there? name)
  (zero? (program-status (run-program (list system-python "-c" (string-append "import " name))))))

(define (answer-of python expression)
  (string-trim-right
   (program-output (run-program (list python "-c" (string-append "import sys, sysconfig, os; print(" expression ")"))))))

(define (test-usual)
  (let ((python (find-python system-python)))
    (test-assert "a record" (python? python))
    (test-equal "the program" system-python (python-program python))
    (test-equal "why" "#:python" (python-why python))
    (test-equal "the executable" (answer-of system-python "sys.executable") (python-executable python))
    (test-equal "the version" (answer-of system-python "sys.version.split()[0]") (python-version python))
    (test-equal "the version as numbers" (answer-of system-python "'(%d %d %d)' % sys.version_info[:3]")
      (format #f "~a" (python-version-numbers python)))
    (test-assert "the library is an absolute name of a file"
      (and (absolute-file-name? (python-library python)) (file-exists? (python-library python))))
    (test-assert "of this version"
      (string-prefix? (string-append "libpython" (string-join (map number->string (take (python-version-numbers python) 2)) "."))
                      (basename (python-library python))))
    (test-equal "its path, without the folder of -c" (answer-of system-python "'|'.join(sys.path[1:])")
      (string-join (python-path python) "|"))
    (test-equal "its prefixes" (list (answer-of system-python "sys.prefix") (answer-of system-python "sys.exec_prefix")
                                     (answer-of system-python "sys.base_prefix"))
      (list (python-prefix python) (python-exec-prefix python) (python-base-prefix python)))
    (test-equal "its platform" (answer-of system-python "sysconfig.get_platform()") (python-platform python))
    (test-equal "has a global lock" (not (equal? "1" (answer-of system-python "sysconfig.get_config_var('Py_GIL_DISABLED')")))
      (not (python-free-threading? python)))
    (if (module-there? "numpy")
        (begin
          (test-equal "numpy" (answer-of system-python "__import__('numpy').__version__") (python-numpy python))
          (test-equal "its file" (answer-of system-python "__import__('numpy').__file__") (python-numpy-file python)))
        (tap-skip "numpy" "numpy is not installed"))))

(define (test-choice folder)
  (define (with-settings set path thunk) (call-with-environment `(("TUTTI_PYTHON" . ,set) ("PATH" . ,path)) thunk))
  (define first (string-append folder "/first"))
  (define second (string-append folder "/second"))
  (for-each (lambda (place)
              (mkdir place)
              (symlink system-python (string-append place "/python3")))
            (list first second))
  (let ((path (string-append "/nonexistent:" first ":" second)))
    (with-settings #f path
      (lambda ()
        (let ((python (find-python)))
          (test-equal "python3 on the PATH" "python3 on the PATH" (python-why python))
          (test-equal "the first one" (string-append first "/python3") (python-program python)))))
    (with-settings "" path
      (lambda () (test-equal "an empty TUTTI_PYTHON is none" "python3 on the PATH" (python-why (find-python)))))
    (with-settings (string-append second "/python3") path
      (lambda ()
        (test-equal "TUTTI_PYTHON" "$TUTTI_PYTHON" (python-why (find-python)))
        (test-equal "is used" (string-append second "/python3") (python-program (find-python)))
        (test-equal "what is named goes before" (list "#:python" (string-append first "/python3"))
          (let ((python (find-python (string-append first "/python3"))))
            (list (python-why python) (python-program python))))
        (test-equal "a name without folder is looked for on the PATH" (string-append first "/python3")
          (python-program (find-python "python3")))))
    (with-settings #f "/nonexistent"
      (lambda ()
        (test-says "none on the PATH" (refusal)
                   "there is no python3 on the PATH" "install Python 3.11 or newer" "looked in /nonexistent")))
    (let ((broken (string-append folder "/broken")))
      (mkdir broken)
      (write-program (string-append broken "/python3") "exit 1")
      (with-settings #f (string-append broken ":" second)
        (lambda ()
          (test-says "the first is taken, and others are named" (refusal) (string-append broken "/python3 (python3 on the PATH)")
                     (string-append "there is also " second "/python3")))))))

(define (test-environments folder)
  (let* ((environment (string-append folder "/with = and space"))
         (made (run-program (list system-python "-m" "venv" "--without-pip" environment))))
    (if (eqv? 0 (program-status made))
        (let ((base (find-python system-python)))
          (for-each (lambda (name)
                      (let ((python (find-python name)))
                        (test-equal (string-append "prefix of " (basename name)) environment (python-prefix python))
                        (test-equal "its own program" (string-append environment "/bin/python3") (python-executable python))
                        (test-equal "the library of its base" (python-library base) (python-library python))
                        (test-equal "its base" (python-base-prefix base) (python-base-prefix python))
                        (test-assert "its own folder of modules"
                          (any (lambda (folder) (string-prefix? (string-append environment "/lib/") folder)) (python-path python)))
                        (test-equal "numpy of the base is not in it" #f (python-numpy python))))
                    (list environment (string-append environment "/") (string-append environment "/bin/python3")))
          (let ((here (getcwd)))
            (dynamic-wind
              (lambda () (chdir folder))
              (lambda ()
                (test-equal "a relative name" environment (python-prefix (find-python (string-append "./" (basename environment)))))
                (test-equal "without a slash" environment (python-prefix (find-python (basename environment)))))
              (lambda () (chdir here))))
          (delete-file (string-append environment "/bin/python3"))
          (symlink "/nonexistent/python3" (string-append environment "/bin/python3"))
          (delete-file (string-append environment "/bin/python"))
          (test-says "an environment whose Python is gone" (refusal environment)
                     "is a link to /nonexistent/python3, which does not exist: make the virtual environment again"))
        (tap-skip "environments" (string-append "venv does not work: " (program-errors made)))))
  (let ((empty (string-append folder "/empty")))
    (mkdir empty)
    (test-says "a folder that is none" (refusal empty) "has no bin/python3" (format #f "python3 -m venv ~a" empty))))

;;; Other builds: the system's own Python, which is made to say of itself what they would.

(define (pretend file . lines)
  "Write a program @var{file} that is Python, but runs @var{lines} of Python before it does what it is told, and return its name."
  (write-program file
                 (format #f "exec ~a -c \"" system-python)
                 "import os, sys, sysconfig"
                 "get = sysconfig.get_config_var; sysconfig.get_config_vars()"
                 (string-join lines "\n")
                 "exec(sys.argv[2])"
                 "\" \"$@\""))

(define static
  '("set = sysconfig._CONFIG_VARS" "set['Py_ENABLE_SHARED'] = 0"
    "set['LDLIBRARY'] = set['INSTSONAME'] = 'libpython%d.%d.a' % sys.version_info[:2]" "set['MULTIARCH'] = None"))

(define (test-builds folder)
  (define (file name) (string-append folder "/" name))
  (define short (string-join (map number->string (take (python-version-numbers (find-python system-python)) 2)) "."))
  (define (place lines prefix)
    (append lines (list (format #f "sys.base_prefix = sys.base_exec_prefix = '~a'" prefix)
                        (format #f "sysconfig._CONFIG_VARS['LIBDIR'] = '~a/lib'" prefix)
                        (format #f "sysconfig._CONFIG_VARS['LIBPL'] = '~a/lib/config'" prefix)
                        (format #f "sys._base_executable = '~a/bin/python3'" prefix))))
  (define (library-in prefix)
    (for-each (lambda (part) (unless (file-exists? part) (mkdir part))) (list prefix (string-append prefix "/lib")))
    (let ((library (format #f "~a/lib/libpython~a.so.1.0" prefix short)))
      (close-port (open-output-file library))
      library))
  (define mapped?
    (positive? (string->number (answer-of system-python "open('/proc/self/maps').read().count('/libpython')"))))
  (if mapped?
      (tap-skip "other builds" "this Python is linked with its library, and always finds it")
      (begin
        (test-says "a static one" (refusal (apply pretend (file "static") (place static (file "none"))))
                   "built without the library (libpython)" "./configure --enable-shared" "name another Python")
        (test-says "a static one of pyenv" (refusal (apply pretend (file "pyenv") (place static (file ".pyenv/versions/3.12.1"))))
                   "built without the library" "PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install --force 3.")
        (test-says "one whose library is missing"
                   (refusal (apply pretend (file "missing")
                                   (place '("set = sysconfig._CONFIG_VARS" "set['MULTIARCH'] = None") (file "none"))))
                   (format #f "whose library libpython~a.so.1.0 is not there" short) "install the package")
        (when (file-exists? "/etc/debian_version")
          (test-says "Debian's without its package"
                     (refusal (apply pretend (file "debian")
                                     "set = sysconfig._CONFIG_VARS" "os.path.isfile = lambda name: False" '("sys.base_prefix = '/usr'")))
                     (format #f "apt install libpython~a" short)))
        (let ((prefix (file "conda")))
          (test-equal "one that says it is static, beside its library, as conda's" (library-in prefix)
            (python-library (find-python (apply pretend (file "conda-python") (place static prefix))))))
        (let ((prefix (file "moved")))
          (test-equal "one that was moved, as python-build-standalone is" (library-in prefix)
            (python-library
             (find-python (apply pretend (file "moved-python")
                                 (append (place '("set = sysconfig._CONFIG_VARS") "/install")
                                         (list (format #f "sys._base_executable = '~a/bin/python3'" prefix)))))))))))

(define (test-others folder)
  (define (file name) (string-append folder "/" name))
  (define (answering name . items)
    (write-program (file name) (format #f "printf '\\000tutti-python\\000~a\\000end\\000'" (string-join items "\\000"))))
  (test-says "an old one" (refusal (answering "old" "version=3.10.4" "implementation=cpython" "bits=64"))
             "it is Python 3.10.4; Tutti needs 3.11 or newer")
  (test-says "a very old one" (refusal (answering "python2" "version=2.7.18" "implementation=cpython" "bits=64")) "it is Python 2.7.18")
  (test-says "PyPy" (refusal (answering "pypy" "version=3.11.9" "implementation=pypy" "bits=64")) "it is pypy 3.11.9" "only CPython")
  (test-says "one of another word size" (refusal (answering "small" "version=3.12.0" "implementation=cpython" "bits=16"))
             "a program of 16 bits, and Tutti one of "))

;;; What is no Python.

(define (test-programs folder)
  (define (file name) (string-append folder "/" name))
  (test-says "nothing" (refusal (file "nothing")) (string-append (file "nothing") " (#:python) does not exist"))
  (call-with-output-file (file "text") (lambda (port) (display "hello" port)))
  (test-says "not executable" (refusal (file "text")) "is not a program: it may not be executed")
  (chmod (file "text") #o755)
  (test-says "no program of this machine" (refusal (file "text")) "it cannot be started")
  (for-each (lambda (name) (test-says (format #f "~s" name) (refusal name) "expected the name of a Python"))
            (list 'python 5 "" '("python3")))
  (test-says "another status" (refusal (write-program (file "fails") "echo oh dear >&2; exit 3"))
             "ended with status 3" "\n    oh dear")
  (test-says "an answer, and another status"
             (refusal (write-program (file "both") (format #f "~a \"$@\"; exit 3" system-python))) "ended with status 3")
  (test-says "a signal" (refusal (write-program (file "dies") "kill -9 $$")) "was ended by signal 9")
  (test-says "something else" (refusal (write-program (file "says") "printf 'hello \\033[31mworld\\n'"))
             "it is no Python: it has not answered as one does; it wrote\n    hello  [31mworld")
  (test-says "nothing at all" (refusal (write-program (file "mute") ":")) "it wrote nothing")
  (test-says "an answer without an end" (refusal (write-program (file "cut") "printf '\\000tutti-python\\000version=3.12.0'"))
             "it has not answered as one does")
  (test-says "100 MB" (refusal (write-program (file "floods") "head -c 100000000 /dev/zero")) "wrote more than 1048576 bytes")
  (test-says "100 MB of errors" (refusal (write-program (file "warns") "head -c 100000000 /dev/zero >&2")) "wrote more than 1048576 bytes")
  (test-says "reads its input" (refusal (write-program (file "reads") "cat; exit 4")) "ended with status 4"))

(define (test-noise folder)
  (let ((noisy (write-program (string-append folder "/noisy")
                              "echo welcome" "echo careful >&2" (format #f "exec ~a \"$@\"" system-python))))
    (test-equal "what it says besides is passed over" (python-version (find-python system-python)) (python-version (find-python noisy))))
  (let ((left (write-program (string-append folder "/leaves") (format #f "sleep 1000 & ~a \"$@\"" system-python))))
    (test-equal "what it leaves in the background is not waited for" (python-version (find-python system-python))
      (python-version (find-python left))))
  (call-with-environment `(("PYTHONPATH" . ,folder))
    (lambda ()
      (call-with-output-file (string-append folder "/numpy.py") (lambda (port) (display "raise SystemExit (9)" port)))
      (let ((python (find-python system-python)))
        (test-equal "PYTHONPATH counts" folder (car (python-path python)))
        (test-equal "nothing is imported to be looked for" (string-append folder "/numpy.py") (python-numpy-file python)))))
  (let ((here (getcwd)))
    (dynamic-wind
      (lambda () (chdir folder))
      (lambda ()
        (call-with-output-file "sysconfig.py" (lambda (port) (display "raise SystemExit (9)" port)))
        (test-assert "files in the present folder are not taken for Python's" (python? (find-python system-python))))
      (lambda () (chdir here)))))

(define (all-gone? pids)
  "Return true if the processes whose numbers are in the file @var{pids} are gone; a killed one takes a moment."
  (let ((numbers (map string->number (string-tokenize (call-with-input-file pids get-string-all))))
        (deadline (+ (current-time) 60)))
    (and (pair? numbers)
         (let look ()
           (or (every process-gone? numbers)
               (and (< (current-time) deadline)
                    (begin (usleep 1000) (look))))))))

(define (test-hanging folder)
  (let* ((pids (string-append folder "/pids"))
         (hangs (write-program (string-append folder "/hangs")
                               (format #f "echo $$ > ~a; echo hm; sleep 1000 & echo $! >> ~a; wait" pids pids))))
    ;; All of its time passes.
    (test-says "one that hangs" (refusal hangs #:seconds 0.5) "has not answered within 0.5 s; it wrote\n    hm")
    (test-assert "is gone, with what it has started"
      (all-gone? pids))))

(define (test-interrupt folder)
  (let* ((pids (string-append folder "/pids"))
         (hangs (write-program (string-append folder "/hangs")
                               (format #f "sleep 1000 & echo $$ > ~a; echo $! >> ~a; echo hanging > /dev/tty; wait" pids pids)))
         (script (string-append folder "/script.scm")))
    (call-with-output-file script
      (lambda (port)
        (write '(use-modules (tutti python interpreter)) port)
        (write `(find-python ,hangs #:seconds 1000) port)))
    (let ((terminal (run-on-terminal (list tutti "run" script) '((expect 60 "hanging") (interrupt) (exit 60)))))
      (test-equal "Ctrl-C ends the wait" '(#t #t #t) (map step-ok? (terminal-steps terminal)))
      (test-assert "and the program, with what it has started"
        (all-gone? pids)))))

;; This is where it is used. A worker notices all children that it has not made itself.
(define-remote (version-there name) (python-version (find-python name)))
(define-remote (refused-there name) (find-python name #:seconds 0.2) #f)

(define (test-workers folder)
  (let ((hangs (write-program (string-append folder "/hangs") "exec sleep 1000"))
        (version (python-version (find-python system-python))))
    (call-with-pool 2
      (lambda (pool)
        (test-equal "in workers" (list version version) (pool-apply pool version-there system-python))
        (test-assert "a refusal there is a condition here"
          (with-exception-handler
              (lambda (exception)
                (and (worker-error? exception) (tutti-error? exception)
                     (string-contains (condition->string exception) "has not answered within 0.2 s")))
            (lambda () (pool-apply-only pool 0 refused-there hangs))
            #:unwind? #t))
        (test-equal "nobody has died" '(0 0) (map worker-restarts (pool-workers pool)))))))

(define (test-sigchld)
  (let ((before (sigaction SIGCHLD)))
    (dynamic-wind
      (lambda () (sigaction SIGCHLD SIG_IGN))
      (lambda () (test-assert "where SIGCHLD is ignored" (python? (find-python system-python))))
      (lambda () (sigaction SIGCHLD (car before) (cdr before))))))

(define (test-finding folder)
  (define (finding-with name) (call-with-environment `(("TUTTI_PYTHON" . ,name)) python-finding))
  (if (module-there? "numpy")
      (let ((finding (finding-with system-python)))
        (test-equal "all is there" #t (car finding))
        (test-says "what, why and where" (cdr finding) (string-append system-python " ($TUTTI_PYTHON)") "libpython" "\nnumpy "))
      (tap-skip "all is there" "numpy is not installed"))
  (let ((finding (finding-with (string-append folder "/nothing"))))
    (test-equal "nothing is there" #f (car finding))
    (test-says "what is not" (cdr finding) "nothing ($TUTTI_PYTHON) does not exist"))
  (let ((finding (finding-with (write-program (string-append folder "/alone") (format #f "exec ~a -I -S \"$@\"" system-python)))))
    (test-equal "no numpy" #f (car finding))
    (test-says "what to do" (cdr finding) "no numpy" "apt install python3-numpy")))

(unless (and system-python (file-exists? system-python))
  (tap-skip-all "python3 is not installed"))
(call-with-tap
 (lambda ()
   (test-group "usual" (test-usual))
   (test-group "choice" (call-with-folder test-choice))
   (test-group "environments" (call-with-folder test-environments))
   (test-group "builds" (call-with-folder test-builds))
   (test-group "others" (call-with-folder test-others))
   (test-group "programs" (call-with-folder test-programs))
   (test-group "noise" (call-with-folder test-noise))
   (test-group "hanging" (call-with-folder test-hanging))
   (test-group "interrupt" (call-with-folder test-interrupt))
   (test-group "workers" (call-with-folder test-workers))
   (test-group "sigchld" (test-sigchld))
   (test-group "finding" (call-with-folder test-finding))))
