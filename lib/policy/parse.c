/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "parse.h"

#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <base/num.h>

#include "grow.h"
#include "names.h"

/* Words that a name must not be, so that a reader never takes one for the other. */
static const char *const keywords[] = {
    "as", "by", "except", "for", "icmp", "loopback", "over", "service", "tcp", "to", "udp",
};

static struct shown show(const char *text, size_t len)
{
	struct shown shown;

	if (len > 64)
		snprintf(shown.text, sizeof(shown.text), "\"%.*s...\"", 61, text);
	else
		snprintf(shown.text, sizeof(shown.text), "\"%.*s\"", (int)len, text);
	return shown;
}

struct shown parser_show(const struct parser *parser)
{
	struct shown shown = {0};

	switch (parser->token.kind) {
	case TOKEN_END:
		snprintf(shown.text, sizeof(shown.text), "the end of the file");
		break;
	case TOKEN_NEWLINE:
		snprintf(shown.text, sizeof(shown.text), "the end of the line");
		break;
	case TOKEN_WORD:
	case TOKEN_COMMA:
	case TOKEN_EQUALS:
		shown = show(parser->token.text, parser->token.len);
		break;
	}
	return shown;
}

PRINTF(3, 0)
static void fail(struct parser *parser, const struct policy_place *place, const char *format,
		 va_list args)
{
	char message[DIAG_MESSAGE_MAX];

	vsnprintf(message, sizeof(message), format, args);
	diag_set(parser->diag, place->file, place->line, place->column, "%s", message);
}

int parser_fail_at(struct parser *parser, const struct policy_place *place, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fail(parser, place, format, args);
	va_end(args);
	return -EBADMSG;
}

/* A comma left over at the end of a line makes the next statement part of this one: say so. */
int parser_fail(struct parser *parser, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fail(parser, &parser->token.place, format, args);
	va_end(args);
	if (parser->token.comma_line)
		diag_hint(parser->diag,
			  "the comma at the end of line %u continues the statement here",
			  parser->token.comma_line);
	return -EBADMSG;
}

int parser_advance(struct parser *parser)
{
	return lexer_next(&parser->lexer, parser->diag, &parser->token);
}

bool parser_at(const struct parser *parser, const char *word)
{
	return parser->token.kind == TOKEN_WORD && parser->token.len == strlen(word) &&
	       memcmp(parser->token.text, word, parser->token.len) == 0;
}

int parser_accept(struct parser *parser, const char *word, bool *ret_found)
{
	bool found = parser_at(parser, word);
	int r = 0;

	if (found)
		r = parser_advance(parser);
	if (r == 0)
		*ret_found = found;
	return r;
}

int parser_expect(struct parser *parser, const char *word, const char *after)
{
	if (!parser_at(parser, word))
		return parser_fail(parser, "expected \"%s\" after %s, found %s", word, after,
				   parser_show(parser).text);
	return parser_advance(parser);
}

