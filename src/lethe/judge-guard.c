/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The guard: is the filter kept as it is, and has anybody changed it? */
#include "report.h"

#include <inttypes.h>
#include <string.h>

#include "text.h"

#define DETAIL_COLUMNS 240
#define US_MAX	       INT64_C(1000000000000)

static void advise(const struct facts *facts, struct part *part)
{
	if (facts_live(facts))
		buf_puts(&part->advice,
			 _("Disconnect the computer from every network, then restart it."));
	else
		buf_puts(&part->advice,
			 _("Disconnect the computer from every network. Then, as root: "
			   "systemctl status lethe-guard."));
}

/* The last change that was not harmless: by whom, what, and what became of it. */
static void tell_last(const json_t *answer, struct part *part)
{
	const json_t *last = answer_object(answer, "last");
	const char *comm = answer_text(last, "comm"), *what = answer_text(last, "what");
	json_int_t pid = 0, healed = 0;
	bool harmless = true;

	if (!last || !what || !answer_flag(last, "harmless", &harmless) || harmless)
		return;
	buf_puts(&part->text, _(" Last changed by "));
	text_foreign(&part->text, comm && comm[0] ? comm : "?", DETAIL_COLUMNS);
	if (answer_number(last, "pid", UINT32_MAX, &pid) && pid > 0)
		buf_printf(&part->text, _(" (process %" PRId64 ")"), (int64_t)pid);
	buf_puts(&part->text, ": ");
	text_foreign(&part->text, what, DETAIL_COLUMNS);
	if (answer_number(last, "healed_us", US_MAX, &healed))
		buf_printf(&part->text, _("; put right after %.1f ms"), (double)healed / 1000);
	buf_puts(&part->text, ".");
}

static void judge_holding(const struct facts *facts, struct part *part)
{
	bool owned = false;

	if (!answer_flag(facts->guard.object, "owned", &owned)) {
		judge_missing(-EBADMSG, part);
		return;
	}
	part->level = LEVEL_GOOD;
	buf_puts(&part->text,
		 owned ? _("nobody else can change the filter.")
		       : _("changes of the filter are noticed and put right; this kernel cannot "
			   "keep others from making them."));
	tell_last(facts->guard.object, part);
}

static void judge_shut(const struct facts *facts, struct part *part)
{
	const char *why = answer_text(facts->guard.object, "shut");

	part->level = LEVEL_BAD;
	buf_puts(&part->text, _("ALL LINKS ARE SHUT: "));
	text_foreign(&part->text, why ? why : "?", DETAIL_COLUMNS);
	buf_puts(&part->text, ".");
	tell_last(facts->guard.object, part);
	advise(facts, part);
}

static void judge_gone(const struct facts *facts, const char *text, struct part *part)
{
	part->level = LEVEL_BAD;
	buf_puts(&part->text, text);
	advise(facts, part);
}

void judge_guard(const struct facts *facts, struct part *part)
{
	const char *state = answer_text(facts->guard.object, "state");

	if (facts->guard.error == -ENOENT && !facts_live(facts)) {
		part->level = LEVEL_APART;
		buf_puts(&part->text, _("not used on this system."));
	} else if (facts->guard.error == -ENOENT) {
		judge_gone(facts, _("has not begun: whoever changes the filter is not noticed."),
			   part);
	} else if (facts->guard.error) {
		judge_missing(facts->guard.error, part);
	} else if (!state) {
		judge_missing(-EBADMSG, part);
	} else if (strcmp(state, "stopped") == 0 || !facts->guard_lives) {
		judge_gone(facts, _("does not run: whoever changes the filter is not noticed."),
			   part);
	} else if (strcmp(state, "holding") == 0) {
		judge_holding(facts, part);
	} else if (strcmp(state, "shut") == 0) {
		judge_shut(facts, part);
	} else if (strcmp(state, "idle") == 0) {
		judge_gone(facts, _("there is no filter to be kept."), part);
	} else {
		judge_missing(-EBADMSG, part);
	}
}
