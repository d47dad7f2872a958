/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "ble-internal.h"
#include "log.h"
#include "macros.h"

/* Pairing with the PIN of the radio. bluetoothd's errors are few: which question was asked before, and
 * whether the link went, tells what they mean. */

#define AGENT_USEC   (15 * USEC_PER_SEC)
#define PAIR_USEC    (60 * USEC_PER_SEC)
#define SILENCE_USEC (25 * USEC_PER_SEC) /* SMP gives a silent peer 30 s */

static void pair_failed(LinkBle *ble, BondReason reason, const sd_bus_error *e) {
        static const struct {
                LinkEnd end;
                int error;
                BondState state;
                const char *text;
        } ends[_BOND_REASON_MAX] = {
                        [BOND_REASON_AUTHENTICATION] = {LINK_END_NEEDS_PIN, EKEYREJECTED, BOND_NEEDS_PIN,
                                                        "the radio did not accept the PIN"},
                        [BOND_REASON_REJECTED] = {LINK_END_REFUSED, EKEYREJECTED, BOND_NONE,
                                                  "the radio refuses to pair"},
                        [BOND_REASON_NOT_FOUND] = {LINK_END_UNREACHABLE, ENODEV, BOND_NONE,
                                                   "the radio vanished while pairing"},
                        [BOND_REASON_UNREACHABLE] = {LINK_END_UNREACHABLE, EHOSTUNREACH, BOND_NONE,
                                                     "the radio does not answer"},
                        [BOND_REASON_LINK_LOST] = {LINK_END_LOST, ECONNRESET, BOND_NONE,
                                                   "the link was lost while pairing"},
                        [BOND_REASON_TIMEOUT] = {LINK_END_UNREACHABLE, ETIMEDOUT, BOND_NONE,
                                                 "the radio fell silent while pairing"},
                        [BOND_REASON_CANCELLED] = {LINK_END_REFUSED, ECANCELED, BOND_NONE,
                                                   "somebody cancelled the pairing"},
                        [BOND_REASON_STACK] = {LINK_END_UNREACHABLE, EIO, BOND_NONE,
                                               "the Bluetooth service could not pair"},
        };

        if (reason == BOND_REASON_AUTHENTICATION)
                bond_passkey_rejected(ble->bond, ble->passkey);
        ble->half_done = ble->ours;
        ble_end(ble, ends[reason].end, ends[reason].error, ends[reason].state, reason, "%s (%s)",
                ble->unproven ? "the radio wants to pair without its PIN, which proves nothing to either side"
                              : ends[reason].text,
                e->message && *e->message ? e->message : e->name);
}

/* bluetoothd connects only once for Pair, and what ends early on the air is worth another try. From here on
 * as with every connection, and paired over the one that comes. */
static bool connect_first(LinkBle *ble, BondReason reason) {
        const BluezDevice *d = ble_device(ble);

        if (reason != BOND_REASON_UNREACHABLE || ble->connect_first || !d || d->connected ||
            !ble_is_worth_a_try(ble))
                return false;

        log_debug("No connection to pair %s with, connecting first", ble->address);
        ble->connect_first = ble->half_done = true;
        ble->n_tries = 1;
        ble_connect(ble);
        return true;
}

static BondReason reason_of(const LinkBle *ble, const sd_bus_error *e) {
        const BluezDevice *d = ble_device(ble);
        bool lost = !d || d->n_lost != ble->n_lost;

        if (ble->unproven)
                return BOND_REASON_REJECTED;
        if (sd_bus_error_has_name(e, "org.bluez.Error.AuthenticationFailed"))
                return ble->asked ? BOND_REASON_AUTHENTICATION : BOND_REASON_REJECTED;
        if (sd_bus_error_has_name(e, "org.bluez.Error.AuthenticationRejected"))
                return BOND_REASON_REJECTED;
        if (sd_bus_error_has_names(e, "org.bluez.Error.AuthenticationTimeout", SD_BUS_ERROR_NO_REPLY,
                                   SD_BUS_ERROR_TIMEOUT))
                return BOND_REASON_TIMEOUT;
        if (sd_bus_error_has_name(e, "org.bluez.Error.AuthenticationCanceled")) {
                if (ble_step_age(ble) >= SILENCE_USEC)
                        return BOND_REASON_TIMEOUT;
                /* A lost link gives the same error as CancelPairing, which leaves the link alone. */
                return lost || !d->connected ? BOND_REASON_LINK_LOST : BOND_REASON_CANCELLED;
        }
        if (sd_bus_error_has_name(e, SD_BUS_ERROR_UNKNOWN_OBJECT))
                return BOND_REASON_NOT_FOUND;
        if (sd_bus_error_has_name(e, "org.bluez.Error.ConnectionAttemptFailed") ||
            (e->message && strstr(e->message, "le-connection-abort")))
                return BOND_REASON_UNREACHABLE;
        return BOND_REASON_STACK;
}

static void paired(LinkBle *ble) {
        g_autoptr(sd_bus_message) m = NULL;
        const BluezDevice *d = ble_device(ble);

        log_info("Paired with the radio %s", ble->address);
        explicit_bzero(&ble->passkey, sizeof(ble->passkey));
        bond_passkey_accepted(ble->bond);
        ble->half_done = false;
        bond_set(ble->bond, BOND_BONDED, BOND_REASON_NONE);
        ble->agent = bluez_agent_free(ble->agent);

        /* So that bluetoothd lets the radio in without asking anybody. */
        if (bluez_message_set(ble->bluez, ble->device, BLUEZ_DEVICE, "Trusted", true, &m) >= 0)
                bluez_tell(ble->bluez, m);

        if (d)
                ble->n_lost = d->n_lost;
        if (d && d->connected)
                ble_resolve(ble);
        else
                ble_connect(ble);
}

