/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What one event does to the machine: the steps that machine.c puts together. Private to the two. */
#pragma once

#include <torctl/settings.h>

#include "machine.h"

/* One event's work. */
struct turn {
	struct machine *machine;
	int64_t now;
	struct actions *actions;
	bool told;
};

/* People see something else now. */
void turn_tell(struct turn *turn);
/* How far it is. */
void turn_set_phase(struct turn *turn, unsigned progress, const char *phase);
/* EVENT_TIME is wanted after so long, in place of any time before. */
void turn_set_timer(struct turn *turn, int64_t after_ms);
/* Tor without network and without bridges. Told to it once too often rather than not at all. */
void turn_shut_tor(struct turn *turn);
/* Close all but those of @keep, 1 << transport. */
void turn_keep_leases(struct turn *turn, unsigned keep);
/* Ask for those that are not there. */
void turn_want_leases(struct turn *turn, unsigned wanted);
/* Nobody has chosen to connect. */
void turn_be_idle(struct turn *turn);
/* There is no connection, and why. */
void turn_fail(struct turn *turn, enum reason reason);
/* There is one. */
void turn_be_connected(struct turn *turn);
/* Wait for something, for so long at most. */
void turn_wait_in(struct turn *turn, enum step step, const char *phase, int64_t after_ms);
/* By these bridges, 1 << transport. */
unsigned turn_transports_needed(const struct torctl_bridges *bridges);
/* Those without a transport only if @plain. */
void turn_add_all(struct torctl_bridges *to, const struct torctl_bridges *from, bool plain);
/* Without those that need one of these transports. */
void turn_drop_bridges(struct machine *machine, unsigned transports);
/* Tor gets the network: there alone. */
void turn_open_tor(struct turn *turn);
/* If all transports are ready. */
void turn_go_on_with_leases(struct turn *turn);
/* Begin the way that is set. */
void turn_go_way(struct turn *turn);
/* Ask for bridges, by a transport that is asked for first. */
void turn_ask_settings(struct turn *turn);
/* From the beginning, as it was chosen. */
void turn_start(struct turn *turn);
/* It does not work: the clock is asked, or the next way is gone. */
void turn_leave_way(struct turn *turn, enum reason last);
/* Without asking. */
void turn_go_next_way(struct turn *turn, enum reason last);
/* Ask Tor's list of relays for the time; false: that was done. */
bool turn_bound_clock(struct turn *turn);
/* It makes no progress. */
void turn_give_up_tor(struct turn *turn);
/* Ask the network, with Tor shut. */
void turn_ask_clock(struct turn *turn);
enum reason turn_blame_bridges(const struct machine *machine);
struct action *turn_act(struct turn *turn, enum action_kind kind);
