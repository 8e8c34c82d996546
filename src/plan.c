/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decision. For each address the rules are asked in one fixed order, and the first one that has
 * an objection decides; so there is always exactly one reason, and it can be told.
 *
 * The order goes from what concerns the service to what concerns the address, then the node, then
 * the pods: what an operator would check first comes first. Which pods count follows the
 * EndpointSlice controller (podToEndpoint) and kube-proxy (CategorizeEndpoints, KEP-1669).
 */
#include "plan.h"

#include "policy.h"

#include <string.h>

bool reason_is_up(enum reason reason)
{
	return reason <= REASON_DEGRADED;
}

bool reason_is_ill(enum reason reason)
{
	return reason == REASON_NO_SLICES || reason == REASON_NO_PODS || reason == REASON_NOT_READY;
}

static bool among(const struct config_strings *strings, const char *word)
{
	for (size_t i = 0; i < strings->n; i++) {
		if (!strcmp(strings->items[i], word))
			return true;
	}
	return false;
}

/* Go's strconv.ParseBool, as the service controller reads it; *out is untouched if it is none. */
static bool parse_bool(const char *text, bool *out)
{
	static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
	static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};

	for (size_t i = 0; i < N_ELEMENTS(yes); i++) {
		if (!strcmp(text, yes[i]) || !strcmp(text, no[i])) {
			*out = !strcmp(text, yes[i]);
			return true;
		}
	}
	return false;
}

/* What the service says for itself: counts only if the configuration lets it. */

static const char *annotation(
	const struct config *config, const struct k8s_object *object, enum config_annotation which)
{
	static const char *const keys[] = {
		ANNOTATION_ANNOUNCE, ANNOTATION_CLASS, ANNOTATION_SCOPE, ANNOTATION_MIN_READY};

	if (!(config->services_annotations & 1u << which))
		return NULL;
	return k8s_map_get(&object->meta.annotations, keys[which]);
}

static bool may_name(const struct config_class *class, const struct k8s_object *object)
{
	return !class->namespaces.n || among(&class->namespaces, object->meta.namespace);
}

/*
 * The nearest word counts: what the service says of itself, as far as the configuration lets it;
 * then what the cluster's policies say of such services; then what holds for all.
 */
static const struct config_class *class_of(
	const struct config *config, const struct cluster *cluster, const struct k8s_object *object)
{
	const char *name = annotation(config, object, ANNOTATE_CLASS);
	const struct config_class *class = name ? config_find_class(config, name) : NULL;
	const struct policy *policy;

	if (class && may_name(class, object))
		return class;
	policy = policies_find(cluster->decoded, object, cluster_node(cluster));
	return policy ? &policy->class : &config->defaults;
}

/* What counts for the service: its own word before that of its class. */
static void settle(
	const struct config *config, const struct k8s_object *object, struct verdict *verdict)
{
	const char *scope_text = annotation(config, object, ANNOTATE_SCOPE);
	const char *min_ready_text = annotation(config, object, ANNOTATE_MIN_READY);
	int64_t min_ready;
	int scope;

	verdict->scope = (enum config_scope)verdict->class->scope;
	verdict->min_ready = verdict->class->min_ready;
	if (scope_text && config_parse_scope(scope_text, &scope)) {
		verdict->scope = (enum config_scope)scope;
		verdict->annotated |= 1u << ANNOTATE_SCOPE;
	}
	if (min_ready_text && config_parse_min_ready(min_ready_text, &min_ready)) {
		verdict->min_ready = min_ready;
		verdict->annotated |= 1u << ANNOTATE_MIN_READY;
	}
}

/* What objects to an annotation; NULL: nothing. For free(). */
static char *complaint(
	const struct config *config, const struct k8s_object *object, enum config_annotation which)
{
	const char *text = annotation(config, object, which);
	const struct config_class *class;
	int64_t min_ready;
	int scope;
	bool boolean;

	if (!text)
		return NULL;
	switch (which) {
	case ANNOTATE_ANNOUNCE:
		return parse_bool(text, &boolean)
			       ? NULL
			       : xasprintf(ANNOTATION_ANNOUNCE ": \"%.60s\" is no boolean; write "
							       "\"true\" or \"false\"",
					 text);
	case ANNOTATE_CLASS:
		class = config_find_class(config, text);
		if (!class)
			return xasprintf(ANNOTATION_CLASS
				": the configuration has no class \"%.60s\"",
				text);
		return may_name(class, object)
			       ? NULL
			       : xasprintf(ANNOTATION_CLASS ": services of this namespace may not "
							    "name the class \"%.60s\"",
					 text);
	case ANNOTATE_SCOPE:
		return config_parse_scope(text, &scope)
			       ? NULL
			       : xasprintf(ANNOTATION_SCOPE ": \"%.60s\" is not allowed; write "
							    "local, auto or cluster",
					 text);
	case ANNOTATE_MIN_READY:
		return config_parse_min_ready(text, &min_ready)
			       ? NULL
			       : xasprintf(ANNOTATION_MIN_READY
					 ": \"%.60s\" is not allowed; write a number, or a share "
					 "like \"50%%\"",
					 text);
	}
	abort();
}

