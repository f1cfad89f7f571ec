/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The second algorithm: kinds of numbers against all numbers, and its answers against packets that
 * were chosen in another way (policy_each_class(), and at random).
 */
#include <string.h>

#include <linux/if_ether.h>
#include <netinet/in.h>

#include <policy/test_util.h>
#include <wall/compile.h>

#include "brute-internal.h"
#include "copy.h"
#include "mutate.h"
#include "random.h"

#define FEW                                                                                        \
	"link dhcp for root\n"                                                                     \
	"network n = 198.51.100.0/24\n"                                                            \
	"allow debian-tor to n over tcp 443\n"                                                     \
	"network home = 192.168.1.0/24\n"                                                          \
	"lan home open except udp 53\n"                                                            \
	"service socks tcp 9050 for root\n"                                                        \
	"automap 127.192.0.0/10 to 9040 for amnesia\n"

/* ---- kinds ---- */

static bool holds(const struct brute_question *q, size_t len, const uint8_t *value)
{
	uint8_t made[BRUTE_BYTES_MAX] = {0};

	for (size_t i = 0; i < len; i++)
		made[i] = (uint8_t)((value[i] & q->mask[i]) ^ q->xor [i]);
	return memcmp(made, q->low, len) >= 0 && memcmp(made, q->high, len) <= 0;
}

static uint32_t answers(const struct brute_questions *questions, size_t len, const uint8_t *value)
{
	uint32_t all = 0;

	for (size_t i = 0; i < questions->count; i++)
		all |= (uint32_t)holds(&questions->questions[i], len, value) << i;
	return all;
}

static void random_question(struct test_random *random, size_t len, struct brute_question *q)
{
	memset(q, 0, sizeof(*q));
	for (size_t i = 0; i < len; i++) {
		q->mask[i] =
		    test_random_below(random, 2) ? 0xff : (uint8_t)test_random_below(random, 256);
		q->xor [i] =
		    test_random_below(random, 4) ? 0 : (uint8_t)test_random_below(random, 256);
		q->low[i] = (uint8_t)test_random_below(random, 256);
		q->high[i] = (uint8_t)test_random_below(random, 256);
	}
	if (test_random_below(random, 2))
		memcpy(q->high, q->low, sizeof(q->high));
}

/* Of all 65536 numbers, no kind is missing, and none comes twice. */
static void every_kind_of_number_is_found_once(void **state)
{
	struct test_random random = test_random_begin();

	for (int round = 0; round < 200; round++) {
		struct brute_question list[6];
		const struct brute_questions questions = {.questions = list,
							  .count = test_random_below(&random, 7)};
		static uint8_t seen[64]; /* by answers to at most 6 questions */
		struct brute_values values;
		size_t kinds = 0;

		memset(seen, 0, sizeof(seen));
		for (size_t i = 0; i < questions.count; i++)
			random_question(&random, 2, &list[i]);
		assert_int_equal(brute_cells(&questions, 2, 1, &values), 0);
		for (size_t i = 0; i < values.count; i++) {
			uint32_t kind = answers(&questions, 2, values.values[i]);

			assert_int_equal(seen[kind], 0);
			seen[kind] = 1;
		}
		for (unsigned number = 0; number < 65536; number++) {
			const uint8_t value[] = {(uint8_t)(number >> 8), (uint8_t)number};
			uint32_t kind = answers(&questions, 2, value);

			assert_true(seen[kind] != 0);
			kinds += seen[kind] == 1;
			seen[kind] = 2;
		}
		assert_int_equal(kinds, values.count);
		brute_values_done(&values);
	}
}

/* ---- answers ---- */

static struct brute_result tried(const struct policy *policy, const struct ruleset *ruleset)
{
	struct brute_result result;

	assert_int_equal(brute_compare(policy, ruleset, 0, &result), 0);
	return result;
}

