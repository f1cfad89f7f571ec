/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Expressions on the wire. One table for each kind says which attribute is which member of the
 * struct; writing and reading both follow it, so that they cannot drift apart. An attribute that no
 * table names, or a value the struct cannot hold, makes the expression unknown: a proof must never
 * rest on half of an expression.
 */
#include "codec.h"

#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

enum field_form {
	FIELD_END = 0,
	FIELD_U8,               /* uint8_t */
	FIELD_U32,              /* uint32_t or an enum */
	FIELD_U64,              /* uint64_t */
	FIELD_BIT,              /* bool, 0 or 1 in 32 bits */
	FIELD_ZERO,             /* no member: must be 0 */
	FIELD_PAD,              /* no member, no meaning */
	FIELD_NAME,             /* of a set */
	FIELD_DATA,             /* struct ruleset_value */
	FIELD_REGISTER,         /* uint8_t, 0 to 15 */
	FIELD_REGISTER_OR_NONE, /* int8_t, -1 if there is none */
	FIELD_MAP_REGISTER,     /* of a lookup: none, the verdict, or a register */
	FIELD_RESULT_REGISTER,  /* of an immediate: the verdict, or a register */
	FIELD_RESULT,           /* of an immediate: a verdict or data */
};

enum field_need {
	FIELD_REQUIRED = 0,
	FIELD_OPTIONAL, /* missing means 0; 0 is not written */
	FIELD_DEFAULT,  /* missing means 0; 0 is written */
};

struct field {
	uint8_t attribute;
	enum field_form form;
	enum field_need need;
	size_t offset;
	uint32_t max; /* of a number; 0: any */
};

#define MEMBER(member) offsetof(struct ruleset_expression, member)

static const struct field meta_fields[] = {
    {NFTA_META_KEY, FIELD_U32, FIELD_REQUIRED, MEMBER(meta.key), 0},
    {NFTA_META_DREG, FIELD_REGISTER, FIELD_REQUIRED, MEMBER(meta.reg), 0},
    {0},
};

static const struct field payload_fields[] = {
    {NFTA_PAYLOAD_DREG, FIELD_REGISTER, FIELD_REQUIRED, MEMBER(payload.reg), 0},
    {NFTA_PAYLOAD_BASE, FIELD_U32, FIELD_REQUIRED, MEMBER(payload.base), RULESET_TRANSPORT},
    {NFTA_PAYLOAD_OFFSET, FIELD_U32, FIELD_REQUIRED, MEMBER(payload.offset), 0},
    {NFTA_PAYLOAD_LEN, FIELD_U32, FIELD_REQUIRED, MEMBER(payload.len), 0},
    {0},
};

static const struct field compare_fields[] = {
    {NFTA_CMP_SREG, FIELD_REGISTER, FIELD_REQUIRED, MEMBER(compare.reg), 0},
    {NFTA_CMP_OP, FIELD_U32, FIELD_REQUIRED, MEMBER(compare.operator), RULESET_GREATER_EQUAL},
    {NFTA_CMP_DATA, FIELD_DATA, FIELD_REQUIRED, MEMBER(compare.value), 0},
    {0},
};

static const struct field bitwise_fields[] = {
    {NFTA_BITWISE_SREG, FIELD_REGISTER, FIELD_REQUIRED, MEMBER(bitwise.source), 0},
    {NFTA_BITWISE_DREG, FIELD_REGISTER, FIELD_REQUIRED, MEMBER(bitwise.reg), 0},
    {NFTA_BITWISE_OP, FIELD_ZERO, FIELD_DEFAULT, 0, 0}, /* mask and xor; shifts are other */
    {NFTA_BITWISE_LEN, FIELD_U32, FIELD_REQUIRED, MEMBER(bitwise.len), RULESET_DATA_MAX},
    {NFTA_BITWISE_MASK, FIELD_DATA, FIELD_REQUIRED, MEMBER(bitwise.mask), 0},
    {NFTA_BITWISE_XOR, FIELD_DATA, FIELD_REQUIRED, MEMBER(bitwise.xor), 0},
    {0},
};

