/* SPDX-License-Identifier: GPL-3.0-or-later */
/* There and back without a kernel, and single expressions as bytes. */
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

	assert_int_equal(nf_batch_build(ruleset, &test_prefix, &batch), 0);
	assert_int_equal(nf_batch_build(ruleset, &test_prefix, &again), 0);
	assert_int_equal(batch.len, again.len);
	assert_memory_equal(batch.data, again.data, batch.len);
	read = test_decode(&batch);
	assert_false(read->incomplete);
	test_require_equal(ruleset, read);
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
	struct nf_span rest = test_span(batch);
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

		assert_int_equal(nf_batch_build(ruleset, &test_prefix, &batch), 0);
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

	assert_int_equal(nf_batch_build(ruleset, &test_prefix, &batch), 0);
	for (size_t i = 0; i < batch.len; i += 3) {
		CLEANUP(ruleset_freep) struct ruleset *read = NULL;
		bool same = true;

		batch.data[i] ^= 0x10;
		if (nf_decode(test_span(&batch), 0, NULL, &read) < 0)
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

/* How many entries the batch has for the set of this name. */
static size_t count_entries(const struct buf *batch, const char *set)
{
	struct nf_span rest = test_span(batch);
	struct nf_message message;
	size_t count = 0;

	while (nf_message_next(&rest, &message) > 0) {
		char name[RULESET_NAME_MAX + 1];
		struct nf_attributes attributes;
		struct nf_span list, value;
		uint16_t type;
		uint8_t family;

		if (message.type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM))
			continue;
		assert_int_equal(nf_message_family(&message, &family, &list), 0);
		assert_int_equal(nf_attributes_read(list, &attributes), 0);
		assert_int_equal(nf_name_read(attributes.at[NFTA_SET_ELEM_LIST_SET], name), 0);
		list = attributes.at[NFTA_SET_ELEM_LIST_ELEMENTS];
		while (strcmp(name, set) == 0 && nf_attribute_next(&list, &type, &value) > 0)
			count++;
	}
	return count;
}

