/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writes a policy in one form: statements in a fixed order, networks as prefixes, users by the
 * names that the policy uses, lines broken where they grow long.
 */
#include "policy.h"

#include <arpa/inet.h>
#include <string.h>

#include "ranges.h"

#define LINE_WIDTH 80

struct writer {
	const struct policy *policy;
	struct buf *out;
	size_t column;
};

/* Break the line before @text if it would grow too long; @break_with continues the statement. */
static void put(struct writer *writer, const char *break_with, const char *text)
{
	size_t len = strlen(text);

	if (writer->column && writer->column + 1 + len > LINE_WIDTH) {
		buf_puts(writer->out, break_with);
		buf_puts(writer->out, "\n\t");
		writer->column = 8;
	} else if (writer->column) {
		buf_puts(writer->out, " ");
		writer->column++;
	}
	buf_puts(writer->out, text);
	writer->column += len;
}

static void word(struct writer *writer, const char *text)
{
	put(writer, " \\", text);
}

/* An element of a list: the comma of the one before it lets the line be broken. */
static void comma(struct writer *writer)
{
	buf_puts(writer->out, ",");
	writer->column++;
}

static void item(struct writer *writer, bool first, const char *text)
{
	if (first) {
		word(writer, text);
		return;
	}
	comma(writer);
	put(writer, "", text);
}

static void end(struct writer *writer)
{
	buf_puts(writer->out, "\n");
	writer->column = 0;
}

static void section(struct writer *writer, size_t count)
{
	if (count)
		buf_puts(writer->out, "\n");
}

static const char *user_name(const struct writer *writer, uint32_t uid)
{
	const struct policy_user *user = policy_find_user(writer->policy, uid);

	return user ? user->name : "?";
}

static void users(struct writer *writer, const struct policy_uids *uids, bool first)
{
	for (size_t i = 0; i < uids->count; i++)
		item(writer, first && i == 0, user_name(writer, uids->uids[i]));
}

static void port_list(struct writer *writer, const struct policy_ports *ports, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char text[16];

		if (ports[i].low == ports[i].high)
			snprintf(text, sizeof(text), "%u", ports[i].low);
		else
			snprintf(text, sizeof(text), "%u-%u", ports[i].low, ports[i].high);
		word(writer, text);
	}
}

static void traffic(struct writer *writer, bool first, const struct policy_traffic *traffic)
{
	item(writer, first, policy_protocol_text(traffic->protocol));
	port_list(writer, traffic->ports, traffic->port_count);
}

static void print_network(struct writer *writer, const struct policy_network *network)
{
	bool first = true;

	word(writer, "network");
	word(writer, network->name);
	word(writer, "=");
	for (size_t i = 0; i < network->range_count; i++) {
		struct policy_range rest = network->ranges[i], prefix;

		for (;;) {
			unsigned length = range_first_prefix(&rest, &prefix);
			struct in_addr net = {.s_addr = htonl(prefix.low)};
			char text[INET_ADDRSTRLEN + 4];

			inet_ntop(AF_INET, &net, text, INET_ADDRSTRLEN);
			if (length < 32)
				snprintf(text + strlen(text), 4, "/%u", length);
			item(writer, first, text);
			first = false;
			if (prefix.high == rest.high)
				break;
			rest.low = prefix.high + 1;
		}
	}
	end(writer);
}

/* Neighbours of one user and network become one statement; they stay in their order. */
static void print_grants(struct writer *writer)
{
	const struct policy *policy = writer->policy;

	section(writer, policy->grant_count);
	for (size_t i = 0; i < policy->grant_count;) {
		const struct policy_grant *grant = &policy->grants[i];
		unsigned seen = 0;
		size_t j = i;

		word(writer, "allow");
		word(writer, user_name(writer, grant->uid));
		word(writer, "to");
		word(writer, policy->networks[grant->network].name);
		word(writer, "over");
		/* A protocol may stand only once in a list. */
		for (; j < policy->grant_count && policy->grants[j].uid == grant->uid &&
		       policy->grants[j].network == grant->network &&
		       !(seen & 1u << policy->grants[j].traffic.protocol);
		     j++) {
			seen |= 1u << policy->grants[j].traffic.protocol;
			traffic(writer, j == i, &policy->grants[j].traffic);
		}
		end(writer);
		i = j;
	}
}

