/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is said of each part in each of its states. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "test_facts.h"

#define NO_LAB ",\"laboratory\":false"

struct row {
	struct inputs inputs;
	enum part_name part;
	enum level level, all;
	const char *says, *advises; /* parts of what is said */
};

static void check_row(const struct row *row)
{
	CLEANUP(facts_done) struct facts facts = facts_of(&row->inputs);
	CLEANUP(report_done) struct report report = {0};
	const struct part *part = &report.parts[row->part];

	assert_int_equal(report_make(&facts, &report), 0);
	print_message("# %s | %s\n", buf_text(&part->text), buf_text(&part->advice));
	assert_int_equal(part->level, row->level);
	assert_int_equal(report_level(&report), row->all);
	assert_non_null(strstr(buf_text(&part->text), row->says));
	assert_non_null(strstr(buf_text(&part->advice), row->advises));
	/* Who is told of something bad is told what to do. */
	if (part->level == LEVEL_BAD || part->level == LEVEL_UNKNOWN)
		assert_true(part->advice.len > 0);
	check_output(&report, &facts);
}

static const struct row medium_rows[] = {
    {{0}, PART_MEDIUM, LEVEL_GOOD, LEVEL_GOOD, "USB stick \"Ultra\" (sda), verified", ""},
    {{.medium = MEDIUM("true", "medium", "true", NO_LAB)},
     PART_MEDIUM,
     LEVEL_GOOD,
     LEVEL_GOOD,
     "DVD (sr0), verified",
     ""},
    {{.medium = MEDIUM("true", "ram", "true", NO_LAB)},
     PART_MEDIUM,
     LEVEL_GOOD,
     LEVEL_GOOD,
     "may be taken out",
     ""},
    {{.medium = MEDIUM("false", "ram", "true", NO_LAB)},
     PART_MEDIUM,
     LEVEL_GOOD,
     LEVEL_GOOD,
     "was taken out",
     ""},
    {{.medium = MEDIUM("false", "medium", "true", NO_LAB)},
     PART_MEDIUM,
     LEVEL_BAD,
     LEVEL_BAD,
     "was taken out",
     "Switch the computer off"},
    {{.medium = MEDIUM("true", "medium", "false", ",\"reason\":\"hash differs\"")},
     PART_MEDIUM,
     LEVEL_BAD,
     LEVEL_BAD,
     "NOT VERIFIED: DVD (sr0). hash differs.",
     "Do not use"},
    /* Not verified needs no more to be believed; verified does. */
    {{.medium = "{\"verified\":false}"},
     PART_MEDIUM,
     LEVEL_BAD,
     LEVEL_BAD,
     "NOT VERIFIED",
     "Do not use"},
    {{.medium = "{\"verified\":true}"},
     PART_MEDIUM,
     LEVEL_UNKNOWN,
     LEVEL_UNKNOWN,
     "not understood",
     ""},
    {{.medium = MEDIUM("true", "medium", "\"true\"", "")},
     PART_MEDIUM,
     LEVEL_UNKNOWN,
     LEVEL_UNKNOWN,
     "not understood",
     ""},
    {{.medium = MEDIUM("true", "medium", "1", "")},
     PART_MEDIUM,
     LEVEL_UNKNOWN,
     LEVEL_UNKNOWN,
     "not understood",
     ""},
    {{.medium = MEDIUM("null", "medium", "true", "")},
     PART_MEDIUM,
     LEVEL_UNKNOWN,
     LEVEL_UNKNOWN,
     "not understood",
     ""},
    {{.medium = MEDIUM("true", "other", "true", "")},
     PART_MEDIUM,
     LEVEL_UNKNOWN,
     LEVEL_UNKNOWN,
     "not understood",
     ""},
    {{.medium = "{\"medium\":[],\"mode\":\"ram\",\"verified\":true}"},
     PART_MEDIUM,
     LEVEL_UNKNOWN,
     LEVEL_UNKNOWN,
     "not understood",
     ""},
    {{.medium = "{}"}, PART_MEDIUM, LEVEL_UNKNOWN, LEVEL_UNKNOWN, "not understood", ""},
    {{.medium = "[]"}, PART_MEDIUM, LEVEL_UNKNOWN, LEVEL_UNKNOWN, "not understood", ""},
    {{.medium = SILENT}, PART_MEDIUM, LEVEL_UNKNOWN, LEVEL_UNKNOWN, "no answer", ""},
    /* On the live system a door that is not there is no excuse. */
    {{.medium = GONE}, PART_MEDIUM, LEVEL_UNKNOWN, LEVEL_UNKNOWN, "door is not there", ""},
    {{.medium = GONE, .boot = GONE},
     PART_MEDIUM,
     LEVEL_UNKNOWN,
     LEVEL_UNKNOWN,
     "door is not there",
     ""},
    {{.medium = GONE, .boot = BOOT, .installed = true},
     PART_MEDIUM,
     LEVEL_UNKNOWN,
     LEVEL_UNKNOWN,
     "door is not there",
     ""},
    {{.medium = LATE, .installed = true}, PART_MEDIUM, LEVEL_UNKNOWN, LEVEL_UNKNOWN, "in time", ""},
    {{.installed = true},
     PART_MEDIUM,
     LEVEL_APART,
     LEVEL_GOOD,
     "was not started from a medium",
     ""},
};

