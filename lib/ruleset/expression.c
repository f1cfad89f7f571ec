/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What each kind of expression does, as the kernel's nf_tables does it. */
#include "evaluation.h"
#include "search.h"

#include <netinet/in.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4.h>
#include <string.h>

static enum evaluation_step bad_registers(struct evaluation *evaluation)
{
	return evaluation_undecided(evaluation, "registers are used that the rule has not loaded");
}

static enum evaluation_step open_bits(struct evaluation *evaluation)
{
	return evaluation_either(evaluation, "depends on what packets do not determine");
}

static enum evaluation_step applies(bool matched)
{
	return matched ? EVALUATION_NEXT : EVALUATION_BREAK;
}

static bool is_zero(const struct ruleset_value *value)
{
	for (size_t i = 0; i < value->len; i++)
		if (value->bytes[i])
			return false;
	return true;
}

static enum evaluation_step run_compare(struct evaluation *evaluation,
					const struct ruleset_expression *e)
{
	enum ruleset_operator how = e->compare.operator;
	const struct ruleset_value *value = &e->compare.value;
	const uint8_t *data, *known;
	enum registers_order order;
	bool less, equal;

	if (!registers_view(&evaluation->registers, e->compare.reg, value->len, &data, &known))
		return bad_registers(evaluation);
	order = registers_compare(data, known, value->bytes, value->len);
	/* Whatever is there, it is not below zero. */
	if (is_zero(value) && (how == RULESET_LESS || how == RULESET_GREATER_EQUAL))
		return applies(how == RULESET_GREATER_EQUAL);
	less = order == REGISTERS_LESS;
	equal = order == REGISTERS_EQUAL;
	if (order == REGISTERS_OPEN ||
	    (order == REGISTERS_DIFFERENT && how != RULESET_EQUAL && how != RULESET_NOT_EQUAL))
		return open_bits(evaluation);
	switch (how) {
	case RULESET_EQUAL:
		return applies(equal);
	case RULESET_NOT_EQUAL:
		return applies(!equal);
	case RULESET_LESS:
		return applies(less);
	case RULESET_LESS_EQUAL:
		return applies(less || equal);
	case RULESET_GREATER:
		return applies(!less && !equal);
	case RULESET_GREATER_EQUAL:
		return applies(!less);
	}
	return evaluation_undecided(evaluation, "an unknown comparison");
}

static enum evaluation_step run_bitwise(struct evaluation *evaluation,
					const struct ruleset_expression *e)
{
	uint8_t result[RULESET_DATA_MAX] = {0}, certain[RULESET_DATA_MAX] = {0};
	const uint8_t *data, *known;
	size_t len = e->bitwise.len;

	if (!registers_view(&evaluation->registers, e->bitwise.source, len, &data, &known))
		return bad_registers(evaluation);
	if (e->bitwise.mask.len != len || e->bitwise.xor.len != len)
		return evaluation_undecided(evaluation, "a mask of another length than its value");
	if (registers_overlap(e->bitwise.source, e->bitwise.reg, len))
		return evaluation_undecided(evaluation, "registers that overlap");
	for (size_t i = 0; i < len; i++) {
		uint8_t mask = e->bitwise.mask.bytes[i];

		result[i] = (uint8_t)((data[i] & mask) ^ e->bitwise.xor.bytes[i]);
		certain[i] = known[i] | (uint8_t)~mask;
	}
	if (!registers_store(&evaluation->registers, e->bitwise.reg, result, certain, len))
		return bad_registers(evaluation);
	return EVALUATION_NEXT;
}

