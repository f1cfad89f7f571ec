/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A ruleset into the kernel: one transaction, then read back. */
#include "wall.h"

#include <string.h>

/* How often devices may come and go under us before we give up (kernels without the prefix). */
#define DEVICE_TRIES 16
#define REFUSALS     3 /* of a batch, for something missing that is not seen to have gone */

static int send_once(struct nf_socket *nf, const struct ruleset *ruleset, bool prefix,
		     const struct wall_devices *devices, struct diag *diag)
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

/* A device that has gone since the devices were listed makes the kernel refuse the batch, with the
 * error that anything else that is missing gives, too: -EAGAIN if such a device is seen. */
static int send_by_names(struct nf_socket *nf, const struct ruleset *ruleset, struct diag *diag)
{
	CLEANUP(wall_devices_done) struct wall_devices before = { 0 };
	CLEANUP(wall_devices_done) struct wall_devices after = { 0 };
	int r = wall_devices_list(&before), listed;

	if (r < 0) {
		diag_set(diag, NULL, 0, 0, "cannot list the network devices: %s", strerror(-r));
		return r;
	}
	r = send_once(nf, ruleset, false, &before, diag);
	if (r != -ENOENT)
		return r;
	listed = wall_devices_list(&after);
	return listed == 0 && !wall_devices_same(&before, &after) ? -EAGAIN : r;
}

static int send_ruleset(struct nf_socket *nf, const struct ruleset *ruleset, bool *prefix,
			struct diag *diag)
{
	struct wall_devices none = { 0 };
	int r;

	/* Tried, not asked: an aborted transaction costs the kernel more than all the rest. A
	 * kernel that does not know the prefix refuses the whole batch, and nothing has changed. */
	if (*prefix) {
		r = send_once(nf, ruleset, true, &none, diag);
		if (r != -EINVAL && r != -EOPNOTSUPP)
			return r;
		*prefix = false;
	}
	return send_by_names(nf, ruleset, diag);
}

static void explain_refusal(int error, struct diag *diag)
{
	if (error == -EPERM)
		diag_hint(diag, "run it as root, in the network namespace to be filtered");
	if (error == -ENOENT || error == -EOPNOTSUPP)
		diag_hint(diag, "a module may be missing: the rules need nf_tables, nft_socket, "
				"nft_tproxy and nft_reject_inet");
}

/* Read back. *ret_covered: no device is without its egress chain. */
static int verify(struct nf_socket *nf, const struct ruleset *ruleset, struct buf *difference,
		  bool *ret_covered)
{
	CLEANUP(wall_held_done) struct wall_held held = { 0 };
	int r = wall_read_held(nf, &held);

	if (r == 0)
		r = wall_compare_held(ruleset, &held, difference);
	if (r == 0)
		*ret_covered = held.uncovered.count == 0;
	return r;
}

int wall_install(struct nf_socket *nf, const struct ruleset *ruleset, struct diag *diag,
		 struct buf *difference)
{
	bool prefix = true, covered = false;
	int refusals = 0;

	for (int i = 0; i < DEVICE_TRIES; i++) {
		int sent = send_ruleset(nf, ruleset, &prefix, diag), r;

		if (sent == -EAGAIN || (sent == -ENOENT && !prefix && ++refusals < REFUSALS))
			continue;
		/* Answers that were lost say nothing; what the kernel holds does. */
		if (sent < 0 && sent != -ENOBUFS) {
			explain_refusal(sent, diag);
			return sent;
		}
		r = verify(nf, ruleset, difference, &covered);
		if (r < 0)
			return sent < 0 && r == -ESTALE ? sent : r;
		if (covered)
			return 0;
	}
	diag_set(diag, NULL, 0, 0, "network devices keep changing");
	return -EAGAIN;
}
