/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Texts for people, in their language (domain "lethe"): for lethe-connect. The daemon speaks English, as
 * it does not know who listens; who shows its texts can look them up in the same catalogue. */
#pragma once

#include <libintl.h>

#define _(text) gettext(text)
#define N_(text) text /* only marked: it is looked up by who shows it */
