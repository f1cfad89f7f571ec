/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A ruleset into the kernel: one transaction, then read back. */
#include "held.h"

#include "codec.h"

#include <string.h>

/* How often devices may come and go under us before we give up (kernels without the prefix). */
#define DEVICE_TRIES 16
#define REFUSALS     3 /* of a batch, for something missing that is not seen to have gone */

/* One installation. */
struct order {
	struct nf_socket *nf;
	const struct ruleset *ruleset;
	uint32_t flags;
	bool destroy, prefix; /* as in struct nf_batch_options */
};

static int send_once(const struct order *order, const struct nf_devices *devices, struct diag *diag)
{
	struct nf_batch_options options = {
		.device_prefix = order->prefix,
		.devices = (const char(*)[RULESET_DEVICE_MAX])devices->names,
		.device_count = devices->count,
		.table_flags = order->flags,
		.destroy = order->destroy,
	};
	AUTO_BUF struct buf batch = { .cap = NF_BATCH_MAX };
	int r = nf_batch_build(order->ruleset, &options, &batch);

	if (r < 0) {
		diag_set(diag, NULL, 0, 0, "cannot build the batch: %s", strerror(-r));
		return r;
	}
	return nf_batch_send(order->nf, batch.data, batch.len, diag);
}

/* A device that has gone since the devices were listed makes the kernel refuse the batch, with the
 * error that anything else that is missing gives, too: -EAGAIN if such a device is seen. */
static int send_by_names(const struct order *order, struct diag *diag)
{
	CLEANUP(nf_devices_done) struct nf_devices before = { 0 };
	CLEANUP(nf_devices_done) struct nf_devices after = { 0 };
	int r = nf_devices_list(&before), listed;

	if (r < 0) {
		diag_set(diag, NULL, 0, 0, "cannot list the network devices: %s", strerror(-r));
		return r;
	}
	r = send_once(order, &before, diag);
	if (r != -ENOENT)
		return r;
	listed = nf_devices_list(&after);
	return listed == 0 && !nf_devices_same(&before, &after) ? -EAGAIN : r;
}

static int send_ruleset(struct order *order, struct diag *diag)
{
	struct nf_devices none = { 0 };
	int r;

	/* Tried, not asked: an aborted transaction costs the kernel more than all the rest. A
	 * kernel that does not know the prefix refuses the whole batch, and nothing has changed. */
	if (order->prefix) {
		r = send_once(order, &none, diag);
		if (r != -EINVAL && r != -EOPNOTSUPP)
			return r;
		order->prefix = false;
	}
	return send_by_names(order, diag);
}

/* Has one of the tables that are there outlived an owner? A kernel that lets it knows how to destroy
 * tables, too. */
static int has_outlived(struct nf_socket *nf, const struct ruleset *ruleset, bool *ret_has)
{
	bool has = false;

	for (size_t i = 0; i < ruleset->table_count; i++) {
		const struct ruleset_table *table = &ruleset->tables[i];
		uint32_t flags = 0;
		int r = nf_table_flags(nf, table->family, table->name, &flags);

		if (r < 0 && r != -ENOENT)
			return r;
		has = has || flags & NF_FLAG_PERSIST;
	}
	*ret_has = has;
	return 0;
}

static void explain_refusal(int error, struct diag *diag)
{
	if (error == -EPERM)
		diag_hint(diag, "run it as root, in the network namespace to be filtered");
	if (error == -ENOENT || error == -EOPNOTSUPP)
		diag_hint(diag, "a module may be missing: the rules need nf_tables, nft_socket, "
				"nft_tproxy, nft_reject_inet, nft_log and nfnetlink_log");
}

/* Read back. *ret_covered: no device is without its egress chain. */
static int verify(struct nf_socket *nf, const struct ruleset *ruleset, struct buf *difference,
		  bool *ret_covered, enum nf_binding *ret_binding)
{
	CLEANUP(nf_held_done) struct nf_held held = { 0 };
	int r = nf_held_read(nf, &held);

	if (r == 0)
		r = nf_held_compare(ruleset, &held, difference);
	if (r == 0)
		*ret_covered = held.uncovered.count == 0;
	if (r == 0 && ret_binding)
		*ret_binding = held.binding;
	return r;
}

