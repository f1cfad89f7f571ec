/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Telling the service manager how a service is (sd_notify(3)'s protocol, which is a datagram of
 * lines). Our own, and not libsystemd's: sd_notify() makes a socket at each call, which a process in
 * a sandbox that forbids AF_UNIX sockets does not survive. Here it is made and connected before.
 */
#pragma once

#include <base/cleanup.h>

/* A socket connected to whom NOTIFY_SOCKET names. 0; -ENOENT if nobody wants to know; -EINVAL if
 * the name cannot be one; or -errno. */
MUST_CHECK int notify_open(int *ret_fd);

/* Send lines ("READY=1\nSTATUS=...") over it. 0, -EBADF if @fd is none, or -errno. Does not wait.
 */
MUST_CHECK int notify_send(int fd, const char *lines);
