/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Runs in the kernel: one record for each batch that anybody sends to nf_tables to change
 * something. Tables that another socket owns are passed over in silence by the kernel when all are
 * flushed, and nobody is given notice of what was refused; so who tried is seen here or nowhere.
 *
 * A batch is looked at when the kernel frees it, which is when it has been dealt with and while its
 * sender still waits. For that a program sees all packets that are freed, and turns from all others
 * at the first look. Functions that netlink itself offers could be hooked for less, but not on
 * kernels that forbid to patch what is running.
 */
#include <linux/bpf.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "kernel.h"
#include "record.h"
#include "who.h"

#define RING_BYTES     (1u << 18)
#define FAMILY_NETLINK 16   /* AF_NETLINK */
#define MESSAGES_MAX   4096 /* of a batch that are looked at; what has more concerns us */
#define ATTRIBUTES_MAX                                                                             \
	8 /* of a message, likewise; no message that nft makes has so many before                  \
	   * the table's name */
#define HEADER          (sizeof(struct nlmsghdr) + sizeof(struct nfgenmsg))
#define TABLE_NAME      1 /* NFTA_TABLE_NAME, NFTA_CHAIN_TABLE, NFTA_RULE_TABLE: of all, the first */
#define SUBSYSTEM(type) ((type) >> 8)
#define KIND(type)      ((type)&0xff)
#define ALIGNED(size)   (((size) + 3) & ~3u)

/* What asks only; all that is not known changes something. */
#define ASKS(kind)                                                                                 \
	((kind) == NFT_MSG_GETTABLE || (kind) == NFT_MSG_GETCHAIN || (kind) == NFT_MSG_GETRULE ||  \
	 (kind) == NFT_MSG_GETSET || (kind) == NFT_MSG_GETSETELEM || (kind) == NFT_MSG_GETGEN ||   \
	 (kind) == NFT_MSG_GETOBJ || (kind) == NFT_MSG_GETOBJ_RESET ||                             \
	 (kind) == NFT_MSG_GETFLOWTABLE)
#define DESTROYTABLE 26 /* NFT_MSG_DESTROYTABLE, since 6.3 */

char copying[] SEC("license") = "GPL";

struct watch_tamper_counters counters = {};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RING_BYTES);
} records SEC(".maps");

/* Too large for the stack. There is one writer: the kernel lets the program run once on a processor
 * at a time. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct watch_tamper);
} scratch SEC(".maps");

/* A batch on the way through it. */
struct walk {
	const unsigned char *at, *worst;
	__u32 left, worst_size;
	__u32 concern, changes;
};

static __always_inline bool is_ours(const unsigned char *name)
{
	static const char ours[8] __attribute__((aligned(8))) = "lethe";
	char text[8] __attribute__((aligned(8))) = {};

	return bpf_probe_read_kernel_str(text, sizeof(text), name) < 0 ||
	       *(__u64 *)text == *(const __u64 *)ours;
}

/* Whom does one message that changes something concern? @size of all its bytes. */
static __always_inline __u32 concern_of(const unsigned char *message, __u32 size, __u32 kind)
{
	const unsigned char *at = message + HEADER;
	__u32 left = size - HEADER, concern = WATCH_NOTHING;
	struct nlattr attribute;
	int i;

	for (i = 0; i < ATTRIBUTES_MAX; i++) {
		if (left < sizeof(attribute))
			break;
		if (bpf_probe_read_kernel(&attribute, sizeof(attribute), at) < 0 ||
		    attribute.nla_len < sizeof(attribute) || attribute.nla_len > left)
			return WATCH_OURS;
		if ((attribute.nla_type & NLA_TYPE_MASK) == TABLE_NAME) {
			if (is_ours(at + sizeof(attribute)))
				return WATCH_OURS;
			concern = WATCH_OTHERS;
		} else if (concern == WATCH_NOTHING) {
			concern = WATCH_OURS;
		}
		if (ALIGNED((__u32)attribute.nla_len) >= left)
			return concern;
		at += ALIGNED((__u32)attribute.nla_len);
		left -= ALIGNED((__u32)attribute.nla_len);
	}
	if (left >= sizeof(attribute))
		return concern == WATCH_OTHERS ? WATCH_OTHERS : WATCH_OURS;
	if (concern != WATCH_NOTHING)
		return concern;
	return kind == NFT_MSG_DELTABLE || kind == DESTROYTABLE ? WATCH_ALL : WATCH_OURS;
}

