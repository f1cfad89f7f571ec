/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * lethe-send: one real packet, from its text (lib/packet/spec.h), in this network namespace.
 *
 *   output, a frame with a route   a raw socket of the owner's; the header is the packet's, and the
 *                                  system call's address says which way it goes
 *   a frame without a route        AF_PACKET of the owner's, with label and link header
 *   input on lo                    a raw socket of root's
 *   input, forward                 AF_PACKET, to be run by a neighbour
 *
 * The last eight bytes are a number by which the packet is known wherever it is seen (classes.h).
 * With --tell it sends nothing: it puts frames, a line of hexadecimal digits each, into words.
 */
#include "classes.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/ether.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <base/num.h>
#include <packet/spec.h>

enum { EXIT_TAKEN = 0, EXIT_REFUSED = 1, EXIT_CANNOT = 2 };

#define FRAME_MAX 2048
#define BYTES_MAX 40

struct sending {
	struct packet packet;
	const char *device, *copy_device, *copy_device_local;
	const char *via4, *via6; /* which way; NULL: the packet's destination */
	uint8_t to[ETH_ALEN];
	uint32_t mark, copy_mark, copy_mark_local, number;
	struct {
		uint8_t at, value;
	} bytes[BYTES_MAX]; /* of the network header, to be others than the packet's text says */
	size_t byte_count;
};

static bool is_ipv6(const struct packet *packet)
{
	return packet->ethertype == ETH_P_IPV6;
}

/* By the IP stack of this namespace, or as a frame past it? */
static bool by_stack(const struct packet *packet)
{
	switch (packet->path) {
	case PACKET_OUTPUT:
		return true;
	case PACKET_FRAME:
		return packet->routed;
	case PACKET_INPUT:
		return packet->loopback;
	case PACKET_FORWARD:
		return false;
	}
	return false;
}

static bool leaves(const struct packet *packet)
{
	return packet->path == PACKET_OUTPUT || packet->path == PACKET_FRAME;
}

/* Why there can be no such packet, or none of a program's; NULL: it can be made. */
static const char *obstacle(const struct sending *sending)
{
	const struct packet *packet = &sending->packet;
	bool ip = packet->ethertype == ETH_P_IP || is_ipv6(packet);
	bool copied = packet->loopback ? sending->copy_mark_local : sending->copy_mark;

	if (by_stack(packet)) {
		if (!ip)
			return "the IP stack sends nothing but IPv4 and IPv6";
		if (packet->link_ethertype && packet->link_ethertype != packet->ethertype)
			return "the link header of a packet with a route is the kernel's";
		if (leaves(packet) && !packet->owned && !copied)
			return "no program sends a packet without an owner";
		return NULL;
	}
	if (packet->path == PACKET_FRAME) {
		if (packet->ethertype == 0 && packet->link_ethertype != 0)
			return "AF_PACKET puts the header's ethertype in the place of a label of 0";
		if (!packet->owned &&
		    !(packet->loopback ? sending->copy_device_local : sending->copy_device))
			return "no program sends a frame without an owner";
		return NULL;
	}
	if (packet->loopback)
		return "nothing that is on lo is forwarded";
	return NULL;
}

/* The owner is who calls socket(), and setfsuid() is who that is; the right to do so remains. */
static int socket_of(uint32_t uid, int family, int protocol)
{
	int fd;

	setfsuid(uid);
	fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, protocol);
	if (fd < 0)
		fd = neg_errno();
	setfsuid(0);
	return fd;
}

/* IP_RECVERR has the system call tell of packets that egress drops. Without IP_NODEFRAG fragments
 * would be put together before every hook, where rules track connections. */
static int prepare(int fd, int family, uint32_t mark)
{
	const int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0)
		return neg_errno();
	if (family == AF_PACKET)
		return 0;
	if (setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)) < 0)
		return neg_errno();
	if (family == AF_INET6)
		return setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on)) < 0 ? neg_errno()
										       : 0;
	if (setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_NODEFRAG, &on, sizeof(on)) < 0)
		return neg_errno();
	return 0;
}

