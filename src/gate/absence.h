/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Why there is no Tor to talk to. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <torctl/absence.h>

/* For so long a gate that has met no Tor takes it that Tor is still starting; then, that it does not run. */
#define ABSENCE_PATIENCE_MS 300000

/*
 * @error: from connecting, or, if somebody @listens at Tor's place, from authenticating to it. @met: this
 * gate has met Tor before. @age_ms: of this gate.
 */
enum torctl_absence absence_of(int error, bool listens, bool met, uint64_t age_ms);
