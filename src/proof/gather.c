/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading, namespace by namespace. What is proved must be what was there at one moment: rules are read
 * of one generation (nf_read), what lies around them before and after, and both must be the same.
 */
#include "program.h"

#include <string.h>
#include <time.h>

#define TRIES 8

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool same_devices(const struct surroundings *a, const struct surroundings *b)
{
	if (a->device_count != b->device_count)
		return false;
	for (size_t i = 0; i < a->device_count; i++)
		if (a->devices[i].index != b->devices[i].index ||
		    a->devices[i].type != b->devices[i].type ||
		    a->devices[i].up != b->devices[i].up ||
		    strcmp(a->devices[i].name, b->devices[i].name) != 0 ||
		    strcmp(a->devices[i].kind, b->devices[i].kind) != 0 ||
		    a->devices[i].lower != b->devices[i].lower ||
		    a->devices[i].lower_elsewhere != b->devices[i].lower_elsewhere)
			return false;
	return true;
}

static bool same_surroundings(const struct surroundings *a, const struct surroundings *b)
{
	if (a->finding_count != b->finding_count || a->more != b->more || !same_devices(a, b))
		return false;
	for (size_t i = 0; i < a->finding_count; i++)
		if (a->findings[i].kind != b->findings[i].kind ||
		    strcmp(a->findings[i].name, b->findings[i].name) != 0 ||
		    strcmp(a->findings[i].words, b->findings[i].words) != 0)
			return false;
	return true;
}

static void held_done(struct held *held)
{
	ruleset_free(held->ruleset);
	surroundings_done(&held->surroundings);
	free(held->devices);
	*held = (struct held){0};
}

void gathered_done(struct gathered *gathered)
{
	for (size_t i = 0; i < gathered->count; i++)
		held_done(&gathered->held[i]);
	free(gathered->held);
	*gathered = (struct gathered){0};
}

/* One try. -EAGAIN if something changed meanwhile. */
static int read_once(struct nf_socket *nf, struct held *held)
{
	AUTO_SURROUNDINGS struct surroundings before = {0};
	CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;
	struct surroundings after = {0};
	uint32_t generation = 0, now = 0;
	int r;

	r = surroundings_read(&before);
	if (r == 0)
		r = nf_read(nf, TRIES, &generation, &ruleset);
	if (r == 0)
		r = surroundings_read(&after);
	if (r == 0)
		r = nf_generation(nf, &now);
	if (r == 0 && (now != generation || !same_surroundings(&before, &after)))
		r = -EAGAIN;
	if (r < 0) {
		surroundings_done(&after);
		return r;
	}
	held->surroundings = after;
	held->ruleset = TAKE_PTR(ruleset);
	return 0;
}

/* Is there a chain for frames to this device, by its name? */
static bool is_named(const struct ruleset *ruleset, const char *device)
{
	for (size_t t = 0; t < ruleset->table_count; t++)
		for (size_t c = 0; c < ruleset->tables[t].chain_count; c++) {
			const struct ruleset_chain *chain = &ruleset->tables[t].chains[c];

			for (size_t i = 0; i < chain->device_count; i++)
				if (strcmp(chain->devices[i], device) == 0)
					return true;
		}
	return false;
}

/* Nothing leaves by a device that is down. One that has just come is, until it is covered: it is
 * left out, so that a proof made at that moment does not fail for it. */
static int devices_copy(struct held *held)
{
	const struct surroundings *surroundings = &held->surroundings;

	held->devices = calloc(surroundings->device_count + 1, sizeof(*held->devices));
	if (!held->devices)
		return -ENOMEM;
	for (size_t i = 0; i < surroundings->device_count; i++) {
		const struct surroundings_device *from = &surroundings->devices[i];
		struct proof_device *to = &held->devices[held->device_count];

		if (!from->up && !is_named(held->ruleset, from->name))
			continue;
		to->index = from->index;
		to->type = from->type;
		snprintf(to->name, sizeof(to->name), "%s", from->name);
		held->device_count++;
	}
	return 0;
}

