/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of the cluster: the objects as the source last told them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cosmolet/k8s.h>
#include <cosmolet/vec.h>

struct policies;

struct cluster {
	struct vec services;    /* struct k8s_object, by namespace and name; so are the others */
	struct vec by_pair;     /* the services with a selector, by namespace and its first pair */
	struct vec by_ip[2];    /* the services by their first cluster IP, and by their second */
	struct vec by_external; /* struct claimed, by each of their external IPs */
	bool ips_indexed;       /* by_ip holds them: there are external IPs */
	struct vec pods;        /* of this node */
	struct vec by_label; /* struct labelled, the pods by namespace and each of their labels */
	struct vec slices;
	struct vec by_service;      /* the slices, by namespace and their service's name */
	struct vec nodes;           /* this node, or nothing */
	struct vec namespaces;      /* those that services.namespace_selector selects */
	struct vec policies;        /* AnnouncementPolicies */
	uint64_t policies_revision; /* goes up when what one of them says changes */
	const struct policies
		*decoded;    /* of policies; NULL: none are. Whoever keeps it decodes them */
	struct vec lists;    /* that have not ended */
	struct vec listed;   /* struct listed, by stream: up to where it was listed */
	const char *drained; /* why this node announces nothing, in words; NULL: it may */
	/*
	 * Whether the EndpointSlices of a service are known, if only to be none; while they are
	 * not, nothing can be said of it. NULL: they always are.
	 */
	bool (*knows_slices)(const void *data, const char *namespace, const char *name);
	const void *knows_slices_data;
	/* Called for each service whose outcome may have changed; it may be gone by now. */
	void (*changed)(void *data, const char *namespace, const char *name);
	void *data;
};

/* A pod by one of its labels. */
struct labelled {
	const struct k8s_object *pod;
	const struct k8s_pair *label;
};

/* A service by one of its external IPs. */
struct claimed {
	const struct k8s_object *service;
	const struct prefix *address;
};

void cluster_init(struct cluster *cluster,
	void (*changed)(void *data, const char *namespace, const char *name), void *data);
void cluster_deinit(struct cluster *cluster);

/* Takes in one event; TAKEs its object. Events without consequence here are ignored. */
void cluster_take(struct cluster *cluster, struct k8s_event *event);

/* NULL: not known. */
const struct k8s_object *cluster_service(
	const struct cluster *cluster, const char *namespace, const char *name);
/*
 * One whose cluster IP that is, other than this service; NULL: none is known. To be asked for
 * external IPs of services that are known.
 */
const struct k8s_object *cluster_ip_of(const struct cluster *cluster, const struct prefix *address,
	const struct k8s_object *other_than);
const struct k8s_object *cluster_node(const struct cluster *cluster);
/* Of those that are selected only. */
const struct k8s_object *cluster_namespace(const struct cluster *cluster, const char *name);
const struct k8s_object *cluster_policy(const struct cluster *cluster, const char *name);

/* Whether a stream's list of such a selection (k8s_endpointslices_stream()) has ended. */
bool cluster_is_listed(const struct cluster *cluster, unsigned stream, unsigned selection);

/* Whether they are known. */
bool cluster_knows_slices(const struct cluster *cluster, const struct k8s_object *service);
/* The EndpointSlices of a service: by_service.items[*out_first] up to the returned index. */
size_t cluster_slices(
	const struct cluster *cluster, const struct k8s_object *service, size_t *out_first);

/*
 * Among which pods those are that a service selects, by name: by_label.items[*out_first] up to, but
 * without, the returned index. Each is still to be asked with k8s_selects().
 */
size_t cluster_pods(
	const struct cluster *cluster, const struct k8s_object *service, size_t *out_first);
