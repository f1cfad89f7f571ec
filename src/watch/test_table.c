/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <linux/if_ether.h>
#include <netinet/in.h>

#include "summary.h"
#include "table.h"
#include "test_help.h"

static struct table *new_table(size_t rows)
{
	struct table *table = NULL;

	assert_int_equal(table_new(rows, &table), 0);
	return table;
}

static const struct row *add(struct table *table, const struct attempt *attempt, bool expect_new)
{
	bool new = !expect_new;
	const struct row *row = table_add(table, attempt, &new);

	assert_int_equal(new, expect_new);
	return row;
}

static void a_table_has_bounds(void **state)
{
	struct table *table = NULL;

	assert_int_equal(table_new(0, &table), -EINVAL);
	assert_int_equal(table_new(TABLE_ROWS_MAX + 1, &table), -EINVAL);
	assert_null(table);
	table = new_table(TABLE_ROWS_MAX);
	assert_int_equal(table_count(table), 0);
	assert_null(table_next(table, NULL));
	table_free(table);
	assert_null(table_free(NULL));
}

static void the_same_is_one_row(void **state)
{
	CLEANUP(table_freep) struct table *table = new_table(4);
	struct attempt attempt = test_attempt();
	const struct row *row = add(table, &attempt, true);

	/* Of another process, thread, socket and moment: nothing that a person would tell apart. */
	attempt.number = 2;
	attempt.time_ns = 5000;
	attempt.sender.pid = 600;
	attempt.source_port = 1;
	attempt.tcp_flags = 0;
	assert_ptr_equal(add(table, &attempt, false), row);
	assert_int_equal(row->attempts, 2);
	assert_int_equal(row->repeats, 0);
	assert_int_equal(row->first_ns, 1000);
	assert_int_equal(row->last_ns, 5000);
	assert_int_equal(row->last_number, 2);
	assert_int_equal(row->sender.pid, 600);
	assert_int_equal(table_count(table), 1);
}

static void is_apart(struct table *table, const struct attempt *base, const struct attempt *other)
{
	size_t rows = table_count(table);

	add(table, other, true);
	add(table, base, false);
	assert_int_equal(table_count(table), rows + 1);
}

/* Each thing by which rows differ, changed alone, makes another row. */
static void what_differs_is_apart(void **state)
{
	CLEANUP(table_freep) struct table *table = new_table(32);
	struct attempt base = test_attempt(), attempt;

	add(table, &base, true);
#define DIFFERS(change)                                                                            \
	attempt = base;                                                                            \
	change;                                                                                    \
	is_apart(table, &base, &attempt)
	DIFFERS(attempt.sender.exe_inode++);
	DIFFERS(attempt.sender.exe_device++);
	DIFFERS(attempt.sender.uid++);
	DIFFERS(attempt.sender.group++);
	DIFFERS(attempt.owner_uid++);
	DIFFERS(attempt.netns++);
	DIFFERS(attempt.destination_port++);
	DIFFERS(attempt.protocol = IPPROTO_UDP);
	DIFFERS(attempt.ethertype = ETH_P_IPV6);
	DIFFERS(attempt.destination.bytes[15]++);
	DIFFERS(attempt.flags |= WATCH_LOOPBACK);
	DIFFERS(attempt.flags |= WATCH_FRAME);
	DIFFERS(attempt.flags |= WATCH_PACKET);
	DIFFERS(attempt.creator.exe_inode++);
	DIFFERS(attempt.kind = WATCH_UNKNOWN);
	DIFFERS(attempt.kind = WATCH_KERNEL);
#undef DIFFERS
}

static void icmp_differs_by_type_alone(void **state)
{
	CLEANUP(table_freep) struct table *table = new_table(4);
	struct attempt attempt = test_attempt();

	attempt.protocol = IPPROTO_ICMP;
	attempt.icmp_type = 8;
	add(table, &attempt, true);
	attempt.destination_port = 99; /* it has none */
	add(table, &attempt, false);
	attempt.icmp_type = 13;
	add(table, &attempt, true);
}

