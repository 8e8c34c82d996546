/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration: the file as a whole, which keys go together, and what a change means. */
#include "config.h"

#include "class.h"
#include "gate.h"
#include "http.h"
#include "keys.h"
#include "value.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define CONFIG_MAX_BYTES (1u << 20)
#define VRF_NAME_MAX     35 /* FRR's lib/vrf.h, 7.5 to 10.7 */
#define CLASSES_MAX      64

struct load {
	struct config *config;
	struct reader reader;
	bool *given; /* by key */
};

static void warn(struct config *config, char *text)
{
	config->warnings = xrealloc(config->warnings, (config->n_warnings + 1) * sizeof(char *));
	config->warnings[config->n_warnings++] = text;
}

/* Walking the file. */

/* What is left of a key's path inside a section ("" for the top); NULL: it is in another one. */
static const char *name_within(const struct key *key, const char *section)
{
	size_t n = strlen(section);

	if (n == 0)
		return key->path;
	return !strncmp(key->path, section, n) && key->path[n] == '.' ? key->path + n + 1 : NULL;
}

static bool is_section(const char *path)
{
	for (size_t i = 0; i < n_keys; i++) {
		if (name_within(&keys[i], path))
			return true;
	}
	return false;
}

/* The names that may stand in a section ("" for the top), for the error about one that may not. */
static char *section_names(const char *section)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = xmemstream(&text, &size);
	const char *last = "";
	size_t last_len = 0;

	for (size_t i = 0; i < n_keys; i++) {
		const char *name = name_within(&keys[i], section);
		size_t len = name ? strcspn(name, ".") : 0;

		if (!name || keys[i].kind == RETIRED)
			continue;
		if (len == last_len && !strncmp(name, last, len))
			continue;
		fprintf(out, "%s%.*s", last_len ? ", " : "", (int)len, name);
		last = name;
		last_len = len;
	}
	fputs(*section ? "" : ", classes", out);
	fclose(out);
	return text;
}

static int load_value(
	struct load *load, const struct where *where, const struct key *key, const json_t *value)
{
	if (key->kind != RETIRED)
		return value_decode(
			&load->reader, *where, key, value, (char *)load->config + key->offset);
	warn(load->config,
		xasprintf("%s:%u:%u: %s no longer acts: %s", load->reader.file, where->place.line,
			where->place.column, key->path, key->meaning));
	return 0;
}

