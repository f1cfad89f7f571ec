/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "farewell.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define CLIENT_MS    5000  /* for the client to take its last words */
#define CLIENT_BYTES 65536 /* that it still says, and that are thrown away */
#define TOR_MS	     10000 /* for Tor to take back what was the client's */
#define PIECE	     4096

struct parting {
	struct session *session; /* or NULL */
	struct outlet *to_client, *to_tor;
	uint64_t began;
	size_t thrown_away;
	int client, tor; /* -EBADF: done with */
	bool client_told, tor_told;
};

uint64_t guest_now(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int guest_timeout(uint64_t due)
{
	uint64_t now = guest_now();

	if (due == UINT64_MAX)
		return -1;
	if (due <= now)
		return 0;
	return due - now > INT_MAX ? INT_MAX : (int)(due - now);
}

bool guest_write(int fd, struct outlet *outlet)
{
	ssize_t sent;

	if (outlet_length(outlet) == 0)
		return true;
	sent = send(fd, outlet_bytes(outlet), outlet_length(outlet), MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0)
		return errno == EAGAIN || errno == EINTR;
	outlet_take(outlet, (size_t)sent);
	return true;
}

/* ---- the client ---- */

/* A connection that is closed with bytes unread takes the last words with it, so what the client still
 * says is read, until it ends too. */
static void hear_client(struct parting *parting)
{
	char bytes[PIECE];
	ssize_t got = recv(parting->client, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0 || (parting->thrown_away += (size_t)got) > CLIENT_BYTES)
		parting->client = -EBADF;
}

static void tell_client(struct parting *parting)
{
	if (parting->client < 0)
		return;
	if (!guest_write(parting->client, parting->to_client) ||
	    guest_now() >= parting->began + CLIENT_MS) {
		parting->client = -EBADF;
		return;
	}
	if (parting->client_told || outlet_length(parting->to_client) > 0)
		return;
	parting->client_told = true;
	shutdown(parting->client, SHUT_WR);
}

/* ---- Tor ---- */

static void hear_tor(struct parting *parting)
{
	char bytes[PIECE];
	ssize_t got = recv(parting->tor, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (got > 0)
		session_tor(parting->session, bytes, (size_t)got, guest_now());
	else if (got == 0 || (errno != EAGAIN && errno != EINTR))
		parting->tor = -EBADF;
}

/* When all is said, the end is said too; that Tor then ends the connection tells that it has done it all. */
static void tell_tor(struct parting *parting)
{
	if (parting->tor < 0)
		return;
	if (guest_now() >= parting->began + TOR_MS) {
		session_forsake(parting->session);
		if (guest_write(parting->tor, parting->to_tor))
			shutdown(parting->tor, SHUT_WR);
		parting->tor = -EBADF;
		return;
	}
	if (!guest_write(parting->tor, parting->to_tor)) {
		parting->tor = -EBADF;
		return;
	}
	if (parting->tor_told || outlet_length(parting->to_tor) > 0 ||
	    session_owes(parting->session))
		return;
	parting->tor_told = true;
	shutdown(parting->tor, SHUT_WR);
}

/* ---- */

static void wait_for_both(struct parting *parting)
{
	uint64_t due = parting->began + (parting->client >= 0 ? CLIENT_MS : TOR_MS);
	struct pollfd wait[2] = { { .fd = parting->client, .events = POLLIN },
				  { .fd = parting->tor, .events = POLLIN } };

	if (parting->client >= 0 && outlet_length(parting->to_client) > 0)
		wait[0].events |= POLLOUT;
	if (parting->tor >= 0 && outlet_length(parting->to_tor) > 0)
		wait[1].events |= POLLOUT;
	if (poll(wait, ARRAY_SIZE(wait), guest_timeout(due)) < 0)
		return;
	if (wait[0].revents & (POLLIN | POLLHUP | POLLERR))
		hear_client(parting);
	if (wait[1].revents & (POLLIN | POLLHUP | POLLERR))
		hear_tor(parting);
}

void farewell(struct session *session, const char *reply, int client, int tor)
{
	struct outlet words = { .buf = { .cap = SESSION_LINE_MAX } };
	struct parting parting = { .session = session,
				   .to_client = session ? session_for_client(session) : &words,
				   .to_tor = session ? session_for_tor(session) : NULL,
				   .began = guest_now(),
				   .client = client,
				   .tor = session ? tor : -EBADF };

	if (reply)
		buf_puts(&words.buf, reply);
	for (;;) {
		tell_client(&parting);
		tell_tor(&parting);
		if (parting.client < 0 && parting.tor < 0)
			break;
		wait_for_both(&parting);
	}
	buf_done(&words.buf);
}
