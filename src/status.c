/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is, as JSON: the one answer that the command line, the metrics' readers and people all get
 * their picture from. It tells what zebra confirmed, not what we intend.
 */
#include "status.h"

#include "daemon.h"
#include "view.h"

#include <jansson.h>
#include <string.h>

/* Goes up when a field is renamed, removed or means something else; not when one is added. */
#define STATUS_VERSION 1

#define DUMP_FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(13))
#define STEP       mono_ms(5) /* so long a turn of the loop may take for it */

static void set_string(json_t *object, const char *key, const char *value)
{
	json_object_set_new(object, key, value ? json_string(value) : json_null());
}

static void set_number(json_t *object, const char *key, uint64_t value)
{
	json_object_set_new(object, key, json_integer((json_int_t)value));
}

static void set_bool(json_t *object, const char *key, bool value)
{
	json_object_set_new(object, key, json_boolean(value));
}

/* Seconds, to the millisecond: more digits would only pretend. */
static void set_seconds(json_t *object, const char *key, double value)
{
	json_object_set_new(object, key, json_real((double)(int64_t)(value * 1000 + .5) / 1000));
}

static json_t *zebra_json(const struct daemon *daemon)
{
	struct zapi_status status;
	json_t *json = json_object();
	char buf[PREFIX_STRLEN];

	zapi_status(daemon->zapi, &status);
	set_bool(json, "connected", status.connected);
	set_string(json, "release", *status.release ? status.release : NULL);
	set_string(json, "phase", status.phase);
	set_string(json, "socket", daemon->config->frr_socket_path);
	set_string(json, "redistribute", daemon->config->announce_redistribute);
	set_number(json, "routes", status.n_routes);
	set_number(json, "redistributed", status.n_redistributed);
	set_number(json, "leftovers", status.n_leftovers);
	set_number(json, "feed", status.n_feed);
	set_string(json, "vrf", daemon->config->announce_vrf);
	set_string(json, "router_id",
		status.router_id.family ? prefix_address(&status.router_id, buf) : NULL);
	set_bool(json, "bgpd_deaf", bgpd_is_deaf(daemon->bgpd));
	set_number(json, "queue_bytes", status.queue_bytes);
	set_number(json, "connects", status.connects);
	return json;
}

static json_t *stream_json(const struct k8s_stream_status *stream)
{
	json_t *json = json_object();

	set_string(json, "name", stream->name);
	if (stream->plan)
		set_string(json, "plan", stream->plan);
	set_bool(json, "synced", stream->synced);
	set_bool(json, "connected", stream->connected);
	set_number(json, "events", stream->events);
	set_number(json, "lists", stream->lists);
	set_number(json, "bytes", stream->bytes);
	set_number(json, "problems", stream->problems);
	if (stream->last_contact.ns)
		set_seconds(json, "contact_seconds_ago",
			mono_to_s(mono_sub(mono_now(), stream->last_contact)));
	if (stream->error)
		set_string(json, "error", stream->error);
	return json;
}

static json_t *source_json(const struct daemon *daemon)
{
	struct k8s_stream_status stream = {0};
	json_t *json = json_object(), *list = json_array();

	set_string(json, "from", k8s_describe(daemon->k8s));
	set_bool(json, "synced", daemon->planner.synced);
	set_seconds(json, "stale_seconds", stale_seconds(&daemon->stale));
	set_number(json, "services", daemon->cluster.services.n);
	set_number(json, "pods", daemon->cluster.pods.n);
	set_number(json, "endpointslices", daemon->cluster.slices.n);
	if (daemon->config->services_namespace_selector)
		set_number(json, "namespaces", daemon->cluster.namespaces.n);
	for (size_t n = 0; n < MAX_STREAMS && k8s_next_stream(daemon->k8s, &stream); n++)
		json_array_append_new(list, stream_json(&stream));
	json_object_set_new(json, "streams", list);
	return json;
}

