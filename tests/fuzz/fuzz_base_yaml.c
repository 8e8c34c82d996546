/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as YAML: refused with a place and a text, or a tree that can be walked. */
#include <assert.h>
#include <stdint.h>

#include <cosmolet/yaml.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ytree *yaml = NULL;
	struct ytree_error error;

	if (ytree_parse((const char *)data, size, &yaml, &error) < 0) {
		assert(!yaml && *error.text);
		return 0;
	}
	for (size_t i = 0; i < ytree_documents(yaml); i++) {
		const json_t *root = ytree_document(yaml, i);

		assert(root && ytree_place_root(yaml, i).line);
		if (json_is_array(root) && json_array_size(root))
			assert(ytree_place_element(yaml, root, 0).line);
	}
	ytree_free(yaml);
	return 0;
}
