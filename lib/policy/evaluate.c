/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The reference evaluator: what a policy means, for one packet, written to be read beside the
 * specification. The compiler never sees this file; that both agree on every class is a property
 * that the tests check, and that both agree with a person is what the tables check.
 */
#include "policy.h"

#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#define DHCP_CLIENT_PORT 68
#define DHCP_SERVER_PORT 67

static struct policy_verdict verdict(enum policy_action action, const struct policy_place *place,
				     const char *reason)
{
	return (struct policy_verdict){
		.action = action,
		.place = place ? *place : (struct policy_place){ 0 },
		.reason = reason,
	};
}

static struct policy_verdict builtin(enum policy_action action, const char *reason)
{
	return verdict(action, NULL, reason);
}

bool policy_uids_contain(const struct policy_uids *uids, uint32_t uid)
{
	size_t low = 0, high = uids->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (uids->uids[middle] == uid)
			return true;
		if (uids->uids[middle] < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

bool policy_network_contains(const struct policy_network *network, uint32_t address)
{
	size_t low = 0, high = network->range_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (network->ranges[middle].high < address)
			low = middle + 1;
		else if (network->ranges[middle].low > address)
			high = middle;
		else
			return true;
	}
	return false;
}

static bool ports_contain(const struct policy_ports *ports, size_t count, uint16_t port)
{
	for (size_t i = 0; i < count; i++)
		if (port >= ports[i].low && port <= ports[i].high)
			return true;
	return false;
}

static bool protocol_is(const struct packet *packet, enum policy_protocol protocol)
{
	switch (protocol) {
	case POLICY_TCP:
		return packet->protocol == IPPROTO_TCP;
	case POLICY_UDP:
		return packet->protocol == IPPROTO_UDP;
	case POLICY_ICMP:
		return packet->protocol == IPPROTO_ICMP;
	}
	return false;
}

static bool traffic_matches(const struct policy_traffic *traffic, const struct packet *packet)
{
	if (!protocol_is(packet, traffic->protocol))
		return false;
	if (traffic->port_count == 0)
		return true;
	return ports_contain(traffic->ports, traffic->port_count, packet->destination_port);
}

/* F9: without these a refused local connection would wait for its time-out. */
static bool is_icmp_error(const struct packet *packet)
{
	if (packet->fragment)
		return false;
	if (packet->ethertype == ETH_P_IP && packet->protocol == IPPROTO_ICMP)
		return packet->icmp_type == 3 || packet->icmp_type == 11 || packet->icmp_type == 12;
	if (packet->ethertype == ETH_P_IPV6 && packet->protocol == IPPROTO_ICMPV6)
		return packet->icmp_type >= 1 && packet->icmp_type <= 4;
	return false;
}

static bool to_automap(const struct policy *policy, const struct packet *packet)
{
	uint32_t address = packet_address_to4(&packet->destination);

	return policy->automap.stated && packet->ethertype == ETH_P_IP &&
	       packet->protocol == IPPROTO_TCP && !packet->fragment &&
	       address >= policy->automap.range.low && address <= policy->automap.range.high;
}

/* The service at this port, or NULL. Services of one protocol never overlap. */
static const struct policy_service *find_service(const struct policy *policy, uint8_t protocol,
						 uint16_t port)
{
	enum policy_protocol wanted = protocol == IPPROTO_TCP ? POLICY_TCP : POLICY_UDP;
	size_t low = 0, high = policy->service_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct policy_service *service = &policy->services[middle];

		if (service->protocol < wanted ||
		    (service->protocol == wanted && service->ports.high < port))
			low = middle + 1;
		else if (service->protocol > wanted || service->ports.low > port)
			high = middle;
		else
			return service;
	}
	return NULL;
}