static const struct field range_fields[] = {
    {NFTA_RANGE_SREG, FIELD_REGISTER, FIELD_REQUIRED, MEMBER(range.reg), 0},
    {NFTA_RANGE_OP, FIELD_U32, FIELD_REQUIRED, MEMBER(range.operator), RULESET_NOT_EQUAL},
    {NFTA_RANGE_FROM_DATA, FIELD_DATA, FIELD_REQUIRED, MEMBER(range.from), 0},
    {NFTA_RANGE_TO_DATA, FIELD_DATA, FIELD_REQUIRED, MEMBER(range.to), 0},
    {0},
};

static const struct field lookup_fields[] = {
    {NFTA_LOOKUP_SET, FIELD_NAME, FIELD_REQUIRED, MEMBER(lookup.set), 0},
    {NFTA_LOOKUP_SREG, FIELD_REGISTER, FIELD_REQUIRED, MEMBER(lookup.reg), 0},
    {NFTA_LOOKUP_DREG, FIELD_MAP_REGISTER, FIELD_OPTIONAL, MEMBER(lookup.destination), 0},
    {NFTA_LOOKUP_FLAGS, FIELD_BIT, FIELD_OPTIONAL, MEMBER(lookup.inverted), 0},
    {0},
};

static const struct field dynset_fields[] = {
    {NFTA_DYNSET_SET_NAME, FIELD_NAME, FIELD_REQUIRED, MEMBER(dynset.set), 0},
    {NFTA_DYNSET_SREG_KEY, FIELD_REGISTER, FIELD_REQUIRED, MEMBER(dynset.reg), 0},
    {NFTA_DYNSET_OP, FIELD_BIT, FIELD_REQUIRED, MEMBER(dynset.update), 0},
    {NFTA_DYNSET_TIMEOUT, FIELD_U64, FIELD_OPTIONAL, MEMBER(dynset.timeout_ms), 0},
    {NFTA_DYNSET_FLAGS, FIELD_ZERO, FIELD_OPTIONAL, 0, 0},
    {NFTA_DYNSET_PAD, FIELD_PAD, FIELD_OPTIONAL, 0, 0},
    {0},
};

static const struct field immediate_fields[] = {
    {NFTA_IMMEDIATE_DREG, FIELD_RESULT_REGISTER, FIELD_REQUIRED, MEMBER(immediate.reg), 0},
    {NFTA_IMMEDIATE_DATA, FIELD_RESULT, FIELD_REQUIRED, 0, 0},
    {0},
};

static const struct field reject_fields[] = {
    {NFTA_REJECT_TYPE, FIELD_U32, FIELD_REQUIRED, MEMBER(reject.type), 0},
    {NFTA_REJECT_ICMP_CODE, FIELD_U8, FIELD_DEFAULT, MEMBER(reject.code), 0},
    {0},
};

static const struct field socket_fields[] = {
    {NFTA_SOCKET_KEY, FIELD_U32, FIELD_REQUIRED, MEMBER(socket.key), 0},
    {NFTA_SOCKET_DREG, FIELD_REGISTER, FIELD_REQUIRED, MEMBER(socket.reg), 0},
    {NFTA_SOCKET_LEVEL, FIELD_U32, FIELD_OPTIONAL, MEMBER(socket.level), 0},
    {0},
};

static const struct field tproxy_fields[] = {
    {NFTA_TPROXY_FAMILY, FIELD_U32, FIELD_REQUIRED, MEMBER(tproxy.family), RULESET_IPV6},
    {NFTA_TPROXY_REG_ADDR, FIELD_REGISTER_OR_NONE, FIELD_OPTIONAL, MEMBER(tproxy.address_reg), 0},
    {NFTA_TPROXY_REG_PORT, FIELD_REGISTER_OR_NONE, FIELD_OPTIONAL, MEMBER(tproxy.port_reg), 0},
    {0},
};

