/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * lethe-medium: what medium the running system stands on, and whether the kernel verifies it now.
 * All is read first, with the rights that takes; it is judged without any.
 */
#include "medium.h"

#include <getopt.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/syscall.h>

#include <base/json.h>
#include <os/sandbox.h>

#define OUTPUT_MAX 8192

enum { EXIT_VERIFIED = 0, EXIT_NOT_VERIFIED = 1, EXIT_ERROR = 2 };

static void usage(FILE *to)
{
	fputs("Usage: lethe-medium [OPTION]... status\n"
	      "Say which medium the running system stands on, and whether it is verified.\n"
	      "\n"
	      "  -j, --json     print one JSON object\n"
	      "  -h, --help     print this help\n"
	      "  -V, --version  print the version\n"
	      "\n"
	      "Exit status: 0 verified; 1 not verified; 2 wrong usage, or the system refused.\n",
	      to);
}

static int complain(bool as_json, const char *attempt, const char *on, int error)
{
	AUTO_BUF struct buf out = {.cap = OUTPUT_MAX};
	struct json json = {.out = &out};
	char message[256];

	snprintf(message, sizeof(message), "cannot %s%s%s: %s", attempt, on[0] ? " " : "", on,
		 strerror(-error));
	fprintf(stderr, "lethe-medium: %s%s\n", message, error == -EPERM ? ". Run it as root" : "");
	if (as_json) {
		json_object_begin(&json, NULL);
		json_object_begin(&json, "error");
		json_string(&json, "message", message);
		json_object_end(&json);
		json_object_end(&json);
		printf("%s\n", buf_text(&out));
	}
	return EXIT_ERROR;
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[2] = {0};

	return syscall(SYS_capset, &header, none) < 0 ? neg_errno() : 0;
}

static int status(bool as_json)
{
	CLEANUP(facts_done)
	struct facts facts = {
	    .cmdline.cap = FACTS_FILE_MAX, .mounts.cap = FACTS_FILE_MAX, .started_from.cap = 4096};
	AUTO_BUF struct buf out = {.cap = OUTPUT_MAX};
	struct verdict verdict;
	const char *what = "";
	int r = facts_collect(&facts, &what);

	if (r < 0)
		return complain(as_json, "read", what, r);
	r = drop_capabilities();
	if (r < 0)
		return complain(as_json, "give up capabilities", "", r);
	r = sandbox_opened_only();
	if (r < 0)
		return complain(as_json, "restrict system calls", "", r);
	judge(&facts, &verdict);
	if (as_json)
		print_json(&verdict, &out);
	else
		print_text(&verdict, &out);
	r = buf_finish(&out);
	if (r == 0 && (fwrite(out.data, 1, out.len, stdout) != out.len || fflush(stdout)))
		r = -EIO;
	if (r < 0)
		return complain(false, "write the answer", "", r);
	return verdict.verified ? EXIT_VERIFIED : EXIT_NOT_VERIFIED;
}

int main(int argc, char **argv)
{
	static const struct option names[] = {
	    {"json", no_argument, NULL, 'j'},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {0},
	};
	bool as_json = false;
	int option;

	while ((option = getopt_long(argc, argv, "jhV", names, NULL)) != -1) {
		switch (option) {
		case 'j':
			as_json = true;
			break;
		case 'h':
			usage(stdout);
			return EXIT_VERIFIED;
		case 'V':
			puts("lethe-medium " LETHE_VERSION);
			return EXIT_VERIFIED;
		default:
			fputs("Try 'lethe-medium --help'.\n", stderr);
			return EXIT_ERROR;
		}
	}
	if (argc - optind != 1 || strcmp(argv[optind], "status") != 0) {
		fputs("lethe-medium: what is wanted? Try 'lethe-medium --help'.\n", stderr);
		return EXIT_ERROR;
	}
	return status(as_json);
}
