/* SPDX-License-Identifier: Apache-2.0 */
/* A class: what it does not say is what it holds already, the defaults of the configuration. */
#include "class.h"

#include "stability.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define CLASS_NAMESPACES "namespaces"

char *class_key_name(bool foreign, size_t i, const struct key **out_key)
{
	const char *name;
	char *camel, *to;

	*out_key = key_of_class(i, &name);
	if (!foreign)
		return xstrdup(name);
	if (!strcmp(name, CLASS_NAMESPACES)) /* a policy has its own word for it */
		return NULL;
	camel = to = xstrdup(name);
	for (; *name; name++) {
		bool hump = *name == '_' && name[1];

		name += hump;
		*to++ = hump ? (char)toupper((unsigned char)*name) : *name;
	}
	*to = '\0';
	return camel;
}

/* For the error about one that may not. */
static char *key_names(const struct reader *reader)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = xmemstream(&text, &size);

	for (size_t i = 0; i < n_class_keys; i++) {
		const struct key *key;
		auto_free char *name = class_key_name(reader->foreign, i, &key);

		if (name)
			fprintf(out, "%s%s", i ? ", " : "", name);
	}
	fclose(out);
	return text;
}

static int decode_key(const struct reader *reader, const char *path, const json_t *object,
	const char *name, struct config_class *class)
{
	const json_t *value = json_object_get(object, name);
	auto_free char *full = xasprintf("%s.%s", path, name);
	auto_free char *names = NULL;
	struct where where = {.place = ytree_place_key(reader->yaml, object, name), .key = full};

	for (size_t i = 0; i < n_class_keys; i++) {
		const struct key *key;
		auto_free char *word = class_key_name(reader->foreign, i, &key);

		if (!word || strcmp(word, name) != 0)
			continue;
		where.place = ytree_place_value(reader->yaml, object, name);
		class->stated |= 1u << i;
		return value_decode(reader, where, key, value, key_class_field(class, key));
	}
	names = key_names(reader);
	return value_refuse(reader, &where, "unknown key; allowed are: %s", names);
}

int class_decode(const struct reader *reader, const struct where *where, const json_t *object,
	struct config_class *class)
{
	const char *name;
	json_t *value;
	int r = 0;

	if (!json_is_object(object))
		return value_refuse(reader, where, "must hold keys of its own, like \"tag: 100\"");
	json_object_foreach ((json_t *)(uintptr_t)object, name, value) {
		if (r == 0)
			r = decode_key(reader, where->key, object, name, class);
	}
	return r;
}

int64_t class_last_tag(const struct config_class *class)
{
	return class->tag + (class->weight == WEIGHT_TAG ? class->weight_limit - 1 : 0);
}

static bool has_own_tag(const struct config_class *class, int64_t tag)
{
	return tag >= class->tag && tag <= class_last_tag(class);
}

static int check_tags(const struct reader *reader, const struct where *where,
	const struct config *config, const struct config_class *class)
{
	int64_t drain = config->announce_drain_tag;

	if (class_last_tag(class) > UINT32_MAX)
		return value_refuse(reader, where,
			"the tag and the limit of the weight lead beyond %u", UINT32_MAX);
	if (has_own_tag(class, drain) || class->degraded_tag == drain)
		return value_refuse(reader, where,
			"announce.drain_tag, %lld, must differ from all tags of healthy and "
			"degraded addresses",
			(long long)drain);
	if (has_own_tag(class, class->degraded_tag))
		return value_refuse(reader, where,
			"the tag of degraded ones, %lld, must differ from the tags of healthy "
			"addresses",
			(long long)class->degraded_tag);
	return 0;
}

int class_check_damping(
	const struct reader *reader, const struct where *where, const struct config_class *class)
{
	if (class->damping_half_life_seconds == 0)
		return 0;
	if (class->damping_reuse >= class->damping_suppress)
		return value_refuse(reader, where,
			"damping_reuse, %lld, must be less than damping_suppress, %lld",
			(long long)class->damping_reuse, (long long)class->damping_suppress);
	if (stability_ceiling(class) <= (double)class->damping_suppress)
		return value_refuse(reader, where,
			"no penalty could exceed %.0f, and so never damping_suppress, %lld; raise "
			"damping_max_seconds, or lower the half-life",
			stability_ceiling(class), (long long)class->damping_suppress);
	return 0;
}

int class_check(const struct reader *reader, const struct where *where, const struct config *config,
	struct config_class *class)
{
	auto_free char *error = NULL;

	if (class->nodes &&
		k8s_label_selector_parse(class->nodes, &class->node_selector, &error) < 0)
		return value_refuse(reader, where, "nodes: %s", error);
	return check_tags(reader, where, config, class) < 0
		       ? -EINVAL
		       : class_check_damping(reader, where, class);
}

/* Strings and lists are a class's own keys; those that it shares with the defaults are numbers. */
void class_deinit(struct config_class *class)
{
	for (size_t i = 0; i < n_class_keys; i++) {
		const char *name;
		const struct key *key = key_of_class(i, &name);

		if (key->kind == STRING)
			free(*(char **)key_class_field(class, key));
		else
			value_clear(key, key_class_field(class, key));
	}
	k8s_label_selector_free(class->node_selector);
	free(class->name);
}
