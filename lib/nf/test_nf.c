/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The codec, without a kernel. */
#include "codec.h"
#include "test_sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#define NAME "lethe-test"

static const struct nf_batch_options prefix = {.device_prefix = true};

static struct nf_span span(const struct buf *buf)
{
	return (struct nf_span){(const uint8_t *)buf->data, buf->len};
}

static struct ruleset *decode(const struct buf *buf)
{
	struct ruleset *ruleset = NULL;

	assert_int_equal(nf_decode(span(buf), 0, NULL, &ruleset), 0);
	return ruleset;
}

static void require_equal(const struct ruleset *a, const struct ruleset *b)
{
	AUTO_BUF struct buf difference = {.cap = 4096};

	assert_int_equal(a->table_count, b->table_count);
	for (size_t i = 0; i < a->table_count; i++)
		if (!ruleset_table_equal(&a->tables[i], &b->tables[i], &difference))
			fail_msg("%s", buf_text(&difference));
}

static void require_same_comments(const struct ruleset *a, const struct ruleset *b)
{
	for (size_t t = 0; t < a->table_count; t++)
		for (size_t c = 0; c < a->tables[t].chain_count; c++) {
			const struct ruleset_chain *x = &a->tables[t].chains[c];
			const struct ruleset_chain *y = &b->tables[t].chains[c];

			for (size_t i = 0; i < x->rule_count; i++)
				assert_string_equal(x->rules[i].comment, y->rules[i].comment);
		}
}

/* ---- there and back ---- */

static void round_trip(const struct ruleset *ruleset)
{
	AUTO_BUF struct buf batch = {.cap = NF_BATCH_MAX}, again = {.cap = NF_BATCH_MAX};
	CLEANUP(ruleset_freep) struct ruleset *read = NULL;

	assert_int_equal(nf_batch_build(ruleset, &prefix, &batch), 0);
	assert_int_equal(nf_batch_build(ruleset, &prefix, &again), 0);
	assert_int_equal(batch.len, again.len);
	assert_memory_equal(batch.data, again.data, batch.len);
	read = decode(&batch);
	assert_false(read->incomplete);
	require_equal(ruleset, read);
	require_same_comments(ruleset, read);
}

static void test_round_trip_full(void **state)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = sample_full("lo");

	round_trip(ruleset);
}

static void test_round_trip_random(void **state)
{
	for (uint64_t seed = 1; seed <= 300; seed++) {
		CLEANUP(ruleset_freep) struct ruleset *ruleset = sample_random(seed);

		print_message("# seed %ju\n", (uintmax_t)seed);
		round_trip(ruleset);
	}
}

static void require_attributes_fit(const struct buf *batch)
{
	struct nf_span rest = span(batch);
	struct nf_message message;
	size_t elements = 0;

	while (nf_message_next(&rest, &message) > 0) {
		struct nf_attributes attributes;
		struct nf_span bytes;
		uint8_t family;

		assert_int_equal(nf_message_family(&message, &family, &bytes), 0);
		assert_int_equal(nf_attributes_read(bytes, &attributes), 0);
		elements += message.type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM);
	}
	assert_true(elements > 1);
}

static void test_round_trip_large(void **state)
{
	for (int interval = 0; interval < 2; interval++) {
		CLEANUP(ruleset_freep) struct ruleset *ruleset = sample_large(30000, interval);
		AUTO_BUF struct buf batch = {.cap = NF_BATCH_MAX};

		assert_int_equal(nf_batch_build(ruleset, &prefix, &batch), 0);
		require_attributes_fit(&batch);
		round_trip(ruleset);
	}
}

/* A detector that sees nothing would pass all of the above: plant a fault in each single byte of
 * the contents, and see that it is never taken for the same ruleset in silence. */
