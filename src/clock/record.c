/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record.h"

#include <string.h>

#define MAGIC	 0x6b636f6cu /* "lock" */
#define TIME_MAX (INT64_MAX / 4)

/* The layout is fixed, so that no padding goes out, and none comes in unseen. */
struct wire {
	uint32_t magic;
	uint8_t kind, pool, host, result;
	int64_t sent, received, date, not_before, not_after;
	unsigned char zero[RECORD_BYTES - 8 - 5 * 8];
};
_Static_assert(sizeof(struct wire) == RECORD_BYTES, "a record has no holes");

void record_write(const struct record *record, unsigned char to[static RECORD_BYTES])
{
	struct wire wire = {
	    .magic = MAGIC,
	    .kind = record->kind,
	    .pool = record->pool,
	    .host = record->host,
	    .result = record->result,
	    .sent = record->sent,
	    .received = record->received,
	    .date = record->date,
	    .not_before = record->not_before,
	    .not_after = record->not_after,
	};

	memcpy(to, &wire, sizeof(wire));
}

static bool is_zero(const unsigned char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (bytes[i])
			return false;
	return true;
}

static bool has_times(const struct wire *wire)
{
	return wire->sent || wire->received || wire->date || wire->not_before || wire->not_after;
}

static bool time_fits(int64_t time)
{
	return time >= 0 && time <= TIME_MAX;
}

static bool answer_fits(const struct wire *wire)
{
	if (wire->pool >= RECORD_POOLS_MAX || wire->host >= RECORD_HOSTS_MAX)
		return false;
	if (wire->result < RECORD_DATED || wire->result >= RECORD_RESULT_COUNT)
		return false;
	if (wire->result != RECORD_DATED)
		return !has_times(wire);
	/* An answer is not there before the question, and a certificate has a time that it is for. */
	return time_fits(wire->sent) && time_fits(wire->received) && time_fits(wire->date) &&
	       time_fits(wire->not_before) && time_fits(wire->not_after) &&
	       wire->sent <= wire->received && wire->not_before <= wire->not_after;
}

static bool fits(const struct wire *wire)
{
	switch (wire->kind) {
	case RECORD_BEGIN:
		return wire->pool > 0 && wire->pool <= RECORD_POOLS_MAX && !wire->host &&
		       !wire->result && !has_times(wire);
	case RECORD_ANSWER:
		return answer_fits(wire);
	case RECORD_PORTAL:
		return !wire->pool && !wire->host && wire->result >= RECORD_PORTAL_NONE &&
		       wire->result < RECORD_PORTAL_COUNT && !has_times(wire);
	case RECORD_END:
		return !wire->pool && !wire->host && !wire->result && !has_times(wire);
	default:
		return false;
	}
}

int record_read(const void *data, size_t length, struct record *ret_record)
{
	struct wire wire;

	if (length != sizeof(wire))
		return -EBADMSG;
	memcpy(&wire, data, sizeof(wire));
	if (wire.magic != MAGIC || !is_zero(wire.zero, sizeof(wire.zero)) || !fits(&wire))
		return -EBADMSG;
	*ret_record = (struct record){
	    .kind = wire.kind,
	    .pool = wire.pool,
	    .host = wire.host,
	    .result = wire.result,
	    .sent = wire.sent,
	    .received = wire.received,
	    .date = wire.date,
	    .not_before = wire.not_before,
	    .not_after = wire.not_after,
	};
	return 0;
}
