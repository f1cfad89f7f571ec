/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sandbox.h"

#include "sandbox_filter.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/* @keep is a set: 1 << CAP_X for each. */
static int capabilities_set(uint64_t keep)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[2] = { 0 }, now[2] = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		sets[i].effective = (uint32_t)(keep >> (32 * i));
		sets[i].permitted = sets[i].effective;
	}
	if (syscall(SYS_capset, &header, sets) < 0 || syscall(SYS_capget, &header, now) < 0)
		return neg_errno();
	return memcmp(sets, now, sizeof(sets)) == 0 ? 0 : -EPERM;
}

int sandbox_keep_capabilities(uint64_t keep)
{
	if (keep >> (CAP_LAST_CAP + 1))
		return -EINVAL;
	for (unsigned cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if ((cap >= 64 || !(keep & 1ull << cap)) &&
		    prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EPERM)
			return neg_errno();
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return neg_errno();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return neg_errno();
	return capabilities_set(keep);
}

int sandbox_keep_capability(unsigned keep)
{
	return keep > CAP_LAST_CAP ? -EINVAL : sandbox_keep_capabilities(1ull << keep);
}

int sandbox_keep_no_capability(void)
{
	return sandbox_keep_capabilities(0);
}

static int allow_splitting(scmp_filter_ctx filter)
{
	static const int asking[] = { BPF_PROG_QUERY, BPF_OBJ_GET_INFO_BY_FD, BPF_LINK_GET_FD_BY_ID,
				      BPF_LINK_GET_NEXT_ID };
	int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				 SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_NAMESPACES, 0));

	for (size_t i = 0; i < ARRAY_SIZE(asking) && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(bpf), 1,
				     SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)asking[i]));
	return r;
}

/* One that allows these calls, and netlink sockets. @splits: it may split off a process, in the same
 * namespaces, and ask which BPF programs there are. */
static int filter_netlink(const int *calls, size_t count, const int *more, size_t more_count,
			  bool splits)
{
	CLEANUP(filter_release) scmp_filter_ctx filter = filter_new();
	int r = 0;

	if (!filter)
		return -ENOMEM;
	for (size_t i = 0; i < count + more_count && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW,
				     i < count ? calls[i] : more[i - count], 0);
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
				     SCMP_A0(SCMP_CMP_EQ, AF_NETLINK));
	if (r == 0 && splits)
		r = allow_splitting(filter);
	return r < 0 ? r : seccomp_load(filter);
}

/* What glibc and the sanitizers' run times need for memory, time and output, and files. */
static const int netlink_calls[] = {
	SCMP_SYS(read),		  SCMP_SYS(write),	    SCMP_SYS(writev),
	SCMP_SYS(close),	  SCMP_SYS(fstat),	    SCMP_SYS(newfstatat),
	SCMP_SYS(stat),		  SCMP_SYS(lseek),	    SCMP_SYS(openat),
	SCMP_SYS(getdents64),	  SCMP_SYS(mmap),	    SCMP_SYS(munmap),
	SCMP_SYS(mremap),	  SCMP_SYS(mprotect),	    SCMP_SYS(madvise),
	SCMP_SYS(brk),		  SCMP_SYS(futex),	    SCMP_SYS(getrandom),
	SCMP_SYS(clock_gettime),  SCMP_SYS(gettimeofday),   SCMP_SYS(getpid),
	SCMP_SYS(gettid),	  SCMP_SYS(rt_sigaction),   SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),	  SCMP_SYS(sigaltstack),    SCMP_SYS(exit),
	SCMP_SYS(exit_group),	  SCMP_SYS(bind),	    SCMP_SYS(getsockname),
	SCMP_SYS(sendto),	  SCMP_SYS(sendmsg),	    SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),	  SCMP_SYS(setsockopt),	    SCMP_SYS(getsockopt),
	SCMP_SYS(poll),		  SCMP_SYS(ppoll),	    SCMP_SYS(flock),
	SCMP_SYS(fcntl),	  SCMP_SYS(ioctl),	    SCMP_SYS(restart_syscall),
	SCMP_SYS(sched_getaffinity), SCMP_SYS(prlimit64),   SCMP_SYS(openat2),
	SCMP_SYS(sysinfo), /* qsort() of much */
	SCMP_SYS(readlink),	  SCMP_SYS(readlinkat),
};

int sandbox_netlink_only(void)
{
	return filter_netlink(netlink_calls, ARRAY_SIZE(netlink_calls), NULL, 0, false);
}

