/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Runs in the kernel: one record for each packet of this host that a packet filter dropped, with
 * who sent it. Allowed packets never come here; what they pay is one note for each socket made.
 *
 * What may be wrong with an attribution is said in the record, never smoothed over: a packet that
 * leaves from an interrupt runs over whoever had the processor, so that process is not named.
 */
#include <linux/bpf.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "kernel.h"
#include "record.h"
#include "who.h"

#define RING_BYTES	(4u << 20)
#define KERNEL_THREAD	0x00200000 /* PF_KTHREAD */
#define FAMILY_PACKET 17 /* AF_PACKET */
#define DEVICE_LO     1	 /* lo is the first device of every network namespace */
#define HEADER_NONE   0xffff
#define DST_MASK      (~1ul) /* SKB_DST_PTRMASK */

char copying[] SEC("license") = "GPL";

/* What the reason is called is the same in all kernels, its number is not. Set before loading. */
const volatile __u32 reason_filter = 0;

/* Of a task's stack in the kernel, in bytes; 0 where interrupts are noted by tracepoints instead. */
const volatile __u64 stack_size = 0;

struct watch_counters counters = {};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RING_BYTES);
} records SEC(".maps");

/* The socket takes its note with it. Connections that a listener accepts have none until a packet of
 * theirs is dropped: to hand on the listener's would cost each of them, for a name that is seldom asked
 * for. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct watch_identity);
} creators SEC(".maps"); /* who called socket() */

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct watch_identity);
} senders SEC(".maps"); /* whose packet was dropped last; only sockets that were refused have this */

/* A record is too large for the stack. The kernel lets one program of ours run on a processor at a
 * time, so there is one writer. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct watch_record);
} scratch SEC(".maps");

/*
 * Is this processor serving a software interrupt? Then the process that is running has nothing to do
 * with the packet. The kernel's own count tells it, but to find that, libbpf wants CAP_SYS_ADMIN on
 * some kernels, and others hide it. Where the stack cannot be looked at, what the tracepoints tell is
 * noted here, at a cost for each interrupt.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} serving SEC(".maps");

static __always_inline void set_serving(__u32 value)
{
	__u32 zero = 0, *flag = bpf_map_lookup_elem(&serving, &zero);

	if (flag)
		*flag = value;
}

static __always_inline bool is_serving(void)
{
	__u32 zero = 0, *flag = bpf_map_lookup_elem(&serving, &zero);

	return !flag || *flag;
}

/*
 * On x86, software interrupts run on a stack of their own; but for those that come after an interrupt of
 * a process in user mode, on the process's stack, at the top of which stands then that no system call
 * was made. What we are called with (@arguments) is on the stack in use. Where a process does more on
 * its way back from an interrupt, that is taken for the interrupt: named is then who used the socket.
 */
static __always_inline bool is_off_stack(const void *arguments)
{
	struct task_struct *task = (void *)bpf_get_current_task_btf();
	unsigned long base = (unsigned long)BPF_CORE_READ(task, stack), at = 0;
	const struct pt_regs___x86 *top = (void *)bpf_task_pt_regs((void *)task);

	/* Through memory, or the verifier would not take it for a number. */
	if (bpf_probe_read_kernel(&at, sizeof(at), &arguments) < 0 || at - base >= stack_size)
		return true;
	return (long)BPF_CORE_READ(top, orig_ax) == -1;
}

static __always_inline bool is_interrupted(const void *arguments)
{
	bool interrupted = stack_size ? is_off_stack(arguments) : is_serving();

	return interrupted;
}

static __always_inline void read_transport(struct watch_record *record, const unsigned char *at)
{
	__be16 ports[2] = {};

	switch (record->protocol) {
	case 6:	  /* TCP */
		bpf_probe_read_kernel(&record->tcp_flags, 1, at + 13);
		/* fallthrough */
	case 17:  /* UDP */
	case 33:  /* DCCP */
	case 132: /* SCTP */
	case 136: /* UDP-Lite */
		bpf_probe_read_kernel(ports, sizeof(ports), at);
		record->source_port = bpf_ntohs(ports[0]);
		record->destination_port = bpf_ntohs(ports[1]);
		break;
	case 1:	 /* ICMP */
	case 58: /* ICMPv6 */
		bpf_probe_read_kernel(&record->icmp_type, 1, at);
		bpf_probe_read_kernel(&record->icmp_code, 1, at + 1);
		break;
	}
}

static __always_inline void read_packet(struct sk_buff *skb, struct watch_record *record)
{
	const unsigned char *at = BPF_CORE_READ(skb, head);
	__u8 header[40] = {};
	__u16 fragment;

	record->ethertype = bpf_ntohs(BPF_CORE_READ(skb, protocol));
	at += BPF_CORE_READ(skb, network_header);
	if (bpf_probe_read_kernel(header, sizeof(header), at) < 0)
		return;
	if (record->ethertype == 0x0800 && header[0] >> 4 == 4) {
		__builtin_memcpy(record->source, header + 12, 4);
		__builtin_memcpy(record->destination, header + 16, 4);
		record->protocol = header[9];
		fragment = (__u16)((header[6] & 0x1f) << 8 | header[7]);
		at += (header[0] & 15) * 4;
	} else if (record->ethertype == 0x86dd && header[0] >> 4 == 6) {
		__builtin_memcpy(record->source, header + 8, 16);
		__builtin_memcpy(record->destination, header + 24, 16);
		record->protocol = header[6];
		fragment = 0;
		at += 40;
	} else {
		return;
	}
	record->flags |= WATCH_ADDRESSED;
	if (fragment)
		record->flags |= WATCH_FRAGMENT;
	else
		read_transport(record, at);
}

