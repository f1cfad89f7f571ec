/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "codec.h"

#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#define NOTE_COMMENT 0 /* nft's own: type, length, text with its NUL */

static void begin(struct nf_writer *writer, const struct ruleset_table *table, uint16_t message,
		  uint16_t flags)
{
	nf_message_begin(writer, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | message), flags,
			 (uint8_t)table->family, 0);
}

void nf_batch_begin(struct nf_writer *writer)
{
	nf_message_begin(writer, NFNL_MSG_BATCH_BEGIN, 0, 0, NFNL_SUBSYS_NFTABLES);
	nf_message_end(writer);
}

/*
 * Ask for an acknowledgement of the last message before END. The kernel sends every error without
 * being asked, in order, so what comes up to this answer is all there is; and one answer cannot
 * fill the receive buffer however long the batch is. (END itself is only answered by newer
 * kernels.)
 */
int nf_batch_end(struct nf_writer *writer)
{
	struct nlmsghdr header;
	size_t last = writer->message;
	int r;

	r = nf_writer_finish(writer);
	if (r < 0)
		return r;
	memcpy(&header, writer->out->data + last, sizeof(header));
	header.nlmsg_flags |= NLM_F_ACK;
	memcpy(writer->out->data + last, &header, sizeof(header));
	nf_message_begin(writer, NFNL_MSG_BATCH_END, 0, 0, NFNL_SUBSYS_NFTABLES);
	nf_message_end(writer);
	return nf_writer_finish(writer);
}

/* Deleting needs something to delete: create the table if it is not there. Without flags, so that
 * an existing one is left as it is until it goes. */
static void table_remove_write(struct nf_writer *writer, const struct ruleset_table *table,
			       bool destroy)
{
	if (!nf_name_valid(table->name, sizeof(table->name)))
		nf_writer_fail(writer, -EINVAL);
	if (destroy) {
		begin(writer, table, NF_DESTROY_TABLE, 0);
		nf_put_text(writer, NFTA_TABLE_NAME, table->name);
		nf_message_end(writer);
		return;
	}
	begin(writer, table, NFT_MSG_NEWTABLE, NLM_F_CREATE);
	nf_put_text(writer, NFTA_TABLE_NAME, table->name);
	nf_message_end(writer);
	begin(writer, table, NFT_MSG_DELTABLE, 0);
	nf_put_text(writer, NFTA_TABLE_NAME, table->name);
	nf_message_end(writer);
}

static const char *type_name(enum ruleset_chain_type type)
{
	switch (type) {
	case RULESET_FILTER:
		return "filter";
	case RULESET_NAT:
		return "nat";
	case RULESET_ROUTE:
		return "route";
	}
	return NULL;
}

static void device_write(struct nf_writer *writer, const char *name)
{
	if (!name[0] || !memchr(name, '\0', RULESET_DEVICE_MAX))
		nf_writer_fail(writer, -EINVAL);
	else
		nf_put_text(writer, NF_DEVICE_NAME, name);
}

static void devices_write(struct nf_writer *writer, const struct ruleset_chain *chain,
			  const struct nf_batch_options *options)
{
	/* A chain meant for every device, bound to none, would let everything through. */
	if (chain->every_device && !options->device_prefix && options->device_count == 0) {
		nf_writer_fail(writer, -EINVAL);
		return;
	}
	if (!chain->every_device && chain->device_count == 0)
		return;
	nf_nest_begin(writer, NFTA_HOOK_DEVS);
	if (!chain->every_device)
		for (size_t i = 0; i < chain->device_count; i++)
			device_write(writer, chain->devices[i]);
	else if (options->device_prefix)
		nf_put_text(writer, NF_DEVICE_PREFIX, "");
	else
		for (size_t i = 0; i < options->device_count; i++)
			device_write(writer, options->devices[i]);
	nf_nest_end(writer);
}

