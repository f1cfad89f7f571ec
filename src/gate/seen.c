/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "seen.h"

#include <assert.h>
#include <string.h>

static size_t place_of(const struct seen_numbers *numbers, uint64_t number)
{
	size_t at = 0;

	while (at < numbers->count && numbers->list[at] != number)
		at++;
	return at;
}

bool seen_has(const struct seen_numbers *numbers, uint64_t number)
{
	return place_of(numbers, number) < numbers->count;
}

static void remove_at(struct seen_numbers *numbers, size_t at)
{
	numbers->count--;
	memmove(&numbers->list[at], &numbers->list[at + 1],
		(numbers->count - at) * sizeof(numbers->list[0]));
}

void seen_add(struct seen_numbers *numbers, uint64_t number)
{
	if (seen_has(numbers, number))
		return;
	if (numbers->count == SEEN_NUMBERS_MAX)
		remove_at(numbers, 0);
	numbers->list[numbers->count++] = number;
}

void seen_remove(struct seen_numbers *numbers, uint64_t number)
{
	size_t at = place_of(numbers, number);

	if (at < numbers->count)
		remove_at(numbers, at);
}

static size_t place_of_onion(const struct seen_onions *onions, const char *id)
{
	size_t at = 0;

	while (at < onions->count && strcmp(onions->list[at], id) != 0)
		at++;
	return at;
}

bool seen_has_onion(const struct seen_onions *onions, const char *id)
{
	return place_of_onion(onions, id) < onions->count;
}

bool seen_is_full(const struct seen_onions *onions)
{
	return onions->count == SEEN_ONIONS_MAX;
}

void seen_add_onion(struct seen_onions *onions, const char *id)
{
	if (seen_has_onion(onions, id))
		return;
	assert(torctl_is_onion(id) && !seen_is_full(onions));
	memcpy(onions->list[onions->count++], id, TORCTL_ONION_ID + 1);
}

void seen_remove_onion(struct seen_onions *onions, const char *id)
{
	size_t at = place_of_onion(onions, id);

	if (at == onions->count)
		return;
	onions->count--;
	memcpy(onions->list[at], onions->list[onions->count], sizeof(onions->list[0]));
}
