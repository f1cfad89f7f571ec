/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A report as text for people and as JSON for programs. */
#include "report.h"

#include <string.h>

#include "text.h"

/* How a level looks. The word says it; the colour only repeats it. */
static const char *const colours[] = {
    [LEVEL_UNKNOWN] = "\033[1;31m", [LEVEL_BAD] = "\033[1;31m", [LEVEL_WAITING] = "\033[33m",
    [LEVEL_GOOD] = "\033[32m",      [LEVEL_APART] = "",
};
#define COLOUR_END "\033[0m"

/* For programs: not translated. */
static const char *const level_names[] = {
    [LEVEL_UNKNOWN] = "unknown",      [LEVEL_BAD] = "bad",
    [LEVEL_WAITING] = "waiting",      [LEVEL_GOOD] = "good",
    [LEVEL_APART] = "not-applicable",
};
static const char *const part_keys[PART_COUNT] = {
    [PART_MEDIUM] = "medium",
    [PART_FILTER] = "filter",
    [PART_PROOF] = "proof",
    [PART_GUARD] = "guard",
    [PART_WATCH] = "watch",
    [PART_TOR] = "tor",
    [PART_LINKS] = "links",
};

static const char *level_word(enum level level)
{
	switch (level) {
	case LEVEL_GOOD:
		return _("good");
	case LEVEL_WAITING:
		return _("not yet");
	case LEVEL_BAD:
		return _("BAD");
	case LEVEL_APART:
		return _("none");
	case LEVEL_UNKNOWN:
		break;
	}
	return _("UNKNOWN");
}

static const char *part_title(enum part_name name)
{
	switch (name) {
	case PART_MEDIUM:
		return _("Medium");
	case PART_FILTER:
		return _("Filter");
	case PART_PROOF:
		return _("Proof");
	case PART_GUARD:
		return _("Guard");
	case PART_WATCH:
		return _("Watch");
	case PART_TOR:
		return _("Tor");
	case PART_LINKS:
	case PART_COUNT:
		break;
	}
	return _("Links");
}

static const char *closing(enum level level)
{
	switch (level) {
	case LEVEL_GOOD:
		return _("All is well.");
	case LEVEL_WAITING:
		return _("Not ready yet.");
	case LEVEL_BAD:
		return _("Something is wrong: see BAD above.");
	case LEVEL_UNKNOWN:
	case LEVEL_APART:
		break;
	}
	return _("Not everything is known: see UNKNOWN above. Do not rely on it.");
}

static void show_level(enum level level, bool colour, struct buf *out)
{
	bool coloured = colour && colours[level][0];

	buf_printf(out, "%s%s%s", coloured ? colours[level] : "", level_word(level),
		   coloured ? COLOUR_END : "");
}

static void show_part(const struct part *part, const char *title, size_t column, bool colour,
		      struct buf *out)
{
	buf_printf(out, "%s%*s", title, (int)(column - text_columns(title)), "");
	show_level(part->level, colour, out);
	buf_puts(out, ": ");
	text_wrap(out, buf_text(&part->text), column + text_columns(level_word(part->level)) + 2,
		  column);
	if (part->advice.len > 0) {
		buf_printf(out, "%*s", (int)column, "");
		text_wrap(out, buf_text(&part->advice), column, column);
	}
}

static void show_laboratory(enum laboratory laboratory, bool colour, struct buf *out)
{
	if (laboratory == LABORATORY_NONE)
		return;
	buf_puts(out, "  ");
	buf_puts(out, colour ? colours[LEVEL_BAD] : "");
	if (laboratory == LABORATORY_USED)
		buf_puts(out, _("LABORATORY: programs from outside of the image are in use"));
	else
		buf_puts(out, _("UNKNOWN whether a laboratory layer is in use"));
	buf_puts(out, colour ? COLOUR_END : "");
}

void report_text(const struct report *report, const char *version, bool colour, struct buf *out)
{
	size_t column = 0;

	for (enum part_name i = 0; i < PART_COUNT; i++) {
		size_t columns = text_columns(part_title(i));

		column = columns > column ? columns : column;
	}
	column += 2;
	buf_printf(out, "Lethe %s", version);
	show_laboratory(report->laboratory, colour, out);
	buf_puts(out, "\n");
	for (enum part_name i = 0; i < PART_COUNT; i++)
		show_part(&report->parts[i], part_title(i), column, colour, out);
	text_wrap(out, closing(report_level(report)), 0, 0);
}

/* ---- JSON ---- */

static json_t *links_json(const struct links *links)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < links->count; i++) {
		const struct link *link = &links->list[i];
		/* A name is bytes; what is not UTF-8 cannot be a JSON text. */
		AUTO_BUF struct buf name = {.cap = LINK_NAME_MAX * 2};

		text_foreign(&name, link->name, LINK_NAME_MAX);
		if (json_array_append_new(list,
					  json_pack("{s:s, s:b, s:b, s:b}", "name", buf_text(&name),
						    "up", link->up, "carrier", link->carrier,
						    "address", link->address)) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

/* What the part was made from: a door's own answer, or the links. */
static json_t *source_json(const struct facts *facts, enum part_name name)
{
	const struct answer *const answers[PART_COUNT] = {
	    [PART_MEDIUM] = &facts->medium,
	    [PART_FILTER] = &facts->wall,
	    [PART_PROOF] = &facts->proof,
	    [PART_GUARD] = &facts->guard,
	    [PART_WATCH] = &facts->watch,
	    [PART_TOR] = &facts->tor,
	};

	if (name == PART_LINKS)
		return links_json(&facts->links);
	return answers[name]->object ? json_incref(answers[name]->object) : json_pack("n");
}

static json_t *part_json(const struct part *part, json_t *source)
{
	return json_pack("{s:s, s:s, s:s, s:o}", "level", level_names[part->level], "text",
			 buf_text(&part->text), "advice", buf_text(&part->advice), "answer",
			 source);
}

static json_t *laboratory_json(enum laboratory laboratory)
{
	return laboratory == LABORATORY_UNKNOWN ? json_pack("n")
						: json_boolean(laboratory == LABORATORY_USED);
}

/* Everything but printable ASCII is escaped by the library, except DEL; that stands in strings
 * only. */
static void put_ascii(const char *text, struct buf *out)
{
	for (const char *del; (del = strchr(text, '\x7f')); text = del + 1) {
		buf_add(out, text, (size_t)(del - text));
		buf_puts(out, "\\u007f");
	}
	buf_puts(out, text);
}

int report_json(const struct report *report, const struct facts *facts, const char *version,
		struct buf *out)
{
	json_t *object = json_pack(
	    "{s:s, s:s, s:o, s:o}", "version", version, "level", level_names[report_level(report)],
	    "laboratory", laboratory_json(report->laboratory), "boot",
	    facts->boot.object ? json_incref(facts->boot.object) : json_pack("n"));
	char *text = NULL;
	int r = object ? 0 : -ENOMEM;

	for (enum part_name i = 0; i < PART_COUNT && r == 0; i++)
		r = json_object_set_new(object, part_keys[i],
					part_json(&report->parts[i], source_json(facts, i)));
	if (r == 0)
		text = json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(object);
	if (!text)
		return -ENOMEM;
	put_ascii(text, out);
	buf_puts(out, "\n");
	free(text);
	return buf_finish(out);
}
