/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "links.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static struct link *find(struct links *links, const char *name)
{
	for (size_t i = 0; i < links->count; i++)
		if (strcmp(links->list[i].name, name) == 0)
			return &links->list[i];
	return NULL;
}

static void add(struct links *links, const struct ifaddrs *entry)
{
	struct link *link;

	if (find(links, entry->ifa_name))
		return;
	if (links->count == LINKS_MAX) {
		links->more++;
		return;
	}
	link = &links->list[links->count++];
	snprintf(link->name, sizeof(link->name), "%s", entry->ifa_name);
	link->up = (entry->ifa_flags & IFF_UP) != 0;
	link->carrier = (entry->ifa_flags & IFF_RUNNING) != 0;
}

/* Addresses that a device gives itself say nothing about a network. */
static bool reaches_further(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, address, sizeof(in));
		return (ntohl(in.sin_addr.s_addr) >> 16) != 0xa9fe; /* 169.254.0.0/16 */
	}
	if (address->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, address, sizeof(in6));
		return !IN6_IS_ADDR_LINKLOCAL(&in6.sin6_addr);
	}
	return false;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct link *)a)->name, ((const struct link *)b)->name);
}

void links_read(struct links *ret_links)
{
	struct ifaddrs *all = NULL;

	*ret_links = (struct links){0};
	if (getifaddrs(&all) < 0) {
		ret_links->error = neg_errno();
		return;
	}
	/* Every device has an entry of the family AF_PACKET, with an address or without. */
	for (const struct ifaddrs *entry = all; entry; entry = entry->ifa_next)
		if (entry->ifa_addr && entry->ifa_addr->sa_family == AF_PACKET &&
		    !(entry->ifa_flags & IFF_LOOPBACK))
			add(ret_links, entry);
	for (const struct ifaddrs *entry = all; entry; entry = entry->ifa_next) {
		struct link *link = find(ret_links, entry->ifa_name);

		if (link && entry->ifa_addr && reaches_further(entry->ifa_addr))
			link->address = true;
	}
	freeifaddrs(all);
	qsort(ret_links->list, ret_links->count, sizeof(ret_links->list[0]), by_name);
}
