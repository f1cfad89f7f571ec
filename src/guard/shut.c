/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The last resort: nothing leaves by a device that is down. */
#include "resident.h"

#include <os/link.h>
#include <string.h>

void shut_all(struct resident *resident, const char *why)
{
	bool first = resident->state != RESIDENT_SHUT;
	int r = link_all_down(), marked = 0;

	resident->state = RESIDENT_SHUT;
	if (first) {
		snprintf(resident->shut_why, sizeof(resident->shut_why), "%s", why);
		marked = kept_mark_shut(resident);
		tell("SHUT: %s; all links are down, and stay down until 'lethe-wall apply'", why);
	}
	if (r < 0)
		tell("a link could not be set down: %s", strerror(-r));
	if (marked < 0)
		tell("cannot tell a guard after this one that all is shut: %s", strerror(-marked));
}

void shut_device(const struct resident *resident, unsigned index)
{
	int r = link_down(index);

	if (r == 0)
		tell("device %u was set up while all is shut, and is down again", index);
	else if (r != -ENODEV)
		tell("device %u was set up while all is shut, and cannot be set down: %s", index,
		     strerror(-r));
}

void shut_end(struct resident *resident)
{
	if (!resident->shut_why[0])
		return;
	resident->shut_why[0] = '\0';
	kept_forget(resident, "shut");
	tell("no longer shut; links may be set up again");
}
