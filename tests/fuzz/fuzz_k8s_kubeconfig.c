/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes are a kubeconfig. Files that it names are looked for where there are none. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "kubeconfig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xmalloc(size + 1);
	struct auth auth = {0};
	char *error = NULL;

	memcpy(text, data, size);
	text[size] = '\0';
	if (kubeconfig_parse("/proc/none/config", text, size, NULL, &auth, &error))
		assert(strncmp(error, "/proc/none/config:", 18) == 0);
	else
		assert(auth.server && auth.description);
	free(error);
	auth_deinit(&auth);
	free(text);
	return 0;
}
