/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Chains and their rules. */
#include "decode.h"

#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#define NOTE_COMMENT 0 /* nft's own: type, length, text with its NUL */

static void chain_missing(struct nf_decoder *decoder, const struct ruleset_table *table,
			  const struct ruleset_chain *chain, const char *what)
{
	nf_missing(decoder->ruleset, "%s of chain %s in table %s %s", what, chain->name,
		   ruleset_family_name(table->family), table->name);
}

/* Devices that a base chain is bound to. A prefix with letters in it ("eth*") has no place in the
 * model. */
static int devices_read(struct nf_decoder *decoder, const struct ruleset_table *table,
			struct nf_span list, struct ruleset_chain *chain)
{
	char name[RULESET_DEVICE_MAX];
	struct nf_span value;
	uint16_t type;
	int r;

	while ((r = nf_attribute_next(&list, &type, &value)) > 0) {
		r = nf_read_text(value, name, sizeof(name));
		if (r < 0 && r != -E2BIG)
			return r;
		if (r == 0 && type == NF_DEVICE_PREFIX && !name[0])
			chain->every_device = true;
		else if (r < 0 || type != NF_DEVICE_NAME || !name[0])
			chain_missing(decoder, table, chain, "devices that share a prefix");
		else if (ruleset_add_device(chain, name) < 0)
			return -ENOMEM;
	}
	/* Names beside the empty prefix add nothing, but are not what the model says. */
	if (r == 0 && chain->every_device && chain->device_count > 0)
		chain_missing(decoder, table, chain, "devices beside every device");
	return r;
}

static int hook_read(struct nf_decoder *decoder, const struct ruleset_table *table,
		     struct nf_span bytes, struct ruleset_chain *chain)
{
	struct nf_attributes attributes;
	struct nf_span list;
	uint32_t priority;
	int r;

	r = nf_attributes_read(bytes, &attributes);
	r = r < 0 ? r : nf_read_u32(attributes.at[NFTA_HOOK_HOOKNUM], &chain->hook);
	r = r < 0 ? r : nf_read_u32(attributes.at[NFTA_HOOK_PRIORITY], &priority);
	if (r < 0)
		return r;
	chain->priority = (int32_t)priority;
	if (nf_attributes_beyond(&attributes, BIT(NFTA_HOOK_HOOKNUM) | BIT(NFTA_HOOK_PRIORITY) |
						  BIT(NFTA_HOOK_DEV) | BIT(NFTA_HOOK_DEVS)))
		chain_missing(decoder, table, chain, "an unknown property of the hook");
	/* The kernel says a single device twice: NFTA_HOOK_DEV is for old programs. */
	list = attributes.at[NFTA_HOOK_DEVS];
	if (!list.data && attributes.at[NFTA_HOOK_DEV].data)
		chain_missing(decoder, table, chain, "a device");
	return devices_read(decoder, table, list, chain);
}

static enum ruleset_chain_type type_read(struct nf_span value)
{
	char name[8];

	if (nf_read_text(value, name, sizeof(name)) < 0)
		return 0;
	return strcmp(name, "filter") == 0  ? RULESET_FILTER
	       : strcmp(name, "nat") == 0   ? RULESET_NAT
	       : strcmp(name, "route") == 0 ? RULESET_ROUTE
					    : 0;
}

static int base_read(struct nf_decoder *decoder, const struct ruleset_table *table,
		     const struct nf_attributes *attributes, struct ruleset_chain *chain)
{
	uint32_t policy = NF_ACCEPT; /* the kernel's, where nobody said */
	int r;

	chain->base = true;
	chain->type = type_read(attributes->at[NFTA_CHAIN_TYPE]);
	if (!chain->type)
		chain_missing(decoder, table, chain, "the unknown type");
	if (attributes->at[NFTA_CHAIN_POLICY].data) {
		r = nf_read_u32(attributes->at[NFTA_CHAIN_POLICY], &policy);
		if (r < 0)
			return r;
	}
	if (policy != NF_ACCEPT && policy != NF_DROP)
		return -EBADMSG;
	chain->policy = policy == NF_ACCEPT ? RULESET_ACCEPT : RULESET_DROP;
	return hook_read(decoder, table, attributes->at[NFTA_CHAIN_HOOK], chain);
}

