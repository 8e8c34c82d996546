/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who holds a prefix in zebra instead of us. ZAPI only says that a better route won; whose it is,
 * zebra tells over its vty. One question at a time, the rest wait; a rejection is rare, and many at
 * once have one cause.
 */
#include "rival.h"

#include "vty.h"

#include <cosmolet/vec.h>

#include <jansson.h>
#include <string.h>

#define ANSWER_MAX  65536
#define LIMIT       mono_s(2)
#define SETTLE      mono_ms(200) /* an address that appears is a kernel route first, then connected */
#define WAITING_MAX 1000         /* more are not asked for */

struct rival {
	struct loop *loop;
	char *path;
	char *vrf;
	rival_found_fn *found;
	void *data;
	struct vec waiting; /* struct prefix */
	struct prefix asked;
	struct vty *vty; /* NULL: nothing is asked */
	struct loop_job next_job;
	struct loop_timer settle_timer;
};

static void on_next(struct loop_job *job);

static void print_nexthops(FILE *out, const json_t *nexthops)
{
	const json_t *nexthop;
	size_t i;

	json_array_foreach (nexthops, i, nexthop) {
		const char *ip = json_string_value(json_object_get(nexthop, "ip"));
		const char *name = json_string_value(json_object_get(nexthop, "interfaceName"));

		if (ip || name)
			fprintf(out, "%s %s", i ? "," : ", via", ip ? ip : name);
	}
}

/* The selected route of the prefix in zebra's answer, for free(); NULL: none, or not readable. */
static char *selected(const char *answer)
{
	json_auto_t *json = json_loads(answer, 0, NULL);
	const json_t *routes = json ? json_object_iter_value(json_object_iter(json)) : NULL;
	const json_t *route;
	char *text = NULL;
	size_t i, size = 0;
	FILE *out;

	json_array_foreach (routes, i, route) {
		const char *protocol = json_string_value(json_object_get(route, "protocol"));

		if (!protocol || !json_is_true(json_object_get(route, "selected")))
			continue;
		out = xmemstream(&text, &size);
		fprintf(out, "%s, distance %lld", protocol,
			(long long)json_integer_value(json_object_get(route, "distance")));
		print_nexthops(out, json_object_get(route, "nexthops"));
		fclose(out);
		return text;
	}
	return NULL;
}

static void on_answer(void *data, const char *answer)
{
	struct rival *r = data;
	auto_free char *text = answer ? selected(answer) : NULL;

	loop_job_queue(r->loop, &r->next_job, on_next);
	if (text)
		r->found(r->data, &r->asked, text);
}

static void ask(struct rival *r)
{
	char buf[PREFIX_STRLEN];
	auto_free char *command = xasprintf("show %s route %s%s%s%s json",
		r->asked.family == AF_INET ? "ip" : "ipv6", r->vrf ? "vrf " : "",
		r->vrf ? r->vrf : "", r->vrf ? " " : "", prefix_text(&r->asked, buf));

	r->vty = vty_ask(r->loop, r->path, command, ANSWER_MAX, LIMIT, on_answer, r);
}

static void on_next(struct loop_job *job)
{
	struct rival *r = container_of(job, struct rival, next_job);
	struct prefix *prefix;

	r->vty = vty_free(r->vty);
	if (r->waiting.n == 0)
		return;
	prefix = vec_remove_at(&r->waiting, 0);
	r->asked = *prefix;
	free(prefix);
	ask(r);
}

struct rival *rival_new(
	struct loop *loop, const char *zserv, const char *vrf, rival_found_fn *found, void *data)
{
	struct rival *r = xcalloc(1, sizeof(*r));

	r->loop = loop;
	r->path = vty_path(zserv, "zebra");
	r->vrf = vrf ? xstrdup(vrf) : NULL;
	r->found = found;
	r->data = data;
	vec_init(&r->waiting, prefix_cmp);
	return r;
}

void rival_set_vrf(struct rival *r, const char *vrf)
{
	str_set(&r->vrf, vrf);
}

struct rival *rival_free(struct rival *r)
{
	if (!r)
		return NULL;
	loop_job_stop(&r->next_job);
	loop_timer_stop(&r->settle_timer);
	r->vty = vty_free(r->vty);
	vec_deinit(&r->waiting, free);
	free(r->path);
	free(r->vrf);
	free(r);
	return NULL;
}

static void on_settled(struct loop_timer *timer)
{
	struct rival *r = container_of(timer, struct rival, settle_timer);

	if (!r->vty)
		loop_job_queue(r->loop, &r->next_job, on_next);
}

void rival_ask(struct rival *r, const struct prefix *prefix)
{
	if (r->waiting.n >= WAITING_MAX || vec_find(&r->waiting, prefix))
		return;
	vec_insert(&r->waiting, xmemdup(prefix, sizeof(*prefix)));
	if (!r->settle_timer.loop)
		loop_timer_after(r->loop, &r->settle_timer, SETTLE, on_settled);
}
