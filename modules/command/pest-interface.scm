;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The templates and instructions that a control file of PEST names, compared with its parameters and observations.
(define-module (tutti command pest-interface)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti command pest-control)
  #:use-module (tutti command pest-instructions)
  #:use-module (tutti command pest-template)
  #:use-module (tutti command scan)
  #:export (read-pest-interface beside-control))

(define who 'read-pest-control)

(define (beside-control control name)
  "Return the name of the file @var{name}, which stands in @var{control}, for this process."
  (if (absolute-file-name? name) name (string-append (dirname (pest-control-file control)) "/" name)))

(define (read-pairs control pairs read)
  "Return the list of pairs of what READ returns for the files of PEST in PAIRS, and the files of the model."
  (map (lambda (pair)
         (let ((file (beside-control control (assq-ref pair 'pest-file))))
           (unless (file-exists? file)
             (complain-about who (assq-ref pair 'place) "~a is not there; expected a file in the folder of ~a" file
                             (pest-control-file control)))
           (cons (read file) (assq-ref pair 'model-file))))
       pairs))

(define (name-set items)
  (define names (make-hash-table))
  (for-each (lambda (item) (hash-set! names (assq-ref item 'name) item)) items)
  names)

(define (check-known names known what where file)
  "Raise an error about the first of NAMES that is not in the hash table KNOWN; WHERE returns its place."
  (for-each (lambda (name)
              (unless (hash-ref known name)
                (complain-about who (where name) "the ~a ~a is not among those of ~a" what name file)))
            names))

(define (check-used items used what where)
  "Raise an error about the first of ITEMS whose name is not in the hash table USED."
  (for-each (lambda (item)
              (unless (hash-ref used (assq-ref item 'name))
                (complain-about who (assq-ref item 'place) "the ~a ~a is in no ~a" what (assq-ref item 'name) where)))
            items))

(define (check-parameters control templates)
  (define known (name-set (pest-parameters control)))
  (define used (make-hash-table))
  (for-each (match-lambda
              ((template . _)
               (check-known (pest-template-names template) known "parameter" (lambda (name) (pest-field-place template name))
                            (pest-control-file control))
               (for-each (lambda (name) (hash-set! used name #t)) (pest-template-names template))))
            templates)
  (check-used (pest-parameters control) used "parameter" "template"))

(define (check-observations control instructions)
  (define known (name-set (pest-observations control)))
  (define used (make-hash-table))
  (for-each
   (match-lambda
     ((instructions . _)
      (define (where name) (pest-observation-place instructions name))
      (check-known (pest-observation-names instructions) known "observation" where (pest-control-file control))
      (for-each (lambda (name)
                  (let ((before (hash-ref used name)))
                    (when before
                      (complain-about who (where name) "the observation ~a is read at ~a already; expected one instruction for each" name
                                      (pest-observation-place before name)))
                    (hash-set! used name instructions)))
                (pest-observation-names instructions))))
   instructions)
  (check-used (pest-observations control) used "observation" "file of instructions"))

(define (read-pest-interface control)
  "Return two values: the list of pairs of the templates that @var{control} names and the model's inputs, and that of pairs of its
instructions and the model's outputs. A parameter or an observation that is only here or only there is a @code{&tutti-error} that names its
place."
  (let* ((delimiters (or (assoc-ref (pest-options control) "additional_ins_delimiters") ""))
         (templates (read-pairs control (pest-template-files control) read-pest-template))
         (instructions (read-pairs control (pest-instruction-files control)
                                   (lambda (file) (read-pest-instructions file #:delimiters delimiters)))))
    (check-parameters control templates)
    (check-observations control instructions)
    (values templates instructions)))
