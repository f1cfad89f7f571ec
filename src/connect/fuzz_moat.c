/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as an answer of the service, and as the file that says where it is. What is understood goes
 * on in lines that lethe-connectd understands to their end. */
#include "moat.h"

#include <string.h>

#include <base/fuzz.h>

#include "heard.h"

static void check_lines(const struct moat_answer *answer)
{
	static struct torctl_bridges bridges;
	AUTO_BUF struct buf text = {.cap = 1 << 20};
	struct event event = {0};
	unsigned builtin = 0;
	int r = 0;

	bridges.count = 0;
	moat_answer_write(answer, &text);
	REQUIRE(buf_finish(&text) == 0);
	for (const char *at = buf_text(&text), *end = at + text.len; at < end;) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));

		REQUIRE(stop && r == 0);
		r = heard_settings(at, (size_t)(stop - at), &bridges, &builtin, &event);
		at = stop + 1;
	}
	REQUIRE(r == 1);
	REQUIRE(bridges.count == answer->bridges.count && builtin == answer->builtin);
	REQUIRE(event.settings.outcome == (answer->none ? SETTINGS_EMPTY : SETTINGS_FOUND));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct moat_answer answer;
	struct moat_place place = {0};
	struct diag diag = {0};
	int r = moat_answer_read((const char *)data, size, &answer);

	REQUIRE(r == 0 || r == -EBADMSG);
	if (r == 0)
		check_lines(&answer);
	r = moat_place_read((const char *)data, size, &place, &diag);
	REQUIRE(r == 0 || r == -ENOENT || (r == -EINVAL && diag.message[0]));
	REQUIRE(r < 0 || (place.service[0] && place.transport[0]));
	return 0;
}