char *plan_complaint(const struct config *config, const struct k8s_object *object)
{
	char *text = NULL;

	for (int i = ANNOTATE_ANNOUNCE; i <= ANNOTATE_MIN_READY; i++) {
		auto_free char *wrong = complaint(config, object, (enum config_annotation)i);
		auto_free char *before = wrong ? TAKE(text) : NULL;

		if (wrong)
			text = xasprintf("%s%sannotation %s; it is ignored", before ? before : "",
				before ? "; " : "", wrong);
	}
	return text;
}

/* Rules: what each looks at, and whether it objects. */

struct matter {
	const struct config *config;
	const struct cluster *cluster;
	const struct k8s_object *service;
	const struct k8s_object *node; /* NULL: not known, which is no reason to object */
	const struct verdict *verdict;
	const struct k8s_object *holder; /* the service whose cluster IP it is; NULL: none */
};

/* Of the service. */

static bool is_in_other_namespace(const struct matter *matter)
{
	const struct config_strings *namespaces = &matter->config->services_namespaces;

	return namespaces->n && !among(namespaces, matter->service->meta.namespace);
}

static bool is_in_unselected_namespace(const struct matter *matter)
{
	return matter->config->services_namespace_selector &&
	       !cluster_namespace(matter->cluster, matter->service->meta.namespace);
}

static bool is_deleting(const struct matter *matter)
{
	return matter->service->meta.deleting &&
	       matter->config->announce_withdraw_on & 1u << WITHDRAW_ON_SERVICE_DELETION;
}

static bool is_external_name(const struct matter *matter)
{
	return matter->service->service.type == K8S_EXTERNAL_NAME;
}

static bool is_opted_out(const struct matter *matter)
{
	const char *announce = annotation(matter->config, matter->service, ANNOTATE_ANNOUNCE);
	bool wanted = true;

	return announce && parse_bool(announce, &wanted) && !wanted;
}

/* External IPs or not: kube-proxy passes it over. */
static bool is_headless(const struct matter *matter)
{
	return matter->service->service.headless;
}

/* Where none are named, such services do not even come. */
static bool is_of_other_proxy(const struct matter *matter)
{
	const char *proxy = k8s_map_get(&matter->service->meta.labels, LABEL_PROXY);

	return proxy && !among(&matter->config->services_proxies, proxy);
}

/* Of the address. */

static bool has_no_address(const struct matter *matter)
{
	return !matter->verdict->address.family;
}

static bool is_of_proxy(const struct matter *matter)
{
	return matter->verdict->reason == REASON_PROXY;
}

static bool is_of_other_kind(const struct matter *matter)
{
	return !(matter->config->services_addresses & 1u << matter->verdict->kind);
}

static bool is_of_other_class(const struct matter *matter)
{
	const struct config_strings *classes = &matter->config->services_classes;
	const char *class = matter->service->service.load_balancer_class;

	return matter->verdict->kind == KIND_LOAD_BALANCER && !among(classes, "*") &&
	       !among(classes, class ? class : "");
}

static bool is_special(const struct matter *matter)
{
	return prefix_is_special(&matter->verdict->address);
}

static bool is_not_allowed(const struct matter *matter)
{
	const struct config_prefixes *allow = &matter->config->services_allow;

	for (size_t i = 0; i < allow->n; i++) {
		if (prefix_contains(&allow->items[i], &matter->verdict->address))
			return false;
	}
	return allow->n || matter->verdict->kind == KIND_EXTERNAL_IP;
}

static bool is_node_address(const struct matter *matter)
{
	for (size_t i = 0; matter->node && i < matter->node->node.n_addresses; i++) {
		if (!prefix_cmp(&matter->node->node.addresses[i], &matter->verdict->address))
			return true;
	}
	return false;
}

