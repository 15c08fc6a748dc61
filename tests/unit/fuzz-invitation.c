/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Feeds arbitrary bytes to the reader of invitations: it must return one, or say why not. As a test it corrupts good ones; with
 * -DTUTTI_LIBFUZZER it is a target for libFuzzer. */
#include "fuzz-mutate.h"
#include "read-invitation.h"
#include "tutti/error.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  TtiInvitation *invitation = read_invitation (data, size, &error);

  if (invitation == NULL)
    {
      g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL);
      return 0;
    }
  g_assert_cmpuint (g_strv_length (invitation->addresses), >, 0);
  g_assert_nonnull (tti_credentials_get_certificate (invitation->credentials));
  char *text = tti_invitation_to_text (invitation);

  /* Numbers may have zeros in front. */
  g_assert_cmpuint (strlen (text), <=, size);
  tti_secret_free (text);
  tti_invitation_free (invitation);
  return 0;
}

#ifndef TUTTI_LIBFUZZER
static void
test_fuzz (void)
{
  g_autoptr (GPtrArray) corpus = g_ptr_array_new_with_free_func ((GDestroyNotify) g_byte_array_unref);
  g_autoptr (TtiAuthority) authority = tti_authority_new (NULL);
  char *addresses[] = { "n1", "10.0.0.1", NULL };

  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (TtiCredentials) credentials = tti_authority_issue (authority, "n1", i == 0, NULL);
      TtiInvitation invitation = { .addresses = addresses + i % 2, .port = 1 + i, .run = "r", .launch = i, .lost_after = 2000,
                                   .silence = 60000, .version = "0.1.0", .credentials = credentials };
      char *text = tti_invitation_to_text (&invitation);

      g_ptr_array_add (corpus, g_byte_array_append (g_byte_array_new (), (const guint8 *) text, (guint) strlen (text)));
      tti_secret_free (text);
    }
  fuzz_run (corpus, 10000, (FuzzBound) { 64, 1 << 20, NULL });
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/fuzz/invitation", test_fuzz);
  return g_test_run ();
}
#endif
