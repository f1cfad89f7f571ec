/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a client says on a control port (control-spec, "Commands from controller to Tor"), read piece by
 * piece and turned into values. Whoever passes a command on writes it anew from the values, with
 * torctl_command_write(): no byte of the client's reaches Tor as it was, so that no two readers can
 * disagree about where an argument, a line or a command ends.
 *
 *   GETINFO version circuit-status           one line
 *   SETCONF Bridge="obfs4 192.0.2.1:443"     a value may be quoted
 *   +LOADCONF                                lines follow, ended by a line with a single dot
 *
 * Lines end in CR LF and in nothing else; a CR or LF alone and a NUL are errors, as in reply.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/buf.h>

#include "reply.h"

/* ---- lines ---- */

/* One command as it came. It is the reader's, until the next call. */
struct torctl_sent {
	const char *line; /* without its end and without the '+'; it holds no NUL, CR or LF */
	size_t length;
	bool with_data;	    /* a data block followed it */
	size_t data_length; /* of that, in bytes. It is not kept: no command that is modelled has one */
};

struct torctl_reader;

/* Returns 0 and the reader, to torctl_reader_free(), or -ENOMEM. Of @limits, `lines` and `bytes` are of
 * one command with its data block. */
MUST_CHECK int torctl_reader_new(const struct torctl_limits *limits,
				 struct torctl_reader **ret_reader);
struct torctl_reader *torctl_reader_free(struct torctl_reader *reader);
DEFINE_CLEANUP(struct torctl_reader *, torctl_reader_free)

/*
 * Take bytes up to the end of a command at most: *ret_used says how many, and *ret_sent is that command,
 * or NULL when more bytes are needed. Returns 0; -EBADMSG (a NUL, a CR or LF alone), -E2BIG (past a
 * limit) or -ENOMEM, from then on always.
 */
MUST_CHECK int torctl_reader_feed(struct torctl_reader *reader, const char *bytes, size_t length,
				  size_t *ret_used, const struct torctl_sent **ret_sent);

/* Nothing of a command was taken yet. */
bool torctl_reader_between(const struct torctl_reader *reader);

/* ---- values ---- */

enum torctl_verb {
	TORCTL_NO_COMMAND = 0, /* Tor has none of this name */
	TORCTL_NOT_MODELLED,   /* Tor has it; nothing is known here of its arguments */
	TORCTL_AUTHENTICATE,   /* whatever it brings is thrown away */
	TORCTL_AUTHCHALLENGE,  /* the same */
	TORCTL_PROTOCOLINFO,   /* the same */
	TORCTL_QUIT,
	TORCTL_DROPGUARDS,
	TORCTL_GETINFO,	  /* items: name */
	TORCTL_GETCONF,	  /* items: name */
	TORCTL_SETCONF,	  /* items: name, value or NULL */
	TORCTL_RESETCONF, /* items: name, value or NULL */
	TORCTL_SETEVENTS, /* items: name; none: no events */
	TORCTL_SIGNAL,	  /* one item: name */
	TORCTL_ADD_ONION,
	TORCTL_DEL_ONION,
	TORCTL_ONION_CLIENT_AUTH_ADD,
	TORCTL_ONION_CLIENT_AUTH_REMOVE,
	TORCTL_ONION_CLIENT_AUTH_VIEW,
};

struct torctl_item {
	const char *name;
	const char *value; /* printable ASCII, quotes and escapes resolved; NULL: none was given */
};

enum torctl_key {
	TORCTL_NO_KEY = 0,
	TORCTL_KEY_NEW,	    /* NEW:BEST or NEW:ED25519-V3 */
	TORCTL_KEY_ED25519, /* ED25519-V3: a service's key */
	TORCTL_KEY_X25519,  /* x25519: a client's key */
};

enum torctl_flag {
	TORCTL_DISCARD_KEY = 1u << 0,		/* DiscardPK */
	TORCTL_DETACH = 1u << 1,		/* Detach: it outlives the connection */
	TORCTL_CLOSE_CIRCUIT = 1u << 2,		/* MaxStreamsCloseCircuit */
	TORCTL_CLIENTS_BY_KEY = 1u << 3,	/* V3Auth */
	TORCTL_NOT_ANONYMOUS = 1u << 4,		/* NonAnonymous */
	TORCTL_PERMANENT = 1u << 5,		/* Permanent, of a client's key: it is written to disk */
};

/* Where an onion service's connections go. */
struct torctl_target {
	uint16_t onion_port;
	uint16_t port;	  /* on 127.0.0.1; 0 if it is a UNIX socket */
	const char *path; /* of the UNIX socket, absolute; else NULL */
};

#define TORCTL_ITEMS_MAX 128
#define TORCTL_ONION_ID	 56 /* characters of an onion address, without ".onion" */

struct torctl_command {
	enum torctl_verb verb;
	struct torctl_item *items;
	size_t item_count;
	/* The onion commands: */
	const char *service; /* DEL_ONION, ..._AUTH_*: an address in lower case; NULL for VIEW of all */
	enum torctl_key key_kind;
	const char *key;	/* base64; NULL for a new one */
	unsigned flags;		/* of enum torctl_flag */
	bool has_max_streams;
	uint16_t max_streams;
	struct torctl_target *targets;
	size_t target_count;
	const char **clients; /* ClientAuthV3: keys, in base32 */
	size_t client_count;
	const char *nickname; /* ClientName, or NULL */
	char *store;	      /* holds the texts */
};

/* A reason is a sentence without a full stop, for people, and static. */
#define TORCTL_REASON_MAX 128

/*
 * What a line means. Returns 0 and the command, to torctl_command_done(): also for one that is unknown
 * or not modelled, which has a verb and nothing else. -EINVAL: its arguments are none that it can have;
 * *ret_reason says why. Or -ENOMEM.
 */
MUST_CHECK int torctl_command_read(const struct torctl_sent *sent, struct torctl_command *ret_command,
				   const char **ret_reason);
void torctl_command_done(struct torctl_command *command);

/* Give the item of this index, which has a value, another one. 0; or -E2BIG: it is longer than the first
 * one, for which there is room. */
MUST_CHECK int torctl_command_set_value(struct torctl_command *command, size_t item,
					const char *value);

/* The command for Tor, with its line's end. It must be modelled. Errors stay in the buffer. */
void torctl_command_write(const struct torctl_command *command, struct buf *out);

/* The word by which Tor knows it; "" if it is unknown or not modelled. */
const char *torctl_verb_name(enum torctl_verb verb);

/* @id has the form of an onion service's address without ".onion", in lower case. */
bool torctl_is_onion(const char *id);
