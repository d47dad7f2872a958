/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "store-internal.h"

/* Rows of meta, by name. */
#define LINES_PREFIX "lines:"
#define LINES_END    "lines;" /* the next after all of these */

int store_list_slots(Store *store, store_slot_key_t take, void *userdata) {
        g_auto(Query) query = query_begin(store, "SELECT slot, key FROM radio WHERE slot > '' ORDER BY slot");
        int r;

        while ((r = query_step(&query)) > 0) {
                g_autofree char *id = query_text(&query, 0);
                PublicKey key;

                if (id && query_blob(&query, 1, key.bytes, PUBLIC_KEY_SIZE))
                        take(id, &key, userdata);
        }
        return r;
}

int store_get_lines(Store *store, const char *device, char **ret) {
        g_auto(Query) query = query_begin(store, "SELECT value FROM meta WHERE name = ?");
        g_autofree char *name = g_strconcat(LINES_PREFIX, device, NULL);
        char *lines;
        int r;

        query_bind_text(&query, name);
        r = query_step(&query);
        if (r < 0)
                return r;
        lines = r > 0 ? query_text(&query, 0) : NULL;
        if (!lines)
                return -ENOENT;

        *ret = lines;
        return 0;
}

static int forget_lines(Store *store, const char *name) {
        g_auto(Query) query = query_begin(store, "DELETE FROM meta WHERE name = ?");

        query_bind_text(&query, name);
        return query_run(&query);
}

static int check_lines(Store *store, const char *name) {
        g_auto(Query) query = query_begin(store, "SELECT count(*) FROM meta WHERE name >= '" LINES_PREFIX "'"
                                                 " AND name < '" LINES_END "' AND name <> ?");
        int r;

        query_bind_text(&query, name);
        r = query_step(&query);
        if (r < 0)
                return r;
        return query_int(&query, 0) >= STORE_DEVICES_MAX ? -E2BIG : 0;
}

static int save_lines(Store *store, const char *name, const char *lines) {
        g_auto(Query) query = query_begin(store, "INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)");

        query_bind_text(&query, name);
        query_bind_text(&query, lines);
        return query_run(&query);
}

int store_set_lines(Store *store, const char *device, const char *lines) {
        g_autofree char *name = g_strconcat(LINES_PREFIX, device, NULL);
        g_autofree char *known = NULL;
        int r;

        r = store_get_lines(store, device, &known);
        if (r < 0 && r != -ENOENT)
                return r;
        if (g_strcmp0(known, lines) == 0)
                return 0;

        r = store_begin(store);
        if (r < 0)
                return r;

        r = lines ? check_lines(store, name) : 0;
        if (r >= 0)
                r = lines ? save_lines(store, name, lines) : forget_lines(store, name);
        if (r >= 0)
                r = store_commit(store);
        if (r < 0)
                store_rollback(store);
        return r;
}
