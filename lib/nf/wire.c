/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wire.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

static_assert(sizeof(struct nlmsghdr) == NF_HEADER_LEN, "layout");
static_assert(sizeof(struct nfgenmsg) == NF_FAMILY_LEN, "layout");
static_assert(sizeof(struct nlattr) == NF_ATTRIBUTE_LEN, "layout");

static size_t aligned(size_t len)
{
	return (len + 3) & ~(size_t)3;
}

/* Drop @len bytes and their padding, which may be missing at the very end. */
static void advance(struct nf_span *rest, size_t len)
{
	size_t step = aligned(len);

	if (step > rest->len)
		step = rest->len;
	rest->data += step;
	rest->len -= step;
}

int nf_message_next(struct nf_span *rest, struct nf_message *ret_message)
{
	struct nlmsghdr header;

	if (rest->len == 0)
		return 0;
	if (rest->len < NF_HEADER_LEN)
		return -EBADMSG;
	memcpy(&header, rest->data, sizeof(header));
	if (header.nlmsg_len < NF_HEADER_LEN || header.nlmsg_len > rest->len)
		return -EBADMSG;
	*ret_message = (struct nf_message){
	    .type = header.nlmsg_type,
	    .flags = header.nlmsg_flags,
	    .sequence = header.nlmsg_seq,
	    .port = header.nlmsg_pid,
	    .bytes = {rest->data, header.nlmsg_len},
	    .payload = {rest->data + NF_HEADER_LEN, header.nlmsg_len - NF_HEADER_LEN},
	};
	advance(rest, header.nlmsg_len);
	return 1;
}

int nf_message_family(const struct nf_message *message, uint8_t *ret_family,
		      struct nf_span *ret_attributes)
{
	if (message->payload.len < NF_FAMILY_LEN)
		return -EBADMSG;
	*ret_family = message->payload.data[0];
	*ret_attributes = (struct nf_span){message->payload.data + NF_FAMILY_LEN,
					   message->payload.len - NF_FAMILY_LEN};
	return 0;
}

int nf_attribute_next(struct nf_span *rest, uint16_t *ret_type, struct nf_span *ret_value)
{
	struct nlattr header;

	if (rest->len == 0)
		return 0;
	if (rest->len < NF_ATTRIBUTE_LEN)
		return -EBADMSG;
	memcpy(&header, rest->data, sizeof(header));
	if (header.nla_len < NF_ATTRIBUTE_LEN || header.nla_len > rest->len)
		return -EBADMSG;
	*ret_type = (uint16_t)(header.nla_type & 0x3fff); /* without the two flags */
	*ret_value =
	    (struct nf_span){rest->data + NF_ATTRIBUTE_LEN, header.nla_len - NF_ATTRIBUTE_LEN};
	advance(rest, header.nla_len);
	return 1;
}

int nf_attributes_read(struct nf_span bytes, struct nf_attributes *ret_attributes)
{
	struct nf_attributes attributes = {0};
	struct nf_span value;
	uint16_t type;
	int r;

	while ((r = nf_attribute_next(&bytes, &type, &value)) > 0) {
		if (type >= NF_ATTRIBUTES)
			attributes.other = true;
		else if (attributes.at[type].data)
			return -EBADMSG;
		else
			attributes.at[type] = value;
	}
	if (r < 0)
		return r;
	*ret_attributes = attributes;
	return 0;
}

bool nf_attributes_beyond(const struct nf_attributes *attributes, uint32_t known)
{
	static_assert(NF_ATTRIBUTES <= 32, "bits");

	for (unsigned i = 0; i < NF_ATTRIBUTES; i++)
		if (attributes->at[i].data && !(known & (UINT32_C(1) << i)))
			return true;
	return attributes->other;
}

int nf_read_u8(struct nf_span value, uint8_t *ret_number)
{
	if (!value.data || value.len != 1)
		return -EBADMSG;
	*ret_number = value.data[0];
	return 0;
}

int nf_read_u16(struct nf_span value, uint16_t *ret_number)
{
	uint16_t number;

	if (!value.data || value.len != sizeof(number))
		return -EBADMSG;
	memcpy(&number, value.data, sizeof(number));
	*ret_number = be16toh(number);
	return 0;
}

int nf_read_u32(struct nf_span value, uint32_t *ret_number)
{
	uint32_t number;

	if (!value.data || value.len != sizeof(number))
		return -EBADMSG;
	memcpy(&number, value.data, sizeof(number));
	*ret_number = be32toh(number);
	return 0;
}

