/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kubeconfig is three lists (clusters, users, contexts), and a context names one of each of the
 * others. Of what a user may be, a daemon on a node can take tokens and client certificates. The
 * rest (programs to run, passwords, impersonation) is refused with its name: to go on without would
 * end in a 401 that nobody understands.
 *
 * The hard idea is one clear error: each says file, line and column, what is wrong, and what to do.
 */
#include "kubeconfig.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include <cosmolet/yaml.h>

#include "text.h"

/* What the reading of one file needs everywhere. */
struct kube {
	const char *path;
	struct ytree *yaml;
	const json_t *root;
	char *error; /* the first one */
};

static void fail_at(struct kube *kube, struct ytree_place place, const char *format, ...)
	printf_like(3, 4);

static void fail_at(struct kube *kube, struct ytree_place place, const char *format, ...)
{
	char text[512];
	va_list args;

	if (kube->error)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	text_clean(text);
	kube->error =
		place.line ? xasprintf("%s:%u:%u: %s", kube->path, place.line, place.column, text)
			   : xasprintf("%s: %s", kube->path, text);
}

static struct ytree_place place_of(struct kube *kube, const json_t *in, const char *key)
{
	return ytree_place_value(kube->yaml, in, key);
}

/* NULL: absent, empty, or not a string, which is an error. */
static const char *get(struct kube *kube, const json_t *in, const char *key)
{
	const json_t *value = json_object_get(in, key);

	if (!value || json_is_null(value))
		return NULL;
	if (!json_is_string(value))
		fail_at(kube, place_of(kube, in, key), "%s: expected a string", key);
	return json_string_length(value) ? json_string_value(value) : NULL;
}

static bool get_bool(struct kube *kube, const json_t *in, const char *key)
{
	const json_t *value = json_object_get(in, key);

	if (value && !json_is_null(value) && !json_is_boolean(value))
		fail_at(kube, place_of(kube, in, key), "%s: expected true or false", key);
	return json_is_true(value);
}

/* "a, b, c" of the names in a list; for free(). */
static char *names_in(const json_t *list)
{
	char *text = NULL;
	size_t size, i;
	const json_t *entry;
	FILE *out = xmemstream(&text, &size);

	json_array_foreach (list, i, entry) {
		const char *name = json_string_value(json_object_get(entry, "name"));

		fprintf(out, "%s%s", i ? ", " : "", name ? name : "(no name)");
	}
	if (json_array_size(list) == 0)
		fputs("none", out);
	fclose(out);
	return text;
}

/* The entry of that name's inner object: list "users" holds {name, user}. NULL: an error. */
static const json_t *find(struct kube *kube, const char *list_key, const char *key,
	const char *name, struct ytree_place asked_at)
{
	const json_t *list = json_object_get(kube->root, list_key);
	auto_free char *names = names_in(list);
	const json_t *entry;
	size_t i;

	json_array_foreach (list, i, entry) {
		const char *its = json_string_value(json_object_get(entry, "name"));

		if (!its || strcmp(its, name) != 0)
			continue;
		if (!json_is_object(json_object_get(entry, key)))
			fail_at(kube, ytree_place_element(kube->yaml, list, i),
				"%s \"%s\": expected an object in \"%s\"", key, name, key);
		return json_object_get(entry, key);
	}
	fail_at(kube, asked_at, "no %s named \"%s\"; there are: %s", key, name, names);
	return NULL;
}

