/* SPDX-License-Identifier: Apache-2.0 */
/* What the node's network settings would do to service addresses, in words that say what to do. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <cosmolet/prefix.h>

#define SYSCTL_ADVICE 2 /* at most */

/*
 * Looks at the settings of all interfaces. bound: the addresses that this node accepts; n_bound 0
 * if it does not accept them itself. Returns how many lines of advice there are; each for free().
 */
size_t sysctl_advice(const struct prefix *bound, size_t n_bound, char *out[SYSCTL_ADVICE]);
