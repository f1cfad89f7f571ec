/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What root asks for. No byte that is handed over goes to the kernel: a batch is read into a
 * ruleset, with all that is not understood refused, and what is sent is made from that. So a
 * request can do no more than replace the two tables by others of Lethe's form, or remove them if
 * it says so.
 */
#include "resident.h"

#include <string.h>

void request_accept(struct resident *resident)
{
	int fd = -EBADF;
	int r = guard_accept(resident->listener, &fd);

	if (r == -EPERM)
		tell("a connection of somebody else than root was refused");
	if (r < 0)
		return;
	closep(&resident->client);
	resident->client = fd;
}

static int install(struct resident *resident, const uint8_t *batch, size_t len, struct diag *diag)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;
	int r = nf_batch_read(batch, len, &ruleset);

	if (r < 0) {
		diag_set(diag, NULL, 0, 0, "the batch is not one of Lethe's two tables: %s",
			 strerror(-r));
		return r;
	}
	r = hold_install(resident, &ruleset, diag);
	if (r < 0) {
		/* If what was there before is not there either, and cannot be put back, all is shut. */
		heal_look(resident, heal_clock(), NULL);
		return r;
	}
	shut_end(resident);
	resident->judge_basis = false;
	heal_look(resident, heal_clock(), NULL);
	tell("what is enforced was replaced, as root asked");
	return 0;
}

static int cover(struct resident *resident, struct diag *diag)
{
	int r;

	if (!resident->wanted) {
		diag_set(diag, NULL, 0, 0, "nothing is enforced");
		return -ENOENT;
	}
	r = hold_again(resident, diag);
	resident->devices += r == 0;
	if (r < 0)
		heal_look(resident, heal_clock(), NULL);
	return r;
}

static int open_up(struct resident *resident, struct diag *diag)
{
	int r = hold_release(resident, diag);

	if (r < 0)
		return r;
	shut_end(resident);
	tell("nothing is enforced any more, as root asked");
	return 0;
}

static int act(struct resident *resident, enum guard_verb verb, const uint8_t *batch, size_t len,
	       struct diag *diag)
{
	switch (verb) {
	case GUARD_INSTALL:
		return install(resident, batch, len, diag);
	case GUARD_COVER:
		return cover(resident, diag);
	case GUARD_OPEN:
		return open_up(resident, diag);
	}
	return -EBADMSG;
}

void request_serve(struct resident *resident)
{
	enum guard_verb verb = GUARD_COVER;
	AUTO_FREE uint8_t *batch = NULL;
	struct diag diag = {0};
	size_t len = 0;
	int r = guard_receive(resident->client, &verb, &batch, &len);

	if (r == -EAGAIN)
		return;
	/* Whoever waited too long has gone, and was told that nothing was done. */
	if (r < 0 || guard_is_gone(resident->client)) {
		closep(&resident->client);
		resident->client = -EBADF;
		return;
	}
	r = act(resident, verb, batch, len, &diag);
	if (r < 0 && !diag.message[0])
		diag_set(&diag, NULL, 0, 0, "%s", strerror(-r));
	if (r < 0)
		tell("what root asked for failed: %s", diag.message);
	tell_status(resident);
	if (guard_reply(resident->client, r, &diag) < 0) {
		closep(&resident->client);
		resident->client = -EBADF;
	}
}
