/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "test_rows.h"

#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#include <base/num.h>

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

static uint16_t hexadecimal(const char *digit)
{
	static const char digits[] = "0123456789abcdef";
	unsigned value = 0;

	for (; *digit; digit++) {
		const char *found = strchr(digits, *digit);

		assert_non_null(found);
		value = value << 4 | (unsigned)(found - digits);
	}
	return (uint16_t)value;
}

static void set_what(struct packet *packet, const char *word)
{
	static const struct {
		const char *name;
		uint8_t protocol;
	} protocols[] = {
	    {"tcp", IPPROTO_TCP},       {"udp", IPPROTO_UDP},   {"icmp", IPPROTO_ICMP},
	    {"icmpv6", IPPROTO_ICMPV6}, {"sctp", IPPROTO_SCTP}, {"gre", IPPROTO_GRE},
	};
	uint64_t number;

	if (strcmp(word, "arp") == 0 || strcmp(word, "eapol") == 0) {
		packet->ethertype = word[0] == 'a' ? ETH_P_ARP : ETH_P_PAE;
		packet->arp_plain = word[0] == 'a';
		packet->arp_operation = word[0] == 'a';
		return;
	}
	if (strncmp(word, "0x", 2) == 0) {
		packet->ethertype = hexadecimal(word + 2);
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

	if (strncmp(word, "framed=0x", 9) == 0) {
		packet->link_ethertype = hexadecimal(value + 3);
		return;
	}
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
	else if (strcmp(word, "options") == 0)
		packet->options = 1;
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
	struct packet packet = {0};
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

bool rows_check_one(const struct policy *policy, const char *text, const struct row *row)
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
		      action_text(row->action), row->line ? " by " : "", row->line ? row->line : "",
		      action_text(verdict.action), verdict.reason, line);
	return false;
}

void rows_check(const char *text, const struct row *rows, size_t count)
{
	CLEANUP(policy_freep) struct policy *policy = test_parse(text);
	unsigned wrong = 0;

	for (size_t i = 0; i < count; i++)
		wrong += !rows_check_one(policy, text, &rows[i]);
	assert_int_equal(wrong, 0);
}
