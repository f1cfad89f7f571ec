/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Counts the frames that came in over devices of this network namespace: those of one blaster, by
 * kind, and all others. Every line on standard input is answered by a line of JSON, which holds
 * every frame that the kernel had queued by then. What the kernel had to drop is counted too: a
 * count with drops proves nothing.
 */
#include "mark.h"

#include <getopt.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include <base/json.h>

#define DEVICES_MAX   8
#define RECEIVE_BYTES (64 << 20)
#define FRAME_BYTES   2048
#define SHOWN_BYTES   64

struct counter {
	struct mark mark;
	struct pollfd polls[DEVICES_MAX + 1]; /* the sockets, then standard input */
	size_t count;
	uint64_t escaped[MARK_KINDS];
	uint64_t arp, others, seen, drops;
	char escape[2 * SHOWN_BYTES + 1]; /* the first frame that escaped, for whoever wonders */
	char other[2 * SHOWN_BYTES + 1];  /* the first of the others */
};

static int tap_open(const char *device, int *ret_fd)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int bytes = RECEIVE_BYTES;
	int fd;

	if (device) {
		address.sll_ifindex = (int)if_nametoindex(device);
		if (address.sll_ifindex == 0)
			return neg_errno();
	}
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return neg_errno();
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int r = neg_errno();

		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

static void show(const uint8_t *frame, size_t len, char ret_text[static 2 * SHOWN_BYTES + 1])
{
	for (size_t i = 0; i < len && i < SHOWN_BYTES; i++)
		snprintf(ret_text + 2 * i, 3, "%02x", frame[i]);
}

static void count_frame(struct counter *counter, const uint8_t *frame, size_t len)
{
	int kind = mark_find(&counter->mark, frame, len);
	uint16_t type = 0;

	if (kind >= 0) {
		counter->escaped[kind]++;
		if (counter->escape[0] == '\0')
			show(frame, len, counter->escape);
		return;
	}
	if (len >= sizeof(struct ether_header))
		memcpy(&type, frame + offsetof(struct ether_header, ether_type), sizeof(type));
	if (type == htons(ETHERTYPE_ARP)) {
		counter->arp++;
		return;
	}
	if (counter->others++ == 0)
		show(frame, len, counter->other);
}

/* Everything that is queued now. 0 or -errno. */
static int drain(struct counter *counter, int fd)
{
	struct tpacket_stats stats;
	socklen_t size = sizeof(stats);

	for (;;) {
		uint8_t frame[FRAME_BYTES];
		struct sockaddr_ll from = {0};
		socklen_t from_len = sizeof(from);
		ssize_t len =
		    recvfrom(fd, frame, sizeof(frame), 0, (struct sockaddr *)&from, &from_len);

		if (len < 0 && errno == EAGAIN)
			break;
		if (len < 0 && (errno == EINTR || errno == ENETDOWN))
			continue; /* a device that goes down says so once */
		if (len < 0)
			return neg_errno();
		if (from.sll_pkttype != PACKET_OUTGOING)
			count_frame(counter, frame, (size_t)len);
	}
	if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size) < 0)
		return neg_errno();
	counter->seen += stats.tp_packets;
	counter->drops += stats.tp_drops;
	return 0;
}

static int report(struct counter *counter)
{
	AUTO_BUF struct buf out = {.cap = 65536};
	struct json json = {.out = &out};

	for (size_t i = 0; i < counter->count; i++) {
		int r = drain(counter, counter->polls[i].fd);

		if (r < 0)
			return r;
	}
	json_object_begin(&json, NULL);
	json_object_begin(&json, "escaped");
	mark_report(&json, counter->escaped);
	json_object_end(&json);
	json_number(&json, "arp", (int64_t)counter->arp);
	json_number(&json, "others", (int64_t)counter->others);
	json_string(&json, "escape", counter->escape);
	json_string(&json, "other", counter->other);
	json_number(&json, "seen", (int64_t)counter->seen);
	json_number(&json, "drops", (int64_t)counter->drops);
	json_object_end(&json);
	printf("%s\n", buf_text(&out));
	return fflush(stdout) == 0 ? 0 : -EIO;
}

/* Until standard input ends. */
static int run(struct counter *counter)
{
	struct pollfd *input = &counter->polls[counter->count];

	*input = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
	for (;;) {
		if (poll(counter->polls, counter->count + 1, -1) < 0)
			return neg_errno();
		for (size_t i = 0; i < counter->count; i++) {
			int r =
			    counter->polls[i].revents ? drain(counter, counter->polls[i].fd) : 0;

			if (r < 0)
				return r;
		}
		if (input->revents) {
			char byte = 0;
			ssize_t len = read(STDIN_FILENO, &byte, 1);
			int r;

			if (len <= 0)
				return len < 0 ? neg_errno() : 0;
			r = byte == '\n' ? report(counter) : 0;
			if (r < 0)
				return r;
		}
	}
}

static int add(struct counter *counter, const char *device)
{
	struct pollfd *slot = &counter->polls[counter->count];
	int r;

	if (counter->count == DEVICES_MAX)
		return -E2BIG;
	slot->events = POLLIN;
	r = tap_open(device, &slot->fd);
	counter->count += r == 0;
	return r;
}

static void usage(FILE *to)
{
	fputs("Usage: lethe-counter --nonce HEX [--device NAME]...\n"
	      "Count a blaster's frames on these devices, or on all. Each line on standard\n"
	      "input is answered by the counts; its end ends this program.\n"
	      "  -n, --nonce=HEX    16 digits, the same as the blaster's\n"
	      "  -d, --device=NAME  a device to listen on\n"
	      "  -h, --help         print this help\n",
	      to);
}

int main(int argc, char **argv)
{
	static const struct option names[] = {
	    {"nonce", required_argument, NULL, 'n'},
	    {"device", required_argument, NULL, 'd'},
	    {"help", no_argument, NULL, 'h'},
	    {0},
	};
	struct counter counter = {0};
	bool marked = false;
	int c, r = 0;

	while (r == 0 && (c = getopt_long(argc, argv, "n:d:h", names, NULL)) != -1) {
		switch (c) {
		case 'n':
			r = mark_parse(optarg, &counter.mark);
			marked = true;
			break;
		case 'd':
			r = add(&counter, optarg);
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (r == 0 && (!marked || optind != argc)) {
		usage(stderr);
		return 2;
	}
	if (r == 0 && counter.count == 0)
		r = add(&counter, NULL);
	if (r == 0)
		r = report(&counter); /* tells that it is ready */
	if (r == 0)
		r = run(&counter);
	if (r < 0)
		fprintf(stderr, "lethe-counter: %s\n", strerror(-r));
	return r < 0 ? 1 : 0;
}
