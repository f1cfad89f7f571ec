/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One request of *fetch*, by libcurl: what is asked, in what bounds, and what came of it. */
#pragma once

#include <curl/curl.h>

#include "head.h"
#include "pools.h"

#define TRANSFER_BODY_MAX 4096 /* bytes of a page that is looked at */

struct transfer_limits {
	const char *ca;	       /* the certificates that are trusted */
	long host_ms;	       /* for one request, from the name's lookup to the end of the answer */
};

/* Where in the verification of a chain of certificates something was learned. Seconds. */
struct tls_window {
	int64_t not_before, not_after; /* when all certificates of the chain are valid */
	bool seen;		       /* one certificate at least was looked at */
	bool untrusted;		       /* the chain does not lead to one that is trusted */
};

struct transfer {
	CURL *easy; /* NULL: not in use */
	struct curl_slist *headers;
	unsigned pool, host;
	bool portal;
	struct head head;
	struct tls_window tls;
	int64_t sent, received; /* CLOCK_BOOTTIME, ns; 0: not yet */
	bool too_much;
	char body[TRANSFER_BODY_MAX];
	size_t body_length;
};

/* Make ready to ask for the time at @name by HTTPS, with HEAD and nothing that names us; or for the
 * page of @portal by HTTP. To be ended by transfer_done(). Returns 0 or -ENOMEM. */
MUST_CHECK int transfer_time(struct transfer *transfer, const char *name,
			     const struct transfer_limits *limits);
MUST_CHECK int transfer_portal(struct transfer *transfer, const struct pools_portal *portal,
			       const struct transfer_limits *limits);
void transfer_done(struct transfer *transfer);

/* What came of it, as a record. */
struct record transfer_time_record(const struct transfer *transfer, CURLcode code);
struct record transfer_portal_record(const struct transfer *transfer, CURLcode code,
				     const struct pools_portal *portal);

/* For CURLOPT_SSL_CTX_FUNCTION: the chain is verified as ever, but for the clock, which may be wrong;
 * within what time it is valid is noted in the transfer at @data. tls.c */
CURLcode tls_prepare(CURL *easy, void *context, void *data);