/* Any author of a service may write any external IP. */
static bool is_of_pods(const struct matter *matter)
{
	const struct k8s_object *node = matter->node;

	if (!node || matter->verdict->kind != KIND_EXTERNAL_IP)
		return false;
	for (size_t i = 0; i < node->node.n_pod_cidrs; i++) {
		if (prefix_contains(&node->node.pod_cidrs[i], &matter->verdict->address))
			return true;
	}
	return false;
}

/* Of two services kube-proxy serves one, if the ports are the same: not the one that came second.
 */
static bool is_taken(const struct matter *matter)
{
	return matter->holder;
}

/* Of the node. */

static bool is_tainted(const struct k8s_object *object, const char *key)
{
	for (size_t i = 0; i < object->node.n_taints; i++) {
		if (!strcmp(object->node.taints[i].key, key))
			return true;
	}
	return false;
}

/* NULL: none of those that drain. */
static const char *find_drain_taint(const struct config *config, const struct k8s_object *object)
{
	const struct config_strings *taints = &config->announce_drain_taints;

	for (size_t i = 0; i < taints->n; i++) {
		if (is_tainted(object, taints->items[i]))
			return taints->items[i];
	}
	return NULL;
}

char *plan_drain_trigger(const struct config *config, const struct k8s_object *object)
{
	uint32_t on = config->announce_drain_on;
	const char *annotation =
		object ? k8s_map_get(&object->meta.annotations, ANNOTATION_DRAIN) : NULL;
	const char *taint = object ? find_drain_taint(config, object) : NULL;
	bool asked = false;

	if (!object)
		return NULL;
	if (annotation && parse_bool(annotation, &asked) && asked && on & 1u << DRAIN_ON_ANNOTATION)
		return xstrdup("the node's annotation " ANNOTATION_DRAIN);
	if (on & 1u << DRAIN_ON_TAINT && taint)
		return xasprintf("the node's taint %s", taint);
	if (on & 1u << DRAIN_ON_DELETION && object->meta.deleting)
		return xstrdup("the node is being deleted");
	if (on & 1u << DRAIN_ON_SHUTDOWN && object->node.shutting_down)
		return xstrdup("the node is shutting down, as the kubelet says");
	if (on & 1u << DRAIN_ON_CORDON && object->node.unschedulable)
		return xstrdup("the node is cordoned");
	return NULL;
}

static bool is_drained(const struct matter *matter)
{
	return matter->cluster->drained;
}

static bool withdraws_on(const struct matter *matter, enum config_withdraw_on what)
{
	return matter->node && matter->config->announce_withdraw_on & 1u << what;
}

/* The label of the service controller; also if the value is no boolean, as that one has it. */
static bool is_excluded(const struct matter *matter)
{
	const char *text;
	bool excluded = true;

	if (!withdraws_on(matter, WITHDRAW_ON_EXCLUDE_LABEL) ||
		matter->verdict->kind == KIND_CLUSTER_IP)
		return false;
	text = k8s_map_get(&matter->node->meta.labels, NODE_LABEL_EXCLUDE);
	if (text)
		(void)parse_bool(text, &excluded);
	return text && excluded;
}

static bool has_no_network(const struct matter *matter)
{
	return withdraws_on(matter, WITHDRAW_ON_NETWORK_UNAVAILABLE) &&
	       matter->node->node.network_unavailable;
}

static bool is_not_ready(const struct matter *matter)
{
	return withdraws_on(matter, WITHDRAW_ON_NOT_READY) && !matter->node->node.ready;
}

static bool is_out_of_service(const struct matter *matter)
{
	return withdraws_on(matter, WITHDRAW_ON_OUT_OF_SERVICE) &&
	       is_tainted(matter->node, NODE_TAINT_OUT_OF_SERVICE);
}

static bool is_not_of_class(const struct matter *matter)
{
	const struct k8s_label_selector *selector = matter->verdict->class->node_selector;

	return matter->node && selector &&
	       !k8s_label_selector_matches(selector, &matter->node->meta.labels);
}

/* The pods. */

static bool has_family(const struct k8s_pod *pod, uint8_t family)
{
	for (size_t i = 0; i < pod->n_ips; i++) {
		if (pod->ips[i].family == family)
			return true;
	}
	return false;
}

