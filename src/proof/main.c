/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lethe-proof: what the kernel holds is shown equal to the policy, for every packet. */
#include "program.h"

#include <getopt.h>
#include <string.h>

#include <os/sandbox.h>

static const struct verb {
	const char *name;
	int least, most; /* words */
	bool reads;	 /* what the kernel holds */
	int (*run)(const struct program_options *options, const struct gathered *gathered,
		   char **words);
} verbs[] = {
    {"check", 0, 1, true, program_check},
    {"claims", 0, 0, true, program_claims},
    {"what-if", 1, 2, true, program_what_if},
};

static void usage(FILE *to)
{
	fputs("Usage: lethe-proof [OPTION]... VERB [ARGUMENT]...\n"
	      "Show that the rules the kernel holds do to every packet what the policy says,\n"
	      "or a packet to which they do something else.\n"
	      "\n"
	      "  check [POLICY]        prove it, for this network namespace; look at others\n"
	      "  claims                prove what Lethe promises (F1 to F9), whatever the\n"
	      "                        policy says\n"
	      "  what-if NEW [OLD]     what a new policy would newly allow and newly deny,\n"
	      "                        against what the kernel holds, or an old policy\n"
	      "\n"
	      "  -p, --policy=FILE     the policy, if none is named (/etc/lethe/policy.conf)\n"
	      "      --passwd=FILE     where users are looked up (/etc/passwd)\n"
	      "      --only-here       leave network namespaces with a name out\n"
	      "  -j, --json            print JSON\n"
	      "  -q, --quiet           print nothing if it is proved\n"
	      "  -h, --help            print this help\n"
	      "  -V, --version         print the version\n"
	      "\n"
	      "Exit status: 0 proved; 1 refuted, with a packet; 2 not proved: something is\n"
	      "not understood or could not be read, or policy or command line are wrong.\n",
	      to);
}

enum { OPTION_PASSWD = 256, OPTION_ONLY_HERE };

/* 0 to go on; otherwise the exit status, plus 1 below zero. */
static int parse_options(int argc, char **argv, struct program_options *options)
{
	static const struct option names[] = {
	    {"policy", required_argument, NULL, 'p'},
	    {"passwd", required_argument, NULL, OPTION_PASSWD},
	    {"only-here", no_argument, NULL, OPTION_ONLY_HERE},
	    {"json", no_argument, NULL, 'j'},
	    {"quiet", no_argument, NULL, 'q'},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "p:jqhV", names, NULL)) != -1) {
		switch (c) {
		case 'p':
			options->policy = optarg;
			break;
		case OPTION_PASSWD:
			options->passwd = optarg;
			break;
		case OPTION_ONLY_HERE:
			options->only_here = true;
			break;
		case 'j':
			options->json = true;
			break;
		case 'q':
			options->quiet = true;
			break;
		case 'h':
			usage(stdout);
			return -1 - PROGRAM_PROVED;
		case 'V':
			puts("lethe-proof " LETHE_VERSION);
			return -1 - PROGRAM_PROVED;
		default:
			fputs("Try 'lethe-proof --help'.\n", stderr);
			return -1 - PROGRAM_USAGE;
		}
	}
	return 0;
}

/* From here on nothing is opened and nothing asked of the kernel. */
int program_close(void)
{
	return sandbox_opened_only();
}

/* With all rights, and nothing from outside: read. Then without any. */
static int run(const struct verb *verb, const struct program_options *options, char **words)
{
	CLEANUP(gathered_done) struct gathered gathered = {0};
	struct diag diag = {0};
	bool needed = verb->reads && !(verb->run == program_what_if && words[0] && words[1]);
	int r = 0;

	if (needed)
		r = gather(options->only_here, &diag, &gathered);
	if (r < 0) {
		program_complain(0, "%s%s%s", diag.message, diag.hint[0] ? "; " : "", diag.hint);
		return PROGRAM_UNKNOWN;
	}
	r = sandbox_keep_no_capability();
	if (r < 0 && geteuid() == 0) {
		program_complain(r, "cannot give up capabilities");
		return PROGRAM_UNKNOWN;
	}
	return verb->run(options, &gathered, words);
}

int main(int argc, char **argv)
{
	struct program_options options = {.policy = PROGRAM_DEFAULT_POLICY,
					  .passwd = PROGRAM_DEFAULT_PASSWD};
	int words, r = parse_options(argc, argv, &options);

	if (r < 0)
		return -1 - r;
	if (optind == argc) {
		program_complain(0, "which verb? Try 'lethe-proof --help'");
		return PROGRAM_USAGE;
	}
	words = argc - optind - 1;
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (strcmp(argv[optind], verbs[i].name) != 0)
			continue;
		if (words < verbs[i].least || words > verbs[i].most) {
			program_complain(0, "%s: wrong number of arguments. Try 'lethe-proof --help'",
					 verbs[i].name);
			return PROGRAM_USAGE;
		}
		return run(&verbs[i], &options, argv + optind + 1);
	}
	program_complain(0, "there is no verb '%s'. Try 'lethe-proof --help'", argv[optind]);
	return PROGRAM_USAGE;
}
