/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A packet in one word of text that says all of it, so that a counterexample can be handed to a
 * program that sends it: "output,owner=1000,ip,proto=6,src=192.168.1.2,dst=198.51.100.80,...".
 */
#pragma once

#include "packet.h"

/* Write @packet. What is 0 is left out. */
void packet_spec_print(const struct packet *packet, struct buf *out);

/* Read what packet_spec_print() has written, or a person; fields in any order after the path. Returns
 * 0, or -EINVAL: an unknown field, one twice, a number that does not fit, an address of the other
 * family, more options than a header of the family has. */
MUST_CHECK int packet_spec_parse(const char *text, struct packet *ret_packet);
