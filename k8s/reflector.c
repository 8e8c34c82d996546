/* SPDX-License-Identifier: Apache-2.0 */
/*
 * List once, then watch, and come back to the watch where it broke off. Each event brings a
 * resource version; it is opaque, and good for one thing: to say from where to go on. It is taken
 * only from events and from the metadata of a list, never from an object in a list, which is older.
 *
 * The hard idea is to list as seldom as possible and still never to be wrong. A broken connection,
 * a server that restarts, too many requests: all of them resume the watch. Only when the server
 * says that it does not know our version any more (410), or not yet (504, after a restore of etcd),
 * is everything listed again. The one failure that makes no noise is a watch that stays open and
 * silent, because the server froze, has lost track of it, or is behind our version and says nothing
 * until it has come there; bookmarks, once a minute, tell that from a quiet cluster.
 *
 * Or something on the way keeps an answer to itself until it is whole. So after a silence, a watch
 * is brief: its end brings what there was.
 *
 * An object that was deleted and made anew under its name between two looks is one OBJECT with
 * another uid, which replaces the old one.
 */
#include "reflector.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <sys/random.h>

#include "cut.h"
#include "object.h"
#include "query.h"
#include "verdict.h"

#define BACKOFF_FIRST_MS 800
#define BACKOFF_MAX_MS   30000
#define LOST_LATELY_MS   60000 /* jitter makes it twice that: longer than any pause */
#define BACKOFF_RESET_S  120   /* so long it must have gone well */
#define UNKNOWN_FIRST_MS 5000  /* of a kind that may be installed any time; twice that, at most */
#define UNKNOWN_MAX_MS   150000
#define UNKNOWN_BELIEVED                                                        \
	3 /* an API server that has just started does not know all of its kinds \
	   */
#define WATCH_FLOOR_MS    1000 /* between the starts of two watches */
#define WATCH_MIN_S       300
#define WATCH_MAX_S       600
#define BRIEF_MIN_S       15
#define BRIEF_MAX_S       25  /* less than ANSWER_LIMIT_S, as the head may be held back, too */
#define HELD_MS           500 /* before its end; the last bookmark comes earlier */
#define HELD_BELIEVED     2   /* once may be chance */
#define ANSWER_LIMIT_S    30
#define LIST_LIMIT_S      600 /* who is slower than that does it on purpose */
#define WATCH_GRACE_S     30  /* past its own timeout */
#define BOOKMARK_LIMIT_S  90  /* they come every 60 s */
#define RETRY_AFTER_MAX_S 300
#define PAGES_MAX         5000 /* of a list: with the usual 500 objects each, 2.5 million */
#define RESUMES_MAX       3    /* of a watch that the server refuses, then list */
#define ERRORS_MAX        3    /* of a server, then the next one is tried */

/* From which version a list may be. */
enum list_from {
	FROM_CACHE, /* any: what the server has at hand */
	FROM_LAST,  /* not older than what we saw */
	FROM_STORE, /* what is true now, which costs the server most */
};

struct reflector {
	struct reflector_options options;
	char *labels; /* for query.c; NULL: its own choice */
	struct stream stream;
	struct loop_timer timer;
	struct request *request;
	struct cut cut;
	struct object_wanted wanted;
	bool running;
	bool listing; /* what the timer or the request is about: else watching */
	enum list_from from;
	char *version; /* the last resource version; NULL: none */
	char *list_version;
	char *page;       /* the continue token that was asked with; NULL: none */
	char *next_page;  /* the one of the answer */
	unsigned n_pages; /* of the list so far */
	bool beta;        /* EndpointSlices of before 1.21 */
	unsigned unknown; /* how often in a row the server did not know the kind */
	bool cached;      /* the cache of a server has come to our version */
	bool token_retried;
	bool brief;       /* are watches, see weigh_way() */
	unsigned held;    /* how many of these in a row brought all at their end */
	bool begun;       /* has the body of this watch, */
	struct mono came; /* at this time; else its head; zero: neither */
	unsigned resumes;
	unsigned errors;            /* 5xx, one after the other */
	struct mono lost;           /* when a watch could not go on, last; zero: never */
	enum verdict event_verdict; /* of an ERROR event */
	char *event_text;
	int cut_result;
	int64_t backoff_ms;
	struct mono started;
	struct mono good_since; /* zero: it is not */
};

