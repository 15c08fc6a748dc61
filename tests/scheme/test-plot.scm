;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Plots: what gnuplot is told, what becomes of its failures, and a machine without it.
(use-modules (tap)
             (tutti conditions)
             (tutti plot)
             (ice-9 binary-ports)
             (ice-9 exceptions)
             (ice-9 ftw)
             (ice-9 textual-ports)
             (srfi srfi-1)
             (srfi srfi-64))

(define folder (mkdtemp (string-append (or (getenv "TMPDIR") "/tmp") "/test-plot-XXXXXX")))
(define (in-folder name) (string-append folder "/" name))

(define (contents)
  (scandir folder (lambda (name) (not (member name '("." ".."))))))

(define (clean)
  (for-each (lambda (name) (delete-file (in-folder name))) (contents))
  (rmdir folder))

(define (message-of thunk)
  (with-exception-handler exception-message thunk #:unwind? #t))

(define (with-path path thunk)
  (let ((before (getenv "PATH")))
    (dynamic-wind
      (lambda () (setenv "PATH" path))
      thunk
      (lambda () (setenv "PATH" before)))))

(define (fake-gnuplot text thunk)
  "Call @var{thunk} where gnuplot is the shell script @var{text}."
  (let ((file (in-folder "gnuplot")))
    (call-with-output-file file (lambda (port) (format port "#!/bin/sh~%~a~%" text)))
    (chmod file #o755)
    (dynamic-wind
      (const #t)
      (lambda () (with-path (string-append folder ":" (getenv "PATH")) thunk))
      (lambda () (delete-file file)))))

(call-with-tap
 (lambda ()
   (setenv "TMPDIR" folder)   ; so that what is left behind is seen
   (test-group "without gnuplot"
     (test-equal "is false" '(#f #f ())
       (with-path "/nonexistent" (lambda () (list (plot-program) (plot-save (in-folder "x.svg") '("plot x")) (contents)))))
     (test-condition "the name is checked all the same" tutti-error?
       (with-path "/nonexistent" (lambda () (plot-save "x.jpeg" '("plot x"))))))

   (test-group "names and ranges"
     (test-equal "names that it knows" '(#t #t #t #f #f #f #f)
       (map plot-name? '("a.svg" "b/c.PNG" "a.pdf" "a.jpeg" "pdf" "" #f)))
     (test-assert "others are refused with those that it knows"
       (string-contains (message-of (lambda () (plot-save "x.eps" '("plot x"))))
                        "\"x.eps\": expected a name that ends in .svg, .png or .pdf"))
     (test-equal "decades" '("[1e-2:1e3]" "[1e0:1e1]" "[1e0:1e1]" "[1e2:1e3]" "[*:*]" "[*:*]" "[1e-301:1e301]")
       (map decade-range (list '(0.02 500) '(1) '(1 10) `(200. ,(nan) ,(inf) 0 -5 #f) '() '(0 0) '(2e-301 5e300)))))

   (test-group "with a gnuplot that obeys"
     (test-equal "is told everything" '("set encoding utf8"
                                        "set terminal svg size 400,300 enhanced font 'DejaVu Sans,13' background 'white'"
                                        "$fit << END_OF_DATA" "1.0 2.5" "" "3.0 NaN" "END_OF_DATA"
                                        "plot $fit" "# µ")
       (fake-gnuplot "cat \"$1\""
         (lambda ()
           (plot-save (in-folder "told.svg") '("plot $fit" "# µ") #:data '(("fit" (1 2.5) () (3 #f))) #:width 400 #:height 300)
           (string-split (string-trim-right (call-with-input-file (in-folder "told.svg") get-string-all #:encoding "UTF-8"))
                         #\newline))))
     (test-equal "a gap is what is no finite number" "1.0 NaN NaN NaN NaN"
       (fake-gnuplot "grep NaN \"$1\""
         (lambda ()
           (plot-save (in-folder "gaps.svg") '() #:data `(("d" (1 ,(nan) ,(inf) ,(expt 10 400) "-"))))
           (let ((line (string-trim-right (call-with-input-file (in-folder "gaps.svg") get-string-all))))
             (delete-file (in-folder "gaps.svg"))
             line))))
     (test-assert "a page is as large as on a screen"
       (fake-gnuplot "grep terminal \"$1\""
         (lambda ()
           (plot-save (in-folder "page.pdf") '() #:width 960 #:height 480)
           (let ((line (call-with-input-file (in-folder "page.pdf") get-string-all)))
             (delete-file (in-folder "page.pdf"))
             (string-contains line "pdfcairo size 10.000in,5.000in")))))
     (test-assert "what is not real is refused"
       (string-contains (message-of (lambda () (fake-gnuplot "echo picture"
                                                 (lambda () (plot-save (in-folder "bad.svg") '() #:data '(("d" (1 2+3i))))))))
                        "the data d: expected rows of real numbers, got (1 2.0+3.0i)"))
     (test-equal "a name is not a command" (in-folder "a 'b'; $(c).svg")
       (fake-gnuplot "echo picture" (lambda () (plot-save (in-folder "a 'b'; $(c).svg") '()))))
     (test-equal "nothing else is left" '("a 'b'; $(c).svg" "told.svg") (contents)))

   (test-group "with a gnuplot that fails"
     (test-assert "says what it said"
       (let ((message (message-of (lambda () (fake-gnuplot "echo half; echo 'no such function: f' >&2; exit 3"
                                               (lambda () (plot-save (in-folder "bad.svg") '("plot f(x)"))))))))
         (and (string-contains message "exit status 3") (string-contains message "no such function: f")
              (string-contains message "bad.svg"))))
     (test-assert "was killed"
       (string-contains (message-of (lambda () (fake-gnuplot "kill -9 $$" (lambda () (plot-save (in-folder "bad.svg") '())))))
                        "signal 9"))
     (test-assert "drew nothing"
       (string-contains (message-of (lambda () (fake-gnuplot "exit 0" (lambda () (plot-save (in-folder "bad.svg") '())))))
                        "drew nothing"))
     (test-assert "many complaints"
       (string-contains (message-of (lambda () (fake-gnuplot "seq 100000 >&2; exit 1"
                                                 (lambda () (plot-save (in-folder "bad.svg") '())))))
                        "99999"))
     (test-assert "leaves no half picture" (not (file-exists? (in-folder "bad.svg")))))

   (test-group "what cannot be written"
     (test-assert "into a folder that is not there"
       (let ((message (message-of (lambda () (fake-gnuplot "echo picture" (lambda () (plot-save (in-folder "no/such/a.svg") '())))))))
         (and (string-contains message "no/such/a.svg") (string-contains message "No such file"))))
     (test-assert "onto a full disk"
       (let ((message (message-of (lambda () (fake-gnuplot "echo picture"
                                               (lambda ()
                                                 (symlink "/dev/full" (in-folder "full.svg"))
                                                 (plot-save (in-folder "full.svg") '())))))))
         (and (string-contains message "full.svg") (string-contains message "No space left"))))
     ;; A limit on the sizes of files fails a write in its middle, as a disk does on which there is some room left.
     (test-equal "a picture that has no room leaves the one from before, and nothing else" '(#t "before" ("room.svg"))
       (let ((limits (call-with-values (lambda () (getrlimit 'fsize)) list))
             (handler (sigaction SIGXFSZ))
             (earlier (contents)))
         (call-with-output-file (in-folder "room.svg") (lambda (port) (display "before" port)))
         (let ((message (fake-gnuplot "head -c 200000 /dev/zero"
                          (lambda ()
                            (dynamic-wind
                              (lambda ()
                                (sigaction SIGXFSZ SIG_IGN)
                                (setrlimit 'fsize 100000 (second limits)))
                              (lambda () (message-of (lambda () (plot-save (in-folder "room.svg") '("plot x")))))
                              (lambda ()
                                (setrlimit 'fsize (first limits) (second limits))
                                (sigaction SIGXFSZ (car handler) (cdr handler))))))))
           (list (->bool (and (string? message) (string-contains message "room.svg: File too large")))
                 (call-with-input-file (in-folder "room.svg") get-string-all)
                 (lset-difference equal? (contents) earlier)))))
     (test-equal "what a link leads to is replaced, not the link" '(symlink "picture\n" #o640)
       (fake-gnuplot "echo picture"
         (lambda ()
           (let ((mask (umask #o027)))
             (symlink "target.svg" (in-folder "link.svg"))
             (plot-save (in-folder "link.svg") '("plot x"))
             (plot-save (in-folder "link.svg") '("plot x"))
             (umask mask)
             (list (stat:type (lstat (in-folder "link.svg")))
                   (call-with-input-file (in-folder "target.svg") get-string-all)
                   (stat:perms (stat (in-folder "target.svg")))))))))

   (test-group "on the screen"
     (define (with-display display thunk)
       (let ((before (getenv "DISPLAY")) (wayland (getenv "WAYLAND_DISPLAY")))
         (define (set name value) (if value (setenv name value) (unsetenv name)))
         (dynamic-wind (lambda () (set "DISPLAY" display) (set "WAYLAND_DISPLAY" #f))
                       thunk
                       (lambda () (set "DISPLAY" before) (set "WAYLAND_DISPLAY" wayland)))))
     (test-equal "is told everything, and to leave the window" '(#t ("-persist" "$d << END_OF_DATA" "plot $d"))
       (let ((shown (with-display ":7" (lambda ()
                                         (fake-gnuplot "(echo $1; grep d $2) > $TMPDIR/shown"
                                           (lambda () (plot-show '("plot $d") #:data '(("d" (1 2))))))))))
         (list shown (filter (lambda (line) (member line '("-persist" "$d << END_OF_DATA" "plot $d")))
                             (string-split (call-with-input-file (in-folder "shown") get-string-all) #\newline)))))
     (test-assert "does not wait for the window"
       ;; What keeps the output open ends with the program that it waits for: with this one.
       (with-display ":7" (lambda ()
                            (fake-gnuplot "sleep 60 & echo $! > $TMPDIR/window"
                              (lambda ()
                                (let* ((shown (plot-show '("plot x")))
                                       (pid (call-with-input-file (in-folder "window") read)))
                                  (kill pid SIGKILL)
                                  shown))))))
     (test-assert "says what gnuplot said"
       (string-contains (message-of (lambda ()
                                      (with-display ":7" (lambda ()
                                                           (fake-gnuplot "echo no window >&2; exit 2" (lambda () (plot-show '())))))))
                        "no window"))
     (test-assert "there is none"
       (string-contains (message-of (lambda () (with-display #f (lambda () (fake-gnuplot "exit 0" (lambda () (plot-show '())))))))
                        "DISPLAY"))
     (test-equal "without gnuplot" #f (with-path "/nonexistent" (lambda () (plot-show '("plot x"))))))

   (test-group "gnuplot itself"
     (if (plot-program)
         (begin
           (test-assert "svg"
             (let ((file (plot-save (in-folder "a.svg") '("plot $d with lines title 'ρ'") #:data '(("d" (0 1) (1 3))))))
               (string-contains (call-with-input-file file get-string-all #:encoding "UTF-8") "ρ")))
           (test-equal "png" '(#x89 80 78 71)
             (let ((file (plot-save (in-folder "a.PNG") '("plot x"))))
               (array->list (call-with-input-file file (lambda (port) (get-bytevector-n port 4)) #:binary #t))))
           (test-equal "pdf" "%PDF"
             (let ((file (plot-save (in-folder "a.pdf") '("plot x title 'ρ'"))))
               (call-with-input-file file (lambda (port) (get-string-n port 4)) #:encoding "ISO-8859-1")))
           (test-assert "one point, constants, huge and tiny values"
             (every (lambda (rows) (plot-save (in-folder "a.svg") '("plot $d") #:data `(("d" . ,rows))))
                    `(((1 1)) ((1 5) (2 5)) ((0 0) (0 0)) ((1 1e300) (2 1e-300)) ((1 ,(nan)) (2 3)))))
           (test-assert "nothing to draw is told by name"
             (every (lambda (rows)
                      (string-contains (message-of (lambda () (plot-save (in-folder "b.svg") '("plot $fit") #:data `(("fit" . ,rows)))))
                                       "no row has finite numbers alone in $fit"))
                    `(() ((1 ,(nan)) (2 ,(inf))))))
           (test-equal "a mistake is shown in its command, without the file that gnuplot was given" '()
             (filter-map (lambda (commands command reason)
                           (let ((message (message-of (lambda () (plot-save (in-folder "b.svg") commands #:data '(("d" (1 2))))))))
                             (and (or (string-contains message "tutti-plot-")
                                      (not (string-contains message (string-append "\nin the command " command "\n")))
                                      (not (string-contains message reason)))
                                  message)))
                         '(("set grid" "plot sinn(x) title 'µ'" "plot x") ("plot x, \\\n  sinn(x)") ("set grid\nset grid lc\nplot x")
                           ("if (1) {\n  plot sinn(x)\n}\nplot x"))
                         '("plot sinn(x) title 'µ'" "plot x, \\\n  sinn(x)" "set grid lc" "plot sinn(x)")
                         '("undefined function: sinn" "undefined function: sinn" "constant expression required"
                           "undefined function: sinn")))
           (test-condition "a mistake" tutti-error? (plot-save (in-folder "b.svg") '("plt x"))))
         (tap-skip "draws" "gnuplot is not installed")))
   (clean)))
