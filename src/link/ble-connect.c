/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "ble-internal.h"
#include "events.h"
#include "log.h"
#include "macros.h"

/* Getting connected, and what speaks for a lost key. What bluetoothd does in each situation was observed, its
 * documentation says less: a lost key, for one, is no error anywhere, only a connection that ends twice. */

#define CONNECT_USEC        (50 * USEC_PER_SEC) /* bluetoothd gives up after 41 s */
#define RESOLVE_USEC        (40 * USEC_PER_SEC) /* and a mute radio after 32 s */
#define LONG_TRY_USEC       (8 * USEC_PER_SEC)  /* a try that failed later than that needs no second one */
#define OWN_TRY_USEC        (6 * USEC_PER_SEC) /* until bluetoothd's own second try, with a slow advertiser */
#define PAUSE_MAX_USEC      (5 * USEC_PER_SEC)
#define TRIES_DEFAULT       2
#define LOST_TRIES_MAX      4u
#define REASON_TIMEOUT_NAME "org.bluez.Reason.Timeout"
#define REASON_LOCAL        "org.bluez.Reason.Local"
#define REASON_SUSPEND      "org.bluez.Reason.Suspend"

/* One connection that ended early is half of the evidence: the other half is worth a try. */
static unsigned tries_max(const LinkBle *ble) {
        unsigned tries = ble->options.tries ?: TRIES_DEFAULT;

        return bond_has_drops(ble->bond) ? MAX(tries, LOST_TRIES_MAX) : tries;
}

static void end_no_answer(LinkBle *ble, const char *text) {
        ble_end(ble, LINK_END_UNREACHABLE, EHOSTUNREACH, ble_state_away(ble), BOND_REASON_UNREACHABLE,
                "the radio does not answer: is it on, near, and not connected to a phone? (%s)", text);
}

bool ble_is_worth_a_try(const LinkBle *ble) {
        /* Who waited long for it has waited long enough. */
        return ble->options.tries > 0 || ble_step_age(ble) < LONG_TRY_USEC;
}

static void connect_failed(LinkBle *ble, const sd_bus_error *e) {
        const char *text = e->message ?: e->name;

        log_debug("Connect to %s: %s: %s", ble->address, e->name, text);
        ble->refused = true;
        if (ble_end_common(ble, e))
                return;
        if (strstr(text, "key-missing")) {
                ble_stale(ble, BOND_REASON_KEY_MISSING);
                return;
        }
        if (sd_bus_error_has_name(e, SD_BUS_ERROR_UNKNOWN_OBJECT) || !ble_device(ble)) {
                ble_begin(ble);
                return;
        }

        if (++ble->n_tries >= tries_max(ble) || !ble_is_worth_a_try(ble)) {
                end_no_answer(ble, text);
                return;
        }
        /* Our patience ended, bluetoothd's did not: a new try would be refused. */
        if (sd_bus_error_has_name(e, SD_BUS_ERROR_NO_REPLY))
                bluez_leave(ble->bluez, ble->device, false);
        ble_enter(ble, BLE_PAUSE, MIN(ble->n_tries * USEC_PER_SEC, PAUSE_MAX_USEC));
}

static int on_connect(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        LinkBle *ble = userdata;
        g_autoptr(LinkRef) link = link_ref(&ble->link);
        const sd_bus_error *e = sd_bus_message_get_error(reply);
        const BluezDevice *d = ble_device(ble);

        if (e &&
            !sd_bus_error_has_names(e, "org.bluez.Error.AlreadyConnected", "org.bluez.Error.InProgress") &&
            !(e->message && strstr(e->message, "already-connected"))) {
                connect_failed(ble, e);
                return 0;
        }
        if (!d)
                ble_begin(ble);
        else if (d->connected)
                ble_resolve(ble);
        else if (++ble->n_tries > MAX(tries_max(ble), LOST_TRIES_MAX))
                end_no_answer(ble, "the connection ends as soon as it is there");
        else /* gone again, or about to come: somebody else's Connect is under way */
                ble_enter(ble, BLE_PAUSE, OWN_TRY_USEC);
        return 0;
}

void ble_connect(LinkBle *ble) {
        uint64_t usec = ble->options.connect_usec ?: CONNECT_USEC;
        g_autoptr(sd_bus_message) m = NULL;
        int r;

        ble_enter(ble, BLE_CONNECTING, 0);
        ble->ours = true;
        r = bluez_message(ble->bluez, ble->device, BLUEZ_DEVICE, "Connect", &m);
        if (r >= 0)
                r = bluez_call(ble->bluez, &ble->call, m, on_connect, ble, usec);
        if (r < 0)
                ble_end_errno(ble, r, "cannot connect");
}

void ble_resolve(LinkBle *ble) {
        const BluezDevice *d = ble_device(ble);

        if (d && !d->paired && ble->connect_first) {
                ble_pair_connected(ble);
                return;
        }
        if (d && d->services_resolved) {
                ble_subscribe(ble);
                return;
        }
        ble_enter(ble, BLE_RESOLVING, RESOLVE_USEC);
}

void ble_stale(LinkBle *ble, BondReason reason) {
        bond_forget_drops(ble->bond);
        bond_set(ble->bond, BOND_STALE, reason);
        if (!ble->options.check_only && !ble->repaired && bond_has_passkey(ble->bond)) {
                (void) log_full(&(LogContext){.topic = "bond", .id = EVENT_BOND_REPLACED}, LOG_NOTICE, 0,
                                __FILE__, __LINE__,
                                "The bond with %s is stale (%s): removing it, and pairing again",
                                ble->address, bond_reason_to_string(reason));
                ble->repaired = true;
                ble->ours = false; /* the removal ends the connection, too */
                ble_forget_device(ble);
                return;
        }

        ble_end(ble, LINK_END_NEEDS_PIN, ENOKEY, BOND_STALE, reason,
                "the radio no longer accepts the stored bond (%s): pair it again with its PIN",
                bond_reason_to_string(reason));
}

void ble_dropped(LinkBle *ble, const BluezDevice *d) {
        static const char *const innocent[] = {REASON_TIMEOUT_NAME, REASON_LOCAL, REASON_SUSPEND};
        const BluezAdapter *a = bluez_adapter(ble->bluez, d->adapter);
        bool counts = d->paired && a && a->powered;

        for (size_t i = 0; i < ELEMENTSOF(innocent); i++)
                counts = counts && strcmp(d->lost_reason, innocent[i]) != 0;

        if (counts && strcmp(d->lost_reason, BLE_REASON_AUTH) == 0) {
                ble_stale(ble, BOND_REASON_KEY_MISSING);
                return;
        }
        if (counts && bond_count_drop(ble->bond)) {
                /* With another key Connect fails; without one it succeeds, before or after the end is told.
                 */
                ble_stale(ble, ble->refused ? BOND_REASON_ENCRYPTION : BOND_REASON_KEY_MISSING);
                return;
        }
        /* Connect is still to answer in the other step. */
        if (ble->step == BLE_RESOLVING)
                ble_enter(ble, BLE_PAUSE, OWN_TRY_USEC);
}
