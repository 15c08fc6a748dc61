;; SPDX-License-Identifier: LGPL-3.0-or-later
;; HDF5 files: what h5py writes we read, and the other way round; what cannot be read is said; damage is found.
(use-modules (tap) (damage) (programs) (pythons) (tutti) (tutti file) (tutti file library)
             (rnrs bytevectors) (srfi srfi-1) (srfi srfi-4) (srfi srfi-4 gnu) (srfi srfi-64))

(define values*
  `(("f64" . ,(f64vector 1.5 -0.0 +inf.0 1e-320)) ("f32" . ,(f32vector 1.5 2)) ("c64" . ,(c64vector 1+2i -3)) ("c32" . ,(c32vector 1-2i))
    ("u8" . ,(u8vector 0 255)) ("s8" . ,(s8vector -128 127)) ("u16" . ,(u16vector 65535)) ("s16" . ,(s16vector -32768 1))
    ("u32" . ,(u32vector 4294967295)) ("s32" . ,(s32vector -2147483648)) ("u64" . ,(u64vector 18446744073709551615))
    ("s64" . ,(s64vector -9223372036854775808 5)) ("empty" . ,(f64vector)) ("bits" . #*10110)
    ("matrix" . ,(list->typed-array 'f64 2 '((1 2 3) (4 5 6)))) ("cube" . ,(list->typed-array 's16 3 '(((1 2) (3 4)) ((5 6) (7 8)))))
    ("none" . ,(make-typed-array 'f32 0 2 0 3)) ("bit-matrix" . ,(list->typed-array 'b 2 '((#t #f #t) (#f #f #t))))
    ("number" . 2.5) ("integer" . -7) ("large" . ,(expt 2 63)) ("complex" . 1.0+2.0i) ("true" . #t) ("text" . "añb😀")
    ("texts" . ("a" "" "üb")) ("text-matrix" . #2(("a" "bc") ("" "d")))))

(define (test-round-trip file)
  (for-each (lambda (pair)
              (let ((path (string-append "/group/" (car pair))))
                (write-hdf5 file path (cdr pair) #:attributes `(("units" . "m/s") (same . ,(cdr pair))))
                (test-equal (car pair) (cdr pair) (read-hdf5 file path))
                (test-equal (string-append (car pair) " as an attribute")
                `(("same" . ,(cdr pair)) ("units" . "m/s")) (hdf5-attributes file path))))
            values*)
  (test-equal "what is there" '(("/group" group ()) ("/group/bit-matrix" b (2 3)) ("/group/bits" b (5)) ("/group/c32" c32 (1)))
    (take (hdf5-contents file) 4))
  (write-hdf5 file "group/f64" "another")
  (test-equal "what was there is replaced, with its attributes" '("another" ())
    (list (read-hdf5 file "group/f64") (hdf5-attributes file "group/f64")))
  (write-hdf5-attributes file "/" '((title . "a file")))
  (write-hdf5-attributes file "group" '((depth . 3.5)))
  (write-hdf5-attributes file "group" '((depth . 4)))
  (test-equal "attributes of files and groups" '((("title" . "a file")) (("depth" . 4)))
    (list (hdf5-attributes file "/") (hdf5-attributes file "group")))
  (write-hdf5 file "long" 1 #:attributes `((x . ,(make-f64vector 20000 1.))))
  (test-equal "an attribute of any size" 20000 (f64vector-length (assoc-ref (hdf5-attributes file "long") "x")))
  (test-equal "a view of another array" (list->typed-array 'f64 2 '((1. 4.) (2. 5.)))
    (begin (write-hdf5 file "v" (transpose-array (list->typed-array 'f64 2 '((1 2) (4 5))) 1 0)) (read-hdf5 file "v"))))

