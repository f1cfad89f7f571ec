/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The compiler against the reference evaluator: for every class of packet, what the policy says is
 * what the compiled ruleset does. The anti-test breaks the ruleset and sees this found.
 */
#include "compile.h"

#include <linux/if_ether.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define PASSWD TEST_SOURCE_ROOT "/tests/support/passwd"
#define SHIPPED TEST_SOURCE_ROOT "/data/policy.conf"

struct check {
	const struct policy *policy;
	const struct ruleset *ruleset;
	size_t classes, mistakes;
	bool verbose;
};

static enum ruleset_outcome wanted_outcome(enum policy_action action)
{
	switch (action) {
	case POLICY_DROP:
		return RULESET_DROPPED;
	case POLICY_RESET:
		return RULESET_RESET;
	case POLICY_UNREACHABLE:
		return RULESET_UNREACHABLE;
	case POLICY_ACCEPT:
		return RULESET_PASSED;
	case POLICY_PROXY:
		return RULESET_PROXIED;
	}
	return RULESET_UNDECIDED;
}

static int visit(const struct packet *packet, void *data)
{
	struct check *check = data;
	struct policy_verdict verdict = policy_evaluate(check->policy, packet);
	struct ruleset_result result = ruleset_evaluate(check->ruleset, packet);
	AUTO_BUF struct buf text = { .cap = 1024 };

	check->classes++;
	if (result.outcome == wanted_outcome(verdict.action) &&
	    (result.outcome != RULESET_PROXIED || result.proxy_port == verdict.proxy_port))
		return 0;
	check->mistakes++;
	if (!check->verbose || check->mistakes > 10)
		return 0;
	packet_print(packet, &text);
	print_message("# %s: policy %u (%s, line %u), ruleset %u (chain %s, rule \"%s\", %s)\n",
		      buf_text(&text), verdict.action, verdict.reason, verdict.place.line,
		      result.outcome, result.chain ? result.chain->name : "-",
		      result.rule ? result.rule->comment : "policy",
		      result.reason ? result.reason : "");
	return 0;
}

static struct policy *load(const char *text)
{
	struct policy_options options = { .passwd = PASSWD };
	struct policy *policy = NULL;
	struct diag diag = { 0 };
	char message[2048];
	int r;

	if (text)
		r = policy_parse("test.conf", text, strlen(text), &options, &diag, &policy);
	else
		r = policy_load(SHIPPED, &options, &diag, &policy);
	if (r < 0) {
		diag_format(&diag, message, sizeof(message));
		fail_msg("%s", message);
	}
	return policy;
}

static size_t check_policy(const struct policy *policy, const struct ruleset *ruleset, bool verbose)
{
	struct check check = { .policy = policy, .ruleset = ruleset, .verbose = verbose };

	assert_int_equal(policy_each_class(&policy, 1, visit, &check), 0);
	assert_true(check.classes > 1000);
	if (verbose)
		print_message("# %zu classes\n", check.classes);
	return check.mistakes;
}

static void agrees(const char *text)
{
	CLEANUP(policy_freep) struct policy *policy = load(text);
	CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;

	assert_int_equal(compile_policy(policy, &ruleset), 0);
	assert_int_equal(check_policy(policy, ruleset, true), 0);
}

#define HEAD "lethe-policy 1\ndefault drop\nipv6 blocked\n"

static void test_shipped(void **state)
{
	agrees(NULL);
}

static void test_empty(void **state)
{
	agrees(HEAD);
}

static void test_strict(void **state)
{
	agrees(HEAD "network private = 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16\n"
		    "network internet = 0.0.0.0/0 except 0.0.0.0/8, private, 127.0.0.0/8, "
		    "224.0.0.0/4, 240.0.0.0/4\n"
		    "allow debian-tor to internet over tcp\n"
		    "lan private closed except tcp 53, udp 53\n"
		    "allow amnesia to 192.168.1.50 over tcp 631 9100, udp 161\n"
		    "allow root to private over icmp\n"
		    "service socks tcp 9050 for amnesia, _apt\n"
		    "service onion tcp 17600-17650 for amnesia, nobody\n"
		    "service next tcp 17651-17660 for nobody\n"
		    "service many udp 6000-6010 by root for amnesia\n"
		    "service dns udp 53 by root for amnesia\n");
}

