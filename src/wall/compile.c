/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "compile.h"

#include "compile-internal.h"

#include <linux/if_ether.h>
#include <netinet/in.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

/* Hooks of the netdev family; in the kernel's headers since 5.16. */

/* Link types without a header of their own, on which the kernel's label is all there is to tell a
 * packet by: PPP (its driver writes the header from the label), raw IP modems, tunnels. */
#define LINK_SET      "bare_links"
#define ARPHRD_PPP_   512
#define ARPHRD_RAWIP_ 519
#define ARPHRD_NONE_  0xfffe

#define AUTOMAP_PRIORITY (-150) /* mangle: before anything that filters input */

const char *compile_user_name(const struct compile *compile, uint32_t uid, char buffer[static 16])
{
	const struct policy_user *user = policy_find_user(compile->policy, uid);

	if (user)
		return user->name;
	snprintf(buffer, 16, "%u", uid);
	return buffer;
}

void compile_port_set(struct compile *compile, const char *name, const struct policy_ports *ports,
		      size_t count)
{
	struct emit_set set = emit_interval_set(compile->table, &compile->error, name,
						EMIT_TYPE_PORT, 2);

	for (size_t i = 0; i < count; i++) {
		uint16_t low = htons(ports[i].low), high = htons(ports[i].high);

		emit_element_range(&set, &low, &high, sizeof(low));
	}
}

static void output_chain(struct compile *compile)
{
	struct emit emit = emit_base_chain(compile->table, &compile->error, "output",
					   NF_INET_LOCAL_OUT, 0, RULESET_DROP);

	/* Loopback by device, not by address: the host's own LAN addresses are delivered over lo
	 * too and must obey the same table (F6). */
	emit_rule(&emit, "F6: local services, by whatever own address");
	emit_device_is_loopback(&emit, true);
	emit_goto(&emit, CHAIN_LOCAL);
	emit_rule_for(&emit, &compile->policy->ipv6_place, "F8: IPv6 is blocked");
	emit_family(&emit, true);
	emit_goto(&emit, CHAIN_REFUSE);
	emit_rule(&emit, "programs send whole datagrams without IP options");
	emit_odd4(&emit);
	emit_refuse(&emit);
	compile_remote_rules(compile, &emit);
	emit_rule(&emit, "nobody's packet, and no rest of a granted connection");
	emit_goto(&emit, CHAIN_REFUSE);
}

static void input_chain(struct compile *compile)
{
	struct emit emit = emit_base_chain(compile->table, &compile->error, "input",
					   NF_INET_LOCAL_IN, 0, RULESET_DROP);

	emit_rule(&emit, "local: what output let through");
	emit_device_is_loopback(&emit, false);
	emit_goto(&emit, CHAIN_LOCAL_INPUT);
	emit_rule(&emit, "belongs to a connection of this host");
	emit_family(&emit, false);
	emit_protocol(&emit, IPPROTO_TCP);
	emit_opening(&emit, false);
	emit_socket(&emit, NFT_SOCKET_WILDCARD, 0);
	emit_accept(&emit);
	emit_rule(&emit, "answers what this host asked");
	emit_family(&emit, false);
	emit_protocol(&emit, IPPROTO_UDP);
	emit_load_payload(&emit,
			  emit_load_payload(&emit,
					    emit_load_payload(&emit, EMIT_REG, RULESET_NETWORK, 12, 4),
					    RULESET_TRANSPORT, 0, 2),
			  RULESET_TRANSPORT, 2, 2);
	emit_in(&emit, SET_ANSWERS);
	emit_accept(&emit);
	emit_rule(&emit, "answers this host's echo request");
	emit_family(&emit, false);
	emit_protocol(&emit, IPPROTO_ICMP);
	emit_icmp_type_is(&emit, 0);
	emit_load_payload(&emit, emit_load_payload(&emit, EMIT_REG, RULESET_NETWORK, 12, 4),
			  RULESET_TRANSPORT, 4, 2);
	emit_in(&emit, SET_ECHOES);
	emit_accept(&emit);
	emit_end(&emit);
}

static void forward_chain(struct compile *compile)
{
	struct emit emit = emit_base_chain(compile->table, &compile->error, "forward",
					   NF_INET_FORWARD, 0, RULESET_DROP);

	emit_end(&emit);
}

/* F7: nothing is rewritten; the proxy's socket is given packets for addresses it does not have. */
static void automap_chain(struct compile *compile)
{
	const struct policy_automap *automap = &compile->policy->automap;
	struct emit emit;

	if (!automap->stated)
		return;
	emit = emit_base_chain(compile->table, &compile->error, "prerouting", NF_INET_PRE_ROUTING,
			       AUTOMAP_PRIORITY, RULESET_ACCEPT);
	emit_rule_for(&emit, &automap->place, "F7: automapped addresses, to Tor's transparent port");
	emit_device_is_loopback(&emit, false);
	emit_family(&emit, false);
	emit_protocol(&emit, IPPROTO_TCP);
	emit_prefix(&emit, automap->range.low, automap->prefix_length);
	emit_tproxy(&emit, INADDR_LOOPBACK, automap->port);
	emit_accept(&emit);
}

