/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Rules that are made to exhaust the proof or to lead it in circles, beside Lethe's or among them.
 * Each ruleset gets an answer, and the one that it deserves.
 */
#include <proof/proof.h>
#include <ruleset/test_build.h>

#include <policy/test_util.h>
#include <wall/compile.h>

#define STATEMENTS                                                                                 \
	"network n = 198.51.100.0/24\n"                                                            \
	"allow debian-tor to n over tcp\n"

#define WIDE  40     /* jumps of each chain of a maze */
#define DEEP  16     /* chains of a maze; the kernel's jumps end there */
#define MANY  100000 /* elements of a set */
#define RULES 20000

#define NODES_OF_A_SMALL_MEMORY ((size_t)1 << 20)

struct world {
	struct policy *policy;
	struct ruleset *ruleset;     /* what the policy is compiled to, and another table */
	struct ruleset_table *table; /* the other one; its base chain "out" accepts */
};

static struct ruleset_table *lethe_table(struct world *world)
{
	for (size_t i = 0; i < world->ruleset->table_count; i++)
		if (world->ruleset->tables[i].family == RULESET_INET &&
		    strcmp(world->ruleset->tables[i].name, "lethe") == 0)
			return &world->ruleset->tables[i];
	fail_msg("no table inet lethe");
	return NULL;
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	world->policy = test_parse_statements(STATEMENTS);
	assert_int_equal(compile_policy(world->policy, &world->ruleset), 0);
	world->table = ruleset_add_table(world->ruleset, RULESET_INET, "stranger");
	assert_non_null(world->table);
	base_chain(world->table, "out", NF_INET_LOCAL_OUT, RULESET_ACCEPT)->priority = 5;
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	policy_free(world->policy);
	ruleset_free(world->ruleset);
	free(world);
	return 0;
}

static struct ruleset_chain *chain_in(struct ruleset_table *table, const char *name)
{
	for (size_t i = 0; i < table->chain_count; i++)
		if (strcmp(table->chains[i].name, name) == 0)
			return &table->chains[i];
	return ruleset_add_chain(table, name);
}

/* Chains move in memory when one is added. */
static struct ruleset_chain *chain_named(struct world *world, const char *name)
{
	return chain_in(world->table, name);
}

/* The last rule of a chain becomes its first. */
static void last_rule_first(struct ruleset_chain *chain)
{
	struct ruleset_rule last = chain->rules[chain->rule_count - 1];

	memmove(chain->rules + 1, chain->rules,
		(chain->rule_count - 1) * sizeof(chain->rules[0]));
	chain->rules[0] = last;
}

/* A chain of Lethe's that all that leaves goes through first. */
static struct ruleset_chain *planted(struct world *world)
{
	struct ruleset_table *lethe = lethe_table(world);
	struct ruleset_chain *output = chain_in(lethe, "output");

	RULE(output, "", verdict_to(RULESET_JUMP, "planted"));
	last_rule_first(output);
	return chain_in(lethe, "planted");
}

static void check_with(struct world *world, size_t nodes_max, enum proof_answer answer,
		       enum proof_fault fault, const char *reason)
{
	static const struct proof_device devices[] = {{"lo", 1, 772}, {"eth0", 2, 1}};
	const struct proof_options options = {
	    .devices = devices, .device_count = 2, .nodes_max = nodes_max};
	CLEANUP(proof_result_done) struct proof_result result = {0};

	ruleset_sort(world->ruleset);
	assert_int_equal(proof_compare(world->policy, world->ruleset, &options, &result), 0);
	if (result.answer != answer)
		print_message("# %s\n", buf_text(&result.reason));
	assert_int_equal(result.answer, answer);
	assert_int_equal(result.fault, fault);
	if (reason && !strstr(buf_text(&result.reason), reason))
		fail_msg("'%s' has no '%s'", buf_text(&result.reason), reason);
}

static void unknown(struct world *world, const char *reason)
{
	check_with(world, 0, PROOF_UNKNOWN, PROOF_NO_FAULT, reason);
}

static void refuted(struct world *world, enum proof_fault fault)
{
	check_with(world, 0, PROOF_REFUTED, fault, NULL);
}

static void proved(struct world *world)
{
	check_with(world, 0, PROOF_PROVED, PROOF_NO_FAULT, NULL);
}

static void chains_that_lead_in_a_circle(void **state)
{
	struct world *world = *state;

	RULE(chain_named(world, "out"), "", verdict_to(RULESET_JUMP, "a"));
	RULE(chain_named(world, "a"), "", verdict_to(RULESET_GOTO, "b"));
	RULE(chain_named(world, "b"), "", verdict_to(RULESET_JUMP, "a"));
	unknown(world, "circle");
}

static void a_chain_that_leads_to_itself(void **state)
{
	struct world *world = *state;

	RULE(chain_named(world, "out"), "", verdict_to(RULESET_GOTO, "a"));
	RULE(chain_named(world, "a"), "", verdict_to(RULESET_GOTO, "a"));
	unknown(world, "circle");
}