static void test_links_and_automap(void **state)
{
	agrees(HEAD "link arp for root\nlink dhcp for root, clearnet\nlink eapol for root\n"
		    "automap 127.192.0.0/10 to 9040 for amnesia, nobody\n"
		    "allow amnesia to loopback over tcp except 1 9062 65535\n"
		    "allow nobody to loopback over tcp\n");
}

static void test_excepted_protocols(void **state)
{
	agrees(HEAD "network private = 192.168.0.0/16\n"
		    "lan private open except icmp, udp, tcp 1-1024 8080\n"
		    "allow clearnet to private over udp 53 5353-5355, icmp\n");
}

/* Addresses of every first octet, since the compiler asks by octets what the policy says by ranges
 * that may hold hundreds of them. */
static size_t check_octets(const struct policy *policy, const struct ruleset *ruleset)
{
	static const uint32_t rest[] = { 0, 0x000fffff, 0x00100000, 0x007fffff, 0x00800000, 0x00ffffff };
	struct check check = { .policy = policy, .ruleset = ruleset };

	for (uint32_t octet = 0; octet < 256; octet++) {
		for (size_t i = 0; i < ARRAY_SIZE(rest) * policy->user_count * 4; i++) {
			size_t at = i / ARRAY_SIZE(rest);
			struct packet packet = {
				.path = at & 1 ? PACKET_FRAME : PACKET_OUTPUT,
				.ethertype = ETH_P_IP,
				.owned = true,
				.routed = true,
				.uid = policy->users[at / 4].uid,
				.protocol = at & 2 ? IPPROTO_UDP : IPPROTO_TCP,
				.source = packet_address4(0xc0a80102),
				.destination = packet_address4(octet << 24 | rest[i % ARRAY_SIZE(rest)]),
				.source_port = 40000,
				.destination_port = 443,
				.tcp_flags = at & 2 ? 0 : PACKET_TCP_SYN,
			};

			assert_int_equal(visit(&packet, &check), 0);
			/* And what a closed socket still sends. */
			packet.owned = false;
			packet.tcp_flags = at & 2 ? 0 : PACKET_TCP_ACK;
			assert_int_equal(visit(&packet, &check), 0);
		}
	}
	return check.mistakes;
}

/* Every way to ask for a network: prefixes, octets, other octets, intervals, and what is left. */
static const char *const octet_policies[] = {
	NULL,
	HEAD "network most = 0.0.0.0/0 except 0.0.0.0/8, 127.0.0.0/8, 9.128.0.0/9, 10.0.0.0/9, 100.64.0.0/10, 203.0.113.0/24, "
	     "203.0.115.0/24, 224.0.0.0/3\n"
	     "allow clearnet to most over tcp, udp\n",
	HEAD "network some = 16.0.0.0/5, 32.0.0.0/6, 64.0.0.0/6, 68.0.0.0/7, 70.0.0.0/9, 71.128.0.0/9, "
	     "72.0.0.0/9, 80.0.0.0/10\nallow clearnet to some over tcp, udp\n",
	HEAD "network few = 64.0.0.0/3, 128.0.0.0/4, 200.0.0.0/8\nallow clearnet to few over tcp\n",
	HEAD "network bits = 1.0.0.0/12, 2.0.0.0/12, 3.0.0.0/12, 4.0.0.0/12, 5.0.0.0/9\n"
	     "allow clearnet to bits over udp\n",
	HEAD "network half = 128.0.0.0/2, 192.0.0.0/3\nallow clearnet to half over tcp, udp\n",
};

static void test_every_octet(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(octet_policies); i++) {
		CLEANUP(policy_freep) struct policy *policy = load(octet_policies[i]);
		CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;

		assert_int_equal(compile_policy(policy, &ruleset), 0);
		assert_int_equal(check_octets(policy, ruleset), 0);
	}
}

