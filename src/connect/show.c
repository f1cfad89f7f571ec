/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "show.h"

#include <string.h>

#include <base/json.h>

#include "words.h"

#define BAR_CELLS 20
#define TEXT_MAX  512

static bool is_state(const struct status *status, const char *state)
{
	return strcmp(status->state, state) == 0;
}

/* A text of the daemon's, looked up; what is not printable in it is another daemon's. */
static void put_text(const char *text, struct buf *out)
{
	const char *shown = text[0] ? gettext(text) : "";

	for (const char *c = shown; *c; c++) {
		const char safe[] = {(char)((unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c), '\0'};

		buf_puts(out, safe);
	}
}

void show_line(const struct status *status, struct buf *out)
{
	if (is_state(status, "connected")) {
		buf_puts(out, status->bridges > 0 ? _("connected to Tor, by a bridge")
						  : _("connected to Tor"));
	} else if (is_state(status, "connecting")) {
		buf_printf(out, _("connecting, %u %%: "), status->progress);
		put_text(status->phase_text, out);
	} else if (is_state(status, "failed")) {
		buf_puts(out, _("not connected: "));
		put_text(status->reason_text, out);
	} else if (is_state(status, "asked")) {
		buf_puts(out, _("not connected: you have not chosen yet how to connect"));
	} else {
		buf_puts(out, _("offline"));
	}
}

void show_bar(const struct status *status, size_t columns, struct buf *out)
{
	AUTO_BUF struct buf line = {.cap = TEXT_MAX};
	const size_t done = status->progress * BAR_CELLS / 100;
	size_t room, length;

	if (!is_state(status, "connecting") || columns < BAR_CELLS + 20) {
		show_line(status, &line);
	} else {
		buf_puts(&line, "[");
		for (size_t i = 0; i < BAR_CELLS; i++)
			buf_puts(&line, i < done ? "#" : ".");
		buf_printf(&line, "] %3u %%  ", status->progress);
		put_text(status->phase_text, &line);
	}
	/* Letters of more than one byte make it shorter than it need be, and never longer. */
	room = columns > 1 ? columns - 1 : 1;
	length = line.len < room ? line.len : room;
	while (length > 0 && length < line.len && (line.data[length] & 0xc0) == 0x80)
		length--;
	buf_add(out, buf_text(&line), length);
}

void show_whole(const struct status *status, struct buf *out)
{
	buf_puts(out, _("Tor: "));
	show_line(status, out);
	buf_puts(out, "\n");
	if (strcmp(status->mode, "hide") == 0)
		buf_puts(out, _("You chose to hide that you use Tor.\n"));
	else if (strcmp(status->mode, "automatic") == 0)
		buf_puts(out, _("You chose to connect automatically.\n"));
	if (status->bridges > 0)
		buf_printf(out, ngettext("%u bridge.\n", "%u bridges.\n", status->bridges),
			   status->bridges);
	if (status->advice[0]) {
		buf_puts(out, _("What to try: "));
		put_text(status->advice, out);
		buf_puts(out, "\n");
	} else if (is_state(status, "asked")) {
		buf_puts(out, _("To choose: lethe-connect\n"));
	}
}

static void text_or_null(struct json *json, const char *key, const char *text)
{
	if (text[0])
		json_string(json, key, text);
	else
		json_null(json, key);
}

void show_json(const struct status *status, struct buf *out)
{
	struct json json = {.out = out};

	json_object_begin(&json, NULL);
	json_string(&json, "state", status->state);
	json_string(&json, "mode", status->mode);
	json_number(&json, "progress", status->progress);
	text_or_null(&json, "phase", status->phase);
	text_or_null(&json, "phase-text", status->phase_text);
	text_or_null(&json, "reason", status->reason);
	text_or_null(&json, "reason-text", status->reason_text);
	text_or_null(&json, "advice", status->advice);
	json_number(&json, "bridges", status->bridges);
	json_number(&json, "default-bridges", status->default_bridges);
	json_object_end(&json);
	buf_puts(out, "\n");
}
