/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The processor time of one TCP connection, ruleset against ruleset.
 *
 *   bench-connect ROUNDS SLICE SEED NAME,KIND,NAMESPACE,PEER,UID,ADDRESS,PORT...
 *
 * KIND `open` is socket, connect, accept, close; `refused` is socket, connect, close, where connect
 * must be refused. Each round measures SLICE connections of every case, in a new order, so that
 * what disturbs the machine disturbs all alike. Prints "NAME ROUND NANOSECONDS".
 */
#include "measure.h"

#include <string.h>
#include <sys/socket.h>

#define CASES_MAX 32
#define WARM_UP	  16 /* connections before the clock starts: another ruleset was in the caches */

struct connecting {
	struct bench_case bench;
	int listener; /* -1: refused */
};

static int client_socket(const struct connecting *at)
{
	/* A reset on close: no TIME_WAIT, of which there is room for 28,000 only. */
	const struct linger at_once = { .l_onoff = 1 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) < 0)
		fail(neg_errno(), "%s: socket", at->bench.name);
	return fd;
}

static int client_connect(const struct connecting *at, int fd)
{
	return connect(fd, (const struct sockaddr *)&at->bench.address, sizeof(at->bench.address)) < 0
		       ? neg_errno()
		       : 0;
}

static void open_once(const struct connecting *at)
{
	int fd = client_socket(at), accepted;
	int r = client_connect(at, fd);

	if (r < 0)
		fail(r, "%s: connect", at->bench.name);
	accepted = accept4(at->listener, NULL, NULL, SOCK_CLOEXEC);
	if (accepted < 0)
		fail(neg_errno(), "%s: accept", at->bench.name);
	close(fd);
	close(accepted);
}

static void refused_once(const struct connecting *at)
{
	int fd = client_socket(at);
	int r = client_connect(at, fd);

	if (r != -ECONNREFUSED)
		fail(r, "%s: connect was to be refused", at->bench.name);
	close(fd);
}

/* Nanoseconds of processor time for one of @count connections. */
static double slice(const struct connecting *at, uint64_t count)
{
	void (*once)(const struct connecting *) = at->listener < 0 ? refused_once : open_once;
	uint64_t start;

	namespace_enter(at->bench.client);
	become_owner(at->bench.uid);
	for (int i = 0; i < WARM_UP; i++)
		once(at);
	start = cpu_now();
	for (uint64_t i = 0; i < count; i++)
		once(at);
	return (double)(cpu_now() - start) / (double)count;
}

static void prepare(const char *word, struct connecting *at)
{
	case_parse(word, &at->bench);
	if (!strcmp(at->bench.kind, "open"))
		at->listener = case_listen(&at->bench);
	else if (!strcmp(at->bench.kind, "refused"))
		at->listener = -1;
	else
		fail(0, "'%s' is neither open nor refused", at->bench.kind);
}

int main(int argc, char **argv)
{
	static struct connecting cases[CASES_MAX];
	size_t order[CASES_MAX], count = 0;
	uint64_t rounds, connections, seed;

	if (argc < 5 || argc - 4 > CASES_MAX)
		fail(0, "ROUNDS SLICE SEED CASE... (at most %d)", CASES_MAX);
	rounds = number_of(argv[1], 1000000);
	connections = number_of(argv[2], 1000000);
	seed = number_of(argv[3], UINT64_MAX - 1) + 1;
	if (connections == 0)
		fail(0, "a slice of no connections");
	stay_here();
	for (; count < (size_t)argc - 4; count++) {
		prepare(argv[count + 4], &cases[count]);
		order[count] = count;
	}
	for (uint64_t round = 0; round < rounds; round++) {
		shuffle(order, count, &seed);
		for (size_t i = 0; i < count; i++) {
			const struct connecting *at = &cases[order[i]];

			printf("%s %llu %.1f\n", at->bench.name, (unsigned long long)round,
			       slice(at, connections));
		}
	}
	return 0;
}
