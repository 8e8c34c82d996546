/* SPDX-License-Identifier: Apache-2.0 */
/* The decision: which addresses of a service this node announces, and why or why not. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <cosmolet/k8s.h>

#include "cluster.h"
#include "config.h"

/* Why an address is announced (the first group) or is not. One of these decides. */
enum reason {
	REASON_READY,       /* enough pods of this node are ready */
	REASON_TERMINATING, /* none is left but some that terminate and still serve (KEP-1669) */
	REASON_DEGRADED,    /* fewer than are needed, but some, and the class has a tag for that */

	REASON_DELETED, /* there is no such service any more */
	REASON_DELETING,
	REASON_EXTERNAL_NAME,
	REASON_HEADLESS,
	REASON_NAMESPACE,          /* not among services.namespaces */
	REASON_NAMESPACE_SELECTOR, /* without the labels of services.namespace_selector */
	REASON_OPTED_OUT,          /* annotation announce: "false" */
	REASON_NO_ADDRESS,
	REASON_OTHER_PROXY,   /* not among services.proxies */
	REASON_KIND,          /* not among services.addresses */
	REASON_CLASS,         /* not among services.load_balancer_classes */
	REASON_PROXY,         /* ipMode: Proxy */
	REASON_SPECIAL,       /* loopback, link-local, multicast */
	REASON_NOT_ALLOWED,   /* outside services.allow */
	REASON_NODE_ADDRESS,  /* it is an address of this node */
	REASON_POD_RANGE,     /* an external IP out of the range of this node's pods */
	REASON_TAKEN,         /* an external IP that is another service's cluster IP */
	REASON_NODE_EXCLUDED, /* label exclude-from-external-load-balancers */
	REASON_NODE_DRAINED,  /* by one of announce.drain_on */
	REASON_NODE_NETWORK,  /* NetworkUnavailable */
	REASON_NODE_NOT_READY,
	REASON_NODE_OUT_OF_SERVICE, /* the taint */
	REASON_NODE_OF_CLASS,       /* not among the nodes of the service's class */
	REASON_API_SERVER,          /* default/kubernetes */
	REASON_SLICES_UNKNOWN,      /* its EndpointSlices are still to come: nothing is decided */
	REASON_NO_SLICES,           /* no selector, and no EndpointSlices either */
	REASON_NO_PODS,             /* none of this node is selected */
	REASON_NOT_READY,           /* some are selected, too few are ready */
	N_REASONS,
};

/* A short word for metrics, "not_ready". */
const char *reason_word(enum reason reason);
bool reason_is_up(enum reason reason);
/* Too few are ready, which may pass by itself. */
bool reason_is_ill(enum reason reason);

/* What counts for an address: pods of this node, or endpoints on it where slices decide. */
struct tally {
	unsigned selected;
	unsigned ready;
	unsigned serving; /* terminating, but still Ready */
	unsigned other_family;
	unsigned ended; /* Succeeded or Failed; not in selected */
	/* A pod that is not ready, borrowed from the cluster; NULL: none. */
	const struct k8s_object *example;
};

struct verdict {
	struct prefix address; /* family 0: the service as a whole */
	enum address_kind kind : 8;
	enum reason reason : 8;
	enum config_scope scope : 8; /* as the class or the annotation has it; so is min_ready */
	uint8_t annotated;           /* 1 << enum config_annotation: which of them count */
	bool by_slices;              /* EndpointSlices decide, not pods */
	bool cluster;                /* those of the whole cluster count, not only of this node */
	uint32_t tag;
	uint32_t metric;
	struct tally tally;
	const struct config_class
		*class; /* of the configuration or a policy; NULL without address */
	int64_t min_ready;
	union {                                  /* borrowed, for the words of one reason each */
		const struct k8s_object *holder; /* the service whose cluster IP it is */
		const char *drained;             /* why the node is */
		const char *load_balancer_class; /* as the service has it; NULL: it has none */
	};
};

/*
 * Decides on every address of a service; at least one verdict. The array is for free(), borrowed
 * texts in it live until the cluster changes.
 */
size_t plan_service(const struct config *config, const struct cluster *cluster,
	const struct k8s_object *service, struct verdict **out);

/* What must hold before the pods are counted; asked in order, the first that does not hold decides.
 */
struct plan_rule {
	enum reason reason; /* if it does not */
	const char *text;   /* "it is not being deleted" */
	const char *source; /* the fields and keys it looks at; of the service, unless it says so */
};

/* The i-th; NULL: there are no more. */
const struct plan_rule *plan_rule(size_t i);

/* What drains the node, by announce.drain_on, in words; NULL: nothing. For free(). */
char *plan_drain_trigger(const struct config *config, const struct k8s_object *node);

/*
 * What is wrong with the service's annotations, and what counts instead; NULL: nothing. For free().
 */
char *plan_complaint(const struct config *config, const struct k8s_object *service);

/* What SCOPE_AUTO goes by: the service's policy for addresses of that kind. */
enum k8s_traffic_policy plan_policy(const struct k8s_service *service, enum address_kind kind);

/* How many must be ready; a share is of those that could serve this family, and at least one. */
uint64_t verdict_needs(const struct verdict *verdict);

/* One sentence for people: "2 of 3 pods on this node are ready". For free(). */
char *verdict_text(const struct config *config, const struct verdict *verdict);

/* By these an API server tells services apart (k8s/query.h); here they are only spoken of. */
#define LABEL_HEADLESS "service.kubernetes.io/headless"
#define LABEL_PROXY    "service.kubernetes.io/service-proxy-name"

#define NODE_LABEL_EXCLUDE        "node.kubernetes.io/exclude-from-external-load-balancers"
#define NODE_TAINT_OUT_OF_SERVICE "node.kubernetes.io/out-of-service"

#define ANNOTATION_PREFIX    "cosmolet.platformbuilds.io/"
#define ANNOTATION_ANNOUNCE  ANNOTATION_PREFIX "announce"
#define ANNOTATION_DRAIN     ANNOTATION_PREFIX "drain"
#define ANNOTATION_CLASS     ANNOTATION_PREFIX "class"
#define ANNOTATION_SCOPE     ANNOTATION_PREFIX "scope"
#define ANNOTATION_MIN_READY ANNOTATION_PREFIX "min-ready"
