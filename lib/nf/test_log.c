/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Messages of nfnetlink_log: read, refused, and counted by their numbers. */
#include "log_internal.h"

#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>

enum part {
	PART_HEADER = 1 << 0,
	PART_NUMBER = 1 << 1,
	PART_USER = 1 << 2,
	PART_DEVICE = 1 << 3,
	PART_BYTES = 1 << 4,
	PART_SHORT_USER = 1 << 5,
	PART_SHORT_HEADER = 1 << 6,
	PART_ALL = PART_HEADER | PART_NUMBER | PART_USER | PART_DEVICE | PART_BYTES,
};

static void put_packet(struct buf *out, unsigned parts)
{
	const struct nfulnl_msg_packet_hdr header = {.hw_protocol = htobe16(0x0800), .hook = 3};
	struct nf_writer writer = {.out = out};

	nf_message_begin(&writer, NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET, 0, NFPROTO_IPV4, 0);
	if (parts & PART_HEADER)
		nf_put(&writer, NFULA_PACKET_HDR, &header, sizeof(header));
	if (parts & PART_SHORT_HEADER)
		nf_put(&writer, NFULA_PACKET_HDR, &header, sizeof(header) - 1);
	if (parts & PART_DEVICE)
		nf_put_u32(&writer, NFULA_IFINDEX_OUTDEV, 7);
	if (parts & PART_USER)
		nf_put_u32(&writer, NFULA_UID, 1000);
	if (parts & PART_SHORT_USER)
		nf_put_u16(&writer, NFULA_UID, 1000);
	if (parts & PART_NUMBER)
		nf_put_u32(&writer, NFULA_SEQ, 41);
	if (parts & PART_BYTES)
		nf_put(&writer, NFULA_PAYLOAD, "\x45\x00\x00", 3);
	nf_message_end(&writer);
	assert_int_equal(nf_writer_finish(&writer), 0);
}

static int read_packet(unsigned parts, struct nf_logged *logged, uint32_t *number)
{
	static struct buf out; /* what is read points into it */
	struct nf_message message;
	struct nf_span rest;

	buf_done(&out);
	out = (struct buf){.cap = 4096};
	put_packet(&out, parts);
	rest = (struct nf_span){(const uint8_t *)out.data, out.len};
	assert_int_equal(nf_message_next(&rest, &message), 1);
	return nf_logged_read(&message, logged, number);
}

static void test_a_packet(void **state)
{
	struct nf_logged logged;
	uint32_t number;

	assert_int_equal(read_packet(PART_ALL, &logged, &number), 0);
	assert_int_equal(number, 41);
	assert_int_equal(logged.family, NFPROTO_IPV4);
	assert_int_equal(logged.ethertype, 0x0800);
	assert_int_equal(logged.device, 7);
	assert_true(logged.owned);
	assert_int_equal(logged.uid, 1000);
	assert_int_equal(logged.len, 3);
	assert_memory_equal(logged.data, "\x45\x00\x00", 3);
}

/* User 0 is not "no user". */
static void test_what_is_not_told(void **state)
{
	struct nf_logged logged;
	uint32_t number;

	assert_int_equal(read_packet(PART_HEADER | PART_NUMBER, &logged, &number), 0);
	assert_false(logged.owned);
	assert_int_equal(logged.device, 0);
	assert_int_equal(logged.len, 0);
}

static void test_refused(void **state)
{
	static const unsigned bad[] = {
	    PART_ALL & ~PART_HEADER,
	    PART_ALL & ~PART_NUMBER,
	    (PART_ALL & ~PART_USER) | PART_SHORT_USER,
	    (PART_ALL & ~PART_HEADER) | PART_SHORT_HEADER,
	    PART_ALL | PART_SHORT_USER, /* twice */
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct nf_logged logged = {.uid = 77};
		uint32_t number;

		assert_int_equal(read_packet(bad[i], &logged, &number), -EBADMSG);
		assert_int_equal(logged.uid, 77);
	}
}

static void test_gaps_are_counted(void **state)
{
	static const struct {
		uint32_t number;
		uint64_t told, lost;
	} steps[] = {
	    {0, 1, 0},   {1, 2, 0}, {4, 5, 2}, /* 2 and 3 had no room */
	    {5, 6, 2},   {5, 7, 2},            /* out of order: no gap of four thousand millions */
	    {10, 12, 6},
	};
	struct nf_log_track track = {0};

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		nf_log_track(&track, steps[i].number);
		assert_int_equal(track.told, steps[i].told);
		assert_int_equal(track.lost, steps[i].lost);
	}
	/* All the way round. */
	track = (struct nf_log_track){.next = UINT32_MAX};
	nf_log_track(&track, UINT32_MAX);
	nf_log_track(&track, 1);
	assert_int_equal(track.told, 3);
	assert_int_equal(track.lost, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_packet),
	    cmocka_unit_test(test_what_is_not_told),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_gaps_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