static int on_paired(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        LinkBle *ble = userdata;
        g_autoptr(LinkRef) link = link_ref(&ble->link);
        const sd_bus_error *e = sd_bus_message_get_error(reply);
        g_autoptr(sd_bus_message) m = NULL;
        BondReason reason;

        /* Ours has ended: stop() must not cancel what somebody else does, which would cost a bond. */
        ble->call = sd_bus_slot_unref(ble->call);
        if (!e || sd_bus_error_has_name(e, "org.bluez.Error.AlreadyExists")) {
                paired(ble);
                return 0;
        }
        if (ble_end_common(ble, e))
                return 0;

        reason = reason_of(ble, e);
        log_debug("Pair with %s: %s: %s: %s", ble->address, bond_reason_to_string(reason), e->name,
                  e->message ?: "");
        if (sd_bus_error_has_name(e, SD_BUS_ERROR_NO_REPLY) &&
            bluez_message(ble->bluez, ble->device, BLUEZ_DEVICE, "CancelPairing", &m) >= 0)
                bluez_tell(ble->bluez, m);
        if (!connect_first(ble, reason))
                pair_failed(ble, reason, e);
        return 0;
}

static int agent_passkey(void *userdata, uint32_t *ret) {
        LinkBle *ble = userdata;

        /* Each try with a wrong PIN is one too many: a radio may count them. */
        if (ble->asked)
                return -EACCES;

        ble->asked = true;
        *ret = ble->passkey;
        return 0;
}

static void agent_unproven(void *userdata) {
        LinkBle *ble = userdata;

        ble->unproven = true;
}

static const BluezAgentHandler agent_handler = {.passkey = agent_passkey, .unproven = agent_unproven};

/* bluetoothd connects by itself for it, over LE since it has just seen the radio there. In the gap between a
 * Connect and Pair a radio that asks for security would be answered by the default agent, which is the
 * desktop's and knows nothing of our PIN. */
static void pair_now(LinkBle *ble, int error) {
        const BluezDevice *d = ble_device(ble);
        g_autoptr(sd_bus_message) m = NULL;
        int r = error;

        if (!d) {
                ble_begin(ble);
                return;
        }

        ble_enter(ble, BLE_PAIRING, 0);
        ble->ours = ble->ours || !d->connected;
        ble->n_lost = d->n_lost;
        ble->asked = ble->unproven = false;
        bond_set(ble->bond, BOND_PAIRING, BOND_REASON_NONE);
        if (r >= 0)
                r = bluez_message(ble->bluez, ble->device, BLUEZ_DEVICE, "Pair", &m);
        if (r >= 0)
                r = bluez_call(ble->bluez, &ble->call, m, on_paired, ble, PAIR_USEC);
        if (r < 0)
                ble_end_errno(ble, r, "cannot pair");
}

static void on_agent_ready(int error, void *userdata) {
        LinkBle *ble = userdata;
        g_autoptr(LinkRef) link = link_ref(&ble->link);

        if (ble->step == BLE_AGENT)
                pair_now(ble, error);
}

void ble_pair_connected(LinkBle *ble) {
        if (ble->agent)
                pair_now(ble, 0);
        else
                ble_pair(ble);
}

void ble_pair(LinkBle *ble) {
        int r;

        r = bond_get_passkey(ble->bond, &ble->passkey);
        if (r == -EACCES) {
                ble_end(ble, LINK_END_NEEDS_PIN, EKEYREJECTED, BOND_NEEDS_PIN, BOND_REASON_AUTHENTICATION,
                        "the radio did not accept the PIN before: another one is needed");
                return;
        }
        if (r < 0) {
                ble_end(ble, LINK_END_NEEDS_PIN, ENOKEY, BOND_NEEDS_PIN, BOND_REASON_NO_PIN,
                        r == -ENOENT ? "the radio is not paired, and there is no PIN%s%s"
                                     : "the radio is not paired, and its PIN cannot be read: %s%s",
                        r == -ENOENT ? "" : g_strerror(-r), "");
                return;
        }

        ble_enter(ble, BLE_AGENT, AGENT_USEC);
        ble->agent = bluez_agent_free(ble->agent); /* of another device */
        r = bluez_agent_new(ble->bluez, ble->device, &agent_handler, on_agent_ready, ble, &ble->agent);
        if (r < 0)
                ble_end_errno(ble, r, "cannot register a pairing agent");
}

void ble_pair_stop(LinkBle *ble) {
        g_autoptr(sd_bus_message) m = NULL;

        /* Only while ours is under way: with nothing to cancel bluetoothd drops the link and the kernel its
         * key. */
        if (ble->step == BLE_PAIRING && ble->call) {
                ble->half_done = ble->ours;
                if (bluez_message(ble->bluez, ble->device, BLUEZ_DEVICE, "CancelPairing", &m) >= 0)
                        bluez_tell(ble->bluez, m);
        }
        ble->agent = bluez_agent_free(ble->agent);
        explicit_bzero(&ble->passkey, sizeof(ble->passkey));
}
