/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lethe-mutants: lists every mutant of the ruleset that a policy becomes. */
#include "mutate.h"

#include <stdio.h>

#include <wall/compile.h>

static int show(const struct mutant *mutant, void *data)
{
	(void)data;
	printf("%zu\t%s\t%s\n", mutant->number, mutant->kind, mutant->text);
	return 0;
}

int main(int argc, char **argv)
{
	CLEANUP(policy_freep) struct policy *policy = NULL;
	CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;
	struct policy_options options = {.passwd = argc > 2 ? argv[2] : NULL};

	if (argc < 2) {
		fputs("Usage: lethe-mutants POLICY [PASSWD]\n", stderr);
		return 2;
	}
	if (policy_load(argv[1], &options, NULL, &policy) < 0 ||
	    compile_policy(policy, &ruleset) < 0)
		return 2;
	return mutate_each(ruleset, show, NULL) < 0;
}
