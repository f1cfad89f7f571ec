/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Text for people: in their language, 80 columns wide, and nothing raw from elsewhere in it. */
#pragma once

#include <libintl.h>

#include <base/buf.h>

#define _(text) gettext(text)

#define TEXT_COLUMNS 80

/* Add text that others made (a model's name, a summary of Tor's): what is not printable ASCII
 * becomes
 * '?', one for each character, so that it cannot steer a terminal or pretend to be other text; more
 * than @most characters are cut, with "..." for the rest. */
void text_foreign(struct buf *out, const char *text, size_t most);

/* Add @text in lines of at most TEXT_COLUMNS, cut at blanks. The first begins at column @first,
 * where the output is now; every further one is made to begin at @column. A newline ends it. */
void text_wrap(struct buf *out, const char *text, size_t first, size_t column);

/* Columns that UTF-8 text takes, one for each character. */
size_t text_columns(const char *text);
