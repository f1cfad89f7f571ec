/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the shipped policy means for packets to other hosts, in tables written by hand from the
 * specification. A row that fails is a contradiction between the specification and the evaluator:
 * find out which of the two is wrong, and never bend the row to what the program says.
 */
#include "test_rows.h"

#include <string.h>

/* "The default case is to block all outbound network traffic." TCP is refused by a reset, so that
 * programs fail at once, where a reset can be sent; the rest vanishes. */
static void f1_default(void **state)
{
	static const struct row rows[] = {
	    {"out eth0 amnesia tcp 198.51.100.80:80", RESET, "default drop"},
	    {"out eth0 amnesia tcp 198.51.100.80:443", RESET, "default drop"},
	    {"out eth0 root tcp 198.51.100.80:443", RESET, "default drop"},
	    {"out eth0 nobody tcp 198.51.100.80:443", RESET, "default drop"},
	    {"out eth0 _apt tcp 198.51.100.80:80", RESET, "default drop"},
	    {"out eth0 1000 tcp 198.51.100.80:80", RESET, "default drop"},
	    {"out eth0 - tcp 198.51.100.80:80", RESET, "default drop"},
	    {"out eth0 root udp 198.51.100.80:53", DROP, "default drop"},
	    {"out eth0 amnesia udp 198.51.100.80:53", DROP, "default drop"},
	    {"out eth0 - udp 198.51.100.80:123", DROP, "default drop"},
	    {"out eth0 root 2 224.0.0.22", DROP, "default drop"},
	    {"out eth0 - 2 224.0.0.22", DROP, "default drop"},
	    /* Multicast and broadcast are no LAN address. */
	    {"out eth0 root udp 224.0.0.251:5353", DROP, "default drop"},
	    {"out eth0 amnesia udp 239.255.255.250:1900", DROP, "default drop"},
	    {"out eth0 amnesia udp 255.255.255.255:9", DROP, "default drop"},
	    {"out eth0 clearnet udp 224.0.0.251:5353", DROP, "default drop"},
	    /* Nor is what a provider or a link hands out, for those who have only the LAN. */
	    {"out eth0 amnesia tcp 100.64.0.1:80", RESET, "default drop"},
	    {"out eth0 amnesia udp 100.64.0.1:53", DROP, "default drop"},
	    {"out eth0 amnesia tcp 169.254.169.254:80", RESET, "default drop"},
	    {"out eth0 root udp 169.254.1.1:53", DROP, "default drop"},
	    /* Right beside the private networks. */
	    {"out eth0 amnesia tcp 9.255.255.255:80", RESET, "default drop"},
	    {"out eth0 amnesia tcp 11.0.0.0:80", RESET, "default drop"},
	    {"out eth0 amnesia tcp 172.15.255.255:80", RESET, "default drop"},
	    {"out eth0 amnesia tcp 172.32.0.0:80", RESET, "default drop"},
	    {"out eth0 amnesia tcp 192.167.255.255:80", RESET, "default drop"},
	    {"out eth0 amnesia tcp 192.169.0.0:80", RESET, "default drop"},
	    /* Nothing is forwarded. */
	    {"forward eth0 - tcp 198.51.100.80:80", DROP, NULL},
	    {"forward eth0 - udp 192.168.1.1:53", DROP, NULL},
	    {"forward eth0 - tcp [2001:db8::1]:80", DROP, NULL},
	};

	CHECK_DEFAULT(rows);
}

/* Frames that never touched the IP stack obey the same grants, and those that a link needs are
 * granted by shape and owner. */
