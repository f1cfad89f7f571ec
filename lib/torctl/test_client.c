/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The client against a Tor that says what the test wants, in a process of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "client.h"

#define GENEROUS_MS 60000
#define SHORT_MS    50
#define NOBODY      65534
#define PROTOCOLINFO                                                                               \
	"250-PROTOCOLINFO 1\r\n"                                                                   \
	"250-AUTH METHODS=SAFECOOKIE,COOKIE COOKIEFILE=\"/somewhere/else\"\r\n"                    \
	"250-VERSION Tor=\"0.4.8.16\"\r\n250 OK\r\n"
#define COOKIE_LINE "AUTHENTICATE 6161616161616161616161616161616161616161616161616161616161616161"

/* What is expected, and what is answered. A NULL ends the talk; so does a line that was not
 * expected, with an exit status of 9. */
struct exchange {
	const char *command, *reply;
};

struct fake {
	struct torctl *torctl;
	pid_t child;
};

static void send_text(int fd, const char *text)
{
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) != (ssize_t)strlen(text))
		_exit(8);
}

/* 0, or 1 at the end of the connection. */
static int read_line(int fd, char *line, size_t size)
{
	size_t length = 0;

	while (length + 1 < size) {
		if (recv(fd, line + length, 1, 0) != 1)
			return 1;
		if (line[length++] == '\n')
			break;
	}
	line[length] = '\0';
	return 0;
}

/* 0 when all went as in the script, and then the other side hung up. */
static int talk(int fd, const struct exchange *script)
{
	char line[512], expected[512];

	for (; script->command; script++) {
		snprintf(expected, sizeof(expected), "%s\r\n", script->command);
		if (read_line(fd, line, sizeof(line)) || strcmp(line, expected) != 0)
			return 9;
		send_text(fd, script->reply);
	}
	return read_line(fd, line, sizeof(line)) ? 0 : 7;
}

static struct fake start(const struct exchange *script, unsigned deadline_ms)
{
	struct fake fake = {0};
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	fake.child = fork();
	assert_true(fake.child >= 0);
	if (fake.child == 0) {
		close(ends[0]);
		_exit(talk(ends[1], script));
	}
	close(ends[1]);
	assert_int_equal(torctl_adopt(ends[0], deadline_ms, &fake.torctl), 0);
	return fake;
}

/* Hang up, and see that the script was played to its end. */
static void stop(struct fake *fake)
{
	int status = -1;

	fake->torctl = torctl_close(fake->torctl);
	assert_int_equal(waitpid(fake->child, &status, 0), fake->child);
	assert_int_equal(status, 0);
}

