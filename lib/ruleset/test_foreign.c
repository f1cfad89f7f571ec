/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What only the rules of others contain: compared, evaluated, listed. */
#include "test_rule.h"

#include <linux/netfilter/nf_nat.h>

#define META_SET(...)                                                                              \
	(expr)                                                                                     \
	{                                                                                          \
		.kind = RULESET_META_SET, .meta_set = { __VA_ARGS__ }                              \
	}
#define WRITE(...)                                                                                 \
	(expr)                                                                                     \
	{                                                                                          \
		.kind = RULESET_PAYLOAD_SET, .payload_set = { __VA_ARGS__ }                        \
	}
#define SHIFT(...)                                                                                 \
	(expr)                                                                                     \
	{                                                                                          \
		.kind = RULESET_SHIFT, .shift = { __VA_ARGS__ }                                    \
	}
#define BYTEORDER(...)                                                                             \
	(expr)                                                                                     \
	{                                                                                          \
		.kind = RULESET_BYTEORDER, .byteorder = { __VA_ARGS__ }                            \
	}
#define CT(...)                                                                                    \
	(expr)                                                                                     \
	{                                                                                          \
		.kind = RULESET_CONNECTION, .connection = { __VA_ARGS__ }                          \
	}
#define CT_SET(...)                                                                                \
	(expr)                                                                                     \
	{                                                                                          \
		.kind = RULESET_CONNECTION_SET, .connection_set = { __VA_ARGS__ }                  \
	}
#define TRANSLATE(...)                                                                             \
	(expr)                                                                                     \
	{                                                                                          \
		.kind = RULESET_TRANSLATE, .translate = { __VA_ARGS__ }                            \
	}
#define REDIRECT(...)                                                                              \
	(expr)                                                                                     \
	{                                                                                          \
		.kind = RULESET_REDIRECT, .redirect = { __VA_ARGS__ }                              \
	}
#define MASQUERADE(...)                                                                            \
	(expr)                                                                                     \
	{                                                                                          \
		.kind = RULESET_MASQUERADE, .redirect = { __VA_ARGS__ }                            \
	}
#define NOTRACK                                                                                    \
	(expr)                                                                                     \
	{                                                                                          \
		.kind = RULESET_NOTRACK                                                            \
	}
#define FIB(...)                                                                                   \
	(expr)                                                                                     \
	{                                                                                          \
		.kind = RULESET_ROUTE_LOOKUP, .route_lookup = { __VA_ARGS__ }                      \
	}
#define RT(...)                                                                                    \
	(expr)                                                                                     \
	{                                                                                          \
		.kind = RULESET_ROUTE_FIELD, .route_field = { __VA_ARGS__ }                        \
	}
#define LIMIT(...)                                                                                 \
	(expr)                                                                                     \
	{                                                                                          \
		.kind = RULESET_LIMIT, .limit = { __VA_ARGS__ }                                    \
	}
#define NUMBER(...)                                                                                \
	(expr)                                                                                     \
	{                                                                                          \
		.kind = RULESET_NUMBER, .number = { __VA_ARGS__ }                                  \
	}
#define NO_EFFECT(name)                                                                            \
	(expr)                                                                                     \
	{                                                                                          \
		.kind = RULESET_NO_EFFECT, .no_effect = { name }                                   \
	}
#define TOLD(to)                                                                                   \
	(expr)                                                                                     \
	{                                                                                          \
		.kind = RULESET_NO_EFFECT, .no_effect = { "log", to }                              \
	}
#define OBJECT(...)                                                                                \
	(expr)                                                                                     \
	{                                                                                          \
		.kind = RULESET_OBJECT, .object = { __VA_ARGS__ }                                  \
	}

/* ---- comparing ---- */

static struct ruleset *alone(const expr *e)
{
	struct ruleset *ruleset = new_ruleset();
	struct ruleset_table *table = ruleset_add_table(ruleset, RULESET_INET, "t");

	add_rule(base_chain(table, "c", NF_INET_LOCAL_OUT, RULESET_ACCEPT), "", e, 1);
	return ruleset;
}

