/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What vectors need of their homes. */
#pragma once
#include "transport/away.h"

/* The vector with NUMBER is gone, and with it its reference to HOME. */
void tti_home_forget (TtiHome *home, guint64 number);
