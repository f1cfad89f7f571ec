/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Each way through the state machine, event by event. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "test_machine.h"

static struct trial trial;

#define assert_state(expected) assert_int_equal(trial.machine.state, expected)

static void assert_failed(enum reason reason)
{
	assert_state(STATE_FAILED);
	assert_string_equal(reason_name(trial.machine.reason), reason_name(reason));
	assert_false(trial.tor_network);
	assert_int_equal(trial.leases, 0);
}

/* Ready to be asked. */
static void begin(const char *defaults)
{
	trial_begin(&trial, defaults);
	trial_link(&trial, true);
	trial_tor(&trial);
	assert_state(STATE_ASKED);
	assert_false(trial.tor_network);
}

static void connect_now(void)
{
	assert_true(trial.tor_network);
	trial_relay(&trial, TROUBLE_NONE);
	trial_bootstrap(&trial, 50);
	assert_state(STATE_CONNECTING);
	assert_int_equal(trial.machine.progress, 50);
	trial_bootstrap(&trial, 100);
	assert_state(STATE_CONNECTED);
}

static void test_nothing_without_a_choice(void **state)
{
	begin(OBFS4);
	trial_bootstrap(&trial, 100);
	trial_relay(&trial, TROUBLE_NONE);
	trial_simple(&trial, EVENT_RETRY);
	trial_link(&trial, false);
	assert_state(STATE_OFFLINE);
	trial_link(&trial, true);
	assert_state(STATE_ASKED);
	assert_int_equal(trial.opened, 0);
	trial_simple(&trial, EVENT_CANCEL);
	assert_state(STATE_OFFLINE);
	trial_link(&trial, false);
	trial_link(&trial, true);
	assert_state(STATE_OFFLINE);
	trial_simple(&trial, EVENT_RETRY);
	assert_state(STATE_ASKED);
	assert_int_equal(trial.opened, 0);
}

static void test_direct(void **state)
{
	begin(NULL);
	trial_automatic(&trial);
	assert_state(STATE_CONNECTING);
	assert_int_equal(trial.tor_bridges.count, 0);
	connect_now();
	assert_int_equal(trial.network_clocks, 0);
	assert_int_equal(trial.consensus_clocks, 1);
	assert_int_equal(trial.machine.timer_ms, 0);
}

static void test_choice_before_the_network_is_there(void **state)
{
	trial_begin(&trial, NULL);
	trial_automatic(&trial);
	assert_failed(REASON_NO_NETWORK);
	trial_link(&trial, true);
	assert_state(STATE_CONNECTING);
	assert_int_equal(trial.machine.step, STEP_WAIT_TOR);
	trial_tor(&trial);
	connect_now();
}

static void test_implausible_clock(void **state)
{
	const struct choice choice = {.mode = MODE_AUTOMATIC};

	begin(NULL);
	trial_take(&trial, (struct event){.kind = EVENT_CHOOSE, .choose = {.choice = &choice}});
	assert_int_equal(trial.network_clocks, 1);
	assert_int_equal(trial.opened, 0);
	trial_clock(&trial, CLOCK_SET, false);
	connect_now();

	begin(NULL);
	trial_take(&trial, (struct event){.kind = EVENT_CHOOSE, .choose = {.choice = &choice}});
	trial_clock(&trial, CLOCK_KEPT, true);
	assert_failed(REASON_CAPTIVE_PORTAL);
	trial_simple(&trial, EVENT_RETRY);
	trial_clock(&trial, CLOCK_RIGHT, false);
	connect_now();

	/* Nobody knows the time: tried all the same, and blamed on the clock at last. */
	begin(NULL);
	trial_take(&trial, (struct event){.kind = EVENT_CHOOSE, .choose = {.choice = &choice}});
	trial_wait(&trial);
	assert_true(trial.tor_network);
	trial_wait(&trial);
	assert_failed(REASON_WRONG_CLOCK);
}

static void test_tor_says_the_clock_is_wrong(void **state)
{
	begin(NULL);
	trial_automatic(&trial);
	trial_simple(&trial, EVENT_SKEW);
	assert_false(trial.tor_network);
	assert_int_equal(trial.network_clocks, 1);
	trial_clock(&trial, CLOCK_SET, false);
	connect_now();

	begin(NULL);
	trial_automatic(&trial);
	trial_simple(&trial, EVENT_SKEW);
	trial_clock(&trial, CLOCK_KEPT, false);
	assert_failed(REASON_WRONG_CLOCK);
	assert_int_equal(trial.machine.timer_ms, 0);
}

