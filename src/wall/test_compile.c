/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The compiler against the reference evaluator: for every class of packet, what the policy says is
 * what the compiled ruleset does. The anti-test breaks the ruleset and sees this found.
 */
#include "compile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <nf/log.h>

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
	agrees(HEAD "network private = 192.168.0.0/16\n"
		    "lan private open except udp 1-65535, tcp 1-79 81 82-65535\n"
		    "allow amnesia to loopback over tcp except 1-79 81-65535\n"
		    "allow clearnet to private over udp 5353-5355\n");
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

static int visit_denied(const struct packet *packet, void *data)
{
	struct check *check = data;
	struct policy_verdict verdict = policy_evaluate(check->policy, packet);
	struct ruleset_result result = ruleset_evaluate(check->ruleset, packet);

	if (!policy_allows(&verdict) && result.outcome != RULESET_DROPPED &&
	    result.outcome != RULESET_RESET && result.outcome != RULESET_UNREACHABLE)
		check->mistakes++;
	return 0;
}

/* How many classes of packets pass that the policy denies. */
static size_t check_denied(const struct policy *policy, const struct ruleset *ruleset)
{
	struct check check = { .policy = policy, .ruleset = ruleset };

	assert_int_equal(policy_each_class(&policy, 1, visit_denied, &check), 0);
	return check.mistakes;
}

/* In that moment, too, a look-up in a set of intervals may find nothing: so nothing may be accepted
 * because of that. Each of them empty, and all at once. */
static void test_nothing_rests_on_a_missing_element(void **state)
{
	CLEANUP(policy_freep) struct policy *policy = load(NULL);
	CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;
	unsigned sets = 0;

	assert_int_equal(compile_policy(policy, &ruleset), 0);
	for (size_t t = 0; t < ruleset->table_count; t++) {
		for (size_t i = 0; i < ruleset->tables[t].set_count; i++) {
			struct ruleset_set *set = &ruleset->tables[t].sets[i];
			size_t count = set->element_count;

			if (!set->interval || count == 0)
				continue;
			sets++;
			set->element_count = 0;
			if (check_denied(policy, ruleset) != 0)
				fail_msg("something passes while %s is empty", set->name);
			set->element_count = count;
		}
	}
	assert_true(sets >= 8);
	for (size_t t = 0; t < ruleset->table_count; t++)
		for (size_t i = 0; i < ruleset->tables[t].set_count; i++)
			if (ruleset->tables[t].sets[i].interval)
				ruleset->tables[t].sets[i].element_count = 0;
	assert_int_equal(check_denied(policy, ruleset), 0);
}

/* A rule that drops what is found, before one that accepts the rest, is what must be noticed. */
static void test_what_rests_on_an_element_is_found(void **state)
{
	CLEANUP(policy_freep) struct policy *policy = load(NULL);
	CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;
	unsigned inverted = 0;

	assert_int_equal(compile_policy(policy, &ruleset), 0);
	for (size_t c = 0; c < ruleset->tables[0].chain_count; c++) {
		struct ruleset_chain *chain = &ruleset->tables[0].chains[c];

		for (size_t i = 0; strcmp(chain->name, "lan") == 0 && i < chain->rule_count; i++) {
			for (size_t k = 0; k < chain->rules[i].count; k++) {
				struct ruleset_expression *e = &chain->rules[i].expressions[k];

				if (e->kind != RULESET_LOOKUP)
					continue;
				e->lookup.inverted = true;
				inverted++;
			}
		}
	}
	assert_true(inverted > 0);
	for (size_t i = 0; i < ruleset->tables[0].set_count; i++)
		if (strncmp(ruleset->tables[0].sets[i].name, "lan_", 4) == 0)
			ruleset->tables[0].sets[i].element_count = 0;
	assert_true(check_denied(policy, ruleset) > 0);
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

/* Make what tells of a packet let it pass; or leave the first of these out. Returns how many. */
static unsigned pass_what_is_told(struct ruleset *ruleset, bool leave_out)
{
	unsigned changed = 0;

	for (size_t t = 0; t < ruleset->table_count; t++) {
		for (size_t c = 0; c < ruleset->tables[t].chain_count; c++) {
			struct ruleset_chain *chain = &ruleset->tables[t].chains[c];

			for (size_t i = 0; i < chain->rule_count; i++) {
				for (size_t k = 0; k < chain->rules[i].count; k++) {
					struct ruleset_expression *e =
						&chain->rules[i].expressions[k];

					if (e->kind != RULESET_NO_EFFECT ||
					    (changed++ == 0 && leave_out))
						continue;
					assert_int_equal(e->no_effect.group, NF_LOG_GROUP);
					*e = (struct ruleset_expression){
						.kind = RULESET_IMMEDIATE,
						.immediate.verdict.code = RULESET_ACCEPT
					};
				}
			}
		}
	}
	return changed;
}

static bool leaves(const struct packet *packet)
{
	return packet->path == PACKET_OUTPUT || packet->path == PACKET_FRAME;
}

/* If telling were accepting, just what leaves would pass, and of the rest nothing new. */
static int visit_told(const struct packet *packet, void *data)
{
	struct check *check = data;
	struct policy_verdict verdict = policy_evaluate(check->policy, packet);
	struct ruleset_result result = ruleset_evaluate(check->ruleset, packet);
	bool passes = result.outcome == RULESET_PASSED || result.outcome == RULESET_PROXIED;

	check->classes++;
	if (passes != (leaves(packet) || policy_allows(&verdict)))
		check->mistakes++;
	return 0;
}

static size_t count_untold(const char *text, bool leave_out)
{
	CLEANUP(policy_freep) struct policy *policy = load(text);
	CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;
	const struct policy *one[] = { policy };
	struct check check = { .policy = policy };

	assert_int_equal(compile_policy(policy, &ruleset), 0);
	assert_true(pass_what_is_told(ruleset, leave_out) >= 8);
	check.ruleset = ruleset;
	assert_int_equal(policy_each_class(one, 1, visit_told, &check), 0);
	assert_true(check.classes > 1000);
	return check.mistakes;
}

static void test_each_refusal_is_told(void **state)
{
	assert_int_equal(count_untold(NULL, false), 0);
	assert_int_equal(count_untold(HEAD "link arp for root, kernel\nlink eapol for root\n"
					   "automap 127.192.0.0/10 to 9040 for amnesia\n",
				      false),
			 0);
}

static void test_a_refusal_untold_is_found(void **state)
{
	assert_true(count_untold(NULL, true) > 0);
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
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_nothing_rests_on_a_policy),
		cmocka_unit_test(test_nothing_rests_on_a_missing_element),
		cmocka_unit_test(test_what_rests_on_an_element_is_found),
		cmocka_unit_test(test_broken_rulesets_are_found),
		cmocka_unit_test(test_each_refusal_is_told),
		cmocka_unit_test(test_a_refusal_untold_is_found),
		cmocka_unit_test(test_deterministic),
		cmocka_unit_test(test_seal_drops_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