static void what_is_compiled_is_equal(void **state)
{
	AUTO_FREE char *shipped = test_default_text();
	const char *const texts[] = {shipped, TEST_HEAD, TEST_HEAD FEW};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		CLEANUP(policy_freep) struct policy *policy = test_parse(texts[i]);
		CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;
		struct brute_result result;

		assert_int_equal(compile_policy(policy, &ruleset), 0);
		result = tried(policy, ruleset);
		assert_int_equal(result.answer, BRUTE_EQUAL);
		print_message("# %zu packets\n", result.packets);
	}
}

struct walk {
	const struct policy *policy;
	const struct ruleset *ruleset;
	struct brute_expected expected;
	bool differs, undecided;
};

static int look(const struct packet *packet, void *data)
{
	struct walk *walk = data;
	struct policy_verdict policy = policy_evaluate(walk->policy, packet);
	struct ruleset_result kernel = ruleset_evaluate(walk->ruleset, packet);

	if (packet->expected && !brute_may_be_expected(&walk->expected, packet))
		return 0;
	if (kernel.outcome == RULESET_UNDECIDED)
		walk->undecided = true;
	else if (!brute_agrees(packet, &policy, &kernel))
		walk->differs = true;
	return walk->differs;
}

/* What another choice of packets finds, this one must find. Both fields are of one answer. */
static void check_against_classes(const struct policy *policy, const struct ruleset *ruleset,
				  const char *text, size_t counts[static 3])
{
	struct walk walk = {.policy = policy, .ruleset = ruleset};
	struct brute_result result = tried(policy, ruleset);

	assert_int_equal(brute_expected_of(policy, &walk.expected), 0);
	assert_true(policy_each_class(&policy, 1, look, &walk) >= 0);
	if (walk.differs && result.answer != BRUTE_DIFFER)
		fail_msg("a difference was not found: %s", text);
	if (walk.undecided && result.answer == BRUTE_EQUAL)
		fail_msg("a doubt was not found: %s", text);
	/* And what it finds is one. */
	if (result.answer == BRUTE_DIFFER) {
		walk.differs = false;
		assert_int_equal(look(&result.packet, &walk), 1);
	}
	counts[result.answer]++;
}

struct sample {
	const struct policy *policy;
	size_t counts[3], step;
};

static int check_mutant(const struct mutant *mutant, void *data)
{
	struct sample *sample = data;

	if (mutant->number % sample->step == 0)
		check_against_classes(sample->policy, mutant->ruleset, mutant->text,
				      sample->counts);
	return 0;
}

/* The anti-test of "equal" is most of these: planted faults that are found. */
static void faults_are_found(void **state)
{
	CLEANUP(policy_freep) struct policy *policy = test_parse_statements(FEW);
	CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;
	struct sample sample = {.policy = policy, .step = 41};

	assert_int_equal(compile_policy(policy, &ruleset), 0);
	assert_int_equal(mutate_each(ruleset, check_mutant, &sample), 0);
	print_message("# of the mutants that were tried %zu differ, %zu are equal, %zu undecided\n",
		      sample.counts[BRUTE_DIFFER], sample.counts[BRUTE_EQUAL],
		      sample.counts[BRUTE_UNDECIDED]);
	assert_true(sample.counts[BRUTE_DIFFER] > 20 && sample.counts[BRUTE_EQUAL] > 0);
}

static uint16_t some_port(struct random_numbers *random)
{
	static const uint16_t ports[] = {0, 53, 67, 68, 443, 444, 9040, 9050, 9050, 65535};

	return ports[random_below(random, ARRAY_SIZE(ports))];
}

static uint32_t some_address(struct random_numbers *random)
{
	static const uint32_t addresses[] = {
	    0x0a000000, 0x7f000001, 0x7fc00001, 0xc0a80102, 0xc6336450,
	    0xc6336500, 0xffffffff, 0x00000001, 0xc0a80103, 0x0a000003,
	};

	return addresses[random_below(random, ARRAY_SIZE(addresses))] ^
	       (random_below(random, 3) ? 0 : 1u << random_below(random, 32));
}

