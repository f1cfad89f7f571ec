/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the shipped policy means, packet by packet, in tables written by hand from the
 * specification. A row that fails is a contradiction between the specification and the evaluator:
 * find out which of the two is wrong, and never bend the row to what the program says.
 */
#include "policy.h"

#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#include <base/num.h>

#include "test_util.h"

#define CLEAN CLEANUP(policy_freep)

/*
 * A packet in words: PATH DEVICE OWNER WHAT [DESTINATION[:PORT]] [OPTION ...], for example
 *	"out eth0 debian-tor tcp 198.51.100.80:443"
 *	"in lo - udp 127.0.0.1:53 from=40000"
 * PATH is out, frame, in or forward; OWNER a user, a number or "-" for none. WHAT is tcp (a SYN
 * unless flags= says else), udp, icmp, icmpv6, sctp, gre, arp, eapol, a protocol's number, or an
 * ethertype in hexadecimal. An IPv6 address stands in brackets.
 * Options: flags=SARF, from=PORT, type=N, code=N, op=N, odd (ARP of another shape), fragment, raw (past
 * the IP stack), expected, socket=wildcard|bound|transparent.
 */
struct row {
	const char *packet;
	enum policy_action action;
	/* How the line of the policy begins that must be named as the reason; NULL where no single
	 * statement decides. */
	const char *line;
};

static void set_destination(struct packet *packet, char *word)
{
	char *end = word[0] == '[' ? strchr(word, ']') : strchr(word, ':'), *port;
	uint64_t number = 0;
	bool ipv6;

	port = end ? (*end == ']' ? end + 1 : end) : NULL;
	if (port && *port == ':')
		assert_int_equal(num_parse_u64(port + 1, UINT16_MAX, &number), 0);
	if (end)
		*end = '\0';
	assert_int_equal(packet_address_parse(word + (word[0] == '['), &packet->destination, &ipv6),
			 0);
	packet->ethertype = ipv6 ? ETH_P_IPV6 : ETH_P_IP;
	packet->destination_port = (uint16_t)number;
}