static const struct field counter_fields[] = {
    {NFTA_COUNTER_BYTES, FIELD_U64, FIELD_OPTIONAL, MEMBER(counter.bytes), 0},
    {NFTA_COUNTER_PACKETS, FIELD_U64, FIELD_OPTIONAL, MEMBER(counter.packets), 0},
    {NFTA_COUNTER_PAD, FIELD_PAD, FIELD_OPTIONAL, 0, 0},
    {0},
};

static const struct kind {
	enum ruleset_expression_kind kind;
	const char *name;
	const struct field *fields;
} kinds[] = {
    {RULESET_META, "meta", meta_fields},       {RULESET_PAYLOAD, "payload", payload_fields},
    {RULESET_COMPARE, "cmp", compare_fields},  {RULESET_BITWISE, "bitwise", bitwise_fields},
    {RULESET_RANGE, "range", range_fields},    {RULESET_LOOKUP, "lookup", lookup_fields},
    {RULESET_DYNSET, "dynset", dynset_fields}, {RULESET_IMMEDIATE, "immediate", immediate_fields},
    {RULESET_REJECT, "reject", reject_fields}, {RULESET_SOCKET, "socket", socket_fields},
    {RULESET_TPROXY, "tproxy", tproxy_fields}, {RULESET_COUNTER, "counter", counter_fields},
};

/* ---- what a table cannot say: do registers and lengths fit together? Asked in both directions, so
 * that nobody behind us meets a register past the last or a mask shorter than its value. ---- */

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

static bool sound(const struct ruleset_expression *e)
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

/* ---- registers ---- */

static uint32_t register_to_kernel(uint8_t reg)
{
	return (uint32_t)reg + NFT_REG32_00;
}

/* Our number of the kernel's register. False for the verdict register and unknown ones. */
static bool register_from_kernel(uint32_t number, uint8_t *ret_reg)
{
	if (number >= NFT_REG_1 && number <= NFT_REG_4)
		*ret_reg = (uint8_t)((number - NFT_REG_1) * (NFT_REG_SIZE / NFT_REG32_SIZE));
	else if (number >= NFT_REG32_00 && number <= NFT_REG32_15)
		*ret_reg = (uint8_t)(number - NFT_REG32_00);
	else
		return false;
	return true;
}

/* ---- verdicts and values ---- */

static const struct {
	enum ruleset_code code;
	int32_t number;
} verdicts[] = {
    {RULESET_ACCEPT, NF_ACCEPT},      {RULESET_DROP, NF_DROP},      {RULESET_QUEUE, NF_QUEUE},
    {RULESET_CONTINUE, NFT_CONTINUE}, {RULESET_BREAK, NFT_BREAK},   {RULESET_JUMP, NFT_JUMP},
    {RULESET_GOTO, NFT_GOTO},         {RULESET_RETURN, NFT_RETURN},
};

static bool verdict_has_chain(enum ruleset_code code)
{
	return code == RULESET_JUMP || code == RULESET_GOTO;
}

void nf_verdict_write(struct nf_writer *writer, uint16_t type,
		      const struct ruleset_verdict *verdict)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(verdicts) && verdicts[i].code != verdict->code)
		i++;
	if (i == ARRAY_SIZE(verdicts) || (verdict_has_chain(verdict->code) &&
					  !nf_name_valid(verdict->chain, sizeof(verdict->chain)))) {
		nf_writer_fail(writer, -EINVAL);
		return;
	}
	nf_nest_begin(writer, type);
	nf_nest_begin(writer, NFTA_DATA_VERDICT);
	nf_put_u32(writer, NFTA_VERDICT_CODE, (uint32_t)verdicts[i].number);
	if (verdict_has_chain(verdict->code))
		nf_put_text(writer, NFTA_VERDICT_CHAIN, verdict->chain);
	nf_nest_end(writer);
	nf_nest_end(writer);
}

