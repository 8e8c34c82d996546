/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root object. It builds the parts in order, carries events between them, and tears them down
 * in reverse. Everything that happens is one of four kinds: the source tells of objects, zebra
 * tells of routes, a signal asks to stop, somebody asks a question over HTTP.
 */
#include "daemon.h"

#include "confine.h"
#include "memory.h"
#include "page.h"
#include "privileges.h"
#include "revision.h"
#include "rtnl.h"
#include "status.h"
#include "why.h"

#include <cosmolet/log.h>

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define KEEP_LIMIT     mono_s(5)
#define WITHDRAW_LIMIT mono_s(15)
#define STOP_MARGIN    mono_s(5)
#define TRIM_AFTER     mono_s(1) /* when all that follows from a list is done */
#define ADVICE_FIRST   mono_s(2) /* when addresses are bound, mostly */
#define ADVICE_EVERY   mono_s(300)
#define LOCK_RETRY     mono_s(1)
#define OWNER_RETRY    mono_s(1)

/* What the loop ends with when another life is to follow; no exit code. */
#define CODE_AGAIN (-1)

/* Planning */

/* Before everything is told, those of a former configuration count: they may be the same again. */
static void follow_policies(struct daemon *daemon)
{
	struct policies *policies = &daemon->policies;

	if (policies->revision == daemon->cluster.policies_revision && !policies->stale)
		return;
	policies->revision = daemon->cluster.policies_revision;
	if (policies_follow(policies, daemon->config, &daemon->cluster.policies))
		planner_touch_all(&daemon->planner);
}

static void before_round(void *data)
{
	struct daemon *daemon = data;

	if (daemon->planner.synced)
		follow_policies(daemon);
	if (daemon->planner.synced && !daemon->stopping)
		drain_consider(&daemon->drain, daemon->config);
}

static void plan_all(void *data)
{
	struct daemon *daemon = data;

	if (daemon->drain.phase == DRAIN_WITHDRAWN)
		announce_withdraw_left(&daemon->announce);
	planner_touch_all(&daemon->planner);
}

/* Advice */

static bool was_given(const struct daemon *daemon, const char *line)
{
	for (size_t i = 0; i < daemon->n_advice; i++) {
		if (!strcmp(daemon->advice[i], line))
			return true;
	}
	return false;
}

static void drop_advice(struct daemon *daemon)
{
	for (size_t i = 0; i < daemon->n_advice; i++)
		free(daemon->advice[i]);
	daemon->n_advice = 0;
}

static void on_advice_timer(struct loop_timer *timer)
{
	struct daemon *daemon = container_of(timer, struct daemon, advice_timer);
	auto_free struct prefix *bound = NULL;
	size_t n_bound = loopback_list(daemon->loopback, &bound);
	char *lines[SYSCTL_ADVICE];
	size_t n = sysctl_advice(bound, n_bound, lines);

	for (size_t i = 0; i < n; i++) {
		if (!was_given(daemon, lines[i]))
			log_warn("sysctl", lines[i]);
	}
	drop_advice(daemon);
	memcpy(daemon->advice, lines, n * sizeof(*lines));
	daemon->n_advice = n;
	loop_timer_after(daemon->loop, timer, ADVICE_EVERY, on_advice_timer);
}

/* Too little is known */

static void on_gate_watched(struct daemon *daemon)
{
	const char *reason = gate_is_well(daemon->gate) ? NULL : gate_reason(daemon->gate);

	if (reason)
		log_warn("daemon", "what was waited for is not well any more", "url=%s reason=%s",
			daemon->config->announce_wait_for, reason);
	else
		log_info("daemon", "what was waited for is well again", "url=%s",
			daemon->config->announce_wait_for);
	if (!daemon->stopping)
		drain_unwell(&daemon->drain, daemon->config, reason);
}

/* It is asked on and on only where its answer would drain the node. */
static void watch_gate(struct daemon *daemon)
{
	bool watch = daemon->config->announce_drain_on & 1u << DRAIN_ON_WAIT_FOR;

	if (!daemon->gate)
		return;
	gate_watch(daemon->gate, watch);
	if (!watch && gate_is_open(daemon->gate)) {
		gate_pass(daemon->gate, false);
		str_set(&daemon->drain.unwell, NULL);
	}
}

static void on_gate(void *data)
{
	struct daemon *daemon = data;

	if (daemon->gate_passed) {
		on_gate_watched(daemon);
		return;
	}
	daemon->gate_passed = true;
	log_info("daemon", "what was waited for answers", "url=%s",
		daemon->config->announce_wait_for);
	planner_hold(&daemon->planner, false);
}

/* What a former process left, while nothing is known of the cluster. */
static void drain_left(struct daemon *daemon)
{
	struct announce *announce = &daemon->announce;

	if (!daemon->stale.over || announce->synced || !announce->zebra_up || daemon->stopping)
		return;
	if (daemon->config->fail_static_policy != STALE_KEEP)
		announce_left(announce);
	drain_stale(&daemon->drain, daemon->config, true);
	if (daemon->drain.phase == DRAIN_WITHDRAWN)
		announce_withdraw_left(announce);
	else
		announce_restore_left(announce);
}

/* Another configuration may have another limit, or policy. */
static void reconsider_left(struct daemon *daemon)
{
	drain_left(daemon);
	if (!daemon->stale.over && !daemon->planner.synced &&
		daemon->drain.phase != DRAIN_WITHDRAWN)
		announce_restore_left(&daemon->announce);
}

