/* SPDX-License-Identifier: GPL-3.0-or-later */
/* In what two things differ. Private to this room. */
#pragma once

#include "ruleset.h"

/* In what differs first, or NULL: for a list of fields. */
#define FIELD(name) (a->name != b->name ? #name : NULL)

#define FIRST_OF(...)                                                                              \
	difference_first((const char *const[]){__VA_ARGS__},                                       \
			 ARRAY_SIZE(((const char *const[]){__VA_ARGS__})))

const char *difference_first(const char *const *names, size_t count);

bool difference_same_value(const struct ruleset_value *a, const struct ruleset_value *b);
bool difference_same_verdict(const struct ruleset_verdict *a, const struct ruleset_verdict *b);

/* The field in which two expressions of one kind differ, or NULL: numbers and values, not what
 * sets of the name hold. */
const char *difference_of(const struct ruleset_expression *a, const struct ruleset_expression *b);

/* The kind in words. */
const char *difference_kind(enum ruleset_expression_kind kind);
