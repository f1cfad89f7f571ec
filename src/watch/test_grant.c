/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <linux/if_ether.h>
#include <netinet/in.h>

#include "grant.h"
#include "table.h"
#include "test_help.h"

#define PASSWD TEST_SOURCE_ROOT "/tests/support/passwd"
enum { ROOT = 0, AMNESIA = 64001, CLEARNET = 64002, STRANGER = 65000 };

static const struct policy_options options = {.passwd = PASSWD};

static const char statements[] = "lethe-policy 1\n"
				 "default drop\n"
				 "ipv6 blocked\n"
				 "network anywhere = 0.0.0.0/0 except 0.0.0.0/8, 127.0.0.0/8, 224.0.0.0/3\n"
				 "network private = 192.168.0.0/16\n"
				 "allow clearnet to anywhere over tcp\n"
				 "forbid clearnet to loopback\n"
				 "lan private open except tcp 53, udp 53\n"
				 "service socks tcp 9050 for root\n"
				 "service dns udp 53 by root for root\n"
				 "allow amnesia to loopback over tcp except 9062\n"
				 "automap 127.192.0.0/10 to 9040 for amnesia\n";

static struct policy *parse(const char *line)
{
	AUTO_BUF struct buf text = {.cap = 65536};
	struct policy *policy = NULL;
	struct diag diag = {0};
	int r;

	buf_printf(&text, "%s%s%s", statements, line, line[0] ? "\n" : "");
	r = policy_parse("test", buf_text(&text), text.len, &options, &diag, &policy);
	if (r < 0)
		fail_msg("%u: %s", diag.line, diag.message);
	return policy;
}

static struct packet to(uint32_t uid, uint32_t address, uint8_t protocol, uint16_t port)
{
	return (struct packet){.path = PACKET_OUTPUT,
			       .ethertype = ETH_P_IP,
			       .loopback = address >> 24 == 127,
			       .owned = true,
			       .uid = uid,
			       .routed = true,
			       .protocol = protocol,
			       .destination = packet_address4(address),
			       .source_port = 40000,
			       .destination_port = port,
			       .tcp_flags = protocol == IPPROTO_TCP ? PACKET_TCP_SYN : 0,
			       .icmp_type = protocol == IPPROTO_ICMP ? 8 : 0};
}

#define PUBLIC_ADDRESS 0x5db8d822 /* 93.184.216.34 */
#define LOCAL_ADDRESS  0x7f000001

