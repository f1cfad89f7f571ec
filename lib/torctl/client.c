/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "client.h"

#include "words.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#define COOKIE_SIZE   32
#define COMMAND_MAX   TORCTL_COMMAND_MAX
#define QUESTION_MAX  512
#define UNRECOGNIZED  552
#define RECEIVE_BYTES 4096
#define EVENTS_AT_ONCE 256

/* Far more than any answer to what is asked here. */
static const struct torctl_limits limits = {
    .line_bytes = 64u << 10,
    .lines = 4096,
    .bytes = 256u << 10,
};

struct torctl {
	int fd;
	int64_t deadline; /* CLOCK_MONOTONIC, in ms */
	int error;        /* ends the conversation */
	struct torctl_parser *parser;
	char received[RECEIVE_BYTES];
	size_t begin, end; /* what of it the parser has not seen */
	void (*on_event)(const struct torctl_reply *event, void *data);
	void *data;
};

static int64_t now_ms(void)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int torctl_adopt(int fd, unsigned deadline_ms, struct torctl **ret_torctl)
{
	struct torctl *torctl;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return neg_errno();
	torctl = calloc(1, sizeof(*torctl));
	if (!torctl)
		return -ENOMEM;
	torctl->fd = -EBADF;
	if (torctl_parser_new(&limits, &torctl->parser) < 0) {
		torctl_close(torctl);
		return -ENOMEM;
	}
	torctl->fd = fd;
	torctl->deadline = now_ms() + deadline_ms;
	*ret_torctl = torctl;
	return 0;
}

int torctl_open(const char *path, unsigned deadline_ms, struct torctl **ret_torctl)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r;

	if (fd < 0)
		return neg_errno();
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	/* At a UNIX socket this is done at once, or refused. */
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return neg_errno();
	r = torctl_adopt(fd, deadline_ms, ret_torctl);
	if (r == 0)
		fd = -EBADF;
	return r;
}

struct torctl *torctl_close(struct torctl *torctl)
{
	if (torctl) {
		closep(&torctl->fd);
		torctl_parser_free(torctl->parser);
		free(torctl);
	}
	return NULL;
}

/* Until the socket is ready for @events, or the deadline. */
static int wait_for(const struct torctl *torctl, short events)
{
	struct pollfd wanted = {.fd = torctl->fd, .events = events};

	for (;;) {
		int64_t left = torctl->deadline - now_ms();
		int r;

		if (left <= 0)
			return -ETIMEDOUT;
		r = poll(&wanted, 1, left > INT_MAX ? INT_MAX : (int)left);
		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return neg_errno();
	}
}

static int send_all(struct torctl *torctl, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t sent;
		int r = wait_for(torctl, POLLOUT);

		if (r < 0)
			return r;
		sent = send(torctl->fd, bytes, length, MSG_NOSIGNAL);
		if (sent < 0 && errno == EPIPE)
			return -ECONNRESET;
		if (sent < 0 && errno != EAGAIN && errno != EINTR)
			return neg_errno();
		if (sent > 0) {
			bytes += sent;
			length -= (size_t)sent;
		}
	}
	return 0;
}

static int receive_some(struct torctl *torctl)
{
	for (;;) {
		ssize_t got;
		int r = wait_for(torctl, POLLIN);

		if (r < 0)
			return r;
		got = recv(torctl->fd, torctl->received, sizeof(torctl->received), 0);
		if (got > 0) {
			torctl->begin = 0;
			torctl->end = (size_t)got;
			return 0;
		}
		if (got == 0)
			return -ECONNRESET;
		if (errno != EAGAIN && errno != EINTR)
			return neg_errno();
	}
}

/* Of what was received: the next whole reply, or NULL. */
static int parse_received(struct torctl *torctl, const struct torctl_reply **ret_reply)
{
	size_t used = 0;
	int r = torctl_parser_feed(torctl->parser, torctl->received + torctl->begin,
				   torctl->end - torctl->begin, &used, ret_reply);

	if (r < 0)
		return r;
	torctl->begin += used;
	if (*ret_reply && (*ret_reply)->event && torctl->on_event)
		torctl->on_event(*ret_reply, torctl->data);
	return 0;
}

/* The next reply that is not an event. Events without end come to the deadline, too, each time that
 * more is received. */
static int receive_reply(struct torctl *torctl, const struct torctl_reply **ret_reply)
{
	for (;;) {
		const struct torctl_reply *reply = NULL;
		int r = 0;

		if (torctl->begin == torctl->end)
			r = receive_some(torctl);
		if (r == 0)
			r = parse_received(torctl, &reply);
		if (r < 0)
			return r;
		if (reply && !reply->event) {
			*ret_reply = reply;
			return 0;
		}
	}
}