static void print_forbidden(struct writer *writer)
{
	const struct policy *policy = writer->policy;
	bool first = true;

	for (size_t i = 0; i < policy->user_count; i++) {
		if (!policy->users[i].loopback_forbidden)
			continue;
		if (first) {
			section(writer, 1);
			word(writer, "forbid");
		}
		item(writer, first, policy->users[i].name);
		first = false;
	}
	if (first)
		return;
	word(writer, "to");
	word(writer, "loopback");
	end(writer);
}

static void print_lan(struct writer *writer)
{
	const struct policy_lan *lan = &writer->policy->lan;

	if (!lan->stated)
		return;
	section(writer, 1);
	word(writer, "lan");
	word(writer, writer->policy->networks[lan->network].name);
	word(writer, lan->open ? "open" : "closed");
	if (lan->except_count)
		word(writer, "except");
	for (size_t i = 0; i < lan->except_count; i++)
		traffic(writer, i == 0, &lan->except[i]);
	end(writer);
}

static void print_services(struct writer *writer)
{
	const struct policy *policy = writer->policy;

	section(writer, policy->service_count);
	for (size_t i = 0; i < policy->service_count; i++) {
		const struct policy_service *service = &policy->services[i];

		word(writer, "service");
		word(writer, service->name);
		word(writer, policy_protocol_text(service->protocol));
		port_list(writer, &service->ports, 1);
		if (service->servers.count) {
			word(writer, "by");
			users(writer, &service->servers, true);
		}
		word(writer, "for");
		users(writer, &service->clients, true);
		end(writer);
	}
}

static void print_locals(struct writer *writer)
{
	const struct policy *policy = writer->policy;

	section(writer, policy->local_count);
	for (size_t i = 0; i < policy->local_count; i++) {
		const struct policy_local *local = &policy->locals[i];

		word(writer, "allow");
		word(writer, user_name(writer, local->uid));
		word(writer, "to");
		word(writer, "loopback");
		word(writer, "over");
		word(writer, "tcp");
		if (local->except_count)
			word(writer, "except");
		port_list(writer, local->except, local->except_count);
		end(writer);
	}
}

static void print_automap(struct writer *writer)
{
	const struct policy_automap *automap = &writer->policy->automap;
	struct in_addr net = {.s_addr = htonl(automap->range.low)};
	char address[INET_ADDRSTRLEN], text[32];

	if (!automap->stated)
		return;
	inet_ntop(AF_INET, &net, address, sizeof(address));
	section(writer, 1);
	word(writer, "automap");
	snprintf(text, sizeof(text), "%s/%u", address, automap->prefix_length);
	word(writer, text);
	word(writer, "to");
	snprintf(text, sizeof(text), "%u", automap->port);
	word(writer, text);
	word(writer, "for");
	users(writer, &automap->users, true);
	end(writer);
}

static void print_namespaces(struct writer *writer)
{
	const struct policy *policy = writer->policy;

	section(writer, policy->namespace_count);
	for (size_t i = 0; i < policy->namespace_count; i++) {
		word(writer, "namespace");
		word(writer, policy->namespaces[i].name);
		word(writer, "as");
		word(writer, user_name(writer, policy->namespaces[i].uid));
		end(writer);
	}
}

static void print_links(struct writer *writer)
{
	static const char *const kinds[POLICY_LINK_KINDS] = {"arp", "dhcp", "eapol"};
	bool any = false;

	for (size_t i = 0; i < POLICY_LINK_KINDS; i++) {
		const struct policy_link *link = &writer->policy->links[i];

		if (!link->stated)
			continue;
		section(writer, !any);
		any = true;
		word(writer, "link");
		word(writer, kinds[i]);
		word(writer, "for");
		if (link->kernel)
			word(writer, "kernel");
		users(writer, &link->users, !link->kernel);
		end(writer);
	}
}

void policy_print(const struct policy *policy, struct buf *out)
{
	struct writer writer = {.policy = policy, .out = out};
	bool named = false;

	buf_puts(out, "lethe-policy 1\ndefault drop\nipv6 blocked\n");
	for (size_t i = 0; i < policy->network_count; i++) {
		if (policy->networks[i].literal)
			continue;
		section(&writer, !named);
		named = true;
		print_network(&writer, &policy->networks[i]);
	}
	print_grants(&writer);
	print_forbidden(&writer);
	print_lan(&writer);
	print_services(&writer);
	print_locals(&writer);
	print_automap(&writer);
	print_namespaces(&writer);
	print_links(&writer);
}
