/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>
#include <syslog.h>

#include "macros.h"
#include "radio-internal.h"

/* The bond of a Bluetooth radio, as seen from those who ask for it. Links come and go, and pair or repair by
 * themselves as they open; what is asked here is that one opens, and told what came of it. */

#define CREDENTIAL "meshcored.pin"

typedef enum BondVerb {
        BOND_PAIR,
        BOND_VERIFY,
        BOND_FORGET,
} BondVerb;

typedef struct BondRequest {
        BondVerb verb;
        bool already;
        bool tried; /* a link was opened since */
        bool has_passkey;
        Outcome outcome;
        bool over;
        radio_pair_done_t pair_done;
        radio_done_t done;
        void *userdata;
} BondRequest;

bool radio_bond(const Radio *radio, RadioBond *ret) {
        if (!radio->bond)
                return false;

        *ret = (RadioBond){
                        .state = bond_state_to_string(bond_state(radio->bond)),
                        .reason = bond_reason_to_string(bond_reason(radio->bond)),
                        .last_verified_usec = bond_last_verified(radio->bond),
        };
        return true;
}

/* -- the PIN ------------------------------------------------------------------------ */

/* Of this radio, else of all. */
static int read_credential(Radio *radio, uint32_t *ret) {
        const char *directory = g_getenv("CREDENTIALS_DIRECTORY");
        g_autofree char *own = NULL, *common = NULL;
        int r;

        if (!directory)
                return -ENOENT;

        own = g_strconcat(directory, "/" CREDENTIAL ".", radio_id(radio), NULL);
        r = passkey_read_file(own, ret);
        if (r != -ENOENT)
                return r;

        common = g_strconcat(directory, "/" CREDENTIAL, NULL);
        return passkey_read_file(common, ret);
}

static int read_passkey(void *userdata, uint32_t *ret) {
        Radio *radio = userdata;
        const char *file = radio->settings->pin_file;
        int r;

        r = file ? passkey_read_file(file, ret) : read_credential(radio, ret);
        if (r < 0 && (r != -ENOENT || file))
                radio_log(radio, LOG_WARNING, r, "cannot read the PIN from %s%s", file ?: "the credential",
                          r == -EPERM    ? ", which others may read, too (chmod o=)"
                          : r == -EINVAL ? ", which does not hold six digits"
                                         : "");
        return r;
}

/* -- answering ------------------------------------------------------------------------ */

static void request_answer(Radio *radio, BondRequest *request) {
        if (request->pair_done)
                request->pair_done(radio, &request->outcome, request->already, request->userdata);
        else
                request->done(radio, &request->outcome, request->userdata);
        outcome_clear(&request->outcome);
        g_free(request);
}

static int on_told(sd_event_source *source, void *userdata) {
        Radio *radio = userdata;
        GQueue over = G_QUEUE_INIT;
        BondRequest *request;

        radio->bond_told = sd_event_source_disable_unref(radio->bond_told);
        for (GList *l = radio->bond_requests.head, *next; l; l = next) {
                next = l->next;
                request = l->data;
                if (request->over) {
                        g_queue_delete_link(&radio->bond_requests, l);
                        g_queue_push_tail(&over, request);
                }
        }
        while ((request = g_queue_pop_head(&over)))
                request_answer(radio, request);
        return 0;
}

static void request_finish(Radio *radio, BondRequest *request) {
        request->over = true;
        if (!radio->bond_told)
                (void) sd_event_add_defer(manager_event(radio->manager), &radio->bond_told, on_told, radio);
}

static void request_fail(Radio *radio, BondRequest *request, OutcomeCode code, const char *why) {
        /* Its caller is told now; a pairing behind his back would be a surprise. */
        if (request->verb == BOND_PAIR)
                bond_withdraw_passkey(radio->bond);
        (void) outcome_set(&request->outcome, code, "%s", why);
        request_finish(radio, request);
}

