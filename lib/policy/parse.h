/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The grammar of lethe-policy(5): from tokens to statements. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <base/cleanup.h>
#include <base/diag.h>

#include "ast.h"
#include "lexer.h"

struct parser {
	struct lexer lexer;
	struct token token; /* the one that is looked at */
	struct ast *ast;
	struct diag *diag;
	bool dropin; /* only what a package may add */
	bool header; /* `lethe-policy 1` has been read */
};

/* Begin with @text, which must outlive @ast. Returns 0, -EBADMSG or -ENOMEM. */
MUST_CHECK int parser_begin(struct parser *parser, struct ast *ast, const char *file,
			    const char *text, size_t len, bool dropin, struct diag *diag);

/* Read one statement and append it to the tree. *ret_more is false, and nothing is appended, at
 * the end of the file. Returns 0, -EBADMSG with place, reason and hint in the diag, or -ENOMEM. */
MUST_CHECK int parser_next(struct parser *parser, bool *ret_more);

/* ---- What statements are made of, for parse_statements.c (each returns as parser_next() does). */

/* "word" for words; for messages. At most 64 bytes of it. */
struct shown {
	char text[80];
};
struct shown parser_show(const struct parser *parser);

/* Fail at the token that is looked at, or at @place. Returns -EBADMSG. */
int parser_fail(struct parser *parser, const char *format, ...) PRINTF(2, 3);
int parser_fail_at(struct parser *parser, const struct policy_place *place, const char *format, ...)
    PRINTF(3, 4);

MUST_CHECK int parser_advance(struct parser *parser);
bool parser_at(const struct parser *parser, const char *word);
MUST_CHECK int parser_accept(struct parser *parser, const char *word, bool *ret_found);
MUST_CHECK int parser_expect(struct parser *parser, const char *word, const char *after);
MUST_CHECK int parser_word(struct parser *parser, const char *what, struct ast_word *ret_word);
/* A name that the policy gives: a letter, then letters, digits, "-", "_" and "."; no keyword. */
MUST_CHECK int parser_name(struct parser *parser, const char *what, struct ast_word *ret_word);
/* WORD, ... */
MUST_CHECK int parser_list(struct parser *parser, const char *what, struct span *ret_words);
/* PORT|LOW-HIGH */
MUST_CHECK int parser_ports(struct parser *parser, struct ast_ports *ret_ports);
/* PORT|LOW-HIGH ..., maybe none */
MUST_CHECK int parser_port_list(struct parser *parser, struct span *ret_ports);
MUST_CHECK int parser_protocol(struct parser *parser, enum policy_protocol *ret_protocol);
/* tcp|udp|icmp [PORTS], ... */
MUST_CHECK int parser_traffic(struct parser *parser, struct span *ret_traffic);

/* ---- parse_statements.c ---- */
/* Read the statement that begins with the token that is looked at, but for its end. */
MUST_CHECK int parser_statement(struct parser *parser, struct statement *statement);
