/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Runs a fuzz target over every file of the directories and files named, without libFuzzer: so the
 * corpus, past findings included, is an ordinary test under any compiler. An empty corpus fails,
 * because a test that ran nothing has shown nothing.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <base/cleanup.h>
#include <base/fuzz.h>

#define INPUT_MAX (8u << 20)

static int replay_file(const char *path)
{
	AUTO_FILE FILE *file = fopen(path, "rb");
	AUTO_FREE uint8_t *data = malloc(INPUT_MAX);
	size_t len;

	if (!file || !data) {
		fprintf(stderr, "cannot read %s\n", path);
		return -EIO;
	}
	len = fread(data, 1, INPUT_MAX, file);
	/* A copy of exactly this size, so that a sanitizer sees a read past its end. */
	AUTO_FREE uint8_t *exact = malloc(len ? len : 1);

	if (!exact)
		return -ENOMEM;
	memcpy(exact, data, len);
	LLVMFuzzerTestOneInput(exact, len);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned count = 0;

	for (int i = 1; i < argc; i++) {
		AUTO_DIR DIR *dir = opendir(argv[i]);
		struct dirent *entry;

		while (dir && (entry = readdir(dir))) {
			char path[4096];
			struct stat status;

			snprintf(path, sizeof(path), "%s/%s", argv[i], entry->d_name);
			if (stat(path, &status) < 0 || !S_ISREG(status.st_mode))
				continue;
			if (replay_file(path) < 0)
				return 1;
			count++;
		}
		if (!dir) {
			if (replay_file(argv[i]) < 0)
				return 1;
			count++;
		}
	}
	printf("%u inputs replayed\n", count);
	return count == 0;
}
