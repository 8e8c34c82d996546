/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metrics. One table says for every family its name, type, labels and meaning, and who writes
 * its samples; the exposition and the table in the README both come from it.
 *
 * The hard part: a node with ten thousand addresses has several times as many series, and while
 * they are written no event is handled. So families with a series for each address or service are
 * written in portions, with the loop's other work between them. What is there may change meanwhile;
 * hence a portion begins behind the name of what was written last, not at a number, and no series
 * comes twice.
 */
#include "metrics.h"

#include "daemon.h"
#include "revision.h"

#include <cosmolet/log.h>

#include <dirent.h>
#include <string.h>
#include <sys/resource.h>

static size_t scrape_size; /* of the last one */

#define PORTION 512 /* addresses or services in a turn of the loop */

static const double bounds[N_BUCKETS] = {
	.0001, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60};

static const char *const direction_texts[N_DIRECTIONS] = {"announce", "withdraw"};
static const char *const stage_texts[N_STAGES] = {"decode", "decide", "bind", "zebra"};

/* Counting */

void histogram_add(struct histogram *histogram, struct mono duration)
{
	double seconds = mono_to_s(duration);

	histogram->count++;
	histogram->sum += seconds;
	for (int i = 0; i < N_BUCKETS; i++) {
		if (seconds <= bounds[i]) {
			histogram->buckets[i]++;
			return;
		}
	}
}

struct trace trace_begin(struct mono came)
{
	struct trace trace = {.came = came, .last = came};

	trace_mark(&trace, STAGE_DECODE);
	return trace;
}

void trace_mark(struct trace *trace, enum stage stage)
{
	struct mono now = mono_now();

	if (!trace || !trace->came.ns)
		return;
	trace->spent[stage] = mono_add(trace->spent[stage], mono_sub(now, trace->last));
	trace->last = now;
}

void metrics_arrived(struct metrics *metrics, enum direction direction, const struct trace *trace)
{
	histogram_add(&metrics->propagation[direction], mono_sub(trace->last, trace->came));
	for (int i = 0; i < N_STAGES; i++)
		histogram_add(&metrics->stages[direction][i], trace->spent[i]);
}

/* Writing */

enum type { INFO, GAUGE, COUNTER, HISTOGRAM };

struct scrape;

struct family {
	const char *name;
	enum type type;
	const char *labels; /* for people; "" without */
	const char *help;
	/* One of these: all samples at once, or those of an address, or of a service. */
	void (*write)(struct scrape *s);
	void (*write_vip)(struct scrape *s, const struct vip *vip);
	void (*write_owner)(struct scrape *s, const struct owner *owner);
};

struct scrape {
	const struct daemon *daemon;
	bool openmetrics;
	FILE *out;
	char *body;
	size_t size;
	size_t at; /* of the families */
	const struct family *family;
	unsigned n_labels; /* of the sample that is being written */
	bool headed;       /* HELP and TYPE are written */
	/* What was written last, of a family in portions. */
	bool begun;
	struct prefix address;
	char *namespace;
	char *name;
};

/* OpenMetrics wants a family's name without what its type adds to the samples'. */
static int family_length(const struct scrape *s)
{
	const char *suffix = s->family->type == COUNTER ? "_total" : "_info";
	size_t n = strlen(s->family->name);

	if (s->openmetrics && (s->family->type == COUNTER || s->family->type == INFO))
		n -= strlen(suffix);
	return (int)n;
}

static void head(struct scrape *s)
{
	static const char *const types[] = {"gauge", "gauge", "counter", "histogram"};
	const char *type =
		s->openmetrics && s->family->type == INFO ? "info" : types[s->family->type];
	const char *name = s->family->name;
	int n = family_length(s);

	fprintf(s->out, "# HELP %.*s %s\n# TYPE %.*s %s\n", n, name, s->family->help, n, name,
		type);
	s->headed = true;
}

static void sample(struct scrape *s, const char *suffix)
{
	fputs_unlocked(s->family->name, s->out);
	fputs_unlocked(suffix, s->out);
	s->n_labels = 0;
}

/* The value is escaped as both formats want it. */
static void label(struct scrape *s, const char *name, const char *value)
{
	putc_unlocked(s->n_labels++ ? ',' : '{', s->out);
	fputs_unlocked(name, s->out);
	fputs_unlocked("=\"", s->out);
	while (*value) {
		size_t n = strcspn(value, "\n\"\\");

		fwrite_unlocked(value, 1, n, s->out);
		value += n;
		if (!*value)
			break;
		putc_unlocked('\\', s->out);
		putc_unlocked(*value == '\n' ? 'n' : *value, s->out);
		value++;
	}
	putc_unlocked('"', s->out);
}

static void end_labels(struct scrape *s)
{
	if (s->n_labels)
		putc_unlocked('}', s->out);
}

static void number(struct scrape *s, double value)
{
	end_labels(s);
	fprintf(s->out, " %.15g\n", value);
}

