/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "measure.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <time.h>

#include <base/num.h>

#define NAMESPACES "/run/netns/"
#define CASE_WORDS 7

_Noreturn void fail(int error, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "%s%s\n", error < 0 ? ": " : "", error < 0 ? strerror(-error) : "");
	exit(1);
}

static uint64_t now(clockid_t clock)
{
	struct timespec at;

	if (clock_gettime(clock, &at) < 0)
		fail(neg_errno(), "clock_gettime");
	return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

uint64_t cpu_now(void)
{
	return now(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t wall_now(void)
{
	return now(CLOCK_MONOTONIC);
}

void stay_here(void)
{
	int cpu = sched_getcpu();
	cpu_set_t set;

	if (cpu < 0)
		fail(neg_errno(), "sched_getcpu");
	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		fail(neg_errno(), "sched_setaffinity");
}

int namespace_open(const char *name)
{
	char path[128];
	int len = snprintf(path, sizeof(path), NAMESPACES "%s", name);
	int fd;

	if (len < 0 || (size_t)len >= sizeof(path))
		fail(0, "the name of the namespace '%s' is too long", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fail(neg_errno(), "%s", path);
	return fd;
}

void namespace_enter(int fd)
{
	if (setns(fd, CLONE_NEWNET) < 0)
		fail(neg_errno(), "cannot enter a network namespace");
}

void become_owner(uint32_t uid)
{
	setfsuid(uid);
	/* It says what was in force before, and nothing of failure: ask again. */
	if ((uint32_t)setfsuid((uid_t)-1) != uid)
		fail(0, "cannot make sockets as user %u; this needs root", uid);
}

uint64_t number_of(const char *text, uint64_t max)
{
	uint64_t number;

	if (num_parse_u64(text, max, &number) < 0)
		fail(0, "'%s' is no number up to %llu", text, (unsigned long long)max);
	return number;
}

void case_parse(const char *word, struct bench_case *ret_case)
{
	AUTO_FREE char *copy = strdup(word);
	char *words[CASE_WORDS] = { 0 }, *rest = copy;
	size_t count = 0;

	while (rest && count < CASE_WORDS)
		words[count++] = strsep(&rest, ",");
	if (!copy || count != CASE_WORDS || rest)
		fail(0, "'%s' is not NAME,KIND,NAMESPACE,PEER,UID,ADDRESS,PORT", word);
	*ret_case = (struct bench_case){
		.client = namespace_open(words[2]),
		.peer = namespace_open(words[3]),
		.uid = (uint32_t)number_of(words[4], UINT32_MAX - 1),
		.address = { .sin_family = AF_INET,
			     .sin_port = htons((uint16_t)number_of(words[6], UINT16_MAX)) },
	};
	snprintf(ret_case->name, sizeof(ret_case->name), "%s", words[0]);
	snprintf(ret_case->kind, sizeof(ret_case->kind), "%s", words[1]);
	if (inet_pton(AF_INET, words[5], &ret_case->address.sin_addr) != 1)
		fail(0, "'%s' is no IPv4 address", words[5]);
}

int case_listen(const struct bench_case *bench)
{
	int on = 1, fd;

	namespace_enter(bench->peer);
	become_owner(0);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (const struct sockaddr *)&bench->address, sizeof(bench->address)) < 0 ||
	    listen(fd, 16) < 0)
		fail(neg_errno(), "%s: cannot listen", bench->name);
	return fd;
}

void shuffle(size_t *order, size_t count, uint64_t *state)
{
	for (size_t i = count; i > 1; i--) {
		size_t j, kept;

		/* xorshift64 */
		*state ^= *state << 13;
		*state ^= *state >> 7;
		*state ^= *state << 17;
		j = (size_t)(*state % i);
		kept = order[j];
		order[j] = order[i - 1];
		order[i - 1] = kept;
	}
}
