/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Runs a program and makes one of its system calls go wrong, chosen by its number among the calls
 * of a class, so that a test can go through all of them. Prints what it did as JSON; the program's
 * standard output is thrown away.
 */
#include <getopt.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>

#include <base/json.h>
#include <base/num.h>

#ifndef __x86_64__
#error "registers are set for x86_64 only"
#endif

#define LEAST_QUEUE 1 /* the least that the kernel gives */

enum class { CLASS_ANY, CLASS_NETLINK, CLASS_MEMORY, CLASS_BATCH };

enum action {
	ACTION_NOTHING, /* only count */
	ACTION_KILL,    /* before the call */
	ACTION_LATE,    /* while the call is running: @number nanoseconds after it began */
	ACTION_ERROR,   /* the call is not made and fails with errno @number */
	ACTION_LOST,    /* the call is made, and then fails with errno @number all the same */
	ACTION_CUT,     /* the call is made; only @number percent of the bytes are reported */
	ACTION_FULL,    /* the socket's receive queue is full from now on */
};

static const struct {
	const char *name;
	enum action action;
	bool number;
} actions[] = {
    {"nothing", ACTION_NOTHING, false}, {"kill", ACTION_KILL, false}, {"late", ACTION_LATE, true},
    {"error", ACTION_ERROR, true},      {"lost", ACTION_LOST, true},  {"cut", ACTION_CUT, true},
    {"full", ACTION_FULL, false},
};

static const char *const class_names[] = {"any", "netlink", "memory", "batch"};

struct inject {
	enum class class;
	enum action action;
	uint32_t number;
	uint64_t at; /* which call of the class, from 1 */
	bool on;     /* and all that follow */
	pid_t pid;
	bool begun;       /* it has begun to give up its rights, so the loader's work is done */
	bool brk;         /* the call that fails is this one, */
	uint64_t address; /* and what for */
	uint64_t calls;   /* of the class, so far */
	uint64_t fired;
	uint64_t fired_call; /* the system call's number, the first time */
	uint64_t filled;     /* messages it took to fill the queue */
};

/* Is this a transaction of nftables? The kernel's probing counts too; not a batch that names a
 * generation, which has nothing in it and asks whether that is in force. */
static bool is_batch(pid_t pid, const struct __ptrace_syscall_info *info)
{
	struct nlmsghdr header;
	long word;

	if (info->entry.nr != SYS_sendto || info->entry.args[2] < sizeof(header))
		return false;
	errno = 0;
	word = ptrace(PTRACE_PEEKDATA, pid, info->entry.args[1], NULL);
	if (errno)
		return false;
	memcpy(&header, &word, sizeof(word));
	return header.nlmsg_type == NFNL_MSG_BATCH_BEGIN &&
	       header.nlmsg_len == NLMSG_LENGTH(sizeof(struct nfgenmsg));
}

static bool is_member(const struct inject *inject, const struct __ptrace_syscall_info *info)
{
	switch (inject->class) {
	case CLASS_ANY:
		return true;
	case CLASS_NETLINK:
		switch (info->entry.nr) {
		case SYS_socket:
		case SYS_bind:
		case SYS_getsockname:
		case SYS_setsockopt:
		case SYS_getsockopt:
		case SYS_sendto:
		case SYS_sendmsg:
		case SYS_recvfrom:
		case SYS_recvmsg:
			return true;
		default:
			return false;
		}
	case CLASS_MEMORY:
		/* The loader ends in its own ways without memory; it is not what is tested. */
		if (!inject->begun)
			return false;
		return info->entry.nr == SYS_brk || info->entry.nr == SYS_mmap ||
		       info->entry.nr == SYS_mremap;
	case CLASS_BATCH:
		return is_batch(inject->pid, info);
	}
	return false;
}

/*
 * The call that is about to be made fails instead. It becomes another, which does nothing and which
 * sandboxes allow; the error is its result later. brk(2) has no errors: what fails tells where the
 * break is, and that is what a call for address 0 does.
 */
static int call_fail(struct inject *inject)
{
	struct user_regs_struct registers;

	if (ptrace(PTRACE_GETREGS, inject->pid, NULL, &registers) < 0)
		return neg_errno();
	inject->brk = registers.orig_rax == SYS_brk;
	inject->address = registers.rdi;
	if (inject->brk)
		registers.rdi = 0;
	else
		registers.orig_rax = SYS_getpid;
	return ptrace(PTRACE_SETREGS, inject->pid, NULL, &registers) < 0 ? neg_errno() : 0;
}

static int call_failed(const struct inject *inject)
{
	struct user_regs_struct registers;

	if (ptrace(PTRACE_GETREGS, inject->pid, NULL, &registers) < 0)
		return neg_errno();
	if (inject->brk)
		registers.rdi = inject->address; /* programs count on keeping their registers */
	else
		registers.rax = (uint64_t) - (int64_t)inject->number;
	return ptrace(PTRACE_SETREGS, inject->pid, NULL, &registers) < 0 ? neg_errno() : 0;
}

