/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table says for every key where it goes, what it may hold, its default and its meaning;
 * reading, checking, printing and the table in the README all come from it.
 */
#include "keys.h"

#include <string.h>

#define AT(field) offsetof(struct config, field)

const struct key keys[] = {
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
		"author of a service may write any address there; those of the node's own pods, "
		"and cluster IPs of other services, never. Other addresses: empty allows all."},
	{"services.load_balancer_classes", STRINGS, AT(services_classes), "*", NULL, 0, 0,
		"Load balancer addresses of services of these classes; `*`: any, `\"\"`: without a "
		"class."},
	{"services.proxies", STRINGS, AT(services_proxies), "", NULL, 0, 0,
		"Services with the label `service.kubernetes.io/service-proxy-name` are not "
		"kube-proxy's, and are passed over, unless it gives them to one of these. "
		"Name only what runs on this node."},
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
		"as ours: change it while cosmolet runs, or name the one before in "
		"`policy_tags`, or the routes with it count as the operator's."},
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
		"Administrative distance within zebra; with `static` another one than that of "
		"your own static routes, which is 1 where none is stated."},
	{"announce.on_stop", CHOICE, AT(announce_on_stop), "keep", "keep withdraw drain", 0, 0,
		"What SIGTERM leaves: the routes (`keep`, for restarts that nobody notices), or "
		"none "
		"(`withdraw`); `drain` changes the tag, waits, then withdraws."},
	{"announce.drain_tag", INTEGER, AT(announce_drain_tag), "4713", NULL, 1, UINT32_MAX,
		"Route tag while draining; map it to GRACEFUL_SHUTDOWN (RFC 8326)."},
	{"announce.policy_tags", STRINGS, AT(announce_policy_tags), "", NULL, 1, UINT32_MAX,
		"Tags that AnnouncementPolicies may use besides those of this file: numbers, or "
		"ranges like `5000-5010`. With `static` they mark routes as ours, so let no other "
		"static route have them."},
	{"announce.drain_seconds", INTEGER, AT(announce_drain_seconds), "10", NULL, 0, 3600,
		"How long to wait between the tag and the withdrawal."},
	{"announce.drain_on", CHOICES, AT(announce_drain_on),
		"annotation taint deletion signal shutdown",
		"annotation taint deletion cordon signal wait_for shutdown", 0, 0,
		"What drains the node: its annotation `cosmolet.platformbuilds.io/drain: "
		"\"true\"`, "
		"one of `drain_taints`, its deletion, a cordon, SIGUSR1 (SIGUSR2 ends that), "
		"that the kubelet shuts the node down and says so (KEP-2000), or that the URL of "
		"`wait_for`, asked every second, has three times not answered "
		"2xx."},
	{"announce.drain_taints", STRINGS, AT(announce_drain_taints),
		"ToBeDeletedByClusterAutoscaler", NULL, 0, 0,
		"Keys of taints that drain the node, whatever their value and effect; the first "
		"is that of the cluster autoscaler, which is about to remove it."},
	{"announce.wait_for", STRING, AT(announce_wait_for), NULL, NULL, 0, 0,
		"After a start announce and withdraw nothing until this URL answers 2xx, however "
		"long that takes; `http://127.0.0.1:10256/healthz` is kube-proxy's. Afterwards "
		"nobody asks it any more, unless `drain_on` has `wait_for`."},
	{"stability.rise_seconds", INTEGER, AT(defaults.rise_seconds), "0", NULL, 0, 3600,
		"For how long an address must have been healthy before it is announced. A start "
		"knows no past: what is healthy then is announced at once."},
	{"stability.fall_seconds", INTEGER, AT(defaults.fall_seconds), "0", NULL, 0, 3600,
		"For how long it must have had too few ready pods before it is withdrawn. "
		"Whatever else keeps it away withdraws it at once."},
	{"stability.damping_half_life_seconds", INTEGER, AT(defaults.damping_half_life_seconds),
		"0", NULL, 0, 86400,
		"Damping of addresses that flap, as in RFC 2439: each withdrawal for too few ready "
		"pods adds 1000 to a penalty, half of which is forgiven in this time; 0: off. RFC "
		"2439 and routers use 900."},
	{"stability.damping_suppress", INTEGER, AT(defaults.damping_suppress), "2000", NULL, 1,
		1000000, "Above this penalty an address stays withdrawn, however healthy,"},
	{"stability.damping_reuse", INTEGER, AT(defaults.damping_reuse), "750", NULL, 1, 1000000,
		"until the penalty has decayed to this,"},
	{"stability.damping_max_seconds", INTEGER, AT(defaults.damping_max_seconds), "3600", NULL,
		1, 86400, "or so long after its last withdrawal."},
	{"stability.anchor_percent", INTEGER, AT(anchor_percent), "0", NULL, 0, 100,
		"If more than this part of the announced addresses, and at least three, were "
		"withdrawn for too few ready pods within `anchor_seconds`, the withdrawals are "
		"held, since the fault may be the observer's; 0: never."},
	{"stability.anchor_seconds", INTEGER, AT(anchor_seconds), "10", NULL, 1, 3600,
		"The time in which they count together."},
	{"stability.anchor_hold_seconds", INTEGER, AT(anchor_hold_seconds), "60", NULL, 1, 86400,
		"An address that is held for so long is withdrawn: the fault has proved real."},
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
		"How long zebra keeps our routes when we are gone (all words but `static`, "
		"`table-direct` and `connected`)."},
	{"frr.verify_bgp", CHOICE, AT(frr_verify_bgp), "off", "off on", 0, 0,
		"Whether bgpd is asked to which neighbours it really advertises our addresses, and "
		"how those are: over its vty socket beside zebra's, with nothing but `show`. Shown "
		"in status, `why` and metrics."},
	{"frr.verify_bgp_seconds", INTEGER, AT(frr_verify_bgp_seconds), "10", NULL, 1, 3600,
		"Pause between the rounds of that; longer if bgpd needs long to answer."},
	{"http.listen", STRING, AT(http_listen), "127.0.0.1:9474", NULL, 0, 0,
		"`ADDRESS:PORT` of metrics, health and status, an IPv6 address with brackets or "
		"without; empty: off."},
	{"http.token_file", STRING, AT(http_token_file), NULL, NULL, 0, 0,
		"A file with a token that `/metrics`, `/status` and `/why` are only told to, as "
		"`Authorization: Bearer TOKEN`; read for each request. Health, version and the "
		"page without what it shows are for anybody."},
	{"http.tls_certificate_file", STRING, AT(http_tls_certificate_file), NULL, NULL, 0, 0,
		"A certificate in PEM, with what leads to its CA, like `tls.crt` of a Secret: "
		"`http.listen` speaks TLS 1.2 and 1.3, and nothing else. Read again when it "
		"changes; if it is no good then, the one before stays."},
	{"http.tls_key_file", STRING, AT(http_tls_key_file), NULL, NULL, 0, 0,
		"Its private key in PEM, without a passphrase, like `tls.key` of a Secret."},
	{"http.client_ca_file", STRING, AT(http_client_ca_file), NULL, NULL, 0, 0,
		"CAs in PEM: a client certificate of theirs opens what a token opens, which is "
		"then told to nobody without one of the two."},
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

