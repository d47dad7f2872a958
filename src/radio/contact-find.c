/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "card.h"
#include "channels-api.h"
#include "contacts-api.h"
#include "macros.h"
#include "request-internal.h"
#include "utf8.h"

#define FIND_DIGITS_MIN 2

/* -- find ------------------------------------------------------------------------- */

static bool name_contains(const char *name, const char *folded) {
        g_autofree char *own = g_utf8_casefold(name, -1);

        return strstr(own, folded);
}

static int compare_key(gconstpointer a, gconstpointer b) {
        return memcmp(&(*(Contact *const *) a)->key, &(*(Contact *const *) b)->key, sizeof(PublicKey));
}

GPtrArray *radio_find_contacts(Radio *radio, const char *text) {
        g_autoptr(GPtrArray) exact = g_ptr_array_new(), inside = g_ptr_array_new(), keys = g_ptr_array_new();
        g_autofree char *folded = NULL, *digits = NULL;
        bool is_prefix;
        GHashTableIter iter;
        Contact *contact;

        if (!radio->identity || text[0] == '\0' || !g_utf8_validate(text, -1, NULL))
                return g_steal_pointer(&exact);

        folded = g_utf8_casefold(text, -1);
        digits = g_ascii_strdown(text, -1);
        is_prefix = strlen(digits) >= FIND_DIGITS_MIN && strspn(digits, "0123456789abcdef") == strlen(digits);

        g_hash_table_iter_init(&iter, identity_contacts(radio->identity));
        while (g_hash_table_iter_next(&iter, NULL, (void **) &contact)) {
                if (strcmp(contact->name, text) == 0)
                        g_ptr_array_add(exact, contact);
                else if (name_contains(contact->name, folded))
                        g_ptr_array_add(inside, contact);
                else if (is_prefix && g_str_has_prefix(key_to_text(&contact->key).text, digits))
                        g_ptr_array_add(keys, contact);
        }

        g_ptr_array_sort(exact, compare_key);
        g_ptr_array_sort(inside, compare_key);
        g_ptr_array_sort(keys, compare_key);
        g_ptr_array_extend(exact, inside, NULL, NULL);
        g_ptr_array_extend(exact, keys, NULL, NULL);
        return g_steal_pointer(&exact);
}

/* -- URIs --------------------------------------------------------------------------- */

/* Ends at once; everything else is passed to the request for the kind of URI. */
typedef struct ImportRequest {
        Request request;
        PublicKey key;
        uint64_t channel;
        radio_import_done_t done;
        void *userdata;
} ImportRequest;

static void import_done(Request *request, const Outcome *outcome) {
        ImportRequest *i = (ImportRequest *) request;
        Identity *identity = request->radio->identity;
        bool ok = outcome->code == OUTCOME_OK;

        i->done(request->radio, outcome,
                ok && i->channel == 0 ? identity_get_contact(identity, &i->key) : NULL,
                ok && i->channel != 0 ? identity_get_channel(identity, i->channel) : NULL, i->userdata);
        g_free(i);
}

static void import_start(Request *request, const Frame *frame) {
        request_succeed(request);
}

static const RequestKind import_kind = {
                .what = "cannot import the URI",
                .start = import_start,
                .done = import_done,
                .offline = true,
};

typedef struct ImportCaller {
        radio_import_done_t done;
        void *userdata;
} ImportCaller;

static ImportCaller *import_caller_new(radio_import_done_t done, void *userdata) {
        ImportCaller *caller = g_new(ImportCaller, 1);

        *caller = (ImportCaller){done, userdata};
        return caller;
}

static void contact_imported(Radio *radio, const Outcome *outcome, Contact *contact, void *userdata) {
        g_autofree ImportCaller *caller = userdata;

        caller->done(radio, outcome, contact, NULL, caller->userdata);
}

static void channel_imported(Radio *radio, const Outcome *outcome, Channel *channel, void *userdata) {
        g_autofree ImportCaller *caller = userdata;

        caller->done(radio, outcome, NULL, channel, caller->userdata);
}

static void import_contact(Radio *radio, const Card *card, ImportRequest *known, radio_import_done_t done,
                           void *userdata) {
        const Contact *contact =
                        radio->identity ? identity_get_contact(radio->identity, &card->public_key) : NULL;
        g_autofree char *name = g_strndup(card->name, utf8_cut(card->name, CONTACT_NAME_MAX));
        const ContactFields fields = {
                        .set = CONTACT_FIELD_TYPE | CONTACT_FIELD_NAME,
                        .type = card->type,
                        .name = name,
        };

        if (contact && contact->on_radio) {
                known->key = card->public_key;
                request_submit(radio, &known->request, &import_kind);
                return;
        }

        g_free(known);
        radio_add_contact(radio, &card->public_key, &fields, contact_imported,
                          import_caller_new(done, userdata));
}

static void import_channel(Radio *radio, const Card *card, ImportRequest *known, radio_import_done_t done,
                           void *userdata) {
        ChannelFields fields = {
                        .slot = CHANNEL_SLOT_ANY,
                        .name = card->name,
                        .source = CHANNEL_SECRET_GIVEN,
        };

        for (unsigned slot = 0; radio->identity && slot < IDENTITY_SLOTS_MAX; slot++) {
                const Channel *channel = identity_get_slot(radio->identity, slot);

                if (channel && memcmp(channel->secret, card->secret, CHANNEL_SECRET_SIZE) == 0) {
                        known->channel = channel->id;
                        request_submit(radio, &known->request, &import_kind);
                        return;
                }
        }

        g_free(known);
        memcpy(fields.secret, card->secret, sizeof(fields.secret));
        radio_set_channel(radio, &fields, channel_imported, import_caller_new(done, userdata));
        explicit_bzero(&fields, sizeof(fields));
}

void radio_import_uri(Radio *radio, const char *uri, radio_import_done_t done, void *userdata) {
        ImportRequest *i = g_new0(ImportRequest, 1);
        g_auto(Outcome) outcome = {};
        Card card = {};
        int r;

        i->done = done;
        i->userdata = userdata;
        r = card_parse(uri, &card);
        if (r < 0) {
                (void) outcome_set(&outcome, OUTCOME_INVALID_ARGUMENTS, "%s",
                                   r == -EMSGSIZE ? "the URI is too long for a contact or channel"
                                                  : "this is none of meshcore://<hex of an advert>, "
                                                    "meshcore://contact/add?name=…&public_key=…&type=… and "
                                                    "meshcore://channel/add?name=…&secret=…");
                request_submit_failed(radio, &i->request, &import_kind, &outcome);
                return;
        }

        switch (card.kind) {
        case CARD_CONTACT:
                import_contact(radio, &card, i, done, userdata);
                break;
        case CARD_CHANNEL:
                import_channel(radio, &card, i, done, userdata);
                break;
        default:
                g_free(i);
                radio_import_card(radio, (Slice){card.packet, card.packet_size}, contact_imported,
                                  import_caller_new(done, userdata));
        }
        explicit_bzero(&card, sizeof(card));
}
