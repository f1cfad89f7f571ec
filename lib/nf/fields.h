/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Expressions on the wire. One table for each kind says which attribute is which member of the
 * struct; writing and reading both follow it, so that they cannot drift apart. An attribute that no
 * table names, or a value the struct cannot hold, makes the expression unknown: a proof must never
 * rest on half of an expression.
 */
#pragma once

#include "codec.h"

enum nf_field_form {
	FIELD_END = 0,
	FIELD_U8,          /* uint8_t */
	FIELD_U16,         /* uint16_t, not 0 */
	FIELD_U32,         /* uint32_t or an enum */
	FIELD_U64,         /* uint64_t */
	FIELD_BIT,         /* bool, 0 or 1 in 32 bits */
	FIELD_ZERO,        /* no member: must be 0 */
	FIELD_PAD,         /* no member, no meaning */
	FIELD_WIDE,        /* uint64_t, of 32 bits on the wire */
	FIELD_QUOTA_FLAGS, /* uint64_t, of 32 bits; "depleted" comes and goes and is left out */
	FIELD_NAME,        /* of a set or an object */
	FIELD_DATA,        /* struct ruleset_value */
	FIELD_REGISTER,    /* uint8_t, 0 to 15 */
	FIELD_REGISTER_OR_NONE, /* int8_t, -1 if there is none */
	FIELD_DIRECTION,        /* int8_t, 0 or 1 in 8 bits; -1 if there is none */
	FIELD_SHIFT,            /* bool, true for the left */
	FIELD_SHIFT_BITS,       /* uint32_t, in host order as data */
	FIELD_MAP_REGISTER,     /* of a lookup: none, the verdict, or a register */
	FIELD_RESULT_REGISTER,  /* of an immediate: the verdict, or a register */
	FIELD_RESULT,           /* of an immediate: a verdict or data */
};

enum nf_field_need {
	FIELD_REQUIRED = 0,
	FIELD_OPTIONAL, /* missing means 0; 0 is not written */
	FIELD_DEFAULT,  /* missing means 0; 0 is written */
};

struct nf_field {
	uint8_t attribute;
	enum nf_field_form form;
	enum nf_field_need need;
	size_t offset;
	uint32_t max; /* of a number; 0: any */
};

/* Kinds of one name are told apart by what they require. */
struct nf_kind {
	enum ruleset_expression_kind kind;
	const char *name;
	const struct nf_field *fields; /* up to FIELD_END; NULL: nothing in it matters */
};

#define NF_KINDS 32
extern const struct nf_kind nf_kinds[NF_KINDS];

/* The name by which the struct itself tells apart what is of one kind; NULL where it has none. */
char *nf_expression_name(struct ruleset_expression *e, size_t *ret_size);

/* What a table cannot say: do registers and lengths fit together? Asked in both directions, so that
 * nobody behind us meets a register past the last or a mask shorter than its value. */
bool nf_expression_sound(const struct ruleset_expression *e);