static void test_medium(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(medium_rows); i++)
		check_row(&medium_rows[i]);
}

#define UNCOVERED(list)                                                                            \
	"{\"state\":\"uncovered\",\"uncovered\":" list                                             \
	",\"settings_good\":true,\"settings\":\"\","                                               \
	"\"other_tables\":\"\"}"

static const struct row filter_rows[] = {
    {{0}, PART_FILTER, LEVEL_GOOD, LEVEL_GOOD, "enforced", ""},
    {{.wall = "{\"state\":\"enforced\",\"uncovered\":[],\"settings_good\":true,"
	      "\"settings\":\"\",\"other_tables\":\"inet mine\",\"new\":{}}"},
     PART_FILTER,
     LEVEL_GOOD,
     LEVEL_GOOD,
     "Other tables, which can only forbid more: inet mine.",
     ""},
    {{.wall = "{\"state\":\"enforced\",\"uncovered\":[],\"settings_good\":true,"
	      "\"settings\":\"\",\"other_tables\":\"ip nat (rewrites packets)\"}"},
     PART_FILTER,
     LEVEL_BAD,
     LEVEL_BAD,
     "rewrite packets: ip nat",
     "Disconnect"},
    {{.wall = "{\"state\":\"enforced\",\"uncovered\":[],\"settings_good\":false,"
	      "\"settings\":\"net.x is 0\",\"other_tables\":\"\"}"},
     PART_FILTER,
     LEVEL_BAD,
     LEVEL_BAD,
     "not as it needs them: net.x is 0.",
     "Disconnect"},
    {{.wall = WALL("sealed", "")},
     PART_FILTER,
     LEVEL_BAD,
     LEVEL_BAD,
     "nothing can leave",
     "Restart"},
    {{.wall = WALL("open", "")}, PART_FILTER, LEVEL_BAD, LEVEL_BAD, "MISSING", "Disconnect"},
    {{.wall = WALL("open", ""), .installed = true},
     PART_FILTER,
     LEVEL_BAD,
     LEVEL_BAD,
     "MISSING",
     "lethe-wall apply"},
    {{.wall = "{\"state\":\"different\",\"difference\":\"rule 7 is not there\"}"},
     PART_FILTER,
     LEVEL_BAD,
     LEVEL_BAD,
     "CHANGED",
     "Disconnect"},
    {{.wall = "{\"state\":\"different\",\"difference\":\"rule 7 is not there\"}"},
     PART_FILTER,
     LEVEL_BAD,
     LEVEL_BAD,
     "rule 7 is not there",
     "restart"},
    {{.wall = UNCOVERED("[\"eth1\",\"wlan0\"]")},
     PART_FILTER,
     LEVEL_BAD,
     LEVEL_BAD,
     "not on these devices: eth1, wlan0.",
     "Disconnect"},
    {{.wall = UNCOVERED("[1,null]")},
     PART_FILTER,
     LEVEL_BAD,
     LEVEL_BAD,
     "not on these devices: ?, ?.",
     "Disconnect"},
    {{.wall = UNCOVERED("[]")}, PART_FILTER, LEVEL_BAD, LEVEL_BAD, "...", "Disconnect"},
    /* A list of uncovered devices counts, whatever the state says. */
    {{.wall = "{\"state\":\"enforced\",\"uncovered\":[\"eth1\"],\"settings_good\":true,"
	      "\"settings\":\"\",\"other_tables\":\"\"}"},
     PART_FILTER,
     LEVEL_BAD,
     LEVEL_BAD,
     "eth1",
     ""},
    {{.wall = WALL("perfect", "")},
     PART_FILTER,
     LEVEL_UNKNOWN,
     LEVEL_UNKNOWN,
     "not understood",
     ""},
    {{.wall = "{\"state\":\"enforced\"}"},
     PART_FILTER,
     LEVEL_UNKNOWN,
     LEVEL_UNKNOWN,
     "not understood",
     ""},
    {{.wall = "{\"state\":\"enforced\",\"uncovered\":[],\"settings_good\":\"yes\","
	      "\"settings\":\"\",\"other_tables\":\"\"}"},
     PART_FILTER,
     LEVEL_UNKNOWN,
     LEVEL_UNKNOWN,
     "not understood",
     ""},
    {{.wall = "{\"state\":\"enforced\",\"uncovered\":\"\",\"settings_good\":true,"
	      "\"settings\":\"\",\"other_tables\":\"\"}"},
     PART_FILTER,
     LEVEL_UNKNOWN,
     LEVEL_UNKNOWN,
     "not understood",
     ""},
    {{.wall = "{\"state\":7}"}, PART_FILTER, LEVEL_UNKNOWN, LEVEL_UNKNOWN, "not understood", ""},
    {{.wall = "{\"error\":{\"message\":\"no netlink\"}}"},
     PART_FILTER,
     LEVEL_UNKNOWN,
     LEVEL_UNKNOWN,
     "could not be asked: no netlink.",
     "Ask again"},
    {{.wall = "{\"state\":\"enforced\",\"error\":{}}"},
     PART_FILTER,
     LEVEL_UNKNOWN,
     LEVEL_UNKNOWN,
     "could not be asked: ?.",
     "Ask again"},
    {{.wall = GONE}, PART_FILTER, LEVEL_UNKNOWN, LEVEL_UNKNOWN, "door is not there", ""},
    {{.wall = LATE}, PART_FILTER, LEVEL_UNKNOWN, LEVEL_UNKNOWN, "in time", ""},
    {{.wall = LONG}, PART_FILTER, LEVEL_UNKNOWN, LEVEL_UNKNOWN, "not understood", ""},
    {{.wall = SILENT}, PART_FILTER, LEVEL_UNKNOWN, LEVEL_UNKNOWN, "no answer", ""},
};

