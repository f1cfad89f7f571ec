/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The listing, word for word. nft 1.0.6 loads `golden`, and lists what it says. */
#include "test_build.h"

static const uint8_t syn_mask[] = {0x17}, syn[] = {0x02};

static void host_sets(struct ruleset_table *table)
{
	struct ruleset_set *set;

	set = new_set(table, "services", 12);
	set->map = set->verdict_map = true;
	set->key_type = 24u << 12 | 12u << 6 | 13u;
	set->field_count = 3;
	memcpy(set->fields, ((uint8_t[]){4, 1, 2}), 3);
	add_verdict(set, RULESET_ACCEPT, "", BYTES(0xe8, 3, 0, 0, 6, 0, 0, 0, 0x23, 0x5a, 0, 0));
	add_verdict(set, RULESET_JUMP, "side", BYTES(0xe8, 3, 0, 0, 17, 0, 0, 0, 0x00, 0x35, 0, 0));
	set = new_set(table, "lan", 4);
	set->key_type = 7;
	set->interval = true;
	add_range(set, BYTES(10, 0, 0, 0), BYTES(10, 255, 255, 255));
	add_range(set, BYTES(192, 168, 0, 0), BYTES(192, 168, 0, 9));
	add_key(set, BYTES(203, 0, 113, 7));
	set = new_set(table, "echoes", 8);
	set->key_type = 7u << 6 | 4u;
	set->dynamic = set->timeout = true;
	set->size = 65535;
	set->timeout_ms = 90000;
	set = new_set(table, "__set0", 2);
	set->anonymous = set->constant = true;
	add_key(set, BYTES(0, 53));
	add_key(set, BYTES(3, 85));
	set = new_set(table, "__map1", 4);
	set->anonymous = set->map = set->verdict_map = true;
	add_verdict(set, RULESET_GOTO, "side", BYTES(0xe8, 3, 0, 0));
	set = new_set(table, "many", 2);
	set->key_type = 13;
	for (uint16_t port = 10001; port < 10020; port++) {
		uint16_t net = htons(port);

		add_key(set, &net, 2);
	}
}

static void output_rules(struct ruleset_chain *chain)
{
	uint32_t lo = 1;
	char lo_name[16] = "lo";

	RULE(chain, "local services", meta(NFT_META_OIF, 0), is(&lo, 4),
	     verdict_to(RULESET_GOTO, "side"));
	RULE(chain, "", meta(NFT_META_OIFNAME, 0), compare(RULESET_NOT_EQUAL, lo_name, 16),
	     meta(NFT_META_NFPROTO, 0), is(BYTES(10)), drops());
	RULE(chain, "", meta(NFT_META_NFPROTO, 0), is(BYTES(2)), load(RULESET_NETWORK, 16, 4, 0),
	     is(BYTES(203, 0, 113, 5)), accepts());
	RULE(chain, "", load(RULESET_NETWORK, 16, 1, 0), compare(RULESET_NOT_EQUAL, BYTES(127)),
	     load(RULESET_NETWORK, 12, 4, 0), mask(BYTES(255, 240, 0, 0)), is(BYTES(172, 16, 0, 0)),
	     accepts());
	RULE(chain, "", meta(NFT_META_L4PROTO, 0), is(BYTES(6)), load(RULESET_TRANSPORT, 13, 1, 0),
	     mask(syn_mask, 1), is(syn, 1), load(RULESET_TRANSPORT, 2, 2, 0), is(BYTES(1, 187)),
	     (expr){.kind = RULESET_COUNTER}, accepts());
	RULE(chain, "", meta(NFT_META_L4PROTO, 0), is(BYTES(17)), load(RULESET_TRANSPORT, 2, 2, 0),
	     lookup("__set0"), verdict(RULESET_RETURN));
	RULE(chain, "", meta(NFT_META_SKUID, 0), meta(NFT_META_L4PROTO, 1),
	     load(RULESET_TRANSPORT, 2, 2, 2), vmap("services"));
	RULE(chain, "", meta(NFT_META_SKUID, 0), vmap("__map1"));
	RULE(chain, "", meta(NFT_META_NFPROTO, 0), is(BYTES(2)), meta(NFT_META_L4PROTO, 0),
	     is(BYTES(1)), load(RULESET_TRANSPORT, 0, 1, 0), is(BYTES(8)),
	     load(RULESET_NETWORK, 16, 4, 0), load(RULESET_TRANSPORT, 4, 2, 1), update("echoes"));
	RULE(chain, "it said \"no\"\n", meta(NFT_META_L4PROTO, 0), is(BYTES(6)),
	     reject(NFT_REJECT_TCP_RST, 0));
	RULE(chain, "", reject(NFT_REJECT_ICMPX_UNREACH, 3));
}

