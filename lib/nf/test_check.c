/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What cannot be written, and which stored batches are refused. */
#include "codec.h"
#include "log.h"
#include "test_help.h"
#include "test_sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

/* ---- what cannot be written ---- */

static int build_with(const struct ruleset_expression *e)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = ruleset_new();
	AUTO_BUF struct buf out = {.cap = NF_BATCH_MAX};
	struct ruleset_rule rule = {0};
	struct ruleset_chain *chain;
	struct ruleset_expression copy = *e;

	chain = ruleset_add_chain(ruleset_add_table(ruleset, RULESET_INET, NAME), "c");
	assert_non_null(chain);
	/* Past ruleset_add_expression(), which would refuse some of them. */
	rule.expressions = &copy;
	rule.count = 1;
	chain->rules = &rule;
	chain->rule_count = 1;
	int r = nf_batch_build(ruleset, &test_prefix, &out);

	chain->rules = NULL;
	chain->rule_count = 0;
	return r;
}

static void test_refused_expressions(void **state)
{
	struct ruleset_expression e = {.kind = RULESET_UNKNOWN, .unknown.name = "ct"};

	assert_int_equal(build_with(&e), -EINVAL);
	e = (struct ruleset_expression){.kind = RULESET_META, .meta.reg = 15};
	assert_int_equal(build_with(&e), 0);
	e.meta.reg = 16;
	assert_int_equal(build_with(&e), -EINVAL);
	e = (struct ruleset_expression){.kind = RULESET_COMPARE, .compare.reg = 15};
	assert_int_equal(build_with(&e), -EINVAL);
	e.compare.value.len = 4;
	assert_int_equal(build_with(&e), 0);
	e.compare.value.len = 5;
	assert_int_equal(build_with(&e), -EINVAL);
	e = (struct ruleset_expression){.kind = RULESET_BITWISE,
					.bitwise = {.len = 4, .mask.len = 4, .xor.len = 3}};
	assert_int_equal(build_with(&e), -EINVAL);
	e = (struct ruleset_expression){.kind = RULESET_LOOKUP, .lookup.set = "a%d"};
	assert_int_equal(build_with(&e), -EINVAL);
	e = (struct ruleset_expression){.kind = RULESET_IMMEDIATE,
					.immediate.verdict.code = RULESET_JUMP};
	assert_int_equal(build_with(&e), -EINVAL);
	e = (struct ruleset_expression){.kind = RULESET_TPROXY, .tproxy = {0, -1, -1}};
	assert_int_equal(build_with(&e), -EINVAL);
	e = (struct ruleset_expression){.kind = RULESET_SHIFT, .shift = {.len = 8, .bits = 1}};
	assert_int_equal(build_with(&e), 0);
	e.shift.bits = 0;
	assert_int_equal(build_with(&e), -EINVAL);
	e.shift.len = 4;
	assert_int_equal(build_with(&e), 0);
	e.shift.bits = 32;
	assert_int_equal(build_with(&e), -EINVAL);
	e = (struct ruleset_expression){.kind = RULESET_LIMIT, .limit.name = "limit"};
	assert_int_equal(build_with(&e), 0);
	e.limit.settings[2] = UINT64_C(1) << 32;
	assert_int_equal(build_with(&e), -EINVAL);
	e = (struct ruleset_expression){.kind = RULESET_LIMIT, .limit.name = "log"};
	assert_int_equal(build_with(&e), -EINVAL);
	e = (struct ruleset_expression){.kind = RULESET_OBJECT, .object = {1, ""}};
	assert_int_equal(build_with(&e), -EINVAL);
	e = (struct ruleset_expression){.kind = RULESET_CONNECTION, .connection.direction = 2};
	assert_int_equal(build_with(&e), -EINVAL);
	e = (struct ruleset_expression){.kind = RULESET_REDIRECT, .redirect = {-1, 0, 0}};
	assert_int_equal(build_with(&e), -EINVAL);
}

static struct ruleset *with_set(struct ruleset_set **ret_set)
{
	struct ruleset *ruleset = ruleset_new();
	struct ruleset_set *set =
	    ruleset_add_set(ruleset_add_table(ruleset, RULESET_INET, NAME), "s");

