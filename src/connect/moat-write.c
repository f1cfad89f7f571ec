/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "moat.h"

#include <base/json.h>

void moat_question(const char *country, struct buf *out)
{
	struct json json = {.out = out};

	json_object_begin(&json, NULL);
	if (country[0])
		json_string(&json, "country", country);
	json_array_begin(&json, "transports");
	for (int i = TORCTL_TRANSPORT_OBFS4; i < TORCTL_TRANSPORT_END; i++)
		json_string(&json, NULL, torctl_transport_name((enum torctl_transport)i));
	json_array_end(&json);
	json_object_end(&json);
}

void moat_answer_write(const struct moat_answer *answer, struct buf *out)
{
	if (answer->none) {
		buf_puts(out, "none\n");
		return;
	}
	for (size_t i = 0; i < answer->bridges.count; i++) {
		buf_puts(out, "bridge ");
		torctl_bridge_write(&answer->bridges.list[i], out);
		buf_puts(out, "\n");
	}
	for (int i = TORCTL_TRANSPORT_OBFS4; i < TORCTL_TRANSPORT_END; i++)
		if (answer->builtin & 1u << i)
			buf_printf(out, "builtin %s\n", torctl_transport_name((enum torctl_transport)i));
	buf_puts(out, "end\n");
}
