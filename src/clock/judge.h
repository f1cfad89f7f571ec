/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What time it is, from what others say. Pure: what is known comes in, the verdict goes out.
 *
 * The network: of n pools that were asked, a majority must have answered, and a majority must lie
 * within JUDGE_AGREE of the median. Then the median is the time. If at most f = (n - 1) / 2 of the
 * pools lie or are silent, the median lies between two honest answers, whatever the liars say.
 *
 * Tor's consensus: it is signed by a majority of the directory authorities, and they sign none that
 * begins in the future. So it proves one thing, whoever handed it on: it is not before its beginning.
 * It never proves that it is not later, for an old one can be handed on, and a clock that is right is
 * then beyond its end. So a consensus only ever puts a clock forward. To put one back takes a word that
 * cannot be merely old: what the network answered in the last hour, within TLS connections made for it.
 *
 * A session remembers the highest bound. Nothing that anybody says sets the clock before it.
 */
#pragma once

#include "clock.h"
#include "record.h"

#define JUDGE_POOLS_MIN	   3
#define JUDGE_TRIP_MAX	   (10 * CLOCK_NS)   /* from request to answer; a slower one tells little */
#define JUDGE_AGREE	   (12 * CLOCK_NS)   /* two honest answers: half of a trip each, and a second */
#define JUDGE_RIGHT	   (5 * CLOCK_NS)    /* a clock that is as near as this is left alone */
#define JUDGE_FRESH	   (3600 * CLOCK_NS) /* what the network said is known for so long */
#define JUDGE_ROUND_MAX	   (180 * CLOCK_NS)  /* of one question to the network */
#define JUDGE_CONSENSUS_MAX (8 * 86400LL)    /* from a consensus' beginning to its end, s */

enum judge_outcome {
	JUDGE_KEPT, /* zero: what is not known is left as it is */
	JUDGE_RIGHT_ALREADY,
	JUDGE_SET,
};

/* Why; each has a word that programs read and one that people do: see words.h. */
enum judge_reason {
	JUDGE_REASON_NONE,
	/* kept */
	JUDGE_PORTAL,	    /* a captive portal answers in the Internet's place */
	JUDGE_NO_NETWORK,   /* nobody could be reached at all */
	JUDGE_NO_QUORUM,    /* too few pools answered with a date that can be used */
	JUDGE_DISAGREE,	    /* they answered, and differ */
	JUDGE_BEFORE_BUILD, /* what they say is before this system was built */
	JUDGE_BEFORE_PROVEN, /* what they say is before what a consensus has proven to be past */
	JUDGE_TOO_LATE,	    /* what they say is too many years after it */
	JUDGE_CERTIFICATES, /* certificates are not valid at the time that they vouch for */
	JUDGE_BAD_FETCH,    /* what asks the network does not do as it should, or cannot */
	JUDGE_NO_CONSENSUS, /* Tor has none, or could not be asked */
	JUDGE_BAD_CONSENSUS, /* its times cannot be */
	JUDGE_STALE,	    /* by the clock the consensus is over: it may be old, or the clock ahead */
	JUDGE_NO_FLOOR,	    /* when this system was built is not known, so that nothing is set */
	JUDGE_REFUSED,	    /* the setter refused, or could not */
	JUDGE_UNWANTED,	    /* who asked did not wait for the answer */
	/* right, or set */
	JUDGE_NETWORK,	    /* by the network's time */
	JUDGE_KNOWN,	    /* by the network's time that was known already: nothing was asked */
	JUDGE_CONSENSUS,    /* by Tor's consensus */
	JUDGE_REASON_COUNT,
};

struct judge_verdict {
	enum judge_outcome outcome;
	enum judge_reason reason;
	bool captive;
	int64_t real;	    /* JUDGE_SET: what the clock should say, ns... */
	int64_t boot;	    /* ...when CLOCK_BOOTTIME says this */
	int64_t difference; /* by how much the clock is behind (+) or ahead (-), ns; 0 if not known */
};

/* ---- the network ---- */

struct judge_round {
	int64_t begun; /* CLOCK_BOOTTIME when it was asked; set by who begins */
	unsigned pools, records;
	bool ended;
	uint8_t portal;				     /* enum record_portal, or 0 */
	struct record dated[RECORD_POOLS_MAX];	     /* kind 0: none */
	uint64_t asked[RECORD_POOLS_MAX];	     /* a bit for each host */
	unsigned results[RECORD_RESULT_COUNT];
};

/* Take one record, which came at @boot. Returns 0, or -EBADMSG: it cannot be in this place, and the
 * whole round is worth nothing. */
MUST_CHECK int judge_take(struct judge_round *round, const struct record *record, int64_t boot);

/* What is remembered as long as lethe-clockd runs. Zero but for the floor is a new session. */
struct judge_session {
	int64_t floor;		    /* seconds */
	bool has_network, has_bound;
	int64_t network, network_boot; /* what time the network said it was, and when, ns */
	int64_t bound, bound_boot;     /* not before this it was, and when, ns */
};

/* The verdict on a round that has ended or will say no more; a time that was found is remembered. Where
 * none was, and no portal either, a clock that is before the bound is put to it. */
struct judge_verdict judge_network(struct judge_session *session, const struct judge_round *round,
				   struct clock_now now);

/* Is the network's time known well enough to ask nobody? Then *ret_verdict says what follows. */
bool judge_known(const struct judge_session *session, struct clock_now now,
		 struct judge_verdict *ret_verdict);

/* ---- Tor ---- */

struct judge_consensus {
	int64_t valid_after, fresh_until, valid_until; /* seconds */
};

/* What it proves is remembered, and nothing is judged. */
void judge_hear(struct judge_session *session, const struct judge_consensus *consensus, int64_t boot);

struct judge_verdict judge_consensus(struct judge_session *session,
				     const struct judge_consensus *consensus, struct clock_now now);
