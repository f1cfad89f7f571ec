/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "text.h"

#include <string.h>

static bool continues(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

void text_foreign(struct buf *out, const char *text, size_t most)
{
	size_t shown = 0;

	for (const char *c = text; *c; c++) {
		/* The rest of a character that was shown as '?' already. */
		if (continues(*c) && c > text && (unsigned char)c[-1] >= 0x80)
			continue;
		if (shown++ == most) {
			buf_puts(out, "...");
			return;
		}
		if (*c >= 0x20 && *c < 0x7f)
			buf_add(out, c, 1);
		else
			buf_puts(out, "?");
	}
}

static size_t columns_of(const char *text, size_t length)
{
	size_t columns = 0;

	for (size_t i = 0; i < length; i++)
		columns += !continues(text[i]);
	return columns;
}

size_t text_columns(const char *text)
{
	return columns_of(text, strlen(text));
}

/* The longest part of @text that ends before a blank or the end and fits @columns; a word that is
 * wider than that alone is cut. */
static size_t fitting(const char *text, size_t columns)
{
	size_t length = 0, at = 0, seen = 0;

	for (;;) {
		if (text[at] == ' ' || text[at] == '\0')
			length = at;
		if (text[at] == '\0')
			return length;
		if (!continues(text[at]) && seen++ == columns)
			return length > 0 ? length : at;
		at++;
	}
}

void text_wrap(struct buf *out, const char *text, size_t first, size_t column)
{
	size_t room = first < TEXT_COLUMNS ? TEXT_COLUMNS - first : 1;

	for (;;) {
		size_t length = fitting(text, room);

		buf_add(out, text, length);
		buf_puts(out, "\n");
		text += length;
		while (*text == ' ')
			text++;
		if (*text == '\0')
			return;
		buf_printf(out, "%*s", (int)column, "");
		room = TEXT_COLUMNS - column;
	}
}
