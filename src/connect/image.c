/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "image.h"

#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

/* Those of lethe-connect-qr. */
enum { QR_FOUND = 0, QR_NONE = 1, QR_TOO_LARGE = 4, QR_NO_PICTURE = 5 };

/* The program beside this one, wherever that is. */
static int find_program(char path[static PATH_MAX])
{
	static const char name[] = "/lethe-connect-qr";
	ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
	char *slash;

	if (length < 0)
		return neg_errno();
	path[length] = '\0';
	slash = strrchr(path, '/');
	if (!slash || (size_t)(slash - path) + sizeof(name) > PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(slash, name, sizeof(name));
	return 0;
}

static int start(int picture, int out, pid_t *ret_pid)
{
	char name[] = "lethe-connect-qr", path[PATH_MAX];
	char *const argv[] = {name, NULL}, *const environment[] = {NULL};
	posix_spawn_file_actions_t actions;
	int r = find_program(path);

	if (r < 0)
		return r;
	r = posix_spawn_file_actions_init(&actions);
	if (r != 0)
		return -r;
	r = posix_spawn_file_actions_adddup2(&actions, picture, STDIN_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn(ret_pid, path, &actions, NULL, argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

static void read_text(int fd, struct buf *out)
{
	char piece[4096];
	ssize_t got;

	while ((got = read(fd, piece, sizeof(piece))) > 0 || (got < 0 && errno == EINTR))
		if (got > 0)
			buf_add(out, piece, (size_t)got);
}

static int explain(int status)
{
	if (!WIFEXITED(status))
		return -ECHILD;
	switch (WEXITSTATUS(status)) {
	case QR_FOUND:
		return 0;
	case QR_NONE:
		return -ENODATA;
	case QR_TOO_LARGE:
		return -E2BIG;
	case QR_NO_PICTURE:
		return -EINVAL;
	default:
		return -ECHILD;
	}
}

int image_text(const char *path, struct buf *out)
{
	AUTO_CLOSE int picture = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	AUTO_CLOSE int from = -EBADF, to = -EBADF;
	int ends[2], status = -1, r;
	pid_t pid = -1;

	if (picture < 0 || pipe2(ends, O_CLOEXEC) < 0)
		return neg_errno();
	from = ends[0];
	to = ends[1];
	r = start(picture, to, &pid);
	if (r < 0)
		return r;
	closep(&to);
	to = -EBADF;
	read_text(from, out);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return neg_errno();
	r = explain(status);
	return r < 0 ? r : buf_finish(out);
}
