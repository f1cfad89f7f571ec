/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The verb cover: what is enforced, for devices that have come since. Kernels before 6.18 bind the
 * egress chain to the devices that are there when the rules are loaded. So what the kernel holds,
 * be it a policy or the seal, is sent once more, bound to all that are there now. No policy is
 * read: a device that is plugged in changes nothing but what is judged.
 */
#include "wall.h"

#include "compile.h"

#include <base/json.h>
#include <os/link.h>
#include <string.h>

#define LOCK_SECONDS 30 /* udev waits for us; an event that takes minutes is killed */

static bool is_covered(const struct nf_held *held)
{
	return nf_held_whole(held) && held->uncovered.count == 0;
}

/* Send what is held once more, for the devices of now. */
static int send_again(const struct wall_options *options, struct nf_socket *nf,
		      const struct nf_held *held, struct diag *diag)
{
	AUTO_BUF struct buf difference = { .cap = 4096 };
	struct ruleset_table tables[] = { held->host->tables[0], held->frames->tables[0] };
	struct ruleset again = { .tables = tables, .table_count = ARRAY_SIZE(tables) };
	int r;

	/* They may have outlived their owner; that is no property of the rules. */
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		tables[i].flags &= ~NF_OWNED;
	if (held->host->incomplete || held->frames->incomplete) {
		diag_set(diag, NULL, 0, 0, "the tables '%s' hold what Lethe does not make",
			 NF_TABLE);
		return -EINVAL;
	}
	r = nf_install(nf, &again, 0, diag, &difference, NULL);
	if (r == -ESTALE) {
		struct diag ignored = { 0 };

		/* Nobody can say what it lets out. */
		diag_set(diag, NULL, 0, 0, "what the kernel holds is not what was sent: %s; %s",
			 buf_text(&difference),
			 wall_seal_now(options, nf, &ignored) == 0 ? "the network is sealed"
							  : "sealing failed, too");
	}
	return r;
}

static int cover_all(const struct wall_options *options, struct nf_socket *nf, bool *ret_sealed,
		     struct diag *diag)
{
	CLEANUP(nf_held_done) struct nf_held held = { 0 };
	AUTO_CLOSE int lock = -EBADF;
	int r = nf_held_read(nf, &held);

	/* Whoever holds the lock looks at the devices again when he has done his work. */
	if (r == 0 && is_covered(&held))
		return 0;
	if (wall_has_guard(options) && nf_held_whole(&held))
		return wall_ask(options, GUARD_COVER, NULL, diag);
	r = wall_lock(options, LOCK_SECONDS, &lock);
	if (r < 0) {
		diag_set(diag, NULL, 0, 0, "cannot lock this network namespace: %s", strerror(-r));
		return r;
	}
	nf_held_done(&held);
	r = nf_held_read(nf, &held);
	if (r < 0 || is_covered(&held))
		return r;
	if (nf_held_whole(&held))
		return send_again(options, nf, &held, diag);
	*ret_sealed = true;
	return wall_seal_now(options, nf, diag);
}

/* Not covered. Nothing leaves by a device that is down. */
static int set_down(const struct wall_options *options, const char *device, unsigned index,
		    const char *why)
{
	struct diag diag = { 0 };
	int r = index ? link_down(index) : -ENODEV;

	diag_set(&diag, NULL, 0, 0, "%s is not covered: %.300s", device, why);
	if (r == -ENODEV)
		diag_hint(&diag, "the device has gone");
	else if (r == 0)
		diag_hint(&diag, "it was set down; nothing can leave by it");
	else
		diag_hint(&diag, "it could not be set down: %s", strerror(-r));
	wall_complain_diag(options, &diag);
	return r == 0 || r == -ENODEV ? WALL_NO : WALL_FAILED;
}

static int report(const struct wall_options *options, bool sealed)
{
	AUTO_BUF struct buf out = { .cap = WALL_OUTPUT_MAX };
	struct json json = { .out = &out };

	if (options->json) {
		json_object_begin(&json, NULL);
		json_string(&json, "state", "covered");
		json_bool(&json, "sealed", sealed);
		json_object_end(&json);
		buf_puts(&out, "\n");
	} else if (sealed) {
		buf_puts(&out, "Nothing was enforced: sealed, on every device.\n");
	} else if (!options->quiet) {
		buf_puts(&out, "Covered: every device has its egress chain.\n");
	}
	return wall_write(&out, WALL_OK);
}

int wall_cover(const struct wall_options *options, char **words)
{
	CLEANUP(nf_closep) struct nf_socket *nf = NULL;
	struct diag diag = { 0 };
	bool sealed = false;
	unsigned index = 0;
	int r = 0;

	/* Its number first: a device may be renamed while this runs. One that has gone is none to
	 * cover; the others are looked at all the same. */
	if (words[0])
		r = link_index(words[0], &index);
	if (r == 0 || r == -ENODEV)
		r = nf_open(&nf);
	if (r == 0)
		r = cover_all(options, nf, &sealed, &diag);
	if (r == 0)
		return report(options, sealed);
	if (!diag.message[0])
		diag_set(&diag, NULL, 0, 0, "the system refused: %s", strerror(-r));
	if (words[0])
		return set_down(options, words[0], index, diag.message);
	wall_complain_diag(options, &diag);
	return WALL_FAILED;
}
