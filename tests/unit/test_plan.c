/* SPDX-License-Identifier: Apache-2.0 */
/* The decision as a table: what the cluster holds on the left, what comes out on the right. */
#include "objects.h"
#include "plan.h"
#include "unit.h"

#include <string.h>

#define WEB_POD   "label=app:web ip=10.0.0.1 ip=fd00:1::1"
#define WEB       "cluster=10.96.0.1 select=app:web"
#define CLASS     "cosmolet.platformbuilds.io/class"
#define SCOPE     "cosmolet.platformbuilds.io/scope"
#define MIN_READY "cosmolet.platformbuilds.io/min-ready"
#define GOLD      "classes: {gold: {min_ready: 2}}"
#define EXCLUDE   "label=node.kubernetes.io/exclude-from-external-load-balancers:"

#define SELECTOR "services: {namespace_selector: team=shop}"

static const struct {
	const char *name;
	const char *config;  /* YAML lines besides node */
	const char *service; /* of default/web */
	const char *pods[4];
	const char *node;      /* NULL: not known */
	const char *slice;     /* NULL: none */
	const char *verdicts;  /* ADDRESS=reason, separated by spaces */
	const char *namespace; /* that is selected; NULL: none */
	const char *other;     /* default/other, which is not asked about; NULL: none */
	const char *slice_2;
} cases[] = {
	/* pods */
	{"one ready pod", "", WEB, {WEB_POD " ready"}, .verdicts = "10.96.0.1=ready"},
	{"no pod here", "", WEB, {NULL}, .verdicts = "10.96.0.1=no_pods"},
	{"a pod that is not ready", "", WEB, {WEB_POD}, .verdicts = "10.96.0.1=not_ready"},
	{"a pod of another service", "", WEB, {"label=app:db ip=10.0.0.1 ready"},
		.verdicts = "10.96.0.1=no_pods"},
	{"ready, but without an address yet", "", WEB, {"label=app:web ready"},
		.verdicts = "10.96.0.1=not_ready"},
	{"a failed pod does not count", "", WEB, {WEB_POD " ready failed"},
		.verdicts = "10.96.0.1=no_pods"},
	{"terminating and still ready: the fallback", "", WEB, {WEB_POD " ready deleting"},
		.verdicts = "10.96.0.1=terminating_but_serving"},
	{"terminating and not ready any more", "", WEB, {WEB_POD " deleting"},
		.verdicts = "10.96.0.1=not_ready"},
	{"one terminates, another is ready", "", WEB, {WEB_POD " ready deleting", WEB_POD " ready"},
		.verdicts = "10.96.0.1=ready"},
	{"on the host's network", "", WEB, {"label=app:web ip=192.0.2.9 ready"},
		"address=192.0.2.9", .verdicts = "10.96.0.1=ready"},
	{"publishNotReadyAddresses", "", WEB " publish-not-ready", {WEB_POD},
		.verdicts = "10.96.0.1=ready"},
	{"publishNotReadyAddresses, also at the end", "", WEB " publish-not-ready",
		{WEB_POD " deleting"}, .verdicts = "10.96.0.1=ready"},
	{"publishNotReadyAddresses needs an address all the same", "", WEB " publish-not-ready",
		{"label=app:web"}, .verdicts = "10.96.0.1=not_ready"},
	{"every pair of the selector must match", "", WEB " select=tier:front", {WEB_POD " ready"},
		.verdicts = "10.96.0.1=no_pods"},
	{"min_ready not reached", "services: {min_ready: 2}", WEB, {WEB_POD " ready", WEB_POD},
		.verdicts = "10.96.0.1=not_ready"},
	{"min_ready reached", "services: {min_ready: 2}", WEB,
		{WEB_POD " ready", WEB_POD " ready", WEB_POD}, .verdicts = "10.96.0.1=ready"},
	{"terminating pods count if there are no others", "services: {min_ready: 2}", WEB,
		{WEB_POD " ready deleting", WEB_POD " ready deleting"},
		.verdicts = "10.96.0.1=terminating_but_serving"},
	{"a share is rounded up", "services: {min_ready: 50%}", WEB,
		{WEB_POD " ready", WEB_POD, WEB_POD}, .verdicts = "10.96.0.1=not_ready"},
	{"a share that is reached", "services: {min_ready: 50%}", WEB,
		{WEB_POD " ready", WEB_POD " ready", WEB_POD}, .verdicts = "10.96.0.1=ready"},
	{"a share of nothing is one", "services: {min_ready: 50%}", WEB, {NULL},
		.verdicts = "10.96.0.1=no_pods"},
	{"a share of those of the family", "services: {min_ready: 100%}", WEB " cluster=fd00::1",
		{WEB_POD " ready", "label=app:web ip=10.0.0.2 ready"},
		.verdicts = "10.96.0.1=ready fd00::1=ready"},
	{"degraded", "services: {min_ready: 2}\nannounce: {degraded_tag: 9}", WEB,
		{WEB_POD " ready", WEB_POD}, .verdicts = "10.96.0.1=degraded"},
	{"none at all is not degraded", "services: {min_ready: 2}\nannounce: {degraded_tag: 9}",
		WEB, {WEB_POD, WEB_POD}, .verdicts = "10.96.0.1=not_ready"},
	/* annotations */
	{"min-ready", "", WEB " annotation=" MIN_READY ":2", {WEB_POD " ready"},
		.verdicts = "10.96.0.1=not_ready"},
	{"min-ready as a share", "", WEB " annotation=" MIN_READY ":100%",
		{WEB_POD " ready", WEB_POD}, .verdicts = "10.96.0.1=not_ready"},
	{"min-ready of nonsense", "", WEB " annotation=" MIN_READY ":many", {WEB_POD " ready"},
		.verdicts = "10.96.0.1=ready"},
	{"min-ready that is not allowed", "services: {annotations: [class]}",
		WEB " annotation=" MIN_READY ":2", {WEB_POD " ready"},
		.verdicts = "10.96.0.1=ready"},
	{"announce that is not allowed", "services: {annotations: [class]}",
		WEB " annotation=cosmolet.platformbuilds.io/announce:false", {WEB_POD " ready"},
		.verdicts = "10.96.0.1=ready"},
	/* classes of ours */
	{"a class needs more", GOLD, WEB " annotation=" CLASS ":gold", {WEB_POD " ready"},
		.verdicts = "10.96.0.1=not_ready"},
	{"an annotation is nearer than a class", GOLD,
		WEB " annotation=" CLASS ":gold annotation=" MIN_READY ":1", {WEB_POD " ready"},
		.verdicts = "10.96.0.1=ready"},
	{"a class that does not exist", GOLD, WEB " annotation=" CLASS ":silver",
		{WEB_POD " ready"}, .verdicts = "10.96.0.1=ready"},
	{"a class of other namespaces", "classes: {gold: {min_ready: 2, namespaces: [shop]}}",
		WEB " annotation=" CLASS ":gold", {WEB_POD " ready"},
		.verdicts = "10.96.0.1=ready"},
	{"a class of other nodes", "classes: {gold: {nodes: rack=b}}",
		WEB " annotation=" CLASS ":gold", {WEB_POD " ready"}, "label=rack:a",
		.verdicts = "10.96.0.1=node_of_class"},
	{"a class of this node", "classes: {gold: {nodes: rack=b}}",
		WEB " annotation=" CLASS ":gold", {WEB_POD " ready"}, "label=rack:b",
		.verdicts = "10.96.0.1=ready"},
	/* scopes */
	{"in the cluster", "services: {scope: cluster}", WEB, {NULL},
		.slice = "of=web endpoint=other:rs", .verdicts = "10.96.0.1=ready"},
	{"nowhere in the cluster", "services: {scope: cluster}", WEB, {WEB_POD " ready"},
		.slice = "of=web endpoint=other:", .verdicts = "10.96.0.1=not_ready"},
	{"of the other family in the cluster", "services: {scope: cluster}", WEB, {NULL},
		.slice = "of=web ipv6 endpoint=other:rs", .verdicts = "10.96.0.1=not_ready"},
	{"by the policies, Cluster", "services: {scope: auto}", WEB " lb=192.0.2.1", {NULL},
		.slice = "of=web endpoint=other:rs", .verdicts = "10.96.0.1=ready 192.0.2.1=ready"},
	{"by the external one", "services: {scope: auto}", WEB " lb=192.0.2.1 external-local",
		{NULL}, .slice = "of=web endpoint=other:rs",
		.verdicts = "10.96.0.1=ready 192.0.2.1=no_pods"},
	{"by the internal one", "services: {scope: auto}", WEB " lb=192.0.2.1 internal-local",
		{NULL}, .slice = "of=web endpoint=other:rs",
		.verdicts = "10.96.0.1=no_pods 192.0.2.1=ready"},
	{"a scope by annotation", "", WEB " annotation=" SCOPE ":cluster", {NULL},
		.slice = "of=web endpoint=other:rs", .verdicts = "10.96.0.1=ready"},
	{"an endpoint that stands there twice is one", "services: {scope: cluster, min_ready: 2}",
		WEB, {NULL}, .slice = "of=web endpoint=other:rs7 endpoint=other:rs8",
		.verdicts = "10.96.0.1=ready"},
	{"the last that serve in the cluster", "services: {scope: cluster}", WEB, {NULL},
		.slice = "of=web endpoint=other:st endpoint=other:",
		.verdicts = "10.96.0.1=terminating_but_serving"},
	{"published though not ready, in the cluster", "services: {scope: cluster}",
		WEB " publish-not-ready", {NULL}, .slice = "of=web endpoint=other:rt",
		.verdicts = "10.96.0.1=ready"},
	{"of a node that nobody names, in the cluster", "services: {scope: cluster}", WEB, {NULL},
		.slice = "of=web endpoint=:rs", .verdicts = "10.96.0.1=ready"},
	{"a name is no endpoint", "services: {scope: cluster}", WEB, {NULL},
		.slice = "of=web fqdn endpoint=other:rs", .verdicts = "10.96.0.1=not_ready"},
	{"all slices count", "services: {scope: cluster, min_ready: 2}", WEB, {NULL},
		.slice = "of=web endpoint=other:rs7", .slice_2 = "of=web endpoint=other:rs8",
		.verdicts = "10.96.0.1=ready"},
	{"an endpoint that stands in two slices is one", "services: {scope: cluster, min_ready: 2}",
		WEB, {NULL}, .slice = "of=web endpoint=other:rs7",
		.slice_2 = "of=web endpoint=other:rs7", .verdicts = "10.96.0.1=not_ready"},
	/* families */
	{"dual stack", "", WEB " cluster=fd00::1", {WEB_POD " ready"},
		.verdicts = "10.96.0.1=ready fd00::1=ready"},
	{"each family by itself", "", WEB " cluster=fd00::1", {"label=app:web ip=10.0.0.1 ready"},
		.verdicts = "10.96.0.1=ready fd00::1=not_ready"},
	/* addresses */
	{"load balancer and external", "services: {allow: [192.0.2.0/24, 10.96.0.0/12]}",
		WEB " lb=192.0.2.1 external=192.0.2.2", {WEB_POD " ready"},
		.verdicts = "10.96.0.1=ready 192.0.2.1=ready 192.0.2.2=ready"},
	{"external IPs are refused unless allowed", "", WEB " external=192.0.2.2",
		{WEB_POD " ready"}, .verdicts = "10.96.0.1=ready 192.0.2.2=not_allowed"},
	{"nothing outside services.allow", "services: {allow: [192.0.2.0/24]}",
		WEB " lb=198.51.100.1", {WEB_POD " ready"},
		.verdicts = "10.96.0.1=not_allowed 198.51.100.1=not_allowed"},
	{"ipMode Proxy", "", WEB " proxy=192.0.2.1", {WEB_POD " ready"},
		.verdicts = "10.96.0.1=ready 192.0.2.1=ip_mode_proxy"},
	{"only load balancers", "services: {addresses: [load_balancer_ip]}", WEB " lb=192.0.2.1",
		{WEB_POD " ready"}, .verdicts = "10.96.0.1=address_kind 192.0.2.1=ready"},
	{"special addresses", "", WEB " lb=127.0.0.1 lb=fe80::1", {WEB_POD " ready"},
		.verdicts = "10.96.0.1=ready 127.0.0.1=special_address "
			    "fe80::1=special_address"},
	{"the node's own address", "", WEB " lb=192.0.2.9", {WEB_POD " ready"}, "address=192.0.2.9",
		.verdicts = "10.96.0.1=ready 192.0.2.9=node_address"},
	{"the range of the node's pods", "services: {allow: [0.0.0.0/0, '::/0']}",
		WEB " lb=10.0.0.7 external=10.0.0.7 external=fd00:1::7 external=10.0.1.7",
		{WEB_POD " ready"}, "pods=10.0.0.0/24 pods=fd00:1::/64",
		.verdicts = "10.96.0.1=ready 10.0.0.7=ready 10.0.0.7=pod_range "
			    "fd00:1::7=pod_range 10.0.1.7=ready"},
	{"another service's cluster IP", "services: {allow: [0.0.0.0/0, '::/0']}",
		WEB " external=10.96.0.2 external=fd00::2 external=10.96.0.3", {WEB_POD " ready"},
		.verdicts = "10.96.0.1=ready 10.96.0.2=others_cluster_ip "
			    "fd00::2=others_cluster_ip 10.96.0.3=ready",
		.other = "cluster=10.96.0.2 cluster=fd00::2"},
	{"its own cluster IP", "services: {allow: [10.96.0.0/12]}", WEB " external=10.96.0.1",
		{WEB_POD " ready"}, .verdicts = "10.96.0.1=ready 10.96.0.1=ready"},
	{"a load balancer's address is its controller's concern", "", WEB " lb=10.96.0.2",
		{WEB_POD " ready"}, .verdicts = "10.96.0.1=ready 10.96.0.2=ready",
		.other = "cluster=10.96.0.2"},
	/* classes */
	{"a class is not ours", "services: {load_balancer_classes: [\"\"]}",
		WEB " lb=192.0.2.1 class=other.io/lb", {WEB_POD " ready"},
		.verdicts = "10.96.0.1=ready 192.0.2.1=load_balancer_class"},
	{"no class is ours", "services: {load_balancer_classes: [\"\"]}", WEB " lb=192.0.2.1",
		{WEB_POD " ready"}, .verdicts = "10.96.0.1=ready 192.0.2.1=ready"},
	{"a class by name", "services: {load_balancer_classes: [other.io/lb]}",
		WEB " lb=192.0.2.1 class=other.io/lb", {WEB_POD " ready"},
		.verdicts = "10.96.0.1=ready 192.0.2.1=ready"},
	/* services */
	{"not among the namespaces", "services: {namespaces: [shop]}", WEB, {WEB_POD " ready"},
		.verdicts = "10.96.0.1=namespace"},
	{"in a namespace that is selected", SELECTOR, WEB, {WEB_POD " ready"},
		.verdicts = "10.96.0.1=ready", .namespace = "default"},
	{"another namespace is selected", SELECTOR, WEB, {WEB_POD " ready"},
		.verdicts = "10.96.0.1=namespace_selector", .namespace = "shop"},
	{"no namespace is known", SELECTOR, WEB, {WEB_POD " ready"},
		.verdicts = "10.96.0.1=namespace_selector"},
	{"without addresses, its namespace is the reason all the same", SELECTOR, "select=app:web",
		{WEB_POD " ready"}, .verdicts = "none=namespace_selector"},
	{"selected, but not among the namespaces",
		"services: {namespaces: [shop], namespace_selector: a}", WEB, {WEB_POD " ready"},
		.verdicts = "10.96.0.1=namespace", .namespace = "default"},
	{"among the namespaces, but not selected",
		"services: {namespaces: [default], namespace_selector: a}", WEB, {WEB_POD " ready"},
		.verdicts = "10.96.0.1=namespace_selector"},
	{"opted out", "", WEB " annotation=cosmolet.platformbuilds.io/announce:false",
		{WEB_POD " ready"}, .verdicts = "10.96.0.1=opted_out"},
	{"opted in", "", WEB " annotation=cosmolet.platformbuilds.io/announce:true",
		{WEB_POD " ready"}, .verdicts = "10.96.0.1=ready"},
	{"being deleted", "", WEB " deleting", {WEB_POD " ready"},
		.verdicts = "10.96.0.1=service_deleting"},
	{"headless", "", "headless select=app:web", {WEB_POD " ready"},
		.verdicts = "none=headless"},
	{"headless, with an external IP that no proxy serves", "services: {allow: [192.0.2.0/24]}",
		"headless select=app:web external=192.0.2.1", {WEB_POD " ready"},
		.verdicts = "192.0.2.1=headless"},
	{"ExternalName", "", "external-name", {NULL}, .verdicts = "none=external_name"},
	{"of a proxy that is named", "services: {proxies: [x, cilium]}",
		WEB " label=service.kubernetes.io/service-proxy-name:cilium", {WEB_POD " ready"},
		.verdicts = "10.96.0.1=ready"},
	{"of another proxy", "services: {proxies: [x]}",
		WEB " label=service.kubernetes.io/service-proxy-name:cilium", {WEB_POD " ready"},
		.verdicts = "10.96.0.1=other_proxy"},
	{"not allocated yet", "", "select=app:web", {WEB_POD " ready"},
		.verdicts = "none=no_address"},
	/* the node */
	{"excluded from load balancers", "", WEB " lb=192.0.2.1", {WEB_POD " ready"},
		EXCLUDE "true", .verdicts = "10.96.0.1=ready 192.0.2.1=node_excluded"},
	{"excluded by an empty label", "", WEB " lb=192.0.2.1", {WEB_POD " ready"}, EXCLUDE,
		.verdicts = "10.96.0.1=ready 192.0.2.1=node_excluded"},
	{"not excluded by false", "", WEB " lb=192.0.2.1", {WEB_POD " ready"}, EXCLUDE "false",
		.verdicts = "10.96.0.1=ready 192.0.2.1=ready"},
	{"what drains the node does so by and by", "", WEB, {WEB_POD " ready"},
		"taint=ToBeDeletedByClusterAutoscaler", .verdicts = "10.96.0.1=ready"},
	{"no network", "", WEB, {WEB_POD " ready"}, "network-unavailable",
		.verdicts = "10.96.0.1=node_network_unavailable"},
	{"no network, which is not asked", "announce: {withdraw_on: []}", WEB " lb=192.0.2.1",
		{WEB_POD " ready"}, "network-unavailable " EXCLUDE "true",
		.verdicts = "10.96.0.1=ready 192.0.2.1=ready"},
	{"not ready, which is not asked", "", WEB, {WEB_POD " ready"}, "",
		.verdicts = "10.96.0.1=ready"},
	{"out of service, which is not asked", "", WEB, {WEB_POD " ready"},
		"taint=node.kubernetes.io/out-of-service", .verdicts = "10.96.0.1=ready"},
	{"not ready, which is asked", "announce: {withdraw_on: [not_ready]}", WEB,
		{WEB_POD " ready"}, "unschedulable", .verdicts = "10.96.0.1=node_not_ready"},
	{"out of service, which is asked", "announce: {withdraw_on: [out_of_service]}", WEB,
		{WEB_POD " ready"}, "taint=node.kubernetes.io/out-of-service",
		.verdicts = "10.96.0.1=node_out_of_service"},
	{"a deletion that waits for finalizers", "announce: {withdraw_on: []}", WEB " deleting",
		{WEB_POD " ready"}, .verdicts = "10.96.0.1=ready"},
	{"cordon alone changes nothing", "", WEB, {WEB_POD " ready"}, "unschedulable",
		.verdicts = "10.96.0.1=ready"},
	/* without a selector */
	{"no slices", "", "cluster=10.96.0.1", {WEB_POD " ready"},
		.verdicts = "10.96.0.1=no_endpoint_slices"},
	{"an endpoint here", "", "cluster=10.96.0.1", {NULL}, NULL, "of=web endpoint=node:rs",
		.verdicts = "10.96.0.1=ready"},
	{"an endpoint elsewhere", "", "cluster=10.96.0.1", {NULL}, NULL, "of=web endpoint=other:rs",
		.verdicts = "10.96.0.1=no_pods"},
	{"an endpoint of a node that nobody names", "", "cluster=10.96.0.1", {NULL}, NULL,
		"of=web endpoint=:rs", .verdicts = "10.96.0.1=no_pods"},
	{"the last that serves here, others elsewhere", "", "cluster=10.96.0.1", {NULL}, NULL,
		"of=web endpoint=other:rs endpoint=node:st",
		.verdicts = "10.96.0.1=terminating_but_serving"},
	{"a terminating endpoint", "", "cluster=10.96.0.1", {NULL}, NULL, "of=web endpoint=node:st",
		.verdicts = "10.96.0.1=terminating_but_serving"},
	{"an endpoint of the other family", "", "cluster=10.96.0.1", {NULL}, NULL,
		"of=web ipv6 endpoint=node:rs", .verdicts = "10.96.0.1=not_ready"},
	{"slices that are still to come", "", "cluster=10.96.0.1", {NULL}, NULL, "of=unknown",
		.verdicts = "10.96.0.1=endpoint_slices_unknown"},
	{"a slice of another service", "", "cluster=10.96.0.1", {NULL}, NULL,
		"of=db endpoint=node:rs", .verdicts = "10.96.0.1=no_endpoint_slices"},
};