static void set_what(struct packet *packet, const char *word)
{
	static const struct {
		const char *name;
		uint8_t protocol;
	} protocols[] = {
		{ "tcp", IPPROTO_TCP },	  { "udp", IPPROTO_UDP },	{ "icmp", IPPROTO_ICMP },
		{ "icmpv6", IPPROTO_ICMPV6 }, { "sctp", IPPROTO_SCTP }, { "gre", IPPROTO_GRE },
	};
	uint64_t number;
	unsigned type;

	if (strcmp(word, "arp") == 0 || strcmp(word, "eapol") == 0) {
		packet->ethertype = word[0] == 'a' ? ETH_P_ARP : ETH_P_PAE;
		packet->arp_plain = word[0] == 'a';
		packet->arp_operation = word[0] == 'a';
		return;
	}
	if (strncmp(word, "0x", 2) == 0) {
		assert_int_equal(sscanf(word, "%x", &type), 1);
		packet->ethertype = (uint16_t)type;
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (strcmp(word, protocols[i].name) == 0)
			packet->protocol = protocols[i].protocol;
	if (packet->protocol == 0) {
		assert_int_equal(num_parse_u64(word, 255, &number), 0);
		packet->protocol = (uint8_t)number;
	}
	packet->source_port = packet_has_ports(packet->protocol) ? 40000 : 0;
	packet->tcp_flags = packet->protocol == IPPROTO_TCP ? PACKET_TCP_SYN : 0;
}

static void set_flags(struct packet *packet, const char *letters)
{
	packet->tcp_flags = 0;
	for (; *letters; letters++)
		packet->tcp_flags |= *letters == 'S'   ? PACKET_TCP_SYN
				     : *letters == 'A' ? PACKET_TCP_ACK
				     : *letters == 'R' ? PACKET_TCP_RST
				     : *letters == 'F' ? PACKET_TCP_FIN
						       : 0;
}

static void set_option(struct packet *packet, const char *word)
{
	const char *value = strchr(word, '=');
	uint64_t number = 0;

	if (value && value[1] >= '0' && value[1] <= '9')
		assert_int_equal(num_parse_u64(value + 1, UINT16_MAX, &number), 0);
	if (strncmp(word, "flags=", 6) == 0)
		set_flags(packet, value + 1);
	else if (strncmp(word, "from=", 5) == 0)
		packet->source_port = (uint16_t)number;
	else if (strncmp(word, "type=", 5) == 0)
		packet->icmp_type = (uint8_t)number;
	else if (strncmp(word, "code=", 5) == 0)
		packet->icmp_code = (uint8_t)number;
	else if (strncmp(word, "op=", 3) == 0)
		packet->arp_operation = (uint16_t)number;
	else if (strcmp(word, "odd") == 0)
		packet->arp_plain = false;
	else if (strcmp(word, "raw") == 0)
		packet->routed = false;
	else if (strcmp(word, "expected") == 0)
		packet->expected = true;
	else if (strcmp(word, "socket=wildcard") == 0)
		packet->socket = PACKET_SOCKET_WILDCARD;
	else if (strcmp(word, "socket=bound") == 0)
		packet->socket = PACKET_SOCKET_BOUND;
	else if (strcmp(word, "socket=transparent") == 0)
		packet->socket = PACKET_SOCKET_TRANSPARENT;
	else if (strcmp(word, "fragment") == 0)
		packet->fragment = true;
	else
		fail_msg("no such option: %s", word);
}

static void set_owner(struct packet *packet, const struct policy *policy, const char *word)
{
	const struct policy_user *user = policy_find_user_by_name(policy, word);
	uint64_t number;

	packet->owned = strcmp(word, "-") != 0;
	if (!packet->owned)
		return;
	if (user) {
		packet->uid = user->uid;
	} else {
		assert_int_equal(num_parse_u64(word, UINT32_MAX, &number), 0);
		packet->uid = (uint32_t)number;
	}
}

static void set_path(struct packet *packet, const char *word)
{
	static const char *const paths[] = {
		[PACKET_OUTPUT] = "out",
		[PACKET_FRAME] = "frame",
		[PACKET_INPUT] = "in",
		[PACKET_FORWARD] = "forward",
	};

	for (size_t i = PACKET_OUTPUT; i < ARRAY_SIZE(paths); i++)
		if (strcmp(word, paths[i]) == 0)
			packet->path = (enum packet_path)i;
	assert_int_not_equal(packet->path, 0);
	packet->routed = packet->path == PACKET_OUTPUT || packet->path == PACKET_FRAME;
}

static struct packet read_packet(const struct policy *policy, const char *text)
{
	struct packet packet = { 0 };
	char copy[256], *rest = copy, *word;

	snprintf(copy, sizeof(copy), "%s", text);
	for (unsigned i = 0; (word = strsep(&rest, " ")); i++) {
		if (i == 0)
			set_path(&packet, word);
		else if (i == 1)
			packet.loopback = strcmp(word, "lo") == 0;
		else if (i == 2)
			set_owner(&packet, policy, word);
		else if (i == 3)
			set_what(&packet, word);
		else if (i == 4 && (word[0] == '[' || (word[0] >= '0' && word[0] <= '9')))
			set_destination(&packet, word);
		else
			set_option(&packet, word);
	}
	if (packet.fragment)
		packet.source_port = packet.destination_port = packet.tcp_flags = 0;
	return packet;
}

static const char *action_text(enum policy_action action)
{
	static const char *const texts[] = {
		[POLICY_DROP] = "drop",
		[POLICY_RESET] = "reset",
		[POLICY_UNREACHABLE] = "unreachable",
		[POLICY_ACCEPT] = "accept",
		[POLICY_PROXY] = "proxy",
	};

	return texts[action];
}

static bool check_row(const struct policy *policy, const char *text, const struct row *row)
{
	struct packet packet = read_packet(policy, row->packet);
	struct policy_verdict verdict = policy_evaluate(policy, &packet);
	char line[1100] = "";

	if (verdict.place.file)
		test_line(text, verdict.place.line, line, sizeof(line));
	if (verdict.action == row->action && verdict.reason && verdict.reason[0] &&
	    (!row->line || strncmp(line, row->line, strlen(row->line)) == 0))
		return true;
	print_message("# %s: expected %s%s%s, but %s (%s) by: %s\n", row->packet,
		      action_text(row->action), row->line ? " by " : "",
		      row->line ? row->line : "", action_text(verdict.action), verdict.reason,
		      line);
	return false;
}

static void check_rows(const char *text, const struct row *rows, size_t count)
{
	CLEAN struct policy *policy = test_parse(text);
	unsigned wrong = 0;

	for (size_t i = 0; i < count; i++)
		wrong += !check_row(policy, text, &rows[i]);
	assert_int_equal(wrong, 0);
}

#define CHECK_DEFAULT(rows)                                                                        \
	do {                                                                                       \
		AUTO_FREE char *text_ = test_default_text();                                       \
		check_rows(text_, rows, ARRAY_SIZE(rows));                                         \
	} while (0)

#define ACCEPT	    POLICY_ACCEPT
#define DROP	    POLICY_DROP
#define RESET	    POLICY_RESET
#define UNREACHABLE POLICY_UNREACHABLE
#define PROXY	    POLICY_PROXY

/* "The default case is to block all outbound network traffic." TCP is refused by a reset, so that
 * programs fail at once, where a reset can be sent; the rest vanishes. */
static void f1_default(void **state)
{
	static const struct row rows[] = {
		{ "out eth0 amnesia tcp 198.51.100.80:80", RESET, "default drop" },
		{ "out eth0 amnesia tcp 198.51.100.80:443", RESET, "default drop" },
		{ "out eth0 root tcp 198.51.100.80:443", RESET, "default drop" },
		{ "out eth0 nobody tcp 198.51.100.80:443", RESET, "default drop" },
		{ "out eth0 _apt tcp 198.51.100.80:80", RESET, "default drop" },
		{ "out eth0 1000 tcp 198.51.100.80:80", RESET, "default drop" },
		{ "out eth0 - tcp 198.51.100.80:80", RESET, "default drop" },
		{ "out eth0 root udp 198.51.100.80:53", DROP, "default drop" },
		{ "out eth0 amnesia udp 198.51.100.80:53", DROP, "default drop" },
		{ "out eth0 - udp 198.51.100.80:123", DROP, "default drop" },
		{ "out eth0 root 2 224.0.0.22", DROP, "default drop" },
		{ "out eth0 - 2 224.0.0.22", DROP, "default drop" },
		/* Multicast and broadcast are no LAN address. */
		{ "out eth0 root udp 224.0.0.251:5353", DROP, "default drop" },
		{ "out eth0 amnesia udp 239.255.255.250:1900", DROP, "default drop" },
		{ "out eth0 amnesia udp 255.255.255.255:9", DROP, "default drop" },
		{ "out eth0 clearnet udp 224.0.0.251:5353", DROP, "default drop" },
		/* Nor is what a provider or a link hands out, for those who have only the LAN. */
		{ "out eth0 amnesia tcp 100.64.0.1:80", RESET, "default drop" },
		{ "out eth0 amnesia udp 100.64.0.1:53", DROP, "default drop" },
		{ "out eth0 amnesia tcp 169.254.169.254:80", RESET, "default drop" },
		{ "out eth0 root udp 169.254.1.1:53", DROP, "default drop" },
		/* Right beside the private networks. */
		{ "out eth0 amnesia tcp 9.255.255.255:80", RESET, "default drop" },
		{ "out eth0 amnesia tcp 11.0.0.0:80", RESET, "default drop" },
		{ "out eth0 amnesia tcp 172.15.255.255:80", RESET, "default drop" },
		{ "out eth0 amnesia tcp 172.32.0.0:80", RESET, "default drop" },
		{ "out eth0 amnesia tcp 192.167.255.255:80", RESET, "default drop" },
		{ "out eth0 amnesia tcp 192.169.0.0:80", RESET, "default drop" },
		/* Nothing is forwarded. */
		{ "forward eth0 - tcp 198.51.100.80:80", DROP, NULL },
		{ "forward eth0 - udp 192.168.1.1:53", DROP, NULL },
		{ "forward eth0 - tcp [2001:db8::1]:80", DROP, NULL },
	};

	CHECK_DEFAULT(rows);
}

/* Frames that never touched the IP stack obey the same grants, and those that a link needs are
 * granted by shape and owner. */
static void f1_frames(void **state)
{
	static const struct row rows[] = {
		{ "frame eth0 - arp", ACCEPT, "link arp" },
		{ "frame eth0 - arp op=2", ACCEPT, "link arp" },
		{ "frame eth0 root arp", ACCEPT, "link arp" },
		{ "frame eth0 root arp op=2 raw", ACCEPT, "link arp" },
		{ "frame eth0 nobody arp raw", DROP, "default drop" },
		{ "frame eth0 amnesia arp raw", DROP, "default drop" },
		{ "frame eth0 - arp op=3", DROP, "default drop" },
		{ "frame eth0 root arp op=0 raw", DROP, "default drop" },
		{ "frame eth0 root arp op=9 raw", DROP, "default drop" },
		{ "frame eth0 - arp odd", DROP, "default drop" },
		{ "frame eth0 root arp odd raw", DROP, "default drop" },
		{ "frame eth0 root eapol raw", ACCEPT, "link eapol" },
		{ "frame eth0 nobody eapol raw", DROP, "default drop" },
		{ "frame eth0 - eapol", DROP, "default drop" },
		{ "frame eth0 root 0x88cc raw", DROP, "default drop" },
		{ "frame eth0 root 0x8100 raw", DROP, "default drop" },
		{ "frame eth0 root 0x8864 raw", DROP, "default drop" },
		{ "frame eth0 root 0x0000 raw", DROP, "default drop" },
		{ "frame eth0 - 0x88cc", DROP, "default drop" },
		{ "out eth0 root udp 255.255.255.255:67 from=68", ACCEPT, "link dhcp" },
		{ "frame eth0 root udp 255.255.255.255:67 from=68 raw", ACCEPT, "link dhcp" },
		{ "frame eth0 nobody udp 255.255.255.255:67 from=68 raw", DROP, "default drop" },
		{ "out eth0 amnesia udp 255.255.255.255:67 from=68", DROP, "default drop" },
		{ "out eth0 - udp 255.255.255.255:67 from=68", DROP, "default drop" },
		{ "out eth0 root udp 255.255.255.255:67 from=69", DROP, "default drop" },
		{ "out eth0 root udp 255.255.255.255:68 from=68", DROP, "default drop" },
		{ "out eth0 root udp 255.255.255.255:67 from=67", DROP, "default drop" },
		{ "out eth0 root udp 198.51.100.80:67 from=68", DROP, "default drop" },
		{ "out eth0 root tcp 255.255.255.255:67 from=68", RESET, "default drop" },
		/* Renewed by unicast, it is LAN traffic. */
		{ "out eth0 root udp 192.168.1.1:67 from=68", ACCEPT, "lan private" },
		/* Written as frames, IP packets have no more rights; and there is no reset. */
		{ "frame eth0 root tcp 198.51.100.80:80 raw", DROP, "default drop" },
		{ "frame eth0 root udp 198.51.100.80:53 raw", DROP, "default drop" },
		{ "frame eth0 root tcp [2001:db8::80]:80 raw", DROP, "ipv6 blocked" },
		{ "frame eth0 root icmpv6 [ff02::2] type=133 raw", DROP, "ipv6 blocked" },
		{ "frame eth0 debian-tor tcp 198.51.100.80:443", ACCEPT, "allow debian-tor" },
		{ "frame eth0 debian-tor udp 198.51.100.80:443", DROP, "default drop" },
		{ "frame eth0 clearnet udp 198.51.100.80:123", ACCEPT, "allow clearnet" },
		{ "frame eth0 amnesia tcp 192.168.1.50:631", ACCEPT, "lan private" },
		{ "frame eth0 amnesia udp 192.168.1.1:53 raw", DROP, "lan private" },
		/* What crosses loopback was judged on its way out; what did not come that way is not
		 * let in by the back door. */
		{ "frame lo amnesia tcp 127.0.0.1:80", ACCEPT, NULL },
		{ "frame lo root tcp 127.0.0.1:9050 raw", DROP, NULL },
		{ "frame lo root udp 127.0.0.1:53 raw", DROP, NULL },
		{ "frame lo root arp raw", DROP, NULL },
	};

	CHECK_DEFAULT(rows);
}

/* "special-casing connections originating from the debian-tor Unix user": TCP, to the Internet. */
static void f2_tor(void **state)
{
	static const struct row rows[] = {
		{ "out eth0 debian-tor tcp 198.51.100.80:443", ACCEPT, "allow debian-tor" },
		{ "out eth0 debian-tor tcp 198.51.100.80:9001", ACCEPT, "allow debian-tor" },
		{ "out eth0 debian-tor tcp 1.0.0.0:1", ACCEPT, "allow debian-tor" },
		{ "out eth0 debian-tor tcp 223.255.255.255:65535", ACCEPT, "allow debian-tor" },
		{ "out eth0 debian-tor tcp 198.51.100.80:443 flags=A", ACCEPT,
		  "allow debian-tor" },
		{ "out eth0 debian-tor tcp 198.51.100.80:443 flags=FA", ACCEPT,
		  "allow debian-tor" },
		{ "out eth0 debian-tor udp 198.51.100.80:443", DROP, "default drop" },
		{ "out eth0 debian-tor udp 198.51.100.80:53", DROP, "default drop" },
		{ "out eth0 debian-tor icmp 198.51.100.80 type=8", DROP, "default drop" },
		{ "out eth0 debian-tor sctp 198.51.100.80:443", DROP, "default drop" },
		{ "out eth0 debian-tor tcp [2001:db8::80]:443", RESET, "ipv6 blocked" },
		{ "out eth0 debian-tor tcp 100.64.0.1:443", RESET, "default drop" },
		{ "out eth0 debian-tor tcp 169.254.0.1:443", RESET, "default drop" },
		{ "out eth0 debian-tor tcp 224.0.0.1:443", RESET, "default drop" },
		{ "out eth0 debian-tor tcp 240.0.0.1:443", RESET, "default drop" },
		/* On the LAN it is a user like others: a bridge may stand there, a resolver not. */
		{ "out eth0 debian-tor tcp 192.168.1.7:443", ACCEPT, "lan private" },
		{ "out eth0 debian-tor tcp 192.168.1.1:53", RESET, "lan private" },
		/* A connection's rest, when its owner is gone, is let out; no beginning is. */
		{ "out eth0 - tcp 198.51.100.80:443 flags=A", ACCEPT, NULL },
		{ "out eth0 - tcp 198.51.100.80:443 flags=FA", ACCEPT, NULL },
		{ "out eth0 - tcp 198.51.100.80:443 flags=R", ACCEPT, NULL },
		{ "out eth0 - tcp 198.51.100.80:443 flags=SA", ACCEPT, NULL },
		{ "out eth0 - tcp 198.51.100.80:443", RESET, "default drop" },
		{ "frame eth0 - tcp 198.51.100.80:443", DROP, "default drop" },
		{ "frame eth0 - tcp 198.51.100.80:443 flags=A", ACCEPT, NULL },
		{ "out eth0 - tcp 224.0.0.1:443 flags=A", RESET, "default drop" },
		{ "out eth0 - tcp 240.0.0.1:443 flags=A", RESET, "default drop" },
		{ "out eth0 - tcp 198.51.100.80 fragment", DROP, "default drop" },
		/* But what has an owner is judged by the owner, opening or not. */
		{ "out eth0 amnesia tcp 198.51.100.80:443 flags=A", RESET, "default drop" },
		{ "out eth0 root tcp 198.51.100.80:443 flags=R", RESET, "default drop" },
		{ "out eth0 root tcp 198.51.100.80:443 flags=SA", RESET, "default drop" },
		{ "frame eth0 root tcp 198.51.100.80:443 flags=A raw", DROP, "default drop" },
	};

	CHECK_DEFAULT(rows);
}

/* "full network access (but no loopback access)" */
static void f3_clearnet(void **state)
{
	static const struct row rows[] = {
		{ "out eth0 clearnet tcp 198.51.100.80:80", ACCEPT, "allow clearnet" },
		{ "out eth0 clearnet tcp 198.51.100.80:443", ACCEPT, "allow clearnet" },
		{ "out eth0 clearnet udp 198.51.100.80:53", ACCEPT, "allow clearnet" },
		{ "out eth0 clearnet udp 198.51.100.80 fragment", ACCEPT, "allow clearnet" },
		{ "out eth0 clearnet udp 192.168.1.1:53", ACCEPT, "allow clearnet" },
		{ "out eth0 clearnet tcp 10.1.2.3:53", ACCEPT, "allow clearnet" },
		{ "out eth0 clearnet udp 100.64.0.1:53", ACCEPT, "allow clearnet" },
		{ "out eth0 clearnet udp 169.254.1.1:53", ACCEPT, "allow clearnet" },
		{ "out eth0 clearnet icmp 198.51.100.80 type=8", DROP, "default drop" },
		{ "out eth0 clearnet gre 198.51.100.80", DROP, "default drop" },
		{ "out eth0 clearnet tcp [2001:db8::80]:80", RESET, "ipv6 blocked" },
		{ "out eth0 clearnet udp [2001:db8::80]:53", DROP, "ipv6 blocked" },
		{ "out lo clearnet tcp 127.0.0.1:80", RESET, "forbid clearnet" },
		{ "out lo clearnet tcp 127.0.0.1:9050", RESET, NULL },
		{ "out lo clearnet tcp 127.0.0.1:9062", RESET, NULL },
		{ "out lo clearnet udp 127.0.0.1:53", UNREACHABLE, NULL },
		{ "out lo clearnet udp 127.0.0.1:5353", UNREACHABLE, "forbid clearnet" },
		{ "out lo clearnet tcp [::1]:80", RESET, "forbid clearnet" },
		{ "out lo clearnet udp [::1]:53", UNREACHABLE, NULL },
		{ "out lo clearnet icmp 127.0.0.1 type=8", UNREACHABLE, NULL },
		/* Its own address on the LAN leads to loopback too. */
		{ "out lo clearnet tcp 192.168.1.2:8099", RESET, "forbid clearnet" },
		{ "out lo clearnet tcp 127.192.0.1:80", RESET, "automap" },
	};

	CHECK_DEFAULT(rows);
}

/* "full network access (UDP and TCP) but no loopback access" for the namespace, whose packets are
 * sent by its user. */
static void f4_namespace(void **state)
{
	static const struct row rows[] = {
		{ "out eth0 clearnet-net tcp 198.51.100.80:80", ACCEPT, "allow clearnet-net" },
		{ "out eth0 clearnet-net udp 198.51.100.80:443", ACCEPT, "allow clearnet-net" },
		{ "out eth0 clearnet-net udp 192.168.1.1:53", ACCEPT, "allow clearnet-net" },
		{ "out eth0 clearnet-net udp 100.64.0.1:53", ACCEPT, "allow clearnet-net" },
		{ "out eth0 clearnet-net icmp 198.51.100.80 type=8", DROP, "default drop" },
		{ "out eth0 clearnet-net sctp 198.51.100.80:80", DROP, "default drop" },
		{ "out eth0 clearnet-net tcp [2001:db8::80]:80", RESET, "ipv6 blocked" },
		{ "out lo clearnet-net tcp 127.0.0.1:9050", RESET, NULL },
		{ "out lo clearnet-net tcp 127.0.0.1:631", RESET, "forbid clearnet-net" },
		{ "out lo clearnet-net udp 127.0.0.1:53", UNREACHABLE, NULL },
		{ "out lo clearnet-net tcp 192.168.1.2:22", RESET, "forbid clearnet-net" },
		{ "out lo clearnet-net tcp [::1]:22", RESET, "forbid clearnet-net" },
		{ "out lo clearnet-net tcp 127.255.255.255:80", RESET, "automap" },
	};
	AUTO_FREE char *text = test_default_text();
	CLEAN struct policy *policy = test_parse(text);
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
		{ "out eth0 amnesia tcp 192.168.1.50:631", ACCEPT, "lan private" },
		{ "out eth0 amnesia tcp 192.168.1.1:80", ACCEPT, "lan private" },
		{ "out eth0 amnesia udp 192.168.1.50:161", ACCEPT, "lan private" },
		{ "out eth0 amnesia icmp 192.168.1.1 type=8", ACCEPT, "lan private" },
		{ "out eth0 root tcp 10.0.0.0:22", ACCEPT, "lan private" },
		{ "out eth0 root tcp 10.255.255.255:22", ACCEPT, "lan private" },
		{ "out eth0 nobody tcp 172.16.0.0:22", ACCEPT, "lan private" },
		{ "out eth0 _apt udp 172.31.255.255:4242", ACCEPT, "lan private" },
		{ "out eth0 1000 tcp 192.168.0.0:22", ACCEPT, "lan private" },
		{ "out eth0 1000 udp 192.168.255.255:9", ACCEPT, "lan private" },
		{ "out eth0 amnesia tcp 192.168.1.1:52", ACCEPT, "lan private" },
		{ "out eth0 amnesia tcp 192.168.1.1:54", ACCEPT, "lan private" },
		{ "out eth0 amnesia udp 192.168.1.1:5352", ACCEPT, "lan private" },
		{ "out eth0 amnesia udp 192.168.1.1:5354", ACCEPT, "lan private" },
		/* No owner, no rights, but for a connection's rest. */
		{ "out eth0 - tcp 192.168.1.50:631", RESET, "default drop" },
		{ "out eth0 - udp 192.168.1.50:161", DROP, "default drop" },
		{ "out eth0 - icmp 192.168.1.50 type=0", DROP, "default drop" },
		{ "out eth0 - icmp 192.168.1.50 type=3 code=3", DROP, "default drop" },
		{ "out eth0 - tcp 192.168.1.50:631 flags=FA", ACCEPT, NULL },
		{ "out eth0 amnesia tcp [fd00:1::50]:631", RESET, "ipv6 blocked" },
	};

	CHECK_DEFAULT(rows);
}

