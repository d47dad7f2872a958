/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <linux/capability.h>
#include <string.h>

#include "bus-internal.h"
#include "log.h"

/* Everything about rights is here. Reading properties and receiving signals
 * is the bus policy's affair alone; of the methods, root and our own user may
 * call all, and about everybody else whom the policy of the system bus lets in
 * polkit is asked. */

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
                        {BUS_MANAGER, "Backup", BUS_ACTION_ADMINISTER},
                        {BUS_MANAGER, "RegisterAgent", BUS_ACTION_CONFIGURE},
                        {BUS_MANAGER, "UnregisterAgent", BUS_ACTION_READ},
                        {BUS_MANAGER, "Discover", BUS_ACTION_READ},
                        {BUS_MANAGER, "ListBonds", BUS_ACTION_READ},
                        {BUS_MANAGER, "ForgetBond", BUS_ACTION_ADMINISTER},
                        {BUS_RADIO, "Start", BUS_ACTION_CONFIGURE},
                        {BUS_RADIO, "Stop", BUS_ACTION_CONFIGURE},
                        {BUS_RADIO, "Ping", BUS_ACTION_READ},
                        {BUS_RADIO, "Inhibit", BUS_ACTION_ADMINISTER},
                        {BUS_RADIO, "SendText", BUS_ACTION_SEND},
                        {BUS_RADIO, "SetName", BUS_ACTION_CONFIGURE},
                        {BUS_RADIO, "SetLocation", BUS_ACTION_CONFIGURE},
                        {BUS_RADIO, "SetRadioParameters", BUS_ACTION_CONFIGURE},
                        {BUS_RADIO, "SetTxPower", BUS_ACTION_CONFIGURE},
                        {BUS_RADIO, "SetOther", BUS_ACTION_CONFIGURE},
                        {BUS_RADIO, "SetTuning", BUS_ACTION_CONFIGURE},
                        {BUS_RADIO, "SetPathHashSize", BUS_ACTION_CONFIGURE},
                        {BUS_RADIO, "SetFloodScope", BUS_ACTION_CONFIGURE},
                        {BUS_RADIO, "SetDevicePin", BUS_ACTION_ADMINISTER},
                        {BUS_RADIO, "GetVariables", BUS_ACTION_READ},
                        {BUS_RADIO, "SetVariable", BUS_ACTION_CONFIGURE},
                        {BUS_RADIO, "SyncTime", BUS_ACTION_CONFIGURE},
                        {BUS_RADIO, "Advertise", BUS_ACTION_SEND},
                        {BUS_RADIO, "Reboot", BUS_ACTION_CONFIGURE},
                        {BUS_RADIO, "FactoryReset", BUS_ACTION_ADMINISTER},
                        {BUS_RADIO, "GetStats", BUS_ACTION_READ},
                        {BUS_RADIO, "GetTelemetry", BUS_ACTION_READ},
                        {BUS_RADIO, "Sign", BUS_ACTION_ADMINISTER},
                        {BUS_RADIO, "ExportKey", BUS_ACTION_ADMINISTER},
                        {BUS_RADIO, "ImportKey", BUS_ACTION_ADMINISTER},
                        {BUS_PAIRING, "Pair", BUS_ACTION_ADMINISTER},
                        {BUS_PAIRING, "Verify", BUS_ACTION_CONFIGURE},
                        {BUS_PAIRING, "Forget", BUS_ACTION_ADMINISTER},
                        {BUS_CONTACTS, "Add", BUS_ACTION_CONFIGURE},
                        {BUS_CONTACTS, "Import", BUS_ACTION_CONFIGURE},
                        {BUS_CONTACTS, "ImportCard", BUS_ACTION_CONFIGURE},
                        {BUS_CONTACTS, "ExportSelf", BUS_ACTION_READ},
                        {BUS_CONTACTS, "ExportSelfCard", BUS_ACTION_READ},
                        {BUS_CONTACTS, "Find", BUS_ACTION_READ},
                        {BUS_CONTACTS, "SetAutoAdd", BUS_ACTION_CONFIGURE},
                        {BUS_CONTACTS, "ListPending", BUS_ACTION_READ},
                        {BUS_CONTACTS, "DismissPending", BUS_ACTION_CONFIGURE},
                        {BUS_CONTACT, "SendText", BUS_ACTION_SEND},
                        {BUS_CONTACT, "Update", BUS_ACTION_CONFIGURE},
                        {BUS_CONTACT, "SetPath", BUS_ACTION_CONFIGURE},
                        {BUS_CONTACT, "ResetPath", BUS_ACTION_CONFIGURE},
                        {BUS_CONTACT, "Share", BUS_ACTION_SEND},
                        {BUS_CONTACT, "DiscoverPath", BUS_ACTION_SEND},
                        {BUS_CONTACT, "GetAdvertPath", BUS_ACTION_READ},
                        {BUS_CONTACT, "Refresh", BUS_ACTION_READ},
                        {BUS_CONTACT, "Export", BUS_ACTION_READ},
                        {BUS_CONTACT, "ExportCard", BUS_ACTION_READ},
                        {BUS_CONTACT, "Remove", BUS_ACTION_CONFIGURE},
                        {BUS_CHANNELS, "Set", BUS_ACTION_CONFIGURE},
                        {BUS_CHANNELS, "Import", BUS_ACTION_CONFIGURE},
                        {BUS_CHANNEL, "SendText", BUS_ACTION_SEND},
                        {BUS_CHANNEL, "SendData", BUS_ACTION_SEND},
                        {BUS_CHANNEL, "GetSecret", BUS_ACTION_ADMINISTER},
                        {BUS_CHANNEL, "Export", BUS_ACTION_ADMINISTER},
                        {BUS_CHANNEL, "Clear", BUS_ACTION_CONFIGURE},
                        {BUS_MESSAGES, "List", BUS_ACTION_READ},
                        {BUS_MESSAGES, "MarkRead", BUS_ACTION_SEND},
                        {BUS_MESSAGES, "Delete", BUS_ACTION_CONFIGURE},
                        {BUS_MESSAGE, "MarkRead", BUS_ACTION_SEND},
                        {BUS_MESSAGE, "Resend", BUS_ACTION_SEND},
                        {BUS_MESSAGE, "Cancel", BUS_ACTION_SEND},
                        {BUS_MESSAGE, "Delete", BUS_ACTION_CONFIGURE},
                        {BUS_MONITOR, "OpenRxLog", BUS_ACTION_READ},
                        {BUS_MONITOR, "OpenFrames", BUS_ACTION_ADMINISTER},
                        {BUS_MONITOR, "TracePath", BUS_ACTION_SEND},
                        {BUS_MONITOR, "DiscoverNodes", BUS_ACTION_SEND},
                        {BUS_MONITOR, "SendRaw", BUS_ACTION_ADMINISTER},
                        {BUS_MONITOR, "SendControl", BUS_ACTION_ADMINISTER},
                        {BUS_MONITOR, "SendPacket", BUS_ACTION_ADMINISTER},
                        {BUS_NODE, "Login", BUS_ACTION_CONFIGURE},
                        {BUS_NODE, "Logout", BUS_ACTION_CONFIGURE},
                        {BUS_NODE, "GetStatus", BUS_ACTION_SEND},
                        {BUS_NODE, "GetTelemetry", BUS_ACTION_SEND},
                        {BUS_NODE, "GetMinMaxAvg", BUS_ACTION_SEND},
                        {BUS_NODE, "GetAccessList", BUS_ACTION_SEND},
                        {BUS_NODE, "GetNeighbours", BUS_ACTION_SEND},
                        {BUS_NODE, "GetOwner", BUS_ACTION_SEND},
                        {BUS_NODE, "GetRegions", BUS_ACTION_SEND},
                        {BUS_NODE, "GetBasic", BUS_ACTION_SEND},
                        {BUS_NODE, "HasConnection", BUS_ACTION_READ},
                        {BUS_NODE, "Command", BUS_ACTION_CONFIGURE},
                        {BUS_NODE, "Request", BUS_ACTION_CONFIGURE},
                        {BUS_REQUEST, "Cancel", BUS_ACTION_READ},
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                if (g_strcmp0(table[i].interface, interface) == 0 && g_strcmp0(table[i].member, member) == 0)
                        return table[i].action;
        return BUS_ACTION_ADMINISTER;
}

