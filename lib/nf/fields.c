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

/* ---- what only the rules of others contain ---- */

static const struct nf_field meta_set_fields[] = {
    {NFTA_META_KEY, FIELD_U32, FIELD_REQUIRED, MEMBER(meta_set.key), 0},
    {NFTA_META_SREG, FIELD_REGISTER, FIELD_REQUIRED, MEMBER(meta_set.reg), 0},
    {0},
};

static const struct nf_field payload_set_fields[] = {
    {NFTA_PAYLOAD_SREG, FIELD_REGISTER, FIELD_REQUIRED, MEMBER(payload_set.reg), 0},
    {NFTA_PAYLOAD_BASE, FIELD_U32, FIELD_REQUIRED, MEMBER(payload_set.base), RULESET_TRANSPORT},
    {NFTA_PAYLOAD_OFFSET, FIELD_U32, FIELD_REQUIRED, MEMBER(payload_set.offset), 0},
    {NFTA_PAYLOAD_LEN, FIELD_U32, FIELD_REQUIRED, MEMBER(payload_set.len), 0},
    {NFTA_PAYLOAD_CSUM_TYPE, FIELD_U32, FIELD_DEFAULT, MEMBER(payload_set.checksum_type), 0},
    {NFTA_PAYLOAD_CSUM_OFFSET, FIELD_U32, FIELD_DEFAULT, MEMBER(payload_set.checksum_offset), 0},
    {NFTA_PAYLOAD_CSUM_FLAGS, FIELD_U32, FIELD_OPTIONAL, MEMBER(payload_set.flags), 0},
    {0},
};

static const struct nf_field shift_fields[] = {
    {NFTA_BITWISE_SREG, FIELD_REGISTER, FIELD_REQUIRED, MEMBER(shift.source), 0},
    {NFTA_BITWISE_DREG, FIELD_REGISTER, FIELD_REQUIRED, MEMBER(shift.reg), 0},
    {NFTA_BITWISE_OP, FIELD_SHIFT, FIELD_REQUIRED, MEMBER(shift.left), 0},
    {NFTA_BITWISE_LEN, FIELD_U32, FIELD_REQUIRED, MEMBER(shift.len), RULESET_DATA_MAX},
    {NFTA_BITWISE_DATA, FIELD_SHIFT_BITS, FIELD_REQUIRED, MEMBER(shift.bits), 0},
    {0},
};

static const struct nf_field byteorder_fields[] = {
    {NFTA_BYTEORDER_SREG, FIELD_REGISTER, FIELD_REQUIRED, MEMBER(byteorder.source), 0},
    {NFTA_BYTEORDER_DREG, FIELD_REGISTER, FIELD_REQUIRED, MEMBER(byteorder.reg), 0},
    {NFTA_BYTEORDER_OP, FIELD_U32, FIELD_REQUIRED, MEMBER(byteorder.op), NFT_BYTEORDER_HTON},
    {NFTA_BYTEORDER_LEN, FIELD_U32, FIELD_REQUIRED, MEMBER(byteorder.len), RULESET_DATA_MAX},
    {NFTA_BYTEORDER_SIZE, FIELD_U32, FIELD_REQUIRED, MEMBER(byteorder.size), 8},
    {0},
};

static const struct nf_field connection_fields[] = {
    {NFTA_CT_KEY, FIELD_U32, FIELD_REQUIRED, MEMBER(connection.key), 0},
    {NFTA_CT_DREG, FIELD_REGISTER, FIELD_REQUIRED, MEMBER(connection.reg), 0},
    {NFTA_CT_DIRECTION, FIELD_DIRECTION, FIELD_OPTIONAL, MEMBER(connection.direction), 0},
    {0},
};

static const struct nf_field connection_set_fields[] = {
    {NFTA_CT_KEY, FIELD_U32, FIELD_REQUIRED, MEMBER(connection_set.key), 0},
    {NFTA_CT_SREG, FIELD_REGISTER, FIELD_REQUIRED, MEMBER(connection_set.reg), 0},
    {NFTA_CT_DIRECTION, FIELD_DIRECTION, FIELD_OPTIONAL, MEMBER(connection_set.direction), 0},
    {0},
};

