/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration: one YAML file, read strictly, every key optional. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <cosmolet/k8s.h>
#include <cosmolet/log.h>
#include <cosmolet/prefix.h>
#include <cosmolet/zapi.h>

struct tls_files;

enum config_source { SOURCE_CLUSTER, SOURCE_FILES };
enum config_loopback { LOOPBACK_LOCAL_ROUTE, LOOPBACK_ADDRESS, LOOPBACK_NONE };
enum config_verify { VERIFY_OFF, VERIFY_ON };
enum config_per_service { PER_SERVICE_FULL, PER_SERVICE_AGGREGATED, PER_SERVICE_OFF };
enum config_stale { STALE_KEEP, STALE_TAG, STALE_DRAIN };
enum config_on_stop { ON_STOP_KEEP, ON_STOP_WITHDRAW, ON_STOP_DRAIN };

/* Which addresses of a service are candidates; bits of services.addresses. */
enum address_kind { KIND_CLUSTER_IP, KIND_LOAD_BALANCER, KIND_EXTERNAL_IP, N_KINDS };

/* All tags that ours may carry, and those of the configurations before. */
#define CONFIG_N_TAGS 512

/* Where an address must be served for this node to announce it. */
enum config_scope { SCOPE_LOCAL, SCOPE_AUTO, SCOPE_CLUSTER };
/* What tells the routers how many pods are ready. */
enum config_weight { WEIGHT_NONE, WEIGHT_METRIC, WEIGHT_TAG };

/* What a service may say for itself; bits of services.annotations. */
enum config_annotation {
	ANNOTATE_ANNOUNCE,
	ANNOTATE_CLASS,
	ANNOTATE_SCOPE,
	ANNOTATE_MIN_READY,
};

/* What keeps addresses away; bits of announce.withdraw_on. */
enum config_withdraw_on {
	WITHDRAW_ON_EXCLUDE_LABEL,
	WITHDRAW_ON_NETWORK_UNAVAILABLE,
	WITHDRAW_ON_SERVICE_DELETION,
	WITHDRAW_ON_NOT_READY,
	WITHDRAW_ON_OUT_OF_SERVICE,
};

/* What may drain the node; bits of announce.drain_on. */
enum config_drain_on {
	DRAIN_ON_ANNOTATION,
	DRAIN_ON_TAINT,
	DRAIN_ON_DELETION,
	DRAIN_ON_CORDON,
	DRAIN_ON_SIGNAL,
	DRAIN_ON_WAIT_FOR,
	DRAIN_ON_SHUTDOWN,
};

struct config_strings {
	char **items;
	size_t n;
};

struct config_prefixes {
	struct prefix *items;
	size_t n;
};

/* How services are announced that name this class; or, the first one, that name none. */
struct config_class {
	char *name;      /* NULL: the one of those that name none */
	bool by_policy;  /* an AnnouncementPolicy of that name, not a class of the file */
	uint32_t stated; /* 1 << key_of_class()'s index: what it says itself */
	int64_t tag;
	int64_t metric;
	int64_t degraded_tag; /* 0: none */
	int64_t min_ready;    /* below 0: a percentage */
	int scope;            /* enum config_scope */
	int weight;           /* enum config_weight */
	int64_t weight_limit;
	int64_t rise_seconds;
	int64_t fall_seconds;
	int64_t damping_half_life_seconds; /* 0: no damping, and the next three mean nothing */
	int64_t damping_suppress;
	int64_t damping_reuse;
	int64_t damping_max_seconds;
	struct config_strings namespaces; /* whose services may name it; none: all */
	char *nodes;                      /* where; NULL: everywhere */
	struct k8s_label_selector *node_selector;
};

/* How a changed key takes effect; of several, the last one. */
enum config_change {
	CHANGE_NONE,
	CHANGE_LIVE,     /* decided anew with it, at once */
	CHANGE_RESTART,  /* connections and parts are made anew; the routes stay meanwhile */
	CHANGE_WITHDRAW, /* the same, but what was announced the old way is withdrawn first */
};

