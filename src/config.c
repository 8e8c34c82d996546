/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration. One table says for every key where it goes, what it may hold, its default and
 * its meaning; reading, checking, printing and the table in the README all come from it.
 *
 * Values are decoded from text in one way, whether they come from the file or are defaults, so that
 * a default cannot be something that a file may not say.
 */
#include "config.h"

#include "gate.h"
#include "http.h"

#include <cosmolet/k8s.h>
#include <cosmolet/yaml.h>

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define CONFIG_MAX_BYTES (1u << 20)
#define VRF_NAME_MAX     35 /* FRR's lib/vrf.h, 7.5 to 10.7 */

enum kind { STRING, INTEGER, COUNT, CHOICE, CHOICES, STRINGS, PREFIXES, RETIRED };

struct key {
	const char *path;
	enum kind kind;
	size_t offset;
	const char *initial; /* NULL: unset. Lists: words separated by spaces */
	const char *words;   /* CHOICE and CHOICES: what is allowed, in the order of the enum */
	int64_t min, max;    /* INTEGER, COUNT */
	const char *meaning;
};

#define AT(field) offsetof(struct config, field)

static const struct key keys[] = {
	{"node", STRING, AT(node), "${NODE_NAME}", NULL, 0, 0,
		"Name of this node, as Kubernetes has it."},
	{"kubernetes.source", CHOICE, AT(kubernetes_source), "cluster", "cluster files", 0, 0,
		"Where services and pods come from: an API server, or a directory of manifests."},
	{"kubernetes.kubeconfig", STRING, AT(kubernetes_kubeconfig), NULL, NULL, 0, 0,
		"`cluster`: how to reach the API server; unset: the pod's service account."},
	{"kubernetes.context", STRING, AT(kubernetes_context), NULL, NULL, 0, 0,
		"Context of the kubeconfig; unset: its `current-context`."},
	{"kubernetes.service_account", STRING, AT(kubernetes_service_account),
		"/var/run/secrets/kubernetes.io/serviceaccount", NULL, 0, 0,
		"Directory of the service account's `token` and `ca.crt`."},
	{"kubernetes.servers", STRINGS, AT(kubernetes_servers), "", NULL, 0, 0,
		"`cluster`: URLs of API servers, `https://HOST:PORT`, tried in turn; empty: the "
		"one of the kubeconfig or the service account, which on a node may need "
		"kube-proxy."},
	{"kubernetes.start_spread_seconds", INTEGER, AT(kubernetes_start_spread_seconds), "0", NULL,
		0, 3600,
		"`cluster`: wait for up to so long, at random, before the first list; for clusters "
		"of thousands of nodes that start at once."},
	{"kubernetes.path", STRING, AT(kubernetes_path), NULL, NULL, 0, 0,
		"`files`: the directory of manifests."},
	{"services.namespaces", STRINGS, AT(services_namespaces), "", NULL, 0, 0,
		"Services of these namespaces only; empty: all."},
	{"services.namespace_selector", STRING, AT(services_namespace_selector), NULL, NULL, 0, 0,
		"Services of namespaces with such labels only, in kubectl's words: `team=shop,"
		"tier!=test,zone in (a,b),!private`; unset: all. A namespace that is not known "
		"matches nothing, not even `!private`. Needs the right to list and watch "
		"namespaces."},
	{"services.addresses", CHOICES, AT(services_addresses),
		"cluster_ip load_balancer_ip external_ip",
		"cluster_ip load_balancer_ip external_ip", 0, 0,
		"Which addresses of a service are announced."},
	{"services.allow", PREFIXES, AT(services_allow), "", NULL, 0, 0,
		"`spec.externalIPs` inside these prefixes only; empty: none at all, since any "
		"author of "
		"a service may write any address there. Other addresses: empty allows all."},
	{"services.load_balancer_classes", STRINGS, AT(services_classes), "*", NULL, 0, 0,
		"Load balancer addresses of services of these classes; `*`: any, `\"\"`: without a "
		"class."},
	{"services.scope", CHOICE, AT(defaults.scope), "local", "local auto cluster", 0, 0,
		"Where a service must have ready pods for this node to announce it: here "
		"(`local`), anywhere (`cluster`), or as its own `externalTrafficPolicy` and, for "
		"cluster IPs, `internalTrafficPolicy` say (`auto`). All but `local` need "
		"EndpointSlices."},
	{"services.min_ready", COUNT, AT(defaults.min_ready), "1", NULL, 1, 1000000,
		"Ready pods that an address needs, on this node or where `scope` counts them: a "
		"number, or a share of those that the service selects, like `50%`."},
	{"services.annotations", CHOICES, AT(services_annotations),
		"announce class scope min-ready", "announce class scope min-ready", 0, 0,
		"What a service may decide for itself, by its annotations "
		"`cosmolet.platformbuilds.io/…`."},
	{"announce.redistribute", STRING, AT(announce_redistribute), "static", NULL, 0, 0,
		"The word behind `redistribute` in bgpd: `static`, `openfabric`, `babel`, `nhrp`, "
		"`isis`, "
		"`ospf N`, `table N`, `table-direct N` or `connected`."},
	{"announce.vrf", STRING, AT(announce_vrf), NULL, NULL, 0, 0,
		"The VRF of the routes, by its name or zebra's number (`show vrf`); unset: the "
		"default one. The word behind `redistribute` then stands under `router bgp … "
		"vrf`."},
	{"announce.nexthop", CHOICE, AT(announce_nexthop), "blackhole", "blackhole unreachable lo",
		0, 0,
		"What the kernel does with packets that nothing more specific takes: drop them, "
		"refuse them, or send them to `lo`. With `loopback.mode: none` only `lo` lets "
		"processes of the node itself reach the services."},
	{"announce.tag", INTEGER, AT(defaults.tag), "4711", NULL, 1, UINT32_MAX,
		"Route tag, for `match tag` in your route-map. With `static` it also marks routes "
		"as ours."},
	{"announce.metric", INTEGER, AT(defaults.metric), "0", NULL, 0, UINT32_MAX,
		"Route metric; bgpd sends it as MED."},
	{"announce.degraded_tag", INTEGER, AT(defaults.degraded_tag), "0", NULL, 0, UINT32_MAX,
		"Route tag of an address with fewer ready pods than `min_ready`, but some; 0: it "
		"is withdrawn instead."},
	{"announce.weight", CHOICE, AT(defaults.weight), "none", "none metric tag", 0, 0,
		"How the routers learn how many pods are ready: not at all; by a metric that is "
		"greater by one for each pod that is missing to `weight_limit`; or by a tag that "
		"is `tag` for one pod, and greater by one for each further pod."},
	{"announce.weight_limit", INTEGER, AT(defaults.weight_limit), "8", NULL, 1, 64,
		"Further pods than so many make no difference."},
	{"announce.withdraw_on", CHOICES, AT(announce_withdraw_on),
		"exclude_label network_unavailable service_deletion",
		"exclude_label network_unavailable service_deletion not_ready out_of_service", 0, 0,
		"What keeps addresses away, whatever the pods: of the node, its label "
		"`node.kubernetes.io/exclude-from-external-load-balancers` (not cluster IPs), the "
		"conditions NetworkUnavailable and Ready, and the taint "
		"`node.kubernetes.io/out-of-service`; of the service, a deletion that finalizers "
		"hold up."},
	{"announce.distance", INTEGER, AT(announce_distance), "20", NULL, 1, 254,
		"Administrative distance within zebra."},
	{"announce.on_stop", CHOICE, AT(announce_on_stop), "keep", "keep withdraw drain", 0, 0,
		"What SIGTERM leaves: the routes (`keep`, for restarts that nobody notices), or "
		"none "
		"(`withdraw`); `drain` changes the tag, waits, then withdraws."},
	{"announce.drain_tag", INTEGER, AT(announce_drain_tag), "4713", NULL, 1, UINT32_MAX,
		"Route tag while draining; map it to GRACEFUL_SHUTDOWN (RFC 8326)."},
	{"announce.drain_seconds", INTEGER, AT(announce_drain_seconds), "10", NULL, 0, 3600,
		"How long to wait between the tag and the withdrawal."},
	{"announce.drain_on", CHOICES, AT(announce_drain_on), "annotation taint deletion signal",
		"annotation taint deletion cordon signal", 0, 0,
		"What drains the node: its annotation `cosmolet.platformbuilds.io/drain: "
		"\"true\"`, "
		"the taint of an autoscaler that removes it, its deletion, a cordon, or SIGUSR1 "
		"(SIGUSR2 ends that)."},
	{"announce.wait_for", STRING, AT(announce_wait_for), NULL, NULL, 0, 0,
		"After a start announce and withdraw nothing until this URL answers 2xx, however "
		"long that takes; `http://127.0.0.1:10256/healthz` is kube-proxy's."},
	{"fail_static.limit_seconds", INTEGER, AT(fail_static_limit_seconds), "0", NULL, 0, 2592000,
		"For how long what was known last is as good as new while the API server is away; "
		"0: for ever."},
	{"fail_static.policy", CHOICE, AT(fail_static_policy), "tag", "keep tag drain", 0, 0,
		"What happens then, until the API server is back: nothing but that `readyz` says "
		"so; or everything gets `announce.drain_tag`; or that, and is withdrawn "
		"`announce.drain_seconds` later."},
	{"loopback.mode", CHOICE, AT(loopback_mode), "local-route", "local-route address none", 0,
		0,
		"How the node accepts the addresses: a kernel local route each, an address each "
		"(only with "
		"`connected` or `table-direct`), or not at all."},
	{"loopback.interface", STRING, AT(loopback_interface), "lo", NULL, 0, 0,
		"The interface that carries them."},
	{"loopback.lease_seconds", INTEGER, AT(loopback_lease_seconds), "300", NULL, 0, 86400,
		"`connected`: the kernel removes the addresses that long after the last sign of "
		"life, so that a dead daemon cannot announce for ever; 0: it never does."},
	{"loopback.ledger_directory", STRING, AT(loopback_ledger_directory), "/run/cosmolet", NULL,
		0, 0,
		"`address`, before Linux 5.18, which keep no mark with an address: where it is "
		"written which of them are ours."},
	{"frr.socket_path", STRING, AT(frr_socket_path), "/var/run/frr/zserv.api", NULL, 0, 0,
		"zebra's ZAPI socket, or the directory that holds `zserv.api`."},
	{"frr.stale_seconds", INTEGER, AT(frr_stale_seconds), "300", NULL, 1, 86400,
		"How long zebra keeps our routes when we are gone (all words but `static` and "
		"`connected`)."},
	{"frr.verify_bgp", CHOICE, AT(frr_verify_bgp), "off", "off on", 0, 0,
		"Whether bgpd is asked to which neighbours it really advertises our addresses, and "
		"how those are: over its vty socket beside zebra's, with nothing but `show`. Shown "
		"in status, `why` and metrics. `announce.vrf` must then be a name."},
	{"frr.verify_bgp_seconds", INTEGER, AT(frr_verify_bgp_seconds), "10", NULL, 1, 3600,
		"Pause between the rounds of that; longer if bgpd needs long to answer."},
	{"http.listen", STRING, AT(http_listen), "127.0.0.1:9474", NULL, 0, 0,
		"`ADDRESS:PORT` of metrics, health and status; empty: off."},
	{"http.token_file", STRING, AT(http_token_file), NULL, NULL, 0, 0,
		"A file with a token that `/metrics`, `/status`, `/why` and `/` are only told to, "
		"as "
		"`Authorization: Bearer TOKEN`; read for each request. Health and version are told "
		"to anybody."},
	{"metrics.per_service", CHOICE, AT(metrics_per_service), "full", "full aggregated off", 0,
		0,
		"What `/metrics` tells of single services: series for each address and service, "
		"for each namespace, or none. The counts by state are always there."},
	{"logging.level", CHOICE, AT(logging_level), "info", "error warn info debug", 0, 0,
		"The least important lines that are written."},
	{"logging.format", CHOICE, AT(logging_format), "logfmt", "logfmt json", 0, 0,
		"Form of a log line."},
	{"loop_interval_seconds", RETIRED, 0, NULL, NULL, 0, 0,
		"there is no loop any more: changes are announced as they come"},
	{"bgp.enabled", RETIRED, 0, NULL, NULL, 0, 0,
		"FRR's configuration decides what BGP announces"},
	{"bgp.asn", RETIRED, 0, NULL, NULL, 0, 0, "FRR's configuration has the AS number"},
	{"frr.config_path", RETIRED, 0, NULL, NULL, 0, 0,
		"FRR's configuration is never read or written"},
};

