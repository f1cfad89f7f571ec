/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Messages to a ruleset. Works on bytes alone, so that it can be fuzzed without a kernel. */
#include "codec.h"

#include <assert.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#define NOTE_COMMENT 0

#define BIT(attribute) (UINT32_C(1) << (attribute))

/* Where the last message belonged: messages of one chain or set follow each other, so looking there
 * first keeps large rulesets from being searched again and again. */
struct decoder {
	struct ruleset *ruleset;
	enum ruleset_family family;
	const char *only;
	size_t table, chain, set;
};

static bool family_known(uint8_t family)
{
	switch (family) {
	case RULESET_INET:
	case RULESET_IPV4:
	case RULESET_ARP:
	case RULESET_NETDEV:
	case RULESET_BRIDGE:
	case RULESET_IPV6:
		return true;
	default:
		return false;
	}
}

/* A message's table. 1 if it concerns us, 0 if not; what has no place in the model (a family, a
 * name) makes the ruleset incomplete. */
static int table_name_read(struct decoder *decoder, uint8_t family, struct nf_span value,
			   char *ret_name)
{
	int r;

	r = nf_name_read(value, ret_name);
	if (r == -EBADMSG)
		return r;
	if (decoder->only &&
	    (r < 0 || family != (uint8_t)decoder->family || strcmp(ret_name, decoder->only) != 0))
		return 0;
	if (r < 0 || !family_known(family)) {
		decoder->ruleset->incomplete = true;
		return 0;
	}
	return 1;
}

static struct ruleset_table *table_find(struct decoder *decoder, uint8_t family, const char *name)
{
	struct ruleset *ruleset = decoder->ruleset;

	for (size_t i = 0; i < ruleset->table_count; i++) {
		size_t k = (decoder->table + i) % ruleset->table_count;
		struct ruleset_table *table = &ruleset->tables[k];

		if ((uint8_t)table->family != family || strcmp(table->name, name) != 0)
			continue;
		if (decoder->table != k)
			decoder->chain = decoder->set = 0;
		decoder->table = k;
		return table;
	}
	return NULL;
}

static struct ruleset_chain *chain_find(struct decoder *decoder, struct ruleset_table *table,
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

static struct ruleset_set *set_find(struct decoder *decoder, struct ruleset_table *table,
				    const char *name)
{
	for (size_t i = 0; i < table->set_count; i++) {
		size_t k = (decoder->set + i) % table->set_count;

		if (strcmp(table->sets[k].name, name) == 0) {
			decoder->set = k;
			return &table->sets[k];
		}
	}
	return NULL;
}

/* ---- tables ---- */

static int table_new(struct decoder *decoder, uint8_t family,
		     const struct nf_attributes *attributes)
{
	struct nf_span flags = attributes->at[NFTA_TABLE_FLAGS];
	char name[RULESET_NAME_MAX + 1];
	struct ruleset_table *table;
	int r;

	r = table_name_read(decoder, family, attributes->at[NFTA_TABLE_NAME], name);
	if (r <= 0)
		return r;
	table = table_find(decoder, family, name);
	if (!table)
		table = ruleset_add_table(decoder->ruleset, (enum ruleset_family)family, name);
	if (!table)
		return -ENOMEM;
	if (nf_attributes_beyond(attributes, BIT(NFTA_TABLE_NAME) | BIT(NFTA_TABLE_FLAGS) |
						 BIT(NFTA_TABLE_USE) | BIT(NFTA_TABLE_HANDLE) |
						 BIT(NFTA_TABLE_PAD) | BIT(NFTA_TABLE_USERDATA) |
						 BIT(NFTA_TABLE_OWNER)))
		decoder->ruleset->incomplete = true;
	return flags.data ? nf_read_u32(flags, &table->flags) : 0;
}

/* In our batches an empty table is deleted, to make the one of that name go that was there. */
static int table_delete(struct decoder *decoder, uint8_t family,
			const struct nf_attributes *attributes)
{
	struct ruleset *ruleset = decoder->ruleset;
	char name[RULESET_NAME_MAX + 1];
	struct ruleset_table *table;
	int r;

	r = table_name_read(decoder, family, attributes->at[NFTA_TABLE_NAME], name);
	if (r <= 0)
		return r;
	table = table_find(decoder, family, name);
	if (!table || table != &ruleset->tables[ruleset->table_count - 1] ||
	    table->chain_count > 0 || table->set_count > 0)
		return -EBADMSG;
	memset(table, 0, sizeof(*table));
	ruleset->table_count--;
	decoder->table = decoder->chain = decoder->set = 0;
	return 0;
}

/* ---- chains ---- */

/* Devices that a base chain is bound to. A prefix with letters in it ("eth*") has no place in the
 * model. */
static int devices_read(struct decoder *decoder, struct nf_span list, struct ruleset_chain *chain)
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
			decoder->ruleset->incomplete = true;
		else if (ruleset_add_device(chain, name) < 0)
			return -ENOMEM;
	}
	/* Names beside the empty prefix add nothing, but are not what the model says. */
	if (r == 0 && chain->every_device && chain->device_count > 0)
		decoder->ruleset->incomplete = true;
	return r;
}

