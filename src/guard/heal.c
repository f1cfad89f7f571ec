/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Looking at what somebody else has changed, and putting it right: first our own tables, in one
 * transaction, then those of others that could do more than drop. They are separate transactions,
 * so that a table that cannot be deleted does not keep ours from being put back.
 */
#include "resident.h"

#include <string.h>
#include <time.h>

#define TRIES      2 /* to put right, before all is shut */
#define READ_TRIES 4
#define AGAIN_MAX  40 /* looks that were in vain, AGAIN_MS apart (loop.c) */

int64_t heal_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* One look. */
struct look {
	struct resident *resident;
	struct buf what;    /* that was found, in words */
	bool found, healed; /* there was something to put right; and it was */
	int64_t at;         /* of heal_clock(): when it was */
	bool again;         /* it could not be read */
};

/* @r of something that was to be put right: try again, or not. */
static void own_heal(struct look *look)
{
	struct resident *resident = look->resident;
	struct diag diag = {0};
	int r = -EAGAIN;

	for (unsigned i = 0; i < TRIES && r < 0; i++)
		r = hold_again(resident, &diag);
	/* What was sent was read back and compared. */
	look->healed = r == 0;
	look->at = nf_batch_time(resident->nf);
	look->again = r == -EAGAIN;
	if (r < 0 && !look->again) {
		tell("our own tables cannot be put right: %s", diag.message);
		shut_all(resident, "Lethe's tables were changed and cannot be put right");
	}
}

static void own_look(struct look *look)
{
	struct resident *resident = look->resident;
	int r = hold_check(resident, &look->what);

	if (r == 0)
		return;
	if (r != -ESTALE) {
		/* Not known to be right is wrong. */
		buf_done(&look->what);
		buf_printf(&look->what, "Lethe's tables cannot be read: %s", strerror(-r));
	}
	look->found = true;
	own_heal(look);
}

/* ---- tables of others ---- */

static bool is_ours(const struct ruleset_table *table)
{
	return strcmp(table->name, NF_TABLE) == 0 &&
	       (table->family == RULESET_INET || table->family == RULESET_NETDEV);
}

/* Which of them is not understood in full is told for each table by itself. */
static const char *weakens(struct resident *resident, const struct ruleset_table *table)
{
	CLEANUP(ruleset_freep) struct ruleset *alone = NULL;
	const char *why = foreign_weakens(table);
	int r;

	if (why)
		return why;
	r = nf_read_table(resident->nf, table->family, table->name, &alone);
	if (r == -ENOENT)
		return NULL;
	return r < 0 || alone->incomplete ? "holds what is not understood" : NULL;
}

/* @why in static words. Whoever misses the table finds its name in the journal. */
static int foreign_remove(struct resident *resident, const struct ruleset_table *table,
			  const char *why)
{
	struct ruleset_table name = {.family = table->family};
	const struct ruleset one = {.tables = &name, .table_count = 1};
	struct diag diag = {0};
	int r;

	memcpy(name.name, table->name, sizeof(name.name));
	r = nf_uninstall(resident->nf, &one, &diag);
	if (r < 0)
		tell("the table %s %s of another program %s, and cannot be removed: %s",
		     ruleset_family_name(table->family), table->name, why, diag.message);
	else
		tell("removed the table %s %s of another program: it %s",
		     ruleset_family_name(table->family), table->name, why);
	return r;
}

/* Remove those that weaken. Returns how many could not be; those that were told of are in @look. */
static size_t foreign_pass(struct look *look, const struct ruleset *all, size_t *ret_removed)
{
	struct resident *resident = look->resident;
	size_t left = 0;

	for (size_t i = 0; i < all->table_count; i++) {
		const struct ruleset_table *table = &all->tables[i];
		const char *why;

		if (is_ours(table))
			continue;
		/* Of a whole that is understood each part is. */
		why = all->incomplete ? weakens(resident, table) : foreign_weakens(table);
		if (!why)
			continue;
		buf_printf(&look->what, "%sthe table %s %s %s", look->what.len ? "; " : "",
			   ruleset_family_name(table->family), table->name, why);
		if (foreign_remove(resident, table, why) < 0)
			left++;
		else
			++*ret_removed;
	}
	return left;
}

