/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A transport that has no descriptor to wait for: it reads ahead, as one that decrypts does, so that there may be messages which no
 * descriptor shows. On the wire it is a stream; the other end may be a plain one. */
#pragma once
#include "transport/transport.h"

TtiTransport *buffered_transport_new (int fd, gboolean trusted);
