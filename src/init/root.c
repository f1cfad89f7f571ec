/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "root.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#define NEW_ROOT "/newroot"
#define SYSTEMD  "/usr/lib/systemd/systemd"

#define AGAIN_HINT "Start again; if it happens again, report the problem."

static int make_folder(const char *path, mode_t mode)
{
	return mkdir(path, mode) < 0 && errno != EEXIST ? neg_errno() : 0;
}

/* Mount, on a folder that is made if need be. */
static int do_mount(const char *type, const char *source, const char *where, unsigned long flags,
		    const char *data, struct diag *diag)
{
	int r = make_folder(where, 0755);

	if (r == 0 && mount(source, where, type, flags, data) < 0)
		r = neg_errno();
	if (r < 0) {
		diag_set(diag, "", 0, 0, "cannot mount %s on %s: %s", type, where, strerror(-r));
		diag_hint(diag, AGAIN_HINT);
	}
	return r;
}

/* The kernel gives PID 1 no descriptors where its initramfs has no console; whatever is opened next
 * would then be taken for one. */
static int open_standard(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
		if (fd < 0)
			return neg_errno();
	} while (fd <= STDERR_FILENO);
	close(fd);
	return 0;
}

int root_mount_basics(struct diag *diag)
{
	static const struct {
		const char *type, *where, *data;
		unsigned long flags;
	} basics[] = {
	    {"proc", "/proc", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC},
	    {"sysfs", "/sys", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC},
	    {"devtmpfs", "/dev", "mode=0755", MS_NOSUID | MS_NOEXEC},
	    {"tmpfs", "/run", "mode=0755,size=20%", MS_NOSUID | MS_NODEV},
	};
	int r = 0;

	umask(022);
	for (size_t i = 0; i < ARRAY_SIZE(basics) && r == 0; i++)
		r = do_mount(basics[i].type, basics[i].type, basics[i].where, basics[i].flags,
			     basics[i].data, diag);
	if (r == 0)
		r = open_standard();
	if (r == 0)
		r = make_folder("/run/lethe", 0755);
	if (r < 0 && !diag->message[0])
		diag_set(diag, "", 0, 0, "cannot prepare /dev and /run: %s", strerror(-r));
	return r;
}

int root_mount_squashfs(const char *device, const char *where, struct diag *diag)
{
	int r = do_mount("squashfs", device, where, MS_RDONLY | MS_NODEV | MS_NOSUID, NULL, diag);

	if (r == -EIO)
		diag_hint(diag,
			  "If the medium was not taken out, it is damaged: write it anew, best "
			  "onto another stick.");
	return r;
}

int root_mount_overlay(bool laboratory, struct diag *diag)
{
	static const char *const layers[] = {
	    "lowerdir=" ROOT_IMAGE ",upperdir=" ROOT_OVERLAY "/upper,workdir=" ROOT_OVERLAY "/work",
	    "lowerdir=" ROOT_LABORATORY ":" ROOT_IMAGE ",upperdir=" ROOT_OVERLAY
	    "/upper,workdir=" ROOT_OVERLAY "/work",
	};
	int r = do_mount("tmpfs", "tmpfs", ROOT_OVERLAY, MS_NOSUID | MS_NODEV, "mode=0700,size=50%",
			 diag);

	if (r < 0)
		return r;
	/* The mode of the upper folder is that of the system's root. */
	r = make_folder(ROOT_OVERLAY "/upper", 0755);
	if (r == 0)
		r = make_folder(ROOT_OVERLAY "/work", 0700);
	if (r < 0) {
		diag_set(diag, "", 0, 0, "cannot make a folder in " ROOT_OVERLAY ": %s",
			 strerror(-r));
		diag_hint(diag, AGAIN_HINT);
		return r;
	}
	return do_mount("overlay", "overlay", NEW_ROOT, 0, layers[laboratory], diag);
}

static int move_basics(struct diag *diag)
{
	static const char *const basics[] = {"/dev", "/proc", "/sys", "/run"};
	char to[32];

	for (size_t i = 0; i < ARRAY_SIZE(basics); i++) {
		snprintf(to, sizeof(to), NEW_ROOT "%s", basics[i]);
		if (mount(basics[i], to, NULL, MS_MOVE, NULL) < 0) {
			int r = neg_errno();

			diag_set(diag, "", 0, 0, "cannot move %s into the system: %s", basics[i],
				 strerror(-r));
			diag_hint(diag, AGAIN_HINT);
			return r;
		}
	}
	return 0;
}

/* Is this the initramfs? Nothing else may ever be emptied. */
static bool is_initramfs(int fd)
{
	struct statfs status;

	return fstatfs(fd, &status) == 0 &&
	       (status.f_type == RAMFS_MAGIC || status.f_type == TMPFS_MAGIC);
}

#define DEPTH_MAX 16

/* Delete what is in the initramfs, so that its memory is free. What cannot be deleted stays: that
 * costs memory and nothing else. Takes @root. */
static void free_initramfs(int root)
{
	DIR *open_dirs[DEPTH_MAX];
	struct stat top, status;
	struct dirent *entry;
	size_t depth = 1;

	open_dirs[0] = fstat(root, &top) == 0 && is_initramfs(root) ? fdopendir(root) : NULL;
	if (!open_dirs[0]) {
		close(root);
		return;
	}
	while (depth > 0) {
		int dir = dirfd(open_dirs[depth - 1]), fd;

		entry = readdir(open_dirs[depth - 1]);
		if (!entry) {
			closedir(open_dirs[--depth]);
			continue;
		}
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    unlinkat(dir, entry->d_name, 0) == 0 || depth == DEPTH_MAX)
			continue;
		fd = openat(dir, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			continue;
		/* Never into what is mounted there. */
		open_dirs[depth] =
		    fstat(fd, &status) == 0 && status.st_dev == top.st_dev ? fdopendir(fd) : NULL;
		if (open_dirs[depth])
			depth++;
		else
			close(fd);
	}
}

static int enter(void)
{
	if (chdir(NEW_ROOT) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 ||
	    chdir("/") < 0)
		return neg_errno();
	return 0;
}

int root_switch(struct diag *diag)
{
	/* Words of the command line that the kernel does not know come as arguments and
	 * environment: none of them reaches the system. */
	static char name[] = SYSTEMD, home[] = "HOME=/", term[] = "TERM=linux";
	char *const words[] = {name, NULL}, *const environment[] = {home, term, NULL};
	int old = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = old < 0 ? neg_errno() : move_basics(diag);

	if (r == 0)
		r = enter();
	if (r == 0) {
		free_initramfs(old);
		execve(SYSTEMD, words, environment);
		r = neg_errno();
	}
	if (!diag->message[0]) {
		diag_set(diag, "", 0, 0, "cannot start the system's " SYSTEMD ": %s", strerror(-r));
		diag_hint(diag, AGAIN_HINT);
	}
	return r;
}
