/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Is what a ruleset does to every packet what a policy says of it? P1.
 *
 * A symbolic evaluation: the ruleset, as read back from the kernel, is run once on all packets at a
 * time (decision diagrams over header bits, see lib/diagram), and so is the policy; then the two are
 * one function or they are not. Nothing is sampled. What is not understood makes the answer "not
 * proved". Pure; shares no code with the compiler in src/wall. docs/proof.md has the model.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/buf.h>
#include <base/cleanup.h>
#include <packet/packet.h>
#include <policy/policy.h>
#include <ruleset/ruleset.h>

enum proof_answer {
	PROOF_UNKNOWN = 0, /* not proved: something is not understood; `reason` says what and where */
	PROOF_REFUTED,	   /* there is a packet on which they differ: `example` */
	PROOF_PROVED,
};

/* A network device that is there. */
struct proof_device {
	char name[16]; /* NUL-terminated */
	uint32_t index;
	uint16_t type; /* ARPHRD_* */
};

struct proof_options {
	/* The devices of the namespace. A ruleset that holds for devices to come, too, is proved for
	 * those; one that cannot (its egress chain names devices) is proved for these alone. */
	const struct proof_device *devices;
	size_t device_count;
	size_t nodes_max; /* of the decision diagrams; 0: PROOF_NODES_MAX */
};
#define PROOF_NODES_MAX ((size_t)16 << 20)

/* How the ruleset differs from what it should do; the worst there is, in this order. */
enum proof_fault {
	PROOF_NO_FAULT = 0,
	PROOF_LEAK,	 /* lets pass what is not granted */
	PROOF_REWRITES,	 /* sends on what it has changed */
	PROOF_BLOCKS,	 /* stops what is granted */
	PROOF_MANNER,	 /* refuses in another manner: a reset, an ICMP error, silence */
	PROOF_PROXIES,	 /* hands to another transparent proxy, or not to one */
};

/* A packet on which they differ. */
struct proof_example {
	struct packet packet;
	char device[16];	   /* whose name the packet leaves or arrives by; or "" for any but lo */
	struct buf circumstances;  /* what else must hold, in words: "the mark is 5"; or "" */
	struct policy_verdict policy; /* what the policy says of it; unset for claims */
	struct ruleset_result kernel; /* what the ruleset does, and where; borrowed from it */
	bool rewritten;		   /* the ruleset sends it on changed */
};

struct proof_result {
	enum proof_answer answer;
	enum proof_fault fault;
	struct proof_example example; /* if refuted */
	struct buf reason;	      /* if not proved */
	bool future_devices;	      /* if proved: for devices to come, too */
	double classes;		      /* regions of packets that were told apart */
	size_t nodes;		      /* of decision diagrams made */
};
void proof_result_done(struct proof_result *result);

/* Both are borrowed for as long as *ret_result lives. @ruleset must be sorted. Returns 0 with an
 * answer, to release with proof_result_done(); -ENOMEM. A ruleset that is too large is PROOF_UNKNOWN. */
MUST_CHECK int proof_compare(const struct policy *policy, const struct ruleset *ruleset,
			     const struct proof_options *options, struct proof_result *ret_result);

/* ---- the claims of SECURITY.md. ---- */

/* A user by whose name the claims speak. If there is none, nobody has that user's rights. */
struct proof_user {
	bool exists;
	uint32_t uid;
};

/* Who is who. The lists are borrowed. */
struct proof_people {
	struct proof_user tor, bridges_net, fronts_net, clearnet, clearnet_net, amnesia;
	struct policy_uids arp, dhcp, eapol; /* who brings links up, as `link` in the policy */
};

enum proof_kind {
	PROOF_SAFETY = 1, /* something does not happen; every policy must keep to it */
	PROOF_USE,	  /* something works; a stricter policy may refuse it */
};

/* One sentence of a claim. */
struct proof_claim {
	const char *id;		    /* "F1.2"; static storage */
	enum proof_kind kind;
	const char *statement;	    /* one sentence, for people; static storage */
	struct proof_result result; /* If refuted: packet.path of the example is 0 where no packet is the
				     * reason but a rule, which result.reason names then. If proved,
				     * result.reason is "" or says which user there is none of. */
};

/*
 * What the specification says of every packet, held against @ruleset alone: no policy is asked, so
 * that a wrong one is found like wrong rules. Calls @visit with each sentence in order; what it is
 * given lasts until it returns. Another value than 0 ends the walk and is returned. Otherwise returns
 * 0 or -ENOMEM. @ruleset must be sorted. A ruleset that is too large makes sentences PROOF_UNKNOWN.
 */
MUST_CHECK int proof_claims(const struct ruleset *ruleset, const struct proof_people *people,
			    const struct proof_options *options,
			    int (*visit)(const struct proof_claim *claim, void *data), void *data);

/* ---- what would a new policy change? ---- */

enum proof_change {
	PROOF_NEWLY_ALLOWED = 0, /* passes only afterwards */
	PROOF_NEWLY_DENIED,	 /* passes only before, be it changed on its way */
	PROOF_OTHER_PROXY,	 /* passes before and after, but not by the same transparent proxy */
	PROOF_NOT_KNOWN,	 /* nothing can be said about what the kernel does with it */
	PROOF_CHANGES,
};

struct region;

/* Packets of one kind to which the same happens, in words. Lives as long as the visit. */
struct proof_region {
	enum proof_change change;
	unsigned paths; /* where: a bit 1 << enum packet_path for each */
	bool loopback;	/* the device is lo */
	bool some;	/* only some of these packets, by what has no words: `text` is silent on it */
	const char *text;  /* "newly allowed: amnesia to 192.168.1.50 over tcp, ports 631, 9100" */
	const char *where; /* "output and egress" */
	/* One of these packets. `policy` is what the new policy says of it, `kernel` what the kernel
	 * does, if that was asked. */
	struct proof_example example;
	struct policy_verdict before;	/* what the old policy says of it, if that was asked */
	const struct region *shape;	/* for proof_region_contains() */
};

/* Is the packet one of them? */
bool proof_region_contains(const struct proof_region *region, const struct packet *packet);

struct proof_what_if {
	const struct policy *old;     /* the policy before, or */
	const struct ruleset *kernel; /* what the kernel holds, sorted; one of them is NULL */
	const struct policy *new;
	size_t most; /* regions to tell of; 0: PROOF_REGIONS_MAX */
};
#define PROOF_REGIONS_MAX 200

struct proof_what_if_result {
	size_t regions; /* that were told */
	bool more;	/* there are more than `most` */
	bool too_large; /* nothing can be told: it takes more memory than was given */
	bool unknown;	/* nothing can be told: the kernel holds what cannot be read */
};

/* Returns 0 to go on; anything else ends the walk and is returned. */
typedef int proof_region_fn(const struct proof_region *region, void *data);

/* Each region of packets that @what->new would treat otherwise, in a fixed order: allowed first, then
 * denied; of these output first. Packets that are cut short are left out. @ret_result may not be
 * believed unless 0 is returned. Returns 0, -ENOMEM, -EINVAL if there is nothing to compare with, or
 * what @visit returned. */
MUST_CHECK int proof_what_if(const struct proof_what_if *what, const struct proof_options *options,
			     proof_region_fn *visit, void *data,
			     struct proof_what_if_result *ret_result);