int sandbox_usual_buffers(void)
{
	static const struct {
		int level, option;
	} sizes[] = {{SOL_SOCKET, SO_RCVBUF},
		     {SOL_SOCKET, SO_SNDBUF},
		     {SOL_TCP, TCP_WINDOW_CLAMP}};
	CLEANUP(filter_release) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int r = filter ? 0 : -ENOMEM;

	for (size_t i = 0; i < ARRAY_SIZE(sizes) && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(0), SCMP_SYS(setsockopt), 2,
				     SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)sizes[i].level),
				     SCMP_A2(SCMP_CMP_EQ, (scmp_datum_t)sizes[i].option));
	return r < 0 ? r : seccomp_load(filter);
}

int sandbox_resident(void)
{
	/* From pipe2 on for a process that is split off, which gives up all capabilities. */
	static const int more[] = {
		SCMP_SYS(accept4),    SCMP_SYS(pread64),	 SCMP_SYS(renameat),
		SCMP_SYS(rename),     SCMP_SYS(unlinkat),	 SCMP_SYS(unlink),
		SCMP_SYS(pipe2),      SCMP_SYS(wait4),		 SCMP_SYS(getppid),
		SCMP_SYS(prctl),      SCMP_SYS(set_robust_list), SCMP_SYS(rseq),
		SCMP_SYS(capset),     SCMP_SYS(capget),		 SCMP_SYS(fstatfs),
		SCMP_SYS(inotify_add_watch),
	};

	return filter_netlink(netlink_calls, ARRAY_SIZE(netlink_calls), more, ARRAY_SIZE(more),
			      true);
}

/* TCGETS2; the C library's headers lack the structure that its name needs. */
#define TERMIOS2_GET 0x802c542au

/* isatty() of older and newer C libraries, and no other: TIOCSTI types for the user. */
static int allow_isatty(scmp_filter_ctx filter)
{
	int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				 SCMP_A1(SCMP_CMP_EQ, TCGETS));

	return r < 0 ? r : seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
					    SCMP_A1(SCMP_CMP_EQ, TERMIOS2_GET));
}

/* What libcurl does on its way to a server whose address it has: one stream, and a pair of descriptors
 * to wake itself up by. */
static int allow_fetching(scmp_filter_ctx filter)
{
	static const int calls[] = {
		SCMP_SYS(connect),     SCMP_SYS(getsockname), SCMP_SYS(getpeername),
		SCMP_SYS(setsockopt),  SCMP_SYS(eventfd2),    SCMP_SYS(pipe2),
		SCMP_SYS(getuid),      SCMP_SYS(geteuid),     SCMP_SYS(uname),
		SCMP_SYS(clock_getres), SCMP_SYS(sendmsg),    SCMP_SYS(recvmsg),
	};
	int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
				 SCMP_A0(SCMP_CMP_EQ, AF_INET),
				 SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, SOCK_STREAM));

	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1,
				     SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
	/* It looks whether there is IPv6, and does without. */
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
				     SCMP_A0(SCMP_CMP_EQ, AF_INET6));
	for (size_t i = 0; i < ARRAY_SIZE(calls) && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	return r;
}

static int load_opened_only(bool fetches)
{
	static const int calls[] = {
		SCMP_SYS(read),		 SCMP_SYS(readv),	  SCMP_SYS(write),
		SCMP_SYS(writev),	 SCMP_SYS(close),	  SCMP_SYS(fstat),
		SCMP_SYS(lseek),	 SCMP_SYS(mmap),	  SCMP_SYS(munmap),
		SCMP_SYS(mremap),	 SCMP_SYS(mprotect),	  SCMP_SYS(madvise),
		SCMP_SYS(brk),		 SCMP_SYS(futex),	  SCMP_SYS(getrandom),
		SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday),  SCMP_SYS(getpid),
		SCMP_SYS(gettid),	 SCMP_SYS(rt_sigaction),  SCMP_SYS(rt_sigprocmask),
		SCMP_SYS(rt_sigreturn),	 SCMP_SYS(sigaltstack),	  SCMP_SYS(exit),
		SCMP_SYS(exit_group),	 SCMP_SYS(sendto),	  SCMP_SYS(recvfrom),
		SCMP_SYS(getsockopt),	 SCMP_SYS(shutdown),	  SCMP_SYS(poll),
		SCMP_SYS(ppoll),	 SCMP_SYS(fcntl),	  SCMP_SYS(restart_syscall),
		SCMP_SYS(prlimit64),	 SCMP_SYS(sched_getaffinity), SCMP_SYS(sysinfo),
	};
	static const int files[] = { SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(openat2),
				     SCMP_SYS(stat), SCMP_SYS(access), SCMP_SYS(readlink) };
	CLEANUP(filter_release) scmp_filter_ctx filter = filter_new();
	int r = 0;

	if (!filter)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(calls) && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	for (size_t i = 0; i < ARRAY_SIZE(files) && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), files[i], 0);
	/* glibc's fstat() */
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
				     SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH));
	if (r == 0)
		r = allow_isatty(filter);
	if (r == 0 && fetches)
		r = allow_fetching(filter);
	return r < 0 ? r : seccomp_load(filter);
}