int nf_verdict_read(struct nf_span bytes, struct ruleset_verdict *ret_verdict)
{
	struct ruleset_verdict verdict = {0};
	struct nf_attributes attributes;
	uint32_t number;
	int r;

	r = nf_attributes_read(bytes, &attributes);
	if (r < 0)
		return r;
	r = nf_read_u32(attributes.at[NFTA_VERDICT_CODE], &number);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++)
		if ((uint32_t)verdicts[i].number == number)
			verdict.code = verdicts[i].code;
	if (verdict.code == RULESET_NONE ||
	    nf_attributes_beyond(&attributes, 1u << NFTA_VERDICT_CODE | 1u << NFTA_VERDICT_CHAIN))
		return -EOPNOTSUPP;
	if (verdict_has_chain(verdict.code)) {
		r = nf_name_read(attributes.at[NFTA_VERDICT_CHAIN], verdict.chain);
		if (r < 0)
			return r;
	}
	*ret_verdict = verdict;
	return 0;
}

void nf_value_write(struct nf_writer *writer, uint16_t type, const struct ruleset_value *value)
{
	if (value->len == 0 || value->len > RULESET_DATA_MAX) {
		nf_writer_fail(writer, -EINVAL);
		return;
	}
	nf_nest_begin(writer, type);
	nf_put(writer, NFTA_DATA_VALUE, value->bytes, value->len);
	nf_nest_end(writer);
}

int nf_value_read(struct nf_span bytes, struct ruleset_value *ret_value)
{
	struct ruleset_value value = {0};
	struct nf_attributes attributes;
	struct nf_span data;
	int r;

	r = nf_attributes_read(bytes, &attributes);
	if (r < 0)
		return r;
	data = attributes.at[NFTA_DATA_VALUE];
	if (nf_attributes_beyond(&attributes, 1u << NFTA_DATA_VALUE))
		return -EOPNOTSUPP;
	if (!data.data || data.len == 0)
		return -EBADMSG;
	if (data.len > RULESET_DATA_MAX)
		return -EOPNOTSUPP;
	memcpy(value.bytes, data.data, data.len);
	value.len = (uint8_t)data.len;
	*ret_value = value;
	return 0;
}

bool nf_name_valid(const char *name, size_t size)
{
	return name[0] && memchr(name, '\0', size) && !strchr(name, '%');
}

int nf_name_read(struct nf_span value, char *ret_name)
{
	int r;

	if (value.data && value.len == 1 && value.data[0] == '\0')
		return -EOPNOTSUPP;
	r = nf_read_text(value, ret_name, RULESET_NAME_MAX + 1);
	return r == -E2BIG ? -EOPNOTSUPP : r;
}

/* ---- writing ---- */

static void number_write(struct nf_writer *writer, const struct field *field, const uint8_t *member)
{
	uint32_t small;
	uint64_t big;

	switch ((int)field->form) {
	case FIELD_U8:
		if (field->need != FIELD_OPTIONAL || *member)
			nf_put_u8(writer, field->attribute, *member);
		break;
	case FIELD_U32:
		memcpy(&small, member, sizeof(small));
		if (field->max && small > field->max)
			nf_writer_fail(writer, -EINVAL);
		if (field->need != FIELD_OPTIONAL || small)
			nf_put_u32(writer, field->attribute, small);
		break;
	case FIELD_U64:
		memcpy(&big, member, sizeof(big));
		if (field->need != FIELD_OPTIONAL || big)
			nf_put_u64(writer, field->attribute, big);
		break;
	default: /* FIELD_BIT, FIELD_ZERO */
		small = field->form == FIELD_BIT && *member;
		if (field->need != FIELD_OPTIONAL || small)
			nf_put_u32(writer, field->attribute, small);
		break;
	}
}

static void name_write(struct nf_writer *writer, const struct field *field, const char *name)
{
	if (nf_name_valid(name, RULESET_NAME_MAX + 1))
		nf_put_text(writer, field->attribute, name);
	else
		nf_writer_fail(writer, -EINVAL);
}

static void value_member_write(struct nf_writer *writer, const struct field *field,
			       const uint8_t *member)
{
	struct ruleset_value value;

	memcpy(&value, member, sizeof(value));
	nf_value_write(writer, field->attribute, &value);
}