static void take(struct cluster *cluster, struct k8s_object *object)
{
	struct k8s_event event = {.type = K8S_EVENT_OBJECT, .object = object};

	cluster_take(cluster, &event);
}

static bool knows_nothing(const void *data, const char *namespace, const char *name)
{
	(void)data;
	(void)namespace;
	(void)name;
	return false;
}

START_TEST(decides)
{
	auto_config struct config *config = config_of(cases[_i].config);
	auto_free struct verdict *verdicts = NULL;
	auto_free char *got = NULL;
	char buf[PREFIX_STRLEN];
	struct cluster cluster;
	size_t size = 0, n;
	FILE *out = xmemstream(&got, &size);

	cluster_init(&cluster, touch_nothing, NULL);
	take(&cluster, service("default/web", cases[_i].service));
	for (size_t i = 0; i < N_ELEMENTS(cases[_i].pods) && cases[_i].pods[i]; i++) {
		auto_free char *key = xasprintf("default/pod-%zu", i);

		take(&cluster, pod(key, cases[_i].pods[i]));
	}
	if (cases[_i].other)
		take(&cluster, service("default/other", cases[_i].other));
	if (cases[_i].slice_2)
		take(&cluster, slice("default/web-def", cases[_i].slice_2));
	if (cases[_i].namespace)
		take(&cluster, namespace(cases[_i].namespace, ""));
	if (cases[_i].node)
		take(&cluster, node("node", cases[_i].node));
	if (cases[_i].slice && !strcmp(cases[_i].slice, "of=unknown"))
		cluster.knows_slices = knows_nothing;
	else if (cases[_i].slice)
		take(&cluster, slice("default/web-abc", cases[_i].slice));
	n = plan_service(config, &cluster, cluster_service(&cluster, "default", "web"), &verdicts);
	for (size_t i = 0; i < n; i++) {
		auto_free char *text = verdict_text(config, &verdicts[i]);

		ck_assert_str_ne(text, "");
		fprintf(out, "%s%s=%s", i ? " " : "",
			verdicts[i].address.family ? prefix_address(&verdicts[i].address, buf)
						   : "none",
			reason_word(verdicts[i].reason));
	}
	fclose(out);
	cluster_deinit(&cluster);
	ck_assert_msg(!strcmp(got, cases[_i].verdicts), "%s: %s, not %s", cases[_i].name, got,
		cases[_i].verdicts);
}
END_TEST

