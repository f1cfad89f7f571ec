/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The watch: does each refusal have a name, and has anybody tried to change the filter? */
#include "report.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "text.h"

#define DETAIL_COLUMNS 240
#define COUNT_MAX      INT64_C(1000000000000000)
#define SECONDS_MAX    INT64_C(253402300799) /* year 9999 */

static void advise(const struct facts *facts, struct part *part)
{
	buf_puts(&part->advice, _("What is refused stays refused; only its name is missing."));
	buf_puts(&part->advice, facts_live(facts) ? _(" Restart the computer.")
						  : _(" As root: systemctl status lethe-watch."));
}

static void tell_time(int64_t seconds, struct buf *text)
{
	const time_t when = (time_t)seconds;
	char clock[64];
	struct tm at;

	if (gmtime_r(&when, &at) && strftime(clock, sizeof(clock), "%F %T", &at) > 0)
		buf_printf(text, _(" at %s UTC"), clock);
}

/* Do others find the filter shut? Then what they asked for was not done. */
static bool is_refused(const struct facts *facts)
{
	const char *state = answer_text(facts->guard.object, "state");
	bool owned = false;

	return facts->guard_lives && state && strcmp(state, "holding") == 0 &&
	       answer_flag(facts->guard.object, "owned", &owned) && owned;
}

/* The last who tried to change the filter: who, when, what. */
static void tell_last(const struct facts *facts, const json_t *last, struct part *part)
{
	const char *exe = answer_text(last, "exe"), *what = answer_text(last, "what");
	json_int_t pid = 0, uid = 0, seconds = 0;

	if (!exe || !what || !answer_number(last, "pid", UINT32_MAX, &pid) ||
	    !answer_number(last, "uid", UINT32_MAX, &uid) ||
	    !answer_number(last, "time", SECONDS_MAX, &seconds))
		return;
	buf_puts(&part->text, _(" TRIED TO CHANGE THE FILTER: "));
	text_foreign(&part->text, exe[0] ? exe : "?", DETAIL_COLUMNS);
	if (uid == 0)
		buf_printf(&part->text, _(" (process %" PRId64 ", root)"), (int64_t)pid);
	else
		buf_printf(&part->text, _(" (process %" PRId64 ", user %" PRId64 ")"), (int64_t)pid,
			   (int64_t)uid);
	tell_time(seconds, &part->text);
	buf_puts(&part->text, ": ");
	text_foreign(&part->text, what, DETAIL_COLUMNS);
	buf_puts(&part->text, is_refused(facts) ? _("; the kernel refused it.") : ".");
}

static void tell_tampering(const struct facts *facts, struct part *part)
{
	const json_t *told = answer_object(facts->watch.object, "tampering");
	const json_t *latest = json_object_get(told, "latest");
	const char *why = answer_text(told, "why");
	json_int_t count = 0;
	bool watched = false;

	if (!answer_flag(told, "watched", &watched) || !watched) {
		buf_puts(&part->text, _(" Nobody sees who would change the filter: "));
		text_foreign(&part->text, why ? why : "?", DETAIL_COLUMNS);
		buf_puts(&part->text, ".");
	}
	if (!answer_number(told, "count", COUNT_MAX, &count) || count == 0)
		return;
	tell_last(facts, json_array_get(latest, 0), part);
	if (count > 1)
		buf_printf(&part->text, _(" That makes %" PRId64 " attempts."), (int64_t)count);
	buf_puts(&part->advice, _("If nobody did that on purpose, do not trust what runs here: "
				  "restart the computer."));
}

/* What is known of refusals, and what is lost of it. */
static void judge_running(const struct facts *facts, const char *says, bool why, struct part *part)
{
	const char *reason = answer_text(facts->watch.object, "why");
	json_int_t lost = 0;

	if (!answer_number(facts->watch.object, "lost", COUNT_MAX, &lost)) {
		judge_missing(-EBADMSG, part);
		return;
	}
	part->level = LEVEL_GOOD;
	buf_puts(&part->text, says);
	if (why) {
		buf_puts(&part->text, ": ");
		text_foreign(&part->text, reason ? reason : "?", DETAIL_COLUMNS);
		buf_puts(&part->text, ".");
	}
	if (lost > 0)
		buf_printf(&part->text, _(" LOST: %" PRId64 " refusals came too fast to be named."),
			   (int64_t)lost);
	tell_tampering(facts, part);
}

static void judge_mode(const struct facts *facts, const char *mode, struct part *part)
{
	if (strcmp(mode, "kernel") == 0) {
		judge_running(facts, _("what is refused is named by program."), false, part);
	} else if (strcmp(mode, "nflog") == 0) {
		judge_running(facts, _("what is refused is named by user only, not by program"), true,
			      part);
	} else if (strcmp(mode, "none") == 0) {
		judge_running(facts, _("nobody can tell which program is refused"), true, part);
		if (part->level == LEVEL_GOOD) {
			part->level = LEVEL_UNKNOWN;
			advise(facts, part);
		}
	} else {
		judge_missing(-EBADMSG, part);
	}
}

void judge_watch(const struct facts *facts, struct part *part)
{
	const char *mode = answer_text(facts->watch.object, "mode");

	if (facts->watch.error == -ENOENT && !facts_live(facts)) {
		part->level = LEVEL_APART;
		buf_puts(&part->text, _("not used on this system."));
	} else if (facts->watch.error == -ENOENT) {
		part->level = LEVEL_WAITING;
		buf_puts(&part->text, _("has not begun: what is refused has no name yet."));
	} else if (facts->watch.error) {
		judge_missing(facts->watch.error, part);
	} else if (!mode) {
		judge_missing(-EBADMSG, part);
	} else if (strcmp(mode, "stopped") == 0 || !facts->watch_lives) {
		part->level = LEVEL_BAD;
		buf_puts(&part->text, _("does not run: what is refused has no name."));
		advise(facts, part);
	} else {
		judge_mode(facts, mode, part);
	}
}
