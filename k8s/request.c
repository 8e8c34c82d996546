/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All of libcurl. Its multi interface tells which sockets and which time it waits for; our loop
 * does the waiting. Requests share one HTTP/2 connection if the server speaks that.
 *
 * The hard idea is who calls whom: curl must not be called from its own callbacks. So they only
 * note and pass on bytes, and what was finished is collected by a job, from where the owners may
 * start and cancel as they like.
 *
 * A server that froze keeps its TCP connection alive, since its kernel answers for it. What notices
 * is our own idle timer. If then nothing came for any request, the connection is taken for dead,
 * and all that is started afterwards gets a new one.
 *
 * What comes for one request while curl reads for another goes to the first one's buffer. If that
 * is full, curl 7.88 keeps the rest, even the end of an answer, until something else comes on the
 * connection: in a quiet cluster a minute, of the first list for ever. So buffers are larger than
 * what comes at once; memory that is not used is not taken. And if even so a list stops in the
 * middle, a watch within an object, or anywhere after more than a buffer holds, we ask for
 * something small, so that something comes: once, which is nothing compared with that much.
 */
#include "request.h"

#include <curl/curl.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <strings.h>

#define USER_AGENT       "cosmolet (+https://cosmolet.platformbuilds.io)"
#define CONNECT_LIMIT_MS 10000L
#define BUFFER_SIZE      1048576L /* see above */
#define STALL_MS         2000     /* of an answer that must go on */
#define NUDGE_PATH       "/livez" /* whatever the answer */
#define NUDGE_LIMIT_S    30

struct requests {
	struct loop *loop;
	struct auth *auth;
	CURLM *multi;
	struct loop_timer timer;
	struct loop_job reap;
	TAILQ_HEAD(, request) all;
	struct mono last_byte;
	struct request *nudge; /* NULL: none is under way */
	bool renew;            /* the connection is dead, as far as we can tell */
};

/* One socket of curl's. */
struct conn {
	struct loop_io io;
	struct requests *requests;
};

struct request {
	struct requests *requests;
	TAILQ_ENTRY(request) linked;
	size_t server; /* the one of several that it went to */
	struct request_options options;
	CURL *easy;
	struct curl_slist *headers;
	struct curl_slist *connect_to;
	struct loop_timer idle;
	struct mono last_byte;
	struct mono deadline;
	size_t n_burst;  /* octets of the body, without a pause of STALL_MS */
	bool sent;       /* as far as we have looked */
	bool shares;     /* its connection, on which an answer has begun to come */
	bool hurried;    /* its timer looks for a stall */
	bool nudged;     /* since its last byte */
	bool silent;     /* for too long */
	bool overdue;    /* bytes came, but no end */
	bool has_enough; /* the owner said so */
	bool foreign;    /* an answer, but not from an API server */
	char error[CURL_ERROR_SIZE];
	char body[REQUEST_ERROR_BODY_MAX + 1];
	size_t n_body;
};

static void act(struct requests *requests, curl_socket_t fd, int ready);
static void reap(struct loop_job *job);

static void on_io(struct loop_io *io, uint32_t ready)
{
	struct conn *conn = container_of(io, struct conn, io);
	int mask = 0;

	if (ready & EPOLLIN)
		mask |= CURL_CSELECT_IN;
	if (ready & EPOLLOUT)
		mask |= CURL_CSELECT_OUT;
	if (ready & (EPOLLERR | EPOLLHUP))
		mask |= CURL_CSELECT_IN | CURL_CSELECT_ERR;
	act(conn->requests, io->fd, mask);
}

static void on_timer(struct loop_timer *timer)
{
	act(container_of(timer, struct requests, timer), CURL_SOCKET_TIMEOUT, 0);
}

static void act(struct requests *requests, curl_socket_t fd, int ready)
{
	int n_running;

	(void)curl_multi_socket_action(requests->multi, fd, ready, &n_running);
	loop_job_queue(requests->loop, &requests->reap, reap);
}