static const struct {
	const char *config;
	const char *service; /* besides WEB */
	unsigned ready, not_ready;
	uint32_t tag, metric;
} marks[] = {
	{"announce: {tag: 5, metric: 6}", "", 1, 0, 5, 6},
	{"classes: {gold: {tag: 7, metric: 8}}", "", 1, 0, 4711, 0},
	{"classes: {gold: {tag: 7, metric: 8}}", " annotation=" CLASS ":gold", 1, 0, 7, 8},
	{"announce: {tag: 5, metric: 6}\nclasses: {gold: {tag: 7}}", " annotation=" CLASS ":gold",
		1, 0, 7, 6},
	{"announce: {degraded_tag: 9}\nservices: {min_ready: 2}", "", 1, 0, 9, 0},
	{"announce: {degraded_tag: 9}\nservices: {min_ready: 2}", "", 2, 1, 4711, 0},
	/* weights */
	{"announce: {weight: metric, weight_limit: 3, metric: 100}", "", 1, 1, 4711, 102},
	{"announce: {weight: metric, weight_limit: 3, metric: 100}", "", 3, 0, 4711, 100},
	{"announce: {weight: metric, weight_limit: 3, metric: 100}", "", 4, 0, 4711, 100},
	{"announce: {weight: metric, metric: 4294967290}", "", 1, 0, 4711, UINT32_MAX},
	{"announce: {weight: tag, weight_limit: 3, tag: 100}", "", 1, 0, 100, 0},
	{"announce: {weight: tag, weight_limit: 3, tag: 100}", "", 2, 2, 101, 0},
	{"announce: {weight: tag, weight_limit: 3, tag: 100}", "", 5, 0, 102, 0},
	{"announce: {weight: tag, tag: 100, degraded_tag: 9}\nservices: {min_ready: 3}", "", 2, 0,
		9, 0},
};

