/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A region in words. */
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#include "region_words.h"

#define SINGLES_MAX 4 /* users of one range that are written one by one */

/* ---- who ---- */

struct names {
	const struct policy *old, *new;
};

static const char *name_of(const struct names *names, uint32_t uid)
{
	const struct policy_user *user = NULL;

	if (names->new)
		user = policy_find_user(names->new, uid);
	if (!user && names->old)
		user = policy_find_user(names->old, uid);
	/* A number is no name. */
	return user && strspn(user->name, "0123456789") < strlen(user->name) ? user->name : NULL;
}

static void print_uids(const struct names *names, const struct policy_range *ranges, size_t count,
		       struct buf *out)
{
	struct words list = {.out = out};

	for (size_t i = 0; i < count; i++) {
		bool single = ranges[i].high - ranges[i].low < SINGLES_MAX;

		for (uint64_t uid = ranges[i].low; uid <= ranges[i].high; uid++) {
			const char *name = single ? name_of(names, (uint32_t)uid) : NULL;

			if (!words_next(&list))
				continue;
			if (name)
				buf_puts(out, name);
			else if (single)
				buf_printf(out, "uid %u", (uint32_t)uid);
			else
				buf_printf(out, "uids %u-%u", ranges[i].low, ranges[i].high);
			if (!single)
				break;
		}
	}
	words_end(&list);
}

/* Does one of the policies name a user that is in the set? */
static bool names_any(const struct names *names, const struct region_set *set)
{
	const struct policy *both[] = {names->old, names->new};

	for (size_t p = 0; p < ARRAY_SIZE(both); p++)
		for (size_t i = 0; both[p] && i < both[p]->user_count; i++)
			if (region_set_has(set, both[p]->users[i].uid))
				return true;
	return false;
}

static void print_who(const struct region *region, const struct names *names, struct buf *out)
{
	const struct region_set *owned = &region->sets[REGION_OWNED];
	const struct region_set *uid = &region->sets[REGION_UID];
	AUTO_FREE struct policy_range *rest = calloc(uid->count + 1, sizeof(*rest));
	size_t rest_count = rest ? words_complement(uid, UINT32_MAX, rest) : SIZE_MAX;

	/* Nobody has the number -1. */
	if (rest_count > 0 && rest_count < SIZE_MAX && rest[rest_count - 1].low == UINT32_MAX)
		rest_count--;
	if (!region_set_has(owned, 1)) {
		buf_puts(out, "packets without owner");
		return;
	}
	if (rest_count == 0)
		buf_puts(out, "every user");
	else if (rest_count > uid->count ||
		 (rest_count == uid->count && !region_set_has(uid, UINT32_MAX - 1)))
		print_uids(names, uid->ranges, uid->count, out);
	else if (!names_any(names, uid) && rest_count > 1) {
		buf_puts(out, "any other user");
	} else {
		buf_puts(out, "every user but ");
		print_uids(names, rest, rest_count, out);
	}
	if (region_set_has(owned, 0))
		buf_puts(out, " and packets without owner");
}

/* ---- what ---- */

static void print_protocol(struct words *list, uint32_t protocol)
{
	const char *name = packet_protocol_name((uint8_t)protocol);

	if (!words_next(list))
		return;
	if (name)
		buf_puts(list->out, name);
	else
		buf_printf(list->out, "protocol %u", protocol);
}

static void print_protocol_list(const struct policy_range *ranges, size_t count, int with_ports,
				struct buf *out)
{
	struct words list = {.out = out};

	for (size_t i = 0; i < count; i++)
		for (uint32_t p = ranges[i].low; p <= ranges[i].high; p++)
			if (with_ports < 0 || packet_has_ports((uint8_t)p) == (with_ports > 0))
				print_protocol(&list, p);
	words_end(&list);
}

