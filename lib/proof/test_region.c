/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sets of packets as boxes: exact, few, and in words. */
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#include <policy/test_util.h>

#include "region.h"

#define SETS      60
#define BOXES_MAX 5
#define MANY      1000

struct setting {
	struct diagram_space *space;
	struct region_view view;
	diagram care;
};

static void begin(struct setting *setting, enum packet_path path)
{
	diagram possible;

	*setting = (struct setting){.space = diagram_space_new((size_t)1 << 22)};
	assert_non_null(setting->space);
	region_view_begin(&setting->view, setting->space, path);
	possible = diagram_and(setting->space, space_universe(setting->space, path, NULL, 0),
			       space_complete(setting->space));
	setting->care = region_view_of(&setting->view, possible);
	assert_int_equal(diagram_error(setting->space), 0);
}

static void end(struct setting *setting)
{
	setting->space = diagram_space_free(setting->space);
}

static diagram both(struct setting *setting, diagram a, diagram b)
{
	return diagram_and(setting->space, a, b);
}

static diagram between(struct setting *setting, enum space_field field, uint64_t low, uint64_t high)
{
	return space_between(setting->space, field, low, high);
}

/* The boxes of all regions together. */
static diagram together(struct setting *setting, const struct regions *regions)
{
	diagram all = DIAGRAM_FALSE;

	for (size_t i = 0; i < regions->count; i++)
		all = diagram_or(setting->space, all,
				 region_view_box(&setting->view, &regions->list[i]));
	return both(setting, all, setting->care);
}

/* @wanted as regions, in words, which must be these. */
static void expect(struct setting *setting, diagram wanted, const char *words)
{
	struct region_task task = {.care = setting->care,
				   .wanted = both(setting, wanted, setting->care)};
	CLEANUP(regions_done) struct regions regions = {0};
	AUTO_BUF struct buf text = {.cap = 1 << 20};

	assert_int_equal(regions_cover(&setting->view, &task, MANY, &regions), 0);
	assert_int_equal(together(setting, &regions), task.wanted);
	for (size_t i = 0; i < regions.count; i++) {
		region_print(&regions.list[i], NULL, NULL, &text);
		buf_puts(&text, "\n");
	}
	assert_string_equal(buf_text(&text), words);
}

/* An ordinary packet to another host, whatever its owner is. */
static diagram ordinary(struct setting *setting)
{
	diagram one =
	    both(setting, space_ipv4(setting->space), space_flag(setting->space, SPACE_OWNED));

	one = diagram_minus(setting->space, one, space_flag(setting->space, SPACE_LOOPBACK));
	one = both(setting, one, region_view_is(&setting->view, REGION_OPTIONS, 0));
	return both(setting, one, region_view_is(&setting->view, REGION_FRAGMENT, 0));
}

static void words(void **state)
{
	struct setting s;
	diagram one, tcp, udp, icmp;

	begin(&s, PACKET_OUTPUT);
	one = ordinary(&s);
	tcp = both(&s, one, space_is(s.space, SPACE_PROTOCOL, IPPROTO_TCP));
	udp = both(&s, one, space_is(s.space, SPACE_PROTOCOL, IPPROTO_UDP));
	icmp = both(&s, one, space_is(s.space, SPACE_PROTOCOL, IPPROTO_ICMP));
	expect(&s, DIAGRAM_FALSE, "");
	expect(&s, one, "every user over every protocol\n");
	expect(&s, both(&s, tcp, between(&s, SPACE_DESTINATION_PORT, 80, 80)),
	       "every user over tcp, port 80\n");
	expect(&s, diagram_minus(s.space, tcp, between(&s, SPACE_DESTINATION_PORT, 80, 90)),
	       "every user over tcp, every port but 80-90\n");
	expect(&s, both(&s, udp, between(&s, SPACE_SOURCE_PORT, 67, 68)),
	       "every user over udp, source ports 67-68\n");
	expect(&s, both(&s, icmp, between(&s, SPACE_SOURCE_PORT, 8 << 8, 8 << 8 | 0xff)),
	       "every user over icmp, types 8\n");
	expect(&s, both(&s, icmp, between(&s, SPACE_SOURCE_PORT, 3 << 8 | 4, 3 << 8 | 4)),
	       "every user over icmp, types 3 code 4\n");
	expect(&s, diagram_minus(s.space, one, space_is(s.space, SPACE_PROTOCOL, IPPROTO_TCP)),
	       "every user over every protocol but tcp\n");
	expect(&s, both(&s, tcp, between(&s, SPACE_UID, 1000, 1001)),
	       "uid 1000, uid 1001 over tcp\n");
	expect(&s, both(&s, tcp, between(&s, SPACE_UID, 1000, 2000)), "uids 1000-2000 over tcp\n");
	expect(&s, diagram_minus(s.space, tcp, between(&s, SPACE_UID, 1000, 1000)),
	       "every user but uid 1000 over tcp\n");
	expect(&s, both(&s, tcp, between(&s, SPACE_FLAGS, 0x10, 0x1f)),
	       "every user over tcp, segments with ack without urg, ece, cwr\n");
	end(&s);
}

