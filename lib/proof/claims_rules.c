/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What rules set up in the kernel by being there, whether or not a packet comes to them: tracking
 * is switched on for a whole namespace when such a rule is made, also in a table of others.
 */
#include "claims.h"

#include <string.h>
#include <linux/netfilter/nf_tables.h>

/* Objects that belong to connection tracking. */
static bool tracks_object(uint32_t type)
{
	return type == NFT_OBJECT_CT_HELPER || type == NFT_OBJECT_CT_TIMEOUT ||
	       type == NFT_OBJECT_CT_EXPECT || type == NFT_OBJECT_SYNPROXY;
}

/* Translation works by tracking. */
static bool does(const struct ruleset_expression *e, bool translates)
{
	switch (e->kind) {
	case RULESET_TRANSLATE:
	case RULESET_REDIRECT:
	case RULESET_MASQUERADE:
		return true;
	case RULESET_CONNECTION:
	case RULESET_CONNECTION_SET:
	case RULESET_NOTRACK:
		return !translates;
	case RULESET_LIMIT:
		return !translates && strcmp(e->limit.name, "connlimit") == 0;
	case RULESET_OBJECT:
		return !translates && tracks_object(e->object.type);
	case RULESET_UNKNOWN:
	case RULESET_META:
	case RULESET_PAYLOAD:
	case RULESET_COMPARE:
	case RULESET_BITWISE:
	case RULESET_RANGE:
	case RULESET_LOOKUP:
	case RULESET_DYNSET:
	case RULESET_IMMEDIATE:
	case RULESET_REJECT:
	case RULESET_SOCKET:
	case RULESET_TPROXY:
	case RULESET_COUNTER:
	case RULESET_META_SET:
	case RULESET_PAYLOAD_SET:
	case RULESET_SHIFT:
	case RULESET_BYTEORDER:
	case RULESET_ROUTE_LOOKUP:
	case RULESET_ROUTE_FIELD:
	case RULESET_NUMBER:
	case RULESET_NO_EFFECT:
		break;
	}
	return false;
}

static void tell(struct buf *where, const struct ruleset_table *table,
		 const struct ruleset_chain *chain, size_t rule, const char *what)
{
	buf_printf(where, "table %s, chain %s, rule %zu: %s", table->name, chain->name, rule + 1,
		   what);
}

/* The rule's first expression that does so; or, if none does, one that nobody here knows. */
static bool rule_does(const struct ruleset_rule *rule, bool translates, const char **ret_unknown)
{
	for (size_t i = 0; i < rule->count; i++) {
		const struct ruleset_expression *e = &rule->expressions[i];

		if (does(e, translates))
			return true;
		if (e->kind == RULESET_UNKNOWN && !*ret_unknown)
			*ret_unknown = e->unknown.name;
	}
	return false;
}

static bool chain_does(const struct ruleset_table *table, const struct ruleset_chain *chain,
		       bool translates, bool *unsure, struct buf *where, struct buf *doubt)
{
	static const char *const words[] = {"asks the kernel to track connections",
					    "translates addresses"};

	for (size_t i = 0; i < chain->rule_count; i++) {
		const char *unknown = NULL;

		if (rule_does(&chain->rules[i], translates, &unknown) ||
		    (chain->base && chain->type == RULESET_NAT)) {
			tell(where, table, chain, i, words[translates]);
			return true;
		}
		if (!unknown || *unsure)
			continue;
		*unsure = true;
		tell(doubt, table, chain, i, "an expression that is not known: ");
		buf_puts(doubt, unknown);
	}
	return false;
}

bool claims_rule_tracks(const struct ruleset *ruleset, bool translates, bool *ret_unsure,
			struct buf *where)
{
	AUTO_BUF struct buf doubt = {.cap = where->cap};
	bool unsure = false;

	*ret_unsure = false;
	for (size_t t = 0; t < ruleset->table_count; t++) {
		const struct ruleset_table *table = &ruleset->tables[t];

		for (size_t i = 0; i < table->chain_count; i++)
			if (chain_does(table, &table->chains[i], translates, &unsure, where,
				       &doubt))
				return true;
	}
	*ret_unsure = unsure;
	buf_puts(where, buf_text(&doubt));
	return false;
}
