/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How this computer connects to Tor: a state machine without any input or output. Events go in, each
 * with the time it happened at; actions come out, for the daemon to do in their order.
 *
 *   offline ---> asked ---> connecting ---> connected
 *      ^           ^          |     ^           |
 *      |           |          v     |           |
 *      +-----------+-------- failed +-----------+
 *
 *   offline     there is no network, or the person chose to stay without
 *   asked       there is a network, and the person has not chosen yet
 *   connecting  as chosen; a timer runs that ends it
 *   connected   Tor is at 100 %
 *   failed      with a reason; some are tried again by a timer, all of them when asked or when the
 *               network comes back
 *
 * What holds whatever comes: Tor gets the network only after a choice; in the mode `hide` it only ever
 * connects to bridges, to bridges without a transport only if the person insists, to the system's own
 * bridges only if the person asked for them, and no question goes to the network outside of Tor.
 */
#pragma once

#include <torctl/bridge.h>

#include "reason.h"

enum mode {
	MODE_NONE = 0, /* nothing was chosen, or to stay offline */
	MODE_AUTOMATIC,
	MODE_HIDE,
};

enum state {
	STATE_OFFLINE = 0,
	STATE_ASKED,
	STATE_CONNECTING,
	STATE_CONNECTED,
	STATE_FAILED,
};

/* What is being waited for while connecting. */
enum step {
	STEP_NONE = 0,
	STEP_WAIT_TOR,	     /* that Tor answers */
	STEP_CLOCK,	     /* the clock's answer */
	STEP_SETTINGS_LEASE, /* the transport by which bridges are asked for */
	STEP_SETTINGS,	     /* the bridges */
	STEP_TRANSPORT,	     /* the transports that the bridges need */
	STEP_TOR,	     /* Tor's progress */
};

/* In the order in which the mode `automatic` tries them. */
enum way {
	WAY_DIRECT = 0,
	WAY_OBFS4,     /* the system's own bridges of this transport */
	WAY_SNOWFLAKE,
	WAY_MEEK,
	WAY_END,
	WAY_CHOSEN, /* the person's own bridges, in the mode `hide` */
};

struct choice {
	enum mode mode;
	bool plain;    /* hide: bridges without a transport are taken, too */
	bool defaults; /* hide: with the system's own bridges */
	bool ask;      /* hide: ask the service that gives bridges */
	char country[3]; /* two small letters, or "" */
	const struct torctl_bridges *bridges; /* hide; may be NULL. Borrowed for the call */
};

enum event_kind {
	EVENT_TIME = 1, /* nothing but that it is later */
	EVENT_CHOOSE,
	EVENT_CANCEL, /* stay offline */
	EVENT_RETRY,
	EVENT_FORGET,	 /* the choice and its bridges */
	EVENT_LINK,	 /* there is a network, or there is not */
	EVENT_TOR_HERE,	 /* Tor can be told something; how it is */
	EVENT_TOR_GONE,
	EVENT_TOR_REFUSED, /* the last ACTION_TOR */
	EVENT_BOOTSTRAP,
	EVENT_RELAY, /* a connection to a relay or bridge has come to be, or failed */
	EVENT_LIVENESS,
	EVENT_SKEW, /* somebody whom Tor trusts has another time */
	EVENT_LEASE,
	EVENT_CLOCK,
	EVENT_SETTINGS,
};

enum trouble { /* of a connection to a relay or bridge */
	TROUBLE_NONE = 0,
	TROUBLE_REFUSED,
	TROUBLE_SILENT, /* time out, no route, ended: anything else */
	TROUBLE_IDENTITY,
};

enum lease_state { LEASE_LOST = 0, LEASE_STARTING, LEASE_READY };
enum clock_outcome { CLOCK_UNKNOWN = 0, CLOCK_KEPT, CLOCK_RIGHT, CLOCK_SET };
enum settings_outcome { SETTINGS_FAILED = 0, SETTINGS_EMPTY, SETTINGS_FOUND };