/* The keys of a class: those above that it may have a value of its own for, and some more. */
static const struct {
	const char *name;
	const char *path;
} class_words[] = {
	{"tag", "announce.tag"},
	{"metric", "announce.metric"},
	{"degraded_tag", "announce.degraded_tag"},
	{"min_ready", "services.min_ready"},
	{"scope", "services.scope"},
	{"weight", "announce.weight"},
	{"weight_limit", "announce.weight_limit"},
};

static const struct key class_keys[] = {
	{"namespaces", STRINGS, AT(defaults.namespaces), "", NULL, 0, 0,
		"Only services of these namespaces may name the class; empty: all."},
	{"nodes", STRING, AT(defaults.nodes), NULL, NULL, 0, 0,
		"Only nodes with such labels announce it, like `rack in (a,b),!edge`; unset: all."},
};

#define N_CLASS_KEYS (N_ELEMENTS(class_words) + N_ELEMENTS(class_keys))
#define CLASSES_MAX  64

/* Where a value stands, for errors. A default has no file and no place. */
struct where {
	const char *file;
	struct ytree_place place;
	const char *key;
};

struct load {
	struct config *config;
	const struct ytree *yaml;
	const char *file;
	bool given[N_ELEMENTS(keys)];
	char **out_error;
};

printf_like(3, 4) static int refuse(
	struct load *load, const struct where *where, const char *format, ...)
{
	auto_free char *text = NULL;
	auto_free char *place = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		abort();
	va_end(args);
	place = where->place.line
			? xasprintf("%s:%u:%u", load->file, where->place.line, where->place.column)
			: xstrdup(load->file);
	*load->out_error = where->key ? xasprintf("%s: %s: %s", place, where->key, text)
				      : xasprintf("%s: %s", place, text);
	return -EINVAL;
}

