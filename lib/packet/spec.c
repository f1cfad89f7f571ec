/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "spec.h"

#include <linux/if_ether.h>
#include <stddef.h>
#include <string.h>

#include <base/num.h>

#define SPEC_MAX  512
#define FIELD_MAX 64
#define OPTIONS4_MAX 10

static const char *const paths[] = {
    [PACKET_OUTPUT] = "output",
    [PACKET_FRAME] = "frame",
    [PACKET_INPUT] = "input",
    [PACKET_FORWARD] = "forward",
};

static const char *const sockets[] = {
    [PACKET_SOCKET_NONE] = "none",
    [PACKET_SOCKET_WILDCARD] = "wildcard",
    [PACKET_SOCKET_BOUND] = "bound",
    [PACKET_SOCKET_TRANSPARENT] = "transparent",
};

/* Words that stand for true. */
static const struct {
	const char *name;
	size_t offset;
} flags[] = {
    {"lo", offsetof(struct packet, loopback)},
    {"routed", offsetof(struct packet, routed)},
    {"fragment", offsetof(struct packet, fragment)},
    {"plain", offsetof(struct packet, arp_plain)},
    {"expected", offsetof(struct packet, expected)},
};

static const struct {
	const char *name;
	size_t offset, size;
} numbers[] = {
    {"ether", offsetof(struct packet, ethertype), 2},
    {"link", offsetof(struct packet, link_ethertype), 2},
    {"proto", offsetof(struct packet, protocol), 1},
    {"options", offsetof(struct packet, options), 1},
    {"sport", offsetof(struct packet, source_port), 2},
    {"dport", offsetof(struct packet, destination_port), 2},
    {"flags", offsetof(struct packet, tcp_flags), 1},
    {"type", offsetof(struct packet, icmp_type), 1},
    {"code", offsetof(struct packet, icmp_code), 1},
    {"id", offsetof(struct packet, icmp_id), 2},
    {"arp", offsetof(struct packet, arp_operation), 2},
};

static uint32_t number_get(const struct packet *packet, size_t at, size_t size)
{
	const uint8_t *member = (const uint8_t *)packet + at;
	uint16_t wide;

	if (size == 1)
		return *member;
	memcpy(&wide, member, sizeof(wide));
	return wide;
}

static void number_set(struct packet *packet, size_t at, size_t size, uint32_t value)
{
	uint8_t *member = (uint8_t *)packet + at;
	uint16_t wide = (uint16_t)value;

	if (size == 1)
		*member = (uint8_t)value;
	else
		memcpy(member, &wide, sizeof(wide));
}

static bool is_ip(const struct packet *packet)
{
	return packet->ethertype == ETH_P_IP || packet->ethertype == ETH_P_IPV6;
}

void packet_spec_print(const struct packet *packet, struct buf *out)
{
	bool ipv6 = packet->ethertype == ETH_P_IPV6;

	buf_puts(out, packet->path >= PACKET_OUTPUT && packet->path <= PACKET_FORWARD
			  ? paths[packet->path]
			  : "?");
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (*(const bool *)((const char *)packet + flags[i].offset))
			buf_printf(out, ",%s", flags[i].name);
	if (packet->owned)
		buf_printf(out, ",owner=%u", packet->uid);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		uint32_t value = number_get(packet, numbers[i].offset, numbers[i].size);

		if (value == 0)
			continue;
		buf_printf(out, strcmp(numbers[i].name, "ether") == 0 ||
					strcmp(numbers[i].name, "link") == 0 ||
					strcmp(numbers[i].name, "flags") == 0
				    ? ",%s=0x%x"
				    : ",%s=%u",
			   numbers[i].name, value);
	}
	if (is_ip(packet)) {
		buf_puts(out, ",src=");
		packet_address_print(&packet->source, ipv6, out);
		buf_puts(out, ",dst=");
		packet_address_print(&packet->destination, ipv6, out);
	}
	if (packet->socket != PACKET_SOCKET_NONE)
		buf_printf(out, ",socket=%s", sockets[packet->socket]);
}

struct reading {
	struct packet packet;
	uint32_t seen;	       /* a bit for each kind of field */
	bool ipv6[2], have[2]; /* of source and destination */
};

static int once(struct reading *reading, unsigned field)
{
	if (reading->seen & (UINT32_C(1) << field))
		return -EINVAL;
	reading->seen |= UINT32_C(1) << field;
	return 0;
}