static void turn(struct loop_timer *timer);

uint32_t random_below(uint32_t n)
{
	uint32_t value = 0;

	/* Of so few bytes there are always enough; 0 would be no harm, either. */
	(void)!getrandom(&value, sizeof(value), GRND_NONBLOCK);
	return value % n;
}

/* Between once and twice as long, so that 5,000 nodes do not come back at the same moment. */
static int64_t jittered(int64_t ms)
{
	return ms + random_below((uint32_t)ms + 1);
}

static void schedule(struct reflector *reflector, bool listing, int64_t delay_ms)
{
	reflector->listing = listing;
	loop_timer_at(reflector->options.loop, &reflector->timer,
		mono_add(mono_now(), mono_ms(delay_ms)), turn);
}

static void list_again(struct reflector *reflector, enum list_from from)
{
	reflector->from = from;
	str_set(&reflector->next_page, NULL);
	schedule(reflector, true, 0);
}

static bool went_well(const struct reflector *reflector)
{
	struct mono now = mono_now();

	return reflector->good_since.ns &&
	       mono_sub(now, reflector->good_since).ns >= mono_s(BACKOFF_RESET_S).ns;
}

static int64_t back_off(struct reflector *reflector)
{
	int64_t ms;

	if (!reflector->backoff_ms || went_well(reflector))
		reflector->backoff_ms = BACKOFF_FIRST_MS;
	ms = reflector->backoff_ms;
	reflector->backoff_ms = MIN(2 * ms, BACKOFF_MAX_MS);
	reflector->good_since = (struct mono){0};
	return jittered(ms);
}

/* Says why, and tries the same again: a list from its beginning, a watch from where it was. */
static void fail(struct reflector *reflector, const char *text, int64_t at_least_ms)
{
	int64_t delay_ms = back_off(reflector);

	if (at_least_ms > delay_ms)
		delay_ms = jittered(at_least_ms);
	str_set(&reflector->next_page, NULL);
	stream_down(&reflector->stream,
		xasprintf("cannot %s %s: %s", reflector->listing ? "list" : "watch",
			reflector->stream.name, text));
	schedule(reflector, reflector->listing, delay_ms);
}

/*
 * Another server, if there are several, when this one does not answer, or with nothing but errors.
 * That an answer breaks off, or a watch has nothing to say, is no reason.
 */
static void weigh_server(struct reflector *reflector, const struct request_result *result)
{
	reflector->errors = result->status >= 500 ? reflector->errors + 1 : 0;
	if (!result->unanswered && reflector->errors < ERRORS_MAX)
		return;
	reflector->errors = 0;
	auth_next_server(reflector->options.auth, result->server);
}

static int64_t retry_after_ms(const struct request_result *result)
{
	return MIN(result->retry_after_s, RETRY_AFTER_MAX_S) * 1000;
}

/*
 * Policies are of a kind that not everybody installs, and nobody before the cluster runs: then
 * there are none, and that is that until the server says otherwise. One that knew them, and says
 * that it does not, has lost them for good only if it keeps saying so.
 */
static void unknown_kind(struct reflector *reflector, const char *text)
{
	int64_t delay_ms = UNKNOWN_FIRST_MS << MIN(reflector->unknown, 5u);
	struct stream *stream = &reflector->stream;

	reflector->unknown++;
	if (!stream->n_lists) {
		stream_excuse(stream);
		stream->hidden = true;
	} else if (reflector->unknown < UNKNOWN_BELIEVED) {
		stream_down(stream, xasprintf("cannot list %s: %s", stream->name, text));
	} else if (reflector->unknown == UNKNOWN_BELIEVED) {
		stream_problem(stream,
			xstrdup("the API server has no AnnouncementPolicies any more; none is in "
				"force"));
		stream_empty(stream);
		stream_off(stream);
		stream->hidden = true;
	}
	list_again(reflector, FROM_CACHE);
	schedule(reflector, true, jittered(MIN(delay_ms, UNKNOWN_MAX_MS)));
}

