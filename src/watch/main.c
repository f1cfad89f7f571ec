/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lethe-watch: shows what lethe-watchd knows. It asks on the bus and has no right of its own. */
#include <getopt.h>
#include <locale.h>
#include <string.h>

#include <os/sandbox.h>
#include <os/user.h>

#include "client.h"
#include "words.h"

#define OUTPUT_MAX (32u << 20)
#define PASSWD     "/etc/passwd"

enum { EXIT_DONE = 0, EXIT_NO_WATCH = 1, EXIT_USAGE = 2, EXIT_FAILED = 3 };

struct options {
	const char *address;
	bool json, follow;
};

/* What is printed, and how. */
struct show {
	struct buf out;
	struct json json;
	bool as_json, summary;
	bool unwatched; /* the service runs, but cannot tell */
	size_t count;
};

static void complain(int error, const char *what)
{
	fprintf(stderr, "lethe-watch: %s%s%s\n", what, error < 0 ? ": " : "",
		error < 0 ? strerror(-error) : "");
}

static void usage(void)
{
	fputs(_("Usage: lethe-watch [OPTION]... [VERB]\n"
		"Show which programs were refused by the network filter, and what they tried.\n"
		"\n"
		"  list             each program and destination, the latest first (the default)\n"
		"  summary          each program, with how often\n"
		"  forget           make the watch forget all of it\n"
		"\n"
		"  -f, --follow     list, then go on with what is new, until interrupted\n"
		"  -j, --json       print JSON; with --follow one object a line\n"
		"      --bus=ADDRESS  ask on this bus, not the system's\n"
		"  -h, --help       this text\n"
		"  -V, --version    print the version\n"
		"\n"
		"Exit status: 0 done, 1 refusals are not being watched on this computer, 2 wrong\n"
		"usage, 3 it failed.\n"),
	      stdout);
}

/* Returns -1 to go on, or the exit status. */
static int parse_options(int argc, char **argv, struct options *options)
{
	static const struct option longs[] = {
	    {"follow", no_argument, NULL, 'f'},    {"json", no_argument, NULL, 'j'},
	    {"bus", required_argument, NULL, 'b'}, {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},   {0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "fjhV", longs, NULL)) != -1) {
		switch (option) {
		case 'f':
			options->follow = true;
			break;
		case 'j':
			options->json = true;
			break;
		case 'b':
			options->address = optarg;
			break;
		case 'h':
			usage();
			return EXIT_DONE;
		case 'V':
			puts("lethe-watch " LETHE_VERSION);
			return EXIT_DONE;
		default:
			fputs(_("Try 'lethe-watch --help'.\n"), stderr);
			return EXIT_USAGE;
		}
	}
	return -1;
}

static const char *name_of(uint32_t uid, void *data)
{
	static char name[USER_NAME_MAX];

	return user_name(PASSWD, uid, name);
}

static void take_state(const struct entry *entry, void *data)
{
	struct show *show = data;

	show->unwatched = strcmp(entry_text(entry, "Source") ?: "none", "none") == 0;
	if (show->as_json)
		entry_json(entry, "state", &show->json);
	else
		entry_print_state(entry, &show->out);
}

static void take_entry(const struct entry *entry, void *data)
{
	struct show *show = data;

	show->count++;
	if (show->as_json)
		entry_json(entry, NULL, &show->json);
	else if (show->summary)
		entry_print_summary(entry, name_of, NULL, &show->out);
	else
		entry_print(entry, name_of, NULL, &show->out);
}

/* One object a line. */
static void take_line(const struct entry *entry, void *data)
{
	struct show *show = data;

	if (!show->as_json) {
		take_entry(entry, data);
		return;
	}
	show->json = (struct json){.out = &show->out};
	entry_json(entry, NULL, &show->json);
	buf_puts(&show->out, "\n");
}

static int write_out(struct show *show)
{
	int r = buf_finish(&show->out);

	if (r == 0 && (fwrite(buf_text(&show->out), 1, show->out.len, stdout) != show->out.len ||
		       fflush(stdout) != 0))
		r = neg_errno();
	buf_done(&show->out);
	return r;
}

static int list(struct client *client, struct show *show)
{
	struct client_take state = {.entry = take_state, .data = show};
	struct client_take rows = {.entry = take_entry, .data = show};
	int r;

	if (show->as_json)
		json_object_begin(&show->json, NULL);
	r = client_state(client, &state);
	if (r < 0)
		return r;
	if (show->as_json)
		json_array_begin(&show->json, show->summary ? "programs" : "refused");
	else
		buf_puts(&show->out, "\n");
	r = show->summary ? client_summary(client, &rows) : client_snapshot(client, &rows);
	if (r < 0)
		return r;
	if (show->as_json) {
		json_array_end(&show->json);
		json_object_end(&show->json);
		buf_puts(&show->out, "\n");
	} else if (show->count == 0) {
		buf_puts(&show->out, _("Nothing is remembered.\n"));
	}
	return write_out(show);
}

static int follow(struct client *client, struct show *show)
{
	struct client_take rows = {.entry = take_line, .data = show};
	uint64_t number = 0;
	/* Heard first, so that nothing falls between what is asked and what is said. */
	int r = client_listen(client);

	while (r == 0) {
		r = client_since(client, &number, &rows);
		if (r == 0)
			r = write_out(show);
		if (r == 0)
			r = client_wait(client);
	}
	return r;
}

static int lock_in(void)
{
	int r = sandbox_keep_no_capability();

	/* Who has nothing may be refused the giving up of it. */
	if (r < 0 && geteuid() == 0)
		return r;
	return sandbox_serving();
}

static int run(const struct options *options, const char *verb)
{
	struct show show = {.out = {.cap = OUTPUT_MAX}, .as_json = options->json};
	CLEANUP(client_freep) struct client *client = NULL;
	int r = client_open(options->address, &client);

	show.json.out = &show.out;
	show.summary = strcmp(verb, "summary") == 0;
	if (r < 0) {
		complain(r, _("cannot reach the message bus"));
		return EXIT_FAILED;
	}
	r = lock_in();
	if (r < 0) {
		complain(r, _("cannot give up its rights"));
		return EXIT_FAILED;
	}
	if (strcmp(verb, "forget") == 0)
		r = client_forget(client);
	else
		r = options->follow ? follow(client, &show) : list(client, &show);
	buf_done(&show.out);
	if (r == -ENOENT) {
		complain(0, _("refusals are not being watched: lethe-watchd does not run"));
		return EXIT_NO_WATCH;
	}
	if (r < 0) {
		complain(r, _("cannot ask lethe-watchd"));
		return EXIT_FAILED;
	}
	return show.unwatched ? EXIT_NO_WATCH : EXIT_DONE;
}

int main(int argc, char **argv)
{
	static const char *const verbs[] = {"list", "summary", "forget"};
	struct options options = {0};
	const char *verb;
	int r;

	if (setlocale(LC_ALL, "")) {
		bindtextdomain("lethe", LETHE_LOCALEDIR);
		textdomain("lethe");
	}
	r = parse_options(argc, argv, &options);
	if (r >= 0)
		return r;
	verb = optind < argc ? argv[optind] : "list";
	if (argc - optind > 1 || (options.follow && strcmp(verb, "list") != 0)) {
		complain(0, _("that does not go together. Try 'lethe-watch --help'"));
		return EXIT_USAGE;
	}
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strcmp(verb, verbs[i]) == 0)
			return run(&options, verb);
	complain(0, _("there is no such verb. Try 'lethe-watch --help'"));
	return EXIT_USAGE;
}