static void count_pod(
	const struct k8s_object *object, bool not_ready_counts, uint8_t family, struct tally *tally)
{
	const struct k8s_pod *pod = &object->pod;

	if (pod->phase == K8S_PHASE_SUCCEEDED || pod->phase == K8S_PHASE_FAILED) {
		tally->ended++;
		return;
	}
	tally->selected++;
	if (pod->n_ips && !has_family(pod, family)) {
		tally->other_family++;
	} else if (pod->n_ips && (not_ready_counts || (pod->ready && !object->meta.deleting))) {
		tally->ready++;
	} else if (pod->n_ips && pod->ready) {
		tally->serving++;
	} else {
		tally->example = object;
	}
}

static void count_pods(
	const struct cluster *cluster, const struct k8s_object *object, struct verdict *verdict)
{
	size_t first, end = cluster_pods(cluster, object, &first);

	for (size_t i = first; i < end; i++) {
		const struct labelled *candidate = cluster->by_label.items[i];
		const struct k8s_object *pod = candidate->pod;

		if (k8s_selects(&object->service.selector, &pod->meta.labels))
			count_pod(pod, object->service.publish_not_ready, verdict->address.family,
				&verdict->tally);
	}
}

/* An endpoint may stand in two slices for a moment (KEP-752), and is one all the same. */
struct found {
	const struct k8s_endpoint *endpoint;
	uint8_t family; /* of its slice */
	size_t order;
};

static int found_cmp(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	int c = prefix_cmp(&x->endpoint->address, &y->endpoint->address);

	return c ? c : (x->order > y->order) - (x->order < y->order);
}

/* A host name has no address; two of them are two. */
static bool is_repeated(const struct found *found, size_t i)
{
	const struct prefix *address = &found[i].endpoint->address;

	return i > 0 && address->family && !prefix_cmp(address, &found[i - 1].endpoint->address);
}

static void count_endpoint(const struct k8s_endpoint *endpoint, struct tally *tally)
{
	tally->ready += endpoint->ready;
	tally->serving += !endpoint->ready && endpoint->serving && endpoint->terminating;
}

static size_t count_all(const struct cluster *cluster, size_t first, size_t end)
{
	size_t n = 0;

	for (size_t i = first; i < end; i++) {
		const struct k8s_object *object = cluster->by_service.items[i];

		n += object->slice.n_endpoints;
	}
	return n;
}

/* Those that could count, sorted by address. For free(). */
static struct found *find_endpoints(
	const struct cluster *cluster, size_t first, size_t end, const char *node, size_t *out_n)
{
	struct found *found = xcalloc(count_all(cluster, first, end) + 1, sizeof(*found));
	size_t n = 0;

	for (size_t i = first; i < end; i++) {
		const struct k8s_object *object = cluster->by_service.items[i];
		const struct k8s_endpointslice *slice = &object->slice;

		for (size_t j = 0; j < slice->n_endpoints; j++) {
			const struct k8s_endpoint *endpoint = &slice->endpoints[j];
			bool here = endpoint->node && node && !strcmp(endpoint->node, node);

			if (here || !node) {
				found[n] = (struct found){endpoint, slice->family, n};
				n++;
			}
		}
	}
	qsort(found, n, sizeof(*found), found_cmp);
	*out_n = n;
	return found;
}

/* Where a service has no selector, whoever writes its EndpointSlices decides; or all endpoints. */
static bool count_slices(const struct config *config, const struct cluster *cluster,
	const struct k8s_object *object, struct verdict *verdict)
{
	size_t first, n, end = cluster_slices(cluster, object, &first);
	auto_free struct found *found =
		find_endpoints(cluster, first, end, verdict->cluster ? NULL : config->node, &n);
	struct tally *tally = &verdict->tally;

	for (size_t i = 0; i < n; i++) {
		if (is_repeated(found, i))
			continue;
		tally->selected++;
		if (found[i].family == verdict->address.family)
			count_endpoint(found[i].endpoint, tally);
		else
			tally->other_family++;
	}
	return end > first;
}

/* KEP-2086 for the cluster IPs. */
enum k8s_traffic_policy plan_policy(const struct k8s_service *service, enum address_kind kind)
{
	return kind == KIND_CLUSTER_IP ? service->internal_policy : service->external_policy;
}

/* Whose pods count, for this address of the service. */
static bool is_cluster_wide(const struct k8s_object *object, const struct verdict *verdict)
{
	switch (verdict->scope) {
	case SCOPE_LOCAL: return false;
	case SCOPE_CLUSTER: return true;
	case SCOPE_AUTO: break;
	}
	return plan_policy(&object->service, verdict->kind) == K8S_POLICY_CLUSTER;
}

/*
 * Every cluster has this service without a selector. Its endpoints name no node, so looking for one
 * here would cost a watch of all EndpointSlices, for nothing.
 */
