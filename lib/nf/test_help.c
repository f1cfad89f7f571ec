/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "test_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

const struct nf_batch_options test_prefix = {.device_prefix = true};

struct nf_span test_span(const struct buf *buf)
{
	return (struct nf_span){(const uint8_t *)buf->data, buf->len};
}

struct ruleset *test_decode(const struct buf *buf)
{
	struct ruleset *ruleset = NULL;

	assert_int_equal(nf_decode(test_span(buf), 0, NULL, &ruleset), 0);
	return ruleset;
}

void test_require_equal(const struct ruleset *a, const struct ruleset *b)
{
	AUTO_BUF struct buf difference = {.cap = 4096};

	assert_int_equal(a->table_count, b->table_count);
	for (size_t i = 0; i < a->table_count; i++)
		if (!ruleset_table_equal(&a->tables[i], &b->tables[i], &difference))
			fail_msg("%s", buf_text(&difference));
}

void test_message(struct nf_writer *writer, uint16_t type, uint8_t family)
{
	nf_message_begin(writer, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), 0, family, 0);
}

void test_put_table(struct nf_writer *writer, uint8_t family, const char *name)
{
	test_message(writer, NFT_MSG_NEWTABLE, family);
	nf_put_text(writer, NFTA_TABLE_NAME, name);
	nf_message_end(writer);
}

void test_put_chain(struct nf_writer *writer, const char *name, uint32_t flags,
		    const char *prefix_text)
{
	test_message(writer, NFT_MSG_NEWCHAIN, RULESET_INET);
	nf_put_text(writer, NFTA_CHAIN_TABLE, NAME);
	nf_put_text(writer, NFTA_CHAIN_NAME, name);
	nf_put_u32(writer, NFTA_CHAIN_FLAGS, flags);
	nf_put_text(writer, NFTA_CHAIN_TYPE, "filter");
	nf_nest_begin(writer, NFTA_CHAIN_HOOK);
	nf_put_u32(writer, NFTA_HOOK_HOOKNUM, 0);
	nf_put_u32(writer, NFTA_HOOK_PRIORITY, 0);
	if (prefix_text) {
		nf_nest_begin(writer, NFTA_HOOK_DEVS);
		nf_put_text(writer, NF_DEVICE_PREFIX, prefix_text);
		nf_nest_end(writer);
	}
	nf_nest_end(writer);
	nf_message_end(writer);
}

void test_put_object(struct nf_writer *writer)
{
	test_message(writer, NFT_MSG_NEWOBJ, RULESET_INET);
	nf_put_text(writer, NFTA_OBJ_TABLE, NAME);
	nf_message_end(writer);
}
