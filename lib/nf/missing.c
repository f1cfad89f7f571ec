/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the kernel holds and the model cannot say, in words. */
#include "codec.h"

#include <stdarg.h>
#include <stdio.h>

void nf_missing(struct ruleset *ruleset, const char *format, ...)
{
	va_list args;

	ruleset->incomplete = true;
	if (ruleset->missing[0])
		return;
	va_start(args, format);
	vsnprintf(ruleset->missing, sizeof(ruleset->missing), format, args);
	va_end(args);
	/* Names are somebody else's. */
	for (char *c = ruleset->missing; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
}
