/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The policy, for those who ask what was missing. The watch enforces nothing. */
#include "watch.h"

#include <time.h>

static uint64_t wall_clock_ns(void)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct stamp stamp_now(const struct watch *watch, uint64_t before_ns)
{
	return stamp_take(watch->policy, watch->policy_path, watch->policy_options.passwd,
			  before_ns, wall_clock_ns());
}

void watch_read_policy(struct watch *watch)
{
	uint64_t before_ns = wall_clock_ns();
	struct policy *policy = NULL;

	/* What cannot be read grants nothing that could be told; lethe-wall says what is wrong with
	 * it. */
	if (policy_load(watch->policy_path, &watch->policy_options, NULL, &policy) < 0)
		policy = NULL;
	policy_free(watch->policy);
	watch->policy = policy;
	watch->stamp = stamp_now(watch, before_ns);
	for (const struct row *row = table_next(watch->table, NULL); row;
	     row = table_next(watch->table, row))
		table_set_grant(watch->table, row, &(struct grant){0});
}

void watch_renew_policy(struct watch *watch)
{
	if (!watch->stamp.settled ||
	    stamp_now(watch, wall_clock_ns()).hash != watch->stamp.hash)
		watch_read_policy(watch);
}

void watch_ask(struct watch *watch, const struct row *row)
{
	char name[UNIT_BUS_NAME_MAX];
	struct packet packet;
	struct grant grant;

	if (row->grant.answer != GRANT_UNASKED)
		return;
	packet = row_packet(row);
	grant = grant_find(watch->policy, &watch->policy_options, &packet);
	table_set_grant(watch->table, row, &grant);
	if (row->group[0] && unit_bus_name("", row->group, name) == 0)
		table_set_bus_name(watch->table, row, name);
}

uint64_t watch_now_ns(void)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