#define OR_NONE(attribute, member)                                                                 \
	{                                                                                          \
		(attribute), FIELD_REGISTER_OR_NONE, FIELD_OPTIONAL, MEMBER(member), 0             \
	}

static const struct nf_field translate_fields[] = {
    {NFTA_NAT_TYPE, FIELD_BIT, FIELD_REQUIRED, MEMBER(translate.destination), 0},
    {NFTA_NAT_FAMILY, FIELD_U32, FIELD_REQUIRED, MEMBER(translate.family), RULESET_IPV6},
    OR_NONE(NFTA_NAT_REG_ADDR_MIN, translate.address_reg),
    OR_NONE(NFTA_NAT_REG_ADDR_MAX, translate.address_end_reg),
    OR_NONE(NFTA_NAT_REG_PROTO_MIN, translate.port_reg),
    OR_NONE(NFTA_NAT_REG_PROTO_MAX, translate.port_end_reg),
    {NFTA_NAT_FLAGS, FIELD_U32, FIELD_OPTIONAL, MEMBER(translate.flags), 0},
    {0},
};

static const struct nf_field redirect_fields[] = {
    OR_NONE(NFTA_REDIR_REG_PROTO_MIN, redirect.port_reg),
    OR_NONE(NFTA_REDIR_REG_PROTO_MAX, redirect.port_end_reg),
    {NFTA_REDIR_FLAGS, FIELD_U32, FIELD_OPTIONAL, MEMBER(redirect.flags), 0},
    {0},
};

static const struct nf_field masquerade_fields[] = {
    {NFTA_MASQ_FLAGS, FIELD_U32, FIELD_OPTIONAL, MEMBER(redirect.flags), 0},
    OR_NONE(NFTA_MASQ_REG_PROTO_MIN, redirect.port_reg),
    OR_NONE(NFTA_MASQ_REG_PROTO_MAX, redirect.port_end_reg),
    {0},
};

static const struct nf_field notrack_fields[] = {{0}};

static const struct nf_field fib_fields[] = {
    {NFTA_FIB_RESULT, FIELD_U32, FIELD_REQUIRED, MEMBER(route_lookup.result), 0},
    {NFTA_FIB_FLAGS, FIELD_U32, FIELD_REQUIRED, MEMBER(route_lookup.flags), 0},
    {NFTA_FIB_DREG, FIELD_REGISTER, FIELD_REQUIRED, MEMBER(route_lookup.reg), 0},
    {0},
};

static const struct nf_field rt_fields[] = {
    {NFTA_RT_KEY, FIELD_U32, FIELD_REQUIRED, MEMBER(route_field.key), 0},
    {NFTA_RT_DREG, FIELD_REGISTER, FIELD_REQUIRED, MEMBER(route_field.reg), 0},
    {0},
};

static const struct nf_field limit_fields[] = {
    {NFTA_LIMIT_RATE, FIELD_U64, FIELD_REQUIRED, MEMBER(limit.settings[0]), 0},
    {NFTA_LIMIT_UNIT, FIELD_U64, FIELD_REQUIRED, MEMBER(limit.settings[1]), 0},
    {NFTA_LIMIT_BURST, FIELD_WIDE, FIELD_DEFAULT, MEMBER(limit.settings[2]), 0},
    {NFTA_LIMIT_TYPE, FIELD_WIDE, FIELD_DEFAULT, MEMBER(limit.settings[3]), 0},
    {NFTA_LIMIT_FLAGS, FIELD_WIDE, FIELD_DEFAULT, MEMBER(limit.settings[4]), 0},
    {NFTA_LIMIT_PAD, FIELD_PAD, FIELD_OPTIONAL, 0, 0},
    {0},
};

static const struct nf_field quota_fields[] = {
    {NFTA_QUOTA_BYTES, FIELD_U64, FIELD_REQUIRED, MEMBER(limit.settings[0]), 0},
    {NFTA_QUOTA_FLAGS, FIELD_QUOTA_FLAGS, FIELD_DEFAULT, MEMBER(limit.settings[1]), 0},
    {NFTA_QUOTA_PAD, FIELD_PAD, FIELD_OPTIONAL, 0, 0},
    {NFTA_QUOTA_CONSUMED, FIELD_PAD, FIELD_OPTIONAL, 0, 0},
    {0},
};

