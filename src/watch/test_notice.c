/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <linux/if_ether.h>
#include <netinet/in.h>

#include "notice.h"
#include "test_help.h"

#define SECOND 1000000000ull

/* The row that one attempt makes. */
static struct row row_of(const struct attempt *attempt)
{
	struct table *table = NULL;
	struct row row;
	bool new;

	assert_int_equal(table_new(1, &table), 0);
	row = *table_add(table, attempt, &new);
	table_free(table);
	return row;
}

static void assert_title(const struct attempt *attempt, const char *expected)
{
	struct row row = row_of(attempt);
	struct notice notice = notice_make(&row);

	assert_string_equal(notice.title, expected);
	assert_true(notice.advice[0]);
}

static void the_words(void **state)
{
	struct attempt attempt = test_attempt();

	assert_title(&attempt, "Audacity tried to reach 93.184.216.34:443 directly and was refused");
	attempt.protocol = IPPROTO_UDP;
	attempt.destination_port = 53;
	assert_title(&attempt,
		     "Audacity tried to reach 93.184.216.34:53 by udp directly and was refused");
	attempt.protocol = IPPROTO_ICMP;
	assert_title(&attempt,
		     "Audacity tried to reach 93.184.216.34 by icmp directly and was refused");
	attempt.protocol = 253;
	assert_title(&attempt,
		     "Audacity tried to reach 93.184.216.34 by IP protocol 253 directly and was refused");
	attempt = test_attempt();
	attempt.ethertype = ETH_P_IPV6;
	memset(&attempt.destination, 0, sizeof(attempt.destination));
	attempt.destination.bytes[0] = 0x20;
	attempt.destination.bytes[15] = 1;
	assert_title(&attempt, "Audacity tried to reach [2000::1]:443 directly and was refused");
	attempt.flags &= ~(uint32_t)WATCH_ADDRESSED;
	attempt.ethertype = ETH_P_ARP;
	assert_title(&attempt, "Audacity tried to reach the network by a frame of type 0x0806 "
			       "directly and was refused");
}

static void the_words_for_who(void **state)
{
	struct attempt attempt = test_attempt();

	attempt.path[0] = '\0'; /* only the name came with the packet */
	memcpy(attempt.sender.name, "vlc", 4);
	assert_title(&attempt, "Vlc tried to reach 93.184.216.34:443 directly and was refused");
	attempt.sender.name[0] = '\0';
	assert_title(&attempt, "Audacity tried to reach 93.184.216.34:443 directly and was refused");
	attempt.sender.comm[0] = '\0';
	assert_title(&attempt, "A program that is not known tried to reach 93.184.216.34:443 directly "
			       "and was refused");
	attempt = test_attempt();
	attempt.kind = WATCH_KERNEL;
	assert_title(&attempt, "The kernel tried to reach 93.184.216.34:443 directly and was refused");
	attempt = test_attempt_of_user();
	assert_title(&attempt, "A program of user 1000 tried to reach 93.184.216.34:443 directly and "
			       "was refused");
	attempt = test_attempt();
	memcpy(attempt.path, "/opt/7zip", 10);
	assert_title(&attempt, "7zip tried to reach 93.184.216.34:443 directly and was refused");
}

static void what_to_do(void **state)
{
	struct attempt attempt = test_attempt();
	struct row row = row_of(&attempt);

	assert_non_null(strstr(notice_make(&row).advice, "SOCKS proxy 127.0.0.1, port 9050"));
	attempt.protocol = IPPROTO_UDP;
	row = row_of(&attempt);
	assert_non_null(strstr(notice_make(&row).advice, "Tor carries TCP only"));
	attempt.flags |= WATCH_LOOPBACK;
	row = row_of(&attempt);
	assert_null(strstr(notice_make(&row).title, "directly"));
	assert_non_null(strstr(notice_make(&row).advice, "this service of this computer"));
}

/* ---- how often ---- */

static struct row program(uint64_t inode)
{
	struct attempt attempt = test_attempt();

