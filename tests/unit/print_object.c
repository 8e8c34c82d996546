/* SPDX-License-Identifier: Apache-2.0 */
#include "print_object.h"

static FILE *out;

static void print_addresses(const char *what, const struct prefix *list, size_t n)
{
	char buf[PREFIX_STRLEN];

	for (size_t i = 0; i < n; i++)
		fprintf(out, " %s=%s", what, prefix_text(&list[i], buf));
}

static void print_map(const char *what, const struct k8s_map *map)
{
	for (size_t i = 0; i < map->n; i++)
		fprintf(out, " %s:%s=%s", what, map->pairs[i].key, map->pairs[i].value);
}

static void print_flag(const char *what, bool set)
{
	if (set)
		fprintf(out, " %s", what);
}

static void print_service(const struct k8s_service *service)
{
	static const char *const types[] = {
		"ClusterIP", "NodePort", "LoadBalancer", "ExternalName"};

	fprintf(out, " %s", types[service->type]);
	print_flag("headless", service->headless);
	print_flag("publish", service->publish_not_ready);
	print_flag("external-local", service->external_policy == K8S_POLICY_LOCAL);
	print_flag("internal-local", service->internal_policy == K8S_POLICY_LOCAL);
	if (service->load_balancer_class)
		fprintf(out, " class=%s", service->load_balancer_class);
	print_map("selector", &service->selector);
	print_addresses("cluster", service->cluster_ips, service->n_cluster_ips);
	print_addresses("external", service->external_ips, service->n_external_ips);
	for (size_t i = 0; i < service->n_ingress; i++)
		print_addresses(service->ingress[i].proxy ? "proxy" : "ingress",
			&service->ingress[i].address, 1);
}

static void print_pod(const struct k8s_pod *pod)
{
	fprintf(out, " node=%s phase=%d", pod->node, pod->phase);
	print_flag("ready", pod->ready);
	if (pod->ready_reason)
		fprintf(out, " reason=\"%s\"", pod->ready_reason);
	if (pod->restarts)
		fprintf(out, " restarts=%u", pod->restarts);
	print_addresses("ip", pod->ips, pod->n_ips);
}

static void print_node(const struct k8s_node *node)
{
	print_flag("unschedulable", node->unschedulable);
	print_flag("ready", node->ready);
	print_flag("network-unavailable", node->network_unavailable);
	print_flag("shutting-down", node->shutting_down);
	for (size_t i = 0; i < node->n_taints; i++)
		fprintf(out, " taint=%s:%s", node->taints[i].key, node->taints[i].effect);
	print_addresses("address", node->addresses, node->n_addresses);
	print_addresses("pods", node->pod_cidrs, node->n_pod_cidrs);
}

static void print_slice(const struct k8s_endpointslice *slice)
{
	char buf[PREFIX_STRLEN];

	fprintf(out, " service=%s family=%d", slice->service,
		slice->family ? family_number(slice->family) : 0);
	for (size_t i = 0; i < slice->n_endpoints; i++) {
		const struct k8s_endpoint *endpoint = &slice->endpoints[i];

		fprintf(out, " [%s", endpoint->node ? endpoint->node : "-");
		print_flag("ready", endpoint->ready);
		print_flag("serving", endpoint->serving);
		print_flag("terminating", endpoint->terminating);
		fprintf(out, " %s]",
			endpoint->address.family ? prefix_address(&endpoint->address, buf) : "-");
	}
}

void print_object(FILE *to, const struct k8s_object *object)
{
	const struct k8s_meta *meta = &object->meta;

	out = to;
	fprintf(out, "%s/%s", meta->namespace, meta->name);
	if (*meta->uid || *meta->resource_version)
		fprintf(out, " %s@%s", meta->uid, meta->resource_version);
	print_flag("deleting", meta->deleting);
	print_map("label", &meta->labels);
	print_map("annotation", &meta->annotations);
	switch (object->resource) {
	case K8S_SERVICES: print_service(&object->service); break;
	case K8S_PODS: print_pod(&object->pod); break;
	case K8S_NODES: print_node(&object->node); break;
	case K8S_ENDPOINTSLICES: print_slice(&object->slice); break;
	case K8S_ANNOUNCEMENTPOLICIES:
		fprintf(out, " spec=%s", object->policy.spec ? object->policy.spec : "(too large)");
		break;
	case K8S_NAMESPACES:
	case K8S_N_RESOURCES: break;
	}
}