static int load_object(struct load *load, const json_t *object, const char *section)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)object, name, value) {
		auto_free char *path = xasprintf("%s%s%s", section, *section ? "." : "", name);
		struct where where = {
			.place = ytree_place_key(load->reader.yaml, object, name), .key = path};
		const struct key *key = key_find(path);
		int r;

		if (key) {
			load->given[key - keys] = true;
			where.place = ytree_place_value(load->reader.yaml, object, name);
			r = load_value(load, &where, key, value);
		} else if (!strcmp(path, "classes")) {
			r = json_is_object(value) || json_is_null(value)
				    ? 0
				    : value_refuse(&load->reader, &where,
					      "must hold classes by their names");
		} else if (!is_section(path)) {
			auto_free char *names = section_names(section);

			r = value_refuse(&load->reader, &where, "unknown key; allowed%s%s are: %s",
				*section ? " in " : "", section, names);
		} else if (!json_is_object(value)) {
			r = json_is_null(value) ? 0
						: value_refuse(&load->reader, &where,
							  "must hold keys of its own");
		} else {
			r = load_object(load, value, path);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* Classes: what they do not say is what the rest of the file says. */

static int load_class(
	struct load *load, const struct where *where, const char *name, const json_t *object)
{
	struct config *config = load->config;
	struct config_class *class;

	if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(name) || !*name)
		return value_refuse(&load->reader, where,
			"\"%s\" is no name; write lower case letters, digits and hyphens", name);
	if (config->n_classes == CLASSES_MAX)
		return value_refuse(&load->reader, where, "more than %d classes", CLASSES_MAX);
	config->classes =
		xrealloc(config->classes, (config->n_classes + 1) * sizeof(*config->classes));
	class = &config->classes[config->n_classes++];
	*class = config->defaults;
	class->stated = 0;
	class->name = xstrdup(name);
	return class_decode(&load->reader, where, object, class);
}

static int load_classes(struct load *load)
{
	const json_t *root =
		ytree_documents(load->reader.yaml) ? ytree_document(load->reader.yaml, 0) : NULL;
	const json_t *classes = json_object_get(root, "classes");
	const char *name;
	json_t *value;
	int r = 0;

	json_object_foreach ((json_t *)(uintptr_t)classes, name, value) {
		auto_free char *path = xasprintf("classes.%s", name);
		struct where where = {
			.place = ytree_place_key(load->reader.yaml, classes, name), .key = path};

		if (r == 0)
			r = load_class(load, &where, name, value);
	}
	return r;
}

/* Which of the keys that a class may have the rest of the file says. */
static void note_stated(struct load *load)
{
	for (size_t i = 0; i < n_class_keys; i++) {
		const char *name;
		const struct key *key = key_find(key_of_class(i, &name)->path);

		if (key && load->given[key - keys])
			load->config->defaults.stated |= 1u << i;
	}
}

/* Combinations. */

/* Refuses at the place of a key, if the file has it. */
static struct where where_of(const struct load *load, const char *path)
{
	struct where where = {.key = path};
	auto_free char *section = xstrndup(path, strcspn(path, "."));
	const char *name = strchr(path, '.');
	const json_t *root = load->reader.yaml && ytree_documents(load->reader.yaml)
				     ? ytree_document(load->reader.yaml, 0)
				     : NULL;

	if (root && name)
		where.place = ytree_place_value(
			load->reader.yaml, json_object_get(root, section), name + 1);
	return where;
}

static int check_word(struct load *load)
{
	struct config *config = load->config;
	struct where where = where_of(load, "announce.redistribute");

	if (!zapi_word_parse(config->announce_redistribute, &config->word, &config->instance))
		return value_refuse(&load->reader, &where,
			"\"%s\" is not allowed; write static, openfabric, babel, nhrp, isis, ospf "
			"N, "
			"table N, table-direct N or connected, with N from 1 to 255",
			config->announce_redistribute);
	if (!zapi_word_has_family(config->word, AF_INET6))
		warn(config,
			xasprintf("%s: announce.redistribute: bgpd knows \"redistribute %s\" for "
				  "IPv4 only: IPv6 addresses will not be announced",
				load->reader.file, config->announce_redistribute));
	return 0;
}

static int check_loopback(struct load *load)
{
	const struct config *config = load->config;
	struct where where = where_of(load, "loopback.mode");
	bool fits_address = config->word == ZAPI_CONNECTED || config->word == ZAPI_TABLE_DIRECT;

	if (config->loopback_mode == LOOPBACK_ADDRESS && !fits_address)
		return value_refuse(&load->reader, &where,
			"\"address\" and \"redistribute %s\" exclude each other: zebra prefers the "
			"connected route of the address, and bgpd would withdraw ours; write "
			"loopback.mode: local-route, or announce.redistribute: connected",
			config->announce_redistribute);
	if (config->loopback_mode != LOOPBACK_ADDRESS && config->word == ZAPI_CONNECTED)
		return value_refuse(&load->reader, &where,
			"\"redistribute connected\" announces addresses, and this mode makes none; "
			"write "
			"loopback.mode: address");
	return 0;
}

/* What belongs to the default VRF cannot be had in another one. */
static int check_vrf(struct load *load)
{
	const struct config *config = load->config;
	struct where where = where_of(load, "announce.vrf");

	if (config->announce_vrf && !*config->announce_vrf)
		return value_refuse(&load->reader, &where,
			"must not be empty; write a VRF's name, or remove it");
	if (config->announce_vrf && strlen(config->announce_vrf) > VRF_NAME_MAX)
		return value_refuse(&load->reader, &where,
			"\"%s\" is longer than FRR's %d characters for a VRF", config->announce_vrf,
			VRF_NAME_MAX);
	if (config->announce_vrf && strpbrk(config->announce_vrf, " \t\r\n"))
		return value_refuse(&load->reader, &where,
			"\"%s\" holds blanks, which no VRF's name does", config->announce_vrf);
	if (config->announce_vrf && config->announce_nexthop == ZAPI_LO)
		return value_refuse(&load->reader, &where,
			"\"%s\" and announce.nexthop: lo exclude each other: lo belongs to the "
			"default VRF; write announce.nexthop: blackhole",
			config->announce_vrf);
	if (config->announce_vrf && config->word == ZAPI_TABLE_DIRECT)
		return value_refuse(&load->reader, &where,
			"\"%s\" and \"redistribute %s\" exclude each other: the kernel table is "
			"the default VRF's; write announce.redistribute: static",
			config->announce_vrf, config->announce_redistribute);
	return 0;
}

static int check_selector(struct load *load)
{
	const struct config *config = load->config;
	struct where where = where_of(load, "services.namespace_selector");
	struct k8s_label_selector *selector = NULL;
	auto_free char *error = NULL;

	if (!config->services_namespace_selector)
		return 0;
	if (!*config->services_namespace_selector)
		return value_refuse(
			&load->reader, &where, "must not be empty; write a selector, or remove it");
	if (k8s_label_selector_parse(config->services_namespace_selector, &selector, &error) < 0)
		return value_refuse(&load->reader, &where, "%s", error);
	k8s_label_selector_free(selector);
	return 0;
}

/* They become a part of a selector. */
static int check_proxies(struct load *load)
{
	static const char plain[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
	const struct config_strings *proxies = &load->config->services_proxies;
	struct where where = where_of(load, "services.proxies");

	for (size_t i = 0; i < proxies->n; i++) {
		const char *name = proxies->items[i];

		if (!*name || strlen(name) > 63 || name[strspn(name, plain)])
			return value_refuse(&load->reader, &where,
				"\"%s\" is no value of a label; write the name of a proxy", name);
	}
	return 0;
}

static int check_source(struct load *load)
{
	const struct config *config = load->config;
	struct where path = where_of(load, "kubernetes.path");
	struct where kubeconfig = where_of(load, "kubernetes.kubeconfig");

	if (config->kubernetes_source == SOURCE_FILES && !config->kubernetes_path)
		return value_refuse(&load->reader, &path,
			"must be set with kubernetes.source: files; write the directory of the "
			"manifests");
	if (config->kubernetes_source == SOURCE_FILES && config->kubernetes_kubeconfig)
		return value_refuse(&load->reader, &kubeconfig,
			"does not act with kubernetes.source: files; remove one of them");
	if (config->kubernetes_source == SOURCE_CLUSTER && config->kubernetes_path)
		return value_refuse(&load->reader, &path,
			"does not act with kubernetes.source: cluster; remove it, or write source: "
			"files");
	return 0;
}

static int check_wait_for(struct load *load)
{
	struct where where = where_of(load, "announce.wait_for");
	const char *url = load->config->announce_wait_for;

	if (url && !gate_parse(url))
		return value_refuse(&load->reader, &where,
			"\"%s\" is not allowed; write http://ADDRESS:PORT/PATH, like "
			"http://127.0.0.1:10256/healthz",
			url);
	if (!url && load->config->announce_drain_on & 1u << DRAIN_ON_WAIT_FOR) {
		where = where_of(load, "announce.drain_on");
		return value_refuse(&load->reader, &where,
			"wait_for asks the URL of announce.wait_for; set that, or remove it");
	}
	return 0;
}

static int check_listen(struct load *load)
{
	struct where where = where_of(load, "http.listen");
	const char *listen = load->config->http_listen;
	struct prefix host;
	uint16_t port;

	if (*listen && !http_parse_listen(listen, &host, &port))
		return value_refuse(&load->reader, &where,
			"\"%s\" is not allowed; write ADDRESS:PORT, like 127.0.0.1:9474, "
			"0.0.0.0:9474 or "
			"[::1]:9474",
			listen);
	return 0;
}

static int check_token(struct load *load)
{
	struct where where = where_of(load, "http.token_file");
	auto_free char *error = NULL;
	auto_free char *token = NULL;

	if (!load->config->http_token_file)
		return 0;
	token = http_read_token(load->config->http_token_file, &error);
	return token ? 0
		     : value_refuse(&load->reader, &where,
			       "%s; write a token into it, or remove the key", error);
}

void config_tls_files(const struct config *config, struct tls_files *out)
{
	*out = (struct tls_files){
		.certificate = config->http_tls_certificate_file,
		.key = config->http_tls_key_file,
		.client_ca = config->http_client_ca_file,
	};
}

/* The error names a key, and then its file. */
static int refuse_tls(struct load *load, const char *error)
{
	auto_free char *key = xstrndup(error, strcspn(error, ":"));
	struct where where = where_of(load, key);

	return value_refuse(&load->reader, &where, "%s; mend the file, or remove the key",
		error + strlen(key) + strlen(": "));
}

static int check_tls(struct load *load)
{
	struct where certificate = where_of(load, "http.tls_certificate_file");
	struct where key = where_of(load, "http.tls_key_file");
	struct where client_ca = where_of(load, "http.client_ca_file");
	auto_free char *error = NULL;
	struct tls *tls = NULL;
	struct tls_files files;

	config_tls_files(load->config, &files);
	if (files.certificate && !files.key)
		return value_refuse(
			&load->reader, &certificate, "needs http.tls_key_file; write it, too");
	if (files.key && !files.certificate)
		return value_refuse(
			&load->reader, &key, "needs http.tls_certificate_file; write it, too");
	if (files.client_ca && !files.certificate)
		return value_refuse(&load->reader, &client_ca,
			"needs TLS; write http.tls_certificate_file and http.tls_key_file, too");
	if (files.certificate && tls_new(&files, &tls, &error) < 0)
		return refuse_tls(load, error);
	tls_free(tls);
	return 0;
}

/* Several classes may have the same one. */
static int add_tag(struct load *load, const struct where *where, int64_t tag)
{
	struct config *config = load->config;

	for (size_t i = 0; i < config->n_tags; i++) {
		if (config->tags[i] == tag)
			return 0;
	}
	if (config->n_tags == CONFIG_N_TAGS)
		return value_refuse(&load->reader, where,
			"more than %d tags in all; lower a weight_limit", CONFIG_N_TAGS);
	config->tags[config->n_tags++] = (uint32_t)tag;
	return 0;
}

static int add_tags(struct load *load, const struct where *where, const struct config_class *class)
{
	int r = 0;

	for (int64_t tag = class->tag; r == 0 && tag <= class_last_tag(class); tag++)
		r = add_tag(load, where, tag);
	return r == 0 && class->degraded_tag ? add_tag(load, where, class->degraded_tag) : r;
}

static int check_class(struct load *load, struct where where, struct config_class *class)
{
	int r = class_check(&load->reader, &where, load->config, class);

	return r == 0 ? add_tags(load, &where, class) : r;
}

/* "5000" or "5000-5010". */
static bool parse_tags(const char *text, int64_t *out_first, int64_t *out_last)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	*out_first = *out_last = strtoll(text, &end, 10);
	if (*end == '-' && end[1] >= '0' && end[1] <= '9')
		*out_last = strtoll(end + 1, &end, 10);
	return !*end && *out_first > 0 && *out_last >= *out_first && *out_last <= UINT32_MAX;
}

static int add_policy_tags(struct load *load)
{
	const struct config *config = load->config;
	struct where where = where_of(load, "announce.policy_tags");
	int64_t first, last;
	int r = 0;

	for (size_t i = 0; r == 0 && i < config->announce_policy_tags.n; i++) {
		const char *text = config->announce_policy_tags.items[i];

		if (!parse_tags(text, &first, &last))
			return value_refuse(&load->reader, &where,
				"\"%s\" is not allowed; write a tag from 1 to %u, or FIRST-LAST",
				text, UINT32_MAX);
		if (first <= config->announce_drain_tag && config->announce_drain_tag <= last)
			return value_refuse(&load->reader, &where,
				"announce.drain_tag, %lld, must not be among them",
				(long long)config->announce_drain_tag);
		for (int64_t tag = first; r == 0 && tag <= last; tag++)
			r = add_tag(load, &where, tag);
	}
	return r;
}

static int check_classes(struct load *load)
{
	struct config *config = load->config;
	struct where where = where_of(load, "announce.tag");
	struct where damping = where_of(load, "stability.damping_suppress");
	int r;

	config->tags[0] = (uint32_t)config->defaults.tag;
	config->tags[1] = (uint32_t)config->announce_drain_tag;
	config->n_tags = 2;
	r = class_check_damping(&load->reader, &damping, &config->defaults);
	if (r == 0)
		r = check_class(load, where, &config->defaults);
	for (size_t i = 0; r == 0 && i < config->n_classes; i++) {
		auto_free char *path = xasprintf("classes.%s", config->classes[i].name);

		r = check_class(load, where_of(load, path), &config->classes[i]);
	}
	if (r == 0)
		r = add_policy_tags(load);
	config->n_stated_tags = config->n_tags;
	return r;
}

const struct config_class *config_find_class(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->n_classes; i++) {
		if (!strcmp(config->classes[i].name, name))
			return &config->classes[i];
	}
	return NULL;
}

