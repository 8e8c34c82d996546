/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every address that any service has, with what is decided of it here.
 *
 * On a large cluster most services have no pod on this node, and their addresses would cost memory
 * for nothing but this. The decision is pure, so it can be had again whenever somebody looks.
 */
#include "view.h"

#include <string.h>

#include "daemon.h"

static int row_cmp(const void *a, const void *b)
{
	const struct view_row *x = a, *y = b;
	int c = prefix_cmp(&x->address, &y->address);

	if (c == 0)
		c = (y->service != NULL) - (x->service != NULL);
	if (c == 0 && x->service)
		c = strcmp(x->service->meta.namespace, y->service->meta.namespace);
	if (c == 0 && x->service)
		c = strcmp(x->service->meta.name, y->service->meta.name);
	return c;
}

static struct view_row *append(struct view *view, size_t *room)
{
	if (view->n == *room) {
		*room = *room ? 2 * *room : 64;
		view->rows = xrealloc(view->rows, *room * sizeof(*view->rows));
	}
	return &view->rows[view->n++];
}

void view_init(struct view *view, const struct daemon *daemon)
{
	const struct k8s_object *service;
	const struct vip *vip;
	size_t room = 0;

	*view = (struct view){.daemon = daemon};
	vec_foreach (&daemon->cluster.services, service, i) {
		auto_free struct verdict *verdicts = NULL;
		size_t n = plan_service(daemon->config, &daemon->cluster, service, &verdicts);

		for (size_t j = 0; j < n; j++)
			*append(view, &room) =
				(struct view_row){verdicts[j].address, service, verdicts[j]};
	}
	vec_foreach (&daemon->announce.vips, vip, i)
		*append(view, &room) = (struct view_row){.address = vip->address};
	if (view->n)
		qsort(view->rows, view->n, sizeof(*view->rows), row_cmp);
}

void view_deinit(struct view *view)
{
	free(TAKE(view->rows));
	view->n = 0;
}

static void fill(const struct view *view, size_t at, size_t end, struct view_address *out)
{
	struct vip wanted = {.address = view->rows[at].address};

	*out = (struct view_address){
		.address = wanted.address,
		.vip = vec_find(&view->daemon->announce.vips, &wanted),
		.rows = &view->rows[at],
	};
	for (; at < end && view->rows[at].service; at++) {
		const struct view_row *row = &view->rows[at];

		out->n_rows++;
		if (!out->deciding || (reason_is_up(row->verdict.reason) &&
					      !reason_is_up(out->deciding->verdict.reason)))
			out->deciding = row;
	}
}

bool view_next(const struct view *view, size_t *at, struct view_address *out)
{
	size_t begin = *at, end;

	while (begin < view->n && !view->rows[begin].address.family)
		begin++;
	if (begin == view->n)
		return false;
	end = begin + 1;
	while (end < view->n &&
		prefix_cmp(&view->rows[begin].address, &view->rows[end].address) == 0)
		end++;
	fill(view, begin, end, out);
	*at = end;
	return true;
}

bool view_find(const struct view *view, const struct prefix *address, struct view_address *out)
{
	struct view_address found;

	for (size_t at = 0; view_next(view, &at, &found);) {
		if (prefix_cmp(&found.address, address) == 0) {
			*out = found;
			return true;
		}
	}
	return false;
}

enum vip_state view_state(const struct view_address *address)
{
	return address->vip ? vip_state(address->vip) : VIP_DOWN;
}
