/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "medium.h"

#include "clock.h"
#include "console.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* A drive without a medium, or one that could not be read, is looked at again so often. Opening it
 * is also what makes the kernel notice that a medium has been put in. */
#define AGAIN_MS 1000

/* What is no disk that a person can start from; floppy drives would only make noise. */
static bool name_is_skipped(const char *name)
{
	static const char *const prefixes[] = {".",  "loop", "dm-", "ram",  "zram",
					       "md", "nbd",  "fd",  "drbd", "mtdblock"};

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

/* What is remembered of the disk; a new entry if it, or the medium in it, is new. NULL: no room. */
static struct medium_seen *remember(struct medium_search *search, const struct block_disk *disk)
{
	struct medium_seen *seen = NULL;

	for (size_t i = 0; i < search->seen_count && !seen; i++)
		if (strcmp(search->seen[i].name, disk->name) == 0)
			seen = &search->seen[i];
	if (seen && seen->sequence == disk->sequence)
		return seen;
	if (!seen) {
		if (search->seen_count == MEDIUM_REMEMBERED)
			return NULL;
		seen = &search->seen[search->seen_count++];
	}
	*seen = (struct medium_seen){.sequence = disk->sequence};
	memcpy(seen->name, disk->name, sizeof(seen->name));
	return seen;
}

static int open_disk(const struct block_disk *disk, int *ret_fd, dev_t *ret_dev)
{
	char path[64];
	struct stat status;
	AUTO_CLOSE int fd = -EBADF;

	snprintf(path, sizeof(path), "/dev/%s", disk->name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) < 0)
		return neg_errno();
	if (!S_ISBLK(status.st_mode))
		return -ENOTBLK;
	*ret_fd = TAKE_FD(fd);
	*ret_dev = status.st_rdev;
	return 0;
}

static void bad(struct medium_search *search, const struct block_disk *disk, const char *why)
{
	search->bad++;
	diag_set(&search->last_bad, "", 0, 0, "%s holds this Lethe, but %s", disk->name, why);
	console_say("%s (%s%s%s) is not used: %s", disk->name, disk->bus,
		    disk->model[0] ? ", " : "", disk->model, why);
}

/* The superblock matches; does dm-verity too? */
static enum medium_verdict try_candidate(struct medium_search *search,
					 const struct block_disk *disk, dev_t dev, bool *ret_good)
{
	struct diag diag = {0};
	int r = image_open(search->control, search->image, dev, search->offset, &diag);

	if (r < 0) {
		bad(search, disk, diag.message);
		return MEDIUM_BAD;
	}
	*ret_good = true;
	return MEDIUM_NOT;
}

/* Read the superblock and act on it. Sets *@ret_good if the image is open. */
static enum medium_verdict judge(struct medium_search *search, const struct block_disk *disk,
				 int fd, dev_t dev, bool *ret_good)
{
	const struct verity_image *verity = &search->image->verity;
	off_t at = (off_t)(search->offset + verity->data_blocks * VERITY_BLOCK);
	off_t end =
	    (off_t)(search->offset + verity_image_blocks(verity->data_blocks) * VERITY_BLOCK);
	off_t size = lseek(fd, 0, SEEK_END);
	uint8_t data[VERITY_BLOCK];
	ssize_t len;

	if (size <= 0)
		return MEDIUM_UNREAD;
	len = pread(fd, data, sizeof(data), at);
	if (len < 0) {
		console_note("%s cannot be read: %m", disk->name);
		return MEDIUM_UNREAD;
	}
	switch (verity_judge_superblock(data, (size_t)len, verity)) {
	case VERITY_SUPERBLOCK_SAME:
		break;
	case VERITY_SUPERBLOCK_UNFIT:
		bad(search, disk, "its verity superblock is not the one that belongs to it");
		return MEDIUM_BAD;
	case VERITY_SUPERBLOCK_OTHER:
		console_say("%s (%s) holds another image than the one that was started; not used",
			    disk->name, disk->bus);
		return MEDIUM_NOT;
	case VERITY_SUPERBLOCK_NONE:
	default:
		return MEDIUM_NOT;
	}
	if (size < end) {
		bad(search, disk, "it ends before the image does: it was not written completely");
		return MEDIUM_BAD;
	}
	return try_candidate(search, disk, dev, ret_good);
}

static bool look_at(struct medium_search *search, const char *name, struct block_disk *ret_disk)
{
	AUTO_CLOSE int fd = -EBADF;
	struct block_disk disk;
	struct medium_seen *seen;
	bool good = false;
	dev_t dev = 0;

	if (block_read(name, &disk) < 0 || disk.hidden || (disk.sectors == 0 && !disk.removable))
		return false;
	seen = remember(search, &disk);
	if (!seen || (seen->when_ms && !disk.removable && seen->verdict != MEDIUM_UNREAD) ||
	    (seen->when_ms && clock_ms() - seen->when_ms < AGAIN_MS))
		return false;
	seen->when_ms = clock_ms();
	if (open_disk(&disk, &fd, &dev) < 0)
		return false;
	/* Opening it may have shown that the medium is another one. */
	if (block_read(name, &disk) < 0 || !(seen = remember(search, &disk)))
		return false;
	if (seen->when_ms && seen->verdict != MEDIUM_UNREAD)
		return false;
	seen->when_ms = clock_ms();
	seen->verdict = judge(search, &disk, fd, dev, &good);
	if (seen->verdict != MEDIUM_UNREAD)
		search->news_ms = clock_ms();
	if (good)
		*ret_disk = disk;
	return good;
}

int medium_look(struct medium_search *search, struct block_disk *ret_disk)
{
	AUTO_DIR DIR *disks = opendir("/sys/block");
	struct dirent *entry;

	while (disks && (entry = readdir(disks)))
		if (!name_is_skipped(entry->d_name) && look_at(search, entry->d_name, ret_disk))
			return 0;
	return -ENODEV;
}
