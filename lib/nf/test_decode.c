/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Messages made by hand: what the kernel might say, and what it must not. */
#include "codec.h"
#include "test_help.h"
#include "test_sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

/* ---- messages made by hand ---- */

static void put_set(struct nf_writer *writer, uint32_t flags, uint16_t extra)
{
	test_message(writer, NFT_MSG_NEWSET, RULESET_INET);
	nf_put_text(writer, NFTA_SET_TABLE, NAME);
	nf_put_text(writer, NFTA_SET_NAME, "s");
	nf_put_u32(writer, NFTA_SET_FLAGS, flags);
	nf_put_u32(writer, NFTA_SET_KEY_LEN, 2);
	if (extra)
		nf_put_u32(writer, extra, 1);
	nf_message_end(writer);
}

static void put_element(struct nf_writer *writer, uint16_t key, uint32_t flags, uint16_t extra)
{
	const struct ruleset_value value = {.bytes = {(uint8_t)(key >> 8), (uint8_t)key}, .len = 2};

	test_message(writer, NFT_MSG_NEWSETELEM, RULESET_INET);
	nf_put_text(writer, NFTA_SET_ELEM_LIST_TABLE, NAME);
	nf_put_text(writer, NFTA_SET_ELEM_LIST_SET, "s");
	nf_nest_begin(writer, NFTA_SET_ELEM_LIST_ELEMENTS);
	nf_nest_begin(writer, NFTA_LIST_ELEM);
	if (!(flags & NFT_SET_ELEM_CATCHALL))
		nf_value_write(writer, NFTA_SET_ELEM_KEY, &value);
	if (flags)
		nf_put_u32(writer, NFTA_SET_ELEM_FLAGS, flags);
	if (extra)
		nf_put_u64(writer, extra, 1);
	nf_nest_end(writer);
	nf_nest_end(writer);
	nf_message_end(writer);
}

struct point {
	uint16_t key;
	bool end;
};

static int read_points(const struct point *points, size_t count, struct ruleset **ret_ruleset)
{
	AUTO_BUF struct buf out = {.cap = 1 << 16};
	struct nf_writer writer = {.out = &out};

	test_put_table(&writer, RULESET_INET, NAME);
	put_set(&writer, NFT_SET_INTERVAL, 0);
	for (size_t i = 0; i < count; i++)
		put_element(&writer, points[i].key, points[i].end ? NFT_SET_ELEM_INTERVAL_END : 0,
			    0);
	assert_int_equal(nf_writer_finish(&writer), 0);
	return nf_decode(test_span(&out), 0, NULL, ret_ruleset);
}

static void require_intervals(const struct point *points, size_t count,
			      const uint16_t (*expected)[2], size_t expected_count)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;
	const struct ruleset_set *set;

	assert_int_equal(read_points(points, count, &ruleset), 0);
	set = &ruleset->tables[0].sets[0];
	assert_int_equal(set->element_count, expected_count);
	for (size_t i = 0; i < expected_count; i++) {
		const struct ruleset_element *e = &set->elements[i];

		assert_int_equal(e->key.bytes[0] << 8 | e->key.bytes[1], expected[i][0]);
		assert_int_equal(e->key_end.len, 2);
		assert_int_equal(e->key_end.bytes[0] << 8 | e->key_end.bytes[1], expected[i][1]);
	}
}

static void test_intervals(void **state)
{
	/* As nft writes it: a first point that ends nothing. */
	require_intervals((const struct point[]){{0, true}, {5, false}, {9, true}}, 3,
			  (const uint16_t[][2]){{5, 8}}, 1);
	/* As the kernel reads it out: from above; side by side; open at the end. */
	require_intervals(
	    (const struct point[]){
		{0xff00, false}, {20, true}, {10, false}, {10, true}, {0, false}},
	    5, (const uint16_t[][2]){{0, 9}, {10, 19}, {0xff00, 0xffff}}, 3);
	/* A start ends what began before. */
	require_intervals((const struct point[]){{1, false}, {4, false}, {6, true}}, 3,
			  (const uint16_t[][2]){{1, 3}, {4, 5}}, 2);
	require_intervals((const struct point[]){{7, true}}, 1, NULL, 0);
	require_intervals((const struct point[]){{0, false}}, 1, (const uint16_t[][2]){{0, 0xffff}},
			  1);
}

static void test_intervals_that_contradict(void **state)
{
	struct ruleset *ruleset = NULL;

	assert_int_equal(read_points((const struct point[]){{4, false}, {4, false}}, 2, &ruleset),
			 -EBADMSG);
	assert_null(ruleset);
}

