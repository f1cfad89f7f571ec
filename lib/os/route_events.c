/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "route_events.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#define QUEUE_BYTES (1 << 20)

static int open_groups(const int *groups, size_t count, int *ret_fd)
{
	const struct sockaddr_nl own = {.nl_family = AF_NETLINK};
	int bytes = QUEUE_BYTES;
	AUTO_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&own, sizeof(own)) < 0)
		return neg_errno();
	/* Without the right to more, what the system allows must do. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)) < 0)
		return neg_errno();
	for (size_t i = 0; i < count; i++)
		if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i],
			       sizeof(groups[i])) < 0)
			return neg_errno();
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int route_events_open(int *ret_fd)
{
	static const int groups[] = {RTNLGRP_LINK,        RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
				     RTNLGRP_IPV4_RULE,   RTNLGRP_IPV6_RULE,   RTNLGRP_IPV4_NETCONF,
				     RTNLGRP_IPV6_NETCONF};

	return open_groups(groups, ARRAY_SIZE(groups), ret_fd);
}

int route_events_open_ipv4(int *ret_fd)
{
	static const int groups[] = {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE};

	return open_groups(groups, ARRAY_SIZE(groups), ret_fd);
}

static int link_read(const struct nlmsghdr *header, const uint8_t *body, size_t len,
		     struct route_event *ret_event)
{
	struct ifinfomsg link;

	if (len < sizeof(link))
		return -EBADMSG;
	memcpy(&link, body, sizeof(link));
	*ret_event = (struct route_event){
	    .kind = header->nlmsg_type == RTM_DELLINK ? ROUTE_EVENT_LINK_GONE : ROUTE_EVENT_LINK,
	    .index = (unsigned)link.ifi_index,
	    .up = (link.ifi_flags & IFF_UP) != 0,
	};
	return 1;
}

static int address_read(const uint8_t *body, size_t len, struct route_event *ret_event)
{
	struct ifaddrmsg address;

	if (len < sizeof(address))
		return -EBADMSG;
	memcpy(&address, body, sizeof(address));
	*ret_event = (struct route_event){.kind = ROUTE_EVENT_ADDRESS, .index = address.ifa_index};
	return 1;
}

/* 1, or 0 if it is of a kind that nobody asked for. */
static int message_read(const uint8_t *bytes, size_t len, struct route_event *ret_event)
{
	struct nlmsghdr header;

	if (len < sizeof(header))
		return -EBADMSG;
	memcpy(&header, bytes, sizeof(header));
	if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > len)
		return -EBADMSG;
	bytes += sizeof(header);
	len = header.nlmsg_len - sizeof(header);
	switch (header.nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return link_read(&header, bytes, len, ret_event);
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return address_read(bytes, len, ret_event);
	case RTM_NEWRULE:
	case RTM_DELRULE:
		*ret_event = (struct route_event){.kind = ROUTE_EVENT_RULE};
		return 1;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		*ret_event = (struct route_event){.kind = ROUTE_EVENT_ROUTE};
		return 1;
	case RTM_NEWNETCONF:
	case RTM_DELNETCONF:
		*ret_event = (struct route_event){.kind = ROUTE_EVENT_SETTING};
		return 1;
	default:
		return 0;
	}
}

int route_events_next(int fd, struct route_event *ret_event)
{
	uint8_t bytes[16384];

	for (;;) {
		struct sockaddr_nl from = {0};
		socklen_t from_len = sizeof(from);
		ssize_t len = recvfrom(fd, bytes, sizeof(bytes), MSG_DONTWAIT,
				       (struct sockaddr *)&from, &from_len);
		int r;

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return errno == EAGAIN ? 0 : neg_errno();
		/* Only the kernel has port 0. */
		if (from_len != sizeof(from) || from.nl_pid != 0)
			continue;
		r = message_read(bytes, (size_t)len, ret_event);
		if (r != 0)
			return r == -EBADMSG ? -ENOBUFS : r;
	}
}