static void test_filter(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(filter_rows); i++)
		check_row(&filter_rows[i]);
}

#define EXAMPLE                                                                                    \
	",\"fault\":\"leak\",\"example\":{\"packet\":\"tcp a -> b\",\"policy\":\"drop\","           \
	"\"kernel\":\"accepted\",\"kernel_rule\":\"rule 1\"}"

static const struct row proof_rows[] = {
    {{0}, PART_PROOF, LEVEL_GOOD, LEVEL_GOOD, "on every device", ""},
    {{.proof = PROOF("proved", "")},
     PART_PROOF,
     LEVEL_GOOD,
     LEVEL_GOOD,
     "on the devices that are there",
     ""},
    {{.proof = PROOF("refuted", EXAMPLE)},
     PART_PROOF,
     LEVEL_BAD,
     LEVEL_BAD,
     "For example tcp a -> b: the policy says drop; in the kernel it is accepted (rule 1).",
     "Disconnect"},
    {{.proof = PROOF("refuted", ",\"fault\":\"blocks\"")},
     PART_PROOF,
     LEVEL_BAD,
     LEVEL_BAD,
     "stops what the policy grants",
     "Disconnect"},
    {{.proof = PROOF("refuted", EXAMPLE), .installed = true},
     PART_PROOF,
     LEVEL_BAD,
     LEVEL_BAD,
     "lets pass",
     "lethe-proof check"},
    {{.proof = "{\"answer\":\"not proved\",\"reason\":\"the expression 'x'\"}"},
     PART_PROOF,
     LEVEL_BAD,
     LEVEL_BAD,
     "NOT PROVED: the expression 'x'.",
     "Disconnect"},
    {{.proof = "{\"answer\":\"not proved\",\"reason\":\"\",\"outside\":[\"XDP\"]}"},
     PART_PROOF,
     LEVEL_BAD,
     LEVEL_BAD,
     "NOT PROVED: XDP.",
     "Disconnect"},
    {{.proof = PROOF("perfect", "")},
     PART_PROOF,
     LEVEL_UNKNOWN,
     LEVEL_UNKNOWN,
     "not understood",
     ""},
    {{.proof = "{\"answer\":7}"}, PART_PROOF, LEVEL_UNKNOWN, LEVEL_UNKNOWN, "not understood", ""},
    {{.proof = GONE}, PART_PROOF, LEVEL_UNKNOWN, LEVEL_UNKNOWN, "door is not there", ""},
    {{.proof = LATE}, PART_PROOF, LEVEL_UNKNOWN, LEVEL_UNKNOWN, "in time", ""},
    /* Sealed because of what was found before links came up; and for another reason. */
    {{.wall = WALL("sealed", ""), .proved = PROOF("refuted", EXAMPLE), .proof = PROOF("refuted", "")},
     PART_PROOF,
     LEVEL_BAD,
     LEVEL_BAD,
     "tcp a -> b",
     "restart"},
    {{.wall = WALL("sealed", ""), .proved = PROOF("refuted", EXAMPLE), .proof = GONE},
     PART_PROOF,
     LEVEL_BAD,
     LEVEL_BAD,
     "everything was sealed",
     "restart"},
    {{.wall = WALL("sealed", ""), .proof = PROOF("refuted", ",\"fault\":\"blocks\"")},
     PART_PROOF,
     LEVEL_BAD,
     LEVEL_BAD,
     "stops what the policy grants",
     "Disconnect"},
    /* What was refuted once does not make a filter bad that is proved now. */
    {{.proved = PROOF("refuted", EXAMPLE)}, PART_PROOF, LEVEL_GOOD, LEVEL_GOOD, "proved: ", ""},
};

