/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where each dimension lies among the variables, and simple questions about one of them. */
#include "space.h"

#include <assert.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <netinet/in.h>

#include <base/cleanup.h>

#define NUMBER_BYTES 8 /* of the widest number that a question names */

/* Bytes of a header that have a field of their own, and so lie elsewhere than the rest. */
struct named {
	unsigned at, bytes;
	enum space_field field;
};

static const struct named named_link[] = {
    {12, 2, SPACE_LINK_ETHERTYPE},
};
static const struct named named_network[] = {
    {0, 1, SPACE_VERSION_IHL}, {6, 2, SPACE_FRAGMENT4},     {9, 1, SPACE_PROTOCOL4},
    {12, 4, SPACE_SOURCE4},    {16, 4, SPACE_DESTINATION4},
};
static const struct named named_transport[] = {
    {0, 2, SPACE_SOURCE_PORT},
    {2, 2, SPACE_DESTINATION_PORT},
    {4, 2, SPACE_ICMP_ID},
    {13, 1, SPACE_FLAGS},
};

#define NAMED_LINK      2
#define NAMED_NETWORK   (1 + 2 + 1 + 4 + 4)
#define NAMED_TRANSPORT (2 + 2 + 2 + 1)

/* In the order of enum space_field, with widths. The label and the link's ethertype lie between the
 * two lists, in one stretch: a bit of the one, a bit of the other. So asking whether they are equal
 * takes three nodes for each bit, and not 2^16. */
#define PLACES_ABOVE(X) X(LOOPBACK, 1) X(TRANSPORT_LEN, 6) X(NETWORK_LEN, 6)
#define PLACES_BELOW(X)                                                                            \
	X(VALID, 1)                                                                                \
	X(OWNED, 1)                                                                                \
	X(ROUTED, 1)                                                                               \
	X(SOCKET, 2)                                                                               \
	X(EXPECTED, 1)                                                                             \
	X(UID, 32)                                                                                 \
	X(PROTOCOL, 8)                                                                             \
	X(LATER_FRAGMENT6, 1)                                                                      \
	X(FLAGS, 8)                                                                                \
	X(DESTINATION_PORT, 16)                                                                    \
	X(DESTINATION4, 32)                                                                        \
	X(SOURCE_PORT, 16)                                                                         \
	X(ICMP_ID, 16)                                                                             \
	X(SOURCE4, 32)                                                                             \
	X(VERSION_IHL, 8)                                                                          \
	X(FRAGMENT4, 16)                                                                           \
	X(PROTOCOL4, 8)                                                                            \
	X(NETWORK_REST, 8 * (SPACE_NETWORK_BYTES - NAMED_NETWORK))                                 \
	X(TRANSPORT_REST, 8 * (SPACE_TRANSPORT_BYTES - NAMED_TRANSPORT))                           \
	X(LINK_REST, 8 * (SPACE_LINK_BYTES - NAMED_LINK))                                          \
	X(DEVICE_TYPE, 16)                                                                         \
	X(DEVICE_INDEX, 32)                                                                        \
	X(DEVICE_NAME, 128)                                                                        \
	X(CONNECTION, 3)                                                                           \
	X(REPLY, 1)                                                                                \
	X(MARK, 32)

/* An enumerator without a value is one more than that before it: each field begins behind the last
 * variable of the one before. */
#define FIRST_AND_LAST(name, width) FIRST_##name, LAST_##name = FIRST_##name + (width)-1,
enum {
	PLACES_ABOVE(FIRST_AND_LAST) FIRST_AND_LAST(ETHERTYPES, 2 * 16) PLACES_BELOW(FIRST_AND_LAST)
	    VARIABLES,
};
static_assert((int)VARIABLES <= SPACE_FREE, "fields lie below what is given out one by one");
static_assert(LAST_TRANSPORT_REST - FIRST_TRANSPORT_REST < SPACE_BITS_MAX, "the widest field");

#define PLACE(name, width) [SPACE_##name] = {FIRST_##name, width, 1},
struct place {
	unsigned first, width, step;
};

static const struct place places[SPACE_FIELDS] = {
    PLACES_ABOVE(PLACE) PLACES_BELOW(PLACE)[SPACE_ETHERTYPE] = {FIRST_ETHERTYPES, 16, 2},
    [SPACE_LINK_ETHERTYPE] = {FIRST_ETHERTYPES + 1, 16, 2},
};

static unsigned bit_of(enum space_field field, unsigned bit)
{
	assert(bit < places[field].width);
	return places[field].first + places[field].step * bit;
}

unsigned space_first(enum space_field field)
{
	return places[field].first;
}

unsigned space_width(enum space_field field)
{
	return places[field].width;
}

unsigned space_bits(enum space_field field, unsigned ret_bits[static SPACE_BITS_MAX])
{
	for (unsigned i = 0; i < places[field].width; i++)
		ret_bits[i] = bit_of(field, i);
	return places[field].width;
}

/* Bit @bit of byte @at of a header, of which @named have names and the others lie in @rest. */
static unsigned header_bit(const struct named *named, size_t count, enum space_field rest,
			   unsigned at, unsigned bit)
{
	unsigned skipped = 0;

	assert(bit < 8);
	for (size_t i = 0; i < count && named[i].at <= at; i++) {
		if (at < named[i].at + named[i].bytes)
			return bit_of(named[i].field, 8 * (at - named[i].at) + bit);
		skipped += named[i].bytes;
	}
	return bit_of(rest, 8 * (at - skipped) + bit);
}

