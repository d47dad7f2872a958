/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "clock.h"
#include "hex.h"
#include "macros.h"
#include "protocol.h"
#include "radio-internal.h"

#define PREFIX_DIGITS_MIN 8 /* design, section 3 */
#define CANDIDATES_MAX    5 /* named in an error */
#define OUTBOX_PER_UID    1000u
#define DATA_LEVEL        11

/* -- recipients ---------------------------------------------------------------- */

/* Names are foreign text: a candidate is told by its key. */
static char *list_candidates(GPtrArray *contacts) {
        GString *s = g_string_new(NULL);

        for (guint i = 0; i < contacts->len && i < CANDIDATES_MAX; i++)
                g_string_append_printf(s, "%s%s", i > 0 ? ", " : "",
                                       key_to_text(&((Contact *) contacts->pdata[i])->key).text);
        if (contacts->len > CANDIDATES_MAX)
                g_string_append_printf(s, " and %u more", contacts->len - CANDIDATES_MAX);
        return g_string_free(s, FALSE);
}

static bool text_is_key_prefix(const char *text, uint8_t *ret, size_t *ret_digits) {
        size_t digits = strlen(text);
        char padded[PUBLIC_KEY_DIGITS + 1];

        if (digits < PREFIX_DIGITS_MIN || digits > PUBLIC_KEY_DIGITS ||
            strspn(text, "0123456789abcdefABCDEF") != digits)
                return false;

        /* An odd digit at the end counts too. */
        memset(padded, '0', PUBLIC_KEY_DIGITS);
        memcpy(padded, text, digits);
        (void) hex_decode(padded, PUBLIC_KEY_DIGITS, ret, PUBLIC_KEY_SIZE);
        *ret_digits = digits;
        return true;
}

static bool key_has_prefix(const PublicKey *key, const uint8_t *prefix, size_t digits) {
        return memcmp(key->bytes, prefix, digits / 2) == 0 &&
               (digits % 2 == 0 || key->bytes[digits / 2] >> 4 == prefix[digits / 2] >> 4);
}

OutcomeCode radio_find_recipient(Radio *radio, const char *name, Recipient *ret, Outcome *ret_outcome) {
        g_autoptr(GPtrArray) named = g_ptr_array_new(), prefixed = g_ptr_array_new();
        g_autofree char *candidates = NULL;
        uint8_t prefix[PUBLIC_KEY_SIZE];
        Channel *channel = NULL;
        size_t digits = 0, n_channels = 0;
        GHashTableIter iter;
        Contact *contact;
        bool is_prefix;
        PublicKey key;

        if (!radio->identity)
                return outcome_set(ret_outcome, OUTCOME_NOT_READY,
                                   "radio %s was never connected, so nobody is known there yet",
                                   radio_id(radio));

        if (key_from_text(name, &key) >= 0) {
                contact = identity_get_contact(radio->identity, &key);
                if (!contact)
                        return outcome_set(ret_outcome, OUTCOME_NOT_FOUND, "no contact has the key %s", name);
                *ret = (Recipient){.contact = contact};
                return OUTCOME_OK;
        }

        channel = identity_find_channel_name(radio->identity, name, &n_channels);
        if (name[0] == '#' && n_channels == 1) {
                *ret = (Recipient){.channel = channel};
                return OUTCOME_OK;
        }

        is_prefix = text_is_key_prefix(name, prefix, &digits);
        g_hash_table_iter_init(&iter, identity_contacts(radio->identity));
        while (g_hash_table_iter_next(&iter, NULL, (void **) &contact)) {
                if (strcmp(contact->name, name) == 0)
                        g_ptr_array_add(named, contact);
                else if (is_prefix && key_has_prefix(&contact->key, prefix, digits))
                        g_ptr_array_add(prefixed, contact);
        }

        /* A guess would tell somebody else what was meant for one. */
        if (named->len + prefixed->len + n_channels > 1) {
                g_ptr_array_extend(named, prefixed, NULL, NULL);
                candidates = list_candidates(named);
                return outcome_set(ret_outcome, OUTCOME_INVALID_ARGUMENTS,
                                   "the recipient is ambiguous; name one by its key or object path: %s%s%s",
                                   candidates, n_channels > 0 && named->len > 0 ? ", " : "",
                                   n_channels > 1   ? "channels of this name"
                                   : n_channels > 0 ? "a channel of this name"
                                                    : "");
        }
        if (named->len + prefixed->len == 1) {
                *ret = (Recipient){.contact = named->len > 0 ? named->pdata[0] : prefixed->pdata[0]};
                return OUTCOME_OK;
        }
        if (n_channels == 1) {
                *ret = (Recipient){.channel = channel};
                return OUTCOME_OK;
        }

        return outcome_set(ret_outcome, OUTCOME_NOT_FOUND,
                           "no contact or channel is called that, and no key begins so "
                           "(a prefix takes at least %d hex digits)",
                           PREFIX_DIGITS_MIN);
}

