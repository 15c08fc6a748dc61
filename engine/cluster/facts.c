/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Where each fact comes from. Libraries are asked themselves, those that this process computes with; that is looked up by name, as this
 * layer is linked with none of them. */
#include "cluster/facts.h"
#include "platform/control-group.h"
#include "platform/cpu-set.h"
#include "platform/gpus.h"
#include "platform/processors.h"
#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <link.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define UNKNOWN "unknown"

/* Libraries. */

enum
{
  BUILD_BYTES = 8 /* of the number of a build, which has 20: enough to tell two apart */
};

typedef struct
{
  const char *library;
  GString *build;
} BuildSearch;

/* Append to TEXT the number of the build that is among the NOTES of a library. */
static void
append_build (GString *text, const char *notes, gsize size)
{
  while (size >= sizeof (ElfW (Nhdr)))
    {
      const ElfW (Nhdr) *note = (const ElfW (Nhdr) *) notes;
      gsize name = (note->n_namesz + 3u) & ~3u, contents = (note->n_descsz + 3u) & ~3u, all = sizeof *note + name + contents;

      if (all > size)
        return;
      if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && memcmp (notes + sizeof *note, "GNU", 4) == 0)
        for (guint i = 0; i < MIN (note->n_descsz, BUILD_BYTES); i++)
          g_string_append_printf (text, "%02x", (guint8) notes[sizeof *note + name + i]);
      notes += all;
      size -= all;
    }
}

static int
look_at_library (struct dl_phdr_info *info, size_t size, void *data)
{
  BuildSearch *search = data;
  g_autofree char *name = g_path_get_basename (info->dlpi_name);

  (void) size;
  if (!g_str_equal (name, search->library))
    return 0;
  for (guint i = 0; i < info->dlpi_phnum; i++)
    if (info->dlpi_phdr[i].p_type == PT_NOTE && info->dlpi_phdr[i].p_align <= 4)
      append_build (search->build, (const char *) (info->dlpi_addr + info->dlpi_phdr[i].p_vaddr), info->dlpi_phdr[i].p_memsz);
  return 1;
}

/* TEXT, and which build of LIBRARY is loaded. To be freed. */
static char *
with_build (const char *text, const char *library)
{
  g_autoptr (GString) build = g_string_new (NULL);
  g_autofree char *path = NULL, *file = NULL;
  void *handle = dlopen (library, RTLD_LAZY | RTLD_NOLOAD);
  struct link_map *map = NULL;

  /* Its file may have another name. */
  if (handle != NULL && dlinfo (handle, RTLD_DI_LINKMAP, &map) == 0)
    file = g_path_get_basename (map->l_name);
  dl_iterate_phdr (look_at_library, &(BuildSearch) { file != NULL ? file : library, build });
  if (handle != NULL)
    dlclose (handle);
  return build->len > 0 ? g_strdup_printf ("%s, build %s", text, build->str) : g_strdup (text);
}

/* What the function or the text NAME of LIBRARY says; "unknown" if there is none. The library stays loaded, as its text may be its own. */
static const char *
ask_library (const char *library, const char *name, gboolean is_function)
{
  void *handle = dlopen (library, RTLD_LAZY | RTLD_LOCAL);
  void *symbol = handle != NULL ? dlsym (handle, name) : NULL;
  char *(*function) (void);

  if (symbol == NULL)
    return UNKNOWN;
  if (!is_function)
    return symbol;
  memcpy (&function, &symbol, sizeof function); /* ISO C has no cast for it */
  return function ();
}

static char *
find_openblas (void)
{
  const char *text = ask_library ("libopenblas.so.0", "openblas" "_get_config", TRUE);

  if (g_str_has_prefix (text, "OpenBLAS "))
    text += strlen ("OpenBLAS ");
  g_autofree char *plain = g_strstrip (g_strdup (text));

  return with_build (plain, "libopenblas.so.0");
}

/* The processor. */

/* What in /proc/cpuinfo says which type it is, of x86, ARM, POWER and RISC-V; numbers of one processor, and clocks, are not among it. */
static const char *const type_keys[] = { "vendor_id", "cpu family", "model", "stepping", "CPU implementer", "CPU architecture",
                                         "CPU variant", "CPU part", "CPU revision", "cpu", "revision", "isa", "uarch", NULL };
static const char *const name_keys[] = { "model name", "cpu", "uarch", NULL };

/* Features that change what is computed, or with which instructions; what else is listed depends on the kernel as well. */
static const char *const feature_prefixes[]
  = { "sse", "ssse", "avx", "fma", "f16c", "xop", "amx", "asimd", "fp", "sve", "sme", "bf16", "i8mm", NULL };

