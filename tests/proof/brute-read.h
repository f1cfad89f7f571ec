/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A rule being read for the packets of a scene: what is in its registers, as far as that is known.
 * Between brute-load.c and brute-rules.c, and for nobody else.
 */
#pragma once

#include "brute-internal.h"

#define BRUTE_REGISTER_BYTES (RULESET_REGISTERS * 4u)

/* Where a byte of a register is from. */
struct origin {
	enum { NOWHERE = 0, CONSTANT, FIELD } from;
	enum brute_field field;
	uint8_t at; /* byte of the field */
	uint8_t mask, xor;
	uint8_t value, open; /* of a constant; and its bits that packets of a class do not share */
};

/* Of the scene's packets. */
enum truth { NEVER, ALWAYS, SOMETIMES };

struct reader {
	struct brute_asked *asked;
	const struct packet *scene;
	bool shapes;       /* ask about shapes, and about nothing else; @scene gives the rest */
	bool has_protocol; /* the kernel finds an upper protocol */
	bool arrives, leaves, early; /* of the hook: which devices there are; before routing */
	const struct ruleset_table *table;
	struct origin registers[BRUTE_REGISTER_BYTES];
	/* For the chains of a table: is it to be read, was it? */
	bool *wanted;
	bool grew;
};

/*
 * What an expression loads. False: surely none of the scene's packets comes farther in the rule.
 * *sure becomes false where that may be.
 */
bool load_meta(struct reader *reader, const struct ruleset_expression *e, bool *sure);
bool load_payload(struct reader *reader, const struct ruleset_expression *e, bool *sure);
void load_bitwise(struct reader *reader, const struct ruleset_expression *e);
/* @len bytes that are the same for all packets. */
void load_constant(struct reader *reader, uint8_t reg, const void *bytes, size_t len);
/* Nothing is known of these @len bytes. Values are padded to whole registers. */
void load_unknown(struct reader *reader, uint8_t reg, size_t len);
