/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "netns.h"

#include <assert.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>

#define LOCK_ASK_MS 20

static_assert(NETNS_DEVICE_MAX == IF_NAMESIZE, "device names have the kernel's size");

/* The namespace's own inode: a lock of exactly the right scope, that no directory with the wrong
 * permissions can take away. */
static int lock_open(int *ret_fd)
{
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return neg_errno();
	*ret_fd = fd;
	return 0;
}

int netns_lock(int *ret_fd)
{
	AUTO_CLOSE int fd = -EBADF;
	int r = lock_open(&fd);

	if (r < 0)
		return r;
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return neg_errno();
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int netns_lock_within(unsigned seconds, int *ret_fd)
{
	AUTO_CLOSE int fd = -EBADF;
	int r = lock_open(&fd);

	if (r < 0)
		return r;
	/* flock(2) knows no time limit, and a signal would need a handler: ask again and again. */
	for (unsigned tries = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; tries++) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return neg_errno();
		if (tries / (1000 / LOCK_ASK_MS) >= seconds)
			return -ETIMEDOUT;
		poll(NULL, 0, LOCK_ASK_MS);
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static void nameindex_freep(struct if_nameindex **list)
{
	if (*list)
		if_freenameindex(*list);
}

int netns_devices(char (**ret_names)[NETNS_DEVICE_MAX], size_t *ret_count)
{
	CLEANUP(nameindex_freep) struct if_nameindex *list = if_nameindex();
	char(*names)[NETNS_DEVICE_MAX];
	size_t count = 0;

	if (!list)
		return neg_errno();
	while (list[count].if_index != 0)
		count++;
	names = calloc(count + 1, sizeof(*names));
	if (!names)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		snprintf(names[i], sizeof(names[i]), "%s", list[i].if_name);
	*ret_names = names;
	*ret_count = count;
	return 0;
}
