/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A manifest is what people keep in files: several documents in one, lists of objects, no namespace
 * where "default" is meant, no kind in the elements of a ServiceList.
 *
 * The hard idea is that a file is taken as a whole or not at all. One object that cannot be
 * understood would otherwise look as if it had been removed, and its addresses would be withdrawn
 * for a typing error.
 */
#include "manifest.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include <cosmolet/yaml.h>

#include "object.h"

#define LISTS_MAX 4 /* lists in lists; one is usual */

static const struct {
	const char *kind;
	const char *api_version;
	enum k8s_resource resource;
} kinds[] = {
	{"Service", "v1", K8S_SERVICES},
	{"Pod", "v1", K8S_PODS},
	{"Node", "v1", K8S_NODES},
	{"EndpointSlice", "discovery.k8s.io/v1", K8S_ENDPOINTSLICES},
	{"EndpointSlice", "discovery.k8s.io/v1beta1", K8S_ENDPOINTSLICES},
	{"Namespace", "v1", K8S_NAMESPACES},
	{"AnnouncementPolicy", OBJECT_POLICY_GROUP "/v1alpha1", K8S_ANNOUNCEMENTPOLICIES},
};

struct manifest {
	const char *path;
	const struct k8s_options *options;
	struct k8s_label_selector *selector; /* of namespaces; NULL: none are wanted */
	const struct ytree *tree;            /* of what is being read */
	struct vec objects;
	struct vec problems;
	char *error;      /* the first */
	size_t n_objects; /* before the document; so is the next */
	size_t n_problems;
	bool was_good;
};

static char *say_where(const struct manifest *manifest, struct ytree_place place, const char *text)
{
	if (!place.line)
		return xasprintf("%s: %s", manifest->path, text);
	return xasprintf("%s:%u:%u: %s", manifest->path, place.line, place.column, text);
}

static void fail(struct manifest *manifest, struct ytree_place place, const char *text)
{
	if (!manifest->error)
		manifest->error = say_where(manifest, place, text);
}

static bool is_wanted(const struct manifest *manifest, const struct k8s_object *object)
{
	const struct k8s_options *options = manifest->options;
	const char *node = options->node ? options->node : "";

	if (object->resource == K8S_NAMESPACES)
		return manifest->selector &&
		       k8s_label_selector_matches(manifest->selector, &object->meta.labels);
	if (object->resource == K8S_ANNOUNCEMENTPOLICIES)
		return options->policies;
	if (object->resource == K8S_NODES)
		return strcmp(object->meta.name, node) == 0;
	if (object->resource == K8S_PODS && (!*node || strcmp(object->pod.node, node) != 0))
		return false;
	for (size_t i = 0; i < options->n_namespaces; i++)
		if (strcmp(options->namespaces[i], object->meta.namespace) == 0)
			return true;
	return options->n_namespaces == 0;
}

/* An API server leaves these out when asked with query.c's labels. */
static bool is_served(
	const struct k8s_options *options, enum k8s_resource resource, const json_t *json)
{
	const json_t *labels = json_object_get(json_object_get(json, "metadata"), "labels");

	if (resource != K8S_SERVICES)
		return true;
	return !json_object_get(labels, "service.kubernetes.io/headless") &&
	       (options->n_proxies ||
		       !json_object_get(labels, "service.kubernetes.io/service-proxy-name"));
}

static void add_default_namespace(enum k8s_resource resource, json_t *json)
{
	json_t *metadata = json_object_get(json, "metadata");
	const json_t *namespace = json_object_get(metadata, "namespace");

	if (object_is_namespaced(resource) && (!namespace || json_is_null(namespace)))
		(void)json_object_set_new(metadata, "namespace", json_string("default"));
}

/* The place of the member that is wrong, or else of the object. */
static struct ytree_place fault_place(const struct manifest *manifest,
	const struct object_fault *fault, struct ytree_place of_object)
{
	struct ytree_place place = {0};

	if (fault->in && fault->key)
		place = ytree_place_value(manifest->tree, fault->in, fault->key);
	return place.line ? place : of_object;
}

static void take(struct manifest *manifest, enum k8s_resource resource, const char *kind,
	json_t *json, struct ytree_place place)
{
	auto_free char *name = NULL;
	auto_free char *problem = NULL;
	auto_free char *text = NULL;
	struct k8s_object *object;
	struct object_fault fault = {0};
	int r;

	add_default_namespace(resource, json);
	name = object_name(json);
	r = object_read(
		resource, json, manifest->options->annotation_prefix, &object, &problem, &fault);
	text = xasprintf("%s %.300s: %s", kind, name, r ? fault.text : problem ? problem : "");
	free(fault.text);
	if (r) {
		fail(manifest, fault_place(manifest, &fault, place), text);
		return;
	}
	if (!is_wanted(manifest, object) || !is_served(manifest->options, resource, json)) {
		k8s_object_free(object);
		return;
	}
	vec_append(&manifest->objects, object);
	if (problem)
		vec_append(&manifest->problems, say_where(manifest, place, text));
}