static int
compare_texts (gconstpointer one, gconstpointer other)
{
  return strcmp (*(const char *const *) one, *(const char *const *) other);
}

/* A digest of the FEATURES of a processor that count. To be freed. */
static char *
digest_features (const char *features)
{
  g_auto (GStrv) words = g_strsplit (features, " ", -1);
  g_autoptr (GPtrArray) counting = g_ptr_array_new ();
  g_autofree char *joined = NULL, *digest = NULL;

  for (guint i = 0; words[i] != NULL; i++)
    for (guint k = 0; feature_prefixes[k] != NULL; k++)
      if (g_str_has_prefix (words[i], feature_prefixes[k]))
        {
          g_ptr_array_add (counting, words[i]);
          break;
        }
  g_ptr_array_sort (counting, compare_texts);
  g_ptr_array_add (counting, NULL);
  joined = g_strjoinv (" ", (char **) counting->pdata);
  digest = g_compute_checksum_for_string (G_CHECKSUM_SHA256, joined, -1);
  return g_strndup (digest, 8);
}

/* The type of the first processor in CPUINFO, and its name. Both to be freed. */
static char *
read_processor (const char *cpuinfo, char **name)
{
  const char *end = strstr (cpuinfo, "\n\n");
  g_autofree char *first = end != NULL ? g_strndup (cpuinfo, (gsize) (end - cpuinfo)) : g_strdup (cpuinfo), *digest = NULL;
  g_auto (GStrv) lines = g_strsplit (first, "\n", -1);
  GString *type = g_string_new (NULL);

  *name = NULL;
  for (guint i = 0; lines[i] != NULL; i++)
    {
      char *value = strchr (lines[i], ':');

      if (value == NULL)
        continue;
      *value++ = '\0';
      g_strchomp (lines[i]);
      g_strstrip (value);
      if (g_strv_contains (type_keys, lines[i]))
        g_string_append_printf (type, "%s%s %s", type->len > 0 ? ", " : "", lines[i], value);
      if (*name == NULL && g_strv_contains (name_keys, lines[i]))
        *name = g_strdup (value);
      if (digest == NULL && (g_str_equal (lines[i], "flags") || g_str_equal (lines[i], "Features")))
        digest = digest_features (value);
    }
  if (digest != NULL)
    g_string_append_printf (type, ", features %s", digest);
  if (type->len == 0)
    g_string_append (type, UNKNOWN);
  if (*name == NULL)
    *name = g_strdup (UNKNOWN);
  return g_string_free (type, FALSE);
}

/* The machine. */

/* The bytes that /proc/meminfo gives for KEY ("MemTotal:"). */
static guint64
read_memory (const char *meminfo, const char *key)
{
  const char *at = strstr (meminfo, key);

  return at != NULL ? g_ascii_strtoull (at + strlen (key), NULL, 10) * 1024 : 0;
}

/* Let *TOTAL and *LEFT be no more than the control groups of this process grant, those of a batch system or a container. What the kernel
 * would give back, files that were read, counts as free. */
static void
limit_memory (guint64 *total, guint64 *left)
{
  g_auto (TtiControlGroup) group = { 0 };
  gboolean there = tti_control_group_find (&group, "/proc", 0, "memory");

  for (; there; there = tti_control_group_up (&group))
    {
      gint64 limit = tti_control_group_read (&group, group.unified ? "memory.max" : "memory.limit_in_bytes", NULL),
             used = tti_control_group_read (&group, group.unified ? "memory.current" : "memory.usage_in_bytes", NULL),
             files = tti_control_group_read (&group, "memory.stat", group.unified ? "inactive_file" : "total_inactive_file");

      if (limit < 0 || used < 0)
        continue;
      *total = MIN (*total, (guint64) limit);
      *left = MIN (*left, (guint64) MAX (limit - used + MAX (files, 0), 0));
    }
}

static char *
find_kernel (void)
{
  struct utsname name;

  return uname (&name) == 0 ? g_strdup_printf ("%s %s", name.sysname, name.release) : g_strdup (UNKNOWN);
}

/* The folder of the library that TTI_PROCESSORS is in. */
static char *
find_prefix (void)
{
  Dl_info info;
  guint (*function) (void) = tti_processors;
  void *address;
  g_autofree char *path = NULL;

  memcpy (&address, &function, sizeof address);
  if (dladdr (address, &info) == 0 || info.dli_fname == NULL)
    return g_strdup (UNKNOWN);
  path = g_canonicalize_filename (info.dli_fname, NULL);
  return g_path_get_dirname (path);
}

static void
add_text (GVariantBuilder *facts, const char *key, char *text)
{
  g_variant_builder_add (facts, "{sv}", key, g_variant_new_take_string (g_utf8_make_valid (text, -1)));
  g_free (text);
}