/* An interval up to the highest key has no end: the key behind it would be the lowest. */
static void test_highest_has_no_end(void **state)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = sample_full("lo");
	AUTO_BUF struct buf batch = {.cap = NF_BATCH_MAX};

	assert_int_equal(nf_batch_build(ruleset, &test_prefix, &batch), 0);
	assert_int_equal(count_entries(&batch, "everything"), 1);
	assert_int_equal(count_entries(&batch, "edges"), 7);
	assert_int_equal(count_entries(&batch, "areas"), 2);
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
    {"meta", NFTA_META_SREG, 8, 2, {{NFTA_META_KEY, NFT_META_MARK}, {NFTA_META_DREG, 8}}},
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
     4,
     {{NFTA_PAYLOAD_DREG, 8},
      {NFTA_PAYLOAD_BASE, 1},
      {NFTA_PAYLOAD_OFFSET, 0},
      {NFTA_PAYLOAD_LEN, 4}}},
    {"tproxy", NFTA_TPROXY_FAMILY, 7, 1, {{NFTA_TPROXY_REG_PORT, 8}}},
    {"tproxy", NFTA_TPROXY_FAMILY, 2, 0, {{0, 0}}},
    {"reject", 3, 0, 1, {{NFTA_REJECT_TYPE, 0}}},
    {"socket", NFTA_SOCKET_DREG, 7, 1, {{NFTA_SOCKET_KEY, 0}}},
    {"connlimit", 3, 0, 1, {{NFTA_CONNLIMIT_COUNT, 4}}},
    {"ct", NFTA_CT_SREG, 8, 2, {{NFTA_CT_KEY, NFT_CT_MARK}, {NFTA_CT_DREG, 8}}},
    {"nat",
     NFTA_NAT_REG_ADDR_MAX,
     9,
     3,
     {{NFTA_NAT_TYPE, NFT_NAT_DNAT}, {NFTA_NAT_FAMILY, 2}, {NFTA_NAT_REG_PROTO_MIN, 8}}},
    {"nat", NFTA_NAT_FAMILY, 2, 1, {{NFTA_NAT_TYPE, NFT_NAT_SNAT}}},
    {"nat", NFTA_NAT_FAMILY, 7, 2, {{NFTA_NAT_TYPE, NFT_NAT_SNAT}, {NFTA_NAT_REG_PROTO_MIN, 8}}},
    {"nat", NFTA_NAT_FAMILY, 1, 2, {{NFTA_NAT_TYPE, NFT_NAT_SNAT}, {NFTA_NAT_REG_ADDR_MIN, 8}}},
    {"redir", NFTA_REDIR_REG_PROTO_MAX, 9, 0, {{0, 0}}},
    {"masq", NFTA_MASQ_REG_PROTO_MIN, 7, 0, {{0, 0}}},
    {"notrack", 1, 1, 0, {{0, 0}}},
    {"fib", 4, 0, 3, {{NFTA_FIB_DREG, 8}, {NFTA_FIB_RESULT, 1}, {NFTA_FIB_FLAGS, 1}}},
    {"rt", NFTA_RT_DREG, 24, 1, {{NFTA_RT_KEY, 0}}},
    {"byteorder",
     NFTA_BYTEORDER_SIZE,
     3,
     4,
     {{NFTA_BYTEORDER_SREG, 8},
      {NFTA_BYTEORDER_DREG, 8},
      {NFTA_BYTEORDER_OP, 0},
      {NFTA_BYTEORDER_LEN, 6}}},
    {"byteorder",
     NFTA_BYTEORDER_SIZE,
     4,
     4,
     {{NFTA_BYTEORDER_SREG, 8},
      {NFTA_BYTEORDER_DREG, 8},
      {NFTA_BYTEORDER_OP, 0},
      {NFTA_BYTEORDER_LEN, 6}}},
    {"numgen", NFTA_NG_MODULUS, 0, 2, {{NFTA_NG_DREG, 8}, {NFTA_NG_TYPE, 0}}},
    {"numgen",
     NFTA_NG_OFFSET,
     UINT32_MAX,
     3,
     {{NFTA_NG_DREG, 8}, {NFTA_NG_TYPE, 0}, {NFTA_NG_MODULUS, 2}}},
    {"objref", NFTA_OBJREF_SET_SREG, 8, 0, {{0, 0}}},
    {"queue", 1, 1, 0, {{0, 0}}},
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
		assert_int_equal(nf_expression_read(test_span(&out), &e), 0);
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
	assert_int_equal(nf_expression_read(test_span(&meta), &e), 0);
	assert_int_equal(e.kind, RULESET_META);
	write_odd(&reject, &odd[9], false);
	assert_int_equal(nf_expression_read(test_span(&reject), &e), 0);
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

/* An expression of this name with nothing in it. */
static struct ruleset_expression read_bare(const char *name)
{
	AUTO_BUF struct buf out = {.cap = 4096};
	struct nf_writer writer = {.out = &out};
	struct ruleset_expression e;

	nf_put_text(&writer, NFTA_EXPR_NAME, name);
	assert_int_equal(nf_writer_finish(&writer), 0);
	assert_int_equal(nf_expression_read(test_span(&out), &e), 0);
	return e;
}

/* The kernel writes no contents where there is nothing to say. */
static void test_bare_expressions(void **state)
{
	assert_int_equal(read_bare("notrack").kind, RULESET_NOTRACK);
	assert_int_equal(read_bare("masq").kind, RULESET_MASQUERADE);
	assert_int_equal(read_bare("redir").redirect.port_reg, -1);
	assert_int_equal(read_bare("redir").redirect.port_end_reg, -1);
	assert_string_equal(read_bare("log").no_effect.name, "log");
	assert_int_equal(read_bare("ct").kind, RULESET_UNKNOWN);
	assert_int_equal(read_bare("limit").kind, RULESET_UNKNOWN);
	assert_int_equal(read_bare("objref").kind, RULESET_UNKNOWN);
}

