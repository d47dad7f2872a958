/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "macros.h"
#include "terminal.h"

bool terminal_character_is_unsafe(uint32_t c) {
        return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x061C || c == 0x200E || c == 0x200F ||
               (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

char *terminal_escape(const char *text) {
        GString *out = g_string_new(NULL);

        for (const char *p = text; *p; p = g_utf8_next_char(p)) {
                gunichar c = g_utf8_get_char(p);

                if (c == '\\')
                        g_string_append(out, "\\\\");
                else if (c == '\n')
                        g_string_append(out, "\\n");
                else if (c == '\t')
                        g_string_append(out, "\\t");
                else if (!terminal_character_is_unsafe(c))
                        g_string_append_unichar(out, c);
                else if (c < 0x100)
                        g_string_append_printf(out, "\\x%02x", c);
                else
                        g_string_append_printf(out, "\\u{%04x}", c);
        }

        return g_string_free(out, FALSE);
}

char *terminal_escape_json(const char *json) {
        GString *out = g_string_sized_new(strlen(json));

        for (const char *p = json; *p; p = g_utf8_next_char(p)) {
                gunichar c = g_utf8_get_char(p);

                if (terminal_character_is_unsafe(c) && c != '\n')
                        g_string_append_printf(out, "\\u%04x", c); /* all are in the basic plane */
                else
                        g_string_append_unichar(out, c);
        }

        return g_string_free(out, FALSE);
}
