/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Packets to other hosts: F2, F3, F4, F5, F8. The same judgement is written twice, for the output
 * hook and for egress on the devices: what reaches a device past the output hook (AF_PACKET,
 * devices in other namespaces stacked on ours) is judged by its owner like everything else.
 */
#include "compile-internal.h"

#include <netinet/in.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#define DHCP_CLIENT_PORT 68
#define DHCP_SERVER_PORT 67
#define ICMP_ECHO_	 8

static void add_ranges(struct emit_set *set, const struct policy_range *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint32_t low = htonl(ranges[i].low), high = htonl(ranges[i].high);

		emit_element_range(set, &low, &high, sizeof(low));
	}
}

static bool network_used(const struct policy *policy, size_t network)
{
	if (policy->lan.stated && policy->lan.open && policy->lan.network == network)
		return true;
	for (size_t i = 0; i < policy->grant_count; i++)
		if (policy->grants[i].network == network)
			return true;
	return false;
}

static bool network_reached(const struct policy *policy, size_t network, bool tcp)
{
	if (policy->lan.stated && policy->lan.open && policy->lan.network == network)
		return true;
	for (size_t i = 0; i < policy->grant_count; i++)
		if (policy->grants[i].network == network &&
		    (!tcp || policy->grants[i].traffic.protocol == POLICY_TCP))
			return true;
	return false;
}

static void network_name(const struct policy *policy, size_t network,
			 char name[static RULESET_NAME_MAX + 1])
{
	if (policy->networks[network].literal)
		snprintf(name, RULESET_NAME_MAX + 1, "net_%zu", network);
	else
		snprintf(name, RULESET_NAME_MAX + 1, "net_%s", policy->networks[network].name);
}

static int by_low(const void *a, const void *b)
{
	const struct policy_range *left = a, *right = b;

	return left->low < right->low ? -1 : left->low > right->low;
}

/* Sort and join ranges that touch or overlap, since a set of intervals may hold neither. */
static size_t join_ranges(struct policy_range *ranges, size_t count)
{
	size_t kept = 0;

	if (count == 0)
		return 0;
	qsort(ranges, count, sizeof(*ranges), by_low);
	for (size_t i = 1; i < count; i++) {
		struct policy_range *last = &ranges[kept];

		if (last->high == UINT32_MAX || ranges[i].low <= last->high + 1) {
			if (ranges[i].high > last->high)
				last->high = ranges[i].high;
		} else {
			ranges[++kept] = ranges[i];
		}
	}
	return kept + 1;
}

/* Every address that somebody may reach, by TCP or at all: where the rest of a connection may go
 * whose owner is gone, and the pieces of a datagram. */
static void reach_set(struct compile *compile, const char *name, bool tcp)
{
	const struct policy *policy = compile->policy;
	AUTO_FREE struct policy_range *ranges = NULL;
	struct emit_set set;
	size_t count = 0;

	for (size_t i = 0; i < policy->network_count; i++)
		count += policy->networks[i].range_count;
	ranges = calloc(count + 1, sizeof(*ranges));
	if (!ranges) {
		compile->error = -ENOMEM;
		return;
	}
	count = 0;
	for (size_t i = 0; i < policy->network_count; i++) {
		const struct policy_network *network = &policy->networks[i];

		if (!network_reached(policy, i, tcp))
			continue;
		memcpy(ranges + count, network->ranges, network->range_count * sizeof(*ranges));
		count += network->range_count;
	}
	count = join_ranges(ranges, count);
	set = emit_interval_set(compile->table, &compile->error, name, EMIT_TYPE_IPV4, 4);
	add_ranges(&set, ranges, count);
}

static bool has_user_chain(const struct policy *policy, uint32_t uid)
{
	for (size_t i = 0; i < policy->grant_count; i++)
		if (policy->grants[i].uid == uid)
			return true;
	return policy_uids_contain(&policy->links[POLICY_LINK_DHCP].users, uid);
}

static bool is_one_port(const struct policy_traffic *traffic)
{
	return traffic->port_count == 1 && traffic->ports[0].low == traffic->ports[0].high;
}

