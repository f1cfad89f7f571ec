/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A set as few boxes. One packet of what is not told yet is taken, and its box grows, aspect by
 * aspect, to all numbers with which the box still holds nothing but wanted packets: one operation
 * on diagrams for each. What packets there cannot be may be in it or not, as it reads better. Which
 * aspect grows first decides what the boxes look like, so several orders are tried.
 */
#include "region.h"

#include <string.h>

/* With more regions than these, one order is enough, and only those are joined that are much alike:
 * who reads so many does not ask for one less, and it takes memory. */
#define FEW   40
#define ALIKE 2 /* aspects that differ */

struct cover {
	const struct region_view *view;
	struct diagram_space *space;
	diagram wanted, care, told; /* see struct region_task */
	diagram left;               /* of `wanted`, in no region yet */
	int error;
};

/* ---- growing ---- */

static size_t length(struct cover *cover, enum region_aspect aspect, diagram numbers)
{
	struct region_set set = {.numbers = numbers};
	size_t items;
	int r = region_set_list(cover->space, aspect, &set);

	if (r < 0)
		cover->error = r;
	items = region_text_length(aspect, &set);
	free(set.ranges);
	return items;
}

/* All numbers that are allowed, or those of them by which something new is told, or those that
 * occur: what is shortest. */
static void grow(struct cover *cover, struct region *region, enum region_aspect aspect)
{
	struct diagram_space *space = cover->space;
	diagram *numbers = &region->sets[aspect].numbers;
	diagram there, may, choices[3];
	size_t best = SIZE_MAX;

	*numbers = DIAGRAM_TRUE;
	there =
	    diagram_and(space, region_view_box(cover->view, region), cover->view->applies[aspect]);
	there = diagram_and(space, there, cover->care);
	may = diagram_not(
	    space,
	    region_view_numbers(cover->view, diagram_minus(space, there, cover->wanted), aspect));
	choices[0] =
	    region_view_numbers(cover->view, diagram_and(space, there, cover->left), aspect);
	/* Who has an owner and who has none are told apart, unless both are new. */
	if (aspect == REGION_OWNED && choices[0] != DIAGRAM_FALSE) {
		*numbers = diagram_and(space, choices[0], may);
		return;
	}
	if (may == DIAGRAM_TRUE)
		return;
	choices[1] = region_view_numbers(cover->view, there, aspect);
	choices[2] = may;
	for (size_t i = 0; i < ARRAY_SIZE(choices); i++) {
		diagram choice = diagram_and(space, choices[i], may);
		size_t items = length(cover, aspect, choice);

		/* What was told already is told again only if that is much shorter. */
		if (i > 0)
			items *= 2;
		if (items >= best)
			continue;
		best = items;
		*numbers = choice;
	}
}

/* What only tells kinds of packets apart holds the numbers that occur, no others. */
static void narrow(struct cover *cover, struct region *region)
{
	static const enum region_aspect kinds[] = {
	    REGION_LABEL,   REGION_BARE,     REGION_AGREES,    REGION_VALID,
	    REGION_OPTIONS, REGION_FRAGMENT, REGION_OWNED,     REGION_ROUTED,
	    REGION_SOCKET,  REGION_EXPECTED, REGION_ARP_PLAIN,
	};
	struct diagram_space *space = cover->space;
	diagram box = diagram_and(space, region_view_box(cover->view, region), cover->care);

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		diagram there = diagram_and(space, box, cover->view->applies[kinds[i]]);

		region->sets[kinds[i]].numbers =
		    there == DIAGRAM_FALSE ? DIAGRAM_TRUE
					   : region_view_numbers(cover->view, there, kinds[i]);
	}
}

enum { WHO, WHAT, WHERE, GROUPS };

