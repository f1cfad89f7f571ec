/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Is a stored batch what nf_batch_build() makes, for one table name? Asked before bytes from a file
 * go to the kernel with all rights. What is not known to be harmless is refused: only six kinds of
 * messages, only the attributes that we write, and contents that the reader understands in full.
 */
#include "codec.h"

#include "log.h"

#include <string.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#define BIT(attribute) (UINT32_C(1) << (attribute))

static const struct kind {
	uint16_t message, flags; /* flags besides REQUEST and ACK */
	uint16_t table;          /* the attribute that names the table: required */
	uint32_t known;          /* attributes that may be there */
} kinds[] = {
    {NFT_MSG_NEWTABLE, NLM_F_CREATE, NFTA_TABLE_NAME, BIT(NFTA_TABLE_NAME) | BIT(NFTA_TABLE_FLAGS)},
    {NFT_MSG_DELTABLE, 0, NFTA_TABLE_NAME, BIT(NFTA_TABLE_NAME)},
    {NFT_MSG_NEWCHAIN, NLM_F_CREATE, NFTA_CHAIN_TABLE,
     BIT(NFTA_CHAIN_TABLE) | BIT(NFTA_CHAIN_NAME) | BIT(NFTA_CHAIN_TYPE) | BIT(NFTA_CHAIN_POLICY) |
	 BIT(NFTA_CHAIN_HOOK)},
    {NFT_MSG_NEWSET, NLM_F_CREATE, NFTA_SET_TABLE,
     BIT(NFTA_SET_TABLE) | BIT(NFTA_SET_NAME) | BIT(NFTA_SET_FLAGS) | BIT(NFTA_SET_KEY_TYPE) |
	 BIT(NFTA_SET_KEY_LEN) | BIT(NFTA_SET_DATA_TYPE) | BIT(NFTA_SET_DATA_LEN) |
	 BIT(NFTA_SET_ID) | BIT(NFTA_SET_TIMEOUT) | BIT(NFTA_SET_DESC) | BIT(NFTA_SET_USERDATA)},
    {NFT_MSG_NEWSETELEM, NLM_F_CREATE, NFTA_SET_ELEM_LIST_TABLE,
     BIT(NFTA_SET_ELEM_LIST_TABLE) | BIT(NFTA_SET_ELEM_LIST_SET) | BIT(NFTA_SET_ELEM_LIST_SET_ID) |
	 BIT(NFTA_SET_ELEM_LIST_ELEMENTS)},
    {NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, NFTA_RULE_TABLE,
     BIT(NFTA_RULE_TABLE) | BIT(NFTA_RULE_CHAIN) | BIT(NFTA_RULE_EXPRESSIONS) |
	 BIT(NFTA_RULE_USERDATA)},
};

static int message_check(const struct nf_message *message, const char *name)
{
	char table[RULESET_NAME_MAX + 1];
	struct nf_attributes attributes;
	const struct kind *kind = NULL;
	struct nf_span bytes;
	uint8_t family;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (message->type == (NFNL_SUBSYS_NFTABLES << 8 | kinds[i].message))
			kind = &kinds[i];
	if (!kind || (message->flags & ~(kind->flags | NLM_F_REQUEST | NLM_F_ACK)) ||
	    !(message->flags & NLM_F_REQUEST))
		return -EBADMSG;
	if (nf_message_family(message, &family, &bytes) < 0 ||
	    (family != RULESET_INET && family != RULESET_NETDEV) ||
	    nf_attributes_read(bytes, &attributes) < 0 ||
	    nf_attributes_beyond(&attributes, kind->known))
		return -EBADMSG;
	/* Without a name DELTABLE means every table. */
	if (nf_read_text(attributes.at[kind->table], table, sizeof(table)) < 0 ||
	    strcmp(table, name) != 0)
		return -EBADMSG;
	return 0;
}

/* Is it of those that our rules are made of? The reader understands more. */
static bool expression_ours(const struct ruleset_expression *expression)
{
	switch ((int)expression->kind) {
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
		return true;
	case RULESET_NO_EFFECT:
		/* To listeners that we know, and to no file. */
		return expression->no_effect.group == NF_LOG_GROUP;
	default:
		return false;
	}
}

static bool rule_ours(const struct ruleset_rule *rule)
{
	for (size_t i = 0; i < rule->count; i++)
		if (!expression_ours(&rule->expressions[i]))
			return false;
	return true;
}

static bool ours(const struct ruleset *ruleset)
{
	if (ruleset->incomplete)
		return false;
	for (size_t t = 0; t < ruleset->table_count; t++) {
		/* What packets put there is not ours to bring. */
		for (size_t i = 0; i < ruleset->tables[t].set_count; i++)
			if (ruleset->tables[t].sets[i].held > 0)
				return false;
		for (size_t i = 0; i < ruleset->tables[t].chain_count; i++) {
			const struct ruleset_chain *chain = &ruleset->tables[t].chains[i];

			for (size_t k = 0; k < chain->rule_count; k++)
				if (!rule_ours(&chain->rules[k]))
					return false;
		}
	}
	return true;
}

int nf_batch_check(const void *batch, size_t len, const char *name)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;
	struct nf_span all = {batch, len}, rest = all;
	struct nf_message message;

	if (len > NF_BATCH_MAX || nf_batch_walk(all, NULL) < 0)
		return -EBADMSG;
	while (nf_message_next(&rest, &message) > 0)
		if (message.type >> 8 == NFNL_SUBSYS_NFTABLES && message_check(&message, name) < 0)
			return -EBADMSG;
	if (nf_decode(all, 0, NULL, &ruleset) < 0 || !ours(ruleset))
		return -EBADMSG;
	return 0;
}
