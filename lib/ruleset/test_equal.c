/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every kind of difference is found, and told; what decides nothing is none. */
#include "test_build.h"

/* Where the sample's things are, once it is sorted. */
enum { CHAIN_EGRESS, CHAIN_OUTPUT, CHAIN_SIDE };
enum { SET_ANON, SET_DATA, SET_DYNAMIC, SET_NETWORKS, SET_VERDICTS };

static void add_sets(struct ruleset_table *table)
{
	struct ruleset_element element = {.key = value(BYTES(1)), .data = value(BYTES(2))};
	struct ruleset_set *set;

	set = new_set(table, "verdicts", 4);
	set->map = set->verdict_map = true;
	add_verdict(set, RULESET_JUMP, "side", BYTES(1, 0, 0, 0));
	add_verdict(set, RULESET_DROP, "", BYTES(2, 0, 0, 0));
	set = new_set(table, "networks", 4);
	set->interval = true;
	add_range(set, BYTES(10, 0, 0, 0), BYTES(10, 255, 255, 255));
	set = new_set(table, "dynamic", 4);
	set->dynamic = set->timeout = true;
	set->timeout_ms = 30000;
	set->size = 100;
	set = new_set(table, "data", 1);
	set->map = true;
	set->data_len = 1;
	assert_non_null(ruleset_add_element(set, &element));
	set = new_set(table, "__set3", 2);
	set->anonymous = set->constant = true;
	add_key(set, BYTES(0, 53));
}

static void add_rules(struct ruleset_chain *chain)
{
	expr range = {.kind = RULESET_RANGE,
		      .range = {.from = value(BYTES(1)), .to = value(BYTES(9))}};

	RULE(chain, "one", meta(NFT_META_SKUID, 0), is_u32(7), accepts());
	RULE(chain, "two", load(RULESET_NETWORK, 16, 4, 0), mask(BYTES(255, 0, 0, 0)),
	     compare(RULESET_NOT_EQUAL, BYTES(10, 0, 0, 0)), lookup("networks"));
	RULE(chain, "three", load(RULESET_TRANSPORT, 0, 1, 0), range, lookup("__set3"));
	RULE(chain, "four", meta(NFT_META_SKUID, 0), vmap("verdicts"), update("dynamic"));
	RULE(chain, "five", data(2, BYTES(127, 0, 0, 1)), asks_socket(NFT_SOCKET_WILDCARD),
	     tproxy(RULESET_IPV4, 2, -1), reject(NFT_REJECT_ICMPX_UNREACH, 1),
	     (expr){.kind = RULESET_COUNTER});
}

/* What only some expressions of their kind have. */
static void add_rare_rules(struct ruleset_chain *chain)
{
	expr mapped = lookup("data"), cgroup = asks_socket(NFT_SOCKET_CGROUPV2);

	mapped.lookup.map = true;
	mapped.lookup.destination = 4;
	cgroup.socket.level = 2;
	RULE(chain, "six", load(RULESET_NETWORK, 9, 1, 0), mapped, cgroup,
	     verdict_to(RULESET_GOTO, "side"));
}

static struct ruleset *sample(void)
{
	struct ruleset *ruleset = new_ruleset();
	struct ruleset_table *table = ruleset_add_table(ruleset, RULESET_INET, "t");
	struct ruleset_chain *chain;

	add_sets(table);
	chain = base_chain(table, "output", NF_INET_LOCAL_OUT, RULESET_DROP);
	add_rules(chain);
	add_rare_rules(chain);
	assert_non_null(ruleset_add_chain(table, "side"));
	chain = base_chain(table, "egress", EGRESS_OF_NETDEV, RULESET_DROP);
	assert_int_equal(ruleset_add_device(chain, "eth0"), 0);
	ruleset_sort(ruleset);
	return ruleset;
}

typedef struct ruleset_table table;

static expr *at(table *t, size_t rule, size_t expression)
{
	return &t->chains[CHAIN_OUTPUT].rules[rule - 1].expressions[expression - 1];
}

#define TEXT(array, text) snprintf(array, sizeof(array), "%s", text)

#define CHANGE(name, what)                                                                         \
	static void name(table *t)                                                                 \
	{                                                                                          \
		what;                                                                              \
	}

