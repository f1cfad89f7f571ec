/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a pluggable transport says on its standard output, and how it becomes ready: the managed
 * transports of Tor's pt-spec (section 3.3), version 1, for a client with one method. Pure: no I/O.
 *
 * The transport is a large program that talks to strangers, so that what it says is taken for
 * nothing but the port it listens at. Its own words (errors, log, status) may hold addresses: they
 * are counted and dropped here, and go nowhere.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/cleanup.h>

#define PT_NAME_MAX  32   /* bytes of a transport's name */
#define PT_LINE_MAX  1024 /* bytes of a line, without its end; a longer one is a fault */
#define PT_LINES_MAX 256  /* lines until it is ready; more are a fault */

enum pt_kind {
	PT_OTHER = 0, /* a word that the specification does not know: passed over, as it asks */
	PT_VERSION,
	PT_VERSION_ERROR,
	PT_ENV_ERROR,
	PT_PROXY_DONE,
	PT_PROXY_ERROR,
	PT_CMETHOD,       /* has name and port */
	PT_CMETHOD_ERROR, /* has name */
	PT_CMETHODS_DONE,
	PT_LOG,
	PT_STATUS,
};

struct pt_line {
	enum pt_kind kind;
	char name[PT_NAME_MAX + 1];
	uint16_t port; /* on 127.0.0.1 */
};

/*
 * Read one line of @length bytes, without its end. Returns 0; -EBADMSG (it begins with a word of
 * the specification and goes on otherwise: another version, another kind of proxy than SOCKS 5,
 * another address than 127.0.0.1, a port that is none, a name with other letters than a transport
 * has).
 */
MUST_CHECK int pt_line_parse(const char *text, size_t length, struct pt_line *ret_line);

enum pt_state {
	PT_FAILED = 0,
	PT_STARTING,   /* it has to say which version it speaks */
	PT_NEGOTIATED, /* and then where it listens */
	PT_READY,
};

enum pt_fault {
	PT_MALFORMED = 0, /* it says what the specification does not allow */
	PT_REFUSED,       /* it says that it cannot */
	PT_TOO_MUCH,      /* a line, or the number of lines, is beyond the limits */
};

struct pt {
	const char *name; /* borrowed: the method that it was asked for */
	enum pt_state state;
	enum pt_fault fault; /* of PT_FAILED */
	uint16_t port;       /* 0 until it is known; to be used in PT_READY alone */
	unsigned lines;
	size_t length;
	char line[PT_LINE_MAX];
};

void pt_begin(struct pt *pt, const char *name);

/* Take @length bytes that it said; in which pieces they come changes nothing. Once it is ready, or
 * has failed, what it says is dropped unread. Returns the state. */
enum pt_state pt_feed(struct pt *pt, const char *data, size_t length);
