/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "embedding/callee.h"
#include "module/task-requests.h"
#include "transport/codec.h"
#include <string.h>

static void
write_text (TtiWriter *writer, const char *text)
{
  tti_writer_text (writer, TTI_ITEM_STRING, text, strlen (text));
}

static TuttiCallee *
callee_new (const char *module, const char *function)
{
  TuttiCallee *self = g_new (TuttiCallee, 1);
  g_autoptr (TtiWriter) writer = tti_writer_new ();

  g_atomic_ref_count_init (&self->refs);
  self->module = g_strdup (module);
  self->function = g_strdup (function);
  tti_writer_open (writer, TTI_ITEM_LIST, 0, 4);
  tti_writer_integer (writer, TTI_REQUEST_CALL);
  write_text (writer, self->module);
  write_text (writer, self->function);
  tti_writer_constant (writer, TTI_ITEM_NIL);
  self->without = tti_writer_finish (writer);
  return self;
}

static TuttiCallee *
callee_ref (TuttiCallee *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
tutti_callee_unref (TuttiCallee *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  tti_payload_unref (self->without);
  g_free (self->module);
  g_free (self->function);
  g_free (self);
}

TuttiCallee *
tutti_callee_get (const char *module, const char *function)
{
  static GPrivate last = G_PRIVATE_INIT ((GDestroyNotify) tutti_callee_unref);
  TuttiCallee *self = g_private_get (&last);

  if (self == NULL || strcmp (self->function, function) != 0 || strcmp (self->module, module) != 0)
    {
      self = callee_new (module, function);
      g_private_replace (&last, self);
    }
  return callee_ref (self);
}
