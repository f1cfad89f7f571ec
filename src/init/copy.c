/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "copy.h"

#include "loop.h"
#include "progress.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <base/num.h>
#include <os/file.h>

#define RAM_FOLDER "/run/lethe/ram"
#define RAM_FILE   RAM_FOLDER "/root.img"

#define CHUNK (1u << 20)

/* What must stay free for the system to start in. */
#define MEMORY_LEFT (UINT64_C(256) << 20)

/* Bytes of memory that could be had now. */
static int memory_available(uint64_t *ret_bytes)
{
	AUTO_BUF struct buf text = {.cap = 65536};
	static const char label[] = "\nMemAvailable:";
	int r = file_read("/proc/meminfo", &text);
	char digits[24];
	const char *at;
	uint64_t kib;
	size_t len;

	if (r < 0)
		return r;
	at = strstr(buf_text(&text), label);
	if (!at)
		return -ENODATA;
	at += strlen(label);
	at += strspn(at, " ");
	len = strspn(at, "0123456789");
	if (len >= sizeof(digits))
		return -ERANGE;
	memcpy(digits, at, len);
	digits[len] = '\0';
	r = num_parse_u64(digits, UINT64_MAX / 1024, &kib);
	if (r == 0)
		*ret_bytes = kib * 1024;
	return r;
}

static int make_room(uint64_t size, struct diag *diag)
{
	uint64_t available = 0;
	char options[96];
	int r = memory_available(&available);

	if (r == 0 && available < size + MEMORY_LEFT) {
		diag_set(diag, "", 0, 0,
			 "cannot copy the medium to memory: that takes %" PRIu64
			 " MB and leaves too little, %" PRIu64 " MB are free",
			 size / 1000000, available / 1000000);
		diag_hint(diag, "Choose the start without copying.");
		return -ENOMEM;
	}
	snprintf(options, sizeof(options), "mode=0700,noswap,size=%" PRIu64, size);
	if (r == 0 && mkdir(RAM_FOLDER, 0700) < 0)
		r = neg_errno();
	if (r == 0 &&
	    mount("tmpfs", RAM_FOLDER, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) < 0)
		r = neg_errno();
	if (r < 0)
		diag_set(diag, "", 0, 0, "cannot make room in memory for a copy of the medium: %s",
			 strerror(-r));
	return r;
}

static int open_device(dev_t dev, int *ret_fd)
{
	char path[IMAGE_PATH_MAX];
	int fd;

	image_path(dev, path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return neg_errno();
	*ret_fd = fd;
	return 0;
}

/* Bytes @from to @to, at the same place in both. */
static int copy_range(int source, int target, uint64_t from, uint64_t to, struct progress *progress)
{
	AUTO_FREE char *data = malloc(CHUNK);

	if (!data)
		return -ENOMEM;
	while (from < to) {
		size_t want = to - from < CHUNK ? (size_t)(to - from) : CHUNK;
		ssize_t len = pread(source, data, want, (off_t)from);

		if (len < 0 && errno == EINTR)
			continue;
		if (len <= 0)
			return len < 0 ? neg_errno() : -EIO;
		if (pwrite(target, data, (size_t)len, (off_t)from) != len)
			return errno == ENOSPC ? -ENOSPC : -EIO;
		posix_fadvise(source, (off_t)from, len, POSIX_FADV_DONTNEED);
		from += (uint64_t)len;
		progress_show(progress, from);
	}
	return 0;
}

/* The data as dm-verity gives them; superblock and hash tree as they are, for they verify it. */
static int copy_all(const struct image *image, struct diag *diag)
{
	uint64_t data = image->verity.data_blocks * VERITY_BLOCK;
	uint64_t size = verity_image_blocks(image->verity.data_blocks) * VERITY_BLOCK;
	struct progress progress = {.doing = "copying to memory", .total = size};
	AUTO_CLOSE int verified = -EBADF, below = -EBADF, target = -EBADF;
	int r = open_device(image->dev, &verified);

	if (r == 0)
		r = open_device(image->below_dev, &below);
	if (r == 0) {
		target = open(RAM_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
		r = target < 0 ? neg_errno() : 0;
	}
	if (r == 0)
		r = copy_range(verified, target, 0, data, &progress);
	if (r == 0)
		r = copy_range(below, target, data, size, &progress);
	if (r < 0) {
		diag_set(diag, "", 0, 0, "cannot copy the medium to memory: %s", strerror(-r));
		diag_hint(diag,
			  "If the medium was not taken out, it is damaged: write it anew, best "
			  "onto another stick.");
	}
	return r;
}

int copy_to_ram(int control, struct image *image, struct diag *diag)
{
	uint64_t size = verity_image_blocks(image->verity.data_blocks) * VERITY_BLOCK;
	char path[LOOP_PATH_MAX];
	struct diag why = {0};
	dev_t dev;
	int r = make_room(size, diag);

	if (r == 0)
		r = copy_all(image, diag);
	if (r < 0)
		return r;
	image_close(control, image);
	r = loop_attach(RAM_FILE, path, &dev);
	if (r < 0) {
		diag_set(diag, "", 0, 0, "cannot use the copy in memory: %s", strerror(-r));
		return r;
	}
	r = image_open(control, image, dev, 0, &why);
	if (r < 0) {
		diag_set(diag, "", 0, 0, "cannot use the copy in memory: %s", why.message);
		diag_hint(diag, "The computer's memory may be faulty.");
	}
	return r;
}
