/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The service addresses on this node's loopback, over netlink: as kernel local routes, or as
 * addresses. Ours carry a protocol number of our own; nothing else is ever touched.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <cosmolet/loop.h>
#include <cosmolet/prefix.h>

#include "config.h"

struct loopback;

/* Marks routes (rtm_protocol) and addresses (IFA_PROTO) as ours. Nobody in iproute2's list has it.
 */
#define LOOPBACK_PROTOCOL 237

enum loopback_outcome {
	LOOPBACK_BOUND,   /* it is there, and ours */
	LOOPBACK_FOREIGN, /* it is there, but somebody else's: used, and left alone */
	LOOPBACK_FAILED,  /* *out_error says why */
};

struct loopback_status {
	size_t n_bound;
	uint64_t adds, removes, errors, repairs, audits;
};

/*
 * Opens netlink and reads what is there of ours. An observer never changes anything: it says that
 * what it should bind is bound. problem(data, text) tells later what could not be
 * done or was repaired. 0 and *out; or -EINVAL and *out_error (for free()).
 */
must_check int loopback_new(struct loop *loop, enum config_loopback mode, const char *interface,
	bool observe, void (*problem)(void *data, const char *text), void *data,
	struct loopback **out, char **out_error);
/* Leaves everything in the kernel as it is. Accepts NULL, returns NULL. */
struct loopback *loopback_free(struct loopback *loopback);

/* Binds, and keeps bound when somebody removes it. *out_error for free(), only with FAILED. */
enum loopback_outcome loopback_add(
	struct loopback *loopback, const struct prefix *address, char **out_error);
/* Does not want it any more, bound or not: removes it if it is ours; a foreign one stays. */
void loopback_remove(struct loopback *loopback, const struct prefix *address);

/* What is bound by us now, in order. The array is for free(). */
size_t loopback_list(const struct loopback *loopback, struct prefix **out);
void loopback_status(const struct loopback *loopback, struct loopback_status *out);
