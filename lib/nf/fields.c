/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fields.h"

#include <linux/netfilter/nf_tables.h>

#define MEMBER(member) offsetof(struct ruleset_expression, member)

static const struct nf_field meta_fields[] = {
    {NFTA_META_KEY, FIELD_U32, FIELD_REQUIRED, MEMBER(meta.key), 0},
    {NFTA_META_DREG, FIELD_REGISTER, FIELD_REQUIRED, MEMBER(meta.reg), 0},
    {0},
};

static const struct nf_field payload_fields[] = {
    {NFTA_PAYLOAD_DREG, FIELD_REGISTER, FIELD_REQUIRED, MEMBER(payload.reg), 0},
    {NFTA_PAYLOAD_BASE, FIELD_U32, FIELD_REQUIRED, MEMBER(payload.base), RULESET_TRANSPORT},
    {NFTA_PAYLOAD_OFFSET, FIELD_U32, FIELD_REQUIRED, MEMBER(payload.offset), 0},
    {NFTA_PAYLOAD_LEN, FIELD_U32, FIELD_REQUIRED, MEMBER(payload.len), 0},
    {0},
};

static const struct nf_field compare_fields[] = {
    {NFTA_CMP_SREG, FIELD_REGISTER, FIELD_REQUIRED, MEMBER(compare.reg), 0},
    {NFTA_CMP_OP, FIELD_U32, FIELD_REQUIRED, MEMBER(compare.operator), RULESET_GREATER_EQUAL},
    {NFTA_CMP_DATA, FIELD_DATA, FIELD_REQUIRED, MEMBER(compare.value), 0},
    {0},
};

static const struct nf_field bitwise_fields[] = {
    {NFTA_BITWISE_SREG, FIELD_REGISTER, FIELD_REQUIRED, MEMBER(bitwise.source), 0},
    {NFTA_BITWISE_DREG, FIELD_REGISTER, FIELD_REQUIRED, MEMBER(bitwise.reg), 0},
    {NFTA_BITWISE_OP, FIELD_ZERO, FIELD_DEFAULT, 0, 0}, /* mask and xor; shifts are other */
    {NFTA_BITWISE_LEN, FIELD_U32, FIELD_REQUIRED, MEMBER(bitwise.len), RULESET_DATA_MAX},
    {NFTA_BITWISE_MASK, FIELD_DATA, FIELD_REQUIRED, MEMBER(bitwise.mask), 0},
    {NFTA_BITWISE_XOR, FIELD_DATA, FIELD_REQUIRED, MEMBER(bitwise.xor), 0},
    {0},
};

static const struct nf_field range_fields[] = {
    {NFTA_RANGE_SREG, FIELD_REGISTER, FIELD_REQUIRED, MEMBER(range.reg), 0},
    {NFTA_RANGE_OP, FIELD_U32, FIELD_REQUIRED, MEMBER(range.operator), RULESET_NOT_EQUAL},
    {NFTA_RANGE_FROM_DATA, FIELD_DATA, FIELD_REQUIRED, MEMBER(range.from), 0},
    {NFTA_RANGE_TO_DATA, FIELD_DATA, FIELD_REQUIRED, MEMBER(range.to), 0},
    {0},
};

static const struct nf_field lookup_fields[] = {
    {NFTA_LOOKUP_SET, FIELD_NAME, FIELD_REQUIRED, MEMBER(lookup.set), 0},
    {NFTA_LOOKUP_SREG, FIELD_REGISTER, FIELD_REQUIRED, MEMBER(lookup.reg), 0},
    {NFTA_LOOKUP_DREG, FIELD_MAP_REGISTER, FIELD_OPTIONAL, MEMBER(lookup.destination), 0},
    {NFTA_LOOKUP_FLAGS, FIELD_BIT, FIELD_OPTIONAL, MEMBER(lookup.inverted), 0},
    {0},
};

