/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The walk over all packets, and the comparison.
 *
 * Left out is what there cannot be: IPv4 fragments on input, which the kernel has put together by
 * then; owners of what arrives or is forwarded; what is not IP, but for frames; forwarding from lo;
 * frames on lo that came through the IP stack, and are not IP or labelled as other than they are.
 */
#include "brute-internal.h"
#include "circle.h"

#include <linux/if_ether.h>
#include <linux/netfilter/nf_tables.h>
#include <netinet/in.h>
#include <string.h>

/* What all scenes share. */
struct walk {
	const struct policy *policy;
	const struct ruleset *ruleset;
	struct brute_values shapes[BRUTE_SHAPES];
	bool deep; /* each length of IPv4's options is a shape of its own */
	brute_visit *visit;
	void *data;
	const char *opaque; /* see struct brute_asked */
	struct brute_expected expected;
	/* Of the scene: */
	struct brute_values fields[BRUTE_FIELDS];
};

static uint16_t number16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

/* ---- the packets of one scene ---- */

/* Can anybody answer what is sent there? Not a group, everybody, nobody, this host. */
static bool is_one_host(uint32_t address)
{
	uint32_t network = address >> 24;

	return network >= 1 && network < 224 && network != 127;
}

static void note_question(const struct policy *policy, struct packet packet, uint32_t destination,
			  struct brute_expected *expected)
{
	struct policy_verdict verdict;

	packet.destination = packet_address4(destination);
	verdict = policy_evaluate(policy, &packet);
	if (verdict.action != POLICY_ACCEPT || !is_one_host(destination))
		return;
	if (packet.protocol == IPPROTO_UDP)
		expected->udp = true;
	else
		expected->echo = true;
}

struct asked {
	const struct policy *policy;
	struct brute_expected expected;
};

/* A class has the first address of its range, or another of it: the first from there on to which one
 * host can listen counts, too. */
static int visit_question(const struct packet *packet, void *data)
{
	struct asked *asked = data;
	uint32_t destination = packet_address_to4(&packet->destination);

	if (packet->path != PACKET_OUTPUT || packet->loopback || packet->ethertype != ETH_P_IP)
		return 0;
	if (packet->protocol != IPPROTO_UDP &&
	    (packet->protocol != IPPROTO_ICMP || packet->icmp_type != 8))
		return 0;
	note_question(asked->policy, *packet, destination, &asked->expected);
	if (destination < 0x01000000)
		note_question(asked->policy, *packet, 0x01000000, &asked->expected);
	if (destination >> 24 == 127)
		note_question(asked->policy, *packet, 0x80000000, &asked->expected);
	return 0;
}

int brute_expected_of(const struct policy *policy, struct brute_expected *ret_expected)
{
	struct asked asked = {.policy = policy};
	int r = policy_each_class(&policy, 1, visit_question, &asked);

	if (r == 0)
		*ret_expected = asked.expected;
	return r;
}

bool brute_may_be_expected(const struct brute_expected *expected, const struct packet *packet)
{
	if (packet->fragment)
		return false;
	if (packet->protocol == IPPROTO_UDP)
		return expected->udp;
	return expected->echo &&
	       ((packet->protocol == IPPROTO_ICMP && packet->icmp_type == 0) ||
		(packet->protocol == IPPROTO_ICMPV6 && packet->icmp_type == 129));
}

static int emit(const struct walk *walk, const struct packet *packet)
{
	struct packet one = *packet;
	int r = 0;

	if (packet->path != PACKET_INPUT)
		return walk->visit(&one, walk->data);
	for (unsigned i = 0; r == 0 && i < 8; i++) {
		one.socket = (enum packet_socket)(i & 3);
		one.expected = i & 4;
		if (!one.expected || brute_may_be_expected(&walk->expected, packet))
			r = walk->visit(&one, walk->data);
	}
	return r;
}

static int walk_flags(const struct walk *walk, struct packet packet)
{
	const struct brute_values *flags = &walk->fields[BRUTE_FLAGS];
	int r = 0;

	if (packet.protocol != IPPROTO_TCP)
		return emit(walk, &packet);
	for (size_t i = 0; r == 0 && i < flags->count; i++) {
		packet.tcp_flags = flags->values[i][0];
		r = emit(walk, &packet);
	}
	return r;
}

