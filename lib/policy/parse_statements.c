/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The statements of the language, one function each. */
#include "parse.h"

#include <string.h>

#include "names.h"

static const char a_user[] = "a user's name or number";
static const char a_network[] = "a network's name";
static const char a_service[] = "a service's name";

static int parse_header(struct parser *parser, struct statement *statement)
{
	statement->kind = STATEMENT_HEADER;
	if (!parser_at(parser, "1")) {
		int r = parser_fail(parser, "version %s of the policy language is not known",
				    parser_show(parser).text);

		diag_hint(parser->diag, "this program reads version 1: lethe-policy 1");
		return r;
	}
	return parser_advance(parser);
}

static int parse_default(struct parser *parser, struct statement *statement)
{
	statement->kind = STATEMENT_DEFAULT;
	if (!parser_at(parser, "drop")) {
		int r = parser_fail(parser,
				    "the default is %s: a policy that does not drop by "
				    "default cannot be written",
				    parser_show(parser).text);

		diag_hint(parser->diag, "write \"default drop\", and allow what is needed");
		return r;
	}
	return parser_advance(parser);
}

static int parse_ipv6(struct parser *parser, struct statement *statement)
{
	statement->kind = STATEMENT_IPV6;
	if (!parser_at(parser, "blocked")) {
		int r = parser_fail(parser,
				    "IPv6 is %s: a policy that does not block it cannot "
				    "be written",
				    parser_show(parser).text);

		diag_hint(parser->diag, "write \"ipv6 blocked\"");
		return r;
	}
	return parser_advance(parser);
}

/* network NAME = TERM, ... [except TERM, ...] */
static int parse_network(struct parser *parser, struct statement *statement)
{
	bool except;
	int r;

	statement->kind = STATEMENT_NETWORK;
	r = parser_name(parser, a_network, &statement->name);
	if (r < 0)
		return r;
	if (parser->token.kind != TOKEN_EQUALS)
		return parser_fail(parser, "expected \"=\" after the network's name, found %s",
				   parser_show(parser).text);
	r = parser_advance(parser);
	if (r < 0)
		return r;
	r = parser_list(parser, "an address, a prefix or a network's name", &statement->items);
	if (r < 0)
		return r;
	r = parser_accept(parser, "except", &except);
	if (r < 0 || !except)
		return r;
	return parser_list(parser, "an address, a prefix or a network's name", &statement->except);
}

/* ... loopback over tcp [except PORT ...] */
static int parse_allow_loopback(struct parser *parser, struct statement *statement)
{
	enum policy_protocol protocol;
	struct policy_place place;
	bool except;
	int r;

	statement->kind = STATEMENT_ALLOW_LOOPBACK;
	r = parser_expect(parser, "over", "\"loopback\"");
	if (r < 0)
		return r;
	place = parser->token.place;
	r = parser_protocol(parser, &protocol);
	if (r < 0)
		return r;
	if (protocol != POLICY_TCP) {
		r = parser_fail_at(parser, &place, "loopback can only be opened for tcp");
		diag_hint(parser->diag, "for udp, state a service and who may use it");
		return r;
	}
	r = parser_accept(parser, "except", &except);
	if (r < 0 || !except)
		return r;
	r = parser_port_list(parser, &statement->ports);
	if (r == 0 && statement->ports.count == 0)
		return parser_fail(parser, "expected ports after \"except\", found %s",
				   parser_show(parser).text);
	return r;
}

/* allow USER, ... to NET over TRAFFIC, ... | to service NAME, ... | to loopback ... */
static int parse_allow(struct parser *parser, struct statement *statement)
{
	bool found;
	int r;

	r = parser_list(parser, a_user, &statement->users);
	if (r < 0)
		return r;
	r = parser_expect(parser, "to", "the users");
	if (r < 0)
		return r;
	r = parser_accept(parser, "loopback", &found);
	if (r < 0)
		return r;
	if (found)
		return parse_allow_loopback(parser, statement);
	r = parser_accept(parser, "service", &found);
	if (r < 0)
		return r;
	if (found) {
		statement->kind = STATEMENT_ALLOW_SERVICE;
		return parser_list(parser, a_service, &statement->items);
	}
	statement->kind = STATEMENT_ALLOW_NETWORK;
	r = parser_word(parser, "a network, \"service\" or \"loopback\"", &statement->name);
	if (r < 0)
		return r;
	r = parser_expect(parser, "over", "the network");
	if (r < 0)
		return r;
	return parser_traffic(parser, &statement->traffic);
}

/* forbid USER, ... to loopback */
static int parse_forbid(struct parser *parser, struct statement *statement)
{
	int r;

	statement->kind = STATEMENT_FORBID;
	r = parser_list(parser, a_user, &statement->users);
	if (r < 0)
		return r;
	r = parser_expect(parser, "to", "the users");
	if (r < 0)
		return r;
	if (!parser_at(parser, "loopback")) {
		r = parser_fail(parser, "only loopback can be forbidden, not %s",
				parser_show(parser).text);
		diag_hint(parser->diag, "everything else is forbidden unless it is allowed");
		return r;
	}
	return parser_advance(parser);
}

