/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The doors of the other services: the transports' leases, the clock, and lethe-connect-moat. */
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <base/json.h>

#include "daemon.h"

#define REQUEST_MAX 256

/* Connect to @path in the folder of the doors. At a UNIX socket this is done at once, or refused. */
static int knock(const struct daemon *daemon, const char *path, const char *name, int type, int *ret_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	AUTO_CLOSE int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return neg_errno();
	if ((size_t)snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s%s", daemon->run, path,
			     name) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return neg_errno();
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static void reader_close(struct line_reader *reader)
{
	closep(&reader->fd);
	*reader = (struct line_reader){.fd = -EBADF};
}

/* The bytes that are there now. 1; 0, nothing; -ECONNRESET, the end; -E2BIG, a line too long. */
static int reader_fill(struct line_reader *reader)
{
	ssize_t got;

	if (reader->used == sizeof(reader->bytes))
		return -E2BIG;
	got = recv(reader->fd, reader->bytes + reader->used, sizeof(reader->bytes) - reader->used, 0);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : neg_errno();
	if (got == 0)
		return -ECONNRESET;
	reader->used += (size_t)got;
	return 1;
}

/* Call @take for each whole line, as long as it returns 0. What it returns else. */
static int reader_lines(struct line_reader *reader, struct daemon *daemon,
			int (*take)(struct daemon *daemon, const char *line, size_t length, void *data),
			void *data)
{
	size_t begin = 0;
	int r = 0;

	while (r == 0) {
		const char *at = reader->bytes + begin;
		const char *end = memchr(at, '\n', reader->used - begin);

		if (!end)
			break;
		r = take(daemon, at, (size_t)(end - at), data);
		begin = (size_t)(end - reader->bytes) + 1;
	}
	memmove(reader->bytes, reader->bytes + begin, reader->used - begin);
	reader->used -= begin;
	return r;
}

/* ---- leases ---- */

static void lease_lost(struct daemon *daemon, enum torctl_transport transport)
{
	const struct event event = {.kind = EVENT_LEASE,
				    .lease = {.transport = transport, .state = LEASE_LOST}};

	reader_close(&daemon->leases[transport]);
	(void)!daemon_post(daemon, &event);
}

void lease_open(struct daemon *daemon, enum torctl_transport transport)
{
	reader_close(&daemon->leases[transport]);
	if (knock(daemon, "transport/", torctl_transport_name(transport), SOCK_STREAM,
		  &daemon->leases[transport].fd) < 0)
		lease_lost(daemon, transport);
}

void lease_close(struct daemon *daemon, enum torctl_transport transport)
{
	reader_close(&daemon->leases[transport]);
}

static int take_lease_line(struct daemon *daemon, const char *line, size_t length, void *data)
{
	struct event event;
	int r = heard_lease(line, length, *(enum torctl_transport *)data, &event);

	if (r < 0)
		return r;
	return daemon_post(daemon, &event) ? 0 : -ENOSPC;
}

void lease_hear(struct daemon *daemon, enum torctl_transport transport)
{
	struct line_reader *reader = &daemon->leases[transport];
	int filled = reader_fill(reader);
	int r = reader_lines(reader, daemon, take_lease_line, &transport);

	if (filled < 0 || r < 0)
		lease_lost(daemon, transport);
}

/* ---- the clock ---- */

static void clock_unknown(struct daemon *daemon)
{
	clock_close(daemon);
	(void)!daemon_post(daemon, &(struct event){.kind = EVENT_CLOCK});
}

void clock_close(struct daemon *daemon)
{
	closep(&daemon->clock);
	daemon->clock = -EBADF;
}

void clock_ask(struct daemon *daemon, bool network)
{
	AUTO_BUF struct buf request = {.cap = REQUEST_MAX};
	struct json json = {.out = &request};
	int r;

	clock_close(daemon);
	daemon->clock_network = network;
	json_object_begin(&json, NULL);
	json_string(&json, "mode", network ? "network" : "consensus");
	json_object_end(&json);
	r = buf_finish(&request);
	if (r == 0)
		r = knock(daemon, "clock/", "ask", SOCK_SEQPACKET, &daemon->clock);
	if (r < 0 || send(daemon->clock, request.data, request.len, MSG_NOSIGNAL) < 0)
		clock_unknown(daemon);
}

void clock_hear(struct daemon *daemon)
{
	char answer[HEARD_LINE_MAX];
	struct event event;
	ssize_t got = recv(daemon->clock, answer, sizeof(answer), 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0 || heard_clock(answer, (size_t)got, &event) < 0) {
		clock_unknown(daemon);
		return;
	}
	clock_close(daemon);
	(void)!daemon_post(daemon, &event);
}

/* ---- lethe-connect-moat ---- */

void settings_close(struct daemon *daemon)
{
	reader_close(&daemon->settings);
}

static void settings_failed(struct daemon *daemon)
{
	settings_close(daemon);
	(void)!daemon_post(daemon, &(struct event){.kind = EVENT_SETTINGS});
}

void settings_ask(struct daemon *daemon, const char *country)
{
	char request[8];
	int length = snprintf(request, sizeof(request), "%s\n", country);

	settings_close(daemon);
	daemon->found.count = 0;
	daemon->found_builtin = 0;
	if (knock(daemon, "connect/", "moat", SOCK_STREAM, &daemon->settings.fd) < 0 ||
	    send(daemon->settings.fd, request, (size_t)length, MSG_NOSIGNAL) != length)
		settings_failed(daemon);
}

static int take_settings_line(struct daemon *daemon, const char *line, size_t length, void *data)
{
	return heard_settings(line, length, &daemon->found, &daemon->found_builtin, data);
}

void settings_hear(struct daemon *daemon)
{
	struct event event;
	int filled = reader_fill(&daemon->settings);
	int r = reader_lines(&daemon->settings, daemon, take_settings_line, &event);

	if (r > 0) {
		settings_close(daemon);
		daemon_take(daemon, event);
	} else if (filled < 0 || r < 0) {
		settings_failed(daemon);
	}
}
