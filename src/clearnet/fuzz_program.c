/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as the file of a program. What is taken is what a process can be started with. */
#include <string.h>

#include <base/fuzz.h>

#include "program.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct program program = {0};
	struct diag diag = {0};

	if (program_parse("fuzz", (const char *)data, size, &program, &diag) < 0) {
		REQUIRE(diag.message[0]);
		REQUIRE(program.path[0] == '\0');
		return 0;
	}
	REQUIRE(strncmp(program.path, "/usr/", 5) == 0);
	REQUIRE(!strstr(program.path, "/../"));
	REQUIRE(program.argument_count <= PROGRAM_ARGUMENTS_MAX);
	for (size_t i = 0; i < program.argument_count; i++) {
		REQUIRE(memchr(program.arguments[i], '\0', PROGRAM_TEXT_MAX));
		REQUIRE(program.arguments[i][0]);
	}
	return 0;
}
