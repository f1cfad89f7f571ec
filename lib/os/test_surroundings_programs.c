/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Each filter of traffic control and each BPF program is planted in a namespace of its own, and
 * exactly that is found. */
#include "test_surroundings_help.h"

#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/netfilter.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>

#include <cmocka.h>

/* ---- traffic control ---- */

#define MATCH_ALL "protocol ip u32 match u32 0 0 flowid 1:1"

static void test_clsact(void **state)
{
	plant_need(state);
	plant("tc qdisc add dev lo clsact");
	REQUIRE_NOTHING();
	plant("tc filter add dev lo ingress " MATCH_ALL);
	REQUIRE_FOUND({SURROUNDINGS_TC_FILTER, "lo ingress"});
	plant("tc filter add dev lo egress chain 3 " MATCH_ALL);
	REQUIRE_FOUND({SURROUNDINGS_TC_FILTER, "lo egress"},
		      {SURROUNDINGS_TC_FILTER, "lo ingress"});
	plant("tc qdisc del dev lo clsact");
	plant("tc qdisc add dev lo ingress");
	REQUIRE_NOTHING();
	plant("tc filter add dev lo parent ffff: " MATCH_ALL);
	REQUIRE_FOUND({SURROUNDINGS_TC_FILTER, "lo ingress"});
}

static void test_shared_block(void **state)
{
	plant_need(state);
	plant("tc qdisc add dev lo ingress_block 22 clsact");
	REQUIRE_NOTHING();
	plant("tc filter add block 22 " MATCH_ALL);
	REQUIRE_FOUND({SURROUNDINGS_TC_FILTER, "lo ingress"});
}

static void test_classes(void **state)
{
	plant_need(state);
	plant("tc qdisc add dev lo root handle 1: htb");
	plant("tc class add dev lo parent 1: classid 1:1 htb rate 1mbit");
	plant("tc class add dev lo parent 1: classid 1:2 htb rate 1mbit");
	plant("tc qdisc add dev lo parent 1:2 handle 10: htb");
	REQUIRE_NOTHING();
	plant("tc filter add dev lo parent 10: " MATCH_ALL);
	REQUIRE_FOUND({SURROUNDINGS_TC_FILTER, "lo 10:0"});
	plant("tc filter add dev lo parent 1: " MATCH_ALL);
	REQUIRE_FOUND({SURROUNDINGS_TC_FILTER, "lo 10:0"}, {SURROUNDINGS_TC_FILTER, "lo root"});
	plant("tc filter del dev lo parent 1:");
	plant("tc filter del dev lo parent 10:");
	plant("tc filter add dev lo parent 1:1 " MATCH_ALL);
	REQUIRE_FOUND({SURROUNDINGS_TC_FILTER, "lo 1:1"});
}

/* ---- BPF ---- */

#define TYPE_NETFILTER     32
#define ATTACH_NETFILTER   45
#define ATTACH_TCX_INGRESS 46
#define ATTACH_TCX_EGRESS  47

