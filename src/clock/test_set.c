/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The setter, in a world of its own: no clock of this computer is touched. */
#include "test_clock.h"

#include "set.h"

struct planted {
	struct clock_now now;
	int64_t set_to; /* 0: nothing was set */
	unsigned sets;
	int set_result, synchronised, synchronised_after;
};

static struct clock_now planted_now(void *data)
{
	return ((struct planted *)data)->now;
}

static int planted_set(void *data, int64_t real)
{
	struct planted *planted = data;

	planted->sets++;
	if (planted->set_result == 0) {
		planted->set_to = real;
		planted->now.real = real;
	}
	return planted->set_result;
}

static int planted_synchronised(void *data)
{
	const struct planted *planted = data;

	return planted->sets ? planted->synchronised_after : planted->synchronised;
}

static struct set_world world_of(struct planted *planted)
{
	return (struct set_world){.now = planted_now,
				  .set = planted_set,
				  .synchronised = planted_synchronised,
				  .data = planted};
}

#define REAL (TEST_REAL * CLOCK_NS)

static struct planted plant(void)
{
	return (struct planted){.now = {.real = REAL - 86400 * CLOCK_NS, .boot = TEST_BOOT}};
}

static int apply(struct planted *planted, int64_t real, int64_t boot)
{
	const struct set_world world = world_of(planted);

	return set_apply(&(struct set_message){.real = real, .boot = boot}, TEST_FLOOR, &world);
}

static void test_sets(void **state)
{
	struct planted planted = plant();

	assert_int_equal(apply(&planted, REAL, TEST_BOOT), 0);
	assert_int_equal(planted.set_to, REAL);
	/* What has passed since it was judged is added. */
	planted = plant();
	planted.now.boot += 3 * CLOCK_NS;
	assert_int_equal(apply(&planted, REAL, TEST_BOOT), 0);
	assert_int_equal(planted.set_to, REAL + 3 * CLOCK_NS);
	/* Back, too. */
	planted = plant();
	planted.now.real = REAL + CLOCK_YEAR * CLOCK_NS;
	assert_int_equal(apply(&planted, REAL, TEST_BOOT), 0);
	assert_int_equal(planted.set_to, REAL);
}

static void test_refuses_what_cannot_be(void **state)
{
	static const int64_t rows[] = {
	    -1,
	    0,
	    1,
	    TEST_FLOOR,			     /* of seconds, as if of nanoseconds */
	    TEST_FLOOR * CLOCK_NS - 1,
	    (CLOCK_CEILING(TEST_FLOOR) + 1) * CLOCK_NS,
	    INT64_MAX,
	    INT64_MIN,
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct planted planted = plant();

		assert_int_equal(apply(&planted, rows[i], TEST_BOOT), -ERANGE);
		assert_int_equal(planted.sets, 0);
	}
}

static void test_the_edges(void **state)
{
	struct planted planted = plant();

	assert_int_equal(apply(&planted, TEST_FLOOR * CLOCK_NS, TEST_BOOT), 0);
	planted = plant();
	assert_int_equal(apply(&planted, CLOCK_CEILING(TEST_FLOOR) * CLOCK_NS, TEST_BOOT), 0);
	/* The time that has passed leads beyond. */
	planted = plant();
	planted.now.boot += 2 * CLOCK_NS;
	assert_int_equal(apply(&planted, CLOCK_CEILING(TEST_FLOOR) * CLOCK_NS, TEST_BOOT), -ERANGE);
	assert_int_equal(planted.sets, 0);
}

static void test_refuses_what_is_old(void **state)
{
	struct planted planted = plant();

	planted.now.boot += SET_DELAY_MAX + 1;
	assert_int_equal(apply(&planted, REAL, TEST_BOOT), -ESTALE);
	assert_int_equal(apply(&planted, REAL, planted.now.boot + 1), -ESTALE);
	assert_int_equal(apply(&planted, REAL, INT64_MAX), -ESTALE);
	assert_int_equal(planted.sets, 0);
}

