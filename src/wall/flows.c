/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Ending connections that a policy does not allow. To other hosts the filter judges each segment
 * by its owner, so a forbidden flow is dead already and is only told so here; what is needed is
 * local connections, of which only the opening is judged, and closed sockets that still send.
 */
#include "wall.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/if_ether.h>
#include <os/sockets.h>
#include <string.h>

struct flows {
	const struct policy *policy;
	const struct os_socket *sockets;
	size_t count;
	const struct ifaddrs *addresses;
	uint8_t listening[65536 / 8]; /* ports that somebody listens on */
};

static bool is_listening(const struct flows *flows, uint16_t port)
{
	return flows->listening[port / 8] & (1u << (port % 8));
}

static bool is_own_address(const struct flows *flows, const struct os_socket *socket)
{
	size_t len = socket->ipv6 ? 16 : 4;

	for (const struct ifaddrs *at = flows->addresses; at; at = at->ifa_next) {
		const void *address = NULL;

		if (!at->ifa_addr)
			continue;
		if (!socket->ipv6 && at->ifa_addr->sa_family == AF_INET)
			address = &((const struct sockaddr_in *)(const void *)at->ifa_addr)->sin_addr;
		else if (socket->ipv6 && at->ifa_addr->sa_family == AF_INET6)
			address =
				&((const struct sockaddr_in6 *)(const void *)at->ifa_addr)->sin6_addr;
		if (address && memcmp(address, socket->remote, len) == 0)
			return true;
	}
	return false;
}

static bool is_local(const struct flows *flows, const struct os_socket *socket)
{
	if (!socket->ipv6 && socket->remote[0] == 127)
		return true;
	return memcmp(socket->local, socket->remote, sizeof(socket->local)) == 0 ||
	       is_own_address(flows, socket);
}

static struct packet packet_of(const struct os_socket *socket, bool loopback)
{
	struct packet packet = {
		.path = PACKET_OUTPUT,
		.loopback = loopback,
		.ethertype = socket->ipv6 ? ETH_P_IPV6 : ETH_P_IP,
		.owned = true,
		.routed = true,
		.uid = socket->uid,
		.protocol = IPPROTO_TCP,
		.source_port = socket->local_port,
		.destination_port = socket->remote_port,
		.tcp_flags = PACKET_TCP_SYN,
	};

	memcpy(packet.source.bytes, socket->local, socket->ipv6 ? 16 : 4);
	memcpy(packet.destination.bytes, socket->remote, socket->ipv6 ? 16 : 4);
	return packet;
}

static bool allowed(const struct flows *flows, const struct packet *packet)
{
	struct policy_verdict verdict = policy_evaluate(flows->policy, packet);

	return policy_allows(&verdict);
}

/* A closed socket has no user any more: it may finish what some user may do. */
static bool allowed_to_anyone(const struct flows *flows, struct packet *packet)
{
	for (size_t i = 0; i < flows->policy->user_count; i++) {
		packet->uid = flows->policy->users[i].uid;
		if (allowed(flows, packet))
			return true;
	}
	packet->uid = UINT32_MAX - 1; /* a user that no policy names */
	return allowed(flows, packet);
}

static bool in_automap(const struct flows *flows, const uint8_t address[static 4])
{
	const struct policy_automap *automap = &flows->policy->automap;
	uint32_t net;

	memcpy(&net, address, sizeof(net));
	net = ntohl(net);
	return automap->stated && net >= automap->range.low && net <= automap->range.high;
}

/* Both ends of a local connection are here; the client's end decides, and takes the other along. */
static bool is_server_end(const struct flows *flows, const struct os_socket *socket)
{
	if (!socket->ipv6 && in_automap(flows, socket->local))
		return true;
	return is_listening(flows, socket->local_port) && !is_listening(flows, socket->remote_port);
}

static bool flow_allowed(const struct flows *flows, const struct os_socket *socket)
{
	bool local = is_local(flows, socket);
	struct packet packet = packet_of(socket, local);

	if (local && is_server_end(flows, socket))
		return true;
	if (socket->orphaned)
		return allowed_to_anyone(flows, &packet);
	return allowed(flows, &packet);
}

static void ifaddrs_freep(struct ifaddrs **addresses)
{
	if (*addresses)
		freeifaddrs(*addresses);
}

int wall_end_flows(const struct policy *policy, size_t *ret_ended)
{
	CLEANUP(ifaddrs_freep) struct ifaddrs *addresses = NULL;
	AUTO_FREE struct os_socket *sockets = NULL;
	AUTO_FREE struct flows *flows = calloc(1, sizeof(*flows));
	size_t count = 0, ended = 0;
	int r, failure = 0;

	if (!flows)
		return -ENOMEM;
	r = sockets_list(&sockets, &count);
	if (r < 0)
		return r;
	if (getifaddrs(&addresses) < 0)
		return neg_errno();
	*flows = (struct flows){ .policy = policy, .addresses = addresses };
	for (size_t i = 0; i < count; i++)
		if (sockets[i].listening)
			flows->listening[sockets[i].local_port / 8] |=
				(uint8_t)(1u << (sockets[i].local_port % 8));
	for (size_t i = 0; i < count; i++) {
		if (sockets[i].listening || flow_allowed(flows, &sockets[i]))
			continue;
		r = sockets_end(&sockets[i]);
		if (r == 0)
			ended++;
		else if (r != -ENOENT)
			failure = r;
	}
	*ret_ended = ended;
	return failure;
}
