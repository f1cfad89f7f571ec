/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tables of packets in words, and what the policy must say of them. */
#pragma once

#include "policy.h"
#include "test_util.h"

/*
 * A packet in words: PATH DEVICE OWNER WHAT [DESTINATION[:PORT]] [OPTION ...], for example
 *	"out eth0 debian-tor tcp 198.51.100.80:443"
 *	"in lo - udp 127.0.0.1:53 from=40000"
 * PATH is out, frame, in or forward; OWNER a user, a number or "-" for none. WHAT is tcp (a SYN
 * unless flags= says else), udp, icmp, icmpv6, sctp, gre, arp, eapol, a protocol's number, or an
 * ethertype in hexadecimal. An IPv6 address stands in brackets.
 * Options: flags=SARF, from=PORT, type=N, code=N, op=N, odd (ARP of another shape), fragment,
 * options (in the IP header), framed=ETHERTYPE (what the Ethernet header says, in hexadecimal), raw
 * (past the IP stack), expected, socket=wildcard|bound|transparent.
 */
struct row {
	const char *packet;
	enum policy_action action;
	/* How the line of the policy begins that must be named as the reason; NULL where no single
	 * statement decides. */
	const char *line;
};

/* Does the policy, whose text is @text, say of the packet what the row does? If not, tell. */
bool rows_check_one(const struct policy *policy, const char *text, const struct row *row);

/* Parse @text and check all rows; the test fails if one does not hold. */
void rows_check(const char *text, const struct row *rows, size_t count);

#define CHECK_DEFAULT(rows)                                                                        \
	do {                                                                                       \
		AUTO_FREE char *text_ = test_default_text();                                       \
		rows_check(text_, rows, ARRAY_SIZE(rows));                                         \
	} while (0)

#define ACCEPT      POLICY_ACCEPT
#define DROP        POLICY_DROP
#define RESET       POLICY_RESET
#define UNREACHABLE POLICY_UNREACHABLE
#define PROXY       POLICY_PROXY