/* The original's frr.socket_path was the directory. */
static void complete_socket_path(struct config *config)
{
	char *path = config->frr_socket_path;
	size_t n = strlen(path);

	if (n >= 4 && !strcmp(path + n - 4, ".api"))
		return;
	config->frr_socket_path =
		xasprintf("%s%szserv.api", path, n && path[n - 1] == '/' ? "" : "/");
	free(path);
}

static int check_all(struct load *load)
{
	struct config *config = load->config;
	struct where node = {.key = "node"};
	struct where drain = where_of(load, "announce.drain_tag");
	int r = 0;

	if (!*config->node)
		return value_refuse(
			&load->reader, &node, "must not be empty; write the name of this node");
	if (config->announce_drain_tag == config->defaults.tag)
		return value_refuse(&load->reader, &drain, "must differ from announce.tag");
	complete_socket_path(config);
	if (r == 0)
		r = check_classes(load);
	if (r == 0)
		r = check_word(load);
	if (r == 0)
		r = check_loopback(load);
	if (r == 0)
		r = check_vrf(load);
	if (r == 0)
		r = check_source(load);
	if (r == 0)
		r = check_selector(load);
	if (r == 0)
		r = check_proxies(load);
	if (r == 0)
		r = check_wait_for(load);
	if (r == 0)
		r = check_listen(load);
	if (r == 0)
		r = check_token(load);
	if (r == 0)
		r = check_tls(load);
	return r;
}