static void on_stale(void *data)
{
	struct daemon *daemon = data;

	if (daemon->stale.over)
		log_err("k8s", "the API server is away for longer than fail_static allows",
			"seconds=%.0f", stale_seconds(&daemon->stale));
	else
		log_info("k8s", "the API server is back: what is known is fresh");
	if ((daemon->announce.synced || !daemon->stale.over) && !daemon->stopping)
		drain_stale(&daemon->drain, daemon->config, daemon->stale.over);
	drain_left(daemon);
}

/* The source's events */

/* A list comes at once, and is known in pieces of which few stay. */
static void on_trim_timer(struct loop_timer *timer)
{
	(void)timer;
	memory_give_back();
}

static void log_problem(struct daemon *daemon, const char *stream, const char *text)
{
	unsigned suppressed;

	daemon->metrics.problems++;
	if (log_allowed(&daemon->problem_limit, &suppressed))
		log_warn("k8s", "ignored", "stream=%s problem=%s suppressed=%u", stream, text,
			suppressed);
}

static void take_source_event(struct daemon *daemon, struct k8s_event *event)
{
	struct k8s_stream_status stream;

	if (!k8s_stream(daemon->k8s, event->stream, &stream))
		stream = (struct k8s_stream_status){.name = "", .synced = true};
	switch (event->type) {
	case K8S_EVENT_SYNCED:
		planner_synced(&daemon->planner);
		stale_synced(&daemon->stale);
		stale_consider(&daemon->stale, daemon->config->fail_static_limit_seconds);
		break;
	case K8S_EVENT_UP:
		log_info("k8s", "connected", "stream=%s detail=%s", stream.name, event->text);
		stale_consider(&daemon->stale, daemon->config->fail_static_limit_seconds);
		break;
	case K8S_EVENT_DOWN:
		log_warn("k8s",
			stream.synced ? "lost; what is known stays" : "nothing is known yet",
			"stream=%s reason=%s", stream.name, event->text);
		planner_slices_changed(&daemon->planner);
		stale_consider(&daemon->stale, daemon->config->fail_static_limit_seconds);
		break;
	case K8S_EVENT_PROBLEM: log_problem(daemon, stream.name, event->text); break;
	case K8S_EVENT_LIST_BEGIN:
	case K8S_EVENT_OBJECT:
	case K8S_EVENT_DELETED: cluster_take(&daemon->cluster, event); break;
	case K8S_EVENT_LIST_END:
		cluster_take(&daemon->cluster, event);
		loop_timer_after(daemon->loop, &daemon->trim_timer, TRIM_AFTER, on_trim_timer);
		if (event->selection)
			planner_slices_changed(&daemon->planner);
		break;
	}
}

static void on_source(void *data)
{
	struct daemon *daemon = data;
	struct k8s_event event;

	/* While it drains at the end, what is ill goes still; nothing is begun any more. */
	while (k8s_pop_event(daemon->k8s, &event)) {
		if (!daemon->stopping || (daemon->announce.synced && !daemon->announce.finished))
			take_source_event(daemon, &event);
		k8s_event_deinit(&event);
	}
	if (daemon->policies.revision != daemon->cluster.policies_revision)
		planner_consider(&daemon->planner);
}

/* zebra's events */

/* What zebra or the kernel could make us say for ever. */
static void log_limited(struct log_limit *limit, const char *room, const char *text)
{
	unsigned suppressed;

	if (log_allowed(limit, &suppressed))
		log_warn(room, "problem", "text=%s suppressed=%u", text, suppressed);
}

static void log_connected(const struct daemon *daemon)
{
	struct zapi_status status;

	zapi_status(daemon->zapi, &status);
	log_info("zapi", "connected", "release=%s leftovers=%zu", status.release,
		status.n_leftovers);
}

/* In a dry run, whatever zebra has in the place of what we would announce is a conflict. */
static void ask_for_rivals(struct daemon *daemon)
{
	auto_free struct prefix *contested = NULL;
	size_t n = announce_contested(&daemon->announce, &contested);

	for (size_t i = 0; i < n; i++)
		rival_ask(daemon->rival, &contested[i]);
}

/* FRR's other sockets know a VRF by its name alone, which zebra has told by now. */
static void name_vrf(struct daemon *daemon)
{
	struct zapi_status status;

	zapi_status(daemon->zapi, &status);
	rival_set_vrf(daemon->rival, status.vrf_name);
	bgpview_set_vrf(daemon->bgpview, status.vrf_name);
}

/* FRR came back as another user: only a new process can become that one. */
static void end_if_locked_out(struct daemon *daemon)
{
	auto_free char *fault =
		daemon->owner_timer.loop ? NULL : privileges_fault(daemon->config->frr_socket_path);

	if (!fault || daemon->stopping)
		return;
	log_err("zapi", "zebra's socket is closed to this process; ending, the routes stay",
		"reason=%s", fault);
	loop_stop(daemon->loop, 1);
}

static void take_zebra_event(struct daemon *daemon, const struct zapi_event *event)
{
	switch (event->type) {
	case ZAPI_EVENT_UP:
		log_connected(daemon);
		bgpd_zebra_up(daemon->bgpd);
		name_vrf(daemon);
		if (daemon->config->dry_run)
			ask_for_rivals(daemon);
		break;
	case ZAPI_EVENT_DOWN:
		log_warn("zapi", "no connection to zebra; retrying", "reason=%s", event->text);
		bgpd_zebra_down(daemon->bgpd);
		end_if_locked_out(daemon);
		break;
	case ZAPI_EVENT_PROBLEM: log_limited(&daemon->zebra_limit, "zapi", event->text); break;
	case ZAPI_EVENT_ROUTE:
		if (daemon->stopping)
			break;
		if (event->state == ZAPI_REJECTED ||
			(event->state == ZAPI_PENDING && daemon->config->dry_run))
			rival_ask(daemon->rival, &event->prefix);
		break;
	}
}

