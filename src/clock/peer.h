/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Messages over sockets of this computer (AF_UNIX, SOCK_SEQPACKET), each with a deadline. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/cleanup.h>

/* Connect to the socket at @path. Returns 0 and the descriptor, -ENAMETOOLONG, or -errno. */
MUST_CHECK int peer_connect(const char *path, int *ret_fd);

/* Wait until a message is there or CLOCK_BOOTTIME is @deadline (ns), and take it: at most @size bytes.
 * Returns its length, 0 at the end of the connection, -ETIMEDOUT, -E2BIG (a longer one), or -errno. */
MUST_CHECK ssize_t peer_receive(int fd, void *data, size_t size, int64_t deadline);

/* The same for somebody at @asker, another connection: -ECANCELED if he has gone, before or while it is
 * waited for. */
MUST_CHECK ssize_t peer_receive_for(int asker, int fd, void *data, size_t size, int64_t deadline);

/* Has the other closed the connection, or said that he sends nothing more? */
bool peer_gone(int fd);

/* Send one message. Returns 0, -EAGAIN (the other does not read), or -errno. */
MUST_CHECK int peer_send(int fd, const void *data, size_t length);
