/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parsers: messages as kernels send them, wrong ones, and each cut at every byte. */
#include <arpa/inet.h>
#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/lwtunnel.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_hook.h>
#include <linux/nexthop.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "surroundings_reading.h"

#include <base/buf.h>

#define AUTO_READING CLEANUP(reading_done)
#define TYPE         77

/* ---- making messages ---- */

static void add(struct buf *out, const void *data, size_t len)
{
	static const uint8_t zeros[4] = {0};

	buf_add(out, data, len);
	buf_add(out, zeros, NLMSG_ALIGN(len) - len);
}

static void attribute(struct buf *out, unsigned type, const void *data, size_t len)
{
	struct nlattr header = {.nla_len = (uint16_t)(sizeof(header) + len),
				.nla_type = (uint16_t)type};

	buf_add(out, &header, sizeof(header));
	add(out, data, len);
}

static void attribute_text(struct buf *out, unsigned type, const char *text)
{
	attribute(out, type, text, strlen(text) + 1);
}

static void attribute_u32(struct buf *out, unsigned type, uint32_t number)
{
	attribute(out, type, &number, sizeof(number));
}

static void attribute_nest(struct buf *out, unsigned type, const struct buf *inner)
{
	attribute(out, type, inner->data, inner->len);
}

/* A copy that ends where its room ends, so that the sanitizers see each byte read beyond it. */
static int parse_cut(struct reading *reading, reading_message *message, const struct buf *body,
		     size_t len)
{
	AUTO_FREE uint8_t *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	memcpy(copy, body->data, len);
	return message(reading, (struct reading_bytes){copy, len});
}

/* Whole it is understood; cut anywhere it is refused, or was whole without its last attributes. */
static void parse(struct reading *reading, reading_message *message, const struct buf *body)
{
	assert_int_equal(buf_finish(body), 0);
	for (size_t len = 0; len < body->len; len++) {
		AUTO_READING struct reading scratch = {.asked = reading->asked};
		int r = parse_cut(&scratch, message, body, len);

		assert_true(r == 0 || r == -EBADMSG);
		assert_true(r == 0 || scratch.to.finding_count + scratch.to.device_count == 0 ||
			    message == reading_route);
	}
	assert_int_equal(parse_cut(reading, message, body, body->len), 0);
	assert_false(reading->no_memory);
}

static void require_one(struct reading *reading, enum surroundings_kind kind, const char *name)
{
	assert_int_equal(reading->to.finding_count, 1);
	assert_int_equal(reading->to.findings[0].kind, kind);
	assert_string_equal(reading->to.findings[0].name, name);
	assert_true(reading->to.findings[0].words[0]);
	reading->to.finding_count = 0;
}

/* ---- framing ---- */

static int count_message(struct reading *reading, struct reading_bytes body)
{
	reading->rules_seen++;
	return body.len == 4 ? 0 : -EBADMSG;
}

static void message(struct buf *out, unsigned type, unsigned flags, int32_t value)
{
	struct nlmsghdr header = {.nlmsg_len = sizeof(header) + sizeof(value),
				  .nlmsg_type = (uint16_t)type,
				  .nlmsg_flags = (uint16_t)flags};

	buf_add(out, &header, sizeof(header));
	buf_add(out, &value, sizeof(value));
}

static int datagram(const struct buf *data, size_t len, unsigned *ret_seen)
{
	AUTO_READING struct reading reading = {0};
	AUTO_FREE uint8_t *copy = malloc(len ? len : 1);
	int r;

	assert_non_null(copy);
	memcpy(copy, buf_text(data), len);
	r = reading_datagram(&reading, (struct reading_bytes){copy, len}, TYPE, count_message);
	*ret_seen = reading.rules_seen;
	return r;
}