static void on_zebra(void *data)
{
	struct daemon *daemon = data;
	struct zapi_event event;

	while (zapi_pop_event(daemon->zapi, &event)) {
		take_zebra_event(daemon, &event);
		announce_zebra(&daemon->announce, &event);
		if (event.type == ZAPI_EVENT_UP)
			drain_left(daemon);
	}
}

static void on_rival(void *data, const struct prefix *prefix, const char *text)
{
	struct daemon *daemon = data;

	announce_rival(&daemon->announce, prefix, text);
}

static void on_bgpd(void *data)
{
	const struct daemon *daemon = data;

	if (bgpd_is_deaf(daemon->bgpd))
		log_err("bgpd", BGPD_DEAF_TEXT);
	else
		log_info("bgpd", "bgpd was restarted, and hears of our routes again");
}

static void on_bound(
	void *data, const struct prefix *address, enum loopback_state state, const char *error)
{
	struct daemon *daemon = data;

	announce_bound(&daemon->announce, address, state, error);
}

static void on_loopback_problem(void *data, const char *text)
{
	struct daemon *daemon = data;

	log_limited(&daemon->loopback_limit, "loopback", text);
}

/* Questions */

/* The streams whose first list is still out, and what they complain of. */
static void print_unsynced(FILE *out, const struct daemon *daemon)
{
	struct k8s_stream_status stream = {0};

	fprintf(out, "%s", k8s_describe(daemon->k8s));
	for (size_t n = 0; n < MAX_STREAMS && k8s_next_stream(daemon->k8s, &stream);) {
		if (stream.synced)
			continue;
		fprintf(out, "; %s%s%s", stream.name, stream.error ? ": " : "",
			stream.error ? stream.error : "");
		n++;
	}
}

char *daemon_missing(const struct daemon *daemon)
{
	const char *and = "";
	struct zapi_status status;
	char *text = NULL;
	size_t size = 0;
	FILE *out;

	zapi_status(daemon->zapi, &status);
	if (daemon->stopping)
		return xstrdup("the end: this daemon is stopping");
	if (daemon->announce.synced && status.connected && gate_is_open(daemon->gate) &&
		!daemon->stale.over)
		return NULL;
	out = xmemstream(&text, &size);
	if (!status.connected) {
		fprintf(out, "zebra at %s", daemon->config->frr_socket_path);
		and = " and ";
	}
	if (!daemon->announce.synced && (!daemon->planner.synced || gate_is_open(daemon->gate))) {
		fputs(and, out);
		print_unsynced(out, daemon);
		and = " and ";
	}
	if (!gate_is_open(daemon->gate)) {
		fprintf(out, "%s%s: %s", and, daemon->config->announce_wait_for,
			gate_reason(daemon->gate));
		and = " and ";
	}
	if (daemon->stale.over)
		fprintf(out, "%s%s, which has been away for %.0f s", and, k8s_describe(daemon->k8s),
			stale_seconds(&daemon->stale));
	fclose(out);
	return text;
}

static void set_answer(struct http_answer *out, int status, const char *type, char *body)
{
	*out = (struct http_answer){
		.status = status, .type = type, .body = body, .size = strlen(body)};
}

static void answer_why(const struct daemon *daemon, const char *query, struct http_answer *out)
{
	auto_free char *subject = http_query(query, "q");
	bool known = false;
	char *text;

	if (!subject || !*subject) {
		set_answer(out, 400, "text/plain; charset=utf-8",
			xstrdup("write /why?q=ADDRESS or /why?q=NAMESPACE/NAME\n"));
		return;
	}
	text = why_text(daemon, subject, &known);
	set_answer(out, known ? 200 : 404, "text/plain; charset=utf-8", text);
}

/* What kubelet asks; and the page, which has nothing in it until it has asked for /status. */
static bool is_open(const char *path)
{
	static const char *const paths[] = {"/healthz", "/livez", "/readyz", "/version", "/"};

	for (size_t i = 0; i < N_ELEMENTS(paths); i++) {
		if (!strcmp(path, paths[i]))
			return true;
	}
	return false;
}

static void on_question(void *data, const struct http_request *request, struct http_answer *out)
{
	static const char plain[] = "text/plain; charset=utf-8";
	const struct daemon *daemon = data;
	const char *path = request->path;
	bool ready = false;

	if (!strcmp(path, "/metrics")) {
		metrics_answer(daemon, request->accept, out);
	} else if (!strcmp(path, "/status")) {
		status_answer(daemon, out);
	} else if (!strcmp(path, "/")) {
		*out = (struct http_answer){
			.status = 200,
			.type = "text/html; charset=utf-8",
			.body = xmemdup(page_html, page_size),
			.size = page_size,
			.policy = page_policy,
		};
	} else if (!strcmp(path, "/why")) {
		answer_why(daemon, request->query, out);
	} else if (!strcmp(path, "/version")) {
		set_answer(out, 200, "application/json",
			xasprintf("{\"version\":\"%s\",\"revision\":\"%s\"}\n", COSMOLET_VERSION,
				cosmolet_revision));
	} else if (!strcmp(path, "/healthz") || !strcmp(path, "/livez")) {
		set_answer(out, 200, plain, xstrdup("ok\n"));
	} else if (!strcmp(path, "/readyz")) {
		char *text = status_ready(daemon, &ready);

		set_answer(out, ready ? 200 : 503, plain, text);
	} else {
		set_answer(out, 404, plain,
			xstrdup("there are /, /metrics, /status, /why, /healthz, /livez, /readyz "
				"and "
				"/version\n"));
	}
}