static int walk_ports(const struct walk *walk, struct packet packet)
{
	const struct brute_values *destinations = &walk->fields[BRUTE_DESTINATION_PORT];
	const struct brute_values *sources = &walk->fields[BRUTE_SOURCE_PORT];
	int r = 0;

	for (size_t i = 0; r == 0 && i < destinations->count; i++) {
		packet.destination_port = number16(destinations->values[i]);
		for (size_t j = 0; r == 0 && j < sources->count; j++) {
			packet.source_port = number16(sources->values[j]);
			r = walk_flags(walk, packet);
		}
	}
	return r;
}

static int walk_icmp(const struct walk *walk, struct packet packet)
{
	const struct brute_values *types = &walk->fields[BRUTE_ICMP_TYPE];
	const struct brute_values *codes = &walk->fields[BRUTE_ICMP_CODE];
	const struct brute_values *ids = &walk->fields[BRUTE_ICMP_ID];
	int r = 0;

	for (size_t i = 0; r == 0 && i < types->count; i++) {
		packet.icmp_type = types->values[i][0];
		for (size_t j = 0; r == 0 && j < codes->count; j++) {
			packet.icmp_code = codes->values[j][0];
			for (size_t k = 0; r == 0 && k < ids->count; k++) {
				packet.icmp_id = number16(ids->values[k]);
				r = emit(walk, &packet);
			}
		}
	}
	return r;
}

static int walk_transport(const struct walk *walk, const struct packet *packet)
{
	if (packet->fragment)
		return emit(walk, packet);
	if (packet_has_ports(packet->protocol))
		return walk_ports(walk, *packet);
	if (packet->protocol == IPPROTO_ICMP || packet->protocol == IPPROTO_ICMPV6)
		return walk_icmp(walk, *packet);
	return emit(walk, packet);
}

static int walk_addresses(const struct walk *walk, struct packet packet)
{
	bool ipv6 = packet.ethertype == ETH_P_IPV6;
	const struct brute_values *destinations =
	    &walk->fields[ipv6 ? BRUTE_DESTINATION6 : BRUTE_DESTINATION4];
	const struct brute_values *sources = &walk->fields[ipv6 ? BRUTE_SOURCE6 : BRUTE_SOURCE4];
	size_t len = ipv6 ? 16 : 4;
	int r = 0;

	for (size_t i = 0; r == 0 && i < destinations->count; i++) {
		memcpy(packet.destination.bytes, destinations->values[i], len);
		for (size_t j = 0; r == 0 && j < sources->count; j++) {
			memcpy(packet.source.bytes, sources->values[j], len);
			r = walk_transport(walk, &packet);
		}
	}
	return r;
}

static int walk_owners(const struct walk *walk, struct packet packet)
{
	bool ip = packet.ethertype == ETH_P_IP || packet.ethertype == ETH_P_IPV6;
	const struct brute_values *uids = &walk->fields[BRUTE_UID];
	int r = 0;

	for (size_t i = 0; r == 0 && i < (packet.owned ? uids->count : 1); i++) {
		if (packet.owned)
			memcpy(&packet.uid, uids->values[i], sizeof(packet.uid));
		/* (uid_t)-1 is nobody's number: the kernel refuses it. */
		if (packet.owned && packet.uid == UINT32_MAX)
			continue;
		r = ip ? walk_addresses(walk, packet) : emit(walk, &packet);
	}
	return r;
}

/* Every packet that is as @scene in everything but numbers of a packet's own. */
static int walk_scene(struct walk *walk, const struct packet *scene)
{
	struct brute_asked asked;
	int r;

	r = brute_ask(walk->policy, walk->ruleset, scene, &asked);
	if (asked.opaque)
		walk->opaque = asked.opaque;
	for (unsigned i = BRUTE_SHAPES; r == 0 && i < BRUTE_FIELDS; i++)
		r = brute_cells(&asked.fields[i], brute_field_len((enum brute_field)i), 1,
				&walk->fields[i]);
	if (r == 0)
		r = walk_owners(walk, *scene);
	for (size_t i = BRUTE_SHAPES; i < BRUTE_FIELDS; i++)
		brute_values_done(&walk->fields[i]);
	brute_asked_done(&asked);
	return r;
}

/* ---- the scenes ---- */

static int walk_protocols(struct walk *walk, struct packet scene)
{
	const struct brute_values *protocols = &walk->shapes[BRUTE_PROTOCOL];
	int r = 0;

	for (int fragment = 0; r == 0 && fragment < 2; fragment++) {
		if (fragment && scene.ethertype == ETH_P_IPV6 && scene.options)
			break; /* to packets as values these are one thing */
		if (fragment && scene.ethertype == ETH_P_IP && scene.path == PACKET_INPUT)
			break;
		scene.fragment = fragment;
		for (size_t i = 0; r == 0 && i < protocols->count; i++) {
			scene.protocol = protocols->values[i][0];
			r = walk_scene(walk, &scene);
		}
	}
	return r;
}

