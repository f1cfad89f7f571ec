/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as a request, as a status and as the file of pools: what is read, is read again from what it
 * is written as; the file's hosts are names, each once.
 */
#include "pools.h"
#include "status.h"

#include <string.h>

#include <base/fuzz.h>

static void check_request(const char *text, size_t size)
{
	enum request_mode mode = 0, again = 0;

	if (request_parse(text, size, &mode) < 0) {
		REQUIRE(mode == 0);
		return;
	}
	REQUIRE(mode == REQUEST_NETWORK || mode == REQUEST_CONSENSUS);
	REQUIRE(request_parse(request_text(mode), strlen(request_text(mode)), &again) == 0);
	REQUIRE(mode == again);
}

static void check_status(const char *text, size_t size)
{
	AUTO_BUF struct buf out = {.cap = STATUS_BYTES_MAX}, second = {.cap = STATUS_BYTES_MAX};
	struct status status, again;

	if (status_read(text, size, &status) < 0)
		return;
	status_write(&status, &out);
	REQUIRE(buf_finish(&out) == 0);
	REQUIRE(status_read(out.data, out.len, &again) == 0);
	status_write(&again, &second);
	REQUIRE(strcmp(buf_text(&out), buf_text(&second)) == 0);
}

static void check_pools(const char *text, size_t size)
{
	AUTO_FREE struct pools *pools = NULL;
	AUTO_FREE char *copy = malloc(size + 1);
	struct diag diag = {0};

	if (!copy)
		return;
	if (size > 0)
		memcpy(copy, text, size);
	copy[size] = '\0';
	if (pools_parse("fuzz", copy, &diag, &pools) < 0) {
		REQUIRE(!pools && diag.message[0]);
		return;
	}
	REQUIRE(pools->count >= POOLS_MIN && pools->count <= RECORD_POOLS_MAX);
	for (unsigned i = 0; i < pools->count; i++) {
		REQUIRE(pools->pools[i].count >= POOLS_HOSTS_MIN);
		for (unsigned j = 0; j < pools->pools[i].count; j++)
			REQUIRE(!strpbrk(pools->pools[i].hosts[j], "/:@?# \t\r\n%\\"));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_request((const char *)data, size);
	check_status((const char *)data, size);
	check_pools((const char *)data, size);
	return 0;
}
