/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names to numbers, in constant time; and the nearest name to one that is not there. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <base/cleanup.h>

#include "policy.h"

struct names_slot {
	char text[POLICY_NAME_MAX + 1]; /* "" for a free slot */
	size_t value;
};

/* Zero-initialised it is empty. */
struct names {
	struct names_slot *slots;
	size_t count, room; /* room: 0 or a power of two */
};

/* @text must not be empty nor longer than POLICY_NAME_MAX, nor be there already.
 * Returns 0 or -ENOMEM. */
MUST_CHECK int names_add(struct names *names, const char *text, size_t value);
bool names_find(const struct names *names, const char *text, size_t *ret_value);
void names_done(struct names *names);

/* Offer every word that would have been right; `best` is the nearest one to what was written, or
 * "" if none is near enough to be what was meant. */
struct suggestion {
	const char *wrong;
	char best[POLICY_NAME_MAX + 1];
	size_t distance; /* of the best; unset while it is "" */
};

void suggest_offer(struct suggestion *suggestion, const char *candidate);
void suggest_names(struct suggestion *suggestion, const struct names *names);
