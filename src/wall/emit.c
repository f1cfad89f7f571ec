/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "emit.h"

#include <netinet/in.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdarg.h>
#include <string.h>

#include <nf/log.h>

#define LOOPBACK_INDEX	  1u /* the kernel gives it to lo in every network namespace */
#define TCP_FLAGS_OFFSET  13
#define DYNAMIC_SET_SIZE  65535
#define PORT_OFFSET(source) ((source) ? 0u : 2u)

static struct ruleset_chain *chain_of(const struct emit *emit)
{
	return &emit->table->chains[emit->chain];
}

static struct emit start_chain(struct ruleset_table *table, int *error, const char *name)
{
	struct emit emit = { .table = table, .error = error };

	if (*error == 0 && !ruleset_add_chain(table, name))
		*error = -ENOMEM;
	if (*error == 0)
		emit.chain = table->chain_count - 1;
	return emit;
}

struct emit emit_chain(struct ruleset_table *table, int *error, const char *format, ...)
{
	char name[RULESET_NAME_MAX + 1];
	va_list args;

	va_start(args, format);
	vsnprintf(name, sizeof(name), format, args);
	va_end(args);
	return start_chain(table, error, name);
}

struct emit emit_base_chain(struct ruleset_table *table, int *error, const char *name,
			    uint32_t hook, int32_t priority, enum ruleset_code policy)
{
	struct emit emit = start_chain(table, error, name);

	if (*error == 0) {
		struct ruleset_chain *chain = chain_of(&emit);

		chain->base = true;
		chain->type = RULESET_FILTER;
		chain->hook = hook;
		chain->priority = priority;
		chain->policy = policy;
	}
	return emit;
}

static void start_rule(struct emit *emit, const char *comment)
{
	emit->rule = NULL;
	if (*emit->error == 0)
		emit->rule = ruleset_add_rule(chain_of(emit), comment);
	if (*emit->error == 0 && !emit->rule)
		*emit->error = -ENOMEM;
}

void emit_rule(struct emit *emit, const char *format, ...)
{
	char comment[RULESET_COMMENT_MAX + 1];
	va_list args;

	va_start(args, format);
	vsnprintf(comment, sizeof(comment), format, args);
	va_end(args);
	start_rule(emit, comment);
}

void emit_plain_rule(struct emit *emit)
{
	start_rule(emit, "");
}

void emit_rule_for(struct emit *emit, const struct policy_place *place, const char *format, ...)
{
	char text[RULESET_COMMENT_MAX + 1], comment[RULESET_COMMENT_MAX + 1];
	const char *file = place->file ? strrchr(place->file, '/') : NULL;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	file = file ? file + 1 : place->file;
	snprintf(comment, sizeof(comment), "%.80s (%.30s:%u)", text, file ? file : "policy",
		 place->line);
	start_rule(emit, comment);
}

static void add(struct emit *emit, const struct ruleset_expression *expression)
{
	if (*emit->error == 0 && !ruleset_add_expression(emit->rule, expression))
		*emit->error = -ENOMEM;
}

uint8_t emit_load_meta(struct emit *emit, uint8_t reg, uint32_t key)
{
	add(emit, &(struct ruleset_expression){ .kind = RULESET_META,
						.meta = { .key = key, .reg = reg } });
	return (uint8_t)(reg + 1);
}

uint8_t emit_load_payload(struct emit *emit, uint8_t reg, enum ruleset_base base, uint32_t offset,
			  uint32_t len)
{
	add(emit, &(struct ruleset_expression){
			  .kind = RULESET_PAYLOAD,
			  .payload = { .base = base, .offset = offset, .len = len, .reg = reg } });
	return (uint8_t)(reg + (len + 3) / 4);
}

static void compare(struct emit *emit, enum ruleset_operator operator, const void *bytes,
		    uint8_t len)
{
	struct ruleset_expression expression = { .kind = RULESET_COMPARE };

	expression.compare.reg = EMIT_REG;
	expression.compare.operator = operator;
	expression.compare.value.len = len;
	memcpy(expression.compare.value.bytes, bytes, len);
	add(emit, &expression);
}

static void mask(struct emit *emit, const void *bytes, uint8_t len)
{
	struct ruleset_expression expression = { .kind = RULESET_BITWISE };

	expression.bitwise.source = EMIT_REG;
	expression.bitwise.reg = EMIT_REG;
	expression.bitwise.len = len;
	expression.bitwise.mask.len = len;
	expression.bitwise.xor.len = len;
	memcpy(expression.bitwise.mask.bytes, bytes, len);
	add(emit, &expression);
}