static void warn(struct config *config, char *text)
{
	config->warnings = xrealloc(config->warnings, (config->n_warnings + 1) * sizeof(char *));
	config->warnings[config->n_warnings++] = text;
}

static const struct key *find_key(const char *path)
{
	for (size_t i = 0; i < N_ELEMENTS(keys); i++) {
		if (!strcmp(keys[i].path, path))
			return &keys[i];
	}
	return NULL;
}

/* The i-th key that a class may have; *out_name is how it is called there. */
static const struct key *class_key(size_t i, const char **out_name)
{
	if (i < N_ELEMENTS(class_words)) {
		const struct key *key = find_key(class_words[i].path);

		*out_name = class_words[i].name;
		if (!key)
			abort();
		return key;
	}
	*out_name = class_keys[i - N_ELEMENTS(class_words)].path;
	return &class_keys[i - N_ELEMENTS(class_words)];
}

/* A class's keys lie in it as the defaults' do in the configuration. */
static void *class_field(const struct config_class *class, const struct key *key)
{
	return (char *)(uintptr_t) class + (key->offset - AT(defaults));
}

/* The n-th of words separated by spaces, as a copy; NULL: there are not that many. */
static char *word_at(const char *words, size_t n)
{
	while (*words) {
		size_t len = strcspn(words, " ");

		if (n-- == 0)
			return xstrndup(words, len);
		words += len;
		words += strspn(words, " ");
	}
	return NULL;
}

static int word_index(const char *words, const char *word)
{
	for (size_t i = 0;; i++) {
		auto_free char *candidate = word_at(words, i);

		if (!candidate)
			return -1;
		if (!strcmp(candidate, word))
			return (int)i;
	}
}

/* "a b c" → "a, b or c". */
static char *words_listed(const char *words)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = xmemstream(&text, &size);

	for (size_t i = 0;; i++) {
		auto_free char *word = word_at(words, i);
		auto_free char *next = word_at(words, i + 1);

		if (!word)
			break;
		fprintf(out, "%s%s", i == 0 ? "" : next ? ", " : " or ", word);
	}
	fclose(out);
	return text;
}

/* Decoding: one value, from text or JSON, into its field. */

