/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>

#include "object.h"
#include "print_object.h"
#include "text.h"

#define PREFIX "cosmolet.platformbuilds.io/"

static char *text; /* what was read */

/* "OBJECT", or "OBJECT !PROBLEM", or "refused: WHY (KEY)". */
static void read_text(enum k8s_resource resource, const char *json)
{
	json_auto_t *value = json_loads(json, JSON_DECODE_ANY, NULL);
	struct k8s_object *object = NULL;
	char *problem = NULL;
	struct object_fault fault = {0};
	size_t size;
	FILE *out;

	ck_assert_ptr_nonnull(value);
	free(text);
	out = xmemstream(&text, &size);
	if (object_read(resource, value, PREFIX, &object, &problem, &fault))
		fprintf(out, "refused: %s (%s)", fault.text, fault.key ? fault.key : "-");
	else
		print_object(out, object);
	if (problem)
		fprintf(out, " !%s", problem);
	fclose(out);
	k8s_object_free(object);
	free(problem);
	free(fault.text);
}

#define META  "\"metadata\":{\"namespace\":\"d\",\"name\":\"n\"}"
#define READY "\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]"

static const struct {
	enum k8s_resource resource;
	const char *json;
	const char *text;
} cases[] = {
	/* as a server of 1.20 gives them, and newer */
	{K8S_SERVICES,
		"{\"metadata\":{\"name\":\"web\",\"namespace\":\"default\",\"uid\":\"u1\","
		"\"resourceVersion\":\"7\","
		"\"creationTimestamp\":\"2024-01-01T00:00:00Z\",\"labels\":{\"b\":\"2\",\"a\":"
		"\"1\"},"
		"\"annotations\":{\"kubectl.kubernetes.io/last-applied-configuration\":\"{}\","
		"\"cosmolet.platformbuilds.io/"
		"class\":\"gold\"}},\"spec\":{\"ports\":[{\"port\":80}],"
		"\"selector\":{\"app\":\"web\"},\"clusterIP\":\"10.96.0.5\",\"clusterIPs\":[\"10."
		"96.0.5\","
		"\"fd00:96::5\"],\"type\":\"LoadBalancer\",\"externalIPs\":[\"192.0.2.7\"],"
		"\"loadBalancerClass\":\"x/y\",\"externalTrafficPolicy\":\"Local\","
		"\"internalTrafficPolicy\":\"Cluster\",\"publishNotReadyAddresses\":true},"
		"\"status\":{\"loadBalancer\":{\"ingress\":[{\"ip\":\"198.51.100.1\"},{"
		"\"hostname\":\"x\"},"
		"{\"ip\":\"2001:db8::1\",\"ipMode\":\"VIP\"},{\"ip\":\"198.51.100.2\",\"ipMode\":"
		"\"Proxy\"}]}}}",
		"default/web @7 label:a=1 label:b=2 annotation:" PREFIX
		"class=gold LoadBalancer publish "
		"external-local class=x/y selector:app=web cluster=10.96.0.5/32 "
		"cluster=fd00:96::5/128 "
		"external=192.0.2.7/32 ingress=198.51.100.1/32 ingress=2001:db8::1/128 "
		"proxy=198.51.100.2/32"},
	{K8S_SERVICES, "{" META "}", "d/n ClusterIP"},
	{K8S_SERVICES, "{" META ",\"spec\":null,\"status\":null}", "d/n ClusterIP"},
	/* nobody here reads ports, so they may be anything */
	{K8S_SERVICES,
		"{" META ",\"spec\":{\"ports\":[{\"port\":-1},{\"port\":1e300,\"nodePort\":\"x\"},"
		"null,7,{\"targetPort\":[[]]}]}}",
		"d/n ClusterIP"},
	{K8S_SERVICES, "{" META ",\"spec\":{\"ports\":\"http\"}}", "d/n ClusterIP"},
	{K8S_SERVICES, "{" META ",\"spec\":{\"clusterIP\":\"None\",\"clusterIPs\":[\"None\"]}}",
		"d/n ClusterIP headless"},
	{K8S_SERVICES, "{" META ",\"spec\":{\"clusterIPs\":[\"None\"]}}", "d/n ClusterIP headless"},
	{K8S_SERVICES, "{" META ",\"spec\":{\"clusterIP\":\"\",\"type\":\"NodePort\"}}",
		"d/n NodePort"},
	{K8S_SERVICES, "{" META ",\"spec\":{\"clusterIP\":\"10.0.0.1\"}}",
		"d/n ClusterIP cluster=10.0.0.1/32"},
	{K8S_SERVICES, "{" META ",\"spec\":{\"clusterIPs\":[\"10.0.0.1\"]}}",
		"d/n ClusterIP cluster=10.0.0.1/32"},
	{K8S_SERVICES,
		"{" META
		",\"spec\":{\"type\":\"ExternalName\",\"internalTrafficPolicy\":\"Local\"}}",
		"d/n ExternalName internal-local"},
	{K8S_SERVICES,
		"{\"metadata\":{\"namespace\":\"d\",\"name\":\"n\",\"deletionTimestamp\":\"2024\"}"
		"}",
		"d/n deleting ClusterIP"},
	/* single addresses that do not parse */
	{K8S_SERVICES,
		"{" META
		",\"spec\":{\"externalIPs\":[\"192.0.2.1\",\"192.0.2.300\",\"x\",\"192.0.2.2\"]}}",
		"d/n ClusterIP external=192.0.2.1/32 external=192.0.2.2/32 "
		"!spec.externalIPs: \"192.0.2.300\" is not an IP address (and 1 more like this)"},
	{K8S_SERVICES,
		"{" META ",\"status\":{\"loadBalancer\":{\"ingress\":[{\"ip\":\"1.2.3\"},{}]}}}",
		"d/n ClusterIP !status.loadBalancer.ingress: \"1.2.3\" is not an IP address"},
	/* what does not fit */
	{K8S_SERVICES, "{}", "refused: metadata.name: missing (-)"},
	{K8S_SERVICES, "[]", "refused: expected an object (-)"},
	{K8S_SERVICES, "{\"metadata\":{\"name\":\"n\"}}",
		"refused: metadata.namespace: missing (-)"},
	{K8S_SERVICES, "{\"metadata\":{\"name\":\"\",\"namespace\":\"d\"}}",
		"refused: metadata.name: missing (-)"},
	{K8S_SERVICES, "{\"metadata\":{\"name\":3}}",
		"refused: metadata.name: expected a string, found a number (name)"},
	{K8S_SERVICES, "{\"metadata\":[]}",
		"refused: metadata: expected an object, found a list (metadata)"},
	{K8S_SERVICES,
		"{\"metadata\":{\"namespace\":\"d\",\"name\":\"n\",\"labels\":{\"x.y/z\":1}}}",
		"refused: metadata.labels[x.y/z]: expected a string, found a number (x.y/z)"},
	{K8S_SERVICES, "{" META ",\"spec\":\"x\"}",
		"refused: spec: expected an object, found a string (spec)"},
	{K8S_SERVICES, "{" META ",\"spec\":{\"type\":\"Balancer\"}}",
		"refused: spec.type: \"Balancer\" is none that is known (type)"},
	{K8S_SERVICES, "{" META ",\"spec\":{\"externalIPs\":\"1.2.3.4\"}}",
		"refused: spec.externalIPs: expected a list, found a string (externalIPs)"},
	{K8S_SERVICES, "{" META ",\"spec\":{\"externalIPs\":[\"1.2.3.4\",null]}}",
		"refused: spec.externalIPs[1]: expected a string, found null (externalIPs)"},
	{K8S_SERVICES, "{" META ",\"spec\":{\"publishNotReadyAddresses\":\"true\"}}",
		"refused: spec.publishNotReadyAddresses: expected true or false, found a string "
		"(publishNotReadyAddresses)"},
	{K8S_SERVICES, "{" META ",\"status\":{\"loadBalancer\":{\"ingress\":[7]}}}",
		"refused: status.loadBalancer.ingress[0]: expected an object, found a number "
		"(ingress)"},

	{K8S_PODS,
		"{\"metadata\":{\"name\":\"p\",\"namespace\":\"d\",\"uid\":\"u\","
		"\"resourceVersion\":\"9\",\"labels\":"
		"{\"app\":\"web\"}},\"spec\":{\"nodeName\":\"node-1\",\"containers\":null},"
		"\"status\":{\"phase\":"
		"\"Running\",\"conditions\":[{\"type\":\"Initialized\",\"status\":\"False\"},{"
		"\"type\":\"Ready\","
		"\"status\":\"True\"}],\"podIP\":\"10.1.0.7\",\"podIPs\":[{\"ip\":\"10.1.0.7\"},{"
		"\"ip\":\"fd01::7\"}],"
		"\"containerStatuses\":[{\"restartCount\":2,\"state\":{\"running\":{}}},{"
		"\"restartCount\":1}]}}",
		"d/p u@9 label:app=web node=node-1 phase=1 ready restarts=3 ip=10.1.0.7/32 "
		"ip=fd01::7/128"},
	{K8S_PODS, "{" META "}", "d/n node= phase=0"},
	{K8S_PODS, "{" META ",\"status\":{\"phase\":\"Succeeded\",\"podIP\":\"10.1.0.7\"}}",
		"d/n node= phase=2 ip=10.1.0.7/32"},
	{K8S_PODS, "{" META ",\"status\":{\"phase\":\"New\",\"podIP\":\"\",\"podIPs\":[]}}",
		"d/n node= phase=4"},
	{K8S_PODS,
		"{" META
		",\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\",\"reason\":"
		"\"ContainersNotReady\",\"message\":\"containers with unready status: [c]\"}]}}",
		"d/n node= phase=0 reason=\"ContainersNotReady: containers with unready status: "
		"[c]\""},
	{K8S_PODS,
		"{" META ",\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\","
		"\"reason\":\"X\"}],"
		"\"initContainerStatuses\":[{\"restartCount\":1,\"state\":{\"waiting\":{\"reason\":"
		"\"Init\"}}}],"
		"\"containerStatuses\":[{\"state\":{\"waiting\":{\"reason\":\"PodInitializing\"}}},"
		"{\"restartCount\":5,\"state\":{\"waiting\":{\"reason\":\"CrashLoopBackOff\"}}}]}}",
		"d/n node= phase=0 reason=\"CrashLoopBackOff\" restarts=6"},
	/* what is broken is not ready, whoever says so */
	{K8S_PODS,
		"{" META ",\"status\":{" READY ",\"containerStatuses\":[{\"state\":{\"waiting\":{"
		"\"reason\":\"ContainerCreating\"}}},"
		"{\"restartCount\":5,"
		"\"state\":{\"waiting\":{\"reason\":\"CrashLoopBackOff\"}}}]}}",
		"d/n node= phase=0 reason=\"CrashLoopBackOff\" restarts=5"},
	{K8S_PODS,
		"{" META ",\"status\":{" READY ",\"containerStatuses\":[{\"state\":{\"waiting\":"
		"{\"reason\":\"ImagePullBackOff\"}}}]}}",
		"d/n node= phase=0 reason=\"ImagePullBackOff\""},
	{K8S_PODS,
		"{" META ",\"status\":{" READY ",\"containerStatuses\":[{\"state\":{\"waiting\":"
		"{\"reason\":\"ErrImagePull\"}}}]}}",
		"d/n node= phase=0 reason=\"ErrImagePull\""},
	/* what is ready all the same */
	{K8S_PODS,
		"{" META ",\"status\":{" READY ",\"containerStatuses\":[{\"ready\":false,"
		"\"state\":{\"waiting\":{\"reason\":\"ContainerCreating\"}}}],"
		"\"initContainerStatuses\":[{\"state\":{\"waiting\":{\"reason\":"
		"\"CrashLoopBackOff\"}}}]}}",
		"d/n node= phase=0 ready"},
	{K8S_PODS,
		"{" META ",\"status\":{\"containerStatuses\":[{\"restartCount\":-3},{"
		"\"restartCount\":99999999999}]}}",
		"d/n node= phase=0 restarts=4294967295"},
	{K8S_PODS, "{" META ",\"status\":{\"podIPs\":[{\"ip\":\"x\"},{}]}}",
		"d/n node= phase=0 !status.podIPs: \"x\" is not an IP address"},
	{K8S_PODS, "{" META ",\"status\":{\"conditions\":{}}}",
		"refused: status.conditions: expected a list, found an object (conditions)"},
	{K8S_PODS, "{" META ",\"spec\":{\"nodeName\":[]}}",
		"refused: spec.nodeName: expected a string, found a list (nodeName)"},

	{K8S_ANNOUNCEMENTPOLICIES, "{\"metadata\":{\"name\":\"p\"}}", "/p spec=null"},
	{K8S_ANNOUNCEMENTPOLICIES,
		"{\"metadata\":{\"name\":\"p\",\"generation\":2},\"spec\":{\"settings\":{\"tag\": "
		"7},"
		"\"priority\":1},\"status\":7}",
		"/p spec={\"priority\":1,\"settings\":{\"tag\":7}}"},
	/* what it should be is not decided here */
	{K8S_ANNOUNCEMENTPOLICIES, "{\"metadata\":{\"name\":\"p\"},\"spec\":[\"x\"]}",
		"/p spec=[\"x\"]"},
	{K8S_ANNOUNCEMENTPOLICIES, "{\"spec\":{}}", "refused: metadata.name: missing (-)"},

	{K8S_NODES,
		"{\"metadata\":{\"name\":\"node-1\",\"labels\":{\"node.kubernetes.io/"
		"exclude\":\"\"}},\"spec\":"
		"{\"unschedulable\":true,\"taints\":[{\"key\":\"k\",\"effect\":\"NoSchedule\","
		"\"timeAdded\":null},{}],\"podCIDR\":\"10.244.0.0/24\",\"podCIDRs\":"
		"[\"10.244.0.0/24\",\"fd00:244::/64\"]},"
		"\"status\":{\"conditions\":[{\"type\":\"NetworkUnavailable\",\"status\":\"True\"},"
		"{\"type\":\"Ready\","
		"\"status\":\"True\"}],\"addresses\":[{\"type\":\"InternalIP\",\"address\":\"192.0."
		"2.1\"},"
		"{\"type\":\"Hostname\",\"address\":\"node-1\"},{\"type\":\"ExternalIP\","
		"\"address\":\"2001:db8::1\"}]}}",
		"/node-1 label:node.kubernetes.io/exclude= unschedulable ready network-unavailable "
		"taint=k:NoSchedule taint=: address=192.0.2.1/32 address=2001:db8::1/128 "
		"pods=10.244.0.0/24 pods=fd00:244::/64"},
	{K8S_NODES,
		"{\"metadata\":{\"name\":\"x\"},\"status\":{\"conditions\":[{\"type\":\"Ready\","
		"\"status\":\"False\",\"reason\":\"KubeletNotReady\",\"message\":"
		"\"[container runtime is down, node is shutting down]\"}]}}",
		"/x shutting-down"},
	{K8S_NODES,
		"{\"metadata\":{\"name\":\"x\"},\"status\":{\"conditions\":[{\"type\":\"Ready\","
		"\"status\":\"True\",\"message\":\"node is shutting down\"}]}}",
		"/x ready"},
	{K8S_NODES, "{\"metadata\":{\"name\":\"x\"},\"spec\":{\"podCIDRs\":[\"10.244.0.1\"]}}",
		"/x !spec.podCIDRs: \"10.244.0.1\" is no range of IP addresses"},
	{K8S_NODES, "{\"metadata\":{\"name\":\"x\"},\"spec\":{\"taints\":[1]}}",
		"refused: spec.taints[0]: expected an object, found a number (taints)"},

	{K8S_ENDPOINTSLICES,
		"{\"metadata\":{\"name\":\"web-x\",\"namespace\":\"d\",\"labels\":{\"kubernetes.io/"
		"service-name\":"
		"\"web\"}},\"addressType\":\"IPv4\",\"endpoints\":[{\"addresses\":[\"10.1.0.1\"],"
		"\"conditions\":"
		"{\"ready\":true,\"serving\":true,\"terminating\":false},\"nodeName\":\"n1\"},"
		"{\"addresses\":[\"10.1.0.2\",\"10.1.0.3\"],\"conditions\":{\"ready\":false,"
		"\"serving\":true,"
		"\"terminating\":true},\"nodeName\":\"n2\"},{\"addresses\":[\"10.1.0.4\"]},"
		"{\"addresses\":null,\"conditions\":{\"ready\":null}}]}",
		"d/web-x label:kubernetes.io/service-name=web service=web family=4 [n1 ready "
		"serving 10.1.0.1] "
		"[n2 serving terminating 10.1.0.2] [- ready serving 10.1.0.4] [- ready serving -]"},
	/* v1beta1 of 1.20 */
	{K8S_ENDPOINTSLICES,
		"{" META ",\"addressType\":\"IPv6\",\"endpoints\":[{\"addresses\":[\"fd01::1\"],"
		"\"conditions\":"
		"{\"ready\":false},\"topology\":{\"kubernetes.io/"
		"hostname\":\"n1\",\"topology.kubernetes.io/zone\":"
		"\"z\"}}]}",
		"d/n service= family=6 [n1 fd01::1]"},
	{K8S_ENDPOINTSLICES, "{" META ",\"addressType\":\"FQDN\",\"endpoints\":null}",
		"d/n service= family=0"},
	{K8S_ENDPOINTSLICES, "{" META ",\"endpoints\":[[]]}",
		"refused: endpoints[0]: expected an object, found a list (endpoints)"},

	{K8S_NAMESPACES,
		"{\"metadata\":{\"name\":\"shop\",\"namespace\":null,\"uid\":\"u\","
		"\"resourceVersion\":\"7\",\"labels\":{\"team\":\"a\"}},"
		"\"spec\":{\"finalizers\":[\"kubernetes\"]},\"status\":{\"phase\":\"Active\"}}",
		"/shop u@7 label:team=a"},
	{K8S_NAMESPACES, "{\"metadata\":{}}", "refused: metadata.name: missing (-)"},
};

