/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A rule while it is being written. Shared by the listing's own files. */
#pragma once

#include "listing.h"

/* A question about the protocol that nft may ask by itself. */
struct pending {
	bool waiting;
	char text[64];
};

struct listing {
	struct buf *out;
	const struct ruleset_table *table;
	struct listing_context context;
	struct listing_term terms[RULESET_REGISTERS];
	struct pending network, transport;
	bool begun; /* something is written, so that a space must follow */

	const struct ruleset_set *wanted; /* whose key is asked for, or NULL */
	struct listing_key *key;
	bool found;
};

/* A statement about @terms begins: what waits is written unless they imply it, then a space. */
void state_begin(struct listing *listing, const struct listing_term *terms, size_t count);
/* Write what waits, unless it is implied. */
void state_release(struct listing *listing, struct pending *pending, bool implied);
/* What nft has no words for, for people to read and for nft to refuse. */
void state_raw(struct listing *listing, const char *format, ...) PRINTF(2, 3);
/* @term is in the registers of @len bytes from @reg on. */
void state_load(struct listing *listing, uint8_t reg, size_t len, const struct listing_term *term);
/* The field that a register holds, or NULL. Borrowed. */
const struct listing_term *state_field(const struct listing *listing, uint8_t reg);

/* Expressions that ask something of one register. */
void question_compare(struct listing *listing, const struct ruleset_expression *e);
void question_bitwise(struct listing *listing, const struct ruleset_expression *e);
void question_range(struct listing *listing, const struct ruleset_expression *e);

/* The constant in a register, if it has @len bytes; else NULL. Borrowed. */
const uint8_t *state_constant(const struct listing *listing, int reg, size_t len);

/* What only the rules of others contain. */
void statement_list(struct listing *listing, const struct ruleset_expression *e);
