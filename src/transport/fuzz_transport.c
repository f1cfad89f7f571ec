/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as what a transport says. How they are cut into pieces changes nothing; it is ready
 * only with one port, that a line of the specification names; what it said before is forgotten.
 */
#include "pt.h"

#include <string.h>

#include <base/fuzz.h>

#define NAME "obfs4"

/* The line that a ready transport must have said, somewhere. */
static bool has_said(const char *data, size_t size, uint16_t port)
{
	char line[80];
	size_t length =
	    (size_t)snprintf(line, sizeof(line), "CMETHOD " NAME " socks5 127.0.0.1:%u\n", port);

	return memmem(data, size, line, length) != NULL;
}

static void feed(const char *data, size_t size, size_t piece, struct pt *pt)
{
	pt_begin(pt, NAME);
	for (size_t at = 0; at < size; at += piece)
		pt_feed(pt, data + at, piece < size - at ? piece : size - at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pt whole, cut;

	feed((const char *)data, size, size ? size : 1, &whole);
	feed((const char *)data, size, size ? 1 + data[0] % 7u : 1, &cut);
	REQUIRE(whole.state == cut.state && whole.port == cut.port && whole.lines == cut.lines);
	REQUIRE(whole.state != PT_FAILED || (whole.port == 0 && whole.fault == cut.fault));
	REQUIRE(whole.length <= PT_LINE_MAX && whole.lines <= PT_LINES_MAX + 1);
	if (whole.state == PT_READY)
		REQUIRE(whole.port != 0 && has_said((const char *)data, size, whole.port) &&
			memmem(data, size, "VERSION 1\n", 10) != NULL);
	return 0;
}
