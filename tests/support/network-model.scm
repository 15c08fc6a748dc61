;; SPDX-License-Identifier: LGPL-3.0-or-later
;; A model of what crosses the network when a vector goes to many nodes, is gathered from them, or summed: each message is sent, in parts,
;; and counted. It is for questions that no machine here can answer (doc/scaling.md).
;;
;; A host sends and receives at the same time, each at RATE, one part after the other; a part arrives LATENCY after its last byte was
;; sent, and the first part of a message costs FRAME on either side. Whoever hands something on does so part by part. Hosts form a tree,
;; whose root is the master: the star is the tree in which all nodes are its children. The nodes below a host have neighbouring numbers,
;; so that it can add what comes from them (engine/module/tree-sum.h).
(define-module (network-model)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module ((tutti pool tree) #:select (tree-nodes))
  #:export (make-network star fan broadcast gather sum
            traffic-seconds traffic-at-master traffic-all traffic-master-bytes traffic-depth))

;; Bytes per second on each way, bytes of a part, seconds; bytes per second at which a host adds.
(define-record-type <network>
  (make-network rate part latency frame adding)
  network?
  (rate network-rate)
  (part network-part)
  (latency network-latency)
  (frame network-frame)
  (adding network-adding))

;; What an operation costs: seconds until it is done; messages and bytes that the master sends or receives; messages of all; and over
;; how many links the farthest node is reached.
(define-record-type <traffic>
  (make-traffic seconds at-master all master-bytes depth)
  traffic?
  (seconds traffic-seconds)
  (at-master traffic-at-master)
  (all traffic-all)
  (master-bytes traffic-master-bytes)
  (depth traffic-depth))

;;; Trees: a host is the list of the first number of the nodes that it and those below it are, the number behind the last, and its children.
;;; The master is no node.

(define (star n) "Return the tree in which @var{n} nodes are the master's children." (fan n n))

(define (fan n arity)
  "Return a tree of @var{n} nodes in which no host has more than @var{arity} children, and all are about as far away."
  (define (groups first end)
    (let ((count (min arity (- end first))))
      (map (lambda (i)
             (let ((a (+ first (quotient (* i (- end first)) count)))
                   (b (+ first (quotient (* (1+ i) (- end first)) count))))
               (list a b (groups (1+ a) b))))
           (iota count))))
  (list 0 n (groups 0 n)))

(define children third)
(define (size host) (- (second host) (first host)))
(define (depth host) (if (null? (children host)) 0 (1+ (apply max (map depth (children host))))))

;;; Time. A port does one thing after the other; an arrival is the pair of a time and bytes.

(define (make-port) (list 0.0))
(define (use-port! port from seconds)
  "Let PORT be busy for SECONDS as soon as it is free, not before FROM, and return the end of that."
  (set-car! port (+ (max from (car port)) seconds))
  (car port))

(define (parts network bytes)
  "Return the bytes of each part of a message of BYTES."
  (let ((part (network-part network)))
    (append (make-list (quotient bytes part) part)
            (match (remainder bytes part) (0 '()) (rest (list rest))))))

(define (seconds-of network bytes first?)
  (+ (/ bytes (network-rate network)) (if first? (network-frame network) 0.0)))

(define (receive! network port sent bytes first?)
  "Return when BYTES are received at PORT whose last byte was sent at SENT."
  (let ((duration (seconds-of network bytes first?)))
    (use-port! port (- (+ sent (network-latency network)) duration) duration)))

;;; Operations.

(define (broadcast network tree bytes)
  "Return the traffic until all nodes of @var{tree} have @var{bytes} that the master has."
  (define messages 0)
  (define end 0.0)
  (define (down! host times)            ; when HOST has each part
    (set! end (fold max end times))
    (let ((out (make-port))
          (ports (map (lambda (_) (make-port)) (children host))))
      (set! messages (+ messages (length ports)))
      (let ((arrivals (map (lambda (time part i)
                             (map (lambda (port)
                                    (receive! network port (use-port! out time (seconds-of network part (zero? i))) part (zero? i)))
                                  ports))
                           times (parts network bytes) (iota (length times)))))
        (for-each (lambda (child place) (down! child (map (lambda (row) (list-ref row place)) arrivals)))
                  (children host) (iota (length ports))))))
  (down! tree (map (const 0.0) (parts network bytes)))
  (make-traffic end (length (children tree)) messages (* bytes (length (children tree))) (depth tree)))

(define (in-order arrivals) (sort arrivals (lambda (a b) (< (car a) (car b)))))

(define (gather network tree bytes)
  "Return the traffic until the master has @var{bytes} from each node of @var{tree}."
  (define messages 0)
  ;; A list of pairs of the time when HOST has something for its parent, and bytes.
  (define (at host)
    (let ((port (make-port)))
      (map (match-lambda ((sent . bytes) (cons (receive! network port sent bytes #t) bytes)))
           (in-order (append-map (lambda (child)
                                   (let ((out (make-port)))
                                     (set! messages (+ messages (size child)))
                                     (map (match-lambda
                                            ((time . bytes) (cons (use-port! out time (seconds-of network bytes #t)) bytes)))
                                          (append (map (lambda (part) (cons 0.0 part)) (parts network bytes))
                                                  (at child)))))
                                 (children host))))))
  (let ((arrivals (at tree)))
    (make-traffic (fold max 0.0 (map car arrivals)) (size tree) messages (* bytes (size tree)) (depth tree))))

(define (vectors-of items first end n)
  "Return how many vectors those have to send who have the ITEMS of each of the nodes from FIRST up to END, of N."
  (length (tree-nodes (* items n) (map (lambda (i) (cons i #t)) (iota (* items (- end first)) (* items first))))))

(define (sum network tree bytes items)
  "Return the traffic until the master has the sum of vectors of @var{bytes}, of which each node of @var{tree} has as many as @var{items}."
  (define n (size tree))
  (define messages 0)
  (define count (length (parts network bytes)))
  (define (to-send host) (vectors-of items (first host) (second host) n))
  ;; When HOST has added each part of what comes from below it to its own. Whoever sends several vectors sends the first parts first.
  (define (at host)
    (let ((port (make-port))
          (adder (make-port)))
      (define arrivals                  ; for each part, of all that is sent
        (append-map
         (lambda (child)
           (let ((out (make-port))
                 (vectors (to-send child)))
             (set! messages (+ messages vectors))
             (append-map (lambda (time part i)
                           (map (lambda (_) (list (use-port! out time (seconds-of network part (zero? i))) i part)) (iota vectors)))
                         (at child) (parts network bytes) (iota count))))
         (children host)))
      (define ready (make-vector count 0.0))
      (for-each (match-lambda
                  ((sent i part)
                   (let* ((received (receive! network port sent part (zero? i)))
                          (added (use-port! adder received (/ part (network-adding network)))))
                     (vector-set! ready i (max added (vector-ref ready i))))))
                (in-order arrivals))
      (vector->list ready)))
  (let* ((times (at tree))
         (at-master (fold + 0 (map to-send (children tree)))))
    (make-traffic (fold max 0.0 times) at-master messages (* bytes at-master) (depth tree))))
