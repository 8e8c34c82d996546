/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"
#include "http.h"
#include "unit.h"

#include <fcntl.h>
#include <string.h>

/* Stands in the errors; in a directory of this run. */
#define PATH "config.yaml"

static int load(const char *yaml, struct config **out, char **out_error)
{
	auto_close int fd = open(PATH, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	int r;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, yaml, strlen(yaml)), (ssize_t)strlen(yaml));
	r = config_load(PATH, out, out_error);
	unlink(PATH);
	return r;
}

static char *printed(const struct config *config)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = xmemstream(&text, &size);

	config_print(config, out);
	fclose(out);
	return text;
}

START_TEST(an_empty_file_is_the_defaults)
{
	auto_config struct config *config = NULL, *again = NULL;
	auto_free char *error = NULL;
	auto_free char *first = NULL;
	auto_free char *second = NULL;

	setenv("NODE_NAME", "n1", 1);
	ck_assert_msg(load("", &config, &error) == 0, "%s", error);
	ck_assert_str_eq(config->node, "n1");
	ck_assert_int_eq(config->defaults.tag, 4711);
	ck_assert_int_eq(config->word, ZAPI_STATIC);
	ck_assert_uint_eq(config->services_addresses, 7);
	ck_assert_ptr_null(config->announce_vrf);
	ck_assert_int_eq(config->announce_nexthop, ZAPI_BLACKHOLE);
	first = printed(config);
	/* What is printed reads to the same. */
	ck_assert_msg(load(first, &again, &error) == 0, "%s", error);
	second = printed(again);
	ck_assert_str_eq(first, second);
}
END_TEST

START_TEST(every_key_is_read)
{
	static const char yaml[] = "node: ${NODE}-x\n"
				   "kubernetes: {source: files, path: /srv/manifests}\n"
				   "services:\n"
				   "  namespaces: [shop, web]\n"
				   "  namespace_selector: '!private'\n"
				   "  addresses: [load_balancer_ip]\n"
				   "  allow: [192.0.2.0/24, '2001:db8::/64', 198.51.100.7]\n"
				   "  load_balancer_classes: ['', a.io/b]\n"
				   "  min_ready: 3\n"
				   "announce: {redistribute: table-direct 200, tag: 4294967295, "
				   "metric: 7, distance: 30, nexthop: unreachable,\n"
				   "  on_stop: drain, drain_tag: 1, drain_seconds: 0}\n"
				   "loopback: {mode: address, interface: lo0}\n"
				   "frr: {socket_path: /run/frr, stale_seconds: 60}\n"
				   "http: {listen: '[::1]:80'}\n"
				   "logging: {level: debug, format: json}\n";
	auto_config struct config *config = NULL;
	auto_free char *error = NULL;

	setenv("NODE", "y", 1);
	ck_assert_msg(load(yaml, &config, &error) == 0, "%s", error);
	ck_assert_str_eq(config->node, "y-x");
	ck_assert_int_eq(config->kubernetes_source, SOURCE_FILES);
	ck_assert_str_eq(config->kubernetes_path, "/srv/manifests");
	ck_assert_uint_eq(config->services_namespaces.n, 2);
	ck_assert_str_eq(config->services_namespaces.items[1], "web");
	ck_assert_str_eq(config->services_namespace_selector, "!private");
	ck_assert_uint_eq(config->services_addresses, 1 << KIND_LOAD_BALANCER);
	ck_assert_uint_eq(config->services_allow.n, 3);
	ck_assert_uint_eq(config->services_allow.items[2].len, 32);
	ck_assert_str_eq(config->services_classes.items[0], "");
	ck_assert_int_eq(config->defaults.min_ready, 3);
	ck_assert_int_eq(config->word, ZAPI_TABLE_DIRECT);
	ck_assert_uint_eq(config->instance, 200);
	ck_assert_int_eq(config->announce_nexthop, ZAPI_UNREACHABLE);
	ck_assert_int_eq(config->defaults.tag, 4294967295);
	ck_assert_int_eq(config->announce_on_stop, ON_STOP_DRAIN);
	ck_assert_int_eq(config->loopback_mode, LOOPBACK_ADDRESS);
	ck_assert_str_eq(config->frr_socket_path, "/run/frr/zserv.api");
	ck_assert_int_eq(config->logging_level, LOG_DEBUG);
	ck_assert_int_eq(config->logging_format, LOG_JSON);
	ck_assert_uint_eq(config->n_warnings, 0);
}
END_TEST

