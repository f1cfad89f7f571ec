/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Is a key in a set? Private to this room. */
#pragma once

#include "ruleset.h"

enum search_answer {
	SEARCH_UNKNOWN = 0, /* depends on bits that the packet's class leaves open */
	SEARCH_MISSING,
	SEARCH_FOUND,
};

/* How many leading parts of the key hold one value, not a range, in every element. */
size_t search_exact_fields(const struct ruleset_set *set);

/*
 * Look a key of set->key_len bytes up; @known has a 1 for every bit of @key that is certain.
 * @set must be sorted and its elements must not overlap, which the kernel guarantees for what it
 * holds. By bisection, except where several parts are ranges or bits are open.
 * On SEARCH_FOUND *ret_element is the element, borrowed; otherwise it is untouched.
 */
enum search_answer search_set(const struct ruleset_set *set, const uint8_t *key,
			      const uint8_t *known, const struct ruleset_element **ret_element);