CHANGE(family, t->family = RULESET_IPV4)
CHANGE(table_name, t->name[0] = 'u')
CHANGE(dormant, t->flags |= NFT_TABLE_F_DORMANT)
CHANGE(chain_name, t->chains[CHAIN_SIDE].name[0] = 'z')
CHANGE(chain_more, ruleset_add_chain(t, "zzz"))
CHANGE(chain_less, t->chain_count--)
CHANGE(chain_base, t->chains[CHAIN_SIDE].base = true)
CHANGE(chain_type, t->chains[CHAIN_OUTPUT].type = RULESET_ROUTE)
CHANGE(chain_hook, t->chains[CHAIN_OUTPUT].hook = NF_INET_FORWARD)
CHANGE(chain_priority, t->chains[CHAIN_OUTPUT].priority = 1)
CHANGE(chain_policy, t->chains[CHAIN_OUTPUT].policy = RULESET_ACCEPT)
CHANGE(chain_every, t->chains[CHAIN_EGRESS].every_device = true)
CHANGE(chain_device, t->chains[CHAIN_EGRESS].devices[0][3] = '1')
CHANGE(chain_devices, assert_int_equal(ruleset_add_device(&t->chains[CHAIN_EGRESS], "lo"), 0))
CHANGE(rule_more, RULE(&t->chains[CHAIN_OUTPUT], "", accepts()))
CHANGE(rule_less, {
	struct ruleset_chain *chain = &t->chains[CHAIN_OUTPUT];

	free(chain->rules[--chain->rule_count].expressions);
})
CHANGE(expression_less, t->chains[CHAIN_OUTPUT].rules[0].count--)
CHANGE(expression_kind, *at(t, 1, 3) = reject(NFT_REJECT_TCP_RST, 0))
CHANGE(meta_key, at(t, 1, 1)->meta.key = NFT_META_SKGID)
CHANGE(meta_reg, at(t, 1, 1)->meta.reg = 1)
CHANGE(compare_reg, at(t, 1, 2)->compare.reg = 1)
CHANGE(compare_operator, at(t, 1, 2)->compare.operator= RULESET_LESS)
CHANGE(compare_value, at(t, 1, 2)->compare.value.bytes[3] ^= 1)
CHANGE(compare_len, at(t, 1, 2)->compare.value.len = 3)
CHANGE(verdict_code, at(t, 1, 3)->immediate.verdict.code = RULESET_DROP)
CHANGE(payload_base, at(t, 2, 1)->payload.base = RULESET_LINK)
CHANGE(payload_offset, at(t, 2, 1)->payload.offset = 12)
CHANGE(payload_len, at(t, 2, 1)->payload.len = 3)
CHANGE(payload_reg, at(t, 2, 1)->payload.reg = 1)
CHANGE(bitwise_source, at(t, 2, 2)->bitwise.source = 1)
CHANGE(bitwise_reg, at(t, 2, 2)->bitwise.reg = 1)
CHANGE(bitwise_len, at(t, 2, 2)->bitwise.len = 3)
CHANGE(bitwise_mask, at(t, 2, 2)->bitwise.mask.bytes[1] = 1)
CHANGE(bitwise_xor, at(t, 2, 2)->bitwise.xor.bytes[1] = 1)
CHANGE(lookup_set, strcpy(at(t, 2, 4)->lookup.set, "dynamic"))
CHANGE(lookup_reg, at(t, 2, 4)->lookup.reg = 1)
CHANGE(lookup_inverted, at(t, 2, 4)->lookup.inverted = true)
CHANGE(lookup_map, at(t, 2, 4)->lookup.map = true)
CHANGE(range_reg, at(t, 3, 2)->range.reg = 1)
CHANGE(range_operator, at(t, 3, 2)->range.operator= RULESET_NOT_EQUAL)
CHANGE(range_from, at(t, 3, 2)->range.from.bytes[0] = 2)
CHANGE(range_to, at(t, 3, 2)->range.to.bytes[0] = 8)
CHANGE(anonymous_element, t->sets[SET_ANON].elements[0].key.bytes[1] = 54)
CHANGE(anonymous_named, t->sets[SET_ANON].anonymous = false)
CHANGE(lookup_verdict_map, at(t, 4, 2)->lookup.verdict_map = false)
CHANGE(dynset_set, strcpy(at(t, 4, 3)->dynset.set, "data"))
CHANGE(dynset_reg, at(t, 4, 3)->dynset.reg = 1)
CHANGE(dynset_update, at(t, 4, 3)->dynset.update = false)
CHANGE(dynset_timeout, at(t, 4, 3)->dynset.timeout_ms = 1)
CHANGE(immediate_reg, at(t, 5, 1)->immediate.reg = 3)
CHANGE(immediate_value, at(t, 5, 1)->immediate.value.bytes[3] = 2)
CHANGE(socket_key, at(t, 5, 2)->socket.key = NFT_SOCKET_TRANSPARENT)
CHANGE(socket_reg, at(t, 5, 2)->socket.reg = 1)
CHANGE(tproxy_family, at(t, 5, 3)->tproxy.family = RULESET_IPV6)
CHANGE(tproxy_address, at(t, 5, 3)->tproxy.address_reg = 3)
CHANGE(tproxy_port, at(t, 5, 3)->tproxy.port_reg = 3)
CHANGE(reject_type, at(t, 5, 4)->reject.type = NFT_REJECT_ICMP_UNREACH)
CHANGE(reject_code, at(t, 5, 4)->reject.code = 2)
CHANGE(lookup_destination, at(t, 6, 2)->lookup.destination = 5)
CHANGE(socket_level, at(t, 6, 3)->socket.level = 3)
CHANGE(verdict_chain, TEXT(at(t, 6, 4)->immediate.verdict.chain, "sidf"))
CHANGE(set_name, t->sets[SET_VERDICTS].name[0] = 'w')
CHANGE(set_more, new_set(t, "zzz", 4))
CHANGE(set_constant, t->sets[SET_NETWORKS].constant = true)
CHANGE(set_interval, t->sets[SET_NETWORKS].interval = false)
CHANGE(set_map, t->sets[SET_NETWORKS].map = true)
CHANGE(set_verdict_map, t->sets[SET_DATA].verdict_map = true)
CHANGE(set_dynamic, t->sets[SET_NETWORKS].dynamic = true)
CHANGE(set_timeout, t->sets[SET_DYNAMIC].timeout = false)
CHANGE(set_key_type, t->sets[SET_DATA].key_type = 7)
CHANGE(set_data_type, t->sets[SET_DATA].data_type = 7)
CHANGE(set_key_len, t->sets[SET_DATA].key_len = 2)
CHANGE(set_data_len, t->sets[SET_DATA].data_len = 2)
CHANGE(set_field_count, t->sets[SET_DATA].field_count = 1)
CHANGE(set_fields, t->sets[SET_DATA].fields[1] = 1)
CHANGE(set_size, t->sets[SET_DYNAMIC].size = 99)
CHANGE(set_timeout_ms, t->sets[SET_DYNAMIC].timeout_ms = 1)
CHANGE(element_more, add_key(&t->sets[SET_NETWORKS], BYTES(11, 0, 0, 0)))
CHANGE(element_key, t->sets[SET_NETWORKS].elements[0].key.bytes[1] = 1)
CHANGE(element_end, t->sets[SET_NETWORKS].elements[0].key_end.bytes[1] = 1)
CHANGE(element_verdict, t->sets[SET_VERDICTS].elements[1].verdict.code = RULESET_ACCEPT)
CHANGE(element_chain, TEXT(t->sets[SET_VERDICTS].elements[0].verdict.chain, "output"))
CHANGE(element_data, t->sets[SET_DATA].elements[0].data.bytes[0] = 3)

