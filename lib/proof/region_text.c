/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A region in words. */
#include "region.h"

#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#include <policy/ranges.h>

#define ITEMS_MAX 48 /* that are written out; of others it is said how many they are */
#define SINGLES_MAX 4 /* numbers of one range that are written one by one */

/* ---- sets ---- */

/* Numbers up to @most that are not in @set. Returns how many ranges; fills @ret_ranges (count + 1
 * of the set's) if it is not NULL. */
static size_t complement(const struct region_set *set, uint32_t most,
			 struct policy_range *ret_ranges)
{
	size_t count = 0;
	uint64_t from = 0;

	for (size_t i = 0; i <= set->count; i++) {
		uint64_t to = i < set->count ? set->ranges[i].low : (uint64_t)most + 1;

		if (to > from) {
			if (ret_ranges)
				ret_ranges[count] = (struct policy_range){(uint32_t)from,
									  (uint32_t)(to - 1)};
			count++;
		}
		if (i < set->count)
			from = (uint64_t)set->ranges[i].high + 1;
	}
	return count;
}

/* A set of addresses as prefixes, with holes that are told apart where that is shorter. */
struct prefixes {
	struct policy_range *ranges, *holes;
	size_t range_count, hole_count;
	size_t items;
};

static void prefixes_done(struct prefixes *prefixes)
{
	free(prefixes->ranges);
	free(prefixes->holes);
}

/* Ranges that have little between them are one, with a hole. */
static void prefixes_of(const struct policy_range *ranges, size_t count, struct prefixes *ret)
{
	struct prefixes p = {
	    .ranges = calloc(count + 1, sizeof(*p.ranges)),
	    .holes = calloc(count + 1, sizeof(*p.holes)),
	};

	for (size_t i = 0; p.ranges && p.holes && i < count; i++) {
		struct policy_range *last = p.range_count ? &p.ranges[p.range_count - 1] : NULL;
		struct policy_range hole, joined;

		if (last) {
			hole = (struct policy_range){last->high + 1, ranges[i].low - 1};
			joined = (struct policy_range){last->low, ranges[i].high};
			if (ranges_count_prefixes(&joined, 1) + ranges_count_prefixes(&hole, 1) <
			    ranges_count_prefixes(last, 1) + ranges_count_prefixes(&ranges[i], 1)) {
				*last = joined;
				p.holes[p.hole_count++] = hole;
				continue;
			}
		}
		p.ranges[p.range_count++] = ranges[i];
	}
	p.items = p.ranges && p.holes ? ranges_count_prefixes(p.ranges, p.range_count) +
					    ranges_count_prefixes(p.holes, p.hole_count)
				      : SIZE_MAX;
	*ret = p;
}

/* As what it is, or as what it is not: what is shorter. Returns true for the latter. */
static bool prefixes_shortest(const struct region_set *set, struct prefixes *ret)
{
	AUTO_FREE struct policy_range *rest = calloc(set->count + 1, sizeof(*rest));
	size_t count = rest ? complement(set, UINT32_MAX, rest) : 0;
	size_t items = ranges_count_prefixes(rest, count);

	prefixes_of(set->ranges, set->count, ret);
	if (!rest || set->more || items >= ret->items)
		return false;
	prefixes_done(ret);
	*ret = (struct prefixes){
	    .ranges = TAKE_PTR(rest), .range_count = count, .items = items};
	return true;
}

static uint32_t most_of(enum region_aspect aspect)
{
	unsigned bits[32], width = region_view_bits(aspect, bits);

	return width == 32 ? UINT32_MAX : ((uint32_t)1 << width) - 1;
}

static bool is_every(const struct region_set *set)
{
	return set->numbers == DIAGRAM_TRUE;
}

static bool has(const struct region_set *set, uint32_t number)
{
	for (size_t i = 0; i < set->count; i++)
		if (number >= set->ranges[i].low && number <= set->ranges[i].high)
			return true;
	return false;
}

