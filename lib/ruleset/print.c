/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tables, sets and chains in nft's syntax. */
#include "listing.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_arp.h>
#include <string.h>

#define LINE_MAX 96 /* columns, tabs counted as eight */

static const char *hook_text(enum ruleset_family family, uint32_t hook)
{
	static const char *const inet[] = {
	    [NF_INET_PRE_ROUTING] = "prerouting",   [NF_INET_LOCAL_IN] = "input",
	    [NF_INET_FORWARD] = "forward",          [NF_INET_LOCAL_OUT] = "output",
	    [NF_INET_POST_ROUTING] = "postrouting", [NF_INET_INGRESS] = "ingress",
	};
	static const char *const netdev[] = {
	    [NF_NETDEV_INGRESS] = "ingress",
	    [NF_NETDEV_EGRESS] = "egress",
	};
	static const char *const arp[] = {[NF_ARP_IN] = "input", [NF_ARP_OUT] = "output"};
	const char *text = NULL;

	if (family == RULESET_NETDEV)
		text = hook < ARRAY_SIZE(netdev) ? netdev[hook] : NULL;
	else if (family == RULESET_ARP)
		text = hook < ARRAY_SIZE(arp) ? arp[hook] : NULL;
	else
		text = hook < ARRAY_SIZE(inet) ? inet[hook] : NULL;
	return text ? text : "/* unknown hook */";
}

/* nft knows some priorities by name, but not in every family and at every hook. */
static const char *priority_text(enum ruleset_family family, uint32_t hook, int32_t priority)
{
	if (family == RULESET_BRIDGE)
		return NULL;
	if (priority == 0)
		return "filter";
	if (family == RULESET_NETDEV || family == RULESET_ARP)
		return NULL;
	switch (priority) {
	case -300:
		return "raw";
	case -150:
		return "mangle";
	case -100:
		return hook == NF_INET_PRE_ROUTING ? "dstnat" : NULL;
	case 50:
		return "security";
	case 100:
		return hook == NF_INET_POST_ROUTING ? "srcnat" : NULL;
	default:
		return NULL;
	}
}

static void print_devices(const struct ruleset_chain *chain, struct buf *out)
{
	if (chain->device_count == 0)
		return;
	buf_puts(out, " devices = { ");
	for (size_t i = 0; i < chain->device_count; i++) {
		buf_puts(out, i ? ", " : "");
		words_quoted(out, chain->devices[i]);
	}
	buf_puts(out, " }");
}

static void print_base(const struct ruleset_table *table, const struct ruleset_chain *chain,
		       struct buf *out)
{
	static const char *const types[] = {
	    [0] = "/* unknown type */",
	    [RULESET_FILTER] = "filter",
	    [RULESET_NAT] = "nat",
	    [RULESET_ROUTE] = "route",
	};
	const char *priority = priority_text(table->family, chain->hook, chain->priority);

	if (chain->every_device)
		buf_puts(out, "\t\t# on every device, present and future\n");
	buf_printf(out, "\t\ttype %s hook %s",
		   types[chain->type < ARRAY_SIZE(types) ? chain->type : 0],
		   hook_text(table->family, chain->hook));
	print_devices(chain, out);
	if (priority)
		buf_printf(out, " priority %s;", priority);
	else
		buf_printf(out, " priority %d;", chain->priority);
	buf_printf(out, " policy %s;\n", chain->policy == RULESET_ACCEPT ? "accept" : "drop");
}

static void print_chain(const struct ruleset_table *table, const struct ruleset_chain *chain,
			struct buf *out)
{
	buf_printf(out, "\tchain %s {\n", chain->name);
	if (chain->base)
		print_base(table, chain, out);
	for (size_t i = 0; i < chain->rule_count; i++) {
		buf_puts(out, "\t\t");
		listing_rule(out, table, &chain->rules[i]);
		buf_puts(out, "\n");
	}
	buf_puts(out, "\t}\n");
}

