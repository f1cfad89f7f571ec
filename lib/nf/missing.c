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

const char *nf_family_text(uint32_t family)
{
	switch (family) {
	case RULESET_INET:
		return "inet";
	case RULESET_IPV4:
		return "ip";
	case RULESET_ARP:
		return "arp";
	case RULESET_NETDEV:
		return "netdev";
	case RULESET_BRIDGE:
		return "bridge";
	case RULESET_IPV6:
		return "ip6";
	default:
		return "unknown";
	}
}
