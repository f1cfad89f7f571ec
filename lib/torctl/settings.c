/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "settings.h"

uint16_t torctl_transport_port(enum torctl_transport transport)
{
	switch (transport) {
	case TORCTL_TRANSPORT_OBFS4:
		return 9055;
	case TORCTL_TRANSPORT_MEEK:
		return 9056;
	case TORCTL_TRANSPORT_SNOWFLAKE:
		return 9057;
	case TORCTL_TRANSPORT_NONE:
	case TORCTL_TRANSPORT_END:
	default:
		return 0;
	}
}

static void write_bridges(const struct torctl_bridges *bridges, struct buf *out)
{
	for (size_t i = 0; i < bridges->count; i++) {
		buf_puts(out, " Bridge=\"");
		torctl_bridge_write(&bridges->list[i], out);
		buf_puts(out, "\"");
	}
}

void torctl_settings_write(const struct torctl_settings *settings, struct buf *out)
{
	const struct torctl_bridges *bridges = settings->bridges;
	bool plugins = false;

	buf_printf(out, "SETCONF DisableNetwork=%d UseBridges=%d", settings->network ? 0 : 1,
		   bridges && bridges->count > 0 ? 1 : 0);
	if (!bridges || bridges->count == 0) {
		/* A name alone: back to none. */
		buf_puts(out, " Bridge ClientTransportPlugin");
		return;
	}
	write_bridges(bridges, out);
	for (int i = TORCTL_TRANSPORT_OBFS4; i < TORCTL_TRANSPORT_END; i++) {
		enum torctl_transport transport = (enum torctl_transport)i;

		if (!torctl_bridges_use(bridges, transport))
			continue;
		buf_printf(out, " ClientTransportPlugin=\"%s socks5 127.0.0.1:%u\"",
			   torctl_transport_name(transport), torctl_transport_port(transport));
		plugins = true;
	}
	if (!plugins)
		buf_puts(out, " ClientTransportPlugin");
}

void torctl_settings_fit(struct torctl_bridges *bridges)
{
	const struct torctl_settings settings = {.bridges = bridges};

	for (; bridges->count > 0; bridges->count--) {
		AUTO_BUF struct buf line = {.cap = TORCTL_COMMAND_MAX};

		torctl_settings_write(&settings, &line);
		if (buf_finish(&line) == 0)
			return;
	}
}