/*
 * From its version there is nothing to watch. It is listed at once, but not if that happened just
 * now: a server may say so of whatever it lists, even after an event or two. true: it has to wait.
 */
static bool lose(struct reflector *reflector, enum list_from from)
{
	struct mono now = mono_now();
	bool again = reflector->lost.ns &&
		     mono_before(now, mono_add(reflector->lost, mono_ms(LOST_LATELY_MS)));

	reflector->lost = now;
	list_again(reflector, from);
	if (again)
		schedule(reflector, true, back_off(reflector));
	return again;
}

/*
 * EndpointSlices are v1 from 1.21 on and were v1beta1 before; a server may also change under us. Of
 * a kind that cannot be watched any more a list tells whether it is known at all.
 */
static void absent(struct reflector *reflector, const char *text)
{
	bool slices = reflector->options.resource == K8S_ENDPOINTSLICES;

	if (!slices && reflector->options.resource != K8S_ANNOUNCEMENTPOLICIES) {
		fail(reflector, text, 0);
		return;
	}
	reflector->beta = slices && !reflector->beta;
	str_set(&reflector->version, NULL);
	if (!reflector->listing) {
		if (lose(reflector, FROM_CACHE))
			stream_down(&reflector->stream,
				xasprintf("cannot watch %s: %s", reflector->stream.name, text));
		return;
	}
	if (!slices) {
		unknown_kind(reflector, text);
		return;
	}
	list_again(reflector, FROM_CACHE);
	if (reflector->unknown++ % 2 == 1)
		fail(reflector, "the API server has neither discovery.k8s.io/v1 nor v1beta1", 0);
}

static void unauthorized(struct reflector *reflector, const char *text)
{
	auth_refused(reflector->options.auth);
	if (reflector->token_retried) {
		fail(reflector, text, 0);
		return;
	}
	reflector->token_retried = true; /* the file may hold a newer token than we read */
	schedule(reflector, reflector->listing, 0);
}

/* What a list and a watch have in common when they are refused. false: not this. */
static bool refused(struct reflector *reflector, enum verdict verdict, const char *text)
{
	/* 403 is no lasting verdict: a server that has just started does not know its roles yet. */
	if (verdict == VERDICT_FORBIDDEN) {
		if (reflector->options.resource == K8S_ANNOUNCEMENTPOLICIES) {
			reflector->stream.hidden = false;
			stream_excuse(&reflector->stream);
		}
		fail(reflector, text, 0);
	} else if (verdict == VERDICT_UNAUTHORIZED) {
		unauthorized(reflector, text);
	} else if (verdict == VERDICT_ABSENT) {
		absent(reflector, text);
	} else {
		return false;
	}
	return true;
}

static bool namespace_wanted(const struct reflector *reflector, const char *namespace)
{
	for (size_t i = 0; i < reflector->options.n_namespaces; i++)
		if (strcmp(reflector->options.namespaces[i], namespace) == 0)
			return true;
	return reflector->options.n_namespaces == 0 || !*namespace;
}

static void problem(struct reflector *reflector, const json_t *json, const char *text)
{
	auto_free char *name = object_name(json);

	stream_problem(&reflector->stream,
		xasprintf("%s %.300s: %s", k8s_resource_text(reflector->options.resource), name,
			text));
}

static void pass_on(struct reflector *reflector, const json_t *json, bool deleted)
{
	struct k8s_object *object;
	struct object_fault fault;
	auto_free char *text = NULL;

	if (object_read(reflector->options.resource, json, reflector->options.annotation_prefix,
		    &object, &text, &fault)) {
		problem(reflector, json, fault.text);
		free(fault.text);
		return;
	}
	if (text)
		problem(reflector, json, text);
	if (namespace_wanted(reflector, object->meta.namespace))
		stream_object(&reflector->stream, object, deleted);
	else
		k8s_object_free(object);
}

/* NULL: not even JSON inside its brackets, or too large. It is passed over, the stream goes on. */
static json_t *parse(
	struct reflector *reflector, enum cut_piece piece, const char *text, size_t size)
{
	json_error_t error;
	json_t *json;

