/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "block.h"

#include "file.h"

#include <limits.h>
#include <string.h>
#include <sys/sysmacros.h>

static bool component_is(const char *component, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(component, prefix, len) == 0 && component[len] >= '0' &&
	       component[len] <= '9';
}

const char *block_bus(const char *path)
{
	/* The outermost that says something decides: a USB stick is also a SCSI disk. Virtio comes
	 * last because virtio-scsi's disks are SCSI ones. */
	static const char *const buses[][2] = {
	    {"usb", "usb"}, {"ata", "ata"},   {"nvme", "nvme"},
	    {"mmc", "mmc"}, {"host", "scsi"}, {"virtio", "virtio"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(buses); i++)
		for (const char *at = strchr(path, '/'); at; at = strchr(at + 1, '/'))
			if (component_is(at + 1, buses[i][0]))
				return buses[i][1];
	return "other";
}

/* Printable ASCII only, and no blanks around it: disks name themselves, so it is foreign text. */
static void clean_model(char *text)
{
	size_t len = 0;

	for (const char *c = text; *c; c++)
		if ((*c > ' ' && *c < 0x7f) || (*c == ' ' && len > 0))
			text[len++] = *c;
	while (len > 0 && text[len - 1] == ' ')
		len--;
	text[len] = '\0';
}

static uint64_t number_or_zero(const char *name, const char *attribute)
{
	char path[PATH_MAX];
	uint64_t value = 0;

	snprintf(path, sizeof(path), "/sys/block/%s/%s", name, attribute);
	return file_read_number(path, &value) < 0 ? 0 : value;
}

int block_read(const char *name, struct block_disk *ret_disk)
{
	struct block_disk disk = {0};
	char path[PATH_MAX], real[PATH_MAX];

	if (strlen(name) >= sizeof(disk.name) || strchr(name, '/') || name[0] == '.')
		return -ENOENT;
	memcpy(disk.name, name, strlen(name) + 1);
	snprintf(path, sizeof(path), "/sys/block/%s", name);
	if (!realpath(path, real))
		return neg_errno();
	disk.bus = block_bus(real);
	disk.removable = number_or_zero(name, "removable") == 1;
	disk.hidden = number_or_zero(name, "hidden") == 1;
	disk.sectors = number_or_zero(name, "size");
	disk.sequence = number_or_zero(name, "diskseq");
	snprintf(path, sizeof(path), "/sys/block/%s/device/model", name);
	if (file_read_line(path, disk.model, sizeof(disk.model)) < 0) {
		snprintf(path, sizeof(path), "/sys/block/%s/device/name", name);
		if (file_read_line(path, disk.model, sizeof(disk.model)) < 0)
			disk.model[0] = '\0';
	}
	clean_model(disk.model);
	*ret_disk = disk;
	return 0;
}

int block_read_dev(dev_t dev, struct block_disk *ret_disk)
{
	char path[64], real[PATH_MAX];
	const char *name;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(dev), minor(dev));
	if (!realpath(path, real))
		return neg_errno();
	name = strrchr(real, '/');
	return block_read(name ? name + 1 : real, ret_disk);
}
