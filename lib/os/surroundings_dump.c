/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Asking the kernel over netlink, one dump after the other. */
#include "surroundings_reading.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/fib_rules.h>
#include <linux/netfilter.h>
#include <linux/netfilter_arp.h>
#include <linux/netfilter_bridge.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_hook.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define RECEIVE_SIZE   (256u << 10)
#define ANSWER_SECONDS 10 /* the kernel answers at once; this only ends a wait for ever */
#define TRIES          10 /* when what is dumped changes meanwhile */

struct question {
	int protocol;      /* NETLINK_* */
	uint16_t asks;     /* RTM_GETLINK */
	uint16_t answered; /* RTM_NEWLINK */
	const void *body;
	size_t size;
	reading_message *message;
};

#define BODY_MAX 64

static int netlink_open(int protocol, int *ret_fd)
{
	struct timeval timeout = {.tv_sec = ANSWER_SECONDS};
	AUTO_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

	/* What a family of addresses that is missing means to who asks is another thing. */
	if (fd < 0 && errno == EAFNOSUPPORT)
		return -EPERM;
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0)
		return neg_errno();
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int question_send(int fd, const struct question *question)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	struct nlmsghdr header = {
	    .nlmsg_len = (uint32_t)(sizeof(header) + question->size),
	    .nlmsg_type = question->asks,
	    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
	};
	uint8_t request[sizeof(header) + BODY_MAX];

	if (question->size > BODY_MAX)
		return -EINVAL;
	memcpy(request, &header, sizeof(header));
	memcpy(request + sizeof(header), question->body, question->size);
	if (sendto(fd, request, header.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) <
	    0)
		return neg_errno();
	return 0;
}

/* One datagram of the kernel's, whole. */
static int datagram_receive(int fd, uint8_t *data, size_t size, size_t *ret_len)
{
	struct sockaddr_nl from = {0};
	socklen_t from_len = sizeof(from);
	ssize_t len;

	do
		len = recvfrom(fd, data, size, MSG_TRUNC, (struct sockaddr *)&from, &from_len);
	while ((len < 0 && errno == EINTR) || (len >= 0 && from.nl_pid != 0));
	if (len < 0)
		return errno == EAGAIN ? -ETIMEDOUT : neg_errno();
	if ((size_t)len > size)
		return -EMSGSIZE;
	*ret_len = (size_t)len;
	return 0;
}

static int ask_once(struct reading *reading, const struct question *question, uint8_t *data)
{
	AUTO_CLOSE int fd = -EBADF;
	size_t len = 0;
	int r = netlink_open(question->protocol, &fd);

	if (r == 0)
		r = question_send(fd, question);
	while (r == 0) {
		r = datagram_receive(fd, data, RECEIVE_SIZE, &len);
		if (r == 0)
			r = reading_datagram(reading, (struct reading_bytes){data, len},
					     question->answered, question->message);
	}
	return r < 0 ? r : 0;
}

/* All of it, or -errno and what was understood before is kept: it is there in any case. A dump that
 * was interrupted is forgotten and asked for again. */
static int ask(struct reading *reading, const struct question *question)
{
	AUTO_FREE uint8_t *data = malloc(RECEIVE_SIZE);
	int r = -EINTR;

	if (!data)
		return -ENOMEM;
	for (unsigned tries = 0; r == -EINTR && tries < TRIES; tries++) {
		size_t findings = reading->to.finding_count, devices = reading->to.device_count;
		size_t places = reading->place_count;
		unsigned rules_seen = reading->rules_seen;
		bool more = reading->to.more;

		r = ask_once(reading, question, data);
		if (r != -EINTR)
			break;
		reading->to.finding_count = findings;
		reading->to.device_count = devices;
		reading->place_count = places;
		reading->rules_seen = rules_seen;
		reading->to.more = more;
	}
	return r;
}

static void ask_or_tell(struct reading *reading, const struct question *question, const char *what)
{
	int r = ask(reading, question);

	if (r < 0)
		reading_cannot_tell(reading, what, r);
}

/* ---- the questions ---- */

static void ask_links(struct reading *reading)
{
	struct {
		struct ifinfomsg fixed;
		struct nlattr mask_header;
		uint32_t mask;
	} body = {
	    .mask_header = {.nla_len = 8, .nla_type = IFLA_EXT_MASK},
	    .mask = RTEXT_FILTER_SKIP_STATS,
	};

	ask_or_tell(reading,
		    &(struct question){NETLINK_ROUTE, RTM_GETLINK, RTM_NEWLINK, &body, sizeof(body),
				       reading_link},
		    "the devices");
}

static void ask_rules(struct reading *reading, uint8_t family, const char *name)
{
	static const struct {
		uint32_t priority;
		const char *table;
	} own[] = {{0, "local"}, {32766, "main"}};
	struct fib_rule_hdr body = {.family = family};
	char what[SURROUNDINGS_NAME_MAX];
	int r;

	reading->rules_seen = 0;
	r = ask(reading, &(struct question){NETLINK_ROUTE, RTM_GETRULE, RTM_NEWRULE, &body,
					    sizeof(body), reading_rule});
	/* Kernels without this family, or without rules. */
	if (r == -EAFNOSUPPORT || r == -EOPNOTSUPP)
		return;
	snprintf(what, sizeof(what), "the routing rules of %s", name);
	if (r < 0) {
		reading_cannot_tell(reading, what, r);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
		if (reading->rules_seen & (1u << i))
			continue;
		snprintf(what, sizeof(what), "%s %u", name, own[i].priority);
		reading_add(reading, SURROUNDINGS_RULE_MISSING, what,
			    "the kernel's own routing rule of %s for the table %s is not there",
			    name, own[i].table);
	}
}