static void test_proof(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(proof_rows); i++)
		check_row(&proof_rows[i]);
}

static const struct row guard_rows[] = {
    {{0}, PART_GUARD, LEVEL_GOOD, LEVEL_GOOD, "nobody else can change", ""},
    {{.guard = GUARD("holding", "false", "null")},
     PART_GUARD,
     LEVEL_GOOD,
     LEVEL_GOOD,
     "noticed and put right",
     ""},
    {{.guard = GUARD("holding", "true",
		     "{\"pid\":7,\"comm\":\"nft\",\"what\":\"a table\",\"harmless\":false,"
		     "\"healed_us\":2500}")},
     PART_GUARD,
     LEVEL_GOOD,
     LEVEL_GOOD,
     "Last changed by nft (process 7): a table; put right after 2.5 ms.",
     ""},
    {{.guard = GUARD("shut", "false", "null")},
     PART_GUARD,
     LEVEL_BAD,
     LEVEL_BAD,
     "SHUT: why.",
     "restart"},
    {{.guard = GUARD("stopped", "true", "null")},
     PART_GUARD,
     LEVEL_BAD,
     LEVEL_BAD,
     "does not run",
     "restart"},
    {{.guard_died = true}, PART_GUARD, LEVEL_BAD, LEVEL_BAD, "does not run", "restart"},
    {{.guard = GUARD("idle", "false", "null")}, PART_GUARD, LEVEL_BAD, LEVEL_BAD, "no filter", ""},
    {{.guard = GONE}, PART_GUARD, LEVEL_BAD, LEVEL_BAD, "has not begun", "restart"},
    {{.guard = GONE, .installed = true}, PART_GUARD, LEVEL_APART, LEVEL_GOOD, "not used", ""},
    {{.guard = GUARD("new", "true", "null")},
     PART_GUARD,
     LEVEL_UNKNOWN,
     LEVEL_UNKNOWN,
     "not understood",
     ""},
    {{.guard = "{}"}, PART_GUARD, LEVEL_UNKNOWN, LEVEL_UNKNOWN, "not understood", ""},
    {{.guard = LATE}, PART_GUARD, LEVEL_UNKNOWN, LEVEL_UNKNOWN, "in time", ""},
};

static void test_guard(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(guard_rows); i++)
		check_row(&guard_rows[i]);
}

