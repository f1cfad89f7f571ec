/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A diagnostic is what a parser found, in a form that a command line prints, a window shows and a
 * test compares: where, what and why, and what to do about it.
 */
#pragma once

#include <stddef.h>

#include "cleanup.h"

#define DIAG_FILE_MAX	 256
#define DIAG_MESSAGE_MAX 512

struct diag {
	char file[DIAG_FILE_MAX]; /* "" when it concerns no file */
	unsigned line;		  /* from 1; 0 when unknown */
	unsigned column;	  /* in bytes, from 1; 0 when unknown */
	char message[DIAG_MESSAGE_MAX];
	char hint[DIAG_MESSAGE_MAX]; /* "" when there is nothing to advise */
};

/* Fill @diag, cutting what is too long. @diag may be NULL. */
void diag_set(struct diag *diag, const char *file, unsigned line, unsigned column,
	      const char *format, ...) PRINTF(5, 6);
void diag_hint(struct diag *diag, const char *format, ...) PRINTF(2, 3);

/* "file:line:column: message" and, on a second line, "  hint: ..."; no newline at the end.
 * @size bytes at @text, cut if needed, always terminated. */
void diag_format(const struct diag *diag, char *text, size_t size);