static void count(struct scrape *s, uint64_t value)
{
	end_labels(s);
	fprintf(s->out, " %llu\n", (unsigned long long)value);
}

/* Almost all samples of a large node: without printf. */
static void truth(struct scrape *s, bool value)
{
	end_labels(s);
	fputs_unlocked(value ? " 1\n" : " 0\n", s->out);
}

static void write_histogram(struct scrape *s, const struct histogram *histogram,
	const char *direction, const char *stage)
{
	uint64_t total = 0;

	for (int i = 0; i <= N_BUCKETS; i++) {
		char bound[32] = "+Inf";

		/* OpenMetrics' canonical numbers are never without a point. */
		if (i < N_BUCKETS)
			snprintf(bound, sizeof(bound), "%g%s", bounds[i],
				s->openmetrics && bounds[i] == (int)bounds[i] ? ".0" : "");
		total = i < N_BUCKETS ? total + histogram->buckets[i] : histogram->count;
		sample(s, "_bucket");
		if (direction)
			label(s, "direction", direction);
		if (stage)
			label(s, "stage", stage);
		label(s, "le", bound);
		count(s, total);
	}
	for (int i = 0; i < 2; i++) {
		sample(s, i ? "_count" : "_sum");
		if (direction)
			label(s, "direction", direction);
		if (stage)
			label(s, "stage", stage);
		if (i)
			count(s, histogram->count);
		else
			number(s, histogram->sum);
	}
}

/* Families whose samples differ in one label. */
static void labelled(struct scrape *s, const char *name, const char *value, uint64_t n)
{
	sample(s, "");
	label(s, name, value);
	count(s, n);
}

static void single(struct scrape *s, uint64_t value)
{
	sample(s, "");
	count(s, value);
}

/* cosmolet itself */

static void write_build_info(struct scrape *s)
{
	struct zapi_status status;

	zapi_status(s->daemon->zapi, &status);
	sample(s, "");
	label(s, "version", COSMOLET_VERSION);
	label(s, "revision", cosmolet_revision);
	label(s, "frr_version", status.release);
	label(s, "zapi", ZAPI_PROTOCOL);
	truth(s, true);
}

static void write_info(struct scrape *s)
{
	sample(s, "");
	label(s, "version", COSMOLET_VERSION);
	label(s, "commit", cosmolet_revision);
	truth(s, true);
}

static void write_synced(struct scrape *s)
{
	single(s, s->daemon->planner.synced);
}

static void write_turns(struct scrape *s)
{
	write_histogram(s, &s->daemon->metrics.turns, NULL, NULL);
}

static void write_log_lines(struct scrape *s)
{
	for (int i = LOG_ERR; i <= LOG_DEBUG; i++)
		labelled(s, "level", log_level_text((enum log_level)i),
			log_lines((enum log_level)i));
}

static void write_log_suppressed(struct scrape *s)
{
	single(s, log_suppressed());
}

/* Addresses */

static bool is_full(const struct scrape *s)
{
	return s->daemon->config->metrics_per_service == PER_SERVICE_FULL;
}

static void write_vip_state(struct scrape *s, const struct vip *vip)
{
	const struct claim *claim = vip_claim(vip);
	char buf[PREFIX_STRLEN];

	sample(s, "");
	label(s, "namespace", claim ? claim->owner->namespace : "");
	label(s, "service", claim ? claim->owner->name : "");
	label(s, "address", prefix_address(&vip->address, buf));
	label(s, "kind", claim ? address_kind_text(claim->verdict.kind) : "");
	label(s, "state", vip_state_text(vip_shown(vip)));
	truth(s, true);
}

static void write_vip_confirmed(struct scrape *s, const struct vip *vip)
{
	char buf[PREFIX_STRLEN];

	if (!vip->wanted || s->daemon->config->dry_run)
		return;
	sample(s, "");
	label(s, "address", prefix_address(&vip->address, buf));
	truth(s, vip_state(vip) == VIP_ANNOUNCED);
}

static void write_vip_neighbors(struct scrape *s, const struct vip *vip)
{
	const struct bgpview *view = s->daemon->bgpview;
	char buf[PREFIX_STRLEN];
	size_t n;

	if (!vip->asked || !view || !bgpview_count(view, &vip->address, &n))
		return;
	sample(s, "");
	label(s, "address", prefix_address(&vip->address, buf));
	count(s, n);
}

static void write_vips(struct scrape *s)
{
	unsigned counts[N_VIP_SHOWN] = {0};
	const struct vip *vip;

	vec_foreach (&s->daemon->announce.vips, vip, i)
		counts[vip_shown(vip)]++;
	for (int i = 0; i < N_VIP_SHOWN; i++)
		labelled(s, "state", vip_state_text((enum vip_state)i), counts[i]);
}

static void write_holds(struct scrape *s)
{
	for (int i = HOLD_NONE + 1; i < N_HOLDS; i++)
		labelled(s, "hold", hold_word((enum hold)i), s->daemon->metrics.holds[i]);
}

