/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ranges of numbers, built from the least significant bit up. */
#include "space.h"

#define WIDTH_MAX 512

/* A number, and where its bits lie. */
struct number {
	const unsigned *bits;
	const diagram *functions;
	unsigned width, skip; /* @skip: bits of the first byte that are not the number's */
};

static diagram bit_of(struct diagram_space *space, const struct number *number, unsigned i,
		      diagram low, diagram high)
{
	return space_bit(space, number->bits[i],
			 number->functions ? number->functions[i] : DIAGRAM_FALSE, low, high);
}

/* What the bits from @first on say is at least @end (or at most, if @below). */
static diagram beyond(struct diagram_space *space, const struct number *number, unsigned first,
		      const uint8_t *end, bool below)
{
	diagram made = DIAGRAM_TRUE;

	for (unsigned i = number->width; i-- > first;) {
		bool bit = space_bit_of(end, number->skip + i);
		diagram other = bit == below ? DIAGRAM_TRUE : DIAGRAM_FALSE;

		made = bit ? bit_of(space, number, i, other, made)
			   : bit_of(space, number, i, made, other);
	}
	return made;
}

diagram space_range(struct diagram_space *space, const unsigned *bits, const diagram *functions,
		    unsigned width, const uint8_t *low, const uint8_t *high)
{
	struct number number = {bits, functions, width, (8 - width % 8) % 8};
	diagram made = DIAGRAM_TRUE;
	unsigned i = 0;

	while (i < width &&
	       space_bit_of(low, number.skip + i) == space_bit_of(high, number.skip + i))
		i++;
	if (i < width) {
		if (space_bit_of(low, number.skip + i))
			return DIAGRAM_FALSE; /* low > high */
		made = bit_of(space, &number, i, beyond(space, &number, i + 1, low, false),
			      beyond(space, &number, i + 1, high, true));
	}
	while (i-- > 0)
		made = space_bit_of(low, number.skip + i)
			   ? bit_of(space, &number, i, DIAGRAM_FALSE, made)
			   : bit_of(space, &number, i, made, DIAGRAM_FALSE);
	return space->error < 0 ? DIAGRAM_FALSE : made;
}

diagram diagram_range(struct diagram_space *space, const unsigned *bits, unsigned width,
		      const uint8_t *low, const uint8_t *high)
{
	if (width == 0 || width > WIDTH_MAX) {
		space_fail(space, -EINVAL);
		return DIAGRAM_FALSE;
	}
	for (unsigned i = 0; i < width; i++)
		if (bits[i] >= DIAGRAM_VARIABLES)
			space_fail(space, -EINVAL);
	if (space->error < 0)
		return DIAGRAM_FALSE;
	return space_range(space, bits, NULL, width, low, high);
}
