;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What users say of a run, checked and made whole, so that it can travel to the worker in which the program runs.
(define-module (tutti command start)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base check)
  #:use-module (tutti command folder)
  #:use-module (tutti command mpi)
  #:use-module (tutti command place)
  #:use-module (tutti command reader)
  #:use-module (tutti command run)
  #:use-module (tutti command template)
  #:use-module (tutti command words)
  #:export (run-command make-plan run-plan run-keywords))

(define run-keywords
  '(#:input #:environment #:directory #:files #:links #:templates #:values #:read #:success #:fail #:retry #:tries #:timeout #:limit #:keep
    #:checkpoint))

(define usual-limit (expt 2 30))        ; bytes of an output
(define most-limit (expt 2 60))

;;; Options.

(define (whole-program who program)
  (unless (and (string? program) (not (string-null? program)))
    (refuse who "expected the name of a program, a string, or an MPI command, got ~s" program))
  (cond ((not (string-index program #\/)) program)
        ((file-exists? program) (absolute-name program))
        (else program)))                ; it may be one of the run's files

(define (whole-entries who key entries what)
  "Return the list of pairs of absolute name and name in the folder for @var{entries}: names of files, or pairs of those."
  (unless (list? entries)
    (refuse who "~s: expected a list of names of files, or of pairs of that and a name in the folder of the run, got ~s" key entries))
  (map (lambda (entry)
         (match entry
           (((? string? from) . (? string? name))
            (check-inside name (format #f "~s" key))
            (cons (what from) name))
           ((? string? from) (cons (what from) (basename from)))
           (_ (refuse who "~s: expected the name of a file, or a pair of that and a name in the folder of the run, got ~s" key entry))))
       entries))

(define* (existing who key #:key folders?)
  (lambda (file)
    (unless (file-exists? file)
      (refuse who "~s: there is no file ~:[~;or folder ~]~a" key folders? (absolute-name file)))
    (when (and (file-is-directory? file) (not folders?))
      (refuse who "~s: ~a is a folder, expected a file; #:links can have folders" key file))
    (absolute-name file)))

(define (whole-templates who entries)
  "Return the list of pairs of template and name in the folder."
  (unless (list? entries)
    (refuse who "#:templates: expected a list of pairs of a template, or its file, and a name in the folder of the run, got ~s" entries))
  (map (lambda (entry)
         (match entry
           (((? string? file) . (? string? name))
            (check-inside name "#:templates")
            (cons (read-template file) name))
           (((? template?) . (? string? name))
            (check-inside name "#:templates")
            entry)
           (_ (refuse who "#:templates: expected a pair of a template, or its file, and a name in the folder of the run, such as \
(\"in.tpl\" . \"in.dat\"), got ~s" entry))))
       entries))

(define (name-text name) (if (symbol? name) (symbol->string name) name))

(define (check-pairs who values)
  (unless (and (list? values) (every (match-lambda
                                       (((? (lambda (x) (or (symbol? x) (string? x)))) . (or (? real?) (? string?))) #t)
                                       (_ #f))
                                     values))
    (refuse who "#:values: expected a list of pairs of name and number or text, such as ((k . 1.5)), got ~s" values))
  values)

(define (check-values who values templates)
  "Raise a @code{&tutti-error} unless each of @var{values} has a field in @var{templates}."
  (let* ((fields (append-map (lambda (entry) (template-names (car entry))) templates))
         (known (make-hash-table)))
    (for-each (lambda (field) (hash-set! known (string-downcase field) #t)) fields)
    (for-each (lambda (entry)
                (unless (hash-ref known (string-downcase (name-text (car entry))))
                  (refuse who "no template has a field for the value ~a; the fields of ~a are ~a" (car entry)
                          (if (null? templates) "none" (string-join (map (lambda (entry) (template-file (car entry))) templates) ", "))
                          (if (null? fields) "none" (string-join (delete-duplicates fields) ", ")))))
              values)))

(define (check-read who read)
  (define (fine? reader) (or (reader? reader) (procedure? reader)))
  (unless (or (not read) (fine? read) (and (list? read) (every fine? read)))
    (refuse who "#:read: expected a reader, such as (output-value \"out.dat\" \"T =\"), a procedure of a folder, or a list of those, got ~s"
            read))
  read)

(define natural-kinds '(nan status signal timeout flooded not-started output))

(define (natural what) (if (eq? what 'nan) 'not-finite what))

(define (whole-rules who key rules usual-kind)
  "Return the list of pairs of what is looked at and kind for @var{rules}."
  (define (what? x)
    (match x
      ((? exact-integer?) #t)
      ((? symbol?) (and (memq x natural-kinds) #t))
      (((? string? file) (? string? pattern))
       (check-inside file (format #f "~s" key))
       (unless (false-if-exception (make-regexp pattern))
         (refuse who "~s: ~s is no regular expression" key pattern))
       #t)
      (_ #f)))
  (unless (list? rules)
    (refuse who "~s: expected a list, got ~s" key rules))
  (map (lambda (rule)
         (match rule
           ((? what?) (cons (natural rule) usual-kind))
           (((? what? what) '-> (? symbol? kind)) (cons (natural what) kind))
           (('nan '-> #f)
            (unless (eq? key #:fail)
              (refuse who "~s: (nan -> #f) belongs to #:fail" key))
            (cons (natural 'nan) #f))
           (_ (refuse who "~s: expected an exit status, nan or another of ~{~a~^, ~}, or a list of a file and a regular expression for a \
line in it, or (one of those -> kind) with a symbol for the kind, got ~s" key (delq 'nan natural-kinds) rule))))
       rules))

(define (check-environment who environment)
  (unless (and (list? environment)
               (every (match-lambda
                        (((? string? name) . value)
                         (and (not (string-null? name))
                              (not (string-index name (char-set #\= #\nul)))
                              (or (not value) (and (string? value) (not (string-index value #\nul))))))
                        (_ #f))
                      environment))
    (refuse who "#:environment: expected a list of pairs of name and value, strings, with #f to take a variable out, got ~s" environment))
  environment)

(define (check-number who key value)
  (unless (and (finite-number? value) (positive? value))
    (refuse who "~s: expected a positive number, got ~s" key value))
  value)

(define (make-plan who program arguments keywords)
  "Return the plan for runs of @var{program}, a name or an MPI command, with @var{arguments} and the options in @var{keywords}, an
association list: files have absolute names, and templates have been read."
  (if (mpi-command? program)
      (acons 'mpi (mpi-options program)
             (make-plain-plan who (mpi-program program) (append (mpi-arguments program) arguments) keywords))
      (make-plain-plan who program arguments keywords)))

(define (make-plain-plan who program arguments keywords)
  (define (ref key default) (match (assq key keywords) ((_ . value) value) (#f default)))
  (let* ((templates (whole-templates who (ref #:templates '())))
         (input (ref #:input #f))
         (tries (ref #:tries 3))
         (keep (ref #:keep 'failed)))
    (unless (or (not input) (string? input))
      (refuse who "#:input: expected the text that the program reads, got ~s" input))
    (unless (and (exact-integer? tries) (positive? tries))
      (refuse who "#:tries: expected a number from 1, got ~s" tries))
    (when (and (ref #:checkpoint #f) (not (ref #:directory #f)))
      (refuse who "#:checkpoint: also say with #:directory where the folders are that stay when a worker dies"))
    (unless (memq keep '(failed always never))
      (refuse who "#:keep: expected failed, always or never, got ~s" keep))
    `((program . ,(whole-program who program))
      (arguments . ,arguments)
      (input . ,input)
      (environment . ,(check-environment who (ref #:environment '())))
      (directory . ,(match (ref #:directory #f)
                      ((? string? name) (absolute-name name))
                      (#f #f)
                      (other (refuse who "#:directory: expected the name of a folder, got ~s" other))))
      (files . ,(whole-entries who #:files (ref #:files '()) (existing who #:files)))
      (links . ,(whole-entries who #:links (ref #:links '()) (existing who #:links #:folders? #t)))
      (templates . ,templates)
      (values . ,(check-pairs who (ref #:values '())))
      (read . ,(check-read who (ref #:read #f)))
      (success . ,(match (ref #:success '(0))
                    ((and ((? exact-integer?) ...) statuses) statuses)
                    (other (refuse who "#:success: expected a list of exit statuses, got ~s" other))))
      (fail . ,(whole-rules who #:fail (ref #:fail '()) 'declared))
      (retry . ,(whole-rules who #:retry (ref #:retry '()) 'again))
      (tries . ,tries)
      (timeout . ,(and=> (ref #:timeout #f) (lambda (seconds) (check-number who #:timeout seconds))))
      (limit . ,(inexact->exact (ceiling (min most-limit (check-number who #:limit (ref #:limit usual-limit))))))
      (keep . ,keep)
      (checkpoint . ,(ref #:checkpoint #f)))))

;;; Where it runs.

(define (run-plan who plan values)
  "Run the program of @var{plan} with @var{values}, which were checked, for its templates, and return what was read: in this process, if it
is a worker, else in a worker of the current pool, or in a helper."
  (apply-in-worker who run-here (acons 'values values plan)))

(define (run-command program . rest)
  "Run @var{program} with the arguments that follow, strings or numbers, in a new folder, and return what was read of its output: by default
the text that it has written to its standard output. No shell is involved. A name without a slash is looked for on the PATH. In a task it
runs in the worker, elsewhere in a worker of the current pool, or in a helper; all processes that it has started end with it, or with the
task. A program that uses MPI is an @code{mpi-command}.
Keywords follow the arguments:

@table @code
@item #:directory
the folder in which that of the run is made, by default that for temporary files. The latter is removed when the run was good; after a
failure it is kept, with all inputs and outputs, the files @file{stdout} and @file{stderr}, and the exact command line in @file{command}:
@code{#:keep} is @code{failed}, @code{always} or @code{never}.
@item #:files #:links
lists of names of files that are copied or linked into it; a pair also has the name there. Links may also be to folders.
@item #:templates #:values
pairs of a template, or its file, and the name of the file that is made of it with the values, pairs of name and number.
@item #:input #:environment
the text that it reads from its standard input; pairs of name and value, or @code{#f}, of variables.
@item #:read
a reader, such as @code{(output-value \"out.dat\" \"T =\")}, a procedure of the folder's name, or a list of those.
@item #:success #:fail #:retry #:tries
exit statuses that mean success, by default 0; and lists of what means failure or @emph{try again}, @code{#:tries} times in all, 3 by
default: an exit status; @code{nan}, @code{signal}, @code{timeout}, @code{output} (it could not be read) or another kind of failure; or a
file and a regular expression for a line in it, @code{(\"log\" \"no licence\")};
@code{(@var{one of those} -> @var{kind})} gives the kind of the failure, a symbol. Numbers that were read and are not finite are a
failure unless @code{(nan -> #f)} is among @code{#:fail}.
@item #:timeout #:limit
seconds that it may run, by default for ever; bytes that it may write to each of its outputs, by default 2^30.
@item #:checkpoint
true, with @code{#:directory}: the folder is the same for all attempts of a task whose worker has died, so that the program can go on
from what it has saved. The variable @env{TUTTI_ATTEMPT} has the number of the attempt, from 1.
@end table

A failure is a @code{&command-failed}, with program, status, kind and folder."
  (call-with-values (lambda () (split-command rest 'run-command run-keywords))
    (lambda (arguments keywords)
      (let ((plan (make-plan 'run-command program arguments keywords)))
        (check-values 'run-command (option plan 'values) (option plan 'templates))
        (run-plan 'run-command plan (option plan 'values))))))
