/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What `lethe status` says, made from what was learned and from nothing else. What is not known to
 * be well is never called good.
 */
#pragma once

#include <base/buf.h>

#include "answer.h"
#include "links.h"

enum level {
	LEVEL_UNKNOWN, /* nobody could say */
	LEVEL_BAD,
	LEVEL_WAITING, /* on its way; nothing is wrong */
	LEVEL_GOOD,
	LEVEL_APART, /* this system has no such thing */
};

enum part_name { PART_MEDIUM, PART_FILTER, PART_PROOF, PART_GUARD, PART_WATCH, PART_TOR, PART_LINKS, PART_COUNT };

enum laboratory { LABORATORY_UNKNOWN, LABORATORY_USED, LABORATORY_NONE };

/* What was learned. */
struct facts {
	bool live; /* the kernel was started with a root hash: there is a medium */
	struct answer wall, proof, tor, medium, boot;
	struct answer proved; /* what the proof at the start of the network left, if anything */
	struct answer guard; /* what lethe-guard says of itself */
	struct answer watch; /* what lethe-watchd says of itself */
	bool watch_lives;    /* as the next */
	bool guard_lives;    /* there is a process of its name and number; true where nobody can tell */
	struct links links;
};

struct part {
	enum level level;
	struct buf text;   /* one or more sentences */
	struct buf advice; /* what to do; empty if there is nothing */
};

struct report {
	enum laboratory laboratory;
	struct part parts[PART_COUNT];
};

/* All texts are in the language that is set, fit for a terminal, and belong to the report, to
 * report_done(). Returns 0 or -errno; the report is to be released in either case. */
MUST_CHECK int report_make(const struct facts *facts, struct report *ret_report);
void report_done(struct report *report);

/* The worst of the parts: unknown and bad, then waiting, then good. */
enum level report_level(const struct report *report);

/* For people. With @colour the words that tell the levels have one. */
void report_text(const struct report *report, const char *version, bool colour, struct buf *out);
/* One JSON object, with the doors' own answers. Returns 0 or -ENOMEM. */
MUST_CHECK int report_json(const struct report *report, const struct facts *facts,
			   const char *version, struct buf *out);

/* The judgement of each part, in files of their own. @part has room and level LEVEL_UNKNOWN. */
void judge_medium(const struct facts *facts, struct part *part);
void judge_filter(const struct facts *facts, struct part *part);
void judge_proof(const struct facts *facts, struct part *part);
void judge_guard(const struct facts *facts, struct part *part);
void judge_watch(const struct facts *facts, struct part *part);
void judge_tor(const struct facts *facts, struct part *part);
void judge_links(const struct facts *facts, struct part *part);

/* Is this, as far as anybody can tell, started from a medium of Lethe's? */
bool facts_live(const struct facts *facts);
/* Is there a link that a connection could be made over? */
bool facts_linked(const struct facts *facts);
/* Say in @part why an answer is missing, and advise as judge_ask_again(). */
void judge_missing(int error, struct part *part);
/* Advise who is told that something is not known. */
void judge_ask_again(struct part *part);