/* 1, or 0 if nothing is there now. */
static int receive_now(struct torctl *torctl)
{
	ssize_t got;

	do
		got = recv(torctl->fd, torctl->received, sizeof(torctl->received), 0);
	while (got < 0 && errno == EINTR);
	if (got == 0)
		return -ECONNRESET;
	if (got < 0)
		return errno == EAGAIN ? 0 : neg_errno();
	torctl->begin = 0;
	torctl->end = (size_t)got;
	return 1;
}

static int receive_events(struct torctl *torctl)
{
	for (size_t i = 0; i < EVENTS_AT_ONCE; i++) {
		const struct torctl_reply *reply = NULL;
		int r = torctl->begin < torctl->end ? 1 : receive_now(torctl);

		if (r > 0)
			r = parse_received(torctl, &reply);
		else if (r == 0)
			return 0;
		if (r == 0 && reply && !reply->event)
			r = -EBADMSG;
		if (r < 0)
			return r;
	}
	return torctl->begin < torctl->end;
}

int torctl_receive(struct torctl *torctl)
{
	int r;

	if (torctl->error < 0)
		return torctl->error;
	r = receive_events(torctl);
	if (r < 0)
		torctl->error = r;
	return r;
}

void torctl_renew(struct torctl *torctl, unsigned deadline_ms)
{
	torctl->deadline = now_ms() + deadline_ms;
}

void torctl_on_event(struct torctl *torctl,
		     void (*function)(const struct torctl_reply *event, void *data), void *data)
{
	torctl->on_event = function;
	torctl->data = data;
}

int torctl_descriptor(const struct torctl *torctl)
{
	return torctl->fd;
}

static int exchange(struct torctl *torctl, const char *line, const struct torctl_reply **ret_reply)
{
	AUTO_BUF struct buf command = {.cap = COMMAND_MAX + 2};
	int r;

	buf_printf(&command, "%s\r\n", line);
	r = buf_finish(&command);
	if (r < 0)
		return r;
	r = send_all(torctl, command.data, command.len);
	explicit_bzero(command.data, command.len); /* it may be the cookie */
	if (r < 0)
		return r;
	return receive_reply(torctl, ret_reply);
}