static const struct {
	void (*change)(table *table);
	const char *words;
} differences[] = {
    {family, "table t: family differs"},
    {table_name, "table t: its name in the other is u"},
    {dormant, "table t: dormant in one, not in the other"},
    {chain_name, "table t: chain side is in one only"},
    {chain_more, "table t: chain zzz is in one only"},
    {chain_less, "table t: chain side is in one only"},
    {chain_base, "chain side: a base chain in one, not in the other"},
    {chain_type, "chain output: type differs"},
    {chain_hook, "chain output: hook differs"},
    {chain_priority, "chain output: priority differs"},
    {chain_policy, "chain output: policy differs"},
    {chain_every, "chain egress: bound to every device in one, to named ones in the other"},
    {chain_device, "chain egress: device eth0, not eth1"},
    {chain_devices, "chain egress: 1 devices, not 2"},
    {rule_more, "chain output: 6 rules, not 7"},
    {rule_less, "chain output: 6 rules, not 5"},
    {expression_less, "chain output rule 1: 3 expressions, not 2"},
    {expression_kind, "chain output rule 1: expression 3: verdict, not reject"},
    {meta_key, "chain output rule 1: expression 1: meta.key differs"},
    {meta_reg, "chain output rule 1: expression 1: meta.reg differs"},
    {compare_reg, "chain output rule 1: expression 2: compare.reg differs"},
    {compare_operator, "chain output rule 1: expression 2: compare.operator differs"},
    {compare_value, "chain output rule 1: expression 2: compare value differs"},
    {compare_len, "chain output rule 1: expression 2: compare value differs"},
    {verdict_code, "chain output rule 1: expression 3: verdict differs"},
    {payload_base, "chain output rule 2: expression 1: payload.base differs"},
    {payload_offset, "chain output rule 2: expression 1: payload.offset differs"},
    {payload_len, "chain output rule 2: expression 1: payload.len differs"},
    {payload_reg, "chain output rule 2: expression 1: payload.reg differs"},
    {bitwise_source, "chain output rule 2: expression 2: bitwise.source differs"},
    {bitwise_reg, "chain output rule 2: expression 2: bitwise.reg differs"},
    {bitwise_len, "chain output rule 2: expression 2: bitwise.len differs"},
    {bitwise_mask, "chain output rule 2: expression 2: bitwise mask differs"},
    {bitwise_xor, "chain output rule 2: expression 2: bitwise xor differs"},
    {lookup_set, "chain output rule 2: expression 4: set networks, not dynamic"},
    {lookup_reg, "chain output rule 2: expression 4: lookup.reg differs"},
    {lookup_inverted, "chain output rule 2: expression 4: lookup.inverted differs"},
    {lookup_map, "chain output rule 2: expression 4: lookup.map differs"},
    {range_reg, "chain output rule 3: expression 2: range.reg differs"},
    {range_operator, "chain output rule 3: expression 2: range.operator differs"},
    {range_from, "chain output rule 3: expression 2: range from differs"},
    {range_to, "chain output rule 3: expression 2: range to differs"},
    {anonymous_element, "chain output rule 3: expression 3: element 1: key differs"},
    {anonymous_named, "table t: set __set3 is in one only"},
    {lookup_verdict_map, "chain output rule 4: expression 2: lookup.verdict_map differs"},
    {dynset_set, "chain output rule 4: expression 3: set dynamic, not data"},
    {dynset_reg, "chain output rule 4: expression 3: dynset.reg differs"},
    {dynset_update, "chain output rule 4: expression 3: dynset.update differs"},
    {dynset_timeout, "chain output rule 4: expression 3: dynset.timeout_ms differs"},
    {immediate_reg, "chain output rule 5: expression 1: immediate.reg differs"},
    {immediate_value, "chain output rule 5: expression 1: immediate value differs"},
    {socket_key, "chain output rule 5: expression 2: socket.key differs"},
    {socket_reg, "chain output rule 5: expression 2: socket.reg differs"},
    {tproxy_family, "chain output rule 5: expression 3: tproxy.family differs"},
    {tproxy_address, "chain output rule 5: expression 3: tproxy.address_reg differs"},
    {tproxy_port, "chain output rule 5: expression 3: tproxy.port_reg differs"},
    {reject_type, "chain output rule 5: expression 4: reject.type differs"},
    {reject_code, "chain output rule 5: expression 4: reject.code differs"},
    {lookup_destination, "chain output rule 6: expression 2: lookup.destination differs"},
    {socket_level, "chain output rule 6: expression 3: socket.level differs"},
    {verdict_chain, "chain output rule 6: expression 4: verdict differs"},
    {set_name, "table t: set verdicts is in one only"},
    {set_more, "table t: set zzz is in one only"},
    {set_constant, "set networks: set's constant differs"},
    {set_interval, "set networks: set's interval differs"},
    {set_map, "set networks: set's map differs"},
    {set_verdict_map, "set data: set's verdict_map differs"},
    {set_dynamic, "set networks: set's dynamic differs"},
    {set_timeout, "set dynamic: set's timeout differs"},
    {set_key_type, "set data: set's key_type differs"},
    {set_data_type, "set data: set's data_type differs"},
    {set_key_len, "set data: set's key_len differs"},
    {set_data_len, "set data: set's data_len differs"},
    {set_field_count, "set data: set's field_count differs"},
    {set_fields, "set data: set's fields differs"},
    {set_size, "set dynamic: set's size differs"},
    {set_timeout_ms, "set dynamic: set's timeout_ms differs"},
    {element_more, "set networks: 1 elements, not 2"},
    {element_key, "set networks: element 1: key differs"},
    {element_end, "set networks: element 1: end differs"},
    {element_verdict, "set verdicts: element 2: verdict differs"},
    {element_chain, "set verdicts: element 1: verdict differs"},
    {element_data, "set data: element 1: data differs"},
};

