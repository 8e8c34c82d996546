/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the JSON of Service, Pod, Node and EndpointSlice to structs of the few members that decide
 * whether an address is served. Members that nobody asks for cost nothing, so new Kubernetes
 * releases change nothing here.
 *
 * The hard idea is that absence means something else in each place: no conditions of an endpoint
 * mean ready, no Ready condition of a pod means not ready, an EndpointSlice of v1beta1 has its node
 * in a topology map, and a Pod before 1.20 may have one podIP and no list of them.
 */
#include "object.h"

#include <errno.h>
#include <string.h>

#include "decode.h"
#include "text.h"

#define REASON_MAX 160

const char *k8s_resource_text(enum k8s_resource resource)
{
	switch (resource) {
	case K8S_SERVICES: return "services";
	case K8S_PODS: return "pods";
	case K8S_NODES: return "nodes";
	case K8S_ENDPOINTSLICES: return "endpointslices";
	case K8S_NAMESPACES: return "namespaces";
	case K8S_ANNOUNCEMENTPOLICIES: return "announcementpolicies";
	case K8S_N_RESOURCES: break;
	}
	return "unknown";
}

bool object_is_namespaced(enum k8s_resource resource)
{
	return resource != K8S_NODES && resource != K8S_NAMESPACES &&
	       resource != K8S_ANNOUNCEMENTPOLICIES;
}

