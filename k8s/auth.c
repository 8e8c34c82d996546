/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In a pod, the kubelet hands over an address in the environment and a token and a CA in files. The
 * token is replaced about every hour and the CA once in years, both by swapping a symlink; so no
 * descriptor is kept, and a look at the file's identity before each request tells whether to read
 * it again.
 *
 * The hard idea: what cannot be read any more stays as it was. A token is good for longer than a
 * file system hiccup, and the server says so when it is not.
 */
#include "auth.h"

#include <errno.h>
#include <string.h>

#include <cosmolet/yaml.h>

#include "kubeconfig.h"

#define SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount"

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void trim(char *text)
{
	size_t n = strlen(text);
	size_t start = strspn(text, " \t\r\n");

	while (n > start && strchr(" \t\r\n", text[n - 1]))
		n--;
	memmove(text, text + start, n - start);
	text[n - start] = '\0';
}

/* Looks before it reads: a file that changes meanwhile is then read again the next time. */
static int secret_read(struct secret *secret)
{
	struct stat seen;
	char *text;
	size_t size;
	int r;

	if (stat(secret->path, &seen) < 0)
		return -errno;
	r = file_read(secret->path, AUTH_FILE_MAX, &text, &size);
	if (r)
		return r;
	trim(text);
	if (!*text) {
		free(text);
		return -ENODATA;
	}
	secret->seen = seen;
	free(secret->text);
	secret->text = text;
	return 0;
}

int secret_open(struct secret *out, char *path)
{
	struct secret secret = {.path = path};
	int r = secret_read(&secret);

	if (r)
		free(path);
	else
		*out = secret;
	return r;
}

void secret_deinit(struct secret *secret)
{
	free(secret->path);
	free(secret->text);
	*secret = (struct secret){0};
}

static void secret_refresh(struct secret *secret)
{
	struct stat now;

	if (!secret->path || stat(secret->path, &now) < 0 || same_file(&now, &secret->seen))
		return;
	(void)secret_read(secret); /* then the old one has to do */
}

void auth_refresh(struct auth *auth)
{
	secret_refresh(&auth->ca);
	secret_refresh(&auth->token);
	secret_refresh(&auth->certificate);
	secret_refresh(&auth->key);
}

void auth_refused(struct auth *auth)
{
	auth->token.seen = (struct stat){0};
}

void auth_next_server(struct auth *auth, size_t failed)
{
	if (auth->n_servers < 2 || failed != auth->current)
		return;
	auth->current = (auth->current + 1) % auth->n_servers;
	str_set(&auth->server, auth->servers[auth->current]);
}

void auth_deinit(struct auth *auth)
{
	for (size_t i = 0; i < auth->n_servers; i++)
		free(auth->servers[i]);
	free(auth->servers);
	free(auth->server);
	free(auth->tls_server_name);
	free(auth->proxy);
	free(auth->description);
	free(auth->warning);
	secret_deinit(&auth->ca);
	secret_deinit(&auth->token);
	secret_deinit(&auth->certificate);
	secret_deinit(&auth->key);
	*auth = (struct auth){0};
}

/* An IPv6 address needs brackets in a URL. */
static char *server_url(const char *host, const char *port)
{
	bool bare = strchr(host, ':') && host[0] != '[';

	return xasprintf("https://%s%s%s:%s", bare ? "[" : "", host, bare ? "]" : "", port);
}

char *auth_file_fault(const char *path, int error)
{
	if (error != -EACCES)
		return xasprintf("%s: %s", path, strerror(-error));
	return xasprintf("%s: %s for uid %u gid %u; let it read the file and its directory, in a "
			 "pod by securityContext.fsGroup",
		path, strerror(-error), geteuid(), getegid());
}

static int open_mounted(
	struct secret *out, const char *directory, const char *name, char **out_error)
{
	auto_free char *path = xasprintf("%s/%s", directory, name);
	auto_free char *fault = NULL;
	int r = secret_open(out, xstrdup(path));

	if (!r)
		return 0;
	fault = auth_file_fault(path, r);
	*out_error = r == -EACCES ? TAKE(fault)
				  : xasprintf("%s; a pod gets it with a service account and "
					      "automountServiceAccountToken, elsewhere give a "
					      "kubeconfig",
					    fault);
	return -EINVAL;
}

static int in_cluster(struct auth *out, const char *directory, char **out_error)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST");
	const char *port = getenv("KUBERNETES_SERVICE_PORT");
	struct auth auth = {0};
	int r;

	if (!host || !*host || !port || !*port) {
		*out_error = xstrdup("no API server: KUBERNETES_SERVICE_HOST and "
				     "KUBERNETES_SERVICE_PORT are not set, as they are in a pod; "
				     "elsewhere give a kubeconfig");
		return -EINVAL;
	}
	auth.server = server_url(host, port);
	auth.description = xasprintf("%s (service account)", auth.server);
	r = open_mounted(&auth.token, directory, "token", out_error);
	if (!r)
		r = open_mounted(&auth.ca, directory, "ca.crt", out_error);
	if (r)
		auth_deinit(&auth);
	else
		*out = auth;
	return r;
}

/* Says in how many places it looks, and whose credentials it shows there. Takes the rest. */
static char *describe_servers(const struct k8s_options *options, char *rest)
{
	char *text;
	size_t size;
	FILE *out = xmemstream(&text, &size);

	for (size_t i = 0; i < options->n_servers; i++)
		fprintf(out, "%s%s", i ? ", " : "", options->servers[i]);
	fprintf(out, "%s, as for %s", options->n_servers > 1 ? " in turn" : "", rest);
	fclose(out);
	free(rest);
	return text;
}

static int use_servers(struct auth *auth, const struct k8s_options *options, char **out_error)
{
	if (options->n_servers == 0)
		return 0;
	auth->servers = xcalloc(options->n_servers, sizeof(*auth->servers));
	for (size_t i = 0; i < options->n_servers; i++) {
		const char *server = options->servers[i];
		const char *fault = kubeconfig_server_fault(server);
		size_t n = strlen(server);

		if (fault) {
			*out_error = xasprintf("server \"%.100s\": %s", server, fault);
			return -EINVAL;
		}
		while (server[n - 1] == '/')
			n--;
		auth->servers[auth->n_servers++] = xstrndup(server, n);
	}
	str_set(&auth->server, auth->servers[0]);
	auth->description = describe_servers(options, auth->description);
	return 0;
}

static int read_credentials(struct auth *out, const struct k8s_options *options, char **out_error)
{
	const char *directory = options->service_account_dir;
	auto_free char *text = NULL;
	size_t size;
	int r;

	if (!options->kubeconfig)
		return in_cluster(out, directory ? directory : SERVICE_ACCOUNT, out_error);
	r = file_read(options->kubeconfig, AUTH_FILE_MAX, &text, &size);
	if (r) {
		*out_error = auth_file_fault(options->kubeconfig, r);
		return -EINVAL;
	}
	return kubeconfig_parse(options->kubeconfig, text, size, options->context, out, out_error);
}

int auth_init(struct auth *out, const struct k8s_options *options, char **out_error)
{
	struct auth auth = {0};
	int r = read_credentials(&auth, options, out_error);

	if (!r)
		r = use_servers(&auth, options, out_error);
	if (r)
		auth_deinit(&auth);
	else
		*out = auth;
	return r;
}
