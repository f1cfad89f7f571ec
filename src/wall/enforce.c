/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Who changes the filter: lethe-guard, if it lives, because the tables are its own then and nobody
 * else may touch them; otherwise this program. Either way the result is read back here.
 */
#include "wall.h"

#include <os/netns.h>
#include <string.h>
#include <unistd.h>

bool wall_has_guard(const struct wall_options *options)
{
	return options->guard && options->guard->socket >= 0;
}

int wall_connect(struct guard_client *ret_guard)
{
	char path[GUARD_PATH_MAX];
	int r = guard_connect(GUARD_FOLDER, ret_guard);

	if (r == 0)
		return WALL_OK;
	if (r != -ENOENT) {
		wall_complain(
		    r, "cannot reach lethe-guard, which keeps the filter; nothing was changed");
		return WALL_FAILED;
	}
	/* What a guard that died had in mind is overtaken by what is done here. */
	if (guard_path(GUARD_FOLDER, "batch", path) == 0 && unlink(path) < 0 && errno != ENOENT &&
	    errno != EACCES)
		wall_warn(neg_errno(), "cannot remove %s; lethe-guard may put it in force again",
			  path);
	return WALL_OK;
}

int wall_lock(const struct wall_options *options, unsigned seconds, int *ret_lock)
{
	if (wall_has_guard(options)) /* it takes one request after the other */
		return 0;
	return seconds ? netns_lock_within(seconds, ret_lock) : netns_lock(ret_lock);
}

int wall_ask(const struct wall_options *options, enum guard_verb verb, const struct buf *batch,
	     struct diag *diag)
{
	struct guard_answer answer = {0};
	int r = guard_ask(options->guard, verb, batch ? batch->data : NULL, batch ? batch->len : 0,
			  &answer);

	if (r < 0) {
		diag_set(diag, NULL, 0, 0, "lethe-guard, which keeps the filter, %s%s",
			 r == -ETIMEDOUT ? "does not answer" : "cannot be asked: ",
			 r == -ETIMEDOUT ? "" : strerror(-r));
		diag_hint(diag, "what was enforced still is; see 'systemctl status lethe-guard'");
		return r;
	}
	if (answer.error < 0) {
		diag_set(diag, NULL, 0, 0, "lethe-guard: %.480s", answer.message);
		if (answer.hint[0])
			diag_hint(diag, "%s", answer.hint);
	}
	return answer.error;
}

/* The guard binds chains to devices itself; these bytes say "every". */
static int enforce_by_guard(const struct wall_options *options, struct nf_socket *nf,
			    const struct ruleset *ruleset, struct diag *diag,
			    struct buf *difference)
{
	const struct nf_batch_options how = {.device_prefix = true};
	AUTO_BUF struct buf batch = {.cap = NF_BATCH_MAX};
	int r = nf_batch_build(ruleset, &how, &batch);

	if (r < 0) {
		diag_set(diag, NULL, 0, 0, "cannot build the batch: %s", strerror(-r));
		return r;
	}
	r = wall_ask(options, GUARD_INSTALL, &batch, diag);
	return r < 0 ? r : nf_held_verify(nf, ruleset, difference);
}

int wall_enforce(const struct wall_options *options, struct nf_socket *nf,
		 const struct ruleset *ruleset, struct diag *diag, struct buf *difference)
{
	if (wall_has_guard(options))
		return enforce_by_guard(options, nf, ruleset, diag, difference);
	return nf_install(nf, ruleset, 0, diag, difference, NULL);
}
