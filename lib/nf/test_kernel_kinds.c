/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Each kind of expression that only others use: loaded by nft, read, and put in its own place. */
#include "test_kernel_help.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>

#define PREROUTING  "type filter hook prerouting priority -300"
#define OUTPUT      "type filter hook output priority 0"
#define DESTINATION "type nat hook prerouting priority -100"
#define SOURCE      "type nat hook postrouting priority 100"

/* One rule, and what its expression @at (from the end, 0 is the last) is. */
static const struct kind {
	const char *chain, *rule;
	size_t at;
	struct ruleset_expression expected;
} kinds[] = {
    {OUTPUT, "meta mark set 7", 0, {.kind = RULESET_META_SET, .meta_set = {NFT_META_MARK, 0}}},
    {OUTPUT,
     "meta priority set none",
     0,
     {.kind = RULESET_META_SET, .meta_set = {NFT_META_PRIORITY, 0}}},
    {OUTPUT,
     "meta nftrace set 1",
     0,
     {.kind = RULESET_META_SET, .meta_set = {NFT_META_NFTRACE, 0}}},
    {OUTPUT,
     "ip ttl set 8",
     0,
     {.kind = RULESET_PAYLOAD_SET,
      .payload_set = {RULESET_NETWORK, 8, 2, 0, NFT_PAYLOAD_CSUM_INET, 10, 0}}},
    {OUTPUT,
     "ip saddr set 1.2.3.4",
     0,
     {.kind = RULESET_PAYLOAD_SET,
      .payload_set = {RULESET_NETWORK, 12, 4, 0, NFT_PAYLOAD_CSUM_INET, 10,
		      NFT_PAYLOAD_L4CSUM_PSEUDOHDR}}},
    {OUTPUT,
     "meta mark set mark << 2",
     1,
     {.kind = RULESET_SHIFT, .shift = {.len = 4, .left = true, .bits = 2}}},
    {OUTPUT,
     "meta mark set mark >> 31",
     1,
     {.kind = RULESET_SHIFT, .shift = {.len = 4, .bits = 31}}},
    {OUTPUT,
     "meta mark > 5",
     1,
     {.kind = RULESET_BYTEORDER, .byteorder = {0, 0, NFT_BYTEORDER_HTON, 4, 4}}},
    {OUTPUT,
     "tcp option maxseg size set rt mtu",
     1,
     {.kind = RULESET_BYTEORDER, .byteorder = {0, 0, NFT_BYTEORDER_HTON, 2, 2}}},
    {OUTPUT,
     "ct state new,related accept",
     3,
     {.kind = RULESET_CONNECTION, .connection = {NFT_CT_STATE, -1, 0}}},
    {OUTPUT,
     "ct direction reply",
     1,
     {.kind = RULESET_CONNECTION, .connection = {NFT_CT_DIRECTION, -1, 0}}},
    {OUTPUT,
     "ct original ip saddr 1.2.3.4",
     1,
     {.kind = RULESET_CONNECTION, .connection = {NFT_CT_SRC_IP, 0, 0}}},
    {OUTPUT,
     "tcp dport 9 ct reply proto-dst 9",
     1,
     {.kind = RULESET_CONNECTION, .connection = {NFT_CT_PROTO_DST, 1, 0}}},
    {OUTPUT,
     "ct mark set meta mark",
     0,
     {.kind = RULESET_CONNECTION_SET, .connection_set = {NFT_CT_MARK, -1, 0}}},
    {PREROUTING,
     "ct zone set 3",
     0,
     {.kind = RULESET_CONNECTION_SET, .connection_set = {NFT_CT_ZONE, -1, 0}}},
    {PREROUTING,
     "ct original zone set 3",
     0,
     {.kind = RULESET_CONNECTION_SET, .connection_set = {NFT_CT_ZONE, 0, 0}}},
    {DESTINATION,
     "dnat to 1.2.3.4",
     0,
     {.kind = RULESET_TRANSLATE,
      .translate = {true, RULESET_IPV4, 0, -1, -1, -1, NF_NAT_RANGE_MAP_IPS}}},
    {DESTINATION,
     "tcp dport 80 dnat to 1.2.3.4-1.2.3.9:8080-8090 random",
     0,
     {.kind = RULESET_TRANSLATE,
      .translate = {true, RULESET_IPV4, 0, 4, 8, 12,
		    NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED |
			NF_NAT_RANGE_PROTO_RANDOM}}},
    {DESTINATION,
     "tcp dport 80 dnat to :81",
     0,
     {.kind = RULESET_TRANSLATE,
      .translate = {true, RULESET_IPV4, -1, -1, 0, -1, NF_NAT_RANGE_PROTO_SPECIFIED}}},
    {SOURCE,
     "snat to 1.2.3.4 persistent",
     0,
     {.kind = RULESET_TRANSLATE,
      .translate = {false, RULESET_IPV4, 0, -1, -1, -1,
		    NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PERSISTENT}}},
    {DESTINATION, "redirect", 0, {.kind = RULESET_REDIRECT, .redirect = {-1, -1, 0}}},
    {DESTINATION,
     "tcp dport 80 redirect to :81",
     0,
     {.kind = RULESET_REDIRECT, .redirect = {0, -1, NF_NAT_RANGE_PROTO_SPECIFIED}}},
    {DESTINATION,
     "tcp dport 80 redirect to :81-90",
     0,
     {.kind = RULESET_REDIRECT, .redirect = {0, 4, NF_NAT_RANGE_PROTO_SPECIFIED}}},
    {SOURCE, "masquerade", 0, {.kind = RULESET_MASQUERADE, .redirect = {-1, -1, 0}}},
    {SOURCE,
     "tcp dport 80 masquerade to :81-90 fully-random",
     0,
     {.kind = RULESET_MASQUERADE,
      .redirect = {0, 4, NF_NAT_RANGE_PROTO_SPECIFIED | NF_NAT_RANGE_PROTO_RANDOM_FULLY}}},
    {PREROUTING, "notrack", 0, {.kind = RULESET_NOTRACK}},
    {PREROUTING,
     "fib daddr type local",
     1,
     {.kind = RULESET_ROUTE_LOOKUP,
      .route_lookup = {NFT_FIB_RESULT_ADDRTYPE, NFTA_FIB_F_DADDR, 0}}},
    {PREROUTING,
     "fib saddr . iif oif missing drop",
     2,
     {.kind = RULESET_ROUTE_LOOKUP,
      .route_lookup = {NFT_FIB_RESULT_OIF, NFTA_FIB_F_SADDR | NFTA_FIB_F_IIF | NFTA_FIB_F_PRESENT,
		       0}}},
    {PREROUTING,
     "fib daddr . mark oifname \"lo\"",
     1,
     {.kind = RULESET_ROUTE_LOOKUP,
      .route_lookup = {NFT_FIB_RESULT_OIFNAME, NFTA_FIB_F_DADDR | NFTA_FIB_F_MARK, 0}}},
    {OUTPUT, "rt classid 3", 1, {.kind = RULESET_ROUTE_FIELD, .route_field = {NFT_RT_CLASSID, 0}}},
    {OUTPUT,
     "rt nexthop 1.2.3.4",
     1,
     {.kind = RULESET_ROUTE_FIELD, .route_field = {NFT_RT_NEXTHOP4, 0}}},
    {OUTPUT, "rt mtu 1500", 1, {.kind = RULESET_ROUTE_FIELD, .route_field = {NFT_RT_TCPMSS, 0}}},
    {OUTPUT,
     "limit rate over 5/minute burst 7 packets",
     0,
     {.kind = RULESET_LIMIT, .limit = {"limit", {5, 60, 7, NFT_LIMIT_PKTS, NFT_LIMIT_F_INV}}}},
    {OUTPUT,
     "limit rate 10 kbytes/second burst 3 kbytes",
     0,
     {.kind = RULESET_LIMIT, .limit = {"limit", {10240, 1, 3072, NFT_LIMIT_PKT_BYTES, 0}}}},
    {OUTPUT,
     "quota over 5 kbytes",
     0,
     {.kind = RULESET_LIMIT, .limit = {"quota", {5120, NFT_QUOTA_F_INV}}}},
    {OUTPUT, "quota 5 kbytes", 0, {.kind = RULESET_LIMIT, .limit = {"quota", {5120, 0}}}},
    {OUTPUT,
     "ct count over 5",
     0,
     {.kind = RULESET_LIMIT, .limit = {"connlimit", {5, NFT_CONNLIMIT_F_INV}}}},
    {OUTPUT,
     "numgen random mod 10 offset 3 == 4",
     1,
     {.kind = RULESET_NUMBER, .number = {10, NFT_NG_RANDOM, 3, 0}}},
    {OUTPUT,
     "numgen inc mod 2 1",
     1,
     {.kind = RULESET_NUMBER, .number = {2, NFT_NG_INCREMENTAL, 0, 0}}},
    {OUTPUT, "log", 0, {.kind = RULESET_NO_EFFECT, .no_effect = {"log"}}},
    {OUTPUT,
     "log prefix \"x\" level info flags all",
     0,
     {.kind = RULESET_NO_EFFECT, .no_effect = {"log"}}},
    {OUTPUT, "log level audit", 0, {.kind = RULESET_NO_EFFECT, .no_effect = {"log"}}},
    {OUTPUT, "log group 2", 0, {.kind = RULESET_NO_EFFECT, .no_effect = {"log", 2}}},
    {OUTPUT, "log group 2 snaplen 3", 0, {.kind = RULESET_NO_EFFECT, .no_effect = {"log"}}},
    {OUTPUT, "last", 0, {.kind = RULESET_NO_EFFECT, .no_effect = {"last"}}},
    {OUTPUT,
     "counter name \"k\"",
     0,
     {.kind = RULESET_OBJECT, .object = {NFT_OBJECT_COUNTER, "k"}}},
};