/* A set that was dumped while the kernel moved its elements. */
static void test_torn_set(void **state)
{
	AUTO_BUF struct buf out = {.cap = 1 << 16};
	struct nf_writer writer = {.out = &out};
	struct ruleset *ruleset = NULL;

	test_put_table(&writer, RULESET_INET, NAME);
	put_set(&writer, 0, 0);
	put_element(&writer, 1, 0, 0);
	put_element(&writer, 2, 0, 0);
	put_element(&writer, 1, 0, 0);
	assert_int_equal(nf_writer_finish(&writer), 0);
	assert_int_equal(nf_decode(test_span(&out), 0, NULL, &ruleset), -ESTALE);
	assert_null(ruleset);
}

/* Decode what was written after a table of ours: is the ruleset complete? Else this is missing. */
static bool complete(struct nf_writer *writer, const char *missing)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;

	assert_int_equal(nf_writer_finish(writer), 0);
	ruleset = test_decode(writer->out);
	assert_string_equal(ruleset->missing, missing);
	return !ruleset->incomplete;
}

static void put_long_table(struct nf_writer *writer)
{
	test_put_table(writer, RULESET_INET,
		       "a-name-that-the-kernel-takes-and-for-which-we-have-no-place-at-all");
}

static void put_empty_chain(struct nf_writer *writer)
{
	test_put_chain(writer, "", NFT_CHAIN_BASE, NULL);
}

static void put_good(struct nf_writer *writer)
{
	test_put_chain(writer, "c", NFT_CHAIN_BASE, "");
	put_set(writer, NFT_SET_INTERVAL, 0);
	put_element(writer, 1, 0, 0);
}

static void put_foreign_family(struct nf_writer *writer)
{
	test_put_table(writer, 12, "decnet");
}

static void put_offload(struct nf_writer *writer)
{
	test_put_chain(writer, "c", NFT_CHAIN_BASE | NFT_CHAIN_HW_OFFLOAD, NULL);
}

static void put_prefix(struct nf_writer *writer)
{
	test_put_chain(writer, "c", NFT_CHAIN_BASE, "eth");
}

static void put_set_expression(struct nf_writer *writer)
{
	put_set(writer, 0, NFTA_SET_EXPR);
}

static void put_object_map(struct nf_writer *writer)
{
	put_set(writer, NFT_SET_OBJECT, NFTA_SET_OBJ_TYPE);
}

static void put_future_flag(struct nf_writer *writer)
{
	put_set(writer, 0x8000, 0);
}

static void put_catchall(struct nf_writer *writer)
{
	put_set(writer, 0, 0);
	put_element(writer, 0, NFT_SET_ELEM_CATCHALL, 0);
}

static void put_expiring(struct nf_writer *writer)
{
	put_set(writer, NFT_SET_TIMEOUT, 0);
	put_element(writer, 1, 0, NFTA_SET_ELEM_EXPIRATION);
}

static void put_element_object(struct nf_writer *writer)
{
	put_set(writer, 0, 0);
	put_element(writer, 1, 0, NFTA_SET_ELEM_OBJREF);
}

static void put_flowtable(struct nf_writer *writer)
{
	test_message(writer, NFT_MSG_NEWFLOWTABLE, RULESET_INET);
	nf_put_text(writer, NFTA_FLOWTABLE_TABLE, NAME);
	nf_message_end(writer);
}

static void put_quota(struct nf_writer *writer)
{
	test_message(writer, NFT_MSG_NEWOBJ, RULESET_INET);
	nf_put_text(writer, NFTA_OBJ_TABLE, NAME);
	nf_put_text(writer, NFTA_OBJ_NAME, "q\n\033[2J");
	nf_put_u32(writer, NFTA_OBJ_TYPE, NFT_OBJECT_QUOTA);
	nf_message_end(writer);
}

static void put_counter(struct nf_writer *writer)
{
	test_message(writer, NFT_MSG_NEWOBJ, RULESET_INET);
	nf_put_text(writer, NFTA_OBJ_TABLE, NAME);
	nf_put_text(writer, NFTA_OBJ_NAME, "k");
	nf_put_u32(writer, NFTA_OBJ_TYPE, NFT_OBJECT_COUNTER);
	nf_message_end(writer);
}

/* Only the first is told. */
static void put_two(struct nf_writer *writer)
{
	put_quota(writer);
	put_long_table(writer);
}

static void put_statement(struct nf_writer *writer)
{
	put_set(writer, 0, 0);
	put_element(writer, 1, 0, NFTA_SET_ELEM_EXPR);
}

static void put_dynamic_statement(struct nf_writer *writer)
{
	put_set(writer, NFT_SET_EVAL, 0);
	put_element(writer, 1, 0, NFTA_SET_ELEM_EXPR);
}

