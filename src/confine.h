/* SPDX-License-Identifier: Apache-2.0 */
/* What this process may do to files. */
#pragma once

#include <cosmolet/mem.h>

/*
 * From now on, for good and whoever it is: writes and makes files nowhere but below directory
 * (NULL: nowhere), and starts no program. Files that are open stay so; reading stays as it is. Only
 * for the calling thread and those that it begins, so there should be no other one. The first call
 * counts, the others see that it was meant so. -EBUSY: it was not, the directory is another one.
 * Any other error: the kernel, or who started us, does not let us.
 */
must_check int confine(const char *directory);
