/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The links: is there a network at all? */
#include "report.h"

#include <string.h>

#include "text.h"

#define LINKS_SHOWN 8

static const char *describe(const struct link *link)
{
	if (!link->up)
		return _("off");
	if (!link->carrier)
		return _("on, not connected");
	return link->address ? _("connected, with an address") : _("connected, without an address");
}

void judge_links(const struct facts *facts, struct part *part)
{
	const struct links *links = &facts->links;

	if (links->error) {
		part->level = LEVEL_UNKNOWN;
		buf_printf(&part->text, _("cannot be read: %s."), strerror(-links->error));
		judge_ask_again(part);
		return;
	}
	part->level = facts_linked(facts) ? LEVEL_GOOD : LEVEL_WAITING;
	if (links->count == 0)
		buf_puts(&part->text, _("there is no network device."));
	for (size_t i = 0; i < links->count && i < LINKS_SHOWN; i++) {
		buf_puts(&part->text, i ? "; " : "");
		text_foreign(&part->text, links->list[i].name, LINK_NAME_MAX);
		buf_printf(&part->text, " %s", describe(&links->list[i]));
	}
	if (links->count > LINKS_SHOWN)
		buf_printf(&part->text, _("; %zu more"), links->count - LINKS_SHOWN + links->more);
	if (links->count > 0)
		buf_puts(&part->text, ".");
	if (part->level == LEVEL_WAITING)
		buf_puts(&part->advice,
			 links->count > 0
			     ? _("Plug in a network cable, or join a wireless network.")
			     : _("Plug in a network card or adapter."));
}