/* What the kernel repeats is counted apart, in the row of who began. */
static void repetitions_are_folded(void **state)
{
	CLEANUP(table_freep) struct table *table = new_table(4);
	struct attempt attempt = test_attempt();
	const struct row *row = add(table, &attempt, true);

	attempt.kind = WATCH_SOCKET;
	attempt.path[0] = attempt.group[0] = '\0';
	attempt.mntns = 0;
	assert_ptr_equal(add(table, &attempt, false), row);
	assert_int_equal(row->attempts, 1);
	assert_int_equal(row->repeats, 1);
	assert_string_equal(row->path, "/usr/bin/audacity");
	assert_string_equal(row->group, "/user.slice/user-1000.slice/app-audacity.scope");
	assert_int_equal(row->mntns, 4026531841);
	assert_false(row->path_remembered);
}

static void a_path_is_remembered_by_its_file(void **state)
{
	CLEANUP(table_freep) struct table *table = new_table(8);
	struct attempt attempt = test_attempt();
	const struct row *row;

	add(table, &attempt, true);
	attempt.kind = WATCH_SOCKET;
	attempt.path[0] = '\0';
	attempt.destination_port = 80;
	row = add(table, &attempt, true);
	assert_string_equal(row->path, "/usr/bin/audacity");
	assert_true(row->path_remembered);
	/* Another file of the same number on another device is another file. */
	attempt.sender.exe_device++;
	row = add(table, &attempt, true);
	assert_string_equal(row->path, "");
	assert_false(row->path_remembered);
	/* Then it is seen at last. */
	attempt.kind = WATCH_TASK;
	memcpy(attempt.path, "/opt/x", 7);
	row = add(table, &attempt, false);
	assert_string_equal(row->path, "/opt/x");
	assert_false(row->path_remembered);
}

static void the_quietest_row_goes(void **state)
{
	CLEANUP(table_freep) struct table *table = new_table(3);
	struct attempt attempt;
	const struct row *row;

	for (uint16_t port = 1; port <= 3; port++) {
		attempt = test_attempt_port(port);
		add(table, &attempt, true);
	}
	attempt = test_attempt_port(1);
	add(table, &attempt, false);
	attempt = test_attempt_port(4);
	row = add(table, &attempt, true);
	assert_int_equal(table_count(table), 3);
	assert_int_equal(table_evicted(table), 1);
	/* The latest first: 4, 1, 3; 2 went. */
	assert_ptr_equal(table_next(table, NULL), row);
	assert_int_equal(row->key.detail, 4);
	row = table_next(table, row);
	assert_int_equal(row->key.detail, 1);
	assert_int_equal(row->attempts, 2);
	row = table_next(table, row);
	assert_int_equal(row->key.detail, 3);
	assert_null(table_next(table, row));
}

/* Nothing grows and nothing is mixed up when far more comes than there is room for: a table of the
 * simplest kind says what must be in it. */
static void a_flood_leaves_the_latest(void **state)
{
	enum { ROWS = 64, PORTS = 200, STEPS = 20000 };
	CLEANUP(table_freep) struct table *table = new_table(ROWS);
	uint64_t counts[PORTS] = {0}, last[PORTS] = {0}, evicted = 0, random = 12345;
	size_t held = 0;

	for (uint64_t step = 1; step <= STEPS; step++) {
		struct attempt attempt;
		bool new;
		size_t port;

		random = random * 6364136223846793005u + 1442695040888963407u;
		port = (size_t)(random >> 33) % PORTS;
		attempt = test_attempt_port((uint16_t)port);
		table_add(table, &attempt, &new);
		assert_int_equal(new, counts[port] == 0);
		if (new && held++ == ROWS) {
			size_t oldest = 0;

			for (size_t i = 0; i < PORTS; i++)
				if (counts[i] && (!counts[oldest] || last[i] < last[oldest]))
					oldest = i;
			counts[oldest] = 0;
			evicted++;
			held--;
		}
		counts[port]++;
		last[port] = step;
	}
	assert_int_equal(table_count(table), ROWS);
	assert_int_equal(table_evicted(table), evicted);
	for (const struct row *row = table_next(table, NULL); row; row = table_next(table, row))
		assert_int_equal(row->attempts, counts[row->key.detail]);
}

