/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "console.h"

#include "clock.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/reboot.h>
#include <termios.h>

#include <os/file.h>

#define CONSOLES_MAX 8
#define LINE_MAX_LEN 1600 /* a message, where it is from, and its hint */
#define ANSWER_MAX   256

/* A console that takes nothing for so long (a serial line with nobody there) is passed over. */
#define STUCK_MS 2000

static struct {
	int fds[CONSOLES_MAX];
	size_t count;
	int kernel_log;
	bool verbose;
} consoles = {.kernel_log = -EBADF};

static void add_console(const char *name)
{
	char path[64];
	int fd;

	if (consoles.count == CONSOLES_MAX || strchr(name, '/'))
		return;
	snprintf(path, sizeof(path), "/dev/%s", name);
	/* Without waiting for a carrier, and never as the controlling terminal: no signals. */
	fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0)
		consoles.fds[consoles.count++] = fd;
}

void console_open(void)
{
	char names[256], *at = names, *name;

	for (size_t i = 0; i < consoles.count; i++)
		close(consoles.fds[i]);
	consoles.count = 0;
	if (consoles.kernel_log < 0)
		consoles.kernel_log = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (file_read_line("/sys/class/tty/console/active", names, sizeof(names)) < 0)
		names[0] = '\0';
	while ((name = strsep(&at, " ")))
		if (name[0])
			add_console(name);
}

void console_be_verbose(bool verbose)
{
	consoles.verbose = verbose;
}

static void write_to(int fd, const char *text, size_t len)
{
	uint64_t deadline = clock_ms() + STUCK_MS;

	while (len > 0) {
		struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
		ssize_t done = write(fd, text, len);

		if (done > 0) {
			text += done;
			len -= (size_t)done;
		} else if ((done < 0 && errno != EAGAIN && errno != EINTR) ||
			   clock_ms() > deadline || poll(&poll_fd, 1, 100) < 0) {
			return;
		}
	}
}

static void write_all(const char *text)
{
	for (size_t i = 0; i < consoles.count; i++)
		write_to(consoles.fds[i], text, strlen(text));
	if (consoles.count == 0)
		write_to(STDERR_FILENO, text, strlen(text));
}

/* For those who read the journal later; at the lowest level, so that it does not show twice. */
static void write_log(const char *text)
{
	char line[LINE_MAX_LEN];
	int len = snprintf(line, sizeof(line), "<7>lethe-init: %s", text);

	if (consoles.kernel_log >= 0 && len > 0)
		write_to(consoles.kernel_log, line, strnlen(line, sizeof(line)));
}

static void say(const char *format, va_list args) PRINTF(1, 0);
static void say(const char *format, va_list args)
{
	char text[LINE_MAX_LEN - 64], line[LINE_MAX_LEN];

	vsnprintf(text, sizeof(text), format, args);
	snprintf(line, sizeof(line), "Lethe: %s\n", text);
	write_all(line);
	write_log(text);
}

void console_say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
}

void console_note(const char *format, ...)
{
	char text[LINE_MAX_LEN - 64];
	va_list args;

	va_start(args, format);
	if (consoles.verbose) {
		say(format, args);
	} else {
		vsnprintf(text, sizeof(text), format, args);
		write_log(text);
	}
	va_end(args);
}

/* What was typed before the question is no answer to it. */
static void forget_input(void)
{
	for (size_t i = 0; i < consoles.count; i++)
		tcflush(consoles.fds[i], TCIFLUSH);
}

/* What one console has: a line's bytes, or 0. One that has hung up is not asked again. */
static size_t read_line(struct pollfd *console, char answer[static ANSWER_MAX])
{
	ssize_t len = console->revents ? read(console->fd, answer, ANSWER_MAX) : -1;

	/* Not at 0 bytes, which is Ctrl-D: poll() would return at once for ever. */
	if (console->revents & (POLLHUP | POLLERR | POLLNVAL))
		console->fd = -1;
	return len > 0 ? (size_t)len : 0;
}

/* Wait for a line on any console; terminals give whole lines. @meanwhile (or NULL) is called every
 * second. Returns how many bytes, 0 at the deadline (UINT64_MAX: never). */
static size_t wait_line(char answer[static ANSWER_MAX], uint64_t deadline,
			console_meanwhile *meanwhile, void *argument)
{
	struct pollfd polls[CONSOLES_MAX];
	uint64_t now;
	size_t len;

	for (size_t i = 0; i < consoles.count; i++)
		polls[i] = (struct pollfd){.fd = consoles.fds[i], .events = POLLIN};
	while ((now = clock_ms()) < deadline) {
		int wait = deadline - now < 1000 ? (int)(deadline - now) : 1000;
		int ready = poll(polls, consoles.count, wait);

		for (size_t i = 0; ready > 0 && i < consoles.count; i++) {
			len = read_line(&polls[i], answer);
			if (len > 0)
				return len;
		}
		if (ready == 0 && meanwhile)
			meanwhile(argument);
	}
	return 0;
}

bool console_ask(const char *question, const char *expected, unsigned milliseconds)
{
	char answer[ANSWER_MAX];
	size_t len;

	forget_input();
	console_say("%s", question);
	len = wait_line(answer, clock_ms() + milliseconds, NULL, NULL);
	return len == strlen(expected) + 1 && memcmp(answer, expected, len - 1) == 0 &&
	       answer[len - 1] == '\n';
}

static _Noreturn void wait_and_power_off(console_meanwhile *meanwhile, void *argument)
{
	char answer[ANSWER_MAX];

	wait_line(answer, UINT64_MAX, meanwhile, argument);
	reboot(RB_POWER_OFF);
	/* A computer that cannot turn itself off. */
	reboot((int)RB_HALT_SYSTEM);
	for (;;)
		pause();
}

void console_stop(const struct diag *diag, console_meanwhile *meanwhile, void *argument)
{
	char line[LINE_MAX_LEN], where[DIAG_FILE_MAX + 32] = "";

	if (diag->file[0])
		snprintf(where, sizeof(where), "%s, line %u: ", diag->file, diag->line);
	snprintf(line, sizeof(line),
		 "\nLethe stopped: %s%s.\n%s%sPress Enter to turn the computer off.\n", where,
		 diag->message, diag->hint, diag->hint[0] ? "\n" : "");
	/* A serial or USB console may have come since. */
	console_open();
	forget_input();
	write_all(line);
	write_log(diag->message);
	wait_and_power_off(meanwhile, argument);
}

/* Only what may be called in a signal handler: the descriptors are open, the text is made. */
static void crashed(int signal_number)
{
	static const char text[] =
	    "\nLethe stopped: the program that starts it has crashed; nothing was started.\n"
	    "Start again; if it happens again, write the medium anew or report the problem.\n"
	    "Press Enter to turn the computer off.\n";

	forget_input();
	write_all(text);
	wait_and_power_off(NULL, NULL);
}

void console_catch_crashes(void)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP};
	static char stack[65536];
	const stack_t alternative = {.ss_sp = stack, .ss_size = sizeof(stack)};
	struct sigaction action = {.sa_handler = crashed, .sa_flags = SA_ONSTACK | SA_NODEFER};

	sigemptyset(&action.sa_mask);
	sigaltstack(&alternative, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &action, NULL);
}
