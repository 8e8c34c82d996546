/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bursts are merged: an event only notes which services it touches; one job plans them all.
 *
 * The hard part is that nothing may be decided out of ignorance. EndpointSlices are watched only
 * for the services that need them, which is known when these are known; so they come late, and what
 * depends on them is left as it is until their list has ended: also what a former life announced.
 */
#include "planner.h"

#include "plan.h"

#include <cosmolet/log.h>

#include <string.h>

static void on_job(struct loop_job *job);

struct name { /* the two texts are in the same allocation */
	const char *namespace;
	const char *name;
	struct trace trace; /* in changed: of the event that touched it first */
	bool undecided;     /* in by_slices: they are not known yet */
	char *text;         /* in complaints: what was said */
};

static int name_cmp(const void *a, const void *b)
{
	const struct name *x = a, *y = b;
	int c = strcmp(x->namespace, y->namespace);

	return c ? c : strcmp(x->name, y->name);
}

static void name_destroy(void *item)
{
	struct name *name = item;

	free(name->text);
	free(name);
}

static struct name *name_new(const char *namespace, const char *name)
{
	size_t n_namespace = strlen(namespace) + 1, n_name = strlen(name) + 1;
	struct name *copy = xmalloc(sizeof(*copy) + n_namespace + n_name);
	char *texts = (char *)(copy + 1);

	*copy = (struct name){.namespace = memcpy(texts, namespace, n_namespace),
		.name = memcpy(texts + n_namespace, name, n_name)};
	return copy;
}

static struct name *name_find(const struct vec *names, const char *namespace, const char *name)
{
	struct name wanted = {
		.namespace = (char *)(uintptr_t) namespace, .name = (char *)(uintptr_t)name};

	return vec_find(names, &wanted);
}

/* EndpointSlices */

/* For cluster.knows_slices: it is known only of those that were asked for, and have been listed. */
static bool knows_slices(const void *data, const char *namespace, const char *name)
{
	const struct planner *planner = data;
	unsigned stream, selection;

	if (!planner->k8s || !name_find(&planner->by_slices, namespace, name))
		return false;
	return !k8s_endpointslices_stream(planner->k8s, namespace, &stream, &selection) ||
	       cluster_is_listed(planner->cluster, stream, selection);
}

/* Keeps the set of services that EndpointSlices decide. true: it has changed. */
static bool note_slices(
	struct planner *planner, const struct name *name, bool by_slices, bool undecided)
{
	struct name *known = vec_find(&planner->by_slices, name);
	bool changed = by_slices == !known;

	if (by_slices && !known) {
		known = name_new(name->namespace, name->name);
		vec_insert(&planner->by_slices, known);
	} else if (!by_slices && known) {
		name_destroy(vec_remove(&planner->by_slices, name));
	}
	if (by_slices)
		known->undecided = undecided;
	return changed;
}

void planner_slices_changed(struct planner *planner)
{
	const struct name *name;

	loop_job_queue(planner->loop, &planner->job, on_job);
	vec_foreach (&planner->by_slices, name, i) {
		if (name->undecided)
			planner_touch(planner, name->namespace, name->name);
	}
}

static void want_slices(struct planner *planner)
{
	auto_free struct k8s_service_name *services =
		xcalloc(planner->by_slices.n + 1, sizeof(*services));
	const struct name *name;

	vec_foreach (&planner->by_slices, name, i)
		services[i] = (struct k8s_service_name){name->namespace, name->name};
	k8s_want_endpointslices(planner->k8s, services, planner->by_slices.n);
	planner_slices_changed(
		planner); /* one that is watched with all others may be known already */
}

/* Whether the slices of an undecided service are on their way; they may also be forbidden to us. */
static bool awaits(const struct planner *planner, const struct name *name)
{
	struct k8s_stream_status status;
	unsigned stream, selection;

	return name->undecided &&
	       k8s_endpointslices_stream(planner->k8s, name->namespace, &stream, &selection) &&
	       k8s_stream(planner->k8s, stream, &status) && !status.error;
}

static bool awaits_any(const struct planner *planner)
{
	const struct name *name;

	vec_foreach (&planner->by_slices, name, i) {
		if (awaits(planner, name))
			return true;
	}
	return false;
}

/* Each complaint is told once, not with each pod that comes or goes. */
static void complain(
	struct planner *planner, const struct name *name, const struct k8s_object *service)
{
	auto_free char *text = service ? plan_complaint(planner->config, service) : NULL;
	struct name *known = vec_find(&planner->complaints, name);

