/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Finding and checking operator modules: a compatible module is loaded once, under whatever names, an incompatible one is refused
 * with both versions. */
#include "module/loader.h"
#include "module/supplied.h"
#include "platform/error.h"
#include "platform/host-name.h"
#include <dlfcn.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static char *folder; /* empty, and removed at the end */

static void *
no_create (const TuttiOperatorParameter *parameters, size_t n, size_t *domain, size_t *codomain, char *error)
{
  (void) parameters, (void) n, (void) domain, (void) codomain, (void) error;
  return NULL;
}

static void
no_destroy (void *self)
{
  (void) self;
}

static int
no_evaluate (void *self, const double *x, double *y, char *error)
{
  (void) self, (void) x, (void) y, (void) error;
  return -1;
}

static int
no_linearize (void *self, const double *x, double *y, void **derivative, char *error)
{
  (void) derivative;
  return no_evaluate (self, x, y, error);
}

static int
no_derivative (void *self, void *derivative, const double *h, double *dy, char *error)
{
  (void) derivative;
  return no_evaluate (self, h, dy, error);
}

static void
no_free (void *self, void *derivative)
{
  (void) self, (void) derivative;
}

static const TuttiOperatorClass whole = { .name = "whole", .create = no_create, .destroy = no_destroy, .evaluate = no_evaluate,
                                          .linearize = no_linearize, .derivative = no_derivative, .adjoint = no_derivative,
                                          .derivative_free = no_free };

/* The message of the error because of which MODULE is NULL. */
static char *
refused (TtiModule *module, GError *error)
{
  g_assert_null (module);
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_MODULE);
  char *message = g_strdup (error->message);
  g_error_free (error);
  return message;
}

static char *
refused_open (const char *file_or_name)
{
  GError *error = NULL;
  TtiModule *module = tti_module_open (file_or_name, &error);

  return refused (module, error);
}

static void
assert_contains (const char *message, const char *part)
{
  if (strstr (message, part) == NULL)
    g_error ("'%s' is missing in: %s", part, message);
}

static void
test_same_file (void)
{
  g_autoptr (GError) error = NULL;
  TtiModule *by_name = tti_module_open ("mt1d", &error);
  g_assert_no_error (error);
  g_assert_cmpstr (tti_module_get_contents (by_name)->name, ==, "mt1d");
  const char *file = tti_module_get_file (by_name);
  g_assert_true (g_path_is_absolute (file));
  g_assert_true (tti_module_open (file, &error) == by_name);

  g_autofree char *alias = g_build_filename (folder, "alias.so", NULL);
  g_assert_cmpint (symlink (file, alias), ==, 0);
  g_assert_true (tti_module_open (alias, &error) == by_name);
  g_unlink (alias);
}

static void
test_folders_in_order (void)
{
  g_autofree char *before = g_strdup (g_getenv ("TUTTI_MODULEDIR"));
  g_autofree char *folders = g_strdup_printf ("%s::%s", folder, before);

  g_setenv ("TUTTI_MODULEDIR", folders, TRUE);
  g_autoptr (GError) error = NULL;
  g_assert_nonnull (tti_module_open ("mt1d", &error));
  g_assert_no_error (error);

  /* The first folder wins, even if its file is invalid. */
  g_autofree char *text = g_build_filename (folder, "mt1d.so", NULL);
  g_assert_true (g_file_set_contents (text, "not a library", -1, NULL));
  g_autofree char *message = refused_open ("mt1d");
  assert_contains (message, text);
  assert_contains (message, "cannot be loaded");
  g_unlink (text);
  g_setenv ("TUTTI_MODULEDIR", before, TRUE);
}

static GBytes *
contents_of (const char *file)
{
  g_autoptr (GError) error = NULL;
  char *contents;
  gsize size;

  g_file_get_contents (file, &contents, &size, &error);
  g_assert_no_error (error);
  return g_bytes_new_take (contents, size);
}

