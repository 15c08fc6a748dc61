;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Journals: what a run does, written down by a process of its own.
(define-module (tutti look journal)
  #:use-module ((ice-9 threads) #:select (make-mutex with-mutex))
  #:use-module (tutti base check)
  #:use-module (tutti base hooks)
  #:use-module (tutti base primitives)
  #:use-module (tutti look capsules)
  #:use-module (tutti look facts)
  #:export (journal))

(define lock (make-mutex))

(define (current)
  "Return the file of the present engine's journal, or @code{#f}."
  (%noted "journal"))

(define (absolute file)
  (if (absolute-file-name? file) file (in-vicinity (getcwd) file)))

(define (start! file)
  (let ((problem (%add-companion! (string-append "the recorder of the journal " file) "tutti-recorder"
                                  (list "tutti-recorder" file) #t #f)))
    (when problem
      (refuse 'journal "~a" problem))
    (%set-capsules! (capsule-limit) (capsule-variables))
    (%note! "journal" file)
    (note-run!)
    ;; By then a script has loaded what it needs.
    (add-hook! pool-made-hook note-code!)))

(define* (journal #:optional file)
  "Return the name of the file in which this run is written down, or @code{#f}. With @var{file}, a string, write all that happens from now
on down there: tasks, workers, certificates of deaths with what their workers wrote last, progress and messages. The file is an SQLite
database, which @code{tutti report} reads; it may have journals of other runs, also of such that are going on. What fails leaves a
capsule beside it, for @code{tutti replay}, see @code{capsule-limit}. Raises a @code{&tutti-error} if it cannot be written, or if this
run has another journal already."
  (if (not file)
      (current)
      (begin
        (unless (string? file)
          (refuse 'journal "expected the name of a file, got ~s" file))
        (with-mutex lock
          (let ((file (absolute file)))
            (cond ((not (current)) (start! file))
                  ((not (string=? (current) file))
                   (refuse 'journal "this run is written down in ~a already, and cannot be in ~a as well" (current) file)))))
        (current))))