static void watch_socket(struct requests *requests, curl_socket_t fd, uint32_t events)
{
	struct conn *conn = xcalloc(1, sizeof(*conn));

	conn->requests = requests;
	if (loop_io_start(requests->loop, &conn->io, fd, events, on_io)) {
		free(conn); /* its requests end by their idle timers */
		return;
	}
	/* The one call that is made to be made in this callback. */
	(void)curl_multi_assign(requests->multi, fd, conn);
}

/* Called by curl: what it waits for on a socket has changed. */
static int socket_changed(CURL *easy, curl_socket_t fd, int what, void *data, void *socket_data)
{
	struct requests *requests = data;
	struct conn *conn = socket_data;
	uint32_t events =
		(what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (conn)
			loop_io_stop(&conn->io);
		free(conn);
	} else if (conn) {
		loop_io_want(&conn->io, events);
	} else {
		watch_socket(requests, fd, events);
	}
	return 0;
}

/* Called by curl: the time it waits for has changed. */
static int timer_changed(CURLM *multi, long timeout_ms, void *data)
{
	struct requests *requests = data;

	(void)multi;
	if (timeout_ms < 0)
		loop_timer_stop(&requests->timer);
	else
		loop_timer_after(requests->loop, &requests->timer, mono_ms(timeout_ms), on_timer);
	return 0;
}

struct requests *requests_new(struct loop *loop, struct auth *auth)
{
	struct requests *requests = xcalloc(1, sizeof(*requests));

	requests->loop = loop;
	requests->auth = auth;
	TAILQ_INIT(&requests->all);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		abort(); /* no memory */
	requests->multi = curl_multi_init();
	if (!requests->multi)
		abort();
	curl_multi_setopt(requests->multi, CURLMOPT_SOCKETFUNCTION, socket_changed);
	curl_multi_setopt(requests->multi, CURLMOPT_SOCKETDATA, requests);
	curl_multi_setopt(requests->multi, CURLMOPT_TIMERFUNCTION, timer_changed);
	curl_multi_setopt(requests->multi, CURLMOPT_TIMERDATA, requests);
	curl_multi_setopt(requests->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
	return requests;
}

struct requests *requests_free(struct requests *requests)
{
	if (!requests)
		return NULL;
	request_cancel(requests->nudge);
	curl_multi_cleanup(requests->multi);
	loop_timer_stop(&requests->timer);
	loop_job_stop(&requests->reap);
	curl_global_cleanup();
	free(requests);
	return NULL;
}

static struct request *request_free(struct request *request)
{
	struct requests *requests = request->requests;

	(void)curl_multi_remove_handle(requests->multi, request->easy);
	curl_easy_cleanup(request->easy);
	curl_slist_free_all(request->headers);
	curl_slist_free_all(request->connect_to);
	loop_timer_stop(&request->idle);
	TAILQ_REMOVE(&requests->all, request, linked);
	free(request);
	return NULL;
}

struct request *request_cancel(struct request *request)
{
	return request ? request_free(request) : NULL;
}

/* NULL: it does not say. */
static const char *content_type(struct request *request)
{
	char *type = NULL;

	(void)curl_easy_getinfo(request->easy, CURLINFO_CONTENT_TYPE, &type);
	return type;
}

/* A login page of some portal comes with 200, too. */
static bool is_json(struct request *request)
{
	static const char json[] = "application/json";
	const char *type = content_type(request);

	return !type ||
	       (strncasecmp(type, json, strlen(json)) == 0 && strchr("; \t", type[strlen(json)]));
}

/* The same failure must read the same each time, so no texts with milliseconds in them. */
static void describe(struct request *request, CURLcode code, char *out, size_t size)
{
	long error = 0;

	if (request->foreign) {
		snprintf(out, size, "the answer is %s, not JSON: who is it from?",
			content_type(request));
	} else if (request->overdue) {
		snprintf(out, size, "no end within %.0f s", mono_to_s(request->options.limit));
	} else if (request->silent) {
		snprintf(out, size, "no byte for %.0f s", mono_to_s(request->options.idle));
	} else if (code == CURLE_COULDNT_CONNECT) {
		curl_easy_getinfo(request->easy, CURLINFO_OS_ERRNO, &error);
		snprintf(out, size, "cannot connect: %s",
			error ? strerror((int)error) : "no answer");
	} else if (code == CURLE_OPERATION_TIMEDOUT) {
		snprintf(out, size, "cannot connect: no answer for %ld s", CONNECT_LIMIT_MS / 1000);
	} else if (code == CURLE_PARTIAL_FILE || code == CURLE_HTTP2_STREAM) {
		snprintf(out, size, "the connection ended in the middle of the answer");
	} else {
		snprintf(out, size, "%s",
			*request->error ? request->error : curl_easy_strerror(code));
	}
}

static void finish(struct request *request, CURLcode code)
{
	struct request_options options = request->options;
	struct request_result result = {.silent = request->silent,
		.server = request->server,
		.retry_after_s = -1,
		.body = request->body};
	char failure[CURL_ERROR_SIZE];
	curl_off_t retry_after = 0;

	curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &result.status);
	if (curl_easy_getinfo(request->easy, CURLINFO_RETRY_AFTER, &retry_after) == CURLE_OK &&
		retry_after > 0)
		result.retry_after_s = retry_after;
	describe(request, code, failure, sizeof(failure));
	if (code != CURLE_OK && !request->has_enough)
		result.failure = failure;
	result.unanswered = result.failure && (!result.status || request->foreign);
	(void)curl_multi_remove_handle(request->requests->multi, request->easy);
	options.done(options.data, &result);
	request_free(request);
}

