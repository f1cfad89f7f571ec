/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a user has: the sum of the clients that name the user, or that everyone is. */
#include "grants.h"

#define NOBODY UINT32_MAX /* a user that no grant can name, and so every user whom none does */

static bool is_meant(const struct grants_client *client, uint32_t uid)
{
	bool meant = client->everyone;

	for (size_t i = 0; i < client->uid_count; i++)
		meant |= client->uids[i] == uid;
	return meant;
}

int grants_of(const struct grants *grants, uint32_t uid, struct rights *ret_rights)
{
	struct rights rights = { 0 };
	const char *limit = NULL;
	bool found = false;
	int r = 0;

	for (size_t i = 0; i < grants->count && r == 0; i++) {
		if (!is_meant(&grants->clients[i], uid))
			continue;
		found = true;
		r = rights_join(&rights, &grants->clients[i].rights, &limit);
	}
	if (r < 0)
		return r;
	if (!found)
		return -ENOENT;
	*ret_rights = rights;
	return 0;
}

/* @user: that user's name or number, or NULL. */
static int check_user(const struct grants *grants, uint32_t uid, const char *user,
		      struct diag *diag)
{
	struct rights rights = { 0 };

	for (size_t i = 0; i < grants->count; i++) {
		const struct grants_client *client = &grants->clients[i];
		const char *limit = NULL;

		if (!is_meant(client, uid) || rights_join(&rights, &client->rights, &limit) == 0)
			continue;
		diag_set(diag, client->file, client->line, client->column,
			 "with the client '%s' %s%s has more than %s", client->name,
			 user ? "the user " : "every user", user ? user : "", limit);
		diag_hint(diag, "a user has the sum of what its clients have");
		return -EBADMSG;
	}
	return 0;
}

int grants_check(const struct grants *grants, struct diag *diag)
{
	int r = check_user(grants, NOBODY, NULL, diag);

	for (size_t i = 0; i < grants->count && r == 0; i++)
		for (size_t j = 0; j < grants->clients[i].uid_count && r == 0; j++)
			r = check_user(grants, grants->clients[i].uids[j],
				       grants->clients[i].users[j], diag);
	return r;
}