static void other_rules(struct ruleset_table *table)
{
	expr range = {.kind = RULESET_RANGE}, wildcard = asks_socket(NFT_SOCKET_WILDCARD);
	expr inverted = lookup("lan");
	struct ruleset_chain *chain;

	chain = base_chain(table, "prerouting", NF_INET_PRE_ROUTING, RULESET_ACCEPT);
	chain->priority = -150;
	RULE(chain, "", meta(NFT_META_IIFTYPE, 0), is(BYTES(4, 3)), meta(NFT_META_L4PROTO, 0),
	     is(BYTES(6)), meta(NFT_META_NFPROTO, 0), is(BYTES(2)), data(0, BYTES(127, 0, 0, 1)),
	     data(1, BYTES(0x23, 0x50)), tproxy(RULESET_IPV4, 0, 1), accepts());
	chain = ruleset_add_chain(table, "side");
	range.range.from = value(BYTES(0, 80));
	range.range.to = value(BYTES(0, 90));
	RULE(chain, "", meta(NFT_META_L4PROTO, 0), is(BYTES(17)), load(RULESET_TRANSPORT, 0, 2, 0),
	     range, load(RULESET_TRANSPORT, 2, 2, 0), compare(RULESET_GREATER_EQUAL, BYTES(4, 0)),
	     drops());
	RULE(chain, "", wildcard, is(BYTES(0)), accepts());
	inverted.lookup.inverted = true;
	RULE(chain, "", load(RULESET_NETWORK, 16, 4, 0), inverted, drops());
	RULE(chain, "", load(RULESET_NETWORK, 12, 4, 0), load(RULESET_TRANSPORT, 4, 2, 1),
	     lookup("echoes"), accepts());
	RULE(chain, "", load(RULESET_NETWORK, 24, 16, 0),
	     is(BYTES(0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2)), accepts());
	RULE(chain, "", load(RULESET_NETWORK, 6, 2, 0), mask(BYTES(0x1f, 0xff)),
	     compare(RULESET_NOT_EQUAL, BYTES(0, 0)), drops());
	RULE(chain, "", load(RULESET_NETWORK, 9, 1, 0), is(BYTES(1)),
	     load(RULESET_TRANSPORT, 0, 1, 0), is(BYTES(0)), accepts());
}

static void device_table(struct ruleset *ruleset)
{
	struct ruleset_table *table = ruleset_add_table(ruleset, RULESET_NETDEV, "lethe");
	struct ruleset_chain *chain = base_chain(table, "egress", EGRESS_OF_NETDEV, RULESET_DROP);

	assert_int_equal(ruleset_add_device(chain, "lo"), 0);
	assert_int_equal(ruleset_add_device(chain, "eth0"), 0);
	RULE(chain, "", meta(NFT_META_PROTOCOL, 0), is(BYTES(0x88, 0x8e)),
	     load(RULESET_LINK, 12, 2, 0), is(BYTES(0x88, 0x8e)), accepts());
	RULE(chain, "", meta(NFT_META_PROTOCOL, 0), is(BYTES(8, 6)), load(RULESET_NETWORK, 0, 6, 0),
	     is(BYTES(0, 1, 8, 0, 6, 4)), load(RULESET_NETWORK, 6, 2, 0), is(BYTES(0, 1)),
	     accepts());
	RULE(chain, "", meta(NFT_META_PROTOCOL, 0), is(BYTES(8, 0)), meta(NFT_META_L4PROTO, 0),
	     is(BYTES(6)), load(RULESET_TRANSPORT, 2, 2, 0), is(BYTES(0, 22)), drops());
	RULE(chain, "", meta(NFT_META_PROTOCOL, 0), is(BYTES(8, 0)),
	     load(RULESET_NETWORK, 16, 4, 0), is(BYTES(1, 2, 3, 4)), meta(NFT_META_RTCLASSID, 0),
	     compare(RULESET_GREATER_EQUAL, BYTES(0, 0, 0, 0)), accepts());
}

