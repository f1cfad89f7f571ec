/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Programs that send for others: who asked them is not known, and that is said. */
#pragma once

#include "table.h"

/* Why the program of @row may have acted for another one, as a word for programs in static storage;
 * NULL if nothing says so:
 *   "dbus"    a service of the message bus: others call it. That somebody did is not known, nor who
 *   "socket"  the socket was made by another process, and handed on */
const char *deputy_of(const struct row *row);
