/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that the start needed, and what comes after it does not. */
#pragma once

/*
 * Gives free memory of the heap back to the kernel, and unmaps what came from files and is as it
 * was there: the code and constants of the program and its libraries, most of which only the start
 * needs (of libcrypto alone 3 MB). What is used again is mapped again by its next use, at the cost
 * of a minor fault (madvise(2), MADV_DONTNEED).
 */
void memory_give_back(void);
