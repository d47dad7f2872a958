/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "discover.h"
#include "macros.h"
#include "radio-internal.h"

/* Bonds with radios, whether or not a section names them. */

#define FORGET_USEC (20 * USEC_PER_SEC)

typedef struct Forget {
        Manager *manager;
        char *address;
        forget_done_t done;
        void *userdata;
        Bluez *bluez;
        BluezWatch *watch;
        sd_event_source *timer, *end;
        bool begun; /* bluetoothd was asked to */
        Outcome outcome;
} Forget;

static void forget_free(Forget *forget) {
        g_queue_remove(manager_forgets(forget->manager), forget);
        forget->done(&forget->outcome, forget->userdata);
        forget->watch = bluez_unwatch(forget->watch);
        bluez_unref(forget->bluez);
        sd_event_source_disable_unref(forget->timer);
        sd_event_source_disable_unref(forget->end);
        outcome_clear(&forget->outcome);
        g_free(forget->address);
        g_free(forget);
}

static int on_end(sd_event_source *source, void *userdata) {
        forget_free(userdata);
        return 0;
}

static void end(Forget *forget, OutcomeCode code, const char *why) {
        if (forget->end)
                return;
        if (code != OUTCOME_OK)
                (void) outcome_set(&forget->outcome, code, "%s", why);
        if (sd_event_add_defer(manager_event(forget->manager), &forget->end, on_end, forget) < 0)
                g_error("cannot create an event source");
}

/* Whether a bond with it is left; with begin asks bluetoothd to remove it. */
static bool has_bond(const Forget *forget, bool begin) {
        g_autoptr(GPtrArray) devices = bluez_devices(forget->bluez);
        bool has = false;

        for (guint i = 0; i < devices->len; i++) {
                const BluezDevice *d = devices->pdata[i];

                if (!d->paired || !bluez_device_is_radio(d) ||
                    g_ascii_strcasecmp(d->address, forget->address) != 0)
                        continue;
                has = true;
                if (begin)
                        bluez_leave(forget->bluez, d->path, true);
        }
        return has;
}

static bool is_leaving(const Forget *forget) {
        g_autoptr(GPtrArray) devices = bluez_devices(forget->bluez);

        for (guint i = 0; i < devices->len; i++)
                if (bluez_is_leaving(forget->bluez, ((const BluezDevice *) devices->pdata[i])->path))
                        return true;
        return false;
}

static void begin(Forget *forget) {
        forget->begun = true;
        if (!has_bond(forget, true))
                end(forget, OUTCOME_NOT_FOUND, "There is no bond with a radio of this address");
}

static void on_changed(Bluez *bluez, BluezChange what, const char *path, void *userdata) {
        Forget *forget = userdata;

        if (what == BLUEZ_CHANGED_SERVICE && bluez_is_ready(bluez) && !forget->begun)
                begin(forget);
        else if (what == BLUEZ_CHANGED_SERVICE && (forget->begun || bluez_error(bluez) < 0))
                end(forget, OUTCOME_NOT_CONNECTED, "The Bluetooth service is not running");
        else if (forget->begun && !has_bond(forget, false))
                end(forget, OUTCOME_OK, NULL);
        else if (forget->begun && what == BLUEZ_CHANGED_LEFT && !is_leaving(forget))
                end(forget, OUTCOME_FAILED, "The Bluetooth service did not forget the radio");
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        end(userdata, OUTCOME_TIMEOUT, "The Bluetooth service does not answer");
        return 0;
}

static void on_radio_forgot(Radio *radio, const Outcome *outcome, void *userdata) {
        Forget *forget = userdata;

        if (outcome->code != OUTCOME_OK)
                (void) outcome_set(&forget->outcome, outcome->code, "%s", outcome->message);
        forget_free(forget);
}

static Radio *find_radio(Manager *manager, const char *address) {
        GPtrArray *radios = manager_radios(manager);

        for (guint i = 0; i < radios->len; i++) {
                Radio *radio = radios->pdata[i];

                if (radio->bond &&
                    g_ascii_strcasecmp(radio->ble_address ?: radio->settings->address, address) == 0)
                        return radio;
        }
        return NULL;
}

void manager_forget_bond(Manager *manager, const char *address, forget_done_t done, void *userdata) {
        Radio *radio = find_radio(manager, address);
        Bluez *bluez = manager_bluez(manager);
        Forget *forget = g_new(Forget, 1);

        *forget = (Forget){
                        .manager = manager,
                        .address = g_strdup(address),
                        .done = done,
                        .userdata = userdata,
                        .bluez = bluez ? bluez_ref(bluez) : NULL,
        };
        g_queue_push_tail(manager_forgets(manager), forget);

        if (radio) {
                radio_forget_bond(radio, on_radio_forgot, forget);
                return;
        }
        if (!forget->bluez ||
            sd_event_add_time_relative(manager_event(manager), &forget->timer, CLOCK_BOOTTIME, FORGET_USEC, 0,
                                       on_timer, forget) < 0) {
                end(forget, OUTCOME_FAILED, "The system is short of something");
                return;
        }

        forget->watch = bluez_watch(forget->bluez, on_changed, forget);
        if (bluez_is_ready(forget->bluez))
                begin(forget);
        else if (bluez_refresh(forget->bluez, true) < 0)
                end(forget, OUTCOME_NOT_CONNECTED,
                    "There is no system bus on which to find the Bluetooth service");
}

void manager_stop_forgets(Manager *manager) {
        Forget *forget;

        while ((forget = g_queue_peek_head(manager_forgets(manager)))) {
                (void) outcome_set(&forget->outcome, OUTCOME_CANCELLED, "The daemon stops");
                forget_free(forget);
        }
}
