/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The dimensions of the proof: everything that tells one packet from another, as Boolean variables.
 * Private to this room.
 *
 * Headers are bytes as they are on the wire, whatever protocol they belong to: a rule that reads a
 * port without asking for the protocol reads here what the kernel reads. So a field of the policy,
 * as "the destination port", is a place among these bytes. docs/proof.md explains each dimension.
 */
#pragma once

#include <diagram/diagram.h>
#include <packet/packet.h>

#define SPACE_LINK_BYTES      14 /* of an Ethernet header */
#define SPACE_NETWORK_BYTES   40 /* from the network header on: IPv6's whole, IPv4's first 20, ARP's 28 */
#define SPACE_TRANSPORT_BYTES 64 /* from the transport header on */
#define SPACE_LEN_MAX	      63 /* lengths are counted up to here */

/* Fields in the order of their variables. Bits of one field are neighbours, the most significant
 * first, but for the link's ethertype, which lies between the bits of the label (see space_bits()). */
enum space_field {
	SPACE_LOOPBACK,		/* 1: the device is lo */
	SPACE_TRANSPORT_LEN,	/* 6: bytes there are from the transport header on, at most 63 */
	SPACE_NETWORK_LEN,	/* 6: the same from the network header on; only for frames that are not
				 * valid IP, others have their whole header */
	SPACE_ETHERTYPE,	/* 16: the kernel's label. OUTPUT, INPUT, FORWARD: ETH_P_IP or ETH_P_IPV6 */
	SPACE_LINK_ETHERTYPE,	/* 16: bytes 12 and 13 of the link header */
	SPACE_VALID,		/* 1: IPv4 or IPv6 whose header the kernel accepts: it knows the upper protocol */
	SPACE_OWNED,		/* 1: has a full local socket */
	SPACE_ROUTED,		/* 1: has a route */
	SPACE_SOCKET,		/* 2: enum packet_socket; INPUT */
	SPACE_EXPECTED,		/* 1: see struct packet; what dynamic sets stand for. INPUT */
	SPACE_UID,		/* 32: the owner, if there is one */
	SPACE_PROTOCOL,		/* 8: the upper protocol; IPv4: the same as its byte 9 */
	SPACE_LATER_FRAGMENT6,	/* 1: IPv6: behind the first fragment (IPv4 has the offset for it) */
	SPACE_FLAGS,		/* 8: transport byte 13, for TCP its flags */
	SPACE_DESTINATION_PORT, /* 16: transport bytes 2, 3 */
	SPACE_DESTINATION4,	/* 32: network bytes 16 to 19 */
	SPACE_SOURCE_PORT,	/* 16: transport bytes 0, 1; for ICMP its type and code */
	SPACE_ICMP_ID,		/* 16: transport bytes 4, 5 */
	SPACE_SOURCE4,		/* 32: network bytes 12 to 15 */
	SPACE_VERSION_IHL,	/* 8: network byte 0 */
	SPACE_FRAGMENT4,	/* 16: network bytes 6, 7: for IPv4 flags and offset; IPv6: next header, hop limit */
	SPACE_PROTOCOL4,	/* 8: network byte 9 */
	SPACE_NETWORK_REST,	/* network bytes that have no name above, in their order */
	SPACE_TRANSPORT_REST,	/* transport bytes that have no name above, in their order */
	SPACE_LINK_REST,	/* link bytes 0 to 11 */
	SPACE_DEVICE_TYPE,	/* 16: ARPHRD_*; the device the packet leaves or arrives by */
	SPACE_DEVICE_INDEX,	/* 32 */
	SPACE_DEVICE_NAME,	/* 128: 16 bytes, NUL-padded */
	SPACE_CONNECTION,	/* 3: enum space_connection */
	SPACE_REPLY,		/* 1: in the direction of the answer to what opened its connection */
	SPACE_MARK,		/* 32: the packet's mark when it comes to the first hook */
	SPACE_FIELDS,
};