static void f1_frames(void **state)
{
	static const struct row rows[] = {
	    {"frame eth0 - arp", ACCEPT, "link arp"},
	    {"frame eth0 - arp op=2", ACCEPT, "link arp"},
	    {"frame eth0 root arp", ACCEPT, "link arp"},
	    {"frame eth0 root arp op=2 raw", ACCEPT, "link arp"},
	    {"frame eth0 nobody arp raw", DROP, "default drop"},
	    {"frame eth0 amnesia arp raw", DROP, "default drop"},
	    {"frame eth0 - arp op=3", DROP, "default drop"},
	    {"frame eth0 root arp op=0 raw", DROP, "default drop"},
	    {"frame eth0 root arp op=9 raw", DROP, "default drop"},
	    {"frame eth0 - arp odd", DROP, "default drop"},
	    {"frame eth0 root arp odd raw", DROP, "default drop"},
	    {"frame eth0 root eapol raw", ACCEPT, "link eapol"},
	    {"frame eth0 nobody eapol raw", DROP, "default drop"},
	    {"frame eth0 - eapol", DROP, "default drop"},
	    {"frame eth0 root 0x88cc raw", DROP, "default drop"},
	    {"frame eth0 root 0x8100 raw", DROP, "default drop"},
	    {"frame eth0 root eapol raw framed=0x0800", DROP, "default drop"},
	    {"frame eth0 root arp raw framed=0x0800", DROP, "default drop"},
	    {"frame eth0 root udp 192.168.1.50:161 raw", ACCEPT, "lan private"},
	    {"frame eth0 root udp 192.168.1.50:161 raw framed=0x8100", DROP, "default drop"},
	    {"frame eth0 root 0x8864 raw", DROP, "default drop"},
	    {"frame eth0 root 0x0000 raw", DROP, "default drop"},
	    {"frame eth0 - 0x88cc", DROP, "default drop"},
	    {"out eth0 root udp 255.255.255.255:67 from=68", ACCEPT, "link dhcp"},
	    {"frame eth0 root udp 255.255.255.255:67 from=68 raw", ACCEPT, "link dhcp"},
	    {"frame eth0 nobody udp 255.255.255.255:67 from=68 raw", DROP, "default drop"},
	    {"out eth0 amnesia udp 255.255.255.255:67 from=68", DROP, "default drop"},
	    {"out eth0 - udp 255.255.255.255:67 from=68", DROP, "default drop"},
	    {"out eth0 root udp 255.255.255.255:67 from=69", DROP, "default drop"},
	    {"out eth0 root udp 255.255.255.255:68 from=68", DROP, "default drop"},
	    {"out eth0 root udp 255.255.255.255:67 from=67", DROP, "default drop"},
	    {"out eth0 root udp 198.51.100.80:67 from=68", DROP, "default drop"},
	    {"out eth0 root tcp 255.255.255.255:67 from=68", RESET, "default drop"},
	    /* Renewed by unicast, it is LAN traffic. */
	    {"out eth0 root udp 192.168.1.1:67 from=68", ACCEPT, "lan private"},
	    /* Written as frames, IP packets have no more rights; and there is no reset. */
	    {"frame eth0 root tcp 198.51.100.80:80 raw", DROP, "default drop"},
	    {"frame eth0 root udp 198.51.100.80:53 raw", DROP, "default drop"},
	    {"frame eth0 root tcp [2001:db8::80]:80 raw", DROP, "ipv6 blocked"},
	    {"frame eth0 root icmpv6 [ff02::2] type=133 raw", DROP, "ipv6 blocked"},
	    {"frame eth0 debian-tor tcp 198.51.100.80:443", ACCEPT, "allow debian-tor"},
	    {"frame eth0 debian-tor udp 198.51.100.80:443", DROP, "default drop"},
	    {"frame eth0 clearnet udp 198.51.100.80:123", ACCEPT, "allow clearnet"},
	    {"frame eth0 amnesia tcp 192.168.1.50:631", ACCEPT, "lan private"},
	    {"frame eth0 amnesia udp 192.168.1.1:53 raw", DROP, "lan private"},
	    /* What crosses loopback was judged on its way out; what did not come that way is not
	     * let in by the back door. */
	    {"frame lo amnesia tcp 127.0.0.1:80", ACCEPT, NULL},
	    {"frame lo root tcp 127.0.0.1:9050 raw", DROP, NULL},
	    {"frame lo root udp 127.0.0.1:53 raw", DROP, NULL},
	    {"frame lo root arp raw", DROP, NULL},
	};

	CHECK_DEFAULT(rows);
}