/* Which element leads back only some packets find out. */
static void a_circle_by_a_verdict_map(void **state)
{
	struct world *world = *state;
	struct ruleset_set *map = new_set(world->table, "m", 1);

	map->map = true;
	map->verdict_map = true;
	add_verdict(map, RULESET_JUMP, "a", BYTES(6));
	add_verdict(map, RULESET_DROP, "", BYTES(17));
	RULE(chain_named(world, "out"), "", meta(NFT_META_L4PROTO, 0), vmap("m"));
	RULE(chain_named(world, "a"), "", meta(NFT_META_L4PROTO, 0), vmap("m"));
	unknown(world, "circle");
}

static void chains_and_sets_that_are_not_there(void **state)
{
	struct world *world = *state;

	RULE(chain_named(world, "out"), "", verdict_to(RULESET_JUMP, "nowhere"));
	unknown(world, NULL);
	world->table->chains[0].rules[0].expressions[0] = lookup("nothing");
	unknown(world, NULL);
}

/* 40 jumps from each of 16 chains: 40^16 ways through it. Returns the chain at its end. */
static struct ruleset_chain *maze(struct world *world)
{
	char name[16], next[16];

	for (unsigned depth = 0; depth < DEEP; depth++) {
		snprintf(name, sizeof(name), "c%u", depth);
		snprintf(next, sizeof(next), "c%u", depth + 1);
		for (unsigned i = 0; i < WIDE; i++)
			RULE(chain_named(world, name), "", verdict_to(RULESET_JUMP, next));
	}
	RULE(chain_named(world, "out"), "", verdict_to(RULESET_GOTO, "c0"));
	return chain_named(world, next);
}

/* What is at its end is found without walking all ways. */
static void a_maze_is_walked_once(void **state)
{
	struct ruleset_rule *end =
	    RULE(maze(*state), "", meta(NFT_META_L4PROTO, 0), is(BYTES(6)), accepts());

	proved(*state);
	end->expressions[2] = drops();
	refuted(*state, PROOF_BLOCKS);
}

/* What a rule changes makes each way another one: too many, and that is said. */
static void a_maze_that_changes_packets_is_given_up(void **state)
{
	expr mark = {.kind = RULESET_META_SET, .meta_set = {.key = NFT_META_MARK, .reg = 0}};

	RULE(maze(*state), "", data(0, BYTES(0, 0, 0, 1)), mark);
	unknown(*state, NULL);
}

static struct ruleset_set *addresses(struct world *world)
{
	RULE(planted(world), "", meta(NFT_META_NFPROTO, 0), is(BYTES(2)),
	     load(RULESET_NETWORK, 16, 4, 0), lookup("many"), accepts());
	return new_set(lethe_table(world), "many", 4);
}

/* The verdict of the planted rule. */
static void planted_verdict(struct world *world, expr last)
{
	struct ruleset_rule *rule = &chain_in(lethe_table(world), "planted")->rules[0];

	rule->expressions[rule->count - 1] = last;
}

/* Each second address is in it: no two can be joined. */
static void a_set_of_very_many_addresses(void **state)
{
	struct ruleset_set *set = addresses(*state);

	for (uint32_t i = 0; i < MANY; i++)
		add_key(set, &(uint32_t){htonl(0xc6336400u + 2 * i)}, 4);
	refuted(*state, PROOF_LEAK);
	planted_verdict(*state, verdict(RULESET_RETURN));
	proved(*state);
}

static void a_set_of_very_many_networks(void **state)
{
	struct ruleset_set *set = addresses(*state);

	set->interval = true;
	for (uint32_t i = 0; i < MANY; i++)
		add_range(set, &(uint32_t){htonl(0x0b000000u + 7 * i)}, 4,
			  &(uint32_t){htonl(0x0b000000u + 7 * i + 4)}, 4);
	refuted(*state, PROOF_LEAK);
	planted_verdict(*state, verdict(RULESET_RETURN));
	proved(*state);
}

static void very_many_rules(void **state)
{
	struct ruleset_chain *chain = planted(*state);
	struct ruleset_rule *last;

	for (uint32_t i = 0; i < RULES; i++)
		last = RULE(chain, "", meta(NFT_META_SKUID, 0), is_u32(70000 + i),
			    verdict(RULESET_RETURN));
	proved(*state);
	last->expressions[2] = accepts();
	refuted(*state, PROOF_LEAK);
}

/* Of memory it takes what it was given and no more. */
static void what_needs_too_many_nodes_is_not_proved(void **state)
{
	struct ruleset_set *set = addresses(*state);

	planted_verdict(*state, verdict(RULESET_RETURN));
	check_with(*state, NODES_OF_A_SMALL_MEMORY, PROOF_PROVED, PROOF_NO_FAULT, NULL);
	for (uint32_t i = 0; i < MANY; i++)
		add_key(set, &(uint32_t){htonl(i * 2654435761u)}, 4);
	check_with(*state, NODES_OF_A_SMALL_MEMORY, PROOF_UNKNOWN, PROOF_NO_FAULT, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(chains_that_lead_in_a_circle, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_chain_that_leads_to_itself, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_circle_by_a_verdict_map, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(chains_and_sets_that_are_not_there, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_maze_is_walked_once, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_maze_that_changes_packets_is_given_up, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(a_set_of_very_many_addresses, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_set_of_very_many_networks, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(very_many_rules, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_needs_too_many_nodes_is_not_proved, set_up,
					    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
