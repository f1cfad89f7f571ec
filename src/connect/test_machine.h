/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the tests of the state machine share: a machine, and what it was told and said. */
#pragma once

#include "machine.h"

#define STALL 60000

#define OBFS4	  "obfs4 192.0.2.1:443 cert=abc"
#define OBFS4_TWO "obfs4 192.0.2.2:443 cert=def"
#define SNOWFLAKE "snowflake 192.0.2.3:80 url=https://broker.example/"
#define MEEK	  "meek_lite 192.0.2.4:80 url=https://meek.example/"
#define PLAIN	  "192.0.2.9:9001"

struct trial {
	struct machine machine;
	struct torctl_bridges defaults, given;
	struct actions actions; /* of the last event */
	int64_t now;

	/* What the world knows by the actions. */
	bool tor_here, tor_network;
	struct torctl_bridges tor_bridges;
	unsigned leases;
	size_t network_clocks, consensus_clocks, settings, opened;
};

/* @defaults: lines, or NULL. Nothing is linked, and no Tor is there. */
void trial_begin(struct trial *trial, const char *defaults);
void trial_take(struct trial *trial, struct event event);
void trial_link(struct trial *trial, bool up);
/* Tor is there, as it begins: without network. */
void trial_tor(struct trial *trial);
void trial_choose(struct trial *trial, struct choice choice);
void trial_automatic(struct trial *trial);
/* @lines: bridges, or NULL. */
void trial_hide(struct trial *trial, const char *lines);
void trial_simple(struct trial *trial, enum event_kind kind);
void trial_bootstrap(struct trial *trial, unsigned progress);
void trial_problem(struct trial *trial, enum trouble trouble, bool hopeless);
void trial_relay(struct trial *trial, enum trouble trouble);
void trial_lease(struct trial *trial, enum torctl_transport transport, enum lease_state state);
void trial_clock(struct trial *trial, enum clock_outcome outcome, bool captive);
/* Let time go by until the machine's timer, and take that. */
void trial_wait(struct trial *trial);
