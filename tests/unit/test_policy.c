/* SPDX-License-Identifier: Apache-2.0 */
/* Policies: what their specs come to, which of them decides, and what a bad one changes: nothing.
 */
#include "class.h"
#include "objects.h"
#include "plan.h"
#include "policy.h"
#include "unit.h"

#include <string.h>

#define CONFIG                                                             \
	"announce: {tag: 10, drain_tag: 13, policy_tags: [20-29, '40']}\n" \
	"services: {min_ready: 1}\n"                                       \
	"classes: {gold: {tag: 14}, other: {tag: 15, namespaces: [shop]}}"
#define CLASS "annotation=cosmolet.platformbuilds.io/class:"

static struct config *config;
static struct cluster cluster;
static struct policies policies;

static void setup(void)
{
	log_setup(LOG_ERR, LOG_LOGFMT);
	config = config_of(CONFIG);
	cluster_init(&cluster, touch_nothing, NULL);
	policies_init(&policies);
	cluster.decoded = &policies;
}

static void teardown(void)
{
	policies_deinit(&policies);
	cluster_deinit(&cluster);
	config = config_free(config);
}

static void take(struct k8s_object *object)
{
	cluster_take(&cluster, &(struct k8s_event){.type = K8S_EVENT_OBJECT, .object = object});
}

static bool follow(void)
{
	return policies_follow(&policies, config, &cluster.policies);
}

static bool put(const char *name, const char *spec)
{
	take(policy(name, spec));
	return follow();
}

static bool put_version(const char *name, const char *spec, char *version)
{
	struct k8s_object *object = policy(name, spec);

	object->meta.resource_version = version;
	take(object);
	return follow();
}

static bool drop(const char *name)
{
	struct k8s_object *object = policy(name, NULL);

	cluster_take(&cluster, &(struct k8s_event){.type = K8S_EVENT_DELETED, .object = object});
	k8s_object_free(object);
	return follow();
}

static const struct policy *get(const char *name)
{
	auto_free char *wanted = xstrdup(name);

	return vec_find(&policies.all, &(struct policy){.name = wanted});
}

static uint32_t tag_of(const char *words)
{
	auto_free char *text = xasprintf("cluster=10.96.0.1 select=app:web %s", words);
	auto_free struct verdict *verdicts = NULL;
	uint32_t tag;

	take(service("default/web", text));
	ck_assert_uint_eq(plan_service(config, &cluster,
				  cluster_service(&cluster, "default", "web"), &verdicts),
		1);
	tag = verdicts[0].tag;
	return tag;
}