static json_t *policies_json(const struct daemon *daemon)
{
	const struct policy *policy;
	json_t *list = json_array();

	vec_foreach (&daemon->policies.all, policy, i) {
		json_t *json = json_object();
		auto_free char *field = policy_field(policy);

		set_string(json, "name", policy->name);
		set_bool(json, "in_force", policy->spec != NULL);
		if (policy->spec)
			json_object_set_new(json, "priority", json_integer(policy->priority));
		set_string(json, "error", policy->error);
		if (policy->error)
			set_string(json, "field", field);
		json_array_append_new(list, json);
	}
	return list;
}

static json_t *loopback_json(const struct daemon *daemon)
{
	static const char *const modes[] = {"local-route", "address", "none"};
	struct loopback_status status;
	json_t *json = json_object(), *advice = json_array();

	loopback_status(daemon->loopback, &status);
	set_string(json, "mode", modes[daemon->config->loopback_mode]);
	set_string(json, "interface", daemon->config->loopback_interface);
	set_number(json, "bound", status.n_bound);
	set_number(json, "audits", status.audits);
	set_number(json, "repairs", status.repairs);
	set_number(json, "errors", status.errors);
	set_number(json, "overruns", status.overruns);
	for (size_t i = 0; i < daemon->n_advice; i++)
		json_array_append_new(advice, json_string(daemon->advice[i]));
	json_object_set_new(json, "advice", advice);
	return json;
}

static void set_vip(json_t *json, const struct vip *vip)
{
	auto_free char *note = vip_note_text(vip);

	set_seconds(json, "since", vip->since);
	set_bool(json, "bound", vip->bound || vip->foreign);
	if (vip->foreign)
		set_bool(json, "foreign", true);
	if (vip->asked) {
		set_string(json, "zebra", zapi_route_state_text(vip->zebra));
		set_number(json, "tag", vip->tag);
		set_number(json, "metric", vip->metric);
	}
	if (vip_shown(vip) != vip_state(vip))
		set_string(json, "tagged", vip_state_text(vip_shown(vip)));
	if (note)
		set_string(json, "note", note);
}

/* What bgpd said last; NULL: it is not asked. */
static json_t *bgp_json(const struct daemon *daemon)
{
	json_t *json = json_object(), *neighbors = json_array();
	const struct bgpview *view = daemon->bgpview;
	const struct bgpview_neighbor *neighbor;

	if (bgpview_age(view) >= 0)
		set_seconds(json, "age_seconds", bgpview_age(view));
	set_string(json, "error", bgpview_error(view));
	vec_foreach (bgpview_neighbors(view), neighbor, i) {
		json_t *entry = json_object();

		set_string(entry, "name", neighbor->name);
		set_number(entry, "family", (uint64_t)family_number(neighbor->family));
		set_string(entry, "state", neighbor->state);
		if (neighbor->unread)
			set_string(entry, "error", BGPVIEW_UNREAD_TEXT);
		else
			set_number(entry, "advertised", neighbor->n_advertised);
		json_array_append_new(neighbors, entry);
	}
	json_object_set_new(json, "neighbors", neighbors);
	return json;
}

/* The neighbours that bgpd advertises it to. */
static void set_neighbors(json_t *json, const struct bgpview *view, const struct prefix *address)
{
	const struct bgpview_neighbor *neighbor;
	json_t *names = json_array();

	vec_foreach (bgpview_neighbors(view), neighbor, i) {
		if (bgpview_advertises(neighbor, address))
			json_array_append_new(names, json_string(neighbor->name));
	}
	json_object_set_new(json, "neighbors", names);
}

static void set_class(json_t *json, const struct config_class *class)
{
	if (class->name && class->by_policy)
		set_string(json, "policy", class->name);
	else if (class->name)
		set_string(json, "class", class->name);
}