int parser_word(struct parser *parser, const char *what, struct ast_word *ret_word)
{
	struct ast_word word = {
	    .text = parser->token.text,
	    .len = parser->token.len,
	    .place = parser->token.place,
	};
	int r;

	if (parser->token.kind != TOKEN_WORD)
		return parser_fail(parser, "expected %s, found %s", what, parser_show(parser).text);
	r = parser_advance(parser);
	if (r == 0)
		*ret_word = word;
	return r;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

int parser_name(struct parser *parser, const char *what, struct ast_word *ret_word)
{
	struct ast_word word = {0};
	int r;

	r = parser_word(parser, what, &word);
	if (r < 0)
		return r;
	if (word.len > POLICY_NAME_MAX)
		return parser_fail_at(parser, &word.place, "%s is longer than %d bytes", what,
				      POLICY_NAME_MAX);
	for (size_t i = 0; i < word.len; i++)
		if (!is_letter(word.text[i]) &&
		    (i == 0 || (!is_digit(word.text[i]) && !strchr("-_.", word.text[i]))))
			return parser_fail_at(parser, &word.place,
					      "%s is %s: it must be a letter, then letters, "
					      "digits, \"-\", \"_\" and \".\"",
					      what, show(word.text, word.len).text);
	for (size_t i = 0; i < ARRAY_SIZE(keywords); i++)
		if (strlen(keywords[i]) == word.len &&
		    memcmp(keywords[i], word.text, word.len) == 0)
			return parser_fail_at(parser, &word.place,
					      "%s is \"%s\", a word of the language", what,
					      keywords[i]);
	*ret_word = word;
	return 0;
}

int parser_list(struct parser *parser, const char *what, struct span *ret_words)
{
	struct ast *ast = parser->ast;
	struct span words = {.first = ast->word_count};
	int r;

	for (;;) {
		struct ast_word word = {0};

		r = parser_word(parser, what, &word);
		if (r < 0)
			return r;
		if (ast->word_count >= AST_WORDS_MAX)
			return parser_fail_at(parser, &word.place, "the policy is too long");
		r = APPEND(ast->words, ast->word_count, &word);
		if (r < 0)
			return r;
		words.count++;
		if (parser->token.kind != TOKEN_COMMA)
			break;
		r = parser_advance(parser);
		if (r < 0)
			return r;
	}
	*ret_words = words;
	return 0;
}

/* @len bytes at @text, a part of @word, as a port. */
static int parse_port(struct parser *parser, const struct ast_word *word, const char *text,
		      size_t len, uint16_t *ret_port)
{
	const struct policy_place *place = &word->place;
	char number[24] = "";
	uint64_t port = 0;
	int r = -EINVAL;

	if (len < sizeof(number)) {
		memcpy(number, text, len);
		r = num_parse_u64(number, UINT16_MAX, &port);
	}
	if (r == -ERANGE)
		return parser_fail_at(parser, place, "there is no port %s: the last is 65535",
				      number);
	if (r < 0)
		return parser_fail_at(parser, place,
				      "%s is neither a port (1 to 65535) nor a range of ports",
				      show(word->text, word->len).text);
	if (port == 0) {
		diag_set(parser->diag, place->file, place->line, place->column,
			 "there is no port 0");
		diag_hint(parser->diag, "for every port of a protocol, name no port at all");
		return -EBADMSG;
	}
	*ret_port = (uint16_t)port;
	return 0;
}

int parser_ports(struct parser *parser, struct ast_ports *ret_ports)
{
	struct ast_ports ports = {.place = parser->token.place};
	struct ast_word word = {.text = parser->token.text, .len = parser->token.len};
	const char *dash;
	size_t low_len;
	int r;

	r = parser_word(parser, "a port or a range of ports", &word);
	if (r < 0)
		return r;
	dash = memchr(word.text, '-', word.len);
	low_len = dash ? (size_t)(dash - word.text) : word.len;
	r = parse_port(parser, &word, word.text, low_len, &ports.ports.low);
	ports.ports.high = ports.ports.low;
	if (r == 0 && dash)
		r = parse_port(parser, &word, dash + 1, word.len - low_len - 1, &ports.ports.high);
	if (r < 0)
		return r;
	if (ports.ports.high < ports.ports.low) {
		r = parser_fail_at(parser, &word.place, "the range %u-%u runs backwards",
				   ports.ports.low, ports.ports.high);
		diag_hint(parser->diag, "write %u-%u", ports.ports.high, ports.ports.low);
		return r;
	}
	*ret_ports = ports;
	return 0;
}

static bool at_number(const struct parser *parser)
{
	return parser->token.kind == TOKEN_WORD && is_digit(parser->token.text[0]);
}

int parser_port_list(struct parser *parser, struct span *ret_ports)
{
	struct ast *ast = parser->ast;
	struct span list = {.first = ast->port_count};
	int r;

	while (at_number(parser)) {
		struct ast_ports ports;

		r = parser_ports(parser, &ports);
		if (r < 0)
			return r;
		if (ast->port_count >= AST_WORDS_MAX)
			return parser_fail_at(parser, &ports.place, "the policy is too long");
		r = APPEND(ast->ports, ast->port_count, &ports);
		if (r < 0)
			return r;
		list.count++;
	}
	*ret_ports = list;
	return 0;
}

int parser_protocol(struct parser *parser, enum policy_protocol *ret_protocol)
{
	static const enum policy_protocol protocols[] = {POLICY_TCP, POLICY_UDP, POLICY_ICMP};
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		if (!parser_at(parser, policy_protocol_text(protocols[i])))
			continue;
		r = parser_advance(parser);
		if (r == 0)
			*ret_protocol = protocols[i];
		return r;
	}
	r = parser_fail(parser, "expected a protocol (tcp, udp or icmp), found %s",
			parser_show(parser).text);
	if (at_number(parser) && !parser->token.comma_line)
		diag_hint(parser->diag, "the protocol comes first, and its ports are separated by "
					"blanks: tcp 80 443");
	return r;
}

int parser_traffic(struct parser *parser, struct span *ret_traffic)
{
	struct ast *ast = parser->ast;
	struct span list = {.first = ast->traffic_count};
	int r;

	for (;;) {
		struct ast_traffic traffic = {.place = parser->token.place};

		r = parser_protocol(parser, &traffic.protocol);
		if (r < 0)
			return r;
		if (traffic.protocol == POLICY_ICMP && at_number(parser))
			return parser_fail(parser, "ICMP has no ports");
		r = parser_port_list(parser, &traffic.ports);
		if (r < 0)
			return r;
		r = APPEND(ast->traffic, ast->traffic_count, &traffic);
		if (r < 0)
			return r;
		list.count++;
		if (parser->token.kind != TOKEN_COMMA)
			break;
		r = parser_advance(parser);
		if (r < 0)
			return r;
	}
	*ret_traffic = list;
	return 0;
}

int parser_begin(struct parser *parser, struct ast *ast, const char *file, const char *text,
		 size_t len, bool dropin, struct diag *diag)
{
	*parser = (struct parser){
	    .lexer = {.file = file, .text = text, .len = len},
	    .ast = ast,
	    .diag = diag,
	    .dropin = dropin,
	};
	return parser_advance(parser);
}

int parser_next(struct parser *parser, bool *ret_more)
{
	struct statement statement = {.place = parser->token.place};
	struct ast *ast = parser->ast;
	int r;

	if (parser->token.kind == TOKEN_END) {
		if (!parser->dropin && !parser->header)
			return parser_fail(parser, "the policy is empty");
		*ret_more = false;
		return 0;
	}
	r = parser_statement(parser, &statement);
	if (r < 0)
		return r;
	if (parser->token.kind != TOKEN_NEWLINE)
		return parser_fail(parser, "the statement is complete before %s",
				   parser_show(parser).text);
	if (ast->statement_count >= AST_STATEMENTS_MAX)
		return parser_fail_at(parser, &statement.place, "the policy is too long");
	r = APPEND(ast->statements, ast->statement_count, &statement);
	if (r < 0)
		return r;
	r = parser_advance(parser);
	if (r == 0)
		*ret_more = true;
	return r;
}

void ast_done(struct ast *ast)
{
	free(ast->statements);
	free(ast->words);
	free(ast->traffic);
	free(ast->ports);
	*ast = (struct ast){0};
}
