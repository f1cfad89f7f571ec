/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What was refused, one row for each program, user, destination and kind of packet; repetitions are
 * counted in their row. In memory only and bounded: when it is full, the row that has been quiet for
 * longest goes, and how many went is counted.
 */
#pragma once

#include "attempt.h"
#include "grant.h"
#include "unit.h"

#define TABLE_ROWS_MAX	16384
#define ROW_PATH_MAX	512
#define ROW_GROUP_MAX	256
#define ROW_UNIT_MAX	128

struct row_key {
	uint64_t exe_inode, creator_inode, group;
	uint32_t exe_device, creator_device;
	uint32_t uid, owner_uid;
	uint32_t netns;
	uint32_t flags; /* those of how: owned, frame, packet socket, lo, addressed */
	uint8_t kind;	/* enum watch_kind; a repetition is folded into what the program did itself */
	uint8_t protocol;
	uint16_t ethertype;
	uint16_t detail; /* destination port, or ICMP type; 0 */
	uint8_t pad[2];
	struct packet_address destination;
};

struct row {
	struct row_key key;
	uint64_t attempts; /* sent by the program that ran: certain */
	uint64_t repeats;  /* sent from an interrupt, by its socket; or by nobody that is known */
	uint64_t first_ns, last_ns, last_number;
	/* Of the packet that was heard of last. */
	struct watch_identity sender, creator;
	uint32_t flags, mntns;
	uint8_t tcp_flags, icmp_type, icmp_code;
	char path[ROW_PATH_MAX];   /* "" if it was never learned */
	char group[ROW_GROUP_MAX]; /* cut at the left, by "..." */
	struct grant grant;	   /* asked for when the row is first shown */
	char bus_name[UNIT_BUS_NAME_MAX]; /* that its unit offers; asked for then, too; "" for none */
	bool path_remembered;	   /* not from this row's own packets, but from others of this file */
};

struct table;

struct table *table_free(struct table *table);
DEFINE_CLEANUP(struct table *, table_free)

/* At most @rows rows, from 1 to TABLE_ROWS_MAX. Returns 0, -EINVAL or -ENOMEM. */
MUST_CHECK int table_new(size_t rows, struct table **ret_table);

/* Count @attempt in its row, made if there is none. The row is borrowed until the next call;
 * *ret_new says whether it was made now. Never fails. */
const struct row *table_add(struct table *table, const struct attempt *attempt, bool *ret_new);

size_t table_count(const struct table *table);
uint64_t table_evicted(const struct table *table); /* rows that went for want of room */
void table_forget(struct table *table);		   /* all rows; what they held is overwritten */

/* The row as a packet for the policy. */
struct packet row_packet(const struct row *row);

/* Set what the policy says of a row of @table. */
void table_set_grant(struct table *table, const struct row *row, const struct grant *grant);

/* Set the name on the message bus of the row's unit; "" for none. */
void table_set_bus_name(struct table *table, const struct row *row, const char *name);

/* From the row that was heard of last to the one that is quiet for longest: NULL begins, NULL ends.
 * Borrowed until the table changes. */
const struct row *table_next(const struct table *table, const struct row *row);