static void test_framing(void **state)
{
	AUTO_BUF struct buf data = {.cap = 4096};
	unsigned seen = 0;

	assert_int_equal(datagram(&data, 0, &seen), -EBADMSG);
	message(&data, TYPE, 0, 1);
	message(&data, TYPE, 0, 2);
	assert_int_equal(datagram(&data, data.len, &seen), 0);
	assert_int_equal(seen, 2);
	message(&data, NLMSG_DONE, 0, 0);
	message(&data, TYPE, 0, 3);
	assert_int_equal(datagram(&data, data.len, &seen), 1);
	assert_int_equal(seen, 2);
	for (size_t len = 0; len < data.len; len++) {
		int r = datagram(&data, len, &seen);

		assert_true(r == (len % 20 == 0 && len > 0 ? len >= 60 : -EBADMSG) ||
			    (r == 1 && len > 60));
	}
}

static void test_end_of_dump(void **state)
{
	static const struct {
		unsigned type, flags;
		int32_t value;
		int expected;
	} cases[] = {
	    {NLMSG_DONE, 0, 0, 1},
	    {NLMSG_DONE, 0, -EOPNOTSUPP, -EOPNOTSUPP},
	    {NLMSG_DONE, 0, 5, -EBADMSG},
	    {NLMSG_DONE, 0, INT32_MIN, -EBADMSG},
	    {NLMSG_DONE, NLM_F_DUMP_INTR, 0, -EINTR},
	    {TYPE, NLM_F_DUMP_INTR, 0, -EINTR},
	    {NLMSG_ERROR, 0, -EPERM, -EPERM},
	    {NLMSG_ERROR, 0, 0, -EBADMSG},
	    {NLMSG_ERROR, 0, 1, -EBADMSG},
	    {NLMSG_NOOP, 0, 0, -EBADMSG},
	    {NLMSG_OVERRUN, 0, 0, -EBADMSG},
	    {TYPE + 1, 0, 0, -EBADMSG},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_BUF struct buf data = {.cap = 4096};
		unsigned seen;

		message(&data, cases[i].type, cases[i].flags, cases[i].value);
		assert_int_equal(datagram(&data, data.len, &seen), cases[i].expected);
	}
}

static void test_attributes(void **state)
{
	static const uint8_t bytes[] = {7, 0, 3, 0x80, 'a', 'b', 0, 0, 5, 0, 4, 0, 'c'};
	struct reading_bytes rest = {bytes, sizeof(bytes)}, value;
	char text[2] = "";
	unsigned type = 0;
	uint32_t number;

	assert_int_equal(reading_attribute(&rest, &type, &value), 1);
	assert_int_equal(type, 3);
	assert_int_equal(value.len, 3);
	assert_int_equal(reading_text(value, text, sizeof(text)), 0);
	assert_string_equal(text, "a");
	assert_int_equal(reading_u32(value, &number), -EBADMSG);
	assert_int_equal(reading_attribute(&rest, &type, &value), 1);
	assert_int_equal(type, 4);
	assert_int_equal(reading_text(value, text, sizeof(text)), -EBADMSG);
	assert_int_equal(reading_attribute(&rest, &type, &value), 0);
	value.len = 0;
	assert_int_equal(reading_text(value, text, sizeof(text)), -EBADMSG);
	rest = (struct reading_bytes){(const uint8_t[]){3, 0, 1, 0}, 4};
	assert_int_equal(reading_attribute(&rest, &type, &value), -EBADMSG);
	rest = (struct reading_bytes){(const uint8_t[]){5, 0, 1, 0}, 4};
	assert_int_equal(reading_attribute(&rest, &type, &value), -EBADMSG);
}

/* ---- devices ---- */

static void link_body(struct buf *out, uint8_t attached)
{
	struct ifinfomsg fixed = {.ifi_index = 9, .ifi_type = 1, .ifi_flags = IFF_UP};
	AUTO_BUF struct buf info = {.cap = 256}, xdp = {.cap = 64};

	attribute_text(&info, IFLA_INFO_KIND, "veth");
	attribute_text(&info, IFLA_INFO_SLAVE_KIND, "bridge");
	attribute(&xdp, IFLA_XDP_ATTACHED, &attached, 1);
	add(out, &fixed, sizeof(fixed));
	attribute_text(out, IFLA_IFNAME, "eth\0339");
	attribute_u32(out, IFLA_MASTER, 4);
	attribute_u32(out, IFLA_LINK, 3);
	attribute_u32(out, IFLA_LINK_NETNSID, UINT32_MAX);
	attribute_nest(out, IFLA_LINKINFO, &info);
	attribute_nest(out, IFLA_XDP | NLA_F_NESTED, &xdp);
}

