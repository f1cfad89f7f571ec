/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sees packets: at the hooks, by the log that fixtures/witness.nft writes (nfnetlink_log), and at
 * the other end of the link (AF_PACKET).
 *
 * All of the program runs on one processor, and what this processor puts on a link of the two
 * namespaces or on lo it also receives, in the order in which it was put there. So when a barrier
 * that was sent later has arrived, all else has. What is sent in answer comes behind the barrier:
 * hence several, one after another.
 */
#include "classes.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define LOOPBACK_INDEX   1
#define GROUP            9          /* of the log, in fixtures/witness.nft */
#define ROOM             (64 << 20) /* bytes that may wait in a socket */
#define COPIED           256        /* bytes of a packet */
#define BARRIERS         4          /* an opening, its answer, the reset for that, and one more */
#define BARRIER_NUMBER   0xfffffff0u
#define DEADLINE_SECONDS 30

/* The kernel's macros for this are signed. */
#define ALIGNED(len) (((size_t)(len) + 3) & ~(size_t)3)

#define ATTRIBUTE_LEN (sizeof(struct nlattr))
#define HEADER_LEN    (sizeof(struct nlmsghdr))

struct watch {
	int log, peer;
	uint32_t barrier; /* how many were seen, of the present round */
};

struct logged {
	const char *prefix;
	const uint8_t *data;
	size_t len;
	uint8_t family; /* NFPROTO_* */
	bool owned;
	uint32_t uid, device; /* device: by which it leaves, or 0 */
};

/* ---- asking for the log ---- */

struct config {
	struct nlmsghdr header;
	struct nfgenmsg general;
	struct nlattr attribute;
	uint8_t value[8];
};

static int configure(int fd, uint16_t type, const void *value, uint16_t len)
{
	struct config config = {
	    .header =
		{
		    .nlmsg_len = (uint32_t)(offsetof(struct config, value) + ALIGNED(len)),
		    .nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG,
		    .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
		},
	    .general = {.nfgen_family = AF_UNSPEC, .res_id = htons(GROUP)},
	    .attribute = {.nla_len = (uint16_t)(ATTRIBUTE_LEN + len), .nla_type = type},
	};
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
	} answer;

	memcpy(config.value, value, len);
	if (send(fd, &config, config.header.nlmsg_len, 0) < 0 ||
	    recv(fd, &answer, sizeof(answer), 0) < 0)
		return neg_errno();
	return answer.header.nlmsg_type == NLMSG_ERROR ? answer.error.error : -EPROTO;
}

static int log_open(void)
{
	const struct nfulnl_msg_config_cmd bind = {.command = NFULNL_CFG_CMD_BIND};
	const struct nfulnl_msg_config_mode mode = {.copy_range = htonl(COPIED),
						    .copy_mode = NFULNL_COPY_PACKET};
	const uint32_t at_once = htonl(1);
	AUTO_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	int room = ROOM, r;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0)
		return neg_errno();
	r = configure(fd, NFULA_CFG_CMD, &bind, sizeof(bind));
	if (r == 0)
		r = configure(fd, NFULA_CFG_MODE, &mode, sizeof(mode));
	if (r == 0)
		r = configure(fd, NFULA_CFG_QTHRESH, &at_once, sizeof(at_once));
	return r < 0 ? r : TAKE_FD(fd);
}

