/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdbool.h>
#include <string.h>

#include "macros.h"
#include "utf8.h"

#define REPLACEMENT "\357\277\275"

/* sd-bus refuses strings with noncharacters, although Unicode allows them to be interchanged. */
static bool is_noncharacter(gunichar c) {
        return (c >= 0xFDD0 && c <= 0xFDEF) || (c & 0xFFFE) == 0xFFFE;
}

/* Valid UTF-8 from text up to end. */
static void append_valid(GString *out, const char *text, const char *end) {
        const char *begin = text;

        for (; text < end; text = g_utf8_next_char(text)) {
                if (!is_noncharacter(g_utf8_get_char(text)))
                        continue;
                g_string_append_len(out, begin, text - begin);
                g_string_append(out, REPLACEMENT);
                begin = g_utf8_next_char(text);
        }
        g_string_append_len(out, begin, end - begin);
}

char *utf8_repair(const void *text, size_t size) {
        const char *p = text;
        GString *out;

        while (size > 0 && p[size - 1] == '\0')
                size--;

        out = g_string_sized_new(size);
        while (size > 0) {
                const char *end;
                gunichar c;

                (void) g_utf8_validate(p, (gssize) size, &end);
                append_valid(out, p, end);
                size -= (size_t) (end - p);
                p = end;
                if (size == 0)
                        break;

                /* A character that merely stops too early was cut by the sender. One that stops at a NUL
                 * was not: there is more behind it. */
                c = *p == '\0' ? (gunichar) -1 : g_utf8_get_char_validated(p, (gssize) size);
                if (c == (gunichar) -2 && !memchr(p, '\0', size))
                        break;

                g_string_append(out, REPLACEMENT);
                p++;
                size--;
        }

        return g_string_free(out, FALSE);
}

size_t utf8_cut(const char *text, size_t limit) {
        size_t size = strlen(text);

        if (size <= limit)
                return size;
        while (limit > 0 && ((unsigned char) text[limit] & 0xC0) == 0x80)
                limit--;
        return limit;
}
