/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Each set, and each of its elements, changed alone. */
#include "mutate-internal.h"

#include <string.h>

#define STRANGER 64999u /* a user that no policy here names */

/* One part of a key, as rules load them: each starts at a multiple of 4. */
struct part {
	size_t at, len;
};

static size_t parts_of(const struct ruleset_set *set, struct part parts[static 4])
{
	size_t at = 0;

	if (set->field_count == 0 || set->field_count > ARRAY_SIZE(set->fields)) {
		parts[0] = (struct part){0, set->key_len};
		return 1;
	}
	for (size_t i = 0; i < set->field_count; i++) {
		parts[i] = (struct part){at, set->fields[i]};
		at += (set->fields[i] + 3u) / 4 * 4;
	}
	return set->field_count;
}

static const struct ruleset_value *last_of(const struct ruleset_element *element)
{
	return element->key_end.len ? &element->key_end : &element->key;
}

static bool overlap(const struct ruleset_set *set, const struct ruleset_element *a,
		    const struct ruleset_element *b)
{
	struct part parts[4];
	size_t count = parts_of(set, parts);

	for (size_t i = 0; i < count; i++) {
		size_t at = parts[i].at, len = parts[i].len;

		if (memcmp(a->key.bytes + at, last_of(b)->bytes + at, len) > 0 ||
		    memcmp(b->key.bytes + at, last_of(a)->bytes + at, len) > 0)
			return false;
	}
	return true;
}

/* Would the kernel have the set? Element @changed is new; the others do not overlap. */
static bool is_legal(const struct ruleset_set *set, size_t changed)
{
	const struct ruleset_element *element = &set->elements[changed];
	struct part parts[4];
	size_t count = parts_of(set, parts);

	for (size_t i = 0; i < count; i++)
		if (memcmp(element->key.bytes + parts[i].at, last_of(element)->bytes + parts[i].at,
			   parts[i].len) > 0)
			return false;
	for (size_t i = 0; i < set->element_count; i++)
		if (i != changed && overlap(set, element, &set->elements[i]))
			return false;
	return true;
}

static void put(struct mutate *m, size_t at, const struct ruleset_element *element,
		const char *kind, const char *how)
{
	struct ruleset *copy = mutate_begin(m);
	struct ruleset_set *set;

	if (!copy)
		return;
	set = mutate_set(m, copy);
	set->elements[at] = *element;
	if (is_legal(set, at))
		mutate_end(m, copy, kind, "element %zu: %s", at + 1, how);
	else
		ruleset_free(copy);
}

/* Nothing is done with what the set holds already. */
static void add(struct mutate *m, const struct ruleset_element *element, const char *how)
{
	struct ruleset *copy = mutate_begin(m);
	struct ruleset_set *set;

	if (!copy)
		return;
	set = mutate_set(m, copy);
	if (!copy_push_element(set, element)) {
		mutate_fail(m, copy);
		return;
	}
	/* Not full, as the kernel would have it. */
	if (set->size)
		set->size++;
	if (is_legal(set, set->element_count - 1))
		mutate_end(m, copy, "element added", "%s", how);
	else
		ruleset_free(copy);
}

static void change_keys(struct mutate *m, size_t at)
{
	const struct ruleset_element *was = &m->set->elements[at];
	struct ruleset_element element = *was;
	struct mutate_change change = {0};
	struct part parts[4];
	size_t count = parts_of(m->set, parts);
	char how[100];

	for (size_t p = 0; p < count; p++) {
		for (unsigned i = 0;
		     mutate_value(&was->key, parts[p].at, parts[p].len, false, i, &change); i++) {
			element.key = change.value;
			snprintf(how, sizeof(how), "key, part %zu: %s", p + 1, change.how);
			put(m, at, &element, "element's key changed", how);
		}
		element = *was;
		if (!m->set->interval)
			continue;
		for (unsigned i = 0;
		     mutate_value(last_of(was), parts[p].at, parts[p].len, false, i, &change);
		     i++) {
			element.key_end = change.value;
			snprintf(how, sizeof(how), "end, part %zu: %s", p + 1, change.how);
			put(m, at, &element, "element's end changed", how);
		}
		element = *was;
	}
}

static void change_leads(struct mutate *m, size_t at)
{
	const struct ruleset_element *was = &m->set->elements[at];
	struct ruleset_element element = *was;
	struct mutate_change change = {0};
	char text[96];

	if (m->set->verdict_map)
		for (unsigned i = 0; mutate_verdict(m, &was->verdict, i, &element.verdict); i++)
			put(m, at, &element, "element's verdict changed",
			    mutate_verdict_text(&element.verdict, text));
	else if (m->set->map)
		for (unsigned i = 0; mutate_value(&was->data, 0, was->data.len, false, i, &change);
		     i++) {
			element.data = change.value;
			put(m, at, &element, "element's data changed", change.how);
		}
}

