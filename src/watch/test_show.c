/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A row on its way to a person: values, JSON, text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "describe.h"
#include "entry.h"
#include "test_help.h"

#define OWN_NETNS 4026531840u

/* The values of a row, kept for as long as a test needs them. */
struct kept {
	struct entry entry;
	char texts[ENTRY_VALUES_MAX][600];
};

static struct entry_value *next(struct kept *kept, const char *name, char type)
{
	struct entry_value *value;

	assert_true(kept->entry.count < ENTRY_VALUES_MAX);
	value = &kept->entry.values[kept->entry.count++];
	*value = (struct entry_value){.name = name, .type = type};
	return value;
}

static void keep_text(void *data, const char *name, const char *text)
{
	struct kept *kept = data;
	size_t index = kept->entry.count;

	snprintf(kept->texts[index], sizeof(kept->texts[index]), "%s", text);
	/* The names of some are made on the way as well. */
	next(kept, name, 's')->text = kept->texts[index];
}

static void keep_number(void *data, const char *name, uint64_t number)
{
	next(data, name, 't')->number = number;
}

static void keep_truth(void *data, const char *name, bool truth)
{
	next(data, name, 'b')->number = truth;
}

static void describe(const struct attempt *attempts, size_t count, const struct grant *grant,
		     struct kept *kept)
{
	struct describe_to to = {
	    .text = keep_text, .number = keep_number, .truth = keep_truth, .data = kept};
	struct table *table = NULL;
	const struct row *row;
	bool new;

	*kept = (struct kept){0};
	assert_int_equal(table_new(1, &table), 0);
	row = table_add(table, &attempts[0], &new);
	for (size_t i = 1; i < count; i++)
		row = table_add(table, &attempts[i], &new);
	assert_int_equal(table_count(table), 1);
	table_set_grant(table, row, grant);
	describe_row(row, OWN_NETNS, 5000000000u, &to);
	table_free(table);
}

static const char *user(uint32_t uid, void *data)
{
	return uid == 1000 ? "amnesia" : NULL;
}

static const struct grant missing = {.answer = GRANT_LINE,
				     .reason = "nothing grants this",
				     .line = "allow amnesia to 93.184.216.34 over tcp 443"};

static void assert_text(const struct attempt *attempts, size_t count, const struct grant *grant,
			const char *expected)
{
	AUTO_BUF struct buf out = {.cap = 65536};
	struct kept kept;

	describe(attempts, count, grant, &kept);
	entry_print(&kept.entry, user, NULL, &out);
	assert_string_equal(buf_text(&out), expected);
}

static void as_json(void **state)
{
	AUTO_BUF struct buf out = {.cap = 65536};
	struct json json = {.out = &out};
	struct attempt attempt = test_attempt();
	struct kept kept;

	describe(&attempt, 1, &missing, &kept);
	entry_json(&kept.entry, NULL, &json);
	assert_string_equal(
	    buf_text(&out),
	    "{\"attribution\":\"certain\",\"program\":\"/usr/bin/audacity\",\"path-known\":true,"
	    "\"deleted\":false,\"inode\":77,\"device\":\"8:1\",\"comm\":\"audacity\",\"pid\":500,"
	    "\"tid\":501,\"uid\":1000,\"group\":\"/user.slice/user-1000.slice/app-audacity.scope\","
	    "\"unit\":\"app-audacity.scope\",\"mount-namespace\":4026531841,\"way\":\"ip\","
	    "\"loopback\":false,\"ethertype\":2048,\"owner-uid\":1000,\"protocol\":\"tcp\","
	    "\"destination\":\"93.184.216.34\",\"port\":443,\"network-namespace\":4026531840,"
	    "\"own-namespace\":true,\"grant\":\"missing\",\"reason\":\"nothing grants this\","
	    "\"line\":\"allow amnesia to 93.184.216.34 over tcp 443\",\"advice\":\"use-tor\",\"attempts\":1,\"repeats\":0,"
	    "\"number\":1,\"first-ms-ago\":4999,\"last-ms-ago\":4999}");
}

static void as_text(void **state)
{
	struct attempt attempts[3] = {test_attempt(), test_attempt(), test_attempt()};

	attempts[2].kind = WATCH_SOCKET;
	assert_text(attempts, 3, &missing,
		    "/usr/bin/audacity, amnesia, process 500, app-audacity.scope\n"
		    "    tcp 93.184.216.34:443, 2 times, 1 repeated by the kernel\n"
		    "    nothing grants this\n"
		    "    would allow it: allow amnesia to 93.184.216.34 over tcp 443\n");
}

