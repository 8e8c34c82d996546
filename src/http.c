/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All of civetweb. The hard part: its handlers run on its own threads, and the state they tell of
 * belongs to the loop's.
 *
 * So a handler knows nothing. It puts its question into a list, wakes the loop by an eventfd and
 * waits; the loop writes the answer. No state is shared, nothing needs a lock but the list. A loop
 * that does not answer in time is itself an answer (503), which makes /livez honest. Since the one
 * who asked may have gone by then, a question belongs to whoever lets go of it last.
 */
#include "http.h"

#include <civetweb.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include <cosmolet/mem.h>
#include <cosmolet/yaml.h>

#define ANSWER_LIMIT_S 5
#define TOKEN_MAX      4096
#define BLANKS         " \t\r\n"
#define BODY_MAX       (64u << 20)

bool http_parse_listen(const char *listen, struct prefix *out_host, uint16_t *out_port)
{
	const char *colon = strrchr(listen, ':');
	size_t n = colon ? (size_t)(colon - listen) : 0;
	bool brackets = n > 2 && listen[0] == '[' && colon[-1] == ']';
	auto_free char *host = brackets ? xstrndup(listen + 1, n - 2) : xstrndup(listen, n);
	size_t digits = colon ? strspn(colon + 1, "0123456789") : 0;
	unsigned long port;

	if (digits < 1 || digits > 5 || colon[1 + digits])
		return false;
	port = strtoul(colon + 1, NULL, 10);
	if (port < 1 || port > UINT16_MAX || (strchr(host, ':') && !brackets) ||
		!prefix_parse_host(host, out_host))
		return false;
	*out_port = (uint16_t)port;
	return true;
}

struct question {
	char *path;
	char *query;
	char *accept;
	struct http_answer answer;
	bool answered;
	bool abandoned;
	TAILQ_ENTRY(question) queued;
};

TAILQ_HEAD(question_list, question);

struct http {
	struct loop *loop;
	http_answer_fn *answer;
	void *data;
	struct mg_context *server;
	char *listen;
	char *token_file; /* NULL: anybody may ask for anything */
	http_open_fn *is_open;
	struct loop_io wake;
	int wake_fd;
	struct loop_job step_job;
	struct question_list in_work; /* answered step by step; the loop's alone */
	pthread_mutex_t lock;         /* over everything below, and the questions' fields */
	pthread_cond_t news;
	struct question_list questions;
	bool closing;
};

static void question_free(struct question *question)
{
	free(question->path);
	free(question->query);
	free(question->accept);
	free(question->answer.body);
	if (question->answer.end)
		question->answer.end(question->answer.work);
	free(question);
}

/* On a thread of civetweb. */
static bool ask(struct http *http, struct question *question)
{
	uint64_t one = 1;
	struct timespec until;
	bool answered;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ANSWER_LIMIT_S;
	pthread_mutex_lock(&http->lock);
	TAILQ_INSERT_TAIL(&http->questions, question, queued);
	(void)!write(http->wake_fd, &one, sizeof(one)); /* cannot fail below 2^64 */
	while (!question->answered && !http->closing) {
		if (pthread_cond_timedwait(&http->news, &http->lock, &until) == ETIMEDOUT)
			break;
	}
	answered = question->answered;
	question->abandoned = !answered;
	pthread_mutex_unlock(&http->lock);
	return answered;
}

static int send_answer(struct mg_connection *connection, const struct http_answer *answer)
{
	const char *policy = answer->policy;

	mg_printf(connection,
		"HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
		"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
		"Referrer-Policy: no-referrer\r\n%s%s%s%s\r\n",
		answer->status, mg_get_response_code_text(connection, answer->status), answer->type,
		answer->size, policy ? "Content-Security-Policy: " : "", policy ? policy : "",
		policy ? "\r\n" : "", answer->status == 401 ? "WWW-Authenticate: Bearer\r\n" : "");
	if (strcmp(mg_get_request_info(connection)->request_method, "HEAD") != 0)
		mg_write(connection, answer->body, answer->size);
	return answer->status;
}

static int send_text(struct mg_connection *connection, int status, char *text)
{
	return send_answer(connection, &(struct http_answer){.status = status,
					       .type = "text/plain",
					       .body = text,
					       .size = strlen(text)});
}

/* For free(). */
static char *header(const struct mg_connection *connection, const char *name)
{
	const char *value = mg_get_header(connection, name);

	return xstrdup(value ? value : "");
}

char *http_read_token(const char *path, char **out_error)
{
	auto_free char *text = NULL;
	size_t size = 0, n;
	int r = file_read(path, TOKEN_MAX, &text, &size);
	const char *begin;

	if (r < 0) {
		*out_error = xasprintf("%s: %s", path, strerror(-r));
		return NULL;
	}
	begin = text + strspn(text, BLANKS);
	n = strcspn(begin, BLANKS);
	if (n == 0 || begin[n + strspn(begin + n, BLANKS)]) {
		*out_error = xasprintf("%s: holds no token, which is one word", path);
		return NULL;
	}
	return xstrndup(begin, n);
}

