/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "reach.h"

static bool excepts_all_udp(const struct policy_lan *lan)
{
	for (size_t i = 0; i < lan->except_count; i++)
		if (lan->except[i].protocol == POLICY_UDP && lan->except[i].port_count == 0)
			return true;
	return false;
}

static bool contains(const struct policy_uids *uids, uint32_t uid)
{
	for (size_t i = 0; i < uids->count; i++)
		if (uids->uids[i] == uid)
			return true;
	return false;
}

bool reach_by_udp(const struct policy *policy, uint32_t uid)
{
	for (size_t i = 0; i < policy->grant_count; i++)
		if (policy->grants[i].uid == uid &&
		    policy->grants[i].traffic.protocol == POLICY_UDP)
			return true;
	if (policy->lan.stated && policy->lan.open && !excepts_all_udp(&policy->lan))
		return true;
	return policy->links[POLICY_LINK_DHCP].stated &&
	       contains(&policy->links[POLICY_LINK_DHCP].users, uid);
}
