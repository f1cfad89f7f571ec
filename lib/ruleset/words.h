/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nft's words for values: types, addresses, protocols. Private to this room. */
#pragma once

#include "ruleset.h"

/* nft's datatype numbers, as sets carry them; those that can be written here. */
enum words_type {
	WORDS_HEX = 0, /* not nft's: bytes whose meaning nobody knows */
	WORDS_NFPROTO = 2,
	WORDS_INTEGER = 4,
	WORDS_IP4 = 7,
	WORDS_IP6 = 8,
	WORDS_ETHER = 9,
	WORDS_ETHERTYPE = 10,
	WORDS_ARPOP = 11,
	WORDS_PROTOCOL = 12,
	WORDS_PORT = 13,
	WORDS_ICMP_TYPE = 14,
	WORDS_TCP_FLAG = 15,
	WORDS_MARK = 19,
	WORDS_IFINDEX = 20,
	WORDS_IFTYPE = 21,
	WORDS_REALM = 22,
	WORDS_UID = 24,
	WORDS_GID = 25,
	WORDS_CT_STATE = 26,
	WORDS_ICMP6_TYPE = 29,
	WORDS_ROUTE_TYPE = 38,
	WORDS_BOOLEAN = 39,
	WORDS_IFNAME = 41,
};

#define WORDS_TYPE_BITS 6 /* of each part in the number of a concatenation */

/* How a value is written. */
struct words_shape {
	uint32_t type; /* words_type; anything else is written as an integer */
	size_t len;    /* bytes */
	bool host;     /* an integer in host order */
};

/* The type's name in set declarations and its length, or NULL if it has none. */
const char *words_type_name(uint32_t type, size_t *ret_len);

void words_value(struct buf *out, const struct words_shape *shape, const uint8_t *bytes);
/* "10.0.0.0/8" where the range is a prefix of addresses, else "80-90", or one value alone. */
void words_range(struct buf *out, const struct words_shape *shape, const uint8_t *from,
		 const uint8_t *to);
/* The length of the prefix whose mask this is, or -1. */
int words_prefix(const uint8_t *mask, size_t len);

void words_verdict(struct buf *out, const struct ruleset_verdict *verdict);
/* "1m30s" */
void words_duration(struct buf *out, uint64_t milliseconds);
/* In quotes; what would end them is replaced. */
void words_quoted(struct buf *out, const char *text);
/* "with icmpx port-unreachable"; @ipv6 for plain ICMP. False if nft has no word. */
bool words_reject(struct buf *out, uint32_t type, uint8_t code, bool ipv6);