int sandbox_opened_only(void)
{
	return load_opened_only(false);
}

int sandbox_asking(void)
{
	return load_opened_only(true);
}

/* BPF_OBJ_GET_INFO_BY_FD */
#define BPF_ASK 15u

/* Files may be made and replaced in the folder that is open as @folder. What is named by a path from
 * the root cannot be told from the rest here: that is left to who may write where. */
static int allow_reporting(scmp_filter_ctx filter, int folder)
{
	const struct scmp_arg_cmp in = SCMP_A0_32(SCMP_CMP_EQ, (uint32_t)folder);
	const struct scmp_arg_cmp to = SCMP_A2_32(SCMP_CMP_EQ, (uint32_t)folder);
	const struct scmp_arg_cmp new =
		SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_EXCL | O_NOFOLLOW,
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW);
	int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 2, in, new);

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

/* What a client of UNIX sockets needs. Whom it may connect to is left to who may open which. */
static int allow_calling(scmp_filter_ctx filter)
{
	int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
				 SCMP_A0(SCMP_CMP_EQ, AF_UNIX));

	return r < 0 ? r : seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(connect), 0);
}

/* @folder: -EBADF for none. */
static int load_serving(int folder, bool may_call)
{
	static const int calls[] = {
		SCMP_SYS(read),		 SCMP_SYS(readv),	  SCMP_SYS(write),
		SCMP_SYS(writev),	 SCMP_SYS(close),	  SCMP_SYS(fstat),
		SCMP_SYS(newfstatat),	 SCMP_SYS(stat),	  SCMP_SYS(lseek),
		SCMP_SYS(getdents64),	 SCMP_SYS(mmap),	  SCMP_SYS(munmap),
		SCMP_SYS(mremap),	 SCMP_SYS(mprotect),	  SCMP_SYS(madvise),
		SCMP_SYS(brk),		 SCMP_SYS(futex),	  SCMP_SYS(getrandom),
		SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday),  SCMP_SYS(getpid),
		SCMP_SYS(gettid),	 SCMP_SYS(getuid),	  SCMP_SYS(geteuid),
		SCMP_SYS(rt_sigaction),	 SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
		SCMP_SYS(sigaltstack),	 SCMP_SYS(exit),	  SCMP_SYS(exit_group),
		SCMP_SYS(sendto),	 SCMP_SYS(sendmsg),	  SCMP_SYS(recvfrom),
		SCMP_SYS(recvmsg),	 SCMP_SYS(getsockopt),	  SCMP_SYS(shutdown),
		SCMP_SYS(poll),		 SCMP_SYS(ppoll),	  SCMP_SYS(epoll_wait),
		SCMP_SYS(epoll_pwait),	 SCMP_SYS(fcntl),	  SCMP_SYS(restart_syscall),
		SCMP_SYS(prlimit64),	 SCMP_SYS(sched_getaffinity), SCMP_SYS(sysinfo),
	};
	CLEANUP(filter_release) scmp_filter_ctx filter = filter_new();
	int r = 0;

	if (!filter)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(calls) && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC,
					     O_RDONLY));
	/* What it would open for cannot be seen here. Who asks goes on as on a kernel without it. */
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(openat2), 0);
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(bpf), 1,
				     SCMP_A0(SCMP_CMP_EQ, BPF_ASK));
	if (r == 0)
		r = allow_isatty(filter);
	if (r == 0 && folder >= 0)
		r = allow_reporting(filter, folder);
	if (r == 0 && may_call)
		r = allow_calling(filter);
	return r < 0 ? r : seccomp_load(filter);
}

int sandbox_reporting(int folder)
{
	return load_serving(folder, false);
}

int sandbox_calling(void)
{
	return load_serving(-EBADF, true);
}

int sandbox_serving(void)
{
	return sandbox_reporting(-EBADF);
}
