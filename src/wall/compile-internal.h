/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Shared by the compiler's files and nobody else. */
#pragma once

#include "emit.h"

/* One compilation under way. */
struct compile {
	const struct policy *policy;
	struct ruleset_table *table; /* the one being written */
	bool frames;		     /* it is the netdev table: refusals are drops, nothing is
				      * remembered, the packet may not be IP */
	int error;
};

/* Names of chains and sets, one place for each, as they appear in nft's listing. */
#define CHAIN_LOCAL	   "local"
#define CHAIN_LOCAL_INPUT  "local_input"
#define CHAIN_AUTOMAP	   "automap"
#define CHAIN_PROXIED	   "proxied"
#define CHAIN_REFUSE	   "refuse"
#define CHAIN_REFUSE_LOCAL "refuse_local"
#define CHAIN_ANYONE	   "anyone"
#define CHAIN_LAN	   "lan"
#define CHAIN_IP	   "ipv4_frames"
#define CHAIN_ARP	   "arp_frames"
#define CHAIN_ARP_OWNED	   "arp_owned"
#define CHAIN_LOOPBACK	   "loopback"
#define CHAIN_ODD	   "odd"

#define SET_SERVICES	"services"
#define SET_LOCAL_USERS "local_users"
#define SET_ANSWERING	"answering"
#define SET_REMOTE	"remote_users"
#define SET_TCP_REACH	"tcp_reach"
#define SET_REACH	"reach"
#define SET_EXTENSIONS	"extension_headers"
#define SET_ANSWERS	"answers"
#define SET_ECHOES	"echoes"
#define SET_LOCAL_TCP	"local_tcp"
#define SET_LOCAL_UDP	"local_udp"
#define SET_UDP_ANSWERS "local_udp_answers"
#define SET_ICMP_ERRORS	 "icmp_errors"
#define SET_ICMP6_ERRORS "icmpv6_errors"

/* How long an answer to UDP or an echo request is awaited. Long enough for slow resolvers and
 * discovery, short enough that an old question opens nothing for the next address holder. */
#define ANSWERS_TIMEOUT_MS 180000u
#define ECHOES_TIMEOUT_MS  30000u

/* Loopback and services (compile-local.c). */
void compile_local_sets(struct compile *compile);
void compile_local_chains(struct compile *compile);
void compile_local_input(struct compile *compile);

/* One question about the destination address. A network is the addresses of all its parts, and none
 * of them is in two. */
enum compile_part_kind {
	COMPILE_PREFIX = 1,
	COMPILE_OCTETS,	      /* the first octet is in @set */
	COMPILE_OTHER_OCTETS, /* the first octet is not in @set */
	COMPILE_INTERVALS,    /* the address is in @set */
};

struct compile_part {
	enum compile_part_kind kind;
	uint32_t address; /* of a prefix */
	unsigned prefix_length;
	char set[RULESET_NAME_MAX + 1];
};

#define COMPILE_PARTS_MAX 5
struct compile_network {
	struct compile_part parts[COMPILE_PARTS_MAX];
	size_t count;
};

/* Networks (compile-networks.c). The parts of a network of these ranges (sorted, disjoint), whose
 * sets are called after @name; they are made if @make_sets, once for each table. No memory: the
 * compilation's error, and a network without parts. */
void compile_network(struct compile *compile, const char *name, const struct policy_range *ranges,
		     size_t count, bool make_sets, struct compile_network *ret_network);
void compile_part_match(struct emit *emit, const struct compile_part *part);

/* An interval set of addresses. */
void compile_address_set(struct compile *compile, const char *name,
			 const struct policy_range *ranges, size_t count);

/* Other hosts (compile-remote.c); for both tables. */
void compile_remote_sets(struct compile *compile);
void compile_remote_chains(struct compile *compile);
/* Every address that somebody may reach, by TCP or at all: where the rest of a connection may go
 * whose owner is gone, and the pieces of a datagram. As compile_network(). */
void compile_reach(struct compile *compile, bool tcp, bool make_sets,
		   struct compile_network *ret_network);
/* The judgement of a packet that leaves for another host, into the chain being written. */
void compile_remote_rules(struct compile *compile, struct emit *emit);

/* "name" of a user for comments: the policy's word, or the number. */
const char *compile_user_name(const struct compile *compile, uint32_t uid, char buffer[static 16]);

/* An interval set of ports. */
void compile_port_set(struct compile *compile, const char *name, const struct policy_ports *ports,
		      size_t count);
