/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One dropped packet, as the kernel's record tells it, checked and in a form to work with. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/cleanup.h>
#include <packet/packet.h>

#include "record.h"
#include "text.h"

#define ATTEMPT_TEXT_MAX TEXT_MAX

struct attempt {
	uint64_t number, time_ns;
	enum watch_kind kind;
	uint32_t flags; /* enum watch_flag */
	uint32_t owner_uid;
	uint32_t netns, mntns;
	uint16_t ethertype;
	uint16_t source_port, destination_port;
	uint8_t protocol, tcp_flags, icmp_type, icmp_code;
	struct packet_address source, destination;
	struct watch_identity sender, creator; /* names are printable ASCII; others became '?' */
	char path[ATTEMPT_TEXT_MAX];  /* "" if it is not known; begins with "..." if it was cut */
	char group[ATTEMPT_TEXT_MAX]; /* the control group's path, likewise; "/" for the root */
};

/* Read the @len bytes of a record. Returns 0, or -EBADMSG; *ret_attempt is untouched then. */
MUST_CHECK int attempt_read(const void *data, size_t len, struct attempt *ret_attempt);

/* Has it destination ports? */
bool attempt_has_ports(const struct attempt *attempt);

/* The innermost unit of systemd's in a control group's path ("tor@default.service",
 * "app-firefox.scope"), copied to @size bytes at @unit; "" if there is none. */
void attempt_unit(const char *group, char *unit, size_t size);
