/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The TCP and UDP sockets of this network namespace, and ending them (sock_diag(7)). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/cleanup.h>

struct os_socket {
	bool ipv6;
	bool listening;
	bool orphaned; /* closed by its program: no user is known */
	bool udp;
	uint32_t uid;
	uint32_t inode; /* in the names of its descriptors, "socket:[INODE]"; 0: it has none */
	uint8_t local[16], remote[16]; /* network order; IPv4 in the first four bytes, also where
					* the socket is an IPv6 one with a mapped address */
	uint16_t local_port, remote_port; /* host order */
	uint8_t id[64]; /* how the kernel tells it from others; for sockets_end() */
};

/* All TCP sockets, listening and connected, of both families. The array is the caller's, to free().
 * Returns 0 or -errno. */
MUST_CHECK int sockets_list(struct os_socket **ret_sockets, size_t *ret_count);

/* All UDP sockets of both families, of the same form. */
MUST_CHECK int sockets_list_udp(struct os_socket **ret_sockets, size_t *ret_count);

/* End a connection at once, as if its peer had reset it. Returns 0, -ENOENT (gone already),
 * -EOPNOTSUPP (a kernel without INET_DIAG_DESTROY), or -errno. */
MUST_CHECK int sockets_end(const struct os_socket *socket);

/* A socket for asking the kernel with sockets_peer_owner(). Returns 0 or -errno. */
MUST_CHECK int sockets_peer_open(int *ret_fd);

/*
 * The user who made the socket at the other end of the TCP connection @connection over IPv4's loopback,
 * asked with @fd. Only of a connection that is open at both ends this can be told: a socket that its
 * program has closed has no owner. Returns 0; -EPERM (it cannot be told), -ENOENT (there is no such
 * socket in this namespace), or -errno.
 */
MUST_CHECK int sockets_peer_owner(int fd, int connection, uint32_t *ret_uid);
