/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "diag.h"

#include <stdarg.h>
#include <string.h>

void diag_set(struct diag *diag, const char *file, unsigned line, unsigned column,
	      const char *format, ...)
{
	va_list args;

	if (!diag)
		return;
	snprintf(diag->file, sizeof(diag->file), "%s", file ? file : "");
	diag->line = line;
	diag->column = column;
	diag->hint[0] = '\0';
	va_start(args, format);
	vsnprintf(diag->message, sizeof(diag->message), format, args);
	va_end(args);
}

void diag_hint(struct diag *diag, const char *format, ...)
{
	va_list args;

	if (!diag)
		return;
	va_start(args, format);
	vsnprintf(diag->hint, sizeof(diag->hint), format, args);
	va_end(args);
}

void diag_format(const struct diag *diag, char *text, size_t size)
{
	char where[DIAG_FILE_MAX + 32] = "";

	if (diag->file[0] && diag->line)
		snprintf(where, sizeof(where), "%s:%u:%u: ", diag->file, diag->line, diag->column);
	else if (diag->file[0])
		snprintf(where, sizeof(where), "%s: ", diag->file);
	snprintf(text, size, "%s%s%s%s", where, diag->message, diag->hint[0] ? "\n  hint: " : "",
		 diag->hint);
}
