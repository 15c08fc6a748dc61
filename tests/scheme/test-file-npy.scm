;; SPDX-License-Identifier: LGPL-3.0-or-later
;; NPY and NPZ files: what numpy writes we read, and the other way round; what cannot be read is said; damage is found.
(use-modules (tap) (damage) (programs) (pythons) (tutti file) (tutti file library)
             (ice-9 binary-ports) (rnrs bytevectors) (srfi srfi-1) (srfi srfi-4) (srfi srfi-4 gnu) (srfi srfi-64))

(define values*
  `(("f64" . ,(f64vector 1.5 -0.0 +inf.0 1e-320)) ("f32" . ,(f32vector 1.5 2)) ("c64" . ,(c64vector 1+2i -3)) ("c32" . ,(c32vector 1-2i))
    ("u8" . ,(u8vector 0 255)) ("s8" . ,(s8vector -128 127)) ("u16" . ,(u16vector 65535)) ("s16" . ,(s16vector -32768 1))
    ("u32" . ,(u32vector 4294967295)) ("s32" . ,(s32vector -2147483648)) ("u64" . ,(u64vector 18446744073709551615))
    ("s64" . ,(s64vector -9223372036854775808 5)) ("empty" . ,(f64vector)) ("bits" . #*10110)
    ("matrix" . ,(list->typed-array 'f64 2 '((1 2 3) (4 5 6)))) ("cube" . ,(list->typed-array 's16 3 '(((1 2) (3 4)) ((5 6) (7 8)))))
    ("none" . ,(make-typed-array 'f32 0 2 0 3)) ("bit-matrix" . ,(list->typed-array 'b 2 '((#t #f #t) (#f #f #t))))
    ("number" . 2.5) ("integer" . -7) ("large" . ,(expt 2 63)) ("complex" . 1.0+2.0i) ("true" . #t) ("text" . "añb😀")
    ("texts" . ("a" "" "üb")) ("text-matrix" . #2(("a" "bc") ("" "d")))))

(define (round-trip-npy file)
  (for-each (lambda (pair)
              (write-npy file (cdr pair))
              (test-equal (string-append "NPY: " (car pair)) (cdr pair) (read-npy file)))
            values*))

(define (test-conversions file)
  (define (kept value) (write-npy file value) (read-npy file))
  (test-equal "a list of numbers" (f64vector 1 2.5) (kept '(1 2.5)))
  (test-equal "a vector of integers" (s64vector 1 2) (kept #(1 2)))
  (test-equal "an array of any values" (list->typed-array 's64 2 '((1 2) (3 4))) (kept #2((1 2) (3 4))))
  (test-equal "a view of another array" (list->typed-array 'f64 2 '((1. 4.) (2. 5.) (3. 6.)))
    (kept (transpose-array (list->typed-array 'f64 2 '((1 2 3) (4 5 6))) 1 0)))
  (test-equal "a part of a vector" (f64vector 3 4) (kept (make-shared-array (f64vector 1 2 3 4) (lambda (i) (list (+ i 2))) 2)))
  (test-equal "an array that begins at another index" (f64vector 7 7) (kept (make-typed-array 'f64 7 '(3 4))))
  (test-equal "bytes" (u8vector 1 2) (kept #vu8(1 2)))
  (test-equal "what cannot be written" #t (says? (write-npy file 'a) file "cannot write a"))
  (test-equal "an item that cannot be written" #t (says? (write-npy file '(1 a)) "item 1 is a"))
  (test-equal "items of two kinds" #t (says? (write-npy file '(1 "a")) "item 1 is \"a\", but the first one is 1"))
  (test-equal "integers that are too large" #t (says? (write-npy file (list (expt 2 64))) "do not fit into 64 bits")))

(define (test-numpy folder)
  (define (in name) (string-append folder "/" name))
  (test-equal "numpy writes" ""
    (run-python "import numpy as np, os" (string-append "os.chdir('" folder "')")
                "a = np.arange(24.).reshape(2, 3, 4)"
                "np.save('fortran.npy', np.asfortranarray(a)); np.save('turned.npy', a.T)"
                "np.save('big.npy', np.arange(5, dtype='>i2')); np.save('bigc.npy', np.array([1+2j, 3], dtype='>c16'))"
                "np.save('fbig.npy', np.asfortranarray(np.arange(6, dtype='>f4').reshape(2, 3)))"
                "np.save('half.npy', np.array([1.5, -0., np.inf, 6e-8, 65504], dtype='f2'))"
                "np.save('u.npy', np.array([['añb', ''], ['c', 'd']], order='F')); np.save('s.npy', np.array([b'ab', b'c']))"
                "np.save('ubig.npy', np.array(['añ', 'b']).astype('>U2'))"
                "np.save('b.npy', np.asfortranarray([[True, False], [True, True]])); np.save('zero.npy', np.float64(2.5))"
                "np.save('o.npy', np.array([1, None], dtype=object)); np.save('r.npy', np.zeros(3, dtype=[('x', 'f8'), ('y', 'i4')]))"
                "np.save('ld.npy', np.zeros(3, dtype=np.longdouble)); np.save('m.npy', np.zeros(3, dtype='M8[s]'))"
                "np.save('bad.npy', np.array([b'\\xff']))"
                "for v in (2, 3): np.lib.format.write_array(open('v%d.npy' % v, 'wb'), np.arange(3.), version=(v, 0))"
                "np.savez('plain.npz', a=a, **{'ü': np.arange(2)}); np.savez_compressed('small.npz', a=a); np.savez('none.npz')"))
  (let ((a (make-typed-array 'f64 0 2 3 4)))
    (array-index-map! a (lambda (i j k) (exact->inexact (+ (* 12 i) (* 4 j) k))))
    (test-equal "Fortran's order" a (read-npy (in "fortran.npy")))
    (test-equal "an array that was turned" (transpose-array a 2 1 0) (read-npy (in "turned.npy")))
    (test-equal "the last index runs fastest" (shared-array-root a) (array-contents (read-npy (in "fortran.npy")) #t))
    (test-equal "an archive" `(("a" . ,a) ("ü" . ,(s64vector 0 1))) (read-npz (in "plain.npz")))
    (test-equal "a compressed archive" `(("a" . ,a)) (read-npz (in "small.npz"))))
  (test-equal "an archive of nothing" '() (read-npz (in "none.npz")))
  (test-equal "another order of bytes" (s16vector 0 1 2 3 4) (read-npy (in "big.npy")))
  (test-equal "another order of bytes of complex numbers" (c64vector 1+2i 3) (read-npy (in "bigc.npy")))
  (test-equal "another order of both" (list->typed-array 'f32 2 '((0 1 2) (3 4 5))) (read-npy (in "fbig.npy")))
  (test-equal "numbers of 16 bits" (f32vector 1.5 -0.0 +inf.0 (expt 2. -24) 65504) (read-npy (in "half.npy")))
  (test-equal "texts in Fortran's order" #2(("añb" "") ("c" "d")) (read-npy (in "u.npy")))
  (test-equal "texts in another order of bytes" '("añ" "b") (read-npy (in "ubig.npy")))
  (test-equal "bytes that are texts" '("ab" "c") (read-npy (in "s.npy")))
  (test-equal "booleans" (list->typed-array 'b 2 '((#t #f) (#t #t))) (read-npy (in "b.npy")))
  (test-equal "no dimension" 2.5 (read-npy (in "zero.npy")))
  (test-equal "version 2" (f64vector 0 1 2) (read-npy (in "v2.npy")))
  (test-equal "version 3" (f64vector 0 1 2) (read-npy (in "v3.npy")))
  (test-equal "Python objects" #t (says? (read-npy (in "o.npy")) "o.npy" "pickled" "save arrays of numbers"))
  (test-equal "records" #t (says? (read-npy (in "r.npy")) "r.npy" "records with the fields x, y" "savez"))
  (test-equal "numbers of more bits" #t (says? (read-npy (in "ld.npy")) "more than 64 bits" "astype('f8')"))
  (test-equal "times" #t (says? (read-npy (in "m.npy")) "<M8[s]" "astype('int64')"))
  (test-equal "bytes that are no texts" #t (says? (read-npy (in "bad.npy")) "no UTF-8")))

(define (test-for-numpy folder)
  (define (in name) (string-append folder "/" name))
  (write-npz (in "ours.npz") values*)
  (write-npy (in "ours.npy") (list->typed-array 'c32 2 '((1 2+i) (3 4))))
  (test-equal "numpy reads" "complex64 (2, 2) (2+1j)\n"
    (run-python "import numpy as np" (string-append "a = np.load('" (in "ours.npy") "')") "print(a.dtype, a.shape, a[0, 1])"))
  (test-equal "numpy reads all kinds" "float64 float32 complex128 complex64 uint8 int8 uint16 int16 uint32 int32 uint64 int64 \
float64 bool float64 int16 float32 bool float64 int64 uint64 complex128 bool <U4 <U2 <U2\n"
    (run-python "import numpy as np" (string-append "z = np.load('" (in "ours.npz") "')") "print(*[z[k].dtype for k in z.files])"))
  (test-equal "numpy reads the values"
    "True True añb😀 [[[1, 2], [3, 4]], [[5, 6], [7, 8]]] \
[[True, False, True], [False, False, True]] ['a', '', 'üb']\n"
    (run-python "import numpy as np" (string-append "z = np.load('" (in "ours.npz") "')")
                "print((z['f64'].tobytes() == np.array([1.5, -0., np.inf, 1e-320]).tobytes()), z['large'] == 2**63, z['text'],"
                "      z['cube'].tolist(), z['bit-matrix'].tolist(), z['texts'].tolist())"))
  (write-npz (in "packed.npz") `((x . ,(make-f64vector 10000 1.))) #:compress? #t)
  (test-assert "a compressed archive is small" (< (stat:size (stat (in "packed.npz"))) 5000))
  (test-equal "numpy reads it" "10000.0\n"
    (run-python "import numpy as np" (string-append "print(np.load('" (in "packed.npz") "')['x'].sum())"))))