static void write_held(struct scrape *s)
{
	unsigned counts[N_HOLDS] = {0};
	const struct vip *vip;

	vec_foreach (&s->daemon->announce.vips, vip, i)
		counts[vip_hold(vip)]++;
	for (int i = HOLD_NONE + 1; i < N_HOLDS; i++)
		labelled(s, "hold", hold_word((enum hold)i), counts[i]);
}

static void write_penalty(struct scrape *s, const struct vip *vip)
{
	double penalty = vip_penalty(vip);
	char buf[PREFIX_STRLEN];

	if (penalty < 1)
		return;
	sample(s, "");
	label(s, "address", prefix_address(&vip->address, buf));
	number(s, penalty);
}

static void write_namespace(
	struct scrape *s, const char *namespace, const unsigned counts[N_VIP_SHOWN])
{
	for (int i = 0; i < N_VIP_SHOWN; i++) {
		sample(s, "");
		label(s, "namespace", namespace);
		label(s, "state", vip_state_text((enum vip_state)i));
		count(s, counts[i]);
	}
}

/* The owners come by namespace; an address counts for the service that decides on it. */
static void write_namespace_vips(struct scrape *s)
{
	unsigned counts[N_VIP_SHOWN] = {0};
	const struct owner *owner, *before = NULL;

	if (s->daemon->config->metrics_per_service != PER_SERVICE_AGGREGATED)
		return;
	vec_foreach (&s->daemon->announce.owners, owner, i) {
		if (before && strcmp(before->namespace, owner->namespace) != 0) {
			write_namespace(s, before->namespace, counts);
			memset(counts, 0, sizeof(counts));
		}
		for (size_t j = 0; j < owner->n_claims; j++) {
			const struct claim *claim = &owner->claims[j];

			if (vip_claim(claim->vip) == claim)
				counts[vip_shown(claim->vip)]++;
		}
		before = owner;
	}
	if (before)
		write_namespace(s, before->namespace, counts);
}

static void write_transitions(struct scrape *s)
{
	for (int i = 0; i < N_DIRECTIONS; i++) {
		for (int j = 0; j < N_REASONS; j++) {
			if (reason_is_up((enum reason)j) != (i == DIRECTION_ANNOUNCE))
				continue;
			sample(s, "");
			label(s, "direction", direction_texts[i]);
			label(s, "reason", reason_word((enum reason)j));
			count(s, s->daemon->metrics.transitions[i][j]);
		}
	}
}

/* With the labels that the original gave them. */
static void write_by_family(struct scrape *s, enum direction direction)
{
	static const char *const families[] = {"ipv4", "ipv6"};

	for (int i = 0; i < 2; i++) {
		sample(s, "");
		label(s, "service", "*");
		label(s, "namespace", "*");
		label(s, "ipfamily", families[i]);
		label(s, "node", s->daemon->config->node);
		count(s, s->daemon->metrics.by_family[direction][i]);
	}
}

static void write_advertised(struct scrape *s)
{
	write_by_family(s, DIRECTION_ANNOUNCE);
}

static void write_withdrawn(struct scrape *s)
{
	write_by_family(s, DIRECTION_WITHDRAW);
}

static void write_endpoints(struct scrape *s, const struct owner *owner)
{
	if (!owner->n_claims)
		return;
	sample(s, "");
	label(s, "service", owner->name);
	label(s, "namespace", owner->namespace);
	label(s, "node", s->daemon->config->node);
	count(s, owner->claims[0].verdict.tally.ready);
}

static void write_propagation(struct scrape *s)
{
	for (int i = 0; i < N_DIRECTIONS; i++)
		write_histogram(s, &s->daemon->metrics.propagation[i], direction_texts[i], NULL);
}

static void write_stages(struct scrape *s)
{
	for (int i = 0; i < N_DIRECTIONS; i++) {
		for (int j = 0; j < N_STAGES; j++)
			write_histogram(s, &s->daemon->metrics.stages[i][j], direction_texts[i],
				stage_texts[j]);
	}
}

static void write_drain(struct scrape *s)
{
	const struct drain *drain = &s->daemon->drain;

	for (int i = DRAIN_NONE; i <= DRAIN_WITHDRAWN; i++) {
		bool is_it = drain->phase == (enum drain_phase)i;

		sample(s, "");
		label(s, "state", drain_phase_text((enum drain_phase)i));
		label(s, "trigger", is_it && drain->why ? drain->why : "");
		truth(s, is_it);
	}
}

/* zebra */

#define ZEBRA_SAMPLE(name_, expression_)                 \
	static void write_##name_(struct scrape *s)      \
	{                                                \
		struct zapi_status status;               \
                                                         \
		zapi_status(s->daemon->zapi, &status);   \
		single(s, (uint64_t)status.expression_); \
	}