static void every_difference_is_found_and_told(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(differences); i++) {
		CLEANUP(ruleset_freep) struct ruleset *one = sample();
		CLEANUP(ruleset_freep) struct ruleset *two = sample();
		AUTO_BUF struct buf words = {.cap = 4096};

		differences[i].change(&two->tables[0]);
		assert_false(ruleset_table_equal(&one->tables[0], &two->tables[0], &words));
		assert_string_equal(buf_text(&words), differences[i].words);
		assert_false(ruleset_table_equal(&two->tables[0], &one->tables[0], NULL));
	}
}

CHANGE(other_handle, t->chains[CHAIN_OUTPUT].rules[0].handle = 9)
CHANGE(other_comment, TEXT(t->chains[CHAIN_OUTPUT].rules[0].comment, "another"))
CHANGE(other_counter, at(t, 5, 5)->counter.packets = 9)
CHANGE(other_bytes, at(t, 5, 5)->counter.bytes = 9)
CHANGE(other_owner, t->flags |= 2)
CHANGE(dynamic_element, add_key(&t->sets[SET_DYNAMIC], BYTES(1, 2, 3, 4)))
CHANGE(unused_policy, t->chains[CHAIN_SIDE].policy = RULESET_ACCEPT)
CHANGE(unused_bytes, at(t, 1, 2)->compare.value.bytes[9] = 9)
CHANGE(unused_chain, strcpy(at(t, 1, 3)->immediate.verdict.chain, "x"))
CHANGE(kernel_name, TEXT(t->sets[SET_ANON].name, "__set0");
       strcpy(at(t, 3, 3)->lookup.set, "__set0"))

