/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Random policies and rulesets, about which both algorithms must agree. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <base/cleanup.h>

struct pairs_totals {
	size_t pairs;
	size_t same;           /* proved, and the same by trying */
	size_t doubtful;       /* proved, and trying cannot say: the proof knows every byte */
	size_t refuted, tried; /* of these, by trying, too */
	size_t not_proved;
	size_t disagreements; /* each is printed */
};

/*
 * Judge @count pairs: a random policy, with the ruleset that it becomes, unchanged, or changed in
 * one or a few places, or beside a random table, or any two of these. Returns 0 or -ENOMEM.
 */
MUST_CHECK int pairs_run(uint64_t seed, size_t count, const char *passwd,
			 struct pairs_totals *ret_totals);