static enum evaluation_step run_range(struct evaluation *evaluation,
				      const struct ruleset_expression *e)
{
	enum ruleset_operator how = e->range.operator;
	size_t len = e->range.from.len;
	enum registers_order from, to;
	const uint8_t *data, *known;
	bool outside, inside;

	if (len != e->range.to.len)
		return evaluation_undecided(evaluation, "a range whose ends differ in length");
	if (!registers_view(&evaluation->registers, e->range.reg, len, &data, &known))
		return bad_registers(evaluation);
	from = registers_compare(data, known, e->range.from.bytes, len);
	to = registers_compare(data, known, e->range.to.bytes, len);
	outside = from == REGISTERS_LESS || to == REGISTERS_GREATER;
	inside = (from == REGISTERS_EQUAL || from == REGISTERS_GREATER) &&
		 (to == REGISTERS_EQUAL || to == REGISTERS_LESS);
	if (how != RULESET_EQUAL && how != RULESET_NOT_EQUAL)
		return evaluation_undecided(evaluation, "an unknown comparison");
	if (!outside && !inside)
		return open_bits(evaluation);
	return applies(inside == (how == RULESET_EQUAL));
}

/* What has been found in a map: its verdict, or its data into a register. */
static enum evaluation_step take_element(struct evaluation *evaluation,
					 const struct ruleset_expression *e,
					 const struct ruleset_element *element)
{
	if (e->lookup.verdict_map) {
		if (element->verdict.code == RULESET_NONE)
			return evaluation_undecided(evaluation, "a verdict map without a verdict");
		evaluation->verdict = element->verdict;
		return EVALUATION_VERDICT;
	}
	if (!registers_store(&evaluation->registers, e->lookup.destination, element->data.bytes,
			     NULL, element->data.len))
		return evaluation_undecided(evaluation, "a data map without data");
	return EVALUATION_NEXT;
}

static enum evaluation_step run_lookup(struct evaluation *evaluation,
				       const struct ruleset_expression *e)
{
	const struct ruleset_set *set = ruleset_find_set(evaluation->table, e->lookup.set);
	const struct ruleset_element *element = NULL;
	enum search_answer answer;
	const uint8_t *key, *known;

	if (!set)
		return evaluation_undecided(evaluation, "a set that does not exist");
	if (e->lookup.map &&
	    (e->lookup.inverted || !set->map || e->lookup.verdict_map != set->verdict_map))
		return evaluation_undecided(evaluation, "a map of another kind than the rule's");
	if (!registers_view(&evaluation->registers, e->lookup.reg, set->key_len, &key, &known))
		return bad_registers(evaluation);
	if (set->dynamic) {
		/* Dynamic sets remember what was sent, so that its answer is let in. */
		if (e->lookup.map)
			return evaluation_undecided(evaluation, "what a dynamic set holds");
		if (evaluation->packet->path != PACKET_INPUT &&
		    ruleset_is_filled(evaluation->table, set))
			return evaluation_either(evaluation, "what a dynamic set holds");
		if (evaluation->packet->path != PACKET_INPUT)
			return applies(e->lookup.inverted);
		return applies(evaluation->packet->expected != e->lookup.inverted);
	}
	answer = search_set(set, key, known, &element);
	/* Of a map it is not known either where it would lead. */
	if (answer == SEARCH_UNKNOWN && e->lookup.map)
		return evaluation_undecided(evaluation, "depends on what packets do not determine");
	if (answer == SEARCH_UNKNOWN)
		return open_bits(evaluation);
	if (e->lookup.map && answer == SEARCH_FOUND)
		return take_element(evaluation, e, element);
	return applies((answer == SEARCH_FOUND) != e->lookup.inverted);
}

/* Adding goes on with the rule. (It would break off if the set were full; nothing may rest on that,
 * because the packets that fill it are sent by anybody.) */
static enum evaluation_step run_dynset(struct evaluation *evaluation,
				       const struct ruleset_expression *e)
{
	const struct ruleset_set *set = ruleset_find_set(evaluation->table, e->dynset.set);
	const uint8_t *key, *known;

	if (!set || !set->dynamic)
		return evaluation_undecided(evaluation, "additions to a set that is not dynamic");
	if (!registers_view(&evaluation->registers, e->dynset.reg, set->key_len, &key, &known))
		return bad_registers(evaluation);
	return EVALUATION_NEXT;
}

static enum evaluation_step run_immediate(struct evaluation *evaluation,
					  const struct ruleset_expression *e)
{
	const struct ruleset_value *value = &e->immediate.value;

	if (e->immediate.verdict.code != RULESET_NONE) {
		evaluation->verdict = e->immediate.verdict;
		return EVALUATION_VERDICT;
	}
	if (!registers_store(&evaluation->registers, e->immediate.reg, value->bytes, NULL,
			     value->len))
		return bad_registers(evaluation);
	return EVALUATION_NEXT;
}

