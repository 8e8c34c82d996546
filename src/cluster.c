/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of the cluster. The hard part: an event must cost what it touches, so each one
 * names the services whose outcome it can change, and no other is looked at again.
 *
 * A list replaces what its stream told before: objects that it told earlier and does not tell again
 * are gone. A list's beginning unmarks them, each one told is marked, and the list's end drops
 * those without a mark; a list that never ends drops nothing.
 */
#include "cluster.h"

#include <string.h>

static int object_cmp(const void *a, const void *b)
{
	const struct k8s_object *x = a, *y = b;
	int c = strcmp(x->meta.namespace, y->meta.namespace);

	return c ? c : strcmp(x->meta.name, y->meta.name);
}

/* A pod can match a service only if it has the selector's first pair: an index to begin with. */
static int pair_cmp(const void *a, const void *b)
{
	const struct k8s_object *x = a, *y = b;
	const struct k8s_pair *p = x->service.selector.pairs, *q = y->service.selector.pairs;
	int c = strcmp(x->meta.namespace, y->meta.namespace);

	if (c == 0)
		c = strcmp(p->key, q->key);
	if (c == 0)
		c = strcmp(p->value, q->value);
	return c ? c : strcmp(x->meta.name, y->meta.name);
}

static void object_destroy(void *item)
{
	k8s_object_free(item);
}

void cluster_init(struct cluster *cluster,
	void (*changed)(void *data, const char *namespace, const char *name), void *data)
{
	*cluster = (struct cluster){.changed = changed, .data = data};
	vec_init(&cluster->services, object_cmp);
	vec_init(&cluster->by_pair, pair_cmp);
	vec_init(&cluster->pods, object_cmp);
	vec_init(&cluster->slices, object_cmp);
	vec_init(&cluster->nodes, object_cmp);
	vec_init(&cluster->namespaces, object_cmp);
}

void cluster_deinit(struct cluster *cluster)
{
	vec_deinit(&cluster->by_pair, NULL);
	vec_deinit(&cluster->services, object_destroy);
	vec_deinit(&cluster->pods, object_destroy);
	vec_deinit(&cluster->slices, object_destroy);
	vec_deinit(&cluster->nodes, object_destroy);
	vec_deinit(&cluster->namespaces, object_destroy);
}

static struct vec *objects_of(struct cluster *cluster, enum k8s_resource resource)
{
	switch (resource) {
	case K8S_SERVICES: return &cluster->services;
	case K8S_PODS: return &cluster->pods;
	case K8S_NODES: return &cluster->nodes;
	case K8S_ENDPOINTSLICES: return &cluster->slices;
	case K8S_NAMESPACES: return &cluster->namespaces;
	case K8S_N_RESOURCES: break;
	}
	abort();
}

size_t cluster_namespace(const struct vec *objects, const char *namespace, size_t *out_first)
{
	size_t low = 0, end = objects->n;

	while (low < end) {
		size_t middle = low + (end - low) / 2;
		const struct k8s_object *object = objects->items[middle];

		if (strcmp(object->meta.namespace, namespace) < 0)
			low = middle + 1;
		else
			end = middle;
	}
	*out_first = low;
	while (end < objects->n) {
		const struct k8s_object *object = objects->items[end];

		if (strcmp(object->meta.namespace, namespace) != 0)
			break;
		end++;
	}
	return end;
}

/* Tells which services an object touches; before and after a change alike. */
static void touch_by_label(
	struct cluster *cluster, const struct k8s_object *pod, struct k8s_pair *label)
{
	static char first[] = "";
	struct k8s_object wanted = {
		.meta = {.namespace = pod->meta.namespace, .name = first},
		.service = {.selector = {label, 1}},
	};

	for (size_t i = vec_lower(&cluster->by_pair, &wanted, NULL); i < cluster->by_pair.n; i++) {
		const struct k8s_object *service = cluster->by_pair.items[i];
		const struct k8s_pair *pair = service->service.selector.pairs;

		if (strcmp(service->meta.namespace, pod->meta.namespace) != 0 ||
			strcmp(pair->key, label->key) != 0 ||
			strcmp(pair->value, label->value) != 0)
			break;
		if (k8s_selects(&service->service.selector, &pod->meta.labels))
			cluster->changed(
				cluster->data, service->meta.namespace, service->meta.name);
	}
}

static void touch_by_pod(struct cluster *cluster, const struct k8s_object *pod)
{
	for (size_t i = 0; i < pod->meta.labels.n; i++)
		touch_by_label(cluster, pod, &pod->meta.labels.pairs[i]);
}

static void touch_services(struct cluster *cluster, size_t first, size_t end)
{
	for (size_t i = first; i < end; i++) {
		const struct k8s_object *service = cluster->services.items[i];

		cluster->changed(cluster->data, service->meta.namespace, service->meta.name);
	}
}