static bool same(const expr *a, const expr *b)
{
	CLEANUP(ruleset_freep) struct ruleset *one = alone(a), *two = alone(b);
	AUTO_BUF struct buf difference = {.cap = 4096};
	bool equal = ruleset_table_equal(&one->tables[0], &two->tables[0], &difference);

	assert_int_equal(equal, difference.len == 0);
	return equal;
}

/* The first is what the others differ from, in one member each. */
static void require_different(const expr *these, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < count; k++)
			assert_int_equal(same(&these[i], &these[k]), i == k);
}

#define DIFFERENT(...)                                                                             \
	require_different((const expr[]){__VA_ARGS__},                                             \
			  sizeof((const expr[]){__VA_ARGS__}) / sizeof(expr))

static void every_member_counts(void **state)
{
	DIFFERENT(META_SET(1, 2), META_SET(3, 2), META_SET(1, 3));
	DIFFERENT(WRITE(1, 2, 3, 4, 5, 6, 7), WRITE(2, 2, 3, 4, 5, 6, 7),
		  WRITE(1, 1, 3, 4, 5, 6, 7), WRITE(1, 2, 2, 4, 5, 6, 7),
		  WRITE(1, 2, 3, 5, 5, 6, 7), WRITE(1, 2, 3, 4, 4, 6, 7),
		  WRITE(1, 2, 3, 4, 5, 5, 7), WRITE(1, 2, 3, 4, 5, 6, 6));
	DIFFERENT(SHIFT(1, 2, 4, true, 5), SHIFT(3, 2, 4, true, 5), SHIFT(1, 3, 4, true, 5),
		  SHIFT(1, 2, 3, true, 5), SHIFT(1, 2, 4, false, 5), SHIFT(1, 2, 4, true, 6));
	DIFFERENT(BYTEORDER(1, 2, 0, 4, 2), BYTEORDER(0, 2, 0, 4, 2), BYTEORDER(1, 1, 0, 4, 2),
		  BYTEORDER(1, 2, 1, 4, 2), BYTEORDER(1, 2, 0, 8, 2), BYTEORDER(1, 2, 0, 4, 4));
	DIFFERENT(CT(1, 0, 2), CT(2, 0, 2), CT(1, -1, 2), CT(1, 1, 2), CT(1, 0, 3));
	DIFFERENT(CT_SET(1, 0, 2), CT_SET(2, 0, 2), CT_SET(1, -1, 2), CT_SET(1, 0, 3));
	DIFFERENT(TRANSLATE(true, RULESET_IPV4, 0, 1, 2, 3, 4),
		  TRANSLATE(false, RULESET_IPV4, 0, 1, 2, 3, 4),
		  TRANSLATE(true, RULESET_IPV6, 0, 1, 2, 3, 4),
		  TRANSLATE(true, RULESET_IPV4, 2, 1, 2, 3, 4),
		  TRANSLATE(true, RULESET_IPV4, 0, 2, 2, 3, 4),
		  TRANSLATE(true, RULESET_IPV4, 0, -1, 2, 3, 4),
		  TRANSLATE(true, RULESET_IPV4, 0, 1, 4, 3, 4),
		  TRANSLATE(true, RULESET_IPV4, 0, 1, 2, 4, 4),
		  TRANSLATE(true, RULESET_IPV4, 0, 1, 2, 3, 5));
	DIFFERENT(REDIRECT(1, 2, 3), REDIRECT(0, 2, 3), REDIRECT(1, 3, 3), REDIRECT(1, 2, 4),
		  REDIRECT(1, -1, 3), MASQUERADE(1, 2, 3), MASQUERADE(0, 2, 3), NOTRACK);
	DIFFERENT(FIB(1, 2, 3), FIB(2, 2, 3), FIB(1, 1, 3), FIB(1, 2, 2));
	DIFFERENT(RT(1, 2), RT(2, 2), RT(1, 1));
	DIFFERENT(LIMIT("limit", {1, 2, 3, 4, 5}), LIMIT("quota", {1, 2, 3, 4, 5}),
		  LIMIT("limit", {0, 2, 3, 4, 5}), LIMIT("limit", {1, 0, 3, 4, 5}),
		  LIMIT("limit", {1, 2, 0, 4, 5}), LIMIT("limit", {1, 2, 3, 0, 5}),
		  LIMIT("limit", {1, 2, 3, 4, 0}));
	DIFFERENT(NUMBER(1, 1, 2, 3), NUMBER(2, 1, 2, 3), NUMBER(1, 0, 2, 3), NUMBER(1, 1, 3, 3),
		  NUMBER(1, 1, 2, 4));
	DIFFERENT(NO_EFFECT("log"), NO_EFFECT("last"));
	DIFFERENT(NO_EFFECT("log"), TOLD(7));
	DIFFERENT(TOLD(8), TOLD(7));
	DIFFERENT(OBJECT(1, "a"), OBJECT(2, "a"), OBJECT(1, "b"));
}