static void put_dynamic_catchall(struct nf_writer *writer)
{
	put_set(writer, NFT_SET_EVAL, 0);
	put_element(writer, 0, NFT_SET_ELEM_CATCHALL, 0);
}

#define IN_TABLE " of table inet " NAME
#define IN_SET   " in set s" IN_TABLE
#define IN_CHAIN " of chain c in table inet " NAME

static void test_incomplete(void **state)
{
	static const struct {
		void (*put)(struct nf_writer *writer);
		const char *missing;
	} cases[] = {
	    {put_good, ""},
	    {put_counter, ""},
	    {put_long_table, "a table whose name is empty or too long"},
	    {put_empty_chain, "a chain whose name is empty or too long in table inet " NAME},
	    {put_foreign_family, "a table of the unknown family 12"},
	    {put_offload, "rules that the device carries out" IN_CHAIN},
	    {put_prefix, "devices that share a prefix" IN_CHAIN},
	    {put_set_expression, "elements with a statement" IN_SET},
	    {put_object_map, "objects" IN_SET},
	    {put_future_flag, "an unknown property" IN_SET},
	    {put_catchall, "an element for every key" IN_SET},
	    {put_expiring, "an element with a time-out" IN_SET},
	    {put_element_object, "an element with an object" IN_SET},
	    {put_statement, "an element with a statement" IN_SET},
	    {put_dynamic_statement, "an element with a statement" IN_SET},
	    {put_dynamic_catchall, "an element for every key" IN_SET},
	    {test_put_object, "the object " IN_TABLE},
	    {put_flowtable, "the flowtable " IN_TABLE},
	    {put_quota, "the quota q??[2J" IN_TABLE},
	    {put_two, "the quota q??[2J" IN_TABLE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_BUF struct buf out = {.cap = 1 << 16};
		struct nf_writer writer = {.out = &out};

		test_put_table(&writer, RULESET_INET, NAME);
		cases[i].put(&writer);
		assert_int_equal(complete(&writer, cases[i].missing), cases[i].missing[0] == '\0');
	}
}

/* ---- dynamic sets ---- */

static void put_timed(struct nf_writer *writer, uint64_t timeout, uint64_t rest)
{
	const struct ruleset_value key = {.bytes = {0, 7}, .len = 2};

	test_message(writer, NFT_MSG_NEWSETELEM, RULESET_INET);
	nf_put_text(writer, NFTA_SET_ELEM_LIST_TABLE, NAME);
	nf_put_text(writer, NFTA_SET_ELEM_LIST_SET, "s");
	nf_nest_begin(writer, NFTA_SET_ELEM_LIST_ELEMENTS);
	nf_nest_begin(writer, NFTA_LIST_ELEM);
	nf_value_write(writer, NFTA_SET_ELEM_KEY, &key);
	if (timeout != 1)
		nf_put_u64(writer, NFTA_SET_ELEM_TIMEOUT, timeout);
	if (rest)
		nf_put_u64(writer, NFTA_SET_ELEM_EXPIRATION, rest);
	nf_nest_end(writer);
	nf_nest_end(writer);
	nf_message_end(writer);
}

/* What a set of these flags and time-out comes to with elements of these time-outs; of 1: none. */
static void require_held(uint32_t flags, uint64_t own, const uint64_t (*timeouts)[2], size_t count,
			 uint64_t longest_ms)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;
	AUTO_BUF struct buf out = {.cap = 1 << 16};
	struct nf_writer writer = {.out = &out};
	const struct ruleset_set *set;

	test_put_table(&writer, RULESET_INET, NAME);
	test_message(&writer, NFT_MSG_NEWSET, RULESET_INET);
	nf_put_text(&writer, NFTA_SET_TABLE, NAME);
	nf_put_text(&writer, NFTA_SET_NAME, "s");
	nf_put_u32(&writer, NFTA_SET_FLAGS, flags | NFT_SET_EVAL);
	nf_put_u32(&writer, NFTA_SET_KEY_LEN, 2);
	if (own)
		nf_put_u64(&writer, NFTA_SET_TIMEOUT, own);
	nf_message_end(&writer);
	for (size_t i = 0; i < count; i++)
		put_timed(&writer, timeouts[i][0], timeouts[i][1]);
	assert_int_equal(nf_writer_finish(&writer), 0);
	/* The same element again and again: packets come while the kernel tells. */
	ruleset = test_decode(&out);
	assert_false(ruleset->incomplete);
	set = &ruleset->tables[0].sets[0];
	assert_int_equal(set->element_count, 0);
	assert_int_equal(set->held, count);
	assert_true(set->longest_ms == longest_ms);
}

