/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "absence.h"

#include <string.h>

static const char *const sentences[TORCTL_ABSENCE_END] = {
    [TORCTL_ABSENCE_OTHER] = "",
    [TORCTL_STARTING] = "Tor is not there yet: it is still starting",
    [TORCTL_STOPPED] = "Tor is not running",
    [TORCTL_SILENT] = "Tor did not answer",
    [TORCTL_SHUT_OUT] = "Tor cannot be used: the gate could not authenticate itself",
    [TORCTL_UNUSABLE] = "Tor cannot be used",
};

const char *torctl_absence_words(enum torctl_absence absence)
{
	return absence < TORCTL_ABSENCE_END ? sentences[absence] : "";
}

enum torctl_absence torctl_absence_find(const char *words)
{
	for (int i = TORCTL_ABSENCE_OTHER + 1; i < TORCTL_ABSENCE_END; i++)
		if (strcmp(sentences[i], words) == 0)
			return (enum torctl_absence)i;
	return TORCTL_ABSENCE_OTHER;
}
