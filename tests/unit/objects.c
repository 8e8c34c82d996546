/* SPDX-License-Identifier: Apache-2.0 */
#include "objects.h"

#include "../../k8s/object.h"
#include "unit.h"

#include <cosmolet/yaml.h>

#include <string.h>

typedef void word_fn(struct k8s_object *object, const char *word, const char *value);

static void set_map(struct k8s_map *map, const char *pair)
{
	const char *colon = pair + strcspn(pair, ":");

	ck_assert_msg(*colon, "%s", pair);
	map->pairs = xrealloc(map->pairs, (map->n + 1) * sizeof(*map->pairs));
	map->pairs[map->n].key = xstrndup(pair, (size_t)(colon - pair));
	map->pairs[map->n++].value = xstrdup(colon + 1);
}

static struct prefix host(const char *text)
{
	struct prefix p = {0};

	ck_assert_msg(prefix_parse_host(text, &p), "%s", text);
	return p;
}

static void add_prefix(struct prefix **list, size_t *n, const char *text)
{
	*list = xrealloc(*list, (*n + 1) * sizeof(**list));
	(*list)[(*n)++] = host(text);
}

static struct k8s_object begin(enum k8s_resource resource, const char *key)
{
	const char *slash = strchr(key, '/');

	return (struct k8s_object){.resource = resource,
		.meta = {.namespace = xstrndup(key, slash ? (size_t)(slash - key) : 0),
			.name = xstrdup(slash ? slash + 1 : key),
			.uid = xstrdup(""),
			.resource_version = xstrdup("")}};
}

static struct k8s_object *make(
	enum k8s_resource resource, const char *key, const char *words, word_fn *fn)
{
	struct k8s_object object = begin(resource, key);
	auto_free char *copy = xstrdup(words);
	char *rest = copy, *word;

	fn(&object, NULL, NULL);
	while ((word = strsep(&rest, " "))) {
		char *value = strchr(word, '=');

		if (value)
			*value++ = '\0';
		else
			value = word + strlen(word);
		if (!strcmp(word, "deleting"))
			object.meta.deleting = true;
		else if (!strcmp(word, "label"))
			set_map(&object.meta.labels, value);
		else if (!strcmp(word, "annotation"))
			set_map(&object.meta.annotations, value);
		else if (!strcmp(word, "uid"))
			str_set(&object.meta.uid, value);
		else if (!strcmp(word, "stream"))
			object.stream = (unsigned)strtoul(value, NULL, 10);
		else if (*word)
			fn(&object, word, value);
	}
	return object_pack(&object);
}

static void service_word(struct k8s_object *object, const char *word, const char *value)
{
	struct k8s_service *service = &object->service;

	if (!word)
		return;
	if (!strcmp(word, "cluster")) {
		add_prefix(&service->cluster_ips, &service->n_cluster_ips, value);
	} else if (!strcmp(word, "external")) {
		add_prefix(&service->external_ips, &service->n_external_ips, value);
	} else if (!strcmp(word, "lb") || !strcmp(word, "proxy")) {
		size_t size = (service->n_ingress + 1) * sizeof(*service->ingress);

		service->ingress = xrealloc(service->ingress, size);
		service->ingress[service->n_ingress].address = host(value);
		service->ingress[service->n_ingress++].proxy = !strcmp(word, "proxy");
	} else if (!strcmp(word, "select")) {
		set_map(&service->selector, value);
	} else if (!strcmp(word, "class")) {
		service->load_balancer_class = xstrdup(value);
	} else if (!strcmp(word, "headless")) {
		service->headless = true;
	} else if (!strcmp(word, "external-name")) {
		service->type = K8S_EXTERNAL_NAME;
	} else if (!strcmp(word, "external-local")) {
		service->external_policy = K8S_POLICY_LOCAL;
	} else if (!strcmp(word, "internal-local")) {
		service->internal_policy = K8S_POLICY_LOCAL;
	} else if (!strcmp(word, "publish-not-ready")) {
		service->publish_not_ready = true;
	} else {
		ck_abort_msg("service: %s", word);
	}
}

static void pod_word(struct k8s_object *object, const char *word, const char *value)
{
	struct k8s_pod *pod = &object->pod;

	if (!word) {
		pod->node = xstrdup("node");
		pod->phase = K8S_PHASE_RUNNING;
	} else if (!strcmp(word, "ip")) {
		add_prefix(&pod->ips, &pod->n_ips, value);
	} else if (!strcmp(word, "ready")) {
		pod->ready = true;
	} else if (!strcmp(word, "failed")) {
		pod->phase = K8S_PHASE_FAILED;
	} else if (!strcmp(word, "because")) {
		pod->ready_reason = xstrdup(value);
	} else {
		ck_abort_msg("pod: %s", word);
	}
}

