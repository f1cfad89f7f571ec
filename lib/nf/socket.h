/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The socket itself, for the files of this room that send and receive. */
#pragma once

#include "nf.h"
#include "wire.h"

struct mnl_socket;

struct nf_socket {
	struct mnl_socket *mnl;
	int fd;
	uint32_t sequence; /* of the last request */
	size_t send_room;  /* bytes that one message may have, as far as we know */
	uint8_t *buffer;   /* NF_RECEIVE_BYTES */
	int64_t batch_time; /* see nf_batch_time() */
};

/* The kernel makes dump messages of at most 32 KiB. */
#define NF_RECEIVE_BYTES (128u << 10)

/* Make room to send @len bytes at once. 0 or -errno. */
MUST_CHECK int nf_socket_grow(struct nf_socket *socket, size_t len);

MUST_CHECK int nf_socket_send(struct nf_socket *socket, const void *bytes, size_t len);

/* Receive what the kernel sent, into the socket's buffer; only what has come already unless @wait.
 * 0 and the bytes, valid until the next call; -EAGAIN (nothing there), -ETIMEDOUT, -ENOBUFS (some
 * answers were lost), -EMSGSIZE, -errno. Messages of other processes are passed over. */
MUST_CHECK int nf_socket_receive(struct nf_socket *socket, bool wait, struct nf_span *ret_bytes);

/* Throw away answers to something earlier that was given up. 0 or -errno. */
MUST_CHECK int nf_socket_drain(struct nf_socket *socket);

/* The answer to a request: 0 for an acknowledgement, or -errno, with the kernel's own words at
 * @ret_text (empty if there are none). -EBADMSG if it is too short. */
MUST_CHECK int nf_answer_read(const struct nf_message *message, int *ret_error, char *ret_text,
			      size_t size);
