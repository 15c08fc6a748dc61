;; SPDX-License-Identifier: LGPL-3.0-or-later
;; tutti new: a small project to start from, which runs and passes its tests at once.  The files of each kind are templates, in the folder
;; templates beside (tutti program main): whatever finds these modules finds them.
(define-module (tutti program new)
  #:use-module (ice-9 format)
  #:use-module (ice-9 ftw)
  #:use-module (ice-9 match)
  #:use-module (ice-9 textual-ports)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base config)
  #:use-module (tutti base interrupt)
  #:use-module (tutti conditions)
  #:use-module (tutti program end)
  #:export (make-project))

;; For each kind what it is, and its files: name, name of the template, what it is.  ~a stands for the name of the project.
(define kinds
  '(("study" "a study: the same model many times, on all cores"
     ("README.md" "README.md" "how to run and test it")
     ("~a.scm" "script.scm" "the script: what is varied, and what becomes of the results")
     ("~a-model.scm" "model.scm" "the model, a module")
     ("tests/test-~a.scm" "test.scm" "its tests")
     (".gitignore" "gitignore" "what is made again"))
    ("inversion" "an inversion: which model explains the data"
     ("README.md" "README.md" "how to run and test it")
     ("~a.scm" "script.scm" "the script: data, noise, solver")
     ("~a-model.scm" "model.scm" "the forward operator with its derivative, a module")
     ("tests/test-~a.scm" "test.scm" "its tests")
     (".gitignore" "gitignore" "what is made again"))
    ("operator" "an operator in C, with its derivative"
     ("README.md" "README.md" "how to build, run and test it")
     ("~a.c" "operator.c" "the operator")
     ("Makefile" "Makefile" "builds it")
     ("~a-operator.scm" "model.scm" "its face for scripts, a module")
     ("~a.scm" "script.scm" "a script that uses it")
     ("tests/test-~a.scm" "test.scm" "its tests")
     (".gitignore" "gitignore" "what is made again"))))

(define usage "tutti new [--kind KIND] FOLDER")

(define (show-help)
  (format #t "usage: ~a

Make a small project to start from, which runs and passes its tests at once, in FOLDER, which is made or is empty.  Its last part is the
project's name.

kinds:
~:{  ~10a ~a~@[ (unless --kind says another)~]~%~}" usage
          (map (match-lambda ((kind what . _) (list kind what (string=? kind (caar kinds))))) kinds)))

;;; What is wrong.

(define (complain status text . arguments)
  (flush-output)
  (format (current-error-port) "tutti: ~?~%" text arguments)
  (exit status))

(define (refuse text . arguments)
  (apply complain 2 (string-append text "~%usage: ~a") (append arguments (list usage))))

(define (fail text . arguments)
  (apply complain 1 text arguments))

;;; The command line.

(define (check-kind kind)
  (unless (assoc kind kinds)
    (refuse "there is no kind `~a'; expected ~a" kind
            (match (map car kinds) ((first ... last) (string-append (string-join first ", ") " or " last)))))
  kind)