/* Stopping */

/* One life is over; the next one begins with another configuration. */
static bool ends_for_another(struct daemon *daemon)
{
	if (daemon->again)
		loop_stop(daemon->loop, CODE_AGAIN);
	return daemon->again;
}

static void on_kept(void *data, bool ok)
{
	struct daemon *daemon = data;

	if (ends_for_another(daemon))
		return;
	log_info("daemon", ok ? "stopped; the routes stay" : "stopped, but zebra did not answer");
	loop_stop(daemon->loop, 0);
}

static void on_withdrawn(void *data, bool ok)
{
	struct daemon *daemon = data;

	if (ok)
		announce_unbind_all(&daemon->announce);
	if (ends_for_another(daemon))
		return;
	log_info("daemon", ok ? "stopped; everything is withdrawn"
			      : "stopped, but zebra did not confirm: addresses stay bound");
	loop_stop(daemon->loop, 0);
}

static void keep_all(struct daemon *daemon)
{
	announce_finish(&daemon->announce);
	zapi_finish(daemon->zapi, ZAPI_FINISH_KEEP, KEEP_LIMIT, on_kept, daemon);
}

static void withdraw_all(struct daemon *daemon)
{
	announce_finish(&daemon->announce);
	zapi_finish(daemon->zapi, ZAPI_FINISH_WITHDRAW, WITHDRAW_LIMIT, on_withdrawn, daemon);
}

static void on_drained(struct loop_timer *timer)
{
	withdraw_all(container_of(timer, struct daemon, stop_timer));
}

/* How long the end may take. */
static struct mono stop_limit(const struct config *config)
{
	int64_t drain_s =
		config->announce_on_stop == ON_STOP_DRAIN ? config->announce_drain_seconds : 0;

	return mono_add(mono_s(drain_s), mono_add(WITHDRAW_LIMIT, STOP_MARGIN));
}

static void stop(struct daemon *daemon)
{
	notify_stopping(daemon->notify, stop_limit(daemon->config));
	switch (daemon->config->announce_on_stop) {
	case ON_STOP_KEEP: keep_all(daemon); break;
	case ON_STOP_WITHDRAW: withdraw_all(daemon); break;
	case ON_STOP_DRAIN:
		announce_set_draining(&daemon->announce, true);
		loop_timer_after(daemon->loop, &daemon->stop_timer,
			mono_s(daemon->config->announce_drain_seconds), on_drained);
		break;
	}
}

/* Configuration */

static void refuse_config(struct daemon *daemon, const char *error)
{
	daemon->metrics.reloads[RELOAD_REFUSED]++;
	if (daemon->config_error && !strcmp(daemon->config_error, error))
		return;
	str_set(&daemon->config_error, error);
	log_err("config", "refused; what is in use stays", "error=%s", error);
}

static void configure_live(struct daemon *daemon, struct config *config)
{
	struct config *old = daemon->config;

	daemon->config = config;
	daemon->policies.stale = true;
	announce_configure(&daemon->announce, config);
	stale_consider(&daemon->stale, config->fail_static_limit_seconds);
	loop_timer_after(daemon->loop, &daemon->advice_timer, ADVICE_FIRST, on_advice_timer);
	watch_gate(daemon);
	planner_configure(&daemon->planner, config);
	reconsider_left(daemon);
	config_free(old);
}

/* Connections and parts are made anew, as by a restart: no peer sees it, unless it must. */
static void configure_again(struct daemon *daemon, struct config *config, bool withdraw)
{
	daemon->next = config;
	daemon->again = true;
	daemon->stopping = true;
	daemon->withdrawing = withdraw;
	if (withdraw)
		withdraw_all(daemon);
	else
		keep_all(daemon);
}

static void note_file(struct daemon *daemon)
{
	if (stat(daemon->config->path, &daemon->file) < 0)
		daemon->file = (struct stat){0};
}

/* Whether the file is another one than that which was read last. */
static bool is_other_file(const struct daemon *daemon)
{
	const struct stat *then = &daemon->file;
	struct stat now;

	return stat(daemon->config->path, &now) == 0 &&
	       (now.st_dev != then->st_dev || now.st_ino != then->st_ino ||
		       now.st_size != then->st_size || now.st_mtim.tv_sec != then->st_mtim.tv_sec ||
		       now.st_mtim.tv_nsec != then->st_mtim.tv_nsec);
}

static void reload(struct daemon *daemon)
{
	auto_free char *error = NULL;
	auto_free char *differences = NULL;
	struct config *config = NULL;
	enum config_change change;

	if (daemon->stopping)
		return; /* the next life looks at the file */
	note_file(daemon);
	if (config_load(daemon->config->path, &config, &error) < 0) {
		refuse_config(daemon, error);
		return;
	}
	str_set(&daemon->config_error, NULL);
	daemon->metrics.configured = wall_now();
	config->dry_run = daemon->config->dry_run;
	config_inherit_tags(config, daemon->config);
	change = config_compare(daemon->config, config, &differences);
	daemon->metrics.reloads[change ? RELOAD_APPLIED : RELOAD_UNCHANGED]++;
	if (change)
		log_info("config", "changed", "keys=%s", differences);
	log_setup((enum log_level)config->logging_level, (enum log_format)config->logging_format);
	switch (change) {
	case CHANGE_NONE:
		config_restate(daemon->config, config);
		config_free(config);
		break;
	case CHANGE_LIVE: configure_live(daemon, config); break;
	case CHANGE_RESTART: configure_again(daemon, config, false); break;
	case CHANGE_WITHDRAW: configure_again(daemon, config, true); break;
	}
}

