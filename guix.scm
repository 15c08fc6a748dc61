;; The package for Guix: guix build -f guix.scm, guix shell -D -f guix.scm.
;; SPDX-License-Identifier: LGPL-3.0-or-later
(use-modules (gnu packages)
             (guix build-system meson)
             (guix gexp)
             (guix git-download)
             ((guix licenses) #:prefix license:)
             (guix packages))

(define here (dirname (current-filename)))

(package
  (name "tutti")
  (version "0.1.0")
  (source (local-file here "tutti-checkout" #:recursive? #t
                      #:select? (or (git-predicate here) (lambda _ #t))))
  (build-system meson-build-system)
  (arguments
   (list
    ;; What Guile and pkg-config are told is where the store has it.
    #:configure-flags #~(list "-Dpkgconfig.relocatable=false")
    ;; The other suites measure, look at the sources, or want a machine with a terminal and other users.
    #:test-options #~(list "--suite" "unit")
    #:phases
    #~(modify-phases %standard-phases
        ;; Guile's compiler writes below HOME if it may.
        (add-before 'build 'set-home
          (lambda _ (setenv "HOME" "/tmp"))))))
  (native-inputs
   (specifications->packages
    (list "binutils"                    ; readelf and nm, for tests
          "gi-docgen"                   ; reference of the C API
          "glib:bin"                    ; glib-compile-resources
          "gobject-introspection"
          "guile@3.0"
          "info-reader"
          "make"
          "man-db"                      ; look at the manual page, in tests
          "mandoc"
          "pkg-config"
          "python"
          "python-h5py"                 ; tests
          "python-numpy"                ; examples
          "python-pandas"               ; tests
          "python-pygobject"
          "python-scipy"
          "texinfo"                     ; manual
          "xorg-server"                 ; Xvfb, for the example with a window
          "xz")))                       ; data sets of tests
  (inputs
   (specifications->packages
    (list "fftw"
          "glib-networking"             ; TLS, for other machines
          "gnuplot"
          "gnutls"
          "gtk"                         ; an example
          "guile@3.0"
          "hdf5"
          "libsoup"                     ; pages of jobs, UM-Bridge
          "libzip"
          "openblas"
          "sqlite")))                   ; journals
  ;; tutti.pc requires it.
  (propagated-inputs
   (specifications->packages
    (list "glib"
          "guile-json")))
  (home-page #f)
  (synopsis "Simulations on worker processes, scripted in Guile")
  (description
   "Tutti distributes simulations over worker processes.  Its engine in C starts
the workers, gives them work, shares large vectors with them instead of sending
them, and supervises them: if a simulation crashes, that is reported, and it is
tried again while the others go on.  Jobs are scripts for GNU Guile; applications
embed the engine through a C library.  There are operators with derivatives,
solvers of inverse problems, model reduction, and the domains magnetotellurics
and gravity.")
  (license license:lgpl3+))