static void test_link(void **state)
{
	AUTO_BUF struct buf body = {.cap = 4096}, plain = {.cap = 4096}, nameless = {.cap = 4096};
	AUTO_READING struct reading reading = {0};
	const struct surroundings_device *device;

	link_body(&body, XDP_ATTACHED_SKB);
	link_body(&plain, XDP_ATTACHED_NONE);
	parse(&reading, reading_link, &body);
	parse(&reading, reading_link, &plain);
	assert_int_equal(reading.to.device_count, 2);
	assert_false(reading.to.devices[1].xdp);
	device = &reading.to.devices[0];
	assert_int_equal(device->index, 9);
	assert_string_equal(device->name, "eth\0339");
	assert_string_equal(device->kind, "veth");
	assert_string_equal(device->port_kind, "bridge");
	assert_true(device->up && device->xdp && device->lower_elsewhere);
	assert_int_equal(device->master, 4);
	assert_int_equal(device->lower, 3);
	assert_int_equal(device->lower_namespace, -1);
	add(&nameless, &(struct ifinfomsg){.ifi_index = 1}, sizeof(struct ifinfomsg));
	assert_int_equal(parse_cut(&reading, reading_link, &nameless, nameless.len), -EBADMSG);
}

/* ---- routing ---- */

struct rule_case {
	struct fib_rule_hdr fixed;
	uint32_t priority;
	unsigned type; /* one more attribute, with this number */
	uint32_t value;
	enum surroundings_kind expected; /* 0: the kernel's own */
};

