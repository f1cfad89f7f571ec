/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * lethe-classes: a real packet for every class of a policy, and what the kernel did with it.
 *
 * Each class is a specimen. It is sent, what is seen of it is gathered (classes_watch.c), and in
 * the end that is compared with what the policy says and with what the rules' model says
 * (classes_judge.c). The number of the specimen travels in the packet, in the last eight bytes;
 * in a TCP segment also in both sequence numbers, by which the kernel's reset names it.
 *
 * The namespaces, their routes and the foreign rules that look on are made by labkit/classes.py.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/cleanup.h>
#include <nf/nf.h>
#include <policy/policy.h>
#include <ruleset/ruleset.h>

#define CLASSES_TABLE      "lethe"
#define CLASSES_BATCH      128   /* specimens between two looks at what was seen */
#define CLASSES_PROXY_USER 64999 /* opens the transparent proxy's socket, and nothing else */
#define CLASSES_NO_NUMBER  UINT32_MAX

/* Marks of packets, for the routes of labkit/classes.py and the copies of fixtures/witness.nft. */
#define MARK_COPY       7 /* to be replaced by a copy without an owner, to eth0 */
#define MARK_COPY_LOCAL 8 /* the same, to lo */
#define MARK_LOCAL      9 /* answers to it stay on lo */

/* What was seen of a specimen. */
enum sight {
	SIGHT_OUTPUT_BEFORE = 1 << 0,
	SIGHT_OUTPUT_AFTER = 1 << 1,
	SIGHT_INPUT_BEFORE = 1 << 2,
	SIGHT_INPUT_AFTER = 1 << 3,
	SIGHT_FORWARD_BEFORE = 1 << 4,
	SIGHT_FORWARD_AFTER = 1 << 5,
	SIGHT_EGRESS_BEFORE = 1 << 6,
	SIGHT_EGRESS_AFTER = 1 << 7,
	SIGHT_PEER = 1 << 8,   /* came out of eth0 */
	SIGHT_RESET = 1 << 9,  /* a TCP reset answered it */
	SIGHT_ERROR = 1 << 10, /* an ICMP error did */
	SIGHT_PROXY = 1 << 11, /* given to the transparent proxy's socket, and let in */
	SIGHT_OWNER =
	    1 << 12, /* had another owner than its class says, or one where it says none */
};

/* Why a class was not sent. */
enum unsent {
	UNSENT_NOT = 0,
	UNSENT_PENDING,   /* its turn has not come; never in a report without a mistake */
	UNSENT_LABEL,     /* AF_PACKET puts the header's ethertype in the place of a label of 0 */
	UNSENT_PORT,      /* port 0 means any, so that no socket has it */
	UNSENT_MAPPED,    /* no IPv6 socket has an address of IPv4 */
	UNSENT_GROUP,     /* no TCP socket is bound to an IPv6 group */
	UNSENT_QUESTION,  /* an answer to what nobody may ask */
	UNSENT_UNREACHED, /* the kernel dropped it before the hook */
	UNSENT_REASONS,
};

struct specimen {
	struct packet packet;
	enum policy_action wanted; /* by the policy */
	enum ruleset_outcome modelled;
	uint16_t wanted_port, modelled_port; /* of the proxy */
	enum unsent unsent;
	int error;     /* of the system call, 0 or negative */
	uint32_t seen; /* of enum sight */
};

/* A packet that is no specimen, and how often it was seen before and behind Lethe's chain. */
struct note {
	struct packet packet;
	size_t before, after;
};

struct notes {
	struct note *notes;
	size_t count, room;
};

struct watch;
struct senders;

struct classes {
	struct policy *policy;
	struct nf_socket *nf;
	struct ruleset *ruleset; /* as read back, everything */
	struct ruleset held;     /* Lethe's tables of it; borrowed */
	struct specimen *specimens;
	size_t count, room;
	struct watch *watch;
	struct senders *senders;
	uint16_t proxy_port; /* 0: the policy has none */
	bool noting;         /* is what has no number noted? All rules must be loaded */
	bool connecting;     /* no specimen is on its way, connections are */
	struct notes notes;
	size_t proxied;       /* connections that the transparent proxy was given */
	size_t failed_scenes; /* connections and the like that the policy allows, and failed */
};