static void on_file(void *data)
{
	reload(data);
}

static void on_reload_job(struct loop_job *job)
{
	reload(container_of(job, struct daemon, reload_job));
}

static void on_signal(void *data, int signo)
{
	static const char *const ways[] = {"keep", "withdraw", "drain"};
	struct daemon *daemon = data;

	if (signo == SIGHUP) {
		log_info(
			"config", "reading the configuration again", "signal=%s", strsignal(signo));
		reload(daemon);
		return;
	}
	if (signo == SIGUSR1 || signo == SIGUSR2) {
		drain_signal(&daemon->drain, daemon->config, signo == SIGUSR1);
		return;
	}
	if (daemon->again &&
		(daemon->withdrawing || daemon->config->announce_on_stop == ON_STOP_KEEP)) {
		log_info("daemon", "stopping, with no other life", "signal=%s", strsignal(signo));
		daemon->again = false;
		return;
	}
	if (daemon->again && !daemon->later_signal) {
		log_info("daemon", "stopping when the parts are there again, which is at once",
			"signal=%s", strsignal(signo));
		daemon->later_signal = signo;
		return;
	}
	if (daemon->stopping) {
		log_warn("daemon", "a second signal: leaving at once", "signal=%s",
			strsignal(signo));
		loop_stop(daemon->loop, 1);
		return;
	}
	log_info("daemon", "stopping", "signal=%s on_stop=%s", strsignal(signo),
		ways[daemon->config->announce_on_stop]);
	daemon->stopping = true;
	stop(daemon);
}

/* What came while a former life ended with its routes kept: only this one can take them back. */
static void on_signal_job(struct loop_job *job)
{
	struct daemon *daemon = container_of(job, struct daemon, signal_job);
	int signo = daemon->later_signal;

	daemon->later_signal = 0;
	on_signal(daemon, signo);
}

/*
 * One cosmolet per zebra: a second one would fight over the same routes. The lock is for all lives
 * of the process: between two of them somebody else would get it.
 */

static void unlock_zebra(struct daemon *daemon)
{
	if (daemon->lock_fd >= 0)
		close(daemon->lock_fd);
	daemon->lock_fd = -1;
}

static bool is_same_file(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

/* 1: locked; 0: there is nothing to lock yet; -EBUSY: somebody else has it. */
static int lock_zebra(struct daemon *daemon)
{
	auto_free char *path = xstrdup(daemon->config->frr_socket_path);
	auto_close int fd = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 && is_same_file(fd, daemon->lock_fd))
		return 1;
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -EBUSY;
	unlock_zebra(daemon); /* that of another zebra */
	if (fd < 0)
		return 0;
	daemon->lock_fd = fd;
	fd = -1;
	return 1;
}

static void log_locked(const struct daemon *daemon)
{
	log_err("daemon",
		"another cosmolet works with this zebra; stop it, or set frr.socket_path to "
		"another one",
		"socket=%s", daemon->config->frr_socket_path);
}

static void on_lock_timer(struct loop_timer *timer)
{
	struct daemon *daemon = container_of(timer, struct daemon, lock_timer);
	int r = lock_zebra(daemon);

	if (r == 0) {
		loop_timer_after(daemon->loop, timer, LOCK_RETRY, on_lock_timer);
	} else if (r < 0) {
		log_locked(daemon);
		loop_stop(daemon->loop, 1);
	}
}

static int take_lock(struct daemon *daemon)
{
	int r;

	if (daemon->config->dry_run) /* it may stand beside one that works */
		return 0;
	r = lock_zebra(daemon);
	if (r < 0)
		log_locked(daemon);
	if (r == 0)
		loop_timer_after(daemon->loop, &daemon->lock_timer, LOCK_RETRY, on_lock_timer);
	return MIN(r, 0);
}

/* Building */

static int fail(const char *room, const char *error)
{
	log_err(room, "cannot start", "error=%s", error);
	return -EINVAL;
}

static void on_turn(void *data, struct mono busy)
{
	struct daemon *daemon = data;

	histogram_add(&daemon->metrics.turns, busy);
}

static int build_base(struct daemon *daemon, loop_signal_fn *on_signals)
{
	sigset_t set;

	daemon->loop = loop_new();
	loop_observe(daemon->loop, on_turn, daemon);
	cluster_init(&daemon->cluster, planner_touch, &daemon->planner);
	daemon->cluster.decoded = &daemon->policies;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	return loop_signals(daemon->loop, &set, on_signals, daemon);
}

/* Parts that were built as root are built again, so that nothing of root's is left. */
static void on_owner_timer(struct loop_timer *timer)
{
	struct daemon *daemon = container_of(timer, struct daemon, owner_timer);

	if (daemon->stopping)
		return;
	if (access(daemon->config->frr_socket_path, F_OK) < 0) {
		loop_timer_after(daemon->loop, timer, OWNER_RETRY, on_owner_timer);
		return;
	}
	daemon->again = true;
	daemon->stopping = true;
	keep_all(daemon);
}

