/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The claims, held against what the compiler makes of whole policies: of the shipped one every
 * sentence is proved; of one that is wrong in one way, the sentences that speak of it are refuted
 * and no others, each with a packet that the wrong policy does treat so.
 */
#include <proof/proof.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <wall/compile.h>

#define PASSWD  TEST_SOURCE_ROOT "/tests/support/passwd"
#define SHIPPED TEST_SOURCE_ROOT "/data/policy.conf"

#define SENTENCES 45

#define TOR          64000
#define AMNESIA      64001
#define CLEARNET     64002
#define CLEARNET_NET 64003
#define BRIDGES_NET  64007
#define FRONTS_NET   64008

static uint32_t root[] = {0};
static const struct proof_people people = {
    .tor = {true, TOR},
    .bridges_net = {true, BRIDGES_NET},
    .fronts_net = {true, FRONTS_NET},
    .clearnet = {true, CLEARNET},
    .clearnet_net = {true, CLEARNET_NET},
    .amnesia = {true, AMNESIA},
    .arp = {root, 1},
    .dhcp = {root, 1},
    .eapol = {root, 1},
};

static bool passes(enum policy_action action)
{
	return action == POLICY_ACCEPT || action == POLICY_PROXY;
}

/* A violated safety is a packet that passes; of a use that is refused, one that does not. */
static void example_is_true(const struct policy *policy, const struct proof_claim *claim)
{
	const struct proof_example *example = &claim->result.example;
	struct policy_verdict verdict;

	if (example->packet.path == 0)
		return;
	verdict = policy_evaluate(policy, &example->packet);
	if (claim->result.fault == PROOF_PROXIES)
		return;
	assert_int_equal(passes(verdict.action), claim->kind == PROOF_SAFETY);
}

struct seen {
	const struct policy *policy;
	struct buf refuted; /* "F1.1 F4.3" */
	size_t sentences;
	bool all;    /* tell of what is proved, too */
	bool broken; /* the ruleset is not the policy's */
	struct timespec last;
};

static void tell(const struct proof_claim *claim, struct seen *seen)
{
	AUTO_BUF struct buf text = {.cap = 4096};
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (claim->result.example.packet.path)
		packet_print(&claim->result.example.packet, &text);
	print_message("# %s %s %ld ms %s%s %s %s\n", claim->id,
		      claim->result.answer == PROOF_PROVED    ? "proved"
		      : claim->result.answer == PROOF_REFUTED ? "refuted"
							      : "unknown",
		      (now.tv_sec - seen->last.tv_sec) * 1000 +
			  (now.tv_nsec - seen->last.tv_nsec) / 1000000,
		      buf_text(&claim->result.reason), buf_text(&text),
		      claim->result.example.device, buf_text(&claim->result.example.circumstances));
	seen->last = now;
}

static int visit(const struct proof_claim *claim, void *data)
{
	struct seen *seen = data;

	seen->sentences++;
	if (seen->all || claim->result.answer != PROOF_PROVED)
		tell(claim, seen);
	assert_int_not_equal(claim->result.answer, PROOF_UNKNOWN);
	assert_true(claim->statement[strlen(claim->statement) - 1] == '.');
	if (claim->result.answer == PROOF_PROVED) {
		assert_true(claim->result.future_devices);
		return 0;
	}
	if (!seen->broken)
		example_is_true(seen->policy, claim);
	buf_printf(&seen->refuted, "%s%s", seen->refuted.len ? " " : "", claim->id);
	return 0;
}

static struct policy *load(const char *text)
{
	struct policy_options options = {.passwd = PASSWD};
	struct policy *policy = NULL;
	struct diag diag = {0};
	char message[2048];

	if (policy_parse("test.conf", text, strlen(text), &options, &diag, &policy) < 0) {
		diag_format(&diag, message, sizeof(message));
		fail_msg("%s", message);
	}
	return policy;
}

/* The shipped policy, with the line that holds @old replaced by @line, or without it (NULL), and
 * with @more at its end. Drop-ins are left out. */
static void shipped_with(const char *old, const char *line, const char *more, struct buf *out)
{
	AUTO_FILE FILE *file = fopen(SHIPPED, "re");
	char text[2048];
	bool found = old == NULL, cut = false;

	assert_non_null(file);
	while (fgets(text, sizeof(text), file)) {
		if (strncmp(text, "include ", 8) == 0)
			continue;
		cut = old && text[0] != '#' && strstr(text, old);
		found |= cut;
		buf_puts(out, cut ? (line ? line : "\n") : text);
	}
	buf_puts(out, more ? more : "");
	assert_true(found);
	assert_int_equal(buf_finish(out), 0);
}

