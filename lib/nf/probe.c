/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "codec.h"
#include "socket.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#define PROBE_BYTES_MAX 1024
#define PROBE_TABLE     "lethe-probe"

/* What is asked about: flags of a table, or else an attribute that names devices. */
struct question {
	uint32_t flags;
	uint16_t attribute;
};

static void begin(struct nf_writer *writer, uint16_t message, uint16_t flags)
{
	nf_message_begin(writer, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | message), flags,
			 RULESET_NETDEV, 0);
}

static void table_write(struct nf_writer *writer, const struct question *question)
{
	begin(writer, NFT_MSG_NEWTABLE, question->flags ? NLM_F_CREATE | NLM_F_ACK : NLM_F_CREATE);
	nf_put_text(writer, NFTA_TABLE_NAME, PROBE_TABLE);
	if (question->flags)
		nf_put_u32(writer, NFTA_TABLE_FLAGS, question->flags);
	nf_message_end(writer);
}

static void chain_write(struct nf_writer *writer, const struct question *question)
{
	begin(writer, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_ACK);
	nf_put_text(writer, NFTA_CHAIN_TABLE, PROBE_TABLE);
	nf_put_text(writer, NFTA_CHAIN_NAME, PROBE_TABLE);
	nf_put_text(writer, NFTA_CHAIN_TYPE, "filter");
	nf_nest_begin(writer, NFTA_CHAIN_HOOK);
	nf_put_u32(writer, NFTA_HOOK_HOOKNUM, NF_NETDEV_INGRESS);
	nf_put_u32(writer, NFTA_HOOK_PRIORITY, 0);
	nf_nest_begin(writer, NFTA_HOOK_DEVS);
	nf_put_text(writer, question->attribute, "");
	nf_nest_end(writer);
	nf_nest_end(writer);
	nf_message_end(writer);
}

/* What is asked about, and last what cannot succeed: removing a set from the table, which has none.
 * So the transaction is never carried out. */
static int probe_build(const struct question *question, struct buf *out)
{
	struct nf_writer writer = {.out = out};

	nf_batch_begin(&writer);
	table_write(&writer, question);
	if (!question->flags)
		chain_write(&writer, question);
	begin(&writer, NFT_MSG_DELSET, 0);
	nf_put_text(&writer, NFTA_SET_TABLE, PROBE_TABLE);
	nf_put_text(&writer, NFTA_SET_NAME, PROBE_TABLE);
	nf_message_end(&writer);
	return nf_batch_end(&writer);
}

struct answers {
	uint32_t asked; /* the number of the message that is the question; the next one aborts */
	bool answered, aborted;
	int error, other_error;
};

static void answers_note(struct nf_span bytes, struct answers *answers)
{
	struct nf_message answer;
	char text[8];
	int error;

	while (nf_message_next(&bytes, &answer) > 0) {
		if (answer.type != NLMSG_ERROR ||
		    nf_answer_read(&answer, &error, text, sizeof(text)) < 0)
			continue;
		if (answer.sequence == answers->asked) {
			answers->answered = true;
			answers->error = error;
		} else if (answer.sequence == answers->asked + 1 && error == -ENOENT) {
			answers->aborted = true;
		} else if (error && !answers->other_error) {
			answers->other_error = error;
		}
	}
}

/* @refusal: the error that says no. */
static int ask(struct nf_socket *socket, const struct question *question, int refusal,
	       bool *ret_supported)
{
	AUTO_BUF struct buf batch = {.cap = PROBE_BYTES_MAX};
	struct answers answers = {.asked = question->flags ? 1 : 2};
	struct nf_span bytes;
	int r;

	r = probe_build(question, &batch);
	r = r < 0 ? r : nf_socket_drain(socket);
	r = r < 0 ? r : nf_socket_send(socket, batch.data, batch.len);
	while (r == 0) {
		r = nf_socket_receive(socket, false, &bytes);
		if (r == 0)
			answers_note(bytes, &answers);
	}
	if (r != -EAGAIN)
		return r;
	if (answers.other_error)
		return answers.other_error;
	if (!answers.answered || !answers.aborted)
		return -EIO;
	if (answers.error && answers.error != refusal)
		return answers.error;
	*ret_supported = answers.error == 0;
	return 0;
}

int nf_probe_device_attribute(struct nf_socket *socket, uint16_t attribute, bool *ret_supported)
{
	return ask(socket, &(struct question){.attribute = attribute}, -EINVAL, ret_supported);
}

int nf_probe_table_flags(struct nf_socket *socket, uint32_t flags, bool *ret_supported)
{
	return ask(socket, &(struct question){.flags = flags}, -EOPNOTSUPP, ret_supported);
}

int nf_probe_device_prefix(struct nf_socket *socket, bool *ret_supported)
{
	return nf_probe_device_attribute(socket, NF_DEVICE_PREFIX, ret_supported);
}
