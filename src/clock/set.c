/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "set.h"

#include <string.h>

#define MESSAGE_MAGIC 0x31746573u /* "set1" */
#define ANSWER_MAGIC  0x31656e64u /* "dne1" */

struct wire_message {
	uint32_t magic, zero;
	int64_t real, boot;
};
_Static_assert(sizeof(struct wire_message) == SET_MESSAGE_BYTES, "a message has no holes");

struct wire_answer {
	uint32_t magic;
	int32_t result;
};
_Static_assert(sizeof(struct wire_answer) == SET_ANSWER_BYTES, "an answer has no holes");

void set_message_write(const struct set_message *message, unsigned char to[static SET_MESSAGE_BYTES])
{
	struct wire_message wire = {
	    .magic = MESSAGE_MAGIC, .real = message->real, .boot = message->boot};

	memcpy(to, &wire, sizeof(wire));
}

int set_message_read(const void *data, size_t length, struct set_message *ret_message)
{
	struct wire_message wire;

	if (length != sizeof(wire))
		return -EBADMSG;
	memcpy(&wire, data, sizeof(wire));
	if (wire.magic != MESSAGE_MAGIC || wire.zero || wire.real < 0 || wire.boot < 0)
		return -EBADMSG;
	*ret_message = (struct set_message){.real = wire.real, .boot = wire.boot};
	return 0;
}

void set_answer_write(int result, unsigned char to[static SET_ANSWER_BYTES])
{
	struct wire_answer wire = {.magic = ANSWER_MAGIC, .result = result};

	memcpy(to, &wire, sizeof(wire));
}

int set_answer_read(const void *data, size_t length, int *ret_result)
{
	struct wire_answer wire;

	if (length != sizeof(wire))
		return -EBADMSG;
	memcpy(&wire, data, sizeof(wire));
	if (wire.magic != ANSWER_MAGIC || wire.result > 0 || wire.result < -4095)
		return -EBADMSG;
	*ret_result = wire.result;
	return 0;
}

/* What a clock is set to must fit, and whoever keeps it synchronised must not be in the way: the kernel
 * writes the hardware clock as long as somebody does. */
static int set_checked(int64_t real, int64_t floor, const struct set_world *world)
{
	int r;

	if (real < 0 || !clock_fits(real / CLOCK_NS, floor))
		return -ERANGE;
	r = world->synchronised(world->data);
	if (r != 0)
		return r < 0 ? r : -EBUSY;
	r = world->set(world->data, real);
	if (r < 0)
		return r;
	r = world->synchronised(world->data);
	return r > 0 ? -EBUSY : r;
}

int set_apply(const struct set_message *message, int64_t floor, const struct set_world *world)
{
	struct clock_now now = world->now(world->data);
	int64_t passed;

	if (now.boot < message->boot || now.boot - message->boot > SET_DELAY_MAX)
		return -ESTALE;
	passed = now.boot - message->boot;
	/* Before a sum is made, so that it cannot overflow. */
	if (message->real < 0 || !clock_fits(message->real / CLOCK_NS, floor))
		return -ERANGE;
	return set_checked(message->real + passed, floor, world);
}

int set_to_floor(int64_t floor, const struct set_world *world)
{
	struct clock_now now = world->now(world->data);
	int r;

	if (clock_fits(now.real / CLOCK_NS, floor))
		return 0;
	r = set_checked(floor * CLOCK_NS, floor, world);
	return r < 0 ? r : 1;
}
