/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first octet chooses the shape and how the rest is split. However it is split, the same pieces
 * must come out, and what is handed over must be what jansson can be given.
 */
#include <assert.h>
#include <jansson.h>
#include <stdint.h>
#include <string.h>

#include "object.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct tally {
	size_t n_pieces;
	size_t n_octets;
	size_t sum; /* no padding: two of these are compared as bytes */
};

static bool add(void *data, enum cut_piece piece, const char *text, size_t size)
{
	struct tally *tally = data;

	assert(text[size] == '\0');
	tally->n_pieces++;
	if (piece == CUT_TOO_LARGE)
		return true;
	tally->n_octets += size;
	for (size_t i = 0; i < size; i++)
		tally->sum = tally->sum * 31 + (uint8_t)text[i];
	json_decref(json_loadb(text, size, 0, NULL));
	return true;
}

static int cut_all(
	enum cut_shape shape, const char *bytes, size_t size, size_t step, struct tally *tally)
{
	struct object_wanted wanted;
	struct cut cut;
	int r = 0;

	object_wanted_init(&wanted, K8S_PODS, "cosmolet.", false);
	*tally = (struct tally){0};
	cut_init(&cut, shape, wanted.object, 1000, add, tally);
	for (size_t at = 0; at < size && !r; at += step)
		r = cut_feed(&cut, bytes + at, MIN(step, size - at));
	if (!r)
		r = cut_end(&cut);
	cut_deinit(&cut);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum cut_shape shape;
	struct tally whole, split;
	int r;

	if (size == 0)
		return 0;
	shape = data[0] & 1 ? CUT_LIST : CUT_WATCH;
	r = cut_all(shape, (const char *)data + 1, size - 1, size, &whole);
	assert(r == cut_all(shape, (const char *)data + 1, size - 1, 1 + (data[0] >> 1), &split));
	assert(memcmp(&whole, &split, sizeof(whole)) == 0);
	return 0;
}
