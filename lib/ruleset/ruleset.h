/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An nftables ruleset as a value: tables, chains, rules as expressions over registers, sets and
 * maps. The compiler makes one, lib/nf sends it to the kernel and reads one back, the evaluator
 * says what it does to a packet. No system calls here.
 *
 * Numbers in registers and set keys are bytes as the kernel keeps them: packet fields in network
 * order, meta fields in host order. Registers are numbered from 0 to 15, 4 bytes each (the kernel's
 * NFT_REG32_00...); a value longer than 4 bytes occupies the following registers too.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/buf.h>
#include <base/cleanup.h>
#include <packet/packet.h>

#define RULESET_NAME_MAX  63  /* of tables, chains and sets (the kernel allows 255; see lib/nf) */
#define RULESET_DATA_MAX  64  /* bytes of a register file, a key, a compared value */
#define RULESET_COMMENT_MAX 127
#define RULESET_REGISTERS 16
#define RULESET_MISSING_MAX 160
#define RULESET_DEVICE_MAX 16

enum ruleset_family { /* values of the kernel's NFPROTO_* */
	RULESET_INET = 1,
	RULESET_IPV4 = 2,
	RULESET_ARP = 3,
	RULESET_NETDEV = 5,
	RULESET_BRIDGE = 7,
	RULESET_IPV6 = 10,
};

/* Where a verdict leads. Values are ours, not the kernel's; zero is no verdict. */
enum ruleset_code {
	RULESET_NONE = 0,
	RULESET_ACCEPT,
	RULESET_DROP,
	RULESET_JUMP,
	RULESET_GOTO,
	RULESET_RETURN,
	RULESET_CONTINUE,
	RULESET_QUEUE,
	RULESET_BREAK,
};

struct ruleset_verdict {
	enum ruleset_code code;
	char chain[RULESET_NAME_MAX + 1]; /* for jump and goto */
};

struct ruleset_value {
	uint8_t bytes[RULESET_DATA_MAX];
	uint8_t len;
};

enum ruleset_expression_kind {
	RULESET_UNKNOWN = 0, /* an expression this model does not understand: name kept, for proofs */
	RULESET_META,
	RULESET_PAYLOAD,
	RULESET_COMPARE,
	RULESET_BITWISE,
	RULESET_RANGE,
	RULESET_LOOKUP,
	RULESET_DYNSET,
	RULESET_IMMEDIATE, /* a verdict, or data into a register */
	RULESET_REJECT,
	RULESET_SOCKET,
	RULESET_TPROXY,
	RULESET_COUNTER,
	/* What Lethe's own rules never use, and those of others do. */
	RULESET_META_SET,
	RULESET_PAYLOAD_SET,
	RULESET_SHIFT,
	RULESET_BYTEORDER,
	RULESET_CONNECTION,	/* ct */
	RULESET_CONNECTION_SET, /* ct ... set */
	RULESET_TRANSLATE,	/* nat: snat and dnat */
	RULESET_REDIRECT,	/* redir */
	RULESET_MASQUERADE,	/* masq */
	RULESET_NOTRACK,
	RULESET_ROUTE_LOOKUP, /* fib */
	RULESET_ROUTE_FIELD,  /* rt */
	RULESET_LIMIT,	      /* limit, quota, connlimit: what matches depends on what came before */
	RULESET_NUMBER,	      /* numgen: a number that packets do not determine */
	RULESET_NO_EFFECT,    /* log, last: looks on */
	RULESET_OBJECT,	      /* objref: a named object, by its name */
};

enum ruleset_operator { /* values of the kernel's NFT_CMP_* and NFT_RANGE_* */
	RULESET_EQUAL = 0,
	RULESET_NOT_EQUAL,
	RULESET_LESS,
	RULESET_LESS_EQUAL,
	RULESET_GREATER,
	RULESET_GREATER_EQUAL,
};

enum ruleset_base { /* values of the kernel's NFT_PAYLOAD_*_HEADER */
	RULESET_LINK = 0,
	RULESET_NETWORK,
	RULESET_TRANSPORT,
};