static void lookup(struct emit *emit, const char *set, bool verdict_map)
{
	struct ruleset_expression expression = { .kind = RULESET_LOOKUP };

	snprintf(expression.lookup.set, sizeof(expression.lookup.set), "%s", set);
	expression.lookup.reg = EMIT_REG;
	expression.lookup.map = verdict_map;
	expression.lookup.verdict_map = verdict_map;
	add(emit, &expression);
}

void emit_in(struct emit *emit, const char *set)
{
	lookup(emit, set, false);
}

void emit_vmap(struct emit *emit, const char *map)
{
	lookup(emit, map, true);
}

void emit_remember(struct emit *emit, const char *set)
{
	struct ruleset_expression expression = { .kind = RULESET_DYNSET };

	snprintf(expression.dynset.set, sizeof(expression.dynset.set), "%s", set);
	expression.dynset.reg = EMIT_REG;
	expression.dynset.update = true;
	add(emit, &expression);
}

static void meta_is(struct emit *emit, uint32_t key, enum ruleset_operator operator,
		    const void *bytes, uint8_t len)
{
	emit_load_meta(emit, EMIT_REG, key);
	compare(emit, operator, bytes, len);
}

void emit_device_is_loopback(struct emit *emit, bool out)
{
	uint32_t index = LOOPBACK_INDEX;

	meta_is(emit, out ? NFT_META_OIF : NFT_META_IIF, RULESET_EQUAL, &index, sizeof(index));
}

void emit_family(struct emit *emit, bool ipv6)
{
	uint8_t family = ipv6 ? NFPROTO_IPV6 : NFPROTO_IPV4;

	meta_is(emit, NFT_META_NFPROTO, RULESET_EQUAL, &family, sizeof(family));
}

void emit_protocol(struct emit *emit, uint8_t protocol)
{
	meta_is(emit, NFT_META_L4PROTO, RULESET_EQUAL, &protocol, sizeof(protocol));
}

void emit_opening(struct emit *emit, bool opening)
{
	uint8_t flags = PACKET_TCP_OPENING_MASK, syn = PACKET_TCP_SYN;

	emit_load_payload(emit, EMIT_REG, RULESET_TRANSPORT, TCP_FLAGS_OFFSET, 1);
	mask(emit, &flags, sizeof(flags));
	compare(emit, opening ? RULESET_EQUAL : RULESET_NOT_EQUAL, &syn, sizeof(syn));
}

void emit_rest_of_connection(struct emit *emit)
{
	uint8_t flags = PACKET_TCP_SYN | PACKET_TCP_RST | PACKET_TCP_ACK, ack = PACKET_TCP_ACK;

	emit_load_payload(emit, EMIT_REG, RULESET_TRANSPORT, TCP_FLAGS_OFFSET, 1);
	mask(emit, &flags, sizeof(flags));
	compare(emit, RULESET_EQUAL, &ack, sizeof(ack));
}

/* One load for both: the header's length in the first byte, the offset in the last two of eight. */
void emit_odd4(struct emit *emit)
{
	static const uint8_t bits[8] = { 0x0f, 0, 0, 0, 0, 0, 0x1f, 0xff };
	static const uint8_t plain[8] = { 0x05 };

	emit_load_payload(emit, EMIT_REG, RULESET_NETWORK, 0, sizeof(bits));
	mask(emit, bits, sizeof(bits));
	compare(emit, RULESET_NOT_EQUAL, plain, sizeof(plain));
}

void emit_fragment4(struct emit *emit)
{
	static const uint8_t bits[8] = { 0x0f }, plain[8] = { 0x05 };
	static const uint8_t offset[2] = { 0x1f, 0xff }, none[2] = { 0 };

	emit_load_payload(emit, EMIT_REG, RULESET_NETWORK, 0, 1);
	mask(emit, bits, 1);
	compare(emit, RULESET_EQUAL, plain, 1);
	emit_load_payload(emit, EMIT_REG, RULESET_NETWORK, 6, sizeof(offset));
	mask(emit, offset, sizeof(offset));
	compare(emit, RULESET_NOT_EQUAL, none, sizeof(none));
}

void emit_odd6(struct emit *emit, const char *set)
{
	emit_payload_in(emit, RULESET_NETWORK, 6, 1, set);
}

/* Comparing with >= 0 is always true: what matters is that loading fails without an owner. */
void emit_owned(struct emit *emit)
{
	uint32_t zero = 0;

	meta_is(emit, NFT_META_SKUID, RULESET_GREATER_EQUAL, &zero, sizeof(zero));
}