START_TEST(the_originals_keys_are_read)
{
	static const char yaml[] =
		"services: {namespaces: [default]}\n"
		"loop_interval_seconds: 30\n"
		"bgp: {enabled: true, asn: 65001}\n"
		"logging: {level: info, format: text}\n"
		"frr: {socket_path: /var/run/frr, config_path: /etc/frr/frr.conf}\n";
	auto_config struct config *config = NULL;
	auto_free char *error = NULL;

	setenv("NODE_NAME", "n1", 1);
	ck_assert_msg(load(yaml, &config, &error) == 0, "%s", error);
	ck_assert_str_eq(config->frr_socket_path, "/var/run/frr/zserv.api");
	ck_assert_int_eq(config->logging_format, LOG_LOGFMT);
	ck_assert_uint_eq(config->n_warnings, 4);
	ck_assert_str_eq(config->warnings[0],
		PATH ":2:24: loop_interval_seconds no longer acts: "
		     "there is no loop any more: changes are announced "
		     "as they come");
}
END_TEST

static const struct {
	const char *yaml;
	const char *error;
} bad[] = {
	{"announce:\n  tagg: 1\n", PATH
		":2:3: announce.tagg: unknown key; allowed in announce are: redistribute, vrf, "
		"nexthop, tag, metric, degraded_tag, weight, weight_limit, withdraw_on, distance, "
		"on_stop, drain_tag, policy_tags, drain_seconds, drain_on, drain_taints, "
		"wait_for"},
	{"announce: {policy_tags: [5-]}\n",
		PATH ":1:25: announce.policy_tags: \"5-\" is not allowed; write a tag from 1 to "
		     "4294967295, or FIRST-LAST"},
	{"announce: {policy_tags: [9-5]}\n",
		PATH ":1:25: announce.policy_tags: \"9-5\" is not allowed; write a tag from 1 to "
		     "4294967295, or FIRST-LAST"},
	{"announce: {policy_tags: [4000-5000]}\n",
		PATH ":1:25: announce.policy_tags: announce.drain_tag, 4713, must not be among "
		     "them"},
	{"announce: {policy_tags: [5000-6000]}\n", PATH
		":1:25: announce.policy_tags: more than 512 tags in all; lower a weight_limit"},
	{"anounce: 1\n", PATH
		":1:1: anounce: unknown key; allowed are: node, kubernetes, services, "
		"announce, stability, fail_static, loopback, frr, http, metrics, logging, classes"},
	{"announce: {tag: lots}\n",
		PATH ":1:17: announce.tag: must be a number from 1 to 4294967295"},
	{"announce: {tag: 0}\n",
		PATH ":1:17: announce.tag: 0 is not allowed; write a number from 1 "
		     "to 4294967295"},
	{"announce: {wait_for: 'https://127.0.0.1:10256/healthz'}\n",
		PATH ":1:22: announce.wait_for: \"https://127.0.0.1:10256/healthz\" is not "
		     "allowed; write http://ADDRESS:PORT/PATH, like "
		     "http://127.0.0.1:10256/healthz"},
	{"services: {proxies: [kube-router, 'a,b']}\n",
		PATH ":1:21: services.proxies: \"a,b\" is no value of a label; write the name "
		     "of a proxy"},
	{"announce: {drain_on: [wait_for]}\n",
		PATH ":1:22: announce.drain_on: wait_for asks the URL of announce.wait_for; set "
		     "that, or remove it"},
	{"announce: {policy_tags: [0]}\n",
		PATH ":1:25: announce.policy_tags: \"0\" is not allowed; write a tag from 1 to "
		     "4294967295, or FIRST-LAST"},
	{"announce: {on_stop: true}\n",
		PATH ":1:21: announce.on_stop: must be one of keep, withdraw or drain"},
	{"metrics: {per_service: true}\n",
		PATH ":1:24: metrics.per_service: must be one of full, aggregated or off"},
	{"announce: {on_stop: stay}\n", PATH ":1:21: announce.on_stop: \"stay\" is not allowed; "
					     "write keep, withdraw or drain"},
	{"announce: {redistribute: ospf}\n", PATH
		":1:26: announce.redistribute: \"ospf\" is not allowed; write static, openfabric, "
		"babel, nhrp, isis, ospf N, table N, table-direct N or connected, with N from 1 "
		"to 255"},
	{"announce: {tag: 5, drain_tag: 5}\n",
		PATH ":1:31: announce.drain_tag: must differ from announce.tag"},
	{"loopback: {mode: address}\n",
		PATH ":1:18: loopback.mode: \"address\" and \"redistribute static\" exclude each "
		     "other: zebra prefers the connected route of the address, and bgpd would "
		     "withdraw ours; write loopback.mode: local-route, or announce.redistribute: "
		     "connected"},
	{"announce: {redistribute: connected}\n", PATH
		": loopback.mode: \"redistribute connected\" announces addresses, and this mode "
		"makes none; write loopback.mode: address"},
	{"kubernetes: {source: files}\n",
		PATH ": kubernetes.path: must be set with kubernetes.source: files; write the "
		     "directory of the manifests"},
	{"kubernetes: {path: /x}\n", PATH ":1:20: kubernetes.path: does not act with "
					  "kubernetes.source: cluster; remove it, or write source: "
					  "files"},
	{"announce: {vrf: ''}\n",
		PATH ":1:17: announce.vrf: must not be empty; write a VRF's name, or remove it"},
	{"announce: {vrf: 'a b'}\n",
		PATH ":1:17: announce.vrf: \"a b\" holds blanks, which no VRF's name does"},
	{"announce: {vrf: a23456789012345678901234567890123456}\n",
		PATH ":1:17: announce.vrf: \"a23456789012345678901234567890123456\" is longer than "
		     "FRR's 35 characters for a VRF"},
	{"announce: {vrf: red, nexthop: lo}\n",
		PATH ":1:17: announce.vrf: \"red\" and announce.nexthop: lo exclude each other: lo "
		     "belongs to the default VRF; write announce.nexthop: blackhole"},
	{"announce: {vrf: red, redistribute: table-direct 9}\n", PATH
		":1:17: announce.vrf: \"red\" and \"redistribute table-direct 9\" exclude each "
		"other: the kernel table is the default VRF's; write announce.redistribute: "
		"static"},
	{"announce: {drain_on: [cordon, sometimes]}\n", PATH
		":1:31: announce.drain_on: \"sometimes\" is not allowed; write annotation, taint, "
		"deletion, cordon, signal, wait_for or shutdown"},
	{"announce: {nexthop: drop}\n", PATH
		":1:21: announce.nexthop: \"drop\" is not allowed; write blackhole, unreachable or "
		"lo"},
	{"services: {allow: [10.0.0.1/8]}\n", PATH
		":1:20: services.allow: \"10.0.0.1/8\" is no prefix; write ADDRESS/LENGTH without "
		"bits behind the length, like 192.0.2.0/24 or 2001:db8::/64"},
	{"services: {allow: 10.0.0.0/8}\n", PATH ":1:19: services.allow: must be a list"},
	{"services: {namespaces: [1]}\n",
		PATH ":1:25: services.namespaces: element 1 must be a word"},
	{"services: {namespace_selector: ''}\n",
		PATH ":1:32: services.namespace_selector: must not be empty; write a selector, or "
		     "remove it"},
	{"services:\n  namespace_selector: 'team=shop,tier~x'\n",
		PATH ":2:23: services.namespace_selector: \"team=shop,tier~x\", at character 11: "
		     "expected the key of a label; write terms like a=b, a!=b, a in (b,c), a notin "
		     "(b,c), a or !a, with commas between them"},
	{"services: {min_ready: 0}\n",
		PATH ":1:23: services.min_ready: 0 is not allowed; write a number from 1 to "
		     "1000000"},
	{"services: {min_ready: 101%}\n",
		PATH ":1:23: services.min_ready: must be a number from 1 to 1000000, or a share "
		     "from 1% to 100%"},
	{"classes: [a]\n", PATH ":1:1: classes: must hold classes by their names"},
	{"classes: {A b: {}}\n", PATH ":1:11: classes.A b: \"A b\" is no name; write lower case "
				      "letters, digits and hyphens"},
	{"classes: {a: 7}\n",
		PATH ":1:11: classes.a: must hold keys of its own, like \"tag: 100\""},
	{"classes:\n  a:\n    drain_tag: 7\n",
		PATH ":3:5: classes.a.drain_tag: unknown key; allowed are: tag, metric, "
		     "degraded_tag, min_ready, scope, weight, weight_limit, rise_seconds, "
		     "fall_seconds, damping_half_life_seconds, damping_suppress, damping_reuse, "
		     "damping_max_seconds, namespaces, nodes"},
	{"classes: {a: {tag: x}}\n",
		PATH ":1:20: classes.a.tag: must be a number from 1 to 4294967295"},
	{"stability: {damping_half_life_seconds: 60, damping_suppress: 500}\n",
		PATH ":1:62: stability.damping_suppress: damping_reuse, 750, must be less than "
		     "damping_suppress, 500"},
	{"classes: {a: {damping_half_life_seconds: 3600}}\n",
		PATH ":1:14: classes.a: no penalty could exceed 1500, and so never "
		     "damping_suppress, 2000; raise damping_max_seconds, or lower the half-life"},
	{"classes: {a: {tag: 4713}}\n",
		PATH ":1:14: classes.a: announce.drain_tag, 4713, must differ from all tags of "
		     "healthy and degraded addresses"},
	{"classes: {a: {tag: 4710, weight: tag}}\n",
		PATH ":1:14: classes.a: announce.drain_tag, 4713, must differ from all tags of "
		     "healthy and degraded addresses"},
	{"classes: {a: {tag: 7, degraded_tag: 7}}\n",
		PATH ":1:14: classes.a: the tag of degraded ones, 7, must differ from the tags of "
		     "healthy "
		     "addresses"},
	{"classes: {a: {nodes: 'x in'}}\n",
		PATH ":1:14: classes.a: nodes: \"x in\", at character 5: expected ( and values; "
		     "write terms "
		     "like a=b, a!=b, a in (b,c), a notin (b,c), a or !a, with commas between "
		     "them"},
	{"http: {listen: 9474}\n",
		PATH ":1:16: http.listen: must be a word (put it in quotes if need be)"},
	{"http: {listen: 'localhost:9474'}\n", PATH
		":1:16: http.listen: \"localhost:9474\" is not allowed; write ADDRESS:PORT, like "
		"127.0.0.1:9474, 0.0.0.0:9474 or [::1]:9474"},
	{"http: {listen: 'fd00::1'}\n",
		PATH ":1:16: http.listen: \"fd00::1\" is not allowed; write ADDRESS:PORT, like "
		     "127.0.0.1:9474, 0.0.0.0:9474 or [::1]:9474"},
	{"http: {listen: '[fd00::1:80'}\n",
		PATH ":1:16: http.listen: \"[fd00::1:80\" is not allowed; write ADDRESS:PORT, like "
		     "127.0.0.1:9474, 0.0.0.0:9474 or [::1]:9474"},
	{"node: ${NOT_SET_HERE}\n", PATH
		":1:7: node: ${NOT_SET_HERE} is not set in the environment; set it, or write the "
		"value itself"},
	{"frr: 1\n", PATH ":1:1: frr: must hold keys of its own"},
	{"- a\n", PATH ":1:1: must hold keys, like \"node: NAME\""},
	{"node: a\n---\nnode: b\n", PATH ":3:1: a second document; a configuration is one"},
	{"node: a\nnode: b\n", PATH ":2:1: key \"node\" stands here twice"},
	{"node: [a\n", NULL},
};

