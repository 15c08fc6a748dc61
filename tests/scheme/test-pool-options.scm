;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What make-pool may not be given is refused, with the option's name, before any process is started.
(use-modules (tap) (programs) (srfi srfi-1) (srfi srfi-64) (tutti) (tutti conditions))

(define (condition-of thunk)
  (with-exception-handler identity (lambda () (thunk) #f) #:unwind? #t))

(define (refused? . options)
  "Return true if make-pool refuses the last of OPTIONS, which is the value of the one before, and says so."
  (let* ((before (length (descendants)))
         (text (condition->string (condition-of (lambda () (apply make-pool 1 options)))))
         (name (format #f "~s: expected" (car options))))
    (and (string-contains text "make-pool")
         (string-contains text name)
         (string-contains text (format #f "got ~s" (cadr options)))
         (= before (length (descendants))))))

(define (test-refused option . values)
  (for-each (lambda (value)
              (test-assert (format #f "~s ~s" option value) (refused? option value)))
            values))

(define-remote (folders) %load-path)

(call-with-tap
 (lambda ()
   (test-group "pool-options"
     (test-refused #:name 'symbol "" "two\nlines" "NUL\0" "a\x1b[2J" #f)
     (test-refused #:threads 0 -1 1.5 "2" +nan.0 (expt 2 70) #f)
     (test-refused #:cpus-per-worker 0 -1 1.5 "2" 'all (expt 2 70))
     (test-refused #:gpus-per-worker -1 1.5 "0" #f (expt 2 70))
     (test-refused #:memory-limit 0 -1 +nan.0 "2G" 1.5 (expt 2 63) 1e9)
     (test-refused #:load-path "/tmp" '("." . "..") 5)
     (for-each (lambda (folder)
                 (test-assert (format #f "#:load-path with ~s" folder)
                   (let ((text (condition->string (condition-of (lambda () (make-pool 1 #:load-path (cons folder %load-path)))))))
                     (and (string-contains text "#:load-path: expected a list of folders, each ")
                          (string-contains text (format #f "got ~s" folder))))))
               (list 'modules #f "/proc/self/none" "/dev/null" "/tmp:/usr" "/tmp\0"))
     (test-equal "folders that are there, and those of Guile" '(#t #t)
       (call-with-folder
        (lambda (folder)
          (call-with-pool 1
            (lambda (pool)
              (let ((found (car (pool-apply pool folders))))
                (list (and (member folder found) #t) (every (lambda (own) (and (member own found) #t)) %load-path))))
            #:load-path (cons folder %load-path)))))
     (test-equal "a name with letters" "größe 2" (call-with-pool 1 (lambda (pool) ((@ (tutti pool type) pool-name) pool)) #:name "größe 2"))
     (test-assert "no procedure for the pool"
       (string-contains (condition->string (condition-of (lambda () (call-with-pool 1 'proc))))
                        "expected a procedure that takes the pool, got proc"))
     (for-each (lambda (text)
                 (test-assert (format #f "TUTTI_WORKERS=~a" text)
                   (let ((before (getenv "TUTTI_WORKERS")))
                     (setenv "TUTTI_WORKERS" text)
                     (let ((told (condition->string (condition-of default-pool-size))))
                       (if before (setenv "TUTTI_WORKERS" before) (unsetenv "TUTTI_WORKERS"))
                       (string-contains told (format #f "TUTTI_WORKERS is ~s, expected a positive number" text))))))
               '("0" "-3" "many" "1.5" "4097" "1e400" "")))))
