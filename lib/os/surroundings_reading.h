/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside the reader of surroundings: what its files share. Parsers are here without I/O. */
#pragma once

#include "surroundings.h"

#define READING_PLACES_MAX 4096

/* Where traffic control may hold filters. */
struct reading_place {
	uint32_t device, parent; /* @parent 0 is the root */
	bool classes;            /* the device has classes, which may hold filters of their own */
};

struct reading {
	struct surroundings to;
	size_t finding_room, device_room;
	struct reading_place *places;
	size_t place_count, place_room;
	struct reading_place asked; /* whose filters the messages are */
	unsigned rules_seen;        /* bits of the kernel's own rules of the family at hand */
	bool no_memory;
};

void reading_done(struct reading *reading);

/* A failure to allocate stays in no_memory, so that who adds need not look. */
void reading_add(struct reading *reading, enum surroundings_kind kind, const char *name,
		 const char *format, ...) PRINTF(4, 5);

/* @what cannot be told, because of @error (-errno). */
void reading_cannot_tell(struct reading *reading, const char *what, int error);

/* The device's name, or "device 5". Borrowed from @reading or @room. */
#define READING_LABEL_MAX 32
const char *reading_device_name(const struct reading *reading, uint32_t index,
				char room[static READING_LABEL_MAX]);

/* Room for one more in an array. False: no_memory is set. */
bool reading_room(struct reading *reading, void **array, size_t *room, size_t count, size_t size);

/* ---- netlink: surroundings_wire.c, surroundings_rule.c, surroundings_queue.c ---- */

struct reading_bytes {
	const uint8_t *data;
	size_t len;
};

/* The next attribute; nesting and byte order flags are taken off its type. Returns 1, 0 at the end,
 * or -EBADMSG. */
MUST_CHECK int reading_attribute(struct reading_bytes *rest, unsigned *ret_type,
				 struct reading_bytes *ret_value);

/* A number of exactly this size, as the sender's processor has it. 0 or -EBADMSG. */
MUST_CHECK int reading_u32(struct reading_bytes value, uint32_t *ret_number);

/* Text that ends inside the attribute, cut to @size. 0 or -EBADMSG. */
MUST_CHECK int reading_text(struct reading_bytes value, char *text, size_t size);

/* The fixed part of a message's body, and its attributes in @ret_rest. 0 or -EBADMSG. */
MUST_CHECK int reading_body(struct reading_bytes body, void *fixed, size_t size,
			    struct reading_bytes *ret_rest);

/* One message of a dump. 0, or -EBADMSG. */
typedef int reading_message(struct reading *reading, struct reading_bytes body);

reading_message reading_link, reading_rule, reading_route, reading_nexthop, reading_queue,
    reading_class, reading_filter, reading_policy, reading_hook;

/* One datagram of a dump whose messages are of @type. Returns 1 when the dump is over, 0 to go on,
 * -EINTR (what is dumped changed meanwhile), -EBADMSG, or what the kernel refuses with. */
MUST_CHECK int reading_datagram(struct reading *reading, struct reading_bytes datagram,
				unsigned type, reading_message *message);

/* ---- texts: surroundings_file.c ---- */

/* @family is "ip", "ip6" or "arp". */
void reading_tables_text(struct reading *reading, const char *family, const char *text);
void reading_ipvs_text(struct reading *reading, const char *text);
void reading_multicast_text(struct reading *reading, const char *file, const char *text);

/* ---- the parts ---- */

/* What fails becomes a finding. Devices come first: others name them. */
void reading_netlink(struct reading *reading);
void reading_files(struct reading *reading);
void reading_programs(struct reading *reading);

/* What the list of hooks would have shown, by other ways: ebtables, and BPF programs. */
void reading_bridge_tables(struct reading *reading);
void reading_netfilter_programs(struct reading *reading);