static void test_hiding_asks_only_the_consensus(void **state)
{
	static const struct {
		enum clock_outcome outcome;
		bool tor, closed;
	} rows[] = {{CLOCK_SET, true, false}, {CLOCK_RIGHT, true, false}, {CLOCK_KEPT, false, true},
		    {CLOCK_UNKNOWN, false, true}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		begin(NULL);
		trial_hide(&trial, OBFS4);
		trial_lease(&trial, TORCTL_TRANSPORT_OBFS4, LEASE_READY);
		trial_simple(&trial, EVENT_SKEW);
		assert_int_equal(trial.consensus_clocks, 1);
		trial_clock(&trial, rows[i].outcome, true);
		assert_int_equal(trial.tor_network, rows[i].tor);
		if (rows[i].closed)
			assert_failed(REASON_WRONG_CLOCK);
		else
			connect_now();
		assert_int_equal(trial.network_clocks, 0);
	}
	/* No answer at all. */
	begin(NULL);
	trial_hide(&trial, OBFS4);
	trial_lease(&trial, TORCTL_TRANSPORT_OBFS4, LEASE_READY);
	trial_simple(&trial, EVENT_SKEW);
	trial_wait(&trial);
	assert_failed(REASON_WRONG_CLOCK);
}

/* It looked wrong when it was chosen; the consensus has put it right, or found it so. What fails after that
 * is not blamed on the clock. */
static void test_hiding_with_a_clock_that_was_put_right(void **state)
{
	static const enum clock_outcome rows[] = {CLOCK_SET, CLOCK_RIGHT};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct choice choice = {.mode = MODE_HIDE, .bridges = &trial.given};

		begin(NULL);
		assert_int_equal(torctl_bridges_parse(OBFS4, strlen(OBFS4), &trial.given, NULL), 0);
		trial_take(&trial, (struct event){.kind = EVENT_CHOOSE,
						  .choose = {.choice = &choice}});
		trial_lease(&trial, TORCTL_TRANSPORT_OBFS4, LEASE_READY);
		trial_simple(&trial, EVENT_SKEW);
		trial_clock(&trial, rows[i], false);
		while (trial.machine.state == STATE_CONNECTING)
			trial_wait(&trial);
		assert_failed(REASON_BRIDGE_SILENT);
	}
}

/* No relay answers: the clock's question finds no login page, and the system's bridges are next. */
static void test_censored_direct(void **state)
{
	begin(OBFS4 "\n" SNOWFLAKE);
	trial_automatic(&trial);
	trial_wait(&trial);
	assert_false(trial.tor_network);
	assert_int_equal(trial.network_clocks, 1);
	trial_clock(&trial, CLOCK_RIGHT, false);
	assert_int_equal(trial.leases, 1u << TORCTL_TRANSPORT_OBFS4);
	assert_false(trial.tor_network);
	trial_lease(&trial, TORCTL_TRANSPORT_OBFS4, LEASE_STARTING);
	assert_false(trial.tor_network);
	trial_lease(&trial, TORCTL_TRANSPORT_OBFS4, LEASE_READY);
	assert_int_equal(trial.tor_bridges.count, 1);
	trial_wait(&trial);
	assert_int_equal(trial.leases, 1u << TORCTL_TRANSPORT_SNOWFLAKE);
	trial_lease(&trial, TORCTL_TRANSPORT_SNOWFLAKE, LEASE_READY);
	assert_int_equal(trial.tor_bridges.list[0].transport, TORCTL_TRANSPORT_SNOWFLAKE);
	trial_wait(&trial);
	assert_failed(REASON_CENSORED);
	/* And all of it again, later and later. */
	int64_t first = trial.machine.timer_ms - trial.now;

	trial_wait(&trial);
	assert_true(trial.tor_network);
	assert_int_equal(trial.tor_bridges.count, 0);
	while (trial.machine.state != STATE_FAILED)
		trial_wait(&trial);
	assert_true(trial.machine.timer_ms - trial.now >= 2 * first);
	trial_simple(&trial, EVENT_RETRY);
	assert_int_equal(trial.machine.tries, 0);
	connect_now();
}

