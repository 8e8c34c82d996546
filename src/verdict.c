/* SPDX-License-Identifier: Apache-2.0 */
/* What a verdict says, to people and to metrics: what was found, and which key makes it count. */
#include "plan.h"

#include <cosmolet/mem.h>

#define LISTED_MAX 8 /* of a list in the configuration; the rest is only counted */

static const char *const reason_words[N_REASONS] = {
	[REASON_READY] = "ready",
	[REASON_TERMINATING] = "terminating_but_serving",
	[REASON_DEGRADED] = "degraded",
	[REASON_DELETED] = "service_deleted",
	[REASON_DELETING] = "service_deleting",
	[REASON_EXTERNAL_NAME] = "external_name",
	[REASON_HEADLESS] = "headless",
	[REASON_NAMESPACE] = "namespace",
	[REASON_NAMESPACE_SELECTOR] = "namespace_selector",
	[REASON_OPTED_OUT] = "opted_out",
	[REASON_NO_ADDRESS] = "no_address",
	[REASON_OTHER_PROXY] = "other_proxy",
	[REASON_KIND] = "address_kind",
	[REASON_CLASS] = "load_balancer_class",
	[REASON_PROXY] = "ip_mode_proxy",
	[REASON_SPECIAL] = "special_address",
	[REASON_NOT_ALLOWED] = "not_allowed",
	[REASON_NODE_ADDRESS] = "node_address",
	[REASON_POD_RANGE] = "pod_range",
	[REASON_TAKEN] = "others_cluster_ip",
	[REASON_NODE_EXCLUDED] = "node_excluded",
	[REASON_NODE_DRAINED] = "node_drained",
	[REASON_NODE_NETWORK] = "node_network_unavailable",
	[REASON_NODE_NOT_READY] = "node_not_ready",
	[REASON_NODE_OUT_OF_SERVICE] = "node_out_of_service",
	[REASON_NODE_OF_CLASS] = "node_of_class",
	[REASON_API_SERVER] = "api_server",
	[REASON_SLICES_UNKNOWN] = "endpoint_slices_unknown",
	[REASON_NO_SLICES] = "no_endpoint_slices",
	[REASON_NO_PODS] = "no_pods",
	[REASON_NOT_READY] = "not_ready",
};

const char *reason_word(enum reason reason)
{
	return reason_words[reason];
}

static void print_item(FILE *out, size_t i, size_t n, const char *text)
{
	if (i < LISTED_MAX)
		fprintf(out, "%s%s", i ? ", " : "", text);
	else if (i == LISTED_MAX)
		fprintf(out, " and %zu more", n - i);
}

/* "a, b"; for free(), as the next one. */
static char *strings_text(const struct config_strings *strings)
{
	char *text = NULL;
	size_t size;
	FILE *out = xmemstream(&text, &size);

	for (size_t i = 0; i < strings->n; i++)
		print_item(out, i, strings->n, *strings->items[i] ? strings->items[i] : "\"\"");
	fclose(out);
	return text;
}

static char *prefixes_text(const struct config_prefixes *prefixes)
{
	char *text = NULL;
	size_t size;
	FILE *out = xmemstream(&text, &size);

	for (size_t i = 0; i < prefixes->n; i++) {
		char buf[PREFIX_STRLEN];

		print_item(out, i, prefixes->n, prefix_text(&prefixes->items[i], buf));
	}
	fclose(out);
	return text;
}

static char *class_text(const struct config *config, const struct verdict *verdict)
{
	auto_free char *classes = strings_text(&config->services_classes);

	if (!verdict->load_balancer_class)
		return xasprintf("it has no loadBalancerClass, and those without are not among "
				 "services.load_balancer_classes of the configuration (%s)",
			classes);
	return xasprintf("its loadBalancerClass %s is not among services.load_balancer_classes of "
			 "the configuration (%s)",
		verdict->load_balancer_class, classes);
}

static char *not_allowed_text(const struct config *config)
{
	auto_free char *allowed = prefixes_text(&config->services_allow);

	if (!config->services_allow.n)
		return xstrdup("external IPs are announced only inside services.allow of the "
			       "configuration, which is empty");
	return xasprintf("it is outside services.allow of the configuration (%s)", allowed);
}

static char *no_pods_text(const struct verdict *verdict)
{
	if (verdict->by_slices)
		return xstrdup(verdict->cluster ? "it has no endpoint in the cluster"
						: "none of its endpoints is on this node");
	if (verdict->tally.ended)
		return xasprintf("the service selects no pod on this node but %u that %s ended",
			verdict->tally.ended, verdict->tally.ended == 1 ? "has" : "have");
	return xstrdup("the service selects no pod on this node");
}

/* ", 2 are needed"; "" where one suffices. For free(). */
static char *needed_text(const struct verdict *verdict)
{
	uint64_t n = verdict_needs(verdict);

	if (verdict->min_ready < 0)
		return xasprintf(", %llu are needed (min_ready: %lld%%)", (unsigned long long)n,
			(long long)-verdict->min_ready);
	return n > 1 ? xasprintf(", %llu are needed (min_ready)", (unsigned long long)n)
		     : xstrdup("");
}

