;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Who may import whom among the modules in Scheme: a room imports only what the table gives it, which stands above it there. So there is
;; no circle between rooms. What is not at the top of scheme/tutti is private: examples, the manual and templates import none of it, and
;; domains only what the table names.
(use-modules (tap) (lint-files) (ice-9 match) (ice-9 regex) (ice-9 textual-ports) (srfi srfi-1) (srfi srfi-64))

;; A room: its name, its modules, the rooms whose modules these import. (pool *) are all modules in the folder pool but those that another
;; room has by their names.
(define rooms
  '((base (certificate conditions (base *)) ())
    (numbers (linear space vector) (base))
    (advice ((advice *)) (base))
    (pool-type (random (pool type)) (base))
    (remote (remote (remote *)) (base advice pool-type))
    (worker ((worker *)) (base advice pool-type remote))
    (pool (gather launcher manager pool sum sum-rounds task (launcher *) (pool *) (remote arguments) (remote object))
          (base numbers pool-type remote worker))
    (repl ((repl *)) (base advice pool-type remote pool))
    (look ((look *)) (base repl))
    (plot (plot) (base))
    (operator (operator (operator *)) (base numbers pool-type remote worker pool))
    (simulation (simulation (simulation *)) (base numbers pool-type remote pool operator))
    (solver (solver (solver *)) (base numbers worker pool operator))
    (greedy (greedy (greedy *)) (base pool))
    (reduced-basis (reduced-basis (reduced-basis *)) (base numbers pool operator greedy))
    (reduction (reduction (reduction *)) (base numbers pool-type remote pool operator reduced-basis))
    (tutti (tutti) (base numbers pool look plot operator simulation solver greedy reduced-basis reduction))
    (program ((program *)) (base advice numbers remote worker pool repl look tutti))))

;; What rooms import of domains.
(define of-domains '((program (python interpreter))))

;; Domains import what users can, and these; some have no module yet.
(define domain-imports
  '((command (base check) (base exception-text) (base extension) file (operator type) (pool apply) (pool helper))
    (file (base check) (base extension))
    (gravity (base check))
    (mt (base check) (base config) (base digest) (base documented) (base extension) (base interrupt) (base log) (pool progress))
    (mt1d (base check))
    (python (base check) (base documented) (base extension) (base primitives) (base text) (operator type) (pool apply) (pool helper)
            (pool type) (remote object) (remote record-reducer) (worker answer))
    (umbridge (base check) (base extension) (base interrupt) (base lock) (base log) (base scope) (operator type) (pool type) (pool wait)
              (remote memory))))

(define (room-name room) (first room))
(define (room-modules room) (second room))
(define (room-imports room) (third room))

;;; Names of modules.

