/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "fake-radio-internal.h"
#include "hex.h"

/* contacts-api.h and channels-api.h: what is asked for is put into words and
 * waits until the test answers. */

FakeRequest *fake_request_new(Radio *radio, void *userdata, const char *format, ...) {
        FakeRequest *request = g_new0(FakeRequest, 1);
        va_list ap;

        va_start(ap, format);
        request->text = g_strdup_vprintf(format, ap);
        va_end(ap);
        request->userdata = userdata;
        request->slot = -1;
        g_queue_push_tail(&radio->requests, request);
        return request;
}

#define request_new fake_request_new

static const char *short_key(const PublicKey *key) {
        static char text[9];

        hex_encode(key->bytes, 4, text);
        return text;
}

/* -- what the test does ---------------------------------------------------- */

const char *fake_radio_request(Radio *radio) {
        FakeRequest *request = g_queue_peek_head(&radio->requests);

        return request ? request->text : NULL;
}

unsigned fake_radio_n_requests(Radio *radio) {
        return g_queue_get_length(&radio->requests);
}

AutoAdd *fake_radio_auto_add(Radio *radio) {
        return &radio->auto_add;
}

static void answer(Radio *radio, OutcomeCode code, Slice packet, const char *uri) {
        FakeRequest *request = g_queue_pop_head(&radio->requests);
        g_auto(Outcome) outcome = {};
        Contact *contact = NULL;
        Channel *channel = NULL;

        if (code != OUTCOME_OK)
                (void) outcome_set(&outcome, code, "as the test says");
        else if (request->slot >= 0)
                channel = identity_get_slot(radio->identity, (unsigned) request->slot);
        else
                contact = identity_get_contact(radio->identity, &request->key);

        if (request->done)
                request->done(radio, &outcome, request->userdata);
        else if (request->contact_done)
                request->contact_done(radio, &outcome, contact, request->userdata);
        else if (request->channel_done)
                request->channel_done(radio, &outcome, channel, request->userdata);
        else if (request->answered)
                request->answered(radio, request, &outcome, packet);
        else if (request->card_done)
                request->card_done(radio, &outcome, packet, uri, request->userdata);
        else
                request->import_done(radio, &outcome, contact, channel, request->userdata);

        g_free(request->text);
        g_free(request);
}

void fake_radio_answer(Radio *radio, OutcomeCode code) {
        answer(radio, code, (Slice){}, NULL);
}

void fake_radio_answer_card(Radio *radio, const void *packet, size_t size, const char *uri) {
        answer(radio, OUTCOME_OK, (Slice){packet, size}, uri);
}

/* -- contacts ---------------------------------------------------------------- */

static char *describe_path(const PathHop *path, size_t n) {
        GString *text = g_string_new("");

        for (size_t i = 0; i < n; i++) {
                char digits[2 * CONTACT_PATH_HASH_MAX + 1];

                hex_encode(path[i].bytes, path[i].size, digits);
                g_string_append_printf(text, "%s%s", i > 0 ? "," : "", digits);
        }
        return g_string_free(text, false);
}

static char *describe_fields(const ContactFields *f) {
        GString *text = g_string_new("");

        if (f->set & CONTACT_FIELD_TYPE)
                g_string_append_printf(text, " type=%u", f->type);
        if (f->set & CONTACT_FIELD_NAME)
                g_string_append_printf(text, " name=%s", f->name);
        if (f->set & CONTACT_FIELD_FLAGS)
                g_string_append_printf(text, " flags=%u", f->flags);
        if (f->set & CONTACT_FIELD_FAVOURITE)
                g_string_append_printf(text, " favourite=%i", f->favourite);
        if (f->set & CONTACT_FIELD_PATH) {
                g_autofree char *path = describe_path(f->path, f->n_path);

                g_string_append_printf(text, " path=%s", path);
        }
        if (f->set & CONTACT_FIELD_LOCATION)
                g_string_append_printf(text, " location=%i/%i", f->lat_e6, f->lon_e6);
        if (f->set & CONTACT_FIELD_LAST_ADVERT)
                g_string_append_printf(text, " last-advert=%u", f->last_advert);
        return g_string_free(text, false);
}

void radio_add_contact(Radio *radio, const PublicKey *key, const ContactFields *fields,
                       radio_contact_done_t done, void *userdata) {
        g_autofree char *text = describe_fields(fields);
        FakeRequest *request = request_new(radio, userdata, "add %s%s", short_key(key), text);

        request->key = *key;
        request->contact_done = done;
}

void radio_update_contact(Radio *radio, const PublicKey *key, const ContactFields *fields,
                          radio_contact_done_t done, void *userdata) {
        g_autofree char *text = describe_fields(fields);
        FakeRequest *request = request_new(radio, userdata, "update %s%s", short_key(key), text);

        request->key = *key;
        request->contact_done = done;
}

