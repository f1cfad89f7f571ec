/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Closing the network before there is one. */
#pragma once

#include <base/cleanup.h>
#include <base/diag.h>

/* Run `lethe-wall seal` and wait for it. Returns 0, -EPROTO (it failed: its own words are in
 * @diag), -ETIMEDOUT, or -errno; always with @diag. */
MUST_CHECK int seal(struct diag *diag);
