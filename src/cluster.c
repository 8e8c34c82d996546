/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of the cluster. The hard part: an event must cost what it touches, so each one
 * names the services whose outcome it can change, and no other is looked at again.
 *
 * A list replaces what its stream told before: objects that it told earlier and does not tell again
 * are gone. A list's beginning unmarks them, each one told is marked, and the list's end drops
 * those without a mark; a list that never ends drops nothing. Objects that were not known before
 * wait for the end, too: an API server lists in no order, and one by one each would move half of
 * those that are there; sorted, they come as cheap as they can.
 */
#include "cluster.h"

#include <string.h>

static int object_cmp(const void *a, const void *b)
{
	const struct k8s_object *x = a, *y = b;
	int c = strcmp(x->meta.namespace, y->meta.namespace);

	return c ? c : strcmp(x->meta.name, y->meta.name);
}

static int map_pair_cmp(const struct k8s_pair *a, const struct k8s_pair *b)
{
	int c = strcmp(a->key, b->key);

	return c ? c : strcmp(a->value, b->value);
}

/* A pod can match a service only if it has the selector's first pair: an index to begin with. */
static int pair_cmp(const void *a, const void *b)
{
	const struct k8s_object *x = a, *y = b;
	int c = strcmp(x->meta.namespace, y->meta.namespace);

	if (c == 0)
		c = map_pair_cmp(x->service.selector.pairs, y->service.selector.pairs);
	return c ? c : strcmp(x->meta.name, y->meta.name);
}

/* The other way round: of a service's pairs, the rarest leads to the fewest pods. */
static int labelled_cmp(const void *a, const void *b)
{
	const struct labelled *x = a, *y = b;
	int c = strcmp(x->pod->meta.namespace, y->pod->meta.namespace);

	if (c == 0)
		c = map_pair_cmp(x->label, y->label);
	return c ? c : strcmp(x->pod->meta.name, y->pod->meta.name);
}

/* Any author of a service may write another's cluster IP among the external IPs. */
static int nth_ip_cmp(const void *a, const void *b, size_t n)
{
	const struct k8s_object *x = a, *y = b;
	int c = prefix_cmp(&x->service.cluster_ips[n], &y->service.cluster_ips[n]);

	return c ? c : object_cmp(x, y);
}

static int ip_cmp(const void *a, const void *b)
{
	return nth_ip_cmp(a, b, 0);
}

static int second_ip_cmp(const void *a, const void *b)
{
	return nth_ip_cmp(a, b, 1);
}

static int claimed_cmp(const void *a, const void *b)
{
	const struct claimed *x = a, *y = b;
	int c = prefix_cmp(x->address, y->address);

	return c ? c : object_cmp(x->service, y->service);
}

static int slice_cmp(const void *a, const void *b)
{
	const struct k8s_object *x = a, *y = b;
	int c = strcmp(x->meta.namespace, y->meta.namespace);

	if (c == 0)
		c = strcmp(x->slice.service, y->slice.service);
	return c ? c : strcmp(x->meta.name, y->meta.name);
}

struct listed {
	unsigned stream;
	unsigned selection;
};

static int listed_cmp(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;

	return (x->stream > y->stream) - (x->stream < y->stream);
}

static void object_destroy(void *item)
{
	k8s_object_free(item);
}

/* A list that has not ended, with the objects in it that are new. */
struct list {
	unsigned stream;
	struct vec objects; /* as they came */
};

static int list_cmp(const void *a, const void *b)
{
	const struct list *x = a, *y = b;

	return (x->stream > y->stream) - (x->stream < y->stream);
}

static void list_destroy(void *item)
{
	struct list *list = item;

	vec_deinit(&list->objects, object_destroy);
	free(list);
}

