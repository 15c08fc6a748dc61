;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What a journal knows of its run: from what it was computed, and with what.
(use-modules (tap) (processes) (programs) (ice-9 match) (srfi srfi-1) (srfi srfi-64))

(define recorder (string-append (getenv "TUTTI_LIBEXECDIR") "/tutti-recorder"))

(define (query file sql)
  (let ((program (run-program (list (getenv "TUTTI_PYTHON") (string-append (getenv "TUTTI_SOURCE_DIR") "/tests/support/journal-query.py")
                                    file sql))))
    (unless (eqv? 0 (program-status program))
      (error "the journal cannot be read" file (program-errors program)))
    (string-split (string-trim-right (program-output program) #\newline) #\newline)))

(define (note file run key)
  (car (query file (format #f "select coalesce ((select value from note where run = ~a and key = '~a'), '-')" run key))))

(define (write-file! file text)
  (call-with-output-file file (lambda (port) (display text port))))

(define (sha256 file)
  (car (string-split (program-output (run-program (list "sha256sum" file))) #\space)))

(define (say form) (object->string form))

;; It loads a module of its own, makes the journal itself if MAKES?, and draws random numbers.
(define (script-text journal)
  (string-join
   (map say `((use-modules (tutti) (early))
              ,@(if journal `((journal ,journal)) '())
              (define-remote (act x) x)
              (parameterize ((random-seed 42))
                (call-with-pool 1 (lambda (pool) (pool-map pool act '(1 2 3)))))
              (use-modules (late))
              (call-with-pool 1 (lambda (pool) (pool-map pool act '(1 2 3))))))
   "\n"))

(define (test-facts folder name arguments journal made-by-script?)
  (let ((script (string-append folder "/script.scm")))
    (write-file! script (script-text (and made-by-script? journal)))
    (let ((program (run-program `(,tutti "run" ,@arguments ,script "one" "two words")
                                #:env (list (string-append "GUILE_LOAD_PATH=" folder ":" (or (getenv "GUILE_LOAD_PATH") ""))))))
      (test-equal (string-append name ": runs") '(0 "") (list (program-status program) (program-errors program))))
    (for-each (match-lambda
                ((what key value) (test-equal (string-append name ": " what) value (note journal 1 key))))
              `(("its script" "script" ,script)
                ("its digest" "script digest" ,(sha256 script))
                ("its arguments" "arguments" "one two words")
                ("its file" "journal" ,journal)
                ("Guile" "guile" ,(version))
                ("the last seed" "seed" "0")
                ,@(map (match-lambda
                         ((what . name)
                          (let ((file (string-append folder name)))
                            (list what (string-append "digest:" file) (sha256 file)))))
                       '(("a module that was loaded before" . "/early.scm") ("a module that was loaded later" . "/late.scm")))))
    (test-assert (string-append name ": the linear algebra")
      (string-contains (note journal 1 "openblas") "OpenBLAS"))
    (test-equal (string-append name ": no digests of Guile's or Tutti's modules") '("0")
      (query journal "select count (*) from note where key like 'digest:%' and key not like '%/early.scm' and key not like '%/late.scm'"))))

(call-with-tap
 (lambda ()
   (if (not (file-exists? recorder))
       (test-skip-all "this build has no recorder: SQLite is missing")
       (call-with-folder
        (lambda (folder)
          (write-file! (string-append folder "/early.scm") (say '(define-module (early))))
          (write-file! (string-append folder "/late.scm")
                       (string-append (say '(define-module (late) #:export (late-value))) (say '(define (late-value x) x))))
          (let ((first (string-append folder "/first")) (second (string-append folder "/second")))
            (test-facts folder "from the beginning" (list "--journal" first) first #f)
            (test-facts folder "from the script" '() second #t)))))))