/* -- sending ---------------------------------------------------------------------- */

uint32_t radio_max_text(Radio *radio, const Recipient *to) {
        size_t name;

        if (!to->channel)
                return radio->info.max_text_bytes > 0 ? radio->info.max_text_bytes : TEXT_SIZE_MAX - 1;

        /* The radio puts its name before a channel text and cuts what does not fit. A radio that was
         * not there yet may have the longest of names. */
        name = radio->info.level > 0 ? strlen(radio->info.name) : NAME_SIZE_MAX;
        return (uint32_t) (TEXT_SIZE_MAX - MIN(name, (size_t) NAME_SIZE_MAX) - strlen(": "));
}

static OutcomeCode check_text(Radio *radio, const Recipient *to, const char *text, Outcome *ret) {
        size_t size = strlen(text), max = radio_max_text(radio, to);

        if (size == 0)
                return outcome_set(ret, OUTCOME_INVALID_ARGUMENTS, "the text is empty");
        if (!g_utf8_validate(text, -1, NULL))
                return outcome_set(ret, OUTCOME_INVALID_ARGUMENTS, "the text is not valid UTF-8");
        if (size > max)
                return outcome_set(ret, OUTCOME_INVALID_ARGUMENTS,
                                   "the text is %zu bytes too long: %zu bytes of UTF-8, at most %zu fit here",
                                   size - max, size, max);
        return OUTCOME_OK;
}

static OutcomeCode check_recipient(Radio *radio, const Recipient *to, Outcome *ret) {
        if (to->channel && to->channel->slot < 0)
                return outcome_set(ret, OUTCOME_NOT_FOUND, "the channel is not in the radio any more");
        if (to->contact && to->contact->type != CONTACT_CHAT && to->contact->type != CONTACT_ROOM &&
            to->contact->type != CONTACT_NONE)
                return outcome_set(ret, OUTCOME_NOT_SUPPORTED,
                                   "a %s does not read texts; only chat contacts, rooms and channels do",
                                   contact_type_to_string(to->contact->type));
        return OUTCOME_OK;
}

static OutcomeCode check_options(Radio *radio, const SendOptions *options, Outcome *ret) {
        if (!options->queue && radio->state != RADIO_READY)
                return outcome_set(ret, OUTCOME_NOT_CONNECTED, "radio %s is %s (%s), and Queue is false",
                                   radio_id(radio), radio_state_to_string(radio->state),
                                   radio_reason_to_string(radio->reason));
        if (options->expires_usec > 0 && options->expires_usec <= clock_realtime_usec())
                return outcome_set(ret, OUTCOME_INVALID_ARGUMENTS, "ExpiresUSec has passed already");

        if (delivery_count(radio->delivery, options->uid) >= OUTBOX_PER_UID &&
            !(options->token && identity_has_token(radio->identity, options->uid, options->token)))
                return outcome_set(ret, OUTCOME_IN_PROGRESS,
                                   "%u messages of yours are on their way already: wait for some of them, or "
                                   "cancel them",
                                   OUTBOX_PER_UID);
        return OUTCOME_OK;
}

/* m has what is to be sent. */
static OutcomeCode queue_message(Radio *radio, const Recipient *to, Message *m, const SendOptions *options,
                                 uint64_t *ret_id, Outcome *ret_outcome) {
        OutcomeCode code;
        int r;

        code = check_options(radio, options, ret_outcome);
        if (code != OUTCOME_OK)
                return code;

        m->state = MESSAGE_QUEUED;
        m->timestamp_usec = clock_realtime_usec();
        m->read = true;
        m->expires_usec = options->expires_usec;
        if (to->channel)
                m->channel = to->channel->id;
        else {
                m->has_peer = m->has_peer_key = true;
                m->peer = to->contact->key;
                memcpy(m->peer_prefix, m->peer.bytes, sizeof(m->peer_prefix));
        }

        r = identity_queue(radio->identity, m, options->uid, options->token);
        if (r == -EINVAL)
                return outcome_set(ret_outcome, OUTCOME_INVALID_ARGUMENTS, "Token takes 1 to %d bytes",
                                   IDENTITY_TOKEN_MAX);
        if (r < 0)
                return outcome_set_errno(ret_outcome, r, "cannot store the message");

        *ret_id = m->id;
        if (r == 0)
                delivery_add(radio->delivery, m->id, options->uid);
        return OUTCOME_OK;
}