/* "special-casing connections originating from the debian-tor Unix user": TCP, to the Internet. */
static void f2_tor(void **state)
{
	static const struct row rows[] = {
	    {"out eth0 debian-tor tcp 198.51.100.80:443", ACCEPT, "allow debian-tor"},
	    {"out eth0 debian-tor tcp 198.51.100.80:9001", ACCEPT, "allow debian-tor"},
	    {"out eth0 debian-tor tcp 1.0.0.0:1", ACCEPT, "allow debian-tor"},
	    {"out eth0 debian-tor tcp 223.255.255.255:65535", ACCEPT, "allow debian-tor"},
	    {"out eth0 debian-tor tcp 198.51.100.80:443 flags=A", ACCEPT, "allow debian-tor"},
	    {"out eth0 debian-tor tcp 198.51.100.80:443 flags=FA", ACCEPT, "allow debian-tor"},
	    {"out eth0 debian-tor udp 198.51.100.80:443", DROP, "default drop"},
	    {"out eth0 debian-tor udp 198.51.100.80:53", DROP, "default drop"},
	    {"out eth0 debian-tor icmp 198.51.100.80 type=8", DROP, "default drop"},
	    {"out eth0 debian-tor sctp 198.51.100.80:443", DROP, "default drop"},
	    {"out eth0 debian-tor tcp [2001:db8::80]:443", RESET, "ipv6 blocked"},
	    {"out eth0 debian-tor tcp 100.64.0.1:443", RESET, "default drop"},
	    {"out eth0 debian-tor tcp 169.254.0.1:443", RESET, "default drop"},
	    {"out eth0 debian-tor tcp 224.0.0.1:443", RESET, "default drop"},
	    {"out eth0 debian-tor tcp 240.0.0.1:443", RESET, "default drop"},
	    /* On the LAN it is a user like others: a bridge may stand there, a resolver not. */
	    {"out eth0 debian-tor tcp 192.168.1.7:443", ACCEPT, "lan private"},
	    {"out eth0 debian-tor tcp 192.168.1.1:53", RESET, "lan private"},
	    /* A connection's rest, when its owner is gone, is let out; no beginning is. */
	    {"out eth0 - tcp 198.51.100.80:443 flags=A", ACCEPT, NULL},
	    {"out eth0 - tcp 198.51.100.80:443 flags=FA", ACCEPT, NULL},
	    /* Nor an answer to what was forged, or from a socket that has an owner. */
	    {"out eth0 - tcp 198.51.100.80:443 flags=R", RESET, "default drop"},
	    {"out eth0 - tcp 198.51.100.80:443 flags=RA", RESET, "default drop"},
	    {"out eth0 - tcp 198.51.100.80:443 flags=SA", RESET, "default drop"},
	    {"out eth0 - tcp 198.51.100.80:443 flags=F", RESET, "default drop"},
	    {"out eth0 - tcp 198.51.100.80:443", RESET, "default drop"},
	    {"frame eth0 - tcp 198.51.100.80:443", DROP, "default drop"},
	    {"frame eth0 - tcp 198.51.100.80:443 flags=A", ACCEPT, NULL},
	    {"frame eth0 - tcp 198.51.100.80:443 flags=A raw", DROP, "default drop"},
	    /* Options can name another destination; a later fragment has no ports. */
	    {"out eth0 debian-tor tcp 198.51.100.80:443 options", DROP, "default drop"},
	    {"frame eth0 debian-tor tcp 198.51.100.80:443 options", DROP, "default drop"},
	    {"out eth0 - tcp 224.0.0.1:443 flags=A", RESET, "default drop"},
	    {"out eth0 - tcp 240.0.0.1:443 flags=A", RESET, "default drop"},
	    {"out eth0 - tcp 198.51.100.80 fragment", DROP, "default drop"},
	    /* But what has an owner is judged by the owner, opening or not. */
	    {"out eth0 amnesia tcp 198.51.100.80:443 flags=A", RESET, "default drop"},
	    {"out eth0 root tcp 198.51.100.80:443 flags=R", RESET, "default drop"},
	    {"out eth0 root tcp 198.51.100.80:443 flags=SA", RESET, "default drop"},
	    {"frame eth0 root tcp 198.51.100.80:443 flags=A raw", DROP, "default drop"},
	};

	CHECK_DEFAULT(rows);
}