/* "; web-1: Terminating", of one pod that is not ready; for free(). */
static char *example_text(const struct k8s_object *pod)
{
	const char *reason = NULL;

	if (!pod)
		return xstrdup("");
	reason = pod->meta.deleting ? "Terminating" : pod->pod.ready_reason;
	return xasprintf("; %s: %s", pod->meta.name, reason ? reason : "not Ready");
}

static char *pods_text(const struct verdict *verdict)
{
	const struct tally *tally = &verdict->tally;
	auto_free char *need = needed_text(verdict);
	auto_free char *example = example_text(tally->example);
	auto_free char *family =
		tally->other_family
			? xasprintf("; %u without an IPv%d address", tally->other_family,
				  family_number(verdict->address.family))
			: xstrdup("");

	return xasprintf("%u of %u %s %s ready%s%s%s", tally->ready, tally->selected,
		verdict->by_slices ? "endpoints" : "pods",
		verdict->cluster ? "in the cluster are" : "on this node are", need, family,
		example);
}

char *verdict_text(const struct config *config, const struct verdict *verdict)
{
	switch (verdict->reason) {
	case REASON_READY:
	case REASON_NOT_READY: return pods_text(verdict);
	case REASON_TERMINATING:
		return xasprintf("no %s is ready; of those that terminate %u still serve%s",
			verdict->cluster     ? "endpoint in the cluster"
			: verdict->by_slices ? "endpoint on this node"
					     : "pod on this node",
			verdict->tally.serving, verdict->tally.serving == 1 ? "s" : "");
	case REASON_DEGRADED: {
		auto_free char *pods = pods_text(verdict);

		return xasprintf("degraded: %s", pods);
	}
	case REASON_DELETED: return xstrdup("the service is gone");
	case REASON_DELETING: return xstrdup("the service is being deleted");
	case REASON_EXTERNAL_NAME:
		return xstrdup(
			"the service is of type ExternalName: a DNS alias without addresses");
	case REASON_HEADLESS:
		return xstrdup(
			"the service is headless (clusterIP: None): no proxy serves its addresses");
	case REASON_NAMESPACE: {
		auto_free char *namespaces = strings_text(&config->services_namespaces);

		return xasprintf(
			"its namespace is not among services.namespaces of the configuration (%s)",
			namespaces);
	}
	case REASON_NAMESPACE_SELECTOR:
		return xasprintf("services.namespace_selector of the configuration (%s) does not "
				 "select its namespace",
			config->services_namespace_selector);
	case REASON_OPTED_OUT: return xstrdup("its annotation " ANNOTATION_ANNOUNCE " says so");
	case REASON_NO_ADDRESS: return xstrdup("it has no address yet");
	case REASON_OTHER_PROXY: {
		auto_free char *proxies = strings_text(&config->services_proxies);

		return xasprintf("its label " LABEL_PROXY " gives it to a proxy that is not among "
				 "services.proxies of the configuration (%s)",
			proxies);
	}
	case REASON_KIND:
		return xasprintf("%s is not among services.addresses of the configuration",
			address_kind_text(verdict->kind));
	case REASON_CLASS: return class_text(config, verdict);
	case REASON_PROXY:
		return xstrdup(
			"its load balancer delivers to the nodes' own addresses (ipMode: Proxy)");
	case REASON_SPECIAL:
		return xstrdup("it is a loopback, link-local, multicast or unspecified address");
	case REASON_NOT_ALLOWED: return not_allowed_text(config);
	case REASON_NODE_ADDRESS: return xstrdup("it is an address of this node itself");
	case REASON_POD_RANGE:
		return xstrdup("it is an external IP inside the range of this node's pods "
			       "(the node's spec.podCIDRs)");
	case REASON_TAKEN:
		return xasprintf("it is an external IP, but the cluster IP of the service %s/%s",
			verdict->holder->meta.namespace, verdict->holder->meta.name);
	case REASON_NODE_EXCLUDED:
		return xstrdup("the node has the label " NODE_LABEL_EXCLUDE
			       " (announce.withdraw_on: exclude_label)");
	case REASON_NODE_DRAINED: return xasprintf("the node is drained: %s", verdict->drained);
	case REASON_NODE_NETWORK:
		return xstrdup("the node's condition NetworkUnavailable is True "
			       "(announce.withdraw_on: network_unavailable)");
	case REASON_NODE_NOT_READY:
		return xstrdup("the node's condition Ready is not True "
			       "(announce.withdraw_on: not_ready)");
	case REASON_NODE_OUT_OF_SERVICE:

		return xstrdup("the node has the taint " NODE_TAINT_OUT_OF_SERVICE
			       " (announce.withdraw_on: out_of_service)");
	case REASON_NODE_OF_CLASS:
		return xasprintf("this node is not among the nodes of the %s %s (%s)",
			verdict->class->by_policy ? "policy" : "class", verdict->class->name,
			verdict->class->nodes);
	case REASON_API_SERVER:
		return xstrdup("it is the API server's own service: its endpoints name no node");
	case REASON_SLICES_UNKNOWN:
		return xstrdup(
			"its EndpointSlices are not known yet; until then all stays as it is");
	case REASON_NO_SLICES:
		return xstrdup("the service has no selector, and there is no EndpointSlice for it");
	case REASON_NO_PODS: return no_pods_text(verdict);
	case N_REASONS: break;
	}
	abort();
}