static void request_handed_over(Radio *radio, BondRequest *request) {
        request_fail(radio, request, OUTCOME_NOT_CONNECTED,
                     "The radio is handed over to another program, or the machine goes to sleep");
}

static void pair_failed(Radio *radio, BondRequest *request) {
        static const OutcomeCode codes[_BOND_REASON_MAX] = {
                        [BOND_REASON_AUTHENTICATION] = OUTCOME_LOGIN_FAILED,
                        [BOND_REASON_ENCRYPTION] = OUTCOME_REJECTED,
                        [BOND_REASON_KEY_MISSING] = OUTCOME_REJECTED,
                        [BOND_REASON_REJECTED] = OUTCOME_REJECTED,
                        [BOND_REASON_NO_PIN] = OUTCOME_INVALID_ARGUMENTS,
                        [BOND_REASON_NOT_FOUND] = OUTCOME_NOT_CONNECTED,
                        [BOND_REASON_UNREACHABLE] = OUTCOME_NOT_CONNECTED,
                        [BOND_REASON_LINK_LOST] = OUTCOME_LINK_LOST,
                        [BOND_REASON_TIMEOUT] = OUTCOME_TIMEOUT,
                        [BOND_REASON_CANCELLED] = OUTCOME_CANCELLED,
                        [BOND_REASON_ADAPTER] = OUTCOME_NOT_CONNECTED,
        };
        OutcomeCode code = codes[bond_reason(radio->bond)];

        request_fail(radio, request, code != OUTCOME_OK ? code : OUTCOME_FAILED,
                     radio->last_error_message ?: "Cannot pair");
}

static bool is_inhibited(const Radio *radio) {
        return radio->state == RADIO_WAITING && radio->reason == REASON_INHIBITED;
}

static bool wants_person(const Radio *radio) {
        bool waits = false;

        if (radio->state != RADIO_WAITING || radio->reason != REASON_NEEDS_PIN)
                return false;
        /* Whoever gave a PIN is told about that one. */
        for (GList *l = radio->bond_requests.head; l; l = l->next) {
                const BondRequest *request = l->data;

                if (request->over || request->verb != BOND_PAIR || !request->tried)
                        continue;
                if (request->has_passkey)
                        return false;
                waits = true;
        }
        return waits || radio->bond_requests.length == 0;
}

static void update_request(Radio *radio, BondRequest *request) {
        /* Also who waits for a link that was still to be opened. */
        if (radio->state == RADIO_STOPPED) {
                if (!radio->start_again)
                        request_fail(radio, request, OUTCOME_CANCELLED, "The radio was stopped");
        } else if (is_inhibited(radio))
                request_handed_over(radio, request);
        else if (radio->state >= RADIO_OPENING) {
                request->tried = true;
                /* Not by what was known before the link. */
                if (radio->state >= RADIO_SYNCING && bond_state(radio->bond) == BOND_VERIFIED &&
                    radio->session && session_n_received(radio->session) > 0)
                        request_finish(radio, request);
        } else if (request->tried && request->verb == BOND_VERIFY)
                request_finish(radio, request);
        else if (request->tried && (request->has_passkey || !radio->pin_asked))
                pair_failed(radio, request);
}

void radio_update_bond(Radio *radio) {
        if (!radio->bond)
                return;

        if (radio->state == RADIO_STOPPED || is_inhibited(radio) || radio->state >= RADIO_SYNCING)
                radio_cancel_pin(radio);
        else if (wants_person(radio))
                (void) radio_ask_pin(radio);

        for (GList *l = radio->bond_requests.head; l; l = l->next) {
                BondRequest *request = l->data;

                if (!request->over && request->verb != BOND_FORGET)
                        update_request(radio, request);
        }
}