/* Collects what has finished; it runs in a place where curl may be called again. */
static void reap(struct loop_job *job)
{
	struct requests *requests = container_of(job, struct requests, reap);
	CURLMsg *message;
	int n_left;

	while ((message = curl_multi_info_read(requests->multi, &n_left))) {
		struct request *request = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&request);
		finish(request, message->data.result);
	}
}

static void touch(struct request *request)
{
	struct mono now = mono_now();

	if (!mono_before(now, mono_add(request->last_byte, mono_ms(STALL_MS))))
		request->n_burst = 0;
	request->last_byte = now;
	request->requests->last_byte = request->last_byte;
	request->sent = true;
	if (!request->nudged)
		return;
	request->nudged = false;
	request_set_idle(request, request->options.idle);
}

static void ignore_open(void *data)
{
	(void)data;
}

static bool ignore_body(void *data, const char *bytes, size_t size)
{
	(void)data;
	(void)bytes;
	(void)size;
	return true;
}

static void nudge_done(void *data, const struct request_result *result)
{
	struct requests *requests = data;

	(void)result;
	requests->nudge = NULL;
}

static void nudge(struct request *request)
{
	struct requests *requests = request->requests;
	struct mono limit = mono_s(NUDGE_LIMIT_S);

	request->nudged = true;
	if (!requests->nudge)
		requests->nudge = request_start(
			requests, &(struct request_options){NUDGE_PATH, false, limit, limit,
					  ignore_open, ignore_body, NULL, nudge_done, requests});
}

static bool may_stall(const struct request *request)
{
	return request->shares && !request->nudged && request->options.amid &&
	       (request->n_burst >= BUFFER_SIZE || request->options.amid(request->options.data));
}

/*
 * After what time without a byte there is something to do: to look whether it is on its way, to
 * help it on, or to give it up.
 */
static struct mono patience(const struct request *request)
{
	if (!request->sent)
		return mono_ms(CONNECT_LIMIT_MS);
	return may_stall(request) ? mono_ms(STALL_MS) : request->options.idle;
}

/*
 * Requests wait for the connection that the first of them makes. If that one fails, curl would let
 * the next one try for just as long, and at the same server.
 */
static bool is_sent(struct request *request)
{
	curl_off_t after = 0;

	(void)curl_easy_getinfo(request->easy, CURLINFO_PRETRANSFER_TIME_T, &after);
	return after > 0;
}

