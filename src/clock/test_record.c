/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "test_clock.h"

#include "pools.h"
#include "record.h"

static const struct record answer = {
    .kind = RECORD_ANSWER,
    .pool = 2,
    .host = 63,
    .result = RECORD_DATED,
    .sent = 5,
    .received = 7,
    .date = TEST_REAL,
    .not_before = TEST_REAL - 10,
    .not_after = TEST_REAL + 10,
};

static int reread(const struct record *record, struct record *ret_record)
{
	unsigned char bytes[RECORD_BYTES];

	record_write(record, bytes);
	return record_read(bytes, sizeof(bytes), ret_record);
}

/* What is read is written as it came. */
static void test_round_trip(void **state)
{
	const struct record rows[] = {
	    answer,
	    {.kind = RECORD_BEGIN, .pool = 3},
	    {.kind = RECORD_BEGIN, .pool = RECORD_POOLS_MAX},
	    {.kind = RECORD_ANSWER, .pool = 15, .result = RECORD_FAILED},
	    {.kind = RECORD_PORTAL, .result = RECORD_PORTAL_BODY},
	    {.kind = RECORD_END},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned char sent[RECORD_BYTES], again[RECORD_BYTES];
		struct record read;

		assert_int_equal(reread(&rows[i], &read), 0);
		record_write(&rows[i], sent);
		record_write(&read, again);
		assert_memory_equal(sent, again, RECORD_BYTES);
	}
}

#define WITH(...) ({ struct record with_ = answer; __VA_ARGS__; with_; })

static void test_what_cannot_be(void **state)
{
	const struct record rows[] = {
	    {0},
	    {.kind = RECORD_END + 1},
	    {.kind = RECORD_END, .pool = 1},
	    {.kind = RECORD_END, .date = 1},
	    {.kind = RECORD_BEGIN},
	    {.kind = RECORD_BEGIN, .pool = RECORD_POOLS_MAX + 1},
	    {.kind = RECORD_BEGIN, .pool = 3, .host = 1},
	    {.kind = RECORD_PORTAL},
	    {.kind = RECORD_PORTAL, .result = RECORD_PORTAL_COUNT},
	    {.kind = RECORD_ANSWER, .result = RECORD_SLOW, .date = TEST_REAL},
	    WITH(with_.pool = RECORD_POOLS_MAX),
	    WITH(with_.host = RECORD_HOSTS_MAX),
	    WITH(with_.result = 0),
	    WITH(with_.result = RECORD_RESULT_COUNT),
	    WITH(with_.received = 4), /* before it was sent */
	    WITH(with_.sent = -1),
	    WITH(with_.received = INT64_MAX),
	    WITH(with_.date = INT64_MAX),
	    WITH(with_.date = INT64_MIN),
	    WITH(with_.not_after = with_.not_before - 1),
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct record read = {.pool = 42};

		assert_int_equal(reread(&rows[i], &read), -EBADMSG);
		assert_int_equal(read.pool, 42);
	}
}

static void test_fields(void **state)
{
	struct record read = {0};

	assert_int_equal(reread(&answer, &read), 0);
	assert_int_equal(read.kind, RECORD_ANSWER);
	assert_int_equal(read.pool, 2);
	assert_int_equal(read.host, 63);
	assert_int_equal(read.result, RECORD_DATED);
	assert_int_equal(read.sent, 5);
	assert_int_equal(read.received, 7);
	assert_int_equal(read.date, TEST_REAL);
	assert_int_equal(read.not_before, TEST_REAL - 10);
	assert_int_equal(read.not_after, TEST_REAL + 10);
}

static void test_bytes(void **state)
{
	unsigned char bytes[RECORD_BYTES + 1] = {0};
	struct record read;

	record_write(&answer, bytes);
	assert_int_equal(record_read(bytes, RECORD_BYTES, &read), 0);
	for (size_t length = 0; length < RECORD_BYTES; length++)
		assert_int_equal(record_read(bytes, length, &read), -EBADMSG);
	assert_int_equal(record_read(bytes, RECORD_BYTES + 1, &read), -EBADMSG);
	bytes[0] ^= 1;
	assert_int_equal(record_read(bytes, RECORD_BYTES, &read), -EBADMSG);
	bytes[0] ^= 1;
	bytes[RECORD_BYTES - 1] = 1;
	assert_int_equal(record_read(bytes, RECORD_BYTES, &read), -EBADMSG);
}

/* ---- the file of pools ---- */