/* The kernel names an end where only a start was given. */
static void an_end_may_be_left_out(void **state)
{
	assert_true(same(&REDIRECT(1, 1, 0), &REDIRECT(1, -1, 0)));
	assert_true(same(&MASQUERADE(-1, -1, 0), &MASQUERADE(-1, -1, 0)));
	assert_true(same(&TRANSLATE(true, RULESET_IPV4, 0, 0, 1, 1, 0),
			 &TRANSLATE(true, RULESET_IPV4, 0, -1, 1, -1, 0)));
}

/* ---- evaluating ---- */

#define word(number) data(0, &(uint32_t){number}, 4)

static void what_goes_on(void **state)
{
	struct packet packet = tcp_packet(PACKET_OUTPUT), in = tcp_packet(PACKET_INPUT);

	CHECK(APPLIES, output, &packet, NO_EFFECT("log"));
	CHECK(APPLIES, output, &packet, TOLD(7));
	CHECK(APPLIES, output, &packet, NO_EFFECT("last"));
	CHECK(APPLIES, prerouting, &in, NOTRACK);
	CHECK(APPLIES, output, &packet, OBJECT(NFT_OBJECT_COUNTER, "k"));
	CHECK(APPLIES, output, &packet, word(7), META_SET(NFT_META_MARK, 0));
	CHECK(APPLIES, output, &packet, word(7), META_SET(NFT_META_PRIORITY, 0));
	CHECK(APPLIES, output, &packet, data(0, BYTES(1)), META_SET(NFT_META_NFTRACE, 0));
	/* What was set is not remembered: nothing may be said of it. */
	CHECK(UNSURE, output, &packet, word(7), META_SET(NFT_META_MARK, 0), meta(NFT_META_MARK, 0),
	      is_u32(7));
	CHECK(UNSURE, output, &packet, META_SET(NFT_META_MARK, 0));
}

static void what_is_left_open(void **state)
{
	static const uint32_t others[] = {NFT_META_PKTTYPE, NFT_META_SECMARK, 9999};
	struct packet packet = tcp_packet(PACKET_OUTPUT);

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		CHECK(UNSURE, output, &packet, word(0), META_SET(others[i], 0));
	CHECK(UNSURE, output, &packet, LIMIT("limit", {1, 1}));
	CHECK(UNSURE, output, &packet, NUMBER(2, 0, 0, 0));
	CHECK(UNSURE, output, &packet, OBJECT(NFT_OBJECT_QUOTA, "q"));
	CHECK(UNSURE, output, &packet, OBJECT(NFT_OBJECT_UNSPEC, "q"));
	CHECK(UNSURE, output, &packet, CT(NFT_CT_STATE, -1, 0));
	CHECK(UNSURE, output, &packet, word(0), CT_SET(NFT_CT_MARK, -1, 0));
	CHECK(UNSURE, output, &packet, FIB(NFT_FIB_RESULT_OIF, 1, 0));
	CHECK(UNSURE, output, &packet, RT(NFT_RT_CLASSID, 0));
	CHECK(UNSURE, output, &packet, word(0), TRANSLATE(true, RULESET_IPV4, 0, -1, -1, -1, 0));
	CHECK(UNSURE, output, &packet, REDIRECT(-1, -1, 0));
	CHECK(UNSURE, output, &packet, MASQUERADE(-1, -1, 0));
	/* Its protocol: no longer the packet that the class speaks of. */
	CHECK(UNSURE, output, &packet, word(0), WRITE(RULESET_NETWORK, 9, 1, 0, 1, 10, 0));
}