/* What was supplied is loaded under its name, wherever there is a file of that name, and whatever is in it. */
static void
test_supplied (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *helper = g_build_filename (g_getenv ("TUTTI_HELPERS"), "numbers-operator-2.so", NULL);
  g_autofree char *other = g_build_filename (g_getenv ("TUTTI_HELPERS"), "text-operator.so", NULL);
  g_autoptr (GBytes) numbers = contents_of (helper), text = contents_of (other);
  g_autofree char *missing = g_build_filename (folder, "no-folder", "numbers.so", NULL);
  g_autofree char *changed = g_build_filename (folder, "changed.so", NULL);

  tti_supply_module (missing, numbers);
  TtiModule *module = tti_module_open (missing, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (tti_module_get_file (module), ==, missing);
  g_assert_cmpstr (tti_module_get_contents (module)->name, ==, "numbers");
  g_assert_true (tti_module_open (missing, NULL) == module);

  g_assert_true (g_file_set_contents (changed, "something else", -1, NULL));
  tti_supply_module (changed, text);
  module = tti_module_open (changed, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (tti_module_get_contents (module)->name, ==, "text");
  g_unlink (changed);

  /* The same file is loaded itself: its name is what the loader knows. */
  g_autofree char *path = NULL;
  tti_supply_module (helper, numbers);
  path = tti_supplied_get_path (helper, &error);
  g_assert_cmpstr (path, ==, helper);
}

static void
test_supplied_for_others (void)
{
  g_autoptr (GBytes) contents = g_bytes_new_static ("\177ELF of another machine", 23), none = g_bytes_new_static ("", 0);

  tti_supply_module ("/no/such/folder/other.so", contents);
  g_autofree char *message = refused_open ("/no/such/folder/other.so");
  assert_contains (message, "'/no/such/folder/other.so'");
  assert_contains (message, tti_host_name ());
  g_assert_null (strstr (message, "/proc/"));

  tti_supply_module ("/no/such/folder/empty.so", none);
  g_autofree char *empty = refused_open ("/no/such/folder/empty.so");
  assert_contains (empty, "empty.so");
}

static void
test_not_found (void)
{
  g_autofree char *by_name = refused_open ("no-such-module");
  g_autofree char *candidate = g_build_filename (g_getenv ("TUTTI_MODULEDIR"), "no-such-module.so", NULL);
  assert_contains (by_name, candidate);
  assert_contains (by_name, "TUTTI_MODULEDIR");

  g_autofree char *by_file = refused_open ("./no-such-module.so");
  assert_contains (by_file, "./no-such-module.so");
  assert_contains (by_file, "No such file");
}

static void
test_without_symbol (void)
{
  Dl_info glib;
  g_assert_cmpint (dladdr ((void *) g_malloc, &glib), !=, 0);
  /* In a sanitized build g_malloc may be found in this program; any library that is not a module will do. */
  g_autofree char *message = refused_open (strstr (glib.dli_fname, ".so") != NULL ? glib.dli_fname : "libc.so.6");
  assert_contains (message, "tutti_operator_module");
}

/* Whatever is behind the number is not looked at: it may be at another place. */
static void
assert_abi_refused (int abi, const char *advice)
{
  GError *error = NULL;
  const struct
  {
    int abi;
    guint8 other[100];
  } other = { .abi = abi, .other = { 1, 2, 3 } };
  TtiModule *module = tti_module_adopt ("some/file.so", (const TuttiOperatorModule *) &other, &error);
  g_autofree char *message = refused (module, error), *given = g_strdup_printf ("was built for ABI %d, ", abi);

  assert_contains (message, "some/file.so");
  assert_contains (message, given);
  assert_contains (message, "expected 1 or 2");
  assert_contains (message, advice);
}

static void
test_abi (void)
{
  g_assert_cmpint (TUTTI_OPERATOR_ABI, ==, 2);
  assert_abi_refused (0, "; build it again with the installed tutti/operator.h");
  assert_abi_refused (-1, "; build it again");
  assert_abi_refused (3, "; install a newer Tutti, or build it again with the installed tutti/operator.h");
  assert_abi_refused (77, "; install a newer Tutti, or build it again");
  assert_abi_refused (G_MAXINT, "; install a newer Tutti, or build it again");
}

/* What a later version makes of a field, this one cannot do. */
static void
test_reserved (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (whole.reserved); i++)
    {
      GError *error = NULL;
      TuttiOperatorClass later[] = { whole, whole };
      const TuttiOperatorModule contents = { .abi = TUTTI_OPERATOR_ABI, .name = "later", .n_classes = 2, .classes = later };

      later[1].reserved[i] = "new";
      TtiModule *module = tti_module_adopt ("later.so", &contents, &error);
      g_autofree char *message = refused (module, error);
      assert_contains (message, "'later.so': class 1 ('whole')");
      assert_contains (message, "needs a newer Tutti; install that, or build the module again");
    }
  GError *error = NULL;
  TuttiOperatorModule contents = { .abi = TUTTI_OPERATOR_ABI, .name = "later", .n_classes = 1, .classes = &whole };
  contents.reserved[3] = "new";
  TtiModule *module = tti_module_adopt ("later.so", &contents, &error);
  g_autofree char *message = refused (module, error);
  assert_contains (message, "needs a newer Tutti");
}

/* A parameter is of one kind. */
static void
test_two_kinds (void)
{
  static const char *const numbers[] = { "a", "b", NULL };
  static const char *const texts[] = { "c", "b", NULL };
  GError *error = NULL;
  TuttiOperatorClass torn = whole;
  const TuttiOperatorModule contents = { .abi = TUTTI_OPERATOR_ABI, .name = "torn", .n_classes = 1, .classes = &torn };

  torn.parameters = numbers;
  torn.text_parameters = texts;
  TtiModule *module = tti_module_adopt ("torn.so", &contents, &error);
  g_autofree char *message = refused (module, error);
  assert_contains (message, "'torn.so': class 0 ('whole') has 'b' among its parameters and its text_parameters");
}

static void
test_missing_function (void)
{
  GError *error = NULL;
  TuttiOperatorClass part = whole;
  const TuttiOperatorModule contents = { .abi = TUTTI_OPERATOR_ABI, .name = "parts", .n_classes = 1, .classes = &part };

  part.adjoint = NULL;
  TtiModule *module = tti_module_adopt ("parts", &contents, &error);
  g_autofree char *message = refused (module, g_steal_pointer (&error));
  assert_contains (message, "'whole'");
  assert_contains (message, "'adjoint'");

  part = whole;
  part.name = NULL;
  module = tti_module_adopt ("parts", &contents, &error);
  g_autofree char *nameless = refused (module, error);
  assert_contains (nameless, "'name'");
}

/* A module of version 1 ends where the present structures begin to have more: nothing of that is read, and what it has is checked. */
static void
test_former (void)
{
  static TtiModule *former; /* as long as the program, as every module */
  static TuttiOperatorClass class;
  static TuttiOperatorModule contents = { .abi = 1, .name = "former", .n_classes = 1, .classes = &class };
  static const char *const names[] = { "behind the end", NULL };
  GError *error = NULL;

  class = whole;
  class.text_parameters = names;
  class.reserved[0] = contents.reserved[0] = names;
  former = tti_module_adopt ("former.so", &contents, &error);
  g_assert_no_error (error);
  const TuttiOperatorClass *adapted = tti_module_find_class (former, "whole", &error);
  g_assert_no_error (error);
  g_assert_null (adapted->text_parameters);
  g_assert_null (adapted->reserved[0]);
  g_assert_false (tti_class_has_text (adapted, "behind the end"));
  g_assert_true (adapted->evaluate == no_evaluate);

  class.create = NULL;
  TtiModule *module = tti_module_adopt ("former.so", &contents, &error);
  g_autofree char *message = refused (module, error);
  assert_contains (message, "'former.so': class 0 ('whole') has no 'create'");
}

static void
test_no_class (void)
{
  g_autoptr (GError) error = NULL;
  TtiModule *module = tti_module_open ("mt1d", &error);

  g_assert_no_error (error);
  g_assert_nonnull (tti_module_find_class (module, "response", &error));
  g_assert_null (tti_module_find_class (module, "respond", &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_MODULE);
  assert_contains (error->message, "'respond'");
  assert_contains (error->message, "'response'");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  folder = g_dir_make_tmp ("test-loader-XXXXXX", NULL);
  g_assert_nonnull (folder);
  g_test_add_func ("/loader/open/same-file-is-same-module", test_same_file);
  g_test_add_func ("/loader/open/folders-in-order", test_folders_in_order);
  g_test_add_func ("/loader/open/not-found", test_not_found);
  g_test_add_func ("/loader/open/supplied", test_supplied);
  g_test_add_func ("/loader/open/supplied-for-other-machines", test_supplied_for_others);
  g_test_add_func ("/loader/open/without-symbol", test_without_symbol);
  g_test_add_func ("/loader/adopt/abi", test_abi);
  g_test_add_func ("/loader/adopt/former", test_former);
  g_test_add_func ("/loader/adopt/reserved", test_reserved);
  g_test_add_func ("/loader/adopt/two-kinds", test_two_kinds);
  g_test_add_func ("/loader/adopt/missing-function", test_missing_function);
  g_test_add_func ("/loader/find-class/unknown", test_no_class);
  int status = g_test_run ();
  g_rmdir (folder);
  g_free (folder);
  return status;
}