static const struct row watch_rows[] = {
    {{0}, PART_WATCH, LEVEL_GOOD, LEVEL_GOOD, "named by program.", ""},
    {{.watch = WATCH("kernel", "12", UNTAMPERED)},
     PART_WATCH,
     LEVEL_GOOD,
     LEVEL_GOOD,
     "LOST: 12 refusals",
     ""},
    {{.watch = WATCH("nflog", "0", UNTAMPERED)},
     PART_WATCH,
     LEVEL_GOOD,
     LEVEL_GOOD,
     "by user only, not by program: no BTF.",
     ""},
    {{.watch = WATCH("none", "0", UNTAMPERED)},
     PART_WATCH,
     LEVEL_UNKNOWN,
     LEVEL_UNKNOWN,
     "nobody can tell which program is refused: no BTF.",
     "stays refused"},
    {{.watch = WATCH("kernel", "0", TAMPERED("1", "0"))},
     PART_WATCH,
     LEVEL_GOOD,
     LEVEL_GOOD,
     "FILTER: /usr/sbin/nft (process 7, root) at 2026-11-27 10:06:20 UTC: flush of all tables; the "
     "kernel refused it.",
     "on purpose"},
    {{.watch = WATCH("kernel", "0", TAMPERED("3", "1000"))},
     PART_WATCH,
     LEVEL_GOOD,
     LEVEL_GOOD,
     "(process 7, user 1000) at 2026-11-27 10:06:20 UTC: flush of all tables; the kernel refused it. "
     "That makes 3 attempts.",
     "on purpose"},
    /* The kernel keeps nobody off: then nobody can say that it was refused. */
    {{.watch = WATCH("kernel", "0", TAMPERED("1", "0")), .guard = GUARD("holding", "false", "null")},
     PART_WATCH,
     LEVEL_GOOD,
     LEVEL_GOOD,
     "UTC: flush of all tables.",
     "on purpose"},
    {{.watch = WATCH("kernel", "0", TAMPERED("1", "0")), .guard_died = true},
     PART_WATCH,
     LEVEL_GOOD,
     LEVEL_BAD,
     "UTC: flush of all tables.",
     "on purpose"},
    {{.watch = WATCH("kernel", "0",
		     "\"watched\":false,\"why\":\"it cannot\",\"count\":0,\"latest\":[]")},
     PART_WATCH,
     LEVEL_GOOD,
     LEVEL_GOOD,
     "Nobody sees who would change the filter: it cannot.",
     ""},
    {{.watch = WATCH("kernel", "0", "")},
     PART_WATCH,
     LEVEL_GOOD,
     LEVEL_GOOD,
     "Nobody sees who would change the filter",
     ""},
    {{.watch = WATCH("stopped", "0", UNTAMPERED)},
     PART_WATCH,
     LEVEL_BAD,
     LEVEL_BAD,
     "does not run",
     "Restart"},
    {{.watch = WATCH("stopped", "0", UNTAMPERED), .installed = true},
     PART_WATCH,
     LEVEL_BAD,
     LEVEL_BAD,
     "does not run",
     "systemctl"},
    {{.watch_died = true}, PART_WATCH, LEVEL_BAD, LEVEL_BAD, "does not run", "Restart"},
    {{.watch = GONE}, PART_WATCH, LEVEL_WAITING, LEVEL_WAITING, "has not begun", ""},
    {{.watch = GONE, .installed = true}, PART_WATCH, LEVEL_APART, LEVEL_GOOD, "not used", ""},
    {{.watch = WATCH("new", "0", UNTAMPERED)},
     PART_WATCH,
     LEVEL_UNKNOWN,
     LEVEL_UNKNOWN,
     "not understood",
     ""},
    {{.watch = WATCH("kernel", "\"x\"", UNTAMPERED)},
     PART_WATCH,
     LEVEL_UNKNOWN,
     LEVEL_UNKNOWN,
     "not understood",
     ""},
    {{.watch = "{}"}, PART_WATCH, LEVEL_UNKNOWN, LEVEL_UNKNOWN, "not understood", ""},
    {{.watch = LATE}, PART_WATCH, LEVEL_UNKNOWN, LEVEL_UNKNOWN, "in time", ""},
};

static void test_watch(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(watch_rows); i++)
		check_row(&watch_rows[i]);
}

