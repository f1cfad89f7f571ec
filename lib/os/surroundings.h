/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What decides about the packets of a network namespace and is not nftables: forwarding, routing
 * rules, traffic control, BPF programs, older packet filters, IPsec, bridges. A proof about
 * nftables says nothing about these; whoever makes one reads here what it leaves out.
 *
 * Read is the namespace of the calling thread. What is there when nothing was found: the settings
 * are 0, the routing rules are the kernel's own, every queue only orders and drops.
 *
 * - One part is read after the other. Who must know that nothing changed in between reads twice.
 * - A part that cannot be read is a finding of its own, SURROUNDINGS_CANNOT_TELL, never silence.
 * - /proc/sys/net shows the namespace of the thread that opens it, at the time it does;
 *   /proc/thread-self/net likewise. Both need /proc of this process's own pid namespace.
 * - BPF programs of control groups belong to no namespace and are not looked for. Those on packets
 *   (cgroup_skb) can drop and nothing else. Those on calls (connect4, sendmsg6 and their like)
 *   change an address before the packet is made, and the packet is judged with the changed one.
 * - A packet socket, a macvlan that another namespace holds on a device of this one, and hardware
 *   that forwards by itself pass the IP layer by, and with it the rules there. What is behind a
 *   macvlan is seen from the other namespace: its device has lower_elsewhere.
 * - Which functions hang on the packet filter's hooks is told by kernels from 5.14 that have
 *   NETFILTER_NETLINK_HOOK, as Debian's. On others ebtables, IPVS and BPF programs are looked for
 *   by their own ways, and functions of modules from elsewhere are not seen.
 * - IPsec states without a policy only unwrap what arrives, and what is unwrapped is judged again.
 *
 * Wanted is CAP_NET_ADMIN in the first user namespace, for bpf(2); without it there will be
 * findings that something cannot be told. Files are read under /proc only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/cleanup.h>

#include "netns.h"

#define SURROUNDINGS_FINDINGS_MAX 256
#define SURROUNDINGS_NAME_MAX     96
#define SURROUNDINGS_WORDS_MAX    192
#define SURROUNDINGS_KIND_MAX     32

/* The name, in parentheses, is the name of the finding. */
enum surroundings_kind {
	SURROUNDINGS_CANNOT_TELL = 1, /* something could not be read or understood (what) */
	SURROUNDINGS_FORWARDING,      /* packets are forwarded (the setting's path) */
	SURROUNDINGS_ROUTE_LOCALNET,  /* 127.0.0.0/8 is routed like others (the setting's path) */
	SURROUNDINGS_MULTICAST,     /* a multicast router runs (the setting's path, or the file) */
	SURROUNDINGS_LEGACY_TABLE,  /* a table of iptables, arptables, ebtables ("ip filter") */
	SURROUNDINGS_HOOK,          /* other code on the packet filter's hooks ("ip 3 function") */
	SURROUNDINGS_RULE_MARK,     /* a routing rule that selects by mark ("ipv4 32765") */
	SURROUNDINGS_RULE,          /* another routing rule that is not the kernel's own (same) */
	SURROUNDINGS_RULE_MISSING,  /* the kernel's own rule for local or main is gone (same) */
	SURROUNDINGS_ROUTE_ENCAP,   /* a route that wraps packets or runs a program ("ipv4 mpls") */
	SURROUNDINGS_XDP,           /* an XDP program (the device) */
	SURROUNDINGS_TC_FILTER,     /* traffic control's filters ("eth0 ingress", "eth0 1:2") */
	SURROUNDINGS_QUEUE,         /* a queue that may do more than order and drop (same) */
	SURROUNDINGS_TCX,           /* BPF programs on a device ("eth0 ingress", "eth0 netkit") */
	SURROUNDINGS_SOCKET_LOOKUP, /* a BPF program chooses sockets for what arrives ("") */
	SURROUNDINGS_SWITCH,        /* forwards frames between its ports by itself (the device) */
	SURROUNDINGS_IPSEC,         /* an IPsec policy ("out 1233") */
	SURROUNDINGS_IPVS,          /* a service of the IP load balancer ("TCP 0A000001:0050 rr") */
};

/* Text is printable ASCII; any other byte of a name stands as '?', and what is too long is cut. */
struct surroundings_finding {
	enum surroundings_kind kind;
	char name[SURROUNDINGS_NAME_MAX];
	char words[SURROUNDINGS_WORDS_MAX]; /* "the XDP program on eth0" */
};

/* As the kernel says it; names may hold any byte but '/', ':' and blanks. */
struct surroundings_device {
	uint32_t index;
	char name[NETNS_DEVICE_MAX];
	uint16_t type;                         /* ARPHRD_* */
	bool up;                               /* set up by the administrator */
	bool xdp;                              /* a program is attached */
	char kind[SURROUNDINGS_KIND_MAX];      /* "veth", "bridge"; "" for lo and for hardware */
	char port_kind[SURROUNDINGS_KIND_MAX]; /* what it is a port of: "bridge", "bond"; or "" */
	uint32_t master;                       /* the device it is a port of; 0: none */
	uint32_t lower;                        /* the device it stands on, or its peer; 0: none */
	bool lower_elsewhere;                  /* that one is in another namespace... */
	int32_t lower_namespace;               /* ...of this id; -1: not known here */
};

struct surroundings {
	struct surroundings_finding *findings; /* by kind, then name, then words; none twice */
	size_t finding_count;
	bool more; /* there were more findings than the greatest number: they are not told */
	struct surroundings_device *devices; /* by index */
	size_t device_count;
};

/* Returns 0, or -ENOMEM (then @ret is untouched). */
MUST_CHECK int surroundings_read(struct surroundings *ret);
void surroundings_done(struct surroundings *surroundings);

#define AUTO_SURROUNDINGS CLEANUP(surroundings_done)
