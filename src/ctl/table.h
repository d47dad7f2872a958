/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Tables for people: columns as wide as their widest cell, measured in columns
 * of the terminal. Cells are foreign text and are shown by the rule of
 * terminal.h. */

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct Table Table;

/* One header a column, NULL-terminated; a header that begins with '>' (not
 * shown) aligns its column to the right. */
Table *table_new(const char *const *headers);
Table *table_free(Table *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Table, table_free)

/* Adds the next cell of the row. text may be NULL and is valid UTF-8. */
void table_add(Table *table, const char *text);
void table_add_format(Table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
size_t table_rows(const Table *table);

/* Each line is cut at width columns with an ellipsis; 0: never. A column whose
 * cells are all empty is left out. */
char *table_to_text(const Table *table, unsigned width);

/* To standard output, cut to the terminal only if it is one. */
void table_print(const Table *table);
/* The same, but a table without rows tells who sits at a terminal that there is nothing. */
void table_print_or(const Table *table, const char *nothing);
/* Whether less than wanted columns would be left of the last column on the terminal. */
bool table_hides_last(const Table *table, unsigned wanted);

/* Columns that text takes on a terminal. */
unsigned text_width(const char *text);
