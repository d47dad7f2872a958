/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "contact.h"
#include "macros.h"

const char *contact_type_to_string(unsigned type) {
        static const char *const names[_CONTACT_TYPE_MAX] = {
                        [CONTACT_NONE] = "none", [CONTACT_CHAT] = "chat",     [CONTACT_REPEATER] = "repeater",
                        [CONTACT_ROOM] = "room", [CONTACT_SENSOR] = "sensor",
        };

        return type < ELEMENTSOF(names) ? names[type] : "unknown";
}

Contact *contact_new(const PublicKey *key) {
        Contact *contact = g_new(Contact, 1);

        *contact = (Contact){
                        .key = *key,
                        .path_len = CONTACT_PATH_UNKNOWN,
                        .set_path_len = CONTACT_PATH_UNKNOWN,
                        .name = g_strdup(""),
        };
        return contact;
}

Contact *contact_copy(const Contact *contact) {
        Contact *copy = g_new(Contact, 1);

        *copy = *contact;
        copy->name = g_strdup(contact->name);
        return copy;
}

Contact *contact_free(Contact *contact) {
        if (!contact)
                return NULL;

        g_free(contact->name);
        g_free(contact);
        return NULL;
}

ContactChange contact_compare(const Contact *a, const Contact *b) {
        ContactChange what = 0;

        if (a->type != b->type)
                what |= CONTACT_CHANGED_TYPE;
        if (strcmp(a->name, b->name) != 0)
                what |= CONTACT_CHANGED_NAME;
        if (a->flags != b->flags)
                what |= CONTACT_CHANGED_FLAGS;
        if (a->on_radio != b->on_radio)
                what |= CONTACT_CHANGED_ON_RADIO;
        if (a->path_len != b->path_len || memcmp(a->path, b->path, sizeof(a->path)) != 0)
                what |= CONTACT_CHANGED_PATH;
        if (a->lat_e6 != b->lat_e6 || a->lon_e6 != b->lon_e6)
                what |= CONTACT_CHANGED_LOCATION;
        if (a->last_advert != b->last_advert)
                what |= CONTACT_CHANGED_LAST_ADVERT;
        if (a->last_heard_usec != b->last_heard_usec)
                what |= CONTACT_CHANGED_LAST_HEARD;
        if (a->unread != b->unread)
                what |= CONTACT_CHANGED_UNREAD;
        if (a->lastmod != b->lastmod)
                what |= CONTACT_CHANGED_LASTMOD;
        if (a->removed_elsewhere != b->removed_elsewhere || a->set_path_len != b->set_path_len ||
            memcmp(a->set_path, b->set_path, sizeof(a->set_path)) != 0 ||
            a->path_displaced != b->path_displaced || a->path_lent != b->path_lent)
                what |= CONTACT_CHANGED_BOOK;

        return what;
}
