;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What README.md shows works, and gives what it says; the examples of the manual run.
(use-modules (tap) (programs) (ice-9 ftw) (ice-9 match) (ice-9 regex) (ice-9 textual-ports) (srfi srfi-1) (srfi srfi-64))

(define (in-tree name) (string-append (getenv "TUTTI_SOURCE_DIR") "/" name))
(define (contents name) (call-with-input-file (in-tree name) get-string-all #:encoding "UTF-8"))
(define readme (contents "README.md"))

(define (blocks language)
  "Return the contents of the blocks of README.md in @var{language}. There is no backquote in any."
  (map (lambda (m) (match:substring m 1))
       (list-matches (string-append "```" language "\n([^`]+)```") readme)))

(define (run-text text)
  (call-with-folder
   (lambda (folder)
     (let ((file (string-append folder "/script.scm")))
       (call-with-output-file file (lambda (port) (display text port)))
       (run-program (list tutti "run" file) #:seconds 120)))))

(define (test-script)
  (let* ((script (first (blocks "scheme")))
         (program (run-text script)))
    (test-equal "has 15 lines" 15 (string-count script #\newline))
    (test-equal "prints what the README says" (first (blocks "text")) (program-output program))
    (test-equal "status" 0 (program-status program))))

(define (test-guile)
  (let* ((line (find (lambda (block) (string-prefix? "guile -c" block)) (blocks "sh")))
         (program (run-program (list "sh" "-c" line))))
    (test-equal "prints the roots" "(1 2 3)" (program-output program))
    (test-equal "status" 0 (program-status program))))

(define (test-repl)
  (let* ((lines (second (blocks "text")))
         (terminal (run-on-terminal (list tutti "repl")
                                    `((expect 20 "(guile-user)> ") (send ,lines) (expect 20 "/4") (expect 20 "= (1 4 9 16)")
                                      (send ",q\n") (exit 10))
                                    #:env '("TUTTI_WORKERS=2" "XDG_STATE_HOME=/nonexistent"))))
    (test-assert "gives the squares, after a bar" (every step-ok? (terminal-steps terminal)))))

(define (test-map)
  (for-each (lambda (m)
              (let ((name (match:substring m 1)))
                (test-assert name (file-exists? (in-tree name)))))
            (list-matches "\n\\| `([a-z/.]+)` \\|" readme))
  (test-assert "the picture is there" (file-exists? (in-tree "doc/mt-sounding.svg"))))

;;; CONTRIBUTING.md names files and folders, from the top of the tree or below engine/.

(define (named-files text)
  "Return what looks like a file in TEXT, without those that stand for others, which have a name in capitals."
  (filter (lambda (name) (and (string-index name #\/) (not (string-match "NAME|DOMAIN|ROOM|guile-X|^\\./|\\*" name))))
          (map (lambda (m) (match:substring m 1)) (list-matches "`([A-Za-z0-9_./*-]+)`" text))))

(define (test-contributing)
  (let ((names (named-files (contents "CONTRIBUTING.md"))))
    (test-assert "names files" (> (length names) 20))
    (for-each (lambda (name)
                (test-assert name
                  (any (lambda (folder) (file-exists? (in-tree (string-append folder name)))) '("" "engine/" "engine/include/"))))
              (delete-duplicates names))))

;;; The manual: what stands between @lisp and @end lisp and begins with (use-modules (tutti is a script.

(define (manual-scripts)
  "Return the scripts of all chapters as pairs: a name that says where it is, and the text."
  (append-map (lambda (chapter)
                (let ((texts (filter (lambda (text) (string-prefix? "(use-modules (tutti" text))
                                     (map (lambda (m) (texinfo->text (match:substring m 1)))
                                          (list-matches "@lisp\n(([^@]|@[^e])*)\n@end lisp"
                                                        (contents (string-append "doc/" chapter)))))))
                  (map (lambda (text number) (cons (format #f "script ~a of ~a" number chapter) text))
                       texts (iota (length texts) 1))))
              (scandir (in-tree "doc") (lambda (name) (string-suffix? ".texi" name)))))

(define (texinfo->text text)
  (regexp-substitute/global #f "@([@{}])" text 'pre 1 'post))

(define (test-manual)
  (let ((scripts (manual-scripts)))
    (test-assert "there are scripts in the manual" (> (length scripts) 3))
    (for-each (match-lambda
                ((name . script)
                 (let ((program (run-text script)))
                   (unless (eqv? 0 (program-status program))
                     (display script (current-error-port))
                     (display (program-errors program) (current-error-port)))
                   (test-equal name 0 (program-status program)))))
              scripts)))

(call-with-tap
 (lambda ()
   (test-group "script" (test-script))
   (test-group "guile" (test-guile))
   (test-group "repl" (test-repl))
   (test-group "map" (test-map))
   (test-group "contributing" (test-contributing))
   (test-group "manual" (test-manual))))