	attempt.sender.exe_inode = inode;
	return row_of(&attempt);
}

static void one_program_is_told_of_once(void **state)
{
	struct notice_limit limit = {0};
	struct row row = program(1);
	uint64_t held = 99;

	assert_true(notice_allow(&limit, &row, 0, &held));
	assert_int_equal(held, 0);
	held = 99;
	for (unsigned i = 0; i < 10; i++)
		assert_false(notice_allow(&limit, &row, i * SECOND, &held));
	assert_int_equal(held, 99); /* untouched */
	assert_false(notice_allow(&limit, &row, NOTICE_AGAIN_NS - 1, &held));
	assert_true(notice_allow(&limit, &row, NOTICE_AGAIN_NS + 1, &held));
	assert_int_equal(held, 11);
}

static void another_user_is_another_program(void **state)
{
	struct notice_limit limit = {0};
	struct row row = program(1);
	uint64_t held;

	assert_true(notice_allow(&limit, &row, SECOND, &held));
	row.key.uid++;
	assert_true(notice_allow(&limit, &row, SECOND, &held));
	row.key.exe_device++;
	assert_true(notice_allow(&limit, &row, SECOND, &held));
	assert_false(notice_allow(&limit, &row, SECOND, &held));
}

static void many_programs_at_once_are_few_notices(void **state)
{
	struct notice_limit limit = {0};
	uint64_t held = 0, told = 0;

	for (uint64_t i = 1; i <= 1000; i++) {
		struct row row = program(i);

		told += notice_allow(&limit, &row, SECOND, &held);
	}
	assert_int_equal(told, NOTICE_BURST);
	/* One more after a while, which tells how many were not; and no more than one. */
	for (uint64_t i = 2001; i <= 2002; i++) {
		struct row row = program(i);

		told += notice_allow(&limit, &row, SECOND + NOTICE_REFILL_NS, &held);
	}
	assert_int_equal(told, NOTICE_BURST + 1);
	assert_int_equal(held, 1000 - NOTICE_BURST);
}

static void a_budget_never_grows_past_its_bound(void **state)
{
	struct notice_limit limit = {0};
	uint64_t held, told = 0, now = SECOND;
	struct row first = program(1);

	assert_true(notice_allow(&limit, &first, now, &held));
	now += 1000000 * NOTICE_REFILL_NS;
	for (uint64_t i = 2; i <= 100; i++) {
		struct row row = program(i);

		told += notice_allow(&limit, &row, now, &held);
	}
	assert_int_equal(told, NOTICE_BURST);
}

/* More programs than places: the one that was told of longest ago gives its place. */
static void places_are_bounded(void **state)
{
	struct notice_limit limit = {0};
	struct row row;
	uint64_t held, now = 0;

	for (uint64_t i = 1; i <= NOTICE_PROGRAMS_MAX + 1; i++) {
		row = program(i);
		now += NOTICE_REFILL_NS;
		assert_true(notice_allow(&limit, &row, now, &held));
	}
	row = program(NOTICE_PROGRAMS_MAX + 1);
	limit.budget = NOTICE_BURST;
	assert_false(notice_allow(&limit, &row, limit.programs[0].told_ns, &held));
}

static void the_kernel_is_no_news(void **state)
{
	struct notice_limit limit = {0};
	struct attempt attempt = test_attempt();
	struct row row;
	uint64_t held;

	attempt.kind = WATCH_KERNEL;
	row = row_of(&attempt);
	assert_false(notice_allow(&limit, &row, SECOND, &held));
	assert_int_equal(limit.held_back, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_words),
	    cmocka_unit_test(the_words_for_who),
	    cmocka_unit_test(what_to_do),
	    cmocka_unit_test(one_program_is_told_of_once),
	    cmocka_unit_test(another_user_is_another_program),
	    cmocka_unit_test(many_programs_at_once_are_few_notices),
	    cmocka_unit_test(a_budget_never_grows_past_its_bound),
	    cmocka_unit_test(places_are_bounded),
	    cmocka_unit_test(the_kernel_is_no_news),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
