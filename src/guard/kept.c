/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Files in /run that outlive this process: what it enforces, as a batch, so that a guard that
 * follows one that was killed knows what the kernel should hold; and that all was shut. Only root
 * can write them; what is read is checked like any stored batch. They go when a guard ends in
 * order.
 */
#include "resident.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static int write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t written = write(fd, data, len);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return neg_errno();
		data += written;
		len -= (size_t)written;
	}
	return 0;
}

int kept_write(const char *path, const void *data, size_t len, mode_t mode)
{
	char fresh[GUARD_PATH_MAX + 8];
	AUTO_CLOSE int fd = -EBADF;
	int r = snprintf(fresh, sizeof(fresh), "%s.new", path);

	if (r < 0 || (size_t)r >= sizeof(fresh))
		return -E2BIG;
	/* One that was left, whoever made it, is not written into. */
	if (unlink(fresh) < 0 && errno != ENOENT)
		return neg_errno();
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return neg_errno();
	r = write_all(fd, data, len);
	if (r == 0 && rename(fresh, path) < 0)
		r = neg_errno();
	if (r < 0)
		unlink(fresh);
	return r;
}

int kept_save(const struct resident *resident)
{
	const struct nf_batch_options how = {.device_prefix = true};
	AUTO_BUF struct buf batch = {.cap = NF_BATCH_MAX};
	char path[GUARD_PATH_MAX];
	int r = guard_path(resident->options->folder, "batch", path);

	if (r == 0)
		r = nf_batch_build(resident->wanted, &how, &batch);
	return r < 0 ? r : kept_write(path, batch.data, batch.len, 0600);
}

static int read_file(const char *path, char **ret_data, size_t *ret_len)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	AUTO_FREE char *data = NULL;
	struct stat status;
	size_t done = 0;

	if (fd < 0 || fstat(fd, &status) < 0)
		return neg_errno();
	if (!S_ISREG(status.st_mode) || status.st_uid != 0 || status.st_mode & 022 ||
	    status.st_size <= 0 || status.st_size > NF_BATCH_MAX)
		return -EBADMSG;
	data = malloc((size_t)status.st_size);
	if (!data)
		return -ENOMEM;
	while (done < (size_t)status.st_size) {
		ssize_t got = read(fd, data + done, (size_t)status.st_size - done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -EBADMSG;
		done += (size_t)got;
	}
	*ret_data = TAKE_PTR(data);
	*ret_len = done;
	return 0;
}

int kept_load(const struct resident *resident, struct ruleset **ret_ruleset)
{
	AUTO_FREE char *data = NULL;
	char path[GUARD_PATH_MAX];
	size_t len = 0;
	int r = guard_path(resident->options->folder, "batch", path);

	r = r < 0 ? r : read_file(path, &data, &len);
	r = r < 0 ? r : nf_batch_read(data, len, ret_ruleset);
	if (r < 0 && r != -ENOENT && r != -ENOMEM) {
		tell("cannot use %s, which a guard before left: %s", path, strerror(-r));
		return -ENOENT;
	}
	return r;
}

void kept_forget(const struct resident *resident, const char *suffix)
{
	char path[GUARD_PATH_MAX];
	int r = guard_path(resident->options->folder, suffix, path);

	if (r == 0 && unlink(path) < 0 && errno != ENOENT)
		r = neg_errno();
	if (r < 0)
		tell("cannot remove guard-*.%s in %s: %s", suffix, resident->options->folder,
		     strerror(-r));
}

int kept_mark_shut(const struct resident *resident)
{
	char path[GUARD_PATH_MAX];
	int r = guard_path(resident->options->folder, "shut", path);

	return r < 0 ? r : kept_write(path, resident->shut_why, strlen(resident->shut_why), 0600);
}

bool kept_is_shut(const struct resident *resident)
{
	char path[GUARD_PATH_MAX];
	struct stat status;

	/* Who cannot tell takes the worse for true. */
	return guard_path(resident->options->folder, "shut", path) < 0 ||
	       stat(path, &status) == 0 || errno != ENOENT;
}
