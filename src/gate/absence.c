/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "absence.h"

#include <errno.h>

/* Nobody listens. A Tor that has not begun and one that has ended leave the same: nothing. */
static enum torctl_absence unconnected(int error, bool met, uint64_t age_ms)
{
	switch (-error) {
	case ENOENT:
	case ECONNREFUSED:
		return met || age_ms >= ABSENCE_PATIENCE_MS ? TORCTL_STOPPED : TORCTL_STARTING;
	case EAGAIN:
	case ETIMEDOUT:
		return TORCTL_SILENT;
	default:
		return TORCTL_UNUSABLE;
	}
}

enum torctl_absence absence_of(int error, bool listens, bool met, uint64_t age_ms)
{
	if (!listens)
		return unconnected(error, met, age_ms);
	switch (-error) {
	/* Tor listens a moment before it has written the cookie. */
	case ENOENT:
	case EINVAL:
		return TORCTL_STARTING;
	case ETIMEDOUT:
	case EAGAIN:
	case ECONNRESET:
		return TORCTL_SILENT;
	case EPERM:
	case EACCES:
	case EKEYREJECTED:
	case EOPNOTSUPP:
		return TORCTL_SHUT_OUT;
	default:
		return TORCTL_UNUSABLE;
	}
}