static int bpf_call(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

/* A program that only returns @result. */
static int program(uint32_t type, uint32_t attach, int result)
{
	const struct bpf_insn code[] = {
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = result},
	    {.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr attr = {0};

	attr.prog_type = type;
	attr.expected_attach_type = attach;
	attr.insns = (uintptr_t)code;
	attr.insn_cnt = ARRAY_SIZE(code);
	attr.license = (uintptr_t) "GPL";
	return bpf_call(BPF_PROG_LOAD, &attr);
}

static void test_xdp(void **state)
{
	AUTO_CLOSE int code = -EBADF;
	union bpf_attr attr = {0};
	int link;

	plant_need(state);
	code = program(BPF_PROG_TYPE_XDP, 0, XDP_PASS);
	if (code < 0)
		plant_cannot("XDP programs");
	attr.link_create.prog_fd = (uint32_t)code;
	attr.link_create.target_ifindex = if_nametoindex("lo");
	attr.link_create.attach_type = BPF_XDP;
	attr.link_create.flags = XDP_FLAGS_SKB_MODE;
	link = bpf_call(BPF_LINK_CREATE, &attr);
	assert_true(link >= 0);
	REQUIRE_FOUND({SURROUNDINGS_XDP, "lo"});
	close(link);
	REQUIRE_NOTHING();
}

static void attach_tcx(int code, uint32_t where)
{
	union bpf_attr attr = {0};

	attr.target_fd = if_nametoindex("lo");
	attr.attach_bpf_fd = (uint32_t)code;
	attr.attach_type = where;
	if (bpf_call(BPF_PROG_ATTACH, &attr) < 0)
		plant_cannot("tcx");
}

static void test_tcx(void **state)
{
	AUTO_CLOSE int code = -EBADF;

	plant_need(state);
	code = program(BPF_PROG_TYPE_SCHED_CLS, 0, -1);
	if (code < 0)
		plant_cannot("programs for traffic control");
	attach_tcx(code, ATTACH_TCX_EGRESS);
	REQUIRE_FOUND({SURROUNDINGS_TCX, "lo egress"});
	attach_tcx(code, ATTACH_TCX_INGRESS);
	REQUIRE_FOUND({SURROUNDINGS_TCX, "lo egress"}, {SURROUNDINGS_TCX, "lo ingress"});
}

static void test_socket_lookup(void **state)
{
	AUTO_CLOSE int code = -EBADF, namespace = -EBADF;
	union bpf_attr attr = {0};
	int link;

	plant_need(state);
	code = program(BPF_PROG_TYPE_SK_LOOKUP, BPF_SK_LOOKUP, 1);
	if (code < 0)
		plant_cannot("programs that choose sockets");
	assert_int_equal(netns_open_own(&namespace), 0);
	attr.link_create.prog_fd = (uint32_t)code;
	attr.link_create.target_fd = (uint32_t) namespace;
	attr.link_create.attach_type = BPF_SK_LOOKUP;
	link = bpf_call(BPF_LINK_CREATE, &attr);
	assert_true(link >= 0);
	REQUIRE_FOUND({SURROUNDINGS_SOCKET_LOOKUP, ""});
	close(link);
	REQUIRE_NOTHING();
}

/* Told exactly where the kernel lists its hooks, and that it cannot be told elsewhere. */
static void test_netfilter_program(void **state)
{
	AUTO_SURROUNDINGS struct surroundings found = {0};
	AUTO_CLOSE int code = -EBADF;
	union bpf_attr attr = {0};
	const uint32_t hook[] = {NFPROTO_IPV4, NF_INET_LOCAL_OUT, 7, 0};
	int link;

	plant_need(state);
	code = program(TYPE_NETFILTER, ATTACH_NETFILTER, NF_ACCEPT);
	if (code < 0)
		plant_cannot("programs on the packet filter's hooks");
	attr.link_create.prog_fd = (uint32_t)code;
	attr.link_create.attach_type = ATTACH_NETFILTER;
	memcpy((uint8_t *)&attr.link_create + 16, hook, sizeof(hook));
	link = bpf_call(BPF_LINK_CREATE, &attr);
	assert_true(link >= 0);
	assert_int_equal(surroundings_read(&found), 0);
	plant_tell(&found);
	assert_int_equal(found.finding_count, 1);
	assert_true(found.findings[0].kind == SURROUNDINGS_HOOK ||
		    found.findings[0].kind == SURROUNDINGS_CANNOT_TELL);
	close(link);
	REQUIRE_NOTHING();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    PLANT_TEST(test_clsact),
	    PLANT_TEST(test_shared_block),
	    PLANT_TEST(test_classes),
	    PLANT_TEST(test_xdp),
	    PLANT_TEST(test_tcx),
	    PLANT_TEST(test_socket_lookup),
	    PLANT_TEST(test_netfilter_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
