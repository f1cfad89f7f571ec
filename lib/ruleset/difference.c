/* SPDX-License-Identifier: GPL-3.0-or-later */
/* In what two expressions differ. */
#include "difference.h"

#include <linux/netfilter/nf_tables.h>
#include <string.h>

const char *difference_first(const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (names[i])
			return names[i];
	return NULL;
}

bool difference_same_value(const struct ruleset_value *a, const struct ruleset_value *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

bool difference_same_verdict(const struct ruleset_verdict *a, const struct ruleset_verdict *b)
{
	if (a->code != b->code)
		return false;
	if (a->code != RULESET_JUMP && a->code != RULESET_GOTO)
		return true;
	return strcmp(a->chain, b->chain) == 0;
}

static int end_or_start(int end, int start)
{
	return end < 0 ? start : end;
}

static const char *translate_difference(const struct ruleset_expression *a,
					const struct ruleset_expression *b)
{
	if (end_or_start(a->translate.address_end_reg, a->translate.address_reg) !=
	    end_or_start(b->translate.address_end_reg, b->translate.address_reg))
		return "translate.address_end_reg";
	if (end_or_start(a->translate.port_end_reg, a->translate.port_reg) !=
	    end_or_start(b->translate.port_end_reg, b->translate.port_reg))
		return "translate.port_end_reg";
	return FIRST_OF(FIELD(translate.destination), FIELD(translate.family),
			FIELD(translate.address_reg), FIELD(translate.port_reg),
			FIELD(translate.flags));
}

static const char *redirect_difference(const struct ruleset_expression *a,
				       const struct ruleset_expression *b)
{
	if (end_or_start(a->redirect.port_end_reg, a->redirect.port_reg) !=
	    end_or_start(b->redirect.port_end_reg, b->redirect.port_reg))
		return "redirect.port_end_reg";
	return FIRST_OF(FIELD(redirect.port_reg), FIELD(redirect.flags));
}

/* What only the rules of others contain. */
static const char *foreign_difference(const struct ruleset_expression *a,
				      const struct ruleset_expression *b)
{
#define TEXT(name) (strcmp(a->name, b->name) == 0 ? NULL : #name)
	switch ((int)a->kind) {
	case RULESET_META_SET:
		return FIRST_OF(FIELD(meta_set.key), FIELD(meta_set.reg));
	case RULESET_PAYLOAD_SET:
		return FIRST_OF(FIELD(payload_set.base), FIELD(payload_set.offset),
				FIELD(payload_set.len), FIELD(payload_set.reg),
				FIELD(payload_set.checksum_type),
				FIELD(payload_set.checksum_offset), FIELD(payload_set.flags));
	case RULESET_SHIFT:
		return FIRST_OF(FIELD(shift.source), FIELD(shift.reg), FIELD(shift.len),
				FIELD(shift.left), FIELD(shift.bits));
	case RULESET_BYTEORDER:
		return FIRST_OF(FIELD(byteorder.source), FIELD(byteorder.reg), FIELD(byteorder.op),
				FIELD(byteorder.len), FIELD(byteorder.size));
	case RULESET_CONNECTION:
		return FIRST_OF(FIELD(connection.key), FIELD(connection.direction),
				FIELD(connection.reg));
	case RULESET_CONNECTION_SET:
		return FIRST_OF(FIELD(connection_set.key), FIELD(connection_set.direction),
				FIELD(connection_set.reg));
	case RULESET_TRANSLATE:
		return translate_difference(a, b);
	case RULESET_REDIRECT:
	case RULESET_MASQUERADE:
		return redirect_difference(a, b);
	case RULESET_ROUTE_LOOKUP:
		return FIRST_OF(FIELD(route_lookup.result), FIELD(route_lookup.flags),
				FIELD(route_lookup.reg));
	case RULESET_ROUTE_FIELD:
		return FIRST_OF(FIELD(route_field.key), FIELD(route_field.reg));
	case RULESET_LIMIT:
		return FIRST_OF(TEXT(limit.name), FIELD(limit.settings[0]),
				FIELD(limit.settings[1]), FIELD(limit.settings[2]),
				FIELD(limit.settings[3]), FIELD(limit.settings[4]));
	case RULESET_NUMBER:
		return FIRST_OF(FIELD(number.modulus), FIELD(number.type), FIELD(number.offset),
				FIELD(number.reg));
	case RULESET_NO_EFFECT:
		return FIRST_OF(TEXT(no_effect.name), FIELD(no_effect.group));
	case RULESET_OBJECT:
		return FIRST_OF(FIELD(object.type), TEXT(object.object));
	case RULESET_NOTRACK:
		return NULL;
	default: /* what is not known here is not the same */
		return "kind";
	}
#undef TEXT
}

/* Fields of an expression that are numbers or values; NULL if all are alike. */
const char *difference_of(const struct ruleset_expression *a, const struct ruleset_expression *b)
{
#define VALUE(name, words) (difference_same_value(&a->name, &b->name) ? NULL : (words))
	switch ((int)a->kind) {
	case RULESET_META:
		return FIRST_OF(FIELD(meta.key), FIELD(meta.reg));
	case RULESET_PAYLOAD:
		return FIRST_OF(FIELD(payload.base), FIELD(payload.offset), FIELD(payload.len),
				FIELD(payload.reg));
	case RULESET_COMPARE:
		return FIRST_OF(FIELD(compare.reg), FIELD(compare.operator),
				VALUE(compare.value, "compare value"));
	case RULESET_BITWISE:
		return FIRST_OF(FIELD(bitwise.source), FIELD(bitwise.reg), FIELD(bitwise.len),
				VALUE(bitwise.mask, "bitwise mask"),
				VALUE(bitwise.xor, "bitwise xor"));
	case RULESET_RANGE:
		return FIRST_OF(FIELD(range.reg), FIELD(range.operator),
				VALUE(range.from, "range from"), VALUE(range.to, "range to"));
	case RULESET_LOOKUP:
		return FIRST_OF(FIELD(lookup.reg), FIELD(lookup.map), FIELD(lookup.inverted),
				FIELD(lookup.verdict_map),
				a->lookup.map && !a->lookup.verdict_map ? FIELD(lookup.destination)
									: NULL);
	case RULESET_DYNSET:
		return FIRST_OF(FIELD(dynset.reg), FIELD(dynset.update), FIELD(dynset.timeout_ms));
	case RULESET_IMMEDIATE:
		if (!difference_same_verdict(&a->immediate.verdict, &b->immediate.verdict))
			return "verdict";
		if (a->immediate.verdict.code != RULESET_NONE)
			return NULL;
		return FIRST_OF(FIELD(immediate.reg), VALUE(immediate.value, "immediate value"));
	case RULESET_REJECT:
		return FIRST_OF(FIELD(reject.type),
				a->reject.type != NFT_REJECT_TCP_RST ? FIELD(reject.code) : NULL);
	case RULESET_SOCKET:
		return FIRST_OF(FIELD(socket.key), FIELD(socket.reg),
				a->socket.key == NFT_SOCKET_CGROUPV2 ? FIELD(socket.level) : NULL);
	case RULESET_TPROXY:
		return FIRST_OF(FIELD(tproxy.family), FIELD(tproxy.address_reg),
				FIELD(tproxy.port_reg));
	case RULESET_COUNTER:
	case RULESET_UNKNOWN:
		return NULL;
	default:
		return foreign_difference(a, b);
	}
#undef VALUE
}

const char *difference_kind(enum ruleset_expression_kind kind)
{
	static const char *const names[] = {
	    [RULESET_UNKNOWN] = "unknown",         [RULESET_META] = "meta",
	    [RULESET_PAYLOAD] = "payload",         [RULESET_COMPARE] = "compare",
	    [RULESET_BITWISE] = "bitwise",         [RULESET_RANGE] = "range",
	    [RULESET_LOOKUP] = "lookup",           [RULESET_DYNSET] = "dynset",
	    [RULESET_IMMEDIATE] = "verdict",       [RULESET_REJECT] = "reject",
	    [RULESET_SOCKET] = "socket",           [RULESET_TPROXY] = "tproxy",
	    [RULESET_COUNTER] = "counter",         [RULESET_META_SET] = "meta set",
	    [RULESET_PAYLOAD_SET] = "payload set", [RULESET_SHIFT] = "shift",
	    [RULESET_BYTEORDER] = "byteorder",     [RULESET_CONNECTION] = "ct",
	    [RULESET_CONNECTION_SET] = "ct set",   [RULESET_TRANSLATE] = "nat",
	    [RULESET_REDIRECT] = "redirect",       [RULESET_MASQUERADE] = "masquerade",
	    [RULESET_NOTRACK] = "notrack",         [RULESET_ROUTE_LOOKUP] = "fib",
	    [RULESET_ROUTE_FIELD] = "rt",          [RULESET_LIMIT] = "limit",
	    [RULESET_NUMBER] = "numgen",           [RULESET_NO_EFFECT] = "statement without effect",
	    [RULESET_OBJECT] = "object",
	};

	return kind < ARRAY_SIZE(names) ? names[kind] : "unknown";
}