void cluster_init(struct cluster *cluster,
	void (*changed)(void *data, const char *namespace, const char *name), void *data)
{
	*cluster = (struct cluster){.changed = changed, .data = data};
	vec_init(&cluster->services, object_cmp);
	vec_init(&cluster->by_pair, pair_cmp);
	vec_init(&cluster->by_ip[0], ip_cmp);
	vec_init(&cluster->by_ip[1], second_ip_cmp);
	vec_init(&cluster->by_external, claimed_cmp);
	vec_init(&cluster->pods, object_cmp);
	vec_init(&cluster->by_label, labelled_cmp);
	vec_init(&cluster->slices, object_cmp);
	vec_init(&cluster->by_service, slice_cmp);
	vec_init(&cluster->nodes, object_cmp);
	vec_init(&cluster->namespaces, object_cmp);
	vec_init(&cluster->policies, object_cmp);
	vec_init(&cluster->lists, list_cmp);
	vec_init(&cluster->listed, listed_cmp);
}

void cluster_deinit(struct cluster *cluster)
{
	vec_deinit(&cluster->lists, list_destroy);
	vec_deinit(&cluster->by_pair, NULL);
	vec_deinit(&cluster->by_ip[0], NULL);
	vec_deinit(&cluster->by_ip[1], NULL);
	vec_deinit(&cluster->by_external, free);
	vec_deinit(&cluster->by_label, free);
	vec_deinit(&cluster->by_service, NULL);
	vec_deinit(&cluster->listed, free);
	vec_deinit(&cluster->services, object_destroy);
	vec_deinit(&cluster->pods, object_destroy);
	vec_deinit(&cluster->slices, object_destroy);
	vec_deinit(&cluster->nodes, object_destroy);
	vec_deinit(&cluster->namespaces, object_destroy);
	vec_deinit(&cluster->policies, object_destroy);
}

static struct vec *objects_of(struct cluster *cluster, enum k8s_resource resource)
{
	switch (resource) {
	case K8S_SERVICES: return &cluster->services;
	case K8S_PODS: return &cluster->pods;
	case K8S_NODES: return &cluster->nodes;
	case K8S_ENDPOINTSLICES: return &cluster->slices;
	case K8S_NAMESPACES: return &cluster->namespaces;
	case K8S_ANNOUNCEMENTPOLICIES: return &cluster->policies;
	case K8S_N_RESOURCES: break;
	}
	abort();
}

/* The objects of one namespace: items[*out_first] up to, but without, the returned index. */
static size_t namespace_range(const struct vec *objects, const char *namespace, size_t *out_first)
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
			map_pair_cmp(pair, label) != 0)
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

/* Whoever claims one of its cluster IPs as an external IP. */
static void touch_by_ips(struct cluster *cluster, const struct k8s_object *object)
{
	static char first[] = "";
	struct k8s_object none = {.meta = {.namespace = first, .name = first}};

	for (size_t i = 0; cluster->by_external.n && i < object->service.n_cluster_ips; i++) {
		const struct prefix *address = &object->service.cluster_ips[i];
		struct claimed wanted = {&none, address};
		size_t at = vec_lower(&cluster->by_external, &wanted, NULL);

		for (; at < cluster->by_external.n; at++) {
			const struct claimed *claimed = cluster->by_external.items[at];
			const struct k8s_meta *meta = &claimed->service->meta;

			if (prefix_cmp(claimed->address, address) != 0)
				break;
			cluster->changed(cluster->data, meta->namespace, meta->name);
		}
	}
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
		touch_by_ips(cluster, object);
		break;
	case K8S_PODS: touch_by_pod(cluster, object); break;
	case K8S_ENDPOINTSLICES:
		cluster->changed(cluster->data, object->meta.namespace, object->slice.service);
		break;
	case K8S_NODES: touch_services(cluster, 0, cluster->services.n); break;
	case K8S_NAMESPACES:
		end = namespace_range(&cluster->services, object->meta.name, &first);
		touch_services(cluster, first, end);
		break;
	case K8S_ANNOUNCEMENTPOLICIES: cluster->policies_revision++; break;
	case K8S_N_RESOURCES: break;
	}
}

static bool prefixes_equal(const struct prefix *a, size_t n_a, const struct prefix *b, size_t n_b)
{
	return n_a == n_b && (!n_a || !memcmp(a, b, n_a * sizeof(*a)));
}

