;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Files with bits flipped and ends cut off: reading them gives a value or an error of ours, and nothing else. And
;; files that are none.
(define-module (damage)
  #:use-module (ice-9 binary-ports)
  #:use-module (ice-9 exceptions)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-64)
  #:use-module (tap)
  #:use-module (tutti conditions)
  #:export (message-of says? bytes-of write-bytes part-of damaged-reads test-no-files with-small-disk))

(define (message-of thunk)
  "Return the text of the @code{&tutti-error} that @var{thunk} raises, or a list that says what it did instead."
  (with-exception-handler (lambda (error) (if (tutti-error? error) (exception-message error) (list 'another-error error)))
    (lambda () (list 'returned (thunk)))
    #:unwind? #t))

(define-syntax-rule (says? expression part ...)
  ;; What is said instead, if it is not that.
  (let ((message (message-of (lambda () expression))))
    (or (and (string? message) (and (string-contains message part) ...) #t) message)))

(define (bytes-of file) (call-with-input-file file get-bytevector-all #:binary #t))
(define (write-bytes file bytes) (call-with-output-file file (lambda (port) (put-bytevector port bytes)) #:binary #t))

(define (part-of bytes n)
  (let ((part (make-bytevector n)))
    (bytevector-copy! bytes 0 part 0 n)
    part))

(define (flipped bytes state)
  (let ((copy (bytevector-copy bytes)))
    (let next ((n (1+ (random 3 state))))
      (unless (zero? n)
        (let ((at (random (bytevector-length bytes) state)))
          (bytevector-u8-set! copy at (logxor (ash 1 (random 8 state)) (bytevector-u8-ref copy at))))
        (next (1- n))))
    copy))

(define (damaged-reads good file flips read)
  "Call @var{read} with the name @var{file} of a file that is what the file @var{good} is, cut after each of its bytes
or some of them, and with bits flipped, @var{flips} times. Return the list of what it raised that is no
@code{&tutti-error}."
  (define state (seed->random-state 19))
  (define bytes (bytes-of good))
  (define size (bytevector-length bytes))
  (define step (1+ (quotient size 400)))
  (define (try bytes)
    (write-bytes file bytes)
    (with-exception-handler (lambda (error) (if (tutti-error? error) '() (list error)))
      (lambda () (read file) '())
      #:unwind? #t))
  (let cut ((n 0) (found '()))
    (if (< n size)
        (cut (+ n step) (append (try (part-of bytes n)) found))
        (let flip ((i 0) (found found))
          (if (< i flips)
              (flip (1+ i) (append (try (flipped bytes state)) found))
              found)))))

(define (test-no-files folder read write)
  "Test what @var{read} and @var{write}, procedures of the name of a file, say of what is no file."
  (define fifo (string-append folder "/fifo"))
  (define secret (string-append folder "/secret"))
  (mknod fifo 'fifo #o600 0)
  (write-bytes secret #vu8(1))
  (chmod secret 0)
  (test-equal "a file that is not there" #t (says? (read (string-append folder "/nothing")) "/nothing" (strerror ENOENT)))
  (test-equal "a folder is not read" #t (says? (read folder) folder "is a directory"))
  (test-equal "a FIFO is not waited for" #t (says? (read fifo) fifo "is a FIFO"))
  (test-equal "a device is not read" #t (says? (read "/dev/zero") "is a device or a socket"))
  (test-equal "a folder is not written" #t (says? (write folder) folder "is a directory"))
  (test-equal "a FIFO is not written" #t (says? (write fifo) fifo "is a FIFO"))
  (test-equal "nothing is written to a folder that is not there" #t
    (says? (write (string-append folder "/no/file")) "/no/file" (strerror ENOENT)))
  (test-equal "the name is a string" #t (says? (read 'file) "the name of the file is file"))
  (if (zero? (getuid))
      (tap-skip "what may not be read" "root may read everything")
      (begin
        (test-equal "what may not be read" #t (says? (read secret) secret (strerror EACCES)))
        (test-equal "what may not be written" #t (says? (write secret) secret (strerror EACCES)))))
  (chmod secret #o600))

(define (can-mount?)
  (zero? (system* "sh" "-c" "unshare -m mount -t tmpfs none /mnt 2> /dev/null")))

(define (with-small-disk proc)
  "Call @var{proc} with a procedure that runs a command, a list of strings, where @file{/mnt} is a disk of 1 MB; or
skip a case."
  (if (can-mount?)
      (proc (lambda (command)
              (append '("unshare" "-m" "sh" "-c" "mount -t tmpfs -o size=1m none /mnt && exec \"$@\"" "sh") command)))
      (tap-skip "a full disk" "only root can mount a small one, with unshare")))