size_t region_text_length(enum region_aspect aspect, const struct region_set *set)
{
	size_t rest = complement(set, most_of(aspect), NULL);

	if (is_every(set))
		return 0;
	if (aspect == REGION_DESTINATION || aspect == REGION_SOURCE) {
		struct prefixes prefixes;

		prefixes_shortest(set, &prefixes);
		rest = prefixes.items;
		prefixes_done(&prefixes);
		return rest;
	}
	return set->count < rest ? set->count : rest;
}

/* ---- lists of words ---- */

struct list {
	struct buf *out;
	size_t items;
};

/* True if there is room for one more item, which then follows. */
static bool next_item(struct list *list)
{
	if (list->items++ >= ITEMS_MAX)
		return false;
	if (list->items > 1)
		buf_puts(list->out, ", ");
	return true;
}

static void end_list(const struct list *list)
{
	if (list->items > ITEMS_MAX)
		buf_printf(list->out, " and %zu more", list->items - ITEMS_MAX);
}

static void print_prefixes(const struct policy_range *ranges, size_t count, struct buf *out)
{
	struct list list = {.out = out};

	for (size_t i = 0; i < count; i++) {
		struct policy_range rest = ranges[i], prefix;

		for (;;) {
			unsigned bits = range_first_prefix(&rest, &prefix);
			struct packet_address address = packet_address4(prefix.low);

			if (next_item(&list)) {
				packet_address_print(&address, false, out);
				if (bits < 32)
					buf_printf(out, "/%u", bits);
			}
			if (prefix.high == rest.high)
				break;
			rest.low = prefix.high + 1;
		}
	}
	end_list(&list);
}

static void print_addresses(const struct region_set *set, const char *word, struct buf *out)
{
	struct prefixes prefixes;

	if (is_every(set))
		return;
	buf_printf(out, " %s ", word);
	if (set->more)
		buf_puts(out, "some of ");
	if (prefixes_shortest(set, &prefixes))
		buf_puts(out, "anywhere but ");
	print_prefixes(prefixes.ranges, prefixes.range_count, out);
	if (prefixes.hole_count)
		buf_puts(out, " but not ");
	print_prefixes(prefixes.holes, prefixes.hole_count, out);
	prefixes_done(&prefixes);
}