static void forgetting_leaves_nothing(void **state)
{
	CLEANUP(table_freep) struct table *table = new_table(2);
	struct attempt attempt = test_attempt();
	const struct row *row = add(table, &attempt, true);

	table_forget(table);
	assert_int_equal(table_count(table), 0);
	assert_null(table_next(table, NULL));
	/* Not even behind what is shown. */
	assert_string_equal(row->path, "");
	assert_int_equal(row->key.destination.bytes[0], 0);
	assert_int_equal(add(table, &attempt, true)->attempts, 1);
}

static void long_names_keep_their_end(void **state)
{
	CLEANUP(table_freep) struct table *table = new_table(2);
	struct attempt attempt = test_attempt();
	const struct row *row;

	memset(attempt.path, 'x', sizeof(attempt.path) - 1);
	memcpy(attempt.path + sizeof(attempt.path) - 5, "/end", 5);
	row = add(table, &attempt, true);
	assert_int_equal(strlen(row->path), ROW_PATH_MAX - 1);
	assert_memory_equal(row->path, "...x", 4);
	assert_string_equal(row->path + strlen(row->path) - 4, "/end");
}

static void a_summary_is_by_program(void **state)
{
	CLEANUP(table_freep) struct table *table = new_table(8);
	AUTO_FREE struct summary *list = NULL;
	struct attempt attempt = test_attempt_port(1);
	size_t count = 0;

	add(table, &attempt, true);
	add(table, &attempt, false);
	attempt.kind = WATCH_SOCKET;
	attempt.destination_port = 2;
	add(table, &attempt, true);
	attempt.sender.uid = 0;
	attempt.kind = WATCH_TASK;
	add(table, &attempt, true);
	assert_int_equal(summary_make(table, &list, &count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(list[0].row->key.uid, 0);
	assert_int_equal(list[0].attempts, 1);
	assert_int_equal(list[1].row->key.uid, 1000);
	assert_int_equal(list[1].attempts, 2);
	assert_int_equal(list[1].repeats, 1);
	assert_int_equal(list[1].rows, 2);
}

/* Where users alone are known, they are what a summary is by. */
static void a_summary_by_user(void **state)
{
	CLEANUP(table_freep) struct table *table = new_table(8);
	AUTO_FREE struct summary *list = NULL;
	struct attempt attempt = test_attempt_of_user();
	size_t count = 0;

	add(table, &attempt, true);
	attempt.destination_port = 2;
	add(table, &attempt, true);
	add(table, &attempt, false);
	attempt.owner_uid = attempt.sender.uid = 0;
	add(table, &attempt, true);
	assert_int_equal(summary_make(table, &list, &count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(list[0].row->key.owner_uid, 0);
	assert_int_equal(list[1].row->key.owner_uid, 1000);
	assert_int_equal(list[1].attempts, 3);
	assert_int_equal(list[1].repeats, 0);
	assert_int_equal(list[1].rows, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_table_has_bounds),
	    cmocka_unit_test(the_same_is_one_row),
	    cmocka_unit_test(what_differs_is_apart),
	    cmocka_unit_test(icmp_differs_by_type_alone),
	    cmocka_unit_test(repetitions_are_folded),
	    cmocka_unit_test(a_path_is_remembered_by_its_file),
	    cmocka_unit_test(the_quietest_row_goes),
	    cmocka_unit_test(a_flood_leaves_the_latest),
	    cmocka_unit_test(forgetting_leaves_nothing),
	    cmocka_unit_test(long_names_keep_their_end),
	    cmocka_unit_test(a_summary_is_by_program),
	    cmocka_unit_test(a_summary_by_user),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
