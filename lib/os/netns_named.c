/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Network namespaces by their names. */
#include "netns.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define DIRECTORY "/run/netns"
#define NAMES_MAX 65536u

typedef char netns_name[NETNS_NAME_MAX];

static int directory_open(int *ret_fd)
{
	int fd = open(DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return neg_errno();
	*ret_fd = fd;
	return 0;
}

/* One component of a path, which is also safe to print. */
static bool name_is_valid(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len >= NETNS_NAME_MAX || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (size_t i = 0; i < len; i++)
		if (name[i] < ' ' || name[i] > '~' || name[i] == '/')
			return false;
	return true;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int name_add(netns_name **names, size_t *count, size_t *room, const char *name)
{
	if (!name_is_valid(name))
		return -EBADMSG;
	if (*count == *room) {
		size_t wanted = *room ? *room * 2 : 16;
		netns_name *larger;

		if (wanted > NAMES_MAX)
			return -E2BIG;
		larger = realloc(*names, wanted * sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		*names = larger;
		*room = wanted;
	}
	snprintf((*names)[*count], sizeof(**names), "%s", name);
	(*count)++;
	return 0;
}

int netns_names(char (**ret_names)[NETNS_NAME_MAX], size_t *ret_count)
{
	AUTO_FREE netns_name *names = NULL;
	AUTO_CLOSE int fd = -EBADF;
	AUTO_DIR DIR *directory = NULL;
	const struct dirent *entry;
	size_t count = 0, room = 0;
	int r = directory_open(&fd);

	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0) {
		directory = fdopendir(fd);
		if (!directory)
			return neg_errno();
		TAKE_FD(fd);
		for (errno = 0; (entry = readdir(directory)); errno = 0) {
			if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
				continue;
			r = name_add(&names, &count, &room, entry->d_name);
			if (r < 0)
				return r;
		}
		if (errno != 0)
			return neg_errno();
	}
	if (count > 0)
		qsort(names, count, sizeof(*names), compare_names);
	*ret_names = TAKE_PTR(names);
	*ret_count = count;
	return 0;
}

static int require_netns(int fd)
{
	struct statfs system;
	int type;

	if (fstatfs(fd, &system) < 0)
		return neg_errno();
	if (system.f_type != NSFS_MAGIC)
		return -EPROTO;
	type = ioctl(fd, NS_GET_NSTYPE);
	if (type < 0)
		return neg_errno();
	return type == CLONE_NEWNET ? 0 : -EPROTO;
}

int netns_open(const char *name, int *ret_fd)
{
	AUTO_CLOSE int directory = -EBADF, fd = -EBADF;
	int r;

	if (!name_is_valid(name))
		return -EINVAL;
	r = directory_open(&directory);
	if (r < 0)
		return r;
	/* A pipe that somebody put there would otherwise be waited for. */
	fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return neg_errno();
	r = require_netns(fd);
	if (r == 0)
		*ret_fd = TAKE_FD(fd);
	return r;
}

int netns_open_own(int *ret_fd)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return neg_errno();
	*ret_fd = fd;
	return 0;
}

int netns_identity(int fd, uint64_t *ret_number)
{
	struct stat info;
	int r = require_netns(fd);

	if (r < 0)
		return r;
	if (fstat(fd, &info) < 0)
		return neg_errno();
	*ret_number = info.st_ino;
	return 0;
}

int netns_enter(int fd)
{
	int r = require_netns(fd);

	if (r < 0)
		return r;
	return setns(fd, CLONE_NEWNET) < 0 ? neg_errno() : 0;
}
