/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the kernel holds of Lethe's, and which devices it judges. A kernel that binds chains by
 * prefix holds the egress chain for every device; an older one holds a list of devices, to which a
 * device that is plugged in is not added. So rules are compared without that list, and the list is
 * compared with the devices that are there.
 */
#include "held.h"

#include <os/netns.h>
#include <string.h>

void nf_devices_done(struct nf_devices *devices)
{
	free(devices->names);
	*devices = (struct nf_devices){ 0 };
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

int nf_devices_list(struct nf_devices *ret_devices)
{
	struct nf_devices devices = { 0 };
	int r = netns_devices(&devices.names, &devices.count);

	if (r < 0)
		return r;
	qsort(devices.names, devices.count, sizeof(*devices.names), by_name);
	*ret_devices = devices;
	return 0;
}

bool nf_devices_same(const struct nf_devices *a, const struct nf_devices *b)
{
	return a->count == b->count &&
	       memcmp(a->names, b->names, a->count * sizeof(*a->names)) == 0;
}

void nf_held_done(struct nf_held *held)
{
	ruleset_free(held->host);
	ruleset_free(held->frames);
	nf_devices_done(&held->uncovered);
	*held = (struct nf_held){ 0 };
}

static struct ruleset_chain *egress_in(struct ruleset_table *table)
{
	for (size_t i = 0; i < table->chain_count; i++) {
		struct ruleset_chain *chain = &table->chains[i];

		if (chain->base && chain->hook == NF_HOOK_EGRESS &&
		    strcmp(chain->name, NF_EGRESS) == 0)
			return chain;
	}
	return NULL;
}

/* Of the netdev table in @ruleset, which may be NULL. */
static struct ruleset_chain *egress_of(struct ruleset *ruleset)
{
	for (size_t i = 0; ruleset && i < ruleset->table_count; i++)
		if (ruleset->tables[i].family == RULESET_NETDEV)
			return egress_in(&ruleset->tables[i]);
	return NULL;
}

enum nf_binding nf_held_unbind(struct ruleset *frames)
{
	struct ruleset_chain *egress = egress_of(frames);

	if (!egress)
		return NF_UNBOUND;
	if (egress->every_device)
		return NF_BY_PREFIX;
	egress->every_device = true;
	egress->device_count = 0;
	return NF_BY_NAMES;
}

bool nf_held_whole(const struct nf_held *held)
{
	return held->host && held->frames && held->binding != NF_UNBOUND;
}

int nf_held_take(struct nf_held *held, struct ruleset **ret_ruleset)
{
	struct ruleset_table *tables = calloc(2, sizeof(*tables));

	if (!tables)
		return -ENOMEM;
	tables[0] = held->host->tables[0];
	tables[1] = held->frames->tables[0];
	for (size_t i = 0; i < 2; i++)
		tables[i].flags &= ~NF_OWNED;
	held->frames->table_count = 0;
	free(held->host->tables);
	held->host->tables = tables;
	held->host->table_count = 2;
	ruleset_sort(held->host);
	*ret_ruleset = TAKE_PTR(held->host);
	nf_held_done(held);
	return 0;
}

static bool is_bound(const struct ruleset_chain *chain, const char *device)
{
	for (size_t i = 0; chain && i < chain->device_count; i++)
		if (strcmp(chain->devices[i], device) == 0)
			return true;
	return false;
}

/* Leave in @devices those that @chain does not judge. */
static void keep_uncovered(const struct ruleset_chain *chain, struct nf_devices *devices)
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
	int r = nf_read_table(nf, family, NF_TABLE, &ruleset);

	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0 && ruleset->table_count != 1)
		return -EBADMSG;
	*ret_ruleset = TAKE_PTR(ruleset);
	return 0;
}

int nf_held_read(struct nf_socket *nf, struct nf_held *ret_held)
{
	CLEANUP(nf_held_done) struct nf_held held = { 0 };
	struct ruleset_chain *egress;
	int r;

	r = read_table(nf, RULESET_INET, &held.host);
	if (r == 0)
		r = read_table(nf, RULESET_NETDEV, &held.frames);
	/* The devices last: one that appears meanwhile is told of as uncovered, never missed. */
	if (r == 0)
		r = nf_devices_list(&held.uncovered);
	if (r < 0)
		return r;
	egress = egress_of(held.frames);
	if (egress && egress->every_device)
		held.uncovered.count = 0;
	else if (egress)
		keep_uncovered(egress, &held.uncovered);
	held.binding = nf_held_unbind(held.frames);
	*ret_held = held;
	held = (struct nf_held){ 0 };
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

int nf_held_compare(const struct ruleset *ruleset, const struct nf_held *held,
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

int nf_held_verify(struct nf_socket *nf, const struct ruleset *ruleset, struct buf *difference)
{
	CLEANUP(nf_held_done) struct nf_held held = { 0 };
	int r = nf_held_read(nf, &held);

	if (r == 0)
		r = nf_held_compare(ruleset, &held, difference);
	if (r == 0 && held.uncovered.count > 0) {
		buf_printf(difference, "the device %s has no egress chain",
			   held.uncovered.names[0]);
		r = -ESTALE;
	}
	return r;
}
