/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What was last done about the clock, and why: a file, replaced in one step, for root and for the group
 * that its folder gives it. It is not for everybody, because by how much a computer's clock is wrong tells
 * computers apart. No name, no address and no time of day is in it; how long ago it was is counted by
 * CLOCK_BOOTTIME.
 */
#pragma once

#include <base/buf.h>

#include "request.h"

#define STATUS_FOLDER	 "/run/lethe/clock"
#define STATUS_NAME	 "status.json"
#define STATUS_BYTES_MAX 1024
#define STATUS_WORD_MAX	 32

/* What lethe-clockd says. */
struct status {
	char mode[STATUS_WORD_MAX];    /* "network", "consensus"; "none": nobody has asked */
	char outcome[STATUS_WORD_MAX]; /* "kept", "right", "set" */
	char reason[STATUS_WORD_MAX];
	bool captive;
	int64_t difference; /* s */
	int64_t boottime;   /* when it was, s since the start of the computer */
	int64_t requests;   /* how many there were */
	int64_t queries;    /* how often the network was asked */
	int64_t pools, dated; /* of the last time that it was: pools, and those that told a time */
	int64_t build;	    /* the build date, s since 1970; 0 if it is not known */
};

/* Errors stay in the buffer. */
void status_write(const struct status *status, struct buf *out);

/* Read what status_write() wrote: an object of plain members, unknown ones passed over. Returns 0 or
 * -EBADMSG. */
MUST_CHECK int status_read(const char *text, size_t length, struct status *ret_status);
