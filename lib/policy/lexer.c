/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lexer.h"

#include <stdint.h>
#include <string.h>

static struct policy_place here(const struct lexer *lexer)
{
	return (struct policy_place){
	    .file = lexer->file,
	    .line = lexer->line + 1,
	    .column = (unsigned)(lexer->at - lexer->line_start) + 1,
	};
}

#define FAIL(lexer, diag, ...)                                                                     \
	({                                                                                         \
		struct policy_place fail_ = here(lexer);                                           \
		diag_set(diag, fail_.file, fail_.line, fail_.column, __VA_ARGS__);                 \
		-EBADMSG;                                                                          \
	})

static bool at_end(const struct lexer *lexer)
{
	return lexer->at >= lexer->len;
}

static unsigned char byte(const struct lexer *lexer)
{
	return (unsigned char)lexer->text[lexer->at];
}

static bool is_blank(unsigned char c)
{
	return c == ' ' || c == '\t';
}

static bool is_word(unsigned char c)
{
	return c > 0x20 && c < 0x7f && !strchr(",=#\\", c);
}

/* What no policy may hold, in comments or out of them. */
static int refuse_control(const struct lexer *lexer, struct diag *diag)
{
	unsigned char c = byte(lexer);
	int r;

	if (c == '\0')
		return FAIL(lexer, diag, "a NUL byte: this is no text file");
	if (c == '\r') {
		r = FAIL(lexer, diag, "a carriage return");
		diag_hint(diag,
			  "end lines by a newline alone, for example with: sed -i 's/\\r$//'");
		return r;
	}
	return FAIL(lexer, diag, "a control character (0x%02x)", c);
}

/* The length of the UTF-8 character here, and its number; 0 if it is none (RFC 3629). */
static size_t utf8_length(const struct lexer *lexer, uint32_t *ret_character)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char first = byte(lexer);
	size_t len = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
	uint32_t character = first & (0xffu >> (len + 1));

	if (first < 0xc2 || first > 0xf4 || lexer->len - lexer->at < len)
		return 0;
	for (size_t i = 1; i < len; i++) {
		unsigned char c = (unsigned char)lexer->text[lexer->at + i];

		if ((c & 0xc0) != 0x80)
			return 0;
		character = character << 6 | (c & 0x3f);
	}
	if (character < least[len] || character > 0x10ffff ||
	    (character >= 0xd800 && character <= 0xdfff))
		return 0;
	*ret_character = character;
	return len;
}

/* Characters that turn the direction of writing can make a comment look like a statement, and a
 * statement like a comment. C1 control characters can steer a terminal. */
static bool is_deceptive(uint32_t character)
{
	return (character >= 0x80 && character < 0xa0) || character == 0x061c ||
	       character == 0x200e || character == 0x200f ||
	       (character >= 0x2028 && character <= 0x202e) ||
	       (character >= 0x2066 && character <= 0x2069);
}

static int skip_comment(struct lexer *lexer, struct diag *diag)
{
	while (!at_end(lexer) && byte(lexer) != '\n') {
		uint32_t character = 0;
		size_t len = 1;

		if (byte(lexer) >= 0x80) {
			len = utf8_length(lexer, &character);
			if (len == 0)
				return FAIL(lexer, diag, "this comment is not UTF-8");
			if (is_deceptive(character))
				return FAIL(lexer, diag,
					    "an invisible character (U+%04X) that can make text "
					    "look different from what it says",
					    character);
		} else if ((byte(lexer) < 0x20 && byte(lexer) != '\t') || byte(lexer) == 0x7f) {
			return refuse_control(lexer, diag);
		}
		lexer->at += len;
	}
	return 0;
}

/* At a newline: go behind it. */
static int next_line(struct lexer *lexer, struct diag *diag)
{
	if (lexer->at - lexer->line_start > LEXER_LINE_MAX) {
		int r;

		lexer->at = lexer->line_start + LEXER_LINE_MAX;
		r = FAIL(lexer, diag, "this line is longer than %d bytes", LEXER_LINE_MAX);
		diag_hint(diag, "a list goes on in the next line after a comma, anything else "
				"after a backslash");
		return r;
	}
	lexer->at++;
	lexer->line++;
	lexer->line_start = lexer->at;
	return 0;
}