static void refuse_chain(struct compile *compile)
{
	struct emit emit = emit_chain(compile->table, &compile->error, CHAIN_REFUSE);

	emit_plain_rule(&emit);
	emit_tell(&emit);
	/* A reset, so that the program fails at once instead of waiting; the rest in silence. */
	emit_rule(&emit, "refuse at once");
	emit_protocol(&emit, IPPROTO_TCP);
	emit_reset(&emit);
	emit_plain_rule(&emit);
	emit_drop(&emit);
}

static void host_table(struct compile *compile)
{
	compile_local_sets(compile);
	compile_remote_sets(compile);
	refuse_chain(compile);
	compile_local_chains(compile);
	compile_local_input(compile);
	compile_remote_chains(compile);
	output_chain(compile);
	input_chain(compile);
	automap_chain(compile);
	forward_chain(compile);
}

static void uid_set(struct compile *compile, const char *name, const struct policy_uids *uids)
{
	struct emit_set set = emit_set(compile->table, &compile->error, name, EMIT_TYPE_UID, 4);

	for (size_t i = 0; i < uids->count; i++)
		emit_element(&set, &uids->uids[i], sizeof(uids->uids[i]));
}

static void arp_chains(struct compile *compile)
{
	static const uint8_t shape[] = { 0x00, 0x01, 0x08, 0x00, 6, 4 };
	static const uint16_t operations[] = { 1, 2 };
	const struct policy_link *arp = &compile->policy->links[POLICY_LINK_ARP];
	struct emit_set set;
	struct emit emit;

	if (!arp->stated)
		return;
	set = emit_set(compile->table, &compile->error, "arp_operations", EMIT_TYPE_INTEGER, 2);
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
		uint16_t net = htons(operations[i]);

		emit_element(&set, &net, sizeof(net));
	}
	if (arp->users.count > 0)
		uid_set(compile, "arp_users", &arp->users);

	emit = emit_chain(compile->table, &compile->error, CHAIN_ARP_OWNED);
	if (arp->users.count > 0) {
		emit_rule_for(&emit, &arp->place, "ARP by these users");
		emit_owner_in(&emit, "arp_users");
		emit_accept(&emit);
	}
	emit_plain_rule(&emit);
	emit_refuse(&emit);

	emit = emit_chain(compile->table, &compile->error, CHAIN_ARP);
	emit_rule(&emit, "of the one shape that IPv4 over Ethernet uses");
	emit_payload_is(&emit, RULESET_NETWORK, 0, shape, sizeof(shape));
	emit_payload_in(&emit, RULESET_NETWORK, 6, 2, "arp_operations");
	emit_owned(&emit);
	emit_goto(&emit, CHAIN_ARP_OWNED);
	if (arp->kernel) {
		emit_rule_for(&emit, &arp->place, "ARP by the kernel");
		emit_payload_is(&emit, RULESET_NETWORK, 0, shape, sizeof(shape));
		emit_payload_in(&emit, RULESET_NETWORK, 6, 2, "arp_operations");
		emit_accept(&emit);
	}
	emit_plain_rule(&emit);
	emit_refuse(&emit);
}

static void frame_chains(struct compile *compile)
{
	struct emit emit = emit_chain(compile->table, &compile->error, CHAIN_LOOPBACK);

	/* Judged by the output hook. What has no route was written past it (AF_PACKET). */
	emit_rule(&emit, "judged by the output hook");
	emit_routed(&emit);
	emit_accept(&emit);
	emit_plain_rule(&emit);
	emit_refuse(&emit);

	/* The kernel's own pieces of a datagram that the output hook judged whole. */
	emit = emit_chain(compile->table, &compile->error, CHAIN_ODD);
	emit_rule(&emit, "a piece of a datagram that was judged whole");
	emit_fragment4(&emit);
	emit_owned(&emit);
	emit_routed(&emit);
	emit_destination_in(&emit, SET_REACH);
	emit_accept(&emit);
	emit_plain_rule(&emit);
	emit_refuse(&emit);

	emit = emit_chain(compile->table, &compile->error, CHAIN_IP);
	emit_rule(&emit, "fragments and IP options");
	emit_odd4(&emit);
	emit_goto(&emit, CHAIN_ODD);
	compile_remote_rules(compile, &emit);
	emit_plain_rule(&emit);
	emit_refuse(&emit);
	arp_chains(compile);
}

/*
 * F1 for every frame, whoever made it. A raw frame's sender chooses the kernel's label and the
 * Ethernet header apart: both must say the same, or one thing would be judged and another sent.
 */
