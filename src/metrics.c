/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prometheus text. Every family is written in one place with its HELP and TYPE; label values are
 * escaped; known label sets are there from the start, with 0.
 */
#include "metrics.h"

#include "daemon.h"

#include <string.h>
#include <sys/resource.h>

static const double bounds[N_BUCKETS] = {
	.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60};

static const char *const direction_texts[N_DIRECTIONS] = {"announce", "withdraw"};

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

static void family(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP cosmolet_%s %s\n# TYPE cosmolet_%s %s\n", name, help, name, type);
}

static void gauge(FILE *out, const char *name, const char *help, double value)
{
	family(out, name, "gauge", help);
	fprintf(out, "cosmolet_%s %.15g\n", name, value);
}

static void counter(FILE *out, const char *name, const char *help, uint64_t value)
{
	family(out, name, "counter", help);
	fprintf(out, "cosmolet_%s %llu\n", name, (unsigned long long)value);
}

/* name="value", escaped as the exposition format wants it. */
static void label(FILE *out, const char *name, const char *value)
{
	fprintf(out, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '\n')
			fputs("\\n", out);
		else if (*value == '"' || *value == '\\')
			fprintf(out, "\\%c", *value);
		else
			fputc(*value, out);
	}
	fputc('"', out);
}

static void write_vips(const struct daemon *daemon, FILE *out)
{
	unsigned counts[N_VIP_STATES] = {0};
	char buf[PREFIX_STRLEN];
	const struct vip *vip;

	family(out, "vip_state", "gauge", "State of a service address: 1 for the state it is in.");
	vec_foreach (&daemon->announce.vips, vip, i) {
		const struct claim *claim = vip_claim(vip);

		counts[vip_state(vip)]++;
		fputs("cosmolet_vip_state{", out);
		label(out, "namespace", claim ? claim->owner->namespace : "");
		fputc(',', out);
		label(out, "service", claim ? claim->owner->name : "");
		fprintf(out, ",address=\"%s\",kind=\"%s\",state=\"%s\"} 1\n",
			prefix_address(&vip->address, buf),
			claim ? address_kind_text(claim->verdict.kind) : "",
			vip_state_text(vip_state(vip)));
	}
	family(out, "vip_confirmed", "gauge",
		"Whether zebra has selected our route for a wanted address.");
	vec_foreach (&daemon->announce.vips, vip, i) {
		if (vip->wanted)
			fprintf(out, "cosmolet_vip_confirmed{address=\"%s\"} %d\n",
				prefix_address(&vip->address, buf),
				vip_state(vip) == VIP_ANNOUNCED);
	}
	family(out, "vips", "gauge",
		"Number of service addresses in a state, of those that were ever announced.");
	for (int i = 0; i < N_VIP_STATES; i++)
		fprintf(out, "cosmolet_vips{state=\"%s\"} %u\n", vip_state_text((enum vip_state)i),
			counts[i]);
}

static void write_transitions(const struct daemon *daemon, FILE *out)
{
	family(out, "vip_transitions_total", "counter",
		"Decisions to announce or withdraw an address, by what decided.");
	for (int i = 0; i < N_DIRECTIONS; i++) {
		for (int j = 0; j < N_REASONS; j++) {
			if (reason_is_up((enum reason)j) == (i == DIRECTION_ANNOUNCE))
				fprintf(out,
					"cosmolet_vip_transitions_total{direction=\"%s\",reason=\"%"
					"s\"} %llu\n",
					direction_texts[i], reason_word((enum reason)j),
					(unsigned long long)daemon->metrics.transitions[i][j]);
		}
	}
}

static void write_histogram(const struct histogram *histogram, const char *direction, FILE *out)
{
	uint64_t total = 0;

	for (int i = 0; i < N_BUCKETS; i++) {
		total += histogram->buckets[i];
		fprintf(out,
			"cosmolet_propagation_duration_seconds_bucket{direction=\"%s\",le=\"%g\"} "
			"%llu\n",
			direction, bounds[i], (unsigned long long)total);
	}
	fprintf(out,
		"cosmolet_propagation_duration_seconds_bucket{direction=\"%s\",le=\"+Inf\"} %llu\n"
		"cosmolet_propagation_duration_seconds_sum{direction=\"%s\"} %.9g\n"
		"cosmolet_propagation_duration_seconds_count{direction=\"%s\"} %llu\n",
		direction, (unsigned long long)histogram->count, direction, histogram->sum,
		direction, (unsigned long long)histogram->count);
}

