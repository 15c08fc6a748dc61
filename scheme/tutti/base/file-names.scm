;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Absolute names of files. Guile leaves out the folder in the names of files that are below one of the load path, such as modules beside a
;; script.
(define-module (tutti base file-names)
  #:use-module (ice-9 regex)
  #:use-module (srfi srfi-1)
  #:export (full-file-name with-full-file-name))

(define (guile's? file)
  (any (lambda (folder) (string-prefix? (string-append folder "/") file))
       (list (%package-data-dir) (%library-dir) (%site-dir))))

(define (full-file-name name)
  "Return the absolute name of the file that Guile calls @var{name}; @var{name} itself for files of Guile's and ours, and others that are
not in the load path."
  (let ((found (and (string? name)
                    (not (absolute-file-name? name))
                    (not (string-prefix? "tutti/" name))
                    (false-if-exception (search-path %load-path name)))))
    (if (and found (absolute-file-name? found) (not (guile's? found))) found name)))

(define place (make-regexp "^([^:\n]+):[0-9]+:[0-9]+: "))

(define (with-full-file-name text)
  "Return @var{text}, an error's, with an absolute name where it begins with a place in a file."
  (let ((found (regexp-exec place text)))
    (if found
        (string-append (full-file-name (match:substring found 1)) (substring text (match:end found 1)))
        text)))
