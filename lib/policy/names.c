/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "names.h"

#include <stdint.h>
#include <string.h>

/* FNV-1a. */
static size_t hash(const char *text)
{
	uint64_t value = 0xcbf29ce484222325u;

	for (; *text; text++)
		value = (value ^ (unsigned char)*text) * 0x100000001b3u;
	return (size_t)(value ^ value >> 32);
}

/* Where @text is, or the free slot where it would be. The table is never full. */
static struct names_slot *find_slot(struct names_slot *slots, size_t room, const char *text)
{
	size_t i = hash(text) & (room - 1);

	while (slots[i].text[0] && strcmp(slots[i].text, text) != 0)
		i = (i + 1) & (room - 1);
	return &slots[i];
}

static int names_grow(struct names *names)
{
	size_t room = names->room ? names->room * 2 : 16;
	struct names_slot *slots = calloc(room, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < names->room; i++)
		if (names->slots[i].text[0])
			*find_slot(slots, room, names->slots[i].text) = names->slots[i];
	free(names->slots);
	names->slots = slots;
	names->room = room;
	return 0;
}

int names_add(struct names *names, const char *text, size_t value)
{
	struct names_slot *slot;
	int r;

	if (names->count >= names->room / 2) {
		r = names_grow(names);
		if (r < 0)
			return r;
	}
	slot = find_slot(names->slots, names->room, text);
	snprintf(slot->text, sizeof(slot->text), "%s", text);
	slot->value = value;
	names->count++;
	return 0;
}

bool names_find(const struct names *names, const char *text, size_t *ret_value)
{
	const struct names_slot *slot;

	if (names->room == 0 || text[0] == '\0')
		return false;
	slot = find_slot(names->slots, names->room, text);
	if (!slot->text[0])
		return false;
	*ret_value = slot->value;
	return true;
}

void names_done(struct names *names)
{
	free(names->slots);
	*names = (struct names){0};
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* How many letters must be changed, added, left out or exchanged with their neighbour to make one
 * word of the other. Both are at most POLICY_NAME_MAX bytes long. */
static size_t distance(const char *a, const char *b)
{
	size_t rows[3][POLICY_NAME_MAX + 1];
	size_t *before = rows[0], *last = rows[1], *row = rows[2];
	size_t length_a = strlen(a), length_b = strlen(b);

	for (size_t j = 0; j <= length_b; j++)
		last[j] = j;
	for (size_t i = 1; i <= length_a; i++) {
		size_t *spare = before;

		row[0] = i;
		for (size_t j = 1; j <= length_b; j++) {
			size_t change = last[j - 1] + (a[i - 1] != b[j - 1]);

			row[j] = least(change, least(last[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], before[j - 2] + 1);
		}
		before = last;
		last = row;
		row = spare;
	}
	return last[length_b];
}

void suggest_offer(struct suggestion *suggestion, const char *candidate)
{
	size_t length = strlen(suggestion->wrong), d;
	size_t most = length <= 4 ? 1 : length <= 8 ? 2 : 3;

	if (length > POLICY_NAME_MAX || strlen(candidate) > POLICY_NAME_MAX)
		return;
	d = distance(suggestion->wrong, candidate);
	if (d > most || (suggestion->best[0] && d >= suggestion->distance))
		return;
	snprintf(suggestion->best, sizeof(suggestion->best), "%s", candidate);
	suggestion->distance = d;
}

void suggest_names(struct suggestion *suggestion, const struct names *names)
{
	for (size_t i = 0; i < names->room; i++)
		if (names->slots[i].text[0])
			suggest_offer(suggestion, names->slots[i].text);
}
