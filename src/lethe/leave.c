/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lethe leaving: ask the two doors, and show. */
#include "lethe.h"

#include "doors.h"
#include "leaving.h"
#include "text.h"

#define DEFAULT_DOORS "/run/lethe/status"
#define OUTPUT_MAX    (4u << 20)

static struct answer read_answer(struct door *door, unsigned deadline_ms)
{
	door_read(door, deadline_ms);
	return answer_parse(door->error, buf_text(&door->answer), door->answer.len);
}

int lethe_leaving(const struct lethe_options *options, char **words)
{
	CLEANUP(door_close) struct door flows_door = {.fd = -EBADF}, watch_door = {.fd = -EBADF};
	const char *folder = options->doors ? options->doors : DEFAULT_DOORS;
	CLEANUP(answer_done) struct answer flows = {0}, watch = {0};
	AUTO_BUF struct buf out = {.cap = OUTPUT_MAX};
	int r;

	door_open(folder, "flows", &flows_door);
	door_open(folder, "watch", &watch_door);
	r = lethe_lock_in();
	if (r != LETHE_OK)
		return r;
	flows = read_answer(&flows_door, options->seconds * 1000);
	watch = read_answer(&watch_door, options->seconds * 1000);
	r = options->json ? leaving_json(&flows, &watch, &out)
			  : leaving_text(&flows, &watch, &out);
	if (r < 0 && r != -ENODATA) {
		lethe_complain(r, _("cannot put the answer together"));
		return LETHE_BAD;
	}
	if (fwrite(buf_text(&out), 1, out.len, stdout) != out.len || fflush(stdout) != 0) {
		lethe_complain(neg_errno(), _("cannot write the output"));
		return LETHE_BAD;
	}
	return r == 0 ? LETHE_OK : LETHE_BAD;
}
