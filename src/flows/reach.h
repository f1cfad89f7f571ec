/* SPDX-License-Identifier: GPL-3.0-or-later */
/* May what a user's UDP socket sends leave this computer at all? Asked of sockets without a peer,
 * of which nothing tells where they send. */
#pragma once

#include <stdbool.h>

#include <policy/policy.h>

/* True if some address outside and some port is granted to @uid, or the local network is open:
 * rather too often than too seldom. */
bool reach_by_udp(const struct policy *policy, uint32_t uid);