/* A chain of type route sends the packet elsewhere if its mark changed. */
static void marks_may_change_the_route(void **state)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = new_ruleset();
	struct ruleset_table *table = ruleset_add_table(ruleset, RULESET_INET, "t");
	struct ruleset_chain *chain = base_chain(table, "c", NF_INET_LOCAL_OUT, RULESET_ACCEPT);
	struct packet packet = tcp_packet(PACKET_OUTPUT);

	RULE(chain, "", word(7), META_SET(NFT_META_MARK, 0));
	assert_int_equal(ruleset_evaluate(ruleset, &packet).outcome, RULESET_PASSED);
	chain->type = RULESET_ROUTE;
	assert_int_equal(ruleset_evaluate(ruleset, &packet).outcome, RULESET_UNDECIDED);
}

static void shifts_are_of_numbers(void **state)
{
	struct packet packet = tcp_packet(PACKET_OUTPUT);
	uint32_t low[] = {0, 0x80000001}, left[] = {1, 2}, right[] = {0, 0x40000000};
	uint32_t high[] = {1, 0}, crossed[] = {0, 0x80000000};

	CHECK(APPLIES, output, &packet, word(5), SHIFT(0, 0, 4, true, 2), is_u32(20));
	CHECK(APPLIES, output, &packet, word(5), SHIFT(0, 3, 4, false, 1), data(0, BYTES(0)),
	      (expr){.kind = RULESET_COMPARE,
		     .compare = {3, RULESET_EQUAL, value(&(uint32_t){2}, 4)}});
	CHECK(APPLIES, output, &packet, word(5), SHIFT(0, 0, 4, true, 0), is_u32(5));
	CHECK(APPLIES, output, &packet, word(0x80000001), SHIFT(0, 0, 4, true, 31),
	      is_u32(0x80000000));
	/* Across words, the first weighing most. */
	CHECK(APPLIES, output, &packet, data(4, low, 8), SHIFT(4, 0, 8, true, 1), is(left, 8));
	CHECK(APPLIES, output, &packet, data(4, low, 8), SHIFT(4, 0, 8, false, 1), is(right, 8));
	CHECK(APPLIES, output, &packet, data(4, high, 8), SHIFT(4, 0, 8, false, 1), is(crossed, 8));
	/* Where the kernel reads what it has written, and what this rule has not loaded. */
	CHECK(UNSURE, output, &packet, data(0, low, 8), SHIFT(0, 0, 8, true, 1));
	CHECK(UNSURE, output, &packet, data(0, low, 8), SHIFT(0, 1, 8, true, 1));
	CHECK(UNSURE, output, &packet, data(4, low, 8), SHIFT(4, 0, 8, true, 0));
	CHECK(UNSURE, output, &packet, SHIFT(0, 0, 4, true, 1));
	CHECK(UNSURE, output, &packet, word(1), SHIFT(0, 0, 8, true, 1));
}

/* What is not certain before is not certain after, and what comes in is. */
static void shifts_keep_what_is_open(void **state)
{
	struct packet packet = tcp_packet(PACKET_OUTPUT);

	/* Version and header length: of the first byte all is known, of the next nothing. */
	CHECK(APPLIES, output, &packet, load(RULESET_NETWORK, 0, 2, 0), mask(BYTES(0xff, 0)),
	      SHIFT(0, 0, 2, true, 4), is(BYTES(0x50, 0x04)));
	CHECK(UNSURE, output, &packet, load(RULESET_NETWORK, 0, 2, 0), SHIFT(0, 0, 2, true, 4),
	      is(BYTES(0x50, 0x04)));
	CHECK(NOT, output, &packet, load(RULESET_NETWORK, 0, 2, 0), SHIFT(0, 0, 2, true, 4),
	      is(BYTES(0x51, 0x04)));
}