/* Likewise: only a packet that the IP stack routed has a class of its route to load. */
void emit_routed(struct emit *emit)
{
	uint32_t zero = 0;

	meta_is(emit, NFT_META_RTCLASSID, RULESET_GREATER_EQUAL, &zero, sizeof(zero));
}

void emit_label(struct emit *emit, uint16_t ethertype)
{
	uint16_t net = htons(ethertype);

	meta_is(emit, NFT_META_PROTOCOL, RULESET_EQUAL, &net, sizeof(net));
}

void emit_payload_is(struct emit *emit, enum ruleset_base base, uint32_t offset,
		     const void *bytes, uint8_t len)
{
	emit_load_payload(emit, EMIT_REG, base, offset, len);
	compare(emit, RULESET_EQUAL, bytes, len);
}

void emit_payload_in(struct emit *emit, enum ruleset_base base, uint32_t offset, uint32_t len,
		     const char *set)
{
	emit_load_payload(emit, EMIT_REG, base, offset, len);
	emit_in(emit, set);
}

void emit_link_ethertype(struct emit *emit, uint16_t ethertype)
{
	uint16_t net = htons(ethertype);

	emit_payload_is(emit, RULESET_LINK, 12, &net, sizeof(net));
}

void emit_device_type_in(struct emit *emit, const char *set)
{
	emit_load_meta(emit, EMIT_REG, NFT_META_OIFTYPE);
	emit_in(emit, set);
}

void emit_prefix(struct emit *emit, uint32_t address, unsigned prefix_length)
{
	uint32_t net_mask = htonl(prefix_length ? UINT32_MAX << (32 - prefix_length) : 0);
	uint32_t net = htonl(address);

	emit_load_payload(emit, EMIT_REG, RULESET_NETWORK, 16, 4);
	mask(emit, &net_mask, sizeof(net_mask));
	compare(emit, RULESET_EQUAL, &net, sizeof(net));
}

void emit_destination_in(struct emit *emit, const char *set)
{
	emit_payload_in(emit, RULESET_NETWORK, 16, 4, set);
}

void emit_destination_is(struct emit *emit, uint32_t address)
{
	uint32_t net = htonl(address);

	emit_payload_is(emit, RULESET_NETWORK, 16, &net, sizeof(net));
}

void emit_port_is(struct emit *emit, bool source, uint16_t port)
{
	uint16_t net = htons(port);

	emit_payload_is(emit, RULESET_TRANSPORT, PORT_OFFSET(source), &net, sizeof(net));
}

void emit_port_in(struct emit *emit, bool source, const char *set)
{
	emit_payload_in(emit, RULESET_TRANSPORT, PORT_OFFSET(source), 2, set);
}

void emit_icmp_type_is(struct emit *emit, uint8_t type)
{
	emit_payload_is(emit, RULESET_TRANSPORT, 0, &type, sizeof(type));
}

void emit_icmp_type_in(struct emit *emit, const char *set)
{
	emit_payload_in(emit, RULESET_TRANSPORT, 0, 1, set);
}

void emit_socket(struct emit *emit, uint32_t key, uint8_t value)
{
	add(emit, &(struct ruleset_expression){ .kind = RULESET_SOCKET,
						.socket = { .key = key, .reg = EMIT_REG } });
	compare(emit, RULESET_EQUAL, &value, sizeof(value));
}

void emit_owner_in(struct emit *emit, const char *set)
{
	emit_load_meta(emit, EMIT_REG, NFT_META_SKUID);
	emit_in(emit, set);
}

static void verdict(struct emit *emit, enum ruleset_code code, const char *chain)
{
	struct ruleset_expression expression = { .kind = RULESET_IMMEDIATE };

	expression.immediate.verdict.code = code;
	snprintf(expression.immediate.verdict.chain, sizeof(expression.immediate.verdict.chain),
		 "%s", chain);
	add(emit, &expression);
}

void emit_tell(struct emit *emit)
{
	add(emit, &(struct ruleset_expression){ .kind = RULESET_NO_EFFECT,
						.no_effect = { "log", NF_LOG_GROUP } });
}

void emit_accept(struct emit *emit)
{
	verdict(emit, RULESET_ACCEPT, "");
}

void emit_drop(struct emit *emit)
{
	verdict(emit, RULESET_DROP, "");
}

void emit_refuse(struct emit *emit)
{
	emit_tell(emit);
	emit_drop(emit);
}

void emit_end(struct emit *emit)
{
	emit_plain_rule(emit);
	emit_drop(emit);
}

void emit_goto(struct emit *emit, const char *chain)
{
	verdict(emit, RULESET_GOTO, chain);
}

