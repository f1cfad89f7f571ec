/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The service org.lethe.Network1. */
#pragma once

#include <poll.h>

#include "watch.h"

struct bus;

struct bus *bus_free(struct bus *bus);
DEFINE_CLEANUP(struct bus *, bus_free)

/* Connect to the system bus, or to @address if it is not NULL, and offer what @watch knows, which
 * must outlive the bus. Returns 0, -EEXIST (the name is taken), or -errno. */
MUST_CHECK int bus_open(struct watch *watch, const char *address, struct bus **ret_bus);

/* What to wait for, and at most how long in milliseconds; -1: for ever. Returns 0 or -errno. */
MUST_CHECK int bus_prepare(struct bus *bus, struct pollfd *ret_wait, int *ret_timeout_ms);

/* Answer what was asked. Returns 0, or -errno: the connection is lost. */
MUST_CHECK int bus_answer(struct bus *bus);

/* Tell whoever listens: there is something new to ask for; and what a person should be told. */
MUST_CHECK int bus_say_changed(struct bus *bus);
MUST_CHECK int bus_say_refused(struct bus *bus, const struct row *row,
			       const struct notice *notice, uint64_t held_back);
