/* SPDX-License-Identifier: Apache-2.0 */
/* Who holds a prefix in zebra instead of us. */
#pragma once

#include <cosmolet/loop.h>
#include <cosmolet/prefix.h>

struct rival;

/* "kernel, distance 0, via eth0": lives until the call returns. */
typedef void rival_found_fn(void *data, const struct prefix *prefix, const char *text);

/* zserv: the path of zebra's socket, whose vty lies beside it; vrf: a name, NULL: the default one.
 * Both are copied. Never NULL. */
struct rival *rival_new(
	struct loop *loop, const char *zserv, const char *vrf, rival_found_fn *found, void *data);
/* The name, where vrf was a number. */
void rival_set_vrf(struct rival *rival, const char *vrf);
struct rival *rival_free(struct rival *rival);

/* Asks zebra whose route of that prefix is selected; found() tells, if it is to be known at all. */
void rival_ask(struct rival *rival, const struct prefix *prefix);
