/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a connection knows to be its own, or to be visible to it. What is not kept is not visible. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <torctl/command.h>

#define SEEN_NUMBERS_MAX 1024
#define SEEN_ONIONS_MAX	 32

/* Numbers of streams or circuits. Zero-initialised it is empty. */
struct seen_numbers {
	uint64_t list[SEEN_NUMBERS_MAX];
	size_t count;
};

bool seen_has(const struct seen_numbers *numbers, uint64_t number);
/* When it is full the oldest gives way. */
void seen_add(struct seen_numbers *numbers, uint64_t number);
void seen_remove(struct seen_numbers *numbers, uint64_t number);

/* Addresses of onion services. Zero-initialised it is empty. */
struct seen_onions {
	char list[SEEN_ONIONS_MAX][TORCTL_ONION_ID + 1];
	size_t count;
};

bool seen_has_onion(const struct seen_onions *onions, const char *id);
bool seen_is_full(const struct seen_onions *onions);
/* @id must be an onion's, and there must be room. */
void seen_add_onion(struct seen_onions *onions, const char *id);
void seen_remove_onion(struct seen_onions *onions, const char *id);
