/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lethe-wall: the network filter's compiler and loader. Options, verbs, and nothing else. */
#include "wall.h"

#include <getopt.h>
#include <linux/capability.h>
#include <string.h>

#include <base/num.h>
#include <os/sandbox.h>

static const struct wall_verb verbs[] = {
	{ "check", 0, 1, false, wall_check },	  { "compile", 0, 1, false, wall_compile },
	{ "apply", 0, 1, true, wall_apply },	  { "seal", 0, 0, true, wall_seal },
	{ "cover", 0, 1, true, wall_cover },	  { "open", 0, 0, true, wall_open },
	{ "status", 0, 1, false, wall_status },	  { "explain", 2, 2, false, wall_explain },
	{ "diff", 2, 2, false, wall_diff },
};

static void usage(FILE *to)
{
	fputs("Usage: lethe-wall [OPTION]... VERB [ARGUMENT]...\n"
	      "Compile Lethe's network policy and enforce it in this network namespace.\n"
	      "\n"
	      "  check [POLICY]           read a policy and say what is wrong with it\n"
	      "  compile [POLICY]         print the rules it becomes, in nft's syntax\n"
	      "  apply [POLICY]           enforce it, in one transaction, and read it back\n"
	      "  seal                     drop everything, on every device\n"
	      "  cover [DEVICE]           have what is enforced hold for devices that have come\n"
	      "                           since; if it cannot, set DEVICE down\n"
	      "  open                     remove all enforcement; asks first\n"
	      "  status [POLICY]          what is enforced, and whether it is this policy\n"
	      "  explain USER DESTINATION what the policy says of a packet, and why; USER may\n"
	      "                           be USER@NAMESPACE, DESTINATION ADDRESS[:PORT]\n"
	      "  diff OLD NEW             what a change newly allows and newly denies\n"
	      "\n"
	      "  -p, --policy=FILE     the policy, if none is named (" WALL_DEFAULT_POLICY ")\n"
	      "      --passwd=FILE     where users are looked up (" WALL_DEFAULT_PASSWD ")\n"
	      "      --batch=FILE      compile: write the precompiled batch to FILE;\n"
	      "                        apply: send the one in FILE\n"
	      "      --proto=PROTOCOL  explain: tcp (the default), udp, icmp, sctp, ...\n"
	      "      --source-port=N   explain: the source port\n"
	      "  -j, --json            print JSON\n"
	      "  -q, --quiet           print errors only\n"
	      "  -y, --yes             open: do not ask\n"
	      "  -h, --help            print this help\n"
	      "  -V, --version         print the version\n"
	      "\n"
	      "Exit status: 0 done or yes; 1 the answer is no; 2 the policy or the command\n"
	      "line is wrong, nothing was changed; 3 the system refused.\n",
	      to);
}

enum long_only { OPTION_PASSWD = 256, OPTION_BATCH, OPTION_PROTO, OPTION_SOURCE_PORT };

/* Returns WALL_OK to go on, or an exit status; -1 ends with success (help, version). */
static int parse_options(int argc, char **argv, struct wall_options *options)
{
	static const struct option names[] = {
		{ "policy", required_argument, NULL, 'p' },
		{ "passwd", required_argument, NULL, OPTION_PASSWD },
		{ "batch", required_argument, NULL, OPTION_BATCH },
		{ "proto", required_argument, NULL, OPTION_PROTO },
		{ "source-port", required_argument, NULL, OPTION_SOURCE_PORT },
		{ "json", no_argument, NULL, 'j' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "yes", no_argument, NULL, 'y' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	uint64_t number;
	int c;

	while ((c = getopt_long(argc, argv, "p:jqyhV", names, NULL)) != -1) {
		switch (c) {
		case 'p':
			options->policy = optarg;
			break;
		case OPTION_PASSWD:
			options->passwd = optarg;
			break;
		case OPTION_BATCH:
			options->batch = optarg;
			break;
		case OPTION_PROTO:
			options->protocol = optarg;
			break;
		case OPTION_SOURCE_PORT:
			if (num_parse_u64(optarg, 65535, &number) < 0) {
				wall_complain(0, "--source-port: '%s' is not a port", optarg);
				return WALL_BAD;
			}
			options->source_port = (unsigned)number;
			break;
		case 'j':
			options->json = true;
			wall_errors_as_json();
			break;
		case 'q':
			options->quiet = true;
			break;
		case 'y':
			options->yes = true;
			break;
		case 'h':
			usage(stdout);
			return -1;
		case 'V':
			puts("lethe-wall " LETHE_VERSION);
			return -1;
		default:
			fputs("Try 'lethe-wall --help'.\n", stderr);
			return WALL_BAD;
		}
	}
	return WALL_OK;
}

/* Everything needed from here on: files, output, and CAP_NET_ADMIN over netlink. */
static int drop_power(void)
{
	int r = sandbox_keep_capability(CAP_NET_ADMIN);

	/* Without the capability in the first place there is nothing to drop: the kernel will say
	 * what it refuses. */
	if (r < 0 && geteuid() == 0) {
		wall_complain(r, "cannot give up capabilities");
		return WALL_FAILED;
	}
	r = sandbox_netlink_only();
	if (r < 0) {
		wall_complain(r, "cannot restrict system calls");
		return WALL_FAILED;
	}
	return WALL_OK;
}

/* Open, give up, and only then read: the policy, and what the guard says. */
static int verb_run(const struct wall_verb *verb, const struct wall_options *given, char **words)
{
	CLEANUP(guard_client_done) struct guard_client guard = GUARD_NOBODY;
	struct wall_options options = *given;
	int r = verb->changes ? wall_connect(&guard) : WALL_OK;

	options.guard = &guard;
	if (r == WALL_OK)
		r = drop_power();
	return r != WALL_OK ? r : verb->run(&options, words);
}

int main(int argc, char **argv)
{
	struct wall_options options = { .policy = WALL_DEFAULT_POLICY,
					.passwd = WALL_DEFAULT_PASSWD };
	int words, r;

	r = parse_options(argc, argv, &options);
	if (r != WALL_OK)
		return r < 0 ? WALL_OK : r;
	if (optind == argc) {
		wall_complain(0, "which verb? Try 'lethe-wall --help'");
		return WALL_BAD;
	}
	words = argc - optind - 1;
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (strcmp(argv[optind], verbs[i].name) != 0)
			continue;
		if (words < verbs[i].least || words > verbs[i].most) {
			wall_complain(0, "%s: wrong number of arguments. Try 'lethe-wall --help'",
				      verbs[i].name);
			return WALL_BAD;
		}
		return verb_run(&verbs[i], &options, argv + optind + 1);
	}
	wall_complain(0, "there is no verb '%s'. Try 'lethe-wall --help'", argv[optind]);
	return WALL_BAD;
}
