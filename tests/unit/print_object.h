/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdio.h>

#include <cosmolet/k8s.h>

/* An object as one line of text: only what is not as in a zeroed one. */
void print_object(FILE *out, const struct k8s_object *object);
