/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Are two tables the same by construction? Anonymous sets get their names from the kernel, so they
 * are compared where a rule uses them, by what they hold.
 */
#include "difference.h"

#include <linux/netfilter/nf_tables.h>
#include <stdarg.h>
#include <string.h>

/* Where the comparison is, so that a difference can be told in words. */
struct place {
	const struct ruleset_table *a, *b;
	const char *kind, *name; /* "chain output", "set lan"; "" for the table itself */
	size_t rule, expression; /* from 1; 0 for none */
	struct buf *difference;
};

static bool differs(const struct place *place, const char *format, ...) PRINTF(2, 3);

/* Tell the difference. Always false, so that comparisons can end with it. */
static bool differs(const struct place *place, const char *format, ...)
{
	char text[256];
	va_list args;

	if (!place->difference)
		return false;
	if (*place->kind)
		buf_printf(place->difference, "%s %s", place->kind, place->name);
	else
		buf_printf(place->difference, "table %s", place->a->name);
	if (place->rule)
		buf_printf(place->difference, " rule %zu", place->rule);
	buf_puts(place->difference, ": ");
	if (place->expression)
		buf_printf(place->difference, "expression %zu: ", place->expression);
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	buf_puts(place->difference, text);
	return false;
}

static const struct ruleset_value *end_of(const struct ruleset_element *element)
{
	return element->key_end.len ? &element->key_end : &element->key;
}

/* Which part of two elements differs, or NULL. */
static const char *element_difference(const struct ruleset_set *set,
				      const struct ruleset_element *a,
				      const struct ruleset_element *b)
{
	if (!difference_same_value(&a->key, &b->key))
		return "key";
	if (set->interval && !difference_same_value(end_of(a), end_of(b)))
		return "end";
	if (set->verdict_map && !difference_same_verdict(&a->verdict, &b->verdict))
		return "verdict";
	if (set->map && !set->verdict_map && !difference_same_value(&a->data, &b->data))
		return "data";
	return NULL;
}

/* Everything but the names. */
static bool same_set(const struct place *place, const struct ruleset_set *a,
		     const struct ruleset_set *b)
{
	const char *field = FIRST_OF(
	    FIELD(anonymous), FIELD(constant), FIELD(interval), FIELD(map), FIELD(verdict_map),
	    FIELD(dynamic), FIELD(timeout), FIELD(key_type), FIELD(data_type), FIELD(key_len),
	    FIELD(data_len), FIELD(field_count), FIELD(size), FIELD(timeout_ms));

	if (!field && memcmp(a->fields, b->fields, sizeof(a->fields)) != 0)
		field = "fields";
	if (field)
		return differs(place, "set's %s differs", field);
	if (a->dynamic)
		return true;
	if (a->element_count != b->element_count)
		return differs(place, "%zu elements, not %zu", a->element_count, b->element_count);
	for (size_t i = 0; i < a->element_count; i++) {
		field = element_difference(a, &a->elements[i], &b->elements[i]);
		if (field)
			return differs(place, "element %zu: %s differs", i + 1, field);
	}
	return true;
}

/* The same set by name, or anonymous sets that hold the same. */
static bool same_reference(const struct place *place, const char *a, const char *b)
{
	const struct ruleset_set *one = ruleset_find_set(place->a, a);
	const struct ruleset_set *two = ruleset_find_set(place->b, b);

	if (one && two && one->anonymous && two->anonymous)
		return same_set(place, one, two);
	if (strcmp(a, b) != 0)
		return differs(place, "set %s, not %s", a, b);
	return true;
}

static bool same_expression(const struct place *place, const struct ruleset_expression *a,
			    const struct ruleset_expression *b)
{
	const char *field;

	if (a->kind != b->kind)
		return differs(place, "%s, not %s", difference_kind(a->kind),
			       difference_kind(b->kind));
	/* What is not understood may differ where nobody looks. */
	if (a->kind == RULESET_UNKNOWN)
		return differs(place, "%s and %s cannot be compared", a->unknown.name,
			       b->unknown.name);
	field = difference_of(a, b);
	if (field)
		return differs(place, "%s differs", field);
	if (a->kind == RULESET_LOOKUP)
		return same_reference(place, a->lookup.set, b->lookup.set);
	if (a->kind == RULESET_DYNSET)
		return same_reference(place, a->dynset.set, b->dynset.set);
	return true;
}

