/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "notice.h"

#include <string.h>

#include <linux/if_ether.h>
#include <netinet/in.h>

#include "words.h"

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* A program is called by its file; a sentence begins with a capital letter. */
static void print_program(const struct row *row, struct buf *out)
{
	const char *name = row->path[0] ? last_part(row->path) : row->sender.name;
	char first;

	if (!name[0])
		name = row->sender.comm;
	if (row->key.kind == WATCH_KERNEL) {
		buf_puts(out, N_("The kernel"));
	} else if (row->key.kind == WATCH_USER) {
		buf_printf(out, N_("A program of user %u"), row->key.owner_uid);
	} else if (!name[0]) {
		buf_puts(out, N_("A program that is not known"));
	} else {
		first = name[0] >= 'a' && name[0] <= 'z' ? (char)(name[0] - 'a' + 'A') : name[0];
		buf_add(out, &first, 1);
		buf_puts(out, name + 1);
	}
}

static void print_protocol(uint8_t protocol, struct buf *out)
{
	const char *name = packet_protocol_name(protocol);

	if (name)
		buf_puts(out, name);
	else
		buf_printf(out, N_("IP protocol %u"), protocol);
}

static void print_destination(const struct row *row, struct buf *out)
{
	const struct row_key *key = &row->key;
	bool ipv6 = key->ethertype == ETH_P_IPV6;
	bool ports = packet_has_ports(key->protocol) && !(row->flags & WATCH_FRAGMENT);

	if (!(key->flags & WATCH_ADDRESSED)) {
		buf_printf(out, N_("the network by a frame of type 0x%04x"), key->ethertype);
		return;
	}
	buf_puts(out, ipv6 && ports ? "[" : "");
	packet_address_print(&key->destination, ipv6, out);
	if (ports)
		buf_printf(out, "%s:%u", ipv6 ? "]" : "", key->detail);
	if (key->protocol != IPPROTO_TCP) {
		buf_puts(out, " by ");
		print_protocol(key->protocol, out);
	}
}

/* By what a program may make its own words, and a text for those that do not. */
static const struct advice {
	const char *word, *text;
} advices[] = {
    [NOTICE_NOTHING] = {"nothing", N_("Nothing has to be done.")},
    [NOTICE_LOCAL_SERVICE] =
	{"local-service", N_("It is not granted this service of this computer. If it should be, "
			     "that is a line of the policy: see lethe-watch.")},
    [NOTICE_USE_TOR] =
	{"use-tor", N_("Nothing has left this computer. If the program is to reach the Internet, "
		       "let it use Tor: SOCKS proxy 127.0.0.1, port 9050.")},
    [NOTICE_NOT_BY_TOR] =
	{"not-by-tor", N_("Nothing has left this computer. Tor carries TCP only, so the program "
			  "cannot do this through Tor either.")},
};

static enum notice_advice advice_for(const struct row *row)
{
	if (row->key.kind == WATCH_KERNEL)
		return NOTICE_NOTHING;
	if (row->key.flags & WATCH_LOOPBACK)
		return NOTICE_LOCAL_SERVICE;
	if (row->key.protocol == IPPROTO_TCP && row->key.ethertype == ETH_P_IP)
		return NOTICE_USE_TOR;
	return NOTICE_NOT_BY_TOR;
}

const char *notice_advice_word(const struct row *row)
{
	return advices[advice_for(row)].word;
}

struct notice notice_make(const struct row *row)
{
	AUTO_BUF struct buf who = {.cap = NOTICE_TEXT_MAX - 1},
			    where = {.cap = NOTICE_TEXT_MAX - 1};
	struct notice notice = {0};

	print_program(row, &who);
	print_destination(row, &where);
	/* Whole sentences, as languages differ in the order of their parts. */
	if (row->key.flags & WATCH_LOOPBACK)
		snprintf(notice.title, sizeof(notice.title),
			 N_("%s tried to reach %s and was refused"), buf_text(&who),
			 buf_text(&where));
	else
		snprintf(notice.title, sizeof(notice.title),
			 N_("%s tried to reach %s directly and was refused"), buf_text(&who),
			 buf_text(&where));
	snprintf(notice.advice, sizeof(notice.advice), "%s", advices[advice_for(row)].text);
	return notice;
}

static void refill(struct notice_limit *limit, uint64_t now_ns)
{
	uint64_t more = (now_ns - limit->refilled_ns) / NOTICE_REFILL_NS;

	if (!limit->started || more >= NOTICE_BURST) {
		limit->budget = NOTICE_BURST;
		limit->refilled_ns = now_ns;
		limit->started = true;
		return;
	}
	limit->budget += (unsigned)more;
	if (limit->budget > NOTICE_BURST)
		limit->budget = NOTICE_BURST;
	limit->refilled_ns += more * NOTICE_REFILL_NS;
}

/* The place of this program, or the one to give it: a free one, else the one told of longest ago.
 */
static size_t place_of(const struct notice_limit *limit, const struct row_key *key, bool *ret_known)
{
	size_t best = 0;

	for (size_t i = 0; i < NOTICE_PROGRAMS_MAX; i++) {
		*ret_known = limit->programs[i].used &&
			     limit->programs[i].exe_inode == key->exe_inode &&
			     limit->programs[i].exe_device == key->exe_device &&
			     limit->programs[i].uid == key->uid;
		if (*ret_known)
			return i;
		if (limit->programs[best].used &&
		    (!limit->programs[i].used ||
		     limit->programs[i].told_ns < limit->programs[best].told_ns))
			best = i;
	}
	return best;
}

bool notice_allow(struct notice_limit *limit, const struct row *row, uint64_t now_ns,
		  uint64_t *ret_held_back)
{
	bool known;
	size_t place = place_of(limit, &row->key, &known);

	refill(limit, now_ns);
	/* What no program did tells a person nothing to do. */
	if (row->key.kind == WATCH_KERNEL || limit->budget == 0 ||
	    (known && now_ns - limit->programs[place].told_ns < NOTICE_AGAIN_NS)) {
		limit->held_back++;
		return false;
	}
	limit->budget--;
	limit->programs[place].exe_inode = row->key.exe_inode;
	limit->programs[place].exe_device = row->key.exe_device;
	limit->programs[place].uid = row->key.uid;
	limit->programs[place].told_ns = now_ns;
	limit->programs[place].used = true;
	*ret_held_back = limit->held_back;
	limit->held_back = 0;
	return true;
}