struct ruleset_expression {
	enum ruleset_expression_kind kind;
	union {
		struct {
			char name[32];
		} unknown;
		struct {
			uint32_t key; /* NFT_META_* */
			uint8_t reg;  /* destination */
		} meta;
		struct {
			enum ruleset_base base;
			uint32_t offset, len; /* bytes */
			uint8_t reg;	      /* destination */
		} payload;
		struct {
			uint8_t reg; /* source */
			enum ruleset_operator operator;
			struct ruleset_value value;
		} compare;
		struct { /* destination = (source & mask) ^ xor */
			uint8_t source, reg;
			uint32_t len;
			struct ruleset_value mask, xor;
		} bitwise;
		struct {
			uint8_t reg; /* source */
			enum ruleset_operator operator; /* equal or not equal */
			struct ruleset_value from, to;
		} range;
		struct { /* a verdict map if `map`: the verdict is the element's */
			char set[RULESET_NAME_MAX + 1];
			uint8_t reg; /* source */
			bool map, inverted;
			uint8_t destination; /* register for a data map; unused for verdict maps */
			bool verdict_map;
		} lookup;
		struct { /* add or refresh the key in a set */
			char set[RULESET_NAME_MAX + 1];
			uint8_t reg; /* the key's source */
			bool update; /* refresh the time-out of what is there already */
			uint64_t timeout_ms; /* 0: the set's own */
		} dynset;
		struct {
			uint8_t reg; /* destination of the data, when the verdict's code is NONE */
			struct ruleset_verdict verdict;
			struct ruleset_value value;
		} immediate;
		struct {
			uint32_t type; /* NFT_REJECT_* */
			uint8_t code;  /* ICMP code or NFT_REJECT_ICMPX_* */
		} reject;
		struct {
			uint32_t key;	/* NFT_SOCKET_* */
			uint32_t level; /* for cgroupv2 */
			uint8_t reg;	/* destination */
		} socket;
		struct { /* a register left unused is -1 */
			enum ruleset_family family;
			int8_t address_reg, port_reg;
		} tproxy;
		struct {
			uint64_t packets, bytes; /* never part of a comparison */
		} counter;
		struct {
			uint32_t key; /* NFT_META_* */
			uint8_t reg;  /* source */
		} meta_set;
		struct { /* writes into the packet */
			enum ruleset_base base;
			uint32_t offset, len; /* bytes */
			uint8_t reg;	      /* source */
			uint32_t checksum_type, checksum_offset, flags;
		} payload_set;
		struct { /* bitwise with a shift: whole words of 32 bits in host order that are one
			  * number, the first word weighing most. Of more than one word only where
			  * source and destination are apart: in place the kernel carries wrongly */
			uint8_t source, reg;
			uint32_t len;  /* bytes */
			bool left;
			uint32_t bits; /* 0 to 31; 0 only for one word */
		} shift;
		struct {
			uint8_t source, reg;
			uint32_t op;	    /* NFT_BYTEORDER_* */
			uint32_t len, size; /* bytes; size of each part: 2, 4 or 8 */
		} byteorder;
		struct {
			uint32_t key;	   /* NFT_CT_* */
			int8_t direction; /* 0 original, 1 reply; -1: the key takes none */
			uint8_t reg;	  /* destination */
		} connection;
		struct {
			uint32_t key;
			int8_t direction;
			uint8_t reg; /* source */
		} connection_set;
		struct { /* registers left unused are -1; so is an end that is the start's */
			bool destination; /* dnat; else snat */
			enum ruleset_family family;
			int8_t address_reg, address_end_reg, port_reg, port_end_reg;
			uint32_t flags; /* NF_NAT_RANGE_* */
		} translate;
		struct { /* redirect and masquerade */
			int8_t port_reg, port_end_reg;
			uint32_t flags;
		} redirect;
		struct {
			uint32_t result, flags; /* NFT_FIB_RESULT_*, NFTA_FIB_F_* */
			uint8_t reg;		/* destination */
		} route_lookup;
		struct {
			uint32_t key; /* NFT_RT_* */
			uint8_t reg;  /* destination */
		} route_field;
		struct {
			char name[16]; /* the kernel's: "limit", "quota", "connlimit" */
			uint64_t settings[5]; /* all there are, in the order of their attributes: two of
					       * a kind are equal if these are */
		} limit;
		struct {
			uint32_t modulus, type, offset; /* offset <= number < offset + modulus */
			uint8_t reg;			/* destination */
		} number;
		struct {
			char name[16]; /* the kernel's: "log", "last" */
			/* Of a log that goes to the listeners of a netlink group (nfnetlink_log) and
			 * says nothing else: the group. 0: any other, which may come to a file. */
			uint16_t group;
		} no_effect;
		struct {
			uint32_t type; /* NFT_OBJECT_* */
			char object[RULESET_NAME_MAX + 1];
		} object;
	};
};

