/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "words.h"

#include <inttypes.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/netfilter/nf_tables.h>
#include <netinet/in.h>
#include <string.h>

#define HOST_IS_LITTLE (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)

struct word {
	uint32_t number;
	const char *text;
};

static const struct word families[] = {{RULESET_IPV4, "ipv4"}, {RULESET_IPV6, "ipv6"}};

static const struct word ethertypes[] = {
    {ETH_P_IP, "ip"},
    {ETH_P_IPV6, "ip6"},
    {ETH_P_ARP, "arp"},
    {ETH_P_8021Q, "vlan"},
};

static const struct word arp_operations[] = {{1, "request"}, {2, "reply"}};

static const struct word protocols[] = {
    {IPPROTO_ICMP, "icmp"}, {IPPROTO_IGMP, "igmp"},       {IPPROTO_TCP, "tcp"},
    {IPPROTO_UDP, "udp"},   {IPPROTO_DCCP, "dccp"},       {IPPROTO_GRE, "gre"},
    {IPPROTO_ESP, "esp"},   {IPPROTO_AH, "ah"},           {IPPROTO_ICMPV6, "icmpv6"},
    {IPPROTO_SCTP, "sctp"}, {IPPROTO_UDPLITE, "udplite"},
};

static const struct word icmp_types[] = {
    {0, "echo-reply"},           {3, "destination-unreachable"},
    {4, "source-quench"},        {5, "redirect"},
    {8, "echo-request"},         {9, "router-advertisement"},
    {10, "router-solicitation"}, {11, "time-exceeded"},
    {12, "parameter-problem"},
};

static const struct word icmp6_types[] = {
    {1, "destination-unreachable"}, {2, "packet-too-big"},     {3, "time-exceeded"},
    {4, "parameter-problem"},       {128, "echo-request"},     {129, "echo-reply"},
    {133, "nd-router-solicit"},     {134, "nd-router-advert"}, {135, "nd-neighbor-solicit"},
    {136, "nd-neighbor-advert"},
};

static const struct word tcp_flags[] = {
    {0x01, "fin"}, {0x02, "syn"}, {0x04, "rst"}, {0x08, "psh"},
    {0x10, "ack"}, {0x20, "urg"}, {0x40, "ecn"}, {0x80, "cwr"},
};

static const struct word ct_states[] = {
    {0x01, "invalid"}, {0x02, "established"}, {0x04, "related"}, {0x08, "new"}, {0x40, "untracked"},
};

static const struct word route_types[] = {
    {0, "unspec"},    {1, "unicast"},   {2, "local"},       {3, "broadcast"}, {4, "anycast"},
    {5, "multicast"}, {6, "blackhole"}, {7, "unreachable"}, {8, "prohibit"},
};

static const struct word booleans[] = {{0, "missing"}, {1, "exists"}};

static const struct word link_types[] = {
    {ARPHRD_ETHER, "ether"},   {ARPHRD_PPP, "ppp"},           {ARPHRD_TUNNEL, "ipip"},
    {ARPHRD_TUNNEL6, "ipip6"}, {ARPHRD_LOOPBACK, "loopback"}, {ARPHRD_SIT, "sit"},
    {ARPHRD_IPGRE, "ipgre"},
};

static const struct word icmp_codes[] = {
    {0, "net-unreachable"},   {1, "host-unreachable"}, {2, "prot-unreachable"},
    {3, "port-unreachable"},  {9, "net-prohibited"},   {10, "host-prohibited"},
    {13, "admin-prohibited"},
};

static const struct word icmp6_codes[] = {
    {0, "no-route"},         {1, "admin-prohibited"}, {3, "addr-unreachable"},
    {4, "port-unreachable"}, {5, "policy-fail"},      {6, "reject-route"},
};

static const struct word icmpx_codes[] = {
    {NFT_REJECT_ICMPX_NO_ROUTE, "no-route"},
    {NFT_REJECT_ICMPX_PORT_UNREACH, "port-unreachable"},
    {NFT_REJECT_ICMPX_HOST_UNREACH, "host-unreachable"},
    {NFT_REJECT_ICMPX_ADMIN_PROHIBITED, "admin-prohibited"},
};

static const char *find_word(const struct word *words, size_t count, uint64_t number)
{
	for (size_t i = 0; i < count; i++)
		if (words[i].number == number)
			return words[i].text;
	return NULL;
}

#define FIND_WORD(words, number) find_word(words, ARRAY_SIZE(words), number)

