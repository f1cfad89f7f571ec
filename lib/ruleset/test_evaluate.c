/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hooks, chains and verdicts: which rule decides, and whether any does. */
#include "test_build.h"

struct world {
	struct ruleset *ruleset;
	struct ruleset_table *table;
};

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	world->ruleset = new_ruleset();
	world->table = ruleset_add_table(world->ruleset, RULESET_INET, "t");
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	ruleset_free(world->ruleset);
	free(world);
	return 0;
}

static struct ruleset_result evaluate(struct world *world, struct packet packet)
{
	ruleset_sort(world->ruleset);
	return ruleset_evaluate(world->ruleset, &packet);
}

static enum ruleset_outcome outcome(struct world *world, struct packet packet)
{
	return evaluate(world, packet).outcome;
}

static const char *decided_by(struct world *world, struct packet packet)
{
	struct ruleset_result result = evaluate(world, packet);

	if (!result.chain)
		return "nobody";
	return result.rule ? result.rule->comment : "policy";
}

static void nothing_passes_everything(void **state)
{
	struct world *world = *state;

	for (enum packet_path path = PACKET_OUTPUT; path <= PACKET_FORWARD; path++) {
		struct ruleset_result result = evaluate(world, tcp_packet(path));

		assert_int_equal(result.outcome, RULESET_PASSED);
		assert_null(result.table);
		assert_null(result.chain);
	}
	assert_int_equal(outcome(world, tcp_packet(0)), RULESET_UNDECIDED);
	assert_int_equal(outcome(world, tcp_packet(5)), RULESET_UNDECIDED);
}

static void policies_decide_last(void **state)
{
	struct world *world = *state;
	struct ruleset_result result;

	base_chain(world->table, "out", NF_INET_LOCAL_OUT, RULESET_DROP);
	base_chain(world->table, "unset", NF_INET_FORWARD, RULESET_NONE);
	result = evaluate(world, tcp_packet(PACKET_OUTPUT));
	assert_int_equal(result.outcome, RULESET_DROPPED);
	assert_string_equal(result.chain->name, "out");
	assert_string_equal(result.table->name, "t");
	assert_null(result.rule);
	assert_int_equal(outcome(world, tcp_packet(PACKET_INPUT)), RULESET_PASSED);
	assert_int_equal(outcome(world, tcp_packet(PACKET_FORWARD)), RULESET_DROPPED);
}

static void the_first_verdict_counts(void **state)
{
	struct world *world = *state;
	struct ruleset_chain *out =
	    base_chain(world->table, "out", NF_INET_LOCAL_OUT, RULESET_DROP);

	RULE(out, "udp", meta(NFT_META_L4PROTO, 0), is(BYTES(17)), drops());
	RULE(out, "nothing", meta(NFT_META_L4PROTO, 0), is(BYTES(6)));
	RULE(out, "tcp", meta(NFT_META_L4PROTO, 0), is(BYTES(6)), accepts());
	RULE(out, "late", drops());
	assert_string_equal(decided_by(world, tcp_packet(PACKET_OUTPUT)), "tcp");
	assert_int_equal(outcome(world, tcp_packet(PACKET_OUTPUT)), RULESET_PASSED);
}

/* Newer kernels refuse a rule that uses what another has loaded. */
static void registers_are_each_rules_own(void **state)
{
	struct world *world = *state;
	struct ruleset_chain *out =
	    base_chain(world->table, "out", NF_INET_LOCAL_OUT, RULESET_DROP);

	RULE(out, "", meta(NFT_META_SKUID, 0), is_u32(1000));
	RULE(out, "borrows", is_u32(1000), accepts());
	assert_int_equal(outcome(world, tcp_packet(PACKET_OUTPUT)), RULESET_UNDECIDED);
	assert_string_equal(decided_by(world, tcp_packet(PACKET_OUTPUT)), "borrows");
}

