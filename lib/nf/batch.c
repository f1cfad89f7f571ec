/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "codec.h"
#include "socket.h"

#include <endian.h>
#include <string.h>
#include <time.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

/* BEGIN or END, of our subsystem, with nothing in it (a generation to match would be an attribute).
 */
static bool is_bracket(const struct nf_message *message, uint16_t type)
{
	const uint16_t resource = htobe16(NFNL_SUBSYS_NFTABLES);

	return message->type == type && message->flags == NLM_F_REQUEST &&
	       message->payload.len == NF_FAMILY_LEN &&
	       memcmp(message->payload.data + offsetof(struct nfgenmsg, res_id), &resource,
		      sizeof(resource)) == 0;
}

int nf_batch_walk(struct nf_span batch, struct nf_message *ret_last)
{
	struct nf_message message, last = {0};
	uint32_t sequence;

	if (nf_message_next(&batch, &message) <= 0 || !is_bracket(&message, NFNL_MSG_BATCH_BEGIN))
		return -EBADMSG;
	sequence = message.sequence;
	for (;;) {
		/* Answers are told apart by these numbers. */
		if (nf_message_next(&batch, &message) <= 0 || message.sequence <= sequence)
			return -EBADMSG;
		sequence = message.sequence;
		if (message.type >> 8 != NFNL_SUBSYS_NFTABLES)
			break;
		last = message;
	}
	if (!is_bracket(&message, NFNL_MSG_BATCH_END) || batch.len > 0 || !(last.flags & NLM_F_ACK))
		return -EBADMSG;
	if (ret_last)
		*ret_last = last;
	return 0;
}

/* ---- words for a refusal ---- */

static const struct {
	uint16_t message;
	const char *what;
	uint16_t table, name; /* attributes; 0 for none */
} kinds[] = {
    {NFT_MSG_NEWTABLE, "table", NFTA_TABLE_NAME, 0},
    {NFT_MSG_DELTABLE, "removal of table", NFTA_TABLE_NAME, 0},
    {NF_DESTROY_TABLE, "removal of table", NFTA_TABLE_NAME, 0},
    {NFT_MSG_NEWCHAIN, "chain", NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME},
    {NFT_MSG_NEWSET, "set", NFTA_SET_TABLE, NFTA_SET_NAME},
    {NFT_MSG_NEWSETELEM, "elements of set", NFTA_SET_ELEM_LIST_TABLE, NFTA_SET_ELEM_LIST_SET},
    {NFT_MSG_NEWRULE, "rule in chain", NFTA_RULE_TABLE, NFTA_RULE_CHAIN},
};

struct subject {
	unsigned index;
	const char *what;
	char table[RULESET_NAME_MAX + 1], name[RULESET_NAME_MAX + 1];
};

static void subject_describe(const struct nf_message *message, struct subject *subject)
{
	struct nf_attributes attributes;
	struct nf_span bytes;
	uint8_t family;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (message->type != (NFNL_SUBSYS_NFTABLES << 8 | kinds[i].message))
			continue;
		subject->what = kinds[i].what;
		if (nf_message_family(message, &family, &bytes) < 0 ||
		    nf_attributes_read(bytes, &attributes) < 0)
			return;
		/* A name that cannot be shown stays empty. */
		(void)!nf_read_text(attributes.at[kinds[i].table], subject->table,
				    sizeof(subject->table));
		if (kinds[i].name)
			(void)!nf_read_text(attributes.at[kinds[i].name], subject->name,
					    sizeof(subject->name));
	}
}

/* What the message with number @sequence in @batch is about. */
static struct subject subject_find(struct nf_span batch, uint32_t sequence)
{
	struct subject subject = {.what = "batch"};
	struct nf_message message;

	for (unsigned i = 0; nf_message_next(&batch, &message) > 0; i++) {
		if (message.sequence != sequence)
			continue;
		subject.index = i;
		subject_describe(&message, &subject);
		break;
	}
	return subject;
}

static void complain(struct diag *diag, struct nf_span batch, uint32_t sequence, int error,
		     const char *text)
{
	struct subject subject = subject_find(batch, sequence);
	const char *description = strerrordesc_np(-error);

	diag_set(diag, "", 0, 0, "the kernel refused message %u of the batch (%s%s%s%s%s): %s%s%s",
		 subject.index, subject.what, subject.name[0] ? " " : "", subject.name,
		 subject.table[0] ? (subject.name[0] ? " of table " : " ") : "", subject.table,
		 description ? description : "unknown error", text[0] ? ": " : "", text);
	if (error == -EPERM)
		diag_hint(diag, "another process may own the table, or the right to change the "
				"network (CAP_NET_ADMIN) is missing");
}

/* ---- sending ---- */

struct verdict {
	int error; /* the first */
	bool acknowledged, lost;
};

static void answers_note(struct nf_span bytes, struct nf_span batch, uint32_t last,
			 struct verdict *verdict, struct diag *diag)
{
	struct nf_message answer;
	char text[256];
	int error;

	while (nf_message_next(&bytes, &answer) > 0) {
		if (answer.type != NLMSG_ERROR ||
		    nf_answer_read(&answer, &error, text, sizeof(text)) < 0)
			continue;
		if (error && !verdict->error) {
			verdict->error = error;
			complain(diag, batch, answer.sequence, error, text);
		}
		if (!error && answer.sequence == last)
			verdict->acknowledged = true;
	}
}

/*
 * The kernel works a batch off inside the call that sends it, so every answer is there when the
 * call returns and nothing has to be waited for. If the acknowledgement of the last message is
 * missing then, answers were lost, and nobody knows.
 */
static int answers_collect(struct nf_socket *socket, struct nf_span batch, uint32_t last,
			   struct diag *diag)
{
	struct verdict verdict = {0};
	struct nf_span bytes;
	int r;

	while ((r = nf_socket_receive(socket, false, &bytes)) != -EAGAIN) {
		if (r == -ENOBUFS || r == -EMSGSIZE)
			verdict.lost = true;
		else if (r < 0)
			break;
		else
			answers_note(bytes, batch, last, &verdict, diag);
	}
	if (verdict.error)
		return verdict.error;
	if (r == -EAGAIN && verdict.acknowledged && !verdict.lost)
		return 0;
	diag_set(diag, "", 0, 0, "the kernel's answers to the batch were lost");
	return -ENOBUFS;
}

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t nf_batch_time(const struct nf_socket *socket)
{
	return socket->batch_time;
}

int nf_batch_send(struct nf_socket *socket, const void *batch, size_t len, struct diag *diag)
{
	struct nf_span bytes = {batch, len};
	struct nf_message last;
	int r;

	/* The kernel throws a batch without an end away in silence. */
	r = nf_batch_walk(bytes, &last);
	if (r < 0) {
		diag_set(diag, "", 0, 0, "these bytes are not a batch");
		return r;
	}
	r = nf_socket_drain(socket);
	if (r == 0)
		r = nf_socket_grow(socket, len);
	if (r == 0)
		r = nf_socket_send(socket, batch, len);
	if (r < 0) {
		const char *description = strerrordesc_np(-r);

		diag_set(diag, "", 0, 0, "cannot send a batch of %zu bytes: %s", len,
			 description ? description : "unknown error");
		return r;
	}
	r = answers_collect(socket, bytes, last.sequence, diag);
	if (r == 0)
		socket->batch_time = now_us();
	return r;
}
