/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What no real API server does on demand, over TLS: what was known stays, it is told once, and with
 * the next right answer it goes on from where it was.
 */
#include "unit.h"

#include <netdb.h>
#include <string.h>

#include <cosmolet/yaml.h>

#include "fake_api.h"
#include "fake_api_words.h"
#include "trace.h"

#define OK              "HTTP/1.1 200 OK"
#define AS_IT_WAS       "begin services\nobject services default/a 3\nend services\nsynced\nup services\n"
#define AS_IT_WAS_EMPTY "begin services\nend services\nsynced\nup services\n"
#define ONE_MORE        EVENT("ADDED", SVC("c", "8"))
#define ONE_MORE_2      "object services default/c 8\n"

static struct loop *loop;
static struct fake_api api;
static struct trace trace;

static void setup(void)
{
	loop = loop_new();
	fake_api_start_tls(&api, loop);
}

static void setup_plain(void)
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

static void start(void)
{
	trace_start(&trace, loop, &(struct k8s_options){.kubeconfig = api.kubeconfig});
}

static void forget(void)
{
	trace_clear(&trace);
	str_set(&api.log, "");
}

/* Lists a and b at version 7, and forgets how. */
static void start_watching(void)
{
	fake_api_ok(&api, "list services", FAKE_CLOSE, LIST("7", SVC("a", "3") "," SVC("b", "4")));
	start();
	trace_until(&trace, "up services");
	forget();
}

/*
 * A turn. If nothing happens any more, the clock is turned: nobody waits for a pause to be over,
 * and nothing that takes a few turns, as a handshake does, is given up meanwhile.
 */
static void turn(struct mono by)
{
	struct mono idle = mono_add(mono_now(), mono_ms(2));

	loop_turn(loop, 2);
	if (!mono_before(mono_now(), idle))
		mono_turn(by);
}

static void fast_until(const char *text)
{
	struct mono end = mono_add(mono_now(), mono_s(1200));

	while (!strstr(trace.text, text)) {
		if (mono_before(end, mono_now()))
			ck_abort_msg("\"%s\" did not come, but:\n%s", text, trace.text);
		turn(mono_ms(500));
	}
}

static void fast_to_request(void)
{
	unsigned before = api.n_requests;

	while (api.n_requests == before) /* or until check has enough */
		turn(mono_ms(500));
}

static unsigned count(const char *text, const char *word)
{
	unsigned n = 0;

	for (; (text = strstr(text, word)); text++)
		n++;
	return n;
}

/* Instead of a list. */

static const struct {
	const char *head;
	const char *body;
	const char *down;
} bad_lists[] = {
	{OK, "", "no valid JSON: it is empty"},
	{OK, "\x01}}}]]<<<", "no valid JSON from here on: .}}}]]<<<"},
	{OK, "<html>Log in, please", "no valid JSON from here on: <html>Log in, please"},
	{OK, "[1, 2, 3]", "no valid JSON from here on: [1, 2, 3]"},
	{OK, "{\"kind\":\"Status\"}", "no valid JSON: it is an object without items"},
	{OK, "{\"items\":\"many\"}", "no valid JSON from here on: \"many\"}"},
	{OK, "{\"items\":[]}", "the answer is a list without a resourceVersion"},
	{OK, LIST("", ""), "the answer is a list without a resourceVersion"},
	{OK "\r\nContent-Length: 100", LIST("7", ""),
		"the connection ended in the middle of the answer"},
	{OK "\r\nTransfer-Encoding: chunked", "2f\r\n" LIST("7", "") "\r\n",
		"the connection ended in the middle of the answer"},
	{OK "\r\nTransfer-Encoding: chunked", "many\r\n" LIST("7", ""), "chunk"},
	{OK "\r\nContent-Encoding: gzip", LIST("7", ""), "incorrect header check"},
	{OK "\r\nContent-Encoding: zstd", LIST("7", ""), "Encoding"},
	{OK "\r\nContent-Type: text/html; charset=utf-8", LIST("7", ""),
		"the answer is text/html; charset=utf-8, not JSON: who is it from?"},
	{OK "\r\nContent-Type: application/jsonp", LIST("7", ""),
		"the answer is application/jsonp, not JSON: who is it from?"},
	{"HTTP/1.1 403 Forbidden", STATUS("403", "Forbidden"), "HTTP 403: because"},
	{"HTTP/1.1 404 Not Found", "404 page not found\n", "HTTP 404: 404 page not found"},
	{"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1",
		"Too many requests, please try again later.\n",
		"HTTP 429: Too many requests, please try again later."},
	{"HTTP/1.1 500 Internal Server Error", "etcd\tis \xff away\nmore",
		"HTTP 500: etcd?is ? away"},
	{"HTTP/1.1 503 Service Unavailable", "", "HTTP 503"},
};

