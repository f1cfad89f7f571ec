/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The lists of questions; what a policy's evaluator asks, and what both evaluators always ask. */
#include "brute-internal.h"

#include <linux/if_ether.h>
#include <linux/netfilter/nf_tables.h>
#include <netinet/in.h>
#include <string.h>

#ifndef IPPROTO_DCCP
#define IPPROTO_DCCP 33
#endif

#define DHCP_SERVER_PORT 67
#define DHCP_CLIENT_PORT 68

size_t brute_field_len(enum brute_field field)
{
	static const uint8_t lengths[BRUTE_FIELDS] = {
	    [BRUTE_UID] = 4,           [BRUTE_ETHERTYPE] = 2,    [BRUTE_PROTOCOL] = 1,
	    [BRUTE_VERSION_IHL] = 1,   [BRUTE_DESTINATION4] = 4, [BRUTE_SOURCE4] = 4,
	    [BRUTE_DESTINATION6] = 16, [BRUTE_SOURCE6] = 16,     [BRUTE_DESTINATION_PORT] = 2,
	    [BRUTE_SOURCE_PORT] = 2,   [BRUTE_FLAGS] = 1,        [BRUTE_ICMP_TYPE] = 1,
	    [BRUTE_ICMP_CODE] = 1,     [BRUTE_ICMP_ID] = 2,      [BRUTE_ARP_OPERATION] = 2,
	};

	return lengths[field];
}

void brute_add(struct brute_asked *asked, enum brute_field field,
	       const struct brute_question *question)
{
	struct brute_questions *list = &asked->fields[field];

	for (size_t i = 0; i < list->count; i++)
		if (memcmp(&list->questions[i], question, sizeof(*question)) == 0)
			return;
	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : 16;
		struct brute_question *grown;

		grown = reallocarray(list->questions, room, sizeof(*grown));
		if (!grown) {
			asked->error = true;
			return;
		}
		list->questions = grown;
		list->room = room;
	}
	list->questions[list->count++] = *question;
}

/* ---- of the policy ---- */

static void put_number(uint8_t *bytes, size_t len, uint32_t number)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(number >> 8 * (len - 1 - i));
}

static void add_range(struct brute_asked *asked, enum brute_field field, uint32_t low,
		      uint32_t high)
{
	size_t len = brute_field_len(field);
	struct brute_question question = {0};

	memset(question.mask, 0xff, len);
	put_number(question.low, len, low);
	put_number(question.high, len, high);
	brute_add(asked, field, &question);
}

static void add_one(struct brute_asked *asked, enum brute_field field, uint32_t number)
{
	add_range(asked, field, number, number);
}

static void add_uid(struct brute_asked *asked, uint32_t uid)
{
	struct brute_question question = {0};

	memset(question.mask, 0xff, sizeof(uid));
	memcpy(question.low, &uid, sizeof(uid));
	memcpy(question.high, &uid, sizeof(uid));
	brute_add(asked, BRUTE_UID, &question);
}

void brute_add_masked(struct brute_asked *asked, enum brute_field field, uint8_t mask,
		      uint8_t value)
{
	const struct brute_question question = {.mask = {mask}, .low = {value}, .high = {value}};

	brute_add(asked, field, &question);
}

static void add_uids(struct brute_asked *asked, const struct policy_uids *uids)
{
	for (size_t i = 0; i < uids->count; i++)
		add_uid(asked, uids->uids[i]);
}

static void add_ports(struct brute_asked *asked, const struct policy_ports *ports, size_t count)
{
	for (size_t i = 0; i < count; i++)
		add_range(asked, BRUTE_DESTINATION_PORT, ports[i].low, ports[i].high);
}

static void ask_users(const struct policy *policy, struct brute_asked *asked)
{
	for (size_t i = 0; i < policy->user_count; i++)
		add_uid(asked, policy->users[i].uid);
	for (size_t i = 0; i < policy->grant_count; i++)
		add_uid(asked, policy->grants[i].uid);
	for (size_t i = 0; i < policy->local_count; i++)
		add_uid(asked, policy->locals[i].uid);
	for (size_t i = 0; i < policy->service_count; i++) {
		add_uids(asked, &policy->services[i].servers);
		add_uids(asked, &policy->services[i].clients);
	}
	for (size_t i = 0; i < POLICY_LINK_KINDS; i++)
		add_uids(asked, &policy->links[i].users);
	add_uids(asked, &policy->automap.users);
}

/* Ports of the scene's own protocol. */
static void ask_traffic(const struct policy_traffic *traffic, const struct packet *scene,
			struct brute_asked *asked)
{
	if ((traffic->protocol == POLICY_TCP && scene->protocol == IPPROTO_TCP) ||
	    (traffic->protocol == POLICY_UDP && scene->protocol == IPPROTO_UDP))
		add_ports(asked, traffic->ports, traffic->port_count);
}

