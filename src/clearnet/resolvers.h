/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The resolvers that a network offers, as programs in the namespaces are told them. Pure, but for
 * resolvers_write(). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <base/buf.h>
#include <base/cleanup.h>

#define RESOLVERS_MAX      3 /* resolv.conf(5) knows no more */
#define RESOLVERS_TEXT_MAX 96

struct resolvers {
	uint32_t list[RESOLVERS_MAX]; /* IPv4, network order, in the order of use */
	size_t count;
};

/* Add those in @text, IPv4 addresses with blanks between: what a DHCP server sent comes so. What is
 * no address, or no other host's (0.0.0.0/8, loopback, a group, a broadcast), is passed over, and
 * so are doubles and what is more than RESOLVERS_MAX. */
void resolvers_add(struct resolvers *resolvers, const char *text);

/* The same for those of @others. */
void resolvers_join(struct resolvers *resolvers, const struct resolvers *others);

/* The text of a resolv.conf(5); "" without any. */
void resolvers_print(const struct resolvers *resolvers, struct buf *out);

/*
 * Put @text, of RESOLVERS_TEXT_MAX bytes at most, into resolv.conf in the open folder @folder. It
 * stays the same file, because namespaces have it mounted: one that takes its place would not be
 * seen there. It is emptied first, and what is put in has always the same length (with empty lines
 * at its end), in one piece. So who reads it meanwhile, in one piece or two, has the older text,
 * the new one or none, and never the end of one behind the beginning of the other. Returns 0 or
 * -errno; then it is empty, or cannot be written to at all.
 */
MUST_CHECK int resolvers_write(int folder, const char *text);
