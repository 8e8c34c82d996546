/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubernetes objects, from an API server or from a directory of manifests, as one stream of events.
 *
 * The objects come in streams: one per watched resource (and namespace), or one per manifest file.
 * Each stream speaks the same little language. LIST_BEGIN, then OBJECTs, then LIST_END: the
 * stream's whole content as of now; whoever keeps the objects drops those of this stream that were
 * not among them. A LIST_BEGIN without its LIST_END was cut off: nothing is dropped. Afterwards
 * OBJECT and DELETED, one by one. SYNCED comes once, when every stream has ended its first list.
 *
 * Passive: it turns what arrives into events, calls notify once, and waits to be asked.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cosmolet/loop.h>
#include <cosmolet/prefix.h>

struct k8s;
struct stream;

enum k8s_resource {
	K8S_SERVICES,
	K8S_PODS,
	K8S_NODES,
	K8S_ENDPOINTSLICES,
	K8S_NAMESPACES,
	K8S_ANNOUNCEMENTPOLICIES,
	K8S_N_RESOURCES
};

/* "services", …; never NULL. */
const char *k8s_resource_text(enum k8s_resource resource);

/* Labels, annotations, selectors: pairs sorted by key, each key once. */
struct k8s_pair {
	char *key;
	char *value;
};

struct k8s_map {
	struct k8s_pair *pairs;
	size_t n;
};

/* NULL: no such key. */
const char *k8s_map_get(const struct k8s_map *map, const char *key);
/* Whether every pair of the selector is among the labels. An empty selector selects nothing. */
bool k8s_selects(const struct k8s_map *selector, const struct k8s_map *labels);

/* What kubectl takes behind -l: "team=shop,tier!=test,zone in (a,b),!private". */
struct k8s_label_selector;

/* 0 and *out; or -EINVAL and *out_error for free(): the place, and what may stand there. */
must_check int k8s_label_selector_parse(
	const char *text, struct k8s_label_selector **out, char **out_error);
/* Accepts NULL, returns NULL. */
struct k8s_label_selector *k8s_label_selector_free(struct k8s_label_selector *selector);
bool k8s_label_selector_matches(
	const struct k8s_label_selector *selector, const struct k8s_map *labels);

struct k8s_meta {
	char *namespace; /* "" for nodes, namespaces and policies */
	char *name;
	char *uid;                  /* "" where a manifest has none, and of services */
	char *resource_version;     /* "" where a manifest has none */
	struct k8s_map labels;      /* of services: only where policies may ask for them */
	struct k8s_map annotations; /* only keys with the prefix of k8s_options */
	bool deleting;              /* a deletionTimestamp is set */
};

enum k8s_service_type {
	K8S_CLUSTER_IP,
	K8S_NODE_PORT,
	K8S_LOAD_BALANCER,
	K8S_EXTERNAL_NAME,
};

enum k8s_traffic_policy { K8S_POLICY_CLUSTER, K8S_POLICY_LOCAL };

struct k8s_ingress {
	struct prefix address; /* host prefix */
	bool proxy;            /* ipMode: Proxy (KEP-1860): not an address of the nodes */
};

struct k8s_service {
	enum k8s_service_type type : 8;
	enum k8s_traffic_policy external_policy : 8;
	enum k8s_traffic_policy internal_policy : 8;
	bool headless; /* clusterIP: None */
	bool publish_not_ready;
	char *load_balancer_class; /* NULL: unset */
	struct k8s_map selector;
	struct prefix *cluster_ips; /* host prefixes; not yet allocated: none */
	size_t n_cluster_ips;
	struct prefix *external_ips;
	size_t n_external_ips;
	struct k8s_ingress *ingress; /* only entries with an ip */
	size_t n_ingress;
};

enum k8s_phase {
	K8S_PHASE_PENDING,
	K8S_PHASE_RUNNING,
	K8S_PHASE_SUCCEEDED,
	K8S_PHASE_FAILED,
	K8S_PHASE_UNKNOWN,
};