START_TEST(a_bad_list_is_told_and_asked_for_again)
{
	fake_api_answer(&api, "list services", FAKE_CLOSE, bad_lists[_i].head, bad_lists[_i].body);
	fake_api_ok(&api, "list services", FAKE_CLOSE, LIST("7", SVC("a", "3")));
	start();
	fast_until("down services: cannot list services: ");
	ck_assert_ptr_nonnull(strstr(trace.text, bad_lists[_i].down));
	ck_assert_ptr_null(strstr(trace.text, "end services"));
	fast_until("up services");
	ck_assert_ptr_nonnull(strstr(trace.text, AS_IT_WAS));
	ck_assert_uint_eq(count(trace.text, "down"), 1);
	fake_api_asked(&api, ASK_LIST("0") ASK_LIST("0") ASK_WATCH("7"));
}
END_TEST

/* Instead of a watch, or within one. */

static const struct {
	const char *head;
	const char *body;
	const char *down;
} bad_watches[] = {
	{OK, "\x01}}}]]<<<", "no valid JSON from here on: .}}}]]<<<"},
	{OK, "<html>Log in, please", "no valid JSON from here on: <html>Log in, please"},
	{OK, "[1, 2, 3]", "no valid JSON from here on: [1, 2, 3]"},
	{OK, "{\"type\":\"DELETED\",\"object\":{\"metadata\":{\"name\":\"a\"",
		"no valid JSON: it ends in the middle of an object"},
	{OK "\r\nTransfer-Encoding: chunked", "",
		"the connection ended in the middle of the answer"},
	{OK "\r\nTransfer-Encoding: chunked", "many\r\n", "chunk"},
	{OK "\r\nContent-Type: text/html", EVENT("DELETED", SVC("a", "9")),
		"the answer is text/html, not JSON: who is it from?"},
	{"HTTP/1.1 403 Forbidden", STATUS("403", "Forbidden"), "HTTP 403: because"},
	{"HTTP/1.1 404 Not Found", "404 page not found\n", "HTTP 404: 404 page not found"},
	{"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1",
		"Too many requests, please try again later.\n",
		"HTTP 429: Too many requests, please try again later."},
	{"HTTP/1.1 500 Internal Server Error", "<html>", "HTTP 500: <html>"},
	{"HTTP/1.1 503 Service Unavailable", "", "HTTP 503"},
};

START_TEST(a_bad_watch_is_told_and_resumed)
{
	start_watching();
	fake_api_answer(
		&api, "watch services", FAKE_CLOSE, bad_watches[_i].head, bad_watches[_i].body);
	fake_api_ok(&api, "watch services", FAKE_HOLD, ONE_MORE);
	fake_api_push(&api, "watch services", FAKE_CLOSE, "");
	fast_until(ONE_MORE_2);
	ck_assert_ptr_nonnull(strstr(trace.text, "down services: cannot watch services: "));
	ck_assert_ptr_nonnull(strstr(trace.text, bad_watches[_i].down));
	ck_assert_ptr_nonnull(strstr(trace.text, "\nup services\n" ONE_MORE_2));
	ck_assert_uint_eq(count(trace.text, "\n"), 3);
	fake_api_asked(&api, ASK_WATCH("7") ASK_WATCH("7"));
}
END_TEST

/* The token is not for others, wherever they are. */
START_TEST(redirects_are_not_followed)
{
	static const char *const statuses[] = {"301", "302", "303", "307", "308"};
	struct fake_api other;
	auto_free char *head = NULL;
	auto_free char *expected = xasprintf("watch services: HTTP %s\n", statuses[_i]);

	fake_api_start(&other, loop);
	head = xasprintf("HTTP/1.1 %s Over There\r\nLocation: http://127.0.0.1:%d/api/v1/services",
		statuses[_i], other.port);
	fake_api_answer(&api, "list services", FAKE_CLOSE, head, "");
	fake_api_answer(&api, "watch services", FAKE_CLOSE, head, "");
	start();
	fast_until("synced");
	fast_until(expected);
	fast_until("up services");
	fake_api_asked(&api, ASK_LIST("0") ASK_LIST("0") ASK_WATCH("1") ASK_WATCH("1"));
	ck_assert_uint_eq(other.n_accepted, 0);
	fake_api_stop(&other);
}
END_TEST

/* Somebody else. */

static const struct {
	enum fake_certificate shown;
	const char *words;
} bad_certificates[] = {
	{FAKE_EXPIRED, "certificate has expired"},
	{FAKE_EARLY, "certificate is not yet valid"},
	{FAKE_OF_ANOTHER_NAME, "no alternative certificate subject name matches"},
	{FAKE_OF_A_CLIENT, "certificate purpose"},
	{FAKE_OF_A_STRANGER, "unable to get local issuer certificate"},
};

static void attempts_come(unsigned n)
{
	for (unsigned end = api.n_accepted + n; api.n_accepted < end;)
		turn(mono_ms(500));
	trace_for(&trace, 20); /* for what comes of the last one */
}

