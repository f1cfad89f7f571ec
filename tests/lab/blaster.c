/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sends what no policy of the tests grants, by every way there is, as fast as it can: one thread a
 * way, until standard input ends. Every line on standard input is answered by a line of JSON: how
 * many packets the kernel was made to judge, by kind, and how many it never saw (no such device).
 *
 * It must run in a network namespace of a test. All that it sends carries a mark (mark.h).
 */
#include "mark.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <linux/capability.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <base/json.h>
#include <base/num.h>

#define PORT      4433
#define DNS_PORT  53
#define BODY_LEN  (24 + MARK_LEN + 1) /* room for the longest header that raw packets fake */
#define FRAME_LEN (sizeof(struct ether_header) + sizeof(struct iphdr) + BODY_LEN)
#define CHANNELS  (MARK_KINDS + 1)

struct blaster {
	struct mark mark;
	uint8_t gateway[6];
	struct in_addr resolver; /* on the LAN, where it must not be asked */
	uint32_t uid;
	int device; /* index */
	int plug;   /* index of the device that comes and goes, or 0 */
	_Atomic uint64_t tried[MARK_KINDS];
	_Atomic uint64_t unseen[MARK_KINDS];
};

/* One way out: sends one packet and returns what the system call returned. */
struct channel {
	struct blaster *blaster;
	enum mark_kind kind;
	int fd;
	unsigned turn; /* varies the packet */
	long (*send)(struct channel *channel);
};

static void body_fill(const struct channel *channel, uint8_t body[static BODY_LEN])
{
	memset(body, 0, 24);
	memcpy(body + 24, channel->blaster->mark.nonce, MARK_LEN);
	body[24 + MARK_LEN] = (uint8_t)channel->kind;
}

/* To the Internet, and by turns to the LAN's resolver, which is refused by another rule. */
static long send_udp(struct channel *channel)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	uint8_t body[BODY_LEN];

	body_fill(channel, body);
	memcpy(&to.sin_addr, channel->blaster->mark.address, sizeof(to.sin_addr));
	if (channel->turn++ % 2 == 0) {
		to.sin_addr = channel->blaster->resolver;
		to.sin_port = htons(DNS_PORT);
	}
	return sendto(channel->fd, body, sizeof(body), 0, (struct sockaddr *)&to, sizeof(to));
}

static long send_udp6(struct channel *channel)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(PORT)};
	uint8_t body[BODY_LEN];

	body_fill(channel, body);
	memcpy(&to.sin6_addr, channel->blaster->mark.address6, sizeof(to.sin6_addr));
	return sendto(channel->fd, body, sizeof(body), 0, (struct sockaddr *)&to, sizeof(to));
}

/* A socket for each: what is judged is the opening. */
static long send_tcp(struct channel *channel)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r, error;

	if (fd < 0)
		return fd;
	memcpy(&to.sin_addr, channel->blaster->mark.address, sizeof(to.sin_addr));
	r = connect(fd, (struct sockaddr *)&to, sizeof(to));
	error = errno;
	close(fd);
	errno = error;
	return r;
}

static void ip_fill(const struct channel *channel, uint8_t protocol, struct iphdr *ip)
{
	*ip = (struct iphdr){
	    .version = 4,
	    .ihl = 5,
	    .ttl = 64,
	    .protocol = protocol,
	    .tot_len = htons(sizeof(*ip) + BODY_LEN),
	    .saddr = htonl(0xc0a80102),
	};
	memcpy(&ip->daddr, channel->blaster->mark.address, sizeof(ip->daddr));
}

/* The first bytes of the body are the header of the protocol, as far as a filter looks at it. */
static void header_fill(uint8_t protocol, uint16_t port, uint8_t *body)
{
	const uint16_t net = htons(port);

	memcpy(body + 2, &net, sizeof(net)); /* of TCP, UDP and SCTP */
	if (protocol == IPPROTO_ICMP) {
		memset(body, 0, 4);
		body[0] = 8; /* an echo request */
	} else if (protocol == IPPROTO_TCP) {
		body[12] = 5 << 4;
		body[13] = 0x10; /* a segment that opens nothing */
	} else if (protocol == IPPROTO_UDP) {
		body[5] = BODY_LEN;
	}
}

static long send_raw(struct channel *channel)
{
	static const uint8_t protocols[] = {IPPROTO_ICMP, IPPROTO_TCP,  IPPROTO_UDP, IPPROTO_SCTP,
					    IPPROTO_GRE,  IPPROTO_IGMP, IPPROTO_ESP, 253};
	uint8_t protocol = protocols[channel->turn++ % ARRAY_SIZE(protocols)];
	struct sockaddr_in to = {.sin_family = AF_INET};
	uint8_t packet[sizeof(struct iphdr) + BODY_LEN];
	struct iphdr ip;

	ip_fill(channel, protocol, &ip);
	memcpy(packet, &ip, sizeof(ip));
	body_fill(channel, packet + sizeof(ip));
	header_fill(protocol, PORT, packet + sizeof(ip));
	memcpy(&to.sin_addr, channel->blaster->mark.address, sizeof(to.sin_addr));
	return sendto(channel->fd, packet, sizeof(packet), 0, (struct sockaddr *)&to, sizeof(to));
}