/* lan NETWORK open|closed [except TRAFFIC, ...] */
static int parse_lan(struct parser *parser, struct statement *statement)
{
	bool found;
	int r;

	statement->kind = STATEMENT_LAN;
	r = parser_word(parser, a_network, &statement->name);
	if (r < 0)
		return r;
	r = parser_accept(parser, "open", &found);
	if (r < 0)
		return r;
	statement->open = found;
	if (!found) {
		if (!parser_at(parser, "closed"))
			return parser_fail(parser, "the LAN is \"open\" or \"closed\", not %s",
					   parser_show(parser).text);
		r = parser_advance(parser);
		if (r < 0)
			return r;
	}
	r = parser_accept(parser, "except", &found);
	if (r < 0 || !found)
		return r;
	return parser_traffic(parser, &statement->traffic);
}

/* ... [by USER, ...] for USER, ... */
static int parse_service_users(struct parser *parser, struct statement *statement)
{
	struct policy_place place = parser->token.place;
	bool by;
	int r;

	r = parser_accept(parser, "by", &by);
	if (r < 0)
		return r;
	if (by && statement->protocol == POLICY_TCP) {
		r = parser_fail_at(parser, &place, "\"by\" is for udp services only");
		diag_hint(parser->diag, "who answers on TCP need not be said: an answer belongs "
					"to a connection");
		return r;
	}
	if (!by && statement->protocol == POLICY_UDP) {
		r = parser_fail(parser, "a udp service needs \"by USER\" before %s",
				parser_show(parser).text);
		diag_hint(parser->diag, "name who runs the server: its answers are packets that "
					"must be allowed too");
		return r;
	}
	if (by) {
		r = parser_list(parser, a_user, &statement->servers);
		if (r < 0)
			return r;
	}
	r = parser_expect(parser, "for", by ? "the servers" : "the ports");
	if (r < 0)
		return r;
	return parser_list(parser, a_user, &statement->users);
}

/* service NAME tcp|udp PORT|LOW-HIGH [by USER, ...] for USER, ... */
static int parse_service(struct parser *parser, struct statement *statement)
{
	struct policy_place place;
	int r;

	statement->kind = STATEMENT_SERVICE;
	r = parser_name(parser, a_service, &statement->name);
	if (r < 0)
		return r;
	place = parser->token.place;
	r = parser_protocol(parser, &statement->protocol);
	if (r < 0)
		return r;
	if (statement->protocol == POLICY_ICMP)
		return parser_fail_at(parser, &place, "a service is tcp or udp");
	r = parser_port_list(parser, &statement->ports);
	if (r < 0)
		return r;
	if (statement->ports.count == 0)
		return parser_fail(parser, "expected a port after the protocol, found %s",
				   parser_show(parser).text);
	if (statement->ports.count > 1) {
		r = parser_fail_at(parser, &parser->ast->ports[statement->ports.first + 1].place,
				   "a service has one port or one range of ports");
		diag_hint(parser->diag, "state one service for each");
		return r;
	}
	return parse_service_users(parser, statement);
}

/* automap PREFIX to PORT for USER, ... */
static int parse_automap(struct parser *parser, struct statement *statement)
{
	int r;

	statement->kind = STATEMENT_AUTOMAP;
	r = parser_word(parser, "a prefix", &statement->name);
	if (r < 0)
		return r;
	r = parser_expect(parser, "to", "the prefix");
	if (r < 0)
		return r;
	r = parser_port_list(parser, &statement->ports);
	if (r < 0)
		return r;
	if (statement->ports.count == 0)
		return parser_fail(parser, "expected a port after \"to\", found %s",
				   parser_show(parser).text);
	if (statement->ports.count > 1 || parser->ast->ports[statement->ports.first].ports.low !=
					      parser->ast->ports[statement->ports.first].ports.high)
		return parser_fail_at(parser, &parser->ast->ports[statement->ports.first].place,
				      "the transparent proxy has one port");
	r = parser_expect(parser, "for", "the port");
	if (r < 0)
		return r;
	return parser_list(parser, a_user, &statement->users);
}

/* namespace NAME as USER */
static int parse_namespace(struct parser *parser, struct statement *statement)
{
	int r;

	statement->kind = STATEMENT_NAMESPACE;
	r = parser_name(parser, "a namespace's name", &statement->name);
	if (r < 0)
		return r;
	r = parser_expect(parser, "as", "the namespace's name");
	if (r < 0)
		return r;
	r = parser_list(parser, a_user, &statement->users);
	if (r == 0 && statement->users.count > 1)
		return parser_fail_at(parser, &parser->ast->words[statement->users.first + 1].place,
				      "one user carries a namespace's traffic");
	return r;
}

