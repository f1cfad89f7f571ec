/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the service answers, as text for people and as JSON for programs. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <base/json.h>

#define ENTRY_VALUES_MAX 48

/* One named value; its texts are borrowed from the answer. */
struct entry_value {
	const char *name;
	char type; /* 's', 't' or 'b', as in D-Bus */
	const char *text;
	uint64_t number; /* of 't' and 'b' */
};

struct entry {
	struct entry_value values[ENTRY_VALUES_MAX];
	size_t count;
};

/* Turns a user's number into a name; NULL if it has none. Borrowed until the next call. */
typedef const char *entry_user(uint32_t uid, void *data);

/* NULL or 0 if there is no such value, or it has another type. */
const char *entry_text(const struct entry *entry, const char *name);
uint64_t entry_number(const struct entry *entry, const char *name);
bool entry_truth(const struct entry *entry, const char *name);

/* All values as one object, with the key @key or none. */
void entry_json(const struct entry *entry, const char *key, struct json *json);

/* One refused thing in three or four lines. */
void entry_print(const struct entry *entry, entry_user *user, void *data, struct buf *out);

/* One line of a summary. */
void entry_print_summary(const struct entry *entry, entry_user *user, void *data,
			 struct buf *out);

/* Where the refusals come from, how many there were, and what is not known of them. @state has the
 * service's properties as values. */
void entry_print_state(const struct entry *state, struct buf *out);
