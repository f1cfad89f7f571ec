/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A packet as a word of text: written and read it is the same packet; anything else is refused.
 * LETHE_SEED repeats a run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>

#include <base/num.h>

#include "spec.h"

#define ROUNDS 20000

static uint64_t state;

static void seed(void)
{
	const char *given = getenv("LETHE_SEED");

	if (given)
		assert_int_equal(num_parse_u64(given, UINT64_MAX, &state), 0);
	else
		assert_int_equal(getrandom(&state, sizeof(state), 0), sizeof(state));
	print_message("# LETHE_SEED=%llu\n", (unsigned long long)state);
}

/* SplitMix64. */
static uint64_t draw(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* Of @width bits: any value, but nothing and the largest one often. */
static uint32_t draw_number(unsigned width)
{
	uint64_t max = ((uint64_t)1 << width) - 1;

	switch (draw() % 4) {
	case 0:
		return 0;
	case 1:
		return (uint32_t)max;
	default:
		return (uint32_t)(draw() & max);
	}
}

static struct packet_address draw_address(size_t len)
{
	struct packet_address address = {0};

	for (size_t i = 0; i < len; i++)
		address.bytes[i] = (uint8_t)draw_number(8);
	return address;
}

/* Every field, whether or not the others leave it a meaning; but no owner's number without an
 * owner, and no addresses where there are none. */
static struct packet draw_packet(void)
{
	static const uint16_t types[] = {ETH_P_IP, ETH_P_IPV6, ETH_P_ARP, ETH_P_PAE};
	struct packet packet = {
	    .path = (enum packet_path)(PACKET_OUTPUT + draw() % 4),
	    .loopback = draw() & 1,
	    .link_ethertype = (uint16_t)draw_number(16),
	    .owned = draw() & 1,
	    .routed = draw() & 1,
	    .protocol = (uint8_t)draw_number(8),
	    .fragment = draw() & 1,
	    .source_port = (uint16_t)draw_number(16),
	    .destination_port = (uint16_t)draw_number(16),
	    .tcp_flags = (uint8_t)draw_number(8),
	    .icmp_type = (uint8_t)draw_number(8),
	    .icmp_code = (uint8_t)draw_number(8),
	    .icmp_id = (uint16_t)draw_number(16),
	    .arp_operation = (uint16_t)draw_number(16),
	    .arp_plain = draw() & 1,
	    .socket = (enum packet_socket)(draw() % (PACKET_SOCKET_TRANSPARENT + 1)),
	    .expected = draw() & 1,
	};
	size_t kind = draw() % (ARRAY_SIZE(types) + 1);

	packet.ethertype = kind < ARRAY_SIZE(types) ? types[kind] : (uint16_t)draw_number(16);
	if (packet.owned)
		packet.uid = draw_number(32) % UINT32_MAX;
	if (packet.ethertype == ETH_P_IP || packet.ethertype == ETH_P_IPV6) {
		packet.source = draw_address(packet.ethertype == ETH_P_IP ? 4 : 16);
		packet.destination = draw_address(packet.ethertype == ETH_P_IP ? 4 : 16);
		packet.options = (uint8_t)(draw() % (packet.ethertype == ETH_P_IP ? 11 : 2));
	}
	return packet;
}

static void assert_same(const struct packet *a, const struct packet *b, const char *text)
{
	bool same = a->path == b->path && a->loopback == b->loopback &&
		    a->ethertype == b->ethertype && a->link_ethertype == b->link_ethertype &&
		    a->owned == b->owned && a->uid == b->uid && a->routed == b->routed;

	same = same && a->protocol == b->protocol && a->fragment == b->fragment &&
	       a->options == b->options && a->source_port == b->source_port &&
	       a->destination_port == b->destination_port && a->tcp_flags == b->tcp_flags;
	same = same && a->icmp_type == b->icmp_type && a->icmp_code == b->icmp_code &&
	       a->icmp_id == b->icmp_id && a->arp_operation == b->arp_operation &&
	       a->arp_plain == b->arp_plain && a->socket == b->socket && a->expected == b->expected;
	same = same && memcmp(&a->source, &b->source, sizeof(a->source)) == 0 &&
	       memcmp(&a->destination, &b->destination, sizeof(a->destination)) == 0;
	if (!same)
		fail_msg("%s is another packet than the one that was written", text);
}

static void assert_round_trip(const struct packet *packet)
{
	AUTO_BUF struct buf text = {.cap = 1024};
	struct packet read;

	packet_spec_print(packet, &text);
	assert_int_equal(buf_finish(&text), 0);
	if (packet_spec_parse(buf_text(&text), &read) < 0)
		fail_msg("%s cannot be read", buf_text(&text));
	assert_same(packet, &read, buf_text(&text));
	/* A word for a shell and in a sentence. */
	assert_null(strpbrk(buf_text(&text), " \t\n'\"\\;&|<>()$`*?#"));
}

static void random_packets_come_back(void **unused)
{
	(void)unused;
	seed();
	for (size_t i = 0; i < ROUNDS; i++) {
		struct packet packet = draw_packet();

		assert_round_trip(&packet);
	}
}

/* Each field alone, so that none is forgotten in writing as well as in reading. */
static void every_field_comes_back(void **unused)
{
	const struct packet packets[] = {
	    {.path = PACKET_OUTPUT},
	    {.path = PACKET_FRAME},
	    {.path = PACKET_INPUT},
	    {.path = PACKET_FORWARD},
	    {.path = PACKET_FRAME, .loopback = true},
	    {.path = PACKET_FRAME, .ethertype = 1},
	    {.path = PACKET_FRAME, .ethertype = UINT16_MAX, .link_ethertype = 1},
	    {.path = PACKET_FRAME, .link_ethertype = UINT16_MAX},
	    {.path = PACKET_FRAME, .owned = true},
	    {.path = PACKET_FRAME, .owned = true, .uid = UINT32_MAX - 1},
	    {.path = PACKET_FRAME, .routed = true},
	    {.path = PACKET_OUTPUT, .protocol = UINT8_MAX},
	    {.path = PACKET_OUTPUT, .fragment = true},
	    {.path = PACKET_OUTPUT, .ethertype = ETH_P_IP, .options = 10},
	    {.path = PACKET_OUTPUT, .ethertype = ETH_P_IPV6, .options = 1},
	    {.path = PACKET_OUTPUT, .source_port = UINT16_MAX},
	    {.path = PACKET_OUTPUT, .destination_port = UINT16_MAX},
	    {.path = PACKET_OUTPUT, .tcp_flags = UINT8_MAX},
	    {.path = PACKET_OUTPUT, .icmp_type = UINT8_MAX},
	    {.path = PACKET_OUTPUT, .icmp_code = UINT8_MAX},
	    {.path = PACKET_OUTPUT, .icmp_id = UINT16_MAX},
	    {.path = PACKET_FRAME, .arp_operation = UINT16_MAX},
	    {.path = PACKET_FRAME, .arp_plain = true},
	    {.path = PACKET_INPUT, .expected = true},
	    {.path = PACKET_INPUT, .socket = PACKET_SOCKET_WILDCARD},
	    {.path = PACKET_INPUT, .socket = PACKET_SOCKET_BOUND},
	    {.path = PACKET_INPUT, .socket = PACKET_SOCKET_TRANSPARENT},
	    {.path = PACKET_OUTPUT,
	     .ethertype = ETH_P_IP,
	     .source = {.bytes = {255, 255, 255, 255}}},
	    {.path = PACKET_OUTPUT, .ethertype = ETH_P_IPV6, .destination = {.bytes = {[15] = 1}}},
	    /* An address of IPv4 in one of IPv6. */
	    {.path = PACKET_OUTPUT,
	     .ethertype = ETH_P_IPV6,
	     .destination = {.bytes = {[10] = 255, 255, 192, 168, 1, 2}}},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(packets); i++)
		assert_round_trip(&packets[i]);
}

/* What stands in documents and reports stays readable. */
static void the_text_is_known(void **unused)
{
	struct packet packet = {
	    .path = PACKET_OUTPUT,
	    .routed = true,
	    .owned = true,
	    .uid = 1000,
	    .ethertype = ETH_P_IP,
	    .protocol = IPPROTO_TCP,
	    .source_port = 40000,
	    .destination_port = 443,
	    .tcp_flags = PACKET_TCP_SYN,
	    .source = packet_address4(0xc0a80102),
	    .destination = packet_address4(0xc6336407),
	};
	AUTO_BUF struct buf text = {.cap = 1024};

	(void)unused;
	packet_spec_print(&packet, &text);
	assert_string_equal(buf_text(&text),
			    "output,routed,owner=1000,ether=0x800,proto=6,sport=40000,dport=443,"
			    "flags=0x2,src=192.168.1.2,dst=198.51.100.7");
}

static void people_write_otherwise(void **unused)
{
	static const char *const same[] = {
	    "output,routed,owner=0x3e8,ether=0x800,proto=17,sport=53,dst=192.0.2.1",
	    "output,dst=192.0.2.1,src=0.0.0.0,sport=0x35,proto=0x11,ether=2048,owner=1000,routed",
	    "output,routed,flags=0,socket=none,owner=1000,ether=0x0800,proto=17,sport=53,dst=192.0.2.1",
	};
	struct packet first, other;

	(void)unused;
	assert_int_equal(packet_spec_parse(same[0], &first), 0);
	for (size_t i = 1; i < ARRAY_SIZE(same); i++) {
		assert_int_equal(packet_spec_parse(same[i], &other), 0);
		assert_same(&first, &other, same[i]);
	}
}

static void an_unknown_path_is_written_as_unknown(void **unused)
{
	static const int paths[] = {0, PACKET_FORWARD + 1, -1};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		AUTO_BUF struct buf text = {.cap = 1024};
		struct packet packet = {.path = (enum packet_path)paths[i]}, read;

		packet_spec_print(&packet, &text);
		assert_int_equal(packet_spec_parse(buf_text(&text), &read), -EINVAL);
	}
}