/* In a time that tells nothing of how much of it is right. */
static bool is_same(const char *given, const char *wanted)
{
	size_t n_given = strlen(given), n_wanted = strlen(wanted);
	volatile unsigned char different = n_given != n_wanted;

	for (size_t i = 0; i < n_wanted; i++)
		different |= (unsigned char)(wanted[i] ^ (i < n_given ? given[i] : 0));
	return !different;
}

/* 0, or the status with which the request is refused. On a thread of civetweb. */
static int refusal(
	const struct http *http, const struct mg_connection *connection, const char *path)
{
	static const char scheme[] = "Bearer ";
	const char *given = mg_get_header(connection, "Authorization");
	auto_free char *error = NULL;
	auto_free char *token = NULL;

	if (!http->token_file || http->is_open(path))
		return 0;
	token = http_read_token(http->token_file, &error);
	if (!token)
		return 503;
	if (!given || strncasecmp(given, scheme, strlen(scheme)) != 0)
		return 401;
	return is_same(given + strlen(scheme), token) ? 0 : 401;
}

static int on_request(struct mg_connection *connection, void *data)
{
	const struct mg_request_info *request = mg_get_request_info(connection);
	static char not_allowed[] = "only GET and HEAD\n", late[] = "the loop does not answer\n";
	static char no_token[] = "this needs the token of http.token_file\n",
		    no_file[] = "http.token_file has no token now\n";
	const char *path = request->local_uri ? request->local_uri : "/";
	struct question *question;
	int status;

	if (strcmp(request->request_method, "GET") != 0 &&
		strcmp(request->request_method, "HEAD") != 0)
		return send_text(connection, 405, not_allowed);
	status = refusal(data, connection, path);
	if (status)
		return send_text(connection, status, status == 401 ? no_token : no_file);
	question = xcalloc(1, sizeof(*question));
	question->path = xstrdup(path);
	question->query = xstrdup(request->query_string ? request->query_string : "");
	question->accept = header(connection, "Accept");
	if (!ask(data, question)) /* now the loop's to free */
		return send_text(connection, 503, late);
	status = send_answer(connection, &question->answer);
	question_free(question);
	return status;
}

/* On the loop. */

static struct question *next_question(struct http *http)
{
	struct question *question;

	pthread_mutex_lock(&http->lock);
	question = TAILQ_FIRST(&http->questions);
	if (question)
		TAILQ_REMOVE(&http->questions, question, queued);
	pthread_mutex_unlock(&http->lock);
	return question;
}

/* The answer is complete. */
static void hand_over(struct http *http, struct question *question)
{
	bool abandoned;

	pthread_mutex_lock(&http->lock);
	question->answered = true;
	abandoned = question->abandoned;
	pthread_cond_broadcast(&http->news);
	pthread_mutex_unlock(&http->lock);
	if (abandoned)
		question_free(question);
}

/* Of those who wait for a long answer, each has a step in turn. */
static void on_step(struct loop_job *job)
{
	struct http *http = container_of(job, struct http, step_job);
	struct question *question = TAILQ_FIRST(&http->in_work);
	struct http_answer answer = {0};

	TAILQ_REMOVE(&http->in_work, question, queued);
	if (question->answer.step(question->answer.work, &answer)) {
		question->answer.end(question->answer.work);
		question->answer = answer;
		hand_over(http, question);
	} else {
		TAILQ_INSERT_TAIL(&http->in_work, question, queued);
	}
	if (!TAILQ_EMPTY(&http->in_work))
		loop_job_queue(http->loop, job, on_step);
}

static void on_wake(struct loop_io *io, uint32_t ready)
{
	struct http *http = container_of(io, struct http, wake);
	struct question *question;
	uint64_t n;

	(void)ready;
	(void)!read(io->fd, &n, sizeof(n)); /* only to make it quiet again */
	while ((question = next_question(http))) {
		const struct http_request request = {
			.path = question->path,
			.query = question->query,
			.accept = question->accept,
		};

		http->answer(http->data, &request, &question->answer);
		if (question->answer.step) {
			TAILQ_INSERT_TAIL(&http->in_work, question, queued);
			loop_job_queue(http->loop, &http->step_job, on_step);
		} else {
			hand_over(http, question);
		}
	}
}

/* Life */

static int start(struct http *http, const char *listen, char **out_error)
{
	const char *options[] = {"listening_ports", listen, "num_threads", "32",
		"request_timeout_ms", "5000", "max_request_size", "8192", "enable_keep_alive",
		"yes", "keep_alive_timeout_ms", "5000", "tcp_nodelay", "1", NULL};
	char text[256] = "";
	struct mg_error_data error = {.text = text, .text_buffer_size = sizeof(text)};
	struct mg_init_data init = {.user_data = http, .configuration_options = options};

	http->listen = xstrdup(listen);
	mg_init_library(0);
	http->server = mg_start2(&init, &error);
	if (!http->server) {
		*out_error = xasprintf("http.listen: cannot listen on %s: %s", listen,
			*text ? text : strerror(errno));
		return -EINVAL;
	}
	mg_set_request_handler(http->server, "/", on_request, http);
	return 0;
}

