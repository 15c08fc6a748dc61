/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Operator modules: shared objects in C that are found, checked and kept loaded.
 *
 * A module stays loaded for the life of the process: some thread may be running its code, and its operators may be anywhere. So a
 * TtiModule is never freed and needs no reference. All functions may be called from any thread. */
#pragma once
#include "tutti/operator.h"
#include <glib.h>

typedef struct _TtiModule TtiModule;

/* The module FILE_OR_NAME: a file if it has a slash or ends in ".so", else a name, for which NAME.so is looked for in the folders of
 * $TUTTI_MODULEDIR (separated by colons), then in the installed folder. The same file is the same module, by whatever name it was
 * found. TUTTI_ERROR_MODULE if there is none, it cannot be loaded, or it does not fit this version. */
TtiModule *tti_module_open (const char *file_or_name, GError **error);

/* The absolute name, without symbolic links, of the file that tti_module_open () would open; free with g_free. WHAT, such as "operator",
 * is the kind of module in messages. TUTTI_ERROR_MODULE: there is none. */
char *tti_module_find_file (const char *file_or_name, const char *what, GError **error);

/* The same for a process that has started in FOLDER (NULL: not known) with ENVIRONMENT. NULL: there is none. */
char *tti_module_find_file_for (const char *file_or_name, const char *folder, const char *const *environment);

/* The module CONTENTS, which is linked into this program and lives as long: the same checks, the same errors. NAME stands for its
 * file in messages and in tti_module_get_file (); tti_module_open () does not find it. */
TtiModule *tti_module_adopt (const char *name, const TuttiOperatorModule *contents, GError **error);

/* The absolute name, without symbolic links, of the file that MODULE came from. */
const char *tti_module_get_file (TtiModule *module);

/* What is in the module, in the structures of the present version of the ABI, whichever it was built for. */
const TuttiOperatorModule *tti_module_get_contents (TtiModule *module);

/* The class NAME of MODULE; TUTTI_ERROR_MODULE, with the names of its classes, if it has none. */
const TuttiOperatorClass *tti_module_find_class (TtiModule *module, const char *name, GError **error);

/* Whether CLASS has a parameter NAME that is numbers, or one that is text. */
gboolean tti_class_has_numbers (const TuttiOperatorClass *class, const char *name);
gboolean tti_class_has_text (const TuttiOperatorClass *class, const char *name);

/* What the create of CLASS, a class of MODULE, returns for N PARAMETERS, which fit it. Nobody else calls create: that of a module which
 * was built for version 1 of the ABI takes parameters of another size. */
void *tti_module_create (TtiModule *module, const TuttiOperatorClass *class, const TuttiOperatorParameter *parameters, size_t n,
                         size_t *domain, size_t *codomain, char *error);