static void lines_that_grant(void **state)
{
	CLEANUP(policy_freep) struct policy *policy = parse("");
	static const struct {
		uint32_t uid, address;
		uint8_t protocol;
		uint16_t port;
		const char *line;
	} cases[] = {
	    {AMNESIA, PUBLIC_ADDRESS, IPPROTO_TCP, 443, "allow amnesia to 93.184.216.34 over tcp 443"},
	    {AMNESIA, PUBLIC_ADDRESS, IPPROTO_UDP, 53, "allow amnesia to 93.184.216.34 over udp 53"},
	    {STRANGER, PUBLIC_ADDRESS, IPPROTO_ICMP, 0, "allow 65000 to 93.184.216.34 over icmp"},
	    {CLEARNET, PUBLIC_ADDRESS, IPPROTO_UDP, 123,
	     "allow clearnet to 93.184.216.34 over udp 123"},
	    {AMNESIA, 0xc0a80132, IPPROTO_UDP, 53, "allow amnesia to 192.168.1.50 over udp 53"},
	    {AMNESIA, LOCAL_ADDRESS, IPPROTO_UDP, 53, "allow amnesia to service dns"},
	    {STRANGER, LOCAL_ADDRESS, IPPROTO_TCP, 9050, "allow 65000 to service socks"},
	    {STRANGER, LOCAL_ADDRESS, IPPROTO_TCP, 631, "service local-631 tcp 631 for 65000"},
	    {AMNESIA, LOCAL_ADDRESS, IPPROTO_TCP, 9062, "service local-9062 tcp 9062 for amnesia"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct packet packet =
		    to(cases[i].uid, cases[i].address, cases[i].protocol, cases[i].port);
		struct grant grant = grant_find(policy, &options, &packet);
		struct policy *changed;
		struct policy_verdict verdict;

		assert_int_equal(grant.answer, GRANT_LINE);
		assert_string_equal(grant.line, cases[i].line);
		assert_true(grant.reason[0]);
		/* Tried apart from grant_find(), in the text as a person would write it. */
		changed = parse(grant.line);
		verdict = policy_evaluate(changed, &packet);
		assert_true(policy_allows(&verdict));
		policy_free(changed);
	}
}

static void no_line_can_grant_it(void **state)
{
	CLEANUP(policy_freep) struct policy *policy = parse("");
	struct packet packets[] = {
	    to(CLEARNET, LOCAL_ADDRESS, IPPROTO_TCP, 9050), /* forbidden by a statement */
	    to(CLEARNET, LOCAL_ADDRESS, IPPROTO_TCP, 631),
	    to(STRANGER, 0x7fc00001, IPPROTO_TCP, 80),	    /* automapped, for others */
	    to(AMNESIA, LOCAL_ADDRESS, IPPROTO_UDP, 9999),  /* nobody says who would answer */
	    to(AMNESIA, 0xe00000fb, IPPROTO_UDP, 5353),	    /* multicast */
	    to(AMNESIA, PUBLIC_ADDRESS, IPPROTO_GRE, 0),
	    to(AMNESIA, PUBLIC_ADDRESS, IPPROTO_TCP, 443), /* made odd below */
	    to(AMNESIA, PUBLIC_ADDRESS, IPPROTO_TCP, 443),
	    to(AMNESIA, PUBLIC_ADDRESS, IPPROTO_TCP, 443),
	};
	size_t count = ARRAY_SIZE(packets);

	packets[count - 1].ethertype = ETH_P_IPV6;
	packets[count - 2].owned = false;
	packets[count - 3].fragment = true;
	for (size_t i = 0; i < count; i++) {
		struct grant grant = grant_find(policy, &options, &packets[i]);

		if (grant.answer != GRANT_NONE)
			fail_msg("case %zu: %d %s", i, grant.answer, grant.line);
		assert_string_equal(grant.line, "");
		assert_true(grant.reason[0]);
	}
}

static void what_the_policy_allows_is_said(void **state)
{
	CLEANUP(policy_freep) struct policy *policy = parse("");
	struct packet packet = to(CLEARNET, PUBLIC_ADDRESS, IPPROTO_TCP, 443);

	assert_int_equal(grant_find(policy, &options, &packet).answer, GRANT_ALLOWED);
}

static void without_a_policy_nothing_is_said(void **state)
{
	struct packet packet = to(CLEARNET, PUBLIC_ADDRESS, IPPROTO_TCP, 443);
	struct grant grant = grant_find(NULL, &options, &packet);

	assert_int_equal(grant.answer, GRANT_UNKNOWN);
	assert_string_equal(grant.reason, "");
	assert_string_equal(grant.line, "");
}

/* When the line cannot be tried, because the users cannot be looked up, it is not told. */
static void a_line_that_was_not_tried_is_not_told(void **state)
{
	CLEANUP(policy_freep) struct policy *policy = parse("");
	static const struct policy_options nobody = {.passwd = "/dev/null"};
	struct packet packet = to(AMNESIA, PUBLIC_ADDRESS, IPPROTO_TCP, 443);

	assert_int_equal(grant_find(policy, &nobody, &packet).answer, GRANT_NONE);
}

/* A row comes to the policy as the packet that it was. */
static void a_row_is_its_packet(void **state)
{
	struct attempt attempt = test_attempt();
	struct table *table = NULL;
	struct packet packet;
	bool new;

	assert_int_equal(table_new(1, &table), 0);
	attempt.flags |= WATCH_PACKET | WATCH_FRAME | WATCH_LOOPBACK;
	packet = row_packet(table_add(table, &attempt, &new));
	table_free(table);
	assert_int_equal(packet.path, PACKET_FRAME);
	assert_true(packet.loopback && packet.owned && !packet.routed && !packet.fragment);
	assert_int_equal(packet.uid, 1000);
	assert_int_equal(packet.protocol, IPPROTO_TCP);
	assert_int_equal(packet.destination_port, 443);
	assert_int_equal(packet_address_to4(&packet.destination), PUBLIC_ADDRESS);
	assert_true(packet_is_opening(&packet));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_that_grant),
	    cmocka_unit_test(no_line_can_grant_it),
	    cmocka_unit_test(what_the_policy_allows_is_said),
	    cmocka_unit_test(without_a_policy_nothing_is_said),
	    cmocka_unit_test(a_line_that_was_not_tried_is_not_told),
	    cmocka_unit_test(a_row_is_its_packet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