START_TEST(routes_are_marked)
{
	auto_config struct config *config = config_of(marks[_i].config);
	auto_free struct verdict *verdicts = NULL;
	auto_free char *words = xasprintf(WEB "%s", marks[_i].service);
	struct cluster cluster;

	cluster_init(&cluster, touch_nothing, NULL);
	take(&cluster, service("default/web", words));
	for (unsigned i = 0; i < marks[_i].ready + marks[_i].not_ready; i++) {
		auto_free char *key = xasprintf("default/pod-%u", i);

		take(&cluster, pod(key, i < marks[_i].ready ? WEB_POD " ready" : WEB_POD));
	}
	ck_assert_uint_eq(plan_service(config, &cluster, cluster.services.items[0], &verdicts), 1);
	ck_assert(reason_is_up(verdicts[0].reason));
	ck_assert_uint_eq(verdicts[0].tag, marks[_i].tag);
	ck_assert_uint_eq(verdicts[0].metric, marks[_i].metric);
	cluster_deinit(&cluster);
}
END_TEST

static const struct {
	const char *annotation;
	const char *complaint; /* NULL: none */
} complaints[] = {
	{CLASS ":gold", NULL},
	{CLASS ":silver", "annotation " CLASS ": the configuration has no class \"silver\"; it is "
			  "ignored"},
	{CLASS ":closed", "annotation " CLASS ": services of this namespace may not name the class "
			  "\"closed\"; it is ignored"},
	{SCOPE ":auto", NULL},
	{SCOPE ":here",
		"annotation " SCOPE ": \"here\" is not allowed; write local, auto or cluster; "
		"it is ignored"},
	{MIN_READY ":0",
		"annotation " MIN_READY ": \"0\" is not allowed; write a number, or a share "
		"like \"50%\"; it is ignored"},
	{"cosmolet.platformbuilds.io/announce:nope",
		"annotation cosmolet.platformbuilds.io/announce: \"nope\" is no boolean; write "
		"\"true\" or \"false\"; it is ignored"},
	{CLASS ":silver annotation=" MIN_READY ":0",
		"annotation " CLASS ": the configuration has no class \"silver\"; it is ignored; "
		"annotation " MIN_READY ": \"0\" is not allowed; write a number, or a share "
		"like \"50%\"; it is ignored"},
};