static void print_flag_names(unsigned flags, const char *word, struct buf *out)
{
	static const char *const names[] = {"fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"};
	struct words list = {.out = out};

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		if (!(flags >> i & 1))
			continue;
		if (list.items == 0)
			buf_puts(out, word);
		if (words_next(&list))
			buf_puts(out, names[i]);
	}
}

/* Flags that a set holds, or, if @without, those that it does not: do they say of some flags
 * whether they are set, and nothing of the others? Which are set in all, and in any. */
static bool is_flag_rule(const struct region_set *set, bool without, unsigned *ret_all,
			 unsigned *ret_any)
{
	unsigned all = UINT8_MAX, any = 0, count = 0;

	for (unsigned flags = 0; flags <= UINT8_MAX; flags++) {
		if (region_set_has(set, flags) == without)
			continue;
		all &= flags;
		any |= flags;
		count++;
	}
	*ret_all = all;
	*ret_any = any;
	return count == 1u << __builtin_popcount(all ^ any);
}

/* @alone: nothing but TCP is spoken of. */
static void print_flags(const struct region_set *set, bool alone, struct buf *out)
{
	unsigned all, any, unset;
	bool rule, without;

	if (region_set_is_every(set))
		return;
	buf_puts(out, alone ? ", " : ", tcp ");
	rule = is_flag_rule(set, false, &all, &any);
	without = !rule && is_flag_rule(set, true, &all, &any);
	if (!rule && !without) {
		buf_puts(out, "flags");
		for (size_t i = 0; i < set->count; i++)
			buf_printf(out, "%s 0x%02x-0x%02x", i ? "," : "", set->ranges[i].low,
				   set->ranges[i].high);
		return;
	}
	unset = UINT8_MAX & ~any;
	if (all == PACKET_TCP_SYN && unset == (PACKET_TCP_OPENING_MASK ^ PACKET_TCP_SYN)) {
		buf_puts(out, without ? "segments that are no openings" : "openings");
		return;
	}
	buf_puts(out, without ? "segments but those" : "segments");
	print_flag_names(all, " with ", out);
	print_flag_names(unset, " without ", out);
}

static void print_icmp(const struct region_set *set, struct buf *out)
{
	struct words list = {.out = out};

	if (region_set_is_every(set))
		return;
	buf_puts(out, ", types ");
	for (size_t i = 0; i < set->count; i++) {
		uint32_t low = set->ranges[i].low, high = set->ranges[i].high;

		if (!words_next(&list))
			continue;
		buf_printf(out, "%u", low >> 8);
		if ((low & 0xff) || (high & 0xff) != 0xff)
			buf_printf(out, " code %u", low & 0xff);
		if ((low & 0xff) == 0 && (high & 0xff) == 0xff) {
			if (high >> 8 > low >> 8)
				buf_printf(out, "-%u", high >> 8);
		} else if (high > low) {
			buf_printf(out, " to %u code %u", high >> 8, high & 0xff);
		}
	}
	words_end(&list);
}

static bool any_protocol(const struct region_set *set, bool (*is)(uint8_t protocol))
{
	for (unsigned p = 0; p <= UINT8_MAX; p++)
		if (region_set_has(set, p) && is((uint8_t)p))
			return true;
	return false;
}

static bool without_ports(uint8_t protocol)
{
	return !packet_has_ports(protocol);
}

static bool is_tcp(uint8_t protocol)
{
	return protocol == IPPROTO_TCP;
}

static bool is_icmp(uint8_t protocol)
{
	return protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
}

static void print_ports(const struct region *region, struct buf *out)
{
	words_numbers(&region->sets[REGION_DESTINATION_PORT], REGION_DESTINATION_PORT, "port",
		      "ports", out);
	if (region_set_is_every(&region->sets[REGION_SOURCE_PORT]))
		return;
	words_numbers(&region->sets[REGION_SOURCE_PORT], REGION_SOURCE_PORT, "source port",
		      "source ports", out);
}

