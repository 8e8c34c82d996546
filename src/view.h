/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every address that any service has, with what is decided of it here: what people are shown.
 *
 * Of addresses that this node never announced nothing is kept; so a view decides on them once more,
 * as it is made. It is valid until the next turn of the loop.
 */
#pragma once

#include <stddef.h>

#include <cosmolet/k8s.h>

#include "announce.h"
#include "plan.h"

struct daemon;

/* What one service says of one address. */
struct view_row {
	struct prefix address;            /* family 0: of the service as a whole */
	const struct k8s_object *service; /* NULL: no service has the address any more */
	struct verdict verdict;
};

struct view {
	const struct daemon *daemon;
	struct view_row *rows; /* by address, then by the service's namespace and name */
	size_t n;
};

void view_init(struct view *view, const struct daemon *daemon);
void view_deinit(struct view *view);

/* One address, with all that services say of it. */
struct view_address {
	struct prefix address;
	const struct vip *vip; /* NULL: it was never announced from here */
	const struct view_row *rows;
	size_t n_rows; /* 0: no service has it any more */
	/* The row that decides: the first that is up, else the first. NULL: none. */
	const struct view_row *deciding;
};

/*
 * The addresses in order: *at is 0 for the first, and moved on. false: there are no more. What
 * services have instead of addresses is passed over.
 */
bool view_next(const struct view *view, size_t *at, struct view_address *out);
/* One of them; false: no service has it, nor did any. */
bool view_find(const struct view *view, const struct prefix *address, struct view_address *out);
enum vip_state view_state(const struct view_address *address);
