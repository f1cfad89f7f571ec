/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The dimensions: each has its own variables, every packet that policies can tell apart is a point
 * among them, and nothing that cannot be is. */
#include "space.h"

#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#include <policy/test_util.h>

#define CLEAN CLEANUP(policy_freep)
#define SPACE CLEANUP(diagram_space_freep)

#define NODES_MAX   ((size_t)4 << 20)
#define WORDS       (DIAGRAM_VARIABLES / 64)
#define POLICIES    5
#define STATEMENTS  20
#define RANDOM_MANY 2000

static const enum packet_path every_path[] = {PACKET_OUTPUT, PACKET_FRAME, PACKET_INPUT,
					      PACKET_FORWARD};

static void fields_are_apart(void **state)
{
	static bool taken[SPACE_FREE];
	unsigned bits[SPACE_BITS_MAX];

	memset(taken, 0, sizeof(taken));
	for (unsigned field = 0; field < SPACE_FIELDS; field++) {
		unsigned width = space_bits((enum space_field)field, bits);

		assert_true(width > 0 && width <= SPACE_BITS_MAX);
		assert_int_equal(width, space_width((enum space_field)field));
		assert_int_equal(bits[0], space_first((enum space_field)field));
		for (unsigned i = 0; i < width; i++) {
			assert_true(bits[i] < SPACE_FREE);
			assert_false(taken[bits[i]]);
			taken[bits[i]] = true;
		}
	}
	/* In the order of their names, the label and the link's ethertype in turn. */
	for (unsigned field = 1; field < SPACE_FIELDS; field++)
		assert_true(space_first((enum space_field)(field - 1)) <
			    space_first((enum space_field)field));
	assert_int_equal(space_first(SPACE_LINK_ETHERTYPE), space_first(SPACE_ETHERTYPE) + 1);
	space_bits(SPACE_ETHERTYPE, bits);
	assert_int_equal(bits[15], bits[0] + 30);
}

/* Marks the variables of a header; each byte has eight of its own. */
static void mark_header(unsigned (*bit_of)(unsigned at, unsigned bit), unsigned bytes, bool *taken)
{
	for (unsigned i = 0; i < 8 * bytes; i++) {
		unsigned variable = bit_of(i / 8, i % 8);

		assert_true(variable < SPACE_FREE);
		assert_false(taken[variable]);
		taken[variable] = true;
	}
}

static void headers_are_apart(void **state)
{
	static const enum space_field parts[] = {
	    SPACE_LINK_ETHERTYPE, SPACE_FLAGS,     SPACE_DESTINATION_PORT, SPACE_DESTINATION4,
	    SPACE_SOURCE_PORT,    SPACE_ICMP_ID,   SPACE_SOURCE4,          SPACE_VERSION_IHL,
	    SPACE_FRAGMENT4,      SPACE_PROTOCOL4, SPACE_NETWORK_REST,     SPACE_TRANSPORT_REST,
	    SPACE_LINK_REST,
	};
	static bool taken[SPACE_FREE];
	unsigned bits[SPACE_BITS_MAX], count = 0;

	memset(taken, 0, sizeof(taken));
	mark_header(space_link_bit, SPACE_LINK_BYTES, taken);
	mark_header(space_network_bit, SPACE_NETWORK_BYTES, taken);
	mark_header(space_transport_bit, SPACE_TRANSPORT_BYTES, taken);
	/* These fields are the headers, the whole of them and nothing else. */
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		unsigned width = space_bits(parts[i], bits);

		for (unsigned j = 0; j < width; j++)
			assert_true(taken[bits[j]]);
		count += width;
	}
	assert_int_equal(count,
			 8 * (SPACE_LINK_BYTES + SPACE_NETWORK_BYTES + SPACE_TRANSPORT_BYTES));
}