static void bytes_are_swapped(void **state)
{
	struct packet packet = tcp_packet(PACKET_OUTPUT);
	const uint8_t eight[] = {1, 2, 3, 4, 5, 6, 7, 8}, back[] = {8, 7, 6, 5, 4, 3, 2, 1};

	for (uint32_t op = NFT_BYTEORDER_NTOH; op <= NFT_BYTEORDER_HTON; op++) {
		CHECK(APPLIES, output, &packet, data(0, BYTES(1, 2)), BYTEORDER(0, 0, op, 2, 2),
		      is(BYTES(2, 1, 0, 0)));
		CHECK(APPLIES, output, &packet, data(0, BYTES(1, 2, 3, 4)),
		      BYTEORDER(0, 0, op, 4, 4), is(BYTES(4, 3, 2, 1)));
		CHECK(APPLIES, output, &packet, data(4, eight, 8), BYTEORDER(4, 0, op, 8, 8),
		      is(back, 8));
	}
	/* The rest of another register is nobody's. */
	CHECK(APPLIES, output, &packet, data(4, BYTES(1, 2)), BYTEORDER(4, 0, 1, 2, 2),
	      is(BYTES(2, 1)));
	CHECK(UNSURE, output, &packet, data(4, BYTES(1, 2)), BYTEORDER(4, 0, 1, 2, 2),
	      is(BYTES(2, 1, 0, 0)));
	/* The length of the packet is open, the port is not. */
	CHECK(UNSURE, output, &packet, load(RULESET_NETWORK, 2, 2, 0), BYTEORDER(0, 0, 0, 2, 2),
	      is(BYTES(2, 1)));
	CHECK(APPLIES, output, &packet, load(RULESET_TRANSPORT, 2, 2, 0), BYTEORDER(0, 0, 0, 2, 2),
	      is(BYTES(0xbb, 0x01)));
	/* What is open moves along: the flags beside the fragment's offset. */
	CHECK(APPLIES, output, &packet, load(RULESET_NETWORK, 6, 2, 0), BYTEORDER(0, 0, 0, 2, 2),
	      mask(BYTES(0xff, 0x1f)), is(BYTES(0, 0)));
	CHECK(UNSURE, output, &packet, load(RULESET_NETWORK, 6, 2, 0), BYTEORDER(0, 0, 0, 2, 2),
	      mask(BYTES(0xff, 0x3f)), is(BYTES(0, 0)));
	/* More than one number, other sizes, overlaps, nothing loaded. */
	CHECK(UNSURE, output, &packet, data(0, eight, 8), BYTEORDER(0, 0, 0, 8, 4));
	CHECK(UNSURE, output, &packet, data(0, eight, 8), BYTEORDER(0, 0, 0, 3, 3));
	CHECK(UNSURE, output, &packet, data(0, eight, 8), BYTEORDER(0, 1, 0, 8, 8));
	CHECK(UNSURE, output, &packet, BYTEORDER(0, 0, 0, 2, 2));
}

static void masks_do_not_overlap(void **state)
{
	struct packet packet = tcp_packet(PACKET_OUTPUT);
	expr masked = mask(BYTES(1, 2, 3, 4, 5, 6, 7, 8));

	CHECK(APPLIES, output, &packet, data(0, BYTES(1, 2, 3, 4, 5, 6, 7, 8)), masked);
	masked.bitwise.reg = 1;
	CHECK(UNSURE, output, &packet, data(0, BYTES(1, 2, 3, 4, 5, 6, 7, 8)), masked);
}

/* ---- listing ---- */

