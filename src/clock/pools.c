/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "pools.h"

#include <stdlib.h>
#include <string.h>

struct parser {
	const char *file;
	unsigned line;
	struct diag *diag;
	struct pools *pools;
};

static int fail(struct parser *parser, const char *message, const char *hint)
{
	diag_set(parser->diag, parser->file, parser->line, 0, "%s", message);
	if (hint)
		diag_hint(parser->diag, "%s", hint);
	return -EINVAL;
}

/* The next word of @rest, which moves behind it and the blanks that follow; "" at the end. */
static const char *next_word(char **rest)
{
	char *word = *rest;
	size_t length = strcspn(word, " \t");

	*rest = word + length;
	if (**rest) {
		**rest = '\0';
		++*rest;
		*rest += strspn(*rest, " \t");
	}
	return word;
}

/* Letters, digits, '-' and '.', as in a name that is looked up; labels of 1 to 63 bytes. An address is
 * none: no certificate would be for it. */
static bool is_host(const char *name)
{
	size_t label = 0, dots = 0;
	bool letter = false;

	if (strlen(name) >= POOLS_NAME_MAX)
		return false;
	for (const char *c = name; *c; c++) {
		bool low = *c >= 'a' && *c <= 'z';

		if (*c == '.') {
			if (label == 0 || c[-1] == '-')
				return false;
			label = 0;
			dots++;
			continue;
		}
		if (!low && !(*c >= '0' && *c <= '9') && !(*c == '-' && label > 0))
			return false;
		letter |= low;
		if (++label > 63)
			return false;
	}
	return label > 0 && dots > 0 && letter && name[strlen(name) - 1] != '-';
}

static bool is_path(const char *path)
{
	if (path[0] != '/' || strlen(path) >= POOLS_PATH_MAX)
		return false;
	return strspn(path, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-") ==
	       strlen(path);
}

static bool is_taken(const struct pools *pools, const char *host)
{
	for (unsigned i = 0; i < pools->count; i++)
		for (unsigned j = 0; j < pools->pools[i].count; j++)
			if (strcmp(pools->pools[i].hosts[j], host) == 0)
				return true;
	return false;
}

static int finish_pool(struct parser *parser)
{
	const struct pools *pools = parser->pools;

	if (pools->count > 0 && pools->pools[pools->count - 1].count < POOLS_HOSTS_MIN)
		return fail(parser, "the pool before has too few hosts", "a pool has two at least");
	return 0;
}

static int parse_pool(struct parser *parser, char *rest)
{
	struct pools *pools = parser->pools;
	const char *name = next_word(&rest);
	int r = finish_pool(parser);

	if (r < 0)
		return r;
	if (!*name || strlen(name) >= sizeof(pools->pools[0].name) || *rest)
		return fail(parser, "a pool needs one short name", NULL);
	if (pools->count == RECORD_POOLS_MAX)
		return fail(parser, "there are too many pools", NULL);
	memcpy(pools->pools[pools->count++].name, name, strlen(name) + 1);
	return 0;
}

static int parse_host(struct parser *parser, char *rest)
{
	struct pools *pools = parser->pools;
	const char *name = next_word(&rest);
	struct pool *pool;

	if (pools->count == 0)
		return fail(parser, "a host before the first pool", "write a line `pool NAME` first");
	if (!is_host(name) || *rest)
		return fail(parser, "this is no name of a host",
			    "write it in lower case, with a dot, and nothing behind it");
	if (is_taken(pools, name))
		return fail(parser, "this host is in a pool already",
			    "one host in two pools has two votes");
	pool = &pools->pools[pools->count - 1];
	if (pool->count == RECORD_HOSTS_MAX)
		return fail(parser, "the pool has too many hosts", NULL);
	memcpy(pool->hosts[pool->count++], name, strlen(name) + 1);
	return 0;
}

static int parse_portal(struct parser *parser, char *rest)
{
	struct pools *pools = parser->pools;
	const char *host = next_word(&rest), *path = next_word(&rest);
	struct pools_portal *portal;

	if (pools->portal_count == POOLS_PORTALS_MAX)
		return fail(parser, "there are too many portals", NULL);
	if (!is_host(host) || !is_path(path) || !*rest || strlen(rest) >= POOLS_TEXT_MAX)
		return fail(parser, "a portal needs a host, a path, and what the page begins with",
			    NULL);
	portal = &pools->portals[pools->portal_count++];
	memcpy(portal->host, host, strlen(host) + 1);
	memcpy(portal->path, path, strlen(path) + 1);
	memcpy(portal->text, rest, strlen(rest) + 1);
	return 0;
}

/* @line is taken to pieces. */
static int parse_line(struct parser *parser, char *line)
{
	char *rest = line + strspn(line, " \t");
	const char *statement;

	rest[strcspn(rest, "#")] = '\0';
	for (size_t end = strlen(rest); end > 0 && strchr(" \t", rest[end - 1]); end--)
		rest[end - 1] = '\0';
	for (const char *c = rest; *c; c++)
		if (((unsigned char)*c < ' ' && *c != '\t') || (unsigned char)*c >= 0x7f)
			return fail(parser, "a byte that is no printable ASCII", NULL);
	if (!*rest)
		return 0;
	statement = next_word(&rest);
	if (strcmp(statement, "pool") == 0)
		return parse_pool(parser, rest);
	if (strcmp(statement, "host") == 0)
		return parse_host(parser, rest);
	if (strcmp(statement, "portal") == 0)
		return parse_portal(parser, rest);
	return fail(parser, "no such statement", "there are: pool, host, portal");
}

static int parse_lines(struct parser *parser, char *text)
{
	int r = 0;

	while (*text && r == 0) {
		char *end = text + strcspn(text, "\n"), *next = *end ? end + 1 : end;

		*end = '\0';
		parser->line++;
		r = parse_line(parser, text);
		text = next;
	}
	if (r == 0)
		r = finish_pool(parser);
	if (r == 0 && parser->pools->count < POOLS_MIN)
		return fail(parser, "there are too few pools",
			    "with three, a majority tells the truth when one lies");
	if (r == 0 && parser->pools->portal_count == 0)
		return fail(parser, "there is no portal", NULL);
	return r;
}

int pools_parse(const char *file, const char *text, struct diag *diag, struct pools **ret_pools)
{
	AUTO_FREE struct pools *pools = calloc(1, sizeof(*pools));
	struct parser parser = {.file = file, .diag = diag, .pools = pools};
	AUTO_FREE char *copy = NULL;
	int r;

	if (strlen(text) > POOLS_BYTES_MAX)
		return fail(&parser, "the file is too long", NULL);
	copy = strdup(text);
	if (!pools || !copy)
		return -ENOMEM;
	r = parse_lines(&parser, copy);
	if (r == 0)
		*ret_pools = TAKE_PTR(pools);
	return r;
}

unsigned pools_share(unsigned hosts)
{
	return (hosts + 1) / 2;
}

unsigned pools_choose(unsigned count, uint64_t asked, pools_random *random, void *data)
{
	unsigned left = 0, wanted;

	for (unsigned i = 0; i < count; i++)
		left += !(asked >> i & 1);
	wanted = random(data, left);
	for (unsigned i = 0; i < count; i++)
		if (!(asked >> i & 1) && wanted-- == 0)
			return i;
	return 0;
}
