/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lethe-guard: keeps the network filter as it shall be. Options, opening, giving up rights; the
 * rest is in loop.c. */
#include "resident.h"

#include <getopt.h>
#include <linux/capability.h>
#include <string.h>

#include <os/notify.h>
#include <os/route_events.h>
#include <os/sandbox.h>
#include <os/signals.h>

enum { EXIT_ENDED = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };
enum { OPTION_PASSWD = 256, OPTION_STATUS, OPTION_NO_OWN };

static void usage(FILE *to)
{
	fputs("Usage: lethe-guard [OPTION]...\n"
	      "Own Lethe's network filter in this network namespace, notice what changes it,\n"
	      "and put it right. Runs until it is told to end; that opens nothing.\n"
	      "\n"
	      "      --no-own         do not own the tables; only watch and put right\n"
	      "      --folder=DIR     where the socket is, and what a next guard needs to know\n"
	      "                       (" GUARD_FOLDER ")\n"
	      "      --status=FILE    where its state is told (" RESIDENT_STATUS ")\n"
	      "  -p, --policy=FILE    what the proof judges by (" RESIDENT_POLICY ")\n"
	      "      --passwd=FILE    where users are looked up (" RESIDENT_PASSWD ")\n"
	      "  -h, --help           print this help\n"
	      "  -V, --version        print the version\n"
	      "\n"
	      "Exit status: 0 told to end; 1 it cannot go on; 2 wrong usage.\n",
	      to);
}

/* 0 to go on; otherwise the exit status, plus 1 below zero. */
static int parse_options(int argc, char **argv, struct resident_options *options)
{
	static const struct option names[] = {
	    {"no-own", no_argument, NULL, OPTION_NO_OWN},
	    {"folder", required_argument, NULL, 'f'},
	    {"status", required_argument, NULL, OPTION_STATUS},
	    {"policy", required_argument, NULL, 'p'},
	    {"passwd", required_argument, NULL, OPTION_PASSWD},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "p:hV", names, NULL)) != -1) {
		switch (c) {
		case OPTION_NO_OWN:
			options->own = false;
			break;
		case 'f':
			options->folder = optarg;
			break;
		case OPTION_STATUS:
			options->status = optarg;
			break;
		case 'p':
			options->policy = optarg;
			break;
		case OPTION_PASSWD:
			options->passwd = optarg;
			break;
		case 'h':
			usage(stdout);
			return -1 - EXIT_ENDED;
		case 'V':
			puts("lethe-guard " LETHE_VERSION);
			return -1 - EXIT_ENDED;
		default:
			fputs("Try 'lethe-guard --help'.\n", stderr);
			return -1 - EXIT_USAGE;
		}
	}
	if (optind == argc)
		return 0;
	fprintf(stderr,
		"lethe-guard: there is nothing to be done with '%s'. Try 'lethe-guard --help'.\n",
		argv[optind]);
	return -1 - EXIT_USAGE;
}

/* Listening comes first: what changes while we look must be told of. */
static int open_all(struct resident *resident)
{
	int r = nf_events_open(&resident->events), optional;

	r = r < 0 ? r : route_events_open(&resident->route);
	r = r < 0 ? r : nf_open(&resident->nf);
	r = r < 0 ? r : signals_open(0, &resident->signals);
	if (r < 0)
		return r;
	/* Who does not own is not told by a refusal what this kernel can. */
	if (!resident->options->own &&
	    nf_probe_table_flags(resident->nf, NF_OWNED, &resident->persists) < 0)
		resident->persists = false;
	optional = notify_open(&resident->notify);
	if (optional < 0 && optional != -ENOENT)
		tell("cannot tell the service manager anything: %s", strerror(-optional));
	optional = names_open(resident);
	if (optional < 0)
		tell("cannot watch for network namespaces: %s", strerror(-optional));
	return 0;
}

static int open_door(struct resident *resident)
{
	char path[GUARD_PATH_MAX];
	int r = guard_path(resident->options->folder, "socket", path);

	return r < 0 ? r : guard_listen(path, &resident->listener);
}

static int give_up_rights(void)
{
	int r = sandbox_keep_capability(CAP_NET_ADMIN);

	return r < 0 ? r : sandbox_resident();
}

/* Take over, and see what is there. */
static void begin(struct resident *resident)
{
	struct diag diag = {0};
	bool changed = false;
	int r = hold_adopt(resident, &changed, &diag);

	if (r < 0) {
		tell("cannot take over what is enforced: %s", diag.message);
		shut_all(resident, "what is enforced could not be taken over");
	} else if (changed) {
		resident->last = (struct resident_change){.time = resident->since};
		snprintf(resident->last.what, sizeof(resident->last.what), "%.*s",
			 RESIDENT_WHAT_MAX - 1, diag.message);
		resident->changes++;
		resident->healed++;
		tell("changed while no guard was there: %s; put right", diag.message);
	}
	if (kept_is_shut(resident))
		shut_all(resident, "all was shut before this guard began");
	heal_look(resident, heal_clock(), NULL);
}

static int run(struct resident *resident)
{
	int r = open_all(resident);

	if (r == 0)
		r = open_door(resident);
	if (r < 0) {
		tell("cannot begin: %s", strerror(-r));
		return EXIT_FAILED;
	}
	r = give_up_rights();
	if (r < 0) {
		tell("cannot give up rights: %s", strerror(-r));
		return EXIT_FAILED;
	}
	begin(resident);
	tell_ready(resident);
	r = loop_run(resident);
	if (r < 0) {
		tell("cannot go on: %s", strerror(-r));
		return EXIT_FAILED;
	}
	/* Told to end: whoever changes the rules from now on is not ours to undo. */
	kept_forget(resident, "batch");
	kept_forget(resident, "socket");
	tell_end(resident);
	return EXIT_ENDED;
}

int main(int argc, char **argv)
{
	struct resident_options options = {
	    .folder = GUARD_FOLDER,
	    .status = RESIDENT_STATUS,
	    .policy = RESIDENT_POLICY,
	    .passwd = RESIDENT_PASSWD,
	    .own = true,
	};
	struct resident resident = {
	    .options = &options,
	    .persists = true,
	    .route = -EBADF,
	    .listener = -EBADF,
	    .client = -EBADF,
	    .signals = -EBADF,
	    .names = -EBADF,
	    .notify = -EBADF,
	    .judged = -EBADF,
	};
	int r = parse_options(argc, argv, &options);

	if (r < 0)
		return -1 - r;
	r = run(&resident);
	/* The sockets go with the process; only then is the kernel's copy of the tables nobody's.
	 */
	ruleset_free(resident.wanted);
	nf_close(resident.events);
	nf_close(resident.nf);
	return r;
}
