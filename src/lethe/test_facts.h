/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Facts for tests: those of a system where all is well, but for what a test changes. */
#pragma once

#include "report.h"

/* A door that is not there, that did not answer, that said too much, that said nothing. */
#define GONE   "-ENOENT"
#define LATE   "-ETIMEDOUT"
#define LONG   "-E2BIG"
#define SILENT "-ENODATA"

#define MEDIUM_GOOD                                                                                \
	"{\"medium\":{\"device\":\"sda\",\"bus\":\"usb\",\"model\":\"Ultra\",\"present\":true},"   \
	"\"mode\":\"medium\",\"verified\":true,\"root_hash\":\"00\",\"laboratory\":false,"         \
	"\"reason\":null}"
#define WALL(state, rest)                                                                          \
	"{\"version\":1,\"state\":\"" state "\",\"policy_good\":true,\"difference\":\"\","         \
	"\"uncovered\":[],\"settings_good\":true,\"settings\":\"\",\"other_tables\":\"\"" rest "}"
#define PROOF(answer, rest)                                                                        \
	"{\"version\":1,\"answer\":\"" answer "\",\"outside\":[],\"reason\":\"\"" rest "}"
#define PROOF_GOOD PROOF("proved", ",\"future_devices\":true")
#define GUARD(state, owned, last)                                                                 \
	"{\"version\":1,\"state\":\"" state "\",\"pid\":1,\"owned\":" owned                      \
	",\"shut\":\"why\",\"last\":" last "}"
#define GUARD_GOOD GUARD("holding", "true", "null")
#define WATCH(mode, lost, tampering)                                                              \
	"{\"version\":1,\"pid\":1,\"mode\":\"" mode "\",\"why\":\"no BTF\",\"lost\":" lost        \
	",\"tampering\":{" tampering "}}"
#define UNTAMPERED "\"watched\":true,\"why\":\"\",\"count\":0,\"latest\":[]"
#define TAMPERED(count, uid)                                                                      \
	"\"watched\":true,\"why\":\"\",\"count\":" count ",\"latest\":[{\"time\":1795773980,"     \
	"\"times\":1,\"pid\":7,\"uid\":" uid ",\"comm\":\"nft\",\"exe\":\"/usr/sbin/nft\","       \
	"\"unit\":\"\",\"what\":\"flush of all tables\"}]"
#define WATCH_GOOD WATCH("kernel", "0", UNTAMPERED)
#define WALL_GOOD WALL("enforced", "")
#define TOR(progress, circuit, rest)                                                               \
	"{\"running\":true,\"version\":\"0.4.8.16\",\"network\":\"enabled\",\"dormant\":false,"    \
	"\"liveness\":\"up\",\"progress\":" progress ",\"phase\":\"x\",\"summary\":\"Doing\","     \
	"\"circuit\":" circuit ",\"warning\":null,\"reason\":null" rest "}"
#define TOR_GOOD TOR("100", "true", "")
#define BOOT     "{\"version\":1,\"root_hash\":\"00\",\"laboratory\":false}"
#define MEDIUM(present, mode, verified, rest)                                                      \
	"{\"medium\":{\"device\":\"sr0\",\"bus\":\"scsi\",\"model\":\"\",\"present\":" present     \
	"},\"mode\":\"" mode "\",\"verified\":" verified rest "}"

/* Each is JSON, one of the words above, or NULL: as when all is well. */
struct inputs {
	const char *wall, *proof, *proved, *tor, *medium, *boot, *guard, *watch;
	const struct links *links;
	bool guard_died, watch_died;
	bool installed; /* the kernel was not started from a medium */
};

extern const struct links links_linked, links_unlinked;

/* To be released by facts_done(). */
struct facts facts_of(const struct inputs *inputs);
void facts_done(struct facts *facts);

/* Whatever came in, what goes out is fit for a terminal, and is JSON. */
void check_output(const struct report *report, const struct facts *facts);