/* What only root may read would fail at the first change, long after anybody looks. */
static int check_readable(const char *path)
{
	auto_free char *error = NULL;

	if (!path || access(path, R_OK) == 0)
		return 0;
	error = xasprintf("%s: %s for uid %u gid %u, as which cosmolet runs beside zebra; let it "
			  "read the file and its directory",
		path, strerror(errno), geteuid(), getegid());
	return fail("config", error);
}

static int check_config_files(const struct config *config)
{
	const char *const paths[] = {config->path, config->http_token_file,
		config->http_tls_certificate_file, config->http_tls_key_file,
		config->http_client_ca_file};
	int r = 0;

	for (size_t i = 0; i < N_ELEMENTS(paths) && r == 0; i++)
		r = check_readable(paths[i]);
	return r;
}

/* NULL: there is no need for one. */
static const char *ledger_directory(const struct config *config)
{
	bool needed = config->loopback_mode == LOOPBACK_ADDRESS && !rtnl_marks_addresses();

	return needed ? config->loopback_ledger_directory : NULL;
}

static int confine_files(const struct config *config)
{
	/* Also where it is not needed yet: nothing can be allowed later. */
	int r = confine(rtnl_marks_addresses() ? NULL : config->loopback_ledger_directory);

	if (r == -EBUSY && ledger_directory(config)) {
		auto_free char *error = xasprintf("loopback.ledger_directory %s: a new one counts "
						  "from the next start; restart cosmolet",
			config->loopback_ledger_directory);

		return fail("privileges", error);
	}
	if (r < 0 && r != -EBUSY)
		log_info("privileges", "no Landlock here: permissions alone limit what is written",
			"reason=%s", strerror(-r));
	return 0;
}

static int drop_privileges(struct daemon *daemon)
{
	const struct config *config = daemon->config;
	auto_free char *error = NULL;
	bool binds = config->loopback_mode != LOOPBACK_NONE && !config->dry_run;
	int r = privileges_drop(
		config->frr_socket_path, binds, binds ? ledger_directory(config) : NULL, &error);

	if (r < 0)
		return fail("privileges", error);
	if (r == 0)
		return confine_files(config);
	loop_timer_after(daemon->loop, &daemon->owner_timer, OWNER_RETRY, on_owner_timer);
	return 0;
}

static int build_loopback(struct daemon *daemon)
{
	const struct config *config = daemon->config;
	auto_free char *error = NULL;
	struct loopback_options options = {
		.mode = (enum config_loopback)config->loopback_mode,
		.interface = config->loopback_interface,
		.ledger = ledger_directory(config),
		.observe = config->dry_run,
		.news = on_bound,
		.problem = on_loopback_problem,
		.data = daemon,
	};
	int r;

	if (config->word == ZAPI_CONNECTED) /* there the address itself is the announcement */
		options.lease_s = (uint32_t)config->loopback_lease_seconds;
	r = loopback_new(daemon->loop, &options, &daemon->loopback, &error);
	return r < 0 ? fail("loopback", error) : 0;
}

void daemon_zapi_options(const struct config *config, struct zapi_options *out)
{
	*out = (struct zapi_options){
		.path = config->frr_socket_path,
		.word = config->word,
		.instance = config->instance,
		.vrf = config->announce_vrf,
		.nexthop = (enum zapi_nexthop)config->announce_nexthop,
		.distance = (uint8_t)config->announce_distance,
		.stale_s = (uint32_t)config->frr_stale_seconds,
		.tags = config->tags,
		.n_tags = config->n_tags,
		.observe = config->dry_run,
	};
}

static void build_zapi(struct daemon *daemon, void (*notify)(void *data))
{
	const struct config *config = daemon->config;
	struct zapi_options options;

	daemon_zapi_options(config, &options);
	daemon->zapi = zapi_new(daemon->loop, &options, notify, daemon);
	announce_init(&daemon->announce, daemon->loop, config, daemon->loopback, daemon->zapi,
		&daemon->metrics, &daemon->journal, &daemon->steadiness);
	planner_init(&daemon->planner, daemon->loop, config, &daemon->cluster, &daemon->announce,
		before_round, daemon);
	drain_init(&daemon->drain, daemon->loop, &daemon->cluster, &daemon->announce, plan_all,
		daemon);
	daemon->initialised = true;
}

/* What FRR's other sockets tell. Nothing depends on it. */
/* Whether zebra was told to have a route to it. */
static bool is_asked(void *data, const struct prefix *address)
{
	const struct daemon *daemon = data;
	struct vip wanted = {.address = *address};
	const struct vip *vip = vec_find(&daemon->announce.vips, &wanted);

	return vip && (vip->asked || vip->withdrawing);
}

static void build_vty(struct daemon *daemon)
{
	const struct config *config = daemon->config;

	daemon->bgpd = bgpd_new(
		daemon->loop, config->frr_socket_path, on_bgpd, daemon, TAKE(daemon->bgpd));
	daemon->rival = rival_new(
		daemon->loop, config->frr_socket_path, config->announce_vrf, on_rival, daemon);
	if (config->frr_verify_bgp == VERIFY_ON)
		daemon->bgpview =
			bgpview_new(daemon->loop, config->frr_socket_path, config->announce_vrf,
				mono_s(config->frr_verify_bgp_seconds), is_asked, daemon);
}