static void test_round_trip_notices(void **state)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = sample_full("lo");
	AUTO_BUF struct buf batch = {.cap = NF_BATCH_MAX};
	size_t noticed = 0, total = 0;

	assert_int_equal(nf_batch_build(ruleset, &prefix, &batch), 0);
	for (size_t i = 0; i < batch.len; i += 3) {
		CLEANUP(ruleset_freep) struct ruleset *read = NULL;
		bool same = true;

		batch.data[i] ^= 0x10;
		if (nf_decode(span(&batch), 0, NULL, &read) < 0)
			same = false;
		for (size_t t = 0; same && t < ruleset->table_count; t++)
			same = t < read->table_count && !read->incomplete &&
			       ruleset_table_equal(&ruleset->tables[t], &read->tables[t], NULL);
		batch.data[i] ^= 0x10;
		noticed += !same;
		total++;
	}
	/* The rest are headers, padding, notes for nft, comments and ids. */
	print_message("# %zu of %zu faults noticed\n", noticed, total);
	assert_true(noticed > total / 2);
}

/* ---- bytes as nft 1.0.6 sends them ---- */

/* One rule, whose expressions are the bytes. */
static struct ruleset_expression read_expression(const void *bytes, size_t len)
{
	struct ruleset_expression e;

	assert_int_equal(nf_expression_read((struct nf_span){bytes, len}, &e), 0);
	return e;
}

