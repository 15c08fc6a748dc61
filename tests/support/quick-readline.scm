;; SPDX-License-Identifier: LGPL-3.0-or-later
;; For REPLs under test, to be loaded with -l: Guile's readline shows for half a second, in which it reads nothing, which parenthesis the
;; one that was typed closes. People want that; tests would wait for it after each line.
(when (resolve-module '(ice-9 readline) #:ensure #f)
  (eval '(begin (use-modules (ice-9 readline)) (readline-set! bounce-parens 0))
        (make-fresh-user-module)))
