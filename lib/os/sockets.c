/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sockets.h"

#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/socket.h>

#define RECEIVE_SIZE (256u << 10)
#define SOCKETS_MAX  (1u << 20)
#define STATE_BOUND  13 /* TCP_BOUND_INACTIVE, in the kernel's headers since 6.8 */

static_assert(sizeof(struct inet_diag_sockid) <= sizeof(((struct os_socket *)0)->id),
	      "the kernel's id fits");

struct request {
	struct nlmsghdr header;
	struct inet_diag_req_v2 body;
};

struct list {
	struct os_socket *sockets;
	size_t count, room;
	bool udp;
};

static int diag_open(int *ret_fd)
{
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	if (fd < 0)
		return neg_errno();
	*ret_fd = fd;
	return 0;
}

static int diag_send(int fd, const void *request, size_t size)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	ssize_t len = sendto(fd, request, size, 0, (struct sockaddr *)&kernel, sizeof(kernel));

	return len < 0 ? neg_errno() : 0;
}

/* The kernel queues an answer inside the call that asks for it, or that takes the part before: what
 * is not there will never come, and waiting for it would hold the filter's lock for ever. */
static int answer_missing(void)
{
	return errno == EAGAIN ? -EIO : neg_errno();
}

/* An IPv6 socket that talks IPv4 has a mapped address; its packets are IPv4. */
static bool unmap(uint8_t address[static 16])
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

	if (memcmp(address, prefix, sizeof(prefix)) != 0)
		return false;
	memmove(address, address + 12, 4);
	memset(address + 4, 0, 12);
	return true;
}

static int list_add(struct list *list, const struct inet_diag_msg *message)
{
	struct os_socket *socket;

	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : 64;
		struct os_socket *sockets;

		if (room > SOCKETS_MAX)
			return -E2BIG;
		sockets = realloc(list->sockets, room * sizeof(*sockets));
		if (!sockets)
			return -ENOMEM;
		list->sockets = sockets;
		list->room = room;
	}
	socket = &list->sockets[list->count++];
	*socket = (struct os_socket){ 0 };
	socket->ipv6 = message->idiag_family == AF_INET6;
	socket->udp = list->udp;
	socket->inode = message->idiag_inode;
	socket->listening = !list->udp && message->idiag_state == TCP_LISTEN;
	socket->orphaned = message->idiag_inode == 0;
	socket->uid = message->idiag_uid;
	socket->local_port = ntohs(message->id.idiag_sport);
	socket->remote_port = ntohs(message->id.idiag_dport);
	memcpy(socket->local, message->id.idiag_src, sizeof(socket->local));
	memcpy(socket->remote, message->id.idiag_dst, sizeof(socket->remote));
	memcpy(socket->id, &message->id, sizeof(message->id));
	socket->id[sizeof(message->id)] = message->idiag_family;
	if (socket->ipv6 && unmap(socket->remote)) {
		unmap(socket->local);
		socket->ipv6 = false;
	}
	return 0;
}

/* One datagram of a dump. Returns 1 when the dump is over, 0 to go on, or -errno. */
static int list_datagram(struct list *list, const uint8_t *data, size_t len)
{
	size_t at = 0;

	while (len - at >= sizeof(struct nlmsghdr)) {
		struct nlmsghdr header;
		int r;

		memcpy(&header, data + at, sizeof(header));
		if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > len - at)
			return -EBADMSG;
		if (header.nlmsg_type == NLMSG_DONE)
			return 1;
		if (header.nlmsg_type == NLMSG_ERROR) {
			struct nlmsgerr error;

			if (header.nlmsg_len < sizeof(header) + sizeof(error))
				return -EBADMSG;
			memcpy(&error, data + at + sizeof(header), sizeof(error));
			return error.error < 0 ? error.error : -EBADMSG;
		}
		if (header.nlmsg_len >= sizeof(header) + sizeof(struct inet_diag_msg)) {
			struct inet_diag_msg message;

			memcpy(&message, data + at + sizeof(header), sizeof(message));
			r = list_add(list, &message);
			if (r < 0)
				return r;
		}
		at += NLMSG_ALIGN(header.nlmsg_len);
		if (at > len)
			break;
	}
	return 0;
}

