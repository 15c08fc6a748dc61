;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Real control groups: a limit of memory that the kernel enforces, and a worker that is frozen.
(use-modules (tap) (processes) (programs) (ice-9 match) (ice-9 rdelim) (ice-9 textual-ports) (srfi srfi-1) (srfi srfi-64))

(define limit 300000000)
(define patience 60)

;;; Groups of ours.

(define (file-lines file)
  (or (false-if-exception
       (call-with-input-file file (lambda (port) (string-split (string-trim-right (get-string-all port)) #\newline))))
      '()))

(define (put file what)
  (call-with-output-file file (lambda (port) (display what port))))

(define (mounts type controller)
  "Return where the control groups of TYPE are mounted; of those for CONTROLLER, if it is not #f."
  (filter-map (lambda (line)
                (match (string-split line #\space)
                  ((_ folder (? (lambda (t) (string=? t type))) options . _)
                   (and (or (not controller) (member controller (string-split options #\,))) folder))
                  (_ #f)))
              (file-lines "/proc/mounts")))

(define (own-group controller)
  "Return the path of the group of this process in the hierarchy of CONTROLLER."
  (any (lambda (line)
         (match (string-split line #\:)
           ((_ controllers path) (and (member controller (string-split controllers #\,)) path))
           (_ #f)))
       (file-lines "/proc/self/cgroup")))

(define (make-group parent)
  "Make a group in PARENT and return its folder, or #f."
  (let ((folder (format #f "~a/tutti-test-~a" parent (getpid))))
    (and (false-if-exception (begin (mkdir folder) #t))
         folder)))

(define (make-group-1 controller)
  (any (lambda (mount)
         (or (make-group (string-append mount (or (own-group controller) "")))
             (make-group mount)))
       (mounts "cgroup" controller)))

(define (make-memory-group-2)
  ;; A group that has processes cannot hand its controllers down.
  (any (lambda (mount)
         (let ((file (string-append mount "/cgroup.subtree_control")))
           (and (member "memory" (append-map (lambda (line) (string-split line #\space)) (file-lines file)))
                (make-group mount))))
       (mounts "cgroup2" #f)))

(define (remove-group folder)
  ;; Those who are in it end in a moment.
  (await (lambda () (false-if-exception (begin (rmdir folder) #t))) patience))

(define (call-with-group folder proc)
  (dynamic-wind (const #t) (lambda () (proc folder)) (lambda () (remove-group folder))))

(define (limit-memory! group with-swap?)
  "Let the processes in GROUP have LIMIT bytes, and WITH-SWAP? no more together with swap; return true if that is possible."
  (define (set name value) (false-if-exception (begin (put (string-append group "/" name) value) #t)))
  (cond ((file-exists? (string-append group "/memory.limit_in_bytes"))
         (set "memory.swappiness" 0)
         (and (set "memory.limit_in_bytes" limit)
              (or (not with-swap?) (set "memory.memsw.limit_in_bytes" limit))))
        (else
         (set "memory.swap.max" 0)
         (set "memory.max" limit))))

;;; Programs in them.

(define (said program)
  "Return what PROGRAM has said, data."
  (filter-map (lambda (line) (false-if-exception (call-with-input-string line read)))
              (string-split (program-output program) #\newline)))

(define (test-memory group name)
  (let* ((program (run-program (list "sh" "-c" "echo $$ > \"$0/cgroup.procs\" && exec \"$@\"" group
                                     tutti "run" (fixture "control-groups.scm") "memory")
                               #:seconds patience))
         (death (assq-ref (said program) 'died)))
    (test-equal (string-append name ": the script goes on") 0 (program-status program))
    (test-equal (string-append name ": the reason") 'out-of-memory (and death (first death)))
    (test-equal (string-append name ": the certificate names the group and its limit")
      (format #f "the kernel killed it, because the control group's limit of 300.0 MB was reached (~a)" group)
      (and death (second death)))
    (test-equal (string-append name ": the pool goes on") '((2 3 4)) (assq-ref (said program) 'next))
    (unless death
      (display (program-errors program) (current-error-port)))))

(define (test-frozen group)
  (let* ((program (run-program (list tutti "run" (fixture "control-groups.scm") "freezer" group) #:seconds patience))
         (pid (and=> (assq-ref (said program) 'frozen) first)))
    (test-equal "a frozen worker: the script ends" 0 (program-status program))
    (test-assert "a frozen worker: the pool closes" (assq 'closed (said program)))
    (test-assert "a frozen worker: it is said that it cannot be ended"
      (and pid (string-contains (program-errors program)
                                (format #f "worker 1, process ~a (tutti-w:cold/1; state D: ~a), cannot be ended" pid
                                        "in an uninterruptible system call, or frozen"))))
    (unless (and pid (assq 'closed (said program)))
      (display (program-errors program) (current-error-port)))
    (put (string-append group "/freezer.state") "THAWED")
    (test-assert "a frozen worker: it ends when it is thawed" (and pid (await (lambda () (process-gone? pid)) patience)))))

(call-with-tap
 (lambda ()
   (for-each
    (lambda (name with-swap?)
      (let ((group (or (make-group-1 "memory") (make-memory-group-2))))
        (cond ((not group) (tap-skip name "no control group for memory can be made here"))
              ((limit-memory! group with-swap?) (call-with-group group (lambda (group) (test-memory group name))))
              (else
               (remove-group group)
               (tap-skip name "no control group for memory can be made here")))))
    '("a limit of memory" "a limit of memory and swap") '(#f #t))
   (let ((group (make-group-1 "freezer")))
     (if group
         (call-with-group group test-frozen)
         (tap-skip "a frozen worker" "no control group of version 1 for freezing can be made here")))))