static void tell_refuted(const struct seen *seen, const char *wanted)
{
	assert_int_equal(seen->sentences, SENTENCES);
	assert_string_equal(buf_text(&seen->refuted), wanted);
}

static void check(const char *old, const char *line, const char *more, const char *wanted)
{
	AUTO_BUF struct buf text = {.cap = 1 << 20};
	CLEANUP(policy_freep) struct policy *policy = NULL;
	CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;
	struct proof_options options = {0};
	struct seen seen = {.refuted = {.cap = 4096}, .all = !old && !more};

	shipped_with(old, line, more, &text);
	policy = load(buf_text(&text));
	assert_int_equal(compile_policy(policy, &ruleset), 0);
	seen.policy = policy;
	clock_gettime(CLOCK_MONOTONIC, &seen.last);
	assert_int_equal(proof_claims(ruleset, &people, &options, visit, &seen), 0);
	tell_refuted(&seen, wanted);
	buf_done(&seen.refuted);
}

static void test_shipped(void **state)
{
	check(NULL, NULL, NULL, "");
}

/* Grants that the specification does not know. */
static void test_wrong_grants(void **state)
{
	check(NULL, NULL, "allow amnesia to internet over tcp\n", "F1.1 F4.3");
	check(NULL, NULL, "allow nobody to 203.0.113.9 over tcp 443\n", "F1.1");
	check(NULL, NULL, "allow root to internet over icmp\n", "F1.1 F8.2");
	check(NULL, NULL, "allow debian-tor to internet over udp\n", "F2.1 F8.2");
	check(NULL, NULL, "allow bridges-net to internet over udp\n", "F2.3 F8.2");
	check(NULL, NULL, "allow bridges-net to private over udp 53\n", "F5.1");
	check(NULL, NULL, "allow amnesia to 192.168.1.1 over udp 53\n", "F5.1");
	check(NULL, NULL, "allow debian-tor to private over tcp 853\n", "F5.1");
	check("link dhcp", "link dhcp for root, amnesia\n", NULL, "F1.1 F1.3 F4.3 F8.2");
	check("link arp", "link arp for kernel, root, nobody\n", NULL, "F1.5");
	check("link eapol", "link eapol for root, amnesia\n", NULL, "F1.5");
}

static void test_wrong_lan(void **state)
{
	check("lan private", "lan private open\n", NULL, "F5.1");
	check("lan private", "lan private open except udp 53 137 853 1900 5351 5353 5355\n", NULL,
	      "F5.1");
	check("lan private",
	      "lan private open except tcp 53 137 853 1900 5351 5353 5355, "
	      "udp 53 137 853 1900 5351 5353\n",
	      NULL, "F5.1");
	check("lan private",
	      "network wide = private, 100.64.0.0/10\nlan wide open except tcp 53 137 853 "
	      "1900 5351 5353 5355, udp 53 137 853 1900 5351 5353 5355\n",
	      NULL, "F1.1 F2.1 F2.3 F4.3 F8.2");
	check("allow debian-tor", "allow debian-tor to anywhere over tcp\n", NULL, "F5.1");
}

static void test_wrong_loopback(void **state)
{
	check("forbid clearnet to", NULL, "allow clearnet to service socks\n", "F3.1");
	check("forbid clearnet-net to", NULL, "allow clearnet-net to service dns\n", "F4.1");
	check("forbid fronts-net to", NULL, "allow fronts-net to service socks\n", "F2.4");
	check("forbid clearnet to", NULL, "allow clearnet to loopback over tcp except 9040\n",
	      "F3.1 F6.3");
	check(NULL, NULL, "allow lethe-transport to loopback over tcp except 9040\n", "F6.3");
	check(NULL, NULL, "allow lethe-transport to loopback over tcp\n", "F6.3 F7.2");
	check(NULL, NULL, "service many udp 4096-8191 by root for amnesia\n", "F6.3");
	check("automap", "automap 127.192.0.0/10 to 9040 for amnesia, nobody\n", NULL, "F7.1");
	check(NULL, NULL, "service trans tcp 9040 for _apt\n", "F7.2");
}

/* Nothing is unsafe about policies that grant less. */
static void test_stricter(void **state)
{
	check("lan private", "lan private closed\n", NULL, "F5.2");
	check("allow amnesia to loopback", NULL, NULL, "F6.6");
	check("automap", NULL, NULL, "F7.4");
	check("automap", "automap 127.192.0.0/11 to 9040 for amnesia\n", NULL, "F7.4");
	check("allow debian-tor", NULL, NULL, "F2.2");
	check("allow debian-tor", "allow debian-tor to internet over tcp 443 9001\n", NULL, "F2.2");
	check("allow bridges-net", NULL, NULL, "F2.5");
	check("allow fronts-net", "allow fronts-net to anywhere over tcp\n", NULL, "F2.6");
	check("allow clearnet to", "allow clearnet to anywhere over tcp\n", NULL, "F3.2");
	check("allow clearnet-net to", NULL, NULL, "F4.2");
	check("link arp", NULL, NULL, "F1.14");
	check("link dhcp", NULL, NULL, "F1.14");
}