/* One error, however often it is tried; and no request, which would hold the token. */
START_TEST(a_bad_certificate_ends_no_watch_for_good)
{
	start_watching();
	fake_tls_present(api.tls, bad_certificates[_i].shown);
	fake_api_push(&api, "watch services", FAKE_CLOSE, "");
	attempts_come(4);
	ck_assert_ptr_eq(strstr(trace.text, "down services: cannot watch services: "), trace.text);
	ck_assert_ptr_nonnull(strstr(trace.text, bad_certificates[_i].words));
	ck_assert_uint_eq(count(trace.text, "\n"), 1);
	fake_api_asked(&api, "");
	fake_tls_present(api.tls, FAKE_GOOD);
	fake_api_ok(&api, "watch services", FAKE_HOLD, ONE_MORE);
	trace_clear(&trace);
	fast_until(ONE_MORE_2);
	trace_is(&trace, "up services\n" ONE_MORE_2);
	fake_api_asked(&api, ASK_WATCH("7"));
}
END_TEST

START_TEST(a_bad_certificate_delays_the_start)
{
	fake_tls_present(api.tls, bad_certificates[_i].shown);
	fake_api_ok(&api, "list services", FAKE_CLOSE, LIST("7", SVC("a", "3")));
	start();
	attempts_come(3);
	ck_assert_ptr_eq(strstr(trace.text, "down services: cannot list services: "), trace.text);
	ck_assert_ptr_nonnull(strstr(trace.text, bad_certificates[_i].words));
	ck_assert_uint_eq(count(trace.text, "\n"), 1);
	fake_api_asked(&api, "");
	fake_tls_present(api.tls, FAKE_GOOD);
	trace_clear(&trace);
	fast_until("up services");
	trace_is(&trace, AS_IT_WAS);
	fake_api_asked(&api, ASK_LIST("0") ASK_WATCH("7"));
}
END_TEST

static const struct {
	enum fake_end end;
	const char *greeting;
	const char *words;
} bad_greetings[] = {
	{FAKE_CLOSE, "SSH-2.0-OpenSSH_9.2\r\n", "wrong version number"},
	{FAKE_CLOSE, "HTTP/1.1 400 Bad Request\r\n\r\n", "wrong version number"},
	{FAKE_CLOSE, "\x15\x03\x03", "SSL_ERROR_SYSCALL"},
	{FAKE_RESET, "\x15\x03\x03", "Connection reset by peer"},
};

START_TEST(what_speaks_no_tls_is_no_server)
{
	start_watching();
	api.raw = true;
	for (int i = 0; i < 4; i++)
		fake_api_octets(&api, "hello", bad_greetings[_i].end, bad_greetings[_i].greeting,
			strlen(bad_greetings[_i].greeting));
	fake_api_push(&api, "watch services", FAKE_CLOSE, "");
	attempts_come(4);
	ck_assert_ptr_eq(strstr(trace.text, "down services: cannot watch services: "), trace.text);
	ck_assert_ptr_nonnull(strstr(trace.text, bad_greetings[_i].words));
	ck_assert_uint_eq(count(trace.text, "\n"), 1);
	api.raw = false;
	fast_until("up services");
	fake_api_asked(&api, ASK_WATCH("7"));
}
END_TEST

/* Slowly. */

START_TEST(a_handshake_that_drips_is_given_up)
{
	unsigned n = 0;

	fake_api_octets(&api, "hello", FAKE_HOLD, "\x16\x03\x03\x01\x00\x02", 6);
	api.raw = true;
	start();
	attempts_come(1);
	for (; !strstr(trace.text, "down"); n++) {
		fake_api_push(&api, "hello", FAKE_HOLD, "x");
		trace_for(&trace, 2);
		mono_turn(mono_s(2));
	}
	trace_is(&trace, "down services: cannot list services: cannot connect: no answer for "
			 "10 s\n");
	ck_assert_uint_le(n, 6);
	api.raw = false;
	fast_until("synced");
}
END_TEST

/* The head of an answer comes within 30 s, line by line or not, or it is none. */
START_TEST(a_head_that_drips_is_given_up)
{
	const char *line = _i % 2 ? "X-And: so on\r\n" : "x";
	const char *kind = _i / 2 ? "watch services" : "list services";
	auto_free char *down = xasprintf("down services: cannot %s: no byte for 30 s\n", kind);
	unsigned n = 0;

	fake_api_octets(&api, kind, FAKE_HOLD, OK "\r\n", strlen(OK "\r\n"));
	start();
	for (unsigned end = _i / 2 ? 2 : 1; api.n_requests < end;)
		turn(mono_ms(500));
	for (; !strstr(trace.text, "down") && n < 100; n++) {
		fake_api_push(&api, kind, FAKE_HOLD, line);
		trace_for(&trace, 20); /* curl does read it */
		mono_turn(mono_s(10));
	}
	ck_assert_ptr_nonnull(strstr(trace.text, down));
	ck_assert_uint_le(n, 4);
	fast_until("up services");
}
END_TEST

