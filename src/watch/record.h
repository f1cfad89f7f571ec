/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the program in the kernel says of one packet that a filter dropped. Both sides include this
 * file: the one that is compiled for BPF, and the one that reads. Numbers are in host order unless
 * said otherwise, and everything that is not known is zero.
 */
#pragma once

#include <linux/types.h>

#define WATCH_COMM_MAX 16  /* TASK_COMM_LEN, with its NUL */
#define WATCH_NAME_MAX 32  /* of the executable's own name, with its NUL; longer ones are cut */
#define WATCH_PART_MAX 128 /* of one component of a path, with its NUL; a longer one is cut */
#define WATCH_TEXT_MAX 1024 /* of all components */
#define WATCH_MESSAGE_MAX 256 /* of one message to nf_tables; a longer one is cut */

/* Who sent the packet, and how that is known. */
enum watch_kind {
	WATCH_UNKNOWN = 0, /* sent from an interrupt, by a socket that was made before the watch began */
	WATCH_TASK,	   /* the process that was running sent it: certain */
	WATCH_SOCKET,	   /* sent from an interrupt (a repetition, a timer): who used the socket last */
	WATCH_KERNEL,	   /* no program's: a kernel thread, or a packet without a socket of a program */
	WATCH_USER,	   /* some program's of this user: never in a record, see headers.h */
};

enum watch_flag {
	WATCH_OWNED = 1 << 0,	   /* has a socket that a program holds; owner_uid is known */
	WATCH_FRAME = 1 << 1,	   /* dropped on its way to a device (netdev egress), not in the IP stack */
	WATCH_PACKET = 1 << 2,	   /* sent by an AF_PACKET socket */
	WATCH_LOOPBACK = 1 << 3,   /* to this host itself: by the device lo */
	WATCH_PATH_CUT = 1 << 4,   /* the path has more components, or longer ones, than are shown */
	WATCH_UNIT_CUT = 1 << 5,   /* the same of the control group's */
	WATCH_DELETED = 1 << 6,	   /* the executable has no name any more */
	WATCH_ADDRESSED = 1 << 7,  /* source, destination and protocol are known */
	WATCH_CREATOR = 1 << 8,	   /* who made the socket is known */
	WATCH_FRAGMENT = 1 << 9,   /* not the first fragment: no ports */
};

/* One process, as it was at that moment. */
struct watch_identity {
	__u64 exe_inode;
	__u64 group; /* id of its control group */
	__u32 exe_device; /* major in the upper 12 bits, minor in the lower 20 */
	__u32 pid, tid; /* in the first pid namespace; pid is 0 where there is nobody */
	__u32 uid;	/* real, in the first user namespace */
	char comm[WATCH_COMM_MAX];
	char name[WATCH_NAME_MAX]; /* last component of the executable's path */
};

struct watch_record {
	__u64 number; /* counts all dropped packets that this host sent, from 1 */
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u32 kind;    /* enum watch_kind */
	__u32 flags;   /* enum watch_flag */
	__u32 owner_uid; /* what the filter's `meta skuid` sees: who called socket() */
	__u32 netns, mntns; /* inode numbers; the mount namespace is the sender's */
	__u16 ethertype;
	__u16 source_port, destination_port;
	__u8 protocol;
	__u8 tcp_flags;
	__u8 icmp_type, icmp_code;
	__u16 path_size, group_size; /* bytes in the text: first the path's, then the group's */
	__u8 source[16], destination[16]; /* network order; IPv4 in the first four bytes */
	__u32 pad;
	struct watch_identity sender, creator;
	/* Components of the executable's path, each with its NUL, the last component first; then those
	 * of the control group's path. Only as many bytes follow as are used. */
	char text[WATCH_TEXT_MAX];
};

/* What a batch of messages to nf_tables wants of all, as far as the kernel's side looks. */
enum watch_concern {
	WATCH_NOTHING = 0, /* it changes nothing */
	WATCH_OTHERS,	   /* tables of others */
	WATCH_OURS,	   /* a table of ours; or one that is not named, or not all was looked at */
	WATCH_ALL,	   /* all tables, or all of a family */
};

/* Somebody has asked the kernel to change packet filters. Whether the kernel did is not told. */
struct watch_tamper {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u32 concern; /* enum watch_concern */
	__u32 flags;   /* WATCH_PATH_CUT, WATCH_UNIT_CUT, WATCH_DELETED */
	__u32 netns;   /* whose filters: inode number */
	__u32 changes; /* messages that change something */
	__u16 path_size, group_size, message_size;
	__u16 pad;
	struct watch_identity sender;
	__u8 message[WATCH_MESSAGE_MAX]; /* the first of most concern, as it was sent */
	char text[WATCH_TEXT_MAX]; /* as in struct watch_record */
};

/* Written by the kernel's side, each with one atomic addition; never reset while it runs. */
struct watch_counters {
	__u64 counted;	/* dropped packets that this host sent */
	__u64 incoming; /* dropped packets that came from elsewhere, or back over lo: not attributed */
	__u64 lost;	/* of those counted, records for which there was no room */
};

struct watch_tamper_counters {
	__u64 lost; /* records for which there was no room */
};