/* ---- classes_build.c ---- */
#define BUILT_MAX  192
#define BUILT_LINK 14

struct built {
	uint8_t bytes[BUILT_LINK + BUILT_MAX]; /* an Ethernet header, then the packet */
	size_t len;                            /* of the packet */
};

/* The real packet: headers as the class says, a valid checksum, the number @number. */
void built_make(struct built *built, const struct packet *packet, uint32_t number);

/* Which number has this packet, or the packet that it answers? *ret_answer is 0, SIGHT_RESET or
 * SIGHT_ERROR. @data begins at the network header; @ip says if it is IPv4 or IPv6. Returns
 * CLASSES_NO_NUMBER for a packet that has to do with none. */
uint32_t built_number(const uint8_t *data, size_t len, bool ip, uint32_t *ret_answer);

/* ---- classes_watch.c ---- */
/* Listens to the log of fixtures/witness.nft and at the peer. 0 or -errno. */
MUST_CHECK int watch_open(int peer_socket, int peer_device, struct watch **ret_watch);
struct watch *watch_close(struct watch *watch);
/* Wait until everything that was sent has come to its end, and note what was seen of it. Returns 0,
 * -ETIMEDOUT, -ENOBUFS (something was lost), or -errno. */
MUST_CHECK int watch_settle(struct classes *classes);
/* Wait until such a packet (of any protocol, if the ethertype is not of IP) comes to a hook on its
 * way out. 0, -ETIMEDOUT, or -errno. */
MUST_CHECK int watch_for(struct classes *classes, uint16_t ethertype, uint8_t protocol);

/* ---- classes_send.c ---- */
/* @peer: path of the peer's network namespace. */
MUST_CHECK int senders_open(const char *peer, struct senders **ret_senders);
struct senders *senders_close(struct senders *senders);
int senders_peer_socket(const struct senders *senders);
int senders_peer_device(const struct senders *senders);
/* A socket of IPv4 in the peer's namespace, the caller's, or -errno. */
MUST_CHECK int socket_at_peer(const struct senders *senders, int type);
/* Each sends one specimen, whose number is @number, and notes what the system call said. 0 or
 * -errno where the means of sending fails. */
MUST_CHECK int send_output(struct classes *classes, uint32_t number);
MUST_CHECK int send_frame(struct classes *classes, uint32_t number);
MUST_CHECK int send_local_input(struct classes *classes, uint32_t number);
MUST_CHECK int send_remote_input(struct classes *classes, uint32_t number);
MUST_CHECK int send_forward(struct classes *classes, uint32_t number);
/* From the peer to the host's eth0, whatever it is. */
MUST_CHECK int send_from_peer(struct senders *senders, const struct built *built, bool transit);
/* A packet of the host's that is no specimen. */
MUST_CHECK int send_question(struct senders *senders, const struct packet *packet);

/* ---- classes_sockets.c ---- */
struct sockets {
	int *fds;
	size_t count, room;
};

/* Open what the kernel shall find for every specimen of PACKET_INPUT on this device with this kind
 * of socket, and mark those that no socket can be opened for. */
MUST_CHECK int sockets_open(struct classes *classes, bool loopback, enum packet_socket kind,
			    struct sockets *sockets);
void sockets_close(struct sockets *sockets);

/* ---- classes_notes.c ---- */
/* Fill the rest of @packet, whose path, device and owner are known, from the packet's bytes. False:
 * it is of no kind that is read here. */
MUST_CHECK bool note_read(struct packet *packet, const uint8_t *data, size_t len);
MUST_CHECK int note_add(struct notes *notes, const struct packet *packet, bool after);
/* Make one note of all that are of the same packet. */
void notes_merge(struct notes *notes);
/* Its kind and what became of it, in a few words. */
void note_print(const struct note *note, struct buf *out);

/* ---- classes_kernel.c ---- */
/* Have the kernel make packets by itself. */
MUST_CHECK int kernel_packets(struct classes *classes);

/* ---- classes_judge.c ---- */
/* Print to standard error what disagrees, and to standard output one line of JSON. Returns whether
 * all agree, or -ENOMEM. */
MUST_CHECK int judge(struct classes *classes);
