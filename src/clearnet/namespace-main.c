/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * lethe-namespace: makes a network namespace with nothing in it, keeps it joined to this computer's
 * network by pasta, and takes it away. The making takes root's rights for a moment; the keeping
 * takes none.
 */
#include <getopt.h>
#include <linux/capability.h>
#include <string.h>

#include <os/sandbox.h>
#include <os/user.h>

#include "keep.h"
#include "namespace.h"

#define PASTA  "/usr/bin/pasta"
#define PASSWD "/etc/passwd"

enum { EXIT_DONE = 0, EXIT_USAGE = 2, EXIT_FAILED = 3 };

struct settings {
	const char *command, *name, *pasta;
	bool tcp_only;
};

static void complain(int error, const char *what)
{
	fprintf(stderr, "lethe-namespace: %s%s%s\n", what, error < 0 ? ": " : "",
		error < 0 ? strerror(-error) : "");
}

static void usage(void)
{
	fputs("Usage: lethe-namespace [OPTION]... make|keep|remove NAME\n"
	      "A network namespace that is joined to this computer's network by NAME-net.\n"
	      "\n"
	      "  make      make it, and mount it at " NAMESPACE_DIRECTORY "/NAME (root)\n"
	      "  keep      keep it joined, until a signal ends it (NAME-net)\n"
	      "  remove    take the mount away (root)\n"
	      "\n"
	      "      --tcp-only    keep: carry no UDP\n"
	      "      --pasta=FILE  keep: the program that joins it (" PASTA ")\n"
	      "  -h, --help        this text\n"
	      "  -V, --version     print the version\n"
	      "\n"
	      "Exit status: 0 done, 2 wrong usage, 3 the system refused.\n",
	      stdout);
}

/* Returns -1 to go on, or the exit status. */
static int parse_options(int argc, char **argv, struct settings *settings)
{
	static const struct option longs[] = {
	    {"tcp-only", no_argument, NULL, 't'},
	    {"pasta", required_argument, NULL, 'p'},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "hV", longs, NULL)) != -1) {
		switch (option) {
		case 't':
			settings->tcp_only = true;
			break;
		case 'p':
			settings->pasta = optarg;
			break;
		case 'h':
			usage();
			return EXIT_DONE;
		case 'V':
			puts("lethe-namespace " LETHE_VERSION);
			return EXIT_DONE;
		default:
			fputs("Try 'lethe-namespace --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (argc - optind != 2) {
		complain(0, "give a command and a name. Try 'lethe-namespace --help'");
		return EXIT_USAGE;
	}
	settings->command = argv[optind];
	settings->name = argv[optind + 1];
	if (namespace_name_is_valid(settings->name))
		return -1;
	complain(0,
		 "a name has small letters, digits and '-', a letter first, and at most 27 bytes");
	return EXIT_USAGE;
}

static int make(const struct settings *settings)
{
	char user[NAMESPACE_USER_MAX];
	uint32_t uid, gid;
	int r;

	namespace_user(settings->name, user);
	r = user_numbers(PASSWD, user, &uid, &gid);
	if (r < 0) {
		fprintf(stderr, "lethe-namespace: there is no user %s\n", user);
		return EXIT_FAILED;
	}
	r = sandbox_keep_capabilities(1ull << CAP_SYS_ADMIN | 1ull << CAP_SETUID |
				      1ull << CAP_SETGID);
	if (r == 0)
		r = namespace_make(settings->name, uid, gid);
	if (r == 0)
		return EXIT_DONE;
	complain(r, "cannot make the namespace");
	return EXIT_FAILED;
}

static int keep_joined(const struct settings *settings)
{
	struct keep_options options = {
	    .name = settings->name, .pasta = settings->pasta, .udp = !settings->tcp_only};
	int r;

	if (getuid() == 0 || geteuid() != getuid()) {
		complain(0, "keep runs as the namespace's user, not as root");
		return EXIT_FAILED;
	}
	r = sandbox_keep_no_capability();
	if (r < 0) {
		complain(r, "cannot give up capabilities");
		return EXIT_FAILED;
	}
	r = keep(&options);
	if (r == 0)
		return EXIT_DONE;
	complain(r, "ended");
	return EXIT_FAILED;
}

static int take_away(const struct settings *settings)
{
	int r = sandbox_keep_capability(CAP_SYS_ADMIN);

	if (r == 0)
		r = namespace_remove(settings->name);
	if (r == 0)
		return EXIT_DONE;
	complain(r, "cannot take the namespace away");
	return EXIT_FAILED;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(const struct settings *settings);
	} commands[] = {{"make", make}, {"keep", keep_joined}, {"remove", take_away}};
	struct settings settings = {.pasta = PASTA};
	int r = parse_options(argc, argv, &settings);

	if (r >= 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(settings.command, commands[i].name) == 0)
			return commands[i].run(&settings);
	complain(0, "commands are make, keep and remove. Try 'lethe-namespace --help'");
	return EXIT_USAGE;
}
