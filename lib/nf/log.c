/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "log.h"

#include "codec.h"
#include "log_internal.h"
#include "socket.h"

#include <endian.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>

/* The kernel makes a message for each packet, so that a message that is lost is one packet. A small
 * one, so that many fit where they wait. */
#define PACKETS_A_MESSAGE 1
#define MESSAGE_BYTES     512

struct nf_log {
	struct nf_socket *socket;
	struct nf_log_track track;
};

struct nf_log *nf_log_close(struct nf_log *log)
{
	if (log) {
		nf_close(log->socket);
		free(log);
	}
	return NULL;
}

/* All in one message: what is told before it is set in full has no number. */
static int listen_to(struct nf_socket *socket, uint16_t group)
{
	const struct nfulnl_msg_config_cmd bind = {.command = NFULNL_CFG_CMD_BIND};
	const struct nfulnl_msg_config_mode mode = {.copy_range = htobe32(NF_LOG_BYTES),
						    .copy_mode = NFULNL_COPY_PACKET};
	AUTO_BUF struct buf message = {.cap = 256};
	struct nf_writer writer = {.out = &message};
	int r;

	nf_message_begin(&writer, NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG, NLM_F_ACK, AF_UNSPEC,
			 group);
	nf_put(&writer, NFULA_CFG_CMD, &bind, sizeof(bind));
	nf_put(&writer, NFULA_CFG_MODE, &mode, sizeof(mode));
	nf_put_u32(&writer, NFULA_CFG_NLBUFSIZ, MESSAGE_BYTES);
	nf_put_u32(&writer, NFULA_CFG_QTHRESH, PACKETS_A_MESSAGE);
	nf_put_u16(&writer, NFULA_CFG_FLAGS, NFULNL_CFG_F_SEQ);
	nf_message_end(&writer);
	r = nf_writer_finish(&writer);
	return r < 0 ? r : nf_request(socket, &message, NULL, NULL);
}

int nf_log_open(struct nf_log **ret_log)
{
	CLEANUP(nf_log_closep) struct nf_log *log = calloc(1, sizeof(*log));
	int on = 1, r;

	if (!log)
		return -ENOMEM;
	r = nf_open(&log->socket);
	if (r < 0)
		return r;
	/* Else, once full, it would take nothing until it is empty. What has no room is counted. */
	if (setsockopt(log->socket->fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, sizeof(on)) < 0)
		return neg_errno();
	r = listen_to(log->socket, NF_LOG_GROUP);
	if (r < 0)
		return r;
	*ret_log = TAKE_PTR(log);
	return 0;
}

int nf_log_descriptor(const struct nf_log *log)
{
	return log->socket->fd;
}

int nf_logged_read(const struct nf_message *message, struct nf_logged *ret_logged,
		   uint32_t *ret_number)
{
	struct nfulnl_msg_packet_hdr header;
	struct nf_logged logged = {0};
	struct nf_attributes attributes;
	struct nf_span bytes, value;
	int r = nf_message_family(message, &logged.family, &bytes);

	r = r < 0 ? r : nf_attributes_read(bytes, &attributes);
	r = r < 0 ? r : nf_read_u32(attributes.at[NFULA_SEQ], ret_number);
	if (r < 0)
		return r;
	value = attributes.at[NFULA_PACKET_HDR];
	if (value.len != sizeof(header))
		return -EBADMSG;
	memcpy(&header, value.data, sizeof(header));
	logged.ethertype = be16toh(header.hw_protocol);
	if (attributes.at[NFULA_IFINDEX_OUTDEV].data)
		r = nf_read_u32(attributes.at[NFULA_IFINDEX_OUTDEV], &logged.device);
	logged.owned = attributes.at[NFULA_UID].data;
	if (r == 0 && logged.owned)
		r = nf_read_u32(attributes.at[NFULA_UID], &logged.uid);
	if (r < 0)
		return r;
	logged.data = attributes.at[NFULA_PAYLOAD].data;
	logged.len = attributes.at[NFULA_PAYLOAD].len;
	*ret_logged = logged;
	return 0;
}

void nf_log_track(struct nf_log_track *track, uint32_t number)
{
	/* The kernel's numbers go round; more than half of the way is no gap, but one out of order.
	 */
	uint32_t gap = number - track->next;

	if (gap < UINT32_MAX / 2)
		track->lost += gap;
	track->told += (gap < UINT32_MAX / 2 ? gap : 0) + 1ull;
	track->next = number + 1;
}

int nf_log_read(struct nf_log *log, size_t most,
		void (*take)(const struct nf_logged *logged, void *data), void *data)
{
	for (size_t taken = 0; taken < most;) {
		struct nf_message message;
		struct nf_logged logged;
		struct nf_span bytes;
		uint32_t number;
		int r = nf_socket_receive(log->socket, false, &bytes);

		/* What did not fit is a gap to the next. */
		if (r == -ENOBUFS || r == -EMSGSIZE)
			continue;
		if (r < 0)
			return r == -EAGAIN ? 0 : r;
		while (nf_message_next(&bytes, &message) > 0) {
			if (message.type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET))
				continue;
			taken++;
			/* What cannot be read is a gap to the next, and so it is counted. */
			if (nf_logged_read(&message, &logged, &number) < 0)
				continue;
			nf_log_track(&log->track, number);
			take(&logged, data);
		}
	}
	return 0;
}

struct nf_log_counts nf_log_count(const struct nf_log *log)
{
	struct nf_log_counts counts = {.told = log->track.told, .lost = log->track.lost};
	uint32_t memory[SK_MEMINFO_VARS] = {0};
	socklen_t size = sizeof(memory);

	/* Of those that were lost last no gap tells yet. */
	if (getsockopt(log->socket->fd, SOL_SOCKET, SO_MEMINFO, memory, &size) == 0 &&
	    memory[SK_MEMINFO_DROPS] > counts.lost) {
		counts.told += memory[SK_MEMINFO_DROPS] - counts.lost;
		counts.lost = memory[SK_MEMINFO_DROPS];
	}
	return counts;
}
