/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Files that somebody truncates while vectors map them (transport/mapped-file.h): what is said before SIGBUS ends one of Tutti's own
 * programs. It is a signal handler, so it is not in the library of applications. */
#pragma once

/* From now on, if SIGBUS is about to end the process because of such a file, name the vector and the file on stderr first. A handler that
 * the program has already is kept. */
void tti_file_faults_report (void);
