/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The face of this room: from the options it makes reflectors of an API server, or a reader of a
 * directory, and hands out what they say.
 *
 * The hard idea is how many streams to have. One watch of all services costs the API server as much
 * as the cluster is large; one per namespace costs a watch each. So up to a few namespaces are
 * watched one by one, which also needs no right on the others; more are watched as a whole, and
 * filtered here. EndpointSlices change with every pod of the cluster, so they are watched for the
 * services that need them, as long as those are few enough for a selector.
 *
 * Labels of services are half of what they cost, and only policies ask for them. So the API server
 * is first asked for policies, and the labels come only from one that knows such.
 */
#include <cosmolet/k8s.h>

#include <errno.h>
#include <string.h>

#include "auth.h"
#include "events.h"
#include "files.h"
#include "object.h"
#include "query.h"
#include "reflector.h"
#include "request.h"

#define NAMESPACES_MAX 8  /* watched one by one */
#define SERVICES_MAX   32 /* whose EndpointSlices are watched by name */

struct k8s {
	struct loop *loop;
	struct k8s_options options; /* its strings are ours */
	char **namespaces;
	char **servers;
	char **proxies;
	struct events events;
	struct files *files; /* NULL: an API server */
	struct auth auth;
	struct loop_timer start;
	bool started;
	bool labels; /* those of services are wanted */
	struct requests *requests;
	struct reflector *reflectors[K8S_N_RESOURCES][NAMESPACES_MAX];
	size_t n_reflectors[K8S_N_RESOURCES];
};