static void write_zebra(const struct daemon *daemon, FILE *out)
{
	struct zapi_status status;

	zapi_status(daemon->zapi, &status);
	family(out, "build_info", "gauge",
		"Version of cosmolet and release line of zebra; always 1.");
	fprintf(out, "cosmolet_build_info{version=\"%s\",frr_version=\"%s\"} 1\n", COSMOLET_VERSION,
		status.release);
	gauge(out, "zapi_connected", "Whether zebra is connected and its release known.",
		status.connected);
	gauge(out, "zapi_queue_bytes", "Bytes that zebra's socket has not taken yet.",
		(double)status.queue_bytes);
	gauge(out, "routes_wanted", "Routes that zebra should have from us.",
		(double)status.n_routes);
	gauge(out, "routes_redistributed", "Of these, those that zebra has selected.",
		(double)status.n_redistributed);
	gauge(out, "routes_leftover", "Routes of ours in zebra that are not wanted.",
		(double)status.n_leftovers);
	counter(out, "zapi_connects_total", "Connections to zebra that got ready.",
		status.connects);
	family(out, "zapi_messages_total", "counter", "ZAPI messages.");
	fprintf(out,
		"cosmolet_zapi_messages_total{direction=\"in\"} %llu\n"
		"cosmolet_zapi_messages_total{direction=\"out\"} %llu\n",
		(unsigned long long)status.messages_in, (unsigned long long)status.messages_out);
	counter(out, "zapi_malformed_total", "ZAPI messages that did not decode.",
		status.malformed);
	counter(out, "zapi_unknown_releases_total",
		"Connections given up because zebra is of no known release.",
		status.unknown_releases);
	gauge(out, "zapi_feed_routes", "Routes of the redistributed word in zebra, of anybody.",
		(double)status.n_feed);
	gauge(out, "bgpd_deaf",
		"Whether zebra was restarted without bgpd, which then hears of no change.",
		bgpd_is_deaf(daemon->bgpd));
	counter(out, "route_failures_total", "Routes that zebra rejected.", status.route_failures);
}

#define STREAM_FAMILY(name_, type_, help_, format_, value_)      \
	do {                                                     \
		family(out, name_, type_, help_);                \
		for (size_t i = 0; i < n; i++) {                 \
			fputs("cosmolet_" name_ "{", out);       \
			label(out, "stream", streams[i].name);   \
			fprintf(out, "} " format_ "\n", value_); \
		}                                                \
	} while (0)

static void write_watches(const struct daemon *daemon, FILE *out)
{
	struct k8s_stream_status streams[MAX_STREAMS];
	size_t n = MIN(k8s_status(daemon->k8s, streams, MAX_STREAMS), MAX_STREAMS);

	STREAM_FAMILY("watch_connected", "gauge",
		"Whether a watch is open, or a manifest readable.", "%d", streams[i].connected);
	STREAM_FAMILY("watch_events_total", "counter", "Objects told by a watch or a manifest.",
		"%llu", (unsigned long long)streams[i].events);
	STREAM_FAMILY("watch_lists_total", "counter", "Complete lists.", "%llu",
		(unsigned long long)streams[i].lists);
	STREAM_FAMILY("watch_bytes_total", "counter", "Bytes received.", "%llu",
		(unsigned long long)streams[i].bytes);
	STREAM_FAMILY("watch_problems_total", "counter", "Input that was ignored.", "%llu",
		(unsigned long long)streams[i].problems);
	family(out, "objects", "gauge", "Objects known, by resource.");
	fprintf(out,
		"cosmolet_objects{resource=\"services\"} %zu\ncosmolet_objects{resource=\"pods\"} "
		"%zu\n"
		"cosmolet_objects{resource=\"nodes\"} %zu\n"
		"cosmolet_objects{resource=\"endpointslices\"} %zu\n",
		daemon->cluster.services.n, daemon->cluster.pods.n, daemon->cluster.nodes.n,
		daemon->cluster.slices.n);
	gauge(out, "synced", "Whether the first complete picture of the cluster has arrived.",
		daemon->planner.synced);
}

