/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>
#include <syslog.h>

#include "contact-internal.h"
#include "macros.h"

/* Evictions for one contact: the radio may have taken the place for
 * somebody whom it heard in between. */
#define EVICTIONS_MAX 3

size_t book_count_on_radio(Identity *identity) {
        GHashTableIter iter;
        Contact *contact;
        size_t n = 0;

        g_hash_table_iter_init(&iter, identity_contacts(identity));
        while (g_hash_table_iter_next(&iter, NULL, (void **) &contact))
                n += contact->on_radio;
        return n;
}

void book_merge(Radio *radio, Contact *fresh, bool from_mesh) {
        const Contact *known = identity_get_contact(radio->identity, &fresh->key);
        bool same;

        if (!known)
                return;

        fresh->set_path_len = known->set_path_len;
        memcpy(fresh->set_path, known->set_path, sizeof(fresh->set_path));
        fresh->path_displaced = known->path_displaced;
        fresh->path_lent = known->path_lent;
        if (known->set_path_len == CONTACT_PATH_UNKNOWN || known->path_displaced)
                return;

        same = fresh->path_len == known->set_path_len &&
               memcmp(fresh->path, known->set_path, sizeof(fresh->path)) == 0;
        if (same)
                return;

        /* The mesh knows no better than the person; another program speaks for one. */
        if (from_mesh)
                fresh->path_displaced = true;
        else {
                fresh->set_path_len = CONTACT_PATH_UNKNOWN;
                memset(fresh->set_path, 0, sizeof(fresh->set_path));
        }
}

static int book_leave_radio(Radio *radio, const PublicKey *key, bool removed_elsewhere) {
        const Contact *known = identity_get_contact(radio->identity, key);
        g_autoptr(Contact) absent = NULL;

        if (!known)
                return 0;

        absent = contact_copy(known);
        absent->on_radio = false;
        absent->removed_elsewhere = removed_elsewhere;
        return identity_put_contact(radio->identity, absent);
}

int book_note_removed(Radio *radio, const PublicKey *key) {
        return book_leave_radio(radio, key, true);
}

void contact_request_removed(ContactRequest *c) {
        int r;

        r = book_note_removed(c->request.radio, &c->key);
        if (r < 0)
                request_fail_errno(&c->request, r);
        else
                request_fail(&c->request, OUTCOME_NOT_FOUND, REMOVED_ELSEWHERE);
}

/* -- who leaves a full radio -------------------------------------------------- */

/* Before we heard anybody, the radio's own mark is all there is. */
static uint64_t contact_heard_usec(const Contact *contact) {
        return contact->last_heard_usec > 0 ? contact->last_heard_usec
                                            : (uint64_t) contact->lastmod * USEC_PER_SEC;
}

static const Contact *book_find_victim(Radio *radio, const PublicKey *except) {
        const Contact *victim = NULL;
        GHashTableIter iter;
        Contact *contact;

        g_hash_table_iter_init(&iter, identity_contacts(radio->identity));
        while (g_hash_table_iter_next(&iter, NULL, (void **) &contact)) {
                if (!contact->on_radio || contact->type == CONTACT_ROOM ||
                    (contact->flags & CONTACT_FLAG_FAVOURITE) || key_equal(&contact->key, except) ||
                    delivery_waits_for(radio->delivery, &contact->key))
                        continue;
                if (!victim || contact_heard_usec(contact) < contact_heard_usec(victim))
                        victim = contact;
        }

        return victim;
}

static void write_now(ContactRequest *c);

static void evicted(Request *request, const Frame *frame) {
        ContactRequest *c = (ContactRequest *) request;
        bool gone = frame->code == RESP_ERR;
        int r;

        if (gone && frame->error.code != ERR_NOT_FOUND) {
                request_fail_firmware(request, frame->error.code);
                return;
        }

        r = book_leave_radio(request->radio, &c->victim, gone);
        if (r < 0)
                request_fail_errno(request, r);
        else
                write_now(c);
}