const char *k8s_map_get(const struct k8s_map *map, const char *key)
{
	size_t low = 0, high = map->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(map->pairs[middle].key, key);

		if (order == 0)
			return map->pairs[middle].value;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

bool k8s_selects(const struct k8s_map *selector, const struct k8s_map *labels)
{
	for (size_t i = 0; i < selector->n; i++) {
		const char *value = k8s_map_get(labels, selector->pairs[i].key);

		if (!value || strcmp(value, selector->pairs[i].value) != 0)
			return false;
	}
	return selector->n > 0;
}

static void map_deinit(struct k8s_map *map)
{
	for (size_t i = 0; i < map->n; i++) {
		free(map->pairs[i].key);
		free(map->pairs[i].value);
	}
	free(map->pairs);
}

static void service_deinit(struct k8s_service *service)
{
	free(service->load_balancer_class);
	map_deinit(&service->selector);
	free(service->cluster_ips);
	free(service->external_ips);
	free(service->ingress);
}

static void pod_deinit(struct k8s_pod *pod)
{
	free(pod->node);
	free(pod->ready_reason);
	free(pod->ips);
}

static void node_deinit(struct k8s_node *node)
{
	for (size_t i = 0; i < node->n_taints; i++) {
		free(node->taints[i].key);
		free(node->taints[i].effect);
	}
	free(node->taints);
	free(node->addresses);
	free(node->pod_cidrs);
}

static void slice_deinit(struct k8s_endpointslice *slice)
{
	for (size_t i = 0; i < slice->n_endpoints; i++)
		free(slice->endpoints[i].node);
	free(slice->endpoints);
	free(slice->service);
}

struct k8s_object *k8s_object_free(struct k8s_object *object)
{
	free(object);
	return NULL;
}

void object_deinit(struct k8s_object *object)
{
	switch (object->resource) {
	case K8S_SERVICES: service_deinit(&object->service); break;
	case K8S_PODS: pod_deinit(&object->pod); break;
	case K8S_NODES: node_deinit(&object->node); break;
	case K8S_ENDPOINTSLICES: slice_deinit(&object->slice); break;
	case K8S_ANNOUNCEMENTPOLICIES: free(object->policy.spec); break;
	case K8S_NAMESPACES:
	case K8S_N_RESOURCES: break;
	}
	free(object->meta.namespace);
	free(object->meta.name);
	free(object->meta.uid);
	free(object->meta.resource_version);
	map_deinit(&object->meta.labels);
	map_deinit(&object->meta.annotations);
	*object = (struct k8s_object){.resource = object->resource};
}

static char *copy(const char *text)
{
	return xstrdup(text ? text : "");
}

/* A list of bare addresses. */
static struct prefix *read_addresses(
	struct decode *d, const json_t *in, const char *path, size_t *out_n)
{
	size_t n = decode_list(d, in, path);
	struct prefix *out = n ? xcalloc(n, sizeof(*out)) : NULL;

	for (size_t i = 0; i < n; i++) {
		const char *text = decode_string_at(d, in, path, i);

		if (text && decode_address(d, path, text, &out[*out_n]))
			(*out_n)++;
	}
	return out;
}

static enum k8s_service_type read_type(struct decode *d, const json_t *spec)
{
	static const char *const texts[] = {
		[K8S_CLUSTER_IP] = "ClusterIP",
		[K8S_NODE_PORT] = "NodePort",
		[K8S_LOAD_BALANCER] = "LoadBalancer",
		[K8S_EXTERNAL_NAME] = "ExternalName",
	};
	const char *type = decode_string(d, spec, "spec.type");

	if (!type)
		return K8S_CLUSTER_IP;
	for (size_t i = 0; i < N_ELEMENTS(texts); i++)
		if (strcmp(type, texts[i]) == 0)
			return (enum k8s_service_type)i;
	decode_fail(d, spec, "type", xasprintf("spec.type: \"%.60s\" is none that is known", type));
	return K8S_CLUSTER_IP;
}

static enum k8s_traffic_policy read_policy(struct decode *d, const json_t *spec, const char *path)
{
	const char *policy = decode_string(d, spec, path);

	return policy && strcmp(policy, "Local") == 0 ? K8S_POLICY_LOCAL : K8S_POLICY_CLUSTER;
}

/* clusterIPs is there since 1.20 (KEP-563); in manifests, clusterIP alone may be. */
static void read_cluster_ips(struct decode *d, const json_t *spec, struct k8s_service *out)
{
	const char *first = decode_string(d, spec, "spec.clusterIP");

	if (!first && decode_list(d, spec, "spec.clusterIPs"))
		first = decode_string_at(d, spec, "spec.clusterIPs", 0);
	out->headless = first && strcmp(first, "None") == 0;
	if (out->headless || !first || !*first)
		return;
	out->cluster_ips = read_addresses(d, spec, "spec.clusterIPs", &out->n_cluster_ips);
	if (out->cluster_ips)
		return;
	out->cluster_ips = xcalloc(1, sizeof(*out->cluster_ips));
	if (decode_address(d, "spec.clusterIP", first, out->cluster_ips))
		out->n_cluster_ips = 1;
}

static void read_ingress(struct decode *d, const json_t *status, struct k8s_service *out)
{
	static const char path[] = "status.loadBalancer.ingress";
	const json_t *balancer = decode_object(d, status, "status.loadBalancer");
	size_t n = decode_list(d, balancer, path);

	out->ingress = n ? xcalloc(n, sizeof(*out->ingress)) : NULL;
	for (size_t i = 0; i < n; i++) {
		const json_t *entry = decode_object_at(d, balancer, path, i);
		const char *ip = decode_string(d, entry, "status.loadBalancer.ingress[].ip");
		const char *mode = decode_string(d, entry, "status.loadBalancer.ingress[].ipMode");
		struct k8s_ingress *ingress = &out->ingress[out->n_ingress];

		if (!ip || !*ip || !decode_address(d, path, ip, &ingress->address))
			continue;
		ingress->proxy = mode && strcmp(mode, "Proxy") == 0;
		out->n_ingress++;
	}
}

static void read_service(struct decode *d, const json_t *json, struct k8s_service *out)
{
	const json_t *spec = decode_object(d, json, "spec");

	out->type = read_type(d, spec);
	out->publish_not_ready = decode_bool(d, spec, "spec.publishNotReadyAddresses", false);
	out->external_policy = read_policy(d, spec, "spec.externalTrafficPolicy");
	out->internal_policy = read_policy(d, spec, "spec.internalTrafficPolicy");
	str_set(&out->load_balancer_class, decode_string(d, spec, "spec.loadBalancerClass"));
	out->selector = decode_map(d, spec, "spec.selector", "");
	out->external_ips = read_addresses(d, spec, "spec.externalIPs", &out->n_external_ips);
	read_cluster_ips(d, spec, out);
	read_ingress(d, decode_object(d, json, "status"), out);
}

/* The condition of that type; NULL: not there. */
static const json_t *find_condition(struct decode *d, const json_t *status, const char *wanted)
{
	size_t n = decode_list(d, status, "status.conditions");

	for (size_t i = 0; i < n; i++) {
		const json_t *condition = decode_object_at(d, status, "status.conditions", i);
		const char *type = decode_string(d, condition, "status.conditions[].type");

		if (type && strcmp(type, wanted) == 0)
			return condition;
	}
	return NULL;
}

static bool condition_is_true(struct decode *d, const json_t *condition)
{
	const char *status = decode_string(d, condition, "status.conditions[].status");

	return status && strcmp(status, "True") == 0;
}

static char *condition_reason(struct decode *d, const json_t *condition)
{
	const char *reason = decode_string(d, condition, "status.conditions[].reason");
	const char *message = decode_string(d, condition, "status.conditions[].message");

	if (reason && *reason && message && *message)
		return text_shorten(xasprintf("%s: %s", reason, message), REASON_MAX);
	if (reason && *reason)
		return text_shorten(xstrdup(reason), REASON_MAX);
	return message && *message ? text_shorten(xstrdup(message), REASON_MAX) : NULL;
}

/*
 * Nothing runs there, and nothing will for a while. The kubelet says so together with the condition
 * Ready; who else writes it, or writes later, is not waited for: early down.
 */
static bool is_broken(const char *waiting)
{
	return waiting &&
	       (!strcmp(waiting, "CrashLoopBackOff") || !strcmp(waiting, "ErrImagePull") ||
		       !strncmp(waiting, "ImagePull", strlen("ImagePull")));
}

/*
 * Adds up the restarts; returns the first reason for which a container waits, before all others one
 * that means that it is broken, or NULL.
 */
static const char *read_containers(
	struct decode *d, const json_t *status, const char *path, uint32_t *restarts)
{
	size_t n = decode_list(d, status, path);
	const char *reason = NULL;

	for (size_t i = 0; i < n; i++) {
		const json_t *container = decode_object_at(d, status, path, i);
		const json_t *state =
			decode_object(d, container, "status.containerStatuses[].state");
		const json_t *waiting =
			decode_object(d, state, "status.containerStatuses[].state.waiting");
		const char *why = decode_string(
			d, waiting, "status.containerStatuses[].state.waiting.reason");
		uint32_t count =
			decode_count(d, container, "status.containerStatuses[].restartCount");

		*restarts += MIN(count, UINT32_MAX - *restarts);
		if (!why || !*why || !strcmp(why, "PodInitializing"))
			continue;
		if (!reason || (is_broken(why) && !is_broken(reason)))
			reason = why;
	}
	return reason;
}

static enum k8s_phase read_phase(struct decode *d, const json_t *status)
{
	static const char *const texts[] = {
		[K8S_PHASE_PENDING] = "Pending",
		[K8S_PHASE_RUNNING] = "Running",
		[K8S_PHASE_SUCCEEDED] = "Succeeded",
		[K8S_PHASE_FAILED] = "Failed",
	};
	const char *phase = decode_string(d, status, "status.phase");

	for (size_t i = 0; phase && i < N_ELEMENTS(texts); i++)
		if (strcmp(phase, texts[i]) == 0)
			return (enum k8s_phase)i;
	return phase ? K8S_PHASE_UNKNOWN : K8S_PHASE_PENDING;
}

static void read_pod_ips(struct decode *d, const json_t *status, struct k8s_pod *out)
{
	const char *single = decode_string(d, status, "status.podIP");
	size_t n = decode_list(d, status, "status.podIPs");

	out->ips = xcalloc(n + 1, sizeof(*out->ips));
	for (size_t i = 0; i < n; i++) {
		const json_t *entry = decode_object_at(d, status, "status.podIPs", i);
		const char *ip = decode_string(d, entry, "status.podIPs[].ip");

		if (ip && *ip && decode_address(d, "status.podIPs", ip, &out->ips[out->n_ips]))
			out->n_ips++;
	}
	if (n == 0 && single && *single && decode_address(d, "status.podIP", single, out->ips))
		out->n_ips = 1;
}

static void read_pod(struct decode *d, const json_t *json, struct k8s_pod *out)
{
	const json_t *spec = decode_object(d, json, "spec");
	const json_t *status = decode_object(d, json, "status");
	const json_t *ready = find_condition(d, status, "Ready");
	const char *why = read_containers(d, status, "status.containerStatuses", &out->restarts);
	const char *init =
		read_containers(d, status, "status.initContainerStatuses", &out->restarts);

	out->node = copy(decode_string(d, spec, "spec.nodeName"));
	out->phase = read_phase(d, status);
	out->ready = condition_is_true(d, ready) && !is_broken(why);
	if (out->ready)
		out->ready_reason = NULL;
	else if (why || init)
		out->ready_reason = text_shorten(xstrdup(why ? why : init), REASON_MAX);
	else
		out->ready_reason = condition_reason(d, ready);
	read_pod_ips(d, status, out);
}

static void read_taints(struct decode *d, const json_t *spec, struct k8s_node *out)
{
	size_t n = decode_list(d, spec, "spec.taints");

	out->taints = n ? xcalloc(n, sizeof(*out->taints)) : NULL;
	for (size_t i = 0; i < n; i++) {
		const json_t *taint = decode_object_at(d, spec, "spec.taints", i);

		out->taints[i].key = copy(decode_string(d, taint, "spec.taints[].key"));
		out->taints[i].effect = copy(decode_string(d, taint, "spec.taints[].effect"));
	}
	out->n_taints = n;
}

static void read_node_addresses(struct decode *d, const json_t *status, struct k8s_node *out)
{
	size_t n = decode_list(d, status, "status.addresses");

	out->addresses = n ? xcalloc(n, sizeof(*out->addresses)) : NULL;
	for (size_t i = 0; i < n; i++) {
		const json_t *entry = decode_object_at(d, status, "status.addresses", i);
		const char *type = decode_string(d, entry, "status.addresses[].type");
		const char *text = decode_string(d, entry, "status.addresses[].address");
		struct prefix *address = &out->addresses[out->n_addresses];

		if (!type || !text ||
			(strcmp(type, "InternalIP") != 0 && strcmp(type, "ExternalIP") != 0))
			continue;
		if (decode_address(d, "status.addresses", text, address))
			out->n_addresses++;
	}
}

static void read_pod_cidrs(struct decode *d, const json_t *spec, struct k8s_node *out)
{
	size_t n = decode_list(d, spec, "spec.podCIDRs");

	out->pod_cidrs = n ? xcalloc(n, sizeof(*out->pod_cidrs)) : NULL;
	for (size_t i = 0; i < n; i++) {
		const char *text = decode_string_at(d, spec, "spec.podCIDRs", i);

		if (text &&
			decode_prefix(d, "spec.podCIDRs", text, &out->pod_cidrs[out->n_pod_cidrs]))
			out->n_pod_cidrs++;
	}
}

/* Of all that the kubelet may name as a reason it is one; it is the same since graceful shutdown.
 */
static bool is_shutdown(struct decode *d, const json_t *ready)
{
	const char *message = decode_string(d, ready, "status.conditions[].message");

	return ready && !condition_is_true(d, ready) && message &&
	       strstr(message, "node is shutting down");
}

static void read_node(struct decode *d, const json_t *json, struct k8s_node *out)
{
	const json_t *spec = decode_object(d, json, "spec");
	const json_t *status = decode_object(d, json, "status");
	const json_t *ready = find_condition(d, status, "Ready");

	out->unschedulable = decode_bool(d, spec, "spec.unschedulable", false);
	out->ready = condition_is_true(d, ready);
	out->shutting_down = is_shutdown(d, ready);
	out->network_unavailable =
		condition_is_true(d, find_condition(d, status, "NetworkUnavailable"));
	read_taints(d, spec, out);
	read_node_addresses(d, status, out);
	read_pod_cidrs(d, spec, out);
}

/* "Consumers may" take the first one only (discovery/v1 Endpoint), and kube-proxy does. */
static void read_endpoint_address(struct decode *d, const json_t *json, struct k8s_endpoint *out)
{
	const json_t *first;

	if (decode_list(d, json, "endpoints[].addresses") == 0)
		return;
	first = json_array_get(json_object_get(json, "addresses"), 0);
	if (!json_is_string(first) || !prefix_parse_host(json_string_value(first), &out->address))
		out->address = (struct prefix){0}; /* a name: FQDN */
}

/* What is not said about an endpoint is as good as it can be: discovery/v1 EndpointConditions. */
static void read_endpoint(struct decode *d, const json_t *json, struct k8s_endpoint *out)
{
	const json_t *conditions = decode_object(d, json, "endpoints[].conditions");
	const json_t *topology = decode_object(d, json, "endpoints[].topology");
	const char *node = decode_string(d, json, "endpoints[].nodeName");

	out->terminating = decode_bool(d, conditions, "endpoints[].conditions.terminating", false);
	out->ready = decode_bool(d, conditions, "endpoints[].conditions.ready", true);
	/* Before 1.20 there is no serving: then it is what ready says. */
	out->serving = decode_bool(d, conditions, "endpoints[].conditions.serving", out->ready);
	if (!node)
		node = json_string_value(json_object_get(topology, "kubernetes.io/hostname"));
	str_set(&out->node, node);
	read_endpoint_address(d, json, out);
}

static uint8_t read_family(struct decode *d, const json_t *json)
{
	const char *type = decode_string(d, json, "addressType");

	if (type && strcmp(type, "IPv4") == 0)
		return AF_INET;
	return type && strcmp(type, "IPv6") == 0 ? AF_INET6 : 0;
}

static void read_slice(struct decode *d, const json_t *json, struct k8s_object *object)
{
	struct k8s_endpointslice *out = &object->slice;
	size_t n = decode_list(d, json, "endpoints");

	out->service = copy(k8s_map_get(&object->meta.labels, "kubernetes.io/service-name"));
	out->family = read_family(d, json);
	out->endpoints = n ? xcalloc(n, sizeof(*out->endpoints)) : NULL;
	for (size_t i = 0; i < n; i++)
		read_endpoint(d, decode_object_at(d, json, "endpoints", i), &out->endpoints[i]);
	out->n_endpoints = n;
}

static char *required(struct decode *d, const json_t *metadata, const char *path)
{
	const char *text = decode_string(d, metadata, path);

	if (!text || !*text)
		decode_fail(d, metadata, NULL, xasprintf("%s: missing", path));
	return copy(text);
}

static void read_meta(struct decode *d, struct k8s_object *object, const json_t *json)
{
	const json_t *metadata = decode_object(d, json, "metadata");
	struct k8s_meta *out = &object->meta;

	out->name = required(d, metadata, "metadata.name");
	out->namespace = object_is_namespaced(object->resource)
				 ? required(d, metadata, "metadata.namespace")
				 : xstrdup("");
	out->uid = copy(decode_string(d, metadata, "metadata.uid"));
	out->resource_version = copy(decode_string(d, metadata, "metadata.resourceVersion"));
	out->deleting = decode_string(d, metadata, "metadata.deletionTimestamp") != NULL;
	out->labels = decode_map(d, metadata, "metadata.labels", "");
	out->annotations = decode_map(d, metadata, "metadata.annotations", d->annotation_prefix);
	if (object->resource == K8S_SERVICES) /* checked, but read by nobody */
		str_set(&out->uid, "");
}

/* The same text for the same spec, so that whoever keeps it can tell whether it has changed. */
static char *read_spec(const json_t *json)
{
	const json_t *spec = json_object_get(json, "spec");
	char *text = json_dumps(spec, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);

	if (text && strlen(text) <= K8S_POLICY_MAX)
		return text;
	free(text);
	return spec ? NULL : xstrdup("null");
}

static void read_object(struct decode *d, const json_t *json, struct k8s_object *object)
{
	read_meta(d, object, json);
	switch (object->resource) {
	case K8S_SERVICES: read_service(d, json, &object->service); break;
	case K8S_PODS: read_pod(d, json, &object->pod); break;
	case K8S_NODES: read_node(d, json, &object->node); break;
	case K8S_ENDPOINTSLICES: read_slice(d, json, object); break;
	case K8S_ANNOUNCEMENTPOLICIES: object->policy.spec = read_spec(json); break;
	case K8S_NAMESPACES:
	case K8S_N_RESOURCES: break;
	}
}

static char *sum_up(struct decode *d)
{
	char *text = d->problem;

	if (d->n_problems > 1) {
		text = xasprintf("%s (and %u more like this)", d->problem, d->n_problems - 1);
		free(d->problem);
	}
	return text;
}

int object_read(enum k8s_resource resource, const json_t *json, const char *annotation_prefix,
	struct k8s_object **out, char **out_problem, struct object_fault *out_fault)
{
	struct decode d = {.annotation_prefix = annotation_prefix ? annotation_prefix : ""};
	struct k8s_object object = {.resource = resource};

	if (!json_is_object(json))
		decode_fail(&d, NULL, NULL, xstrdup("expected an object"));
	read_object(&d, json, &object);
	if (d.fault.text) {
		free(d.problem);
		object_deinit(&object);
		*out_fault = d.fault;
		return -EBADMSG;
	}
	*out = object_pack(&object);
	*out_problem = sum_up(&d);
	return 0;
}

char *object_name(const json_t *json)
{
	const json_t *metadata = json_object_get(json, "metadata");
	const char *namespace = json_string_value(json_object_get(metadata, "namespace"));
	const char *name = json_string_value(json_object_get(metadata, "name"));

	return xasprintf("%s%s%s", namespace ? namespace : "", namespace ? "/" : "",
		name ? name : "(no name)");
}