/* "LAN DNS queries are forbidden", in whatever form names are asked for; and so is asking the
 * router who this is to the world. Ports from the RFCs: DNS 1035, DNS over TLS 7858, NetBIOS 1002,
 * mDNS 6762, LLMNR 4795, PCP 6887; SSDP from UPnP. */
static void f5_lan_lookups(void **state)
{
	static const unsigned ports[] = { 53, 853, 137, 5353, 5355, 5351, 1900 };
	static const char *const users[] = { "amnesia", "root", "nobody", "_apt", "debian-tor",
					     "1000" };
	AUTO_FREE char *text = test_default_text();
	CLEAN struct policy *policy = test_parse(text);
	unsigned wrong = 0;

	for (size_t i = 0; i < ARRAY_SIZE(ports); i++)
		for (size_t j = 0; j < ARRAY_SIZE(users); j++)
			for (unsigned tcp = 0; tcp < 2; tcp++) {
				char packet[128];
				struct row row = { packet, tcp ? RESET : DROP, "lan private" };

				snprintf(packet, sizeof(packet), "out eth0 %s %s 192.168.1.1:%u",
					 users[j], tcp ? "tcp" : "udp", ports[i]);
				wrong += !check_row(policy, text, &row);
			}
	assert_int_equal(wrong, 0);
}

