/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target over its recorded corpus: a crash once found stays a test. Each seed is also
 * tried cut at every length (up to 2,000), which is what a broken connection does to it.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <cosmolet/mem.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SEED_MAX (1u << 20)

/* The target sees memory of exactly the right size, so that a sanitizer sees one octet too far. */
static void try_size(const uint8_t *data, size_t size)
{
	auto_free uint8_t *copy = xmemdup(data, size);

	LLVMFuzzerTestOneInput(copy, size);
}

static int replay(const char *directory, const char *name)
{
	auto_free char *path = xasprintf("%s/%s", directory, name);
	auto_free uint8_t *data = xmalloc(SEED_MAX);
	auto_file FILE *file = fopen(path, "rb");
	size_t size;

	if (!file)
		return -errno;
	size = fread(data, 1, SEED_MAX, file);
	for (size_t n = 0; n < MIN(size, (size_t)2000); n++)
		try_size(data, n);
	try_size(data, size);
	return 0;
}

int main(int argc, char **argv)
{
	struct dirent **names = NULL;
	int n = argc == 2 ? scandir(argv[1], &names, NULL, alphasort) : -1;
	int n_seeds = 0;

	if (n < 0) {
		fprintf(stderr, "usage: %s CORPUS-DIRECTORY\n", argv[0]);
		return 1;
	}
	for (int i = 0; i < n; i++) {
		if (names[i]->d_name[0] != '.') {
			int r = replay(argv[1], names[i]->d_name);

			printf("%s %d - %s\n", r ? "not ok" : "ok", ++n_seeds, names[i]->d_name);
		}
		free(names[i]);
	}
	free(names);
	printf("1..%d\n", n_seeds);
	return n_seeds ? 0 : 1;
}
