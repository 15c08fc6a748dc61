;; SPDX-License-Identifier: LGPL-3.0-or-later
;; A run as one page that needs nothing else, and no script: what is to be unfolded is unfolded by the browser itself. All texts of the
;; journal are of no one's making that could be trusted; they have been made clean where they were read, and go through `escape' here.
(define-module (tutti program journal-html)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (tutti look journal-read)
  #:use-module (tutti program journal-file)
  #:use-module (tutti program journal-style)
  #:use-module (tutti program journal-words)
  #:export (write-page))

;;; HTML: texts are escaped, and what is a list is markup, of texts and lists.

(define (escape text port)
  (string-for-each (lambda (c)
                     (case c
                       ((#\&) (display "&amp;" port))
                       ((#\<) (display "&lt;" port))
                       ((#\>) (display "&gt;" port))
                       ((#\") (display "&quot;" port))
                       ((#\') (display "&#39;" port))
                       (else (write-char c port))))
                   text))

(define void-elements '(meta br))

(define (write-html node port)
  "Write NODE: a text, a number, #f (nothing), (@@ node ...) for a sequence, (raw text), or (name (@ (attribute value) ...) node ...), where
the attributes may be left out."
  (match node
    (#f #f)
    ((? string?) (escape node port))
    ((? number?) (display node port))
    (('raw text) (display text port))
    (('@@ . nodes) (for-each (lambda (node) (write-html node port)) nodes))
    ((name ('@ . attributes) . nodes)
     (format port "<~a" name)
     (for-each (match-lambda
                 ((_ #f) #f)
                 ((attribute value)
                  (format port " ~a=\"" attribute)
                  (escape (if (number? value) (number->string value) value) port)
                  (display "\"" port)))
               attributes)
     (display ">" port)
     (unless (memq name void-elements)
       (for-each (lambda (node) (write-html node port)) nodes)
       (format port "</~a>" name)))
    ((name . nodes) (write-html `(,name (@) . ,nodes) port))))

(define (section title . nodes)
  `(section (h2 ,title) . ,nodes))

(define (table label columns rows)
  "Return a table of ROWS, lists of nodes, below COLUMNS, texts and classes, #f for none. A narrow screen shows it in a part that can be
moved, by keys as well."
  `(div (@ (class "wide") (tabindex 0) (role "region") (aria-label ,label))
        (table (thead (tr . ,(map (match-lambda ((name class) `(th (@ (scope "col") (class ,class)) ,name))) columns)))
               (tbody . ,(map (lambda (row) `(tr . ,(map (match-lambda* (((_ class) node) `(td (@ (class ,class)) ,node))) columns row)))
                              rows)))))

;;; Pictures: a path for each shade of a row, however many tasks there are.

(define (spans bytes in?)
  "Return the path of the columns of BYTES for which IN? holds."
  (define n (bytevector-length bytes))
  (call-with-output-string
    (lambda (port)
      (let loop ((i 0))
        (when (< i n)
          (if (in? (bytevector-u8-ref bytes i))
              (let ((end (let find ((j i)) (if (and (< j n) (in? (bytevector-u8-ref bytes j))) (find (1+ j)) j))))
                (format port "M~a 0h~av10h-~az" i (- end i) (- end i))
                (loop end))
              (loop (1+ i))))))))

(define (path class d) (and (not (string-null? d)) `(path (@ (class ,class) (d ,d)))))

(define (row-picture busy failed marks)
  (define n (bytevector-length busy))
  (define (shade k) (path (format #f "b~a" k) (spans busy (lambda (byte) (and (positive? byte) (= k (1+ (quotient byte 64))))))))
  `(svg (@ (viewBox ,(format #f "0 0 ~a 10" n)) (preserveAspectRatio "none") (aria-hidden "true"))
        ,@(map shade '(1 2 3 4))
        ,(path "fail" (spans failed positive?))
        ,(path "death" (string-concatenate (map (lambda (x) (format #f "M~a 0v10" x)) marks)))))

(define columns 600)
(define most-lines 200)

(define (deaths-by-worker deaths run)
  "Return a table: pool and worker -> the columns in which its workers died."
  (define began (assq-ref run 'began))
  (define width (max 1 (- (assq-ref run 'ended) began)))
  (define marks (make-hash-table))
  (for-each (lambda (death)
              (unless (equal? (assq-ref death 'reason) "closed")
                (let ((key (list (assq-ref death 'pool) (assq-ref death 'worker)))
                      (x (min columns (max 0 (quotient (* columns (- (or (assq-ref death 'time) began) began)) width)))))
                  (hash-set! marks key (lset-adjoin = (hash-ref marks key '()) x)))))
            deaths)
  marks)

(define (timeline summary deaths run)
  (define marks (deaths-by-worker deaths run))
  (define duration (- (assq-ref run 'ended) (assq-ref run 'began)))
  (match (assq-ref summary 'lines)
    (() #f)
    (lines
     (section "Workers over time"
              `(p (small "Each row is a worker, pool/worker." (span (@ (class "key"))) "busy" (span (@ (class "key k2"))) "with what failed"
                         (span (@ (class "key k3"))) "it died"))
              `(div (@ (role "img") (aria-label ,(format #f "When each of ~a workers was busy; the table of workers below has the sums"
                                                         (length lines))))
                    ,@(map (match-lambda
                             ((pool worker _ _ busy failed)
                              `(div (@ (class "row")) (span ,(format #f "~a/~a" pool worker))
                                    ,(row-picture busy failed (hash-ref marks (list pool worker) '())))))
                           lines)
                    (div (@ (class "row")) (span "")
                         (div (@ (class "axis")) . ,(map (lambda (k) `(span ,(duration->text (quotient (* k duration) 4)))) '(0 1 2 3 4)))))
              (let ((others (assq-ref summary 'other-lines)))
                (and (positive? others) `(p (small ,(format #f "and ~a more workers" others)))))))))

(define (bar-path width) (format #f "M0 0h~av10h-~az" width width))

(define (histogram durations counts)
  (match durations
    (#f #f)
    ((median p90 p99 longest bins)
     (let* ((bars (coarse-bins bins)) (most (apply max (map third bars))))
       (section (format #f "Times in the worker, of the ~a done" (count-of counts 'done))
                `(dl (@ (class "numbers"))
                     ,@(map (lambda (name value) `(div (dt ,name) (dd ,(duration->text value)))) '("median" "90 %" "99 %" "longest")
                            (list median p90 p99 longest)))
                `(p)
                `(div (@ (class "bars"))
                      . ,(append-map
                          (match-lambda
                            ((low _ n)
                             `((span ,(bound->text low))
                               (svg (@ (viewBox "0 0 1000 10") (preserveAspectRatio "none") (aria-hidden "true"))
                                    ,(and (positive? n) (path "b4" (bar-path (max 4 (quotient (* 1000 n) most))))))
                               (span ,n))))
                          bars)))))))

;;; The parts.

(define (numbers run counts unended)
  (define (box name value class) `(div (dt ,name) (dd (@ (class ,class)) ,value)))
  `(dl (@ (class "numbers"))
       ,(box "lasted" (duration->text (- (assq-ref run 'ended) (assq-ref run 'began))) #f)
       ,(box "done" (count-of counts 'done) "good")
       ,@(if unended (list (box "not ended yet" unended #f)) '())
       ,@(filter-map (match-lambda
                       ((key name class)
                        (and (positive? (count-of counts key)) (not (and unended (memq key '(running waiting))))
                             (box name (count-of counts key) class))))
                     '((raised "raised" "bad") (died "died" "bad") (timed-out "timed out" "bad") (failed "failed with others" "bad")
                       (cancelled "cancelled" #f) (closed "closed with their pool" #f) (unknown "ended in a gap" #f)
                       (running "running, not ended" #f)
                       (waiting "waiting, not ended" #f) (again "attempts tried again" #f)))))

(define (facts-of run facts)
  (define (row name value) (and value (not (string-null? value)) `((dt ,name) (dd ,value))))
  (section "The run"
           `(dl (@ (class "facts"))
                . ,(concatenate
                    (filter-map
                     identity
                     (append (list (row "arguments" (assoc-ref facts "arguments")) (row "folder" (assoc-ref facts "folder"))
                                   (row "versions" (format #f "Tutti ~a, Guile ~a" (or (assoc-ref facts "version") "?")
                                                           (or (assoc-ref facts "guile") "?")))
                                   (row "host" (format #f "~a, process ~a" (or (assq-ref run 'host) "?") (or (assq-ref run 'pid) "?")))
                                   (row "began" (time->text (assq-ref run 'began))))
                             (map (match-lambda
                                    ((key . value)
                                     (and (not (member key '("script" "arguments" "folder" "version" "guile" "host" "failure")))
                                          (row key value))))
                                  facts)))))))

(define (shortened line)
  (if (> (string-length line) 160) (string-append (substring line 0 160) "…") line))

(define (more n most one others)
  "Return what says that there are more than MOST of N, if there are: a list of nodes."
  (if (> n most) `((p (small ,(format #f "… and ~a" (plural (- n most) one others))))) '()))

(define (since began time)
  (duration->text (max 0 (- (or time began) began))))

(define (failures-of failures)
  (define most 100)
  (define (failure kind first?)
    (let ((error (string-trim-right (assq-ref kind 'error))) (stderr (assq-ref kind 'stderr)))
      `(details (@ (open ,(and first? "")))
         (summary (b (@ (class "bad")) ,(assq-ref kind 'n)) " × " ,(end->text (assq-ref kind 'end))
                  ,@(match (assq-ref kind 'procedure) (#f '()) (name `(" in " (bdi ,name))))
                  ": " (bdi ,(shortened (first-line error))))
         ,(let ((task (assq-ref kind 'task)) (item (assq-ref kind 'item)))
            (and task `(p (small ,(format #f "first in task ~a~@[, item ~a~]" task item)))))
         (pre (@ (tabindex 0)) ,error)
         ,@(if (null? stderr)
               '()
               `((p (small "the last lines of standard error")) (pre (@ (tabindex 0)) ,(string-join stderr "\n")))))))
  (and (pair? failures)
       (apply section (format #f "Failures: ~a, of ~a" (apply + (map (lambda (kind) (assq-ref kind 'n)) failures))
                              (plural (length failures) "kind"))
              (append (map failure (list-head failures (min most (length failures))) (cons #t (make-list (length failures) #f)))
                      (more (length failures) most "further kind" "further kinds")))))

(define (slowest-of slowest began)
  (and (pair? slowest)
       (section "The slowest tasks"
                (table "the slowest tasks"
                       '(("task" "number") ("procedure" "text") ("took" "number") ("worker" "number") ("began at" "number") ("" #f))
                       (map (lambda (task)
                              (list (assq-ref task 'task) (assq-ref task 'procedure) (duration->text (assq-ref task 'duration))
                                    (format #f "~a/~a" (assq-ref task 'pool) (or (assq-ref task 'worker) "-"))
                                    (since began (assq-ref task 'started)) (end->text (assq-ref task 'state))))
                            slowest)))))

(define (procedures-of summary)
  (match (assq-ref summary 'procedures)
    ((or () (_)) #f)
    (procedures
     (section "Procedures"
              (table "procedures" '(("procedure" "text") ("tasks" "number") ("failed" "number") ("time in workers" "number"))
                     (map (match-lambda ((name n failed time) (list (or name "(none)") n failed (duration->text time)))) procedures))
              (let ((others (assq-ref summary 'other-procedures)))
                (and (positive? others) `(p (small ,(format #f "and ~a" (plural others "further one" "further ones"))))))))))

(define (workers-of workers lines)
  (define most 1000)
  (define known (make-hash-table))
  (for-each (match-lambda ((pool worker n time . _) (hash-set! known (list pool worker) (list n time)))) lines)
  (and (pair? workers)
       (section (format #f "Workers: ~a" (length workers))
                (table "workers"
                       '(("worker" "number") ("node" "text") ("lives" "number") ("restarts" "number") ("tasks" "number") ("busy" "number")
                         ("largest memory" "number"))
                       (map (lambda (worker)
                              (match (hash-ref known (list (assq-ref worker 'pool) (assq-ref worker 'worker)) '(#f #f))
                                ((n time)
                                 (list (format #f "~a/~a" (assq-ref worker 'pool) (assq-ref worker 'worker)) (assq-ref worker 'node)
                                       (assq-ref worker 'lives) (assq-ref worker 'restarts) n (and=> time duration->text)
                                       (match (assq-ref worker 'peak-memory) ((or #f 0) #f) (bytes (bytes->text bytes)))))))
                            (list-head workers (min most (length workers)))))
                `(@@ . ,(more (length workers) most "further one" "further ones")))))

(define (deaths-of deaths began)
  (define most 200)
  (match (remove (lambda (death) (equal? (assq-ref death 'reason) "closed")) deaths)
    (() #f)
    (deaths
     (section (format #f "Deaths of workers: ~a" (length deaths))
              `(details (summary ,(plural (min most (length deaths)) "certificate"))
                        . ,(map (lambda (death)
                                  `(@@ (p (small ,(since began (assq-ref death 'time)) " after the beginning: ")
                                          (bdi ,(or (assq-ref death 'text) "")))
                                       ,(match (assq-ref death 'stderr)
                                          ((or #f "") #f)
                                          (text `(pre (@ (tabindex 0)) ,(string-trim-right text))))))
                                (list-head deaths (min most (length deaths)))))))))

(define (list-of title texts)
  (and (pair? texts) (section title `(ul . ,(map (lambda (text) `(li ,text)) texts)))))

(define (page journal run runs file)
  (define number (assq-ref run 'run))
  (define began (assq-ref run 'began))
  (define facts (journal-facts journal number))
  (define summary (journal-summary journal run #:slowest 25 #:columns columns #:lines most-lines #:procedures 25))
  (define counts (assq-ref summary 'counts))
  (define title (or (and=> (assoc-ref facts "script") basename) (format #f "run ~a" number)))
  (define deaths (journal-deaths journal number))
  (define body
    (list
     `(h1 ,title)
     (let ((state (state->text run facts counts (current-microseconds))))
       `(p (span (@ (class ,(if (and (eq? (assq-ref run 'state) 'ended) (zero? (failed-count counts)) (not (assoc-ref facts "failure")))
                                "state good"
                                (if (eq? (assq-ref run 'state) 'running) "state" "state bad")))) ,state)))
     (numbers run counts (unended-count run counts (journal-pools journal number)))
     (and=> (assoc-ref facts "failure") (lambda (text) (section "The script failed" `(pre (@ (tabindex 0)) ,text))))
     (failures-of (journal-failures journal number))
     (timeline summary deaths run)
     (histogram (assq-ref summary 'durations) counts)
     (slowest-of (assq-ref summary 'slowest) began)
     (procedures-of summary)
     (workers-of (journal-workers journal number) (assq-ref summary 'lines))
     (deaths-of deaths began)
     (list-of "Gaps" (map gap->text (journal-gaps journal number)))
     (facts-of run facts)))
  ;; Last, when all has been read.
  (define missing (list-of "What cannot be read of the journal" (journal-missing journal)))
  `(html (@ (lang "en"))
         (head (meta (@ (charset "utf-8")))
               (meta (@ (http-equiv "Content-Security-Policy") (content ,(style-policy))))
               (meta (@ (name "viewport") (content "width=device-width, initial-scale=1")))
               (meta (@ (name "referrer") (content "no-referrer")))
               (title ,(string-append title ", run " (number->string number)))
               (style (raw ,style)))
         (body (header . ,(list-head body 2)) (main ,@(list-tail body 2) ,missing)
               (footer (p (small ,(format #f "Run ~a of ~a; written by tutti report at ~a." number (plural (length runs) "run")
                                          (time->text (current-microseconds)))))))))

(define (write-page journal run runs source file)
  "Write @var{run}, one of @var{runs} of @var{journal}, which is in the file @var{source}, as a page into @var{file}."
  (write-new-file 'report file source
    (call-with-output-string
      (lambda (port)
        (display "<!DOCTYPE html>\n" port)
        (write-html (page journal run runs file) port)
        (newline port)))))