static void address_words(void **state)
{
	struct setting s;
	diagram one, net, host;

	begin(&s, PACKET_OUTPUT);
	one = both(&s, ordinary(&s), space_is(s.space, SPACE_PROTOCOL, IPPROTO_UDP));
	net = between(&s, SPACE_DESTINATION4, 0x0a000000, 0x0affffff);
	host = between(&s, SPACE_DESTINATION4, 0x0a010203, 0x0a010203);
	expect(&s, both(&s, one, net), "every user to 10.0.0.0/8 over udp\n");
	expect(&s, both(&s, one, host), "every user to 10.1.2.3 over udp\n");
	expect(&s, diagram_minus(s.space, both(&s, one, net), host),
	       "every user to 10.0.0.0/8 but not 10.1.2.3 over udp\n");
	expect(&s, diagram_minus(s.space, one, net),
	       "every user to anywhere but 10.0.0.0/8 over udp\n");
	expect(&s, both(&s, one, between(&s, SPACE_SOURCE4, 0x0a000001, 0x0a000002)),
	       "every user from 10.0.0.1, 10.0.0.2 over udp\n");
	end(&s);
}

/* A mask makes very many ranges; still it is the set that it is. */
static void mask(void **state)
{
	struct region_task task;
	CLEANUP(regions_done) struct regions regions = {0};
	struct setting s;

	begin(&s, PACKET_OUTPUT);
	task = (struct region_task){
	    .care = s.care,
	    .wanted = both(&s, s.care,
			   both(&s, ordinary(&s),
				diagram_variable(s.space, space_first(SPACE_DESTINATION4) + 31))),
	};
	assert_int_equal(regions_cover(&s.view, &task, MANY, &regions), 0);
	assert_int_equal(regions.count, 1);
	assert_true(regions.list[0].sets[REGION_DESTINATION].more);
	assert_int_equal(together(&s, &regions), task.wanted);
	end(&s);
}

/* What was told already may be in a region, but needs none. */
static void told(void **state)
{
	struct setting s;
	struct region_task task;
	CLEANUP(regions_done) struct regions regions = {0};

	begin(&s, PACKET_FRAME);
	task.care = s.care;
	task.wanted = both(&s, s.care, ordinary(&s));
	task.told = task.wanted;
	assert_int_equal(regions_cover(&s.view, &task, MANY, &regions), 0);
	assert_int_equal(regions.count, 0);
	task.told = both(&s, task.wanted, between(&s, SPACE_UID, 0, 999));
	assert_int_equal(regions_cover(&s.view, &task, MANY, &regions), 0);
	assert_int_equal(regions.count, 1);
	assert_int_equal(diagram_minus(s.space, task.wanted,
				       diagram_or(s.space, task.told, together(&s, &regions))),
			 DIAGRAM_FALSE);
	end(&s);
}

static diagram user_at_port(struct setting *s, uint32_t uid, uint16_t port)
{
	diagram one = both(s, ordinary(s), space_is(s->space, SPACE_PROTOCOL, IPPROTO_UDP));

	one = both(s, one, between(s, SPACE_UID, uid, uid));
	return both(s, both(s, one, between(s, SPACE_DESTINATION_PORT, port, port)), s->care);
}

/* Two corners of a square were told; the other two are one region, not two. */
static void corners(void **state)
{
	struct setting s;
	struct region_task task = {0};
	CLEANUP(regions_done) struct regions regions = {0};

	begin(&s, PACKET_OUTPUT);
	task.care = s.care;
	task.told = diagram_or(s.space, user_at_port(&s, 2, 1), user_at_port(&s, 1, 2));
	task.wanted = diagram_or(s.space, user_at_port(&s, 1, 1), user_at_port(&s, 2, 2));
	task.wanted = diagram_or(s.space, task.wanted, task.told);
	assert_int_equal(regions_cover(&s.view, &task, MANY, &regions), 0);
	assert_int_equal(regions.count, 1);
	assert_int_equal(together(&s, &regions), task.wanted);
	end(&s);
}

/* ---- at random ---- */

static diagram random_range(struct setting *s, struct test_random *random, enum space_field field,
			    uint32_t most)
{
	uint32_t low = test_random_below(random, most), high = test_random_below(random, most);

	if (test_random_below(random, 3) == 0)
		return DIAGRAM_TRUE;
	return between(s, field, low < high ? low : high, low < high ? high : low);
}