/* What a template of Helm's makes of the same words, which are YAML 1.1 to it. */
START_TEST(truths_and_bare_numbers_are_words)
{
	static const char yaml[] = "frr: {verify_bgp: true}\n"
				   "metrics: {per_service: false}\n"
				   "announce: {policy_tags: [4720, 4730-4731]}\n";
	auto_config struct config *config = NULL;
	auto_free char *error = NULL;

	setenv("NODE_NAME", "n1", 1);
	ck_assert_msg(load(yaml, &config, &error) == 0, "%s", error);
	ck_assert_int_eq(config->frr_verify_bgp, 1);
	ck_assert_int_eq(config->metrics_per_service, PER_SERVICE_OFF);
	ck_assert_uint_eq(config->announce_policy_tags.n, 2);
	ck_assert_str_eq(config->announce_policy_tags.items[0], "4720");
}
END_TEST

START_TEST(errors_name_place_key_and_way_out)
{
	struct config *config = NULL;
	auto_free char *error = NULL;

	setenv("NODE_NAME", "n1", 1);
	ck_assert_int_lt(load(bad[_i].yaml, &config, &error), 0);
	ck_assert_ptr_null(config);
	ck_assert_ptr_nonnull(error);
	if (bad[_i].error)
		ck_assert_str_eq(error, bad[_i].error);
}
END_TEST