static int build_k8s(struct daemon *daemon)
{
	const struct config *config = daemon->config;
	auto_free char *error = NULL;
	struct k8s_options options = {
		.node = config->node,
		.namespaces = (const char *const *)config->services_namespaces.items,
		.n_namespaces = config->services_namespaces.n,
		.proxies = (const char *const *)config->services_proxies.items,
		.n_proxies = config->services_proxies.n,
		.namespace_selector = config->services_namespace_selector,
		.annotation_prefix = ANNOTATION_PREFIX,
		.policies = true,
		.kubeconfig = config->kubernetes_kubeconfig,
		.context = config->kubernetes_context,
		.service_account_dir = config->kubernetes_service_account,
		.directory = config->kubernetes_path,
		.servers = (const char *const *)config->kubernetes_servers.items,
		.n_servers = config->kubernetes_servers.n,
		.start_spread_s = (unsigned)config->kubernetes_start_spread_seconds,
	};
	int r = k8s_new(daemon->loop, &options, on_source, daemon, &daemon->k8s, &error);

	planner_set_source(&daemon->planner, daemon->k8s);
	if (r < 0) {
		const char *file = config->kubernetes_path ? config->kubernetes_path
							   : config->kubernetes_kubeconfig;
		bool named = file && !strncmp(error, file, strlen(file));
		auto_free char *text = xasprintf("%s%s",
			!named                    ? ""
			: config->kubernetes_path ? "kubernetes.path: "
						  : "kubernetes.kubeconfig: ",
			error);

		return fail("k8s", text);
	}
	stale_init(&daemon->stale, daemon->loop, daemon->k8s, options.directory != NULL, on_stale,
		daemon);
	stale_consider(&daemon->stale, config->fail_static_limit_seconds);
	return 0;
}

static void build_gate(struct daemon *daemon)
{
	const char *url = daemon->config->announce_wait_for;

	if (!url)
		return;
	daemon->gate = gate_new(daemon->loop, url, on_gate, daemon);
	if (daemon->gate_passed)
		gate_pass(daemon->gate, daemon->drain.unwell);
	else
		planner_hold(&daemon->planner, true);
	watch_gate(daemon);
}

static int build_http(struct daemon *daemon)
{
	const struct config *config = daemon->config;
	struct http_options options = {
		.listen = config->http_listen,
		.token_file = config->http_token_file,
		.is_open = is_open,
		.answer = on_question,
		.data = daemon,
	};
	auto_free char *error = NULL;
	int r = 0;

	config_tls_files(config, &options.tls);
	if (*config->http_listen)
		r = http_new(daemon->loop, &options, &daemon->http, &error);
	return r < 0 ? fail("http", error ? error : "no descriptors") : 0;
}

static char *how_it_goes(void *data)
{
	const struct daemon *daemon = data;
	auto_free char *missing = daemon_missing(daemon);
	const char *error = daemon->config_error;
	const struct vip *vip;
	size_t n = 0;

	if (daemon->stopping)
		return xstrdup("stopping");
	vec_foreach (&daemon->announce.vips, vip, i)
		n += vip_state(vip) == VIP_ANNOUNCED;
	return xasprintf("%zu address%s announced%s%s%s%s", n, n == 1 ? "" : "es",
		missing ? "; waiting for " : "", missing ? missing : "",
		error ? "; the configuration is refused: " : "", error ? error : "");
}

/* Everything but the cluster: what it takes to undo as well. */
static int build_routing(
	struct daemon *daemon, loop_signal_fn *on_signals, void (*on_routes)(void *data))
{
	int r = build_base(daemon, on_signals);

	if (r == 0)
		r = drop_privileges(daemon);
	if (r == 0)
		r = take_lock(daemon);
	if (r == 0)
		r = build_loopback(daemon);
	if (r == 0)
		build_zapi(daemon, on_routes);
	return r;
}

static int build(struct daemon *daemon)
{
	int r = build_routing(daemon, on_signal, on_zebra);

	if (r == 0)
		r = check_config_files(daemon->config);
	if (r == 0)
		build_vty(daemon);
	if (r == 0)
		r = build_k8s(daemon);
	if (r == 0)
		build_gate(daemon);
	if (r == 0)
		loop_timer_after(
			daemon->loop, &daemon->advice_timer, ADVICE_FIRST, on_advice_timer);
	if (r == 0)
		r = build_http(daemon);
	if (r == 0) {
		daemon->filewatch =
			filewatch_new(daemon->loop, daemon->config->path, on_file, daemon);
		if (!daemon->filewatch)
			log_warn("config", "cannot be watched; send SIGHUP after a change",
				"file=%s", daemon->config->path);
		if (is_other_file(daemon)) /* changed when nobody watched it */
			loop_job_queue(daemon->loop, &daemon->reload_job, on_reload_job);
		if (daemon->later_signal)
			loop_job_queue(daemon->loop, &daemon->signal_job, on_signal_job);
		daemon->notify = notify_new(daemon->loop, how_it_goes, daemon);
	}
	return r;
}

static void tear_down(struct daemon *daemon)
{
	loop_job_stop(&daemon->reload_job);
	loop_job_stop(&daemon->signal_job);
	daemon->notify = notify_free(daemon->notify);
	daemon->filewatch = filewatch_free(daemon->filewatch);
	daemon->http = http_free(daemon->http);
	daemon->gate = gate_free(daemon->gate);
	stale_deinit(&daemon->stale);
	daemon->k8s = k8s_free(daemon->k8s);
	daemon->rival = rival_free(daemon->rival);
	daemon->bgpview = bgpview_free(daemon->bgpview);
	bgpd_stop(daemon->bgpd);
	if (daemon->initialised) {
		drain_deinit(&daemon->drain);
		planner_deinit(&daemon->planner);
		announce_deinit(&daemon->announce);
	}
	daemon->zapi = zapi_free(daemon->zapi);
	daemon->loopback = loopback_free(daemon->loopback);
	cluster_deinit(&daemon->cluster);
	loop_timer_stop(&daemon->stop_timer);
	loop_timer_stop(&daemon->lock_timer);
	loop_timer_stop(&daemon->owner_timer);
	loop_timer_stop(&daemon->advice_timer);
	loop_timer_stop(&daemon->trim_timer);
	drop_advice(daemon);
	daemon->loop = loop_free(daemon->loop);
}

