/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "test_surroundings_help.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#define MISSING 127
#define WORDS   32

static bool must_run(void)
{
	const char *must = getenv("LETHE_MUST_RUN");

	return must && strcmp(must, "1") == 0;
}

int plant_setup(void **state)
{
	*state = NULL;
	if (unshare(CLONE_NEWNET) < 0) {
		print_message("# no right to make a network namespace: %s\n", strerror(errno));
		return must_run() ? -1 : 0;
	}
	*state = state;
	return 0;
}

void plant_need(void **state)
{
	if (!*state)
		skip();
}

void plant_cannot(const char *what)
{
	print_message("# this kernel has no %s\n", what);
	skip();
}

/* Words are divided by single blanks. What it prints goes where the test's errors go. */
int plant_run(const char *command)
{
	char text[512], *words[WORDS] = {text};
	size_t count = 1;
	int status;
	pid_t child;

	assert_true(strlen(command) < sizeof(text));
	memcpy(text, command, strlen(command) + 1);
	for (char *at = text; *at; at++)
		if (*at == ' ' && count < WORDS - 1) {
			*at = '\0';
			words[count++] = at + 1;
		}
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		dup2(STDERR_FILENO, STDOUT_FILENO);
		execvp(words[0], words);
		_exit(MISSING);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

void plant(const char *command)
{
	int r = plant_run(command);

	if (r == MISSING && !must_run())
		plant_cannot("iproute2");
	if (r != 0)
		fail_msg("%s: status %d", command, r);
}

void plant_tell(const struct surroundings *found)
{
	for (size_t i = 0; i < found->finding_count; i++)
		print_error("# found %d [%s] %s\n", (int)found->findings[i].kind,
			    found->findings[i].name, found->findings[i].words);
}

void plant_require(const struct plant_expected *expected, size_t count)
{
	AUTO_SURROUNDINGS struct surroundings found = {0};
	bool same;

	assert_int_equal(surroundings_read(&found), 0);
	same = found.finding_count == count && !found.more;
	for (size_t i = 0; same && i < count; i++)
		same = found.findings[i].kind == expected[i].kind &&
		       strcmp(found.findings[i].name, expected[i].name) == 0 &&
		       found.findings[i].words[0];
	if (!same) {
		plant_tell(&found);
		fail_msg("other findings than the %zu expected", count);
	}
}
