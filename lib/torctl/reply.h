/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What Tor says on its control port (control-spec, "Replies"), read piece by piece: no byte is
 * trusted, no input makes it grow past its limits, and how the bytes were cut into pieces changes
 * nothing.
 *
 *   250-version=0.4.8.16           more lines follow
 *   250+config-text=               a data block follows, ended by a line with a single dot
 *   250 OK                         the last line
 *   650 CIRC 7 LAUNCHED            an event: it may come between replies, never inside one
 *
 * Lines end in CR LF and in nothing else; a CR or LF alone and a NUL are errors, so that no two
 * readers can disagree about where a line ends.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <base/buf.h>

struct torctl_line {
	unsigned code;      /* 200 to 699 */
	char separator;     /* ' ' the last, '-' more follow, '+' with data */
	const char *text;   /* what follows the separator, without the line's end; never NULL */
	size_t text_length; /* in bytes; it holds no NUL */
	const char *data;   /* '+' only, else NULL: the lines of the block, each ended by LF, with
			     * the dots removed that Tor doubled */
	size_t data_length;
};

struct torctl_reply {
	const struct torctl_line *lines; /* at least one */
	size_t count;
	bool event; /* codes 6xx: nobody asked for it */
};

/* Zero means that nothing is taken at all. */
struct torctl_limits {
	size_t line_bytes; /* of one line, without its end */
	size_t lines;      /* of one reply, those of data blocks included */
	size_t bytes;      /* of one reply */
};

struct torctl_parser;

/* Returns 0 and the parser, to torctl_parser_free(), or -ENOMEM. */
MUST_CHECK int torctl_parser_new(const struct torctl_limits *limits,
				 struct torctl_parser **ret_parser);
struct torctl_parser *torctl_parser_free(struct torctl_parser *parser);
DEFINE_CLEANUP(struct torctl_parser *, torctl_parser_free)

/*
 * Take bytes up to the end of a reply at most: *ret_used says how many, and *ret_reply is that
 * reply, or NULL when more bytes are needed. The reply is the parser's, until the next call.
 * Returns 0; -EBADMSG (not a reply), -E2BIG (past a limit) or -ENOMEM, from then on always.
 */
MUST_CHECK int torctl_parser_feed(struct torctl_parser *parser, const char *bytes, size_t length,
				  size_t *ret_used, const struct torctl_reply **ret_reply);

/* Nothing of a reply was taken yet: the end of the connection here cuts nothing off. */
bool torctl_parser_between(const struct torctl_parser *parser);

/* The reply as Tor would send it. Errors stay in the buffer. */
void torctl_reply_write(const struct torctl_reply *reply, struct buf *out);