/* An octet now and then keeps nothing alive for ever. */
START_TEST(a_list_that_drips_is_given_up)
{
	fake_api_ok(&api, "list services", FAKE_HOLD, "{\"items\":[");
	start();
	trace_until(&trace, "begin services");
	for (int s = 0; s < 600; s += 20) {
		fake_api_push(&api, "list services", FAKE_HOLD, " ");
		trace_for(&trace, 2);
		mono_turn(mono_s(20));
	}
	trace_until(&trace, "down services: cannot list services: no end within 600 s");
	trace_until(&trace, "synced");
}
END_TEST

/* Too much. */

static char *padded_event(const char *name, size_t size)
{
	auto_free char *padding = xmalloc(size + 1);

	memset(padding, 'x', size);
	padding[size] = '\0';
	return xasprintf(
		"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"namespace\":\"d\",\"name\":\"%s\","
		"\"annotations\":{\"a\":\"%s\"}}}}\n",
		name, padding);
}

START_TEST(large_objects_are_fine_and_giants_passed_over)
{
	auto_free char *large = padded_event("large", 10u << 20);
	auto_free char *giant = padded_event("giant", 17u << 20);

	start_watching();
	fake_api_push(&api, "watch services", FAKE_HOLD, large);
	trace_until(&trace, "d/large");
	fake_api_push(&api, "watch services", FAKE_HOLD, giant);
	fake_api_push(&api, "watch services", FAKE_HOLD, ONE_MORE);
	trace_until(&trace, ONE_MORE_2);
	trace_is(&trace,
		"object services d/large\n"
		"problem services: an object of more than 16 MiB was passed over; it begins: "
		"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"namespace\":\"d\",\"name\":"
		"\"giant\","
		"\"annotations\":{\"a\":\"xxxxxxxxxxx\n" ONE_MORE_2);
}
END_TEST

static uint64_t bytes_seen(void)
{
	struct k8s_stream_status status = {0};

	return k8s_next_stream(trace.k8s, &status) ? status.bytes : 0;
}

/* What is on its way may be lost when a connection breaks. */
static void bytes_come(uint64_t n)
{
	while (bytes_seen() < n) /* or until check has enough */
		loop_turn(loop, 5);
}

/* As long as there is hope it is passed over; then it costs the connection, but no memory. */
START_TEST(an_object_without_end_is_given_up)
{
	const char *kind = _i ? "watch services" : "list services";
	auto_free char *piece = xmalloc((4u << 20) + 1);
	unsigned n = 0;

	memset(piece, 'x', 4u << 20);
	piece[4u << 20] = '\0';
	fake_api_ok(&api, kind, FAKE_HOLD,
		_i ? "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\""
		   : "{\"items\":[{\"metadata\":{\"name\":\"");
	start();
	trace_until(&trace, _i ? "up services" : "begin services");
	while (!strstr(trace.text, "down")) {
		fake_api_push(&api, kind, FAKE_HOLD, piece);
		n++;
		while (!strstr(trace.text, "down") && bytes_seen() < n * (uint64_t)(4u << 20))
			loop_turn(loop, 1);
	}
	ck_assert_ptr_nonnull(strstr(trace.text, "no valid JSON: an object does not end\n"));
	ck_assert_uint_eq(n, 8 * 16 / 4 + 1); /* MiB */
	trace_clear(&trace);
	fast_until("up services");
}
END_TEST

/* Again and again. */

static const struct {
	const char *kind;
	const char *head;
	const char *body;
} storms[] = {
	{"list services", "HTTP/1.1 410 Gone", STATUS("410", "Expired")},
	{"watch services", "HTTP/1.1 410 Gone", STATUS("410", "Expired")},
	{"watch services", OK, EVENT("ERROR", STATUS("410", "Expired"))},
	{"watch services", OK, BOOKMARK("9") EVENT("ERROR", STATUS("410", "Expired"))},
	{"watch services", OK, ONE_MORE EVENT("ERROR", STATUS("410", "Expired"))},
	{"list services", "HTTP/1.1 504 Gateway Timeout", AHEAD},
	{"watch services", OK, EVENT("ERROR", AHEAD)},
	{"watch services", OK, BOOKMARK("9") EVENT("ERROR", AHEAD)},
	{"list services", "HTTP/1.1 401 Unauthorized", STATUS("401", "Unauthorized")},
	{"watch services", "HTTP/1.1 401 Unauthorized", STATUS("401", "Unauthorized")},
	{"list services", "HTTP/1.1 429 Too Many Requests", "Too many requests.\n"},
	{"watch services", "HTTP/1.1 429 Too Many Requests", "Too many requests.\n"},
	{"watch services", OK, EVENT("ERROR", STATUS("429", "TooManyRequests"))},
	{"watch services", OK, BOOKMARK("9") EVENT("ERROR", STATUS("429", "TooManyRequests"))},
};