static const struct row tor_rows[] = {
    {{0}, PART_TOR, LEVEL_GOOD, LEVEL_GOOD, "connected.", ""},
    {{.tor = TOR("45", "false", "")},
     PART_TOR,
     LEVEL_WAITING,
     LEVEL_WAITING,
     "connecting, 45 %: Doing.",
     ""},
    {{.tor = TOR("0", "false", "")}, PART_TOR, LEVEL_WAITING, LEVEL_WAITING, "0 %", ""},
    {{.tor = "{\"running\":true,\"network\":\"enabled\",\"dormant\":false,\"progress\":100,"
	     "\"liveness\":\"down\",\"summary\":\"Done\",\"circuit\":true}"},
     PART_TOR,
     LEVEL_WAITING,
     LEVEL_WAITING,
     "nothing comes from the network",
     ""},
    /* A circuit before the end is not yet the end. */
    {{.tor = TOR("95", "true", "")}, PART_TOR, LEVEL_WAITING, LEVEL_WAITING, "95 %", ""},
    {{.tor = TOR("100", "false", "")},
     PART_TOR,
     LEVEL_WAITING,
     LEVEL_WAITING,
     "connecting again",
     ""},
    {{.tor = "{\"running\":true,\"network\":\"enabled\",\"dormant\":false,\"progress\":5,"
	     "\"summary\":\"Connecting to a relay\",\"circuit\":false,"
	     "\"warning\":\"No route to host\",\"reason\":\"NOROUTE\"}"},
     PART_TOR,
     LEVEL_WAITING,
     LEVEL_WAITING,
     "5 %: Connecting to a relay. It met an obstacle: No route to host.",
     "Try another network"},
    {{.tor = "{\"running\":true,\"network\":\"disabled\",\"dormant\":false,\"progress\":0,"
	     "\"summary\":\"Starting\",\"circuit\":false}"},
     PART_TOR,
     LEVEL_WAITING,
     LEVEL_WAITING,
     "until you have chosen",
     "lethe-connect"},
    {{.tor = "{\"running\":true,\"network\":\"disabled\",\"dormant\":false,\"progress\":0,"
	     "\"summary\":\"Starting\",\"circuit\":false}",
      .installed = true},
     PART_TOR,
     LEVEL_WAITING,
     LEVEL_WAITING,
     "switched off",
     ""},
    {{.tor = "{\"running\":true,\"network\":\"enabled\",\"dormant\":true,\"progress\":100,"
	     "\"summary\":\"Done\",\"circuit\":false}"},
     PART_TOR,
     LEVEL_WAITING,
     LEVEL_WAITING,
     "resting",
     ""},
    {{.links = &links_unlinked, .tor = TOR("5", "false", "")},
     PART_TOR,
     LEVEL_WAITING,
     LEVEL_WAITING,
     "waits for a network",
     ""},
    /* Tor does not see at once that the cable is out. */
    {{.links = &links_unlinked}, PART_TOR, LEVEL_WAITING, LEVEL_WAITING, "waits for a network", ""},
    {{.tor = "{\"running\":false,\"starting\":true,\"reason\":\"x\"}"},
     PART_TOR,
     LEVEL_WAITING,
     LEVEL_WAITING,
     "not yet: it is still starting",
     "restart the computer"},
    {{.tor = "{\"running\":false,\"starting\":true,\"reason\":\"x\"}", .installed = true},
     PART_TOR,
     LEVEL_WAITING,
     LEVEL_WAITING,
     "not yet: it is still starting",
     "systemctl status tor"},
    {{.tor = "{\"running\":false}"}, PART_TOR, LEVEL_UNKNOWN, LEVEL_UNKNOWN, "not understood", ""},
    {{.tor = "{\"running\":false,\"starting\":false,\"reason\":\"Tor is not running (x)\"}"},
     PART_TOR,
     LEVEL_BAD,
     LEVEL_BAD,
     "Tor is not running (x)",
     "restart the computer"},
    {{.tor = "{\"running\":false,\"starting\":false}", .installed = true},
     PART_TOR,
     LEVEL_BAD,
     LEVEL_BAD,
     "not running",
     "systemctl start tor"},
    {{.tor = TOR("101", "true", "")}, PART_TOR, LEVEL_UNKNOWN, LEVEL_UNKNOWN, "not understood", ""},
    {{.tor = TOR("-1", "true", "")}, PART_TOR, LEVEL_UNKNOWN, LEVEL_UNKNOWN, "not understood", ""},
    {{.tor = TOR("100.0", "true", "")},
     PART_TOR,
     LEVEL_UNKNOWN,
     LEVEL_UNKNOWN,
     "not understood",
     ""},
    {{.tor = TOR("100", "1", "")}, PART_TOR, LEVEL_UNKNOWN, LEVEL_UNKNOWN, "not understood", ""},
    {{.tor = "{\"running\":true,\"network\":\"maybe\",\"dormant\":false,\"progress\":100,"
	     "\"summary\":\"Done\",\"circuit\":true}"},
     PART_TOR,
     LEVEL_UNKNOWN,
     LEVEL_UNKNOWN,
     "not understood",
     ""},
    {{.tor = "{\"running\":true}"}, PART_TOR, LEVEL_UNKNOWN, LEVEL_UNKNOWN, "not understood", ""},
    {{.tor = "{\"running\":\"true\"}"},
     PART_TOR,
     LEVEL_UNKNOWN,
     LEVEL_UNKNOWN,
     "not understood",
     ""},
    /* What was said twice was not said. */
    {{.tor = TOR("100", "true", ",\"circuit\":true")},
     PART_TOR,
     LEVEL_UNKNOWN,
     LEVEL_UNKNOWN,
     "not understood",
     ""},
    {{.tor = TOR_GOOD TOR_GOOD}, PART_TOR, LEVEL_UNKNOWN, LEVEL_UNKNOWN, "not understood", ""},
    {{.tor = GONE}, PART_TOR, LEVEL_UNKNOWN, LEVEL_UNKNOWN, "door is not there", ""},
    {{.tor = LATE}, PART_TOR, LEVEL_UNKNOWN, LEVEL_UNKNOWN, "in time", ""},
};