static void begin(struct daemon *daemon, struct config *config)
{
	*daemon = (struct daemon){
		.config = config,
		.metrics = daemon->metrics,
		.journal = daemon->journal,
		.policies = daemon->policies,
		.steadiness = daemon->steadiness,
		.started = daemon->started,
		.config_error = daemon->config_error,
		.gate_passed = daemon->gate_passed,
		.later_signal = daemon->later_signal,
		.file = daemon->file,
		.drain = daemon->drain,
		.stale = daemon->stale,
		.bgpd = daemon->bgpd,
		.lock_fd = daemon->lock_fd,
	};
	daemon->policies.stale = true;
	for (size_t i = 0; i < config->n_warnings; i++)
		log_warn("config", config->warnings[i]);
}

/* A configuration that nobody can live with (a port that is taken, say) gives way. */
static int go_back(struct daemon *daemon, struct config **config, struct config **before)
{
	if (!*before)
		return 1;
	log_err("config", "cannot be used; going back to the one before");
	str_set(&daemon->config_error, "it could not be started with, as the log tells");
	daemon->metrics.reloads[RELOAD_REFUSED]++;
	config_free(*config);
	*config = TAKE(*before);
	return CODE_AGAIN;
}

/* One life, with one configuration at a time. CODE_AGAIN: *config is for the next one. */
static int live(struct daemon *daemon, struct config **config, struct config **before)
{
	int code;

	begin(daemon, *config);
	if (build(daemon) < 0) {
		tear_down(daemon);
		return go_back(daemon, config, before);
	}
	*before = config_free(*before);
	code = loop_run(daemon->loop);
	*config = daemon->config; /* it may have changed on the way */
	if (code == CODE_AGAIN && daemon->next) {
		*before = *config;
		*config = TAKE(daemon->next);
	}
	config_free(daemon->next);
	tear_down(daemon);
	return code;
}

int daemon_run(struct config *config)
{
	struct daemon daemon = {
		.started = wall_now(), .metrics.configured = wall_now(), .lock_fd = -1};
	struct config *before = NULL; /* to go back to */
	int code;

	policies_init(&daemon.policies);
	log_info("daemon", config->dry_run ? "starting a dry run: nothing is changed" : "starting",
		"version=%s node=%s redistribute=%s", COSMOLET_VERSION, config->node,
		config->announce_redistribute);
	daemon.config = config;
	note_file(&daemon);
	do
		code = live(&daemon, &config, &before);
	while (code == CODE_AGAIN);
	config_free(before);
	config_free(config);
	free(daemon.config_error);
	journal_deinit(&daemon.journal);
	policies_deinit(&daemon.policies);
	steadiness_deinit(&daemon.steadiness);
	drain_free(&daemon.drain);
	bgpd_free(daemon.bgpd);
	unlock_zebra(&daemon);
	return code;
}

/* cosmolet withdraw */

static void on_cleaned(void *data, bool ok)
{
	struct daemon *daemon = data;
	auto_free struct prefix *bound = NULL;
	size_t n = loopback_list(daemon->loopback, &bound);

	for (size_t i = 0; ok && i < n; i++)
		loopback_remove(daemon->loopback, &bound[i]);
	if (ok)
		log_info("daemon", "everything of ours is withdrawn", "unbound=%zu", n);
	else
		log_err("daemon", "zebra did not confirm; nothing was unbound", "socket=%s",
			daemon->config->frr_socket_path);
	loop_stop(daemon->loop, ok ? 0 : 1);
}

static void on_withdraw_signal(void *data, int signo)
{
	struct daemon *daemon = data;

	(void)signo;
	loop_stop(daemon->loop, 1);
}

static void on_cleaning_zebra(void *data)
{
	struct daemon *daemon = data;
	struct zapi_event event;

	while (zapi_pop_event(daemon->zapi, &event)) {
		if (event.type == ZAPI_EVENT_UP && !daemon->stopping) {
			daemon->stopping = true;
			loop_timer_stop(&daemon->stop_timer);
			zapi_finish(daemon->zapi, ZAPI_FINISH_WITHDRAW, WITHDRAW_LIMIT, on_cleaned,
				daemon);
		} else if (event.type == ZAPI_EVENT_DOWN && !daemon->stopping) {
			log_warn("zapi", "no connection to zebra; retrying", "reason=%s",
				event.text);
		}
	}
}

static void on_no_zebra(struct loop_timer *timer)
{
	on_cleaned(container_of(timer, struct daemon, stop_timer), false);
}

int daemon_withdraw(struct config *config)
{
	struct daemon daemon = {.lock_fd = -1};
	int code;

	do {
		code = 1;
		daemon = (struct daemon){.config = config, .lock_fd = daemon.lock_fd};
		if (build_routing(&daemon, on_withdraw_signal, on_cleaning_zebra) == 0) {
			loop_timer_after(
				daemon.loop, &daemon.stop_timer, WITHDRAW_LIMIT, on_no_zebra);
			code = loop_run(daemon.loop);
		}
		tear_down(&daemon);
	} while (code == CODE_AGAIN);
	unlock_zebra(&daemon);
	return code;
}