static void named_bytes(void **state)
{
	static const struct {
		unsigned (*bit_of)(unsigned at, unsigned bit);
		unsigned at;
		enum space_field field;
		unsigned byte; /* of the field */
	} cases[] = {
	    {space_network_bit, 0, SPACE_VERSION_IHL, 0},
	    {space_network_bit, 1, SPACE_NETWORK_REST, 0},
	    {space_network_bit, 5, SPACE_NETWORK_REST, 4},
	    {space_network_bit, 7, SPACE_FRAGMENT4, 1},
	    {space_network_bit, 8, SPACE_NETWORK_REST, 5},
	    {space_network_bit, 9, SPACE_PROTOCOL4, 0},
	    {space_network_bit, 11, SPACE_NETWORK_REST, 7},
	    {space_network_bit, 15, SPACE_SOURCE4, 3},
	    {space_network_bit, 16, SPACE_DESTINATION4, 0},
	    {space_network_bit, 20, SPACE_NETWORK_REST, 8},
	    {space_network_bit, 39, SPACE_NETWORK_REST, 27},
	    {space_transport_bit, 1, SPACE_SOURCE_PORT, 1},
	    {space_transport_bit, 2, SPACE_DESTINATION_PORT, 0},
	    {space_transport_bit, 5, SPACE_ICMP_ID, 1},
	    {space_transport_bit, 6, SPACE_TRANSPORT_REST, 0},
	    {space_transport_bit, 12, SPACE_TRANSPORT_REST, 6},
	    {space_transport_bit, 13, SPACE_FLAGS, 0},
	    {space_transport_bit, 63, SPACE_TRANSPORT_REST, 56},
	    {space_link_bit, 0, SPACE_LINK_REST, 0},
	    {space_link_bit, 13, SPACE_LINK_ETHERTYPE, 1},
	};
	unsigned bits[SPACE_BITS_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		space_bits(cases[i].field, bits);
		for (unsigned bit = 0; bit < 8; bit++)
			assert_int_equal(cases[i].bit_of(cases[i].at, bit),
					 bits[8 * cases[i].byte + bit]);
	}
}

static void random_values(struct test_random *random, uint64_t *values)
{
	for (size_t i = 0; i < WORDS; i++)
		values[i] = (uint64_t)test_random_below(random, UINT32_MAX) << 32 |
			    test_random_below(random, UINT32_MAX);
}

/* Random numbers in random fields: what the questions answer is what the numbers say. */
static void questions(void **state)
{
	SPACE struct diagram_space *space = diagram_space_new(NODES_MAX);
	struct test_random random = test_random_begin();
	uint64_t values[WORDS];

	for (unsigned i = 0; i < RANDOM_MANY; i++) {
		enum space_field field = (enum space_field)test_random_below(&random, SPACE_FIELDS);
		unsigned width = space_width(field), at = test_random_below(&random, 40);
		uint64_t value, low, high;
		bool within;

		if (width > 64)
			continue;
		random_values(&random, values);
		value = space_get(values, field);
		low = value - test_random_below(&random, 3) + 1;
		high = low + test_random_below(&random, 4);
		if (low > value + 1) /* it was 0 */
			low = 0;
		within = value >= low && value <= high;
		assert_true(diagram_at(space, space_is(space, field, value), values));
		assert_int_equal(diagram_at(space, space_between(space, field, low, high), values),
				 within);
		if (width == 1)
			assert_int_equal(diagram_at(space, space_flag(space, field), values),
					 value);
		assert_true(diagram_at(
		    space, space_network_is(space, at, space_network_byte(values, at)), values));
		space_set(values, field, value ^ 1);
		assert_false(diagram_at(space, space_is(space, field, value), values));
		assert_int_equal(space_get(values, field), value ^ 1);
	}
	assert_int_equal(space_between(space, SPACE_FLAGS, 256, 300), DIAGRAM_FALSE);
	assert_int_equal(space_between(space, SPACE_FLAGS, 0, 300), DIAGRAM_TRUE);
	assert_int_equal(space_between(space, SPACE_FLAGS, 2, 1), DIAGRAM_FALSE);
	assert_int_equal(diagram_error(space), 0);
}

/* "They are equal" is small for the pair that lies in turn. */
static void equal_fields(void **state)
{
	SPACE struct diagram_space *space = diagram_space_new(NODES_MAX);
	diagram equal = space_equal(space, SPACE_ETHERTYPE, SPACE_LINK_ETHERTYPE);
	struct test_random random = test_random_begin();
	uint64_t values[WORDS];

	assert_true(diagram_size(space, equal) <= 3 * 16 + 2);
	for (unsigned i = 0; i < RANDOM_MANY; i++) {
		random_values(&random, values);
		space_set(values, SPACE_LINK_ETHERTYPE, space_get(values, SPACE_ETHERTYPE));
		assert_true(diagram_at(space, equal, values));
		space_set(values, SPACE_ETHERTYPE,
			  space_get(values, SPACE_ETHERTYPE) ^
			      (uint64_t)1 << test_random_below(&random, 16));
		assert_false(diagram_at(space, equal, values));
	}
}