/* One message of the batch. Returns 1 at the end. */
static long look_at(__u32 index, void *data)
{
	struct walk *walk = data;
	struct nlmsghdr header;
	__u32 size, concern;

	if (walk->left < sizeof(header) ||
	    bpf_probe_read_kernel(&header, sizeof(header), walk->at) < 0)
		return 1;
	size = header.nlmsg_len;
	if (size < sizeof(header) || size > walk->left || header.nlmsg_type == NFNL_MSG_BATCH_END)
		return 1;
	if (SUBSYSTEM(header.nlmsg_type) == NFNL_SUBSYS_NFTABLES && size >= HEADER &&
	    !ASKS(KIND(header.nlmsg_type))) {
		walk->changes++;
		concern = concern_of(walk->at, size, KIND(header.nlmsg_type));
		if (concern > walk->concern) {
			walk->concern = concern;
			walk->worst = walk->at;
			walk->worst_size = size;
		}
	}
	if (ALIGNED(size) >= walk->left)
		return 1;
	walk->at += ALIGNED(size);
	walk->left -= ALIGNED(size);
	return 0;
}

static __always_inline void record_batch(const struct walk *walk, struct sock *sk)
{
	struct task_struct *task = (void *)bpf_get_current_task_btf();
	struct who_texts texts = {};
	struct watch_tamper *record;
	__u32 zero = 0, size;

	record = bpf_map_lookup_elem(&scratch, &zero);
	if (!record)
		return;
	__builtin_memset(record, 0, sizeof(*record) - sizeof(record->text));
	record->time_ns = bpf_ktime_get_ns();
	record->concern = walk->concern;
	record->changes = walk->changes;
	record->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	size = walk->worst_size < WATCH_MESSAGE_MAX ? walk->worst_size : WATCH_MESSAGE_MAX;
	if (bpf_probe_read_kernel(record->message, size, walk->worst) == 0)
		record->message_size = (__u16)size;
	identify(task, &record->sender);
	texts.text = record->text;
	add_path(task, &texts);
	add_group(task, &texts);
	record->flags = texts.flags;
	record->path_size = texts.path_size;
	record->group_size = texts.group_size;
	size = (__u32)(sizeof(*record) - sizeof(record->text)) + record->path_size +
	       record->group_size;
	if (size > sizeof(*record))
		size = sizeof(*record);
	if (bpf_ringbuf_output(&records, record, size, 0) < 0)
		__sync_fetch_and_add(&counters.lost, 1);
}

/* Something that was sent to the kernel's end of NETLINK_NETFILTER, and begins with a batch. */
static __always_inline bool is_batch(struct sk_buff *skb, struct sock *sk)
{
	struct nlmsghdr header;

	return BPF_CORE_READ(sk, sk_protocol) == NETLINK_NETFILTER &&
	       BPF_CORE_READ((struct netlink_sock *)sk, portid) == 0 &&
	       bpf_probe_read_kernel(&header, sizeof(header), BPF_CORE_READ(skb, head)) == 0 &&
	       header.nlmsg_type == NFNL_MSG_BATCH_BEGIN;
}

SEC("tp_btf/consume_skb")
int BPF_PROG(on_freed, struct sk_buff *skb)
{
	struct sock *sk = skb->sk;
	struct walk walk = {};

	if (!sk || sk->__sk_common.skc_family != FAMILY_NETLINK || !is_batch(skb, sk))
		return 0;
	walk.at = BPF_CORE_READ(skb, head);
	walk.left = BPF_CORE_READ(skb, tail);
	if (bpf_loop(MESSAGES_MAX, look_at, &walk, 0) == MESSAGES_MAX && walk.concern &&
	    walk.concern < WATCH_OURS)
		walk.concern = WATCH_OURS;
	if (walk.concern)
		record_batch(&walk, sk);
	return 0;
}