static diagram random_box(struct setting *s, struct test_random *random)
{
	static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP};
	diagram box = diagram_not(s->space, space_flag(s->space, SPACE_LOOPBACK));
	uint8_t protocol = protocols[test_random_below(random, ARRAY_SIZE(protocols))];

	if (test_random_below(random, 4))
		box = both(s, box, space_is(s->space, SPACE_PROTOCOL, protocol));
	if (test_random_below(random, 2))
		box = both(s, box, space_flag(s->space, SPACE_OWNED));
	box = both(s, box, random_range(s, random, SPACE_UID, 8));
	box = both(s, box, random_range(s, random, SPACE_DESTINATION_PORT, 8));
	return both(s, box, random_range(s, random, SPACE_DESTINATION4, 8));
}

/* As they look: what a packet does not have has been forgotten. */
static diagram as_seen(struct setting *s, diagram packets)
{
	return region_view_of(&s->view, both(s, packets, s->care));
}

/* The smallest box that holds two regions holds something else, too. */
static void none_can_be_joined(struct setting *s, const struct regions *regions, diagram wanted)
{
	for (size_t i = 0; i < regions->count; i++) {
		for (size_t k = 0; k < i; k++) {
			struct region box = {0};
			diagram held;

			for (size_t n = 0; n < REGION_ASPECTS; n++)
				box.sets[n].numbers =
				    diagram_or(s->space, regions->list[i].sets[n].numbers,
					       regions->list[k].sets[n].numbers);
			held = both(s, region_view_box(&s->view, &box), s->care);
			assert_int_not_equal(diagram_minus(s->space, held, wanted), DIAGRAM_FALSE);
		}
	}
}

static void exact(void **state)
{
	struct test_random random = test_random_begin();
	size_t count = 0;

	for (unsigned i = 0; i < SETS; i++) {
		unsigned boxes = 1 + test_random_below(&random, BOXES_MAX);
		CLEANUP(regions_done) struct regions regions = {0}, again = {0};
		struct region_task task = {0};
		struct setting s;

		begin(&s, i % 2 ? PACKET_OUTPUT : PACKET_FRAME);
		task.care = s.care;
		for (unsigned k = 0; k < boxes; k++)
			task.wanted = diagram_or(s.space, task.wanted, random_box(&s, &random));
		task.wanted = both(&s, as_seen(&s, task.wanted), s.care);
		assert_int_equal(regions_cover(&s.view, &task, MANY, &regions), 0);
		assert_false(regions.more);
		assert_int_equal(together(&s, &regions), task.wanted);
		none_can_be_joined(&s, &regions, task.wanted);
		assert_int_equal(regions_cover(&s.view, &task, MANY, &again), 0);
		assert_int_equal(again.count, regions.count);
		for (size_t k = 0; k < regions.count; k++)
			for (size_t n = 0; n < REGION_ASPECTS; n++)
				assert_int_equal(again.list[k].sets[n].numbers,
						 regions.list[k].sets[n].numbers);
		count += regions.count;
		end(&s);
	}
	print_message("# %zu regions for %u sets\n", count, (unsigned)SETS);
}

/* One box is one region. */
static void one_box(void **state)
{
	struct test_random random = test_random_begin();

	for (unsigned i = 0; i < SETS; i++) {
		CLEANUP(regions_done) struct regions regions = {0};
		struct region box = {0};
		struct region_task task = {0};
		struct setting s;

		begin(&s, PACKET_OUTPUT);
		for (unsigned n = 0; n < REGION_ASPECTS; n++)
			box.sets[n].numbers = DIAGRAM_TRUE;
		box.sets[REGION_LOOPBACK].numbers = region_view_is(&s.view, REGION_LOOPBACK, 0);
		box.sets[REGION_UID].numbers = random_range(&s, &random, SPACE_UID, 9);
		box.sets[REGION_DESTINATION_PORT].numbers =
		    random_range(&s, &random, SPACE_DESTINATION_PORT, 9);
		box.sets[REGION_DESTINATION].numbers =
		    random_range(&s, &random, SPACE_DESTINATION4, 9);
		task.care = s.care;
		task.wanted = both(&s, region_view_box(&s.view, &box), s.care);
		assert_int_equal(regions_cover(&s.view, &task, MANY, &regions), 0);
		assert_int_equal(together(&s, &regions), task.wanted);
		assert_int_equal(regions.count, 1);
		end(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(words),   cmocka_unit_test(address_words), cmocka_unit_test(mask),
	    cmocka_unit_test(told),    cmocka_unit_test(corners),       cmocka_unit_test(exact),
	    cmocka_unit_test(one_box),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
