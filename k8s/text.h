/* SPDX-License-Identifier: Apache-2.0 */
/* Text that comes from elsewhere and is to be shown. */
#pragma once

#include <stddef.h>

/* Cuts it after at most max octets, but not in the middle of a character. Returns it. */
char *text_shorten(char *text, size_t max);
/* Puts "?" for what is not UTF-8 and for control characters. Returns it; NULL stays NULL. */
char *text_clean(char *text);
