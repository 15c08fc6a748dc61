;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Files of vectors, arrays and tables that other programs read and write: NPY and NPZ (numpy), HDF5 (h5py, MATLAB,
;; Julia), CSV (pandas, R).
(define-module (tutti file)
  #:use-module (tutti file csv)
  #:use-module (tutti file hdf5)
  #:use-module (tutti file npy)
  #:use-module (tutti file npz)
  #:use-module (tutti file table)
  #:re-export (read-npy write-npy read-npz write-npz
               read-hdf5 write-hdf5 hdf5-contents hdf5-attributes write-hdf5-attributes
               read-csv write-csv
               table? make-table table-names table-rows table-column table-column->list table->alist
               table-select table-add table-sort table-filter table-head))
