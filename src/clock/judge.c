/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "judge.h"

static int64_t magnitude(int64_t value)
{
	return value < 0 ? -value : value;
}

static struct judge_verdict kept(enum judge_reason reason)
{
	return (struct judge_verdict){.outcome = JUDGE_KEPT, .reason = reason};
}

/* It is @real now: is the clock near enough? */
static struct judge_verdict put_right(int64_t real, struct clock_now now, enum judge_reason reason)
{
	int64_t difference = real - now.real;

	return (struct judge_verdict){
	    .outcome = magnitude(difference) <= JUDGE_RIGHT ? JUDGE_RIGHT_ALREADY : JUDGE_SET,
	    .reason = reason,
	    .real = real,
	    .boot = now.boot,
	    .difference = difference,
	};
}

/* ---- what is proven ---- */

/* Before this it is not: when the system was built, or the highest beginning of a consensus that was
 * seen and what has passed since. */
static int64_t proven(const struct judge_session *session, int64_t boot)
{
	int64_t floor = session->floor * CLOCK_NS, bound;

	if (!session->has_bound)
		return floor;
	bound = session->bound + (boot - session->bound_boot);
	return bound > floor ? bound : floor;
}

/* Nobody told a time that could be used; but a clock before what is proven is wrong all the same, and
 * there would be no way out for a Tor that waits for a right one. A portal is told of first. */
static struct judge_verdict at_least_proven(const struct judge_session *session,
					    struct judge_verdict verdict, struct clock_now now)
{
	int64_t bound = proven(session, now.boot);

	if (verdict.outcome != JUDGE_KEPT || verdict.captive || !session->has_bound ||
	    now.real + JUDGE_AGREE >= bound)
		return verdict;
	return put_right(bound, now, JUDGE_CONSENSUS);
}

/* ---- taking records ---- */

static int take_answer(struct judge_round *round, const struct record *record, int64_t boot)
{
	uint64_t bit = 1ull << record->host;

	if (record->pool >= round->pools || round->asked[record->pool] & bit)
		return -EBADMSG;
	round->asked[record->pool] |= bit;
	round->results[record->result]++;
	if (record->result != RECORD_DATED)
		return 0;
	/* One answer for a pool: a second one would be a second vote. */
	if (round->dated[record->pool].kind || record->sent < round->begun ||
	    record->received > boot)
		return -EBADMSG;
	round->dated[record->pool] = *record;
	return 0;
}

int judge_take(struct judge_round *round, const struct record *record, int64_t boot)
{
	if (round->ended || ++round->records > RECORD_COUNT_MAX)
		return -EBADMSG;
	if ((record->kind == RECORD_BEGIN) != (round->records == 1))
		return -EBADMSG;
	switch (record->kind) {
	case RECORD_BEGIN:
		if (record->pool < JUDGE_POOLS_MIN || record->pool > RECORD_POOLS_MAX)
			return -EBADMSG;
		round->pools = record->pool;
		return 0;
	case RECORD_ANSWER:
		return take_answer(round, record, boot);
	case RECORD_PORTAL:
		if (round->portal)
			return -EBADMSG;
		round->portal = record->result;
		return 0;
	case RECORD_END:
		round->ended = true;
		return 0;
	default:
		return -EBADMSG;
	}
}

/* ---- the network ---- */

/* What can be used of the answers, and how many cannot, by why. */
struct usable {
	int64_t times[RECORD_POOLS_MAX]; /* what time it is now by each, in order */
	size_t count;
	unsigned early, past, late, certificates;
};

static void insert(struct usable *usable, int64_t time)
{
	size_t at = usable->count++;

	for (; at > 0 && usable->times[at - 1] > time; at--)
		usable->times[at] = usable->times[at - 1];
	usable->times[at] = time;
}

/* A date has whole seconds, so half of one is lost on average; the answer was half the trip under way
 * when it was there; and since then time has passed. */