struct ruleset_rule {
	struct ruleset_expression *expressions;
	size_t count;
	char comment[RULESET_COMMENT_MAX + 1]; /* for people: the grant and its place; "" for none */
	uint64_t handle;		       /* the kernel's; 0 before it has one */
};

enum ruleset_chain_type {
	RULESET_FILTER = 1,
	RULESET_NAT,
	RULESET_ROUTE,
};

struct ruleset_chain {
	char name[RULESET_NAME_MAX + 1];
	bool base; /* called by the kernel at a hook; the rest only where base is true */
	enum ruleset_chain_type type;
	uint32_t hook; /* NF_INET_* or NF_NETDEV_* */
	int32_t priority;
	enum ruleset_code policy; /* RULESET_ACCEPT or RULESET_DROP */
	bool every_device;	  /* netdev: bound by the empty prefix, to all present and future */
	char (*devices)[RULESET_DEVICE_MAX]; /* netdev, otherwise; sorted */
	size_t device_count;

	struct ruleset_rule *rules;
	size_t rule_count;
};

struct ruleset_element {
	struct ruleset_value key;
	struct ruleset_value key_end;	/* len 0 unless the set is of intervals: last key, inclusive */
	struct ruleset_verdict verdict; /* verdict maps */
	struct ruleset_value data;	/* data maps */
};

struct ruleset_set {
	char name[RULESET_NAME_MAX + 1];
	bool anonymous, constant, interval, map, verdict_map, dynamic, timeout;
	uint32_t key_type, data_type; /* nft's datatype numbers, so that its listing is readable */
	uint32_t key_len, data_len;   /* bytes */
	uint8_t fields[4];	      /* lengths of a concatenation's parts, each padded to 4; or 0 */
	size_t field_count;
	size_t exact_fields; /* leading parts that are one value in every element; ruleset_sort() */
	uint32_t size;	     /* most elements; 0 for no limit */
	uint64_t timeout_ms; /* of elements added by dynset */
	uint64_t longest_ms; /* dynamic: of the elements that it holds, the longest time-out; never part
			      * of a comparison. UINT64_MAX: one that does not expire */
	size_t held;	     /* dynamic: how many elements it held; never part of a comparison */

	struct ruleset_element *elements; /* sorted by key; not those of dynamic sets */
	size_t element_count, element_room;
};

struct ruleset_table {
	enum ruleset_family family;
	char name[RULESET_NAME_MAX + 1];
	uint32_t flags; /* NFT_TABLE_F_* */
	struct ruleset_chain *chains;
	size_t chain_count;
	struct ruleset_set *sets;
	size_t set_count;
};

struct ruleset {
	struct ruleset_table *tables;
	size_t table_count;
	bool incomplete; /* the kernel holds what this model cannot (flowtables, long names): say so */
	char missing[RULESET_MISSING_MAX]; /* the first such thing, in words: "the flowtable f"; or "" */
};

/* ---- making one. Pointers returned are borrowed and valid until the next addition of their kind.
 * All return NULL when memory is short or a limit (names, data) is exceeded. ---- */
struct ruleset *ruleset_new(void);
struct ruleset *ruleset_free(struct ruleset *ruleset);
DEFINE_CLEANUP(struct ruleset *, ruleset_free)

struct ruleset_table *ruleset_add_table(struct ruleset *ruleset, enum ruleset_family family,
					const char *name);