START_TEST(annotations_are_complained_of)
{
	auto_config struct config *config =
		config_of("classes: {gold: {}, closed: {namespaces: [shop]}}");
	auto_free char *words = xasprintf(WEB " annotation=%s", complaints[_i].annotation);
	struct k8s_object *object = service("default/web", words);
	auto_free char *text = plan_complaint(config, object);

	if (complaints[_i].complaint)
		ck_assert_str_eq(text, complaints[_i].complaint);
	else
		ck_assert_ptr_null(text);
	k8s_object_free(object);
}
END_TEST

START_TEST(slices_are_asked_for_only_where_they_decide)
{
	static const struct {
		const char *key, *words;
		bool by_slices;
	} services[] = {
		{"default/web", "cluster=10.96.0.1", true},
		{"default/web", "cluster=10.96.0.1 select=app:web", false},
		{"default/web", "cluster=10.96.0.1 deleting", false},
		{"default/kubernetes", "cluster=10.96.0.1", false},
	};

	for (size_t i = 0; i < N_ELEMENTS(services); i++) {
		auto_config struct config *config = config_of("");
		auto_free struct verdict *verdicts = NULL;
		struct cluster cluster;

		cluster_init(&cluster, touch_nothing, NULL);
		take(&cluster, service(services[i].key, services[i].words));
		ck_assert_uint_eq(
			plan_service(config, &cluster, cluster.services.items[0], &verdicts), 1);
		ck_assert_int_eq(verdicts[0].by_slices, services[i].by_slices);
		cluster_deinit(&cluster);
	}
}
END_TEST