static void chain_write(struct nf_writer *writer, const struct ruleset_table *table,
			const struct ruleset_chain *chain, const struct nf_batch_options *options)
{
	const char *type = type_name(chain->type);

	if (!nf_name_valid(chain->name, sizeof(chain->name)) ||
	    (chain->base &&
	     (!type || (chain->policy != RULESET_ACCEPT && chain->policy != RULESET_DROP)))) {
		nf_writer_fail(writer, -EINVAL);
		return;
	}
	begin(writer, table, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	nf_put_text(writer, NFTA_CHAIN_TABLE, table->name);
	nf_put_text(writer, NFTA_CHAIN_NAME, chain->name);
	if (chain->base) {
		nf_put_text(writer, NFTA_CHAIN_TYPE, type);
		nf_put_u32(writer, NFTA_CHAIN_POLICY,
			   chain->policy == RULESET_ACCEPT ? NF_ACCEPT : NF_DROP);
		nf_nest_begin(writer, NFTA_CHAIN_HOOK);
		nf_put_u32(writer, NFTA_HOOK_HOOKNUM, chain->hook);
		nf_put_u32(writer, NFTA_HOOK_PRIORITY, (uint32_t)chain->priority);
		devices_write(writer, chain, options);
		nf_nest_end(writer);
	}
	nf_message_end(writer);
}

static void comment_write(struct nf_writer *writer, const char *comment)
{
	char note[2 + RULESET_COMMENT_MAX + 1];
	size_t len = strnlen(comment, RULESET_COMMENT_MAX) + 1;

	note[0] = NOTE_COMMENT;
	note[1] = (char)(uint8_t)len;
	memcpy(note + 2, comment, len - 1);
	note[1 + len] = '\0';
	nf_put(writer, NFTA_RULE_USERDATA, note, 2 + len);
}

static void rule_write(struct nf_writer *writer, const struct ruleset_table *table,
		       const struct ruleset_chain *chain, const struct ruleset_rule *rule)
{
	begin(writer, table, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
	nf_put_text(writer, NFTA_RULE_TABLE, table->name);
	nf_put_text(writer, NFTA_RULE_CHAIN, chain->name);
	nf_nest_begin(writer, NFTA_RULE_EXPRESSIONS);
	for (size_t i = 0; i < rule->count; i++)
		nf_expression_write(writer, &rule->expressions[i]);
	nf_nest_end(writer);
	if (rule->comment[0])
		comment_write(writer, rule->comment);
	nf_message_end(writer);
}

/* Rules name counters, which must be there first. One that exists stays as it is. */
static void counters_write(struct nf_writer *writer, const struct ruleset_table *table,
			   const struct ruleset_rule *rule)
{
	for (size_t i = 0; i < rule->count; i++) {
		const struct ruleset_expression *e = &rule->expressions[i];

		if (e->kind != RULESET_OBJECT || e->object.type != NFT_OBJECT_COUNTER)
			continue;
		if (!nf_name_valid(e->object.object, sizeof(e->object.object))) {
			nf_writer_fail(writer, -EINVAL);
			return;
		}
		begin(writer, table, NFT_MSG_NEWOBJ, NLM_F_CREATE);
		nf_put_text(writer, NFTA_OBJ_TABLE, table->name);
		nf_put_text(writer, NFTA_OBJ_NAME, e->object.object);
		nf_put_u32(writer, NFTA_OBJ_TYPE, NFT_OBJECT_COUNTER);
		nf_nest_begin(writer, NFTA_OBJ_DATA);
		nf_nest_end(writer);
		nf_message_end(writer);
	}
}

/* Chains before elements (verdicts name them), sets with their elements before rules: an anonymous
 * set takes no more elements once a rule uses it. */
static void table_write(struct nf_writer *writer, const struct ruleset_table *table,
			const struct nf_batch_options *options, uint32_t *set_id)
{
	table_remove_write(writer, table, options->destroy);
	begin(writer, table, NFT_MSG_NEWTABLE, NLM_F_CREATE);
	nf_put_text(writer, NFTA_TABLE_NAME, table->name);
	nf_put_u32(writer, NFTA_TABLE_FLAGS, table->flags | options->table_flags);
	nf_message_end(writer);
	for (size_t i = 0; i < table->chain_count; i++)
		chain_write(writer, table, &table->chains[i], options);
	for (size_t i = 0; i < table->set_count; i++)
		nf_set_write(writer, table, &table->sets[i], (*set_id)++);
	for (size_t i = 0; i < table->chain_count; i++)
		for (size_t k = 0; k < table->chains[i].rule_count; k++) {
			counters_write(writer, table, &table->chains[i].rules[k]);
			rule_write(writer, table, &table->chains[i], &table->chains[i].rules[k]);
		}
}

/* A ruleset that is only part of what somebody's kernel holds must not replace the whole. */
static int check_whole(const struct ruleset *ruleset)
{
	return ruleset->table_count == 0 || ruleset->incomplete ? -EINVAL : 0;
}

int nf_batch_build(const struct ruleset *ruleset, const struct nf_batch_options *options,
		   struct buf *out)
{
	struct nf_writer writer = {.out = out};
	uint32_t set_id = 1;
	int r;

	r = check_whole(ruleset);
	if (r < 0)
		return r;
	nf_batch_begin(&writer);
	for (size_t i = 0; i < ruleset->table_count; i++)
		table_write(&writer, &ruleset->tables[i], options, &set_id);
	return nf_batch_end(&writer);
}

int nf_batch_remove(const struct ruleset *ruleset, bool destroy, struct buf *out)
{
	struct nf_writer writer = {.out = out};

	if (ruleset->table_count == 0)
		return -EINVAL;
	nf_batch_begin(&writer);
	for (size_t i = 0; i < ruleset->table_count; i++)
		table_remove_write(&writer, &ruleset->tables[i], destroy);
	return nf_batch_end(&writer);
}

int nf_batch_reflag(const struct ruleset *ruleset, uint32_t flags, struct buf *out)
{
	struct nf_writer writer = {.out = out};

	if (ruleset->table_count == 0)
		return -EINVAL;
	nf_batch_begin(&writer);
	for (size_t i = 0; i < ruleset->table_count; i++) {
		const struct ruleset_table *table = &ruleset->tables[i];

		if (!nf_name_valid(table->name, sizeof(table->name)))
			return -EINVAL;
		/* Without NLM_F_CREATE: a table that has gone is an error, not a new one. */
		begin(&writer, table, NFT_MSG_NEWTABLE, 0);
		nf_put_text(&writer, NFTA_TABLE_NAME, table->name);
		nf_put_u32(&writer, NFTA_TABLE_FLAGS, flags);
		nf_message_end(&writer);
	}
	return nf_batch_end(&writer);
}
