/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lethe-clearnet: asks lethe-clearnetd for programs in the namespace `clearnet`. It has no right
 * itself. */
#include <getopt.h>
#include <string.h>

#include <base/json.h>
#include <os/sandbox.h>

#include "bus.h"
#include "show.h"

#define OUTPUT_MAX   65536
#define PROGRAMS_MAX 256
#define ASK_AGAIN_MS 100
#define ENDING       ".conf"

enum {
	EXIT_DONE = 0,
	EXIT_REFUSED = 1,
	EXIT_USAGE = 2,
	EXIT_FAILED = 3,
	EXIT_PROGRAM = 4,
};

struct settings {
	const char *programs, *address;
	bool json;
};

static void complain(const char *what)
{
	fprintf(stderr, "lethe-clearnet: %s\n", what);
}

static void usage(void)
{
	fputs("Usage: lethe-clearnet [OPTION]... [list|start NAME|stop|status]\n"
	      "Start a program that uses the network in the clear, past Tor.\n"
	      "\n"
	      "  list        the programs that may be started\n"
	      "  start NAME  start one, show what it writes, and wait for its end\n"
	      "  stop        end the one that runs\n"
	      "  status      is one running, and may any? (the default)\n"
	      "\n"
	      "  -j, --json             list and status: print JSON\n"
	      "      --programs=FOLDER  list: where they are (" DOOR_PROGRAMS ")\n"
	      "      --bus=ADDRESS      ask on this bus, not the system's\n"
	      "  -h, --help             this text\n"
	      "  -V, --version          print the version\n"
	      "\n"
	      "Exit status: 0 done, 1 it was refused, 2 wrong usage, 3 it failed, 4 the program\n"
	      "ended with an error.\n",
	      stdout);
}

