/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "relay.h"

#include <stdlib.h>
#include <sys/socket.h>

/* One direction. */
struct way {
	char data[RELAY_BUFFER];
	size_t at, length; /* what is still to be sent */
	bool ended;        /* the source says no more */
	bool told;         /* and the sink knows */
};

enum { NEAR, FAR, ENDS };

struct relay {
	int fds[ENDS];
	bool connecting;
	struct way ways[ENDS]; /* by where they come from */
};

int relay_new(int near, int far, bool connecting, struct relay **ret_relay)
{
	struct relay *relay = calloc(1, sizeof(*relay));

	if (!relay)
		return -ENOMEM;
	relay->fds[NEAR] = near;
	relay->fds[FAR] = far;
	relay->connecting = connecting;
	*ret_relay = relay;
	return 0;
}

struct relay *relay_free(struct relay *relay)
{
	if (relay) {
		close(relay->fds[NEAR]);
		close(relay->fds[FAR]);
		free(relay);
	}
	return NULL;
}

static short wants(const struct relay *relay, int end)
{
	const struct way *from = &relay->ways[end], *to = &relay->ways[1 - end];
	short events = 0;

	if (relay->connecting)
		return end == FAR ? POLLOUT : 0;
	if (!from->ended && from->length == 0)
		events |= POLLIN;
	if (to->length > 0)
		events |= POLLOUT;
	return events;
}

void relay_wants(const struct relay *relay, struct pollfd ret_waits[static 2])
{
	for (int end = NEAR; end < ENDS; end++) {
		short events = wants(relay, end);

		/* An end that was closed would be told all the time, asked for or not. */
		ret_waits[end] = (struct pollfd){
		    .fd = events ? relay->fds[end] : -1,
		    .events = events,
		};
	}
}

static bool is_later(void)
{
	return errno == EAGAIN || errno == EINTR;
}

static int fill(struct way *way, int from)
{
	ssize_t got;

	if (way->ended || way->length > 0)
		return 0;
	got = recv(from, way->data, sizeof(way->data), 0);
	if (got < 0)
		return is_later() ? 0 : neg_errno();
	way->at = 0;
	way->length = (size_t)got;
	way->ended = got == 0;
	return 0;
}

static int drain(struct way *way, int to)
{
	ssize_t sent;

	if (way->length > 0) {
		sent = send(to, way->data + way->at, way->length, MSG_NOSIGNAL);
		if (sent < 0)
			return is_later() ? 0 : neg_errno();
		way->at += (size_t)sent;
		way->length -= (size_t)sent;
	}
	if (way->length == 0 && way->ended && !way->told) {
		/* Who has gone already need not be told. */
		if (shutdown(to, SHUT_WR) < 0 && errno != ENOTCONN)
			return neg_errno();
		way->told = true;
	}
	return 0;
}

/* Returns 1 (connected), 0 (not yet) or -errno. */
static int finish_connecting(struct relay *relay)
{
	struct pollfd wait = {.fd = relay->fds[FAR], .events = POLLOUT};
	socklen_t size = sizeof(int);
	int error = 0;

	if (poll(&wait, 1, 0) <= 0)
		return 0;
	if (getsockopt(relay->fds[FAR], SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		return neg_errno();
	relay->connecting = false;
	return error ? -error : 1;
}

int relay_step(struct relay *relay)
{
	int r = relay->connecting ? finish_connecting(relay) : 1;

	if (r <= 0)
		return r < 0 ? r : 1;
	for (int end = NEAR; end < ENDS; end++) {
		r = fill(&relay->ways[end], relay->fds[end]);
		if (r == 0)
			r = drain(&relay->ways[end], relay->fds[1 - end]);
		if (r < 0)
			return r;
	}
	return !(relay->ways[NEAR].told && relay->ways[FAR].told);
}
