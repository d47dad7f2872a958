/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <syslog.h>

#include "clock.h"
#include "events.h"
#include "macros.h"
#include "radio-internal.h"

/* Whose contacts and messages these are: the key that the radio tells. */

static void radio_flush_now(Radio *radio) {
        if (!radio->identity ||
            (!identity_needs_flush(radio->identity) && !pending_needs_flush(radio->pending)))
                return;

        radio->flushed_usec = clock_boottime_usec();
        if (identity_needs_flush(radio->identity))
                (void) identity_flush(radio->identity);
        if (pending_needs_flush(radio->pending))
                (void) pending_flush(radio->pending);
}

/* An SD card shall not wear out by it, however often the link comes and goes. */
void radio_flush(Radio *radio) {
        if (clock_boottime_usec() - radio->flushed_usec >= radio_timing.flush_usec)
                radio_flush_now(radio);
}

void radio_unload_identity(Radio *radio) {
        void *userdata;
        const RadioObserver *o = manager_observer(radio->manager, &userdata);

        if (!radio->identity)
                return;

        if (o && o->identity_unloading)
                o->identity_unloading(radio, userdata);
        nodes_unload(radio->nodes);
        delivery_unload(radio->delivery);
        repeats_unload(radio->repeats);
        radio_flush_now(radio);
        radio->pending = pending_free(radio->pending);
        radio->identity = identity_free(radio->identity);
}

int radio_load_identity(Radio *radio, const PublicKey *key) {
        void *userdata;
        const RadioObserver *o = manager_observer(radio->manager, &userdata);
        g_autoptr(Identity) identity = NULL;
        g_autoptr(Pending) pending = NULL;
        bool had = radio->identity;
        PublicKey old = {};
        Radio *holder;
        int r;

        if (had) {
                old = *identity_key(radio->identity);
                if (key_equal(&old, key))
                        return 0;
        }

        /* A radio that was moved to another slot takes its history along. */
        holder = manager_find_identity(radio->manager, key, radio);
        if (holder) {
                radio_unload_identity(holder);
                radio_notify(holder, RADIO_CHANGED_IDENTITY);
        }

        r = identity_load(manager_store(radio->manager), key, &identity);
        if (r < 0)
                return r;
        r = pending_load(manager_store(radio->manager), key, &pending);
        if (r < 0)
                return r;
        r = store_set_slot(manager_store(radio->manager), radio_id(radio), key);
        if (r < 0)
                return r;

        radio_unload_identity(radio);
        radio->identity = g_steal_pointer(&identity);
        radio->pending = g_steal_pointer(&pending);
        delivery_load(radio->delivery);
        nodes_load(radio->nodes);

        if (o && o->identity_loaded)
                o->identity_loaded(radio, userdata);
        radio_notify(radio, RADIO_CHANGED_IDENTITY);
        if (had) {
                radio_log_event(radio, EVENT_IDENTITY_CHANGED, LOG_WARNING, 0,
                                "another radio answers here: its key is %.16s…, it was %.16s…; "
                                "messages that wait for the old one are held",
                                key_to_text(key).text, key_to_text(&old).text);
                if (o && o->identity_changed)
                        o->identity_changed(radio, &old, key, userdata);
        }

        return 0;
}