static void ask_remote(const struct policy *policy, const struct packet *scene,
		       struct brute_asked *asked)
{
	for (size_t i = 0; i < policy->network_count; i++)
		for (size_t j = 0; j < policy->networks[i].range_count; j++)
			add_range(asked, BRUTE_DESTINATION4, policy->networks[i].ranges[j].low,
				  policy->networks[i].ranges[j].high);
	add_one(asked, BRUTE_DESTINATION4, INADDR_BROADCAST);
	for (size_t i = 0; i < policy->grant_count; i++)
		ask_traffic(&policy->grants[i].traffic, scene, asked);
	for (size_t i = 0; i < policy->lan.except_count; i++)
		ask_traffic(&policy->lan.except[i], scene, asked);
	if (scene->protocol == IPPROTO_UDP) {
		add_one(asked, BRUTE_DESTINATION_PORT, DHCP_SERVER_PORT);
		add_one(asked, BRUTE_SOURCE_PORT, DHCP_CLIENT_PORT);
	}
}

static void ask_local(const struct policy *policy, const struct packet *scene,
		      struct brute_asked *asked)
{
	for (size_t i = 0; scene->protocol == IPPROTO_TCP && i < policy->local_count; i++)
		add_ports(asked, policy->locals[i].except, policy->locals[i].except_count);
	for (size_t i = 0; i < policy->service_count; i++) {
		const struct policy_service *service = &policy->services[i];
		bool udp = service->protocol == POLICY_UDP;

		if (scene->protocol != (udp ? IPPROTO_UDP : IPPROTO_TCP))
			continue;
		add_ports(asked, &service->ports, 1);
		if (udp)
			add_range(asked, BRUTE_SOURCE_PORT, service->ports.low,
				  service->ports.high);
	}
}

static void ask_policy(const struct policy *policy, const struct packet *scene,
		       struct brute_asked *asked)
{
	ask_users(policy, asked);
	if (policy->automap.stated)
		add_range(asked, BRUTE_DESTINATION4, policy->automap.range.low,
			  policy->automap.range.high);
	if (scene->loopback)
		ask_local(policy, scene, asked);
	else
		ask_remote(policy, scene, asked);
}

/* What both evaluators ask whatever they are given. */
static void ask_always(struct brute_asked *asked)
{
	static const uint8_t types[] = {0, 3, 4, 5, 8, 11, 12, 128, 129};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		add_one(asked, BRUTE_ICMP_TYPE, types[i]);
	add_range(asked, BRUTE_ICMP_TYPE, 1, 4);
	add_range(asked, BRUTE_ICMP_TYPE, 0, 127);
	brute_add_masked(asked, BRUTE_FLAGS, PACKET_TCP_OPENING_MASK, PACKET_TCP_SYN);
	brute_add_masked(asked, BRUTE_FLAGS, PACKET_TCP_SYN | PACKET_TCP_RST | PACKET_TCP_ACK,
			 PACKET_TCP_ACK);
}

/* Protocols, and what the header's first byte can be. */
static void ask_shapes(struct brute_asked *asked)
{
	static const uint8_t protocols[] = {
	    IPPROTO_ICMP,    IPPROTO_TCP,     IPPROTO_UDP,      IPPROTO_ICMPV6,
	    IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_FRAGMENT, IPPROTO_AH,
	    IPPROTO_DSTOPTS, IPPROTO_UDPLITE, IPPROTO_SCTP,     IPPROTO_DCCP,
	};
	static const uint16_t ethertypes[] = {ETH_P_IP, ETH_P_IPV6, ETH_P_ARP, ETH_P_PAE};

	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		add_one(asked, BRUTE_PROTOCOL, protocols[i]);
	for (size_t i = 0; i < ARRAY_SIZE(ethertypes); i++)
		add_one(asked, BRUTE_ETHERTYPE, ethertypes[i]);
	add_one(asked, BRUTE_ARP_OPERATION, 1);
	add_one(asked, BRUTE_ARP_OPERATION, 2);
	add_one(asked, BRUTE_VERSION_IHL, 0x45);
	add_range(asked, BRUTE_VERSION_IHL, 0x45, 0x4f);
}

int brute_ask_shapes(const struct ruleset *ruleset, struct brute_asked *asked)
{
	*asked = (struct brute_asked){0};
	ask_shapes(asked);
	brute_read_shapes(ruleset, asked);
	return asked->error ? -ENOMEM : 0;
}

int brute_ask(const struct policy *policy, const struct ruleset *ruleset,
	      const struct packet *scene, struct brute_asked *asked)
{
	*asked = (struct brute_asked){0};
	ask_policy(policy, scene, asked);
	ask_always(asked);
	brute_read_scene(ruleset, scene, asked);
	return asked->error ? -ENOMEM : 0;
}

void brute_asked_done(struct brute_asked *asked)
{
	for (size_t i = 0; i < BRUTE_FIELDS; i++)
		free(asked->fields[i].questions);
	*asked = (struct brute_asked){0};
}