static const struct {
	const char *spec;
	const char *error; /* NULL: it reads */
} specs[] = {
	{"{}", NULL},
	{"{settings: {}}", NULL},
	{"{priority: -5, namespaces: [], serviceSelector: {}, nodeSelector: {matchLabels: {}}}",
		NULL},
	{"{settings: {tag: 20, metric: 7, degradedTag: 40, minReady: 50%, scope: auto, weight: "
	 "tag, "
	 "weightLimit: 4, nodes: 'rack in (a,b)'}}",
		NULL},
	{"{settings: {tag: 14}}", NULL}, /* a class's */
	{"{serviceSelector: {matchExpressions: [{key: a, operator: In, values: [b, c]}, "
	 "{key: d.e/f, operator: Exists}, {key: g, operator: NotIn, values: ['']}, "
	 "{key: h, operator: DoesNotExist, values: []}]}}",
		NULL},
	{NULL, "spec: has more than 16384 octets"},
	{"null", "spec: must hold keys, like \"settings\""},
	{"[]", "spec: must hold keys, like \"settings\""},
	{"{tag: 20}", "spec.tag: unknown key; allowed are: priority, namespaces, serviceSelector, "
		      "nodeSelector, settings"},
	{"{priority: 1.5}", "spec.priority: must be a number from -1000000 to 1000000"},
	{"{namespaces: shop}", "spec.namespaces: must be a list"},
	{"{namespaces: [7]}", "spec.namespaces: element 1 must be a word"},
	{"{settings: {min_ready: 2}}",
		"spec.settings.min_ready: unknown key; allowed are: tag, metric, degradedTag, "
		"minReady, scope, weight, weightLimit, "},
	{"{settings: {namespaces: [a]}}",
		"spec.settings.namespaces: unknown key; allowed are: tag, metric, degradedTag, "
		"minReady, scope, weight, weightLimit, "},
	{"{settings: 7}", "spec.settings: must hold keys of its own, like \"tag: 100\""},
	{"{settings: {minReady: 0}}",
		"spec.settings.minReady: 0 is not allowed; write a number from 1 to 1000000"},
	{"{settings: {scope: node}}",
		"spec.settings.scope: \"node\" is not allowed; write local, auto or cluster"},
	{"{settings: {tag: 30}}", "spec.settings.tag: 30 is no tag of the configuration, by which "
				  "routes are known as "
				  "ours; add it to announce.policy_tags there"},
	{"{settings: {tag: 27, weight: tag, weightLimit: 4}}",
		"spec.settings.tag: 30 is no tag of the configuration, by which routes are known "
		"as "
		"ours; add it to announce.policy_tags there"},
	{"{settings: {degradedTag: 41}}",
		"spec.settings.degradedTag: 41 is no tag of the configuration, by which routes are "
		"known as ours; add it to announce.policy_tags there"},
	{"{settings: {tag: 13}}",
		"spec.settings: announce.drain_tag, 13, must differ from all tags "
		"of healthy and degraded addresses"},
	{"{settings: {nodes: '=a'}}", "spec.settings: nodes: "},
	{"{settings: {nodes: '${HOME}'}}", "spec.settings: nodes: "},
	{"{serviceSelector: x}", "spec.serviceSelector: must hold matchLabels or matchExpressions"},
	{"{serviceSelector: {labels: {}}}",
		"spec.serviceSelector: unknown key labels; allowed are: "
		"matchLabels, matchExpressions"},
	{"{serviceSelector: {matchLabels: [a]}}",
		"spec.serviceSelector.matchLabels: must hold labels, like \"tier: gold\""},
	{"{serviceSelector: {matchLabels: {a: 'b,c=d'}}}",
		"spec.serviceSelector.matchLabels: a is no label, or has no value of one"},
	{"{nodeSelector: {matchLabels: {'a,b': c}}}",
		"spec.nodeSelector.matchLabels: a,b is no label, or has no value of one"},
	{"{nodeSelector: {matchExpressions: {}}}",
		"spec.nodeSelector: matchExpressions must be a list"},
	{"{nodeSelector: {matchExpressions: [{key: a}]}}",
		"spec.nodeSelector.matchExpressions[0]: must have the key of a label, and an "
		"operator"},
	{"{nodeSelector: {matchExpressions: [{key: a, operator: Like}]}}",
		"spec.nodeSelector.matchExpressions[0]: operator \"Like\" is not allowed; write "
		"In, "
		"NotIn, Exists or DoesNotExist"},
	{"{nodeSelector: {matchExpressions: [{key: a, operator: In}]}}",
		"spec.nodeSelector.matchExpressions[0]: In and NotIn need values"},
	{"{nodeSelector: {matchExpressions: [{key: a, operator: In, values: [1]}]}}",
		"spec.nodeSelector.matchExpressions[0]: value 1 is none of a label"},
	{"{nodeSelector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}}",
		"spec.nodeSelector.matchExpressions[0]: Exists takes no values"},
};

START_TEST(specs_are_read)
{
	const struct policy *p;

	put("p", specs[_i].spec);
	p = get("p");
	if (specs[_i].error) {
		auto_free char *field = policy_field(p);

		ck_assert_ptr_nonnull(p->error);
		ck_assert_msg(!strncmp(p->error, specs[_i].error, strlen(specs[_i].error)), "%s",
			p->error);
		ck_assert_msg(!strncmp(p->error, field, strlen(field)) && *field, "%s", field);
		ck_assert_uint_eq(policies.ranked.n, 0);
		ck_assert_uint_eq(policies_invalid(&policies), 1);
	} else {
		ck_assert_msg(!p->error, "%s", p->error);
		ck_assert_uint_eq(policies.ranked.n, 1);
	}
}
END_TEST

START_TEST(all_settings_arrive)
{
	auto_free struct verdict *verdicts = NULL;
	const struct config_class *class;

	put("p", specs[3].spec);
	class = &get("p")->class;
	ck_assert_int_eq(class->tag, 20);
	ck_assert_int_eq(class->metric, 7);
	ck_assert_int_eq(class->degraded_tag, 40);
	ck_assert_int_eq(class->min_ready, -50);
	ck_assert_int_eq(class->scope, SCOPE_AUTO);
	ck_assert_int_eq(class->weight, WEIGHT_TAG);
	ck_assert_int_eq(class->weight_limit, 4);
	ck_assert_ptr_nonnull(class->node_selector);
	ck_assert_str_eq(class->name, "p");
	put("p", "{settings: {metric: 8}}");
	ck_assert_int_eq(class->tag, 10); /* what it does not say is the configuration's */
	ck_assert_ptr_null(class->node_selector);
	put("p", "{settings: {riseSeconds: 11, fallSeconds: 12, dampingHalfLifeSeconds: 600, "
		 "dampingSuppress: 3000, dampingReuse: 700, dampingMaxSeconds: 1800}}");
	ck_assert_int_eq(class->rise_seconds, 11);
	ck_assert_int_eq(class->fall_seconds, 12);
	ck_assert_int_eq(class->damping_half_life_seconds, 600);
	ck_assert_int_eq(class->damping_suppress, 3000);
	ck_assert_int_eq(class->damping_reuse, 700);
	ck_assert_int_eq(class->damping_max_seconds, 1800);
	take(service("default/web", "cluster=10.96.0.1 select=app:web"));
	plan_service(config, &cluster, cluster_service(&cluster, "default", "web"), &verdicts);
	ck_assert_ptr_eq(verdicts[0].class, class); /* what is held, is held by these */
}
END_TEST

