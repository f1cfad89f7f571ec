/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Is there a way out of this computer: an IPv4 default route over a device that has a link? */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/cleanup.h>

/* A socket that becomes readable when that may have changed, and one to ask by; both of rtnetlink. They
 * are the caller's, to close. 0 or -errno. */
MUST_CHECK int uplink_open(int *ret_changes, int *ret_questions);

/* Take all that has come of changes; what it was does not matter, nor whether some was lost. 0, or
 * -errno. */
MUST_CHECK int uplink_drain(int changes);

/* Ask the kernel now. 0; -ETIMEDOUT (it did not answer within a second); -EBADMSG; or -errno. */
MUST_CHECK int uplink_ask(int questions, bool *ret_up);

/* For tests: read one datagram of an answer. 1 at its end, 0 if more is to come, -EBADMSG, or -errno. */
MUST_CHECK int uplink_read(const uint8_t *bytes, size_t length, uint32_t sequence, bool *up);