#define READ(...)                                                                                  \
	read_expression((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* Headers: length, type, both in host order (these tests know little-endian machines only). */
#define ATTR(len, type)      (len), 0, (type), 0
#define NEST(len, type)      (len), 0, (type), 0x80
#define U32(number)          0, 0, 0, (number)
#define NUMBER(type, number) ATTR(8, type), U32(number)

static void test_nft_bytes(void **state)
{
	struct ruleset_expression e;

	e = READ(ATTR(9, 1), 'm', 'e', 't', 'a', 0, 0, 0, 0, NEST(20, 2), NUMBER(2, 10),
		 NUMBER(1, 1));
	assert_int_equal(e.kind, RULESET_META);
	assert_int_equal(e.meta.key, NFT_META_SKUID);
	assert_int_equal(e.meta.reg, 0);

	e = READ(ATTR(12, 1), 'p', 'a', 'y', 'l', 'o', 'a', 'd', 0, NEST(36, 2), NUMBER(1, 9),
		 NUMBER(2, 2), NUMBER(3, 2), NUMBER(4, 2));
	assert_int_equal(e.kind, RULESET_PAYLOAD);
	assert_int_equal(e.payload.base, RULESET_TRANSPORT);
	assert_int_equal(e.payload.offset, 2);
	assert_int_equal(e.payload.len, 2);
	assert_int_equal(e.payload.reg, 1);

	e = READ(ATTR(8, 1), 'c', 'm', 'p', 0, NEST(32, 2), NUMBER(1, 2), NUMBER(2, 3), NEST(12, 3),
		 ATTR(6, 1), 0, 10, 0, 0);
	assert_int_equal(e.kind, RULESET_COMPARE);
	assert_int_equal(e.compare.reg, 4);
	assert_int_equal(e.compare.operator, RULESET_LESS_EQUAL);
	assert_int_equal(e.compare.value.len, 2);
	assert_int_equal(e.compare.value.bytes[1], 10);

	e = READ(ATTR(11, 1), 'l', 'o', 'o', 'k', 'u', 'p', 0, 0, NEST(40, 2), NUMBER(2, 1),
		 NUMBER(3, 0), ATTR(11, 1), 'l', 'o', '_', 't', 'c', 'p', 0, 0, NUMBER(4, 3));
	/* The set's id is for the batch; a dump never has it. */
	assert_int_equal(e.kind, RULESET_UNKNOWN);
	e = READ(ATTR(11, 1), 'l', 'o', 'o', 'k', 'u', 'p', 0, 0, NEST(40, 2), NUMBER(2, 1),
		 NUMBER(3, 0), ATTR(11, 1), 'l', 'o', '_', 't', 'c', 'p', 0, 0, NUMBER(5, 0));
	assert_int_equal(e.kind, RULESET_LOOKUP);
	assert_string_equal(e.lookup.set, "lo_tcp");
	assert_true(e.lookup.map && e.lookup.verdict_map && !e.lookup.inverted);

	e = READ(ATTR(14, 1), 'i', 'm', 'm', 'e', 'd', 'i', 'a', 't', 'e', 0, 0, 0, NEST(36, 2),
		 NUMBER(1, 0), NEST(24, 2), NEST(20, 2), ATTR(8, 1), 0xff, 0xff, 0xff, 0xfd,
		 ATTR(6, 2), 'x', 0, 0, 0);
	assert_int_equal(e.kind, RULESET_IMMEDIATE);
	assert_int_equal(e.immediate.verdict.code, RULESET_JUMP);
	assert_string_equal(e.immediate.verdict.chain, "x");

	e = READ(ATTR(11, 1), 't', 'p', 'r', 'o', 'x', 'y', 0, 0, NEST(20, 2), NUMBER(1, 0),
		 NUMBER(3, 1));
	assert_int_equal(e.kind, RULESET_TPROXY);
	assert_int_equal(e.tproxy.address_reg, -1);
	assert_int_equal(e.tproxy.port_reg, 0);
}

static void require_bytes(const struct ruleset_expression *e, const uint8_t *bytes, size_t len)
{
	AUTO_BUF struct buf out = {.cap = 4096};
	struct nf_writer writer = {.out = &out};

	nf_expression_write(&writer, e);
	assert_int_equal(nf_writer_finish(&writer), 0);
	assert_int_equal(out.len, len);
	assert_memory_equal(out.data, bytes, len);
}

#define REQUIRE_BYTES(e, ...)                                                                      \
	require_bytes(e, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void test_our_bytes(void **state)
{
	struct ruleset_expression e = {.kind = RULESET_META,
				       .meta = {.key = NFT_META_SKUID, .reg = 2}};

	REQUIRE_BYTES(&e, NEST(36, 1), ATTR(9, 1), 'm', 'e', 't', 'a', 0, 0, 0, 0, NEST(20, 2),
		      NUMBER(2, 10), NUMBER(1, 10));
	e = (struct ruleset_expression){.kind = RULESET_REJECT, .reject = {NFT_REJECT_TCP_RST, 0}};
	REQUIRE_BYTES(&e, NEST(36, 1), ATTR(11, 1), 'r', 'e', 'j', 'e', 'c', 't', 0, 0, NEST(20, 2),
		      NUMBER(1, 1), ATTR(5, 2), 0, 0, 0, 0);
	e = (struct ruleset_expression){.kind = RULESET_IMMEDIATE,
					.immediate.verdict = {RULESET_DROP, ""}};
	REQUIRE_BYTES(&e, NEST(48, 1), ATTR(14, 1), 'i', 'm', 'm', 'e', 'd', 'i', 'a', 't', 'e', 0,
		      0, 0, NEST(28, 2), NUMBER(1, 0), NEST(16, 2), NEST(12, 2), NUMBER(1, 0));
	e = (struct ruleset_expression){.kind = RULESET_COUNTER};
	REQUIRE_BYTES(&e, NEST(20, 1), ATTR(12, 1), 'c', 'o', 'u', 'n', 't', 'e', 'r', 0,
		      NEST(4, 2));
}

/* ---- what the model has no words for ---- */

struct odd {
	const char *name;
	uint16_t attribute;
	uint32_t number;
	unsigned count;
	struct {
		uint16_t attribute;
		uint32_t number;
	} rest[4];
};

/* Expressions of numbers only: the first attribute is the one that makes it strange. */
static const struct odd odd[] = {
    {"meta", NFTA_META_SREG, 8, 1, {{NFTA_META_KEY, NFT_META_MARK}}},
    {"meta", NFTA_META_DREG, 24, 1, {{NFTA_META_KEY, NFT_META_MARK}}},
    {"meta", NFTA_META_DREG, 0, 1, {{NFTA_META_KEY, NFT_META_MARK}}},
    {"meta", 9, 0, 2, {{NFTA_META_KEY, 1}, {NFTA_META_DREG, 8}}},
    {"payload",
     NFTA_PAYLOAD_BASE,
     3,
     3,
     {{NFTA_PAYLOAD_DREG, 8}, {NFTA_PAYLOAD_OFFSET, 0}, {NFTA_PAYLOAD_LEN, 4}}},
    {"payload",
     NFTA_PAYLOAD_LEN,
     5,
     3,
     {{NFTA_PAYLOAD_DREG, 23}, {NFTA_PAYLOAD_OFFSET, 0}, {NFTA_PAYLOAD_BASE, 0}}},
    {"payload",
     NFTA_PAYLOAD_SREG,
     8,
     3,
     {{NFTA_PAYLOAD_BASE, 1}, {NFTA_PAYLOAD_OFFSET, 0}, {NFTA_PAYLOAD_LEN, 4}}},
    {"tproxy", NFTA_TPROXY_FAMILY, 7, 1, {{NFTA_TPROXY_REG_PORT, 8}}},
    {"tproxy", NFTA_TPROXY_FAMILY, 2, 0, {{0, 0}}},
    {"reject", 3, 0, 1, {{NFTA_REJECT_TYPE, 0}}},
    {"socket", NFTA_SOCKET_DREG, 7, 1, {{NFTA_SOCKET_KEY, 0}}},
    {"connlimit", NFTA_CONNLIMIT_COUNT, 4, 0, {{0, 0}}},
    {"an-expression-with-a-very-long-name-of-its-own", 1, 1, 0, {{0, 0}}},
};

static void write_odd(struct buf *out, const struct odd *odd_one, bool strange)
{
	struct nf_writer writer = {.out = out};

	nf_put_text(&writer, NFTA_EXPR_NAME, odd_one->name);
	nf_nest_begin(&writer, NFTA_EXPR_DATA);
	for (unsigned i = 0; i < odd_one->count; i++)
		nf_put_u32(&writer, odd_one->rest[i].attribute, odd_one->rest[i].number);
	if (strange)
		nf_put_u32(&writer, odd_one->attribute, odd_one->number);
	nf_nest_end(&writer);
	assert_int_equal(nf_writer_finish(&writer), 0);
}

static void test_unknown_expressions(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		AUTO_BUF struct buf out = {.cap = 4096};
		struct ruleset_expression e = {.kind = RULESET_META};

		write_odd(&out, &odd[i], true);
		assert_int_equal(nf_expression_read(span(&out), &e), 0);
		assert_int_equal(e.kind, RULESET_UNKNOWN);
		assert_int_equal(strncmp(e.unknown.name, odd[i].name, sizeof(e.unknown.name) - 1),
				 0);
	}
}

/* The same expressions without the strange part, where that is a whole one. */
static void test_known_without_the_strange(void **state)
{
	AUTO_BUF struct buf meta = {.cap = 4096}, reject = {.cap = 4096};
	struct ruleset_expression e;

	write_odd(&meta, &odd[3], false);
	assert_int_equal(nf_expression_read(span(&meta), &e), 0);
	assert_int_equal(e.kind, RULESET_META);
	write_odd(&reject, &odd[9], false);
	assert_int_equal(nf_expression_read(span(&reject), &e), 0);
	assert_int_equal(e.kind, RULESET_REJECT);
}

static void test_unknown_shift(void **state)
{
	struct ruleset_expression e = {.kind = RULESET_BITWISE};
	AUTO_BUF struct buf out = {.cap = 4096};
	struct nf_writer writer = {.out = &out};
	uint8_t *op;

	e.bitwise.len = e.bitwise.mask.len = e.bitwise.xor.len = 4;
	nf_expression_write(&writer, &e);
	assert_int_equal(nf_writer_finish(&writer), 0);
	/* Behind the list's header, the name and the headers of contents, two registers, OP. */
	op = (uint8_t *)out.data + 4 + 12 + 4 + 16 + 7;
	assert_int_equal(
	    nf_expression_read((struct nf_span){(uint8_t *)out.data + 4, out.len - 4}, &e), 0);
	assert_int_equal(e.kind, RULESET_BITWISE);
	*op = NFT_BITWISE_LSHIFT;
	assert_int_equal(
	    nf_expression_read((struct nf_span){(uint8_t *)out.data + 4, out.len - 4}, &e), 0);
	assert_int_equal(e.kind, RULESET_UNKNOWN);
	assert_string_equal(e.unknown.name, "bitwise");
}

/* ---- messages made by hand ---- */

static void message(struct nf_writer *writer, uint16_t type, uint8_t family)
{
	nf_message_begin(writer, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), 0, family, 0);
}

static void put_table(struct nf_writer *writer, uint8_t family, const char *name)
{
	message(writer, NFT_MSG_NEWTABLE, family);
	nf_put_text(writer, NFTA_TABLE_NAME, name);
	nf_message_end(writer);
}

static void put_set(struct nf_writer *writer, uint32_t flags, uint16_t extra)
{
	message(writer, NFT_MSG_NEWSET, RULESET_INET);
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

	message(writer, NFT_MSG_NEWSETELEM, RULESET_INET);
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

	put_table(&writer, RULESET_INET, NAME);
	put_set(&writer, NFT_SET_INTERVAL, 0);
	for (size_t i = 0; i < count; i++)
		put_element(&writer, points[i].key, points[i].end ? NFT_SET_ELEM_INTERVAL_END : 0,
			    0);
	assert_int_equal(nf_writer_finish(&writer), 0);
	return nf_decode(span(&out), 0, NULL, ret_ruleset);
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

	put_table(&writer, RULESET_INET, NAME);
	put_set(&writer, 0, 0);
	put_element(&writer, 1, 0, 0);
	put_element(&writer, 2, 0, 0);
	put_element(&writer, 1, 0, 0);
	assert_int_equal(nf_writer_finish(&writer), 0);
	assert_int_equal(nf_decode(span(&out), 0, NULL, &ruleset), -ESTALE);
	assert_null(ruleset);
}

/* Decode what was written after a table of ours: is the ruleset complete? */
static bool complete(struct nf_writer *writer)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;

	assert_int_equal(nf_writer_finish(writer), 0);
	ruleset = decode(writer->out);
	return !ruleset->incomplete;
}