/* One of those that brute.c says there are. */
static struct packet some_packet(struct random_numbers *random)
{
	static const uint8_t protocols[] = {1, 6, 6, 6, 17, 17, 58, 132, 44, 47};
	static const uint32_t uids[] = {0, 42, 64000, 64001, 65534, 7};
	struct packet packet = {.path = (enum packet_path)(1 + random_below(random, 4))};
	bool out = packet.path == PACKET_OUTPUT || packet.path == PACKET_FRAME;
	bool in = packet.path == PACKET_INPUT;

	packet.loopback = packet.path != PACKET_FORWARD && random_below(random, 2);
	packet.ethertype = random_below(random, 4) ? ETH_P_IP : ETH_P_IPV6;
	packet.owned = out && random_below(random, 3);
	packet.uid = packet.owned ? uids[random_below(random, ARRAY_SIZE(uids))] : 0;
	packet.routed = packet.path == PACKET_OUTPUT ||
			(packet.path == PACKET_FRAME && random_below(random, 2));
	packet.protocol = protocols[random_below(random, ARRAY_SIZE(protocols))];
	packet.options = random_below(random, 8) ? 0 : 1;
	packet.fragment = !in && !packet.options && random_below(random, 8) == 0;
	packet.source = packet_address4(some_address(random));
	packet.destination = packet_address4(some_address(random));
	packet.socket = in ? (enum packet_socket)random_below(random, 4) : PACKET_SOCKET_NONE;
	if (packet.fragment)
		return packet;
	if (packet_has_ports(packet.protocol)) {
		packet.source_port = some_port(random);
		packet.destination_port = some_port(random);
	}
	if (packet.protocol == IPPROTO_TCP)
		packet.tcp_flags = (uint8_t)random_below(random, 32);
	if (packet.protocol == IPPROTO_ICMP || packet.protocol == IPPROTO_ICMPV6)
		packet.icmp_type = (uint8_t)random_below(random, 256);
	packet.expected = in && packet.protocol == IPPROTO_UDP && random_below(random, 2);
	return packet;
}

/* Beside a random table: where trying finds nothing, chance finds nothing either. */
static void chance_finds_no_more(void **state)
{
	struct test_random seed = test_random_begin();
	struct random_numbers random = {seed.state};
	CLEANUP(policy_freep) struct policy *policy = test_parse_statements(FEW);
	size_t counts[3] = {0};

	for (int round = 0; round < 60; round++) {
		CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;
		struct walk walk;

		assert_int_equal(compile_policy(policy, &ruleset), 0);
		assert_int_equal(random_add_table(&random, ruleset), 0);
		check_against_classes(policy, ruleset, "a random table", counts);
		if (tried(policy, ruleset).answer == BRUTE_DIFFER)
			continue;
		walk = (struct walk){.policy = policy, .ruleset = ruleset};
		assert_int_equal(brute_expected_of(policy, &walk.expected), 0);
		for (int i = 0; i < 3000; i++) {
			const struct packet packet = some_packet(&random);

			assert_int_equal(look(&packet, &walk), 0);
		}
		if (walk.undecided)
			assert_int_equal(tried(policy, ruleset).answer, BRUTE_UNDECIDED);
	}
	print_message("# %zu differ, %zu are equal, %zu undecided\n", counts[BRUTE_DIFFER],
		      counts[BRUTE_EQUAL], counts[BRUTE_UNDECIDED]);
}

static void too_many_packets_are_no_answer(void **state)
{
	CLEANUP(policy_freep) struct policy *policy = test_parse_statements("");
	CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;
	struct brute_result result;

	assert_int_equal(compile_policy(policy, &ruleset), 0);
	assert_int_equal(brute_compare(policy, ruleset, 10, &result), 0);
	assert_int_equal(result.answer, BRUTE_UNDECIDED);
	assert_string_equal(result.reason, "too many packets");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_kind_of_number_is_found_once),
	    cmocka_unit_test(what_is_compiled_is_equal),
	    cmocka_unit_test(faults_are_found),
	    cmocka_unit_test(chance_finds_no_more),
	    cmocka_unit_test(too_many_packets_are_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
