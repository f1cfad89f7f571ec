/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Looking things up, against answers worked out by hand. */
#include "test_rule.h"

static void sets(struct ruleset_table *table)
{
	struct ruleset_set *set;

	set = new_set(table, "ports", 2);
	add_key(set, BYTES(0x01, 0xbb)); /* 443 */
	add_key(set, BYTES(0x00, 0x50)); /* 80 */

	set = new_set(table, "ranges", 2);
	set->interval = true;
	add_range(set, BYTES(0x03, 0xe8), BYTES(0x07, 0xd0)); /* 1000-2000 */
	add_range(set, BYTES(0x00, 0x50), BYTES(0x00, 0x50)); /* 80 */
	add_key(set, BYTES(0x01, 0xbb));                      /* 443, without an end */

	/* user . port, both ranges: kernel order, compared part by part */
	set = new_set(table, "boxes", 8);
	set->interval = true;
	set->field_count = 2;
	set->fields[0] = 4;
	set->fields[1] = 2;
	add_range(set, BYTES(1, 0, 0, 5, 0x00, 0x50, 0, 0), BYTES(1, 0, 0, 9, 0x01, 0xbb, 0, 0));
	add_range(set, BYTES(1, 0, 0, 7, 0x03, 0xe8, 0, 0), BYTES(1, 0, 0, 7, 0x07, 0xd0, 0, 0));

	set = new_set(table, "answers", 4);
	set->dynamic = true;
	set->held = 1;
	set = new_set(table, "never", 4);
	set->dynamic = true;

	set = new_set(table, "verdicts", 8);
	set->map = set->verdict_map = true;
	add_verdict(set, RULESET_ACCEPT, "", BYTES(0xe8, 3, 0, 0, 0x01, 0xbb, 0, 0));
	add_verdict(set, RULESET_DROP, "", BYTES(0xe8, 3, 0, 0, 0x00, 0x50, 0, 0));
	add_verdict(set, RULESET_CONTINUE, "", BYTES(0xe8, 3, 0, 0, 0x00, 0x51, 0, 0));

	set = new_set(table, "protocols", 8); /* protocol . destination port */
	add_key(set, BYTES(6, 0, 0, 0, 0x01, 0xbb, 0, 0));
	add_key(set, BYTES(17, 0, 0, 0, 0x00, 0x35, 0, 0));
}

static void lookup_exact(void **state)
{
	struct packet packet = tcp_packet(PACKET_OUTPUT);
	expr port = load(RULESET_TRANSPORT, 2, 2, 0), inverted = lookup("ports");

	inverted.lookup.inverted = true;
	CHECK(APPLIES, output, &packet, port, lookup("ports"));
	CHECK(NOT, output, &packet, port, inverted);
	packet.destination_port = 81;
	CHECK(NOT, output, &packet, port, lookup("ports"));
	CHECK(APPLIES, output, &packet, port, inverted);
	CHECK(UNSURE, output, &packet, port, lookup("nowhere"));
}

static void lookup_in_intervals(void **state)
{
	static const struct {
		uint16_t port;
		bool inside;
	} cases[] = {{0, false},   {79, false},   {80, true},    {81, false},  {442, false},
		     {443, true},  {444, false},  {999, false},  {1000, true}, {1500, true},
		     {2000, true}, {2001, false}, {65535, false}};
	struct packet packet = tcp_packet(PACKET_OUTPUT);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		packet.destination_port = cases[i].port;
		CHECK(cases[i].inside ? APPLIES : NOT, output, &packet,
		      load(RULESET_TRANSPORT, 2, 2, 0), lookup("ranges"));
	}
}

static void lookup_in_concatenated_intervals(void **state)
{
	static const struct {
		uint32_t address;
		uint16_t port;
		bool inside;
	} cases[] = {
	    {0x01000005, 80, true},   {0x01000009, 443, true},   {0x01000007, 443, true},
	    {0x01000007, 1500, true}, {0x01000006, 1500, false}, {0x01000008, 1500, false},
	    {0x01000004, 80, false},  {0x0100000a, 80, false},   {0x01000007, 999, false},
	    {0x01000007, 79, false},
	};
	struct packet packet = tcp_packet(PACKET_OUTPUT);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		packet.destination = packet_address4(cases[i].address);
		packet.destination_port = cases[i].port;
		CHECK(cases[i].inside ? APPLIES : NOT, output, &packet,
		      load(RULESET_NETWORK, 16, 4, 0), load(RULESET_TRANSPORT, 2, 2, 1),
		      lookup("boxes"));
	}
}

