/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "link.h"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define LOOPBACK_INDEX 1 /* in every network namespace */
#define ANSWER_SECONDS 10 /* the kernel answers at once; this only ends a wait for ever */

static void nameindex_freep(struct if_nameindex **list)
{
	if (*list)
		if_freenameindex(*list);
}

int link_index(const char *name, unsigned *ret_index)
{
	/* Not if_nametoindex(), which opens a socket that is not netlink. */
	CLEANUP(nameindex_freep) struct if_nameindex *list = if_nameindex();

	if (!list)
		return neg_errno();
	for (const struct if_nameindex *at = list; at->if_index != 0; at++) {
		if (strcmp(at->if_name, name) == 0) {
			*ret_index = at->if_index;
			return 0;
		}
	}
	return -ENODEV;
}

static int route_open(int *ret_fd)
{
	struct timeval timeout = { .tv_sec = ANSWER_SECONDS };
	AUTO_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0)
		return neg_errno();
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* The kernel's acknowledgement: 0, or what it refuses with. */
static int answer_await(int fd)
{
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		uint8_t rest[4096];
	} answer;
	struct sockaddr_nl from = { 0 };
	socklen_t from_len = sizeof(from);
	ssize_t len;

	do
		len = recvfrom(fd, &answer, sizeof(answer), 0, (struct sockaddr *)&from, &from_len);
	while ((len < 0 && errno == EINTR) || (len >= 0 && from.nl_pid != 0));
	if (len < 0)
		return errno == EAGAIN ? -ETIMEDOUT : neg_errno();
	if ((size_t)len < sizeof(answer.header) + sizeof(answer.error) ||
	    answer.header.nlmsg_type != NLMSG_ERROR || answer.error.error > 0)
		return -EBADMSG;
	return answer.error.error;
}

int link_down(unsigned index)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct {
		struct nlmsghdr header;
		struct ifinfomsg body;
	} request = {
		.header = { .nlmsg_len = sizeof(request),
			    .nlmsg_type = RTM_NEWLINK,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.body = { .ifi_family = AF_UNSPEC, .ifi_index = (int)index, .ifi_change = IFF_UP },
	};
	AUTO_CLOSE int fd = -EBADF;
	int r = route_open(&fd);

	if (r < 0)
		return r;
	if (sendto(fd, &request, sizeof(request), 0, (struct sockaddr *)&kernel, sizeof(kernel)) <
	    0)
		return neg_errno();
	return answer_await(fd);
}

int link_all_down(void)
{
	CLEANUP(nameindex_freep) struct if_nameindex *list = if_nameindex();
	int result = 0;

	if (!list)
		return neg_errno();
	for (const struct if_nameindex *at = list; at->if_index != 0; at++) {
		int r = at->if_index == LOOPBACK_INDEX ? 0 : link_down(at->if_index);

		if (r < 0 && r != -ENODEV && result == 0)
			result = r;
	}
	return result;
}
