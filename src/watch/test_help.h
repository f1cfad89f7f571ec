/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the tests of this room share: packets that were never sent. */
#pragma once

#include "attempt.h"

/* One of "/usr/bin/audacity" of user 1000, by TCP to 93.184.216.34:443, certain. */
struct attempt test_attempt(void);

/* The same, of which the user alone is known. */
struct attempt test_attempt_of_user(void);

/* The same with another destination port. */
struct attempt test_attempt_port(uint16_t port);

/* Put the attempt's IPv4 destination. */
void test_set_destination(struct attempt *attempt, uint32_t address);