	if (piece == CUT_TOO_LARGE) {
		stream_problem(&reflector->stream,
			xasprintf(
				"an object of more than %u MiB was passed over; it begins: %.100s",
				CUT_OBJECT_MAX >> 20, text));
		return NULL;
	}
	json = json_loadb(text, size, 0, &error);
	if (!json)
		stream_problem(&reflector->stream,
			xasprintf(
				"an object that is no valid JSON was passed over: %s", error.text));
	return json;
}

static bool on_list_piece(void *data, enum cut_piece piece, const char *text, size_t size)
{
	struct reflector *reflector = data;
	json_auto_t *json = parse(reflector, piece, text, size);

	if (json && piece == CUT_METADATA) {
		str_set(&reflector->list_version,
			json_string_value(json_object_get(json, "resourceVersion")));
		str_set(&reflector->next_page,
			json_string_value(json_object_get(json, "continue")));
	} else if (json) {
		pass_on(reflector, json, false);
	}
	return true;
}

/* Any event moves our version, also one whose object we cannot use. */
static void advance(struct reflector *reflector, const json_t *object)
{
	const json_t *metadata = json_object_get(object, "metadata");
	const char *version = json_string_value(json_object_get(metadata, "resourceVersion"));

	if (version && *version)
		str_set(&reflector->version, version);
	reflector->cached = true;
	reflector->resumes = 0;
}

/* false: the stream has ended with this event, whether the server closes it or not. */
static bool on_event(struct reflector *reflector, const char *type, const json_t *object)
{
	if (strcmp(type, "ERROR") == 0) {
		free(reflector->event_text);
		reflector->event_verdict = verdict_of_event(object, &reflector->event_text);
		return false;
	}
	advance(reflector, object);
	if (strcmp(type, "BOOKMARK") == 0)
		return true;
	if (strcmp(type, "ADDED") == 0 || strcmp(type, "MODIFIED") == 0)
		pass_on(reflector, object, false);
	else if (strcmp(type, "DELETED") == 0)
		pass_on(reflector, object, true);
	else
		problem(reflector, object, "came with an event of a type that is not known");
	return true;
}

static bool on_watch_piece(void *data, enum cut_piece piece, const char *text, size_t size)
{
	struct reflector *reflector = data;
	json_auto_t *json = parse(reflector, piece, text, size);
	const char *type = json_string_value(json_object_get(json, "type"));

	if (!json)
		return true;
	return on_event(reflector, type ? type : "", json_object_get(json, "object"));
}

static bool on_body(void *data, const char *bytes, size_t size)
{
	struct reflector *reflector = data;

	stream_contact(&reflector->stream, size);
	if (!reflector->begun)
		reflector->came = mono_now();
	reflector->begun = true;
	reflector->cut_result = cut_feed(&reflector->cut, bytes, size);
	return reflector->cut_result == 0;
}

static void say_up(struct reflector *reflector)
{
	const char *plan = reflector->stream.plan;

	stream_up(&reflector->stream,
		reflector->held < HELD_BELIEVED
			? xasprintf("watching %s", plan)
			: xasprintf("watching %s, for %u s at most, as on the way here answers are "
				    "held back until they end",
				  plan, BRIEF_MAX_S));
}

static void on_open(void *data)
{
	struct reflector *reflector = data;

	reflector->token_retried = false;
	stream_contact(&reflector->stream, 0);
	if (reflector->listing) {
		if (!reflector->next_page)
			stream_list_begin(&reflector->stream);
		return;
	}
	reflector->came = mono_now();
	if (!reflector->good_since.ns)
		reflector->good_since = reflector->came;
	request_set_idle(reflector->request, mono_s(BOOKMARK_LIMIT_S));
	say_up(reflector);
}

/* A list must come to its end; a watch need not go on, except within an event. */
static bool is_amid(void *data)
{
	struct reflector *reflector = data;

	return reflector->listing || cut_amid(&reflector->cut);
}

/*
 * A page may be empty, as what does not match is left out of it, and nobody tells how many there
 * are. But they lead on, and there are not more of them than objects fit into etcd.
 */
static void page_complete(struct reflector *reflector)
{
	auto_free char *many =
		xasprintf("the list does not end: after %u pages there is another one", PAGES_MAX);

	if (reflector->page && strcmp(reflector->page, reflector->next_page) == 0)
		fail(reflector, "the list does not end: a page names itself as the next one", 0);
	else if (++reflector->n_pages >= PAGES_MAX)
		fail(reflector, many, 0);
	else
		schedule(reflector, true, 0);
}

