/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a packet of lethe-blaster is told from every other one, by lethe-counter. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <base/buf.h>
#include <base/cleanup.h>

#define MARK_LEN 8

/* The ways by which the blaster tries to get a packet out. */
enum mark_kind {
	MARK_UDP,
	MARK_UDP6,
	MARK_TCP,
	MARK_RAW,    /* headers of its own making, of several protocols */
	MARK_FRAME,  /* frames written to the device */
	MARK_BYPASS, /* the same, past the device's queue */
	MARK_PLUG,   /* frames written to a device that comes and goes */
	MARK_KINDS,
};

extern const char *const mark_kind_names[MARK_KINDS];

/* One run's nonce. Packets carry it in what follows their headers, with the kind after it. A TCP
 * SYN has no room for that: it goes to an address that is used for nothing else. */
struct mark {
	uint8_t nonce[MARK_LEN];
	uint8_t address[4];   /* in 198.18.0.0/15, a public address to the policy */
	uint8_t address6[16]; /* in the documentation prefix */
};

/* Read 16 hexadecimal digits. 0, or -EINVAL. */
MUST_CHECK int mark_parse(const char *text, struct mark *ret_mark);

/* The frame's kind, or -1 if it is not one of this run's. */
int mark_find(const struct mark *mark, const uint8_t *frame, size_t len);

/* "udp": 1, "udp6": 2, ... into an object that is being written. */
struct json;
void mark_report(struct json *json, const uint64_t counts[static MARK_KINDS]);
