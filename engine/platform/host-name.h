/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Names of hosts, for people. They are interned: equal names are one pointer, which is there for good. */
#pragma once
#include <glib.h>

const char *tti_host_name (void); /* of this machine */
gboolean tti_host_is_elsewhere (const char *name); /* is NAME, interned, another's? NULL is nobody's */