static int hook_read(struct decoder *decoder, struct nf_span bytes, struct ruleset_chain *chain)
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
		decoder->ruleset->incomplete = true;
	/* The kernel says a single device twice: NFTA_HOOK_DEV is for old programs. */
	list = attributes.at[NFTA_HOOK_DEVS];
	if (!list.data && attributes.at[NFTA_HOOK_DEV].data)
		decoder->ruleset->incomplete = true;
	return devices_read(decoder, list, chain);
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

static int base_read(struct decoder *decoder, const struct nf_attributes *attributes,
		     struct ruleset_chain *chain)
{
	uint32_t policy = NF_ACCEPT; /* the kernel's, where nobody said */
	int r;

	chain->base = true;
	chain->type = type_read(attributes->at[NFTA_CHAIN_TYPE]);
	if (!chain->type)
		decoder->ruleset->incomplete = true;
	if (attributes->at[NFTA_CHAIN_POLICY].data) {
		r = nf_read_u32(attributes->at[NFTA_CHAIN_POLICY], &policy);
		if (r < 0)
			return r;
	}
	if (policy != NF_ACCEPT && policy != NF_DROP)
		return -EBADMSG;
	chain->policy = policy == NF_ACCEPT ? RULESET_ACCEPT : RULESET_DROP;
	return hook_read(decoder, attributes->at[NFTA_CHAIN_HOOK], chain);
}

/* The table that a message names, which must be there. 1, 0 to pass over the message, -errno. */
static int table_get(struct decoder *decoder, uint8_t family, struct nf_span value,
		     struct ruleset_table **ret_table)
{
	char name[RULESET_NAME_MAX + 1];
	int r;

	r = table_name_read(decoder, family, value, name);
	if (r <= 0)
		return r;
	*ret_table = table_find(decoder, family, name);
	return *ret_table ? 1 : -EBADMSG;
}

/* An object's own name. 1, 0 for one that we have no place for and so leave out, -EBADMSG. */
static int name_get(struct decoder *decoder, struct nf_span value, char *ret_name)
{
	int r = nf_name_read(value, ret_name);

	if (r == -EOPNOTSUPP)
		decoder->ruleset->incomplete = true;
	return r == -EOPNOTSUPP ? 0 : r < 0 ? r : 1;
}

static int chain_new(struct decoder *decoder, uint8_t family,
		     const struct nf_attributes *attributes)
{
	char name[RULESET_NAME_MAX + 1];
	struct ruleset_table *table;
	struct ruleset_chain *chain;
	uint32_t flags = 0;
	int r;

	r = table_get(decoder, family, attributes->at[NFTA_CHAIN_TABLE], &table);
	if (r > 0)
		r = name_get(decoder, attributes->at[NFTA_CHAIN_NAME], name);
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
		decoder->ruleset->incomplete = true;
	return attributes->at[NFTA_CHAIN_HOOK].data ? base_read(decoder, attributes, chain) : 0;
}

