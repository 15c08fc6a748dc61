;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Where the core of a worker is that has died of the task of a capsule: beside the capsule, where the kernel has put it, or with a program.
(define-module (tutti program core)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (tutti base config)
  #:use-module (tutti base primitives)
  #:export (core-line core-command))

(define (beside capsule)
  "Return the file of the core that belongs to the file @var{capsule}, whether it is there or not."
  (string-append (if (string-suffix? ".capsule" capsule) (string-drop-right capsule (string-length ".capsule")) capsule) ".core"))

(define (core-of facts capsule)
  "Return where the core is of the worker that @var{facts} tell of: @code{(file name)}, @code{(program name)}, @code{(host name)},
@code{(missing pattern)}, @code{(gone name)}; @code{#f}: none was made."
  (define text (assoc-ref facts "core"))
  (define pid (string->number (or (assoc-ref facts "worker") "0")))
  ;; The next process that crashes may have overwritten it.
  (define (its? file) (eqv? (%core-pid file) pid))
  (define (rest) (substring text 1))
  (cond ((or (not text) (string-null? text)) #f)
        ((char=? (string-ref text 0) #\|) (list 'program (rest)))
        ((char=? (string-ref text 0) #\@) (list 'host (rest)))
        ((char=? (string-ref text 0) #\?) (list 'missing (rest)))
        ((its? (beside capsule)) (list 'file (beside capsule)))
        ((its? text) (list 'file text))
        (else (list 'gone text))))

(define (of-systemd? program)
  (string-suffix? "/systemd-coredump" program))

(define (core-line facts capsule)
  "Return a text that says where the core is of the worker that @var{facts} of the file @var{capsule} tell of, or @code{#f}."
  (define pid (or (assoc-ref facts "worker") "?"))
  (match (core-of facts capsule)
    (#f #f)
    (('file name) (format #f "The core of its worker: ~a" name))
    (('program name)
     (format #f "The core of its worker, process ~a, was handed to ~a~a" pid name
             (if (of-systemd? name) (format #f "; `coredumpctl gdb ~a' opens it" pid) ", as /proc/sys/kernel/core_pattern says")))
    (('host name) (format #f "The core of its worker, process ~a, was made on ~a" pid name))
    (('missing pattern)
     (format #f "Its worker, process ~a, dumped core, but there was no file of it: the kernel puts cores to ~a" pid pattern))
    (('gone name) (format #f "The core of its worker, process ~a, was in ~a, and is no longer there" pid name))))

(define (core-command facts capsule)
  "Return the command, a list of strings, that opens gdb on the core of the worker that @var{facts} of the file @var{capsule} tell of; or,
if that is not possible, a string that says why."
  (match (core-of facts capsule)
    (#f (string-append "the worker of this task left no core: it was not ended by a crash, `ulimit -c' did not allow one, "
                       "or the kernel could not write it, as when others dump core to the same file at once"))
    (('file name) (list "gdb" "-q" (or (assoc-ref facts "program") (string-append (libexec-directory) "/tutti-worker")) name))
    (('program (? of-systemd?)) (list "coredumpctl" "gdb" (assoc-ref facts "worker")))
    (_ (core-line facts capsule))))