static void list_complete(struct reflector *reflector)
{
	if (!reflector->list_version || !*reflector->list_version) {
		fail(reflector, "the answer is a list without a resourceVersion", 0);
	} else if (reflector->next_page && *reflector->next_page) {
		page_complete(reflector);
	} else {
		str_set(&reflector->version, reflector->list_version);
		str_set(&reflector->next_page, NULL);
		reflector->resumes = 0;
		reflector->unknown = 0;
		reflector->stream.hidden = false;
		reflector->cached = reflector->from != FROM_STORE;
		reflector->from = FROM_LAST;
		stream_list_end(&reflector->stream);
		schedule(reflector, false, 0);
	}
}

/* The cache of this server is behind us or has forgotten us: then only the store knows. */
static void list_refused(struct reflector *reflector, enum verdict verdict, const char *text,
	const struct request_result *result)
{
	if (refused(reflector, verdict, text))
		return;
	if ((verdict == VERDICT_EXPIRED || verdict == VERDICT_AHEAD) &&
		reflector->from != FROM_STORE) {
		list_again(reflector, FROM_STORE);
		return;
	}
	if (verdict == VERDICT_HOPELESS && reflector->from == FROM_LAST)
		reflector->from = FROM_STORE; /* it may be the version that it does not like */
	fail(reflector, text, retry_after_ms(result));
}

/* What every request ends with. *out_text: as of verdict_of(). */
static enum verdict request_over(
	struct reflector *reflector, const struct request_result *result, char **out_text)
{
	reflector->request = NULL;
	weigh_server(reflector, result);
	return verdict_of(result, out_text);
}

static void list_done(void *data, const struct request_result *result)
{
	struct reflector *reflector = data;
	auto_free char *text = NULL;
	enum verdict verdict = request_over(reflector, result, &text);

	if (verdict == VERDICT_FINE && !reflector->cut_result)
		reflector->cut_result = cut_end(&reflector->cut);
	if (reflector->cut_result)
		fail(reflector, reflector->cut.error, 0);
	else if (verdict == VERDICT_FINE)
		list_complete(reflector);
	else
		list_refused(reflector, verdict, text, result);
	if (reflector->options.answered)
		reflector->options.answered(
			reflector->options.data, reflector->stream.n_lists != 0);
}

static const char *list_version(const struct reflector *reflector)
{
	switch (reflector->from) {
	case FROM_STORE: return NULL;
	case FROM_LAST: return reflector->version ? reflector->version : "0";
	case FROM_CACHE: break;
	}
	return "0";
}

static void start_list(struct reflector *reflector)
{
	auto_free char *path = query_list(&reflector->options, reflector->labels, reflector->beta,
		list_version(reflector), reflector->next_page);

	if (!reflector->next_page)
		reflector->n_pages = 0;
	str_set(&reflector->page, reflector->next_page);
	str_set(&reflector->list_version, NULL);
	cut_init(&reflector->cut, CUT_LIST, reflector->wanted.object, 0, on_list_piece, reflector);
	reflector->request = request_start(reflector->options.requests,
		&(struct request_options){path, true, mono_s(ANSWER_LIMIT_S), mono_s(LIST_LIMIT_S),
			on_open, on_body, is_amid, list_done, reflector});
}

/* The next watch from the same version, though never more than one in a second. */
static void resume(struct reflector *reflector)
{
	struct mono since = mono_sub(mono_now(), reflector->started);
	int64_t left_ms = WATCH_FLOOR_MS - since.ns / 1000000;

	schedule(reflector, false, MAX(left_ms, 0));
}

static void watch_refused(
	struct reflector *reflector, enum verdict verdict, const char *text, int64_t at_least_ms)
{
	if (refused(reflector, verdict, text))
		return;
	if (verdict == VERDICT_EXPIRED || verdict == VERDICT_AHEAD) {
		(void)lose(reflector, verdict == VERDICT_AHEAD ? FROM_STORE : FROM_LAST);
		return;
	}
	fail(reflector, text, at_least_ms);
	if (verdict == VERDICT_HOPELESS && ++reflector->resumes >= RESUMES_MAX) {
		reflector->resumes = 0;
		reflector->from = FROM_STORE;
		reflector->listing = true; /* when the timer is due */
	}
}