int torctl_command(struct torctl *torctl, const char *line, const struct torctl_reply **ret_reply)
{
	if (torctl->error < 0)
		return torctl->error;
	/* A line's end would make two commands of one. */
	for (const char *c = line; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return -EINVAL;
	torctl->error = exchange(torctl, line, ret_reply);
	return torctl->error;
}

int torctl_cookie_open(const char *path, int *ret_fd)
{
	/* Not held up by a FIFO in its place. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return neg_errno();
	*ret_fd = fd;
	return 0;
}

static int check_peer(const struct torctl *torctl, int cookie_fd)
{
	struct ucred peer = {.uid = (uid_t)-1};
	socklen_t length = sizeof(peer);
	struct stat status;

	if (fstat(cookie_fd, &status) < 0)
		return neg_errno();
	if (!S_ISREG(status.st_mode) || status.st_size != COOKIE_SIZE)
		return -EINVAL;
	if (getsockopt(torctl->fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
		return neg_errno();
	return peer.uid == 0 || peer.uid == status.st_uid ? 0 : -EPERM;
}

/* Is @method among those of "AUTH METHODS=COOKIE,SAFECOOKIE COOKIEFILE="..."? */
static int find_method(const struct torctl_line *line, const char *method)
{
	const ptrdiff_t length = (ptrdiff_t)strlen(method);
	CLEANUP(torctl_words_done) struct torctl_words words = {0};
	const char *at, *end;
	int r = torctl_words_parse(line->text, line->text_length, &words);

	if (r < 0)
		return r;
	at = torctl_words_get(&words, "METHODS");
	while (at) {
		end = strchrnul(at, ',');
		if (end - at == length && strncmp(at, method, (size_t)length) == 0)
			return 0;
		at = *end ? end + 1 : NULL;
	}
	return -EOPNOTSUPP;
}

static int check_methods(struct torctl *torctl, const char *method)
{
	const struct torctl_reply *reply;
	int r = torctl_command(torctl, "PROTOCOLINFO 1", &reply);

	if (r < 0)
		return r;
	for (size_t i = 0; i < reply->count; i++) {
		if (reply->lines[i].code != 250)
			return -EREMOTEIO;
		if (strncmp(reply->lines[i].text, "AUTH ", 5) == 0)
			return find_method(&reply->lines[i], method);
	}
	return -EBADMSG;
}

static int send_cookie(struct torctl *torctl, const unsigned char cookie[static COOKIE_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	char line[sizeof("AUTHENTICATE ") + 2 * (size_t)COOKIE_SIZE] = "AUTHENTICATE ";
	char *out = line + strlen(line);
	const struct torctl_reply *reply;
	int r;

	for (size_t i = 0; i < COOKIE_SIZE; i++) {
		*out++ = digits[cookie[i] >> 4];
		*out++ = digits[cookie[i] & 15];
	}
	*out = '\0';
	r = torctl_command(torctl, line, &reply);
	explicit_bzero(line, sizeof(line));
	if (r < 0)
		return r;
	return reply->lines[0].code == 250 ? 0 : -EKEYREJECTED;
}

int torctl_authenticate(struct torctl *torctl, int cookie_fd)
{
	unsigned char cookie[COOKIE_SIZE];
	ssize_t got;
	int r = check_peer(torctl, cookie_fd);

	if (r == 0)
		r = check_methods(torctl, "COOKIE");
	if (r < 0)
		return r;
	got = read(cookie_fd, cookie, sizeof(cookie));
	if (got < 0)
		r = neg_errno();
	else if (got != COOKIE_SIZE)
		r = -EINVAL;
	else
		r = send_cookie(torctl, cookie);
	explicit_bzero(cookie, sizeof(cookie));
	return r;
}

int torctl_authenticate_null(struct torctl *torctl)
{
	const struct torctl_reply *reply;
	int r = check_methods(torctl, "NULL");

	if (r < 0)
		return r;
	r = torctl_command(torctl, "AUTHENTICATE", &reply);
	if (r < 0)
		return r;
	return reply->lines[0].code == 250 ? 0 : -EKEYREJECTED;
}

/* "key=value", or "key" alone where Tor says that an option has its default value. */
static int take_value(const struct torctl_line *line, const char *key, char **ret_value)
{
	size_t length = strlen(key);
	const char *value;
	char *copy;

	/* Tor repeats an option's name in its own spelling. */
	if (line->text_length < length || strncasecmp(line->text, key, length) != 0)
		return -EBADMSG;
	if (line->text[length] != '=' && line->text[length] != '\0')
		return -EBADMSG;
	value = line->text + length + (line->text[length] == '=');
	copy = strdup(line->data ? line->data : value);
	if (!copy)
		return -ENOMEM;
	*ret_value = copy;
	return 0;
}

static int ask(struct torctl *torctl, const char *verb, const char *key, char **ret_value)
{
	const struct torctl_reply *reply;
	char line[QUESTION_MAX];
	int r;

	if (!key[0] || strchr(key, ' ') ||
	    (size_t)snprintf(line, sizeof(line), "%s %s", verb, key) >= sizeof(line))
		return -EINVAL;
	r = torctl_command(torctl, line, &reply);
	if (r < 0)
		return r;
	if (reply->lines[0].code == UNRECOGNIZED)
		return -ENOKEY;
	if (reply->lines[0].code != 250)
		return -EREMOTEIO;
	return take_value(&reply->lines[0], key, ret_value);
}

int torctl_getinfo(struct torctl *torctl, const char *key, char **ret_value)
{
	return ask(torctl, "GETINFO", key, ret_value);
}

int torctl_getconf(struct torctl *torctl, const char *option, char **ret_value)
{
	return ask(torctl, "GETCONF", option, ret_value);
}

/* "Bridge=LINE"; "Bridge" alone where there is none. */
static int take_bridge(const struct torctl_line *line, struct torctl_bridges *bridges,
		       size_t *unknown)
{
	AUTO_FREE char *value = NULL;
	struct torctl_bridge bridge;
	int r = take_value(line, "Bridge", &value);

	if (r < 0 || !value[0])
		return r;
	if (torctl_bridge_parse(value, strlen(value), &bridge, NULL) < 0 ||
	    torctl_bridges_add(bridges, &bridge) < 0)
		(*unknown)++;
	return 0;
}

int torctl_get_bridges(struct torctl *torctl, struct torctl_bridges *ret_bridges,
		       size_t *ret_unknown)
{
	AUTO_FREE struct torctl_bridges *bridges = calloc(1, sizeof(*bridges));
	const struct torctl_reply *reply;
	size_t unknown = 0;
	int r;

	if (!bridges)
		return -ENOMEM;
	r = torctl_command(torctl, "GETCONF Bridge", &reply);
	if (r < 0)
		return r;
	for (size_t i = 0; i < reply->count && r == 0; i++)
		r = reply->lines[i].code == 250 ? take_bridge(&reply->lines[i], bridges, &unknown)
						: -EREMOTEIO;
	if (r < 0)
		return r;
	*ret_bridges = *bridges;
	*ret_unknown = unknown;
	return 0;
}

int torctl_configure(struct torctl *torctl, const struct torctl_settings *settings)
{
	AUTO_BUF struct buf line = {.cap = COMMAND_MAX};
	const struct torctl_reply *reply;
	int r;

	torctl_settings_write(settings, &line);
	r = buf_finish(&line);
	if (r < 0)
		return r;
	r = torctl_command(torctl, buf_text(&line), &reply);
	explicit_bzero(line.data, line.len); /* bridges are told to nobody else */
	if (r < 0)
		return r;
	return reply->lines[0].code == 250 ? 0 : -EREMOTEIO;
}
