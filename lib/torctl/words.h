/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The words of a line of Tor's control protocol, as
 *
 *   NOTICE BOOTSTRAP PROGRESS=45 SUMMARY="Loading \"relay\" descriptors"
 *
 * Words stand apart by blanks. One may be quoted, whole or behind its first '='. In quotes \n, \t,
 * \r and one to three octal digits are what they are in C, and a backslash before anything else
 * means that character, as the specification advises; a NUL cannot be written.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <base/cleanup.h>

#define TORCTL_WORDS_MAX 512

struct torctl_word {
	/* The part before the first '='; NULL if there is none, or nothing before it. Whether that
	 * makes it an argument by name is for whoever knows the line: "$FINGERPRINT=nickname" looks
	 * the same. */
	const char *key;
	const char *value; /* what follows, or the whole word; quotes and escapes resolved */
	bool quoted;
};

struct torctl_words {
	struct torctl_word *list;
	size_t count;
	char *store; /* holds the texts */
};

/* Returns 0 and the words, to torctl_words_done(); -EBADMSG (a quote that is not ended or does not
 * stand alone, a control character outside of quotes, an escape for NUL), -E2BIG (more than
 * TORCTL_WORDS_MAX), or -ENOMEM. */
MUST_CHECK int torctl_words_parse(const char *text, size_t length, struct torctl_words *ret_words);
void torctl_words_done(struct torctl_words *words);

/* The value of the first word with that key, or NULL. */
const char *torctl_words_get(const struct torctl_words *words, const char *key);
/* The word at that place if it has no key, or NULL. */
const char *torctl_words_at(const struct torctl_words *words, size_t index);
