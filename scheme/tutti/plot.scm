;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Plots as SVG or PNG files, drawn by gnuplot.  It is given a script of its own and writes to a pipe: no shell sees a name, and a plot
;; that fails leaves no half-written file.
(define-module (tutti plot)
  #:use-module (ice-9 binary-ports)
  #:use-module (ice-9 format)
  #:use-module (ice-9 popen)
  #:use-module (ice-9 textual-ports)
  #:use-module ((rnrs bytevectors) #:select (bytevector-length))
  #:use-module (srfi srfi-11)
  #:use-module (tutti conditions)
  #:use-module (tutti primitives)
  #:export (plot-save
            plot-show
            plot-program))

(define (plot-program)
  "Return the absolute name of the gnuplot program, or @code{#f} if there is none in @env{PATH}."
  (define (executable folder)
    (let ((file (string-append folder "/gnuplot")))
      (and (access? file X_OK) (not (file-is-directory? file)) file)))
  (or-map executable (parse-path (getenv "PATH"))))

(define (fail message . arguments)
  (raise-tutti (make-tutti-error (apply format #f message arguments)) 'plot-save))

(define (call-writing file thunk)
  "Call @var{thunk}, which writes @var{file}; what the system says against that becomes an error that names the file."
  (catch 'system-error
    thunk
    (lambda args
      (fail "cannot write ~a: ~a" file (strerror (system-error-errno args))))))

(define (terminal file width height)
  (define (ends? suffix) (string-suffix-ci? suffix file))
  (cond ((ends? ".svg")
         (format #f "set terminal svg size ~a,~a enhanced font 'DejaVu Sans,13' background 'white'" width height))
        ((ends? ".png")
         (format #f "set terminal pngcairo size ~a,~a enhanced font 'DejaVu Sans,10'" width height))
        (else (fail "cannot write the plot ~s: expected a name that ends in .svg or .png" file))))

(define (write-block port name rows)
  ;; A row of '() is an empty line, which ends a curve.
  (format port "$~a << END_OF_DATA~%" name)
  (for-each (lambda (row)
              (format port "~{~a~^ ~}~%" (map (lambda (x) (if (number? x) (exact->inexact x) "NaN")) row)))
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

(define (fail-drawing who what status complaints)
  (raise-tutti
   (make-tutti-error
    (format #f "gnuplot ~:[was ended by ~a~;failed with exit status ~a~] while drawing ~a:~%~a"
            (status:exit-val status) (or (status:exit-val status) (%describe-signal (status:term-sig status))) what
            (string-trim-both complaints)))
   who))

(define* (plot-save file commands #:key (data '()) (width 1000) (height 700))
  "Draw a plot into @var{file}, whose name ends in @file{.svg} or @file{.png}, and return @var{file}; return @code{#f} if gnuplot is not
installed.  @var{commands} is a list of strings, gnuplot commands.  @var{data} is an association list of names and lists
of rows, each a list of numbers: the commands refer to one of the name @code{fit} as @code{$fit}.  @var{width} and
@var{height} are in pixels.  If gnuplot fails, its complaints are in the @code{&tutti-error}."
  (let ((setup (terminal file width height))
        (program (plot-program)))
    (and program
         (call-with-temporary-port
          (lambda (script name)
            (write-script script name setup data commands)
            (let-values (((picture status complaints) (run-gnuplot program name)))
              (unless (eqv? (status:exit-val status) 0)
                (fail-drawing 'plot-save (object->string file) status complaints))
              ;; What there is to read from nothing differs between versions of Guile.
              (when (or (eof-object? picture) (zero? (bytevector-length picture)))
                (fail "gnuplot drew nothing into ~s: there is no plot command~%~a" file (string-trim-both complaints)))
              (call-writing file
                            (lambda ()
                              (call-with-output-file file (lambda (port) (put-bytevector port picture)) #:binary #t)))
              file))))))

(define* (plot-show commands #:key (data '()))
  "Show a plot in a window, which stays open, and return true; return @code{#f} if gnuplot is not installed.  @var{commands} and @var{data}
are as for @code{plot-save}.  Without a screen, or if gnuplot fails, it is a @code{&tutti-error}."
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
                 ;; No pipes: whoever draws the window keeps them open, and we would wait for that to be closed.
                 (let* ((null (open-output-file "/dev/null"))
                        (status (parameterize ((current-output-port null) (current-error-port errors))
                                  (system* program "-persist" name))))
                   (close-port null)
                   (unless (eqv? (status:exit-val status) 0)
                     (fail-drawing 'plot-show "on the screen" status (call-with-input-file errors-name get-string-all)))
                   #t)))))))))
