/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "notify.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int notify_open(int *ret_fd)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	const char *name = getenv("NOTIFY_SOCKET");
	AUTO_CLOSE int fd = -EBADF;
	socklen_t len;

	if (!name || !name[0])
		return -ENOENT;
	if ((name[0] != '/' && name[0] != '@') || strlen(name) >= sizeof(to.sun_path))
		return -EINVAL;
	memcpy(to.sun_path, name, strlen(name));
	/* An abstract name is as long as it is; a path ends with its NUL. */
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name) + (name[0] == '/'));
	if (name[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&to, len) < 0)
		return neg_errno();
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int notify_send(int fd, const char *lines)
{
	ssize_t sent;

	if (fd < 0)
		return -EBADF;
	do
		sent = send(fd, lines, strlen(lines), MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? neg_errno() : 0;
}