static void print_what(const struct region *region, struct buf *out)
{
	const struct region_set *set = &region->sets[REGION_PROTOCOL];
	AUTO_FREE struct policy_range *rest = calloc(set->count + 1, sizeof(*rest));
	size_t rest_count = rest ? words_complement(set, UINT8_MAX, rest) : 0;
	bool ports = any_protocol(set, packet_has_ports), split = false;
	uint32_t numbers = 0;

	for (size_t i = 0; i < set->count; i++)
		numbers += set->ranges[i].high - set->ranges[i].low + 1;
	if (!rest) {
		out->error = -ENOMEM;
		return;
	}
	buf_puts(out, " over ");
	if (rest_count == 0) {
		buf_puts(out, "every protocol");
	} else if (numbers > 128) {
		buf_puts(out, "every protocol but ");
		print_protocol_list(rest, rest_count, -1, out);
	} else {
		split = ports && any_protocol(set, without_ports);
		print_protocol_list(set->ranges, set->count, split ? 1 : -1, out);
	}
	if (ports)
		print_ports(region, out);
	if (any_protocol(set, is_tcp))
		print_flags(&region->sets[REGION_FLAGS], numbers == 1, out);
	if (split) {
		bool every = region_set_is_every(&region->sets[REGION_DESTINATION_PORT]) &&
			     region_set_is_every(&region->sets[REGION_SOURCE_PORT]) &&
			     region_set_is_every(&region->sets[REGION_FLAGS]);

		buf_puts(out, every ? ", " : "; ");
		print_protocol_list(set->ranges, set->count, 0, out);
	}
	if (any_protocol(set, is_icmp))
		print_icmp(&region->sets[REGION_ICMP], out);
}

/* ---- the rest ---- */

static void print_labels(const struct region *region, struct buf *out)
{
	const struct region_set *set = &region->sets[REGION_LABEL];
	struct words list = {.out = out};

	if (region_set_is_every(set)) {
		buf_puts(out, " by every kind of frame");
		return;
	}
	buf_puts(out, " by ");
	for (size_t i = 0; i < set->count; i++) {
		if (!words_next(&list))
			continue;
		if (set->ranges[i].low == ETH_P_ARP && set->ranges[i].high == ETH_P_ARP)
			buf_puts(out, "arp");
		else if (set->ranges[i].low == ETH_P_PAE && set->ranges[i].high == ETH_P_PAE)
			buf_puts(out, "eapol");
		else if (set->ranges[i].low == set->ranges[i].high)
			buf_printf(out, "type 0x%04x", set->ranges[i].low);
		else
			buf_printf(out, "types 0x%04x-0x%04x", set->ranges[i].low,
				   set->ranges[i].high);
	}
	words_end(&list);
}

static void print_arp(const struct region *region, struct buf *out)
{
	if (!region_set_has(&region->sets[REGION_LABEL], ETH_P_ARP))
		return;
	words_numbers(&region->sets[REGION_ARP_OPERATION], REGION_ARP_OPERATION, "operation",
		      "operations", out);
	if (!region_set_has(&region->sets[REGION_ARP_PLAIN], 1))
		buf_puts(out, ", not of the plain shape");
	else if (!region_set_has(&region->sets[REGION_ARP_PLAIN], 0))
		buf_puts(out, ", of the plain shape");
}