	assert_non_null(set);
	set->key_len = 2;
	*ret_set = set;
	return ruleset;
}

static void test_refused_sets(void **state)
{
	const struct ruleset_element backwards = {.key = {.bytes = {1, 0}, .len = 2},
						  .key_end = {.bytes = {0, 9}, .len = 2}};
	const struct ruleset_element short_key = {.key = {.len = 1}};

	for (int i = 0; i < 6; i++) {
		AUTO_BUF struct buf out = {.cap = NF_BATCH_MAX};
		struct ruleset_set *set;
		CLEANUP(ruleset_freep) struct ruleset *ruleset = with_set(&set);

		if (i == 1) {
			set->interval = true;
			assert_non_null(ruleset_add_element(set, &backwards));
		} else if (i == 2) {
			assert_non_null(ruleset_add_element(set, &short_key));
		} else if (i == 3) {
			set->dynamic = true;
			assert_non_null(ruleset_add_element(set, &backwards));
		} else if (i == 4) {
			set->map = true;
		} else if (i == 5) {
			set->verdict_map = true;
		}
		assert_int_equal(nf_batch_build(ruleset, &test_prefix, &out), i == 0 ? 0 : -EINVAL);
	}
}

static void test_refused_rulesets(void **state)
{
	static const char devices[][RULESET_DEVICE_MAX] = {"lo", "eth0"};
	const struct nf_batch_options none = {0};
	const struct nf_batch_options two = {.devices = devices, .device_count = 2};
	CLEANUP(ruleset_freep) struct ruleset *full = sample_full("lo"), *empty = ruleset_new();
	AUTO_BUF struct buf out = {.cap = NF_BATCH_MAX}, named = {.cap = NF_BATCH_MAX},
			    small = {.cap = 5000};
	CLEANUP(ruleset_freep) struct ruleset *read = NULL;

	assert_int_equal(nf_batch_build(empty, &test_prefix, &out), -EINVAL);
	assert_int_equal(nf_batch_remove(empty, false, &out), -EINVAL);
	/* Every device, and no device: not a chain that lets everything pass. */
	assert_int_equal(nf_batch_build(full, &none, &out), -EINVAL);
	assert_int_equal(nf_batch_build(full, &test_prefix, &small), -E2BIG);
	assert_int_equal(nf_batch_build(full, &two, &named), 0);
	read = test_decode(&named);
	assert_int_equal(ruleset_find_chain(&read->tables[1], "egress")->device_count, 2);
	full->incomplete = true;
	assert_int_equal(nf_batch_build(full, &test_prefix, &named), -EINVAL);
}

/* ---- stored batches ---- */

static struct buf good_batch(void)
{
	CLEANUP(ruleset_freep) struct ruleset *full = sample_full("lo");
	struct buf batch = {.cap = NF_BATCH_MAX};

	assert_int_equal(nf_batch_build(full, &test_prefix, &batch), 0);
	return batch;
}

static void test_check_accepts(void **state)
{
	AUTO_BUF struct buf batch = good_batch();
	AUTO_BUF struct buf removal = {.cap = NF_BATCH_MAX};
	CLEANUP(ruleset_freep) struct ruleset *full = sample_full("lo");

	assert_int_equal(nf_batch_check(batch.data, batch.len, NAME), 0);
	assert_int_equal(nf_batch_remove(full, false, &removal), 0);
	assert_int_equal(nf_batch_check(removal.data, removal.len, NAME), 0);
}

static void test_check_refuses_shapes(void **state)
{
	AUTO_BUF struct buf batch = good_batch(), twice = {.cap = NF_BATCH_MAX};
	size_t len = batch.len;

	assert_int_equal(nf_batch_check(batch.data, len, "lethe-tes"), -EBADMSG);
	assert_int_equal(nf_batch_check(batch.data, len, "lethe-test2"), -EBADMSG);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(nf_batch_check(batch.data, i, NAME), -EBADMSG);
	/* Something behind, another batch behind, one inside, no beginning. */
	buf_add(&twice, batch.data, len);
	buf_add(&twice, "\0\0\0\0", 4);
	assert_int_equal(nf_batch_check(twice.data, twice.len, NAME), -EBADMSG);
	twice.len = len;
	buf_add(&twice, batch.data, len);
	assert_int_equal(nf_batch_check(twice.data, twice.len, NAME), -EBADMSG);
	twice.len = 0;
	buf_add(&twice, batch.data, 20);
	buf_add(&twice, batch.data, len);
	assert_int_equal(nf_batch_check(twice.data, twice.len, NAME), -EBADMSG);
	assert_int_equal(nf_batch_check(batch.data + 20, len - 20, NAME), -EBADMSG);
	assert_int_equal(nf_batch_check(NULL, 0, NAME), -EBADMSG);
}