/* "only grants access to each local service to the users that actually need it" */
static void f6_services(void **state)
{
	static const struct row rows[] = {
		{ "out lo _apt tcp 127.0.0.1:9050", ACCEPT, "service socks " },
		{ "out lo nobody tcp 127.0.0.1:9050", ACCEPT, "service socks " },
		{ "out lo root tcp 127.0.0.1:9050", RESET, "service socks " },
		{ "out lo debian-tor tcp 127.0.0.1:9050", RESET, "service socks " },
		{ "out lo 1000 tcp 127.0.0.1:9050", RESET, "service socks " },
		{ "out lo - tcp 127.0.0.1:9050", RESET, "default drop" },
		{ "out lo root tcp 127.0.0.1:9062", ACCEPT, "service socks-system" },
		{ "out lo nobody tcp 127.0.0.1:9062", RESET, "service socks-system" },
		{ "out lo _apt tcp 127.0.0.1:9062", RESET, "service socks-system" },
		{ "out lo root tcp 127.0.0.1:80", RESET, "default drop" },
		{ "out lo nobody tcp 127.0.0.1:22", RESET, "default drop" },
		{ "out lo _apt tcp 127.0.0.1:9051", RESET, "default drop" },
		{ "out lo root tcp 127.0.0.1:9040", RESET, "default drop" },
		{ "out lo root udp 127.0.0.1:123", UNREACHABLE, "default drop" },
		{ "out lo nobody udp 127.0.0.1:9050", UNREACHABLE, "default drop" },
		/* Every local address is the same local service. */
		{ "out lo nobody tcp 127.0.0.2:9050", ACCEPT, "service socks " },
		{ "out lo nobody tcp 127.191.255.255:9050", ACCEPT, "service socks " },
		{ "out lo nobody tcp [::1]:9050", ACCEPT, "service socks " },
		{ "out lo nobody tcp 192.168.1.2:9050", ACCEPT, "service socks " },
		{ "out lo root tcp [::1]:9050", RESET, "service socks " },
		{ "out lo root tcp 192.168.1.2:9050", RESET, "service socks " },
		{ "out lo root tcp 192.168.1.2:8099", RESET, "default drop" },
		{ "out lo nobody tcp [fd00:1::2]:8099", RESET, "default drop" },
		{ "out lo root tcp 198.51.100.2:8099", RESET, "default drop" },
		/* `amnesia`: "any local TCP port apart for a blocklist" */
		{ "out lo amnesia tcp 127.0.0.1:9050", ACCEPT, "allow amnesia to loopback" },
		{ "out lo amnesia tcp 127.0.0.1:1", ACCEPT, "allow amnesia to loopback" },
		{ "out lo amnesia tcp 127.0.0.1:17605", ACCEPT, "allow amnesia to loopback" },
		{ "out lo amnesia tcp 127.0.0.1:65535", ACCEPT, "allow amnesia to loopback" },
		{ "out lo amnesia tcp 127.0.0.1:9061", ACCEPT, "allow amnesia to loopback" },
		{ "out lo amnesia tcp 127.0.0.1:9062", RESET, "allow amnesia to loopback" },
		{ "out lo amnesia tcp 127.0.0.1:9063", RESET, "allow amnesia to loopback" },
		{ "out lo amnesia tcp 127.0.0.1:9064", ACCEPT, "allow amnesia to loopback" },
		{ "out lo amnesia tcp [::1]:9062", RESET, "allow amnesia to loopback" },
		{ "out lo amnesia tcp 192.168.1.2:9062", RESET, "allow amnesia to loopback" },
		{ "out lo amnesia tcp [::1]:631", ACCEPT, "allow amnesia to loopback" },
		{ "out lo amnesia tcp 192.168.1.2:8099", ACCEPT, "allow amnesia to loopback" },
		{ "out lo amnesia udp 127.0.0.1:631", UNREACHABLE, "default drop" },
		{ "out lo amnesia udp 127.0.0.1:9062", UNREACHABLE, "default drop" },
		/* Parts of connections that were opened by right. */
		{ "out lo - tcp 127.0.0.1:40000 flags=A from=9050", ACCEPT, NULL },
		{ "out lo debian-tor tcp 127.0.0.1:40000 flags=SA from=9050", ACCEPT, NULL },
		{ "out lo - tcp 127.0.0.1:40000 flags=RA from=9999", ACCEPT, NULL },
		/* Not TCP, not UDP, not whole. */
		{ "out lo amnesia sctp 127.0.0.1:9050", UNREACHABLE, "default drop" },
		{ "out lo root gre 127.0.0.1", UNREACHABLE, "default drop" },
		{ "out lo root icmp 127.0.0.1 type=8", UNREACHABLE, "default drop" },
		/* No error is ever sent about a later fragment (RFC 1122, 3.2.2). */
		{ "out lo amnesia tcp 127.0.0.1 fragment", DROP, "default drop" },
		{ "out lo root udp 127.0.0.1 fragment", DROP, "default drop" },
	};

	CHECK_DEFAULT(rows);
}

