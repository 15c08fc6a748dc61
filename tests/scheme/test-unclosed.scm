;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Where what is not closed in a file was opened.
(use-modules (tap) (tutti advice unclosed) (srfi srfi-64))

(define-syntax-rule (test-places name expected text)
  (test-equal name 'expected (unclosed-places text)))

(call-with-tap
 (lambda ()
   (test-places "nothing" () "(a (b) \"c\" #| d |# ; (\n e)")
   (test-places "nothing, where characters look like parentheses" ()
     "(list #\\( #\\\" #\\space \"(\\\" (\" '|a #;(x) #{(}# #:key #t #vu8(1))")
   (test-places "a form" (("parenthesis" 1 0)) "(define (f x)\n  (+ x 1)\n(define (g y) y)\n")
   (test-places "in a form" (("parenthesis" 2 2) ("parenthesis" 1 0)) "(define (f x)\n  (let ((a 1))\n    x")
   (test-places "the second form" (("parenthesis" 2 0)) "(a)\n(b")
   (test-places "a bracket" (("parenthesis" 1 4)) "(a) ([b]")
   (test-places "a string" (("string" 2 3) ("parenthesis" 2 0)) "\n(a \"b)\n(c \\\"")
   (test-places "a comment" (("comment" 2 1)) "(a)\n #| b #| c |# d")
   (test-places "a symbol" (("symbol" 1 1) ("parenthesis" 1 0)) "(#{a b)")
   (test-places "behind a first line for the shell" (("parenthesis" 3 0)) "#!/usr/bin/env -S tutti run (\n!#\n(a")
   (test-places "behind a commented form" (("parenthesis" 1 6)) "#;(a) (b #;c")
   (test-places "a quoted list" (("parenthesis" 1 1)) "'(1 2")
   (test-places "a vector" (("parenthesis" 1 1)) "#(1 2")))