START_TEST(reads_objects)
{
	read_text(cases[_i].resource, cases[_i].json);
	ck_assert_str_eq(text, cases[_i].text);
	free(TAKE(text));
}
END_TEST

/* Each member of each good case, replaced by a value of each type: never a crash. */
static void spoil(enum k8s_resource resource, json_t *root, json_t *at)
{
	static const char *const values[] = {
		"null", "true", "3", "-1.5", "\"x\"", "[]", "{}", "[[]]", "[{}]"};
	void *member;
	const char *key;
	json_t *value;

	for (member = json_object_iter(at); member; member = json_object_iter_next(at, member)) {
		key = json_object_iter_key(member);
		value = json_incref(json_object_iter_value(member));
		spoil(resource, root, value);
		for (size_t i = 0; i < N_ELEMENTS(values); i++) {
			auto_free char *dump = NULL;

			json_object_set_new(at, key, json_loads(values[i], JSON_DECODE_ANY, NULL));
			dump = json_dumps(root, JSON_ENCODE_ANY);
			read_text(resource, dump);
		}
		json_object_set_new(at, key, value);
		member = json_object_iter_at(at, key);
	}
	for (size_t i = 0; i < json_array_size(at); i++)
		spoil(resource, root, json_array_get(at, i));
}

START_TEST(survives_any_type_in_any_place)
{
	json_auto_t *root = json_loads(cases[_i].json, 0, NULL);

	spoil(cases[_i].resource, root, root);
	free(TAKE(text));
}
END_TEST

