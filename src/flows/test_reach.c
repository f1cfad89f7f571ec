/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Against the reference evaluator: whoever can send any datagram outside is among those that may.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <linux/if_ether.h>
#include <netinet/in.h>

#include "reach.h"

#define PASSWD  TEST_SOURCE_ROOT "/tests/support/passwd"
#define HEAD    "lethe-policy 1\ndefault drop\nipv6 blocked\nnetwork near = 192.168.0.0/16\n"
#define AMNESIA 64001u
#define NOBODY  65534u

static struct policy *parse(const char *text)
{
	struct policy_options options = {.passwd = PASSWD};
	struct policy *policy = NULL;

	assert_int_equal(policy_parse("test", text, strlen(text), &options, NULL, &policy), 0);
	return policy;
}

static void assert_reach(const char *text, uint32_t uid, bool expected)
{
	CLEANUP(policy_freep) struct policy *policy = parse(text);

	if (reach_by_udp(policy, uid) != expected)
		fail_msg("%s: user %u", text, uid);
}

static void who_may(void **state)
{
	assert_reach(HEAD, AMNESIA, false);
	assert_reach(HEAD "allow amnesia to near over udp 53\n", AMNESIA, true);
	assert_reach(HEAD "allow amnesia to near over udp 53\n", NOBODY, false);
	assert_reach(HEAD "allow amnesia to near over tcp\n", AMNESIA, false);
	assert_reach(HEAD "lan near open\n", NOBODY, true);
	assert_reach(HEAD "lan near open except udp 53\n", NOBODY, true);
	assert_reach(HEAD "lan near open except udp\n", NOBODY, false);
	assert_reach(HEAD "lan near closed\n", NOBODY, false);
	assert_reach(HEAD "link dhcp for amnesia\n", AMNESIA, true);
	assert_reach(HEAD "link dhcp for amnesia\n", NOBODY, false);
	assert_reach(HEAD "service dns udp 53 by root for amnesia\n", AMNESIA, false);
}

struct search {
	const struct policy *policy;
	size_t sent;
};

static int visit(const struct packet *packet, void *data)
{
	struct search *search = data;
	struct policy_verdict verdict;

	if (packet->path != PACKET_OUTPUT || packet->loopback || !packet->owned ||
	    packet->protocol != IPPROTO_UDP)
		return 0;
	verdict = policy_evaluate(search->policy, packet);
	if (!policy_allows(&verdict))
		return 0;
	search->sent++;
	if (!reach_by_udp(search->policy, packet->uid))
		fail_msg("user %u can send and is not among those that may", packet->uid);
	return 0;
}

static void nobody_is_left_out(void **state)
{
	static const char *const texts[] = {
	    HEAD "allow amnesia to near over udp 53\nlan near closed\n",
	    HEAD "lan near open except udp 53\n",
	    HEAD "link dhcp for amnesia, root\n",
	    HEAD "network far = 203.0.113.0/24\nallow clearnet to far over udp\n"
		 "allow amnesia to 198.51.100.9 over udp 1-9, tcp\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		CLEANUP(policy_freep) struct policy *policy = parse(texts[i]);
		const struct policy *one[] = {policy};
		struct search search = {.policy = policy};

		assert_int_equal(policy_each_class(one, 1, visit, &search), 0);
		assert_true(search.sent > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(who_may),
	    cmocka_unit_test(nobody_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
