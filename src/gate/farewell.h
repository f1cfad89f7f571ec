/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The end of a connection, at both of its ends. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "session.h"

/* Milliseconds of a clock that does not go back. */
uint64_t guest_now(void);
/* For poll(2): how long until @due; -1 if that is UINT64_MAX. */
int guest_timeout(uint64_t due);
/* What waits for @fd, as far as it takes it. True unless the other end is gone. */
bool guest_write(int fd, struct outlet *outlet);

/*
 * The last words to the client at @client and to Tor at @tor, each for itself: whether the one takes them,
 * or is there at all, says nothing of the other. @session is at its end; with NULL there are but the
 * words in @reply, to the client.
 */
void farewell(struct session *session, const char *reply, int client, int tor);
