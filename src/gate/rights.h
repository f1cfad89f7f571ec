/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What one user may do at the gate: the sum of the clients that name the user. Zero is nothing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/buf.h>
#include <torctl/command.h>

#include "vocabulary.h"

#define RIGHTS_PORTS_MAX      8
#define RIGHTS_TARGETS_MAX    16
#define RIGHTS_TRANSPORTS_MAX 8
#define RIGHTS_PATH_MAX	      64
#define RIGHTS_NAME_MAX	      16

struct rights_range {
	uint16_t low, high;
};

struct rights_transport {
	char name[RIGHTS_NAME_MAX];
	uint16_t port; /* on 127.0.0.1 */
};

struct rights {
	uint64_t infos;	  /* sets of indexes into the tables of vocabulary.h */
	uint64_t reads;	  /* options: GETCONF */
	uint64_t sets;	  /* options: SETCONF, RESETCONF */
	uint64_t events;
	uint64_t signals;
	uint64_t fields;  /* that are revealed besides those that are always told */
	bool sees_all;	  /* every stream and circuit; else those of these ports of Tor's: */
	uint16_t seen_ports[RIGHTS_PORTS_MAX];
	size_t seen_count;
	/* Where onion services may lead, on 127.0.0.1 and by UNIX sockets in these folders. */
	struct rights_range targets[RIGHTS_TARGETS_MAX];
	size_t target_count;
	char folders[RIGHTS_TARGETS_MAX][RIGHTS_PATH_MAX];
	size_t folder_count;
	struct rights_transport transports[RIGHTS_TRANSPORTS_MAX];
	size_t transport_count;
	bool onion_clients; /* ONION_CLIENT_AUTH_*, of its own making */
	bool drops_guards;
};

static inline bool rights_has(uint64_t set, int index)
{
	return index >= 0 && (set & UINT64_C(1) << index);
}

/* Add what @more may to @rights; what is there already takes no second place. Returns 0, or -E2BIG: there
 * are more ports, targets, folders or transports than a user can have; *ret_limit is how many that
 * would be, for people, and @rights is not to be used. */
MUST_CHECK int rights_join(struct rights *rights, const struct rights *more, const char **ret_limit);

/* May this option be set to this value (NULL: to its default)? NULL if so, and the value as Tor is to get
 * it in @ret_written, which is empty before, and never longer; else why not, a sentence. */
const char *rights_refuse_value(const struct rights *rights, int option, const char *value,
				struct buf *ret_written);

/* The same for an onion service that the command would make. */
const char *rights_refuse_onion(const struct rights *rights, const struct torctl_command *command);
