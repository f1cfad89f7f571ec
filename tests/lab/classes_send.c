/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sends specimens, each by the way that makes its class.
 *
 *   output, frame with a route   a raw socket of the owner's (the owner is who calls socket(), and
 *                                setfsuid() is who that is; CAP_NET_RAW remains). The header is
 * ours; where the packet goes follows from the system call's address. the same without an owner a
 * raw socket with a mark: fixtures/witness.nft has a copy of it sent that no socket owns. frame
 * without a route        AF_PACKET, of the owner's; without an owner on a device whose frames
 * fixtures/witness.nft copies to the one that is meant. input on lo                  a raw socket,
 * while nothing is judged on its way out. input, forward               AF_PACKET at the peer.
 *
 * Sources are nobody's business (lib/policy/classes.c): where the kernel would drop a packet for
 * its source before the hook, it gets another.
 */
#include "classes.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/socket.h>

#define SOCKETS_MAX 256

struct owned_socket {
	int family;
	uint32_t uid, mark;
	int fd;
};

struct senders {
	struct owned_socket sockets[SOCKETS_MAX];
	size_t count;
	int loopback, device, copy, copy_local; /* indices of devices */
	int here, there;                        /* the two namespaces */
	int peer, peer_device, peer_transit;    /* a socket in the peer's namespace, its devices */
};

static const uint8_t host_mac[6] = {0x02, 0x1e, 0x7e, 0, 1, 2};
static const uint8_t transit_mac[6] = {0x02, 0x1e, 0x7e, 0, 3, 2};
static const uint8_t peer_mac[6] = {0x02, 0x1e, 0x7e, 0, 1, 1};

/* ---- sockets ---- */

static int index_of(const char *device, int *ret_index)
{
	*ret_index = (int)if_nametoindex(device);
	return *ret_index > 0 ? 0 : neg_errno();
}

/* A socket stays where it was made. The program has one thread, so it is back before anything else
 * happens. */
static int open_at_peer(struct senders *senders, const char *peer)
{
	int r;

	senders->here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	senders->there = open(peer, O_RDONLY | O_CLOEXEC);
	if (senders->here < 0 || senders->there < 0 || setns(senders->there, CLONE_NEWNET) < 0)
		return neg_errno();
	senders->peer = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	r = senders->peer < 0 ? neg_errno() : 0;
	if (r == 0)
		r = index_of("peer0", &senders->peer_device);
	if (r == 0)
		r = index_of("peer1", &senders->peer_transit);
	if (setns(senders->here, CLONE_NEWNET) < 0)
		return neg_errno();
	return r;
}

int socket_at_peer(const struct senders *senders, int type)
{
	AUTO_CLOSE int fd = -EBADF;
	int r;

	if (setns(senders->there, CLONE_NEWNET) < 0)
		return neg_errno();
	fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	r = fd < 0 ? neg_errno() : 0;
	if (setns(senders->here, CLONE_NEWNET) < 0)
		return neg_errno();
	return r < 0 ? r : TAKE_FD(fd);
}

int senders_open(const char *peer, struct senders **ret_senders)
{
	struct senders *senders = calloc(1, sizeof(*senders));
	int r;

	if (!senders)
		return -ENOMEM;
	senders->peer = senders->here = senders->there = -EBADF;
	r = index_of("lo", &senders->loopback);
	if (r == 0)
		r = index_of("eth0", &senders->device);
	if (r == 0)
		r = index_of("copy0", &senders->copy);
	if (r == 0)
		r = index_of("copy1", &senders->copy_local);
	if (r == 0)
		r = open_at_peer(senders, peer);
	if (r < 0) {
		senders_close(senders);
		return r;
	}
	*ret_senders = senders;
	return 0;
}

struct senders *senders_close(struct senders *senders)
{
	if (!senders)
		return NULL;
	for (size_t i = 0; i < senders->count; i++)
		close(senders->sockets[i].fd);
	closep(&senders->peer);
	closep(&senders->here);
	closep(&senders->there);
	free(senders);
	return NULL;
}