/* UDP in IPv4, to the Internet and to the LAN's resolver; the first with a label that says ARP,
 * which a policy grants; what calls itself IPv6; a protocol that nobody knows. */
static long send_frame(struct channel *channel, int device)
{
	static const struct {
		uint16_t type, label;
		bool resolver;
	} shapes[] = {
	    {ETHERTYPE_IP, ETHERTYPE_IP, false},
	    {ETHERTYPE_IP, ETHERTYPE_IP, true},
	    {ETHERTYPE_IP, ETHERTYPE_ARP, false},
	    {ETHERTYPE_IPV6, ETHERTYPE_IPV6, false},
	    {0x88b5, 0x88b5, false},
	};
	size_t turn = channel->turn++ % ARRAY_SIZE(shapes);
	struct ether_header link = {.ether_type = htons(shapes[turn].type),
				    .ether_shost = {0x02, 0x1e, 0x7e, 0, 1, 2}};
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
				 .sll_ifindex = device,
				 .sll_protocol = htons(shapes[turn].label),
				 .sll_halen = 6};
	uint8_t frame[FRAME_LEN];
	struct iphdr ip;

	memcpy(link.ether_dhost, channel->blaster->gateway, sizeof(link.ether_dhost));
	memcpy(to.sll_addr, channel->blaster->gateway, sizeof(link.ether_dhost));
	ip_fill(channel, IPPROTO_UDP, &ip);
	if (shapes[turn].resolver)
		ip.daddr = channel->blaster->resolver.s_addr;
	memcpy(frame, &link, sizeof(link));
	memcpy(frame + sizeof(link), &ip, sizeof(ip));
	body_fill(channel, frame + sizeof(link) + sizeof(ip));
	header_fill(IPPROTO_UDP, shapes[turn].resolver ? DNS_PORT : PORT,
		    frame + sizeof(link) + sizeof(ip));
	if (shapes[turn].type == ETHERTYPE_IPV6)
		frame[sizeof(link)] = 6 << 4;
	return sendto(channel->fd, frame, sizeof(frame), 0, (struct sockaddr *)&to, sizeof(to));
}

static long send_to_device(struct channel *channel)
{
	return send_frame(channel, channel->blaster->device);
}

static long send_to_plug(struct channel *channel)
{
	return send_frame(channel, channel->blaster->plug);
}

/* Did the packet get as far as the filter? */
static bool was_judged(long result, int error)
{
	if (result >= 0)
		return true;
	switch (error) {
	case EPERM:        /* dropped in output */
	case ENOBUFS:      /* dropped in egress */
	case ECONNREFUSED: /* reset */
	case EINPROGRESS:  /* a SYN that was let out or dropped */
		return true;
	default:
		return false;
	}
}

static void *run(void *data)
{
	struct channel *channel = data;
	struct blaster *blaster = channel->blaster;

	for (;;) {
		if (was_judged(channel->send(channel), errno)) {
			atomic_fetch_add_explicit(&blaster->tried[channel->kind], 1,
						  memory_order_relaxed);
		} else {
			atomic_fetch_add_explicit(&blaster->unseen[channel->kind], 1,
						  memory_order_relaxed);
			sched_yield();
		}
	}
	return NULL;
}

static int channel_start(struct blaster *blaster, struct channel *channel)
{
	static const struct {
		int family, type, protocol;
		long (*send)(struct channel *channel);
	} ways[MARK_KINDS] = {
	    [MARK_UDP] = {AF_INET, SOCK_DGRAM, 0, send_udp},
	    [MARK_UDP6] = {AF_INET6, SOCK_DGRAM, 0, send_udp6},
	    [MARK_TCP] = {0, 0, 0, send_tcp},
	    [MARK_RAW] = {AF_INET, SOCK_RAW, IPPROTO_RAW, send_raw},
	    [MARK_FRAME] = {AF_PACKET, SOCK_RAW, 0, send_to_device},
	    [MARK_BYPASS] = {AF_PACKET, SOCK_RAW, 0, send_to_device},
	    [MARK_PLUG] = {AF_PACKET, SOCK_RAW, 0, send_to_plug},
	};
	const __auto_type way = ways[channel->kind];
	pthread_t thread;
	int on = 1;

	channel->blaster = blaster;
	channel->send = way.send;
	channel->fd = -1;
	if (way.family) {
		channel->fd = socket(way.family, way.type | SOCK_CLOEXEC, way.protocol);
		if (channel->fd < 0)
			return neg_errno();
	}
	if (channel->kind == MARK_BYPASS &&
	    setsockopt(channel->fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) < 0)
		return neg_errno();
	return -pthread_create(&thread, NULL, run, channel);
}

/* Become the user, and keep the one right that raw packets and frames need. */
static int become(uint32_t uid)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[2] = {0};

	sets[0].effective = sets[0].permitted = 1u << CAP_NET_RAW;
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setresgid(uid, uid, uid) < 0 ||
	    setresuid(uid, uid, uid) < 0 || syscall(SYS_capset, &header, sets) < 0)
		return neg_errno();
	return 0;
}

