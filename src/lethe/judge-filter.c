/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The network filter: does the kernel hold the policy, for every device? */
#include "report.h"

#include <string.h>

#include "text.h"

#define DETAIL_COLUMNS 240
#define DEVICES_SHOWN  8

static void advise(const struct facts *facts, struct part *part)
{
	if (facts_live(facts))
		buf_puts(&part->advice,
			 _("Disconnect the computer from every network, then restart it."));
	else
		buf_puts(&part->advice,
			 _("Disconnect the computer from every network. Then, as root: "
			   "lethe-wall apply."));
}

static void judge_enforced(const struct facts *facts, struct part *part)
{
	const char *tables = answer_text(facts->wall.object, "other_tables");
	const char *settings = answer_text(facts->wall.object, "settings");
	bool settings_good = false;

	if (!tables || !settings ||
	    !answer_flag(facts->wall.object, "settings_good", &settings_good)) {
		judge_missing(-EBADMSG, part);
		return;
	}
	if (!settings_good) {
		part->level = LEVEL_BAD;
		buf_puts(&part->text,
			 _("enforced, but settings of the kernel are not as it needs them: "));
		text_foreign(&part->text, settings, DETAIL_COLUMNS);
		buf_puts(&part->text, ".");
		advise(facts, part);
		return;
	}
	/* Other tables can only forbid more, but for those that rewrite. */
	if (strstr(tables, "(rewrites packets)")) {
		part->level = LEVEL_BAD;
		buf_puts(&part->text, _("enforced, but another program's rules rewrite packets: "));
		text_foreign(&part->text, tables, DETAIL_COLUMNS);
		buf_puts(&part->text, ".");
		advise(facts, part);
		return;
	}
	part->level = LEVEL_GOOD;
	buf_puts(&part->text,
		 _("enforced: the rules were read back from the kernel and are exactly "
		   "the policy."));
	if (tables[0]) {
		buf_puts(&part->text, " ");
		buf_puts(&part->text, _("Other tables, which can only forbid more: "));
		text_foreign(&part->text, tables, DETAIL_COLUMNS);
		buf_puts(&part->text, ".");
	}
}

static void judge_uncovered(const struct facts *facts, struct part *part)
{
	const json_t *devices = json_object_get(facts->wall.object, "uncovered");
	size_t count = json_array_size(devices);

	part->level = LEVEL_BAD;
	buf_puts(&part->text, _("in force, but not on these devices: "));
	for (size_t i = 0; i < count && i < DEVICES_SHOWN; i++) {
		const char *name = json_string_value(json_array_get(devices, i));

		buf_puts(&part->text, i ? ", " : "");
		text_foreign(&part->text, name ? name : "?", LINK_NAME_MAX);
	}
	buf_puts(&part->text, count == 0 || count > DEVICES_SHOWN ? " ..." : ".");
	advise(facts, part);
}

static void judge_different(const struct facts *facts, struct part *part)
{
	const char *difference = answer_text(facts->wall.object, "difference");

	part->level = LEVEL_BAD;
	buf_puts(&part->text, _("CHANGED: the kernel's rules are not those of the policy."));
	if (difference && difference[0]) {
		buf_puts(&part->text, " ");
		text_foreign(&part->text, difference, DETAIL_COLUMNS);
	}
	advise(facts, part);
}

static void judge_sealed(const struct facts *facts, struct part *part)
{
	part->level = LEVEL_BAD;
	buf_puts(&part->text,
		 _("sealed: nothing can leave this computer, and Tor cannot connect. The "
		   "policy was not put in force."));
	if (facts_live(facts))
		buf_puts(&part->advice, _("Restart the computer."));
	else
		buf_puts(&part->advice, _("As root: lethe-wall apply. It says what is wrong."));
}

static void judge_open(const struct facts *facts, struct part *part)
{
	part->level = LEVEL_BAD;
	buf_puts(&part->text,
		 _("MISSING: nothing is filtered. Programs can reach the Internet without "
		   "Tor."));
	advise(facts, part);
}

/* The kernel could not be asked. */
static void judge_error(const json_t *error, struct part *part)
{
	const char *message = answer_text(error, "message");

	part->level = LEVEL_UNKNOWN;
	buf_puts(&part->text, _("the kernel could not be asked: "));
	text_foreign(&part->text, message ? message : "?", DETAIL_COLUMNS);
	buf_puts(&part->text, ".");
	judge_ask_again(part);
}

void judge_filter(const struct facts *facts, struct part *part)
{
	const json_t *error = answer_object(facts->wall.object, "error");
	const char *state = answer_text(facts->wall.object, "state");
	const json_t *uncovered = json_object_get(facts->wall.object, "uncovered");

	if (facts->wall.error)
		judge_missing(facts->wall.error, part);
	else if (error)
		judge_error(error, part);
	else if (!state)
		judge_missing(-EBADMSG, part);
	else if (strcmp(state, "open") == 0)
		judge_open(facts, part);
	else if (strcmp(state, "different") == 0)
		judge_different(facts, part);
	else if (strcmp(state, "uncovered") == 0 || json_array_size(uncovered) > 0)
		judge_uncovered(facts, part);
	else if (strcmp(state, "sealed") == 0)
		judge_sealed(facts, part);
	else if (strcmp(state, "enforced") == 0 && json_is_array(uncovered))
		judge_enforced(facts, part);
	else
		judge_missing(-EBADMSG, part);
}
