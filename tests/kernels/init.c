/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The first process under another kernel (see kernels.py): this computer's own files, which it
 * cannot change, with memory laid over them, and in that root the program whose path /program
 * holds. It is given no network card. If anything fails, it says what and the machine ends.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <base/cleanup.h>
#include <os/file.h>
#include <os/module.h>

#define FOLDER_MODULES "/modules"
#define LIST_MAX       4096
#define NINE           "trans=virtio,version=9p2000.L,msize=512000"

static const struct place {
	const char *kind, *source, *target, *options;
	unsigned long flags;
} places[] = {
    {"devtmpfs", "devtmpfs", "/dev", "", 0},
    {"9p", "root", "/lower", NINE ",cache=loose", MS_RDONLY},
    {"tmpfs", "upper", "/upper", "mode=0755", 0},
    {"overlay", "root", "/root",
     "lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work,xino=off", 0},
    {"proc", "proc", "/root/proc", "", 0},
    {"sysfs", "sysfs", "/root/sys", "", 0},
    {"cgroup2", "cgroup2", "/root/sys/fs/cgroup", "", 0},
    {"tracefs", "tracefs", "/root/sys/kernel/tracing", "", 0},
    {"devtmpfs", "devtmpfs", "/root/dev", "", 0},
    {"devpts", "devpts", "/root/dev/pts", "", 0},
    {"tmpfs", "shm", "/root/dev/shm", "mode=1777", 0},
    {"tmpfs", "run", "/root/run", "mode=0755", 0},
    {"tmpfs", "tmp", "/root/tmp", "mode=1777", 0},
    /* Where the host reads what has become of it. */
    {"9p", "results", "/root/mnt", NINE, 0},
};

/* What is mounted in the new root afterwards: the modules of the kernel that runs. */
static const char modules_places[][24] = {"/root/usr/lib", "/root/usr/lib/modules"};

/* The environment of all that is run. */
static const struct setting {
	const char *name, *value;
} settings[] = {
    {"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"},
    {"LC_ALL", "C.UTF-8"},
    {"TZ", "UTC"},
    {"HOME", "/"},
};

static int fail(const char *what, int error)
{
	fprintf(stderr, "kernels-init: %s: %s\n", what, strerror(-error));
	return error;
}

static int load_modules(void)
{
	AUTO_BUF struct buf list = {.cap = LIST_MAX};
	char path[PATH_MAX];
	int r = file_read(FOLDER_MODULES "/list", &list);

	if (r < 0)
		return fail("read the list of modules", r);
	for (char *rest = list.data, *name; (name = strsep(&rest, "\n")) && *name;) {
		snprintf(path, sizeof(path), FOLDER_MODULES "/%s", name);
		r = module_load(path, "");
		if (r < 0)
			return fail(path, r);
	}
	return 0;
}

static int make_folder(const char *path)
{
	return mkdir(path, 0755) < 0 && errno != EEXIST ? fail(path, neg_errno()) : 0;
}

static int mount_one(const struct place *place)
{
	int r = make_folder(place->target);

	if (r == 0 && strcmp(place->kind, "overlay") == 0) {
		r = make_folder("/upper/files");
		if (r == 0)
			r = make_folder("/upper/work");
	}
	if (r == 0 &&
	    mount(place->source, place->target, place->kind, place->flags, place->options) < 0)
		r = fail(place->target, neg_errno());
	return r;
}

static int mount_modules(void)
{
	struct utsname kernel;
	char path[PATH_MAX];
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(modules_places); i++)
		r = make_folder(modules_places[i]);
	if (r == 0 && uname(&kernel) < 0)
		r = neg_errno();
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/root/usr/lib/modules/%s", kernel.release);
	return mount_one(&(struct place){"9p", "modules", path, NINE ",cache=loose", MS_RDONLY});
}

static int enter_root(void)
{
	if (chdir("/root") < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 ||
	    chdir("/") < 0)
		return fail("enter the new root", neg_errno());
	return 0;
}

/* The console is whatever the kernel's command line says. */
static void open_console(void)
{
	int fd = open("/dev/console", O_RDWR | O_NOCTTY);

	for (int i = 0; fd >= 0 && i <= STDERR_FILENO; i++)
		if (fd != i)
			dup2(fd, i);
}

static int start(void)
{
	char program[PATH_MAX];
	int r = file_read_line("/program", program, sizeof(program));

	if (r < 0)
		return fail("/program", r);
	r = mount_one(&places[0]);
	open_console();
	if (r == 0)
		r = load_modules();
	for (size_t i = 1; r == 0 && i < ARRAY_SIZE(places); i++)
		r = mount_one(&places[i]);
	if (r == 0)
		r = mount_modules();
	if (r == 0)
		r = enter_root();
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		setenv(settings[i].name, settings[i].value, 1);
	execv(program, (char *[]){program, NULL});
	return fail(program, neg_errno());
}

int main(void)
{
	if (getpid() != 1) {
		fprintf(stderr, "kernels-init: it is started by a kernel, as its first process\n");
		return 2;
	}
	(void)!start();
	sync();
	reboot(RB_POWER_OFF);
	return 1;
}
