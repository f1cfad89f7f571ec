/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guard.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define WAITING 8 /* connections that may wait */

int guard_listen(const char *path, int *ret_fd)
{
	struct sockaddr_un own = {.sun_family = AF_UNIX};
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t before;
	int bound;

	if (fd < 0)
		return neg_errno();
	if (strlen(path) >= sizeof(own.sun_path))
		return -E2BIG;
	memcpy(own.sun_path, path, strlen(path));
	if (unlink(path) < 0 && errno != ENOENT)
		return neg_errno();
	/* The file has its mode from the first moment. */
	before = umask(0177);
	bound = bind(fd, (const struct sockaddr *)&own, sizeof(own));
	umask(before);
	if (bound < 0 || listen(fd, WAITING) < 0)
		return neg_errno();
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* The file's mode keeps others out; this holds should it have been changed. */
static int is_root(int fd)
{
	struct ucred peer = {.uid = UINT32_MAX};
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return neg_errno();
	return len == sizeof(peer) && peer.uid == 0 ? 0 : -EPERM;
}

int guard_accept(int listener, int *ret_fd)
{
	AUTO_CLOSE int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int r;

	if (fd < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : neg_errno();
	r = is_root(fd);
	if (r < 0)
		return r;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* The descriptors that came with the message: one, or -EBADF. Of more all are closed. */
static int take_descriptor(struct msghdr *message)
{
	int found = -EBADF;
	size_t count = 0;

	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header;
	     header = CMSG_NXTHDR(message, header)) {
		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = 0; at + sizeof(int) <= header->cmsg_len - CMSG_LEN(0);
		     at += sizeof(int)) {
			closep(&found);
			memcpy(&found, CMSG_DATA(header) + at, sizeof(int));
			count++;
		}
	}
	if (count != 1 || message->msg_flags & MSG_CTRUNC) {
		closep(&found);
		return -EBADF;
	}
	return found;
}

/* Read what nobody can change any more. */
static int read_sealed(int memory, uint8_t **ret_batch, size_t *ret_len)
{
	const int needed = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	AUTO_FREE uint8_t *batch = NULL;
	struct stat status;
	size_t len, done = 0;
	int seals = fcntl(memory, F_GET_SEALS);

	if (seals < 0 || (seals & needed) != needed || fstat(memory, &status) < 0 ||
	    status.st_size <= 0 || (uint64_t)status.st_size > GUARD_BATCH_MAX)
		return -EBADMSG;
	len = (size_t)status.st_size;
	batch = malloc(len);
	if (!batch)
		return -ENOMEM;
	while (done < len) {
		ssize_t got = pread(memory, batch + done, len - done, (off_t)done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -EBADMSG;
		done += (size_t)got;
	}
	*ret_batch = TAKE_PTR(batch);
	*ret_len = len;
	return 0;
}

int guard_receive(int fd, enum guard_verb *ret_verb, uint8_t **ret_batch, size_t *ret_len)
{
	struct guard_request request = {0};
	struct iovec part = {.iov_base = &request, .iov_len = sizeof(request)};
	union {
		char space[CMSG_SPACE(4 * sizeof(int))];
		struct cmsghdr aligned;
	} control;
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control.space,
				 .msg_controllen = sizeof(control.space)};
	ssize_t got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	AUTO_CLOSE int memory = -EBADF;
	int r;

	if (got < 0)
		return errno == EWOULDBLOCK || errno == EINTR ? -EAGAIN : neg_errno();
	memory = take_descriptor(&message);
	if ((size_t)got != sizeof(request) || message.msg_flags & MSG_TRUNC ||
	    request.magic != GUARD_MAGIC)
		return -EBADMSG;
	switch (request.verb) {
	case GUARD_INSTALL:
		r = memory < 0 ? -EBADMSG : read_sealed(memory, ret_batch, ret_len);
		break;
	case GUARD_COVER:
	case GUARD_OPEN:
		r = memory < 0 ? 0 : -EBADMSG;
		break;
	default:
		r = -EBADMSG;
	}
	if (r == 0)
		*ret_verb = (enum guard_verb)request.verb;
	return r;
}

bool guard_is_gone(int fd)
{
	struct pollfd ask = {.fd = fd, .events = POLLRDHUP};

	return poll(&ask, 1, 0) != 0;
}

int guard_reply(int fd, int error, const struct diag *diag)
{
	struct guard_answer answer = {.magic = GUARD_MAGIC, .error = error};

	snprintf(answer.message, sizeof(answer.message), "%s", diag->message);
	snprintf(answer.hint, sizeof(answer.hint), "%s", diag->hint);
	if (send(fd, &answer, sizeof(answer), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return neg_errno();
	return 0;
}