static struct config *loaded(const char *yaml)
{
	struct config *config = NULL;
	auto_free char *error = NULL;

	setenv("NODE_NAME", "n1", 1);
	ck_assert_msg(load(yaml, &config, &error) == 0, "%s", error);
	return config;
}

static const struct {
	const char *node_ip, *yaml, *address;
} listens[] = {
	{"192.0.2.1", "http: {listen: '${NODE_IP}:9474'}", "192.0.2.1"},
	{"fd00::1", "http: {listen: '${NODE_IP}:9474'}", "fd00::1"},
	{"fd00::1", "http:\n  listen: ${NODE_IP}:9474\n", "fd00::1"},
	{"fd00::1", "http: {listen: '[${NODE_IP}]:9474'}", "fd00::1"},
	{"1:2:3:4:5:6:7:8", "http: {listen: '${NODE_IP}:9474'}", "1:2:3:4:5:6:7:8"},
};

/* What is shipped listens on the node's address, of whichever family that is. */
START_TEST(the_last_colon_is_before_the_port)
{
	auto_config struct config *config = NULL;
	struct prefix address, expected;
	uint16_t port = 0;

	setenv("NODE_IP", listens[_i].node_ip, 1);
	config = loaded(listens[_i].yaml);
	ck_assert(http_parse_listen(config->http_listen, &address, &port));
	ck_assert(prefix_parse_host(listens[_i].address, &expected));
	ck_assert_int_eq(prefix_cmp(&address, &expected), 0);
	ck_assert_uint_eq(port, 9474);
}
END_TEST

