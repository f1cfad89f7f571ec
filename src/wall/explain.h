/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From the words of `explain` to a packet. Pure, so that it is tested without a kernel. */
#pragma once

#include <base/diag.h>
#include <packet/packet.h>
#include <policy/policy.h>

struct explain_question {
	const char *user;	 /* NAME, NUMBER or NAME@NAMESPACE */
	const char *destination; /* ADDRESS, ADDRESS:PORT, [IPV6]:PORT */
	const char *protocol;	 /* NULL: tcp */
	uint16_t source_port;	 /* 0: any high port */
	/* Is this address the host's own? So packets to it are delivered over loopback. */
	bool (*is_own)(const struct packet_address *address, bool ipv6, void *data);
	void *data;
};

struct explain_subject {
	struct packet packet;
	char sender[2 * POLICY_NAME_MAX + 16]; /* whose socket sends it, in words */
	bool frame; /* the packet is judged once more as a frame */
};

/* Returns 0 and *ret_subject, or -EINVAL with @diag. */
MUST_CHECK int explain_parse(const struct policy *policy, const struct explain_question *question,
			     struct diag *diag, struct explain_subject *ret_subject);