START_TEST(says_it_in_words)
{
	auto_config struct config *config = config_of("services: {min_ready: 2}");
	auto_free struct verdict *verdicts = NULL;
	auto_free char *text = NULL;
	struct cluster cluster;

	cluster_init(&cluster, touch_nothing, NULL);
	take(&cluster, service("default/web", WEB));
	take(&cluster, pod("default/a", WEB_POD " ready"));
	take(&cluster, pod("default/b", WEB_POD " because=CrashLoopBackOff"));
	ck_assert_uint_eq(plan_service(config, &cluster,
				  cluster_service(&cluster, "default", "web"), &verdicts),
		1);
	text = verdict_text(config, &verdicts[0]);
	ck_assert_str_eq(text, "1 of 2 pods on this node are ready, 2 are needed "
			       "(min_ready); b: CrashLoopBackOff");
	ck_assert_uint_eq(verdicts[0].tag, 4711);
	cluster_deinit(&cluster);
}
END_TEST

#define DRAIN      "annotation=cosmolet.platformbuilds.io/drain:"
#define SCALE_DOWN "taint=ToBeDeletedByClusterAutoscaler"

static const struct {
	const char *config;
	const char *node;    /* NULL: not known */
	const char *trigger; /* a part of it; NULL: none */
} drains[] = {
	{"", NULL, NULL},
	{"", "", NULL},
	{"", DRAIN "true", "annotation"},
	{"", DRAIN "1", "annotation"},
	{"", DRAIN "false", NULL},
	{"", DRAIN "soon", NULL},
	{"", SCALE_DOWN, "taint"},
	{"", "deleting", "deleted"},
	{"", "unschedulable", NULL},
	{"", "shutting-down", "shutting down"},
	{"announce: {drain_on: [cordon]}", "shutting-down", NULL},
	{"announce: {drain_on: [cordon]}", "unschedulable", "cordoned"},
	{"announce: {drain_on: [cordon]}", DRAIN "true", NULL},
	{"announce: {drain_taints: [a.io/x, b.io/y]}", "taint=b.io/y", "b.io/y"},
	{"announce: {drain_taints: [a.io/x, b.io/y]}", SCALE_DOWN, NULL},
	{"announce: {drain_taints: [a.io/x], drain_on: [annotation]}", "taint=a.io/x", NULL},
	{"announce: {drain_on: []}", DRAIN "true " SCALE_DOWN " deleting", NULL},
};

