/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What object.c reads, as a tree: so that the rest of an object need not even be parsed. Whatever
 * is asked for there must be named here; the fuzz target of objects compares what comes out with
 * and without it.
 */
#include "object.h"

static const struct cut_wanted service_spec[] = {CUT_WHOLE("type"), CUT_WHOLE("selector"),
	CUT_WHOLE("clusterIP"), CUT_WHOLE("clusterIPs"), CUT_WHOLE("externalIPs"),
	CUT_WHOLE("loadBalancerClass"), CUT_WHOLE("externalTrafficPolicy"),
	CUT_WHOLE("internalTrafficPolicy"), CUT_WHOLE("publishNotReadyAddresses"), CUT_LAST};
static const struct cut_wanted ingress[] = {CUT_WHOLE("ip"), CUT_WHOLE("ipMode"), CUT_LAST};
static const struct cut_wanted load_balancer[] = {CUT_PART("ingress", ingress), CUT_LAST};
static const struct cut_wanted service_status[] = {
	CUT_PART("loadBalancer", load_balancer), CUT_LAST};

static const struct cut_wanted pod_spec[] = {CUT_WHOLE("nodeName"), CUT_LAST};
static const struct cut_wanted condition[] = {CUT_WHOLE("type"), CUT_WHOLE("status"),
	CUT_WHOLE("reason"), CUT_WHOLE("message"), CUT_LAST};
static const struct cut_wanted waiting[] = {CUT_WHOLE("reason"), CUT_LAST};
static const struct cut_wanted state[] = {CUT_PART("waiting", waiting), CUT_LAST};
static const struct cut_wanted container[] = {
	CUT_WHOLE("restartCount"), CUT_PART("state", state), CUT_LAST};
static const struct cut_wanted pod_status[] = {CUT_WHOLE("phase"), CUT_WHOLE("podIP"),
	CUT_WHOLE("podIPs"), CUT_PART("conditions", condition),
	CUT_PART("containerStatuses", container), CUT_PART("initContainerStatuses", container),
	CUT_LAST};

static const struct cut_wanted taint[] = {CUT_WHOLE("key"), CUT_WHOLE("effect"), CUT_LAST};
static const struct cut_wanted node_spec[] = {
	CUT_WHOLE("unschedulable"), CUT_PART("taints", taint), CUT_WHOLE("podCIDRs"), CUT_LAST};
static const struct cut_wanted node_condition[] = {
	CUT_WHOLE("type"), CUT_WHOLE("status"), CUT_WHOLE("message"), CUT_LAST};
static const struct cut_wanted node_status[] = {
	CUT_PART("conditions", node_condition), CUT_WHOLE("addresses"), CUT_LAST};

static const struct cut_wanted endpoint[] = {CUT_WHOLE("addresses"), CUT_WHOLE("conditions"),
	CUT_WHOLE("nodeName"), CUT_WHOLE("topology"), CUT_LAST};

/* Besides metadata. */
static const struct cut_wanted members[K8S_N_RESOURCES][2] = {
	[K8S_SERVICES] = {CUT_PART("spec", service_spec), CUT_PART("status", service_status)},
	[K8S_PODS] = {CUT_PART("spec", pod_spec), CUT_PART("status", pod_status)},
	[K8S_NODES] = {CUT_PART("spec", node_spec), CUT_PART("status", node_status)},
	[K8S_ENDPOINTSLICES] = {CUT_WHOLE("addressType"), CUT_PART("endpoints", endpoint)},
	[K8S_ANNOUNCEMENTPOLICIES] = {CUT_WHOLE("spec")},
};

void object_wanted_init(struct object_wanted *out, enum k8s_resource resource,
	const char *annotation_prefix, bool labels)
{
	/* Code to details are of a Status. */
	*out = (struct object_wanted){
		.annotations = {{.key = annotation_prefix ? annotation_prefix : "",
			.begins = true}},
		.metadata = {CUT_WHOLE("name"), CUT_WHOLE("namespace"),
			CUT_WHOLE("resourceVersion"), CUT_WHOLE("deletionTimestamp"),
			CUT_PART("annotations", out->annotations), CUT_WHOLE("labels"),
			CUT_WHOLE("uid")},
		.object = {CUT_PART("metadata", out->metadata), CUT_WHOLE("code"),
			CUT_WHOLE("reason"), CUT_WHOLE("message"), CUT_WHOLE("details"),
			members[resource][0], members[resource][1]},
	};
	if (resource == K8S_SERVICES)
		out->metadata[labels ? 6 : 5].key = NULL;
}