int watch_open(int peer_socket, int peer_device, struct watch **ret_watch)
{
	const struct sockaddr_ll at = {
	    .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = peer_device};
	struct watch *watch = calloc(1, sizeof(*watch));
	int room = ROOM;

	if (!watch)
		return -ENOMEM;
	watch->peer = peer_socket;
	watch->log = log_open();
	if (watch->log < 0) {
		int r = watch->log;

		free(watch);
		return r;
	}
	if (setsockopt(peer_socket, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0 ||
	    bind(peer_socket, (const struct sockaddr *)&at, sizeof(at)) < 0) {
		int r = neg_errno();

		watch_close(watch);
		return r;
	}
	*ret_watch = watch;
	return 0;
}

struct watch *watch_close(struct watch *watch)
{
	if (watch)
		close(watch->log);
	free(watch);
	return NULL;
}

/* ---- noting ---- */

static uint32_t sight_of(const char *prefix)
{
	static const struct {
		const char *prefix;
		uint32_t sight;
	} sights[] = {
	    {"ob", SIGHT_OUTPUT_BEFORE}, {"oa", SIGHT_OUTPUT_AFTER},   {"ib", SIGHT_INPUT_BEFORE},
	    {"ia", SIGHT_INPUT_AFTER},   {"fb", SIGHT_FORWARD_BEFORE}, {"fa", SIGHT_FORWARD_AFTER},
	    {"eb", SIGHT_EGRESS_BEFORE}, {"ea", SIGHT_EGRESS_AFTER},
	};

	for (size_t i = 0; i < ARRAY_SIZE(sights); i++)
		if (strcmp(prefix, sights[i].prefix) == 0)
			return sights[i].sight;
	return 0;
}

static void note_owner(struct specimen *specimen, const struct logged *logged, uint32_t sight)
{
	const struct packet *packet = &specimen->packet;
	bool leaves = (packet->path == PACKET_OUTPUT && sight == SIGHT_OUTPUT_BEFORE) ||
		      (packet->path == PACKET_FRAME && sight == SIGHT_EGRESS_BEFORE);

	if (leaves &&
	    (logged->owned != packet->owned || (packet->owned && logged->uid != packet->uid)))
		specimen->seen |= SIGHT_OWNER;
	if (sight == SIGHT_INPUT_AFTER && logged->owned && logged->uid == CLASSES_PROXY_USER)
		specimen->seen |= SIGHT_PROXY;
}

/* The number in what begins with an Ethernet header. */
static uint32_t number_of_frame(const uint8_t *frame, size_t len, uint32_t *ret_answer)
{
	uint32_t ethertype;

	*ret_answer = 0;
	if (len < BUILT_LINK)
		return CLASSES_NO_NUMBER;
	ethertype = (uint32_t)frame[12] << 8 | frame[13];
	return built_number(frame + BUILT_LINK, len - BUILT_LINK,
			    ethertype == ETH_P_IP || ethertype == ETH_P_IPV6, ret_answer);
}

/* What has no number, on its way out. */
static int note_stranger(struct classes *classes, const struct logged *logged, uint32_t sight)
{
	bool frame = (sight & (SIGHT_EGRESS_BEFORE | SIGHT_EGRESS_AFTER)) != 0;
	struct packet packet = {
	    .path = frame ? PACKET_FRAME : PACKET_OUTPUT,
	    .loopback = logged->device == LOOPBACK_INDEX,
	    .owned = logged->owned,
	    .uid = logged->uid,
	};

	if (!classes->noting || !(frame || (sight & (SIGHT_OUTPUT_BEFORE | SIGHT_OUTPUT_AFTER))))
		return 0;
	if (!note_read(&packet, logged->data, logged->len))
		return 0;
	/* What answers an opening has a request socket, of which the log does not tell whose it is;
	 * to rules it is the listener's (`meta skuid`). While notes are taken there is one. */
	if (packet.protocol == IPPROTO_TCP && !packet.owned &&
	    (packet.tcp_flags & PACKET_TCP_SYN) && (packet.tcp_flags & PACKET_TCP_ACK)) {
		packet.owned = true;
		packet.uid = CLASSES_PROXY_USER;
	}
	return note_add(&classes->notes, &packet,
			(sight & (SIGHT_OUTPUT_AFTER | SIGHT_EGRESS_AFTER)) != 0);
}

static int note_logged(struct classes *classes, const struct logged *logged)
{
	uint32_t sight = sight_of(logged->prefix), answer, number;

	if (logged->family == NFPROTO_NETDEV)
		number = number_of_frame(logged->data, logged->len, &answer);
	else
		number = built_number(logged->data, logged->len, true, &answer);
	if (number >= BARRIER_NUMBER) {
		if (number != CLASSES_NO_NUMBER && sight == SIGHT_INPUT_BEFORE &&
		    number == BARRIER_NUMBER + classes->watch->barrier)
			classes->watch->barrier++;
		return number == CLASSES_NO_NUMBER ? note_stranger(classes, logged, sight) : 0;
	}
	/* Sequence numbers of connections may be anything. */
	if (number >= classes->count || (answer && classes->connecting))
		return note_stranger(classes, logged, sight);
	/* An answer counts when the kernel has made it: where it comes to its output hook. */
	if (answer) {
		if (sight == SIGHT_OUTPUT_BEFORE)
			classes->specimens[number].seen |= answer;
		return note_stranger(classes, logged, sight);
	}
	classes->specimens[number].seen |= sight;
	note_owner(&classes->specimens[number], logged, sight);
	return 0;
}

static bool parse_logged(const struct nlmsghdr *header, struct logged *logged)
{
	const size_t start = HEADER_LEN + ALIGNED(sizeof(struct nfgenmsg));
	const uint8_t *at = (const uint8_t *)header + start, *end;
	const struct nfgenmsg *general = (const void *)((const uint8_t *)header + HEADER_LEN);

	if (header->nlmsg_type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET) ||
	    header->nlmsg_len < start)
		return false;
	end = (const uint8_t *)header + header->nlmsg_len;
	*logged = (struct logged){.prefix = "", .family = general->nfgen_family};
	while ((size_t)(end - at) >= ATTRIBUTE_LEN) {
		struct nlattr attribute;
		const uint8_t *value = at + ATTRIBUTE_LEN;

		memcpy(&attribute, at, sizeof(attribute));
		if (attribute.nla_len < ATTRIBUTE_LEN || attribute.nla_len > end - at)
			return false;
		switch (attribute.nla_type) {
		case NFULA_PREFIX:
			if (at[attribute.nla_len - 1u] == '\0')
				logged->prefix = (const char *)value;
			break;
		case NFULA_PAYLOAD:
			logged->data = value;
			logged->len = attribute.nla_len - ATTRIBUTE_LEN;
			break;
		case NFULA_UID:
			logged->owned = true;
			memcpy(&logged->uid, value, sizeof(logged->uid));
			logged->uid = ntohl(logged->uid);
			break;
		case NFULA_IFINDEX_OUTDEV:
			memcpy(&logged->device, value, sizeof(logged->device));
			logged->device = ntohl(logged->device);
			break;
		default:
			break;
		}
		if (ALIGNED(attribute.nla_len) >= (size_t)(end - at))
			break;
		at += ALIGNED(attribute.nla_len);
	}
	return logged->data != NULL;
}

