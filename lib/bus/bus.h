/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What programs on the message bus share. The only door to libsystemd: who uses sd-bus includes this.
 * Functions of sd-bus return what is negative on failure; those here return 0, or -errno.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <systemd/sd-bus.h>

#include <base/cleanup.h>

static inline void bus_messagep(sd_bus_message **message)
{
	sd_bus_message_unref(*message);
}
#define AUTO_MESSAGE CLEANUP(bus_messagep)

/* Connect to the system bus, or to @address if it is not NULL. The connection is the caller's, to
 * sd_bus_flush_close_unref(), also on failure, when it may be NULL. Returns 0 or -errno. */
MUST_CHECK int bus_connect(const char *address, sd_bus **ret_connection);

/* For poll(2): what to wait for, and at most how long in milliseconds; -1: for ever. @now_us is
 * CLOCK_MONOTONIC. Returns 0 or -errno. */
MUST_CHECK int bus_wait_for(sd_bus *connection, uint64_t now_us, struct pollfd *ret_wait,
			    int *ret_timeout_ms);

/* Do all that has come. Returns 0, or -errno: the connection is lost. */
MUST_CHECK int bus_work(sd_bus *connection);

/* The user who calls, as the bus says. 0 or -errno. */
MUST_CHECK int bus_caller(sd_bus_message *call, uid_t *ret_uid);

/*
 * Root may; others if polkit says so. Any doubt is a no, and nobody is asked for a password here: that
 * would hold everybody else up. @alone: where there is no polkit at all, whoever the bus has let in may.
 */
bool bus_may(sd_bus_message *call, const char *action, bool alone);

/* What failed: -ENOENT (the service is not there), -EACCES (it may not be asked), else @error_number. */
int bus_error(int error_number, const sd_bus_error *error);