static void test_relays_that_refuse_are_left_early(void **state)
{
	begin(OBFS4);
	trial_automatic(&trial);
	for (size_t i = 0; i < 3; i++) {
		assert_true(trial.tor_network);
		trial_relay(&trial, TROUBLE_REFUSED);
		trial_problem(&trial, TROUBLE_REFUSED, true);
	}
	assert_int_equal(trial.machine.step, STEP_CLOCK);
	trial_clock(&trial, CLOCK_KEPT, true);
	assert_failed(REASON_CAPTIVE_PORTAL);
}

/* The clock was why nothing worked. */
static void test_direct_again_with_the_right_time(void **state)
{
	begin(OBFS4);
	trial_automatic(&trial);
	trial_wait(&trial);
	trial_clock(&trial, CLOCK_SET, false);
	assert_int_equal(trial.tor_bridges.count, 0);
	assert_int_equal(trial.leases, 0);
	connect_now();
}

static void test_transport_that_does_not_start(void **state)
{
	begin(OBFS4 "\n" MEEK);
	trial_automatic(&trial);
	trial_wait(&trial);
	trial_clock(&trial, CLOCK_RIGHT, false);
	trial_lease(&trial, TORCTL_TRANSPORT_OBFS4, LEASE_LOST);
	assert_int_equal(trial.leases, 1u << TORCTL_TRANSPORT_MEEK);
	trial_wait(&trial);
	assert_failed(REASON_CENSORED);

	begin(NULL);
	trial_hide(&trial, OBFS4);
	trial_lease(&trial, TORCTL_TRANSPORT_OBFS4, LEASE_LOST);
	assert_failed(REASON_TRANSPORT);
	assert_int_equal(trial.opened, 0);

	/* With two, the other one does. */
	begin(NULL);
	trial_hide(&trial, OBFS4 "\n" SNOWFLAKE);
	trial_lease(&trial, TORCTL_TRANSPORT_SNOWFLAKE, LEASE_LOST);
	assert_false(trial.tor_network);
	trial_lease(&trial, TORCTL_TRANSPORT_OBFS4, LEASE_READY);
	assert_int_equal(trial.tor_bridges.count, 1);
	connect_now();

	begin(NULL);
	trial_hide(&trial, OBFS4 "\n" SNOWFLAKE);
	trial_lease(&trial, TORCTL_TRANSPORT_OBFS4, LEASE_READY);
	assert_false(trial.tor_network);
	trial_wait(&trial);
	assert_int_equal(trial.tor_bridges.count, 1);
	assert_int_equal(trial.leases, 1u << TORCTL_TRANSPORT_OBFS4);
	connect_now();
}

static void test_transport_that_ends(void **state)
{
	begin(NULL);
	trial_hide(&trial, OBFS4);
	trial_lease(&trial, TORCTL_TRANSPORT_OBFS4, LEASE_READY);
	connect_now();
	trial_lease(&trial, TORCTL_TRANSPORT_OBFS4, LEASE_LOST);
	assert_failed(REASON_TRANSPORT);
	trial_wait(&trial);
	trial_lease(&trial, TORCTL_TRANSPORT_OBFS4, LEASE_READY);
	connect_now();
}

static void test_bridges_that_do_not_work(void **state)
{
	static const struct {
		enum trouble trouble;
		enum reason reason;
	} rows[] = {{TROUBLE_REFUSED, REASON_BRIDGE_REFUSED},
		    {TROUBLE_SILENT, REASON_BRIDGE_SILENT},
		    {TROUBLE_IDENTITY, REASON_BRIDGE_LIES}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		begin(OBFS4_TWO);
		trial_hide(&trial, OBFS4);
		trial_lease(&trial, TORCTL_TRANSPORT_OBFS4, LEASE_READY);
		trial_relay(&trial, rows[i].trouble);
		trial_problem(&trial, rows[i].trouble, false);
		assert_state(STATE_CONNECTING);
		trial_problem(&trial, rows[i].trouble, true);
		assert_failed(rows[i].reason);
		assert_int_equal(trial.network_clocks, 0);
	}
	/* Silence is told by the timer. */
	begin(OBFS4_TWO);
	trial_hide(&trial, OBFS4);
	trial_lease(&trial, TORCTL_TRANSPORT_OBFS4, LEASE_READY);
	trial_wait(&trial);
	assert_failed(REASON_BRIDGE_SILENT);
	/* One that answers, and then nothing more: the clock may be why. */
	begin(NULL);
	trial_hide(&trial, OBFS4);
	trial_lease(&trial, TORCTL_TRANSPORT_OBFS4, LEASE_READY);
	trial_relay(&trial, TROUBLE_NONE);
	trial_wait(&trial);
	assert_int_equal(trial.consensus_clocks, 1);
	trial_clock(&trial, CLOCK_RIGHT, false);
	trial_wait(&trial);
	assert_failed(REASON_STALLED);
}

