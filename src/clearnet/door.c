/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "door.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <base/num.h>
#include <os/cmdline.h>
#include <os/file.h>

#define SWITCH "lethe.clearnet"

union descriptor_room {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

int door_send(int lease, const char *name, int output)
{
	char text[DOOR_TEXT_MAX];
	struct iovec data = {.iov_base = text};
	union descriptor_room room = {0};
	struct msghdr message = {.msg_iov = &data,
				 .msg_iovlen = 1,
				 .msg_control = room.bytes,
				 .msg_controllen = sizeof(room.bytes)};

	snprintf(text, sizeof(text), "%s", name);
	data.iov_len = strlen(text);
	room.header.cmsg_level = SOL_SOCKET;
	room.header.cmsg_type = SCM_RIGHTS;
	room.header.cmsg_len = CMSG_LEN(sizeof(output));
	memcpy(CMSG_DATA(&room.header), &output, sizeof(output));
	return sendmsg(lease, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? neg_errno() : 0;
}

int door_receive(int lease, char ret_name[static DOOR_TEXT_MAX], int *ret_output)
{
	char text[DOOR_TEXT_MAX];
	struct iovec data = {.iov_base = text, .iov_len = sizeof(text) - 1};
	union descriptor_room room = {0};
	struct msghdr message = {.msg_iov = &data,
				 .msg_iovlen = 1,
				 .msg_control = room.bytes,
				 .msg_controllen = sizeof(room.bytes)};
	AUTO_CLOSE int output = -EBADF;
	ssize_t len;

	do
		len = recvmsg(lease, &message, MSG_CMSG_CLOEXEC);
	while (len < 0 && errno == EINTR);
	if (len < 0)
		return neg_errno();
	if (message.msg_controllen >= CMSG_LEN(sizeof(output)) &&
	    room.header.cmsg_level == SOL_SOCKET && room.header.cmsg_type == SCM_RIGHTS &&
	    room.header.cmsg_len == CMSG_LEN(sizeof(output)))
		memcpy(&output, CMSG_DATA(&room.header), sizeof(output));
	if (len == 0)
		return -ECONNRESET;
	text[len] = '\0';
	if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || output < 0 ||
	    strlen(text) != (size_t)len)
		return -EPROTO;
	memcpy(ret_name, text, sizeof(text));
	*ret_output = TAKE_FD(output);
	return 0;
}

bool door_is_enabled(const char *cmdline)
{
	AUTO_BUF struct buf text = {.cap = CMDLINE_MAX};
	char value[CMDLINE_WORD_MAX];
	int r = file_read(cmdline, &text);

	if (r < 0)
		return false;
	r = cmdline_find(buf_text(&text), SWITCH, value);
	return r == -ENOENT || (r == 0 && strcmp(value, "on") == 0);
}

static int lease_open(const struct door *door, int *ret_lease)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return neg_errno();
	if (snprintf(to.sun_path, sizeof(to.sun_path), "%s/console", door->sockets) >=
	    (int)sizeof(to.sun_path))
		return -ENAMETOOLONG;
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
		return neg_errno();
	*ret_lease = TAKE_FD(fd);
	return 0;
}

int door_start(struct door *door, const char *name, int *ret_output, struct diag *diag)
{
	AUTO_CLOSE int lease = -EBADF, output = -EBADF, input = -EBADF;
	struct program program;
	int ends[2], r;

	if (!door->enabled) {
		diag_set(diag, "", 0, 0, "it was disabled when the computer was started");
		return -EPERM;
	}
	if (door->lease >= 0) {
		diag_set(diag, "", 0, 0, "%s runs already; one program at a time", door->name);
		return -EBUSY;
	}
	r = program_load(door->programs, name, &program, diag);
	if (r < 0)
		return r;
	/* A pipe, and no socket: no descriptor can be handed out of the namespace through it. */
	if (pipe2(ends, O_CLOEXEC) < 0)
		return neg_errno();
	output = ends[0];
	input = ends[1];
	r = lease_open(door, &lease);
	if (r == 0)
		r = door_send(lease, name, input);
	if (r < 0) {
		diag_set(diag, "", 0, 0, "the service manager does not start it: %s", strerror(-r));
		return r == -ENOENT ? -ECONNREFUSED : r;
	}
	snprintf(door->name, sizeof(door->name), "%s", name);
	door->lease = TAKE_FD(lease);
	door->started = false;
	door->exit = DOOR_NO_EXIT;
	door->why[0] = '\0';
	*ret_output = TAKE_FD(output);
	return 0;
}

void door_stop(struct door *door)
{
	/* Its own end stays open, to hear when it is over. */
	if (door->lease >= 0)
		shutdown(door->lease, SHUT_WR);
}

static enum door_event ended(struct door *door)
{
	closep(&door->lease);
	door->lease = -EBADF;
	door->name[0] = '\0';
	/* After this daemon was killed the service manager drops a connection until the program that ran
	 * then is gone. */
	if (!door->started && !door->why[0])
		snprintf(door->why, sizeof(door->why), "%s",
			 "it ended before it was started: one before it may still be ending, so try "
			 "again in a moment; else the journal says why");
	return DOOR_ENDED;
}

enum door_event door_understand(struct door *door, const char *text)
{
	uint64_t status;

	if (strcmp(text, "started") == 0 && !door->started) {
		door->started = true;
		return DOOR_STARTED;
	}
	if (strncmp(text, "exit ", 5) == 0 && door->started &&
	    num_parse_u64(text + 5, 255, &status) == 0)
		door->exit = (int)status;
	else if (strncmp(text, "failed ", 7) == 0 && !door->started)
		snprintf(door->why, sizeof(door->why), "%s", text + 7);
	/* What else it says means nothing. */
	return DOOR_NOTHING;
}

/* 1 and a datagram as text; 0, none has come; or -1, no more comes. */
static int datagram(int lease, char text[static DOOR_TEXT_MAX])
{
	ssize_t len;

	do
		len = recv(lease, text, DOOR_TEXT_MAX - 1, MSG_DONTWAIT);
	while (len < 0 && errno == EINTR);
	if (len < 0 && errno == EAGAIN)
		return 0;
	if (len <= 0)
		return -1;
	for (ssize_t i = 0; i < len; i++)
		if (text[i] < ' ' || text[i] > '~')
			text[i] = '?';
	text[len] = '\0';
	return 1;
}

enum door_event door_take(struct door *door)
{
	enum door_event event = DOOR_NOTHING;
	char text[DOOR_TEXT_MAX];

	while (door->lease >= 0 && event == DOOR_NOTHING) {
		int r = datagram(door->lease, text);

		if (r == 0)
			break;
		event = r < 0 ? ended(door) : door_understand(door, text);
	}
	return event;
}
