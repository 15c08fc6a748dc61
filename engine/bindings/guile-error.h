/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* From the engine's errors to Scheme's conditions: the one place where C raises a condition of (tutti conditions).
 * That module is looked up when the first error is raised, so that it can be loaded without the extension. None of
 * these returns: the caller owns nothing when it calls one, but for the error that tti_guile_raise () takes. WHO
 * is the name of the procedure as the user knows it. */
#pragma once
#include <glib.h>
#include <libguile.h>

/* Raise the condition for ERROR, and free ERROR. An error of another domain than TUTTI_ERROR becomes a plain &tutti-
 * error. */
void tti_guile_raise (const char *who, GError *error) G_GNUC_NORETURN;

/* &shape-error; MESSAGE is a Scheme string, EXPECTED and ACTUAL are what its accessors give. */
void tti_guile_raise_shape (const char *who, SCM message, SCM expected, SCM actual) G_GNUC_NORETURN;

/* The same for two numbers, with a message of up to 255 bytes. */
void tti_guile_raise_sizes (const char *who, size_t expected, size_t actual, const char *format, ...)
    G_GNUC_PRINTF (4, 5) G_GNUC_NORETURN;

/* The integer N, from 0 to MOST (at most G_MAXSSIZE); anything else is an out-of-range or wrong-type-arg of WHO that says what was
 * expected: "a number of bytes". Guile's own conversions of what does not fit in 64 bits crash in some versions. */
gsize tti_guile_to_count (SCM n, gsize most, const char *who, const char *what);

/* &vector-busy for VECTOR. */
void tti_guile_raise_busy (const char *who, SCM vector) G_GNUC_NORETURN;

/* &not-remotable. MESSAGE: a Scheme string; WHERE: a Scheme string or #f; ADVICE: UTF-8 or NULL. */
void tti_guile_raise_not_remotable (const char *who, SCM message, SCM value, SCM where,
                                    const char *advice) G_GNUC_NORETURN;

/* TEXT of N_BYTES (-1: up to its NUL), UTF-8 or else in the encoding of the locale, as a Scheme string; what is neither becomes question
 * marks. */
SCM tti_guile_from_text (const char *text, gssize n_bytes);
