/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Do the parts of an expression fit together? */
#include "fields.h"

#include <linux/netfilter/nf_tables.h>

static bool spans(uint8_t reg, size_t len)
{
	return reg < RULESET_REGISTERS && len > 0 && len <= RULESET_DATA_MAX &&
	       reg + (len + 3) / 4 <= RULESET_REGISTERS;
}

static bool tproxy_sound(const struct ruleset_expression *e)
{
	return (e->tproxy.family == 0 || e->tproxy.family == RULESET_IPV4 ||
		e->tproxy.family == RULESET_IPV6) &&
	       (e->tproxy.address_reg >= 0 || e->tproxy.port_reg >= 0) &&
	       (e->tproxy.port_reg < 0 || spans((uint8_t)e->tproxy.port_reg, 2)) &&
	       (e->tproxy.address_reg < 0 || spans((uint8_t)e->tproxy.address_reg, 4));
}

static bool shift_sound(const struct ruleset_expression *e)
{
	/* For the carry between words the kernel shifts by 32 minus this, which 0 makes too far. */
	return spans(e->shift.source, e->shift.len) && spans(e->shift.reg, e->shift.len) &&
	       e->shift.bits < 32 && (e->shift.bits > 0 || e->shift.len <= 4);
}

static bool byteorder_sound(const struct ruleset_expression *e)
{
	uint32_t size = e->byteorder.size;

	return (size == 2 || size == 4 || size == 8) && e->byteorder.len % size == 0 &&
	       e->byteorder.op <= NFT_BYTEORDER_HTON &&
	       spans(e->byteorder.source, e->byteorder.len) &&
	       spans(e->byteorder.reg, e->byteorder.len);
}

/* A range in registers, whose end may be left out, or all of it. */
static bool range_sound(int8_t from, int8_t to, size_t len)
{
	return from < 0 ? to < 0 : spans((uint8_t)from, len) && (to < 0 || spans((uint8_t)to, len));
}

static bool translate_sound(const struct ruleset_expression *e)
{
	bool ip = e->translate.family == RULESET_IPV4 || e->translate.family == RULESET_IPV6;
	size_t len = e->translate.family == RULESET_IPV6 ? 16 : 4;

	/* Without an address the family says nothing, and may be that of a table for both. */
	return (ip || (e->translate.family == RULESET_INET && e->translate.address_reg < 0)) &&
	       (e->translate.address_reg >= 0 || e->translate.port_reg >= 0) &&
	       range_sound(e->translate.address_reg, e->translate.address_end_reg, len) &&
	       range_sound(e->translate.port_reg, e->translate.port_end_reg, 2);
}

static bool direction_sound(int8_t direction)
{
	return direction >= -1 && direction <= 1;
}

static bool number_sound(const struct ruleset_expression *e)
{
	return spans(e->number.reg, 4) && e->number.modulus > 0 &&
	       e->number.modulus - 1 <= UINT32_MAX - e->number.offset;
}

/* What only the rules of others contain. */
static bool foreign_sound(const struct ruleset_expression *e)
{
	switch ((int)e->kind) {
	case RULESET_META_SET:
		return spans(e->meta_set.reg, 1);
	case RULESET_PAYLOAD_SET:
		return spans(e->payload_set.reg, e->payload_set.len);
	case RULESET_SHIFT:
		return shift_sound(e);
	case RULESET_BYTEORDER:
		return byteorder_sound(e);
	case RULESET_CONNECTION:
		return spans(e->connection.reg, 1) && direction_sound(e->connection.direction);
	case RULESET_CONNECTION_SET:
		return spans(e->connection_set.reg, 1) &&
		       direction_sound(e->connection_set.direction);
	case RULESET_TRANSLATE:
		return translate_sound(e);
	case RULESET_REDIRECT:
	case RULESET_MASQUERADE:
		return range_sound(e->redirect.port_reg, e->redirect.port_end_reg, 2);
	case RULESET_ROUTE_LOOKUP:
		return spans(e->route_lookup.reg, 1);
	case RULESET_ROUTE_FIELD:
		return spans(e->route_field.reg, 1);
	case RULESET_NUMBER:
		return number_sound(e);
	case RULESET_NOTRACK:
	case RULESET_LIMIT:
	case RULESET_NO_EFFECT:
	case RULESET_OBJECT:
		return true;
	default:
		return false;
	}
}

bool nf_expression_sound(const struct ruleset_expression *e)
{
	switch ((int)e->kind) {
	case RULESET_META:
		return spans(e->meta.reg, 1);
	case RULESET_PAYLOAD:
		return spans(e->payload.reg, e->payload.len);
	case RULESET_COMPARE:
		return spans(e->compare.reg, e->compare.value.len);
	case RULESET_BITWISE:
		return spans(e->bitwise.reg, e->bitwise.len) &&
		       spans(e->bitwise.source, e->bitwise.len) &&
		       e->bitwise.mask.len == e->bitwise.len &&
		       e->bitwise.xor.len == e->bitwise.len;
	case RULESET_RANGE:
		return spans(e->range.reg, e->range.from.len) &&
		       e->range.from.len == e->range.to.len;
	case RULESET_LOOKUP:
		return spans(e->lookup.reg, 1) && spans(e->lookup.destination, 1) &&
		       !(e->lookup.map && e->lookup.inverted) &&
		       (e->lookup.map || !e->lookup.verdict_map);
	case RULESET_DYNSET:
		return spans(e->dynset.reg, 1);
	case RULESET_IMMEDIATE:
		return e->immediate.verdict.code != RULESET_NONE ||
		       spans(e->immediate.reg, e->immediate.value.len);
	case RULESET_SOCKET:
		return spans(e->socket.reg, 1);
	case RULESET_TPROXY:
		return tproxy_sound(e);
	case RULESET_REJECT:
	case RULESET_COUNTER:
		return true;
	case RULESET_UNKNOWN:
		return false;
	default:
		return foreign_sound(e);
	}
}
