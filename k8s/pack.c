/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects are read into a dozen allocations, and kept by the ten thousand. So each is moved into
 * one block once it is whole: half the memory, and freed at once.
 *
 * The hard idea is to lay it out twice by the same code: once to count, once to copy.
 */
#include "object.h"

#include <string.h>

struct block {
	char *at; /* NULL: only counting */
	size_t size;
};

static void *place(struct block *block, const void *from, size_t size, size_t align)
{
	void *to;

	block->size = (block->size + align - 1) / align * align;
	to = block->at ? block->at + block->size : NULL;
	if (to && size)
		memcpy(to, from, size);
	block->size += size;
	return to;
}

/* For all that is n times the same; NULL for none. */
#define PLACE(block, array, n) \
	((n) ? place(block, array, (n) * sizeof(*(array)), _Alignof(__typeof__(*(array)))) : NULL)

static char *place_text(struct block *block, const char *text)
{
	return text ? place(block, text, strlen(text) + 1, 1) : NULL;
}

static struct k8s_map place_map(struct block *block, const struct k8s_map *map)
{
	struct k8s_pair *pairs = PLACE(block, map->pairs, map->n);

	for (size_t i = 0; i < map->n; i++) {
		char *key = place_text(block, map->pairs[i].key);
		char *value = place_text(block, map->pairs[i].value);

		if (pairs)
			pairs[i] = (struct k8s_pair){key, value};
	}
	return (struct k8s_map){pairs, map->n};
}

static void place_meta(struct block *block, const struct k8s_meta *from, struct k8s_meta *to)
{
	to->labels = place_map(block, &from->labels);
	to->annotations = place_map(block, &from->annotations);
	to->namespace = place_text(block, from->namespace);
	to->name = place_text(block, from->name);
	to->uid = place_text(block, from->uid);
	to->resource_version = place_text(block, from->resource_version);
}

static void place_service(
	struct block *block, const struct k8s_service *from, struct k8s_service *to)
{
	to->selector = place_map(block, &from->selector);
	to->cluster_ips = PLACE(block, from->cluster_ips, from->n_cluster_ips);
	to->external_ips = PLACE(block, from->external_ips, from->n_external_ips);
	to->ingress = PLACE(block, from->ingress, from->n_ingress);
	to->load_balancer_class = place_text(block, from->load_balancer_class);
}

static void place_pod(struct block *block, const struct k8s_pod *from, struct k8s_pod *to)
{
	to->ips = PLACE(block, from->ips, from->n_ips);
	to->node = place_text(block, from->node);
	to->ready_reason = place_text(block, from->ready_reason);
}

static void place_node(struct block *block, const struct k8s_node *from, struct k8s_node *to)
{
	to->taints = PLACE(block, from->taints, from->n_taints);
	to->addresses = PLACE(block, from->addresses, from->n_addresses);
	to->pod_cidrs = PLACE(block, from->pod_cidrs, from->n_pod_cidrs);
	for (size_t i = 0; i < from->n_taints; i++) {
		char *key = place_text(block, from->taints[i].key);
		char *effect = place_text(block, from->taints[i].effect);

		if (to->taints)
			to->taints[i] = (struct k8s_taint){key, effect};
	}
}

static void place_slice(
	struct block *block, const struct k8s_endpointslice *from, struct k8s_endpointslice *to)
{
	to->endpoints = PLACE(block, from->endpoints, from->n_endpoints);
	for (size_t i = 0; i < from->n_endpoints; i++) {
		char *node = place_text(block, from->endpoints[i].node);

		if (to->endpoints)
			to->endpoints[i].node = node;
	}
	to->service = place_text(block, from->service);
}

static void lay_out(struct block *block, const struct k8s_object *from)
{
	struct k8s_object scratch = *from;
	struct k8s_object *to = place(block, from, sizeof(*from), _Alignof(struct k8s_object));

	if (!to)
		to = &scratch;
	switch (from->resource) {
	case K8S_SERVICES: place_service(block, &from->service, &to->service); break;
	case K8S_PODS: place_pod(block, &from->pod, &to->pod); break;
	case K8S_NODES: place_node(block, &from->node, &to->node); break;
	case K8S_ENDPOINTSLICES: place_slice(block, &from->slice, &to->slice); break;
	case K8S_ANNOUNCEMENTPOLICIES:
		to->policy.spec = place_text(block, from->policy.spec);
		break;
	case K8S_NAMESPACES:
	case K8S_N_RESOURCES: break;
	}
	place_meta(block, &from->meta, &to->meta);
}

struct k8s_object *object_pack(struct k8s_object *object)
{
	struct block block = {0};
	char *at;

	lay_out(&block, object);
	at = xmalloc(block.size);
	block = (struct block){.at = at};
	lay_out(&block, object);
	object_deinit(object);
	return (struct k8s_object *)(void *)at;
}
