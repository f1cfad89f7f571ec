/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Netlink messages and attributes as bytes: a reader that trusts no length, and a writer.
 * For the files of this room only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/buf.h>
#include <base/cleanup.h>

#define NF_HEADER_LEN        16u /* struct nlmsghdr */
#define NF_FAMILY_LEN        4u  /* struct nfgenmsg */
#define NF_ATTRIBUTE_LEN     4u  /* struct nlattr */
#define NF_ATTRIBUTE_MAX     65535u
#define NF_ATTRIBUTES        24 /* numbers of attributes that a table of them holds */
#define NF_NEST_MAX          8
#define NF_DEVICE_NAME       1  /* NFTA_DEVICE_NAME */
#define NF_DEVICE_PREFIX     2  /* NFTA_DEVICE_PREFIX, Linux 6.18; not in older headers */
#define NF_DESTROY_TABLE    26 /* NFT_MSG_DESTROYTABLE, Linux 6.3 */
#define NF_SET_TYPE          19 /* NFTA_SET_TYPE and NFTA_SET_COUNT: for people, newer kernels */
#define NF_SET_COUNT         20
#define NF_DATA_VERDICT_TYPE 0xffffff00u

/* Bytes of somebody else. @data is NULL for "there is none". */
struct nf_span {
	const uint8_t *data;
	size_t len;
};

struct nf_message {
	uint16_t type, flags;
	uint32_t sequence, port;
	struct nf_span bytes;   /* the whole message */
	struct nf_span payload; /* behind the netlink header */
};

/* Cut the next message off @rest. 1, 0 at the end, or -EBADMSG. */
MUST_CHECK int nf_message_next(struct nf_span *rest, struct nf_message *ret_message);

/* The family byte and the attributes of an nftables message; -EBADMSG if it is too short. */
MUST_CHECK int nf_message_family(const struct nf_message *message, uint8_t *ret_family,
				 struct nf_span *ret_attributes);

/* Cut the next attribute off @rest. 1, 0 at the end, or -EBADMSG. */
MUST_CHECK int nf_attribute_next(struct nf_span *rest, uint16_t *ret_type,
				 struct nf_span *ret_value);

/* Attributes by number. `other` tells that there were numbers too high for the table. */
struct nf_attributes {
	struct nf_span at[NF_ATTRIBUTES];
	bool other;
};

/* Returns 0, or -EBADMSG: a length that does not fit, or a number that occurs twice. */
MUST_CHECK int nf_attributes_read(struct nf_span bytes, struct nf_attributes *ret_attributes);

/* True if an attribute is there whose bit is not in @known. */
bool nf_attributes_beyond(const struct nf_attributes *attributes, uint32_t known);

/* Numbers in network order. -EBADMSG if the length is another. */
MUST_CHECK int nf_read_u8(struct nf_span value, uint8_t *ret_number);
MUST_CHECK int nf_read_u16(struct nf_span value, uint16_t *ret_number);
MUST_CHECK int nf_read_u32(struct nf_span value, uint32_t *ret_number);
MUST_CHECK int nf_read_u64(struct nf_span value, uint64_t *ret_number);

/* Text with a NUL at its end and none before. Returns 0, -EBADMSG, or -E2BIG if it has not room in
 * @size bytes; then @ret_text is untouched. */
MUST_CHECK int nf_read_text(struct nf_span value, char *ret_text, size_t size);

/* Writes messages into a buffer. The first failure is kept, in the buffer or in `error`, and
 * further calls do nothing. */
struct nf_writer {
	struct buf *out;
	uint32_t sequence; /* of the next message */
	size_t message;    /* offset of the message that is open */
	size_t nests[NF_NEST_MAX];
	unsigned depth;
	int error;
};

void nf_message_begin(struct nf_writer *writer, uint16_t type, uint16_t flags, uint8_t family,
		      uint16_t resource);
void nf_message_end(struct nf_writer *writer);
void nf_put(struct nf_writer *writer, uint16_t type, const void *data, size_t len);
void nf_put_text(struct nf_writer *writer, uint16_t type, const char *text);
void nf_put_u8(struct nf_writer *writer, uint16_t type, uint8_t number);
void nf_put_u16(struct nf_writer *writer, uint16_t type, uint16_t number);
void nf_put_u32(struct nf_writer *writer, uint16_t type, uint32_t number);
void nf_put_u64(struct nf_writer *writer, uint16_t type, uint64_t number);
void nf_nest_begin(struct nf_writer *writer, uint16_t type);
void nf_nest_end(struct nf_writer *writer);

/* Keep the first failure of the content (not of the buffer). */
void nf_writer_fail(struct nf_writer *writer, int error);

/* 0, or the first failure of either. */
MUST_CHECK int nf_writer_finish(const struct nf_writer *writer);
