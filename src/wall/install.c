/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A ruleset into the kernel: one transaction, then read back. */
#include "wall.h"

#include "compile.h"

#include <os/netns.h>
#include <string.h>

/* How often devices may come and go under us before we give up (kernels without the prefix). */
#define DEVICE_TRIES 16

struct devices {
	char (*names)[NETNS_DEVICE_MAX];
	size_t count;
};

static void devices_done(struct devices *devices)
{
	free(devices->names);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int devices_list(struct devices *devices)
{
	int r;

	free(devices->names);
	*devices = (struct devices){ 0 };
	r = netns_devices(&devices->names, &devices->count);
	if (r == 0)
		qsort(devices->names, devices->count, sizeof(*devices->names), by_name);
	return r;
}

static bool devices_same(const struct devices *a, const struct devices *b)
{
	return a->count == b->count &&
	       memcmp(a->names, b->names, a->count * sizeof(*a->names)) == 0;
}

static int send_once(struct nf_socket *nf, const struct ruleset *ruleset, bool prefix,
		     const struct devices *devices, struct diag *diag)
{
	struct nf_batch_options options = {
		.device_prefix = prefix,
		.devices = (const char(*)[RULESET_DEVICE_MAX])devices->names,
		.device_count = devices->count,
	};
	AUTO_BUF struct buf batch = { .cap = NF_BATCH_MAX };
	int r = nf_batch_build(ruleset, &options, &batch);

	if (r < 0) {
		diag_set(diag, NULL, 0, 0, "cannot build the batch: %s", strerror(-r));
		return r;
	}
	return nf_batch_send(nf, batch.data, batch.len, diag);
}

/*
 * Without binding by prefix, a device that appears between listing and committing would have no
 * egress chain: so list again afterwards, until nothing changed. A device that goes makes the
 * kernel refuse the batch (ENOENT), which is tried again too.
 */
static int send_by_names(struct nf_socket *nf, const struct ruleset *ruleset, struct diag *diag)
{
	CLEANUP(devices_done) struct devices before = { 0 };
	CLEANUP(devices_done) struct devices after = { 0 };
	int r = -EAGAIN;

	for (int i = 0; i < DEVICE_TRIES; i++) {
		r = devices_list(&before);
		if (r < 0)
			break;
		r = send_once(nf, ruleset, false, &before, diag);
		if (r < 0 && r != -ENOENT)
			return r;
		if (devices_list(&after) == 0 && r == 0 && devices_same(&before, &after))
			return 0;
		r = -EAGAIN;
	}
	diag_set(diag, NULL, 0, 0, "network devices keep changing: %s", strerror(-r));
	return r;
}

static int compare_table(struct nf_socket *nf, const struct ruleset_table *wanted,
			 struct buf *difference)
{
	CLEANUP(ruleset_freep) struct ruleset *held = NULL;
	int r = nf_read_table(nf, wanted->family, wanted->name, &held);

	if (r < 0)
		return r;
	if (held->incomplete) {
		buf_printf(difference, "table %s holds what Lethe does not make", wanted->name);
		return -ESTALE;
	}
	if (held->table_count != 1)
		return -ESTALE;
	return ruleset_table_equal(wanted, &held->tables[0], difference) ? 0 : -ESTALE;
}

/* On kernels without the prefix, what is compared is the list of names. */
static int with_names(struct ruleset *ruleset)
{
	CLEANUP(devices_done) struct devices devices = { 0 };
	int r = devices_list(&devices);

	for (size_t i = 0; r == 0 && i < ruleset->table_count; i++) {
		for (size_t j = 0; r == 0 && j < ruleset->tables[i].chain_count; j++) {
			struct ruleset_chain *chain = &ruleset->tables[i].chains[j];

			if (!chain->every_device)
				continue;
			chain->every_device = false;
			for (size_t k = 0; r == 0 && k < devices.count; k++)
				r = ruleset_add_device(chain, devices.names[k]);
		}
	}
	if (r == 0)
		ruleset_sort(ruleset);
	return r;
}

int wall_compare(struct nf_socket *nf, const struct ruleset *ruleset, struct buf *difference)
{
	for (size_t i = 0; i < ruleset->table_count; i++) {
		int r = compare_table(nf, &ruleset->tables[i], difference);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Is a chain there that is bound by prefix? Then the kernel can do it. */
static int find_prefix(struct nf_socket *nf, bool *ret_found)
{
	CLEANUP(ruleset_freep) struct ruleset *held = NULL;
	bool found = false;
	int r = nf_read_table(nf, RULESET_NETDEV, WALL_TABLE, &held);

	if (r < 0 && r != -ENOENT)
		return r;
	for (size_t i = 0; r == 0 && i < held->table_count; i++)
		for (size_t j = 0; j < held->tables[i].chain_count; j++)
			found |= held->tables[i].chains[j].every_device;
	*ret_found = found;
	return 0;
}

int wall_expect_devices(struct nf_socket *nf, struct ruleset *ruleset)
{
	bool prefix = false;
	int r = find_prefix(nf, &prefix);

	/* Asked only where nothing tells: an aborted transaction is dear. */
	if (r == 0 && !prefix)
		r = nf_probe_device_prefix(nf, &prefix);
	if (r < 0 || prefix)
		return r;
	return with_names(ruleset);
}

int wall_install(struct nf_socket *nf, struct ruleset *ruleset, struct diag *diag,
		 struct buf *difference)
{
	struct devices none = { 0 };
	bool prefix = true;
	int sent, r;

	/* Tried, not asked: an aborted transaction costs the kernel more than all the rest. A
	 * kernel that does not know the prefix refuses the whole batch, and nothing has changed. */
	sent = send_once(nf, ruleset, true, &none, diag);
	if (sent == -EINVAL || sent == -EOPNOTSUPP) {
		prefix = false;
		sent = send_by_names(nf, ruleset, diag);
	}
	if (sent == -EPERM)
		diag_hint(diag, "run it as root, in the network namespace to be filtered");
	/* Answers that were lost say nothing; what the kernel holds does. */
	if (sent < 0 && sent != -ENOBUFS)
		return sent;
	r = prefix ? 0 : with_names(ruleset);
	if (r == 0)
		r = wall_compare(nf, ruleset, difference);
	return sent < 0 && (r == -ESTALE || r == -ENOENT) ? sent : r;
}
