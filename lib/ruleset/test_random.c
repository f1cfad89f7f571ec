/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Whatever the ruleset is, evaluating, sorting, comparing and printing end, and hold to their
 * promises. LETHE_SEED repeats a run.
 */
#include "test_build.h"

#include <base/num.h>
#include <stdlib.h>
#include <time.h>

#include "search.h"

#define ROUNDS 400

static uint64_t seed, random_state;

/* xorshift64*: small, and the same everywhere. */
static uint32_t draw(uint32_t below)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (uint32_t)((random_state * 0x2545f4914f6cdd1dull) >> 33) % below;
}

static bool one_in(uint32_t n)
{
	return draw(n) == 0;
}

static struct ruleset_value random_value(size_t len)
{
	struct ruleset_value made = {.len = (uint8_t)len};

	for (size_t i = 0; i < len; i++)
		made.bytes[i] = (uint8_t)(one_in(3) ? draw(256) : draw(3));
	return made;
}

static const char *random_name(void)
{
	static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};

	return names[draw(ARRAY_SIZE(names))];
}

static struct ruleset_verdict random_verdict(void)
{
	struct ruleset_verdict made = {.code = (enum ruleset_code)draw(RULESET_BREAK + 2)};

	snprintf(made.chain, sizeof(made.chain), "%s", random_name());
	return made;
}

static uint8_t random_reg(void)
{
	return (uint8_t)(one_in(20) ? draw(20) : draw(3));
}

static expr random_load(void)
{
	static const uint32_t keys[] = {
	    NFT_META_NFPROTO,   NFT_META_L4PROTO,  NFT_META_SKUID,
	    NFT_META_OIF,       NFT_META_IIFNAME,  NFT_META_OIFTYPE,
	    NFT_META_RTCLASSID, NFT_META_PROTOCOL, NFT_META_MARK,
	};

	if (one_in(8))
		return (expr){.kind = RULESET_SOCKET,
			      .socket = {.key = draw(5), .reg = random_reg()}};
	if (one_in(2))
		return meta(keys[draw(ARRAY_SIZE(keys))], random_reg());
	return load((enum ruleset_base)draw(one_in(20) ? 5 : 3), draw(40), draw(one_in(9) ? 70 : 9),
		    random_reg());
}

/* Any numbers in any kind that only others use. */
static expr random_foreign(void)
{
	expr e = {0};
	uint8_t *bytes = (uint8_t *)&e.limit;

	for (size_t i = 0; i < sizeof(e.limit); i++)
		bytes[i] = (uint8_t)(one_in(6) ? draw(256) : one_in(2) ? 0 : draw(5));
	e.kind = (enum ruleset_expression_kind)(RULESET_META_SET +
						draw(RULESET_OBJECT - RULESET_META_SET + 1));
	if (e.kind == RULESET_SHIFT)
		e.shift.left = one_in(2);
	else if (e.kind == RULESET_TRANSLATE)
		e.translate.destination = one_in(2);
	else if (e.kind == RULESET_LIMIT)
		snprintf(e.limit.name, sizeof(e.limit.name), "%s", one_in(2) ? "limit" : "quota");
	else if (e.kind == RULESET_NO_EFFECT)
		snprintf(e.no_effect.name, sizeof(e.no_effect.name), "log");
	else if (e.kind == RULESET_OBJECT)
		snprintf(e.object.object, sizeof(e.object.object), "%s", random_name());
	if (e.kind == RULESET_SHIFT || e.kind == RULESET_BYTEORDER)
		e.shift.source = random_reg();
	if (e.kind == RULESET_SHIFT && !one_in(4))
		e.shift.len = draw(9);
	if (e.kind == RULESET_BYTEORDER && !one_in(4))
		e.byteorder.len = e.byteorder.size = 2u << draw(3);
	return e;
}