/* Ranges of numbers; "one" and "many" are what they are called. Nothing for every number. */
static void print_numbers(const struct region_set *set, enum region_aspect aspect,
			  const char *one, const char *many, struct buf *out)
{
	AUTO_FREE struct policy_range *rest = calloc(set->count + 1, sizeof(*rest));
	size_t rest_count = rest ? complement(set, most_of(aspect), rest) : SIZE_MAX;
	bool but = rest_count < set->count;
	const struct policy_range *ranges = but ? rest : set->ranges;
	size_t count = but ? rest_count : set->count;
	struct list list = {.out = out};

	if (is_every(set))
		return;
	if (but)
		buf_printf(out, ", every %s but ", one);
	else
		buf_printf(out, ", %s ",
			   count == 1 && ranges[0].low == ranges[0].high ? one : many);
	for (size_t i = 0; i < count; i++) {
		if (!next_item(&list))
			continue;
		buf_printf(out, "%u", ranges[i].low);
		if (ranges[i].high > ranges[i].low)
			buf_printf(out, "-%u", ranges[i].high);
	}
	end_list(&list);
}

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
	struct list list = {.out = out};

	for (size_t i = 0; i < count; i++) {
		bool single = ranges[i].high - ranges[i].low < SINGLES_MAX;

		for (uint64_t uid = ranges[i].low; uid <= ranges[i].high; uid++) {
			const char *name = single ? name_of(names, (uint32_t)uid) : NULL;

			if (!next_item(&list))
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
	end_list(&list);
}

/* Does one of the policies name a user that is in the set? */
static bool names_any(const struct names *names, const struct region_set *set)
{
	const struct policy *both[] = {names->old, names->new};

	for (size_t p = 0; p < ARRAY_SIZE(both); p++)
		for (size_t i = 0; both[p] && i < both[p]->user_count; i++)
			if (has(set, both[p]->users[i].uid))
				return true;
	return false;
}

static void print_who(const struct region *region, const struct names *names, struct buf *out)
{
	const struct region_set *owned = &region->sets[REGION_OWNED];
	const struct region_set *uid = &region->sets[REGION_UID];
	AUTO_FREE struct policy_range *rest = calloc(uid->count + 1, sizeof(*rest));
	size_t rest_count = rest ? complement(uid, UINT32_MAX, rest) : SIZE_MAX;

	/* Nobody has the number -1. */
	if (rest_count > 0 && rest_count < SIZE_MAX && rest[rest_count - 1].low == UINT32_MAX)
		rest_count--;
	if (!has(owned, 1)) {
		buf_puts(out, "packets without owner");
		return;
	}
	if (rest_count == 0)
		buf_puts(out, "every user");
	else if (rest_count > uid->count ||
		 (rest_count == uid->count && !has(uid, UINT32_MAX - 1)))
		print_uids(names, uid->ranges, uid->count, out);
	else if (!names_any(names, uid) && rest_count > 1) {
		buf_puts(out, "any other user");
	} else {
		buf_puts(out, "every user but ");
		print_uids(names, rest, rest_count, out);
	}
	if (has(owned, 0))
		buf_puts(out, " and packets without owner");
}

/* ---- what ---- */

static void print_protocol(struct list *list, uint32_t protocol)
{
	const char *name = packet_protocol_name((uint8_t)protocol);

	if (!next_item(list))
		return;
	if (name)
		buf_puts(list->out, name);
	else
		buf_printf(list->out, "protocol %u", protocol);
}

static void print_protocol_list(const struct policy_range *ranges, size_t count, int with_ports,
				struct buf *out)
{
	struct list list = {.out = out};

	for (size_t i = 0; i < count; i++)
		for (uint32_t p = ranges[i].low; p <= ranges[i].high; p++)
			if (with_ports < 0 || packet_has_ports((uint8_t)p) == (with_ports > 0))
				print_protocol(&list, p);
	end_list(&list);
}

/* A set of flags that says of some of them whether they are set, and nothing of others. */
static bool print_flag_words(const struct region_set *set, struct buf *out)
{
	static const char *const names[] = {"fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"};
	unsigned all = 0xff, any = 0, count = 0, free_count = 0;
	struct list with = {.out = out}, without = {.out = out};

	for (unsigned flags = 0; flags <= UINT8_MAX; flags++) {
		if (!has(set, flags))
			continue;
		all &= flags;
		any |= flags;
		count++;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		free_count += (all ^ any) >> i & 1;
	if (count != 1u << free_count)
		return false;
	if (all == PACKET_TCP_SYN && (any & PACKET_TCP_OPENING_MASK) == PACKET_TCP_SYN &&
	    free_count == 4) {
		buf_puts(out, "openings");
		return true;
	}
	buf_puts(out, "segments");
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		if (!(all >> i & 1))
			continue;
		buf_puts(out, with.items ? "" : " with ");
		if (next_item(&with))
			buf_puts(out, names[i]);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		if (any >> i & 1)
			continue;
		buf_puts(out, without.items ? "" : " without ");
		if (next_item(&without))
			buf_puts(out, names[i]);
	}
	return true;
}

static bool is_opening(uint32_t flags)
{
	return (flags & PACKET_TCP_OPENING_MASK) == PACKET_TCP_SYN;
}

/* @alone: nothing but TCP is spoken of. */
static void print_flags(const struct region_set *set, bool alone, struct buf *out)
{
	bool no_openings = true;

	if (is_every(set))
		return;
	buf_puts(out, alone ? ", " : ", tcp ");
	for (uint32_t flags = 0; flags <= UINT8_MAX; flags++)
		no_openings &= has(set, flags) != is_opening(flags);
	if (no_openings) {
		buf_puts(out, "segments that are no openings");
		return;
	}
	if (print_flag_words(set, out))
		return;
	buf_puts(out, "flags");
	for (size_t i = 0; i < set->count; i++)
		buf_printf(out, "%s 0x%02x-0x%02x", i ? "," : "", set->ranges[i].low,
			   set->ranges[i].high);
}

static void print_icmp(const struct region_set *set, struct buf *out)
{
	struct list list = {.out = out};

	if (is_every(set))
		return;
	buf_puts(out, ", types ");
	for (size_t i = 0; i < set->count; i++) {
		uint32_t low = set->ranges[i].low, high = set->ranges[i].high;

		if (!next_item(&list))
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
	end_list(&list);
}

static bool any_protocol(const struct region_set *set, bool (*is)(uint8_t protocol))
{
	for (unsigned p = 0; p <= UINT8_MAX; p++)
		if (has(set, p) && is((uint8_t)p))
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
	print_numbers(&region->sets[REGION_DESTINATION_PORT], REGION_DESTINATION_PORT, "port",
		      "ports", out);
	if (is_every(&region->sets[REGION_SOURCE_PORT]))
		return;
	print_numbers(&region->sets[REGION_SOURCE_PORT], REGION_SOURCE_PORT, "source port",
		      "source ports", out);
}

static void print_what(const struct region *region, struct buf *out)
{
	const struct region_set *set = &region->sets[REGION_PROTOCOL];
	AUTO_FREE struct policy_range *rest = calloc(set->count + 1, sizeof(*rest));
	size_t rest_count = rest ? complement(set, UINT8_MAX, rest) : SIZE_MAX;
	bool ports = any_protocol(set, packet_has_ports), split = false;
	uint32_t numbers = 0;

	for (size_t i = 0; i < set->count; i++)
		numbers += set->ranges[i].high - set->ranges[i].low + 1;
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
		bool every = is_every(&region->sets[REGION_DESTINATION_PORT]) &&
			     is_every(&region->sets[REGION_SOURCE_PORT]) &&
			     is_every(&region->sets[REGION_FLAGS]);

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
	struct list list = {.out = out};

	if (is_every(set)) {
		buf_puts(out, " by every frame");
		return;
	}
	buf_puts(out, " by ");
	for (size_t i = 0; i < set->count; i++) {
		if (!next_item(&list))
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
	end_list(&list);
}

static void print_arp(const struct region *region, struct buf *out)
{
	if (!has(&region->sets[REGION_LABEL], ETH_P_ARP))
		return;
	print_numbers(&region->sets[REGION_ARP_OPERATION], REGION_ARP_OPERATION, "operation",
		      "operations", out);
	if (!has(&region->sets[REGION_ARP_PLAIN], 1))
		buf_puts(out, ", not of the plain shape");
	else if (!has(&region->sets[REGION_ARP_PLAIN], 0))
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

		bool both = has(set, kinds[i].odd) && has(set, !kinds[i].odd);

		if (!has(set, kinds[i].odd) || (both && !kinds[i].too))
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

	if (is_every(set))
		return;
	buf_puts(out, ", for ");
	for (uint32_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!has(set, i))
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

		if (!is_every(set) && region->paths == 1u << kinds[i].path)
			buf_puts(out, has(set, 1) ? kinds[i].yes : kinds[i].no);
	}
}

/* Does the set hold one of the two families; and what else? */
static void print_families(const struct region *region, struct buf *out)
{
	const struct region_set *set = &region->sets[REGION_LABEL];
	bool ipv4 = has(set, ETH_P_IP), ipv6 = has(set, ETH_P_IPV6);
	bool loopback = has(&region->sets[REGION_LOOPBACK], 1);

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
	bool ipv4 = has(label, ETH_P_IP), ipv6 = has(label, ETH_P_IPV6);
	bool other = is_every(label) || label->count > (size_t)ipv4 + ipv6;

	if (region->some)
		buf_puts(out, "some of: ");
	if (region->paths & sent)
		print_who(region, &names, out);
	else
		buf_puts(out, "packets");
	if (other)
		print_labels(region, out);
	if (other)
		print_arp(region, out);
	if (ipv4) {
		print_addresses(&region->sets[REGION_SOURCE], "from", out);
		print_addresses(&region->sets[REGION_DESTINATION],
				ipv6 ? "to (where IPv4)" : "to", out);
	}
	if (ipv4 || ipv6) {
		print_what(region, out);
		print_families(region, out);
		print_headers(region, out);
	}
	print_circumstances(region, out);
}