static void assert_refused(const char *text)
{
	struct packet packet, untouched;

	memset(&packet, 0x5a, sizeof(packet));
	memset(&untouched, 0x5a, sizeof(untouched));
	if (packet_spec_parse(text, &packet) != -EINVAL)
		fail_msg("\"%s\" is not refused", text);
	assert_memory_equal(&packet, &untouched, sizeof(packet));
}

static const char *const malformed[] = {
    "",
    ",",
    "?",
    "outputs",
    "Output",
    " output",
    "output ",
    "output,",
    "output,,routed",
    "routed,output",
    "output,input",
    "output,routed=1",
    "output,owner",
    "output,proto",
    "output,=1",
    "output,colour=1",
    "output,proto=",
    "output,proto=0x",
    "output,proto=0x0x6",
    "output,proto=0xG",
    "output,proto=0X6",
    "output,proto=-1",
    "output,proto=+6",
    "output,proto= 6",
    "output,proto=6 ",
    "output,proto=06",
    "output,proto=6=6",
    "output,proto=256",
    "output,proto=0x100",
    "output,type=256",
    "output,code=256",
    "output,flags=0x100",
    "output,options=256",
    "output,sport=65536",
    "output,dport=0x10000",
    "output,id=65536",
    "output,arp=65536",
    "output,ether=0x10000",
    "output,link=65536",
    "output,sport=0x000000035",
    "output,sport=18446744073709551669",
    "output,owner=4294967295", /* (uid_t)-1 is nobody */
    "output,owner=4294967296",
    "output,owner=-1",
    "output,owner=amnesia",
    "output,ether=0x800,src=",
    "output,ether=0x800,src=192.168.1",
    "output,ether=0x800,src=192.168.1.2.3",
    "output,ether=0x800,src=192.168.1.256",
    "output,ether=0x800,src=::1",
    "output,ether=0x800,dst=::1",
    "output,ether=0x800,src=192.0.2.1,dst=::1",
    "output,ether=0x86dd,dst=192.0.2.1",
    "output,ether=0x86dd,src=fe80::1%1",
    "output,ether=0x86dd,src=:::",
    "output,ether=0x806,src=192.0.2.1",
    "output,src=192.0.2.1", /* of no family */
    "output,dst=::1",
    "input,socket=",
    "input,socket=1",
    "input,socket=bounds",
};

