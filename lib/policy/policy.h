/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The policy: what may leave this computer, who may use which local service, and nothing else.
 *
 * This header is the meaning; lethe-policy(5) is the language. The parser fills `struct policy`,
 * the compiler in src/wall and the proof read it, and policy_evaluate() says what it means for one
 * packet. Nothing here can express "accept by default": what no statement grants is dropped.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/buf.h>
#include <base/cleanup.h>
#include <base/diag.h>
#include <packet/packet.h>

#define POLICY_NAME_MAX	    32		    /* bytes of a user's, network's or service's name */
#define POLICY_FILE_MAX	    (4u << 20)	    /* bytes of one policy file */
#define POLICY_TOTAL_MAX    (16u << 20)	    /* bytes of all files together */
#define POLICY_FILES_MAX    256		    /* the policy and its drop-ins */
#define POLICY_USERS_MAX    1024
#define POLICY_SERVICES_MAX 65535

/* Where a statement stands. The file's name belongs to the policy. */
struct policy_place {
	const char *file;
	unsigned line, column;
};

/* Sorted, without duplicates. */
struct policy_uids {
	uint32_t *uids;
	size_t count;
};

struct policy_user {
	char name[POLICY_NAME_MAX + 1]; /* as the policy writes it; digits for a numeric id */
	uint32_t uid;
	bool loopback_forbidden; /* "forbid USER to loopback": any local grant is an error */
	struct policy_place place;
	struct policy_place forbidden_place;
};

/* IPv4, inclusive, host order. */
struct policy_range {
	uint32_t low, high;
};

struct policy_ports {
	uint16_t low, high;
};

/* Ranges are sorted, disjoint and not adjacent. A prefix written in place of a name becomes an
 * unnamed network whose name is its text. */
struct policy_network {
	char name[POLICY_NAME_MAX + 1];
	struct policy_range *ranges;
	size_t range_count;
	bool literal; /* written in place, not by a `network` statement */
	struct policy_place place;
};

enum policy_protocol {
	POLICY_TCP = 1,
	POLICY_UDP,
	POLICY_ICMP,
};

/* One protocol with its ports. No ports means every port. Ports are sorted and disjoint. */
struct policy_traffic {
	enum policy_protocol protocol;
	struct policy_ports *ports;
	size_t port_count;
};

/* allow USER to NETWORK over TRAFFIC, one for each user and kind of traffic. */
struct policy_grant {
	uint32_t uid;
	size_t network; /* index into networks */
	struct policy_traffic traffic;
	struct policy_place place;
};

/* service NAME PROTOCOL PORTS [by USERS] for USERS; ranges of one protocol never overlap. */
struct policy_service {
	char name[POLICY_NAME_MAX + 1];
	enum policy_protocol protocol; /* POLICY_TCP or POLICY_UDP */
	struct policy_ports ports;
	struct policy_uids servers; /* whose sockets answer; UDP only, where it is required */
	struct policy_uids clients;
	struct policy_place place;
};

/* Who granted which client a service: the service statement or a later `allow`. */
struct policy_service_grant {
	size_t service; /* index into services */
	uint32_t uid;
	struct policy_place place;
};

/* allow USER to loopback over tcp [except PORTS] */
struct policy_local {
	uint32_t uid;
	struct policy_ports *except;
	size_t except_count;
	struct policy_place place;
};

/* lan NETWORK open|closed [except TRAFFIC] */
struct policy_lan {
	bool stated, open;
	size_t network;
	struct policy_traffic *except;
	size_t except_count;
	struct policy_place place;
};

/* automap PREFIX to PORT for USERS */
struct policy_automap {
	bool stated;
	struct policy_range range; /* one prefix inside 127.0.0.0/8 */
	uint8_t prefix_length;
	uint16_t port; /* of the transparent proxy at 127.0.0.1 */
	struct policy_uids users;
	struct policy_place place;
};

/* namespace NAME as USER: what comes out of the namespace is sent by USER's sockets. */
struct policy_namespace {
	char name[POLICY_NAME_MAX + 1];
	uint32_t uid;
	struct policy_place place;
};

/* What a link needs to come up, by exact shape: ARP, DHCPv4 broadcasts, EAPOL. */
enum policy_link_kind {
	POLICY_LINK_ARP,
	POLICY_LINK_DHCP,
	POLICY_LINK_EAPOL,
	POLICY_LINK_KINDS,
};

