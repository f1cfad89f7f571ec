/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What only the rules of others contain, in nft's words where it has some. */
#include "listing_state.h"

#include <inttypes.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

static void list_set(struct listing *listing, const struct ruleset_expression *e)
{
	bool connection = e->kind == RULESET_CONNECTION_SET;
	uint8_t reg = connection ? e->connection_set.reg : e->meta_set.reg;
	const struct listing_term *source = state_field(listing, reg);
	const uint8_t *constant;
	struct listing_term target;

	if (!listing_name_target(e, &target)) {
		state_raw(listing, "%s key %u is set", connection ? "ct" : "meta",
			  connection ? e->connection_set.key : e->meta_set.key);
		return;
	}
	constant = state_constant(listing, reg, target.shape.len);
	if (!constant && (!source || source->masked || source->shape.len != target.shape.len ||
			  source->shape.len != source->whole)) {
		state_raw(listing, "%s is set to register %u", target.text, reg);
		return;
	}
	state_begin(listing, constant ? NULL : source, constant ? 0 : 1);
	buf_printf(listing->out, "%s set ", target.text);
	if (constant)
		words_value(listing->out, &target.shape, constant);
	else
		buf_puts(listing->out, source->text);
}

/* Write "from" or "from-to", both constants. @end below 0: the start's. */
static void list_range(struct listing *listing, const struct words_shape *shape, int start, int end,
		       bool brackets)
{
	const char *format = brackets ? "[" : "";

	buf_puts(listing->out, format);
	words_value(listing->out, shape, state_constant(listing, start, shape->len));
	buf_puts(listing->out, brackets ? "]" : "");
	if (end < 0 || end == start)
		return;
	buf_printf(listing->out, "-%s", format);
	words_value(listing->out, shape, state_constant(listing, end, shape->len));
	buf_puts(listing->out, brackets ? "]" : "");
}

static bool range_constant(const struct listing *listing, int start, int end, size_t len)
{
	return (start < 0 || state_constant(listing, start, len)) &&
	       (end < 0 || state_constant(listing, end, len));
}

/* Those that follow from the registers are left out; false if there are others without a word. */
static bool list_nat_flags(struct listing *listing, uint32_t flags, bool write)
{
	static const struct {
		uint32_t flag;
		const char *text;
	} words[] = {
	    {NF_NAT_RANGE_PROTO_RANDOM, "random"},
	    {NF_NAT_RANGE_PROTO_RANDOM_FULLY, "fully-random"},
	    {NF_NAT_RANGE_PERSISTENT, "persistent"},
	};
	const char *separator = " ";

	flags &= ~(uint32_t)(NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (!(flags & words[i].flag))
			continue;
		flags &= ~words[i].flag;
		if (write)
			buf_printf(listing->out, "%s%s", separator, words[i].text);
		separator = ",";
	}
	return flags == 0;
}

static const struct words_shape port_shape = {WORDS_PORT, 2, false};

static void list_translate(struct listing *listing, const struct ruleset_expression *e)
{
	bool ipv6 = e->translate.family == RULESET_IPV6;
	struct words_shape shape = {ipv6 ? WORDS_IP6 : WORDS_IP4, ipv6 ? 16 : 4, false};
	const char *what = e->translate.destination ? "dnat" : "snat";

	if (!range_constant(listing, e->translate.address_reg, e->translate.address_end_reg,
			    shape.len) ||
	    !range_constant(listing, e->translate.port_reg, e->translate.port_end_reg, 2) ||
	    (e->translate.address_reg < 0 && e->translate.port_reg < 0) ||
	    !list_nat_flags(listing, e->translate.flags, false)) {
		state_raw(listing, "%s to registers", what);
		return;
	}
	state_begin(listing, NULL, 0);
	buf_printf(listing->out, "%s ", what);
	if (e->translate.address_reg >= 0 && listing->table->family == RULESET_INET)
		buf_puts(listing->out, ipv6 ? "ip6 " : "ip ");
	buf_puts(listing->out, "to ");
	if (e->translate.address_reg >= 0)
		list_range(listing, &shape, e->translate.address_reg, e->translate.address_end_reg,
			   ipv6 && e->translate.port_reg >= 0);
	if (e->translate.port_reg >= 0) {
		buf_puts(listing->out, ":");
		list_range(listing, &port_shape, e->translate.port_reg, e->translate.port_end_reg,
			   false);
	}
	list_nat_flags(listing, e->translate.flags, true);
}

static void list_redirect(struct listing *listing, const struct ruleset_expression *e)
{
	const char *what = e->kind == RULESET_REDIRECT ? "redirect" : "masquerade";

	if (!range_constant(listing, e->redirect.port_reg, e->redirect.port_end_reg, 2) ||
	    !list_nat_flags(listing, e->redirect.flags, false)) {
		state_raw(listing, "%s to registers", what);
		return;
	}
	state_begin(listing, NULL, 0);
	buf_puts(listing->out, what);
	if (e->redirect.port_reg >= 0) {
		buf_puts(listing->out, " to :");
		list_range(listing, &port_shape, e->redirect.port_reg, e->redirect.port_end_reg,
			   false);
	}
	list_nat_flags(listing, e->redirect.flags, true);
}