/* Each octet in a set, moved to its neighbour: one too few and one too many. */
static void test_a_wrong_octet_is_found(void **state)
{
	unsigned mutants = 0;

	for (size_t i = 0; i < 3; i++) {
		CLEANUP(policy_freep) struct policy *policy = load(octet_policies[i]);
		CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;

		assert_int_equal(compile_policy(policy, &ruleset), 0);
		for (size_t k = 0; k < ruleset->tables[0].set_count; k++) {
			struct ruleset_set *set = &ruleset->tables[0].sets[k];
			uint8_t *octet = set->elements ? set->elements[0].key.bytes : NULL;

			if (!strstr(set->name, "octets"))
				continue;
			mutants++;
			(*octet)++;
			assert_true(check_octets(policy, ruleset) > 0);
			(*octet)--;
		}
	}
	assert_true(mutants >= 5);
}

static void random_policy(unsigned *seed, struct buf *out)
{
	static const char *const users[] = { "root", "_apt", "nobody", "amnesia", "clearnet" };
	static const char *const nets[] = { "10.0.0.0/8", "192.168.7.0/24", "203.0.113.9",
					    "100.64.0.0/10", "128.0.0.0/2" };
	static const char *const traffic[] = { "tcp", "udp", "icmp", "tcp 80 443", "udp 53",
					       "tcp 1-9 100-200" };
	unsigned port = 1000;

	buf_puts(out, HEAD);
	buf_puts(out, rand_r(seed) % 2 ? "network lan = 10.1.0.0/16, 172.16.0.0/12\n"
				       : "network lan = 192.168.0.0/16\n");
	if (rand_r(seed) % 3)
		buf_printf(out, "lan lan %s except udp 53 137, tcp 53\n",
			   rand_r(seed) % 2 ? "open" : "closed");
	for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
		size_t net = (size_t)rand_r(seed) % ARRAY_SIZE(nets);
		size_t kind = (size_t)rand_r(seed) % ARRAY_SIZE(traffic);

		if (rand_r(seed) % 2)
			buf_printf(out, "allow %s to %s over %s\n", users[i], nets[net],
				   traffic[kind]);
		port += 1 + (unsigned)rand_r(seed) % 5;
		if (rand_r(seed) % 2)
			buf_printf(out, "service s%zu tcp %u-%u for %s\n", i, port,
				   port + (unsigned)rand_r(seed) % 3, users[i]);
		port += 3;
		if (rand_r(seed) % 3 == 0)
			buf_printf(out, "service u%zu udp %u by root for %s\n", i, port, users[i]);
		else if (rand_r(seed) % 4 == 0)
			buf_printf(out, "allow %s to loopback over tcp except %u\n", users[i],
				   40000 + (unsigned)rand_r(seed) % 9);
	}
	if (rand_r(seed) % 2)
		buf_puts(out, "automap 127.192.0.0/10 to 9040 for amnesia\n");
	if (rand_r(seed) % 2)
		buf_puts(out, "link arp for kernel\nlink dhcp for root\n");
}

/* Random policies, some of which the language refuses (redundant grants): those that it takes must
 * compile to what they mean. */