static void require_listed(enum ruleset_family family, const char *line, const expr *expressions,
			   size_t count)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = new_ruleset();
	struct ruleset_table *table = ruleset_add_table(ruleset, family, "t");
	AUTO_BUF struct buf text = {.cap = 4096}, wanted = {.cap = 4096};

	add_rule(ruleset_add_chain(table, "c"), "", expressions, count);
	ruleset_print(ruleset, &text);
	buf_printf(&wanted, "\t\t%s\n", line);
	if (!strstr(buf_text(&text), buf_text(&wanted)))
		fail_msg("not %s: %s", line, buf_text(&text));
}

#define LISTED(family, line, ...)                                                                  \
	require_listed(family, line, (const expr[]){__VA_ARGS__},                                  \
		       sizeof((const expr[]){__VA_ARGS__}) / sizeof(expr))

static void statements_in_nfts_words(void **state)
{
	LISTED(RULESET_INET, "meta mark set 0x0007", word(7), META_SET(NFT_META_MARK, 0));
	LISTED(RULESET_INET, "meta nftrace set 1", data(0, BYTES(1)),
	       META_SET(NFT_META_NFTRACE, 0));
	LISTED(RULESET_INET, "meta mark set ct mark", CT(NFT_CT_MARK, -1, 0),
	       META_SET(NFT_META_MARK, 0));
	LISTED(RULESET_INET, "ct mark set meta mark", meta(NFT_META_MARK, 0),
	       CT_SET(NFT_CT_MARK, -1, 0));
	LISTED(RULESET_INET, "ct original zone set 3", data(0, &(uint16_t){3}, 2),
	       CT_SET(NFT_CT_ZONE, 0, 0));
	LISTED(RULESET_INET, "/* meta mark is set to register 1 */ /* meta key 2 is set */",
	       word(7), META_SET(NFT_META_MARK, 1), META_SET(NFT_META_PRIORITY, 0));
	LISTED(RULESET_IPV4, "dnat to 1.2.3.4-1.2.3.9:80-90 random", data(0, BYTES(1, 2, 3, 4)),
	       data(1, BYTES(1, 2, 3, 9)), data(2, BYTES(0, 80)), data(3, BYTES(0, 90)),
	       TRANSLATE(true, RULESET_IPV4, 0, 1, 2, 3, 7));
	LISTED(RULESET_INET, "snat ip to 1.2.3.4 fully-random,persistent",
	       data(0, BYTES(1, 2, 3, 4)), TRANSLATE(false, RULESET_IPV4, 0, -1, -1, -1, 0x19));
	LISTED(RULESET_IPV4, "/* snat to registers */", data(0, BYTES(1, 2, 3, 4)),
	       TRANSLATE(false, RULESET_IPV4, 0, -1, -1, -1, NF_NAT_RANGE_NETMAP));
	LISTED(RULESET_IPV4, "/* dnat to registers */",
	       TRANSLATE(true, RULESET_IPV4, 0, -1, -1, -1, 1));
	LISTED(RULESET_IPV4, "redirect", REDIRECT(-1, -1, 0));
	LISTED(RULESET_IPV4, "redirect to :80-90", data(0, BYTES(0, 80)), data(1, BYTES(0, 90)),
	       REDIRECT(0, 1, 2));
	LISTED(RULESET_IPV4, "masquerade to :80 random", data(0, BYTES(0, 80)),
	       MASQUERADE(0, 0, 6));
	LISTED(RULESET_IPV4, "notrack", NOTRACK);
	LISTED(RULESET_IPV4, "log", NO_EFFECT("log"));
	LISTED(RULESET_IPV4, "log group 7", TOLD(7));
	LISTED(RULESET_IPV4, "/* last */", NO_EFFECT("last"));
	LISTED(RULESET_IPV4, "limit rate over 5/minute burst 7 packets",
	       LIMIT("limit", {5, 60, 7, 0, 1}));
	LISTED(RULESET_IPV4, "limit rate 10 bytes/second", LIMIT("limit", {10, 1, 0, 1, 0}));
	LISTED(RULESET_IPV4, "/* limit */", LIMIT("limit", {10, 2, 0, 1, 0}));
	LISTED(RULESET_IPV4, "quota over 5 bytes", LIMIT("quota", {5, 1}));
	LISTED(RULESET_IPV4, "ct count 5", LIMIT("connlimit", {5, 0}));
	LISTED(RULESET_IPV4, "counter name \"k\"", OBJECT(NFT_OBJECT_COUNTER, "k"));
	LISTED(RULESET_IPV4, "/* object k of type 3 */", OBJECT(3, "k"));
}