/* Replaces each ${NAME} by the environment's. NULL: *out_name is not set there. */
static char *expand(const char *text, char **out_name)
{
	char *result = NULL;
	size_t size = 0;
	FILE *out = xmemstream(&result, &size);

	while (*text) {
		const char *end = !strncmp(text, "${", 2) ? strchr(text, '}') : NULL;
		const char *value;

		if (!end) {
			fputc(*text++, out);
			continue;
		}
		*out_name = xstrndup(text + 2, (size_t)(end - text - 2));
		value = getenv(*out_name);
		if (!value || !*value) {
			fclose(out);
			free(result);
			return NULL;
		}
		free(TAKE(*out_name));
		fputs(value, out);
		text = end + 1;
	}
	fclose(out);
	return result;
}

static int decode_string(struct load *load, const struct where *where, const char *text, char **out)
{
	auto_free char *name = NULL;
	char *value = expand(text, &name);

	if (!value)
		return refuse(load, where,
			"${%s} is not set in the environment; set it, or write the value itself",
			name);
	free(*out);
	*out = value;
	return 0;
}

/* The original's words that have another name here: "text" is its only other form of a log line. */
static const char *renamed(const struct where *where, const char *text)
{
	bool format = where->key && !strcmp(where->key, "logging.format");

	return format && !strcmp(text, "text") ? "logfmt" : text;
}

static int decode_choice(struct load *load, const struct where *where, const struct key *key,
	const char *text, int *out)
{
	auto_free char *allowed = words_listed(key->words);
	int index = word_index(key->words, renamed(where, text));

	if (index < 0)
		return refuse(load, where, "\"%s\" is not allowed; write %s", text, allowed);
	*out = index;
	return 0;
}

static int decode_integer(struct load *load, const struct where *where, const struct key *key,
	int64_t value, int64_t *out)
{
	if (value < key->min || value > key->max)
		return refuse(load, where, "%lld is not allowed; write a number from %lld to %lld",
			(long long)value, (long long)key->min, (long long)key->max);
	*out = value;
	return 0;
}

bool config_parse_min_ready(const char *text, int64_t *out)
{
	char *end;
	long value;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || value < 1 || value > 1000000)
		return false;
	if (!strcmp(end, "%") && value <= 100)
		*out = -value;
	else if (!*end)
		*out = value;
	else
		return false;
	return true;
}

bool config_parse_scope(const char *text, int *out)
{
	*out = word_index("local auto cluster", text);
	return *out >= 0;
}

static int decode_count(struct load *load, const struct where *where, const struct key *key,
	const json_t *json, int64_t *out)
{
	if (json_is_integer(json))
		return decode_integer(load, where, key, json_integer_value(json), out);
	if (json_is_string(json) && config_parse_min_ready(json_string_value(json), out))
		return 0;
	return refuse(load, where,
		"must be a number from %lld to %lld, or a share from 1%% to 100%%",
		(long long)key->min, (long long)key->max);
}

static int add_prefix(
	struct load *load, const struct where *where, const char *text, struct config_prefixes *out)
{
	struct prefix p;

	if (!prefix_parse(text, &p) && !prefix_parse_host(text, &p))
		return refuse(load, where,
			"\"%s\" is no prefix; write ADDRESS/LENGTH without bits behind the length, "
			"like "
			"192.0.2.0/24 or 2001:db8::/64",
			text);
	out->items = xrealloc(out->items, (out->n + 1) * sizeof(*out->items));
	out->items[out->n++] = p;
	return 0;
}

/* Empties a list, so that what the file says replaces the default. */
static void clear_list(const struct key *key, void *field)
{
	struct config_strings *strings = field;
	struct config_prefixes *prefixes = field;

	if (key->kind == CHOICES) {
		*(uint32_t *)field = 0;
	} else if (key->kind == STRINGS) {
		for (size_t i = 0; i < strings->n; i++)
			free(strings->items[i]);
		free(strings->items);
		*strings = (struct config_strings){0};
	} else if (key->kind == PREFIXES) {
		free(prefixes->items);
		*prefixes = (struct config_prefixes){0};
	}
}

static int add_element(struct load *load, const struct where *where, const struct key *key,
	const char *text, void *field)
{
	struct config_strings *strings = field;
	int index = 0, r;

	switch (key->kind) {
	case CHOICES:
		r = decode_choice(load, where, key, text, &index);
		if (r == 0)
			*(uint32_t *)field |= 1u << index;
		return r;
	case PREFIXES: return add_prefix(load, where, text, field);
	case STRINGS:
		strings->items = xrealloc(strings->items, (strings->n + 1) * sizeof(char *));
		strings->items[strings->n] = NULL;
		return decode_string(load, where, text, &strings->items[strings->n++]);
	case STRING:
	case INTEGER:
	case COUNT:
	case CHOICE:
	case RETIRED: break;
	}
	abort();
}

static int decode_list(struct load *load, struct where where, const struct key *key,
	const json_t *json, void *field)
{
	const json_t *element;
	size_t i;

	if (!json_is_array(json))
		return refuse(load, &where, "must be a list");
	clear_list(key, field);
	json_array_foreach (json, i, element) {
		int r;

		where.place = ytree_place_element(load->yaml, json, i);
		if (!json_is_string(element))
			return refuse(load, &where, "element %zu must be a word", i + 1);
		r = add_element(load, &where, key, json_string_value(element), field);
		if (r < 0)
			return r;
	}
	return 0;
}