static struct policy_place service_grant_place(const struct policy *policy,
					       const struct policy_service *service, uint32_t uid)
{
	size_t index = (size_t)(service - policy->services);

	for (size_t i = 0; i < policy->service_grant_count; i++)
		if (policy->service_grants[i].service == index &&
		    policy->service_grants[i].uid == uid)
			return policy->service_grants[i].place;
	return service->place;
}

static const struct policy_local *find_local(const struct policy *policy, uint32_t uid)
{
	for (size_t i = 0; i < policy->local_count; i++)
		if (policy->locals[i].uid == uid)
			return &policy->locals[i];
	return NULL;
}

/* Options can name another destination than the header does (source routes), and a later fragment
 * has no ports: what a rule would take for them is its payload. Programs send whole datagrams; the
 * kernel cuts them afterwards, on their way to a device. */
static const char odd_header[] = "a fragment, or a header with options";

static bool is_odd(const struct packet *packet)
{
	if (packet->fragment || packet->options)
		return true;
	if (packet->ethertype != ETH_P_IPV6)
		return false;
	return packet->protocol == IPPROTO_HOPOPTS || packet->protocol == IPPROTO_ROUTING ||
	       packet->protocol == IPPROTO_FRAGMENT || packet->protocol == IPPROTO_AH ||
	       packet->protocol == IPPROTO_DSTOPTS;
}

/* A refusal that the program notices at once: a reset for TCP, an ICMP error for the rest. */
static struct policy_verdict refuse_local(const struct packet *packet,
					  const struct policy_place *place, const char *reason)
{
	bool tcp = packet->protocol == IPPROTO_TCP;

	return verdict(tcp ? POLICY_RESET : POLICY_UNREACHABLE, place, reason);
}

static struct policy_verdict local_tcp(const struct policy *policy, const struct packet *packet)
{
	const struct policy_service *service;
	const struct policy_local *local;
	const struct policy_user *user;

	if (to_automap(policy, packet)) {
		if (policy_uids_contain(&policy->automap.users, packet->uid))
			return verdict(POLICY_ACCEPT, &policy->automap.place,
				       "an automapped address, for Tor's transparent port");
		return refuse_local(packet, &policy->automap.place,
				    "automapped addresses are not for this user");
	}
	service = find_service(policy, packet->protocol, packet->destination_port);
	if (service && policy_uids_contain(&service->clients, packet->uid)) {
		struct policy_place place = service_grant_place(policy, service, packet->uid);

		return verdict(POLICY_ACCEPT, &place, "a local service granted to this user");
	}
	local = find_local(policy, packet->uid);
	if (local && !ports_contain(local->except, local->except_count, packet->destination_port))
		return verdict(POLICY_ACCEPT, &local->place,
			       "this user may reach any local TCP port but the excepted ones");
	if (local)
		return refuse_local(packet, &local->place, "an excepted local port");
	if (service)
		return refuse_local(packet, &service->place, "a local service of other users");
	user = policy_find_user(policy, packet->uid);
	if (user && user->loopback_forbidden)
		return refuse_local(packet, &user->forbidden_place,
				    "loopback is forbidden to this user");
	return refuse_local(packet, &policy->default_place, "no local service granted here");
}

static struct policy_verdict local_udp(const struct policy *policy, const struct packet *packet)
{
	const struct policy_service *service;
	const struct policy_user *user = policy_find_user(policy, packet->uid);

	service = find_service(policy, packet->protocol, packet->destination_port);
	if (service && policy_uids_contain(&service->clients, packet->uid)) {
		struct policy_place place = service_grant_place(policy, service, packet->uid);

		return verdict(POLICY_ACCEPT, &place, "a local service granted to this user");
	}
	service = find_service(policy, packet->protocol, packet->source_port);
	if (service && policy_uids_contain(&service->servers, packet->uid))
		return verdict(POLICY_ACCEPT, &service->place, "an answer of a local service");
	if (user && user->loopback_forbidden)
		return refuse_local(packet, &user->forbidden_place,
				    "loopback is forbidden to this user");
	return refuse_local(packet, &policy->default_place, "no local service granted here");
}