/* What the LAN is open for, of one protocol. */
enum lan_grant { LAN_NOTHING, LAN_PORTS, LAN_ALL };

static enum lan_grant lan_grant(const struct policy_lan *lan, enum policy_protocol protocol)
{
	enum lan_grant grant = LAN_ALL;

	for (size_t i = 0; i < lan->except_count; i++) {
		if (lan->except[i].protocol != protocol)
			continue;
		if (lan->except[i].port_count == 0)
			return LAN_NOTHING;
		grant = LAN_PORTS;
	}
	return grant;
}

static void lan_ports_set(struct compile *compile, enum policy_protocol protocol, const char *name)
{
	const struct policy_lan *lan = &compile->policy->lan;
	AUTO_FREE struct policy_ports *except = NULL;
	size_t count = 0;

	if (lan_grant(lan, protocol) != LAN_PORTS)
		return;
	for (size_t i = 0; i < lan->except_count; i++)
		if (lan->except[i].protocol == protocol)
			count += lan->except[i].port_count;
	except = calloc(count + 1, sizeof(*except));
	if (!except) {
		compile->error = -ENOMEM;
		return;
	}
	count = 0;
	for (size_t i = 0; i < lan->except_count; i++) {
		const struct policy_traffic *traffic = &lan->except[i];

		if (traffic->protocol != protocol)
			continue;
		memcpy(except + count, traffic->ports, traffic->port_count * sizeof(*except));
		count += traffic->port_count;
	}
	compile_other_ports_set(compile, name, except, count);
}

static void lan_sets(struct compile *compile)
{
	const struct policy_lan *lan = &compile->policy->lan;

	if (!lan->stated || !lan->open)
		return;
	lan_ports_set(compile, POLICY_TCP, SET_LAN_TCP);
	lan_ports_set(compile, POLICY_UDP, SET_LAN_UDP);
}

static void answer_sets(struct compile *compile)
{
	static const uint8_t answer_fields[] = { 4, 2, 2 }, echo_fields[] = { 4, 2 };
	struct emit_set set;

	set = emit_dynamic_set(compile->table, &compile->error, SET_ANSWERS,
			       EMIT_TYPE_JOIN(EMIT_TYPE_JOIN(EMIT_TYPE_IPV4, EMIT_TYPE_PORT),
					      EMIT_TYPE_PORT),
			       12, ANSWERS_TIMEOUT_MS);
	emit_set_fields(&set, answer_fields, ARRAY_SIZE(answer_fields));
	set = emit_dynamic_set(compile->table, &compile->error, SET_ECHOES,
			       EMIT_TYPE_JOIN(EMIT_TYPE_IPV4, EMIT_TYPE_INTEGER), 8,
			       ECHOES_TIMEOUT_MS);
	emit_set_fields(&set, echo_fields, ARRAY_SIZE(echo_fields));
}

void compile_remote_sets(struct compile *compile)
{
	const struct policy *policy = compile->policy;
	char name[RULESET_NAME_MAX + 1];
	struct emit_set set;

	for (size_t i = 0; i < policy->network_count; i++) {
		if (!network_used(policy, i))
			continue;
		network_name(policy, i, name);
		set = emit_interval_set(compile->table, &compile->error, name, EMIT_TYPE_IPV4, 4);
		add_ranges(&set, policy->networks[i].ranges, policy->networks[i].range_count);
	}
	for (size_t i = 0; i < policy->grant_count; i++) {
		const struct policy_traffic *traffic = &policy->grants[i].traffic;

		snprintf(name, sizeof(name), "ports_%zu", i);
		if (traffic->port_count > 0 && !is_one_port(traffic))
			compile_port_set(compile, name, traffic->ports, traffic->port_count);
	}
	reach_set(compile, SET_TCP_REACH, true);
	if (compile->frames)
		reach_set(compile, SET_REACH, false);
	lan_sets(compile);
	if (!compile->frames)
		answer_sets(compile);
	set = emit_verdict_map(compile->table, &compile->error, SET_REMOTE, EMIT_TYPE_UID, 4);
	for (size_t i = 0; i < policy->user_count; i++) {
		uint32_t uid = policy->users[i].uid;

		if (!has_user_chain(policy, uid))
			continue;
		snprintf(name, sizeof(name), "user_%u", uid);
		emit_element_verdict(&set, &uid, sizeof(uid), RULESET_GOTO, name);
	}
}