static void on_probe_open(void *data)
{
	struct reflector *reflector = data;

	stream_contact(&reflector->stream, 0);
}

static bool on_probe_body(void *data, const char *bytes, size_t size)
{
	struct reflector *reflector = data;

	(void)bytes;
	stream_contact(&reflector->stream, size);
	return true;
}

static void probe_done(void *data, const struct request_result *result)
{
	struct reflector *reflector = data;
	auto_free char *text = NULL;
	enum verdict verdict = request_over(reflector, result, &text);

	if (verdict == VERDICT_FINE)
		resume(reflector);
	else
		watch_refused(reflector, verdict, text, retry_after_ms(result));
}

/*
 * Silence for so long that a bookmark should have come (but 1.20 sends none for what never changed
 * since it started). Whether the server is behind us, it says if asked for something of our
 * version: there is everything listed. Else another watch is cheap, and cures what 1.20 does now
 * and then: it forgets a watch, and leaves it open.
 *
 * A version from the store is one that the cache of 1.20 may never come to while nothing changes;
 * it would only be listed again and again.
 */
static void probe(struct reflector *reflector)
{
	auto_free char *path = NULL;

	if (!reflector->cached) {
		resume(reflector);
		return;
	}
	path = query_probe(
		&reflector->options, reflector->labels, reflector->beta, reflector->version);
	reflector->request = request_start(reflector->options.requests,
		&(struct request_options){path, false, mono_s(ANSWER_LIMIT_S),
			mono_s(ANSWER_LIMIT_S), on_probe_open, on_probe_body, NULL, probe_done,
			reflector});
}

static void set_held(struct reflector *reflector, unsigned held)
{
	bool believed = held >= HELD_BELIEVED;

	if (believed != (reflector->held >= HELD_BELIEVED))
		reflector->stream.replanned = true;
	reflector->held = held;
}

/*
 * Whether something between us and the server holds answers back. After nothing but silence, or not
 * even a head, a brief watch tells: what it has comes with its end. As long as that is so, the next
 * one is brief, too, and what happens is known that late. One that brings a head and no more, as of
 * a server of 1.20 while nothing changes, is not worth to be repeated so often.
 */
static void weigh_way(struct reflector *reflector, bool silent, bool fine)
{
	struct mono held = mono_add(reflector->came, mono_ms(HELD_MS));
	bool late = reflector->came.ns && mono_before(mono_now(), held);

	if (!reflector->brief) {
		reflector->brief = silent;
	} else if (fine || silent) {
		reflector->brief = fine && late;
		set_held(reflector, reflector->brief ? reflector->held + 1 : 0);
	}
}

static void watch_done(void *data, const struct request_result *result)
{
	struct reflector *reflector = data;
	auto_free char *text = NULL;
	auto_free char *event_text = TAKE(reflector->event_text);
	enum verdict verdict = request_over(reflector, result, &text);

	if (verdict == VERDICT_FINE && !reflector->cut_result)
		reflector->cut_result = cut_end(&reflector->cut);
	weigh_way(reflector, result->silent,
		verdict == VERDICT_FINE && !event_text && !reflector->cut_result);
	if (event_text)
		watch_refused(reflector, reflector->event_verdict, event_text, 0);
	else if (reflector->cut_result)
		fail(reflector, reflector->cut.error, 0);
	else if (result->silent && reflector->came.ns)
		probe(reflector);
	else if (verdict == VERDICT_FINE)
		resume(reflector);
	else
		watch_refused(reflector, verdict, text, retry_after_ms(result));
}

