/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The setter: takes one message, checks for itself that what it holds can be, sets the clock, answers
 * once. What it does to the world goes through struct set_world, so that the whole of it can be tried
 * without touching a clock; lethe-clock-set has one world, the kernel's, and no option for another.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "clock.h"

#define SET_MESSAGE_BYTES 24
#define SET_ANSWER_BYTES  8
#define SET_DELAY_MAX	  (60 * CLOCK_NS) /* from the judgement to its being done */

/* "The clock should say @real when CLOCK_BOOTTIME says @boot", both in ns. */
struct set_message {
	int64_t real, boot;
};

void set_message_write(const struct set_message *message, unsigned char to[static SET_MESSAGE_BYTES]);
/* Returns 0, or -EBADMSG. */
MUST_CHECK int set_message_read(const void *data, size_t length, struct set_message *ret_message);

/* 0, or the -errno that the setter came to. */
void set_answer_write(int result, unsigned char to[static SET_ANSWER_BYTES]);
/* Returns 0 and the result, or -EBADMSG. */
MUST_CHECK int set_answer_read(const void *data, size_t length, int *ret_result);

struct set_world {
	struct clock_now (*now)(void *data);
	int (*set)(void *data, int64_t real);	 /* ns; 0 or -errno */
	/* Does the kernel count its clock as synchronised, so that it would write the hardware clock
	 * every eleven minutes? 0 no, 1 yes, or -errno. */
	int (*synchronised)(void *data);
	void *data;
};

/*
 * Do what the message says. @floor: the build date in seconds. Returns 0; -ERANGE (before the floor,
 * or beyond the ceiling), -ESTALE (judged too long ago, or in the future), -EBUSY (the kernel's clock
 * is synchronised by somebody else: nothing is changed, or it was synchronised in that very moment),
 * or what the world fails with. Before an error but the last of -EBUSY nothing was set.
 */
MUST_CHECK int set_apply(const struct set_message *message, int64_t floor,
			 const struct set_world *world);

/* At the start: a clock that cannot be right is put to the floor. Returns 1 if it was, 0 if the clock
 * may be right, or -errno. */
MUST_CHECK int set_to_floor(int64_t floor, const struct set_world *world);
