/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What somebody may have meant who typed a name that there is none of: the same in another case, what
 * has it as a part, or what differs in few letters. names ends with NULL. Returns
 * "; did you mean …?" with at most three of them, or otherwise. Allocated. */
char *suggest(const char *word, const char *const *names, const char *otherwise);
