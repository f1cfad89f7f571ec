/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What of this computer's network the namespace depends on, and how it is joined to it. Pure, but
 * for uplink_addresses(). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/cleanup.h>

#define UPLINK_ROUTES_MAX    (1u << 20) /* bytes of /proc/net/route that are read */
#define UPLINK_DEVICE_MAX    16         /* IFNAMSIZ */
#define UPLINK_ADDRESSES_MAX 1024
#define UPLINK_ARGUMENTS_MAX 40

/* IPv4 addresses in network order, sorted as numbers, none twice. */
struct uplink_addresses {
	uint32_t list[UPLINK_ADDRESSES_MAX];
	size_t count;
};

/* The device of the default route with the least metric, from the text of /proc/net/route. Returns
 * 0, -ENOENT (there is no default route), or -EBADMSG. */
MUST_CHECK int uplink_device(const char *routes, char ret_device[static UPLINK_DEVICE_MAX]);

/* This computer's own addresses, but for 127.0.0.0/8, which no device of the namespace carries.
 * Returns 0, -E2BIG, or -errno. */
MUST_CHECK int uplink_addresses(struct uplink_addresses *ret_addresses);

/* Those of @all that are not in @but. */
void uplink_difference(const struct uplink_addresses *all, const struct uplink_addresses *but,
		       struct uplink_addresses *ret_rest);

struct uplink_join {
	const char *program; /* pasta */
	const char *device;
	const char *net, *user; /* paths of the namespaces */
	bool udp;
};

/* pasta's arguments, ended by NULL; they point into @join. Returns how many there are. */
size_t uplink_arguments(const struct uplink_join *join,
			const char *ret_arguments[static UPLINK_ARGUMENTS_MAX]);