int senders_peer_socket(const struct senders *senders)
{
	return senders->peer;
}

int senders_peer_device(const struct senders *senders)
{
	return senders->peer_device;
}

/* Have the system call tell of packets that egress drops, and let it send to every address. The
 * rules' `socket` has the kernel put fragments together before every output hook, but not those of
 * a socket that declines. */
static int prepare(int fd, int family, uint32_t mark)
{
	const int on = 1;

	if (family == AF_PACKET)
		return 0;
	if (setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)) < 0)
		return neg_errno();
	if (family == AF_INET && (setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on)) < 0 ||
				  setsockopt(fd, IPPROTO_IP, IP_NODEFRAG, &on, sizeof(on)) < 0))
		return neg_errno();
	if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on)) < 0)
		return neg_errno();
	return 0;
}

/* Returns the socket, kept for the next time, or -errno. */
static int socket_of(struct senders *senders, int family, uint32_t uid, uint32_t mark)
{
	AUTO_CLOSE int fd = -EBADF;
	int r;

	for (size_t i = 0; i < senders->count; i++)
		if (senders->sockets[i].family == family && senders->sockets[i].uid == uid &&
		    senders->sockets[i].mark == mark)
			return senders->sockets[i].fd;
	if (senders->count == SOCKETS_MAX)
		return -EMFILE;
	setfsuid(uid);
	fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, family == AF_PACKET ? 0 : IPPROTO_RAW);
	r = fd < 0 ? neg_errno() : 0;
	setfsuid(0);
	if (r == 0)
		r = prepare(fd, family, mark);
	if (r < 0)
		return r;
	senders->sockets[senders->count++] = (struct owned_socket){family, uid, mark, fd};
	return TAKE_FD(fd);
}

/* ---- sending ---- */

/* What an ICMP error in answer to an earlier packet left at the socket is told by the next system
 * call, which then sends nothing: it is asked for and thrown away. */
static void forget_error(int fd)
{
	int error = 0;
	socklen_t size = sizeof(error);

	(void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
}

static int send_ip(struct senders *senders, const struct built *built, bool ipv6, bool loopback,
		   uint32_t uid, uint32_t mark)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	struct sockaddr_in6 to6 = {.sin6_family = AF_INET6};
	int fd = socket_of(senders, ipv6 ? AF_INET6 : AF_INET, uid, mark);
	const uint8_t *data = built->bytes + BUILT_LINK;
	ssize_t sent;

	if (fd < 0)
		return fd;
	/* By way of the router, or the kernel would look for a neighbour of the header's address.
	 */
	inet_pton(AF_INET, loopback ? "127.0.0.1" : "203.0.113.1", &to.sin_addr);
	inet_pton(AF_INET6, loopback ? "::1" : "2001:db8:f::1", &to6.sin6_addr);
	forget_error(fd);
	if (ipv6)
		sent = sendto(fd, data, built->len, 0, (struct sockaddr *)&to6, sizeof(to6));
	else
		sent = sendto(fd, data, built->len, 0, (struct sockaddr *)&to, sizeof(to));
	return sent < 0 ? neg_errno() : 0;
}

static int send_link(int fd, const struct built *built, int device, uint16_t label)
{
	const struct sockaddr_ll to = {
	    .sll_family = AF_PACKET,
	    .sll_ifindex = device,
	    .sll_protocol = htons(label),
	    .sll_halen = 6,
	};

	if (sendto(fd, built->bytes, BUILT_LINK + built->len, 0, (const struct sockaddr *)&to,
		   sizeof(to)) < 0)
		return neg_errno();
	return 0;
}

static bool is_verdict(int error)
{
	return error == 0 || error == -EPERM || error == -ENOBUFS;
}

/* What is neither sent nor judged is a mistake of this program. */
static int noted(struct specimen *specimen, int error)
{
	specimen->error = error;
	specimen->unsent = UNSENT_NOT;
	return is_verdict(error) ? 0 : error;
}

