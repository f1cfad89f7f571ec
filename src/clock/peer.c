/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "peer.h"

#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "clock.h"

int peer_connect(const char *path, int *ret_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	AUTO_CLOSE int fd = -EBADF;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return neg_errno();
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* What he has sent may still be there to read. */
bool peer_gone(int fd)
{
	struct pollfd peer = {.fd = fd, .events = POLLRDHUP};

	return poll(&peer, 1, 0) != 0; /* what cannot be told is not waited for */
}

/* @asker: -EBADF for none. */
static int wait_until(int asker, int fd, int64_t deadline)
{
	struct pollfd wanted[] = {{.fd = fd, .events = POLLIN}, {.fd = asker, .events = POLLRDHUP}};

	for (;;) {
		int64_t left = (deadline - clock_now().boot) / 1000000;
		int r;

		if (left <= 0)
			return -ETIMEDOUT;
		r = poll(wanted, ARRAY_SIZE(wanted), left > INT_MAX ? INT_MAX : (int)left);
		if (r > 0)
			return wanted[1].revents ? -ECANCELED : 0;
		if (r < 0 && errno != EINTR)
			return neg_errno();
	}
}

ssize_t peer_receive(int fd, void *data, size_t size, int64_t deadline)
{
	return peer_receive_for(-EBADF, fd, data, size, deadline);
}

ssize_t peer_receive_for(int asker, int fd, void *data, size_t size, int64_t deadline)
{
	ssize_t got;
	int r = wait_until(asker, fd, deadline);

	if (r < 0)
		return r;
	/* With MSG_TRUNC its real length is told, also where it did not fit. */
	got = recv(fd, data, size, MSG_TRUNC | MSG_DONTWAIT);
	if (got < 0)
		return neg_errno();
	return (size_t)got > size ? -E2BIG : got;
}

int peer_send(int fd, const void *data, size_t length)
{
	ssize_t sent = send(fd, data, length, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (sent < 0)
		return neg_errno();
	return (size_t)sent == length ? 0 : -EIO;
}
