/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sockets that the service manager has opened for us (sd_listen_fds(3)), found by their names. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <base/cleanup.h>

#define GIVEN_FIRST 3 /* the first descriptor that is handed over */
#define GIVEN_MAX   16

/* What the environment says: LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES. Borrowed; NULL where unset. */
struct given {
	const char *count, *pid, *names;
};

/*
 * The descriptor with this name. Returns 0; -ENOENT (nothing was handed to the process @own, or
 * nothing of that name), -EEXIST (more than one has it), -EBADMSG (that is no such environment:
 * more than GIVEN_MAX, no numbers, or another number of names).
 */
MUST_CHECK int given_find(const struct given *given, uint64_t own, const char *name, int *ret_fd);

/* Is @fd a socket that listens, of this family (AF_*) and for streams? For AF_INET: at 127.0.0.1.
 */
bool given_listens(int fd, int family);
