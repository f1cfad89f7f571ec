/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as what a person pastes. What is taken for bridges reads back from what is written of it,
 * and the command that is made of them is one line with as many quotes as bridges and transports. */
#include "settings.h"

#include <string.h>

#include <base/fuzz.h>

static void check_command(struct torctl_bridges *bridges)
{
	AUTO_BUF struct buf line = {.cap = TORCTL_COMMAND_MAX};
	const struct torctl_settings settings = {.bridges = bridges};
	size_t quotes = 0, wanted;

	torctl_settings_fit(bridges);
	wanted = bridges->count;
	for (int i = TORCTL_TRANSPORT_OBFS4; i < TORCTL_TRANSPORT_END; i++)
		wanted += torctl_bridges_use(bridges, (enum torctl_transport)i);
	torctl_settings_write(&settings, &line);
	REQUIRE(buf_finish(&line) == 0 && line.len <= TORCTL_COMMAND_MAX);
	for (const char *c = buf_text(&line); *c; c++) {
		REQUIRE(*c >= ' ' && *c <= '~' && *c != '\\');
		quotes += *c == '"';
	}
	REQUIRE(quotes == 2 * wanted);
	REQUIRE(strncmp(buf_text(&line), "SETCONF DisableNetwork=1 ", 25) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct torctl_bridges bridges, again;
	AUTO_BUF struct buf text = {.cap = 1 << 20};
	struct diag diag = {0};
	int r;

	bridges.count = again.count = 0;
	r = torctl_bridges_parse((const char *)data, size, &bridges, &diag);
	REQUIRE(r == 0 || (bridges.count == 0 && diag.message[0]));
	for (size_t i = 0; i < bridges.count; i++) {
		torctl_bridge_write(&bridges.list[i], &text);
		buf_puts(&text, "\n");
	}
	REQUIRE(buf_finish(&text) == 0);
	REQUIRE(torctl_bridges_parse(buf_text(&text), text.len, &again, NULL) == 0);
	REQUIRE(again.count == bridges.count);
	for (size_t i = 0; i < bridges.count; i++)
		REQUIRE(torctl_bridge_equal(&again.list[i], &bridges.list[i]));
	check_command(&bridges);
	return 0;
}