START_TEST(long_reasons_stay_utf8)
{
	char message[400];
	auto_free char *json = NULL;

	for (size_t i = 0; i < sizeof(message) - 1; i += 3)
		memcpy(message + i, "\xe2\x82\xac", 3);
	message[399] = '\0';
	json = xasprintf("{" META
			 ",\"status\":{\"conditions\":[{\"type\":\"Ready\",\"message\":\"%s\"}]}}",
		message);
	read_text(K8S_PODS, json);
	ck_assert_ptr_nonnull(strstr(text, "\xe2\x82\xac\""));
	ck_assert_uint_lt(strlen(text), 200);
	free(TAKE(text));
}
END_TEST

START_TEST(text_is_made_fit_to_be_shown)
{
	static const struct {
		const char *text;
		const char *clean;
	} texts[] = {
		{"", ""},
		{"plain \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80",
			"plain \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"},
		{"a\nb\x1b[m\x7f", "a?b?[m?"},
		{"\x80\xc3", "??"},
		{"\xc0\xaf\xe0\x80\xaf\xed\xa0\x80\xf5", "?????????"},
		{"\xf0\x9f\x98", "???"},
	};

	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		auto_free char *copy = xstrdup(texts[i].text);

		ck_assert_str_eq(text_clean(copy), texts[i].clean);
	}
	ck_assert_ptr_null(text_clean(NULL));
}
END_TEST