/* What a header is called, if it is not the ordinary one alone. */
static void print_headers(const struct region *region, struct buf *out)
{
	static const struct {
		enum region_aspect aspect;
		uint32_t odd; /* this value is the one that is told */
		const char *only, *too;
	} kinds[] = {
	    {REGION_FRAGMENT, 1, "later fragments", "later fragments too"},
	    {REGION_OPTIONS, 1, "with options in the header", "options in the header or not"},
	    {REGION_VALID, 0, "with a broken header", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct region_set *set = &region->sets[kinds[i].aspect];

		bool both = region_set_has(set, kinds[i].odd) && region_set_has(set, !kinds[i].odd);

		if (!region_set_has(set, kinds[i].odd) || (both && !kinds[i].too))
			continue;
		/* Of what arrives nobody asks. */
		if (both && region->paths == 1u << PACKET_INPUT)
			continue;
		buf_printf(out, ", %s", both ? kinds[i].too : kinds[i].only);
	}
}

static void print_sockets(const struct region_set *set, struct buf *out)
{
	static const char *const names[] = {
	    [PACKET_SOCKET_NONE] = "no socket",
	    [PACKET_SOCKET_WILDCARD] = "a socket of every address",
	    [PACKET_SOCKET_BOUND] = "a socket of one address",
	    [PACKET_SOCKET_TRANSPARENT] = "a transparent proxy's socket",
	};
	bool first = true;

	if (region_set_is_every(set))
		return;
	buf_puts(out, ", for ");
	for (uint32_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!region_set_has(set, i))
			continue;
		buf_printf(out, "%s%s", first ? "" : " or ", names[i]);
		first = false;
	}
}

static void print_circumstances(const struct region *region, struct buf *out)
{
	static const struct {
		enum region_aspect aspect;
		enum packet_path path; /* the only one on which it is asked */
		const char *no, *yes;
	} kinds[] = {
	    {REGION_BARE, PACKET_FRAME, "", ", on links without a header"},
	    {REGION_AGREES, PACKET_FRAME, ", with another label than ethertype", ""},
	    {REGION_ROUTED, PACKET_FRAME, ", past the IP stack", ", through the IP stack"},
	    {REGION_EXPECTED, PACKET_INPUT, ", unasked", ", that answer what was asked"},
	};

	if (region->paths == 1u << PACKET_INPUT)
		print_sockets(&region->sets[REGION_SOCKET], out);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct region_set *set = &region->sets[kinds[i].aspect];

		if (!region_set_is_every(set) && region->paths == 1u << kinds[i].path)
			buf_puts(out, region_set_has(set, 1) ? kinds[i].yes : kinds[i].no);
	}
}

/* Does the set hold one of the two families; and what else? */
static void print_families(const struct region *region, struct buf *out)
{
	const struct region_set *set = &region->sets[REGION_LABEL];
	bool ipv4 = region_set_has(set, ETH_P_IP), ipv6 = region_set_has(set, ETH_P_IPV6);
	bool loopback = region_set_has(&region->sets[REGION_LOOPBACK], 1);

	if (region_set_is_every(set))
		return;
	if (ipv6 && !ipv4)
		buf_puts(out, ", IPv6");
	else if (ipv4 && !ipv6 && loopback)
		buf_puts(out, ", IPv4");
	else if (ipv6 && !loopback)
		buf_puts(out, ", IPv4 and IPv6");
}

void region_print(const struct region *region, const struct policy *old, const struct policy *new,
		  struct buf *out)
{
	const struct names names = {.old = old, .new = new};
	const struct region_set *label = &region->sets[REGION_LABEL];
	unsigned sent = 1u << PACKET_OUTPUT | 1u << PACKET_FRAME;
	bool ipv4 = region_set_has(label, ETH_P_IP), ipv6 = region_set_has(label, ETH_P_IPV6);
	bool other = region_set_is_every(label) || label->count > (size_t)ipv4 + ipv6;

	if (region->paths & sent)
		print_who(region, &names, out);
	else
		buf_puts(out, "packets");
	if (other)
		print_labels(region, out);
	if (other)
		print_arp(region, out);
	if (ipv4) {
		words_addresses(&region->sets[REGION_SOURCE], "from", out);
		words_addresses(&region->sets[REGION_DESTINATION], ipv6 ? "to (where IPv4)" : "to",
				out);
	}
	if (ipv4 || ipv6) {
		print_what(region, out);
		print_families(region, out);
		print_headers(region, out);
	}
	print_circumstances(region, out);
}