#define POOLS                                                                                      \
	"pool one\nhost a.example\nhost b.example\n"                                               \
	"pool two\nhost c.example\nhost d.example\n"                                               \
	"pool three\nhost e.example\nhost f.example\n"
#define PORTAL "portal p.example /check Everything is well\n"

static void test_pools(void **state)
{
	AUTO_FREE struct pools *pools = NULL;
	struct diag diag = {0};

	assert_int_equal(pools_parse("f", "# x\n\n  " POOLS "\t" PORTAL "# end", &diag, &pools), 0);
	assert_int_equal(pools->count, 3);
	assert_string_equal(pools->pools[2].name, "three");
	assert_string_equal(pools->pools[1].hosts[1], "d.example");
	assert_int_equal(pools->portal_count, 1);
	assert_string_equal(pools->portals[0].host, "p.example");
	assert_string_equal(pools->portals[0].path, "/check");
	assert_string_equal(pools->portals[0].text, "Everything is well");
}

static void test_bad_pools(void **state)
{
	static const struct {
		const char *text;
		unsigned line;
	} rows[] = {
	    {"", 0},
	    {POOLS, 9}, /* no portal */
	    {PORTAL "pool a\nhost a.example\nhost b.example\n", 4},
	    {"host a.example\n", 1},
	    {"pool\n", 1},
	    {"pool a b\n", 1},
	    {"pool one\nhost a.example\npool two\n", 3},
	    {POOLS "host a.example\n", 10},
	    {POOLS "host A.example\n", 10},
	    {POOLS "host localhost\n", 10},
	    {POOLS "host 192.0.2.1\n", 10},
	    {POOLS "host -a.example\n", 10},
	    {POOLS "host a-.example\n", 10},
	    {POOLS "host a..example\n", 10},
	    {POOLS "host a.example.\n", 10},
	    {POOLS "host a.example:8080\n", 10},
	    {POOLS "host user@a.example\n", 10},
	    {POOLS "host a.example/x\n", 10},
	    {POOLS "host a.example b.example\n", 10},
	    {POOLS "portal p.example\n", 10},
	    {POOLS "portal p.example /x\n", 10},
	    {POOLS "portal p.example x y\n", 10},
	    {POOLS "portal p.example /?x y\n", 10},
	    {POOLS "what is this\n", 10},
	    {POOLS "host \x01.example\n", 10},
	    {POOLS "host \xff.example\n", 10},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct pools *pools = NULL;
		struct diag diag = {0};

		assert_int_equal(pools_parse("f", rows[i].text, &diag, &pools), -EINVAL);
		assert_null(pools);
		assert_int_equal(diag.line, rows[i].line);
	}
}

/* The shipped file. */
static void test_shipped_pools(void **state)
{
	AUTO_FREE struct pools *pools = NULL;
	AUTO_FILE FILE *file = fopen(TEST_SOURCE_ROOT "/data/clock/pools.conf", "r");
	char text[POOLS_BYTES_MAX] = "";
	struct diag diag = {0};

	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	assert_int_equal(pools_parse("pools.conf", text, &diag, &pools), 0);
	assert_true(pools->count >= POOLS_MIN && pools->count % 2 == 1);
	for (unsigned i = 0; i < pools->count; i++)
		assert_true(pools->pools[i].count >= 6);
}

static unsigned draw(void *data, unsigned below)
{
	return test_random_below(data, below);
}

/* No host twice, each some time, and any of those left may be the next. */
static void test_choosing(void **state)
{
	struct test_random random = test_random_begin();
	unsigned first[7] = {0};

	for (unsigned run = 0; run < 7000; run++) {
		uint64_t asked = 0;

		for (unsigned i = 0; i < 7; i++) {
			unsigned host = pools_choose(7, asked, draw, &random);

			assert_true(host < 7 && !(asked >> host & 1));
			asked |= 1ull << host;
			first[host] += i == 0;
		}
	}
	for (unsigned i = 0; i < 7; i++)
		assert_in_range(first[i], 800, 1200);
	assert_int_equal(pools_share(1), 1);
	assert_int_equal(pools_share(2), 1);
	assert_int_equal(pools_share(9), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),	  cmocka_unit_test(test_what_cannot_be),
	    cmocka_unit_test(test_fields),	  cmocka_unit_test(test_bytes),
	    cmocka_unit_test(test_pools),	  cmocka_unit_test(test_bad_pools),
	    cmocka_unit_test(test_shipped_pools), cmocka_unit_test(test_choosing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
