/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a change of policy newly allows and newly denies: every class of packet that the two
 * policies can tell apart is judged by both, and those that differ are gathered by user, protocol
 * and the statement that allows them, with an example each.
 */
#include "wall.h"

#include <base/json.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#define GROUPS_MAX   100000
#define ECHO_REQUEST 8

/* Packets of one kind that only one of the policies allows. */
struct group {
	bool newly_allowed;
	bool owned;
	uint32_t uid;
	enum packet_path path;
	bool loopback;
	uint16_t ethertype;
	uint8_t protocol;
	struct policy_place place; /* of the statement that allows it, in whichever policy does */
	struct packet example;
	size_t classes;
};

struct diff {
	const struct policy *old, *new;
	struct group *groups; /* sorted */
	size_t count, room;
};

static int compare_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int group_compare(const struct group *a, const struct group *b)
{
	const uint64_t left[] = { a->newly_allowed ? 0 : 1, a->owned,	      a->uid,
				  a->path,		    a->loopback,      a->ethertype,
				  a->protocol,		    a->place.line };
	const uint64_t right[] = { b->newly_allowed ? 0 : 1, b->owned,	       b->uid,
				   b->path,		     b->loopback,      b->ethertype,
				   b->protocol,		     b->place.line };

	for (size_t i = 0; i < ARRAY_SIZE(left); i++) {
		int order = compare_numbers(left[i], right[i]);

		if (order != 0)
			return order;
	}
	return strcmp(a->place.file ? a->place.file : "", b->place.file ? b->place.file : "");
}

/* The group's position, or where it belongs; *ret_found tells which. */
static size_t group_find(const struct diff *diff, const struct group *group, bool *ret_found)
{
	size_t low = 0, high = diff->count;

	*ret_found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = group_compare(&diff->groups[middle], group);

		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* People ask for connections and pings, not for odd segments: show those if there are any. */
static bool is_telling(const struct packet *packet)
{
	if (packet->protocol == IPPROTO_TCP)
		return packet_is_opening(packet);
	if (packet->protocol == IPPROTO_ICMP)
		return packet->icmp_type == ECHO_REQUEST && !packet->fragment;
	return !packet->fragment;
}

static int group_add(struct diff *diff, const struct group *group)
{
	bool found;
	size_t at = group_find(diff, group, &found);

	if (found) {
		diff->groups[at].classes++;
		if (!is_telling(&diff->groups[at].example))
			diff->groups[at].example = group->example;
		return 0;
	}
	if (diff->count == GROUPS_MAX)
		return -E2BIG;
	if (diff->count == diff->room) {
		size_t room = diff->room ? diff->room * 2 : 32;
		struct group *groups = realloc(diff->groups, room * sizeof(*groups));

		if (!groups)
			return -ENOMEM;
		diff->groups = groups;
		diff->room = room;
	}
	memmove(diff->groups + at + 1, diff->groups + at,
		(diff->count - at) * sizeof(*diff->groups));
	diff->groups[at] = *group;
	diff->count++;
	return 0;
}

static int visit(const struct packet *packet, void *data)
{
	struct diff *diff = data;
	struct policy_verdict old, new;
	struct group group;

	/* What arrives on loopback was judged when it left, and a routed frame when it was output:
	 * telling of them would say everything twice. */
	if (packet->loopback && packet->path != PACKET_OUTPUT)
		return 0;
	if (packet->path == PACKET_FRAME && packet->ethertype == ETH_P_IP)
		return 0;
	old = policy_evaluate(diff->old, packet);
	new = policy_evaluate(diff->new, packet);
	if (policy_allows(&old) == policy_allows(&new))
		return 0;
	group = (struct group){
		.newly_allowed = policy_allows(&new),
		.owned = packet->owned,
		.uid = packet->owned ? packet->uid : 0,
		.path = packet->path,
		.loopback = packet->loopback,
		.ethertype = packet->ethertype,
		.protocol = packet->protocol,
		.place = policy_allows(&new) ? new.place : old.place,
		.example = *packet,
		.classes = 1,
	};
	return group_add(diff, &group);
}

static const char *user_name(const struct diff *diff, const struct group *group,
			     char number[static 32])
{
	const struct policy_user *user = NULL;

	if (!group->owned)
		return group->path == PACKET_INPUT ? "from outside" : "nobody";
	user = policy_find_user(diff->new, group->uid);
	if (!user)
		user = policy_find_user(diff->old, group->uid);
	if (user)
		return user->name;
	snprintf(number, 32, "any other user (%u)", group->uid);
	return number;
}

static void print_text(const struct diff *diff, struct buf *out)
{
	const char *heading = NULL;

	for (size_t i = 0; i < diff->count; i++) {
		const struct group *group = &diff->groups[i];
		const char *wanted = group->newly_allowed ? "Newly allowed:\n" : "Newly denied:\n";
		char number[32];

		if (heading != wanted)
			buf_puts(out, wanted);
		heading = wanted;
		buf_printf(out, "  %s: ", user_name(diff, group, number));
		packet_print(&group->example, out);
		buf_printf(out, "\n    %s by ", group->newly_allowed ? "allowed" : "was allowed");
		wall_place(&group->place, out);
		buf_printf(out, "; %zu class%s of packets\n", group->classes,
			   group->classes == 1 ? "" : "es");
	}
	if (diff->count == 0)
		buf_puts(out, "No packet is judged otherwise.\n");
}

static void print_groups(const struct diff *diff, bool newly_allowed, struct json *json)
{
	for (size_t i = 0; i < diff->count; i++) {
		const struct group *group = &diff->groups[i];
		AUTO_BUF struct buf text = { .cap = 1024 };
		char number[32];

		if (group->newly_allowed != newly_allowed)
			continue;
		packet_print(&group->example, &text);
		json_object_begin(json, NULL);
		json_string(json, "user", user_name(diff, group, number));
		json_string(json, "example", buf_text(&text));
		json_number(json, "classes", (int64_t)group->classes);
		json_string(json, "file", group->place.file ? group->place.file : "");
		json_number(json, "line", group->place.line);
		json_object_end(json);
	}
}

static void print_json(const struct diff *diff, struct buf *out)
{
	struct json json = { .out = out };

	json_object_begin(&json, NULL);
	json_bool(&json, "same", diff->count == 0);
	json_array_begin(&json, "newly_allowed");
	print_groups(diff, true, &json);
	json_array_end(&json);
	json_array_begin(&json, "newly_denied");
	print_groups(diff, false, &json);
	json_array_end(&json);
	json_object_end(&json);
	buf_puts(out, "\n");
}

int wall_diff(const struct wall_options *options, char **words)
{
	CLEANUP(policy_freep) struct policy *old = NULL;
	CLEANUP(policy_freep) struct policy *new = NULL;
	AUTO_BUF struct buf out = { .cap = WALL_OUTPUT_MAX };
	const struct policy *both[2];
	struct diff diff = { 0 };
	int r = wall_load(options, words[0], &old);

	if (r == WALL_OK)
		r = wall_load(options, words[1], &new);
	if (r != WALL_OK)
		return r;
	both[0] = old;
	both[1] = new;
	diff.old = old;
	diff.new = new;
	r = policy_each_class(both, ARRAY_SIZE(both), visit, &diff);
	if (r < 0) {
		free(diff.groups);
		wall_complain(r, "cannot compare the policies");
		return WALL_FAILED;
	}
	if (options->json)
		print_json(&diff, &out);
	else
		print_text(&diff, &out);
	r = diff.count == 0 ? WALL_OK : WALL_NO;
	free(diff.groups);
	return wall_write(&out, r);
}
