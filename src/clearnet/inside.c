/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "inside.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <os/file.h>
#include <os/route_events.h>
#include <os/sysctl.h>

#include "uplink.h"

#define ANSWER_SECONDS 10 /* the kernel answers at once; this only ends a wait for ever */

/* What a child is to do elsewhere, to bring a descriptor back. */
struct errand {
	int (*run)(const struct errand *errand, int *ret_fd);
	uid_t uid;
	gid_t gid;
	int user, net;
};

/* ---- a new one ---- */

static int write_own(const char *path, const char *text)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return neg_errno();
	return write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : neg_errno();
}

/* Itself, and nobody else: it is not called root in there, so that a program it starts has no right
 * even there. */
static int map_itself(uid_t uid, gid_t gid)
{
	char users[64], groups[64];
	int r = write_own("/proc/self/setgroups", "deny");

	snprintf(users, sizeof(users), "%u %u 1\n", uid, uid);
	snprintf(groups, sizeof(groups), "%u %u 1\n", gid, gid);
	if (r == 0)
		r = write_own("/proc/self/uid_map", users);
	return r == 0 ? write_own("/proc/self/gid_map", groups) : r;
}

static int become(uid_t uid, gid_t gid)
{
	if (uid == 0 || gid == 0)
		return -EPERM;
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return neg_errno();
	/* Having changed its user it could not write to its own /proc. It holds nothing that
	 * another process of this user may not see. */
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0 ? neg_errno() : 0;
}

static int loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo"};
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return neg_errno();
	request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
	return ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? neg_errno() : 0;
}

#define TIME_TO_LIVE "net/ipv4/ip_default_ttl"

