/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What bulk data costs, ruleset against ruleset: one thread sends and receives in turns, so that
 * the processor time of a slice is the sender's, the network's and the receiver's together.
 *
 *   bench-throughput ROUNDS BYTES SEED NAME,KIND,NAMESPACE,PEER,UID,ADDRESS,PORT...
 *
 * KIND `up` sends from NAMESPACE to PEER, `down` the other way. With `plain-up` and `plain-down`,
 * segmentation and receive offload of eth0 are turned off in both, for good. Prints
 * "NAME ROUND NANOSECONDS-OF-PROCESSOR NANOSECONDS-OF-CLOCK" for BYTES.
 */
#include "measure.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>

#define CASES_MAX   32
#define CHUNK_BYTES (32u << 10)
#define DEVICE	    "eth0"
#define PLAIN	    "plain-"
#define STALL_S	    10 /* nothing moved for so long: the ruleset breaks the connection */

struct stream {
	struct bench_case bench;
	int sender, receiver;
};

static void offload_off(int namespace)
{
	static const uint32_t switches[] = { ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO };
	AUTO_CLOSE int fd = -EBADF;

	namespace_enter(namespace);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	for (size_t i = 0; i < ARRAY_SIZE(switches); i++) {
		struct ethtool_value off = { .cmd = switches[i] };
		struct ifreq request = { .ifr_name = DEVICE, .ifr_data = (char *)&off };

		if (ioctl(fd, SIOCETHTOOL, &request) < 0)
			fail(neg_errno(), "cannot turn offload off");
	}
}

static void give_up_late(int fd)
{
	const struct timeval stall = { .tv_sec = STALL_S };

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &stall, sizeof(stall)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &stall, sizeof(stall)) < 0)
		fail(neg_errno(), "cannot set a time-out");
}

/* Plain Reno, before there is a connection: another default (BBR) paces what is sent by timers, and
 * goes on pacing once it was in use. */
static void use_reno(int fd)
{
	static const char name[] = "reno";

	if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, sizeof(name) - 1) < 0)
		fail(neg_errno(), "cannot choose congestion control");
}

static void prepare(const char *word, struct stream *stream)
{
	struct bench_case *bench = &stream->bench;
	int listener, client, accepted;
	const char *kind;

	case_parse(word, bench);
	kind = bench->kind;
	if (!strncmp(kind, PLAIN, strlen(PLAIN))) {
		kind += strlen(PLAIN);
		offload_off(bench->peer);
		offload_off(bench->client);
	}
	if (strcmp(kind, "up") != 0 && strcmp(kind, "down") != 0)
		fail(0, "'%s' is neither up nor down", bench->kind);
	listener = case_listen(bench);
	use_reno(listener);
	namespace_enter(bench->client);
	become_owner(bench->uid);
	client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	use_reno(client);
	if (connect(client, (const struct sockaddr *)&bench->address,
				  sizeof(bench->address)) < 0)
		fail(neg_errno(), "%s: connect", bench->name);
	accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (accepted < 0)
		fail(neg_errno(), "%s: accept", bench->name);
	close(listener);
	give_up_late(client);
	give_up_late(accepted);
	stream->sender = strcmp(kind, "up") == 0 ? client : accepted;
	stream->receiver = strcmp(kind, "up") == 0 ? accepted : client;
}

/* So little at a time that nothing waits for a window to open, and that the sending call itself
 * carries every packet to the receiver. */
static void move_chunk(const struct stream *stream, size_t len)
{
	static char data[CHUNK_BYTES];
	size_t received = 0;
	ssize_t r = send(stream->sender, data, len, MSG_NOSIGNAL);

	if (r != (ssize_t)len)
		fail(r < 0 ? neg_errno() : 0, "%s: send", stream->bench.name);
	while (received < len) {
		r = recv(stream->receiver, data, len - received, 0);
		if (r <= 0)
			fail(r < 0 ? neg_errno() : 0, "%s: recv", stream->bench.name);
		received += (size_t)r;
	}
}

static void move(const struct stream *stream, uint64_t bytes)
{
	for (uint64_t left = bytes; left > 0;) {
		size_t len = left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES;

		move_chunk(stream, len);
		left -= len;
	}
}

int main(int argc, char **argv)
{
	static struct stream streams[CASES_MAX];
	size_t order[CASES_MAX], count = 0;
	uint64_t rounds, bytes, seed;

	if (argc < 5 || argc - 4 > CASES_MAX)
		fail(0, "ROUNDS BYTES SEED CASE... (at most %d)", CASES_MAX);
	rounds = number_of(argv[1], 1000000);
	bytes = number_of(argv[2], 1u << 30);
	seed = number_of(argv[3], UINT64_MAX - 1) + 1;
	stay_here();
	for (; count < (size_t)argc - 4; count++) {
		prepare(argv[count + 4], &streams[count]);
		move(&streams[count], bytes); /* opens the congestion window */
		order[count] = count;
	}
	for (uint64_t round = 0; round < rounds; round++) {
		shuffle(order, count, &seed);
		for (size_t i = 0; i < count; i++) {
			const struct stream *stream = &streams[order[i]];
			uint64_t cpu, clock;

			move(stream, CHUNK_BYTES);
			clock = wall_now();
			cpu = cpu_now();
			move(stream, bytes);
			cpu = cpu_now() - cpu;
			printf("%s %llu %llu %llu\n", stream->bench.name,
			       (unsigned long long)round, (unsigned long long)cpu,
			       (unsigned long long)(wall_now() - clock));
		}
	}
	return 0;
}