static uint8_t protocol_number(enum policy_protocol protocol)
{
	switch (protocol) {
	case POLICY_TCP:
		return IPPROTO_TCP;
	case POLICY_UDP:
		return IPPROTO_UDP;
	case POLICY_ICMP:
		return IPPROTO_ICMP;
	}
	return IPPROTO_RAW; /* never reached: the parser makes no other protocol */
}

/* Remember what was asked, so that the answer is let in. The set may be full: then the rule stops
 * matching, which is why acceptance is a rule of its own. */
static void remember_question(struct emit *emit, uint8_t protocol)
{
	uint8_t reg = emit_load_payload(emit, EMIT_REG, RULESET_NETWORK, 16, 4);

	if (protocol == IPPROTO_UDP) {
		reg = emit_load_payload(emit, reg, RULESET_TRANSPORT, 2, 2);
		emit_load_payload(emit, reg, RULESET_TRANSPORT, 0, 2);
		emit_remember(emit, SET_ANSWERS);
	} else {
		emit_load_payload(emit, reg, RULESET_TRANSPORT, 4, 2);
		emit_remember(emit, SET_ECHOES);
	}
}

static void traffic_matches(struct emit *emit, const struct policy_traffic *traffic, size_t index)
{
	char name[RULESET_NAME_MAX + 1];

	emit_protocol(emit, protocol_number(traffic->protocol));
	if (is_one_port(traffic)) {
		emit_port_is(emit, false, traffic->ports[0].low);
	} else if (traffic->port_count > 0) {
		snprintf(name, sizeof(name), "ports_%zu", index);
		emit_port_in(emit, false, name);
	}
}

/* One rule that accepts, and before it, where answers come without a connection, one that
 * remembers. */
static void grant_rules(struct compile *compile, struct emit *emit, size_t index)
{
	const struct policy *policy = compile->policy;
	const struct policy_grant *grant = &policy->grants[index];
	uint8_t protocol = protocol_number(grant->traffic.protocol);
	char network[RULESET_NAME_MAX + 1], user[16];
	bool remembers = protocol != IPPROTO_TCP && !compile->frames;

	network_name(policy, grant->network, network);
	for (int pass = remembers ? 0 : 1; pass < 2; pass++) {
		emit_rule_for(emit, &grant->place, "%s to %s over %s%s",
			      compile_user_name(compile, grant->uid, user),
			      policy->networks[grant->network].name,
			      policy_protocol_text(grant->traffic.protocol),
			      pass == 0 ? ": expect the answer" : "");
		traffic_matches(emit, &grant->traffic, index);
		if (pass == 0 && protocol == IPPROTO_ICMP)
			emit_icmp_type_is(emit, ICMP_ECHO_);
		emit_destination_in(emit, network);
		if (pass == 0)
			remember_question(emit, protocol);
		else
			emit_accept(emit);
	}
}

static void dhcp_rule(struct compile *compile, struct emit *emit)
{
	emit_rule_for(emit, &compile->policy->links[POLICY_LINK_DHCP].place,
		      "a DHCP client's broadcast");
	emit_protocol(emit, IPPROTO_UDP);
	emit_port_is(emit, true, DHCP_CLIENT_PORT);
	emit_port_is(emit, false, DHCP_SERVER_PORT);
	emit_destination_is(emit, INADDR_BROADCAST);
	emit_accept(emit);
}

