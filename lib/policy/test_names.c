/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "names.h"

#include <string.h>

#include "test_util.h"

static void find(void **state)
{
	struct names names = {0};
	size_t value = 7;

	assert_false(names_find(&names, "a", &value));
	/* Enough to grow several times, with names that differ in one byte. */
	for (unsigned i = 0; i < 5000; i++) {
		char text[POLICY_NAME_MAX + 1];

		snprintf(text, sizeof(text), "name-%u", i);
		assert_int_equal(names_add(&names, text, i * 3), 0);
	}
	assert_int_equal(names.count, 5000);
	for (unsigned i = 0; i < 5000; i++) {
		char text[POLICY_NAME_MAX + 1];

		snprintf(text, sizeof(text), "name-%u", i);
		assert_true(names_find(&names, text, &value));
		assert_int_equal(value, i * 3);
	}
	value = 7;
	assert_false(names_find(&names, "name-5000", &value));
	assert_false(names_find(&names, "name-", &value));
	assert_false(names_find(&names, "", &value));
	assert_int_equal(value, 7);
	names_done(&names);
	assert_false(names_find(&names, "name-1", &value));
}

/* What is suggested for @wrong when @candidates (up to a NULL) are offered in this order. */
static const char *suggest(const char *wrong, const char *const *candidates)
{
	static char best[POLICY_NAME_MAX + 1];
	struct suggestion suggestion = {.wrong = wrong};

	for (; *candidates; candidates++)
		suggest_offer(&suggestion, *candidates);
	memcpy(best, suggestion.best, sizeof(best));
	return best;
}

#define SUGGEST(wrong, ...) suggest(wrong, (const char *const[]){__VA_ARGS__, NULL})

static void suggestions(void **state)
{
	assert_string_equal(SUGGEST("alow", "forbid", "allow", "lan"), "allow");
	/* Letters changed, added, left out, exchanged. */
	assert_string_equal(SUGGEST("amnezia", "amnesia"), "amnesia");
	assert_string_equal(SUGGEST("amnsia", "amnesia"), "amnesia");
	assert_string_equal(SUGGEST("amneesia", "amnesia"), "amnesia");
	assert_string_equal(SUGGEST("amensia", "amnesia"), "amnesia");
	/* The nearest, wherever it stands; of two as near, the first. */
	assert_string_equal(SUGGEST("privat", "private", "privates"), "private");
	assert_string_equal(SUGGEST("privat", "privates", "private"), "private");
	assert_string_equal(SUGGEST("sockt", "socks", "sockz"), "socks");
	/* Too far to be what was meant. */
	assert_string_equal(SUGGEST("lan", "web"), "");
	assert_string_equal(SUGGEST("root", "boat"), "");
	assert_string_equal(SUGGEST("postgres", "amnesia", "root"), "");
	assert_string_equal(SUGGEST("a-name-that-is-longer-than-any-may-be", "a-name"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(find),
	    cmocka_unit_test(suggestions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