/* Without what has no meaning in such a packet: the walk over classes leaves some of it. */
static struct packet without_idle(struct packet packet)
{
	bool ports = packet_has_ports(packet.protocol) && !packet.fragment;
	bool icmp = packet.protocol == IPPROTO_ICMP || packet.protocol == IPPROTO_ICMPV6;

	if (!ports)
		packet.source_port = packet.destination_port = 0;
	if (packet.protocol != IPPROTO_TCP || packet.fragment)
		packet.tcp_flags = 0;
	if (!icmp || packet.fragment) {
		packet.icmp_type = packet.icmp_code = 0;
		packet.icmp_id = 0;
	}
	if (packet.link_ethertype == packet.ethertype)
		packet.link_ethertype = 0;
	return packet;
}

static bool same_packet(const struct packet *a, const struct packet *b)
{
	return a->path == b->path && a->loopback == b->loopback && a->ethertype == b->ethertype &&
	       a->link_ethertype == b->link_ethertype && a->owned == b->owned && a->uid == b->uid &&
	       a->routed == b->routed && a->protocol == b->protocol && a->fragment == b->fragment &&
	       a->options == b->options && memcmp(&a->source, &b->source, sizeof(a->source)) == 0 &&
	       memcmp(&a->destination, &b->destination, sizeof(a->destination)) == 0 &&
	       a->source_port == b->source_port && a->destination_port == b->destination_port &&
	       a->tcp_flags == b->tcp_flags && a->icmp_type == b->icmp_type &&
	       a->icmp_code == b->icmp_code && a->icmp_id == b->icmp_id &&
	       a->arp_operation == b->arp_operation && a->arp_plain == b->arp_plain &&
	       a->socket == b->socket && a->expected == b->expected;
}

struct trip {
	struct diagram_space *space;
	diagram possible[PACKET_FORWARD + 1]; /* by path: in the universe, and complete */
	size_t classes;
};

static void trip_begin(struct trip *trip)
{
	*trip = (struct trip){.space = diagram_space_new(NODES_MAX)};
	assert_non_null(trip->space);
	for (size_t i = 0; i < ARRAY_SIZE(every_path); i++)
		trip->possible[every_path[i]] =
		    diagram_and(trip->space, space_universe(trip->space, every_path[i], NULL, 0),
				space_complete(trip->space));
	assert_int_equal(diagram_error(trip->space), 0);
}

/* The bytes that the packet has on the wire are those of the point. */
static void same_bytes(const struct packet *packet, const uint64_t *values)
{
	unsigned header = packet->ethertype == ETH_P_IP ? 20 : 40;
	struct packet_bytes bytes;

	packet_encode(packet, &bytes);
	if (packet->path != PACKET_OUTPUT)
		assert_int_equal(space_get(values, SPACE_LINK_ETHERTYPE),
				 bytes.link[12] << 8 | bytes.link[13]);
	for (unsigned i = 0; i < header && i < bytes.len; i++)
		if (i != 6 || packet->ethertype != ETH_P_IPV6 || !packet->options)
			assert_int_equal(space_network_byte(values, i), bytes.data[i]);
	if (!bytes.transport_offset || !space_get(values, SPACE_VALID))
		return;
	assert_int_equal(space_get(values, SPACE_TRANSPORT_LEN),
			 bytes.len - bytes.transport_offset);
	for (unsigned i = bytes.transport_offset; i < bytes.len; i++)
		assert_int_equal(space_transport_byte(values, i - bytes.transport_offset),
				 bytes.data[i]);
}

static int go_and_return(const struct packet *packet, void *data)
{
	struct trip *trip = data;
	uint64_t values[WORDS] = {0};
	struct packet there = without_idle(*packet), back;

	/* What is left of another packet makes no difference. */
	memset(values, trip->classes & 1 ? 0xff : 0, sizeof(values));
	space_set(values, SPACE_CONNECTION, SPACE_NEW);
	space_from_packet(packet, values);
	back = space_packet(packet->path, values);
	if (!same_packet(&there, &back)) {
		struct buf text = {.cap = 4096};

		packet_print(&there, &text);
		buf_puts(&text, " came back as ");
		packet_print(&back, &text);
		fail_msg("%s", buf_text(&text));
	}
	if (!diagram_at(trip->space, trip->possible[packet->path], values)) {
		struct buf text = {.cap = 4096};

		packet_print(&there, &text);
		fail_msg("not in the universe: %s", buf_text(&text));
	}
	same_bytes(&there, values);
	trip->classes++;
	return 0;
}