/* A pod's heartbeat changes its resourceVersion and nothing that matters here. */
static bool pods_equal(const struct k8s_object *a, const struct k8s_object *b)
{
	const struct k8s_pod *x = &a->pod, *y = &b->pod;

	return x->phase == y->phase && x->ready == y->ready &&
	       !strcmp(x->ready_reason ? x->ready_reason : "",
		       y->ready_reason ? y->ready_reason : "") &&
	       prefixes_equal(x->ips, x->n_ips, y->ips, y->n_ips) &&
	       a->meta.deleting == b->meta.deleting && !strcmp(a->meta.uid, b->meta.uid);
}

static bool maps_equal(const struct k8s_map *a, const struct k8s_map *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (map_pair_cmp(&a->pairs[i], &b->pairs[i]) != 0)
			return false;
	}
	return true;
}

static bool specs_equal(const struct k8s_object *a, const struct k8s_object *b)
{
	const char *x = a->policy.spec, *y = b->policy.spec;

	return x && y ? !strcmp(x, y) : x == y;
}

static bool taints_equal(const struct k8s_node *a, const struct k8s_node *b)
{
	if (a->n_taints != b->n_taints)
		return false;
	for (size_t i = 0; i < a->n_taints; i++) {
		if (strcmp(a->taints[i].key, b->taints[i].key) != 0)
			return false;
	}
	return true;
}

/* The kubelet writes the node's status every few minutes; every service hangs on the node. */
static bool nodes_equal(const struct k8s_object *a, const struct k8s_object *b)
{
	const struct k8s_node *x = &a->node, *y = &b->node;

	return x->unschedulable == y->unschedulable && x->ready == y->ready &&
	       x->network_unavailable == y->network_unavailable &&
	       x->shutting_down == y->shutting_down && taints_equal(x, y) &&
	       prefixes_equal(x->addresses, x->n_addresses, y->addresses, y->n_addresses) &&
	       prefixes_equal(x->pod_cidrs, x->n_pod_cidrs, y->pod_cidrs, y->n_pod_cidrs) &&
	       a->meta.deleting == b->meta.deleting &&
	       maps_equal(&a->meta.labels, &b->meta.labels) &&
	       maps_equal(&a->meta.annotations, &b->meta.annotations);
}

/* Nothing has changed that matters here. Of a namespace, that it is selected is all there is. */
static bool is_quiet(const struct k8s_object *old, const struct k8s_object *object)
{
	if (object->resource == K8S_PODS)
		return pods_equal(old, object) &&
		       maps_equal(&old->meta.labels, &object->meta.labels);
	if (object->resource == K8S_ANNOUNCEMENTPOLICIES)
		return specs_equal(old, object);
	if (object->resource == K8S_NODES)
		return nodes_equal(old, object);
	return object->resource == K8S_NAMESPACES;
}

/* The index that an object has to be in besides; NULL: none, or those that have many entries of it.
 */
static struct vec *index_of(struct cluster *cluster, const struct k8s_object *object)
{
	if (object->resource == K8S_ENDPOINTSLICES)
		return &cluster->by_service;
	return object->resource == K8S_SERVICES && object->service.selector.n ? &cluster->by_pair
									      : NULL;
}

static void add_labels(struct cluster *cluster, const struct k8s_object *pod)
{
	for (size_t i = 0; i < pod->meta.labels.n; i++) {
		const struct labelled labelled = {pod, &pod->meta.labels.pairs[i]};

		vec_insert(&cluster->by_label, xmemdup(&labelled, sizeof(labelled)));
	}
}

static void remove_labels(struct cluster *cluster, const struct k8s_object *pod)
{
	for (size_t i = 0; i < pod->meta.labels.n; i++) {
		const struct labelled wanted = {pod, &pod->meta.labels.pairs[i]};

		free(vec_remove(&cluster->by_label, &wanted));
	}
}

/* There are two at most; a manifest that has more is no service that an API server would take. */
static size_t count_ips(const struct k8s_object *object)
{
	return object->resource == K8S_SERVICES ? MIN(object->service.n_cluster_ips, 2u) : 0;
}

