/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "signals.h"

#include <signal.h>
#include <sys/signalfd.h>

int signals_open(int more, int *ret_fd)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (more != 0 && sigaddset(&set, more) < 0)
		return neg_errno();
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return neg_errno();
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return neg_errno();
	*ret_fd = fd;
	return 0;
}
