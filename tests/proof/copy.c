/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "copy.h"

#include <string.h>

/* lib/ruleset takes an array for full when its count is zero or a power of two, so the room of each
 * copy is the count rounded up to one. */
static size_t room_for(size_t count)
{
	size_t room = 1;

	while (room < count)
		room *= 2;
	return room;
}

/* Make *array one of its own. Sets *error and leaves NULL if memory is short. */
static void *own(const void *array, size_t count, size_t size, bool *error)
{
	void *copy;

	if (count == 0)
		return NULL;
	copy = calloc(room_for(count), size);
	if (!copy) {
		*error = true;
		return NULL;
	}
	memcpy(copy, array, count * size);
	return copy;
}

static void own_chain(struct ruleset_chain *chain, bool *error)
{
	size_t count = chain->rule_count;

	chain->devices = own(chain->devices, chain->device_count, sizeof(*chain->devices), error);
	chain->rules = own(chain->rules, count, sizeof(*chain->rules), error);
	if (!chain->devices)
		chain->device_count = 0;
	if (!chain->rules)
		chain->rule_count = 0;
	for (size_t i = 0; i < chain->rule_count; i++) {
		struct ruleset_rule *rule = &chain->rules[i];

		rule->expressions =
		    own(rule->expressions, rule->count, sizeof(*rule->expressions), error);
		if (!rule->expressions)
			rule->count = 0;
	}
}

static void own_table(struct ruleset_table *table, bool *error)
{
	table->chains = own(table->chains, table->chain_count, sizeof(*table->chains), error);
	table->sets = own(table->sets, table->set_count, sizeof(*table->sets), error);
	if (!table->chains)
		table->chain_count = 0;
	if (!table->sets)
		table->set_count = 0;
	for (size_t i = 0; i < table->chain_count; i++)
		own_chain(&table->chains[i], error);
	for (size_t i = 0; i < table->set_count; i++) {
		struct ruleset_set *set = &table->sets[i];

		set->elements =
		    own(set->elements, set->element_count, sizeof(*set->elements), error);
		set->element_room = set->elements ? room_for(set->element_count) : 0;
		if (!set->elements)
			set->element_count = 0;
	}
}

struct ruleset *ruleset_copy(const struct ruleset *ruleset)
{
	struct ruleset *copy = ruleset_new();
	bool error = false;

	if (!copy)
		return NULL;
	*copy = *ruleset;
	copy->tables = own(copy->tables, copy->table_count, sizeof(*copy->tables), &error);
	if (!copy->tables)
		copy->table_count = 0;
	for (size_t i = 0; i < copy->table_count; i++)
		own_table(&copy->tables[i], &error);
	return error ? ruleset_free(copy) : copy;
}

bool copy_push_expression(struct ruleset_rule *rule, const struct ruleset_expression *expression)
{
	struct ruleset_expression *expressions;

	expressions =
	    reallocarray(rule->expressions, room_for(rule->count + 1), sizeof(*expressions));
	if (!expressions)
		return false;
	rule->expressions = expressions;
	expressions[rule->count++] = *expression;
	return true;
}

bool copy_push_element(struct ruleset_set *set, const struct ruleset_element *element)
{
	size_t room = room_for(set->element_count + 1);
	struct ruleset_element *elements = reallocarray(set->elements, room, sizeof(*elements));

	if (!elements)
		return false;
	set->elements = elements;
	set->element_room = room;
	elements[set->element_count++] = *element;
	return true;
}

struct ruleset_rule *copy_insert_rule(struct ruleset_chain *chain, size_t at)
{
	struct ruleset_rule *rules;

	rules = reallocarray(chain->rules, room_for(chain->rule_count + 1), sizeof(*rules));
	if (!rules)
		return NULL;
	chain->rules = rules;
	memmove(rules + at + 1, rules + at, (chain->rule_count - at) * sizeof(*rules));
	chain->rule_count++;
	rules[at] = (struct ruleset_rule){0};
	return &rules[at];
}

bool copy_duplicate_rule(struct ruleset_chain *chain, size_t at)
{
	struct ruleset_rule *made = copy_insert_rule(chain, at + 1);
	const struct ruleset_rule *rule;

	if (!made)
		return false;
	rule = &chain->rules[at];
	for (size_t i = 0; i < rule->count; i++)
		if (!copy_push_expression(made, &rule->expressions[i]))
			return false;
	return true;
}

/* Close the gap that element @at of @count leaves. */
static void close_gap(void *array, size_t at, size_t *count, size_t size)
{
	char *gap = (char *)array + at * size;

	(*count)--;
	memmove(gap, gap + size, (*count - at) * size);
}

void copy_delete_expression(struct ruleset_rule *rule, size_t at)
{
	close_gap(rule->expressions, at, &rule->count, sizeof(*rule->expressions));
}

void copy_delete_element(struct ruleset_set *set, size_t at)
{
	close_gap(set->elements, at, &set->element_count, sizeof(*set->elements));
}

void copy_delete_rule(struct ruleset_chain *chain, size_t at)
{
	free(chain->rules[at].expressions);
	close_gap(chain->rules, at, &chain->rule_count, sizeof(*chain->rules));
}

void copy_delete_chain(struct ruleset_table *table, size_t at)
{
	struct ruleset_chain *chain = &table->chains[at];

	while (chain->rule_count > 0)
		copy_delete_rule(chain, chain->rule_count - 1);
	free(chain->rules);
	free(chain->devices);
	close_gap(table->chains, at, &table->chain_count, sizeof(*table->chains));
}

void copy_delete_set(struct ruleset_table *table, size_t at)
{
	free(table->sets[at].elements);
	close_gap(table->sets, at, &table->set_count, sizeof(*table->sets));
}

void copy_delete_table(struct ruleset *ruleset, size_t at)
{
	struct ruleset_table *table = &ruleset->tables[at];

	while (table->chain_count > 0)
		copy_delete_chain(table, table->chain_count - 1);
	while (table->set_count > 0)
		copy_delete_set(table, table->set_count - 1);
	free(table->chains);
	free(table->sets);
	close_gap(ruleset->tables, at, &ruleset->table_count, sizeof(*ruleset->tables));
}
