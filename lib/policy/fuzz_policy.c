/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as a policy. What is refused must be refused with a message that is fit to be shown;
 * what is taken must print, and what is printed must be the same policy.
 */
#include "policy.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <base/fuzz.h>

/* Large enough for every policy that an input of the usual size can make. */
#define PRINTED_MAX POLICY_FILE_MAX

static const char passwd[] = "root:x:0:0::/:/bin/sh\n"
			     "nobody:x:65534:65534::/:/bin/sh\n"
			     "_apt:x:42:65534::/:/bin/sh\n"
			     "debian-tor:x:64000:64000::/:/bin/sh\n"
			     "amnesia:x:64001:64001::/:/bin/sh\n"
			     "clearnet:x:64002:64002::/:/bin/sh\n"
			     "clearnet-net:x:64003:64003::/:/bin/sh\n"
			     "bridges-net:x:64007:64007::/:/bin/sh\n"
			     "fronts-net:x:64008:64008::/:/bin/sh\n"
			     "twin:x:64001:64001::/:/bin/sh\n";

/* The users, in a file that exists in memory only. */
static const char *passwd_path(void)
{
	static char path[64];
	int fd;

	if (path[0])
		return path;
	fd = memfd_create("passwd", 0);
	if (fd < 0 || write(fd, passwd, strlen(passwd)) != (ssize_t)strlen(passwd))
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return path;
}

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* Whatever bytes the policy holds, a message about them must not steer a terminal. */
static void check_message(const struct diag *diag)
{
	require(strcmp(diag->file, "fuzz.conf") == 0 && diag->line > 0 && diag->column > 0);
	require(diag->message[0] != '\0');
	for (const char *c = diag->message; *c; c++)
		require(*c >= 0x20 && *c < 0x7f);
	for (const char *c = diag->hint; *c; c++)
		require(*c >= 0x20 && *c < 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct policy_options options = {.passwd = passwd_path()};
	CLEANUP(policy_freep) struct policy *policy = NULL, *again = NULL;
	AUTO_BUF struct buf first = {.cap = PRINTED_MAX}, second = {.cap = PRINTED_MAX};
	struct diag diag = {0};
	int r;

	r = policy_parse("fuzz.conf", (const char *)data, size, &options, &diag, &policy);
	if (r < 0) {
		require(r == -EBADMSG && !policy);
		check_message(&diag);
		return 0;
	}
	policy_print(policy, &first);
	if (buf_finish(&first) == -E2BIG)
		return 0;
	require(buf_finish(&first) == 0);
	r = policy_parse("printed.conf", buf_text(&first), first.len, &options, &diag, &again);
	require(r == 0);
	policy_print(again, &second);
	require(buf_finish(&second) == 0);
	require(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
	return 0;
}