/* "Pluggable transports run under a user of their own": those that connect to a bridge have TCP, as Tor
 * has; those that are helped by others resolve a name and send UDP. Neither has a local service, and who
 * runs them has nothing. */
static void f2_transports(void **state)
{
	static const struct row rows[] = {
	    {"out eth0 bridges-net tcp 198.51.100.31:443", ACCEPT, "allow bridges-net"},
	    {"out eth0 bridges-net tcp 1.0.0.0:1", ACCEPT, "allow bridges-net"},
	    {"out eth0 bridges-net tcp 198.51.100.31:443 flags=A", ACCEPT, "allow bridges-net"},
	    {"frame eth0 bridges-net tcp 198.51.100.31:443", ACCEPT, "allow bridges-net"},
	    {"out eth0 bridges-net udp 198.51.100.31:443", DROP, "default drop"},
	    {"out eth0 bridges-net udp 198.51.100.53:53", DROP, "default drop"},
	    {"out eth0 bridges-net icmp 198.51.100.31 type=8", DROP, "default drop"},
	    {"out eth0 bridges-net tcp 100.64.0.1:443", RESET, "default drop"},
	    {"out eth0 bridges-net tcp 169.254.1.1:53", RESET, "default drop"},
	    {"out eth0 bridges-net tcp [2001:db8::31]:443", RESET, "ipv6 blocked"},
	    /* A bridge may stand on the LAN; a resolver there is not asked. */
	    {"out eth0 bridges-net tcp 192.168.1.7:443", ACCEPT, "lan private"},
	    {"out eth0 bridges-net udp 192.168.1.1:53", DROP, "lan private"},
	    {"out lo bridges-net tcp 127.0.0.1:9050", RESET, NULL},
	    {"out lo bridges-net tcp 127.0.0.1:9055", RESET, NULL},
	    {"out lo bridges-net tcp 127.0.0.1:631", RESET, "forbid bridges-net"},
	    {"out lo bridges-net udp 127.0.0.1:53", UNREACHABLE, NULL},
	    {"out lo bridges-net tcp 192.168.1.2:22", RESET, "forbid bridges-net"},
	    {"out lo bridges-net tcp [::1]:22", RESET, "forbid bridges-net"},
	    {"out lo bridges-net tcp 127.192.0.1:80", RESET, "automap"},
	    {"out eth0 fronts-net tcp 198.51.100.80:443", ACCEPT, "allow fronts-net"},
	    {"out eth0 fronts-net udp 198.51.100.80:3478", ACCEPT, "allow fronts-net"},
	    {"out eth0 fronts-net udp 192.168.1.1:53", ACCEPT, "allow fronts-net"},
	    {"out eth0 fronts-net tcp 192.168.1.1:53", ACCEPT, "allow fronts-net"},
	    {"out eth0 fronts-net udp 100.64.0.53:53", ACCEPT, "allow fronts-net"},
	    {"out eth0 fronts-net udp 169.254.1.53:53", ACCEPT, "allow fronts-net"},
	    {"out eth0 fronts-net icmp 198.51.100.80 type=8", DROP, "default drop"},
	    {"out eth0 fronts-net sctp 198.51.100.80:80", DROP, "default drop"},
	    {"out eth0 fronts-net udp 224.0.0.251:5353", DROP, "default drop"},
	    {"out eth0 fronts-net udp [2001:db8::80]:3478", DROP, "ipv6 blocked"},
	    {"out lo fronts-net tcp 127.0.0.1:9050", RESET, NULL},
	    {"out lo fronts-net tcp 127.0.0.1:631", RESET, "forbid fronts-net"},
	    {"out lo fronts-net udp 127.0.0.1:53", UNREACHABLE, NULL},
	    {"out lo fronts-net tcp 192.168.1.2:22", RESET, "forbid fronts-net"},
	    /* lethe-transport: no line of the policy names it. */
	    {"out eth0 64009 tcp 198.51.100.31:443", RESET, "default drop"},
	    {"out eth0 64009 udp 198.51.100.53:53", DROP, "default drop"},
	    {"out lo 64009 tcp 127.0.0.1:9055", RESET, "service transport-obfs4"},
	    {"out lo 64009 tcp 127.0.0.1:9050", RESET, "service socks "},
	};

	CHECK_DEFAULT(rows);
}

