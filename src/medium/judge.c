/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "medium.h"

#include <stdarg.h>
#include <string.h>

#include <base/num.h>
#include <os/cmdline.h>

#define IMAGE_PATH      "/run/lethe/root"
#define LABORATORY_PATH "/run/lethe/laboratory"

int origin_parse(const char *text, struct origin *ret_origin)
{
	struct origin origin = {0};
	const struct {
		const char *name;
		char *value;
		size_t size;
	} fields[] = {
	    {"device=", origin.device, sizeof(origin.device)},
	    {"bus=", origin.bus, sizeof(origin.bus)},
	    {"model=", origin.model, sizeof(origin.model)},
	};
	static const char sequence[] = "sequence=";
	char number[32];
	size_t len;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		len = strlen(fields[i].name);
		if (strncmp(text, fields[i].name, len) != 0)
			return -EINVAL;
		text += len;
		len = strcspn(text, "\n");
		if (len >= fields[i].size || !text[len])
			return -EINVAL;
		memcpy(fields[i].value, text, len);
		text += len + 1;
	}
	if (strncmp(text, sequence, strlen(sequence)) != 0)
		return -EINVAL;
	text += strlen(sequence);
	len = strcspn(text, "\n");
	if (len >= sizeof(number) || strcmp(text + len, "\n") != 0)
		return -EINVAL;
	memcpy(number, text, len);
	number[len] = '\0';
	if (num_parse_u64(number, UINT64_MAX, &origin.sequence) < 0)
		return -EINVAL;
	*ret_origin = origin;
	return 0;
}

static bool deny(struct verdict *verdict, const char *format, ...) PRINTF(2, 3);
static bool deny(struct verdict *verdict, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(verdict->reason, sizeof(verdict->reason), format, args);
	va_end(args);
	return false;
}

/* Is `/` an overlay over our image, with nothing between but the laboratory layer? */
static bool judge_root(const struct facts *facts, struct verdict *verdict)
{
	struct mount_entry root;
	char layers[512];
	int r = mounts_find(buf_text(&facts->mounts), "/", &root);

	if (r < 0 || strcmp(root.type, "overlay") != 0)
		return deny(verdict, "the root file system is not the overlay that init makes");
	if (mounts_option(root.super, "lowerdir", layers, sizeof(layers)) < 0)
		return deny(verdict, "the root file system's layers are not told");
	if (strcmp(layers, LABORATORY_PATH ":" IMAGE_PATH) == 0)
		verdict->laboratory = true;
	else if (strcmp(layers, IMAGE_PATH) != 0)
		return deny(verdict, "the root file system has other layers than init makes");
	return true;
}

/* Is the image there, and is it what device-mapper calls lethe-root? */
static bool judge_image(const struct facts *facts, struct verdict *verdict)
{
	struct mount_entry image;
	int r = mounts_find(buf_text(&facts->mounts), IMAGE_PATH, &image);

	if (r < 0 || strcmp(image.type, "squashfs") != 0 || strcmp(image.root, "/") != 0)
		return deny(verdict, "no squashfs image is mounted on " IMAGE_PATH);
	if (facts->mapper_error < 0)
		return deny(verdict, "there is no device-mapper: %s",
			    strerror(-facts->mapper_error));
	if (facts->root_error < 0)
		return deny(verdict, "device-mapper does not tell of lethe-root: %s",
			    strerror(-facts->root_error));
	if (image.dev != facts->table.dev || image.dev != facts->status.dev)
		return deny(verdict, "the image on " IMAGE_PATH " is not read through lethe-root");
	return true;
}

/* Does the kernel verify, at this moment, all of it, against the hash that was started? */
static bool judge_table(const struct facts *facts, struct verdict *verdict)
{
	const struct dm_state *table = &facts->table;
	struct verity_image image = {.data_blocks = table->length / VERITY_SECTORS};
	char hash[CMDLINE_WORD_MAX];
	enum verity_on_corruption how;
	dev_t below;

	if (cmdline_find(buf_text(&facts->cmdline), "lethe.roothash", hash) < 0 ||
	    !verity_hash_is(hash))
		return deny(verdict, "the kernel's command line has no root hash, or several");
	memcpy(verdict->root_hash, hash, sizeof(verdict->root_hash));
	memcpy(image.root_hash, hash, sizeof(image.root_hash));
	if (table->targets != 1 || strcmp(table->type, "verity") != 0 || table->start != 0 ||
	    table->suspended)
		return deny(verdict, "lethe-root is not one live dm-verity target");
	if (!table->readonly || table->length != image.data_blocks * VERITY_SECTORS ||
	    !verity_table_enforces(table->params, &image, &below, &how))
		return deny(verdict,
			    "the live table of lethe-root does not enforce the root hash of "
			    "the command line");
	if (facts->status.targets != 1 || strcmp(facts->status.type, "verity") != 0)
		return deny(verdict, "the kernel does not tell how lethe-root is doing");
	if (strcmp(facts->status.params, "C") == 0)
		return deny(verdict, "blocks were read that are not as they were made");
	if (strcmp(facts->status.params, "V") != 0)
		return deny(verdict,
			    "the kernel does not say that what was read is as it was made");
	verdict->stops_at_corruption = how == VERITY_PANIC;
	return true;
}

/* From which disk, and is it still there? In memory, that is what init noted. */
static void find_medium(const struct facts *facts, struct verdict *verdict)
{
	struct origin *medium = &verdict->medium;
	const struct block_disk *disk = &facts->disk;

	verdict->in_ram = facts->has_disk && strncmp(disk->name, "loop", strlen("loop")) == 0;
	if (facts->has_disk && !verdict->in_ram) {
		memcpy(medium->device, disk->name, sizeof(medium->device));
		memcpy(medium->model, disk->model, sizeof(medium->model));
		snprintf(medium->bus, sizeof(medium->bus), "%s", disk->bus);
		verdict->present = disk->sectors > 0;
		return;
	}
	if (origin_parse(buf_text(&facts->started_from), medium) < 0) {
		*medium = (struct origin){.bus = "other"};
		return;
	}
	verdict->present = facts->has_origin && facts->origin.sectors > 0 &&
			   facts->origin.sequence == medium->sequence &&
			   strcmp(facts->origin.name, medium->device) == 0;
}

void judge(const struct facts *facts, struct verdict *ret_verdict)
{
	struct verdict verdict = {0};

	find_medium(facts, &verdict);
	verdict.verified = judge_root(facts, &verdict) && judge_image(facts, &verdict) &&
			   judge_table(facts, &verdict);
	*ret_verdict = verdict;
}
