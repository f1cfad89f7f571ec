/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernel's command line, /proc/cmdline, word by word. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <base/buf.h>
#include <base/cleanup.h>

#define CMDLINE_MAX      4096 /* bytes of a command line; the kernel's own limit on amd64 is 2048 */
#define CMDLINE_WORD_MAX 256  /* bytes of a word that anyone here asks for, with the NUL */

struct cmdline_word {
	char name[CMDLINE_WORD_MAX];  /* what is before the first '=' */
	char value[CMDLINE_WORD_MAX]; /* what is after it; "" without one */
	bool has_value;
	bool quoted; /* it holds a quotation mark somewhere */
	bool cut;    /* name or value is longer than fits */
};

/* The next word from *@at, which moves on. Blanks inside quotation marks part no words, as in the
 * kernel; the marks stay in the text. Returns false at the end. */
bool cmdline_next(const char **at, struct cmdline_word *ret_word);

/* The value of the one word with this name. Returns 0, -ENOENT (there is none), -EEXIST (there are
 * several), -EINVAL (it has no value, or one that is quoted or too long). */
MUST_CHECK int cmdline_find(const char *text, const char *name,
			    char ret_value[static CMDLINE_WORD_MAX]);

/* The parameters that the command line has for the kernel module @name, "a=1 b=2", as modprobe(8)
 * takes them from words MODULE.PARAMETER=VALUE; '-' and '_' are the same. */
void cmdline_module_parameters(const char *text, const char *name, struct buf *out);
