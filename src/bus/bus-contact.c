/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus-internal.h"

/* -- properties ----------------------------------------------------------- */

#define CONTACT_GETTER(name, type, expression)                                     \
        BUS_GETTER(name) {                                                         \
                const Contact *contact = ((const BusContact *) userdata)->contact; \
                                                                                   \
                return sd_bus_message_append(reply, type, expression);             \
        }

/* Wire reference 6.4: two bits for the size of a hop's hash, less one, and six for the
 * number of hops. */
static unsigned path_hash_size(uint8_t path_len) {
        return (path_len >> 6) + 1;
}

static unsigned path_hops(uint8_t path_len) {
        return path_len & 0x3F;
}

static bool path_known(const Contact *contact) {
        unsigned size = path_hash_size(contact->path_len);

        return contact->path_len != CONTACT_PATH_UNKNOWN && size <= 3 &&
               size * path_hops(contact->path_len) <= sizeof(contact->path);
}

CONTACT_GETTER(key, "s", key_to_text(&contact->key).text)
CONTACT_GETTER(type, "s", contact_type_to_string(contact->type))
CONTACT_GETTER(name, "s", bus_text(contact->name))
CONTACT_GETTER(flags, "u", (uint32_t) contact->flags)
CONTACT_GETTER(favourite, "b", (contact->flags & CONTACT_FLAG_FAVOURITE) != 0)
CONTACT_GETTER(on_radio, "b", (int) contact->on_radio)
CONTACT_GETTER(path_known, "b", (int) path_known(contact))
CONTACT_GETTER(last_advert, "t", contact->last_advert *USEC_PER_SEC)
CONTACT_GETTER(last_heard, "t", contact->last_heard_usec)
CONTACT_GETTER(unread, "u", (uint32_t) MIN(contact->unread, UINT32_MAX))

BUS_GETTER(location) {
        const Contact *contact = ((const BusContact *) userdata)->contact;

        return sd_bus_message_append(reply, "(dd)", contact->lat_e6 / 1e6, contact->lon_e6 / 1e6);
}

BUS_GETTER(path) {
        const Contact *contact = ((const BusContact *) userdata)->contact;
        unsigned size = path_hash_size(contact->path_len);
        int r;

        r = sd_bus_message_open_container(reply, 'a', "ay");
        if (r < 0)
                return r;

        for (unsigned i = 0; path_known(contact) && i < path_hops(contact->path_len); i++) {
                r = sd_bus_message_append_array(reply, 'y', contact->path + i * size, size);
                if (r < 0)
                        return r;
        }

        return sd_bus_message_close_container(reply);
}

/* -- changes -------------------------------------------------------------- */

void bus_queue_contact(BusRadio *self, const Contact *contact, ContactChange what) {
        static const struct {
                ContactChange what;
                const char *property;
        } table[] = {
                        {CONTACT_CHANGED_TYPE, "Type"},
                        {CONTACT_CHANGED_NAME, "Name"},
                        {CONTACT_CHANGED_FLAGS, "Flags"},
                        {CONTACT_CHANGED_FLAGS, "Favourite"},
                        {CONTACT_CHANGED_ON_RADIO, "OnRadio"},
                        {CONTACT_CHANGED_PATH, "PathKnown"},
                        {CONTACT_CHANGED_PATH, "Path"},
                        {CONTACT_CHANGED_LOCATION, "Location"},
                        {CONTACT_CHANGED_LAST_ADVERT, "LastAdvertUSec"},
                        {CONTACT_CHANGED_LAST_HEARD, "LastHeardUSec"},
                        {CONTACT_CHANGED_UNREAD, "Unread"},
        };
        g_autofree char *path = NULL;

        if (!bus_can_emit(self->bus))
                return;

        path = bus_path_contact(self, &contact->key);
        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                if (what & table[i].what)
                        bus_queue_changed(self->bus, path, BUS_CONTACT, table[i].property);
}

int bus_append_advert(sd_bus_message *m, const Contact *contact) {
        int r;

        r = bus_append_entry(m, "Type", "s", contact_type_to_string(contact->type));
        if (r >= 0 && contact->name[0])
                r = bus_append_entry(m, "Name", "s", bus_text(contact->name));
        if (r >= 0 && (contact->lat_e6 != 0 || contact->lon_e6 != 0))
                r = bus_append_entry(m, "Location", "(dd)", contact->lat_e6 / 1e6, contact->lon_e6 / 1e6);
        if (r >= 0)
                r = bus_append_entry(m, "LastAdvertUSec", "t", contact->last_advert * USEC_PER_SEC);
        return r;
}

/* -- methods -------------------------------------------------------------- */

