;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Every procedure that a (tutti …) module defines and exports has a docstring; and whatever a public module exports, of any kind, is in the
;; reference chapter of the manual and in its index. So are the variables of the environment that Tutti looks at.
(use-modules (tap) (lint-files) (ice-9 ftw) (ice-9 regex) (ice-9 textual-ports) (srfi srfi-1) (srfi srfi-64))

(define (in-tree . parts) (string-join (cons (getenv "TUTTI_SOURCE_DIR") parts) "/"))
(define (contents file) (call-with-input-file file get-string-all #:encoding "UTF-8"))

(add-to-load-path (in-tree "doc"))
(use-modules (reference))

;;; Procedures of all modules.

(define (documented? procedure)
  ;; A parameter is a structure that can be applied: its text is a property of the object.
  (or (procedure-documentation procedure) (object-property procedure 'documentation)))

(define (undocumented name)
  "Return the exported procedures of the module @var{name} that have no docstring."
  (let ((module (resolve-module name)))
    (filter (lambda (symbol)
              (let ((own (module-local-variable module symbol)))
                (and own (variable-bound? own) (procedure? (variable-ref own))
                     (not (char=? (string-ref (symbol->string symbol) 0) #\%))
                     (not (documented? (variable-ref own))))))
            (module-map (lambda (symbol variable) symbol) (module-public-interface module)))))

;; A procedure that was not written with a lambda, such as one made by define-exception-type, is given its text with
;; (set-procedure-property! worker-died? 'documentation "Return true if …"); a record's, a type and a parameter with set-object-property!.
(define (test-docstrings)
  (for-each (lambda (name)
              (test-equal (format #f "~a" name) '() (undocumented name)))
            (map module-of (module-files))))

;;; The reference.

(define chapters
  (map (lambda (name) (in-tree "doc" name))
       (scandir (in-tree "doc") (lambda (name) (string-suffix? ".texi" name)))))

(define (matches pattern text) (map (lambda (m) (match:substring m 1)) (list-matches pattern text)))

(define (mentioned-modules)
  "Return the names of the modules of ours that the manual, README.md and the examples import."
  (delete-duplicates
   (map (lambda (text) (call-with-input-string text read))
        (append-map (lambda (file) (matches "(\\(tutti( [a-z0-9-]+)?\\))" (contents file)))
                    (append chapters (list (in-tree "README.md")) (script-files))))))

(define (test-reference)
  (for-each (lambda (module)
              (test-equal (format #f "all of ~a is documented" module)
                '() (remove (lambda (name) (documentation module name)) (exported-names module))))
            public-modules)
  (let ((defined (matches "\n@def[a-z]+ \\{[^}]+\\} ([^ \n]+)" (string-append "\n" (call-with-output-string write-reference)))))
    (for-each (lambda (module)
                (test-equal (format #f "the reference has all of ~a" module)
                  '() (remove (lambda (name) (member (symbol->string name) defined)) (exported-names module))))
              public-modules)
    (let ((index (string-append (getenv "TUTTI_BUILD_DIR") "/doc/tutti.info")))
      (if (file-exists? index)
          (let* ((text (string-map (lambda (c) (if (char=? c #\nul) #\space c)) (contents index)))
                 (entries (matches "\n\\* ([^\n]*[^ \n]): +[A-Za-z]" (substring text (string-contains text "Node: Index,")))))
            (test-equal "the index has all of the reference" '() (lset-difference string=? defined entries)))
          (tap-skip "the index has all of the reference" "makeinfo is not installed"))))
  (test-equal "modules that users read about are in the reference"
    '() (lset-difference equal? (mentioned-modules) (cons '(tutti) public-modules)))
  (test-equal "(tutti) imports all but the domains"
    '()
    (remove (lambda (name) (module-variable (resolve-interface '(tutti)) name))
            (append-map exported-names
                        (lset-difference equal? public-modules
                                         '((tutti command) (tutti file) (tutti python) (tutti umbridge) (tutti mt1d) (tutti gravity)
                                           (tutti mt)))))))

;;; The environment.

(define (sources folder)
  (let ((entries (map (lambda (name) (string-append folder "/" name))
                      (scandir folder (lambda (name) (not (string-prefix? "." name)))))))
    (append (filter (lambda (name) (or-map (lambda (suffix) (string-suffix? suffix name)) '(".c" ".h" ".scm" ".scm.in"))) entries)
            (append-map sources (filter file-is-directory? entries)))))

(define (test-environment)
  (let* ((known (matches "\n@itemx? ([A-Z_]+)" (contents (in-tree "doc" "environment.texi"))))
         (used (append-map (lambda (file)
                             (let ((text (contents file)))
                               (append (matches "getenv ?\\(?\"([A-Z_0-9]+)\"" text)
                                       (matches "\"(TUTTI_[A-Z_0-9]+)\"" text))))
                           (append-map sources (map in-tree '("engine" "scheme" "modules"))))))
    (test-equal "every variable of the environment is in the manual"
      '() (lset-difference string=? (delete-duplicates used) known))))

(call-with-tap
 (lambda ()
   (test-group "docstrings" (test-docstrings))
   (test-group "reference" (test-reference))
   (test-group "environment" (test-environment))))