static void test_dynamic_sets(void **state)
{
	require_held(NFT_SET_TIMEOUT, 60000, NULL, 0, 0);
	require_held(NFT_SET_TIMEOUT, 60000, (const uint64_t[][2]){{1, 5}, {1, 9}}, 2, 60000);
	require_held(NFT_SET_TIMEOUT, 60000, (const uint64_t[][2]){{90000, 5}, {1, 9}}, 2, 90000);
	require_held(NFT_SET_TIMEOUT, 60000, (const uint64_t[][2]){{1000, 5}, {1000, 9}}, 2, 1000);
	/* An update may have given it longer than it began with. */
	require_held(NFT_SET_TIMEOUT, 60000, (const uint64_t[][2]){{1000, 5000}}, 1, 5000);
	require_held(NFT_SET_TIMEOUT, 60000, (const uint64_t[][2]){{0, 0}, {1, 9}}, 2, UINT64_MAX);
	require_held(NFT_SET_TIMEOUT, 0, (const uint64_t[][2]){{1, 0}}, 1, UINT64_MAX);
	require_held(0, 0, (const uint64_t[][2]){{1, 0}}, 1, UINT64_MAX);
}

/* Tallies of sets that went meanwhile, or have no place, are passed over. */
static void test_tallies(void **state)
{
	struct nf_tally sets[] = {
	    {.family = RULESET_IPV6, .table = NAME, .set = {.name = "s", .held = 1}},
	    {.family = RULESET_INET, .table = NAME, .set = {.name = "none", .held = 2}},
	    {.family = RULESET_INET, .table = "", .set = {.name = "", .held = 3}},
	    {.family = RULESET_INET,
	     .table = NAME,
	     .set = {.name = "s", .held = 4, .longest_ms = 5},
	     .missing = "an element for every key"},
	};
	const struct nf_tallies tallies = {sets, ARRAY_SIZE(sets), ARRAY_SIZE(sets)};
	CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;
	AUTO_BUF struct buf out = {.cap = 1 << 16};
	struct nf_writer writer = {.out = &out};

	test_put_table(&writer, RULESET_INET, NAME);
	put_set(&writer, NFT_SET_EVAL, 0);
	assert_int_equal(nf_writer_finish(&writer), 0);
	ruleset = test_decode(&out);
	nf_tallies_enter(&tallies, ruleset);
	assert_int_equal(ruleset->tables[0].sets[0].held, 4);
	assert_true(ruleset->tables[0].sets[0].longest_ms == 5);
	assert_true(ruleset->incomplete);
	assert_string_equal(ruleset->missing, "an element for every key" IN_SET);
}

/* Only one table is asked for: what others hold does not matter. */
static void test_only_one_table(void **state)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;
	AUTO_BUF struct buf out = {.cap = 1 << 16};
	struct nf_writer writer = {.out = &out};

	test_put_table(&writer, RULESET_INET, NAME);
	test_put_table(&writer, RULESET_IPV4, NAME);
	test_put_table(&writer, RULESET_INET, "other");
	put_long_table(&writer);
	put_good(&writer);
	assert_int_equal(nf_writer_finish(&writer), 0);
	assert_int_equal(nf_decode(test_span(&out), RULESET_INET, NAME, &ruleset), 0);
	assert_false(ruleset->incomplete);
	assert_int_equal(ruleset->table_count, 1);
	assert_int_equal(ruleset->tables[0].chain_count, 1);
}

static void test_broken_bytes(void **state)
{
	CLEANUP(ruleset_freep) struct ruleset *full = sample_full("lo");
	AUTO_BUF struct buf batch = {.cap = NF_BATCH_MAX};
	struct ruleset *ruleset = NULL;

	assert_int_equal(nf_batch_build(full, &test_prefix, &batch), 0);
	/* Cut anywhere inside a message: refused. Between messages it may be whole. */
	for (size_t len = 1; len < 4000; len++) {
		int r = nf_decode((struct nf_span){(uint8_t *)batch.data, len}, 0, NULL, &ruleset);

		assert_true(r == 0 || r == -EBADMSG);
		assert_true(r == 0 ? len % 4 == 0 : ruleset == NULL);
		ruleset = ruleset_free(ruleset);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_intervals),      cmocka_unit_test(test_intervals_that_contradict),
	    cmocka_unit_test(test_torn_set),       cmocka_unit_test(test_incomplete),
	    cmocka_unit_test(test_dynamic_sets),   cmocka_unit_test(test_tallies),
	    cmocka_unit_test(test_only_one_table), cmocka_unit_test(test_broken_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
