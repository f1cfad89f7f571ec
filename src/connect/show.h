/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How the connection is, for people and for programs. Pure. */
#pragma once

#include <base/buf.h>

#include "client.h"

/* One line, without its end: "connecting 45 %: Loading the list of relays". */
void show_line(const struct status *status, struct buf *out);
/* The same with a bar in front, for a terminal of @columns; never longer than that. */
void show_bar(const struct status *status, size_t columns, struct buf *out);
/* All there is to say, in lines. */
void show_whole(const struct status *status, struct buf *out);
/* One object and the end of the line. */
void show_json(const struct status *status, struct buf *out);