static void register_write(struct nf_writer *writer, const struct field *field,
			   const struct ruleset_expression *e, uint8_t reg)
{
	bool verdict = e->kind == RULESET_LOOKUP ? e->lookup.verdict_map
						 : e->immediate.verdict.code != RULESET_NONE;

	switch ((int)field->form) {
	case FIELD_REGISTER:
		break;
	case FIELD_REGISTER_OR_NONE:
		if ((int8_t)reg < 0)
			return;
		break;
	case FIELD_MAP_REGISTER:
		if (!e->lookup.map)
			return;
		if (verdict) {
			nf_put_u32(writer, field->attribute, NFT_REG_VERDICT);
			return;
		}
		break;
	default: /* FIELD_RESULT_REGISTER */
		if (verdict) {
			nf_put_u32(writer, field->attribute, NFT_REG_VERDICT);
			return;
		}
		break;
	}
	nf_put_u32(writer, field->attribute, register_to_kernel(reg));
}

static void field_write(struct nf_writer *writer, const struct field *field,
			const struct ruleset_expression *e)
{
	const uint8_t *member = (const uint8_t *)e + field->offset;

	switch (field->form) {
	case FIELD_U8:
	case FIELD_U32:
	case FIELD_U64:
	case FIELD_BIT:
	case FIELD_ZERO:
		number_write(writer, field, member);
		break;
	case FIELD_NAME:
		name_write(writer, field, (const char *)member);
		break;
	case FIELD_DATA:
		value_member_write(writer, field, member);
		break;
	case FIELD_REGISTER:
	case FIELD_REGISTER_OR_NONE:
	case FIELD_MAP_REGISTER:
	case FIELD_RESULT_REGISTER:
		register_write(writer, field, e, *member);
		break;
	case FIELD_RESULT:
		if (e->immediate.verdict.code != RULESET_NONE)
			nf_verdict_write(writer, field->attribute, &e->immediate.verdict);
		else
			nf_value_write(writer, field->attribute, &e->immediate.value);
		break;
	case FIELD_PAD:
	case FIELD_END:
		break;
	}
}

void nf_expression_write(struct nf_writer *writer, const struct ruleset_expression *expression)
{
	const struct kind *kind = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].kind == expression->kind)
			kind = &kinds[i];
	if (!kind || !sound(expression)) {
		nf_writer_fail(writer, -EINVAL);
		return;
	}
	nf_nest_begin(writer, NFTA_LIST_ELEM);
	nf_put_text(writer, NFTA_EXPR_NAME, kind->name);
	nf_nest_begin(writer, NFTA_EXPR_DATA);
	for (const struct field *field = kind->fields; field->form != FIELD_END; field++)
		field_write(writer, field, expression);
	nf_nest_end(writer);
	nf_nest_end(writer);
}

/* ---- reading. -EOPNOTSUPP: the struct cannot say it. ---- */

static int number_read(struct nf_span value, const struct field *field, uint8_t *member)
{
	uint32_t small = 0;
	uint64_t big;
	int r;

	if (field->form == FIELD_U8)
		return nf_read_u8(value, member);
	if (field->form == FIELD_U64) {
		r = nf_read_u64(value, &big);
		if (r == 0)
			memcpy(member, &big, sizeof(big));
		return r;
	}
	r = nf_read_u32(value, &small);
	if (r < 0)
		return r;
	if ((field->max && small > field->max) || (field->form == FIELD_BIT && small > 1) ||
	    (field->form == FIELD_ZERO && small))
		return -EOPNOTSUPP;
	if (field->form == FIELD_BIT)
		*(bool *)member = small;
	else if (field->form == FIELD_U32)
		memcpy(member, &small, sizeof(small));
	return 0;
}

static int register_read(struct nf_span value, const struct field *field,
			 struct ruleset_expression *e, uint8_t *member)
{
	uint32_t number;
	int r;

	r = nf_read_u32(value, &number);
	if (r < 0)
		return r;
	if (field->form == FIELD_MAP_REGISTER) {
		e->lookup.map = true;
		e->lookup.verdict_map = number == NFT_REG_VERDICT;
		if (e->lookup.verdict_map)
			return 0;
	}
	if (field->form == FIELD_RESULT_REGISTER && number == NFT_REG_VERDICT) {
		/* A mark for FIELD_RESULT, which follows in the table and replaces it. */
		e->immediate.verdict.code = RULESET_BREAK;
		return 0;
	}
	return register_from_kernel(number, member) ? 0 : -EOPNOTSUPP;
}

