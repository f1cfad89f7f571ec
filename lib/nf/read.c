/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "codec.h"
#include "socket.h"

#include <string.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#define REQUEST_BYTES_MAX 1024
#define DUMP_BYTES_MAX    ((size_t)256 << 20)
#define READ_TABLE_TRIES  16

/* ---- the flags of a table ---- */

static int flags_visit(const struct nf_message *message, void *data)
{
	struct nf_attributes attributes;
	struct nf_span bytes;
	uint8_t family;
	int r;

	if (message->type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE))
		return -EBADMSG;
	r = nf_message_family(message, &family, &bytes);
	r = r < 0 ? r : nf_attributes_read(bytes, &attributes);
	return r < 0 ? r : nf_read_u32(attributes.at[NFTA_TABLE_FLAGS], data);
}

int nf_table_flags(struct nf_socket *socket, enum ruleset_family family, const char *name,
		   uint32_t *ret_flags)
{
	AUTO_BUF struct buf request = {.cap = REQUEST_BYTES_MAX};
	struct nf_writer writer = {.out = &request};
	uint32_t flags = 0;
	int r;

	nf_message_begin(&writer, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE, NLM_F_ACK,
			 (uint8_t)family, 0);
	nf_put_text(&writer, NFTA_TABLE_NAME, name);
	nf_message_end(&writer);
	r = nf_writer_finish(&writer);
	r = r < 0 ? r : nf_request(socket, &request, flags_visit, &flags);
	if (r < 0)
		return r;
	*ret_flags = flags;
	return 0;
}

/* ---- one dump after the other, all into one buffer ---- */

static int dump_visit(const struct nf_message *message, void *data)
{
	static const uint8_t zero[3];
	struct buf *out = data;

	buf_add(out, message->bytes.data, message->bytes.len);
	buf_add(out, zero, -message->bytes.len & 3);
	return buf_finish(out);
}

/* @table is put into attribute 1, where every kind of request has it; NULL for all tables. */
static int dump(struct nf_socket *socket, uint16_t message, uint8_t family, const char *table,
		const char *set, int (*visit)(const struct nf_message *message, void *data),
		void *data)
{
	AUTO_BUF struct buf request = {.cap = REQUEST_BYTES_MAX};
	struct nf_writer writer = {.out = &request};
	int r;

	nf_message_begin(&writer, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | message), NLM_F_DUMP,
			 family, 0);
	if (table)
		nf_put_text(&writer, 1, table);
	if (set)
		nf_put_text(&writer, NFTA_SET_ELEM_LIST_SET, set);
	nf_message_end(&writer);
	r = nf_writer_finish(&writer);
	return r < 0 ? r : nf_request(socket, &request, visit, data);
}

/* Elements of a dynamic set are counted and forgotten, as they come. */
static int tally_visit(const struct nf_message *message, void *data)
{
	struct nf_tally *tally = data;
	struct nf_attributes attributes;
	struct nf_span bytes;
	uint8_t family;
	int r;

	if (message->type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM))
		return -EBADMSG;
	r = nf_message_family(message, &family, &bytes);
	r = r < 0 ? r : nf_attributes_read(bytes, &attributes);
	return r < 0 ? r
		     : nf_elements_read(attributes.at[NFTA_SET_ELEM_LIST_ELEMENTS], &tally->set,
					&tally->missing);
}

/* A tally for the set whose attributes these are, or NULL with no memory left. A set whose name has
 * no place gets none that anybody finds. */
static struct nf_tally *tally_add(struct nf_tallies *tallies, uint8_t family,
				  const struct nf_attributes *attributes)
{
	struct nf_tally tally = {.family = family, .set.dynamic = true};
	uint32_t flags = 0;

	if (tallies->count == tallies->room) {
		size_t room = tallies->room ? tallies->room * 2 : 4;
		struct nf_tally *sets = reallocarray(tallies->sets, room, sizeof(*sets));

		if (!sets)
			return NULL;
		tallies->sets = sets;
		tallies->room = room;
	}
	if (nf_name_read(attributes->at[NFTA_SET_TABLE], tally.table) < 0 ||
	    nf_name_read(attributes->at[NFTA_SET_NAME], tally.set.name) < 0)
		tally.table[0] = '\0';
	if (nf_read_u32(attributes->at[NFTA_SET_FLAGS], &flags) == 0)
		tally.set.timeout = flags & NFT_SET_TIMEOUT;
	if (nf_read_u64(attributes->at[NFTA_SET_TIMEOUT], &tally.set.timeout_ms) < 0)
		tally.set.timeout_ms = 0;
	tallies->sets[tallies->count] = tally;
	return &tallies->sets[tallies->count++];
}

/* What is asked for, and where it goes. */
struct reading {
	struct nf_socket *socket;
	enum ruleset_family family;
	const char *only;
	struct buf *out;
	struct nf_tallies *tallies;
};