static int walk_ipv4(struct walk *walk, struct packet scene)
{
	const struct brute_values *firsts = &walk->shapes[BRUTE_VERSION_IHL];
	int r = 0;

	for (size_t i = 0; r == 0 && !walk->deep && i < firsts->count; i++) {
		uint8_t first = firsts->values[i][0];

		if (first < 0x45 || first > 0x4f)
			continue;
		scene.options = (uint8_t)(first - 0x45);
		r = walk_protocols(walk, scene);
	}
	for (uint8_t options = 0; r == 0 && walk->deep && options <= 10; options++) {
		scene.options = options;
		r = walk_protocols(walk, scene);
	}
	return r;
}

static int walk_arp(struct walk *walk, struct packet scene)
{
	const struct brute_values *operations = &walk->shapes[BRUTE_ARP_OPERATION];
	int r = 0;

	for (size_t i = 0; r == 0 && i < operations->count; i++) {
		scene.arp_operation = number16(operations->values[i]);
		scene.arp_plain = false;
		r = walk_scene(walk, &scene);
		scene.arp_plain = true;
		if (r == 0)
			r = walk_scene(walk, &scene);
	}
	return r;
}

static int walk_label(struct walk *walk, struct packet scene)
{
	int r;

	switch (scene.ethertype) {
	case ETH_P_IP:
		return walk_ipv4(walk, scene);
	case ETH_P_IPV6:
		r = walk_protocols(walk, scene);
		scene.options = 1;
		return r == 0 ? walk_protocols(walk, scene) : r;
	case ETH_P_ARP:
		return walk_arp(walk, scene);
	default:
		return walk_scene(walk, &scene);
	}
}

static int walk_stack(struct walk *walk, struct packet scene)
{
	int r;

	scene.ethertype = ETH_P_IP;
	r = walk_label(walk, scene);
	scene.ethertype = ETH_P_IPV6;
	return r == 0 ? walk_label(walk, scene) : r;
}

/* 0 in the link header stands for "the same as the label". */
static int walk_frames(struct walk *walk, struct packet scene)
{
	bool stack = scene.routed && scene.loopback;
	const struct brute_values *ethertypes = &walk->shapes[BRUTE_ETHERTYPE];
	int r = 0;

	for (size_t i = 0; r == 0 && i < ethertypes->count; i++) {
		scene.ethertype = number16(ethertypes->values[i]);
		if (stack && scene.ethertype != ETH_P_IP && scene.ethertype != ETH_P_IPV6)
			continue;
		scene.link_ethertype = 0;
		r = walk_label(walk, scene);
		for (size_t j = 0; r == 0 && !stack && j < ethertypes->count; j++) {
			scene.link_ethertype = number16(ethertypes->values[j]);
			if (scene.link_ethertype && scene.link_ethertype != scene.ethertype)
				r = walk_label(walk, scene);
		}
	}
	return r;
}

static int walk_all(struct walk *walk)
{
	struct packet scene = {0};
	int r = 0;

	for (int i = 0; r == 0 && i < 4; i++) {
		scene.loopback = i & 1;
		scene.owned = i & 2;
		scene.path = PACKET_OUTPUT;
		scene.routed = true;
		r = walk_stack(walk, scene);
		scene.path = PACKET_FRAME;
		if (r == 0)
			r = walk_frames(walk, scene);
		scene.routed = false;
		if (r == 0)
			r = walk_frames(walk, scene);
	}
	scene = (struct packet){.path = PACKET_INPUT};
	for (int i = 0; r == 0 && i < 2; i++) {
		scene.loopback = i;
		r = walk_stack(walk, scene);
	}
	scene = (struct packet){.path = PACKET_FORWARD};
	return r == 0 ? walk_stack(walk, scene) : r;
}

static int prepare(struct walk *walk)
{
	struct brute_asked asked;
	int r = brute_ask_shapes(walk->ruleset, &asked);

	walk->deep = asked.deep;
	for (unsigned i = 0; r == 0 && i < BRUTE_SHAPES; i++)
		/* Label and header are compared with each other: two of a kind may differ. */
		r = brute_cells(&asked.fields[i], brute_field_len((enum brute_field)i),
				i == BRUTE_ETHERTYPE ? 2 : 1, &walk->shapes[i]);
	brute_asked_done(&asked);
	return r;
}

