/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What may be chosen. */
#include <ctype.h>
#include <string.h>

#include "machine.h"
#include "words.h"

static bool has_usable(const struct torctl_bridges *bridges)
{
	for (size_t i = 0; i < bridges->count; i++)
		if (bridges->list[i].transport != TORCTL_TRANSPORT_NONE)
			return true;
	return false;
}

static const char *check_automatic(const struct choice *choice)
{
	if ((choice->bridges && choice->bridges->count > 0) || choice->plain || choice->defaults ||
	    choice->ask)
		return N_("Bridges belong to hiding: without it, they are not used at first.");
	return NULL;
}

static const char *check_hide(const struct choice *choice, const struct torctl_bridges *defaults)
{
	const bool given = choice->bridges && choice->bridges->count > 0;

	if (given + choice->ask + choice->defaults > 1)
		return N_("Enter bridges, or ask for some, or use those of the system: one of these.");
	if (!given && !choice->ask && !choice->defaults)
		return N_("To hide that you use Tor, a bridge is needed.");
	if (given && !choice->plain &&
	    torctl_bridges_use(choice->bridges, TORCTL_TRANSPORT_NONE))
		return N_("A bridge without a transport does not hide that you use Tor: whoever "
			  "watches the network can tell. Enter one of another kind, as obfs4.");
	if (choice->defaults && !has_usable(defaults))
		return N_("This system has no bridges of its own.");
	return NULL;
}

static bool is_country(const char country[3])
{
	return islower((unsigned char)country[0]) && islower((unsigned char)country[1]) &&
	       country[2] == '\0';
}

const char *choice_check(const struct choice *choice, const struct torctl_bridges *defaults)
{
	if (choice->country[0] && (!choice->ask || !is_country(choice->country)))
		return N_("A country is two small letters, and for asking for bridges only.");
	switch (choice->mode) {
	case MODE_AUTOMATIC:
		return check_automatic(choice);
	case MODE_HIDE:
		return check_hide(choice, defaults);
	case MODE_NONE:
	default:
		return N_("Choose to connect automatically, or to hide.");
	}
}
