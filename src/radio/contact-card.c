/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "card.h"
#include "clock.h"
#include "contact-internal.h"
#include "macros.h"
#include "packet.h"

/* -- share --------------------------------------------------------------------------- */

static void shared(Request *request, const Frame *frame) {
        ContactRequest *c = (ContactRequest *) request;

        if (frame->code != RESP_ERR)
                request_succeed(request);
        else if (frame->error.code == ERR_TABLE_FULL)
                request_fail(request, OUTCOME_REJECTED,
                             "the radio keeps no advert of this contact, or is busy sending; try again after "
                             "its next advert");
        else if (frame->error.code == ERR_NOT_FOUND) {
                contact_request_removed(c);
        } else
                request_fail_firmware(request, frame->error.code);
}

static void share_start(Request *request, const Frame *frame) {
        ContactRequest *c = (ContactRequest *) request;
        const Contact *known = identity_get_contact(request->radio->identity, &c->key);
        Command command;

        if (!known || !known->on_radio) {
                request_fail(request, OUTCOME_NOT_FOUND,
                             "the radio does not have this contact; add it to the radio first");
                return;
        }

        (void) command_share_contact(&command, &c->key);
        request_call_tolerant(request, &command, shared);
}

static const RequestKind share_kind = {
                .what = "cannot share the contact",
                .start = share_start,
                .done = contact_request_done,
};

void radio_share_contact(Radio *radio, const PublicKey *key, radio_done_t done, void *userdata) {
        ContactRequest *c = contact_request_new(key);

        c->done = done;
        c->userdata = userdata;
        request_submit(radio, &c->request, &share_kind);
}

/* -- export ------------------------------------------------------------------------------ */

static void exported(Request *request, const Frame *frame) {
        ContactRequest *c = (ContactRequest *) request;
        Card card = {.kind = CARD_ADVERT};
        Slice packet;

        if (frame->code == RESP_ERR) {
                if (frame->error.code == ERR_NOT_FOUND)
                        request_fail(request, OUTCOME_NOT_FOUND,
                                     "the radio keeps no advert of this contact; its URI can be exported "
                                     "without");
                else if (frame->error.code == ERR_TABLE_FULL)
                        request_fail(request, OUTCOME_IN_PROGRESS,
                                     "the radio is busy sending; try again in a few seconds");
                else
                        request_fail_firmware(request, frame->error.code);
                return;
        }

        packet = frame->exported_contact.packet;
        c->name = g_malloc0(CARD_URI_SIZE_MAX);
        if (packet.size <= sizeof(card.packet)) {
                card.packet_size = packet.size;
                memcpy(card.packet, packet.data, packet.size);
        }
        if (card_print(&card, c->name, CARD_URI_SIZE_MAX) < 0) {
                g_clear_pointer(&c->name, g_free);
                request_fail(request, OUTCOME_FAILED, "the radio's answer makes no sense");
                return;
        }

        c->packet = g_memdup2(packet.data, packet.size);
        c->packet_size = packet.size;
        request_succeed(request);
}

static void export_start(Request *request, const Frame *frame) {
        ContactRequest *c = (ContactRequest *) request;
        Command command;

        (void) command_export_contact(&command, c->keep ? NULL : &c->key);
        request_call_tolerant(request, &command, exported);
}

static const RequestKind export_kind = {
                .what = "cannot export the card",
                .start = export_start,
                .done = contact_request_done,
};

void radio_export_card(Radio *radio, const PublicKey *key, radio_card_done_t done, void *userdata) {
        static const PublicKey ourselves = {};
        ContactRequest *c = contact_request_new(key ?: &ourselves);

        c->keep = !key;
        c->card_done = done;
        c->userdata = userdata;
        request_submit(radio, &c->request, &export_kind);
}

OutcomeCode radio_contact_uri(Radio *radio, const PublicKey *key, char **ret, Outcome *ret_outcome) {
        g_autofree char *uri = g_malloc(CARD_URI_SIZE_MAX);
        Card card = {.kind = CARD_CONTACT, .type = CONTACT_CHAT};
        const char *name = radio->info.name;

        if (!radio->identity)
                return outcome_set(ret_outcome, OUTCOME_NOT_FOUND, "radio %s was never connected",
                                   radio_id(radio));

        card.public_key = key ? *key : *identity_key(radio->identity);
        if (key) {
                const Contact *contact = identity_get_contact(radio->identity, key);

                if (!contact)
                        return outcome_set(ret_outcome, OUTCOME_NOT_FOUND, "no contact has the key %s",
                                           key_to_text(key).text);
                card.type = contact->type;
                name = contact->name;
        }

        (void) g_strlcpy(card.name, name, sizeof(card.name));
        if (card_print(&card, uri, CARD_URI_SIZE_MAX) < 0)
                return outcome_set(ret_outcome, OUTCOME_NOT_SUPPORTED,
                                   "a URI cannot carry this contact's type or the control characters in its "
                                   "name");

        *ret = g_steal_pointer(&uri);
        return OUTCOME_OK;
}

