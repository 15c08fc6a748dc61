/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The functions of LAPACK that the engine calls, as Fortran has them: its C header comes in a separate package. Matrices are column-
 * major; the last arguments are the lengths of the texts. For the sources of this folder only. */
#pragma once
#include <stddef.h>

/* Dense systems: by Cholesky's factorisation, and by LU with row exchanges. */
extern void dpotrf_ (const char *uplo, const int *n, double *a, const int *lda, int *info, size_t);
extern void dpotrs_ (const char *uplo, const int *n, const int *n_rhs, const double *a, const int *lda, double *b, const int *ldb,
                     int *info, size_t);
extern void dgetrf_ (const int *m, const int *n, double *a, const int *lda, int *pivots, int *info);
extern void dgetrs_ (const char *trans, const int *n, const int *n_rhs, const double *a, const int *lda, const int *pivots, double *b,
                     const int *ldb, int *info, size_t);

/* The same of band matrices. */
extern void dpbtrf_ (const char *uplo, const int *n, const int *kd, double *ab, const int *ldab, int *info, size_t);
extern void dpbtrs_ (const char *uplo, const int *n, const int *kd, const int *n_rhs, const double *ab, const int *ldab, double *b,
                     const int *ldb, int *info, size_t);
extern void dgbtrf_ (const int *m, const int *n, const int *kl, const int *ku, double *ab, const int *ldab, int *pivots, int *info);
extern void dgbtrs_ (const char *trans, const int *n, const int *kl, const int *ku, const int *n_rhs, const double *ab, const int *ldab,
                     const int *pivots, double *b, const int *ldb, int *info, size_t);

/* Least squares and orthogonal factorisations. */
extern void dgeqrf_ (const int *m, const int *n, double *a, const int *lda, double *tau, double *work, const int *lwork, int *info);
extern void dormqr_ (const char *side, const char *trans, const int *m, const int *n, const int *k, const double *a, const int *lda,
                     const double *tau, double *c, const int *ldc, double *work, const int *lwork, int *info, size_t, size_t);
extern void dgeqp3_ (const int *m, const int *n, double *a, const int *lda, int *pivots, double *tau, double *work, const int *lwork,
                     int *info);
extern void dpstrf_ (const char *uplo, const int *n, double *a, const int *lda, int *pivots, int *rank, const double *tolerance,
                     double *work, int *info, size_t);
extern void dgelsy_ (const int *m, const int *n, const int *n_rhs, double *a, const int *lda, double *b, const int *ldb, int *pivots,
                     const double *rcond, int *rank, double *work, const int *lwork, int *info);

/* Eigenvalues and singular values. */
extern void dsyev_ (const char *jobz, const char *uplo, const int *n, double *a, const int *lda, double *w, double *work,
                    const int *lwork, int *info, size_t, size_t);
extern void dgesvd_ (const char *jobu, const char *jobvt, const int *m, const int *n, double *a, const int *lda, double *s, double *u,
                     const int *ldu, double *vt, const int *ldvt, double *work, const int *lwork, int *info, size_t, size_t);
