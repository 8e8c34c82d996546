/* SPDX-License-Identifier: Apache-2.0 */
/* The status page, as the build has made it from page.html. */
#pragma once

#include <stddef.h>

extern const char page_html[];
extern const size_t page_size;
extern const char page_policy[]; /* its Content-Security-Policy */
