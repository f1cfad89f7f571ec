/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whose is the other end of a connection? Asked of the kernel for exactly that one (sock_diag(7)). */
#include "sockets.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

struct ends {
	struct sockaddr_in own, peer;
};

int sockets_peer_open(int *ret_fd)
{
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	if (fd < 0)
		return neg_errno();
	*ret_fd = fd;
	return 0;
}

static int find_ends(int connection, struct ends *ends)
{
	socklen_t own = sizeof(ends->own), peer = sizeof(ends->peer);

	if (getsockname(connection, (struct sockaddr *)&ends->own, &own) < 0 ||
	    getpeername(connection, (struct sockaddr *)&ends->peer, &peer) < 0)
		return neg_errno();
	/* A socket of this namespace is at the other end only if that address is the loopback's. */
	if (ends->own.sin_family != AF_INET || ends->peer.sin_family != AF_INET ||
	    ntohl(ends->peer.sin_addr.s_addr) >> 24 != IN_LOOPBACKNET)
		return -EPERM;
	return 0;
}

static int ask(int fd, const struct ends *ends, uint32_t sequence)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 body;
	} request = {
	    .header = {.nlmsg_len = sizeof(request),
		       .nlmsg_type = SOCK_DIAG_BY_FAMILY,
		       .nlmsg_flags = NLM_F_REQUEST,
		       .nlmsg_seq = sequence},
	    .body = {.sdiag_family = AF_INET,
		     .sdiag_protocol = IPPROTO_TCP,
		     .idiag_states = UINT32_MAX,
		     /* Source is the socket that is asked for: the peer's. */
		     .id = {.idiag_sport = ends->peer.sin_port,
			    .idiag_dport = ends->own.sin_port,
			    .idiag_src = {ends->peer.sin_addr.s_addr},
			    .idiag_dst = {ends->own.sin_addr.s_addr},
			    .idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}}},
	};
	ssize_t sent = sendto(fd, &request, sizeof(request), 0, (struct sockaddr *)&kernel,
			      sizeof(kernel));

	return sent < 0 ? neg_errno() : 0;
}

/* IPv4 as it is, or mapped into IPv6 where the program has an IPv6 socket. */
static bool is_address(const __be32 address[static 4], const struct sockaddr_in *end, int family)
{
	if (family == AF_INET)
		return address[0] == end->sin_addr.s_addr;
	return family == AF_INET6 && address[0] == 0 && address[1] == 0 &&
	       address[2] == htonl(0xffff) && address[3] == end->sin_addr.s_addr;
}

static int judge(const struct inet_diag_msg *socket, const struct ends *ends, uint32_t *ret_uid)
{
	if (socket->id.idiag_sport != ends->peer.sin_port ||
	    socket->id.idiag_dport != ends->own.sin_port ||
	    !is_address(socket->id.idiag_src, &ends->peer, socket->idiag_family) ||
	    !is_address(socket->id.idiag_dst, &ends->own, socket->idiag_family))
		return -EBADMSG;
	/* What no program holds any more has no owner, and the kernel says root: that is no answer. */
	if (socket->idiag_state != TCP_ESTABLISHED || socket->idiag_inode == 0)
		return -EPERM;
	*ret_uid = socket->idiag_uid;
	return 0;
}

static int receive(int fd, const struct ends *ends, uint32_t sequence, uint32_t *ret_uid)
{
	struct sockaddr_nl from = {0};
	socklen_t from_size = sizeof(from);
	uint8_t data[4096];
	struct nlmsghdr header;
	struct inet_diag_msg socket;
	ssize_t length;

	/* The kernel queues its answer inside the call that asks: what is not there will never come. */
	do
		length = recvfrom(fd, data, sizeof(data), MSG_DONTWAIT, (struct sockaddr *)&from,
				  &from_size);
	while (length < 0 && errno == EINTR);
	if (length < 0)
		return errno == EAGAIN ? -EIO : neg_errno();
	if (from.nl_pid != 0 || (size_t)length < sizeof(header))
		return -EBADMSG;
	memcpy(&header, data, sizeof(header));
	if (header.nlmsg_seq != sequence || header.nlmsg_len > (size_t)length)
		return -EBADMSG;
	if (header.nlmsg_type == NLMSG_ERROR &&
	    header.nlmsg_len >= sizeof(header) + sizeof(struct nlmsgerr)) {
		struct nlmsgerr error;

		memcpy(&error, data + sizeof(header), sizeof(error));
		return error.error < 0 ? error.error : -EBADMSG;
	}
	if (header.nlmsg_type != SOCK_DIAG_BY_FAMILY ||
	    header.nlmsg_len < sizeof(header) + sizeof(socket))
		return -EBADMSG;
	memcpy(&socket, data + sizeof(header), sizeof(socket));
	return judge(&socket, ends, ret_uid);
}

/* Answers to earlier questions that failed half-way must not be taken for this one's. */
static void drain(int fd)
{
	uint8_t data[64];

	while (recv(fd, data, sizeof(data), MSG_DONTWAIT) >= 0)
		;
}

int sockets_peer_owner(int fd, int connection, uint32_t *ret_uid)
{
	static uint32_t sequence;
	struct ends ends = {0};
	int r = find_ends(connection, &ends);

	if (r < 0)
		return r;
	drain(fd);
	r = ask(fd, &ends, ++sequence);
	return r < 0 ? r : receive(fd, &ends, sequence, ret_uid);
}