static void test_tor(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(tor_rows); i++)
		check_row(&tor_rows[i]);
}

static const struct links none = {0}, failed = {.error = -EPERM};
static const struct links half = {
    .list = {{"a", true, true, false}, {"b", true, false, true}, {"c", false, true, true}},
    .count = 3};
static const struct links many = {.list = {{"a", true, true, true},
					   {"b"},
					   {"c"},
					   {"d"},
					   {"e"},
					   {"f"},
					   {"g"},
					   {"h"},
					   {"i"},
					   {"\033[2J"}},
				  .count = 10,
				  .more = 3};
static const struct row links_rows[] = {
    {{0}, PART_LINKS, LEVEL_GOOD, LEVEL_GOOD, "enp0s2 connected, with an address; wlan0 off.", ""},
    {{.links = &links_unlinked},
     PART_LINKS,
     LEVEL_WAITING,
     LEVEL_WAITING,
     "enp0s2 on, not connected.",
     "Plug in"},
    {{.links = &half},
     PART_LINKS,
     LEVEL_WAITING,
     LEVEL_WAITING,
     "a connected, without an address; b on, not connected; c off.",
     "Plug in"},
    {{.links = &none}, PART_LINKS, LEVEL_WAITING, LEVEL_WAITING, "no network device", "adapter"},
    {{.links = &failed}, PART_LINKS, LEVEL_UNKNOWN, LEVEL_UNKNOWN, "cannot be read", "Ask again"},
    {{.links = &many}, PART_LINKS, LEVEL_GOOD, LEVEL_GOOD, "h off; 5 more.", ""},
};

static void test_links(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(links_rows); i++)
		check_row(&links_rows[i]);
}

static const struct row worst_rows[] = {
    {{.tor = TOR("5", "false", ""), .wall = LATE},
     PART_TOR,
     LEVEL_WAITING,
     LEVEL_UNKNOWN,
     "5 %",
     ""},
    {{.tor = LATE, .wall = WALL("open", "")}, PART_TOR, LEVEL_UNKNOWN, LEVEL_BAD, "in time", ""},
    {{.tor = TOR("5", "false", ""), .wall = WALL("open", "")},
     PART_TOR,
     LEVEL_WAITING,
     LEVEL_BAD,
     "5 %",
     ""},
};

static void test_worst_counts(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(worst_rows); i++)
		check_row(&worst_rows[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_medium),       cmocka_unit_test(test_filter),
		cmocka_unit_test(test_proof),
	    cmocka_unit_test(test_guard),
	    cmocka_unit_test(test_watch),
	    cmocka_unit_test(test_tor),          cmocka_unit_test(test_links),
	    cmocka_unit_test(test_worst_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