/* A TCP reset answers segments only, and nothing answers a later fragment: those are dropped in
 * silence. So are resets, ICMP errors and broadcasts, but there the outcome is what the rule asks.
 */
static enum evaluation_step run_reject(struct evaluation *evaluation,
				       const struct ruleset_expression *e)
{
	const struct packet *packet = evaluation->packet;
	bool segment =
	    evaluation->has_protocol && packet->protocol == IPPROTO_TCP && !packet->fragment;

	if (evaluation->family != RULESET_IPV4 && evaluation->family != RULESET_IPV6)
		return evaluation_undecided(evaluation, "a rejection outside the IP stack");
	switch (e->reject.type) {
	case NFT_REJECT_TCP_RST:
		evaluation->drop = segment ? RULESET_RESET : RULESET_DROPPED;
		break;
	case NFT_REJECT_ICMP_UNREACH:
	case NFT_REJECT_ICMPX_UNREACH:
		evaluation->drop = packet->fragment ? RULESET_DROPPED : RULESET_UNREACHABLE;
		break;
	default:
		return evaluation_undecided(evaluation, "an unknown kind of rejection");
	}
	evaluation->verdict = (struct ruleset_verdict){.code = RULESET_DROP};
	return EVALUATION_VERDICT;
}

/* The port in tproxy's register, if there is one and it is not 0. False if it cannot be told. */
static bool tproxy_port(const struct evaluation *evaluation, const struct ruleset_expression *e,
			uint16_t *port)
{
	const uint8_t *data, *known;

	if (e->tproxy.port_reg < 0)
		return true;
	if (!registers_view(&evaluation->registers, (uint8_t)e->tproxy.port_reg, 2, &data, &known))
		return false;
	if (known[0] != 0xff || known[1] != 0xff)
		return false;
	if (data[0] || data[1])
		*port = (uint16_t)(data[0] << 8 | data[1]);
	return true;
}

static enum evaluation_step run_tproxy(struct evaluation *evaluation,
				       const struct ruleset_expression *e)
{
	const struct packet *packet = evaluation->packet;
	size_t len = evaluation->family == RULESET_IPV4 ? 4 : 16;
	uint16_t port = packet->destination_port;
	const uint8_t *data, *known;

	if (evaluation->hook != EVALUATION_PREROUTING)
		return evaluation_undecided(evaluation, "tproxy where the kernel has none");
	if ((evaluation->family != e->tproxy.family && e->tproxy.family != 0) ||
	    (packet->protocol != IPPROTO_TCP && packet->protocol != IPPROTO_UDP))
		return EVALUATION_BREAK;
	/* A tproxy rule makes the kernel put fragments together first: none comes this far. */
	if (packet->fragment && evaluation->base->priority > NF_IP_PRI_CONNTRACK_DEFRAG)
		return EVALUATION_BREAK;
	if (packet->fragment)
		return evaluation_undecided(evaluation, "tproxy for a fragment");
	if (e->tproxy.address_reg >= 0 &&
	    !registers_view(&evaluation->registers, (uint8_t)e->tproxy.address_reg, len, &data,
			    &known))
		return bad_registers(evaluation);
	if (!tproxy_port(evaluation, e, &port))
		return evaluation_undecided(evaluation, "tproxy to a port that is not certain");
	if (packet->socket != PACKET_SOCKET_TRANSPARENT)
		return EVALUATION_BREAK;
	evaluation->proxied = true;
	evaluation->proxy_port = port;
	return EVALUATION_NEXT;
}

/* Setting a mark changes no packet: who asks for it gets no answer here. But a chain that routes
 * again does so where it changed. */