/* A batch of one message, made by hand, plus a good one before it. */
static int check_message(void (*put)(struct nf_writer *))
{
	AUTO_BUF struct buf out = {.cap = 1 << 16};
	struct nf_writer writer = {.out = &out};

	nf_batch_begin(&writer);
	test_put_table(&writer, RULESET_INET, NAME);
	if (put)
		put(&writer);
	assert_int_equal(nf_batch_end(&writer), 0);
	return nf_batch_check(out.data, out.len, NAME);
}

static void put_foreign_table(struct nf_writer *writer)
{
	test_put_table(writer, RULESET_INET, "other");
}

static void put_ipv4_table(struct nf_writer *writer)
{
	test_put_table(writer, RULESET_IPV4, NAME);
}

static void put_delete_all(struct nf_writer *writer)
{
	test_message(writer, NFT_MSG_DELTABLE, RULESET_INET);
	nf_message_end(writer);
}

static void put_delete_by_handle(struct nf_writer *writer)
{
	test_message(writer, NFT_MSG_DELTABLE, RULESET_INET);
	nf_put_u64(writer, NFTA_TABLE_HANDLE, 1);
	nf_message_end(writer);
}

static void put_delete_with_handle(struct nf_writer *writer)
{
	test_message(writer, NFT_MSG_DELTABLE, RULESET_INET);
	nf_put_text(writer, NFTA_TABLE_NAME, NAME);
	nf_put_u64(writer, NFTA_TABLE_HANDLE, 1);
	nf_message_end(writer);
}

static void put_two_names(struct nf_writer *writer)
{
	test_message(writer, NFT_MSG_DELTABLE, RULESET_INET);
	nf_put_text(writer, NFTA_TABLE_NAME, NAME);
	nf_put_text(writer, NFTA_TABLE_NAME, "other");
	nf_message_end(writer);
}

static void put_rule_deletion(struct nf_writer *writer)
{
	test_message(writer, NFT_MSG_DELRULE, RULESET_INET);
	nf_put_text(writer, NFTA_RULE_TABLE, NAME);
	nf_message_end(writer);
}

static void put_replacement(struct nf_writer *writer)
{
	nf_message_begin(writer, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE, NLM_F_REPLACE,
			 RULESET_INET, 0);
	nf_put_text(writer, NFTA_TABLE_NAME, NAME);
	nf_message_end(writer);
}

static void put_other_subsystem(struct nf_writer *writer)
{
	nf_message_begin(writer, NFNL_SUBSYS_IPSET << 8 | 2, 0, RULESET_INET, 0);
	nf_put_text(writer, NFTA_TABLE_NAME, NAME);
	nf_message_end(writer);
}

static void put_unknown_rule(struct nf_writer *writer)
{
	test_put_chain(writer, "c", 0, NULL);
	test_message(writer, NFT_MSG_NEWRULE, RULESET_INET);
	nf_put_text(writer, NFTA_RULE_TABLE, NAME);
	nf_put_text(writer, NFTA_RULE_CHAIN, "c");
	nf_nest_begin(writer, NFTA_RULE_EXPRESSIONS);
	nf_nest_begin(writer, NFTA_LIST_ELEM);
	nf_put_text(writer, NFTA_EXPR_NAME, "notrack");
	nf_nest_end(writer);
	nf_nest_end(writer);
	nf_message_end(writer);
}

static void put_same_number(struct nf_writer *writer)
{
	writer->sequence--;
	test_put_table(writer, RULESET_INET, NAME);
}