static int drain_log(struct classes *classes)
{
	union {
		struct nlmsghdr header;
		char bytes[65536];
	} buffer;

	for (;;) {
		ssize_t got = recv(classes->watch->log, &buffer, sizeof(buffer), MSG_DONTWAIT);
		const struct nlmsghdr *header = &buffer.header;
		size_t left = got > 0 ? (size_t)got : 0;
		struct logged logged;
		int r = 0;

		if (got < 0)
			return errno == EAGAIN ? 0 : neg_errno();
		while (left >= HEADER_LEN && header->nlmsg_len >= HEADER_LEN &&
		       header->nlmsg_len <= left) {
			size_t step = ALIGNED(header->nlmsg_len);

			if (parse_logged(header, &logged))
				r = note_logged(classes, &logged);
			if (r < 0)
				return r;
			if (step >= left)
				break;
			left -= step;
			header = (const void *)((const char *)header + step);
		}
	}
}

static int drain_peer(struct classes *classes)
{
	struct tpacket_stats lost = {0};
	socklen_t size = sizeof(lost);
	uint8_t frame[2048];

	for (;;) {
		struct sockaddr_ll from = {0};
		socklen_t from_size = sizeof(from);
		ssize_t got = recvfrom(classes->watch->peer, frame, sizeof(frame), MSG_DONTWAIT,
				       (struct sockaddr *)&from, &from_size);
		uint32_t number, answer;

		if (got < 0 && errno == EAGAIN)
			break;
		if (got < 0)
			return neg_errno();
		if (from.sll_pkttype == PACKET_OUTGOING)
			continue;
		number = number_of_frame(frame, (size_t)got, &answer);
		if (number < classes->count && !answer)
			classes->specimens[number].seen |= SIGHT_PEER;
	}
	if (getsockopt(classes->watch->peer, SOL_PACKET, PACKET_STATISTICS, &lost, &size) < 0)
		return neg_errno();
	return lost.tp_drops ? -ENOBUFS : 0;
}

/* ---- waiting ---- */

static int send_barrier(struct classes *classes)
{
	struct packet packet = {
	    .path = PACKET_INPUT,
	    .ethertype = ETH_P_IP,
	    .protocol = IPPROTO_UDP,
	    .source = packet_address4(0xc0a80101),
	    .destination = packet_address4(0xc0a80102),
	    .source_port = 9,
	    .destination_port = 9,
	};
	struct built built;

	built_make(&built, &packet, BARRIER_NUMBER + classes->watch->barrier);
	return send_from_peer(classes->senders, &built, false);
}

static int wait_barrier(struct classes *classes, uint32_t wanted)
{
	struct pollfd poll_fd = {.fd = classes->watch->log, .events = POLLIN};
	time_t deadline = time(NULL) + DEADLINE_SECONDS;
	int r;

	for (;;) {
		r = drain_log(classes);
		if (r < 0 || classes->watch->barrier >= wanted)
			return r;
		if (time(NULL) > deadline)
			return -ETIMEDOUT;
		if (poll(&poll_fd, 1, 1000) < 0)
			return neg_errno();
	}
}

int watch_settle(struct classes *classes)
{
	int r = 0;

	classes->watch->barrier = 0;
	for (uint32_t i = 0; r == 0 && i < BARRIERS; i++) {
		r = send_barrier(classes);
		if (r == 0)
			r = wait_barrier(classes, i + 1);
	}
	return r < 0 ? r : drain_peer(classes);
}

static bool was_noted(const struct notes *notes, uint16_t ethertype, uint8_t protocol)
{
	for (size_t i = 0; i < notes->count; i++)
		if (notes->notes[i].packet.ethertype == ethertype &&
		    notes->notes[i].packet.protocol == protocol)
			return true;
	return false;
}

int watch_for(struct classes *classes, uint16_t ethertype, uint8_t protocol)
{
	struct pollfd poll_fd = {.fd = classes->watch->log, .events = POLLIN};
	time_t deadline = time(NULL) + DEADLINE_SECONDS;

	for (;;) {
		int r = drain_log(classes);

		if (r < 0)
			return r;
		if (was_noted(&classes->notes, ethertype, protocol))
			return watch_settle(classes);
		if (time(NULL) > deadline)
			return -ETIMEDOUT;
		if (poll(&poll_fd, 1, 1000) < 0)
			return neg_errno();
	}
}
