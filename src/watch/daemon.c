/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * lethe-watchd: which program tried to reach what, and was refused. Opens what it needs, gives up
 * every right, and only then reads what the kernel says of others. All of it is in memory alone:
 * nothing of a destination is ever written to a file or to the journal.
 */
#include "watch.h"

#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>

#include <base/num.h>
#include <os/notify.h>
#include <os/sandbox.h>
#include <os/signals.h>

#include "bus.h"
#include "fallback.h"
#include "tell.h"

#define DEFAULT_POLICY "/etc/lethe/policy.conf"
#define DEFAULT_PASSWD "/etc/passwd"
#define DEFAULT_ROWS   2048
#define RECORDS_AT_ONCE 4096
#define KEEPERS	       {LETHE_SBINDIR "/lethe-guard", LETHE_SBINDIR "/lethe-wall"}
#define CHANGED_NS     (250ull * 1000000) /* between two of these signals, at least */

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct daemon {
	struct watch watch;
	struct bus *bus;
	struct tell tell;
	const char *address, *folder;
	int signals;
	bool by_user; /* do not try the kernel's own way */
	bool ended;
	bool changed; /* since it was said last */
	uint64_t said_ns;
	int error; /* the bus's, inside a record's reading */
};

static void complain(int error, const char *what)
{
	fprintf(stderr, "lethe-watchd: %s%s%s\n", what, error < 0 ? ": " : "",
		error < 0 ? strerror(-error) : "");
}

static void usage(void)
{
	fputs("Usage: lethe-watchd [OPTION]...\n"
	      "Learn from the kernel which program was refused by the network filter, and tell\n"
	      "it on the system bus as " WATCH_BUS_NAME ". In memory only.\n"
	      "\n"
	      "      --bus=ADDRESS    this bus, not the system's\n"
	      "      --policy=FILE    the policy in force (" DEFAULT_POLICY ")\n"
	      "      --passwd=FILE    where its users are looked up (" DEFAULT_PASSWD ")\n"
	      "      --by-user        load nothing into the kernel: know refusals by user only\n"
	      "      --rows=N         remember so many, the latest (2048)\n"
	      "      --status=FOLDER  say here how it is (" TELL_FOLDER ")\n"
	      "      --keeper=FILE    this program may change the filter and is not told of;\n"
	      "                       may be repeated (lethe-guard and lethe-wall)\n"
	      "  -h, --help           this text\n"
	      "  -V, --version        print the version\n"
	      "\n"
	      "Exit status: 0 it was told to end, 1 it failed, 2 wrong usage.\n",
	      stdout);
}