static int each(const struct policy *policy, const struct ruleset *ruleset, brute_visit *visit,
		void *data, const char **ret_opaque)
{
	struct walk walk = {.policy = policy, .ruleset = ruleset, .visit = visit, .data = data};
	int r;

	r = brute_expected_of(policy, &walk.expected);
	if (r == 0)
		r = prepare(&walk);
	if (r == 0)
		r = walk_all(&walk);
	*ret_opaque = walk.opaque;
	for (size_t i = 0; i < BRUTE_SHAPES; i++)
		brute_values_done(&walk.shapes[i]);
	return r;
}

int brute_each(const struct policy *policy, const struct ruleset *ruleset, brute_visit *visit,
	       void *data)
{
	const char *opaque;

	return each(policy, ruleset, visit, data, &opaque);
}

static bool is_port_unreachable(const struct packet *packet, const struct ruleset_rule *rule)
{
	for (size_t i = 0; rule && i < rule->count; i++) {
		const struct ruleset_expression *e = &rule->expressions[i];

		if (e->kind != RULESET_REJECT)
			continue;
		if (e->reject.type == NFT_REJECT_ICMPX_UNREACH)
			return e->reject.code == NFT_REJECT_ICMPX_PORT_UNREACH;
		return e->reject.type == NFT_REJECT_ICMP_UNREACH &&
		       e->reject.code == (packet->ethertype == ETH_P_IPV6 ? 4 : 3);
	}
	return false;
}

bool brute_agrees(const struct packet *packet, const struct policy_verdict *policy,
		  const struct ruleset_result *kernel)
{
	switch (policy->action) {
	case POLICY_DROP:
		return kernel->outcome == RULESET_DROPPED;
	case POLICY_RESET:
		return kernel->outcome == RULESET_RESET;
	case POLICY_UNREACHABLE:
		return kernel->outcome == RULESET_UNREACHABLE &&
		       is_port_unreachable(packet, kernel->rule);
	case POLICY_ACCEPT:
		return kernel->outcome == RULESET_PASSED;
	case POLICY_PROXY:
		return kernel->outcome == RULESET_PROXIED &&
		       kernel->proxy_port == policy->proxy_port;
	}
	return false;
}

struct comparison {
	const struct policy *policy;
	const struct ruleset *ruleset;
	struct brute_result *result;
	size_t packets_max;
};

enum { STOP = 1, TOO_MANY };

static int compare(const struct packet *packet, void *data)
{
	struct comparison *comparison = data;
	struct brute_result *result = comparison->result;
	struct policy_verdict policy = policy_evaluate(comparison->policy, packet);
	struct ruleset_result kernel = ruleset_evaluate(comparison->ruleset, packet);
	bool undecided = kernel.outcome == RULESET_UNDECIDED;

	if (result->packets++ >= comparison->packets_max)
		return TOO_MANY;
	if (!undecided && brute_agrees(packet, &policy, &kernel))
		return 0;
	if (undecided && result->reason[0])
		return 0;
	result->packet = *packet;
	result->policy = policy;
	result->kernel = kernel;
	if (!undecided)
		return STOP;
	snprintf(result->reason, sizeof(result->reason), "%s", kernel.reason);
	return 0;
}

int brute_compare(const struct policy *policy, const struct ruleset *ruleset, size_t packets_max,
		  struct brute_result *ret_result)
{
	struct brute_result result = {0};
	struct comparison comparison = {policy, ruleset, &result,
					packets_max ? packets_max : BRUTE_PACKETS_MAX};
	const char *opaque = NULL, *why = NULL;
	bool circle = false;
	int r = circle_find(ruleset, &circle);

	if (r == 0 && !circle)
		r = each(policy, ruleset, compare, &comparison, &opaque);
	if (r == -ENOMEM)
		return r;
	if (circle)
		why = "the rules lead in a circle";
	else if (r == STOP)
		result.answer = BRUTE_DIFFER;
	else if (r == TOO_MANY)
		why = "too many packets";
	else if (r == -E2BIG)
		why = "too many kinds of a field";
	else if (opaque)
		why = opaque;
	else if (!result.reason[0])
		result.answer = BRUTE_EQUAL;
	if (why)
		snprintf(result.reason, sizeof(result.reason), "%s", why);
	*ret_result = result;
	return 0;
}
