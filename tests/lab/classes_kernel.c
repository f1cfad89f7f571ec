/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Has the kernel make the packets that it makes by itself: of connections whose program has closed
 * them, resets, ICMP errors, group reports, neighbour questions; and connections to the transparent
 * proxy. What they are is read from the log and judged like everything else (classes_notes.c).
 */
#include "classes.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/socket.h>

#define SERVER      0xc6336450 /* 198.51.100.80, which the peer has */
#define NEIGHBOUR   0xc0a80137 /* on the LAN; nobody has it */
#define SERVER_PORT 443
#define WAIT_MS     10000
#define SMALL       4096 /* bytes of a socket's buffers */
#define QUEUED_MAX  (8u << 20)

static struct sockaddr_in address(uint32_t host_order, uint16_t port)
{
	return (struct sockaddr_in){
	    .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(host_order)};
}

/* The first user who may send this, or false. */
static bool who_may(const struct classes *classes, struct packet *packet)
{
	for (size_t i = 0; i < classes->policy->user_count; i++) {
		struct policy_verdict verdict;

		packet->owned = packet->routed = true;
		packet->uid = classes->policy->users[i].uid;
		verdict = policy_evaluate(classes->policy, packet);
		if (policy_allows(&verdict))
			return true;
	}
	return false;
}

static int socket_as(uint32_t uid, int type)
{
	int fd;

	setfsuid(uid);
	fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	setfsuid(0);
	return fd < 0 ? neg_errno() : fd;
}

/* Returns 0 when the descriptor is ready, -ETIMEDOUT or -errno. */
static int ready(int fd, short events)
{
	struct pollfd poll_fd = {.fd = fd, .events = events};
	int got = poll(&poll_fd, 1, WAIT_MS);

	if (got < 0)
		return neg_errno();
	return got ? 0 : -ETIMEDOUT;
}

static int listen_at(int fd, uint32_t host_order, uint16_t port)
{
	const struct sockaddr_in at = address(host_order, port);
	const int on = 1, small = SMALL;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)) < 0 ||
	    bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 4) < 0)
		return neg_errno();
	return 0;
}

static int connect_to(int fd, uint32_t host_order, uint16_t port)
{
	const struct sockaddr_in to = address(host_order, port);
	const struct timeval limit = {.tv_sec = WAIT_MS / 1000};

	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ||
	    connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
		return neg_errno();
	return 0;
}

static int accept_one(int server)
{
	int r = ready(server, POLLIN), fd;

	if (r < 0)
		return r;
	fd = accept4(server, NULL, NULL, SOCK_CLOEXEC);
	return fd < 0 ? neg_errno() : fd;
}

/* Read until the other end has said that this was all. */
static int read_all(int fd)
{
	static char bytes[65536];
	ssize_t got = 1;

	while (got > 0) {
		int r = ready(fd, POLLIN);

		if (r < 0)
			return r;
		got = recv(fd, bytes, sizeof(bytes), 0);
	}
	return got < 0 ? neg_errno() : 0;
}

