/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "fake_api.h"
#include "fake_api_words.h"
#include "trace.h"

static struct loop *loop;
static struct fake_api api;
static struct trace trace;

#define NAMESPACE(name, version) \
	"{\"metadata\":{\"name\":\"" name "\",\"resourceVersion\":\"" version "\"}}"

static void setup(void)
{
	loop = loop_new();
	fake_api_start(&api, loop);
}

static void teardown(void)
{
	trace_end(&trace);
	fake_api_stop(&api);
	loop_free(loop);
}

/* Without a node there are only the services, which makes the order of requests certain. */
static void start(const char *node)
{
	struct k8s_options options = {.kubeconfig = api.kubeconfig, .node = node};

	trace_start(&trace, loop, &options);
}

/* Lists a and b at version 7, and clears. */
static void start_watching(void)
{
	fake_api_ok(&api, "list services", FAKE_CLOSE, LIST("7", SVC("a", "3") "," SVC("b", "4")));
	start(NULL);
	trace_until(&trace, "up services");
	trace_clear(&trace);
	str_set(&api.log, "");
}

static void asked(const char *expected)
{
	fake_api_asked(&api, expected);
}

/* How many requests of that kind there were ("list pods"; "": of any). */
static unsigned n_requests(const char *kind)
{
	unsigned n = 0;

	for (const char *line = api.log; *line; line = strchr(line, '\n') + 1)
		n += strncmp(line, kind, strlen(kind)) == 0;
	return n;
}

/* Turns the loop until there were so many, and what is there of an answer has come. */
static void requests_of(const char *kind, unsigned n)
{
	struct mono end = mono_add(mono_now(), mono_s(20));

	while (n_requests(kind) < n) {
		if (mono_before(end, mono_now()))
			ck_abort_msg("%u requests did not come, but:\n%s", n, api.log);
		loop_turn(loop, 20);
	}
	trace_for(&trace, 20);
}

static void requests_come(unsigned n)
{
	requests_of("", n);
}

/* To that moment, however long it took to come here. */
static void turn_to(struct mono at)
{
	mono_turn(mono_sub(at, mono_now()));
}

/* For what would come at this moment. */
static void turns(void)
{
	for (int i = 0; i < 20; i++)
		loop_turn(loop, 0);
}

static struct k8s_stream_status status_of(const char *name)
{
	struct k8s_stream_status status = {0};

	do
		ck_assert_msg(k8s_next_stream(trace.k8s, &status), "%s", name);
	while (strcmp(status.name, name) != 0);
	return status;
}

START_TEST(lists_and_watches)
{
	fake_api_ok(&api, "list services", FAKE_CLOSE, LIST("7", SVC("a", "3") "," SVC("b", "4")));
	start(NULL);
	trace_until(&trace, "up services");
	trace_is(&trace,
		"begin services\nobject services default/a 3\nobject services default/b 4\n"
		"end services\nsynced\nup services\n");
	asked(ASK_LIST("0") ASK_WATCH("7"));
	trace_clear(&trace);
	fake_api_push(&api, "watch services", FAKE_HOLD, EVENT("ADDED", SVC("c", "8")));
	trace_until(&trace, "c 8");
	fake_api_push(&api, "watch services", FAKE_HOLD,
		EVENT("MODIFIED", SVC("a", "9")) EVENT("DELETED", SVC("b", "10")));
	trace_until(&trace, "b 10");
	trace_is(&trace, "object services default/c 8\nobject services default/a 9\n"
			 "deleted services default/b 10\n");
}
END_TEST

START_TEST(four_streams_are_synced_together)
{
	fake_api_ok(&api, "list nodes", FAKE_HOLD, "{\"metadata\":{\"resourceVersion\":\"5\"},");
	start("node-1");
	trace_until(&trace, "up services");
	trace_until(&trace, "up pods");
	ck_assert_ptr_null(strstr(trace.text, "synced"));
	ck_assert_ptr_nonnull(strstr(api.log, "list pods ?fieldSelector=spec.nodeName%3Dnode-1&"));
	ck_assert_ptr_nonnull(strstr(api.log, "list nodes ?fieldSelector=metadata.name%3Dnode-1&"));
	fake_api_push(&api, "list nodes", FAKE_CLOSE, "\"items\":[]}");
	trace_until(&trace, "synced");
	trace_until(&trace, "up nodes");
}
END_TEST

START_TEST(pages_are_one_list)
{
	fake_api_ok(&api, "list services", FAKE_CLOSE,
		"{\"metadata\":{\"resourceVersion\":\"7\",\"continue\":\"x/+=\"},\"items\":[" SVC(
			"a", "3") "]}");
	fake_api_ok(&api, "list services", FAKE_CLOSE, LIST("7", SVC("b", "4")));
	start(NULL);
	trace_until(&trace, "up services");
	trace_is(&trace,
		"begin services\nobject services default/a 3\nobject services default/b 4\n"
		"end services\nsynced\nup services\n");
	asked(ASK_LIST("0") "list services " SELECTOR
			    "&continue=x%2F%2B%3D token secret\n" ASK_WATCH("7"));
}
END_TEST

/* The server has forgotten what the next page was of: all of it begins anew, and from the store. */
START_TEST(a_list_that_expires_between_pages_begins_anew)
{
	fake_api_ok(&api, "list services", FAKE_CLOSE,
		"{\"metadata\":{\"resourceVersion\":\"7\",\"continue\":\"x\"},\"items\":[" SVC(
			"a", "3") "]}");
	fake_api_answer(&api, "list services", FAKE_CLOSE, "HTTP/1.1 410 Gone",
		"{\"kind\":\"Status\",\"metadata\":{\"continue\":\"y\"},\"reason\":\"Expired\","
		"\"code\":410}");
	fake_api_ok(&api, "list services", FAKE_CLOSE, LIST("9", SVC("b", "4")));
	start(NULL);
	trace_until(&trace, "up services");
	trace_is(&trace, "begin services\nobject services default/a 3\nbegin services\n"
			 "object services default/b 4\nend services\nsynced\nup services\n");
	asked(ASK_LIST("0") "list services " SELECTOR
			    "&continue=x token secret\n" ASK_STORE ASK_WATCH("9"));
}
END_TEST