/* On the way in: what somebody may send, whoever it was. */
static void f6_arriving(void **state)
{
	static const struct row rows[] = {
		{ "in lo - tcp 127.0.0.1:9050 socket=bound", ACCEPT, NULL },
		{ "in lo - tcp 127.0.0.1:9062 socket=wildcard", ACCEPT, NULL },
		{ "in lo - tcp [::1]:9050", ACCEPT, NULL },
		{ "in lo - tcp 192.168.1.2:631", ACCEPT, NULL },
		/* Nobody at all may reach this port. */
		{ "in lo - tcp 127.0.0.1:9063", DROP, "default drop" },
		{ "in lo - tcp 192.168.1.2:9063", DROP, "default drop" },
		{ "in lo - tcp 127.0.0.1:40000 flags=SA from=9050 socket=bound", ACCEPT, NULL },
		{ "in lo - udp 127.0.0.1:53", ACCEPT, NULL },
		{ "in lo - udp 127.0.0.1:40000 from=53", ACCEPT, NULL },
		{ "in lo - udp 127.0.0.1:123", DROP, "default drop" },
		{ "in lo - sctp 127.0.0.1:9050", DROP, "default drop" },
		{ "in lo - icmp 127.0.0.1 type=8", DROP, "default drop" },
		{ "in lo - udp 127.0.0.1 fragment", DROP, "default drop" },
		/* From outside: what belongs to a connection of this host, and answers. */
		{ "in eth0 - tcp 192.168.1.2:40000 flags=SA from=443 socket=bound", ACCEPT, NULL },
		{ "in eth0 - tcp 192.168.1.2:40000 flags=A from=443 socket=bound", ACCEPT, NULL },
		{ "in eth0 - tcp 192.168.1.2:40000 flags=RA from=443 socket=bound", ACCEPT, NULL },
		{ "in eth0 - tcp 192.168.1.2:40000 flags=A from=443", DROP, NULL },
		{ "in eth0 - tcp 192.168.1.2:22 flags=A socket=wildcard", DROP, NULL },
		{ "in eth0 - tcp 192.168.1.2:22 socket=wildcard", DROP, NULL },
		{ "in eth0 - tcp 192.168.1.2:22 socket=bound", DROP, NULL },
		{ "in eth0 - tcp 192.168.1.2:9050 socket=wildcard", DROP, NULL },
		{ "in eth0 - udp 192.168.1.2:40000 from=53 expected", ACCEPT, NULL },
		{ "in eth0 - udp 192.168.1.2:40000 from=53 socket=wildcard", DROP, NULL },
		{ "in eth0 - udp 192.168.1.2:5353 socket=wildcard", DROP, NULL },
		{ "in eth0 - udp 224.0.0.251:5353 socket=wildcard", DROP, NULL },
		{ "in eth0 - icmp 192.168.1.2 type=0 expected", ACCEPT, NULL },
		{ "in eth0 - icmp 192.168.1.2 type=0", DROP, NULL },
		{ "in eth0 - icmp 192.168.1.2 type=8", DROP, NULL },
		{ "in eth0 - tcp 192.168.1.2 fragment socket=bound", DROP, NULL },
		{ "in eth0 - udp 192.168.1.2 fragment", DROP, NULL },
		{ "in eth0 - gre 192.168.1.2", DROP, NULL },
		{ "in eth0 - 2 224.0.0.1", DROP, NULL },
		{ "in eth0 - tcp [fd00:1::2]:40000 flags=SA socket=bound", DROP, NULL },
		{ "in eth0 - udp [fd00:1::2]:40000 expected", DROP, NULL },
		{ "in eth0 - icmpv6 [ff02::1] type=134", DROP, NULL },
	};

	CHECK_DEFAULT(rows);
}