static void what_decides_nothing_is_no_difference(void **state)
{
	static void (*const changes[])(table *) = {
	    other_handle,    other_comment, other_counter, other_bytes,  other_owner,
	    dynamic_element, unused_policy, unused_bytes,  unused_chain, kernel_name,
	};
	CLEANUP(ruleset_freep) struct ruleset *one = sample();
	CLEANUP(ruleset_freep) struct ruleset *two = sample();

	assert_true(ruleset_table_equal(&one->tables[0], &two->tables[0], NULL));
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		AUTO_BUF struct buf words = {.cap = 4096};

		changes[i](&two->tables[0]);
		assert_true(ruleset_table_equal(&one->tables[0], &two->tables[0], &words));
		assert_string_equal(buf_text(&words), "");
	}
}

/* An element without an end is the range of its one key. */
static void single_keys_are_ranges_of_one(void **state)
{
	CLEANUP(ruleset_freep) struct ruleset *one = new_ruleset();
	CLEANUP(ruleset_freep) struct ruleset *two = new_ruleset();
	struct ruleset_set *a = new_set(ruleset_add_table(one, RULESET_INET, "t"), "s", 1);
	struct ruleset_set *b = new_set(ruleset_add_table(two, RULESET_INET, "t"), "s", 1);

	a->interval = b->interval = true;
	add_key(a, BYTES(5));
	add_range(b, BYTES(5), BYTES(5));
	assert_true(ruleset_table_equal(&one->tables[0], &two->tables[0], NULL));
	b->elements[0].key_end.bytes[0] = 6;
	assert_false(ruleset_table_equal(&one->tables[0], &two->tables[0], NULL));
}

/* What is not understood may differ in what was not kept. */
static void the_unknown_is_never_equal(void **state)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = sample();
	expr unknown = {.kind = RULESET_UNKNOWN, .unknown = {"xfrm"}};
	AUTO_BUF struct buf words = {.cap = 4096};

	*at(&ruleset->tables[0], 1, 1) = unknown;
	assert_false(ruleset_table_equal(&ruleset->tables[0], &ruleset->tables[0], &words));
	assert_string_equal(buf_text(&words),
			    "chain output rule 1: expression 1: xfrm and xfrm cannot be compared");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_difference_is_found_and_told),
	    cmocka_unit_test(what_decides_nothing_is_no_difference),
	    cmocka_unit_test(single_keys_are_ranges_of_one),
	    cmocka_unit_test(the_unknown_is_never_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
