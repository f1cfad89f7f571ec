/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "diag.h"
#include "json.h"
#include "num.h"

/* ---- buf ---- */

static void buf_empty_is_valid(void **state)
{
	AUTO_BUF struct buf buf = {.cap = 16};

	assert_int_equal(buf_finish(&buf), 0);
	assert_string_equal(buf_text(&buf), "");
	assert_int_equal(buf.len, 0);
}

static void buf_unset_cap_denies(void **state)
{
	AUTO_BUF struct buf buf = {0};

	buf_puts(&buf, "");
	assert_int_equal(buf_finish(&buf), 0);
	buf_puts(&buf, "x");
	assert_int_equal(buf_finish(&buf), -E2BIG);
	assert_string_equal(buf_text(&buf), "");
}

static void buf_fills_to_its_cap_exactly(void **state)
{
	AUTO_BUF struct buf buf = {.cap = 6};

	buf_puts(&buf, "abc");
	buf_printf(&buf, "%d", 123);
	assert_int_equal(buf_finish(&buf), 0);
	assert_int_equal(buf.len, 6);
	assert_string_equal(buf_text(&buf), "abc123");
	buf_add(&buf, "", 0);
	assert_int_equal(buf_finish(&buf), 0);
	buf_puts(&buf, "4");
	assert_int_equal(buf_finish(&buf), -E2BIG);
	assert_string_equal(buf_text(&buf), "abc123");
}

static void buf_takes_all_of_a_write_or_nothing(void **state)
{
	AUTO_BUF struct buf added = {.cap = 4}, printed = {.cap = 4};

	buf_puts(&added, "ab");
	buf_puts(&added, "cde");
	assert_string_equal(buf_text(&added), "ab");
	buf_puts(&printed, "ab");
	buf_printf(&printed, "%s", "cde");
	assert_string_equal(buf_text(&printed), "ab");
	assert_int_equal(buf_finish(&printed), -E2BIG);
}

/* A later, smaller write would fit; letting it in would leave a text with a hole. */
static void buf_error_is_sticky(void **state)
{
	AUTO_BUF struct buf buf = {.cap = 4};

	buf_puts(&buf, "abc");
	buf_puts(&buf, "de");
	buf_puts(&buf, "f");
	buf_printf(&buf, "%c", 'g');
	assert_int_equal(buf_finish(&buf), -E2BIG);
	assert_string_equal(buf_text(&buf), "abc");
	assert_int_equal(buf.len, 3);
}

static void buf_huge_lengths_do_not_wrap(void **state)
{
	AUTO_BUF struct buf buf = {.cap = SIZE_MAX};
	AUTO_BUF struct buf small = {.cap = 100};

	buf_puts(&buf, "abc");
	buf_add(&buf, "x", SIZE_MAX - 3);
	assert_int_equal(buf_finish(&buf), -E2BIG);
	assert_int_equal(buf.len, 3);
	buf_puts(&small, "abc");
	buf_add(&small, "x", SIZE_MAX);
	assert_int_equal(buf_finish(&small), -E2BIG);
	assert_string_equal(buf_text(&small), "abc");
}

static void buf_grows_far_beyond_its_first_room(void **state)
{
	AUTO_BUF struct buf buf = {.cap = 1u << 20};

	for (unsigned i = 0; i < 100000; i++)
		buf_printf(&buf, "%u,", i % 10);
	assert_int_equal(buf_finish(&buf), 0);
	assert_int_equal(buf.len, 200000);
	assert_int_equal(strlen(buf_text(&buf)), 200000);
	for (size_t i = 0; i < buf.len; i += 2)
		assert_true(buf.data[i] == (char)('0' + i / 2 % 10) && buf.data[i + 1] == ',');
}

static void buf_keeps_zero_bytes(void **state)
{
	AUTO_BUF struct buf buf = {.cap = 8};

	buf_add(&buf, "a\0b", 3);
	assert_int_equal(buf.len, 3);
	assert_memory_equal(buf_text(&buf), "a\0b", 4);
}

static void buf_done_leaves_a_usable_buffer(void **state)
{
	AUTO_BUF struct buf buf = {.cap = 3};

	buf_puts(&buf, "abcd");
	assert_int_equal(buf_finish(&buf), -E2BIG);
	buf_done(&buf);
	assert_int_equal(buf.cap, 3);
	buf_puts(&buf, "abc");
	assert_int_equal(buf_finish(&buf), 0);
	assert_string_equal(buf_text(&buf), "abc");
	buf_done(&buf);
	buf_done(&buf);
}

/* ---- cleanup ---- */

static int released;

struct thing {
	int number;
};

static struct thing *thing_free(struct thing *thing)
{
	if (thing)
		released++;
	free(thing);
	return NULL;
}

