/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sets and maps: constant ones as tables of decision diagrams, dynamic ones as memory. */
#include "run.h"

#include <string.h>

#define VALUES_MAX 4096 /* different values of one map */

static const char not_loaded[] = "registers are used that the rule has not loaded";

/* The last key of an element: its only one, unless it is a range. */
static const uint8_t *end_of(const struct ruleset_element *element)
{
	return element->key_end.len ? element->key_end.bytes : element->key.bytes;
}

static bool same_value(const struct ruleset_element *a, const struct ruleset_element *b)
{
	return a->verdict.code == b->verdict.code &&
	       strcmp(a->verdict.chain, b->verdict.chain) == 0 && a->data.len == b->data.len &&
	       memcmp(a->data.bytes, b->data.bytes, a->data.len) == 0;
}

/* The elements as rows, and which of them stand for the different values. */
struct rows {
	struct diagram_row *rows;
	size_t *samples; /* an element of each value */
	size_t values;
};

static void rows_done(struct rows *rows)
{
	free(rows->rows);
	free(rows->samples);
}

static int rows_make(const struct ruleset_set *set, struct rows *rows)
{
	rows->rows = calloc(set->element_count + 1, sizeof(*rows->rows));
	rows->samples = calloc(VALUES_MAX, sizeof(*rows->samples));
	if (!rows->rows || !rows->samples)
		return -ENOMEM;
	for (size_t i = 0; i < set->element_count; i++) {
		const struct ruleset_element *element = &set->elements[i];
		size_t value = set->map ? 0 : rows->values;

		/* Neighbours are often alike; then the rest, from the start. */
		if (i > 0 && same_value(element, &set->elements[i - 1]))
			value = rows->rows[i - 1].value;
		else
			for (value = 0; value < rows->values; value++)
				if (same_value(element, &set->elements[rows->samples[value]]))
					break;
		if (value == VALUES_MAX)
			return -E2BIG;
		if (value == rows->values)
			rows->samples[rows->values++] = i;
		rows->rows[i] = (struct diagram_row){.low = element->key.bytes,
						     .high = end_of(element),
						     .value = (uint32_t)value};
	}
	return 0;
}

/* Parts of the key: each ranges by itself, and is padded to whole registers. */
static size_t parts_of(const struct ruleset_set *set, unsigned parts[ARRAY_SIZE(set->fields)])
{
	size_t sum = 0;

	if (set->field_count == 0 || set->field_count > ARRAY_SIZE(set->fields)) {
		parts[0] = set->key_len;
		return set->field_count == 0;
	}
	for (size_t i = 0; i < set->field_count; i++) {
		parts[i] = (set->fields[i] + 3u) / 4 * 4;
		sum += parts[i];
	}
	return sum == set->key_len ? set->field_count : 0;
}

/* Functions that are a variable or a constant are given as such: then no function is needed. */
static void key_bits(struct run *run, const diagram *key, size_t len, unsigned *ret_bits)
{
	for (size_t i = 0; i < len * 8; i++) {
		ret_bits[i] = DIAGRAM_BIT_FUNCTION;
		if (key[i] == DIAGRAM_FALSE)
			ret_bits[i] = DIAGRAM_BIT_0;
		else if (key[i] == DIAGRAM_TRUE)
			ret_bits[i] = DIAGRAM_BIT_1;
		else if (diagram_low(run->space, key[i]) == DIAGRAM_FALSE &&
			 diagram_high(run->space, key[i]) == DIAGRAM_TRUE)
			ret_bits[i] = diagram_top(run->space, key[i]);
	}
}

/* For each value the packets whose key has it. 0; -EEXIST, -EINVAL: nothing can be said. */
static int values_of(struct run *run, const struct ruleset_set *set, const diagram *key,
		     const struct rows *rows, diagram *ret_values)
{
	unsigned bits[RULESET_DATA_MAX * 8], parts[ARRAY_SIZE(set->fields)];
	struct diagram_table table = {
	    .rows = rows->rows,
	    .row_count = set->element_count,
	    .part_bytes = parts,
	    .part_count = parts_of(set, parts),
	    .bits = bits,
	    .functions = key,
	};

	if (table.part_count == 0)
		return -EINVAL;
	key_bits(run, key, set->key_len, bits);
	return diagram_table(run->space, &table, rows->values, ret_values);
}

/* What a data map gives, bit by bit. */
static struct run_step take_data(struct run *run, const struct ruleset_expression *e,
				 const struct ruleset_set *set, const struct rows *rows,
				 const diagram *values, diagram live)
{
	diagram bits[RULESET_DATA_MAX * 8] = {0}, found = DIAGRAM_FALSE;

	for (size_t v = 0; v < rows->values; v++) {
		const struct ruleset_value *data = &set->elements[rows->samples[v]].data;

		if (data->len != set->data_len)
			return run_doubtful(run, live, "a data map without data");
		found = diagram_or(run->space, found, values[v]);
		for (size_t i = 0; i < (size_t)data->len * 8; i++)
			if (data->bytes[i / 8] >> (7 - i % 8) & 1)
				bits[i] = diagram_or(run->space, bits[i], values[v]);
	}
	if (!run_store(run, e->lookup.destination, bits, set->data_len))
		return run_doubtful(run, live, "a value does not fit into the registers");
	return run_go(found);
}