static const char *unit_text(uint64_t seconds)
{
	switch (seconds) {
	case 1:
		return "second";
	case 60:
		return "minute";
	case 3600:
		return "hour";
	case 86400:
		return "day";
	case 604800:
		return "week";
	default:
		return NULL;
	}
}

/* Rate, unit, burst, type, flags. */
static void list_rate(struct listing *listing, const struct ruleset_expression *e)
{
	const uint64_t *settings = e->limit.settings;
	bool bytes = settings[3] == NFT_LIMIT_PKT_BYTES;
	const char *unit = unit_text(settings[1]);

	if (!unit || settings[3] > NFT_LIMIT_PKT_BYTES || settings[4] > NFT_LIMIT_F_INV) {
		state_raw(listing, "limit");
		return;
	}
	state_begin(listing, NULL, 0);
	buf_printf(listing->out, "limit rate %s%" PRIu64 "%s/%s", settings[4] ? "over " : "",
		   settings[0], bytes ? " bytes" : "", unit);
	if (settings[2])
		buf_printf(listing->out, " burst %" PRIu64 " %s", settings[2],
			   bytes ? "bytes" : "packets");
}

static void list_limit(struct listing *listing, const struct ruleset_expression *e)
{
	const uint64_t *settings = e->limit.settings;
	bool quota = strcmp(e->limit.name, "quota") == 0;

	if (strcmp(e->limit.name, "limit") == 0) {
		list_rate(listing, e);
	} else if (settings[1] > 1 || (!quota && strcmp(e->limit.name, "connlimit") != 0)) {
		state_raw(listing, "%s", e->limit.name);
	} else {
		state_begin(listing, NULL, 0);
		buf_printf(listing->out, "%s %s%" PRIu64 "%s", quota ? "quota" : "ct count",
			   settings[1] ? "over " : "", settings[0], quota ? " bytes" : "");
	}
}

static void list_object(struct listing *listing, const struct ruleset_expression *e)
{
	const char *what = e->object.type == NFT_OBJECT_COUNTER ? "counter"
			   : e->object.type == NFT_OBJECT_QUOTA ? "quota"
			   : e->object.type == NFT_OBJECT_LIMIT ? "limit"
								: NULL;

	if (!what) {
		state_raw(listing, "object %s of type %u", e->object.object, e->object.type);
		return;
	}
	state_begin(listing, NULL, 0);
	buf_printf(listing->out, "%s name ", what);
	words_quoted(listing->out, e->object.object);
}

static void list_payload_set(struct listing *listing, const struct ruleset_expression *e)
{
	static const char *const bases[] = {"ll", "nh", "th"};

	state_raw(listing, "register %u is written to @%s,%u,%u", e->payload_set.reg,
		  e->payload_set.base < ARRAY_SIZE(bases) ? bases[e->payload_set.base] : "?",
		  e->payload_set.offset * 8, e->payload_set.len * 8);
}

void statement_list(struct listing *listing, const struct ruleset_expression *e)
{
	const struct listing_term nothing = {0};

	switch ((int)e->kind) {
	case RULESET_META_SET:
	case RULESET_CONNECTION_SET:
		list_set(listing, e);
		break;
	case RULESET_PAYLOAD_SET:
		list_payload_set(listing, e);
		break;
	case RULESET_SHIFT:
		state_raw(listing, "register %u shifted %s by %u", e->shift.source,
			  e->shift.left ? "left" : "right", e->shift.bits);
		state_load(listing, e->shift.reg, e->shift.len, &nothing);
		break;
	case RULESET_BYTEORDER:
		state_raw(listing, "byte order of register %u", e->byteorder.source);
		state_load(listing, e->byteorder.reg, e->byteorder.len, &nothing);
		break;
	case RULESET_TRANSLATE:
		list_translate(listing, e);
		break;
	case RULESET_REDIRECT:
	case RULESET_MASQUERADE:
		list_redirect(listing, e);
		break;
	case RULESET_NOTRACK:
		state_begin(listing, NULL, 0);
		buf_puts(listing->out, "notrack");
		break;
	case RULESET_LIMIT:
		list_limit(listing, e);
		break;
	case RULESET_NO_EFFECT:
		if (strcmp(e->no_effect.name, "log") != 0) {
			state_raw(listing, "%s", e->no_effect.name);
			break;
		}
		state_begin(listing, NULL, 0);
		buf_puts(listing->out, "log");
		if (e->no_effect.group)
			buf_printf(listing->out, " group %u", e->no_effect.group);
		break;
	default: /* RULESET_OBJECT */
		list_object(listing, e);
		break;
	}
}