static bool is_before(const struct k8s_service *service, size_t i)
{
	for (size_t j = 0; j < i; j++) {
		if (!prefix_cmp(&service->external_ips[j], &service->external_ips[i]))
			return true;
	}
	return false;
}

/* One for each of its external IPs, which may be written twice. */
static void append_claims(const struct k8s_object *object, struct vec *out)
{
	const struct k8s_service *service = &object->service;

	if (object->resource != K8S_SERVICES)
		return;
	for (size_t i = 0; i < service->n_external_ips; i++) {
		const struct claimed claimed = {object, &service->external_ips[i]};

		if (!is_before(service, i))
			vec_append(out, xmemdup(&claimed, sizeof(claimed)));
	}
}

static void add_claims(struct cluster *cluster, const struct k8s_object *object)
{
	struct vec claims = VEC_INIT(NULL);
	struct claimed *claimed;

	append_claims(object, &claims);
	vec_foreach (&claims, claimed, i)
		vec_insert(&cluster->by_external, claimed);
	vec_deinit(&claims, NULL);
}

static void remove_claims(struct cluster *cluster, const struct k8s_object *object)
{
	if (object->resource != K8S_SERVICES)
		return;
	for (size_t i = 0; i < object->service.n_external_ips; i++) {
		const struct claimed wanted = {object, &object->service.external_ips[i]};

		free(vec_remove(&cluster->by_external, &wanted));
	}
}

/* Of those below, NULL stands for an object that is not, or not any more. */

static struct vec *ip_index_of(struct cluster *cluster, const struct k8s_object *object, size_t n)
{
	if (!object || n >= count_ips(object))
		return NULL;
	return &cluster->by_ip[n];
}

/* The same place in the index, if what it goes by is the same. */
static void move(
	struct vec *from, const struct k8s_object *old, struct vec *to, struct k8s_object *object)
{
	if (from && from == to && from->cmp(old, object) == 0) {
		from->items[vec_lower(from, old, NULL)] = object;
		return;
	}
	if (from)
		vec_remove(from, old);
	if (to)
		vec_insert(to, object);
}

static void reindex(
	struct cluster *cluster, const struct k8s_object *old, struct k8s_object *object)
{
	move(old ? index_of(cluster, old) : NULL, old, object ? index_of(cluster, object) : NULL,
		object);
	for (size_t i = 0; cluster->ips_indexed && i < 2; i++)
		move(ip_index_of(cluster, old, i), old, ip_index_of(cluster, object, i), object);
	if (old && old->resource == K8S_PODS)
		remove_labels(cluster, old);
	if (object && object->resource == K8S_PODS)
		add_labels(cluster, object);
	if (old)
		remove_claims(cluster, old);
	if (object)
		add_claims(cluster, object);
}

static int ip_ref_cmp(const void *a, const void *b)
{
	return ip_cmp(*(void *const *)a, *(void *const *)b);
}

static int second_ip_ref_cmp(const void *a, const void *b)
{
	return second_ip_cmp(*(void *const *)a, *(void *const *)b);
}

/* Puts them in by their order, which for most of them is at the end. */
static void insert_sorted(
	struct vec *items, struct vec *index, int (*ref_cmp)(const void *, const void *))
{
	void *item;

	if (items->n) /* qsort() wants an address even for nothing */
		qsort(items->items, items->n, sizeof(void *), ref_cmp);
	vec_foreach (items, item, i)
		vec_insert(index, item);
}

static void index_ips(struct cluster *cluster, const struct vec *objects, size_t n,
	int (*ref_cmp)(const void *, const void *))
{
	struct vec sorted = VEC_INIT(NULL);
	struct k8s_object *object;

	vec_foreach (objects, object, i) {
		if (n < count_ips(object))
			vec_append(&sorted, object);
	}
	insert_sorted(&sorted, &cluster->by_ip[n], ref_cmp);
	vec_deinit(&sorted, NULL);
}

