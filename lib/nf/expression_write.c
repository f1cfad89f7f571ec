/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fields.h"

#include <string.h>

#include <linux/netfilter/nf_tables.h>

static uint32_t register_to_kernel(uint8_t reg)
{
	return (uint32_t)reg + NFT_REG32_00;
}

static void number_write(struct nf_writer *writer, const struct nf_field *field,
			 const uint8_t *member)
{
	uint16_t medium;
	uint32_t small;
	uint64_t big;

	switch ((int)field->form) {
	case FIELD_U8:
		if (field->need != FIELD_OPTIONAL || *member)
			nf_put_u8(writer, field->attribute, *member);
		break;
	case FIELD_U16:
		memcpy(&medium, member, sizeof(medium));
		nf_put_u16(writer, field->attribute, medium);
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
	case FIELD_WIDE:
	case FIELD_QUOTA_FLAGS:
		memcpy(&big, member, sizeof(big));
		if (big > UINT32_MAX)
			nf_writer_fail(writer, -EINVAL);
		nf_put_u32(writer, field->attribute, (uint32_t)big);
		break;
	default: /* FIELD_BIT, FIELD_ZERO */
		small = field->form == FIELD_BIT && *member;
		if (field->need != FIELD_OPTIONAL || small)
			nf_put_u32(writer, field->attribute, small);
		break;
	}
}

static void name_write(struct nf_writer *writer, const struct nf_field *field, const char *name)
{
	if (nf_name_valid(name, RULESET_NAME_MAX + 1))
		nf_put_text(writer, field->attribute, name);
	else
		nf_writer_fail(writer, -EINVAL);
}

static void value_member_write(struct nf_writer *writer, const struct nf_field *field,
			       const uint8_t *member)
{
	struct ruleset_value value;

	memcpy(&value, member, sizeof(value));
	nf_value_write(writer, field->attribute, &value);
}

static void register_write(struct nf_writer *writer, const struct nf_field *field,
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

static void shift_write(struct nf_writer *writer, const struct nf_field *field,
			const uint8_t *member)
{
	struct ruleset_value value = {.len = sizeof(uint32_t)};

	if (field->form == FIELD_SHIFT) {
		nf_put_u32(writer, field->attribute,
			   *member ? NFT_BITWISE_LSHIFT : NFT_BITWISE_RSHIFT);
		return;
	}
	memcpy(value.bytes, member, sizeof(uint32_t));
	nf_value_write(writer, field->attribute, &value);
}

static void field_write(struct nf_writer *writer, const struct nf_field *field,
			const struct ruleset_expression *e)
{
	const uint8_t *member = (const uint8_t *)e + field->offset;

	switch (field->form) {
	case FIELD_U8:
	case FIELD_U16:
	case FIELD_U32:
	case FIELD_U64:
	case FIELD_BIT:
	case FIELD_ZERO:
	case FIELD_WIDE:
	case FIELD_QUOTA_FLAGS:
		number_write(writer, field, member);
		break;
	case FIELD_DIRECTION:
		if ((int8_t)*member >= 0)
			nf_put_u8(writer, field->attribute, *member);
		break;
	case FIELD_SHIFT:
	case FIELD_SHIFT_BITS:
		shift_write(writer, field, member);
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

/* The kernel's kind for the expression, or NULL. */
static const struct nf_kind *kind_of(const struct ruleset_expression *expression)
{
	struct ruleset_expression e = *expression;
	size_t size;
	const char *name = nf_expression_name(&e, &size);

	for (size_t i = 0; i < NF_KINDS; i++) {
		if (nf_kinds[i].kind != e.kind ||
		    (name && strncmp(nf_kinds[i].name, name, size) != 0))
			continue;
		/* A log for listeners has a group, any other none. */
		if (e.kind == RULESET_NO_EFFECT && !nf_kinds[i].fields != !e.no_effect.group)
			continue;
		return &nf_kinds[i];
	}
	return NULL;
}

void nf_expression_write(struct nf_writer *writer, const struct ruleset_expression *expression)
{
	const struct nf_kind *kind = kind_of(expression);

	if (!kind || !nf_expression_sound(expression)) {
		nf_writer_fail(writer, -EINVAL);
		return;
	}
	nf_nest_begin(writer, NFTA_LIST_ELEM);
	nf_put_text(writer, NFTA_EXPR_NAME, kind->name);
	nf_nest_begin(writer, NFTA_EXPR_DATA);
	for (const struct nf_field *field = kind->fields; field && field->form != FIELD_END;
	     field++)
		field_write(writer, field, expression);
	nf_nest_end(writer);
	nf_nest_end(writer);
}
