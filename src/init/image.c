/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "image.h"

#include "console.h"
#include "progress.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/sysmacros.h>

#include <os/dm.h>

#define CHUNK (1u << 20) /* bytes read at once when all are */

void image_path(dev_t dev, char path[static IMAGE_PATH_MAX])
{
	snprintf(path, IMAGE_PATH_MAX, "/dev/dm-%u", minor(dev));
}

/* Make the device @name of one target. */
static int map(int control, const char *name, const char *type, uint64_t blocks,
	       const struct buf *params, dev_t *ret_dev)
{
	dev_t dev = 0;
	int r = buf_finish(params);

	if (r == 0)
		r = dm_create(control, name, &dev);
	if (r < 0)
		return r;
	r = dm_load(control, name, type, blocks * VERITY_SECTORS, buf_text(params));
	if (r == 0)
		r = dm_resume(control, name);
	if (r < 0)
		(void)!dm_remove(control, name);
	else
		*ret_dev = dev;
	return r;
}

static int map_verity(int control, const struct image *image, enum verity_on_corruption how,
		      dev_t *ret_dev)
{
	AUTO_BUF struct buf params = {.cap = DM_PARAMS_MAX};

	verity_print_table(&image->verity, image->below_dev, how, &params);
	return map(control, image->name, "verity", image->verity.data_blocks, &params, ret_dev);
}

static int map_linear(int control, const struct image *image, dev_t disk, uint64_t offset,
		      dev_t *ret_dev)
{
	AUTO_BUF struct buf params = {.cap = DM_PARAMS_MAX};

	buf_printf(&params, "%u:%u %" PRIu64, major(disk), minor(disk), offset / DM_SECTOR);
	return map(control, image->below, "linear", verity_image_blocks(image->verity.data_blocks),
		   &params, ret_dev);
}

static int read_block(int fd, uint64_t block)
{
	static char data[VERITY_BLOCK];
	ssize_t len = pread(fd, data, sizeof(data), (off_t)(block * VERITY_BLOCK));

	if (len < 0)
		return neg_errno();
	return len == (ssize_t)sizeof(data) ? 0 : -EIO;
}

static int open_verified(const struct image *image, int *ret_fd)
{
	char path[IMAGE_PATH_MAX];
	int fd;

	image_path(image->dev, path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return neg_errno();
	*ret_fd = fd;
	return 0;
}

/* The first and the last block: a wrong root hash and an image cut short fail here already. */
static int try_blocks(const struct image *image, struct diag *diag)
{
	const uint64_t blocks[] = {0, image->verity.data_blocks - 1};
	AUTO_CLOSE int fd = -EBADF;
	int r = open_verified(image, &fd);

	if (r < 0) {
		diag_set(diag, "", 0, 0, "the verified device cannot be opened: %s", strerror(-r));
		return r;
	}
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
		r = read_block(fd, blocks[i]);
		if (r < 0) {
			diag_set(diag, "", 0, 0,
				 "block %" PRIu64 " of %" PRIu64 " cannot be verified: %s",
				 blocks[i], image->verity.data_blocks, strerror(-r));
			return r;
		}
	}
	return 0;
}

int image_open(int control, struct image *image, dev_t disk, uint64_t offset, struct diag *diag)
{
	int r = map_linear(control, image, disk, offset, &image->below_dev);

	if (r < 0) {
		diag_set(diag, "", 0, 0, "it cannot be mapped: %s", strerror(-r));
		return r;
	}
	r = map_verity(control, image, VERITY_EIO, &image->dev);
	if (r < 0)
		diag_set(diag, "", 0, 0, "dm-verity cannot be put over it: %s", strerror(-r));
	else
		r = try_blocks(image, diag);
	if (r < 0)
		image_close(control, image);
	return r;
}

void image_close(int control, struct image *image)
{
	(void)!dm_remove(control, image->name);
	(void)!dm_remove(control, image->below);
}

/* Which block of the @len bytes from @at it was that failed; for a person to report. */
static uint64_t find_block(int fd, uint64_t at, size_t len)
{
	for (uint64_t block = at / VERITY_BLOCK; block < (at + len) / VERITY_BLOCK; block++)
		if (read_block(fd, block) < 0)
			return block;
	return at / VERITY_BLOCK;
}

int image_check(const struct image *image, struct diag *diag)
{
	uint64_t size = image->verity.data_blocks * VERITY_BLOCK;
	struct progress progress = {.doing = "verifying", .total = size};
	AUTO_FREE char *data = malloc(CHUNK);
	AUTO_CLOSE int fd = -EBADF;
	int r = data ? open_verified(image, &fd) : -ENOMEM;

	for (uint64_t at = 0; r == 0 && at < size;) {
		size_t want = size - at < CHUNK ? (size_t)(size - at) : CHUNK;
		ssize_t len = pread(fd, data, want, (off_t)at);

		if (len < 0 && errno == EINTR)
			continue;
		if (len <= 0) {
			r = len < 0 ? neg_errno() : -EIO;
			diag_set(diag, "", 0, 0,
				 "block %" PRIu64 " of %" PRIu64 " cannot be verified: %s",
				 find_block(fd, at, want), image->verity.data_blocks, strerror(-r));
			return r;
		}
		/* It is not needed again soon, and small computers need the memory. */
		posix_fadvise(fd, (off_t)at, len, POSIX_FADV_DONTNEED);
		at += (uint64_t)len;
		progress_show(&progress, at);
	}
	if (r < 0)
		diag_set(diag, "", 0, 0, "it cannot be read: %s", strerror(-r));
	return r;
}

int image_panic_on_corruption(int control, const struct image *image, struct diag *diag)
{
	AUTO_BUF struct buf params = {.cap = DM_PARAMS_MAX};
	int r;

	verity_print_table(&image->verity, image->below_dev, VERITY_PANIC, &params);
	r = buf_finish(&params);
	if (r == 0)
		r = dm_load(control, image->name, "verity",
			    image->verity.data_blocks * VERITY_SECTORS, buf_text(&params));
	if (r == 0)
		r = dm_resume(control, image->name);
	if (r < 0) {
		diag_set(diag, "", 0, 0,
			 "cannot have the kernel stop at a block that does not verify: %s",
			 strerror(-r));
		diag_hint(diag, "Start again; if it happens again, report the problem.");
	}
	return r;
}