START_TEST(one_decides)
{
	ck_assert_uint_eq(tag_of(""), 10);
	ck_assert(put("b", "{settings: {tag: 20}, priority: 1}"));
	ck_assert_uint_eq(tag_of(""), 20);
	ck_assert(put("c", "{settings: {tag: 21}, priority: 2}"));
	ck_assert_uint_eq(tag_of(""), 21);
	ck_assert(put("a", "{settings: {tag: 22}, priority: 2}")); /* the same: by name */
	ck_assert_uint_eq(tag_of(""), 22);
	ck_assert(put("a", "{settings: {metric: 9}, priority: 2}")); /* alone: not the tag of c */
	ck_assert_uint_eq(tag_of(""), 10);
	ck_assert(drop("a"));
	ck_assert_uint_eq(tag_of(""), 21);
	/* the service's own choice, if it may make one */
	ck_assert_uint_eq(tag_of(CLASS "gold"), 14);
	ck_assert_uint_eq(tag_of(CLASS "other"), 21);
	ck_assert_uint_eq(tag_of(CLASS "none"), 21);
	ck_assert(drop("c"));
	ck_assert(drop("b"));
	ck_assert_uint_eq(tag_of(""), 10);
	ck_assert(!follow());
}
END_TEST

START_TEST(services_and_nodes_are_selected)
{
	put("n", "{priority: 3, namespaces: [shop, bank], settings: {tag: 20}}");
	put("s", "{priority: 2, serviceSelector: {matchLabels: {tier: gold}, matchExpressions: "
		 "[{key: old, operator: DoesNotExist}]}, settings: {tag: 21}}");
	put("r",
		"{priority: 1, nodeSelector: {matchExpressions: [{key: rack, operator: In, values: "
		"[a, b]}]}, settings: {tag: 22}}");
	ck_assert_uint_eq(tag_of("label=tier:gold"), 21);
	ck_assert_uint_eq(tag_of("label=old:1 label=tier:gold"), 10); /* the node is not known */
	ck_assert_uint_eq(tag_of("label=tier:silver"), 10);
	take(node("node", "label=rack:b"));
	ck_assert_uint_eq(tag_of("label=tier:silver"), 22);
	take(node("node", "label=rack:c"));
	ck_assert_uint_eq(tag_of("label=tier:silver"), 10);
	put("n", "{priority: 3, namespaces: [default], settings: {tag: 20}}");
	ck_assert_uint_eq(tag_of("label=tier:gold"), 20);
	/* no value is a value */
	drop("n");
	put("s", "{priority: 2, serviceSelector: {matchExpressions: [{key: tier, operator: In, "
		 "values: [gold]}]}, settings: {tag: 21}}");
	ck_assert_uint_eq(tag_of("label=tier:"), 10);
	put("s", "{priority: 2, serviceSelector: {matchExpressions: [{key: tier, operator: In, "
		 "values: ['']}]}, settings: {tag: 21}}");
	ck_assert_uint_eq(tag_of("label=tier:"), 21);
	ck_assert_uint_eq(tag_of("label=tier:gold"), 10);
}
END_TEST

START_TEST(annotations_are_nearer_than_a_policy)
{
	auto_free struct verdict *verdicts = NULL;

	put("p", "{settings: {minReady: 3, tag: 20}}");
	take(service("default/web", "cluster=10.96.0.1 select=app:web "
				    "annotation=cosmolet.platformbuilds.io/min-ready:2"));
	plan_service(config, &cluster, cluster_service(&cluster, "default", "web"), &verdicts);
	ck_assert_int_eq(verdicts[0].min_ready, 2);
	ck_assert_uint_eq(verdicts[0].tag, 20);
}
END_TEST

START_TEST(nodes_of_a_policy)
{
	auto_free struct verdict *verdicts = NULL;
	auto_free char *text = NULL;

	put("p", "{settings: {nodes: 'rack=a'}}");
	take(node("node", "label=rack:b"));
	take(service("default/web", "cluster=10.96.0.1 select=app:web"));
	plan_service(config, &cluster, cluster_service(&cluster, "default", "web"), &verdicts);
	text = verdict_text(config, &verdicts[0]);
	ck_assert_str_eq(text, "this node is not among the nodes of the policy p (rack=a)");
}
END_TEST

