/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Who comes, and how many. This process reads no byte of a client's and none of Tor's: it asks the kernel
 * whose a connection is, and splits off a process for it.
 */
#include "gate.h"

#include <assert.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include <base/num.h>
#include <os/sockets.h>

#define GUESTS_MAX	64  /* connections in all */
#define GUESTS_OF_USER	24  /* of one user */
#define BURST		32  /* of one user at once, and then */
#define REFILL_MS	100 /* one more in this time */
#define BACKLOG		128
#define FIRST_FD	3 /* of those that the service manager gives */

struct lane {
	uint32_t uid;
	unsigned guests;
	unsigned credit;
	uint64_t refilled; /* ms; 0: this lane is nobody's */
};

struct house {
	struct {
		pid_t pid; /* 0: free */
		struct lane *lane;
	} guests[GUESTS_MAX];
	struct lane lanes[GUESTS_MAX + 1]; /* so that one is always free of guests */
};

static uint64_t now_ms(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- opening ---- */

static int listen_unix(const char *path, int *ret_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return neg_errno();
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    chmod(path, 0666) < 0 || listen(fd, BACKLOG) < 0)
		return neg_errno();
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int listen_tcp(uint16_t port, int *ret_fd)
{
	const struct sockaddr_in address = { .sin_family = AF_INET,
					     .sin_port = htons(port),
					     .sin_addr = { htonl(INADDR_LOOPBACK) } };
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, BACKLOG) < 0)
		return neg_errno();
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* Of what the service manager gave: a stream socket that listens, UNIX or at a loopback address. */
static int check_listener(int fd)
{
	struct sockaddr_storage address = { 0 };
	socklen_t size = sizeof(address), number = sizeof(int);
	int type = 0, listens = 0, flags = fcntl(fd, F_GETFL);

	if (flags < 0 || getsockname(fd, (struct sockaddr *)&address, &size) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &number) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &number) < 0 ||
	    fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return neg_errno();
	if (type != SOCK_STREAM || !listens)
		return -EINVAL;
	if (address.ss_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, &address, sizeof(in));
		return ntohl(in.sin_addr.s_addr) == INADDR_LOOPBACK ? 0 : -EINVAL;
	}
	return address.ss_family == AF_UNIX ? 0 : -EINVAL;
}

/* sd_listen_fds(3)'s protocol. */
static int take_given(struct door *door)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	uint64_t number = 0, whose = 0;
	int r = 0;

	if (!pid || !count || num_parse_u64(pid, INT32_MAX, &whose) < 0 ||
	    (pid_t)whose != getpid() || num_parse_u64(count, GATE_LISTENERS_MAX, &number) < 0)
		return -ENOENT;
	for (uint64_t i = 0; i < number && r == 0; i++) {
		int fd = FIRST_FD + (int)i;

		r = check_listener(fd);
		door->listeners[door->listener_count++] = fd;
	}
	return r == 0 && number == 0 ? -ENOENT : r;
}

static int open_listeners(struct door *door)
{
	const struct options *options = door->options;
	int r = 0;

	if (!options->listen && !options->port)
		return take_given(door);
	if (options->listen)
		r = listen_unix(options->listen, &door->listeners[door->listener_count++]);
	if (r == 0 && options->port)
		r = listen_tcp(options->port, &door->listeners[door->listener_count++]);
	return r;
}