struct k8s_pod {
	char *node; /* spec.nodeName; "" while not scheduled */
	enum k8s_phase phase;
	bool ready;         /* condition Ready is True, and no container is known to be broken */
	char *ready_reason; /* of that condition, or what a container waits for; NULL: none given */
	uint32_t restarts;  /* the sum over its containers */
	struct prefix *ips; /* status.podIPs, host prefixes */
	size_t n_ips;
};

struct k8s_taint {
	char *key;
	char *effect;
};

struct k8s_node {
	bool unschedulable;
	bool ready;
	bool network_unavailable;
	bool shutting_down; /* as the kubelet says why it is not ready */
	struct k8s_taint *taints;
	size_t n_taints;
	struct prefix *addresses; /* InternalIP and ExternalIP */
	size_t n_addresses;
	struct prefix *pod_cidrs; /* none, where the network plugin has ranges of its own */
	size_t n_pod_cidrs;
};

struct k8s_endpoint {
	char *node; /* nodeName; NULL: not given */
	bool ready; /* missing conditions: ready and serving, not terminating */
	bool serving;
	bool terminating;
	struct prefix address; /* the first: the one that counts; family 0: none that reads */
};

struct k8s_endpointslice {
	char *service;  /* label kubernetes.io/service-name; "" without */
	uint8_t family; /* AF_INET, AF_INET6; 0: FQDN */
	struct k8s_endpoint *endpoints;
	size_t n_endpoints;
};

/* What an AnnouncementPolicy says is for whoever decides by it. */
#define K8S_POLICY_MAX (16u << 10)

struct k8s_announcement_policy {
	char *spec; /* as JSON, its keys sorted; "null": it has none. NULL: of more octets than that
		     */
};

/*
 * One object, reduced to what cosmolet reads; all that it points to is in the same allocation.
 * Every string but those noted is non-NULL.
 */
struct k8s_object {
	enum k8s_resource resource;
	unsigned stream; /* the one it came by */
	bool listed;     /* for whoever keeps the object; false when it comes */
	struct k8s_meta meta;
	union {
		struct k8s_service service;
		struct k8s_pod pod;
		struct k8s_node node;
		struct k8s_endpointslice slice;
		struct k8s_announcement_policy policy;
	}; /* of a namespace: nothing but its meta */
};

/* Accepts NULL, returns NULL. */
struct k8s_object *k8s_object_free(struct k8s_object *object);

enum k8s_event_type {
	K8S_EVENT_LIST_BEGIN, /* stream */
	K8S_EVENT_OBJECT,     /* stream, object: added or changed; now the popper's */
	K8S_EVENT_DELETED,    /* stream, object: its last state; now the popper's */
	K8S_EVENT_LIST_END,   /* stream */
	K8S_EVENT_SYNCED,     /* every stream has ended its first list; once per source */
	K8S_EVENT_UP,         /* stream, text: it works (again), or by another plan */
	K8S_EVENT_DOWN,       /* stream, text: why it does not; it is retried */
	K8S_EVENT_PROBLEM,    /* stream, text: something was ignored; what was known before stays */
};

struct k8s_event {
	enum k8s_event_type type;
	unsigned stream;
	unsigned selection; /* LIST_END: see k8s_endpointslices_stream() */
	struct k8s_object *object;
	char *text;
};

/* Frees what the event still holds (whatever was not TAKEn). */
void k8s_event_deinit(struct k8s_event *event);

