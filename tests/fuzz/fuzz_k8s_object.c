/* SPDX-License-Identifier: Apache-2.0 */
/* The first octet chooses the resource; the rest is an object's JSON. */
#include <assert.h>
#include <stdint.h>

#include "object.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
	if (object_read(resource, json, "cosmolet.", &object, &problem, &fault)) {
		assert(fault.text && !object && !problem);
	} else {
		assert(*object->meta.name && !fault.text);
		(void)k8s_selects(&object->meta.labels, &object->meta.labels);
	}
	free(fault.text);
	free(problem);
	k8s_object_free(object);
	json_decref(json);
	return 0;
}
