/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "contact-filter.h"

bool contact_fits(JsonObject *contact, const char *pattern) {
        g_autofree char *name = g_utf8_casefold(json_string(contact, "Name"), -1);
        g_autofree char *wanted = g_utf8_casefold(pattern, -1);
        g_autofree char *digits = g_ascii_strdown(pattern, -1);

        if (g_str_has_prefix(json_string(contact, "Key"), digits))
                return true;
        if (strpbrk(wanted, "*?"))
                return g_pattern_match_simple(wanted, name);
        return strstr(name, wanted) != NULL;
}
