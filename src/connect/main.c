/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lethe-connect: asks how to connect to Tor, tells lethe-connectd, and shows how far it is. It has no
 * right of its own. */
#include <fcntl.h>
#include <getopt.h>
#include <locale.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>

#include <os/sandbox.h>

#include "ask.h"
#include "image.h"
#include "show.h"
#include "words.h"

#define OUTPUT_MAX 65536
#define FILE_MAX   (256u << 10)
#define COLUMNS	   80

enum {
	EXIT_DONE = 0,
	EXIT_NO_DAEMON = 1,
	EXIT_USAGE = 2,
	EXIT_FAILED = 3,
	EXIT_NOT_CONNECTED = 4,
};

struct options {
	const char *address, *country;
	bool json, follow, no_wait, plain, default_bridges, ask;
	bool given; /* some bridges */
	struct torctl_bridges bridges;
};

static void complain(int error, const char *what)
{
	fprintf(stderr, "lethe-connect: %s%s%s\n", what, error < 0 ? ": " : "",
		error < 0 ? strerror(-error) : "");
}

static void usage(void)
{
	fputs(_("Usage: lethe-connect [OPTION]... [VERB]\n"
		"Choose how this computer connects to Tor, and see how far it is. Without a\n"
		"verb, at a terminal, it asks.\n"
		"\n"
		"  auto             connect automatically\n"
		"  hide             hide that you use Tor; needs one of the options for bridges\n"
		"  offline          stay offline, or go there\n"
		"  retry            try again at once\n"
		"  forget           forget what was chosen, and the bridges\n"
		"  status           how it is\n"
		"\n"
		"Bridges, for hide:\n"
		"      --bridge=LINE       this one; may be repeated\n"
		"      --file=FILE         those in a file, one a line (- is standard input)\n"
		"      --qr=IMAGE          those in the QR code of a picture (PNG or JPEG)\n"
		"      --ask-for-bridges[=COUNTRY]  ask a service for some\n"
		"      --default-bridges   those of this system, which everybody knows\n"
		"      --plain             take bridges that do not hide that you use Tor\n"
		"\n"
		"  -f, --follow     go on telling of changes, until interrupted\n"
		"      --no-wait    do not wait until it is connected or has failed\n"
		"  -j, --json       print JSON; with --follow one object a line\n"
		"      --bus=ADDRESS  ask on this bus, not the system's\n"
		"  -h, --help       this text\n"
		"  -V, --version    print the version\n"
		"\n"
		"Exit status: 0 done, or connected; 1 lethe-connectd does not run; 2 wrong\n"
		"usage, or the choice was refused; 3 it failed; 4 not connected.\n"),
	      stdout);
}

/* ---- bridges ---- */

/* Returns 0 or the exit status. */
static int take_lines(const char *what, const char *text, size_t length, struct options *options)
{
	struct diag diag = {0};
	int r = torctl_bridges_parse(text, length, &options->bridges, &diag);

	options->given = true;
	if (r == 0)
		return 0;
	fprintf(stderr, _("lethe-connect: %s: line %u: %s\n"), what, diag.line,
		gettext(diag.message));
	if (diag.hint[0])
		fprintf(stderr, "  %s\n", gettext(diag.hint));
	return EXIT_USAGE;
}

static int read_all(int fd, struct buf *text)
{
	char piece[4096];
	ssize_t got;

	while ((got = read(fd, piece, sizeof(piece))) != 0) {
		if (got < 0 && errno != EINTR)
			return neg_errno();
		if (got > 0)
			buf_add(text, piece, (size_t)got);
		if (text->error < 0)
			break;
	}
	return buf_finish(text);
}

static int take_file(const char *path, struct options *options)
{
	AUTO_BUF struct buf text = {.cap = FILE_MAX};
	AUTO_CLOSE int opened = -EBADF;
	int fd = STDIN_FILENO, r = 0;

	if (strcmp(path, "-") != 0) {
		opened = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		fd = opened;
		r = opened < 0 ? neg_errno() : 0;
	}
	if (r == 0)
		r = read_all(fd, &text);
	if (r < 0) {
		complain(r, path);
		return EXIT_FAILED;
	}
	return take_lines(path, buf_text(&text), text.len, options);
}