static void test_progress_renews_patience(void **state)
{
	begin(NULL);
	trial_automatic(&trial);
	for (unsigned i = 1; i < 90; i++) {
		trial.now += STALL - 10;
		trial_bootstrap(&trial, i);
		assert_state(STATE_CONNECTING);
		assert_true(trial.tor_network);
	}
	/* The same again is no progress. */
	trial.now += STALL - 10;
	trial_bootstrap(&trial, 89);
	trial.now += 20;
	trial_bootstrap(&trial, 89);
	assert_false(trial.tor_network);
}

static void test_choices_that_are_refused(void **state)
{
	static struct torctl_bridges none, own, plain;
	const struct choice rows[] = {
	    {0},
	    {.mode = MODE_HIDE},
	    {.mode = MODE_HIDE, .bridges = &none},
	    {.mode = MODE_HIDE, .bridges = &plain},
	    {.mode = MODE_HIDE, .bridges = &own, .ask = true},
	    {.mode = MODE_HIDE, .bridges = &own, .defaults = true},
	    {.mode = MODE_HIDE, .defaults = true, .ask = true},
	    {.mode = MODE_HIDE, .defaults = true}, /* there are none */
	    {.mode = MODE_HIDE, .bridges = &own, .country = "de"},
	    {.mode = MODE_HIDE, .ask = true, .country = "DE"},
	    {.mode = MODE_HIDE, .ask = true, .country = "d"},
	    {.mode = MODE_AUTOMATIC, .bridges = &own},
	    {.mode = MODE_AUTOMATIC, .ask = true},
	    {.mode = MODE_AUTOMATIC, .defaults = true},
	    {.mode = MODE_AUTOMATIC, .plain = true},
	};
	const struct choice good[] = {
	    {.mode = MODE_AUTOMATIC},
	    {.mode = MODE_AUTOMATIC, .bridges = &none},
	    {.mode = MODE_HIDE, .bridges = &own},
	    {.mode = MODE_HIDE, .bridges = &plain, .plain = true},
	    {.mode = MODE_HIDE, .ask = true},
	    {.mode = MODE_HIDE, .ask = true, .country = "de"},
	};

	own.count = plain.count = 0;
	assert_int_equal(torctl_bridges_parse(OBFS4, strlen(OBFS4), &own, NULL), 0);
	assert_int_equal(torctl_bridges_parse(PLAIN, strlen(PLAIN), &plain, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_non_null(choice_check(&rows[i], &plain));
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_null(choice_check(&good[i], &none));
	assert_null(choice_check(&(struct choice){.mode = MODE_HIDE, .defaults = true}, &own));
}

static void test_plain_bridges_need_to_be_insisted_on(void **state)
{
	begin(NULL);
	assert_int_equal(torctl_bridges_parse(PLAIN, strlen(PLAIN), &trial.given, NULL), 0);
	trial_choose(&trial, (struct choice){
				 .mode = MODE_HIDE, .plain = true, .bridges = &trial.given});
	assert_int_equal(trial.tor_bridges.count, 1);
	assert_int_equal(trial.leases, 0);
	connect_now();
}

static void test_hiding_with_the_systems_bridges(void **state)
{
	begin(OBFS4 "\n" MEEK "\n" PLAIN);
	trial_choose(&trial, (struct choice){.mode = MODE_HIDE, .defaults = true});
	trial_lease(&trial, TORCTL_TRANSPORT_OBFS4, LEASE_READY);
	assert_int_equal(trial.tor_bridges.count, 1);
	trial_wait(&trial);
	assert_int_equal(trial.leases, 1u << TORCTL_TRANSPORT_MEEK);
	trial_lease(&trial, TORCTL_TRANSPORT_MEEK, LEASE_READY);
	trial_wait(&trial);
	assert_failed(REASON_BRIDGE_SILENT);
	assert_int_equal(trial.network_clocks, 0);
}

static void answer_settings(enum settings_outcome outcome, const char *lines, unsigned builtin)
{
	trial.given.count = 0;
	assert_int_equal(torctl_bridges_parse(lines, strlen(lines), &trial.given, NULL), 0);
	trial_take(&trial, (struct event){.kind = EVENT_SETTINGS,
					  .settings = {.outcome = outcome,
						       .bridges = &trial.given,
						       .builtin = builtin}});
}

static void ask_for_bridges(void)
{
	begin(SNOWFLAKE);
	trial_choose(&trial, (struct choice){.mode = MODE_HIDE, .ask = true, .country = "de"});
	assert_int_equal(trial.leases, 1u << TORCTL_TRANSPORT_MEEK);
	assert_int_equal(trial.settings, 0);
	trial_lease(&trial, TORCTL_TRANSPORT_MEEK, LEASE_READY);
	assert_int_equal(trial.settings, 1);
	assert_int_equal(trial.opened, 0);
}

static void test_bridges_that_are_asked_for(void **state)
{
	ask_for_bridges();
	answer_settings(SETTINGS_FOUND, OBFS4, 0);
	assert_int_equal(trial.leases, 1u << TORCTL_TRANSPORT_OBFS4);
	trial_lease(&trial, TORCTL_TRANSPORT_OBFS4, LEASE_READY);
	connect_now();
	/* They are kept: nobody is asked a second time. */
	trial_link(&trial, false);
	trial_link(&trial, true);
	trial_lease(&trial, TORCTL_TRANSPORT_OBFS4, LEASE_READY);
	connect_now();
	assert_int_equal(trial.settings, 1);

	ask_for_bridges();
	answer_settings(SETTINGS_FOUND, "", 1u << TORCTL_TRANSPORT_SNOWFLAKE);
	assert_int_equal(trial.leases, 1u << TORCTL_TRANSPORT_SNOWFLAKE);

	ask_for_bridges(); /* plain ones are not what was asked for */
	answer_settings(SETTINGS_FOUND, PLAIN, 1u << TORCTL_TRANSPORT_OBFS4);
	assert_failed(REASON_SETTINGS_NONE);
	ask_for_bridges();
	answer_settings(SETTINGS_EMPTY, OBFS4, 0);
	assert_failed(REASON_SETTINGS_NONE);
	ask_for_bridges();
	answer_settings(SETTINGS_FAILED, OBFS4, 0);
	assert_failed(REASON_SETTINGS_UNREACHABLE);
	ask_for_bridges();
	trial_wait(&trial);
	assert_failed(REASON_SETTINGS_UNREACHABLE);
	ask_for_bridges();
	trial_lease(&trial, TORCTL_TRANSPORT_MEEK, LEASE_LOST);
	assert_failed(REASON_SETTINGS_UNREACHABLE);
}

static void test_network_comes_and_goes(void **state)
{
	begin(NULL);
	trial_automatic(&trial);
	connect_now();
	trial_link(&trial, false);
	assert_failed(REASON_NO_NETWORK);
	trial_link(&trial, false);
	assert_failed(REASON_NO_NETWORK);
	trial_link(&trial, true);
	connect_now();
	trial_link(&trial, true);
	assert_state(STATE_CONNECTED);
}

static void test_tor_ends_and_comes_back(void **state)
{
	begin(NULL);
	trial_hide(&trial, OBFS4);
	trial_lease(&trial, TORCTL_TRANSPORT_OBFS4, LEASE_READY);
	connect_now();
	trial_simple(&trial, EVENT_TOR_GONE);
	assert_state(STATE_CONNECTING);
	/* A new one, without network: it is told all of it again. */
	trial_tor(&trial);
	assert_true(trial.tor_network);
	assert_int_equal(trial.tor_bridges.count, 1);
	connect_now();
	/* The same one: it is left alone. */
	trial_simple(&trial, EVENT_TOR_GONE);
	const size_t before = trial.opened;
	static struct torctl_bridges own;

	own = trial.machine.active;
	trial_take(&trial,
		   (struct event){.kind = EVENT_TOR_HERE,
				  .tor = {.network = true, .progress = 100, .bridges = &own}});
	assert_state(STATE_CONNECTED);
	assert_int_equal(trial.opened, before);
	/* One that somebody has set otherwise: shut first. */
	trial_simple(&trial, EVENT_TOR_GONE);
	trial_take(&trial, (struct event){.kind = EVENT_TOR_HERE,
					  .tor = {.network = true, .progress = 100}});
	assert_int_equal(trial.actions.list[0].kind, ACTION_TOR);
	assert_false(trial.actions.list[0].network);
	assert_true(trial.tor_network);
	assert_int_equal(trial.tor_bridges.count, 1);
	/* None at all. */
	trial_simple(&trial, EVENT_TOR_GONE);
	trial_wait(&trial);
	assert_failed(REASON_TOR_MISSING);
	trial_tor(&trial);
	assert_state(STATE_CONNECTING);
}

static void test_adoption(void **state)
{
	static struct torctl_bridges own;
	const struct event here = {.kind = EVENT_TOR_HERE, .tor = {.network = true, .progress = 100}};
	struct event bridged = here, foreign = here, half = here;

	own.count = 0;
	assert_int_equal(torctl_bridges_parse(OBFS4, strlen(OBFS4), &own, NULL), 0);
	bridged.tor.bridges = &own;
	foreign.tor.foreign = true;
	half.tor.progress = 99;
	/* What a daemon before has connected stays so. */
	trial_begin(&trial, NULL);
	trial_link(&trial, true);
	trial_take(&trial, here);
	assert_state(STATE_CONNECTED);
	assert_int_equal(trial.machine.mode, MODE_AUTOMATIC);
	assert_int_equal(trial.opened, 0);
	/* With bridges: it is hiding from now on, and the transport is asked for again. */
	trial_begin(&trial, NULL);
	trial_link(&trial, true);
	trial_take(&trial, bridged);
	assert_int_equal(trial.machine.mode, MODE_HIDE);
	assert_int_equal(trial.leases, 1u << TORCTL_TRANSPORT_OBFS4);
	trial_simple(&trial, EVENT_TOR_GONE);
	trial_tor(&trial);
	trial_lease(&trial, TORCTL_TRANSPORT_OBFS4, LEASE_READY);
	assert_int_equal(trial.tor_bridges.count, 1);
	/* Whoever said no before Tor was met did not mean a Tor that is connected already; and does not by
	 * putting the question again. */
	for (int i = 0; i < 3; i++) {
		trial_begin(&trial, NULL);
		trial_link(&trial, true);
		trial_simple(&trial, i == 0 ? EVENT_FORGET : EVENT_CANCEL);
		if (i == 2)
			trial_simple(&trial, EVENT_RETRY);
		trial.tor_network = true;
		trial_take(&trial, here);
		assert_state(i == 1 ? STATE_OFFLINE : STATE_ASKED);
		assert_false(trial.tor_network);
	}
	/* What was not connected, or is not understood, or comes later, is shut. */
	const struct event refused[] = {half, foreign};

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		trial_begin(&trial, NULL);
		trial_link(&trial, true);
		trial.tor_network = true;
		trial_take(&trial, refused[i]);
		assert_state(STATE_ASKED);
		assert_false(trial.tor_network);
	}
	begin(NULL);
	trial_simple(&trial, EVENT_TOR_GONE);
	trial.tor_network = true;
	trial_take(&trial, here);
	assert_state(STATE_ASKED);
	assert_false(trial.tor_network);
}

static void test_liveness(void **state)
{
	begin(NULL);
	trial_automatic(&trial);
	connect_now();
	trial_take(&trial, (struct event){.kind = EVENT_LIVENESS, .up = false});
	assert_state(STATE_CONNECTING);
	assert_true(trial.tor_network);
	trial_take(&trial, (struct event){.kind = EVENT_LIVENESS, .up = true});
	assert_state(STATE_CONNECTED);
	trial_take(&trial, (struct event){.kind = EVENT_LIVENESS, .up = false});
	trial_wait(&trial);
	assert_false(trial.tor_network);
	assert_int_equal(trial.machine.step, STEP_CLOCK);
}

static void test_cancel_and_forget(void **state)
{
	static const enum event_kind kinds[] = {EVENT_CANCEL, EVENT_FORGET};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		begin(NULL);
		trial_hide(&trial, OBFS4);
		trial_lease(&trial, TORCTL_TRANSPORT_OBFS4, LEASE_READY);
		connect_now();
		trial_simple(&trial, kinds[i]);
		assert_state(kinds[i] == EVENT_CANCEL ? STATE_OFFLINE : STATE_ASKED);
		assert_false(trial.tor_network);
		assert_int_equal(trial.tor_bridges.count, 0);
		assert_int_equal(trial.machine.chosen.count, 0);
		assert_int_equal(trial.leases, 0);
	}
}

