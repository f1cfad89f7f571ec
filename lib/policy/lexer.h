/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Cuts the text of a policy into words. It knows lines, comments and continuation, and nothing of
 * what the words mean.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <base/cleanup.h>
#include <base/diag.h>

#include "policy.h"

#define LEXER_LINE_MAX 1024 /* bytes of one line, without its newline */

enum token_kind {
	TOKEN_END = 0, /* of the file */
	TOKEN_WORD,
	TOKEN_COMMA,
	TOKEN_EQUALS,
	TOKEN_NEWLINE, /* ends a statement; never comes twice in a row or first */
};

struct token {
	enum token_kind kind;
	const char *text; /* in the text that is read; not terminated */
	size_t len;
	struct policy_place place;
	unsigned comma_line; /* the line whose last comma led here; 0 if none did */
};

/* Zero-initialise, then set the first three. The text must outlive the tokens. */
struct lexer {
	const char *file; /* for places; must outlive them */
	const char *text;
	size_t len;

	size_t at, line_start;
	unsigned line; /* from 0 here, so that zero is the beginning */
	bool open;     /* within a statement: a token has come since the last TOKEN_NEWLINE */
	bool after_comma;
	unsigned comma_line;
};

/*
 * The next token. Comments, blank lines and blanks are skipped; a comma or a backslash at the end
 * of a line continues the statement on the next. Past the end it goes on giving TOKEN_END.
 * Returns 0, or -EBADMSG with place, reason and hint in @diag: a byte that a policy may not hold,
 * a line that is too long, a stray backslash, an end in the middle of a statement or of a line.
 */
MUST_CHECK int lexer_next(struct lexer *lexer, struct diag *diag, struct token *ret_token);