static int result_read(struct nf_span value, struct ruleset_expression *e)
{
	struct nf_attributes attributes;
	int r;

	if (e->immediate.verdict.code == RULESET_NONE)
		return nf_value_read(value, &e->immediate.value);
	r = nf_attributes_read(value, &attributes);
	if (r < 0)
		return r;
	if (nf_attributes_beyond(&attributes, 1u << NFTA_DATA_VERDICT))
		return -EOPNOTSUPP;
	return nf_verdict_read(attributes.at[NFTA_DATA_VERDICT], &e->immediate.verdict);
}

static int field_read(struct nf_span value, const struct field *field, struct ruleset_expression *e)
{
	uint8_t *member = (uint8_t *)e + field->offset;
	struct ruleset_value data;
	int r;

	if (!value.data) {
		if (field->form == FIELD_REGISTER_OR_NONE)
			*(int8_t *)member = -1;
		return field->need == FIELD_REQUIRED ? -EOPNOTSUPP : 0;
	}
	switch (field->form) {
	case FIELD_U8:
	case FIELD_U32:
	case FIELD_U64:
	case FIELD_BIT:
	case FIELD_ZERO:
		return number_read(value, field, member);
	case FIELD_NAME:
		return nf_name_read(value, (char *)member);
	case FIELD_DATA:
		r = nf_value_read(value, &data);
		if (r == 0)
			memcpy(member, &data, sizeof(data));
		return r;
	case FIELD_REGISTER:
	case FIELD_REGISTER_OR_NONE:
	case FIELD_MAP_REGISTER:
	case FIELD_RESULT_REGISTER:
		return register_read(value, field, e, member);
	case FIELD_RESULT:
		return result_read(value, e);
	case FIELD_PAD:
	case FIELD_END:
		break;
	}
	return 0;
}

/* The contents of an expression of known kind. */
static int fields_read(struct nf_span bytes, const struct kind *kind, struct ruleset_expression *e)
{
	struct nf_attributes attributes;
	uint32_t known = 0;
	int r;

	r = nf_attributes_read(bytes, &attributes);
	if (r < 0)
		return r;
	e->kind = kind->kind;
	for (const struct field *field = kind->fields; field->form != FIELD_END; field++) {
		r = field_read(attributes.at[field->attribute], field, e);
		if (r < 0)
			return r;
		known |= UINT32_C(1) << field->attribute;
	}
	return nf_attributes_beyond(&attributes, known) || !sound(e) ? -EOPNOTSUPP : 0;
}

int nf_expression_read(struct nf_span bytes, struct ruleset_expression *ret_expression)
{
	struct ruleset_expression e = {0}, unknown = {.kind = RULESET_UNKNOWN};
	struct nf_attributes attributes;
	struct nf_span name, data;
	int r;

	r = nf_attributes_read(bytes, &attributes);
	if (r < 0)
		return r;
	name = attributes.at[NFTA_EXPR_NAME];
	data = attributes.at[NFTA_EXPR_DATA];
	if (!name.data || name.len < 2 ||
	    memchr(name.data, '\0', name.len) != name.data + name.len - 1)
		return -EBADMSG;
	/* Cut if need be: for an unknown kind the name is only for people. */
	memcpy(unknown.unknown.name, name.data,
	       name.len < sizeof(unknown.unknown.name) ? name.len
						       : sizeof(unknown.unknown.name) - 1);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (name.len != strlen(kinds[i].name) + 1 ||
		    memcmp(name.data, kinds[i].name, name.len) != 0)
			continue;
		r = nf_attributes_beyond(&attributes, 1u << NFTA_EXPR_NAME | 1u << NFTA_EXPR_DATA)
			? -EOPNOTSUPP
			: fields_read(data, &kinds[i], &e);
		if (r == 0)
			*ret_expression = e;
		if (r != -EOPNOTSUPP)
			return r;
	}
	*ret_expression = unknown;
	return 0;
}