ZEBRA_SAMPLE(zapi_connected, connected)
ZEBRA_SAMPLE(zapi_connects, connects)
ZEBRA_SAMPLE(zapi_queue, queue_bytes)
ZEBRA_SAMPLE(zapi_malformed, malformed)
ZEBRA_SAMPLE(zapi_unknown, unknown_releases)
ZEBRA_SAMPLE(zapi_feed, n_feed)
ZEBRA_SAMPLE(routes_wanted, n_routes)
ZEBRA_SAMPLE(routes_leftover, n_leftovers)

/* A dry run waits for no zebra: there it is no trouble that nothing is confirmed. */
static void write_routes_redistributed(struct scrape *s)
{
	struct zapi_status status;

	zapi_status(s->daemon->zapi, &status);
	if (!s->daemon->config->dry_run)
		single(s, status.n_redistributed);
}

static void write_message(struct scrape *s, const char *type, const char *direction, uint64_t n)
{
	sample(s, "");
	label(s, "type", type);
	label(s, "direction", direction);
	count(s, n);
}

static void write_zapi_messages(struct scrape *s)
{
	struct zapi_messages messages[ZAPI_N_MESSAGES];

	zapi_messages(s->daemon->zapi, messages);
	for (size_t i = 0; i < ZAPI_N_MESSAGES; i++) {
		write_message(s, messages[i].type, "in", messages[i].in);
		write_message(s, messages[i].type, "out", messages[i].out);
	}
}

static void write_route_failures(struct scrape *s)
{
	static const char *const results[] = {
		[ZAPI_BETTER_ROUTE_WON] = "better_admin_won",
		[ZAPI_INSTALL_FAILED] = "install_failed",
		[ZAPI_NOT_SELECTED] = "not_selected",
		[ZAPI_NOT_SENT] = "not_sent",
	};
	struct zapi_status status;

	zapi_status(s->daemon->zapi, &status);
	for (size_t i = 0; i < ZAPI_N_FAILURES; i++)
		labelled(s, "result", results[i], status.failures[i]);
}

static void write_deaf(struct scrape *s)
{
	single(s, bgpd_is_deaf(s->daemon->bgpd));
}

static void write_neighbors(struct scrape *s, bool states)
{
	const struct bgpview_neighbor *neighbor;

	if (!s->daemon->bgpview || !bgpview_is_fresh(s->daemon->bgpview))
		return;
	vec_foreach (bgpview_neighbors(s->daemon->bgpview), neighbor, i) {
		if (neighbor->unread && !states)
			continue;
		sample(s, "");
		label(s, "neighbor", neighbor->name);
		label(s, "family", neighbor->family == AF_INET ? "ipv4" : "ipv6");
		count(s, states ? neighbor->established : neighbor->n_advertised);
	}
}

static void write_neighbor_up(struct scrape *s)
{
	write_neighbors(s, true);
}

static void write_neighbor_addresses(struct scrape *s)
{
	write_neighbors(s, false);
}

static void write_bgp_age(struct scrape *s)
{
	if (!s->daemon->bgpview || bgpview_age(s->daemon->bgpview) < 0)
		return;
	sample(s, "");
	number(s, bgpview_age(s->daemon->bgpview));
}

/* The loopback */

static struct loopback_status loopback_of(const struct scrape *s)
{
	struct loopback_status status;

	loopback_status(s->daemon->loopback, &status);
	return status;
}

static void write_bound(struct scrape *s)
{
	single(s, loopback_of(s).n_bound);
}

static void write_address_operations(struct scrape *s)
{
	struct loopback_status status = loopback_of(s);

	labelled(s, "operation", "add", status.adds);
	labelled(s, "operation", "remove", status.removes);
	labelled(s, "operation", "repair", status.repairs);
	labelled(s, "operation", "renew", status.renewals);
}

static void write_address_overruns(struct scrape *s)
{
	single(s, loopback_of(s).overruns);
}

static void write_address_errors(struct scrape *s)
{
	struct loopback_status status = loopback_of(s);

	labelled(s, "operation", "add", status.errors - status.remove_errors - status.renew_errors);
	labelled(s, "operation", "remove", status.remove_errors);
	labelled(s, "operation", "renew", status.renew_errors);
}

static void write_reconcile_errors(struct scrape *s)
{
	struct zapi_status status;

	zapi_status(s->daemon->zapi, &status);
	single(s, status.route_failures + loopback_of(s).errors);
}

/* Kubernetes */

#define STREAM_SAMPLES(name_, condition_, put_)                                             \
	static void write_##name_(struct scrape *s)                                         \
	{                                                                                   \
		const struct k8s *k8s = s->daemon->k8s;                                     \
		struct k8s_stream_status stream = {0};                                      \
                                                                                            \
		for (size_t n = 0; n < MAX_STREAMS && k8s_next_stream(k8s, &stream); n++) { \
			if (!(condition_))                                                  \
				continue;                                                   \
			sample(s, "");                                                      \
			label(s, "resource", stream.resource);                              \
			label(s, "namespace", stream.namespace);                            \
			put_;                                                               \
		}                                                                           \
	}