/* @ttl: this computer's. Newer pastas send a datagram with the one that it came with. */
static int settings_write(const char *ttl)
{
	const struct {
		const char *name, *value;
	} settings[] = {
	    {TIME_TO_LIVE, ttl},
	    {"net/ipv4/ip_forward", "0"},
	    {"net/ipv6/conf/all/forwarding", "0"},
	    /* As on the host: programs expect ::1. */
	    {"net/ipv6/conf/all/disable_ipv6", "1"},
	    {"net/ipv6/conf/default/disable_ipv6", "1"},
	    {"net/ipv6/conf/lo/disable_ipv6", "0"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		int r = sysctl_write(settings[i].name, settings[i].value);

		/* A kernel without IPv6 has no such settings. */
		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}

static int make_here(const struct errand *errand, int *ret_net)
{
	char ttl[SYSCTL_VALUE_MAX];
	int fd, r = become(errand->uid, errand->gid);

	if (r == 0)
		r = sysctl_read(TIME_TO_LIVE, ttl);
	if (r == 0 && unshare(CLONE_NEWUSER) < 0)
		r = neg_errno();
	if (r == 0)
		r = map_itself(errand->uid, errand->gid);
	if (r == 0 && unshare(CLONE_NEWNET) < 0)
		r = neg_errno();
	if (r == 0)
		r = settings_write(ttl);
	if (r == 0)
		r = loopback_up();
	if (r < 0)
		return r;
	fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return neg_errno();
	*ret_net = fd;
	return 0;
}

union descriptor_room {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

/* Send @result, and the descriptor @fd if there is one. */
static int hand_over(int channel, int result, int fd)
{
	struct iovec data = {.iov_base = &result, .iov_len = sizeof(result)};
	union descriptor_room room = {0};
	struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};

	if (fd >= 0) {
		message.msg_control = room.bytes;
		message.msg_controllen = sizeof(room.bytes);
		room.header.cmsg_level = SOL_SOCKET;
		room.header.cmsg_type = SCM_RIGHTS;
		room.header.cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(&room.header), &fd, sizeof(fd));
	}
	return sendmsg(channel, &message, MSG_NOSIGNAL) == (ssize_t)sizeof(result) ? 0
										   : neg_errno();
}

static int take_over(int channel, int *ret_fd)
{
	int result = -EPROTO, fd;
	struct iovec data = {.iov_base = &result, .iov_len = sizeof(result)};
	union descriptor_room room = {0};
	struct msghdr message = {.msg_iov = &data,
				 .msg_iovlen = 1,
				 .msg_control = room.bytes,
				 .msg_controllen = sizeof(room.bytes)};
	ssize_t len;

	do
		len = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
	while (len < 0 && errno == EINTR);
	if (len != (ssize_t)sizeof(result))
		return len < 0 ? neg_errno() : -ECHILD;
	if (result < 0)
		return result;
	if (message.msg_controllen < CMSG_LEN(sizeof(fd)) || room.header.cmsg_type != SCM_RIGHTS ||
	    room.header.cmsg_len != CMSG_LEN(sizeof(fd)))
		return -EPROTO;
	memcpy(&fd, CMSG_DATA(&room.header), sizeof(fd));
	*ret_fd = fd;
	return 0;
}

/* 0, or -ECHILD if it did not end by itself with success. */
static int await(pid_t child)
{
	int status = 0;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return neg_errno();
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ECHILD;
}

static int fetch(const struct errand *errand, int *ret_fd)
{
	AUTO_CLOSE int ours = -EBADF, theirs = -EBADF, fd = -EBADF;
	int pair[2], r, ended;
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return neg_errno();
	ours = pair[0];
	theirs = pair[1];
	child = fork();
	if (child < 0)
		return neg_errno();
	if (child == 0) {
		int made = -EBADF;

		r = errand->run(errand, &made);
		_exit(hand_over(theirs, r, made) == 0 ? 0 : 1);
	}
	closep(&theirs);
	theirs = -EBADF;
	r = take_over(ours, &fd);
	ended = await(child);
	if (r == 0)
		r = ended;
	if (r == 0)
		*ret_fd = TAKE_FD(fd);
	return r;
}

int inside_new(uid_t uid, gid_t gid, int *ret_net)
{
	const struct errand errand = {.run = make_here, .uid = uid, .gid = gid};

	return fetch(&errand, ret_net);
}

/* ---- looking into it ---- */

static int enter(int user, int net)
{
	return setns(user, CLONE_NEWUSER) < 0 || setns(net, CLONE_NEWNET) < 0 ? neg_errno() : 0;
}

static int listen_here(const struct errand *errand, int *ret_events)
{
	int r = enter(errand->user, errand->net);

	return r < 0 ? r : route_events_open_ipv4(ret_events);
}

int inside_listen(int user, int net, int *ret_events)
{
	const struct errand errand = {.run = listen_here, .user = user, .net = net};

	return fetch(&errand, ret_events);
}

/* An exit status: what waits for it reads it as a number from 0, or as -errno. */
#define ANSWERS 2

static int leads_out_here(int user, int net)
{
	AUTO_BUF struct buf routes = {.cap = UPLINK_ROUTES_MAX};
	char device[UPLINK_DEVICE_MAX];
	int r = enter(user, net);

	if (r == 0)
		r = file_read("/proc/thread-self/net/route", &routes);
	if (r == 0)
		r = uplink_device(buf_text(&routes), device);
	return r == 0 ? 1 : r == -ENOENT ? 0 : r;
}

static int ask(pid_t child)
{
	int status = 0;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return neg_errno();
	if (!WIFEXITED(status))
		return -ECHILD;
	return WEXITSTATUS(status) < ANSWERS ? WEXITSTATUS(status)
					     : ANSWERS - 1 - WEXITSTATUS(status);
}

/* The errors that can come are far below 255. */
static void tell_and_exit(int answer)
{
	_exit(answer < 0 ? ANSWERS - 1 - answer : answer);
}

int inside_leads_out(int user, int net)
{
	pid_t child = fork();

	if (child < 0)
		return neg_errno();
	if (child == 0)
		tell_and_exit(leads_out_here(user, net));
	return ask(child);
}

/* ---- addresses that no host has ---- */

static int route_open(int *ret_fd)
{
	struct timeval timeout = {.tv_sec = ANSWER_SECONDS};
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
	ssize_t len;

	do
		len = recv(fd, &answer, sizeof(answer), 0);
	while (len < 0 && errno == EINTR);
	if (len < 0)
		return errno == EAGAIN ? -ETIMEDOUT : neg_errno();
	if ((size_t)len < sizeof(answer.header) + sizeof(answer.error) ||
	    answer.header.nlmsg_type != NLMSG_ERROR || answer.error.error > 0)
		return -EBADMSG;
	return answer.error.error;
}

static int route_change(int fd, uint32_t address, bool hide)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	struct {
		struct nlmsghdr header;
		struct rtmsg route;
		struct rtattr attribute;
		uint32_t address;
	} request = {
	    .header = {.nlmsg_len = sizeof(request),
		       .nlmsg_type = hide ? RTM_NEWROUTE : RTM_DELROUTE,
		       .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK |
						 (hide ? NLM_F_CREATE | NLM_F_REPLACE : 0))},
	    .route = {.rtm_family = AF_INET,
		      .rtm_dst_len = 32,
		      .rtm_table = RT_TABLE_MAIN,
		      .rtm_protocol = RTPROT_STATIC,
		      .rtm_scope = RT_SCOPE_UNIVERSE,
		      .rtm_type = RTN_UNREACHABLE},
	    .attribute = {.rta_len = RTA_LENGTH(sizeof(address)), .rta_type = RTA_DST},
	    .address = address,
	};
	ssize_t sent;

	do
		sent = sendto(fd, &request, sizeof(request), 0, (struct sockaddr *)&kernel,
			      sizeof(kernel));
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? neg_errno() : answer_await(fd);
}

static int hide_here(const uint32_t *hide, size_t hide_count, const uint32_t *show,
		     size_t show_count)
{
	AUTO_CLOSE int fd = -EBADF;
	int r = route_open(&fd);

	for (size_t i = 0; i < hide_count && r == 0; i++)
		r = route_change(fd, hide[i], true);
	for (size_t i = 0; i < show_count && r == 0; i++) {
		r = route_change(fd, show[i], false);
		/* Nobody else makes routes there, but one that is gone is what is wanted. */
		if (r == -ESRCH)
			r = 0;
	}
	return r;
}

int inside_hide(int user, int net, const uint32_t *hide, size_t hide_count, const uint32_t *show,
		size_t show_count)
{
	pid_t child;
	int r;

	if (hide_count == 0 && show_count == 0)
		return 0;
	child = fork();
	if (child < 0)
		return neg_errno();
	if (child == 0) {
		r = enter(user, net);
		tell_and_exit(r < 0 ? r : hide_here(hide, hide_count, show, show_count));
	}
	return ask(child);
}