static void change_element(struct mutate *m, size_t at)
{
	const struct ruleset_element *was = &m->set->elements[at];
	struct ruleset *copy = mutate_begin(m);
	struct ruleset_element element;
	struct mutate_change change = {0};
	struct part parts[4];
	size_t count = parts_of(m->set, parts);
	char how[100];

	if (!copy)
		return;
	copy_delete_element(mutate_set(m, copy), at);
	mutate_end(m, copy, "element removed", "element %zu: removed", at + 1);
	change_keys(m, at);
	change_leads(m, at);

	/* Its neighbours, leading where it does. */
	for (size_t p = 0; p < count; p++) {
		for (unsigned down = 0; down < 2; down++) {
			const struct ruleset_value *from = down ? &was->key : last_of(was);

			if (!mutate_value(from, parts[p].at, parts[p].len, false, down, &change))
				continue;
			element = *was;
			element.key = change.value;
			if (m->set->interval)
				element.key_end = change.value;
			snprintf(how, sizeof(how), "a neighbour of element %zu, part %zu: %s",
				 at + 1, p + 1, change.how);
			add(m, &element, how);
		}
	}
}

/* Does an element before the one at @at differ from it in its user only? */
static bool same_but_user(const struct ruleset_set *set, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (memcmp(set->elements[i].key.bytes + 4, set->elements[at].key.bytes + 4,
			   set->key_len - 4) == 0)
			return true;
	return false;
}

/* The key of zeros; in a verdict map, which begins with a user here, an acceptance of each
 * element's key for a user that is not named. */
static void add_elements(struct mutate *m)
{
	const struct ruleset_set *set = m->set;
	struct ruleset_element element = {
	    .key = {.len = (uint8_t)set->key_len},
	    .data = {.len = (uint8_t)(set->map ? set->data_len : 0)},
	    .verdict = {.code = set->verdict_map ? RULESET_ACCEPT : RULESET_NONE}};
	const uint32_t stranger = STRANGER;
	char how[100];

	if (set->interval)
		element.key_end = element.key;
	add(m, &element, "the key of zeros");
	for (size_t i = 0; set->verdict_map && set->key_len >= 4 && i < set->element_count; i++) {
		element = set->elements[i];
		if (same_but_user(set, i))
			continue;
		memcpy(element.key.bytes, &stranger, sizeof(stranger));
		if (element.key_end.len)
			memcpy(element.key_end.bytes, &stranger, sizeof(stranger));
		element.verdict = (struct ruleset_verdict){.code = RULESET_ACCEPT};
		snprintf(how, sizeof(how),
			 "the key of element %zu for a user that is not named, accept", i + 1);
		add(m, &element, how);
	}
}

enum flag { FLAG_CONSTANT, FLAG_INTERVAL, FLAG_DYNAMIC, FLAG_TIMEOUT, FLAG_SIZE, FLAGS };

/* Flags as the kernel could have them for these elements. */
static void change_flag(struct mutate *m, enum flag flag)
{
	static const char *const names[] = {"constant", "interval", "dynamic", "timeout", "size"};
	struct ruleset *copy;
	struct ruleset_set *set;

	if (flag == FLAG_INTERVAL && (m->set->interval || m->set->dynamic))
		return;
	copy = mutate_begin(m);
	if (!copy)
		return;
	set = mutate_set(m, copy);
	if (flag == FLAG_CONSTANT)
		set->constant = !set->constant;
	else if (flag == FLAG_INTERVAL)
		set->interval = true;
	else if (flag == FLAG_DYNAMIC)
		set->dynamic = !set->dynamic;
	else if (flag == FLAG_TIMEOUT)
		set->timeout = !set->timeout;
	else
		set->size += 7;
	mutate_end(m, copy, "set's flags changed", "%s changed", names[flag]);
}

void mutate_elements(struct mutate *m)
{
	struct ruleset *copy = mutate_begin(m);

	if (!copy)
		return;
	copy_delete_set(mutate_table(m, copy), m->s);
	mutate_end(m, copy, "set deleted", "deleted");
	for (unsigned flag = 0; flag < FLAGS; flag++)
		change_flag(m, (enum flag)flag);
	/* What a dynamic set holds comes and goes. */
	if (m->set->dynamic)
		return;
	for (size_t i = 0; i < m->set->element_count; i++)
		change_element(m, i);
	add_elements(m);
}