/* Returns -1 to go on, or the exit status. */
static int parse_options(int argc, char **argv, struct daemon *daemon)
{
	static const struct option longs[] = {
	    {"bus", required_argument, NULL, 'b'},    {"policy", required_argument, NULL, 'p'},
	    {"by-user", no_argument, NULL, 'u'},
	    {"passwd", required_argument, NULL, 'w'}, {"rows", required_argument, NULL, 'r'},
	    {"status", required_argument, NULL, 's'}, {"keeper", required_argument, NULL, 'k'},
	    {"help", no_argument, NULL, 'h'},	      {"version", no_argument, NULL, 'V'},
	    {0},
	};
	uint64_t rows;
	size_t keepers = 0;
	int option;

	while ((option = getopt_long(argc, argv, "hV", longs, NULL)) != -1) {
		switch (option) {
		case 'b':
			daemon->address = optarg;
			break;
		case 'p':
			daemon->watch.policy_path = optarg;
			break;
		case 'w':
			daemon->watch.policy_options.passwd = optarg;
			break;
		case 'u':
			daemon->by_user = true;
			break;
		case 'r':
			if (num_parse_u64(optarg, TABLE_ROWS_MAX, &rows) < 0 || rows == 0) {
				complain(0, "--rows: give a number from 1 to 16384");
				return EXIT_USAGE;
			}
			daemon->watch.rows_max = rows;
			break;
		case 's':
			daemon->folder = optarg;
			break;
		case 'k':
			if (keepers == ARRAY_SIZE(daemon->watch.keepers) - 1) {
				complain(0, "--keeper: there are too many");
				return EXIT_USAGE;
			}
			daemon->watch.keepers[keepers++] = optarg;
			daemon->watch.keepers[keepers] = NULL;
			break;
		case 'h':
			usage();
			return EXIT_DONE;
		case 'V':
			puts("lethe-watchd " LETHE_VERSION);
			return EXIT_DONE;
		default:
			fputs("Try 'lethe-watchd --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind == argc)
		return -1;
	complain(0, "no arguments are taken. Try 'lethe-watchd --help'");
	return EXIT_USAGE;
}

/* ---- what the kernel tells ---- */

static void take_attempt(const struct attempt *attempt, void *data)
{
	struct daemon *daemon = data;
	struct watch *watch = &daemon->watch;
	const struct row *row;
	uint64_t held_back;
	bool new;

	row = table_add(watch->table, attempt, &new);
	watch->unnamed += attempt->kind == WATCH_UNKNOWN || attempt->kind == WATCH_USER;
	daemon->changed = true;
	daemon->tell.due = true;
	if (new && daemon->error == 0 &&
	    notice_allow(&watch->limit, row, attempt->time_ns, &held_back)) {
		struct notice notice = notice_make(row);

		daemon->error = bus_say_refused(daemon->bus, row, &notice, held_back);
	}
}

static void take_record(const void *record, size_t len, void *data)
{
	struct daemon *daemon = data;
	struct attempt attempt = {0};

	if (attempt_read(record, len, &attempt) < 0)
		daemon->watch.unreadable++;
	else
		take_attempt(&attempt, daemon);
}

/* By its path, and by the number of the file that is there now: a program that only has the name in
 * a mount namespace of its own is none. */
static bool is_keeper(const struct watch *watch, const struct tamper *tamper)
{
	struct stat file;

	for (size_t i = 0; i < ARRAY_SIZE(watch->keepers) && watch->keepers[i]; i++)
		if (strcmp(tamper->exe, watch->keepers[i]) == 0)
			return stat(watch->keepers[i], &file) == 0 &&
			       file.st_ino == tamper->exe_inode;
	return false;
}

static void take_tamper(const void *record, size_t len, void *data)
{
	struct daemon *daemon = data;
	struct watch *watch = &daemon->watch;
	struct tamper tamper;

	if (tamper_read(record, len, &tamper) < 0) {
		watch->unreadable++;
		daemon->tell.due = true;
		return;
	}
	if (tamper.netns != watch->own_netns || is_keeper(watch, &tamper))
		return;
	if (tamper.concern == WATCH_OTHERS)
		watch->others++;
	else
		tampers_add(&watch->tampers, &tamper);
	daemon->tell.due = true;
}

static int take_signal(struct daemon *daemon)
{
	struct signalfd_siginfo info;

	if (read(daemon->signals, &info, sizeof(info)) != sizeof(info))
		return 0;
	if (info.ssi_signo == SIGHUP)
		watch_read_policy(&daemon->watch);
	else
		daemon->ended = true;
	return 0;
}

/* Say that something changed, unless it was said a moment ago. *timeout_ms is lowered to when. */
static int say_changed(struct daemon *daemon, int *timeout_ms)
{
	uint64_t now = watch_now_ns(), due = daemon->said_ns + CHANGED_NS;
	int left;

	if (!daemon->changed)
		return 0;
	if (now >= due || daemon->said_ns == 0) {
		daemon->changed = false;
		daemon->said_ns = now;
		return bus_say_changed(daemon->bus);
	}
	left = (int)((due - now) / 1000000) + 1;
	if (*timeout_ms < 0 || left < *timeout_ms)
		*timeout_ms = left;
	return 0;
}

static int turn(struct daemon *daemon)
{
	struct pollfd wait[4] = {
	    [1] = {.fd = daemon->signals, .events = POLLIN},
	    [2] = {.fd = fallback_descriptor(&daemon->watch), .events = POLLIN},
	    [3] = {.fd = -EBADF, .events = POLLIN},
	};
	int timeout = -1, r = bus_answer(daemon->bus);

	if (r == 0)
		r = bus_prepare(daemon->bus, &wait[0], &timeout);
	if (r == 0)
		r = say_changed(daemon, &timeout);
	/* Saying it has put something out to be written. */
	if (r == 0)
		r = bus_prepare(daemon->bus, &wait[0], &(int){0});
	if (r < 0)
		return r;
	tell_status(&daemon->watch, &daemon->tell, &timeout);
	if (daemon->watch.probe)
		wait[2].fd = probe_descriptor(daemon->watch.probe);
	if (daemon->watch.tampering)
		wait[3].fd = tampering_descriptor(daemon->watch.tampering);
	if (poll(wait, ARRAY_SIZE(wait), timeout) < 0)
		return errno == EINTR ? 0 : neg_errno();
	if (wait[1].revents)
		r = take_signal(daemon);
	if (r == 0 && daemon->watch.probe)
		r = probe_read(daemon->watch.probe, RECORDS_AT_ONCE, take_record, daemon);
	if (r == 0)
		r = fallback_read(&daemon->watch, RECORDS_AT_ONCE, take_attempt, daemon);
	if (r == 0 && daemon->watch.tampering)
		r = tampering_read(daemon->watch.tampering, take_tamper, daemon);
	return r < 0 ? r : daemon->error;
}

/* ---- start ---- */

/* Without it the user of each refusal is known by the filter's own rules; without that, too, the
 * daemon still answers, and says that it cannot tell. */
static void open_probe(struct watch *watch, bool by_user)
{
	int r = -EPERM;

	watch->probe_error = "name programs: told not to, by --by-user";
	if (!by_user)
		r = probe_open(&watch->probe, &watch->probe_error);
	if (r == 0) {
		watch->probe_error = "";
		return;
	}
	if (!by_user)
		fprintf(stderr, "lethe-watchd: cannot %s: %s. No refused packet will have a name.\n",
			watch->probe_error, strerror(-r));
	r = fallback_open(watch);
	if (r < 0)
		fprintf(stderr, "lethe-watchd: cannot listen to the filter's rules: %s. Refused "
				"packets are not seen at all.\n", strerror(-r));
}

/* Neither does this hold anything up. */
static void open_tampering(struct watch *watch, bool by_user)
{
	int r;

	watch->tampering_error = "watch netlink: told not to, by --by-user";
	if (by_user)
		return;
	r = tampering_open(&watch->tampering, &watch->tampering_error);
	if (r == 0) {
		watch->tampering_error = "";
		return;
	}
	fprintf(stderr, "lethe-watchd: cannot %s: %s. Nobody sees who would change the filter.\n",
		watch->tampering_error, strerror(-r));
}

static int open_all(struct daemon *daemon)
{
	struct watch *watch = &daemon->watch;
	struct stat netns;
	int r;

	if (stat("/proc/self/ns/net", &netns) == 0)
		watch->own_netns = (uint32_t)netns.st_ino;
	r = table_new(watch->rows_max, &watch->table);
	if (r == 0)
		r = signals_open(SIGHUP, &daemon->signals);
	if (r < 0) {
		complain(r, "cannot start");
		return r;
	}
	watch->since = time(NULL);
	watch_read_policy(watch);
	open_probe(watch, daemon->by_user);
	open_tampering(watch, daemon->by_user);
	r = tell_open(daemon->folder, &daemon->tell);
	if (r < 0)
		complain(r, "cannot say in its folder how it is");
	r = bus_open(watch, daemon->address, &daemon->bus);
	if (r < 0)
		complain(r, "cannot offer " WATCH_BUS_NAME " on the bus");
	return r;
}

/* From here on: no right, no new file for writing but in the folder of the status, no new connection,
 * and no core that holds where somebody wanted to go. */
static int lock_in(const struct daemon *daemon)
{
	const struct rlimit none = {0};
	int r;

	if (prctl(PR_SET_DUMPABLE, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
		return neg_errno();
	r = sandbox_keep_no_capability();
	return r < 0 ? r : sandbox_reporting(daemon->tell.folder);
}

/* Where nobody waits to be told, nothing is. */
static void say_ready(void)
{
	AUTO_CLOSE int fd = -EBADF;
	int r = notify_open(&fd);

	if (r == 0)
		r = notify_send(fd, "READY=1");
	if (r < 0 && r != -ENOENT)
		complain(r, "cannot tell the service manager that it is ready");
}

static int serve(struct daemon *daemon)
{
	int r = open_all(daemon);

	if (r < 0)
		return EXIT_FAILED;
	say_ready();
	r = lock_in(daemon);
	if (r < 0) {
		complain(r, "cannot give up its rights");
		return EXIT_FAILED;
	}
	while (r == 0 && !daemon->ended)
		r = turn(daemon);
	if (r < 0)
		complain(r, "the message bus is gone");
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

int main(int argc, char **argv)
{
	struct daemon daemon = {
	    .watch = {.rows_max = DEFAULT_ROWS,
		      .policy_path = DEFAULT_POLICY,
		      .policy_options = {.passwd = DEFAULT_PASSWD},
		      .keepers = KEEPERS},
	    .folder = TELL_FOLDER,
	    .tell = {.folder = -EBADF},
	    .signals = -EBADF,
	};
	int r = parse_options(argc, argv, &daemon);

	if (r >= 0)
		return r;
	r = serve(&daemon);
	tell_end(&daemon.watch, &daemon.tell);
	bus_free(daemon.bus);
	closep(&daemon.signals);
	table_free(daemon.watch.table);
	policy_free(daemon.watch.policy);
	probe_free(daemon.watch.probe);
	fallback_close(&daemon.watch);
	tampering_free(daemon.watch.tampering);
	return r;
}
