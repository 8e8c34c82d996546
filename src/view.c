/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every address that any service has, with what is decided of it here.
 *
 * On a large cluster most services have no pod on this node, and their addresses would cost memory
 * for nothing but this. The decision is pure, so it can be had again whenever somebody looks. To
 * have it of 10,000 services at once would hold up the loop; so a view knows addresses and names
 * only, which stay true enough while it is gone through in many turns.
 */
#include "view.h"

#include <string.h>

#include "daemon.h"

struct view_entry {
	struct prefix address;
	char *namespace;  /* NULL: of no service, but announced from here */
	const char *name; /* behind it */
};

static int entry_cmp(const void *a, const void *b)
{
	const struct view_entry *x = a, *y = b;
	int c = prefix_cmp(&x->address, &y->address);

	if (c == 0)
		c = (y->namespace != NULL) - (x->namespace != NULL);
	if (c == 0 && x->namespace)
		c = strcmp(x->namespace, y->namespace);
	if (c == 0 && x->namespace)
		c = strcmp(x->name, y->name);
	return c;
}

static void append(struct view *view, size_t *room, const struct prefix *address,
	const struct k8s_object *service)
{
	struct view_entry *entry;

	if (view->n == *room) {
		*room = *room ? 2 * *room : 64;
		view->entries = xrealloc(view->entries, *room * sizeof(*view->entries));
	}
	entry = &view->entries[view->n++];
	*entry = (struct view_entry){.address = *address};
	if (!service)
		return;
	entry->namespace = xasprintf("%s%c%s", service->meta.namespace, '\0', service->meta.name);
	entry->name = entry->namespace + strlen(entry->namespace) + 1;
}

static void append_service(struct view *view, size_t *room, const struct k8s_object *object)
{
	const struct k8s_service *service = &object->service;

	for (size_t i = 0; i < service->n_cluster_ips; i++)
		append(view, room, &service->cluster_ips[i], object);
	for (size_t i = 0; i < service->n_ingress; i++)
		append(view, room, &service->ingress[i].address, object);
	for (size_t i = 0; i < service->n_external_ips; i++)
		append(view, room, &service->external_ips[i], object);
}

void view_init(struct view *view, const struct daemon *daemon)
{
	const struct k8s_object *service;
	const struct vip *vip;
	size_t room = 0;

	*view = (struct view){.daemon = daemon};
	vec_foreach (&daemon->cluster.services, service, i)
		append_service(view, &room, service);
	vec_foreach (&daemon->announce.vips, vip, i)
		append(view, &room, &vip->address, NULL);
	if (view->n)
		qsort(view->entries, view->n, sizeof(*view->entries), entry_cmp);
}

void view_deinit(struct view *view)
{
	for (size_t i = 0; i < view->n; i++)
		free(view->entries[i].namespace);
	free(TAKE(view->entries));
	view->n = 0;
}

/* What a service says now of the address, if it still has it. */
static void add_rows(
	const struct daemon *daemon, const struct k8s_object *service, struct view_address *out)
{
	auto_free struct verdict *verdicts = NULL;
	size_t n = plan_service(daemon->config, &daemon->cluster, service, &verdicts);

	for (size_t i = 0; i < n; i++) {
		if (prefix_cmp(&verdicts[i].address, &out->address) != 0)
			continue;
		out->rows = xrealloc(out->rows, (out->n_rows + 1) * sizeof(*out->rows));
		out->rows[out->n_rows++] = (struct view_row){service, verdicts[i]};
	}
}

static void choose(struct view_address *address)
{
	for (size_t i = 0; i < address->n_rows; i++) {
		const struct view_row *row = &address->rows[i];

		if (!address->deciding || (reason_is_up(row->verdict.reason) &&
						  !reason_is_up(address->deciding->verdict.reason)))
			address->deciding = row;
	}
}

/* Takes the entries of one address, and moves on to the next. false: nobody has it any more. */
static bool fill(const struct view *view, size_t *at, struct view_address *out)
{
	const struct daemon *daemon = view->daemon;
	const struct view_entry *first = &view->entries[*at];
	struct vip wanted = {.address = first->address};

	*out = (struct view_address){
		.address = first->address,
		.vip = vec_find(&daemon->announce.vips, &wanted),
	};
	for (; *at < view->n; ++*at) {
		const struct view_entry *entry = &view->entries[*at];
		const struct k8s_object *service = NULL;

		if (prefix_cmp(&entry->address, &first->address) != 0)
			break;
		/* A service may have an address twice, as one kind and another. */
		if (entry->namespace && (entry == first || entry_cmp(entry, entry - 1) != 0))
			service = cluster_service(&daemon->cluster, entry->namespace, entry->name);
		if (service)
			add_rows(daemon, service, out);
	}
	choose(out);
	return out->vip || out->n_rows;
}

bool view_next(const struct view *view, size_t *at, struct view_address *out)
{
	while (*at < view->n) {
		if (fill(view, at, out))
			return true;
	}
	return false;
}

bool view_find(const struct view *view, const struct prefix *address, struct view_address *out)
{
	size_t low = 0, high = view->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (prefix_cmp(&view->entries[middle].address, address) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < view->n && prefix_cmp(&view->entries[low].address, address) == 0 &&
	       fill(view, &low, out);
}

void view_address_deinit(struct view_address *address)
{
	free(TAKE(address->rows));
	address->n_rows = 0;
}

enum vip_state view_state(const struct view_address *address)
{
	return address->vip ? vip_state(address->vip) : VIP_DOWN;
}