/* A server that says the same to everything, without telling for how long, is asked less often. */
START_TEST(a_storm_of_refusals_is_not_answered_by_one)
{
	struct mono end;

	for (int i = 0; i < 200; i++)
		fake_api_answer(
			&api, storms[_i].kind, FAKE_CLOSE, storms[_i].head, storms[_i].body);
	start();
	for (end = mono_add(mono_now(), mono_s(60)); mono_before(mono_now(), end);)
		turn(mono_s(1));
	ck_assert_uint_ge(api.n_requests, 4);
	ck_assert_uint_le(api.n_requests, 20);
	ck_assert_uint_le(count(trace.text, "down"), 10);
}
END_TEST

#define PAGES_MAX 5000
#define NO_END    "down services: cannot list services: the list does not end: "
#define ANEW      "begin services\nend services\nup services\n"
#define PAGE(page) \
	"{\"metadata\":{\"resourceVersion\":\"9\",\"continue\":\"" page "\"},\"items\":[%s]}"

/* Each page names another one, with objects or without any: what was known before stays. */
START_TEST(a_list_of_ever_more_pages_is_given_up)
{
	unsigned before;

	start_watching();
	before = api.n_requests;
	for (unsigned i = 0; i < PAGES_MAX; i++) {
		auto_free char *page = xasprintf(PAGE("%u"), i, _i ? SVC("c", "8") : "");

		fake_api_ok(&api, "list services", FAKE_CLOSE, page);
	}
	fake_api_push(&api, "watch services", FAKE_HOLD, EVENT("ERROR", STATUS("410", "Expired")));
	for (unsigned n = 0; api.n_requests - before < PAGES_MAX && n < 20 * PAGES_MAX; n++)
		loop_turn(loop, 20);
	trace_until(&trace, NO_END "after 5000 pages there is another one\n");
	ck_assert_uint_eq(count(api.log, "list services"), PAGES_MAX);
	ck_assert_uint_eq(count(trace.text, "object"), _i ? PAGES_MAX : 0);
	ck_assert_ptr_null(strstr(trace.text, "end services"));
	forget();
	fast_until("up services");
	trace_is(&trace, ANEW);
	fake_api_asked(&api, ASK_LIST("7") ASK_WATCH("1"));
}
END_TEST

/* Who does not look at what page is asked for, as a cache may, gives the same one again. */
START_TEST(a_list_that_goes_round_in_circles_is_given_up)
{
	auto_free char *page = xasprintf(PAGE("x"), SVC("c", "8"));

	for (int i = 0; i < 4; i++)
		fake_api_ok(&api, "list services", FAKE_CLOSE, page);
	start();
	fast_until(NO_END "a page names itself as the next one\n");
	fast_until(AS_IT_WAS_EMPTY);
	ck_assert_uint_eq(count(api.log, "list services"), 5);
	ck_assert_uint_eq(count(trace.text, "down"), 1);
}
END_TEST

/* That each one begins well does not make it one that goes well. */
START_TEST(lists_that_break_late_are_asked_for_less_often)
{
	struct mono begin;

	for (int i = 0; i < 4; i++)
		fake_api_ok(&api, "list services", FAKE_HOLD, "{\"items\":[");
	start();
	for (int i = 0; i < 4; i++) {
		trace_until(&trace, "begin services");
		for (int s = 0; s < 125; s += 25) {
			fake_api_push(&api, "list services", FAKE_HOLD, " ");
			trace_for(&trace, 2);
			mono_turn(mono_s(25));
		}
		begin = mono_now();
		fake_api_push(&api, "list services", FAKE_CLOSE, "");
		for (int n = 0; n < 10; n++)
			loop_turn(loop, 0);
		forget();
		/* Not yet, however long these turns took. */
		mono_turn(mono_sub(mono_add(begin, mono_ms(600 << i)), mono_now()));
		for (int n = 0; n < 10; n++)
			loop_turn(loop, 0);
		ck_assert_str_eq(api.log, "");
		mono_turn(mono_ms(1000 << i));
	}
}
END_TEST

#define NOT_FOUND "HTTP/1.1 404 Not Found", "404 page not found\n"

static const struct {
	bool policies;
	bool one_version; /* of EndpointSlices; else two, as 1.21 has them */
	const char *name;
	const char *watch;
} unwatched[] = {
	{false, false, "endpointslices", "watch endpointslices"},
	{false, true, "endpointslices", "watch endpointslices"},
	{true, false, "announcementpolicies", "watch announcementpolicies"},
};

