/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writing rules, one match at a time, in the order in which nft itself writes them, so that its
 * listing of what we load stays readable. Internal to the compiler.
 */
#pragma once

#include <policy/policy.h>
#include <ruleset/ruleset.h>

/* Registers as nft uses them: a concatenation starts in the first and goes on upwards. */
#define EMIT_REG 0

/* nft's datatype numbers, for its listing; concatenations are joined by EMIT_TYPE_JOIN. */
#define EMIT_TYPE_IPV4	   7u
#define EMIT_TYPE_INTEGER  4u
#define EMIT_TYPE_PROTOCOL 12u
#define EMIT_TYPE_PORT	   13u
#define EMIT_TYPE_ARPHRD   21u
#define EMIT_TYPE_UID	   24u
#define EMIT_TYPE_VERDICT  0xffffff00u
#define EMIT_TYPE_JOIN(a, b) ((a) << 6 | (b))

/* The rules of one chain being written. The first failure sticks, so that a chain is written
 * without a check after every line and looked at once. */
struct emit {
	struct ruleset_table *table;
	size_t chain; /* index in the table: a pointer would not survive the next chain */
	struct ruleset_rule *rule;
	int *error; /* shared by all chains of one compilation */
};

struct emit emit_chain(struct ruleset_table *table, int *error, const char *format, ...)
	PRINTF(3, 4);
struct emit emit_base_chain(struct ruleset_table *table, int *error, const char *name,
			    uint32_t hook, int32_t priority, enum ruleset_code policy);

/* Start a rule. The comment tells people which statement asked for it. */
void emit_rule(struct emit *emit, const char *format, ...) PRINTF(2, 3);
void emit_plain_rule(struct emit *emit); /* without a comment */
/* The same for a statement of the policy: "text (file:line)". */
void emit_rule_for(struct emit *emit, const struct policy_place *place, const char *format, ...)
	PRINTF(3, 4);

/* Matches. Each leaves the rule matching only if it holds. */
void emit_device_is_loopback(struct emit *emit, bool out);
void emit_family(struct emit *emit, bool ipv6);
void emit_protocol(struct emit *emit, uint8_t protocol);
void emit_opening(struct emit *emit, bool opening); /* TCP only: SYN alone, or anything else */
void emit_rest_of_connection(struct emit *emit); /* TCP only: ACK, without SYN and RST */
void emit_odd4(struct emit *emit);	/* IPv4: a later fragment, or a header with options */
void emit_fragment4(struct emit *emit); /* IPv4: a later fragment, and no options */
void emit_odd6(struct emit *emit, const char *set); /* IPv6: the first of its headers is in @set */
void emit_owned(struct emit *emit);
void emit_routed(struct emit *emit);
void emit_label(struct emit *emit, uint16_t ethertype);	       /* the kernel's */
void emit_link_ethertype(struct emit *emit, uint16_t ethertype); /* the Ethernet header's */
void emit_device_type_in(struct emit *emit, const char *set);
void emit_prefix(struct emit *emit, uint32_t address, unsigned prefix_length);
void emit_destination_in(struct emit *emit, const char *set);
void emit_destination_is(struct emit *emit, uint32_t address);
void emit_port_is(struct emit *emit, bool source, uint16_t port);
void emit_port_in(struct emit *emit, bool source, const char *set);
void emit_icmp_type_is(struct emit *emit, uint8_t type);
void emit_icmp_type_in(struct emit *emit, const char *set);
void emit_socket(struct emit *emit, uint32_t key, uint8_t value);
void emit_owner_in(struct emit *emit, const char *set);
void emit_payload_is(struct emit *emit, enum ruleset_base base, uint32_t offset,
		     const void *bytes, uint8_t len);
void emit_payload_in(struct emit *emit, enum ruleset_base base, uint32_t offset, uint32_t len,
		     const char *set);

/* Loads into consecutive registers, for a concatenation; return the next free register. */
uint8_t emit_load_meta(struct emit *emit, uint8_t reg, uint32_t key);
uint8_t emit_load_payload(struct emit *emit, uint8_t reg, enum ruleset_base base, uint32_t offset,
			  uint32_t len);
void emit_in(struct emit *emit, const char *set);    /* what was loaded is in the set */
void emit_vmap(struct emit *emit, const char *map);  /* the verdict of what was loaded */
void emit_remember(struct emit *emit, const char *set); /* add or refresh it */

/* Tell whoever listens, by netlink (nf/log.h); it decides nothing. Before each refusal of a packet that
 * wants to leave: where the kernel cannot name who was refused, lethe-watchd counts by this. */
void emit_tell(struct emit *emit);

/* Ends of rules. */
void emit_accept(struct emit *emit);
void emit_drop(struct emit *emit);
/* The same, told. */
void emit_refuse(struct emit *emit);
/*
 * The last rule of a chain whose packets would be left to the base chain's policy. The kernel puts a
 * transaction's rules in force at once, and only then, one after the other, the policies of its new
 * chains: until then they accept, while the old chains are being taken away. So no packet may ever
 * be left to a policy.
 */
void emit_end(struct emit *emit);
void emit_goto(struct emit *emit, const char *chain);
void emit_reset(struct emit *emit);
void emit_unreachable(struct emit *emit);
void emit_tproxy(struct emit *emit, uint32_t address, uint16_t port);

/* Sets. Each returns the set's index in the table, for emit_element*(). */
struct emit_set {
	struct ruleset_table *table;
	size_t set;
	int *error;
};

struct emit_set emit_set(struct ruleset_table *table, int *error, const char *name, uint32_t type,
			 uint32_t key_len);
struct emit_set emit_interval_set(struct ruleset_table *table, int *error, const char *name,
				  uint32_t type, uint32_t key_len);
struct emit_set emit_verdict_map(struct ruleset_table *table, int *error, const char *name,
				 uint32_t type, uint32_t key_len);
struct emit_set emit_dynamic_set(struct ruleset_table *table, int *error, const char *name,
				 uint32_t type, uint32_t key_len, uint64_t timeout_ms);
/* The parts of a concatenation, each padded to 4 bytes in the key. */
void emit_set_fields(struct emit_set *set, const uint8_t *lengths, size_t count);

void emit_element(struct emit_set *set, const void *key, uint8_t len);
void emit_element_range(struct emit_set *set, const void *from, const void *to, uint8_t len);
void emit_element_verdict(struct emit_set *set, const void *key, uint8_t len,
			  enum ruleset_code code, const char *chain);
