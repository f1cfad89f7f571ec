/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Traffic control: queues, their classes, and the filters these hold. */
#include "surroundings_reading.h"

#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <string.h>

#define INGRESS TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)
#define EGRESS  TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS)

enum holds {
	HOLDS_NOTHING, /* no filter can be put there */
	HOLDS_FILTERS, /* at the queue itself */
	HOLDS_CLASSES, /* at its classes, too */
	HOLDS_INGRESS,
	HOLDS_CLSACT,
	HOLDS_UNKNOWN,
};

/*
 * Queues that order, delay and drop what they are given, and no more. Not here, and so reported:
 * netem, which also damages packets; teql, which sends by other devices; red, which can hold
 * filters that no listing shows; those that are BPF programs; and what kernels to come have.
 */
static enum holds queue_holds(const char *kind)
{
	static const struct {
		const char *kind;
		enum holds holds;
	} known[] = {
	    {"noqueue", HOLDS_NOTHING},    {"noop", HOLDS_NOTHING},
	    {"pfifo", HOLDS_NOTHING},      {"bfifo", HOLDS_NOTHING},
	    {"pfifo_fast", HOLDS_NOTHING}, {"pfifo_head_drop", HOLDS_NOTHING},
	    {"mq", HOLDS_FILTERS},         {"mqprio", HOLDS_FILTERS},
	    {"fq", HOLDS_FILTERS},         {"fq_codel", HOLDS_FILTERS},
	    {"fq_pie", HOLDS_FILTERS},     {"codel", HOLDS_FILTERS},
	    {"pie", HOLDS_FILTERS},        {"cake", HOLDS_FILTERS},
	    {"cake_mq", HOLDS_FILTERS},    {"sfq", HOLDS_FILTERS},
	    {"sfb", HOLDS_FILTERS},        {"tbf", HOLDS_FILTERS},
	    {"prio", HOLDS_FILTERS},       {"multiq", HOLDS_FILTERS},
	    {"drr", HOLDS_FILTERS},        {"qfq", HOLDS_FILTERS},
	    {"ets", HOLDS_FILTERS},        {"hhf", HOLDS_FILTERS},
	    {"cbs", HOLDS_FILTERS},        {"etf", HOLDS_FILTERS},
	    {"taprio", HOLDS_FILTERS},     {"skbprio", HOLDS_FILTERS},
	    {"choke", HOLDS_FILTERS},      {"gred", HOLDS_FILTERS},
	    {"dualpi2", HOLDS_FILTERS},    {"htb", HOLDS_CLASSES},
	    {"hfsc", HOLDS_CLASSES},       {"cbq", HOLDS_CLASSES},
	    {"ingress", HOLDS_INGRESS},    {"clsact", HOLDS_CLSACT},
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strcmp(kind, known[i].kind) == 0)
			return known[i].holds;
	return HOLDS_UNKNOWN;
}

static void place_add(struct reading *reading, uint32_t device, uint32_t parent, bool classes)
{
	void *array = reading->places;

	if (reading->place_count >= READING_PLACES_MAX) {
		reading_cannot_tell(reading, "what filters all the queues and classes hold",
				    -E2BIG);
		return;
	}
	if (!reading_room(reading, &array, &reading->place_room, reading->place_count,
			  sizeof(*reading->places)))
		return;
	reading->places = array;
	reading->places[reading->place_count++] = (struct reading_place){device, parent, classes};
}

/* "eth0 ingress" */
static void place_name(const struct reading *reading, uint32_t device, uint32_t parent, char *text,
		       size_t size)
{
	char room[READING_LABEL_MAX];
	const char *name = reading_device_name(reading, device, room);

	if (parent == INGRESS || parent == TC_H_MAKE(TC_H_INGRESS, 0))
		snprintf(text, size, "%s ingress", name);
	else if (parent == EGRESS)
		snprintf(text, size, "%s egress", name);
	else if (parent == 0)
		snprintf(text, size, "%s root", name);
	else
		snprintf(text, size, "%s %x:%x", name, TC_H_MAJ(parent) >> 16, TC_H_MIN(parent));
}

static int read_kind(struct reading_bytes body, struct tcmsg *ret_fixed,
		     char kind[static SURROUNDINGS_KIND_MAX])
{
	struct reading_bytes rest, value;
	unsigned type;
	int r = reading_body(body, ret_fixed, sizeof(*ret_fixed), &rest);

	kind[0] = '\0';
	if (r < 0)
		return r;
	while ((r = reading_attribute(&rest, &type, &value)) > 0) {
		if (type == TCA_KIND)
			r = reading_text(value, kind, SURROUNDINGS_KIND_MAX);
		if (r < 0)
			return r;
	}
	return r < 0 || !kind[0] ? -EBADMSG : 0;
}

int reading_queue(struct reading *reading, struct reading_bytes body)
{
	char kind[SURROUNDINGS_KIND_MAX], name[SURROUNDINGS_NAME_MAX];
	struct tcmsg fixed;
	uint32_t device, parent;
	enum holds holds;
	int r = read_kind(body, &fixed, kind);

	if (r < 0)
		return r;
	device = (uint32_t)fixed.tcm_ifindex;
	parent = fixed.tcm_parent == TC_H_ROOT ? 0 : fixed.tcm_handle;
	holds = queue_holds(kind);
	if (holds == HOLDS_NOTHING)
		return 0;
	if (holds == HOLDS_CLSACT || holds == HOLDS_INGRESS) {
		place_add(reading, device, INGRESS, false);
		if (holds == HOLDS_CLSACT)
			place_add(reading, device, EGRESS, false);
		return 0;
	}
	if (holds == HOLDS_UNKNOWN) {
		place_name(reading, device, parent, name, sizeof(name));
		reading_add(reading, SURROUNDINGS_QUEUE, name,
			    "the queue %s, of the kind %s, which may do more than order and drop",
			    name, kind);
	}
	/* Without a handle of its own only the root can be named, by others as by us. */
	if (parent != 0 || fixed.tcm_parent == TC_H_ROOT)
		place_add(reading, device, parent, holds != HOLDS_FILTERS);
	return 0;
}

int reading_class(struct reading *reading, struct reading_bytes body)
{
	char kind[SURROUNDINGS_KIND_MAX];
	struct tcmsg fixed;
	int r = read_kind(body, &fixed, kind);

	if (r < 0)
		return r;
	if (queue_holds(kind) != HOLDS_FILTERS && TC_H_MAJ(fixed.tcm_handle) != 0)
		place_add(reading, (uint32_t)fixed.tcm_ifindex, fixed.tcm_handle, false);
	return 0;
}

/* One finding for all filters of a place: equal ones are told once. */
int reading_filter(struct reading *reading, struct reading_bytes body)
{
	char kind[SURROUNDINGS_KIND_MAX], name[SURROUNDINGS_NAME_MAX];
	struct tcmsg fixed;
	int r = read_kind(body, &fixed, kind);

	if (r < 0)
		return r;
	place_name(reading, reading->asked.device, reading->asked.parent, name, sizeof(name));
	reading_add(reading, SURROUNDINGS_TC_FILTER, name,
		    "traffic control's filters at %s (%s), which can change packets, drop them or "
		    "send them elsewhere",
		    name, kind);
	return 0;
}