/* Who pipes a configuration in may need a while to have it. */
static int read_whole(const char *path, char **out, size_t *out_size)
{
	return strcmp(path, "/dev/stdin")
		       ? file_read(path, CONFIG_MAX_BYTES, out, out_size)
		       : file_read_fd(STDIN_FILENO, CONFIG_MAX_BYTES, out, out_size);
}

static int load_file(struct load *load, struct ytree **out)
{
	auto_free char *text = NULL;
	struct where where = {0};
	struct ytree_error error;
	size_t size;
	int r = read_whole(load->reader.file, &text, &size);

	if (r < 0)
		return value_refuse(&load->reader, &where, "%s", strerror(-r));
	if (ytree_parse(text, size, out, &error) < 0) {
		where.place = error.place;
		return value_refuse(&load->reader, &where, "%s", error.text);
	}
	load->reader.yaml = *out;
	if (ytree_documents(*out) > 1) {
		where.place = ytree_place_root(*out, 1);
		return value_refuse(
			&load->reader, &where, "a second document; a configuration is one");
	}
	if (ytree_documents(*out) == 0)
		return 0;
	where.place = ytree_place_root(*out, 0);
	if (!json_is_object(ytree_document(*out, 0)))
		return value_refuse(&load->reader, &where, "must hold keys, like \"node: NAME\"");
	return load_object(load, ytree_document(*out, 0), "");
}

