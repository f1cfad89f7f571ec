/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One connection on its way from one socket to another: what comes in at one end goes out at the
 * other, in both directions, each with one buffer. Whoever cannot take more is waited for, and then
 * the other is not read from: nothing grows. When one end says no more, that is handed on, and the
 * other direction goes on.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#include <base/cleanup.h>

#define RELAY_BUFFER 16384 /* bytes, for each direction */

struct relay;

/* @near and @far are sockets that do not block, and belong to the relay on success. @connecting:
 * @far is not connected yet. Returns 0 and the relay, to relay_free(), or -ENOMEM. */
MUST_CHECK int relay_new(int near, int far, bool connecting, struct relay **ret_relay);
/* Closes both; what was not handed on is lost. NULL is nothing. Returns NULL. */
struct relay *relay_free(struct relay *relay);
DEFINE_CLEANUP(struct relay *, relay_free)

/* What to wait for, at the near and the far end. A descriptor below 0: nothing. */
void relay_wants(const struct relay *relay, struct pollfd ret_waits[static 2]);

/* Hand on what can be without waiting, not more than one buffer each way, so that others have their
 * turn. Returns 1 (there is more to come), 0 (both have said that there is no more, and that was
 * handed on), -ECONNREFUSED and its like (the far end cannot be reached), -ECONNRESET or -errno. */
MUST_CHECK int relay_step(struct relay *relay);