/* Sent to this host itself, by whatever address: F6, F7, F9. */
static struct policy_verdict output_local(const struct policy *policy, const struct packet *packet)
{
	if (is_odd(packet))
		return verdict(POLICY_DROP, &policy->default_place, odd_header);
	if (packet->protocol == IPPROTO_TCP && !packet_is_opening(packet))
		return builtin(POLICY_ACCEPT, "part of a local connection whose opening was judged");
	if (is_icmp_error(packet))
		return builtin(POLICY_ACCEPT, "an ICMP error on loopback");
	if (!packet->owned)
		return refuse_local(packet, &policy->default_place, "nobody's packet");
	if (packet->protocol == IPPROTO_TCP)
		return local_tcp(policy, packet);
	if (packet->protocol == IPPROTO_UDP)
		return local_udp(policy, packet);
	return refuse_local(packet, &policy->default_place, "neither TCP nor UDP, on loopback");
}

/* May any user reach this address at all, or by TCP? */
static bool any_grant(const struct policy *policy, uint32_t address, bool tcp)
{
	for (size_t i = 0; i < policy->grant_count; i++)
		if ((!tcp || policy->grants[i].traffic.protocol == POLICY_TCP) &&
		    policy_network_contains(&policy->networks[policy->grants[i].network], address))
			return true;
	return policy->lan.stated && policy->lan.open &&
	       policy_network_contains(&policy->networks[policy->lan.network], address);
}

static bool is_dhcp_broadcast(const struct packet *packet)
{
	return packet->protocol == IPPROTO_UDP && !packet->fragment &&
	       packet->source_port == DHCP_CLIENT_PORT &&
	       packet->destination_port == DHCP_SERVER_PORT &&
	       packet_address_to4(&packet->destination) == INADDR_BROADCAST;
}

static struct policy_verdict lan_owned(const struct policy *policy, const struct packet *packet,
				       enum policy_action refusal)
{
	const struct policy_lan *lan = &policy->lan;

	if (!lan->open)
		return verdict(refusal, &lan->place, "the LAN is closed and no grant opens this");
	for (size_t i = 0; i < lan->except_count; i++)
		if (traffic_matches(&lan->except[i], packet))
			return verdict(refusal, &lan->place,
				       "name lookup or router query, forbidden on the LAN");
	if (packet->protocol == IPPROTO_TCP || packet->protocol == IPPROTO_UDP ||
	    packet->protocol == IPPROTO_ICMP)
		return verdict(POLICY_ACCEPT, &lan->place, "the LAN is open");
	return verdict(refusal, &lan->place, "the LAN is open to TCP, UDP and ICMP only");
}

/* To another host, IPv4, with an owner: F2, F3, F4, F5, F8. */
static struct policy_verdict remote_owned(const struct policy *policy, const struct packet *packet,
					  enum policy_action refusal)
{
	uint32_t address = packet_address_to4(&packet->destination);
	const struct policy_link *dhcp = &policy->links[POLICY_LINK_DHCP];

	for (size_t i = 0; i < policy->grant_count; i++) {
		const struct policy_grant *grant = &policy->grants[i];

		if (grant->uid == packet->uid && traffic_matches(&grant->traffic, packet) &&
		    policy_network_contains(&policy->networks[grant->network], address))
			return verdict(POLICY_ACCEPT, &grant->place, "granted to this user");
	}
	if (is_dhcp_broadcast(packet) && policy_uids_contain(&dhcp->users, packet->uid))
		return verdict(POLICY_ACCEPT, &dhcp->place, "a DHCP client's broadcast");
	if (policy->lan.stated &&
	    policy_network_contains(&policy->networks[policy->lan.network], address))
		return lan_owned(policy, packet, refusal);
	return verdict(refusal, &policy->default_place, "nothing grants this");
}