int nf_install(struct nf_socket *nf, const struct ruleset *ruleset, uint32_t flags,
	       struct diag *diag, struct buf *difference, enum nf_binding *ret_binding)
{
	struct order order = { .nf = nf, .ruleset = ruleset, .flags = flags, .prefix = true };
	bool covered = false;
	int refusals = 0;
	int r = has_outlived(nf, ruleset, &order.destroy);

	if (r < 0) {
		diag_set(diag, NULL, 0, 0, "cannot ask whose the tables are: %s", strerror(-r));
		return r;
	}
	order.destroy = order.destroy || flags & NF_FLAG_PERSIST;
	for (int i = 0; i < DEVICE_TRIES; i++) {
		int sent = send_ruleset(&order, diag);

		if (sent == -EAGAIN || (sent == -ENOENT && !order.prefix && ++refusals < REFUSALS))
			continue;
		/* Answers that were lost say nothing; what the kernel holds does. */
		if (sent < 0 && sent != -ENOBUFS) {
			explain_refusal(sent, diag);
			return sent;
		}
		r = verify(nf, ruleset, difference, &covered, ret_binding);
		if (r < 0)
			return sent < 0 && r == -ESTALE ? sent : r;
		if (covered)
			return 0;
	}
	diag_set(diag, NULL, 0, 0, "network devices keep changing");
	return -EAGAIN;
}

int nf_uninstall(struct nf_socket *nf, const struct ruleset *ruleset, struct diag *diag)
{
	AUTO_BUF struct buf batch = { .cap = NF_BATCH_MAX };
	bool destroy = false;
	int r = has_outlived(nf, ruleset, &destroy);

	if (r == 0)
		r = nf_batch_remove(ruleset, destroy, &batch);
	if (r < 0) {
		diag_set(diag, NULL, 0, 0, "cannot build the batch: %s", strerror(-r));
		return r;
	}
	return nf_batch_send(nf, batch.data, batch.len, diag);
}

int nf_adopt(struct nf_socket *nf, struct diag *diag)
{
	static struct ruleset_table tables[] = {
		{ .family = RULESET_INET, .name = NF_TABLE },
		{ .family = RULESET_NETDEV, .name = NF_TABLE },
	};
	static const struct ruleset ours = { .tables = tables, .table_count = ARRAY_SIZE(tables) };
	AUTO_BUF struct buf batch = { .cap = 4096 };
	int r = nf_batch_reflag(&ours, NF_OWNED, &batch);

	if (r < 0) {
		diag_set(diag, NULL, 0, 0, "cannot build the batch: %s", strerror(-r));
		return r;
	}
	return nf_batch_send(nf, batch.data, batch.len, diag);
}

static bool table_whole(const struct ruleset *ruleset, enum ruleset_family family)
{
	const struct ruleset_table *table = ruleset_find_table(ruleset, family, NF_TABLE);

	if (!table)
		return false;
	for (size_t i = 0; i < table->chain_count; i++)
		if (table->chains[i].base)
			return true;
	return false;
}

int nf_batch_read(const void *batch, size_t len, struct ruleset **ret_ruleset)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;
	int r = nf_batch_check(batch, len, NF_TABLE);

	if (r == 0)
		r = nf_decode((struct nf_span){ batch, len }, 0, NULL, &ruleset);
	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	if (!ruleset || ruleset->table_count != 2 || !table_whole(ruleset, RULESET_INET) ||
	    !table_whole(ruleset, RULESET_NETDEV))
		return -EBADMSG;
	if (nf_held_unbind(ruleset) == NF_UNBOUND)
		return -EBADMSG;
	for (size_t i = 0; i < ruleset->table_count; i++)
		ruleset->tables[i].flags = 0;
	*ret_ruleset = TAKE_PTR(ruleset);
	return 0;
}