static const struct {
	const char *from, *to;
	enum config_change change;
	const char *text;
} comparisons[] = {
	{"", "", CHANGE_NONE, ""},
	{"services: {min_ready: 1}", "", CHANGE_NONE, ""},
	{"", "services: {min_ready: 2}", CHANGE_LIVE, "services.min_ready: 1 -> 2"},
	{"", "services: {min_ready: 50%}", CHANGE_LIVE, "services.min_ready: 1 -> 50%"},
	{"classes: {a: {tag: 1}, b: {}}", "classes: {a: {tag: 2, nodes: x}, c: {}}", CHANGE_RESTART,
		"classes.a.tag: 1 -> 2; classes.a.nodes: unset -> \"x\"; classes.b: removed; "
		"classes.c: added"},
	{"", "services: {allow: [10.0.0.0/8], addresses: [cluster_ip]}", CHANGE_LIVE,
		"services.addresses: [cluster_ip, load_balancer_ip, external_ip] -> [cluster_ip]; "
		"services.allow: [] -> [\"10.0.0.0/8\"]"},
	{"", "services: {namespace_selector: 'a in (b,c)'}", CHANGE_RESTART,
		"services.namespace_selector: unset -> \"a in (b,c)\""},
	{"logging: {level: debug}", "frr: {stale_seconds: 9}", CHANGE_RESTART,
		"frr.stale_seconds: 300 -> 9; logging.level: debug -> info"},
	{"announce: {vrf: red}", "announce: {tag: 7}", CHANGE_WITHDRAW,
		"announce.vrf: \"red\" -> unset; announce.tag: 4711 -> 7"},
};