/* Of a server on which no page outlives the one before: slowly, not as fast as it answers. */
START_TEST(pages_that_expire_at_once_are_no_storm)
{
	for (unsigned i = 0; i < 8; i++) {
		fake_api_ok(&api, "list services", FAKE_CLOSE,
			"{\"metadata\":{\"resourceVersion\":\"7\",\"continue\":\"x\"},"
			"\"items\":[" SVC("a", "3") "]}");
		fake_api_answer(&api, "list services", FAKE_CLOSE, "HTTP/1.1 410 Gone",
			STATUS("410", "Expired"));
	}
	start(NULL);
	trace_until(&trace, "down services: cannot list services: HTTP 410: because");
	mono_stop();
	mono_turn(mono_ms(500));
	turns();
	asked(ASK_LIST("0") "list services " SELECTOR "&continue=x token secret\n" ASK_STORE
			    "list services " SELECTOR "&continue=x token secret\n");
}
END_TEST

START_TEST(resumes_where_a_broken_connection_left_off)
{
	start_watching();
	fake_api_push(&api, "watch services", FAKE_HOLD, EVENT("ADDED", SVC("c", "8")));
	trace_until(&trace, "c 8");
	fake_api_push(&api, "watch services", FAKE_RESET, "{\"type\":\"ADD");
	trace_until(&trace, "down services: cannot watch services: ");
	fake_api_ok(&api, "watch services", FAKE_HOLD, EVENT("ADDED", SVC("d", "9")));
	trace_until(&trace, "d 9");
	ck_assert_ptr_nonnull(strstr(trace.text, "up services\nobject services default/d 9\n"));
	asked(ASK_WATCH("8"));
}
END_TEST

START_TEST(half_an_object_and_a_clean_end_is_a_broken_watch)
{
	start_watching();
	fake_api_push(
		&api, "watch services", FAKE_CLOSE, EVENT("ADDED", SVC("c", "8")) "{\"type\"");
	trace_until(&trace, "up services");
	trace_is(&trace,
		"object services default/c 8\n"
		"down services: cannot watch services: no valid JSON: it ends in the middle of an "
		"object\nup services\n");
	asked(ASK_WATCH("8"));
}
END_TEST

START_TEST(a_clean_end_is_no_news)
{
	struct mono begin = mono_now();

	start_watching();
	fake_api_push(&api, "watch services", FAKE_CLOSE, BOOKMARK("20"));
	fake_api_ok(&api, "watch services", FAKE_HOLD, EVENT("ADDED", SVC("c", "21")));
	trace_until(&trace, "c 21");
	trace_is(&trace, "object services default/c 21\n");
	asked(ASK_WATCH("20"));
	/* but not more than one watch in a second */
	ck_assert(mono_before(mono_add(begin, mono_ms(990)), mono_now()));
}
END_TEST

START_TEST(gone_as_an_event_lists_again)
{
	start_watching();
	fake_api_ok(&api, "list services", FAKE_CLOSE, LIST("30", SVC("a", "3")));
	/* the server of 1.20 may leave it open */
	fake_api_push(&api, "watch services", FAKE_HOLD, EVENT("ERROR", STATUS("410", "Expired")));
	trace_until(&trace, "end services");
	trace_is(&trace, "begin services\nobject services default/a 3\nend services\n");
	ck_assert_uint_eq(status_of("services").relists, 1);
	requests_come(2);
	asked(ASK_LIST("7") ASK_WATCH("30"));
}
END_TEST

START_TEST(gone_as_a_status_lists_again_and_from_the_store_if_need_be)
{
	fake_api_answer(
		&api, "watch services", FAKE_CLOSE, "HTTP/1.1 410 Gone", STATUS("410", "Gone"));
	fake_api_ok(&api, "list services", FAKE_CLOSE, LIST("7", ""));
	fake_api_answer(
		&api, "list services", FAKE_CLOSE, "HTTP/1.1 410 Gone", STATUS("410", "Expired"));
	fake_api_ok(&api, "list services", FAKE_CLOSE, LIST("30", SVC("a", "3")));
	start(NULL);
	trace_until(&trace, "up services");
	trace_is(&trace, "begin services\nend services\nsynced\nbegin services\n"
			 "object services default/a 3\nend services\nup services\n");
	asked(ASK_LIST("0") ASK_WATCH("7") ASK_LIST("7") ASK_STORE ASK_WATCH("30"));
}
END_TEST

START_TEST(a_version_from_the_future_lists_from_the_store)
{
	start_watching();
	fake_api_push(&api, "watch services", FAKE_HOLD, EVENT("ERROR", AHEAD));
	trace_until(&trace, "end services");
	trace_is(&trace, "begin services\nend services\n");
	requests_come(2);
	asked(ASK_STORE ASK_WATCH("1"));
}
END_TEST

START_TEST(other_error_events_resume)
{
	start_watching();
	fake_api_push(&api, "watch services", FAKE_CLOSE,
		EVENT("ERROR", STATUS("429", "TooManyRequests")));
	trace_until(&trace, "up services");
	trace_is(&trace, "down services: cannot watch services: HTTP 429: because\nup services\n");
	asked(ASK_WATCH("7"));
}
END_TEST

START_TEST(errors_that_come_again_and_again_list)
{
	start_watching();
	for (int i = 0; i < 2; i++)
		fake_api_ok(&api, "watch services", FAKE_CLOSE,
			EVENT("ERROR", STATUS("500", "InternalError")));
	fake_api_push(
		&api, "watch services", FAKE_CLOSE, EVENT("ERROR", STATUS("500", "InternalError")));
	trace_until(&trace, "down services");
	for (unsigned i = 1; i <= 3; i++) {
		mono_turn(mono_s(8));
		requests_come(i);
	}
	trace_until(&trace, "end services");
	requests_come(4);
	asked(ASK_WATCH("7") ASK_WATCH("7") ASK_STORE ASK_WATCH("1"));
}
END_TEST