static struct run_step take(struct run *run, const struct ruleset_expression *e,
			    const struct ruleset_set *set, const struct rows *rows,
			    const diagram *values, diagram live, run_verdict *verdict, void *data)
{
	struct diagram_space *space = run->space;
	diagram found = DIAGRAM_FALSE;

	if (e->lookup.map && !e->lookup.verdict_map)
		return take_data(run, e, set, rows, values, live);
	for (size_t v = 0; v < rows->values; v++) {
		const struct ruleset_verdict *to = &set->elements[rows->samples[v]].verdict;

		found = diagram_or(space, found, values[v]);
		if (e->lookup.map)
			verdict(run, to, diagram_and(space, live, values[v]), data);
	}
	/* A verdict ends the rule, and what no element holds leaves it, too. */
	if (e->lookup.map)
		return run_go(DIAGRAM_FALSE);
	return run_go(e->lookup.inverted ? diagram_not(space, found) : found);
}

static struct run_step lookup_constant(struct run *run, const struct ruleset_expression *e,
				       const struct ruleset_set *set, const diagram *key,
				       diagram live, run_verdict *verdict, void *data)
{
	CLEANUP(rows_done) struct rows rows = {0};
	AUTO_FREE diagram *values = NULL;
	int r = rows_make(set, &rows);

	if (r == -ENOMEM) {
		run->error = r;
		return run_go(DIAGRAM_FALSE);
	}
	if (r < 0)
		return run_doubtful(run, live, "a map of more values than this model follows");
	values = calloc(rows.values + 1, sizeof(*values));
	if (!values) {
		run->error = -ENOMEM;
		return run_go(DIAGRAM_FALSE);
	}
	r = values_of(run, set, key, &rows, values);
	if (r == -EEXIST)
		return run_doubtful(run, live, "elements that overlap");
	if (r < 0)
		return run_doubtful(run, live, "a set whose keys are of no form that is known");
	return take(run, e, set, &rows, values, live, verdict, data);
}

static struct run_memory *remember(struct run *run, struct run_memory *list, size_t *count,
				   const struct ruleset_set *set, const diagram *key, diagram live)
{
	struct run_memory *memory;

	/* The same rule, met on another way. */
	for (size_t i = 0; i < *count; i++) {
		memory = &list[i];
		if (memory->rule == run->rule && memory->set == set &&
		    memcmp(memory->key, key, set->key_len * 8 * sizeof(*key)) == 0) {
			memory->packets = diagram_or(run->space, memory->packets, live);
			return memory;
		}
	}
	if (*count == RUN_MEMORY_MAX)
		return NULL;
	memory = &list[(*count)++];
	*memory = (struct run_memory){
	    .table = run->table,
	    .set = set,
	    .rule = run->rule,
	    .packets = live,
	    .key_len = set->key_len,
	};
	memcpy(memory->key, key, set->key_len * 8 * sizeof(*key));
	return memory;
}

/* What a dynamic set holds no packet says. On INPUT it may be what makes a packet expected. */
static struct run_step lookup_dynamic(struct run *run, const struct ruleset_expression *e,
				      const struct ruleset_set *set, const diagram *key,
				      diagram live)
{
	struct diagram_space *space = run->space;
	struct run_memory *question;
	diagram holds, packets;
	unsigned first;

	if (e->lookup.map)
		return run_doubtful(run, live, "what a dynamic map holds");
	question = remember(run, run->questions, &run->question_count, set, key, live);
	if (!question)
		return run_doubtful(run, live, "what a dynamic set holds");
	first = run_free_variables(run, RUN_FREE_MEMBER, (uint32_t)(question - run->questions), 1,
				   "a dynamic set holds the key");
	if (first == 0)
		return run_doubtful(run, live, "what a dynamic set holds");
	holds = diagram_variable(space, first);
	if (!ruleset_is_filled(run->table, set))
		holds = DIAGRAM_FALSE;
	else if (run->is_expected && run->is_expected(run, question, &packets, run->expected_data))
		holds = diagram_choose(space, packets, space_flag(space, SPACE_EXPECTED), holds);
	else
		return run_doubtful(run, live, "what a dynamic set holds");
	return run_go(e->lookup.inverted ? diagram_not(space, holds) : holds);
}

struct run_step run_lookup(struct run *run, const struct ruleset_expression *e, diagram live,
			   run_verdict *verdict, void *data)
{
	const struct ruleset_set *set = ruleset_find_set(run->table, e->lookup.set);
	const diagram *key;

	if (!set)
		return run_doubtful(run, live, "a set that does not exist");
	if (e->lookup.map &&
	    (e->lookup.inverted || !set->map || e->lookup.verdict_map != set->verdict_map))
		return run_doubtful(run, live, "a map of another kind than the rule's");
	key = run_view(run, e->lookup.reg, set->key_len);
	if (!key)
		return run_doubtful(run, live, not_loaded);
	if (set->dynamic)
		return lookup_dynamic(run, e, set, key, live);
	return lookup_constant(run, e, set, key, live, verdict, data);
}

/* A set that is full takes nothing more, and then the rule does not apply: nobody can say when. */
struct run_step run_dynset(struct run *run, const struct ruleset_expression *e, diagram live)
{
	const struct ruleset_set *set = ruleset_find_set(run->table, e->dynset.set);
	struct run_memory *write;
	const diagram *key;
	unsigned first;

	if (!set || !set->dynamic || set->map)
		return run_doubtful(run, live, "additions to a set that is not dynamic");
	key = run_view(run, e->dynset.reg, set->key_len);
	if (!key)
		return run_doubtful(run, live, not_loaded);
	write = remember(run, run->writes, &run->write_count, set, key, live);
	first = run_free_variables(run, RUN_FREE_ORACLE, (uint32_t)(e - run->rule->expressions), 1,
				   "a dynamic set has room");
	if (!write || first == 0)
		return run_doubtful(run, live, "more additions to sets than this model follows");
	write->timeout_ms = e->dynset.timeout_ms;
	return run_go(diagram_variable(run->space, first));
}
