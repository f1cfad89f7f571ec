/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is read of a packet's first bytes: never more than is there, nor what the label denies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <linux/if_ether.h>
#include <netinet/in.h>

#include <linux/netfilter.h>

#include "headers.h"

/* As the kernel would tell of it; the bytes are kept until the next call. */
static struct nf_logged told(const struct packet *packet, uint8_t family)
{
	static uint8_t bytes[256];
	struct packet_bytes encoded;
	struct nf_logged logged = {.family = family, .ethertype = packet->ethertype, .data = bytes};
	size_t link = family == NFPROTO_NETDEV ? sizeof(encoded.link) : 0;

	packet_encode(packet, &encoded);
	memcpy(bytes, encoded.link, link);
	memcpy(bytes + link, encoded.data, encoded.len);
	logged.len = link + encoded.len;
	logged.owned = packet->owned;
	logged.uid = packet->uid;
	logged.device = packet->loopback ? 1 : 2;
	return logged;
}

static struct packet tcp4(void)
{
	return (struct packet){.path = PACKET_OUTPUT,
			       .ethertype = ETH_P_IP,
			       .owned = true,
			       .uid = 1000,
			       .protocol = IPPROTO_TCP,
			       .source = packet_address4(0xc0000202),
			       .destination = packet_address4(0xc6336409),
			       .source_port = 40000,
			       .destination_port = 443,
			       .tcp_flags = PACKET_TCP_SYN};
}

static void check_tcp4(const struct attempt *attempt)
{
	assert_int_equal(attempt->kind, WATCH_USER);
	assert_int_equal(attempt->owner_uid, 1000);
	assert_int_equal(attempt->sender.uid, 1000);
	assert_int_equal(attempt->sender.pid, 0);
	assert_true(attempt->flags & WATCH_OWNED);
	assert_true(attempt->flags & WATCH_ADDRESSED);
	assert_int_equal(attempt->protocol, IPPROTO_TCP);
	assert_int_equal(packet_address_to4(&attempt->destination), 0xc6336409);
	assert_int_equal(packet_address_to4(&attempt->source), 0xc0000202);
	assert_int_equal(attempt->destination_port, 443);
	assert_int_equal(attempt->source_port, 40000);
	assert_int_equal(attempt->tcp_flags, PACKET_TCP_SYN);
}

static void a_user_is_known_and_no_program(void **state)
{
	struct packet packet = tcp4();
	struct nf_logged logged = told(&packet, NFPROTO_IPV4);
	struct attempt attempt = headers_read(&logged);

	check_tcp4(&attempt);
	assert_false(attempt.flags & (WATCH_FRAME | WATCH_LOOPBACK | WATCH_CREATOR));
	assert_string_equal(attempt.path, "");
	packet.loopback = true;
	logged = told(&packet, NFPROTO_IPV4);
	assert_true(headers_read(&logged).flags & WATCH_LOOPBACK);
}

static void a_frame_has_a_link_header(void **state)
{
	struct packet packet = tcp4();
	struct nf_logged logged = told(&packet, NFPROTO_NETDEV);
	struct attempt attempt = headers_read(&logged);

	check_tcp4(&attempt);
	assert_true(attempt.flags & WATCH_FRAME);
	/* Another header than Ethernet's, or one that says something else: nothing is guessed. */
	packet.link_ethertype = ETH_P_ARP;
	logged = told(&packet, NFPROTO_NETDEV);
	attempt = headers_read(&logged);
	assert_false(attempt.flags & WATCH_ADDRESSED);
	assert_int_equal(attempt.destination_port, 0);
	assert_int_equal(attempt.owner_uid, 1000);
}

static void what_has_no_owner_is_no_users(void **state)
{
	struct packet packet = tcp4();
	struct nf_logged logged;

	packet.owned = false;
	packet.uid = 0;
	logged = told(&packet, NFPROTO_IPV4);
	assert_int_equal(headers_read(&logged).kind, WATCH_KERNEL);
	assert_false(headers_read(&logged).flags & WATCH_OWNED);
	packet.owned = true; /* root is a user */
	logged = told(&packet, NFPROTO_IPV4);
	assert_int_equal(headers_read(&logged).kind, WATCH_USER);
}

static void other_protocols(void **state)
{
	struct packet packet = tcp4();
	struct nf_logged logged;
	struct attempt attempt;

	packet.protocol = IPPROTO_ICMP;
	packet.icmp_type = 8;
	logged = told(&packet, NFPROTO_IPV4);
	attempt = headers_read(&logged);
	assert_int_equal(attempt.icmp_type, 8);
	assert_int_equal(attempt.destination_port, 0);

	packet = tcp4();
	packet.options = 2;
	logged = told(&packet, NFPROTO_IPV4);
	attempt = headers_read(&logged);
	check_tcp4(&attempt);

	packet = tcp4();
	packet.fragment = true;
	logged = told(&packet, NFPROTO_IPV4);
	attempt = headers_read(&logged);
	assert_true(attempt.flags & WATCH_FRAGMENT);
	assert_int_equal(attempt.destination_port, 0);

	packet = tcp4();
	packet.ethertype = ETH_P_IPV6;
	packet.protocol = IPPROTO_UDP;
	memset(packet.destination.bytes, 0x20, 16);
	logged = told(&packet, NFPROTO_IPV6);
	attempt = headers_read(&logged);
	assert_true(attempt.flags & WATCH_ADDRESSED);
	assert_memory_equal(attempt.destination.bytes, packet.destination.bytes, 16);
	assert_int_equal(attempt.destination_port, 443);
}

static void the_label_and_the_version_must_agree(void **state)
{
	struct packet packet = tcp4();
	struct nf_logged logged = told(&packet, NFPROTO_IPV4);

	logged.ethertype = ETH_P_IPV6;
	assert_false(headers_read(&logged).flags & WATCH_ADDRESSED);
	logged.ethertype = ETH_P_ARP;
	assert_false(headers_read(&logged).flags & WATCH_ADDRESSED);
}

/* Each length there is, in memory that ends there: a read behind it is seen by the sanitizers. */
static void no_more_is_read_than_is_there(void **state)
{
	static const uint8_t families[] = {NFPROTO_IPV4, NFPROTO_IPV6, NFPROTO_NETDEV};

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		struct packet packet = tcp4();
		struct nf_logged logged;
		size_t whole;

		if (families[i] == NFPROTO_IPV6)
			packet.ethertype = ETH_P_IPV6;
		logged = told(&packet, families[i]);
		whole = logged.len;
		for (size_t len = 0; len <= whole; len++) {
			AUTO_FREE uint8_t *copy = malloc(len ? len : 1);
			struct nf_logged cut = logged;
			struct attempt attempt;

			assert_non_null(copy);
			memcpy(copy, logged.data, len);
			cut.data = copy;
			cut.len = len;
			attempt = headers_read(&cut);
			assert_int_equal(attempt.kind, WATCH_USER);
			if (len == 0)
				assert_false(attempt.flags & WATCH_ADDRESSED);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_user_is_known_and_no_program),
	    cmocka_unit_test(a_frame_has_a_link_header),
	    cmocka_unit_test(what_has_no_owner_is_no_users),
	    cmocka_unit_test(other_protocols),
	    cmocka_unit_test(the_label_and_the_version_must_agree),
	    cmocka_unit_test(no_more_is_read_than_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
