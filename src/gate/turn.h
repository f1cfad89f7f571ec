/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Whose turn it is to give Tor a key of an onion service. Tor replaces the one that is there, so it is
 * asked for it first, and from that question to the answer after it nobody else may do the same. The word
 * lies in memory that all guests share, because they share nothing else; who takes a guest over can
 * spoil it, and can say to Tor what it likes anyway.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct turn {
	_Atomic int32_t whose; /* a process; 0: nobody's */
};

/* False if it is another's. */
static inline bool turn_take(struct turn *turn, int32_t self)
{
	int32_t whose = 0;

	return atomic_compare_exchange_strong(&turn->whose, &whose, self) || whose == self;
}

/* If it is that process's, it is nobody's now. */
static inline void turn_give_back(struct turn *turn, int32_t self)
{
	atomic_compare_exchange_strong(&turn->whose, &self, 0);
}