int bus_auth_decide(BusKind kind, BusAction action, uid_t sender, uid_t own) {
        if (sender == own || sender == 0)
                return 1;

        /* Whom the policy of the system bus let through may do all but administer, unless polkit says
         * otherwise. Nobody else has any business on a user's own bus. */
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

/* -- asking polkit ----------------------------------------------------------- */

#define POLKIT_NAME      "org.freedesktop.PolicyKit1"
#define POLKIT_PATH      "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"
#define POLKIT_INTERACT  1 /* CheckAuthorization's AllowUserInteraction */

/* A person who types a password needs more than a program that looks at its rules. */
#define POLKIT_TIMEOUT_USEC        (25 * USEC_PER_SEC)
#define POLKIT_PERSON_TIMEOUT_USEC (300 * USEC_PER_SEC)

typedef enum CheckState {
        CHECK_ASKED,
        CHECK_YES,
        CHECK_NO,
        CHECK_CHALLENGE, /* yes, had the caller allowed us to ask somebody */
        CHECK_ABSENT,    /* there is no polkit */
        CHECK_FAILED,    /* there is one, but it gave no answer */
} CheckState;

/* One question about one call. With the answer the call is dispatched once more, and its handler finds the
 * answer here. */
typedef struct Check {
        Bus *bus;
        GList link;
        sd_bus_message *call;
        uid_t uid;
        CheckState state;
        char *cancellation;
        sd_bus_slot *slot;
        sd_bus_track *track;
        sd_event_source *forget;
} Check;

static void check_free(Check *check) {
        g_queue_unlink(&check->bus->checks, &check->link);
        sd_event_source_disable_unref(check->forget);
        sd_bus_slot_unref(check->slot);
        sd_bus_track_unref(check->track);
        sd_bus_message_unref(check->call);
        g_free(check->cancellation);
        g_free(check);
}

static Check *check_find(Bus *bus, sd_bus_message *call) {
        for (GList *l = bus->checks.head; l; l = l->next)
                if (((Check *) l->data)->call == call)
                        return l->data;
        return NULL;
}

static unsigned check_count(Bus *bus, uid_t uid) {
        unsigned n = 0;

        for (GList *l = bus->checks.head; l; l = l->next)
                n += ((Check *) l->data)->uid == uid;
        return n;
}

/* The call was dispatched and nobody took the answer: its object is gone by now. */
static int on_forget(sd_event_source *source, void *userdata) {
        check_free(userdata);
        return 0;
}

/* Nobody waits any more: whoever is being asked for a password need not type it. */
static int on_caller_gone(sd_bus_track *track, void *userdata) {
        Check *check = userdata;
        int r;

        if (check->state == CHECK_ASKED) {
                r = sd_bus_call_method_async(check->bus->conn, NULL, POLKIT_NAME, POLKIT_PATH,
                                             POLKIT_INTERFACE, "CancelCheckAuthorization", NULL, NULL, "s",
                                             check->cancellation);
                if (r < 0)
                        (void) log_debug_errno(r, "Cannot take back a question to polkit, ignoring");
        }
        check_free(check);
        return 1;
}

/* What a bus says when a service does not exist, cannot be started or is masked. */
static bool is_absent(const sd_bus_error *e) {
        return sd_bus_error_has_name(e, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
               sd_bus_error_has_name(e, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ||
               sd_bus_error_has_name(e, "org.freedesktop.systemd1.NoSuchUnit") ||
               sd_bus_error_has_name(e, "org.freedesktop.systemd1.UnitMasked");
}

static CheckState read_answer(sd_bus_message *reply) {
        const sd_bus_error *e = sd_bus_message_get_error(reply);
        int authorized, challenge, r;

        if (e) {
                if (is_absent(e))
                        return CHECK_ABSENT;
                log_warning("polkit does not answer (%s: %s), refusing a call", e->name, e->message ?: "");
                return CHECK_FAILED;
        }

        r = sd_bus_message_enter_container(reply, 'r', "bba{ss}");
        if (r > 0)
                r = sd_bus_message_read(reply, "bb", &authorized, &challenge);
        if (r <= 0) {
                (void) log_warning_errno(r ?: EBADMSG, "Cannot read polkit's answer, refusing a call");
                return CHECK_FAILED;
        }

        if (authorized)
                return CHECK_YES;
        return challenge ? CHECK_CHALLENGE : CHECK_NO;
}

static int on_answer(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        Check *check = userdata;
        int r;

        check->slot = sd_bus_slot_unref(check->slot);
        check->state = read_answer(reply);

        r = sd_bus_message_rewind(check->call, true);
        if (r >= 0)
                r = sd_bus_enqueue_for_read(check->bus->conn, check->call);
        /* Runs when nothing else does any more, so that the call has been dispatched. */
        if (r >= 0)
                r = sd_event_add_defer(check->bus->event, &check->forget, on_forget, check);
        if (r >= 0)
                r = sd_event_source_set_priority(check->forget, SD_EVENT_PRIORITY_IDLE);
        if (r < 0) {
                (void) log_warning_errno(r, "Cannot go on with a call that polkit was asked about");
                (void) sd_bus_reply_method_errnof(check->call, r, "Cannot go on with the call");
                check_free(check);
        }
        return 0;
}

static int ask_polkit(Bus *bus, sd_bus_message *call, BusAction action, Check *check) {
        int person = sd_bus_message_get_allow_interactive_authorization(call);
        g_autofree char *id = g_strdup_printf("org.meshcored1.%s", bus_action_to_string(action));
        g_autoptr(sd_bus_message) question = NULL;
        int r;

        r = sd_bus_message_new_method_call(bus->conn, &question, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE,
                                           "CheckAuthorization");
        if (r < 0)
                return r;

        r = sd_bus_message_append(question, "(sa{sv})sa{ss}us", "system-bus-name", 1, "name", "s",
                                  sd_bus_message_get_sender(call), id, 0,
                                  person > 0 ? (uint32_t) POLKIT_INTERACT : 0, check->cancellation);
        if (r < 0)
                return r;

        return sd_bus_call_async(bus->conn, &check->slot, question, on_answer, check,
                                 person > 0 ? POLKIT_PERSON_TIMEOUT_USEC : POLKIT_TIMEOUT_USEC);
}

static int check_begin(Bus *bus, sd_bus_message *call, uid_t uid, BusAction action, sd_bus_error *error) {
        Check *check;
        int r;

        if (check_count(bus, uid) >= BUS_CHECKS_MAX)
                return bus_error_set(error, OUTCOME_IN_PROGRESS,
                                     "Already %i calls of this user wait for authorisation", BUS_CHECKS_MAX);

        check = g_new(Check, 1);
        *check = (Check){
                        .bus = bus,
                        .link = {.data = check},
                        .call = sd_bus_message_ref(call),
                        .uid = uid,
                        .cancellation = g_strdup_printf("%" PRIu64, ++bus->n_checks),
        };
        g_queue_push_tail_link(&bus->checks, &check->link);

        r = sd_bus_track_new(bus->conn, &check->track, on_caller_gone, check);
        if (r >= 0)
                r = sd_bus_track_add_sender(check->track, call);
        if (r >= 0)
                r = ask_polkit(bus, call, action, check);
        if (r < 0) {
                check_free(check);
                return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED, "Cannot ask polkit");
        }
        return 0;
}

void bus_checks_detach(Bus *bus, bool answer) {
        Check *check;

        while ((check = g_queue_peek_head(&bus->checks))) {
                if (answer) {
                        g_auto(Outcome) outcome = {};

                        (void) outcome_set(&outcome, OUTCOME_CANCELLED, "The daemon stops");
                        bus_reply_outcome(check->call, &outcome);
                }
                check_free(check);
        }
}

/* -- the decision ------------------------------------------------------------ */

static int refuse(BusAction action, sd_bus_error *error) {
        return sd_bus_error_setf(error, SD_BUS_ERROR_ACCESS_DENIED, "Not allowed: this needs the right to %s",
                                 bus_action_to_string(action));
}

/* Without polkit: as if it had our defaults, and nobody to ask. */
static int decide_alone(const Check *check, BusAction action, sd_bus_error *error) {
        if (bus_auth_decide(check->bus->kind, action, check->uid, getuid()) > 0)
                return 1;

        return sd_bus_query_sender_privilege(check->call, CAP_SYS_ADMIN) > 0 ? 1 : refuse(action, error);
}

static int decide(Check *check, BusAction action, sd_bus_error *error) {
        switch (check->state) {
        case CHECK_YES:
                return 1;
        case CHECK_ABSENT:
                return decide_alone(check, action, error);
        case CHECK_CHALLENGE:
                if (sd_bus_message_get_allow_interactive_authorization(check->call) > 0)
                        return refuse(action, error);
                return sd_bus_error_setf(error, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
                                         "The right to %s needs a password: allow that you are asked for it",
                                         bus_action_to_string(action));
        case CHECK_ASKED: /* the same message twice: cannot be */
        case CHECK_NO:
        case CHECK_FAILED:
        default:
                return refuse(action, error);
        }
}

int bus_authorize(Bus *bus, sd_bus_message *call, sd_bus_error *error) {
        BusAction action =
                        bus_auth_action(sd_bus_message_get_interface(call), sd_bus_message_get_member(call));
        Check *check = check_find(bus, call);
        uid_t uid;
        int r;

        if (check) {
                r = decide(check, action, error);
                check_free(check);
                return r;
        }

        r = bus_caller_uid(bus, call, &uid, error);
        if (r < 0)
                return r;
        if (uid == getuid() || uid == 0)
                return 1;
        if (bus->kind != BUS_SYSTEM)
                return bus_auth_decide(bus->kind, action, uid, getuid()) > 0 ? 1 : refuse(action, error);

        return check_begin(bus, call, uid, action, error);
}
