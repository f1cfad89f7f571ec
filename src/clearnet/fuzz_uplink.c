/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as the kernel's routes, and as what a DHCP server says are its resolvers. */
#include <string.h>

#include <base/buf.h>
#include <base/fuzz.h>

#include "resolvers.h"
#include "uplink.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_BUF struct buf out = {.cap = RESOLVERS_TEXT_MAX};
	AUTO_FREE char *text = malloc(size + 1);
	char device[UPLINK_DEVICE_MAX] = "";
	struct resolvers resolvers = {0};

	if (!text)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	if (uplink_device(text, device) == 0)
		REQUIRE(device[0] && memchr(device, '\0', sizeof(device)));
	else
		REQUIRE(device[0] == '\0');
	resolvers_add(&resolvers, text);
	REQUIRE(resolvers.count <= RESOLVERS_MAX);
	resolvers_print(&resolvers, &out);
	REQUIRE(buf_finish(&out) == 0);
	for (const char *line = buf_text(&out); *line; line = strchr(line, '\n') + 1) {
		REQUIRE(strncmp(line, "nameserver ", 11) == 0);
		REQUIRE(strncmp(line, "nameserver 127.", 15) != 0);
		REQUIRE(strchr(line, '\n'));
	}
	return 0;
}
