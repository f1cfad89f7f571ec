/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ask.h"

#include <string.h>
#include <sys/types.h>

#include <torctl/client.h>

#include "date.h"
#include "peer.h"
#include "set.h"

#define TOR_MS	 10000u
#define SET_TIME (50 * CLOCK_NS) /* less than the setter would still take the message after */

int ask_network(const char *path, int asker, struct judge_round *ret_round)
{
	struct judge_round round = {.begun = clock_now().boot};
	unsigned char bytes[RECORD_BYTES];
	AUTO_CLOSE int fd = -EBADF;
	struct record record;
	int r = peer_connect(path, &fd);

	if (r < 0)
		return r;
	while (!round.ended) {
		ssize_t got = peer_receive_for(asker, fd, bytes, sizeof(bytes),
					       round.begun + JUDGE_ROUND_MAX);

		if (got == -ECANCELED)
			return -ECANCELED;
		if (got <= 0 || record_read(bytes, (size_t)got, &record) < 0 ||
		    judge_take(&round, &record, clock_now().boot) < 0) {
			round.ended = false;
			break;
		}
	}
	*ret_round = round;
	return 0;
}

static int get_time(struct torctl *torctl, const char *key, int64_t *ret_seconds)
{
	AUTO_FREE char *value = NULL;
	int r = torctl_getinfo(torctl, key, &value);

	/* Without a consensus Tor gives an empty value, or an error that says so. */
	if (r == -EREMOTEIO || (r == 0 && !value[0]))
		return -ENODATA;
	if (r < 0)
		return r;
	return date_parse_iso(value, strlen(value), ret_seconds) < 0 ? -EBADMSG : 0;
}

int ask_consensus(const char *path, struct judge_consensus *ret_consensus)
{
	CLEANUP(torctl_closep) struct torctl *torctl = NULL;
	struct judge_consensus consensus;
	const struct torctl_reply *reply;
	int r = torctl_open(path, TOR_MS, &torctl);

	/* Who we are the gate knows from the kernel. */
	if (r == 0)
		r = torctl_command(torctl, "AUTHENTICATE", &reply);
	if (r == 0 && reply->lines[0].code != 250)
		r = -EACCES;
	if (r == 0)
		r = get_time(torctl, "consensus/valid-after", &consensus.valid_after);
	if (r == 0)
		r = get_time(torctl, "consensus/fresh-until", &consensus.fresh_until);
	if (r == 0)
		r = get_time(torctl, "consensus/valid-until", &consensus.valid_until);
	if (r == 0)
		*ret_consensus = consensus;
	return r;
}

int ask_set(const char *path, int64_t real, int64_t boot)
{
	struct set_message message = {.real = real, .boot = boot};
	unsigned char out[SET_MESSAGE_BYTES], in[SET_ANSWER_BYTES];
	AUTO_CLOSE int fd = -EBADF;
	ssize_t got;
	int r = peer_connect(path, &fd), result;

	set_message_write(&message, out);
	if (r == 0)
		r = peer_send(fd, out, sizeof(out));
	if (r < 0)
		return r;
	got = peer_receive(fd, in, sizeof(in), clock_now().boot + SET_TIME);
	if (got < 0)
		return (int)got;
	r = set_answer_read(in, (size_t)got, &result);
	return r < 0 ? r : result;
}
