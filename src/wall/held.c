/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the kernel holds of Lethe's, and which devices it judges. A kernel that binds chains by
 * prefix holds the egress chain for every device; an older one holds a list of devices, to which a
 * device that is plugged in is not added. So rules are compared without that list, and the list is
 * compared with the devices that are there.
 */
#include "wall.h"

#include "compile.h"

#include <os/netns.h>
#include <string.h>

void wall_devices_done(struct wall_devices *devices)
{
	free(devices->names);
	*devices = (struct wall_devices){ 0 };
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

int wall_devices_list(struct wall_devices *ret_devices)
{
	struct wall_devices devices = { 0 };
	int r = netns_devices(&devices.names, &devices.count);

	if (r < 0)
		return r;
	qsort(devices.names, devices.count, sizeof(*devices.names), by_name);
	*ret_devices = devices;
	return 0;
}

bool wall_devices_same(const struct wall_devices *a, const struct wall_devices *b)
{
	return a->count == b->count &&
	       memcmp(a->names, b->names, a->count * sizeof(*a->names)) == 0;
}

void wall_held_done(struct wall_held *held)
{
	ruleset_free(held->host);
	ruleset_free(held->frames);
	wall_devices_done(&held->uncovered);
	*held = (struct wall_held){ 0 };
}

static struct ruleset_chain *egress_of(struct ruleset *frames)
{
	if (!frames)
		return NULL;
	for (size_t i = 0; i < frames->tables[0].chain_count; i++) {
		struct ruleset_chain *chain = &frames->tables[0].chains[i];

		if (chain->base && chain->hook == HOOK_NETDEV_EGRESS &&
		    strcmp(chain->name, WALL_EGRESS) == 0)
			return chain;
	}
	return NULL;
}

static bool is_bound(const struct ruleset_chain *chain, const char *device)
{
	for (size_t i = 0; chain && i < chain->device_count; i++)
		if (strcmp(chain->devices[i], device) == 0)
			return true;
	return false;
}

/* Leave in @devices those that @chain does not judge. */
static void keep_uncovered(const struct ruleset_chain *chain, struct wall_devices *devices)
{
	size_t kept = 0;

	for (size_t i = 0; i < devices->count; i++)
		if (!is_bound(chain, devices->names[i]))
			memmove(devices->names[kept++], devices->names[i], sizeof(*devices->names));
	devices->count = kept;
}

static int read_table(struct nf_socket *nf, enum ruleset_family family,
		      struct ruleset **ret_ruleset)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;
	int r = nf_read_table(nf, family, WALL_TABLE, &ruleset);

	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0 && ruleset->table_count != 1)
		return -EBADMSG;
	*ret_ruleset = TAKE_PTR(ruleset);
	return 0;
}

int wall_read_held(struct nf_socket *nf, struct wall_held *ret_held)
{
	CLEANUP(wall_held_done) struct wall_held held = { 0 };
	struct ruleset_chain *egress;
	int r;

	r = read_table(nf, RULESET_INET, &held.host);
	if (r == 0)
		r = read_table(nf, RULESET_NETDEV, &held.frames);
	/* The devices last: one that appears meanwhile is told of as uncovered, never missed. */
	if (r == 0)
		r = wall_devices_list(&held.uncovered);
	if (r < 0)
		return r;
	egress = egress_of(held.frames);
	if (egress && egress->every_device) {
		held.binding = WALL_BY_PREFIX;
		held.uncovered.count = 0;
	} else if (egress) {
		held.binding = WALL_BY_NAMES;
		keep_uncovered(egress, &held.uncovered);
		egress->every_device = true;
		egress->device_count = 0;
	}
	*ret_held = held;
	held = (struct wall_held){ 0 };
	return 0;
}

static int compare_table(const struct ruleset_table *wanted, const struct ruleset *held,
			 struct buf *difference)
{
	const char *family = wanted->family == RULESET_INET ? "inet" : "netdev";

	if (!held) {
		buf_printf(difference, "the table %s %s is missing", family, wanted->name);
		return -ESTALE;
	}
	if (held->incomplete) {
		buf_printf(difference, "the table %s %s holds what Lethe does not make", family,
			   wanted->name);
		return -ESTALE;
	}
	return ruleset_table_equal(wanted, &held->tables[0], difference) ? 0 : -ESTALE;
}

int wall_compare_held(const struct ruleset *ruleset, const struct wall_held *held,
		      struct buf *difference)
{
	for (size_t i = 0; i < ruleset->table_count; i++) {
		const struct ruleset_table *wanted = &ruleset->tables[i];
		int r = compare_table(
		    wanted, wanted->family == RULESET_INET ? held->host : held->frames, difference);

		if (r < 0)
			return r;
	}
	return 0;
}

int wall_compare(struct nf_socket *nf, const struct ruleset *ruleset, struct buf *difference)
{
	CLEANUP(wall_held_done) struct wall_held held = { 0 };
	int r = wall_read_held(nf, &held);

	if (r == 0)
		r = wall_compare_held(ruleset, &held, difference);
	if (r == 0 && held.uncovered.count > 0) {
		buf_printf(difference, "the device %s has no egress chain",
			   held.uncovered.names[0]);
		r = -ESTALE;
	}
	return r;
}