static void
add_number (GVariantBuilder *facts, const char *key, GVariant *number)
{
  g_variant_builder_add (facts, "{sv}", key, number);
}

static guint
count_cpus (void)
{
  g_autoptr (GArray) cpus = tti_cpus_get_allowed ();

  return cpus->len;
}

static guint
count_gpus (void)
{
  g_autoptr (GPtrArray) gpus = tti_gpus_find ("", (const char *const *) environ);

  return gpus->len;
}

GVariant *
tti_facts_collect (const char *guile)
{
  GVariantBuilder facts;
  g_autofree char *cpuinfo = NULL, *meminfo = NULL;
  char *cpu_name;
  guint64 memory, left;

  if (!g_file_get_contents ("/proc/cpuinfo", &cpuinfo, NULL, NULL))
    cpuinfo = g_strdup ("");
  if (!g_file_get_contents ("/proc/meminfo", &meminfo, NULL, NULL))
    meminfo = g_strdup ("");
  memory = read_memory (meminfo, "MemTotal:");
  left = read_memory (meminfo, "MemAvailable:");
  limit_memory (&memory, &left);
  g_variant_builder_init (&facts, G_VARIANT_TYPE_VARDICT);
  add_text (&facts, "version", g_strdup (TUTTI_VERSION));
  add_text (&facts, "guile", g_strdup (guile));
  add_text (&facts, "openblas", find_openblas ());
  add_text (&facts, "openblas-core", g_strdup (ask_library ("libopenblas.so.0", "openblas" "_get_corename", TRUE)));
  add_text (&facts, "fftw", with_build (ask_library ("libfftw3.so.3", "fftw_version", FALSE), "libfftw3.so.3"));
  add_text (&facts, "libm", with_build (gnu_get_libc_version (), "libm.so.6"));
  add_text (&facts, "cpu", read_processor (cpuinfo, &cpu_name));
  add_text (&facts, "cpu-name", cpu_name);
  add_text (&facts, "host", g_strdup (g_get_host_name ()));
  add_text (&facts, "kernel", find_kernel ());
  add_text (&facts, "prefix", find_prefix ());
  add_number (&facts, "processors", g_variant_new_uint32 (tti_processors ()));
  add_number (&facts, "cpus", g_variant_new_uint32 (count_cpus ()));
  add_number (&facts, "gpus", g_variant_new_uint32 (count_gpus ()));
  add_number (&facts, "page-size", g_variant_new_uint32 ((guint32) sysconf (_SC_PAGESIZE)));
  add_number (&facts, "memory", g_variant_new_uint64 (memory));
  add_number (&facts, "memory-free", g_variant_new_uint64 (left));
  add_number (&facts, "clock", g_variant_new_int64 (g_get_real_time ()));
  return g_variant_ref_sink (g_variant_builder_end (&facts));
}

/* Comparing. */

/* What bits depend on, and what people call it. */
static const struct
{
  const char *key, *name;
} of_bits[] = { { "guile", "Guile" }, { "openblas", "OpenBLAS" }, { "openblas-core", "OpenBLAS computes for" }, { "fftw", "FFTW" },
                { "libm", "the C library" }, { "cpu", "the processor is" } };

static const char *
look_up (GVariant *facts, const char *key)
{
  const char *text = NULL;

  return g_variant_lookup (facts, key, "&s", &text) ? text : UNKNOWN;
}

char *
tti_facts_compare (GVariant *master, GVariant *other, gboolean *bits_differ)
{
  const char *host = look_up (other, "host"), *mine = look_up (master, "version"), *theirs = look_up (other, "version");
  g_autoptr (GString) text = g_string_new (NULL);

  *bits_differ = FALSE;
  if (!g_str_equal (mine, theirs))
    return g_strdup_printf ("Tutti %s on %s, %s here: both have to be of one version; install the same, or see that PATH and "
                            "the modules that are loaded there lead to it (there it is in %s)",
                            theirs, host, mine, look_up (other, "prefix"));
  for (guint i = 0; i < G_N_ELEMENTS (of_bits); i++)
    {
      mine = look_up (master, of_bits[i].key);
      theirs = look_up (other, of_bits[i].key);
      if (!g_str_equal (mine, theirs))
        g_string_append_printf (text, "%s%s %s on %s, %s here", text->len > 0 ? "; " : "", of_bits[i].name, theirs, host, mine);
    }
  if (text->len == 0)
    return NULL;
  *bits_differ = TRUE;
  return g_strdup_printf ("%s: results may differ in their last bits; use machines of one kind with the same versions, or allow it with "
                          "#:allow-different-bits #t", text->str);
}