/* ---- The shipped policy, and rules that are not what it says. ---- */

static struct ruleset_chain *chain_of(struct ruleset *ruleset, enum ruleset_family family,
				      const char *name)
{
	struct ruleset_table *table = (struct ruleset_table *)(uintptr_t)ruleset_find_table(
	    ruleset, family, NF_TABLE);

	for (size_t i = 0; i < table->chain_count; i++)
		if (strcmp(table->chains[i].name, name) == 0)
			return &table->chains[i];
	fail_msg("no chain %s", name);
	return NULL;
}

/* What the chain's last rule drops passes. */
static void open_end(struct ruleset_chain *chain)
{
	struct ruleset_rule *last = &chain->rules[chain->rule_count - 1];
	struct ruleset_verdict *verdict = &last->expressions[last->count - 1].immediate.verdict;

	assert_int_equal(verdict->code, RULESET_DROP);
	verdict->code = RULESET_ACCEPT;
}

static void opened_forward(struct ruleset *ruleset)
{
	open_end(chain_of(ruleset, RULESET_INET, "forward"));
}

static void opened_input(struct ruleset *ruleset)
{
	open_end(chain_of(ruleset, RULESET_INET, "input"));
}

static void opened_egress(struct ruleset *ruleset)
{
	open_end(chain_of(ruleset, RULESET_NETDEV, NF_EGRESS));
}

/* Without the chain's rule @index from its end. */
static void without(struct ruleset_chain *chain, size_t index)
{
	size_t at = chain->rule_count - 1 - index;

	free(chain->rules[at].expressions);
	memmove(&chain->rules[at], &chain->rules[at + 1], index * sizeof(*chain->rules));
	chain->rule_count--;
}

static void silent(struct ruleset *ruleset)
{
	struct ruleset_chain *chain = chain_of(ruleset, RULESET_INET, "refuse");

	/* The first only tells. */
	without(chain, chain->rule_count - 2);
}

static void no_proxy(struct ruleset *ruleset)
{
	without(chain_of(ruleset, RULESET_INET, "prerouting"), 0);
}

/* What is written down as asked is not sent any more. */
static void forgetful(struct ruleset *ruleset)
{
	struct ruleset_chain *chain = chain_of(ruleset, RULESET_INET, "lan");

	for (size_t i = 0; i < chain->rule_count; i++) {
		struct ruleset_rule *rule = &chain->rules[i];
		struct ruleset_expression *last = &rule->expressions[rule->count - 1];

		if (last->kind == RULESET_IMMEDIATE &&
		    last->immediate.verdict.code == RULESET_ACCEPT)
			last->immediate.verdict.code = RULESET_DROP;
	}
}

static void breaks(void (*change)(struct ruleset *), const char *wanted)
{
	AUTO_BUF struct buf text = {.cap = 1 << 20};
	CLEANUP(policy_freep) struct policy *policy = NULL;
	CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;
	struct proof_options options = {0};
	struct seen seen = {.refuted = {.cap = 4096}, .broken = true};

	shipped_with(NULL, NULL, NULL, &text);
	policy = load(buf_text(&text));
	assert_int_equal(compile_policy(policy, &ruleset), 0);
	change(ruleset);
	clock_gettime(CLOCK_MONOTONIC, &seen.last);
	assert_int_equal(proof_claims(ruleset, &people, &options, visit, &seen), 0);
	tell_refuted(&seen, wanted);
	buf_done(&seen.refuted);
}

static void test_broken_rules(void **state)
{
	breaks(opened_forward, "F1.8 F8.1");
	breaks(opened_input, "F1.9 F8.1 F9.2");
	/* Mislabelled frames are judged by their label there, whatever they are. */
	breaks(opened_egress, "F1.1 F1.2 F1.3 F1.4 F1.5 F1.6 F2.1 F2.3 F4.3 F5.1 F8.1 F8.2 F8.3");
	breaks(silent, "F9.4");
	/* Output still refuses these addresses to others, for a reason that is gone. */
	breaks(no_proxy, "F6.5 F7.4");
	breaks(forgetful, "F1.10 F5.2 F9.4");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_shipped),   cmocka_unit_test(test_wrong_grants),
	    cmocka_unit_test(test_wrong_lan), cmocka_unit_test(test_wrong_loopback),
	    cmocka_unit_test(test_stricter),
	    cmocka_unit_test(test_broken_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