int config_load(const char *path, struct config **out, char **out_error)
{
	auto_config struct config *config = xcalloc(1, sizeof(*config));
	auto_ytree struct ytree *yaml = NULL;
	auto_free bool *given = xcalloc(n_keys, sizeof(*given));
	struct load load = {
		.config = config, .reader = {.file = path, .out_error = out_error}, .given = given};
	int r;

	config->path = xstrdup(path);

	/* Lists and words of the defaults first; ${NODE_NAME} only if the file leaves it to that.
	 */
	for (size_t i = 0; i < n_keys; i++) {
		if (keys[i].kind != STRING && value_set_default(&load.reader, &keys[i], config) < 0)
			return -EINVAL;
	}
	r = load_file(&load, &yaml);
	note_stated(&load);
	for (size_t i = 0; r == 0 && i < n_keys; i++) {
		if (keys[i].kind == STRING && !load.given[i])
			r = value_set_default(&load.reader, &keys[i], config);
	}
	if (r == 0 && yaml)
		r = load_classes(&load);
	if (r == 0)
		r = check_all(&load);
	if (r < 0)
		return r;
	*out = TAKE(config);
	return 0;
}

struct config *config_free(struct config *config)
{
	if (!config)
		return NULL;
	for (size_t i = 0; i < n_keys; i++) {
		void *field = (char *)config + keys[i].offset;

		if (keys[i].kind == STRING)
			free(*(char **)field);
		else if (keys[i].kind != RETIRED)
			value_clear(&keys[i], field);
	}
	for (size_t i = 0; i < config->n_classes; i++)
		class_deinit(&config->classes[i]);
	free(config->classes);
	for (size_t i = 0; i < config->n_warnings; i++)
		free(config->warnings[i]);
	free(config->warnings);
	free(config->path);
	free(config);
	return NULL;
}