static bool is_api_server(const struct matter *matter)
{
	const struct k8s_object *object = matter->service;

	return object->service.selector.n == 0 && !strcmp(object->meta.namespace, "default") &&
	       !strcmp(object->meta.name, "kubernetes");
}

uint64_t verdict_needs(const struct verdict *verdict)
{
	uint64_t able = verdict->tally.selected - verdict->tally.other_family;

	if (verdict->min_ready >= 0)
		return (uint64_t)verdict->min_ready;
	return MAX((able * (uint64_t)-verdict->min_ready + 99) / 100, 1u);
}

static enum reason judge_tally(const struct verdict *verdict)
{
	const struct tally *tally = &verdict->tally;
	/* As kube-proxy: those that terminate count if there are no others. */
	unsigned serving = tally->ready ? tally->ready : tally->serving;

	if (serving >= verdict_needs(verdict))
		return tally->ready ? REASON_READY : REASON_TERMINATING;
	if (serving && verdict->class->degraded_tag)
		return REASON_DEGRADED;
	return tally->selected ? REASON_NOT_READY : REASON_NO_PODS;
}

static enum reason judge_pods(const struct config *config, const struct cluster *cluster,
	const struct k8s_object *object, struct verdict *verdict)
{
	verdict->cluster = is_cluster_wide(object, verdict);
	verdict->by_slices = verdict->cluster || object->service.selector.n == 0;
	if (verdict->by_slices && !cluster_knows_slices(cluster, object))
		return REASON_SLICES_UNKNOWN;
	if (!verdict->by_slices)
		count_pods(cluster, object, verdict);
	else if (!count_slices(config, cluster, object, verdict))
		return REASON_NO_SLICES;
	return judge_tally(verdict);
}

/* What the routers are told with the route. */
static void mark(struct verdict *verdict)
{
	const struct config_class *class = verdict->class;
	const struct tally *tally = &verdict->tally;
	int64_t serving = tally->ready ? tally->ready : tally->serving;
	int64_t weight = MAX(MIN(serving, class->weight_limit), 1);

	verdict->tag = (uint32_t) class->tag;
	verdict->metric = (uint32_t) class->metric;
	if (verdict->reason == REASON_DEGRADED)
		verdict->tag = (uint32_t) class->degraded_tag;
	else if (class->weight == WEIGHT_TAG)
		verdict->tag = (uint32_t)(class->tag + weight - 1);
	if (class->weight == WEIGHT_METRIC)
		verdict->metric =
			(uint32_t)MIN(class->metric + class->weight_limit - weight, UINT32_MAX);
}

/* All of it, for one address. */

static const struct {
	struct plan_rule rule;
	bool (*objects)(const struct matter *matter);
} rules[] = {
	{{REASON_NAMESPACE, "its namespace is one of those that count",
		 "metadata.namespace; services.namespaces"},
		is_in_other_namespace},
	{{REASON_NAMESPACE_SELECTOR, "its namespace has the labels that are asked for",
		 "the namespace's metadata.labels; services.namespace_selector"},
		is_in_unselected_namespace},
	{{REASON_DELETING, "it is not being deleted",
		 "metadata.deletionTimestamp; announce.withdraw_on"},
		is_deleting},
	{{REASON_EXTERNAL_NAME, "it is not a DNS alias", "spec.type"}, is_external_name},
	{{REASON_OPTED_OUT, "it does not opt out",
		 "annotation " ANNOTATION_ANNOUNCE "; services.annotations"},
		is_opted_out},
	{{REASON_HEADLESS, "it is not headless", "spec.clusterIP"}, is_headless},
	{{REASON_OTHER_PROXY, "it is kube-proxy's, or of a proxy that counts",
		 "its label " LABEL_PROXY "; services.proxies"},
		is_of_other_proxy},
	{{REASON_NO_ADDRESS, "it has an address",
		 "spec.clusterIPs, spec.externalIPs, status.loadBalancer.ingress"},
		has_no_address},
	{{REASON_PROXY, "the load balancer leaves the address to the nodes",
		 "status.loadBalancer.ingress.ipMode"},
		is_of_proxy},
	{{REASON_KIND, "addresses of this kind are announced", "services.addresses"},
		is_of_other_kind},
	{{REASON_CLASS, "its load balancer class is one of those that count",
		 "spec.loadBalancerClass; services.load_balancer_classes"},
		is_of_other_class},
	{{REASON_SPECIAL, "the address can be announced at all", "RFC 6890"}, is_special},
	{{REASON_NODE_ADDRESS, "the address is none of the node's own",
		 "the node's status.addresses"},
		is_node_address},
	{{REASON_POD_RANGE, "as an external IP it is none of the node's pods'",
		 "the node's spec.podCIDRs"},
		is_of_pods},
	{{REASON_TAKEN, "as an external IP it is not another service's cluster IP",
		 "spec.externalIPs; the other service's spec.clusterIPs"},
		is_taken},
	{{REASON_NOT_ALLOWED, "the address is allowed", "services.allow"}, is_not_allowed},
	{{REASON_NODE_DRAINED, "the node is not drained", "announce.drain_on"}, is_drained},
	{{REASON_NODE_EXCLUDED, "the node is not excluded from load balancing",
		 "the node's metadata.labels; announce.withdraw_on"},
		is_excluded},
	{{REASON_NODE_NETWORK, "the node has network",
		 "the node's condition NetworkUnavailable; announce.withdraw_on"},
		has_no_network},
	{{REASON_NODE_NOT_READY, "the node is Ready, where that is asked for",
		 "the node's condition Ready; announce.withdraw_on"},
		is_not_ready},
	{{REASON_NODE_OUT_OF_SERVICE, "the node is not out of service, where that is asked for",
		 "the node's taints; announce.withdraw_on"},
		is_out_of_service},
	{{REASON_NODE_OF_CLASS, "its class is announced from this node", "classes.NAME.nodes"},
		is_not_of_class},
	{{REASON_API_SERVER, "it is not the API server's own", "metadata.name"}, is_api_server},
};

