;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Pictures of impedances: apparent resistivity and phase against period, with error bars, drawn by gnuplot.
(define-module (tutti mt view)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (tutti mt configuration)
  #:use-module (tutti mt files)
  #:use-module (tutti mt project)
  #:use-module (tutti mt result)
  #:use-module (tutti plot)
  #:export (view-impedance impedance-pictures picture? picture-name picture-commands picture-data picture-files))

(define-record-type <picture>
  (make-picture name width height commands data files)
  %picture?
  (name %name)           ; string: for a file
  (width %width)         ; pixels
  (height %height)
  (commands %commands)   ; list of strings for gnuplot
  (data %data)           ; as for plot-save
  (files %files))        ; list of the files it was drawn into

(set-record-type-printer! <picture>
  (lambda (picture port)
    (format port "#<picture ~a~[~:;: ~]~{~a~^, ~}>" (%name picture) (length (%files picture)) (%files picture))))

(define (picture? x)
  "Return true if @var{x} is a picture."
  (%picture? x))

(define (picture-name picture)
  "Return the name of @var{picture}: that of its files, without folder and suffix."
  (%name picture))

(define (picture-commands picture)
  "Return the list of the commands that make gnuplot draw @var{picture}."
  (%commands picture))

(define (picture-data picture)
  "Return what the commands of @var{picture} refer to, as for @code{plot-save}."
  (%data picture))

(define (picture-files picture)
  "Return the list of the files that @var{picture} was drawn into."
  (%files picture))

;;; What is drawn.  A curve is a title, a block of data, and a style.

;; What is drawn later covers what was before: the off-diagonal components, which matter more, and are surer, come last.
(define styles
  '(("xx" "#b9b9b9" 0.5 1) ("yy" "#a9cfa0" 0.5 1) ("xy" "#c8201e" 0.8 1.4) ("yx" "#1f5fbf" 0.8 1.4)))

(define points
  ;; one for each transfer function in a picture
  '(7 5 9 11 13 6 4 8 10 12))

(define (block-name component i)
  (format #f "~a~a" component i))

(define (rows tf component)
  "Return the rows of TF for COMPONENT: period, resistivity, its least and most, phase, its least and most."
  (filter (match-lambda ((_ rho . _) (and (finite? rho) (positive? rho))))
          (map (lambda (period rho rho-error phase phase-error)
                 (let ((rho-error (if (finite? rho-error) rho-error 0)) (phase-error (if (finite? phase-error) phase-error 0)))
                   (list period rho
                         ;; The axis is logarithmic, and has no place for what is not positive.
                         (max (- rho rho-error) (* 1e-3 rho)) (+ rho rho-error)
                         phase (- phase phase-error) (+ phase phase-error))))
               (transfer-function-periods tf) (apparent-resistivities tf component) (apparent-resistivity-errors tf component)
               (folded-phases tf component) (phase-errors tf component))))

(define (doubtful-rows tf component)
  "Return those of the rows of TF for COMPONENT that are doubtful."
  (let ((periods (if (transfer-function-quality tf)
                     (filter-map (lambda (period doubts) (and (pair? doubts) period)) (transfer-function-periods tf)
                                 (transfer-function-quality tf))
                     '())))
    (filter (match-lambda ((period . _) (memv period periods))) (rows tf component))))

(define (all-rows tfs components)
  (append-map (lambda (tf) (append-map (lambda (component) (rows tf component)) components)) tfs))

(define (decades values)
  "Return the range of whole powers of ten around the positive VALUES, as gnuplot writes it."
  (let ((low (floor (log10 (* 0.999 (apply min values)))))
        (high (ceiling (log10 (* 1.001 (apply max values))))))
    (format #f "[1e~d:1e~d]" (inexact->exact low) (inexact->exact (max high (1+ low))))))

(define (escaped text)
  "Return TEXT for gnuplot's enhanced text between single quotes."
  (string-concatenate
   (map (lambda (c)
          (case c
            ((#\_ #\^ #\{ #\} #\@ #\& #\~ #\\) (string #\\ c))
            ((#\') "''")
            (else (string c))))
        (string->list text))))

(define (curves tfs components columns labels)
  (string-join
   (append-map (lambda (component)
                 (filter-map (lambda (tf i)
                               (match (assoc component styles)
                                 ((_ colour size width)
                                  (and (pair? (rows tf component))
                                       (format #f "$~a using ~a with yerrorbars pt ~a ps ~a lw ~a lc rgb '~a' title '~a'"
                                               (block-name component i) columns (list-ref points (modulo i (length points)))
                                               size width colour (escaped (labels tf component)))))))
                             tfs (iota (length tfs))))
               components)
   ", "))

(define (doubt-name component i)
  (string-append (block-name component i) "doubtful"))

(define (doubt-curves tfs components columns)
  "Return the list of the curves of what is doubtful: rings around it, of which the first has the title."
  (let ((names (append-map (lambda (component)
                             (filter-map (lambda (tf i) (and (pair? (doubtful-rows tf component)) (doubt-name component i)))
                                         tfs (iota (length tfs))))
                           components)))
    (map (lambda (name i)
           (format #f "$~a using ~a with points pt 6 ps 2.2 lw 1 lc rgb '#444444' ~:[notitle~;title 'doubtful'~]" name columns (zero? i)))
         names (iota (length names)))))

(define (picture name title tfs components labels)
  "Return the picture NAME with COMPONENTS of TFS; LABELS makes the label of a transfer function and a component."
  (let ((all (all-rows tfs components)))
    (define (panel columns y-label key . settings)
      (append settings
              (list (format #f "set ylabel '~a'" y-label) key
                    (string-append "plot " (string-join (cons (curves tfs components columns labels)
                                                              (doubt-curves tfs components (string-take columns 3)))
                                                        ", ")))))
    (make-picture
     name 900 1000
     `(,(format #f "set multiplot layout 2,1 title '~a' font ',15'" (escaped title))
       "set grid xtics ytics lt 1 lw 0.8 lc rgb '#dddddd'" "set bars 0.6"
       "set logscale x" "set format x '10^{%T}'" "set xlabel 'period (s)'"
       "set lmargin 11" "set rmargin 3"
       ,(format #f "set xrange ~a" (decades (map first all)))
       ,@(panel "1:2:3:4" "apparent resistivity (Ω m)" "set key above horizontal maxrows 3" "set logscale y" "set format y '10^{%T}'"
                ;; One bad error bar is not to press all else together.
                (format #f "set yrange ~a" (decades (map second all))))
       ,@(panel "1:5:6:7" "phase (degrees)" "unset key" "unset logscale y" "set format y '%g'"
                "set yrange [-45:135]" "set ytics 45" "set mytics 3")
       "unset multiplot")
     (append-map (lambda (tf i)
                   (append-map (lambda (component)
                                 (remove (match-lambda ((_ . rows) (null? rows)))
                                         `((,(block-name component i) . ,(rows tf component))
                                           (,(doubt-name component i) . ,(doubtful-rows tf component)))))
                               components))
                 tfs (iota (length tfs)))
     '())))

(define* (impedance-pictures tfs #:key (name "impedance") (title name) (one-plot? #t))
  "Return the list of the pictures of the transfer functions @var{tfs}: one with all components if @var{one-plot?}, else one for each
component that has numbers.  The files of the first have the name @var{name}, those of the others it and the component."
  (define several? (pair? (cdr tfs)))
  (define several-sites? (pair? (cdr (delete-duplicates (map transfer-function-site tfs)))))
  (define (label tf component)
    (string-join (append (if one-plot? (list component) '())
                         (if several-sites? (list (transfer-function-site tf)) '())
                         (if (and several? (transfer-function-rate tf))
                             (list (format #f "~a Hz" (number->text (transfer-function-rate tf))))
                             '()))
                 ", "))
  (define present
    (filter (lambda (component) (pair? (all-rows tfs (list component)))) (map car styles)))
  (when (null? present)
    (complain 'view-impedance "~a has no finite number at any frequency" title))
  (if one-plot?
      (list (picture name title tfs present label))
      (map (lambda (component)
             (picture (string-append name "_" component) (string-append title ", component " component) tfs (list component) label))
           present)))

;;; Drawing.

(define suffixes '(".svg" ".png"))

(define (saved picture folder)
  (make-folders! 'view-impedance folder)
  (make-picture (%name picture) (%width picture) (%height picture) (%commands picture) (%data picture)
                (map (lambda (suffix)
                       (plot-save (string-append folder "/" (%name picture) suffix) (%commands picture) #:data (%data picture)
                                  #:width (%width picture) #:height (%height picture)))
                     suffixes)))

(define (site-pictures project site postpend one-plot?)
  (match (site-transfer-functions project site #:postpend postpend)
    (()
     (complain 'view-impedance "there is no transfer function of site ~a~:[ with the postpend ~s~;~*~]; process-site estimates it (~a)"
               site (string-null? postpend) postpend
               (project-result-folder project 'transfer site
                                      (configuration-ref (project-configuration project) 'spectra 'specdir))))
    (tfs
     (impedance-pictures tfs
                         #:name (string-append site "_" (configuration-ref (project-configuration project) 'spectra 'specdir)
                                               (if (string-null? postpend) "" (string-append "_" postpend)))
                         #:title (format #f "site ~a~@[, remote site ~a~]~a" site (any transfer-function-remote tfs)
                                         (if (string-null? postpend) "" (string-append ", " postpend)))
                         #:one-plot? one-plot?))))

(define* (view-impedance project #:key sites (postpend "") (one-plot? #t) (show? #f) (save? #t))
  "Draw the impedances of @var{sites}, a list of names (all sites of @var{project}), and return the list of the pictures: for each site one
with apparent resistivities and phases of all four components, or one for each component unless @var{one-plot?}.  They are those that
were estimated with @var{postpend}.  Phases are turned into -45 to 135 degrees, as by @code{folded-phases}.  If @var{save?} they are
drawn into SVG and PNG files in the folder @file{images} of the project; if @var{show?} they are shown on the screen.  Both need gnuplot."
  (when (and (or save? show?) (not (plot-program)))
    (complain 'view-impedance "gnuplot is needed to draw, and is not in PATH; install it, or say #:save? #f #:show? #f"))
  (let ((pictures (append-map (lambda (site) (site-pictures project site postpend one-plot?)) (or sites (project-sites project)))))
    (when show?
      (for-each (lambda (picture) (plot-show (%commands picture) #:data (%data picture)))
                pictures))
    (if save?
        (map (lambda (picture) (saved picture (project-result-folder project 'image))) pictures)
        pictures)))
