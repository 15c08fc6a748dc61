;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Results of one stage as input of the next: a source is a file and the fingerprint of its contents.
(define-module (tutti mt sources)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base check)
  #:use-module (tutti mt store)
  #:export (source-file
            source-fingerprint
            source-contents
            read-source
            read-source-header
            recorded-source))

(define (source-file source)
  "Return the name of the file of @var{source}."
  (car source))

(define (source-fingerprint source)
  "Return the fingerprint of what is in the file of @var{source}."
  (cdr source))

(define (source-contents tree)
  "Return @var{tree}, lists with sources in them, with the fingerprints of sources in their places: a project that is moved to
another folder is still the same."
  (match tree
    (((? string?) . (? string? fingerprint)) fingerprint)
    ((first . rest) (cons (source-contents first) (source-contents rest)))
    (_ tree)))

;; What was read last, for the next task on the same worker: lists of a source, a header and a vector, the last first. A worker that
;; solves for one frequency after the other needs the same spectra each time.
(define kept '())
(define most-bytes (* 192 1024 1024))

(define (keep entry bytes entries)
  "Return ENTRY and those of ENTRIES that together have no more than most-bytes."
  (let loop ((room (- most-bytes bytes)) (entries entries) (result (list entry)))
    (match entries
      (() (reverse result))
      (((and first (_ _ vector)) . rest)
       (let ((room (- room (bytevector-length vector))))
         (if (negative? room)
             (reverse result)
             (loop room rest (cons first result))))))))

(define (read-entry source)
  (or (let ((entry (assoc source kept)))
        (when entry
          (set! kept (cons entry (delq entry kept))))
        entry)
      (call-with-values (lambda () (read-array (source-file source)))
        (lambda (header vector)
          (let ((entry (list source header vector)))
            (set! kept (keep entry (bytevector-length vector) kept))
            entry)))))

(define (read-source source)
  "Return the vector in the file of @var{source}.  It must not be changed: the next reader may get the same vector."
  (third (read-entry source)))

(define (read-source-header source)
  "Return the association list in the file of @var{source}."
  (second (read-entry source)))

(define (recorded-source folder key file expected what how)
  "Return the source with the @var{file} that is recorded as complete in @var{folder} under @var{key}, with a fingerprint that begins with
@var{expected}, a string.  If it is not, or the file is gone, the error says that @var{what} is missing, or was made from something else,
and to run @var{how}."
  (let ((fingerprint (completed-fingerprint folder key)))
    (cond ((or (not fingerprint) (not (file-exists? file)))
           (refuse 'recorded-source "~a: nothing is there (~a); run ~a" what file how))
          ((not (string-prefix? expected fingerprint))
           (refuse 'recorded-source "~a were made with another configuration or from other data (~a); run ~a again" what file how))
          (else (cons file fingerprint)))))