void radio_set_contact_path(Radio *radio, const PublicKey *key, const PathHop *path, size_t n_path,
                            radio_contact_done_t done, void *userdata) {
        g_autofree char *text = describe_path(path, n_path);

        request_new(radio, userdata, "set-path %s %s", short_key(key), text)->contact_done = done;
}

void radio_reset_contact_path(Radio *radio, const PublicKey *key, radio_contact_done_t done, void *userdata) {
        request_new(radio, userdata, "reset-path %s", short_key(key))->contact_done = done;
}

void radio_remove_contact(Radio *radio, const PublicKey *key, bool keep, radio_done_t done, void *userdata) {
        request_new(radio, userdata, "remove %s%s", short_key(key), keep ? " keep" : "")->done = done;
}

void radio_share_contact(Radio *radio, const PublicKey *key, radio_done_t done, void *userdata) {
        request_new(radio, userdata, "share %s", short_key(key))->done = done;
}

void radio_export_card(Radio *radio, const PublicKey *key, radio_card_done_t done, void *userdata) {
        request_new(radio, userdata, "export %s", key ? short_key(key) : "self")->card_done = done;
}

OutcomeCode radio_contact_uri(Radio *radio, const PublicKey *key, char **ret, Outcome *ret_outcome) {
        if (!radio->identity)
                return outcome_set(ret_outcome, OUTCOME_NOT_FOUND, "never connected");

        *ret = g_strdup_printf("meshcore://contact/add?public_key=%s",
                               key_to_text(key ?: identity_key(radio->identity)).text);
        return OUTCOME_OK;
}

void radio_import_card(Radio *radio, Slice packet, radio_contact_done_t done, void *userdata) {
        FakeRequest *request = request_new(radio, userdata, "import-card %zu bytes", packet.size);

        request->contact_done = done;
        if (packet.size >= sizeof(request->key))
                memcpy(&request->key, packet.data, sizeof(request->key));
}

void radio_import_uri(Radio *radio, const char *uri, radio_import_done_t done, void *userdata) {
        FakeRequest *request = request_new(radio, userdata, "import %s", uri);
        const char *key = strstr(uri, "public_key=");

        request->import_done = done;
        if (!key || key_from_text(key + strlen("public_key="), &request->key) < 0)
                request->slot = 3;
}

GPtrArray *radio_find_contacts(Radio *radio, const char *text) {
        g_autofree char *digits = g_ascii_strdown(text, -1);
        GPtrArray *found = g_ptr_array_new();
        GHashTableIter iter;
        gpointer contact;

        if (!radio->identity)
                return found;

        g_hash_table_iter_init(&iter, identity_contacts(radio->identity));
        while (g_hash_table_iter_next(&iter, NULL, &contact)) {
                if (strcmp(((Contact *) contact)->name, text) == 0)
                        g_ptr_array_insert(found, 0, contact);
                else if (g_str_has_prefix(key_to_text(&((Contact *) contact)->key).text, digits))
                        g_ptr_array_add(found, contact);
        }
        return found;
}

Pending *radio_pending(Radio *radio) {
        return radio->pending;
}

const AutoAdd *radio_auto_add(const Radio *radio) {
        return &radio->auto_add;
}

void radio_set_auto_add(Radio *radio, unsigned set, const AutoAdd *values, radio_done_t done,
                        void *userdata) {
        request_new(radio, userdata, "auto-add set=%#x manual=%i chat=%i overwrite=%i hops=%u", set,
                    values->manual, values->chat, values->overwrite, values->max_hops)
                        ->done = done;
}

/* -- channels ---------------------------------------------------------------- */

void radio_set_channel(Radio *radio, const ChannelFields *fields, radio_channel_done_t done, void *userdata) {
        static const char *const sources[_CHANNEL_SECRET_MAX] = {"given", "derived", "public", "random"};
        FakeRequest *request =
                        request_new(radio, userdata, "set-channel %i %s %s %02x", fields->slot,
                                    fields->name ?: "(null)", sources[fields->source], fields->secret[0]);

        request->slot = fields->slot >= 0 ? fields->slot : 3;
        request->channel_done = done;
}

void radio_clear_channel(Radio *radio, unsigned slot, radio_done_t done, void *userdata) {
        request_new(radio, userdata, "clear-channel %u", slot)->done = done;
}

OutcomeCode radio_channel_uri(Radio *radio, const Channel *channel, char **ret, Outcome *ret_outcome) {
        if (strchr(channel->name, '\n'))
                return outcome_set(ret_outcome, OUTCOME_NOT_SUPPORTED, "a line break");

        *ret = g_strdup_printf("meshcore://channel/add?secret=%02x", channel->secret[0]);
        return OUTCOME_OK;
}
