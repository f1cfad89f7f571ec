/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How parts of a ruleset look on the wire. For the files of this room only. */
#pragma once

#include "nf.h"
#include "wire.h"

/* Write @expression as one NFTA_LIST_ELEM. -EINVAL is kept in the writer for what has no form on
 * the wire: unknown kinds, registers out of range, values too long. */
void nf_expression_write(struct nf_writer *writer, const struct ruleset_expression *expression);

/* Read the contents of one NFTA_LIST_ELEM. What the struct cannot say exactly becomes
 * RULESET_UNKNOWN with the expression's name. 0, or -EBADMSG for bytes that are no expression. */
MUST_CHECK int nf_expression_read(struct nf_span bytes, struct ruleset_expression *ret_expression);

/* The contents of NFTA_DATA_VERDICT. Reading: 0, -EBADMSG, or -EOPNOTSUPP for one that the struct
 * cannot say. Writing keeps -EINVAL for RULESET_NONE and for a jump without a name. */
void nf_verdict_write(struct nf_writer *writer, uint16_t type,
		      const struct ruleset_verdict *verdict);
MUST_CHECK int nf_verdict_read(struct nf_span bytes, struct ruleset_verdict *ret_verdict);

/* NFTA_DATA_VALUE inside the attribute @type. */
void nf_value_write(struct nf_writer *writer, uint16_t type, const struct ruleset_value *value);
MUST_CHECK int nf_value_read(struct nf_span bytes, struct ruleset_value *ret_value);

/* A name that the kernel takes as it is: not empty, terminated, without '%', which it would take
 * for a pattern. */
bool nf_name_valid(const char *name, size_t size);

/* A name of a table, chain or set into RULESET_NAME_MAX + 1 bytes. The kernel allows longer ones
 * and empty ones, for which we have no place: -EOPNOTSUPP. -EBADMSG if it is no text. */
MUST_CHECK int nf_name_read(struct nf_span value, char *ret_name);

/* NEWSET and its NEWSETELEM messages. @id tells sets of one batch apart. */
void nf_set_write(struct nf_writer *writer, const struct ruleset_table *table,
		  const struct ruleset_set *set, uint32_t id);

/* Attributes of a NEWSET message. Where the struct cannot say all of it, *ret_missing is the first
 * such thing in words, in static storage; else it is left as it is. The name is in @set already.
 * 0 or -EBADMSG. */
MUST_CHECK int nf_set_read(const struct nf_attributes *attributes, struct ruleset_set *ret_set,
			   const char **ret_missing);

/* Add what NFTA_SET_ELEM_LIST_ELEMENTS holds to @set, interval ends as entries of their own; of a
 * dynamic set only what they come to, in `held` and `longest_ms`. *ret_missing as above.
 * 0, -EBADMSG, -ENOMEM. */
MUST_CHECK int nf_elements_read(struct nf_span bytes, struct ruleset_set *set,
				const char **ret_missing);

/* When all elements of @set were read: make intervals of starts and ends, and order them.
 * 0, or -EBADMSG if two intervals start at one key. */
MUST_CHECK int nf_elements_fold(struct ruleset_set *set);

/*
 * A reader of NEWTABLE, NEWCHAIN, NEWSET, NEWSETELEM, NEWRULE, NEWOBJ, NEWFLOWTABLE messages, as a
 * dump or as a batch, in which DELTABLE may follow the NEWTABLE of an empty table. Pure.
 */
/* @only is NULL for every table; else the name, and @family, of the one wanted.
 * Returns 0 with a sorted ruleset that is the caller's, -EBADMSG, -ENOMEM, or -ESTALE if a set has
 * an element twice: the kernel was busy with that set; ask again. */
MUST_CHECK int nf_decode(struct nf_span bytes, enum ruleset_family family, const char *only,
			 struct ruleset **ret_ruleset);

/*
 * Go through a batch: BEGIN without a generation, messages, END, nothing else, sequence numbers
 * ascending, an acknowledgement asked for on the last message. 0 or -EBADMSG. *ret_last is the last
 * message before END; may be NULL.
 */
MUST_CHECK int nf_batch_walk(struct nf_span batch, struct nf_message *ret_last);

/* Begin and end a batch in @writer. */
void nf_batch_begin(struct nf_writer *writer);
MUST_CHECK int nf_batch_end(struct nf_writer *writer);

/* The same question as nf_probe_device_prefix() for any attribute number, so that a test can ask
 * about one that no kernel knows. */
MUST_CHECK int nf_probe_device_attribute(struct nf_socket *socket, uint16_t attribute,
					 bool *ret_supported);

/* What the dynamic sets hold, counted while it is read: packets fill them, so what they hold may be
 * large, and changes meanwhile without a new generation. */
struct nf_tally {
	struct ruleset_set set; /* of its members those that nf_elements_read() needs and sets */
	uint8_t family;
	char table[RULESET_NAME_MAX + 1];
	const char *missing; /* what the struct cannot say; NULL for nothing */
};

struct nf_tallies {
	struct nf_tally *sets;
	size_t count, room;
};

/* Enter them into what was decoded. */
void nf_tallies_enter(const struct nf_tallies *tallies, struct ruleset *ruleset);

/*
 * Is the ruleset of @generation the one that is in force, and no change on its way? A batch with
 * nothing in it asks, which must wait for whoever is changing something. The kernel gives a change
 * its number before it puts it in its place: whoever asks for the number alone may read the ruleset
 * before, or some of both, and meet the same number after. (Seen on 6.18: once in 50,000 readings
 * beside a writer, for as long as the writer's processor is taken away between the two.) What is
 * read after this is of @generation if that is still the number at the end.
 *
 * 0, -EAGAIN (it has changed), -errno.
 */
MUST_CHECK int nf_generation_settled(struct nf_socket *socket, uint32_t generation);

/* Everything nf_read() decodes, as the kernel sent it, appended to @out: for corpora and tests. The
 * elements of dynamic sets are counted in @tallies, whose `sets` the caller frees; if that is NULL,
 * they are in @out, too. */
MUST_CHECK int nf_dump(struct nf_socket *socket, enum ruleset_family family, const char *only,
		       struct buf *out, struct nf_tallies *tallies);

/* The ruleset is incomplete. What is told first is kept, in words fit for a terminal. */
void nf_missing(struct ruleset *ruleset, const char *format, ...) PRINTF(2, 3);

/* Send one request and hand every answering message to @visit (a dump's, or one) until DONE or an
 * acknowledgement. The sequence number is set here. 0, -errno of the kernel, -EINTR if the dump was
 * torn by a change, -ETIMEDOUT, -ENOBUFS, -EBADMSG, or what @visit returned. */
MUST_CHECK int nf_request(struct nf_socket *socket, struct buf *message,
			  int (*visit)(const struct nf_message *message, void *data), void *data);