static const struct {
	uint32_t type;
	size_t len;
	const char *name; /* in declarations of sets; NULL: only `typeof` can say it */
	bool host;
	const struct word *words;
	size_t word_count;
} types[] = {
    {WORDS_NFPROTO, 1, "nf_proto", false, families, ARRAY_SIZE(families)},
    {WORDS_IP4, 4, "ipv4_addr"},
    {WORDS_IP6, 16, "ipv6_addr"},
    {WORDS_ETHER, 6, "ether_addr"},
    {WORDS_ETHERTYPE, 2, "ether_type", false, ethertypes, ARRAY_SIZE(ethertypes)},
    {WORDS_ARPOP, 2, "arp_op", false, arp_operations, ARRAY_SIZE(arp_operations)},
    {WORDS_PROTOCOL, 1, "inet_proto", false, protocols, ARRAY_SIZE(protocols)},
    {WORDS_PORT, 2, "inet_service"},
    {WORDS_ICMP_TYPE, 1, "icmp_type", false, icmp_types, ARRAY_SIZE(icmp_types)},
    {WORDS_TCP_FLAG, 1, "tcp_flag"},
    {WORDS_MARK, 4, "mark", true},
    {WORDS_IFINDEX, 4, "iface_index", true},
    {WORDS_IFTYPE, 2, "iface_type", true, link_types, ARRAY_SIZE(link_types)},
    {WORDS_REALM, 4, "realm", true},
    {WORDS_UID, 4, "uid", true},
    {WORDS_GID, 4, "gid", true},
    {WORDS_CT_STATE, 4, "ct_state", true},
    {WORDS_ROUTE_TYPE, 4, "fib_addrtype", true, route_types, ARRAY_SIZE(route_types)},
    {WORDS_BOOLEAN, 1, "boolean", true, booleans, ARRAY_SIZE(booleans)},
    {WORDS_ICMP6_TYPE, 1, "icmpv6_type", false, icmp6_types, ARRAY_SIZE(icmp6_types)},
    {WORDS_IFNAME, 16, "ifname", true},
};

const char *words_type_name(uint32_t type, size_t *ret_len)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (types[i].type != type)
			continue;
		*ret_len = types[i].len;
		return types[i].name;
	}
	return NULL;
}

static void write_hex(struct buf *out, const uint8_t *bytes, size_t len)
{
	buf_puts(out, "0x");
	for (size_t i = 0; i < len; i++)
		buf_printf(out, "%02x", bytes[i]);
}

static uint64_t number_of(const uint8_t *bytes, size_t len, bool host)
{
	uint64_t number = 0;

	for (size_t i = 0; i < len; i++)
		number = number << 8 | bytes[host ? len - 1 - i : i];
	return number;
}

static void write_number(struct buf *out, const struct words_shape *shape, const uint8_t *bytes)
{
	const struct word *words = NULL;
	const char *text = NULL;
	bool host = shape->host;
	size_t count = 0;
	uint64_t number;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (types[i].type != shape->type)
			continue;
		host = types[i].host;
		words = types[i].words;
		count = types[i].word_count;
	}
	if (shape->len > sizeof(number)) {
		write_hex(out, bytes, shape->len);
		return;
	}
	number = number_of(bytes, shape->len, host && HOST_IS_LITTLE);
	if (words)
		text = find_word(words, count, number);
	if (text)
		buf_puts(out, text);
	else if (shape->type == WORDS_ETHERTYPE || shape->type == WORDS_MARK)
		buf_printf(out, "0x%04" PRIx64, number);
	else
		buf_printf(out, "%" PRIu64, number);
}

/* One word for each bit. What no word stands for is written as a number. */
static void write_bits(struct buf *out, const struct word *words, size_t count,
		       const char *separator, uint64_t bits)
{
	bool any = false;

	for (size_t i = 0; i < count; i++) {
		if (!(bits & words[i].number))
			continue;
		buf_printf(out, "%s%s", any ? separator : "", words[i].text);
		bits &= ~(uint64_t)words[i].number;
		any = true;
	}
	if (bits || !any)
		buf_printf(out, "%s0x%" PRIx64, any ? separator : "", bits);
}

static void write_address(struct buf *out, const uint8_t *bytes, size_t len)
{
	struct packet_address address = {0};

	memcpy(address.bytes, bytes, len);
	packet_address_print(&address, len == sizeof(address.bytes), out);
}