/* These need another table around them. */
static const struct kind others[] = {
    {"ip6",
     "chain c { " DESTINATION "; tcp dport 1 dnat to [2001:db8::1]:8; }",
     0,
     {.kind = RULESET_TRANSLATE,
      .translate = {true, RULESET_IPV6, 0, -1, 4, -1,
		    NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED}}},
    {"inet",
     "chain c { " DESTINATION "; dnat ip6 to 2001:db8::1; }",
     0,
     {.kind = RULESET_TRANSLATE,
      .translate = {true, RULESET_IPV6, 0, -1, -1, -1, NF_NAT_RANGE_MAP_IPS}}},
    {"inet",
     "chain c { " OUTPUT "; ct original ip6 daddr 2001:db8::1 drop; }",
     2,
     {.kind = RULESET_CONNECTION, .connection = {NFT_CT_DST_IP6, 0, 0}}},
    {"inet",
     "quota q { 5 mbytes; }; chain c { " OUTPUT "; quota name \"q\"; }",
     0,
     {.kind = RULESET_OBJECT, .object = {NFT_OBJECT_QUOTA, "q"}}},
    {"inet",
     "limit l { rate 5/second; }; chain c { " OUTPUT "; limit name \"l\"; }",
     0,
     {.kind = RULESET_OBJECT, .object = {NFT_OBJECT_LIMIT, "l"}}},
};