START_TEST(a_broken_list_never_ends)
{
	fake_api_ok(&api, "list services", FAKE_CLOSE,
		"{\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[" SVC("a", "3") ",{\"meta");
	start(NULL);
	trace_until(&trace, "down services");
	trace_is(&trace,
		"begin services\nobject services default/a 3\n"
		"down services: cannot list services: no valid JSON: it ends in the middle of an "
		"object\n");
	fake_api_ok(&api, "list services", FAKE_CLOSE, LIST("8", SVC("a", "3")));
	trace_clear(&trace);
	trace_until(&trace, "up services");
	trace_is(&trace,
		"begin services\nobject services default/a 3\nend services\nsynced\nup services\n");
}
END_TEST

START_TEST(a_reset_in_a_list_never_ends_it)
{
	fake_api_ok(&api, "list services", FAKE_RESET,
		"{\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[" SVC("a", "3"));
	start(NULL);
	trace_until(&trace, "down services: cannot list services: ");
	ck_assert_ptr_null(strstr(trace.text, "end services"));
	trace_until(&trace, "synced");
}
END_TEST

START_TEST(the_same_refusal_is_said_once_and_does_not_stop_others)
{
	for (int i = 0; i < 20; i++)
		fake_api_answer(&api, "list pods", FAKE_CLOSE, "HTTP/1.1 403 Forbidden",
			STATUS("403", "Forbidden"));
	start("n");
	trace_until(&trace, "down pods: cannot list pods: HTTP 403: because");
	trace_until(&trace, "up services");
	trace_until(&trace, "up nodes");
	trace_clear(&trace);
	for (unsigned i = 2; i <= 3; i++) {
		mono_turn(mono_s(61));
		requests_of("list pods", i);
	}
	trace_is(&trace, "");
	fake_api_forget(&api, "list pods");
	mono_turn(mono_s(61));
	trace_until(&trace, "up pods");
	trace_is(&trace, "begin pods\nend pods\nsynced\nup pods\n");
}
END_TEST

START_TEST(retry_after_is_honoured)
{
	struct mono begin = mono_now();

	fake_api_answer(&api, "list services", FAKE_CLOSE,
		"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 2", "");
	start(NULL);
	trace_until(&trace, "synced");
	ck_assert(mono_before(mono_add(begin, mono_ms(1990)), mono_now()));
}
END_TEST

START_TEST(an_unauthorized_request_is_tried_once_more_at_once)
{
	for (int i = 0; i < 2; i++)
		fake_api_answer(&api, "list services", FAKE_CLOSE, "HTTP/1.1 401 Unauthorized",
			STATUS("401", "Unauthorized"));
	start(NULL);
	trace_until(&trace, "down services");
	trace_is(&trace, "down services: cannot list services: HTTP 401: because\n");
	asked(ASK_LIST("0") ASK_LIST("0"));
	trace_until(&trace, "synced");
}
END_TEST

START_TEST(unfit_objects_are_passed_over)
{
	fake_api_ok(&api, "list services", FAKE_CLOSE,
		LIST("7", "{},{\"metadata\":{\"namespace\":\"x\"}}," SVC("a", "3")));
	start(NULL);
	trace_until(&trace, "up services");
	fake_api_push(&api, "watch services", FAKE_HOLD,
		EVENT("ADDED", "{\"metadata\":{\"namespace\":\"default\",\"name\":\"b\","
			       "\"resourceVersion\":\"8\"},"
			       "\"spec\":[]}") "{\"type\":3,,}\n" EVENT("NEW", SVC("c", "9"))
			EVENT("ADDED", SVC("d", "10")));
	trace_until(&trace, "d 10");
	trace_is(&trace,
		"begin services\n"
		"problem services: services (no name): metadata.name: missing\n"
		"problem services: services x/(no name): metadata.name: missing\n"
		"object services default/a 3\nend services\nsynced\nup services\n"
		"problem services: services default/b: spec: expected an object, found a list\n"
		"problem services: an object that is no valid JSON was passed over: string or '}' "
		"expected "
		"near ','\n"
		"problem services: services default/c: came with an event of a type that is not "
		"known\n"
		"object services default/d 10\n");
	fake_api_push(&api, "watch services", FAKE_CLOSE, "");
	str_set(&api.log, "");
	mono_turn(mono_s(2));
	requests_come(1);
	asked(ASK_WATCH("10"));
}
END_TEST

/* etcd was restored to what it was before: it is listed, and then only watched. */
START_TEST(silence_of_a_server_that_is_behind_lists)
{
	start_watching();
	if (_i) /* whether it sent bookmarks or not */
		fake_api_push(&api, "watch services", FAKE_HOLD, BOOKMARK("7"));
	trace_for(&trace, 50);
	mono_turn(mono_s(91));
	fake_api_answer(&api, "list services", FAKE_CLOSE, "HTTP/1.1 504 Gateway Timeout", AHEAD);
	requests_come(3);
	trace_is(&trace, "begin services\nend services\n");
	mono_turn(mono_s(91));
	requests_come(4);
	asked(ASK_PROBE("7") ASK_STORE ASK_BRIEF("1") ASK_WATCH("1"));
	fake_api_push(&api, "watch services", FAKE_HOLD, BOOKMARK("2"));
	str_set(&api.log, "");
	trace_for(&trace, 50);
	mono_turn(mono_s(91));
	requests_come(2);
	asked(ASK_PROBE("2") ASK_BRIEF("2"));
}
END_TEST

/* A server of 1.20, started anew, sends no bookmarks for what does not change. */
START_TEST(silence_of_a_server_that_keeps_up_only_watches_again)
{
	struct mono begin = mono_now();

	start_watching();
	if (_i)
		fake_api_push(&api, "watch services", FAKE_HOLD, BOOKMARK("7"));
	turns();
	turn_to(mono_add(begin, mono_s(89)));
	turns();
	asked("");
	for (unsigned i = 1; i <= 2; i++) {
		mono_turn(mono_s(91));
		requests_come(2 * i);
	}
	asked(ASK_PROBE("7") ASK_BRIEF("7") ASK_PROBE("7") ASK_WATCH("7"));
	trace_is(&trace, "");
}
END_TEST

START_TEST(a_probe_that_is_not_answered_is_a_failure)
{
	start_watching();
	fake_api_answer(&api, "list services", FAKE_CLOSE, "HTTP/1.1 503 Service Unavailable", "");
	mono_turn(mono_s(91));
	trace_until(&trace, "down services: cannot watch services: HTTP 503\nup services\n");
	asked(ASK_PROBE("7") ASK_BRIEF("7"));
}
END_TEST

