/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "namespace.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <os/netns.h>

#include "inside.h"

#define PATH_BYTES (sizeof(NAMESPACE_DIRECTORY) + 1 + NAMESPACE_NAME_MAX)

bool namespace_name_is_valid(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len >= NAMESPACE_NAME_MAX || name[0] < 'a' || name[0] > 'z')
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

void namespace_user(const char *name, char ret_user[static NAMESPACE_USER_MAX])
{
	snprintf(ret_user, NAMESPACE_USER_MAX, "%.*s-net", NAMESPACE_NAME_MAX - 1, name);
}

static int path_of(const char *name, char ret_path[static PATH_BYTES])
{
	if (!namespace_name_is_valid(name))
		return -EINVAL;
	snprintf(ret_path, PATH_BYTES, "%s/%.*s", NAMESPACE_DIRECTORY, NAMESPACE_NAME_MAX - 1,
		 name);
	return 0;
}

/* The user namespace that @net belongs to, if it is @uid's. */
static int owner_open(int net, uid_t uid, int *ret_user)
{
	AUTO_CLOSE int user = ioctl(net, NS_GET_USERNS);
	uid_t owner = 0;

	/* EPERM: it belongs to one that is not below the caller's. */
	if (user < 0)
		return neg_errno();
	if (ioctl(user, NS_GET_OWNER_UID, &owner) < 0)
		return neg_errno();
	if (owner != uid || uid == 0)
		return -EPERM;
	*ret_user = TAKE_FD(user);
	return 0;
}

int namespace_open(const char *name, uid_t uid, int *ret_net, int *ret_user)
{
	AUTO_CLOSE int net = -EBADF;
	char path[PATH_BYTES];
	uint64_t number;
	int r = path_of(name, path);

	if (r < 0)
		return r;
	net = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (net < 0)
		return neg_errno();
	r = netns_identity(net, &number);
	if (r == 0)
		r = owner_open(net, uid, ret_user);
	if (r < 0)
		return r;
	*ret_net = TAKE_FD(net);
	return 0;
}

static int folder_make(const char *path)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return neg_errno();
	return 0;
}

/* The empty file that the namespace is mounted over. */
static int place_make(const char *path)
{
	int fd, r = folder_make("/run/lethe");

	if (r == 0)
		r = folder_make(NAMESPACE_DIRECTORY);
	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0444);
	if (fd < 0)
		return neg_errno();
	close(fd);
	return 0;
}

static int mount_at(int net, const char *path)
{
	char source[64];
	int r = place_make(path);

	if (r < 0)
		return r;
	snprintf(source, sizeof(source), "/proc/self/fd/%d", net);
	if (mount(source, path, NULL, MS_BIND, NULL) == 0)
		return 0;
	r = neg_errno();
	unlink(path);
	return r;
}

int namespace_make(const char *name, uid_t uid, gid_t gid)
{
	AUTO_CLOSE int net = -EBADF, user = -EBADF;
	char path[PATH_BYTES];
	int r = path_of(name, path);

	if (r == 0)
		r = namespace_open(name, uid, &net, &user);
	if (r == 0 || r == -EINVAL)
		return r;
	if (r == -EPERM)
		return -EEXIST;
	/* An empty file that a mount has left is no namespace, and is mounted over. */
	if (r != -ENOENT && r != -EPROTO)
		return r;
	r = inside_new(uid, gid, &net);
	return r < 0 ? r : mount_at(net, path);
}

int namespace_remove(const char *name)
{
	char path[PATH_BYTES];
	int r = path_of(name, path);

	if (r < 0)
		return r;
	/* EINVAL: nothing is mounted there. */
	if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT)
		return neg_errno();
	if (unlink(path) < 0 && errno != ENOENT)
		return neg_errno();
	return 0;
}
