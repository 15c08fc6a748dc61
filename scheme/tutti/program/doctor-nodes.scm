;; SPDX-License-Identifier: LGPL-3.0-or-later
;; tutti doctor --on: does a launcher start machines, are they like this one, and how far away are they?
(define-module (tutti program doctor-nodes)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-1)
  #:use-module (tutti launcher)
  #:use-module (tutti launcher cluster)
  #:use-module (tutti launcher events)
  #:use-module (tutti launcher nodes)
  #:use-module (tutti launcher primitives)
  #:use-module (tutti program finding)
  #:export (check-nodes))

(define round-trips 50)
(define streamed 67108864)              ; bytes

(define slow-round-trip 0.005)          ; seconds
(define slow-stream 20e6)               ; bytes a second
(define little-memory 0.25e9)           ; bytes
(define far-clock 2)                    ; seconds

(define (median numbers)
  (list-ref (sort numbers <) (quotient (length numbers) 2)))

(define (known facts name)
  (let ((number (assoc-ref facts name)))
    (and number (positive? number) number)))

(define (clock-text seconds)
  (cond ((not seconds) "clock not known")
        ((< (abs seconds) 0.1) "clock as here")
        (else (format #f "clock ~,1f s ~a" (abs seconds) (if (positive? seconds) "ahead" "behind")))))

;; What is not as it should be, and what to do about it.
(define (remarks free round-trip rate clock)
  (filter-map
   (lambda (wrong? text) (and wrong? text))
   (list (and free (< free little-memory))
         (> round-trip slow-round-trip)
         (< rate slow-stream)
         (and clock (> (abs clock) far-clock)))
   '("little memory: a worker needs about 0.02 GB, and what the simulation needs"
     "far away: give workers tasks that take much longer than a round trip"
     "a slow network: vectors that go to every node cost most; keep them there with pool-push and pool-keep"
     "the clock differs: let both machines set it by NTP; times of files are not to be compared")))

(define (check-node cluster node)
  (let* ((handle (cluster-handle cluster))
         (index (node-index node))
         (facts (node-facts node))
         (free (known facts "memory-free"))
         (total (known facts "memory"))
         (clock (node-clock cluster node))
         (round-trip (median (map (lambda (_) (%cluster-ping handle index)) (iota round-trips))))
         (rate (/ streamed (max 1e-6 (%cluster-stream handle index streamed))))
         (remarks (remarks free round-trip rate clock))
         (different (%facts-different handle index))
         (text (format #f "~a processor~:p~a; there and back in ~,3f ms, ~a MB/s, ~a"
                       (node-processors node)
                       (if (and free total) (format #f ", ~,1f of ~,1f GB free" (/ free 1e9) (/ total 1e9)) "")
                       (* 1000 round-trip) (inexact->exact (round (/ rate 1e6))) (clock-text clock))))
    (cond (different (fail "~a~%~a~{~%~a~}" text different remarks))
          ((pair? remarks) (warn "~a~{~%~a~}" text remarks))
          (else (ok "~a" text)))))

(define (check-start cluster)
  "Return the finding about how many of the agents have come."
  (let ((there (length (there-nodes cluster)))
        (expected (expected-agents cluster)))
    (if (< there expected)
        (fail "~a: ~a of ~a nodes have come~{~%refused: ~a~}" (launcher->string (cluster-launcher cluster)) there expected
              (reverse (cluster-refusals cluster)))
        (ok "~a: ~a node~:p" (launcher->string (cluster-launcher cluster)) there))))

(define (check-nodes launcher)
  "Print a line about what @var{launcher} starts, and one for each machine; return the list of ok, warn or fail of each."
  ;; Those that differ are to be compared, not refused.
  (let* ((cluster #f)
         (start (call-check (lambda ()
                              (set! cluster (acquire-nodes! launcher #t))
                              (check-start cluster)))))
    (dynamic-wind
      (const #t)
      (lambda ()
        (cons (show! (launcher-name launcher) start)
              (if cluster
                  (map (lambda (node) (show! (node-name node) (call-check (lambda () (check-node cluster node))))) (there-nodes cluster))
                  '())))
      (lambda () (when cluster (release-nodes! cluster #t))))))
