/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the tests of this room share. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy.h"

#define TEST_PASSWD TEST_SOURCE_ROOT "/tests/support/passwd"

/* Users are those of tests/support/passwd, whatever users this computer has. */
extern const struct policy_options test_options;

/* Every policy has these; statements of a test begin in line 4. */
#define TEST_HEAD "lethe-policy 1\ndefault drop\nipv6 blocked\n"

/* Read a policy that must be right. The test fails, with the diagnostic, if it is not. */
struct policy *test_parse(const char *text);

/* TEST_HEAD, then @statements. */
struct policy *test_parse_statements(const char *statements);

/* The whole of a file below the source's root. The caller frees it. */
char *test_read_source(const char *name);

/* The shipped policy without what this computer has in its drop-in directories: each `include` is
 * made a comment, so that lines keep their numbers. The caller frees it. */
char *test_default_text(void);

/* The @number-th line (from 1) of @text, copied to @line. */
void test_line(const char *text, unsigned number, char *line, size_t size);

/* Replace the one place where @text holds @old. Returns a new text and frees the old one. */
char *test_replace(char *text, const char *old, const char *new);

/* Random numbers that a printed seed brings back. */
struct test_random {
	uint64_t state;
};

/* The seed is LETHE_SEED or a fresh one; it is printed as a TAP comment. */
struct test_random test_random_begin(void);
uint32_t test_random_below(struct test_random *random, uint32_t limit);

/* A policy as statements, so that one can be taken out or changed. */
#define TEST_STATEMENTS_MAX 24
#define TEST_STATEMENT_MAX  400

struct test_statements {
	char lines[TEST_STATEMENTS_MAX][TEST_STATEMENT_MAX];
	size_t count;
};

/* As a text that policy_parse() reads. The caller frees it. */
char *test_statements_text(const struct test_statements *statements);

/* Parse it; NULL if it is wrong. */
struct policy *test_statements_parse(const struct test_statements *statements);

/* A random policy that is right. @attempts statements are tried; those that would make it wrong
 * are left out. */
void test_random_statements(struct test_random *random, unsigned attempts,
			    struct test_statements *ret_statements);
