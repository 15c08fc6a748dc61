/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* For tests of what a payload's bytes mean. */
#pragma once
#include "transport/codec.h"

/* Read all of PAYLOAD: TRUE if it is one well-formed value. */
static inline gboolean
payload_check (TtiPayload *payload, GError **error)
{
  g_autoptr (TtiReader) reader = tti_reader_new (payload);
  g_autoptr (GError) local = NULL;
  TtiItem item;

  while (tti_reader_next (reader, &item, &local))
    ;
  if (local == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}
