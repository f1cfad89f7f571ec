/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report.h"

#include <string.h>

#include "text.h"

#define TEXT_MAX 8192

/* Where nobody could say, a part is as if it were bad. */
static const int ranks[] = {
    [LEVEL_BAD] = 0, [LEVEL_UNKNOWN] = 1, [LEVEL_WAITING] = 2, [LEVEL_GOOD] = 3, [LEVEL_APART] = 4,
};

bool facts_live(const struct facts *facts)
{
	return facts->live || facts->boot.error != -ENOENT || facts->medium.error != -ENOENT;
}

bool facts_linked(const struct facts *facts)
{
	for (size_t i = 0; i < facts->links.count; i++) {
		const struct link *link = &facts->links.list[i];

		if (link->up && link->carrier && link->address)
			return true;
	}
	return false;
}

void judge_ask_again(struct part *part)
{
	buf_puts(&part->advice,
		 _("Ask again in a moment. If it stays so, do not rely on it; restart "
		   "the computer."));
}

void judge_missing(int error, struct part *part)
{
	part->level = LEVEL_UNKNOWN;
	switch (-error) {
	case ENOENT:
	case ECONNREFUSED:
		buf_puts(&part->text, _("cannot be asked: its status door is not there."));
		break;
	case ETIMEDOUT:
		buf_puts(&part->text, _("did not answer in time."));
		break;
	case ENODATA:
		buf_puts(&part->text, _("gave no answer."));
		break;
	case EBADMSG:
	case E2BIG:
		buf_puts(&part->text, _("gave an answer that is not understood."));
		break;
	default:
		buf_printf(&part->text, _("cannot be asked: %s."), strerror(-error));
		break;
	}
	judge_ask_again(part);
}

static enum laboratory find_laboratory(const struct facts *facts)
{
	bool from_boot = false, from_door = false;
	bool boot_says = answer_flag(facts->boot.object, "laboratory", &from_boot);
	bool door_says = answer_flag(facts->medium.object, "laboratory", &from_door);

	if (from_boot || from_door)
		return LABORATORY_USED;
	/* One that is missing could have said yes. */
	if (!facts_live(facts) || (boot_says && (door_says || facts->medium.error)))
		return LABORATORY_NONE;
	return LABORATORY_UNKNOWN;
}

int report_make(const struct facts *facts, struct report *ret_report)
{
	static void (*const judges[PART_COUNT])(const struct facts *, struct part *) = {
	    [PART_MEDIUM] = judge_medium,
	    [PART_FILTER] = judge_filter,
	    [PART_PROOF] = judge_proof,
	    [PART_GUARD] = judge_guard,
	    [PART_WATCH] = judge_watch,
	    [PART_TOR] = judge_tor,
	    [PART_LINKS] = judge_links,
	};
	int r = 0;

	*ret_report = (struct report){.laboratory = find_laboratory(facts)};
	for (size_t i = 0; i < PART_COUNT; i++) {
		struct part *part = &ret_report->parts[i];

		part->text.cap = TEXT_MAX;
		part->advice.cap = TEXT_MAX;
		judges[i](facts, part);
		if (r == 0)
			r = buf_finish(&part->text);
		if (r == 0)
			r = buf_finish(&part->advice);
	}
	return r;
}

void report_done(struct report *report)
{
	for (size_t i = 0; i < PART_COUNT; i++) {
		buf_done(&report->parts[i].text);
		buf_done(&report->parts[i].advice);
	}
}

enum level report_level(const struct report *report)
{
	enum level worst = LEVEL_GOOD;

	for (size_t i = 0; i < PART_COUNT; i++)
		if (ranks[report->parts[i].level] < ranks[worst])
			worst = report->parts[i].level;
	if (report->laboratory == LABORATORY_UNKNOWN && ranks[LEVEL_UNKNOWN] < ranks[worst])
		worst = LEVEL_UNKNOWN;
	return worst;
}