static void fields_in_nfts_words(void **state)
{
	expr not_zero = compare(RULESET_NOT_EQUAL, BYTES(0, 0, 0, 0));

	LISTED(RULESET_INET, "ct state related,new", CT(NFT_CT_STATE, -1, 0),
	       mask(&(uint32_t){12}, 4), not_zero);
	LISTED(RULESET_INET, "ct state & established == 0x0", CT(NFT_CT_STATE, -1, 0),
	       mask(&(uint32_t){2}, 4), is_u32(0));
	LISTED(RULESET_INET, "ct state untracked", CT(NFT_CT_STATE, -1, 0), is_u32(64));
	LISTED(RULESET_INET, "ct original ip saddr 1.2.3.4", CT(NFT_CT_SRC_IP, 0, 0),
	       is(BYTES(1, 2, 3, 4)));
	/* It is not the packet's: the port is anybody's. */
	LISTED(RULESET_INET, "ct original protocol 6 th dport 80", CT(NFT_CT_PROTOCOL, 0, 0),
	       is(BYTES(6)), load(RULESET_TRANSPORT, 2, 2, 0), is(BYTES(0, 80)));
	LISTED(RULESET_INET, "/* ct key 9999 */ /* compare register 0 */", CT(9999, -1, 0),
	       is_u32(1));
	LISTED(RULESET_INET, "fib saddr . iif oif missing",
	       FIB(NFT_FIB_RESULT_OIF, NFTA_FIB_F_SADDR | NFTA_FIB_F_IIF | NFTA_FIB_F_PRESENT, 0),
	       is(BYTES(0)));
	LISTED(RULESET_INET, "fib daddr type local",
	       FIB(NFT_FIB_RESULT_ADDRTYPE, NFTA_FIB_F_DADDR, 0), is_u32(2));
	LISTED(RULESET_INET, "/* fib result 9 flags 1 */", FIB(9, 1, 0));
	LISTED(RULESET_INET, "rt ip nexthop 1.2.3.4", RT(NFT_RT_NEXTHOP4, 0),
	       is(BYTES(1, 2, 3, 4)));
	LISTED(RULESET_INET, "numgen random mod 10 offset 3 4", NUMBER(10, 1, 3, 0), is_u32(4));
	LISTED(RULESET_INET, "/* register 0 shifted left by 2 */ /* compare register 0 */",
	       meta(NFT_META_MARK, 0), SHIFT(0, 0, 4, true, 2), is_u32(4));
	LISTED(RULESET_INET, "/* byte order of register 0 */ /* compare register 0 */",
	       meta(NFT_META_MARK, 0), BYTEORDER(0, 0, 1, 4, 4), is_u32(4));
	LISTED(RULESET_INET, "/* register 0 is written to @nh,64,16 */",
	       load(RULESET_NETWORK, 8, 2, 0), WRITE(RULESET_NETWORK, 8, 2, 0, 1, 10, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_member_counts),
	    cmocka_unit_test(an_end_may_be_left_out),
	    cmocka_unit_test(what_goes_on),
	    cmocka_unit_test(what_is_left_open),
	    cmocka_unit_test(marks_may_change_the_route),
	    cmocka_unit_test(shifts_are_of_numbers),
	    cmocka_unit_test(shifts_keep_what_is_open),
	    cmocka_unit_test(bytes_are_swapped),
	    cmocka_unit_test(masks_do_not_overlap),
	    cmocka_unit_test(statements_in_nfts_words),
	    cmocka_unit_test(fields_in_nfts_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
