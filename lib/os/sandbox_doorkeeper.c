/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sandbox.h"

#include "sandbox_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

static const int calls[] = {
	SCMP_SYS(read),		  SCMP_SYS(readv),	    SCMP_SYS(write),
	SCMP_SYS(writev),	  SCMP_SYS(close),	    SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),	  SCMP_SYS(lseek),	    SCMP_SYS(mmap),
	SCMP_SYS(munmap),	  SCMP_SYS(mremap),	    SCMP_SYS(mprotect),
	SCMP_SYS(madvise),	  SCMP_SYS(brk),	    SCMP_SYS(futex),
	SCMP_SYS(getrandom),	  SCMP_SYS(clock_gettime),  SCMP_SYS(gettimeofday),
	SCMP_SYS(getpid),	  SCMP_SYS(gettid),	    SCMP_SYS(getppid),
	SCMP_SYS(rt_sigaction),	  SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),	  SCMP_SYS(exit),	    SCMP_SYS(exit_group),
	SCMP_SYS(accept4),	  SCMP_SYS(connect),	    SCMP_SYS(sendto),
	SCMP_SYS(sendmsg),	  SCMP_SYS(recvfrom),	    SCMP_SYS(recvmsg),
	SCMP_SYS(getsockopt),	  SCMP_SYS(getsockname),    SCMP_SYS(getpeername),
	SCMP_SYS(shutdown),	  SCMP_SYS(poll),	    SCMP_SYS(ppoll),
	SCMP_SYS(fcntl),	  SCMP_SYS(dup),	    SCMP_SYS(wait4),
	SCMP_SYS(waitid),	  SCMP_SYS(restart_syscall), SCMP_SYS(prlimit64),
	SCMP_SYS(sched_getaffinity), SCMP_SYS(sysinfo),	    SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
	/* A process that is split off ends with its parent, and restricts itself further. */
	SCMP_SYS(prctl),	  SCMP_SYS(seccomp),
};
static const int files[] = { SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(openat2), SCMP_SYS(stat),
			     SCMP_SYS(access), SCMP_SYS(readlink) };

static int allow_reading(scmp_filter_ctx filter, int folder)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 2,
				SCMP_A0_32(SCMP_CMP_EQ, (uint32_t)folder),
				SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC,
					O_RDONLY));
}

/* To open anything else fails, so that a library that would like its settings does without. What a rule
 * for one call says must not overlap with another action: openat() of other folders. */
static int refuse_files(scmp_filter_ctx filter, int folder)
{
	int r = 0;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]) && r == 0; i++)
		r = files[i] == SCMP_SYS(openat)
			    ? seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), files[i], 1,
					       SCMP_A0_32(SCMP_CMP_NE, (uint32_t)folder))
			    : seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), files[i], 0);
	return r;
}

int sandbox_doorkeeper(int folder)
{
	CLEANUP(filter_release) scmp_filter_ctx filter = filter_new();
	int r = 0;

	if (!filter)
		return -ENOMEM;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]) && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
				     SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				     SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_NAMESPACES, 0));
	if (r == 0)
		r = allow_reading(filter, folder);
	if (r == 0)
		r = refuse_files(filter, folder);
	return r < 0 ? r : seccomp_load(filter);
}