static void put_good_again(struct nf_writer *writer)
{
	test_put_table(writer, RULESET_NETDEV, NAME);
}

static void test_check_refuses_contents(void **state)
{
	static void (*const put[])(struct nf_writer *) = {
	    put_foreign_table, put_ipv4_table,         put_delete_all,    put_delete_by_handle,
	    put_two_names,     put_delete_with_handle, put_rule_deletion, put_replacement,
	    test_put_object,   put_other_subsystem,    put_unknown_rule,  put_same_number,
	};

	for (size_t i = 0; i < ARRAY_SIZE(put); i++)
		assert_int_equal(check_message(put[i]), -EBADMSG);
	assert_int_equal(check_message(NULL), 0);
	assert_int_equal(check_message(put_good_again), 0);
}

/* A whole batch of our own making with one expression in it. */
static int check_expression(const struct ruleset_expression *e)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = ruleset_new();
	AUTO_BUF struct buf out = {.cap = NF_BATCH_MAX};
	struct ruleset_chain *chain;
	struct ruleset_rule *rule;

	chain = ruleset_add_chain(ruleset_add_table(ruleset, RULESET_INET, NAME), "c");
	assert_non_null(chain);
	rule = ruleset_add_rule(chain, "");
	assert_non_null(rule);
	assert_non_null(ruleset_add_expression(rule, e));
	assert_int_equal(nf_batch_build(ruleset, &test_prefix, &out), 0);
	return nf_batch_check(out.data, out.len, NAME);
}

/* What is only read from others does not come from a file. */
static void test_check_refuses_foreign_kinds(void **state)
{
	static const struct ruleset_expression foreign[] = {
	    {.kind = RULESET_META_SET, .meta_set = {NFT_META_MARK, 0}},
	    {.kind = RULESET_PAYLOAD_SET, .payload_set = {RULESET_NETWORK, 8, 2, 0, 1, 10, 0}},
	    {.kind = RULESET_SHIFT, .shift = {.len = 4, .left = true, .bits = 2}},
	    {.kind = RULESET_BYTEORDER, .byteorder = {0, 0, NFT_BYTEORDER_HTON, 4, 4}},
	    {.kind = RULESET_CONNECTION, .connection = {NFT_CT_STATE, -1, 0}},
	    {.kind = RULESET_CONNECTION_SET, .connection_set = {NFT_CT_MARK, -1, 0}},
	    {.kind = RULESET_TRANSLATE, .translate = {true, RULESET_IPV4, 0, -1, -1, -1, 0}},
	    {.kind = RULESET_REDIRECT, .redirect = {-1, -1, 0}},
	    {.kind = RULESET_MASQUERADE, .redirect = {-1, -1, 0}},
	    {.kind = RULESET_NOTRACK},
	    {.kind = RULESET_ROUTE_LOOKUP, .route_lookup = {NFT_FIB_RESULT_OIF, 1, 0}},
	    {.kind = RULESET_ROUTE_FIELD, .route_field = {NFT_RT_CLASSID, 0}},
	    {.kind = RULESET_LIMIT, .limit = {"limit", {5, 60}}},
	    {.kind = RULESET_NUMBER, .number = {2, 0, 0, 0}},
	    {.kind = RULESET_NO_EFFECT, .no_effect = {"log"}},
	    {.kind = RULESET_NO_EFFECT, .no_effect = {"log", 7}},
	    {.kind = RULESET_OBJECT, .object = {NFT_OBJECT_COUNTER, "k"}},
	    {.kind = RULESET_OBJECT, .object = {NFT_OBJECT_QUOTA, "k"}},
	};
	const struct ruleset_expression counter = {.kind = RULESET_COUNTER};
	const struct ruleset_expression told = {.kind = RULESET_NO_EFFECT,
						.no_effect = {"log", NF_LOG_GROUP}};
	bool seen[RULESET_OBJECT + 1] = {false};

	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++) {
		assert_int_equal(check_expression(&foreign[i]), -EBADMSG);
		seen[foreign[i].kind] = true;
	}
	for (int kind = RULESET_META_SET; kind <= RULESET_OBJECT; kind++)
		assert_true(seen[kind]);
	assert_int_equal(check_expression(&counter), 0);
	assert_int_equal(check_expression(&told), 0);
}