/* So long a brief watch lasts; what comes in its last moment came with its end. */
static void end_watch(const char *early, const char *late)
{
	unsigned before = n_requests("");

	if (*early)
		fake_api_push(&api, "watch services", FAKE_HOLD, early);
	trace_for(&trace, 20);
	mono_turn(mono_s(20));
	fake_api_push(&api, "watch services", FAKE_CLOSE, late);
	requests_come(before + 1);
}

/* Nothing of an answer comes before its end, or not even its head: so it must end soon. */
START_TEST(what_is_held_back_on_the_way_comes_with_the_end)
{
	start_watching();
	if (_i) {
		fake_api_octets(&api, "watch services", FAKE_HOLD, "", 0);
		end_watch("", BOOKMARK("7"));
		mono_turn(mono_s(31));
		trace_until(&trace, "down services: cannot watch services: no byte for 30 s\n"
				    "up services\n");
		asked(ASK_WATCH("7") ASK_BRIEF("7"));
	} else {
		mono_turn(mono_s(91));
		requests_come(2);
		asked(ASK_PROBE("7") ASK_BRIEF("7"));
	}
	trace_clear(&trace);
	str_set(&api.log, "");
	end_watch("", EVENT("ADDED", SVC("c", "8")));
	end_watch("", EVENT("ADDED", SVC("d", "9")) BOOKMARK("10"));
	end_watch("", BOOKMARK("11"));
	trace_is(&trace, "object services default/c 8\nobject services default/d 9\nup services\n");
	asked(ASK_BRIEF("8") ASK_BRIEF("10") ASK_BRIEF("11"));
	end_watch(BOOKMARK("12"), BOOKMARK("13"));
	trace_until(&trace, "up services\nup services\n");
	asked(ASK_BRIEF("8") ASK_BRIEF("10") ASK_BRIEF("11") ASK_WATCH("13"));
}
END_TEST