static const struct nf_field connlimit_fields[] = {
    {NFTA_CONNLIMIT_COUNT, FIELD_WIDE, FIELD_REQUIRED, MEMBER(limit.settings[0]), 0},
    {NFTA_CONNLIMIT_FLAGS, FIELD_WIDE, FIELD_DEFAULT, MEMBER(limit.settings[1]), 0},
    {0},
};

static const struct nf_field number_fields[] = {
    {NFTA_NG_DREG, FIELD_REGISTER, FIELD_REQUIRED, MEMBER(number.reg), 0},
    {NFTA_NG_MODULUS, FIELD_U32, FIELD_REQUIRED, MEMBER(number.modulus), 0},
    {NFTA_NG_TYPE, FIELD_U32, FIELD_REQUIRED, MEMBER(number.type), 0},
    {NFTA_NG_OFFSET, FIELD_U32, FIELD_DEFAULT, MEMBER(number.offset), 0},
    {0},
};

static const struct nf_field object_fields[] = {
    {NFTA_OBJREF_IMM_TYPE, FIELD_U32, FIELD_REQUIRED, MEMBER(object.type), 0},
    {NFTA_OBJREF_IMM_NAME, FIELD_NAME, FIELD_REQUIRED, MEMBER(object.object), 0},
    {0},
};

static const struct nf_field log_fields[] = {
    {NFTA_LOG_GROUP, FIELD_U16, FIELD_REQUIRED, MEMBER(no_effect.group), 0},
    {0},
};

const struct nf_kind nf_kinds[NF_KINDS] = {
    {RULESET_META, "meta", meta_fields},
    {RULESET_PAYLOAD, "payload", payload_fields},
    {RULESET_COMPARE, "cmp", compare_fields},
    {RULESET_BITWISE, "bitwise", bitwise_fields},
    {RULESET_RANGE, "range", range_fields},
    {RULESET_LOOKUP, "lookup", lookup_fields},
    {RULESET_DYNSET, "dynset", dynset_fields},
    {RULESET_IMMEDIATE, "immediate", immediate_fields},
    {RULESET_REJECT, "reject", reject_fields},
    {RULESET_SOCKET, "socket", socket_fields},
    {RULESET_TPROXY, "tproxy", tproxy_fields},
    {RULESET_COUNTER, "counter", counter_fields},
    {RULESET_META_SET, "meta", meta_set_fields},
    {RULESET_PAYLOAD_SET, "payload", payload_set_fields},
    {RULESET_SHIFT, "bitwise", shift_fields},
    {RULESET_BYTEORDER, "byteorder", byteorder_fields},
    {RULESET_CONNECTION, "ct", connection_fields},
    {RULESET_CONNECTION_SET, "ct", connection_set_fields},
    {RULESET_TRANSLATE, "nat", translate_fields},
    {RULESET_REDIRECT, "redir", redirect_fields},
    {RULESET_MASQUERADE, "masq", masquerade_fields},
    {RULESET_NOTRACK, "notrack", notrack_fields},
    {RULESET_ROUTE_LOOKUP, "fib", fib_fields},
    {RULESET_ROUTE_FIELD, "rt", rt_fields},
    {RULESET_LIMIT, "limit", limit_fields},
    {RULESET_LIMIT, "quota", quota_fields},
    {RULESET_LIMIT, "connlimit", connlimit_fields},
    {RULESET_NUMBER, "numgen", number_fields},
    {RULESET_NO_EFFECT, "log", log_fields},
    {RULESET_NO_EFFECT, "log", NULL},
    {RULESET_NO_EFFECT, "last", NULL},
    {RULESET_OBJECT, "objref", object_fields},
};

char *nf_expression_name(struct ruleset_expression *e, size_t *ret_size)
{
	if (e->kind == RULESET_LIMIT) {
		*ret_size = sizeof(e->limit.name);
		return e->limit.name;
	}
	*ret_size = sizeof(e->no_effect.name);
	return e->kind == RULESET_NO_EFFECT ? e->no_effect.name : NULL;
}