OutcomeCode radio_send_text(Radio *radio, const Recipient *to, const char *text, const SendOptions *options,
                            uint64_t *ret_id, Outcome *ret_outcome) {
        g_autoptr(Message) m = NULL;
        OutcomeCode code;

        code = check_recipient(radio, to, ret_outcome);
        if (code == OUTCOME_OK)
                code = check_text(radio, to, text, ret_outcome);
        if (code != OUTCOME_OK)
                return code;

        m = message_new();
        m->kind = MESSAGE_TEXT;
        g_free(m->text);
        m->text = g_strdup(text);
        return queue_message(radio, to, m, options, ret_id, ret_outcome);
}

OutcomeCode radio_send_data(Radio *radio, Channel *channel, uint16_t type, Slice data,
                            const SendOptions *options, uint64_t *ret_id, Outcome *ret_outcome) {
        const Recipient to = {.channel = channel};
        g_autoptr(Message) m = NULL;
        OutcomeCode code;

        code = check_recipient(radio, &to, ret_outcome);
        if (code != OUTCOME_OK)
                return code;
        if (type == 0)
                return outcome_set(ret_outcome, OUTCOME_INVALID_ARGUMENTS,
                                   "the type is from 1 to 65535; those from 65280 on are for trials");
        if (data.size > CHANNEL_DATA_SIZE_MAX)
                return outcome_set(ret_outcome, OUTCOME_INVALID_ARGUMENTS,
                                   "the data has %zu bytes; there can be %d", data.size,
                                   CHANNEL_DATA_SIZE_MAX);
        if (radio->info.level > 0 && radio->info.level < DATA_LEVEL)
                return outcome_set(ret_outcome, OUTCOME_NOT_SUPPORTED,
                                   "datagrams take firmware 1.15 or newer");

        m = message_new();
        m->kind = MESSAGE_DATA;
        m->data = g_memdup2(data.data, data.size);
        m->data_size = data.size;
        m->data_type = type;
        return queue_message(radio, &to, m, options, ret_id, ret_outcome);
}

static OutcomeCode get_own_message(Radio *radio, uint64_t id, Message **ret, Outcome *ret_outcome) {
        g_autoptr(Message) m = NULL;
        int r;

        r = radio->identity ? identity_read_message(radio->identity, id, &m) : -ENOENT;
        if (r == -ENOENT)
                return outcome_set(ret_outcome, OUTCOME_NOT_FOUND, "there is no message %" PRIu64, id);
        if (r < 0)
                return outcome_set_errno(ret_outcome, r, "cannot read the message");
        if (m->state == MESSAGE_RECEIVED)
                return outcome_set(ret_outcome, OUTCOME_NOT_SUPPORTED,
                                   "message %" PRIu64 " is a received one", id);

        *ret = g_steal_pointer(&m);
        return OUTCOME_OK;
}

OutcomeCode radio_cancel_message(Radio *radio, uint64_t id, Outcome *ret_outcome) {
        g_autoptr(Message) m = NULL;
        OutcomeCode code;

        code = get_own_message(radio, id, &m, ret_outcome);
        if (code != OUTCOME_OK)
                return code;
        g_assert(m);
        if (!message_state_is_open(m->state, m->channel != 0))
                return outcome_set(ret_outcome, OUTCOME_REJECTED,
                                   "message %" PRIu64 " is %s already: too late to cancel it", id,
                                   message_state_to_string(m->state));

        return delivery_cancel(radio->delivery, id, ret_outcome);
}

OutcomeCode radio_resend_message(Radio *radio, uint64_t id, const SendOptions *options, uint64_t *ret_id,
                                 Outcome *ret_outcome) {
        g_autoptr(Message) m = NULL;
        Recipient to = {};
        OutcomeCode code;

        code = get_own_message(radio, id, &m, ret_outcome);
        if (code != OUTCOME_OK)
                return code;
        g_assert(m);
        if (message_state_is_open(m->state, m->channel != 0))
                return outcome_set(ret_outcome, OUTCOME_IN_PROGRESS,
                                   "message %" PRIu64 " is %s: it is still on its way", id,
                                   message_state_to_string(m->state));

        if (m->channel != 0)
                to.channel = identity_get_channel(radio->identity, m->channel);
        else
                to.contact = identity_get_contact(radio->identity, &m->peer);
        if (!to.channel && !to.contact)
                return outcome_set(ret_outcome, OUTCOME_NOT_FOUND, "its recipient is not known any more");

        if (m->kind == MESSAGE_DATA)
                return radio_send_data(radio, to.channel, m->data_type, (Slice){m->data, m->data_size},
                                       options, ret_id, ret_outcome);
        return radio_send_text(radio, &to, m->text, options, ret_id, ret_outcome);
}
