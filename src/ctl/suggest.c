/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <glib.h>
#include <string.h>

#include "macros.h"
#include "suggest.h"

#define WORD_MAX_BYTES 64
#define SUGGESTIONS    3
#define PART_MIN       3 /* letters that a part must have */
#define NEVER          1000U

/* Letters to change, add, leave out or swap with their neighbour; of bytes, which is near enough. */
static unsigned distance(const char *a, const char *b) {
        unsigned rows[3][WORD_MAX_BYTES + 1];
        size_t na = strlen(a), nb = strlen(b);

        if (na > WORD_MAX_BYTES || nb > WORD_MAX_BYTES)
                return NEVER;
        for (size_t j = 0; j <= nb; j++)
                rows[0][j] = (unsigned) j;
        for (size_t i = 1; i <= na; i++) {
                unsigned *before = rows[(i + 1) % 3], *last = rows[(i - 1) % 3], *row = rows[i % 3];

                row[0] = (unsigned) i;
                for (size_t j = 1; j <= nb; j++) {
                        unsigned d = last[j - 1] + (a[i - 1] != b[j - 1]);

                        d = MIN(d, MIN(last[j], row[j - 1]) + 1);
                        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                                d = MIN(d, before[j - 2] + 1);
                        row[j] = d;
                }
        }
        return rows[na % 3][nb];
}

/* The smaller the nearer. */
static unsigned remoteness(const char *word, const char *name) {
        g_autofree char *w = g_utf8_casefold(word + (*word == '#'), -1);
        g_autofree char *n = g_utf8_casefold(name + (*name == '#'), -1);
        unsigned d;

        if (strcmp(w, n) == 0)
                return 0;
        d = distance(w, n);
        if (d <= 1 + strlen(w) / 5 && d < strlen(w))
                return d;
        return strlen(w) >= PART_MIN && strstr(n, w) ? 10 : NEVER;
}

char *suggest(const char *word, const char *const *names, const char *otherwise) {
        g_autoptr(GString) text = g_string_new(NULL);
        unsigned n = 0;

        for (unsigned wanted = 0; wanted <= 10 && n < SUGGESTIONS; wanted++)
                for (const char *const *name = names; *name && n < SUGGESTIONS; name++)
                        if (remoteness(word, *name) == wanted)
                                g_string_append_printf(text, "%s%s", n++ > 0 ? " or " : "; did you mean ",
                                                       *name);
        g_string_append(text, n > 0 ? "?" : otherwise);
        return g_string_free(g_steal_pointer(&text), FALSE);
}