/* Take "kernel" out of the list of users: it is the last word of the pool or moves there. */
static int take_kernel(struct parser *parser, struct statement *statement)
{
	struct ast_word *words = parser->ast->words + statement->users.first;
	size_t kept = 0;

	for (size_t i = 0; i < statement->users.count; i++) {
		if (words[i].len != strlen("kernel") ||
		    memcmp(words[i].text, "kernel", words[i].len) != 0) {
			words[kept++] = words[i];
			continue;
		}
		if (statement->link != POLICY_LINK_ARP)
			return parser_fail_at(parser, &words[i].place,
					      "only ARP is sent by the kernel itself");
		if (statement->kernel)
			return parser_fail_at(parser, &words[i].place,
					      "\"kernel\" is listed twice");
		statement->kernel = true;
	}
	statement->users.count = kept;
	return 0;
}

/* link arp|dhcp|eapol for kernel|USER, ... */
static int parse_link(struct parser *parser, struct statement *statement)
{
	static const char *const kinds[POLICY_LINK_KINDS] = {
	    [POLICY_LINK_ARP] = "arp",
	    [POLICY_LINK_DHCP] = "dhcp",
	    [POLICY_LINK_EAPOL] = "eapol",
	};
	size_t kind = 0;
	int r;

	statement->kind = STATEMENT_LINK;
	while (kind < POLICY_LINK_KINDS && !parser_at(parser, kinds[kind]))
		kind++;
	if (kind == POLICY_LINK_KINDS)
		return parser_fail(parser, "a link needs arp, dhcp or eapol, not %s",
				   parser_show(parser).text);
	statement->link = (enum policy_link_kind)kind;
	r = parser_advance(parser);
	if (r < 0)
		return r;
	r = parser_expect(parser, "for", "the kind of frame");
	if (r < 0)
		return r;
	r = parser_list(parser, a_user, &statement->users);
	if (r < 0)
		return r;
	return take_kernel(parser, statement);
}

/* include DIRECTORY */
static int parse_include(struct parser *parser, struct statement *statement)
{
	statement->kind = STATEMENT_INCLUDE;
	return parser_word(parser, "a directory", &statement->name);
}

/* A drop-in comes with a package, which may add networks, grants and services, but must not change
 * what holds for everybody. */
static const struct keyword {
	const char *word;
	int (*parse)(struct parser *parser, struct statement *statement);
	bool dropin;
} statements[] = {
    {"lethe-policy", parse_header, false},
    {"default", parse_default, false},
    {"ipv6", parse_ipv6, false},
    {"network", parse_network, true},
    {"allow", parse_allow, true},
    {"forbid", parse_forbid, true},
    {"lan", parse_lan, false},
    {"service", parse_service, true},
    {"automap", parse_automap, false},
    {"namespace", parse_namespace, false},
    {"link", parse_link, false},
    {"include", parse_include, false},
};

static int refuse_word(struct parser *parser)
{
	char wrong[POLICY_NAME_MAX + 1] = "";
	struct suggestion suggestion = {.wrong = wrong};
	int r;

	if (parser->token.kind == TOKEN_WORD && parser->token.len <= POLICY_NAME_MAX)
		memcpy(wrong, parser->token.text, parser->token.len);
	for (size_t i = 0; i < ARRAY_SIZE(statements); i++)
		suggest_offer(&suggestion, statements[i].word);
	r = parser_fail(parser, "no statement begins with %s", parser_show(parser).text);
	if (suggestion.best[0])
		diag_hint(parser->diag, "did you mean \"%s\"?", suggestion.best);
	else if (!parser->token.comma_line)
		diag_hint(parser->diag, "statements are network, allow, forbid, lan, service, "
					"automap, namespace, link, include, default and ipv6");
	return r;
}

int parser_statement(struct parser *parser, struct statement *statement)
{
	const struct keyword *keyword = statements;
	int r;

	if (!parser->dropin && !parser->header && !parser_at(parser, "lethe-policy")) {
		r = parser_fail(parser, "the policy begins with %s, not with \"lethe-policy 1\"",
				parser_show(parser).text);
		diag_hint(parser->diag, "the first statement names the version of the language");
		return r;
	}
	while (!parser_at(parser, keyword->word))
		if (++keyword == statements + ARRAY_SIZE(statements))
			return refuse_word(parser);
	if (parser->dropin && !keyword->dropin) {
		r = parser_fail(parser, "\"%s\" may not stand in a drop-in", keyword->word);
		diag_hint(parser->diag, "a drop-in may hold network, allow, forbid and service; "
					"the rest belongs in the main file");
		return r;
	}
	if (parser->header && keyword->parse == parse_header)
		return parser_fail(parser, "\"lethe-policy\" is stated twice");
	parser->header = true;
	r = parser_advance(parser);
	if (r < 0)
		return r;
	return keyword->parse(parser, statement);
}