static void egress_chain(struct compile *compile)
{
	const struct policy_link *eapol = &compile->policy->links[POLICY_LINK_EAPOL];
	struct emit emit = emit_base_chain(compile->table, &compile->error, NF_EGRESS,
					   NF_HOOK_EGRESS, 0, RULESET_DROP);

	if (compile->error == 0)
		compile->table->chains[emit.chain].every_device = true;
	emit_plain_rule(&emit);
	emit_device_is_loopback(&emit, true);
	emit_goto(&emit, CHAIN_LOOPBACK);
	emit_rule(&emit, "IPv4 over Ethernet");
	emit_label(&emit, ETH_P_IP);
	emit_link_ethertype(&emit, ETH_P_IP);
	emit_goto(&emit, CHAIN_IP);
	emit_rule(&emit, "IPv4 on links without a header");
	emit_label(&emit, ETH_P_IP);
	emit_device_type_in(&emit, LINK_SET);
	emit_goto(&emit, CHAIN_IP);
	/* What stands there in place of an Ethernet header is the sender's payload: it could say
	 * what it liked. */
	emit_rule(&emit, "and nothing else on those");
	emit_device_type_in(&emit, LINK_SET);
	emit_refuse(&emit);
	if (compile->policy->links[POLICY_LINK_ARP].stated) {
		emit_plain_rule(&emit);
		emit_label(&emit, ETH_P_ARP);
		emit_link_ethertype(&emit, ETH_P_ARP);
		emit_goto(&emit, CHAIN_ARP);
	}
	if (eapol->stated) {
		uid_set(compile, "eapol_users", &eapol->users);
		emit_rule_for(&emit, &eapol->place, "EAPOL by these users");
		emit_label(&emit, ETH_P_PAE);
		emit_link_ethertype(&emit, ETH_P_PAE);
		emit_owner_in(&emit, "eapol_users");
		emit_accept(&emit);
	}
	emit_plain_rule(&emit);
	emit_refuse(&emit);
}

static void device_table(struct compile *compile)
{
	static const uint16_t types[] = { ARPHRD_PPP_, ARPHRD_RAWIP_, ARPHRD_NONE_ };
	struct emit_set links = emit_set(compile->table, &compile->error, LINK_SET,
					 EMIT_TYPE_ARPHRD, 2);

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		emit_element(&links, &types[i], sizeof(types[i]));
	compile_remote_sets(compile);
	compile_remote_chains(compile);
	frame_chains(compile);
	egress_chain(compile);
}

/* A hash set without a size is grown by the kernel in the background, and reading it meanwhile
 * repeats some elements and leaves out others. An interval set's size would count both ends. */
static void size_sets(struct ruleset *ruleset)
{
	for (size_t i = 0; i < ruleset->table_count; i++) {
		for (size_t j = 0; j < ruleset->tables[i].set_count; j++) {
			struct ruleset_set *set = &ruleset->tables[i].sets[j];

			if (!set->interval && !set->dynamic)
				set->size = (uint32_t)set->element_count;
		}
	}
}

static int add_table(struct ruleset *ruleset, struct compile *compile, enum ruleset_family family)
{
	compile->table = ruleset_add_table(ruleset, family, NF_TABLE);
	compile->frames = family == RULESET_NETDEV;
	return compile->table ? 0 : -ENOMEM;
}

int compile_policy(const struct policy *policy, struct ruleset **ret_ruleset)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = ruleset_new();
	struct compile compile = { .policy = policy };

	if (!ruleset || add_table(ruleset, &compile, RULESET_INET) < 0)
		return -ENOMEM;
	host_table(&compile);
	if (compile.error < 0)
		return compile.error;
	if (add_table(ruleset, &compile, RULESET_NETDEV) < 0)
		return -ENOMEM;
	device_table(&compile);
	if (compile.error < 0)
		return compile.error;
	size_sets(ruleset);
	ruleset_sort(ruleset);
	*ret_ruleset = TAKE_PTR(ruleset);
	return 0;
}

int compile_seal(struct ruleset **ret_ruleset)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = ruleset_new();
	static const struct {
		const char *name;
		uint32_t hook;
	} hooks[] = {
		{ "output", NF_INET_LOCAL_OUT },
		{ "input", NF_INET_LOCAL_IN },
		{ "forward", NF_INET_FORWARD },
	};
	struct compile compile = { 0 };
	struct emit emit;

	if (!ruleset || add_table(ruleset, &compile, RULESET_INET) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++) {
		emit = emit_base_chain(compile.table, &compile.error, hooks[i].name, hooks[i].hook,
				       0, RULESET_DROP);
		emit_end(&emit);
	}
	if (add_table(ruleset, &compile, RULESET_NETDEV) < 0)
		return -ENOMEM;
	emit = emit_base_chain(compile.table, &compile.error, NF_EGRESS, NF_HOOK_EGRESS, 0,
			       RULESET_DROP);
	emit_end(&emit);
	if (compile.error < 0)
		return compile.error;
	compile.table->chains[emit.chain].every_device = true;
	ruleset_sort(ruleset);
	*ret_ruleset = TAKE_PTR(ruleset);
	return 0;
}