/* What connection tracking has made of a packet. */
enum space_connection {
	SPACE_INVALID = 0,
	SPACE_NEW,
	SPACE_ESTABLISHED,
	SPACE_RELATED,
	SPACE_UNTRACKED,
};

/* From here on variables are given out one by one, for what only some rulesets ask about. */
#define SPACE_FREE 2048

/* A device to speak about: lo has the index 1 and the type ARPHRD_LOOPBACK, and no other has. */
struct space_device {
	char name[16]; /* NUL-padded */
	uint32_t index;
	uint16_t type; /* ARPHRD_* */
};

/* Bits of the field @field in order, the most significant first. Fills @ret_bits and returns their
 * number, at most 1024. */
#define SPACE_BITS_MAX 1024
unsigned space_bits(enum space_field field, unsigned ret_bits[static SPACE_BITS_MAX]);
unsigned space_first(enum space_field field); /* the first bit's variable */
unsigned space_width(enum space_field field); /* bits */

/* The variable of bit @bit (0 the most significant) of byte @at of a header. @at must be below the
 * header's SPACE_*_BYTES. */
unsigned space_link_bit(unsigned at, unsigned bit);
unsigned space_network_bit(unsigned at, unsigned bit);
unsigned space_transport_bit(unsigned at, unsigned bit);

/* ---- questions about a packet, as functions. @space may run full: see diagram_error(). ---- */
diagram space_is(struct diagram_space *space, enum space_field field, uint64_t value);
diagram space_between(struct diagram_space *space, enum space_field field, uint64_t low,
		      uint64_t high);
diagram space_flag(struct diagram_space *space, enum space_field field); /* of one bit */
diagram space_ipv4(struct diagram_space *space); /* by the label */
diagram space_ipv6(struct diagram_space *space);
/* Byte @at of the network header is @value. */
diagram space_network_is(struct diagram_space *space, unsigned at, uint8_t value);
/* Two fields of one width have one value. */
diagram space_equal(struct diagram_space *space, enum space_field a, enum space_field b);
/* The device has no Ethernet header: what goes over it begins with the network header. */
diagram space_bare(struct diagram_space *space);
/* "IPv6 with an extension header first": by the next header's number, as the kernel walks. */
diagram space_extended6(struct diagram_space *space);
/* A fragment but not the first; IPv4 and IPv6. Only where the header is valid. */
diagram space_later_fragment(struct diagram_space *space);
/* IPv4 with options. */
diagram space_options4(struct diagram_space *space);

/*
 * All packets that there can be on @path, as far as their dimensions depend on each other: an IPv4
 * header has a version 4, lo has index 1... Each condition is explained where it is written.
 * @devices: if not NULL, only these @device_count devices are spoken about; else any device may
 * come.
 */
diagram space_universe(struct diagram_space *space, enum packet_path path,
		       const struct space_device *devices, size_t device_count);

/* Those whose headers have all bytes that their protocol has: at least 20 of TCP, 8 of others, 28 of
 * ARP. The policy speaks of these; of the others see compare.c. */
diagram space_complete(struct diagram_space *space);

/* ---- one packet. ---- */

/* What one would like to see in an example: values for diagram_find() to begin with. */
void space_wishes(enum packet_path path, uint64_t values[static DIAGRAM_VARIABLES / 64]);
void space_set(uint64_t *values, enum space_field field, uint64_t value);
uint64_t space_get(const uint64_t *values, enum space_field field); /* of at most 64 bits */
uint8_t space_network_byte(const uint64_t *values, unsigned at);
uint8_t space_transport_byte(const uint64_t *values, unsigned at);

/* The packet that @values describe, as far as struct packet has room for it. */
struct packet space_packet(enum packet_path path, const uint64_t *values);
/* The other way: every variable of a field gets the value that @packet has or implies (device eth0 or
 * lo); the rest is left alone. space_packet() gives the same packet again if it is one that can be. */
void space_from_packet(const struct packet *packet, uint64_t *values);