/* The elements of the set that @message, a NEWSET, is about; unless they are not ours to read. */
static int elements_dump(const struct reading *reading, const struct nf_message *message)
{
	char table[NFT_NAME_MAXLEN], set[NFT_NAME_MAXLEN];
	struct nf_attributes attributes;
	struct nf_tally *tally;
	struct nf_span bytes;
	uint32_t flags = 0;
	uint8_t family;
	int r;

	r = nf_message_family(message, &family, &bytes);
	r = r < 0 ? r : nf_attributes_read(bytes, &attributes);
	r = r < 0 ? r : nf_read_text(attributes.at[NFTA_SET_TABLE], table, sizeof(table));
	r = r < 0 ? r : nf_read_text(attributes.at[NFTA_SET_NAME], set, sizeof(set));
	if (r == 0 && attributes.at[NFTA_SET_FLAGS].data)
		r = nf_read_u32(attributes.at[NFTA_SET_FLAGS], &flags);
	if (r < 0)
		return r == -E2BIG ? -EBADMSG : r;
	if (reading->only &&
	    (family != (uint8_t)reading->family || strcmp(table, reading->only) != 0))
		return 0;
	if (!(flags & NFT_SET_EVAL) || !reading->tallies)
		return dump(reading->socket, NFT_MSG_GETSETELEM, family, table, set, dump_visit,
			    reading->out);
	tally = tally_add(reading->tallies, family, &attributes);
	if (!tally)
		return -ENOMEM;
	return dump(reading->socket, NFT_MSG_GETSETELEM, family, table, set, tally_visit, tally);
}

static int all_elements_dump(const struct reading *reading, const struct buf *sets)
{
	struct nf_span rest = {(const uint8_t *)sets->data, sets->len};
	struct nf_message message;
	int r;

	while ((r = nf_message_next(&rest, &message)) > 0) {
		r = elements_dump(reading, &message);
		if (r < 0)
			return r;
	}
	return r;
}

int nf_dump(struct nf_socket *socket, enum ruleset_family family, const char *only, struct buf *out,
	    struct nf_tallies *tallies)
{
	const struct reading reading = {socket, family, only, out, tallies};
	AUTO_BUF struct buf sets = {.cap = DUMP_BYTES_MAX};
	uint8_t f = only ? (uint8_t)family : 0;
	int r = 0;

	r = r < 0 ? r : dump(socket, NFT_MSG_GETTABLE, f, NULL, NULL, dump_visit, out);
	r = r < 0 ? r : dump(socket, NFT_MSG_GETCHAIN, f, NULL, NULL, dump_visit, out);
	r = r < 0 ? r : dump(socket, NFT_MSG_GETSET, f, only, NULL, dump_visit, &sets);
	if (r < 0)
		return r;
	buf_add(out, sets.data, sets.len);
	r = all_elements_dump(&reading, &sets);
	r = r < 0 ? r : dump(socket, NFT_MSG_GETRULE, f, only, NULL, dump_visit, out);
	r = r < 0 ? r : dump(socket, NFT_MSG_GETOBJ, f, only, NULL, dump_visit, out);
	return r < 0 ? r : dump(socket, NFT_MSG_GETFLOWTABLE, f, only, NULL, dump_visit, out);
}

/* ---- a whole from one moment ---- */

static void tallies_done(struct nf_tallies *tallies)
{
	free(tallies->sets);
}

/* One try. -EAGAIN if the ruleset changed meanwhile. */
static int read_once(struct nf_socket *socket, enum ruleset_family family, const char *only,
		     uint32_t *ret_generation, struct ruleset **ret_ruleset)
{
	AUTO_BUF struct buf bytes = {.cap = DUMP_BYTES_MAX};
	CLEANUP(tallies_done) struct nf_tallies tallies = {0};
	uint32_t before, after;
	int dumped, r;

	r = nf_generation(socket, &before);
	/* A change that has its number already, but not yet its place, would be read in part. */
	r = r < 0 ? r : nf_generation_settled(socket, before);
	if (r < 0)
		return r;
	dumped = nf_dump(socket, family, only, &bytes, &tallies);
	/* A failure may be the change: a set may have gone before its elements were asked for. */
	r = nf_generation(socket, &after);
	if (r < 0)
		return r;
	if (before != after || dumped == -EINTR)
		return -EAGAIN;
	if (dumped < 0)
		return dumped;
	r = nf_decode((struct nf_span){(const uint8_t *)bytes.data, bytes.len}, family, only,
		      ret_ruleset);
	if (r == 0)
		nf_tallies_enter(&tallies, *ret_ruleset);
	if (r == 0 && ret_generation)
		*ret_generation = before;
	return r == -ESTALE ? -EAGAIN : r;
}

static int read_tries(struct nf_socket *socket, enum ruleset_family family, const char *only,
		      unsigned tries, uint32_t *ret_generation, struct ruleset **ret_ruleset)
{
	int r;

	do
		r = read_once(socket, family, only, ret_generation, ret_ruleset);
	while (r == -EAGAIN && tries-- > 1);
	return r;
}

int nf_read(struct nf_socket *socket, unsigned tries, uint32_t *ret_generation,
	    struct ruleset **ret_ruleset)
{
	return read_tries(socket, 0, NULL, tries, ret_generation, ret_ruleset);
}

int nf_read_table(struct nf_socket *socket, enum ruleset_family family, const char *name,
		  struct ruleset **ret_ruleset)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;
	int r;

	if (!nf_name_valid(name, RULESET_NAME_MAX + 1))
		return -EINVAL;
	r = read_tries(socket, family, name, READ_TABLE_TRIES, NULL, &ruleset);
	if (r < 0)
		return r;
	if (ruleset->table_count == 0)
		return -ENOENT;
	*ret_ruleset = TAKE_PTR(ruleset);
	return 0;
}