/* A list of them comes through, the watch after it does not, whatever it is asked for. */
START_TEST(what_is_listed_but_not_watched_is_no_storm)
{
	const char *name = unwatched[_i].name;
	auto_free char *down =
		xasprintf("down %s: cannot watch %s: HTTP 404: 404 page not found\n", name, name);
	auto_free char *up = xasprintf("up %s\n", name);
	struct mono end;
	unsigned n;

	for (int i = 0; i < 200; i++)
		fake_api_answer(&api, unwatched[_i].watch, FAKE_CLOSE, NOT_FOUND);
	for (int i = 0; i < 200 && unwatched[_i].one_version; i++) {
		fake_api_ok(&api, "list endpointslices", FAKE_CLOSE, LIST("7", ""));
		fake_api_answer(&api, "list endpointslices", FAKE_CLOSE, NOT_FOUND);
	}
	trace_start(&trace, loop,
		&(struct k8s_options){
			.kubeconfig = api.kubeconfig, .policies = unwatched[_i].policies});
	if (!unwatched[_i].policies)
		k8s_want_endpointslices(
			trace.k8s, &(const struct k8s_service_name){"default", "a"}, 1);
	for (end = mono_add(mono_now(), mono_s(120)); mono_before(mono_now(), end);)
		turn(mono_s(1));
	n = count(api.log, name);
	ck_assert_uint_ge(n, 6);
	ck_assert_uint_le(n, unwatched[_i].one_version ? 40 : 30);
	ck_assert_ptr_nonnull(strstr(trace.text, down));
	ck_assert_uint_eq(count(trace.text, "down "), 1);
	ck_assert_ptr_null(strstr(trace.text, up));
	fake_api_forget(&api, unwatched[_i].watch);
	trace_clear(&trace);
	fast_until(up);
	ck_assert_ptr_null(strstr(trace.text, "down "));
}
END_TEST

/* Versions are opaque: what comes twice, or late, is passed on as it comes. */
START_TEST(doubles_and_disorder_are_passed_on)
{
	start_watching();
	fake_api_push(&api, "watch services", FAKE_HOLD,
		EVENT("ADDED", SVC("c", "9")) EVENT("ADDED", SVC("c", "9"))
			EVENT("MODIFIED", SVC("a", "8")) EVENT("DELETED", SVC("z", "10"))
				EVENT("DELETED", SVC("z", "10")));
	fake_api_push(&api, "watch services", FAKE_RESET, "");
	fake_api_ok(&api, "watch services", FAKE_HOLD, EVENT("ADDED", SVC("a", "2")));
	fast_until("a 2");
	ck_assert_ptr_nonnull(strstr(trace.text, "object services default/c 9\n"
						 "object services default/c 9\n"
						 "object services default/a 8\n"
						 "deleted services default/z 10\n"
						 "deleted services default/z 10\n"
						 "down services: "));
	ck_assert_ptr_nonnull(strstr(trace.text, "\nup services\nobject services default/a 2\n"));
	fake_api_asked(&api, ASK_WATCH("10"));
}
END_TEST

/* Not all of it. */

/* Recorded from a real API server: of the seeds, the first octet is not part of it. */
static char *recorded(const char *name)
{
	auto_free char *path = xasprintf("%s/k8s_cut/%s", CORPUS, name);
	char *text = NULL;
	size_t size;

	ck_assert_int_eq(file_read(path, 1 << 20, &text, &size), 0);
	memmove(text, text + 1, size);
	while (size > 1 && text[size - 2] == '\n') /* what may follow the last bracket */
		text[--size - 1] = '\0';
	return text;
}

/* How the i-th connection ends. Each way reads otherwise than the one before, so it is told. */
static enum fake_end end_of(size_t i)
{
	static const enum fake_end ends[] = {FAKE_CLOSE, FAKE_RESET, FAKE_CUT, FAKE_RESET};

	return ends[i % N_ELEMENTS(ends)];
}

/* To the next attempt after a failure. */
static void to_next_attempt(void)
{
	unsigned before = api.n_requests;

	mono_turn(mono_s(61)); /* past any pause */
	while (api.n_requests == before)
		loop_turn(loop, 5);
}

/* What it said is forgotten before the next one can have said anything. */
static void list_fails(void)
{
	trace_until(&trace, "down services: ");
	ck_assert_ptr_null(strstr(trace.text, "end services"));
	trace_clear(&trace);
}

/* So many octets from cut to cut. A handshake takes longer than all the rest, but for sanitizers.
 */
static size_t stride(void)
{
#ifdef __has_feature
#if __has_feature(address_sanitizer)
	return api.tls ? 46 : 11;
#endif
#endif
	return api.tls ? 23 : 1;
}