static void test_rules(void **state)
{
#define TO .family = AF_INET, .action = FR_ACT_TO_TBL
	static const struct rule_case cases[] = {
	    {{TO, .table = RT_TABLE_LOCAL}, 0, 0, 0, 0},
	    {{TO, .table = RT_TABLE_MAIN}, 32766, 0, 0, 0},
	    {{TO, .table = RT_TABLE_DEFAULT}, 32767, 0, 0, 0},
	    {{TO, .table = RT_TABLE_MAIN, .flags = FIB_RULE_PERMANENT}, 32766, 0, 0, 0},
	    {{TO, .table = RT_TABLE_MAIN}, 32766, FRA_SUPPRESS_PREFIXLEN, UINT32_MAX, 0},
	    {{TO, .table = RT_TABLE_MAIN}, 32766, FRA_PROTOCOL, 2, 0},
	    {{TO, .table = RT_TABLE_MAIN}, 32766, FRA_TABLE, RT_TABLE_MAIN, 0},
	    {{TO, .table = RT_TABLE_MAIN}, 32766, FRA_TABLE, 100, SURROUNDINGS_RULE},
	    {{TO, .table = RT_TABLE_MAIN}, 32765, 0, 0, SURROUNDINGS_RULE},
	    {{TO, .table = RT_TABLE_MAIN}, 0, 0, 0, SURROUNDINGS_RULE},
	    {{TO, .table = RT_TABLE_LOCAL}, 32766, 0, 0, SURROUNDINGS_RULE},
	    {{TO, .table = RT_TABLE_MAIN, .tos = 4}, 32766, 0, 0, SURROUNDINGS_RULE},
	    {{TO, .table = RT_TABLE_MAIN, .src_len = 1}, 32766, 0, 0, SURROUNDINGS_RULE},
	    {{TO, .table = RT_TABLE_MAIN, .dst_len = 1}, 32766, 0, 0, SURROUNDINGS_RULE},
	    {{TO, .table = RT_TABLE_MAIN, .flags = FIB_RULE_INVERT},
	     32766,
	     0,
	     0,
	     SURROUNDINGS_RULE},
	    {{.family = AF_INET, .table = RT_TABLE_MAIN, .action = FR_ACT_GOTO},
	     32766,
	     0,
	     0,
	     SURROUNDINGS_RULE},
	    {{TO, .table = RT_TABLE_MAIN}, 32766, FRA_SUPPRESS_PREFIXLEN, 0, SURROUNDINGS_RULE},
	    {{TO, .table = RT_TABLE_MAIN}, 32766, FRA_SUPPRESS_IFGROUP, 0, SURROUNDINGS_RULE},
	    {{TO, .table = RT_TABLE_MAIN}, 32766, FRA_UID_RANGE, 0, SURROUNDINGS_RULE},
	    {{TO, .table = RT_TABLE_MAIN}, 32766, FRA_IP_PROTO, 6, SURROUNDINGS_RULE},
	    {{TO, .table = RT_TABLE_MAIN}, 32766, 1234, 0, SURROUNDINGS_RULE},
	    {{TO, .table = RT_TABLE_MAIN}, 32766, FRA_FWMARK, 1, SURROUNDINGS_RULE_MARK},
	    {{TO, .table = RT_TABLE_MAIN}, 32766, FRA_FWMASK, 1, SURROUNDINGS_RULE_MARK},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_BUF struct buf body = {.cap = 256};
		AUTO_READING struct reading reading = {0};
		char name[32];

		add(&body, &cases[i].fixed, sizeof(cases[i].fixed));
		if (cases[i].priority)
			attribute_u32(&body, FRA_PRIORITY, cases[i].priority);
		if (cases[i].type)
			attribute_u32(&body, cases[i].type, cases[i].value);
		parse(&reading, reading_rule, &body);
		snprintf(name, sizeof(name), "ipv4 %u", cases[i].priority);
		if (cases[i].expected)
			require_one(&reading, cases[i].expected, name);
		else
			assert_int_equal(reading.to.finding_count, 0);
		assert_int_equal(reading.rules_seen != 0, cases[i].expected == 0);
	}
}

static void test_routes(void **state)
{
	static const uint16_t wrap = LWTUNNEL_ENCAP_BPF, none = LWTUNNEL_ENCAP_NONE;
	struct rtnexthop way = {.rtnh_len = sizeof(way)};
	AUTO_BUF struct buf body = {.cap = 512}, ways = {.cap = 256}, next = {.cap = 256};
	AUTO_READING struct reading reading = {0};

	add(&next, &(struct nhmsg){.nh_family = AF_INET6}, sizeof(struct nhmsg));
	attribute(&next, NHA_ENCAP_TYPE, &none, sizeof(none));
	parse(&reading, reading_nexthop, &next);
	assert_int_equal(reading.to.finding_count, 0);
	attribute(&next, NHA_ENCAP_TYPE, &wrap, sizeof(wrap));
	assert_int_equal(parse_cut(&reading, reading_nexthop, &next, next.len), 0);
	require_one(&reading, SURROUNDINGS_ROUTE_ENCAP, "ipv6 bpf");

	add(&ways, &way, sizeof(way));
	way.rtnh_len = sizeof(way) + 8;
	add(&ways, &way, sizeof(way));
	attribute(&ways, RTA_ENCAP_TYPE, &wrap, sizeof(wrap));
	add(&body, &(struct rtmsg){.rtm_family = AF_INET}, sizeof(struct rtmsg));
	attribute_nest(&body, RTA_MULTIPATH, &ways);
	parse(&reading, reading_route, &body);
	require_one(&reading, SURROUNDINGS_ROUTE_ENCAP, "ipv4 bpf");
	/* A way that says it is longer than what holds it, and one that would never end. */
	for (uint16_t len = 0; len < 30; len += 29) {
		way.rtnh_len = len;
		memcpy(body.data + sizeof(struct rtmsg) + sizeof(struct nlattr), &way, sizeof(way));
		assert_int_equal(parse_cut(&reading, reading_route, &body, body.len), -EBADMSG);
	}
}

