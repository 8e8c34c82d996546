/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of the cluster: the objects as the source last told them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cosmolet/k8s.h>
#include <cosmolet/vec.h>

struct cluster {
	struct vec services; /* struct k8s_object, by namespace and name; so are the others */
	struct vec by_pair;  /* the services with a selector, by namespace and its first pair */
	struct vec pods;     /* of this node */
	struct vec slices;
	struct vec nodes;      /* this node, or nothing */
	struct vec namespaces; /* those that services.namespace_selector selects */
	struct vec lists;      /* that have not ended */
	const char *drained;   /* why this node announces nothing, in words; NULL: it may */
	/* Called for each service whose outcome may have changed; it may be gone by now. */
	void (*changed)(void *data, const char *namespace, const char *name);
	void *data;
};

void cluster_init(struct cluster *cluster,
	void (*changed)(void *data, const char *namespace, const char *name), void *data);
void cluster_deinit(struct cluster *cluster);

/* Takes in one event; TAKEs its object. Events without consequence here are ignored. */
void cluster_take(struct cluster *cluster, struct k8s_event *event);

/* NULL: not known. */
const struct k8s_object *cluster_service(
	const struct cluster *cluster, const char *namespace, const char *name);
const struct k8s_object *cluster_node(const struct cluster *cluster);

/* Whether the namespace is among those that are selected. */
bool cluster_has_namespace(const struct cluster *cluster, const char *name);

/* The objects of one namespace: items[*out_first] up to, but without, the returned index. */
size_t cluster_namespace(const struct vec *objects, const char *namespace, size_t *out_first);
