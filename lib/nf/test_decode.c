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

/* Decode what was written after a table of ours: is the ruleset complete? */
static bool complete(struct nf_writer *writer)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;

	assert_int_equal(nf_writer_finish(writer), 0);
	ruleset = test_decode(writer->out);
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

static void test_incomplete(void **state)
{
	static void (*const put[])(struct nf_writer *) = {
	    put_long_table,     put_empty_chain, put_foreign_family, put_offload,  put_prefix,
	    put_set_expression, put_object_map,  put_future_flag,    put_catchall, put_expiring,
	    put_element_object, test_put_object, put_flowtable,
	};

	for (size_t i = 0; i < ARRAY_SIZE(put) + 1; i++) {
		AUTO_BUF struct buf out = {.cap = 1 << 16};
		struct nf_writer writer = {.out = &out};

		test_put_table(&writer, RULESET_INET, NAME);
		(i < ARRAY_SIZE(put) ? put[i] : put_good)(&writer);
		assert_int_equal(complete(&writer), i == ARRAY_SIZE(put));
	}
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
	    cmocka_unit_test(test_only_one_table), cmocka_unit_test(test_broken_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