static void default_policy_returns(void **state)
{
	AUTO_FREE char *text = test_default_text();
	CLEAN struct policy *policy = test_parse(text);
	const struct policy *one = policy;
	struct trip trip;

	trip_begin(&trip);
	assert_int_equal(policy_each_class(&one, 1, go_and_return, &trip), 0);
	print_message("# %zu classes went and came back\n", trip.classes);
	assert_true(trip.classes > 10000);
	diagram_space_free(trip.space);
}

static void random_policies_return(void **state)
{
	struct test_random random = test_random_begin();
	struct trip trip;

	trip_begin(&trip);
	for (unsigned i = 0; i < POLICIES; i++) {
		struct test_statements statements;

		test_random_statements(&random, STATEMENTS, &statements);
		CLEAN struct policy *policy = test_statements_parse(&statements);
		const struct policy *one = policy;

		assert_non_null(policy);
		assert_int_equal(policy_each_class(&one, 1, go_and_return, &trip), 0);
	}
	print_message("# %zu classes went and came back\n", trip.classes);
	diagram_space_free(trip.space);
}

static void wishes_are_possible(void **state)
{
	struct trip trip;
	uint64_t values[WORDS];

	trip_begin(&trip);
	for (size_t i = 0; i < ARRAY_SIZE(every_path); i++) {
		struct packet packet;

		space_wishes(every_path[i], values);
		assert_true(diagram_at(trip.space, trip.possible[every_path[i]], values));
		packet = space_packet(every_path[i], values);
		assert_true(packet_is_opening(&packet));
		assert_int_equal(packet.owned, i < 2);
	}
	diagram_space_free(trip.space);
}

/* One thing changed in a possible packet, and whether it still is one. */
struct change {
	enum packet_path path;
	enum space_field field;
	uint64_t value;
	bool possible;
};