int door_open(struct door *door)
{
	int r = open_listeners(door);

	if (r < 0) {
		gate_complain(r, "there is no socket to listen at");
		return r;
	}
	door->folder = open(door->options->tor, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (door->folder < 0) {
		r = neg_errno();
		gate_complain(r, door->options->tor);
		return r;
	}
	door->opened = now_ms();
	door->shared = mmap(NULL, sizeof(*door->shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return door->shared == MAP_FAILED ? neg_errno() : sockets_peer_open(&door->diag);
}

/* ---- who it is ---- */

static int identify(const struct door *door, int connection, uint32_t *ret_uid)
{
	struct sockaddr_storage address = { 0 };
	socklen_t size = sizeof(address);
	struct ucred peer;

	if (getsockname(connection, (struct sockaddr *)&address, &size) < 0)
		return neg_errno();
	if (address.ss_family != AF_UNIX)
		return sockets_peer_owner(door->diag, connection, ret_uid);
	size = sizeof(peer);
	if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return neg_errno();
	if (size != sizeof(peer))
		return -EPERM;
	*ret_uid = peer.uid;
	return 0;
}

static struct lane *find_lane(struct house *house, uint32_t uid, uint64_t now)
{
	struct lane *oldest = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(house->lanes); i++) {
		struct lane *lane = &house->lanes[i];

		if (lane->refilled && lane->uid == uid)
			return lane;
		if (lane->guests == 0 && (!oldest || lane->refilled < oldest->refilled))
			oldest = lane;
	}
	assert(oldest);
	*oldest = (struct lane){ .uid = uid, .credit = BURST, .refilled = now };
	return oldest;
}

static bool take_credit(struct lane *lane, uint64_t now)
{
	uint64_t more = (now - lane->refilled) / REFILL_MS;

	lane->refilled += more * REFILL_MS;
	lane->credit = more > BURST - lane->credit ? BURST : lane->credit + (unsigned)more;
	if (lane->credit == 0)
		return false;
	lane->credit--;
	return true;
}

/* ---- a connection ---- */

/* A reply to nothing: whoever asks first reads it. It is not waited for. */
static void turn_away(int connection, const char *reply)
{
	ssize_t sent = send(connection, reply, strlen(reply), MSG_DONTWAIT | MSG_NOSIGNAL);

	(void)sent;
}

_Noreturn static void be_guest(const struct door *door, int connection, pid_t parent,
			       const struct rights *rights)
{
	/* Nothing of the door's is left to this process but what it needs. */
	for (size_t i = 0; i < door->listener_count; i++)
		close(door->listeners[i]);
	close(door->diag);
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != parent)
		_exit(EXIT_FAILURE);
	guest_serve(door, connection, rights);
	_exit(EXIT_SUCCESS);
}

static void let_in(const struct door *door, struct house *house, int connection, uint32_t uid)
{
	static struct rights rights;
	struct lane *lane;
	pid_t parent = getpid(), pid;
	size_t place = 0;

	if (grants_of(&door->grants, uid, &rights) < 0) {
		turn_away(connection, "510 Not granted: nothing is, to this user\r\n");
		return;
	}
	lane = find_lane(house, uid, now_ms());
	while (place < GUESTS_MAX && house->guests[place].pid)
		place++;
	if (place == GUESTS_MAX || lane->guests >= GUESTS_OF_USER || !take_credit(lane, now_ms())) {
		turn_away(connection, "451 Too many connections\r\n");
		return;
	}
	pid = fork();
	if (pid == 0)
		be_guest(door, connection, parent, &rights);
	if (pid < 0) {
		turn_away(connection, "451 There is no process for this connection\r\n");
		return;
	}
	house->guests[place].pid = pid;
	house->guests[place].lane = lane;
	lane->guests++;
}

static int take_connections(const struct door *door, struct house *house, int listener)
{
	/* So many at a time, so that no listener waits for another's crowd. */
	for (unsigned i = 0; i < GUESTS_MAX; i++) {
		AUTO_CLOSE int connection =
			accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		uint32_t uid = UINT32_MAX;

		if (connection < 0)
			return errno == EAGAIN || errno == ECONNABORTED || errno == EINTR ||
					       errno == EMFILE || errno == ENFILE ||
					       errno == ENOBUFS || errno == ENOMEM
				       ? 0
				       : neg_errno();
		if (identify(door, connection, &uid) == 0)
			let_in(door, house, connection, uid);
		else
			turn_away(connection, "510 Not granted: it cannot be told who asks\r\n");
	}
	return 0;
}

/* ---- the loop ---- */

static void see_out(const struct door *door, struct house *house)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {
		turn_give_back(&door->shared->turn, pid);
		for (size_t i = 0; i < GUESTS_MAX; i++) {
			if (house->guests[i].pid != pid)
				continue;
			house->guests[i].pid = 0;
			house->guests[i].lane->guests--;
		}
	}
}

/* True if it was told to end. */
static bool take_signals(const struct door *door, struct house *house)
{
	struct signalfd_siginfo info;
	bool ended = false;

	while (read(door->signals, &info, sizeof(info)) == sizeof(info))
		ended |= info.ssi_signo != SIGCHLD;
	see_out(door, house);
	return ended;
}

int door_serve(struct door *door)
{
	static struct house house;
	struct pollfd wait[GATE_LISTENERS_MAX + 1] = { 0 };
	struct stat folder;
	int r = 0;

	for (size_t i = 0; i < door->listener_count; i++)
		wait[i] = (struct pollfd){ .fd = door->listeners[i], .events = POLLIN };
	wait[door->listener_count] = (struct pollfd){ .fd = door->signals, .events = POLLIN };
	while (r == 0) {
		if (poll(wait, door->listener_count + 1, -1) < 0 && errno != EINTR)
			return neg_errno();
		if (wait[door->listener_count].revents && take_signals(door, &house))
			return 0;
		/* Where the folder was replaced, the cookie in it is no longer Tor's. */
		if (fstat(door->folder, &folder) < 0 || folder.st_nlink == 0)
			return -ESTALE;
		for (size_t i = 0; i < door->listener_count && r == 0; i++)
			if (wait[i].revents)
				r = take_connections(door, &house, door->listeners[i]);
	}
	return r;
}