static bool same_rule(struct place *place, const struct ruleset_rule *a,
		      const struct ruleset_rule *b)
{
	if (a->count != b->count)
		return differs(place, "%zu expressions, not %zu", a->count, b->count);
	for (size_t i = 0; i < a->count; i++) {
		place->expression = i + 1;
		if (!same_expression(place, &a->expressions[i], &b->expressions[i]))
			return false;
	}
	place->expression = 0;
	return true;
}

static bool same_devices(const struct place *place, const struct ruleset_chain *a,
			 const struct ruleset_chain *b)
{
	if (a->every_device != b->every_device)
		return differs(place, "bound to every device in one, to named ones in the other");
	if (a->every_device)
		return true;
	for (size_t i = 0; i < a->device_count && i < b->device_count; i++)
		if (strcmp(a->devices[i], b->devices[i]) != 0)
			return differs(place, "device %s, not %s", a->devices[i], b->devices[i]);
	if (a->device_count != b->device_count)
		return differs(place, "%zu devices, not %zu", a->device_count, b->device_count);
	return true;
}

static bool same_base(const struct place *place, const struct ruleset_chain *a,
		      const struct ruleset_chain *b)
{
	const char *field;

	if (a->base != b->base)
		return differs(place, "a base chain in one, not in the other");
	if (!a->base)
		return true;
	field = FIRST_OF(FIELD(type), FIELD(hook), FIELD(priority), FIELD(policy));
	if (field)
		return differs(place, "%s differs", field);
	return same_devices(place, a, b);
}

static bool same_chain(struct place *place, const struct ruleset_chain *a,
		       const struct ruleset_chain *b)
{
	place->kind = "chain";
	place->name = a->name;
	if (!same_base(place, a, b))
		return false;
	for (size_t i = 0; i < a->rule_count && i < b->rule_count; i++) {
		place->rule = i + 1;
		if (!same_rule(place, &a->rules[i], &b->rules[i]))
			return false;
	}
	place->rule = 0;
	if (a->rule_count != b->rule_count)
		return differs(place, "%zu rules, not %zu", a->rule_count, b->rule_count);
	return true;
}

static bool same_chains(struct place *place)
{
	const struct ruleset_table *a = place->a, *b = place->b;

	for (size_t i = 0, j = 0; i < a->chain_count || j < b->chain_count; i++, j++) {
		int order = i == a->chain_count   ? 1
			    : j == b->chain_count ? -1
						  : strcmp(a->chains[i].name, b->chains[j].name);

		place->kind = "";
		if (order != 0)
			return differs(place, "chain %s is in one only",
				       order < 0 ? a->chains[i].name : b->chains[j].name);
		if (!same_chain(place, &a->chains[i], &b->chains[j]))
			return false;
	}
	return true;
}

static size_t next_named(const struct ruleset_table *table, size_t at)
{
	while (at < table->set_count && table->sets[at].anonymous)
		at++;
	return at;
}

static bool same_named_sets(struct place *place)
{
	const struct ruleset_table *a = place->a, *b = place->b;
	size_t i = next_named(a, 0), j = next_named(b, 0);

	while (i < a->set_count || j < b->set_count) {
		int order = i == a->set_count   ? 1
			    : j == b->set_count ? -1
						: strcmp(a->sets[i].name, b->sets[j].name);

		place->kind = "";
		if (order != 0)
			return differs(place, "set %s is in one only",
				       order < 0 ? a->sets[i].name : b->sets[j].name);
		place->kind = "set";
		place->name = a->sets[i].name;
		if (!same_set(place, &a->sets[i], &b->sets[j]))
			return false;
		i = next_named(a, i + 1);
		j = next_named(b, j + 1);
	}
	return true;
}

/* Of the flags only "dormant" decides anything; who owns a table does not. */
bool ruleset_table_equal(const struct ruleset_table *a, const struct ruleset_table *b,
			 struct buf *difference)
{
	struct place place = {.a = a, .b = b, .kind = "", .difference = difference};

	if (a->family != b->family)
		return differs(&place, "family differs");
	if (strcmp(a->name, b->name) != 0)
		return differs(&place, "its name in the other is %s", b->name);
	if ((a->flags ^ b->flags) & NFT_TABLE_F_DORMANT)
		return differs(&place, "dormant in one, not in the other");
	return same_named_sets(&place) && same_chains(&place);
}