int http_new(struct loop *loop, const char *listen, const char *token_file, http_open_fn *is_open,
	http_answer_fn *answer, void *data, struct http **out, char **out_error)
{
	struct http *http = xcalloc(1, sizeof(*http));
	pthread_condattr_t monotonic;
	int r;

	http->loop = loop;
	http->token_file = token_file ? xstrdup(token_file) : NULL;
	http->is_open = is_open;
	http->answer = answer;
	http->data = data;
	TAILQ_INIT(&http->in_work);
	TAILQ_INIT(&http->questions);
	pthread_mutex_init(&http->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&http->news, &monotonic);
	pthread_condattr_destroy(&monotonic);
	http->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (http->wake_fd < 0)
		abort(); /* no descriptors left at the start */
	r = loop_io_start(loop, &http->wake, http->wake_fd, EPOLLIN, on_wake);
	if (r == 0)
		r = start(http, listen, out_error);
	if (r < 0) {
		http_free(http);
		return -EINVAL;
	}
	*out = http;
	return 0;
}

/* Where to connect to for what was listened on: a wildcard means this host. For free(). */
static char *connect_host(const struct prefix *host)
{
	char buf[PREFIX_STRLEN];
	const char *text = prefix_address(host, buf);

	if (!strcmp(text, "0.0.0.0"))
		return xstrdup("127.0.0.1");
	return xstrdup(!strcmp(text, "::") ? "::1" : text);
}

static void *run_stop(void *server)
{
	mg_stop(server);
	return NULL;
}

static void knock(const struct http *http)
{
	auto_free char *host = NULL;
	struct mg_connection *connection;
	struct prefix address;
	char error[256] = "";
	uint16_t port;

	if (!http_parse_listen(http->listen, &address, &port))
		return;
	host = connect_host(&address);
	connection = mg_connect_client(host, port, 0, error, sizeof(error));
	if (connection)
		mg_close_connection(connection);
}

/* civetweb looks only every two seconds whether it shall end, unless somebody comes in. */
static void stop_server(struct http *http)
{
	const struct timespec moment = {.tv_nsec = 5000000};
	pthread_t thread;

	if (!http->server)
		return;
	if (pthread_create(&thread, NULL, run_stop, http->server) != 0) {
		mg_stop(http->server);
		return;
	}
	while (pthread_tryjoin_np(thread, NULL) == EBUSY) {
		knock(http);
		nanosleep(&moment, NULL);
	}
}

struct http *http_free(struct http *http)
{
	struct question *question;

	if (!http)
		return NULL;
	pthread_mutex_lock(&http->lock);
	http->closing = true;
	pthread_cond_broadcast(&http->news);
	pthread_mutex_unlock(&http->lock);
	stop_server(http);
	mg_exit_library();
	free(http->listen);
	free(http->token_file);
	TAILQ_CONCAT(&http->questions, &http->in_work, queued);
	while ((question = next_question(http)))
		question_free(question);
	loop_job_stop(&http->step_job);
	loop_io_stop(&http->wake);
	close(http->wake_fd);
	pthread_cond_destroy(&http->news);
	pthread_mutex_destroy(&http->lock);
	free(http);
	return NULL;
}

/* The client */

static char *read_body(struct mg_connection *connection)
{
	char *body = NULL;
	size_t size = 0, total = 0;
	FILE *out = xmemstream(&body, &size);
	char part[16384];
	int n;

	while (total < BODY_MAX && (n = mg_read(connection, part, sizeof(part))) > 0) {
		fwrite(part, 1, (size_t)n, out);
		total += (size_t)n;
	}
	fclose(out);
	return body;
}

int http_get(const char *listen, const char *token, const char *path, int *out_status,
	char **out_body, char **out_error)
{
	auto_free char *host = NULL;
	char error[256] = "";
	struct mg_connection *connection;
	struct prefix address;
	uint16_t port;
	int r;

	if (!http_parse_listen(listen, &address, &port)) {
		*out_error = xasprintf("\"%s\" is not ADDRESS:PORT", listen);
		return -EIO;
	}
	host = connect_host(&address);
	mg_init_library(0);
	connection = mg_download(host, port, 0, error, sizeof(error),
		"GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s%s%s\r\n", path, listen,
		token ? "Authorization: Bearer " : "", token ? token : "", token ? "\r\n" : "");
	if (!connection) {
		*out_error = xasprintf("no cosmolet answers at %s: %s", listen, error);
		mg_exit_library();
		return -EIO;
	}
	*out_status = mg_get_response_info(connection)->status_code;
	*out_body = read_body(connection);
	r = *out_status > 0 ? 0 : -EIO;
	mg_close_connection(connection);
	mg_exit_library();
	return r;
}

char *http_encode(const char *value)
{
	size_t size = 3 * strlen(value) + 1;
	char *out = xmalloc(size);

	mg_url_encode(value, out, size);
	return out;
}

char *http_query(const char *query, const char *name)
{
	size_t size = strlen(query) + 1;
	char *value = xmalloc(size);

	if (mg_get_var(query, size - 1, name, value, size) >= 0)
		return value;
	free(value);
	return NULL;
}