/* "full network access (but no loopback access)" */
static void f3_clearnet(void **state)
{
	static const struct row rows[] = {
	    {"out eth0 clearnet tcp 198.51.100.80:80", ACCEPT, "allow clearnet"},
	    {"out eth0 clearnet tcp 198.51.100.80:443", ACCEPT, "allow clearnet"},
	    {"out eth0 clearnet udp 198.51.100.80:53", ACCEPT, "allow clearnet"},
	    /* The kernel cuts datagrams after they were judged whole; nobody else may. */
	    {"out eth0 clearnet udp 198.51.100.80 fragment", DROP, "default drop"},
	    {"frame eth0 clearnet udp 198.51.100.80 fragment", ACCEPT, NULL},
	    {"frame eth0 clearnet udp 198.51.100.80 fragment options", DROP, "default drop"},
	    {"frame eth0 clearnet udp 198.51.100.80 fragment raw", DROP, "default drop"},
	    {"frame eth0 - udp 198.51.100.80 fragment", DROP, "default drop"},
	    {"frame eth0 clearnet udp 224.0.0.1 fragment", DROP, "default drop"},
	    {"out eth0 clearnet udp 192.168.1.1:53", ACCEPT, "allow clearnet"},
	    {"out eth0 clearnet tcp 10.1.2.3:53", ACCEPT, "allow clearnet"},
	    {"out eth0 clearnet udp 100.64.0.1:53", ACCEPT, "allow clearnet"},
	    {"out eth0 clearnet udp 169.254.1.1:53", ACCEPT, "allow clearnet"},
	    {"out eth0 clearnet icmp 198.51.100.80 type=8", DROP, "default drop"},
	    {"out eth0 clearnet gre 198.51.100.80", DROP, "default drop"},
	    {"out eth0 clearnet tcp [2001:db8::80]:80", RESET, "ipv6 blocked"},
	    {"out eth0 clearnet udp [2001:db8::80]:53", DROP, "ipv6 blocked"},
	    {"out lo clearnet tcp 127.0.0.1:80", RESET, "forbid clearnet"},
	    {"out lo clearnet tcp 127.0.0.1:9050", RESET, NULL},
	    {"out lo clearnet tcp 127.0.0.1:9062", RESET, NULL},
	    {"out lo clearnet udp 127.0.0.1:53", UNREACHABLE, NULL},
	    {"out lo clearnet udp 127.0.0.1:5353", UNREACHABLE, "forbid clearnet"},
	    {"out lo clearnet tcp [::1]:80", RESET, "forbid clearnet"},
	    {"out lo clearnet udp [::1]:53", UNREACHABLE, NULL},
	    {"out lo clearnet icmp 127.0.0.1 type=8", UNREACHABLE, NULL},
	    /* Its own address on the LAN leads to loopback too. */
	    {"out lo clearnet tcp 192.168.1.2:8099", RESET, "forbid clearnet"},
	    {"out lo clearnet tcp 127.192.0.1:80", RESET, "automap"},
	};

	CHECK_DEFAULT(rows);
}

/* "full network access (UDP and TCP) but no loopback access" for the namespace, whose packets are
 * sent by its user. */
