/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The two tables. While this process lives they are its socket's; when it ends for whatever reason
 * they stay, and the next one takes them over. Every change is one transaction, so there is no
 * moment without rules. The compiler knows nothing of owners: the flags are added here, on the way
 * to the kernel.
 */
#include "resident.h"

#include <os/netns.h>
#include <string.h>
#include <time.h>

#define LOCK_SECONDS 10

/* A kernel that does not know ownership refuses the whole batch; those before 6.3 not by that, but
 * by how such tables are removed, with an error that may mean anything. So the kernel is asked. */
static bool is_refused(struct resident *resident, int error)
{
	bool supported = true;

	return (error == -EOPNOTSUPP || error == -EINVAL) &&
	       nf_probe_table_flags(resident->nf, NF_OWNED, &supported) == 0 && !supported;
}

/* With ownership where the kernel knows it. */
static int install(struct resident *resident, const struct ruleset *ruleset, struct diag *diag)
{
	AUTO_BUF struct buf difference = {.cap = 4096};
	bool own = resident->options->own && resident->persists;
	int r = nf_install(resident->nf, ruleset, own ? NF_OWNED : 0, diag, &difference,
			   &resident->binding);

	if (r < 0 && own && is_refused(resident, r)) {
		*diag = (struct diag){0};
		own = false;
		resident->persists = false;
		r = nf_install(resident->nf, ruleset, 0, diag, &difference, &resident->binding);
	}
	if (r == -ESTALE)
		diag_set(diag, NULL, 0, 0, "what the kernel holds is not what was sent: %s",
			 buf_text(&difference));
	resident->unsure = r < 0;
	if (r < 0)
		return r;
	resident->owned = own;
	return 0;
}

static void now_holding(struct resident *resident, struct ruleset **ruleset)
{
	ruleset_free(resident->wanted);
	resident->wanted = TAKE_PTR(*ruleset);
	resident->state = RESIDENT_HOLDING;
	resident->since = time(NULL);
}

int hold_install(struct resident *resident, struct ruleset **ruleset, struct diag *diag)
{
	struct diag ignored = {0};
	int r = install(resident, *ruleset, diag), kept;

	/* It may be there all the same, or half of it as far as anybody knows. */
	if (r < 0) {
		if (resident->wanted && install(resident, resident->wanted, &ignored) < 0)
			diag_hint(diag, "what was enforced before could not be put back: %.300s",
				  ignored.message);
		return r;
	}
	now_holding(resident, ruleset);
	kept = kept_save(resident);
	if (kept < 0)
		tell("cannot keep what is enforced for a guard after this one: %s",
		     strerror(-kept));
	return 0;
}

int hold_release(struct resident *resident, struct diag *diag)
{
	int r = resident->wanted ? nf_uninstall(resident->nf, resident->wanted, diag) : 0;

	if (r < 0)
		return r;
	kept_forget(resident, "batch");
	resident->wanted = ruleset_free(resident->wanted);
	resident->binding = NF_UNBOUND;
	resident->owned = false;
	resident->judge_basis = false;
	resident->judgement = JUDGEMENT_NONE;
	resident->state = RESIDENT_IDLE;
	return 0;
}

/* The kernel itself keeps others off tables that have an owner, and this process is the only one
 * who takes them. So that they still have one is all there is to ask. */
static bool still_owned(const struct resident *resident)
{
	const struct ruleset *wanted = resident->wanted;

	for (size_t i = 0; i < wanted->table_count; i++) {
		uint32_t flags = 0;

		if (nf_table_flags(resident->nf, wanted->tables[i].family, wanted->tables[i].name,
				   &flags) < 0 ||
		    !(flags & NF_FLAG_OWNER))
			return false;
	}
	return true;
}