static void lookup_of_verdicts(void **state)
{
	struct packet packet = tcp_packet(PACKET_OUTPUT);

	CHECK(NOT, output, &packet, meta(NFT_META_SKUID, 0), load(RULESET_TRANSPORT, 2, 2, 1),
	      vmap("verdicts")); /* accept, before the drop behind it */
	packet.destination_port = 80;
	CHECK(APPLIES, output, &packet, meta(NFT_META_SKUID, 0), load(RULESET_TRANSPORT, 2, 2, 1),
	      vmap("verdicts"), accepts());
	packet.destination_port = 81; /* `continue`: the drop behind it is reached */
	CHECK(APPLIES, output, &packet, meta(NFT_META_SKUID, 0), load(RULESET_TRANSPORT, 2, 2, 1),
	      vmap("verdicts"));
	packet.destination_port = 82; /* missed: the rule breaks off */
	CHECK(NOT, output, &packet, meta(NFT_META_SKUID, 0), load(RULESET_TRANSPORT, 2, 2, 1),
	      vmap("verdicts"));
	CHECK(UNSURE, output, &packet, load(RULESET_TRANSPORT, 2, 2, 0), vmap("ports"));
}

static void data_map(struct ruleset_table *table)
{
	struct ruleset_set *set = new_set(table, "ports", 2);
	struct ruleset_element element = {.key = value(BYTES(0x01, 0xbb)),
					  .data = value(BYTES(7, 7))};

	set->map = true;
	set->data_len = 2;
	assert_non_null(ruleset_add_element(set, &element));
}

static void lookup_of_data(void **state)
{
	struct packet packet = tcp_packet(PACKET_OUTPUT);
	expr mapped = lookup("ports"), seven = is(BYTES(7, 7, 0, 0)), eight = is(BYTES(8));

	fill_sets = data_map;
	mapped.lookup.map = true;
	mapped.lookup.destination = 5;
	seven.compare.reg = eight.compare.reg = 5;
	CHECK(APPLIES, output, &packet, load(RULESET_TRANSPORT, 2, 2, 0), mapped, seven);
	CHECK(NOT, output, &packet, load(RULESET_TRANSPORT, 2, 2, 0), mapped, eight);
	packet.destination_port = 1;
	CHECK(NOT, output, &packet, load(RULESET_TRANSPORT, 2, 2, 0), mapped);
	fill_sets = sets;
}

/* GRE has no ports, and whatever stands in their place, its number is in no element. */
static void lookup_with_open_bits(void **state)
{
	struct packet packet = tcp_packet(PACKET_OUTPUT);
	expr protocol = meta(NFT_META_L4PROTO, 0), port = load(RULESET_TRANSPORT, 2, 2, 1);

	CHECK(APPLIES, output, &packet, protocol, port, lookup("protocols"));
	packet.protocol = IPPROTO_GRE;
	CHECK(NOT, output, &packet, protocol, port, lookup("protocols"));
	CHECK(UNSURE, output, &packet, load(RULESET_TRANSPORT, 2, 2, 0), lookup("ports"));
	CHECK(UNSURE, output, &packet, load(RULESET_TRANSPORT, 2, 2, 0), lookup("ranges"));
	packet.protocol = IPPROTO_TCP; /* the offset of the data is open */
	CHECK(NOT, output, &packet, meta(NFT_META_NFPROTO, 0), load(RULESET_TRANSPORT, 12, 1, 1),
	      lookup("boxes"));
}

static void dynamic_sets_hold_what_is_expected(void **state)
{
	struct packet in = tcp_packet(PACKET_INPUT), out = tcp_packet(PACKET_OUTPUT);
	expr source = load(RULESET_NETWORK, 12, 4, 0), inverted = lookup("answers");

	inverted.lookup.inverted = true;
	in.protocol = out.protocol = IPPROTO_UDP;
	CHECK(NOT, input, &in, source, lookup("answers"));
	CHECK(APPLIES, input, &in, source, inverted);
	in.expected = true;
	CHECK(APPLIES, input, &in, source, lookup("answers"));
	CHECK(NOT, input, &in, source, inverted);
	/* What was sent before says nothing about what is sent now. */
	CHECK(UNSURE, output, &out, source, lookup("answers"));
	/* But what is empty, and stays so, holds nothing. */
	CHECK(NOT, output, &out, source, lookup("never"));
	CHECK(APPLIES, output, &out, source, update("answers"));
	CHECK(UNSURE, output, &out, source, update("ports"));
	CHECK(UNSURE, output, &out, update("answers"));
	{
		expr elsewhere = update("answers");

		elsewhere.dynset.reg = 4;
		CHECK(UNSURE, output, &out, source, elsewhere);
	}
}

static int with_sets(void **state)
{
	fill_sets = sets;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(lookup_exact, with_sets),
	    cmocka_unit_test_setup(lookup_in_intervals, with_sets),
	    cmocka_unit_test_setup(lookup_in_concatenated_intervals, with_sets),
	    cmocka_unit_test_setup(lookup_of_verdicts, with_sets),
	    cmocka_unit_test_setup(lookup_of_data, with_sets),
	    cmocka_unit_test_setup(lookup_with_open_bits, with_sets),
	    cmocka_unit_test_setup(dynamic_sets_hold_what_is_expected, with_sets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