static void malformed_text_is_refused(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(malformed); i++)
		assert_refused(malformed[i]);
}

static void fields_stand_once(void **unused)
{
	static const char *const fields[] = {
	    "lo",     "routed",      "fragment",    "plain",   "expected", "ether=0x800",
	    "link=1", "proto=6",     "options=1",   "sport=1", "dport=1",  "flags=2",
	    "type=8", "code=1",      "id=1",        "arp=1",   "owner=0",  "src=192.0.2.1",
	    "dst=::", "dst=0.0.0.0", "socket=none",
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		bool has_type = strncmp(fields[i], "ether", 5) == 0;
		const char *type = has_type                           ? ""
				   : strcmp(fields[i], "dst=::") == 0 ? ",ether=0x86dd"
								      : ",ether=0x800";
		char text[128];
		struct packet packet;

		snprintf(text, sizeof(text), "input%s,%s", type, fields[i]);
		assert_int_equal(packet_spec_parse(text, &packet), 0);
		snprintf(text, sizeof(text), "input%s,%s,%s", type, fields[i], fields[i]);
		assert_refused(text);
	}
}

/* More than a header can have: whoever encodes the packet relies on it. */
static void options_have_a_limit(void **unused)
{
	struct packet packet;

	(void)unused;
	assert_int_equal(packet_spec_parse("output,ether=0x800,options=10", &packet), 0);
	assert_int_equal(packet.options, 10);
	assert_refused("output,ether=0x800,options=11");
	assert_int_equal(packet_spec_parse("output,options=1,ether=0x86dd", &packet), 0);
	assert_refused("output,options=2,ether=0x86dd");
	assert_refused("frame,ether=0x806,options=1");
	assert_refused("frame,options=1");
}