static const struct nf_field dynset_fields[] = {
    {NFTA_DYNSET_SET_NAME, FIELD_NAME, FIELD_REQUIRED, MEMBER(dynset.set), 0},
    {NFTA_DYNSET_SREG_KEY, FIELD_REGISTER, FIELD_REQUIRED, MEMBER(dynset.reg), 0},
    {NFTA_DYNSET_OP, FIELD_BIT, FIELD_REQUIRED, MEMBER(dynset.update), 0},
    {NFTA_DYNSET_TIMEOUT, FIELD_U64, FIELD_OPTIONAL, MEMBER(dynset.timeout_ms), 0},
    {NFTA_DYNSET_FLAGS, FIELD_ZERO, FIELD_OPTIONAL, 0, 0},
    {NFTA_DYNSET_PAD, FIELD_PAD, FIELD_OPTIONAL, 0, 0},
    {0},
};

static const struct nf_field immediate_fields[] = {
    {NFTA_IMMEDIATE_DREG, FIELD_RESULT_REGISTER, FIELD_REQUIRED, MEMBER(immediate.reg), 0},
    {NFTA_IMMEDIATE_DATA, FIELD_RESULT, FIELD_REQUIRED, 0, 0},
    {0},
};

static const struct nf_field reject_fields[] = {
    {NFTA_REJECT_TYPE, FIELD_U32, FIELD_REQUIRED, MEMBER(reject.type), 0},
    {NFTA_REJECT_ICMP_CODE, FIELD_U8, FIELD_DEFAULT, MEMBER(reject.code), 0},
    {0},
};

static const struct nf_field socket_fields[] = {
    {NFTA_SOCKET_KEY, FIELD_U32, FIELD_REQUIRED, MEMBER(socket.key), 0},
    {NFTA_SOCKET_DREG, FIELD_REGISTER, FIELD_REQUIRED, MEMBER(socket.reg), 0},
    {NFTA_SOCKET_LEVEL, FIELD_U32, FIELD_OPTIONAL, MEMBER(socket.level), 0},
    {0},
};

static const struct nf_field tproxy_fields[] = {
    {NFTA_TPROXY_FAMILY, FIELD_U32, FIELD_REQUIRED, MEMBER(tproxy.family), RULESET_IPV6},
    {NFTA_TPROXY_REG_ADDR, FIELD_REGISTER_OR_NONE, FIELD_OPTIONAL, MEMBER(tproxy.address_reg), 0},
    {NFTA_TPROXY_REG_PORT, FIELD_REGISTER_OR_NONE, FIELD_OPTIONAL, MEMBER(tproxy.port_reg), 0},
    {0},
};

static const struct nf_field counter_fields[] = {
    {NFTA_COUNTER_BYTES, FIELD_U64, FIELD_OPTIONAL, MEMBER(counter.bytes), 0},
    {NFTA_COUNTER_PACKETS, FIELD_U64, FIELD_OPTIONAL, MEMBER(counter.packets), 0},
    {NFTA_COUNTER_PAD, FIELD_PAD, FIELD_OPTIONAL, 0, 0},
    {0},
};

const struct nf_kind nf_kinds[NF_KINDS] = {
    {RULESET_META, "meta", meta_fields},       {RULESET_PAYLOAD, "payload", payload_fields},
    {RULESET_COMPARE, "cmp", compare_fields},  {RULESET_BITWISE, "bitwise", bitwise_fields},
    {RULESET_RANGE, "range", range_fields},    {RULESET_LOOKUP, "lookup", lookup_fields},
    {RULESET_DYNSET, "dynset", dynset_fields}, {RULESET_IMMEDIATE, "immediate", immediate_fields},
    {RULESET_REJECT, "reject", reject_fields}, {RULESET_SOCKET, "socket", socket_fields},
    {RULESET_TPROXY, "tproxy", tproxy_fields}, {RULESET_COUNTER, "counter", counter_fields},
};

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

bool nf_expression_sound(const struct ruleset_expression *e)
{
	switch (e->kind) {
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
		break;
	}
	return false;
}