const size_t n_keys = N_ELEMENTS(keys);

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
	{"rise_seconds", "stability.rise_seconds"},
	{"fall_seconds", "stability.fall_seconds"},
	{"damping_half_life_seconds", "stability.damping_half_life_seconds"},
	{"damping_suppress", "stability.damping_suppress"},
	{"damping_reuse", "stability.damping_reuse"},
	{"damping_max_seconds", "stability.damping_max_seconds"},
};

static const struct key class_keys[] = {
	{"namespaces", STRINGS, AT(defaults.namespaces), "", NULL, 0, 0,
		"Only services of these namespaces may name the class; empty: all."},
	{"nodes", STRING, AT(defaults.nodes), NULL, NULL, 0, 0,
		"Only nodes with such labels announce it, like `rack in (a,b),!edge`; unset: all."},
};

const size_t n_class_keys = N_ELEMENTS(class_words) + N_ELEMENTS(class_keys);

const struct key *key_find(const char *path)
{
	for (size_t i = 0; i < n_keys; i++) {
		if (!strcmp(keys[i].path, path))
			return &keys[i];
	}
	return NULL;
}

const struct key *key_of_class(size_t i, const char **out_name)
{
	if (i < N_ELEMENTS(class_words)) {
		const struct key *key = key_find(class_words[i].path);

		*out_name = class_words[i].name;
		if (!key)
			abort();
		return key;
	}
	*out_name = class_keys[i - N_ELEMENTS(class_words)].path;
	return &class_keys[i - N_ELEMENTS(class_words)];
}

void *key_class_field(const struct config_class *class, const struct key *key)
{
	return (char *)(uintptr_t) class + (key->offset - AT(defaults));
}

char *words_at(const char *words, size_t n)
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

int words_index(const char *words, const char *word)
{
	for (size_t i = 0;; i++) {
		auto_free char *candidate = words_at(words, i);

		if (!candidate)
			return -1;
		if (!strcmp(candidate, word))
			return (int)i;
	}
}

char *words_text(const char *words)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = xmemstream(&text, &size);

	for (size_t i = 0;; i++) {
		auto_free char *word = words_at(words, i);
		auto_free char *next = words_at(words, i + 1);

		if (!word)
			break;
		fprintf(out, "%s%s", i == 0 ? "" : next ? ", " : " or ", word);
	}
	fclose(out);
	return text;
}