static expr random_expression(void)
{
	static const uint8_t kinds[] = {
	    RULESET_COMPARE,   RULESET_COMPARE, RULESET_COMPARE,   RULESET_BITWISE, RULESET_RANGE,
	    RULESET_LOOKUP,    RULESET_LOOKUP,  RULESET_IMMEDIATE, RULESET_DYNSET,  RULESET_REJECT,
	    RULESET_IMMEDIATE, RULESET_TPROXY,  RULESET_COUNTER,   RULESET_UNKNOWN,
	    RULESET_META_SET,  RULESET_META_SET,
	};
	expr e = {.kind = (enum ruleset_expression_kind)kinds[draw(ARRAY_SIZE(kinds))]};
	uint8_t len = (uint8_t)draw(one_in(20) ? 65 : 6);

	if (e.kind == RULESET_META_SET)
		return random_foreign();
	if (e.kind == RULESET_COMPARE) {
		e.compare.reg = random_reg();
		e.compare.operator=(enum ruleset_operator) draw(7);
		e.compare.value = random_value(len);
	} else if (e.kind == RULESET_BITWISE) {
		e.bitwise.source = random_reg();
		e.bitwise.reg = random_reg();
		e.bitwise.len = len;
		e.bitwise.mask = random_value(len);
		e.bitwise.xor = random_value(one_in(9) ? draw(9) : len);
	} else if (e.kind == RULESET_RANGE) {
		e.range.reg = random_reg();
		e.range.operator=(enum ruleset_operator) draw(2);
		e.range.from = random_value(len);
		e.range.to = random_value(one_in(9) ? draw(9) : len);
	} else if (e.kind == RULESET_LOOKUP) {
		e = one_in(2) ? vmap(random_name()) : lookup(random_name());
		e.lookup.reg = random_reg();
		e.lookup.inverted = one_in(4);
	} else if (e.kind == RULESET_DYNSET) {
		e = update(random_name());
		e.dynset.reg = random_reg();
	} else if (e.kind == RULESET_IMMEDIATE) {
		e.immediate.verdict = random_verdict();
		e.immediate.reg = random_reg();
		e.immediate.value = random_value(len);
	} else if (e.kind == RULESET_REJECT) {
		e = reject(draw(4), (uint8_t)draw(15));
	} else if (e.kind == RULESET_TPROXY) {
		e = tproxy(one_in(2) ? RULESET_IPV4 : RULESET_IPV6, (int)draw(5) - 1,
			   (int)draw(5) - 1);
	} else if (e.kind == RULESET_UNKNOWN) {
		snprintf(e.unknown.name, sizeof(e.unknown.name), "x%u", draw(9));
	}
	return e;
}

static void random_set(struct ruleset_table *table)
{
	static const uint8_t lengths[] = {1, 2, 4, 8, 12, 16};
	struct ruleset_set *set = new_set(table, random_name(), lengths[draw(ARRAY_SIZE(lengths))]);

	set->interval = one_in(2);
	set->map = one_in(2);
	set->verdict_map = set->map && !one_in(4);
	set->anonymous = one_in(4);
	set->dynamic = one_in(6);
	set->key_type = one_in(3) ? draw(1u << 30) : draw(50);
	if (one_in(2)) {
		set->field_count = draw(6);
		for (size_t i = 0; i < ARRAY_SIZE(set->fields); i++)
			set->fields[i] = (uint8_t)(1 + draw(5));
	}
	for (uint32_t i = draw(12); i > 0; i--) {
		size_t len = one_in(20) ? draw(20) : set->key_len;
		struct ruleset_element element = {.key = random_value(len)};

		element.verdict = random_verdict();
		element.data = random_value(draw(5));
		if (set->interval && !one_in(3))
			element.key_end = random_value(len);
		assert_non_null(ruleset_add_element(set, &element));
	}
}

static void random_chain(struct ruleset_table *table)
{
	struct ruleset_chain *chain = ruleset_add_chain(table, random_name());

	chain->base = one_in(2);
	chain->type = one_in(20) ? RULESET_NAT : RULESET_FILTER;
	chain->hook = draw(7);
	chain->priority = (int32_t)draw(7) - 3;
	chain->policy = one_in(2) ? RULESET_ACCEPT : RULESET_DROP;
	chain->every_device = one_in(2);
	for (uint32_t i = draw(3); i > 0; i--)
		assert_int_equal(ruleset_add_device(chain, random_name()), 0);
	for (uint32_t i = draw(7); i > 0; i--) {
		struct ruleset_rule *rule = ruleset_add_rule(chain, random_name());

		for (uint32_t j = draw(4); j > 0; j--) {
			expr loads = random_load(), asks = random_expression();

			/* What does not fit is refused, and that is all that happens. */
			ruleset_add_expression(rule, &loads);
			ruleset_add_expression(rule, &asks);
		}
	}
}