/* ---- sets ---- */

static int set_new(struct decoder *decoder, uint8_t family, const struct nf_attributes *attributes)
{
	char name[RULESET_NAME_MAX + 1];
	struct ruleset_table *table;
	struct ruleset_set *set;
	int r;

	r = table_get(decoder, family, attributes->at[NFTA_SET_TABLE], &table);
	if (r > 0)
		r = name_get(decoder, attributes->at[NFTA_SET_NAME], name);
	if (r <= 0)
		return r;
	set = ruleset_add_set(table, name);
	if (!set)
		return -ENOMEM;
	return nf_set_read(attributes, set, &decoder->ruleset->incomplete);
}

static int elements_new(struct decoder *decoder, uint8_t family,
			const struct nf_attributes *attributes)
{
	char name[RULESET_NAME_MAX + 1];
	struct ruleset_table *table;
	struct ruleset_set *set;
	int r;

	r = table_get(decoder, family, attributes->at[NFTA_SET_ELEM_LIST_TABLE], &table);
	if (r > 0)
		r = name_get(decoder, attributes->at[NFTA_SET_ELEM_LIST_SET], name);
	if (r <= 0)
		return r;
	set = set_find(decoder, table, name);
	if (!set)
		return -EBADMSG;
	if (nf_attributes_beyond(
		attributes, BIT(NFTA_SET_ELEM_LIST_TABLE) | BIT(NFTA_SET_ELEM_LIST_SET) |
				BIT(NFTA_SET_ELEM_LIST_ELEMENTS) | BIT(NFTA_SET_ELEM_LIST_SET_ID)))
		decoder->ruleset->incomplete = true;
	/* What packets put there comes and goes, and is not part of the ruleset. */
	if (set->dynamic)
		return 0;
	return nf_elements_read(attributes->at[NFTA_SET_ELEM_LIST_ELEMENTS], set,
				&decoder->ruleset->incomplete);
}

/* ---- rules ---- */

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

static int rule_new(struct decoder *decoder, uint8_t family, const struct nf_attributes *attributes)
{
	char name[RULESET_NAME_MAX + 1], comment[RULESET_COMMENT_MAX + 1] = "";
	struct ruleset_table *table;
	struct ruleset_chain *chain;
	struct ruleset_rule *rule;
	int r;

	r = table_get(decoder, family, attributes->at[NFTA_RULE_TABLE], &table);
	if (r > 0)
		r = name_get(decoder, attributes->at[NFTA_RULE_CHAIN], name);
	if (r <= 0)
		return r;
	chain = chain_find(decoder, table, name);
	if (!chain)
		return -EBADMSG;
	comment_read(attributes->at[NFTA_RULE_USERDATA], comment);
	rule = ruleset_add_rule(chain, comment);
	if (!rule)
		return -ENOMEM;
	if (nf_attributes_beyond(attributes, rule_known))
		decoder->ruleset->incomplete = true;
	if (attributes->at[NFTA_RULE_HANDLE].data &&
	    nf_read_u64(attributes->at[NFTA_RULE_HANDLE], &rule->handle) < 0)
		return -EBADMSG;
	return expressions_read(attributes->at[NFTA_RULE_EXPRESSIONS], rule);
}

/* Objects and flow tables: only that there are some. Both name their table in attribute 1. */
static int other_new(struct decoder *decoder, uint8_t family,
		     const struct nf_attributes *attributes)
{
	char name[RULESET_NAME_MAX + 1];
	int r;

	static_assert(NFTA_OBJ_TABLE == 1 && NFTA_FLOWTABLE_TABLE == 1, "attribute of the table");
	r = table_name_read(decoder, family, attributes->at[NFTA_OBJ_TABLE], name);
	if (r > 0)
		decoder->ruleset->incomplete = true;
	return r < 0 ? r : 0;
}

