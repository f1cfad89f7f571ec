/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sandbox_clock.h"

#include "sandbox_filter.h"

#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>

/* What each of them needs for memory, time, what is open, and its end. */
static const int usual[] = {
    SCMP_SYS(read),	     SCMP_SYS(readv),	       SCMP_SYS(write),
    SCMP_SYS(writev),	     SCMP_SYS(close),	       SCMP_SYS(fstat),
    SCMP_SYS(lseek),	     SCMP_SYS(mmap),	       SCMP_SYS(munmap),
    SCMP_SYS(mremap),	     SCMP_SYS(mprotect),       SCMP_SYS(madvise),
    SCMP_SYS(brk),	     SCMP_SYS(futex),	       SCMP_SYS(getrandom),
    SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday),   SCMP_SYS(time),
    SCMP_SYS(getpid),	     SCMP_SYS(gettid),	       SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),  SCMP_SYS(sigaltstack),
    SCMP_SYS(exit),	     SCMP_SYS(exit_group),     SCMP_SYS(sendto),
    SCMP_SYS(recvfrom),	     SCMP_SYS(getsockopt),     SCMP_SYS(shutdown),
    SCMP_SYS(poll),	     SCMP_SYS(ppoll),	       SCMP_SYS(fcntl),
    SCMP_SYS(prlimit64),     SCMP_SYS(restart_syscall), SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sysinfo),
};

static int allow(scmp_filter_ctx filter, const int *calls, size_t count)
{
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	return r;
}

static int refuse(scmp_filter_ctx filter, int error, const int *calls, size_t count)
{
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint32_t)error), calls[i], 0);
	return r;
}

/* A filter with the usual calls; glibc's fstat() is one of them. */
static int filter_begin(scmp_filter_ctx *filter)
{
	int r;

	*filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!*filter)
		return -ENOMEM;
	r = allow(*filter, usual, ARRAY_SIZE(usual));
	if (r == 0)
		r = seccomp_rule_add(*filter, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
				     SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH));
	return r;
}

int sandbox_setting_clock(void)
{
	static const int files[] = {SCMP_SYS(open),	SCMP_SYS(openat), SCMP_SYS(openat2),
				    SCMP_SYS(stat),	SCMP_SYS(access), SCMP_SYS(readlink)};
	/* The first is how adjtimex() asks now, the second how it did before. */
	static const int asking[] = {SCMP_SYS(clock_adjtime), SCMP_SYS(adjtimex)};
	CLEANUP(filter_release) scmp_filter_ctx filter = NULL;
	int r = filter_begin(&filter);

	if (r == 0)
		r = refuse(filter, EACCES, files, ARRAY_SIZE(files));
	if (r == 0)
		r = allow(filter, asking, ARRAY_SIZE(asking));
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clock_settime), 1,
				     SCMP_A0(SCMP_CMP_EQ, CLOCK_REALTIME));
	return r < 0 ? r : seccomp_load(filter);
}

/* As sandbox_reporting() does: a new file, under a name in the folder, that takes another's place. What
 * is named by a path from the root cannot be told from that here; who may write where is left to it. */
static int allow_replacing(scmp_filter_ctx filter, int folder)
{
	const struct scmp_arg_cmp in = SCMP_A0_32(SCMP_CMP_EQ, (uint32_t)folder);
	const struct scmp_arg_cmp to = SCMP_A2_32(SCMP_CMP_EQ, (uint32_t)folder);
	const struct scmp_arg_cmp fresh =
	    SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_EXCL | O_NOFOLLOW,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW);
	int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 2, in, fresh);

	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(renameat), 2, in, to);
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(renameat2), 2, in, to);
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(unlinkat), 1, in);
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fchmod), 0);
	return r;
}

int sandbox_conversing(int folder)
{
	static const int files[] = {SCMP_SYS(open), SCMP_SYS(openat2), SCMP_SYS(stat),
				    SCMP_SYS(access), SCMP_SYS(readlink)};
	static const int talking[] = {SCMP_SYS(accept4), SCMP_SYS(connect), SCMP_SYS(sendmsg),
				      SCMP_SYS(recvmsg)};
	CLEANUP(filter_release) scmp_filter_ctx filter = NULL;
	int r = filter_begin(&filter);

	if (r == 0)
		r = refuse(filter, EACCES, files, ARRAY_SIZE(files));
	if (r == 0)
		r = allow(filter, talking, ARRAY_SIZE(talking));
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
				     SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
	if (r == 0 && folder >= 0)
		r = allow_replacing(filter, folder);
	return r < 0 ? r : seccomp_load(filter);
}

/* Threads, and nothing else that clone() makes. clone3() hides what is asked for: glibc then does as
 * on a kernel that lacks it. */
static int allow_threads(scmp_filter_ctx filter)
{
	int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				 SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));

	return r < 0 ? r
		     : seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

static int allow_families(scmp_filter_ctx filter)
{
	int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
				 SCMP_A0(SCMP_CMP_EQ, AF_INET));

	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
				     SCMP_A0(SCMP_CMP_EQ, AF_NETLINK));
	for (int family = 0; family < AF_MAX && r == 0; family++)
		if (family != AF_INET && family != AF_NETLINK)
			r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket),
					     1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)family));
	return r;
}

int sandbox_fetching(void)
{
	static const int more[] = {
	    SCMP_SYS(newfstatat), SCMP_SYS(stat),	 SCMP_SYS(access),
	    SCMP_SYS(faccessat2), SCMP_SYS(readlink),	 SCMP_SYS(getdents64),
	    SCMP_SYS(pread64),	  SCMP_SYS(getuid),	 SCMP_SYS(geteuid),
	    SCMP_SYS(getgid),	  SCMP_SYS(getegid),	 SCMP_SYS(uname),
	    SCMP_SYS(connect),	  SCMP_SYS(bind),	 SCMP_SYS(getsockname),
	    SCMP_SYS(getpeername), SCMP_SYS(setsockopt), SCMP_SYS(sendmsg),
	    SCMP_SYS(sendmmsg),	  SCMP_SYS(recvmsg),	 SCMP_SYS(ioctl),
	    SCMP_SYS(socketpair), SCMP_SYS(pipe2),	 SCMP_SYS(eventfd2),
	    SCMP_SYS(set_robust_list), SCMP_SYS(rseq),	 SCMP_SYS(sched_yield),
	    SCMP_SYS(clock_nanosleep),
	};
	CLEANUP(filter_release) scmp_filter_ctx filter = NULL;
	int r;

	filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!filter)
		return -ENOMEM;
	r = allow(filter, usual, ARRAY_SIZE(usual));
	if (r == 0)
		r = allow(filter, more, ARRAY_SIZE(more));
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC,
					     O_RDONLY));
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(openat2), 0);
	if (r == 0)
		r = allow_families(filter);
	if (r == 0)
		r = allow_threads(filter);
	return r < 0 ? r : seccomp_load(filter);
}
