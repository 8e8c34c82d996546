/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the spec of a policy to a class of its own, by the table that the file's classes come from.
 *
 * The hard idea is whose a route is. With "redistribute static" a tag tells it, after a restart as
 * well, when the policies are not known yet: so a policy may only use tags that the file names. A
 * tag out of the cluster could be that of an operator's own routes, and they would go as ours.
 */
#include "policy.h"

#include "class.h"

#include <cosmolet/log.h>

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define PRIORITY_MAX 1000000
#define ERROR_MAX    400

static int policy_cmp(const void *a, const void *b)
{
	const struct policy *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int rank_cmp(const void *a, const void *b)
{
	const struct policy *x = a, *y = b;
	int c = (x->priority < y->priority) - (x->priority > y->priority);

	return c ? c : strcmp(x->name, y->name);
}

/* All that comes of a spec. */
static void forget_spec(struct policy *policy)
{
	str_set(&policy->spec, NULL);
	class_deinit(&policy->class);
	policy->class = (struct config_class){0};
	policy->services = k8s_label_selector_free(policy->services);
	policy->nodes = k8s_label_selector_free(policy->nodes);
}

static void policy_destroy(void *item)
{
	struct policy *policy = item;

	forget_spec(policy);
	free(policy->name);
	free(policy->told);
	free(policy->version);
	free(policy->error);
	free(policy);
}

void policies_init(struct policies *policies)
{
	*policies = (struct policies){0};
	vec_init(&policies->all, policy_cmp);
	vec_init(&policies->ranked, rank_cmp);
}

void policies_deinit(struct policies *policies)
{
	vec_deinit(&policies->ranked, NULL);
	vec_deinit(&policies->all, policy_destroy);
}

/* Label selectors, from the form of the API to that of kubectl, which is parsed in one place. */

/* Whether it holds nothing that means something there. */
static bool is_plain(const char *text)
{
	static const char plain[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._/";

	return text && strspn(text, plain) == strlen(text);
}

static bool is_label_text(const json_t *json)
{
	return is_plain(json_string_value(json));
}

static int print_labels(
	const struct reader *reader, const char *path, const json_t *labels, FILE *out)
{
	auto_free char *full = xasprintf("%s.matchLabels", path);
	struct where where = {.key = full};
	const char *key;
	json_t *value;

	if (labels && !json_is_object(labels))
		return value_refuse(reader, &where, "must hold labels, like \"tier: gold\"");
	json_object_foreach ((json_t *)(uintptr_t)labels, key, value) {
		if (!is_plain(key) || !is_label_text(value))
			return value_refuse(
				reader, &where, "%.100s is no label, or has no value of one", key);
		fprintf(out, "%s%s=%s", ftell(out) ? "," : "", key, json_string_value(value));
	}
	return 0;
}

static int print_values(
	const struct reader *reader, const struct where *where, const json_t *values, FILE *out)
{
	const json_t *value;
	size_t i;

	if (json_array_size(values) == 0)
		return value_refuse(reader, where, "In and NotIn need values");
	json_array_foreach (values, i, value) {
		if (!is_label_text(value))
			return value_refuse(reader, where, "value %zu is none of a label", i + 1);
		fprintf(out, "%s%s", i ? "," : " (", json_string_value(value));
	}
	/* "()" would be none, and two empty ones are as one. */
	fputs(i == 1 && !*json_string_value(json_array_get(values, 0)) ? ",)" : ")", out);
	return 0;
}

static int print_expression(
	const struct reader *reader, const char *path, const json_t *expression, FILE *out)
{
	struct where where = {.key = path};
	const json_t *key = json_object_get(expression, "key");
	const json_t *values = json_object_get(expression, "values");
	const char *how = json_string_value(json_object_get(expression, "operator"));
	const char *comma = ftell(out) ? "," : "";

	if (!is_label_text(key) || !how)
		return value_refuse(
			reader, &where, "must have the key of a label, and an operator");
	if (!strcmp(how, "Exists") || !strcmp(how, "DoesNotExist")) {
		fprintf(out, "%s%s%s", comma, *how == 'E' ? "" : "!", json_string_value(key));
		return json_array_size(values) == 0
			       ? 0
			       : value_refuse(reader, &where, "%s takes no values", how);
	}
	if (strcmp(how, "In") != 0 && strcmp(how, "NotIn") != 0)
		return value_refuse(reader, &where,
			"operator \"%.60s\" is not allowed; write In, NotIn, Exists or "
			"DoesNotExist",
			how);
	fprintf(out, "%s%s %s", comma, json_string_value(key), *how == 'I' ? "in" : "notin");
	return print_values(reader, &where, values, out);
}

static int print_selector(
	const struct reader *reader, const char *path, const json_t *selector, FILE *out)
{
	const json_t *expressions = json_object_get(selector, "matchExpressions");
	const json_t *expression;
	struct where where = {.key = path};
	const char *key;
	json_t *value;
	size_t i;
	int r;

	if (!json_is_object(selector))
		return value_refuse(reader, &where, "must hold matchLabels or matchExpressions");
	json_object_foreach ((json_t *)(uintptr_t)selector, key, value) {
		if (strcmp(key, "matchLabels") != 0 && strcmp(key, "matchExpressions") != 0)
			return value_refuse(reader, &where,
				"unknown key %.100s; allowed are: matchLabels, matchExpressions",
				key);
	}
	r = print_labels(reader, path, json_object_get(selector, "matchLabels"), out);
	if (r == 0 && expressions && !json_is_array(expressions))
		r = value_refuse(reader, &where, "matchExpressions must be a list");
	json_array_foreach (expressions, i, expression) {
		auto_free char *full = xasprintf("%s.matchExpressions[%zu]", path, i);

		if (r == 0)
			r = print_expression(reader, full, expression, out);
	}
	return r;
}

/* *out NULL: everything is selected. */
static int decode_selector(const struct reader *reader, const char *path, const json_t *json,
	struct k8s_label_selector **out)
{
	struct where where = {.key = path};
	auto_free char *error = NULL;
	char *text = NULL;
	size_t size = 0;
	FILE *print = xmemstream(&text, &size);
	int r = print_selector(reader, path, json, print);

	fclose(print);
	if (r == 0 && *text && k8s_label_selector_parse(text, out, &error) < 0)
		r = value_refuse(reader, &where, "%s", error);
	free(text);
	return r;
}

/* The spec */

static int decode_member(
	const struct reader *reader, const char *name, const json_t *value, struct policy *policy)
{
	static const struct key priority = {
		.kind = INTEGER, .min = -PRIORITY_MAX, .max = PRIORITY_MAX};
	static const struct key namespaces = {.kind = STRINGS};
	auto_free char *path = xasprintf("spec.%s", name);
	struct where where = {.key = path};

	if (!strcmp(name, "priority"))
		return value_decode(reader, where, &priority, value, &policy->priority);
	if (!strcmp(name, "namespaces"))
		return value_decode(reader, where, &namespaces, value, &policy->class.namespaces);
	if (!strcmp(name, "serviceSelector"))
		return decode_selector(reader, path, value, &policy->services);
	if (!strcmp(name, "nodeSelector"))
		return decode_selector(reader, path, value, &policy->nodes);
	if (!strcmp(name, "settings"))
		return class_decode(reader, &where, value, &policy->class);
	return value_refuse(reader, &where,
		"unknown key; allowed are: priority, namespaces, serviceSelector, nodeSelector, "
		"settings");
}

static bool is_stated(const struct config *config, int64_t tag)
{
	for (size_t i = 0; i < config->n_stated_tags; i++) {
		if (config->tags[i] == tag)
			return true;
	}
	return false;
}

static int check_tag(
	const struct reader *reader, const struct config *config, const char *path, int64_t tag)
{
	struct where where = {.key = path};

	if (config->word != ZAPI_STATIC || is_stated(config, tag))
		return 0;
	return value_refuse(reader, &where,
		"%lld is no tag of the configuration, by which routes are known as ours; add it to "
		"announce.policy_tags there",
		(long long)tag);
}

static int check_policy(
	const struct reader *reader, const struct config *config, struct policy *policy)
{
	struct where where = {.key = "spec.settings"};
	struct config_class *class = &policy->class;
	int r = class_check(reader, &where, config, class);

	for (int64_t tag = class->tag; r == 0 && tag <= class_last_tag(class); tag++)
		r = check_tag(reader, config, "spec.settings.tag", tag);
	if (r == 0 && class->degraded_tag)
		r = check_tag(reader, config, "spec.settings.degradedTag", class->degraded_tag);
	return r;
}

static int decode_members(const struct reader *reader, const json_t *spec, struct policy *policy)
{
	struct where where = {.key = "spec"};
	const char *name;
	json_t *value;
	int r = 0;

	if (!json_is_object(spec))
		return value_refuse(reader, &where, "must hold keys, like \"settings\"");
	json_object_foreach ((json_t *)(uintptr_t)spec, name, value) {
		if (r == 0)
			r = decode_member(reader, name, value, policy);
	}
	return r;
}

/* Fills what comes of a spec; 0, or -EINVAL and *out_error. */
static int decode_spec(
	const struct config *config, const char *text, struct policy *policy, char **out_error)
{
	struct reader reader = {.foreign = true, .out_error = out_error};
	struct where where = {.key = "spec"};
	json_auto_t *spec = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
	int r;

	policy->class = config->defaults;
	policy->class.stated = 0;
	policy->class.name = xstrdup(policy->name);
	policy->class.by_policy = true;
	if (!spec)
		return value_refuse(&reader, &where, "has more than %u octets", K8S_POLICY_MAX);
	r = decode_members(&reader, spec, policy);
	if (r == 0)
		r = check_policy(&reader, config, policy);
	if (r == 0)
		policy->spec = xstrdup(text);
	return r;
}

/* What is in force becomes that of *from, which is emptied. */
static void move_spec(struct policy *policy, struct policy *from)
{
	forget_spec(policy);
	policy->spec = TAKE(from->spec);
	policy->priority = from->priority;
	policy->class = from->class;
	policy->services = TAKE(from->services);
	policy->nodes = TAKE(from->nodes);
	from->class = (struct config_class){0};
}

/* Puts a spec into force, if it reads. */
static bool apply(
	struct policy *policy, const struct config *config, const char *text, char **out_error)
{
	struct policy candidate = {.name = policy->name};
	bool good = decode_spec(config, text, &candidate, out_error) == 0;

	if (good)
		move_spec(policy, &candidate);
	forget_spec(&candidate);
	return good;
}

/* Following the cluster */

/* What it quotes is anybody's: one line of some length, for logs and pages. */
static void tame(char *text)
{
	size_t n = strlen(text);

	for (char *at = text; *at; at++)
		*at = iscntrl((unsigned char)*at) ? '?' : *at;
	if (n <= ERROR_MAX)
		return;
	for (n = ERROR_MAX; n && ((unsigned char)text[n] & 0xc0) == 0x80;)
		n--; /* not inside a character of UTF-8 */
	text[n] = '\0';
}

static void complain(struct policy *policy, char *error)
{
	bool known;

	if (error)
		tame(error);
	known = policy->error && error && !strcmp(policy->error, error);

	free(policy->error);
	policy->error = error;
	if (error && !known)
		log_warn("policy",
			policy->spec ? "refused; what it said before stays in force"
				     : "refused; it is not in force",
			"policy=%s error=%s", policy->name, error);
}

/* true: what is in force may be something else now. */
static bool follow(struct policy *policy, const struct config *config,
	const struct k8s_object *object, bool too_many, bool reconfigured)
{
	const char *told = object->policy.spec;
	char *error = NULL;
	char *unused = NULL;
	bool same = policy->told && told && !strcmp(policy->told, told);
	bool in_force = policy->spec != NULL;

	if (same && !reconfigured && !too_many)
		return false;
	str_set(&policy->told, too_many ? NULL : told);
	if (too_many) {
		error = xasprintf(
			"metadata.name: more than %d policies; remove some", POLICIES_MAX);
		forget_spec(policy);
	} else if (apply(policy, config, told, &error)) {
		str_set(&policy->version, object->meta.resource_version);
		log_info("policy", same ? "in force with the new configuration" : "in force",
			"policy=%s priority=%lld spec=%s", policy->name,
			(long long)policy->priority, policy->spec);
		complain(policy, NULL);
		return true;
	} else if (reconfigured && policy->spec) {
		auto_free char *good = TAKE(policy->spec);

		if (!apply(policy, config, good, &unused))
			forget_spec(policy);
		free(unused);
	}
	complain(policy, error);
	return reconfigured || in_force != (policy->spec != NULL);
}

static struct policy *take_over(struct policies *policies, struct vec *before, const char *name)
{
	auto_free char *wanted = xstrdup(name);
	struct policy *policy = vec_remove(before, &(struct policy){.name = wanted});

	if (!policy) {
		policy = xcalloc(1, sizeof(*policy));
		policy->name = TAKE(wanted);
	}
	vec_insert(&policies->all, policy);
	return policy;
}

static void rank(struct policies *policies)
{
	struct policy *policy;

	vec_clear(&policies->ranked, NULL);
	vec_foreach (&policies->all, policy, i) {
		if (policy->spec)
			vec_insert(&policies->ranked, policy);
	}
}

bool policies_follow(
	struct policies *policies, const struct config *config, const struct vec *objects)
{
	struct vec before = policies->all;
	const struct k8s_object *object;
	struct policy *policy;
	bool changed = false;

	vec_init(&policies->all, policy_cmp);
	vec_foreach (objects, object, i) {
		policy = take_over(policies, &before, object->meta.name);
		changed = follow(policy, config, object, i >= POLICIES_MAX, policies->stale) ||
			  changed;
	}
	vec_foreach (&before, policy, i) {
		log_info("policy", "gone", "policy=%s", policy->name);
		changed = changed || policy->spec;
	}
	policies->stale = false;
	rank(policies);
	vec_deinit(&before, policy_destroy);
	return changed;
}

/* Deciding */

static bool is_of_namespace(const struct config_strings *namespaces, const char *namespace)
{
	for (size_t i = 0; i < namespaces->n; i++) {
		if (!strcmp(namespaces->items[i], namespace))
			return true;
	}
	return namespaces->n == 0;
}

const struct policy *policies_find(const struct policies *policies,
	const struct k8s_object *service, const struct k8s_object *node)
{
	const struct policy *policy;

	if (!policies)
		return NULL;
	vec_foreach (&policies->ranked, policy, i) {
		if (!is_of_namespace(&policy->class.namespaces, service->meta.namespace))
			continue;
		if (policy->services &&
			!k8s_label_selector_matches(policy->services, &service->meta.labels))
			continue;
		if (policy->nodes &&
			(!node || !k8s_label_selector_matches(policy->nodes, &node->meta.labels)))
			continue;
		return policy;
	}
	return NULL;
}

char *policy_field(const struct policy *policy)
{
	const char *error = policy->error ? policy->error : "";
	const char *end = strstr(error, ": ");

	/* A key's name can be so long that the error has been cut within it. */
	return xstrndup(error, end ? (size_t)(end - error) : strlen(error));
}

size_t policies_invalid(const struct policies *policies)
{
	const struct policy *policy;
	size_t n = 0;

	vec_foreach (&policies->all, policy, i)
		n += policy->error != NULL;
	return n;
}
