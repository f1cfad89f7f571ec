/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading expressions. -EOPNOTSUPP inside means that the struct cannot say it. */
#include "fields.h"

#include <stdio.h>
#include <string.h>

#include <linux/netfilter/nf_tables.h>

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

static int number_read(struct nf_span value, const struct nf_field *field, uint8_t *member)
{
	uint16_t medium = 0;
	uint32_t small = 0;
	uint64_t big;
	int r;

	if (field->form == FIELD_U8)
		return nf_read_u8(value, member);
	if (field->form == FIELD_U16) {
		r = nf_read_u16(value, &medium);
		if (r < 0)
			return r;
		memcpy(member, &medium, sizeof(medium));
		return medium ? 0 : -EOPNOTSUPP;
	}
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
	if (field->form == FIELD_QUOTA_FLAGS)
		small &= ~(uint32_t)NFT_QUOTA_F_DEPLETED;
	if (field->form == FIELD_WIDE || field->form == FIELD_QUOTA_FLAGS) {
		big = small;
		memcpy(member, &big, sizeof(big));
	}
	if (field->form == FIELD_BIT)
		*(bool *)member = small;
	else if (field->form == FIELD_U32)
		memcpy(member, &small, sizeof(small));
	return 0;
}

static int register_read(struct nf_span value, const struct nf_field *field,
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

static int direction_read(struct nf_span value, int8_t *member)
{
	uint8_t number;
	int r;

	r = nf_read_u8(value, &number);
	if (r < 0)
		return r;
	if (number > 1)
		return -EOPNOTSUPP;
	*member = (int8_t)number;
	return 0;
}

static int shift_read(struct nf_span value, const struct nf_field *field, uint8_t *member)
{
	struct ruleset_value data;
	uint32_t number;
	int r;

	if (field->form == FIELD_SHIFT) {
		r = nf_read_u32(value, &number);
		if (r < 0)
			return r;
		*(bool *)member = number == NFT_BITWISE_LSHIFT;
		return number == NFT_BITWISE_LSHIFT || number == NFT_BITWISE_RSHIFT ? 0
										    : -EOPNOTSUPP;
	}
	r = nf_value_read(value, &data);
	if (r < 0)
		return r;
	if (data.len != sizeof(number))
		return -EOPNOTSUPP;
	memcpy(member, data.bytes, sizeof(number));
	return 0;
}

static int field_read(struct nf_span value, const struct nf_field *field,
		      struct ruleset_expression *e)
{
	uint8_t *member = (uint8_t *)e + field->offset;
	struct ruleset_value data;
	int r;

	if (!value.data) {
		if (field->form == FIELD_REGISTER_OR_NONE || field->form == FIELD_DIRECTION)
			*(int8_t *)member = -1;
		return field->need == FIELD_REQUIRED ? -EOPNOTSUPP : 0;
	}
	switch (field->form) {
	case FIELD_U8:
	case FIELD_U16:
	case FIELD_U32:
	case FIELD_U64:
	case FIELD_BIT:
	case FIELD_ZERO:
	case FIELD_WIDE:
	case FIELD_QUOTA_FLAGS:
		return number_read(value, field, member);
	case FIELD_DIRECTION:
		return direction_read(value, (int8_t *)member);
	case FIELD_SHIFT:
	case FIELD_SHIFT_BITS:
		return shift_read(value, field, member);
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

/* The kernel names an end even where only a start was given. */
static void end_settle(int8_t start, int8_t *end)
{
	if (*end == start)
		*end = -1;
}

static void settle(const struct nf_kind *kind, struct ruleset_expression *e)
{
	size_t size;
	char *name = nf_expression_name(e, &size);

	if (name)
		snprintf(name, size, "%s", kind->name);
	if (e->kind == RULESET_TRANSLATE) {
		end_settle(e->translate.address_reg, &e->translate.address_end_reg);
		end_settle(e->translate.port_reg, &e->translate.port_end_reg);
	} else if (e->kind == RULESET_REDIRECT || e->kind == RULESET_MASQUERADE) {
		end_settle(e->redirect.port_reg, &e->redirect.port_end_reg);
	}
}

/* The contents of an expression of known kind. */
static int fields_read(struct nf_span bytes, const struct nf_kind *kind,
		       struct ruleset_expression *e)
{
	struct nf_attributes attributes;
	uint32_t known = 0;
	int r;

	r = nf_attributes_read(bytes, &attributes);
	if (r < 0)
		return r;
	*e = (struct ruleset_expression){.kind = kind->kind};
	for (const struct nf_field *field = kind->fields; field && field->form != FIELD_END;
	     field++) {
		r = field_read(attributes.at[field->attribute], field, e);
		if (r < 0)
			return r;
		known |= UINT32_C(1) << field->attribute;
	}
	settle(kind, e);
	if (kind->fields && nf_attributes_beyond(&attributes, known))
		return -EOPNOTSUPP;
	return nf_expression_sound(e) ? 0 : -EOPNOTSUPP;
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
	for (size_t i = 0; i < NF_KINDS; i++) {
		if (name.len != strlen(nf_kinds[i].name) + 1 ||
		    memcmp(name.data, nf_kinds[i].name, name.len) != 0)
			continue;
		r = nf_attributes_beyond(&attributes, 1u << NFTA_EXPR_NAME | 1u << NFTA_EXPR_DATA)
			? -EOPNOTSUPP
			: fields_read(data, &nf_kinds[i], &e);
		if (r == 0)
			*ret_expression = e;
		if (r != -EOPNOTSUPP)
			return r;
	}
	*ret_expression = unknown;
	return 0;
}
