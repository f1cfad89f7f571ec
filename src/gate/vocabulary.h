/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What can be granted at all: keys of GETINFO, options, events, signals, and the parts of events. What
 * is not in these tables no grant can name and no client can have, whatever Tor learns to say one day.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How the value of a key is filtered, and what may follow the key. */
enum info_kind {
	INFO_PLAIN = 1,	  /* passed on as it is: it tells of Tor and of nobody's use of it */
	INFO_RELAY,	  /* /FINGERPRINT follows: what the consensus says of a relay */
	INFO_COUNTRY,	  /* /ADDRESS follows */
	INFO_PHASE,	  /* as a status event */
	INFO_CIRCUITS,	  /* the visible ones */
	INFO_STREAMS,	  /* the same */
	INFO_ONIONS,	  /* those that this connection made */
};

struct info_word {
	const char *name; /* without what follows */
	enum info_kind kind;
};

enum option_kind {
	OPTION_READ = 1,  /* may be read and never set */
	OPTION_SWITCH,	  /* 0 or 1 */
	OPTION_BRIDGE,	  /* a bridge line */
	OPTION_TRANSPORT, /* NAME socks5 127.0.0.1:PORT, where the pair is granted */
	OPTION_PROXY,	  /* IPV4:PORT */
	OPTION_SECRET,	  /* 1 to 255 printable characters: a proxy's user, password, or both */
};

struct option_word {
	const char *name;
	enum option_kind kind;
};

enum event_kind {
	EVENT_PLAIN = 1, /* tells of Tor and of nobody's use of it */
	EVENT_STATUS,	 /* SEVERITY ACTION fields */
	EVENT_RELAY,	 /* TARGET STATUS fields: of a connection to a relay or bridge */
	EVENT_STREAM,	 /* ID STATUS CIRCUIT TARGET fields, of a visible stream */
	EVENT_STREAM_USE, /* ID ..., of a visible stream */
	EVENT_CIRCUIT,	 /* ID STATUS [PATH] fields, of a visible circuit */
	EVENT_CIRCUIT_CHANGE, /* ID WHAT [PATH] fields, of a visible circuit */
	EVENT_ONION,	 /* ACTION ADDRESS ..., of a service that this connection made */
	EVENT_OPTIONS,	 /* options that changed: those that may be read */
	EVENT_UNTOLD,	 /* may be asked for, because a program ends where it is refused; Tor is not asked
			  * for it, and it never comes */
};

struct event_word {
	const char *name;
	enum event_kind kind;
};

struct field_word {
	const char *name;
	unsigned kinds; /* 1 << enum event_kind: where it can be */
	bool told;	/* always; else only if the grant reveals it */
};

#define INFO_MAX   64
#define OPTION_MAX 64
#define EVENT_MAX  32
#define SIGNAL_MAX 16
#define FIELD_MAX  64

extern const struct info_word info_words[];
extern const size_t info_count;
extern const struct option_word option_words[];
extern const size_t option_count;
extern const struct event_word event_words[];
extern const size_t event_count;
extern const char *const signal_words[];
extern const size_t signal_count;
extern const struct field_word field_words[];
extern const size_t field_count;

/* Each returns an index into its table, or -1. Options, events and signals are the same in any case. */
int option_find(const char *name);
int event_find(const char *name);
int signal_find(const char *name);
int field_find(const char *name, enum event_kind kind);

/* The key of which @text is one, with what follows where something must: *ret_rest is that, or "".
 * What follows has the form that it must have. */
int info_find(const char *text, const char **ret_rest);
/* The same by its name alone, as grants write it. */
int info_find_name(const char *name);
