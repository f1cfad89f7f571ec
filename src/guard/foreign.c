/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Tables of others. A packet that two chains see must pass both, so a table that only looks and
 * gives verdicts can but drop more. What writes into packets, marks them, moves them to another
 * hook, hands them to a program, or is not understood, is another matter. This is decided by form,
 * in microseconds; the proof looks afterwards at what was let be.
 */
#include "resident.h"

#include <linux/netfilter/nf_tables.h>

static const char *verdict_weakens(const struct ruleset_verdict *verdict)
{
	/* A program may give the packet back changed. */
	return verdict->code == RULESET_QUEUE ? "hands packets to a program" : NULL;
}

static const char *object_weakens(uint32_t type)
{
	switch (type) {
	case NFT_OBJECT_COUNTER:
	case NFT_OBJECT_QUOTA:
	case NFT_OBJECT_LIMIT:
		return NULL;
	default:
		return "changes packets or their connections by an object";
	}
}

/* Kinds that only look. Everything else must be named, and what is new is not among them. */
static bool only_looks(enum ruleset_expression_kind kind)
{
	switch ((int)kind) {
	case RULESET_META:
	case RULESET_PAYLOAD:
	case RULESET_COMPARE:
	case RULESET_BITWISE:
	case RULESET_RANGE:
	case RULESET_LOOKUP:
	case RULESET_DYNSET:
	case RULESET_REJECT:
	case RULESET_SOCKET:
	case RULESET_COUNTER:
	case RULESET_SHIFT:
	case RULESET_BYTEORDER:
	case RULESET_CONNECTION:
	case RULESET_NOTRACK:
	case RULESET_ROUTE_LOOKUP:
	case RULESET_ROUTE_FIELD:
	case RULESET_LIMIT:
	case RULESET_NUMBER:
	case RULESET_NO_EFFECT:
		return true;
	default:
		return false;
	}
}

static const char *expression_weakens(const struct ruleset_expression *expression)
{
	switch ((int)expression->kind) {
	case RULESET_IMMEDIATE:
		return verdict_weakens(&expression->immediate.verdict);
	case RULESET_OBJECT:
		return object_weakens(expression->object.type);
	case RULESET_TPROXY:
		return "hands packets to a proxy";
	case RULESET_META_SET:
	case RULESET_CONNECTION_SET:
		return "marks packets";
	case RULESET_PAYLOAD_SET:
	case RULESET_TRANSLATE:
	case RULESET_REDIRECT:
	case RULESET_MASQUERADE:
		return "rewrites packets";
	default:
		return only_looks(expression->kind) ? NULL : "has a rule that is not understood";
	}
}

static const char *chain_weakens(const struct ruleset_chain *chain)
{
	if (chain->base && chain->type != RULESET_FILTER)
		return "has a chain that is for rewriting packets";
	for (size_t i = 0; i < chain->rule_count; i++)
		for (size_t k = 0; k < chain->rules[i].count; k++) {
			const char *why = expression_weakens(&chain->rules[i].expressions[k]);

			if (why)
				return why;
		}
	return NULL;
}

const char *foreign_weakens(const struct ruleset_table *table)
{
	for (size_t i = 0; i < table->chain_count; i++) {
		const char *why = chain_weakens(&table->chains[i]);

		if (why)
			return why;
	}
	for (size_t i = 0; i < table->set_count; i++)
		for (size_t k = 0; k < table->sets[i].element_count; k++) {
			const char *why = verdict_weakens(&table->sets[i].elements[k].verdict);

			if (why)
				return why;
		}
	return NULL;
}
