/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "bluez-internal.h"
#include "log.h"
#include "macros.h"

/* bluetoothd counts one discovery session a connection, with one filter; and it merges those of all
 * programs. So ours is begun once for all who wait, and ends with the last of them. */

#define SCAN_CALL_USEC (10 * USEC_PER_SEC)

typedef struct Session {
        Bluez *bluez;
        char *adapter;
        GPtrArray *scans; /* BluezScan, not owned */
        sd_bus_slot *call;
        bool started; /* StartDiscovery was sent */
} Session;

struct BluezScan {
        Session *session; /* NULL: bluetoothd went, or refused */
        bluez_scan_failed_t failed;
        void *userdata;
};

static void session_free(Session *session) {
        g_autoptr(sd_bus_message) m = NULL;

        (void) g_ptr_array_remove(session->bluez->sessions, session);
        sd_bus_slot_unref(session->call);
        if (session->started &&
            bluez_message(session->bluez, session->adapter, BLUEZ_ADAPTER, "StopDiscovery", &m) >= 0)
                bluez_tell(session->bluez, m);

        for (guint i = 0; i < session->scans->len; i++)
                ((BluezScan *) session->scans->pdata[i])->session = NULL;
        g_ptr_array_unref(session->scans);
        g_free(session->adapter);
        g_free(session);
}

static void session_failed(Session *session, int error) {
        g_autoptr(GPtrArray) scans = g_ptr_array_ref(session->scans);

        session->started = false;
        while (scans->len > 0) {
                BluezScan *scan = g_ptr_array_steal_index(scans, 0);

                /* The last one takes the session along, in case of its own end. */
                scan->session = NULL;
                if (scans->len == 0)
                        session_free(g_steal_pointer(&session));
                if (scan->failed)
                        scan->failed(scan, error, scan->userdata);
        }
}

static int on_started(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        Session *session = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(reply);

        session->call = sd_bus_slot_unref(session->call);
        /* In progress is what our own session of a moment ago leaves behind. */
        if (!e || sd_bus_error_has_name(e, "org.bluez.Error.InProgress"))
                return 0;

        log_debug("Cannot scan: %s: %s", e->name, e->message);
        session_failed(session, sd_bus_error_has_name(e, "org.bluez.Error.NotReady")
                                                ? -ENETDOWN
                                                : -sd_bus_error_get_errno(e));
        return 0;
}

static int session_start(Session *session) {
        g_autoptr(sd_bus_message) filter = NULL, start = NULL;
        int r;

        r = bluez_message(session->bluez, session->adapter, BLUEZ_ADAPTER, "SetDiscoveryFilter", &filter);
        if (r >= 0)
                r = sd_bus_message_append(filter, "a{sv}", 1, "Transport", "s", "le");
        if (r >= 0)
                r = bluez_message(session->bluez, session->adapter, BLUEZ_ADAPTER, "StartDiscovery", &start);
        if (r < 0)
                return r;

        bluez_tell(session->bluez, filter);
        r = bluez_call(session->bluez, &session->call, start, on_started, session, SCAN_CALL_USEC);
        if (r < 0)
                return r;

        session->started = true;
        return 0;
}

int bluez_scan_new(Bluez *bluez, const char *adapter, bluez_scan_failed_t failed, void *userdata,
                   BluezScan **ret) {
        Session *session = NULL;
        BluezScan *scan;
        int r;

        for (guint i = 0; i < bluez->sessions->len && !session; i++) {
                Session *s = bluez->sessions->pdata[i];

                if (strcmp(s->adapter, adapter) == 0)
                        session = s;
        }

        if (!session) {
                session = g_new(Session, 1);
                *session = (Session){
                                .bluez = bluez, .adapter = g_strdup(adapter), .scans = g_ptr_array_new()};
                r = session_start(session);
                if (r < 0) {
                        session_free(session);
                        return r;
                }
                g_ptr_array_add(bluez->sessions, session);
        }

        scan = g_new(BluezScan, 1);
        *scan = (BluezScan){.session = session, .failed = failed, .userdata = userdata};
        g_ptr_array_add(session->scans, scan);
        *ret = scan;
        return 0;
}

BluezScan *bluez_scan_free(BluezScan *scan) {
        Session *session;

        if (!scan)
                return NULL;

        session = scan->session;
        if (session) {
                (void) g_ptr_array_remove(session->scans, scan);
                if (session->scans->len == 0)
                        session_free(session);
        }
        g_free(scan);
        return NULL;
}

void bluez_scans_lost(Bluez *bluez) {
        while (bluez->sessions->len > 0) {
                Session *session = bluez->sessions->pdata[0];

                session->started = false;
                session_free(session);
        }
}