unsigned space_link_bit(unsigned at, unsigned bit)
{
	assert(at < SPACE_LINK_BYTES);
	return header_bit(named_link, ARRAY_SIZE(named_link), SPACE_LINK_REST, at, bit);
}

unsigned space_network_bit(unsigned at, unsigned bit)
{
	assert(at < SPACE_NETWORK_BYTES);
	return header_bit(named_network, ARRAY_SIZE(named_network), SPACE_NETWORK_REST, at, bit);
}

unsigned space_transport_bit(unsigned at, unsigned bit)
{
	assert(at < SPACE_TRANSPORT_BYTES);
	return header_bit(named_transport, ARRAY_SIZE(named_transport), SPACE_TRANSPORT_REST, at,
			  bit);
}

/* The number in the @width variables @bits lies between @low and @high. */
static diagram number_between(struct diagram_space *space, const unsigned *bits, unsigned width,
			      uint64_t low, uint64_t high)
{
	uint64_t most = width < 64 ? ((uint64_t)1 << width) - 1 : UINT64_MAX;
	uint8_t from[NUMBER_BYTES], to[NUMBER_BYTES];
	unsigned skipped = NUMBER_BYTES - (width + 7) / 8;

	assert(width > 0 && width <= 64);
	if (high > most)
		high = most;
	if (low > high)
		return DIAGRAM_FALSE;
	for (unsigned i = 0; i < NUMBER_BYTES; i++) {
		from[i] = (uint8_t)(low >> 8 * (NUMBER_BYTES - 1 - i));
		to[i] = (uint8_t)(high >> 8 * (NUMBER_BYTES - 1 - i));
	}
	return diagram_range(space, bits, width, from + skipped, to + skipped);
}

diagram space_between(struct diagram_space *space, enum space_field field, uint64_t low,
		      uint64_t high)
{
	unsigned bits[SPACE_BITS_MAX], width = space_bits(field, bits);

	return number_between(space, bits, width, low, high);
}

diagram space_is(struct diagram_space *space, enum space_field field, uint64_t value)
{
	return space_between(space, field, value, value);
}

diagram space_flag(struct diagram_space *space, enum space_field field)
{
	assert(places[field].width == 1);
	return diagram_variable(space, places[field].first);
}

diagram space_network_is(struct diagram_space *space, unsigned at, uint8_t value)
{
	unsigned bits[8];

	for (unsigned i = 0; i < ARRAY_SIZE(bits); i++)
		bits[i] = space_network_bit(at, i);
	return number_between(space, bits, ARRAY_SIZE(bits), value, value);
}

diagram space_equal(struct diagram_space *space, enum space_field a, enum space_field b)
{
	diagram equal = DIAGRAM_TRUE;

	assert(places[a].width == places[b].width);
	for (unsigned i = places[a].width; i-- > 0;) {
		diagram differ = diagram_xor(space, diagram_variable(space, bit_of(a, i)),
					     diagram_variable(space, bit_of(b, i)));

		equal = diagram_minus(space, equal, differ);
	}
	return equal;
}

diagram space_ipv4(struct diagram_space *space)
{
	return space_is(space, SPACE_ETHERTYPE, ETH_P_IP);
}

diagram space_ipv6(struct diagram_space *space)
{
	return space_is(space, SPACE_ETHERTYPE, ETH_P_IPV6);
}

/* Of these the kernel knows that a frame is the bare packet: modems, tunnels. Types that are not
 * listed are taken for devices with a header. */
diagram space_bare(struct diagram_space *space)
{
	static const uint16_t types[] = {ARPHRD_PPP, ARPHRD_RAWIP, ARPHRD_NONE};
	diagram bare = DIAGRAM_FALSE;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		bare = diagram_or(space, bare, space_is(space, SPACE_DEVICE_TYPE, types[i]));
	return bare;
}

/* ipv6_ext_hdr() in the kernel, but for "no next header", which ends the walk with itself. */
diagram space_extended6(struct diagram_space *space)
{
	static const uint8_t headers[] = {IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_FRAGMENT,
					  IPPROTO_AH, IPPROTO_DSTOPTS};
	diagram first = DIAGRAM_FALSE;

	for (size_t i = 0; i < ARRAY_SIZE(headers); i++)
		first = diagram_or(space, first, space_network_is(space, 6, headers[i]));
	return diagram_and(space, space_ipv6(space), first);
}

diagram space_later_fragment(struct diagram_space *space)
{
	unsigned bits[SPACE_BITS_MAX], width = space_bits(SPACE_FRAGMENT4, bits);
	diagram first = number_between(space, bits + 3, width - 3, 0, 0); /* behind three flags */

	return diagram_or(
	    space, diagram_minus(space, space_ipv4(space), first),
	    diagram_and(space, space_ipv6(space), space_flag(space, SPACE_LATER_FRAGMENT6)));
}

diagram space_options4(struct diagram_space *space)
{
	unsigned bits[SPACE_BITS_MAX], width = space_bits(SPACE_VERSION_IHL, bits);

	return diagram_minus(space, space_ipv4(space),
			     number_between(space, bits + 4, width - 4, 5, 5));
}