/* How many listings nft has taken. */
static unsigned listed;

/* A ruleset of this one expression, so that two can be compared. */
static struct ruleset *alone(const struct ruleset_expression *e)
{
	struct ruleset *ruleset = ruleset_new();
	struct ruleset_chain *chain;
	struct ruleset_rule *rule;

	assert_non_null(ruleset);
	chain = ruleset_add_chain(ruleset_add_table(ruleset, RULESET_INET, "t"), "c");
	assert_non_null(chain);
	rule = ruleset_add_rule(chain, NULL);
	assert_non_null(rule);
	assert_non_null(ruleset_add_expression(rule, e));
	return ruleset;
}

static bool require_kind(const struct ruleset *read, const struct kind *kind)
{
	const struct ruleset_chain *chain = &read->tables[0].chains[0];
	CLEANUP(ruleset_freep) struct ruleset *expected = alone(&kind->expected);
	CLEANUP(ruleset_freep) struct ruleset *found = NULL;
	AUTO_BUF struct buf difference = {.cap = 4096};
	const struct ruleset_rule *rule;

	assert_int_equal(read->table_count, 1);
	assert_int_equal(chain->rule_count, 1);
	rule = &chain->rules[0];
	assert_true(rule->count > kind->at);
	found = alone(&rule->expressions[rule->count - 1 - kind->at]);
	if (!ruleset_table_equal(&expected->tables[0], &found->tables[0], &difference))
		fail_msg("%s: %s", kind->rule, buf_text(&difference));
	for (size_t i = 0; i < rule->count; i++)
		if (rule->expressions[i].kind == RULESET_UNKNOWN)
			return false;
	return !read->incomplete;
}