static struct ruleset *random_ruleset(void)
{
	static const enum ruleset_family families[] = {
	    RULESET_INET, RULESET_IPV4, RULESET_IPV6, RULESET_NETDEV, RULESET_ARP, RULESET_BRIDGE};
	struct ruleset *ruleset = new_ruleset();

	for (uint32_t t = 1 + draw(3); t > 0; t--) {
		struct ruleset_table *table;

		table =
		    ruleset_add_table(ruleset, families[draw(ARRAY_SIZE(families))], random_name());
		for (uint32_t i = draw(6); i > 0; i--)
			random_set(table);
		for (uint32_t i = 1 + draw(6); i > 0; i--)
			random_chain(table);
	}
	return ruleset;
}

static struct packet random_packet(void)
{
	static const uint16_t ethertypes[] = {ETH_P_IP, ETH_P_IP, ETH_P_IPV6, ETH_P_ARP, ETH_P_PAE};
	static const uint8_t protocols[] = {1, 6, 6, 17, 47, 58, 132, 0, 60};
	struct packet packet = tcp_packet((enum packet_path)(1 + draw(4)));

	packet.loopback = one_in(2);
	packet.ethertype = ethertypes[draw(ARRAY_SIZE(ethertypes))];
	packet.owned = one_in(2) && packet.path != PACKET_INPUT;
	packet.uid = draw(3);
	packet.routed = one_in(2);
	packet.protocol = protocols[draw(ARRAY_SIZE(protocols))];
	packet.fragment = one_in(5);
	packet.destination = packet_address4(draw(3));
	packet.destination_port = (uint16_t)draw(3);
	packet.tcp_flags = (uint8_t)draw(32);
	packet.icmp_type = (uint8_t)draw(10);
	packet.socket = (enum packet_socket)draw(4);
	packet.expected = one_in(2);
	packet.arp_operation = (uint16_t)draw(4);
	packet.arp_plain = one_in(2);
	return packet;
}

static bool is_result(const struct ruleset_result *result)
{
	if (result->outcome == RULESET_UNDECIDED)
		return result->reason != NULL;
	if (result->rule && !result->chain)
		return false;
	return result->outcome <= RULESET_PROXIED && !result->reason &&
	       (result->outcome == RULESET_PROXIED || result->proxy_port == 0);
}

/* Evaluating ends in a result; sorting twice is sorting once; a table equals itself unless it holds
 * what is not understood; printing ends in text. */
static void random_rulesets_are_survived(void **state)
{
	size_t outcomes[RULESET_PROXIED + 1] = {0};

	for (int round = 0; round < ROUNDS; round++) {
		CLEANUP(ruleset_freep) struct ruleset *ruleset = random_ruleset();
		AUTO_BUF struct buf once = {.cap = 1 << 20}, twice = {.cap = 1 << 20};

		ruleset_sort(ruleset);
		ruleset_print(ruleset, &once);
		ruleset_sort(ruleset);
		ruleset_print(ruleset, &twice);
		assert_int_equal(buf_finish(&once), 0);
		assert_string_equal(buf_text(&once), buf_text(&twice));
		for (size_t i = 0; i < ruleset->table_count; i++) {
			AUTO_BUF struct buf words = {.cap = 4096};
			const struct ruleset_table *table = &ruleset->tables[i];

			if (!ruleset_table_equal(table, table, &words))
				assert_non_null(strstr(buf_text(&words), "cannot be compared"));
		}
		for (int i = 0; i < 50; i++) {
			struct packet packet = random_packet();
			struct ruleset_result result = ruleset_evaluate(ruleset, &packet);

			assert_true(is_result(&result));
			outcomes[result.outcome]++;
		}
	}
	/* The rulesets are not all alike: most kinds of end are reached. */
	assert_true(outcomes[RULESET_UNDECIDED] > 0 && outcomes[RULESET_DROPPED] > 0 &&
		    outcomes[RULESET_PASSED] > 0);
}