void emit_reset(struct emit *emit)
{
	add(emit, &(struct ruleset_expression){ .kind = RULESET_REJECT,
						.reject = { .type = NFT_REJECT_TCP_RST } });
}

void emit_unreachable(struct emit *emit)
{
	add(emit, &(struct ruleset_expression){
			  .kind = RULESET_REJECT,
			  .reject = { .type = NFT_REJECT_ICMPX_UNREACH,
				      .code = NFT_REJECT_ICMPX_PORT_UNREACH } });
}

static void load_value(struct emit *emit, uint8_t reg, const void *bytes, uint8_t len)
{
	struct ruleset_expression expression = { .kind = RULESET_IMMEDIATE };

	expression.immediate.reg = reg;
	expression.immediate.value.len = len;
	memcpy(expression.immediate.value.bytes, bytes, len);
	add(emit, &expression);
}

void emit_tproxy(struct emit *emit, uint32_t address, uint16_t port)
{
	uint32_t net_address = htonl(address);
	uint16_t net_port = htons(port);

	load_value(emit, EMIT_REG, &net_address, sizeof(net_address));
	load_value(emit, EMIT_REG + 1, &net_port, sizeof(net_port));
	add(emit, &(struct ruleset_expression){ .kind = RULESET_TPROXY,
						.tproxy = { .family = RULESET_IPV4,
							    .address_reg = EMIT_REG,
							    .port_reg = EMIT_REG + 1 } });
}

static struct ruleset_set *set_of(const struct emit_set *set)
{
	return &set->table->sets[set->set];
}

struct emit_set emit_set(struct ruleset_table *table, int *error, const char *name, uint32_t type,
			 uint32_t key_len)
{
	struct emit_set set = { .table = table, .error = error };

	if (*error == 0 && !ruleset_add_set(table, name))
		*error = -ENOMEM;
	if (*error == 0) {
		set.set = table->set_count - 1;
		set_of(&set)->key_type = type;
		set_of(&set)->key_len = key_len;
	}
	return set;
}

struct emit_set emit_interval_set(struct ruleset_table *table, int *error, const char *name,
				  uint32_t type, uint32_t key_len)
{
	struct emit_set set = emit_set(table, error, name, type, key_len);

	if (*error == 0)
		set_of(&set)->interval = true;
	return set;
}

struct emit_set emit_verdict_map(struct ruleset_table *table, int *error, const char *name,
				 uint32_t type, uint32_t key_len)
{
	struct emit_set set = emit_set(table, error, name, type, key_len);

	if (*error == 0) {
		set_of(&set)->map = true;
		set_of(&set)->verdict_map = true;
		set_of(&set)->data_type = EMIT_TYPE_VERDICT;
	}
	return set;
}

struct emit_set emit_dynamic_set(struct ruleset_table *table, int *error, const char *name,
				 uint32_t type, uint32_t key_len, uint64_t timeout_ms)
{
	struct emit_set set = emit_set(table, error, name, type, key_len);

	if (*error == 0) {
		set_of(&set)->dynamic = true;
		set_of(&set)->timeout = true;
		set_of(&set)->timeout_ms = timeout_ms;
		set_of(&set)->size = DYNAMIC_SET_SIZE;
	}
	return set;
}

void emit_set_fields(struct emit_set *set, const uint8_t *lengths, size_t count)
{
	if (*set->error < 0)
		return;
	for (size_t i = 0; i < count; i++)
		set_of(set)->fields[i] = lengths[i];
	set_of(set)->field_count = count;
}

static void add_element(struct emit_set *set, const struct ruleset_element *element)
{
	if (*set->error == 0 && !ruleset_add_element(set_of(set), element))
		*set->error = -ENOMEM;
}

static struct ruleset_value value_of(const void *bytes, uint8_t len)
{
	struct ruleset_value value = { .len = len };

	memcpy(value.bytes, bytes, len);
	return value;
}

void emit_element(struct emit_set *set, const void *key, uint8_t len)
{
	add_element(set, &(struct ruleset_element){ .key = value_of(key, len) });
}

void emit_element_range(struct emit_set *set, const void *from, const void *to, uint8_t len)
{
	add_element(set, &(struct ruleset_element){ .key = value_of(from, len),
						    .key_end = value_of(to, len) });
}

void emit_element_verdict(struct emit_set *set, const void *key, uint8_t len,
			  enum ruleset_code code, const char *chain)
{
	struct ruleset_element element = { .key = value_of(key, len) };

	element.verdict.code = code;
	snprintf(element.verdict.chain, sizeof(element.verdict.chain), "%s", chain);
	add_element(set, &element);
}
