/* SPDX-License-Identifier: GPL-3.0-or-later */
/* On the message bus: the service org.lethe.Clearnet1, its client, and what NetworkManager knows of a
 * network's resolvers. */
#pragma once

#include <poll.h>

#include "door.h"
#include "resolvers.h"

#define BUS_NAME      "org.lethe.Clearnet1"
#define BUS_PATH      "/org/lethe/Clearnet1"
#define BUS_INTERFACE "org.lethe.Clearnet1"

struct bus;

struct bus *bus_free(struct bus *bus);
DEFINE_CLEANUP(struct bus *, bus_free)

/* Connect to the system bus, or to @address if it is not NULL. 0 or -errno. */
MUST_CHECK int bus_open(const char *address, struct bus **ret_bus);

/* What to wait for, and at most how long in milliseconds; -1: for ever. 0 or -errno. */
MUST_CHECK int bus_prepare(struct bus *bus, struct pollfd *ret_wait, int *ret_timeout_ms);

/* Take and answer what has come. 0, or -errno: the connection is lost. */
MUST_CHECK int bus_answer(struct bus *bus);

/* ---- the service ---- */

/* Offer @door, which must outlive the bus. 0, -EEXIST (the name is taken), or -errno. */
MUST_CHECK int bus_offer(struct bus *bus, struct door *door);

/* Tell of @event: whoever asked for a start has waited for it, and others may listen. 0 or -errno.
 */
MUST_CHECK int bus_tell(struct bus *bus, enum door_event event);

/* ---- a client of it ---- */

struct bus_state {
	bool enabled, running;
	char name[PROGRAM_NAME_MAX];
	int exit; /* as in struct door */
};

/* 0; -ENOENT (the daemon does not run), -EACCES, -EPERM (disabled), -EBUSY, -EINVAL (no such
 * program), or another -errno; what the daemon says is in @diag. bus_start() gives what brings the
 * program's output. */
MUST_CHECK int bus_start(struct bus *bus, const char *name, int *ret_output, struct diag *diag);
MUST_CHECK int bus_stop(struct bus *bus, struct diag *diag);
MUST_CHECK int bus_state(struct bus *bus, struct bus_state *ret_state, struct diag *diag);

/* ---- NetworkManager ---- */

/* Listen to what may change the resolvers. 0 or -errno. */
MUST_CHECK int bus_network_listen(struct bus *bus);

/* Has something come since this was asked last? */
bool bus_network_changed(struct bus *bus);

/* The resolvers of the networks that are up now: those of a person's own choice, then those that a
 * DHCP server offered. None if NetworkManager does not run. 0 or -errno. */
MUST_CHECK int bus_network_resolvers(struct bus *bus, struct resolvers *ret_resolvers);
