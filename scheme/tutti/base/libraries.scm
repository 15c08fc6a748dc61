;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The libraries of others that results depend on, as they are in this process.
(define-module (tutti base libraries)
  #:use-module (rnrs bytevectors)
  #:use-module ((system foreign) #:select (int pointer->bytevector pointer->string))
  #:use-module (system foreign-library)
  #:use-module (srfi srfi-1)
  #:export (glib-version fftw-version openblas-configuration openblas-core openblas-threads library-versions))

(define (call-in library name type)
  "Call the function @var{name}, without arguments, of @var{library}, a name or @code{#f} for what is loaded, and return what it does."
  ((foreign-library-function (load-foreign-library library) name #:return-type type)))

(define (glib-version)
  "Return the version of GLib, as @code{\"2.74.6\"}."
  (let ((library (load-foreign-library "libglib-2.0.so.0")))
    (define (number name)
      (number->string (bytevector-u32-native-ref (pointer->bytevector (foreign-library-pointer library name) 4) 0)))
    (string-join (map number '("glib_major_version" "glib_minor_version" "glib_micro_version")) ".")))

(define (fftw-version)
  "Return a text with the version of FFTW, and how it was built."
  (pointer->string (foreign-library-pointer (load-foreign-library "libfftw3.so.3") "fftw_version")))

(define openblas "libopenblas.so.0")

(define (openblas-configuration)
  "Return a text with the version of OpenBLAS, and how it was built."
  (pointer->string (call-in openblas "openblas_get_config" '*)))

(define (openblas-core)
  "Return the type of processor, a text, that OpenBLAS computes for here."
  (pointer->string (call-in openblas "openblas_get_corename" '*)))

(define (openblas-threads)
  "Return how many threads OpenBLAS computes with."
  (call-in openblas "openblas_get_num_threads" int))

(define (library-versions)
  "Return an alist of names of libraries and texts with their versions; what is not there is left out."
  (filter-map (lambda (entry) (and=> (false-if-exception ((cdr entry))) (lambda (text) (cons (car entry) text))))
              `(("guile" . ,version)
                ("glib" . ,glib-version)
                ("fftw" . ,fftw-version)
                ("openblas" . ,openblas-configuration)
                ("openblas core" . ,openblas-core)
                ("libc" . ,(lambda () (pointer->string (call-in #f "gnu_get_libc_version" '*)))))))