/* Ask, and take all that is answered. */
static int list_answers(struct list *list, const void *request, size_t size)
{
	AUTO_FREE uint8_t *data = malloc(RECEIVE_SIZE);
	AUTO_CLOSE int fd = -EBADF;
	int r;

	if (!data)
		return -ENOMEM;
	r = diag_open(&fd);
	if (r < 0)
		return r;
	r = diag_send(fd, request, size);
	while (r == 0) {
		ssize_t len = recv(fd, data, RECEIVE_SIZE, MSG_DONTWAIT);

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return answer_missing();
		r = list_datagram(list, data, (size_t)len);
	}
	return r < 0 ? r : 0;
}

/*
 * By the kernel's older request, which lists both families in one walk through its tables. Those are
 * sized by the computer's memory, and the walk is most of the time that ending flows takes. Sockets
 * that are bound and nothing else have no flow and a table of their own.
 */
static int list_tcp(struct list *list)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req body;
	} request = {
		.header = { .nlmsg_len = sizeof(request),
			    .nlmsg_type = TCPDIAG_GETSOCK,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.body = { .idiag_family = AF_INET, .idiag_states = ~(1u << STATE_BOUND) },
	};

	return list_answers(list, &request, sizeof(request));
}

static int list_udp(struct list *list)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	int r = 0;

	list->udp = true;
	for (size_t i = 0; i < ARRAY_SIZE(families) && r == 0; i++) {
		struct request request = {
			.header = { .nlmsg_len = sizeof(request),
				    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
				    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
			.body = { .sdiag_family = families[i],
				  .sdiag_protocol = IPPROTO_UDP,
				  .idiag_states = UINT32_MAX },
		};

		r = list_answers(list, &request, sizeof(request));
	}
	return r;
}

static int hand_over(struct list *list, int r, struct os_socket **ret_sockets, size_t *ret_count)
{
	if (r < 0) {
		free(list->sockets);
		return r;
	}
	*ret_sockets = list->sockets;
	*ret_count = list->count;
	return 0;
}

int sockets_list(struct os_socket **ret_sockets, size_t *ret_count)
{
	struct list list = { 0 };
	int r = list_tcp(&list);

	return hand_over(&list, r, ret_sockets, ret_count);
}

int sockets_list_udp(struct os_socket **ret_sockets, size_t *ret_count)
{
	struct list list = { 0 };
	int r = list_udp(&list);

	return hand_over(&list, r, ret_sockets, ret_count);
}

int sockets_end(const struct os_socket *socket)
{
	struct request request = {
		.header = { .nlmsg_len = sizeof(request),
			    .nlmsg_type = SOCK_DESTROY,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.body = { .sdiag_protocol = IPPROTO_TCP, .idiag_states = UINT32_MAX },
	};
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		uint8_t rest[sizeof(struct request)];
	} answer;
	AUTO_CLOSE int fd = -EBADF;
	ssize_t len;
	int r;

	memcpy(&request.body.id, socket->id, sizeof(request.body.id));
	request.body.sdiag_family = socket->id[sizeof(request.body.id)];
	r = diag_open(&fd);
	if (r < 0)
		return r;
	r = diag_send(fd, &request, sizeof(request));
	if (r < 0)
		return r;
	do
		len = recv(fd, &answer, sizeof(answer), MSG_DONTWAIT);
	while (len < 0 && errno == EINTR);
	if (len < 0)
		return answer_missing();
	if ((size_t)len < sizeof(answer.header) + sizeof(answer.error) ||
	    answer.header.nlmsg_type != NLMSG_ERROR)
		return -EBADMSG;
	return answer.error.error;
}