/* Shut before anything of the new choice is begun. */
static void test_another_choice_while_connected(void **state)
{
	begin(NULL);
	trial_automatic(&trial);
	connect_now();
	trial_hide(&trial, OBFS4);
	assert_false(trial.tor_network);
	assert_state(STATE_CONNECTING);
	trial_clock(&trial, CLOCK_SET, false); /* an answer to an old question */
	assert_false(trial.tor_network);
	trial_lease(&trial, TORCTL_TRANSPORT_OBFS4, LEASE_READY);
	connect_now();
	trial_automatic(&trial);
	assert_int_equal(trial.leases, 0);
	assert_int_equal(trial.tor_bridges.count, 0);
	connect_now();
}

static void test_refused_settings(void **state)
{
	begin(NULL);
	trial_automatic(&trial);
	trial_simple(&trial, EVENT_TOR_REFUSED);
	assert_failed(REASON_TOR_REFUSED);
	trial_simple(&trial, EVENT_TOR_REFUSED); /* that it should shut: the daemon ends the talk */
	assert_failed(REASON_TOR_REFUSED);
}

static void test_every_reason_has_words(void **state)
{
	for (int i = REASON_NO_NETWORK; i < REASON_END; i++) {
		const enum reason reason = (enum reason)i;

		assert_true(strlen(reason_name(reason)) > 3);
		assert_true(strlen(reason_text(reason)) > 20);
		assert_true(strlen(reason_advice(reason)) > 20);
		for (int j = REASON_NO_NETWORK; j < i; j++) {
			assert_string_not_equal(reason_name(reason), reason_name((enum reason)j));
			assert_string_not_equal(reason_text(reason), reason_text((enum reason)j));
		}
	}
	assert_string_equal(reason_text(REASON_NONE), "");
	assert_string_equal(phase_text(""), "");
	assert_string_equal(phase_text("conn_done_pt"), "Connecting to the first relay");
	assert_string_equal(phase_text("something_new"), "Connecting");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nothing_without_a_choice),
	    cmocka_unit_test(test_direct),
	    cmocka_unit_test(test_choice_before_the_network_is_there),
	    cmocka_unit_test(test_implausible_clock),
	    cmocka_unit_test(test_tor_says_the_clock_is_wrong),
	    cmocka_unit_test(test_hiding_asks_only_the_consensus),
	    cmocka_unit_test(test_hiding_with_a_clock_that_was_put_right),
	    cmocka_unit_test(test_censored_direct),
	    cmocka_unit_test(test_relays_that_refuse_are_left_early),
	    cmocka_unit_test(test_direct_again_with_the_right_time),
	    cmocka_unit_test(test_transport_that_does_not_start),
	    cmocka_unit_test(test_transport_that_ends),
	    cmocka_unit_test(test_bridges_that_do_not_work),
	    cmocka_unit_test(test_progress_renews_patience),
	    cmocka_unit_test(test_choices_that_are_refused),
	    cmocka_unit_test(test_plain_bridges_need_to_be_insisted_on),
	    cmocka_unit_test(test_hiding_with_the_systems_bridges),
	    cmocka_unit_test(test_bridges_that_are_asked_for),
	    cmocka_unit_test(test_network_comes_and_goes),
	    cmocka_unit_test(test_tor_ends_and_comes_back),
	    cmocka_unit_test(test_adoption),
	    cmocka_unit_test(test_liveness),
	    cmocka_unit_test(test_cancel_and_forget),
	    cmocka_unit_test(test_another_choice_while_connected),
	    cmocka_unit_test(test_refused_settings),
	    cmocka_unit_test(test_every_reason_has_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