/* What is listed without a comment is nft's, and means the same to it. */
static void require_listing(struct nf_socket *socket, const struct ruleset *read)
{
	AUTO_BUF struct buf text = {.cap = 1 << 16}, output = {.cap = 1 << 16};

	ruleset_print(read, &text);
	if (strstr(buf_text(&text), "/*") || strstr(buf_text(&text), "counter name"))
		return;
	assert_int_equal(kernel_nft("flush ruleset\n", &output), KERNEL_NFT_LOADED);
	if (kernel_nft(buf_text(&text), &output) != KERNEL_NFT_LOADED)
		fail_msg("nft refuses the listing %s: %s", buf_text(&text), buf_text(&output));
	kernel_require_held(socket, read);
	listed++;
}

/* 1, or 0 where nft or the kernel does not take it. */
static unsigned load(struct nf_socket *socket, const struct kind *kind, const char *text)
{
	AUTO_BUF struct buf output = {.cap = 1 << 20};
	CLEANUP(ruleset_freep) struct ruleset *read = NULL;

	assert_int_equal(kernel_nft("flush ruleset\n", &output), KERNEL_NFT_LOADED);
	if (kernel_nft(text, &output) != KERNEL_NFT_LOADED) {
		print_message("# this kernel or nft does not take: %s\n", kind->rule);
		return 0;
	}
	read = kernel_read(socket);
	if (require_kind(read, kind)) {
		kernel_apply(socket, read, &kernel_by_name);
		kernel_require_held(socket, read);
		require_listing(socket, read);
	}
	return 1;
}

static void test_every_kind(void **state)
{
	struct nf_socket *socket = kernel_need(state);
	bool seen[RULESET_OBJECT + 1] = {false};
	unsigned loaded = 0;

	kernel_need_nft();
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		AUTO_BUF struct buf text = {.cap = 4096};
		bool counter = kinds[i].expected.kind == RULESET_OBJECT;

		buf_printf(&text, "table ip t { %schain c { %s; %s; }; }\n",
			   counter ? "counter k { }; " : "", kinds[i].chain, kinds[i].rule);
		loaded += load(socket, &kinds[i], buf_text(&text));
		seen[kinds[i].expected.kind] = true;
	}
	for (int kind = RULESET_META_SET; kind <= RULESET_OBJECT; kind++)
		assert_true(seen[kind]);
	print_message("# %u of %zu loaded and read, %u listings loaded\n", loaded,
		      ARRAY_SIZE(kinds), listed);
	assert_true(listed > 20);
	assert_true(loaded >= ARRAY_SIZE(kinds) - 5);
}

static void test_in_other_tables(void **state)
{
	struct nf_socket *socket = kernel_need(state);
	unsigned loaded = 0;

	kernel_need_nft();
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		AUTO_BUF struct buf text = {.cap = 4096};

		buf_printf(&text, "table %s t { %s; }\n", others[i].chain, others[i].rule);
		loaded += load(socket, &others[i], buf_text(&text));
	}
	assert_true(loaded > 0);
}

/* ---- what has no place ---- */

static const struct {
	const char *text, *missing;
} absent[] = {
    {"table inet t { flowtable f { hook ingress priority 0; devices = { lo }; }; }",
     "the flowtable f of table inet t"},
    {"table inet t { quota q { 5 mbytes; }; }", "the quota q of table inet t"},
    {"table ip t { limit l { rate 5/second; }; }", "the limit l of table ip t"},
    {"table ip6 t { ct helper h { type \"ftp\" protocol tcp; }; }",
     "the ct helper h of table ip6 t"},
    {"table inet t { set s { type ipv4_addr; counter; elements = { 1.2.3.4 }; }; }",
     "elements with a statement in set s of table inet t"},
    {"table inet t { set s { type ipv4_addr; flags timeout;\n"
     "elements = { 1.2.3.4 timeout 1h }; }; }",
     "an element with a time-out in set s of table inet t"},
    {"table inet t { map s { type ipv4_addr : verdict; elements = { * : drop }; }; }",
     "an element for every key in map s of table inet t"},
    {"table inet t { chain "
     "a-name-that-the-kernel-takes-and-for-which-we-have-no-place-at-all { }; }",
     "a chain whose name is empty or too long in table inet t"},
    {"table inet t { counter k { }; chain c { }; }", ""},
};