static int continue_line(struct lexer *lexer, struct diag *diag)
{
	int r;

	if (lexer->at + 1 < lexer->len && lexer->text[lexer->at + 1] == '\n') {
		lexer->at++;
		return next_line(lexer, diag);
	}
	r = FAIL(lexer, diag, "a backslash that is not the last character of its line");
	diag_hint(diag, "nothing may follow it, not even a blank or a comment");
	return r;
}

/*
 * Go to the next token, over everything that is none. *ret_newline: what follows is the newline
 * that ends a statement.
 */
static int skip(struct lexer *lexer, struct diag *diag, bool *ret_newline)
{
	int r = 0;

	*ret_newline = false;
	while (r == 0 && !at_end(lexer)) {
		if (is_blank(byte(lexer))) {
			lexer->at++;
		} else if (byte(lexer) == '#') {
			r = skip_comment(lexer, diag);
		} else if (byte(lexer) == '\\') {
			r = continue_line(lexer, diag);
		} else if (byte(lexer) == '\n') {
			if (lexer->open && !lexer->after_comma) {
				*ret_newline = true;
				return 0;
			}
			if (lexer->after_comma && !lexer->comma_line)
				lexer->comma_line = lexer->line + 1;
			r = next_line(lexer, diag);
		} else {
			return 0;
		}
	}
	return r;
}

/* A file that lacks its last newline may have been cut short, and "tcp 80" may have been
 * "tcp 8080": what was not read to its end is not obeyed. */
static int end(const struct lexer *lexer, struct diag *diag)
{
	int r;

	if (lexer->open && lexer->len && lexer->text[lexer->len - 1] == '\n')
		return FAIL(lexer, diag, "the file ends in the middle of a statement");
	if (lexer->len && lexer->text[lexer->len - 1] != '\n') {
		r = FAIL(lexer, diag, "the last line has no newline at its end");
		diag_hint(diag,
			  "the file may have been cut short; if it is whole, add the newline");
		return r;
	}
	return 0;
}

static int refuse_byte(const struct lexer *lexer, struct diag *diag)
{
	int r;

	if (byte(lexer) < 0x80)
		return refuse_control(lexer, diag);
	r = FAIL(lexer, diag, "a byte that is not ASCII (0x%02x), outside a comment", byte(lexer));
	if (lexer->len - lexer->at >= 3 && memcmp(lexer->text + lexer->at, "\xef\xbb\xbf", 3) == 0)
		diag_hint(diag, "this is a byte order mark; save the file as UTF-8 without it");
	return r;
}

int lexer_next(struct lexer *lexer, struct diag *diag, struct token *ret_token)
{
	struct token token = {0};
	bool newline;
	int r;

	r = skip(lexer, diag, &newline);
	if (r < 0)
		return r;
	token.place = here(lexer);
	token.text = lexer->text + lexer->at;
	token.comma_line = lexer->comma_line;
	if (at_end(lexer)) {
		r = end(lexer, diag);
		if (r < 0)
			return r;
	} else if (newline) {
		token.kind = TOKEN_NEWLINE;
		r = next_line(lexer, diag);
		if (r < 0)
			return r;
	} else if (byte(lexer) == ',' || byte(lexer) == '=') {
		token.kind = byte(lexer) == ',' ? TOKEN_COMMA : TOKEN_EQUALS;
		token.len = 1;
		lexer->at++;
	} else if (is_word(byte(lexer))) {
		token.kind = TOKEN_WORD;
		while (!at_end(lexer) && is_word(byte(lexer)))
			lexer->at++;
		token.len = (size_t)(lexer->text + lexer->at - token.text);
	} else {
		return refuse_byte(lexer, diag);
	}
	lexer->open = token.kind != TOKEN_NEWLINE && token.kind != TOKEN_END;
	lexer->after_comma = token.kind == TOKEN_COMMA;
	lexer->comma_line = 0;
	*ret_token = token;
	return 0;
}
