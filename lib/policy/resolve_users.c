/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "resolve.h"

#include <pwd.h>
#include <string.h>

#include <base/num.h>

#include "grow.h"

#define PASSWD_LINE_MAX   4096
#define PASSWD_BUFFER_MAX (1u << 20)
#define UID_LAST          (UINT32_MAX - 1) /* the very last means "no user" to the kernel */

/* Read the passwd file that the options name, once. The first of two lines for a name counts, as
 * it does for the system's own look-up. */
static int read_passwd(struct resolver *resolver)
{
	AUTO_FILE FILE *file = NULL;
	char line[PASSWD_LINE_MAX];
	struct passwd entry, *found;
	size_t known;
	int r;

	if (resolver->passwd_read)
		return 0;
	file = fopen(resolver->options->passwd, "re");
	if (!file) {
		r = neg_errno();
		diag_set(resolver->diag, resolver->options->passwd, 0, 0,
			 "cannot read the users: %s", strerror(-r));
		return r;
	}
	while ((r = fgetpwent_r(file, &entry, line, sizeof(line), &found)) == 0) {
		if (!entry.pw_name[0] || strlen(entry.pw_name) > POLICY_NAME_MAX ||
		    names_find(&resolver->passwd, entry.pw_name, &known))
			continue;
		r = names_add(&resolver->passwd, entry.pw_name, entry.pw_uid);
		if (r < 0)
			return r;
	}
	if (r != ENOENT) {
		diag_set(resolver->diag, resolver->options->passwd, 0, 0,
			 "cannot read the users: %s", strerror(r));
		return -r;
	}
	resolver->passwd_read = true;
	return 0;
}

/* Ask the system. */
static int look_up_system(const char *name, bool *ret_found, uint32_t *ret_uid)
{
	AUTO_FREE char *buffer = NULL;
	size_t size = 1024;
	int r;

	do {
		struct passwd entry, *found = NULL;
		char *bigger = realloc(buffer, size *= 2);

		if (!bigger)
			return -ENOMEM;
		buffer = bigger;
		r = getpwnam_r(name, &entry, buffer, size, &found);
		if (r == 0 && found) {
			*ret_found = true;
			*ret_uid = entry.pw_uid;
			return 0;
		}
	} while (r == ERANGE && size < PASSWD_BUFFER_MAX);
	/* Which of these a missing user gives depends on the source; see getpwnam(3). */
	if (r == 0 || r == ENOENT || r == ESRCH || r == EBADF || r == EPERM)
		r = 0;
	*ret_found = false;
	return -r;
}

/* Not to be found is no error here. */
static int look_up(struct resolver *resolver, const char *name, bool *ret_found, uint32_t *ret_uid)
{
	size_t uid;
	int r;

	if (!resolver->options || !resolver->options->passwd)
		return look_up_system(name, ret_found, ret_uid);
	r = read_passwd(resolver);
	if (r < 0)
		return r;
	*ret_found = names_find(&resolver->passwd, name, &uid);
	if (*ret_found)
		*ret_uid = (uint32_t)uid;
	return 0;
}

static int refuse_unknown(struct resolver *resolver, const struct ast_word *word, const char *name)
{
	struct suggestion suggestion = {.wrong = name};
	int r;

	if (resolver->options && resolver->options->passwd) {
		suggest_names(&suggestion, &resolver->passwd);
	} else {
		AUTO_FILE FILE *file = fopen("/etc/passwd", "re");
		char line[PASSWD_LINE_MAX];
		struct passwd entry, *found;

		while (file && fgetpwent_r(file, &entry, line, sizeof(line), &found) == 0)
			suggest_offer(&suggestion, entry.pw_name);
	}
	r = resolve_fail(resolver, &word->place, "there is no user \"%s\"", name);
	if (suggestion.best[0])
		resolve_hint(resolver, "did you mean \"%s\"?", suggestion.best);
	else
		resolve_hint(resolver, "create the user first, or give the number it will have");
	return r;
}

static int add_user(struct resolver *resolver, const struct ast_word *word, const char *name,
		    uint32_t uid)
{
	struct policy *policy = resolver->policy;
	struct policy_user user = {.uid = uid, .place = word->place};
	int r;

	for (size_t i = 0; i < policy->user_count; i++) {
		if (policy->users[i].uid != uid)
			continue;
		r = resolve_fail(
		    resolver, &word->place, "\"%s\" and \"%s\" (%s) are the same user, number %u",
		    name, policy->users[i].name, place_text(&policy->users[i].place).text, uid);
		resolve_hint(resolver, "use one name for it everywhere");
		return r;
	}
	if (policy->user_count >= POLICY_USERS_MAX)
		return resolve_fail(resolver, &word->place, "more than %d users", POLICY_USERS_MAX);
	snprintf(user.name, sizeof(user.name), "%s", name);
	r = names_add(&resolver->users, name, policy->user_count);
	if (r < 0)
		return r;
	return APPEND(policy->users, policy->user_count, &user);
}

