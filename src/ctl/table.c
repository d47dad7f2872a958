/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "ctl.h"
#include "macros.h"
#include "table.h"
#include "terminal.h"

#define COLUMN_GAP 2

struct Table {
        unsigned n_columns;
        bool *right;
        GPtrArray *cells; /* escaped; row by row, the headers first */
};

Table *table_new(const char *const *headers) {
        Table *t = g_new0(Table, 1);

        t->cells = g_ptr_array_new_with_free_func(g_free);
        t->n_columns = g_strv_length((char **) headers);
        t->right = g_new0(bool, t->n_columns);
        for (unsigned i = 0; i < t->n_columns; i++) {
                t->right[i] = headers[i][0] == '>';
                g_ptr_array_add(t->cells, g_strdup(headers[i] + (t->right[i] ? 1 : 0)));
        }

        return t;
}

Table *table_free(Table *t) {
        if (!t)
                return NULL;

        g_ptr_array_unref(t->cells);
        g_free(t->right);
        g_free(t);
        return NULL;
}

void table_add(Table *t, const char *text) {
        g_ptr_array_add(t->cells, terminal_escape(text ?: ""));
}

void table_add_format(Table *t, const char *format, ...) {
        g_autofree char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);
        table_add(t, text);
}

size_t table_rows(const Table *t) {
        return t->cells->len / t->n_columns - 1;
}

static unsigned unichar_width(gunichar c) {
        if (g_unichar_iszerowidth(c))
                return 0;
        return g_unichar_iswide(c) ? 2 : 1;
}

unsigned text_width(const char *text) {
        unsigned width = 0;

        for (const char *p = text; *p; p = g_utf8_next_char(p))
                width += unichar_width(g_utf8_get_char(p));
        return width;
}

/* Appends line, cut to width columns. */
static void append_cut(GString *out, const char *line, unsigned width) {
        unsigned used = 0;
        const char *p = line;

        if (width == 0 || text_width(line) <= width) {
                g_string_append(out, line);
                return;
        }

        for (; *p; p = g_utf8_next_char(p)) {
                unsigned w = unichar_width(g_utf8_get_char(p));

                if (used + w > width - 1)
                        break;
                used += w;
        }
        g_string_append_len(out, line, p - line);
        g_string_append(out, "…");
}

static unsigned column_width(const Table *t, unsigned column) {
        unsigned width = 0;

        for (unsigned i = column + t->n_columns; i < t->cells->len; i += t->n_columns)
                width = MAX(width, text_width(t->cells->pdata[i]));
        return width > 0 ? MAX(width, text_width(t->cells->pdata[column])) : 0;
}

static void append_spaces(GString *out, unsigned n) {
        for (unsigned i = 0; i < n; i++)
                g_string_append_c(out, ' ');
}

char *table_to_text(const Table *t, unsigned width) {
        g_autofree unsigned *widths = g_new0(unsigned, t->n_columns);
        GString *out = g_string_new(NULL);

        for (unsigned c = 0; c < t->n_columns; c++)
                widths[c] = column_width(t, c);

        for (unsigned i = 0; i + t->n_columns <= t->cells->len; i += t->n_columns) {
                g_autoptr(GString) line = g_string_new(NULL);
                unsigned owed = 0; /* spaces that only another cell makes necessary */

                for (unsigned c = 0; c < t->n_columns; c++) {
                        const char *cell = t->cells->pdata[i + c];
                        unsigned fill;

                        if (widths[c] == 0)
                                continue;
                        fill = widths[c] - MIN(widths[c], text_width(cell));
                        if (*cell) {
                                append_spaces(line, owed + (t->right[c] ? fill : 0));
                                g_string_append(line, cell);
                                owed = (t->right[c] ? 0 : fill) + COLUMN_GAP;
                        } else
                                owed += widths[c] + COLUMN_GAP;
                }
                append_cut(out, line->str, width);
                g_string_append_c(out, '\n');
        }

        return g_string_free(out, FALSE);
}

static unsigned terminal_width(void) {
        struct winsize size = {};

        if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
                return 0;
        return size.ws_col;
}

void table_print(const Table *t) {
        g_autofree char *text = NULL;

        if (table_rows(t) == 0)
                return;
        text = table_to_text(t, terminal_width());
        (void) fputs(text, stdout);
}

void table_print_or(const Table *t, const char *nothing) {
        if (table_rows(t) == 0 && isatty(STDOUT_FILENO))
                ctl_note("%s", nothing);
        table_print(t);
}

bool table_hides_last(const Table *t, unsigned wanted) {
        unsigned width = terminal_width(), taken = 0;

        for (unsigned c = 0; c + 1 < t->n_columns; c++)
                if (column_width(t, c) > 0)
                        taken += column_width(t, c) + COLUMN_GAP;
        return width > 0 && taken + wanted > width;
}