DEFINE_CLEANUP(struct thing *, thing_free)

static struct thing *make_thing(bool keep)
{
	CLEANUP(thing_freep) struct thing *thing = calloc(1, sizeof(*thing));

	return keep ? TAKE_PTR(thing) : NULL;
}

static void cleanup_releases_what_was_not_taken(void **state)
{
	struct thing *thing;

	released = 0;
	assert_null(make_thing(false));
	assert_int_equal(released, 1);
	thing = make_thing(true);
	assert_non_null(thing);
	assert_int_equal(released, 1);
	thing = thing_free(thing);
	assert_null(thing);
	assert_int_equal(released, 2);
}

static void cleanup_closes_and_keeps_errno(void **state)
{
	int seen;

	{
		AUTO_CLOSE int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

		assert_true(fd >= 0);
		seen = fd;
		errno = EXDEV;
	}
	assert_int_equal(errno, EXDEV);
	assert_int_equal(fcntl(seen, F_GETFD), -1);
	assert_int_equal(errno, EBADF);
}

static void cleanup_taken_descriptor_stays_open(void **state)
{
	AUTO_CLOSE int outer = -EBADF;

	{
		AUTO_CLOSE int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

		outer = TAKE_FD(fd);
		assert_int_equal(fd, -EBADF);
	}
	assert_true(outer >= 0);
	assert_true(fcntl(outer, F_GETFD) >= 0);
}

static void neg_errno_is_never_success(void **state)
{
	errno = ENOENT;
	assert_int_equal(neg_errno(), -ENOENT);
	errno = 0;
	assert_int_equal(neg_errno(), -EIO);
}

/* ---- diag ---- */

static void diag_formats_place_message_and_hint(void **state)
{
	struct diag diag;
	char text[256];

	diag_set(&diag, "policy.conf", 12, 3, "unknown word \"%s\"", "alow");
	diag_format(&diag, text, sizeof(text));
	assert_string_equal(text, "policy.conf:12:3: unknown word \"alow\"");
	diag_hint(&diag, "did you mean %s?", "allow");
	diag_format(&diag, text, sizeof(text));
	assert_string_equal(text,
			    "policy.conf:12:3: unknown word \"alow\"\n  hint: did you mean allow?");
}

static void diag_without_line_or_file(void **state)
{
	struct diag diag;
	char text[64];

	diag_set(&diag, "policy.conf", 0, 0, "no such file");
	diag_format(&diag, text, sizeof(text));
	assert_string_equal(text, "policy.conf: no such file");
	diag_set(&diag, NULL, 5, 1, "no answer");
	diag_format(&diag, text, sizeof(text));
	assert_string_equal(text, "no answer");
}

/* The hint of an earlier error must not stick to a later one. */
static void diag_set_forgets_the_old_hint(void **state)
{
	struct diag diag;

	diag_set(&diag, "a", 1, 1, "first");
	diag_hint(&diag, "advice");
	diag_set(&diag, "a", 2, 1, "second");
	assert_string_equal(diag.hint, "");
}

static void diag_cuts_what_is_too_long(void **state)
{
	struct diag diag;
	char big[2000], text[40];

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	diag_set(&diag, big, 4294967295u, 4294967295u, "%s", big);
	diag_hint(&diag, "%s", big);
	assert_int_equal(strlen(diag.file), DIAG_FILE_MAX - 1);
	assert_int_equal(strlen(diag.message), DIAG_MESSAGE_MAX - 1);
	assert_int_equal(strlen(diag.hint), DIAG_MESSAGE_MAX - 1);
	diag_format(&diag, text, sizeof(text));
	assert_int_equal(strlen(text), sizeof(text) - 1);
	diag_set(NULL, "a", 1, 1, "nobody listens");
	diag_hint(NULL, "nor here");
}

/* ---- json ---- */

static void json_nests_and_puts_commas(void **state)
{
	AUTO_BUF struct buf out = {.cap = 4096};
	struct json json = {.out = &out};

	json_object_begin(&json, NULL);
	json_string(&json, "name", "wall");
	json_array_begin(&json, "ports");
	json_number(&json, NULL, 53);
	json_number(&json, NULL, 80);
	json_object_begin(&json, NULL);
	json_object_end(&json);
	json_array_begin(&json, NULL);
	json_array_end(&json);
	json_array_end(&json);
	json_bool(&json, "open", false);
	json_bool(&json, "shut", true);
	json_null(&json, "none");
	json_object_end(&json);
	assert_int_equal(buf_finish(&out), 0);
	assert_int_equal(json.depth, 0);
	assert_string_equal(buf_text(&out), "{\"name\":\"wall\",\"ports\":[53,80,{},[]],"
					    "\"open\":false,\"shut\":true,\"none\":null}");
}

