/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "doors.h"

#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

static const char *const names[DOOR_COUNT] = {
    [DOOR_WALL] = "wall",
    [DOOR_PROOF] = "proof",
    [DOOR_TOR] = "tor",
    [DOOR_MEDIUM] = "medium",
};

static int connect_to(const char *folder, const char *name, int *ret_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int length;

	if (fd < 0)
		return neg_errno();
	length = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", folder, name);
	if (length < 0 || (size_t)length >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return neg_errno();
	*ret_fd = TAKE_FD(fd);
	return 0;
}

void door_open(const char *folder, const char *name, struct door *door)
{
	*door = (struct door){.fd = -EBADF, .answer = {.cap = DOOR_ANSWER_MAX}};
	door->error = connect_to(folder, name, &door->fd);
}

void door_close(struct door *door)
{
	closep(&door->fd);
	buf_done(&door->answer);
	door->fd = -EBADF;
}

void doors_open(const char *folder, struct doors *doors)
{
	for (size_t i = 0; i < DOOR_COUNT; i++)
		door_open(folder, names[i], &doors->list[i]);
}

void doors_close(struct doors *doors)
{
	for (size_t i = 0; i < DOOR_COUNT; i++)
		door_close(&doors->list[i]);
}

static int64_t now_ms(void)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void finish(struct door *door, int error)
{
	closep(&door->fd);
	door->fd = -EBADF;
	door->error = error;
}

static void read_some(struct door *door)
{
	char bytes[4096];
	ssize_t got = recv(door->fd, bytes, sizeof(bytes), 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got < 0) {
		finish(door, neg_errno());
	} else if (got == 0) {
		finish(door, door->answer.len > 0 ? 0 : -ENODATA);
	} else {
		buf_add(&door->answer, bytes, (size_t)got);
		if (buf_finish(&door->answer) < 0)
			finish(door, buf_finish(&door->answer));
	}
}

/* @count is at most DOOR_COUNT. */
static void read_all(struct door *list, size_t count, unsigned deadline_ms)
{
	int64_t deadline = now_ms() + deadline_ms;

	for (;;) {
		struct pollfd waiting[DOOR_COUNT];
		int64_t left = deadline - now_ms();
		bool any = false;

		for (size_t i = 0; i < count; i++) {
			/* poll() passes over negative descriptors. */
			waiting[i] = (struct pollfd){.fd = list[i].fd, .events = POLLIN};
			any |= list[i].fd >= 0;
		}
		if (!any)
			return;
		if (left <= 0 || (poll(waiting, count, (int)left) < 0 && errno != EINTR))
			break;
		for (size_t i = 0; i < count; i++)
			if (list[i].fd >= 0 && waiting[i].revents)
				read_some(&list[i]);
	}
	for (size_t i = 0; i < count; i++)
		if (list[i].fd >= 0)
			finish(&list[i], -ETIMEDOUT);
}

void door_read(struct door *door, unsigned deadline_ms)
{
	read_all(door, 1, deadline_ms);
}

void doors_read(struct doors *doors, unsigned deadline_ms)
{
	read_all(doors->list, DOOR_COUNT, deadline_ms);
}