static void put_dynamic(struct nf_writer *writer, bool filled)
{
	const struct ruleset_value key = {.len = 2};

	test_message(writer, NFT_MSG_NEWSET, RULESET_INET);
	nf_put_text(writer, NFTA_SET_TABLE, NAME);
	nf_put_text(writer, NFTA_SET_NAME, "s");
	nf_put_u32(writer, NFTA_SET_FLAGS, NFT_SET_EVAL);
	nf_put_u32(writer, NFTA_SET_KEY_LEN, 2);
	nf_message_end(writer);
	if (!filled)
		return;
	test_message(writer, NFT_MSG_NEWSETELEM, RULESET_INET);
	nf_put_text(writer, NFTA_SET_ELEM_LIST_TABLE, NAME);
	nf_put_text(writer, NFTA_SET_ELEM_LIST_SET, "s");
	nf_nest_begin(writer, NFTA_SET_ELEM_LIST_ELEMENTS);
	nf_nest_begin(writer, NFTA_LIST_ELEM);
	nf_value_write(writer, NFTA_SET_ELEM_KEY, &key);
	nf_nest_end(writer);
	nf_nest_end(writer);
	nf_message_end(writer);
}

static void put_empty_dynamic(struct nf_writer *writer)
{
	put_dynamic(writer, false);
}

static void put_filled_dynamic(struct nf_writer *writer)
{
	put_dynamic(writer, true);
}

/* A file that lets something in as if packets had asked for it. */
static void test_check_refuses_held(void **state)
{
	assert_int_equal(check_message(put_empty_dynamic), 0);
	assert_int_equal(check_message(put_filled_dynamic), -EBADMSG);
}

static void put_counter_object(struct nf_writer *writer)
{
	test_message(writer, NFT_MSG_NEWOBJ, RULESET_INET);
	nf_put_text(writer, NFTA_OBJ_TABLE, NAME);
	nf_put_text(writer, NFTA_OBJ_NAME, "k");
	nf_put_u32(writer, NFTA_OBJ_TYPE, NFT_OBJECT_COUNTER);
	nf_message_end(writer);
}

static void test_check_refuses_objects(void **state)
{
	assert_int_equal(check_message(put_counter_object), -EBADMSG);
}

static void test_check_refuses_brackets(void **state)
{
	AUTO_BUF struct buf no_ack = {.cap = 4096}, generation = {.cap = 4096};
	struct nf_writer writer = {.out = &no_ack};
	struct nlmsghdr header;

	nf_batch_begin(&writer);
	test_put_table(&writer, RULESET_INET, NAME);
	assert_int_equal(nf_batch_end(&writer), 0);
	assert_int_equal(nf_batch_check(no_ack.data, no_ack.len, NAME), 0);
	memcpy(&header, no_ack.data + 20, sizeof(header));
	header.nlmsg_flags = NLM_F_REQUEST;
	memcpy(no_ack.data + 20, &header, sizeof(header));
	assert_int_equal(nf_batch_check(no_ack.data, no_ack.len, NAME), -EBADMSG);

	writer = (struct nf_writer){.out = &generation};
	nf_message_begin(&writer, NFNL_MSG_BATCH_BEGIN, 0, 0, NFNL_SUBSYS_NFTABLES);
	nf_put_u32(&writer, 1, 7);
	nf_message_end(&writer);
	test_put_table(&writer, RULESET_INET, NAME);
	assert_int_equal(nf_batch_end(&writer), 0);
	assert_int_equal(nf_batch_check(generation.data, generation.len, NAME), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_refused_expressions),
	    cmocka_unit_test(test_refused_sets),
	    cmocka_unit_test(test_refused_rulesets),
	    cmocka_unit_test(test_check_accepts),
	    cmocka_unit_test(test_check_refuses_shapes),
	    cmocka_unit_test(test_check_refuses_contents),
	    cmocka_unit_test(test_check_refuses_foreign_kinds),
	    cmocka_unit_test(test_check_refuses_held),
	    cmocka_unit_test(test_check_refuses_objects),
	    cmocka_unit_test(test_check_refuses_brackets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