/* Wherever a recorded list is cut off, it does not end, and leaves nothing to the next one. */
START_TEST(a_list_truncated_anywhere_does_not_end)
{
	auto_free char *list = recorded("recorded-list-services");
	size_t n = strlen(list);

	for (size_t i = 0, k = 0; i < n; i += stride(), k++) {
		auto_free char *head = xstrndup(list, i);

		fake_api_ok(&api, "list services", end_of(k), head);
	}
	fake_api_ok(&api, "list services", FAKE_CLOSE, list);
	start();
	for (size_t i = 0; i < n; i += stride()) {
		list_fails();
		to_next_attempt();
		str_set(&api.log, "");
	}
	trace_until(&trace, "up services");
	ck_assert_str_eq(trace.text,
		"begin services\nobject services default/kubernetes 192\n"
		"object services default/web 201\nend services\nsynced\nup services\n");
	fake_api_asked(&api, ASK_WATCH("206"));
}
END_TEST

/* How many of the events are whole in the first so many octets of the text. */
static size_t whole_events(const char *text, size_t size)
{
	size_t n = 0;

	for (const char *at = text; (at = strchrnul(at, '\n')) <= text + size; at++) {
		n++;
		if (!*at)
			break;
	}
	return n;
}

static size_t end_of_event(const char *text, size_t n)
{
	const char *at = text;

	for (; n > 0; n--)
		at = strchrnul(at + (*at == '\n'), '\n');
	return (size_t)(at - text);
}

/* What was said, but not of the connection. */
static void add_objects(FILE *out)
{
	for (char *line = strtok(trace.text, "\n"); line; line = strtok(NULL, "\n"))
		if (strncmp(line, "up ", 3) != 0 && strncmp(line, "down ", 5) != 0)
			fprintf(out, "%s\n", line);
	trace_clear(&trace);
}

/*
 * Wherever a recorded watch is cut off, it goes on from the last event that was whole: of all its
 * turns none lost an event, and none brought one twice.
 */
START_TEST(a_watch_truncated_anywhere_goes_on)
{
	static const char *const versions[] = {"206", "200", "201", "202", "206"};
	static const char all[] = "object services default/web 200\n"
				  "object services default/web 201\n"
				  "object services default/headless 202\n"
				  "deleted services default/headless 206\n";
	auto_free char *events = recorded("recorded-watch");
	auto_free char *seen = NULL;
	size_t n = strlen(events), n_turns = 0, size;
	uint64_t bytes;
	FILE *out = xmemstream(&seen, &size);

	start_watching();
	fake_api_push(&api, "watch services", FAKE_HOLD, events);
	trace_until(&trace, "headless 206");
	trace_is(&trace, all);
	trace_clear(&trace);
	bytes = bytes_seen();
	for (size_t i = 1; i < n; i += stride(), n_turns++) {
		auto_free char *head = xstrndup(events, i);
		size_t whole = whole_events(events, i);
		size_t rest = end_of_event(events, whole);
		auto_free char *asked = xasprintf("&resourceVersion=%s ", versions[whole]);

		fake_api_ok(&api, "watch services", FAKE_HOLD, events + rest);
		fake_api_push(&api, "watch services", FAKE_HOLD, head);
		bytes_come(bytes += i);
		fake_api_push(&api, "watch services", end_of(n_turns), "");
		if (i > rest + 1 || end_of(n_turns) == FAKE_RESET) {
			trace_until(&trace, "down services: ");
			to_next_attempt();
		} else {
			fast_to_request();
		}
		ck_assert_ptr_nonnull(strstr(api.log, asked));
		ck_assert_uint_eq(count(api.log, "\n"), 1);
		str_set(&api.log, "");
		bytes_come(bytes += n - rest);
		add_objects(out);
	}
	fake_api_push(&api, "watch services", FAKE_HOLD, "\n" ONE_MORE);
	trace_until(&trace, ONE_MORE_2);
	add_objects(out);
	fclose(out);
	ck_assert_uint_eq(size, n_turns * strlen(all) + strlen(ONE_MORE_2));
	for (size_t i = 0; i < n_turns; i++)
		ck_assert_int_eq(strncmp(seen + i * strlen(all), all, strlen(all)), 0);
}
END_TEST