static void on_idle(struct loop_timer *timer)
{
	struct request *request = container_of(timer, struct request, idle);
	struct requests *requests = request->requests;
	struct mono now = mono_now();

	request->sent = request->sent || is_sent(request);
	if (!request->sent) {
		finish(request, CURLE_OPERATION_TIMEDOUT);
		return;
	}
	request->overdue = !mono_before(now, request->deadline);
	if (!request->overdue &&
		mono_before(now, mono_add(request->last_byte, request->options.idle))) {
		if (!mono_before(now, mono_add(request->last_byte, patience(request))))
			nudge(request);
		request_set_idle(request, request->options.idle);
		return;
	}
	if (!mono_before(now, mono_add(requests->last_byte, request->options.idle)))
		requests->renew = true;
	request->silent = true;
	finish(request, CURLE_OPERATION_TIMEDOUT);
}

/*
 * Bytes do not move the timer, which would cost more than to look again when it is due; unless they
 * end where they must not, and it is due too late.
 */
void request_set_idle(struct request *request, struct mono idle)
{
	struct mono at;

	request->options.idle = idle;
	request->hurried = may_stall(request);
	at = mono_add(request->last_byte, patience(request));
	if (mono_before(request->deadline, at))
		at = request->deadline;
	loop_timer_at(request->requests->loop, &request->idle, at, on_idle);
}

static void hurry(struct request *request)
{
	if (!request->hurried && may_stall(request))
		request_set_idle(request, request->options.idle);
}

static long status_of(struct request *request)
{
	long status = 0;

	curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

static bool shares_connection(struct request *request)
{
	long version = 0;

	curl_easy_getinfo(request->easy, CURLINFO_HTTP_VERSION, &version);
	return version == CURL_HTTP_VERSION_2_0;
}

/* Called by curl for each line of a head. Only the empty one, which ends it, gives it more time. */
static size_t take_header(char *bytes, size_t size, size_t n, void *data)
{
	struct request *request = data;
	bool ends = size * n <= 2 && (*bytes == '\r' || *bytes == '\n');

	if (ends)
		touch(request);
	request->requests->renew = false;
	if (!ends || status_of(request) != 200)
		return size * n;
	request->foreign = !is_json(request);
	if (request->foreign)
		return 0;
	request->shares = shares_connection(request);
	request->options.open(request->options.data);
	hurry(request);
	return size * n;
}

/* Called by curl for each part of a body. Of errors, the beginning is enough. */
static size_t take_body(char *bytes, size_t size, size_t n, void *data)
{
	struct request *request = data;
	size_t total = size * n;
	size_t some = MIN(total, REQUEST_ERROR_BODY_MAX - request->n_body);

	touch(request);
	request->n_burst += total;
	if (status_of(request) == 200) {
		request->has_enough = !request->options.body(request->options.data, bytes, total);
		hurry(request);
		return request->has_enough ? 0 : total;
	}
	memcpy(request->body + request->n_body, bytes, some);
	request->n_body += some;
	request->has_enough = some < total;
	return some < total ? 0 : total;
}

/*
 * A black hole is noticed after 20 s: by what we sent and nobody acknowledged, or by probes while
 * we have nothing to send. curl itself can set only half of this.
 */
static int set_up_socket(void *data, curl_socket_t fd, curlsocktype purpose)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{IPPROTO_TCP, TCP_USER_TIMEOUT, 20000},
		{SOL_SOCKET, SO_KEEPALIVE, 1},
		{IPPROTO_TCP, TCP_KEEPIDLE, 15},
		{IPPROTO_TCP, TCP_KEEPINTVL, 5},
		{IPPROTO_TCP, TCP_KEEPCNT, 3},
	};

	(void)data;
	(void)purpose;
	for (size_t i = 0; i < N_ELEMENTS(options); i++) /* without them it works, only slower */
		(void)setsockopt(fd, options[i].level, options[i].name, &options[i].value,
			sizeof(options[i].value));
	return CURL_SOCKOPT_OK;
}

static bool is_https(const struct auth *auth)
{
	return strncasecmp(auth->server, "https:", 6) == 0;
}

static void set_blob(CURL *easy, CURLoption option, const char *text)
{
	/* Copied by curl, although it takes no pointer to const. */
	auto_free char *data = xstrdup(text);
	struct curl_blob blob = {.data = data, .len = strlen(text), .flags = CURL_BLOB_COPY};

	curl_easy_setopt(easy, option, &blob);
}

