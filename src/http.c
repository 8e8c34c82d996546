/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All of civetweb. The hard part: its handlers run on its own threads, and the state they tell of
 * belongs to the loop's.
 *
 * So a handler knows nothing. It puts its question into a list, wakes the loop by an eventfd and
 * waits; the loop writes the answer. No state is shared, nothing needs a lock but the list. A loop
 * that does not answer in time is itself an answer (503), which makes /livez honest. Since the one
 * who asked may have gone by then, a question belongs to whoever lets go of it last.
 *
 * civetweb itself listens on loopback, and has the door in front of it (door.h): a connection costs
 * it a thread, so a few hundred idle ones would else be enough to keep kubelet's probes out.
 */
#include "http.h"

#include "door.h"
#include "filewatch.h"

#include <arpa/inet.h>
#include <civetweb.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>

#include <cosmolet/log.h>
#include <cosmolet/mem.h>
#include <cosmolet/yaml.h>

#define ANSWER_LIMIT_S 5
#define TOKEN_MAX      4096
#define BLANKS         " \t\r\n"
#define BODY_MAX       (64u << 20)
#define REREAD_EVERY   mono_s(60) /* where inotify tells nothing, and after a failure */
#define FD_MAX         1024
#define N_FILES        3

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
	if (port < 1 || port > UINT16_MAX || !prefix_parse_host(host, out_host))
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
	_Atomic uint16_t port; /* of the server */
	struct door *_Atomic door;
	char *token_file; /* NULL: there is none */
	bool client_ca;   /* there is one */
	http_open_fn *is_open;
	struct tls *tls; /* NULL: plain */
	struct filewatch *watches[N_FILES];
	struct loop_timer reread;
	char *tls_error; /* why the files are not used as they are now; NULL: they are */
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
		"Connection: close\r\n"
		"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
		"Referrer-Policy: no-referrer\r\n%s%s%s%s%s\r\n",
		answer->status, mg_get_response_code_text(connection, answer->status), answer->type,
		answer->size, policy ? "Content-Security-Policy: " : "", policy ? policy : "",
		policy ? "\r\n" : "", answer->status == 401 ? "WWW-Authenticate: Bearer\r\n" : "",
		answer->status == 405 ? "Allow: GET, HEAD\r\n" : "");
	if (strcmp(mg_get_request_info(connection)->request_method, "HEAD") != 0)
		mg_write(connection, answer->body, answer->size);
	return answer->status;
}

