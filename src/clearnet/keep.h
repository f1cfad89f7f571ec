/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keeping a namespace joined to this computer's network: pasta runs whenever there is one. */
#pragma once

#include <stdbool.h>

#include <base/cleanup.h>

struct keep_options {
	const char *name; /* of the namespace */
	const char *pasta;
	bool udp;
};

/* Until the signal SIGTERM or SIGINT, which ends pasta, too. Returns 0 after one, else -errno of
 * what it cannot go on without. What it does is said on standard error, and to the service manager.
 */
MUST_CHECK int keep(const struct keep_options *options);
