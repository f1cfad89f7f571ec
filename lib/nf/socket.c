/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "socket.h"

#include "codec.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <libmnl/libmnl.h>
#include <linux/netlink.h>

#define RECEIVE_QUEUE_BYTES                                                                        \
	(8 << 20)       /* room for the errors of a batch that is wrong throughout                 \
			 */
#define WAIT_SECONDS 10 /* answers come at once; this only ends a wait for ever */

static int options_set(struct nf_socket *socket)
{
	struct timeval timeout = {.tv_sec = WAIT_SECONDS};
	int bytes = RECEIVE_QUEUE_BYTES, on = 1;

	/* Errors without a copy of what was wrong, so that many of them fit; with words. */
	if (setsockopt(socket->fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on)) < 0 ||
	    setsockopt(socket->fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on)) < 0 ||
	    setsockopt(socket->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0)
		return neg_errno();
	/* Without the right to more, what the system allows must do. */
	if (setsockopt(socket->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0 &&
	    setsockopt(socket->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)) < 0)
		return neg_errno();
	return 0;
}

int nf_open(struct nf_socket **ret_socket)
{
	CLEANUP(nf_closep) struct nf_socket *socket = calloc(1, sizeof(*socket));
	int r;

	if (!socket)
		return -ENOMEM;
	socket->buffer = malloc(NF_RECEIVE_BYTES);
	if (!socket->buffer)
		return -ENOMEM;
	socket->mnl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!socket->mnl)
		return neg_errno();
	if (mnl_socket_bind(socket->mnl, 0, MNL_SOCKET_AUTOPID) < 0)
		return neg_errno();
	socket->fd = mnl_socket_get_fd(socket->mnl);
	r = options_set(socket);
	if (r < 0)
		return r;
	*ret_socket = TAKE_PTR(socket);
	return 0;
}

struct nf_socket *nf_close(struct nf_socket *socket)
{
	if (!socket)
		return NULL;
	if (socket->mnl)
		mnl_socket_close(socket->mnl);
	free(socket->buffer);
	free(socket);
	return NULL;
}

int nf_socket_grow(struct nf_socket *socket, size_t len)
{
	int bytes = 0;
	socklen_t size = sizeof(bytes);

	if (len <= socket->send_room)
		return 0;
	if (len > NF_BATCH_MAX)
		return -E2BIG;
	/* The kernel doubles what it is given and keeps a little for itself. */
	bytes = (int)len;
	if (setsockopt(socket->fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) < 0 &&
	    setsockopt(socket->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)) < 0)
		return neg_errno();
	if (getsockopt(socket->fd, SOL_SOCKET, SO_SNDBUF, &bytes, &size) < 0)
		return neg_errno();
	if ((size_t)bytes < len + 64)
		return -EMSGSIZE;
	socket->send_room = len;
	return 0;
}

int nf_socket_send(struct nf_socket *socket, const void *bytes, size_t len)
{
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	ssize_t sent;

	do
		sent = sendto(socket->fd, bytes, len, 0, (const struct sockaddr *)&kernel,
			      sizeof(kernel));
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return neg_errno();
	return (size_t)sent == len ? 0 : -EIO;
}

int nf_socket_receive(struct nf_socket *socket, bool wait, struct nf_span *ret_bytes)
{
	for (;;) {
		struct sockaddr_nl from = {0};
		struct iovec part = {.iov_base = socket->buffer, .iov_len = NF_RECEIVE_BYTES};
		struct msghdr message = {.msg_name = &from,
					 .msg_namelen = sizeof(from),
					 .msg_iov = &part,
					 .msg_iovlen = 1};
		ssize_t len = recvmsg(socket->fd, &message, wait ? 0 : MSG_DONTWAIT);

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0 && errno == EAGAIN)
			return wait ? -ETIMEDOUT : -EAGAIN;
		if (len < 0)
			return neg_errno();
		/* Any process with the right may write to our port; only the kernel has port 0. */
		if (message.msg_namelen != sizeof(from) || from.nl_pid != 0)
			continue;
		if (message.msg_flags & MSG_TRUNC)
			return -EMSGSIZE;
		*ret_bytes = (struct nf_span){socket->buffer, (size_t)len};
		return 0;
	}
}