static void test_random(void **state)
{
	const char *given = getenv("LETHE_SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
	struct policy_options options = { .passwd = PASSWD };
	unsigned good = 0;

	print_message("# LETHE_SEED=%u\n", seed);
	for (int i = 0; i < 60; i++) {
		CLEANUP(policy_freep) struct policy *policy = NULL;
		CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;
		AUTO_BUF struct buf text = { .cap = 65536 };
		struct diag diag;

		random_policy(&seed, &text);
		if (policy_parse("random.conf", buf_text(&text), text.len, &options, &diag,
				 &policy) < 0)
			continue;
		good++;
		assert_int_equal(compile_policy(policy, &ruleset), 0);
		if (check_policy(policy, ruleset, false) != 0) {
			print_message("%s", buf_text(&text));
			check_policy(policy, ruleset, true);
			fail();
		}
	}
	print_message("# %u policies\n", good);
	assert_true(good > 10);
}

/* Let every base chain's policy accept. Returns how many there were that dropped. */
static unsigned open_policies(struct ruleset *ruleset)
{
	unsigned opened = 0;

	for (size_t t = 0; t < ruleset->table_count; t++) {
		for (size_t c = 0; c < ruleset->tables[t].chain_count; c++) {
			struct ruleset_chain *chain = &ruleset->tables[t].chains[c];

			if (!chain->base || chain->policy != RULESET_DROP)
				continue;
			chain->policy = RULESET_ACCEPT;
			opened++;
		}
	}
	return opened;
}

/* While the kernel replaces a ruleset there is a moment in which the new rules hold and their
 * chains' policies do not yet: so no verdict may rest on one. */
static void test_nothing_rests_on_a_policy(void **state)
{
	CLEANUP(policy_freep) struct policy *policy = load(NULL);
	CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;

	assert_int_equal(compile_policy(policy, &ruleset), 0);
	assert_int_equal(open_policies(ruleset), 4);
	assert_int_equal(check_policy(policy, ruleset, true), 0);
}

/* Open the end of each base chain, and what comes of it must be found by the comparison above. */
static void test_broken_rulesets_are_found(void **state)
{
	CLEANUP(policy_freep) struct policy *policy = load(NULL);
	unsigned mutants = 0;

	for (size_t t = 0; t < 2; t++) {
		for (size_t c = 0;; c++) {
			CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;
			struct ruleset_expression *last;
			struct ruleset_chain *chain;
			struct ruleset_rule *rule;

			assert_int_equal(compile_policy(policy, &ruleset), 0);
			if (c == ruleset->tables[t].chain_count)
				break;
			chain = &ruleset->tables[t].chains[c];
			if (!chain->base || chain->policy != RULESET_DROP)
				continue;
			rule = &chain->rules[chain->rule_count - 1];
			last = &rule->expressions[rule->count - 1];
			assert_int_equal(last->kind, RULESET_IMMEDIATE);
			last->immediate.verdict.code = RULESET_ACCEPT;
			mutants++;
			if (check_policy(policy, ruleset, false) == 0)
				fail_msg("not found: the open end of %s", chain->name);
		}
	}
	assert_int_equal(mutants, 4);
}

static void test_deterministic(void **state)
{
	CLEANUP(policy_freep) struct policy *policy = load(NULL);
	AUTO_BUF struct buf first = { .cap = 1u << 20 };
	AUTO_BUF struct buf second = { .cap = 1u << 20 };

	for (int i = 0; i < 2; i++) {
		CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;

		assert_int_equal(compile_policy(policy, &ruleset), 0);
		ruleset_print(ruleset, i ? &second : &first);
	}
	assert_true(first.len > 1000);
	assert_string_equal(buf_text(&first), buf_text(&second));
}

static int visit_seal(const struct packet *packet, void *data)
{
	struct ruleset_result result = ruleset_evaluate(data, packet);

	assert_int_equal(result.outcome, RULESET_DROPPED);
	return 0;
}

static void test_seal_drops_everything(void **state)
{
	CLEANUP(policy_freep) struct policy *policy = load(NULL);
	const struct policy *one[] = { policy };
	CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;

	assert_int_equal(compile_seal(&ruleset), 0);
	assert_int_equal(policy_each_class(one, 1, visit_seal, ruleset), 0);
	assert_int_equal(open_policies(ruleset), 4);
	assert_int_equal(policy_each_class(one, 1, visit_seal, ruleset), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shipped),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_strict),
		cmocka_unit_test(test_links_and_automap),
		cmocka_unit_test(test_excepted_protocols),
		cmocka_unit_test(test_every_octet),
		cmocka_unit_test(test_a_wrong_octet_is_found),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_nothing_rests_on_a_policy),
		cmocka_unit_test(test_broken_rulesets_are_found),
		cmocka_unit_test(test_deterministic),
		cmocka_unit_test(test_seal_drops_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