/* Certificates go in by value: another CA is then another connection, by curl's own comparison. */
static void set_tls(CURL *easy, const struct auth *auth)
{
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, auth->insecure ? 0L : 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, auth->insecure ? 0L : 2L);
	if (auth->ca.text) {
		set_blob(easy, CURLOPT_CAINFO_BLOB, auth->ca.text);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL); /* this CA and none of the system's */
	}
	if (!auth->certificate.text)
		return;
	set_blob(easy, CURLOPT_SSLCERT_BLOB, auth->certificate.text);
	set_blob(easy, CURLOPT_SSLKEY_BLOB, auth->key.text);
	curl_easy_setopt(easy, CURLOPT_KEYPASSWD, ""); /* else it would ask on the terminal */
}

static void add_header(struct request *request, const char *text)
{
	struct curl_slist *longer = curl_slist_append(request->headers, text);

	if (!longer)
		abort(); /* no memory */
	request->headers = longer;
}

/*
 * With a tls-server-name, the URL has that name, for the certificate to be checked against, and the
 * connection and the Host header go to the server all the same.
 */
static char *make_url(struct request *request, const struct auth *auth)
{
	const char *path = request->options.path;
	const char *host = strstr(auth->server, "://") + 3;
	int n = (int)strcspn(host, "/");
	const char *port = memrchr(host, ':', (size_t)n);
	auto_free char *to = NULL;
	auto_free char *header = NULL;

	if (!auth->tls_server_name || !is_https(auth))
		return xasprintf("%s%s", auth->server, path);
	if (!port || strchr(port, ']')) /* that colon is the address's */
		port = host + n;
	to = xasprintf("::%.*s%s", n, host, port < host + n ? "" : ":443");
	header = xasprintf("Host: %.*s", n, host);
	request->connect_to = curl_slist_append(NULL, to);
	curl_easy_setopt(request->easy, CURLOPT_CONNECT_TO, request->connect_to);
	add_header(request, header);
	return xasprintf("https://%s%.*s%s%s", auth->tls_server_name, (int)(host + n - port), port,
		host + n, path);
}

static void set_http(struct request *request, const struct auth *auth)
{
	CURL *easy = request->easy;
	auto_free char *url = make_url(request, auth);
	auto_free char *bearer = NULL;

	if (auth->token.text) {
		bearer = xasprintf("Authorization: Bearer %s", auth->token.text);
		add_header(request, bearer);
	}
	add_header(request, "Accept: application/json");
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, request->headers);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, USER_AGENT);
	curl_easy_setopt(easy, CURLOPT_PROXY, auth->proxy ? auth->proxy : "");
	curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L); /* they are no answer */
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L); /* the token is not for others */
	curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	if (request->options.compressed)
		curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
}

static void set_connection(struct request *request)
{
	CURL *easy = request->easy;

	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	curl_easy_setopt(easy, CURLOPT_PIPEWAIT,
		is_https(request->requests->auth) && !request->requests->renew ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, request->requests->renew ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_LIMIT_MS);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, BUFFER_SIZE);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	/* A name that is still asked for is left to its thread, else the loop would wait for it. */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, set_up_socket);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, request->error);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, (char *)request);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, request);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
}

struct request *request_start(struct requests *requests, const struct request_options *options)
{
	struct request *request = xcalloc(1, sizeof(*request));

	request->requests = requests;
	request->options = *options;
	request->last_byte = mono_now();
	request->deadline = mono_add(request->last_byte, options->limit);
	request->easy = curl_easy_init();
	if (!request->easy)
		abort(); /* no memory */
	TAILQ_INSERT_TAIL(&requests->all, request, linked);
	auth_refresh(requests->auth);
	request->server = requests->auth->current;
	set_connection(request);
	set_http(request, requests->auth);
	set_tls(request->easy, requests->auth);
	request->options.path = NULL; /* it was borrowed */
	request_set_idle(request, options->idle);
	(void)curl_multi_add_handle(requests->multi, request->easy);
	return request;
}
