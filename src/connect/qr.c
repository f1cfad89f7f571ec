/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * lethe-connect-qr: the text of the QR codes in the picture at its standard input, a line each. A
 * picture is somebody else's, and what decodes pictures is much code: it is done by a process that can
 * open nothing, connect to nothing, and write to two pipes.
 */
#include <getopt.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <base/buf.h>
#include <os/sandbox.h>

#include "picture.h"

#define FILE_MAX  (16u << 20)
#define MEMORY	  (512ull << 20)
#define SECONDS	  60
#define TEXT_MAX  (16u << 10)

enum {
	EXIT_FOUND = 0,
	EXIT_NONE = 1,
	EXIT_USAGE = 2,
	EXIT_FAILED = 3,
	EXIT_TOO_LARGE = 4,
	EXIT_NO_PICTURE = 5,
};

static void usage(void)
{
	fputs("Usage: lethe-connect-qr <PICTURE\n"
	      "Print the text of the QR codes in a picture (PNG or JPEG), a line each.\n"
	      "\n"
	      "  -h, --help           this text\n"
	      "  -V, --version        print the version\n"
	      "\n"
	      "Exit status: 0 found, 1 there is none, 2 wrong usage, 3 it failed, 4 the\n"
	      "picture is too large, 5 it is no picture that is understood.\n",
	      stdout);
}

/* Returns -1 to go on, or the exit status. */
static int parse_options(int argc, char **argv)
{
	static const struct option longs[] = {
	    {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'}, {0}};
	int option = getopt_long(argc, argv, "hV", longs, NULL);

	if (option == 'h') {
		usage();
		return EXIT_FOUND;
	}
	if (option == 'V') {
		puts("lethe-connect-qr " LETHE_VERSION);
		return EXIT_FOUND;
	}
	if (option == -1 && optind == argc)
		return -1;
	fputs("Try 'lethe-connect-qr --help'.\n", stderr);
	return EXIT_USAGE;
}

/* A decoder that goes astray ends soon, and leaves no core. */
static int lock_in(void)
{
	const struct rlimit none = {0}, memory = {MEMORY, MEMORY}, time = {SECONDS, SECONDS};

	if (prctl(PR_SET_DUMPABLE, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0 ||
	    setrlimit(RLIMIT_AS, &memory) < 0 || setrlimit(RLIMIT_CPU, &time) < 0)
		return neg_errno();
	return sandbox_opened_only();
}

static int read_picture(struct buf *file)
{
	char piece[65536];
	ssize_t got;

	while ((got = read(STDIN_FILENO, piece, sizeof(piece))) != 0) {
		if (got < 0 && errno != EINTR)
			return neg_errno();
		if (got > 0)
			buf_add(file, piece, (size_t)got);
		if (file->error < 0)
			break;
	}
	return buf_finish(file);
}

static int explain(int r)
{
	switch (-r) {
	case 0:
		return EXIT_FOUND;
	case ENODATA:
		return EXIT_NONE;
	case E2BIG:
		return EXIT_TOO_LARGE;
	case EINVAL:
		return EXIT_NO_PICTURE;
	default:
		fprintf(stderr, "lethe-connect-qr: %s\n", strerror(-r));
		return EXIT_FAILED;
	}
}

int main(int argc, char **argv)
{
	AUTO_BUF struct buf file = {.cap = FILE_MAX}, text = {.cap = TEXT_MAX};
	CLEANUP(picture_done) struct picture picture = {0};
	int r = parse_options(argc, argv);

	if (r >= 0)
		return r;
	r = lock_in();
	if (r == 0)
		r = read_picture(&file);
	if (r == 0)
		r = picture_read((const uint8_t *)buf_text(&file), file.len, &picture);
	if (r == 0)
		r = picture_codes(&picture, &text);
	if (r == 0)
		r = buf_finish(&text);
	if (r == 0 && (fwrite(buf_text(&text), 1, text.len, stdout) != text.len || fflush(stdout)))
		r = neg_errno();
	return explain(r);
}
