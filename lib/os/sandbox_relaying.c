/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The system calls of a program that hands on connections for a process that it has started. */
#include "sandbox.h"

#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

static void relaying_release(scmp_filter_ctx *filter)
{
	if (*filter)
		seccomp_release(*filter);
}

/* The kind of socket, without the flags that stand in the same number. */
#define SOCKET_KIND 0xfu

/* By TCP alone, and no signal but the one that ends @process. */
static int allow_narrow(scmp_filter_ctx filter, int process)
{
	int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
				 SCMP_A0(SCMP_CMP_EQ, AF_INET),
				 SCMP_A1(SCMP_CMP_MASKED_EQ, SOCKET_KIND, SOCK_STREAM));

	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(pidfd_send_signal), 2,
				     SCMP_A0_32(SCMP_CMP_EQ, (uint32_t)process),
				     SCMP_A1_32(SCMP_CMP_EQ, SIGKILL));
	/* glibc's fstat() */
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
				     SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH));
	return r;
}

int sandbox_relaying(int process)
{
	static const int calls[] = {
	    SCMP_SYS(read),          SCMP_SYS(write),
	    SCMP_SYS(writev),        SCMP_SYS(close),
	    SCMP_SYS(fstat),         SCMP_SYS(lseek),
	    SCMP_SYS(mmap),          SCMP_SYS(munmap),
	    SCMP_SYS(mremap),        SCMP_SYS(mprotect),
	    SCMP_SYS(madvise),       SCMP_SYS(brk),
	    SCMP_SYS(futex),         SCMP_SYS(getrandom),
	    SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday),
	    SCMP_SYS(getpid),        SCMP_SYS(gettid),
	    SCMP_SYS(rt_sigaction),  SCMP_SYS(rt_sigprocmask),
	    SCMP_SYS(rt_sigreturn),  SCMP_SYS(sigaltstack),
	    SCMP_SYS(exit),          SCMP_SYS(exit_group),
	    SCMP_SYS(accept4),       SCMP_SYS(connect),
	    SCMP_SYS(shutdown),      SCMP_SYS(sendto),
	    SCMP_SYS(recvfrom),      SCMP_SYS(getsockopt),
	    SCMP_SYS(poll),          SCMP_SYS(ppoll),
	    SCMP_SYS(waitid),        SCMP_SYS(restart_syscall),
	    SCMP_SYS(prlimit64),     SCMP_SYS(sched_getaffinity),
	    SCMP_SYS(sysinfo),
	};
	static const int files[] = {SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(openat2),
				    SCMP_SYS(stat), SCMP_SYS(access), SCMP_SYS(readlink)};
	CLEANUP(relaying_release) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r = 0;

	if (!filter)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(calls) && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	for (size_t i = 0; i < ARRAY_SIZE(files) && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), files[i], 0);
	if (r == 0)
		r = allow_narrow(filter, process);
	return r < 0 ? r : seccomp_load(filter);
}
