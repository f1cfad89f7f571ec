/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A printed policy is a policy: the same one. */
#include "policy.h"

#include <string.h>

#include "test_util.h"

#define CLEAN CLEANUP(policy_freep)

/* The policy's text. The caller frees it. */
static char *print(const struct policy *policy)
{
	struct buf text = {.cap = POLICY_FILE_MAX};

	policy_print(policy, &text);
	assert_int_equal(buf_finish(&text), 0);
	return text.data;
}

struct pair {
	const struct policy *a, *b;
	size_t count;
};

static int compare_class(const struct packet *packet, void *data)
{
	struct pair *pair = data;
	struct policy_verdict a = policy_evaluate(pair->a, packet);
	struct policy_verdict b = policy_evaluate(pair->b, packet);

	pair->count++;
	return a.action != b.action || a.proxy_port != b.proxy_port ||
	       (a.place.file == NULL) != (b.place.file == NULL) || a.reason != b.reason;
}

/* Printed and read again: the same text, the same verdict for every class, with the same words. */
static size_t check_identity(const struct policy *policy)
{
	AUTO_FREE char *first = print(policy), *second = NULL;
	CLEAN struct policy *again = test_parse(first);
	const struct policy *both[] = {policy, again};
	struct pair pair = {policy, again, 0};

	second = print(again);
	assert_string_equal(first, second);
	assert_int_equal(policy_each_class(both, 2, compare_class, &pair), 0);
	return pair.count;
}

static void shipped(void **state)
{
	AUTO_FREE char *text = test_default_text();
	CLEAN struct policy *policy = test_parse(text);

	check_identity(policy);
}

/* The form itself, once, for people to look at. */
static void form(void **state)
{
	static const char written[] =
	    "lethe-policy 1\n"
	    "link eapol for root\n"
	    "link arp for root, kernel\n"
	    "automap 127.128.0.0/9 to 9040 for amnesia # mapped\n"
	    "allow root to service c\n"
	    "service d udp 53 by debian-tor for amnesia\n"
	    "service c tcp 100-101 for nobody\n"
	    "service b tcp 99 for \\\n"
	    "  nobody\n"
	    "default drop\n"
	    "namespace n as clearnet\n"
	    "allow amnesia to loopback over tcp except 4 2 3\n"
	    "forbid clearnet, 77 to loopback\n"
	    "lan 10.0.0.0/8 closed except udp 53, icmp\n"
	    "allow root, nobody to x over icmp, tcp 80 22\n"
	    "allow root to x over tcp 443\n"
	    "allow root to 192.0.2.0/32 over tcp\n"
	    "allow root to 203.0.113.1 over udp 1\n"
	    "allow root to 203.0.113.1 over udp 3, icmp\n"
	    "network x = 192.0.2.0/25, 192.0.2.128/25, 10.0.0.0/8 except 10.0.0.0/9\n"
	    "ipv6 blocked\n";
	static const char printed[] = "lethe-policy 1\n"
				      "default drop\n"
				      "ipv6 blocked\n"
				      "\n"
				      "network x = 10.128.0.0/9, 192.0.2.0/24\n"
				      "\n"
				      "allow root to x over icmp, tcp 22 80\n"
				      "allow nobody to x over icmp, tcp 22 80\n"
				      "allow root to x over tcp 443\n"
				      "allow root to 192.0.2.0 over tcp\n"
				      "allow root to 203.0.113.1 over udp 1\n"
				      "allow root to 203.0.113.1 over udp 3, icmp\n"
				      "\n"
				      "forbid 77, clearnet to loopback\n"
				      "\n"
				      "lan 10.0.0.0/8 closed except udp 53, icmp\n"
				      "\n"
				      "service b tcp 99 for nobody\n"
				      "service c tcp 100-101 for root, nobody\n"
				      "service d udp 53 by debian-tor for amnesia\n"
				      "\n"
				      "allow amnesia to loopback over tcp except 2-4\n"
				      "\n"
				      "automap 127.128.0.0/9 to 9040 for amnesia\n"
				      "\n"
				      "namespace n as clearnet\n"
				      "\n"
				      "link arp for kernel, root\n"
				      "link eapol for root\n";
	CLEAN struct policy *policy = test_parse(written);
	AUTO_FREE char *text = print(policy);

	assert_string_equal(text, printed);
	check_identity(policy);
}

/* A policy that grants nothing. */
static void smallest(void **state)
{
	CLEAN struct policy *policy = test_parse(TEST_HEAD);
	AUTO_FREE char *text = print(policy);

	assert_string_equal(text, TEST_HEAD);
	check_identity(policy);
}

/* Lists of every kind that are too long for a line. */
static void long_lists(void **state)
{
	struct buf text = {.cap = 1 << 20};
	CLEAN struct policy *policy = NULL;
	AUTO_FREE char *printed = NULL;

	buf_puts(&text, "service aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa udp 1-65535 by 4294967294");
	for (unsigned i = 1000; i < 1100; i++)
		buf_printf(&text, ",\n%u", i);
	buf_puts(&text, " for 4294967294");
	for (unsigned i = 1000; i < 1100; i++)
		buf_printf(&text, ",\n%u", i);
	buf_puts(&text, "\nallow root to loopback over tcp except");
	for (unsigned i = 1; i < 400; i += 2)
		buf_printf(&text, " %u-%u \\\n", 10000 + i * 4, 10001 + i * 4);
	buf_puts(&text, "\nallow root to 10.0.0.0/8 over tcp");
	for (unsigned i = 1; i < 400; i += 2)
		buf_printf(&text, " %u \\\n", 20000 + i * 4);
	buf_puts(&text, ", icmp\nnetwork all = 0.0.0.0/0 except 255.255.255.255, 0.0.0.0\n");
	assert_int_equal(buf_finish(&text), 0);
	policy = test_parse_statements(buf_text(&text));
	printed = print(policy);
	for (const char *line = printed; *line; line += strcspn(line, "\n") + 1)
		assert_true(strcspn(line, "\n") <= 100);
	check_identity(policy);
	buf_done(&text);
}

/* Nothing is written beyond the cap, and that it did not fit is said. */
static void cap(void **state)
{
	AUTO_FREE char *text = test_default_text();
	CLEAN struct policy *policy = test_parse(text);
	struct buf small = {.cap = 100};

	policy_print(policy, &small);
	assert_int_equal(buf_finish(&small), -E2BIG);
	assert_true(small.len <= 100);
	buf_done(&small);
}

static void random_policies(void **state)
{
	struct test_random random = test_random_begin();
	size_t classes = 0, statements = 0;
	const unsigned policies = 60;

	for (unsigned i = 0; i < policies; i++) {
		struct test_statements drawn;
		CLEAN struct policy *policy = NULL;

		test_random_statements(&random, 24, &drawn);
		policy = test_statements_parse(&drawn);
		assert_non_null(policy);
		classes += check_identity(policy);
		statements += drawn.count;
	}
	print_message("# %u policies of %zu statements, %zu classes\n", policies, statements,
		      classes);
	assert_true(statements > 4 * policies);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(shipped),    cmocka_unit_test(form), cmocka_unit_test(smallest),
	    cmocka_unit_test(long_lists), cmocka_unit_test(cap),  cmocka_unit_test(random_policies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