START_TEST(a_bad_change_changes_nothing)
{
	char first[] = "7", second[] = "8";

	put_version("p", "{settings: {tag: 20}}", first);
	ck_assert(!put_version("p", "{settings: {tag: 99}}", second));
	ck_assert_str_eq(get("p")->version, "7");
	ck_assert_ptr_nonnull(get("p")->error);
	ck_assert_uint_eq(tag_of(""), 20);
	ck_assert_uint_eq(policies.ranked.n, 1);
	ck_assert_uint_eq(policies_invalid(&policies), 1);
	ck_assert(!put("p", NULL));
	ck_assert_uint_eq(tag_of(""), 20);
	ck_assert(put("p", "{settings: {tag: 21}}"));
	ck_assert_ptr_null(get("p")->error);
	ck_assert_uint_eq(tag_of(""), 21);
	ck_assert(drop("p"));
	ck_assert(!put("p", "{settings: {tag: 99}}")); /* nothing good is known of it */
	ck_assert_uint_eq(tag_of(""), 10);
}
END_TEST

static bool reconfigure(const char *yaml)
{
	config_free(config);
	config = config_of(yaml);
	policies.stale = true;
	return follow();
}

START_TEST(another_configuration_is_asked_anew)
{
	put("p", "{settings: {metric: 5}}");
	put("q", "{priority: -1, settings: {tag: 20}}");
	put("q", "{priority: -1, settings: {tag: 60}}");
	ck_assert_uint_eq(tag_of(""), 10);
	ck_assert(reconfigure("announce: {tag: 11, policy_tags: ['20']}"));
	ck_assert_uint_eq(tag_of(""), 11);
	drop("p");
	ck_assert_uint_eq(tag_of(""), 20); /* q's last good one */
	ck_assert(reconfigure("announce: {tag: 11, policy_tags: ['60']}"));
	ck_assert_uint_eq(tag_of(""), 60);
	ck_assert_ptr_null(get("q")->error);
	ck_assert(reconfigure("announce: {tag: 11}"));
	ck_assert_uint_eq(tag_of(""), 11);
	ck_assert_ptr_nonnull(get("q")->error);
	ck_assert(reconfigure("announce: {tag: 11, redistribute: openfabric}"));
	ck_assert_uint_eq(tag_of(""), 60); /* there a tag marks nothing */
}
END_TEST

START_TEST(more_than_many_are_refused)
{
	for (int i = 0; i <= POLICIES_MAX; i++) {
		auto_free char *name = xasprintf("p-%03d", i);

		take(policy(name, "{settings: {tag: 20}}"));
	}
	follow();
	ck_assert_uint_eq(policies.ranked.n, POLICIES_MAX);
	ck_assert_uint_eq(policies_invalid(&policies), 1);
	drop("p-000");
	ck_assert_uint_eq(policies.ranked.n, POLICIES_MAX);
	ck_assert_uint_eq(policies_invalid(&policies), 0);
}
END_TEST

START_TEST(errors_are_one_tame_line)
{
	auto_free char *spec = xasprintf("{settings: {scope: \"a\\nb\\u00e9%0500d\"}}", 0);
	const char *error;

	put("p", spec);
	error = get("p")->error;
	ck_assert_uint_le(strlen(error), 400);
	ck_assert_ptr_null(strpbrk(error, "\n\r\t"));
	ck_assert_ptr_nonnull(strstr(error, "\"a?b\xc3\xa9"));
}
END_TEST

START_TEST(the_same_again_is_quiet)
{
	uint64_t revision;

	put("p", "{settings: {tag: 20}, priority: 1}");
	revision = cluster.policies_revision;
	take(policy("p", "{priority: 1, settings: {tag: 20}}"));
	ck_assert_uint_eq(cluster.policies_revision, revision);
	take(policy("p", "{priority: 2, settings: {tag: 20}}"));
	ck_assert_uint_ne(cluster.policies_revision, revision);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy");
	TCase *tests = tcase_create("policy");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, specs_are_read, 0, N_ELEMENTS(specs));
	tcase_add_test(tests, all_settings_arrive);
	tcase_add_test(tests, one_decides);
	tcase_add_test(tests, services_and_nodes_are_selected);
	tcase_add_test(tests, annotations_are_nearer_than_a_policy);
	tcase_add_test(tests, nodes_of_a_policy);
	tcase_add_test(tests, a_bad_change_changes_nothing);
	tcase_add_test(tests, another_configuration_is_asked_anew);
	tcase_add_test(tests, more_than_many_are_refused);
	tcase_add_test(tests, errors_are_one_tame_line);
	tcase_add_test(tests, the_same_again_is_quiet);
	suite_add_tcase(suite, tests);
	return unit_run(suite);
}
