/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Numbers as programs read and write them. */
#include "command/command.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* The widest that a format of (tutti command template) makes: 999 characters, or 309 digits with 99 more behind the point. */
enum
{
  MOST_PRINTED = 1024
};

/* (%command-print-number FORMAT NUMBER): as printf prints a double in the locale C. FORMAT was checked by (tutti command template). */
static SCM
print_number (SCM format, SCM number)
{
  char text[MOST_PRINTED];
  char *c_format = scm_to_latin1_string (format);

  g_ascii_formatd (text, sizeof text, c_format, scm_to_double (number));
  free (c_format);
  return scm_from_latin1_string (text);
}

/* Is TEXT, without a sign, what C, Fortran, Python, Java or Windows print for what is not finite? */
static gboolean
read_word (const char *text, double *number)
{
  static const char *const infinities[] = { "inf", "infinity", "1.#inf", "1.#inf00", "inf.0" };
  static const char *const nans[]
    = { "nan", "nanq", "nans", "nan.0", "1.#ind", "1.#ind00", "1.#qnan", "1.#qnan0", "1.#snan" };

  for (guint i = 0; i < G_N_ELEMENTS (infinities); i++)
    if (g_ascii_strcasecmp (text, infinities[i]) == 0)
      {
        *number = INFINITY;
        return TRUE;
      }
  *number = NAN;
  for (guint i = 0; i < G_N_ELEMENTS (nans); i++)
    if (g_ascii_strcasecmp (text, nans[i]) == 0)
      return TRUE;
  return g_ascii_strncasecmp (text, "nan(", 4) == 0 && g_str_has_suffix (text, ")");
}

/* Read TEXT, without a sign: 1.5, .5, 5., 1e3, and as Fortran writes them 1.0D+03, and 1.5-103 where an exponent of three digits leaves no
 * room for the letter. (2024-11 is none.) */
static gboolean
read_decimal (char *text, double *number)
{
  const char *digits = "0123456789";
  gsize whole = strspn (text, digits), fraction = text[whole] == '.' ? strspn (text + whole + 1, digits) : 0;
  char *rest = text + whole + (text[whole] == '.' ? 1 + fraction : 0);
  g_autofree char *plain = NULL;

  if (whole + fraction == 0)
    return FALSE;
  if (*rest != '\0')
    {
      gboolean letter = strchr ("eEdDqQ", *rest) != NULL;
      const char *exponent = rest + (letter ? 1 : 0);
      gsize sign = *exponent == '+' || *exponent == '-', n = strspn (exponent + sign, digits);

      if (n == 0 || exponent[sign + n] != '\0' || (!letter && (sign == 0 || n != 3 || text[whole] != '.')))
        return FALSE;
      plain = g_strdup_printf ("%.*se%s", (int) (rest - text), text, exponent);
    }
  *number = g_ascii_strtod (plain != NULL ? plain : text, NULL);
  return TRUE;
}

/* (%command-read-number STRING): the number that STRING is, a double, or #f. */
static SCM
read_number (SCM string)
{
  size_t length;
  char *bytes = scm_to_utf8_stringn (string, &length);
  g_autofree char *text = g_strndup (bytes, length); /* shorter if it has a NUL, which no number has */
  double number = 0;
  gboolean negative = *text == '-';
  char *unsigned_text = text + (negative || *text == '+');
  gboolean good = strlen (text) == length && (read_decimal (unsigned_text, &number) || read_word (unsigned_text, &number));

  free (bytes);
  return good ? scm_from_double (negative ? -number : number) : SCM_BOOL_F;
}

void
tti_command_init_number (void)
{
  scm_c_define_gsubr ("%command-print-number", 2, 0, 0, (scm_t_subr) print_number);
  scm_c_define_gsubr ("%command-read-number", 1, 0, 0, (scm_t_subr) read_number);
}