static const struct change changes[] = {
    {PACKET_OUTPUT, SPACE_LOOPBACK, 1, false},
    {PACKET_OUTPUT, SPACE_DEVICE_INDEX, 1, false},
    {PACKET_OUTPUT, SPACE_DEVICE_INDEX, 0, false},
    {PACKET_OUTPUT, SPACE_DEVICE_INDEX, 77, true},
    {PACKET_OUTPUT, SPACE_DEVICE_TYPE, ARPHRD_LOOPBACK, false},
    {PACKET_OUTPUT, SPACE_DEVICE_TYPE, ARPHRD_PPP, true},
    {PACKET_OUTPUT, SPACE_ROUTED, 0, false},
    {PACKET_OUTPUT, SPACE_LINK_ETHERTYPE, ETH_P_IP, false},
    {PACKET_OUTPUT, SPACE_SOCKET, PACKET_SOCKET_BOUND, false},
    {PACKET_OUTPUT, SPACE_EXPECTED, 1, false},
    {PACKET_OUTPUT, SPACE_ETHERTYPE, ETH_P_ARP, false},
    {PACKET_OUTPUT, SPACE_ETHERTYPE, ETH_P_IPV6, true}, /* whatever its version */
    {PACKET_FRAME, SPACE_ETHERTYPE, ETH_P_IPV6, false},
    {PACKET_OUTPUT, SPACE_VALID, 0, false},
    {PACKET_OUTPUT, SPACE_VERSION_IHL, 0x65, true}, /* a raw socket wrote it */
    {PACKET_OUTPUT, SPACE_VERSION_IHL, 0x44, true},
    {PACKET_OUTPUT, SPACE_VERSION_IHL, 0x4f, true},
    {PACKET_FRAME, SPACE_VERSION_IHL, 0x65, false},
    {PACKET_FRAME, SPACE_VERSION_IHL, 0x44, false},
    {PACKET_FRAME, SPACE_VERSION_IHL, 0x4f, true},
    {PACKET_INPUT, SPACE_VERSION_IHL, 0x65, false},
    {PACKET_FORWARD, SPACE_VERSION_IHL, 0x44, false},
    {PACKET_OUTPUT, SPACE_PROTOCOL, IPPROTO_UDP, false},
    {PACKET_OUTPUT, SPACE_PROTOCOL4, IPPROTO_UDP, false},
    {PACKET_OUTPUT, SPACE_LATER_FRAGMENT6, 1, false},
    {PACKET_OUTPUT, SPACE_FRAGMENT4, 1, true},
    {PACKET_OUTPUT, SPACE_UID, 0xffffffff, false},
    {PACKET_OUTPUT, SPACE_UID, 0xfffffffe, true},
    {PACKET_OUTPUT, SPACE_OWNED, 0, false}, /* the number is still there */
    {PACKET_OUTPUT, SPACE_TRANSPORT_LEN, 20, true},
    {PACKET_OUTPUT, SPACE_TRANSPORT_LEN, 19, false},
    {PACKET_OUTPUT, SPACE_NETWORK_LEN, 62, false},
    {PACKET_OUTPUT, SPACE_CONNECTION, SPACE_UNTRACKED, true},
    {PACKET_OUTPUT, SPACE_CONNECTION, SPACE_UNTRACKED + 1, false},
    {PACKET_OUTPUT, SPACE_MARK, 0xffffffff, true},
    {PACKET_OUTPUT, SPACE_REPLY, 1, true},
    {PACKET_FRAME, SPACE_ROUTED, 0, true},
    {PACKET_FRAME, SPACE_LINK_ETHERTYPE, ETH_P_ARP, true},
    {PACKET_FRAME, SPACE_VALID, 0, false}, /* the protocol is still known */
    {PACKET_FRAME, SPACE_ETHERTYPE, ETH_P_ARP, false},
    {PACKET_FRAME, SPACE_SOCKET, PACKET_SOCKET_BOUND, false},
    {PACKET_FRAME, SPACE_EXPECTED, 1, false},
    {PACKET_INPUT, SPACE_OWNED, 1, false},
    {PACKET_INPUT, SPACE_UID, 1, false},
    {PACKET_INPUT, SPACE_ROUTED, 1, false},
    {PACKET_INPUT, SPACE_FRAGMENT4, 1, false},
    {PACKET_INPUT, SPACE_FRAGMENT4, 0xe000, true},
    {PACKET_INPUT, SPACE_EXPECTED, 1, false}, /* TCP is not */
    {PACKET_INPUT, SPACE_SOCKET, PACKET_SOCKET_TRANSPARENT, true},
    {PACKET_INPUT, SPACE_LINK_ETHERTYPE, ETH_P_8021Q, true},
    {PACKET_FORWARD, SPACE_OWNED, 1, false},
    {PACKET_FORWARD, SPACE_ROUTED, 0, false},
    {PACKET_FORWARD, SPACE_SOCKET, PACKET_SOCKET_BOUND, false},
    {PACKET_FORWARD, SPACE_EXPECTED, 1, false},
    {PACKET_FORWARD, SPACE_FRAGMENT4, 1, true},
};

static void what_cannot_be(void **state)
{
	struct trip trip;

	trip_begin(&trip);
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		const struct change *change = &changes[i];
		uint64_t values[WORDS];

		space_wishes(change->path, values);
		space_set(values, change->field, change->value);
		if (diagram_at(trip.space, trip.possible[change->path], values) != change->possible)
			fail_msg("change %zu should be %s", i,
				 change->possible ? "possible" : "impossible");
	}
	diagram_space_free(trip.space);
}

