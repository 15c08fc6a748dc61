;; A user's script for the application script-runner.c, which gives it show-point.
;; SPDX-License-Identifier: LGPL-3.0-or-later
(use-modules (tutti))

;; How far does a ball fly that is thrown at ANGLE degrees with 30 m/s? In a vacuum; each throw takes a while.
(define-remote (distance angle)
  (usleep 50000)
  (* (/ (* 30 30) 9.81) (sin (* 2 angle (/ (acos -1) 180)))))

(define angles '(25. 30. 35. 40. 45. 50. 55. 60.))
(define distances (call-with-pool 2 (lambda (pool) (pool-map pool distance angles))))
(display "throws: ")
(display (length distances))
(newline)
(for-each show-point angles distances)
(apply max distances)