/* All of it borrowed for the call. */
struct event {
	enum event_kind kind;
	int64_t now_ms; /* of a clock that is never set */
	union {
		struct {
			const struct choice *choice; /* choice_check() has said yes */
			bool plausible;		     /* the clock, by what is known here */
		} choose;
		bool up; /* LINK, LIVENESS */
		struct {
			bool network; /* DisableNetwork is 0 */
			unsigned progress;
			const struct torctl_bridges *bridges; /* Tor's; NULL: UseBridges is 0 */
			bool foreign; /* it has bridges that are not understood here */
		} tor;
		struct {
			unsigned progress; /* per cent */
			const char *phase;
			enum trouble trouble;
			bool hopeless; /* Tor says that this should be told */
		} bootstrap;
		enum trouble relay; /* TROUBLE_NONE: it stands */
		struct {
			enum torctl_transport transport;
			enum lease_state state;
		} lease;
		struct {
			enum clock_outcome outcome;
			bool captive;
		} clock;
		struct {
			enum settings_outcome outcome;
			const struct torctl_bridges *bridges; /* FOUND */
			unsigned builtin; /* FOUND: 1 << transport of which the system's own are meant */
		} settings;
	};
};

enum action_kind {
	ACTION_TOR = 1, /* set how Tor connects; answer EVENT_TOR_REFUSED or _GONE if that fails */
	ACTION_LEASE_OPEN,
	ACTION_LEASE_CLOSE,
	ACTION_CLOCK,
	ACTION_SETTINGS, /* ask for bridges */
	ACTION_TELL,	 /* what people see has changed */
};

struct action {
	enum action_kind kind;
	bool network; /* TOR: may it use the network? CLOCK: may the network be asked? */
	const struct torctl_bridges *bridges; /* TOR: the machine's, until the next event; NULL: none */
	enum torctl_transport transport; /* LEASE_ */
	const char *country;		 /* SETTINGS: the machine's; "" for wherever this is */
};

#define ACTIONS_MAX 24

struct actions {
	size_t count;
	struct action list[ACTIONS_MAX];
};

/* In milliseconds; none is 0. */
struct patience {
	int64_t tor;	   /* until Tor answers */
	int64_t stall;	   /* without progress, direct */
	int64_t stall_far; /* the same by a bridge */
	int64_t lease, clock, settings;
	int64_t retry, retry_most; /* the first pause and the longest */
};

#define PHASE_MAX 32

struct machine {
	/* What a machine is made with. */
	struct patience patience;
	const struct torctl_bridges *defaults; /* the system's own; borrowed */

	/* What people may see. */
	enum state state;
	enum mode mode;
	enum reason reason; /* of STATE_FAILED, else none */
	unsigned progress;
	char phase[PHASE_MAX];

	/* The choice. */
	bool plain, use_defaults, ask, stay;
	char country[3];
	struct torctl_bridges chosen; /* typed, or given by the service */

	/* Where it stands. */
	enum step step;
	enum way way;
	struct torctl_bridges active; /* what Tor is told */
	bool linked, tor_here, tor_open;
	bool begun; /* Tor has answered once, or a person has said what is to be: nothing is adopted */
	unsigned leases, ready; /* 1 << transport: asked for, and ready */
	bool implausible;	/* the clock, when chosen */
	bool clock_asked;	/* the network, for this attempt */
	bool clock_bounded;	/* Tor's consensus, for this attempt */
	bool clock_wrong;	/* somebody said so, and it was not put right */
	bool bounding;		/* an answer about the consensus is still to come */
	bool heard;		/* some relay or bridge has answered in this way */
	bool heard_any;		/* in any way of this attempt */
	enum trouble trouble;	/* the worst that was seen in this way */
	unsigned troubles;	/* how many were */
	bool way_failed;	/* and the clock is asked before the next one */
	int64_t timer_ms;	/* when EVENT_TIME is wanted; 0: never */
	unsigned tries;		/* that failed one after the other */
};

/* What is wrong with a choice, as a sentence for people, or NULL. */
const char *choice_check(const struct choice *choice, const struct torctl_bridges *defaults);

/* With the usual patience, in which @stall_ms is that of a direct connection. */
void machine_init(struct machine *machine, int64_t stall_ms, const struct torctl_bridges *defaults);

/* Take one event. @ret_actions is written anew. */
void machine_take(struct machine *machine, const struct event *event, struct actions *ret_actions);

/* For programs: "offline", "automatic", ... */
const char *state_name(enum state state);
const char *mode_name(enum mode mode);