static __always_inline void read_way(struct sk_buff *skb, struct watch_record *record)
{
	struct net_device *device = BPF_CORE_READ(skb, dev);
	unsigned long route = BPF_CORE_READ(skb, _skb_refdst) & DST_MASK;

	if (BPF_CORE_READ(skb, mac_header) != HEADER_NONE)
		record->flags |= WATCH_FRAME;
	else if (route)
		device = BPF_CORE_READ((struct dst_entry *)route, dev);
	if (!device)
		return;
	record->netns = BPF_CORE_READ(device, nd_net.net, ns.inum);
	if (BPF_CORE_READ(device, ifindex) == DEVICE_LO)
		record->flags |= WATCH_LOOPBACK;
}

/* The owner as the filter's `meta skuid` sees it. */
static __always_inline void read_owner(struct sock *sk, struct watch_record *record)
{
	const struct cred *cred;
	struct file *file;

	if (BPF_CORE_READ(sk, __sk_common.skc_family) == FAMILY_PACKET)
		record->flags |= WATCH_PACKET;
	/* A connection that is closing, or not accepted yet, has less than a whole socket. */
	if (BPF_CORE_READ(sk, __sk_common.skc_state) == 6 ||
	    BPF_CORE_READ(sk, __sk_common.skc_state) == 12)
		return;
	file = BPF_CORE_READ(sk, sk_socket, file);
	if (!file)
		return;
	cred = BPF_CORE_READ(file, f_cred);
	record->owner_uid = BPF_CORE_READ(cred, fsuid.val);
	record->flags |= WATCH_OWNED;
}

/* Who sent it, as far as can be known here. @sk is NULL where there is no socket. */
static __always_inline void attribute(struct sock *sk, bool interrupted,
				      struct watch_record *record)
{
	struct task_struct *task = (void *)bpf_get_current_task_btf();
	struct who_texts texts = {.text = record->text};
	struct watch_identity *creator = NULL, *sender = NULL;

	if (sk) {
		creator = bpf_sk_storage_get(&creators, sk, NULL, 0);
		sender = bpf_sk_storage_get(&senders, sk, NULL,
					    interrupted ? 0 : BPF_SK_STORAGE_GET_F_CREATE);
	}
	if (creator) {
		record->creator = *creator;
		record->flags |= WATCH_CREATOR;
	}
	if (!interrupted && !(BPF_CORE_READ(task, flags) & KERNEL_THREAD)) {
		record->kind = WATCH_TASK;
		identify(task, &record->sender);
		record->mntns = BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum);
		if (sender)
			*sender = record->sender;
		add_path(task, &texts);
		add_group(task, &texts);
		record->flags |= texts.flags;
		record->path_size = texts.path_size;
		record->group_size = texts.group_size;
	} else if (sender && sender->pid) {
		record->kind = WATCH_SOCKET;
		record->sender = *sender;
	} else if (creator) {
		record->kind = WATCH_SOCKET;
		record->sender = *creator;
	} else {
		record->kind = record->flags & WATCH_OWNED ? WATCH_UNKNOWN : WATCH_KERNEL;
	}
}

static __always_inline int record_drop(struct sk_buff *skb, bool interrupted)
{
	struct watch_record *record;
	struct sock *sk;
	__u32 zero = 0, size;

	/* Came in by a device: from elsewhere, or by lo from here, when it was sent already. */
	if (BPF_CORE_READ(skb, skb_iif) != 0) {
		__sync_fetch_and_add(&counters.incoming, 1);
		return 0;
	}
	record = bpf_map_lookup_elem(&scratch, &zero);
	if (!record)
		return 0;
	__builtin_memset(record, 0, sizeof(*record) - sizeof(record->text));
	record->number = __sync_fetch_and_add(&counters.counted, 1) + 1;
	record->time_ns = bpf_ktime_get_ns();
	read_way(skb, record);
	read_packet(skb, record);
	sk = skb->sk;
	if (sk)
		read_owner(sk, record);
	attribute(sk, interrupted, record);
	size = (__u32)(sizeof(*record) - sizeof(record->text)) + record->path_size +
	       record->group_size;
	if (size > sizeof(*record))
		size = sizeof(*record);
	if (bpf_ringbuf_output(&records, record, size, 0) < 0)
		__sync_fetch_and_add(&counters.lost, 1);
	return 0;
}

SEC("tp_btf/kfree_skb")
int BPF_PROG(on_drop, struct sk_buff *skb, void *location, unsigned int reason)
{
	return reason == reason_filter ? record_drop(skb, is_interrupted(ctx)) : 0;
}

SEC("tp_btf/softirq_entry")
int BPF_PROG(on_interrupt, unsigned int vector)
{
	set_serving(1);
	return 0;
}

SEC("tp_btf/softirq_exit")
int BPF_PROG(on_interrupt_end, unsigned int vector)
{
	set_serving(0);
	return 0;
}

SEC("cgroup/sock_create")
int on_socket(struct bpf_sock *sk)
{
	struct watch_identity *creator =
		bpf_sk_storage_get(&creators, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);

	if (creator)
		identify((void *)bpf_get_current_task_btf(), creator);
	return 1;
}