/* The namespace that the thread is in. */
static int read_here(struct held *held)
{
	CLEANUP(nf_closep) struct nf_socket *nf = NULL;
	double began = seconds_now();
	int r = nf_open(&nf);

	if (r < 0)
		return r;
	for (unsigned i = 0; i < TRIES; i++) {
		r = read_once(nf, held);
		if (r != -EAGAIN)
			break;
	}
	if (r == 0)
		r = devices_copy(held);
	held->seconds = seconds_now() - began;
	return r;
}

static int add(struct gathered *gathered, const char *name)
{
	struct held *held =
	    reallocarray(gathered->held, gathered->count + 1, sizeof(*gathered->held));

	if (!held)
		return -ENOMEM;
	gathered->held = held;
	held = &gathered->held[gathered->count++];
	*held = (struct held){0};
	snprintf(held->name, sizeof(held->name), "%s", name);
	return read_here(held);
}

struct seen {
	uint64_t *identities;
	size_t count;
};

static int note(struct seen *seen, uint64_t identity, bool *ret_new)
{
	uint64_t *identities;

	*ret_new = false;
	for (size_t i = 0; i < seen->count; i++)
		if (seen->identities[i] == identity)
			return 0;
	identities = reallocarray(seen->identities, seen->count + 1, sizeof(*identities));
	if (!identities)
		return -ENOMEM;
	seen->identities = identities;
	seen->identities[seen->count++] = identity;
	*ret_new = true;
	return 0;
}

static int gather_named(struct gathered *gathered, struct seen *seen, const char *name)
{
	AUTO_CLOSE int fd = -EBADF;
	uint64_t identity = 0;
	bool new = false;
	int r = netns_open(name, &fd);

	if (r == -ENOENT) /* it has gone meanwhile */
		return 0;
	if (r == 0)
		r = netns_identity(fd, &identity);
	if (r == 0)
		r = note(seen, identity, &new);
	if (r < 0 || !new)
		return r;
	r = netns_enter(fd);
	return r < 0 ? r : add(gathered, name);
}

static int gather_all(struct gathered *gathered, struct seen *seen, struct diag *diag)
{
	AUTO_FREE char(*names)[NETNS_NAME_MAX] = NULL;
	AUTO_CLOSE int own = -EBADF;
	uint64_t identity;
	size_t count = 0;
	bool new;
	int r;

	r = netns_open_own(&own);
	if (r == 0)
		r = netns_identity(own, &identity);
	if (r == 0)
		r = note(seen, identity, &new);
	if (r == 0)
		r = netns_names(&names, &count);
	if (r < 0) {
		diag_set(diag, NULL, 0, 0, "cannot list the network namespaces: %s", strerror(-r));
		return r;
	}
	for (size_t i = 0; r == 0 && i < count; i++) {
		r = gather_named(gathered, seen, names[i]);
		if (r < 0)
			diag_set(diag, NULL, 0, 0, "cannot read the network namespace %s: %s",
				 names[i], strerror(-r));
	}
	/* Nothing is done in a namespace but reading; still, back to where it began. */
	if (gathered->count > 1 && netns_enter(own) < 0 && r == 0)
		r = neg_errno();
	return r;
}

int gather(bool only_here, struct diag *diag, struct gathered *ret_gathered)
{
	CLEANUP(gathered_done) struct gathered gathered = {0};
	struct seen seen = {0};
	int r = add(&gathered, "");

	if (r < 0) {
		diag_set(diag, NULL, 0, 0, "cannot read what the kernel holds: %s",
			 r == -EAGAIN ? "it changed each time" : strerror(-r));
		if (r == -EPERM)
			diag_hint(diag, "only root may read it");
		return r;
	}
	if (!only_here)
		r = gather_all(&gathered, &seen, diag);
	free(seen.identities);
	if (r < 0)
		return r;
	*ret_gathered = gathered;
	gathered = (struct gathered){0};
	return 0;
}
