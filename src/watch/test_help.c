/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "test_help.h"

#include <string.h>

#include <linux/if_ether.h>
#include <netinet/in.h>

void test_set_destination(struct attempt *attempt, uint32_t address)
{
	attempt->destination = packet_address4(address);
}

struct attempt test_attempt(void)
{
	struct attempt attempt = {
	    .number = 1,
	    .time_ns = 1000,
	    .kind = WATCH_TASK,
	    .flags = WATCH_OWNED | WATCH_ADDRESSED | WATCH_CREATOR,
	    .owner_uid = 1000,
	    .netns = 4026531840,
	    .mntns = 4026531841,
	    .ethertype = ETH_P_IP,
	    .source_port = 40000,
	    .destination_port = 443,
	    .protocol = IPPROTO_TCP,
	    .tcp_flags = PACKET_TCP_SYN,
	    .sender = {.exe_inode = 77, .exe_device = 8u << 20 | 1, .pid = 500, .tid = 501,
		       .uid = 1000, .group = 9, .comm = "audacity", .name = "audacity"},
	    .path = "/usr/bin/audacity",
	    .group = "/user.slice/user-1000.slice/app-audacity.scope",
	};

	attempt.creator = attempt.sender;
	test_set_destination(&attempt, 0x5db8d822);
	return attempt;
}

struct attempt test_attempt_of_user(void)
{
	struct attempt attempt = test_attempt();

	attempt.kind = WATCH_USER;
	attempt.flags &= ~(uint32_t)WATCH_CREATOR;
	attempt.sender = (struct watch_identity){.uid = attempt.owner_uid};
	attempt.creator = (struct watch_identity){0};
	attempt.path[0] = attempt.group[0] = '\0';
	return attempt;
}

struct attempt test_attempt_port(uint16_t port)
{
	struct attempt attempt = test_attempt();

	attempt.destination_port = port;
	return attempt;
}