static int number_read(const char *text, uint64_t max, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (strncmp(text, "0x", 2) != 0)
		return num_parse_u64(text, max, ret_value);
	if (!text[2] || strlen(text) > 10)
		return -EINVAL;
	for (const char *at = text + 2; *at; at++) {
		const char *digits = "0123456789abcdef", *digit = strchr(digits, *at);

		if (!digit)
			return -EINVAL;
		value = value << 4 | (uint64_t)(digit - digits);
	}
	if (value > max)
		return -EINVAL;
	*ret_value = value;
	return 0;
}

static int flag_read(struct reading *reading, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		if (strcmp(flags[i].name, name) != 0)
			continue;
		*(bool *)((char *)&reading->packet + flags[i].offset) = true;
		return once(reading, (unsigned)i);
	}
	return -EINVAL;
}

static int value_read(struct reading *reading, const char *name, const char *text)
{
	struct packet *packet = &reading->packet;
	unsigned field = ARRAY_SIZE(flags);
	uint64_t value = 0;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++, field++) {
		if (strcmp(numbers[i].name, name) != 0)
			continue;
		r = number_read(text, numbers[i].size == 1 ? UINT8_MAX : UINT16_MAX, &value);
		if (r == 0)
			number_set(packet, numbers[i].offset, numbers[i].size, (uint32_t)value);
		return r < 0 ? -EINVAL : once(reading, field);
	}
	if (strcmp(name, "owner") == 0) {
		if (number_read(text, UINT32_MAX - 1, &value) < 0)
			return -EINVAL;
		packet->owned = true;
		packet->uid = (uint32_t)value;
		return once(reading, field);
	}
	if (strcmp(name, "src") == 0 || strcmp(name, "dst") == 0) {
		size_t end = name[0] == 'd';

		reading->have[end] = true;
		r = packet_address_parse(text, end ? &packet->destination : &packet->source,
					 &reading->ipv6[end]);
		return r < 0 ? -EINVAL : once(reading, field + 1 + (unsigned)end);
	}
	if (strcmp(name, "socket") != 0)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(sockets); i++) {
		if (strcmp(sockets[i], text) != 0)
			continue;
		packet->socket = (enum packet_socket)i;
		return once(reading, field + 3);
	}
	return -EINVAL;
}

static int field_read(struct reading *reading, char *field)
{
	char *value = strchr(field, '=');

	if (!value)
		return flag_read(reading, field);
	*value++ = '\0';
	return value_read(reading, field, value);
}

/* Addresses must be of the family that the ethertype says. */
static int families_check(const struct reading *reading)
{
	for (size_t i = 0; i < 2; i++)
		if (reading->have[i] &&
		    (!is_ip(&reading->packet) ||
		     reading->ipv6[i] != (reading->packet.ethertype == ETH_P_IPV6)))
			return -EINVAL;
	return 0;
}

/* No more than a header of the family can have; see struct packet. */
static int options_check(const struct packet *packet)
{
	uint8_t most = packet->ethertype == ETH_P_IP ? OPTIONS4_MAX : is_ip(packet) ? 1 : 0;

	return packet->options <= most ? 0 : -EINVAL;
}

int packet_spec_parse(const char *text, struct packet *ret_packet)
{
	struct reading reading = {0};
	bool first = true;

	if (strlen(text) > SPEC_MAX)
		return -EINVAL;
	for (const char *at = text; at; first = false) {
		const char *end = strchr(at, ',');
		size_t len = end ? (size_t)(end - at) : strlen(at);
		char field[FIELD_MAX];
		int r = first ? -EINVAL : 0;

		if (len >= sizeof(field))
			return -EINVAL;
		memcpy(field, at, len);
		field[len] = '\0';
		for (size_t i = PACKET_OUTPUT; first && i < ARRAY_SIZE(paths); i++) {
			if (strcmp(paths[i], field) != 0)
				continue;
			reading.packet.path = (enum packet_path)i;
			r = 0;
		}
		if (!first)
			r = field_read(&reading, field);
		if (r < 0)
			return r;
		at = end ? end + 1 : NULL;
	}
	if (families_check(&reading) < 0 || options_check(&reading.packet) < 0)
		return -EINVAL;
	*ret_packet = reading.packet;
	return 0;
}