static void touch(struct cluster *cluster, const struct k8s_object *object)
{
	size_t first, end;

	switch (object->resource) {
	case K8S_SERVICES:
		cluster->changed(cluster->data, object->meta.namespace, object->meta.name);
		break;
	case K8S_PODS: touch_by_pod(cluster, object); break;
	case K8S_ENDPOINTSLICES:
		cluster->changed(cluster->data, object->meta.namespace, object->slice.service);
		break;
	case K8S_NODES: touch_services(cluster, 0, cluster->services.n); break;
	case K8S_NAMESPACES:
		end = cluster_namespace(&cluster->services, object->meta.name, &first);
		touch_services(cluster, first, end);
		break;
	case K8S_N_RESOURCES: break;
	}
}

/* A pod's heartbeat changes its resourceVersion and nothing that matters here. */
static bool pods_equal(const struct k8s_object *a, const struct k8s_object *b)
{
	const struct k8s_pod *x = &a->pod, *y = &b->pod;

	return x->phase == y->phase && x->ready == y->ready &&
	       !strcmp(x->ready_reason ? x->ready_reason : "",
		       y->ready_reason ? y->ready_reason : "") &&
	       x->n_ips == y->n_ips &&
	       (!x->n_ips || !memcmp(x->ips, y->ips, x->n_ips * sizeof(*x->ips))) &&
	       a->meta.deleting == b->meta.deleting && !strcmp(a->meta.uid, b->meta.uid);
}

static bool maps_equal(const struct k8s_map *a, const struct k8s_map *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (strcmp(a->pairs[i].key, b->pairs[i].key) != 0 ||
			strcmp(a->pairs[i].value, b->pairs[i].value) != 0)
			return false;
	}
	return true;
}

/* Nothing has changed that matters here. Of a namespace, that it is selected is all there is. */
static bool is_quiet(const struct k8s_object *old, const struct k8s_object *object)
{
	if (object->resource == K8S_PODS)
		return pods_equal(old, object) &&
		       maps_equal(&old->meta.labels, &object->meta.labels);
	return object->resource == K8S_NAMESPACES;
}

static bool is_indexed(const struct k8s_object *object)
{
	return object->resource == K8S_SERVICES && object->service.selector.n;
}

static void drop(struct cluster *cluster, struct vec *objects, size_t index)
{
	struct k8s_object *object = vec_remove_at(objects, index);

	if (is_indexed(object))
		vec_remove(&cluster->by_pair, object);
	touch(cluster, object);
	k8s_object_free(object);
}

static void put(struct cluster *cluster, struct k8s_object *object)
{
	struct vec *objects = objects_of(cluster, object->resource);
	bool found, quiet = false;
	size_t at = vec_lower(objects, object, &found);

	if (found) {
		struct k8s_object *old = objects->items[at];

		if (is_indexed(old))
			vec_remove(&cluster->by_pair, old);
		quiet = is_quiet(old, object);
		if (!quiet)
			touch(cluster, old);
		objects->items[at] = object;
		k8s_object_free(old);
	} else {
		vec_insert(objects, object);
	}
	if (is_indexed(object))
		vec_insert(&cluster->by_pair, object);
	object->listed = true;
	if (!quiet)
		touch(cluster, object);
}

/* Forgets what this stream's earlier lists have told, or drops what this one did not tell. */
static void walk_stream(struct cluster *cluster, unsigned stream, bool sweep)
{
	for (int resource = 0; resource < K8S_N_RESOURCES; resource++) {
		struct vec *objects = objects_of(cluster, (enum k8s_resource)resource);

		for (size_t i = objects->n; i-- > 0;) {
			struct k8s_object *object = objects->items[i];

			if (object->stream != stream)
				continue;
			if (!sweep)
				object->listed = false;
			else if (!object->listed)
				drop(cluster, objects, i);
		}
	}
}

void cluster_take(struct cluster *cluster, struct k8s_event *event)
{
	struct vec *objects;
	struct k8s_object *known;
	bool found;
	size_t at;

	switch (event->type) {
	case K8S_EVENT_LIST_BEGIN: walk_stream(cluster, event->stream, false); break;
	case K8S_EVENT_LIST_END: walk_stream(cluster, event->stream, true); break;
	case K8S_EVENT_OBJECT: put(cluster, TAKE(event->object)); break;
	case K8S_EVENT_DELETED:
		objects = objects_of(cluster, event->object->resource);
		at = vec_lower(objects, event->object, &found);
		known = found ? objects->items[at] : NULL;
		if (known && known->stream == event->stream)
			drop(cluster, objects, at);
		break;
	case K8S_EVENT_SYNCED:
	case K8S_EVENT_UP:
	case K8S_EVENT_DOWN:
	case K8S_EVENT_PROBLEM: break;
	}
}

static const struct k8s_object *find(
	const struct vec *objects, const char *namespace, const char *name)
{
	auto_free char *ns = xstrdup(namespace);
	auto_free char *n = xstrdup(name);
	struct k8s_object wanted = {.meta = {.namespace = ns, .name = n}};

	return vec_find(objects, &wanted);
}

const struct k8s_object *cluster_service(
	const struct cluster *cluster, const char *namespace, const char *name)
{
	return find(&cluster->services, namespace, name);
}

bool cluster_has_namespace(const struct cluster *cluster, const char *name)
{
	return find(&cluster->namespaces, "", name) != NULL;
}

const struct k8s_object *cluster_node(const struct cluster *cluster)
{
	return cluster->nodes.n ? cluster->nodes.items[0] : NULL;
}