static int take_image(const char *path, struct options *options)
{
	AUTO_BUF struct buf text = {.cap = IMAGE_TEXT_MAX};
	int r = image_text(path, &text);

	if (r == -ENODATA) {
		fprintf(stderr, _("lethe-connect: %s: there is no QR code in this picture\n"), path);
		return EXIT_USAGE;
	}
	if (r < 0) {
		complain(r, path);
		return EXIT_FAILED;
	}
	return take_lines(path, buf_text(&text), text.len, options);
}

/* ---- options ---- */

enum { OPTION_FILE = 256, OPTION_QR, OPTION_ASK, OPTION_DEFAULT, OPTION_PLAIN, OPTION_NO_WAIT,
       OPTION_BUS };

static int take_option(int option, struct options *options)
{
	switch (option) {
	case 'b':
		return take_lines("--bridge", optarg, strlen(optarg), options);
	case OPTION_FILE:
		return take_file(optarg, options);
	case OPTION_QR:
		return take_image(optarg, options);
	case OPTION_ASK:
		options->ask = true;
		options->country = optarg;
		return 0;
	case OPTION_DEFAULT:
		options->default_bridges = true;
		return 0;
	case OPTION_PLAIN:
		options->plain = true;
		return 0;
	case OPTION_NO_WAIT:
		options->no_wait = true;
		return 0;
	case OPTION_BUS:
		options->address = optarg;
		return 0;
	case 'f':
		options->follow = true;
		return 0;
	case 'j':
		options->json = true;
		return 0;
	default:
		fputs(_("Try 'lethe-connect --help'.\n"), stderr);
		return EXIT_USAGE;
	}
}

/* Returns -1 to go on, or the exit status. */
static int parse_options(int argc, char **argv, struct options *options)
{
	static const struct option longs[] = {
	    {"bridge", required_argument, NULL, 'b'},
	    {"file", required_argument, NULL, OPTION_FILE},
	    {"qr", required_argument, NULL, OPTION_QR},
	    {"ask-for-bridges", optional_argument, NULL, OPTION_ASK},
	    {"default-bridges", no_argument, NULL, OPTION_DEFAULT},
	    {"plain", no_argument, NULL, OPTION_PLAIN},
	    {"follow", no_argument, NULL, 'f'},
	    {"no-wait", no_argument, NULL, OPTION_NO_WAIT},
	    {"json", no_argument, NULL, 'j'},
	    {"bus", required_argument, NULL, OPTION_BUS},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {0},
	};
	int option, r;

	while ((option = getopt_long(argc, argv, "fjhV", longs, NULL)) != -1) {
		if (option == 'h') {
			usage();
			return EXIT_DONE;
		}
		if (option == 'V') {
			puts("lethe-connect " LETHE_VERSION);
			return EXIT_DONE;
		}
		r = take_option(option, options);
		if (r != 0)
			return r;
	}
	return -1;
}

/* ---- showing ---- */

static int write_out(struct buf *out)
{
	int r = buf_finish(out);

	if (r == 0 && (fwrite(buf_text(out), 1, out->len, stdout) != out->len || fflush(stdout) != 0))
		r = neg_errno();
	buf_done(out);
	return r;
}

static bool is_final(const struct status *status)
{
	return strcmp(status->state, "connecting") != 0;
}

static int exit_status(const struct status *status)
{
	return strcmp(status->state, "connected") == 0 ? EXIT_DONE : EXIT_NOT_CONNECTED;
}

static int show_once(const struct status *status, const struct options *options)
{
	AUTO_BUF struct buf out = {.cap = OUTPUT_MAX};

	if (options->json)
		show_json(status, &out);
	else
		show_whole(status, &out);
	return write_out(&out);
}