static const char *copy(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

/* Empty words in a configuration mean the same as none. */
static const char *copy_filled(const char *text)
{
	return text && *text ? xstrdup(text) : NULL;
}

static char **copy_list(const char *const *list, size_t n)
{
	char **out = xcalloc(n, sizeof(*out));

	for (size_t i = 0; i < n; i++)
		out[i] = xstrdup(list[i]);
	return out;
}

static void free_list(char **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

static void copy_options(struct k8s *k8s, const struct k8s_options *options)
{
	k8s->namespaces = copy_list(options->namespaces, options->n_namespaces);
	k8s->proxies = copy_list(options->proxies, options->n_proxies);
	k8s->labels = options->n_proxies > 0;
	k8s->servers = copy_list(options->servers, options->n_servers);
	k8s->options = (struct k8s_options){
		.node = copy_filled(options->node),
		.namespaces = (const char *const *)k8s->namespaces,
		.n_namespaces = options->n_namespaces,
		.proxies = (const char *const *)k8s->proxies,
		.n_proxies = options->n_proxies,
		.namespace_selector = copy(options->namespace_selector),
		.annotation_prefix = copy(options->annotation_prefix),
		.policies = options->policies,
		.servers = (const char *const *)k8s->servers,
		.n_servers = options->n_servers,
		.start_spread_s = options->start_spread_s,
		.kubeconfig = copy_filled(options->kubeconfig),
		.context = copy_filled(options->context),
		.service_account_dir = copy_filled(options->service_account_dir),
		.directory = copy_filled(options->directory),
	};
}

static void free_const(const char *text)
{
	free((void *)(uintptr_t)text);
}

static void free_options(struct k8s *k8s)
{
	free_list(k8s->namespaces, k8s->options.n_namespaces);
	free_list(k8s->proxies, k8s->options.n_proxies);
	free_list(k8s->servers, k8s->options.n_servers);
	free_const(k8s->options.node);
	free_const(k8s->options.namespace_selector);
	free_const(k8s->options.annotation_prefix);
	free_const(k8s->options.kubeconfig);
	free_const(k8s->options.context);
	free_const(k8s->options.service_account_dir);
	free_const(k8s->options.directory);
}

/* Why a resource is watched in just this way. */
static const char *reason(const struct k8s *k8s, enum k8s_resource resource, const char *namespace)
{
	if (resource == K8S_NAMESPACES)
		return "only services of such namespaces are wanted";
	if (resource == K8S_ANNOUNCEMENTPOLICIES)
		return "they decide how services are announced";
	if (resource == K8S_NODES)
		return "only this node matters here";
	if (namespace)
		return "few namespaces are wanted: each by itself";
	if (k8s->options.n_namespaces)
		return "many namespaces are wanted: one watch of all, filtered here";
	return resource == K8S_PODS ? "only pods of this node matter here"
				    : "all namespaces are wanted";
}

static void on_policies(void *data, bool there);

static struct reflector *add_reflector(
	struct k8s *k8s, enum k8s_resource resource, const char *namespace)
{
	struct reflector_options options = {
		.loop = k8s->loop,
		.events = &k8s->events,
		.requests = k8s->requests,
		.auth = &k8s->auth,
		.resource = resource,
		.namespace = namespace,
		.node = k8s->options.node,
		.why = reason(k8s, resource, namespace),
		.annotation_prefix = k8s->options.annotation_prefix,
		.namespaces = k8s->options.namespaces,
		.n_namespaces = object_is_namespaced(resource) ? k8s->options.n_namespaces : 0,
		.answered = resource == K8S_ANNOUNCEMENTPOLICIES ? on_policies : NULL,
		.data = k8s,
	};

	return k8s->reflectors[resource][k8s->n_reflectors[resource]++] = reflector_new(&options);
}

/*
 * Labels cannot ask for "without this one, or with such a value of it", and of two watches nobody
 * knows which one is ahead. So where proxies are named, services come whosever they are, with their
 * labels.
 */
static void add_one(struct k8s *k8s, enum k8s_resource resource, const char *namespace)
{
	struct reflector *reflector = add_reflector(k8s, resource, namespace);

	if (resource != K8S_SERVICES || !k8s->options.n_proxies)
		return;
	reflector_want_labels(reflector);
	reflector_select(reflector, QUERY_ANY_PROXY, "services of other proxies are wanted");
}

static void add_reflectors(struct k8s *k8s, enum k8s_resource resource)
{
	size_t n = k8s->options.n_namespaces;

	if (n == 0 || n > NAMESPACES_MAX)
		add_one(k8s, resource, NULL);
	else
		for (size_t i = 0; i < n; i++)
			add_one(k8s, resource, k8s->options.namespaces[i]);
}

/* The server selects them: one whose labels change so that it no longer matches is deleted here. */
static void add_namespaces(struct k8s *k8s, const char *selector)
{
	reflector_select(add_reflector(k8s, K8S_NAMESPACES, NULL), selector,
		reason(k8s, K8S_NAMESPACES, NULL));
}

static void start_reflectors(struct k8s *k8s, enum k8s_resource resource)
{
	for (size_t i = 0; i < k8s->n_reflectors[resource]; i++)
		reflector_start(k8s->reflectors[resource][i]);
}

static void start_all(struct k8s *k8s)
{
	k8s->started = true;
	start_reflectors(k8s, K8S_SERVICES);
	start_reflectors(k8s, K8S_PODS);
	start_reflectors(k8s, K8S_NODES);
	start_reflectors(k8s, K8S_NAMESPACES);
}

static void on_policies(void *data, bool there)
{
	struct k8s *k8s = data;

	for (size_t i = 0; there && !k8s->labels && i < k8s->n_reflectors[K8S_SERVICES]; i++)
		reflector_want_labels(k8s->reflectors[K8S_SERVICES][i]);
	k8s->labels = k8s->labels || there;
	if (!k8s->started)
		start_all(k8s);
}

static void start(struct loop_timer *timer)
{
	struct k8s *k8s = container_of(timer, struct k8s, start);

	if (k8s->options.policies)
		start_reflectors(k8s, K8S_ANNOUNCEMENTPOLICIES);
	else
		start_all(k8s);
}

static int start_cluster(struct k8s *k8s, char **out_error)
{
	int r = auth_init(&k8s->auth, &k8s->options, out_error);

	if (r)
		return r;
	k8s->requests = requests_new(k8s->loop, &k8s->auth);
	add_reflectors(k8s, K8S_SERVICES);
	if (k8s->options.node) {
		add_reflectors(k8s, K8S_PODS);
		add_reflector(k8s, K8S_NODES, NULL);
	}
	if (k8s->options.namespace_selector)
		add_namespaces(k8s, k8s->options.namespace_selector);
	if (k8s->options.policies)
		add_reflector(k8s, K8S_ANNOUNCEMENTPOLICIES, NULL);
	add_reflectors(k8s, K8S_ENDPOINTSLICES);
	if (k8s->auth.warning)
		events_warn(&k8s->events, xstrdup(k8s->auth.warning));
	loop_timer_after(k8s->loop, &k8s->start,
		mono_ms(random_below(k8s->options.start_spread_s * 1000 + 1)), start);
	events_complete(&k8s->events);
	return 0;
}

static int check_selector(const struct k8s_options *options, char **out_error)
{
	struct k8s_label_selector *selector = NULL;
	int r = 0;

	if (options->namespace_selector)
		r = k8s_label_selector_parse(options->namespace_selector, &selector, out_error);
	k8s_label_selector_free(selector);
	return r;
}

int k8s_new(struct loop *loop, const struct k8s_options *options, void (*notify)(void *data),
	void *data, struct k8s **out, char **out_error)
{
	struct k8s *k8s = xcalloc(1, sizeof(*k8s));
	int r;

	k8s->loop = loop;
	copy_options(k8s, options);
	events_init(&k8s->events, loop, notify, data);
	r = check_selector(&k8s->options, out_error);
	if (!r && k8s->options.directory)
		r = files_new(loop, &k8s->events, &k8s->options, &k8s->files, out_error);
	else if (!r)
		r = start_cluster(k8s, out_error);
	if (r)
		k8s_free(k8s);
	else
		*out = k8s;
	return r;
}

struct k8s *k8s_free(struct k8s *k8s)
{
	if (!k8s)
		return NULL;
	for (size_t resource = 0; resource < K8S_N_RESOURCES; resource++)
		for (size_t i = 0; i < k8s->n_reflectors[resource]; i++)
			reflector_free(k8s->reflectors[resource][i]);
	loop_timer_stop(&k8s->start);
	files_free(k8s->files);
	requests_free(k8s->requests);
	auth_deinit(&k8s->auth);
	events_deinit(&k8s->events);
	free_options(k8s);
	free(k8s);
	return NULL;
}

bool k8s_pop_event(struct k8s *k8s, struct k8s_event *out)
{
	return events_pop(&k8s->events, out);
}

/* "kubernetes.io/service-name in (a,b)", for free(); NULL: none in this namespace. */
static char *select_slices(const struct k8s_service_name *services, size_t n, const char *namespace)
{
	char *text;
	size_t size, n_names = 0;
	FILE *out = xmemstream(&text, &size);

	fputs("kubernetes.io/service-name in (", out);
	for (size_t i = 0; i < n; i++)
		if (!namespace || strcmp(services[i].namespace, namespace) == 0)
			fprintf(out, "%s%s", n_names++ ? "," : "", services[i].name);
	fputc(')', out);
	fclose(out);
	if (n_names)
		return text;
	free(text);
	return NULL;
}

static bool watches_whole(const struct k8s *k8s)
{
	return k8s->options.n_namespaces == 0 || k8s->options.n_namespaces > NAMESPACES_MAX;
}

void k8s_want_endpointslices(struct k8s *k8s, const struct k8s_service_name *services, size_t n)
{
	for (size_t i = 0; i < k8s->n_reflectors[K8S_ENDPOINTSLICES]; i++) {
		struct reflector *reflector = k8s->reflectors[K8S_ENDPOINTSLICES][i];
		auto_free char *labels = select_slices(
			services, n, watches_whole(k8s) ? NULL : k8s->options.namespaces[i]);

		if (!labels) {
			reflector_stop(reflector);
			continue;
		}
		reflector_select(reflector,
			n <= SERVICES_MAX        ? labels
			: k8s->options.n_proxies ? QUERY_ANY_PROXY
						 : NULL,
			n > SERVICES_MAX ? "many services are decided by them"
					 : "only these services are decided by them");
		reflector_start(reflector);
	}
}

bool k8s_endpointslices_stream(
	const struct k8s *k8s, const char *namespace, unsigned *out_stream, unsigned *out_selection)
{
	for (size_t i = 0; i < k8s->n_reflectors[K8S_ENDPOINTSLICES]; i++) {
		if (watches_whole(k8s) || strcmp(k8s->options.namespaces[i], namespace) == 0)
			return reflector_selection(
				k8s->reflectors[K8S_ENDPOINTSLICES][i], out_stream, out_selection);
	}
	return false;
}

static struct k8s_stream_status status_of(const struct stream *stream)
{
	return (struct k8s_stream_status){
		.of = stream,
		.stream = stream->id,
		.name = stream->name,
		.resource = stream->resource ? stream->resource : stream->name,
		.namespace = stream->namespace ? stream->namespace : "",
		.plan = stream->plan,
		.synced = stream->synced,
		.connected = stream->up,
		.optional = stream->optional,
		.events = stream->n_events,
		.lists = stream->n_lists,
		.relists = stream->n_relists,
		.bytes = stream->n_bytes,
		.problems = stream->n_problems,
		.last_contact = stream->last_contact,
		.error = stream->error,
	};
}

bool k8s_stream(const struct k8s *k8s, unsigned number, struct k8s_stream_status *out)
{
	const struct stream *stream;

	TAILQ_FOREACH (stream, &k8s->events.streams, linked) {
		if (stream->id == number && !stream->hidden) {
			*out = status_of(stream);
			return true;
		}
	}
	return false;
}

bool k8s_next_stream(const struct k8s *k8s, struct k8s_stream_status *status)
{
	const struct stream *stream =
		status->of ? TAILQ_NEXT(status->of, linked) : TAILQ_FIRST(&k8s->events.streams);

	while (stream && stream->hidden)
		stream = TAILQ_NEXT(stream, linked);
	if (stream)
		*status = status_of(stream);
	return stream != NULL;
}

const char *k8s_describe(const struct k8s *k8s)
{
	return k8s->options.directory ? k8s->options.directory : k8s->auth.description;
}
