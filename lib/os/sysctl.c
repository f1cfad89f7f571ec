/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sysctl.h"

#include <fcntl.h>
#include <string.h>

static int sysctl_open(const char *name, int flags, int *ret_fd)
{
	char path[256];
	int len = snprintf(path, sizeof(path), "/proc/sys/%s", name);
	int fd;

	if (len < 0 || (size_t)len >= sizeof(path) || strstr(name, ".."))
		return -EINVAL;
	fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return neg_errno();
	*ret_fd = fd;
	return 0;
}

int sysctl_read(const char *name, char value[static SYSCTL_VALUE_MAX])
{
	char text[SYSCTL_VALUE_MAX + 1];
	AUTO_CLOSE int fd = -EBADF;
	ssize_t len;
	int r;

	r = sysctl_open(name, O_RDONLY, &fd);
	if (r < 0)
		return r;
	len = read(fd, text, sizeof(text));
	if (len < 0)
		return neg_errno();
	if ((size_t)len >= SYSCTL_VALUE_MAX)
		return -E2BIG;
	text[len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	memcpy(value, text, strlen(text) + 1);
	return 0;
}

int sysctl_write(const char *name, const char *value)
{
	char kept[SYSCTL_VALUE_MAX];
	AUTO_CLOSE int fd = -EBADF;
	ssize_t len;
	int r;

	r = sysctl_open(name, O_WRONLY, &fd);
	if (r < 0)
		return r;
	len = write(fd, value, strlen(value));
	if (len < 0)
		return neg_errno();
	r = sysctl_read(name, kept);
	if (r < 0)
		return r;
	return strcmp(kept, value) == 0 ? 0 : -EPROTO;
}
