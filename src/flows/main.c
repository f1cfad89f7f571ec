/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * lethe-flows: the connections of this computer and the programs that hold them, as one JSON object.
 * Runs behind the door /run/lethe/status/flows, and reads nothing from who asks.
 */
#include <getopt.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <string.h>

#include <base/json.h>
#include <os/sandbox.h>
#include <os/sockets.h>
#include <os/user.h>
#include <packet/packet.h>

#include "holders.h"
#include "reach.h"

#define OUTPUT_MAX  (8u << 20)
#define SHOWN_MAX   2000 /* more would not fit the door's answer; that it is not all is said */
#define PASSWD	    "/etc/passwd"
#define POLICY	    "/etc/lethe/policy.conf"
#define CAPABILITIES (1ull << CAP_SYS_PTRACE | 1ull << CAP_DAC_READ_SEARCH)

struct settings {
	const char *policy_path;
	struct policy_options options;
};

enum { EXIT_DONE = 0, EXIT_USAGE = 2, EXIT_FAILED = 3 };

static void complain(int error, const char *what)
{
	fprintf(stderr, "lethe-flows: %s%s%s\n", what, error < 0 ? ": " : "",
		error < 0 ? strerror(-error) : "");
}

static void usage(void)
{
	fputs("Usage: lethe-flows [OPTION]...\n"
	      "Print this computer's connections, with the programs that hold them, as one JSON\n"
	      "object. Without rights, the programs of others have no name.\n"
	      "\n"
	      "  -j, --json       as always; accepted as other commands do\n"
	      "      --policy=FILE  says whose datagrams may leave (" POLICY ")\n"
	      "      --passwd=FILE  where its users are looked up (" PASSWD ")\n"
	      "  -h, --help       this text\n"
	      "  -V, --version    print the version\n"
	      "\n"
	      "Exit status: 0 done, 2 wrong usage, 3 the system refused.\n",
	      stdout);
}