START_TEST(selectors)
{
	static char a[] = "a", b[] = "b", c[] = "c", one[] = "1", two[] = "2", three[] = "3";
	struct k8s_pair labels[] = {{a, one}, {b, two}, {c, three}};
	struct k8s_pair other[] = {{b, one}};
	struct k8s_map all = {labels, 3};
	struct k8s_map none = {0};

	ck_assert_str_eq(k8s_map_get(&all, "a"), "1");
	ck_assert_str_eq(k8s_map_get(&all, "c"), "3");
	ck_assert_ptr_null(k8s_map_get(&all, "aa"));
	ck_assert_ptr_null(k8s_map_get(&none, "a"));
	ck_assert(k8s_selects(&(struct k8s_map){labels + 1, 2}, &all));
	ck_assert(k8s_selects(&all, &all));
	ck_assert(!k8s_selects(&none, &all));
	ck_assert(!k8s_selects(&all, &none));
	ck_assert(!k8s_selects(&(struct k8s_map){other, 1}, &all));
}
END_TEST

/*
 * Of 10,000 services most are of no interest to a node, so what one costs is what a node pays. Its
 * labels are cut away before, where there are no policies.
 */
START_TEST(a_service_is_one_small_block)
{
	static const char json[] =
		"{\"metadata\":{\"namespace\":\"namespace-17\",\"name\":\"service-1234\","
		"\"uid\":\"2c5a3c0e-8f8c-4a43-9d35-0c4ec2fbbd1c\",\"resourceVersion\":"
		"\"123456789\","
		"\"name\":\"service-1234\"},"
		"\"spec\":{\"type\":\"ClusterIP\",\"clusterIP\":\"10.96.0.5\",\"clusterIPs\":"
		"[\"10.96.0.5\"],\"selector\":{\"app\":\"web\"}}}";
	json_auto_t *parsed = json_loads(json, 0, NULL);
	struct k8s_object *objects[1000];
	size_t before = mallinfo2().uordblks;

	for (size_t i = 0; i < N_ELEMENTS(objects); i++) {
		char *problem = NULL;
		struct object_fault fault;

		ck_assert_int_eq(object_read(K8S_SERVICES, parsed, "cosmolet.", &objects[i],
					 &problem, &fault),
			0);
		ck_assert_ptr_null(problem);
	}
	ck_assert_uint_le((mallinfo2().uordblks - before) / N_ELEMENTS(objects), 280);
	for (size_t i = 0; i < N_ELEMENTS(objects); i++)
		k8s_object_free(objects[i]);
}
END_TEST