START_TEST(triggers_drain_the_node)
{
	auto_config struct config *config = config_of(drains[_i].config);
	auto_free char *found = NULL;
	struct cluster cluster;

	cluster_init(&cluster, touch_nothing, NULL);
	if (drains[_i].node)
		take(&cluster, node("node", drains[_i].node));
	found = plan_drain_trigger(config, cluster_node(&cluster));
	ck_assert_int_eq(found != NULL, drains[_i].trigger != NULL);
	ck_assert(!found || strstr(found, drains[_i].trigger));
	cluster_deinit(&cluster);
}
END_TEST

START_TEST(a_drained_node_announces_nothing)
{
	auto_config struct config *config = config_of("");
	auto_free struct verdict *verdicts = NULL;
	auto_free char *text = NULL;
	struct cluster cluster;

	cluster_init(&cluster, touch_nothing, NULL);
	take(&cluster, service("default/web", WEB));
	take(&cluster, pod("default/a", WEB_POD " ready"));
	cluster.drained = "a test";
	ck_assert_uint_eq(plan_service(config, &cluster, cluster.services.items[0], &verdicts), 1);
	ck_assert_str_eq(reason_word(verdicts[0].reason), "node_drained");
	text = verdict_text(config, &verdicts[0]);
	ck_assert_str_eq(text, "the node is drained: a test");
	cluster_deinit(&cluster);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("plan");
	TCase *tcase = tcase_create("plan");

	tcase_add_loop_test(tcase, decides, 0, (int)N_ELEMENTS(cases));
	tcase_add_loop_test(tcase, routes_are_marked, 0, (int)N_ELEMENTS(marks));
	tcase_add_loop_test(tcase, annotations_are_complained_of, 0, (int)N_ELEMENTS(complaints));
	tcase_add_test(tcase, slices_are_asked_for_only_where_they_decide);
	tcase_add_test(tcase, says_it_in_words);
	tcase_add_loop_test(tcase, triggers_drain_the_node, 0, (int)N_ELEMENTS(drains));
	tcase_add_test(tcase, a_drained_node_announces_nothing);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