int nf_socket_drain(struct nf_socket *socket)
{
	struct nf_span bytes;
	int r;

	do
		r = nf_socket_receive(socket, false, &bytes);
	while (r == 0 || r == -ENOBUFS || r == -EMSGSIZE);
	return r == -EAGAIN ? 0 : r;
}

/* The text attribute of an extended acknowledgement. */
static void answer_text(const struct nf_message *message, const struct nlmsgerr *error,
			char *ret_text, size_t size)
{
	struct nf_span rest = message->payload, value;
	size_t skip = sizeof(*error);
	uint16_t type;

	if (!(message->flags & NLM_F_ACK_TLVS))
		return;
	if (!(message->flags & NLM_F_CAPPED) && error->msg.nlmsg_len >= NF_HEADER_LEN)
		skip += NLMSG_ALIGN((size_t)error->msg.nlmsg_len) - NF_HEADER_LEN;
	if (skip > rest.len)
		return;
	rest.data += skip;
	rest.len -= skip;
	while (nf_attribute_next(&rest, &type, &value) > 0)
		if (type == NLMSGERR_ATTR_MSG && nf_read_text(value, ret_text, size) == 0)
			return;
}

int nf_answer_read(const struct nf_message *message, int *ret_error, char *ret_text, size_t size)
{
	struct nlmsgerr error;

	if (message->payload.len < sizeof(error))
		return -EBADMSG;
	memcpy(&error, message->payload.data, sizeof(error));
	if (error.error > 0 || error.error < -4095)
		return -EBADMSG;
	ret_text[0] = '\0';
	if (error.error)
		answer_text(message, &error, ret_text, size);
	*ret_error = error.error;
	return 0;
}

/* What one message of an answer means for the request: 0 go on, 1 finished, or -errno: finished. */
static int answer_step(const struct nf_message *message,
		       int (*visit)(const struct nf_message *message, void *data), void *data,
		       int *visit_error)
{
	char text[8];
	int32_t status;
	int error, r;

	switch (message->type) {
	case NLMSG_ERROR:
		r = nf_answer_read(message, &error, text, sizeof(text));
		return r < 0 ? r : error ? error : 1;
	case NLMSG_DONE:
		if (message->payload.len < sizeof(status))
			return 1;
		memcpy(&status, message->payload.data, sizeof(status));
		return status < 0 && status >= -4095 ? status : 1;
	case NLMSG_OVERRUN:
		return -ENOBUFS;
	case NLMSG_NOOP:
		return 0;
	default:
		/* After a failure go on to the end, or the next request would meet the rest. */
		if (*visit_error == 0)
			*visit_error = visit(message, data);
		return 0;
	}
}

int nf_request(struct nf_socket *socket, struct buf *message,
	       int (*visit)(const struct nf_message *message, void *data), void *data)
{
	uint32_t sequence = ++socket->sequence;
	int visit_error = 0, r;
	bool torn = false;

	memcpy(message->data + offsetof(struct nlmsghdr, nlmsg_seq), &sequence, sizeof(sequence));
	/* A batch has its own sequence numbers: answers to one that nobody waited for must go. */
	r = nf_socket_drain(socket);
	r = r < 0 ? r : nf_socket_send(socket, message->data, message->len);
	while (r == 0) {
		struct nf_message answer;
		struct nf_span bytes;

		r = nf_socket_receive(socket, true, &bytes);
		while (r == 0 && (r = nf_message_next(&bytes, &answer)) > 0) {
			if (answer.sequence != sequence) {
				r = 0; /* of an earlier request that was given up */
				continue;
			}
			torn = torn || answer.flags & NLM_F_DUMP_INTR;
			r = answer_step(&answer, visit, data, &visit_error);
		}
	}
	if (r < 0)
		return r;
	return visit_error ? visit_error : torn ? -EINTR : 0;
}