/* More than the other end takes. */
static int fill(int fd)
{
	static const char bytes[1024];
	size_t sent = 0;

	while (sent < QUEUED_MAX) {
		ssize_t put = send(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

		if (put < 0)
			return errno == EAGAIN ? 0 : neg_errno();
		sent += (size_t)put;
	}
	return -E2BIG;
}

/* A connection of a user who may have it, between this host and the peer. */
struct pair {
	int client, server;
};

static void pair_done(struct pair *pair)
{
	closep(&pair->client);
	closep(&pair->server);
}

static int pair_open(const struct classes *classes, int listener, uint32_t uid, struct pair *pair)
{
	int r;

	pair->client = socket_as(uid, SOCK_STREAM);
	if (pair->client < 0)
		return pair->client;
	r = connect_to(pair->client, SERVER, SERVER_PORT);
	if (r < 0)
		return r;
	pair->server = accept_one(listener);
	return pair->server < 0 ? pair->server : 0;
}

/* What was queued when the socket was closed is sent without an owner, then FIN, then what answers
 * the other end's FIN. */
static int orphan(struct classes *classes, int listener, uint32_t uid)
{
	CLEANUP(pair_done) struct pair pair = {-EBADF, -EBADF};
	int r = pair_open(classes, listener, uid, &pair);

	if (r == 0)
		r = fill(pair.client);
	if (r == 0) {
		close(TAKE_FD(pair.client));
		r = read_all(pair.server);
	}
	if (r == 0) {
		close(TAKE_FD(pair.server));
		r = watch_settle(classes);
	}
	return r;
}

/* Data for a connection that was closed is answered by a reset, which nobody owns. */
static int late_data(struct classes *classes, int listener, uint32_t uid)
{
	CLEANUP(pair_done) struct pair pair = {-EBADF, -EBADF};
	int r = pair_open(classes, listener, uid, &pair);

	if (r == 0) {
		close(TAKE_FD(pair.client));
		r = read_all(pair.server);
	}
	if (r == 0 && send(pair.server, "late", 4, MSG_NOSIGNAL) < 0)
		r = neg_errno();
	return r == 0 ? watch_settle(classes) : r;
}

/* One who closes without having read all resets the connection himself. */
static int unread_data(struct classes *classes, int listener, uint32_t uid)
{
	CLEANUP(pair_done) struct pair pair = {-EBADF, -EBADF};
	int r = pair_open(classes, listener, uid, &pair);

	if (r == 0 && send(pair.server, "unread", 6, MSG_NOSIGNAL) < 0)
		r = neg_errno();
	if (r == 0)
		r = ready(pair.client, POLLIN);
	if (r == 0) {
		close(TAKE_FD(pair.client));
		r = watch_settle(classes);
	}
	return r;
}

static int connections(struct classes *classes)
{
	struct packet packet = {
	    .path = PACKET_OUTPUT,
	    .ethertype = ETH_P_IP,
	    .protocol = IPPROTO_TCP,
	    .source_port = 40000,
	    .destination_port = SERVER_PORT,
	    .destination = packet_address4(SERVER),
	    .tcp_flags = PACKET_TCP_SYN,
	};
	AUTO_CLOSE int listener = -EBADF;
	int r;

	if (!who_may(classes, &packet))
		return 0;
	listener = socket_at_peer(classes->senders, SOCK_STREAM);
	if (listener < 0)
		return listener;
	r = listen_at(listener, SERVER, SERVER_PORT);
	if (r == 0)
		r = orphan(classes, listener, packet.uid);
	if (r == 0)
		r = late_data(classes, listener, packet.uid);
	return r == 0 ? unread_data(classes, listener, packet.uid) : r;
}

/* At a local port where nobody listens: a reset for TCP, an ICMP error for UDP. */
static int refused(struct classes *classes, uint8_t protocol)
{
	bool tcp = protocol == IPPROTO_TCP;
	const struct policy *policy = classes->policy;

	for (size_t i = 0; i < policy->service_count; i++) {
		struct packet packet = {
		    .path = PACKET_OUTPUT,
		    .loopback = true,
		    .ethertype = ETH_P_IP,
		    .protocol = protocol,
		    .source_port = 40000,
		    .destination_port = policy->services[i].ports.low,
		    .destination = packet_address4(INADDR_LOOPBACK),
		    .tcp_flags = PACKET_TCP_SYN,
		};
		AUTO_CLOSE int fd = -EBADF;
		int r;

		if (policy->services[i].protocol != (tcp ? POLICY_TCP : POLICY_UDP) ||
		    !who_may(classes, &packet))
			continue;
		fd = socket_as(packet.uid, tcp ? SOCK_STREAM : SOCK_DGRAM);
		if (fd < 0)
			return fd;
		r = connect_to(fd, INADDR_LOOPBACK, packet.destination_port);
		if (tcp)
			return r == -ECONNREFUSED ? watch_settle(classes) : -EPROTO;
		if (r < 0 || send(fd, "?", 1, 0) < 0)
			return neg_errno();
		r = ready(fd, POLLIN);
		if (r == 0 && (recv(fd, &(char){0}, 1, 0) >= 0 || errno != ECONNREFUSED))
			r = -EPROTO;
		return r < 0 ? r : watch_settle(classes);
	}
	return 0;
}

/* The kernel tells the network of groups, and asks it for neighbours. */
static int groups(struct classes *classes)
{
	struct ip_mreqn group = {.imr_ifindex = (int)if_nametoindex("eth0")};
	struct ipv6_mreq group6 = {.ipv6mr_interface = if_nametoindex("eth0")};
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	AUTO_CLOSE int fd6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int r;

	inet_pton(AF_INET, "239.1.2.3", &group.imr_multiaddr);
	inet_pton(AF_INET6, "ff05::1:3", &group6.ipv6mr_multiaddr);
	if (fd < 0 || fd6 < 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)) < 0 ||
	    setsockopt(fd6, IPPROTO_IPV6, IPV6_JOIN_GROUP, &group6, sizeof(group6)) < 0)
		return neg_errno();
	/* Both come by timers. */
	r = watch_for(classes, ETH_P_IP, IPPROTO_IGMP);
	return r == 0 ? watch_for(classes, ETH_P_IPV6, IPPROTO_ICMPV6) : r;
}

