/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The service addresses on this node's loopback, over netlink: as kernel local routes, or as
 * addresses. Ours carry a protocol number of our own, or stand in a ledger; nothing else is ever
 * touched.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cosmolet/loop.h>
#include <cosmolet/prefix.h>

#include "config.h"

struct loopback;

/* Marks routes (rtm_protocol) and addresses (IFA_PROTO) as ours. Nobody in iproute2's list has it.
 */
#define LOOPBACK_PROTOCOL 237

enum loopback_state {
	LOOPBACK_PENDING, /* the kernel was not asked yet, or has not answered */
	LOOPBACK_BOUND,   /* it is there, and ours */
	LOOPBACK_FOREIGN, /* it is there, but somebody else's: used, and left alone */
	LOOPBACK_FAILED,  /* the kernel objects; it is asked again and again */
};

struct loopback_status {
	size_t n_bound;
	uint64_t adds, removes, errors, repairs, audits, renewals, overruns;
	uint64_t remove_errors, renew_errors; /* of the errors; the others are of adding */
};

struct loopback_options {
	enum config_loopback mode;
	const char *interface;
	uint32_t lease_s;   /* addresses are gone that long after the last renewal; 0: never */
	const char *ledger; /* directory of a ledger, instead of marks; NULL: marks */
	bool observe; /* change nothing, and say that what should be bound is, or is foreign */
	/* What has become of an address that is wanted. error: of LOOPBACK_FAILED, else NULL. */
	void (*news)(void *data, const struct prefix *address, enum loopback_state state,
		const char *error);
	/* What was repaired, and what else an operator should know. */
	void (*problem)(void *data, const char *text);
	void *data;
};

/*
 * Opens netlink and reads what is there of ours. 0 and *out; or -EINVAL and *out_error (for
 * free()).
 */
must_check int loopback_new(struct loop *loop, const struct loopback_options *options,
	struct loopback **out, char **out_error);
/*
 * Finishes what is to be removed, and leaves the rest in the kernel as it is. Accepts NULL, returns
 * NULL.
 */
struct loopback *loopback_free(struct loopback *loopback);

/*
 * Wants it bound, and keeps it bound when somebody removes it. What is not known at once is told by
 * news().
 */
enum loopback_state loopback_add(struct loopback *loopback, const struct prefix *address);
/* Does not want it any more, bound or not: removes it if it is ours; a foreign one stays. */
void loopback_remove(struct loopback *loopback, const struct prefix *address);

/* On which interface it is foreign; false: that is not known, as only an observer looks for it. */
bool loopback_holder(
	const struct loopback *loopback, const struct prefix *address, char out[IF_NAMESIZE]);

/* What is bound by us now, in order. The array is for free(). */
size_t loopback_list(const struct loopback *loopback, struct prefix **out);
void loopback_status(const struct loopback *loopback, struct loopback_status *out);
