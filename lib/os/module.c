/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "module.h"

#include <fcntl.h>
#include <sys/syscall.h>

int module_load(const char *path, const char *parameters)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return neg_errno();
	if (syscall(SYS_finit_module, fd, parameters, 0) == 0 || errno == EEXIST)
		return 0;
	return neg_errno();
}
