/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "events.h"

#include "socket.h"

#include <ctype.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

int nf_events_open(struct nf_socket **ret_socket)
{
	CLEANUP(nf_closep) struct nf_socket *socket = NULL;
	int group = NFNLGRP_NFTABLES;
	int r = nf_open(&socket);

	if (r < 0)
		return r;
	if (setsockopt(socket->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return neg_errno();
	*ret_socket = TAKE_PTR(socket);
	return 0;
}

int nf_descriptor(const struct nf_socket *socket)
{
	return socket->fd;
}

uint32_t nf_port(const struct nf_socket *socket)
{
	return mnl_socket_get_portid(socket->mnl);
}

static int change_read(const struct nf_message *message, struct nf_change *ret_change)
{
	struct nf_change change = {.port = message->port};
	struct nf_attributes attributes;
	struct nf_span bytes;
	uint8_t family;
	int r;

	r = nf_message_family(message, &family, &bytes);
	r = r < 0 ? r : nf_attributes_read(bytes, &attributes);
	r = r < 0 ? r : nf_read_u32(attributes.at[NFTA_GEN_ID], &change.generation);
	if (r < 0)
		return r;
	/* Who it was is good to know, and nothing rests on it. */
	if (nf_read_u32(attributes.at[NFTA_GEN_PROC_PID], &change.pid) < 0 ||
	    nf_read_text(attributes.at[NFTA_GEN_PROC_NAME], change.comm, sizeof(change.comm)) < 0)
		change.comm[0] = '\0';
	for (char *at = change.comm; *at; at++)
		if (!isprint((unsigned char)*at))
			*at = '?';
	*ret_change = change;
	return 0;
}

int nf_events_read(struct nf_socket *socket,
		   void (*visit)(const struct nf_change *change, void *data), void *data)
{
	bool lost = false;

	for (;;) {
		struct nf_message message;
		struct nf_change change;
		struct nf_span bytes;
		int r = nf_socket_receive(socket, false, &bytes), more;

		if (r == -EAGAIN)
			return lost ? -ENOBUFS : 0;
		if (r == -ENOBUFS || r == -EMSGSIZE)
			lost = true;
		else if (r < 0)
			return r;
		if (r < 0)
			continue;
		while ((more = nf_message_next(&bytes, &message)) > 0) {
			if (message.type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN))
				continue;
			if (change_read(&message, &change) == 0)
				visit(&change, data);
			else
				lost = true;
		}
		lost = lost || more < 0;
	}
}