static int decode(struct load *load, struct where where, const struct key *key, const json_t *json,
	void *field)
{
	switch (key->kind) {
	case STRING:
		if (!json_is_string(json))
			return refuse(load, &where, "must be a word (put it in quotes if need be)");
		return decode_string(load, &where, json_string_value(json), field);
	case INTEGER:
		if (!json_is_integer(json))
			return refuse(load, &where, "must be a number from %lld to %lld",
				(long long)key->min, (long long)key->max);
		return decode_integer(load, &where, key, json_integer_value(json), field);
	case COUNT: return decode_count(load, &where, key, json, field);
	case CHOICE: {
		auto_free char *allowed = words_listed(key->words);

		if (!json_is_string(json))
			return refuse(load, &where, "must be one of %s", allowed);
		return decode_choice(load, &where, key, json_string_value(json), field);
	}
	case CHOICES:
	case STRINGS:
	case PREFIXES: return decode_list(load, where, key, json, field);
	case RETIRED:
		warn(load->config,
			xasprintf("%s:%u:%u: %s no longer acts: %s", load->file, where.place.line,
				where.place.column, key->path, key->meaning));
		return 0;
	}
	abort();
}

static int set_default(struct load *load, const struct key *key)
{
	struct where where = {.key = key->path};
	void *field = (char *)load->config + key->offset;

	if (!key->initial)
		return 0;
	switch (key->kind) {
	case STRING: return decode_string(load, &where, key->initial, field);
	case INTEGER:
	case COUNT: *(int64_t *)field = strtoll(key->initial, NULL, 10); return 0;
	case CHOICE: return decode_choice(load, &where, key, key->initial, field);
	case CHOICES:
	case STRINGS:
	case PREFIXES:
		for (size_t i = 0;; i++) {
			auto_free char *word = word_at(key->initial, i);

			if (!word)
				return 0;
			if (add_element(load, &where, key, word, field) < 0)
				return -EINVAL;
		}
	case RETIRED: break;
	}
	return 0;
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
	for (size_t i = 0; i < N_ELEMENTS(keys); i++) {
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

	for (size_t i = 0; i < N_ELEMENTS(keys); i++) {
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

static int load_object(struct load *load, const json_t *object, const char *section)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)object, name, value) {
		auto_free char *path = xasprintf("%s%s%s", section, *section ? "." : "", name);
		struct where where = {
			.place = ytree_place_key(load->yaml, object, name), .key = path};
		const struct key *key = find_key(path);
		int r;

		if (key) {
			load->given[key - keys] = true;
			where.place = ytree_place_value(load->yaml, object, name);
			r = decode(load, where, key, value, (char *)load->config + key->offset);
		} else if (!strcmp(path, "classes")) {
			r = json_is_object(value) || json_is_null(value)
				    ? 0
				    : refuse(load, &where, "must hold classes by their names");
		} else if (!is_section(path)) {
			auto_free char *names = section_names(section);

			r = refuse(load, &where, "unknown key; allowed%s%s are: %s",
				*section ? " in " : "", section, names);
		} else if (!json_is_object(value)) {
			r = json_is_null(value) ? 0
						: refuse(load, &where, "must hold keys of its own");
		} else {
			r = load_object(load, value, path);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* Classes: what they do not say is what the rest of the file says. */

/* For the error about one that may not. */
static char *class_key_names(void)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = xmemstream(&text, &size);

	for (size_t i = 0; i < N_CLASS_KEYS; i++) {
		const char *name;

		(void)class_key(i, &name);
		fprintf(out, "%s%s", i ? ", " : "", name);
	}
	fclose(out);
	return text;
}

static int load_class_key(
	struct load *load, const json_t *object, const char *name, struct config_class *class)
{
	const json_t *value = json_object_get(object, name);
	auto_free char *path = xasprintf("classes.%s.%s", class->name, name);
	auto_free char *names = NULL;
	struct where where = {.place = ytree_place_key(load->yaml, object, name), .key = path};

	for (size_t i = 0; i < N_CLASS_KEYS; i++) {
		const char *word;
		const struct key *key = class_key(i, &word);

		if (strcmp(word, name) != 0)
			continue;
		where.place = ytree_place_value(load->yaml, object, name);
		return decode(load, where, key, value, class_field(class, key));
	}
	names = class_key_names();
	return refuse(load, &where, "unknown key; a class may have: %s", names);
}

static int load_class(
	struct load *load, const struct where *where, const char *name, const json_t *object)
{
	struct config *config = load->config;
	struct config_class *class;
	const char *key;
	json_t *value;
	int r = 0;

	if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(name) || !*name)
		return refuse(load, where,
			"\"%s\" is no name; write lower case letters, digits and hyphens", name);
	if (config->n_classes == CLASSES_MAX)
		return refuse(load, where, "more than %d classes", CLASSES_MAX);
	if (!json_is_object(object))
		return refuse(load, where, "must hold keys of its own, like \"tag: 100\"");
	config->classes =
		xrealloc(config->classes, (config->n_classes + 1) * sizeof(*config->classes));
	class = &config->classes[config->n_classes++];
	*class = config->defaults;
	class->name = xstrdup(name);
	json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
		if (r == 0)
			r = load_class_key(load, object, key, class);
	}
	return r;
}

static int load_classes(struct load *load)
{
	const json_t *root = ytree_documents(load->yaml) ? ytree_document(load->yaml, 0) : NULL;
	const json_t *classes = json_object_get(root, "classes");
	const char *name;
	json_t *value;
	int r = 0;

	json_object_foreach ((json_t *)(uintptr_t)classes, name, value) {
		auto_free char *path = xasprintf("classes.%s", name);
		struct where where = {
			.place = ytree_place_key(load->yaml, classes, name), .key = path};

		if (r == 0)
			r = load_class(load, &where, name, value);
	}
	return r;
}