/* ---- traffic control ---- */

static void queue_body(struct buf *out, const char *kind, uint32_t handle, uint32_t parent)
{
	struct tcmsg fixed = {.tcm_ifindex = 5, .tcm_handle = handle, .tcm_parent = parent};

	buf_done(out);
	add(out, &fixed, sizeof(fixed));
	if (kind)
		attribute_text(out, TCA_KIND, kind);
}

static void require_place(struct reading *reading, size_t index, uint32_t parent, bool classes)
{
	assert_true(index < reading->place_count);
	assert_int_equal(reading->places[index].device, 5);
	assert_int_equal(reading->places[index].parent, parent);
	assert_int_equal(reading->places[index].classes, classes);
}

static void test_queues(void **state)
{
	AUTO_BUF struct buf body = {.cap = 256};
	AUTO_READING struct reading reading = {0};

	queue_body(&body, "noqueue", 0, TC_H_ROOT);
	parse(&reading, reading_queue, &body);
	assert_int_equal(reading.place_count, 0);
	queue_body(&body, "mq", 0, TC_H_ROOT);
	parse(&reading, reading_queue, &body);
	queue_body(&body, "fq_codel", 0, 1); /* below it, without a handle */
	parse(&reading, reading_queue, &body);
	queue_body(&body, "htb", 0x10000, TC_H_ROOT);
	parse(&reading, reading_queue, &body);
	queue_body(&body, "sfq", 0x100000, 0x10002);
	parse(&reading, reading_queue, &body);
	queue_body(&body, "clsact", 0xffff0000, TC_H_CLSACT);
	parse(&reading, reading_queue, &body);
	queue_body(&body, "ingress", 0xffff0000, TC_H_INGRESS);
	parse(&reading, reading_queue, &body);
	assert_int_equal(reading.to.finding_count, 0);
	assert_int_equal(reading.place_count, 6);
	require_place(&reading, 0, 0, false);
	require_place(&reading, 1, 0, true);
	require_place(&reading, 2, 0x100000, false);
	require_place(&reading, 3, 0xfffffff2, false);
	require_place(&reading, 4, 0xfffffff3, false);
	require_place(&reading, 5, 0xfffffff2, false);
	queue_body(&body, "netem", 0x20000, TC_H_ROOT);
	parse(&reading, reading_queue, &body);
	require_one(&reading, SURROUNDINGS_QUEUE, "device 5 root");
	require_place(&reading, 6, 0, true);
	queue_body(&body, "teql0", 0x20000, 0x10002);
	parse(&reading, reading_queue, &body);
	require_one(&reading, SURROUNDINGS_QUEUE, "device 5 2:0");
	queue_body(&body, NULL, 0, TC_H_ROOT);
	assert_int_equal(parse_cut(&reading, reading_queue, &body, body.len), -EBADMSG);
}

static void test_classes_and_filters(void **state)
{
	AUTO_BUF struct buf body = {.cap = 256};
	AUTO_READING struct reading reading = {0};

	queue_body(&body, "htb", 0x10002, 0x10000);
	parse(&reading, reading_class, &body);
	queue_body(&body, "mq", 0x10001, TC_H_ROOT);
	parse(&reading, reading_class, &body);
	assert_int_equal(reading.place_count, 1);
	require_place(&reading, 0, 0x10002, false);
	reading.asked = reading.places[0];
	queue_body(&body, "u32", 0, 0x10002);
	parse(&reading, reading_filter, &body);
	require_one(&reading, SURROUNDINGS_TC_FILTER, "device 5 1:2");
}

static void test_too_many_places(void **state)
{
	AUTO_BUF struct buf body = {.cap = 256};
	AUTO_READING struct reading reading = {0};

	queue_body(&body, "fq", 0x10000, TC_H_ROOT);
	for (size_t i = 0; i < READING_PLACES_MAX; i++)
		assert_int_equal(parse_cut(&reading, reading_queue, &body, body.len), 0);
	assert_int_equal(reading.to.finding_count, 0);
	assert_int_equal(parse_cut(&reading, reading_queue, &body, body.len), 0);
	assert_int_equal(reading.place_count, READING_PLACES_MAX);
	assert_int_equal(reading.to.findings[0].kind, SURROUNDINGS_CANNOT_TELL);
}