static void f4_namespace(void **state)
{
	static const struct row rows[] = {
	    {"out eth0 clearnet-net tcp 198.51.100.80:80", ACCEPT, "allow clearnet-net"},
	    {"out eth0 clearnet-net udp 198.51.100.80:443", ACCEPT, "allow clearnet-net"},
	    {"out eth0 clearnet-net udp 192.168.1.1:53", ACCEPT, "allow clearnet-net"},
	    {"out eth0 clearnet-net udp 100.64.0.1:53", ACCEPT, "allow clearnet-net"},
	    {"out eth0 clearnet-net icmp 198.51.100.80 type=8", DROP, "default drop"},
	    {"out eth0 clearnet-net sctp 198.51.100.80:80", DROP, "default drop"},
	    {"out eth0 clearnet-net tcp [2001:db8::80]:80", RESET, "ipv6 blocked"},
	    {"out lo clearnet-net tcp 127.0.0.1:9050", RESET, NULL},
	    {"out lo clearnet-net tcp 127.0.0.1:631", RESET, "forbid clearnet-net"},
	    {"out lo clearnet-net udp 127.0.0.1:53", UNREACHABLE, NULL},
	    {"out lo clearnet-net tcp 192.168.1.2:22", RESET, "forbid clearnet-net"},
	    {"out lo clearnet-net tcp [::1]:22", RESET, "forbid clearnet-net"},
	    {"out lo clearnet-net tcp 127.255.255.255:80", RESET, "automap"},
	};
	AUTO_FREE char *text = test_default_text();
	CLEANUP(policy_freep) struct policy *policy = test_parse(text);
	const struct policy_namespace *space = policy_find_namespace(policy, "clearnet");

	assert_non_null(space);
	assert_int_equal(space->uid, 64003);
	assert_int_not_equal(space->uid, policy_find_user_by_name(policy, "clearnet")->uid);
	CHECK_DEFAULT(rows);
}

/* "traffic to the local LAN (RFC1918 addresses) is wide open" */
static void f5_lan_open(void **state)
{
	static const struct row rows[] = {
	    {"out eth0 amnesia tcp 192.168.1.50:631", ACCEPT, "lan private"},
	    {"out eth0 amnesia tcp 192.168.1.1:80", ACCEPT, "lan private"},
	    {"out eth0 amnesia udp 192.168.1.50:161", ACCEPT, "lan private"},
	    {"out eth0 amnesia icmp 192.168.1.1 type=8", ACCEPT, "lan private"},
	    {"out eth0 root tcp 10.0.0.0:22", ACCEPT, "lan private"},
	    {"out eth0 root tcp 10.255.255.255:22", ACCEPT, "lan private"},
	    {"out eth0 nobody tcp 172.16.0.0:22", ACCEPT, "lan private"},
	    {"out eth0 _apt udp 172.31.255.255:4242", ACCEPT, "lan private"},
	    {"out eth0 1000 tcp 192.168.0.0:22", ACCEPT, "lan private"},
	    {"out eth0 1000 udp 192.168.255.255:9", ACCEPT, "lan private"},
	    {"out eth0 amnesia tcp 192.168.1.1:52", ACCEPT, "lan private"},
	    {"out eth0 amnesia tcp 192.168.1.1:54", ACCEPT, "lan private"},
	    {"out eth0 amnesia udp 192.168.1.1:5352", ACCEPT, "lan private"},
	    {"out eth0 amnesia udp 192.168.1.1:5354", ACCEPT, "lan private"},
	    /* No owner, no rights, but for a connection's rest. */
	    {"out eth0 - tcp 192.168.1.50:631", RESET, "default drop"},
	    {"out eth0 - udp 192.168.1.50:161", DROP, "default drop"},
	    {"out eth0 - icmp 192.168.1.50 type=0", DROP, "default drop"},
	    {"out eth0 - icmp 192.168.1.50 type=3 code=3", DROP, "default drop"},
	    {"out eth0 - tcp 192.168.1.50:631 flags=FA", ACCEPT, NULL},
	    {"out eth0 amnesia tcp [fd00:1::50]:631", RESET, "ipv6 blocked"},
	};

	CHECK_DEFAULT(rows);
}

/* "LAN DNS queries are forbidden", in whatever form names are asked for; and so is asking the
 * router who this is to the world. Ports from the RFCs: DNS 1035, DNS over TLS 7858, NetBIOS 1002,
 * mDNS 6762, LLMNR 4795, PCP 6887; SSDP from UPnP. */