static void json_outermost_values(void **state)
{
	AUTO_BUF struct buf out = {.cap = 64};
	struct json json = {.out = &out};

	json_string(&json, NULL, "");
	assert_string_equal(buf_text(&out), "\"\"");
}

static void json_number_limits(void **state)
{
	AUTO_BUF struct buf out = {.cap = 256};
	struct json json = {.out = &out};

	json_array_begin(&json, NULL);
	json_number(&json, NULL, INT64_MIN);
	json_number(&json, NULL, 0);
	json_number(&json, NULL, INT64_MAX);
	json_array_end(&json);
	assert_string_equal(buf_text(&out), "[-9223372036854775808,0,9223372036854775807]");
}

static void written_as(const char *text, const char *expected)
{
	AUTO_BUF struct buf out = {.cap = 512};
	struct json json = {.out = &out};

	json_string(&json, NULL, text);
	assert_int_equal(buf_finish(&out), 0);
	assert_string_equal(buf_text(&out), expected);
}

static void json_escapes_control_and_quotes(void **state)
{
	written_as("a\"b\\c/d", "\"a\\\"b\\\\c/d\"");
	written_as("\x01\t\n\r\x1f\x7f", "\"\\u0001\\u0009\\u000a\\u000d\\u001f\\u007f\"");
}

static void json_keeps_valid_utf8(void **state)
{
	/* The first and last of each length, and the neighbours of the surrogates. */
	static const char *const valid[] = {
	    "\xc2\x80",         "\xdf\xbf",         "\xe0\xa0\x80",
	    "\xed\x9f\xbf",     "\xee\x80\x80",     "\xef\xbf\xbf",
	    "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "\xc3\xa9t\xc3\xa9",
	};

	for (size_t i = 0; i < ARRAY_SIZE(valid); i++) {
		char expected[32];

		snprintf(expected, sizeof(expected), "\"%s\"", valid[i]);
		written_as(valid[i], expected);
	}
}

