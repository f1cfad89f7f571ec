/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What bulk data costs, ruleset against ruleset: one thread sends and receives in turns, so that
 * the processor time of a slice is the sender's, the network's and the receiver's together.
 *
 *   bench-throughput ROUNDS BYTES SEED NAME,KIND,NAMESPACE,PEER,UID,ADDRESS,PORT...
 *
 * KIND `up` sends from NAMESPACE to PEER, `down` the other way. Segmentation and receive offload of
 * eth0 are turned off in both. Prints "NAME ROUND NANOSECONDS-OF-PROCESSOR NANOSECONDS-OF-CLOCK" for
 * BYTES.
 */
#include "measure.h"

#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define CASES_MAX   32
#define CHUNK_BYTES (64u << 10)
#define DEVICE	    "eth0"
#define STALL_MS    10000 /* nothing moved for so long: the ruleset breaks the connection */

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

static void make_nonblocking(int fd)
{
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		fail(neg_errno(), "fcntl");
}

static void prepare(const char *word, struct stream *stream)
{
	struct bench_case *bench = &stream->bench;
	int listener, client, accepted;

	case_parse(word, bench);
	if (strcmp(bench->kind, "up") != 0 && strcmp(bench->kind, "down") != 0)
		fail(0, "'%s' is neither up nor down", bench->kind);
	offload_off(bench->peer);
	offload_off(bench->client);
	listener = case_listen(bench);
	namespace_enter(bench->client);
	become_owner(bench->uid);
	client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client < 0 || connect(client, (const struct sockaddr *)&bench->address,
				  sizeof(bench->address)) < 0)
		fail(neg_errno(), "%s: connect", bench->name);
	accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (accepted < 0)
		fail(neg_errno(), "%s: accept", bench->name);
	close(listener);
	make_nonblocking(client);
	make_nonblocking(accepted);
	stream->sender = strcmp(bench->kind, "up") == 0 ? client : accepted;
	stream->receiver = strcmp(bench->kind, "up") == 0 ? accepted : client;
}

/* Moves some bytes; 0 if none could be moved now. */
static size_t send_some(const struct stream *stream, uint64_t left)
{
	static const char data[CHUNK_BYTES];
	ssize_t sent = send(stream->sender, data, left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES,
			    MSG_NOSIGNAL);

	if (sent < 0 && errno != EAGAIN)
		fail(neg_errno(), "%s: send", stream->bench.name);
	return sent < 0 ? 0 : (size_t)sent;
}

static size_t receive_some(const struct stream *stream)
{
	static char data[CHUNK_BYTES];
	ssize_t len = recv(stream->receiver, data, sizeof(data), 0);

	if (len == 0 || (len < 0 && errno != EAGAIN))
		fail(len ? neg_errno() : 0, "%s: recv", stream->bench.name);
	return len < 0 ? 0 : (size_t)len;
}

static void wait_for_movement(const struct stream *stream, bool sending)
{
	struct pollfd fds[2] = { { .fd = stream->receiver, .events = POLLIN },
				 { .fd = stream->sender, .events = POLLOUT } };

	if (poll(fds, sending ? 2 : 1, STALL_MS) <= 0)
		fail(0, "%s: the stream stands still", stream->bench.name);
}

static void move(const struct stream *stream, uint64_t bytes)
{
	uint64_t sent = 0, received = 0;

	while (received < bytes) {
		size_t out = sent < bytes ? send_some(stream, bytes - sent) : 0;
		size_t in = receive_some(stream);

		sent += out;
		received += in;
		if (in == 0 && out == 0)
			wait_for_movement(stream, sent < bytes);
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