static void f5_lan_lookups(void **state)
{
	static const unsigned ports[] = {53, 853, 137, 5353, 5355, 5351, 1900};
	static const char *const users[] = {"amnesia", "root",       "nobody",
					    "_apt",    "debian-tor", "1000"};
	AUTO_FREE char *text = test_default_text();
	CLEANUP(policy_freep) struct policy *policy = test_parse(text);
	unsigned wrong = 0;

	for (size_t i = 0; i < ARRAY_SIZE(ports); i++)
		for (size_t j = 0; j < ARRAY_SIZE(users); j++)
			for (unsigned tcp = 0; tcp < 2; tcp++) {
				char packet[128];
				struct row row = {packet, tcp ? RESET : DROP, "lan private"};

				snprintf(packet, sizeof(packet), "out eth0 %s %s 192.168.1.1:%u",
					 users[j], tcp ? "tcp" : "udp", ports[i]);
				wrong += !rows_check_one(policy, text, &row);
			}
	assert_int_equal(wrong, 0);
}

/* "IPv6 communication is blocked". "Non-TCP traffic to the Internet, such as UDP datagrams and
 * ICMP packets, is dropped." */
static void f8_ipv6_and_others(void **state)
{
	static const struct row rows[] = {
	    {"out eth0 amnesia tcp [2001:db8::80]:80", RESET, "ipv6 blocked"},
	    {"out eth0 root udp [2001:db8::80]:53", DROP, "ipv6 blocked"},
	    {"out eth0 root icmpv6 [2001:db8::80] type=128", DROP, "ipv6 blocked"},
	    {"out eth0 - icmpv6 [ff02::2] type=133", DROP, "ipv6 blocked"},
	    {"out eth0 - icmpv6 [ff02::16] type=143", DROP, "ipv6 blocked"},
	    {"out eth0 - icmpv6 [ff02::1:ff00:1] type=135", DROP, "ipv6 blocked"},
	    {"out eth0 amnesia tcp [fe80::1]:80", RESET, "ipv6 blocked"},
	    {"out eth0 amnesia udp [ff02::fb]:5353", DROP, "ipv6 blocked"},
	    {"out eth0 - tcp [2001:db8::80]:80 flags=A", RESET, "ipv6 blocked"},
	    {"out eth0 root tcp [::ffff:198.51.100.80]:80", RESET, "ipv6 blocked"},
	    {"out eth0 amnesia udp 198.51.100.80:443", DROP, "default drop"},
	    {"out eth0 amnesia udp 198.51.100.80:33434", DROP, "default drop"},
	    {"out eth0 root icmp 198.51.100.80 type=8", DROP, "default drop"},
	    {"out eth0 amnesia icmp 198.51.100.80 type=8", DROP, "default drop"},
	    {"out eth0 - icmp 198.51.100.80 type=3 code=3", DROP, "default drop"},
	    {"out eth0 - icmp 198.51.100.80 type=0", DROP, "default drop"},
	    {"out eth0 amnesia sctp 198.51.100.80:80", DROP, "default drop"},
	    {"out eth0 root gre 198.51.100.80", DROP, "default drop"},
	    {"out eth0 root 41 198.51.100.80", DROP, "default drop"},
	    {"out eth0 root 50 198.51.100.80", DROP, "default drop"},
	    {"out eth0 root 136 198.51.100.80:80", DROP, "default drop"},
	    {"out eth0 amnesia udp 198.51.100.80 fragment", DROP, "default drop"},
	};

	CHECK_DEFAULT(rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(f1_default),     cmocka_unit_test(f1_frames),
	    cmocka_unit_test(f2_tor), cmocka_unit_test(f2_transports), cmocka_unit_test(f3_clearnet),
	    cmocka_unit_test(f4_namespace),   cmocka_unit_test(f5_lan_open),
	    cmocka_unit_test(f5_lan_lookups), cmocka_unit_test(f8_ipv6_and_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