struct k8s_options {
	const char *node;              /* the name of this node; needed for pods and node */
	const char *const *namespaces; /* services and pods of these only; none: all */
	size_t n_namespaces;
	/* Given any, services of other proxies come, too, of whichever; all with their labels. */
	const char *const *proxies;
	size_t n_proxies;
	const char *namespace_selector; /* Namespaces of such labels come; NULL: none do */
	const char *annotation_prefix;  /* "cosmolet.platformbuilds.io/" */
	/*
	 * AnnouncementPolicies come, too. SYNCED waits for them, unless the API server says that
	 * there is no such kind, or that they are none of our business: both may change later.
	 */
	bool policies;
	/* source cluster: */
	const char *const *servers; /* URLs of API servers, tried in turn; none: the one below */
	size_t n_servers;
	unsigned start_spread_s;         /* the first list waits for up to so long */
	const char *kubeconfig;          /* file; NULL: the pod's service account */
	const char *context;             /* NULL: current-context */
	const char *service_account_dir; /* NULL: /var/run/secrets/kubernetes.io/serviceaccount */
	/* source files: */
	const char *directory; /* of manifests; not NULL: this is the source */
};

/*
 * Starts the source: connects, or reads the directory, from the loop. notify(data) runs from a
 * deferred job whenever there are events to pop. The options and their strings are copied.
 *
 * 0 and *out; or -EINVAL and *out_error (for the caller to free()) with what is wrong and how to
 * mend it: a kubeconfig that does not read, no service account, a directory that is not there, a
 * selector that is none.
 */
must_check int k8s_new(struct loop *loop, const struct k8s_options *options,
	void (*notify)(void *data), void *data, struct k8s **out, char **out_error);
/* Accepts NULL, returns NULL. */
struct k8s *k8s_free(struct k8s *k8s);

/* The next event; false: none left. The caller gives it to k8s_event_deinit(). */
must_check bool k8s_pop_event(struct k8s *k8s, struct k8s_event *out);

struct k8s_service_name {
	const char *namespace;
	const char *name;
};

/*
 * Says of which services EndpointSlices are needed, each time anew; sorted by namespace and name,
 * borrowed. At first none are watched. Those of few services are watched by their labels, of many
 * all are; without any, the streams end with an empty list. The file source always has them all.
 * Does not touch SYNCED.
 */
void k8s_want_endpointslices(struct k8s *k8s, const struct k8s_service_name *services, size_t n);

/*
 * By which stream the wanted EndpointSlices of a namespace come, and by which selection of it: they
 * are complete as of the LIST_END that carries both. false: there is no such stream; from files
 * they come with all the rest, before SYNCED.
 */
must_check bool k8s_endpointslices_stream(const struct k8s *k8s, const char *namespace,
	unsigned *out_stream, unsigned *out_selection);

/* One stream, for status and metrics. */
struct k8s_stream_status {
	const struct stream *of; /* the room's own; NULL in one that is zeroed */
	unsigned stream;
	const char *name;      /* "services", "pods in default", or the file's name */
	const char *resource;  /* "pods", or the file's name */
	const char *namespace; /* "": all of them, or a file */
	const char *plan;      /* what is watched, and why just that; NULL: a file */
	bool synced;           /* its first list has ended */
	bool connected;        /* a watch is open, or the file is readable */
	bool optional;         /* not everybody has such objects, or the right to see them */
	uint64_t events;
	uint64_t lists;
	uint64_t relists; /* of these, those of what had been listed before */
	uint64_t bytes;
	uint64_t problems;
	struct mono last_contact; /* the last bytes, or the last reading; zero: never */
	const char *error;        /* the last one while not connected; NULL: none */
};

/* One of them by its number; false: it is turned off, or gone. */
must_check bool k8s_stream(const struct k8s *k8s, unsigned number, struct k8s_stream_status *out);
/*
 * The one behind *status, or the first if that is zeroed; false: there are no more. Those that
 * complained last come first. Pointers live until the next turn.
 */
must_check bool k8s_next_stream(const struct k8s *k8s, struct k8s_stream_status *status);
/* "https://10.96.0.1:443 (service account)" or the directory. Borrowed. */
const char *k8s_describe(const struct k8s *k8s);