int hold_check(struct resident *resident, struct buf *what)
{
	int r;

	/* Bound by names, devices matter as well. */
	if (resident->owned && !resident->unsure && resident->binding == NF_BY_PREFIX &&
	    still_owned(resident))
		return 0;
	r = nf_held_verify(resident->nf, resident->wanted, what);
	resident->unsure = resident->unsure && r < 0;
	return r;
}

int hold_again(struct resident *resident, struct diag *diag)
{
	return install(resident, resident->wanted, diag);
}

/* ---- at the start ---- */

static bool is_orphan(const struct ruleset *ruleset)
{
	return ruleset && (ruleset->tables[0].flags & NF_OWNED) == NF_FLAG_PERSIST;
}

static int binding_read(struct resident *resident)
{
	CLEANUP(nf_held_done) struct nf_held held = {0};
	int r = nf_held_read(resident->nf, &held);

	if (r == 0)
		resident->binding = held.binding;
	return r;
}

/* Both tables, left behind by a guard before and as they shall be: only whose they are changes. */
static bool adopt_as_is(struct resident *resident, const struct ruleset *wanted,
			const struct nf_held *held)
{
	AUTO_BUF struct buf difference = {.cap = 4096};
	struct diag diag = {0};

	if (!resident->options->own || !nf_held_whole(held) || !is_orphan(held->host) ||
	    !is_orphan(held->frames) || held->uncovered.count > 0)
		return false;
	/* What was compared before they were ours may have been changed since: compare again. */
	if (nf_held_compare(wanted, held, &difference) < 0 || nf_adopt(resident->nf, &diag) < 0 ||
	    nf_held_verify(resident->nf, wanted, &difference) < 0)
		return false;
	resident->owned = true;
	return binding_read(resident) == 0;
}

/* What shall be there: what the guard before had in mind, if it did not end in order; else what is.
 */
static int find_wanted(struct resident *resident, struct nf_held *held, bool *ret_changed,
		       struct ruleset **ret_wanted, struct diag *diag)
{
	AUTO_BUF struct buf difference = {.cap = 4096};
	int r = kept_load(resident, ret_wanted);

	if (r == 0) {
		*ret_changed = nf_held_compare(*ret_wanted, held, &difference) < 0;
		if (*ret_changed)
			diag_set(diag, NULL, 0, 0, "%s", buf_text(&difference));
		return 0;
	}
	if (r != -ENOENT || (!held->host && !held->frames))
		return r;
	if (!held->host || !held->frames || !nf_held_whole(held) || held->host->incomplete ||
	    held->frames->incomplete) {
		diag_set(diag, NULL, 0, 0, "the tables '%s' are not whole", NF_TABLE);
		return -EINVAL;
	}
	return nf_held_take(held, ret_wanted);
}

int hold_adopt(struct resident *resident, bool *ret_changed, struct diag *diag)
{
	CLEANUP(ruleset_freep) struct ruleset *wanted = NULL;
	CLEANUP(nf_held_done) struct nf_held held = {0};
	AUTO_CLOSE int lock = -EBADF;
	int r = netns_lock_within(LOCK_SECONDS, &lock);

	if (r < 0) {
		diag_set(diag, NULL, 0, 0, "cannot lock this network namespace: %s", strerror(-r));
		return r;
	}
	r = nf_held_read(resident->nf, &held);
	if (r == 0)
		r = find_wanted(resident, &held, ret_changed, &wanted, diag);
	if (r == -ENOENT)
		return 0; /* nothing is enforced */
	/* What there is was taken as it is; now it is to be compared with. */
	if (r == 0 && !held.host && !held.frames)
		r = nf_held_read(resident->nf, &held);
	if (r < 0) {
		if (!diag->message[0])
			diag_set(diag, NULL, 0, 0, "cannot read what the kernel holds: %s",
				 strerror(-r));
		return r;
	}
	if (adopt_as_is(resident, wanted, &held)) {
		now_holding(resident, &wanted);
		return kept_save(resident);
	}
	return hold_install(resident, &wanted, diag);
}
