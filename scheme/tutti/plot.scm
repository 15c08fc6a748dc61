;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Plots as SVG, PNG or PDF files, drawn by gnuplot.  It is given a script of its own and writes to a pipe: no shell sees a name, and a
;; plot that fails leaves no half-written file.
(define-module (tutti plot)
  #:use-module (ice-9 binary-ports)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (ice-9 popen)
  #:use-module (ice-9 textual-ports)
  #:use-module ((rnrs bytevectors) #:select (bytevector-length))
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-11)
  #:use-module (tutti base check)
  #:use-module (tutti base primitives)
  #:use-module (tutti conditions)
  #:export (plot-save
            plot-show
            plot-program
            plot-name?
            plot-endings
            decade-range))

(define (plot-program)
  "Return the absolute name of the gnuplot program, or @code{#f} if there is none in @env{PATH}."
  (define (executable folder)
    (let ((file (string-append folder "/gnuplot")))
      (and (access? file X_OK) (not (file-is-directory? file)) file)))
  (or-map executable (parse-path (getenv "PATH"))))

(define (call-writing file thunk)
  "Call @var{thunk}, which writes @var{file}; what the system says against that becomes an error that names the file."
  (catch 'system-error
    thunk
    (lambda args
      (refuse 'plot-save "cannot write ~a: ~a" file (strerror (system-error-errno args))))))

;;; Formats.  A width in pixels means the same size in all of them at 96 pixels to the inch, as in browsers.

(define formats                         ; endings, and gnuplot's terminals
  `((".svg" . ,(lambda (width height)
                 (format #f "svg size ~a,~a enhanced font 'DejaVu Sans,13' background 'white'" width height)))
    (".png" . ,(lambda (width height)
                 (format #f "pngcairo size ~a,~a enhanced font 'DejaVu Sans,10'" width height)))
    (".pdf" . ,(lambda (width height)
                 (format #f "pdfcairo size ~,3fin,~,3fin enhanced font 'DejaVu Sans,9' fontscale 1 linewidth 1.5 background '#ffffff'"
                         (/ width 96) (/ height 96))))))

(define plot-endings
  (match (map car formats)
    ((first ... last) (string-append (string-join first ", ") " or " last))))
(set-object-property! plot-endings 'documentation
                      "How the names of plots may end, for messages: a string such as @samp{.svg or .png}.")

(define (format-of file)
  (find (lambda (format) (string-suffix-ci? (car format) file)) formats))

(define (plot-name? file)
  "Return true if @code{plot-save} knows by the name @var{file} what to write: it ends in @file{.svg}, @file{.png} or @file{.pdf}."
  (and (string? file) (pair? (format-of file))))

(define (terminal file width height)
  (match (format-of file)
    ((_ . setup) (string-append "set terminal " (setup width height)))
    (#f (refuse 'plot-save "cannot write the plot ~s: expected a name that ends in ~a" file plot-endings))))

;;; Axes.

(define (decade-range numbers)
  "Return the range of whole powers of ten around those of @var{numbers} that are positive and finite, as gnuplot writes it:
@code{[1e-2:1e3]}, or @code{[*:*]} if there are none.  A logarithmic axis with it has at least two ticks."
  (match (filter (lambda (x) (and (real? x) (finite? x) (positive? x))) numbers)
    (() "[*:*]")
    (numbers
     ;; A power of ten with a rounding error counts as one.
     (let ((low (inexact->exact (floor (+ 1e-6 (log10 (apply min numbers))))))
           (high (inexact->exact (ceiling (- (log10 (apply max numbers)) 1e-6)))))
       (format #f "[1e~d:1e~d]" low (max high (1+ low)))))))

;;; The script for gnuplot.

(define (drawable? x)
  (and (real? x) (finite? (exact->inexact x))))

(define (check-row name row)
  (unless (and (list? row) (every (lambda (x) (or (not (number? x)) (real? x))) row))
    (refuse 'plot-save "the data ~a: expected rows of real numbers, got ~s" name row)))

(define (write-block port name rows)
  ;; A row of '() is an empty line, which ends a curve.
  (format port "$~a << END_OF_DATA~%" name)
  (for-each (lambda (row)
              (check-row name row)
              (format port "~{~a~^ ~}~%" (map (lambda (x) (if (drawable? x) (exact->inexact x) "NaN")) row)))
            rows)
  (format port "END_OF_DATA~%"))

(define (call-with-temporary-port proc)
  (let* ((template (string-append (or (getenv "TMPDIR") "/tmp") "/tutti-plot-XXXXXX"))
         (port (call-writing template (lambda () (mkstemp template))))
         (name (port-filename port)))
    (dynamic-wind
      (const #t)
      (lambda () (proc port name))
      (lambda ()
        ;; On a full disk closing, which writes the rest, fails as writing did.
        (false-if-error (close-port port))
        (false-if-error (delete-file name))))))

(define (run-gnuplot program script)
  "Return three values: what @var{program} wrote for the file @var{script}, its wait status, and its complaints."
  (call-with-temporary-port
   (lambda (errors errors-name)
     ;; A file takes as many complaints as there are; a pipe that nobody reads yet would not.
     (let* ((pipe (parameterize ((current-error-port errors))
                    (open-pipe* OPEN_READ program script)))
            (picture (get-bytevector-all pipe))
            (status (close-pipe pipe)))
       (values picture status (call-with-input-file errors-name get-string-all))))))

(define (write-script port name setup data commands)
  (set-port-encoding! port "UTF-8")
  (call-writing name
                (lambda ()
                  (format port "set encoding utf8~%~a~%" setup)
                  (for-each (lambda (block) (write-block port (car block) (cdr block))) data)
                  (format port "~{~a~%~}" commands)
                  (force-output port))))

(define (command-at lines number)
  "Return the command in the vector LINES of a script of which gnuplot names the line NUMBER, from 1; it may have several, but for the
last one with backslashes at their ends."
  (define (continued? i) (and (< -1 i (1- (vector-length lines))) (string-suffix? "\\" (vector-ref lines i))))
  (let* ((named (min (1- number) (1- (vector-length lines))))
         (start (let loop ((i named)) (if (continued? (1- i)) (loop (1- i)) i)))
         (end (let loop ((i named)) (if (continued? i) (loop (1+ i)) i))))
    (string-trim-both (string-join (map (lambda (i) (vector-ref lines i)) (iota (- end start -1) start)) "\n"))))

(define (with-commands complaints script)
  "Return COMPLAINTS with commands in place of their lines in the file SCRIPT, which is gone when they are read."
  (let ((lines (list->vector (string-split (call-with-input-file script get-string-all #:encoding "UTF-8") #\newline)))
        (place (format #f "~s line " script)))
    (let loop ((rest complaints) (done '()))
      (let* ((start (string-contains rest place))
             (from (and start (+ start (string-length place))))
             (to (and from (string-index rest #\: from)))
             (number (and to (string->number (substring rest from to)))))
        (if (and (exact-integer? number) (positive? number))
            (loop (string-trim (substring rest (1+ to)))
                  (cons* (format #f "in the command ~a~%" (command-at lines number)) (substring rest 0 start) done))
            (string-concatenate-reverse (cons rest done)))))))

(define (without-points data)
  "Return the names of those of the blocks DATA that have no row of finite numbers."
  (filter-map (match-lambda
                ((name . rows) (and (not (any (lambda (row) (and (pair? row) (every drawable? row))) rows))
                                    (format #f "$~a" name))))
              data))

(define (fail-drawing who what script data status complaints)
  (raise-tutti
   (make-tutti-error
    (format #f "gnuplot ~:[was ended by ~a~;failed with exit status ~a~] while drawing ~a:~%~a~a"
            (status:exit-val status) (or (status:exit-val status) (%describe-signal (status:term-sig status))) what
            (string-trim-both (with-commands complaints script))
            ;; This is the usual cause; gnuplot only reports an invalid range.
            (match (without-points data)
              (() "")
              (names (format #f "~%no row has finite numbers alone in ~a" (string-join names ", "))))))
   who))

;;; What is drawn is written beside and renamed: where the disk is full there is no half of a picture, and the one from before stays.

(define (put-whole port bytes)
  (put-bytevector port bytes)
  (close-port port))

(define (replace-file file bytes)
  (let* ((port (mkstemp (string-append (dirname file) "/.tutti-plot-XXXXXX") "wb"))
         (draft (port-filename port))
         (done? #f))
    (dynamic-wind
      (const #t)
      (lambda ()
        (chmod port (logand #o666 (lognot (umask))))
        (put-whole port bytes)
        (rename-file draft file)
        (set! done? #t))
      (lambda ()
        (unless done?
          (false-if-error (close-port port))
          (false-if-error (delete-file draft)))))))

(define (write-whole file bytes)
  "Write the bytevector BYTES into FILE, wholly or not at all.  What is no file, such as a pipe, is written itself, as is what a link
leads to that leads nowhere yet, and what is in a folder that takes no other files."
  (let ((kind (and=> (stat file #f) stat:type)))
    (cond ((and (eq? kind 'regular) (access? (dirname (canonicalize-path file)) W_OK)) (replace-file (canonicalize-path file) bytes))
          ((or kind (false-if-error (lstat file)))
           (put-whole (open-file file "wb") bytes))
          (else (replace-file file bytes)))))

(define* (plot-save file commands #:key (data '()) (width 1000) (height 700))
  "Draw a plot into @var{file}, whose name ends in @file{.svg}, @file{.png} or @file{.pdf}, and return @var{file}; return @code{#f} if
gnuplot is not installed.  @var{commands} is a list of strings, gnuplot commands.  @var{data} is an association list of names and lists
of rows, each a list of numbers: the commands refer to one of the name @code{fit} as @code{$fit}.  What is no finite number is a gap, and
an empty row ends a curve.  @var{width} and @var{height} are in pixels, of which a page has 96 to the inch.  If gnuplot fails, its
complaints are in the @code{&tutti-error}."
  (let ((setup (terminal file width height))
        (program (plot-program)))
    (and program
         (call-with-temporary-port
          (lambda (script name)
            (write-script script name setup data commands)
            (let-values (((picture status complaints) (run-gnuplot program name)))
              (unless (eqv? (status:exit-val status) 0)
                (fail-drawing 'plot-save (object->string file) name data status complaints))
              ;; Reading from an empty port differs between versions of Guile.
              (when (or (eof-object? picture) (zero? (bytevector-length picture)))
                (refuse 'plot-save "gnuplot drew nothing into ~s: there is no plot command~%~a" file (string-trim-both complaints)))
              (call-writing file (lambda () (write-whole file picture)))
              file))))))

(define* (plot-show commands #:key (data '()))
  "Show a plot in a window, which stays open, and return true; return @code{#f} if gnuplot is not installed.  @var{commands} and
@var{data} are as for @code{plot-save}.  Without a screen, or if gnuplot fails, it is a @code{&tutti-error}."
  (let ((program (plot-program)))
    (and program
         (begin
           (unless (or (getenv "DISPLAY") (getenv "WAYLAND_DISPLAY"))
             (raise-tutti (make-tutti-error "there is no screen for a plot: neither DISPLAY nor WAYLAND_DISPLAY is set; save it instead")
                          'plot-show))
           (call-with-temporary-port
            (lambda (script name)
              ;; Which terminals there are depends on how gnuplot was built: it chooses one itself.
              (write-script script name (string-append "if (GPVAL_TERM eq 'unknown') {\n"
                                                       "print 'this gnuplot cannot draw on a screen'\nexit status 1\n}")
                            data commands)
              (call-with-temporary-port
               (lambda (errors errors-name)
                 ;; No pipes: the program that draws the window keeps them open, and we would wait for that to be closed.
                 (let* ((null (open-output-file "/dev/null"))
                        (status (parameterize ((current-output-port null) (current-error-port errors))
                                  (system* program "-persist" name))))
                   (close-port null)
                   (unless (eqv? (status:exit-val status) 0)
                     (fail-drawing 'plot-show "on the screen" name data status
                                   (call-with-input-file errors-name get-string-all)))
                   #t)))))))))