/* "connections targeted at the virtual mapped address space"; "Only the amnesia user is granted
 * access to the Tor transparent proxy port". DNS is Tor's, for those named. */
static void f7_automap_dns(void **state)
{
	static const struct row rows[] = {
		{ "out lo amnesia tcp 127.192.0.0:80", ACCEPT, "automap" },
		{ "out lo amnesia tcp 127.192.0.1:443", ACCEPT, "automap" },
		{ "out lo amnesia tcp 127.255.255.255:1", ACCEPT, "automap" },
		/* The blocklist is about local ports; there are none here. */
		{ "out lo amnesia tcp 127.192.0.1:9062", ACCEPT, "automap" },
		{ "out lo root tcp 127.192.0.1:80", RESET, "automap" },
		{ "out lo root tcp 127.192.0.1:9062", RESET, "automap" },
		{ "out lo nobody tcp 127.192.0.1:9050", RESET, "automap" },
		{ "out lo debian-tor tcp 127.192.0.1:80", RESET, "automap" },
		{ "out lo 1000 tcp 127.192.0.1:80", RESET, "automap" },
		{ "out lo - tcp 127.192.0.1:80", RESET, NULL },
		{ "out lo amnesia udp 127.192.0.1:443", UNREACHABLE, NULL },
		{ "out lo amnesia icmp 127.192.0.1 type=8", UNREACHABLE, NULL },
		{ "out lo root tcp 127.191.255.255:80", RESET, "default drop" },
		{ "in lo - tcp 127.192.0.1:80 socket=transparent", PROXY, "automap" },
		{ "in lo - tcp 127.192.0.1:80 flags=A socket=transparent", PROXY, "automap" },
		/* Without the proxy's socket the connection is refused, not let through. */
		{ "in lo - tcp 127.192.0.1:80", RESET, "automap" },
		{ "in lo - tcp 127.192.0.1:80 socket=wildcard", RESET, "automap" },
		{ "in lo - tcp 127.191.255.255:9050 socket=transparent", ACCEPT, NULL },
		/* The port itself is local like others: open to amnesia, closed to the rest. */
		{ "out lo amnesia tcp 127.0.0.1:9040", ACCEPT, "allow amnesia to loopback" },
		{ "out lo root tcp 127.0.0.1:9040", RESET, "default drop" },
		{ "out lo amnesia udp 127.0.0.1:53", ACCEPT, "service dns" },
		{ "out lo root udp 127.0.0.1:53", ACCEPT, "service dns" },
		{ "out lo amnesia udp [::1]:53", ACCEPT, "service dns" },
		{ "out lo amnesia udp 192.168.1.2:53", ACCEPT, "service dns" },
		{ "out lo nobody udp 127.0.0.1:53", UNREACHABLE, "default drop" },
		{ "out lo _apt udp 127.0.0.1:53", UNREACHABLE, "default drop" },
		{ "out lo 1000 udp 127.0.0.1:53", UNREACHABLE, "default drop" },
		{ "out lo - udp 127.0.0.1:53", UNREACHABLE, "default drop" },
		{ "out lo root tcp 127.0.0.1:53", RESET, "default drop" },
		/* Answers come from the server and from nobody else. */
		{ "out lo debian-tor udp 127.0.0.1:40000 from=53", ACCEPT, "service dns" },
		{ "out lo root udp 127.0.0.1:40000 from=53", ACCEPT, "service dns" },
		{ "out lo amnesia udp 127.0.0.1:40000 from=53", UNREACHABLE, "default drop" },
		{ "out lo nobody udp 127.0.0.1:40000 from=53", UNREACHABLE, "default drop" },
		{ "out lo debian-tor udp 127.0.0.1:40000 from=54", UNREACHABLE, "default drop" },
	};

	CHECK_DEFAULT(rows);
}

