/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "clock.h"
#include "fake-radio-internal.h"
#include "macros.h"

/* -- the manager ----------------------------------------------------------- */

int manager_new(sd_event *event, Store *store, Manager **ret) {
        Manager *manager = g_new0(Manager, 1);

        manager->event = sd_event_ref(event);
        manager->store = store;
        manager->radios = g_ptr_array_new();
        *ret = manager;
        return 0;
}

Manager *manager_free(Manager *manager) {
        if (!manager)
                return NULL;

        while (manager->radios->len > 0)
                fake_radio_remove(manager, manager->radios->pdata[0]);
        g_ptr_array_unref(manager->radios);
        sd_event_unref(manager->event);
        g_free(manager);
        return NULL;
}

void manager_set_observer(Manager *manager, const RadioObserver *observer, void *userdata) {
        manager->observer = observer;
        manager->userdata = userdata;
}

GPtrArray *manager_radios(Manager *manager) {
        return manager->radios;
}

Store *manager_store(Manager *manager) {
        return manager->store;
}

/* -- what the test does ---------------------------------------------------- */

#define TELL(radio, event, ...)                                                        \
        G_STMT_START {                                                                 \
                const RadioObserver *o_ = (radio)->manager->observer;                  \
                                                                                       \
                if (o_)                                                                \
                        o_->event((radio), ##__VA_ARGS__, (radio)->manager->userdata); \
        }                                                                              \
        G_STMT_END

static Radio *add(Manager *manager, const char *id, const PublicKey *key, Transport transport) {
        Radio *radio = g_new0(Radio, 1);

        radio->manager = manager;
        radio->settings = radio_settings_new(id);
        radio->settings->transport = transport;
        radio->bond = (RadioBond){.state = "none", .reason = "none"};
        g_free(radio->settings->address);
        radio->settings->address = g_strdup("::1");
        radio->settings->port = TCP_PORT_DEFAULT;
        radio->info = (RadioInfo){
                        .name = g_strdup("Tester"),
                        .model = g_strdup("Paper"),
                        .firmware = g_strdup("1.17.1"),
                        .build = g_strdup(""),
                        .level = 11,
                        .max_contacts = 350,
                        .max_channels = 40,
                        .frequency_hz = 869618000,
                        .bandwidth_hz = 62500,
                        .spreading_factor = 8,
                        .coding_rate = 8,
                        .tx_power = 22,
                        .max_tx_power = 22,
                        .lat_e6 = 48137154,
                        .lon_e6 = -11576124,
                        .battery_mv = 3850,
                        .storage_used_kb = 12,
                        .storage_total_kb = 1404,
                        .clock_skew_usec = -2500000,
                        .max_text_bytes = 160,
        };
        g_ptr_array_add(manager->radios, radio);
        TELL(radio, added);
        if (key)
                fake_radio_set_identity(radio, key);
        return radio;
}

Radio *fake_radio_add(Manager *manager, const char *id, const PublicKey *key) {
        return add(manager, id, key, TRANSPORT_TCP);
}

Radio *fake_radio_add_ble(Manager *manager, const char *id) {
        return add(manager, id, NULL, TRANSPORT_BLE);
}

void fake_radio_remove(Manager *manager, Radio *radio) {
        while (fake_radio_bond_request(radio))
                fake_radio_answer_bond(radio, OUTCOME_CANCELLED, false);
        while (fake_radio_n_pings(radio) > 0)
                fake_radio_answer_ping(radio, OUTCOME_CANCELLED, 0);
        while (fake_radio_n_requests(radio) > 0)
                fake_radio_answer(radio, OUTCOME_CANCELLED);

        TELL(radio, removed);
        g_ptr_array_remove(manager->radios, radio);
        pending_free(radio->pending);
        identity_free(radio->identity);
        radio_settings_free(radio->settings);
        g_free(radio->info.name);
        g_free(radio->info.model);
        g_free(radio->info.firmware);
        g_free(radio->info.build);
        g_free(radio->info.default_scope);
        g_free(radio->error_message);
        g_free(radio);
}

void fake_radio_set_identity(Radio *radio, const PublicKey *key) {
        PublicKey old = {};
        int r;

        if (radio->identity) {
                old = *identity_key(radio->identity);
                TELL(radio, identity_unloading);
                radio->pending = pending_free(radio->pending);
                radio->identity = identity_free(radio->identity);
        }
        if (!key)
                return;

        r = identity_load(radio->manager->store, key, &radio->identity);
        g_assert(r >= 0);
        r = pending_load(radio->manager->store, key, &radio->pending);
        g_assert(r >= 0);
        TELL(radio, identity_loaded);
        if (!key_is_zero(&old))
                TELL(radio, identity_changed, &old, key);
}

RadioInfo *fake_radio_info(Radio *radio) {
        return &radio->info;
}

void fake_radio_notify(Radio *radio, RadioChange what) {
        TELL(radio, changed, what);
}

void fake_radio_enter_state(Radio *radio, RadioState state, RadioReason reason) {
        RadioState from = radio->state;

        radio->state = state;
        radio->reason = reason;
        TELL(radio, changed, RADIO_CHANGED_STATE);
        TELL(radio, state_changed, from, state, reason);
}

void fake_radio_set_error(Radio *radio, OutcomeCode code, const char *message) {
        radio->error = code;
        g_free(radio->error_message);
        radio->error_message = g_strdup(message);
        radio->attempts++;
}

void fake_radio_hear_advert(Radio *radio, const Contact *contact, bool stored) {
        TELL(radio, advert_heard, contact, stored);
}

void fake_radio_tell_full(Radio *radio) {
        TELL(radio, contacts_full);
}

void fake_radio_tell_unknown(Radio *radio, uint8_t code, const void *data, size_t size) {
        const Slice rest = {data, size};

        TELL(radio, unknown_frame, code, rest);
}

bool fake_radio_is_watched(Radio *radio, bool frames) {
        return radio->watches[frames].function;
}

static void watch(Radio *radio, bool frames, radio_record_t function, void *userdata) {
        radio->watches[frames].function = function;
        radio->watches[frames].userdata = userdata;
}

void radio_watch_packets(Radio *radio, radio_record_t function, void *userdata) {
        watch(radio, false, function, userdata);
}

void radio_watch_frames(Radio *radio, radio_record_t function, void *userdata) {
        watch(radio, true, function, userdata);
}

void fake_radio_tell_record(Radio *radio, bool frames, const char *record) {
        g_autoptr(GString) text = g_string_new(record);

        radio->watches[frames].function(radio, text, radio->watches[frames].userdata);
}

unsigned fake_radio_n_pings(Radio *radio) {
        return g_queue_get_length(&radio->pings);
}

void fake_radio_answer_ping(Radio *radio, OutcomeCode code, uint64_t round_trip_usec) {
        g_autofree Ping *ping = g_queue_pop_head(&radio->pings);
        g_auto(Outcome) outcome = {};

        (void) outcome_set(&outcome, code, "as the test says");
        ping->done(radio, &outcome, round_trip_usec, ping->userdata);
}

void fake_radio_move_message(Radio *radio, uint64_t id, MessageState state, const char *error) {
        MessageUpdate update = {
                        .set = MESSAGE_CHANGED_STATE | MESSAGE_CHANGED_ERROR,
                        .state = state,
                        .error = error,
        };
        int r;

        r = identity_update_message(radio->identity, id, &update);
        g_assert(r >= 0);
}

/* -- the radio ------------------------------------------------------------- */

const char *radio_id(const Radio *radio) {
        return radio->settings->id;
}

const RadioSettings *radio_settings(const Radio *radio) {
        return radio->settings;
}

const RadioInfo *radio_info(const Radio *radio) {
        return &radio->info;
}

RadioState radio_state(const Radio *radio) {
        return radio->state;
}

RadioReason radio_reason(const Radio *radio) {
        return radio->reason;
}

const char *radio_port(const Radio *radio) {
        return NULL;
}

void radio_sync_progress(const Radio *radio, unsigned *ret_done, unsigned *ret_total) {
        *ret_done = *ret_total = 0;
}

OutcomeCode radio_last_error(const Radio *radio, const char **ret_message) {
        if (ret_message)
                *ret_message = radio->error_message ?: "";
        return radio->error;
}

unsigned radio_attempts(const Radio *radio) {
        return radio->attempts;
}

Identity *radio_identity(Radio *radio) {
        return radio->identity;
}

void manager_inhibit(Manager *manager, const char *id) {
        fake_radio_enter_state(manager_radios(manager)->pdata[0], RADIO_WAITING, REASON_INHIBITED);
}

bool manager_is_handed_over(Manager *manager, const char *id) {
        return radio_state(manager_radios(manager)->pdata[0]) == RADIO_WAITING;
}

void manager_release(Manager *manager, const char *id) {
        fake_radio_enter_state(manager_radios(manager)->pdata[0], RADIO_OPENING, REASON_NONE);
}

void manager_set_asleep(Manager *manager, bool asleep) {
}

void radio_start(Radio *radio) {
        fake_radio_enter_state(radio, RADIO_OPENING, REASON_NONE);
}

void radio_stop(Radio *radio) {
        fake_radio_enter_state(radio, RADIO_STOPPED, REASON_NONE);
}

/* -- the bond ---------------------------------------------------------------- */

void fake_radio_set_bond(Radio *radio, const char *state, const char *reason, uint64_t verified_usec) {
        radio->bond = (RadioBond){.state = state, .reason = reason, .last_verified_usec = verified_usec};
        TELL(radio, changed, RADIO_CHANGED_BOND);
}

const char *fake_radio_bond_request(Radio *radio) {
        const BondRequest *request = g_queue_peek_head(&radio->bond_requests);

        return request ? request->text : NULL;
}

void fake_radio_answer_bond(Radio *radio, OutcomeCode code, bool already) {
        g_autofree BondRequest *request = g_queue_pop_head(&radio->bond_requests);
        g_auto(Outcome) outcome = {};

        g_free(request->text);
        (void) outcome_set(&outcome, code, "as the test says");
        if (request->pair_done)
                request->pair_done(radio, &outcome, already, request->userdata);
        else
                request->done(radio, &outcome, request->userdata);
}

bool radio_bond(const Radio *radio, RadioBond *ret) {
        if (radio->settings->transport != TRANSPORT_BLE)
                return false;

        *ret = radio->bond;
        return true;
}

static void ask_bond(Radio *radio, char *request, radio_pair_done_t pair_done, radio_done_t done,
                     void *userdata) {
        BondRequest *waiting = g_new(BondRequest, 1);

        *waiting = (BondRequest){request, pair_done, done, userdata};
        g_queue_push_tail(&radio->bond_requests, waiting);
}

void radio_pair(Radio *radio, const char *passkey, radio_pair_done_t done, void *userdata) {
        ask_bond(radio, passkey ? g_strdup_printf("pair %s", passkey) : g_strdup("pair"), done, NULL,
                 userdata);
}

void radio_verify_bond(Radio *radio, radio_done_t done, void *userdata) {
        ask_bond(radio, g_strdup("verify"), NULL, done, userdata);
}

void radio_forget_bond(Radio *radio, radio_done_t done, void *userdata) {
        ask_bond(radio, g_strdup("forget"), NULL, done, userdata);
}

void radio_ping(Radio *radio, radio_ping_done_t done, void *userdata) {
        Ping *ping = g_new(Ping, 1);

        *ping = (Ping){.done = done, .userdata = userdata};
        g_queue_push_tail(&radio->pings, ping);
}

OutcomeCode radio_find_recipient(Radio *radio, const char *name, Recipient *ret, Outcome *ret_outcome) {
        Channel *channel = NULL;
        Contact *found = NULL;
        GHashTableIter iter;
        gpointer contact;
        size_t n = 0;

        if (radio->identity) {
                channel = identity_find_channel_name(radio->identity, name, &n);
                g_hash_table_iter_init(&iter, identity_contacts(radio->identity));
                while (g_hash_table_iter_next(&iter, NULL, &contact)) {
                        Contact *c = contact;

                        if (strcmp(c->name, name) == 0 ||
                            (strlen(name) >= 8 && g_str_has_prefix(key_to_text(&c->key).text, name))) {
                                found = c;
                                n++;
                        }
                }
        }

        if (n > 1)
                return outcome_set(ret_outcome, OUTCOME_INVALID_ARGUMENTS, "%zu of that name", n);
        if (n == 0)
                return outcome_set(ret_outcome, OUTCOME_NOT_FOUND, "nobody of that name");
        *ret = (Recipient){.contact = found, .channel = channel};
        return OUTCOME_OK;
}

uint32_t radio_max_text(Radio *radio, const Recipient *to) {
        return radio->info.max_text_bytes - (to->channel ? (uint32_t) strlen(radio->info.name) + 2 : 0);
}

OutcomeCode radio_send_data(Radio *radio, Channel *channel, uint16_t type, Slice data,
                            const SendOptions *options, uint64_t *ret_id, Outcome *ret_outcome) {
        g_autoptr(Message) m = message_new();
        int r;

        m->kind = MESSAGE_DATA;
        m->channel = channel->id;
        m->data = g_memdup2(data.data, data.size);
        m->data_size = data.size;
        m->data_type = type;
        r = identity_queue(radio->identity, m, options->uid, options->token);
        if (r < 0)
                return outcome_set_errno(ret_outcome, r, "cannot store the message");
        *ret_id = m->id;
        return OUTCOME_OK;
}

OutcomeCode radio_send_text(Radio *radio, const Recipient *to, const char *text, const SendOptions *options,
                            uint64_t *ret_id, Outcome *ret_outcome) {
        g_autoptr(Message) message = NULL;
        int r;

        if (!*text || strlen(text) > radio_max_text(radio, to))
                return outcome_set(ret_outcome, OUTCOME_INVALID_ARGUMENTS, "empty or too long");
        if (!options->queue && radio->state != RADIO_READY)
                return outcome_set(ret_outcome, OUTCOME_NOT_CONNECTED, "not ready");

        message = message_new();
        message->kind = MESSAGE_TEXT;
        message->state = MESSAGE_QUEUED;
        message->timestamp_usec = clock_realtime_usec();
        message->expires_usec = options->expires_usec;
        message->read = true;
        g_free(message->text);
        message->text = g_strdup(text);
        if (to->channel)
                message->channel = to->channel->id;
        else {
                message->has_peer = message->has_peer_key = true;
                message->peer = to->contact->key;
                memcpy(message->peer_prefix, message->peer.bytes, sizeof(message->peer_prefix));
        }

        r = identity_queue(radio->identity, message, options->uid, options->token);
        if (r < 0)
                return outcome_set_errno(ret_outcome, r, "cannot queue");
        *ret_id = message->id;
        return OUTCOME_OK;
}

OutcomeCode radio_cancel_message(Radio *radio, uint64_t id, Outcome *ret_outcome) {
        g_autoptr(Message) message = identity_get_message(radio->identity, id);

        if (message->state == MESSAGE_RECEIVED)
                return outcome_set(ret_outcome, OUTCOME_NOT_SUPPORTED, "a received one");
        if (!message_state_is_open(message->state, message->channel != 0))
                return outcome_set(ret_outcome, OUTCOME_REJECTED, "final");

        fake_radio_move_message(radio, id, MESSAGE_CANCELLED, NULL);
        return OUTCOME_OK;
}

OutcomeCode radio_resend_message(Radio *radio, uint64_t id, const SendOptions *options, uint64_t *ret_id,
                                 Outcome *ret_outcome) {
        g_autoptr(Message) message = identity_get_message(radio->identity, id);
        Recipient to = {};

        if (message->state == MESSAGE_RECEIVED)
                return outcome_set(ret_outcome, OUTCOME_NOT_SUPPORTED, "a received one");
        if (message_state_is_open(message->state, message->channel != 0))
                return outcome_set(ret_outcome, OUTCOME_IN_PROGRESS, "open");

        if (message->channel != 0)
                to.channel = identity_get_channel(radio->identity, message->channel);
        else
                to.contact = identity_get_contact(radio->identity, &message->peer);
        return radio_send_text(radio, &to, message->text, options, ret_id, ret_outcome);
}