static enum evaluation_step run_meta_set(struct evaluation *evaluation,
					 const struct ruleset_expression *e)
{
	size_t len = e->meta_set.key == NFT_META_NFTRACE ? 1 : 4;
	const uint8_t *data, *known;

	if (!registers_view(&evaluation->registers, e->meta_set.reg, len, &data, &known))
		return bad_registers(evaluation);
	switch (e->meta_set.key) {
	case NFT_META_MARK:
		if (evaluation->base->type == RULESET_ROUTE)
			return evaluation_undecided(evaluation, "a mark that may change the route");
		return EVALUATION_NEXT;
	case NFT_META_PRIORITY:
	case NFT_META_NFTRACE:
		return EVALUATION_NEXT;
	default:
		return evaluation_undecided(evaluation,
					    "a property is set that others may rest on");
	}
}

static enum evaluation_step run_object(struct evaluation *evaluation,
				       const struct ruleset_expression *e)
{
	if (e->object.type == NFT_OBJECT_COUNTER)
		return EVALUATION_NEXT;
	return evaluation_undecided(evaluation, "an object that this model does not follow");
}

/* What only the rules of others contain. */
static enum evaluation_step run_foreign(struct evaluation *evaluation,
					const struct ruleset_expression *e)
{
	switch ((int)e->kind) {
	case RULESET_META_SET:
		return run_meta_set(evaluation, e);
	case RULESET_SHIFT:
		return arithmetic_shift(evaluation, e);
	case RULESET_BYTEORDER:
		return arithmetic_byteorder(evaluation, e);
	case RULESET_NO_EFFECT:
	case RULESET_NOTRACK:
		return EVALUATION_NEXT;
	case RULESET_OBJECT:
		return run_object(evaluation, e);
	case RULESET_PAYLOAD_SET:
		return fields_write(evaluation, e);
	case RULESET_CONNECTION:
	case RULESET_CONNECTION_SET:
		return evaluation_undecided(evaluation, "depends on the connection");
	case RULESET_TRANSLATE:
	case RULESET_REDIRECT:
	case RULESET_MASQUERADE:
		return evaluation_undecided(evaluation, "an address is translated");
	case RULESET_ROUTE_LOOKUP:
	case RULESET_ROUTE_FIELD:
		return evaluation_undecided(evaluation, "depends on the routes");
	case RULESET_LIMIT:
		return evaluation_undecided(evaluation, "depends on the packets before");
	default: /* RULESET_NUMBER */
		return evaluation_undecided(evaluation, "a number that packets do not determine");
	}
}

enum evaluation_step expression_run(struct evaluation *evaluation,
				    const struct ruleset_expression *expression)
{
	switch (expression->kind) {
	case RULESET_META:
		return fields_meta(evaluation, expression);
	case RULESET_PAYLOAD:
		return fields_payload(evaluation, expression);
	case RULESET_COMPARE:
		return run_compare(evaluation, expression);
	case RULESET_BITWISE:
		return run_bitwise(evaluation, expression);
	case RULESET_RANGE:
		return run_range(evaluation, expression);
	case RULESET_LOOKUP:
		return run_lookup(evaluation, expression);
	case RULESET_DYNSET:
		return run_dynset(evaluation, expression);
	case RULESET_IMMEDIATE:
		return run_immediate(evaluation, expression);
	case RULESET_REJECT:
		return run_reject(evaluation, expression);
	case RULESET_SOCKET:
		return fields_socket(evaluation, expression);
	case RULESET_TPROXY:
		return run_tproxy(evaluation, expression);
	case RULESET_COUNTER:
		return EVALUATION_NEXT;
	case RULESET_META_SET:
	case RULESET_PAYLOAD_SET:
	case RULESET_SHIFT:
	case RULESET_BYTEORDER:
	case RULESET_CONNECTION:
	case RULESET_CONNECTION_SET:
	case RULESET_TRANSLATE:
	case RULESET_REDIRECT:
	case RULESET_MASQUERADE:
	case RULESET_NOTRACK:
	case RULESET_ROUTE_LOOKUP:
	case RULESET_ROUTE_FIELD:
	case RULESET_LIMIT:
	case RULESET_NUMBER:
	case RULESET_NO_EFFECT:
	case RULESET_OBJECT:
		return run_foreign(evaluation, expression);
	case RULESET_UNKNOWN:
		break;
	}
	return evaluation_undecided(evaluation, "an expression that this model does not know");
}
