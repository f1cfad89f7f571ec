/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Shared by the files of the mutator and nobody else. */
#pragma once

#include "copy.h"
#include "mutate.h"

/* Where the walk stands: indices in the original. */
struct mutate {
	const struct ruleset *original;
	mutate_visit *visit;
	void *data;
	size_t number;
	int end;      /* what ends the walk, or 0 */
	char at[320]; /* the place in words */

	size_t t, c, r, s;
	const struct ruleset_table *table; /* the same places; NULL where the walk is in none */
	const struct ruleset_chain *chain;
	const struct ruleset_rule *rule;
	const struct ruleset_set *set;
	bool foreign;
};

/* A copy to change; NULL once the walk has ended. */
struct ruleset *mutate_begin(struct mutate *m);
/* Hand the changed copy out, and free it. @format says what was done at the place. */
void mutate_end(struct mutate *m, struct ruleset *copy, const char *kind, const char *format, ...)
    PRINTF(4, 5);
/* The walk ends, because memory is short. The copy is freed. */
void mutate_fail(struct mutate *m, struct ruleset *copy);

/* The parts of @copy where the walk stands. */
struct ruleset_table *mutate_table(const struct mutate *m, struct ruleset *copy);
struct ruleset_chain *mutate_chain(const struct mutate *m, struct ruleset *copy);
struct ruleset_rule *mutate_rule(const struct mutate *m, struct ruleset *copy);
struct ruleset_set *mutate_set(const struct mutate *m, struct ruleset *copy);

/*
 * The @number-th (from 0) change of @len bytes from @at of a value: one more and one less (by both
 * orders of bytes), each byte zero and, with @bits, each bit flipped. No change comes twice. False
 * when there are no more. @how tells the change.
 */
struct mutate_change {
	struct ruleset_value value;
	char how[48];
};
bool mutate_value(const struct ruleset_value *value, size_t at, size_t len, bool bits,
		  unsigned number, struct mutate_change *ret_change);

/* The @number-th (from 0) other verdict in place of @verdict; false when there are no more. */
bool mutate_verdict(const struct mutate *m, const struct ruleset_verdict *verdict, unsigned number,
		    struct ruleset_verdict *ret_verdict);
/* "goto refuse". */
const char *mutate_verdict_text(const struct ruleset_verdict *verdict, char text[static 96]);

/* Each walks over one part of where the walk stands. */
void mutate_expressions(struct mutate *m); /* of the rule */
void mutate_elements(struct mutate *m);    /* of the set */
void mutate_foreign(struct mutate *m);