static size_t columns(void)
{
	struct winsize size = {0};

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : COLUMNS;
}

/* Where it stands now: in one line that is written over and over at a terminal, else a line each. */
static int show_progress(const struct status *status, const struct options *options, size_t width,
			 char last[static CLIENT_TEXT_MAX])
{
	AUTO_BUF struct buf line = {.cap = OUTPUT_MAX}, out = {.cap = OUTPUT_MAX};

	if (options->json)
		show_json(status, &line);
	else if (width > 0)
		show_bar(status, width, &line);
	else
		show_line(status, &line);
	if (buf_finish(&line) < 0 || strncmp(last, buf_text(&line), CLIENT_TEXT_MAX - 1) == 0)
		return buf_finish(&line);
	snprintf(last, CLIENT_TEXT_MAX, "%s", buf_text(&line));
	if (width > 0 && !options->json)
		buf_printf(&out, "\r%s\033[K", buf_text(&line));
	else
		buf_printf(&out, "%s%s", buf_text(&line), options->json ? "" : "\n");
	return write_out(&out);
}

/* Until it is connected or has failed; with --follow for ever. */
static int watch(struct client *client, const struct options *options, size_t width, int *ret_status)
{
	char last[CLIENT_TEXT_MAX] = "";
	struct status status = {0};
	/* Heard first, so that nothing falls between what is asked and what is said. */
	int r = client_listen(client);

	while (r == 0) {
		r = client_status(client, &status);
		if (r == 0)
			r = show_progress(&status, options, width, last);
		if (r < 0 || (!options->follow && is_final(&status)))
			break;
		r = client_wait(client);
	}
	if (width > 0 && !options->json)
		puts("");
	if (r == 0 && strcmp(status.state, "failed") == 0 && !options->json)
		r = show_once(&status, options);
	*ret_status = exit_status(&status);
	return r;
}

/* ---- verbs ---- */

static int explain(int r)
{
	if (r == -ENOENT) {
		complain(0, _("lethe-connectd does not run"));
		return EXIT_NO_DAEMON;
	}
	complain(r, r == -EACCES ? _("not allowed to ask lethe-connectd")
				 : _("cannot ask lethe-connectd"));
	return EXIT_FAILED;
}

static int follow_on(struct client *client, const struct options *options, size_t width)
{
	int status, r;

	if (options->no_wait)
		return EXIT_DONE;
	r = watch(client, options, width, &status);
	return r < 0 ? explain(r) : status;
}

static int choose(struct client *client, const struct options *options, const char *mode, size_t width)
{
	const struct request request = {
	    .mode = mode,
	    .plain = options->plain,
	    .default_bridges = options->default_bridges,
	    .ask = options->ask,
	    .country = options->country,
	    .bridges = &options->bridges,
	};
	char why[CLIENT_TEXT_MAX] = "";
	int r = client_choose(client, &request, why, sizeof(why));

	if (r == -EINVAL) {
		complain(0, gettext(why));
		return EXIT_USAGE;
	}
	return r < 0 ? explain(r) : follow_on(client, options, width);
}

static int call(struct client *client, const char *method)
{
	int r = client_call(client, method);

	return r < 0 ? explain(r) : EXIT_DONE;
}

static int show_status(struct client *client, const struct options *options, size_t width)
{
	struct status status;
	int r, code = EXIT_FAILED;

	if (options->follow) {
		r = watch(client, options, width, &code);
	} else {
		r = client_status(client, &status);
		if (r == 0) {
			code = exit_status(&status);
			r = show_once(&status, options);
		}
	}
	return r < 0 ? explain(r) : code;
}