static void test_words_for_what_is_missing(void **state)
{
	struct nf_socket *socket = kernel_need(state);
	unsigned loaded = 0;

	kernel_need_nft();
	for (size_t i = 0; i < ARRAY_SIZE(absent); i++) {
		AUTO_BUF struct buf output = {.cap = 1 << 20};
		CLEANUP(ruleset_freep) struct ruleset *read = NULL;

		assert_int_equal(kernel_nft("flush ruleset\n", &output), KERNEL_NFT_LOADED);
		if (kernel_nft(absent[i].text, &output) != KERNEL_NFT_LOADED)
			continue;
		read = kernel_read(socket);
		assert_string_equal(read->missing, absent[i].missing);
		assert_int_equal(read->incomplete, absent[i].missing[0] != '\0');
		loaded++;
	}
	print_message("# %u of %zu loaded and read\n", loaded, ARRAY_SIZE(absent));
	assert_true(loaded > ARRAY_SIZE(absent) / 2);
}

/* ---- dynamic sets ---- */

static void require_dynamic(struct nf_socket *socket, const char *set, size_t held,
			    uint64_t longest_ms)
{
	CLEANUP(ruleset_freep) struct ruleset *all = kernel_read(socket), *one = NULL;
	const struct ruleset_set *found;

	assert_int_equal(nf_read_table(socket, RULESET_INET, "t", &one), 0);
	for (int i = 0; i < 2; i++) {
		found = ruleset_find_set(i ? &one->tables[0] : &all->tables[0], set);
		assert_non_null(found);
		assert_true(found->dynamic);
		assert_int_equal(found->element_count, 0);
		assert_int_equal(found->held, held);
		assert_true(found->longest_ms == longest_ms);
	}
	assert_false(all->incomplete);
}

static void test_dynamic_sets(void **state)
{
	struct nf_socket *socket = kernel_need(state);
	AUTO_BUF struct buf output = {.cap = 1 << 20};

	kernel_need_nft();
	assert_int_equal(
	    kernel_nft("table inet t {\n"
		       "set own { type ipv4_addr; flags dynamic,timeout; timeout 1m;\n"
		       "elements = { 1.2.3.4, 1.2.3.5 timeout 2h, 1.2.3.6 timeout 1s }; }\n"
		       "set default { type ipv4_addr; flags dynamic,timeout; timeout 1m;\n"
		       "elements = { 1.2.3.4 }; }\n"
		       "set mixed { type ipv4_addr; flags dynamic,timeout;\n"
		       "elements = { 1.2.3.4 timeout 1m, 1.2.3.5 }; }\n"
		       "set never { type ipv4_addr; flags dynamic; elements = { 1.2.3.4 }; }\n"
		       "set empty { type ipv4_addr; flags dynamic; }; }\n",
		       &output),
	    KERNEL_NFT_LOADED);
	require_dynamic(socket, "default", 1, 60000);
	require_dynamic(socket, "mixed", 2, UINT64_MAX);
	require_dynamic(socket, "never", 1, UINT64_MAX);
	require_dynamic(socket, "empty", 0, 0);
	/* One of them ends within a second. */
	{
		CLEANUP(ruleset_freep) struct ruleset *read = kernel_read(socket);
		const struct ruleset_set *own = ruleset_find_set(&read->tables[0], "own");

		assert_true(own->held == 2 || own->held == 3);
		assert_true(own->longest_ms == 7200000);
	}
}

/* More than one message of them. */
static void test_large_dynamic_set(void **state)
{
	struct nf_socket *socket = kernel_need(state);
	AUTO_BUF struct buf text = {.cap = 1 << 20}, output = {.cap = 1 << 20};

	kernel_need_nft();
	buf_puts(&text,
		 "table inet t { set s { type ipv4_addr; size 65535; flags dynamic,timeout;\n"
		 "timeout 1h; elements = { ");
	for (unsigned i = 0; i < 3000; i++)
		buf_printf(&text, "%s10.0.%u.%u", i ? ", " : "", i / 250, i % 250 + 1);
	buf_puts(&text, ", 10.1.0.0 timeout 1d }; }; }\n");
	assert_int_equal(kernel_nft(buf_text(&text), &output), KERNEL_NFT_LOADED);
	require_dynamic(socket, "s", 3001, 86400000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    KERNEL_TEST(test_every_kind),
	    KERNEL_TEST(test_in_other_tables),
	    KERNEL_TEST(test_words_for_what_is_missing),
	    KERNEL_TEST(test_dynamic_sets),
	    KERNEL_TEST(test_large_dynamic_set),
	};

	/* nft may end before it has read all of its input; that is no end of the tests. */
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