static void ask_routes(struct reading *reading)
{
	static const uint8_t families[] = {AF_INET, AF_INET6};
	struct nhmsg nexthop = {0};
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		struct rtmsg body = {.rtm_family = families[i]};

		r = ask(reading, &(struct question){NETLINK_ROUTE, RTM_GETROUTE, RTM_NEWROUTE,
						    &body, sizeof(body), reading_route});
		if (r < 0 && r != -EAFNOSUPPORT && r != -EOPNOTSUPP)
			reading_cannot_tell(reading, "the routes", r);
	}
	r = ask(reading, &(struct question){NETLINK_ROUTE, RTM_GETNEXTHOP, RTM_NEWNEXTHOP, &nexthop,
					    sizeof(nexthop), reading_nexthop});
	if (r < 0 && r != -EOPNOTSUPP)
		reading_cannot_tell(reading, "the next hops of routes", r);
}

static void ask_classes(struct reading *reading, uint32_t device)
{
	struct tcmsg body = {.tcm_ifindex = (int)device};

	ask_or_tell(reading,
		    &(struct question){NETLINK_ROUTE, RTM_GETTCLASS, RTM_NEWTCLASS, &body,
				       sizeof(body), reading_class},
		    "traffic control's classes");
}

static void ask_queues(struct reading *reading)
{
	struct {
		struct tcmsg fixed;
		struct nlattr invisible;
	} body = {.invisible = {.nla_len = 4, .nla_type = TCA_DUMP_INVISIBLE}};
	int r = ask(reading, &(struct question){NETLINK_ROUTE, RTM_GETQDISC, RTM_NEWQDISC, &body,
						sizeof(body), reading_queue});
	size_t queues = reading->place_count;

	if (r == -EOPNOTSUPP) /* a kernel without traffic control */
		return;
	if (r < 0)
		reading_cannot_tell(reading, "traffic control's queues", r);
	/* The queues of a device stand together, and all its classes are one answer. */
	for (size_t i = 0; i < queues; i++) {
		struct reading_place place = reading->places[i];

		if (place.classes && (i == 0 || !reading->places[i - 1].classes ||
				      reading->places[i - 1].device != place.device))
			ask_classes(reading, place.device);
	}
	for (size_t i = 0; i < reading->place_count; i++) {
		struct tcmsg place = {.tcm_ifindex = (int)reading->places[i].device,
				      .tcm_parent = reading->places[i].parent};

		reading->asked = reading->places[i];
		ask_or_tell(reading,
			    &(struct question){NETLINK_ROUTE, RTM_GETTFILTER, RTM_NEWTFILTER,
					       &place, sizeof(place), reading_filter},
			    "traffic control's filters");
	}
}

static void ask_policies(struct reading *reading)
{
	struct xfrm_userpolicy_id body = {0};
	AUTO_CLOSE int older = -EBADF;
	int r =
	    ask(reading, &(struct question){NETLINK_XFRM, XFRM_MSG_GETPOLICY, XFRM_MSG_NEWPOLICY,
					    &body, sizeof(body), reading_policy});

	/* Without this protocol, policies are made by the older one, or not at all. */
	if (r == -EPROTONOSUPPORT) {
		older = open("/proc/thread-self/net/pfkey", O_RDONLY | O_CLOEXEC);
		if (older < 0 && errno == ENOENT)
			return;
	}
	if (r < 0)
		reading_cannot_tell(reading, "the IPsec policies", r);
}

/* Returns 0, -EINVAL (this kernel has no such list), or -errno. */
static int ask_hooks(struct reading *reading)
{
	static const struct {
		uint8_t family;
		uint32_t hooks;
		bool optional;
	} families[] = {
	    {NFPROTO_IPV4, NF_INET_NUMHOOKS, false},
	    {NFPROTO_IPV6, NF_INET_NUMHOOKS, false},
	    {NFPROTO_ARP, NF_ARP_NUMHOOKS, true},
	    /* The kernel has no list for the last of a bridge's hooks, brouting: that is a table. */
	    {NFPROTO_BRIDGE, NF_BR_BROUTING, true},
	};
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		for (uint32_t hook = 0; hook < families[i].hooks; hook++) {
			struct {
				struct nfgenmsg fixed;
				struct nlattr header;
				uint32_t number;
			} body = {
			    .fixed = {.nfgen_family = families[i].family},
			    .header = {.nla_len = 8, .nla_type = NFNLA_HOOK_HOOKNUM},
			    .number = htonl(hook),
			};
			uint16_t type = (NFNL_SUBSYS_HOOK << 8) | NFNL_MSG_HOOK_GET;

			r = ask(reading, &(struct question){NETLINK_NETFILTER, type, type, &body,
							    sizeof(body), reading_hook});
			/* ARP or bridges, which this kernel does not filter. */
			if (r == -EPROTONOSUPPORT && families[i].optional)
				break;
			if (r < 0)
				return r;
		}
	}
	return 0;
}

void reading_netlink(struct reading *reading)
{
	int r;

	ask_links(reading);
	ask_rules(reading, AF_INET, "ipv4");
	ask_rules(reading, AF_INET6, "ipv6");
	ask_routes(reading);
	ask_queues(reading);
	ask_policies(reading);
	r = ask_hooks(reading);
	if (r == -EINVAL || r == -EPROTONOSUPPORT) {
		reading_bridge_tables(reading);
		reading_netfilter_programs(reading);
	} else if (r < 0) {
		reading_cannot_tell(reading, "the functions on the packet filter's hooks", r);
	}
}