static uint32_t crc_of(const char *text, size_t size)
{
	uint32_t crc = ~0u;

	for (size_t i = 0; i < size; i++) {
		crc ^= (uint8_t)text[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

#define GZIP_HEAD 10
#define GZIP_TAIL 8

/* An answer whose body is of gzip, in one block of text as it is; for free(). */
static char *zipped(const char *text, size_t *out_body, size_t *out_size)
{
	static const char head[] = OK "\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n";
	uint16_t n = (uint16_t)strlen(text);
	uint16_t not_n = (uint16_t)~n;
	uint32_t crc = crc_of(text, n), size = n;
	char *zip;
	FILE *out = xmemstream(&zip, out_size);

	fputs(head, out);
	fwrite("\x1f\x8b\x08\0\0\0\0\0\0\x03", 1, GZIP_HEAD, out);
	fputc(1, out); /* the last block */
	fwrite(&n, 2, 1, out);
	fwrite(&not_n, 2, 1, out);
	fputs(text, out);
	fwrite(&crc, 4, 1, out);
	fwrite(&size, 4, 1, out);
	fclose(out);
	*out_body = strlen(head);
	return zip;
}

/* Of a list as they usually come; whether an octet is missing, or another than it was. */
START_TEST(a_compressed_list_is_whole_or_none)
{
	static const char list[] = LIST("7", SVC("a", "3"));
	size_t body, size, n = 0;
	auto_free char *zip = zipped(list, &body, &size);

	for (size_t i = body; i < size - GZIP_TAIL; i++, n += 2) {
		size_t k = i + GZIP_HEAD < size ? i + GZIP_HEAD : size - 1;

		fake_api_octets(&api, "list services", FAKE_CLOSE, zip, i);
		zip[k] ^= 4;
		fake_api_octets(&api, "list services", FAKE_CLOSE, zip, size);
		zip[k] ^= 4;
	}
	fake_api_octets(&api, "list services", FAKE_CLOSE, zip, size);
	start();
	for (size_t i = 0; i < n; i++) {
		list_fails();
		to_next_attempt();
	}
	trace_until(&trace, "up services");
	trace_is(&trace, AS_IT_WAS);
}
END_TEST

/* No name server answers; addresses are not asked for. */
int getaddrinfo(
	const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
	(void)name;
	(void)service;
	(void)hints;
	(void)out;
	sleep(10);
	return EAI_AGAIN;
}

/* curl asks on a thread, which nobody can end. */
START_TEST(a_name_that_is_not_known_yet_holds_up_nothing)
{
	const char *const servers[] = {"https://api.example:6443"};

	trace_start(&trace, loop,
		&(struct k8s_options){
			.kubeconfig = api.kubeconfig, .servers = servers, .n_servers = 1});
	while (!strstr(trace.text, "down services: cannot list services: cannot connect")) {
		loop_turn(loop, 2);
		ck_assert(mono_before(mono_sub(mono_now(), loop_now(loop)), mono_s(5)));
		mono_turn(mono_ms(100));
	}
}
END_TEST

static TCase *over_tls(void)
{
	TCase *tests = tcase_create("tls");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_loop_test(
		tests, a_bad_list_is_told_and_asked_for_again, 0, N_ELEMENTS(bad_lists));
	tcase_add_loop_test(tests, a_bad_watch_is_told_and_resumed, 0, N_ELEMENTS(bad_watches));
	tcase_add_loop_test(tests, redirects_are_not_followed, 0, 5);
	tcase_add_loop_test(
		tests, a_bad_certificate_ends_no_watch_for_good, 0, N_ELEMENTS(bad_certificates));
	tcase_add_loop_test(
		tests, a_bad_certificate_delays_the_start, 0, N_ELEMENTS(bad_certificates));
	tcase_add_loop_test(tests, what_speaks_no_tls_is_no_server, 0, N_ELEMENTS(bad_greetings));
	tcase_add_test(tests, a_name_that_is_not_known_yet_holds_up_nothing);
	tcase_add_test(tests, a_handshake_that_drips_is_given_up);
	tcase_add_loop_test(tests, a_head_that_drips_is_given_up, 0, 4);
	tcase_add_test(tests, a_list_that_drips_is_given_up);
	tcase_add_test(tests, large_objects_are_fine_and_giants_passed_over);
	tcase_add_loop_test(tests, an_object_without_end_is_given_up, 0, 2);
	tcase_add_loop_test(
		tests, a_storm_of_refusals_is_not_answered_by_one, 0, N_ELEMENTS(storms));
	tcase_add_loop_test(
		tests, what_is_listed_but_not_watched_is_no_storm, 0, N_ELEMENTS(unwatched));
	tcase_add_test(tests, doubles_and_disorder_are_passed_on);
	tcase_add_test(tests, a_list_truncated_anywhere_does_not_end);
	tcase_add_test(tests, a_watch_truncated_anywhere_goes_on);
	return tests;
}

/* At every octet, for which a handshake each would take too long. */
static TCase *without_tls(void)
{
	TCase *tests = tcase_create("plain");

	tcase_add_checked_fixture(tests, setup_plain, teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, a_list_truncated_anywhere_does_not_end);
	tcase_add_test(tests, a_watch_truncated_anywhere_goes_on);
	tcase_add_test(tests, a_compressed_list_is_whole_or_none);
	tcase_add_loop_test(tests, a_list_of_ever_more_pages_is_given_up, 0, 2);
	tcase_add_test(tests, a_list_that_goes_round_in_circles_is_given_up);
	tcase_add_test(tests, lists_that_break_late_are_asked_for_less_often);
	return tests;
}

int main(void)
{
	Suite *suite = suite_create("k8s faults");

	suite_add_tcase(suite, over_tls());
	suite_add_tcase(suite, without_tls());
	return unit_run(suite);
}
