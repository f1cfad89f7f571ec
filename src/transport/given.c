/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "given.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <base/num.h>

/* The @index-th of names that colons part; its length, or SIZE_MAX if there are not so many. */
static size_t name_at(const char *names, size_t index, const char **ret_at)
{
	for (; index > 0; index--) {
		names = strchr(names, ':');
		if (!names)
			return SIZE_MAX;
		names++;
	}
	*ret_at = names;
	return strcspn(names, ":");
}

int given_find(const struct given *given, uint64_t own, const char *name, int *ret_fd)
{
	uint64_t count, pid;
	const char *at;
	int found = -ENOENT;

	if (!given->count || !given->pid)
		return -ENOENT;
	if (num_parse_u64(given->pid, INT32_MAX, &pid) < 0 ||
	    num_parse_u64(given->count, GIVEN_MAX, &count) < 0 || !given->names)
		return -EBADMSG;
	if (pid != own)
		return -ENOENT;
	if (count == 0 || name_at(given->names, (size_t)count, &at) != SIZE_MAX)
		return -EBADMSG;
	for (size_t i = 0; i < count; i++) {
		size_t length = name_at(given->names, i, &at);

		if (length == SIZE_MAX)
			return -EBADMSG;
		if (length != strlen(name) || memcmp(at, name, length) != 0)
			continue;
		if (found >= 0)
			return -EEXIST;
		found = GIVEN_FIRST + (int)i;
	}
	if (found < 0)
		return found;
	*ret_fd = found;
	return 0;
}

static bool socket_is(int fd, int option, int wanted)
{
	int value = 0;
	socklen_t size = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 && value == wanted;
}

bool given_listens(int fd, int family)
{
	struct sockaddr_in own = {0};
	socklen_t size = sizeof(own);

	if (!socket_is(fd, SO_ACCEPTCONN, 1) || !socket_is(fd, SO_TYPE, SOCK_STREAM) ||
	    !socket_is(fd, SO_DOMAIN, family))
		return false;
	if (family != AF_INET)
		return true;
	return getsockname(fd, (struct sockaddr *)&own, &size) == 0 && size == sizeof(own) &&
	       own.sin_addr.s_addr == htonl(INADDR_LOOPBACK);
}