static void node_word(struct k8s_object *object, const char *word, const char *value)
{
	struct k8s_node *n = &object->node;

	if (!word)
		return;
	if (!strcmp(word, "address")) {
		add_prefix(&n->addresses, &n->n_addresses, value);
	} else if (!strcmp(word, "pods")) {
		n->pod_cidrs = xrealloc(n->pod_cidrs, (n->n_pod_cidrs + 1) * sizeof(*n->pod_cidrs));
		ck_assert(prefix_parse(value, &n->pod_cidrs[n->n_pod_cidrs++]));
	} else if (!strcmp(word, "taint")) {
		n->taints = xrealloc(n->taints, (n->n_taints + 1) * sizeof(*n->taints));
		n->taints[n->n_taints].key = xstrdup(value);
		n->taints[n->n_taints++].effect = xstrdup("NoSchedule");
	} else if (!strcmp(word, "unschedulable")) {
		n->unschedulable = true;
	} else if (!strcmp(word, "shutting-down")) {
		n->shutting_down = true;
	} else if (!strcmp(word, "network-unavailable")) {
		n->network_unavailable = true;
	} else {
		ck_abort_msg("node: %s", word);
	}
}

/*
 * An endpoint is written as NODE:CONDITIONS, with r(eady), s(erving), t(erminating); without a node
 * if it names none; and with a
 * number behind, if two are to be told apart by their addresses, or are to be the same.
 */
static void slice_word(struct k8s_object *object, const char *word, const char *value)
{
	struct k8s_endpointslice *s = &object->slice;

	if (!word) {
		s->service = xstrdup("");
		s->family = AF_INET;
	} else if (!strcmp(word, "of")) {
		str_set(&s->service, value);
	} else if (!strcmp(word, "ipv6")) {
		s->family = AF_INET6;
	} else if (!strcmp(word, "fqdn")) {
		s->family = 0;
	} else if (!strcmp(word, "endpoint")) {
		size_t n = strcspn(value, ":");
		const char *colon = value + n;
		struct k8s_endpoint e = {.node = n ? xstrndup(value, n) : NULL,
			.ready = strchr(colon, 'r'),
			.serving = strchr(colon, 's'),
			.terminating = strchr(colon, 't')};
		auto_free char *address =
			xasprintf(s->family == AF_INET6 ? "fd00::%zu" : "10.1.0.%zu",
				strpbrk(colon, "0123456789")
					? strtoul(strpbrk(colon, "0123456789"), NULL, 10)
					: 100 + s->n_endpoints);

		ck_assert(prefix_parse_host(address, &e.address));
		s->endpoints = xrealloc(s->endpoints, (s->n_endpoints + 1) * sizeof(e));
		s->endpoints[s->n_endpoints++] = e;
	} else {
		ck_abort_msg("slice: %s", word);
	}
}

struct k8s_object *service(const char *key, const char *words)
{
	return make(K8S_SERVICES, key, words, service_word);
}

struct k8s_object *pod(const char *key, const char *words)
{
	return make(K8S_PODS, key, words, pod_word);
}

struct k8s_object *node(const char *name, const char *words)
{
	return make(K8S_NODES, name, words, node_word);
}

struct k8s_object *slice(const char *key, const char *words)
{
	return make(K8S_ENDPOINTSLICES, key, words, slice_word);
}

static void namespace_word(struct k8s_object *object, const char *word, const char *value)
{
	(void)object;
	(void)value;
	ck_assert_msg(!word, "namespace: %s", word);
}

struct k8s_object *namespace(const char *name, const char *words)
{
	return make(K8S_NAMESPACES, name, words, namespace_word);
}

struct k8s_object *policy(const char *name, const char *spec)
{
	struct k8s_object object = begin(K8S_ANNOUNCEMENTPOLICIES, name);
	auto_ytree struct ytree *yaml = NULL;
	struct ytree_error error;

	if (!spec)
		return object_pack(&object);
	ck_assert_msg(ytree_parse(spec, strlen(spec), &yaml, &error) == 0, "%s", spec);
	object.policy.spec = ytree_documents(yaml) == 0
				     ? xstrdup(spec)
				     : json_dumps(ytree_document(yaml, 0),
					       JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
	return object_pack(&object);
}

struct config *config_of(const char *yaml)
{
	auto_free char *path = unit_template("test-config");
	auto_close int fd = mkstemp(path);
	struct config *config = NULL;
	char *error = NULL;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_gt(dprintf(fd, "node: node\n%s\n", yaml), 0);
	ck_assert_msg(config_load(path, &config, &error) == 0, "%s", error);
	unlink(path);
	return config;
}

void touch_nothing(void *data, const char *namespace, const char *name)
{
	(void)data;
	(void)namespace;
	(void)name;
}