/* "IPv6 communication is blocked". "Non-TCP traffic to the Internet, such as UDP datagrams and
 * ICMP packets, is dropped." */
static void f8_ipv6_and_others(void **state)
{
	static const struct row rows[] = {
		{ "out eth0 amnesia tcp [2001:db8::80]:80", RESET, "ipv6 blocked" },
		{ "out eth0 root udp [2001:db8::80]:53", DROP, "ipv6 blocked" },
		{ "out eth0 root icmpv6 [2001:db8::80] type=128", DROP, "ipv6 blocked" },
		{ "out eth0 - icmpv6 [ff02::2] type=133", DROP, "ipv6 blocked" },
		{ "out eth0 - icmpv6 [ff02::16] type=143", DROP, "ipv6 blocked" },
		{ "out eth0 - icmpv6 [ff02::1:ff00:1] type=135", DROP, "ipv6 blocked" },
		{ "out eth0 amnesia tcp [fe80::1]:80", RESET, "ipv6 blocked" },
		{ "out eth0 amnesia udp [ff02::fb]:5353", DROP, "ipv6 blocked" },
		{ "out eth0 - tcp [2001:db8::80]:80 flags=A", RESET, "ipv6 blocked" },
		{ "out eth0 root tcp [::ffff:198.51.100.80]:80", RESET, "ipv6 blocked" },
		{ "out eth0 amnesia udp 198.51.100.80:443", DROP, "default drop" },
		{ "out eth0 amnesia udp 198.51.100.80:33434", DROP, "default drop" },
		{ "out eth0 root icmp 198.51.100.80 type=8", DROP, "default drop" },
		{ "out eth0 amnesia icmp 198.51.100.80 type=8", DROP, "default drop" },
		{ "out eth0 - icmp 198.51.100.80 type=3 code=3", DROP, "default drop" },
		{ "out eth0 - icmp 198.51.100.80 type=0", DROP, "default drop" },
		{ "out eth0 amnesia sctp 198.51.100.80:80", DROP, "default drop" },
		{ "out eth0 root gre 198.51.100.80", DROP, "default drop" },
		{ "out eth0 root 41 198.51.100.80", DROP, "default drop" },
		{ "out eth0 root 50 198.51.100.80", DROP, "default drop" },
		{ "out eth0 root 136 198.51.100.80:80", DROP, "default drop" },
		{ "out eth0 amnesia udp 198.51.100.80 fragment", DROP, "default drop" },
	};

	CHECK_DEFAULT(rows);
}

/* "does not accept RELATED packets"; "RELATED ICMP packets to the loopback interface are let
 * through". Errors: RFC 792 (destination unreachable, time exceeded, parameter problem), RFC 4443
 * (types 1 to 4). */
static void f9_icmp_errors(void **state)
{
	static const struct row rows[] = {
		{ "out lo - icmp 127.0.0.1 type=3 code=3", ACCEPT, NULL },
		{ "out lo root icmp 127.0.0.1 type=3 code=3", ACCEPT, NULL },
		{ "out lo - icmp 127.0.0.1 type=11", ACCEPT, NULL },
		{ "out lo - icmp 192.168.1.2 type=3 code=3", ACCEPT, NULL },
		{ "out lo - icmpv6 [::1] type=1 code=4", ACCEPT, NULL },
		{ "in lo - icmp 127.0.0.1 type=3 code=3", ACCEPT, NULL },
		{ "in lo - icmp 127.0.0.1 type=12", ACCEPT, NULL },
		{ "in lo - icmpv6 [::1] type=1 code=4", ACCEPT, NULL },
		{ "in lo - icmpv6 [::1] type=4", ACCEPT, NULL },
		{ "out lo - icmp 127.0.0.1 type=5", UNREACHABLE, "default drop" },
		{ "out lo - icmp 127.0.0.1 type=0", UNREACHABLE, "default drop" },
		{ "out lo - icmpv6 [::1] type=128", UNREACHABLE, "default drop" },
		{ "in lo - icmpv6 [::1] type=128", DROP, "default drop" },
		{ "in lo - icmp 127.0.0.1 type=13", DROP, "default drop" },
		{ "out lo root icmp 127.0.0.1 fragment", DROP, "default drop" },
		/* Not elsewhere: a router's redirect or a forged error changes nothing here. */
		{ "in eth0 - icmp 192.168.1.2 type=3 code=3 socket=bound", DROP, NULL },
		{ "in eth0 - icmp 192.168.1.2 type=3 code=4", DROP, NULL },
		{ "in eth0 - icmp 192.168.1.2 type=11", DROP, NULL },
		{ "in eth0 - icmp 192.168.1.2 type=5", DROP, NULL },
		{ "in eth0 - icmpv6 [fd00:1::2] type=1", DROP, NULL },
		{ "in eth0 - icmpv6 [fd00:1::2] type=137", DROP, NULL },
	};

	CHECK_DEFAULT(rows);
}

/* The strict variant as the comments of the shipped file describe it: one word closes the LAN, the
 * statements that are given there open what they say and nothing else. */