static void hooks_are_those_of_the_path(void **state)
{
	static const struct {
		enum ruleset_family family;
		uint32_t hook;
		bool called[5]; /* by path */
	} cases[] = {
	    {RULESET_INET, NF_INET_LOCAL_OUT, {[PACKET_OUTPUT] = true}},
	    {RULESET_INET, NF_INET_POST_ROUTING, {[PACKET_OUTPUT] = true, [PACKET_FORWARD] = true}},
	    {RULESET_INET, NF_INET_PRE_ROUTING, {[PACKET_INPUT] = true}},
	    {RULESET_INET, NF_INET_LOCAL_IN, {[PACKET_INPUT] = true}},
	    {RULESET_INET, NF_INET_FORWARD, {[PACKET_FORWARD] = true}},
	    {RULESET_INET, NF_INET_INGRESS, {[PACKET_INPUT] = true}},
	    {RULESET_IPV4, NF_INET_LOCAL_OUT, {[PACKET_OUTPUT] = true}},
	    {RULESET_IPV6, NF_INET_LOCAL_OUT, {false}},
	    {RULESET_ARP, NF_INET_LOCAL_OUT, {false}},
	    {RULESET_BRIDGE, NF_INET_LOCAL_OUT, {false}},
	    {RULESET_NETDEV, EGRESS_OF_NETDEV, {[PACKET_FRAME] = true}},
	    {RULESET_NETDEV, INGRESS_OF_NETDEV, {[PACKET_INPUT] = true}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(ruleset_freep) struct ruleset *ruleset = new_ruleset();
		struct ruleset_table *table = ruleset_add_table(ruleset, cases[i].family, "t");
		struct ruleset_chain *chain = base_chain(table, "c", cases[i].hook, RULESET_DROP);

		chain->every_device = true;
		for (enum packet_path path = PACKET_OUTPUT; path <= PACKET_FORWARD; path++) {
			struct packet packet = tcp_packet(path);

			assert_int_equal(ruleset_evaluate(ruleset, &packet).outcome,
					 cases[i].called[path] ? RULESET_DROPPED : RULESET_PASSED);
		}
	}
}

static void families_see_their_own(void **state)
{
	struct world *world = *state;
	struct ruleset_table *table;

	table = ruleset_add_table(world->ruleset, RULESET_ARP, "arp");
	base_chain(table, "in", 0, RULESET_DROP);
	table = ruleset_add_table(world->ruleset, RULESET_IPV6, "six");
	base_chain(table, "out", NF_INET_LOCAL_OUT, RULESET_DROP);
	assert_int_equal(outcome(world, tcp_packet(PACKET_OUTPUT)), RULESET_PASSED);
	assert_int_equal(outcome(world, ip6_packet(PACKET_OUTPUT)), RULESET_DROPPED);
	assert_int_equal(outcome(world, arp_packet(PACKET_INPUT)), RULESET_DROPPED);
	assert_int_equal(outcome(world, arp_packet(PACKET_OUTPUT)), RULESET_PASSED);
	world->ruleset->tables[1].chains[0].hook = 1;
	assert_int_equal(world->ruleset->tables[1].family, RULESET_ARP);
	assert_int_equal(outcome(world, arp_packet(PACKET_INPUT)), RULESET_PASSED);
	assert_int_equal(outcome(world, arp_packet(PACKET_OUTPUT)), RULESET_DROPPED);
}

static void every_base_chain_may_drop(void **state)
{
	struct world *world = *state;
	struct ruleset_table *table = ruleset_add_table(world->ruleset, RULESET_IPV4, "second");
	struct ruleset_chain *first, *second;

	first = base_chain(&world->ruleset->tables[0], "first", NF_INET_LOCAL_OUT, RULESET_DROP);
	RULE(first, "accepted", accepts());
	second = base_chain(table, "second", NF_INET_LOCAL_OUT, RULESET_ACCEPT);
	second->priority = 10;
	assert_string_equal(decided_by(world, tcp_packet(PACKET_OUTPUT)), "policy");
	assert_int_equal(outcome(world, tcp_packet(PACKET_OUTPUT)), RULESET_PASSED);
	RULE(second, "dropped", drops());
	assert_int_equal(outcome(world, tcp_packet(PACKET_OUTPUT)), RULESET_DROPPED);
	assert_string_equal(decided_by(world, tcp_packet(PACKET_OUTPUT)), "dropped");
}

static void lower_priorities_come_first(void **state)
{
	static const int32_t priorities[] = {0, 300, -300, 50, -150};
	static const char *const names[] = {"c0", "c1", "c2", "c3", "c4"};
	struct world *world = *state;

	for (size_t i = 0; i < ARRAY_SIZE(priorities); i++) {
		struct ruleset_chain *chain;

		chain = base_chain(world->table, names[i], NF_INET_LOCAL_OUT, RULESET_ACCEPT);
		chain->priority = priorities[i];
		RULE(chain, names[i], drops());
	}
	assert_string_equal(decided_by(world, tcp_packet(PACKET_OUTPUT)), "c2");
}

/* The hooks come in order whatever the priorities are. */
static void prerouting_comes_before_input(void **state)
{
	struct world *world = *state;
	struct ruleset_chain *input, *prerouting;

	input = base_chain(world->table, "a", NF_INET_LOCAL_IN, RULESET_ACCEPT);
	input->priority = -300;
	RULE(input, "input", drops());
	prerouting = base_chain(world->table, "b", NF_INET_PRE_ROUTING, RULESET_ACCEPT);
	prerouting->priority = 300;
	assert_string_equal(decided_by(world, tcp_packet(PACKET_INPUT)), "input");
	RULE(prerouting, "prerouting", drops());
	assert_string_equal(decided_by(world, tcp_packet(PACKET_INPUT)), "prerouting");
}

static void jump_comes_back_and_goto_does_not(void **state)
{
	struct world *world = *state;
	struct ruleset_chain *out, *side, *inner;

	base_chain(world->table, "out", NF_INET_LOCAL_OUT, RULESET_DROP);
	ruleset_add_chain(world->table, "side");
	ruleset_add_chain(world->table, "inner");
	out = &world->table->chains[0];
	side = &world->table->chains[1];
	inner = &world->table->chains[2];
	RULE(side, "", verdict_to(RULESET_GOTO, "inner"));
	RULE(side, "skipped", accepts());
	RULE(inner, "", meta(NFT_META_L4PROTO, 0), is(BYTES(17)), drops());
	/* The goto in `side` ends there, so the jump's successor is next. */
	RULE(out, "", verdict_to(RULESET_JUMP, "side"));
	RULE(out, "after", accepts());
	assert_string_equal(decided_by(world, tcp_packet(PACKET_OUTPUT)), "after");
}

static void goto_from_a_base_chain_ends_in_its_policy(void **state)
{
	struct world *world = *state;
	struct ruleset_chain *out;

	base_chain(world->table, "out", NF_INET_LOCAL_OUT, RULESET_DROP);
	ruleset_add_chain(world->table, "side");
	out = &world->table->chains[0];
	RULE(out, "", verdict_to(RULESET_GOTO, "side"));
	RULE(out, "skipped", accepts());
	assert_string_equal(decided_by(world, tcp_packet(PACKET_OUTPUT)), "policy");
	assert_int_equal(outcome(world, tcp_packet(PACKET_OUTPUT)), RULESET_DROPPED);
}

static void return_leads_to_the_caller_or_the_policy(void **state)
{
	struct world *world = *state;
	struct ruleset_chain *out, *side;

	base_chain(world->table, "out", NF_INET_LOCAL_OUT, RULESET_DROP);
	ruleset_add_chain(world->table, "side");
	out = &world->table->chains[0];
	side = &world->table->chains[1];
	RULE(side, "", verdict(RULESET_RETURN));
	RULE(side, "skipped", accepts());
	RULE(out, "", verdict_to(RULESET_JUMP, "side"));
	RULE(out, "back", meta(NFT_META_L4PROTO, 0), is(BYTES(6)), verdict(RULESET_RETURN));
	RULE(out, "skipped too", accepts());
	assert_string_equal(decided_by(world, tcp_packet(PACKET_OUTPUT)), "policy");
}

static void chain_of_jumps(struct world *world, unsigned depth)
{
	char name[16], next[16];
	struct ruleset_chain *chain;

	for (unsigned i = 0; i < depth; i++) {
		snprintf(name, sizeof(name), "c%02u", i);
		snprintf(next, sizeof(next), "c%02u", i + 1);
		chain = i == 0 ? base_chain(world->table, name, NF_INET_LOCAL_OUT, RULESET_ACCEPT)
			       : ruleset_add_chain(world->table, name);
		RULE(chain, "", verdict_to(RULESET_JUMP, next));
	}
	snprintf(name, sizeof(name), "c%02u", depth);
	chain = ruleset_add_chain(world->table, name);
	RULE(chain, "deepest", drops());
}

static void sixteen_jumps_nest(void **state)
{
	chain_of_jumps(*state, 16);
	assert_string_equal(decided_by(*state, tcp_packet(PACKET_OUTPUT)), "deepest");
}

static void seventeen_jumps_do_not(void **state)
{
	chain_of_jumps(*state, 17);
	assert_int_equal(outcome(*state, tcp_packet(PACKET_OUTPUT)), RULESET_UNDECIDED);
}

static void circles_end(void **state)
{
	struct world *world = *state;
	struct ruleset_chain *out, *side;

	base_chain(world->table, "out", NF_INET_LOCAL_OUT, RULESET_DROP);
	ruleset_add_chain(world->table, "side");
	out = &world->table->chains[0];
	side = &world->table->chains[1];
	RULE(out, "", verdict_to(RULESET_GOTO, "side"));
	RULE(side, "", verdict_to(RULESET_GOTO, "side"));
	assert_int_equal(outcome(world, tcp_packet(PACKET_OUTPUT)), RULESET_UNDECIDED);
}

static void verdicts_that_lead_nowhere(void **state)
{
	struct world *world = *state;
	struct ruleset_chain *out =
	    base_chain(world->table, "out", NF_INET_LOCAL_OUT, RULESET_DROP);

	RULE(out, "", verdict_to(RULESET_JUMP, "nowhere"));
	assert_int_equal(outcome(world, tcp_packet(PACKET_OUTPUT)), RULESET_UNDECIDED);
	assert_non_null(evaluate(world, tcp_packet(PACKET_OUTPUT)).reason);
}

static void a_drop_before_the_unknown_is_certain(void **state)
{
	struct world *world = *state;
	expr unknown = {.kind = RULESET_UNKNOWN, .unknown = {"ct"}};
	struct ruleset_chain *first, *second;

	first = base_chain(world->table, "first", NF_INET_LOCAL_OUT, RULESET_ACCEPT);
	first->priority = -1;
	RULE(first, "no udp", meta(NFT_META_L4PROTO, 0), is(BYTES(17)), drops());
	second = base_chain(world->table, "second", NF_INET_LOCAL_OUT, RULESET_DROP);
	RULE(second, "unknown", unknown, accepts());
	{
		struct packet udp = tcp_packet(PACKET_OUTPUT);

		udp.protocol = IPPROTO_UDP;
		assert_int_equal(outcome(world, udp), RULESET_DROPPED);
	}
	assert_int_equal(outcome(world, tcp_packet(PACKET_OUTPUT)), RULESET_UNDECIDED);
	assert_string_equal(decided_by(world, tcp_packet(PACKET_OUTPUT)), "unknown");
}

static void nat_is_not_modelled(void **state)
{
	struct world *world = *state;
	struct ruleset_chain *nat;

	nat = base_chain(world->table, "nat", NF_INET_LOCAL_OUT, RULESET_ACCEPT);
	nat->type = RULESET_NAT;
	assert_int_equal(outcome(world, tcp_packet(PACKET_OUTPUT)), RULESET_PASSED);
	RULE(nat, "", accepts());
	assert_int_equal(outcome(world, tcp_packet(PACKET_OUTPUT)), RULESET_UNDECIDED);
	nat->type = 0;
	assert_int_equal(outcome(world, tcp_packet(PACKET_OUTPUT)), RULESET_UNDECIDED);
}

static void dormant_tables_sleep(void **state)
{
	struct world *world = *state;

	base_chain(world->table, "out", NF_INET_LOCAL_OUT, RULESET_DROP);
	assert_int_equal(outcome(world, tcp_packet(PACKET_OUTPUT)), RULESET_DROPPED);
	world->table->flags = NFT_TABLE_F_DORMANT;
	assert_int_equal(outcome(world, tcp_packet(PACKET_OUTPUT)), RULESET_PASSED);
}

static void egress_chains_are_bound_to_devices(void **state)
{
	struct world *world = *state;
	struct ruleset_table *table = ruleset_add_table(world->ruleset, RULESET_NETDEV, "t");
	struct ruleset_chain *chain = base_chain(table, "e", EGRESS_OF_NETDEV, RULESET_DROP);
	struct packet lo = tcp_packet(PACKET_FRAME), out = tcp_packet(PACKET_FRAME);

	lo.loopback = true;
	assert_int_equal(outcome(world, out), RULESET_PASSED);
	assert_int_equal(ruleset_add_device(chain, "wlan0"), 0);
	assert_int_equal(outcome(world, out), RULESET_PASSED);
	assert_int_equal(ruleset_add_device(chain, RULESET_OTHER_DEVICE), 0);
	assert_int_equal(outcome(world, out), RULESET_DROPPED);
	assert_int_equal(outcome(world, lo), RULESET_PASSED);
	chain->every_device = true;
	assert_int_equal(outcome(world, lo), RULESET_DROPPED);
}

/* What the reject of one chain has prepared is not the drop of another. */
static void each_drop_is_its_own(void **state)
{
	struct world *world = *state;
	struct ruleset_chain *first, *second;
	struct packet packet = tcp_packet(PACKET_OUTPUT);

	first = base_chain(world->table, "first", NF_INET_LOCAL_OUT, RULESET_ACCEPT);
	RULE(first, "", meta(NFT_META_SKUID, 0), is_u32(1), reject(NFT_REJECT_TCP_RST, 0));
	second = base_chain(world->table, "second", NF_INET_LOCAL_OUT, RULESET_ACCEPT);
	second->priority = 1;
	RULE(second, "", drops());
	assert_int_equal(outcome(world, packet), RULESET_DROPPED);
	packet.uid = 1;
	assert_int_equal(outcome(world, packet), RULESET_RESET);
}

/* 40 lookups in a set of 100,000 elements, each exact or by range, against plain arithmetic. */
static void large_sets_are_searched(void **state)
{
	struct world *world = *state;
	struct ruleset_set *exact, *ranges;
	struct ruleset_chain *out;

	new_set(world->table, "exact", 4);
	new_set(world->table, "ranges", 4);
	exact = &world->table->sets[0];
	ranges = &world->table->sets[1];
	ranges->interval = true;
	for (uint32_t i = 0; i < 100000; i++) { /* every third address; of eight, the first four */
		uint32_t one = htonl(0x0a000000 + i * 3), from = htonl(0x0b000000 + i * 8);
		uint32_t to = htonl(0x0b000000 + i * 8 + 3);

		add_key(exact, &one, 4);
		add_range(ranges, &from, 4, &to, 4);
	}
	out = base_chain(world->table, "out", NF_INET_LOCAL_OUT, RULESET_ACCEPT);
	RULE(out, "", load(RULESET_NETWORK, 16, 4, 0), lookup("exact"), drops());
	RULE(out, "", load(RULESET_NETWORK, 16, 4, 0), lookup("ranges"), drops());
	for (uint32_t i = 0; i < 20; i++) {
		struct packet packet = tcp_packet(PACKET_OUTPUT);

		packet.destination = packet_address4(0x0a000000 + 299990 + i);
		assert_int_equal(outcome(world, packet),
				 (299990 + i) % 3 == 0 && 299990 + i <= 299997 ? RULESET_DROPPED
									       : RULESET_PASSED);
		packet.destination = packet_address4(0x0b000000 + 799990 + i);
		assert_int_equal(outcome(world, packet), 799990 + i < 800000 && (799990 + i) % 8 < 4
							     ? RULESET_DROPPED
							     : RULESET_PASSED);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(nothing_passes_everything),
	    TEST(policies_decide_last),
	    TEST(the_first_verdict_counts),
	    TEST(registers_are_each_rules_own),
	    TEST(hooks_are_those_of_the_path),
	    TEST(families_see_their_own),
	    TEST(every_base_chain_may_drop),
	    TEST(lower_priorities_come_first),
	    TEST(prerouting_comes_before_input),
	    TEST(jump_comes_back_and_goto_does_not),
	    TEST(goto_from_a_base_chain_ends_in_its_policy),
	    TEST(return_leads_to_the_caller_or_the_policy),
	    TEST(sixteen_jumps_nest),
	    TEST(seventeen_jumps_do_not),
	    TEST(circles_end),
	    TEST(verdicts_that_lead_nowhere),
	    TEST(a_drop_before_the_unknown_is_certain),
	    TEST(nat_is_not_modelled),
	    TEST(dormant_tables_sleep),
	    TEST(egress_chains_are_bound_to_devices),
	    TEST(each_drop_is_its_own),
	    TEST(large_sets_are_searched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
