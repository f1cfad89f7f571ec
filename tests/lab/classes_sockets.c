/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The sockets that the kernel finds for arriving specimens. */
#include "classes.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/socket.h>

#define SOCKETS_MAX 65536
#define BACKLOG     16

union address {
	struct sockaddr any;
	struct sockaddr_in ip4;
	struct sockaddr_in6 ip6;
};

static bool is_proxied(const struct classes *classes, const struct packet *packet)
{
	const struct policy_automap *automap = &classes->policy->automap;
	uint32_t address = packet_address_to4(&packet->destination);

	return automap->stated && packet->loopback && packet->ethertype == ETH_P_IP &&
	       packet->protocol == IPPROTO_TCP && address >= automap->range.low &&
	       address <= automap->range.high;
}

/* The kernel looks for a socket of these alone. What the proxy is given needs no other. */
static bool needs_socket(const struct classes *classes, const struct packet *packet)
{
	if (packet->fragment ||
	    (packet->protocol != IPPROTO_TCP && packet->protocol != IPPROTO_UDP))
		return false;
	return packet->socket != PACKET_SOCKET_TRANSPARENT || !is_proxied(classes, packet);
}

static bool is_group(const struct packet *packet)
{
	return packet->ethertype == ETH_P_IPV6 && packet->destination.bytes[0] == 0xff;
}

static bool is_mapped(const struct packet *packet)
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

	return packet->ethertype == ETH_P_IPV6 &&
	       memcmp(packet->destination.bytes, prefix, sizeof(prefix)) == 0;
}

/* Port 0 asks bind() for any port. An address of IPv4 makes a socket one of IPv4, which the kernel
 * does not find for IPv6; and TCP has no groups. */
static enum unsent impossible(const struct packet *packet, enum packet_socket kind)
{
	if (packet->destination_port == 0)
		return UNSENT_PORT;
	if (kind == PACKET_SOCKET_WILDCARD)
		return UNSENT_NOT;
	if (is_mapped(packet))
		return UNSENT_MAPPED;
	if (is_group(packet) && packet->protocol == IPPROTO_TCP)
		return UNSENT_GROUP;
	return UNSENT_NOT;
}

static socklen_t address_of(const struct packet *packet, enum packet_socket kind, bool loopback,
			    union address *address)
{
	bool wildcard = kind == PACKET_SOCKET_WILDCARD;

	*address = (union address){0};
	if (packet->ethertype == ETH_P_IPV6) {
		address->ip6.sin6_family = AF_INET6;
		address->ip6.sin6_port = htons(packet->destination_port);
		if (!wildcard)
			memcpy(&address->ip6.sin6_addr, packet->destination.bytes, 16);
		if (!wildcard && is_group(packet))
			address->ip6.sin6_scope_id = if_nametoindex(loopback ? "lo" : "eth0");
		return sizeof(address->ip6);
	}
	address->ip4.sin_family = AF_INET;
	address->ip4.sin_port = htons(packet->destination_port);
	if (!wildcard)
		memcpy(&address->ip4.sin_addr, packet->destination.bytes, 4);
	return sizeof(address->ip4);
}

/* Bind to an address that is not this host's own, with or without being a transparent proxy. */
static int set_options(int fd, int family, enum packet_socket kind)
{
	const int on = 1;
	int level = family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6, option;

	if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
		return neg_errno();
	switch (kind) {
	case PACKET_SOCKET_BOUND:
		option = family == AF_INET ? IP_FREEBIND : IPV6_FREEBIND;
		break;
	case PACKET_SOCKET_TRANSPARENT:
		option = family == AF_INET ? IP_TRANSPARENT : IPV6_TRANSPARENT;
		break;
	case PACKET_SOCKET_NONE:
	case PACKET_SOCKET_WILDCARD:
	default:
		return 0;
	}
	return setsockopt(fd, level, option, &on, sizeof(on)) < 0 ? neg_errno() : 0;
}

static int keep(struct sockets *sockets, int fd)
{
	if (sockets->count == SOCKETS_MAX)
		return -EMFILE;
	if (sockets->count == sockets->room) {
		size_t room = sockets->room ? sockets->room * 2 : 64;
		int *fds = reallocarray(sockets->fds, room, sizeof(*fds));

		if (!fds)
			return -ENOMEM;
		sockets->fds = fds;
		sockets->room = room;
	}
	sockets->fds[sockets->count++] = fd;
	return 0;
}

static int open_one(struct sockets *sockets, const union address *address, socklen_t size, bool tcp,
		    enum packet_socket kind)
{
	const int on = 1;
	int family = address->any.sa_family, r;
	AUTO_CLOSE int fd = socket(family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return neg_errno();
	r = set_options(fd, family, kind);
	/* A connection that was closed with earlier sockets may linger; listeners exclude each
	 * other all the same. */
	if (r == 0 && tcp && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		r = neg_errno();
	if (r == 0 && bind(fd, &address->any, size) < 0)
		r = neg_errno();
	if (r == 0 && tcp && listen(fd, BACKLOG) < 0)
		r = neg_errno();
	/* It is there already, from an earlier specimen or as the proxy's. */
	if (r == -EADDRINUSE)
		return 0;
	if (r == 0)
		r = keep(sockets, fd);
	if (r == 0)
		(void)TAKE_FD(fd);
	return r;
}

/* By a user of its own, so that what was given to it is told from all else. */
static int open_proxy(const struct classes *classes, struct sockets *sockets)
{
	union address address = {.ip4 = {
				     .sin_family = AF_INET,
				     .sin_port = htons(classes->proxy_port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				 }};
	int r;

	setfsuid(CLASSES_PROXY_USER);
	r = open_one(sockets, &address, sizeof(address.ip4), true, PACKET_SOCKET_TRANSPARENT);
	setfsuid(0);
	return r;
}

int sockets_open(struct classes *classes, bool loopback, enum packet_socket kind,
		 struct sockets *sockets)
{
	int r = 0;

	if (kind == PACKET_SOCKET_NONE)
		return 0;
	if (kind == PACKET_SOCKET_TRANSPARENT && classes->proxy_port)
		r = open_proxy(classes, sockets);
	for (size_t i = 0; r == 0 && i < classes->count; i++) {
		struct specimen *specimen = &classes->specimens[i];
		const struct packet *packet = &specimen->packet;
		union address address;
		enum unsent why;
		socklen_t size;

		if (packet->path != PACKET_INPUT || packet->loopback != loopback ||
		    packet->socket != kind || !needs_socket(classes, packet))
			continue;
		why = impossible(packet, kind);
		if (why) {
			specimen->unsent = why;
			continue;
		}
		size = address_of(packet, kind, loopback, &address);
		r = open_one(sockets, &address, size, packet->protocol == IPPROTO_TCP, kind);
	}
	return r;
}

void sockets_close(struct sockets *sockets)
{
	for (size_t i = 0; i < sockets->count; i++)
		close(sockets->fds[i]);
	free(sockets->fds);
	*sockets = (struct sockets){0};
}
