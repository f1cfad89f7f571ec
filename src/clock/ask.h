/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How lethe-clockd asks others: *fetch*, Tor behind its gate, and *set*. */
#pragma once

#include "judge.h"

#define ASK_FETCH "/run/lethe/clock/fetch"
#define ASK_SET	  "/run/lethe/clock/set"
#define ASK_TOR	  "/run/lethe/tor/control"

/* Have the network asked, for who is at @asker. *ret_round is what came, whole or not; what cannot be
 * read, or does not belong where it is, ends it without an end. Returns 0; -ECANCELED: he has gone, and
 * the asking is at its end as well; or -errno: nobody could be asked. */
MUST_CHECK int ask_network(const char *path, int asker, struct judge_round *ret_round);

/* Tor's consensus' times. Returns 0; -ENODATA: Tor has none; or -errno. */
MUST_CHECK int ask_consensus(const char *path, struct judge_consensus *ret_consensus);

/* Have the clock set. Returns 0, what the setter refuses with, or -errno. */
MUST_CHECK int ask_set(const char *path, int64_t real, int64_t boot);