(define (test-paths file)
  (write-hdf5 file "a/b" (f64vector 1 2))
  (write-hdf5 file "a/c/d" 1)
  (test-equal "a path that is not there" #t (says? (read-hdf5 file "/a/x/y") file "there is no /a/x/y" "/a has: b, c"))
  (test-equal "another" #t (says? (read-hdf5 file "x") file "there is no x" "/ has: a"))
  (test-equal "a path below a dataset" #t (says? (read-hdf5 file "a/b/c") file "a part of it is a dataset"))
  (test-equal "a group" #t (says? (read-hdf5 file "a") file "it is a group" "/a/b, /a/c/d"))
  (test-equal "no path" #t (says? (read-hdf5 file "") file "the path is \"\""))
  (test-equal "no attribute has such a name" #t (says? (write-hdf5 file "z" 1 #:attributes '((5 . 1))) "the name of an attribute is 5"))
  (test-equal "a group is not replaced" #t (says? (write-hdf5 file "a" 1) file "is a group"))
  (test-equal "nothing is below a dataset" #t (says? (write-hdf5 file "a/b/c" 1) file "a part of it is a dataset"))
  (test-equal "what cannot be written" #t (says? (write-hdf5 file "z" 'a) file "cannot write a"))
  (test-equal "all that is as it was" (f64vector 1 2) (read-hdf5 file "a/b")))

(define (test-h5py folder)
  (define (in name) (string-append folder "/" name))
  (define file (in "theirs.h5"))
  (test-equal "h5py writes" ""
    (run-python "import h5py, numpy as np" (string-append "h = h5py.File('" file "', 'w')")
                "h['x'] = np.arange(3.); h['x'].attrs['units'] = 'm'; h['x'].attrs['v'] = np.arange(3)"
                "h['x'].attrs['bytes'] = np.bytes_('kg')"
                "h['g/big'] = np.arange(6, dtype='>i4').reshape(2, 3); h['c'] = np.array([1 + 2j, 3]); h['s'] = 'hé'; h['l'] = ['a', 'bc']"
                "h['fixed'] = np.array([b'ab', b'c']); h['b'] = np.array([True, False]); h['number'] = 3"
                "h['half'] = np.array([1, 2.5], dtype='f2')"
                "h.create_dataset('z', data=np.arange(1000.).reshape(10, 100), chunks=(3, 7), compression='gzip',"
                "                 shuffle=True, fletcher32=True)"
                "h['e'] = h5py.Empty('f'); h['r'] = np.zeros(2, dtype=[('x', 'f8'), ('y', 'i4')])"
                "h['ld'] = np.zeros(2, dtype=np.longdouble)"
                "h['vl'] = np.array([1, 2]); h.create_dataset('seq', (2,), dtype=h5py.vlen_dtype('f8'))"
                "h['soft'] = h5py.SoftLink('/nothing'); h['near'] = h5py.SoftLink('/x'); h['ref'] = h['x'].ref"
                "h.create_dataset('sparse', (10**15,), chunks=(1000,)); h.attrs['none'] = h5py.Empty('f'); h.close()"))
  (test-equal "numbers" (f64vector 0 1 2) (read-hdf5 file "x"))
  (test-equal "attributes" `(("bytes" . "kg") ("units" . "m") ("v" . ,(s64vector 0 1 2))) (hdf5-attributes file "x"))
  (test-equal "an attribute without a value is left out" '() (hdf5-attributes file "/"))
  (test-equal "another order of bytes" (list->typed-array 's32 2 '((0 1 2) (3 4 5))) (read-hdf5 file "g/big"))
  (test-equal "complex numbers" (c64vector 1+2i 3) (read-hdf5 file "c"))
  (test-equal "a text" "hé" (read-hdf5 file "s"))
  (test-equal "texts" '("a" "bc") (read-hdf5 file "l"))
  (test-equal "texts of one length" '("ab" "c") (read-hdf5 file "fixed"))
  (test-equal "booleans" #*10 (read-hdf5 file "b"))
  (test-equal "no dimension" 3 (read-hdf5 file "number"))
  (test-equal "numbers of 16 bits" (f32vector 1 2.5) (read-hdf5 file "half"))
  (test-equal "chunks that are compressed" 999. (array-ref (read-hdf5 file "z") 9 99))
  (test-equal "a link" (f64vector 0 1 2) (read-hdf5 file "near"))
  (test-equal "a link to nothing" #t (says? (read-hdf5 file "soft") file "leads to nothing"))
  (test-equal "no value" #t (says? (read-hdf5 file "e") file "no value"))
  (test-equal "records" #t (says? (read-hdf5 file "r") file "records with the fields x, y"))
  (test-equal "numbers of more bits" #t (says? (read-hdf5 file "ld") file "would lose digits"))
  (test-equal "sequences" #t (says? (read-hdf5 file "seq") file "sequences"))
  (test-equal "references" #t (says? (read-hdf5 file "ref") file "references"))
  (test-equal "more than any memory" #t (says? (read-hdf5 file "sparse") file "MB of memory"))
  (test-equal "what is there" '(("/b" b (2)) ("/c" c64 (2)) ("/e" empty ()) ("/fixed" text (2)) ("/g" group ()))
    (take (hdf5-contents file) 5))
  (test-equal "and what is nowhere" '(("/soft" missing ())) (filter (lambda (entry) (eq? (second entry) 'missing)) (hdf5-contents file))))

(define (test-for-h5py folder)
  (define file (string-append folder "/ours.h5"))
  (for-each (lambda (pair) (write-hdf5 file (car pair) (cdr pair) #:attributes `((units . "m/s") (value . ,(cdr pair))))) values*)
  (test-equal "h5py reads the kinds" "float64 float32 complex128 complex64 uint8 int8 uint16 int16 uint32 int32 uint64 int64 \
float64 bool float64 int16 float32 bool float64 int64 uint64 complex128 bool object object object\n"
    (run-python "import h5py" (string-append "h = h5py.File('" file "', 'r')")
                (format #f "print(*[h[k].dtype for k in '~{~a~^ ~}'.split()])" (map car values*))))
  (test-equal "h5py reads the values"
    "True [[[1, 2], [3, 4]], [[5, 6], [7, 8]]] [True, False, True, True, False] \
añb😀 ['a' '' 'üb'] m/s <class 'str'> (3,)\n"
    (run-python "import h5py, numpy as np" (string-append "h = h5py.File('" file "', 'r')")
                "print(h['f64'][()].tobytes() == np.array([1.5, -0., np.inf, 1e-320]).tobytes(),"
                "      h['cube'][()].tolist(), h['bits'][()].tolist(),"
                "      h['text'].asstr()[()], h['texts'].asstr()[()], h['f64'].attrs['units'],"
                "      type(h['text'].attrs['value']), h['texts'].attrs['value'].shape)")))

(define (test-faults folder)
  (define file (string-append folder "/fault.h5"))
  (write-bytes file (string->utf8 "no HDF5, but some text that is long enough to be looked at"))
  (test-equal "no HDF5 file" #t (says? (read-hdf5 file "x") file "no HDF5 file"))
  (test-equal "nor can it be changed" #t (says? (write-hdf5 file "x" 1) file "no HDF5 file"))
  (write-bytes file #vu8())
  (test-equal "an empty file" #t (says? (read-hdf5 file "x") file "no HDF5 file"))
  (delete-file file)
  (write-hdf5 file "x" (make-f64vector 10000 1.))
  (write-bytes file (part-of (bytes-of file) 40000))
  (test-equal "a file that is cut short" #t (says? (read-hdf5 file "x") file "truncated"))
  ;; What libhdf5 has to say about all that is said by us alone.
  (let ((run (run-program (list "guile" "-c" "(use-modules (tutti file) (tutti conditions))
              (for-each (lambda (path) (false-if-error (read-hdf5 (cadr (command-line)) path))) '(\"x\" \"y\" \"a/b\"))" file))))
    (test-equal "the library prints nothing" '(0 "" "") (list (program-status run) (program-output run) (program-errors run)))))

(define (test-loading)
  (define (maps part)
    (program-output (run-program (list "guile" "-c" (string-append "(use-modules (tutti file) (srfi srfi-4) (ice-9 textual-ports))" part "
      (define maps (call-with-input-file \"/proc/self/maps\" get-string-all))
      (display (if (string-contains maps \"libhdf5\") \"loaded\" \"not loaded\"))")))))
  (test-equal "the library is not loaded before it is needed" "not loaded" (maps ""))
  (test-equal "but then" "loaded" (maps "(catch #t (lambda () (read-hdf5 \"/bin/sh\" \"x\")) (const #f))")))

(define (test-full-disk)
  (with-small-disk
   (lambda (on-disk)
     (define program
       "(use-modules (tutti file) (tutti conditions) (srfi srfi-4) (ice-9 exceptions) (ice-9 ftw))
        (define x (make-f64vector 1000000 1.))
        (define (say thunk) (with-exception-handler (lambda (e) (display (exception-message e)) (newline)) thunk #:unwind? #t))
        (say (lambda () (write-hdf5 \"/mnt/new\" \"x\" x)))
        (write-hdf5 \"/mnt/old\" \"a\" 1)
        (say (lambda () (write-hdf5 \"/mnt/old\" \"x\" x)))
        (write-hdf5 \"/mnt/old\" \"y\" (make-f64vector 50000 1.))
        (write (map car (hdf5-contents \"/mnt/old\")))
        (write (scandir \"/mnt\"))")
     (let ((run (run-program (on-disk (list "guile" "-c" program)))))
       (test-equal "a full disk: the program goes on" '(0 "") (list (program-status run) (program-errors run)))
       (test-equal "a full disk: it is said, and what was there is as it was"
         (format #f "cannot write /mnt/new: ~a; 8069632 bytes are needed~%cannot write /mnt/old: ~a; 8069632 bytes are needed
(\"/a\" \"/y\")(\".\" \"..\" \"old\")" (strerror ENOSPC) (strerror ENOSPC))
         (program-output run))))))

;;; Damage.

(define-remote (read-all file)
  "Read all datasets and attributes of FILE that can be read."
  (for-each (lambda (entry)
              (with-exception-handler (lambda (error) (unless (tutti-error? error) (raise-exception error)))
                (lambda () (read-hdf5 file (car entry)) (hdf5-attributes file (car entry)))
                #:unwind? #t))
            (hdf5-contents file)))

(define-remote (damaged-in-task good file flips)
  (length (damaged-reads good file flips read-all)))

(define (test-damage folder)
  (define good (string-append folder "/good.h5"))
  (define file (string-append folder "/damaged.h5"))
  (write-hdf5 good "g/a" (f64vector 1 2 3) #:attributes '((scale . 2.5) (n . #s64(1 2))))
  (write-hdf5 good "s" 1)
  (write-hdf5 good "b" #*101)
  (write-hdf5 good "m" (list->typed-array 'c64 2 '((1 2+i) (3 4))))
  (test-equal "damage to numbers of ours" '() (damaged-reads good file 1000 read-all))
  ;; Heaps of texts have no checksums, and damage to them can crash the library, or keep it for ever: that is the worker's end, no more.
  (write-hdf5 good "t" '("a" "bc"))
  (test-assert "damage to texts, in tasks"
    (call-with-pool 1
      (lambda (pool)
        (parameterize ((task-retries 0) (task-timeout 5) (death-port #f) (progress-port #f))
          (with-exception-handler (lambda (error) (or (worker-died? error) (task-timeout? error)))
            (lambda () (equal? '(0) (pool-map pool damaged-in-task (list good) (list file) '(200))))
            #:unwind? #t))))))

(call-with-tap
 (lambda ()
   (if (available? "file-hdf5")
       (call-with-folder
        (lambda (folder)
          (define (in name) (string-append folder "/" name))
          (test-group "values" (test-round-trip (in "values.h5")))
          (test-group "paths" (test-paths (in "paths.h5")))
          (test-group "faults" (test-faults folder))
          (test-group "loading" (test-loading))
          (test-group "no files" (test-no-files folder (lambda (file) (read-hdf5 file "x")) (lambda (file) (write-hdf5 file "x" 1))))
          (test-group "h5py" (skip-without-python "h5py" "h5py" (lambda () (test-h5py folder) (test-for-h5py folder))))
          (test-group "disk" (test-full-disk))
          (test-group "damage" (test-damage folder))))
       (tap-skip "HDF5" "this build has no HDF5"))))