/* Comparing. */

/* How a key takes effect, by the beginning of its path; all others: CHANGE_LIVE. */
static const struct {
	const char *path;
	enum config_change change;
} changes[] = {
	{"node", CHANGE_RESTART},
	{"kubernetes.", CHANGE_RESTART},
	{"services.namespaces", CHANGE_RESTART},
	{"services.namespace_selector", CHANGE_RESTART},
	{"services.proxies", CHANGE_RESTART},
	{"announce.redistribute", CHANGE_WITHDRAW},
	{"announce.vrf", CHANGE_WITHDRAW},
	{"announce.nexthop", CHANGE_RESTART},
	{"announce.distance", CHANGE_RESTART},
	{"announce.tag", CHANGE_RESTART},
	{"announce.drain_tag", CHANGE_RESTART},
	{"announce.policy_tags", CHANGE_RESTART},
	{"announce.wait_for", CHANGE_RESTART},
	{"announce.degraded_tag", CHANGE_RESTART},
	{"announce.weight", CHANGE_RESTART},
	{"classes.", CHANGE_RESTART},
	{"loopback.lease_seconds", CHANGE_RESTART},
	{"loopback.", CHANGE_WITHDRAW},
	{"frr.socket_path", CHANGE_WITHDRAW},
	{"frr.stale_seconds", CHANGE_RESTART},
	{"frr.verify_bgp", CHANGE_RESTART},
	{"http.", CHANGE_RESTART},
};