/* A user, and no word of a program. */
static void by_user_alone(void **state)
{
	struct attempt attempts[2] = {test_attempt_of_user(), test_attempt_of_user()};

	assert_text(attempts, 2, &missing,
		    "a program that is not known, socket of amnesia\n"
		    "    tcp 93.184.216.34:443, 2 times\n"
		    "    by user only: this computer's kernel names no program\n"
		    "    nothing grants this\n"
		    "    would allow it: allow amnesia to 93.184.216.34 over tcp 443\n");
}

/* Nothing that is not certain looks as if it were. */
static void doubt_is_said(void **state)
{
	struct attempt attempt = test_attempt();
	static const struct grant none = {.answer = GRANT_NONE, .reason = "IPv6 is blocked"};

	attempt.kind = WATCH_SOCKET;
	attempt.path[0] = attempt.group[0] = '\0';
	assert_text(&attempt, 1, &none,
		    "audacity (its place is not certain), amnesia, process 500\n"
		    "    tcp 93.184.216.34:443, 1 sent by the kernel\n"
		    "    not certain: told by the socket, whose packets the kernel sent later\n"
		    "    IPv6 is blocked\n");
	memset(&attempt.sender, 0, sizeof(attempt.sender));
	attempt.kind = WATCH_UNKNOWN;
	attempt.flags &= ~(uint32_t)WATCH_CREATOR;
	assert_text(&attempt, 1, &(struct grant){.answer = GRANT_UNKNOWN, .reason = ""},
		    "a program that is not known, socket of amnesia\n"
		    "    tcp 93.184.216.34:443, 1 sent by the kernel\n"
		    "    not known: the socket is older than the watch\n"
		    "    the policy could not be read\n");
	attempt.kind = WATCH_KERNEL;
	attempt.flags &= ~(uint32_t)WATCH_OWNED;
	attempt.netns++;
	assert_text(&attempt, 1, &(struct grant){.answer = GRANT_ALLOWED, .reason = "x"},
		    "the kernel, for no program\n"
		    "    tcp 93.184.216.34:443 (in network namespace 4026531841), 1 sent by the kernel\n"
		    "    the policy allows this: another filter refused it, or another policy is in "
		    "force\n");
}

static void deputies_are_said(void **state)
{
	struct attempt attempt = test_attempt();
	struct kept kept;

	memcpy(attempt.creator.name, "maker", 6);
	attempt.creator.pid = 400;
	describe(&attempt, 1, &missing, &kept);
	/* The same program, of another process: it forked. */
	assert_null(entry_text(&kept.entry, "on-behalf"));
	assert_string_equal(entry_text(&kept.entry, "socket-made-by"), "maker");
	attempt.creator.exe_inode++;
	describe(&attempt, 1, &missing, &kept);
	assert_string_equal(entry_text(&kept.entry, "on-behalf"), "socket");
	attempt = test_attempt();
	strncpy(attempt.group, "/user.slice/dbus-:1.2-org.example.Name@0.service",
		sizeof(attempt.group));
	describe(&attempt, 1, &missing, &kept);
	assert_string_equal(entry_text(&kept.entry, "on-behalf"), "dbus");
	assert_null(entry_text(&kept.entry, "socket-made-by"));
	assert_null(entry_text(&kept.entry, "bus-name"));
}

/* A system service: whom it acts for is not said, because it is not known. */
static void a_service_of_the_bus_is_said(void **state)
{
	CLEANUP(table_freep) struct table *table = NULL;
	AUTO_BUF struct buf out = {.cap = 4096};
	struct attempt attempt = test_attempt();
	struct kept kept = {0};
	struct describe_to to = {keep_text, keep_number, keep_truth, &kept};
	const struct row *row;
	bool new;

	strncpy(attempt.group, "/system.slice/packagekit.service", sizeof(attempt.group));
	assert_int_equal(table_new(1, &table), 0);
	row = table_add(table, &attempt, &new);
	table_set_grant(table, row, &missing);
	table_set_bus_name(table, row, "org.freedesktop.PackageKit");
	describe_row(row, OWN_NETNS, 5000000000u, &to);
	assert_string_equal(entry_text(&kept.entry, "on-behalf"), "dbus");
	assert_string_equal(entry_text(&kept.entry, "bus-name"), "org.freedesktop.PackageKit");
	entry_print(&kept.entry, user, NULL, &out);
	assert_non_null(strstr(buf_text(&out),
			       "    it may act for another program, which asked it over the message "
			       "bus (org.freedesktop.PackageKit)\n"));
}

