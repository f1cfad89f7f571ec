/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What lethe-watchd knows, shared by its parts. */
#pragma once

#include <nf/log.h>
#include <policy/policy.h>

#include "notice.h"
#include "probe.h"
#include "stamp.h"
#include "table.h"
#include "tamper.h"
#include "tampering.h"

#define WATCH_BUS_NAME	"org.lethe.Network1"
#define WATCH_BUS_PATH	"/org/lethe/Network1"
#define WATCH_INTERFACE "org.lethe.Network1"

#define WATCH_KEEPERS_MAX 4

struct watch {
	struct probe *probe;	 /* NULL: this kernel cannot tell who was refused */
	struct nf_log *log;	 /* the other way, see fallback.h; NULL while there is a probe */
	uint64_t told;		 /* by it: numbers what it tells */
	const char *probe_error; /* why, in static storage; "" if there is a probe */
	struct table *table;
	size_t rows_max;
	struct notice_limit limit;
	uint64_t unreadable; /* records that were not as they should be; never seen yet */
	uint64_t unnamed;    /* packets of a program's of which it is not known which */
	uint32_t own_netns;
	int64_t since; /* seconds since 1970 */

	struct tampering *tampering; /* NULL: nobody sees who would change the filter */
	const char *tampering_error; /* why, in static storage; "" or NULL if there is one */
	struct tampers tampers;	     /* of our tables, in our network namespace, by others */
	uint64_t others;	     /* changes of others' tables there; by whom is not kept */
	const char *keepers[WATCH_KEEPERS_MAX]; /* programs that may change our tables; NULL ends */

	const char *policy_path;
	struct policy_options policy_options;
	struct policy *policy; /* NULL: could not be read */
	struct stamp stamp;    /* of its files, when it was read */
};

/* Read the policy anew; without one, no grant is told. What the rows knew of the old one goes. */
void watch_read_policy(struct watch *watch);

/* The same if its files have changed since. To be asked before rows are told to anybody: whoever changes
 * the policy need not tell the watch. */
void watch_renew_policy(struct watch *watch);

/* Ask the policy about @row, and its unit's file for a name on the bus, once. */
void watch_ask(struct watch *watch, const struct row *row);

/* CLOCK_MONOTONIC, as the kernel's records have it. */
uint64_t watch_now_ns(void);