/* 0 or -errno: what the kernel says. */
static int send_by_stack(const struct sending *sending, const struct built *built)
{
	const struct packet *packet = &sending->packet;
	bool ipv6 = is_ipv6(packet), lo = packet->loopback;
	const char *via = ipv6 ? sending->via6 : sending->via4;
	struct sockaddr_in to = {.sin_family = AF_INET};
	struct sockaddr_in6 to6 = {.sin6_family = AF_INET6};
	uint32_t mark = sending->mark;
	AUTO_CLOSE int fd =
	    socket_of(packet->owned ? packet->uid : 0, ipv6 ? AF_INET6 : AF_INET, IPPROTO_RAW);
	ssize_t sent;
	int r;

	if (leaves(packet) && !packet->owned)
		mark = lo ? sending->copy_mark_local : sending->copy_mark;
	r = fd < 0 ? fd : prepare(fd, ipv6 ? AF_INET6 : AF_INET, mark);
	if (r < 0)
		return r;
	memcpy(&to.sin_addr, packet->destination.bytes, sizeof(to.sin_addr));
	memcpy(&to6.sin6_addr, packet->destination.bytes, sizeof(to6.sin6_addr));
	if (lo)
		via = ipv6 ? "::1" : "127.0.0.1";
	if (via && inet_pton(ipv6 ? AF_INET6 : AF_INET, via,
			     ipv6 ? (void *)&to6.sin6_addr : (void *)&to.sin_addr) != 1)
		return -EINVAL;
	if (ipv6)
		sent = sendto(fd, built->bytes + BUILT_LINK, built->len, 0, (struct sockaddr *)&to6,
			      sizeof(to6));
	else
		sent = sendto(fd, built->bytes + BUILT_LINK, built->len, 0, (struct sockaddr *)&to,
			      sizeof(to));
	return sent < 0 ? neg_errno() : 0;
}

static int own_address(int fd, const char *device, uint8_t ret_address[static ETH_ALEN])
{
	struct ifreq request = {0};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
	if (ioctl(fd, SIOCGIFHWADDR, &request) < 0)
		return neg_errno();
	memcpy(ret_address, request.ifr_hwaddr.sa_data, ETH_ALEN);
	return 0;
}

static int send_frame_of(const struct sending *sending, struct built *built)
{
	const struct packet *packet = &sending->packet;
	const char *device = packet->loopback ? "lo" : sending->device;
	AUTO_CLOSE int fd = socket_of(packet->owned ? packet->uid : 0, AF_PACKET, 0);
	struct sockaddr_ll to = {
	    .sll_family = AF_PACKET,
	    .sll_protocol = htons(packet->ethertype),
	    .sll_halen = ETH_ALEN,
	};
	int r;

	if (leaves(packet) && !packet->owned)
		device = packet->loopback ? sending->copy_device_local : sending->copy_device;
	to.sll_ifindex = (int)if_nametoindex(device);
	if (to.sll_ifindex == 0)
		return neg_errno();
	r = fd < 0 ? fd : prepare(fd, AF_PACKET, sending->mark);
	if (r == 0 && !packet->loopback) {
		memcpy(built->bytes, sending->to, ETH_ALEN);
		r = own_address(fd, device, built->bytes + ETH_ALEN);
	}
	if (r < 0)
		return r;
	if (sendto(fd, built->bytes, BUILT_LINK + built->len, 0, (const struct sockaddr *)&to,
		   sizeof(to)) < 0)
		return neg_errno();
	return 0;
}

static int send_it(const struct sending *sending)
{
	const struct packet *packet = &sending->packet;
	const char *reason = obstacle(sending);
	AUTO_BUF struct buf words = {.cap = 1024};
	struct built built;
	int r;

	if (reason) {
		fprintf(stderr, "lethe-send: this cannot be sent: %s\n", reason);
		return EXIT_CANNOT;
	}
	built_make(&built, packet, sending->number);
	for (size_t i = 0; i < sending->byte_count; i++)
		built.bytes[BUILT_LINK + sending->bytes[i].at] = sending->bytes[i].value;
	r = by_stack(packet) ? send_by_stack(sending, &built) : send_frame_of(sending, &built);
	/* The packet itself is dropped by the rules that make the copy. */
	if (leaves(packet) && !packet->owned && (r == -EPERM || r == -ENOBUFS))
		r = 0;
	packet_print(packet, &words);
	if (buf_finish(&words) < 0)
		return EXIT_CANNOT;
	printf("%s, %s: %s\n", buf_text(&words),
	       by_stack(packet) ? "by a raw socket" : "by AF_PACKET",
	       r < 0 ? strerror(-r) : "taken by the kernel");
	/* Of rules these two speak; anything else is no verdict. */
	if (r == 0 || r == -EPERM || r == -ENOBUFS)
		return r == 0 ? EXIT_TAKEN : EXIT_REFUSED;
	return EXIT_CANNOT;
}

/* ---- frames in words ---- */