int nf_read_u64(struct nf_span value, uint64_t *ret_number)
{
	uint64_t number;

	if (!value.data || value.len != sizeof(number))
		return -EBADMSG;
	memcpy(&number, value.data, sizeof(number));
	*ret_number = be64toh(number);
	return 0;
}

int nf_read_text(struct nf_span value, char *ret_text, size_t size)
{
	if (!value.data || value.len == 0 ||
	    memchr(value.data, '\0', value.len) != value.data + value.len - 1)
		return -EBADMSG;
	if (value.len > size)
		return -E2BIG;
	memcpy(ret_text, value.data, value.len);
	return 0;
}

void nf_writer_fail(struct nf_writer *writer, int error)
{
	if (!writer->error)
		writer->error = error;
}

int nf_writer_finish(const struct nf_writer *writer)
{
	return writer->error ? writer->error : buf_finish(writer->out);
}

static bool failed(const struct nf_writer *writer)
{
	return writer->error || buf_finish(writer->out) < 0;
}

void nf_message_begin(struct nf_writer *writer, uint16_t type, uint16_t flags, uint8_t family,
		      uint16_t resource)
{
	struct {
		struct nlmsghdr header;
		struct nfgenmsg family;
	} start = {
	    .header = {.nlmsg_type = type,
		       .nlmsg_flags = (uint16_t)(flags | NLM_F_REQUEST),
		       .nlmsg_seq = writer->sequence++},
	    .family = {.nfgen_family = family,
		       .version = NFNETLINK_V0,
		       .res_id = htobe16(resource)},
	};

	assert(writer->depth == 0);
	writer->message = writer->out->len;
	buf_add(writer->out, &start, sizeof(start));
}

void nf_message_end(struct nf_writer *writer)
{
	uint32_t len;

	assert(writer->depth == 0);
	if (failed(writer))
		return;
	if (writer->out->len - writer->message > UINT32_MAX) {
		nf_writer_fail(writer, -E2BIG);
		return;
	}
	len = (uint32_t)(writer->out->len - writer->message);
	memcpy(writer->out->data + writer->message, &len, sizeof(len));
}

void nf_put(struct nf_writer *writer, uint16_t type, const void *data, size_t len)
{
	static const uint8_t zero[3];
	struct nlattr header = {.nla_type = type};

	if (len > NF_ATTRIBUTE_MAX - NF_ATTRIBUTE_LEN) {
		nf_writer_fail(writer, -E2BIG);
		return;
	}
	if (failed(writer))
		return;
	header.nla_len = (uint16_t)(NF_ATTRIBUTE_LEN + len);
	buf_add(writer->out, &header, sizeof(header));
	buf_add(writer->out, data, len);
	buf_add(writer->out, zero, aligned(len) - len);
}

void nf_put_text(struct nf_writer *writer, uint16_t type, const char *text)
{
	nf_put(writer, type, text, strlen(text) + 1);
}

void nf_put_u8(struct nf_writer *writer, uint16_t type, uint8_t number)
{
	nf_put(writer, type, &number, sizeof(number));
}

void nf_put_u16(struct nf_writer *writer, uint16_t type, uint16_t number)
{
	number = htobe16(number);
	nf_put(writer, type, &number, sizeof(number));
}

void nf_put_u32(struct nf_writer *writer, uint16_t type, uint32_t number)
{
	number = htobe32(number);
	nf_put(writer, type, &number, sizeof(number));
}

void nf_put_u64(struct nf_writer *writer, uint16_t type, uint64_t number)
{
	number = htobe64(number);
	nf_put(writer, type, &number, sizeof(number));
}

void nf_nest_begin(struct nf_writer *writer, uint16_t type)
{
	assert(writer->depth < NF_NEST_MAX);
	writer->nests[writer->depth++] = writer->out->len;
	nf_put(writer, type | NLA_F_NESTED, NULL, 0);
}

void nf_nest_end(struct nf_writer *writer)
{
	size_t start, len;
	uint16_t short_len;

	assert(writer->depth > 0);
	start = writer->nests[--writer->depth];
	if (failed(writer))
		return;
	len = writer->out->len - start;
	if (len > NF_ATTRIBUTE_MAX) {
		nf_writer_fail(writer, -E2BIG);
		return;
	}
	short_len = (uint16_t)len;
	memcpy(writer->out->data + start, &short_len, sizeof(short_len));
}
