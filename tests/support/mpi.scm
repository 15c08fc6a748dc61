;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Programs with MPI in tests: the helper mpi-ranks, where there is an MPI.
(define-module (mpi)
  #:use-module (programs)
  #:use-module (srfi srfi-1)
  #:export (ranks-program mpi-obstacle prepare-mpi))

(define ranks-program (helper "mpi-ranks"))

(define (mpi-obstacle)
  "Return why there can be no programs with MPI here, or @code{#f}."
  (cond ((not (file-exists? ranks-program)) "there was no mpicc when this was built")
        ((not (search-path (string-split (getenv "PATH") #\:) "mpiexec")) "there is no mpiexec on the PATH")
        (else #f)))

(define (prepare-mpi)
  "Let Open MPI, 4 or 5, start ranks as root, and more of them than there are processors."
  (for-each (lambda (setting) (apply setenv setting))
            '(("OMPI_ALLOW_RUN_AS_ROOT" "1") ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM" "1") ("OMPI_MCA_rmaps_base_oversubscribe" "1")
              ("PRTE_ALLOW_RUN_AS_ROOT" "1") ("PRTE_ALLOW_RUN_AS_ROOT_CONFIRM" "1")
              ("PRTE_MCA_rmaps_default_mapping_policy" ":oversubscribe"))))
