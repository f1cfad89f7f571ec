/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How Tor connects, as a value, and as the one command that sets it. The command is made of typed
 * values alone: there is no text in it that came from somewhere else.
 */
#pragma once

#include "bridge.h"

/* Bytes of a command, without its end. Filters before Tor's socket take lines of 8 KiB. */
#define TORCTL_COMMAND_MAX 8000

/* The port on 127.0.0.1 where a transport is offered to Tor; 0: it needs none. */
uint16_t torctl_transport_port(enum torctl_transport transport);

/* Zero: no network at all. */
struct torctl_settings {
	bool network;
	/* NULL or without any: Tor connects to relays itself. */
	const struct torctl_bridges *bridges;
};

/*
 * "SETCONF DisableNetwork=... UseBridges=... Bridge=... ClientTransportPlugin=...", without its end.
 * All of it is set, also what is as it should be: nothing rests on what Tor had before. Errors stay in
 * the buffer.
 */
void torctl_settings_write(const struct torctl_settings *settings, struct buf *out);

/* Drop the last bridges until the command fits into TORCTL_COMMAND_MAX: that are more than forty of the
 * usual length, and more than Tor uses. */
void torctl_settings_fit(struct torctl_bridges *bridges);