static int cookie_file(const char *content)
{
	int fd = memfd_create("cookie", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static const char cookie[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

static void test_authenticates_and_asks(void **state)
{
	static const struct exchange script[] = {
	    {"PROTOCOLINFO 1", PROTOCOLINFO},
	    {COOKIE_LINE, "250 OK\r\n"},
	    {"GETINFO version", "250-version=0.4.8.16\r\n250 OK\r\n"},
	    {"GETINFO config-text", "250+config-text=\r\na\r\n..\r\n.\r\n250 OK\r\n"},
	    {"GETCONF DisableNetwork", "250 DisableNetwork=1\r\n"},
	    {"GETCONF disablenetwork", "250 DisableNetwork\r\n"},
	    {"QUIT", "250 closing connection\r\n"},
	    {0},
	};
	struct fake fake = start(script, GENEROUS_MS);
	AUTO_CLOSE int fd = cookie_file(cookie);
	AUTO_FREE char *version = NULL, *text = NULL, *set = NULL, *unset = NULL;
	const struct torctl_reply *reply = NULL;

	assert_int_equal(torctl_authenticate(fake.torctl, fd), 0);
	assert_int_equal(torctl_getinfo(fake.torctl, "version", &version), 0);
	assert_string_equal(version, "0.4.8.16");
	assert_int_equal(torctl_getinfo(fake.torctl, "config-text", &text), 0);
	assert_string_equal(text, "a\n.\n");
	assert_int_equal(torctl_getconf(fake.torctl, "DisableNetwork", &set), 0);
	assert_string_equal(set, "1");
	assert_int_equal(torctl_getconf(fake.torctl, "disablenetwork", &unset), 0);
	assert_string_equal(unset, "");
	assert_int_equal(torctl_command(fake.torctl, "QUIT", &reply), 0);
	assert_string_equal(reply->lines[0].text, "closing connection");
	stop(&fake);
}

/* The cookie is told to nobody who does not ask for it in the right way. */
static void test_other_methods(void **state)
{
	static const struct {
		const char *reply;
		int error;
	} rows[] = {
	    {"250-PROTOCOLINFO 1\r\n250-AUTH METHODS=NULL\r\n250 OK\r\n", -EOPNOTSUPP},
	    {"250-PROTOCOLINFO 1\r\n250-AUTH METHODS=HASHEDPASSWORD,SAFECOOKIE\r\n250 OK\r\n",
	     -EOPNOTSUPP},
	    {"250-AUTH METHODS=\r\n250 OK\r\n", -EOPNOTSUPP},
	    {"250-AUTH METHODS=COOKIES,XCOOKIE\r\n250 OK\r\n", -EOPNOTSUPP},
	    {"250-AUTH COOKIEFILE=\"x\"\r\n250 OK\r\n", -EOPNOTSUPP},
	    {"250-AUTH METHODS=\"COOKIE\r\n250 OK\r\n", -EBADMSG},
	    {"250-PROTOCOLINFO 1\r\n250 OK\r\n", -EBADMSG},
	    {"510 Unrecognized command\r\n", -EREMOTEIO},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct exchange script[] = {{"PROTOCOLINFO 1", rows[i].reply}, {0}};
		struct fake fake = start(script, GENEROUS_MS);
		AUTO_CLOSE int fd = cookie_file(cookie);

		print_message("# %zu\n", i);
		assert_int_equal(torctl_authenticate(fake.torctl, fd), rows[i].error);
		stop(&fake);
	}
}

static void test_refused_cookie(void **state)
{
	static const struct exchange script[] = {
	    {"PROTOCOLINFO 1", PROTOCOLINFO},
	    {COOKIE_LINE, "515 Authentication failed\r\n"},
	    {0},
	};
	struct fake fake = start(script, GENEROUS_MS);
	AUTO_CLOSE int fd = cookie_file(cookie);

	assert_int_equal(torctl_authenticate(fake.torctl, fd), -EKEYREJECTED);
	stop(&fake);
}

static void test_not_a_cookie(void **state)
{
	static const struct exchange nothing[] = {{0}};
	struct fake fake = start(nothing, GENEROUS_MS);
	AUTO_CLOSE int shorter = cookie_file("a"), device = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	AUTO_CLOSE int longer = cookie_file("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");

	assert_int_equal(torctl_authenticate(fake.torctl, shorter), -EINVAL);
	assert_int_equal(torctl_authenticate(fake.torctl, longer), -EINVAL);
	assert_int_equal(torctl_authenticate(fake.torctl, device), -EINVAL);
	assert_int_equal(torctl_authenticate(fake.torctl, -EBADF), -EBADF);
	stop(&fake);
}

/* Listen as nobody, say so on @ready, and answer to two calls. */
static void be_nobody(const char *path, int ready)
{
	static const struct exchange nothing[] = {{0}};
	static const struct exchange everything[] = {
	    {"PROTOCOLINFO 1", PROTOCOLINFO},
	    {COOKIE_LINE, "250 OK\r\n"},
	    {0},
	};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), status;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (setresuid(NOBODY, NOBODY, NOBODY) < 0 ||
	    bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(listener, 1) < 0 || write(ready, "x", 1) != 1)
		_exit(6);
	status = talk(accept(listener, NULL, NULL), nothing);
	_exit(status ? status : talk(accept(listener, NULL, NULL), everything));
}

/* Who began to listen as neither root nor the cookie's owner hears nothing at all; but everything,
 * if the cookie is his own. */
static void test_stranger_gets_nothing(void **state)
{
	AUTO_CLOSE int fd = cookie_file(cookie);
	char folder[] = "/tmp/torctl-XXXXXX", path[64], byte;
	struct torctl *torctl = NULL;
	int status = -1, ready[2];
	pid_t child;

	if (geteuid() != 0)
		skip(); /* ./test runs this as root */
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chmod(folder, 0777), 0);
	snprintf(path, sizeof(path), "%s/control", folder);
	assert_int_equal(pipe(ready), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		be_nobody(path, ready[1]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	assert_int_equal(torctl_open(path, GENEROUS_MS, &torctl), 0);
	assert_int_equal(torctl_authenticate(torctl, fd), -EPERM);
	torctl = torctl_close(torctl);
	assert_int_equal(fchown(fd, NOBODY, NOBODY), 0);
	assert_int_equal(torctl_open(path, GENEROUS_MS, &torctl), 0);
	assert_int_equal(torctl_authenticate(torctl, fd), 0);
	torctl = torctl_close(torctl);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

static void test_events_are_passed_over(void **state)
{
	static const struct exchange script[] = {
	    {"GETINFO version", "650 CIRC 1 BUILT\r\n650+NS\r\nx\r\n.\r\n650 OK\r\n"
				"250-version=1\r\n250 OK\r\n"},
	    {0},
	};
	struct fake fake = start(script, GENEROUS_MS);
	AUTO_FREE char *version = NULL;

	assert_int_equal(torctl_getinfo(fake.torctl, "version", &version), 0);
	assert_string_equal(version, "1");
	stop(&fake);
}

static void test_answers_to_other_questions(void **state)
{
	static const struct {
		const char *reply;
		int error;
	} rows[] = {
	    {"552 Unrecognized key \"x\"\r\n", -ENOKEY},
	    {"514 Authentication required.\r\n", -EREMOTEIO},
	    {"551 Internal error\r\n", -EREMOTEIO},
	    {"250 OK\r\n", -EBADMSG},
	    {"250-verso=1\r\n250 OK\r\n", -EBADMSG},
	    {"250-versions=1\r\n250 OK\r\n", -EBADMSG},
	    {"250-versio\r\n250 OK\r\n", -EBADMSG},
	    {"250 \r\n", -EBADMSG},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct exchange script[] = {{"GETINFO version", rows[i].reply}, {0}};
		struct fake fake = start(script, GENEROUS_MS);
		char *version = NULL;

		print_message("# %zu\n", i);
		assert_int_equal(torctl_getinfo(fake.torctl, "version", &version), rows[i].error);
		assert_null(version);
		stop(&fake);
	}
}

/* One call sends one command. */
static void test_commands_are_lines(void **state)
{
	static const struct exchange script[] = {{"GETINFO a", "250-a=\r\n250 OK\r\n"}, {0}};
	struct fake fake = start(script, GENEROUS_MS);
	const struct torctl_reply *reply = NULL;
	AUTO_FREE char *value = NULL;

	assert_int_equal(torctl_command(fake.torctl, "GETINFO a\r\nQUIT", &reply), -EINVAL);
	assert_int_equal(torctl_command(fake.torctl, "GETINFO a\n", &reply), -EINVAL);
	assert_int_equal(torctl_getinfo(fake.torctl, "a b", &value), -EINVAL);
	assert_int_equal(torctl_getinfo(fake.torctl, "", &value), -EINVAL);
	assert_int_equal(torctl_getinfo(fake.torctl, "a\r\nQUIT", &value), -EINVAL);
	/* None of them went out, and the conversation goes on. */
	assert_int_equal(torctl_getinfo(fake.torctl, "a", &value), 0);
	assert_string_equal(value, "");
	stop(&fake);
}

static void test_hang_up_and_garbage_end_it(void **state)
{
	static const struct {
		const char *reply;
		int error;
	} rows[] = {
	    {"HTTP/1.1 400 Bad Request\r\n", -EBADMSG},
	    {"250-version=1\n250 OK\n", -EBADMSG},
	    {"999 OK\r\n", -EBADMSG},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct exchange script[] = {{"GETINFO version", rows[i].reply}, {0}};
		struct fake fake = start(script, GENEROUS_MS);
		char *version = NULL;

		assert_int_equal(torctl_getinfo(fake.torctl, "version", &version), rows[i].error);
		assert_int_equal(torctl_getinfo(fake.torctl, "version", &version), rows[i].error);
		stop(&fake);
	}
}

static void test_end_of_connection(void **state)
{
	struct torctl *torctl = NULL;
	char *version = NULL;
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(torctl_adopt(ends[0], GENEROUS_MS, &torctl), 0);
	/* Half of an answer, and then nothing more. */
	assert_int_equal(send(ends[1], "250-version=1\r\n", 15, 0), 15);
	assert_int_equal(shutdown(ends[1], SHUT_WR), 0);
	assert_int_equal(torctl_getinfo(torctl, "version", &version), -ECONNRESET);
	close(ends[1]);
	torctl = torctl_close(torctl);
}

static void test_null_authentication(void **state)
{
	static const struct {
		const char *methods, *answer;
		int error;
	} rows[] = {
	    {"250-AUTH METHODS=NULL\r\n250 OK\r\n", "250 OK\r\n", 0},
	    {"250-AUTH METHODS=NULL\r\n250 OK\r\n", "515 No\r\n", -EKEYREJECTED},
	    {"250-AUTH METHODS=COOKIE,NULLS\r\n250 OK\r\n", NULL, -EOPNOTSUPP},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct exchange script[] = {
		    {"PROTOCOLINFO 1", rows[i].methods},
		    {rows[i].answer ? "AUTHENTICATE" : NULL, rows[i].answer},
		    {0},
		};
		struct fake fake = start(script, GENEROUS_MS);

		assert_int_equal(torctl_authenticate_null(fake.torctl), rows[i].error);
		stop(&fake);
	}
}

static void test_configure(void **state)
{
	static const struct exchange script[] = {
	    {"SETCONF DisableNetwork=1 UseBridges=1 Bridge=\"192.0.2.9:9\" ClientTransportPlugin",
	     "250 OK\r\n"},
	    {"SETCONF DisableNetwork=0 UseBridges=0 Bridge ClientTransportPlugin",
	     "553 Unacceptable\r\n"},
	    {"GETCONF Bridge", "250-Bridge=192.0.2.9:9\r\n250-Bridge=obfs9 192.0.2.1:1 x=y\r\n"
			       "250 Bridge=192.0.2.8:8\r\n"},
	    {"GETCONF Bridge", "250 Bridge\r\n"},
	    {0},
	};
	AUTO_FREE struct torctl_bridges *bridges = calloc(1, sizeof(*bridges));
	struct torctl_settings settings = {.bridges = bridges};
	struct fake fake = start(script, GENEROUS_MS);
	size_t unknown = 7;

	assert_int_equal(torctl_bridges_parse("192.0.2.9:9", 11, bridges, NULL), 0);
	assert_int_equal(torctl_configure(fake.torctl, &settings), 0);
	assert_int_equal(torctl_configure(fake.torctl, &(struct torctl_settings){.network = true}),
			 -EREMOTEIO);
	assert_int_equal(torctl_get_bridges(fake.torctl, bridges, &unknown), 0);
	assert_int_equal(bridges->count, 2);
	assert_int_equal(unknown, 1);
	assert_int_equal(torctl_get_bridges(fake.torctl, bridges, &unknown), 0);
	assert_int_equal(bridges->count, 0);
	assert_int_equal(unknown, 0);
	stop(&fake);
}

static void count_event(const struct torctl_reply *event, void *data)
{
	assert_true(event->event);
	++*(size_t *)data;
}

/* Events that come inside a command, and those that come when nobody asks. */
static void test_events_are_told(void **state)
{
	static const char more[] = "650 A\r\n650 B\r\n650 C";
	struct torctl *torctl = NULL;
	char *version = NULL;
	size_t count = 0;
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(torctl_adopt(ends[0], SHORT_MS, &torctl), 0);
	torctl_on_event(torctl, count_event, &count);
	assert_int_equal(torctl_descriptor(torctl), ends[0]);
	assert_int_equal(torctl_receive(torctl), 0);
	send_text(ends[1], "650 A\r\n250-version=1\r\n250 OK\r\n650 B\r\n");
	torctl_renew(torctl, GENEROUS_MS);
	assert_int_equal(torctl_getinfo(torctl, "version", &version), 0);
	free(version);
	assert_int_equal(count, 1);
	assert_int_equal(torctl_receive(torctl), 0);
	assert_int_equal(count, 2);
	send_text(ends[1], more);
	assert_int_equal(torctl_receive(torctl), 0);
	assert_int_equal(count, 4);
	send_text(ends[1], "\r\n250 OK\r\n");
	assert_int_equal(torctl_receive(torctl), -EBADMSG);
	assert_int_equal(torctl_receive(torctl), -EBADMSG);
	assert_int_equal(count, 5);
	torctl = torctl_close(torctl);
	close(ends[1]);
}

/* A flood is taken in shares; its end is seen after the last event. */
static void test_flood_of_events(void **state)
{
	AUTO_BUF struct buf text = {.cap = 1 << 20};
	struct torctl *torctl = NULL;
	size_t count = 0, turns = 0;
	int ends[2], r;

	for (size_t i = 0; i < 2000; i++)
		buf_puts(&text, "650 A\r\n");
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(torctl_adopt(ends[0], SHORT_MS, &torctl), 0);
	torctl_on_event(torctl, count_event, &count);
	send_text(ends[1], buf_text(&text));
	close(ends[1]);
	while ((r = torctl_receive(torctl)) >= 0)
		turns++;
	assert_int_equal(r, -ECONNRESET);
	assert_int_equal(count, 2000);
	assert_true(turns > 3);
	torctl = torctl_close(torctl);
}

static void test_nobody_listens(void **state)
{
	char path[200] = "/nonexistent/control";
	struct torctl *torctl = NULL;

	assert_int_equal(torctl_open(path, GENEROUS_MS, &torctl), -ENOENT);
	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(torctl_open(path, GENEROUS_MS, &torctl), -ENAMETOOLONG);
	assert_null(torctl);
}

/* Silence, and talk without end, both end at the deadline. */
static void test_deadline(void **state)
{
	static const char event[] = "650 CIRC 1 BUILT\r\n";
	struct torctl *torctl = NULL;
	char *version = NULL;
	int ends[2], status;
	pid_t child;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(torctl_adopt(ends[0], SHORT_MS, &torctl), 0);
	assert_int_equal(torctl_getinfo(torctl, "version", &version), -ETIMEDOUT);
	assert_int_equal(torctl_getinfo(torctl, "version", &version), -ETIMEDOUT);
	torctl = torctl_close(torctl);
	close(ends[1]);

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		close(ends[0]);
		while (send(ends[1], event, strlen(event), MSG_NOSIGNAL) > 0)
			continue;
		_exit(0);
	}
	close(ends[1]);
	assert_int_equal(torctl_adopt(ends[0], SHORT_MS, &torctl), 0);
	assert_int_equal(torctl_getinfo(torctl, "version", &version), -ETIMEDOUT);
	torctl = torctl_close(torctl);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* A peer that reads nothing cannot hold the sender up either. */
static void test_deadline_of_sending(void **state)
{
	struct torctl *torctl = NULL;
	char *version = NULL, block[4096] = {0};
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(torctl_adopt(ends[0], SHORT_MS, &torctl), 0);
	while (send(ends[0], block, sizeof(block), MSG_DONTWAIT) > 0)
		continue;
	assert_int_equal(torctl_getinfo(torctl, "version", &version), -ETIMEDOUT);
	torctl = torctl_close(torctl);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_authenticates_and_asks),
	    cmocka_unit_test(test_other_methods),
	    cmocka_unit_test(test_refused_cookie),
	    cmocka_unit_test(test_not_a_cookie),
	    cmocka_unit_test(test_stranger_gets_nothing),
	    cmocka_unit_test(test_events_are_passed_over),
	    cmocka_unit_test(test_answers_to_other_questions),
	    cmocka_unit_test(test_commands_are_lines),
	    cmocka_unit_test(test_hang_up_and_garbage_end_it),
	    cmocka_unit_test(test_end_of_connection),
	    cmocka_unit_test(test_null_authentication),
	    cmocka_unit_test(test_configure),
	    cmocka_unit_test(test_events_are_told),
	    cmocka_unit_test(test_flood_of_events),
	    cmocka_unit_test(test_nobody_listens),
	    cmocka_unit_test(test_deadline),
	    cmocka_unit_test(test_deadline_of_sending),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