static void json_replaces_what_is_not_utf8(void **state)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
	    {"\x80", "\"\\ufffd\""},                       /* a continuation alone */
	    {"\xff", "\"\\ufffd\""},                       /* never valid */
	    {"\xc3", "\"\\ufffd\""},                       /* cut by the end */
	    {"\xc3z", "\"\\ufffdz\""},                     /* cut by a letter, which stays */
	    {"\xc0\xaf", "\"\\ufffd\\ufffd\""},            /* overlong slash */
	    {"\xe0\x80\xaf", "\"\\ufffd\\ufffd\\ufffd\""}, /* overlong in three */
	    {"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""}, /* a surrogate */
	    {"\xe2\x82", "\"\\ufffd\\ufffd\""},            /* cut in the third */
	    {"\xe2\x82\"", "\"\\ufffd\\ufffd\\\"\""},      /* a quote is not swallowed */
	    {"\xf0\x9f\x98", "\"\\ufffd\\ufffd\\ufffd\""},
	    {"\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""}, /* above U+10FFFF */
	    {"\xf5\x80\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		written_as(cases[i].text, cases[i].expected);
}

/* Every pair of bytes gives printable, balanced output without a raw quote, control or bad byte. */
static void json_every_pair_of_bytes_is_safe(void **state)
{
	for (unsigned pair = 0x0101; pair <= 0xffff; pair++) {
		AUTO_BUF struct buf out = {.cap = 64};
		struct json json = {.out = &out};
		char text[3] = {(char)(pair >> 8), (char)(pair & 0xff), 0};
		size_t quotes = 0;

		if (!text[0] || !text[1])
			continue;
		json_string(&json, NULL, text);
		assert_int_equal(buf_finish(&out), 0);
		for (size_t i = 0; i < out.len; i++) {
			unsigned char byte = (unsigned char)out.data[i];

			assert_true(byte >= 0x20 && byte != 0x7f);
			if (byte == '\\')
				i++;
			else if (byte == '"')
				quotes++;
			/* Only a whole two-byte sequence stays as it was. */
			if (byte >= 0x80)
				assert_true(out.len == 4 && memcmp(out.data + 1, text, 2) == 0);
		}
		assert_int_equal(quotes, 2);
	}
}

static void json_keys_are_escaped_too(void **state)
{
	AUTO_BUF struct buf out = {.cap = 64};
	struct json json = {.out = &out};

	json_object_begin(&json, NULL);
	json_null(&json, "a\"\xff");
	json_object_end(&json);
	assert_string_equal(buf_text(&out), "{\"a\\\"\\ufffd\":null}");
}

static void json_depth_reaches_its_limit(void **state)
{
	AUTO_BUF struct buf out = {.cap = 256};
	struct json json = {.out = &out};

	for (unsigned i = 0; i < JSON_DEPTH_MAX; i++)
		json_array_begin(&json, NULL);
	json_number(&json, NULL, 1);
	json_number(&json, NULL, 2);
	for (unsigned i = 0; i < JSON_DEPTH_MAX; i++)
		json_array_end(&json);
	assert_string_equal(buf_text(&out), "[[[[[[[[[[[[[[[[1,2]]]]]]]]]]]]]]]]");
}

static void json_cap_is_reported_once_at_the_end(void **state)
{
	AUTO_BUF struct buf out = {.cap = 10};
	struct json json = {.out = &out};

	json_array_begin(&json, NULL);
	for (int i = 0; i < 100; i++)
		json_number(&json, NULL, i);
	json_array_end(&json);
	assert_int_equal(buf_finish(&out), -E2BIG);
	assert_true(out.len <= 10);
}

/* ---- num ---- */

static void num_reads_the_limits(void **state)
{
	uint64_t value = 7;

	assert_int_equal(num_parse_u64("0", 0, &value), 0);
	assert_int_equal(value, 0);
	assert_int_equal(num_parse_u64("65535", 65535, &value), 0);
	assert_int_equal(value, 65535);
	assert_int_equal(num_parse_u64("18446744073709551615", UINT64_MAX, &value), 0);
	assert_true(value == UINT64_MAX);
}

static void num_refuses_what_is_too_large(void **state)
{
	static const char *const texts[] = {
	    "65536",
	    "99999999999",
	    "18446744073709551615",
	    "18446744073709551616", /* 2^64 */
	    "18446744073709551625", /* wraps in the last digit */
	    "184467440737095516150",
	    "99999999999999999999999999999999999999",
	};
	uint64_t value = 7;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(num_parse_u64(texts[i], 65535, &value), -ERANGE);
	for (size_t i = 3; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(num_parse_u64(texts[i], UINT64_MAX, &value), -ERANGE);
	assert_int_equal(value, 7);
}

static void num_refuses_what_is_no_number(void **state)
{
	static const char *const texts[] = {
	    "",
	    " ",
	    "-1",
	    "+1",
	    " 1",
	    "1 ",
	    "1\n",
	    "01",
	    "00",
	    "0x10",
	    "1e3",
	    "1.0",
	    "a",
	    "1a",
	    "\xd9\xa1",
	    "-0",
	    "99999999999999999999x",
	};
	uint64_t value = 7;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(num_parse_u64(texts[i], UINT64_MAX, &value), -EINVAL);
	assert_int_equal(value, 7);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(buf_empty_is_valid),
	    cmocka_unit_test(buf_unset_cap_denies),
	    cmocka_unit_test(buf_fills_to_its_cap_exactly),
	    cmocka_unit_test(buf_takes_all_of_a_write_or_nothing),
	    cmocka_unit_test(buf_error_is_sticky),
	    cmocka_unit_test(buf_huge_lengths_do_not_wrap),
	    cmocka_unit_test(buf_grows_far_beyond_its_first_room),
	    cmocka_unit_test(buf_keeps_zero_bytes),
	    cmocka_unit_test(buf_done_leaves_a_usable_buffer),
	    cmocka_unit_test(cleanup_releases_what_was_not_taken),
	    cmocka_unit_test(cleanup_closes_and_keeps_errno),
	    cmocka_unit_test(cleanup_taken_descriptor_stays_open),
	    cmocka_unit_test(neg_errno_is_never_success),
	    cmocka_unit_test(diag_formats_place_message_and_hint),
	    cmocka_unit_test(diag_without_line_or_file),
	    cmocka_unit_test(diag_set_forgets_the_old_hint),
	    cmocka_unit_test(diag_cuts_what_is_too_long),
	    cmocka_unit_test(json_nests_and_puts_commas),
	    cmocka_unit_test(json_outermost_values),
	    cmocka_unit_test(json_number_limits),
	    cmocka_unit_test(json_escapes_control_and_quotes),
	    cmocka_unit_test(json_keeps_valid_utf8),
	    cmocka_unit_test(json_replaces_what_is_not_utf8),
	    cmocka_unit_test(json_every_pair_of_bytes_is_safe),
	    cmocka_unit_test(json_keys_are_escaped_too),
	    cmocka_unit_test(json_depth_reaches_its_limit),
	    cmocka_unit_test(json_cap_is_reported_once_at_the_end),
	    cmocka_unit_test(num_reads_the_limits),
	    cmocka_unit_test(num_refuses_what_is_too_large),
	    cmocka_unit_test(num_refuses_what_is_no_number),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
