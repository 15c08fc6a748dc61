;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The packages for Debian and for Guix need all that the build looks for: each name that a meson.build or bootstrap has is in the table
;; below, and what the table says is in debian/control and guix.scm.
(use-modules (tap) (ice-9 ftw) (ice-9 match) (ice-9 regex) (ice-9 textual-ports) (srfi srfi-1) (srfi srfi-64))

(define (in-tree name) (string-append (getenv "TUTTI_SOURCE_DIR") "/" name))
(define (contents name) (call-with-input-file (in-tree name) get-string-all #:encoding "UTF-8"))

;; What meson.build files ask for: package of Debian to build with, package of Guix; #f: part of what builds everything.
(define looked-for
  '(("gio-unix-2.0" "libglib2.0-dev" "glib")
    ("guile-3.0" "guile-3.0-dev" "guile@3.0")
    ("guile" "guile-3.0" "guile@3.0")
    ("guild-3.0" "guile-3.0-dev" "guile@3.0")
    ("guild" "guile-3.0-dev" "guile@3.0")
    ("openblas" "libopenblas-dev" "openblas")
    ("fftw3" "libfftw3-dev" "fftw")
    ("libzip" "libzip-dev" "libzip")
    ("hdf5" "libhdf5-dev" "hdf5")
    ("libsoup-3.0" "libsoup-3.0-dev" "libsoup")
    ("gnutls" "libgnutls28-dev" "gnutls")
    ("sqlite3" "libsqlite3-dev" "sqlite")
    ("threads" #f #f)
    ("makeinfo" "texinfo" "texinfo")
    ("gnuplot" #f "gnuplot")            ; looked for when a plot is drawn
    ("gi-docgen" "gi-docgen" "gi-docgen")
    ("g-ir-scanner" "gobject-introspection" "gobject-introspection")
    ("gobject-introspection-1.0" "libgirepository1.0-dev" "gobject-introspection")
    ("gtk4" #f "gtk")                   ; an example, which is installed as a source
    ("python3" "python3:any" "python")
    ("mpi" #f #f)                       ; tests and a measurement
    ("m" #f #f)
    ("dl" #f #f)))

;; What bootstrap installs: package of Guix; #f: part of what builds everything there, of making packages for Debian, or not there.
(define installed
  '(("gcc" #f) ("libc6-dev" #f) ("meson" #f) ("ninja-build" #f) ("pkg-config" "pkg-config") ("guile-3.0" "guile@3.0")
    ("guile-3.0-dev" "guile@3.0") ("libglib2.0-dev" "glib") ("libopenblas-dev" "openblas") ("libfftw3-dev" "fftw") ("binutils" "binutils")
    ("xz-utils" "xz") ("gnuplot-nox" "gnuplot") ("texinfo" "texinfo") ("info" "info-reader") ("make" "make") ("guile-json" "guile-json")
    ("gobject-introspection" "gobject-introspection") ("libgirepository1.0-dev" "gobject-introspection") ("gi-docgen" "gi-docgen")
    ("python3-gi" "python-pygobject") ("python3-numpy" "python-numpy") ("python3-scipy" "python-scipy") ("python3" "python")
    ("libzip-dev" "libzip") ("libhdf5-dev" "hdf5") ("libsoup-3.0-dev" "libsoup")
    ("libgnutls28-dev" "gnutls") ("libsqlite3-dev" "sqlite") ("glib-networking" "glib-networking")
    ("python3-h5py" "python-h5py") ("python3-pandas" "python-pandas")
    ("libpython3" "python") ("libgtk-4-dev" "gtk") ("calculix-ccx" #f) ("xvfb" "xorg-server") ("chromium" #f)
    ("g++" #f) ("dpkg-dev" #f) ("debhelper" #f) ("lintian" #f) ("git" #f) ("man-db" "man-db") ("mandoc" "mandoc")
    ;; Programs with MPI, and the virtual cluster: as root, where Debian's Slurm is.
    ("openmpi-bin" #f) ("libopenmpi-dev" #f) ("slurm-wlm" #f) ("munge" #f) ("openssh-server" #f) ("openssh-client" #f) ("iproute2" #f)
    ("util-linux" #f)
    ;; What Tutti is compared with.
    ("python3-mpi4py" #f) ("python3-distributed" #f)))

(define (meson-files)
  (let ((files '()))
    (nftw (in-tree ".")
          (lambda (name stat flag base level)
            (when (and (string=? (basename name) "meson.build") (not (string-match "/(build[^/]*|obj-[^/]*|debian)/" name)))
              (set! files (cons name files)))
            #t))
    files))

(define (names-in file)
  "Return what FILE looks for: libraries, and programs that are no scripts of ours."
  (append-map (lambda (m)
                (let ((word (match:substring m 2)))
                  (if (string-match "[/]|\\.(sh|py)$" word) '() (list word))))
              (list-matches "(dependency|find_program|find_library)\\('([^']+)'[,)]"
                            (call-with-input-file file get-string-all #:encoding "UTF-8"))))

(define (quoted-words line)
  "Return the three words, in quotes if need be, that stand behind -- in LINE of bootstrap."
  (let ((rest (second (string-split-at line " -- "))))
    (map (lambda (m) (or (match:substring m 1) (match:substring m 2)))
         (list-matches "'([^']*)'|([^ ']+)" rest))))

(define (string-split-at text mark)
  (let ((at (string-contains text mark)))
    (list (substring text 0 at) (substring text (+ at (string-length mark))))))

(define (packages-of-bootstrap)
  (append-map (lambda (line) (string-tokenize (second (quoted-words line))))
              (filter (lambda (line) (string-match "^ +(need|want) .* -- " line))
                      (string-split (contents "bootstrap") #\newline))))

(define (read-all name)
  (call-with-input-file (in-tree name)
    (lambda (port)
      (let loop ((forms '()))
        (let ((form (read port)))
          (if (eof-object? form) (reverse forms) (loop (cons form forms))))))
    #:encoding "UTF-8"))

(define (specifications form)
  "Return the packages that FORM names."
  (match form
    (('specifications->packages ('list . names)) names)
    ((first . rest) (append (specifications first) (specifications rest)))
    (_ '())))

(define guix-packages
  ;; Gexps are read by Guix' own reader.
  (begin
    (read-hash-extend #\~ (lambda (char port) (list 'gexp (read port))))
    (read-hash-extend #\$ (lambda (char port) (list 'ungexp (read port))))
    (specifications (read-all "guix.scm"))))

(define build-depends
  (let ((field (match:substring (string-match "\nBuild-Depends:\n(( [^\n]*\n)+)" (contents "debian/control")) 1)))
    (map (lambda (line) (first (string-tokenize line (char-set-complement (string->char-set " ,")))))
         (string-split (string-trim-both field) #\newline))))

(define (test-covered what names table column there file)
  (for-each (lambda (name)
              (match (assoc name table)
                (#f (test-equal (format #f "~a, ~a, is known to tests/packages/dependencies.scm" name what) name #f))
                (row (let ((package (list-ref row column)))
                       (when package
                         (test-assert (format #f "~a, ~a, is ~a in ~a" name what package file) (member package there)))))))
            (delete-duplicates names)))

(call-with-tap
 (lambda ()
   (let ((looked (append-map names-in (meson-files)))
         (gir? (any (lambda (file) (string-contains (call-with-input-file file get-string-all #:encoding "UTF-8") "generate_gir"))
                    (meson-files))))
     (test-assert "meson.build files look for something" (> (length looked) 5))
     (test-assert "bootstrap installs something" (> (length (packages-of-bootstrap)) 10))
     (test-covered "what meson looks for" (if gir? (cons "g-ir-scanner" looked) looked) looked-for 1 build-depends "debian/control")
     (test-covered "what meson looks for" (if gir? (cons "g-ir-scanner" looked) looked) looked-for 2 guix-packages "guix.scm")
     (test-covered "what bootstrap installs" (packages-of-bootstrap) installed 1 guix-packages "guix.scm"))
   (test-equal "guix.scm is one package" 1
     (count (lambda (form) (and (pair? form) (eq? (car form) 'package))) (read-all "guix.scm")))
   (let ((version (match:substring (string-match "version: '([^']*)'" (contents "meson.build")) 1)))
     (test-assert "guix.scm has the version" (string-contains (contents "guix.scm") (format #f "(version ~s)" version)))
     (test-assert "debian/changelog has the version" (string-prefix? (format #f "tutti (~a)" version) (contents "debian/changelog"))))))
