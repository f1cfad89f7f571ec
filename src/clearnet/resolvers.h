/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The resolvers that a network offers, as programs in the namespaces are told them. Pure, but for
 * resolvers_write(). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <base/buf.h>
#include <base/cleanup.h>

#define RESOLVERS_MAX      3 /* resolv.conf(5) knows no more */
#define RESOLVERS_TEXT_MAX 256

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

/* Put @text at resolv.conf in the open folder @folder, whole or not at all. Returns 0 or -errno. */
MUST_CHECK int resolvers_write(int folder, const char *text);
