/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cosmolet zebra: what zebra is, and which routes of our word it has.
 *
 * A client of its own that only looks, so it tells the truth whether a daemon runs or not: what is
 * in zebra, and not what somebody remembers of it.
 */
#include "look.h"

#include "daemon.h"
#include "privileges.h"

#include <jansson.h>
#include <string.h>

#define LIMIT mono_s(10)

struct look {
	const struct config *config;
	bool as_json;
	struct loop *loop;
	struct zapi *zapi;
	struct loop_timer timer;
	bool shown;
	char *trouble; /* why zebra cannot be asked, so far */
};

/* What zebra does with the routes of a client that never returns. */
static const char *sweep_text(const struct config *config, const struct zapi_status *status)
{
	if (config->word == ZAPI_CONNECTED)
		return "none are sent";
	/* zebra sweeps main tables only. */
	if (config->word == ZAPI_STATIC || config->word == ZAPI_TABLE_DIRECT ||
		status->sweeps_stale == ZAPI_NO)
		return "stay until cosmolet is back, or cosmolet withdraw";
	if (status->sweeps_stale == ZAPI_YES)
		return "removed after frr.stale_seconds";
	return "removed after frr.stale_seconds, but not by FRR 9.0 to 10.4: there they stay "
	       "until cosmolet is back, or cosmolet withdraw";
}

static const char *whose(const struct config *config, const struct zapi_feed_route *route)
{
	if (config->word == ZAPI_CONNECTED)
		return "the kernel's";
	if (route->ours)
		return "ours";
	return route->orphan ? "nobody's" : "others'";
}

/* Routes that ours look like, but for the tag. */
static bool has_lookalikes(const struct zapi_feed_route *feed, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!feed[i].ours && feed[i].route.tag && prefix_is_host(&feed[i].route.prefix))
			return true;
	}
	return false;
}

/* As a table */

static void print_zebra(const struct look *look, const struct zapi_status *status)
{
	const struct config *config = look->config;
	char buf[PREFIX_STRLEN];

	printf("release       FRR %s\n", status->release);
	printf("socket        %s\n", config->frr_socket_path);
	printf("VRF           %s (%u), by %s\n",
		config->announce_vrf ? config->announce_vrf : "default", (unsigned)status->vrf,
		status->vrf_backend);
	printf("router id     %s\n",
		status->router_id.family ? prefix_address(&status->router_id, buf) : "none");
	printf("capabilities  %u nexthops per route%s%s%s\n", (unsigned)status->ecmp,
		status->mpls ? ", MPLS" : "", status->v6_nexthops ? ", IPv6 nexthops for IPv4" : "",
		status->restarted ? ", started with -K" : "");
	printf("if we go      our routes: %s\n", sweep_text(config, status));
	printf("feed          redistribute %s: %zu routes\n", config->announce_redistribute,
		status->n_feed);
}

static void print_feed(const struct config *config, const struct zapi_feed_route *feed, size_t n)
{
	char buf[PREFIX_STRLEN];

	if (n)
		printf("\n%-43s %-10s %-10s %-8s  %s\n", "PREFIX", "TAG", "METRIC", "DISTANCE",
			"WHOSE");
	for (size_t i = 0; i < n; i++) {
		const struct zapi_route *route = &feed[i].route;

		printf("%-43s ", prefix_text(&route->prefix, buf));
		if (feed[i].readable)
			printf("%-10u %-10u %-8u", (unsigned)route->tag, (unsigned)route->metric,
				feed[i].distance);
		else
			printf("%-10s %-10s %-8s", "?", "?", "?");
		printf("  %s\n", whose(config, &feed[i]));
	}
	if (config->word == ZAPI_STATIC && has_lookalikes(feed, n))
		printf("\nHost routes with a tag that are others' are ours if cosmolet sent them "
		       "before announce.tag\nwas changed: then name their tag in "
		       "announce.policy_tags.\n");
}

/* As JSON */

