/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate.h"

#include <getopt.h>

#include <base/num.h>

static void usage(void)
{
	fputs("Usage: lethe-gate [OPTION]...\n"
	      "Stand between Tor's control socket and the programs that use it, and let each\n"
	      "say and hear what the grants give its user.\n"
	      "\n"
	      "      --check            read the grants, say what is wrong with them, and end\n"
	      "      --grants=FOLDER    read these, and neither " GATE_SHIPPED "\n"
	      "                         nor " GATE_LOCAL "\n"
	      "      --passwd=FILE      where users are looked up (/etc/passwd)\n"
	      "      --tor=FOLDER       where Tor's control socket is, named control (/run/tor)\n"
	      "      --cookie=NAME      its cookie, in the same folder (control.authcookie)\n"
	      "      --listen=FILE      make this UNIX socket\n"
	      "      --port=PORT        listen at this port of 127.0.0.1\n"
	      "  -h, --help             this text\n"
	      "  -V, --version          print the version\n"
	      "\n"
	      "Without --listen and --port, the service manager must have given the sockets.\n"
	      "\n"
	      "Exit status: 0 it was told to end, or the grants are right; 1 it failed, or they\n"
	      "are not; 2 wrong usage.\n",
	      stdout);
}

static int parse_port(const char *text, uint16_t *ret_port)
{
	uint64_t port;

	if (num_parse_u64(text, UINT16_MAX, &port) < 0 || port == 0) {
		gate_complain(0, "--port: give a number from 1 to 65535");
		return 2;
	}
	*ret_port = (uint16_t)port;
	return -1;
}

static int parse_option(int option, struct options *options)
{
	switch (option) {
	case 'c':
		options->check = true;
		return -1;
	case 'g':
		options->shipped = optarg;
		options->local = NULL;
		return -1;
	case 'w':
		options->passwd = optarg;
		return -1;
	case 't':
		options->tor = optarg;
		return -1;
	case 'k':
		options->cookie = optarg;
		return -1;
	case 'l':
		options->listen = optarg;
		return -1;
	case 'p':
		return parse_port(optarg, &options->port);
	case 'h':
		usage();
		return 0;
	case 'V':
		puts("lethe-gate " LETHE_VERSION);
		return 0;
	default:
		fputs("Try 'lethe-gate --help'.\n", stderr);
		return 2;
	}
}

int options_parse(int argc, char **argv, struct options *options)
{
	static const struct option longs[] = {
		{ "check", no_argument, NULL, 'c' },	   { "grants", required_argument, NULL, 'g' },
		{ "passwd", required_argument, NULL, 'w' }, { "tor", required_argument, NULL, 't' },
		{ "cookie", required_argument, NULL, 'k' }, { "listen", required_argument, NULL, 'l' },
		{ "port", required_argument, NULL, 'p' },   { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },	   { 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "hV", longs, NULL)) != -1) {
		int r = parse_option(option, options);

		if (r >= 0)
			return r;
	}
	if (optind < argc) {
		gate_complain(0, "no arguments are taken. Try 'lethe-gate --help'");
		return 2;
	}
	return -1;
}