/* When something happened, for people. */
static double wall_of(struct mono at)
{
	return wall_now() - mono_to_s(mono_sub(mono_now(), at));
}

STREAM_SAMPLES(watch_connected, true, truth(s, stream.connected))
STREAM_SAMPLES(watch_events, true, count(s, stream.events))
STREAM_SAMPLES(watch_relists, true, count(s, stream.relists))
STREAM_SAMPLES(watch_bytes, true, count(s, stream.bytes))
STREAM_SAMPLES(watch_problems, true, count(s, stream.problems))
STREAM_SAMPLES(watch_last, stream.last_contact.ns, number(s, wall_of(stream.last_contact)))

static void write_stale(struct scrape *s)
{
	sample(s, "");
	number(s, stale_seconds(&s->daemon->stale));
}

static void write_certificate(struct scrape *s)
{
	if (http_expires(s->daemon->http) == 0)
		return;
	sample(s, "");
	number(s, (double)http_expires(s->daemon->http));
}

static void write_objects(struct scrape *s)
{
	const struct cluster *cluster = &s->daemon->cluster;
	const struct vec *const objects[K8S_N_RESOURCES] = {
		[K8S_SERVICES] = &cluster->services,
		[K8S_PODS] = &cluster->pods,
		[K8S_NODES] = &cluster->nodes,
		[K8S_ENDPOINTSLICES] = &cluster->slices,
		[K8S_NAMESPACES] = &cluster->namespaces,
		[K8S_ANNOUNCEMENTPOLICIES] = &cluster->policies,
	};

	for (int i = 0; i < K8S_N_RESOURCES; i++)
		labelled(s, "resource", k8s_resource_text((enum k8s_resource)i), objects[i]->n);
}

static void write_problems(struct scrape *s)
{
	single(s, s->daemon->metrics.problems);
}

/* The configuration */

static void write_policies(struct scrape *s)
{
	const struct policies *policies = &s->daemon->policies;

	labelled(s, "state", "in_force", policies->ranked.n);
	labelled(s, "state", "invalid", policies_invalid(policies));
}

static void write_invalid_policies(struct scrape *s)
{
	const struct policy *policy;

	vec_foreach (&s->daemon->policies.all, policy, i) {
		auto_free char *field = policy_field(policy);

		if (!policy->error)
			continue;
		sample(s, "");
		label(s, "policy", policy->name);
		label(s, "field", field);
		truth(s, true);
	}
}

static void write_reloads(struct scrape *s)
{
	static const char *const results[N_RELOAD_RESULTS] = {"applied", "unchanged", "refused"};

	for (int i = 0; i < N_RELOAD_RESULTS; i++)
		labelled(s, "result", results[i], s->daemon->metrics.reloads[i]);
}

static void write_reload_successful(struct scrape *s)
{
	single(s, !s->daemon->config_error);
}

static void write_reload_time(struct scrape *s)
{
	sample(s, "");
	number(s, s->daemon->metrics.configured);
}

/* The process */