static int digit64(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* NULL: no base64, or what it holds is no text. For free(). */
static char *base64_text(const char *in)
{
	auto_free char *out = xmalloc(strlen(in) + 1);
	size_t n = 0, n_digits = 0, n_pad = 0;
	uint32_t bits = 0;

	for (; *in; in++) {
		int digit = digit64(*in);

		if (strchr(" \r\n\t", *in))
			continue;
		if (*in == '=' && ++n_pad <= 2)
			continue;
		if (digit < 0 || n_pad)
			return NULL;
		bits = bits << 6 | (uint32_t)digit;
		if (++n_digits % 4 != 1)
			out[n++] = (char)(bits >> (6 - 2 * ((n_digits - 1) % 4)));
	}
	if (n_digits % 4 == 1 || (n_digits + n_pad) % 4 != 0)
		return NULL;
	out[n] = '\0';
	return strlen(out) == n ? TAKE(out) : NULL;
}

/* Paths in a kubeconfig are relative to it. */
static char *resolve(const struct kube *kube, const char *path)
{
	const char *slash = strrchr(kube->path, '/');

	if (path[0] == '/' || !slash)
		return xstrdup(path);
	return xasprintf("%.*s/%s", (int)(slash - kube->path), kube->path, path);
}

static void read_file(struct kube *kube, const json_t *in, const char *key, struct secret *out)
{
	const char *path = get(kube, in, key);
	auto_free char *full = path ? resolve(kube, path) : NULL;
	auto_free char *fault = NULL;
	int r = path ? secret_open(out, xstrdup(full)) : 0;

	if (!r)
		return;
	fault = auth_file_fault(full, r);
	fail_at(kube, place_of(kube, in, key), "%s: %s", key, fault);
}

static void check_pem(struct kube *kube, const json_t *in, const char *key, struct secret *out)
{
	if (out->text && !strstr(out->text, "-----BEGIN "))
		fail_at(kube, place_of(kube, in, key), "%s: expected PEM (-----BEGIN …)", key);
}

/* "key-data" in base64 wins over a file named by "key". */
static void read_pem(struct kube *kube, const json_t *in, const char *key, struct secret *out)
{
	auto_free char *data_key = xasprintf("%s-data", key);
	const char *data = get(kube, in, data_key);

	if (!data) {
		read_file(kube, in, key, out);
		check_pem(kube, in, key, out);
		return;
	}
	out->text = base64_text(data);
	if (!out->text)
		fail_at(kube, place_of(kube, in, data_key), "%s: not valid base64", data_key);
	check_pem(kube, in, data_key, out);
}

static bool starts(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static bool is_loopback(const char *host, size_t n)
{
	return (n == 5 && strncmp(host, "[::1]", n) == 0) ||
	       (n == 9 && strncmp(host, "localhost", n) == 0) ||
	       (n >= 7 && starts(host, "127.") && strspn(host, "0123456789.") == n);
}

const char *kubeconfig_server_fault(const char *server)
{
	const char *host = server + strlen("http://");

	if (!starts(server, "https://") && !starts(server, "http://"))
		return "expected a URL that begins with https://";
	if (strpbrk(server, "@?# \t\r\n"))
		return "expected https://HOST:PORT without user, query or fragment";
	if (starts(server, "http://") &&
		!is_loopback(host, *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/")))
		return "http:// would show the credentials to the network; use https://";
	return NULL;
}

static void read_server(struct kube *kube, const json_t *cluster, struct auth *out)
{
	const char *server = get(kube, cluster, "server");
	size_t n = server ? strlen(server) : 0;

	if (!server) {
		fail_at(kube, (struct ytree_place){0}, "the cluster has no \"server\"");
		return;
	}
	if (!starts(server, "https://") && !starts(server, "http://"))
		fail_at(kube, place_of(kube, cluster, "server"),
			"server: expected a URL that begins with https://, found \"%.100s\"",
			server);
	if (strpbrk(server, "@?# \t\r\n"))
		fail_at(kube, place_of(kube, cluster, "server"),
			"server: expected https://HOST:PORT without user, query or fragment");
	while (n > 0 && server[n - 1] == '/')
		n--;
	out->server = xstrndup(server, n);
}

/* Without TLS nobody but this host may see a token. */
static void check_plain(struct kube *kube, const json_t *cluster, const struct auth *auth)
{
	const char *host;
	size_t n;

	if (kube->error || !starts(auth->server, "http://") ||
		(!auth->token.text && !auth->certificate.text))
		return;
	host = auth->server + strlen("http://");
	n = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");
	if (!is_loopback(host, n))
		fail_at(kube, place_of(kube, cluster, "server"),
			"server: http:// would show the credentials to the network; use https://");
}

/*
 * It may hold a password, so it is never shown. By socks5 kubectl means that the proxy looks up the
 * server's name, who may be the only one to know it; to curl this is socks5h.
 */
static void read_proxy(struct kube *kube, const json_t *cluster, struct auth *out)
{
	const char *proxy = get(kube, cluster, "proxy-url");

	if (!proxy)
		return;
	if (starts(proxy, "http://") || starts(proxy, "https://"))
		out->proxy = xstrdup(proxy);
	else if (starts(proxy, "socks5://"))
		out->proxy = xasprintf("socks5h%s", proxy + strlen("socks5"));
	else
		fail_at(kube, place_of(kube, cluster, "proxy-url"),
			"proxy-url: expected http://, https:// or socks5://");
}

static void read_cluster(struct kube *kube, const json_t *cluster, struct auth *out)
{
	read_server(kube, cluster, out);
	read_pem(kube, cluster, "certificate-authority", &out->ca);
	str_set(&out->tls_server_name, get(kube, cluster, "tls-server-name"));
	read_proxy(kube, cluster, out);
	out->insecure = get_bool(kube, cluster, "insecure-skip-tls-verify");
	if (out->insecure)
		out->warning =
			xasprintf("%s: insecure-skip-tls-verify: anyone on the way to %s can "
				  "pose as the API server and take the credentials",
				kube->path, out->server ? out->server : "it");
}

static void refuse(struct kube *kube, const json_t *user)
{
	static const char way_out[] = "give the user a token, a tokenFile or a client certificate, "
				      "as of a service account";
	static const char *const fields[] = {"exec", "auth-provider", "username", "password", "as",
		"as-uid", "as-groups", "as-user-extra"};

	for (size_t i = 0; i < N_ELEMENTS(fields); i++) {
		const json_t *value = json_object_get(user, fields[i]);

		if (value && !json_is_null(value))
			fail_at(kube, ytree_place_key(kube->yaml, user, fields[i]),
				"%s: not supported by a daemon; %s", fields[i], way_out);
	}
}

static void check_token(struct kube *kube, const json_t *user, const char *key, const char *token)
{
	for (; token && *token; token++)
		if (*token <= ' ' || *token > '~')
			fail_at(kube, place_of(kube, user, key),
				"%s: holds white space or control characters", key);
}

static void read_user(struct kube *kube, const json_t *user, struct auth *out)
{
	const char *token = get(kube, user, "token");

	refuse(kube, user);
	read_file(kube, user, "tokenFile", &out->token);
	if (!out->token.text && token)
		out->token.text = xstrdup(token);
	check_token(kube, user, out->token.path ? "tokenFile" : "token", out->token.text);
	read_pem(kube, user, "client-certificate", &out->certificate);
	read_pem(kube, user, "client-key", &out->key);
	if (out->certificate.text && !out->key.text)
		fail_at(kube, (struct ytree_place){0}, "client-certificate without a client-key");
	if (out->key.text && !out->certificate.text)
		fail_at(kube, (struct ytree_place){0}, "client-key without a client-certificate");
}

static void read_context(
	struct kube *kube, const char *name, struct ytree_place asked_at, struct auth *out)
{
	const json_t *context = find(kube, "contexts", "context", name, asked_at);
	const char *cluster_name = get(kube, context, "cluster");
	const char *user_name = get(kube, context, "user");
	const json_t *cluster = NULL;
	const json_t *user = NULL;

	if (!kube->error && !cluster_name)
		fail_at(kube, asked_at, "context \"%s\" has no \"cluster\"", name);
	if (!kube->error)
		cluster = find(kube, "clusters", "cluster", cluster_name,
			place_of(kube, context, "cluster"));
	if (!kube->error && user_name)
		user = find(kube, "users", "user", user_name, place_of(kube, context, "user"));
	if (kube->error)
		return;
	read_cluster(kube, cluster, out);
	read_user(kube, user, out);
	check_plain(kube, cluster, out);
	out->description = xasprintf("%s (context %s of %s)", out->server, name, kube->path);
}

static void read_root(struct kube *kube, const char *context, struct auth *out)
{
	struct ytree_place at = {0};
	auto_free char *names = names_in(json_object_get(kube->root, "contexts"));

	if (!json_is_object(kube->root)) {
		fail_at(kube, at, "expected a kubeconfig, which is one YAML object");
		return;
	}
	if (!context) {
		context = get(kube, kube->root, "current-context");
		at = place_of(kube, kube->root, "current-context");
	}
	if (!context)
		fail_at(kube, at, "no current-context; name one of: %s", names);
	if (!kube->error)
		read_context(kube, context, at, out);
}

int kubeconfig_parse(const char *path, const char *text, size_t size, const char *context,
	struct auth *out, char **out_error)
{
	struct kube kube = {.path = path};
	struct ytree_error error;
	struct auth auth = {0};
	auto_ytree struct ytree *yaml = NULL;

	if (ytree_parse(text, size, &yaml, &error)) {
		fail_at(&kube, error.place, "%s", error.text);
		*out_error = kube.error;
		return -EINVAL;
	}
	kube.yaml = yaml;
	kube.root = ytree_documents(yaml) ? ytree_document(yaml, 0) : NULL;
	read_root(&kube, context, &auth);
	if (kube.error) {
		auth_deinit(&auth);
		*out_error = kube.error;
		return -EINVAL;
	}
	*out = auth;
	return 0;
}