/* An answer of somebody else's on the bus. */
static void foreign_answers_cannot_steer(void **state)
{
	struct entry entry = {.values = {{.name = "program", .type = 's', .text = "\033[2Jx\n"},
					 {.name = "pid", .type = 's', .text = "not a number"}},
			      .count = 2};
	AUTO_BUF struct buf out = {.cap = 4096};

	entry_print(&entry, user, NULL, &out);
	assert_string_equal(buf_text(&out),
			    "?[2Jx? (its place is not certain), user 0, process 0\n"
			    "    frame of type 0x0000, \n"
			    "    not known: the socket is older than the watch\n"
			    "    the policy could not be read\n");
}

static void an_empty_answer_is_printed(void **state)
{
	struct entry entry = {0};
	AUTO_BUF struct buf out = {.cap = 4096};

	entry_print(&entry, NULL, NULL, &out);
	entry_print_summary(&entry, NULL, NULL, &out);
	assert_int_equal(buf_finish(&out), 0);
}

static void assert_state(const struct entry *state, const char *expected)
{
	AUTO_BUF struct buf out = {.cap = 4096};

	entry_print_state(state, &out);
	assert_string_equal(buf_text(&out), expected);
}

static void what_is_lost_is_said(void **state)
{
	struct entry entry = {
	    .values = {{.name = "Source", .type = 's', .text = "tracepoint"},
		       {.name = "Counted", .type = 't', .number = 20000},
		       {.name = "Lost", .type = 't', .number = 0},
		       {.name = "Missed", .type = 't', .number = 0},
		       {.name = "MissedKnown", .type = 'b', .number = 1},
		       {.name = "SocketsNoted", .type = 'b', .number = 1},
		       {.name = "PolicyRead", .type = 'b', .number = 1},
		       {.name = "RowsEvicted", .type = 't', .number = 0}},
	    .count = 8};

	assert_state(&entry, "20000 packets of this computer were refused.\n");
	entry.values[2].number = 5;
	entry.values[3].number = 6;
	entry.values[7].number = 7;
	assert_state(&entry, "20000 packets of this computer were refused.\n"
			     "LOST: 5 of them came too fast to be named.\n"
			     "At most 6 more were missed by the kernel.\n"
			     "7 older entries are forgotten, for want of room.\n");
	entry.values[4].number = entry.values[5].number = entry.values[6].number = 0;
	entry.values[2].number = entry.values[7].number = 0;
	assert_state(&entry, "20000 packets of this computer were refused.\n"
			     "Not known whether the kernel missed any.\n"
			     "Who made a socket is not known on this kernel.\n"
			     "The policy could not be read, so no line of it is named.\n");
	entry.values[0].text = "nflog";
	entry.values[6].number = 1;
	assert_state(&entry, "BY USER ONLY, no program is known: cannot tell why.\n"
			     "Told by the filter's rules: of this network namespace alone, and not "
			     "while it is sealed.\n"
			     "20000 packets of this computer were refused.\n"
			     "Not known whether the kernel missed any.\n");
	entry.values[0].text = "none";
	assert_state(&entry, "NOT KNOWN who is refused: cannot tell why.\n");
	/* Of nothing that was said, nothing is taken for good. */
	assert_state(&(struct entry){0}, "NOT KNOWN who is refused: cannot tell why.\n");
}

static void a_summary_line(void **state)
{
	struct entry entry = {.values = {{.name = "program", .type = 's', .text = "/usr/bin/curl"},
					 {.name = "uid", .type = 't', .number = 1000},
					 {.name = "attempts", .type = 't', .number = 2},
					 {.name = "destinations", .type = 't', .number = 1}},
			      .count = 4};
	AUTO_BUF struct buf out = {.cap = 4096};

	entry_print_summary(&entry, user, NULL, &out);
	assert_string_equal(buf_text(&out), "/usr/bin/curl, amnesia: 2 times, 1 destination\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(as_json),
	    cmocka_unit_test(as_text),
	    cmocka_unit_test(by_user_alone),
	    cmocka_unit_test(doubt_is_said),
	    cmocka_unit_test(deputies_are_said),
	    cmocka_unit_test(a_service_of_the_bus_is_said),
	    cmocka_unit_test(foreign_answers_cannot_steer),
	    cmocka_unit_test(an_empty_answer_is_printed),
	    cmocka_unit_test(what_is_lost_is_said),
	    cmocka_unit_test(a_summary_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
