/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The spec of a policy, as JSON. It is refused with one line that names a field, or in force; and
 * what was in force before a refusal still is.
 */
#include <assert.h>
#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <jansson.h>

#include "policy.h"

#include <cosmolet/log.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct config *load(void)
{
	static const char text[] = "node: n\nannounce: {policy_tags: [20-29]}\n";
	int fd = memfd_create("config", 0);
	auto_free char *path = xasprintf("/proc/self/fd/%d", fd);
	struct config *config = NULL;
	auto_free char *error = NULL;

	log_setup(LOG_ERR, LOG_LOGFMT);
	assert(fd >= 0 && dprintf(fd, "%s", text) == (int)strlen(text));
	assert(config_load(path, &config, &error) == 0);
	close(fd);
	return config;
}

static void check_error(const struct policy *policy)
{
	auto_free char *field = policy_field(policy);

	assert(!strncmp(field, "spec", 4) && strlen(policy->error) <= 400);
	for (const char *at = policy->error; *at; at++)
		assert(!iscntrl((unsigned char)*at));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config *config;
	static char name[] = "p", good[] = "{\"settings\":{\"metric\":7}}";
	auto_free char *spec = xcalloc(size + 1, 1);
	struct k8s_object object = {.resource = K8S_ANNOUNCEMENTPOLICIES,
		.meta = {.namespace = name, .name = name},
		.policy = {.spec = good}};
	void *items[] = {&object};
	struct vec objects = {.items = items, .n = 1};
	json_auto_t *json = json_loadb((const char *)data, size, JSON_DECODE_ANY, NULL);
	struct policies policies;
	const struct policy *policy;

	memcpy(spec, data, size);
	if (!json || strlen(spec) != size)
		return 0;
	if (!config)
		config = load();
	policies_init(&policies);
	assert(policies_follow(&policies, config, &objects));
	object.policy.spec = spec;
	(void)policies_follow(&policies, config, &objects);
	policy = policies.all.items[0];
	assert(policies.ranked.n == 1 && policy->spec);
	if (policy->error) {
		check_error(policy);
		assert(!strcmp(policy->spec, good) && policy->class.metric == 7);
	} else {
		assert(!strcmp(policy->spec, spec));
	}
	(void)policies_find(&policies, &object, &object);
	policies_deinit(&policies);
	return 0;
}
