/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The floor for start and memory: a program with the daemon's libraries that
 * owns a name on the bus and does nothing else. */
#include <err.h>
#include <glib.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "bench-util.h"

int main(int argc, char **argv) {
        g_autoptr(GHashTable) table = g_hash_table_new(g_str_hash, g_str_equal);
        sd_event *event = NULL;
        sqlite3 *db = NULL;
        sd_bus *bus;
        int r;

        if (argc != 2)
                errx(1, "usage: %s DATABASE", argv[0]);
        if (sqlite3_open(argv[1], &db) != SQLITE_OK ||
            sqlite3_exec(db, "CREATE TABLE IF NOT EXISTS t (i INTEGER PRIMARY KEY); SELECT count(*) FROM t;",
                         NULL, NULL, NULL) != SQLITE_OK)
                errx(1, "sqlite");
        r = sd_event_default(&event);
        if (r < 0)
                errx(1, "event: %s", strerror(-r));
        bus = bench_open_bus();
        r = sd_bus_attach_event(bus, event, 0);
        if (r < 0)
                errx(1, "attach: %s", strerror(-r));
        r = sd_bus_request_name(bus, "bench.Bare", 0);
        if (r < 0)
                errx(1, "name: %s", strerror(-r));
        r = sd_event_loop(event);
        sd_bus_close_unref(bus);
        sd_event_unref(event);
        sqlite3_close(db);
        return r < 0;
}