struct ruleset_chain *ruleset_add_chain(struct ruleset_table *table, const char *name);
struct ruleset_set *ruleset_add_set(struct ruleset_table *table, const char *name);
struct ruleset_rule *ruleset_add_rule(struct ruleset_chain *chain, const char *comment);
/* Copies *expression. */
struct ruleset_expression *ruleset_add_expression(struct ruleset_rule *rule,
						  const struct ruleset_expression *expression);
/* Copies *element. Elements may be added in any order; ruleset_sort() orders them. */
struct ruleset_element *ruleset_add_element(struct ruleset_set *set,
					    const struct ruleset_element *element);
MUST_CHECK int ruleset_add_device(struct ruleset_chain *chain, const char *device);

/* Canonical order: tables by family and name, sets by name, elements by key, devices by name;
 * chains by name, rules as they are. */
void ruleset_sort(struct ruleset *ruleset);

/* Borrowed, or NULL. */
const struct ruleset_table *ruleset_find_table(const struct ruleset *ruleset,
					       enum ruleset_family family, const char *name);
const struct ruleset_chain *ruleset_find_chain(const struct ruleset_table *table,
					       const char *name);
const struct ruleset_set *ruleset_find_set(const struct ruleset_table *table, const char *name);

/* nft's word for a family: "inet", "ip" and so on. "unknown" for any other number, which nft
 * refuses. Static. */
const char *ruleset_family_name(enum ruleset_family family);

/* May a dynamic set hold anything? Not if it holds nothing and no rule of its table adds to it. */
bool ruleset_is_filled(const struct ruleset_table *table, const struct ruleset_set *set);

/*
 * Do two tables decide alike by construction: the same chains, hooks, rules, sets and elements?
 * Handles, counters, comments and what dynamic sets hold are left out. Both must be sorted.
 * Returns true, or false with the first difference in words at @difference (may be NULL).
 */
bool ruleset_table_equal(const struct ruleset_table *a, const struct ruleset_table *b,
			 struct buf *difference);

/* nft's own syntax, so that people can read it and nft can load it (where nft has the words). What
 * it has none for is written like a C comment, which nft refuses: a listing that says less than the
 * ruleset must not be loaded in its place. Fields are named by their place in the packet; where a
 * rule leaves it to its callers to check the protocol, nft would check again. A chain bound to every
 * device says so in a comment, since nft 1.0.6 knows only names. */
void ruleset_print(const struct ruleset *ruleset, struct buf *out);

enum ruleset_outcome {
	RULESET_UNDECIDED = 0, /* something was not understood: never a guess */
	RULESET_DROPPED,
	RULESET_RESET,	     /* rejected, by a TCP reset */
	RULESET_UNREACHABLE, /* rejected, by an ICMP error */
	RULESET_PASSED,
	RULESET_PROXIED, /* passed, and given to a transparent proxy */
};

struct ruleset_result {
	enum ruleset_outcome outcome;
	uint16_t proxy_port;		  /* for RULESET_PROXIED */
	const struct ruleset_table *table; /* of the deciding rule or policy; NULL if none decided */
	const struct ruleset_chain *chain;
	const struct ruleset_rule *rule; /* NULL: the chain's policy */
	const char *reason;		 /* for RULESET_UNDECIDED; static storage */
};

/* The device's name and number a packet is evaluated on. */
#define RULESET_OTHER_DEVICE "eth0"

/*
 * What the ruleset does to the packet at its path: all base chains of the matching hooks of every
 * family, in order of priority (INPUT: ingress, prerouting, then input; OUTPUT and FORWARD:
 * postrouting, too). @ruleset must be sorted, and the elements of a set must not overlap. No chain
 * at a hook: passed. `expected` of the packet stands for membership in dynamic sets, on INPUT.
 *
 * A verdict that would rest on what packets of a class do not share (a mark, a time to live, bytes
 * behind the headers) is UNDECIDED; not one to which it makes no difference, which is tried. A rejection's outcome is what its rule asks for; the kernel in
 * fact answers neither resets nor ICMP errors nor broadcasts.
 */
struct ruleset_result ruleset_evaluate(const struct ruleset *ruleset, const struct packet *packet);