/* Whether there was anything to tell or not, a long watch would be given up for want of a head. */
START_TEST(a_head_that_is_held_back_keeps_watches_brief)
{
	start_watching();
	for (int i = 0; i < 3; i++)
		fake_api_octets(&api, "watch services", FAKE_HOLD, "", 0);
	end_watch("", BOOKMARK("7"));
	mono_turn(mono_s(31));
	trace_until(&trace, "down services: cannot watch services: no byte for 30 s\n");
	mono_turn(mono_s(2));
	requests_come(2);
	end_watch("", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
	requests_come(3);
	asked(ASK_WATCH("7") ASK_BRIEF("7") ASK_BRIEF("7"));
}
END_TEST

/* There was nothing to be held back, so it tells nothing. */
START_TEST(a_brief_watch_that_brings_nothing_is_not_repeated)
{
	start_watching();
	mono_turn(mono_s(91));
	requests_come(2);
	end_watch("", "");
	asked(ASK_PROBE("7") ASK_BRIEF("7") ASK_WATCH("7"));
	trace_is(&trace, "");
}
END_TEST

START_TEST(a_silent_list_is_given_up)
{
	fake_api_ok(&api, "list services", FAKE_HOLD, "{\"items\":[");
	start(NULL);
	trace_until(&trace, "begin services");
	mono_turn(mono_s(31));
	trace_until(&trace, "down services: cannot list services: no byte for 30 s");
	trace_until(&trace, "synced");
}
END_TEST

static void want_slices_of(const char *name)
{
	struct k8s_service_name service = {"d", name};

	k8s_want_endpointslices(trace.k8s, &service, 1);
}

START_TEST(slices_come_when_wanted_and_go)
{
	unsigned stream, first, second;

	start_watching();
	fake_api_answer(&api, "list endpointslices", FAKE_CLOSE, "HTTP/1.1 404 Not Found",
		"404 page not found\n");
	fake_api_ok(&api, "list endpointslices", FAKE_CLOSE,
		LIST("2", "{\"metadata\":{\"namespace\":\"d\",\"name\":\"s\",\"resourceVersion\":"
			  "\"2\"}}"));
	ck_assert(!k8s_endpointslices_stream(trace.k8s, "d", &stream, &first));
	want_slices_of("a");
	ck_assert(k8s_endpointslices_stream(trace.k8s, "d", &stream, &first));
	ck_assert_uint_ne(trace.selection, first);
	trace_until(&trace, "up endpointslices");
	trace_is(&trace, "begin endpointslices\nobject endpointslices d/s 2\nend endpointslices\n"
			 "up endpointslices\n");
	ck_assert_uint_eq(trace.selection, first);
	trace_clear(&trace);
	want_slices_of("b");
	ck_assert(k8s_endpointslices_stream(trace.k8s, "d", &stream, &second));
	ck_assert_uint_ne(first, second);
	k8s_want_endpointslices(trace.k8s, NULL, 0);
	trace_until(&trace, "end endpointslices");
	trace_for(&trace, 20);
	trace_is(&trace, "begin endpointslices\nend endpointslices\n");
	trace_clear(&trace);
	want_slices_of("a");
	trace_until(&trace, "up endpointslices");
	ck_assert_uint_eq(status_of("endpointslices").relists, 0);
}
END_TEST

#define OF(names)     "?labelSelector=kubernetes.io%2Fservice-name%20in%20%28" names "%29"
#define SLICE(name)   "{\"metadata\":{\"namespace\":\"d\",\"name\":\"" name "\"}}"
#define ASK_SLICES(s) "list endpointslices " s " token secret\n"

/* What is known stays until the list of the new plan has ended; the version of before is good. */
START_TEST(slices_are_watched_for_those_who_need_them)
{
	struct k8s_service_name many[40];

	start_watching();
	fake_api_ok(&api, "list endpointslices", FAKE_CLOSE, LIST("20", SLICE("a-1")));
	fake_api_ok(
		&api, "list endpointslices", FAKE_CLOSE, LIST("30", SLICE("a-1") "," SLICE("b-1")));
	want_slices_of("a");
	trace_until(&trace, "up endpointslices");
	want_slices_of("a");
	k8s_want_endpointslices(
		trace.k8s, (const struct k8s_service_name[]){{"d", "a"}, {"e", "b"}}, 2);
	trace_until(&trace, "b-1");
	requests_come(4);
	trace_is(&trace, "begin endpointslices\nobject endpointslices d/a-1\n"
			 "end endpointslices\nup endpointslices\nbegin endpointslices\n"
			 "object endpointslices d/a-1\nobject endpointslices d/b-1\n"
			 "end endpointslices\nup endpointslices\n");
	asked(ASK_SLICES(OF("a") "&resourceVersion=0") "watch endpointslices " OF(
		"a") "&watch=1&allowWatchBookmarks=true&resourceVersion=20 token "
		     "secret\n" ASK_SLICES(OF(
			     "a%2Cb") "&resourceVersion=20") "watch "
							     "endpointslic"
							     "es " OF(
								     "a%"
								     "2C"
								     "b") "&watch=1&"
									  "allowWatchBookmarks="
									  "true&resourceVersion=30 "
									  "token secret\n");
	str_set(&api.log, "");
	for (size_t i = 0; i < N_ELEMENTS(many); i++)
		many[i] = (struct k8s_service_name){"d", "s"};
	k8s_want_endpointslices(trace.k8s, many, N_ELEMENTS(many));
	requests_come(1);
	ck_assert_ptr_nonnull(strstr(api.log, ASK_SLICES(SELECTOR "&resourceVersion=30")));
}
END_TEST

START_TEST(slices_that_the_server_does_not_have_are_one_down)
{
	start_watching();
	for (int i = 0; i < 40; i++)
		fake_api_answer(
			&api, "list endpointslices", FAKE_CLOSE, "HTTP/1.1 404 Not Found", "");
	want_slices_of("a");
	trace_until(&trace, "down endpointslices: cannot list endpointslices: the API server has "
			    "neither discovery.k8s.io/v1 nor v1beta1\n");
	trace_clear(&trace);
	mono_turn(mono_s(2));
	requests_of("list endpointslices", 4);
	trace_is(&trace, "");
	fake_api_forget(&api, "list endpointslices");
	mono_turn(mono_s(4));
	trace_until(&trace, "up endpointslices");
}
END_TEST

/* A server that has just started knows neither at first: it is down, and not for long. */
START_TEST(slices_that_are_not_known_for_a_moment_are_tried_soon)
{
	start_watching();
	want_slices_of("a");
	trace_until(&trace, "up endpointslices");
	trace_clear(&trace);
	fake_api_answer(&api, "watch endpointslices", FAKE_CLOSE, "HTTP/1.1 404 Not Found", "");
	for (int i = 0; i < 2; i++)
		fake_api_answer(
			&api, "list endpointslices", FAKE_CLOSE, "HTTP/1.1 404 Not Found", "");
	fake_api_push(&api, "watch endpointslices", FAKE_CLOSE, "");
	trace_until(&trace, "down endpointslices");
	mono_turn(mono_s(2));
	trace_until(&trace, "up endpointslices");
}
END_TEST

/* It was v1beta1, and the server was replaced by one that has only v1. */
START_TEST(slices_of_before_are_asked_for_as_of_today_at_once)
{
	start_watching();
	fake_api_answer(&api, "list endpointslices", FAKE_CLOSE, "HTTP/1.1 404 Not Found", "");
	want_slices_of("a");
	trace_until(&trace, "up endpointslices");
	trace_clear(&trace);
	fake_api_answer(&api, "watch endpointslices", FAKE_CLOSE, "HTTP/1.1 404 Not Found", "");
	fake_api_push(&api, "watch endpointslices", FAKE_CLOSE, "");
	trace_until(&trace, "end endpointslices");
	trace_is(&trace, "begin endpointslices\nend endpointslices\n");
}
END_TEST

#define POLICY(name, version) \
	"{\"metadata\":{\"name\":\"" name "\",\"resourceVersion\":\"" version "\"},\"spec\":{}}"
#define LABELLED                                                                             \
	"{\"metadata\":{\"namespace\":\"default\",\"name\":\"a\",\"labels\":{\"x\":\"y\"}}," \
	"\"spec\":{\"type\":\"LoadBalancer\"}}"
#define UNKNOWN "HTTP/1.1 404 Not Found", "404 page not found\n"

static void start_with_policies(void)
{
	struct k8s_options options = {.kubeconfig = api.kubeconfig, .policies = true};

	fake_api_ok(&api, "list services", FAKE_CLOSE, LIST("7", LABELLED));
	trace_start(&trace, loop, &options);
}

START_TEST(policies_are_part_of_the_first_picture)
{
	fake_api_ok(&api, "list announcementpolicies", FAKE_CLOSE, LIST("4", POLICY("p", "3")));
	start_with_policies();
	trace_until(&trace, "up services");
	trace_until(&trace, "up announcementpolicies");
	ck_assert_ptr_nonnull(strstr(trace.text, "object announcementpolicies p 3\n"));
	ck_assert_ptr_nonnull(strstr(trace.text, "object services default/a labelled\n"));
	ck_assert_ptr_nonnull(strstr(trace.text, "synced\n"));
	ck_assert_ptr_nonnull(strstr(api.log, "list announcementpolicies ?labelSelector=&"));
}
END_TEST

/* Without the kind there are none, and services come without their labels: until it is installed.
 */
START_TEST(policies_that_nobody_has_are_waited_for_in_silence)
{
	struct k8s_stream_status status = {0};

	fake_api_answer(&api, "list announcementpolicies", FAKE_CLOSE, UNKNOWN);
	start_with_policies();
	trace_until(&trace, "up services");
	trace_is(&trace, "begin services\nobject services default/a\nend services\nsynced\n"
			 "up services\n");
	ck_assert(k8s_next_stream(trace.k8s, &status));
	ck_assert(!k8s_next_stream(trace.k8s, &status));
	trace_clear(&trace);
	fake_api_ok(&api, "list announcementpolicies", FAKE_CLOSE, LIST("9", POLICY("p", "9")));
	fake_api_ok(&api, "list services", FAKE_CLOSE, LIST("9", LABELLED));
	mono_turn(mono_s(11));
	trace_until(&trace, "object announcementpolicies p 9");
	trace_until(&trace, "object services default/a labelled");
	trace_until(&trace, "up announcementpolicies");
	ck_assert_ptr_null(strstr(trace.text, "synced"));
}
END_TEST

START_TEST(policies_that_are_forbidden_are_named_and_hold_nothing_up)
{
	struct k8s_stream_status status;

	fake_api_answer(&api, "list announcementpolicies", FAKE_CLOSE, "HTTP/1.1 403 Forbidden",
		STATUS("403", "Forbidden"));
	start_with_policies();
	trace_until(&trace, "synced");
	ck_assert_ptr_nonnull(strstr(trace.text, "down announcementpolicies: cannot list "
						 "announcementpolicies: HTTP 403: because\n"));
	ck_assert(k8s_stream(trace.k8s, 1, &status) || k8s_stream(trace.k8s, 2, &status));
	mono_turn(mono_s(2));
	trace_until(&trace, "up announcementpolicies");
}
END_TEST

/* One that has just started may not know all of its kinds yet. */
START_TEST(policies_are_gone_if_the_server_keeps_saying_so)
{
	fake_api_ok(&api, "list announcementpolicies", FAKE_CLOSE, LIST("4", POLICY("p", "3")));
	fake_api_answer(&api, "watch announcementpolicies", FAKE_CLOSE, UNKNOWN);
	for (int i = 0; i < 4; i++)
		fake_api_answer(&api, "list announcementpolicies", FAKE_CLOSE, UNKNOWN);
	start_with_policies();
	trace_until(&trace, "up services");
	trace_until(&trace, "down announcementpolicies");
	trace_clear(&trace);
	mono_turn(mono_s(11));
	requests_of("list announcementpolicies", 3);
	trace_is(&trace, "");
	mono_turn(mono_s(21));
	trace_until(&trace, "begin announcementpolicies\nend announcementpolicies\n");
	trace_clear(&trace);
	mono_turn(mono_s(301));
	requests_of("list announcementpolicies", 5);
	trace_is(&trace, "");
	mono_turn(mono_s(301));
	trace_until(&trace, "up announcementpolicies");
}
END_TEST

START_TEST(few_namespaces_are_watched_one_by_one)
{
	const char *namespaces[] = {"a", "b"};
	struct k8s_options options = {
		.kubeconfig = api.kubeconfig, .namespaces = namespaces, .n_namespaces = 2};

	trace_start(&trace, loop, &options);
	trace_until(&trace, "up services in a");
	trace_until(&trace, "up services in b");
	trace_until(&trace, "synced");
	for (size_t i = 0; i < N_ELEMENTS(namespaces); i++) {
		auto_free char *name = xasprintf("services in %s", namespaces[i]);
		struct k8s_stream_status status = status_of(name);

		ck_assert_str_eq(status.resource, "services");
		ck_assert_str_eq(status.namespace, namespaces[i]);
		ck_assert_uint_eq(status.relists, 0);
	}
}
END_TEST

START_TEST(many_namespaces_are_filtered)
{
	const char *namespaces[] = {"a", "b", "c", "d", "e", "f", "g", "h", "default"};
	struct k8s_options options = {
		.kubeconfig = api.kubeconfig, .namespaces = namespaces, .n_namespaces = 9};

	fake_api_ok(&api, "list services", FAKE_CLOSE,
		LIST("7",
			SVC("a", "3") ",{\"metadata\":{\"namespace\":\"other\",\"name\":\"x\"}}"));
	trace_start(&trace, loop, &options);
	trace_until(&trace, "up services");
	trace_is(&trace,
		"begin services\nobject services default/a 3\nend services\nsynced\nup services\n");
}
END_TEST

/* No selector means "without the label, or with this value". */
START_TEST(services_of_all_proxies_come_if_some_are_named)
{
	const char *proxies[] = {"cilium", "x"};
	struct k8s_options options = {
		.kubeconfig = api.kubeconfig, .proxies = proxies, .n_proxies = 2};

	fake_api_ok(&api, "list services", FAKE_CLOSE,
		LIST("7", "{\"metadata\":{\"namespace\":\"default\",\"name\":\"a\","
			  "\"resourceVersion\":\"3\",\"labels\":{\"a\":\"b\"}}}"));
	trace_start(&trace, loop, &options);
	trace_until(&trace, "up services\n");
	ck_assert_ptr_nonnull(strstr(trace.text, "object services default/a 3 labelled\n"));
	ck_assert_ptr_nonnull(
		strstr(api.log, "list services ?labelSelector=%21service.kubernetes.io%2Fheadless"
				"&resourceVersion=0 "));
}
END_TEST

/* The server selects: one that does not match any more is deleted, whatever became of it. */
START_TEST(namespaces_are_watched_for_a_selector)
{
	struct k8s_options options = {
		.kubeconfig = api.kubeconfig, .namespace_selector = "team in (a,b),!private"};
	struct k8s_stream_status status = {0};

	fake_api_ok(&api, "list namespaces", FAKE_CLOSE, LIST("7", NAMESPACE("shop", "5")));
	trace_start(&trace, loop, &options);
	trace_until(&trace, "up namespaces");
	trace_until(&trace, "synced");
	ck_assert_ptr_nonnull(
		strstr(trace.text, "begin namespaces\nobject namespaces shop 5\nend namespaces\n"));
	ck_assert_ptr_nonnull(strstr(api.log,
		"list namespaces "
		"?labelSelector=team%20in%20%28a%2Cb%29%2C%21private&resourceVersion=0 "));
	ck_assert(k8s_next_stream(trace.k8s, &status));
	ck_assert_str_eq(status.name, "services");
	ck_assert(k8s_next_stream(trace.k8s, &status));
	ck_assert_str_eq(status.plan, "namespaces with labels team in (a,b),!private (only "
				      "services of such namespaces are wanted)");
	trace_clear(&trace);
	fake_api_push(&api, "watch namespaces", FAKE_HOLD,
		EVENT("ADDED", NAMESPACE("web", "8")) EVENT("DELETED", NAMESPACE("shop", "9")));
	trace_until(&trace, "shop 9");
	trace_is(&trace, "object namespaces web 8\ndeleted namespaces shop 9\n");
}
END_TEST

START_TEST(a_selector_that_is_none_is_refused)
{
	struct k8s_options options = {
		.kubeconfig = api.kubeconfig, .namespace_selector = "team=shop,"};
	struct k8s *k8s = NULL;
	auto_free char *error = NULL;

	ck_assert_int_eq(k8s_new(loop, &options, NULL, NULL, &k8s, &error), -EINVAL);
	ck_assert_ptr_null(k8s);
	ck_assert_ptr_nonnull(strstr(error, "\"team=shop,\", at character 11: "));
	trace.text = xstrdup("");
}
END_TEST

/* Its port is nobody's, and stays so: other tests look for a free one at the same time. */
static void go_away(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)api.port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	loop_io_stop(&api.io);
	close(api.io.fd);
	api.io.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(api.io.fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

START_TEST(a_server_that_is_away_is_one_down)
{
	go_away();
	start(NULL);
	trace_until(
		&trace, "down services: cannot list services: cannot connect: Connection refused");
	trace_clear(&trace);
	mono_turn(mono_s(2));
	trace_for(&trace, 50);
	mono_turn(mono_s(4));
	trace_for(&trace, 50);
	trace_is(&trace, "");
}
END_TEST

/* Refused by the first one, everything goes to the second, and stays there. */
START_TEST(servers_are_tried_in_turn)
{
	auto_free char *second = xasprintf("http://127.0.0.1:%d/", api.port);
	const char *servers[] = {"http://127.0.0.1:1", second};
	struct k8s_options options = {
		.kubeconfig = api.kubeconfig, .servers = servers, .n_servers = 2, .node = "n"};

	trace_start(&trace, loop, &options);
	trace_until(&trace, "down services: cannot list services: cannot connect");
	trace_until(&trace, "up services");
	trace_until(&trace, "up pods");
	trace_until(&trace, "up nodes");
	ck_assert_ptr_nonnull(strstr(k8s_describe(trace.k8s), " in turn, as for http://"));
	fake_api_push(&api, "watch services", FAKE_CLOSE, "");
	trace_for(&trace, 1100);
	ck_assert_ptr_nonnull(strstr(api.log, "watch services"));
}
END_TEST

static void start_with_servers(const char *first, const char *second)
{
	const char *servers[] = {first, second};
	struct k8s_options options = {
		.kubeconfig = api.kubeconfig, .servers = servers, .n_servers = 2};

	trace_start(&trace, loop, &options);
}

/* A watch that ends, breaks off or has nothing to say is no reason to try one that is away. */
START_TEST(a_server_that_answers_is_not_left)
{
	auto_free char *first = xasprintf("http://127.0.0.1:%d", api.port);

	start_with_servers(first, "http://127.0.0.1:1");
	trace_until(&trace, "up services");
	trace_clear(&trace);
	mono_turn(mono_s(91));
	requests_come(4);
	fake_api_push(&api, "watch services", FAKE_CLOSE, BOOKMARK("2"));
	requests_come(5);
	trace_is(&trace, "");
	fake_api_push(&api, "watch services", FAKE_RESET, "{\"type\":\"ADD");
	trace_until(&trace, "up services");
	ck_assert_ptr_null(strstr(trace.text, "cannot connect"));
}
END_TEST

static int listener(uint16_t *out_port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, size), 0);
	ck_assert_int_eq(listen(fd, 64), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	*out_port = ntohs(address.sin_port);
	return fd;
}

static const struct {
	const char *scheme;
	int64_t limit_s;
	const char *down;
} mute[] = {
	{"http", 30, "down services: cannot list services: no byte for 30 s"},
	{"https", 10, "down services: cannot list services: cannot connect: no answer for 10 s"},
};

/* Neither a head nor the first octet of a TLS handshake comes from it. */
START_TEST(a_server_that_says_nothing_is_left)
{
	uint16_t port;
	int fd = listener(&port);
	auto_free char *first = xasprintf("%s://127.0.0.1:%u", mute[_i].scheme, port);
	auto_free char *second = xasprintf("http://127.0.0.1:%d", api.port);

	start_with_servers(first, second);
	trace_for(&trace, 50);
	mono_turn(mono_s(mute[_i].limit_s + 1));
	trace_until(&trace, mute[_i].down);
	trace_until(&trace, "up services");
	close(fd);
}
END_TEST

static const struct {
	const char *head;
	unsigned n; /* how often, until another server is tried */
} bad_answers[] = {
	{"HTTP/1.1 500 Internal Server Error", 3},
	{"HTTP/1.1 503 Service Unavailable", 3},
	{"HTTP/1.1 200 OK\r\nContent-Type: text/html", 1},
};

START_TEST(a_server_of_nothing_but_errors_is_left)
{
	struct fake_api other;
	auto_free char *first = xasprintf("http://127.0.0.1:%d", api.port);
	auto_free char *second = NULL;

	fake_api_start(&other, loop);
	second = xasprintf("http://127.0.0.1:%d", other.port);
	for (int i = 0; i < 9; i++)
		fake_api_answer(&api, "list services", FAKE_CLOSE, bad_answers[_i].head, "");
	start_with_servers(first, second);
	for (unsigned i = 0; i < bad_answers[_i].n; i++) {
		requests_come(i + 1);
		mono_turn(mono_s(61));
	}
	trace_until(&trace, "up services");
	ck_assert_uint_eq(n_requests(""), bad_answers[_i].n);
	ck_assert_ptr_nonnull(strstr(other.log, "watch services"));
	fake_api_stop(&other);
}
END_TEST

/* Now and then one fails, and is the right one all the same. */
START_TEST(errors_between_good_answers_are_forgiven)
{
	auto_free char *first = xasprintf("http://127.0.0.1:%d", api.port);

	start_with_servers(first, "http://127.0.0.1:1");
	trace_until(&trace, "up services");
	for (int i = 0; i < 4; i++) {
		trace_clear(&trace);
		fake_api_answer(
			&api, "watch services", FAKE_CLOSE, "HTTP/1.1 503 Service Unavailable", "");
		fake_api_push(&api, "watch services", FAKE_CLOSE, "");
		mono_turn(mono_s(2));
		trace_until(&trace, "down services");
		mono_turn(mono_s(61));
		trace_until(&trace, "up services");
		ck_assert_ptr_null(strstr(trace.text, "cannot connect"));
	}
}
END_TEST

START_TEST(the_first_list_may_wait)
{
	struct k8s_options options = {.kubeconfig = api.kubeconfig, .start_spread_s = 3600};

	trace_start(&trace, loop, &options);
	trace_for(&trace, 50);
	ck_assert_str_eq(api.log, ""); /* but for one start of 72,000 */
	mono_turn(mono_s(3600));
	trace_until(&trace, "synced");
}
END_TEST

START_TEST(json_may_be_said_in_several_ways)
{
	fake_api_answer(&api, "list services", FAKE_CLOSE,
		"HTTP/1.1 200 OK\r\nContent-Type: Application/JSON;charset=utf-8", LIST("7", ""));
	fake_api_answer(&api, "watch services", FAKE_HOLD,
		"HTTP/1.1 200 OK\r\nContent-Type: application/json", EVENT("ADDED", SVC("c", "8")));
	start(NULL);
	trace_until(&trace, "c 8");
}
END_TEST

START_TEST(status_tells_of_each_stream)
{
	struct k8s_stream_status status = {0};

	start_watching();
	ck_assert(k8s_next_stream(trace.k8s, &status));
	ck_assert_str_eq(status.name, "services");
	ck_assert(status.synced && status.connected && !status.error);
	ck_assert_uint_eq(status.lists, 1);
	ck_assert_uint_eq(status.relists, 0);
	ck_assert_str_eq(status.resource, "services");
	ck_assert_str_eq(status.namespace, "");
	ck_assert_uint_eq(status.events, 2);
	ck_assert_uint_gt(status.bytes, 100);
	ck_assert_int_ne(status.last_contact.ns, 0);
	fake_api_push(&api, "watch services", FAKE_RESET, "");
	trace_until(&trace, "down services");
	ck_assert(!k8s_next_stream(trace.k8s, &status));
	status = (struct k8s_stream_status){0};
	ck_assert(k8s_next_stream(trace.k8s, &status));
	ck_assert(!status.connected && status.error);
	ck_assert_ptr_nonnull(strstr(k8s_describe(trace.k8s), "http://127.0.0.1:"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("k8s reflector");
	TCase *tests = tcase_create("reflector");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 30);
	tcase_add_test(tests, lists_and_watches);
	tcase_add_test(tests, four_streams_are_synced_together);
	tcase_add_test(tests, pages_are_one_list);
	tcase_add_test(tests, a_list_that_expires_between_pages_begins_anew);
	tcase_add_test(tests, pages_that_expire_at_once_are_no_storm);
	tcase_add_test(tests, resumes_where_a_broken_connection_left_off);
	tcase_add_test(tests, half_an_object_and_a_clean_end_is_a_broken_watch);
	tcase_add_test(tests, a_clean_end_is_no_news);
	tcase_add_test(tests, gone_as_an_event_lists_again);
	tcase_add_test(tests, gone_as_a_status_lists_again_and_from_the_store_if_need_be);
	tcase_add_test(tests, a_version_from_the_future_lists_from_the_store);
	tcase_add_test(tests, other_error_events_resume);
	tcase_add_test(tests, errors_that_come_again_and_again_list);
	tcase_add_test(tests, a_broken_list_never_ends);
	tcase_add_test(tests, a_reset_in_a_list_never_ends_it);
	tcase_add_test(tests, the_same_refusal_is_said_once_and_does_not_stop_others);
	tcase_add_test(tests, retry_after_is_honoured);
	tcase_add_test(tests, an_unauthorized_request_is_tried_once_more_at_once);
	tcase_add_test(tests, unfit_objects_are_passed_over);
	tcase_add_loop_test(tests, silence_of_a_server_that_is_behind_lists, 0, 2);
	tcase_add_loop_test(tests, silence_of_a_server_that_keeps_up_only_watches_again, 0, 2);
	tcase_add_test(tests, a_probe_that_is_not_answered_is_a_failure);
	tcase_add_loop_test(tests, what_is_held_back_on_the_way_comes_with_the_end, 0, 2);
	tcase_add_test(tests, a_head_that_is_held_back_keeps_watches_brief);
	tcase_add_test(tests, a_brief_watch_that_brings_nothing_is_not_repeated);
	tcase_add_test(tests, a_silent_list_is_given_up);
	tcase_add_test(tests, slices_come_when_wanted_and_go);
	tcase_add_test(tests, slices_are_watched_for_those_who_need_them);
	tcase_add_test(tests, slices_that_the_server_does_not_have_are_one_down);
	tcase_add_test(tests, slices_that_are_not_known_for_a_moment_are_tried_soon);
	tcase_add_test(tests, slices_of_before_are_asked_for_as_of_today_at_once);
	tcase_add_test(tests, policies_are_part_of_the_first_picture);
	tcase_add_test(tests, policies_that_nobody_has_are_waited_for_in_silence);
	tcase_add_test(tests, policies_that_are_forbidden_are_named_and_hold_nothing_up);
	tcase_add_test(tests, policies_are_gone_if_the_server_keeps_saying_so);
	tcase_add_test(tests, few_namespaces_are_watched_one_by_one);
	tcase_add_test(tests, many_namespaces_are_filtered);
	tcase_add_test(tests, services_of_all_proxies_come_if_some_are_named);
	tcase_add_test(tests, namespaces_are_watched_for_a_selector);
	tcase_add_test(tests, a_selector_that_is_none_is_refused);
	tcase_add_test(tests, a_server_that_is_away_is_one_down);
	tcase_add_test(tests, servers_are_tried_in_turn);
	tcase_add_test(tests, a_server_that_answers_is_not_left);
	tcase_add_loop_test(tests, a_server_that_says_nothing_is_left, 0, N_ELEMENTS(mute));
	tcase_add_loop_test(
		tests, a_server_of_nothing_but_errors_is_left, 0, N_ELEMENTS(bad_answers));
	tcase_add_test(tests, errors_between_good_answers_are_forgiven);
	tcase_add_test(tests, the_first_list_may_wait);
	tcase_add_test(tests, json_may_be_said_in_several_ways);
	tcase_add_test(tests, status_tells_of_each_stream);
	tcase_set_timeout(tests, 30);
	suite_add_tcase(suite, tests);
	return unit_run(suite);
}