(define (short name)
  "Return what the table calls the module @var{name}: a symbol for one at the top, a list for others."
  (match name
    (('tutti) 'tutti)
    (('tutti top) top)
    (('tutti . parts) parts)))

(define (room-of name)
  "Return the room of the module @var{name}, or @code{#f}."
  (let ((it (short name)))
    (or (find (lambda (room) (member it (room-modules room))) rooms)
        (match it
          ((folder . _) (find (lambda (room) (member (list folder '*) (room-modules room))) rooms))
          (_ #f)))))

(define domains (map car domain-imports))
(define (domain-of name)
  (match name
    (('tutti domain . _) (and (memq domain domains) domain))
    (_ #f)))

(define (public? name) (<= (length name) 2))

;;; Who imports what.

(define (forms file)
  (call-with-input-file file
    (lambda (port)
      (let next ((forms '()))
        (let ((form (read port)))
          (if (eof-object? form) (reverse forms) (next (cons form forms))))))
    #:encoding "UTF-8"))

(define (ours? x) (match x (('tutti (? symbol?) ...) #t) (_ #f)))

(define (imports form)
  "Return the names of our modules that @var{form} imports, wherever in it."
  (match form
    (('define-module _ . clauses)
     (filter-map (match-lambda
                   ((? ours? name) name)
                   (((? ours? name) . _) name)
                   (_ #f))
                 clauses))
    (((or '@ '@@) (? ours? name) _) (list name))
    (((or 'resolve-interface 'resolve-module) ('quote (? ours? name)) . _) (list name))
    (('names-of (? ours? names) ...) names)   ; what (tutti) loads when it is asked for
    ((a . b) (append (imports a) (imports b)))
    (_ '())))

(define (imports-of file) (delete-duplicates (append-map imports (forms file))))

(define (complaints module imported)
  "Return a line for each of @var{imported} that @var{module} must not import."
  (define (refuse name reason) (format #f "~a must not import ~a: ~a" module name reason))
  (filter-map
   (lambda (name)
     (cond ((domain-of module)
            => (lambda (domain)
                 (and (not (or (equal? domain (domain-of name)) (and (public? name) (not (domain-of name)))
                               (member (short name) (assq-ref domain-imports domain))))
                      (refuse name (format #f "it is private, and not among what the domain ~a may have" domain)))))
           ((and (domain-of name) (member (short name) (or (assq-ref of-domains (and=> (room-of module) room-name)) '()))) #f)
           ((domain-of name) (refuse name "it is a domain's"))
           ((not (room-of name)) (refuse name "it is in no room"))
           ((memq (room-name (room-of name)) (cons (room-name (room-of module)) (room-imports (room-of module)))) #f)
           (else (refuse name (format #f "~a imports ~a only" (room-name (room-of module)) (room-imports (room-of module)))))))
   imported))

(define all (map (lambda (file) (cons (module-of file) (imports-of file))) (module-files)))

(define (test-rooms)
  (test-equal "every module is in a room or a domain's" '()
    (remove (lambda (name) (or (room-of name) (domain-of name))) (map car all)))
  (for-each (lambda (room)
              (test-equal (format #f "~a" (room-name room)) '()
                (append-map (match-lambda ((module . imported) (if (eq? room (room-of module)) (complaints module imported) '()))) all)))
            rooms)
  (for-each (lambda (domain)
              (test-equal (format #f "the domain ~a" domain) '()
                (append-map (match-lambda ((module . imported) (if (eq? domain (domain-of module)) (complaints module imported) '())))
                            all)))
            domains)
  (test-equal "rooms import those above them" '()
    (let down ((rooms rooms) (above '()))
      (match rooms
        (() '())
        ((room . rest)
         (append (map (lambda (name) (list (room-name room) name)) (lset-difference eq? (room-imports room) above))
                 (down rest (cons (room-name room) above))))))))

;; What the table allows and nobody does would let an arrow in that nobody has thought about.
(define (test-table)
  (define (used room)
    (delete-duplicates
     (append-map (match-lambda
                   ((module . imported)
                    (if (eq? room (room-of module)) (filter-map (lambda (name) (and=> (room-of name) room-name)) imported) '())))
                 all)))
  (for-each (lambda (room)
              (test-equal (format #f "all that ~a may import it does" (room-name room)) '()
                (lset-difference eq? (room-imports room) (used room))))
            rooms)
  (for-each (match-lambda
              ((domain . private)
               (test-equal (format #f "all that the domain ~a may have it uses" domain) '()
                 (lset-difference equal? private
                                  (append-map (match-lambda
                                                ((module . imported) (if (eq? domain (domain-of module)) (map short imported) '())))
                                              all)))))
            domain-imports)
  (for-each (match-lambda
              ((room . modules)
               (test-equal (format #f "all that ~a may import of domains it does" room) '()
                 (lset-difference equal? modules
                                  (append-map (match-lambda
                                                ((module . imported)
                                                 (if (eq? room (and=> (room-of module) room-name)) (map short imported) '())))
                                              all)))))
            of-domains))

(define (test-turned-arrow)
  (test-equal "an arrow that is turned is seen"
    '("(tutti base log) must not import (tutti pool type): base imports () only") (complaints '(tutti base log) '((tutti pool type))))
  (test-equal "so is one to a domain" 1
    (length (complaints '(tutti program doctor) '((tutti python interpreter) (tutti python probe)))))
  (test-equal "so is a domain's" 1 (length (complaints '(tutti mt1d) '((tutti operator) (tutti base primitives)))))
  (test-equal "imports are found" '((tutti a) (tutti b c) (tutti d) (tutti e) (tutti f))
    (append-map imports '((define-module (tutti x) #:use-module (tutti a) #:use-module ((tutti b c) #:select (y)) #:autoload (tutti d) (z))
                          (define (f) ((@@ (tutti e) g) (resolve-interface '(tutti f))))))))

;;; For users.

(define (in-tree . parts) (string-join (cons (getenv "TUTTI_SOURCE_DIR") parts) "/"))
(define (contents file) (call-with-input-file file get-string-all #:encoding "UTF-8"))

(define (named-modules file)
  "Return the names of our modules that stand in the text of @var{file}."
  (map (lambda (found) (call-with-input-string (match:substring found) read))
       (list-matches "\\(tutti( [a-z0-9-]+)*\\)" (contents file))))

(define (private-names file) (remove public? (named-modules file)))

(define (test-users)
  (for-each (lambda (file) (test-equal (format #f "~a names public modules only" (basename file)) '() (private-names file)))
            (append (script-files) (text-files))))

(define (test-document)
  (define text (contents (in-tree "doc" "architecture.md")))
  (define (list-text items) (string-join (map (lambda (item) (format #f "`~a`" item)) items) " "))
  (define (row name modules imports)
    (format #f "| `~a` | ~a | ~a |" name (list-text modules) (list-text imports)))
  (for-each (lambda (room)
              (let ((row (row (room-name room) (room-modules room) (room-imports room))))
                (test-equal (format #f "doc/architecture.md has ~a" (room-name room)) #t
                  (or (->bool (string-contains text row)) row))))
            rooms)
  (for-each (match-lambda
              ((domain . private)
               (unless (null? private)
                 (let ((part (format #f "`~a` also ~a" domain (list-text private))))
                   (test-equal (format #f "doc/architecture.md has what ~a may have" domain) #t
                     (or (->bool (string-contains text part)) part))))))
            (append domain-imports of-domains)))

(call-with-tap
 (lambda ()
   (test-group "rooms" (test-rooms))
   (test-group "the table" (test-table))
   (test-group "the check" (test-turned-arrow))
   (test-group "users" (test-users))
   (test-group "the document" (test-document))))