int send_output(struct classes *classes, uint32_t number)
{
	struct specimen *specimen = &classes->specimens[number];
	const struct packet *packet = &specimen->packet;
	bool lo = packet->loopback;
	struct built built;
	uint32_t mark;

	built_make(&built, packet, number);
	if (packet->owned)
		mark = lo ? MARK_LOCAL : 0;
	else
		mark = lo ? MARK_COPY_LOCAL : MARK_COPY;
	return noted(specimen, send_ip(classes->senders, &built, packet->ethertype == ETH_P_IPV6,
				       lo, packet->owned ? packet->uid : 0, mark));
}

int send_frame(struct classes *classes, uint32_t number)
{
	struct specimen *specimen = &classes->specimens[number];
	const struct packet *packet = &specimen->packet;
	struct senders *senders = classes->senders;
	struct built built;
	int fd, device;

	if (packet->routed)
		return send_output(classes, number);
	if (packet->ethertype == 0 && packet->link_ethertype != 0) {
		specimen->unsent = UNSENT_LABEL;
		return 0;
	}
	fd = socket_of(senders, AF_PACKET, packet->owned ? packet->uid : 0, 0);
	if (fd < 0)
		return fd;
	if (packet->owned)
		device = packet->loopback ? senders->loopback : senders->device;
	else
		device = packet->loopback ? senders->copy_local : senders->copy;
	built_make(&built, packet, number);
	if (!packet->loopback) {
		memcpy(built.bytes, peer_mac, sizeof(peer_mac));
		memcpy(built.bytes + 6, host_mac, sizeof(host_mac));
	}
	return noted(specimen, send_link(fd, &built, device, packet->ethertype));
}

int send_from_peer(struct senders *senders, const struct built *built, bool transit)
{
	struct built copy = *built;

	memcpy(copy.bytes, transit ? transit_mac : host_mac, 6);
	memcpy(copy.bytes + 6, peer_mac, 6);
	return send_link(senders->peer, &copy,
			 transit ? senders->peer_transit : senders->peer_device,
			 (uint16_t)(copy.bytes[12] << 8 | copy.bytes[13]));
}

int send_question(struct senders *senders, const struct packet *packet)
{
	struct built built;
	int r;

	built_make(&built, packet, CLASSES_NO_NUMBER);
	r = send_ip(senders, &built, packet->ethertype == ETH_P_IPV6, false, packet->uid, 0);
	return is_verdict(r) ? 0 : r;
}

int send_local_input(struct classes *classes, uint32_t number)
{
	struct specimen *specimen = &classes->specimens[number];
	struct packet packet = specimen->packet;
	bool ipv6 = packet.ethertype == ETH_P_IPV6;
	struct built built;

	/* No host has a group's address for its own, or one of IPv4. */
	if (ipv6)
		packet.source = (struct packet_address){.bytes = {[15] = 1}};
	built_make(&built, &packet, number);
	return noted(specimen, send_ip(classes->senders, &built, ipv6, true, 0, MARK_LOCAL));
}

int send_remote_input(struct classes *classes, uint32_t number)
{
	struct specimen *specimen = &classes->specimens[number];
	struct built built;

	built_make(&built, &specimen->packet, number);
	return noted(specimen, send_from_peer(classes->senders, &built, false));
}

/* To what addresses the kernel forwards nothing, and by which fixtures/witness.nft knows them. */
static void stand_in(struct packet *packet)
{
	uint32_t address = packet_address_to4(&packet->destination);

	if (address == INADDR_BROADCAST)
		packet->destination = packet_address4(0xc00002ff);
	else if (address == 0xe00000fb)
		packet->destination = packet_address4(0xc00002e0);
	else if (address == 0)
		packet->destination = packet_address4(0xc0000200);
}

int send_forward(struct classes *classes, uint32_t number)
{
	struct specimen *specimen = &classes->specimens[number];
	struct packet packet = specimen->packet;
	struct built built;

	if (packet.ethertype == ETH_P_IP) {
		packet.source = packet_address4(0xc0a80301);
		stand_in(&packet);
	}
	built_make(&built, &packet, number);
	return noted(specimen, send_from_peer(classes->senders, &built, true));
}