(define (parse arguments)
  "Return two values: the kind and the folder that ARGUMENTS ask for."
  (let loop ((rest arguments) (kind #f) (folder #f))
    (match rest
      (() (if folder
              (values (or kind (caar kinds)) folder)
              (refuse "the project's folder is missing")))
      (("--kind") (refuse "--kind: the kind is missing"))
      (("--kind" kind . rest) (loop rest (check-kind kind) folder))
      (((? (lambda (argument) (string-prefix? "--kind=" argument)) argument) . rest)
       (loop (cons* "--kind" (string-drop argument (string-length "--kind=")) rest) kind folder))
      (((? (lambda (argument) (and (string-prefix? "-" argument) (> (string-length argument) 1))) option) . _)
       (refuse "there is no option `~a'" option))
      ((argument . rest)
       (when folder (refuse "`~a' is too much" argument))
       (loop rest kind argument)))))

;;; The name.

(define longest-name 60)
(define name-characters (string->char-set "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"))

(define (hidden-module name)
  "Return the file of the module that a script of the name NAME would hide, as modules beside a script come first; or #f."
  (any (lambda (suffix) (%search-load-path (string-append name suffix))) '("" "-model" "-operator")))

(define (check-name name)
  (cond ((string-null? name) (refuse "the project's name is empty"))
        ((> (string-length name) longest-name)
         (refuse "the name of a project has at most ~a characters, `~a' has ~a" longest-name name (string-length name)))
        ((not (and (char-set-contains? name-characters (string-ref name 0))
                   (char-alphabetic? (string-ref name 0))
                   (string-every name-characters name)))
         (refuse "a project cannot be called `~a': its files and module are called so, too; expected letters (a to z), digits, \
`-' and `_', a letter first" name))
        ((hidden-module name)
         => (lambda (file) (refuse "a project cannot be called `~a': its script would hide the module ~a" name file)))))

(define (name-of folder)
  "Return the name of the project in FOLDER."
  (basename (or (false-if-error (canonicalize-path folder)) folder)))

;;; The folder.

(define (check-folder folder)
  "Return true if the empty FOLDER exists, #f if it is to be made."
  (let ((type (false-if-error (stat:type (stat folder)))))
    (cond ((not type)
           (let ((parent (dirname folder)))
             (unless (false-if-error (eq? 'directory (stat:type (stat parent))))
               (fail "there is no folder ~a to make ~a in" parent (basename folder))))
           ;; A link to nowhere.
           (when (false-if-error (lstat folder))
             (fail "~a is a link to something that is not there" folder))
           #f)
          ((not (eq? type 'directory)) (fail "~a is there already, and is no folder" folder))
          (else
           (match (scandir folder (lambda (name) (not (member name '("." "..")))))
             (() #t)
             (#f (fail "~a cannot be read: is it empty?" folder))
             ((first . rest)
              (fail "~a is there already, and is not empty: it has ~a~a" folder first
                    (if (null? rest) "" (format #f " and ~a more" (length rest))))))))))

;;; The files.

(define templates
  (let ((folder (or-map (lambda (folder)
                          (let ((templates (string-append folder "/tutti/templates")))
                            (and (file-exists? templates) templates)))
                        %load-path)))
    (lambda ()
      (or folder (fail "the templates of projects are missing: there is no folder tutti/templates beside Tutti's modules")))))

(define (include-folder)
  "Return the folder of tutti/operator.h."
  (define (has-header? folder) (file-exists? (string-append folder "/tutti/operator.h")))
  ;; In the tree that Tutti is built from, that is not where it will be installed.
  (or (find has-header? (list (string-append (templates) "/../../../engine/include") (include-directory)))
      (include-directory)))

(define (replace-all text replacements)
  (fold (match-lambda*
          (((from . to) text)
           (let loop ((start 0) (parts '()))
             (let ((at (string-contains text from start)))
               (if at
                   (loop (+ at (string-length from)) (cons* to (substring text start at) parts))
                   (string-concatenate-reverse (cons (substring text start) parts)))))))
        text replacements))

(define (template-text kind template name)
  (let ((file (format #f "~a/~a/~a.template" (templates) kind template)))
    (replace-all (catch 'system-error
                   (lambda () (call-with-input-file file get-string-all #:encoding "UTF-8"))
                   (lambda args (fail "the template ~a cannot be read: ~a" file (strerror (system-error-errno args)))))
                 `(("@NAME@" . ,name)
                   ("@INCLUDE@" . ,(false-if-error (canonicalize-path (include-folder))))))))

(define (project-files kind name)
  "Return a list of lists of a file's name, what it is, and its text."
  (map (match-lambda
         ((file template what)
          (list (format #f file name) what (template-text kind template name))))
       (cddr (assoc kind kinds))))

(define (write-files! folder there? files)
  "Make FOLDER unless it is THERE?, and FILES in it; or nothing at all."
  (define made '())                     ; procedures that take back what was made, the newest first
  (define (making undo thunk)
    (let ((value (thunk)))
      (set! made (cons undo made))
      value))
  (define (make-folder! name)
    (making (lambda () (rmdir name)) (lambda () (mkdir name))))
  (define (make-file! name text)
    ;; It must not be there: another may be making the same project.
    (let ((port (making (lambda () (delete-file name)) (lambda () (open name (logior O_WRONLY O_CREAT O_EXCL))))))
      (set-port-encoding! port "UTF-8")
      (put-string port text)
      (force-output port)
      (close-port port)))
  (define at folder)                    ; what is being made, for messages
  (call-cancelling
   (lambda ()
     (catch 'system-error
       (lambda ()
         (unless there? (make-folder! folder))
         (for-each (match-lambda
                     ((file _ text)
                      (set! at (string-append folder "/" file))
                      (unless (file-exists? (dirname at)) (make-folder! (dirname at)))
                      (make-file! at text)))
                   files))
       (lambda args
         (for-each (lambda (undo) (false-if-error (undo))) made)
         (set! made '())
         (fail "cannot write ~a: ~a; nothing was left behind" at (strerror (system-error-errno args))))))
   (lambda () (for-each (lambda (undo) (false-if-error (undo))) made))))

;;; The command.

(define (first-steps kind folder name)
  (append (if (string=? folder ".") '() (list (string-append "cd " (quoted folder))))
          (if (string=? kind "operator") '("make") '())
          (list (format #f "tutti run ~a.scm" name) (format #f "tutti run tests/test-~a.scm" name))))

(define (quoted text)
  "Return TEXT quoted for a shell."
  (if (string-every (char-set-union name-characters (string->char-set "./")) text)
      text
      (string-append "'" (replace-all text '(("'" . "'\\''"))) "'")))

(define (show kind folder name files)
  (let ((width (apply max (map (compose string-length first) files))))
    (format #t "~a is ~a, with~%" folder (second (assoc kind kinds)))
    (for-each (match-lambda ((file what _) (format #t "  ~a  ~a~%" (string-pad-right file width) what))) files)
    (format #t "Begin with~%~{  ~a~%~}" (first-steps kind folder name))))

(define (make-project arguments)
  "Run @code{tutti new} with @var{arguments}: make a project, and list what is in it; then return."
  (if (or-map (lambda (argument) (member argument '("--help" "-h"))) arguments)
      (show-help)
      (call-with-values (lambda () (parse arguments))
        (lambda (kind folder)
          (install-interrupt-handler!)
          ;; A file that is too large for ulimit is an error as others are.
          (sigaction SIGXFSZ SIG_IGN)
          (let* ((folder (if (string-every #\/ folder) folder (string-trim-right folder #\/)))
                 (name (name-of folder)))
            (check-name name)
            (let ((there? (check-folder folder))
                  (files (project-files kind name)))
              (write-files! folder there? files)
              (show kind folder name files)))))))