struct policy_link {
	bool stated;
	bool kernel; /* frames without an owner */
	struct policy_uids users;
	struct policy_place place;
};

struct policy {
	char **files; /* names, for places */
	size_t file_count;
	char **folders; /* that were included, also those that are not there */
	size_t folder_count;

	struct policy_user *users; /* sorted by uid */
	size_t user_count;
	struct policy_network *networks; /* in order of statement */
	size_t network_count;
	struct policy_grant *grants; /* in order of statement */
	size_t grant_count;
	struct policy_service *services; /* sorted by protocol, then port */
	size_t service_count;
	struct policy_service_grant *service_grants; /* sorted by service, then uid */
	size_t service_grant_count;
	struct policy_local *locals; /* sorted by uid, at most one for each */
	size_t local_count;
	struct policy_namespace *namespaces;
	size_t namespace_count;

	struct policy_lan lan;
	struct policy_automap automap;
	struct policy_link links[POLICY_LINK_KINDS];
	struct policy_place default_place; /* "default drop", required */
	struct policy_place ipv6_place;	   /* "ipv6 blocked", required */
};

struct policy *policy_free(struct policy *policy);
DEFINE_CLEANUP(struct policy *, policy_free)

/* Who is who when a policy is read. */
struct policy_options {
	const char *passwd; /* a passwd(5) file to look users up in; NULL: the system's (getpwnam) */
};

/*
 * Read the policy at @path with its drop-ins. On success *ret_policy is the caller's, to release
 * with policy_free(). On failure it is untouched and @diag tells place, reason and hint.
 * Returns 0, -EBADMSG (the text is wrong; see @diag), or -errno from reading (also in @diag).
 */
MUST_CHECK int policy_load(const char *path, const struct policy_options *options,
			   struct diag *diag, struct policy **ret_policy);

/* The same from memory, for tests and fuzzing: @name stands for the file; `include` is refused
 * with -EBADMSG. @len bytes, which may hold anything. */
MUST_CHECK int policy_parse(const char *name, const char *text, size_t len,
			    const struct policy_options *options, struct diag *diag,
			    struct policy **ret_policy);

/* Write @policy in the language, in canonical order and form, so that parsing it again gives the
 * same policy and printing that gives the same text. Drop-ins are merged. */
void policy_print(const struct policy *policy, struct buf *out);

enum policy_action {
	POLICY_DROP = 0,    /* unset denies: in silence */
	POLICY_RESET,	    /* refused, by a TCP reset */
	POLICY_UNREACHABLE, /* refused, by an ICMP error on loopback */
	POLICY_ACCEPT,
	POLICY_PROXY, /* accepted, and handed to the transparent proxy */
};

struct policy_verdict {
	enum policy_action action;
	uint16_t proxy_port;	    /* for POLICY_PROXY */
	struct policy_place place;  /* the statement that decides; file NULL for a built-in rule */
	const char *reason;	    /* in plain words; static storage */
};

static inline bool policy_allows(const struct policy_verdict *verdict)
{
	return verdict->action >= POLICY_ACCEPT;
}

/* What the policy says of @packet. Total: every packet has a verdict. See docs/architecture for
 * the rules in the order in which they apply. */
struct policy_verdict policy_evaluate(const struct policy *policy, const struct packet *packet);

/* The user's entry, or NULL. Borrowed. */
const struct policy_user *policy_find_user(const struct policy *policy, uint32_t uid);
const struct policy_user *policy_find_user_by_name(const struct policy *policy, const char *name);
const struct policy_namespace *policy_find_namespace(const struct policy *policy,
						     const char *name);
bool policy_uids_contain(const struct policy_uids *uids, uint32_t uid);
bool policy_network_contains(const struct policy_network *network, uint32_t address);
const char *policy_protocol_text(enum policy_protocol protocol); /* "tcp", "udp", "icmp" */

/*
 * Every class of packet that the policies @policies can tell apart, each once, as a representative:
 * every user named and one that none names, every device kind, path, family, protocol, address
 * range, port and flag combination. @visit returns 0 to go on; anything else ends the walk and is
 * returned. Returns 0 or -ENOMEM otherwise.
 */
MUST_CHECK int policy_each_class(const struct policy *const *policies, size_t count,
				 int (*visit)(const struct packet *packet, void *data), void *data);