const struct plan_rule *plan_rule(size_t i)
{
	return i < N_ELEMENTS(rules) ? &rules[i].rule : NULL;
}

static enum reason ask_rules(const struct matter *matter)
{
	for (size_t i = 0; i < N_ELEMENTS(rules); i++) {
		if (rules[i].objects(matter))
			return rules[i].rule.reason;
	}
	return REASON_READY;
}

/* What the words for the reason need besides. */
static void explain(const struct matter *matter, struct verdict *verdict)
{
	if (verdict->reason == REASON_TAKEN)
		verdict->holder = matter->holder;
	else if (verdict->reason == REASON_NODE_DRAINED)
		verdict->drained = matter->cluster->drained;
	else if (verdict->reason == REASON_CLASS)
		verdict->load_balancer_class = matter->service->service.load_balancer_class;
}

static void judge(const struct config *config, const struct cluster *cluster,
	const struct k8s_object *object, struct verdict *verdict)
{
	struct matter matter = {config, cluster, object, cluster_node(cluster), verdict, NULL};

	settle(config, object, verdict);
	if (verdict->kind == KIND_EXTERNAL_IP)
		matter.holder = cluster_ip_of(cluster, &verdict->address, object);
	verdict->reason = ask_rules(&matter);
	explain(&matter, verdict);
	if (verdict->reason == REASON_READY)
		verdict->reason = judge_pods(config, cluster, object, verdict);
	mark(verdict);
}

static struct verdict candidate(
	const struct prefix *address, enum address_kind kind, const struct config_class *class)
{
	return (struct verdict){
		.address = *address, .kind = kind, .reason = REASON_READY, .class = class};
}

size_t plan_service(const struct config *config, const struct cluster *cluster,
	const struct k8s_object *object, struct verdict **out)
{
	const struct k8s_service *service = &object->service;
	size_t n = 0, most = service->n_cluster_ips + service->n_ingress + service->n_external_ips;
	struct verdict *verdicts = xcalloc(most + 1, sizeof(*verdicts));
	const struct config_class *class = class_of(config, cluster, object);

	for (size_t i = 0; i < service->n_cluster_ips; i++)
		verdicts[n++] = candidate(&service->cluster_ips[i], KIND_CLUSTER_IP, class);
	for (size_t i = 0; i < service->n_ingress; i++) {
		verdicts[n] = candidate(&service->ingress[i].address, KIND_LOAD_BALANCER, class);
		verdicts[n++].reason = service->ingress[i].proxy ? REASON_PROXY : REASON_READY;
	}
	for (size_t i = 0; i < service->n_external_ips; i++)
		verdicts[n++] = candidate(&service->external_ips[i], KIND_EXTERNAL_IP, class);
	if (n == 0) /* of family 0: the service as a whole */
		verdicts[n++].class = class;
	for (size_t i = 0; i < n; i++)
		judge(config, cluster, object, &verdicts[i]);
	*out = verdicts;
	return n;
}
