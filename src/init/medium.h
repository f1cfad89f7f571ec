/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Finds the disk that holds an image, by what the image is and never by which disk is first. */
#pragma once

#include <base/cleanup.h>
#include <base/diag.h>
#include <os/block.h>

#include "image.h"

#define MEDIUM_REMEMBERED 64

/* What became of a disk when it was looked at. */
enum medium_verdict { MEDIUM_UNREAD, MEDIUM_NOT, MEDIUM_BAD };

struct medium_seen {
	char name[BLOCK_NAME_MAX];
	uint64_t sequence;
	enum medium_verdict verdict;
	uint64_t when_ms; /* the last look */
};

/* A search. Zero-initialised but for the image, where it lies, and the control device. */
struct medium_search {
	int control;
	struct image *image;
	uint64_t offset; /* bytes from the start of the disk */
	struct medium_seen seen[MEDIUM_REMEMBERED];
	size_t seen_count;
	unsigned bad;     /* disks that claimed to hold it and do not */
	uint64_t news_ms; /* when a disk was last judged for the first time */
	struct diag last_bad;
};

/*
 * Look once at every whole disk that may hold the image. Disks are opened for reading only; one
 * that was judged is not read again until it or its medium changes. Returns 0 with the image open
 * and its disk in *@ret_disk, or -ENODEV: no disk so far.
 */
MUST_CHECK int medium_look(struct medium_search *search, struct block_disk *ret_disk);