static void write_cpu(struct scrape *s)
{
	struct rusage usage = {0};

	getrusage(RUSAGE_SELF, &usage);
	sample(s, "");
	number(s, (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
			  (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
}

/* The first numbers of /proc/self/statm: pages of address space, and of those the resident ones. */
static void write_memory(struct scrape *s, bool resident)
{
	auto_file FILE *statm = fopen("/proc/self/statm", "re");
	char line[128], *rest;
	unsigned long long pages;

	if (!statm || !fgets(line, sizeof(line), statm))
		return;
	pages = strtoull(line, &rest, 10);
	if (resident)
		pages = strtoull(rest, NULL, 10);
	single(s, pages * (uint64_t)sysconf(_SC_PAGESIZE));
}

static void write_resident(struct scrape *s)
{
	write_memory(s, true);
}

static void write_virtual(struct scrape *s)
{
	write_memory(s, false);
}

static void write_open_fds(struct scrape *s)
{
	DIR *fds = opendir("/proc/self/fd");
	uint64_t n = 0;

	if (!fds)
		return;
	while (readdir(fds)) /* NOLINT(concurrency-mt-unsafe): the stream is ours alone */
		n++;
	closedir(fds);
	single(s, n - 3); /* without ".", ".." and the directory itself */
}

static void write_max_fds(struct scrape *s)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		single(s, limit.rlim_cur);
}

static void write_start(struct scrape *s)
{
	sample(s, "");
	number(s, s->daemon->started);
}

/* The table */

static const struct family families[] = {
	{"cosmolet_build_info", INFO, "version, revision, frr_version, zapi",
		"Version of cosmolet, and the release lines of FRR that zebra may be of; always 1.",
		.write = write_build_info},
	{"cosmolet_info", INFO, "version, commit",
		"Version of cosmolet, by the original's name; always 1.", .write = write_info},
	{"cosmolet_vip_state", GAUGE, "namespace, service, address, kind, state",
		"State of a service address that was ever announced here: 1 for the state it is "
		"in; announced are also those in the states degraded and draining "
		"(metrics.per_service: full).",
		.write_vip = write_vip_state},
	{"cosmolet_vip_confirmed", GAUGE, "address",
		"Whether zebra has selected our route for a wanted address (metrics.per_service: "
		"full; not in a dry run).",
		.write_vip = write_vip_confirmed},
	{"cosmolet_vip_neighbors", GAUGE, "address",
		"Number of neighbours to which bgpd really advertises an address that zebra should "
		"have, while that is known (frr.verify_bgp, metrics.per_service: full).",
		.write_vip = write_vip_neighbors},
	{"cosmolet_vips", GAUGE, "state",
		"Number of service addresses in a state, of those that were ever announced here.",
		.write = write_vips},
	{"cosmolet_namespace_vips", GAUGE, "namespace, state",
		"The same by namespace (metrics.per_service: aggregated).",
		.write = write_namespace_vips},
	{"cosmolet_vips_held", GAUGE, "hold",
		"Number of addresses that are kept from what their services ask for: by the delays "
		"rise and fall, suppressed for flapping, or by the anchor.",
		.write = write_held},
	{"cosmolet_vip_holds_total", COUNTER, "hold", "How often an address began to be kept so.",
		.write = write_holds},
	{"cosmolet_vip_penalty", GAUGE, "address",
		"Penalty of an address that was withdrawn for too few ready pods "
		"(stability.damping_half_life_seconds, metrics.per_service: full).",
		.write_vip = write_penalty},
	{"cosmolet_vip_transitions_total", COUNTER, "direction, reason",
		"Decisions to announce or withdraw an address, by what decided.",
		.write = write_transitions},
	{"cosmolet_vip_advertised_total", COUNTER, "service, namespace, ipfamily, node",
		"Decisions to announce an address, by the original's name; service and namespace "
		"are always an asterisk.",
		.write = write_advertised},
	{"cosmolet_vip_withdrawn_total", COUNTER, "service, namespace, ipfamily, node",
		"Decisions to withdraw an address, by the original's name.",
		.write = write_withdrawn},
	{"cosmolet_endpoints_ready", GAUGE, "service, namespace, node",
		"Ready pods on this node of a service that was ever announced here, by the "
		"original's name (metrics.per_service: full).",
		.write_owner = write_endpoints},
	{"cosmolet_reconcile_errors_total", COUNTER, "",
		"Routes that zebra rejected and addresses that could not be bound, by the "
		"original's name.",
		.write = write_reconcile_errors},
	{"cosmolet_propagation_duration_seconds", HISTOGRAM, "direction",
		"Time from an event's arrival until zebra has confirmed what follows from it, and "
		"what is withdrawn is unbound.",
		.write = write_propagation},
	{"cosmolet_propagation_stage_duration_seconds", HISTOGRAM, "direction, stage",
		"What the propagation is spent on: decode, decide, bind, zebra.",
		.write = write_stages},
	{"cosmolet_loop_turn_duration_seconds", HISTOGRAM, "",
		"Time that a turn of the event loop is busy, in which nothing else is handled.",
		.write = write_turns},
	{"cosmolet_drain_state", GAUGE, "state, trigger",
		"How far the node is drained, and by what: 1 for the state it is in.",
		.write = write_drain},
	{"cosmolet_zapi_connected", GAUGE, "", "Whether zebra is connected and its release known.",
		.write = write_zapi_connected},
	{"cosmolet_zapi_connects_total", COUNTER, "", "Connections to zebra that got ready.",
		.write = write_zapi_connects},
	{"cosmolet_zapi_messages_total", COUNTER, "type, direction", "ZAPI messages.",
		.write = write_zapi_messages},
	{"cosmolet_zapi_queue_bytes", GAUGE, "", "Bytes that zebra's socket has not taken yet.",
		.write = write_zapi_queue},
	{"cosmolet_zapi_malformed_total", COUNTER, "", "ZAPI messages that did not decode.",
		.write = write_zapi_malformed},
	{"cosmolet_zapi_unknown_releases_total", COUNTER, "",
		"Connections given up because zebra is of no known release.",
		.write = write_zapi_unknown},
	{"cosmolet_zapi_feed_routes", GAUGE, "",
		"Routes of the redistributed word in zebra, of anybody.", .write = write_zapi_feed},
	{"cosmolet_routes_wanted", GAUGE, "", "Routes that zebra should have from us.",
		.write = write_routes_wanted},
	{"cosmolet_routes_redistributed", GAUGE, "",
		"Of these, those that zebra has selected (not in a dry run).",
		.write = write_routes_redistributed},
	{"cosmolet_routes_leftover", GAUGE, "",
		"Routes of ours in zebra that are not wanted (yet).",
		.write = write_routes_leftover},
	{"cosmolet_route_failures_total", COUNTER, "result", "Routes that zebra rejected.",
		.write = write_route_failures},
	{"cosmolet_bgpd_deaf", GAUGE, "",
		"Whether zebra was restarted without bgpd, which then hears of no change.",
		.write = write_deaf},
	{"cosmolet_bgp_neighbor_up", GAUGE, "neighbor, family",
		"Whether bgpd's session with a neighbour is established, as long as its answer is "
		"not older than three rounds or a minute (frr.verify_bgp).",
		.write = write_neighbor_up},
	{"cosmolet_bgp_neighbor_addresses", GAUGE, "neighbor, family",
		"Number of our addresses that bgpd advertises to a neighbour, as long "
		"(frr.verify_bgp).",
		.write = write_neighbor_addresses},
	{"cosmolet_bgp_age_seconds", GAUGE, "",
		"How old bgpd's last whole answer is (frr.verify_bgp).", .write = write_bgp_age},
	{"cosmolet_addresses_bound", GAUGE, "", "Addresses bound on the loopback by us.",
		.write = write_bound},
	{"cosmolet_address_operations_total", COUNTER, "operation", "Changes to the loopback.",
		.write = write_address_operations},
	{"cosmolet_address_overruns_total", COUNTER, "",
		"Times that news of the kernel were lost, and everything was looked at.",
		.write = write_address_overruns},
	{"cosmolet_address_errors_total", COUNTER, "operation",
		"Changes to the loopback that failed.", .write = write_address_errors},
	{"cosmolet_synced", GAUGE, "",
		"Whether the first complete picture of the cluster has arrived.",
		.write = write_synced},
	{"cosmolet_stale_seconds", GAUGE, "",
		"Age of the oldest knowledge that no open watch renews; 0 while all are open.",
		.write = write_stale},
	{"cosmolet_watch_connected", GAUGE, "resource, namespace",
		"Whether a watch is open, or a manifest (by its name, as resource) readable.",
		.write = write_watch_connected},
	{"cosmolet_watch_events_total", COUNTER, "resource, namespace",
		"Objects told by a watch or a manifest.", .write = write_watch_events},
	{"cosmolet_watch_relists_total", COUNTER, "resource, namespace",
		"Complete lists of what had been listed before, since the watch could not go on; "
		"or "
		"readings of a manifest that changed.",
		.write = write_watch_relists},
	{"cosmolet_watch_bytes_total", COUNTER, "resource, namespace", "Bytes received.",
		.write = write_watch_bytes},
	{"cosmolet_watch_problems_total", COUNTER, "resource, namespace", "Input that was ignored.",
		.write = write_watch_problems},
	{"cosmolet_watch_last_event_timestamp_seconds", GAUGE, "resource, namespace",
		"When the stream last brought anything, bookmarks included.",
		.write = write_watch_last},
	{"cosmolet_objects", GAUGE, "resource", "Objects known.", .write = write_objects},
	{"cosmolet_problems_total", COUNTER, "", "Input that was ignored, of all sources.",
		.write = write_problems},
	{"cosmolet_announcement_policies", GAUGE, "state",
		"AnnouncementPolicies that are `in_force`, and those whose spec is `invalid` here; "
		"one may be both, by what it said before.",
		.write = write_policies},
	{"cosmolet_announcement_policy_invalid", GAUGE, "policy, field",
		"1 for each AnnouncementPolicy that is refused, with the field that is wrong.",
		.write = write_invalid_policies},
	{"cosmolet_config_reloads_total", COUNTER, "result", "Readings of a changed configuration.",
		.write = write_reloads},
	{"cosmolet_config_last_reload_successful", GAUGE, "",
		"Whether the configuration in use is what the file says.",
		.write = write_reload_successful},
	{"cosmolet_config_last_reload_success_timestamp_seconds", GAUGE, "",
		"When the configuration in use was last read.", .write = write_reload_time},
	{"cosmolet_http_certificate_expiry_timestamp_seconds", GAUGE, "",
		"When the certificate of http.listen expires (http.tls_certificate_file).",
		.write = write_certificate},
	{"cosmolet_log_lines_total", COUNTER, "level", "Lines written to the log.",
		.write = write_log_lines},
	{"cosmolet_log_suppressed_total", COUNTER, "",
		"Lines that were not written because there were too many of their kind.",
		.write = write_log_suppressed},
	{"process_cpu_seconds_total", COUNTER, "", "Processor time, user and system.",
		.write = write_cpu},
	{"process_resident_memory_bytes", GAUGE, "", "Memory in use.", .write = write_resident},
	{"process_virtual_memory_bytes", GAUGE, "", "Address space in use.",
		.write = write_virtual},
	{"process_open_fds", GAUGE, "", "Open file descriptors.", .write = write_open_fds},
	{"process_max_fds", GAUGE, "", "File descriptors that may be open.",
		.write = write_max_fds},
	{"process_start_time_seconds", GAUGE, "", "Start, in seconds since 1970.",
		.write = write_start},
};

/* A portion of a family that has a sample for each address; true: that was the last. */
static bool write_vip_portion(struct scrape *s)
{
	const struct vec *vips = &s->daemon->announce.vips;
	struct vip last = {.address = s->address};
	bool found = false;
	size_t i = s->begun ? vec_lower(vips, &last, &found) : 0;

	i += found;
	for (unsigned n = 0; i < vips->n && n < PORTION; i++, n++) {
		const struct vip *vip = vips->items[i];

		s->family->write_vip(s, vip);
		s->address = vip->address;
	}
	return i == vips->n;
}

/* The same for each service. */
static bool write_owner_portion(struct scrape *s)
{
	const struct vec *owners = &s->daemon->announce.owners;
	struct owner last = {.namespace = s->namespace, .name = s->name};
	const struct owner *owner = NULL;
	bool found = false;
	size_t i = s->begun ? vec_lower(owners, &last, &found) : 0;

	i += found;
	for (unsigned n = 0; i < owners->n && n < PORTION; i++, n++) {
		owner = owners->items[i];
		s->family->write_owner(s, owner);
	}
	if (owner) {
		str_set(&s->namespace, owner->namespace);
		str_set(&s->name, owner->name);
	}
	return i == owners->n;
}

/* true: the family is complete. */
static bool write_family(struct scrape *s)
{
	bool complete = true;

	if (!s->headed)
		head(s);
	if (s->family->write)
		s->family->write(s);
	else if (is_full(s))
		complete = s->family->write_vip ? write_vip_portion(s) : write_owner_portion(s);
	s->begun = !complete;
	return complete;
}

static void scrape_free(void *work)
{
	struct scrape *s = work;

	if (s->out)
		fclose(s->out);
	free(s->body);
	free(s->namespace);
	free(s->name);
	free(s);
}

static void complete(struct scrape *s, struct http_answer *out)
{
	if (s->openmetrics)
		fputs("# EOF\n", s->out);
	fclose(TAKE(s->out));
	scrape_size = s->size;
	*out = (struct http_answer){
		.status = 200,
		.type = s->openmetrics
				? "application/openmetrics-text; version=1.0.0; charset=utf-8"
				: "text/plain; version=0.0.4; charset=utf-8",
		.body = TAKE(s->body),
		.size = s->size,
	};
}

static bool scrape_step(void *work, struct http_answer *out)
{
	struct scrape *s = work;

	for (; s->at < N_ELEMENTS(families); s->at++) {
		s->family = &families[s->at];
		if (!write_family(s))
			return false;
		s->headed = false;
	}
	complete(s, out);
	return true;
}

/* Which format */

/* The weight that a media range's parameters give it, RFC 9110 12.4.2. Consumes the text. */
static double weight_in(char *parameters)
{
	char *rest = parameters, *parameter;

	while ((parameter = strsep(&rest, ";"))) {
		parameter += strspn(parameter, " \t");
		if (!strncasecmp(parameter, "q=", 2))
			return strtod(parameter + 2, NULL);
	}
	return 1;
}

/* That of a media range in an Accept header; -1: it is not there. */
static double weight_of(const char *accept, const char *range)
{
	double best = -1;

	while (*accept) {
		size_t n = strcspn(accept, ",");
		auto_free char *item = xstrndup(accept, n);
		char *begin = item + strspn(item, " \t");
		size_t len = strcspn(begin, "; \t");

		if (len == strlen(range) && !strncasecmp(begin, range, len)) {
			double weight = weight_in(begin + len);

			best = MAX(best, weight);
		}
		accept += n + (accept[n] == ',');
	}
	return best;
}

/* Text is for everybody who does not ask for the other. */
static bool prefers_openmetrics(const char *accept)
{
	double openmetrics = weight_of(accept, "application/openmetrics-text");

	return openmetrics > 0 && openmetrics >= weight_of(accept, "text/plain");
}

void metrics_answer(const struct daemon *daemon, const char *accept, struct http_answer *out)
{
	struct scrape *s = xcalloc(1, sizeof(*s));

	s->daemon = daemon;
	s->openmetrics = prefers_openmetrics(accept);
	s->out = xmemstream(&s->body, &s->size);
	/* Room as for the last one: to grow step by step is a third of the work. */
	fseek(s->out, (long)scrape_size, SEEK_SET);
	rewind(s->out);
	*out = (struct http_answer){.step = scrape_step, .end = scrape_free, .work = s};
}

void metrics_print_table(FILE *out)
{
	static const char *const types[] = {"info", "gauge", "counter", "histogram"};

	fputs("| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n", out);
	for (size_t i = 0; i < N_ELEMENTS(families); i++) {
		const struct family *family = &families[i];

		fprintf(out, "| `%s` | %s | %s | %s |\n", family->name, types[family->type],
			family->labels, family->help);
	}
}