/* Combinations. */

/* Refuses at the place of a key, if the file has it. */
static struct where where_of(const struct load *load, const char *path)
{
	struct where where = {.key = path};
	auto_free char *section = xstrndup(path, strcspn(path, "."));
	const char *name = strchr(path, '.');
	const json_t *root =
		load->yaml && ytree_documents(load->yaml) ? ytree_document(load->yaml, 0) : NULL;

	if (root && name)
		where.place =
			ytree_place_value(load->yaml, json_object_get(root, section), name + 1);
	return where;
}

static int check_word(struct load *load)
{
	struct config *config = load->config;
	struct where where = where_of(load, "announce.redistribute");

	if (!zapi_word_parse(config->announce_redistribute, &config->word, &config->instance))
		return refuse(load, &where,
			"\"%s\" is not allowed; write static, openfabric, babel, nhrp, isis, ospf "
			"N, "
			"table N, table-direct N or connected, with N from 1 to 255",
			config->announce_redistribute);
	if (!zapi_word_has_family(config->word, AF_INET6))
		warn(config,
			xasprintf("%s: announce.redistribute: bgpd knows \"redistribute %s\" for "
				  "IPv4 only: IPv6 addresses will not be announced",
				load->file, config->announce_redistribute));
	return 0;
}

static int check_loopback(struct load *load)
{
	const struct config *config = load->config;
	struct where where = where_of(load, "loopback.mode");
	bool fits_address = config->word == ZAPI_CONNECTED || config->word == ZAPI_TABLE_DIRECT;

	if (config->loopback_mode == LOOPBACK_ADDRESS && !fits_address)
		return refuse(load, &where,
			"\"address\" and \"redistribute %s\" exclude each other: zebra prefers the "
			"connected route of the address, and bgpd would withdraw ours; write "
			"loopback.mode: local-route, or announce.redistribute: connected",
			config->announce_redistribute);
	if (config->loopback_mode != LOOPBACK_ADDRESS && config->word == ZAPI_CONNECTED)
		return refuse(load, &where,
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
		return refuse(load, &where, "must not be empty; write a VRF's name, or remove it");
	if (config->announce_vrf && strlen(config->announce_vrf) > VRF_NAME_MAX)
		return refuse(load, &where, "\"%s\" is longer than FRR's %d characters for a VRF",
			config->announce_vrf, VRF_NAME_MAX);
	if (config->announce_vrf && strpbrk(config->announce_vrf, " \t\r\n"))
		return refuse(load, &where, "\"%s\" holds blanks, which no VRF's name does",
			config->announce_vrf);
	if (config->announce_vrf && config->announce_nexthop == ZAPI_LO)
		return refuse(load, &where,
			"\"%s\" and announce.nexthop: lo exclude each other: lo belongs to the "
			"default VRF; write announce.nexthop: blackhole",
			config->announce_vrf);
	if (config->announce_vrf && config->word == ZAPI_TABLE_DIRECT)
		return refuse(load, &where,
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
		return refuse(load, &where, "must not be empty; write a selector, or remove it");
	if (k8s_label_selector_parse(config->services_namespace_selector, &selector, &error) < 0)
		return refuse(load, &where, "%s", error);
	k8s_label_selector_free(selector);
	return 0;
}

static int check_source(struct load *load)
{
	const struct config *config = load->config;
	struct where path = where_of(load, "kubernetes.path");
	struct where kubeconfig = where_of(load, "kubernetes.kubeconfig");

	if (config->kubernetes_source == SOURCE_FILES && !config->kubernetes_path)
		return refuse(load, &path,
			"must be set with kubernetes.source: files; write the directory of the "
			"manifests");
	if (config->kubernetes_source == SOURCE_FILES && config->kubernetes_kubeconfig)
		return refuse(load, &kubeconfig,
			"does not act with kubernetes.source: files; remove one of them");
	if (config->kubernetes_source == SOURCE_CLUSTER && config->kubernetes_path)
		return refuse(load, &path,
			"does not act with kubernetes.source: cluster; remove it, or write source: "
			"files");
	return 0;
}

static int check_wait_for(struct load *load)
{
	struct where where = where_of(load, "announce.wait_for");
	const char *url = load->config->announce_wait_for;

	if (url && !gate_parse(url))
		return refuse(load, &where,
			"\"%s\" is not allowed; write http://ADDRESS:PORT/PATH, like "
			"http://127.0.0.1:10256/healthz",
			url);
	return 0;
}

static int check_listen(struct load *load)
{
	struct where where = where_of(load, "http.listen");
	const char *listen = load->config->http_listen;
	struct prefix host;
	uint16_t port;

	if (*listen && !http_parse_listen(listen, &host, &port))
		return refuse(load, &where,
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
		     : refuse(load, &where, "%s; write a token into it, or remove the key", error);
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
		return refuse(load, where, "more than %d tags in all; lower a weight_limit",
			CONFIG_N_TAGS);
	config->tags[config->n_tags++] = (uint32_t)tag;
	return 0;
}

static int64_t last_tag(const struct config_class *class)
{
	return class->tag + (class->weight == WEIGHT_TAG ? class->weight_limit - 1 : 0);
}

static bool has_own_tag(const struct config_class *class, int64_t tag)
{
	return tag >= class->tag && tag <= last_tag(class);
}

static int check_class_tags(
	struct load *load, const struct where *where, const struct config_class *class)
{
	int64_t drain = load->config->announce_drain_tag;
	int r = 0;

	if (last_tag(class) > UINT32_MAX)
		return refuse(load, where, "tag and weight_limit lead beyond %u", UINT32_MAX);
	if (has_own_tag(class, drain) || class->degraded_tag == drain)
		return refuse(load, where,
			"announce.drain_tag, %lld, must differ from all tags of healthy and "
			"degraded addresses",
			(long long)drain);
	if (has_own_tag(class, class->degraded_tag))
		return refuse(load, where,
			"the degraded_tag, %lld, must differ from the tags of healthy addresses",
			(long long)class->degraded_tag);
	for (int64_t tag = class->tag; r == 0 && tag <= last_tag(class); tag++)
		r = add_tag(load, where, tag);
	return r == 0 && class->degraded_tag ? add_tag(load, where, class->degraded_tag) : r;
}

static int check_class(struct load *load, struct where where, struct config_class *class)
{
	auto_free char *error = NULL;

	if (class->nodes &&
		k8s_label_selector_parse(class->nodes, &class->node_selector, &error) < 0)
		return refuse(load, &where, "nodes: %s", error);
	return check_class_tags(load, &where, class);
}

static int check_classes(struct load *load)
{
	struct config *config = load->config;
	struct where where = where_of(load, "announce.tag");
	int r;

	config->tags[0] = (uint32_t)config->defaults.tag;
	config->tags[1] = (uint32_t)config->announce_drain_tag;
	config->n_tags = 2;
	r = check_class(load, where, &config->defaults);
	for (size_t i = 0; r == 0 && i < config->n_classes; i++) {
		auto_free char *path = xasprintf("classes.%s", config->classes[i].name);

		r = check_class(load, where_of(load, path), &config->classes[i]);
	}
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
		return refuse(load, &node, "must not be empty; write the name of this node");
	if (config->announce_drain_tag == config->defaults.tag)
		return refuse(load, &drain, "must differ from announce.tag");
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
		r = check_wait_for(load);
	if (r == 0)
		r = check_listen(load);
	if (r == 0)
		r = check_token(load);
	return r;
}

static int load_file(struct load *load, struct ytree **out)
{
	auto_free char *text = NULL;
	struct where where = {0};
	struct ytree_error error;
	size_t size;
	int r = file_read(load->file, CONFIG_MAX_BYTES, &text, &size);

	if (r < 0)
		return refuse(load, &where, "%s", strerror(-r));
	if (ytree_parse(text, size, out, &error) < 0) {
		where.place = error.place;
		return refuse(load, &where, "%s", error.text);
	}
	load->yaml = *out;
	if (ytree_documents(*out) > 1) {
		where.place = ytree_place_root(*out, 1);
		return refuse(load, &where, "a second document; a configuration is one");
	}
	if (ytree_documents(*out) == 0)
		return 0;
	where.place = ytree_place_root(*out, 0);
	if (!json_is_object(ytree_document(*out, 0)))
		return refuse(load, &where, "must hold keys, like \"node: NAME\"");
	return load_object(load, ytree_document(*out, 0), "");
}

static void class_deinit(struct config_class *class)
{
	for (size_t i = 0; i < N_ELEMENTS(class_keys); i++) {
		if (class_keys[i].kind == STRING)
			free(*(char **)class_field(class, &class_keys[i]));
		else
			clear_list(&class_keys[i], class_field(class, &class_keys[i]));
	}
	k8s_label_selector_free(class->node_selector);
	free(class->name);
}

int config_load(const char *path, struct config **out, char **out_error)
{
	auto_config struct config *config = xcalloc(1, sizeof(*config));
	auto_ytree struct ytree *yaml = NULL;
	struct load load = {.config = config, .file = path, .out_error = out_error};
	int r;

	config->path = xstrdup(path);

	/* Lists and words of the defaults first; ${NODE_NAME} only if the file leaves it to that.
	 */
	for (size_t i = 0; i < N_ELEMENTS(keys); i++) {
		if (keys[i].kind != STRING && set_default(&load, &keys[i]) < 0)
			return -EINVAL;
	}
	r = load_file(&load, &yaml);
	for (size_t i = 0; r == 0 && i < N_ELEMENTS(keys); i++) {
		if (keys[i].kind == STRING && !load.given[i])
			r = set_default(&load, &keys[i]);
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
	for (size_t i = 0; i < N_ELEMENTS(keys); i++) {
		void *field = (char *)config + keys[i].offset;

		if (keys[i].kind == STRING)
			free(*(char **)field);
		else if (keys[i].kind != RETIRED)
			clear_list(&keys[i], field);
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

/* Printing. */

static void print_quoted(FILE *out, const char *text)
{
	json_t *json = json_string(text);

	json_dumpf(json, out, JSON_ENCODE_ANY);
	json_decref(json);
}

static void print_value(const struct key *key, const void *field, FILE *out)
{
	const struct config_strings *strings = field;
	const struct config_prefixes *prefixes = field;
	char buf[PREFIX_STRLEN];
	const char *comma = "";

	switch (key->kind) {
	case STRING: print_quoted(out, *(char *const *)field); break;
	case INTEGER: fprintf(out, "%lld", (long long)*(const int64_t *)field); break;
	case COUNT:
		fprintf(out, *(const int64_t *)field < 0 ? "%lld%%" : "%lld",
			llabs(*(const int64_t *)field));
		break;
	case CHOICE: {
		auto_free char *word = word_at(key->words, (size_t) * (const int *)field);

		fputs(word, out);
		break;
	}
	case CHOICES:
		fputc('[', out);
		for (size_t i = 0;; i++) {
			auto_free char *word = word_at(key->words, i);

			if (!word)
				break;
			if (*(const uint32_t *)field & 1u << i) {
				fprintf(out, "%s%s", comma, word);
				comma = ", ";
			}
		}
		fputc(']', out);
		break;
	case STRINGS:
		fputc('[', out);
		for (size_t i = 0; i < strings->n; i++) {
			fputs(i ? ", " : "", out);
			print_quoted(out, strings->items[i]);
		}
		fputc(']', out);
		break;
	case PREFIXES:
		fputc('[', out);
		for (size_t i = 0; i < prefixes->n; i++)
			fprintf(out, "%s\"%s\"", i ? ", " : "",
				prefix_text(&prefixes->items[i], buf));
		fputc(']', out);
		break;
	case RETIRED: break;
	}
}

static void print_class(const struct config_class *class, FILE *out)
{
	fprintf(out, "  %s:\n", class->name);
	for (size_t i = 0; i < N_CLASS_KEYS; i++) {
		const char *name;
		const struct key *key = class_key(i, &name);
		const void *field = class_field(class, key);

		if (key->kind == STRING && !*(char *const *)field)
			continue;
		fprintf(out, "    %s: ", name);
		print_value(key, field, out);
		fputc('\n', out);
	}
}

void config_print(const struct config *config, FILE *out)
{
	const char *section = "";
	size_t section_len = 0;

	for (size_t i = 0; i < N_ELEMENTS(keys); i++) {
		const struct key *key = &keys[i];
		const void *field = (const char *)config + key->offset;
		const char *dot = strchr(key->path, '.');
		size_t len = dot ? (size_t)(dot - key->path) : 0;

		if (key->kind == RETIRED || (key->kind == STRING && !*(char *const *)field))
			continue;
		if (dot && (len != section_len || strncmp(section, key->path, len) != 0))
			fprintf(out, "%.*s:\n", (int)len, key->path);
		section = key->path;
		section_len = len;
		fprintf(out, "%s%s: ", dot ? "  " : "", dot ? dot + 1 : key->path);
		print_value(key, field, out);
		fputc('\n', out);
	}
	if (config->n_classes)
		fputs("classes:\n", out);
	for (size_t i = 0; i < config->n_classes; i++)
		print_class(&config->classes[i], out);
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
	{"announce.redistribute", CHANGE_WITHDRAW},
	{"announce.vrf", CHANGE_WITHDRAW},
	{"announce.nexthop", CHANGE_RESTART},
	{"announce.distance", CHANGE_RESTART},
	{"announce.tag", CHANGE_RESTART},
	{"announce.drain_tag", CHANGE_RESTART},
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

/* For free(). */
static char *value_text(const struct key *key, const void *field)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out;

	if (key->kind == STRING && !*(char *const *)field)
		return xstrdup("unset");
	out = xmemstream(&text, &size);
	print_value(key, field, out);
	fclose(out);
	return text;
}

static bool compare_class(const struct config_class *from, const struct config_class *to,
	const char **comma, FILE *out)
{
	bool changed = false;

	for (size_t i = 0; i < N_CLASS_KEYS; i++) {
		const char *name;
		const struct key *key = class_key(i, &name);
		auto_free char *before = value_text(key, class_field(from, key));
		auto_free char *after = value_text(key, class_field(to, key));

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

	for (size_t i = 0; i < N_ELEMENTS(keys); i++) {
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

static void print_initial(const struct key *key, FILE *out)
{
	if (key->words && !strcmp(key->initial, key->words)) {
		fputs("all of them", out);
		return;
	}
	fputs("`[", out);
	for (size_t i = 0;; i++) {
		auto_free char *word = word_at(key->initial, i);

		if (!word)
			break;
		fprintf(out, "%s%s", i ? ", " : "", word);
	}
	fputs("]`", out);
}

static void print_class_key(size_t i, FILE *out)
{
	const char *name;
	const struct key *key = class_key(i, &name);

	fprintf(out, "| `classes.NAME.%s` | ", name);
	if (strcmp(name, key->path) != 0)
		fprintf(out, "that of `%s` | The same, for services of this class. |\n", key->path);
	else
		fprintf(out, "%s | %s |\n", key->initial ? "`[]`" : "unset", key->meaning);
}

void config_print_keys(FILE *out)
{
	fputs("| key | default | meaning |\n| --- | --- | --- |\n", out);
	for (size_t i = 0; i < N_ELEMENTS(keys); i++) {
		const struct key *key = &keys[i];
		bool list = key->kind == CHOICES || key->kind == STRINGS || key->kind == PREFIXES;

		if (key->kind == RETIRED)
			continue;
		fprintf(out, "| `%s` | ", key->path);
		if (!key->initial)
			fputs("unset", out);
		else if (list && !strcmp(key->initial, "*"))
			fputs("`[\"*\"]`", out);
		else if (list)
			print_initial(key, out);
		else
			fprintf(out, "`%s`", key->initial);
		fprintf(out, " | %s", key->meaning);
		if (key->words)
			fputs(key->kind == CHOICE ? " One of" : " Any of", out);
		for (size_t j = 0; key->words; j++) {
			auto_free char *word = word_at(key->words, j);

			if (!word)
				break;
			fprintf(out, "%s `%s`", j ? "," : ":", word);
		}
		fputs(key->words ? "." : "", out);
		fputs(" |\n", out);
	}
	for (size_t i = 0; i < N_CLASS_KEYS; i++)
		print_class_key(i, out);
}

const char *address_kind_text(enum address_kind kind)
{
	static const char *const texts[] = {"cluster_ip", "load_balancer_ip", "external_ip"};

	assert(kind < N_KINDS);
	return texts[kind];
}
