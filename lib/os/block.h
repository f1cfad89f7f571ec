/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What sysfs tells of a whole disk. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <base/cleanup.h>

#define BLOCK_NAME_MAX  32 /* DISK_NAME_LEN */
#define BLOCK_MODEL_MAX 65

struct block_disk {
	char name[BLOCK_NAME_MAX];   /* "sda" */
	char model[BLOCK_MODEL_MAX]; /* printable ASCII without blanks around it; "" if unknown */
	const char *bus;             /* usb, ata, scsi, nvme, mmc, virtio or other; never NULL */
	bool removable;
	bool hidden;       /* a path of a multipath disk: nothing to open */
	uint64_t sectors;  /* of 512 bytes; 0: no medium in it, or not known yet */
	uint64_t sequence; /* another number means another disk or medium; 0: unknown */
};

/* Which bus a disk hangs on, by its device path in sysfs. Pure; never NULL. */
const char *block_bus(const char *path);

/* Read /sys/block/@name. Returns 0, -ENOENT (gone), or -errno. */
MUST_CHECK int block_read(const char *name, struct block_disk *ret_disk);

/* The whole disk with this number. Returns 0, -ENOENT (gone, or a partition), or -errno. */
MUST_CHECK int block_read_dev(dev_t dev, struct block_disk *ret_disk);