/* What only some protocols can have. */
static void protocols(void **state)
{
	struct packet packet = {.path = PACKET_INPUT, .ethertype = ETH_P_IP};
	uint64_t values[WORDS] = {0};
	struct trip trip;

	trip_begin(&trip);
	packet.expected = true;
	packet.protocol = IPPROTO_UDP;
	space_from_packet(&packet, values);
	assert_true(diagram_at(trip.space, trip.possible[PACKET_INPUT], values));
	packet.loopback = true;
	space_from_packet(&packet, values);
	assert_false(diagram_at(trip.space, trip.possible[PACKET_INPUT], values));
	packet.loopback = false;
	packet.protocol = IPPROTO_ICMP;
	for (packet.icmp_type = 0; packet.icmp_type < 255; packet.icmp_type++) {
		space_from_packet(&packet, values);
		assert_int_equal(diagram_at(trip.space, trip.possible[PACKET_INPUT], values),
				 packet.icmp_type == 0);
	}
	packet = (struct packet){.path = PACKET_FRAME, .ethertype = ETH_P_IPV6};
	for (packet.options = 0; packet.options < 2; packet.options++) {
		packet.protocol = IPPROTO_UDP;
		memset(values, 0, sizeof(values));
		space_from_packet(&packet, values);
		space_set(values, SPACE_LATER_FRAGMENT6, 1);
		assert_int_equal(diagram_at(trip.space, trip.possible[PACKET_FRAME], values),
				 packet.options);
		/* Only behind an extension header is another protocol than the next header. */
		space_from_packet(&packet, values);
		space_set(values, SPACE_PROTOCOL, IPPROTO_SCTP);
		assert_int_equal(diagram_at(trip.space, trip.possible[PACKET_FRAME], values),
				 packet.options);
		space_set(values, SPACE_PROTOCOL, IPPROTO_DSTOPTS);
		assert_false(diagram_at(trip.space, trip.possible[PACKET_FRAME], values));
	}
	/* A frame may be labelled as IP and hold anything; what came through the stack may not,
	 * but for extension headers on which the walk failed. */
	memset(values, 0, sizeof(values));
	packet.protocol = IPPROTO_AH;
	packet.options = 0;
	packet.path = PACKET_FORWARD;
	space_from_packet(&packet, values);
	assert_true(diagram_at(trip.space, trip.possible[PACKET_FORWARD], values));
	space_set(values, SPACE_FRAGMENT4, IPPROTO_TCP << 8);
	assert_false(diagram_at(trip.space, trip.possible[PACKET_FORWARD], values));
	packet.path = PACKET_FRAME;
	space_from_packet(&packet, values);
	space_set(values, SPACE_FRAGMENT4, IPPROTO_TCP << 8);
	space_set(values, SPACE_VERSION_IHL, 0);
	assert_true(diagram_at(trip.space, trip.possible[PACKET_FRAME], values));
	diagram_space_free(trip.space);
}

/* The least that there must be of each header, and one byte less. */
static void complete_headers(void **state)
{
	static const struct {
		uint16_t ethertype;
		uint8_t protocol;
		bool fragment;
		enum space_field len;
		unsigned least;
	} cases[] = {
	    {ETH_P_IP, IPPROTO_TCP, false, SPACE_TRANSPORT_LEN, 20},
	    {ETH_P_IPV6, IPPROTO_TCP, false, SPACE_TRANSPORT_LEN, 20},
	    {ETH_P_IP, IPPROTO_UDP, false, SPACE_TRANSPORT_LEN, 8},
	    {ETH_P_IP, IPPROTO_TCP, true, SPACE_TRANSPORT_LEN, 0},
	    {ETH_P_IPV6, IPPROTO_UDP, true, SPACE_TRANSPORT_LEN, 0},
	    {ETH_P_ARP, 0, false, SPACE_NETWORK_LEN, 28},
	    {ETH_P_PAE, 0, false, SPACE_NETWORK_LEN, 0},
	};
	struct trip trip;

	trip_begin(&trip);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct packet packet = {.path = PACKET_FRAME,
					.ethertype = cases[i].ethertype,
					.protocol = cases[i].protocol,
					.fragment = cases[i].fragment};
		uint64_t values[WORDS] = {0};

		space_from_packet(&packet, values);
		for (unsigned len = 0; len <= SPACE_LEN_MAX; len++) {
			space_set(values, cases[i].len, len);
			assert_int_equal(
			    diagram_at(trip.space, trip.possible[PACKET_FRAME], values),
			    len >= cases[i].least);
		}
	}
	diagram_space_free(trip.space);
}

/* On lo a route means the IP stack; elsewhere ARP may have one, and what a VLAN has wrapped. */
static void routed_frames(void **state)
{
	struct packet packet = {.path = PACKET_FRAME, .loopback = true, .ethertype = ETH_P_ARP};
	uint64_t values[WORDS] = {0};
	struct trip trip;

	trip_begin(&trip);
	for (unsigned i = 0; i < 4; i++) {
		packet.loopback = i & 1;
		packet.routed = i & 2;
		space_from_packet(&packet, values);
		assert_int_equal(diagram_at(trip.space, trip.possible[PACKET_FRAME], values),
				 !(packet.loopback && packet.routed));
	}
	packet.ethertype = ETH_P_IP;
	for (unsigned i = 0; i < 4; i++) {
		packet.loopback = i & 1;
		packet.routed = i & 2;
		packet.link_ethertype = 0;
		space_from_packet(&packet, values);
		assert_true(diagram_at(trip.space, trip.possible[PACKET_FRAME], values));
		packet.link_ethertype = ETH_P_8021Q;
		space_from_packet(&packet, values);
		assert_int_equal(diagram_at(trip.space, trip.possible[PACKET_FRAME], values),
				 !(packet.loopback && packet.routed));
	}
	diagram_space_free(trip.space);
}