static enum config_change change_of(const char *path)
{
	for (size_t i = 0; i < N_ELEMENTS(changes); i++) {
		if (!strncmp(path, changes[i].path, strlen(changes[i].path)))
			return changes[i].change;
	}
	return CHANGE_LIVE;
}

static bool compare_class(const struct config_class *from, const struct config_class *to,
	const char **comma, FILE *out)
{
	bool changed = false;

	for (size_t i = 0; i < n_class_keys; i++) {
		const char *name;
		const struct key *key = key_of_class(i, &name);
		auto_free char *before = value_text(key, key_class_field(from, key));
		auto_free char *after = value_text(key, key_class_field(to, key));

		if (!strcmp(before, after))
			continue;
		fprintf(out, "%sclasses.%s.%s: %s -> %s", *comma, from->name, name, before, after);
		*comma = "; ";
		changed = true;
	}
	return changed;
}

static bool compare_classes(
	const struct config *from, const struct config *to, const char *comma, FILE *out)
{
	bool changed = false;

	for (size_t i = 0; i < from->n_classes; i++) {
		const struct config_class *class = &from->classes[i];
		const struct config_class *other = config_find_class(to, class->name);

		if (other && compare_class(class, other, &comma, out))
			changed = true;
		if (other)
			continue;
		fprintf(out, "%sclasses.%s: removed", comma, class->name);
		comma = "; ";
		changed = true;
	}
	for (size_t i = 0; i < to->n_classes; i++) {
		if (config_find_class(from, to->classes[i].name))
			continue;
		fprintf(out, "%sclasses.%s: added", comma, to->classes[i].name);
		comma = "; ";
		changed = true;
	}
	return changed;
}

enum config_change config_compare(
	const struct config *from, const struct config *to, char **out_text)
{
	enum config_change change = CHANGE_NONE;
	size_t size = 0;
	FILE *out = xmemstream(out_text, &size);

	for (size_t i = 0; i < n_keys; i++) {
		auto_free char *before = NULL;
		auto_free char *after = NULL;

		if (keys[i].kind == RETIRED)
			continue;
		before = value_text(&keys[i], (const char *)from + keys[i].offset);
		after = value_text(&keys[i], (const char *)to + keys[i].offset);
		if (!strcmp(before, after))
			continue;
		fprintf(out, "%s%s: %s -> %s", change ? "; " : "", keys[i].path, before, after);
		change = MAX(change, change_of(keys[i].path));
	}
	if (compare_classes(from, to, change ? "; " : "", out))
		change = MAX(change, change_of("classes."));
	fclose(out);
	return change;
}

static bool has_tag(const struct config *config, uint32_t tag)
{
	for (size_t i = 0; i < config->n_tags; i++) {
		if (config->tags[i] == tag)
			return true;
	}
	return false;
}

/* After many changes the oldest are forgotten. */
void config_inherit_tags(struct config *config, const struct config *from)
{
	for (size_t i = 0; i < from->n_tags && config->n_tags < CONFIG_N_TAGS; i++) {
		if (!has_tag(config, from->tags[i]))
			config->tags[config->n_tags++] = from->tags[i];
	}
}

/* Both have the same classes. */
void config_restate(struct config *config, const struct config *from)
{
	config->defaults.stated = from->defaults.stated;
	for (size_t i = 0; i < config->n_classes; i++) {
		const struct config_class *class = config_find_class(from, config->classes[i].name);

		if (class)
			config->classes[i].stated = class->stated;
	}
}

const char *address_kind_text(enum address_kind kind)
{
	static const char *const texts[] = {"cluster_ip", "load_balancer_ip", "external_ip"};

	assert(kind < N_KINDS);
	return texts[kind];
}