static void long_text_is_refused(void **unused)
{
	char text[1024];

	(void)unused;
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_refused(text);
	memcpy(text, "output,", 7);
	for (size_t len = 8; len < sizeof(text) - 1; len++) {
		text[len] = '\0';
		assert_refused(text);
		text[len] = 'a';
	}
	/* Fields that are short, but many. */
	for (size_t i = 6; i + 1 < sizeof(text); i++)
		text[i] = ',';
	assert_refused(text);
}

/* Whatever is missing at the end or changed in the middle: an answer, and no other than these two.
 */
static void cut_and_changed_text(void **unused)
{
	(void)unused;
	seed();
	for (size_t i = 0; i < ROUNDS / 10; i++) {
		AUTO_BUF struct buf text = {.cap = 1024};
		struct packet packet = draw_packet(), read;
		char *word;
		int r;

		packet_spec_print(&packet, &text);
		word = strdup(buf_text(&text));
		assert_non_null(word);
		word[draw() % strlen(word)] = (char)(draw() % 128);
		r = packet_spec_parse(word, &read);
		assert_true(r == 0 || r == -EINVAL);
		if (r == 0)
			assert_round_trip(&read);
		free(word);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_packets_come_back),
	    cmocka_unit_test(every_field_comes_back),
	    cmocka_unit_test(the_text_is_known),
	    cmocka_unit_test(people_write_otherwise),
	    cmocka_unit_test(an_unknown_path_is_written_as_unknown),
	    cmocka_unit_test(malformed_text_is_refused),
	    cmocka_unit_test(fields_stand_once),
	    cmocka_unit_test(options_have_a_limit),
	    cmocka_unit_test(long_text_is_refused),
	    cmocka_unit_test(cut_and_changed_text),
	};

	return cmocka_run_group_tests_name("packet-spec", tests, NULL, NULL);
}