/* A set of disjoint ranges (or boxes), and the answer by walking over all of them. */
static void fill_disjoint(struct ruleset_set *set, bool boxes)
{
	uint8_t at = (uint8_t)draw(4);

	for (uint32_t i = draw(30); i > 0 && at < 250; i--) {
		uint8_t end = (uint8_t)(at + (one_in(2) ? 0 : draw(5)));
		struct ruleset_element element = {0};

		if (boxes) { /* (exact, range) */
			element.key = value(BYTES((uint8_t)(at / 32), 0, 0, 0, at, 0, 0, 0));
			element.key_end = value(BYTES((uint8_t)(at / 32), 0, 0, 0, end, 0, 0, 0));
		} else {
			element.key = value(&at, 1);
			element.key_end = value(&end, 1);
		}
		assert_non_null(ruleset_add_element(set, &element));
		at = (uint8_t)(end + 1 + draw(6));
	}
}

static bool held(const struct ruleset_set *set, const uint8_t *key, bool boxes)
{
	for (size_t i = 0; i < set->element_count; i++) {
		const uint8_t *from = set->elements[i].key.bytes;
		const uint8_t *to = set->elements[i].key_end.bytes;

		if (boxes ? key[0] == from[0] && key[4] >= from[4] && key[4] <= to[4]
			  : key[0] >= from[0] && key[0] <= to[0])
			return true;
	}
	return false;
}

/* With some bits open: found never, missing only if no completion of the key is held. */
static void check_open_bits(const struct ruleset_set *set, uint8_t key, uint8_t known)
{
	const struct ruleset_element *element = NULL;
	enum search_answer answer = search_set(set, &key, &known, &element);
	bool any = false;

	for (unsigned i = 0; i < 256; i++) {
		uint8_t candidate = (uint8_t)i;

		if (((candidate ^ key) & known) == 0)
			any |= held(set, &candidate, false);
	}
	assert_null(element);
	assert_true(answer == SEARCH_UNKNOWN || (answer == SEARCH_MISSING && !any));
}

static void searching_is_walking(void **state)
{
	static const uint8_t known[8] = {255, 255, 255, 255, 255, 255, 255, 255};

	for (int round = 0; round < ROUNDS; round++) {
		CLEANUP(ruleset_freep) struct ruleset *ruleset = new_ruleset();
		struct ruleset_table *table = ruleset_add_table(ruleset, RULESET_INET, "t");
		bool boxes = one_in(2);
		struct ruleset_set *set = new_set(table, "s", boxes ? 8 : 1);

		set->interval = true;
		if (boxes) {
			set->field_count = 2;
			set->fields[0] = set->fields[1] = 4;
		}
		fill_disjoint(set, boxes);
		ruleset_sort(ruleset);
		for (unsigned i = 0; i < 256; i++) {
			uint8_t key[8] = {(uint8_t)(boxes ? i / 32 : i), 0, 0, 0, (uint8_t)i};
			const struct ruleset_element *element = NULL;

			assert_int_equal(search_set(set, key, known, &element),
					 held(set, key, boxes) ? SEARCH_FOUND : SEARCH_MISSING);
		}
		for (unsigned i = 0; i < 20 && !boxes; i++)
			check_open_bits(set, (uint8_t)draw(256), (uint8_t)draw(255));
	}
}

static int start(void **state)
{
	const char *text = getenv("LETHE_SEED");

	seed = (uint64_t)time(NULL);
	if (text)
		assert_int_equal(num_parse_u64(text, UINT64_MAX, &seed), 0);
	print_message("# LETHE_SEED=%ju\n", (uintmax_t)seed);
	random_state = seed * 2 + 1;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(random_rulesets_are_survived, start),
	    cmocka_unit_test_setup(searching_is_walking, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