/* clang-format off */
static const char golden[] =
	"table inet lethe {\n"
	"\tset echoes {\n"
	"\t\ttypeof ip daddr . icmp id\n"
	"\t\tflags dynamic,timeout\n"
	"\t\tsize 65535\n"
	"\t\ttimeout 1m30s\n"
	"\t}\n"
	"\n"
	"\tset lan {\n"
	"\t\ttype ipv4_addr\n"
	"\t\tflags interval\n"
	"\t\telements = { 10.0.0.0/8, 192.168.0.0-192.168.0.9, 203.0.113.7 }\n"
	"\t}\n"
	"\n"
	"\tset many {\n"
	"\t\ttype inet_service\n"
	"\t\telements = { 10001, 10002, 10003, 10004, 10005, 10006, 10007,\n"
	"\t\t\t     10008, 10009, 10010, 10011, 10012, 10013, 10014, 10015,\n"
	"\t\t\t     10016, 10017, 10018, 10019 }\n"
	"\t}\n"
	"\n"
	"\tmap services {\n"
	"\t\ttype uid . inet_proto . inet_service : verdict\n"
	"\t\telements = { 1000 . tcp . 9050 : accept,\n"
	"\t\t\t     1000 . udp . 53 : jump side }\n"
	"\t}\n"
	"\n"
	"\tchain output {\n"
	"\t\ttype filter hook output priority filter; policy drop;\n"
	"\t\toif \"lo\" goto side comment \"local services\"\n"
	"\t\toifname != \"lo\" meta nfproto ipv6 drop\n"
	"\t\tip daddr 203.0.113.5 accept\n"
	"\t\tip daddr != 127.0.0.0/8 ip saddr 172.16.0.0/12 accept\n"
	"\t\ttcp flags & (fin | syn | rst | ack) == syn tcp dport 443 counter accept\n"
	"\t\tudp dport { 53, 853 } return\n"
	"\t\tmeta skuid . meta l4proto . th dport vmap @services\n"
	"\t\tmeta skuid vmap { 1000 : goto side }\n"
	"\t\ticmp type echo-request update @echoes { ip daddr . icmp id }\n"
	"\t\tmeta l4proto tcp reject with tcp reset comment \"it said 'no'?\"\n"
	"\t\treject with icmpx admin-prohibited\n"
	"\t}\n"
	"\n"
	"\tchain prerouting {\n"
	"\t\ttype filter hook prerouting priority mangle; policy accept;\n"
	"\t\tmeta iiftype loopback meta nfproto ipv4 meta l4proto tcp tproxy ip to 127.0.0.1:9040 accept\n"
	"\t}\n"
	"\n"
	"\tchain side {\n"
	"\t\tudp sport 80-90 udp dport >= 1024 drop\n"
	"\t\tsocket wildcard 0 accept\n"
	"\t\tip daddr != @lan drop\n"
	"\t\tip saddr . @th,32,16 @echoes accept\n"
	"\t\tip6 daddr 2001:db8::2 accept\n"
	"\t\tip frag-off & 8191 != 0 drop\n"
	"\t\tip protocol icmp icmp type echo-reply accept\n"
	"\t}\n"
	"}\n"
	"\n"
	"table netdev lethe {\n"
	"\tchain egress {\n"
	"\t\ttype filter hook egress devices = { \"eth0\", \"lo\" } priority filter; policy drop;\n"
	"\t\tmeta protocol 0x888e @ll,96,16 0x888e accept\n"
	"\t\tarp htype 1 arp ptype ip arp hlen 6 arp plen 4 arp operation request accept\n"
	"\t\tmeta protocol ip tcp dport 22 drop\n"
	"\t\tip daddr 1.2.3.4 meta rtclassid >= 0 accept\n"
	"\t}\n"
	"}\n";