static void user_chain(struct compile *compile, uint32_t uid)
{
	const struct policy *policy = compile->policy;
	struct emit emit = emit_chain(compile->table, &compile->error, "user_%u", uid);

	for (size_t i = 0; i < policy->grant_count; i++)
		if (policy->grants[i].uid == uid)
			grant_rules(compile, &emit, i);
	if (policy_uids_contain(&policy->links[POLICY_LINK_DHCP].users, uid))
		dhcp_rule(compile, &emit);
	emit_rule(&emit, "then what everybody may");
	emit_goto(&emit, CHAIN_ANYONE);
}

/* Frames are dropped in silence: programs were told by output. */
static void refuse(struct compile *compile, struct emit *emit)
{
	if (compile->frames)
		emit_refuse(emit);
	else
		emit_goto(emit, CHAIN_REFUSE);
}

static void lan_matches(struct compile *compile, struct emit *emit, enum policy_protocol protocol)
{
	emit_protocol(emit, protocol_number(protocol));
	if (lan_grant(&compile->policy->lan, protocol) == LAN_PORTS)
		emit_port_in(emit, false, protocol == POLICY_TCP ? SET_LAN_TCP : SET_LAN_UDP);
}

static void lan_chain(struct compile *compile)
{
	static const enum policy_protocol protocols[] = { POLICY_TCP, POLICY_UDP, POLICY_ICMP };
	const struct policy_lan *lan = &compile->policy->lan;
	struct emit emit = emit_chain(compile->table, &compile->error, CHAIN_LAN);

	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		if (lan_grant(lan, protocols[i]) == LAN_NOTHING)
			continue;
		if (protocols[i] != POLICY_TCP && !compile->frames) {
			emit_rule(&emit, "expect the answer");
			lan_matches(compile, &emit, protocols[i]);
			if (protocols[i] == POLICY_ICMP)
				emit_icmp_type_is(&emit, ICMP_ECHO_);
			remember_question(&emit, protocol_number(protocols[i]));
		}
		emit_rule_for(&emit, &lan->place, "F5: the LAN is open%s",
			      protocols[i] == POLICY_ICMP ?
				      "" :
				      ", but for name lookups and asking the router");
		lan_matches(compile, &emit, protocols[i]);
		emit_accept(&emit);
	}
	emit_plain_rule(&emit);
	refuse(compile, &emit);
}

void compile_remote_chains(struct compile *compile)
{
	const struct policy *policy = compile->policy;
	bool lan = policy->lan.stated && policy->lan.open;
	char network[RULESET_NAME_MAX + 1];
	struct emit emit;

	if (lan)
		lan_chain(compile);
	emit = emit_chain(compile->table, &compile->error, CHAIN_ANYONE);
	if (lan) {
		network_name(policy, policy->lan.network, network);
		emit_rule_for(&emit, &policy->lan.place, "F5: the LAN");
		emit_destination_in(&emit, network);
		emit_goto(&emit, CHAIN_LAN);
	}
	emit_rule_for(&emit, &policy->default_place, "default drop");
	refuse(compile, &emit);
	for (size_t i = 0; i < policy->user_count; i++)
		if (has_user_chain(policy, policy->users[i].uid))
			user_chain(compile, policy->users[i].uid);
}

void compile_remote_rules(struct compile *compile, struct emit *emit)
{
	/* Every packet that has an owner goes to its owner's grants and nowhere else; a segment
	 * that an owner sends is judged each time, so that a tightened policy ends the flow. */
	emit_rule(emit, "users with grants of their own");
	emit_load_meta(emit, EMIT_REG, NFT_META_SKUID);
	emit_vmap(emit, SET_REMOTE);
	emit_rule(emit, "every other owner");
	emit_owned(emit);
	emit_goto(emit, CHAIN_ANYONE);
	/* A closed socket sends what was queued, without an owner. Its SYN had one. A frame must
	 * have come through the IP stack. No resets: nobody shall have this host answer to an
	 * address that was forged. */
	emit_rule(emit, "the rest of a connection whose owner is gone");
	emit_protocol(emit, IPPROTO_TCP);
	emit_rest_of_connection(emit);
	if (compile->frames)
		emit_routed(emit);
	emit_destination_in(emit, SET_TCP_REACH);
	emit_accept(emit);
}