static int neighbours(struct classes *classes)
{
	const struct sockaddr_in to = address(NEIGHBOUR, 9100);
	struct packet packet = {
	    .path = PACKET_OUTPUT,
	    .ethertype = ETH_P_IP,
	    .protocol = IPPROTO_TCP,
	    .source_port = 40000,
	    .destination_port = 9100,
	    .destination = packet_address4(NEIGHBOUR),
	    .tcp_flags = PACKET_TCP_SYN,
	};
	AUTO_CLOSE int fd = -EBADF;

	if (!who_may(classes, &packet))
		return 0;
	fd = socket_as(packet.uid, SOCK_STREAM | SOCK_NONBLOCK);
	if (fd < 0)
		return fd;
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS)
		return neg_errno();
	return watch_for(classes, ETH_P_ARP, 0);
}

/* Whoever may use automapped addresses is connected to the proxy, which is told which address it
 * was; without the proxy he is refused. */
static int proxied(struct classes *classes)
{
	const struct policy_automap *automap = &classes->policy->automap;
	const uint32_t wanted = automap->range.low + 0x1234;
	const int on = 1;
	AUTO_CLOSE int proxy = -EBADF;

	if (!automap->stated || automap->users.count == 0)
		return 0;
	for (int round = 0; round < 2; round++) {
		AUTO_CLOSE int client = socket_as(automap->users.uids[0], SOCK_STREAM);
		AUTO_CLOSE int served = -EBADF;
		struct sockaddr_in own;
		socklen_t size = sizeof(own);
		int r;

		if (client < 0)
			return client;
		r = connect_to(client, wanted, 80);
		if (round == 0) {
			if (r != -ECONNREFUSED)
				return r < 0 ? r : -EPROTO;
			proxy = socket_as(CLASSES_PROXY_USER, SOCK_STREAM);
			if (proxy < 0 ||
			    setsockopt(proxy, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof(on)) < 0)
				return neg_errno();
			r = listen_at(proxy, INADDR_LOOPBACK, automap->port);
			if (r < 0)
				return r;
			continue;
		}
		if (r == 0)
			served = accept_one(proxy);
		if (r < 0 || served < 0)
			return r < 0 ? r : served;
		if (getsockname(served, (struct sockaddr *)&own, &size) < 0)
			return neg_errno();
		if (ntohl(own.sin_addr.s_addr) != wanted || ntohs(own.sin_port) != 80)
			return -EPROTO;
		classes->proxied++;
	}
	return watch_settle(classes);
}

static int refused_tcp(struct classes *classes)
{
	return refused(classes, IPPROTO_TCP);
}

static int refused_udp(struct classes *classes)
{
	return refused(classes, IPPROTO_UDP);
}

/* What the policy says is possible, and was not. Everything else is a mistake of this program. */
static bool is_failure(int error)
{
	return error == -ETIMEDOUT || error == -EINPROGRESS || error == -ECONNREFUSED ||
	       error == -ECONNRESET || error == -EPROTO || error == -EPERM || error == -EAGAIN;
}

int kernel_packets(struct classes *classes)
{
	static const struct {
		const char *name;
		int (*make)(struct classes *classes);
	} scenes[] = {
	    {"connections to the peer", connections},
	    {"groups", groups},
	    {"neighbours", neighbours},
	    {"the transparent proxy", proxied},
	    {"a local TCP port without a listener", refused_tcp},
	    {"a local UDP port without a listener", refused_udp},
	};
	int r = watch_settle(classes);

	classes->noting = classes->connecting = true;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(scenes); i++) {
		r = scenes[i].make(classes);
		if (r == 0)
			continue;
		fprintf(stderr, "scene: %s: %s\n", scenes[i].name, strerror(-r));
		if (is_failure(r)) {
			classes->failed_scenes++;
			r = watch_settle(classes);
		}
	}
	if (r == 0)
		r = watch_settle(classes);
	classes->connecting = false;
	return r;
}