static int method_send_text(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusContact *found = userdata;

        return bus_send_text(found->radio, &(Recipient){.contact = found->contact}, call, error);
}

static int method_update(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusContact *found = userdata;
        g_autoptr(BusCaller) caller = NULL;
        BusContactFields changes;
        int r;

        r = bus_read_contact_fields(call, false, &changes, error);
        if (r < 0)
                return r;
        r = bus_answer_later(found->radio->bus, call, &caller, error);
        if (r <= 0)
                return r < 0 ? r : 1;
        if (changes.fields.set == 0)
                return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS, "Nothing is to be changed");

        radio_update_contact(found->radio->radio, &found->contact->key, &changes.fields, bus_answer_changed,
                             g_steal_pointer(&caller));
        return 1;
}

static int method_set_path(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusContact *found = userdata;
        PathHop path[CONTACT_PATH_HOPS_MAX];
        BusCaller *caller;
        size_t n;
        int r;

        r = bus_read_path(call, path, &n, error);
        if (r < 0)
                return r;
        r = bus_answer_later(found->radio->bus, call, &caller, error);
        if (r > 0)
                radio_set_contact_path(found->radio->radio, &found->contact->key, path, n, bus_answer_changed,
                                       caller);
        return r < 0 ? r : 1;
}

static int method_reset_path(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusContact *found = userdata;
        BusCaller *caller;
        int r;

        r = bus_answer_later(found->radio->bus, call, &caller, error);
        if (r > 0)
                radio_reset_contact_path(found->radio->radio, &found->contact->key, bus_answer_changed,
                                         caller);
        return r < 0 ? r : 1;
}

static int method_share(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusContact *found = userdata;
        BusCaller *caller;
        int r;

        r = bus_answer_later(found->radio->bus, call, &caller, error);
        if (r > 0)
                radio_share_contact(found->radio->radio, &found->contact->key, bus_answer, caller);
        return r < 0 ? r : 1;
}

static int method_export(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusContact *found = userdata;

        return bus_export_contact(found->radio, &found->contact->key, call, error);
}

static int method_export_card(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusContact *found = userdata;

        return bus_export_card(found->radio, &found->contact->key, call, error);
}

static int method_remove(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusContact *found = userdata;
        int keep = false;
        const BusOption options[] = {{"Keep", "b", &keep}};
        BusCaller *caller;
        int r;

        r = bus_read_options(call, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;
        r = bus_answer_later(found->radio->bus, call, &caller, error);
        if (r > 0)
                radio_remove_contact(found->radio->radio, &found->contact->key, keep, bus_answer, caller);
        return r < 0 ? r : 1;
}

#define CHANGES(name, type, getter) BUS_PROPERTY(name, type, getter, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)

const sd_bus_vtable bus_contact_vtable[] = {
                SD_BUS_VTABLE_START(0),
                BUS_PROPERTY("Key", "s", key, SD_BUS_VTABLE_PROPERTY_CONST),
                CHANGES("Type", "s", type),
                CHANGES("Name", "s", name),
                CHANGES("Flags", "u", flags),
                CHANGES("Favourite", "b", favourite),
                CHANGES("OnRadio", "b", on_radio),
                CHANGES("Location", "(dd)", location),
                CHANGES("PathKnown", "b", path_known),
                CHANGES("Path", "aay", path),
                CHANGES("LastAdvertUSec", "t", last_advert),
                CHANGES("LastHeardUSec", "t", last_heard),
                CHANGES("Unread", "u", unread),
                SD_BUS_METHOD_WITH_ARGS("SendText", SD_BUS_ARGS("s", text, "a{sv}", options),
                                        SD_BUS_RESULT("o", message), method_send_text,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("Update", SD_BUS_ARGS("a{sv}", changes), SD_BUS_NO_RESULT,
                                        method_update, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("SetPath", SD_BUS_ARGS("aay", path), SD_BUS_NO_RESULT,
                                        method_set_path, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("ResetPath", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_reset_path,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("GetAdvertPath", SD_BUS_NO_ARGS,
                                        SD_BUS_RESULT("t", heard, "aay", path), bus_method_get_advert_path,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("Refresh", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, bus_method_refresh,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("DiscoverPath", SD_BUS_ARGS("a{sv}", options),
                                        SD_BUS_RESULT("aay", out, "aay", in), bus_method_discover_path,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("Share", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_share,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("Export", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("s", uri),
                                        method_export, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("ExportCard", SD_BUS_NO_ARGS, SD_BUS_RESULT("ay", packet),
                                        method_export_card, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("Remove", SD_BUS_ARGS("a{sv}", options), SD_BUS_NO_RESULT,
                                        method_remove, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_VTABLE_END,
};