/* What a closed socket still sends. Its resets are not among what it needs to: without them nobody
 * can have this host answer to an address that was forged. */
static bool is_rest_of_connection(const struct packet *packet)
{
	return packet->protocol == IPPROTO_TCP && packet->routed &&
	       (packet->tcp_flags & (PACKET_TCP_SYN | PACKET_TCP_RST | PACKET_TCP_ACK)) ==
		   PACKET_TCP_ACK;
}

/* The kernel's own pieces of a datagram that the output hook has judged whole: they have a route
 * and an owner here. What is written past the IP stack, or stacked on a device from another
 * namespace, lacks one or the other. */
static struct policy_verdict remote_odd(const struct policy *policy, const struct packet *packet)
{
	if (packet->path == PACKET_FRAME && !packet->options && packet->owned && packet->routed &&
	    any_grant(policy, packet_address_to4(&packet->destination), false))
		return builtin(POLICY_ACCEPT, "a piece of a datagram that was judged whole");
	return verdict(POLICY_DROP, &policy->default_place, odd_header);
}

/*
 * To another host. An owned packet is judged by its owner, whatever it is; of the ownerless rest
 * only TCP segments that open nothing may pass, because a closed socket goes on sending what was
 * queued, and its opening was judged when it had an owner.
 */
static struct policy_verdict remote(const struct policy *policy, const struct packet *packet)
{
	bool frame = packet->path == PACKET_FRAME;
	bool tcp = packet->protocol == IPPROTO_TCP && !packet->fragment;
	enum policy_action refusal = tcp && !frame ? POLICY_RESET : POLICY_DROP;

	if (packet->ethertype == ETH_P_IPV6)
		return verdict(refusal, &policy->ipv6_place, "IPv6 is blocked");
	if (packet->fragment || packet->options)
		return remote_odd(policy, packet);
	if (packet->owned)
		return remote_owned(policy, packet, refusal);
	if (is_rest_of_connection(packet) &&
	    any_grant(policy, packet_address_to4(&packet->destination), true))
		return builtin(POLICY_ACCEPT, "the rest of a connection whose owner is gone");
	return verdict(refusal, &policy->default_place, "nobody's packet");
}

static bool link_allows(const struct policy_link *link, const struct packet *packet)
{
	return packet->owned ? policy_uids_contain(&link->users, packet->uid) : link->kernel;
}

/* On its way to a device: F1 for what never touched the IP stack. */
static struct policy_verdict frame(const struct policy *policy, const struct packet *packet)
{
	const struct policy_link *arp = &policy->links[POLICY_LINK_ARP];
	const struct policy_link *eapol = &policy->links[POLICY_LINK_EAPOL];

	/* The sender of a raw frame labels it himself; a label that is not the frame's own
	 * ethertype would have one thing judged and another sent. */
	if (packet->link_ethertype && packet->link_ethertype != packet->ethertype)
		return verdict(POLICY_DROP, &policy->default_place,
			       "a frame whose label is not its ethertype");
	if (packet->loopback && packet->routed)
		return builtin(POLICY_ACCEPT, "judged by the IP stack's output hook already");
	if (packet->loopback)
		return verdict(POLICY_DROP, &policy->default_place,
			       "a frame written to loopback past the IP stack");
	switch (packet->ethertype) {
	case ETH_P_IP:
	case ETH_P_IPV6:
		return remote(policy, packet);
	case ETH_P_ARP:
		if (packet->arp_plain &&
		    (packet->arp_operation == 1 || packet->arp_operation == 2) &&
		    link_allows(arp, packet))
			return verdict(POLICY_ACCEPT, &arp->place, "ARP, which a link needs");
		break;
	case ETH_P_PAE:
		if (link_allows(eapol, packet))
			return verdict(POLICY_ACCEPT, &eapol->place, "EAPOL, which a link needs");
		break;
	default:
		break;
	}
	return verdict(POLICY_DROP, &policy->default_place, "a frame that nothing grants");
}

