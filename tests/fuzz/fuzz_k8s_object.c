/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first octet chooses the resource; the rest is an object's JSON. With what nobody reads cut
 * away, it must come to the same.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "../unit/print_object.h"
#include "object.h"

#define PREFIX "cosmolet."

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *text_of(const struct k8s_object *object)
{
	char *text;
	size_t size;
	FILE *out = xmemstream(&text, &size);

	print_object(out, object);
	fclose(out);
	return text;
}

struct comparison {
	const struct k8s_object *object;
	size_t n; /* how often it came */
};

static bool compare(void *data, enum cut_piece piece, const char *text, size_t size)
{
	struct comparison *comparison = data;
	struct k8s_object *object = NULL;
	struct object_fault fault = {0};
	auto_free char *problem = NULL;
	auto_free char *expected = text_of(comparison->object);
	auto_free char *found = NULL;
	json_t *json = json_loadb(text, size, 0, NULL);

	assert(json && piece == CUT_OBJECT);
	assert(!object_read(comparison->object->resource, json, PREFIX, &object, &problem, &fault));
	found = text_of(object);
	assert(!strcmp(found, expected));
	k8s_object_free(object);
	json_decref(json);
	comparison->n++;
	return true;
}

/* As an element of a list. */
static void cut_and_compare(const struct k8s_object *object, const char *json, size_t size)
{
	static const char head[] = "{\"items\":[", tail[] = "]}";
	struct comparison comparison = {.object = object};
	struct object_wanted wanted;
	struct cut cut;
	int r;

	object_wanted_init(&wanted, object->resource, PREFIX, true);
	cut_init(&cut, CUT_LIST, wanted.object, 0, compare, &comparison);
	r = cut_feed(&cut, head, strlen(head));
	if (!r)
		r = cut_feed(&cut, json, size);
	if (!r)
		r = cut_feed(&cut, tail, strlen(tail));
	assert(!r && !cut_end(&cut) && comparison.n == 1);
	cut_deinit(&cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum k8s_resource resource;
	struct k8s_object *object = NULL;
	struct object_fault fault = {0};
	char *problem = NULL;
	json_t *json;

	if (size == 0)
		return 0;
	resource = (enum k8s_resource)(data[0] % K8S_N_RESOURCES);
	json = json_loadb((const char *)data + 1, size - 1, JSON_DECODE_ANY, NULL);
	if (!json)
		return 0;
	free(object_name(json));
	if (object_read(resource, json, PREFIX, &object, &problem, &fault)) {
		assert(fault.text && !object && !problem);
	} else {
		assert(*object->meta.name && !fault.text);
		(void)k8s_selects(&object->meta.labels, &object->meta.labels);
		cut_and_compare(object, (const char *)data + 1, size - 1);
	}
	free(fault.text);
	free(problem);
	k8s_object_free(object);
	json_decref(json);
	return 0;
}