/*
 * Who has an address is asked only of external IPs, so for a cluster without any there is no index.
 * To be called when the services are complete again.
 */
static void settle_ips(struct cluster *cluster)
{
	bool wanted = cluster->by_external.n > 0;

	if (wanted && !cluster->ips_indexed) {
		index_ips(cluster, &cluster->services, 0, ip_ref_cmp);
		index_ips(cluster, &cluster->services, 1, second_ip_ref_cmp);
	} else if (!wanted && cluster->ips_indexed) {
		vec_deinit(&cluster->by_ip[0], NULL);
		vec_deinit(&cluster->by_ip[1], NULL);
	}
	cluster->ips_indexed = wanted;
}

static void drop(struct cluster *cluster, struct vec *objects, size_t index)
{
	struct k8s_object *object = vec_remove_at(objects, index);

	reindex(cluster, object, NULL);
	settle_ips(cluster);
	touch(cluster, object);
	k8s_object_free(object);
}

static void replace(
	struct cluster *cluster, struct vec *objects, size_t at, struct k8s_object *object)
{
	struct k8s_object *old = objects->items[at];
	bool quiet = is_quiet(old, object);

	reindex(cluster, old, object);
	if (!quiet)
		touch(cluster, old);
	objects->items[at] = object;
	if (!quiet)
		touch(cluster, object);
	k8s_object_free(old);
}