int nf_decode_chain(struct nf_decoder *decoder, uint8_t family,
		    const struct nf_attributes *attributes)
{
	char name[RULESET_NAME_MAX + 1];
	struct ruleset_table *table;
	struct ruleset_chain *chain;
	uint32_t flags = 0;
	int r;

	r = nf_decode_table(decoder, family, attributes->at[NFTA_CHAIN_TABLE], &table);
	if (r > 0)
		r = nf_decode_name(decoder, table, "chain", attributes->at[NFTA_CHAIN_NAME], name);
	if (r > 0 && attributes->at[NFTA_CHAIN_FLAGS].data)
		r = nf_read_u32(attributes->at[NFTA_CHAIN_FLAGS], &flags) < 0 ? -EBADMSG : 1;
	if (r <= 0)
		return r;
	chain = ruleset_add_chain(table, name);
	if (!chain)
		return -ENOMEM;
	/* BINDING only says that the chain goes with the rule that calls it. */
	if ((flags & ~(uint32_t)(NFT_CHAIN_BASE | NFT_CHAIN_BINDING)) ||
	    nf_attributes_beyond(attributes, BIT(NFTA_CHAIN_TABLE) | BIT(NFTA_CHAIN_HANDLE) |
						 BIT(NFTA_CHAIN_NAME) | BIT(NFTA_CHAIN_HOOK) |
						 BIT(NFTA_CHAIN_POLICY) | BIT(NFTA_CHAIN_USE) |
						 BIT(NFTA_CHAIN_TYPE) | BIT(NFTA_CHAIN_COUNTERS) |
						 BIT(NFTA_CHAIN_PAD) | BIT(NFTA_CHAIN_FLAGS) |
						 BIT(NFTA_CHAIN_ID) | BIT(NFTA_CHAIN_USERDATA)))
		chain_missing(decoder, table, chain,
			      flags & NFT_CHAIN_HW_OFFLOAD ? "rules that the device carries out"
							   : "an unknown property");
	return attributes->at[NFTA_CHAIN_HOOK].data ? base_read(decoder, table, attributes, chain)
						    : 0;
}

/* ---- rules ---- */

static struct ruleset_chain *chain_find(struct nf_decoder *decoder, struct ruleset_table *table,
					const char *name)
{
	for (size_t i = 0; i < table->chain_count; i++) {
		size_t k = (decoder->chain + i) % table->chain_count;

		if (strcmp(table->chains[k].name, name) == 0) {
			decoder->chain = k;
			return &table->chains[k];
		}
	}
	return NULL;
}

/* nft's comment among its other notes. It is shown to people: no control characters. */
static void comment_read(struct nf_span notes, char *ret_comment)
{
	while (notes.len >= 2 && notes.len - 2 >= notes.data[1]) {
		size_t len = notes.data[1];

		if (notes.data[0] == NOTE_COMMENT) {
			len = strnlen((const char *)notes.data + 2, len);
			if (len > RULESET_COMMENT_MAX)
				len = RULESET_COMMENT_MAX;
			for (size_t i = 0; i < len; i++) {
				uint8_t c = notes.data[2 + i];

				ret_comment[i] = c < 0x20 || c == 0x7f || c == '"' ? '?' : (char)c;
			}
			ret_comment[len] = '\0';
			return;
		}
		notes.data += 2 + len;
		notes.len -= 2 + len;
	}
}

static int expressions_read(struct nf_span list, struct ruleset_rule *rule)
{
	struct ruleset_expression expression;
	struct nf_span value;
	uint16_t type;
	int r;

	while ((r = nf_attribute_next(&list, &type, &value)) > 0) {
		r = nf_expression_read(value, &expression);
		if (r < 0)
			return r;
		if (!ruleset_add_expression(rule, &expression))
			return -ENOMEM;
	}
	return r;
}

static const uint32_t rule_known = BIT(NFTA_RULE_TABLE) | BIT(NFTA_RULE_CHAIN) |
				   BIT(NFTA_RULE_HANDLE) | BIT(NFTA_RULE_EXPRESSIONS) |
				   BIT(NFTA_RULE_POSITION) | BIT(NFTA_RULE_USERDATA) |
				   BIT(NFTA_RULE_PAD) | BIT(NFTA_RULE_ID);

int nf_decode_rule(struct nf_decoder *decoder, uint8_t family,
		   const struct nf_attributes *attributes)
{
	char name[RULESET_NAME_MAX + 1], comment[RULESET_COMMENT_MAX + 1] = "";
	struct ruleset_table *table;
	struct ruleset_chain *chain;
	struct ruleset_rule *rule;
	int r;

	r = nf_decode_table(decoder, family, attributes->at[NFTA_RULE_TABLE], &table);
	if (r > 0)
		r = nf_decode_name(decoder, table, "chain", attributes->at[NFTA_RULE_CHAIN], name);
	if (r <= 0)
		return r;
	chain = chain_find(decoder, table, name);
	if (!chain)
		return -EBADMSG;
	comment_read(attributes->at[NFTA_RULE_USERDATA], comment);
	rule = ruleset_add_rule(chain, comment);
	if (!rule)
		return -ENOMEM;
	/* One of them is how x_tables asks for its older extensions. */
	if (nf_attributes_beyond(attributes, rule_known))
		chain_missing(decoder, table, chain, "an unknown property of a rule");
	if (attributes->at[NFTA_RULE_HANDLE].data &&
	    nf_read_u64(attributes->at[NFTA_RULE_HANDLE], &rule->handle) < 0)
		return -EBADMSG;
	return expressions_read(attributes->at[NFTA_RULE_EXPRESSIONS], rule);
}
