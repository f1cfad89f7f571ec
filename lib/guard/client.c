/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guard.h"

#include <fcntl.h>
#include <os/netns.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

int guard_path(const char *folder, const char *suffix, char ret_path[GUARD_PATH_MAX])
{
	AUTO_CLOSE int own = -EBADF;
	uint64_t namespace = 0;
	char path[GUARD_PATH_MAX];
	int r = netns_open_own(&own), len;

	r = r < 0 ? r : netns_identity(own, &namespace);
	if (r < 0)
		return r;
	len = snprintf(path, sizeof(path), "%s/guard-%llu.%s", folder,
		       (unsigned long long)namespace, suffix);
	if (len < 0 || (size_t)len >= sizeof(path))
		return -E2BIG;
	memcpy(ret_path, path, sizeof(path));
	return 0;
}

void guard_client_done(struct guard_client *client)
{
	closep(&client->socket);
	for (size_t i = 0; i < GUARD_BATCHES; i++)
		closep(&client->memory[i]);
	*client = GUARD_NOBODY;
}

/* A guard that is stopped lets a few connections wait, and then none: so the time is limited here,
 * too. */
static int connect_to(const char *path, int *ret_fd)
{
	struct timeval limit = {.tv_sec = GUARD_SECONDS};
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
		return neg_errno();
	memcpy(to.sun_path, path, GUARD_PATH_MAX);
	while (connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
		if (errno != EINTR)
			return errno == EAGAIN ? -ETIMEDOUT : neg_errno();
	*ret_fd = TAKE_FD(fd);
	return 0;
}

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

/* Never to be run as a program: a system may be set to give no other (vm.memfd_noexec). Kernels
 * before 6.3 do not know the word. */
static int memory_open(void)
{
	const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create("lethe-batch", flags | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("lethe-batch", flags);
	return fd < 0 ? neg_errno() : fd;
}

int guard_connect(const char *folder, struct guard_client *ret_client)
{
	CLEANUP(guard_client_done) struct guard_client client = GUARD_NOBODY;
	char path[GUARD_PATH_MAX];
	int r = guard_path(folder, "socket", path);

	r = r < 0 ? r : connect_to(path, &client.socket);
	/* A file that nobody listens at was left by a guard that died; a folder that this user may
	 * not enter is not for this user. */
	if (r == -ECONNREFUSED || r == -EACCES || r == -EPERM || r == -ENOTDIR)
		return -ENOENT;
	if (r < 0)
		return r;
	for (size_t i = 0; i < GUARD_BATCHES; i++) {
		client.memory[i] = memory_open();
		if (client.memory[i] < 0)
			return client.memory[i];
	}
	*ret_client = client;
	client = GUARD_NOBODY;
	return 0;
}

static int fill(int memory, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t written = write(memory, bytes, len);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return neg_errno();
		bytes += written;
		len -= (size_t)written;
	}
	if (fcntl(memory, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) <
	    0)
		return neg_errno();
	return 0;
}

static int send_request(int socket, enum guard_verb verb, int memory)
{
	struct guard_request request = {.magic = GUARD_MAGIC, .verb = (uint32_t)verb};
	struct iovec part = {.iov_base = &request, .iov_len = sizeof(request)};
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr aligned;
	} control = {0};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	ssize_t sent;

	if (memory >= 0) {
		struct cmsghdr *header;

		message.msg_control = control.space;
		message.msg_controllen = sizeof(control.space);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &memory, sizeof(int));
	}
	do
		sent = sendmsg(socket, &message, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return errno == EAGAIN ? -ETIMEDOUT : neg_errno();
	return 0;
}

/* The next memory that holds no batch yet. */
static int take_memory(struct guard_client *client)
{
	for (size_t i = 0; i < GUARD_BATCHES; i++)
		if (client->memory[i] >= 0)
			return TAKE_FD(client->memory[i]);
	return -ENOSPC;
}

static int ask(struct guard_client *client, enum guard_verb verb, const void *batch, size_t len,
	       struct guard_answer *ret_answer)
{
	AUTO_CLOSE int memory = -EBADF;
	struct guard_answer answer;
	ssize_t got;
	int r = 0;

	if (verb == GUARD_INSTALL) {
		memory = take_memory(client);
		r = memory < 0 ? memory : fill(memory, batch, len);
	}
	r = r < 0 ? r : send_request(client->socket, verb, memory);
	if (r < 0)
		return r;
	do
		got = recvfrom(client->socket, &answer, sizeof(answer), MSG_TRUNC, NULL, NULL);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == EAGAIN ? -ETIMEDOUT : neg_errno();
	if (got == 0)
		return -ECONNRESET;
	if ((size_t)got != sizeof(answer) || answer.magic != GUARD_MAGIC || answer.error > 0)
		return -EBADMSG;
	answer.message[sizeof(answer.message) - 1] = '\0';
	answer.hint[sizeof(answer.hint) - 1] = '\0';
	*ret_answer = answer;
	return 0;
}

int guard_ask(struct guard_client *client, enum guard_verb verb, const void *batch, size_t len,
	      struct guard_answer *ret_answer)
{
	int r = ask(client, verb, batch, len, ret_answer);

	/* By this the guard, should it wake up, knows that nobody wants it any more. */
	if (r < 0)
		guard_client_done(client);
	return r;
}