static void grow_group(struct cover *cover, struct region *region, int group)
{
	static const enum region_aspect who[] = {REGION_OWNED, REGION_UID};
	static const enum region_aspect what[] = {
	    REGION_PROTOCOL, REGION_FLAGS, REGION_DESTINATION_PORT, REGION_ICMP, REGION_SOURCE_PORT,
	};
	static const enum region_aspect where[] = {REGION_DESTINATION, REGION_SOURCE};
	static const struct {
		const enum region_aspect *list;
		size_t count;
	} groups[GROUPS] = {
	    [WHO] = {who, ARRAY_SIZE(who)},
	    [WHAT] = {what, ARRAY_SIZE(what)},
	    [WHERE] = {where, ARRAY_SIZE(where)},
	};

	for (size_t i = 0; i < groups[group].count; i++)
		grow(cover, region, groups[group].list[i]);
}

/* One packet that is not told yet, and all that lie about it. The device stays what it is: people
 * ask about loopback and about others apart. */
static void seed(struct cover *cover, const int order[GROUPS], struct region *ret)
{
	static const enum region_aspect last[] = {
	    REGION_SOCKET,   REGION_EXPECTED,      REGION_ROUTED,    REGION_OPTIONS,
	    REGION_FRAGMENT, REGION_ARP_OPERATION, REGION_ARP_PLAIN, REGION_VALID,
	    REGION_AGREES,   REGION_BARE,          REGION_LABEL,
	};
	uint64_t values[DIAGRAM_VARIABLES / 64];
	struct region region = {.paths = 1u << cover->view->path};

	region_view_wishes(cover->view->path, values);
	if (!diagram_find(cover->space, cover->left, values, NULL))
		return;
	for (unsigned i = 0; i < REGION_ASPECTS; i++) {
		unsigned bits[32], width = region_view_bits((enum region_aspect)i, bits);
		uint32_t number = 0;

		for (unsigned k = 0; k < width; k++)
			number = number << 1 | (values[bits[k] / 64] >> bits[k] % 64 & 1);
		region.sets[i].numbers = DIAGRAM_TRUE;
		if (diagram_at(cover->space, cover->view->applies[i], values))
			region.sets[i].numbers =
			    region_view_is(cover->view, (enum region_aspect)i, number);
	}
	for (size_t i = 0; i < GROUPS; i++)
		grow_group(cover, &region, order[i]);
	for (size_t i = 0; i < ARRAY_SIZE(last); i++)
		grow(cover, &region, last[i]);
	narrow(cover, &region);
	*ret = region;
}

/* ---- a list of them ---- */

static int append(struct regions *regions, const struct region *region)
{
	if (regions->count == regions->room) {
		size_t room = regions->room ? 2 * regions->room : 16;
		struct region *list = realloc(regions->list, room * sizeof(*list));

		if (!list)
			return -ENOMEM;
		regions->list = list;
		regions->room = room;
	}
	regions->list[regions->count++] = *region;
	return 0;
}

static void take_out(struct regions *regions, size_t at)
{
	region_done(&regions->list[at]);
	memmove(&regions->list[at], &regions->list[at + 1],
		(regions->count - at - 1) * sizeof(regions->list[0]));
	regions->count--;
}

static bool are_alike(const struct region *a, const struct region *b)
{
	size_t differing = 0;

	for (size_t i = 0; i < REGION_ASPECTS; i++)
		differing += a->sets[i].numbers != b->sets[i].numbers;
	return differing <= ALIKE;
}

/* Two regions are one if the smallest box that holds both holds nothing else. */
static bool join(struct cover *cover, struct region *a, const struct region *b)
{
	struct diagram_space *space = cover->space;
	struct region both = *a;
	diagram box;

	if (a->sets[REGION_LOOPBACK].numbers != b->sets[REGION_LOOPBACK].numbers)
		return false;
	for (size_t i = 0; i < REGION_ASPECTS; i++)
		both.sets[i].numbers = diagram_or(space, a->sets[i].numbers, b->sets[i].numbers);
	box = diagram_and(space, region_view_box(cover->view, &both), cover->care);
	if (diagram_minus(space, box, cover->wanted) != DIAGRAM_FALSE)
		return false;
	*a = both;
	return true;
}

static void join_all(struct cover *cover, struct regions *regions)
{
	bool again = true;

	while (again && cover->error == 0) {
		again = false;
		for (size_t i = 0; i < regions->count; i++) {
			for (size_t k = regions->count; k-- > i + 1;) {
				if (regions->count > FEW &&
				    !are_alike(&regions->list[i], &regions->list[k]))
					continue;
				if (!join(cover, &regions->list[i], &regions->list[k]))
					continue;
				take_out(regions, k);
				again = true;
			}
		}
	}
}