static void put_chain(struct nf_writer *writer, const char *name, uint32_t flags,
		      const char *prefix_text)
{
	message(writer, NFT_MSG_NEWCHAIN, RULESET_INET);
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

static void put_long_table(struct nf_writer *writer)
{
	put_table(writer, RULESET_INET,
		  "a-name-that-the-kernel-takes-and-for-which-we-have-no-place-at-all");
}

static void put_empty_chain(struct nf_writer *writer)
{
	put_chain(writer, "", NFT_CHAIN_BASE, NULL);
}

static void put_good(struct nf_writer *writer)
{
	put_chain(writer, "c", NFT_CHAIN_BASE, "");
	put_set(writer, NFT_SET_INTERVAL, 0);
	put_element(writer, 1, 0, 0);
}

static void put_foreign_family(struct nf_writer *writer)
{
	put_table(writer, 12, "decnet");
}

static void put_offload(struct nf_writer *writer)
{
	put_chain(writer, "c", NFT_CHAIN_BASE | NFT_CHAIN_HW_OFFLOAD, NULL);
}

static void put_prefix(struct nf_writer *writer)
{
	put_chain(writer, "c", NFT_CHAIN_BASE, "eth");
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

static void put_object(struct nf_writer *writer)
{
	message(writer, NFT_MSG_NEWOBJ, RULESET_INET);
	nf_put_text(writer, NFTA_OBJ_TABLE, NAME);
	nf_message_end(writer);
}

static void put_flowtable(struct nf_writer *writer)
{
	message(writer, NFT_MSG_NEWFLOWTABLE, RULESET_INET);
	nf_put_text(writer, NFTA_FLOWTABLE_TABLE, NAME);
	nf_message_end(writer);
}

static void test_incomplete(void **state)
{
	static void (*const put[])(struct nf_writer *) = {
	    put_long_table,     put_empty_chain, put_foreign_family, put_offload,  put_prefix,
	    put_set_expression, put_object_map,  put_future_flag,    put_catchall, put_expiring,
	    put_element_object, put_object,      put_flowtable,
	};

	for (size_t i = 0; i < ARRAY_SIZE(put) + 1; i++) {
		AUTO_BUF struct buf out = {.cap = 1 << 16};
		struct nf_writer writer = {.out = &out};

		put_table(&writer, RULESET_INET, NAME);
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

	put_table(&writer, RULESET_INET, NAME);
	put_table(&writer, RULESET_IPV4, NAME);
	put_table(&writer, RULESET_INET, "other");
	put_long_table(&writer);
	put_good(&writer);
	assert_int_equal(nf_writer_finish(&writer), 0);
	assert_int_equal(nf_decode(span(&out), RULESET_INET, NAME, &ruleset), 0);
	assert_false(ruleset->incomplete);
	assert_int_equal(ruleset->table_count, 1);
	assert_int_equal(ruleset->tables[0].chain_count, 1);
}

static void test_broken_bytes(void **state)
{
	CLEANUP(ruleset_freep) struct ruleset *full = sample_full("lo");
	AUTO_BUF struct buf batch = {.cap = NF_BATCH_MAX};
	struct ruleset *ruleset = NULL;

	assert_int_equal(nf_batch_build(full, &prefix, &batch), 0);
	/* Cut anywhere inside a message: refused. Between messages it may be whole. */
	for (size_t len = 1; len < 4000; len++) {
		int r = nf_decode((struct nf_span){(uint8_t *)batch.data, len}, 0, NULL, &ruleset);

		assert_true(r == 0 || r == -EBADMSG);
		assert_true(r == 0 ? len % 4 == 0 : ruleset == NULL);
		ruleset = ruleset_free(ruleset);
	}
}

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
	int r = nf_batch_build(ruleset, &prefix, &out);

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
		assert_int_equal(nf_batch_build(ruleset, &prefix, &out), i == 0 ? 0 : -EINVAL);
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

	assert_int_equal(nf_batch_build(empty, &prefix, &out), -EINVAL);
	assert_int_equal(nf_batch_remove(empty, &out), -EINVAL);
	/* Every device, and no device: not a chain that lets everything pass. */
	assert_int_equal(nf_batch_build(full, &none, &out), -EINVAL);
	assert_int_equal(nf_batch_build(full, &prefix, &small), -E2BIG);
	assert_int_equal(nf_batch_build(full, &two, &named), 0);
	read = decode(&named);
	assert_int_equal(ruleset_find_chain(&read->tables[1], "egress")->device_count, 2);
	full->incomplete = true;
	assert_int_equal(nf_batch_build(full, &prefix, &named), -EINVAL);
}

/* ---- stored batches ---- */

static struct buf good_batch(void)
{
	CLEANUP(ruleset_freep) struct ruleset *full = sample_full("lo");
	struct buf batch = {.cap = NF_BATCH_MAX};

	assert_int_equal(nf_batch_build(full, &prefix, &batch), 0);
	return batch;
}

static void test_check_accepts(void **state)
{
	AUTO_BUF struct buf batch = good_batch();
	AUTO_BUF struct buf removal = {.cap = NF_BATCH_MAX};
	CLEANUP(ruleset_freep) struct ruleset *full = sample_full("lo");

	assert_int_equal(nf_batch_check(batch.data, batch.len, NAME), 0);
	assert_int_equal(nf_batch_remove(full, &removal), 0);
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
	put_table(&writer, RULESET_INET, NAME);
	if (put)
		put(&writer);
	assert_int_equal(nf_batch_end(&writer), 0);
	return nf_batch_check(out.data, out.len, NAME);
}

static void put_foreign_table(struct nf_writer *writer)
{
	put_table(writer, RULESET_INET, "other");
}

static void put_ipv4_table(struct nf_writer *writer)
{
	put_table(writer, RULESET_IPV4, NAME);
}

static void put_delete_all(struct nf_writer *writer)
{
	message(writer, NFT_MSG_DELTABLE, RULESET_INET);
	nf_message_end(writer);
}

static void put_delete_by_handle(struct nf_writer *writer)
{
	message(writer, NFT_MSG_DELTABLE, RULESET_INET);
	nf_put_u64(writer, NFTA_TABLE_HANDLE, 1);
	nf_message_end(writer);
}

static void put_delete_with_handle(struct nf_writer *writer)
{
	message(writer, NFT_MSG_DELTABLE, RULESET_INET);
	nf_put_text(writer, NFTA_TABLE_NAME, NAME);
	nf_put_u64(writer, NFTA_TABLE_HANDLE, 1);
	nf_message_end(writer);
}

static void put_two_names(struct nf_writer *writer)
{
	message(writer, NFT_MSG_DELTABLE, RULESET_INET);
	nf_put_text(writer, NFTA_TABLE_NAME, NAME);
	nf_put_text(writer, NFTA_TABLE_NAME, "other");
	nf_message_end(writer);
}

static void put_rule_deletion(struct nf_writer *writer)
{
	message(writer, NFT_MSG_DELRULE, RULESET_INET);
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
	put_chain(writer, "c", 0, NULL);
	message(writer, NFT_MSG_NEWRULE, RULESET_INET);
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
	put_table(writer, RULESET_INET, NAME);
}

static void put_good_again(struct nf_writer *writer)
{
	put_table(writer, RULESET_NETDEV, NAME);
}

static void test_check_refuses_contents(void **state)
{
	static void (*const put[])(struct nf_writer *) = {
	    put_foreign_table, put_ipv4_table,         put_delete_all,    put_delete_by_handle,
	    put_two_names,     put_delete_with_handle, put_rule_deletion, put_replacement,
	    put_object,        put_other_subsystem,    put_unknown_rule,  put_same_number,
	};

	for (size_t i = 0; i < ARRAY_SIZE(put); i++)
		assert_int_equal(check_message(put[i]), -EBADMSG);
	assert_int_equal(check_message(NULL), 0);
	assert_int_equal(check_message(put_good_again), 0);
}

static void test_check_refuses_brackets(void **state)
{
	AUTO_BUF struct buf no_ack = {.cap = 4096}, generation = {.cap = 4096};
	struct nf_writer writer = {.out = &no_ack};
	struct nlmsghdr header;

	nf_batch_begin(&writer);
	put_table(&writer, RULESET_INET, NAME);
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
	put_table(&writer, RULESET_INET, NAME);
	assert_int_equal(nf_batch_end(&writer), 0);
	assert_int_equal(nf_batch_check(generation.data, generation.len, NAME), -EBADMSG);
}

/* Comments go to terminals. */
static void test_comment_is_plain(void **state)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = ruleset_new(), *read = NULL;
	AUTO_BUF struct buf batch = {.cap = NF_BATCH_MAX};
	struct ruleset_chain *chain;

	chain = ruleset_add_chain(ruleset_add_table(ruleset, RULESET_INET, NAME), "c");
	assert_non_null(chain);
	assert_non_null(ruleset_add_rule(chain, "a\033[2J\nb\" drop"));
	assert_int_equal(nf_batch_build(ruleset, &prefix, &batch), 0);
	read = decode(&batch);
	assert_string_equal(read->tables[0].chains[0].rules[0].comment, "a?[2J?b? drop");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip_full),
	    cmocka_unit_test(test_round_trip_random),
	    cmocka_unit_test(test_round_trip_large),
	    cmocka_unit_test(test_round_trip_notices),
	    cmocka_unit_test(test_nft_bytes),
	    cmocka_unit_test(test_our_bytes),
	    cmocka_unit_test(test_unknown_expressions),
	    cmocka_unit_test(test_known_without_the_strange),
	    cmocka_unit_test(test_unknown_shift),
	    cmocka_unit_test(test_intervals),
	    cmocka_unit_test(test_intervals_that_contradict),
	    cmocka_unit_test(test_torn_set),
	    cmocka_unit_test(test_incomplete),
	    cmocka_unit_test(test_only_one_table),
	    cmocka_unit_test(test_broken_bytes),
	    cmocka_unit_test(test_refused_expressions),
	    cmocka_unit_test(test_refused_sets),
	    cmocka_unit_test(test_refused_rulesets),
	    cmocka_unit_test(test_check_accepts),
	    cmocka_unit_test(test_check_refuses_shapes),
	    cmocka_unit_test(test_check_refuses_contents),
	    cmocka_unit_test(test_check_refuses_brackets),
	    cmocka_unit_test(test_comment_is_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
