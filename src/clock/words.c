/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "words.h"

#include <string.h>

static const char *const outcomes[] = {
    [JUDGE_KEPT] = "kept",
    [JUDGE_RIGHT_ALREADY] = "right",
    [JUDGE_SET] = "set",
};

static const struct {
	const char *word, *sentence;
} reasons[JUDGE_REASON_COUNT] = {
    [JUDGE_REASON_NONE] = {"none", "nobody has asked yet"},
    [JUDGE_PORTAL] = {"captive-portal", "a captive portal answers in the Internet's place"},
    [JUDGE_NO_NETWORK] = {"no-network", "nobody could be reached"},
    [JUDGE_NO_QUORUM] = {"no-quorum", "too few answered with a time that can be used"},
    [JUDGE_DISAGREE] = {"disagreement", "those who answered differ"},
    [JUDGE_BEFORE_BUILD] = {"before-build", "the time told is before this system was built"},
    [JUDGE_BEFORE_PROVEN] = {"before-proven",
			     "the time told is before one that Tor's consensus has proven to be past"},
    [JUDGE_TOO_LATE] = {"too-late", "the time told is too many years after this system was built"},
    [JUDGE_CERTIFICATES] = {"certificates",
			    "certificates are not valid at the time that they vouch for"},
    [JUDGE_BAD_FETCH] = {"fetch-failed", "what asks the network failed"},
    [JUDGE_NO_CONSENSUS] = {"no-consensus", "Tor has no consensus yet, or could not be asked"},
    [JUDGE_BAD_CONSENSUS] = {"bad-consensus", "the times of Tor's consensus cannot be"},
    [JUDGE_STALE] = {"stale-consensus", "Tor's consensus is over by the clock, but may be old"},
    [JUDGE_NO_FLOOR] = {"no-build-date", "it is not known when this system was built"},
    [JUDGE_REFUSED] = {"refused", "the clock could not be set"},
    [JUDGE_UNWANTED] = {"unwanted", "who asked did not wait for the answer"},
    [JUDGE_NETWORK] = {"network", "by the network's time"},
    [JUDGE_KNOWN] = {"known", "by the network's time, which was known already"},
    [JUDGE_CONSENSUS] = {"consensus", "by Tor's consensus"},
};

static const char *const results[RECORD_RESULT_COUNT] = {
    [RECORD_DATED] = "dated",
    [RECORD_NO_NAME] = "no name",
    [RECORD_NO_ROUTE] = "no route",
    [RECORD_SLOW] = "slow",
    [RECORD_UNTRUSTED] = "untrusted",
    [RECORD_OTHER_NAME] = "another's certificate",
    [RECORD_NO_TLS] = "no TLS",
    [RECORD_TOO_MUCH] = "too much",
    [RECORD_NO_HTTP] = "no HTTP",
    [RECORD_NO_DATE] = "no date",
    [RECORD_FAILED] = "failed",
};

const char *words_outcome(enum judge_outcome outcome)
{
	return outcomes[outcome];
}

const char *words_reason(enum judge_reason reason)
{
	return reasons[reason].word;
}

const char *words_result(enum record_result result)
{
	return results[result];
}

const char *words_explain(const char *reason)
{
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		if (strcmp(reasons[i].word, reason) == 0)
			return reasons[i].sentence;
	return "";
}
