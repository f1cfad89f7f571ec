/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lethe: the one command that people type. It asks, decides nothing and has no rights. */
#include "lethe.h"

#include <getopt.h>
#include <locale.h>
#include <stdarg.h>
#include <string.h>

#include <base/num.h>

#include "text.h"

#define DEFAULT_BOOT    "/run/lethe/boot.json"
#define DEFAULT_PROVED  "/run/lethe/proof.json"
#define DEFAULT_GUARD   "/run/lethe/guard.json"
#define DEFAULT_WATCH   "/run/lethe-watch/status.json"
#define DEFAULT_CMDLINE "/proc/cmdline"
#define DEFAULT_SECONDS 20
#define SECONDS_MAX     3600

static int help(const struct lethe_options *options, char **words);

static const struct lethe_verb verbs[] = {
    {"status", 0, 0, lethe_status},
    {"leaving", 0, 0, lethe_leaving},
    {"poweroff", 0, 0, lethe_poweroff},
    {"restart", 0, 0, lethe_restart},
    {"help", 0, 0, help},
};

void lethe_complain(int error, const char *format, ...)
{
	va_list args;

	fputs("lethe: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	if (error < 0)
		fprintf(stderr, ": %s", strerror(-error));
	fputs("\n", stderr);
}

static void usage(void)
{
	fputs(_("Usage: lethe [OPTION]... VERB\n"
		"Say how this computer, its network filter and Tor are; turn it off.\n"
		"\n"
		"  status               medium, filter, proof, guard, watch, Tor, links: well?\n"
		"  leaving              what leaves this computer now, by program and way\n"
		"  poweroff             turn the computer off (live system)\n"
		"  restart              restart the computer (live system)\n"
		"  help                 this text\n"
		"\n"
		"  -j, --json           print JSON\n"
		"  -p, --plain          no colours, on a terminal either\n"
		"      --wait=SECONDS   how long an answer may take (20)\n"
		"      --doors=FOLDER   where the doors are (/run/lethe/status, /run/lethe/power)\n"
		"      --boot=FILE      what the start of the system left (/run/lethe/boot.json)\n"
		"      --proved=FILE    what the proof left, before links (/run/lethe/proof.json)\n"
		"      --guard=FILE     what the guard says (/run/lethe/guard.json)\n"
		"      --watch=FILE     what the watch says (/run/lethe-watch/status.json)\n"
		"      --cmdline=FILE   the kernel's command line (/proc/cmdline)\n"
		"  -h, --help           this text\n"
		"  -V, --version        print the version\n"
		"\n"
		"Exit status: 0 all is well and Tor is connected, 1 something is bad or unknown,\n"
		"2 wrong usage, 3 not ready yet. Of poweroff and restart: 0 it was asked for,\n"
		"1 it failed, 2 not possible from here.\n"),
	      stdout);
}

static int help(const struct lethe_options *options, char **words)
{
	usage();
	return LETHE_OK;
}

enum { CODE_WAIT = 256, CODE_DOORS, CODE_BOOT, CODE_PROVED, CODE_GUARD, CODE_WATCH, CODE_CMDLINE };

static int parse_seconds(const char *text, unsigned *ret_seconds)
{
	uint64_t value;

	if (num_parse_u64(text, SECONDS_MAX, &value) < 0 || value == 0) {
		lethe_complain(0, _("--wait: give seconds from 1 to %d"), SECONDS_MAX);
		return LETHE_USAGE;
	}
	*ret_seconds = (unsigned)value;
	return LETHE_OK;
}

/* Take one option. LETHE_OK; or LETHE_USAGE when there is no such. */
static int take_option(int option, struct lethe_options *options)
{
	switch (option) {
	case 'j':
		options->json = true;
		return LETHE_OK;
	case 'p':
		options->plain = true;
		return LETHE_OK;
	case CODE_WAIT:
		return parse_seconds(optarg, &options->seconds);
	case CODE_DOORS:
		options->doors = optarg;
		return LETHE_OK;
	case CODE_BOOT:
		options->boot = optarg;
		return LETHE_OK;
	case CODE_GUARD:
		options->guard = optarg;
		return LETHE_OK;
	case CODE_WATCH:
		options->watch = optarg;
		return LETHE_OK;
	case CODE_PROVED:
		options->proved = optarg;
		return LETHE_OK;
	case CODE_CMDLINE:
		options->cmdline = optarg;
		return LETHE_OK;
	default:
		fputs(_("Try 'lethe --help'.\n"), stderr);
		return LETHE_USAGE;
	}
}

/* Returns LETHE_OK, LETHE_USAGE, or -1 when all is done. */
static int parse_options(int argc, char **argv, struct lethe_options *options)
{
	static const struct option longs[] = {
	    {"json", no_argument, NULL, 'j'},
	    {"plain", no_argument, NULL, 'p'},
	    {"wait", required_argument, NULL, CODE_WAIT},
	    {"doors", required_argument, NULL, CODE_DOORS},
	    {"boot", required_argument, NULL, CODE_BOOT},
	    {"proved", required_argument, NULL, CODE_PROVED},
	    {"guard", required_argument, NULL, CODE_GUARD},
	    {"watch", required_argument, NULL, CODE_WATCH},
	    {"cmdline", required_argument, NULL, CODE_CMDLINE},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {0},
	};
	int option, r;

	while ((option = getopt_long(argc, argv, "jphV", longs, NULL)) != -1) {
		if (option == 'h') {
			usage();
			return -1;
		}
		if (option == 'V') {
			puts("lethe " LETHE_VERSION);
			return -1;
		}
		r = take_option(option, options);
		if (r != LETHE_OK)
			return r;
	}
	return LETHE_OK;
}

static void choose_language(void)
{
	/* Wrong settings leave the language of the source. */
	if (setlocale(LC_ALL, "")) {
		bindtextdomain("lethe", LETHE_LOCALEDIR);
		textdomain("lethe");
	}
}

int main(int argc, char **argv)
{
	struct lethe_options options = {.boot = DEFAULT_BOOT,
					.proved = DEFAULT_PROVED,
					.guard = DEFAULT_GUARD,
					.watch = DEFAULT_WATCH,
					.cmdline = DEFAULT_CMDLINE,
					.seconds = DEFAULT_SECONDS};
	int words, r;

	choose_language();
	r = parse_options(argc, argv, &options);
	if (r != LETHE_OK)
		return r < 0 ? LETHE_OK : r;
	if (optind == argc) {
		lethe_complain(0, _("which verb? Try 'lethe --help'"));
		return LETHE_USAGE;
	}
	/* Programs that read it want one language. */
	if (options.json)
		setlocale(LC_ALL, "C");
	words = argc - optind - 1;
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (strcmp(argv[optind], verbs[i].name) != 0)
			continue;
		if (words < verbs[i].least || words > verbs[i].most) {
			lethe_complain(0, _("%s: wrong number of arguments. Try 'lethe --help'"),
				       verbs[i].name);
			return LETHE_USAGE;
		}
		return verbs[i].run(&options, argv + optind + 1);
	}
	lethe_complain(0, _("there is no verb '%s'. Try 'lethe --help'"), argv[optind]);
	return LETHE_USAGE;
}