static void print_type(const struct ruleset_set *set, const struct listing_key *key,
		       struct buf *out)
{
	size_t len;
	const char *data;

	buf_printf(out, "\t\t%s ", key->typed ? "type" : "typeof");
	for (size_t i = 0; i < key->count; i++)
		buf_printf(out, "%s%s", i ? " . " : "",
			   key->typed ? words_type_name(key->parts[i].type, &len) : key->text[i]);
	if (set->verdict_map) {
		buf_puts(out, " : verdict");
	} else if (set->map) {
		data = words_type_name(set->data_type, &len);
		buf_printf(out, " : %s", data ? data : "/* unknown type */");
	}
	buf_puts(out, "\n");
}

static void print_flags(const struct ruleset_set *set, struct buf *out)
{
	const struct {
		bool set;
		const char *text;
	} flags[] = {
	    {set->constant, "constant"},
	    {set->dynamic, "dynamic"},
	    {set->interval, "interval"},
	    {set->timeout, "timeout"},
	};
	bool any = false;

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		if (!flags[i].set)
			continue;
		buf_printf(out, "%s%s", any ? "," : "\t\tflags ", flags[i].text);
		any = true;
	}
	if (any)
		buf_puts(out, "\n");
	if (set->size)
		buf_printf(out, "\t\tsize %u\n", set->size);
	if (set->timeout_ms) {
		buf_puts(out, "\t\ttimeout ");
		words_duration(out, set->timeout_ms);
		buf_puts(out, "\n");
	}
}

/* Elements of sets share lines, those of maps have one each. */
static void print_elements(const struct ruleset_set *set, const struct listing_key *key,
			   struct buf *out)
{
	size_t line = out->len;

	if (set->element_count == 0)
		return;
	buf_puts(out, "\t\telements = { ");
	for (size_t i = 0; i < set->element_count; i++) {
		if (i > 0) {
			bool full = out->len - line > LINE_MAX - 40;

			buf_puts(out, set->map || full ? ",\n" : ", ");
			if (set->map || full) {
				line = out->len;
				buf_puts(out, "\t\t\t     ");
			}
		}
		listing_element(out, set, key, &set->elements[i]);
	}
	buf_puts(out, " }\n");
}

static void print_set(const struct ruleset_table *table, const struct ruleset_set *set,
		      struct buf *out)
{
	struct listing_key key;

	buf_printf(out, "\t%s %s {\n", set->map ? "map" : "set", set->name);
	if (listing_key_of(table, set, &key))
		print_type(set, &key, out);
	else
		buf_puts(out, "\t\t/* keys of unknown type */\n");
	print_flags(set, out);
	if (!set->dynamic)
		print_elements(set, &key, out);
	buf_puts(out, "\t}\n\n");
}

static void print_table(const struct ruleset_table *table, struct buf *out)
{
	buf_printf(out, "table %s %s {\n", ruleset_family_name(table->family), table->name);
	if (table->flags & NFT_TABLE_F_DORMANT)
		buf_puts(out, "\tflags dormant\n\n");
	if (table->flags & ~(uint32_t)NFT_TABLE_F_DORMANT)
		buf_puts(out, "\t# owned by a program, which alone may change it\n\n");
	for (size_t i = 0; i < table->set_count; i++)
		if (!table->sets[i].anonymous)
			print_set(table, &table->sets[i], out);
	for (size_t i = 0; i < table->chain_count; i++) {
		buf_puts(out, i ? "\n" : "");
		print_chain(table, &table->chains[i], out);
	}
	buf_puts(out, "}\n");
}

void ruleset_print(const struct ruleset *ruleset, struct buf *out)
{
	if (ruleset->incomplete)
		buf_printf(
		    out, "# The kernel holds objects beside these that are not listed here%s%s.\n",
		    ruleset->missing[0] ? ": " : "", ruleset->missing);
	for (size_t i = 0; i < ruleset->table_count; i++) {
		buf_puts(out, i ? "\n" : "");
		print_table(&ruleset->tables[i], out);
	}
}
