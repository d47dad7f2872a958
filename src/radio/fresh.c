/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <syslog.h>

#include "clock.h"
#include "contact-internal.h"
#include "macros.h"
#include "protocol.h"
#include "utf8.h"

#define REFRESH_MAX 256

/* Why a contact is fetched again. */
enum {
        REFRESH_HEARD = 1 << 0, /* an advert came */
        REFRESH_PATH = 1 << 1,  /* the mesh found another way */
};

struct Fresh {
        Radio *radio;
        bool started;
        GHashTable *refresh; /* PublicKey → REFRESH_…: contacts to fetch again */
        bool refreshing, refreshing_heard, refreshing_path;
};

static void refresh_next(Fresh *fresh);

/* -- contacts ---------------------------------------------------------------------- */

static void tell_advert(Fresh *fresh, const Contact *contact, bool stored) {
        void *userdata;
        const RadioObserver *o = manager_observer(fresh->radio->manager, &userdata);

        if (contact && o && o->advert_heard)
                o->advert_heard(fresh->radio, contact, stored, userdata);
}

static void refresh_reply(Session *session, const SessionReply *reply, void *userdata) {
        Fresh *fresh = userdata;
        Radio *radio = fresh->radio;

        fresh->refreshing = false;
        if (reply->result == SESSION_CLOSED)
                return;

        if (reply->result == SESSION_REPLY && reply->frame->kind == FRAME_CONTACT) {
                g_autoptr(Contact) contact = translate_contact(reply->frame);

                contact->on_radio = true;
                if (fresh->refreshing_heard)
                        contact->last_heard_usec = clock_realtime_usec();
                book_merge(radio, contact, fresh->refreshing_path);
                if (identity_put_contact(radio->identity, contact) >= 0 && fresh->refreshing_heard)
                        tell_advert(fresh, identity_get_contact(radio->identity, &contact->key), true);
                if (contact->path_displaced)
                        delivery_path_displaced(radio->delivery, &contact->key);
                (void) pending_remove(radio->pending, &contact->key);
        }

        refresh_next(fresh);
}

static void refresh_next(Fresh *fresh) {
        GHashTableIter iter;
        PublicKey *key;
        Command command;
        void *why;

        if (fresh->refreshing || !fresh->started)
                return;

        g_hash_table_iter_init(&iter, fresh->refresh);
        if (!g_hash_table_iter_next(&iter, (void **) &key, &why))
                return;

        fresh->refreshing_heard = GPOINTER_TO_UINT(why) & REFRESH_HEARD;
        fresh->refreshing_path = GPOINTER_TO_UINT(why) & REFRESH_PATH;

        (void) command_get_contact_by_key(&command, key);
        g_hash_table_iter_remove(&iter);
        fresh->refreshing = session_call(fresh->radio->session, &command, SESSION_BACKGROUND, refresh_reply,
                                         fresh) >= 0;
}

/* The push names the contact only; its record is fetched, one at a time, and
 * once for many pushes. */
static void refresh_contact(Fresh *fresh, const PublicKey *key, unsigned why) {
        bool known = g_hash_table_contains(fresh->refresh, key);

        if (!known && g_hash_table_size(fresh->refresh) >= REFRESH_MAX) {
                radio_log(fresh->radio, LOG_DEBUG, 0,
                          "too many contacts change at once, leaving one to the next sync");
                return;
        }

        why |= GPOINTER_TO_UINT(g_hash_table_lookup(fresh->refresh, key));
        g_hash_table_replace(fresh->refresh, g_memdup2(key, sizeof(PublicKey)), GUINT_TO_POINTER(why));
        refresh_next(fresh);
}

void fresh_contact(Fresh *fresh, const PublicKey *key) {
        refresh_contact(fresh, key, REFRESH_PATH);
}

/* Heard, and not stored by the radio: pending, unless our book has it. There the news goes, but for
 * what the advert cannot know. */
static void new_advert(Fresh *fresh, const Frame *frame) {
        Radio *radio = fresh->radio;
        g_autoptr(Contact) contact = translate_contact(frame);
        const Contact *known = identity_get_contact(radio->identity, &contact->key);

        contact->last_heard_usec = clock_realtime_usec();
        if (known) {
                g_autoptr(Contact) next = contact_copy(known);

                next->type = contact->type;
                g_free(next->name);
                next->name = g_strdup(contact->name);
                next->lat_e6 = contact->lat_e6;
                next->lon_e6 = contact->lon_e6;
                next->last_advert = contact->last_advert;
                next->last_heard_usec = contact->last_heard_usec;
                if (known->on_radio) {
                        /* Not any more, as this push shows. */
                        next->on_radio = false;
                        next->removed_elsewhere = true;
                }
                (void) identity_put_contact(radio->identity, next);
        } else
                pending_put(radio->pending, contact);

        tell_advert(fresh, known ? identity_get_contact(radio->identity, &contact->key) : contact,
                    known != NULL);
        requests_advert(radio->requests, &contact->key, contact);
}