/* clang-format on */

static void the_listing_is_nfts(void **state)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = new_ruleset();
	struct ruleset_table *table = ruleset_add_table(ruleset, RULESET_INET, "lethe");
	AUTO_BUF struct buf text = {.cap = 1 << 16};

	host_sets(table);
	output_rules(base_chain(table, "output", NF_INET_LOCAL_OUT, RULESET_DROP));
	other_rules(table);
	device_table(ruleset);
	ruleset_sort(ruleset);
	ruleset_print(ruleset, &text);
	assert_int_equal(buf_finish(&text), 0);
	assert_string_equal(buf_text(&text), golden);
}

static const char *listed(struct buf *text, enum ruleset_family family, const expr *expressions,
			  size_t count)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = new_ruleset();
	struct ruleset_table *table = ruleset_add_table(ruleset, family, "t");
	struct ruleset_set *set = new_set(table, "set", 4);

	set->key_type = 999;
	add_rule(ruleset_add_chain(table, "c"), "", expressions, count);
	buf_done(text);
	ruleset_print(ruleset, text);
	assert_int_equal(buf_finish(text), 0);
	return strstr(buf_text(text), "chain c {\n\t\t") + 11;
}

#define LISTED(family, wanted, ...)                                                                \
	assert_string_equal(listed(&text, family, (const expr[]){__VA_ARGS__},                     \
				   sizeof((const expr[]){__VA_ARGS__}) / sizeof(expr)),            \
			    "\t" wanted "\n\t}\n}\n")

/* nft has no such comments, so it refuses the file: a rule must not be loaded that says less. */
static void what_nft_has_no_words_for(void **state)
{
	AUTO_BUF struct buf text = {.cap = 1 << 16};
	expr unknown = {.kind = RULESET_UNKNOWN, .unknown = {"xfrm"}};
	expr flip = mask(BYTES(255, 255));

	flip.bitwise.xor.bytes[0] = 1;
	LISTED(RULESET_INET, "/* xfrm */ accept", unknown, accepts());
	LISTED(RULESET_INET, "/* compare register 0 */ accept", is(BYTES(1)), accepts());
	LISTED(RULESET_INET, "/* meta key 77 */ /* compare register 0 */ drop", meta(77, 0),
	       is(BYTES(1)), drops());
	LISTED(RULESET_INET, "/* bitwise of register 0 */ /* compare register 0 */ drop",
	       load(RULESET_TRANSPORT, 2, 2, 0), flip, is(BYTES(0, 1)), drops());
	LISTED(RULESET_INET, "/* lookup of register 0 in gone */", meta(NFT_META_SKUID, 0),
	       lookup("gone"));
	LISTED(RULESET_INET, "/* lookup of register 0 in set */", load(RULESET_TRANSPORT, 2, 2, 0),
	       lookup("set"));
	LISTED(RULESET_INET, "/* reject type 7 code 1 */", reject(7, 1));
	LISTED(RULESET_INET, "/* tproxy to registers */", tproxy(RULESET_IPV4, 1, -1));
	LISTED(RULESET_INET, "/* socket key 1 */ /* compare register 0 */",
	       asks_socket(NFT_SOCKET_MARK), is_u32(1));
	LISTED(RULESET_INET, "/* compare 1 bytes of th dport */", load(RULESET_TRANSPORT, 2, 2, 0),
	       is(BYTES(1)));
}

