/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A packet's first bytes, as the filter's rules tell of it, become an attempt whose user alone is
 * known. */
#pragma once

#include <nf/log.h>

#include "attempt.h"

/* Who sent it is not known but by user, or it is nobody's (enum watch_kind). What is not among the
 * bytes is left out, and where they are not what the kernel's label says there is no destination.
 * The caller puts number, time and namespace. */
struct attempt headers_read(const struct nf_logged *logged);