static int64_t time_now(const struct record *record, int64_t boot)
{
	return record->date * CLOCK_NS + CLOCK_NS / 2 + (record->received - record->sent) / 2 +
	       (boot - record->received);
}

static void sift(const struct judge_round *round, const struct judge_session *session, int64_t boot,
		 struct usable *usable)
{
	const int64_t floor = session->floor, bound = proven(session, boot);

	for (unsigned i = 0; i < round->pools; i++) {
		const struct record *record = &round->dated[i];

		if (!record->kind || record->received - record->sent > JUDGE_TRIP_MAX)
			continue;
		if (record->date < floor)
			usable->early++;
		else if (!clock_fits(record->date, floor))
			usable->late++;
		else if (record->date < record->not_before || record->date > record->not_after)
			usable->certificates++;
		else if (time_now(record, boot) + JUDGE_AGREE < bound)
			usable->past++;
		else
			insert(usable, time_now(record, boot));
	}
}

/* Somebody else answers in the place of those that were asked. */
static bool is_captive(const struct judge_round *round)
{
	unsigned strangers = round->results[RECORD_UNTRUSTED] + round->results[RECORD_OTHER_NAME];

	switch (round->portal) {
	case RECORD_PORTAL_REDIRECT:
	case RECORD_PORTAL_STATUS:
	case RECORD_PORTAL_BODY:
		return true;
	case RECORD_PORTAL_UNKNOWN:
		return strangers >= 2;
	default:
		return false;
	}
}

static bool was_reached(const struct judge_round *round)
{
	for (unsigned i = 0; i < RECORD_RESULT_COUNT; i++)
		if (round->results[i] && i != RECORD_NO_NAME && i != RECORD_NO_ROUTE)
			return true;
	return round->portal && round->portal != RECORD_PORTAL_UNKNOWN;
}

static enum judge_reason why_no_quorum(const struct judge_round *round, const struct usable *usable)
{
	if (is_captive(round))
		return JUDGE_PORTAL;
	if (usable->early)
		return JUDGE_BEFORE_BUILD;
	if (usable->past)
		return JUDGE_BEFORE_PROVEN;
	if (usable->late)
		return JUDGE_TOO_LATE;
	if (usable->certificates)
		return JUDGE_CERTIFICATES;
	return was_reached(round) ? JUDGE_NO_QUORUM : JUDGE_NO_NETWORK;
}

/* What time the pools tell: 0 and *ret_time, or why none. */
static enum judge_reason majority(const struct usable *usable, size_t quorum, int64_t *ret_time)
{
	int64_t median = usable->times[(usable->count - 1) / 2];
	size_t agreeing = 0;

	for (size_t i = 0; i < usable->count; i++)
		agreeing += magnitude(usable->times[i] - median) <= JUDGE_AGREE;
	if (agreeing < quorum)
		return JUDGE_DISAGREE;
	*ret_time = median;
	return JUDGE_REASON_NONE;
}

static struct judge_verdict by_pools(struct judge_session *session, const struct judge_round *round,
				     struct clock_now now)
{
	const size_t quorum = round->pools / 2 + 1;
	const int64_t bound = proven(session, now.boot);
	struct usable usable = {0};
	struct judge_verdict verdict;
	int64_t time = 0;

	/* Whoever did not come to an end may have been about to say more. */
	if (!round->ended || now.boot - round->begun > JUDGE_ROUND_MAX)
		return kept(JUDGE_BAD_FETCH);
	sift(round, session, now.boot, &usable);
	if (usable.count < quorum) {
		verdict = kept(why_no_quorum(round, &usable));
		verdict.captive = verdict.reason == JUDGE_PORTAL;
		return verdict;
	}
	verdict = kept(majority(&usable, quorum, &time));
	if (verdict.reason != JUDGE_REASON_NONE)
		return verdict;
	/* Honest answers may be some seconds off; what is proven is not. */
	session->has_network = true;
	session->network = time > bound ? time : bound;
	session->network_boot = now.boot;
	return put_right(session->network, now, JUDGE_NETWORK);
}

