/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "loop.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

int loop_attach(const char *file, char ret_path[static LOOP_PATH_MAX], dev_t *ret_dev)
{
	AUTO_CLOSE int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	AUTO_CLOSE int backing = open(file, O_RDONLY | O_CLOEXEC);
	struct loop_config config = {.info.lo_flags = LO_FLAGS_READ_ONLY};
	AUTO_CLOSE int loop = -EBADF;
	char path[LOOP_PATH_MAX];
	struct stat status;
	int number;

	if (control < 0 || backing < 0)
		return neg_errno();
	number = ioctl(control, LOOP_CTL_GET_FREE);
	if (number < 0)
		return neg_errno();
	snprintf(path, sizeof(path), "/dev/loop%d", number);
	loop = open(path, O_RDONLY | O_CLOEXEC);
	if (loop < 0)
		return neg_errno();
	config.fd = (uint32_t)backing;
	if (ioctl(loop, LOOP_CONFIGURE, &config) < 0 || fstat(loop, &status) < 0)
		return neg_errno();
	memcpy(ret_path, path, sizeof(path));
	*ret_dev = status.st_rdev;
	return 0;
}
