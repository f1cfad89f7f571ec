/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The service that gives bridges (moat, circumvention settings): what it is asked, what it answers, and
 * where it is. Pure. */
#pragma once

#include <stdbool.h>

#include <torctl/bridge.h>

#define MOAT_VALUE_MAX	256
#define MOAT_ANSWER_MAX (256u << 10)

/* Where it is, by a file of lines NAME VALUE; "#" begins a comment. */
struct moat_place {
	char service[MOAT_VALUE_MAX];	/* https://HOST/PATH, without the last part */
	char transport[MOAT_VALUE_MAX]; /* what meek_lite is told: "url=... front=..." */
	char ca[MOAT_VALUE_MAX];	/* a file of certificates, or "" for the system's */
};

/* Returns 0; -ENOENT (the file names no service); -EINVAL (it holds something else): @diag, which may
 * be NULL, says where. */
MUST_CHECK int moat_place_read(const char *text, size_t length, struct moat_place *ret_place,
			       struct diag *diag);

/* The question for a country ("" for where the service sees the question come from). Errors stay in
 * the buffer. */
void moat_question(const char *country, struct buf *out);

struct moat_answer {
	struct torctl_bridges bridges;
	unsigned builtin; /* 1 << transport of which the system's own bridges are recommended */
	bool none;	  /* the service says that it has nothing, or that no bridge is needed */
};

/*
 * Read what it answered: of all that it recommends, the bridges that this system can use. What is not
 * understood is passed over. Returns 0, or -EBADMSG (that is no such answer).
 */
MUST_CHECK int moat_answer_read(const char *text, size_t length, struct moat_answer *ret_answer);

/* The lines for lethe-connectd (heard.h). Errors stay in the buffer. */
void moat_answer_write(const struct moat_answer *answer, struct buf *out);
