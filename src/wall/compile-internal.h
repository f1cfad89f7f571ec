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
#define SET_LAN_TCP	"lan_tcp"
#define SET_LAN_UDP	"lan_udp"
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

/* Other hosts (compile-remote.c); for both tables. */
void compile_remote_sets(struct compile *compile);
void compile_remote_chains(struct compile *compile);
/* The judgement of a packet that leaves for another host, into the chain being written. */
void compile_remote_rules(struct compile *compile, struct emit *emit);

/* "name" of a user for comments: the policy's word, or the number. */
const char *compile_user_name(const struct compile *compile, uint32_t uid, char buffer[static 16]);

/* An interval set of every port but these, which are sorted and joined here. For what is granted
 * with exceptions: while a ruleset is replaced, a look-up in a set may find nothing for a moment, and
 * nothing may be accepted for that. */
void compile_other_ports_set(struct compile *compile, const char *name, struct policy_ports *except,
			     size_t count);

/* An interval set of ports. */
void compile_port_set(struct compile *compile, const char *name, const struct policy_ports *ports,
		      size_t count);
