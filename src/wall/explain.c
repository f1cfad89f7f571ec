/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the policy says of one packet, which statement says so, and where the packet goes. */
#include "explain.h"

#include "wall.h"

#include <base/json.h>
#include <ifaddrs.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

static const char *action_name(enum policy_action action)
{
	switch (action) {
	case POLICY_ACCEPT:
	case POLICY_PROXY:
		return "allowed";
	case POLICY_RESET:
		return "refused (reset)";
	case POLICY_UNREACHABLE:
		return "refused (unreachable)";
	case POLICY_DROP:
		break;
	}
	return "dropped";
}

static bool is_own(const struct packet_address *address, bool ipv6, void *data)
{
	const struct ifaddrs *at = data;
	static const struct packet_address loopback6 = { .bytes = { [15] = 1 } };

	if (ipv6 && memcmp(address, &loopback6, sizeof(loopback6)) == 0)
		return true;
	if (!ipv6 && address->bytes[0] == 127)
		return true;
	for (; at; at = at->ifa_next) {
		const void *own = NULL;

		if (!at->ifa_addr)
			continue;
		if (!ipv6 && at->ifa_addr->sa_family == AF_INET)
			own = &((const struct sockaddr_in *)(const void *)at->ifa_addr)->sin_addr;
		else if (ipv6 && at->ifa_addr->sa_family == AF_INET6)
			own = &((const struct sockaddr_in6 *)(const void *)at->ifa_addr)->sin6_addr;
		if (own && memcmp(own, address->bytes, ipv6 ? 16 : 4) == 0)
			return true;
	}
	return false;
}

/* Where an allowed packet really goes, when that is not its destination. */
static struct policy_verdict redirection(const struct policy *policy, struct packet packet)
{
	packet.path = PACKET_INPUT;
	packet.owned = false;
	packet.socket = PACKET_SOCKET_TRANSPARENT;
	return policy_evaluate(policy, &packet);
}

/* What was asked, in words: the source is not known yet, so the packet is not printed whole. */
static void print_request(const struct explain_subject *subject, struct buf *out)
{
	const struct packet *packet = &subject->packet;
	bool ipv6 = packet->ethertype == ETH_P_IPV6, ports = packet_has_ports(packet->protocol);
	const char *name = packet_protocol_name(packet->protocol);

	if (name)
		buf_puts(out, name);
	else
		buf_printf(out, "protocol %u", packet->protocol);
	buf_puts(out, ipv6 && ports ? " to [" : " to ");
	packet_address_print(&packet->destination, ipv6, out);
	if (ports)
		buf_printf(out, "%s:%u", ipv6 ? "]" : "", packet->destination_port);
	if (packet->loopback)
		buf_puts(out, " (this host)");
}

static void print_json(const struct explain_subject *subject, const struct policy_verdict *verdict,
		       const struct policy_verdict *then, struct buf *out)
{
	struct json json = { .out = out };
	AUTO_BUF struct buf packet = { .cap = 1024 };

	print_request(subject, &packet);
	json_object_begin(&json, NULL);
	json_string(&json, "sender", subject->sender);
	json_number(&json, "uid", subject->packet.uid);
	json_string(&json, "packet", buf_text(&packet));
	json_bool(&json, "loopback", subject->packet.loopback);
	json_bool(&json, "allowed", policy_allows(verdict));
	json_string(&json, "verdict", action_name(verdict->action));
	json_string(&json, "reason", verdict->reason);
	if (verdict->place.file) {
		json_string(&json, "file", verdict->place.file);
		json_number(&json, "line", verdict->place.line);
	} else {
		json_null(&json, "file");
		json_null(&json, "line");
	}
	if (then->action == POLICY_PROXY)
		json_number(&json, "redirected_to_port", then->proxy_port);
	json_object_end(&json);
	buf_puts(out, "\n");
}

static void print_text(const struct explain_subject *subject, const struct policy_verdict *verdict,
		       const struct policy_verdict *then, struct buf *out)
{
	buf_printf(out, "%s: ", action_name(verdict->action));
	print_request(subject, out);
	buf_printf(out, "\n  who:   %s\n  why:   %s\n  where: ", subject->sender, verdict->reason);
	wall_place(&verdict->place, out);
	buf_puts(out, "\n");
	if (then->action == POLICY_PROXY)
		buf_printf(out, "  then:  %s, 127.0.0.1:%u\n", then->reason, then->proxy_port);
}

static void ifaddrs_freep(struct ifaddrs **addresses)
{
	if (*addresses)
		freeifaddrs(*addresses);
}

int wall_explain(const struct wall_options *options, char **words)
{
	CLEANUP(ifaddrs_freep) struct ifaddrs *addresses = NULL;
	CLEANUP(policy_freep) struct policy *policy = NULL;
	AUTO_BUF struct buf out = { .cap = 65536 };
	struct explain_question question = { .user = words[0],
					     .destination = words[1],
					     .protocol = options->protocol,
					     .source_port = (uint16_t)options->source_port,
					     .is_own = is_own };
	struct policy_verdict verdict, then = { 0 };
	struct explain_subject subject;
	struct diag diag = { 0 };
	int r = wall_load(options, options->policy, &policy);

	if (r != WALL_OK)
		return r;
	if (getifaddrs(&addresses) < 0) {
		wall_complain(neg_errno(), "cannot list this host's addresses");
		return WALL_FAILED;
	}
	question.data = addresses;
	r = explain_parse(policy, &question, &diag, &subject);
	if (r < 0) {
		wall_complain_diag(options, &diag);
		return WALL_BAD;
	}
	verdict = policy_evaluate(policy, &subject.packet);
	if (policy_allows(&verdict) && subject.packet.loopback)
		then = redirection(policy, subject.packet);
	if (options->json)
		print_json(&subject, &verdict, &then, &out);
	else
		print_text(&subject, &verdict, &then, &out);
	return wall_write(&out, policy_allows(&verdict) ? WALL_OK : WALL_NO);
}