static void put(struct cluster *cluster, struct k8s_object *object)
{
	struct vec *objects = objects_of(cluster, object->resource);
	struct list *list = vec_find(&cluster->lists, &(struct list){.stream = object->stream});
	bool found;
	size_t at = vec_lower(objects, object, &found);

	object->listed = true;
	if (found) {
		replace(cluster, objects, at, object);
		settle_ips(cluster);
	} else if (list) {
		vec_append(&list->objects, object);
	} else {
		vec_insert(objects, object);
		reindex(cluster, NULL, object);
		settle_ips(cluster);
		touch(cluster, object);
	}
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

static void begin_list(struct cluster *cluster, unsigned stream)
{
	struct list *list = vec_find(&cluster->lists, &(struct list){.stream = stream});

	if (list) { /* it was begun before, and broke off */
		vec_clear(&list->objects, object_destroy);
	} else {
		list = xcalloc(1, sizeof(*list));
		list->stream = stream;
		vec_insert(&cluster->lists, list);
	}
	walk_stream(cluster, stream, false);
}

/* One of a list's new objects, and its place in the order of their coming. */
struct arrival {
	struct k8s_object *object;
	size_t at;
};

static int arrival_cmp(const void *a, const void *b)
{
	const struct arrival *x = a, *y = b;
	int c = (x->object->resource > y->object->resource) -
		(x->object->resource < y->object->resource);

	if (c == 0)
		c = object_cmp(x->object, y->object);
	return c ? c : (x->at > y->at) - (x->at < y->at);
}

/* Sorts the arrivals into *out; of those that came twice, the last counts. */
static void sort_arrivals(const struct vec *objects, struct vec *out)
{
	auto_free struct arrival *arrivals = xcalloc(objects->n + 1, sizeof(*arrivals));

	for (size_t i = 0; i < objects->n; i++)
		arrivals[i] = (struct arrival){objects->items[i], i};
	qsort(arrivals, objects->n, sizeof(*arrivals), arrival_cmp);
	for (size_t i = 0; i < objects->n; i++) {
		struct k8s_object *object = arrivals[i].object;
		struct k8s_object *last = out->n ? out->items[out->n - 1] : NULL;

		if (last && last->resource == object->resource && object_cmp(last, object) == 0)
			k8s_object_free(vec_remove_at(out, out->n - 1));
		vec_append(out, object);
	}
}

static int pair_ref_cmp(const void *a, const void *b)
{
	return pair_cmp(*(void *const *)a, *(void *const *)b);
}

static int claimed_ref_cmp(const void *a, const void *b)
{
	return claimed_cmp(*(void *const *)a, *(void *const *)b);
}

static int slice_ref_cmp(const void *a, const void *b)
{
	return slice_cmp(*(void *const *)a, *(void *const *)b);
}

static int labelled_ref_cmp(const void *a, const void *b)
{
	return labelled_cmp(*(void *const *)a, *(void *const *)b);
}

/* Those that belong into this index. */
static void index_all(struct cluster *cluster, const struct vec *objects, struct vec *index,
	int (*ref_cmp)(const void *, const void *))
{
	struct vec sorted = VEC_INIT(NULL);
	struct k8s_object *object;

	vec_foreach (objects, object, i) {
		if (index_of(cluster, object) == index)
			vec_append(&sorted, object);
	}
	insert_sorted(&sorted, index, ref_cmp);
	vec_deinit(&sorted, NULL);
}

static void index_claims(struct cluster *cluster, const struct vec *objects)
{
	struct vec sorted = VEC_INIT(NULL);
	const struct k8s_object *object;

	vec_foreach (objects, object, i)
		append_claims(object, &sorted);
	insert_sorted(&sorted, &cluster->by_external, claimed_ref_cmp);
	vec_deinit(&sorted, NULL);
}

static void index_labels(struct cluster *cluster, const struct vec *objects)
{
	struct vec sorted = VEC_INIT(NULL);
	const struct k8s_object *object;

	vec_foreach (objects, object, i) {
		for (size_t j = 0; object->resource == K8S_PODS && j < object->meta.labels.n; j++) {
			const struct labelled labelled = {object, &object->meta.labels.pairs[j]};

			vec_append(&sorted, xmemdup(&labelled, sizeof(labelled)));
		}
	}
	insert_sorted(&sorted, &cluster->by_label, labelled_ref_cmp);
	vec_deinit(&sorted, NULL);
}

/* Takes in what is new. Sorted, it goes to the end of each vector, mostly. */
static void add_all(struct cluster *cluster, struct vec *objects)
{
	struct vec sorted = VEC_INIT(NULL), added = VEC_INIT(NULL);
	struct k8s_object *object;

	sort_arrivals(objects, &sorted);
	vec_clear(objects, NULL);
	vec_foreach (&sorted, object, i) {
		struct vec *known = objects_of(cluster, object->resource);
		bool found;
		size_t at = vec_lower(known, object, &found);

		if (found) { /* another stream has told of it meanwhile */
			replace(cluster, known, at, object);
		} else {
			vec_insert(known, object);
			vec_append(&added, object);
		}
	}
	index_all(cluster, &added, &cluster->by_pair, pair_ref_cmp);
	index_all(cluster, &added, &cluster->by_service, slice_ref_cmp);
	if (cluster->ips_indexed) {
		index_ips(cluster, &added, 0, ip_ref_cmp);
		index_ips(cluster, &added, 1, second_ip_ref_cmp);
	}
	index_claims(cluster, &added);
	settle_ips(cluster);
	index_labels(cluster, &added);
	vec_foreach (&added, object, i)
		touch(cluster, object);
	vec_deinit(&sorted, NULL);
	vec_deinit(&added, NULL);
}

static void end_list(struct cluster *cluster, unsigned stream)
{
	struct list *list = vec_remove(&cluster->lists, &(struct list){.stream = stream});

	if (list) {
		add_all(cluster, &list->objects);
		list_destroy(list);
	}
	walk_stream(cluster, stream, true);
}

static void note_listed(struct cluster *cluster, const struct k8s_event *event)
{
	struct listed wanted = {event->stream, event->selection};
	struct listed *listed = vec_find(&cluster->listed, &wanted);

	if (!event->selection)
		return; /* it is always asked for the same */
	if (!listed) {
		listed = xmemdup(&wanted, sizeof(wanted));
		vec_insert(&cluster->listed, listed);
	}
	listed->selection = event->selection;
}

bool cluster_is_listed(const struct cluster *cluster, unsigned stream, unsigned selection)
{
	struct listed wanted = {.stream = stream};
	const struct listed *listed = vec_find(&cluster->listed, &wanted);

	return listed && listed->selection == selection;
}

void cluster_take(struct cluster *cluster, struct k8s_event *event)
{
	struct vec *objects;
	struct k8s_object *known;
	bool found;
	size_t at;

	switch (event->type) {
	case K8S_EVENT_LIST_BEGIN: begin_list(cluster, event->stream); break;
	case K8S_EVENT_LIST_END:
		end_list(cluster, event->stream);
		note_listed(cluster, event);
		break;
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

const struct k8s_object *cluster_namespace(const struct cluster *cluster, const char *name)
{
	return find(&cluster->namespaces, "", name);
}

const struct k8s_object *cluster_policy(const struct cluster *cluster, const char *name)
{
	return find(&cluster->policies, "", name);
}

bool cluster_knows_slices(const struct cluster *cluster, const struct k8s_object *service)
{
	return !cluster->knows_slices || cluster->knows_slices(cluster->knows_slices_data,
						 service->meta.namespace, service->meta.name);
}

/* The pods of a namespace that have this label, as cluster_pods() gives them. */
static size_t label_range(const struct cluster *cluster, char *namespace,
	const struct k8s_pair *label, size_t *out_first)
{
	char none[] = "", beyond[] = "\x7f"; /* any name */
	struct k8s_object pod = {.meta = {.namespace = namespace, .name = none}};
	const struct labelled wanted = {&pod, label};

	*out_first = vec_lower(&cluster->by_label, &wanted, NULL);
	pod.meta.name = beyond;
	return vec_lower(&cluster->by_label, &wanted, NULL);
}

size_t cluster_pods(
	const struct cluster *cluster, const struct k8s_object *service, size_t *out_first)
{
	const struct k8s_map *selector = &service->service.selector;
	size_t best = 0;

	*out_first = 0;
	for (size_t i = 0; i < selector->n; i++) {
		size_t first;
		size_t end =
			label_range(cluster, service->meta.namespace, &selector->pairs[i], &first);

		if (i == 0 || end - first < best - *out_first) {
			*out_first = first;
			best = end;
		}
	}
	return best;
}

size_t cluster_slices(
	const struct cluster *cluster, const struct k8s_object *service, size_t *out_first)
{
	static char first[] = "";
	struct k8s_object wanted = {
		.meta = {.namespace = service->meta.namespace, .name = first},
		.slice = {.service = service->meta.name},
	};
	size_t end = vec_lower(&cluster->by_service, &wanted, NULL);

	*out_first = end;
	for (; end < cluster->by_service.n; end++) {
		const struct k8s_object *slice = cluster->by_service.items[end];

		if (strcmp(slice->meta.namespace, service->meta.namespace) != 0 ||
			strcmp(slice->slice.service, service->meta.name) != 0)
			break;
	}
	return end;
}

static const struct k8s_object *find_ip(const struct cluster *cluster, size_t n,
	struct k8s_object *wanted, const struct k8s_object *other_than)
{
	const struct vec *by_ip = &cluster->by_ip[n];

	for (size_t i = vec_lower(by_ip, wanted, NULL); i < by_ip->n; i++) {
		const struct k8s_object *object = by_ip->items[i];

		if (prefix_cmp(&object->service.cluster_ips[n], &wanted->service.cluster_ips[n]))
			return NULL;
		if (object != other_than)
			return object;
	}
	return NULL;
}

const struct k8s_object *cluster_ip_of(const struct cluster *cluster, const struct prefix *address,
	const struct k8s_object *other_than)
{
	static char first[] = "";
	struct prefix ips[] = {*address, *address};
	struct k8s_object wanted = {
		.meta = {.namespace = first, .name = first},
		.service = {.cluster_ips = ips, .n_cluster_ips = 2},
	};
	const struct k8s_object *found = find_ip(cluster, 0, &wanted, other_than);

	return found ? found : find_ip(cluster, 1, &wanted, other_than);
}

const struct k8s_object *cluster_node(const struct cluster *cluster)
{
	return cluster->nodes.n ? cluster->nodes.items[0] : NULL;
}