	if (!text) {
		if (known)
			name_destroy(vec_remove(&planner->complaints, name));
		return;
	}
	if (!known) {
		known = name_new(name->namespace, name->name);
		vec_insert(&planner->complaints, known);
	}
	if (known->text && !strcmp(known->text, text))
		return;
	str_set(&known->text, text);
	log_warn("plan", text, "namespace=%s service=%s", name->namespace, name->name);
}

/* Rounds */

/* true: the services that need EndpointSlices are others now. */
static bool plan_one(struct planner *planner, const struct name *name)
{
	const struct k8s_object *service =
		cluster_service(planner->cluster, name->namespace, name->name);
	auto_free struct verdict *verdicts = NULL;
	bool by_slices = false, undecided = false;
	size_t n = 0;

	if (service)
		n = plan_service(planner->config, planner->cluster, service, &verdicts);
	complain(planner, name, service);
	for (size_t i = 0; i < n; i++) {
		by_slices = by_slices || verdicts[i].by_slices;
		undecided = undecided || verdicts[i].reason == REASON_SLICES_UNKNOWN;
	}
	planner->announce->cause = name->trace;
	announce_service(planner->announce, name->namespace, name->name, verdicts, n);
	planner->announce->cause = (struct trace){0};
	return note_slices(planner, name, by_slices, undecided);
}

static void plan_changed(struct planner *planner)
{
	const struct name *name;
	struct vec changed = planner->changed;
	bool others = false;

	vec_init(&planner->changed, name_cmp);
	vec_foreach (&changed, name, i)
		others = plan_one(planner, name) || others;
	vec_deinit(&changed, name_destroy);
	if (others)
		want_slices(planner);
}

static void on_job(struct loop_job *job)
{
	struct planner *planner = container_of(job, struct planner, job);

	planner->before(planner->data);
	plan_changed(planner);
	if (!planner->synced || planner->held || planner->announce->synced || awaits_any(planner))
		return;
	log_info("plan", "the cluster is known: what is wanted is announced, the rest removed",
		"services=%zu pods=%zu", planner->cluster->services.n, planner->cluster->pods.n);
	announce_synced(planner->announce);
}

void planner_hold(struct planner *planner, bool held)
{
	planner->held = held;
	loop_job_queue(planner->loop, &planner->job, on_job);
}

void planner_touch(void *data, const char *namespace, const char *name)
{
	struct planner *planner = data;
	struct name *entry;

	loop_job_queue(planner->loop, &planner->job, on_job);
	if (name_find(&planner->changed, namespace, name))
		return;
	entry = name_new(namespace, name);
	entry->trace = trace_begin(loop_now(planner->loop));
	vec_insert(&planner->changed, entry);
}

void planner_touch_all(struct planner *planner)
{
	const struct k8s_object *service;

	loop_job_queue(planner->loop, &planner->job, on_job);
	vec_foreach (&planner->cluster->services, service, i)
		planner_touch(planner, service->meta.namespace, service->meta.name);
}

void planner_consider(struct planner *planner)
{
	loop_job_queue(planner->loop, &planner->job, on_job);
}

void planner_synced(struct planner *planner)
{
	planner->synced = true;
	loop_job_queue(planner->loop, &planner->job, on_job);
}

/* Life */

void planner_init(struct planner *planner, struct loop *loop, const struct config *config,
	struct cluster *cluster, struct announce *announce, void (*before)(void *data), void *data)
{
	*planner = (struct planner){
		.loop = loop,
		.config = config,
		.cluster = cluster,
		.announce = announce,
		.before = before,
		.data = data,
	};
	vec_init(&planner->changed, name_cmp);
	vec_init(&planner->by_slices, name_cmp);
	vec_init(&planner->complaints, name_cmp);
	cluster->knows_slices = knows_slices;
	cluster->knows_slices_data = planner;
}

void planner_set_source(struct planner *planner, struct k8s *k8s)
{
	planner->k8s = k8s;
}

void planner_configure(struct planner *planner, const struct config *config)
{
	planner->config = config;
	planner_touch_all(planner);
	loop_job_stop(&planner->job);
	on_job(&planner->job);
}

void planner_deinit(struct planner *planner)
{
	loop_job_stop(&planner->job);
	vec_deinit(&planner->changed, name_destroy);
	vec_deinit(&planner->by_slices, name_destroy);
	vec_deinit(&planner->complaints, name_destroy);
}
