/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "bus-internal.h"

/* Everything about rights is here. Reading properties and receiving signals
 * is the bus policy's affair alone. */

/* Most names whose uid is remembered. */
#define UIDS_MAX 256

const char *bus_action_to_string(BusAction action) {
        static const char *const names[_BUS_ACTION_MAX] = {
                        [BUS_ACTION_READ] = "read",
                        [BUS_ACTION_SEND] = "send",
                        [BUS_ACTION_CONFIGURE] = "configure",
                        [BUS_ACTION_ADMINISTER] = "administer",
        };

        return action >= 0 && action < _BUS_ACTION_MAX ? names[action] : NULL;
}

BusAction bus_auth_action(const char *interface, const char *member) {
        static const struct {
                const char *interface, *member;
                BusAction action;
        } table[] = {
                        {BUS_RADIO, "Start", BUS_ACTION_CONFIGURE},
                        {BUS_RADIO, "Stop", BUS_ACTION_CONFIGURE},
                        {BUS_RADIO, "Ping", BUS_ACTION_READ},
                        {BUS_RADIO, "SendText", BUS_ACTION_SEND},
                        {BUS_CONTACTS, "Find", BUS_ACTION_READ},
                        {BUS_CONTACT, "SendText", BUS_ACTION_SEND},
                        {BUS_CHANNEL, "SendText", BUS_ACTION_SEND},
                        {BUS_CHANNEL, "GetSecret", BUS_ACTION_ADMINISTER},
                        {BUS_MESSAGES, "List", BUS_ACTION_READ},
                        {BUS_MESSAGES, "MarkRead", BUS_ACTION_SEND},
                        {BUS_MESSAGES, "Delete", BUS_ACTION_CONFIGURE},
                        {BUS_MESSAGE, "MarkRead", BUS_ACTION_SEND},
                        {BUS_MESSAGE, "Resend", BUS_ACTION_SEND},
                        {BUS_MESSAGE, "Cancel", BUS_ACTION_SEND},
                        {BUS_MESSAGE, "Delete", BUS_ACTION_CONFIGURE},
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                if (g_strcmp0(table[i].interface, interface) == 0 && g_strcmp0(table[i].member, member) == 0)
                        return table[i].action;
        return BUS_ACTION_ADMINISTER;
}

int bus_auth_decide(BusKind kind, BusAction action, uid_t sender, uid_t own) {
        if (sender == own || sender == 0)
                return 1;

        /* Whom the policy of the system bus let through may do all but administer. Nobody else
         * has any business on a user's own bus. */
        return kind == BUS_SYSTEM && action != BUS_ACTION_ADMINISTER;
}

int bus_caller_uid(Bus *bus, sd_bus_message *call, uid_t *ret, sd_bus_error *error) {
        const char *sender = sd_bus_message_get_sender(call);
        g_autoptr(sd_bus_creds) creds = NULL;
        void *known;
        uid_t uid;
        int r;

        if (sender && g_hash_table_lookup_extended(bus->uids, sender, NULL, &known)) {
                *ret = GPOINTER_TO_UINT(known);
                return 0;
        }

        /* A round trip to the bus that blocks, once for each client. */
        r = sd_bus_query_sender_creds(call, SD_BUS_CREDS_EUID, &creds);
        if (r >= 0)
                r = sd_bus_creds_get_euid(creds, &uid);
        if (r < 0)
                return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED, "Cannot tell who is calling");

        if (sender) {
                if (g_hash_table_size(bus->uids) >= UIDS_MAX)
                        g_hash_table_remove_all(bus->uids);
                g_hash_table_insert(bus->uids, g_strdup(sender), GUINT_TO_POINTER(uid));
        }

        *ret = uid;
        return 0;
}

int bus_authorize(Bus *bus, sd_bus_message *call, sd_bus_error *error) {
        BusAction action =
                        bus_auth_action(sd_bus_message_get_interface(call), sd_bus_message_get_member(call));
        uid_t uid;
        int r;

        r = bus_caller_uid(bus, call, &uid, error);
        if (r < 0)
                return r;

        if (bus_auth_decide(bus->kind, action, uid, getuid()) > 0)
                return 1;

        return sd_bus_error_setf(error, SD_BUS_ERROR_ACCESS_DENIED, "Not allowed: this needs the right to %s",
                                 bus_action_to_string(action));
}