static void start_watch(struct reflector *reflector)
{
	unsigned min = reflector->brief ? BRIEF_MIN_S : WATCH_MIN_S;
	unsigned max = reflector->brief ? BRIEF_MAX_S : WATCH_MAX_S;
	unsigned seconds = min + random_below(max - min + 1);
	auto_free char *path = NULL;

	reflector->started = mono_now();
	reflector->begun = false;
	reflector->came = (struct mono){0};
	path = query_watch(&reflector->options, reflector->labels, reflector->beta,
		reflector->version, seconds);
	cut_init(
		&reflector->cut, CUT_WATCH, reflector->wanted.object, 0, on_watch_piece, reflector);
	reflector->request = request_start(reflector->options.requests,
		&(struct request_options){path, false, mono_s(ANSWER_LIMIT_S),
			mono_s((int64_t)seconds + WATCH_GRACE_S), on_open, on_body, is_amid,
			watch_done, reflector});
}

static void turn(struct loop_timer *timer)
{
	struct reflector *reflector = container_of(timer, struct reflector, timer);

	cut_deinit(&reflector->cut);
	reflector->cut_result = 0;
	if (reflector->listing)
		start_list(reflector);
	else
		start_watch(reflector);
}

static void tell_plan(struct reflector *reflector, const char *why)
{
	free(reflector->stream.plan);
	reflector->stream.plan = query_text(&reflector->options, reflector->labels, why);
	reflector->stream.replanned = true;
}

struct reflector *reflector_new(const struct reflector_options *options)
{
	struct reflector *reflector = xcalloc(1, sizeof(*reflector));
	const char *resource = k8s_resource_text(options->resource);
	auto_free char *name = options->namespace
				       ? xasprintf("%s in %s", resource, options->namespace)
				       : xstrdup(resource);

	reflector->options = *options;
	object_wanted_init(
		&reflector->wanted, options->resource, options->annotation_prefix, false);
	stream_init(
		&reflector->stream, options->events, name, options->resource == K8S_ENDPOINTSLICES);
	reflector->stream.resource = resource;
	reflector->stream.namespace = options->namespace;
	reflector->stream.hidden = true;
	reflector->stream.optional = options->resource == K8S_ANNOUNCEMENTPOLICIES;
	tell_plan(reflector, options->why);
	return reflector;
}

static void interrupt(struct reflector *reflector)
{
	loop_timer_stop(&reflector->timer);
	reflector->request = request_cancel(reflector->request);
	cut_deinit(&reflector->cut);
	str_set(&reflector->event_text, NULL);
}

static void reset(struct reflector *reflector)
{
	interrupt(reflector);
	str_set(&reflector->version, NULL);
	str_set(&reflector->list_version, NULL);
	str_set(&reflector->page, NULL);
	str_set(&reflector->next_page, NULL);
	reflector->unknown = 0;
}

struct reflector *reflector_free(struct reflector *reflector)
{
	if (!reflector)
		return NULL;
	reset(reflector);
	stream_deinit(&reflector->stream);
	free(reflector->labels);
	free(reflector);
	return NULL;
}

void reflector_select(struct reflector *reflector, const char *labels, const char *why)
{
	if (strcmp(labels ? labels : "", reflector->labels ? reflector->labels : "") == 0)
		return;
	str_set(&reflector->labels, labels);
	reflector->stream.selection++;
	tell_plan(reflector, why);
	if (!reflector->running)
		return;
	interrupt(reflector);
	list_again(reflector, FROM_LAST);
}

void reflector_want_labels(struct reflector *reflector)
{
	const struct reflector_options *options = &reflector->options;

	object_wanted_init(&reflector->wanted, options->resource, options->annotation_prefix, true);
	if (!reflector->running)
		return;
	stream_wait(&reflector->stream);
	interrupt(reflector);
	list_again(reflector, FROM_LAST);
}

void reflector_start(struct reflector *reflector)
{
	if (reflector->running)
		return;
	reflector->running = true;
	reflector->stream.hidden = false;
	reflector->stream.selection++;
	list_again(reflector, FROM_CACHE);
}

void reflector_stop(struct reflector *reflector)
{
	if (!reflector->running)
		return;
	reset(reflector);
	reflector->running = false;
	reflector->stream.hidden = true;
	stream_empty(&reflector->stream);
	stream_off(&reflector->stream);
}

bool reflector_selection(
	const struct reflector *reflector, unsigned *out_stream, unsigned *out_selection)
{
	*out_stream = reflector->stream.id;
	*out_selection = reflector->stream.selection;
	return reflector->running;
}
