/* SPDX-License-Identifier: Apache-2.0 */
/* Which commit this was built from. */
#pragma once

/* "ed5117f", with a "+" behind it if files were changed; "unknown": built outside of git. */
extern const char cosmolet_revision[];