static int digit(char c)
{
	const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

static int tell(void)
{
	char line[2 * FRAME_MAX + 2];

	while (fgets(line, sizeof(line), stdin)) {
		AUTO_BUF struct buf words = {.cap = 1024};
		struct packet packet = {.path = PACKET_FRAME};
		uint8_t frame[FRAME_MAX];
		size_t len = 0;

		while (digit(line[2 * len]) >= 0 && digit(line[2 * len + 1]) >= 0) {
			frame[len] =
			    (uint8_t)(digit(line[2 * len]) << 4 | digit(line[2 * len + 1]));
			len++;
		}
		if (len < BUILT_LINK)
			return EXIT_CANNOT;
		if (!note_read(&packet, frame, len))
			packet.ethertype = (uint16_t)(frame[12] << 8 | frame[13]);
		packet.path = PACKET_INPUT;
		packet_print(&packet, &words);
		if (buf_finish(&words) < 0)
			return EXIT_CANNOT;
		puts(buf_text(&words));
	}
	return EXIT_TAKEN;
}

/* ---- the command line ---- */

static void usage(FILE *to)
{
	fputs(
	    "Usage: lethe-send [OPTION]... SPEC\n"
	    "Send one packet in this network namespace, as it is written in SPEC; see\n"
	    "lib/packet/spec.h.\n"
	    "\n"
	    "  -d, --device=NAME        for frames; what comes to a host is sent to it here "
	    "(eth0)\n"
	    "      --to=MAC             to whom frames are addressed\n"
	    "      --via=ADDRESS        send the way that leads to ADDRESS; once for each of IPv4\n"
	    "                           and IPv6 (the packet's destination)\n"
	    "  -m, --mark=NUMBER        of the packet\n"
	    "  -n, --number=NUMBER      put into the packet, to know it by\n"
	    "      --copied             rules make copies without an owner (fixtures/witness.nft)\n"
	    "      --tell               send nothing; put frames from standard input into words\n"
	    "  -h, --help               print this help\n"
	    "\n"
	    "Exit status: 0 the kernel took it; 1 the kernel refused it; 2 it could not be sent.\n",
	    to);
}

static int read_number(const char *text, uint32_t *ret_number)
{
	uint64_t number = 0;
	int r = num_parse_u64(text, UINT32_MAX, &number);

	if (r == 0)
		*ret_number = (uint32_t)number;
	return r;
}

static int read_to(const char *text, struct sending *sending)
{
	const struct ether_addr *address = ether_aton(text);

	if (!address)
		return -EINVAL;
	memcpy(sending->to, address, ETH_ALEN);
	return 0;
}

/* "AT=VALUE" */
static int read_byte(char *text, struct sending *sending)
{
	char *value = strchr(text, '=');
	uint64_t at = 0, number = 0;

	if (!value || sending->byte_count == BYTES_MAX)
		return -EINVAL;
	*value++ = '\0';
	if (num_parse_u64(text, BYTES_MAX - 1, &at) < 0 ||
	    num_parse_u64(value, UINT8_MAX, &number) < 0)
		return -EINVAL;
	sending->bytes[sending->byte_count].at = (uint8_t)at;
	sending->bytes[sending->byte_count++].value = (uint8_t)number;
	return 0;
}

enum { OPTION_BYTE = 256, OPTION_TO, OPTION_VIA, OPTION_COPIED, OPTION_TELL };

static int parse_option(int c, struct sending *sending)
{
	switch (c) {
	case 'd':
		sending->device = optarg;
		return 0;
	case OPTION_BYTE:
		return read_byte(optarg, sending);
	case OPTION_TO:
		return read_to(optarg, sending);
	case OPTION_VIA:
		*(strchr(optarg, ':') ? &sending->via6 : &sending->via4) = optarg;
		return 0;
	case 'm':
		return read_number(optarg, &sending->mark);
	case 'n':
		return read_number(optarg, &sending->number);
	case OPTION_COPIED:
		sending->copy_mark = MARK_COPY;
		sending->copy_mark_local = MARK_COPY_LOCAL;
		sending->copy_device = "copy0";
		sending->copy_device_local = "copy1";
		return 0;
	default:
		return -EINVAL;
	}
}

int main(int argc, char **argv)
{
	static const struct option names[] = {
	    {"device", required_argument, NULL, 'd'},
	    {"byte", required_argument, NULL, OPTION_BYTE},
	    {"to", required_argument, NULL, OPTION_TO},
	    {"via", required_argument, NULL, OPTION_VIA},
	    {"mark", required_argument, NULL, 'm'},
	    {"number", required_argument, NULL, 'n'},
	    {"copied", no_argument, NULL, OPTION_COPIED},
	    {"tell", no_argument, NULL, OPTION_TELL},
	    {"help", no_argument, NULL, 'h'},
	    {0},
	};
	struct sending sending = {.device = "eth0", .to = {0x02, 0x4c, 0x45, 0x54, 0, 1}};
	int c;

	while ((c = getopt_long(argc, argv, "d:m:n:h", names, NULL)) != -1) {
		if (c == 'h' || c == OPTION_TELL) {
			if (c == 'h')
				usage(stdout);
			return c == 'h' ? EXIT_TAKEN : tell();
		}
		if (c == '?' || parse_option(c, &sending) < 0) {
			fputs("Try 'lethe-send --help'.\n", stderr);
			return EXIT_CANNOT;
		}
	}
	if (optind + 1 != argc || packet_spec_parse(argv[optind], &sending.packet) < 0) {
		fputs("lethe-send: that is no packet. Try 'lethe-send --help'.\n", stderr);
		return EXIT_CANNOT;
	}
	return send_it(&sending);
}
