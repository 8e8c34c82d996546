/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a class from its keys, wherever these come from. */
#pragma once

#include "value.h"

/*
 * The i-th of n_class_keys, and how it is called: as in the file, or where foreign, in camelCase.
 * For free(); NULL: a policy has no such setting.
 */
char *class_key_name(bool foreign, size_t i, const struct key **out_key);

/*
 * Reads the keys over what *class holds; where is of the object, and has a key. 0; or -EINVAL, with
 * the error written: *class is for class_deinit() either way.
 */
must_check int class_decode(const struct reader *reader, const struct where *where,
	const json_t *object, struct config_class *class);
/* Whether its keys agree with each other and the configuration; completes it. As above. */
must_check int class_check(const struct reader *reader, const struct where *where,
	const struct config *config, struct config_class *class);
/* The part of it that is about damping. */
must_check int class_check_damping(
	const struct reader *reader, const struct where *where, const struct config_class *class);
/* The greatest tag of a healthy address. */
int64_t class_last_tag(const struct config_class *class);
void class_deinit(struct config_class *class);
