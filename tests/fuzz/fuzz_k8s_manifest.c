/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes are a file of manifests, YAML or JSON. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void free_object(void *object)
{
	k8s_object_free(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct k8s_options options = {
		.node = "n1", .annotation_prefix = "", .policies = true};
	char *text = xmalloc(size + 1);
	struct vec objects = {0};
	struct vec problems = {0};
	char *error = NULL;

	memcpy(text, data, size);
	text[size] = '\0';
	if (manifest_read("m.yaml", text, size, &options, &objects, &problems, &error))
		assert(strncmp(error, "m.yaml:", 7) == 0 && objects.n == 0 && problems.n == 0);
	free(error);
	vec_deinit(&objects, free_object);
	vec_deinit(&problems, free);
	free(text);
	return 0;
}
