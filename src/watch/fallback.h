/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where the kernel cannot name who was refused: what Lethe's own rules tell of each refusal, by
 * which its user is known and nothing else of the program (docs/decisions/0018). Never used beside
 * the other way: while nobody listens, the rules tell nobody.
 */
#pragma once

#include "watch.h"

/* Listen. Needs CAP_NET_ADMIN, and nothing afterwards. Returns 0 or -errno, as nf_log_open(). */
MUST_CHECK int fallback_open(struct watch *watch);

void fallback_close(struct watch *watch);

/* Becomes readable when something was told; -EBADF while nobody listens. Borrowed. */
int fallback_descriptor(const struct watch *watch);

/* Hand each waiting refusal to @take, about @most of them. Returns 0 or -errno. */
MUST_CHECK int fallback_read(struct watch *watch, size_t most,
			     void (*take)(const struct attempt *attempt, void *data), void *data);

/* How many there were, whichever way is used; all 0 where none is. */
struct probe_counts watch_count(const struct watch *watch);