static void contact_deleted(Fresh *fresh, const PublicKey *key) {
        Contact *known = identity_get_contact(fresh->radio->identity, key);
        g_autoptr(Contact) contact = NULL;

        if (!known)
                return;

        radio_log(fresh->radio, LOG_INFO, 0,
                  "the radio dropped contact %.16s… to make room; the book keeps it", key_to_text(key).text);
        contact = contact_copy(known);
        contact->on_radio = contact->removed_elsewhere = false;
        (void) identity_put_contact(fresh->radio->identity, contact);
}

void fresh_frame(Fresh *fresh, const Frame *frame) {
        Radio *radio = fresh->radio;
        void *userdata;
        const RadioObserver *o = manager_observer(radio->manager, &userdata);

        /* Before SELF_INFO nobody knows whose contacts these are. */
        if (!radio->identity_confirmed)
                return;

        switch (frame->kind) {
        case FRAME_ADVERT:
                refresh_contact(fresh, &frame->public_key, REFRESH_HEARD);
                requests_advert(radio->requests, &frame->public_key, NULL);
                break;
        case FRAME_PATH_UPDATED:
                refresh_contact(fresh, &frame->public_key, REFRESH_PATH);
                break;
        case FRAME_NEW_ADVERT:
                new_advert(fresh, frame);
                break;
        case FRAME_CONTACT_DELETED:
                contact_deleted(fresh, &frame->public_key);
                break;
        case FRAME_CONTACTS_FULL:
                radio_log(radio, LOG_INFO, 0,
                          "the radio's table of contacts is full: it heard a node and could not "
                          "store it");
                if (o && o->contacts_full)
                        o->contacts_full(radio, userdata);
                break;
        default:
                radio_log(radio, LOG_DEBUG, 0, "ignoring %s, nobody asked for it",
                          frame_code_to_string(frame->code) ?: "a frame of an unknown kind");
                break;
        }
}

/* -- channels ---------------------------------------------------------------------- */

static void slot_reply(Session *session, const SessionReply *reply, void *userdata) {
        Radio *radio = ((Fresh *) userdata)->radio;
        g_autofree char *name = NULL;
        const Frame *frame = reply->frame;
        int r;

        if (reply->result == SESSION_CLOSED)
                return;
        if (reply->result != SESSION_REPLY || frame->kind != FRAME_CHANNEL_INFO) {
                radio_fail(radio, REASON_PROTOCOL, OUTCOME_FAILED,
                           "the radio does not tell what a channel slot holds after a change");
                return;
        }

        name = utf8_repair(frame->channel_info.name.data, frame->channel_info.name.size);
        r = identity_set_slot(radio->identity, frame->channel_info.channel, name, frame->channel_info.secret,
                              translate_channel_kind(name, frame->channel_info.secret));
        if (r < 0)
                radio_fail(radio, REASON_STORAGE_FULL, OUTCOME_STORAGE_FULL, "cannot store the channels: %s",
                           g_strerror(-r));
        else
                radio_release_slot(radio);
}

void fresh_read_slot(Fresh *fresh, unsigned slot) {
        Command command;

        /* Without a link the next start asks for all of them. */
        if (!fresh->radio->session)
                return;

        (void) command_get_channel(&command, (uint8_t) slot);
        (void) session_call(fresh->radio->session, &command, SESSION_PERSON, slot_reply, fresh);
}

/* -- life ----------------------------------------------------------------------------- */

void fresh_start(Fresh *fresh) {
        fresh->started = true;
        refresh_next(fresh);
}

void fresh_stop(Fresh *fresh) {
        fresh->started = fresh->refreshing = false;
        g_hash_table_remove_all(fresh->refresh);
}

Fresh *fresh_new(Radio *radio) {
        Fresh *fresh = g_new0(Fresh, 1);

        fresh->radio = radio;
        fresh->refresh = g_hash_table_new_full(key_hash_func, key_equal_func, g_free, NULL);
        return fresh;
}

Fresh *fresh_free(Fresh *fresh) {
        if (!fresh)
                return NULL;

        g_hash_table_unref(fresh->refresh);
        return g_free(fresh), NULL;
}