static bool named_device(struct diagram_space *space, diagram universe, const char name[16],
			 uint32_t index, uint16_t type)
{
	uint64_t values[WORDS];

	space_wishes(PACKET_OUTPUT, values);
	for (unsigned i = 0; i < 128; i++) {
		unsigned variable = space_first(SPACE_DEVICE_NAME) + i;

		values[variable / 64] &= ~((uint64_t)1 << variable % 64);
		values[variable / 64] |= (uint64_t)(name[i / 8] >> (7 - i % 8) & 1)
					 << variable % 64;
	}
	space_set(values, SPACE_DEVICE_INDEX, index);
	space_set(values, SPACE_DEVICE_TYPE, type);
	space_set(values, SPACE_LOOPBACK, type == ARPHRD_LOOPBACK);
	return diagram_at(space, universe, values);
}

static void devices(void **state)
{
	static const struct space_device some[] = {
	    {"wlan0", 3, ARPHRD_ETHER},
	    {"ppp0", 9, ARPHRD_PPP},
	};
	SPACE struct diagram_space *space = diagram_space_new(NODES_MAX);
	diagram any = space_universe(space, PACKET_OUTPUT, NULL, 0);
	diagram two = space_universe(space, PACKET_OUTPUT, some, 2);
	char full[16] = "abcdefghijklmno", unended[16];

	memset(unended, 'x', sizeof(unended));
	assert_true(named_device(space, any, "lo\0\0\0\0\0\0\0\0\0\0\0\0\0", 1, ARPHRD_LOOPBACK));
	assert_false(named_device(space, any, "l0\0\0\0\0\0\0\0\0\0\0\0\0\0", 1, ARPHRD_LOOPBACK));
	assert_false(named_device(space, any, "lo\0\0\0\0\0\0\0\0\0\0\0\0\0", 2, ARPHRD_ETHER));
	assert_true(named_device(space, any, "lo0\0\0\0\0\0\0\0\0\0\0\0\0", 2, ARPHRD_ETHER));
	assert_true(named_device(space, any, full, 2, ARPHRD_ETHER));
	assert_false(named_device(space, any, unended, 2, ARPHRD_ETHER));
	assert_false(named_device(space, any, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 2, ARPHRD_ETHER));
	assert_false(named_device(space, any, "a\0b\0\0\0\0\0\0\0\0\0\0\0\0", 2, ARPHRD_ETHER));
	assert_false(named_device(space, any, "\0b\0\0\0\0\0\0\0\0\0\0\0\0\0", 2, ARPHRD_ETHER));

	assert_true(named_device(space, two, some[0].name, 3, ARPHRD_ETHER));
	assert_true(named_device(space, two, some[1].name, 9, ARPHRD_PPP));
	assert_false(named_device(space, two, some[0].name, 9, ARPHRD_PPP));
	assert_false(named_device(space, two, "lo\0\0\0\0\0\0\0\0\0\0\0\0\0", 1, ARPHRD_LOOPBACK));
	assert_int_equal(diagram_minus(space, two, any), DIAGRAM_FALSE);
	assert_int_equal(space_universe(space, PACKET_OUTPUT, some, 0), DIAGRAM_FALSE);
	assert_int_equal(diagram_error(space), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fields_are_apart),
	    cmocka_unit_test(headers_are_apart),
	    cmocka_unit_test(named_bytes),
	    cmocka_unit_test(questions),
	    cmocka_unit_test(equal_fields),
	    cmocka_unit_test(default_policy_returns),
	    cmocka_unit_test(random_policies_return),
	    cmocka_unit_test(wishes_are_possible),
	    cmocka_unit_test(what_cannot_be),
	    cmocka_unit_test(protocols),
	    cmocka_unit_test(complete_headers),
	    cmocka_unit_test(routed_frames),
	    cmocka_unit_test(devices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