static void on_bond_changed(Bond *bond, void *userdata) {
        Radio *radio = userdata;

        if (bond_state(bond) == BOND_VERIFIED)
                radio_forget_pin(radio);

        radio_notify(radio, RADIO_CHANGED_BOND);
        for (GList *l = radio->bond_requests.head; l; l = l->next) {
                BondRequest *request = l->data;

                if (!request->over && request->verb != BOND_FORGET && request->tried &&
                    bond_state(bond) == BOND_VERIFIED)
                        request_finish(radio, request);
        }
}

/* -- asking ------------------------------------------------------------------------------ */

static BondRequest *request_new(Radio *radio, BondVerb verb, void *userdata) {
        BondRequest *request = g_new0(BondRequest, 1);

        request->verb = verb;
        request->userdata = userdata;
        g_queue_push_tail(&radio->bond_requests, request);
        if (!radio->bond) {
                (void) outcome_set(&request->outcome, OUTCOME_NOT_SUPPORTED,
                                   "Only radios over Bluetooth are paired");
                request_finish(radio, request);
        }
        return request;
}

/* Whoever has the radio may keep it for long. */
static bool is_handed_over(Radio *radio, BondRequest *request) {
        if (!manager_is_inhibited(radio->manager, radio_id(radio)))
                return false;

        request_handed_over(radio, request);
        return true;
}

static bool is_passkey(const char *text) {
        uint32_t passkey;
        int r;

        r = passkey_parse(text, &passkey);
        explicit_bzero(&passkey, sizeof(passkey));
        return r >= 0;
}

static void offer_passkey(Radio *radio, const char *text) {
        uint32_t passkey = 0;

        (void) passkey_parse(text, &passkey);
        bond_offer_passkey(radio->bond, passkey);
        explicit_bzero(&passkey, sizeof(passkey));
}

void radio_pair(Radio *radio, const char *passkey, radio_pair_done_t done, void *userdata) {
        BondRequest *request = request_new(radio, BOND_PAIR, userdata);

        request->pair_done = done;
        if (request->over)
                return;
        if (passkey && !is_passkey(passkey)) {
                (void) outcome_set(&request->outcome, OUTCOME_INVALID_ARGUMENTS,
                                   "A PIN has exactly six digits");
                request_finish(radio, request);
                return;
        }
        if (radio->state >= RADIO_SYNCING && bond_state(radio->bond) == BOND_VERIFIED) {
                request->already = true;
                request_finish(radio, request);
                return;
        }

        if (is_handed_over(radio, request))
                return;
        if (!passkey && radio->pin_asked) {
                request->tried = true;
                return;
        }

        radio_cancel_pin(radio);
        radio_forget_pin(radio);
        bond_go_on(radio->bond);
        request->has_passkey = passkey;
        if (passkey)
                offer_passkey(radio, passkey);
        radio_restart(radio);
}

void radio_pin_told(Radio *radio, int error) {
        for (GList *l = radio->bond_requests.head; l; l = l->next) {
                BondRequest *request = l->data;

                if (request->over || request->verb != BOND_PAIR || !request->tried)
                        continue;
                if (error >= 0)
                        request->tried = false; /* anew, with the PIN */
                else if (error == -ENOENT)
                        pair_failed(radio, request);
                else {
                        (void) outcome_set(&request->outcome,
                                           error == -ETIMEDOUT ? OUTCOME_TIMEOUT : OUTCOME_CANCELLED,
                                           "Nobody has given the PIN");
                        request_finish(radio, request);
                }
        }
        if (error >= 0)
                radio_restart(radio);
}

void radio_verify_bond(Radio *radio, radio_done_t done, void *userdata) {
        BondRequest *request = request_new(radio, BOND_VERIFY, userdata);

        request->done = done;
        if (request->over)
                return;
        if (radio->state == RADIO_READY)
                request_finish(radio, request); /* it answers all the time */
        else if (radio->state > RADIO_WAITING)
                request->tried = true; /* under way */
        else if (!is_handed_over(radio, request))
                radio_restart(radio);
}

