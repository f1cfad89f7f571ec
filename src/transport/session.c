/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "session.h"

#include "pt.h"
#include "relay.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <base/buf.h>
#include <base/json.h>

#define LINE_MAX_BYTES 512
#define PIECE          4096

/* What is always waited for; after these come two for each relay. */
enum { LEASE, OUTPUT, PROCESS, LISTENER, FIXED };

struct session {
	const struct session_sockets *sockets;
	const struct child *child;
	struct pt pt;
	uint64_t deadline; /* ms, of becoming ready */
	size_t count;
	struct relay *relays[SESSION_CONNECTIONS_MAX];
	struct pollfd waits[FIXED + 2 * SESSION_CONNECTIONS_MAX];
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- what the lease is told ---- */

const char *session_word(enum session_reason reason)
{
	static const char *const words[] = {
	    [SESSION_NOT_STARTED] = "not-started",
	    [SESSION_MALFORMED] = "malformed",
	    [SESSION_REFUSED] = "refused",
	    [SESSION_TOO_MUCH] = "too-much",
	    [SESSION_LATE] = "late",
	    [SESSION_ENDED] = "ended",
	    [SESSION_BROKEN] = "broken",
	};

	return words[reason];
}

static void tell(int lease, const char *state, const char *reason)
{
	AUTO_BUF struct buf out = {.cap = LINE_MAX_BYTES};
	struct json json = {.out = &out};

	json_object_begin(&json, NULL);
	json_string(&json, "state", state);
	if (reason)
		json_string(&json, "reason", reason);
	json_object_end(&json);
	buf_puts(&out, "\n");
	if (buf_finish(&out) == 0)
		(void)!send(lease, out.data, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void session_tell_state(int lease, const char *state)
{
	tell(lease, state, NULL);
}

void session_tell_failed(int lease, enum session_reason reason)
{
	tell(lease, "failed", session_word(reason));
}

/* ---- connections ---- */

/* The near end's connection, to where the transport listens on this namespace's own loopback. */
static int reach(uint16_t port, bool *ret_connecting)
{
	const struct sockaddr_in there = {
	    .sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool connecting;
	int r;

	if (fd < 0)
		return neg_errno();
	connecting = connect(fd, (const struct sockaddr *)&there, sizeof(there)) < 0;
	if (connecting && errno != EINPROGRESS) {
		r = neg_errno();
		close(fd);
		return r;
	}
	*ret_connecting = connecting;
	return fd;
}

/* Take one connection of Tor's. One that cannot be had, or be handed on, is Tor's to try again. */
static void take_connection(struct session *session)
{
	AUTO_CLOSE int near = -EBADF, far = -EBADF;
	bool connecting = false;

	near = accept4(session->sockets->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (near < 0)
		return;
	far = reach(session->pt.port, &connecting);
	if (far < 0 || relay_new(near, far, connecting, &session->relays[session->count]) < 0)
		return;
	near = far = -EBADF;
	session->count++;
}

static bool is_due(const struct pollfd waits[static 2])
{
	return (waits[0].fd >= 0 && waits[0].revents) || (waits[1].fd >= 0 && waits[1].revents);
}

/* Those that have something to do. From the last, whose place another may take, to the first. */
static void step_relays(struct session *session)
{
	for (size_t i = session->count; i-- > 0;) {
		if (!is_due(&session->waits[FIXED + 2 * i]) || relay_step(session->relays[i]) > 0)
			continue;
		session->relays[i] = relay_free(session->relays[i]);
		session->relays[i] = session->relays[--session->count];
	}
}

/* ---- the loop ---- */

static void prepare(struct session *session)
{
	bool takes = session->pt.state == PT_READY && session->count < SESSION_CONNECTIONS_MAX;

	session->waits[LEASE] = (struct pollfd){session->sockets->lease, POLLIN, 0};
	session->waits[OUTPUT] = (struct pollfd){session->child->output, POLLIN, 0};
	session->waits[PROCESS] = (struct pollfd){session->child->process, POLLIN, 0};
	session->waits[LISTENER] =
	    (struct pollfd){takes ? session->sockets->listener : -1, POLLIN, 0};
	for (size_t i = 0; i < session->count; i++)
		relay_wants(session->relays[i], &session->waits[FIXED + 2 * i]);
}

/* How long to wait, in ms: for ever once it is ready; 0 if it is too late. */
static int patience(const struct session *session)
{
	uint64_t now = now_ms();

	if (session->pt.state == PT_READY)
		return -1;
	return now >= session->deadline ? 0 : (int)(session->deadline - now);
}

/* Whoever asked has nothing to say: only the end counts. */
static bool lease_ended(int lease)
{
	char dropped[PIECE];
	ssize_t got = recv(lease, dropped, sizeof(dropped), MSG_DONTWAIT);

	return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
}

/* What the transport says. Returns false if the session ends by it, with the reason. */
static bool listen_to(struct session *session, enum session_reason *ret_reason)
{
	static const enum session_reason reasons[] = {
	    [PT_MALFORMED] = SESSION_MALFORMED,
	    [PT_REFUSED] = SESSION_REFUSED,
	    [PT_TOO_MUCH] = SESSION_TOO_MUCH,
	};
	bool was_ready = session->pt.state == PT_READY;
	char piece[PIECE];
	ssize_t got = read(session->child->output, piece, sizeof(piece));

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (got <= 0) {
		*ret_reason = SESSION_ENDED;
		return false;
	}
	if (pt_feed(&session->pt, piece, (size_t)got) == PT_FAILED) {
		*ret_reason = reasons[session->pt.fault];
		return false;
	}
	if (!was_ready && session->pt.state == PT_READY)
		session_tell_state(session->sockets->lease, "ready");
	return true;
}

/* One turn. Returns false when it is over: with the reason, if not by the lease. */
static bool turn(struct session *session, enum session_end *ret_end,
		 enum session_reason *ret_reason)
{
	int wait = patience(session);

	*ret_end = SESSION_FAILED;
	*ret_reason = SESSION_LATE;
	if (wait == 0)
		return false;
	prepare(session);
	if (poll(session->waits, FIXED + 2 * (nfds_t)session->count, wait) < 0) {
		*ret_reason = SESSION_BROKEN;
		return errno == EINTR;
	}
	if (session->waits[LEASE].revents && lease_ended(session->sockets->lease)) {
		*ret_end = SESSION_RETURNED;
		return false;
	}
	if (session->waits[OUTPUT].revents && !listen_to(session, ret_reason))
		return false;
	if (session->waits[PROCESS].revents) {
		*ret_reason = SESSION_ENDED;
		return false;
	}
	step_relays(session);
	if (session->waits[LISTENER].revents)
		take_connection(session);
	return true;
}

enum session_end session_run(const struct session_sockets *sockets, const struct child *child,
			     const char *name, unsigned start_ms)
{
	struct session session = {
	    .sockets = sockets, .child = child, .deadline = now_ms() + start_ms};
	enum session_reason reason;
	enum session_end end;

	pt_begin(&session.pt, name);
	while (turn(&session, &end, &reason))
		;
	while (session.count > 0) {
		session.count--;
		session.relays[session.count] = relay_free(session.relays[session.count]);
	}
	if (end == SESSION_FAILED)
		session_tell_failed(sockets->lease, reason);
	return end;
}