/* Returns -1 to go on, or the exit status. */
static int parse_options(int argc, char **argv, struct settings *settings)
{
	static const struct option longs[] = {
	    {"json", no_argument, NULL, 'j'},      {"programs", required_argument, NULL, 'p'},
	    {"bus", required_argument, NULL, 'b'}, {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},   {0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "jhV", longs, NULL)) != -1) {
		switch (option) {
		case 'j':
			settings->json = true;
			break;
		case 'p':
			settings->programs = optarg;
			break;
		case 'b':
			settings->address = optarg;
			break;
		case 'h':
			usage();
			return EXIT_DONE;
		case 'V':
			puts("lethe-clearnet " LETHE_VERSION);
			return EXIT_DONE;
		default:
			fputs("Try 'lethe-clearnet --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	return -1;
}

static int put(struct buf *out)
{
	if (buf_finish(out) < 0 || fwrite(buf_text(out), 1, out->len, stdout) != out->len ||
	    fflush(stdout) != 0) {
		complain("cannot write");
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}

/* ---- list ---- */

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The names of files that could be a program's, sorted. A missing folder allows none. */
static int names_read(const char *folder, char (*names)[PROGRAM_NAME_MAX], size_t *ret_count)
{
	AUTO_DIR DIR *directory = opendir(folder);
	const struct dirent *entry;
	size_t count = 0;

	if (!directory && errno != ENOENT)
		return neg_errno();
	while (directory && (entry = readdir(directory))) {
		size_t len = strlen(entry->d_name), end = strlen(ENDING);

		if (len <= end || len - end >= PROGRAM_NAME_MAX ||
		    strcmp(entry->d_name + len - end, ENDING) != 0)
			continue;
		if (count == PROGRAMS_MAX)
			return -E2BIG;
		snprintf(names[count], PROGRAM_NAME_MAX, "%.*s", (int)(len - end), entry->d_name);
		if (program_name_is_valid(names[count]))
			count++;
	}
	if (count > 0)
		qsort(names, count, PROGRAM_NAME_MAX, compare_names);
	*ret_count = count;
	return 0;
}

static void print_program(const struct settings *settings, const char *name, struct json *json,
			  struct buf *out)
{
	struct diag diag = {0};
	struct program program;
	char text[DIAG_FILE_MAX + 2 * DIAG_MESSAGE_MAX];

	if (program_load(settings->programs, name, &program, &diag) < 0) {
		diag_format(&diag, text, sizeof(text));
		complain(text);
		return;
	}
	if (settings->json) {
		json_object_begin(json, NULL);
		json_string(json, "name", name);
		json_string(json, "title", program.title);
		json_object_end(json);
		return;
	}
	buf_printf(out, "%-27s %s\n", name, program.title);
}

static int list(const struct settings *settings, const char *name)
{
	AUTO_BUF struct buf out = {.cap = 1u << 20};
	struct json json = {.out = &out};
	char names[PROGRAMS_MAX][PROGRAM_NAME_MAX];
	size_t count = 0;
	int r = names_read(settings->programs, names, &count);

	if (r < 0) {
		complain(strerror(-r));
		return EXIT_FAILED;
	}
	if (settings->json)
		json_array_begin(&json, NULL);
	for (size_t i = 0; i < count; i++)
		print_program(settings, names[i], &json, &out);
	if (settings->json) {
		json_array_end(&json);
		buf_puts(&out, "\n");
	}
	return put(&out);
}

/* ---- what asks the daemon ---- */

static int failed(int r, const struct diag *diag)
{
	if (r == -ENOENT)
		complain("lethe-clearnetd does not run on this computer");
	else
		complain(diag->message[0] ? diag->message : strerror(-r));
	return r == -EACCES || r == -EPERM || r == -EBUSY || r == -EINVAL ? EXIT_REFUSED
									  : EXIT_FAILED;
}

static int open_bus(const struct settings *settings, struct bus **ret_bus)
{
	int r = bus_open(settings->address, ret_bus);

	if (r == 0)
		r = sandbox_keep_no_capability();
	if (r < 0)
		fprintf(stderr, "lethe-clearnet: cannot ask on the bus: %s\n", strerror(-r));
	return r;
}

/* All that the program writes, until nobody can write any more. */
static int show(int from)
{
	struct show_state state = {0};
	bool tame = isatty(STDOUT_FILENO) == 1;
	char piece[4096];
	ssize_t len;

	while ((len = read(from, piece, sizeof(piece))) != 0) {
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return neg_errno();
		if (tame)
			show_tame(&state, piece, (size_t)len);
		if (fwrite(piece, 1, (size_t)len, stdout) != (size_t)len || fflush(stdout) != 0)
			return -EIO;
	}
	return 0;
}

static int start(const struct settings *settings, const char *name)
{
	CLEANUP(bus_freep) struct bus *bus = NULL;
	struct bus_state state = {0};
	AUTO_CLOSE int output = -EBADF;
	struct diag diag = {0};
	int r;

	if (open_bus(settings, &bus) < 0)
		return EXIT_FAILED;
	r = bus_start(bus, name, &output, &diag);
	if (r < 0)
		return failed(r, &diag);
	r = show(output);
	if (r < 0) {
		fprintf(stderr, "lethe-clearnet: cannot show what it writes: %s\n", strerror(-r));
		return EXIT_FAILED;
	}
	/* It may go on without writing. */
	while ((r = bus_state(bus, &state, &diag)) == 0 && state.running &&
	       strcmp(state.name, name) == 0)
		poll(NULL, 0, ASK_AGAIN_MS);
	if (r < 0)
		return failed(r, &diag);
	if (state.exit == 0)
		return EXIT_DONE;
	if (state.exit == DOOR_NO_EXIT)
		fprintf(stderr, "lethe-clearnet: nobody knows how %s ended\n", name);
	else
		fprintf(stderr, "lethe-clearnet: %s ended with status %d\n", name, state.exit);
	return EXIT_PROGRAM;
}

static int stop(const struct settings *settings, const char *name)
{
	CLEANUP(bus_freep) struct bus *bus = NULL;
	struct diag diag = {0};
	int r;

	if (open_bus(settings, &bus) < 0)
		return EXIT_FAILED;
	r = bus_stop(bus, &diag);
	return r < 0 ? failed(r, &diag) : EXIT_DONE;
}

static int status(const struct settings *settings, const char *name)
{
	CLEANUP(bus_freep) struct bus *bus = NULL;
	AUTO_BUF struct buf out = {.cap = OUTPUT_MAX};
	struct json json = {.out = &out};
	struct bus_state state;
	struct diag diag = {0};
	int r;

	if (open_bus(settings, &bus) < 0)
		return EXIT_FAILED;
	r = bus_state(bus, &state, &diag);
	if (r < 0)
		return failed(r, &diag);
	if (settings->json) {
		json_object_begin(&json, NULL);
		json_bool(&json, "enabled", state.enabled);
		json_bool(&json, "running", state.running);
		if (state.running)
			json_string(&json, "name", state.name);
		else
			json_null(&json, "name");
		if (state.exit != DOOR_NO_EXIT)
			json_number(&json, "exit", state.exit);
		else
			json_null(&json, "exit");
		json_object_end(&json);
		buf_puts(&out, "\n");
	} else if (!state.enabled) {
		buf_puts(&out, "disabled when the computer was started\n");
	} else if (state.running) {
		buf_printf(&out, "%s uses the network in the clear\n", state.name);
	} else {
		buf_puts(&out, "no program uses the network in the clear\n");
	}
	return put(&out);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		bool takes_name;
		int (*run)(const struct settings *settings, const char *name);
	} verbs[] = {{"list", false, list},
		     {"start", true, start},
		     {"stop", false, stop},
		     {"status", false, status}};
	struct settings settings = {.programs = DOOR_PROGRAMS};
	int r = parse_options(argc, argv, &settings), words = argc - optind;
	const char *verb = words > 0 ? argv[optind] : "status";

	if (r >= 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strcmp(verb, verbs[i].name) == 0 && words <= 1 + verbs[i].takes_name &&
		    (!verbs[i].takes_name || words == 2))
			return verbs[i].run(&settings, words == 2 ? argv[optind + 1] : NULL);
	complain("verbs are list, start NAME, stop and status. Try 'lethe-clearnet --help'");
	return EXIT_USAGE;
}
