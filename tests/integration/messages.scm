;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What scripts are told when something in them is wrong, beyond what Guile says: known keywords, where what is not closed was opened, what
;; to do with a record type of the script's own; and all of it in UTF-8 in whatever locale.
(use-modules (tap) (programs) (ice-9 regex) (srfi srfi-1) (srfi srfi-64))

(define (write-file file text)
  (call-with-output-file file (lambda (port) (set-port-encoding! port "UTF-8") (display text port))))

(define* (errors-of text #:key (env '()) (name "script.scm") (others '()) (command "run"))
  "Return the errors of the script @var{text} beside the files @var{others}, pairs of name and text."
  (call-with-folder
   (lambda (folder)
     (for-each (lambda (file) (write-file (string-append folder "/" (car file)) (cdr file)))
               (acons name text others))
     (program-errors (run-program (list tutti command (string-append folder "/" name))
                                  #:env (cons (string-append "XDG_CACHE_HOME=" folder "/cache") env))))))

(define-syntax-rule (test-message name pattern errors ...)
  (let ((text (errors-of errors ...)))
    (test-assert name (string-match pattern text))
    (unless (string-match pattern text)
      (display text (current-error-port)))))

(define (test-keywords)
  (test-message "an unknown keyword, and the known ones"
    "script.scm:2:.*Unrecognized keyword: #:memory\n.*`make-pool' takes #:name, .*#:memory-limit"
    "(use-modules (tutti))\n(begin (make-pool 1 #:memory 5) 1)")
  (test-message "of a solver" "`gauss-newton' takes .*#:stop"
    "(use-modules (tutti) (tutti solver))\n(begin (gauss-newton 1 2 3 #:stpo 5) 1)")
  (test-message "of a procedure of the script" "`study' takes #:depth, #:width"
    "(define* (study a #:key depth width) a)\n(begin (study 1 #:high 5) 1)")
  (test-message "what is no keyword" "Invalid keyword: 7\n.*`study' takes #:depth"
    "(define* (study a #:key depth) a)\n(begin (study 1 7 5) 1)")
  (test-message "a keyword without a value" "has no value: #:depth\n.*`study' takes #:depth"
    "(define* (study a #:key depth) a)\n(begin (apply study '(1 #:depth)) 1)")
  (test-message "in a task" "error in task .*Unrecognized keyword: #:high\n.*`study' takes #:depth"
    "(use-modules (tutti))\n(define-remote (study a #:key depth) (list a depth))
(define-remote (one x) (car (study x #:high 5)))\n(call-with-pool 1 (lambda (pool) (pool-map pool one '(1))))")
  (test-message "a time-out as a keyword" "task-timeout is a parameter: .parameterize ..task-timeout 5.. …."
    "(use-modules (tutti))\n(pool-map (make-serial-pool) + '(1) #:timeout 5)")
  (test-message "of a map" "#:on-error 'collect may follow, got"
    "(use-modules (tutti))\n(pool-map (make-serial-pool) + '(1) #:on-eror 'collect)"))

(define (test-unclosed)
  (test-message "a parenthesis" "script.scm:4:1: unexpected end of input.*\n.*parenthesis that begins at .*/script.scm:1:0 is not closed"
    "(define (f x)\n  (+ x 1)\n(display (f 1))\n")
  (test-message "in a form" "parenthesis that begins at .*/script.scm:2:2 is not closed; it is in the form at .*/script.scm:1:0"
    "(define (f x)\n  (let ((a 1))\n    x\n")
  (test-message "a string" "string that begins at .*/script.scm:2:9 is not closed"
    "(display 1)\n(display \"abc)\n(display 2)\n")
  (test-message "a comment" "comment that begins at .*/script.scm:2:0 is not closed" "(display 1)\n#| all\nthis\n")
  (test-message "in a file that is loaded" "other.scm:3:1: unexpected end of input.*\n.*begins at .*other.scm:1:0 is not closed"
    "(load \"other.scm\")\n(display 1)" #:others '(("other.scm" . "(define a\n  (list 1)\n")))
  (test-message "in a module" "beside.scm:3:1: unexpected end of input.*\n.*begins at .*beside.scm:2:0 is not closed"
    "(use-modules (beside))\n(display 1)" #:others '(("beside.scm" . "(define-module (beside))\n(define a (list 1)\n")))
  (test-message "in a file that is compiled" "begins at .*/script.scm:1:0 is not closed" "(display 1\n" #:command "compile"))

(define (test-records)
  (define (script body)
    (string-append "(use-modules (tutti) (srfi srfi-9))
(define-record-type <point> (make-point x y) point? (x point-x) (y point-y))
(call-with-pool 1 (lambda (pool) (list " body ")))"))
  (define advice "into a module beside the script .*records.scm.*\\(define-module \\(records\\) #:export .*\\(use-modules \\(records\\)\\)")
  (test-message "in an argument" (string-append "a record of type <point> cannot travel.*" advice)
    (script "(pool-map pool car (list (list (make-point 1 2))))"))
  (test-message "in a task's code" (string-append "uses the record type `<point>', which the script itself defines.*" advice)
    (script "(pool-map pool (remote (lambda (x) (make-point x x))) '(1))"))
  (test-message "its accessor in a task's code" (string-append "record type `<point>', which the script itself defines.*" advice)
    (script "(pool-map pool (remote (lambda (x) (point-x x))) '(1))"))
  (test-message "its accessor as a value" (string-append "record's procedure `point-x', which the script itself defines.*" advice)
    (script "(pool-map pool (remote (lambda (x) (map point-x x))) '((1)))"))
  (test-message "its constructor as the task" (string-append "make-point, which define-record-type has made in the script.*" advice)
    (script "(pool-map pool make-point '(1) '(2))"))
  (call-with-folder
   (lambda (folder)
     (write-file (string-append folder "/records.scm") "(define-module (records) #:use-module (srfi srfi-9) #:export (make-point point-x))
(define-record-type <point> (make-point x y) point? (x point-x) (y point-y))")
     (write-file (string-append folder "/script.scm") "(use-modules (tutti) (records))
(call-with-pool 1 (lambda (pool) (write (map point-x (pool-map pool make-point '(1) '(2))))))")
     (test-equal "done as advised it works" "(1)"
       (program-output (run-program (list tutti "run" (string-append folder "/script.scm"))))))))

(define (test-modules)
  (test-message "where it was looked for"
    "no code for module \\(survey lines\\)\n.*survey/lines.scm was looked for beside the script, in .* -L DIR.*load path: /"
    "(use-modules (survey lines))")
  (test-message "one of ours" "is it \\(tutti\\)\\?" "(use-modules (tuti))")
  (test-message "another of ours" "is it \\(tutti solver\\)\\?" "(use-modules (tutti solvr))")
  (test-message "one that has moved" "\\(tutti primitives\\) is \\(tutti base primitives\\) now" "(use-modules (tutti primitives))")
  (test-message "one that has another name" "\\(tutti holding\\) is \\(tutti remote lifetime\\) now" "(use-modules (tutti holding))")
  (test-message "one in a room of another name" "\\(tutti main repl\\) is \\(tutti program repl\\) now" "(use-modules (tutti main repl))")
  (test-message "one beside the script" "is it \\(layers\\)\\?" "(use-modules (layer))"
    #:others '(("layers.scm" . "(define-module (layers))")))
  (test-message "a file that defines another one" "/other.scm defines \\(name\\)" "(use-modules (other))"
    #:others '(("other.scm" . "(define-module (name))")))
  (test-message "a file that defines none" "/other.scm defines no module: .*\\(define-module \\(other\\)" "(use-modules (other))"
    #:others '(("other.scm" . "(define x 1)"))))

(define (test-file-names)
  (test-message "what is not closed in a file that is loaded"
    "script.scm: /.*/part.scm:2:1: unexpected end of input.*\n.*begins at /.*/part.scm:1:0 is not closed"
    "(load \"part.scm\")" #:others '(("part.scm" . "(define x\n")))
  (test-message "a procedure of a module, on a worker" "task: g, /.*/beside.scm:2:0\n *In /.*/beside.scm:"
    "(use-modules (tutti) (beside))\n(call-with-pool 1 (lambda (pool) (pool-map pool g '(1))))" #:env '("GUILE_AUTO_COMPILE=1")
    #:others '(("beside.scm" . "(define-module (beside) #:export (g))\n(define (g x)\n  (list (vector-ref x 1)))\n"))))

(define (test-encoding)
  (define text "(use-modules (tutti))
(define-remote (größe x) (display \"Außen: ½ λ\") (newline) (force-output) (if (> x 1) (error \"Über:\" x '→) \"µ\"))
(display \"Größe: \") (write (call-with-pool 1 (lambda (pool) (pool-map pool größe '(1)))))
(call-with-pool 1 (lambda (pool) (pool-map pool größe '(2))))\n")
  (for-each
   (lambda (setting)
     (call-with-folder
      (lambda (folder)
        (let ((file (string-append folder "/größe.scm")))
          (write-file file text)
          (let ((program (run-program (list tutti "run" file) #:env (list "-u" "LC_ALL" "-u" "LANG" setting))))
            (test-equal (format #f "output, ~a" setting) "Größe: (\"µ\")" (program-output program))
            (test-assert (format #f "a worker's output, ~a" setting)
              (string-contains (program-errors program) "[worker 0] Außen: ½ λ"))
            (test-assert (format #f "an error in a task, and its place, ~a" setting)
              (string-match "größe.scm:4:.*Über: 2 →" (program-errors program)))))
        (let ((program (run-program (list tutti "-c" "(display \"→ λ\")") #:env (list "-u" "LC_ALL" "-u" "LANG" setting))))
          (test-equal (format #f "an expression, ~a" setting) "→ λ" (program-output program))))))
   '("LC_ALL=C" "LC_ALL=POSIX" "LANG=C" "LC_ALL=C.UTF-8" "NOTHING=1")))

(call-with-tap
 (lambda ()
   (test-group "keywords" (test-keywords))
   (test-group "what is not closed" (test-unclosed))
   (test-group "missing modules" (test-modules))
   (test-group "names of files" (test-file-names))
   (test-group "records" (test-records))
   (test-group "encoding" (test-encoding))))
