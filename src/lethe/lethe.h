/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the verbs of lethe share. */
#pragma once

#include <stdbool.h>

#include <base/buf.h>

/* Exit statuses, as in lethe(1). */
enum lethe_exit {
	LETHE_OK = 0,
	LETHE_BAD = 1,     /* something is bad or unknown */
	LETHE_USAGE = 2,   /* the command line is wrong, or there is no such door for this user */
	LETHE_WAITING = 3, /* nothing is wrong, but it is not ready yet */
};

struct lethe_options {
	const char *doors;   /* NULL: where the verb's doors usually are */
	const char *boot;    /* never NULL */
	const char *proved;  /* never NULL */
	const char *guard;   /* never NULL */
	const char *watch;   /* never NULL */
	const char *cmdline; /* never NULL */
	unsigned seconds;
	bool json, plain;
};

/* A verb gets the words after it, NULL-terminated and counted, and answers an exit status. */
struct lethe_verb {
	const char *name;
	int least, most; /* words after it */
	int (*run)(const struct lethe_options *options, char **words);
};

int lethe_status(const struct lethe_options *options, char **words);
int lethe_leaving(const struct lethe_options *options, char **words);
int lethe_poweroff(const struct lethe_options *options, char **words);
int lethe_restart(const struct lethe_options *options, char **words);

/* From here on nothing can be opened, connected or started. LETHE_OK; or LETHE_BAD, and the user
 * was told. */
int lethe_lock_in(void);

/* Print "lethe: what: why" to standard error; @error is a negative errno, or 0 for none. */
void lethe_complain(int error, const char *format, ...) PRINTF(2, 3);