/* The union of what output lets through on loopback; whoever sent it was judged there. */
static struct policy_verdict input_local(const struct policy *policy, const struct packet *packet)
{
	bool proxied = to_automap(policy, packet) && packet->socket == PACKET_SOCKET_TRANSPARENT;
	const struct policy_service *service;
	struct policy_verdict proxy;

	proxy = verdict(POLICY_PROXY, &policy->automap.place, "handed to Tor's transparent port");
	proxy.proxy_port = policy->automap.port;
	if (packet->ethertype == ETH_P_IPV6 && is_odd(packet))
		return verdict(POLICY_DROP, &policy->default_place, odd_header);
	if (packet->protocol == IPPROTO_TCP && !packet->fragment && !packet_is_opening(packet))
		return proxied ? proxy : builtin(POLICY_ACCEPT, "part of a local connection");
	if (is_icmp_error(packet))
		return builtin(POLICY_ACCEPT, "an ICMP error on loopback");
	if (to_automap(policy, packet))
		return proxied ? proxy
			       : verdict(POLICY_RESET, &policy->automap.place,
					 "no transparent proxy is listening");
	if (packet_is_opening(packet)) {
		service = find_service(policy, packet->protocol, packet->destination_port);
		if (service && service->clients.count > 0)
			return verdict(POLICY_ACCEPT, &service->place, "a local service");
		for (size_t i = 0; i < policy->local_count; i++)
			if (!ports_contain(policy->locals[i].except, policy->locals[i].except_count,
					   packet->destination_port))
				return verdict(POLICY_ACCEPT, &policy->locals[i].place,
					       "a local port that some user may reach");
	} else if (packet->protocol == IPPROTO_UDP && !packet->fragment) {
		service = find_service(policy, packet->protocol, packet->destination_port);
		if (!service || service->clients.count == 0)
			service = find_service(policy, packet->protocol, packet->source_port);
		if (service)
			return verdict(POLICY_ACCEPT, &service->place, "a local service");
	}
	return verdict(POLICY_DROP, &policy->default_place, "nothing local is granted here");
}

static struct policy_verdict input_remote(const struct policy *policy, const struct packet *packet)
{
	bool connected = packet->socket == PACKET_SOCKET_BOUND ||
			 packet->socket == PACKET_SOCKET_TRANSPARENT;

	if (packet->ethertype != ETH_P_IP || packet->fragment)
		return verdict(POLICY_DROP, &policy->default_place, "nothing from outside is granted");
	if (packet->protocol == IPPROTO_TCP && !packet_is_opening(packet) && connected)
		return builtin(POLICY_ACCEPT, "belongs to a connection of this host");
	if (packet->protocol == IPPROTO_UDP && packet->expected)
		return builtin(POLICY_ACCEPT, "answers what this host asked");
	if (packet->protocol == IPPROTO_ICMP && packet->icmp_type == 0 && packet->expected)
		return builtin(POLICY_ACCEPT, "answers this host's echo request");
	return verdict(POLICY_DROP, &policy->default_place, "nothing from outside is granted");
}

struct policy_verdict policy_evaluate(const struct policy *policy, const struct packet *packet)
{
	bool ip = packet->ethertype == ETH_P_IP || packet->ethertype == ETH_P_IPV6;

	switch (packet->path) {
	case PACKET_OUTPUT:
		if (ip)
			return packet->loopback ? output_local(policy, packet)
						: remote(policy, packet);
		break;
	case PACKET_FRAME:
		return frame(policy, packet);
	case PACKET_INPUT:
		if (ip)
			return packet->loopback ? input_local(policy, packet)
						: input_remote(policy, packet);
		break;
	case PACKET_FORWARD:
		return verdict(POLICY_DROP, &policy->default_place, "nothing is forwarded");
	}
	return verdict(POLICY_DROP, &policy->default_place, "no such path");
}