/* The kernel writes the hardware clock while its own counts as synchronised. */
static void test_never_beside_a_synchronised_clock(void **state)
{
	struct planted planted = plant();

	planted.synchronised = 1;
	assert_int_equal(apply(&planted, REAL, TEST_BOOT), -EBUSY);
	assert_int_equal(planted.sets, 0);
	planted = plant();
	planted.synchronised_after = 1;
	assert_int_equal(apply(&planted, REAL, TEST_BOOT), -EBUSY);
	planted = plant();
	planted.synchronised = -EPERM;
	assert_int_equal(apply(&planted, REAL, TEST_BOOT), -EPERM);
	assert_int_equal(planted.sets, 0);
}

static void test_what_fails_is_told(void **state)
{
	struct planted planted = plant();

	planted.set_result = -EPERM;
	assert_int_equal(apply(&planted, REAL, TEST_BOOT), -EPERM);
}

static void test_floor(void **state)
{
	static const struct {
		int64_t seconds;
		int result;
	} rows[] = {
	    {0, 1},
	    {TEST_FLOOR - 1, 1},
	    {TEST_FLOOR, 0},
	    {TEST_REAL, 0},
	    {CLOCK_CEILING(TEST_FLOOR), 0},
	    {CLOCK_CEILING(TEST_FLOOR) + 1, 1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct planted planted = {.now = test_now(rows[i].seconds, TEST_BOOT)};
		const struct set_world world = world_of(&planted);

		assert_int_equal(set_to_floor(TEST_FLOOR, &world), rows[i].result);
		assert_int_equal(planted.set_to, rows[i].result ? TEST_FLOOR * CLOCK_NS : 0);
	}
}

static void test_messages(void **state)
{
	const struct set_message message = {.real = REAL, .boot = TEST_BOOT};
	unsigned char bytes[SET_MESSAGE_BYTES + 1], answer[SET_ANSWER_BYTES + 1];
	struct set_message read = {0};
	int result = 42;

	set_message_write(&message, bytes);
	assert_int_equal(set_message_read(bytes, SET_MESSAGE_BYTES, &read), 0);
	assert_int_equal(read.real, message.real);
	assert_int_equal(read.boot, message.boot);
	assert_int_equal(set_message_read(bytes, SET_MESSAGE_BYTES + 1, &read), -EBADMSG);
	assert_int_equal(set_message_read(bytes, SET_MESSAGE_BYTES - 1, &read), -EBADMSG);
	assert_int_equal(set_message_read(bytes, 0, &read), -EBADMSG);
	for (size_t i = 0; i < 8; i++) {
		bytes[i] ^= 0x10;
		assert_int_equal(set_message_read(bytes, SET_MESSAGE_BYTES, &read), -EBADMSG);
		bytes[i] ^= 0x10;
	}
	bytes[SET_MESSAGE_BYTES - 1] = 0x80; /* a negative time */
	assert_int_equal(set_message_read(bytes, SET_MESSAGE_BYTES, &read), -EBADMSG);

	set_answer_write(-ERANGE, answer);
	assert_int_equal(set_answer_read(answer, SET_ANSWER_BYTES, &result), 0);
	assert_int_equal(result, -ERANGE);
	set_answer_write(1, answer);
	assert_int_equal(set_answer_read(answer, SET_ANSWER_BYTES, &result), -EBADMSG);
	answer[0] ^= 1;
	assert_int_equal(set_answer_read(answer, SET_ANSWER_BYTES, &result), -EBADMSG);
	assert_int_equal(set_answer_read(answer, 0, &result), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sets),
	    cmocka_unit_test(test_refuses_what_cannot_be),
	    cmocka_unit_test(test_the_edges),
	    cmocka_unit_test(test_refuses_what_is_old),
	    cmocka_unit_test(test_never_beside_a_synchronised_clock),
	    cmocka_unit_test(test_what_fails_is_told),
	    cmocka_unit_test(test_floor),
	    cmocka_unit_test(test_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
