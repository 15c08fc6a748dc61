;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Remote code: what define-remote and remote make, here, sent through a bundle, and in another process.
(use-modules (tap)
             (tutti conditions)
             (tutti remote)
             (tutti remote code)
             (ice-9 ftw)
             (ice-9 match)
             (ice-9 popen)
             (ice-9 receive)
             (ice-9 textual-ports)
             ((rnrs base) #:select ((div . rnrs-div)))
             (srfi srfi-1)
             (srfi srfi-9)
             (srfi srfi-64)
             ((srfi srfi-43) #:prefix v:)
             (system vm program))

;;; Files for these tests.

(define folder (mkdtemp (string-append (or (getenv "TMPDIR") "/tmp") "/tutti-remote-XXXXXX")))
(define (in-folder name) (string-append folder "/" name))

(define (write-file name text)
  (call-with-output-file (in-folder name) (lambda (port) (display text port)))
  (in-folder name))

(set! %load-path (cons folder %load-path))
(setenv "GUILE_LOAD_PATH" (string-join %load-path ":"))

(write-file "tuttilib.scm" "
(define-module (tuttilib)
  #:use-module (tutti remote) #:use-module (srfi srfi-9) #:use-module (srfi srfi-1)
  #:export (make-point point-x twice maker seeded assigner
            (unrelated . helper)))
(define (unrelated x) 'unrelated)
(define-record-type <point> (make-point x y) point? (x point-x) (y point-y))
(define count 0)
(define (helper x) (* 100 x))
(define-remote (twice x) \"Twice.\" (* 2 x))
(define (maker) (remote (lambda (x) (+ (helper x) (fold + 0 (list x x)) (twice x)))))
(define (assigner) (remote (lambda () (set! count (+ count 1)) count)))
(define-remote seed (list (getpid)))
(define-remote (seeded) seed)")
(write-file "tuttigone.scm" "(define-module (tuttigone) #:export (vanishing)) (define (vanishing x) x)")
(use-modules (tuttilib) (tuttigone))

;;; Going through a bundle, here and in another process.

(define (sent procedure)
  (bundle->procedure (remote-bundle procedure)))

(define (caught thunk)
  (with-exception-handler (lambda (error) error) thunk #:unwind? #t))

(define-syntax-rule (refusal expression)
  (caught (lambda () expression)))

(define (includes? text . parts)
  (and-map (lambda (part) (string-contains text part)) parts))

(define (refused? error variable . parts)
  (and (not-remotable? error)
       (eq? variable (not-remotable-variable error))
       (apply includes? (condition->string error) parts)))

(define far-side (write-file "far-side.scm" "
(use-modules (tutti remote))
(define received (call-with-input-file (cadr (command-line)) read))
(write (apply (bundle->procedure (car received)) (cdr received)))"))

(define (far-output procedure . arguments)
  "Call PROCEDURE in another process, and return all that this has written."
  (let ((file (in-folder "bundle")))
    (call-with-output-file file
      (lambda (port) (write (cons (remote-bundle procedure) arguments) port)))
    (let* ((port (open-pipe* OPEN_READ "sh" "-c"
                             "COLUMNS=200 exec guile --no-auto-compile --debug \"$@\" 2>&1 </dev/null"
                             "sh" far-side file))
           (text (get-string-all port)))
      (close-pipe port)
      text)))

(define (far procedure . arguments)
  (let ((text (apply far-output procedure arguments)))
    (or (false-if-exception (call-with-input-string text read)) text)))

(define (line-of procedure)
  "Return the file and line (from 1) of the source of PROCEDURE."
  (let ((source (program-source procedure 0)))
    (list (canonicalize-path (source:file source)) (source:line-for-user source))))

(define this-file (current-filename))   ; canonical, whatever this program was called as
(define-syntax this-line
  (lambda (stx) (datum->syntax stx (1+ (assq-ref (syntax-source stx) 'line)))))

;;; Remote code of this script.

(define-remote factor 10)
(define-remote (scaled x #:optional (shift 1) #:key (sign 1))
  "The docstring of scaled."
  (* sign (+ shift (* factor x))))
(define-remote (even-number? n) (if (zero? n) #t (odd-number? (- n 1))))
(define-remote (odd-number? n) (if (zero? n) #f (even-number? (- n 1))))
(define factorial-line (1+ (this-line)))
(define-remote (factorial n) (if (zero? n) 1 (* n (factorial (- n 1)))))
(define-remote add (lambda (x . rest) (apply + x rest)))
(define-syntax-rule (swap! a b) (let ((saved a)) (set! a b) (set! b saved)))
(define-syntax-rule (define-doubler name) (begin (define-remote (inner x) (* 2 x)) (define-remote (name x) (inner x))))
(define-doubler doubled)
(define-remote (many-macros x)
  (define-record-type <pair> (pair-of a b) pair-of? (a pair-a) (b pair-b set-pair-b!))
  (define depth (make-parameter 0))
  (let ((first x) (second 2))
    (swap! first second)
    (receive (q . r) (values first second 'more)
      (match (list q r)
        ((2 (five 'more))
         (parameterize ((depth 7))
           (let ((record (pair-of five (depth))))
             (set-pair-b! record (1+ (pair-b record)))
             (format #f "~a ~a ~a" (pair-a record) (pair-b record)
                     (let loop ((i 0)) (if (< i 3) (loop (1+ i)) i))))))))))
(define-remote (renamed v) (list (v:vector-fold (lambda (i sum x) (+ sum x)) 0 v) (rnrs-div 7 2)))
(define-remote (points x) (point-x (make-point x 2)))
(define-remote (failing x)
  (let ((y (* 2 x)))
    (1+ (car y))))
(define failing-line (1- (this-line)))
(define-remote (uses-vanishing x) (vanishing x))

(define plain-value 3)
(define (plain-procedure x) x)
(define total 0)
(define-remote (uses-plain-value) plain-value)
(define-remote (uses-plain-procedure) (plain-procedure 1))
(define-remote (uses-indirectly) (list (uses-plain-value)))
(define-remote (uses-unbound) (no-such-thing 1))
(define-remote counted 0)
(define-remote (counts) (set! counted (+ counted 1)))
(define-remote (sets-total) (set! total 1))

(define (make-adder n) (remote ((n n)) (lambda (x) (+ x n))))
(define (make-nested) (remote ((a 1)) (lambda (b) (remote ((a a) (b b)) (lambda (c) (list a b (scaled c)))))))
(define (capturing z) (remote (lambda (x) (+ x z)))) (define capturing-line (this-line))
(define (shadowing z) (remote (lambda (x) (let ((z x)) (* z 2)))))
(define (capturing-by-macro z) (let-syntax ((m (syntax-rules () ((_ x) (+ x z))))) (remote (lambda (x) (m x)))))
(define (local-macro) (let-syntax ((m (syntax-rules () ((_ x) (+ x 1))))) (remote (lambda (x) (m x)))))
(define (body-capture)
  (define factor 2)
  (remote (lambda (x) (* factor x))))
(define (internal-macro)
  (define-syntax m (syntax-rules () ((_ x) (* x later))))
  (define f (remote (lambda (x later) (m x))))
  (define later 3)
  (list f later))
(define (plain-name) (let ((plain-value 5)) (remote ((plain-value plain-value)) (lambda () plain-value))))
(define-syntax-rule (with-hidden-z b) (let ((z 3)) (remote ((z z)) (lambda (x) (+ x z b)))))
(define (internal-recursion)
  (define-remote (sum n) (if (zero? n) 0 (+ n (sum (- n 1)))))
  sum)
(define (internal-capture k)
  (define-remote (f x) (+ x k))
  f)

(define (run-tests)
  (test-group "here"
    (test-equal "call" '(21 22 -23) (list (scaled 2) (scaled 2 2) (scaled 2 3 #:sign -1)))
    (test-equal "name" 'scaled (procedure-name scaled))
    (test-equal "docstring" "The docstring of scaled." (procedure-documentation scaled))
    (test-equal "adder" 7 ((make-adder 3) 4))
    (test-assert "remotable-procedure?"
      (and (remotable-procedure? scaled) (remotable-procedure? (make-adder 1)) (not (remotable-procedure? car))
           (not (remotable-procedure? plain-procedure)) (not (remotable-procedure? 7))))
    (test-equal "value" 10 factor))

  (test-group "sent"
    (test-equal "keywords" '(21 22 -23)
      (let ((f (sent scaled))) (list (f 2) (f 2 2) (f 2 3 #:sign -1))))
    (test-equal "name" 'scaled (procedure-name (sent scaled)))
    (test-equal "docstring" "The docstring of scaled." (procedure-documentation (sent scaled)))
    (test-assert "another-procedure" (not (eq? scaled (sent scaled))))
    (test-equal "mutual-recursion" '(#t #f) (list ((sent even-number?) 1000) ((sent even-number?) 1001)))
    (test-equal "self-recursion" 120 ((sent factorial) 5))
    (test-equal "define-remote-of-lambda" 6 ((sent add) 1 2 3))
    (test-equal "defined-by-a-macro" 14 ((sent doubled) 7))
    (test-equal "macros" "5 8 3" ((sent many-macros) 5))
    (test-equal "renamed-imports" '(6 3) ((sent renamed) #(1 2 3)))
    (test-equal "record-of-a-module" 5 ((sent points) 5))
    (test-equal "captured" '(11 21) (map (lambda (n) ((sent (make-adder n)) 1)) '(10 20)))
    (test-equal "captured-procedure" 42
      ((sent (let ((f scaled)) (remote ((f f)) (lambda (x) (1+ (f x)))))) 4))
    (test-equal "guile-procedure" '(2 3) ((sent map) 1+ '(1 2)))
    (test-equal "exported-procedure" 6 ((sent fold) + 0 '(1 2 3)))
    (test-equal "case-lambda" '(0 1)
      (let ((f (sent (remote (case-lambda (() 0) ((x) 1)))))) (list (f) (f 'x))))
    (test-equal "twice-equivalent" '(21 21)
      (let ((bundle (remote-bundle scaled)))
        (list ((bundle->procedure bundle) 2) ((bundle->procedure bundle) 2))))
    (test-equal "same-code-with-other-imports" '(6 (1 2 3))
      (let* ((bundle (remote-bundle (remote (lambda (f start) (fold f start '(1 2 3))))))
             (other (match bundle
                      (#(tag root units #(#(0 #(('import '(srfi srfi-1) 'fold)) captures)))
                       (vector tag root units
                               (vector (vector 0 #((import (srfi srfi-1) fold-right)) captures)))))))
        (list ((bundle->procedure bundle) + 0) ((bundle->procedure other) cons '()))))
    (test-equal "big-body" 2000
      ((sent (eval `(remote (lambda (x) ,(let loop ((i 0)) (if (= i 2000) 'x `(1+ ,(loop (1+ i)))))))
                   (current-module)))
       0)))

  (test-group "locals"
    (let ((error (refusal (capturing 3))))
      (test-assert "refused" (refused? error 'z "`z'" "(remote ((z z)) (lambda"))
      (test-equal "line" (list this-file capturing-line)
                  (list (canonicalize-path (first (not-remotable-source error))) (second (not-remotable-source error)))))
    (test-equal "shadowed-inside" 6 ((sent (shadowing 1)) 3))
    (test-assert "through-a-local-macro" (refused? (refusal (capturing-by-macro 3)) 'z "`z'"))
    (test-equal "local-macro" 4 ((sent (local-macro)) 3))
    (test-assert "internal-macro-means-the-outer-one" (refused? (refusal (internal-macro)) 'later "`later'"))
    (test-equal "named-like-a-plain-define" 5 ((sent (plain-name))))
    (test-equal "hygiene" 12 (let ((z 5)) ((sent (let ((b 5)) (remote ((z z) (b b)) (lambda (x) (+ x z b))))) 2)))
    (test-assert "hygiene/same-name-twice" (refused? (refusal (let ((z 5)) (with-hidden-z z))) 'z "`z'"))
    (test-equal "internal-define-remote" 15 ((sent (internal-recursion)) 5))
    (test-assert "internal-define-remote/captured"
      (refused? (refusal (internal-capture 3)) 'k "(remote ((k k)) (lambda" "top level"))
    (test-assert "internal-define" (refused? (refusal (body-capture)) 'factor "(remote ((factor factor)) (lambda"))
    (test-equal "other-branch-is-fine" 'fine (if #t 'fine (capturing 1))))

  (test-group "refused-before-sending"
    (test-assert "plain-value"
      (refused? (refusal (remote-bundle uses-plain-value)) 'plain-value "`uses-plain-value'" "plain define"
                "(define-remote plain-value …)" (basename this-file)))
    (test-assert "plain-procedure"
      (refused? (refusal (remote-bundle uses-plain-procedure)) 'plain-procedure
                "(define-remote (plain-procedure …) …)"))
    (test-assert "indirectly"
      (refused? (refusal (remote-bundle uses-indirectly)) 'plain-value
                "`uses-plain-value'" "needed by" "`uses-indirectly'"))
    (test-assert "unbound"
      (refused? (refusal (remote-bundle uses-unbound)) 'no-such-thing
                "unbound variable `no-such-thing'" "`uses-unbound'"))
    (test-assert "set!" (refused? (refusal (remote-bundle sets-total)) 'total "assigns" "`total'" "`sets-total'"))
    (test-assert "set!/after-reading" (refused? (refusal (remote-bundle counts)) 'counted "assigns" "`counted'"))
    (test-assert "closure"
      (refused? (refusal (remote-bundle plain-procedure)) #f "plain-procedure" "closure" "define-remote"))
    (test-assert "closure/without-a-name"
      (refused? (refusal (remote-bundle (lambda (x) x))) #f "closure" "(remote (lambda"))
    (test-assert "syntax/no-lambda"
      (eq? 'syntax-error (catch #t (lambda () (eval '(remote car) (current-module))) (lambda (key . _) key)))))

  (test-group "redefinition"
    (let ((again (lambda (form) (eval form (resolve-module '(guile-user))))))
      (again '(define-remote level 1))
      (again '(define-remote (get-level) level))
      (again '(define-remote (ask) (get-level)))
      (let ((ask (again 'ask)))
        (test-equal "before" 1 ((sent ask)))
        (test-eq "same-bundle" (remote-bundle ask) (remote-bundle ask))
        (let ((old (sent ask)))
          (again '(define-remote level 2))
          (test-equal "value" 2 ((sent ask)))
          (test-equal "value/old-one-keeps-it" 1 (old)))
        (again '(define-remote (get-level) (* 10 level)))
        (test-equal "procedure" 20 ((sent ask)))
        (again '(set! level 3))
        (test-assert "assigned" (refused? (refusal (remote-bundle ask)) 'level "assigned" "(define-remote level …)"))
        (again '(define-remote level 4))
        (test-equal "and-again" 40 ((sent ask)))
        (again '(define (get-level) 5))
        (test-assert "plain" (refused? (refusal (remote-bundle ask)) 'get-level "plain define")))
      (again '(define-remote (shadow-later) (last '(1 2))))
      (test-equal "imported" 2 ((sent (again 'shadow-later))))
      (again '(define-remote (last x) 'mine))
      (test-equal "import-shadowed" 'mine ((sent (again 'shadow-later))))))

  (test-group "nested"
    (let ((inner ((sent (make-nested)) 2)))
      (test-equal "made-there" '(1 2 31) (inner 3))
      (test-assert "remotable-there" (remotable-procedure? inner))
      (test-equal "sent-on" '(1 2 31) ((sent inner) 3))
      (test-equal "sent-on-twice" '(1 2 31) ((sent (sent inner)) 3)))
    (test-equal "arrived-is-remotable" 21 ((sent (sent scaled)) 2))
    (test-assert "closure-made-there-is-not"
      (not-remotable? (refusal (remote-bundle ((sent (remote (lambda (x) (lambda () x)))) 1)))))
    (test-assert "inner-capture-refused-there"
      (refused? (refusal ((sent (remote (lambda (x) (remote (lambda () x))))) 1)) 'x)))

  (test-group "module"
    (test-equal "by-name" '(private (tuttilib) twice) (vector-ref (remote-bundle twice) 1))
    (test-equal "private-names" 312 ((sent (maker)) 3))
    (test-assert "value-is-made-once"
      (equal? (list (getpid)) (far seeded)))
    (test-assert "may-assign-its-own" (number? ((sent (assigner))))))

  (test-group "compiled"
    (test-equal "place" (list this-file factorial-line) (line-of (sent factorial)))
    (test-assert "bytecode-once"
      (= 1 (length (delete-duplicates
                    (map (lambda (n) (program-code (sent (make-adder n)))) '(1 2 3)))))))

  (test-group "another-process"
    (test-equal "call" -23 (far scaled 2 3 #:sign -1))
    (test-equal "mutual-recursion" #t (far even-number? 10))
    (test-equal "macros" "5 8 3" (far many-macros 5))
    (test-equal "renamed-imports" '(6 3) (far renamed #(1 2 3)))
    (test-equal "captured" 12 (far (make-adder 5) 7))
    (test-equal "record-of-a-module" 5 (far points 5))
    (test-equal "module" 312 (far (maker) 3))
    (test-equal "nested" '(1 2 31) (far (remote ((f (make-nested))) (lambda () ((sent-there (f 2)) 3)))))
    (test-assert "backtrace-has-file-and-line"
      (includes? (far-output failing 3)
                 (format #f "~a:~a:" (basename this-file) failing-line) "Wrong type argument" "6"))
    (let ((bundle (remote-bundle uses-vanishing)))
      (delete-file (in-folder "tuttigone.scm"))
      (test-assert "module-missing"
        (includes? (far-output uses-vanishing 3) "(tuttigone)" "`vanishing'" "load path"))))

  (test-group "compiled-script"
    (let* ((source (write-file "script.scm" "
(use-modules (tutti remote) (srfi srfi-1))
(define-remote base 5)
(define-remote (g x) (+ base (fold + 0 x)))
(define-remote (f x) (g (list x x)))
(define (compiler-loaded?) (->bool (resolve-module '(language tree-il compile-cps) #f #:ensure #f)))
(write (list ((bundle->procedure (remote-bundle f)) 2) (compiler-loaded?)))"))
           (port (open-pipe* OPEN_READ "sh" "-c"
                             "guild compile -o \"$2\" \"$1\" >/dev/null && exec guile -c \"$3\" 2>&1"
                             "sh" source (in-folder "script.go")
                             (format #f "(load-compiled ~s)" (in-folder "script.go"))))
           (text (get-string-all port)))
      (close-pipe port)
      (test-equal "runs-and-loads-no-compiler" "(9 #f)" text))))

(define-remote (sent-there procedure) (bundle->procedure (remote-bundle procedure)))

(define (delete-folder)
  (for-each (lambda (file) (delete-file (in-folder file)))
            (scandir folder (lambda (file) (not (string-prefix? "." file)))))
  (rmdir folder))

(call-with-tap
 (lambda ()
   (dynamic-wind (const #t) run-tests delete-folder)))