/* -- import -------------------------------------------------------------------------------- */

static void import_timeout(Request *request, const Frame *frame) {
        request_fail(request, OUTCOME_REJECTED,
                     "the radio took the card and did not add it: the signature is wrong, it has no name, "
                     "or the radio knows a newer advert of this node");
}

static void import_write(Request *request, const Frame *frame) {
        ContactRequest *c = (ContactRequest *) request;
        const Contact *known = identity_get_contact(request->radio->identity, &c->key);

        if (known) {
                c->wanted->flags = known->flags;
                c->wanted->path_len = known->path_len;
                memcpy(c->wanted->path, known->path, sizeof(c->wanted->path));
                book_merge(request->radio, c->wanted, false);
        }
        contact_request_write(c, contact_request_finish);
}

static void import_fetched(Request *request, const Frame *frame) {
        ContactRequest *c = (ContactRequest *) request;
        int r;

        r = identity_put_contact(request->radio->identity, c->wanted);
        if (r < 0) {
                request_fail_errno(request, r);
                return;
        }
        (void) pending_remove(request->radio->pending, &c->key);
        request_succeed(request);
}

static void import_fetch(Request *request, const Frame *frame) {
        contact_request_fetch((ContactRequest *) request, import_fetched);
}

static void import_advert(Request *request, const PublicKey *key, const Contact *heard) {
        ContactRequest *c = (ContactRequest *) request;

        if (!key_equal(key, &c->key))
                return;

        /* Heard only, since adding is manual, it came too far, or the table is full: but a person asked
         * for it. */
        if (heard)
                c->wanted = contact_copy(heard);
        request_resume(request, heard ? import_write : import_fetch);
}

static void imported(Request *request, const Frame *frame) {
        ContactRequest *c = (ContactRequest *) request;
        const Contact *known = identity_get_contact(request->radio->identity, &c->key);

        /* What is no news to the radio makes no advert. */
        if (known && known->on_radio && known->last_advert >= c->timestamp)
                request_succeed(request);
        else
                request_wait(request, radio_timing.import_usec, import_timeout);
}

static void import_start(Request *request, const Frame *frame) {
        ContactRequest *c = (ContactRequest *) request;
        Command command;
        int r;

        if (key_equal(&c->key, identity_key(request->radio->identity))) {
                request_fail(request, OUTCOME_INVALID_ARGUMENTS, "this is the card of the radio itself");
                return;
        }

        r = command_import_contact(&command, (Slice){c->packet, c->packet_size});
        if (r >= 0)
                r = command_check_size(&command, request->radio->info.level);
        if (r < 0)
                request_fail(request, OUTCOME_INVALID_ARGUMENTS,
                             "the card is not an advert that fits into a command (at most %zu bytes here)",
                             frame_size_max(request->radio->info.level) - 1);
        else
                request_call(request, &command, imported);
}

static const RequestKind import_kind = {
                .what = "cannot import the card",
                .start = import_start,
                .done = contact_request_done,
                .advert = import_advert,
};

void radio_import_card(Radio *radio, Slice data, radio_contact_done_t done, void *userdata) {
        static const PublicKey nobody = {};
        ContactRequest *c = contact_request_new(&nobody);
        g_auto(Outcome) outcome = {};
        Packet packet;
        Advert advert;

        c->contact_done = done;
        c->userdata = userdata;
        if (packet_decode(data, &packet) < 0 || advert_decode(&packet, &advert) < 0) {
                (void) outcome_set(&outcome, OUTCOME_INVALID_ARGUMENTS,
                                   "a card is a whole advert packet of %d bytes or more",
                                   ADVERT_PACKET_SIZE_MIN);
                request_submit_failed(radio, &c->request, &import_kind, &outcome);
                return;
        }

        c->key = advert.key;
        c->timestamp = advert.timestamp;
        c->packet = g_memdup2(data.data, data.size);
        c->packet_size = data.size;
        request_submit(radio, &c->request, &import_kind);
}
