/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A policy as it is written: statements of words, not yet of users, networks and services. The
 * parser fills it, resolve.h gives it meaning. Everything that varies in length lies in a pool
 * that all statements share, so that releasing it is one step.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/cleanup.h>

#include "policy.h"

/* Far above any real policy; they keep a hostile or generated file from taking all memory. */
#define AST_STATEMENTS_MAX (1u << 18)
#define AST_WORDS_MAX      (1u << 21)

enum statement_kind {
	STATEMENT_NONE = 0,
	STATEMENT_HEADER, /* lethe-policy 1 */
	STATEMENT_DEFAULT,
	STATEMENT_IPV6,
	STATEMENT_NETWORK,
	STATEMENT_ALLOW_NETWORK,
	STATEMENT_ALLOW_SERVICE,
	STATEMENT_ALLOW_LOOPBACK,
	STATEMENT_FORBID,
	STATEMENT_LAN,
	STATEMENT_SERVICE,
	STATEMENT_AUTOMAP,
	STATEMENT_NAMESPACE,
	STATEMENT_LINK,
	STATEMENT_INCLUDE,
};

/* A run of entries in one of the pools. */
struct span {
	size_t first, count;
};

struct ast_word {
	const char *text; /* in the file's text; not terminated */
	size_t len;
	struct policy_place place;
};

struct ast_ports {
	struct policy_ports ports;
	struct policy_place place;
};

struct ast_traffic {
	enum policy_protocol protocol;
	struct span ports; /* none: every port */
	struct policy_place place;
};

/* Which fields a statement uses follows from its kind. */
struct statement {
	enum statement_kind kind;
	struct policy_place place;
	struct ast_word name; /* what is named: a network, service, namespace, directory */
	struct span users;    /* words */
	struct span servers;  /* words: by USER, ... */
	struct span items;    /* words: a network's terms, the services granted */
	struct span except;   /* words: a network's excepted terms */
	struct span traffic;  /* traffic; of `lan`, what is excepted */
	struct span ports;    /* ports: a service's, automap's, those excepted from loopback */
	enum policy_protocol protocol; /* a service's */
	enum policy_link_kind link;
	bool kernel; /* link */
	bool open;   /* lan */
};

struct ast {
	struct statement *statements;
	size_t statement_count;
	struct ast_word *words;
	size_t word_count;
	struct ast_traffic *traffic;
	size_t traffic_count;
	struct ast_ports *ports;
	size_t port_count;
};

void ast_done(struct ast *ast);

/* The entries of a span; NULL for an empty one, whose pool may not exist at all. */
static inline const struct ast_word *ast_words(const struct ast *ast, struct span span)
{
	return span.count ? &ast->words[span.first] : NULL;
}

static inline const struct ast_ports *ast_ports(const struct ast *ast, struct span span)
{
	return span.count ? &ast->ports[span.first] : NULL;
}

static inline const struct ast_traffic *ast_traffic(const struct ast *ast, struct span span)
{
	return span.count ? &ast->traffic[span.first] : NULL;
}