static int result_set(pid_t pid, int64_t result)
{
	struct user_regs_struct registers;

	if (ptrace(PTRACE_GETREGS, pid, NULL, &registers) < 0)
		return neg_errno();
	registers.rax = (uint64_t)result;
	return ptrace(PTRACE_SETREGS, pid, NULL, &registers) < 0 ? neg_errno() : 0;
}

/* Take the program's socket, give it the smallest queue, and write to it until nothing fits: so the
 * kernel's next answers really have no room. */
static int queue_fill(struct inject *inject, int fd)
{
	struct {
		struct nlmsghdr header;
		uint8_t bytes[64];
	} junk = {.header = {.nlmsg_len = sizeof(junk), .nlmsg_type = NLMSG_NOOP}};
	AUTO_CLOSE int process = (int)syscall(SYS_pidfd_open, inject->pid, 0);
	AUTO_CLOSE int theirs = (int)syscall(SYS_pidfd_getfd, process, fd, 0);
	AUTO_CLOSE int ours = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	struct sockaddr_nl address;
	socklen_t len = sizeof(address);
	int bytes = LEAST_QUEUE;

	if (process < 0 || theirs < 0 || ours < 0 ||
	    setsockopt(theirs, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0 ||
	    getsockname(theirs, (struct sockaddr *)&address, &len) < 0)
		return neg_errno();
	while (sendto(ours, &junk, sizeof(junk), MSG_DONTWAIT, (struct sockaddr *)&address,
		      sizeof(address)) >= 0)
		inject->filled++;
	return errno == EAGAIN ? 0 : neg_errno();
}

static void spin(uint64_t nanoseconds)
{
	struct timespec start, now;

	clock_gettime(CLOCK_MONOTONIC, &start);
	do
		clock_gettime(CLOCK_MONOTONIC, &now);
	while ((uint64_t)(now.tv_sec - start.tv_sec) * 1000000000u +
		   (uint64_t)(now.tv_nsec - start.tv_nsec) <
	       nanoseconds);
}

/* The program stands before a call that was chosen. */
static int fire_before(struct inject *inject, const struct __ptrace_syscall_info *info)
{
	if (inject->fired++ == 0)
		inject->fired_call = info->entry.nr;
	switch (inject->action) {
	case ACTION_KILL:
		return kill(inject->pid, SIGKILL) < 0 ? neg_errno() : 0;
	case ACTION_LATE:
		if (ptrace(PTRACE_SYSCALL, inject->pid, NULL, 0) < 0)
			return neg_errno();
		spin(inject->number);
		return kill(inject->pid, SIGKILL) < 0 ? neg_errno() : 0;
	case ACTION_ERROR:
		return call_fail(inject);
	case ACTION_FULL:
		return queue_fill(inject, (int)info->entry.args[0]);
	case ACTION_NOTHING:
	case ACTION_LOST:
	case ACTION_CUT:
		return 0;
	}
	return -EINVAL;
}

/* The program stands behind it. */
static int fire_after(struct inject *inject, const struct __ptrace_syscall_info *info)
{
	switch (inject->action) {
	case ACTION_ERROR:
		return call_failed(inject);
	case ACTION_LOST:
		return result_set(inject->pid, -(int64_t)inject->number);
	case ACTION_CUT:
		if (info->exit.rval <= 0)
			return 0;
		return result_set(inject->pid, info->exit.rval * inject->number / 100);
	case ACTION_NOTHING:
	case ACTION_KILL:
	case ACTION_LATE:
	case ACTION_FULL:
		return 0;
	}
	return -EINVAL;
}

/* The next stop of the program. 1: it has ended, with *status; or 0, or -errno. */
static int stop_await(const struct inject *inject, int *status)
{
	while (waitpid(inject->pid, status, 0) < 0)
		if (errno != EINTR)
			return neg_errno();
	return WIFSTOPPED(*status) ? 0 : 1;
}

static int follow(struct inject *inject, int *status)
{
	bool chosen = false;
	int signal = 0;

	for (;;) {
		struct __ptrace_syscall_info info;
		int r;

		/* It may have been killed: then the wait below tells. */
		if (ptrace(PTRACE_SYSCALL, inject->pid, NULL, signal) < 0 && errno != ESRCH)
			return neg_errno();
		r = stop_await(inject, status);
		if (r != 0)
			return r < 0 ? r : 0;
		signal = WSTOPSIG(*status);
		if (signal != (SIGTRAP | 0x80)) {
			signal = signal == SIGTRAP ? 0 : signal; /* the program begins */
			continue;
		}
		signal = 0;
		if (ptrace(PTRACE_GET_SYSCALL_INFO, inject->pid, sizeof(info), &info) < 0)
			continue; /* killed meanwhile */
		if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
			chosen = false;
			inject->begun |= info.entry.nr == SYS_prctl;
			if (!is_member(inject, &info))
				continue;
			inject->calls++;
			chosen = inject->calls == inject->at ||
				 (inject->on && inject->calls > inject->at);
			r = chosen ? fire_before(inject, &info) : 0;
		} else if (info.op == PTRACE_SYSCALL_INFO_EXIT && chosen) {
			r = fire_after(inject, &info);
		}
		if (r < 0 && r != -ESRCH)
			return r;
	}
}

