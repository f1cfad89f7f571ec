/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The pure parts of nf/log.h, for it and for tests. */
#pragma once

#include "log.h"
#include "wire.h"

/* What the kernel's numbers tell. */
struct nf_log_track {
	uint32_t next; /* the number that comes next if none is lost; the first is 0 */
	uint64_t told, lost;
};

/* The packet of @number was told of. */
void nf_log_track(struct nf_log_track *track, uint32_t number);

/* Read one message of a packet. Returns 0, or -EBADMSG; both results are untouched then, but the
 * number may be set. */
MUST_CHECK int nf_logged_read(const struct nf_message *message, struct nf_logged *ret_logged,
			      uint32_t *ret_number);