(define (test-archives folder)
  (define file (string-append folder "/a.npz"))
  (write-npz file values*)
  (test-equal "NPZ: what was written" values* (read-npz file))
  (let ((first (bytes-of file)))
    (write-npz file values*)
    (test-equal "NPZ: the same bytes for the same values" first (bytes-of file)))
  (write-npz file '())
  (test-equal "NPZ: nothing" '() (read-npz file))
  (test-equal "NPZ: two of one name" #t (says? (write-npz file '((a . 1) ("a" . 2))) "two arrays have the name a"))
  (test-equal "NPZ: no list" #t (says? (write-npz file 5) "an association list"))
  (write-bytes file #vu8())
  (test-equal "NPZ: an empty file" #t (says? (read-npz file) file "it is empty"))
  (write-npy file 1)
  (test-equal "NPZ: no archive" #t (says? (read-npz file) file "no NPZ archive"))
  (skip-without-python "a member that is no array" "zipfile"
    (lambda ()
      (run-python "import zipfile"
                  (string-append "z = zipfile.ZipFile('" file "', 'w'); z.writestr('readme.txt', 'hello, here'); z.close()"))
      (test-equal "NPZ: a member that is no array" #t (says? (read-npz file) "member readme.txt" "NUMPY")))))

;;; Headers.

(define (npy-with file header items)
  "Write an array with the text HEADER to FILE."
  (let* ((text (string-append header "\n")) (n (string-length text)))
    (call-with-output-file file
      (lambda (port)
        (put-bytevector port #vu8(#x93 78 85 77 80 89 1 0))
        (put-bytevector port (u8-list->bytevector (list (modulo n 256) (quotient n 256))))
        (put-bytevector port (string->utf8 text))
        (put-bytevector port items))
      #:binary #t)))

(define (test-headers file)
  (define two (f64vector 1 2))
  (define-syntax-rule (header-says name header part ...)
    (begin
      (npy-with file header two)
      (test-equal name #t (says? (read-npy file) file part ...))))
  (npy-with file "{\"descr\": '<f8', 'fortran_order': False, 'shape': (2L,), }" two)
  (test-equal "Python 2" two (read-npy file))
  (header-says "too many numbers" "{'descr': '<f8', 'fortran_order': False, 'shape': (3,)}" "(3,)" "24 bytes" "16 are there" "cut short")
  (header-says "too few numbers" "{'descr': '<f8', 'fortran_order': False, 'shape': (1,)}" "(1,)" "8 bytes" "16 are there")
  (header-says "a shape beyond all memory"
               "{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296, 4294967296)}" "are there")
  (header-says "a negative length" "{'descr': '<f8', 'fortran_order': False, 'shape': (-2,)}" "nothing of it is evaluated")
  (header-says "a program" "{'descr': '<f8', 'fortran_order': False, 'shape': __import__('os').getpid()}" "nothing of it is evaluated")
  (header-says "a sum" "{'descr': '<f8', 'fortran_order': False, 'shape': (1+1,)}" "nothing of it is evaluated")
  (header-says "no dictionary" "(1, 2)" "no dictionary")
  (header-says "no shape" "{'descr': '<f8', 'fortran_order': False}" "no shape")
  (header-says "another order" "{'descr': '<f8', 'fortran_order': 'no', 'shape': (2,)}" "fortran_order is \"no\"")
  (header-says "a type of nobody" "{'descr': '<q9', 'fortran_order': False, 'shape': (2,)}" "<q9")
  (header-says "no type" "{'descr': 5, 'fortran_order': False, 'shape': (2,)}" "its type is 5")
  (header-says "texts without a character" "{'descr': '<U0', 'fortran_order': False, 'shape': (99999999999,)}" "are there")
  (header-says "levels without end" (make-string 60000 #\() "nothing of it is evaluated")
  (header-says "an end too soon" "{'descr': '<f8', " "its end")
  (write-bytes file #vu8(1 2 3))
  (test-equal "a short file" #t (says? (read-npy file) file "3 bytes"))
  (write-bytes file #vu8(#x93 78 85 77 80 89 9 0 1 0 10))
  (test-equal "a version of nobody" #t (says? (read-npy file) "version 9.0"))
  (write-bytes file (make-bytevector 100 0))
  (test-equal "no array" #t (says? (read-npy file) "does not begin with")))

;;; Files.

(define (test-whole folder)
  (define file (string-append folder "/whole.npy"))
  (write-npy file (f64vector 1))
  (chmod file #o640)
  (symlink "whole.npy" (string-append folder "/link.npy"))
  (write-npy (string-append folder "/link.npy") (f64vector 2))
  (test-equal "what a link leads to is replaced" (f64vector 2) (read-npy file))
  (test-equal "the link stays" 'symlink (stat:type (lstat (string-append folder "/link.npy"))))
  (test-equal "permissions stay" #o640 (stat:perms (stat file))))

(define (test-full-disk)
  (with-small-disk
   (lambda (on-disk)
     (define program
       "(use-modules (tutti file) (tutti conditions) (srfi srfi-4) (ice-9 exceptions) (ice-9 ftw))
        (define x (make-f64vector 1000000 1.))
        (define (say thunk) (with-exception-handler (lambda (e) (display (exception-message e)) (newline)) thunk #:unwind? #t))
        (write-npy \"/mnt/a\" 1)
        (say (lambda () (write-npy \"/mnt/a\" x)))
        (say (lambda () (write-npz \"/mnt/b\" `((x . ,x)))))
        (write (read-npy \"/mnt/a\"))
        (write (scandir \"/mnt\"))")
     (let ((run (run-program (on-disk (list "guile" "-c" program)))))
       (test-equal "a full disk: the program goes on" 0 (program-status run))
       (test-equal "a full disk: it is said, what was there stays, and nothing else"
         (format #f "cannot write /mnt/a: ~a~%cannot write /mnt/b: Write error: ~a~%1(\".\" \"..\" \"a\")"
           (strerror ENOSPC) (strerror ENOSPC))
         (program-output run))))))

(define (test-damage folder)
  (define file (string-append folder "/damaged"))
  (define good (string-append folder "/good"))
  (define (damaged name write value read)
    (write good value)
    (test-equal (string-append "damage: " name) '() (damaged-reads good file 1500 read)))
  (damaged "NPY" write-npy (list->typed-array 'f64 2 '((1 2 3) (4 5 6))) read-npy)
  (damaged "texts in NPY" write-npy '("a" "bé") read-npy)
  (when (available? "file-npz")
    (let ((value `((a . ,(f64vector 1 2)) (b . "text") (c . #*101))))
      (damaged "NPZ" write-npz value read-npz)
      (damaged "compressed NPZ" (lambda (file value) (write-npz file value #:compress? #t)) value read-npz))))

(call-with-tap
 (lambda ()
   (call-with-folder
    (lambda (folder)
      (define file (string-append folder "/a.npy"))
      (test-group "npy" (round-trip-npy file))
      (test-group "conversions" (test-conversions file))
      (test-group "headers" (test-headers file))
      (test-group "whole" (test-whole folder))
      (test-group "no files" (test-no-files folder read-npy (lambda (file) (write-npy file 1))))
      (test-group "damage" (test-damage folder))
      (if (available? "file-npz")
          (begin
            (test-group "archives" (test-archives folder))
            (test-group "numpy"
              (skip-without-python "numpy" "numpy" (lambda () (test-numpy folder) (test-for-numpy folder))))
            (test-group "disk" (test-full-disk)))
          (tap-skip "archives" "this build has no libzip"))))))
