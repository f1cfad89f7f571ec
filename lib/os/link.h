/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One network device of the namespace this process is in, over rtnetlink. */
#pragma once

#include <base/cleanup.h>

/* The device's number, which stays when it is renamed. 0, -ENODEV, or -errno. */
MUST_CHECK int link_index(const char *name, unsigned *ret_index);

/* Set all devices but loopback down. Those that cannot be are passed over, to come to the others. 0,
 * or the first failure. */
MUST_CHECK int link_all_down(void);

/* Set it down: nothing leaves by it until it is set up again. 0, -ENODEV (it has gone), or -errno.
 */
MUST_CHECK int link_down(unsigned index);