static void foreign_look(struct look *look)
{
	struct resident *resident = look->resident;
	size_t removed = 0, left = 0;
	bool unknown = false;

	for (unsigned i = 0; i < TRIES; i++) {
		CLEANUP(ruleset_freep) struct ruleset *all = NULL;
		int r = nf_read(resident->nf, READ_TRIES, NULL, &all);

		if (r < 0) {
			look->again = true;
			return;
		}
		left = foreign_pass(look, all, &removed);
		if (i == 0 && removed > 0)
			look->at = nf_batch_time(resident->nf);
		/* Our own being incomplete was found before. */
		unknown = all->incomplete && left == 0 && removed == 0 && all->table_count <= 2;
		if (left == 0 && !unknown)
			break;
	}
	look->found = look->found || removed > 0 || left > 0;
	look->healed = look->healed || (removed > 0 && left == 0);
	if (left > 0 || unknown) {
		look->healed = false;
		look->found = true;
		shut_all(resident, "a table of another program weakens the filter and cannot be "
				   "removed");
	}
}

/* ---- both ---- */

static void note(struct resident *resident, struct look *look, int64_t since_us,
		 const struct nf_change *culprit)
{
	struct resident_change *last = &resident->last;

	*last = (struct resident_change){
	    .time = time(NULL),
	    .healed_us = look->healed ? look->at - since_us : -1,
	    .harmless = !look->found,
	    .pid = culprit ? culprit->pid : 0,
	};
	if (culprit)
		memcpy(last->comm, culprit->comm, sizeof(last->comm));
	snprintf(last->what, sizeof(last->what), "%s",
		 look->found ? buf_text(&look->what) : "a table that can only forbid more");
	if (!look->found)
		return;
	resident->healed += look->healed;
	if (culprit)
		tell("changed by %s (pid %u): %s; %s",
		     last->comm[0] ? last->comm : "an unknown process", last->pid, last->what,
		     look->healed ? "put right" : "NOT put right");
	else
		tell("found, and nobody knows whose: %s; %s", last->what,
		     look->healed ? "put right" : "NOT put right");
}

void heal_look(struct resident *resident, int64_t since_us, const struct nf_change *culprit)
{
	struct look look = {.resident = resident, .what = {.cap = 4096}};

	if (!resident->wanted)
		return;
	own_look(&look);
	foreign_look(&look);
	resident->again = look.again ? resident->again + 1 : 0;
	if (resident->again > AGAIN_MAX)
		shut_all(resident, "the kernel's rules change faster than they can be read");
	if (look.found || culprit)
		note(resident, &look, since_us, culprit);
	/* What was let be, by its form, is looked at by the proof. */
	if (!look.again)
		judge_start(resident);
	buf_done(&look.what);
}

size_t heal_remove_others(struct resident *resident)
{
	CLEANUP(ruleset_freep) struct ruleset *all = NULL;
	size_t removed = 0;

	if (nf_read(resident->nf, READ_TRIES, NULL, &all) < 0)
		return 0;
	for (size_t i = 0; i < all->table_count; i++)
		if (!is_ours(&all->tables[i]) &&
		    foreign_remove(resident, &all->tables[i], "is not proved to be harmless") == 0)
			removed++;
	return removed;
}

void heal_cover(struct resident *resident)
{
	AUTO_BUF struct buf what = {.cap = 4096};
	struct diag diag = {0};
	int r;

	if (!resident->wanted || resident->binding != NF_BY_NAMES)
		return;
	r = hold_check(resident, &what);
	for (unsigned i = 0; i < TRIES && r < 0; i++)
		r = hold_again(resident, &diag);
	if (r == 0 && what.len > 0)
		resident->devices++;
	if (r < 0)
		shut_all(resident, "a device could not be covered");
}