/* Nothing was said: ask, if there is somebody and nothing is chosen yet; else show how it is. */
static int converse(struct client *client, struct options *options, size_t width)
{
	struct status status;
	int r = client_status(client, &status);

	if (r < 0)
		return explain(r);
	if (options->json || options->follow || width == 0 || !isatty(STDIN_FILENO))
		return show_status(client, options, width);
	if (strcmp(status.state, "asked") != 0 && strcmp(status.state, "offline") != 0) {
		r = show_once(&status, options);
		if (r < 0)
			return explain(r);
		return is_final(&status) ? exit_status(&status) : follow_on(client, options, width);
	}
	switch (ask_person(stdin, stdout, status.default_bridges, &options->bridges)) {
	case ASKED_AUTOMATIC:
		return choose(client, options, "automatic", width);
	case ASKED_HIDE_ASK:
		options->ask = true;
		return choose(client, options, "hide", width);
	case ASKED_HIDE_DEFAULT:
		options->default_bridges = true;
		return choose(client, options, "hide", width);
	case ASKED_HIDE:
		return choose(client, options, "hide", width);
	case ASKED_OFFLINE:
		return call(client, "Cancel");
	case ASKED_NOTHING:
	default:
		return EXIT_NOT_CONNECTED;
	}
}

static int do_verb(struct client *client, struct options *options, const char *verb, size_t width)
{
	int r;

	if (strcmp(verb, "") == 0)
		return converse(client, options, width);
	if (strcmp(verb, "auto") == 0)
		return choose(client, options, "automatic", width);
	if (strcmp(verb, "hide") == 0)
		return choose(client, options, "hide", width);
	if (strcmp(verb, "offline") == 0)
		return call(client, "Cancel");
	if (strcmp(verb, "forget") == 0)
		return call(client, "Forget");
	if (strcmp(verb, "status") == 0)
		return show_status(client, options, width);
	r = call(client, "Retry");
	return r == EXIT_DONE ? follow_on(client, options, width) : r;
}

/* What was read by then was read as the user; from here on nothing more is opened for writing. */
static int lock_in(void)
{
	int r = sandbox_keep_no_capability();

	/* Who has nothing may be refused the giving up of it. */
	if (r < 0 && geteuid() == 0)
		return r;
	return sandbox_serving();
}

static int run(struct options *options, const char *verb)
{
	/* Asked before the sandbox, where a terminal cannot be asked for its size. */
	const size_t width = isatty(STDOUT_FILENO) ? columns() : 0;
	CLEANUP(client_freep) struct client *client = NULL;
	int r = client_open(options->address, &client);

	if (r < 0) {
		complain(r, _("cannot reach the message bus"));
		return EXIT_FAILED;
	}
	r = lock_in();
	if (r < 0) {
		complain(r, _("cannot give up its rights"));
		return EXIT_FAILED;
	}
	return do_verb(client, options, verb, width);
}

/* Returns 0, or the exit status. */
static int check(const struct options *options, const char *verb)
{
	static const char *const verbs[] = {"",	       "auto",	 "hide",  "offline",
					    "retry", "forget", "status"};
	const bool bridges =
	    options->given || options->ask || options->default_bridges || options->plain;
	bool known = false;

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		known |= strcmp(verb, verbs[i]) == 0;
	if (!known) {
		complain(0, _("there is no such verb. Try 'lethe-connect --help'"));
		return EXIT_USAGE;
	}
	if (bridges && strcmp(verb, "hide") != 0) {
		complain(0, _("bridges are for the verb hide. Try 'lethe-connect --help'"));
		return EXIT_USAGE;
	}
	if (options->given && options->bridges.count == 0) {
		complain(0, _("there is no bridge in what was given"));
		return EXIT_USAGE;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct options options;
	const char *verb;
	int r;

	if (setlocale(LC_ALL, "")) {
		bindtextdomain("lethe", LETHE_LOCALEDIR);
		textdomain("lethe");
	}
	r = parse_options(argc, argv, &options);
	if (r >= 0)
		return r;
	verb = optind < argc ? argv[optind] : "";
	if (argc - optind > 1) {
		complain(0, _("that does not go together. Try 'lethe-connect --help'"));
		return EXIT_USAGE;
	}
	r = check(&options, verb);
	return r != 0 ? r : run(&options, verb);
}
