;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Pictures of impedances: apparent resistivity and phase against period, with error bars, drawn by gnuplot.
(define-module (tutti mt view)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (tutti base check)
  #:use-module (tutti base documented)
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

(define-documented #:of picture
  (picture-name %name
   "Return the name of @var{picture}: that of its files, without folder and suffix.")
  (picture-commands %commands
   "Return the list of the commands that make gnuplot draw @var{picture}.")
  (picture-data %data
   "Return the blocks of data that the commands of @var{picture} refer to, as for @code{plot-save}.")
  (picture-files %files
   "Return the list of the files that @var{picture} was drawn into."))

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

;;; The axis of resistivities.  One bad number is not to press all others together, and xx and yy, which are noise over most of the Earth,
;;; have no say beyond what they add to a picture of the others.

(define (diagonal? component)
  (member component '("xx" "yy")))

(define (surely-positive? row)
  (match row ((_ rho _ most . _) (< (- most rho) rho))))

(define (logarithms tfs components)
  "Return the decimal logarithms of the resistivities of COMPONENTS that are surely positive, or of all if none is."
  (let* ((all (all-rows tfs components)) (sure (filter surely-positive? all)))
    (map (compose log10 second) (if (null? sure) all sure))))

(define least-margin 1)                 ; decades
(define most-room 1)

(define (fences numbers)
  "Return two values: the least and the largest of NUMBERS that is no outlier (Tukey 1977)."
  (let* ((sorted (sort numbers <))
         (quartile (lambda (part) (list-ref sorted (inexact->exact (round (* part (1- (length sorted))))))))
         (margin (max least-margin (* 3/2 (- (quartile 3/4) (quartile 1/4)))))
         (inner (filter (lambda (x) (<= (- (quartile 1/4) margin) x (+ (quartile 3/4) margin))) sorted)))
    (values (first inner) (last inner))))

(define (resistivity-range tfs components)
  "Return two values: the least and the largest resistivity that the axis is to have."
  (call-with-values (lambda () (partition (negate diagonal?) components))
    (lambda (off-diagonal diagonal)
      (let ((decisive (logarithms tfs off-diagonal))
            (others (logarithms tfs diagonal)))
        (call-with-values (lambda () (fences (if (null? decisive) others decisive)))
          (lambda (low high)
            (values (expt 10. (- low (room-for decisive others (lambda (x) (- low x)))))
                    (expt 10. (+ high (room-for decisive others (lambda (x) (- x high))))))))))))

(define (room-for decisive others beyond)
  "Return how many decades more the axis gets for OTHERS, logarithms, if any are DECISIVE; BEYOND returns how far one is beyond these.
If most are too far for that, there is none for the rest."
  (let ((distances (sort (map beyond others) <)))
    (if (or (null? decisive) (null? others) (> (list-ref distances (quotient (length distances) 2)) most-room))
        0
        (max 0 (min most-room (last distances))))))

(define (range-ends range)
  "Return two values: the numbers in RANGE, a text of @code{decade-range}."
  (apply values (map string->number (string-split (string-trim-both range (char-set #\[ #\])) #\:))))

(define (outside-label tfs components range)
  "Return the command for a label with the number of resistivities outside of RANGE, so that they are not taken for missing; or #f."
  (call-with-values (lambda () (range-ends range))
    (lambda (low high)
      (let ((counts (filter-map (lambda (component)
                                  (let ((n (count (match-lambda ((_ rho . _) (not (<= low rho high)))) (all-rows tfs (list component)))))
                                    (and (positive? n) (format #f "~a of ~a" n component))))
                                components)))
        (note "outside" counts)))))

(define (note what counts)
  "Return the command that writes the texts COUNTS, if there are any, as those of WHAT below the panel, where it lies over nothing; or
#f."
  (and (pair? counts)
       (format #f "set label 1 '~a: ~a' at graph 1, graph 0 offset 0, character -2.4 right font ',10' textcolor rgb '#777777'"
               what (string-join counts ", "))))

;;; Phases of xx and yy with errors so large that their bars would fill the panel.

(define most-uncertain 45)              ; degrees, one standard deviation

(define (unknown-phases tfs component)
  (count (match-lambda ((_ _ _ _ _ low high) (> (- high low) (* 2 most-uncertain)))) (all-rows tfs (list component))))

(define (unknown-label tfs components)
  "Return the command that says how many phases are left out, or #f."
  (note (format #f "left out, error above ~a°" most-uncertain)
        (filter-map (lambda (component)
                      (let ((n (if (diagonal? component) (unknown-phases tfs component) 0)))
                        (and (positive? n) (format #f "~a of ~a" n component))))
                    components)))

(define (resistivity-columns component)
  '("1" "2" "3" "4"))

(define (phase-columns component)
  (list "1" (if (diagonal? component) (format #f "($7-$6>~a?NaN:$5)" (* 2 most-uncertain)) "5") "6" "7"))

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
                                               (block-name component i) (string-join (columns component) ":")
                                               (list-ref points (modulo i (length points)))
                                               size width colour (escaped (labels tf component)))))))
                             tfs (iota (length tfs))))
               components)
   ", "))

(define (doubt-name component i)
  (string-append (block-name component i) "doubtful"))

(define (doubt-curves tfs components columns)
  "Return the list of the curves of what is doubtful: rings around it, of which the first has the title."
  (let ((blocks (append-map (lambda (component)
                              (filter-map (lambda (tf i)
                                            (and (pair? (doubtful-rows tf component))
                                                 (cons (doubt-name component i) (string-join (take (columns component) 2) ":"))))
                                          tfs (iota (length tfs))))
                            components)))
    (map (lambda (block i)
           (format #f "$~a using ~a with points pt 6 ps 2.2 lw 1 lc rgb '#444444' ~:[notitle~;title 'doubtful'~]" (car block) (cdr block)
                   (zero? i)))
         blocks (iota (length blocks)))))

(define (key-rows tfs components labels)
  "Return how many rows the key needs for all labels, each as wide as the longest, in pixels."
  (let* ((texts (append-map (lambda (component) (map (lambda (tf) (labels tf component)) tfs)) components))
         (width (+ 70 (* 9 (apply max (map string-length texts)))))
         (columns (max 1 (quotient (- picture-width 120) width))))
    (max 3 (quotient (+ (length texts) columns -1) columns))))

(define (title-size title)
  "Return the size of the font with which TITLE fits in one line."
  (max 6 (min 15 (quotient 1300 (max 1 (string-length title))))))

(define picture-width 900)

(define (picture name title tfs components labels)
  "Return the picture NAME with COMPONENTS of TFS; LABELS makes the label of a transfer function and a component."
  (let* ((all (all-rows tfs components))
         (range (call-with-values (lambda () (resistivity-range tfs components)) (lambda (low high) (decade-range (list low high))))))
    (define (panel columns y-label key . settings)
      (append settings
              (list (format #f "set ylabel '~a'" y-label) key
                    (string-append "plot " (string-join (cons (curves tfs components columns labels)
                                                              (doubt-curves tfs components columns))
                                                        ", ")))))
    (make-picture
     name picture-width 1000
     `(,(format #f "set multiplot layout 2,1 title '~a' font ',~a'" (escaped title) (title-size title))
       "set grid xtics ytics lt 1 lw 0.8 lc rgb '#dddddd'" "set bars 0.6"
       "set logscale x" "set format x '10^{%T}'" "set xlabel 'period (s)'"
       "set lmargin 11" "set rmargin 3"
       ;; No symbol is drawn on the frame.
       ,(format #f "set xrange ~a" (decade-range (append-map (match-lambda ((period . _) (list (/ period 1.2) (* period 1.2)))) all)))
       ,@(panel resistivity-columns "apparent resistivity (Ω m)"
                (format #f "set key above horizontal maxrows ~a" (key-rows tfs components labels))
                "set logscale y" "set format y '10^{%T}'" (format #f "set yrange ~a" range)
                (or (outside-label tfs components range) "unset label 1"))
       ,@(panel phase-columns "phase (degrees)" "unset key" (or (unknown-label tfs components) "unset label 1")
                "unset logscale y" "set format y '%g'" "set yrange [-45:135]" "set ytics 45" "set mytics 3")
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
    (refuse 'view-impedance "~a has no finite number at any frequency" title))
  (if one-plot?
      (list (picture name title tfs present label))
      (map (lambda (component)
             (picture (string-append name "_" component) (string-append title ", component " component) tfs (list component) label))
           present)))

;;; Drawing.

(define (check-formats formats)
  (for-each (lambda (format)
              (unless (and (string? format) (plot-name? (string-append "." format)))
                (refuse 'view-impedance "#:formats: expected a list of \"svg\", \"png\" and \"pdf\", got ~s" formats)))
            (if (list? formats) formats (list formats))))

(define (saved picture folder formats)
  (make-folders! 'view-impedance folder)
  (make-picture (%name picture) (%width picture) (%height picture) (%commands picture) (%data picture)
                (map (lambda (format)
                       (plot-save (string-append folder "/" (%name picture) "." format) (%commands picture) #:data (%data picture)
                                  #:width (%width picture) #:height (%height picture)))
                     formats)))

(define (site-pictures project site postpend one-plot?)
  (match (site-transfer-functions project site #:postpend postpend)
    (()
     (refuse 'view-impedance "there is no transfer function of site ~a~:[ with the postpend ~s~;~*~]; process-site estimates it (~a)"
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

(define* (view-impedance project #:key sites (postpend "") (one-plot? #t) (show? #f) (save? #t) (formats '("svg" "png")))
  "Draw the impedances of @var{sites}, a list of names (all sites of @var{project}), and return the list of the pictures: for each site one
with apparent resistivities and phases of all four components, or one for each component unless @var{one-plot?}.  They are those that
were estimated with @var{postpend}.  Phases are turned into -45 to 135 degrees, as by @code{folded-phases}.  If @var{save?} they are
drawn into files in the folder @file{images} of the project, one for each of @var{formats}, of which there are @code{\"svg\"},
@code{\"png\"} and @code{\"pdf\"}; if @var{show?} they are shown on the screen.  Both need gnuplot.  The axis of resistivities shows
xy and yx, but for outliers, and up to a decade more for xx and yy; how many are outside of it stands in the picture.  Phases of xx and yy
with a standard deviation above 45 degrees are left out, and counted there, too."
  (check-formats formats)
  (when (and (or save? show?) (not (plot-program)))
    (refuse 'view-impedance "gnuplot is needed to draw, and is not in PATH; install it, or say #:save? #f #:show? #f"))
  (let ((pictures (append-map (lambda (site) (site-pictures project site postpend one-plot?)) (or sites (project-sites project)))))
    (when show?
      (for-each (lambda (picture) (plot-show (%commands picture) #:data (%data picture)))
                pictures))
    (if save?
        (map (lambda (picture) (saved picture (project-result-folder project 'image) formats)) pictures)
        pictures)))
