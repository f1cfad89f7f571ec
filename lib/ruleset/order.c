/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Canonical order, and finding things by it. */
#include "ruleset.h"
#include "search.h"

#include <string.h>

typedef int compare_fn(const void *, const void *);

/* Most rulesets arrive in order; qsort() on large elements is not cheap. */
static void sort(void *array, size_t count, size_t size, compare_fn *compare)
{
	const char *at = array;

	for (size_t i = 1; i < count; i++) {
		if (compare(at + (i - 1) * size, at + i * size) > 0) {
			qsort(array, count, size, compare);
			return;
		}
	}
}

static int order_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int order_values(const struct ruleset_value *a, const struct ruleset_value *b)
{
	int order = memcmp(a->bytes, b->bytes, a->len < b->len ? a->len : b->len);

	return order ? order : order_numbers(a->len, b->len);
}

/* The key decides; the rest only makes the order total, so that sorting twice changes nothing. */
static int order_elements(const void *a, const void *b)
{
	const struct ruleset_element *one = a, *two = b;
	int order = order_values(&one->key, &two->key);

	if (!order)
		order = order_values(&one->key_end, &two->key_end);
	if (!order)
		order = order_numbers(one->verdict.code, two->verdict.code);
	if (!order)
		order = strcmp(one->verdict.chain, two->verdict.chain);
	if (!order)
		order = order_values(&one->data, &two->data);
	return order;
}

static int order_tables(const void *a, const void *b)
{
	const struct ruleset_table *one = a, *two = b;
	int order = order_numbers(one->family, two->family);

	return order ? order : strcmp(one->name, two->name);
}

static int order_chains(const void *a, const void *b)
{
	const struct ruleset_chain *one = a, *two = b;

	return strcmp(one->name, two->name);
}

static int order_sets(const void *a, const void *b)
{
	const struct ruleset_set *one = a, *two = b;

	return strcmp(one->name, two->name);
}

static int order_devices(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void sort_table(struct ruleset_table *table)
{
	sort(table->chains, table->chain_count, sizeof(*table->chains), order_chains);
	sort(table->sets, table->set_count, sizeof(*table->sets), order_sets);
	for (size_t i = 0; i < table->chain_count; i++) {
		struct ruleset_chain *chain = &table->chains[i];

		sort(chain->devices, chain->device_count, sizeof(*chain->devices), order_devices);
	}
	for (size_t i = 0; i < table->set_count; i++) {
		struct ruleset_set *set = &table->sets[i];

		sort(set->elements, set->element_count, sizeof(*set->elements), order_elements);
		set->exact_fields = search_exact_fields(set);
	}
}

void ruleset_sort(struct ruleset *ruleset)
{
	sort(ruleset->tables, ruleset->table_count, sizeof(*ruleset->tables), order_tables);
	for (size_t i = 0; i < ruleset->table_count; i++)
		sort_table(&ruleset->tables[i]);
}

const struct ruleset_table *ruleset_find_table(const struct ruleset *ruleset,
					       enum ruleset_family family, const char *name)
{
	for (size_t i = 0; i < ruleset->table_count; i++)
		if (ruleset->tables[i].family == family &&
		    strcmp(ruleset->tables[i].name, name) == 0)
			return &ruleset->tables[i];
	return NULL;
}

/* Chains and sets may be thousands, so bisect first; what is not sorted yet is found by walking. */
const struct ruleset_chain *ruleset_find_chain(const struct ruleset_table *table, const char *name)
{
	size_t low = 0, high = table->chain_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(table->chains[middle].name, name);

		if (order == 0)
			return &table->chains[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t i = 0; i < table->chain_count; i++)
		if (strcmp(table->chains[i].name, name) == 0)
			return &table->chains[i];
	return NULL;
}

const struct ruleset_set *ruleset_find_set(const struct ruleset_table *table, const char *name)
{
	size_t low = 0, high = table->set_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(table->sets[middle].name, name);

		if (order == 0)
			return &table->sets[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t i = 0; i < table->set_count; i++)
		if (strcmp(table->sets[i].name, name) == 0)
			return &table->sets[i];
	return NULL;
}