static void forget_over(Radio *radio, OutcomeCode code, const char *why) {
        radio->forgets = bluez_unwatch(radio->forgets);
        g_clear_pointer(&radio->forgets_device, g_free);
        if (code == OUTCOME_OK)
                bond_set(radio->bond, BOND_NONE, BOND_REASON_NONE);

        for (GList *l = radio->bond_requests.head; l; l = l->next) {
                BondRequest *request = l->data;

                if (request->verb != BOND_FORGET || request->over)
                        continue;
                if (code != OUTCOME_OK)
                        (void) outcome_set(&request->outcome, code, "%s", why);
                request_finish(radio, request);
        }
}

static void on_forgets(Bluez *bluez, BluezChange what, const char *path, void *userdata) {
        Radio *radio = userdata;
        const BluezDevice *d = bluez_device(bluez, radio->forgets_device);

        if (what == BLUEZ_CHANGED_SERVICE)
                forget_over(radio, OUTCOME_NOT_CONNECTED, "The Bluetooth service went away");
        else if (what == BLUEZ_CHANGED_LEFT && g_strcmp0(path, radio->forgets_device) == 0) {
                if (d && d->paired)
                        forget_over(radio, OUTCOME_FAILED, "The Bluetooth service did not forget the radio");
                else
                        forget_over(radio, OUTCOME_OK, NULL);
        }
}

static const BluezDevice *find_device(const Radio *radio, Bluez *bluez) {
        g_autoptr(GPtrArray) devices = bluez_devices(bluez);
        const char *address = radio->ble_address ?: radio->settings->address;

        for (guint i = 0; i < devices->len; i++) {
                const BluezDevice *d = devices->pdata[i];

                if (d->paired && g_ascii_strcasecmp(d->address, address) == 0)
                        return d;
        }
        return NULL;
}

void radio_forget_bond(Radio *radio, radio_done_t done, void *userdata) {
        BondRequest *request = request_new(radio, BOND_FORGET, userdata);
        const BluezDevice *d;
        Bluez *bluez;

        request->done = done;
        if (request->over)
                return;

        radio_stop(radio);
        bluez = manager_bluez(radio->manager);
        if (!bluez || !bluez_is_ready(bluez)) {
                (void) outcome_set(&request->outcome, OUTCOME_NOT_CONNECTED,
                                   "The Bluetooth service is not there to forget the radio");
                request_finish(radio, request);
                return;
        }
        if (radio->forgets)
                return; /* told together */

        d = find_device(radio, bluez);
        if (!d) {
                (void) outcome_set(&request->outcome, OUTCOME_NOT_FOUND, "There is no bond with this radio");
                request_finish(radio, request);
                return;
        }
        radio->forgets_device = g_strdup(d->path);
        radio->forgets = bluez_watch(bluez, on_forgets, radio);
        bluez_leave(bluez, radio->forgets_device, true);
}

/* -- life ------------------------------------------------------------------------------------ */

void radio_init_bond(Radio *radio) {
        g_queue_init(&radio->bond_requests);
        if (radio->settings->transport != TRANSPORT_BLE)
                return;

        radio->bond = bond_new();
        bond_set_source(radio->bond, read_passkey, radio);
        bond_set_observer(radio->bond, on_bond_changed, radio);
}

void radio_free_bond(Radio *radio) {
        BondRequest *request;

        radio_cancel_pin(radio);
        radio->bond_told = sd_event_source_disable_unref(radio->bond_told);
        radio->forgets = bluez_unwatch(radio->forgets);
        while ((request = g_queue_pop_head(&radio->bond_requests))) {
                if (!request->over)
                        (void) outcome_set(&request->outcome, OUTCOME_CANCELLED, "The radio was removed");
                request_answer(radio, request);
        }
        radio->bond = bond_free(radio->bond);
        g_clear_pointer(&radio->forgets_device, g_free);
        g_clear_pointer(&radio->ble_address, g_free);
}