static void write_drain(const struct daemon *daemon, FILE *out)
{
	family(out, "drain_phase", "gauge",
		"How far the node is drained: 1 for the phase it is in.");
	for (int i = DRAIN_NONE; i <= DRAIN_WITHDRAWN; i++)
		fprintf(out, "cosmolet_drain_phase{phase=\"%s\"} %d\n",
			drain_phase_text((enum drain_phase)i),
			daemon->drain.phase == (enum drain_phase)i);
}

static void write_reloads(const struct daemon *daemon, FILE *out)
{
	static const char *const results[N_RELOAD_RESULTS] = {"applied", "unchanged", "refused"};

	family(out, "config_reloads_total", "counter", "Readings of a changed configuration.");
	for (int i = 0; i < N_RELOAD_RESULTS; i++)
		fprintf(out, "cosmolet_config_reloads_total{result=\"%s\"} %llu\n", results[i],
			(unsigned long long)daemon->metrics.reloads[i]);
	gauge(out, "config_last_reload_successful",
		"Whether the configuration in use is what the file says.", !daemon->config_error);
}

static void write_loopback(const struct daemon *daemon, FILE *out)
{
	struct loopback_status status;

	loopback_status(daemon->loopback, &status);
	gauge(out, "addresses_bound", "Addresses bound on the loopback by us.",
		(double)status.n_bound);
	family(out, "address_operations_total", "counter", "Changes to the loopback.");
	fprintf(out,
		"cosmolet_address_operations_total{operation=\"add\"} %llu\n"
		"cosmolet_address_operations_total{operation=\"remove\"} %llu\n"
		"cosmolet_address_operations_total{operation=\"repair\"} %llu\n"
		"cosmolet_address_operations_total{operation=\"renew\"} %llu\n",
		(unsigned long long)status.adds, (unsigned long long)status.removes,
		(unsigned long long)status.repairs, (unsigned long long)status.renewals);
	counter(out, "address_overruns_total",
		"Times that news of the kernel were lost, and everything was looked at.",
		status.overruns);
	counter(out, "address_errors_total", "Changes to the loopback that failed.", status.errors);
}

/* The second number of /proc/self/statm counts pages. */
static long long resident_bytes(void)
{
	auto_file FILE *statm = fopen("/proc/self/statm", "re");
	char line[128], *second;

	if (!statm || !fgets(line, sizeof(line), statm))
		return 0;
	second = line + strcspn(line, " ");
	return strtoll(second, NULL, 10) * sysconf(_SC_PAGESIZE);
}

static void write_process(const struct daemon *daemon, FILE *out)
{
	struct rusage usage = {0};

	getrusage(RUSAGE_SELF, &usage);
	fprintf(out,
		"# HELP process_cpu_seconds_total Processor time, user and system.\n"
		"# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total %.6f\n"
		"# HELP process_resident_memory_bytes Memory in use.\n"
		"# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes %lld\n"
		"# HELP process_start_time_seconds Start, in seconds since 1970.\n"
		"# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds %.3f\n",
		(double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
			(double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
		resident_bytes(), daemon->started);
}

void metrics_write(const struct daemon *daemon, FILE *out)
{
	write_zebra(daemon, out);
	write_vips(daemon, out);
	write_transitions(daemon, out);
	family(out, "propagation_duration_seconds", "histogram",
		"Time from an event's arrival to zebra's confirmation.");
	for (int i = 0; i < N_DIRECTIONS; i++)
		write_histogram(&daemon->metrics.propagation[i], direction_texts[i], out);
	write_watches(daemon, out);
	counter(out, "problems_total", "Input that was ignored, of all sources.",
		daemon->metrics.problems);
	write_drain(daemon, out);
	write_reloads(daemon, out);
	write_loopback(daemon, out);
	write_process(daemon, out);
}