static int parse_number(struct resolver *resolver, const struct ast_word *word, const char *text,
			uint32_t *ret_uid)
{
	uint64_t number;

	if (num_parse_u64(text, UID_LAST, &number) < 0)
		return resolve_fail(resolver, &word->place,
				    "%s is no user's number: 0 to %u, without leading zeros", text,
				    UID_LAST);
	*ret_uid = (uint32_t)number;
	return 0;
}

/* Find a user whom the policy has not named before. */
static int new_user(struct resolver *resolver, const struct ast_word *word, const char *name,
		    uint32_t *ret_uid)
{
	const struct policy_place *place = &word->place;
	bool found;
	int r;

	if (name[strspn(name, "0123456789")] == '\0')
		return parse_number(resolver, word, name, ret_uid);
	r = look_up(resolver, name, &found, ret_uid);
	if (r == 0 && !found)
		return refuse_unknown(resolver, word, name);
	if (r < 0 && (!resolver->options || !resolver->options->passwd))
		diag_set(resolver->diag, place->file, place->line, place->column,
			 "cannot look up the user \"%s\": %s", name, strerror(-r));
	return r;
}

int resolve_user(struct resolver *resolver, const struct ast_word *word, uint32_t *ret_uid)
{
	char name[POLICY_NAME_MAX + 1];
	uint32_t uid = 0;
	size_t index;
	int r;

	r = resolve_name(resolver, word, "a user's name", name);
	if (r < 0)
		return r;
	if (names_find(&resolver->users, name, &index)) {
		*ret_uid = resolver->policy->users[index].uid;
		return 0;
	}
	r = new_user(resolver, word, name, &uid);
	if (r == 0)
		r = add_user(resolver, word, name, uid);
	if (r == 0)
		*ret_uid = uid;
	return r;
}

/* A uid, and which word of its list it is. */
struct listed {
	uint32_t uid;
	size_t word;
};

static int compare_listed(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;

	if (x->uid != y->uid)
		return x->uid < y->uid ? -1 : 1;
	return (x->word > y->word) - (x->word < y->word);
}

int resolve_users(struct resolver *resolver, struct span words, struct policy_uids *ret_uids)
{
	AUTO_FREE struct listed *listed = calloc(words.count + 1, sizeof(*listed));
	AUTO_FREE uint32_t *uids = calloc(words.count + 1, sizeof(*uids));
	int r;

	if (!listed || !uids)
		return -ENOMEM;
	for (size_t i = 0; i < words.count; i++) {
		listed[i].word = words.first + i;
		r = resolve_user(resolver, &resolver->ast->words[words.first + i], &listed[i].uid);
		if (r < 0)
			return r;
	}
	qsort(listed, words.count, sizeof(*listed), compare_listed);
	for (size_t i = 0; i < words.count; i++) {
		if (i && listed[i].uid == listed[i - 1].uid)
			return resolve_fail(resolver, &resolver->ast->words[listed[i].word].place,
					    "the user %s is listed twice",
					    resolve_user_name(resolver, listed[i].uid));
		uids[i] = listed[i].uid;
	}
	ret_uids->uids = TAKE_PTR(uids);
	ret_uids->count = words.count;
	return 0;
}

const char *resolve_user_name(const struct resolver *resolver, uint32_t uid)
{
	for (size_t i = 0; i < resolver->policy->user_count; i++)
		if (resolver->policy->users[i].uid == uid)
			return resolver->policy->users[i].name;
	return "?";
}

int resolve_forbid(struct resolver *resolver, const struct statement *statement)
{
	for (size_t i = 0; i < statement->users.count; i++) {
		const struct ast_word *word = &resolver->ast->words[statement->users.first + i];
		struct policy_user *user = resolver->policy->users;
		uint32_t uid = 0;
		int r;

		r = resolve_user(resolver, word, &uid);
		if (r < 0)
			return r;
		user = resolver->policy->users;
		while (user->uid != uid)
			user++;
		if (user->loopback_forbidden)
			return resolve_fail(resolver, &word->place,
					    "loopback is forbidden to %s already, at %s",
					    user->name, place_text(&user->forbidden_place).text);
		user->loopback_forbidden = true;
		user->forbidden_place = word->place;
	}
	return 0;
}

static int compare_users(const void *a, const void *b)
{
	const struct policy_user *x = a, *y = b;

	return (x->uid > y->uid) - (x->uid < y->uid);
}

void resolve_sort_users(struct resolver *resolver)
{
	/* The numbers that the names lead to are of the order of statement. */
	names_done(&resolver->users);
	if (resolver->policy->user_count)
		qsort(resolver->policy->users, resolver->policy->user_count,
		      sizeof(*resolver->policy->users), compare_users);
}
