;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What two processes can name to each other: importable modules, procedures and record types in them.
(use-modules (tap)
             (tutti conditions)
             (tutti remote)
             (ice-9 exceptions)
             (ice-9 ftw)
             (srfi srfi-1)
             (srfi srfi-9)
             (srfi srfi-64)
             ((srfi srfi-43) #:prefix v:)
             (rnrs conditions))

(define folder (mkdtemp (string-append (or (getenv "TMPDIR") "/tmp") "/tutti-names-XXXXXX")))

(define (write-module name . forms)
  (call-with-output-file (string-append folder "/" (symbol->string name) ".scm")
    (lambda (port) (for-each (lambda (form) (write form port) (newline port)) forms))))

(set! %load-path (cons folder %load-path))

(write-module 'tuttinames
  '(define-module (tuttinames)
     #:use-module (srfi srfi-9)
     #:export (shown (inside . outside) swapped kept (other . <hidden-box>)))
  '(define (other x) x)
  '(define (shown x) x)
  '(define (hidden x) x)
  '(define (inside x) x)
  '(define (swapped x) x)
  '(define kept #f)
  '(define <hidden-box> (make-record-type 'hidden-box '()))
  '(define-record-type <public-box> (make-box a) box? (a box-a))
  '(define a-box (make-box 1))
  '(define during-loading ((@ (tutti remote) importable-module?) '(tuttinames))))
;; Found on the load path, but this program makes the module of that name itself.
(write-module 'tuttishadow '(define-module (tuttishadow)))
(define-module (tuttishadow) #:export (shadowed))
(define-public (shadowed x) x)
(define-module (guile-user))
(use-modules (tuttinames))

(define (inside-value name) (module-ref (resolve-module '(tuttinames)) name))

(define-record-type <script-box> (make-script-box) script-box?)

(call-with-tap
 (lambda ()
   (test-group "importable-module?"
     (test-assert "library" (importable-module? '(srfi srfi-1)))
     (test-assert "guile" (importable-module? '(guile)))
     (test-assert "module-object" (importable-module? (resolve-module '(tuttinames))))
     (test-assert "while-it-loads" (inside-value 'during-loading))
     (test-assert "script" (not (importable-module? '(guile-user))))
     (test-assert "never-loaded" (not (importable-module? '(no such module))))
     (test-assert "made-in-a-script-though-there-is-a-file" (not (importable-module? '(tuttishadow))))
     (test-assert "anonymous" (not (importable-module? (make-fresh-user-module)))))

   (test-group "procedure-reference"
     (test-equal "guile" '((guile) . car) (procedure-reference car))
     (test-equal "library" '((srfi srfi-1) . fold) (procedure-reference fold))
     (test-equal "again" '((srfi srfi-1) . fold) (procedure-reference fold))
     (test-equal "prefixed-here" '((srfi srfi-43) . vector-unfold) (procedure-reference v:vector-unfold))
     (test-equal "own-module" '((tuttinames) . shown) (procedure-reference shown))
     (test-equal "renamed-export" '((tuttinames) . outside) (procedure-reference outside))
     (test-equal "private" #f (procedure-reference (inside-value 'hidden)))
     (test-equal "closure" #f (procedure-reference (lambda (x) x)))
     (test-equal "script" #f (procedure-reference (@@ (tuttishadow) shadowed)))
     (test-assert "aliases-mean-the-same"
       (let ((reference (procedure-reference call/cc)))
         (eq? call/cc (resolve-reference (car reference) (cdr reference)))))
     (let ((old swapped))
       (test-equal "before-it-changes" '((tuttinames) . swapped) (procedure-reference old))
       (module-set! (resolve-module '(tuttinames)) 'swapped (lambda (x) (list x)))
       (test-equal "old-value-has-no-name" #f (procedure-reference old))
       (module-set! (resolve-module '(tuttinames)) 'kept old)
       (test-equal "old-value-by-another-name" '((tuttinames) . kept) (procedure-reference old))
       (test-equal "new-value-has" '((tuttinames) . swapped) (procedure-reference (inside-value 'swapped)))))

   (test-group "record-type-reference"
     (test-equal "exported" '((ice-9 exceptions) . &irritants) (record-type-reference &irritants))
     (test-equal "private" '((tuttinames) . <public-box>)
       (record-type-reference (record-type-descriptor (inside-value 'a-box))))
     (test-equal "its-name-means-something-else" #f (record-type-reference (inside-value '<hidden-box>)))
     (test-equal "ours" '((tutti conditions) . &removed) (record-type-reference &removed))
     (test-assert "r6rs"
       (let ((reference (record-type-reference &violation)))
         (and reference (eq? &violation (resolve-reference (car reference) (cdr reference))))))
     (test-equal "script" #f (record-type-reference <script-box>))
     (test-equal "local" #f (record-type-reference (make-record-type 'local '(a)))))

   (test-group "resolve-reference"
     (test-eq "exported" fold (resolve-reference '(srfi srfi-1) 'fold))
     (test-eq "guile" car (resolve-reference '(guile) 'car))
     (test-equal "private" 7 ((resolve-reference '(tuttinames) 'hidden) 7))
     (test-assert "imports" (procedure? (resolve-reference '(srfi srfi-41) 'stream-map)))
     (for-each
      (lambda (name module variable)
        (let ((error (with-exception-handler (lambda (error) error)
                       (lambda () (resolve-reference module variable))
                       #:unwind? #t)))
          (test-assert name
            (and (not-remotable? error)
                 (eq? variable (not-remotable-variable error))
                 (string-contains (condition->string error) (object->string module))
                 (string-contains (condition->string error) (symbol->string variable))))))
      '("module-missing" "name-missing")
      '((no such module) (srfi srfi-1))
      '(wanted no-such-name)))

   (for-each (lambda (file) (delete-file (string-append folder "/" file)))
             (scandir folder (lambda (file) (string-suffix? ".scm" file))))
   (rmdir folder)))