START_TEST(configurations_are_compared)
{
	auto_config struct config *from = loaded(comparisons[_i].from);
	auto_config struct config *to = loaded(comparisons[_i].to);
	auto_free char *text = NULL;

	ck_assert_int_eq(config_compare(from, to, &text), comparisons[_i].change);
	ck_assert_str_eq(text, comparisons[_i].text);
}
END_TEST

/* By the order of a class's keys: tag, metric, degraded_tag, min_ready. */
START_TEST(it_is_known_who_said_what)
{
	auto_config struct config *config =
		loaded("services: {min_ready: 2}\nclasses: {gold: {metric: 1}, plain: {}}");
	auto_config struct config *other =
		loaded("announce: {tag: 4711}\nservices: {min_ready: 2}\n"
		       "classes: {plain: {min_ready: 2}, gold: {metric: 1}}");
	auto_free char *text = NULL;

	ck_assert_uint_eq(config->defaults.stated, 1u << 3);
	ck_assert_uint_eq(config->classes[0].stated, 1u << 1);
	ck_assert_uint_eq(config->classes[1].stated, 0);
	ck_assert_int_eq(config_compare(config, other, &text), CHANGE_NONE);
	config_restate(config, other);
	ck_assert_uint_eq(config->defaults.stated, 1u << 0 | 1u << 3);
	ck_assert_uint_eq(config->classes[0].stated, 1u << 1);
	ck_assert_uint_eq(config->classes[1].stated, 1u << 3);
}
END_TEST

START_TEST(tags_are_inherited_once)
{
	auto_config struct config *first = loaded("announce: {tag: 1, drain_tag: 2}");
	auto_config struct config *second = loaded("announce: {tag: 3, drain_tag: 1}");

	config_inherit_tags(second, first);
	ck_assert_uint_eq(second->n_tags, 3);
	ck_assert_uint_eq(second->tags[2], 2);
	for (uint32_t tag = 10; tag < 10 + CONFIG_N_TAGS; tag++) {
		auto_free char *yaml = xasprintf("announce: {tag: %u, drain_tag: 2}", tag);
		auto_config struct config *next = loaded(yaml);

		config_inherit_tags(next, second);
		ck_assert_uint_eq(next->tags[0], tag);
		ck_assert_uint_le(next->n_tags, CONFIG_N_TAGS);
		config_free(second);
		second = TAKE(next);
	}
	ck_assert_uint_eq(second->n_tags, CONFIG_N_TAGS);
	ck_assert_uint_eq(second->tags[2], 10 + CONFIG_N_TAGS - 2);
}
END_TEST

START_TEST(without_node_name_the_error_says_so)
{
	struct config *config = NULL;
	auto_free char *error = NULL;

	unsetenv("NODE_NAME");
	ck_assert_int_lt(load("", &config, &error), 0);
	ck_assert_str_eq(error,
		PATH ": node: ${NODE_NAME} is not set in the environment; set it, or "
		     "write the value itself");
}
END_TEST

int main(void)
{
	auto_free char *directory = unit_template("test-config");
	Suite *suite = suite_create("config");
	TCase *tcase = tcase_create("config");
	int code;

	if (!mkdtemp(directory) || chdir(directory) < 0)
		return EXIT_FAILURE;

	tcase_add_test(tcase, an_empty_file_is_the_defaults);
	tcase_add_test(tcase, every_key_is_read);
	tcase_add_test(tcase, the_originals_keys_are_read);
	tcase_add_test(tcase, truths_and_bare_numbers_are_words);
	tcase_add_loop_test(tcase, errors_name_place_key_and_way_out, 0, (int)N_ELEMENTS(bad));
	tcase_add_loop_test(tcase, the_last_colon_is_before_the_port, 0, (int)N_ELEMENTS(listens));
	tcase_add_loop_test(tcase, configurations_are_compared, 0, (int)N_ELEMENTS(comparisons));
	tcase_add_test(tcase, it_is_known_who_said_what);
	tcase_add_test(tcase, tags_are_inherited_once);
	tcase_add_test(tcase, without_node_name_the_error_says_so);
	suite_add_tcase(suite, tcase);
	code = unit_run(suite);
	rmdir(directory);
	return code;
}