/* Leave out what others hold already, together. */
static void thin_out(struct cover *cover, struct regions *regions)
{
	struct diagram_space *space = cover->space;

	for (size_t i = regions->count; i-- > 0;) {
		diagram rest = diagram_and(space, region_view_box(cover->view, &regions->list[i]),
					   cover->care);

		rest = diagram_minus(space, rest, cover->told);
		for (size_t k = 0; k < regions->count && rest != DIAGRAM_FALSE; k++)
			if (k != i)
				rest = diagram_minus(
				    space, rest, region_view_box(cover->view, &regions->list[k]));
		if (rest == DIAGRAM_FALSE)
			take_out(regions, i);
	}
}

static int cover_in_order(struct cover *cover, const int order[GROUPS], size_t most,
			  struct regions *regions)
{
	cover->left = diagram_minus(cover->space, cover->wanted, cover->told);
	while (cover->left != DIAGRAM_FALSE && regions->count < most) {
		struct region region = {0};
		int r;

		seed(cover, order, &region);
		r = diagram_error(cover->space);
		if (r == 0)
			r = cover->error;
		if (r == 0)
			r = append(regions, &region);
		if (r < 0)
			return r;
		cover->left =
		    diagram_minus(cover->space, cover->left, region_view_box(cover->view, &region));
	}
	regions->more = cover->left != DIAGRAM_FALSE;
	join_all(cover, regions);
	if (!regions->more)
		thin_out(cover, regions);
	return cover->error < 0 ? cover->error : diagram_error(cover->space);
}

static size_t total_length(struct cover *cover, const struct regions *regions)
{
	size_t total = 0;

	for (size_t i = 0; i < regions->count; i++)
		for (unsigned k = 0; k < REGION_ASPECTS; k++)
			total +=
			    length(cover, (enum region_aspect)k, regions->list[i].sets[k].numbers);
	return total;
}

/* Fewer are better; of as many, those that are shorter to read. */
static bool is_better(const struct regions *a, size_t a_length, const struct regions *b,
		      size_t b_length)
{
	if (a->more != b->more)
		return b->more;
	return a->count != b->count ? a->count < b->count : a_length < b_length;
}

int regions_cover(const struct region_view *view, const struct region_task *task, size_t most,
		  struct regions *regions)
{
	static const int orders[][GROUPS] = {
	    {WHO, WHAT, WHERE}, {WHAT, WHERE, WHO}, {WHERE, WHO, WHAT},
	    {WHO, WHERE, WHAT}, {WHAT, WHO, WHERE}, {WHERE, WHAT, WHO},
	};
	struct cover cover = {.view = view,
			      .space = view->space,
			      .wanted = task->wanted,
			      .care = task->care,
			      .told = task->told};
	CLEANUP(regions_done) struct regions best = {.more = true};
	size_t best_length = SIZE_MAX;
	int r = diagram_error(cover.space);

	most = most > regions->count ? most - regions->count : 0;
	for (size_t i = 0; i < ARRAY_SIZE(orders) && r == 0; i++) {
		CLEANUP(regions_done) struct regions tried = {0};
		size_t items;

		if (i > 0 && best.count > FEW)
			break;
		r = cover_in_order(&cover, orders[i], most, &tried);
		items = r == 0 ? total_length(&cover, &tried) : 0;
		if (r < 0 || (i > 0 && !is_better(&tried, items, &best, best_length)))
			continue;
		best_length = items;
		regions_done(&best);
		best = TAKE(tried, (struct regions){0});
	}
	regions->more |= best.more;
	for (size_t i = 0; i < best.count && r == 0; i++) {
		r = region_list(cover.space, &best.list[i]);
		if (r == 0)
			r = append(regions, &best.list[i]);
		if (r == 0) /* the other list's now */
			best.list[i] = (struct region){0};
	}
	return r < 0 ? r : cover.error;
}
