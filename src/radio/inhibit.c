/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "hotplug.h"
#include "manager.h"
#include "radio-internal.h"

/* Radios that somebody else has for a while, to flash them for example, and all of them while the machine
 * sleeps. By id, so that a reload in between does not take the port back. */

struct Inhibitions {
        GHashTable *counts; /* id → how many hold it */
        bool asleep;
};

Inhibitions *inhibitions_new(void) {
        Inhibitions *self = g_new0(Inhibitions, 1);

        self->counts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        return self;
}

Inhibitions *inhibitions_free(Inhibitions *self) {
        if (!self)
                return NULL;

        g_hash_table_unref(self->counts);
        return g_free(self), NULL;
}

static unsigned count_of(Inhibitions *self, const char *id) {
        return GPOINTER_TO_UINT(g_hash_table_lookup(self->counts, id));
}

bool manager_is_inhibited(Manager *manager, const char *id) {
        Inhibitions *self = manager_inhibitions(manager);

        return self->asleep || count_of(self, id) > 0;
}

bool manager_is_handed_over(Manager *manager, const char *id) {
        GPtrArray *radios = manager_radios(manager);

        for (guint i = 0; i < radios->len; i++)
                if ((!id || strcmp(id, radio_id(radios->pdata[i])) == 0) &&
                    !radio_is_suspended(radios->pdata[i]))
                        return false;
        return true;
}

bool manager_has_inhibitions(Manager *manager) {
        Inhibitions *self = manager_inhibitions(manager);

        return self->asleep || g_hash_table_size(self->counts) > 0;
}

static void take_back(Manager *manager, Radio *radio) {
        if (!manager_is_inhibited(manager, radio_id(radio)))
                radio_resume(radio);
}

void manager_inhibit(Manager *manager, const char *id) {
        Inhibitions *self = manager_inhibitions(manager);
        Radio *radio = manager_get_radio(manager, id);

        (void) g_hash_table_replace(self->counts, g_strdup(id), GUINT_TO_POINTER(count_of(self, id) + 1));
        if (radio)
                radio_suspend(radio);
}

void manager_release(Manager *manager, const char *id) {
        Inhibitions *self = manager_inhibitions(manager);
        unsigned n = count_of(self, id);
        Radio *radio = manager_get_radio(manager, id);

        if (n > 1)
                (void) g_hash_table_replace(self->counts, g_strdup(id), GUINT_TO_POINTER(n - 1));
        else
                (void) g_hash_table_remove(self->counts, id);

        if (radio)
                take_back(manager, radio);
        /* Ports that came meanwhile were left alone. */
        hotplug_update(manager_hotplug(manager));
}

void manager_set_asleep(Manager *manager, bool asleep) {
        Inhibitions *self = manager_inhibitions(manager);
        GPtrArray *radios = manager_radios(manager);

        if (self->asleep == asleep)
                return;

        self->asleep = asleep;
        for (guint i = 0; i < radios->len; i++) {
                if (asleep)
                        radio_suspend(radios->pdata[i]);
                else
                        take_back(manager, radios->pdata[i]);
        }
        if (!asleep)
                hotplug_update(manager_hotplug(manager));
}
