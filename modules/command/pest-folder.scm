;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What a model of PEST finds in the folder in which it runs. PEST runs it beside the control file; here each run has a folder of its own,
;; with copies of what is there.
(define-module (tutti command pest-folder)
  #:use-module (ice-9 ftw)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti command folder)
  #:use-module (tutti command pest-control)
  #:use-module (tutti command pest-interface)
  #:use-module (tutti command scan)
  #:export (files-beside program-beside))

(define most-bytes 100000000)           ; copied for each run
(define most-files 2000)

(define (entries folder) (or (scandir folder (lambda (name) (not (string-prefix? "." name)))) '()))

(define (walk folder prefix found)
  "Return the pairs of the files in FOLDER and below it and their names, which begin with PREFIX, before FOUND. Links to folders are not
followed."
  (fold (lambda (entry found)
          (let* ((file (string-append folder "/" entry))
                 (name (string-append prefix entry))
                 (status (stat file #f))
                 (type (and status (stat:type status))))
            (cond ((eq? type 'regular) (acons file name found))
                  ((and (eq? type 'directory) (< (length found) most-files) (not (eq? 'symlink (stat:type (lstat file)))))
                   (walk file (string-append name "/") found))
                  (else found))))
        found (entries folder)))

(define (plain name) (if (string-prefix? "./" name) (plain (substring name 2)) name))

(define (files-beside control)
  "Return the list of pairs of the files in the folder of @var{control}, and below it, and their names there: without those that the runs
make."
  (let* ((made (map (lambda (pair) (plain (assq-ref pair 'model-file)))
                    (append (pest-template-files control) (pest-instruction-files control))))
         (folder (dirname (absolute-name (pest-control-file control))))
         (found (remove (match-lambda ((_ . name) (member name made))) (reverse (walk folder "" '()))))
         (size (apply + (map (match-lambda ((file . _) (stat:size (stat file)))) found))))
    (when (or (> size most-bytes) (> (length found) most-files))
      (complain-about 'pest-problem (pest-control-file control) "there are ~a files, of ~a bytes, in its folder, too many to be copied for \
each run of the model; say with #:files which ones it needs, and with #:links which ones it only reads" (length found) size))
    found))

(define (program-beside control word files)
  "Return the name of the program @var{word} of the command in @var{control}, for a run that has @var{files}, pairs of file and name: it
may be one of them, one beside the control file, or on the PATH."
  (let ((file (absolute-name (beside-control control word)))
        (name (plain word)))
    (cond ((absolute-file-name? word) word)
          ((not (and (file-exists? file) (not (file-is-directory? file)))) word)
          ((not (or (string-index word #\/) (access? file X_OK))) word)
          ((any (match-lambda ((_ . other) (string=? name other))) files) (string-append "./" name))
          (else file))))