/* A question that nft would not ask by itself stays. */
static void questions_are_not_lost(void **state)
{
	AUTO_BUF struct buf text = {.cap = 1 << 16};
	expr udp = is(BYTES(17)), tcp = is(BYTES(6));

	LISTED(RULESET_INET, "meta l4proto tcp accept", meta(NFT_META_L4PROTO, 0), tcp, accepts());
	LISTED(RULESET_INET, "meta l4proto tcp", meta(NFT_META_L4PROTO, 0), tcp);
	LISTED(RULESET_INET, "meta l4proto tcp meta l4proto udp", meta(NFT_META_L4PROTO, 0), tcp,
	       udp);
	LISTED(RULESET_INET, "meta l4proto != tcp th dport 53", meta(NFT_META_L4PROTO, 0),
	       compare(RULESET_NOT_EQUAL, BYTES(6)), load(RULESET_TRANSPORT, 2, 2, 0),
	       is(BYTES(0, 53)));
	LISTED(RULESET_INET, "meta l4proto gre th dport 53", meta(NFT_META_L4PROTO, 0),
	       is(BYTES(47)), load(RULESET_TRANSPORT, 2, 2, 0), is(BYTES(0, 53)));
	LISTED(RULESET_INET, "meta nfproto ipv6 tcp dport 53", meta(NFT_META_NFPROTO, 0),
	       is(BYTES(10)), meta(NFT_META_L4PROTO, 0), tcp, load(RULESET_TRANSPORT, 2, 2, 0),
	       is(BYTES(0, 53)));
	/* In an IPv6 packet these four bytes are no address. */
	LISTED(RULESET_INET, "meta nfproto ipv6 @nh,128,32 0x01020304", meta(NFT_META_NFPROTO, 0),
	       is(BYTES(10)), load(RULESET_NETWORK, 16, 4, 0), is(BYTES(1, 2, 3, 4)));
	LISTED(RULESET_IPV6, "@nh,128,32 0x01020304", load(RULESET_NETWORK, 16, 4, 0),
	       is(BYTES(1, 2, 3, 4)));
	LISTED(RULESET_IPV4, "ip daddr 1.2.3.4", load(RULESET_NETWORK, 16, 4, 0),
	       is(BYTES(1, 2, 3, 4)));
	LISTED(RULESET_INET, "tcp flags == syn", load(RULESET_TRANSPORT, 13, 1, 0), is(syn, 1));
	LISTED(RULESET_INET, "oifname \"eth*\"", meta(NFT_META_OIFNAME, 0),
	       is(BYTES('e', 't', 'h')));
}

static void unusual_tables(void **state)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = new_ruleset();
	struct ruleset_table *table = ruleset_add_table(ruleset, RULESET_NETDEV, "t");
	struct ruleset_chain *chain = base_chain(table, "c", EGRESS_OF_NETDEV, RULESET_ACCEPT);
	AUTO_BUF struct buf text = {.cap = 1 << 16}, tiny = {.cap = 10};

	ruleset->incomplete = true;
	table->flags = NFT_TABLE_F_DORMANT | 2;
	chain->every_device = true;
	chain->priority = -7;
	add_key(new_set(table, "s", 2), BYTES(0xab, 0xcd));
	ruleset_print(ruleset, &text);
	assert_string_equal(buf_text(&text),
			    "# The kernel holds objects beside these that are not listed here.\n"
			    "table netdev t {\n"
			    "\tflags dormant\n\n"
			    "\t# owned by a program, which alone may change it\n\n"
			    "\tset s {\n"
			    "\t\t/* keys of unknown type */\n"
			    "\t\telements = { 0xabcd }\n"
			    "\t}\n\n"
			    "\tchain c {\n"
			    "\t\t# on every device, present and future\n"
			    "\t\ttype filter hook egress priority -7; policy accept;\n"
			    "\t}\n"
			    "}\n");
	text.len = 0;
	snprintf(ruleset->missing, sizeof(ruleset->missing), "the flowtable f of table inet t");
	ruleset_print(ruleset, &text);
	assert_non_null(strstr(buf_text(&text), "that are not listed here: the flowtable f of "
						"table inet t.\n"));
	ruleset_print(ruleset, &tiny);
	assert_int_equal(buf_finish(&tiny), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_listing_is_nfts),
	    cmocka_unit_test(what_nft_has_no_words_for),
	    cmocka_unit_test(questions_are_not_lost),
	    cmocka_unit_test(unusual_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