/* The kernel names an end even where a rule has only a start. */
static void test_end_that_is_the_start(void **state)
{
	static const struct odd nat = {"nat",
				       NFTA_NAT_REG_PROTO_MAX,
				       NFT_REG32_03,
				       3,
				       {{NFTA_NAT_TYPE, NFT_NAT_DNAT},
					{NFTA_NAT_FAMILY, RULESET_IPV4},
					{NFTA_NAT_REG_PROTO_MIN, NFT_REG32_03}}};
	static const struct odd redirect = {"redir",
					    NFTA_REDIR_REG_PROTO_MAX,
					    NFT_REG32_03,
					    1,
					    {{NFTA_REDIR_REG_PROTO_MIN, NFT_REG32_03}}};
	AUTO_BUF struct buf one = {.cap = 4096}, two = {.cap = 4096};
	struct ruleset_expression e;

	write_odd(&one, &nat, true);
	assert_int_equal(nf_expression_read(test_span(&one), &e), 0);
	assert_int_equal(e.kind, RULESET_TRANSLATE);
	assert_int_equal(e.translate.port_reg, 3);
	assert_int_equal(e.translate.port_end_reg, -1);
	assert_int_equal(e.translate.address_reg, -1);
	write_odd(&two, &redirect, true);
	assert_int_equal(nf_expression_read(test_span(&two), &e), 0);
	assert_int_equal(e.redirect.port_reg, 3);
	assert_int_equal(e.redirect.port_end_reg, -1);
}

/* Whatever a log says, it decides nothing; of a quota only what it allows is told. */
static void test_what_does_not_count(void **state)
{
	AUTO_BUF struct buf log = {.cap = 4096}, quota = {.cap = 4096};
	struct nf_writer writer = {.out = &log};
	struct ruleset_expression e;

	nf_put_text(&writer, NFTA_EXPR_NAME, "log");
	nf_nest_begin(&writer, NFTA_EXPR_DATA);
	nf_put_text(&writer, NFTA_LOG_PREFIX, "of people");
	nf_put_u32(&writer, NFTA_LOG_LEVEL, NFT_LOGLEVEL_AUDIT);
	nf_put_u32(&writer, 33, 1);
	nf_nest_end(&writer);
	assert_int_equal(nf_writer_finish(&writer), 0);
	assert_int_equal(nf_expression_read(test_span(&log), &e), 0);
	assert_int_equal(e.kind, RULESET_NO_EFFECT);

	writer = (struct nf_writer){.out = &quota};
	nf_put_text(&writer, NFTA_EXPR_NAME, "quota");
	nf_nest_begin(&writer, NFTA_EXPR_DATA);
	nf_put_u64(&writer, NFTA_QUOTA_BYTES, 1000);
	nf_put_u64(&writer, NFTA_QUOTA_CONSUMED, 1000);
	nf_put_u32(&writer, NFTA_QUOTA_FLAGS, NFT_QUOTA_F_INV | NFT_QUOTA_F_DEPLETED);
	nf_nest_end(&writer);
	assert_int_equal(nf_writer_finish(&writer), 0);
	assert_int_equal(nf_expression_read(test_span(&quota), &e), 0);
	assert_int_equal(e.kind, RULESET_LIMIT);
	assert_string_equal(e.limit.name, "quota");
	assert_int_equal(e.limit.settings[0], 1000);
	assert_int_equal(e.limit.settings[1], NFT_QUOTA_F_INV);
	assert_int_equal(e.limit.settings[2], 0);
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
	assert_int_equal(nf_batch_build(ruleset, &test_prefix, &batch), 0);
	read = test_decode(&batch);
	assert_string_equal(read->tables[0].chains[0].rules[0].comment, "a?[2J?b? drop");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip_full),
	    cmocka_unit_test(test_round_trip_random),
	    cmocka_unit_test(test_round_trip_large),
	    cmocka_unit_test(test_round_trip_notices),
	    cmocka_unit_test(test_highest_has_no_end),
	    cmocka_unit_test(test_nft_bytes),
	    cmocka_unit_test(test_our_bytes),
	    cmocka_unit_test(test_unknown_expressions),
	    cmocka_unit_test(test_known_without_the_strange),
	    cmocka_unit_test(test_unknown_shift),
	    cmocka_unit_test(test_bare_expressions),
	    cmocka_unit_test(test_end_that_is_the_start),
	    cmocka_unit_test(test_what_does_not_count),
	    cmocka_unit_test(test_comment_is_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