static void evict(ContactRequest *c) {
        Radio *radio = c->request.radio;
        const Contact *victim = book_find_victim(radio, &c->key);
        Command command;

        if (!victim || c->evictions >= EVICTIONS_MAX) {
                request_fail(&c->request, OUTCOME_TABLE_FULL,
                             "the radio's table of %u contacts is full, and all of them are favourites, "
                             "rooms "
                             "or have unconfirmed messages; remove one, or make one no favourite",
                             radio->info.max_contacts);
                return;
        }

        c->evictions++;
        c->victim = victim->key;
        radio_log_about(radio, LOG_INFO, 0, &victim->key, "contacts",
                        "the radio is full: contact %.16s… makes room and stays in the book",
                        key_to_text(&victim->key).text);
        (void) command_remove_contact(&command, &c->victim);
        request_call_tolerant(&c->request, &command, evicted);
}

/* -- writing ------------------------------------------------------------------------ */

static void written(Request *request, const Frame *frame) {
        ContactRequest *c = (ContactRequest *) request;
        int r;

        if (frame->code == RESP_ERR) {
                if (frame->error.code == ERR_TABLE_FULL)
                        evict(c);
                else
                        request_fail_firmware(request, frame->error.code);
                return;
        }

        c->wanted->on_radio = true;
        c->wanted->removed_elsewhere = false;
        r = identity_put_contact(request->radio->identity, c->wanted);
        if (r < 0) {
                request_fail_errno(request, r);
                return;
        }
        (void) pending_remove(request->radio->pending, &c->key);
        c->then(request, frame);
}

static void write_now(ContactRequest *c) {
        Radio *radio = c->request.radio;
        const Contact *known = identity_get_contact(radio->identity, &c->key);
        bool is_new = !known || !known->on_radio;
        ContactRecord record;
        Command command;
        int r;

        /* With automatic overwriting the radio would make room by its own choice. */
        if (is_new && radio->info.max_contacts > 0 &&
            book_count_on_radio(radio->identity) >= radio->info.max_contacts) {
                evict(c);
                return;
        }

        translate_record(c->wanted, &record);
        if (c->wire_name)
                record.name = c->wire_name;
        if (is_new) {
                /* Other programs ask the radio for what is newer than they know. */
                record.has_lastmod = true;
                record.lastmod = c->wanted->lastmod = radio_clock(radio);
        }

        r = command_add_update_contact(&command, &record);
        if (r < 0)
                request_fail(&c->request, OUTCOME_NOT_SUPPORTED, "no radio can hold a contact like this one");
        else
                request_call_tolerant(&c->request, &command, written);
}

void contact_request_write(ContactRequest *c, request_step_t then) {
        c->then = then;
        write_now(c);
}

/* -- reading ------------------------------------------------------------------------- */

static void fetched(Request *request, const Frame *frame) {
        ContactRequest *c = (ContactRequest *) request;

        if (frame->code == RESP_ERR) {
                if (frame->error.code == ERR_NOT_FOUND)
                        contact_request_removed(c);
                else
                        request_fail_firmware(request, frame->error.code);
                return;
        }
        if (!key_equal(&frame->contact.public_key, &c->key)) {
                request_fail(request, OUTCOME_FAILED, "the radio answered with another contact");
                return;
        }

        g_clear_pointer(&c->wanted, contact_free);
        c->wanted = translate_contact(frame);
        c->wanted->on_radio = true;
        book_merge(request->radio, c->wanted, false);
        g_free(c->wire_name);
        c->wire_name = g_strndup((const char *) frame->contact.name.data, frame->contact.name.size);
        c->then(request, frame);
}

void contact_request_fetch(ContactRequest *c, request_step_t then) {
        Command command;

        c->then = then;
        (void) command_get_contact_by_key(&command, &c->key);
        request_call_tolerant(&c->request, &command, fetched);
}
