/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "codec.h"
#include "socket.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#define REQUEST_BYTES_MAX 1024

static int generation_visit(const struct nf_message *message, void *data)
{
	uint32_t *generation = data;
	struct nf_attributes attributes;
	struct nf_span bytes;
	uint8_t family;
	int r;

	if (message->type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN))
		return -EBADMSG;
	r = nf_message_family(message, &family, &bytes);
	if (r < 0)
		return r;
	r = nf_attributes_read(bytes, &attributes);
	if (r < 0)
		return r;
	return nf_read_u32(attributes.at[NFTA_GEN_ID], generation);
}

int nf_generation(struct nf_socket *socket, uint32_t *ret_generation)
{
	AUTO_BUF struct buf request = {.cap = REQUEST_BYTES_MAX};
	struct nf_writer writer = {.out = &request};
	uint32_t generation = 0;
	int r;

	nf_message_begin(&writer, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN, NLM_F_ACK, 0, 0);
	nf_message_end(&writer);
	r = nf_writer_finish(&writer);
	if (r < 0)
		return r;
	r = nf_request(socket, &request, generation_visit, &generation);
	if (r < 0)
		return r;
	if (generation == 0)
		return -EBADMSG;
	*ret_generation = generation;
	return 0;
}

/* ---- whether it is in force ---- */

/* The first refusal of @sequence among the answers that @bytes are: -errno; 0 for none. */
static int refusal_find(struct nf_span bytes, uint32_t sequence)
{
	struct nf_message answer;
	char text[8];
	int error, r;

	while ((r = nf_message_next(&bytes, &answer)) > 0) {
		if (answer.sequence != sequence || answer.type != NLMSG_ERROR)
			continue;
		r = nf_answer_read(&answer, &error, text, sizeof(text));
		if (r < 0 || error)
			return r < 0 ? r : error;
	}
	return r;
}

/* The same among all that have come already. */
static int refusal_read(struct nf_socket *socket, uint32_t sequence)
{
	struct nf_span bytes;
	int refusal = 0, r;

	while ((r = nf_socket_receive(socket, false, &bytes)) == 0)
		refusal = refusal ? refusal : refusal_find(bytes, sequence);
	return r == -EAGAIN ? refusal : r;
}

int nf_generation_settled(struct nf_socket *socket, uint32_t generation)
{
	uint32_t sequence = socket->sequence + 1;
	AUTO_BUF struct buf batch = {.cap = REQUEST_BYTES_MAX};
	struct nf_writer writer = {.out = &batch, .sequence = sequence};
	int r;

	nf_message_begin(&writer, NFNL_MSG_BATCH_BEGIN, 0, 0, NFNL_SUBSYS_NFTABLES);
	nf_put_u32(&writer, NFNL_BATCH_GENID, generation);
	nf_message_end(&writer);
	nf_message_begin(&writer, NFNL_MSG_BATCH_END, 0, 0, NFNL_SUBSYS_NFTABLES);
	nf_message_end(&writer);
	r = nf_writer_finish(&writer);
	r = r < 0 ? r : nf_socket_drain(socket);
	socket->sequence = writer.sequence;
	/* The kernel deals with a batch before the call returns: its refusal is there, or there is
	 * none. It answers an empty one that it took with nothing. */
	r = r < 0 ? r : nf_socket_send(socket, batch.data, batch.len);
	r = r < 0 ? r : refusal_read(socket, sequence);
	return r == -ERESTART ? -EAGAIN : r;
}
