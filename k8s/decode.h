/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads members of a JSON object by their path, remembering the first that is not what it should
 * be.
 *
 * Sticky: after a fault every getter says "absent", and the caller asks for the fault once, at the
 * end. The last word of a path is the key: "spec.type" reads "type" from the object given.
 */
#pragma once

#include "object.h"

struct decode {
	const char *annotation_prefix;
	struct object_fault fault; /* text NULL: none so far */
	char *problem;             /* the first thing left out */
	unsigned n_problems;
};

/* NULL: absent, null, or a fault. Borrowed from the JSON. */
const json_t *decode_object(struct decode *d, const json_t *in, const char *path);
const char *decode_string(struct decode *d, const json_t *in, const char *path);
bool decode_bool(struct decode *d, const json_t *in, const char *path, bool otherwise);
/* Outside of 0 to UINT32_MAX it is the nearest of them. */
uint32_t decode_count(struct decode *d, const json_t *in, const char *path);
/* 0: absent, null, empty, or a fault. */
size_t decode_list(struct decode *d, const json_t *in, const char *path);
/* Elements of the list of that path; of another type than these: a fault and NULL. */
const json_t *decode_object_at(struct decode *d, const json_t *in, const char *path, size_t i);
const char *decode_string_at(struct decode *d, const json_t *in, const char *path, size_t i);

/* Only keys with the prefix; "" for all. */
struct k8s_map decode_map(struct decode *d, const json_t *in, const char *path, const char *prefix);
/* false: no address, which was noted as a problem. */
must_check bool decode_address(
	struct decode *d, const char *path, const char *text, struct prefix *out);
/* The same of "ADDRESS/LEN". */
must_check bool decode_prefix(
	struct decode *d, const char *path, const char *text, struct prefix *out);

void decode_fail(struct decode *d, const json_t *in, const char *key, char *text);
void decode_problem(struct decode *d, char *text);
