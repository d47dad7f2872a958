/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Foreign text on a terminal or in a log line: control characters could move
 * the cursor, forge lines or turn the reading direction round. */

/* A copy in which C0, DEL, C1, U+2028/9 and the bidirectional controls are
 * shown escaped (\n, \t, \xHH, \u{HHHH}) and a backslash is doubled. text is
 * valid UTF-8. */
char *terminal_escape(const char *text);

/* JSON, in whose strings only the escapes are of the same meaning: \uHHHH. Newlines stay as they are: the
 * generators of JSON escape those in strings. */
char *terminal_escape_json(const char *json);

/* Whether the character is one of those. */
bool terminal_character_is_unsafe(uint32_t character);