static int start(struct inject *inject, char **argv)
{
	int status = 0, null;
	pid_t pid = fork();

	if (pid < 0)
		return neg_errno();
	if (pid == 0) {
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (null < 0 || dup2(null, STDOUT_FILENO) < 0 ||
		    ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 || raise(SIGSTOP) != 0)
			_exit(126);
		execv(argv[0], argv);
		_exit(127);
	}
	inject->pid = pid;
	if (stop_await(inject, &status) != 0)
		return -ECHILD;
	if (ptrace(PTRACE_SETOPTIONS, pid, NULL,
		   PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACEEXEC) < 0)
		return neg_errno();
	return 0;
}

static int report(const struct inject *inject, int status)
{
	AUTO_BUF struct buf out = {.cap = 4096};
	struct json json = {.out = &out};

	json_object_begin(&json, NULL);
	json_number(&json, "calls", (int64_t)inject->calls);
	json_number(&json, "fired", (int64_t)inject->fired);
	json_number(&json, "call", (int64_t)inject->fired_call);
	json_number(&json, "filled", (int64_t)inject->filled);
	json_number(&json, "exit", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	json_number(&json, "signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	json_object_end(&json);
	printf("%s\n", buf_text(&out));
	return fflush(stdout) == 0 ? 0 : -EIO;
}

/* ACTION or ACTION:NUMBER */
static int parse_action(const char *text, struct inject *inject)
{
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		size_t len = strlen(actions[i].name);
		uint64_t number = 0;

		if (strncmp(text, actions[i].name, len) != 0 ||
		    text[len] != (actions[i].number ? ':' : '\0'))
			continue;
		if (actions[i].number && num_parse_u64(text + len + 1, INT32_MAX, &number) < 0)
			return -EINVAL;
		inject->action = actions[i].action;
		inject->number = (uint32_t)number;
		return 0;
	}
	return -EINVAL;
}

static int parse_class(const char *text, enum class *ret_class)
{
	for (size_t i = 0; i < ARRAY_SIZE(class_names); i++) {
		if (strcmp(text, class_names[i]) == 0) {
			*ret_class = (enum class)i;
			return 0;
		}
	}
	return -EINVAL;
}

static void usage(FILE *to)
{
	fputs("Usage: lethe-inject [--calls CLASS] [--at N] [--on] --do ACTION PROGRAM [WORD]...\n"
	      "Run PROGRAM and make its Nth system call of a class go wrong.\n"
	      "  -c, --calls=CLASS  any (the default), netlink, batch (of nftables), memory\n"
	      "                     (after the first prctl(2))\n"
	      "  -a, --at=N         which, from 1 (the default)\n"
	      "  -o, --on           that call and all that follow\n"
	      "  -d, --do=ACTION    nothing, kill, late:NANOSECONDS, error:ERRNO, lost:ERRNO,\n"
	      "                     cut:PERCENT, full\n"
	      "  -h, --help         print this help\n",
	      to);
}

int main(int argc, char **argv)
{
	static const struct option names[] = {
	    {"calls", required_argument, NULL, 'c'}, {"at", required_argument, NULL, 'a'},
	    {"on", no_argument, NULL, 'o'},          {"do", required_argument, NULL, 'd'},
	    {"help", no_argument, NULL, 'h'},        {0},
	};
	struct inject inject = {.at = 1};
	bool told = false;
	int c, status = 0, r = 0;

	while (r == 0 && (c = getopt_long(argc, argv, "+c:a:od:h", names, NULL)) != -1) {
		switch (c) {
		case 'c':
			r = parse_class(optarg, &inject.class);
			break;
		case 'a':
			r = num_parse_u64(optarg, UINT32_MAX, &inject.at);
			break;
		case 'o':
			inject.on = true;
			break;
		case 'd':
			r = parse_action(optarg, &inject);
			told = true;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (r == 0 && (!told || optind == argc)) {
		usage(stderr);
		return 2;
	}
	if (r == 0)
		r = start(&inject, argv + optind);
	if (r == 0)
		r = follow(&inject, &status);
	if (r == 0)
		r = report(&inject, status);
	if (r < 0)
		fprintf(stderr, "lethe-inject: %s\n", strerror(-r));
	return r < 0 ? 1 : 0;
}
