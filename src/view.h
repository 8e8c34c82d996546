/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every address that any service has, with what is decided of it here: what people are shown.
 *
 * Of addresses that this node never announced nothing is kept; so it is decided on them once more,
 * as they are looked at, one by one.
 */
#pragma once

#include <stddef.h>

#include <cosmolet/k8s.h>

#include "announce.h"
#include "plan.h"

struct daemon;
struct view_entry;

/* Which addresses there were when it was made. The cluster may change while they are gone through.
 */
struct view {
	const struct daemon *daemon;
	struct view_entry *entries; /* by address, then by the service's namespace and name */
	size_t n;
};

void view_init(struct view *view, const struct daemon *daemon);
/* Zeroed is fine. */
void view_deinit(struct view *view);

/* What one service says of one address. */
struct view_row {
	const struct k8s_object *service;
	struct verdict verdict;
};

/* One address, with all that services say of it now; for this turn of the loop only. */
struct view_address {
	struct prefix address;
	const struct vip *vip; /* NULL: it was never announced from here */
	struct view_row *rows; /* by the service's namespace and name */
	size_t n_rows;         /* 0: no service has it any more */
	/* The row that decides: the first that is up, else the first. NULL: none. */
	const struct view_row *deciding;
};

/*
 * The addresses in order: *at is 0 for the first, and moved on. false: there are no more. One that
 * nobody has any more is passed over. *out is for view_address_deinit().
 */
must_check bool view_next(const struct view *view, size_t *at, struct view_address *out);
/* One of them, the same way; false: no service has it, nor did any. */
must_check bool view_find(
	const struct view *view, const struct prefix *address, struct view_address *out);
void view_address_deinit(struct view_address *address);

enum vip_state view_state(const struct view_address *address);
