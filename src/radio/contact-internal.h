/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What the requests about contacts share: a record that is put together and
 * written to the radio, for which another may have to leave. */

#include "contacts-api.h"
#include "request-internal.h"

typedef struct ContactRequest {
        Request request;
        PublicKey key;
        ContactFields fields; /* name and path point to the next two */
        char *name;
        PathHop *path;
        bool keep; /* remove: in the book; export: our own card */

        Contact *wanted; /* the record that the radio is to have */
        char *wire_name; /* its name as the radio has it, when that stays */
        PublicKey victim;
        unsigned evictions;
        request_step_t then;
        uint32_t timestamp; /* of the advert on a card */
        uint8_t *packet;
        size_t packet_size;

        radio_contact_done_t contact_done; /* one of these */
        radio_done_t done;
        radio_card_done_t card_done;
        void *userdata;
} ContactRequest;

ContactRequest *contact_request_new(const PublicKey *key);
/* For RequestKind.done. */
void contact_request_done(Request *request, const Outcome *outcome);

/* Copies and checks what a person gave; allowed is a mask of ContactField. */
OutcomeCode contact_request_take_fields(ContactRequest *c, const ContactFields *fields, unsigned allowed,
                                        Outcome *ret);
/* fields onto wanted. Returns false when that ended the request. */
bool contact_request_apply(ContactRequest *c);

/* The next step of a request. Fetch: wanted is the radio's record with what our book adds, then runs. When
 * the radio does not have it the book notes so and the request ends with NotFound. */
void contact_request_fetch(ContactRequest *c, request_step_t then);
/* Writes wanted; if it is not in the radio yet and the radio is full, another one leaves first. When then
 * runs, wanted is in the book too. */
void contact_request_write(ContactRequest *c, request_step_t then);
/* The radio says that it does not have it: the book notes so, and the request ends with NotFound. */
void contact_request_removed(ContactRequest *c);
/* then of both where nothing remains to be done. */
void contact_request_finish(Request *request, const Frame *frame);

/* The radio does not have it although nobody told us. Returns 0 or a negative errno. */
int book_note_removed(Radio *radio, const PublicKey *key);
/* Before a record of the radio goes into the book: keeps what only the book knows, and draws the
 * conclusions. from_mesh: the path was learnt by the radio itself. */
void book_merge(Radio *radio, Contact *fresh, bool from_mesh);
size_t book_count_on_radio(Identity *identity);

#define REMOVED_ELSEWHERE                                                                                \
        "another program took this contact out of the radio, so it is not written there again unasked; " \
        "add it again to undo that"

/* For delivery: into the radio unless it is there (design, section 4, Contacts). */
void contact_swap_in(Radio *radio, const PublicKey *key, radio_done_t done, void *userdata);
/* For delivery: the path that a person set, after tries by flood. */
void contact_restore_path(Radio *radio, const PublicKey *key, radio_done_t done, void *userdata);