static int message_read(struct decoder *decoder, const struct nf_message *message)
{
	struct nf_attributes attributes;
	struct nf_span bytes;
	uint8_t family;
	int r;

	if (message->type == NFNL_MSG_BATCH_BEGIN || message->type == NFNL_MSG_BATCH_END)
		return 0;
	if (message->type >> 8 != NFNL_SUBSYS_NFTABLES)
		return -EBADMSG;
	r = nf_message_family(message, &family, &bytes);
	if (r < 0)
		return r;
	r = nf_attributes_read(bytes, &attributes);
	if (r < 0)
		return r;
	switch (message->type & 0xff) {
	case NFT_MSG_NEWTABLE:
		return table_new(decoder, family, &attributes);
	case NFT_MSG_DELTABLE:
		return table_delete(decoder, family, &attributes);
	case NFT_MSG_NEWCHAIN:
		return chain_new(decoder, family, &attributes);
	case NFT_MSG_NEWSET:
		return set_new(decoder, family, &attributes);
	case NFT_MSG_NEWSETELEM:
		return elements_new(decoder, family, &attributes);
	case NFT_MSG_NEWRULE:
		return rule_new(decoder, family, &attributes);
	case NFT_MSG_NEWOBJ:
	case NFT_MSG_NEWFLOWTABLE:
		return other_new(decoder, family, &attributes);
	default:
		return -EBADMSG;
	}
}

/* Two of one name: not from one moment of one kernel. */
static bool names_unique(const struct ruleset *ruleset)
{
	for (size_t t = 0; t < ruleset->table_count; t++) {
		const struct ruleset_table *table = &ruleset->tables[t];

		for (size_t i = 1; i < table->chain_count; i++)
			if (strcmp(table->chains[i - 1].name, table->chains[i].name) == 0)
				return false;
		for (size_t i = 1; i < table->set_count; i++)
			if (strcmp(table->sets[i - 1].name, table->sets[i].name) == 0)
				return false;
	}
	return true;
}

/*
 * While the kernel makes a hash table larger, which it does in the background after many elements
 * were added, a dump of that set names some elements twice and leaves as many out, without a word.
 * (Seen on 6.18: 25,685 of 100,000.) None can be left out without another being there twice.
 */
static bool elements_unique(const struct ruleset_set *set)
{
	for (size_t i = 1; i < set->element_count; i++) {
		const struct ruleset_element *a = &set->elements[i - 1], *b = &set->elements[i];

		if (memcmp(a->key.bytes, b->key.bytes, a->key.len) == 0 &&
		    memcmp(a->key_end.bytes, b->key_end.bytes, a->key_end.len) == 0)
			return false;
	}
	return true;
}

static bool sets_whole(const struct ruleset *ruleset)
{
	for (size_t t = 0; t < ruleset->table_count; t++)
		for (size_t i = 0; i < ruleset->tables[t].set_count; i++)
			if (!elements_unique(&ruleset->tables[t].sets[i]))
				return false;
	return true;
}

int nf_decode(struct nf_span bytes, enum ruleset_family family, const char *only,
	      struct ruleset **ret_ruleset)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = ruleset_new();
	struct decoder decoder = {.ruleset = ruleset, .family = family, .only = only};
	struct nf_message message;
	int r;

	if (!ruleset)
		return -ENOMEM;
	while ((r = nf_message_next(&bytes, &message)) > 0) {
		r = message_read(&decoder, &message);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return r;
	for (size_t t = 0; t < ruleset->table_count; t++)
		for (size_t i = 0; i < ruleset->tables[t].set_count; i++) {
			r = nf_elements_fold(&ruleset->tables[t].sets[i]);
			if (r < 0)
				return r;
		}
	ruleset_sort(ruleset);
	if (!names_unique(ruleset))
		return -EBADMSG;
	if (!sets_whole(ruleset))
		return -ESTALE;
	*ret_ruleset = TAKE_PTR(ruleset);
	return 0;
}
