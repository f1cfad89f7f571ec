/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The words of `explain`, and its answers for each line of the specification: who, where to, what
 * comes out, and the words of the statement that says so.
 */
#include "explain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define PASSWD	TEST_SOURCE_ROOT "/tests/support/passwd"
#define SHIPPED TEST_SOURCE_ROOT "/data/policy.conf"

static bool own_127_and_lan(const struct packet_address *address, bool ipv6, void *data)
{
	static const uint8_t own[] = { 192, 168, 1, 2 };

	if (ipv6)
		return address->bytes[0] == 0 && address->bytes[15] == 1;
	return address->bytes[0] == 127 || memcmp(address->bytes, own, 4) == 0;
}

static struct policy *load(void)
{
	struct policy_options options = { .passwd = PASSWD };
	struct policy *policy = NULL;
	struct diag diag = { 0 };

	if (policy_load(SHIPPED, &options, &diag, &policy) < 0)
		fail_msg("%s", diag.message);
	return policy;
}

/* The text of a line of the shipped policy. */
static void line_text(unsigned line, char *text, size_t size)
{
	AUTO_FILE FILE *file = fopen(SHIPPED, "r");

	assert_non_null(file);
	for (unsigned i = 0; i < line; i++)
		assert_non_null(fgets(text, (int)size, file));
}

struct specification {
	const char *user, *destination, *protocol;
	bool allowed;
	const char *statement; /* how the deciding statement begins */
};

static const struct specification lines[] = {
	/* "The default case is to block all outbound network traffic" */
	{ "amnesia", "203.0.113.5:443", NULL, false, "default drop" },
	{ "root", "203.0.113.5:443", NULL, false, "default drop" },
	{ "nobody", "203.0.113.5:80", NULL, false, "default drop" },
	/* "connections originating from the debian-tor Unix user" */
	{ "debian-tor", "203.0.113.5:443", NULL, true, "allow debian-tor to internet" },
	{ "debian-tor", "203.0.113.5:53", "udp", false, "default drop" },
	{ "debian-tor", "203.0.113.5", "icmp", false, "default drop" },
	/* "granted full network access (but no loopback access)" */
	{ "clearnet", "203.0.113.5:80", NULL, true, "allow clearnet to anywhere" },
	{ "clearnet", "192.168.1.1:53", "udp", true, "allow clearnet to anywhere" },
	{ "clearnet", "127.0.0.1:9050", NULL, false, "service socks" },
	{ "clearnet", "127.0.0.1:20000", NULL, false, "forbid clearnet to loopback" },
	{ "clearnet", "127.0.0.1:53", "udp", false, "forbid clearnet to loopback" },
	/* the clearnet namespace: "full network access (UDP and TCP) but no loopback access" */
	{ "amnesia@clearnet", "203.0.113.5:80", NULL, true, "allow clearnet-net to anywhere" },
	{ "amnesia@clearnet", "203.0.113.5:53", "udp", true, "allow clearnet-net to anywhere" },
	{ "amnesia@clearnet", "127.0.0.1:631", NULL, false, "forbid clearnet-net to loopback" },
	/* "traffic to the local LAN is wide open"; "LAN DNS queries are forbidden" */
	{ "amnesia", "192.168.1.50:631", NULL, true, "lan private open" },
	{ "nobody", "10.9.8.7:161", "udp", true, "lan private open" },
	{ "amnesia", "172.31.0.1", "icmp", true, "lan private open" },
	{ "amnesia", "192.168.1.1:53", "udp", false, "lan private open" },
	{ "amnesia", "192.168.1.1:53", NULL, false, "lan private open" },
	{ "root", "192.168.1.1:5351", "udp", false, "lan private open" },
	/* "only grants access to each local service to the users that actually need it" */
	{ "_apt", "127.0.0.1:9050", NULL, true, "service socks" },
	{ "_apt", "127.0.0.1:9062", NULL, false, "service" },
	{ "nobody", "192.168.1.2:631", NULL, false, "default drop" },
	{ "amnesia", "127.0.0.1:53", "udp", true, "service dns" },
	/* "the amnesia user, which is allowed to connect to any local TCP port apart" */
	{ "amnesia", "127.0.0.1:17600", NULL, true, "allow amnesia to loopback" },
	{ "amnesia", "192.168.1.2:20000", NULL, true, "allow amnesia to loopback" },
	{ "amnesia", "127.0.0.1:9062", NULL, false, "allow amnesia to loopback" },
	/* "Only the amnesia user is granted access to the Tor transparent proxy port" */
	{ "amnesia", "127.192.5.7:80", NULL, true, "automap 127.192.0.0/10" },
	{ "root", "127.192.5.7:80", NULL, false, "automap 127.192.0.0/10" },
	/* "IPv6 communication is blocked"; "Non-TCP traffic to the Internet ... is dropped" */
	{ "debian-tor", "[2001:db8::5]:443", NULL, false, "ipv6 blocked" },
	{ "amnesia", "203.0.113.5:123", "udp", false, "default drop" },
	{ "amnesia", "203.0.113.5", "icmp", false, "default drop" },
	{ "amnesia", "203.0.113.5:5000", "sctp", false, "default drop" },
};

static void test_specification(void **state)
{
	struct policy *policy = load();

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct explain_question question = { .user = lines[i].user,
						     .destination = lines[i].destination,
						     .protocol = lines[i].protocol,
						     .is_own = own_127_and_lan };
		struct explain_subject subject;
		struct policy_verdict verdict;
		struct diag diag = { 0 };
		char text[512] = "";

		if (explain_parse(policy, &question, &diag, &subject) < 0)
			fail_msg("%s", diag.message);
		verdict = policy_evaluate(policy, &subject.packet);
		if (verdict.place.line)
			line_text(verdict.place.line, text, sizeof(text));
		if (policy_allows(&verdict) != lines[i].allowed ||
		    strncmp(text, lines[i].statement, strlen(lines[i].statement)) != 0)
			fail_msg("%s to %s: %s by line %u: %s", lines[i].user, lines[i].destination,
				 policy_allows(&verdict) ? "allowed" : "denied", verdict.place.line,
				 text);
	}
	policy_free(policy);
}

static void test_bad_words(void **state)
{
	static const struct {
		const char *user, *destination, *protocol;
	} bad[] = {
		{ "nosuchuser", "1.2.3.4:5", NULL },  { "amnesia@nowhere", "1.2.3.4:5", NULL },
		{ "amnesia", "1.2.3.4", NULL },	      { "amnesia", "1.2.3.4:", NULL },
		{ "amnesia", "1.2.3.4:0", NULL },     { "amnesia", "1.2.3.4:65536", NULL },
		{ "amnesia", "example.org:80", NULL }, { "amnesia", "[::1", NULL },
		{ "amnesia", "[::1]80", NULL },	      { "amnesia", "", NULL },
		{ "amnesia", "1.2.3.4:80", "tpc" },   { "amnesia", "1.2.3.4:80", "256" },
		{ "4294967296", "1.2.3.4:80", NULL }, { "amnesia", "[::1]:", NULL },
	};
	struct policy *policy = load();

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct explain_question question = { .user = bad[i].user,
						     .destination = bad[i].destination,
						     .protocol = bad[i].protocol,
						     .is_own = own_127_and_lan };
		struct explain_subject subject;
		struct diag diag = { 0 };

		assert_int_equal(explain_parse(policy, &question, &diag, &subject), -EINVAL);
		assert_true(diag.message[0] != '\0');
	}
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_specification),
		cmocka_unit_test(test_bad_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