static int send_text(struct mg_connection *connection, int status, char *text)
{
	return send_answer(connection, &(struct http_answer){.status = status,
					       .type = "text/plain; charset=utf-8",
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
static int token_refusal(const struct http *http, const struct mg_connection *connection)
{
	static const char scheme[] = "Bearer ";
	const char *given = mg_get_header(connection, "Authorization");
	auto_free char *error = NULL;
	auto_free char *token = http_read_token(http->token_file, &error);

	if (!token)
		return 503;
	if (!given || strncasecmp(given, scheme, strlen(scheme)) != 0)
		return 401;
	return is_same(given + strlen(scheme), token) ? 0 : 401;
}

/* Whether that is the door's end of a connection. Of another address, anybody may have its port. */
static bool is_door(const struct http *http, struct in_addr address, uint16_t port, bool *out_known)
{
	struct door *door = http->door; /* NULL: it is not there yet */

	return door && address.s_addr == htonl(INADDR_LOOPBACK) &&
	       door_is_asking(door, port, out_known);
}

static int refusal(struct http *http, const struct mg_connection *connection, const char *path,
	char **out_text)
{
	const struct mg_request_info *request = mg_get_request_info(connection);
	struct in_addr peer;
	bool known = false;
	int status = 0;

	if (!inet_aton(request->remote_addr, &peer) ||
		!is_door(http, peer, (uint16_t)request->remote_port, &known))
		status = 403;
	else if ((http->token_file || http->client_ca) && !known && !http->is_open(path))
		status = http->token_file ? token_refusal(http, connection) : 403;
	if (status == 403)
		*out_text = xstrdup("this needs a certificate of http.client_ca_file\n");
	else if (status == 401)
		*out_text = xasprintf("this needs the token of http.token_file%s\n",
			http->client_ca ? ", or a certificate of http.client_ca_file" : "");
	else if (status)
		*out_text = xstrdup("http.token_file has no token now\n");
	return status;
}

static int on_request(struct mg_connection *connection, void *data)
{
	const struct mg_request_info *request = mg_get_request_info(connection);
	static char not_allowed[] = "only GET and HEAD\n", late[] = "the loop does not answer\n";
	const char *path = request->local_uri ? request->local_uri : "/";
	struct question *question;
	auto_free char *why_not = NULL;
	int status;

	if (strcmp(request->request_method, "GET") != 0 &&
		strcmp(request->request_method, "HEAD") != 0)
		return send_text(connection, 405, not_allowed);
	status = refusal(data, connection, path, &why_not);
	if (status)
		return send_text(connection, status, why_not);
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

/* The certificate */

int64_t http_expires(const struct http *http)
{
	return http && http->tls ? tls_expires(http->tls) : 0;
}

char *http_problem(const struct http *http)
{
	if (http && http->tls_error)
		return xasprintf("%s; the certificate before stays in use", http->tls_error);
	if (http && http->tls && tls_expires(http->tls) <= (int64_t)time(NULL))
		return xstrdup("http.tls_certificate_file: the certificate has expired");
	return NULL;
}

static void log_certificate(const struct http *http, const char *message)
{
	log_info("http", message, "expires_in_hours=%lld",
		((long long)tls_expires(http->tls) - (long long)time(NULL)) / 3600);
}

static void reread(void *data)
{
	struct http *http = data;
	auto_free char *error = NULL;
	int r = tls_reload(http->tls, &error);

	if (r < 0 && (!http->tls_error || strcmp(error, http->tls_error) != 0))
		log_warn("http", "the certificate cannot be replaced; the one before stays",
			"reason=%s", error);
	else if (r > 0)
		log_certificate(http, "certificate replaced");
	else if (r == 0 && http->tls_error)
		log_certificate(http, "the certificate is again the one in use");
	str_set(&http->tls_error, error);
}

static void on_reread(struct loop_timer *timer)
{
	struct http *http = container_of(timer, struct http, reread);

	reread(http);
	loop_timer_after(http->loop, timer, REREAD_EVERY, on_reread);
}

static int start_tls(struct http *http, const struct tls_files *files, char **out_error)
{
	const char *const paths[N_FILES] = {files->certificate, files->key, files->client_ca};

	if (!files->certificate)
		return 0;
	if (tls_new(files, &http->tls, out_error) < 0)
		return -EINVAL;
	log_certificate(http, "TLS is on");
	for (size_t i = 0; i < N_FILES; i++) {
		if (paths[i])
			http->watches[i] = filewatch_new(http->loop, paths[i], reread, http);
	}
	loop_timer_after(http->loop, &http->reread, REREAD_EVERY, on_reread);
	return 0;
}

/* Life */

static struct sockaddr_in inner_address(const struct http *http)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(http->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

/* Whether it is the server's end of a connection that is not the door's. */
static bool is_stranger(const struct http *http, int fd)
{
	const struct sockaddr_in wanted = inner_address(http);
	struct sockaddr_in own = {0}, peer = {0};
	socklen_t own_size = sizeof(own), peer_size = sizeof(peer);
	bool known;

	return getsockname(fd, (struct sockaddr *)&own, &own_size) == 0 &&
	       own.sin_family == AF_INET && own.sin_port == wanted.sin_port &&
	       own.sin_addr.s_addr == wanted.sin_addr.s_addr &&
	       getpeername(fd, (struct sockaddr *)&peer, &peer_size) == 0 &&
	       !is_door(http, peer.sin_addr, ntohs(peer.sin_port), &known);
}

/*
 * Other threads close the descriptor and open it anew as something else, between any two looks. One
 * of our own stays the same socket.
 */
static void shut_out_stranger(const struct http *http, int fd)
{
	auto_close int own = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

	if (own >= 0 && is_stranger(http, own))
		shutdown(own, SHUT_RDWR);
}

/*
 * Somebody of this node who found the server behind the door shall hold none of its threads.
 * civetweb tells here neither who it is nor its descriptor, so all of them are looked at.
 */
static int on_connection(const struct mg_connection *connection, void **data)
{
	const struct http *http = mg_get_user_data(mg_get_context(connection));

	(void)data;
	for (int fd = STDERR_FILENO + 1; fd < FD_MAX; fd++) {
		if (is_stranger(http, fd))
			shut_out_stranger(http, fd);
	}
	return 0;
}

static int start_server(struct http *http, char **out_error)
{
	const char *options[] = {"listening_ports", "127.0.0.1:0", "num_threads", "10",
		"request_timeout_ms", "5000", "max_request_size", "16384", "tcp_nodelay", "1",
		NULL};
	char text[256] = "";
	struct mg_callbacks callbacks = {.init_connection = on_connection};
	struct mg_error_data error = {.text = text, .text_buffer_size = sizeof(text)};
	struct mg_init_data init = {
		.callbacks = &callbacks, .user_data = http, .configuration_options = options};
	struct mg_server_port port = {0};

	http->server = mg_start2(&init, &error);
	if (!http->server || mg_get_server_ports(http->server, 1, &port) != 1) {
		*out_error = xasprintf("the server behind http.listen does not start: %s",
			*text ? text : strerror(errno));
		return -EINVAL;
	}
	http->port = (uint16_t)port.port;
	mg_set_request_handler(http->server, "/", on_request, http);
	return 0;
}

static int start_door(struct http *http, const char *listen, char **out_error)
{
	struct door *door = NULL;
	struct prefix host;
	uint16_t port;
	int r;

	if (!http_parse_listen(listen, &host, &port)) {
		*out_error = xasprintf("http.listen: \"%s\" is not ADDRESS:PORT", listen);
		return -EINVAL;
	}
	r = door_new(&host, port, http->tls, http->port, http->is_open, &door);
	if (r < 0) {
		*out_error =
			xasprintf("http.listen: cannot listen on %s: %s", listen, strerror(-r));
		return -EINVAL;
	}
	http->door = door;
	door_open(door); /* from here on others ask for it */
	return 0;
}

int http_new(
	struct loop *loop, const struct http_options *options, struct http **out, char **out_error)
{
	struct http *http = xcalloc(1, sizeof(*http));
	pthread_condattr_t monotonic;
	int r;

	mg_init_library(0);
	http->loop = loop;
	http->token_file = options->token_file ? xstrdup(options->token_file) : NULL;
	http->client_ca = options->tls.client_ca;
	http->is_open = options->is_open;
	http->answer = options->answer;
	http->data = options->data;
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
		r = start_tls(http, &options->tls, out_error);
	if (r == 0)
		r = start_server(http, out_error);
	if (r == 0)
		r = start_door(http, options->listen, out_error);
	if (r < 0) {
		http_free(http);
		return -EINVAL;
	}
	*out = http;
	return 0;
}

static void *run_stop(void *server)
{
	mg_stop(server);
	return NULL;
}

static void knock(const struct http *http)
{
	const struct sockaddr_in to = inner_address(http);
	auto_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0) /* whether anybody opens does not matter */
		(void)connect(fd, (const struct sockaddr *)&to, sizeof(to));
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
	struct door *door;

	if (!http)
		return NULL;
	pthread_mutex_lock(&http->lock);
	http->closing = true;
	pthread_cond_broadcast(&http->news);
	pthread_mutex_unlock(&http->lock);
	loop_timer_stop(&http->reread);
	for (size_t i = 0; i < N_FILES; i++)
		filewatch_free(http->watches[i]);
	door = http->door;
	stop_server(http);
	door_free(door);
	mg_exit_library();
	tls_free(http->tls);
	free(http->token_file);
	free(http->tls_error);
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

/* Where to connect to for what was listened on: a wildcard means this host. For free(). */
static char *connect_host(const struct prefix *host)
{
	char buf[PREFIX_STRLEN];
	const char *text = prefix_address(host, buf);

	if (!strcmp(text, "0.0.0.0"))
		return xstrdup("127.0.0.1");
	return xstrdup(!strcmp(text, "::") ? "::1" : text);
}

/* For free(). */
static char *request_text(const struct http_server *server, const char *path)
{
	return xasprintf("GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s%s%s\r\n", path,
		server->listen, server->token ? "Authorization: Bearer " : "",
		server->token ? server->token : "", server->token ? "\r\n" : "");
}

static int connect_to(const struct prefix *address, uint16_t port, char **out_error)
{
	struct sockaddr_storage to;
	socklen_t size = door_address(address, port, &to);
	const struct timeval limit = {.tv_sec = 10}; /* more than the daemon takes */
	int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);

	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	}
	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, size) == 0)
		return fd;
	*out_error = xstrdup(strerror(errno));
	if (fd >= 0)
		close(fd);
	return -EIO;
}

/* An answer in whole, of our own server: a line, headers, and the body until it closes. */
static bool parse_answer(const char *text, int *out_status, char **out_body)
{
	static const char begin[] = "HTTP/1.1 ";
	const char *body = strstr(text, "\r\n\r\n");

	if (!body || strncmp(text, begin, strlen(begin)) != 0)
		return false;
	*out_status = (int)strtol(text + strlen(begin), NULL, 10);
	*out_body = xstrdup(body + 4);
	return true;
}

/* Without a session: plain. Both wait, as long as the descriptor does. */
static bool exchange(
	int fd, struct tls_session *session, const char *request, int *out_status, char **out_body)
{
	size_t size = 0, n_request = strlen(request);
	auto_free char *text = NULL;
	FILE *out;
	char part[16384];
	uint32_t events;
	ssize_t n = session ? tls_write(session, request, n_request, &events)
			    : send(fd, request, n_request, MSG_NOSIGNAL);

	if (n != (ssize_t)n_request)
		return false;
	out = xmemstream(&text, &size);
	while (size < BODY_MAX) {
		n = session ? tls_read(session, part, sizeof(part), &events)
			    : TEMP_FAILURE_RETRY(recv(fd, part, sizeof(part), 0));
		if (n <= 0)
			break;
		fwrite(part, 1, (size_t)n, out);
		fflush(out); /* size is true after that alone */
	}
	fclose(out);
	return parse_answer(text, out_status, out_body);
}

static int get(const struct http_server *server, const struct prefix *address, uint16_t port,
	const char *path, int *out_status, char **out_body, char **out_error)
{
	auto_free char *request = request_text(server, path);
	auto_close int fd = connect_to(address, port, out_error);
	struct tls_session *session = NULL;
	int r = fd < 0 ? -EIO : 0;

	if (r == 0 && server->tls.certificate)
		r = tls_connect(&server->tls, fd, &session, out_error);
	if (r == 0 && !exchange(fd, session, request, out_status, out_body)) {
		*out_error = xstrdup("the answer is not whole");
		r = -EIO;
	}
	tls_close(session);
	return r;
}

int http_get(const struct http_server *server, const char *path, int *out_status, char **out_body,
	char **out_error)
{
	auto_free char *host = NULL;
	auto_free char *error = NULL;
	struct prefix address;
	uint16_t port;
	int r;

	if (!http_parse_listen(server->listen, &address, &port)) {
		*out_error = xasprintf("\"%s\" is not ADDRESS:PORT", server->listen);
		return -EIO;
	}
	host = connect_host(&address);
	if (!prefix_parse_host(host, &address))
		abort(); /* it came from one */
	r = get(server, &address, port, path, out_status, out_body, &error);
	if (r < 0)
		*out_error = xasprintf("no cosmolet answers at %s: %s", server->listen, error);
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
