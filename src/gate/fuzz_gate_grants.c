/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as a file of grants: refused with a place and a reason, or rights within their limits. */
#include "grants.h"

#include <string.h>

#include <base/fuzz.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct grants grants;
	struct rights rights;
	struct diag diag = { 0 };
	int r;

	if (size > GRANTS_FILE_MAX)
		return 0;
	grants = (struct grants){ 0 };
	r = grants_read(&grants, "fuzz", (const char *)data, size, "/dev/null", &diag);
	REQUIRE(r == 0 || r == -EBADMSG);
	if (r < 0) {
		REQUIRE(diag.line > 0 && diag.column > 0 && diag.message[0]);
		return 0;
	}
	for (size_t i = 0; i < grants.count; i++)
		REQUIRE(grants.clients[i].uid_count <= GRANTS_USERS_MAX);
	r = grants_of(&grants, 7, &rights);
	REQUIRE(r == 0 || r == -ENOENT || r == -E2BIG);
	for (size_t i = 0; r == 0 && i < option_count; i++)
		REQUIRE(!rights_has(rights.sets, (int)i) || option_words[i].kind != OPTION_READ);
	return 0;
}