static int report(struct blaster *blaster)
{
	uint64_t tried[MARK_KINDS], unseen[MARK_KINDS];
	AUTO_BUF struct buf out = {.cap = 65536};
	struct json json = {.out = &out};

	for (size_t i = 0; i < MARK_KINDS; i++) {
		tried[i] = atomic_load_explicit(&blaster->tried[i], memory_order_relaxed);
		unseen[i] = atomic_load_explicit(&blaster->unseen[i], memory_order_relaxed);
	}
	json_object_begin(&json, NULL);
	json_object_begin(&json, "tried");
	mark_report(&json, tried);
	json_object_end(&json);
	json_object_begin(&json, "unseen");
	mark_report(&json, unseen);
	json_object_end(&json);
	json_object_end(&json);
	printf("%s\n", buf_text(&out));
	return fflush(stdout) == 0 ? 0 : -EIO;
}

static int blast(struct blaster *blaster)
{
	static struct channel channels[CHANNELS];
	size_t kinds = blaster->plug ? MARK_KINDS : MARK_PLUG;
	int c, r;

	r = become(blaster->uid);
	for (size_t i = 0; r == 0 && i < kinds; i++) {
		channels[i].kind = (enum mark_kind)i;
		r = channel_start(blaster, &channels[i]);
	}
	if (r == 0)
		r = report(blaster);
	while (r == 0 && (c = getchar()) != EOF)
		if (c == '\n')
			r = report(blaster);
	return r;
}

static int parse_mac(const char *text, uint8_t ret_mac[static 6])
{
	unsigned value = 0;

	if (strlen(text) != 17)
		return -EINVAL;
	for (size_t i = 0; i < 17; i++) {
		const char *digits = "0123456789abcdef";
		const char *at = strchr(digits, text[i]);

		if (i % 3 == 2) {
			if (text[i] != ':')
				return -EINVAL;
			continue;
		}
		if (!at)
			return -EINVAL;
		value = value << 4 | (unsigned)(at - digits);
		ret_mac[i / 3] = (uint8_t)value;
	}
	return 0;
}

static void usage(FILE *to)
{
	fputs("Usage: lethe-blaster --nonce HEX --uid UID --device NAME --gateway MAC\n"
	      "                     --resolver ADDRESS [--plug INDEX]\n"
	      "Send forbidden packets until standard input ends. Each line on it is answered\n"
	      "by the numbers so far. Only for the network namespaces of tests.\n"
	      "  -n, --nonce=HEX         16 digits that mark this run's packets\n"
	      "  -u, --uid=UID           the user that sends\n"
	      "  -d, --device=NAME       the device for frames\n"
	      "  -g, --gateway=MAC       where frames are sent to\n"
	      "  -r, --resolver=ADDRESS  on the LAN, not to be asked for names\n"
	      "  -p, --plug=INDEX        index of a device that comes and goes\n"
	      "  -h, --help              print this help\n",
	      to);
}

static int parse_number(const char *text, uint64_t max, uint32_t *ret_number)
{
	uint64_t number;
	int r = num_parse_u64(text, max, &number);

	if (r == 0)
		*ret_number = (uint32_t)number;
	return r;
}

int main(int argc, char **argv)
{
	static const struct option names[] = {
	    {"nonce", required_argument, NULL, 'n'},    {"uid", required_argument, NULL, 'u'},
	    {"device", required_argument, NULL, 'd'},   {"gateway", required_argument, NULL, 'g'},
	    {"resolver", required_argument, NULL, 'r'}, {"plug", required_argument, NULL, 'p'},
	    {"help", no_argument, NULL, 'h'},           {0},
	};
	static struct blaster blaster;
	uint32_t plug = 0;
	unsigned given = 0;
	int c, r = 0;

	while (r == 0 && (c = getopt_long(argc, argv, "n:u:d:g:r:p:h", names, NULL)) != -1) {
		switch (c) {
		case 'n':
			r = mark_parse(optarg, &blaster.mark);
			given |= 1;
			break;
		case 'u':
			r = parse_number(optarg, UINT32_MAX - 1, &blaster.uid);
			given |= 2;
			break;
		case 'd':
			blaster.device = (int)if_nametoindex(optarg);
			r = blaster.device ? 0 : neg_errno();
			given |= 4;
			break;
		case 'g':
			r = parse_mac(optarg, blaster.gateway);
			given |= 8;
			break;
		case 'r':
			r = inet_pton(AF_INET, optarg, &blaster.resolver) == 1 ? 0 : -EINVAL;
			given |= 16;
			break;
		case 'p':
			r = parse_number(optarg, INT32_MAX, &plug);
			blaster.plug = (int)plug;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (r == 0 && (given != 31 || optind != argc)) {
		usage(stderr);
		return 2;
	}
	if (r == 0)
		r = blast(&blaster);
	if (r < 0)
		fprintf(stderr, "lethe-blaster: %s\n", strerror(-r));
	return r < 0 ? 1 : 0;
}