/* ---- IPsec and hooks ---- */

static void test_policies(void **state)
{
	static const char *const names[] = {"in 8", "out 9", "fwd 10", "in 11", "out 12", "fwd 13"};
	AUTO_READING struct reading reading = {0};

	for (uint32_t i = 0; i < ARRAY_SIZE(names) + 1; i++) {
		AUTO_BUF struct buf body = {.cap = 512};
		struct xfrm_userpolicy_info fixed = {.dir = (uint8_t)i, .index = 8 + i};

		add(&body, &fixed, sizeof(fixed));
		attribute_u32(&body, 99, 0);
		if (i < ARRAY_SIZE(names)) {
			parse(&reading, reading_policy, &body);
			require_one(&reading, SURROUNDINGS_IPSEC, names[i]);
		} else {
			assert_int_equal(parse_cut(&reading, reading_policy, &body, body.len),
					 -EBADMSG);
		}
	}
}

static void hook_body(struct buf *out, uint8_t family, const char *function, uint32_t type)
{
	AUTO_BUF struct buf info = {.cap = 64};

	buf_done(out);
	add(out, &(struct nfgenmsg){.nfgen_family = family}, sizeof(struct nfgenmsg));
	attribute_u32(out, NFNLA_HOOK_HOOKNUM, htonl(3));
	attribute_u32(out, NFNLA_HOOK_PRIORITY, 0);
	if (type) {
		attribute_u32(&info, NFNLA_HOOK_INFO_TYPE, htonl(type));
		attribute_nest(out, NFNLA_HOOK_CHAIN_INFO | NLA_F_NESTED, &info);
	}
	if (function)
		attribute_text(out, NFNLA_HOOK_FUNCTION_NAME, function);
	attribute_text(out, NFNLA_HOOK_MODULE_NAME, "module");
}