/* One field per key of the file; config.c's table says what each means and may hold. */
struct config {
	char *node;
	int kubernetes_source; /* enum config_source, as are the other ints below theirs */
	char *kubernetes_kubeconfig;
	char *kubernetes_context;
	char *kubernetes_service_account;
	char *kubernetes_path;
	struct config_strings kubernetes_servers;
	int64_t kubernetes_start_spread_seconds;
	struct config_strings services_namespaces;
	char *services_namespace_selector; /* NULL: all; else it parses */
	uint32_t services_addresses;       /* 1 << enum address_kind */
	struct config_prefixes services_allow;
	struct config_strings services_classes;
	struct config_strings services_proxies;
	uint32_t services_annotations; /* 1 << enum config_annotation */
	char *announce_redistribute;
	char *announce_vrf;   /* NULL: the default one */
	int announce_nexthop; /* enum zapi_nexthop */
	int64_t announce_distance;
	int announce_on_stop;
	int64_t announce_drain_tag;
	struct config_strings announce_policy_tags; /* "5000" or "5000-5010" */
	int64_t announce_drain_seconds;
	uint32_t announce_drain_on; /* 1 << enum config_drain_on */
	struct config_strings announce_drain_taints;
	char *announce_wait_for; /* NULL: nothing */
	int64_t fail_static_limit_seconds;
	int fail_static_policy;        /* enum config_stale */
	uint32_t announce_withdraw_on; /* 1 << enum config_withdraw_on */
	int64_t anchor_percent;        /* 0: off */
	int64_t anchor_seconds;
	int64_t anchor_hold_seconds;
	struct config_class defaults; /* the keys that a class may have, too */
	struct config_class *classes;
	size_t n_classes;
	int loopback_mode;
	char *loopback_interface;
	int64_t loopback_lease_seconds;
	char *loopback_ledger_directory;
	char *frr_socket_path;
	int64_t frr_stale_seconds;
	int frr_verify_bgp;
	int64_t frr_verify_bgp_seconds;
	char *http_listen;
	char *http_token_file;
	char *http_tls_certificate_file;
	char *http_tls_key_file;
	char *http_client_ca_file;
	int metrics_per_service;
	int logging_level;
	int logging_format;

	/*
	 * Derived: from announce_redistribute; and the tags that mark a static route as ours, those
	 * of the configurations before this one included.
	 */
	enum zapi_word word;
	uint16_t instance;
	uint32_t tags[CONFIG_N_TAGS];
	size_t n_tags;
	size_t n_stated_tags; /* the first so many are this one's own */
	char *path;           /* of the file */

	bool dry_run; /* from the command line: nothing is changed anywhere */

	char **warnings; /* keys that no longer act, and such; each a line of its own */
	size_t n_warnings;
};

/*
 * Reads, checks and completes. 0 and *out for config_free(); or -EINVAL and *out_error for free():
 * "FILE:LINE:COLUMN: key: what is wrong; what is allowed".
 */
must_check int config_load(const char *path, struct config **out, char **out_error);
struct config *config_free(struct config *config);

/*
 * What lies between two configurations. *out_text, for free(), names each key that differs, with
 * both values: "announce.tag: 4711 -> 4712; …".
 */
enum config_change config_compare(
	const struct config *from, const struct config *to, char **out_text);
/* NULL: there is no such class. */
const struct config_class *config_find_class(const struct config *config, const char *name);
/* "local", "auto", "cluster", or "2" and "50%", as an annotation has them. */
must_check bool config_parse_scope(const char *text, int *out);
must_check bool config_parse_min_ready(const char *text, int64_t *out);

/* Makes the tags of the configuration before count as ours, too, and those it had inherited. */
void config_inherit_tags(struct config *config, const struct config *from);
/* Of one that does not differ: takes over which keys it states. */
void config_restate(struct config *config, const struct config *from);

/* Prints the effective configuration as YAML that config_load() would read to the same. */
void config_print(const struct config *config, FILE *out);
/* Prints the OpenAPI schema of an AnnouncementPolicy's spec.settings, as JSON. */
void config_print_settings(FILE *out);
/* Prints a Markdown table of all keys, their values, defaults and meanings. */
void config_print_keys(FILE *out);

/* What TLS is made of; its strings are the configuration's. */
void config_tls_files(const struct config *config, struct tls_files *out);

const char *address_kind_text(enum address_kind kind);

DEFINE_AUTO(config, struct config *, config_free)
#define auto_config AUTO(config)
