/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * lethe-gate: the only way to Tor's control socket. Opens what it needs, gives up every right, and only
 * then takes connections; each is served by a process of its own, which has no cookie any more when it
 * reads the first byte (guest.c).
 */
#include "gate.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <os/notify.h>
#include <os/sandbox.h>
#include <os/signals.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1 };

static int read_grants(const struct options *options, struct grants *grants)
{
	char text[DIAG_FILE_MAX + 2 * DIAG_MESSAGE_MAX];
	struct diag diag = { 0 };
	int r = grants_load(grants, options->shipped, options->local, options->passwd, &diag);

	if (r < 0) {
		diag_format(&diag, text, sizeof(text));
		fprintf(stderr, "%s\n", text);
		return r;
	}
	if (grants->count == 0) {
		gate_complain(0, "there are no grants");
		return -ENOENT;
	}
	return 0;
}

static void show_grants(const struct grants *grants)
{
	for (size_t i = 0; i < grants->missing_count; i++)
		printf("client %s: there is no user '%s' on this system\n", grants->missing[i].client,
		       grants->missing[i].user);
	printf("%zu clients, nothing wrong\n", grants->count);
}

/* From here on: no right, no file but by way of Tor's folder, to be read, and no socket but a UNIX one. Paths
 * cannot be judged there: by one from the root, or one that leads out of the folder, it could still read
 * what its user may, and connect to what its user may. The process that reads a client's bytes opens and
 * connects nothing at all (guest.c). */
static int lock_in(const struct door *door)
{
	const struct rlimit none = { 0 };
	int r;

	if (prctl(PR_SET_DUMPABLE, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
		return neg_errno();
	r = sandbox_keep_no_capability();
	return r < 0 ? r : sandbox_doorkeeper(door->folder);
}

/* Where nobody waits to be told, nothing is. */
static void say_ready(void)
{
	AUTO_CLOSE int fd = -EBADF;
	int r = notify_open(&fd);

	if (r == 0)
		r = notify_send(fd, "READY=1");
	if (r < 0 && r != -ENOENT)
		gate_complain(r, "cannot tell the service manager that it is ready");
}

static int serve(struct door *door)
{
	int r = signals_open(SIGCHLD, &door->signals);

	if (r == 0)
		r = door_open(door);
	if (r < 0) {
		gate_complain(r, "cannot start");
		return EXIT_FAILED;
	}
	say_ready();
	r = lock_in(door);
	if (r < 0) {
		gate_complain(r, "cannot give up its rights");
		return EXIT_FAILED;
	}
	r = door_serve(door);
	if (r < 0)
		gate_complain(r, "cannot go on");
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

int main(int argc, char **argv)
{
	struct options options = {
		.shipped = GATE_SHIPPED,
		.local = GATE_LOCAL,
		.passwd = "/etc/passwd",
		.tor = "/run/tor",
		.cookie = "control.authcookie",
	};
	static struct door door = { .folder = -EBADF, .diag = -EBADF, .signals = -EBADF };
	int r = options_parse(argc, argv, &options);

	if (r >= 0)
		return r;
	door.options = &options;
	if (read_grants(&options, &door.grants) < 0)
		return EXIT_FAILED;
	if (options.check) {
		show_grants(&door.grants);
		return EXIT_DONE;
	}
	signal(SIGPIPE, SIG_IGN);
	return serve(&door);
}
