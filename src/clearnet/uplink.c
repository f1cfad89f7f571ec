/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "uplink.h"

#include <assert.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <string.h>

static_assert(UPLINK_DEVICE_MAX == IF_NAMESIZE, "device names have the kernel's size");

/* ---- the default route ---- */

/* The next field of a line, ended by a tab or blanks. Returns its length; 0 at the line's end. */
static size_t field(const char **at, const char **ret_start)
{
	*at += strspn(*at, "\t ");
	*ret_start = *at;
	*at += strcspn(*at, "\t \n");
	return (size_t)(*at - *ret_start);
}

/* Digits of the base 10 or 16, at most 32 bits of value. */
static bool number(const char *text, size_t len, unsigned base, uint32_t *ret_value)
{
	uint64_t value = 0;

	if (len == 0 || len > 10)
		return false;
	for (size_t i = 0; i < len; i++) {
		const char *digits = "0123456789ABCDEF";
		const char *digit = memchr(digits, text[i], base);

		if (!digit)
			return false;
		value = value * base + (uint64_t)(digit - digits);
	}
	if (value > UINT32_MAX)
		return false;
	*ret_value = (uint32_t)value;
	return true;
}

struct route {
	char device[UPLINK_DEVICE_MAX];
	uint32_t destination, flags, metric, mask;
};

/* Iface Destination Gateway Flags RefCnt Use Metric Mask ...; hexadecimal but for counts and
 * metric. */
static bool route_read(const char *line, struct route *ret_route)
{
	static const unsigned bases[] = {16, 16, 16, 10, 10, 10, 16};
	uint32_t values[ARRAY_SIZE(bases)];
	const char *start;
	size_t len = field(&line, &start);

	if (len == 0 || len >= UPLINK_DEVICE_MAX)
		return false;
	memcpy(ret_route->device, start, len);
	ret_route->device[len] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(bases); i++) {
		len = field(&line, &start);
		if (!number(start, len, bases[i], &values[i]))
			return false;
	}
	ret_route->destination = values[0];
	ret_route->flags = values[2];
	ret_route->metric = values[5];
	ret_route->mask = values[6];
	return true;
}

int uplink_device(const char *routes, char ret_device[static UPLINK_DEVICE_MAX])
{
	struct route best = {.metric = UINT32_MAX}, route;
	const char *line = strchr(routes, '\n'); /* the first one is the heading */
	bool found = false;

	for (; line && line[1] != '\0'; line = strchr(line + 1, '\n')) {
		if (!route_read(line + 1, &route))
			return -EBADMSG;
		if (route.destination != 0 || route.mask != 0 || !(route.flags & RTF_UP) ||
		    (route.flags & RTF_REJECT))
			continue;
		if (!found || route.metric < best.metric)
			best = route;
		found = true;
	}
	if (!found)
		return -ENOENT;
	memcpy(ret_device, best.device, sizeof(best.device));
	return 0;
}

/* ---- own addresses ---- */

static void ifaddrs_freep(struct ifaddrs **list)
{
	if (*list)
		freeifaddrs(*list);
}

static int compare(const void *a, const void *b)
{
	uint32_t left, right;

	memcpy(&left, a, sizeof(left));
	memcpy(&right, b, sizeof(right));
	return (left > right) - (left < right);
}

static bool holds(const struct uplink_addresses *addresses, uint32_t address)
{
	return addresses->count > 0 && bsearch(&address, addresses->list, addresses->count,
					       sizeof(address), compare) != NULL;
}

static void remove_doubles(struct uplink_addresses *addresses)
{
	size_t kept = 0;

	for (size_t i = 0; i < addresses->count; i++)
		if (i == 0 || addresses->list[i] != addresses->list[kept - 1])
			addresses->list[kept++] = addresses->list[i];
	addresses->count = kept;
}

int uplink_addresses(struct uplink_addresses *ret_addresses)
{
	CLEANUP(ifaddrs_freep) struct ifaddrs *list = NULL;
	size_t count = 0;

	if (getifaddrs(&list) < 0)
		return neg_errno();
	for (const struct ifaddrs *at = list; at; at = at->ifa_next) {
		struct sockaddr_in address;

		if (!at->ifa_addr || at->ifa_addr->sa_family != AF_INET)
			continue;
		memcpy(&address, at->ifa_addr, sizeof(address));
		if (ntohl(address.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET)
			continue;
		if (count == UPLINK_ADDRESSES_MAX)
			return -E2BIG;
		ret_addresses->list[count++] = address.sin_addr.s_addr;
	}
	ret_addresses->count = count;
	if (count > 0)
		qsort(ret_addresses->list, count, sizeof(ret_addresses->list[0]), compare);
	remove_doubles(ret_addresses);
	return 0;
}

void uplink_difference(const struct uplink_addresses *all, const struct uplink_addresses *but,
		       struct uplink_addresses *ret_rest)
{
	ret_rest->count = 0;
	for (size_t i = 0; i < all->count; i++)
		if (!holds(but, all->list[i]))
			ret_rest->list[ret_rest->count++] = all->list[i];
}

/* ---- pasta ---- */

size_t uplink_arguments(const struct uplink_join *join,
			const char *ret_arguments[static UPLINK_ARGUMENTS_MAX])
{
	const char *fixed[] = {
	    join->program, "--foreground", "--quiet", "--ipv4-only", "--no-icmp",
	    /* No port is forwarded in either direction, and no address stands for this computer. */
	    "--tcp-ports", "none", "--udp-ports", "none", "--tcp-ns", "none", "--udp-ns", "none",
	    "--no-map-gw",
	    /* An address of its own, from those that are for the inside of a host (RFC 7335), and
	     * always the same: what is inside does not learn this computer's, and need not be told
	     * when that changes. Every packet goes by the gateway, which is pasta. */
	    "--config-net", "--ns-ifname", "uplink", "--address", "192.0.0.2", "--netmask", "30",
	    "--gateway", "192.0.0.1",
	    /* As on most networks: larger datagrams would leave this computer in pieces. */
	    "--mtu", "1500",
	    /* It must be given one; its address and routes are not taken. */
	    "--interface", join->device, "--netns", join->net, "--userns", join->user,
	    "--no-netns-quit"};
	size_t count = ARRAY_SIZE(fixed);

	static_assert(ARRAY_SIZE(fixed) + 2 <= UPLINK_ARGUMENTS_MAX, "all arguments fit");
	memcpy(ret_arguments, fixed, sizeof(fixed));
	if (!join->udp)
		ret_arguments[count++] = "--no-udp";
	ret_arguments[count] = NULL;
	return count;
}
