/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "explain.h"

#include <base/num.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#define ANY_HIGH_PORT 40000
#define ECHO_REQUEST  8
#define ECHO6_REQUEST 128

static int parse_user(const struct policy *policy, const char *text, struct diag *diag,
		      struct explain_subject *subject)
{
	const char *at = strchr(text, '@');
	const struct policy_namespace *namespace = NULL;
	const struct policy_user *user;
	uint64_t uid;

	if (at) {
		namespace = policy_find_namespace(policy, at + 1);
		if (!namespace) {
			diag_set(diag, NULL, 0, 0, "the policy knows no namespace '%s'", at + 1);
			return -EINVAL;
		}
		/* Whoever runs inside: what comes out is sent by the user who carries it. */
		subject->packet.uid = namespace->uid;
		snprintf(subject->sender, sizeof(subject->sender), "%.32s in namespace %.32s",
			 policy_find_user(policy, namespace->uid)->name, namespace->name);
		return 0;
	}
	user = policy_find_user_by_name(policy, text);
	if (user) {
		subject->packet.uid = user->uid;
		snprintf(subject->sender, sizeof(subject->sender), "%s", user->name);
		return 0;
	}
	if (num_parse_u64(text, UINT32_MAX - 1, &uid) < 0) {
		diag_set(diag, NULL, 0, 0, "the policy does not name the user '%s'", text);
		diag_hint(diag, "users without grants are all alike: give a number, as 65000");
		return -EINVAL;
	}
	user = policy_find_user(policy, (uint32_t)uid);
	subject->packet.uid = (uint32_t)uid;
	snprintf(subject->sender, sizeof(subject->sender), "%s", user ? user->name : text);
	return 0;
}

static int bad_destination(const char *text, struct diag *diag)
{
	diag_set(diag, NULL, 0, 0, "'%s' is not ADDRESS, ADDRESS:PORT or [IPV6]:PORT", text);
	diag_hint(diag, "names are not looked up: that would leave this computer");
	return -EINVAL;
}

/* Cut @text into address and port; *ret_port is "" when there is none. */
static int split(const char *text, char address[static 64], const char **ret_port)
{
	const char *end, *port = "";
	size_t len;

	if (text[0] == '[') {
		end = strchr(text, ']');
		if (!end || (end[1] && end[1] != ':'))
			return -EINVAL;
		text++;
		port = end[1] ? end + 2 : "";
		if (end[1] && !*port)
			return -EINVAL;
	} else {
		end = strchr(text, ':');
		if (end && strchr(end + 1, ':'))
			end = NULL; /* an IPv6 address without port */
		if (end) {
			port = end + 1;
			if (!*port)
				return -EINVAL;
		} else {
			end = text + strlen(text);
		}
	}
	len = (size_t)(end - text);
	if (len == 0 || len >= 64)
		return -EINVAL;
	memcpy(address, text, len);
	address[len] = '\0';
	*ret_port = port;
	return 0;
}

static int parse_destination(const char *text, struct diag *diag, struct packet *packet,
			     bool *ret_port)
{
	char address[64];
	const char *port;
	uint64_t number = 0;
	bool ipv6;

	if (split(text, address, &port) < 0 ||
	    packet_address_parse(address, &packet->destination, &ipv6) < 0)
		return bad_destination(text, diag);
	if (*port && (num_parse_u64(port, 65535, &number) < 0 || number == 0))
		return bad_destination(text, diag);
	packet->ethertype = ipv6 ? ETH_P_IPV6 : ETH_P_IP;
	packet->destination_port = (uint16_t)number;
	*ret_port = *port != '\0';
	return 0;
}

static int parse_protocol(const char *text, struct diag *diag, struct packet *packet)
{
	uint64_t number;

	for (unsigned protocol = 0; protocol < 256; protocol++) {
		const char *name = packet_protocol_name((uint8_t)protocol);

		if (name && strcmp(name, text) == 0) {
			packet->protocol = (uint8_t)protocol;
			return 0;
		}
	}
	if (num_parse_u64(text, 255, &number) < 0) {
		diag_set(diag, NULL, 0, 0, "'%s' is not a protocol", text);
		diag_hint(diag, "tcp, udp, icmp, icmpv6, sctp, gre, ... or a number up to 255");
		return -EINVAL;
	}
	packet->protocol = (uint8_t)number;
	return 0;
}

int explain_parse(const struct policy *policy, const struct explain_question *question,
		  struct diag *diag, struct explain_subject *ret_subject)
{
	struct explain_subject subject = { .packet = { .path = PACKET_OUTPUT,
						       .owned = true,
						       .routed = true } };
	struct packet *packet = &subject.packet;
	bool has_port = false, ipv6;
	int r;

	r = parse_user(policy, question->user, diag, &subject);
	if (r == 0)
		r = parse_destination(question->destination, diag, packet, &has_port);
	if (r == 0)
		r = parse_protocol(question->protocol ? question->protocol : "tcp", diag, packet);
	if (r < 0)
		return r;
	if (packet_has_ports(packet->protocol) && !has_port) {
		diag_set(diag, NULL, 0, 0, "'%s' needs a port for this protocol",
			 question->destination);
		diag_hint(diag, "ADDRESS:PORT, or --proto=icmp");
		return -EINVAL;
	}
	ipv6 = packet->ethertype == ETH_P_IPV6;
	packet->source_port = question->source_port ? question->source_port : ANY_HIGH_PORT;
	packet->tcp_flags = PACKET_TCP_SYN;
	packet->icmp_type = ipv6 ? ECHO6_REQUEST : ECHO_REQUEST;
	packet->loopback = question->is_own(&packet->destination, ipv6, question->data);
	subject.frame = !packet->loopback;
	*ret_subject = subject;
	return 0;
}