static json_t *address_json(const struct daemon *daemon, const struct view_address *address)
{
	const struct view_row *deciding = address->deciding;
	json_t *json = json_object(), *services = json_array();
	char buf[PREFIX_STRLEN];

	set_string(json, "address", prefix_address(&address->address, buf));
	set_number(json, "family", (uint64_t)family_number(address->address.family));
	set_string(json, "state", vip_state_text(view_state(address)));
	if (address->vip)
		set_vip(json, address->vip);
	if (address->vip && daemon->bgpview && bgpview_age(daemon->bgpview) >= 0)
		set_neighbors(json, daemon->bgpview, &address->address);
	if (deciding) {
		auto_free char *verdict = verdict_text(daemon->config, &deciding->verdict);
		auto_free char *hold = address->vip ? vip_hold_text(address->vip) : NULL;
		auto_free char *why =
			xasprintf("%s%s%s", verdict, hold ? "; " : "", hold ? hold : "");

		set_string(json, "kind", address_kind_text(deciding->verdict.kind));
		set_string(json, "reason", reason_word(deciding->verdict.reason));
		set_string(json, "why", why);
		if (hold)
			set_string(json, "hold", hold_word(vip_hold(address->vip)));
		set_class(json, deciding->verdict.class);
	}
	for (size_t i = 0; i < address->n_rows; i++) {
		const struct k8s_meta *meta = &address->rows[i].service->meta;

		json_array_append_new(services, json_sprintf("%s/%s", meta->namespace, meta->name));
	}
	json_object_set_new(json, "services", services);
	return json;
}

/* What an operator has to do something about. */
static json_t *problems_json(const struct daemon *daemon)
{
	auto_free char *certificate = http_problem(daemon->http);
	json_t *json = json_array();
	const struct policy *policy;

	if (bgpd_is_deaf(daemon->bgpd))
		json_array_append_new(json, json_string(BGPD_DEAF_TEXT));
	if (stale_seconds(&daemon->stale) > 0 && (daemon->planner.synced || daemon->stale.over))
		json_array_append_new(json,
			json_sprintf("the API server is away since %d s: what was known then "
				     "is what is announced%s",
				(int)stale_seconds(&daemon->stale),
				daemon->stale.over ? ", as far as fail_static.policy allows" : ""));
	if (!gate_is_open(daemon->gate))
		json_array_append_new(json,
			json_sprintf("nothing is announced or withdrawn before "
				     "announce.wait_for answers; %s: %s",
				daemon->config->announce_wait_for, gate_reason(daemon->gate)));
	vec_foreach (&daemon->policies.all, policy, i) {
		if (policy->error)
			json_array_append_new(json,
				json_sprintf("AnnouncementPolicy %s is refused%s: %s", policy->name,
					policy->spec ? ", and as it was before" : "",
					policy->error));
	}
	if (daemon->config_error)
		json_array_append_new(
			json, json_sprintf("the configuration in use is not the file's: %s",
				      daemon->config_error));
	if (certificate)
		json_array_append_new(json, json_string(certificate));
	return json;
}

static bool would_announce(const struct vip *vip)
{
	return vip->wanted && vip->zebra != ZAPI_REDISTRIBUTED;
}

/* What a daemon that may change things would do about zebra's routes. */
static json_t *would_json(const struct daemon *daemon)
{
	auto_free struct prefix *leftovers = NULL;
	size_t n = zapi_leftovers(daemon->zapi, &leftovers);
	json_t *json = json_object(), *withdraw = json_array();
	const struct vip *vip;
	uint64_t announce = 0;
	char buf[PREFIX_STRLEN];

	vec_foreach (&daemon->announce.vips, vip, i)
		announce += would_announce(vip);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(withdraw, json_string(prefix_text(&leftovers[i], buf)));
	set_number(json, "announce", announce);
	json_object_set_new(json, "withdraw", withdraw);
	return json;
}

static json_t *transitions_json(const struct journal *journal)
{
	const struct transition *entry;
	json_t *list = json_array();
	char buf[PREFIX_STRLEN];

	for (size_t i = 0; (entry = journal_transition_at(journal, i)); i++) {
		json_t *json = json_object();

		set_seconds(json, "when", entry->when);
		set_string(json, "address", prefix_address(&entry->address, buf));
		set_string(json, "service", entry->service);
		set_string(json, "from", entry->from);
		set_string(json, "to", entry->to);
		set_string(json, "why", entry->why);
		json_array_append_new(list, json);
	}
	return list;
}

static json_t *latencies_json(const struct journal *journal)
{
	const struct latency *entry;
	json_t *list = json_array();

	for (size_t i = 0; (entry = journal_latency_at(journal, i)); i++) {
		json_t *json = json_object();

		set_seconds(json, "when", entry->when);
		set_string(json, "direction", entry->direction);
		json_object_set_new(
			json, "ms", json_real((double)(int64_t)(entry->ms * 100 + .5) / 100));
		json_array_append_new(list, json);
	}
	return list;
}

