;; SPDX-License-Identifier: LGPL-3.0-or-later
;; How long anything is left: master, guard, watcher, or guard and watcher at once are killed, in turn, while many workers compute on few
;; processors; measured is the time from the blow until the last process that there was is gone (of those below the master, if that lives).
;;
;;   guile kill-bound.scm KILLS SECONDS [WORKERS]
;;
;; makes KILLS in all, or those for which there is time within SECONDS. Where $TUTTI_BOUND_STATE names a file, each is written there, and
;; what is there already counts: so it can be ended at any moment, and goes on where it was.
(use-modules (tap) (processes) (programs) (ice-9 format) (ice-9 match) (ice-9 popen) (ice-9 rdelim) (srfi srfi-1) (srfi srfi-64))

(define arguments (map string->number (cdr (command-line))))
(define kills (first arguments))
(define seconds (second arguments))
(define workers (if (pair? (cddr arguments)) (third arguments) 64))
(define state-file (getenv "TUTTI_BOUND_STATE"))
(define source (getenv "TUTTI_SOURCE_DIR"))
(define patience 60)

(define victims '((master) (guard) (watcher) (guard watcher)))

;; Each a list: WORKERS VICTIMS MICROSECONDS; the latter #f if something was left after ten seconds.
(define (recorded)
  (if (and state-file (file-exists? state-file))
      (filter (match-lambda ((n . _) (= n workers)) (_ #f))
              (call-with-input-file state-file
                (lambda (port)
                  ;; The end may have come in the middle of a line.
                  (let loop ((all '()))
                    (match (false-if-exception (read port))
                      ((? pair? one) (loop (cons one all)))
                      (_ (reverse all)))))))
      '()))

(define (record! one)
  (when state-file
    (let ((port (open-file state-file "a")))
      (write one port)
      (newline port)
      (close-port port))))

(define (start-master mark)
  "Return a port to the master, whose end is its own, and the numbers of it and of all below it."
  (let* ((script (string-append source "/tests/bench/busy-master.scm"))
         (port (open-pipe* OPEN_BOTH "env" mark "guile" script (number->string workers)))
         (line (read-line port)))
    (values port (if (eof-object? line) '() (map string->number (string-split line #\space))))))

(define (time-of-end blow pids)
  "Kill those of PIDS that BLOW names and return after how many microseconds none is left; #f if that is never."
  (let* ((first? (lambda (pid) (memq (if (= pid (car pids)) 'master (process-role pid)) blow)))
         (others (if (memq 'master blow) pids (cdr pids))))
    (call-with-values (lambda () (partition first? others))
      (lambda (struck rest)
        (let* ((watch (apply open-pipe* OPEN_READ (string-append (getenv "TUTTI_HELPERS") "/bench/last-end")
                             (map number->string (cons (length struck) (append struck rest)))))
               (answer (read-line watch)))
          (close-pipe watch)
          (and (= (length struck) (length blow)) (string? answer) (string->number answer)))))))

(define (strike blow)
  (let ((mark (make-mark)))
    (call-with-values (lambda () (start-master mark))
      (lambda (port pids)
        (let ((us (and (> (length pids) workers) (time-of-end blow pids))))
          (when (pair? pids) (false-if-exception (kill (car pids) SIGKILL)))
          (close-pipe port)
          (await (lambda () (null? (marked-processes mark))) patience #:pause 10000)
          (list workers blow us))))))

(define (quantile sorted q)
  (list-ref sorted (min (1- (length sorted)) (inexact->exact (floor (* q (length sorted)))))))

(define (report name all)
  (let ((times (sort (filter-map third all) <)))
    (unless (null? times)
      (format #t "# ~20a ~5d kills: p50 ~,1f ms, p99 ~,1f ms, max ~,1f ms~%" name (length times)
              (/ (quantile times 1/2) 1e3) (/ (quantile times 99/100) 1e3) (/ (last times) 1e3)))))

(call-with-tap
 (lambda ()
   (define end (+ (current-time) seconds))
   (let loop ((all (recorded)))
     (if (and (< (length all) kills) (< (current-time) end))
         (let ((one (strike (list-ref victims (modulo (length all) (length victims))))))
           (record! one)
           (loop (append all (list one))))
         (begin
           (for-each (lambda (blow)
                       (report (format #f "~{~a~^ and ~}" blow) (filter (lambda (one) (equal? (second one) blow)) all)))
                     victims)
           (report "all" all)
           (test-assert "somebody was killed" (pair? all))
           (test-equal "nothing was ever left" '() (filter (lambda (one) (not (third one))) all)))))))
