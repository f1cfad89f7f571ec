/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One client, in a process of its own. It connects to Tor and shows the cookie, forgets it, gives up
 * every system call but for what is open, and only then reads the client's first byte. What a client
 * that takes this process over has is this client's connection to Tor.
 */
#include "gate.h"

#include "absence.h"
#include "farewell.h"
#include "session.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <os/sandbox.h>
#include <torctl/client.h>

#define TOR_MS	      10000 /* for authenticating */
#define CLIENT_BYTES  4096
#define TOR_BYTES     16384

struct guest {
	struct session *session;
	int client, tor, signals;
	char bytes[CLIENT_BYTES]; /* of the client, that the session has not taken */
	size_t count;
	bool client_ended, told_to_end;
};

/* ---- Tor ---- */

static int connect_tor(const char *folder, int *ret_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return neg_errno();
	if ((size_t)snprintf(address.sun_path, sizeof(address.sun_path), "%s/control", folder) >=
	    sizeof(address.sun_path))
		return -ENAMETOOLONG;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return neg_errno();
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* The cookie is read and forgotten inside torctl_authenticate(). */
static int authenticate(int tor, int folder, const char *name)
{
	AUTO_CLOSE int cookie =
		openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	CLEANUP(torctl_closep) struct torctl *torctl = NULL;
	AUTO_CLOSE int copy = -EBADF;
	int r;

	if (cookie < 0)
		return neg_errno();
	copy = dup(tor);
	if (copy < 0)
		return neg_errno();
	r = torctl_adopt(copy, TOR_MS, &torctl);
	if (r < 0)
		return r;
	copy = -EBADF;
	return torctl_authenticate(torctl, cookie);
}

/* Nobody is let through: the client is told why, and that is all. */
static void turn_away(const struct door *door, int client, int tor, int error)
{
	char words[SESSION_LINE_MAX];
	enum torctl_absence absence =
		absence_of(error, tor >= 0, atomic_load(&door->shared->met_tor),
			   guest_now() - door->opened);

	snprintf(words, sizeof(words), "451 %s\r\n", torctl_absence_words(absence));
	farewell(NULL, words, client, tor);
}

/* ---- bytes ---- */

static void read_client(struct guest *guest)
{
	ssize_t got = recv(guest->client, guest->bytes + guest->count,
			   sizeof(guest->bytes) - guest->count, MSG_DONTWAIT);

	if (got > 0)
		guest->count += (size_t)got;
	else if (got == 0)
		guest->client_ended = true;
	else if (errno != EAGAIN && errno != EINTR)
		session_client_ended(guest->session);
}

static void read_tor(struct guest *guest)
{
	char bytes[TOR_BYTES];
	ssize_t got = recv(guest->tor, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (got > 0)
		session_tor(guest->session, bytes, (size_t)got, guest_now());
	else if (got == 0 || (errno != EAGAIN && errno != EINTR))
		session_tor_ended(guest->session);
}

/* Give the session what it will take, and see whether the client's last word was said. */
static void hand_over(struct guest *guest)
{
	size_t taken;

	if (guest->count > 0 && session_listens(guest->session)) {
		taken = session_client(guest->session, guest->bytes, guest->count, guest_now());
		guest->count -= taken;
		memmove(guest->bytes, guest->bytes + taken, guest->count);
	}
	if (guest->client_ended && guest->count == 0 && session_listens(guest->session))
		session_client_ended(guest->session);
}

static bool wants_client(const struct guest *guest)
{
	return !guest->client_ended && guest->count < sizeof(guest->bytes) &&
	       session_listens(guest->session);
}

static void react(struct guest *guest, const struct pollfd wait[static 3])
{
	struct session *session = guest->session;
	size_t before;

	if (wait[2].revents) {
		session_client_ended(session);
		return;
	}
	if (wait[1].revents & (POLLIN | POLLHUP | POLLERR))
		read_tor(guest);
	if (wait[0].revents & POLLIN)
		read_client(guest);
	else if (wait[0].revents & (POLLHUP | POLLERR))
		session_client_ended(session);
	if (!guest_write(guest->tor, session_for_tor(session)))
		session_tor_ended(session);
	/* What Tor has just said waits for the client too: also when it is taken at once, it was taken. */
	before = outlet_length(session_for_client(session));
	if (!guest_write(guest->client, session_for_client(session)))
		session_client_ended(session);
	if (outlet_length(session_for_client(session)) < before)
		session_progress(session, guest_now());
}

static void one_round(struct guest *guest)
{
	struct session *session = guest->session;
	struct pollfd wait[3];

	hand_over(guest);
	wait[0] = (struct pollfd){ .fd = guest->client };
	wait[1] = (struct pollfd){ .fd = guest->tor, .events = POLLIN };
	wait[2] = (struct pollfd){ .fd = guest->signals, .events = POLLIN };
	if (wants_client(guest))
		wait[0].events |= POLLIN;
	if (outlet_length(session_for_client(session)) > 0)
		wait[0].events |= POLLOUT;
	if (outlet_length(session_for_tor(session)) > 0)
		wait[1].events |= POLLOUT;
	if (session_ended(session))
		return;
	if (poll(wait, ARRAY_SIZE(wait), guest_timeout(session_due(session))) < 0 && errno != EINTR)
		session_client_ended(session);
	session_tick(session, guest_now());
	react(guest, wait);
}

void guest_serve(const struct door *door, int client, const struct rights *rights)
{
	const struct session_guest whose = { .rights = rights,
					     .turn = &door->shared->turn,
					     .self = getpid() };
	struct guest guest = { .client = client, .tor = -EBADF, .signals = door->signals };
	CLEANUP(session_freep) struct session *session = NULL;
	AUTO_CLOSE int tor = -EBADF;
	int r = connect_tor(door->options->tor, &tor);

	if (r == 0)
		r = authenticate(tor, door->folder, door->options->cookie);
	guest.tor = tor;
	close(door->folder);
	if (sandbox_opened_only() < 0)
		return;
	if (r == 0) {
		atomic_store(&door->shared->met_tor, true);
		r = session_new(&whose, guest_now(), &session);
	}
	if (r < 0) {
		turn_away(door, client, tor, r);
		return;
	}
	guest.session = session;
	while (!session_ended(session))
		one_round(&guest);
	farewell(session, NULL, client, tor);
}