/* The answer, step by step. The addresses are most of it, each a piece of JSON of its own. */
struct report {
	const struct daemon *daemon;
	struct view view;
	size_t at;
	uint64_t counts[N_VIP_STATES];
	bool any;
	FILE *out;
	char *body;
	size_t size;
};

static json_t *head_json(const struct daemon *daemon)
{
	json_t *json = json_object();

	set_number(json, "version", STATUS_VERSION);
	set_string(json, "cosmolet", COSMOLET_VERSION);
	set_seconds(json, "now", wall_now());
	set_string(json, "node", daemon->config->node);
	set_seconds(json, "started", daemon->started);
	set_bool(json, "draining", daemon->announce.draining);
	set_string(json, "drain", drain_phase_text(daemon->drain.phase));
	set_string(json, "drained_by", daemon->drain.why);
	json_object_set_new(json, "kubernetes", source_json(daemon));
	json_object_set_new(json, "policies", policies_json(daemon));
	json_object_set_new(json, "zebra", zebra_json(daemon));
	json_object_set_new(json, "loopback", loopback_json(daemon));
	if (daemon->bgpview)
		json_object_set_new(json, "bgp", bgp_json(daemon));
	json_object_set_new(json, "problems", problems_json(daemon));
	if (daemon->config->dry_run)
		json_object_set_new(json, "would", would_json(daemon));
	return json;
}

static json_t *foot_json(const struct report *report)
{
	json_t *json = json_object(), *states = json_object();

	for (int i = 0; i < N_VIP_STATES; i++)
		set_number(states, vip_state_text((enum vip_state)i), report->counts[i]);
	json_object_set_new(json, "states", states);
	json_object_set_new(json, "transitions", transitions_json(&report->daemon->journal));
	json_object_set_new(json, "latencies", latencies_json(&report->daemon->journal));
	return json;
}

/* What is between the outer brackets. Takes the object. */
static void write_members(struct report *report, json_t *json)
{
	json_dumpf(json, report->out, DUMP_FLAGS | JSON_EMBED);
	json_decref(json);
}

static void write_address(struct report *report, const struct view_address *address)
{
	json_auto_t *json = address_json(report->daemon, address);

	if (report->any)
		fputc(',', report->out);
	report->any = true;
	report->counts[view_state(address)]++;
	json_dumpf(json, report->out, DUMP_FLAGS);
}

static void report_free(void *work)
{
	struct report *report = work;

	view_deinit(&report->view);
	if (report->out)
		fclose(report->out);
	free(report->body);
	free(report);
}

static void complete(struct report *report, struct http_answer *out)
{
	fputs("],", report->out);
	write_members(report, foot_json(report));
	fputc('}', report->out);
	fclose(TAKE(report->out));
	*out = (struct http_answer){
		.status = 200,
		.type = "application/json",
		.body = TAKE(report->body),
		.size = report->size,
	};
}

static bool report_step(void *work, struct http_answer *out)
{
	struct report *report = work;
	struct mono until = mono_add(mono_now(), STEP);

	while (mono_before(mono_now(), until)) {
		struct view_address address;

		if (!view_next(&report->view, &report->at, &address)) {
			complete(report, out);
			return true;
		}
		write_address(report, &address);
		view_address_deinit(&address);
	}
	return false;
}

void status_answer(const struct daemon *daemon, struct http_answer *out)
{
	struct report *report = xcalloc(1, sizeof(*report));

	report->daemon = daemon;
	report->out = xmemstream(&report->body, &report->size);
	view_init(&report->view, daemon);
	fputc('{', report->out);
	write_members(report, head_json(daemon));
	fputs(",\"addresses\":[", report->out);
	*out = (struct http_answer){.step = report_step, .end = report_free, .work = report};
}

char *status_ready(const struct daemon *daemon, bool *out_ready)
{
	auto_free char *missing = daemon_missing(daemon);

	*out_ready = !missing;
	return missing ? xasprintf("waiting for %s\n", missing) : xstrdup("ok\n");
}
