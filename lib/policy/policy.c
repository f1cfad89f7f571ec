/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy.h"

#include <stdlib.h>
#include <string.h>

static void free_traffic(struct policy_traffic *traffic, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(traffic[i].ports);
}

struct policy *policy_free(struct policy *policy)
{
	if (!policy)
		return NULL;
	for (size_t i = 0; i < policy->folder_count; i++)
		free(policy->folders[i]);
	free(policy->folders);
	for (size_t i = 0; i < policy->file_count; i++)
		free(policy->files[i]);
	free(policy->files);
	free(policy->users);
	for (size_t i = 0; i < policy->network_count; i++)
		free(policy->networks[i].ranges);
	free(policy->networks);
	for (size_t i = 0; i < policy->grant_count; i++)
		free_traffic(&policy->grants[i].traffic, 1);
	free(policy->grants);
	for (size_t i = 0; i < policy->service_count; i++) {
		free(policy->services[i].servers.uids);
		free(policy->services[i].clients.uids);
	}
	free(policy->services);
	free(policy->service_grants);
	for (size_t i = 0; i < policy->local_count; i++)
		free(policy->locals[i].except);
	free(policy->locals);
	free(policy->namespaces);
	free_traffic(policy->lan.except, policy->lan.except_count);
	free(policy->lan.except);
	free(policy->automap.users.uids);
	for (size_t i = 0; i < POLICY_LINK_KINDS; i++)
		free(policy->links[i].users.uids);
	free(policy);
	return NULL;
}

const struct policy_user *policy_find_user(const struct policy *policy, uint32_t uid)
{
	size_t low = 0, high = policy->user_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (policy->users[middle].uid == uid)
			return &policy->users[middle];
		if (policy->users[middle].uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct policy_user *policy_find_user_by_name(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->user_count; i++)
		if (strcmp(policy->users[i].name, name) == 0)
			return &policy->users[i];
	return NULL;
}

const struct policy_namespace *policy_find_namespace(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->namespace_count; i++)
		if (strcmp(policy->namespaces[i].name, name) == 0)
			return &policy->namespaces[i];
	return NULL;
}

const char *policy_protocol_text(enum policy_protocol protocol)
{
	switch (protocol) {
	case POLICY_TCP:
		return "tcp";
	case POLICY_UDP:
		return "udp";
	case POLICY_ICMP:
		return "icmp";
	}
	return "?";
}