static void test_hooks(void **state)
{
	static const struct {
		uint8_t family;
		const char *function;
		uint32_t type;
		enum surroundings_kind expected;
		const char *name;
	} cases[] = {
	    {NFPROTO_IPV4, "nft_do_chain_ipv4", 0, 0, NULL},
	    {NFPROTO_IPV4, "anything", NFNL_HOOK_TYPE_NFTABLES, 0, NULL},
	    {NFPROTO_IPV4, NULL, NFNL_HOOK_TYPE_NFTABLES, 0, NULL},
	    {NFPROTO_IPV6, "ipv6_conntrack_in", 0, 0, NULL},
	    {NFPROTO_IPV4, "ipt_do_table", 0, 0, NULL},
	    {NFPROTO_IPV4, "ip_vs_in_hook", 0, SURROUNDINGS_HOOK, "ip 3 ip_vs_in_hook"},
	    {NFPROTO_IPV6, NULL, 0, SURROUNDINGS_HOOK, "ip6 3 "},
	    {NFPROTO_ARP, "nf_hook_run_bpf", 2, SURROUNDINGS_HOOK, "arp 3 nf_hook_run_bpf"},
	    /* A name that ours begin with does not help a program. */
	    {NFPROTO_IPV4, "nft_do_chain", 2, SURROUNDINGS_HOOK, "ip 3 nft_do_chain"},
	    {NFPROTO_BRIDGE, "ebt_do_table", 0, SURROUNDINGS_LEGACY_TABLE, "bridge"},
	    {NFPROTO_BRIDGE, "ebt_in_hook", 0, SURROUNDINGS_LEGACY_TABLE, "bridge"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_BUF struct buf body = {.cap = 512};
		AUTO_READING struct reading reading = {0};

		hook_body(&body, cases[i].family, cases[i].function, cases[i].type);
		/* Cut before its name it is another hook: only that nothing bad happens. */
		for (size_t len = 0; len < body.len; len++) {
			AUTO_READING struct reading scratch = {0};
			int r = parse_cut(&scratch, reading_hook, &body, len);

			assert_true(r == 0 || r == -EBADMSG);
		}
		assert_int_equal(parse_cut(&reading, reading_hook, &body, body.len), 0);
		if (cases[i].expected)
			require_one(&reading, cases[i].expected, cases[i].name);
		else
			assert_int_equal(reading.to.finding_count, 0);
	}
}

/* ---- texts and findings ---- */

static void test_texts(void **state)
{
	AUTO_READING struct reading reading = {0};

	reading_tables_text(&reading, "ip", "");
	reading_multicast_text(&reading, "ip_mr_vif", "Interface BytesIn\n");
	reading_multicast_text(&reading, "ip_mr_vif", "");
	reading_ipvs_text(&reading, "IP Virtual Server version 1.2.1 (size=4096)\n"
				    "Prot LocalAddress:Port Scheduler Flags\n"
				    "  -> RemoteAddress:Port Forward Weight\n");
	assert_int_equal(reading.to.finding_count, 0);
	reading_multicast_text(&reading, "ip_mr_vif", "Interface BytesIn\n 0 eth0\n");
	require_one(&reading, SURROUNDINGS_MULTICAST, "ip_mr_vif");
	reading_ipvs_text(&reading, "Prot LocalAddress:Port\nTCP  0A000001:0050 rr  \n"
				    "  -> 0A000002:0050      Masq    1\n");
	require_one(&reading, SURROUNDINGS_IPVS, "TCP  0A000001:0050 rr");
	reading_tables_text(&reading, "ip6", "filter");
	require_one(&reading, SURROUNDINGS_LEGACY_TABLE, "ip6 filter");
	reading_tables_text(&reading, "arp", "nat\nfilter\n");
	assert_int_equal(reading.to.finding_count, 2);
	assert_string_equal(reading.to.findings[0].name, "arp nat");
	assert_string_equal(reading.to.findings[1].name, "arp filter");
	assert_non_null(strstr(reading.to.findings[1].words, "of arptables"));
}

static void test_findings(void **state)
{
	AUTO_READING struct reading reading = {0};
	char longer[300];

	memset(longer, 'a', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	reading_add(&reading, SURROUNDINGS_XDP, longer, "%s", longer);
	assert_int_equal(strlen(reading.to.findings[0].name), SURROUNDINGS_NAME_MAX - 1);
	assert_int_equal(strlen(reading.to.findings[0].words), SURROUNDINGS_WORDS_MAX - 1);
	reading_add(&reading, SURROUNDINGS_XDP, "a\033[2J\xc3\xa4", "%s", "b\n");
	assert_string_equal(reading.to.findings[1].name, "a?[2J??");
	assert_string_equal(reading.to.findings[1].words, "b?");
	while (reading.to.finding_count < SURROUNDINGS_FINDINGS_MAX)
		reading_add(&reading, SURROUNDINGS_XDP, "", "x");
	assert_false(reading.to.more);
	reading_cannot_tell(&reading, "a thing", -EPERM);
	assert_true(reading.to.more);
	assert_int_equal(reading.to.finding_count, SURROUNDINGS_FINDINGS_MAX);
	assert_false(reading.no_memory);
	reading_cannot_tell(&reading, "a thing", -ENOMEM);
	assert_true(reading.no_memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_framing),         cmocka_unit_test(test_end_of_dump),
	    cmocka_unit_test(test_attributes),      cmocka_unit_test(test_link),
	    cmocka_unit_test(test_rules),           cmocka_unit_test(test_routes),
	    cmocka_unit_test(test_queues),          cmocka_unit_test(test_classes_and_filters),
	    cmocka_unit_test(test_too_many_places), cmocka_unit_test(test_policies),
	    cmocka_unit_test(test_hooks),           cmocka_unit_test(test_texts),
	    cmocka_unit_test(test_findings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