START_TEST(a_policy_of_any_size_is_kept_small)
{
	auto_free char *big = xcalloc(K8S_POLICY_MAX, 1);
	json_t *json = json_pack("{s:{s:s}, s:s}", "metadata", "name", "p", "spec", "");
	struct k8s_object *object;
	struct object_fault fault;
	char *problem = NULL;

	memset(big, 'x', K8S_POLICY_MAX);
	for (size_t extra = 0; extra < 2; extra++) {
		json_object_set_new(json, "spec", json_stringn(big, K8S_POLICY_MAX - 2 + extra));
		ck_assert_int_eq(object_read(K8S_ANNOUNCEMENTPOLICIES, json, "cosmolet.", &object,
					 &problem, &fault),
			0);
		ck_assert(!object->policy.spec == (extra == 1));
		k8s_object_free(object);
	}
	json_decref(json);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("k8s object");
	TCase *tests = tcase_create("object");

	tcase_add_loop_test(tests, reads_objects, 0, N_ELEMENTS(cases));
	tcase_add_test(tests, a_policy_of_any_size_is_kept_small);
	tcase_add_loop_test(tests, survives_any_type_in_any_place, 0, N_ELEMENTS(cases));
	tcase_add_test(tests, long_reasons_stay_utf8);
	tcase_add_test(tests, text_is_made_fit_to_be_shown);
	tcase_add_test(tests, a_service_is_one_small_block);
	tcase_add_test(tests, selectors);
	suite_add_tcase(suite, tests);
	return unit_run(suite);
}
