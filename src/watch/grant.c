/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "grant.h"

#include <string.h>

#include <linux/if_ether.h>
#include <netinet/in.h>

#define POLICY_TEXT_MAX (1u << 20)

static const char *traffic_name(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_ICMP:
		return "icmp";
	default:
		return NULL;
	}
}

static const struct policy_service *service_at(const struct policy *policy,
					       const struct packet *packet)
{
	enum policy_protocol protocol = packet->protocol == IPPROTO_TCP ? POLICY_TCP : POLICY_UDP;

	for (size_t i = 0; i < policy->service_count; i++)
		if (policy->services[i].protocol == protocol &&
		    packet->destination_port >= policy->services[i].ports.low &&
		    packet->destination_port <= policy->services[i].ports.high)
			return &policy->services[i];
	return NULL;
}

/* A user is written as the policy writes it already: it takes one name for each. */
static void print_user(const struct policy *policy, uint32_t uid, struct buf *out)
{
	const struct policy_user *user = policy_find_user(policy, uid);

	if (user)
		buf_puts(out, user->name);
	else
		buf_printf(out, "%u", uid);
}

static void print_local(const struct policy *policy, const struct packet *packet, struct buf *out)
{
	const struct policy_service *service = service_at(policy, packet);
	const char *traffic = traffic_name(packet->protocol);

	if (service) {
		buf_puts(out, "allow ");
		print_user(policy, packet->uid, out);
		buf_printf(out, " to service %s", service->name);
	} else if (packet->protocol == IPPROTO_TCP) {
		buf_printf(out, "service local-%u %s %u for ", packet->destination_port, traffic,
			   packet->destination_port);
		print_user(policy, packet->uid, out);
	}
}

static void print_remote(const struct policy *policy, const struct packet *packet, struct buf *out)
{
	buf_puts(out, "allow ");
	print_user(policy, packet->uid, out);
	buf_puts(out, " to ");
	packet_address_print(&packet->destination, false, out);
	buf_printf(out, " over %s", traffic_name(packet->protocol));
	if (packet->protocol != IPPROTO_ICMP)
		buf_printf(out, " %u", packet->destination_port);
}

/* Would the policy with @line allow @packet? A line that says what may not be said is refused by the
 * parser, and helps nobody. */
static bool would_help(const struct policy *policy, const struct policy_options *options,
		       const char *line, const struct packet *packet)
{
	CLEANUP(policy_freep) struct policy *changed = NULL;
	AUTO_BUF struct buf text = {.cap = POLICY_TEXT_MAX};
	struct policy_verdict verdict;

	policy_print(policy, &text);
	buf_printf(&text, "%s\n", line);
	if (buf_finish(&text) < 0 ||
	    policy_parse("policy", buf_text(&text), text.len, options, NULL, &changed) < 0)
		return false;
	verdict = policy_evaluate(changed, packet);
	return policy_allows(&verdict);
}

static bool find_line(const struct policy *policy, const struct policy_options *options,
		      const struct packet *packet, char line[static GRANT_LINE_MAX])
{
	AUTO_BUF struct buf text = {.cap = GRANT_LINE_MAX - 1};

	if (!packet->owned || !traffic_name(packet->protocol))
		return false;
	if (packet->loopback)
		print_local(policy, packet, &text);
	else if (packet->ethertype == ETH_P_IP)
		print_remote(policy, packet, &text);
	if (text.len == 0 || buf_finish(&text) < 0 ||
	    !would_help(policy, options, buf_text(&text), packet))
		return false;
	memcpy(line, text.data, text.len + 1);
	return true;
}

struct grant grant_find(const struct policy *policy, const struct policy_options *options,
			const struct packet *packet)
{
	struct grant grant = {.answer = GRANT_UNKNOWN, .reason = ""};
	struct policy_verdict verdict;

	if (!policy)
		return grant;
	verdict = policy_evaluate(policy, packet);
	grant.reason = verdict.reason;
	if (policy_allows(&verdict))
		grant.answer = GRANT_ALLOWED;
	else if (find_line(policy, options, packet, grant.line))
		grant.answer = GRANT_LINE;
	else
		grant.answer = GRANT_NONE;
	return grant;
}
