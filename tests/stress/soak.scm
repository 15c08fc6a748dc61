;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The soak: thousands of tasks of every bad kind over workers that are killed all the time, and nothing is lost, wrong or left.
;;
;;   guile soak.scm TASKS SECONDS [SEED]
;;
;; runs TASKS tasks, or those that this machine can begin within SECONDS: all must be right, however many they are. Without a seed: a new
;; one, which is printed.
;;
;; fixtures/soak.scm does it in a process of its own, so that what is left after its end can be looked at.
(use-modules (ice-9 ftw) (ice-9 match) (ice-9 textual-ports) (srfi srfi-1) (srfi srfi-64) (programs) (tap))

(define arguments (cdr (command-line)))
(define n-tasks (string->number (first arguments)))
(define seconds (string->number (second arguments)))
(define seed (if (pair? (cddr arguments)) (third arguments) (number->string (car (gettimeofday)))))
(define patience 180)                   ; s: tasks that were begun come to their end in this time at the latest

(define memory-bound 10000)             ; kB
;; Every process below the one under test has this in its environment.
(define mark (string-append "TUTTI_SOAK=" (number->string (getpid)) "-" seed))

(define (comment . words)
  (format #t "# ~a~%" (string-join (map object->string* words) " ")))

(define (object->string* x) (if (string? x) x (object->string x)))

(define (marked-processes)
  (filter (lambda (pid)
            (let ((environment (false-if-exception (call-with-input-file (string-append "/proc/" pid "/environ") get-string-all
                                                                         #:encoding "ISO-8859-1"))))
              (and environment (string-contains environment mark) #t)))
          (scandir "/proc" (lambda (name) (string-every char-numeric? name)))))

;; What a master that is killed leaves is ended by others, at once but not before we come to look.
(define (nothing-left?)
  (let loop ((tries 2000))
    (or (null? (marked-processes))
        (and (positive? tries)
             (begin (usleep 10000) (loop (1- tries)))))))

(define (value key alist) (assq-ref alist key))

(define (judge-tasks result)
  (test-assert "there were tasks" (positive? (value 'submitted result)))
  (test-equal "every task has come to exactly one outcome" `((1 . ,(value 'submitted result))) (value 'seen result))
  (test-equal "every value and every condition is the right one" '() (value 'wrong result)))

(define (judge-kills result)
  (let* ((chosen (value 'chosen result))
         (done (fold + 0 (map cdr chosen))))
    (comment "tasks" (value 'submitted result) "in" (value 'seconds result) "s, of these kinds" (value 'kinds result))
    (comment "victims chosen" done "by state (busy: killed)" chosen "workers replaced" (value 'restarts result))
    (test-assert "workers were killed inside tasks" (positive? (or (assq-ref chosen 'busy) 0)))))

(define largest-vector 8388608)          ; bytes of what holds one

(define (judge-rest before after)
  (comment "before" before)
  (comment "after" after)
  (test-equal "processes are back where they were" (value 'processes before) (value 'processes after))
  ;; The collector is conservative: a word on a stack may look like the address of the last vector, before or after.
  (for-each (lambda (name by-chance)
              (test-assert (format #f "~a are back where they were" name) (<= (value name after) (+ (value name before) by-chance))))
            '(descriptors memfds) '(2 1))
  (test-assert "shared-usage is back where it was"
    (every (lambda (ref by-chance) (<= (ref (value 'shared-usage after)) (+ (ref (value 'shared-usage before)) by-chance)))
           (list car cdr) (list largest-vector 1)))
  (test-assert "shared memory is back where it was" (<= (value 'shmem after) (+ (value 'shmem before) (quotient largest-vector 1024))))
  (test-assert "the master has not grown" (< (- (value 'anonymous after) (value 'anonymous before)) memory-bound)))

(define (report-of program)
  (and (eqv? 0 (program-status program))
       (false-if-exception (call-with-input-string (program-output program) read))))

(call-with-tap
 (lambda ()
   (comment "seed" seed)
   (let* ((program (run-program (list "guile" (string-append (getenv "TUTTI_SOURCE_DIR") "/tests/stress/fixtures/soak.scm")
                                      seed (number->string n-tasks) (number->string seconds))
                                #:env (list mark) #:seconds (+ seconds patience)))
          (report (report-of program)))
     (test-equal "it comes to its end in time" 0 (program-status program))
     (test-equal "and says nothing but who has died" '()
                 (remove (lambda (line) (or (string-null? line) (string-prefix? "tutti: pool \"" line)))
                         (string-split (program-errors program) #\newline)))
     (test-assert "nothing is left after its end" (nothing-left?))
     (when report
       (judge-tasks (value 'result report))
       (judge-kills (value 'result report))
       (judge-rest (value 'before report) (value 'after report))))))