/* Returns -1 to go on, or the exit status. */
static int parse_options(int argc, char **argv, struct settings *settings)
{
	static const struct option longs[] = {
	    {"json", no_argument, NULL, 'j'},
	    {"policy", required_argument, NULL, 'p'},
	    {"passwd", required_argument, NULL, 'w'},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "jhV", longs, NULL)) != -1) {
		switch (option) {
		case 'j':
			break;
		case 'p':
			settings->policy_path = optarg;
			break;
		case 'w':
			settings->options.passwd = optarg;
			break;
		case 'h':
			usage();
			return EXIT_DONE;
		case 'V':
			puts("lethe-flows " LETHE_VERSION);
			return EXIT_DONE;
		default:
			fputs("Try 'lethe-flows --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind == argc)
		return -1;
	complain(0, "no arguments are taken. Try 'lethe-flows --help'");
	return EXIT_USAGE;
}

static int by_inode(const void *a, const void *b)
{
	const struct holder *left = a, *right = b;

	return (left->inode > right->inode) - (left->inode < right->inode);
}

static int find_holders(const struct os_socket *sockets, size_t count, struct holder **ret_holders)
{
	AUTO_FREE struct holder *holders = calloc(count ? count : 1, sizeof(*holders));
	int r;

	if (!holders)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		holders[i].inode = sockets[i].inode;
	qsort(holders, count, sizeof(*holders), by_inode);
	r = holders_find("/proc", holders, count);
	if (r < 0)
		return r;
	*ret_holders = TAKE_PTR(holders);
	return 0;
}

static void print_address(struct json *json, const char *key, const uint8_t bytes[static 16],
			  bool ipv6)
{
	AUTO_BUF struct buf text = {.cap = 64};
	struct packet_address address;

	memcpy(address.bytes, bytes, sizeof(address.bytes));
	packet_address_print(&address, ipv6, &text);
	json_string(json, key, buf_text(&text));
}

static void print_holder(struct json *json, const struct holder *holder)
{
	if (!holder || holder->processes == 0) {
		json_null(json, "program");
		return;
	}
	json_string(json, "program", holder->path[0] ? holder->path : holder->comm);
	json_number(json, "pid", holder->pid);
	json_number(json, "processes", holder->processes);
	if (holder->unit[0])
		json_string(json, "unit", holder->unit);
}

/* It goes nowhere until it is used, and then wherever its program says each time. */
static bool is_unconnected(const struct os_socket *socket)
{
	return socket->udp && !socket->listening && socket->remote_port == 0;
}

static void print_reach(struct json *json, const struct os_socket *socket,
			const struct policy *policy)
{
	json_bool(json, "unconnected", true);
	if (!policy || socket->orphaned)
		json_null(json, "may_leave");
	else
		json_bool(json, "may_leave", reach_by_udp(policy, socket->uid));
}

static void print_socket(struct json *json, const struct os_socket *socket,
			 const struct holder *holder, const struct policy *policy)
{
	char name[USER_NAME_MAX];
	const char *user = socket->orphaned ? NULL : user_name(PASSWD, socket->uid, name);

	json_object_begin(json, NULL);
	json_string(json, "protocol", socket->udp ? "udp" : "tcp");
	json_bool(json, "listening", socket->listening);
	print_address(json, "local", socket->local, socket->ipv6);
	json_number(json, "local_port", socket->local_port);
	print_address(json, "remote", socket->remote, socket->ipv6);
	json_number(json, "remote_port", socket->remote_port);
	if (socket->orphaned) {
		json_null(json, "uid");
	} else {
		json_number(json, "uid", socket->uid);
		if (user)
			json_string(json, "user", user);
	}
	if (is_unconnected(socket))
		print_reach(json, socket, policy);
	print_holder(json, holder);
	json_object_end(json);
}

/* Is it somebody's way somewhere, or a place to come to? */
static bool is_shown(const struct os_socket *socket)
{
	return socket->listening || socket->remote_port != 0 || is_unconnected(socket);
}

static int print_sockets(const struct os_socket *sockets, size_t count,
			 const struct policy *policy, struct json *json)
{
	AUTO_FREE struct holder *holders = NULL;
	size_t shown = 0;
	int r = find_holders(sockets, count, &holders);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count && shown < SHOWN_MAX; i++) {
		struct holder key = {.inode = sockets[i].inode};

		if (!is_shown(&sockets[i]))
			continue;
		shown++;
		print_socket(json, &sockets[i],
			     key.inode == 0 ? NULL
					    : bsearch(&key, holders, count, sizeof(key), by_inode),
			     policy);
	}
	return shown == SHOWN_MAX ? -E2BIG : 0;
}

/* Sockets of one kind. That some are missing is told by @complete, not hidden. */
static void print_kind(int (*list)(struct os_socket **, size_t *), const struct policy *policy,
		       struct json *json, bool *complete)
{
	AUTO_FREE struct os_socket *sockets = NULL;
	size_t count = 0;
	int r = list(&sockets, &count);

	if (r == 0)
		r = print_sockets(sockets, count, policy, json);
	if (r < 0)
		*complete = false;
}

static int lock_in(void)
{
	int r = sandbox_keep_capabilities(CAPABILITIES);

	/* Who lacks them sees less, and may do nothing more. */
	if (r == -EPERM)
		r = sandbox_keep_no_capability();
	if (r < 0 && geteuid() == 0)
		return r;
	return sandbox_netlink_only();
}

int main(int argc, char **argv)
{
	AUTO_BUF struct buf out = {.cap = OUTPUT_MAX};
	struct json json = {.out = &out};
	bool tcp = true, udp = true;
	struct settings settings = {.policy_path = POLICY, .options.passwd = PASSWD};
	CLEANUP(policy_freep) struct policy *policy = NULL;
	int r = parse_options(argc, argv, &settings);

	if (r >= 0)
		return r;
	r = lock_in();
	if (r < 0) {
		complain(r, "cannot restrict itself");
		return EXIT_FAILED;
	}
	/* Without it any of these sockets may send outside, as far as is known here. */
	if (policy_load(settings.policy_path, &settings.options, NULL, &policy) < 0)
		policy = NULL;
	json_object_begin(&json, NULL);
	json_array_begin(&json, "sockets");
	print_kind(sockets_list, policy, &json, &tcp);
	print_kind(sockets_list_udp, policy, &json, &udp);
	json_array_end(&json);
	json_bool(&json, "tcp_complete", tcp);
	json_bool(&json, "udp_complete", udp);
	json_object_end(&json);
	buf_puts(&out, "\n");
	if (buf_finish(&out) < 0 || fwrite(out.data, 1, out.len, stdout) != out.len ||
	    fflush(stdout) != 0) {
		complain(0, "cannot write the answer");
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}