void words_value(struct buf *out, const struct words_shape *shape, const uint8_t *bytes)
{
	char name[RULESET_DEVICE_MAX + 1] = "";

	switch (shape->type) {
	case WORDS_HEX:
		write_hex(out, bytes, shape->len);
		return;
	case WORDS_IP4:
	case WORDS_IP6:
		if (shape->len == (shape->type == WORDS_IP4 ? 4 : 16))
			write_address(out, bytes, shape->len);
		else
			write_hex(out, bytes, shape->len);
		return;
	case WORDS_ETHER:
		for (size_t i = 0; i < shape->len; i++)
			buf_printf(out, "%s%02x", i ? ":" : "", bytes[i]);
		return;
	case WORDS_TCP_FLAG:
		write_bits(out, tcp_flags, ARRAY_SIZE(tcp_flags), " | ", bytes[0]);
		return;
	case WORDS_CT_STATE:
		if (shape->len != 4)
			break;
		write_bits(out, ct_states, ARRAY_SIZE(ct_states), ",",
			   number_of(bytes, 4, HOST_IS_LITTLE));
		return;
	case WORDS_IFINDEX:
		if (shape->len == 4 && number_of(bytes, 4, HOST_IS_LITTLE) == 1) {
			words_quoted(out, "lo");
			return;
		}
		break;
	case WORDS_IFNAME:
		memcpy(name, bytes, shape->len < sizeof(name) ? shape->len : sizeof(name) - 1);
		words_quoted(out, name);
		return;
	default:
		break;
	}
	write_number(out, shape, bytes);
}

int words_prefix(const uint8_t *mask, size_t len)
{
	size_t bits = 0;

	while (bits < len * 8 && (mask[bits / 8] & (0x80u >> bits % 8)))
		bits++;
	for (size_t i = bits; i < len * 8; i++)
		if (mask[i / 8] & (0x80u >> i % 8))
			return -1;
	return (int)bits;
}

/* The prefix that a range of addresses is, or -1. */
static int range_prefix(const uint8_t *from, const uint8_t *to, size_t len)
{
	uint8_t mask[RULESET_DATA_MAX] = {0};

	for (size_t i = 0; i < len; i++) {
		mask[i] = (uint8_t) ~(from[i] ^ to[i]);
		if ((from[i] & (uint8_t)~mask[i]) != 0)
			return -1;
	}
	return words_prefix(mask, len);
}

void words_range(struct buf *out, const struct words_shape *shape, const uint8_t *from,
		 const uint8_t *to)
{
	int prefix = -1;

	words_value(out, shape, from);
	if (memcmp(from, to, shape->len) == 0)
		return;
	if (shape->type == WORDS_IP4 || shape->type == WORDS_IP6)
		prefix = range_prefix(from, to, shape->len);
	if (prefix >= 0) {
		buf_printf(out, "/%d", prefix);
		return;
	}
	buf_puts(out, "-");
	words_value(out, shape, to);
}

void words_verdict(struct buf *out, const struct ruleset_verdict *verdict)
{
	static const char *const names[] = {
	    [RULESET_NONE] = "/* no verdict */",
	    [RULESET_ACCEPT] = "accept",
	    [RULESET_DROP] = "drop",
	    [RULESET_JUMP] = "jump",
	    [RULESET_GOTO] = "goto",
	    [RULESET_RETURN] = "return",
	    [RULESET_CONTINUE] = "continue",
	    [RULESET_QUEUE] = "queue",
	    [RULESET_BREAK] = "/* break */",
	};

	buf_puts(out, verdict->code < ARRAY_SIZE(names) ? names[verdict->code] : names[0]);
	if (verdict->code == RULESET_JUMP || verdict->code == RULESET_GOTO)
		buf_printf(out, " %s", verdict->chain);
}

void words_duration(struct buf *out, uint64_t milliseconds)
{
	static const struct {
		uint64_t length;
		const char *unit;
	} units[] = {
	    {86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"},
	};

	if (milliseconds == 0)
		buf_puts(out, "0s");
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (milliseconds < units[i].length)
			continue;
		buf_printf(out, "%" PRIu64 "%s", milliseconds / units[i].length, units[i].unit);
		milliseconds %= units[i].length;
	}
}

void words_quoted(struct buf *out, const char *text)
{
	buf_puts(out, "\"");
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"')
			buf_puts(out, "'");
		else if (c < ' ' || c == 0x7f)
			buf_puts(out, "?");
		else
			buf_add(out, text, 1);
	}
	buf_puts(out, "\"");
}

bool words_reject(struct buf *out, uint32_t type, uint8_t code, bool ipv6)
{
	const char *text = NULL, *kind = NULL;

	switch (type) {
	case NFT_REJECT_TCP_RST:
		buf_puts(out, "with tcp reset");
		return true;
	case NFT_REJECT_ICMPX_UNREACH:
		kind = "icmpx";
		text = FIND_WORD(icmpx_codes, code);
		break;
	case NFT_REJECT_ICMP_UNREACH:
		kind = ipv6 ? "icmpv6" : "icmp";
		text = ipv6 ? FIND_WORD(icmp6_codes, code) : FIND_WORD(icmp_codes, code);
		break;
	default:
		return false;
	}
	if (text)
		buf_printf(out, "with %s %s", kind, text);
	return text != NULL;
}
