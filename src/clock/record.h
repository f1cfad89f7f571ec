/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What *fetch* tells *judge*, one record a message, all of one size. The judge believes nothing of
 * it: a record is read field by field, and what cannot be is refused.
 *
 *   begin, then an answer for each host that was asked, perhaps a portal, end
 *
 * No name and no address is in it: a host is a pool's number and its own number in that pool.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/cleanup.h>

#define RECORD_BYTES	  80
#define RECORD_POOLS_MAX  16
#define RECORD_HOSTS_MAX  64  /* in a pool */
#define RECORD_COUNT_MAX  256 /* of one question to the network */

enum record_kind {
	RECORD_BEGIN = 1, /* pool: how many pools there are */
	RECORD_ANSWER,	  /* what became of one host */
	RECORD_PORTAL,	  /* what became of the question whether there is a portal */
	RECORD_END,
};

/* How it went with a host. */
enum record_result {
	RECORD_DATED = 1,   /* it answered, with one date */
	RECORD_NO_NAME,	    /* the name could not be looked up */
	RECORD_NO_ROUTE,    /* nobody there, or the connection broke */
	RECORD_SLOW,	    /* it took too long */
	RECORD_UNTRUSTED,   /* its certificate is by nobody whom this system trusts */
	RECORD_OTHER_NAME,  /* its certificate is for somebody else */
	RECORD_NO_TLS,	    /* it does not speak TLS as it should */
	RECORD_TOO_MUCH,    /* more headers or more bytes than any honest answer has */
	RECORD_NO_HTTP,	    /* it does not speak HTTP as it should */
	RECORD_NO_DATE,	    /* no date, one that cannot be read, several, or a cache's */
	RECORD_FAILED,	    /* it could not be asked, for a reason of our own */
	RECORD_RESULT_COUNT,
};

/* What was found in place of the page that is always the same. */
enum record_portal {
	RECORD_PORTAL_NONE = 1, /* the page, as it should be */
	RECORD_PORTAL_REDIRECT, /* a redirection to elsewhere */
	RECORD_PORTAL_STATUS,	/* another status; 511 says it outright */
	RECORD_PORTAL_BODY,	/* another page */
	RECORD_PORTAL_UNKNOWN,	/* no answer, so nothing is known */
	RECORD_PORTAL_COUNT,
};

struct record {
	uint8_t kind;
	uint8_t pool, host;  /* from 0; of RECORD_BEGIN, how many pools */
	uint8_t result;	     /* of an answer, enum record_result; of a portal, enum record_portal */
	int64_t sent;	     /* CLOCK_BOOTTIME, ns, when the request was about to be sent */
	int64_t received;    /* when the first byte of the answer was there */
	int64_t date;	     /* seconds: what the server said; RECORD_DATED only */
	int64_t not_before;  /* seconds: from when on every certificate of the chain is valid */
	int64_t not_after;   /* until when */
};

/* Write it as it is sent, in this processor's order: both ends are this computer's. */
void record_write(const struct record *record, unsigned char to[static RECORD_BYTES]);

/* Read one message. Returns 0, or -EBADMSG: another size, an unknown kind or number, something where
 * nothing belongs, times that cannot be. */
MUST_CHECK int record_read(const void *data, size_t length, struct record *ret_record);