static void take_any(struct manifest *manifest, json_t *json, struct ytree_place place,
	const char *kind, const char *api_version, unsigned depth);

/* The elements of a ServiceList need not say that they are Services. */
static void take_list(struct manifest *manifest, const json_t *list, struct ytree_place place,
	const char *kind, const char *api_version, unsigned depth)
{
	auto_free char *of = xstrndup(kind, strlen(kind) - strlen("List"));
	const json_t *items = json_object_get(list, "items");
	json_t *item;
	size_t i;

	if (items && !json_is_array(items) && !json_is_null(items))
		fail(manifest, ytree_place_value(manifest->tree, list, "items"),
			"items: expected a list");
	if (depth == LISTS_MAX)
		fail(manifest, place, "lists of lists of lists");
	json_array_foreach (items, i, item)
		if (depth < LISTS_MAX && !json_is_null(item))
			take_any(manifest, item, ytree_place_element(manifest->tree, items, i),
				*of ? of : NULL, *of ? api_version : NULL, depth + 1);
}

static bool ends_in_list(const char *kind)
{
	size_t n = strlen(kind);

	return n >= 4 && strcmp(kind + n - 4, "List") == 0;
}

static const char *text_of(const json_t *json, const char *key, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(json, key));

	return text ? text : otherwise;
}

/* kind and api_version: what it is if it does not say itself; NULL: it must. */
static void take_any(struct manifest *manifest, json_t *json, struct ytree_place place,
	const char *kind, const char *api_version, unsigned depth)
{
	kind = text_of(json, "kind", kind);
	api_version = text_of(json, "apiVersion", api_version);
	if (!json_is_object(json) || !kind || !api_version) {
		fail(manifest, place, "expected a Kubernetes object, with apiVersion and kind");
		return;
	}
	if (ends_in_list(kind)) {
		take_list(manifest, json, place, kind, api_version, depth);
		return;
	}
	for (size_t i = 0; i < N_ELEMENTS(kinds); i++)
		if (strcmp(kind, kinds[i].kind) == 0 &&
			strcmp(api_version, kinds[i].api_version) == 0)
			take(manifest, kinds[i].resource, kind, json, place);
}

static void destroy_object(void *object)
{
	k8s_object_free(object);
}

static void begin_document(struct manifest *manifest)
{
	manifest->n_objects = manifest->objects.n;
	manifest->n_problems = manifest->problems.n;
	manifest->was_good = !manifest->error;
}

static void truncate_to(struct vec *vec, size_t n, void (*destroy)(void *))
{
	while (vec->n > n)
		destroy(vec_remove_at(vec, vec->n - 1));
}

/* It had items, but is no list of objects: they were none of ours. */
static void take_back(struct manifest *manifest)
{
	truncate_to(&manifest->objects, manifest->n_objects, destroy_object);
	truncate_to(&manifest->problems, manifest->n_problems, free);
	if (manifest->was_good)
		free(TAKE(manifest->error));
}

/*
 * An element of what is likely to be a list; kubectl writes that only at the end. One that does not
 * say what it is must wait until the list does.
 */
static bool on_element(
	void *data, const struct ytree *tree, json_t *element, struct ytree_place place)
{
	struct manifest *manifest = data;

	if (!text_of(element, "kind", NULL) || !text_of(element, "apiVersion", NULL))
		return false;
	manifest->tree = tree;
	take_any(manifest, element, place, NULL, NULL, 1);
	return true;
}

static void on_document(
	void *data, const struct ytree *tree, json_t *document, struct ytree_place place)
{
	struct manifest *manifest = data;

	if (!ends_in_list(text_of(document, "kind", "")))
		take_back(manifest);
	manifest->tree = tree;
	take_any(manifest, document, place, NULL, NULL, 0);
	begin_document(manifest);
}

static void take_documents(struct manifest *manifest, const char *text, size_t size)
{
	const struct ytree_reader reader = {on_element, on_document, manifest};
	struct ytree_error error;

	begin_document(manifest);
	if (ytree_read(text, size, &reader, &error))
		fail(manifest, error.place, error.text);
}

int manifest_read(const char *path, const char *text, size_t size,
	const struct k8s_options *options, struct vec *out_objects, struct vec *out_problems,
	char **out_error)
{
	struct manifest manifest = {.path = path, .options = options};

	if (options->namespace_selector && k8s_label_selector_parse(options->namespace_selector,
						   &manifest.selector, out_error))
		return -EBADMSG;
	take_documents(&manifest, text, size);
	k8s_label_selector_free(manifest.selector);
	if (manifest.error) {
		vec_deinit(&manifest.objects, destroy_object);
		vec_deinit(&manifest.problems, free);
		*out_error = manifest.error;
		return -EBADMSG;
	}
	*out_objects = manifest.objects;
	*out_problems = manifest.problems;
	return 0;
}
