/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "test_facts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

const struct links links_linked = {
    .list = {{"enp0s2", true, true, true}, {"wlan0", false, false, false}}, .count = 2};
const struct links links_unlinked = {.list = {{"enp0s2", true, false, false}}, .count = 1};

static struct answer answer_of(const char *text, const char *good)
{
	static const struct {
		const char *name;
		int error;
	} errors[] = {{GONE, -ENOENT}, {LATE, -ETIMEDOUT}, {LONG, -E2BIG}, {SILENT, -ENODATA}};

	text = text ? text : good;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		if (strcmp(text, errors[i].name) == 0)
			return answer_parse(errors[i].error, "", 0);
	return answer_parse(0, text, strlen(text));
}

void facts_done(struct facts *facts)
{
	answer_done(&facts->wall);
	answer_done(&facts->proof);
	answer_done(&facts->proved);
	answer_done(&facts->tor);
	answer_done(&facts->medium);
	answer_done(&facts->boot);
	answer_done(&facts->guard);
	answer_done(&facts->watch);
}

struct facts facts_of(const struct inputs *inputs)
{
	return (struct facts){
	    .live = !inputs->installed,
	    .wall = answer_of(inputs->wall, WALL_GOOD),
	    .proof = answer_of(inputs->proof, PROOF_GOOD),
	    .proved = answer_of(inputs->proved, PROOF_GOOD),
	    .tor = answer_of(inputs->tor, TOR_GOOD),
	    .medium = answer_of(inputs->medium, inputs->installed ? GONE : MEDIUM_GOOD),
	    .boot = answer_of(inputs->boot, inputs->installed ? GONE : BOOT),
	    .guard = answer_of(inputs->guard, GUARD_GOOD),
	    .guard_lives = !inputs->guard_died,
	    .watch = answer_of(inputs->watch, WATCH_GOOD),
	    .watch_lives = !inputs->watch_died,
	    .links = inputs->links ? *inputs->links : links_linked,
	};
}

void check_output(const struct report *report, const struct facts *facts)
{
	AUTO_BUF struct buf text = {.cap = 1 << 20}, json = {.cap = 8 << 20};
	json_t *again;

	report_text(report, "0.1.0", false, &text);
	assert_int_equal(buf_finish(&text), 0);
	for (const char *line = text.data; *line;) {
		size_t length = strcspn(line, "\n");

		assert_true(length > 0 && length <= 80);
		for (size_t i = 0; i < length; i++)
			assert_in_range((unsigned char)line[i], 0x20, 0x7e);
		line += length + 1;
	}
	assert_int_equal(report_json(report, facts, "0.1.0", &json), 0);
	for (size_t i = 0; i + 1 < json.len; i++)
		assert_in_range((unsigned char)json.data[i], 0x20, 0x7e);
	again = json_loads(buf_text(&json), JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(again);
	json_decref(again);
}
