/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "uplink.h"

#include <linux/rtnetlink.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define ANSWER_MS 1000
#define DATAGRAM  32768

static int open_netlink(const int *groups, size_t count, int *ret_fd)
{
	const struct sockaddr_nl own = {.nl_family = AF_NETLINK};
	AUTO_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&own, sizeof(own)) < 0)
		return neg_errno();
	for (size_t i = 0; i < count; i++)
		if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i],
			       sizeof(groups[i])) < 0)
			return neg_errno();
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int uplink_open(int *ret_changes, int *ret_questions)
{
	static const int groups[] = {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE};
	AUTO_CLOSE int changes = -EBADF;
	int r = open_netlink(groups, ARRAY_SIZE(groups), &changes);

	if (r == 0)
		r = open_netlink(NULL, 0, ret_questions);
	if (r == 0)
		*ret_changes = TAKE_FD(changes);
	return r;
}

int uplink_drain(int changes)
{
	uint8_t bytes[4096];

	for (;;) {
		if (recv(changes, bytes, sizeof(bytes), MSG_DONTWAIT) >= 0 || errno == EINTR ||
		    errno == ENOBUFS)
			continue;
		return errno == EAGAIN ? 0 : neg_errno();
	}
}

/* A default route of the main table that the kernel would take. */
static bool is_way_out(const uint8_t *body, size_t length)
{
	struct rtmsg route;

	if (length < sizeof(route))
		return false;
	memcpy(&route, body, sizeof(route));
	return route.rtm_family == AF_INET && route.rtm_dst_len == 0 &&
	       route.rtm_type == RTN_UNICAST && route.rtm_table == RT_TABLE_MAIN &&
	       !(route.rtm_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN | RTM_F_CLONED));
}

int uplink_read(const uint8_t *bytes, size_t length, uint32_t sequence, bool *up)
{
	while (length >= sizeof(struct nlmsghdr)) {
		struct nlmsghdr header;
		size_t step;

		memcpy(&header, bytes, sizeof(header));
		if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > length)
			return -EBADMSG;
		/* An answer that came too late for an earlier question. */
		if (header.nlmsg_seq == sequence) {
			if (header.nlmsg_type == NLMSG_DONE)
				return 1;
			if (header.nlmsg_type == NLMSG_ERROR)
				return -EIO;
			if (header.nlmsg_type == RTM_NEWROUTE)
				*up |= is_way_out(bytes + sizeof(header),
						  header.nlmsg_len - sizeof(header));
		}
		step = NLMSG_ALIGN(header.nlmsg_len);
		if (step >= length)
			return 0;
		bytes += step;
		length -= step;
	}
	return length == 0 ? 0 : -EBADMSG;
}

static int send_question(int fd, uint32_t sequence)
{
	struct {
		struct nlmsghdr header;
		struct rtmsg route;
	} question = {
	    .header = {.nlmsg_len = sizeof(question),
		       .nlmsg_type = RTM_GETROUTE,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		       .nlmsg_seq = sequence},
	    .route = {.rtm_family = AF_INET},
	};

	return send(fd, &question, sizeof(question), 0) == sizeof(question) ? 0 : neg_errno();
}

int uplink_ask(int questions, bool *ret_up)
{
	static uint32_t sequence;
	uint8_t bytes[DATAGRAM];
	bool up = false;
	int r = uplink_drain(questions);

	if (r == 0)
		r = send_question(questions, ++sequence);
	while (r == 0) {
		struct pollfd wait = {.fd = questions, .events = POLLIN};
		struct sockaddr_nl from = {0};
		socklen_t from_length = sizeof(from);
		ssize_t got;

		r = poll(&wait, 1, ANSWER_MS);
		if (r == 0)
			return -ETIMEDOUT;
		if (r < 0 && errno != EINTR)
			return neg_errno();
		got = recvfrom(questions, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_TRUNC,
			       (struct sockaddr *)&from, &from_length);
		r = 0;
		if (got < 0 && errno != EAGAIN && errno != EINTR)
			return neg_errno();
		/* Only the kernel has port 0. */
		if (got < 0 || from.nl_pid != 0)
			continue;
		r = (size_t)got > sizeof(bytes) ? -EBADMSG
						: uplink_read(bytes, (size_t)got, sequence, &up);
	}
	if (r < 0)
		return r;
	*ret_up = up;
	return 0;
}