static void strict(void **state)
{
	static const struct row rows[] = {
		{ "out eth0 amnesia tcp 192.168.1.50:631", ACCEPT, "allow amnesia to printer" },
		{ "out eth0 amnesia tcp 192.168.1.50:9100", ACCEPT, "allow amnesia to printer" },
		{ "out eth0 amnesia tcp 192.168.1.50:80", RESET, "lan private closed" },
		{ "out eth0 amnesia tcp 192.168.1.51:631", RESET, "lan private closed" },
		{ "out eth0 amnesia udp 192.168.1.50:631", DROP, "lan private closed" },
		{ "out eth0 amnesia tcp 192.168.1.1:443", ACCEPT, "allow amnesia to 192.168.1.1" },
		{ "out eth0 root tcp 192.168.1.50:631", RESET, "lan private closed" },
		{ "out eth0 debian-tor tcp 192.168.1.7:443", RESET, "lan private closed" },
		{ "out eth0 amnesia icmp 192.168.1.1 type=8", DROP, "lan private closed" },
		{ "out eth0 amnesia udp 192.168.1.1:53", DROP, "lan private closed" },
		{ "out eth0 clearnet udp 192.168.1.1:53", ACCEPT, "allow clearnet" },
		{ "out eth0 root udp 255.255.255.255:67 from=68", ACCEPT, "link dhcp" },
		{ "out eth0 root udp 192.168.1.1:67 from=68", DROP, "lan private closed" },
		{ "out lo amnesia tcp 127.0.0.1:9050", ACCEPT, "allow amnesia to service socks" },
		{ "out lo amnesia tcp 127.0.0.1:9150", ACCEPT, "service socks-browser" },
		{ "out lo amnesia tcp 127.0.0.1:9051", ACCEPT, "service control" },
		{ "out lo amnesia tcp 127.0.0.1:631", ACCEPT, "service cups" },
		{ "out lo amnesia tcp 127.0.0.1:17600", ACCEPT, "service onionshare" },
		{ "out lo amnesia tcp 127.0.0.1:17650", ACCEPT, "service onionshare" },
		{ "out lo amnesia tcp 127.0.0.1:17651", RESET, "default drop" },
		{ "out lo amnesia tcp 127.0.0.1:80", RESET, "default drop" },
		{ "out lo amnesia tcp 127.0.0.1:9062", RESET, "service socks-system" },
		{ "out lo amnesia udp 127.0.0.1:53", ACCEPT, "service dns" },
		{ "out lo amnesia tcp 127.192.0.1:80", ACCEPT, "automap" },
		{ "out lo nobody tcp 127.0.0.1:631", RESET, "service cups" },
		{ "out lo _apt tcp 127.0.0.1:9050", ACCEPT, "service socks " },
		{ "in lo - tcp 127.0.0.1:80", DROP, "default drop" },
		{ "in lo - tcp 127.0.0.1:631", ACCEPT, NULL },
	};
	static const char *const given[] = { "network printer ", "allow amnesia to printer ",
					     "allow amnesia to 192", "allow amnesia to service ",
					     "service socks-browser ", "service control ",
					     "service cups ", "service onionshare " };
	AUTO_FREE char *text = test_default_text();

	text = test_replace(text, "\nlan private open ", "\nlan private closed ");
	text = test_replace(text, "\nallow amnesia to loopback ", "\n#llow amnesia to loopback ");
	for (size_t i = 0; i < ARRAY_SIZE(given); i++) {
		char commented[80], plain[80];

		snprintf(commented, sizeof(commented), "\n#   %s", given[i]);
		snprintf(plain, sizeof(plain), "\n%s", given[i]);
		text = test_replace(text, commented, plain);
	}
	check_rows(text, rows, ARRAY_SIZE(rows));
}

/* Small policies of their own: what the shipped one does not use. */
static void other_policies(void **state)
{
	static const char text[] = TEST_HEAD
		"network office = 10.1.0.0/16 except 10.1.9.0/24\n"
		"allow amnesia to office over tcp 22 8000-8010, icmp\n"
		"allow 1234 to 198.51.100.7 over udp 123\n"
		"service sync udp 6000-6001 by nobody for root\n";
	static const struct row rows[] = {
		{ "out eth0 amnesia tcp 10.1.0.0:22", ACCEPT, "allow amnesia" },
		{ "out eth0 amnesia tcp 10.1.255.255:8000", ACCEPT, "allow amnesia" },
		{ "out eth0 amnesia tcp 10.1.255.255:8010", ACCEPT, "allow amnesia" },
		{ "out eth0 amnesia tcp 10.1.255.255:8011", RESET, "default drop" },
		{ "out eth0 amnesia tcp 10.1.9.1:22", RESET, "default drop" },
		{ "out eth0 amnesia icmp 10.1.8.1 type=8", ACCEPT, "allow amnesia" },
		{ "out eth0 amnesia icmp 10.1.8.1 fragment", ACCEPT, "allow amnesia" },
		{ "out eth0 amnesia tcp 10.1.8.1 fragment", DROP, "default drop" },
		{ "out eth0 1234 udp 198.51.100.7:123", ACCEPT, "allow 1234" },
		{ "out eth0 1234 udp 198.51.100.8:123", DROP, "default drop" },
		{ "out eth0 1235 udp 198.51.100.7:123", DROP, "default drop" },
		{ "out lo root udp 127.0.0.1:6001", ACCEPT, "service sync" },
		{ "out lo nobody udp 127.0.0.1:40000 from=6000", ACCEPT, "service sync" },
		{ "out lo nobody udp 127.0.0.1:6000", UNREACHABLE, NULL },
		{ "out lo nobody udp 127.0.0.1:40000 from=6002", UNREACHABLE, NULL },
		{ "out lo root udp 127.0.0.1:40000 from=6000", UNREACHABLE, NULL },
		{ "out lo amnesia tcp 127.192.0.1:80", RESET, "default drop" },
		{ "frame eth0 - arp", DROP, "default drop" },
		{ "out eth0 root udp 255.255.255.255:67 from=68", DROP, "default drop" },
		/* The rest of a connection only where there are grants for TCP. */
		{ "out eth0 - tcp 10.1.0.1:22 flags=A", ACCEPT, NULL },
		{ "out eth0 - tcp 10.1.9.1:22 flags=A", RESET, "default drop" },
		{ "out eth0 - tcp 198.51.100.7:123 flags=A", RESET, "default drop" },
	};

	check_rows(text, rows, ARRAY_SIZE(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(f1_default),	    cmocka_unit_test(f1_frames),
		cmocka_unit_test(f2_tor),	    cmocka_unit_test(f3_clearnet),
		cmocka_unit_test(f4_namespace),	    cmocka_unit_test(f5_lan_open),
		cmocka_unit_test(f5_lan_lookups),   cmocka_unit_test(f6_services),
		cmocka_unit_test(f6_arriving),	    cmocka_unit_test(f7_automap_dns),
		cmocka_unit_test(f8_ipv6_and_others), cmocka_unit_test(f9_icmp_errors),
		cmocka_unit_test(strict),	    cmocka_unit_test(other_policies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
