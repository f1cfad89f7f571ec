/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "surroundings.h"

#include <stdarg.h>
#include <string.h>

#include "surroundings_reading.h"

#define ARRAY_MAX (1u << 20)

void surroundings_done(struct surroundings *surroundings)
{
	free(surroundings->findings);
	free(surroundings->devices);
	*surroundings = (struct surroundings){0};
}

void reading_done(struct reading *reading)
{
	surroundings_done(&reading->to);
	free(reading->places);
	*reading = (struct reading){0};
}

bool reading_room(struct reading *reading, void **array, size_t *room, size_t count, size_t size)
{
	size_t wanted = *room ? *room * 2 : 16;
	void *larger;

	if (count < *room)
		return true;
	larger = wanted > ARRAY_MAX ? NULL : realloc(*array, wanted * size);
	if (!larger) {
		reading->no_memory = true;
		return false;
	}
	*array = larger;
	*room = wanted;
	return true;
}

/* Names come from whoever may make devices, and are read on terminals. */
static void make_printable(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

void reading_add(struct reading *reading, enum surroundings_kind kind, const char *name,
		 const char *format, ...)
{
	struct surroundings *to = &reading->to;
	struct surroundings_finding *finding;
	void *array = to->findings;
	va_list args;

	if (to->finding_count >= SURROUNDINGS_FINDINGS_MAX) {
		to->more = true;
		return;
	}
	if (!reading_room(reading, &array, &reading->finding_room, to->finding_count,
			  sizeof(*finding)))
		return;
	to->findings = array;
	finding = &to->findings[to->finding_count++];
	*finding = (struct surroundings_finding){.kind = kind};
	snprintf(finding->name, sizeof(finding->name), "%s", name);
	va_start(args, format);
	vsnprintf(finding->words, sizeof(finding->words), format, args);
	va_end(args);
	make_printable(finding->name);
	make_printable(finding->words);
}

void reading_cannot_tell(struct reading *reading, const char *what, int error)
{
	if (error == -ENOMEM) {
		reading->no_memory = true;
		return;
	}
	reading_add(reading, SURROUNDINGS_CANNOT_TELL, what, "%s cannot be told: %s", what,
		    error == -EBADMSG ? "what the kernel says is not understood"
				      : strerror(-error));
}

const char *reading_device_name(const struct reading *reading, uint32_t index,
				char room[static READING_LABEL_MAX])
{
	for (size_t i = 0; i < reading->to.device_count; i++)
		if (reading->to.devices[i].index == index)
			return reading->to.devices[i].name;
	snprintf(room, READING_LABEL_MAX, "device %u", index);
	return room;
}

static int compare_findings(const void *a, const void *b)
{
	const struct surroundings_finding *x = a, *y = b;
	int r;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	r = strcmp(x->name, y->name);
	return r != 0 ? r : strcmp(x->words, y->words);
}

static int compare_devices(const void *a, const void *b)
{
	const struct surroundings_device *x = a, *y = b;

	return x->index < y->index ? -1 : x->index > y->index;
}

static void sort(struct surroundings *surroundings)
{
	size_t kept = 0;

	if (surroundings->device_count > 0)
		qsort(surroundings->devices, surroundings->device_count,
		      sizeof(*surroundings->devices), compare_devices);
	if (surroundings->finding_count == 0)
		return;
	qsort(surroundings->findings, surroundings->finding_count, sizeof(*surroundings->findings),
	      compare_findings);
	for (size_t i = 1; i < surroundings->finding_count; i++)
		if (compare_findings(&surroundings->findings[kept], &surroundings->findings[i]) !=
		    0)
			surroundings->findings[++kept] = surroundings->findings[i];
	surroundings->finding_count = kept + 1;
}

static void devices_judge(struct reading *reading)
{
	static const char *const switches[] = {"bridge", "openvswitch", "batadv", "hsr", "prp"};

	for (size_t i = 0; i < reading->to.device_count; i++) {
		const struct surroundings_device *device = &reading->to.devices[i];

		if (device->xdp)
			reading_add(reading, SURROUNDINGS_XDP, device->name,
				    "the XDP program on %s", device->name);
		for (size_t j = 0; j < ARRAY_SIZE(switches); j++)
			if (strcmp(device->kind, switches[j]) == 0)
				reading_add(reading, SURROUNDINGS_SWITCH, device->name,
					    "%s (%s), which forwards frames between its ports by "
					    "itself",
					    device->name, device->kind);
	}
}

int surroundings_read(struct surroundings *ret)
{
	CLEANUP(reading_done) struct reading reading = {0};

	reading_netlink(&reading);
	devices_judge(&reading);
	reading_programs(&reading);
	reading_files(&reading);
	if (reading.no_memory)
		return -ENOMEM;
	sort(&reading.to);
	*ret = TAKE(reading.to, (struct surroundings){0});
	return 0;
}
