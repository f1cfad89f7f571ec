/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any text as a packet. What is read, written and read again is the same packet, and can be
 * encoded. */
#include <stdio.h>
#include <string.h>

#include <base/fuzz.h>

#include "spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_BUF struct buf once = {.cap = 1024}, twice = {.cap = 1024};
	AUTO_FREE char *text = calloc(1, size + 1);
	struct packet packet, again;
	struct packet_bytes bytes;
	int r;

	if (!text)
		return 0;
	memcpy(text, data, size);
	r = packet_spec_parse(text, &packet);
	REQUIRE(r == 0 || r == -EINVAL);
	if (r < 0)
		return 0;
	packet_spec_print(&packet, &once);
	REQUIRE(buf_finish(&once) == 0);
	REQUIRE(packet_spec_parse(buf_text(&once), &again) == 0);
	packet_spec_print(&again, &twice);
	REQUIRE(buf_finish(&twice) == 0 && strcmp(buf_text(&once), buf_text(&twice)) == 0);
	packet_encode(&packet, &bytes);
	REQUIRE(bytes.len <= sizeof(bytes.data));
	return 0;
}