static json_t *feed_json(const struct config *config, const struct zapi_feed_route *route)
{
	char buf[PREFIX_STRLEN];
	json_t *json = json_pack("{ss ss}", "prefix", prefix_text(&route->route.prefix, buf),
		"whose", whose(config, route));

	if (route->readable)
		json_object_update_new(json,
			json_pack("{sI sI si}", "tag", (json_int_t)route->route.tag, "metric",
				(json_int_t)route->route.metric, "distance", route->distance));
	return json;
}

static void print_json(const struct look *look, const struct zapi_status *status,
	const struct zapi_feed_route *feed, size_t n)
{
	const struct config *config = look->config;
	json_auto_t *json = json_object();
	json_t *routes = json_array();
	char buf[PREFIX_STRLEN];

	for (size_t i = 0; i < n; i++)
		json_array_append_new(routes, feed_json(config, &feed[i]));
	json_object_update_new(json,
		json_pack("{ss ss ss sI ss}", "release", status->release, "socket",
			config->frr_socket_path, "redistribute", config->announce_redistribute,
			"vrf", (json_int_t)status->vrf, "vrf_backend", status->vrf_backend));
	json_object_set_new(json, "router_id",
		status->router_id.family ? json_string(prefix_address(&status->router_id, buf))
					 : json_null());
	json_object_update_new(
		json, json_pack("{sI sb sb sb ss}", "nexthops_per_route", (json_int_t)status->ecmp,
			      "mpls", status->mpls, "ipv6_nexthops", status->v6_nexthops,
			      "started_with_k", status->restarted, "if_we_go",
			      sweep_text(config, status)));
	json_object_set_new(json, "feed", routes);
	json_dumpf(json, stdout, JSON_INDENT(2));
	putchar('\n');
}

/* The loop */

static void show(const struct look *look)
{
	struct zapi_status status;
	auto_free struct zapi_feed_route *feed = NULL;
	size_t n = zapi_feed(look->zapi, &feed);

	zapi_status(look->zapi, &status);
	if (look->as_json) {
		print_json(look, &status, feed, n);
		return;
	}
	print_zebra(look, &status);
	print_feed(look->config, feed, n);
}

static void on_finished(void *data, bool ok)
{
	struct look *look = data;

	(void)ok; /* it is shown */
	loop_stop(look->loop, 0);
}

static void on_events(void *data)
{
	struct look *look = data;
	struct zapi_event event;

	while (zapi_pop_event(look->zapi, &event)) {
		if (!look->shown && event.type == ZAPI_EVENT_DOWN) {
			str_set(&look->trouble, event.text);
			loop_stop(look->loop, 1);
		} else if (!look->shown && event.type == ZAPI_EVENT_UP) {
			show(look);
			look->shown = true;
			loop_timer_stop(&look->timer);
			zapi_finish(look->zapi, ZAPI_FINISH_KEEP, LIMIT, on_finished, look);
		}
	}
}

static void on_limit(struct loop_timer *timer)
{
	loop_stop(container_of(timer, struct look, timer)->loop, 1);
}

static void on_signal(void *data, int signo)
{
	struct look *look = data;

	(void)signo;
	loop_stop(look->loop, 1);
}

int look_at_zebra(const struct config *config, bool as_json)
{
	struct look look = {.config = config, .as_json = as_json, .loop = loop_new()};
	struct zapi_options options;
	sigset_t set;
	int code = 1;

	if (privileges_drop(config->frr_socket_path, false, NULL, &look.trouble) < 0) {
		fprintf(stderr, "cosmolet: %s\n", look.trouble);
		free(look.trouble);
		loop_free(look.loop);
		return 1;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	daemon_zapi_options(config, &options);
	options.observe = true;
	look.zapi = zapi_new(look.loop, &options, on_events, &look);
	loop_timer_after(look.loop, &look.timer, LIMIT, on_limit);
	if (loop_signals(look.loop, &set, on_signal, &look) == 0)
		code = loop_run(look.loop);
	if (code)
		fprintf(stderr, "cosmolet: %s\n",
			look.trouble ? look.trouble : "zebra did not answer in time");
	loop_timer_stop(&look.timer);
	look.zapi = zapi_free(look.zapi);
	look.loop = loop_free(look.loop);
	free(look.trouble);
	return code;
}
