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

static void policy_network(struct compile *compile, size_t index, bool make_sets,
			   struct compile_network *ret_network)
{
	const struct policy_network *network = &compile->policy->networks[index];
	char name[RULESET_NAME_MAX + 1];

	if (network->literal)
		snprintf(name, sizeof(name), "net_%zu", index);
	else
		snprintf(name, sizeof(name), "net_%s", network->name);
	compile_network(compile, name, network->ranges, network->range_count, make_sets,
			ret_network);
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

void compile_reach(struct compile *compile, bool tcp, bool make_sets,
		   struct compile_network *ret_network)
{
	const struct policy *policy = compile->policy;
	AUTO_FREE struct policy_range *ranges = NULL;
	size_t count = 0;

	*ret_network = (struct compile_network){ 0 };
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
	compile_network(compile, tcp ? SET_TCP_REACH : SET_REACH, ranges, count, make_sets,
			ret_network);
}

static bool has_user_chain(const struct policy *policy, uint32_t uid)
{
	for (size_t i = 0; i < policy->grant_count; i++)
		if (policy->grants[i].uid == uid)
			return true;
	return policy_uids_contain(&policy->links[POLICY_LINK_DHCP].users, uid);
}

static void lan_except_sets(struct compile *compile)
{
	const struct policy_lan *lan = &compile->policy->lan;
	char name[RULESET_NAME_MAX + 1];

	if (!lan->stated || !lan->open)
		return;
	for (size_t i = 0; i < lan->except_count; i++) {
		snprintf(name, sizeof(name), "lan_except_%zu", i);
		if (lan->except[i].port_count > 0)
			compile_port_set(compile, name, lan->except[i].ports,
					 lan->except[i].port_count);
	}
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
	struct compile_network made;
	char name[RULESET_NAME_MAX + 1];
	struct emit_set set;

	for (size_t i = 0; i < policy->network_count; i++)
		if (network_used(policy, i))
			policy_network(compile, i, true, &made);
	for (size_t i = 0; i < policy->grant_count; i++) {
		const struct policy_traffic *traffic = &policy->grants[i].traffic;

		snprintf(name, sizeof(name), "ports_%zu", i);
		if (traffic->port_count > 1)
			compile_port_set(compile, name, traffic->ports, traffic->port_count);
	}
	compile_reach(compile, true, true, &made);
	if (compile->frames)
		compile_reach(compile, false, true, &made);
	lan_except_sets(compile);
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

static void traffic_matches(struct emit *emit, const struct policy_traffic *traffic,
			    const char *port_set, size_t index)
{
	char name[RULESET_NAME_MAX + 1];

	emit_protocol(emit, protocol_number(traffic->protocol));
	if (traffic->port_count == 1 && traffic->ports[0].low == traffic->ports[0].high &&
	    !strcmp(port_set, "ports")) {
		emit_port_is(emit, false, traffic->ports[0].low);
	} else if (traffic->port_count > 0) {
		snprintf(name, sizeof(name), "%s_%zu", port_set, index);
		emit_port_in(emit, false, name);
	}
}

/* The start of a rule for one part of the network that a grant is for. */
static void grant_rule(struct compile *compile, struct emit *emit, size_t index,
		       const struct compile_part *part, bool answer)
{
	const struct policy_grant *grant = &compile->policy->grants[index];
	char user[16];

	emit_rule_for(emit, &grant->place, "%s to %s over %s%s",
		      compile_user_name(compile, grant->uid, user),
		      compile->policy->networks[grant->network].name,
		      policy_protocol_text(grant->traffic.protocol),
		      answer ? ": expect the answer" : "");
	traffic_matches(emit, &grant->traffic, "ports", index);
	if (answer && grant->traffic.protocol == POLICY_ICMP)
		emit_icmp_type_is(emit, ICMP_ECHO_);
	compile_part_match(emit, part);
}

/* One rule that accepts, and before it, where answers come without a connection, one that
 * remembers. */
static void grant_rules(struct compile *compile, struct emit *emit, size_t index)
{
	const struct policy_grant *grant = &compile->policy->grants[index];
	bool remembers = grant->traffic.protocol != POLICY_TCP && !compile->frames;
	struct compile_network network;

	policy_network(compile, grant->network, false, &network);
	for (size_t i = 0; i < network.count; i++) {
		if (remembers) {
			grant_rule(compile, emit, index, &network.parts[i], true);
			remember_question(emit, protocol_number(grant->traffic.protocol));
		}
		grant_rule(compile, emit, index, &network.parts[i], false);
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
		emit_drop(emit);
	else
		emit_goto(emit, CHAIN_REFUSE);
}

static void lan_chain(struct compile *compile)
{
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP };
	const struct policy_lan *lan = &compile->policy->lan;
	struct emit emit = emit_chain(compile->table, &compile->error, CHAIN_LAN);

	for (size_t i = 0; i < lan->except_count; i++) {
		emit_rule_for(&emit, &lan->place, "F5: no name lookups, no asking the router");
		traffic_matches(&emit, &lan->except[i], "lan_except", i);
		refuse(compile, &emit);
	}
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		if (protocols[i] != IPPROTO_TCP && !compile->frames) {
			emit_rule(&emit, "expect the answer");
			emit_protocol(&emit, protocols[i]);
			if (protocols[i] == IPPROTO_ICMP)
				emit_icmp_type_is(&emit, ICMP_ECHO_);
			remember_question(&emit, protocols[i]);
		}
		emit_rule_for(&emit, &lan->place, "F5: the LAN is open");
		emit_protocol(&emit, protocols[i]);
		emit_accept(&emit);
	}
	emit_plain_rule(&emit);
	refuse(compile, &emit);
}

void compile_remote_chains(struct compile *compile)
{
	const struct policy *policy = compile->policy;
	bool lan = policy->lan.stated && policy->lan.open;
	struct compile_network network = { 0 };
	struct emit emit;

	if (lan)
		lan_chain(compile);
	emit = emit_chain(compile->table, &compile->error, CHAIN_ANYONE);
	if (lan)
		policy_network(compile, policy->lan.network, false, &network);
	for (size_t i = 0; i < network.count; i++) {
		emit_rule_for(&emit, &policy->lan.place, "F5: the LAN");
		compile_part_match(&emit, &network.parts[i]);
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
	struct compile_network reach;

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
	compile_reach(compile, true, false, &reach);
	for (size_t i = 0; i < reach.count; i++) {
		emit_rule(emit, "the rest of a connection whose owner is gone");
		emit_protocol(emit, IPPROTO_TCP);
		emit_rest_of_connection(emit);
		if (compile->frames)
			emit_routed(emit);
		compile_part_match(emit, &reach.parts[i]);
		emit_accept(emit);
	}
}