struct judge_verdict judge_network(struct judge_session *session, const struct judge_round *round,
				   struct clock_now now)
{
	return at_least_proven(session, by_pools(session, round, now), now);
}

/* What time it is by the network's last word, and not before what is proven. False: there is none, or a
 * consensus has shown meanwhile that it was a lie. */
static bool network_time(const struct judge_session *session, int64_t boot, int64_t *ret_time)
{
	int64_t time = session->network + (boot - session->network_boot);
	int64_t bound = proven(session, boot);

	if (!session->has_network || time + JUDGE_AGREE < bound)
		return false;
	*ret_time = time > bound ? time : bound;
	return true;
}

bool judge_known(const struct judge_session *session, struct clock_now now,
		 struct judge_verdict *ret_verdict)
{
	int64_t time;

	if (!network_time(session, now.boot, &time) ||
	    now.boot - session->network_boot > JUDGE_FRESH)
		return false;
	*ret_verdict = put_right(time, now, JUDGE_KNOWN);
	return true;
}

/* ---- Tor ---- */

static bool consensus_fits(const struct judge_consensus *consensus, int64_t floor,
			   enum judge_reason *ret_reason)
{
	*ret_reason = JUDGE_BEFORE_BUILD;
	if (consensus->valid_after < floor)
		return false;
	*ret_reason = JUDGE_TOO_LATE;
	if (!clock_fits(consensus->valid_until, floor))
		return false;
	*ret_reason = JUDGE_BAD_CONSENSUS;
	return consensus->valid_after < consensus->fresh_until &&
	       consensus->fresh_until <= consensus->valid_until &&
	       consensus->valid_until - consensus->valid_after <= JUDGE_CONSENSUS_MAX;
}

/* Not before this is it now: the highest beginning that was seen, and what has passed since. */
static int64_t raise_bound(struct judge_session *session, int64_t valid_after, int64_t boot)
{
	int64_t known = session->bound + (boot - session->bound_boot);

	if (!session->has_bound || valid_after > known) {
		session->has_bound = true;
		session->bound = valid_after;
		session->bound_boot = boot;
		return valid_after;
	}
	return known;
}

/* The best that is known of the time in and after a consensus, and not before the bound: the network's
 * word, else the middle of when everybody gets this consensus. */
static int64_t best_guess(const struct judge_session *session,
			  const struct judge_consensus *consensus, int64_t bound, int64_t boot)
{
	int64_t begin = consensus->valid_after * CLOCK_NS, time;

	if (network_time(session, boot, &time))
		return time;
	time = begin + (consensus->fresh_until - consensus->valid_after) * CLOCK_NS / 2;
	return bound > time ? bound : time;
}

void judge_hear(struct judge_session *session, const struct judge_consensus *consensus, int64_t boot)
{
	enum judge_reason reason;

	if (consensus_fits(consensus, session->floor, &reason))
		(void)raise_bound(session, consensus->valid_after * CLOCK_NS, boot);
}

struct judge_verdict judge_consensus(struct judge_session *session,
				     const struct judge_consensus *consensus, struct clock_now now)
{
	struct judge_verdict known;
	enum judge_reason reason;
	int64_t bound;

	if (!consensus_fits(consensus, session->floor, &reason))
		return kept(reason);
	bound = raise_bound(session, consensus->valid_after * CLOCK_NS, now.boot);
	if (now.real + JUDGE_AGREE < bound)
		return put_right(best_guess(session, consensus, bound, now.boot), now,
				 JUDGE_CONSENSUS);
	if (now.real <= consensus->valid_until * CLOCK_NS)
		return (struct judge_verdict){.outcome = JUDGE_RIGHT_ALREADY,
					      .reason = JUDGE_CONSENSUS};
	/* The clock may be ahead, or the consensus old, and no consensus can tell which: to be put back
	 * it takes the network's word. */
	if (judge_known(session, now, &known) && known.outcome == JUDGE_SET)
		return known;
	return kept(JUDGE_STALE);
}
